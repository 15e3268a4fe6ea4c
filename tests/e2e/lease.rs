//! Several replicas of one shard: one writes, the others stand by; and one that has lost its Lease writes nothing.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::{
    harness::{
        Controller, Env,
        emulator::{OTHER_KEY, REGION},
        env::SOON,
        eventually,
    },
    view::{View, settled},
};

/// A Lease lasts 15 s; design.md allows a little for the next look at it.
const LEASE: Duration = Duration::from_secs(15);
pub const TAKEN_OVER: Duration = Duration::from_secs(17);
/// What the machine may add when it is busy.
pub const BUSY: Duration = Duration::from_secs(5);

/// The first replica leads; the second, with credentials of its own, stands by.
pub async fn two(env: &mut Env) -> Controller {
    env.controller.options.args.extend(["--shard".into(), env.name.clone()]);
    env.controller.start();
    leader(env, &env.name.clone(), SOON).await;
    let mut second = env.another_controller("second", |options| options.access_key = OTHER_KEY.into());
    second.start();
    stands_by(env, &mut second).await;
    second
}

async fn stands_by(env: &Env, controller: &mut Controller) {
    env.eventually("a replica stands by", SOON, async || {
        let (status, text) = controller.http("/readyz");
        if status == 200 { Ok(()) } else { Err(text) }
    })
    .await;
    assert_eq!(leads(&env.name, controller), 0.0);
}

fn leads(shard: &str, controller: &mut Controller) -> f64 {
    controller.metrics().sum("dmsnet_leader", &[("shard", shard)])
}

async fn leads_no_more(shard: &str, controller: &mut Controller, within: Duration) {
    let look = async || if leads(shard, controller) == 0.0 { Ok(()) } else { Err("it leads".to_owned()) };
    eventually(within, look).await.unwrap_or_else(|e| panic!("a leader that must not be one: {e}"));
}

fn leases(env: &Env) -> Api<Lease> {
    Api::namespaced(env.client.clone(), &env.name)
}

/// Waits until the Lease is held by that replica.
pub async fn leader(env: &Env, identity: &str, within: Duration) {
    let api = leases(env);
    env.eventually(&format!("{identity} holds the Lease"), within, async || {
        let lease = api.get_opt(&format!("dmsnet-{}", env.name)).await.map_err(|e| e.to_string())?;
        let holder = lease.and_then(|l| l.spec?.holder_identity).unwrap_or_default();
        if holder == identity { Ok(()) } else { Err(format!("held by {holder:?}")) }
    })
    .await;
}

/// A rule of ours goes; whoever leads mends it.
pub async fn revoke_one(env: &Env) {
    env.aws.revoke_ingress(REGION, &env.topology.security_group_ids.source).await;
}

pub async fn mended(env: &Env, wanted: &View, within: Duration) {
    env.eventually("mended", within, async || {
        let now = View::of(env);
        if now == *wanted { Ok(()) } else { Err(now.difference(wanted)) }
    })
    .await;
}

/// Versions of what a replica writes in Kubernetes, its Lease aside.
async fn versions(env: &Env) -> Vec<String> {
    let networks = env.networks().list(&ListParams::default()).await.unwrap();
    let class = env.classes().get(&env.name).await.unwrap();
    let mut all: Vec<_> = networks.iter().map(|n| format!("{} {:?}", n.name_any(), n.resource_version())).collect();
    all.push(format!("class {:?}", class.resource_version()));
    all
}

pub fn writes_of(env: &Env, key: &str, mark: u64) -> Vec<String> {
    let calls = env.aws.calls_of(key, mark);
    calls.iter().filter(|c| c.mutating).map(|c| format!("{:.3} {} {}", c.at, c.operation, c.params)).collect()
}

