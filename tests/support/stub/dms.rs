//! DMS's reads, in JSON.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    Answer, Fault, Outcome,
    form::page,
    unknown,
    world::{Ids, SOURCE_HOST, World},
};

/// Most rows of a page.
const PAGE: usize = 100;

pub fn respond(world: &World, name: &str, body: &[u8]) -> Outcome {
    let request: Value = serde_json::from_slice(body).map_err(|e| Fault(400, "SerializationException", e.to_string()))?;
    let all = || (0..world.topologies).map(Ids);
    match name {
        "DescribeReplicationInstances" => {
            rows(&request, "ReplicationInstances", all(), &["replication-instance-id"], |i, _| i.instance(), instance)
        }
        "DescribeEndpoints" => rows(&request, "Endpoints", all(), &["endpoint-id"], |i, _| i.dms_source(), endpoint),
        "DescribeConnections" => {
            let all = all().filter(|_| world.tested);
            rows(
                &request,
                "Connections",
                all,
                &["replication-instance-arn", "endpoint-arn"],
                |i, f| match f {
                    "endpoint-arn" => i.dms_source_arn(),
                    _ => i.instance_arn(),
                },
                connection,
            )
        }
        _ => Err(unknown(name)),
    }
}

fn rows(
    request: &Value,
    set: &str,
    all: impl Iterator<Item = Ids>,
    known: &[&str],
    field: impl Fn(Ids, &str) -> String,
    row: impl Fn(Ids) -> Value,
) -> Outcome {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let filters: Vec<(String, HashSet<String>)> = request["Filters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|f| (text(&f["Name"]), f["Values"].as_array().into_iter().flatten().map(text).collect()))
        .collect();
    if let Some((name, _)) = filters.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        return Err(Fault(400, "InvalidParameterValueException", format!("the stub does not know the filter {name}")));
    }
    let chosen: Vec<Ids> = all.filter(|i| filters.iter().all(|(name, values)| values.contains(&field(*i, name)))).collect();
    if chosen.is_empty() && !filters.is_empty() {
        return Err(Fault(400, "ResourceNotFoundFault", format!("no {set} found matching the filters")));
    }
    let size = request["MaxRecords"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(PAGE);
    let (chosen, next) = page(chosen, request["Marker"].as_str(), Some(size), PAGE)?;
    let count = chosen.len();
    let mut answer = json!({ set: chosen.into_iter().map(row).collect::<Vec<_>>() });
    if let Some(next) = next {
        answer["Marker"] = next.into();
    }
    Ok(Answer { body: answer.to_string(), rows: count })
}

fn instance(i: Ids) -> Value {
    let subnet = |(n, id): (usize, &String)| {
        let zone = ["us-west-2a", "us-west-2b"][n];
        json!({ "SubnetIdentifier": id, "SubnetStatus": "Active", "SubnetAvailabilityZone": { "Name": zone } })
    };
    json!({
        "ReplicationInstanceIdentifier": i.instance(),
        "ReplicationInstanceArn": i.instance_arn(),
        "ReplicationInstanceClass": "dms.t3.medium",
        "ReplicationInstanceStatus": "available",
        "AllocatedStorage": 50,
        "EngineVersion": "3.5.4",
        "MultiAZ": false,
        "PubliclyAccessible": false,
        "NetworkType": "IPV4",
        "AvailabilityZone": "us-west-2a",
        "VpcSecurityGroups": [{ "VpcSecurityGroupId": i.replication(), "Status": "active" }],
        "ReplicationInstancePrivateIpAddress": "10.0.1.20",
        "ReplicationInstancePrivateIpAddresses": ["10.0.1.20"],
        "ReplicationInstancePublicIpAddresses": [],
        "ReplicationSubnetGroup": {
            "ReplicationSubnetGroupIdentifier": "orders-dms",
            "VpcId": i.vpc(),
            "SubnetGroupStatus": "Complete",
            "Subnets": i.subnets()[..2].iter().enumerate().map(subnet).collect::<Vec<_>>(),
        },
    })
}

fn endpoint(i: Ids) -> Value {
    json!({
        "EndpointIdentifier": i.dms_source(),
        "EndpointArn": i.dms_source_arn(),
        "EndpointType": "SOURCE",
        "EngineName": "postgres",
        "EngineDisplayName": "PostgreSQL",
        "ServerName": SOURCE_HOST,
        "Port": 5432,
        "DatabaseName": "orders",
        "Username": "dms",
        "Status": "active",
        "SslMode": "none",
    })
}

fn connection(i: Ids) -> Value {
    json!({
        "ReplicationInstanceArn": i.instance_arn(),
        "ReplicationInstanceIdentifier": i.instance(),
        "EndpointArn": i.dms_source_arn(),
        "EndpointIdentifier": i.dms_source(),
        "Status": "successful",
    })
}
