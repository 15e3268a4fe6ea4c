"""VPC endpoints: their life, their interfaces, their names, and what AWS refuses."""

import json

import pytest
from conftest import refused, wait_for


@pytest.fixture
def create(aws, net):
    def create(**wish):
        wish = {"VpcId": net["vpcId"], "VpcEndpointType": "Interface", "ServiceName": f"com.amazonaws.{aws.region}.dms",
                "SubnetIds": net["subnetIds"], "SecurityGroupIds": [net["securityGroupIds"]["target"]], **wish}
        return aws.ec2.create_vpc_endpoint(**{name: value for name, value in wish.items() if value is not None})["VpcEndpoint"]
    return create


def look(aws, endpoint):
    found = aws.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-endpoint-id", "Values": [endpoint["VpcEndpointId"]]}])["VpcEndpoints"]
    return found[0] if found else None


def interfaces(aws, ids):
    return aws.ec2.describe_network_interfaces(Filters=[{"Name": "network-interface-id", "Values": ids}])["NetworkInterfaces"]


def test_life(aws, create, delays):
    delays(available=0.2, deleting=0.2, eni=0.2)
    endpoint = create()
    assert endpoint["State"] == "pending"
    wait_for(lambda: look(aws, endpoint)["State"] == "available")
    assert aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])["Unsuccessful"] == []
    assert look(aws, endpoint)["State"] == "deleting"
    assert len(interfaces(aws, endpoint["NetworkInterfaceIds"])) == 2
    wait_for(lambda: look(aws, endpoint) is None)
    assert len(interfaces(aws, endpoint["NetworkInterfaceIds"])) == 2, "they stay a little longer"
    wait_for(lambda: not interfaces(aws, endpoint["NetworkInterfaceIds"]))
    with refused("InvalidVpcEndpointId.NotFound"):
        aws.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint["VpcEndpointId"]])


def test_names_in_dns(aws, create):
    endpoint = create()
    names = [entry["DnsName"] for entry in endpoint["DnsEntries"]]
    head = names[0].split(".")[0]
    assert head.startswith(endpoint["VpcEndpointId"] + "-") and len(head) == len(endpoint["VpcEndpointId"]) + 9
    assert names == [f"{head}.dms.us-west-2.vpce.amazonaws.com", f"{head}-us-west-2a.dms.us-west-2.vpce.amazonaws.com",
                     f"{head}-us-west-2b.dms.us-west-2.vpce.amazonaws.com", "dms.us-west-2.amazonaws.com"]
    assert all(entry["HostedZoneId"] for entry in endpoint["DnsEntries"])


def test_interfaces_are_real(aws, net, create):
    endpoint = create()
    assert endpoint["IpAddressType"] == "ipv4"
    for eni in interfaces(aws, endpoint["NetworkInterfaceIds"]):
        assert eni["Description"] == f"VPC Endpoint Interface {endpoint['VpcEndpointId']}"
        assert (eni["InterfaceType"], eni["RequesterManaged"], eni["Status"]) == ("vpc_endpoint", True, "in-use")
        assert [g["GroupId"] for g in eni["Groups"]] == [net["securityGroupIds"]["target"]]
        block = {net["subnetIds"][0]: "10.0.1.", net["subnetIds"][1]: "10.0.2."}[eni["SubnetId"]]
        assert eni["PrivateIpAddress"].startswith(block)
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=net["securityGroupIds"]["target"])
    with refused("DependencyViolation"):
        aws.ec2.delete_subnet(SubnetId=net["subnetIds"][0])
    with refused("OperationNotPermitted"):
        aws.ec2.delete_network_interface(NetworkInterfaceId=endpoint["NetworkInterfaceIds"][0])


def test_without_groups_it_gets_the_default_one(net, create):
    assert [g["GroupId"] for g in create(SecurityGroupIds=None)["Groups"]] == [net["defaultSecurityGroupId"]]


def test_token(aws, net, create, delays):
    first = create(ClientToken="t")
    assert create(ClientToken="t")["VpcEndpointId"] == first["VpcEndpointId"]
    with refused("IdempotentParameterMismatch"):
        create(ClientToken="t", SubnetIds=net["subnetIds"][:1])
    assert len(aws.ec2.describe_vpc_endpoints()["VpcEndpoints"]) == 1
    delays(deleting=0, eni=0)
    aws.ec2.delete_vpc_endpoints(VpcEndpointIds=[first["VpcEndpointId"]])
    again = create(ClientToken="t")
    assert (again["VpcEndpointId"], again["State"]) == (first["VpcEndpointId"], "deleted")


