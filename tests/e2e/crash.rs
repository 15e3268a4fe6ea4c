//! kill -9 at every step between ledger, AWS and status: after a restart nothing is doubled, nothing orphaned, and a
//! creation that was cut off is no drift. And SIGTERM, after which nothing is half done.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    harness::{
        Env,
        env::{SOON, is},
    },
    view::View,
};

/// Operations that make things, as a glob; and those that take them away (Delete*, Revoke*, not Describe*).
const MAKING: &str = "[ACM]*";
const TAKING: &str = "[DR]e[lv]*";

/// The n-th write is under way when the controller dies, and never done.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_each_write() {
    at_each_write("crash-before", &json!({ "kind": "timeout", "seconds": 3 })).await;
}

/// The n-th write is under way when the controller dies, and done a little later: maybe after the restart.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_a_write_is_under_way() {
    at_each_write("crash-during", &json!({ "kind": "delay", "seconds": 0.7 })).await;
}

async fn at_each_write(name: &str, fault: &Value) {
    let mut env = Env::start(name).await;
    let before = env.aws.state();
    let (mut makes, mut takes, mut points) = (true, true, 0);
    for n in 0.. {
        let at = |operations: &str| {
            let mut fault = fault.clone();
            (fault["operation"], fault["skip"], fault["times"]) = (operations.into(), n.into(), 1.into());
            fault
        };
        // Without private DNS AWS would take a second endpoint.
        let mut spec = env.reference();
        spec["vpcEndpoints"][0]["privateDns"] = (n % 2 == 0).into();
        let fault = env.aws.fault(at(MAKING));
        env.apply("orders", spec.clone()).await;
        if makes {
            makes = struck_before(&env, &fault, async || env.networks().get("orders").await.is_ok_and(|n| is(&n, "Ready", "True"))).await;
        }
        let mut rules = 6;
        if makes {
            env.controller.kill();
            points += 1;
            if n % 3 == 1 {
                // The spec is changed while nobody looks.
                spec["databases"].as_array_mut().unwrap().truncate(1);
                env.apply("orders", spec).await;
                rules = 4;
            }
            env.controller.start();
        }
        env.aws.clear_faults();
        whole(&env, rules, &format!("killed at write {n}")).await;

        let fault = env.aws.fault(at(TAKING));
        env.delete("orders").await;
        if takes {
            takes = struck_before(&env, &fault, async || matches!(env.networks().get_opt("orders").await, Ok(None))).await;
        }
        if takes {
            env.controller.kill();
            points += 1;
            env.controller.start();
        }
        env.aws.clear_faults();
        nothing_left(&env, &before, &format!("killed at deleting write {n}")).await;
        if !makes && !takes {
            break;
        }
    }
    eprintln!("{name}: killed at {points} points");
    assert!(points >= 10, "{points}");
}

/// At any moment: status and finalizer writes, reads, Events. `CRASH_KILLS` says how often.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment() {
    let kills = std::env::var("CRASH_KILLS").map_or(12, |n| n.parse().unwrap());
    // Side by side, two kills in a round.
    let rounds = |part: u64| at_moments(part, kills / 2 / PARTS + u64::from(part < kills / 2 % PARTS));
    let struck = futures::future::join_all((0..PARTS).map(rounds)).await;
    let (made, at_work) = struck.iter().fold((0, 0), |(a, b), s| (a + s.kills, b + s.at_work));
    eprintln!("crash-any: killed {made} times, {at_work} of them before its work was done");
    assert_eq!(made, kills / 2 * 2);
    assert!(at_work * 2 > made, "most kills hit nothing: {at_work} of {made}");
}

/// Environments of [`killed_at_any_moment`].
const PARTS: u64 = 3;

/// Kills that were made, and those that came before the network was as it was to be.
#[derive(Default)]
struct Struck {
    kills: u64,
    at_work: u64,
}

async fn at_moments(part: u64, rounds: u64) -> Struck {
    let mut struck = Struck::default();
    let mut env = Env::start(&format!("crash-any-{part}")).await;
    let before = env.aws.state();
    let mut seed: u64 = 0x5eed + part;
    let mut moment = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((seed >> 33) % most)
    };
    for n in 0..rounds {
        let (first, second) = (moment(700), moment(700));
        env.apply("orders", env.reference()).await;
        tokio::time::sleep(first).await; // not a guess: any moment will do
        env.controller.kill();
        struck.kills += 1;
        struck.at_work += u64::from(!is(&env.get("orders").await, "Ready", "True"));
        env.controller.start();
        whole(&env, 6, &format!("round {n}: killed {first:?} after the network was made")).await;
        env.delete("orders").await;
        tokio::time::sleep(second).await;
        env.controller.kill();
        struck.kills += 1;
        struck.at_work += u64::from(env.networks().get_opt("orders").await.unwrap().is_some());
        env.controller.start();
        nothing_left(&env, &before, &format!("round {n}: killed {second:?} after the deletion")).await;
    }
    struck
}

