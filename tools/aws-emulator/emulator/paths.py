"""The six configurations in one call each: the reference network, and whatever lies between it and the source database.

Only what a user would have brought along is there: networks, gateways, routes (unless `routes` is false), hosts. Rules of groups are
dmsnet's to make; `open` makes them here instead, so that the source can be reached without it.
"""

import ipaddress
from typing import Any

from .ec2.network_interfaces import find_subnet
from .registry import ec2_of
from .topology import bare_group, build, make_database, make_subnet, name, run

ANY = "0.0.0.0/0"
Place = tuple[str, str]


def build_path(path: str, open: bool = False, routes: bool = True, peer_account: str = "", peer_region: str = "", peer_cidr: str = "10.9.0.0/16",
               far_cidr: str = "172.20.0.0/16", far_host: str = "", nat_gateways: int = 1, addresses: int = 1, nat_host: bool = False,
               **reference: Any) -> dict[str, Any]:
    """The reference network's answer with `path`: what a DmsNetwork must name, and what a test breaks."""
    if path not in BUILDERS:
        raise ValueError(f"unknown path {path!r}; there are {', '.join(BUILDERS)}")
    wish = {"peer_account": peer_account, "peer_region": peer_region, "peer_cidr": peer_cidr, "far_cidr": far_cidr, "far_host": far_host,
            "nat_gateways": nat_gateways, "addresses": addresses, "nat_host": nat_host, "routes": routes,
            "prefix": reference.get("prefix", "")}
    if path == "Internet":
        reference.setdefault("publicly_accessible", True)
    net = build(**reference)
    made, rules = BUILDERS[path](net, wish, reference.get("source_port", 5432))
    if "host" in made:
        run((net["account"], net["region"]), "dms", "ModifyEndpoint", EndpointArn=net["endpoints"]["source"]["arn"], ServerName=made["host"])
        net["endpoints"]["source"]["host"] = made["host"]
    if open:
        for at, group, egress, port, peer in [*rules, *target_rules(net)]:
            authorize(at, group, egress, port, peer)
    return net | {"path": {"type": path} | made}


def target_rules(net: dict[str, Any]) -> list[tuple[Place, str, bool, int, dict[str, Any]]]:
    """The target is in the same VPC, whatever the source's path."""
    place, groups, port = (net["account"], net["region"]), net["securityGroupIds"], net["endpoints"]["target"]["port"]
    return [(place, groups["replication"], True, port, of_group(groups["target"])), (place, groups["target"], False, port, of_group(groups["replication"]))]


def of_group(group: str, owner: str = "") -> dict[str, Any]:
    return {"UserIdGroupPairs": [{"GroupId": group} | ({"UserId": owner} if owner else {})]}


def of_cidr(cidr: str) -> dict[str, Any]:
    return {"IpRanges": [{"CidrIp": cidr}]}