fn now() -> f64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_writes_and_the_other_goes_on_when_it_dies() {
    let mut env = Env::builder("lease-kill").without_controller().start().await;
    let before = env.aws.state();
    let mut second = two(&mut env).await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    settled(&env).await;
    let wanted = View::of(&env);
    assert_eq!(writes_of(&env, OTHER_KEY, 0), [] as [String; 0], "who stands by writes nothing");
    assert!(env.aws.calls_of(OTHER_KEY, 0).iter().any(|c| c.operation == "DescribeSecurityGroupRules"), "its cache is warm");
    assert_eq!(leads(&env.name, &mut env.controller), 1.0);
    assert_eq!(leads(&env.name, &mut second), 0.0);
    let class = env.classes().get(&env.name).await.unwrap();
    assert_eq!(class.status.unwrap().shard.as_deref(), Some(env.name.as_str()));

    // In the middle of a repair.
    let fault = env.aws.fault(json!({ "kind": "timeout", "seconds": 3, "operation": "Authorize*", "times": 1 }));
    revoke_one(&env).await;
    env.eventually("the repair is under way", SOON, async || if env.aws.hits(&fault) > 0 { Ok(()) } else { Err("not yet".into()) }).await;
    let died = now();
    env.controller.kill();
    leader(&env, "second", TAKEN_OVER + BUSY).await;
    mended(&env, &wanted, Duration::from_secs(5) + BUSY).await;
    let calls = env.aws.calls_of(OTHER_KEY, 0);
    let took = calls.iter().find(|c| c.mutating).unwrap().at - died;
    eprintln!("lease-kill: the other's first write came {took:.2} s after the death");
    assert!(took <= TAKEN_OVER.as_secs_f64(), "{took:.2} s");
    let status = env.network("orders", SOON, |n| n.status.as_ref().unwrap().drift.iter().all(|d| d.corrected_at.is_some())).await;
    assert_eq!(status.status.unwrap().drift.len(), 1, "one drift, told once");
    assert_eq!(leads(&env.name, &mut second), 1.0);

    // The first comes back and stands by; it has changed nothing.
    env.controller.options.identity = "first-again".into();
    env.controller.start();
    let mark = env.aws.mark();
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert_eq!(env.aws.writes(mark).len(), 0);
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.writes(mark).len(), 0, "the leader deletes");
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sigterm_the_other_takes_over_at_once() {
    let mut env = Env::builder("lease-term").without_controller().start().await;
    let mut second = two(&mut env).await;
    let fault = env.aws.fault(json!({ "kind": "delay", "seconds": 1.5, "operation": "CreateVpcEndpoint", "times": 1 }));
    env.apply("orders", env.reference()).await;
    env.eventually("an endpoint is being made", SOON, async || if env.aws.hits(&fault) > 0 { Ok(()) } else { Err("not yet".into()) }).await;
    let ended = env.controller.term();
    let ended_at = Instant::now();
    assert!(ended.success(), "{ended}: {}", env.controller.tail(20));
    leader(&env, "second", BUSY).await;
    let took = ended_at.elapsed();
    eprintln!("lease-term: the other leads {took:?} after the end");
    assert!(took < Duration::from_secs(4), "{took:?}");
    env.ready("orders").await;
    let status = env.get("orders").await.status.unwrap();
    assert_eq!((status.owned.len(), status.drift.len()), (8, 0), "{status:#?}");
    let view = View::of(&env);
    assert_eq!((view.our_groups(), view.ours().len(), view.endpoints.len()), (1, 6, 1), "nothing is doubled: {view:#?}");

    // The last one out leaves the Lease and the class to whoever comes.
    assert!(second.term().success());
    let lease = leases(&env).get(&format!("dmsnet-{}", env.name)).await.unwrap().spec.unwrap();
    assert_eq!(lease.holder_identity.as_deref(), Some(""));
    let class = env.classes().get(&env.name).await.unwrap();
    assert_eq!(class.status.unwrap().shard, None, "let go");
}

/// How long, in seconds, a call may be under way before the emulator notes it.
const IN_FLIGHT: f64 = 0.05;

/// The first of many writes is at AWS, which takes its time: all others are still to come.
async fn begins_to_write(env: &Env) {
    let fault = env.aws.fault(json!({ "kind": "delay", "seconds": 0.7, "operation": "[ACM]*" }));
    env.apply("orders", env.reference()).await;
    env.eventually("it writes", SOON, async || if env.aws.hits(&fault) > 0 { Ok(()) } else { Err("no write yet".into()) }).await;
}

/// Frozen with a write in flight and more to do, past its Lease; then it goes on, and finds that another leads.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_frozen_writes_nothing_any_more() {
    let mut env = Env::builder("lease-frozen").without_controller().start().await;
    let mut second = two(&mut env).await;
    let name = env.name.clone();
    begins_to_write(&env).await;
    let mark = env.aws.mark();
    env.controller.process().signal("STOP");
    let stopped = now();
    env.aws.clear_faults();
    leader(&env, "second", TAKEN_OVER + BUSY).await;
    env.ready("orders").await;
    let wanted = View::of(&env);
    assert!(writes_of(&env, OTHER_KEY, mark).len() > 2, "the other had most of it to do");
    env.calls_by(OTHER_KEY, "DescribeSecurityGroupRules", 2, SOON).await;
    let before = versions(&env).await;

    env.controller.process().signal("CONT");
    // It has noticed: it reads, and says that it stands by.
    leads_no_more(&name, &mut env.controller, SOON).await;
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    let late: Vec<_> = env.aws.writes(mark).into_iter().filter(|c| c.at > stopped + IN_FLIGHT).collect();
    assert!(late.is_empty(), "it began writes after it was stopped: {late:#?}");
    assert_eq!(versions(&env).await, before, "nor did it write to Kubernetes");
    assert_eq!(View::of(&env), wanted);

    // And it is good for the next time.
    assert!(second.term().success());
    leader(&env, &name, BUSY).await;
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    revoke_one(&env).await;
    mended(&env, &wanted, SOON).await;
}

