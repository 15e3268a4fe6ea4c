"""Route tables: the local route is protected, a route whose target is gone is a black hole."""

from typing import Any

from .. import filters, paging, tags
from ..errors import AwsError, dependency, invalid
from ..registry import Call, extras, operation
from ..world import WORLD
from .rules import cidr_of

TARGETS = ("GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId", "InstanceId",
           "EgressOnlyInternetGatewayId", "CarrierGatewayId", "VpcEndpointId")


def get_table(backend: Any, identifier: str) -> Any:
    if identifier not in backend.route_tables:
        raise AwsError("InvalidRouteTableID.NotFound", f"The routeTable ID '{identifier}' does not exist")
    return backend.route_tables[identifier]


@operation("ec2", "DescribeRouteTables")
def describe_tables(call: Call) -> dict[str, Any]:
    backend = call.ec2
    chosen = filters.by_id(call, "RouteTableIds", backend.route_tables, "InvalidRouteTableID.NotFound", "routeTable")
    chosen = filters.apply(call, chosen, GETTERS, lambda table: tags.of(backend, table.id))
    chosen, more = paging.page(call, chosen, lambda table: table.id, 5, 100)
    return {"RouteTables": [shown_table(backend, table) for table in chosen], **more}


def shown_table(backend: Any, table: Any) -> dict[str, Any]:
    return {
        "RouteTableId": table.id, "VpcId": table.vpc_id, "OwnerId": backend.account_id, "Associations": table.associations,
        "Tags": tags.shown(backend, table.id), "Routes": [shown_route(backend, route) for route in table.routes if not is_withdrawn(backend, route)],
        "PropagatingVgws": [{"GatewayId": each} for each in sorted(propagating(backend, table.id))],
    }


def shown_route(backend: Any, route: Any) -> dict[str, Any]:
    shown = {
        "DestinationCidrBlock": route.destination_cidr_block, "DestinationIpv6CidrBlock": route.destination_ipv6_cidr_block,
        "DestinationPrefixListId": route.destination_prefix_list_id, "GatewayId": route.gateway_id,
        "InstanceId": instance_of(route), "InstanceOwnerId": backend.account_id if instance_of(route) else None,
        "NatGatewayId": route.nat_gateway_id, "TransitGatewayId": route.transit_gateway_id,
        "VpcPeeringConnectionId": route.vpc_peering_connection_id, "NetworkInterfaceId": route.network_interface_id,
        "EgressOnlyInternetGatewayId": route.egress_only_internet_gateway_id, "CarrierGatewayId": route.carrier_gateway_id,
        "Origin": origin_of(route),
        "State": "active" if target_is_alive(backend, route) else "blackhole",
    }
    return {name: value for name, value in shown.items() if value is not None}


def origin_of(route: Any) -> str:
    if getattr(route, "propagated", False):
        return "EnableVgwRoutePropagation"
    return "CreateRouteTable" if route.local else "CreateRoute"


def instance_of(route: Any) -> str | None:
    if route.instance:
        return route.instance.id
    return route.interface.instance.id if route.interface and route.interface.instance else None


def target_is_alive(backend: Any, route: Any) -> bool:
    if route.local or route.vpc_endpoint_id:
        return True
    if route.nat_gateway:
        return route.nat_gateway.state in ("available", "pending")
    if route.vpc_pcx:
        return route.vpc_pcx._status.code == "active"
    if route.interface:
        eni = backend.enis.get(route.interface.id)
        if eni is None or (eni.instance and eni.instance.state in ("stopped", "terminated")):
            return False
        return eni.status == "in-use" or bool(eni.attachment_id)
    if route.instance:
        return route.instance.state not in ("terminated", "stopped", "shutting-down")
    if route.gateway and route.gateway.id.startswith("igw-"):
        gateway = backend.internet_gateways.get(route.gateway.id)
        return gateway is not None and gateway.vpc is not None and gateway.vpc.id == route.route_table.vpc_id
    if route.gateway and route.gateway.id.startswith("vgw-"):
        return is_attached(backend.vpn_gateways.get(route.gateway.id), route.route_table.vpc_id)
    if route.transit_gateway:
        return any(each.transit_gateway_id == route.transit_gateway.id and each.state == "available"
                   and getattr(each, "vpc_id", None) == route.route_table.vpc_id
                   for each in backend.transit_gateway_attachments.values())
    return True


def is_attached(gateway: Any, vpc: str) -> bool:
    """moto keeps the attachment of a VPN gateway that was detached, with another state."""
    return gateway is not None and vpc in gateway.attachments and gateway.attachments[vpc].state == "attached"


def is_withdrawn(backend: Any, route: Any) -> bool:
    """What a gateway has propagated goes with its attachment."""
    return getattr(route, "propagated", False) and not target_is_alive(backend, route)


# ---------------------------------------------------------------------- writes

