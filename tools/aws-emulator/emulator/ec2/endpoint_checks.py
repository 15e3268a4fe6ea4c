"""What AWS refuses to do with a VPC endpoint, and why."""

import json
from typing import Any

from ..errors import AwsError
from ..registry import Call
from ..world import WORLD
from .endpoint_services import Service
from .network_interfaces import find_subnet
from .rules import find_group
from .vpc_endpoints import FULL_ACCESS, Endpoint

MAX_POLICY = 20_480


def policy_of(text: str | None) -> Any:
    if not text:
        return FULL_ACCESS
    if len(text) > MAX_POLICY:
        raise AwsError("InvalidPolicyDocument", f"The policy is longer than {MAX_POLICY} characters.")
    try:
        policy = json.loads(text)
    except ValueError:
        policy = None
    if not isinstance(policy, dict):
        raise AwsError("InvalidPolicyDocument", "The policy is not in the valid JSON format.")
    statements = policy.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements or not all(is_statement(each) for each in statements):
        raise AwsError("InvalidPolicyDocument", "The policy contains a statement that is not valid.")
    return policy


def is_statement(each: Any) -> bool:
    return isinstance(each, dict) and each.get("Effect") in ("Allow", "Deny") and all(
        name in each or f"Not{name}" in each for name in ("Action", "Resource", "Principal"))


def subnets_in(call: Call, vpc_id: str, identifiers: list[str]) -> list[Any]:
    found = []
    for identifier in dict.fromkeys(identifiers):
        try:
            subnet = find_subnet(call.ec2, identifier)
        except AwsError:
            raise AwsError("InvalidSubnetId.NotFound", f"The subnet ID '{identifier}' does not exist") from None
        if subnet.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"The subnet {identifier} is not in the VPC {vpc_id}")
        found.append(subnet)
    return found


def one_subnet_per_zone(subnets: list[Any], taken: dict[str, str]) -> None:
    zones = set(taken.values())
    for subnet in subnets:
        if subnet.availability_zone in zones:
            raise AwsError("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of "
                           f"{subnet.id}. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.")
        zones.add(subnet.availability_zone)


def groups_in(call: Call, vpc_id: str, identifiers: list[str]) -> list[str]:
    for identifier in identifiers:
        group = find_group(call.ec2, identifier)
        if group is None:
            raise AwsError("InvalidSecurityGroupId.NotFound", f"The security group ID '{identifier}' does not exist")
        if group.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"The security group {identifier} is not in the VPC {vpc_id}")
    return list(dict.fromkeys(identifiers))


def route_tables_in(call: Call, vpc_id: str, identifiers: list[str], service: Service) -> list[str]:
    for identifier in identifiers:
        table = call.ec2.route_tables.get(identifier)
        if table is None:
            raise AwsError("InvalidRouteTableId.NotFound", f"The routeTable ID '{identifier}' does not exist")
        if table.vpc_id != vpc_id:
            raise AwsError("InvalidParameter", f"The route table {identifier} is not in the VPC {vpc_id}")
        for other in call.ec2.vpc_end_points.values():
            if other.service.name == service.name and other.service.kind == "Gateway" and other.state != "deleting" and identifier in other.route_table_ids:
                raise AwsError("RouteAlreadyExists", f"route table {identifier} already has a route to {service.name}, through {other.id}")
    return list(dict.fromkeys(identifiers))


def may_have_private_dns(call: Call, vpc: Any, service: Service, itself: Endpoint | None = None) -> None:
    if not service.private_dns:
        raise AwsError("InvalidParameter", f"Private DNS can't be enabled because the service {service.name} does not provide a private DNS name.")
    if not (is_on(vpc.enable_dns_support) and is_on(vpc.enable_dns_hostnames)):
        raise AwsError("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes "
                       f"set to true for {vpc.id}")
    for other in call.ec2.vpc_end_points.values():
        if other is not itself and other.vpc_id == vpc.id and other.private_dns and other.service.private_dns == service.private_dns:
            raise AwsError("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain "
                           f"for {service.private_dns} in the VPC {vpc.id}")


def is_on(attribute: Any) -> bool:
    return str(attribute).lower() == "true"


def may_have_addresses(kind: str, subnets: list[Any]) -> str:
    if kind not in ("ipv4", "dualstack", "ipv6"):
        raise AwsError("InvalidParameter", f"The IP address type '{kind}' is not valid.")
    if kind != "ipv4":
        for subnet in subnets:
            if not subnet.ipv6_cidr_block_associations:
                raise AwsError("InvalidParameter", f"The subnet {subnet.id} has no IPv6 CIDR block, which the IP address type {kind} needs.")
    return kind


def within_quota(call: Call, vpc_id: str) -> None:
    if sum(e.vpc_id == vpc_id for e in call.ec2.vpc_end_points.values()) >= WORLD.quotas.endpoints_per_vpc:
        raise AwsError("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
