"""ACLs, routes, NAT gateways, peering, interfaces, VPCs and subnets."""

import pytest
from conftest import refused, wait_for


def entry(net, number, **more):
    return {"NetworkAclId": net["networkAclId"], "RuleNumber": number, "Protocol": "6", "RuleAction": "allow", "Egress": False,
            "CidrBlock": "10.0.0.0/16", "PortRange": {"From": 443, "To": 443}, **more}


def entries(aws, net):
    return [(e["Egress"], e["RuleNumber"]) for e in aws.ec2.describe_network_acls(NetworkAclIds=[net["networkAclId"]])["NetworkAcls"][0]["Entries"]]


def test_acl_entries_come_sorted(aws, net):
    for number in (90, 10, 50):
        aws.ec2.create_network_acl_entry(**entry(net, number))
    assert entries(aws, net) == [(True, 100), (True, 32767), (False, 10), (False, 50), (False, 90), (False, 100), (False, 32767)]


def test_acl_entries_that_do_not_exist(aws, net):
    with refused("InvalidNetworkAclEntry.NotFound"):
        aws.ec2.replace_network_acl_entry(**entry(net, 5))
    with refused("InvalidNetworkAclEntry.NotFound"):
        aws.ec2.delete_network_acl_entry(NetworkAclId=net["networkAclId"], RuleNumber=5, Egress=False)
    with refused("InvalidNetworkAclID.NotFound"):
        aws.ec2.describe_network_acls(NetworkAclIds=["acl-0123456789abcdef0"])
    with refused("InvalidNetworkAclID.NotFound"):
        aws.ec2.create_network_acl_entry(**entry(net, 5, NetworkAclId="acl-0123456789abcdef0"))


def test_acl_entries_twenty_with_the_default(aws, net):
    for number in range(1, 19):  # with the 100 that is there already: 19 of the customer's
        aws.ec2.create_network_acl_entry(**entry(net, number))
    with refused("NetworkAclEntryLimitExceeded"):
        aws.ec2.create_network_acl_entry(**entry(net, 19))
    aws.ec2.create_network_acl_entry(**entry(net, 19, CidrBlock=None, Ipv6CidrBlock="::/0") | {"CidrBlock": ""})


@pytest.mark.parametrize("more", [{"RuleNumber": 40000}, {"Protocol": "nonsense"}, {"CidrBlock": "10.0.0.0/40"}, {"PortRange": {"From": 9, "To": 8}}])
def test_acl_entries_that_are_none(aws, net, more):
    with refused("InvalidParameterValue"):
        aws.ec2.create_network_acl_entry(**entry(net, 5, **more))


def test_acl_entries_are_canonical(aws, net):
    aws.ec2.create_network_acl_entry(**entry(net, 5, CidrBlock="10.0.5.7/16"))
    aws.ec2.create_network_acl_entry(NetworkAclId=net["networkAclId"], RuleNumber=6, Protocol="1", RuleAction="allow", Egress=False, CidrBlock="0.0.0.0/0", IcmpTypeCode={"Type": -1, "Code": -1})
    shown = {e["RuleNumber"]: e for e in aws.ec2.describe_network_acls(NetworkAclIds=[net["networkAclId"]])["NetworkAcls"][0]["Entries"] if not e["Egress"]}
    assert shown[5]["CidrBlock"] == "10.0.0.0/16" and shown[6]["IcmpTypeCode"] == {"Type": -1, "Code": -1}
    with refused("NetworkAclEntryAlreadyExists"):
        aws.ec2.create_network_acl_entry(**entry(net, 5))


def test_acl_made_by_hand_denies_by_default(aws, net):
    acl = aws.ec2.create_network_acl(VpcId=net["vpcId"])["NetworkAcl"]["NetworkAclId"]
    shown = aws.ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    assert [(e["Egress"], e["RuleNumber"], e["RuleAction"]) for e in shown] == [(True, 32767, "deny"), (False, 32767, "deny")]


# ---------------------------------------------------------------------- routes

def routes(aws, table):
    return {r.get("DestinationCidrBlock"): r for r in aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]}


def test_the_local_route_is_protected(aws, net):
    table = net["routeTableIds"]["private"]
    igw = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=net["vpcId"])
    with refused("RouteAlreadyExists"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16", GatewayId=igw)
    with refused("InvalidParameterValue", "local"):
        aws.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    assert routes(aws, table)["10.0.0.0/16"]["GatewayId"] == "local"


def test_an_internet_gateway_must_be_attached(aws, net):
    table = net["routeTableIds"]["private"]
    igw = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue", "different networks"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    aws.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=net["vpcId"])
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=igw)
    assert routes(aws, table)["0.0.0.0/0"]["State"] == "active"
    aws.ec2.detach_internet_gateway(InternetGatewayId=igw, VpcId=net["vpcId"])
    assert routes(aws, table)["0.0.0.0/0"]["State"] == "blackhole"


