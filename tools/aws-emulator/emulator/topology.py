"""The reference network, in one call: a VPC, four subnets, groups without rules, DMS instances and endpoints, a database."""

import ipaddress
from typing import Any

from .accounts import DEFAULT_ACCOUNT
from .ec2.rules import rules_of
from .ec2.security_groups import make_group
from .registry import OPERATIONS, Call, ec2_of


def build(
    account: str = DEFAULT_ACCOUNT, region: str = "us-east-1", prefix: str = "", cidr: str = "10.0.0.0/16", instances: int = 1,
    instance: str = "orders-ri", publicly_accessible: bool = False, source_host: str = "orders-source.example.com",
    source_engine: str = "postgres", source_port: int = 5432, target_engine: str = "mysql", target_port: int = 3306,
    rds: bool = True, multi_az: bool = False, serverless: str = "",
) -> dict[str, Any]:
    """Names begin with `prefix`. With several instances each has its own group, and all but the first a number in its name.
    `serverless` names a DMS Serverless replication config, from source to target, where the first instance is."""
    backend, place = ec2_of(account, region), (account, region)
    vpc = backend.create_vpc(cidr)
    vpc.enable_dns_support = vpc.enable_dns_hostnames = True
    name(backend, vpc.id, f"{prefix}orders")
    blocks = list(ipaddress.ip_network(cidr).subnets(prefixlen_diff=min(8, 28 - ipaddress.ip_network(cidr).prefixlen)))
    zones = [zone.name for zone in backend.describe_availability_zones()][:2]
    private = [make_subnet(backend, vpc, str(blocks[1 + i]), zone, f"{prefix}private-{i + 1}") for i, zone in enumerate(zones)]
    databases = [make_subnet(backend, vpc, str(blocks[3 + i]), zone, f"{prefix}database-{i + 1}") for i, zone in enumerate(zones)]
    tables = {}
    for kind, subnets in (("private", private), ("database", databases)):
        table = backend.create_route_table(vpc.id)
        name(backend, table.id, f"{prefix}{kind}")
        for subnet in subnets:
            backend.associate_route_table(table.id, subnet_id=subnet)
        tables[kind] = table.id

    source, target = (bare_group(backend, vpc, f"{prefix}orders-{end}") for end in ("source", "target"))
    subnet_group = run(place, "dms", "CreateReplicationSubnetGroup", ReplicationSubnetGroupIdentifier=f"{prefix}orders-dms",
                       ReplicationSubnetGroupDescription="the private subnets", SubnetIds=private)["ReplicationSubnetGroup"]
    made = [
        make_instance(place, vpc, f"{prefix}dms-replication{number(i)}", f"{prefix}{instance}{number(i)}",
                      subnet_group["ReplicationSubnetGroupIdentifier"], publicly_accessible, multi_az)
        for i in range(instances)
    ]
    database = make_database(place, f"{prefix}orders-db", target_engine, target_port, databases, target) if rds else None
    target_host = database["host"] if database else "orders-target.example.com"
    endpoints = {
        end: run(place, "dms", "CreateEndpoint", EndpointIdentifier=f"{prefix}orders-{short}", EndpointType=end, EngineName=engine,
                 ServerName=host, Port=port, Username="dms", Password="not-a-secret", DatabaseName="orders")["Endpoint"]
        for end, short, engine, host, port in (
            ("source", "src", source_engine, source_host, source_port), ("target", "tgt", target_engine, target_host, target_port))
    }
    config = serverless and run(
        place, "dms", "CreateReplicationConfig", ReplicationConfigIdentifier=f"{prefix}{serverless}", ReplicationType="full-load-and-cdc",
        SourceEndpointArn=endpoints["source"]["EndpointArn"], TargetEndpointArn=endpoints["target"]["EndpointArn"], TableMappings="{}",
        ComputeConfig={"MaxCapacityUnits": 2, "ReplicationSubnetGroupId": subnet_group["ReplicationSubnetGroupIdentifier"],
                       "VpcSecurityGroupIds": [made[0]["securityGroupId"]]})["ReplicationConfig"]
    return {
        "account": account, "region": region, "vpcId": vpc.id, "cidr": cidr, "zones": zones,
        "subnetIds": private, "databaseSubnetIds": databases, "routeTableIds": tables,
        "networkAclId": next(acl.id for acl in backend.network_acls.values() if acl.vpc_id == vpc.id),
        "defaultSecurityGroupId": backend.get_default_security_group(vpc.id).id,
        "securityGroupIds": {"replication": made[0]["securityGroupId"], "source": source, "target": target},
        "subnetGroup": subnet_group["ReplicationSubnetGroupIdentifier"],
        "instance": made[0], "instances": made,
        "endpoints": {end: {"id": e["EndpointIdentifier"], "arn": e["EndpointArn"], "host": e["ServerName"], "port": e["Port"],
                            "engine": e["EngineName"]} for end, e in endpoints.items()},
        "rds": database,
        "serverless": {"id": config["ReplicationConfigIdentifier"], "arn": config["ReplicationConfigArn"]} if config else None,
    }


