"""Replication subnet groups, of real subnets."""

from typing import Any

from ..ec2.network_interfaces import find_subnet
from ..errors import AwsError
from ..paging import dms_page
from ..registry import Call, operation
from .store import SubnetGroup, fault, filtered, missing, new_arn, put_tags, require, store_of


@operation("dms", "CreateReplicationSubnetGroup")
def create(call: Call) -> dict[str, Any]:
    require(call, "ReplicationSubnetGroupIdentifier", "ReplicationSubnetGroupDescription", "SubnetIds")
    name = call.get("ReplicationSubnetGroupIdentifier").lower()
    groups = store_of(call).subnet_groups
    if name in groups:
        raise fault("ResourceAlreadyExistsFault", f"ReplicationSubnetGroup {name} already exists.")
    vpc_id, subnet_ids = checked_subnets(call)
    group = SubnetGroup(name, call.get("ReplicationSubnetGroupDescription"), vpc_id, subnet_ids, new_arn(call, "subgrp", name))
    groups[name] = group
    put_tags(call, group.arn)
    return {"ReplicationSubnetGroup": shown_group(call, group)}


def checked_subnets(call: Call) -> tuple[str, list[str]]:
    try:
        subnets = [find_subnet(call.ec2, each) for each in dict.fromkeys(call.get("SubnetIds"))]
    except AwsError as error:
        raise fault("InvalidSubnet", error.message) from None
    if len({subnet.vpc_id for subnet in subnets}) > 1:
        raise fault("InvalidSubnet", "The subnets are not in one VPC.")
    if len({subnet.availability_zone for subnet in subnets}) < 2:
        raise fault("ReplicationSubnetGroupDoesNotCoverEnoughAZs",
                    "The replication subnet group doesn't meet availability zone coverage requirements. It must cover at least 2 availability zones.")
    return subnets[0].vpc_id, [subnet.id for subnet in subnets]


@operation("dms", "ModifyReplicationSubnetGroup")
def modify(call: Call) -> dict[str, Any]:
    require(call, "ReplicationSubnetGroupIdentifier", "SubnetIds")
    group = get_group(call, call.get("ReplicationSubnetGroupIdentifier"))
    vpc_id, subnet_ids = checked_subnets(call)
    if vpc_id != group.vpc_id:
        raise fault("InvalidSubnet", "The subnets are not in the VPC of the group.")
    used = {call.ec2.enis[eni].subnet.id for i in store_of(call).instances.values() if i.subnet_group is group for eni in i.eni_ids}
    if used - set(subnet_ids):
        raise fault("SubnetAlreadyInUse", f"The subnet {(used - set(subnet_ids)).pop()} is in use.")
    group.subnet_ids = subnet_ids
    group.description = call.get("ReplicationSubnetGroupDescription", group.description)
    return {"ReplicationSubnetGroup": shown_group(call, group)}


@operation("dms", "DescribeReplicationSubnetGroups")
def describe(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).subnet_groups.values()), {"replication-subnet-group-id": lambda g: g.identifier}, "ReplicationSubnetGroup")
    chosen, more = dms_page(call, chosen, lambda group: group.identifier)
    return {"ReplicationSubnetGroups": [shown_group(call, group) for group in chosen], **more}


@operation("dms", "DeleteReplicationSubnetGroup")
def delete(call: Call) -> None:
    group, store = get_group(call, call.get("ReplicationSubnetGroupIdentifier", "")), store_of(call)
    used_by_config = any(c["ComputeConfig"].get("ReplicationSubnetGroupId") == group.identifier for c in store.configs.values())
    if used_by_config or any(instance.subnet_group is group for instance in store.instances.values()):
        raise fault("InvalidResourceStateFault", f"The replication subnet group {group.identifier} is in use.")
    del store.subnet_groups[group.identifier]
    store.tags.pop(group.arn, None)


def get_group(call: Call, name: str) -> SubnetGroup:
    group = store_of(call).subnet_groups.get(name.lower())
    if group is None:
        raise missing(f"ReplicationSubnetGroup {name}")
    return group


def shown_group(call: Call, group: SubnetGroup) -> dict[str, Any]:
    subnets = []
    for identifier in group.subnet_ids:
        try:
            subnets.append(find_subnet(call.ec2, identifier))
        except AwsError:
            continue  # deleted behind the group's back
    dual = bool(subnets) and all(subnet.ipv6_cidr_block_associations for subnet in subnets)
    return {
        "ReplicationSubnetGroupIdentifier": group.identifier, "ReplicationSubnetGroupDescription": group.description,
        "VpcId": group.vpc_id, "SubnetGroupStatus": "Complete", "IsReadOnly": False,
        "SupportedNetworkTypes": ["IPV4", "DUAL"] if dual else ["IPV4"],
        "Subnets": [
            {"SubnetIdentifier": s.id, "SubnetAvailabilityZone": {"Name": s.availability_zone}, "SubnetStatus": "Active"} for s in subnets
        ],
    }
