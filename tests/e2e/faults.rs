//! AWS fails in every way, at every write and read: it converges, and nothing is doubled, lost or falsely told.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use dmsnet::api::DmsNetwork;
use futures::{StreamExt, TryStreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    harness::{
        Env,
        env::{SOON, condition},
    },
    view::{View, settled},
};

/// With a few failures in a row, each followed by a pause.
const LATER: Duration = Duration::from_secs(150);

/// Every operation that writes to AWS. Deletion and the rest come in the order of the story below.
const CREATING: [&str; 4] = ["CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "CreateVpcEndpoint"];
const MENDING: [&str; 3] = ["ModifyVpcEndpoint", "ModifySecurityGroupRules", "CreateTags"];
const GIVING_UP: [&str; 2] = ["RevokeSecurityGroupIngress", "RevokeSecurityGroupEgress"];
const RETAINING: [&str; 1] = ["DeleteTags"];
const DELETING: [&str; 2] = ["DeleteVpcEndpoints", "DeleteSecurityGroup"];

#[tokio::test(flavor = "multi_thread")]
async fn throttled_writes_converge() {
    every_write_fails("faults-throttle", json!({ "kind": "throttle", "times": 4 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_end_in_5xx_converge() {
    every_write_fails("faults-5xx", json!({ "kind": "error", "times": 2 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_that_time_out_converge() {
    every_write_fails("faults-timeout", json!({ "kind": "timeout", "seconds": 1.5, "times": 1 })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_whose_answer_is_lost_are_not_done_twice() {
    every_write_fails("faults-lost", json!({ "kind": "lost_answer", "times": 1 })).await;
}

/// A network comes, is broken, shrinks, grows, is retained, adopted and deleted, and each write on the way fails.
async fn every_write_fails(name: &str, fault: Value) {
    let env = Env::start(name).await;
    let before = env.aws.state();

    let faults = strike(&env, &CREATING, &fault);
    env.apply("orders", env.reference()).await;
    env.condition("orders", "Ready", "True", LATER).await;
    hit(&env, &faults);
    let wanted = View::of(&env);
    assert_eq!((wanted.our_groups(), wanted.ours().len(), wanted.endpoints.len()), (1, 4 + 2, 1), "{wanted:#?}");
    let status = env.get("orders").await.status.unwrap();
    assert!(status.drift.is_empty(), "a first creation that failed half-way is no drift: {:#?}", status.drift);
    settled(&env).await;

    let faults = strike(&env, &MENDING, &fault);
    break_it(&env).await;
    converges(&env, &wanted).await;
    hit(&env, &faults);
    env.network("orders", LATER, |n| drifts(n) == 3 && corrected(n)).await;
    settled(&env).await;

    // Without its target, then with it again.
    let faults = strike(&env, &GIVING_UP, &fault);
    let mut fewer = env.reference();
    fewer["databases"].as_array_mut().unwrap().truncate(1);
    env.apply("orders", fewer).await;
    env.network("orders", LATER, |n| n.status.as_ref().unwrap().summary.as_ref().is_some_and(|s| s.rules == "4/4") && owned(n) == 6).await;
    env.condition("orders", "Ready", "True", LATER).await;
    hit(&env, &faults);
    assert_eq!(View::of(&env).ours().len(), 4);
    let mut retain = env.reference();
    retain["deletionPolicy"] = "Retain".into();
    env.apply("orders", retain).await;
    converges(&env, &wanted).await;
    env.condition("orders", "Ready", "True", LATER).await;

    let faults = strike(&env, &RETAINING, &fault);
    env.delete("orders").await;
    env.gone("orders", LATER).await;
    hit(&env, &faults);
    let left = View::of(&env);
    assert_eq!(left.rules.keys().collect::<Vec<_>>(), wanted.rules.keys().collect::<Vec<_>>(), "Retain leaves all of it");
    let owner = format!("dmsnet.dev/owner/{name}");
    let mut tags = left.rules.values().chain(left.endpoints.values()).chain(left.groups.values());
    assert!(tags.all(|t| !t.contains_key(&owner)), "and takes its tag off: {left:#?}");

    // Adopted, then deleted.
    env.apply("orders", env.reference()).await;
    env.condition("orders", "Ready", "True", LATER).await;
    converges(&env, &wanted).await;
    let faults = strike(&env, &DELETING, &fault);
    env.delete("orders").await;
    env.gone("orders", LATER).await;
    hit(&env, &faults);
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

fn strike(env: &Env, operations: &[&str], fault: &Value) -> Vec<(String, String)> {
    let add = |operation: &&str| {
        let mut fault = fault.clone();
        fault["operation"] = (*operation).into();
        // The first one of these is the test's own, see `break_it`.
        fault["skip"] = i32::from(["ModifyVpcEndpoint", "ModifySecurityGroupRules"].contains(operation)).into();
        ((*operation).to_owned(), env.aws.fault(fault))
    };
    env.aws.clear_faults();
    operations.iter().map(add).collect()
}

fn hit(env: &Env, faults: &[(String, String)]) {
    for (operation, fault) in faults {
        assert!(env.aws.hits(fault) > 0, "{operation} was never called, so it did not fail");
    }
    env.aws.clear_faults();
}

/// A rule's port, the endpoint's subnets, the endpoint's tags: the first call of each that the faults let through.
async fn break_it(env: &Env) {
    let client = env.aws.ec2();
    let t = &env.topology;
    let rules = client.describe_security_group_rules().send().await.unwrap();
    let rule =
        rules.security_group_rules().iter().find(|r| r.group_id() == Some(&t.security_group_ids.source) && r.is_egress() == Some(false));
    let request = aws_sdk_ec2::types::SecurityGroupRuleRequest::builder()
        .ip_protocol("tcp")
        .from_port(9999)
        .to_port(9999)
        .referenced_group_id(&t.security_group_ids.replication)
        .build();
    let update = aws_sdk_ec2::types::SecurityGroupRuleUpdate::builder()
        .security_group_rule_id(rule.unwrap().security_group_rule_id().unwrap())
        .security_group_rule(request)
        .build();
    client.modify_security_group_rules().group_id(&t.security_group_ids.source).security_group_rules(update).send().await.unwrap();
    let endpoints = client.describe_vpc_endpoints().send().await.unwrap();
    let id = endpoints.vpc_endpoints()[0].vpc_endpoint_id().unwrap();
    client.modify_vpc_endpoint().vpc_endpoint_id(id).remove_subnet_ids(&t.subnet_ids[0]).send().await.unwrap();
    client.delete_tags().resources(id).send().await.unwrap();
}

async fn converges(env: &Env, wanted: &View) {
    env.eventually("AWS as wanted", LATER, async || {
        let now = View::of(env);
        if now == *wanted { Ok(()) } else { Err(wanted.difference(&now)) }
    })
    .await;
}

fn drifts(network: &DmsNetwork) -> usize {
    network.status.as_ref().map_or(0, |s| s.drift.len())
}

fn corrected(network: &DmsNetwork) -> bool {
    network.status.iter().flat_map(|s| &s.drift).all(|r| r.corrected_at.is_some())
}

fn owned(network: &DmsNetwork) -> usize {
    network.status.as_ref().map_or(0, |s| s.owned.len())
}

// ------------------------------------------------------------------------------------- reads

#[tokio::test(flavor = "multi_thread")]
async fn reads_that_fail_for_a_while_turn_no_condition() {
    let env = Env::start("faults-reads").await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    settled(&env).await;
    let wanted = View::of(&env);
    let mark = env.aws.mark();
    let watch = Watch::start(&env);
    for fault in [
        json!({ "kind": "throttle", "operation": "Describe*" }),
        json!({ "kind": "error", "operation": "Describe*" }),
        json!({ "kind": "timeout", "seconds": 0.2, "operation": "Describe*" }),
    ] {
        let id = env.aws.fault(fault.clone());
        // Each answer of this while is struck: the sweeps go on, and fail.
        env.eventually(
            "reads struck",
            SOON,
            async || if env.aws.hits(&id) >= 12 { Ok(()) } else { Err(format!("{fault}: {}", env.aws.hits(&id))) },
        )
        .await;
        env.aws.remove_fault(&id);
    }
    env.calls("DescribeSecurityGroupRules", 1, SOON).await;
    let seen = watch.end();
    for network in &seen {
        for type_ in ["Ready", "Synced", "EndpointsAvailable"] {
            assert_eq!(condition(network, type_).unwrap().status, "True", "{type_} while reads fail: {:#?}", network.status);
        }
        assert_eq!(drifts(network), 0, "{:#?}", network.status);
    }
    assert!(env.aws.writes(mark).is_empty(), "{:#?}", env.aws.writes(mark));
    assert_eq!(View::of(&env), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_reads_after_our_own_writes_are_no_drift() {
    let env = Env::start("faults-stale").await;
    let before = env.aws.state();
    // From the first call on, every question that was asked before is answered as of 6 s ago.
    env.aws.fault(json!({ "kind": "stale", "seconds": 6, "operation": "Describe*" }));
    let lost = env.aws.fault(json!({ "kind": "lost_answer", "operation": "CreateVpcEndpoint", "times": 1 }));
    env.apply("orders", env.reference()).await;
    env.condition("orders", "Ready", "True", LATER).await;
    assert_eq!(env.aws.hits(&lost), 1);
    let wanted = View::of(&env);
    assert_eq!((wanted.our_groups(), wanted.ours().len(), wanted.endpoints.len()), (1, 6, 1), "{wanted:#?}");

    // Broken, and mended once, though reads still show it broken.
    settled(&env).await;
    let source = &env.topology.security_group_ids.source;
    let rule = env.aws.state()["securityGroups"][source]["ingress"].as_object().unwrap().keys().next().unwrap().clone();
    env.aws.ec2().revoke_security_group_ingress().group_id(source).security_group_rule_ids(rule).send().await.unwrap();
    converges(&env, &wanted).await;
    env.network("orders", LATER, |n| drifts(n) == 1 && corrected(n)).await;

    // Shrunk and grown again, while reads are late.
    let mut fewer = env.reference();
    fewer["databases"].as_array_mut().unwrap().truncate(1);
    env.apply("orders", fewer).await;
    env.network("orders", LATER, |n| owned(n) == 6).await;
    env.apply("orders", env.reference()).await;
    env.condition("orders", "Ready", "True", LATER).await;
    env.network("orders", LATER, |n| owned(n) == 8).await;
    assert_eq!(View::of(&env), wanted);
    let mark = env.aws.mark();
    env.calls("DescribeSecurityGroupRules", 3, SOON).await;
    assert!(env.aws.writes(mark).is_empty(), "what is late is not written again: {:#?}", env.aws.writes(mark));
    // The emulator shows a question that was not asked lately as of the time when it was: much too old for a deletion.
    env.aws.clear_faults();
    assert_eq!(drifts(&env.get("orders").await), 1, "{:#?}", env.get("orders").await.status.unwrap().drift);
    env.delete("orders").await;
    env.gone("orders", LATER).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

// ------------------------------------------------------------------------------- permissions

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_permission_is_named_and_others_go_on() {
    let env = Env::builder("faults-denied").topology(json!({ "instances": 2 })).start().await;
    let target = env.topology.security_group_ids.target.clone();
    let fault =
        env.aws.fault(json!({ "kind": "denied", "operation": "AuthorizeSecurityGroupIngress", "match": format!("GroupId={target}") }));
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "Synced", "AccessDenied", SOON).await;
    assert!(message.contains("ec2:AuthorizeSecurityGroupIngress") && message.contains(&target), "{message}");
    env.reason("orders", "Ready", "AccessDenied", SOON).await;
    let note = env.event("orders", "ReconcileFailed", SOON).await;
    assert!(note.contains("ec2:AuthorizeSecurityGroupIngress"), "{note}");
    let view = View::of(&env);
    assert_eq!((view.ours().len(), view.endpoints.len()), (5, 1), "all that may be made is made: {view:#?}");

    // Another network, which does not need what is refused.
    let mut other = env.reference();
    other["replication"]["instance"] = env.topology.instances[1].id.as_str().into();
    other["databases"].as_array_mut().unwrap().truncate(1);
    env.apply("others", other).await;
    env.ready("others").await;
    let refused = env.aws.hits(&fault);
    assert!(refused <= 3, "a refusal is not asked again and again: {refused}");

    // Granted, and asked to look at once.
    env.aws.clear_faults();
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } })).await;
    env.ready("orders").await;
    assert_eq!(View::of(&env).ours().len(), 6 + 3);
    assert_eq!(env.get("orders").await.status.unwrap().last_handled_reconcile_at.as_deref(), Some("now"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_read_is_named() {
    let env = Env::start("faults-denied-read").await;
    env.aws.fault(json!({ "kind": "denied", "operation": "DescribeSecurityGroupRules" }));
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "Synced", "AccessDenied", SOON).await;
    assert!(message.contains("ec2:DescribeSecurityGroupRules"), "{message}");
    assert!(env.aws.writes(0).is_empty(), "nothing is written blindly: {:#?}", env.aws.writes(0));
    env.aws.clear_faults();
    env.ready("orders").await;
}

/// Every version of a network from now on.
struct Watch {
    seen: Arc<Mutex<Vec<DmsNetwork>>>,
    task: JoinHandle<()>,
}

impl Watch {
    fn start(env: &Env) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (api, into) = (env.networks(), seen.clone());
        let task = tokio::spawn(async move {
            let mut stream = std::pin::pin!(watcher(api, watcher::Config::default()).applied_objects().into_stream());
            while let Some(network) = stream.next().await {
                into.lock().unwrap().push(network.unwrap());
            }
        });
        Self { seen, task }
    }

    fn end(self) -> Vec<DmsNetwork> {
        self.task.abort();
        let seen = self.seen.lock().unwrap().clone();
        assert!(!seen.is_empty());
        seen
    }
}

/// AWS's own buckets, and small ones: what dmsnet asks stays below them, so that next to nothing is refused.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_throttled_account_little_is_refused_and_all_converges() {
    let mut env = Env::start("faults-bucket").await;
    let reads = env.aws.fault(json!({ "kind": "bucket", "service": "ec2", "operation": "Describe*", "capacity": 5, "refill": 1 }));
    let mark = env.aws.mark();
    for i in 0..3 {
        env.apply(&format!("orders-{i}"), env.reference()).await;
    }
    for i in 0..3 {
        env.condition(&format!("orders-{i}"), "Ready", "True", LATER).await;
    }
    let wanted = View::of(&env);
    // Ten sweeps' time: as many calls as the buckets let through, and few that they do not.
    env.calls("DescribeSecurityGroupRules", 10, LATER).await;
    let calls: Vec<_> = env.aws.calls(mark).into_iter().filter(|c| c.operation.starts_with("Describe") && c.service == "ec2").collect();
    let refused = calls.iter().filter(|c| c.code == "RequestLimitExceeded").count();
    assert_eq!(refused as u64, env.aws.hits(&reads));
    eprintln!("{refused} of {} reads were refused", calls.len());
    assert!(refused * 4 <= calls.len(), "{refused} of {} reads were refused", calls.len());
    let metrics = env.controller.metrics();
    assert!(metrics.0.contains("dmsnet_aws_budget_tokens{"), "{}", metrics.0);
    for i in 0..3 {
        let network = env.get(&format!("orders-{i}")).await;
        assert_eq!(condition(&network, "Ready").unwrap().status, "True", "throttling changes no condition");
    }
    assert_eq!(View::of(&env), wanted);
}