/// A rule that goes while the ledger of a repair is written, and dies half-way, is one drift, and is mended.
#[tokio::test(flavor = "multi_thread")]
async fn killed_in_a_repair() {
    let mut env = Env::start("crash-repair").await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    crate::view::settled(&env).await;
    let wanted = View::of(&env);
    for (n, kind) in ["timeout", "delay"].into_iter().enumerate() {
        let rules = env.aws.ec2().describe_security_group_rules().send().await.unwrap();
        let source = &env.topology.security_group_ids.source;
        let rule = rules.security_group_rules().iter().find(|r| r.group_id() == Some(source) && r.is_egress() == Some(false)).unwrap();
        let id = rule.security_group_rule_id().unwrap();
        let fault = env.aws.fault(json!({ "kind": kind, "seconds": 0.7, "operation": "Authorize*", "times": 1 }));
        env.aws.ec2().revoke_security_group_ingress().group_id(source).security_group_rule_ids(id).send().await.unwrap();
        assert!(struck_before(&env, &fault, async || false).await);
        env.controller.kill();
        env.controller.start();
        let network = env
            .network("orders", SOON, |net| {
                let drift = &net.status.as_ref().unwrap().drift;
                drift.len() == n + 1 && drift.iter().all(|r| r.corrected_at.is_some())
            })
            .await;
        assert!(network.status.unwrap().drift.iter().all(|r| r.kind == "RuleMissing"));
        assert_eq!(View::of(&env), wanted);
        crate::view::settled(&env).await;
        env.aws.clear_faults();
    }
}

/// SIGTERM: what has begun is finished and noted, then it ends well, and soon.
#[tokio::test(flavor = "multi_thread")]
async fn a_gentle_end_leaves_nothing_half_done() {
    let mut env = Env::start("crash-term").await;
    let fault = env.aws.fault(json!({ "kind": "delay", "seconds": 1.5, "operation": "CreateVpcEndpoint", "times": 1 }));
    env.apply("orders", env.reference()).await;
    assert!(struck_before(&env, &fault, async || false).await);
    let asked = Instant::now();
    let ended = env.controller.term();
    assert!(ended.success(), "{ended}: {}", env.controller.tail(20));
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    let status = env.get("orders").await.status.unwrap();
    assert_eq!(status.owned.len(), 8);
    assert!(status.owned.iter().all(|e| e.id.is_some() && e.want.is_some()), "what was done is in the ledger: {:#?}", status.owned);
    assert_eq!(View::of(&env).endpoints.len(), 1);

    // Nothing to do: at once.
    env.controller.start();
    env.ready("orders").await;
    let (asked, ended) = (Instant::now(), env.controller.term());
    assert!(ended.success() && asked.elapsed() < Duration::from_secs(3), "{ended} after {:?}", asked.elapsed());
}

/// Whether the fault strikes before `over`.
async fn struck_before(env: &Env, fault: &str, over: impl AsyncFn() -> bool) -> bool {
    let deadline = Instant::now() + SOON;
    loop {
        if env.aws.hits(fault) > 0 {
            return true;
        }
        if over().await {
            return env.aws.hits(fault) > 0;
        }
        assert!(Instant::now() < deadline, "neither struck nor over; dmsnet says:\n{}", env.controller.tail(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Ready, and all of it is there once and in the ledger.
async fn whole(env: &Env, rules: usize, what: &str) {
    env.ready("orders").await;
    // What was about to be made, and is not wanted any more, is kept in the ledger for a while.
    let network = env.network("orders", SOON, |n| n.status.as_ref().is_some_and(|s| s.owned.len() == rules + 2)).await;
    let status = network.status.unwrap();
    assert!(status.drift.is_empty(), "{what}: what was cut off is no drift: {:#?}", status.drift);
    assert_eq!(status.owned.len(), rules + 2, "{what}: {:#?}", status.owned);
    assert!(status.owned.iter().all(|e| e.id.is_some() && e.want.is_some() && e.made), "{what}: {:#?}", status.owned);
    let view = View::of(env);
    assert_eq!((view.our_groups(), view.ours().len(), view.endpoints.len()), (1, rules, 1), "{what}: {view:#?}");
}

async fn nothing_left(env: &Env, before: &Value, what: &str) {
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), *before, "{what}: AWS is as before");
}
