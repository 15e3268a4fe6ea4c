"""Filters of EC2's Describe calls: names joined by and, values by or, with * and ? as wildcards."""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from .errors import AwsError
from .registry import Call

Getter = Callable[[Any], Any]
MAX_VALUES = 200


def apply(call: Call, items: Iterable[Any], getters: dict[str, Getter], tags: Callable[[Any], dict[str, str]] | None, name: str = "Filters") -> list[Any]:
    """The items that every filter lets through. A getter gives one value or several."""
    chosen = list(items)
    given = call.get(name, [])
    if sum(len(each.get("Values", [])) for each in given) > MAX_VALUES:
        raise AwsError("FilterLimitExceeded", f"The maximum number of filter values specified on a single call is {MAX_VALUES}.")
    for each in given:
        key, values = each.get("Name") or "null", each.get("Values", [])
        match = matcher(tuple(values))
        getter = tag_getter(key, tags) or getters.get(key)
        if getter is None:
            raise AwsError("InvalidParameterValue", f"The filter '{key}' is invalid")
        chosen = [item for item in chosen if any(match(text(value)) for value in several(getter(item)))]
    return chosen


def tag_getter(key: str, tags: Callable[[Any], dict[str, str]] | None) -> Getter | None:
    if tags is None:
        return None
    if key.startswith("tag:"):
        name = key.removeprefix("tag:")
        return lambda item: tags(item).get(name)
    return {"tag-key": lambda item: list(tags(item)), "tag-value": lambda item: list(tags(item).values())}.get(key)


def several(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple, set, frozenset)) else (value,)


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@lru_cache(maxsize=1024)
def matcher(values: tuple[str, ...]) -> Callable[[str], bool]:
    exact = {value for value in values if not re.search(r"[*?\\]", value)}
    patterns = [wildcard(value) for value in values if value not in exact]
    return lambda candidate: candidate in exact or any(p.fullmatch(candidate) for p in patterns)


def wildcard(value: str) -> re.Pattern[str]:
    parts = re.findall(r"\\.|.", value, re.S)
    regex = "".join({"*": ".*", "?": "."}.get(p, re.escape(p[-1] if len(p) == 2 else p)) for p in parts)
    return re.compile(regex, re.S)


def by_id(call: Call, parameter: str, items: dict[str, Any], code: str, what: str) -> list[Any]:
    """The items named by the request; all of them if it names none."""
    wanted = call.get(parameter, [])
    missing = [each for each in wanted if each not in items]
    if missing:
        raise AwsError(code, f"The {what} ID '{missing[0]}' does not exist")
    return [items[each] for each in dict.fromkeys(wanted)] if wanted else list(items.values())
