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

/// The measure.
const SWEEPS: usize = 20;
const READS_PER_SWEEP: f64 = 5.0;
/// Of class and networks: the shortest that is allowed.
const INTERVAL: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn one_idle_network_costs_five_reads_per_sweep_and_no_write() {
    idle("idle-one", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_idle_networks_cost_no_more_than_one() {
    idle("idle-twenty", 20).await;
}

async fn idle(name: &str, networks: usize) {
    let env = Env::builder(name).topology(json!({ "instances": networks })).start().await;
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
    settled(&env).await;
    // Two sweeps more, until whatever was read for a reason has gone into step.
    env.calls("DescribeReplicationInstances", 2, SOON).await;

    // From quiet to quiet: whole sweeps, and all that is read in between.
    quiet(&env).await;
    let (before, mark) = (versions(&env).await, env.aws.mark());
    env.calls("DescribeReplicationInstances", SWEEPS, INTERVAL * (u32::try_from(SWEEPS).unwrap() + 3)).await;
    quiet(&env).await;
    let calls = env.aws.calls(mark);
    let counts = count(&calls);
    let sweeps = counts["dms:DescribeReplicationInstances"];
    let per_sweep = calls.len() as f64 / sweeps as f64;
    eprintln!("{name}: {per_sweep:.2} reads per sweep over {sweeps} sweeps: {counts:?}");
    let writes: Vec<_> = calls.iter().filter(|c| c.mutating).collect();
    assert!(writes.is_empty(), "an idle network writes nothing to AWS: {writes:#?}");
    assert!(per_sweep <= READS_PER_SWEEP, "{per_sweep} reads per sweep: {counts:#?}\n{}", told(&calls));
    let paces: Vec<f64> = calls.iter().filter(|c| c.operation == "DescribeReplicationInstances").map(|c| c.at).collect();
    let paced = (paces.last().unwrap() - paces[0]) / (sweeps as f64 - 1.0);
    assert!(paced >= INTERVAL.as_secs_f64() * 0.9, "a sweep each {paced:.1} s");
    let after = versions(&env).await;
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
