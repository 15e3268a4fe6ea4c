"""Network ACLs: entries with AWS's checks, shown in order."""

from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, invalid
from ..registry import Call, operation
from ..world import WORLD
from .rules import cidr_of

PROTOCOLS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "all": "-1"}
MAX_NUMBER = 32766


def get_acl(backend: Any, identifier: str) -> Any:
    if identifier not in backend.network_acls:
        raise AwsError("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{identifier}' does not exist")
    return backend.network_acls[identifier]


@operation("ec2", "DescribeNetworkAcls")
def describe_acls(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "NetworkAclIds", backend.network_acls, "InvalidNetworkAclID.NotFound", "networkAcl")
    chosen = filters.apply(call, chosen, GETTERS, lambda acl: tags.of(backend, acl.id))
    chosen, more = paging.page(call, chosen, lambda acl: acl.id, 5, 1000)
    return {"NetworkAcls": [shown_acl(backend, acl) for acl in chosen], **more}


def shown_acl(backend: Any, acl: Any) -> dict[str, Any]:
    return {
        "NetworkAclId": acl.id, "VpcId": acl.vpc_id, "IsDefault": acl.default, "OwnerId": backend.account_id,
        "Associations": [
            {"NetworkAclAssociationId": each.id, "NetworkAclId": acl.id, "SubnetId": each.subnet_id} for each in acl._associations.values()
        ],
        "Entries": [shown_entry(entry) for entry in entries_of(acl)], "Tags": tags.shown(backend, acl.id),
    }


def entries_of(acl: Any) -> list[Any]:
    """Outbound first, each direction by number, the default deny last: moto leaves it out of ACLs made by hand."""
    entries = sorted(acl.network_acl_entries, key=lambda e: (not e.egress, int(e.rule_number)))
    for egress in (True, False):
        if not any(int(e.rule_number) == 32767 and e.egress == egress for e in entries):
            entries.append(default_deny(acl, egress))
    return sorted(entries, key=lambda e: (not e.egress, int(e.rule_number)))


def default_deny(acl: Any, egress: bool) -> Any:
    return make_entry(acl, {"RuleNumber": 32767, "Protocol": "-1", "RuleAction": "deny", "Egress": egress, "CidrBlock": "0.0.0.0/0"})


def make_entry(acl: Any, wish: dict[str, Any]) -> Any:
    from moto.ec2.models.network_acls import NetworkAclEntry

    ports, icmp = wish.get("PortRange") or {}, wish.get("IcmpTypeCode") or {}
    return NetworkAclEntry(
        acl.ec2_backend, acl.id, wish["RuleNumber"], wish["Protocol"], wish["RuleAction"], wish["Egress"], wish.get("CidrBlock"),
        icmp.get("Code"), icmp.get("Type"), ports.get("From"), ports.get("To"), wish.get("Ipv6CidrBlock"))


def shown_entry(entry: Any) -> dict[str, Any]:
    ports = entry.port_range_from is not None
    icmp = entry.icmp_type is not None
    return {
        "RuleNumber": int(entry.rule_number), "Protocol": str(entry.protocol), "RuleAction": entry.rule_action,
        "Egress": entry.egress in (True, "true"), "CidrBlock": entry.cidr_block, "Ipv6CidrBlock": entry.ipv6_cidr_block,
        "PortRange": {"From": int(entry.port_range_from), "To": int(entry.port_range_to)} if ports else None,
        "IcmpTypeCode": {"Type": int(entry.icmp_type), "Code": int(entry.icmp_code)} if icmp else None,
    }


# ---------------------------------------------------------------------- writes

@operation("ec2", "CreateNetworkAclEntry")
def create_entry(call: Call) -> None:
    acl, wish = get_acl(call.ec2, call.get("NetworkAclId")), checked_entry(call)
    if find_entry(acl, wish["RuleNumber"], wish["Egress"]) is not None:
        raise AwsError("NetworkAclEntryAlreadyExists", f"The network acl entry identified by {wish['RuleNumber']} already exists.")
    family = "CidrBlock" if wish.get("CidrBlock") else "Ipv6CidrBlock"
    attribute = "cidr_block" if family == "CidrBlock" else "ipv6_cidr_block"
    same = [e for e in acl.network_acl_entries if e.egress == wish["Egress"] and getattr(e, attribute) and int(e.rule_number) <= MAX_NUMBER]
    if len(same) + 1 >= WORLD.quotas.acl_entries:  # the default deny is one of them
        raise AwsError("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached.")
    acl.network_acl_entries.append(make_entry(acl, wish))


