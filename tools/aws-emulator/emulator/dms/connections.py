"""Connection tests. Their outcome is not computed: they succeed, unless a test said otherwise beforehand."""

from typing import Any

from ..paging import dms_page
from ..registry import Call, operation
from ..world import WORLD
from .endpoints import get_endpoint
from .instances import get_instance
from .store import fault, filtered, require, store_of


@operation("dms", "TestConnection")
def test_connection(call: Call) -> dict[str, Any]:
    require(call, "ReplicationInstanceArn", "EndpointArn")
    instance, endpoint = get_instance(call, call.get("ReplicationInstanceArn")), get_endpoint(call, call.get("EndpointArn"))
    if instance.status != "available":
        raise fault("InvalidResourceStateFault", f"The replication instance is {instance.status}.")
    key = instance.arn, endpoint["EndpointArn"]
    connection = {
        "ReplicationInstanceArn": instance.arn, "EndpointArn": endpoint["EndpointArn"], "Status": "testing",
        "EndpointIdentifier": endpoint["EndpointIdentifier"], "ReplicationInstanceIdentifier": instance.identifier,
    }
    store_of(call).connections[key] = connection
    answer = dict(connection)
    WORLD.later(WORLD.delays.connection, lambda: finish(call, key, connection))
    return {"Connection": answer}


def finish(call: Call, key: tuple[str, str], connection: dict[str, Any]) -> None:
    status, message = store_of(call).outcomes.get(key, ("successful", ""))
    connection["Status"] = status
    if message:
        connection["LastFailureMessage"] = message


@operation("dms", "DescribeConnections")
def describe(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).connections.values()), {
        "endpoint-arn": lambda c: c["EndpointArn"], "replication-instance-arn": lambda c: c["ReplicationInstanceArn"],
    }, "Connection")
    chosen, more = dms_page(call, chosen, lambda c: f"{c['ReplicationInstanceArn']} {c['EndpointArn']}")
    return {"Connections": chosen, **more}


@operation("dms", "DeleteConnection")
def delete(call: Call) -> dict[str, Any]:
    key = call.get("ReplicationInstanceArn", ""), call.get("EndpointArn", "")
    connection = store_of(call).connections.pop(key, None)
    if connection is None:
        raise fault("ResourceNotFoundFault", "Connection not found.")
    return {"Connection": connection | {"Status": "deleting"}}
