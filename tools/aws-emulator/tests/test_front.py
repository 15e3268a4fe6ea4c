"""Accounts, the log of calls, faults, delays, state dumps, and calls that nobody implements."""

import time
import urllib.error

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from conftest import Aws, cidr, refused, tcp


def test_the_key_says_the_account(aws, url):
    assert aws.sts.get_caller_identity()["Account"] == aws.account
    other = Aws(url)
    mine = aws.topology(rds=False)["vpcId"]
    with refused("InvalidVpcID.NotFound"):
        other.ec2.describe_vpcs(VpcIds=[mine])
    with refused("InvalidVpcID.NotFound"):
        Aws(url, aws.account, "eu-west-1").ec2.describe_vpcs(VpcIds=[mine])


def test_a_region_that_aws_does_not_have_is_refused(aws, url):
    nowhere = Aws(url, aws.account, "us-nowhere-9")
    for code, call in [("AuthFailure", nowhere.ec2.describe_vpcs), ("SignatureDoesNotMatch", nowhere.sts.get_caller_identity),
                       ("InvalidSignatureException", nowhere.dms.describe_endpoints)]:
        with refused(code, "us-nowhere-9"):
            call()


def test_a_role_belongs_to_its_account(aws, url):
    target = f"6{aws.account[1:]}"
    role = aws.sts.assume_role(RoleArn=f"arn:aws:iam::{target}:role/dmsnet", RoleSessionName="s")["Credentials"]
    assumed = Aws(url, target)
    assumed._clients["sts"] = aws.client("sts")
    from conftest import SESSION
    client = SESSION.client("sts", region_name=aws.region, endpoint_url=url, aws_access_key_id=role["AccessKeyId"],
                            aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"])
    identity = client.get_caller_identity()
    assert identity["Account"] == target and ":assumed-role/dmsnet/s" in identity["Arn"]


def test_calls_are_logged(aws, net):
    aws.ec2.authorize_security_group_ingress(GroupId=net["securityGroupIds"]["target"], IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    with refused("InvalidVpcID.NotFound"):
        aws.ec2.describe_vpcs(VpcIds=["vpc-0123456789abcdef0"])
    aws.dms.describe_endpoints()
    write, read, dms = aws.calls()
    assert (write["service"], write["operation"], write["mutating"], write["status"], write["code"]) == ("ec2", "AuthorizeSecurityGroupIngress", True, 200, "")
    assert write["params"]["IpPermissions.1.IpRanges.1.CidrIp"] == "10.0.0.0/8" and "Action" not in write["params"]
    assert (read["mutating"], read["status"], read["code"]) == (False, 400, "InvalidVpcID.NotFound")
    assert dms["service"] == "dms" and dms["params"] == {} and "Boto3" in dms["agent"] and dms["access_key"] == f"DMSNET{aws.account}"
    assert write["seq"] < read["seq"] < dms["seq"] and abs(dms["at"] - time.time()) < 5 and dms["duration_ms"] >= 0
    assert [c["seq"] for c in aws.calls(after=str(write["seq"]))] == [read["seq"], dms["seq"]]


def test_throttling(aws):
    aws.fault(service="ec2", operation="Describe*", kind="throttle", times=1)
    with refused("RequestLimitExceeded", status=503):
        aws.ec2.describe_vpcs()
    aws.ec2.describe_vpcs()
    aws.fault(service="dms", kind="throttle", times=1)
    with refused("ThrottlingException", status=400):
        aws.dms.describe_endpoints()


def test_errors_of_choice(aws, net):
    aws.fault(service="ec2", operation="AuthorizeSecurityGroup*", kind="error", code="UnauthorizedOperation", message="You are not authorized", status=403)
    with refused("UnauthorizedOperation", "not authorized", status=403):
        aws.ec2.authorize_security_group_ingress(GroupId=net["securityGroupIds"]["target"], IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    aws.fault(service="rds", kind="error", times=1)
    with refused("InternalError", status=500):
        aws.rds.describe_db_instances()


def test_denied(aws):
    aws.fault(operation="Describe*", kind="denied")
    with refused("UnauthorizedOperation", "ec2:DescribeVpcs", status=403):
        aws.ec2.describe_vpcs()
    with refused("AccessDeniedException", "dms:DescribeEndpoints"):
        aws.dms.describe_endpoints()


def test_skip_times_match_and_removal(aws):
    fault = aws.fault(operation="DescribeVpcs", kind="throttle", skip=1, times=1, match="Filter.1.Name=is-default")
    mine = [{"Name": "is-default", "Values": ["true"]}]
    aws.ec2.describe_vpcs()
    aws.ec2.describe_vpcs(Filters=mine)
    with refused("RequestLimitExceeded"):
        aws.ec2.describe_vpcs(Filters=mine)
    aws.ec2.describe_vpcs(Filters=mine)
    assert [f["hits"] for f in aws.control("GET", "faults")["faults"] if f["id"] == fault["id"]] == [1]
    aws.control("DELETE", f"faults/{fault['id']}")
    with pytest.raises(urllib.error.HTTPError) as error:
        aws.control("DELETE", f"faults/{fault['id']}")
    assert error.value.code == 404


def test_chance_comes_from_the_seed(aws):
    def pattern():
        fault = aws.fault(operation="DescribeVpcs", kind="throttle", probability=0.5, seed=7)
        seen = ""
        for _ in range(12):
            try:
                aws.ec2.describe_vpcs()
                seen += "."
            except ClientError:
                seen += "x"
        aws.control("DELETE", f"faults/{fault['id']}")
        return seen

    first = pattern()
    assert first == pattern() and {"x", "."} == set(first)


def test_buckets_empty_and_refill(aws):
    aws.fault(service="ec2", operation="DescribeVpcs", kind="bucket", capacity=3, refill=20)
    for _ in range(3):
        aws.ec2.describe_vpcs()
    with refused("RequestLimitExceeded"):
        for _ in range(20):
            aws.ec2.describe_vpcs()
    time.sleep(0.1)
    aws.ec2.describe_vpcs()


def test_delay(aws):
    aws.fault(operation="DescribeVpcs", kind="delay", seconds=0.2)
    began = time.monotonic()
    aws.ec2.describe_vpcs()
    assert time.monotonic() - began >= 0.2


def test_reset_does_nothing_and_says_nothing(aws, net):
    aws.fault(operation="CreateSecurityGroup", kind="reset")
    with pytest.raises(Exception) as error:
        aws.group(net["vpcId"], "g")
    assert "reset" in repr(error.value).lower() or isinstance(error.value, ConnectionClosedError)
    assert "g" not in [each["name"] for each in aws.state()["securityGroups"].values()]


@pytest.mark.parametrize("how", ["reset", "close"])
def test_a_lost_answer_did_the_work(aws, net, how):
    aws.fault(operation="CreateSecurityGroup", kind="lost_answer", how=how, times=1)
    with pytest.raises(Exception, match="(?i)closed|reset"):
        aws.group(net["vpcId"], "g")
    assert "g" in [each["name"] for each in aws.state()["securityGroups"].values()]
    assert [(c["operation"], c["status"], c["code"]) for c in aws.calls()] == [("CreateSecurityGroup", 0, "LostAnswer")]


def test_timeout(aws):
    aws.fault(operation="DescribeVpcs", kind="timeout", seconds=2)
    with pytest.raises(ReadTimeoutError):
        aws.client("ec2", timeout=0.2).describe_vpcs()


def test_stale_reads(aws, net):
    group = net["securityGroupIds"]["target"]

    def count():
        return len(aws.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])["SecurityGroupRules"])

    assert count() == 0
    fault = aws.fault(kind="stale", operation="Describe*", seconds=0.3)
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    assert count() == 0
    time.sleep(0.35)
    aws.control("DELETE", f"faults/{fault['id']}")
    assert count() == 1
    aws.fault(kind="stale", operation="Describe*", seconds=0.01)
    time.sleep(0.05)
    assert count() == 1


def test_dry_run_everywhere(aws, net):
    for call, wish in ((aws.ec2.describe_vpcs, {}), (aws.ec2.create_security_group, {"GroupName": "g", "Description": "d"}),
                       (aws.ec2.authorize_security_group_egress, {"GroupId": net["securityGroupIds"]["target"], "IpPermissions": []}),
                       (aws.ec2.create_route_table, {"VpcId": net["vpcId"]})):
        with refused("DryRunOperation", status=412):
            call(DryRun=True, **wish)


def test_what_is_not_there_is_an_error_of_aws(aws):
    with refused("UnsupportedOperation", status=400):
        aws.ec2.describe_network_insights_paths()
    with refused("InvalidParameterValue", "The filter 'nonsense' is invalid", status=400):
        aws.ec2.describe_internet_gateways(Filters=[{"Name": "nonsense", "Values": ["x"]}])
    with refused("UnsupportedOperation", status=400):
        aws.rds.describe_reserved_db_instances()


def test_state_is_equal_until_something_changes(aws, net):
    before = aws.state()
    assert before == aws.state()
    group = net["securityGroupIds"]["target"]
    aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    changed = aws.state()
    assert changed != before and list(changed["securityGroups"][group]["ingress"].values())[0]["peer"] == "10.0.0.0/8"
    aws.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[tcp(1, **cidr("10.0.0.0/8"))])
    assert aws.state() == before