def test_routes_that_do_not_exist(aws, net):
    table = net["routeTableIds"]["private"]
    with refused("InvalidParameterValue", "no route defined"):
        aws.ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.5.0.0/16", GatewayId="igw-1")
    with refused("InvalidRoute.NotFound"):
        aws.ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.5.0.0/16")
    with refused("InvalidRouteTableID.NotFound"):
        aws.ec2.describe_route_tables(RouteTableIds=["rtb-0123456789abcdef0"])
    with refused("InvalidNatGatewayID.NotFound"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.5.0.0/16", NatGatewayId="nat-0123456789abcdef0")


def test_a_route_can_be_replaced(aws, net):
    table, nats = net["routeTableIds"]["private"], [nat(aws, net, f"t{n}")["NatGatewayId"] for n in range(2)]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.5.0.1/16", NatGatewayId=nats[0])
    with refused("RouteAlreadyExists"):
        aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.5.0.0/16", NatGatewayId=nats[1])
    aws.ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.5.0.0/16", NatGatewayId=nats[1])
    assert routes(aws, table)["10.5.0.0/16"]["NatGatewayId"] == nats[1]


def test_the_main_table_is_not_found_by_subnet(aws, net):
    def find(name, value):
        return aws.ec2.describe_route_tables(Filters=[{"Name": name, "Values": [value]}, {"Name": "vpc-id", "Values": [net["vpcId"]]}])["RouteTables"]

    subnet = aws.ec2.create_subnet(VpcId=net["vpcId"], CidrBlock="10.0.200.0/24", AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
    assert find("association.subnet-id", subnet) == [] and len(find("association.main", "true")) == 1
    assert [t["RouteTableId"] for t in find("association.subnet-id", net["subnetIds"][0])] == [net["routeTableIds"]["private"]]


# ------------------------------------------------------------------------- NAT

def nat(aws, net, token="t"):
    address = aws.ec2.allocate_address(Domain="vpc")
    made = aws.ec2.create_nat_gateway(SubnetId=net["subnetIds"][0], AllocationId=address["AllocationId"], ClientToken=token)["NatGateway"]
    return made | {"PublicIp": address["PublicIp"], "AllocationId": address["AllocationId"]}


def test_nat_gateway(aws, net, delays):
    delays(available=0.1, deleting=0.1)
    made = nat(aws, net)
    assert made["State"] == "pending"
    again = aws.ec2.create_nat_gateway(SubnetId=net["subnetIds"][0], AllocationId=made["AllocationId"], ClientToken="t")["NatGateway"]
    assert again["NatGatewayId"] == made["NatGatewayId"]

    def look():
        return aws.ec2.describe_nat_gateways(Filter=[{"Name": "nat-gateway-id", "Values": [made["NatGatewayId"]]}])["NatGateways"][0]

    wait_for(lambda: look()["State"] == "available")
    address = look()["NatGatewayAddresses"][0]
    assert (address["PublicIp"], address["IsPrimary"], address["Status"]) == (made["PublicIp"], True, "succeeded")
    assert address["PrivateIp"].startswith("10.0.1.")
    eni = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[address["NetworkInterfaceId"]])["NetworkInterfaces"][0]
    assert (eni["InterfaceType"], eni["Groups"], eni["PrivateIpAddresses"][0]["Association"]["PublicIp"]) == ("nat_gateway", [], made["PublicIp"])
    table = net["routeTableIds"]["private"]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=made["NatGatewayId"])
    assert routes(aws, table)["0.0.0.0/0"]["State"] == "active"
    aws.ec2.delete_nat_gateway(NatGatewayId=made["NatGatewayId"])
    wait_for(lambda: look()["State"] == "deleted")
    assert routes(aws, table)["0.0.0.0/0"]["State"] == "blackhole"
    aws.ec2.release_address(AllocationId=made["AllocationId"])
    with refused("NatGatewayNotFound"):
        aws.ec2.delete_nat_gateway(NatGatewayId="nat-0123456789abcdef0")


# --------------------------------------------------------------------- peering

