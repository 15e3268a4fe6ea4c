"""Security groups, and tags."""

import pytest
from conftest import cidr, peer, refused, tcp


def test_a_new_group_has_egress_to_everywhere(aws, net):
    group = aws.group(net["vpcId"], "g")
    shown = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert shown["IpPermissionsEgress"] == [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [], "PrefixListIds": [], "UserIdGroupPairs": []}]
    assert shown["OwnerId"] == aws.account


def test_names_are_unique_in_a_vpc(aws, net):
    aws.group(net["vpcId"], "g")
    with refused("InvalidGroup.Duplicate"):
        aws.group(net["vpcId"], "g")
    with refused("InvalidVpcID.NotFound"):
        aws.group("vpc-0123456789abcdef0", "g")


def test_what_is_used_cannot_be_deleted(aws, net):
    used = aws.group(net["vpcId"], "used")
    aws.ec2.authorize_security_group_ingress(GroupId=net["securityGroupIds"]["target"], IpPermissions=[tcp(1, **peer(used))])
    with refused("DependencyViolation", used):
        aws.ec2.delete_security_group(GroupId=used)
    with refused("DependencyViolation"):  # on the interface of the replication instance
        aws.ec2.delete_security_group(GroupId=net["securityGroupIds"]["replication"])
    with refused("CannotDelete"):
        aws.ec2.delete_security_group(GroupId=net["defaultSecurityGroupId"])
    aws.ec2.revoke_security_group_ingress(GroupId=net["securityGroupIds"]["target"], IpPermissions=[tcp(1, **peer(used))])
    aws.ec2.delete_security_group(GroupId=used)
    with refused("InvalidGroup.NotFound"):
        aws.ec2.describe_security_groups(GroupIds=[used])


def test_a_group_that_names_itself_can_be_deleted(aws, net):
    group = aws.group(net["vpcId"], "self")
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **peer(group))])
    aws.ec2.delete_security_group(GroupId=group)


def test_pages_and_filters(aws, net):
    for n in range(7):
        aws.group(net["vpcId"], f"page-{n}")
    pages = aws.ec2.get_paginator("describe_security_groups").paginate(Filters=[{"Name": "group-name", "Values": ["page-?"]}], PaginationConfig={"PageSize": 5})
    assert [len(page["SecurityGroups"]) for page in pages] == [5, 2]
    with refused("InvalidParameterValue", "The filter 'nonsense' is invalid"):
        aws.ec2.describe_security_groups(Filters=[{"Name": "nonsense", "Values": ["x"]}])


def test_filter_by_rule(aws, net):
    group = net["securityGroupIds"]["target"]
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(7777, **cidr("10.7.0.0/16"))])
    found = aws.ec2.describe_security_groups(Filters=[{"Name": "ip-permission.cidr", "Values": ["10.7.0.0/16"]}, {"Name": "ip-permission.to-port", "Values": ["7777"]}])
    assert [each["GroupId"] for each in found["SecurityGroups"]] == [group]


def test_one_permission_per_protocol_and_ports(aws, net):
    group = net["securityGroupIds"]["target"]
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/16")), tcp(1, **cidr("10.1.0.0/16")), tcp(2, **cidr("10.0.0.0/16"))])
    shown = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert [(p["FromPort"], len(p["IpRanges"])) for p in shown] == [(1, 2), (2, 1)]


@pytest.mark.parametrize(("resource", "code"), [
    ("sg-0123456789abcdef0", "InvalidGroup.NotFound"), ("sgr-0123456789abcdef0", "InvalidSecurityGroupRuleId.NotFound"),
    ("vpce-0123456789abcdef0", "InvalidVpcEndpointId.NotFound"), ("nonsense", "InvalidID"),
])
def test_tags_need_their_object(aws, resource, code):
    with refused(code):
        aws.ec2.create_tags(Resources=[resource], Tags=[{"Key": "k", "Value": "v"}])


def test_tags_come_and_go(aws, net):
    group = net["securityGroupIds"]["target"]
    aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    aws.ec2.delete_tags(Resources=[group], Tags=[{"Key": "a", "Value": "other"}, {"Key": "b"}])
    assert aws.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [group]}])["Tags"] == [
        {"ResourceId": group, "ResourceType": "security-group", "Key": "a", "Value": "1"}]
    with refused("InvalidParameterValue", "reserved"):
        aws.ec2.create_tags(Resources=[group], Tags=[{"Key": "aws:x", "Value": ""}])
    with refused("TagLimitExceeded"):
        aws.ec2.create_tags(Resources=[group], Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