/// Stopped for longer than a leader may go without a renewal, and for less than the Lease lasts, as on a machine that swaps: it is the
/// leader still, nobody takes over, and it writes nothing before it has renewed.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_slow_writes_only_once_it_has_renewed() {
    const STOPPED: Duration = Duration::from_secs(11);
    let mut env = Env::builder("lease-slow").without_controller().start().await;
    let _second = two(&mut env).await;
    let name = env.name.clone();
    begins_to_write(&env).await;
    let api = leases(&env);
    let lease = async || api.get(&format!("dmsnet-{name}")).await.unwrap().spec.unwrap();
    let before = lease().await;
    env.controller.process().signal("STOP");
    let stopped = now();
    env.aws.clear_faults();
    tokio::time::sleep(STOPPED).await; // not a guess: between the 10 s of a renewal and the 15 s of the Lease
    let going_on = now();
    assert!(going_on - stopped < LEASE.as_secs_f64() - 2.0, "the machine is too busy for this test: {:.1} s", going_on - stopped);
    env.controller.process().signal("CONT");
    let renewed = env
        .eventually("it renews", SOON, async || {
            let renewed = lease().await.renew_time.unwrap().0.as_millisecond() as f64 / 1000.0;
            if renewed > going_on { Ok(renewed) } else { Err(format!("{renewed}")) }
        })
        .await;
    env.ready("orders").await;
    let after = lease().await;
    assert_eq!((after.holder_identity, after.lease_transitions), (Some(name.clone()), before.lease_transitions), "nobody took over");
    assert_eq!(writes_of(&env, OTHER_KEY, 0), [] as [String; 0]);
    let late = env.aws.writes(0).into_iter().map(|c| c.at).filter(|at| *at > stopped + IN_FLIGHT);
    let first = late.fold(f64::INFINITY, f64::min);
    eprintln!("lease-slow: renewed {:.2} s and wrote {:.2} s after it went on", renewed - going_on, first - going_on);
    // A Lease tells milliseconds of the moment when its renewal was sent.
    assert!(first >= renewed - 0.002, "a write {:.3} s before the renewal", renewed - first);
}

/// Nobody answers: the leader cannot know whether it still leads, so it stops; and goes on when it knows.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_api_server_nothing_is_written() {
    let mut env = Env::builder("lease-mute").private_api_server().without_controller().start().await;
    env.controller.options.args.extend(["--shard".into(), env.name.clone()]);
    env.controller.start();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    settled(&env).await;
    let wanted = View::of(&env);
    env.api_server.as_ref().unwrap().freeze();
    leads_no_more(&env.name, &mut env.controller, Duration::from_secs(11) + BUSY).await;
    let mark = env.aws.mark();
    revoke_one(&env).await;
    env.calls("DescribeSecurityGroupRules", 2, SOON).await; // it looks, and sees it
    assert_eq!(env.aws.writes(mark).len(), 0);
    env.api_server.as_ref().unwrap().thaw();
    mended(&env, &wanted, LEASE + SOON).await;
    env.ready("orders").await;
}

/// The Lease of one that died long ago, on a machine whose clock was a day ahead.
#[tokio::test(flavor = "multi_thread")]
async fn the_lease_of_a_dead_replica_expires_by_our_own_clock() {
    let mut env = Env::builder("lease-dead").without_controller().start().await;
    env.controller.options.args.extend(["--shard".into(), env.name.clone()]);
    let tomorrow = jiff::Timestamp::now() + Duration::from_secs(86_400);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": format!("dmsnet-{}", env.name) },
        "spec": { "holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": format!("{tomorrow:.6}"), "leaseTransitions": 4 },
    });
    let name = format!("dmsnet-{}", env.name);
    leases(&env).patch(&name, &PatchParams::apply("test"), &Patch::Apply(&lease)).await.unwrap();
    env.apply("orders", env.reference()).await;
    let began = Instant::now();
    env.controller.start();
    let identity = env.name.clone();
    leader(&env, &identity, TAKEN_OVER + BUSY * 2).await;
    assert!(began.elapsed() >= LEASE, "not before it has expired: {:?}", began.elapsed());
    assert_eq!(env.aws.writes(0).len(), 0, "nothing was written before");
    env.ready("orders").await;
    assert_eq!(leases(&env).get(&name).await.unwrap().spec.unwrap().lease_transitions, Some(5));
    let note = env.event(&name, "LeaderElection", SOON).await;
    assert_eq!(note, format!("{identity} became leader"));
}
