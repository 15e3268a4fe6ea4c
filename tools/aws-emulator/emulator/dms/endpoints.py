"""DMS endpoints: what a source or target database is called and where it is."""

from typing import Any

from ..paging import dms_page
from ..registry import Call, operation
from .store import dns_name, fault, filtered, missing, new_arn, put_tags, require, store_of

ENGINES = {
    "mysql": "MySQL", "oracle": "Oracle", "postgres": "PostgreSQL", "mariadb": "MariaDB", "aurora": "Amazon Aurora MySQL",
    "aurora-postgresql": "Amazon Aurora PostgreSQL", "opensearch": "OpenSearch", "redshift": "Amazon Redshift", "s3": "Amazon S3",
    "db2": "IBM Db2 LUW", "db2-zos": "IBM Db2 z/OS", "azuredb": "Azure SQL Database", "sybase": "SAP ASE", "dynamodb": "Amazon DynamoDB",
    "mongodb": "MongoDB", "kinesis": "Amazon Kinesis", "kafka": "Kafka", "elasticsearch": "Elasticsearch", "docdb": "Amazon DocumentDB",
    "sqlserver": "Microsoft SQL Server", "neptune": "Amazon Neptune", "babelfish": "Babelfish", "redshift-serverless": "Redshift Serverless",
    "aurora-serverless": "Aurora Serverless", "aurora-postgresql-serverless": "Aurora PostgreSQL Serverless", "gcp-mysql": "Google Cloud MySQL",
    "azure-sql-managed-instance": "Azure SQL Managed Instance", "redis": "Redis", "dms-transfer": "DMS Transfer", "timestream": "Amazon Timestream",
}
SECRET = ("Password", "Tags", "ResourceIdentifier")


@operation("dms", "CreateEndpoint")
def create(call: Call) -> dict[str, Any]:
    require(call, "EndpointIdentifier", "EndpointType", "EngineName")
    store, name = store_of(call), dns_name(call.get("EndpointIdentifier"))
    if any(endpoint["EndpointIdentifier"] == name for endpoint in store.endpoints.values()):
        raise fault("ResourceAlreadyExistsFault", f"Endpoint {name} already exists.")
    if call.get("EngineName") not in ENGINES:
        raise fault("InvalidParameterValueException", f"Invalid engine name: {call.get('EngineName')}")
    endpoint = {key: value for key, value in call.params.items() if key not in SECRET}
    endpoint |= {
        "EndpointIdentifier": name, "EndpointArn": new_arn(call, "endpoint", call.get("ResourceIdentifier")), "Status": "active",
        "EndpointType": call.get("EndpointType").upper(), "EngineDisplayName": ENGINES[call.get("EngineName")],
        "SslMode": call.get("SslMode", "none"), "IsReadOnly": False,
    }
    store.endpoints[endpoint["EndpointArn"]] = endpoint
    put_tags(call, endpoint["EndpointArn"])
    return {"Endpoint": endpoint}


@operation("dms", "ModifyEndpoint")
def modify(call: Call) -> dict[str, Any]:
    endpoint = get_endpoint(call, call.get("EndpointArn", ""))
    change = {k: v for k, v in call.params.items() if k not in (*SECRET, "EndpointArn", "ExactSettings")}
    if "EndpointType" in change:
        change["EndpointType"] = change["EndpointType"].upper()
    endpoint.update(change)
    return {"Endpoint": endpoint}


@operation("dms", "DescribeEndpoints")
def describe(call: Call) -> dict[str, Any]:
    chosen = filtered(call, list(store_of(call).endpoints.values()), {
        "endpoint-arn": lambda e: e["EndpointArn"], "endpoint-id": lambda e: e["EndpointIdentifier"],
        "endpoint-type": lambda e: [e["EndpointType"], e["EndpointType"].lower()], "engine-name": lambda e: e["EngineName"],
    }, "Endpoint")
    chosen, more = dms_page(call, chosen, lambda endpoint: endpoint["EndpointArn"])
    return {"Endpoints": chosen, **more}


@operation("dms", "DeleteEndpoint")
def delete(call: Call) -> dict[str, Any]:
    store, endpoint = store_of(call), get_endpoint(call, call.get("EndpointArn", ""))
    arn = endpoint["EndpointArn"]
    if any(arn in (task["SourceEndpointArn"], task["TargetEndpointArn"]) for task in store.tasks.values()):
        raise fault("InvalidResourceStateFault", "The endpoint is in use by a task.")
    del store.endpoints[arn]
    store.tags.pop(arn, None)
    for key in [key for key in store.connections if key[1] == arn]:
        del store.connections[key]
    return {"Endpoint": endpoint | {"Status": "deleting"}}


def get_endpoint(call: Call, arn: str) -> dict[str, Any]:
    endpoint = store_of(call).endpoints.get(arn)
    if endpoint is None:
        raise missing("Endpoint")
    return endpoint
