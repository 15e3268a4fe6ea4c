"""Security group rules: what one is, when two are the same, and how a request for one is understood."""

import ipaddress
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import AwsError, invalid
from ..registry import extras

PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "all": "-1"}
WITH_PORTS = ("tcp", "udp")
WITH_TYPES = ("icmp", "icmpv6")
DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")

Identity = tuple[bool, str, int | None, int | None, str, str]


@dataclass
class Rule:
    """moto's groups hold these in place of moto's own rules."""

    id: str
    group_id: str
    is_egress: bool
    protocol: str
    from_port: int | None
    to_port: int | None
    kind: str                  # "ipv4" | "ipv6" | "group" | "prefix"
    peer: str                  # CIDR, group ID or prefix list ID
    peer_owner: str = ""       # of a group
    description: str | None = None

    @property
    def identity(self) -> Identity:
        """A description is no part of it."""
        return self.is_egress, self.protocol, self.from_port, self.to_port, self.kind, self.peer

    # What moto's own code may ask a rule for.

    @property
    def source_group(self) -> dict[str, str]:
        return {"GroupId": self.peer, "UserId": self.peer_owner} if self.kind == "group" else {}

    @property
    def ip_range(self) -> dict[str, str]:
        return {"CidrIp": self.peer} if self.kind == "ipv4" else {"CidrIpv6": self.peer} if self.kind == "ipv6" else {}

    @property
    def prefix_list_id(self) -> str | None:
        return self.peer if self.kind == "prefix" else None

    @property
    def ip_protocol(self) -> str:
        return self.protocol


def new_id(prefix: str) -> str:
    return f"{prefix}-{random.getrandbits(68):017x}"


# -------------------------------------------------------------- where they are

def all_groups(backend: Any) -> dict[str, Any]:
    return {identifier: group for of_vpc in backend.groups.values() for identifier, group in of_vpc.items()}


def find_group(backend: Any, identifier: str) -> Any | None:
    for of_vpc in backend.groups.values():
        if identifier in of_vpc:
            return of_vpc[identifier]
    return None


def get_group(backend: Any, identifier: str) -> Any:
    group = find_group(backend, identifier)
    if group is None:
        if not re.fullmatch(r"sg-([0-9a-f]{8}|[0-9a-f]{17})", identifier):
            raise AwsError("InvalidGroupId.Malformed", f'Invalid id: "{identifier}"')
        raise AwsError("InvalidGroup.NotFound", f"The security group '{identifier}' does not exist")
    return group


def rules_of(group: Any, egress: bool) -> list[Rule]:
    """The list itself. A group that moto made comes with moto's rules, which are turned into ours here."""
    held = group.egress_rules if egress else group.ingress_rules
    for position, rule in enumerate(held):
        if not isinstance(rule, Rule):
            held[position] = adopt(group, rule, egress)
    return held


def adopt(group: Any, rule: Any, egress: bool) -> Rule:
    for kind, peer in (("ipv4", rule.cidr_ipv4), ("ipv6", rule.cidr_ipv6), ("group", rule.source_group.get("GroupId")), ("prefix", rule.prefix_list_id)):
        if peer:
            owner = rule.source_group.get("UserId", group.owner_id) if kind == "group" else ""
            return Rule(rule.id, group.id, egress, rule.ip_protocol, rule.from_port, rule.to_port, kind, peer, owner)
    raise AssertionError(f"a rule without a peer: {rule.id}")


def every_rule(group: Any) -> Iterator[Rule]:
    yield from rules_of(group, True)
    yield from rules_of(group, False)


def find_rule(backend: Any, identifier: str) -> Rule | None:
    """IDs never move from one group to another, so a group once found is a good first guess."""
    index = extras(backend).setdefault("rule_groups", {})
    group = find_group(backend, index.get(identifier, ""))
    for candidate in (group,) if group else all_groups(backend).values():
        for rule in every_rule(candidate):
            if rule.id == identifier:
                index[identifier] = candidate.id
                return rule
    return None


# ---------------------------------------------------------- what a request says

def protocol_of(given: str | None) -> str:
    if given is None or given == "":
        raise AwsError("MissingParameter", "The request must contain the parameter ipProtocol")
    name = PROTOCOLS.get(given.lower(), given.lower())
    if name in ("-1", *WITH_PORTS, *WITH_TYPES) or (name.isdigit() and int(name) <= 255):
        return name
    raise invalid(f"Invalid value '{given}' for IP protocol. Unknown protocol.")


def ports_of(protocol: str, low: int | None, high: int | None) -> tuple[int | None, int | None]:
    if protocol in WITH_PORTS:
        if low is None or high is None:
            raise invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
        for port in (low, high):
            if not 0 <= port <= 65535:
                raise invalid(f"Invalid value '{port}' for portRange. Must be between 0 and 65535.")
        if low > high:
            raise invalid(f"Invalid {protocol.upper()} port range: from port {low} is greater than to port {high}")
        return low, high
    if protocol in WITH_TYPES:
        low, high = -1 if low is None else low, -1 if high is None else high
        if not (-1 <= low <= 255 and -1 <= high <= 255):
            raise invalid(f"ICMP type ({low}) or code ({high}) is out of range")
        return low, high
    return None, None  # AWS drops the ports of every other protocol


def cidr_of(given: str, family: int) -> str:
    """In network form, host bits masked, IPv6 compressed."""
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        network = None
    if network is None or network.version != family or "/" not in given:
        raise invalid(f"CIDR block {given} is malformed")
    return str(network)


def description_of(given: str | None) -> str | None:
    if given is not None and not DESCRIPTION.fullmatch(given):
        raise invalid("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set:  "
                      "a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
    return given or None


def shown_in_message(rule: Rule) -> str:
    protocol = "ALL" if rule.protocol == "-1" else rule.protocol.upper()
    ports = f", from port: {rule.from_port}, to port: {rule.to_port}" if rule.from_port is not None else ""
    return f'"peer: {rule.peer}, {protocol}{ports}, ALLOW"'
