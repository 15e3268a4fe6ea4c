"""VPCs and subnets: the reads, and the deletions that AWS refuses."""

from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, dependency
from ..registry import Call, operation
from . import block_public_access
from .network_interfaces import find_subnet


@operation("ec2", "DescribeVpcs")
def describe_vpcs(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "VpcIds", backend.vpcs, "InvalidVpcID.NotFound", "vpc")
    chosen = filters.apply(call, chosen, VPC_GETTERS, lambda vpc: tags.of(backend, vpc.id))
    chosen, more = paging.page(call, chosen, lambda vpc: vpc.id, 5, 1000)
    return {"Vpcs": [shown_vpc(backend, vpc) for vpc in chosen], **more}


def shown_vpc(backend: Any, vpc: Any) -> dict[str, Any]:
    blocks = vpc._cidr_block_association_set.values()
    return {
        "VpcId": vpc.id, "State": vpc.state, "CidrBlock": vpc.cidr_block, "DhcpOptionsId": vpc.dhcp_options_id,
        "InstanceTenancy": vpc.instance_tenancy, "IsDefault": vpc.is_default, "OwnerId": backend.account_id,
        "CidrBlockAssociationSet": [
            {"AssociationId": each["association_id"], "CidrBlock": each["cidr_block"], "CidrBlockState": {"State": "associated"}}
            for each in blocks if ":" not in each["cidr_block"]
        ],
        "Ipv6CidrBlockAssociationSet": [
            {"AssociationId": each["association_id"], "Ipv6CidrBlock": each["cidr_block"], "Ipv6CidrBlockState": {"State": "associated"}}
            for each in blocks if ":" in each["cidr_block"]
        ],
        "BlockPublicAccessStates": block_public_access.states(backend, vpc.id), "Tags": tags.shown(backend, vpc.id),
    }


def cidrs(vpc: Any) -> list[str]:
    """The IPv4 blocks of a VPC, the first one first."""
    return [each["cidr_block"] for each in vpc._cidr_block_association_set.values() if ":" not in each["cidr_block"]]


@operation("ec2", "DescribeSubnets")
def describe_subnets(call: Call) -> dict[str, Any]:
    backend = call.ec2
    everything = {subnet.id: subnet for held in backend.subnets.values() for subnet in held.values()}
    chosen = filters.by_id(call, "SubnetIds", everything, "InvalidSubnetID.NotFound", "subnet")
    chosen = filters.apply(call, chosen, SUBNET_GETTERS, lambda subnet: tags.of(backend, subnet.id))
    chosen, more = paging.page(call, chosen, lambda subnet: subnet.id, 5, 1000)
    return {"Subnets": [shown_subnet(backend, subnet) for subnet in chosen], **more}


def shown_subnet(backend: Any, subnet: Any) -> dict[str, Any]:
    return {
        "SubnetId": subnet.id, "VpcId": subnet.vpc_id, "CidrBlock": subnet.cidr_block, "State": subnet.state,
        "AvailabilityZone": subnet.availability_zone, "AvailabilityZoneId": subnet.availability_zone_id,
        "AvailableIpAddressCount": subnet.available_ip_address_count, "DefaultForAz": bool(subnet.vpc_id == backend.default_vpc.id),
        "MapPublicIpOnLaunch": str(subnet.map_public_ip_on_launch).lower() == "true", "OwnerId": backend.account_id,
        "AssignIpv6AddressOnCreation": str(subnet.assign_ipv6_address_on_creation).lower() == "true",
        "Ipv6CidrBlockAssociationSet": [
            {"AssociationId": each["associationId"], "Ipv6CidrBlock": each["ipv6CidrBlock"], "Ipv6CidrBlockState": {"State": "associated"}}
            for each in subnet.ipv6_cidr_block_associations.values()
        ],
        "SubnetArn": subnet.arn, "BlockPublicAccessStates": block_public_access.states(backend, subnet.vpc_id, subnet.id),
        "Tags": tags.shown(backend, subnet.id),
    }


@operation("ec2", "DeleteSubnet")
def delete_subnet(call: Call) -> None:
    subnet = find_subnet(call.ec2, call.get("SubnetId"))
    if any(eni.subnet.id == subnet.id for eni in call.ec2.enis.values()):
        raise dependency(f"The subnet '{subnet.id}' has dependencies and cannot be deleted.")
    call.ec2.delete_subnet(subnet.id)
    for table in call.ec2.route_tables.values():
        for identifier in [i for i, target in table._associations.items() if target == subnet.id]:
            del table._associations[identifier]
    for acl in call.ec2.network_acls.values():
        for identifier in [i for i, each in acl._associations.items() if each.subnet_id == subnet.id]:
            del acl._associations[identifier]
    tags.forget(call.ec2, subnet.id)


@operation("ec2", "DeleteVpc")
def delete_vpc(call: Call) -> None:
    backend, vpc_id = call.ec2, call.get("VpcId")
    if vpc_id not in backend.vpcs:
        raise AwsError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    groups = [group for group in backend.groups.get(vpc_id, {}).values() if group.name != "default"]
    tables = [t for t in backend.route_tables.values() if t.vpc_id == vpc_id and t.main_association_id is None]
    acls = [acl for acl in backend.network_acls.values() if acl.vpc_id == vpc_id and not acl.default]
    subnets = [s for held in backend.subnets.values() for s in held.values() if s.vpc_id == vpc_id]
    gateways = [g for g in backend.internet_gateways.values() if g.vpc and g.vpc.id == vpc_id]
    endpoints = [e for e in backend.vpc_end_points.values() if e.vpc_id == vpc_id]
    if groups or tables or acls or subnets or gateways or endpoints:
        raise dependency(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    for held in (backend.route_tables, backend.network_acls):
        for identifier in [i for i, each in held.items() if each.vpc_id == vpc_id]:
            del held[identifier]
    backend.groups.pop(vpc_id, None)
    backend.vpcs.pop(vpc_id)
    tags.forget(backend, vpc_id)


VPC_GETTERS = {
    "vpc-id": lambda vpc: vpc.id,
    "cidr": lambda vpc: vpc.cidr_block,
    "cidr-block-association.cidr-block": cidrs,
    "cidr-block-association.state": lambda vpc: "associated",
    "ipv6-cidr-block-association.ipv6-cidr-block": lambda vpc: [b["cidr_block"] for b in vpc._cidr_block_association_set.values() if ":" in b["cidr_block"]],
    "dhcp-options-id": lambda vpc: vpc.dhcp_options_id,
    "is-default": lambda vpc: vpc.is_default,
    "isDefault": lambda vpc: vpc.is_default,
    "owner-id": lambda vpc: vpc.owner_id,
    "state": lambda vpc: vpc.state,
}
SUBNET_GETTERS = {
    "subnet-id": lambda subnet: subnet.id,
    "vpc-id": lambda subnet: subnet.vpc_id,
    "availability-zone": lambda subnet: subnet.availability_zone,
    "availability-zone-id": lambda subnet: subnet.availability_zone_id,
    "cidr-block": lambda subnet: subnet.cidr_block,
    "default-for-az": lambda subnet: subnet.vpc_id == subnet.ec2_backend.default_vpc.id,
    "state": lambda subnet: subnet.state,
    "owner-id": lambda subnet: subnet.owner_id,
    "map-public-ip-on-launch": lambda subnet: str(subnet.map_public_ip_on_launch).lower(),
}
