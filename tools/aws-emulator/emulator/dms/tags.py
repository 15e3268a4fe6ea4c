"""Tags of DMS resources, by ARN."""

from typing import Any

from ..registry import Call, operation
from .store import missing, store_of


def must_exist(call: Call, arn: str) -> None:
    store = store_of(call)
    groups = {group.arn for group in store.subnet_groups.values()}
    if not any(arn in held for held in (store.instances, store.endpoints, store.configs, store.tasks, groups)):
        raise missing(arn)


@operation("dms", "AddTagsToResource")
def add(call: Call) -> None:
    arn = call.get("ResourceArn", "")
    must_exist(call, arn)
    store_of(call).tags.setdefault(arn, {}).update({tag["Key"]: tag.get("Value") or "" for tag in call.get("Tags", [])})


@operation("dms", "RemoveTagsFromResource")
def remove(call: Call) -> None:
    arn = call.get("ResourceArn", "")
    must_exist(call, arn)
    for key in call.get("TagKeys", []):
        store_of(call).tags.get(arn, {}).pop(key, None)


@operation("dms", "ListTagsForResource")
def show(call: Call) -> dict[str, Any]:
    arns = call.get("ResourceArnList") or [call.get("ResourceArn", "")]
    rows = []
    for arn in arns:
        must_exist(call, arn)
        rows += [{"Key": k, "Value": v, "ResourceArn": arn} for k, v in store_of(call).tags.get(arn, {}).items()]
    return {"TagList": rows}
