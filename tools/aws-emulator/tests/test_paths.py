"""The six configurations: what each brings along, and that what lies between can be broken."""

import urllib.error

import pytest

from conftest import refused, wait_for

PATHS = ("SameVpc", "PeeredVpc", "OnPremises", "Internet", "NatGateway", "ClassicLink")


def routes(aws, table):
    shown = aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    return {r.get("DestinationCidrBlock"): r for r in shown}


def rules(aws, group):
    shown = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"]
    return [(r["IsEgress"], r["FromPort"], r.get("CidrIpv4") or r["ReferencedGroupInfo"]["GroupId"]) for r in shown]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_built_with_rules_only_if_asked(aws, path):
    net = aws.topology(path=path)
    assert net["path"]["type"] == path
    assert rules(aws, net["securityGroupIds"]["replication"]) == []
    source = aws.dms.describe_endpoints(Filters=[{"Name": "endpoint-id", "Values": ["orders-src"]}])["Endpoints"][0]
    assert source["ServerName"] == net["path"]["host"] == net["endpoints"]["source"]["host"]


@pytest.mark.parametrize("path", PATHS)
def test_an_open_path_has_the_rules_to_source_and_target(aws, path):
    net = aws.topology(path=path, open=True)
    made = rules(aws, net["securityGroupIds"]["replication"])
    assert sorted((egress, port) for egress, port, _ in made) == [(True, 3306), (True, 5432)]


def test_peered_over_accounts_and_regions(aws, url):
    from conftest import Aws

    other = Aws(url, region="eu-west-1")
    net = aws.topology(path="PeeredVpc", open=True, peer_account=other.account, peer_region="eu-west-1")
    far = net["path"]
    assert routes(aws, net["routeTableIds"]["private"])[far["cidr"]]["State"] == "active"
    assert routes(other, far["routeTableId"])[net["cidr"]]["State"] == "active"
    assert (True, 5432, far["cidr"]) in rules(aws, net["securityGroupIds"]["replication"]), "another Region knows no groups of ours"
    assert rules(other, far["securityGroupId"]) == [(False, 5432, net["cidr"])]
    assert other.rds.describe_db_instances()["DBInstances"][0]["DBInstanceIdentifier"] == far["rds"]["id"]
    for side in (aws, other):
        shown = side.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"][0]
        assert shown["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    other.control("POST", f"peerings/{far['peeringConnectionId']}", {"status": "expired", "region": "eu-west-1", "account": other.account})
    assert routes(other, far["routeTableId"])[net["cidr"]]["State"] == "blackhole"


def test_peered_in_one_region_by_group(aws):
    net = aws.topology(path="PeeredVpc", open=True)
    assert (True, 5432, net["path"]["securityGroupId"]) in rules(aws, net["securityGroupIds"]["replication"])


def test_on_premises_over_a_host(aws):
    net = aws.topology(path="OnPremises", nat_host=True)
    bare = aws.topology(path="OnPremises", nat_host=True, routes=False, prefix="x-", cidr="10.1.0.0/16")
    assert "172.20.0.0/16" not in routes(aws, bare["routeTableIds"]["private"])
    assert routes(aws, bare["path"]["natHost"]["routeTableId"])["172.20.0.0/16"]["GatewayId"] == bare["path"]["vpnGatewayId"]
    host = net["path"]["natHost"]
    assert routes(aws, net["routeTableIds"]["private"])["172.20.0.0/16"]["NetworkInterfaceId"] == host["networkInterfaceId"]
    through = routes(aws, host["routeTableId"])["172.20.0.0/16"]
    assert (through["Origin"], through["State"]) == ("EnableVgwRoutePropagation", "active")
    eni = aws.ec2.describe_network_interfaces(NetworkInterfaceIds=[host["networkInterfaceId"]])["NetworkInterfaces"][0]
    assert (eni["SourceDestCheck"], eni["Status"]) == (False, "in-use")


@pytest.mark.parametrize("path", ("PeeredVpc", "OnPremises", "Internet", "NatGateway"))
def test_without_routes_nothing_leads_there(aws, path):
    net = aws.topology(path=path, routes=False)
    assert list(routes(aws, net["routeTableIds"]["private"])) == ["10.0.0.0/16"]


def test_internet_needs_a_public_instance(aws):
    net = aws.topology(path="Internet")
    assert net["instance"]["publicIps"]
    assert routes(aws, net["routeTableIds"]["private"])["0.0.0.0/0"]["GatewayId"] == net["path"]["internetGatewayId"]
    aws.ec2.detach_internet_gateway(InternetGatewayId=net["path"]["internetGatewayId"], VpcId=net["vpcId"])
    assert routes(aws, net["routeTableIds"]["private"])["0.0.0.0/0"]["State"] == "blackhole"
    aws.control("POST", "dms/instances/orders-ri/public-ips", {"public_ips": ["203.0.113.77"], "account": aws.account, "region": aws.region})
    shown = aws.dms.describe_replication_instances()["ReplicationInstances"][0]
    assert shown["ReplicationInstancePublicIpAddresses"] == ["203.0.113.77"]


def test_nat_gateways_with_several_addresses(aws, delays):
    net = aws.topology(path="NatGateway", nat_gateways=2, addresses=2)
    path = net["path"]
    assert len(path["natGatewayIds"]) == 2 and len(set(path["publicIps"])) == 4
    for table, gateway in zip(path["routeTableIds"], path["natGatewayIds"], strict=True):
        assert routes(aws, table)["0.0.0.0/0"]["NatGatewayId"] == gateway
    for table, subnet in zip(path["routeTableIds"], net["subnetIds"], strict=True):
        shown = aws.ec2.describe_route_tables(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])["RouteTables"]
        assert [each["RouteTableId"] for each in shown] == [table]

    def addresses():
        shown = aws.ec2.describe_nat_gateways(NatGatewayIds=[path["natGatewayIds"][0]])["NatGateways"][0]
        return {a["PublicIp"]: a for a in shown["NatGatewayAddresses"]}

    delays(available=0, deleting=0)
    more = aws.ec2.allocate_address(Domain="vpc")
    aws.ec2.associate_nat_gateway_address(NatGatewayId=path["natGatewayIds"][0], AllocationIds=[more["AllocationId"]])
    wait_for(lambda: addresses()[more["PublicIp"]]["Status"] == "succeeded")
    assert len({a["PrivateIp"] for a in addresses().values()}) == 3
    with refused("InvalidParameter"):
        aws.ec2.disassociate_nat_gateway_address(NatGatewayId=path["natGatewayIds"][0], AssociationIds=[addresses()[path["publicIps"][0]]["AssociationId"]])
    aws.ec2.disassociate_nat_gateway_address(NatGatewayId=path["natGatewayIds"][0], AssociationIds=[addresses()[more["PublicIp"]]["AssociationId"]])
    wait_for(lambda: more["PublicIp"] not in addresses())
    aws.ec2.release_address(AllocationId=more["AllocationId"])


