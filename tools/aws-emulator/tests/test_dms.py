"""DMS: real subnets, groups and interfaces; errors and pages as AWS gives them. And RDS, which is moto's own."""

from datetime import UTC, datetime

import pytest
from conftest import refused, wait_for


def by(name, *values):
    return {"Filters": [{"Name": name, "Values": list(values)}]}


def test_an_instance_is_where_its_subnet_group_is(aws, net):
    shown = aws.dms.describe_replication_instances(**by("replication-instance-id", "orders-ri"))["ReplicationInstances"][0]
    assert abs((datetime.now(UTC) - shown["InstanceCreateTime"]).total_seconds()) < 60
    assert shown["ReplicationInstanceStatus"] == "available"
    group = shown["ReplicationSubnetGroup"]
    assert group["VpcId"] == net["vpcId"] and [s["SubnetIdentifier"] for s in group["Subnets"]] == net["subnetIds"]
    assert {s["SubnetAvailabilityZone"]["Name"] for s in group["Subnets"]} == {"us-west-2a", "us-west-2b"}
    assert [g["VpcSecurityGroupId"] for g in shown["VpcSecurityGroups"]] == [net["securityGroupIds"]["replication"]]
    eni = aws.ec2.describe_network_interfaces(**by("description", "DMSNetworkInterface"))["NetworkInterfaces"][0]
    assert shown["ReplicationInstancePrivateIpAddresses"] == [eni["PrivateIpAddress"]] and eni["PrivateIpAddress"].startswith("10.0.1.")
    assert [g["GroupId"] for g in eni["Groups"]] == [net["securityGroupIds"]["replication"]]
    assert shown["PubliclyAccessible"] is False and shown["ReplicationInstancePublicIpAddresses"] == []


def test_a_public_instance_has_a_public_address(aws):
    aws.topology(publicly_accessible=True, rds=False)
    shown = aws.dms.describe_replication_instances()["ReplicationInstances"][0]
    eni = aws.ec2.describe_network_interfaces(**by("description", "DMSNetworkInterface"))["NetworkInterfaces"][0]
    assert shown["ReplicationInstancePublicIpAddresses"] == [eni["Association"]["PublicIp"]]
    assert eni["PrivateIpAddresses"][0]["Association"]["PublicIp"] == eni["Association"]["PublicIp"]


def test_multi_az_has_two_interfaces(aws):
    aws.topology(multi_az=True, rds=False)
    shown = aws.dms.describe_replication_instances()["ReplicationInstances"][0]
    assert len(shown["ReplicationInstancePrivateIpAddresses"]) == 2 and shown["SecondaryAvailabilityZone"] == "us-west-2b"


def test_unknown_ids_are_faults(aws, net):
    for call, name in ((aws.dms.describe_replication_instances, "replication-instance-id"), (aws.dms.describe_endpoints, "endpoint-id"),
                       (aws.dms.describe_replication_subnet_groups, "replication-subnet-group-id"),
                       (aws.dms.describe_replication_configs, "replication-config-id")):
        with refused("ResourceNotFoundFault"):
            call(**by(name, "none"))
    found = aws.dms.describe_replication_instances(**by("replication-instance-id", "none", "orders-ri"))
    assert len(found["ReplicationInstances"]) == 1
    with refused("InvalidParameterValueException"):
        aws.dms.describe_replication_instances(**by("nonsense", "x"))


def test_pages(aws):
    aws.topology(instances=25, rds=False)
    first = aws.dms.describe_replication_instances(MaxRecords=20)
    rest = aws.dms.describe_replication_instances(MaxRecords=20, Marker=first["Marker"])
    assert (len(first["ReplicationInstances"]), len(rest["ReplicationInstances"])) == (20, 5) and "Marker" not in rest
    assert len({i["ReplicationInstanceIdentifier"] for i in first["ReplicationInstances"] + rest["ReplicationInstances"]}) == 25


def test_modify_moves_the_interfaces_to_other_groups(aws, net):
    arn, group = net["instance"]["arn"], net["securityGroupIds"]["source"]
    aws.dms.modify_replication_instance(ReplicationInstanceArn=arn, VpcSecurityGroupIds=[group])
    eni = aws.ec2.describe_network_interfaces(**by("description", "DMSNetworkInterface"))["NetworkInterfaces"][0]
    assert [g["GroupId"] for g in eni["Groups"]] == [group]


