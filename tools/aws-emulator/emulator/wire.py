"""The wire formats: EC2's query parameters and XML, and JSON 1.1, both from botocore's service models."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

from .errors import AwsError

EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
XML = "text/xml;charset=UTF-8"
JSON = "application/x-amz-json-1.1"


@cache
def service_model(service: str) -> Any:
    from moto.core.utils import get_service_model

    return get_service_model(service)


def flat_params(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


# ------------------------------------------------------------------ EC2 in

def ec2_params(operation: str, flat: dict[str, str]) -> dict[str, Any]:
    """`IpPermissions.1.FromPort=5432` -> {"IpPermissions": [{"FromPort": 5432}]}"""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        node, parts = tree, key.split(".")
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise AwsError("InvalidParameterCombination", f"The parameter {key} is given in two shapes")
        node[parts[-1]] = value
    shape = service_model("ec2").operation_model(operation).input_shape
    if shape is None:
        return {}
    params = reader(shape)(tree)
    for name in shape.required_members:
        if params.get(name) in (None, ""):
            raise AwsError("MissingParameter", f"The request must contain the parameter {name}")
    return params


@cache
def reader(shape: Any) -> Callable[[Any], Any]:
    kind = shape.type_name
    if kind == "structure":
        members = [(name, wire_name(name, member), member) for name, member in shape.members.items()]

        def read_structure(node: Any) -> dict[str, Any]:
            if not isinstance(node, dict):
                return {}
            return {name: reader(member)(node[key]) for name, key, member in members if key in node}

        return read_structure
    if kind == "list":
        def read_list(node: Any) -> list[Any]:
            if not isinstance(node, dict):
                return []
            numbered = sorted((int(key), value) for key, value in node.items() if key.isdigit())
            return [reader(shape.member)(value) for _, value in numbered]

        return read_list
    if kind in ("integer", "long"):
        return read_integer
    if kind == "boolean":
        return lambda node: str(node).lower() == "true"
    return lambda node: node


def read_integer(node: Any) -> int:
    try:
        return int(node)
    except (TypeError, ValueError):
        raise AwsError("InvalidParameterValue", f"Invalid value '{node}' for an integer") from None


def wire_name(name: str, shape: Any) -> str:
    given = shape.serialization.get("queryName")
    if given:
        return given
    location = shape.serialization.get("name", name)
    return location[0].upper() + location[1:]


# ----------------------------------------------------------------- EC2 out

def ec2_answer(operation: str, result: dict[str, Any] | None) -> bytes:
    out = [f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{EC2_NAMESPACE}">'
           f"<requestId>{uuid4()}</requestId>"]
    shape = service_model("ec2").operation_model(operation).output_shape
    if shape is None:
        out.append("<return>true</return>")
    elif result:
        writer(shape)(result, out)
    out.append(f"</{operation}Response>")
    return "".join(out).encode()


@cache
def writer(shape: Any) -> Callable[[Any, list[str]], None]:
    kind = shape.type_name
    if kind == "structure":
        members = {name: (member.serialization.get("name", name), member) for name, member in shape.members.items()}

        def write_structure(value: dict[str, Any], out: list[str]) -> None:
            for name, item in value.items():
                if item is None:
                    continue
                tag, member = members[name]
                out.append(f"<{tag}>")
                writer(member)(item, out)
                out.append(f"</{tag}>")

        return write_structure
    if kind == "list":
        tag = shape.member.serialization.get("name", "item")

        def write_list(value: list[Any], out: list[str]) -> None:
            write_item = writer(shape.member)
            for item in value:
                out.append(f"<{tag}>")
                write_item(item, out)
                out.append(f"</{tag}>")

        return write_list
    if kind == "boolean":
        return lambda value, out: out.append("true" if value else "false")
    if kind == "timestamp":
        return lambda value, out: out.append(datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"))
    return lambda value, out: out.append(escape(str(value)))


# ------------------------------------------------------------------ errors

JSON_SERVICES = {"dms", "sqs", "events", "secretsmanager", "logs", "servicequotas", "dynamodb", "kms", "ssm"}


def error_answer(service: str, error: AwsError) -> tuple[int, str, bytes]:
    """An error in the format of its service: status, content type, body."""
    request_id = uuid4()
    if service in JSON_SERVICES:
        return error.status, JSON, json.dumps({"__type": error.code, "message": error.message}).encode()
    code, message = escape(error.code), escape(error.message)
    if service == "ec2":
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{code}</Code>'
                f"<Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>")
    else:
        who = "Receiver" if error.status >= 500 else "Sender"
        body = (f"<ErrorResponse><Error><Type>{who}</Type><Code>{code}</Code><Message>{message}</Message></Error>"
                f"<RequestId>{request_id}</RequestId></ErrorResponse>")
    return error.status, XML, body.encode()
