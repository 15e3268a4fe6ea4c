"""Pages: MaxResults and NextToken of EC2, MaxRecords and Marker of DMS."""

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from .errors import AwsError, invalid
from .registry import Call


def page(call: Call, items: list[Any], identity: Callable[[Any], str], low: int, high: int) -> tuple[list[Any], dict[str, str]]:
    """The page that was asked for, and {"NextToken": …} if more follows."""
    size = call.get("MaxResults")
    if size is not None and not low <= size <= high:
        raise invalid(f"Value ( {size} ) for parameter maxResults is invalid. Expecting a value between {low} and {high}.")
    chosen, token = cut(items, identity, size, call.get("NextToken"), "InvalidNextToken")
    return chosen, {"NextToken": token} if token else {}


def dms_page(call: Call, items: list[Any], identity: Callable[[Any], str]) -> tuple[list[Any], dict[str, str]]:
    size = call.get("MaxRecords", 100)
    if not 20 <= size <= 100:
        raise AwsError("InvalidParameterValueException", "MaxRecords must be between 20 and 100")
    chosen, token = cut(items, identity, size, call.get("Marker"), "InvalidParameterValueException")
    return chosen, {"Marker": token} if token else {}


def cut(items: list[Any], identity: Callable[[Any], str], size: int | None, token: str | None, bad_token: str) -> tuple[list[Any], str | None]:
    start = 0
    if token:
        try:
            position, last = json.loads(base64.urlsafe_b64decode(token))
        except (ValueError, TypeError, binascii.Error):
            raise AwsError(bad_token, "The token is not valid") from None
        # The list may have changed since: go on after the last item shown, if it is still there.
        start = next((i + 1 for i, item in enumerate(items) if identity(item) == last), min(position, len(items)))
    end = len(items) if size is None else start + size
    if end >= len(items):
        return items[start:], None
    following = json.dumps([end, identity(items[end - 1])])
    return items[start:end], base64.urlsafe_b64encode(following.encode()).decode()
