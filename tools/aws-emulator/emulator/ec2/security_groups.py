"""Security groups: create, describe, delete."""

import re
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, dependency, invalid
from ..registry import Call, operation
from ..world import WORLD
from .rule_reads import permissions_of
from .rules import DESCRIPTION, all_groups, every_rule, find_group, get_group, rules_of


@operation("ec2", "CreateSecurityGroup")
def create_group(call: Call) -> dict[str, Any]:
    backend, name, description = call.ec2, call.get("GroupName"), call.get("Description")
    vpc_id = call.get("VpcId") or backend.default_vpc.id
    if vpc_id not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    for what, text in (("group name", name), ("security group description", description)):
        if not text or not DESCRIPTION.fullmatch(text):
            raise invalid(f"Value ({text}) for parameter {what} is invalid. Character sets beyond ASCII are not supported.")
    if name == "default":
        raise AwsError("InvalidParameterValue", "Cannot use reserved security group name: default")
    if name.startswith("sg-"):
        raise invalid(f"Value ({name}) for parameter GroupName is invalid. Group names may not be in the format sg-*.")
    if any(group.name == name for group in backend.groups[vpc_id].values()):
        raise AwsError("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc_id}'")
    if sum(len(held) for held in backend.groups.values()) >= WORLD.quotas.groups_per_region:
        raise AwsError("SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.")
    wanted_tags = tags.specified(call, "security-group")
    group = make_group(backend, name, description, vpc_id)
    tags.put(backend, group.id, wanted_tags)
    return {"GroupId": group.id, "Tags": tags.shown(backend, group.id), "SecurityGroupArn": arn(group)}


def make_group(backend: Any, name: str, description: str, vpc_id: str) -> Any:
    group = backend.create_security_group(name, description, vpc_id=vpc_id, force=True)
    rules_of(group, True)
    return group


@operation("ec2", "DeleteSecurityGroup")
def delete_group(call: Call) -> dict[str, Any]:
    backend = call.ec2
    if call.get("GroupId"):
        group = get_group(backend, call.get("GroupId"))
    else:
        named = [g for g in backend.groups[backend.default_vpc.id].values() if g.name == call.get("GroupName")]
        if not named:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{call.get('GroupName')}' does not exist")
        group = named[0]
    if group.name == "default":
        raise AwsError("CannotDelete", f"the specified group: \"{group.id}\" name: \"default\" cannot be deleted by a user")
    refuse_if_used(backend, group)
    for rule in every_rule(group):
        tags.forget(backend, rule.id)
    tags.forget(backend, group.id)
    del backend.groups[group.vpc_id][group.id]
    return {"Return": True, "GroupId": group.id}


def refuse_if_used(backend: Any, group: Any) -> None:
    """A rule in a peer VPC does not keep a group: it goes stale."""
    def on(groups: Any) -> bool:
        return any(each.id == group.id for each in groups)

    on_interface = any(on(eni.group_set) for eni in backend.enis.values())
    on_endpoint = any(group.id in endpoint.group_ids for endpoint in backend.vpc_end_points.values())
    referenced = any(
        rule.kind == "group" and rule.peer == group.id
        for other in all_groups(backend).values() if other is not group and other.vpc_id == group.vpc_id for rule in every_rule(other)
    )
    if on_interface or on_endpoint or referenced:
        raise dependency(f"resource {group.id} has a dependent object")


# ------------------------------------------------------------------- describe

@operation("ec2", "DescribeSecurityGroups")
def describe_groups(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = wanted_groups(call)
    if names := call.get("GroupNames"):
        chosen = [group for group in chosen if group.name in names and group.vpc_id == backend.default_vpc.id]
        if missing := set(names) - {group.name for group in chosen}:
            raise AwsError("InvalidGroup.NotFound", f"The security group '{missing.pop()}' does not exist")
    chosen = filters.apply(call, chosen, GETTERS, lambda group: tags.of(backend, group.id))
    chosen, more = paging.page(call, chosen, lambda group: group.id, 5, 1000)
    return {"SecurityGroups": [shown_group(backend, group) for group in chosen], **more}


def wanted_groups(call: Call) -> list[Any]:
    if identifiers := call.get("GroupIds"):
        return [get_group(call.ec2, identifier) for identifier in dict.fromkeys(identifiers)]
    for each in call.get("Filters", []):
        values = each.get("Values", [])
        if each.get("Name") == "group-id" and not re.search(r"[*?\\]", "".join(values)):
            found = (find_group(call.ec2, value) for value in dict.fromkeys(values))
            return [group for group in found if group is not None]
    return list(all_groups(call.ec2).values())


def shown_group(backend: Any, group: Any) -> dict[str, Any]:
    return {
        "GroupId": group.id, "GroupName": group.name, "Description": group.description, "VpcId": group.vpc_id,
        "OwnerId": backend.account_id, "SecurityGroupArn": arn(group),
        "IpPermissions": permissions_of(rules_of(group, False)),
        "IpPermissionsEgress": permissions_of(rules_of(group, True)),
        "Tags": tags.shown(backend, group.id),
    }


def arn(group: Any) -> str:
    return f"arn:aws:ec2:{group.ec2_backend.region_name}:{group.owner_id}:security-group/{group.id}"


def in_rules(egress: bool, value: Any) -> Any:
    return lambda group: [v for rule in rules_of(group, egress) if (v := value(rule)) is not None]


RULE_GETTERS = {
    "cidr": lambda rule: rule.peer if rule.kind == "ipv4" else None,
    "ipv6-cidr": lambda rule: rule.peer if rule.kind == "ipv6" else None,
    "group-id": lambda rule: rule.peer if rule.kind == "group" else None,
    "prefix-list-id": lambda rule: rule.peer if rule.kind == "prefix" else None,
    "user-id": lambda rule: rule.peer_owner or None,
    "protocol": lambda rule: rule.protocol,
    "from-port": lambda rule: rule.from_port,
    "to-port": lambda rule: rule.to_port,
}
GETTERS = {
    "description": lambda group: group.description,
    "group-id": lambda group: group.id,
    "group-name": lambda group: group.name,
    "owner-id": lambda group: group.owner_id,
    "vpc-id": lambda group: group.vpc_id,
    **{f"ip-permission.{name}": in_rules(False, value) for name, value in RULE_GETTERS.items()},
    **{f"egress.ip-permission.{name}": in_rules(True, value) for name, value in RULE_GETTERS.items()},
}
