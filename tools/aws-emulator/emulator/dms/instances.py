"""Replication instances, with interfaces in their subnets that carry their groups."""

from typing import Any

from ..ec2.network_interfaces import find_subnet, make_service_interface, public_address, remove_later
from ..ec2.rules import find_group
from ..paging import dms_page
from ..registry import Call, operation
from ..world import WORLD
from .store import Instance, SubnetGroup, dns_name, fault, filtered, missing, new_arn, put_tags, require, store_of
from .subnet_groups import get_group, shown_group

DMS = "amazon-dms"
PLAIN = ("MultiAZ", "EngineVersion", "AutoMinorVersionUpgrade", "PreferredMaintenanceWindow", "AllocatedStorage",
         "ReplicationInstanceClass", "NetworkType", "KmsKeyId", "DnsNameServers")
STATUSES = ("available", "creating", "deleted", "deleting", "failed", "modifying", "upgrading", "rebooting",
            "resetting-master-credentials", "storage-full", "incompatible-credentials", "incompatible-network", "maintenance")


@operation("dms", "CreateReplicationInstance")
def create(call: Call) -> dict[str, Any]:
    require(call, "ReplicationInstanceIdentifier", "ReplicationInstanceClass")
    store, name = store_of(call), dns_name(call.get("ReplicationInstanceIdentifier"))
    if any(instance.identifier == name for instance in store.instances.values()):
        raise fault("ResourceAlreadyExistsFault", f"Replication Instance {name} already exists.")
    group = get_group(call, call.get("ReplicationSubnetGroupIdentifier") or default_group(call))
    group_ids = checked_groups(call, group.vpc_id, call.get("VpcSecurityGroupIds")) or [call.ec2.get_default_security_group(group.vpc_id).id]
    if call.get("NetworkType") == "DUAL" and "DUAL" not in shown_group(call, group)["SupportedNetworkTypes"]:
        raise fault("InvalidParameterCombinationException", "The specified network type 'DUAL' is not supported by the replication subnet group.")
    attributes = {"AllocatedStorage": 50, "EngineVersion": "3.5.4", "AutoMinorVersionUpgrade": True, "MultiAZ": False,
                  "NetworkType": "IPV4", "PreferredMaintenanceWindow": "sun:06:00-sun:14:00"}
    attributes |= {key: call.get(key) for key in PLAIN if call.get(key) is not None}
    subnets = zones_first(call, group, call.get("AvailabilityZone"))
    instance = Instance(name, new_arn(call, "rep", call.get("ResourceIdentifier")), attributes, group, group_ids,
                        subnets[0].availability_zone, call.get("PubliclyAccessible", True))
    for subnet in subnets[:2 if attributes["MultiAZ"] else 1]:
        add_interface(call, instance, subnet)
    store.instances[instance.arn] = instance
    put_tags(call, instance.arn)
    WORLD.later(WORLD.delays.instance, lambda: become(instance, "creating", "available"))
    return {"ReplicationInstance": shown_instance(call, instance)}


def default_group(call: Call) -> str:
    """Without a subnet group DMS makes one of the default VPC's subnets."""
    store = store_of(call)
    if "default" not in store.subnet_groups:
        vpc_id = call.ec2.default_vpc.id
        subnet_ids = [s.id for held in call.ec2.subnets.values() for s in held.values() if s.vpc_id == vpc_id]
        store.subnet_groups["default"] = SubnetGroup("default", "default", vpc_id, subnet_ids, new_arn(call, "subgrp", "default"))
    return "default"


def checked_groups(call: Call, vpc_id: str, group_ids: list[str] | None) -> list[str]:
    for identifier in group_ids or []:
        group = find_group(call.ec2, identifier)
        if group is None or group.vpc_id != vpc_id:
            raise fault("InvalidParameterValueException", f"Invalid security group , groupId= {identifier}, groupName=.")
    return list(dict.fromkeys(group_ids or []))


def zones_first(call: Call, group: SubnetGroup, zone: str | None) -> list[Any]:
    """The subnets of the group, one per zone, the wanted zone first."""
    by_zone: dict[str, Any] = {}
    for identifier in group.subnet_ids:
        subnet = find_subnet(call.ec2, identifier)
        by_zone.setdefault(subnet.availability_zone, subnet)
    if zone and zone not in by_zone:
        raise fault("InvalidParameterCombinationException", f"The subnet group has no subnet in {zone}.")
    return sorted(by_zone.values(), key=lambda subnet: subnet.availability_zone != zone)