def test_delete_leaves_the_interface_for_a_while(aws, net, delays):
    delays(instance=0.1, eni=0.3)
    arn, group = net["instance"]["arn"], net["securityGroupIds"]["replication"]
    assert aws.dms.delete_replication_instance(ReplicationInstanceArn=arn)["ReplicationInstance"]["ReplicationInstanceStatus"] == "deleting"
    wait_for(lambda: not aws.dms.describe_replication_instances()["ReplicationInstances"])
    with refused("DependencyViolation"):
        aws.ec2.delete_security_group(GroupId=group)
    wait_for(lambda: not aws.ec2.describe_network_interfaces(**by("description", "DMSNetworkInterface"))["NetworkInterfaces"])
    aws.ec2.delete_security_group(GroupId=group)


def test_status_can_be_set(aws, net):
    where = {"account": aws.account, "region": aws.region}
    aws.control("POST", "dms/instances/orders-ri/status", {"status": "incompatible-network", **where})
    assert aws.dms.describe_replication_instances()["ReplicationInstances"][0]["ReplicationInstanceStatus"] == "incompatible-network"
    with refused("InvalidResourceStateFault"):
        aws.dms.modify_replication_instance(ReplicationInstanceArn=net["instance"]["arn"], MultiAZ=True)


def test_endpoints(aws, net):
    shown = aws.dms.describe_endpoints(**by("endpoint-id", "orders-src"))["Endpoints"][0]
    assert (shown["Status"], shown["EngineName"], shown["ServerName"], shown["Port"]) == ("active", "postgres", "orders-source.example.com", 5432)
    assert "Password" not in shown
    with refused("ResourceAlreadyExistsFault"):
        aws.dms.create_endpoint(EndpointIdentifier="orders-src", EndpointType="source", EngineName="mysql")
    aws.dms.modify_endpoint(EndpointArn=shown["EndpointArn"], Port=6543)
    assert aws.dms.describe_endpoints(**by("endpoint-arn", shown["EndpointArn"]))["Endpoints"][0]["Port"] == 6543
    aws.dms.delete_endpoint(EndpointArn=shown["EndpointArn"])
    with refused("ResourceNotFoundFault"):
        aws.dms.delete_endpoint(EndpointArn=shown["EndpointArn"])


def test_subnet_groups(aws, net):
    with refused("ReplicationSubnetGroupDoesNotCoverEnoughAZs"):
        aws.dms.create_replication_subnet_group(ReplicationSubnetGroupIdentifier="one", ReplicationSubnetGroupDescription="d", SubnetIds=net["subnetIds"][:1])
    with refused("InvalidSubnet"):
        aws.dms.create_replication_subnet_group(ReplicationSubnetGroupIdentifier="one", ReplicationSubnetGroupDescription="d", SubnetIds=["subnet-0123456789abcdef0"])
    with refused("InvalidResourceStateFault"):
        aws.dms.delete_replication_subnet_group(ReplicationSubnetGroupIdentifier="orders-dms")
    changed = aws.dms.modify_replication_subnet_group(ReplicationSubnetGroupIdentifier="orders-dms", SubnetIds=net["subnetIds"] + net["databaseSubnetIds"])
    assert len(changed["ReplicationSubnetGroup"]["Subnets"]) == 4


def test_connections(aws, net):
    where = {"account": aws.account, "region": aws.region}
    pair = {"ReplicationInstanceArn": net["instance"]["arn"], "EndpointArn": net["endpoints"]["source"]["arn"]}
    assert aws.dms.test_connection(**pair)["Connection"]["Status"] == "testing"

    def status():
        return aws.dms.describe_connections(**by("endpoint-arn", pair["EndpointArn"]))["Connections"][0]

    wait_for(lambda: status()["Status"] == "successful")
    aws.control("POST", "dms/connections", {"instance": "orders-ri", "endpoint": "orders-src", "status": "failed", "message": "timeout", **where})
    aws.dms.test_connection(**pair)
    wait_for(lambda: status()["Status"] == "failed")
    assert status()["LastFailureMessage"] == "timeout"


def test_serverless(aws, net):
    wish = {"ReplicationConfigIdentifier": "orders-cfg", "SourceEndpointArn": net["endpoints"]["source"]["arn"], "TargetEndpointArn": net["endpoints"]["target"]["arn"],
            "ReplicationType": "full-load", "TableMappings": "{}",
            "ComputeConfig": {"MaxCapacityUnits": 2, "ReplicationSubnetGroupId": "orders-dms", "VpcSecurityGroupIds": [net["securityGroupIds"]["replication"]]}}
    arn = aws.dms.create_replication_config(**wish)["ReplicationConfig"]["ReplicationConfigArn"]
    shown = aws.dms.describe_replication_configs(**by("replication-config-id", "orders-cfg"))["ReplicationConfigs"][0]
    assert shown["ComputeConfig"] == wish["ComputeConfig"]
    assert aws.dms.describe_replications(**by("replication-config-arn", arn))["Replications"][0]["Status"] == "created"
    aws.control("POST", "dms/replications/orders-cfg", {"account": aws.account, "region": aws.region, "status": "failed", "failure_messages": ["m"]})
    assert aws.dms.describe_replications()["Replications"][0]["FailureMessages"] == ["m"]
    aws.dms.delete_replication_config(ReplicationConfigArn=arn)
    assert aws.dms.describe_replication_configs()["ReplicationConfigs"] == []


