"""Replication tasks: which instance copies from which endpoint to which. Nothing is copied."""

import time
from typing import Any

from ..paging import dms_page
from ..registry import Call, operation
from .endpoints import get_endpoint
from .instances import get_instance
from .store import dns_name, fault, filtered, missing, new_arn, put_tags, require, store_of

PLAIN = ("MigrationType", "TableMappings", "ReplicationTaskSettings", "CdcStartPosition", "CdcStopPosition", "TaskData")


@operation("dms", "CreateReplicationTask")
def create(call: Call) -> dict[str, Any]:
    require(call, "ReplicationTaskIdentifier", "SourceEndpointArn", "TargetEndpointArn", "ReplicationInstanceArn", "MigrationType", "TableMappings")
    store, name = store_of(call), dns_name(call.get("ReplicationTaskIdentifier"))
    if any(task["ReplicationTaskIdentifier"] == name for task in store.tasks.values()):
        raise fault("ResourceAlreadyExistsFault", f"Replication task {name} already exists.")
    task = {
        "ReplicationTaskIdentifier": name, "ReplicationTaskArn": new_arn(call, "task", call.get("ResourceIdentifier")), "Status": "ready",
        "SourceEndpointArn": get_endpoint(call, call.get("SourceEndpointArn"))["EndpointArn"],
        "TargetEndpointArn": get_endpoint(call, call.get("TargetEndpointArn"))["EndpointArn"],
        "ReplicationInstanceArn": get_instance(call, call.get("ReplicationInstanceArn")).arn,
        "ReplicationTaskCreationDate": time.time(), **{key: call.get(key) for key in PLAIN if call.get(key) is not None},
    }
    store.tasks[task["ReplicationTaskArn"]] = task
    put_tags(call, task["ReplicationTaskArn"])
    return {"ReplicationTask": task}


@operation("dms", "StartReplicationTask", "StopReplicationTask", "ModifyReplicationTask")
def change(call: Call) -> dict[str, Any]:
    task = get_task(call)
    if call.operation == "StartReplicationTask":
        task |= {"Status": "running", "ReplicationTaskStartDate": time.time()}
    elif call.operation == "StopReplicationTask":
        task["Status"] = "stopped"
    else:
        task.update({key: call.get(key) for key in PLAIN if call.get(key) is not None})
    return {"ReplicationTask": task}


@operation("dms", "DescribeReplicationTasks")
def describe(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).tasks.values()), {
        "replication-task-arn": lambda t: t["ReplicationTaskArn"], "replication-task-id": lambda t: t["ReplicationTaskIdentifier"],
        "migration-type": lambda t: t["MigrationType"], "endpoint-arn": lambda t: [t["SourceEndpointArn"], t["TargetEndpointArn"]],
        "replication-instance-arn": lambda t: t["ReplicationInstanceArn"],
    }, "Replication task")
    chosen, more = dms_page(call, chosen, lambda task: task["ReplicationTaskArn"])
    return {"ReplicationTasks": chosen, **more}


@operation("dms", "DeleteReplicationTask")
def delete(call: Call) -> dict[str, Any]:
    task = get_task(call)
    del store_of(call).tasks[task["ReplicationTaskArn"]]
    return {"ReplicationTask": task | {"Status": "deleting"}}


def get_task(call: Call) -> dict[str, Any]:
    task = store_of(call).tasks.get(call.get("ReplicationTaskArn", ""))
    if task is None:
        raise missing("Replication task")
    return task