@operation("ec2", "ReplaceNetworkAclEntry")
def replace_entry(call: Call) -> None:
    acl, wish = get_acl(call.ec2, call.get("NetworkAclId")), checked_entry(call)
    old = must_find(acl, wish["RuleNumber"], wish["Egress"])
    acl.network_acl_entries[acl.network_acl_entries.index(old)] = make_entry(acl, wish)


@operation("ec2", "DeleteNetworkAclEntry")
def delete_entry(call: Call) -> None:
    acl = get_acl(call.ec2, call.get("NetworkAclId"))
    acl.network_acl_entries.remove(must_find(acl, call.get("RuleNumber"), call.get("Egress")))


@operation("ec2", "ReplaceNetworkAclAssociation")
def replace_association(call: Call) -> dict[str, Any]:
    acl = get_acl(call.ec2, call.get("NetworkAclId"))
    if not any(call.get("AssociationId") in each._associations for each in call.ec2.network_acls.values()):
        raise AwsError("InvalidAssociationID.NotFound", f"The association ID '{call.get('AssociationId')}' does not exist")
    return {"NewAssociationId": call.ec2.replace_network_acl_association(call.get("AssociationId"), acl.id).id}


def find_entry(acl: Any, number: int, egress: bool) -> Any | None:
    return next((e for e in acl.network_acl_entries if int(e.rule_number) == number and e.egress == egress), None)


def must_find(acl: Any, number: int, egress: bool) -> Any:
    entry = find_entry(acl, number, egress)
    if entry is None:
        raise AwsError("InvalidNetworkAclEntry.NotFound", f"The network acl entry identified by {number} does not exist.")
    return entry


def checked_entry(call: Call) -> dict[str, Any]:
    number = call.get("RuleNumber")
    if not 1 <= number <= MAX_NUMBER:
        raise invalid(f"Invalid value '{number}' for ruleNumber. Must be between 1 and {MAX_NUMBER}.")
    protocol = PROTOCOLS.get(call.get("Protocol", "").lower(), call.get("Protocol", ""))
    if protocol != "-1" and not (protocol.isdigit() and int(protocol) <= 255):
        raise invalid(f"Invalid value '{call.get('Protocol')}' for IP protocol. Unknown protocol.")
    if call.get("RuleAction") not in ("allow", "deny"):
        raise invalid(f"Invalid value '{call.get('RuleAction')}' for ruleAction.")
    wish = {"RuleNumber": number, "Protocol": protocol, "RuleAction": call.get("RuleAction"), "Egress": call.get("Egress")}
    if bool(call.get("CidrBlock")) == bool(call.get("Ipv6CidrBlock")):
        raise AwsError("MissingParameter", "Exactly one of cidrBlock and ipv6CidrBlock must be given")
    if call.get("CidrBlock"):
        wish["CidrBlock"] = cidr_of(call.get("CidrBlock"), 4)
    else:
        wish["Ipv6CidrBlock"] = cidr_of(call.get("Ipv6CidrBlock"), 6)
    if protocol in ("6", "17"):
        wish["PortRange"] = checked_ports(call.get("PortRange"))
    if protocol in ("1", "58"):
        icmp = call.get("IcmpTypeCode")
        if not icmp or icmp.get("Type") is None or icmp.get("Code") is None:
            raise AwsError("MissingParameter", "The request must contain the parameter icmpTypeCode")
        wish["IcmpTypeCode"] = icmp
    return wish


def checked_ports(ports: dict[str, int] | None) -> dict[str, int]:
    if not ports or ports.get("From") is None or ports.get("To") is None:
        raise AwsError("MissingParameter", "The request must contain the parameter portRange")
    if not 0 <= ports["From"] <= ports["To"] <= 65535:
        raise invalid(f"Invalid port range: {ports['From']} to {ports['To']}")
    return ports


GETTERS = {
    "network-acl-id": lambda acl: acl.id,
    "vpc-id": lambda acl: acl.vpc_id,
    "default": lambda acl: acl.default,
    "owner-id": lambda acl: acl.owner_id,
    "association.subnet-id": lambda acl: [each.subnet_id for each in acl._associations.values()],
    "association.network-acl-id": lambda acl: acl.id if acl._associations else None,
    "association.association-id": lambda acl: list(acl._associations),
    "entry.cidr": lambda acl: [e.cidr_block for e in entries_of(acl) if e.cidr_block],
    "entry.ipv6-cidr": lambda acl: [e.ipv6_cidr_block for e in entries_of(acl) if e.ipv6_cidr_block],
    "entry.protocol": lambda acl: [e.protocol for e in entries_of(acl)],
    "entry.rule-action": lambda acl: [e.rule_action for e in entries_of(acl)],
    "entry.rule-number": lambda acl: [e.rule_number for e in entries_of(acl)],
    "entry.egress": lambda acl: [bool(e.egress) for e in entries_of(acl)],
}