@pytest.mark.parametrize(("wish", "code", "message"), [
    ({"ServiceName": "com.amazonaws.us-west-2.nonsense"}, "InvalidServiceName", "does not exist"),
    ({"VpcId": "vpc-0123456789abcdef0"}, "InvalidVpcId.NotFound", ""),
    ({"SubnetIds": ["subnet-0123456789abcdef0"]}, "InvalidSubnetId.NotFound", ""),
    ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidSecurityGroupId.NotFound", ""),
    ({"PolicyDocument": "{"}, "InvalidPolicyDocument", "JSON"),
    ({"PolicyDocument": '{"Statement": [{"Effect": "Maybe"}]}'}, "InvalidPolicyDocument", ""),
    ({"PolicyDocument": " " * 20_481}, "InvalidPolicyDocument", ""),
    ({"IpAddressType": "dualstack"}, "InvalidParameter", "IPv6"),
    ({"DryRun": True}, "DryRunOperation", "would have succeeded"),
    ({"RouteTableIds": ["rtb-0123456789abcdef0"]}, "InvalidParameter", ""),
    ({"TagSpecifications": [{"ResourceType": "vpc", "Tags": []}]}, "InvalidParameterValue", "taggable"),
])
def test_refused(aws, create, wish, code, message):
    with refused(code, message):
        create(**wish)
    assert aws.ec2.describe_vpc_endpoints()["VpcEndpoints"] == []


def test_one_subnet_per_zone(aws, net, create):
    same_zone = [net["subnetIds"][0], net["databaseSubnetIds"][0]]
    with refused("DuplicateSubnetsInSameZone"):
        create(SubnetIds=same_zone)
    endpoint = create(SubnetIds=same_zone[:1])
    with refused("DuplicateSubnetsInSameZone"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], AddSubnetIds=same_zone[1:])
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], AddSubnetIds=same_zone[1:], RemoveSubnetIds=same_zone[:1])
    assert look(aws, endpoint)["SubnetIds"] == same_zone[1:]


def test_private_dns_is_unique_in_a_vpc(aws, net, create):
    create()
    with refused("InvalidParameter", "private-dns-enabled cannot be set because there is already a conflicting DNS domain for "
                 f"dms.us-west-2.amazonaws.com in the VPC {net['vpcId']}"):
        create()
    second = create(PrivateDnsEnabled=False)
    assert len(second["DnsEntries"]) == 3
    with refused("InvalidParameter", "conflicting DNS domain"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=second["VpcEndpointId"], PrivateDnsEnabled=True)


def test_private_dns_needs_the_vpc_attributes(aws, net, create):
    aws.ec2.modify_vpc_attribute(VpcId=net["vpcId"], EnableDnsHostnames={"Value": False})
    with refused("InvalidParameter", "enableDnsHostnames"):
        create()
    endpoint = create(PrivateDnsEnabled=False)
    aws.ec2.modify_vpc_attribute(VpcId=net["vpcId"], EnableDnsHostnames={"Value": True})
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=True)
    now = look(aws, endpoint)
    assert now["PrivateDnsEnabled"] and now["DnsEntries"][-1]["DnsName"] == "dms.us-west-2.amazonaws.com"


def test_policy_is_written_anew(aws, create):
    given = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": ["dms:Describe*", "dms:List*"], "Resource": "*"}]}
    endpoint = create(PolicyDocument=json.dumps(given))
    shown = look(aws, endpoint)["PolicyDocument"]
    assert json.loads(shown) == given and "\n" in shown and ", \n" in shown
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], ResetPolicy=True)
    assert json.loads(look(aws, endpoint)["PolicyDocument"])["Statement"][0]["Action"] == "*"
    with refused("InvalidPolicyDocument"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PolicyDocument="no")


def test_modify_reaches_the_interfaces(aws, net, create, delays):
    delays(eni=0.1)
    endpoint, groups = create(SubnetIds=net["subnetIds"][:1]), net["securityGroupIds"]
    old = endpoint["NetworkInterfaceIds"]
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], AddSubnetIds=net["subnetIds"][1:], RemoveSubnetIds=net["subnetIds"][:1],
                                AddSecurityGroupIds=[groups["source"]], RemoveSecurityGroupIds=[groups["target"]])
    now = look(aws, endpoint)
    assert now["SubnetIds"] == net["subnetIds"][1:] and [g["GroupId"] for g in now["Groups"]] == [groups["source"]]
    assert [g["GroupId"] for g in interfaces(aws, now["NetworkInterfaceIds"])[0]["Groups"]] == [groups["source"]]
    assert now["DnsEntries"][1]["DnsName"].split(".")[0].endswith("-us-west-2b")
    wait_for(lambda: not interfaces(aws, old))
    with refused("InvalidParameter", "at least one security group"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], RemoveSecurityGroupIds=[groups["source"]])


def test_a_refused_modify_changes_nothing(aws, create):
    endpoint = create()
    before = aws.state()["vpcEndpoints"]
    with refused("InvalidSecurityGroupId.NotFound"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], PrivateDnsEnabled=False, AddSecurityGroupIds=["sg-0123456789abcdef0"])
    assert {**aws.state()["vpcEndpoints"][endpoint["VpcEndpointId"]], "state": ""} == {**before[endpoint["VpcEndpointId"]], "state": ""}


