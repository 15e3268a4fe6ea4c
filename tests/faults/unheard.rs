//! AWS makes an endpoint, its answer is lost, and the process that waited for it is killed: the one that comes next makes no second one,
//! and leaves none behind, though it wants another than was asked for, and AWS shows what was made only later.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{
    fate::Weather,
    fixed, paused,
    schedule::Schedule,
    sim::{Sim, key},
    wants::{Database, Wish},
};

/// AWS shows nothing of the endpoint for so long: longer than the Lease of the one that is killed lasts, and than what calls that were
/// under way take; shorter than reads are ever late.
const DEAF: Duration = Duration::from_secs(45);
const BOUND: Duration = Duration::from_secs(300);

fn wish(private_dns: bool) -> Wish {
    Wish { place: 0, databases: [Database::Source].into(), endpoint: true, private_dns, by_cidr: false }
}

/// One network or two that share the endpoint, and a process that is killed as soon as it has asked for that.
async fn asked_and_killed(networks: usize) -> Sim {
    let schedule = Schedule { queue: false, replicas: 1, clocks: vec![0], interval: 60, ..Schedule::of(0) };
    let mut sim = Sim::new(0, schedule, Weather { deaf: Some(DEAF), ..Weather::default() });
    sim.furnish();
    for n in 0..networks {
        sim.wish(n, wish(false));
        // The first is the older one.
        sleep(Duration::from_secs(2)).await;
    }
    sim.start(0);
    until(&sim, "asked for", |sim| told(sim, "the answer is lost, and those that follow").then_some(()).ok_or_else(String::new)).await;
    sim.kill(0);
    let intended = tokens(&sim);
    assert!(!intended.is_empty(), "the ledger names the request");
    assert!(intended.iter().all(|e| e["id"].is_null() && e["want"].is_null()), "{intended:?}");
    sim
}

fn told(sim: &Sim, what: &str) -> bool {
    sim.trace.lines().iter().any(|l| l.contains(what))
}

/// Entries of ledgers that name a request.
fn tokens(sim: &Sim) -> Vec<Value> {
    let ledger = |n| sim.cluster.get(&key(n)).and_then(|o| o["status"]["owned"].as_array().cloned()).unwrap_or_default();
    (0..2).flat_map(ledger).filter(|e| e["token"].is_string()).collect()
}

async fn until(sim: &Sim, what: &str, is: fn(&Sim) -> Result<(), String>) {
    let begin = Instant::now();
    while let Err(why) = is(sim) {
        assert_eq!(sim.checker.broken(), [""; 0], "{}", sim.trace.lines().join("\n"));
        assert!(begin.elapsed() < BOUND, "not {what}: {why}\n{}", sim.trace.lines().join("\n"));
        sleep(Duration::from_millis(50)).await;
    }
}

/// All is well, and stays as it is.
async fn ends(mut sim: Sim, what: &str, is: fn(&Sim) -> Result<(), String>) {
    sim.start(0);
    until(&sim, what, is).await;
    assert_eq!(tokens(&sim), [Value::Null; 0], "nothing is waited for any more");
    sim.idle().await;
    assert_eq!(sim.checker.broken(), [""; 0], "{}", sim.trace.lines().join("\n"));
    let made = sim.trace.lines().iter().filter(|l| l.contains("CreateVpcEndpoint") && l.ends_with(": done")).count();
    assert_eq!(made, 1, "AWS was asked once:\n{}", sim.trace.lines().join("\n"));
    sim.end();
}

#[test]
fn other_fields_after_a_kill_make_no_second_endpoint() {
    if fixed::again("unheard::other_fields_after_a_kill_make_no_second_endpoint") {
        return;
    }
    paused(0, async {
        let sim = asked_and_killed(1).await;
        sim.wish(0, wish(true));
        ends(sim, "whole", Sim::whole).await;
    });
}

#[test]
fn another_lead_after_a_kill_makes_no_second_endpoint() {
    if fixed::again("unheard::another_lead_after_a_kill_makes_no_second_endpoint") {
        return;
    }
    paused(0, async {
        let sim = asked_and_killed(2).await;
        sim.cluster.delete(&key(0)).unwrap();
        sim.checker.wished("net-0", None);
        ends(sim, "whole", Sim::whole).await;
    });
}

#[test]
fn an_endpoint_that_shows_late_after_a_kill_goes_with_its_network() {
    if fixed::again("unheard::an_endpoint_that_shows_late_after_a_kill_goes_with_its_network") {
        return;
    }
    paused(0, async {
        let sim = asked_and_killed(1).await;
        sim.cluster.delete(&key(0)).unwrap();
        sim.checker.wished("net-0", None);
        ends(sim, "gone", Sim::gone).await;
    });
}