def authorize(place: Place, group: str, egress: bool, port: int, peer: dict[str, Any]) -> None:
    run(place, "ec2", f"AuthorizeSecurityGroup{'Egress' if egress else 'Ingress'}", GroupId=group,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": port, "ToPort": port} | peer])


def route(place: Place, table: str, cidr: str, **target: str) -> None:
    run(place, "ec2", "CreateRoute", RouteTableId=table, DestinationCidrBlock=cidr, **target)


# --------------------------------------------------------------- one VPC, two VPCs

def same_vpc(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    place, groups = (net["account"], net["region"]), net["securityGroupIds"]
    subnet = find_subnet(ec2_of(*place), net["databaseSubnetIds"][0])
    eni = interface(place, subnet.id, groups["source"], "orders source")
    return {"host": eni["address"], "networkInterfaceId": eni["id"]}, [
        (place, groups["replication"], True, port, of_group(groups["source"])), (place, groups["source"], False, port, of_group(groups["replication"]))]


def peered(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    """A second VPC, perhaps of another account or Region, with the source as an RDS database and a peering with both DNS options on."""
    place = net["account"], net["region"]
    far = wish["peer_account"] or place[0], wish["peer_region"] or place[1]
    backend, here = ec2_of(*far), ec2_of(*place)
    vpc = backend.create_vpc(wish["peer_cidr"])
    vpc.enable_dns_support = vpc.enable_dns_hostnames = True
    name(backend, vpc.id, "orders-far")
    blocks = list(ipaddress.ip_network(wish["peer_cidr"]).subnets(prefixlen_diff=8))
    zones = [zone.name for zone in backend.describe_availability_zones()][:2]
    subnets = [make_subnet(backend, vpc, str(blocks[1 + i]), zone, f"far-{i + 1}") for i, zone in enumerate(zones)]
    table = backend.create_route_table(vpc.id)
    for subnet in subnets:
        backend.associate_route_table(table.id, subnet_id=subnet)
    group = bare_group(backend, vpc, "far-orders-source")
    database = make_database(far, f"{wish['prefix']}far-orders-db", "postgres", port, subnets, group)
    eni = interface(far, subnets[0], group, "RDSNetworkInterface")
    peering = run(place, "ec2", "CreateVpcPeeringConnection", VpcId=net["vpcId"], PeerVpcId=vpc.id, PeerOwnerId=far[0], PeerRegion=far[1])
    pcx = peering["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    run(far, "ec2", "AcceptVpcPeeringConnection", VpcPeeringConnectionId=pcx)
    for held in (here.vpc_pcxs[pcx], backend.vpc_pcxs[pcx]):
        for side in (held.requester_options, held.accepter_options):
            side["AllowDnsResolutionFromRemoteVpc"] = "true"
    if wish["routes"]:
        route(place, net["routeTableIds"]["private"], wish["peer_cidr"], VpcPeeringConnectionId=pcx)
        route(far, table.id, net["cidr"], VpcPeeringConnectionId=pcx)
    groups = net["securityGroupIds"]
    if far[1] == place[1]:
        out, back = of_group(group, far[0]), of_group(groups["replication"], place[0])
    else:
        out, back = of_cidr(wish["peer_cidr"]), of_cidr(net["cidr"])
    return {
        "host": eni["address"], "peeringConnectionId": pcx, "account": far[0], "region": far[1], "vpcId": vpc.id, "cidr": wish["peer_cidr"],
        "subnetIds": subnets, "routeTableId": table.id, "securityGroupId": group, "rds": database, "networkInterfaceId": eni["id"],
        "networkAclId": next(acl.id for acl in backend.network_acls.values() if acl.vpc_id == vpc.id),
    }, [(place, groups["replication"], True, port, out), (far, group, False, port, back)]


# ------------------------------------------------------------------- beyond AWS

def on_premises(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    """A VPN gateway whose routes are propagated or, with `nat_host`, a host that forwards."""
    place, cidr = (net["account"], net["region"]), wish["far_cidr"]
    backend, table = ec2_of(*place), net["routeTableIds"]["private"]
    gateway = backend.create_vpn_gateway("ipsec.1", None, None)
    backend.attach_vpn_gateway(gateway.id, net["vpcId"])
    made: dict[str, Any] = {"cidrs": [cidr], "vpnGatewayId": gateway.id, "host": wish["far_host"] or first_host(cidr)}
    group = net["securityGroupIds"]["replication"]
    rules = [(place, group, True, port, of_cidr(cidr))]
    if wish["nat_host"]:
        vpc = backend.vpcs[net["vpcId"]]
        block = list(ipaddress.ip_network(net["cidr"]).subnets(prefixlen_diff=8))[5]
        subnet = make_subnet(backend, vpc, str(block), net["zones"][0], "bridge")
        bridge = backend.create_route_table(vpc.id)
        backend.associate_route_table(bridge.id, subnet_id=subnet)
        host_group = bare_group(backend, vpc, "nat-host")
        eni = interface(place, subnet, host_group, "nat host", forwards=True)
        if wish["routes"]:
            route(place, table, cidr, NetworkInterfaceId=eni["id"])
        made["natHost"] = {"securityGroupId": host_group, "networkInterfaceId": eni["id"], "subnetId": subnet, "routeTableId": bridge.id,
                           "address": eni["address"]}
        rules += [(place, host_group, False, port, of_group(group)), (place, host_group, True, port, of_cidr(cidr))]
        table = bridge.id
    # What leads on from the host is never dmsnet's to make.
    if wish["routes"] or wish["nat_host"]:
        from .ec2.routes import propagate

        run(place, "ec2", "EnableVgwRoutePropagation", RouteTableId=table, GatewayId=gateway.id)
        propagate(backend, table, gateway.id, [cidr])
    return made, rules


def first_host(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr)[10])


def internet(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    place, host = (net["account"], net["region"]), wish["far_host"] or "203.0.113.10"
    gateway = internet_gateway(net)
    if wish["routes"]:
        route(place, net["routeTableIds"]["private"], ANY, GatewayId=gateway)
    return {"host": host, "cidrs": [f"{host}/32"], "internetGatewayId": gateway}, [
        (place, net["securityGroupIds"]["replication"], True, port, of_cidr(f"{host}/32")), *far_end(net, port, net["instance"]["publicIps"])]


def internet_gateway(net: dict[str, Any]) -> str:
    backend = ec2_of(net["account"], net["region"])
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, net["vpcId"])
    return gateway.id


def nat_gateway(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    """With two gateways each replication subnet has a table, and a gateway in its zone, of its own."""
    place, host = (net["account"], net["region"]), wish["far_host"] or "203.0.113.10"
    backend = ec2_of(*place)
    vpc, igw = backend.vpcs[net["vpcId"]], internet_gateway(net)
    blocks = list(ipaddress.ip_network(net["cidr"]).subnets(prefixlen_diff=8))
    public_table = backend.create_route_table(vpc.id)
    name(backend, public_table.id, "public")
    route(place, public_table.id, ANY, GatewayId=igw)
    gateways, publics, tables = [], [], [net["routeTableIds"]["private"]]
    for i in range(wish["nat_gateways"]):
        subnet = make_subnet(backend, vpc, str(blocks[5 + i]), net["zones"][i % 2], f"public-{i + 1}")
        backend.associate_route_table(public_table.id, subnet_id=subnet)
        publics.append(subnet)
        allocations = [backend.allocate_address("vpc").allocation_id for _ in range(wish["addresses"])]
        made = run(place, "ec2", "CreateNatGateway", SubnetId=subnet, AllocationId=allocations[0], SecondaryAllocationIds=allocations[1:])
        gateways.append(made["NatGateway"]["NatGatewayId"])
        held = backend.nat_gateways[gateways[-1]]
        held.state = "available"
        for address in held.addresses:
            address.status = "succeeded"
        if i == 1:
            own = backend.create_route_table(vpc.id)
            shared = backend.associate_route_table(tables[0], subnet_id=net["subnetIds"][1])  # answers with the one that is there
            backend.replace_route_table_association(shared, own.id)
            tables.append(own.id)
    if wish["routes"]:
        for table, gateway in zip(tables, gateways, strict=False):
            route(place, table, ANY, NatGatewayId=gateway)
    ips = [address.public_ip for each in gateways for address in backend.nat_gateways[each].addresses]
    return {
        "host": host, "cidrs": [f"{host}/32"], "internetGatewayId": igw, "natGatewayIds": gateways, "publicIps": ips,
        "publicSubnetIds": publics, "publicRouteTableId": public_table.id, "routeTableIds": tables,
    }, [(place, net["securityGroupIds"]["replication"], True, port, of_cidr(f"{host}/32")), *far_end(net, port, ips)]


def far_end(net: dict[str, Any], port: int, senders: list[str]) -> list[Any]:
    """The source's group stands for what guards the far end: it knows public addresses only."""
    return [((net["account"], net["region"]), net["securityGroupIds"]["source"], False, port, of_cidr(f"{ip}/32")) for ip in senders]


def classic_link(net: dict[str, Any], wish: dict[str, Any], port: int) -> tuple[dict[str, Any], list[Any]]:
    """ClassicLink is retired: what is left is a proxy in the VPC, in front of a database that AWS does not show."""
    place = net["account"], net["region"]
    backend = ec2_of(*place)
    group = bare_group(backend, backend.vpcs[net["vpcId"]], "proxy")
    eni = interface(place, net["databaseSubnetIds"][0], group, "proxy")
    replication = net["securityGroupIds"]["replication"]
    return {"host": eni["address"], "proxy": {"securityGroupId": group, "host": eni["address"], "port": port, "networkInterfaceId": eni["id"]}}, [
        (place, replication, True, port, of_group(group)), (place, group, False, port, of_group(replication))]


def interface(place: Place, subnet: str, group: str, description: str, forwards: bool = False) -> dict[str, str]:
    """An interface in use, as an instance has it."""
    made = run(place, "ec2", "CreateNetworkInterface", SubnetId=subnet, Groups=[group], Description=description)["NetworkInterface"]
    eni = ec2_of(*place).enis[made["NetworkInterfaceId"]]
    eni.status = "in-use"
    eni.source_dest_check = not forwards
    return {"id": eni.id, "address": made["PrivateIpAddress"]}


BUILDERS = {"SameVpc": same_vpc, "PeeredVpc": peered, "OnPremises": on_premises, "Internet": internet, "NatGateway": nat_gateway,
            "ClassicLink": classic_link}
