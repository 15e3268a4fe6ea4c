"""DescribeSecurityGroupRules, and the rules that no longer lead anywhere."""

from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError
from ..registry import Call, operation
from .peers import is_stale, referenced_group
from .rules import Rule, all_groups, every_rule, find_group, find_rule, rules_of


def shown_rule(backend: Any, group: Any, rule: Rule) -> dict[str, Any]:
    """AWS gives -1 here where a rule has no ports."""
    low, high = (-1, -1) if rule.from_port is None else (rule.from_port, rule.to_port)
    shown: dict[str, Any] = {
        "SecurityGroupRuleId": rule.id, "GroupId": rule.group_id, "GroupOwnerId": backend.account_id,
        "IsEgress": rule.is_egress, "IpProtocol": rule.protocol, "FromPort": low, "ToPort": high,
    }
    if rule.kind == "ipv4":
        shown["CidrIpv4"] = rule.peer
    elif rule.kind == "ipv6":
        shown["CidrIpv6"] = rule.peer
    elif rule.kind == "prefix":
        shown["PrefixListId"] = rule.peer
    else:
        shown["ReferencedGroupInfo"] = referenced_group(backend, group, rule)
    shown["Description"] = rule.description
    shown["Tags"] = tags.shown(backend, rule.id)
    shown["SecurityGroupRuleArn"] = f"arn:aws:ec2:{backend.region_name}:{backend.account_id}:security-group-rule/{rule.id}"
    return shown


def permissions_of(rules: list[Rule]) -> list[dict[str, Any]]:
    """As AWS shows them here: rules of one protocol and port range are one permission."""
    merged: dict[tuple[Any, ...], dict[str, Any]] = {}
    for rule in rules:
        entry = merged.setdefault((rule.protocol, rule.from_port, rule.to_port), {
            "IpProtocol": rule.protocol, "FromPort": rule.from_port, "ToPort": rule.to_port,
            "UserIdGroupPairs": [], "IpRanges": [], "Ipv6Ranges": [], "PrefixListIds": [],
        })
        text = {"Description": rule.description} if rule.description else {}
        if rule.kind == "ipv4":
            entry["IpRanges"].append({"CidrIp": rule.peer} | text)
        elif rule.kind == "ipv6":
            entry["Ipv6Ranges"].append({"CidrIpv6": rule.peer} | text)
        elif rule.kind == "prefix":
            entry["PrefixListIds"].append({"PrefixListId": rule.peer} | text)
        else:
            entry["UserIdGroupPairs"].append({"GroupId": rule.peer, "UserId": rule.peer_owner} | text)
    return list(merged.values())


@operation("ec2", "DescribeSecurityGroupRules")
def describe_rules(call: Call) -> dict[str, Any]:
    backend = call.ec2
    if wanted := call.get("SecurityGroupRuleIds"):
        pairs = [(find_group(backend, rule.group_id), rule) for rule in map(lambda i: known_rule(call, i), dict.fromkeys(wanted))]
    else:
        pairs = [(group, rule) for group in candidate_groups(call) for rule in every_rule(group)]
    getters = {"group-id": lambda pair: pair[1].group_id, "security-group-rule-id": lambda pair: pair[1].id}
    pairs = filters.apply(call, pairs, getters, lambda pair: tags.of(backend, pair[1].id))
    pairs, more = paging.page(call, pairs, lambda pair: pair[1].id, 5, 1000)
    return {"SecurityGroupRules": [shown_rule(backend, group, rule) for group, rule in pairs], **more}


def known_rule(call: Call, identifier: str) -> Rule:
    rule = find_rule(call.ec2, identifier)
    if rule is None:
        kind = "NotFound" if identifier.startswith("sgr-") else "Malformed"
        raise AwsError(f"InvalidSecurityGroupRuleId.{kind}", f"The security group rule ID '{identifier}' does not exist")
    return rule


def candidate_groups(call: Call) -> list[Any]:
    """A filter by plain group IDs, the usual one, does not walk over every group."""
    for each in call.get("Filters", []):
        values = each.get("Values", [])
        if each.get("Name") == "group-id" and not any(c in value for value in values for c in "*?\\"):
            found = (find_group(call.ec2, value) for value in dict.fromkeys(values))
            return [group for group in found if group is not None]
    return list(all_groups(call.ec2).values())


@operation("ec2", "DescribeStaleSecurityGroups")
def describe_stale(call: Call) -> dict[str, Any]:
    backend, vpc_id = call.ec2, call.get("VpcId")
    if vpc_id not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    shown = []
    for group in backend.groups.get(vpc_id, {}).values():
        stale = {egress: [r for r in rules_of(group, egress) if is_stale(backend, group, r)] for egress in (False, True)}
        if stale[False] or stale[True]:
            shown.append({
                "Description": group.description, "GroupId": group.id, "GroupName": group.name, "VpcId": group.vpc_id,
                "StaleIpPermissions": [stale_permission(backend, group, rule) for rule in stale[False]],
                "StaleIpPermissionsEgress": [stale_permission(backend, group, rule) for rule in stale[True]],
            })
    shown, more = paging.page(call, shown, lambda each: each["GroupId"], 5, 255)
    return {"StaleSecurityGroupSet": shown, **more}


def stale_permission(backend: Any, group: Any, rule: Rule) -> dict[str, Any]:
    info = referenced_group(backend, group, rule)
    return {"IpProtocol": rule.protocol, "FromPort": rule.from_port, "ToPort": rule.to_port, "IpRanges": [], "PrefixListIds": [],
            "UserIdGroupPairs": [info | {"Description": rule.description}]}


@operation("ec2", "DescribeSecurityGroupReferences")
def describe_references(call: Call) -> dict[str, Any]:
    """Groups on the far side of a peering that name one of these."""
    from moto.ec2.models import ec2_backends

    found = []
    for wanted in call.get("GroupId", []):
        for regions in list(ec2_backends.values()):
            for group in all_groups(regions[call.region]).values() if call.region in regions else ():
                for rule in every_rule(group):
                    if rule.kind == "group" and rule.peer == wanted:
                        info = referenced_group(regions[call.region], group, rule)
                        if "VpcId" in info:
                            found.append({"GroupId": wanted, "ReferencingVpcId": group.vpc_id,
                                          "VpcPeeringConnectionId": info.get("VpcPeeringConnectionId")})
    return {"SecurityGroupReferenceSet": list({tuple(each.items()): each for each in found}.values())}


@operation("ec2", "DescribeSecurityGroupVpcAssociations")
def describe_associations(call: Call) -> dict[str, Any]:
    """Sharing a group between VPCs is not emulated, so there are none."""
    return {"SecurityGroupVpcAssociations": []}
