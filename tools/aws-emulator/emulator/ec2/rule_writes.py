"""Authorize, revoke and modify rules, and change their descriptions."""

from dataclasses import replace
from typing import Any

from .. import tags
from ..errors import AwsError, invalid
from ..registry import Call, operation
from ..world import WORLD
from .peers import must_be_reachable, weight
from .rule_reads import permissions_of, shown_rule
from .rules import (Rule, cidr_of, description_of, every_rule, get_group, new_id, ports_of, protocol_of, rules_of,
                    shown_in_message)


@operation("ec2", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress")
def authorize(call: Call) -> dict[str, Any]:
    """All of it or nothing."""
    group, egress = asked_group(call), is_egress(call)
    wanted = asked_rules(call, group, egress)
    if not wanted:
        raise AwsError("MissingParameter", "The request must contain the parameter ipPermissions")
    given_tags = tags.specified(call, "security-group-rule")
    for rule in wanted:
        must_be_reachable(call, group, rule)
    if len({rule.identity for rule in wanted}) < len(wanted):
        raise invalid("The same permission must not appear multiple times")
    held = rules_of(group, egress)
    existing = {rule.identity for rule in held}
    for rule in wanted:
        if rule.identity in existing:
            raise duplicate(rule)
    within_quota(call, [*held, *wanted])
    for rule in wanted:
        held.append(rule)
        tags.put(call.ec2, rule.id, given_tags)
    return {"Return": True, "SecurityGroupRules": [shown_rule(call.ec2, group, rule) for rule in wanted]}


@operation("ec2", "RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress")
def revoke(call: Call) -> dict[str, Any]:
    group, egress = asked_group(call), is_egress(call)
    held = rules_of(group, egress)
    unknown: list[Rule] = []
    if call.get("SecurityGroupRuleIds"):
        doomed = [rule_by_id(held, identifier) for identifier in call.get("SecurityGroupRuleIds")]
    else:
        wanted = asked_rules(call, group, egress)
        if not wanted:
            raise AwsError("MissingParameter", "The request must contain the parameter ipPermissions")
        by_identity = {rule.identity: rule for rule in held}
        doomed = [by_identity[rule.identity] for rule in wanted if rule.identity in by_identity]
        unknown = [rule for rule in wanted if rule.identity not in by_identity]
        if unknown and not call.ec2.vpcs[group.vpc_id].is_default:
            raise AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
    for rule in doomed:
        if rule in held:
            held.remove(rule)
            tags.forget(call.ec2, rule.id)
    return {
        "Return": True,
        "RevokedSecurityGroupRules": [revoked(rule) for rule in doomed],
        "UnknownIpPermissions": permissions_of(unknown) or None,
    }


@operation("ec2", "ModifySecurityGroupRules")
def modify(call: Call) -> dict[str, Any]:
    """Replaces rules in place, several at once: checked together, then written together."""
    group = get_group(call.ec2, call.get("GroupId"))
    rules = {rule.id: rule for rule in every_rule(group)}
    changed: dict[str, Rule] = {}
    for update in call.get("SecurityGroupRules", []):
        old = rule_by_id(list(rules.values()), update["SecurityGroupRuleId"])
        new = modified(call, old, update.get("SecurityGroupRule") or {})
        must_be_reachable(call, group, new)
        changed[old.id] = new
    seen: set[Any] = set()
    for rule in [changed.get(identifier, rule) for identifier, rule in rules.items()]:
        if rule.identity in seen:
            raise duplicate(rule)
        seen.add(rule.identity)
    for egress in (True, False):
        within_quota(call, [changed.get(rule.id, rule) for rule in rules_of(group, egress)])
    for egress in (True, False):
        held = rules_of(group, egress)
        held[:] = [changed.get(rule.id, rule) for rule in held]
    return {"Return": True}


@operation("ec2", "UpdateSecurityGroupRuleDescriptionsIngress", "UpdateSecurityGroupRuleDescriptionsEgress")
def describe_anew(call: Call) -> dict[str, Any]:
    group, egress = asked_group(call), is_egress(call)
    held = rules_of(group, egress)
    texts: list[tuple[Rule, str | None]] = []
    for each in call.get("SecurityGroupRuleDescriptions", []):
        rule = rule_by_id(held, each.get("SecurityGroupRuleId", ""))
        texts.append((rule, description_of(each.get("Description"))))
    for wanted in asked_rules(call, group, egress):
        rule = next((rule for rule in held if rule.identity == wanted.identity), None)
        if rule is None:
            raise AwsError("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")
        texts.append((rule, wanted.description))
    if not texts:
        raise AwsError("MissingParameter", "Either 'ipPermissions' or 'securityGroupRuleDescriptions' should be provided.")
    for rule, text in texts:
        rule.description = text
    return {"Return": True}


# ------------------------------------------------------------ reading a request

def is_egress(call: Call) -> bool:
    return call.operation.endswith("Egress")


def asked_group(call: Call) -> Any:
    if identifier := call.get("GroupId"):
        return get_group(call.ec2, identifier)
    name = call.get("GroupName")
    if not name:
        raise AwsError("MissingParameter", "The request must contain the parameter groupName or groupId")
    for group in call.ec2.groups[call.ec2.default_vpc.id].values():  # a name alone means the default VPC
        if group.name == name:
            return group
    raise AwsError("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC '{call.ec2.default_vpc.id}'")


def asked_rules(call: Call, group: Any, egress: bool) -> list[Rule]:
    permissions = list(call.get("IpPermissions", []))
    if call.get("CidrIp") or call.get("IpProtocol"):
        single = {name: call.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}
        permissions.append(single | ({"IpRanges": [{"CidrIp": call.get("CidrIp")}]} if call.get("CidrIp") else {}))
    return [rule for each in permissions for rule in rules_in(call, group, egress, each)]


def rules_in(call: Call, group: Any, egress: bool, asked: dict[str, Any]) -> list[Rule]:
    protocol = protocol_of(asked.get("IpProtocol"))
    low, high = ports_of(protocol, asked.get("FromPort"), asked.get("ToPort"))
    peers: list[tuple[str, str, str, Any]] = []
    for each in asked.get("IpRanges", []):
        peers.append(("ipv4", cidr_of(each.get("CidrIp", ""), 4), "", each))
    for each in asked.get("Ipv6Ranges", []):
        peers.append(("ipv6", cidr_of(each.get("CidrIpv6", ""), 6), "", each))
    for each in asked.get("UserIdGroupPairs", []):
        peers.append(("group", peer_group(call, each), each.get("UserId") or call.account, each))
    for each in asked.get("PrefixListIds", []):
        peers.append(("prefix", each.get("PrefixListId", ""), "", each))
    if not peers:
        raise AwsError("MissingParameter", "The request must contain one of ipRanges, ipv6Ranges, prefixListIds or groups in ipPermissions")
    return [
        Rule(new_id("sgr"), group.id, egress, protocol, low, high, kind, peer, owner, description_of(each.get("Description")))
        for kind, peer, owner, each in peers
    ]


def peer_group(call: Call, pair: dict[str, str]) -> str:
    if pair.get("GroupId"):
        return pair["GroupId"]
    for group in call.ec2.groups[call.ec2.default_vpc.id].values():
        if group.name == pair.get("GroupName"):
            return group.id
    raise AwsError("InvalidGroup.NotFound", f"The security group '{pair.get('GroupName')}' does not exist")


def modified(call: Call, old: Rule, wish: dict[str, Any]) -> Rule:
    protocol = protocol_of(wish.get("IpProtocol"))
    low, high = ports_of(protocol, wish.get("FromPort"), wish.get("ToPort"))
    peers = [
        (kind, value) for kind, value in (("ipv4", wish.get("CidrIpv4")), ("ipv6", wish.get("CidrIpv6")),
                                          ("group", wish.get("ReferencedGroupId")), ("prefix", wish.get("PrefixListId"))) if value
    ]
    if len(peers) != 1:
        raise invalid("Exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId must be given for a security group rule.")
    kind, peer = peers[0]
    if kind in ("ipv4", "ipv6"):
        peer = cidr_of(peer, 4 if kind == "ipv4" else 6)
    owner = (old.peer_owner if peer == old.peer else call.account) if kind == "group" else ""
    return replace(old, protocol=protocol, from_port=low, to_port=high, kind=kind, peer=peer, peer_owner=owner,
                   description=description_of(wish.get("Description")))


# -------------------------------------------------------------------- checks

def rule_by_id(held: list[Rule], identifier: str) -> Rule:
    for rule in held:
        if rule.id == identifier:
            return rule
    if not identifier.startswith("sgr-"):
        raise AwsError("InvalidSecurityGroupRuleId.Malformed", f'Invalid id: "{identifier}" (expecting "sgr-...")')
    raise AwsError("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{identifier}' does not exist")


def duplicate(rule: Rule) -> AwsError:
    return AwsError("InvalidPermission.Duplicate", f"the specified rule {shown_in_message(rule)} already exists")


def within_quota(call: Call, rules: list[Rule]) -> None:
    limit = WORLD.quotas.rules_per_group
    if len(rules) <= limit and not any(rule.kind == "prefix" for rule in rules):
        return
    weights = [weight(call.ec2, rule) for rule in rules]
    if max(sum(four for four, _ in weights), sum(six for _, six in weights)) > limit:
        raise AwsError("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")


# ------------------------------------------------------------------- answers

def revoked(rule: Rule) -> dict[str, Any]:
    peer = {"ipv4": "CidrIpv4", "ipv6": "CidrIpv6", "group": "ReferencedGroupId", "prefix": "PrefixListId"}[rule.kind]
    low, high = (-1, -1) if rule.from_port is None else (rule.from_port, rule.to_port)
    return {"SecurityGroupRuleId": rule.id, "GroupId": rule.group_id, "IsEgress": rule.is_egress, "IpProtocol": rule.protocol,
            "FromPort": low, "ToPort": high, peer: rule.peer, "Description": rule.description}
