//! The change queue: what somebody does in AWS is noticed in seconds, whatever else stands in the queue.

use std::time::{Duration, Instant};

use dmsnet::api::{DmsNetwork, status::DriftRecord};
use serde_json::json;

use crate::{
    harness::{
        Controller, Env, Trail,
        emulator::count,
        env::SOON,
        trail::{ALICE, event},
    },
    view::{View, settled},
};

/// No sweep comes in a test: what is noticed, the queue told.
pub const NEVER: &str = "10m";
/// Issue 5: from the event to AWS mended.
const AT_ONCE: Duration = Duration::from_secs(3);

/// A network that is ready, with a queue and without sweeps.
pub async fn start(name: &str) -> (Env, Trail) {
    let mut env = Env::builder(name).without_class().without_controller().start().await;
    let trail = Trail::new(&env.aws, "changes").await;
    class(&env, &trail).await;
    env.controller.start();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    look(&env).await;
    (env, trail)
}

pub async fn class(env: &Env, trail: &Trail) {
    let mut spec = env.class_spec();
    spec["resyncInterval"] = NEVER.into();
    spec["changeQueue"] = json!({ "url": trail.url });
    env.apply_class(&env.name, spec).await;
}

/// A network that is ready, with a queue, and with sweeps as the test's class has them.
async fn start_with_sweeps(env: &mut Env, trail: &Trail) {
    let mut spec = env.class_spec();
    spec["changeQueue"] = json!({ "url": trail.url });
    env.apply_class(&env.name, spec).await;
    env.controller.start();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
}

/// Has everything read once more, so that nothing is left to be read by itself.
pub async fn look(env: &Env) {
    let asked = format!("{:?}", Instant::now());
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": asked } } })).await;
    let handled = |n: &DmsNetwork| n.status.as_ref().and_then(|s| s.last_handled_reconcile_at.clone()) == Some(asked.clone());
    env.network("orders", SOON, handled).await;
    settled(env).await;
}

/// Somebody takes the source's ingress rule away; by its values, as the console does, or by its ID.
pub async fn revoke(env: &Env, by_id: bool) -> Vec<crate::harness::Call> {
    let (client, mark) = (env.aws.ec2(), env.aws.mark());
    let group = &env.topology.security_group_ids.source;
    let rules = client.describe_security_group_rules().send().await.unwrap();
    let rule = rules.security_group_rules().iter().find(|r| r.group_id() == Some(group) && r.is_egress() == Some(false)).unwrap();
    let call = client.revoke_security_group_ingress().group_id(group);
    let call = if by_id {
        call.security_group_rule_ids(rule.security_group_rule_id().unwrap())
    } else {
        let peer = aws_sdk_ec2::types::UserIdGroupPair::builder().group_id(&env.topology.security_group_ids.replication).build();
        let permission = aws_sdk_ec2::types::IpPermission::builder().ip_protocol("tcp").user_id_group_pairs(peer);
        call.ip_permissions(permission.from_port(rule.from_port().unwrap()).to_port(rule.to_port().unwrap()).build())
    };
    call.send().await.unwrap();
    env.aws.all_calls(mark).into_iter().filter(|c| c.operation == "RevokeSecurityGroupIngress").collect()
}

async fn mended(env: &Env, wanted: &View) -> Duration {
    let at = Instant::now();
    env.eventually("the rule is back", AT_ONCE, async || {
        if View::of(env).ours().len() == wanted.ours().len() { Ok(()) } else { Err("it is missing".to_owned()) }
    })
    .await;
    at.elapsed()
}

pub fn drift(network: &DmsNetwork) -> &[DriftRecord] {
    network.status.as_ref().map_or(&[], |s| &s.drift)
}

/// What became of so many messages, as the controller counts them.
pub fn counted(controller: &mut Controller, outcome: &str) -> f64 {
    controller.metrics().sum("dmsnet_queue_messages_total", &[("outcome", outcome)])
}

