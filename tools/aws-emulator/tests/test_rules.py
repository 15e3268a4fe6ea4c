"""Security group rules as AWS keeps them."""

import pytest
from conftest import cidr, peer, refused, tcp


def rules(aws, group_id, **more):
    return aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group_id]}], **more)["SecurityGroupRules"]


def authorize(aws, group_id, *permissions, **more):
    return aws.ec2.authorize_security_group_ingress(GroupId=group_id, IpPermissions=list(permissions), **more)["SecurityGroupRules"]


@pytest.fixture
def group(net):
    return net["securityGroupIds"]["target"]


@pytest.fixture
def other(net):
    return net["securityGroupIds"]["replication"]


def test_authorize_returns_the_rules_of_every_permission(aws, group, other):
    made = authorize(aws, group, tcp(1, **cidr("10.0.0.0/16", Description="one")), tcp(2, **peer(other)),
                     TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "k", "Value": "v"}]}])
    assert [(r["FromPort"], r.get("CidrIpv4")) for r in made] == [(1, "10.0.0.0/16"), (2, None)]
    assert made[0]["Description"] == "one"
    assert made[1]["ReferencedGroupInfo"] == {"GroupId": other, "UserId": aws.account}
    assert all(r["Tags"] == [{"Key": "k", "Value": "v"}] and r["GroupOwnerId"] == aws.account for r in made)
    assert rules(aws, group) == made


def test_authorize_is_all_or_nothing(aws, group):
    authorize(aws, group, tcp(5432, **cidr("10.0.0.0/16")))
    with refused("InvalidPermission.Duplicate", '"peer: 10.0.0.0/16, TCP, from port: 5432, to port: 5432, ALLOW" already exists'):
        authorize(aws, group, tcp(1, **cidr("10.1.0.0/16")), tcp(5432, **cidr("10.0.0.0/16")))
    assert len(rules(aws, group)) == 1


def test_a_description_does_not_make_a_rule_another_one(aws, group, other):
    authorize(aws, group, tcp(1, **peer(other, Description="a")))
    with refused("InvalidPermission.Duplicate", other):
        authorize(aws, group, tcp(1, **peer(other, Description="b")))


def test_the_same_rule_twice_in_one_call(aws, group):
    with refused("InvalidParameterValue", "must not appear multiple times"):
        authorize(aws, group, tcp(1, **cidr("10.0.0.1/24")), tcp(1, **cidr("10.0.0.0/24")))


def test_descriptions_of_groups_and_prefix_lists_are_kept(aws, group, other):
    listed = aws.ec2.create_managed_prefix_list(PrefixListName="l", MaxEntries=5, AddressFamily="IPv4")["PrefixList"]["PrefixListId"]
    authorize(aws, group, tcp(1, **peer(other, Description="group")), tcp(2, PrefixListIds=[{"PrefixListId": listed, "Description": "list"}]))
    assert [r["Description"] for r in rules(aws, group)] == ["group", "list"]
    shown = aws.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert shown[0]["UserIdGroupPairs"][0]["Description"] == "group" and shown[1]["PrefixListIds"][0]["Description"] == "list"


@pytest.mark.parametrize(("given", "kept"), [("100.68.0.18/18", "100.68.0.0/18"), ("10.0.0.5/32", "10.0.0.5/32")])
def test_ipv4_is_masked(aws, group, given, kept):
    assert authorize(aws, group, tcp(1, **cidr(given)))[0]["CidrIpv4"] == kept


def test_ipv6_is_canonical_and_so_compared(aws, group):
    long = tcp(1, Ipv6Ranges=[{"CidrIpv6": "2001:DB8:0:0::1/64"}])
    assert authorize(aws, group, long)[0]["CidrIpv6"] == "2001:db8::/64"
    with refused("InvalidPermission.Duplicate", "2001:db8::/64"):
        authorize(aws, group, tcp(1, Ipv6Ranges=[{"CidrIpv6": "2001:db8::/64"}]))


@pytest.mark.parametrize(("protocol", "kept", "ports"), [("6", "tcp", (7, 7)), ("17", "udp", (7, 7)), ("-1", "-1", (-1, -1)),
                                                        ("50", "50", (-1, -1)), ("58", "icmpv6", (7, 7))])
def test_protocols_have_names_and_lose_ports_they_do_not_have(aws, group, protocol, kept, ports):
    made = authorize(aws, group, {"IpProtocol": protocol, "FromPort": 7, "ToPort": 7, **cidr("10.0.0.0/8")})[0]
    assert (made["IpProtocol"], (made["FromPort"], made["ToPort"])) == (kept, ports)


