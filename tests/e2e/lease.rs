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
const TAKEN_OVER: Duration = Duration::from_secs(17);
/// What the machine may add when it is busy.
pub const BUSY: Duration = Duration::from_secs(5);

/// The first replica leads; the second, with credentials of its own, stands by.
async fn two(env: &mut Env) -> Controller {
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
async fn leader(env: &Env, identity: &str, within: Duration) {
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
    let died = Instant::now();
    env.controller.kill();
    leader(&env, "second", TAKEN_OVER + BUSY).await;
    let took = died.elapsed();
    eprintln!("lease-kill: the other leads after {took:?}");
    assert!(took <= TAKEN_OVER, "{took:?}");
    mended(&env, &wanted, Duration::from_secs(5) + BUSY).await;
    eprintln!("lease-kill: mended after {:?}", died.elapsed());
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

/// Frozen with a write in flight and more to do, past its Lease; then it goes on, and finds that another leads.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_frozen_writes_nothing_any_more() {
    let mut env = Env::builder("lease-frozen").without_controller().start().await;
    let mut second = two(&mut env).await;
    let name = env.name.clone();
    // Slow enough that every write after this one is still to come.
    env.aws.fault(json!({ "kind": "delay", "seconds": 0.7, "operation": "[ACM]*" }));
    env.apply("orders", env.reference()).await;
    env.eventually("it writes", SOON, async || {
        let writes = env.aws.writes(0).len();
        if writes >= 1 { Ok(()) } else { Err("no write yet".into()) }
    })
    .await;
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
    let late: Vec<_> = env.aws.writes(mark).into_iter().filter(|c| c.at > stopped + 0.05).collect();
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