/// Waits until the queue is empty and so much became of its messages.
async fn outcome(env: &mut Env, trail: &Trail, outcome: &str, count: f64) {
    let deadline = Instant::now() + SOON;
    loop {
        let seen = counted(&mut env.controller, outcome);
        let depth = trail.depth().await;
        if seen >= count && depth == 0 {
            assert_eq!(seen, count, "messages that were {outcome}");
            return;
        }
        assert!(Instant::now() < deadline, "{seen} messages were {outcome} and {depth} are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_names_is_mended_at_once_and_its_cause_told() {
    let (mut env, trail) = start("queue-mend").await;
    let wanted = View::of(&env);
    for (i, by_id) in [false, true].into_iter().enumerate() {
        let calls = revoke(&env, by_id).await;
        trail.tell(&calls).await;
        let took = mended(&env, &wanted).await;
        eprintln!("mended {took:?} after the event");
        let network = env.network("orders", SOON, |n| drift(n).len() == i + 1 && drift(n).iter().all(|d| d.corrected_at.is_some())).await;
        let record = &drift(&network)[0];
        assert_eq!(record.kind, "RuleMissing");
        let cause = record.cause.clone().unwrap_or_default();
        assert!(cause.starts_with(&format!("{ALICE} called ec2:RevokeSecurityGroupIngress from 203.0.113.7 at 20")), "{cause}");
        // Until a read has shown our own write, one that does not is taken for late.
        look(&env).await;
    }
    let note = env.event("orders", "DriftFound", SOON).await;
    assert!(note.contains(ALICE), "{note}");
    outcome(&mut env, &trail, "handled", 2.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_writes_are_known_and_cost_no_read() {
    let (mut env, trail) = start("queue-own").await;
    let calls = env.aws.all_calls(0);
    let ours = env.aws.writes(0).into_iter().filter(|c| c.service == "ec2").count();
    assert!(ours >= 5, "{ours} writes");
    let own: Vec<_> = calls.into_iter().filter(|c| c.access_key == crate::harness::emulator::CONTROLLER_KEY).collect();
    let mark = env.aws.mark();
    trail.tell(&own).await;
    outcome(&mut env, &trail, "own", ours as f64).await;
    let reads: Vec<_> = env.aws.calls(mark).into_iter().filter(|c| c.service != "sqs").collect();
    assert!(reads.is_empty(), "{:?}", count(&reads));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_unknown_objects_are_dropped_without_a_read() {
    let (mut env, trail) = start("queue-strangers").await;
    let mark = env.aws.mark();
    let long = "x".repeat(200_000);
    let deep = "[".repeat(5000);
    for body in ["hello", "{}", "[]", "null", "{\"source\": \"aws.ec2\"}", &format!("{{\"a\": \"{long}\"}}"), &deep] {
        trail.send(body).await;
    }
    outcome(&mut env, &trail, "invalid", 7.0).await;
    // A group that nobody asks about, a table nobody knows; another account's, and a call that failed, of one of ours.
    let mut call = revoke(&env, false).await.pop().unwrap();
    let group = env.topology.security_group_ids.source.clone();
    let mut of_another = event(&call);
    of_another["detail"]["recipientAccountId"] = "999988887777".into();
    call.params = json!({ "GroupId": "sg-0123456789abcdef0" });
    trail.send(&event(&call).to_string()).await;
    call.operation = "DeleteRoute".to_owned();
    call.params = json!({ "RouteTableId": "rtb-0123456789abcdef0", "DestinationCidrBlock": "10.9.0.0/16" });
    trail.send(&event(&call).to_string()).await;
    trail.send(&of_another.to_string()).await;
    outcome(&mut env, &trail, "unknown", 3.0).await;
    call.operation = "RevokeSecurityGroupIngress".to_owned();
    call.params = json!({ "GroupId": group });
    call.code = "InvalidPermission.NotFound".to_owned();
    trail.send(&event(&call).to_string()).await;
    outcome(&mut env, &trail, "ignored", 1.0).await;
    let reads: Vec<_> = env.aws.calls(mark).into_iter().filter(|c| c.service != "sqs").collect();
    assert!(reads.is_empty(), "{:?}", count(&reads));
    // It goes on all the same.
    call.code.clear();
    let wanted = View::of(&env).ours().len() + 1;
    trail.send(&event(&call).to_string()).await;
    env.eventually("the rule is back", AT_ONCE, async || {
        let ours = View::of(&env).ours().len();
        if ours == wanted { Ok(()) } else { Err(format!("{ours} of {wanted}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_disorder_do_no_harm_and_a_burst_is_one_look() {
    let (mut env, trail) = start("queue-copies").await;
    let wanted = View::of(&env);
    let calls = revoke(&env, true).await;
    let mark = env.aws.mark();
    for _ in 0..30 {
        trail.tell(&calls).await;
    }
    mended(&env, &wanted).await;
    outcome(&mut env, &trail, "handled", 30.0).await;
    let network = env.get("orders").await;
    assert_eq!(drift(&network).len(), 1, "told once: {:#?}", drift(&network));
    let made = env.aws.writes(mark).into_iter().filter(|c| c.operation.starts_with("Authorize")).count();
    assert_eq!(made, 1, "mended once");
    let looks = env.aws.calls(mark).into_iter().filter(|c| c.operation == "DescribeSecurityGroupRules").count();
    assert!(looks < 12, "30 messages made {looks} reads of rules");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_after_the_drift_explains_it() {
    let mut env = Env::builder("queue-late").without_class().without_controller().start().await;
    let trail = Trail::new(&env.aws, "changes").await;
    start_with_sweeps(&mut env, &trail).await;
    let calls = revoke(&env, false).await;
    let found = env.network("orders", SOON, |n| drift(n).len() == 1 && drift(n)[0].corrected_at.is_some()).await;
    assert_eq!(drift(&found)[0].cause, None, "the sweep knows no names");
    settled(&env).await;
    trail.tell(&calls).await;
    let told = env.network("orders", AT_ONCE, |n| drift(n)[0].cause.is_some()).await;
    assert!(drift(&told)[0].cause.as_ref().is_some_and(|c| c.starts_with(ALICE)), "{:#?}", drift(&told));
    assert_eq!(drift(&told).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_missing_or_denied_is_told_and_the_sweep_goes_on() {
    let mut env = Env::builder("queue-missing").without_class().without_controller().start().await;
    let trail = Trail::missing(&env.aws, "changes");
    start_with_sweeps(&mut env, &trail).await;
    let message = class_reason(&env, "ChangeQueueUnavailable").await;
    assert!(message.contains("sqs:ReceiveMessage") && message.contains(&trail.url) && message.contains("create it"), "{message}");
    let wanted = View::of(&env);
    revoke(&env, false).await;
    env.network("orders", SOON, |n| drift(n).len() == 1 && drift(n)[0].corrected_at.is_some()).await;
    assert_eq!(View::of(&env).ours().len(), wanted.ours().len(), "the sweep mends");
    look(&env).await;

    trail.create("changes").await;
    class_reason(&env, "Ready").await;
    trail.tell(&revoke(&env, false).await).await;
    mended(&env, &wanted).await;

    let fault = env.aws.fault(json!({ "kind": "denied", "service": "sqs", "operation": "ReceiveMessage" }));
    // One that waits for messages already is answered yet: this one.
    trail.send("{}").await;
    let message = class_reason(&env, "ChangeQueueUnavailable").await;
    assert!(message.contains("AWS denied sqs:ReceiveMessage") && message.contains("dmsnet's role"), "{message}");
    env.ready("orders").await;
    env.aws.remove_fault(&fault);
    class_reason(&env, "Ready").await;
}

/// Waits until the class's condition Ready has that reason; its message.
async fn class_reason(env: &Env, reason: &str) -> String {
    reason_of(env, &env.name, reason).await
}

/// The same of any class.
pub async fn reason_of(env: &Env, class: &str, reason: &str) -> String {
    let api = env.classes();
    env.eventually(&format!("class {class} {reason}"), SOON, async || {
        let status = api.get(class).await.map_err(|e| e.to_string())?.status.unwrap_or_default();
        let ready = dmsnet::api::conditions::find(&status.conditions, "Ready").cloned();
        match ready {
            Some(c) if c.reason == reason => Ok(c.message),
            other => Err(format!("{other:?}")),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_does_not_answer_stays_in_the_queue() {
    let (mut env, trail) = start("queue-failed").await;
    let calls = revoke(&env, true).await;
    let fault = env.aws.fault(json!({ "kind": "error", "operation": "DescribeSecurityGroupRules" }));
    trail.tell(&calls).await;
    let failed = async || env.aws.hits(&fault) > 0;
    env.eventually("the read fails", SOON, async || if failed().await { Ok(()) } else { Err("no read yet".to_owned()) }).await;
    let deadline = Instant::now() + SOON;
    while counted(&mut env.controller, "failed") < 1.0 {
        assert!(Instant::now() < deadline, "it is never counted");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(trail.depth().await, 1, "it comes again, or goes to the dead-letter queue");
    env.aws.clear_faults();
    // The failed question itself is asked again soon, without the message.
    let wanted = 4 + 2;
    env.eventually("the rule is back", SOON, async || {
        let ours = View::of(&env).ours().len();
        if ours == wanted { Ok(()) } else { Err(format!("{ours} of {wanted}")) }
    })
    .await;
}