def test_peering(aws, net):
    far = aws.topology(prefix="far-", cidr="10.9.0.0/16", rds=False)
    aws.ec2.associate_vpc_cidr_block(VpcId=far["vpcId"], CidrBlock="10.10.0.0/16")
    made = aws.ec2.create_vpc_peering_connection(VpcId=net["vpcId"], PeerVpcId=far["vpcId"])["VpcPeeringConnection"]
    assert made["Status"]["Code"] == "initiating-request"
    pcx, table = made["VpcPeeringConnectionId"], net["routeTableIds"]["private"]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.9.0.0/16", VpcPeeringConnectionId=pcx)
    assert routes(aws, table)["10.9.0.0/16"]["State"] == "blackhole"
    aws.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    shown = aws.ec2.describe_vpc_peering_connections(Filters=[{"Name": "accepter-vpc-info.vpc-id", "Values": [far["vpcId"]]}])["VpcPeeringConnections"][0]
    assert shown["Status"]["Code"] == "active" and routes(aws, table)["10.9.0.0/16"]["State"] == "active"
    assert [b["CidrBlock"] for b in shown["AccepterVpcInfo"]["CidrBlockSet"]] == ["10.9.0.0/16", "10.10.0.0/16"]
    aws.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    assert routes(aws, table)["10.9.0.0/16"]["State"] == "blackhole"


def test_peering_of_overlapping_networks_fails(aws, net):
    far = aws.topology(prefix="far-", rds=False)
    made = aws.ec2.create_vpc_peering_connection(VpcId=net["vpcId"], PeerVpcId=far["vpcId"])["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    assert aws.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[made])["VpcPeeringConnections"][0]["Status"]["Code"] == "failed"


def test_peering_between_accounts_and_regions(aws, url, net):
    from conftest import Aws

    other = Aws(url, region="eu-west-1")
    far = other.topology(cidr="10.9.0.0/16", rds=False)
    pcx = aws.ec2.create_vpc_peering_connection(VpcId=net["vpcId"], PeerVpcId=far["vpcId"], PeerOwnerId=other.account, PeerRegion="eu-west-1")["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    other.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=pcx)
    shown = other.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"][0]
    assert (shown["RequesterVpcInfo"]["OwnerId"], shown["AccepterVpcInfo"]["Region"], shown["Status"]["Code"]) == (aws.account, "eu-west-1", "active")


# ------------------------------------------------------- interfaces, VPCs, subnets

def test_interfaces_get_addresses_of_their_subnet(aws, net):
    made = [aws.ec2.create_network_interface(SubnetId=net["subnetIds"][1])["NetworkInterface"]["PrivateIpAddress"] for _ in range(2)]
    assert made == ["10.0.2.4", "10.0.2.5"]
    with refused("InvalidIPAddress.InUse"):
        aws.ec2.create_network_interface(SubnetId=net["subnetIds"][1], PrivateIpAddress="10.0.2.4")
    with refused("InvalidSubnetID.NotFound"):
        aws.ec2.create_network_interface(SubnetId="subnet-0123456789abcdef0")


def test_source_dest_check(aws, net):
    eni = aws.ec2.create_network_interface(SubnetId=net["subnetIds"][1])["NetworkInterface"]["NetworkInterfaceId"]
    aws.ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    assert aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]["SourceDestCheck"] is False


@pytest.mark.parametrize(("call", "key", "size", "low"), [("describe_vpcs", "Vpcs", 6, 5), ("describe_subnets", "Subnets", 10, 5), ("describe_network_interfaces", "NetworkInterfaces", 6, 5)])
def test_pages(aws, call, key, size, low):
    for n in range(5):
        aws.topology(prefix=f"n{n}-", cidr=f"10.{n}.0.0/16", rds=False, instances=2)
    first = getattr(aws.ec2, call)(MaxResults=low)
    assert len(first[key]) == low and first["NextToken"]
    pages = list(aws.ec2.get_paginator(call).paginate(PaginationConfig={"PageSize": low}))
    assert sum(len(page[key]) for page in pages) >= size and len(pages) >= 2
    with refused("InvalidParameterValue", "The filter 'nonsense' is invalid"):
        getattr(aws.ec2, call)(Filters=[{"Name": "nonsense", "Values": ["x"]}])


def test_ids_that_do_not_exist(aws):
    for call, parameter, identifier, code in (
        (aws.ec2.describe_vpcs, "VpcIds", "vpc-0123456789abcdef0", "InvalidVpcID.NotFound"),
        (aws.ec2.describe_subnets, "SubnetIds", "subnet-0123456789abcdef0", "InvalidSubnetID.NotFound"),
        (aws.ec2.describe_network_interfaces, "NetworkInterfaceIds", "eni-0123456789abcdef0", "InvalidNetworkInterfaceID.NotFound"),
        (aws.ec2.describe_vpc_peering_connections, "VpcPeeringConnectionIds", "pcx-0123456789abcdef0", "InvalidVpcPeeringConnectionID.NotFound"),
    ):
        with refused(code, identifier):
            call(**{parameter: [identifier]})


def test_a_vpc_in_use_cannot_be_deleted(aws, net):
    with refused("DependencyViolation"):
        aws.ec2.delete_vpc(VpcId=net["vpcId"])
    empty = aws.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    aws.ec2.delete_vpc(VpcId=empty)
    assert empty not in aws.state()["vpcs"]


def test_internet_gateways(aws, net):
    igw = aws.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    aws.ec2.attach_internet_gateway(InternetGatewayId=igw, VpcId=net["vpcId"])
    found = aws.ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [net["vpcId"]]}])["InternetGateways"]
    assert [(g["InternetGatewayId"], g["Attachments"][0]["State"]) for g in found] == [(igw, "available")]