def number(i: int) -> str:
    return "" if i == 0 else f"-{i + 1}"


def name(backend: Any, identifier: str, text: str) -> None:
    backend.tags[identifier]["Name"] = text


def make_subnet(backend: Any, vpc: Any, cidr: str, zone: str, text: str) -> str:
    subnet = backend.create_subnet(vpc.id, cidr, availability_zone=zone)
    subnet.map_public_ip_on_launch = False
    name(backend, subnet.id, text)
    return subnet.id


def bare_group(backend: Any, vpc: Any, text: str) -> str:
    """A group without any rule, not even the egress rule that AWS puts into a new one."""
    group = make_group(backend, text, text, vpc.id)
    rules_of(group, True).clear()
    return group.id


def make_instance(place: tuple[str, str], vpc: Any, group_name: str, identifier: str, subnet_group: str, public: bool, multi_az: bool) -> dict[str, Any]:
    group_id = bare_group(ec2_of(*place), vpc, group_name)
    made = run(place, "dms", "CreateReplicationInstance", ReplicationInstanceIdentifier=identifier, ReplicationInstanceClass="dms.t3.medium",
               ReplicationSubnetGroupIdentifier=subnet_group, VpcSecurityGroupIds=[group_id], PubliclyAccessible=public,
               MultiAZ=multi_az)["ReplicationInstance"]
    return {"id": made["ReplicationInstanceIdentifier"], "arn": made["ReplicationInstanceArn"], "securityGroupId": group_id,
            "privateIps": made["ReplicationInstancePrivateIpAddresses"], "publicIps": made["ReplicationInstancePublicIpAddresses"]}


def make_database(place: tuple[str, str], identifier: str, engine: str, port: int, subnet_ids: list[str], group_id: str) -> dict[str, Any]:
    from moto.rds.models import rds_backends

    rds, backend = rds_backends[place[0]][place[1]], ec2_of(*place)
    rds.create_subnet_group(f"{identifier}-subnets", "the database subnets", [backend.get_subnet(each) for each in subnet_ids], [])
    made = rds.create_db_instance({
        "db_instance_identifier": identifier, "engine": engine, "db_instance_class": "db.t3.medium", "allocated_storage": 20,
        "master_username": "admin", "master_user_password": "not-a-secret", "port": port, "publicly_accessible": False,
        "db_subnet_group_name": f"{identifier}-subnets", "vpc_security_group_ids": [group_id],
        "account_id": place[0], "region": place[1],
    })
    return {"id": identifier, "arn": made.db_instance_arn, "host": made.endpoint["Address"], "port": port, "engine": engine,
            "subnetGroup": f"{identifier}-subnets"}


def run(place: tuple[str, str], service: str, operation: str, **params: Any) -> dict[str, Any]:
    return OPERATIONS[service, operation](Call(service, operation, place[1], place[0], params)) or {}
