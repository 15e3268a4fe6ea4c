//! What a controller costs that has nothing to do: few reads, however many networks, and not one write.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use dmsnet::api::DmsNetwork;
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Event};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::json;

use crate::{
    harness::{
        Env,
        emulator::{Call, count},
        env::{SOON, is},
    },
    view::settled,
};

/// Over so many sweeps the average is taken.
const SWEEPS: usize = 20;
/// Four kinds are read in every sweep; eight, for the rules and for the proof of the paths, at a tenth of the pace; three, the zones
/// of an endpoint service and two attributes of the VPC, at a thirtieth: 4.9.
const READS_PER_SWEEP: f64 = 5.0;
/// Of class and networks: the shortest that is allowed.
const INTERVAL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn one_idle_network_costs_few_reads_per_sweep_and_no_write() {
    idle("idle-one", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_idle_networks_cost_no_more_than_one() {
    idle("idle-twenty", 20).await;
}

async fn idle(name: &str, networks: usize) {
    let mut env = Env::builder(name).topology(json!({ "instances": networks })).start().await;
    for (i, instance) in env.topology.instances.iter().enumerate() {
        let mut spec = env.reference();
        spec["replication"] = json!({ "instance": instance.id });
        env.apply(&format!("orders-{i}"), spec).await;
    }
    env.eventually("all networks ready", SOON * 2, async || {
        let list = env.networks().list(&ListParams::default()).await.map_err(|e| e.to_string())?;
        let ready = list.iter().filter(|n| is(n, "Ready", "True")).count();
        if ready == networks { Ok(()) } else { Err(format!("{ready} ready")) }
    })
    .await;
    counted(&mut env, name, READS_PER_SWEEP).await;
}

/// Counts reads over many sweeps in which nothing happens; there are so many at most, and nothing is written.
async fn counted(env: &mut Env, name: &str, most: f64) {
    settled(env).await;
    // Two sweeps more, until whatever was read for a reason has gone into step.
    env.calls("DescribeReplicationInstances", 2, SOON).await;

    // From quiet to quiet: whole sweeps, and all that is read in between.
    quiet(env).await;
    let (before, mark) = (versions(env).await, env.aws.mark());
    env.calls("DescribeReplicationInstances", SWEEPS, INTERVAL * (u32::try_from(SWEEPS).unwrap() + 3)).await;
    quiet(env).await;
    let calls = env.aws.calls(mark);
    let counts = count(&calls);
    let sweeps = counts["dms:DescribeReplicationInstances"];
    let per_sweep = calls.len() as f64 / sweeps as f64;
    let memory = env.controller.memory() / 1024;
    eprintln!("{name}: {per_sweep:.2} reads per sweep over {sweeps} sweeps, {memory} MiB resident: {counts:?}");
    let writes: Vec<_> = calls.iter().filter(|c| c.mutating).collect();
    assert!(writes.is_empty(), "an idle network writes nothing to AWS: {writes:#?}");
    assert!(per_sweep <= most, "{per_sweep} reads per sweep: {counts:#?}\n{}", told(&calls));
    let paces: Vec<f64> = calls.iter().filter(|c| c.operation == "DescribeReplicationInstances").map(|c| c.at).collect();
    let paced = (paces.last().unwrap() - paces[0]) / (sweeps as f64 - 1.0);
    assert!(paced >= INTERVAL.as_secs_f64() * 0.9, "a sweep each {paced:.1} s");
    let after = versions(env).await;
    assert_eq!(after, before, "an idle network writes nothing to Kubernetes");
}

/// Waits until a sweep is over: nothing is asked for a good part of the interval.
async fn quiet(env: &Env) {
    let mut last = (env.aws.mark(), Instant::now());
    env.eventually("a quiet moment", INTERVAL * 3, async || {
        let now = env.aws.mark();
        if now != last.0 {
            last = (now, Instant::now());
        }
        if last.1.elapsed() >= INTERVAL / 4 { Ok(()) } else { Err(format!("call {now} was {:?} ago", last.1.elapsed())) }
    })
    .await;
}

/// Each call in a line: when, what, about what.
fn told(calls: &[Call]) -> String {
    calls.iter().map(|c| format!("{:8.2} {} {}", c.at - calls[0].at, c.operation, c.params)).collect::<Vec<_>>().join("\n")
}

/// Twenty networks of all six configurations in three VPCs, two of them peered, with routes and ACLs that are ours to keep.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_mixed_networks_in_three_vpcs_cost_nine_reads_per_sweep() {
    const MIXED_READS_PER_SWEEP: f64 = 9.0;
    let mut env = Env::builder("idle-mixed")
        .class(|class| {
            class["guardrails"] = json!({
                "vpcIds": ["*"], "networkAcls": "Manage", "routes": "Manage", "networkAclRuleNumbers": { "from": 20000, "to": 20099 },
            });
        })
        .topology(json!({ "path": "PeeredVpc", "instances": 10, "publicly_accessible": true }))
        .start()
        .await;
    let nat =
        env.aws.topology(json!({ "path": "NatGateway", "nat_gateways": 2, "prefix": "nat-", "cidr": "10.40.0.0/16", "instances": 10 }));
    let ec2 = env.aws.ec2();
    let gateway = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap().internet_gateway_id.unwrap();
    ec2.attach_internet_gateway().internet_gateway_id(&gateway).vpc_id(&env.topology.vpc_id).send().await.unwrap();
    let tables = env.topology.route_table_ids["private"].as_str();
    ec2.create_route().route_table_id(tables).destination_cidr_block("0.0.0.0/0").gateway_id(&gateway).send().await.unwrap();
    for i in 0..20 {
        let t = if i < 10 { &env.topology } else { &nat };
        let p = &t.path;
        let of_rds = json!({ "name": "source", "rds": { "instance": t.rds.as_ref().unwrap().id }, "path": { "type": "SameVpc" } });
        let of_dms = |more: serde_json::Value| {
            let mut database = json!({ "name": "source", "dmsEndpoint": t.endpoints.source.id });
            database.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            database
        };
        let database = match (i < 10, i % if i < 10 { 4 } else { 3 }) {
            (_, 0) => of_rds,
            (true, 1) => of_dms(json!({ "securityGroupId": p["securityGroupId"], "subnetIds": p["subnetIds"],
                "path": { "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": p["peeringConnectionId"] } } })),
            (true, 2) => of_dms(json!({ "path": { "type": "Internet", "internet": { "cidrs": ["203.0.113.10/32"] } } })),
            (true, _) => of_dms(json!({ "path": { "type": "ClassicLink", "classicLink": { "proxy":
                { "securityGroupId": t.security_group_ids.source, "host": "10.0.3.9", "port": 5432 } } } })),
            (false, 1) => of_dms(json!({ "path": { "type": "NatGateway", "natGateway": { "cidrs": p["cidrs"] } } })),
            (false, _) => of_dms(json!({ "path": { "type": "OnPremises", "onPremises": { "cidrs": ["172.20.0.0/16"] } } })),
        };
        let upkeep = if i < 10 && i % 4 == 1 { "Manage" } else { "Check" };
        let spec = json!({
            "className": env.name, "replication": { "instance": t.instances[i % 10].id }, "databases": [database],
            "vpcEndpoints": [{ "name": "dms", "service": "dms" }], "networkAcls": upkeep, "routes": upkeep,
        });
        env.apply(&format!("orders-{i:02}"), spec).await;
    }
    env.eventually("all networks in sync", SOON * 2, async || {
        let list = env.networks().list(&ListParams::default()).await.map_err(|e| e.to_string())?;
        let rest: Vec<String> = list.iter().filter(|n| !is(n, "Synced", "True")).map(crate::harness::env::summary).collect();
        if rest.is_empty() { Ok(()) } else { Err(rest.join("\n")) }
    })
    .await;
    counted(&mut env, "idle-mixed", MIXED_READS_PER_SWEEP).await;
}

/// Every object that the controller could have written, with its version and how often an Event was counted.
async fn versions(env: &Env) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let params = ListParams::default();
    for n in env.networks().list(&params).await.unwrap() {
        all.insert(format!("network {}", n.name_any()), version_and_managers(&n));
    }
    let class = env.classes().get(&env.name).await.unwrap();
    all.insert("class".to_owned(), class.resource_version().unwrap());
    for e in Api::<Event>::namespaced(env.client.clone(), &env.name).list(&params).await.unwrap() {
        all.insert(format!("event {} {:?} {:?}", e.name_any(), e.reason, e.message), e.resource_version().unwrap());
    }
    for l in Api::<Lease>::namespaced(env.client.clone(), &env.name).list(&params).await.unwrap() {
        all.insert(format!("lease {}", l.name_any()), String::new()); // renewed, by its nature
    }
    all
}

fn version_and_managers(network: &DmsNetwork) -> String {
    let times: Vec<_> = network.managed_fields().iter().map(|m| format!("{:?} {:?}", m.manager, m.time)).collect();
    format!("{} {times:?}", network.resource_version().unwrap())
}