def add_interface(call: Call, instance: Instance, subnet: Any) -> None:
    public = public_address(f"{instance.arn}{subnet.id}") if instance.publicly_accessible else None
    eni = make_service_interface(call.ec2, subnet, instance.group_ids, "DMSNetworkInterface", "interface", DMS, public)
    instance.eni_ids.append(eni.id)
    instance.private_ips.append(eni.private_ip_address)
    if public:
        instance.public_ips.append(public)


def become(instance: Instance, before: str, after: str) -> None:
    if instance.status == before:
        instance.status = after


@operation("dms", "ModifyReplicationInstance")
def modify(call: Call) -> dict[str, Any]:
    require(call, "ReplicationInstanceArn")
    instance = get_instance(call, call.get("ReplicationInstanceArn"))
    if instance.status != "available":
        raise fault("InvalidResourceStateFault", f"The replication instance is {instance.status}.")
    group_ids = checked_groups(call, instance.subnet_group.vpc_id, call.get("VpcSecurityGroupIds"))
    if call.get("ReplicationInstanceIdentifier"):
        instance.identifier = dns_name(call.get("ReplicationInstanceIdentifier"))
    if group_ids:
        instance.group_ids = group_ids
        for eni_id in instance.eni_ids:
            call.ec2.enis[eni_id]._group_set = [find_group(call.ec2, each) for each in group_ids]
    instance.attributes |= {key: call.get(key) for key in PLAIN if call.get(key) is not None and key not in ("DnsNameServers", "KmsKeyId")}
    return {"ReplicationInstance": shown_instance(call, instance)}


@operation("dms", "DescribeReplicationInstances")
def describe(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).instances.values()), {
        "replication-instance-arn": lambda i: i.arn, "replication-instance-id": lambda i: i.identifier,
        "replication-instance-class": lambda i: i.attributes["ReplicationInstanceClass"],
        "engine-version": lambda i: i.attributes["EngineVersion"],
    }, "Replication Instance")
    chosen, more = dms_page(call, chosen, lambda instance: instance.arn)
    return {"ReplicationInstances": [shown_instance(call, instance) for instance in chosen], **more}


@operation("dms", "DeleteReplicationInstance")
def delete(call: Call) -> dict[str, Any]:
    store, instance = store_of(call), get_instance(call, call.get("ReplicationInstanceArn", ""))
    if any(task["ReplicationInstanceArn"] == instance.arn for task in store.tasks.values()):
        raise fault("InvalidResourceStateFault", "The replication instance has tasks.")
    instance.status = "deleting"
    answer = {"ReplicationInstance": shown_instance(call, instance)}
    WORLD.later(WORLD.delays.instance, lambda: forget(call, instance))
    return answer


def forget(call: Call, instance: Instance) -> None:
    store = store_of(call)
    store.instances.pop(instance.arn, None)
    store.tags.pop(instance.arn, None)
    for key in [key for key in store.connections if key[0] == instance.arn]:
        del store.connections[key]
    remove_later(call.ec2, instance.eni_ids, WORLD.delays.eni)


def get_instance(call: Call, arn: str) -> Instance:
    instance = store_of(call).instances.get(arn)
    if instance is None:
        raise missing("Replication Instance")
    return instance


def shown_instance(call: Call, instance: Instance) -> dict[str, Any]:
    shown = {
        "ReplicationInstanceIdentifier": instance.identifier, "ReplicationInstanceArn": instance.arn,
        "ReplicationInstanceStatus": instance.status, "InstanceCreateTime": instance.created,
        "VpcSecurityGroups": [{"VpcSecurityGroupId": each, "Status": "active"} for each in instance.group_ids],
        "AvailabilityZone": instance.zone, "ReplicationSubnetGroup": shown_group(call, instance.subnet_group),
        "PubliclyAccessible": instance.publicly_accessible, "PendingModifiedValues": {},
        "ReplicationInstancePrivateIpAddresses": instance.private_ips, "ReplicationInstancePublicIpAddresses": instance.public_ips,
        "ReplicationInstanceIpv6Addresses": [], **instance.attributes,
    }
    if instance.private_ips:
        shown["ReplicationInstancePrivateIpAddress"] = instance.private_ips[0]
    if instance.public_ips:
        shown["ReplicationInstancePublicIpAddress"] = instance.public_ips[0]
    if instance.attributes["MultiAZ"] and len(instance.eni_ids) > 1:
        shown["SecondaryAvailabilityZone"] = call.ec2.enis[instance.eni_ids[1]].subnet.availability_zone
    return shown