@pytest.mark.parametrize(("wish", "code"), [
    ({"IpProtocol": "tcp", "FromPort": 9, "ToPort": 8, **cidr("10.0.0.0/8")}, "InvalidParameterValue"),
    ({"IpProtocol": "tcp", "FromPort": 1, "ToPort": 70000, **cidr("10.0.0.0/8")}, "InvalidParameterValue"),
    ({"IpProtocol": "tcp", **cidr("10.0.0.0/8")}, "InvalidParameterValue"),
    ({"IpProtocol": "nonsense", **cidr("10.0.0.0/8")}, "InvalidParameterValue"),
    (tcp(1, **cidr("10.0.0.0/33")), "InvalidParameterValue"),
    (tcp(1, **cidr("2001:db8::/64")), "InvalidParameterValue"),
    (tcp(1, **cidr("10.0.0.0/8", Description="ümlaut")), "InvalidParameterValue"),
    (tcp(1, **cidr("10.0.0.0/8", Description="x" * 256)), "InvalidParameterValue"),
    (tcp(1), "MissingParameter"),
    (tcp(1, PrefixListIds=[{"PrefixListId": "pl-0123456789abcdef0"}]), "InvalidPrefixListID.NotFound"),
    (tcp(1, **peer("sg-0123456789abcdef0")), "InvalidGroup.NotFound"),
])
def test_what_is_not_a_rule(aws, group, wish, code):
    with refused(code):
        authorize(aws, group, wish)
    assert rules(aws, group) == []


def test_groups_that_do_not_exist(aws):
    with refused("InvalidGroup.NotFound"):
        authorize(aws, "sg-0123456789abcdef0", tcp(1, **cidr("10.0.0.0/8")))
    with refused("InvalidGroupId.Malformed"):
        authorize(aws, "sg-none", tcp(1, **cidr("10.0.0.0/8")))


def test_tags_of_aws_are_reserved(aws, group):
    with refused("InvalidParameterValue", "reserved"):
        authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")), TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": [{"Key": "aws:x", "Value": ""}]}])


def test_a_group_in_another_vpc_needs_an_active_peering(aws, net, group):
    far = aws.topology(prefix="far-", cidr="10.9.0.0/16", rds=False)
    wish = tcp(1, **peer(far["securityGroupIds"]["source"]))
    with refused("InvalidGroup.NotFound", "different networks"):
        authorize(aws, group, wish)
    peering = aws.ec2.create_vpc_peering_connection(VpcId=net["vpcId"], PeerVpcId=far["vpcId"])["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    aws.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    info = authorize(aws, group, wish)[0]["ReferencedGroupInfo"]
    assert (info["VpcId"], info["VpcPeeringConnectionId"], info["PeeringStatus"]) == (far["vpcId"], peering, "active")
    assert aws.ec2.describe_stale_security_groups(VpcId=net["vpcId"])["StaleSecurityGroupSet"] == []
    aws.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    assert rules(aws, group)[0]["ReferencedGroupInfo"]["PeeringStatus"] == "deleted"
    stale = aws.ec2.describe_stale_security_groups(VpcId=net["vpcId"])["StaleSecurityGroupSet"]
    assert [each["GroupId"] for each in stale] == [group]


def test_revoke_by_id_tells_what_it_took(aws, group):
    made = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8")))
    answer = aws.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[made[0]["SecurityGroupRuleId"]])
    assert [(r["SecurityGroupRuleId"], r["CidrIpv4"]) for r in answer["RevokedSecurityGroupRules"]] == [(made[0]["SecurityGroupRuleId"], "10.0.0.0/8")]
    assert [r["FromPort"] for r in rules(aws, group)] == [2]


def test_revoke_of_an_unknown_id_revokes_nothing(aws, group):
    made = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")))[0]["SecurityGroupRuleId"]
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        aws.ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[made, "sgr-0123456789abcdef0"])
    assert len(rules(aws, group)) == 1


def test_revoke_by_properties_ignores_the_description_and_is_strict_outside_the_default_vpc(aws, group):
    authorize(aws, group, tcp(1, **cidr("10.0.0.0/8", Description="d")))
    with refused("InvalidPermission.NotFound"):
        aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8"))])
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    assert rules(aws, group) == []


