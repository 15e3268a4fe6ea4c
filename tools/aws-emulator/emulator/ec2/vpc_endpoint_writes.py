"""Create, modify and delete VPC endpoints. What AWS does in the background happens after World.delays."""

import copy
import json
from typing import Any

from .. import tags
from ..errors import AwsError
from ..registry import Call, extras, operation
from ..world import WORLD
from . import endpoint_checks as checks
from .endpoint_services import get_service, prefix_list_of
from .network_interfaces import find_subnet, make_service_interface, remove_later
from .rules import find_group
from .vpc_endpoints import FULL_ACCESS, Endpoint, get_endpoint, shown_endpoint

PRIVATELINK = "727180483921"  # the account that AWS's own endpoint interfaces belong to


@operation("ec2", "CreateVpcEndpoint")
def create(call: Call) -> dict[str, Any]:
    """A token that was used before answers with its endpoint, even after that one's deletion."""
    token, request = call.get("ClientToken"), request_text(call)
    used = extras(call.ec2).setdefault("endpoint_tokens", {})
    if token in used:
        endpoint, known_request = used[token]
        if known_request != request:
            raise AwsError("IdempotentParameterMismatch", "The client token has been used before, with other parameters.")
    else:
        endpoint = make(call)
        if token:
            used[token] = endpoint, request
    return {"VpcEndpoint": shown_endpoint(call.ec2, endpoint), "ClientToken": token}


def request_text(call: Call) -> str:
    return json.dumps({k: v for k, v in call.params.items() if k != "ClientToken"}, sort_keys=True, default=str)


def make(call: Call) -> Endpoint:
    backend, vpc_id, kind = call.ec2, call.get("VpcId"), call.get("VpcEndpointType", "Gateway")
    if vpc_id not in backend.vpcs:
        raise AwsError("InvalidVpcId.NotFound", f"The VPC ID '{vpc_id}' does not exist")
    if kind not in ("Gateway", "Interface"):
        raise AwsError("UnsupportedOperation", f"The emulator has no endpoints of the type {kind}")
    service = get_service(call.region, call.get("ServiceName"), kind)
    checks.within_quota(call, vpc_id)
    endpoint = Endpoint(service, vpc_id, policy=checks.policy_of(call.get("PolicyDocument")))
    given_tags = tags.specified(call, "vpc-endpoint")
    subnets: list[Any] = []
    if kind == "Gateway":
        for name in ("SubnetIds", "SecurityGroupIds", "PrivateDnsEnabled"):
            if call.get(name):
                raise AwsError("InvalidParameter", f"{name} cannot be given for an endpoint of the type Gateway.")
        endpoint.route_table_ids = checks.route_tables_in(call, vpc_id, call.get("RouteTableIds", []), service)
    else:
        if call.get("RouteTableIds"):
            raise AwsError("InvalidParameter", "RouteTableIds cannot be given for an endpoint of the type Interface.")
        subnets = checks.subnets_in(call, vpc_id, call.get("SubnetIds", []))
        checks.one_subnet_per_zone(subnets, {})
        groups = call.get("SecurityGroupIds") or [backend.get_default_security_group(vpc_id).id]
        endpoint.group_ids = checks.groups_in(call, vpc_id, groups)
        endpoint.ip_address_type = checks.may_have_addresses(call.get("IpAddressType", "ipv4"), subnets)
        endpoint.record_type = (call.get("DnsOptions") or {}).get("DnsRecordIpType") or endpoint.ip_address_type
        endpoint.private_dns = bool(call.get("PrivateDnsEnabled", service.short not in ("s3", "dynamodb")))
        if endpoint.private_dns:
            checks.may_have_private_dns(call, backend.vpcs[vpc_id], service)
    backend.vpc_end_points[endpoint.id] = endpoint
    tags.put(backend, endpoint.id, given_tags)
    for subnet in subnets:
        add_interface(backend, endpoint, subnet)
    for table_id in endpoint.route_table_ids:
        add_route(backend, endpoint, table_id)
    WORLD.later(WORLD.delays.available if kind == "Interface" else 0, lambda: become_available(endpoint))
    return endpoint


def become_available(endpoint: Endpoint) -> None:
    if endpoint.state == "pending":
        endpoint.state = "available"