@operation("ec2", "CreateRoute")
def create_route(call: Call) -> dict[str, Any]:
    table, destination = get_table(call.ec2, call.get("RouteTableId")), destination_of(call)
    old = find_route(table, destination)
    target = target_of(call, table)
    if old is not None:
        if old.local:
            raise AwsError("RouteAlreadyExists", f"The route identified by {destination[1]} already exists.")
        if shown_target(old) == target:
            return {"Return": True}
        raise AwsError("RouteAlreadyExists", f"The route identified by {destination[1]} already exists.")
    attribute = "destination_ipv6_cidr_block" if ":" in destination[1] else "destination_cidr_block"
    if sum(bool(getattr(route, attribute)) for route in table.routes if not route.local) >= WORLD.quotas.routes_per_table:
        raise AwsError("RouteLimitExceeded", "The maximum number of routes has been reached.")
    put_route(call.ec2, table, destination, target)
    return {"Return": True}


@operation("ec2", "ReplaceRoute")
def replace_route(call: Call) -> None:
    table, destination = get_table(call.ec2, call.get("RouteTableId")), destination_of(call)
    old = must_find_route(table, destination, "InvalidParameterValue")
    if old.local:
        raise invalid(f"The local route {destination[1]} can only be replaced by a target that inspects the traffic; the emulator has none.")
    target = target_of(call, table)
    del table._routes[old.id]
    put_route(call.ec2, table, destination, target)


@operation("ec2", "DeleteRoute")
def delete_route(call: Call) -> None:
    table, destination = get_table(call.ec2, call.get("RouteTableId")), destination_of(call)
    old = must_find_route(table, destination, "InvalidRoute.NotFound")
    if old.local:
        raise invalid(f"cannot remove local route {destination[1]} in route table {table.id}")
    if old.vpc_endpoint_id:
        raise invalid(f"cannot remove VPC endpoint route {destination[1]} in route table {table.id}")
    del table._routes[old.id]


@operation("ec2", "DeleteRouteTable")
def delete_table(call: Call) -> None:
    table = get_table(call.ec2, call.get("RouteTableId"))
    if table.main_association_id or table._associations:
        raise dependency(f"The routeTable '{table.id}' has dependencies and cannot be deleted.")
    del call.ec2.route_tables[table.id]
    tags.forget(call.ec2, table.id)


# ----------------------------------------------------------------- propagation

def propagating(backend: Any, table_id: str) -> set[str]:
    """The VPN gateways that may put routes into this table."""
    return extras(backend).setdefault("propagating", {}).setdefault(table_id, set())


@operation("ec2", "EnableVgwRoutePropagation", "DisableVgwRoutePropagation")
def allow_propagation(call: Call) -> None:
    table, gateway = get_table(call.ec2, call.get("RouteTableId")), call.get("GatewayId")
    if not is_attached(call.ec2.vpn_gateways.get(gateway), table.vpc_id):
        raise AwsError("Gateway.NotAttached", f"The gateway {gateway} is not attached to {table.vpc_id}")
    if call.operation.startswith("Enable"):
        propagating(call.ec2, table.id).add(gateway)
        put(call.ec2, table, gateway, announced(call.ec2).get(gateway, []))
    else:
        propagating(call.ec2, table.id).discard(gateway)
        put(call.ec2, table, gateway, [])


def announced(backend: Any) -> dict[str, list[str]]:
    """What each VPN gateway has learned from the other end."""
    return extras(backend).setdefault("announced", {})


def propagate(backend: Any, table_id: str, gateway: str, cidrs: list[str]) -> None:
    """Makes these the routes that the gateway has put into the table. A route made by hand for the same CIDR wins."""
    table = get_table(backend, table_id)
    if cidrs and gateway not in propagating(backend, table_id):
        raise ValueError(f"{table_id} does not let {gateway} propagate routes")
    announced(backend)[gateway] = cidrs
    put(backend, table, gateway, cidrs)


def put(backend: Any, table: Any, gateway: str, cidrs: list[str]) -> None:
    for identifier in [i for i, r in table._routes.items() if getattr(r, "propagated", False) and r.gateway_id == gateway]:
        del table._routes[identifier]
    for cidr in cidrs:
        if find_route(table, ("DestinationCidrBlock", cidr)) is None:
            backend.create_route(table.id, cidr, gateway_id=gateway).propagated = True