def test_a_nat_gateway_fails_and_a_regional_one_gets_addresses_by_itself(aws):
    net = aws.topology(path="NatGateway")
    nat, here = net["path"]["natGatewayIds"][0], {"account": aws.account, "region": aws.region}
    grown = aws.control("POST", f"nat-gateways/{nat}", {"regional": True, "add_addresses": 1} | here)
    shown = aws.ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]
    assert [a["PublicIp"] for a in shown["NatGatewayAddresses"]] == grown["publicIps"] and len(grown["publicIps"]) == 2
    assert shown["AvailabilityMode"] == "regional" and "SubnetId" not in shown
    aws.control("POST", f"nat-gateways/{nat}", {"state": "failed", "failure": {"Code": "Gateway.NotAttached", "Message": "no gateway"}} | here)
    shown = aws.ec2.describe_nat_gateways(NatGatewayIds=[nat])["NatGateways"][0]
    assert (shown["State"], shown["FailureCode"]) == ("failed", "Gateway.NotAttached")
    assert routes(aws, net["routeTableIds"]["private"])["0.0.0.0/0"]["State"] == "blackhole"


def test_block_public_access_and_its_exclusions(aws):
    net = aws.topology(path="Internet")

    def modes():
        vpc = aws.ec2.describe_vpcs(VpcIds=[net["vpcId"]])["Vpcs"][0]["BlockPublicAccessStates"]["InternetGatewayBlockMode"]
        subnets = aws.ec2.describe_subnets(SubnetIds=net["subnetIds"])["Subnets"]
        return [vpc, *(s["BlockPublicAccessStates"]["InternetGatewayBlockMode"] for s in sorted(subnets, key=lambda s: s["CidrBlock"]))]

    assert modes() == ["off"] * 3
    aws.ec2.modify_vpc_block_public_access_options(InternetGatewayBlockMode="block-bidirectional")
    assert modes() == ["block-bidirectional"] * 3
    made = aws.ec2.create_vpc_block_public_access_exclusion(SubnetId=net["subnetIds"][0], InternetGatewayExclusionMode="allow-egress")
    assert modes() == ["block-bidirectional", "block-ingress", "block-bidirectional"]
    aws.ec2.create_vpc_block_public_access_exclusion(VpcId=net["vpcId"], InternetGatewayExclusionMode="allow-bidirectional")
    assert modes() == ["off", "block-ingress", "off"]
    identifier = made["VpcBlockPublicAccessExclusion"]["ExclusionId"]
    aws.ec2.delete_vpc_block_public_access_exclusion(ExclusionId=identifier)
    assert modes() == ["off"] * 3


def test_a_transit_gateway_route_needs_an_attachment(aws):
    net = aws.topology()
    gateway, table = aws.ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"], net["routeTableIds"]["private"]
    made = aws.ec2.create_transit_gateway_vpc_attachment(TransitGatewayId=gateway, VpcId=net["vpcId"], SubnetIds=net["subnetIds"])
    aws.ec2.create_route(RouteTableId=table, DestinationCidrBlock="172.16.0.0/12", TransitGatewayId=gateway)
    assert routes(aws, table)["172.16.0.0/12"]["State"] == "active"
    aws.ec2.delete_transit_gateway_vpc_attachment(TransitGatewayAttachmentId=made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"])
    assert routes(aws, table)["172.16.0.0/12"]["State"] == "blackhole"
    left = aws.ec2.describe_transit_gateway_vpc_attachments(Filters=[{"Name": "vpc-id", "Values": [net["vpcId"]]}])["TransitGatewayVpcAttachments"]
    assert all(each["State"] in ("deleted", "deleting") for each in left)


def test_an_unknown_path_is_refused(aws):
    with pytest.raises(urllib.error.HTTPError) as refusal:
        aws.topology(path="Teleport")
    assert "unknown path 'Teleport'" in refusal.value.read().decode()
