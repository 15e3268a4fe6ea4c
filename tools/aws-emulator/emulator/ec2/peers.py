"""The peers of rules: is there such a group or list, and may this group name it?"""

from typing import Any

from ..errors import AwsError
from ..registry import Call, ec2_of
from .rules import Rule, find_group


def must_be_reachable(call: Call, group: Any, rule: Rule) -> None:
    if rule.kind == "prefix" and rule.peer not in call.ec2.managed_prefix_lists:
        raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{rule.peer}' does not exist")
    if rule.kind != "group":
        return
    peer = find_group(ec2_of(rule.peer_owner, call.region), rule.peer)
    if peer is None:
        raise AwsError("InvalidGroup.NotFound", f"The security group '{rule.peer}' does not exist")
    if peer.vpc_id != group.vpc_id and active_peering(call.ec2, group.vpc_id, peer.vpc_id) is None:
        raise AwsError("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")


def peerings_between(backend: Any, one: str, other: str) -> list[Any]:
    return [p for p in backend.vpc_pcxs.values() if {p.vpc.id, p.peer_vpc.id} == {one, other} and one != other]


def active_peering(backend: Any, one: str, other: str) -> Any | None:
    return next((p for p in peerings_between(backend, one, other) if p._status.code == "active"), None)


def referenced_group(backend: Any, group: Any, rule: Rule) -> dict[str, Any]:
    """ReferencedGroupInfo. What belongs to another VPC tells by which peering, and that peering's status."""
    info: dict[str, Any] = {"GroupId": rule.peer, "UserId": rule.peer_owner}
    peer = find_group(ec2_of(rule.peer_owner, backend.region_name), rule.peer)
    if peer is not None and peer.vpc_id != group.vpc_id:
        info["VpcId"] = peer.vpc_id
        peerings = peerings_between(backend, group.vpc_id, peer.vpc_id)
        if peerings:
            peering = next((p for p in peerings if p._status.code == "active"), peerings[-1])
            info |= {"VpcPeeringConnectionId": peering.id, "PeeringStatus": peering._status.code}
    return info


def is_stale(backend: Any, group: Any, rule: Rule) -> bool:
    """The peer is gone, or the peering that led to it is."""
    if rule.kind != "group":
        return False
    peer = find_group(ec2_of(rule.peer_owner, backend.region_name), rule.peer)
    if peer is None:
        return True
    return peer.vpc_id != group.vpc_id and active_peering(backend, group.vpc_id, peer.vpc_id) is None


def weight(backend: Any, rule: Rule) -> tuple[int, int]:
    """How much a rule counts against the quotas for IPv4 and for IPv6."""
    if rule.kind == "group":
        return 1, 1
    if rule.kind == "prefix":
        listed = backend.managed_prefix_lists.get(rule.peer)
        size = int(listed.max_entries or len(listed.entries.get(listed.version) or listed.entries.get(1) or [0])) if listed else 1
        return (0, size) if listed is not None and listed.address_family == "IPv6" else (size, 0)
    return (1, 0) if rule.kind == "ipv4" else (0, 1)