@operation("ec2", "ModifyVpcEndpoint")
def modify(call: Call) -> dict[str, Any]:
    """Everything is checked before anything is changed."""
    backend, endpoint = call.ec2, get_endpoint(call.ec2, call.get("VpcEndpointId"))
    if endpoint.state == "deleting":
        raise AwsError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{endpoint.id}' does not exist")
    foreign = ("AddRouteTableIds", "RemoveRouteTableIds") if endpoint.service.kind == "Interface" else (
        "AddSubnetIds", "RemoveSubnetIds", "AddSecurityGroupIds", "RemoveSecurityGroupIds", "PrivateDnsEnabled", "IpAddressType")
    for name in foreign:
        if call.get(name):
            raise AwsError("InvalidParameter", f"{name} cannot be given for an endpoint of the type {endpoint.service.kind}.")
    wish = copy.copy(endpoint)
    gone = [each for each in call.get("RemoveSubnetIds", []) if each in endpoint.subnets]
    added = [s for s in checks.subnets_in(call, endpoint.vpc_id, call.get("AddSubnetIds", [])) if s.id not in endpoint.subnets]
    checks.one_subnet_per_zone(added, {s: zone for s, zone in endpoint.zones.items() if s not in gone})
    wish.group_ids = groups_after(call, endpoint)
    new_tables = [t for t in call.get("AddRouteTableIds", []) if t not in endpoint.route_table_ids]
    checks.route_tables_in(call, endpoint.vpc_id, new_tables, endpoint.service)
    if call.get("ResetPolicy"):
        wish.policy = FULL_ACCESS
    elif call.get("PolicyDocument"):
        wish.policy = checks.policy_of(call.get("PolicyDocument"))
    if call.get("PrivateDnsEnabled") is not None:
        wish.private_dns = call.get("PrivateDnsEnabled")
        if wish.private_dns:
            checks.may_have_private_dns(call, backend.vpcs[endpoint.vpc_id], endpoint.service, endpoint)
    kept = [find_subnet(backend, each) for each in endpoint.subnets if each not in gone]
    wish.ip_address_type = checks.may_have_addresses(call.get("IpAddressType", endpoint.ip_address_type), [*kept, *added])
    if call.get("DnsOptions") or call.get("IpAddressType"):
        wish.record_type = (call.get("DnsOptions") or {}).get("DnsRecordIpType") or wish.ip_address_type

    for name in ("group_ids", "policy", "private_dns", "ip_address_type", "record_type"):
        setattr(endpoint, name, getattr(wish, name))
    remove_later(backend, [endpoint.subnets.pop(each) for each in gone], WORLD.delays.eni)
    for each in gone:
        del endpoint.zones[each]
    for subnet in added:
        add_interface(backend, endpoint, subnet)
    for eni_id in endpoint.subnets.values():
        backend.enis[eni_id]._group_set = [find_group(backend, each) for each in endpoint.group_ids]
    for table_id in call.get("RemoveRouteTableIds", []):
        if table_id in endpoint.route_table_ids:
            endpoint.route_table_ids.remove(table_id)
            remove_route(backend, endpoint, table_id)
    for table_id in dict.fromkeys(new_tables):
        endpoint.route_table_ids.append(table_id)
        add_route(backend, endpoint, table_id)
    return {"Return": True}


def groups_after(call: Call, endpoint: Endpoint) -> list[str]:
    gone = set(call.get("RemoveSecurityGroupIds", []))
    added = checks.groups_in(call, endpoint.vpc_id, call.get("AddSecurityGroupIds", []))
    groups = list(dict.fromkeys([*(each for each in endpoint.group_ids if each not in gone), *added]))
    if endpoint.service.kind == "Interface" and not groups:
        raise AwsError("InvalidParameter", f"The endpoint {endpoint.id} must have at least one security group.")
    return groups


@operation("ec2", "DeleteVpcEndpoints")
def delete(call: Call) -> dict[str, Any]:
    """Unknown IDs do not fail the call: they are listed as unsuccessful."""
    unsuccessful = []
    for identifier in dict.fromkeys(call.get("VpcEndpointIds", [])):
        try:
            start_deletion(call.ec2, get_endpoint(call.ec2, identifier))
        except AwsError as error:
            unsuccessful.append({"ResourceId": identifier, "Error": {"Code": error.code, "Message": error.message}})
    return {"Unsuccessful": unsuccessful}


def start_deletion(backend: Any, endpoint: Endpoint) -> None:
    if endpoint.state == "deleting":
        return
    endpoint.state = "deleting"
    for table_id in endpoint.route_table_ids:
        remove_route(backend, endpoint, table_id)
    interface = endpoint.service.kind == "Interface"
    WORLD.later(WORLD.delays.deleting if interface else 0, lambda: forget(backend, endpoint))


def forget(backend: Any, endpoint: Endpoint) -> None:
    endpoint.state, endpoint.final_tags = "deleted", dict(tags.of(backend, endpoint.id))
    backend.vpc_end_points.pop(endpoint.id, None)
    tags.forget(backend, endpoint.id)
    remove_later(backend, list(endpoint.subnets.values()), WORLD.delays.eni)


# ------------------------------------------------------------- what hangs on it

def add_interface(backend: Any, endpoint: Endpoint, subnet: Any) -> None:
    eni = make_service_interface(backend, subnet, endpoint.group_ids, f"VPC Endpoint Interface {endpoint.id}", "vpc_endpoint", PRIVATELINK)
    endpoint.subnets[subnet.id] = eni.id
    endpoint.zones[subnet.id] = subnet.availability_zone


def add_route(backend: Any, endpoint: Endpoint, table_id: str) -> None:
    from moto.ec2.models.route_tables import Route

    table = backend.route_tables[table_id]
    route = Route(table, None, None, prefix_list_of(backend, endpoint.service.name))
    route.vpc_endpoint_id = endpoint.id
    table._routes[route.id] = route


def remove_route(backend: Any, endpoint: Endpoint, table_id: str) -> None:
    table = backend.route_tables.get(table_id)
    if table is not None:
        for identifier in [i for i, route in table._routes.items() if route.vpc_endpoint_id == endpoint.id]:
            del table._routes[identifier]
