"""Network interfaces: addresses inside their subnet, interfaces that services make, and how they are shown."""

import ipaddress
import re
from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, invalid
from ..registry import Call, after_moto, extras, operation
from ..world import WORLD
from .rules import get_group, new_id


def make_service_interface(backend: Any, subnet: Any, group_ids: list[str], description: str, kind: str, requester: str,
                           public_ip: str | None = None) -> Any:
    """An interface as an AWS service makes it in a customer's subnet: in use from the start, not the customer's to delete."""
    eni = backend.create_network_interface(
        subnet, free_address(backend, subnet), group_ids=group_ids or None, description=description)
    if not group_ids:
        eni._group_set = []
    eni.interface_type = kind
    eni.requester_managed = True
    eni.status = "in-use"
    eni.public_ip = public_ip
    extras(backend).setdefault("service_interfaces", {})[eni.id] = {"requester": requester, "attachment": new_id("ela-attach")}
    return eni


def free_address(backend: Any, subnet: Any) -> str:
    """AWS keeps the first four and the last address of a subnet."""
    taken = {a["PrivateIpAddress"] for eni in backend.enis.values() if eni.subnet.id == subnet.id for a in eni.private_ip_addresses}
    taken |= set(subnet._subnet_ips)
    network = ipaddress.ip_network(subnet.cidr_block, strict=False)
    first, last = int(network.network_address) + 4, int(network.broadcast_address) - 1
    for number in range(first, last + 1):
        address = str(ipaddress.ip_address(number))
        if address not in taken:
            return address
    raise AwsError("InsufficientFreeAddressesInSubnet", f"Insufficient free IP addresses in subnet '{subnet.id}'")


def remove(backend: Any, eni_id: str) -> None:
    backend.enis.pop(eni_id, None)
    tags.forget(backend, eni_id)
    extras(backend).get("service_interfaces", {}).pop(eni_id, None)


def remove_later(backend: Any, eni_ids: list[str], seconds: float) -> None:
    for eni_id in eni_ids:
        WORLD.later(seconds, lambda eni_id=eni_id: remove(backend, eni_id))


@after_moto("TerminateInstances")
def remove_interfaces_of_the_terminated(call: Call) -> None:
    """moto leaves them where they are."""
    for eni in [e for e in call.ec2.enis.values() if e.instance and e.instance.state == "terminated"]:
        remove(call.ec2, eni.id)


# ------------------------------------------------------------------ operations

@operation("ec2", "CreateNetworkInterface")
def create_interface(call: Call) -> dict[str, Any]:
    backend = call.ec2
    subnet = find_subnet(backend, call.get("SubnetId"))
    groups = [get_group(backend, each) for each in call.get("Groups", [])]
    if any(group.vpc_id != subnet.vpc_id for group in groups):
        raise AwsError("InvalidParameter", "Security group and subnet belong to different networks.")
    address = call.get("PrivateIpAddress") or next(
        (a["PrivateIpAddress"] for a in call.get("PrivateIpAddresses", []) if a.get("Primary")), None)
    if address and ipaddress.ip_address(address) not in ipaddress.ip_network(subnet.cidr_block, strict=False):
        raise invalid(f"Address does not fall within the subnet's address range: {address}")
    if address and any(a["PrivateIpAddress"] == address for e in backend.enis.values() if e.subnet.id == subnet.id for a in e.private_ip_addresses):
        raise AwsError("InvalidIPAddress.InUse", f"Address {address} is in use.")
    given_tags = tags.specified(call, "network-interface")
    eni = backend.create_network_interface(
        subnet, address or free_address(backend, subnet), group_ids=[group.id for group in groups] or None,
        description=call.get("Description"), ipv6_addresses=[a["Ipv6Address"] for a in call.get("Ipv6Addresses", [])])
    tags.put(backend, eni.id, given_tags)
    return {"NetworkInterface": shown_interface(backend, eni)}


@operation("ec2", "DeleteNetworkInterface")
def delete_interface(call: Call) -> None:
    eni = get_interface(call.ec2, call.get("NetworkInterfaceId"))
    if eni.requester_managed:
        raise AwsError("OperationNotPermitted", "You do not have permission to access the specified resource.")
    if eni.status == "in-use" or eni.attachment_id:
        raise AwsError("InvalidParameterValue", f"Network interface '{eni.id}' is currently in use.")
    remove(call.ec2, eni.id)


@operation("ec2", "DescribeNetworkInterfaces")
def describe_interfaces(call: Call) -> dict[str, Any]:
    backend = call.ec2
    if wanted := call.get("NetworkInterfaceIds"):
        chosen = [get_interface(backend, identifier) for identifier in dict.fromkeys(wanted)]
    else:
        chosen = list(backend.enis.values())
    chosen = filters.apply(call, chosen, GETTERS, lambda eni: tags.of(backend, eni.id))
    chosen, more = paging.page(call, chosen, lambda eni: eni.id, 5, 1000)
    return {"NetworkInterfaces": [shown_interface(backend, eni) for eni in chosen], **more}


def get_interface(backend: Any, identifier: str) -> Any:
    if identifier not in backend.enis:
        raise AwsError("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{identifier}' does not exist")
    return backend.enis[identifier]


