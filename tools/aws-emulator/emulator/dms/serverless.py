"""DMS Serverless: replication configs, and the replications that run from them."""

import time
from typing import Any

from ..paging import dms_page
from ..registry import Call, operation
from .endpoints import get_endpoint
from .instances import checked_groups
from .store import dns_name, fault, filtered, missing, new_arn, put_tags, require, store_of
from .subnet_groups import get_group

PLAIN = ("ReplicationType", "TableMappings", "ReplicationSettings", "SupplementalSettings", "SourceEndpointArn", "TargetEndpointArn")
AT_REST = ("created", "stopped", "failed")


@operation("dms", "CreateReplicationConfig")
def create(call: Call) -> dict[str, Any]:
    require(call, "ReplicationConfigIdentifier", "SourceEndpointArn", "TargetEndpointArn", "ComputeConfig", "ReplicationType", "TableMappings")
    store, name = store_of(call), dns_name(call.get("ReplicationConfigIdentifier"))
    if any(config["ReplicationConfigIdentifier"] == name for config in store.configs.values()):
        raise fault("ResourceAlreadyExistsFault", f"Replication config {name} already exists.")
    for end in ("SourceEndpointArn", "TargetEndpointArn"):
        get_endpoint(call, call.get(end))
    compute = checked_compute(call, call.get("ComputeConfig"))
    arn, now = new_arn(call, "replication-config", call.get("ResourceIdentifier")), time.time()
    config = {
        "ReplicationConfigIdentifier": name, "ReplicationConfigArn": arn, "ComputeConfig": compute, "IsReadOnly": False,
        "ReplicationConfigCreateTime": now, "ReplicationConfigUpdateTime": now,
        **{key: call.get(key) for key in PLAIN if call.get(key) is not None},
    }
    store.configs[arn] = config
    store.replications[arn] = {
        "ReplicationConfigIdentifier": name, "ReplicationConfigArn": arn, "Status": "created", "FailureMessages": [],
        "SourceEndpointArn": config["SourceEndpointArn"], "TargetEndpointArn": config["TargetEndpointArn"],
        "ReplicationType": config["ReplicationType"], "ReplicationCreateTime": now, "ReplicationUpdateTime": now,
    }
    put_tags(call, arn)
    return {"ReplicationConfig": config}


def checked_compute(call: Call, compute: dict[str, Any]) -> dict[str, Any]:
    if compute.get("MaxCapacityUnits") is None:
        raise fault("InvalidParameterValueException", "MaxCapacityUnits must be provided.")
    name = compute.get("ReplicationSubnetGroupId")
    if name:
        group = get_group(call, name)
        checked_groups(call, group.vpc_id, compute.get("VpcSecurityGroupIds"))
    return dict(compute)


@operation("dms", "ModifyReplicationConfig")
def modify(call: Call) -> dict[str, Any]:
    config = get_config(call, call.get("ReplicationConfigArn", ""))
    replication = store_of(call).replications[config["ReplicationConfigArn"]]
    if replication["Status"] not in AT_REST:
        raise fault("InvalidResourceStateFault", f"The replication is {replication['Status']}.")
    if call.get("ComputeConfig"):
        config["ComputeConfig"] = checked_compute(call, config["ComputeConfig"] | call.get("ComputeConfig"))
    config.update({key: call.get(key) for key in PLAIN if call.get(key) is not None})
    config["ReplicationConfigUpdateTime"] = time.time()
    return {"ReplicationConfig": config}


@operation("dms", "DescribeReplicationConfigs")
def describe_configs(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).configs.values()), CONFIG_GETTERS, "Replication config")
    chosen, more = dms_page(call, chosen, lambda config: config["ReplicationConfigArn"])
    return {"ReplicationConfigs": chosen, **more}


@operation("dms", "DescribeReplications")
def describe_replications(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).replications.values()), CONFIG_GETTERS, "Replication")
    chosen, more = dms_page(call, chosen, lambda replication: replication["ReplicationConfigArn"])
    return {"Replications": chosen, **more}


@operation("dms", "DeleteReplicationConfig")
def delete(call: Call) -> dict[str, Any]:
    store, config = store_of(call), get_config(call, call.get("ReplicationConfigArn", ""))
    arn = config["ReplicationConfigArn"]
    if store.replications[arn]["Status"] not in AT_REST:
        raise fault("InvalidResourceStateFault", "The replication is running.")
    del store.configs[arn], store.replications[arn]
    store.tags.pop(arn, None)
    return {"ReplicationConfig": config}


@operation("dms", "StartReplication", "StopReplication")
def start_or_stop(call: Call) -> dict[str, Any]:
    replication = store_of(call).replications[get_config(call, call.get("ReplicationConfigArn", ""))["ReplicationConfigArn"]]
    replication["Status"] = "running" if call.operation == "StartReplication" else "stopped"
    replication["ReplicationUpdateTime"] = time.time()
    return {"Replication": replication}


def get_config(call: Call, arn: str) -> dict[str, Any]:
    config = store_of(call).configs.get(arn)
    if config is None:
        raise missing("Replication config")
    return config


CONFIG_GETTERS = {
    "replication-config-arn": lambda c: c["ReplicationConfigArn"],
    "replication-config-id": lambda c: c["ReplicationConfigIdentifier"],
    "source-endpoint-arn": lambda c: c["SourceEndpointArn"],
    "target-endpoint-arn": lambda c: c["TargetEndpointArn"],
    "replication-type": lambda c: c["ReplicationType"],
}