def test_revoke_in_the_default_vpc_lists_what_it_did_not_know(aws):
    vpc = aws.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    answer = aws.ec2.revoke_security_group_ingress(GroupId=aws.group(vpc, "g"), IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    assert answer["UnknownIpPermissions"][0]["IpRanges"] == [{"CidrIp": "10.0.0.0/8"}]


def modify(aws, group, rule, **wish):
    aws.ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "SecurityGroupRule": wish}])


def test_modify_changes_all_in_place(aws, group, other):
    rule = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")))[0]
    modify(aws, group, rule, IpProtocol="udp", FromPort=2, ToPort=3, ReferencedGroupId=other, Description="new")
    now = rules(aws, group)[0]
    assert now["SecurityGroupRuleId"] == rule["SecurityGroupRuleId"] and "CidrIpv4" not in now
    assert (now["IpProtocol"], now["FromPort"], now["ToPort"], now["ReferencedGroupInfo"]["GroupId"], now["Description"]) == ("udp", 2, 3, other, "new")


def test_modify_to_what_exists_already(aws, group):
    one, _ = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8")))
    with refused("InvalidPermission.Duplicate"):
        modify(aws, group, one, IpProtocol="tcp", FromPort=2, ToPort=2, CidrIpv4="10.0.0.0/8")
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        modify(aws, group, {"SecurityGroupRuleId": "sgr-0123456789abcdef0"}, IpProtocol="-1", CidrIpv4="10.0.0.0/8")


def test_descriptions_change_by_id_and_by_properties(aws, group):
    one, _ = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8")))
    answer = aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": one["SecurityGroupRuleId"], "Description": "by id"}])
    assert answer["Return"] is True
    aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[tcp(2, **cidr("10.0.0.0/8", Description="by rule"))])
    assert [r["Description"] for r in rules(aws, group)] == ["by id", "by rule"]
    with refused("InvalidPermission.NotFound"):
        aws.ec2.update_security_group_rule_descriptions_ingress(GroupId=group, IpPermissions=[tcp(3, **cidr("10.0.0.0/8", Description="x"))])


def test_sixty_rules_of_each_family(aws, group, other):
    authorize(aws, group, *[tcp(n, **cidr("10.0.0.0/8")) for n in range(60)])
    authorize(aws, group, *[tcp(n, Ipv6Ranges=[{"CidrIpv6": "::/0"}]) for n in range(60)])
    for wish in (cidr("10.0.0.0/8"), peer(other)):
        with refused("RulesPerSecurityGroupLimitExceeded"):
            authorize(aws, group, tcp(99, **wish))
    aws.ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])


def test_a_prefix_list_counts_its_entries(aws, group):
    listed = aws.ec2.create_managed_prefix_list(PrefixListName="l", MaxEntries=61, AddressFamily="IPv4")["PrefixList"]["PrefixListId"]
    with refused("RulesPerSecurityGroupLimitExceeded"):
        authorize(aws, group, tcp(1, PrefixListIds=[{"PrefixListId": listed}]))


def test_pages(aws, group):
    authorize(aws, group, *[tcp(n, **cidr("10.0.0.0/8")) for n in range(12)])
    first = aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}], MaxResults=5)
    assert len(first["SecurityGroupRules"]) == 5 and first["NextToken"]
    pages = aws.ec2.get_paginator("describe_security_group_rules").paginate(Filters=[{"Name": "group-id", "Values": [group]}], PaginationConfig={"PageSize": 5})
    assert [r["FromPort"] for page in pages for r in page["SecurityGroupRules"]] == list(range(12))
    with refused("InvalidParameterValue", "between 5 and 1000"):
        rules(aws, group, MaxResults=4)


def test_filters_and_ids_that_do_not_exist(aws):
    with refused("InvalidParameterValue", "The filter 'nonsense' is invalid", status=400):
        aws.ec2.describe_security_group_rules(Filters=[{"Name": "nonsense", "Values": ["x"]}])
    with refused("InvalidSecurityGroupRuleId.NotFound"):
        aws.ec2.describe_security_group_rules(SecurityGroupRuleIds=["sgr-0123456789abcdef0"])
    with refused("FilterLimitExceeded"):
        aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [f"sg-{n:017x}" for n in range(201)]}])


def test_find_by_tag(aws, group):
    made = authorize(aws, group, tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8")))
    aws.ec2.create_tags(Resources=[made[1]["SecurityGroupRuleId"]], Tags=[{"Key": "owner/x", "Value": "owned"}])
    found = aws.ec2.describe_security_group_rules(Filters=[{"Name": "tag:owner/x", "Values": ["own*"]}])["SecurityGroupRules"]
    assert [r["FromPort"] for r in found] == [2]