def test_topology(aws):
    net = aws.topology(prefix="x-", cidr="10.3.0.0/16", instances=2, publicly_accessible=True)
    assert [i["id"] for i in net["instances"]] == ["x-orders-ri", "x-orders-ri-2"]
    assert net["instances"][0]["securityGroupId"] != net["instances"][1]["securityGroupId"] and net["instance"]["publicIps"]
    groups = aws.ec2.describe_security_groups(GroupIds=list(net["securityGroupIds"].values()))["SecurityGroups"]
    assert {g["GroupName"] for g in groups} == {"x-dms-replication", "x-orders-source", "x-orders-target"}
    assert all(g["IpPermissions"] == g["IpPermissionsEgress"] == [] for g in groups)
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        shown = aws.ec2.describe_vpc_attribute(VpcId=net["vpcId"], Attribute=attribute)
        assert shown[attribute[0].upper() + attribute[1:]]["Value"] is True


def test_wrong_wishes_are_told(aws):
    for path, body in (("faults", {"kind": "nonsense"}), ("faults", {"kind": "error", "nonsense": 1}), ("delays", {"nonsense": 1}), ("topology", {"nonsense": 1})):
        with pytest.raises(urllib.error.HTTPError) as error:
            aws.control("POST", path, body)
        assert error.value.code == 400 and b"nonsense" in error.value.read()


def test_quotas_can_be_set(aws, net):
    aws.control("POST", "quotas", {"rules_per_group": 1})
    try:
        with refused("RulesPerSecurityGroupLimitExceeded"):
            aws.ec2.authorize_security_group_ingress(GroupId=net["securityGroupIds"]["target"], IpPermissions=[tcp(1, **cidr("10.0.0.0/8")), tcp(2, **cidr("10.0.0.0/8"))])
    finally:
        aws.control("POST", "quotas", {"rules_per_group": 60})


def test_sqs_answers_while_another_call_waits(aws):
    queue = aws.sqs.create_queue(QueueName="q")["QueueUrl"]
    aws.sqs.send_message(QueueUrl=queue, MessageBody="m")
    assert aws.sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "m"
