"""What AWS DMS knows, per account and Region, and how its calls filter it. moto's own DMS is not used."""

import random
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AwsError
from ..filters import matcher, several, text
from ..registry import Call, extras


@dataclass
class SubnetGroup:
    identifier: str
    description: str
    vpc_id: str
    subnet_ids: list[str]
    arn: str


@dataclass
class Instance:
    identifier: str
    arn: str
    attributes: dict[str, Any]
    subnet_group: SubnetGroup
    group_ids: list[str]
    zone: str
    publicly_accessible: bool
    created: float = field(default_factory=time.time)
    status: str = "creating"
    eni_ids: list[str] = field(default_factory=list)
    private_ips: list[str] = field(default_factory=list)
    public_ips: list[str] = field(default_factory=list)


@dataclass
class Store:
    subnet_groups: dict[str, SubnetGroup] = field(default_factory=dict)   # by identifier
    instances: dict[str, Instance] = field(default_factory=dict)          # by ARN, as all that follow
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    outcomes: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)  # of connection tests to come
    configs: dict[str, dict[str, Any]] = field(default_factory=dict)
    replications: dict[str, dict[str, Any]] = field(default_factory=dict)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)


def store_of(call: Call) -> Store:
    return extras(call.ec2).setdefault("dms", Store())


def new_arn(call: Call, kind: str, name: str | None = None) -> str:
    name = name or "".join(random.choices(string.ascii_uppercase + string.digits, k=26))
    return f"arn:aws:dms:{call.region}:{call.account}:{kind}:{name}"


def fault(code: str, message: str) -> AwsError:
    return AwsError(code, message)


def missing(what: str) -> AwsError:
    return AwsError("ResourceNotFoundFault", f"{what} not found.")


def put_tags(call: Call, arn: str) -> None:
    given = {tag["Key"]: tag.get("Value") or "" for tag in call.get("Tags", [])}
    if given:
        store_of(call).tags[arn] = given


def require(call: Call, *names: str) -> None:
    for name in names:
        if call.get(name) in (None, "", []):
            raise AwsError("InvalidParameterValueException", f"The parameter {name} must be provided.")


def filtered(call: Call, items: list[Any], getters: dict[str, Callable[[Any], Any]], what: str | None = None) -> list[Any]:
    """With `what`, finding nothing for a filter is an error, as it is for most of DMS's calls."""
    given = call.get("Filters", [])
    for each in given:
        getter = getters.get(each.get("Name"))
        if getter is None:
            raise AwsError("InvalidParameterValueException", f"Filter name '{each.get('Name')}' is not valid; valid are {', '.join(getters)}")
        match = matcher(tuple(each.get("Values", [])))
        items = [item for item in items if any(match(text(value)) for value in several(getter(item)))]
    if given and not items and what:
        raise missing(what)
    return items


def dns_name(identifier: str) -> str:
    """DMS keeps identifiers in lower case, and wants letters, digits and single hyphens."""
    name = identifier.lower()
    allowed = set(string.ascii_lowercase + string.digits + "-")
    if not name or not name[0].isalpha() or set(name) - allowed or "--" in name or name.endswith("-") or len(name) > 63:
        raise AwsError("InvalidParameterValueException", f"The identifier '{identifier}' is not valid: letters, digits and single hyphens, "
                       "beginning with a letter")
    return name
