//! The stub of the benchmark against the emulator: what is measured on the one must be what happens on the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    harness::{
        Env,
        emulator::count,
        env::{SOON, is},
    },
    server::Stub,
    stub::{Ids, World},
    view::settled,
};

/// Calls by operation, and what the network's status says at the end.
struct Seen {
    writes: BTreeMap<String, usize>,
    reads: BTreeSet<String>,
    status: Value,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stub_and_the_emulator_see_the_same_calls_and_cause_the_same_status() {
    let env = Env::builder("stub-emulator").topology(json!({ "source_host": "10.0.3.10" })).start().await;
    let (t, mark) = (&env.topology, env.aws.mark());
    let mut spec = env.reference();
    spec["databases"][0]["subnetIds"] = json!(t.database_subnet_ids);
    env.apply("orders", spec).await;
    env.ready("orders").await;
    settled(&env).await;
    let rules = env.aws.ec2().describe_security_group_rules().send().await.unwrap().security_group_rules.unwrap();
    let taken = rules.iter().find(|r| r.group_id.as_deref() == Some(&t.security_group_ids.source)).unwrap();
    let revoke = env.aws.ec2().revoke_security_group_ingress().group_id(&t.security_group_ids.source);
    revoke.security_group_rule_ids(taken.security_group_rule_id.as_deref().unwrap()).send().await.unwrap();
    mended(&env).await;
    let (writes, reads) = env.aws.calls(mark).into_iter().partition::<Vec<_>, _>(|c| c.mutating);
    let mut names = known(&t.vpc_id, &t.subnet_ids, &t.database_subnet_ids, &env);
    names.extend([
        (t.security_group_ids.replication.clone(), "sg of the replication".into()),
        (t.security_group_ids.source.clone(), "sg of the source".into()),
        (t.security_group_ids.target.clone(), "sg of the target".into()),
        (t.instance.private_ips[0].clone(), "the instance's address".into()),
        (env.aws.url.clone(), "the URL".into()),
    ]);
    let emulator = Seen { writes: count(&writes), reads: count(&reads).into_keys().collect(), status: status(&env, names).await };

    let mut world = World::bare(1);
    world.database_host.clone_from(&t.rds.as_ref().unwrap().host);
    let stub = Stub::start(world, Duration::ZERO).await;
    let url = stub.url.clone();
    let env = Env::builder("stub-stub").class(move |class| class["endpointUrl"] = url.into()).start().await;
    let ids = Ids(0);
    env.apply("orders", ids.spec(&env.name)).await;
    env.ready("orders").await;
    let mut quiet = stub.mark();
    env.eventually("a sweep that finds nothing to do", SOON, async || {
        let (counts, mark) = (stub.counts(quiet), stub.mark());
        if counts.get("dms:DescribeReplicationInstances").is_some_and(|n| *n > 0) && stub.calls(quiet).iter().all(|c| !c.write) {
            return Ok(());
        }
        if stub.calls(quiet).iter().any(|c| c.write) {
            quiet = mark;
        }
        Err(format!("{counts:?}"))
    })
    .await;
    stub.world().rules.get_mut(&ids.source()).unwrap().clear();
    mended(&env).await;
    let (writes, reads) = stub.calls(0).into_iter().partition::<Vec<_>, _>(|c| c.write);
    let subnets = ids.subnets();
    let mut names = known(&ids.vpc(), &subnets[..2], &subnets[2..], &env);
    names.extend([
        (ids.replication(), "sg of the replication".into()),
        (ids.source(), "sg of the source".into()),
        (ids.target(), "sg of the target".into()),
        ("10.0.1.20".into(), "the instance's address".into()),
        (stub.url.clone(), "the URL".into()),
    ]);
    let by_operation = |calls: &[crate::server::Answered]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        calls.iter().for_each(|c| *counts.entry(c.operation.clone()).or_default() += 1);
        counts
    };
    let stubbed =
        Seen { writes: by_operation(&writes), reads: by_operation(&reads).into_keys().collect(), status: status(&env, names).await };

    assert_eq!(stubbed.writes, emulator.writes, "writes by operation");
    assert_eq!(stubbed.reads, emulator.reads, "operations that read");
    let lines = |v: &Value| serde_json::to_string_pretty(v).unwrap();
    let (a, b) = (lines(&emulator.status), lines(&stubbed.status));
    assert!(a == b, "status on the emulator, and on the stub\n{}", similar::TextDiff::from_lines(&a, &b).unified_diff());
}

/// Waits until one drift was found and corrected, and the network is as it was.
async fn mended(env: &Env) {
    let corrected = |n: &dmsnet::api::DmsNetwork| n.status.as_ref().is_some_and(|s| s.drift.iter().any(|d| d.corrected_at.is_some()));
    env.network("orders", SOON, |n| corrected(n) && is(n, "Ready", "True")).await;
}

fn known(vpc: &str, near: &[String], far: &[String], env: &Env) -> BTreeMap<String, String> {
    let numbered = |kind: &str, list: &[String]| {
        let mut sorted = list.to_vec();
        sorted.sort();
        sorted.into_iter().enumerate().map(|(n, id)| (id, format!("{kind} {n}"))).collect::<Vec<_>>()
    };
    let mut names = BTreeMap::from([(vpc.to_owned(), "the VPC".to_owned()), (env.name.clone(), "the test".to_owned())]);
    names.extend(numbered("subnet", near));
    names.extend(numbered("database subnet", far));
    names
}

/// The network's status without times and with names in place of IDs; lists whose order IDs decide are sorted anew.
async fn status(env: &Env, names: BTreeMap<String, String>) -> Value {
    let status = serde_json::to_value(env.get("orders").await.status.unwrap()).unwrap();
    let mut text = status.to_string();
    for (id, name) in names {
        text = text.replace(&id, &name);
    }
    sorted(serde_json::from_str(&text).unwrap())
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            // The shard's name has a hash of the selector, and with it of the test's name.
            let timeless = map.into_iter().filter(|(key, _)| !key.ends_with("At") && !key.ends_with("Time") && key != "shard");
            timeless.map(|(key, value)| (key, sorted(value))).collect()
        }
        Value::Array(list) => {
            let mut list: Vec<Value> = list.into_iter().map(sorted).collect();
            list.sort_by_key(Value::to_string);
            list.into()
        }
        Value::String(text) => anonymous(&text).into(),
        other => other,
    }
}

/// A text without the IDs that AWS makes up: their kind remains.
fn anonymous(text: &str) -> String {
    let is_id = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = String::new();
    for piece in text.split_inclusive(|c| !is_id(c)) {
        let (word, end) = piece.split_at(piece.find(|c| !is_id(c)).unwrap_or(piece.len()));
        let kind = ["sgr-", "sg-", "vpce-"].into_iter().find(|k| word.starts_with(k) && word.contains(|c: char| c.is_ascii_digit()));
        // A zone's name of an endpoint ends in the zone.
        let zone = word.rsplit('-').next().filter(|z| z.len() == 2 && kind == Some("vpce-")).unwrap_or_default();
        out.push_str(&kind.map_or_else(|| word.to_owned(), |k| format!("{k}{zone}")));
        out.push_str(end);
    }
    out
}