def test_prefix_lists(aws):
    listed = aws.ec2.describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{aws.region}.s3"]}])["PrefixLists"]
    assert len(listed) == 1 and listed[0]["OwnerId"] == "AWS"
    assert "52.216.0.0/15" in [e["Cidr"] for e in aws.ec2.get_managed_prefix_list_entries(PrefixListId=listed[0]["PrefixListId"])["Entries"]]
    mine = aws.ec2.create_managed_prefix_list(PrefixListName="l", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "10.0.0.0/8"}])["PrefixList"]["PrefixListId"]
    aws.ec2.modify_managed_prefix_list(PrefixListId=mine, CurrentVersion=1, PrefixListName="l", AddEntries=[{"Cidr": "11.0.0.0/8"}])
    assert [e["Cidr"] for e in aws.ec2.get_managed_prefix_list_entries(PrefixListId=mine)["Entries"]] == ["10.0.0.0/8", "11.0.0.0/8"]
    with refused("InvalidPrefixListID.NotFound"):
        aws.ec2.get_managed_prefix_list_entries(PrefixListId="pl-0123456789abcdef0")


def test_propagated_routes(aws, net):
    table = net["routeTableIds"]["private"]
    vgw = aws.ec2.create_vpn_gateway(Type="ipsec.1")["VpnGateway"]["VpnGatewayId"]
    with refused("Gateway.NotAttached"):
        aws.ec2.enable_vgw_route_propagation(RouteTableId=table, GatewayId=vgw)
    aws.ec2.attach_vpn_gateway(VpnGatewayId=vgw, VpcId=net["vpcId"])
    aws.ec2.enable_vgw_route_propagation(RouteTableId=table, GatewayId=vgw)
    aws.control("POST", f"route-tables/{table}/propagated", {"account": aws.account, "region": aws.region, "gateway": vgw, "cidrs": ["192.168.0.0/16"]})
    route = routes(aws, table)["192.168.0.0/16"]
    assert (route["GatewayId"], route["Origin"], route["State"]) == (vgw, "EnableVgwRoutePropagation", "active")
    assert aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["PropagatingVgws"] == [{"GatewayId": vgw}]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.20.0.0/16", GatewayId=vgw)
    aws.ec2.detach_vpn_gateway(VpnGatewayId=vgw, VpcId=net["vpcId"])
    assert "192.168.0.0/16" not in routes(aws, table) and routes(aws, table)["172.20.0.0/16"]["State"] == "blackhole"
    aws.ec2.attach_vpn_gateway(VpnGatewayId=vgw, VpcId=net["vpcId"])
    assert routes(aws, table)["192.168.0.0/16"]["State"] == routes(aws, table)["172.20.0.0/16"]["State"] == "active"
    aws.ec2.disable_vgw_route_propagation(RouteTableId=table, GatewayId=vgw)
    assert "192.168.0.0/16" not in routes(aws, table)
    aws.ec2.enable_vgw_route_propagation(RouteTableId=table, GatewayId=vgw)
    assert routes(aws, table)["192.168.0.0/16"]["Origin"] == "EnableVgwRoutePropagation"


def test_a_host_that_forwards(aws, net):
    host = aws.ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, SubnetId=net["subnetIds"][0], SecurityGroupIds=[net["securityGroupIds"]["source"]])["Instances"][0]
    eni = aws.ec2.describe_network_interfaces(Filters=[{"Name": "attachment.instance-id", "Values": [host["InstanceId"]]}])["NetworkInterfaces"][0]
    assert eni["Status"] == "in-use" and [g["GroupId"] for g in eni["Groups"]] == [net["securityGroupIds"]["source"]]
    table = net["routeTableIds"]["private"]
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="192.168.0.0/16", NetworkInterfaceId=eni["NetworkInterfaceId"])
    assert routes(aws, table)["192.168.0.0/16"]["State"] == "active"
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=net["securityGroupIds"]["source"])
    aws.ec2.terminate_instances(InstanceIds=[host["InstanceId"]])
    assert routes(aws, table)["192.168.0.0/16"]["State"] == "blackhole"