def test_a_topology_brings_a_replication_config_if_asked(aws):
    assert aws.topology()["serverless"] is None
    net = aws.topology(prefix="x-", serverless="orders-cfg", cidr="10.1.0.0/16")
    shown = aws.dms.describe_replication_configs(**by("replication-config-id", "x-orders-cfg"))["ReplicationConfigs"][0]
    assert shown["ReplicationConfigArn"] == net["serverless"]["arn"]
    assert shown["ComputeConfig"]["VpcSecurityGroupIds"] == [net["securityGroupIds"]["replication"]]
    assert shown["SourceEndpointArn"] == net["endpoints"]["source"]["arn"]


def test_tasks_and_tags(aws, net):
    task = aws.dms.create_replication_task(
        ReplicationTaskIdentifier="t", SourceEndpointArn=net["endpoints"]["source"]["arn"], TargetEndpointArn=net["endpoints"]["target"]["arn"],
        ReplicationInstanceArn=net["instance"]["arn"], MigrationType="full-load", TableMappings="{}")["ReplicationTask"]
    assert aws.dms.describe_replication_tasks(**by("replication-instance-arn", net["instance"]["arn"]))["ReplicationTasks"][0]["Status"] == "ready"
    with refused("InvalidResourceStateFault"):
        aws.dms.delete_endpoint(EndpointArn=net["endpoints"]["source"]["arn"])
    aws.dms.add_tags_to_resource(ResourceArn=task["ReplicationTaskArn"], Tags=[{"Key": "k", "Value": "v"}])
    assert aws.dms.list_tags_for_resource(ResourceArn=task["ReplicationTaskArn"])["TagList"][0]["Value"] == "v"


def test_what_dms_here_does_not_have(aws):
    with refused("UnsupportedOperation", "DescribeDataMigrations", status=400):
        aws.dms.describe_data_migrations()


# ------------------------------------------------------------------------- RDS

def test_rds_knows_groups_subnets_and_address(aws):
    net = aws.topology(target_engine="postgres", target_port=5432)
    shown = aws.rds.describe_db_instances(DBInstanceIdentifier="orders-db")["DBInstances"][0]
    assert [g["VpcSecurityGroupId"] for g in shown["VpcSecurityGroups"]] == [net["securityGroupIds"]["target"]]
    assert shown["DBSubnetGroup"]["VpcId"] == net["vpcId"]
    assert sorted(s["SubnetIdentifier"] for s in shown["DBSubnetGroup"]["Subnets"]) == sorted(net["databaseSubnetIds"])
    assert shown["Endpoint"]["Port"] == 5432 and shown["Endpoint"]["Address"] == net["rds"]["host"] == net["endpoints"]["target"]["host"]
    with refused("DBInstanceNotFound"):
        aws.rds.describe_db_instances(DBInstanceIdentifier="none")


@pytest.mark.parametrize("kind", ["instance", "cluster"])
def test_rds_filters_take_several_values(aws, kind):
    for name in ("a", "b", "c"):
        if kind == "instance":
            aws.rds.create_db_instance(DBInstanceIdentifier=name, Engine="mysql", DBInstanceClass="db.t3.small", AllocatedStorage=20, MasterUsername="u", MasterUserPassword="password")
        else:
            aws.rds.create_db_cluster(DBClusterIdentifier=name, Engine="aurora-mysql", MasterUsername="u", MasterUserPassword="password")
    if kind == "instance":
        found = [i["DBInstanceIdentifier"] for i in aws.rds.describe_db_instances(**by("db-instance-id", "a", "c", "none"))["DBInstances"]]
    else:
        found = [i["DBClusterIdentifier"] for i in aws.rds.describe_db_clusters(**by("db-cluster-id", "a", "c", "none"))["DBClusters"]]
        with refused("DBClusterNotFoundFault"):
            aws.rds.describe_db_clusters(DBClusterIdentifier="none")
    assert found == ["a", "c"]