def test_dualstack(aws, net, create):
    vpc = aws.ec2.create_vpc(CidrBlock="10.8.0.0/16", AmazonProvidedIpv6CidrBlock=True)["Vpc"]
    six = aws.ec2.describe_vpcs(VpcIds=[vpc["VpcId"]])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = aws.ec2.create_subnet(VpcId=vpc["VpcId"], CidrBlock="10.8.0.0/24", Ipv6CidrBlock=six.replace("/56", "/64"), AvailabilityZone="us-west-2a")["Subnet"]["SubnetId"]
    endpoint = create(VpcId=vpc["VpcId"], SubnetIds=[subnet], SecurityGroupIds=None, PrivateDnsEnabled=False)
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], IpAddressType="dualstack")
    now = look(aws, endpoint)
    assert (now["IpAddressType"], now["DnsOptions"]["DnsRecordIpType"]) == ("dualstack", "dualstack")


def test_gateway(aws, net, create):
    table, wish = net["routeTableIds"]["private"], {"VpcEndpointType": "Gateway", "ServiceName": f"com.amazonaws.{aws.region}.s3", "SubnetIds": None, "SecurityGroupIds": None}
    endpoint = create(RouteTableIds=[table], **wish)
    assert (endpoint["State"], endpoint["RouteTableIds"], endpoint.get("DnsEntries", [])) == ("available", [table], [])

    def routes():
        return [r for r in aws.ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"] if r.get("GatewayId") == endpoint["VpcEndpointId"]]

    assert routes()[0]["DestinationPrefixListId"].startswith("pl-")
    with refused("RouteAlreadyExists"):
        create(RouteTableIds=[table], **wish)
    with refused("InvalidParameter"):
        create(**{**wish, "SubnetIds": net["subnetIds"]})
    aws.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint["VpcEndpointId"], RemoveRouteTableIds=[table], AddRouteTableIds=[net["routeTableIds"]["database"]])
    assert routes() == [] and look(aws, endpoint)["RouteTableIds"] == [net["routeTableIds"]["database"]]


def test_delete_lists_what_it_could_not(aws):
    answer = aws.ec2.delete_vpc_endpoints(VpcEndpointIds=["vpce-0123456789abcdef0"])
    assert [(each["ResourceId"], each["Error"]["Code"]) for each in answer["Unsuccessful"]] == [("vpce-0123456789abcdef0", "InvalidVpcEndpointId.NotFound")]
    with refused("InvalidVpcEndpointId.NotFound"):
        aws.ec2.modify_vpc_endpoint(VpcEndpointId="vpce-0123456789abcdef0", ResetPolicy=True)


def test_filters_tags_and_pages(aws, net, create):
    tagged = create(TagSpecifications=[{"ResourceType": "vpc-endpoint", "Tags": [{"Key": "k", "Value": "v"}]}])
    other = create(ServiceName=f"com.amazonaws.{aws.region}.secretsmanager")
    assert tagged["Tags"] == [{"Key": "k", "Value": "v"}]
    for name, value, wanted in (("tag:k", "v", tagged), ("service-name", "*secretsmanager", other), ("vpc-endpoint-type", "Interface", None)):
        found = aws.ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [net["vpcId"]]}, {"Name": name, "Values": [value]}])["VpcEndpoints"]
        assert [e["VpcEndpointId"] for e in found] == [e["VpcEndpointId"] for e in ([wanted] if wanted else [tagged, other])]
    first = aws.ec2.describe_vpc_endpoints(MaxResults=1)
    assert len(first["VpcEndpoints"]) == 1 and aws.ec2.describe_vpc_endpoints(MaxResults=1, NextToken=first["NextToken"])["VpcEndpoints"][0]["VpcEndpointId"] == other["VpcEndpointId"]
    with refused("InvalidParameterValue"):
        aws.ec2.describe_vpc_endpoints(Filters=[{"Name": "nonsense", "Values": ["x"]}])


def test_a_state_can_be_set(aws, create):
    endpoint = create()["VpcEndpointId"]
    aws.control("POST", f"vpc-endpoints/{endpoint}", {"account": aws.account, "region": aws.region, "state": "failed", "last_error": {"Code": "C", "Message": "m"}})
    shown = aws.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]
    assert (shown["State"], shown["LastError"]) == ("failed", {"Code": "C", "Message": "m"})


def test_services(aws):
    shown = aws.ec2.describe_vpc_endpoint_services(ServiceNames=[f"com.amazonaws.{aws.region}.dms"])["ServiceDetails"][0]
    assert shown["PrivateDnsName"] == "dms.us-west-2.amazonaws.com" and "us-west-2a" in shown["AvailabilityZones"]
    assert shown["SupportedIpAddressTypes"] == ["ipv4", "ipv6"] and shown["VpcEndpointPolicySupported"]
    s3 = aws.ec2.describe_vpc_endpoint_services(ServiceNames=[f"com.amazonaws.{aws.region}.s3"])["ServiceDetails"]
    assert {each["ServiceType"][0]["ServiceType"] for each in s3} == {"Gateway", "Interface"}
    with refused("InvalidServiceName"):
        aws.ec2.describe_vpc_endpoint_services(ServiceNames=["com.amazonaws.us-west-2.nonsense"])