def destination_of(call: Call) -> tuple[str, str]:
    given = [(name, call.get(name)) for name in ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId") if call.get(name)]
    if len(given) != 1:
        raise AwsError("MissingParameter", "Exactly one destination must be given")
    name, value = given[0]
    if name == "DestinationPrefixListId":
        if value not in call.ec2.managed_prefix_lists:
            raise AwsError("InvalidPrefixListID.NotFound", f"The prefix list ID '{value}' does not exist")
        return name, value
    return name, cidr_of(value, 4 if name == "DestinationCidrBlock" else 6)


def find_route(table: Any, destination: tuple[str, str]) -> Any | None:
    name, value = destination
    attribute = {"DestinationCidrBlock": "destination_cidr_block", "DestinationIpv6CidrBlock": "destination_ipv6_cidr_block",
                 "DestinationPrefixListId": "destination_prefix_list_id"}[name]
    return next((route for route in table.routes if getattr(route, attribute) == value), None)


def must_find_route(table: Any, destination: tuple[str, str], code: str) -> Any:
    route = find_route(table, destination)
    if route is None:
        raise AwsError(code, f"There is no route defined for '{destination[1]}' in the route table. Use CreateRoute instead."
                       if code == "InvalidParameterValue" else f"no route with destination-cidr-block {destination[1]} in route table {table.id}")
    return route


def target_of(call: Call, table: Any) -> tuple[str, str]:
    """The one target of the request, known to exist and to be usable from the table's VPC."""
    backend = call.ec2
    given = [(name, call.get(name)) for name in TARGETS if call.get(name)]
    if len(given) != 1:
        raise AwsError("MissingParameter" if not given else "InvalidParameterCombination", "Exactly one target must be given")
    name, identifier = given[0]
    prefix = identifier.split("-")[0]
    held, code = {
        "igw": (backend.internet_gateways, "InvalidInternetGatewayID.NotFound"), "vgw": (backend.vpn_gateways, "InvalidVpnGatewayID.NotFound"),
        "nat": (backend.nat_gateways, "InvalidNatGatewayID.NotFound"), "pcx": (backend.vpc_pcxs, "InvalidVpcPeeringConnectionID.NotFound"),
        "eni": (backend.enis, "InvalidNetworkInterfaceID.NotFound"), "tgw": (backend.transit_gateways, "InvalidTransitGatewayID.NotFound"),
    }.get(prefix, (None, ""))
    if held is not None and identifier not in held:
        raise AwsError(code, f"The ID '{identifier}' does not exist")
    if prefix == "igw":
        gateway = held[identifier]
        if gateway.vpc is None or gateway.vpc.id != table.vpc_id:
            raise AwsError("InvalidParameterValue", f"route table {table.id} and network gateway {identifier} belong to different networks")
    if prefix == "pcx" and table.vpc_id not in (held[identifier].vpc.id, held[identifier].peer_vpc.id):
        raise AwsError("InvalidParameterValue", f"route table {table.id} and interface {identifier} belong to different networks")
    return name, identifier


def put_route(backend: Any, table: Any, destination: tuple[str, str], target: tuple[str, str]) -> None:
    argument = {"GatewayId": "gateway_id", "NatGatewayId": "nat_gateway_id", "TransitGatewayId": "transit_gateway_id",
                "VpcPeeringConnectionId": "vpc_peering_connection_id", "NetworkInterfaceId": "interface_id", "InstanceId": "instance_id",
                "EgressOnlyInternetGatewayId": "egress_only_igw_id", "CarrierGatewayId": "carrier_gateway_id",
                "VpcEndpointId": "vpc_endpoint_id"}[target[0]]
    name, value = destination
    backend.create_route(
        table.id, value if name == "DestinationCidrBlock" else None,
        destination_ipv6_cidr_block=value if name == "DestinationIpv6CidrBlock" else None,
        destination_prefix_list_id=value if name == "DestinationPrefixListId" else None, **{argument: target[1]})


def shown_target(route: Any) -> tuple[str, str] | None:
    shown = shown_route(route.route_table.ec2_backend, route)
    return next(((name, shown[name]) for name in TARGETS if name in shown), None)


GETTERS = {
    "route-table-id": lambda table: table.id,
    "vpc-id": lambda table: table.vpc_id,
    "owner-id": lambda table: table.owner_id,
    "association.main": lambda table: table.main_association_id is not None,
    "association.subnet-id": lambda table: [t for t in table._associations.values() if t.startswith("subnet-")],
    "association.gateway-id": lambda table: [t for t in table._associations.values() if not t.startswith("subnet-")],
    "association.route-table-id": lambda table: table.id if table.associations else None,
    "association.route-table-association-id": lambda table: [each["RouteTableAssociationId"] for each in table.associations],
    "route.destination-cidr-block": lambda table: [r.destination_cidr_block for r in table.routes if r.destination_cidr_block],
    "route.destination-ipv6-cidr-block": lambda table: [r.destination_ipv6_cidr_block for r in table.routes if r.destination_ipv6_cidr_block],
    "route.destination-prefix-list-id": lambda table: [r.destination_prefix_list_id for r in table.routes if r.destination_prefix_list_id],
    "route.gateway-id": lambda table: [r.gateway_id for r in table.routes if r.gateway_id],
    "route.nat-gateway-id": lambda table: [r.nat_gateway_id for r in table.routes if r.nat_gateway_id],
    "route.transit-gateway-id": lambda table: [r.transit_gateway_id for r in table.routes if r.transit_gateway_id],
    "route.vpc-peering-connection-id": lambda table: [r.vpc_peering_connection_id for r in table.routes if r.vpc_peering_connection_id],
    "route.instance-id": lambda table: [i for r in table.routes if (i := instance_of(r))],
    "route.origin": lambda table: [origin_of(r) for r in table.routes],
    "route.state": lambda table: ["active" if target_is_alive(table.ec2_backend, r) else "blackhole" for r in table.routes],
}