def find_subnet(backend: Any, identifier: str) -> Any:
    for held in backend.subnets.values():
        if identifier in held:
            return held[identifier]
    raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{identifier}' does not exist")


def shown_interface(backend: Any, eni: Any) -> dict[str, Any]:
    association = shown_association(backend, eni)
    service = extras(backend).get("service_interfaces", {}).get(eni.id)
    return {
        "NetworkInterfaceId": eni.id, "SubnetId": eni.subnet.id, "VpcId": eni.subnet.vpc_id,
        "AvailabilityZone": eni.subnet.availability_zone, "Description": eni.description, "OwnerId": backend.account_id,
        "RequesterId": service["requester"] if service else None, "RequesterManaged": bool(eni.requester_managed),
        "Status": "in-use" if eni.attachment_id else eni.status, "MacAddress": eni.mac_address,
        "PrivateIpAddress": eni.private_ip_address, "PrivateDnsName": getattr(eni, "private_dns_name", None),
        "SourceDestCheck": str(eni.source_dest_check).lower() == "true", "InterfaceType": eni.interface_type,
        "Groups": [{"GroupId": group.id, "GroupName": group.name} for group in eni.group_set],
        "Attachment": shown_attachment(eni, service), "Association": association,
        "PrivateIpAddresses": [
            {"PrivateIpAddress": a["PrivateIpAddress"], "Primary": a["PrivateIpAddress"] == eni.private_ip_address,
             "PrivateDnsName": a.get("PrivateDnsName"),
             "Association": association if a["PrivateIpAddress"] == eni.private_ip_address else nat_association(backend, eni, a["PrivateIpAddress"])}
            for a in eni.private_ip_addresses
        ],
        "Ipv6Addresses": [{"Ipv6Address": address} for address in eni.ipv6_addresses if address],
        "TagSet": tags.shown(backend, eni.id),
    }


def shown_attachment(eni: Any, service: dict[str, str] | None) -> dict[str, Any] | None:
    if service:
        return {"AttachmentId": service["attachment"], "DeleteOnTermination": False, "DeviceIndex": 1,
                "InstanceOwnerId": service["requester"], "Status": "attached"}
    if not eni.attachment_id:
        return None
    return {"AttachmentId": eni.attachment_id, "DeleteOnTermination": str(eni.delete_on_termination).lower() == "true",
            "DeviceIndex": int(eni.device_index or 0), "InstanceId": eni.instance.id if eni.instance else None,
            "InstanceOwnerId": eni.owner_id, "Status": "attached"}


def shown_association(backend: Any, eni: Any) -> dict[str, Any] | None:
    if not eni.public_ip:
        return None
    elastic = next((each for each in backend.addresses if each.public_ip == eni.public_ip), None)
    shown: dict[str, Any] = {"PublicIp": eni.public_ip, "IpOwnerId": backend.account_id if elastic else "amazon",
                             "PublicDnsName": f"ec2-{eni.public_ip.replace('.', '-')}.compute.amazonaws.com"}
    if elastic:
        shown |= {"AllocationId": elastic.allocation_id, "AssociationId": elastic.association_id}
    return shown


def nat_association(backend: Any, eni: Any, private_ip: str) -> dict[str, Any] | None:
    """Of a further address of a NAT gateway."""
    held = [a for g in backend.nat_gateways.values() if g.eni_id == eni.id for a in g.addresses if a.private_ip == private_ip]
    if not held or not held[0].public_ip:
        return None
    return {"PublicIp": held[0].public_ip, "AllocationId": held[0].allocation_id, "AssociationId": held[0].association_id,
            "IpOwnerId": backend.account_id}


GETTERS = {
    "network-interface-id": lambda eni: eni.id,
    "addresses.private-ip-address": lambda eni: [a["PrivateIpAddress"] for a in eni.private_ip_addresses],
    "private-ip-address": lambda eni: eni.private_ip_address,
    "association.public-ip": lambda eni: eni.public_ip,
    "addresses.association.public-ip": lambda eni: eni.public_ip,
    "ipv6-addresses.ipv6-address": lambda eni: eni.ipv6_addresses,
    "subnet-id": lambda eni: eni.subnet.id,
    "vpc-id": lambda eni: eni.subnet.vpc_id,
    "group-id": lambda eni: [group.id for group in eni.group_set],
    "group-name": lambda eni: [group.name for group in eni.group_set],
    "availability-zone": lambda eni: eni.subnet.availability_zone,
    "description": lambda eni: eni.description,
    "interface-type": lambda eni: eni.interface_type,
    "status": lambda eni: "in-use" if eni.attachment_id else eni.status,
    "owner-id": lambda eni: eni.owner_id,
    "requester-managed": lambda eni: bool(eni.requester_managed),
    "source-dest-check": lambda eni: str(eni.source_dest_check).lower(),
    "mac-address": lambda eni: eni.mac_address,
    "attachment.instance-id": lambda eni: eni.instance.id if eni.instance else None,
    "attachment.attachment-id": lambda eni: eni.attachment_id,
}


def public_address(seed: str) -> str:
    """An address from a range kept for documentation, the same for the same seed."""
    number = sum(ord(c) * (i + 7) for i, c in enumerate(re.sub(r"[^0-9a-z]", "", seed)))
    return f"198.51.100.{number % 254 + 1}"
