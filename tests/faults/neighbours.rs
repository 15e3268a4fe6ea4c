//! A class whose account answers only errors: those who use another class do not notice.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    chance,
    cluster::{Key, Kind},
    fate::{Fate, Weather},
    meddle::meddle,
    schedule::{Meddling, NETWORKS, Schedule},
    sim::Sim,
    wants::{Database, Wish},
};

/// Networks of the class that does not work: more than the controller has passes at a time.
const DEAD: usize = 140;
/// How long anything may take at most.
const BOUND: Duration = Duration::from_secs(300);

/// How long the others' networks took.
#[derive(Debug)]
pub struct Took {
    /// To be made.
    pub made: Duration,
    /// To follow a change of their spec.
    pub changed: Duration,
    /// To be mended after somebody revoked a rule.
    pub mended: Duration,
}

/// Three networks in an account that works, beside many in one where this becomes of all that is asked, or of all but the look
/// whose credentials these are. What the first of those says of itself, too.
pub async fn beside(dead: Option<(Fate, bool)>) -> (Took, String) {
    let schedule = Schedule { queue: false, replicas: 1, clocks: vec![0], interval: 60, ..Schedule::of(0) };
    let mut sim = Sim::new(0, schedule, Weather::default());
    sim.furnish();
    if let Some((what, all)) = dead {
        sim.fates.kill_host("dead.test", what, all);
        let spec = json!({
            "region": "dead-1", "endpointUrl": "http://dead.test", "allowedNamespaces": { "from": "All" }, "guardrails": { "vpcIds": ["*"] },
        });
        sim.cluster.create(Kind::Class, json!({ "metadata": { "name": "dead" }, "spec": spec })).unwrap();
        for n in 0..DEAD {
            let mut spec = wish(n % NETWORKS, true).spec(60);
            spec["className"] = "dead".into();
            // Their names come before the others'.
            let metadata = json!({ "name": format!("dead-{n}"), "namespace": "team" });
            sim.cluster.create(Kind::Network, json!({ "metadata": metadata, "spec": spec })).unwrap();
        }
    }
    (0..NETWORKS).for_each(|n| sim.wish(n, wish(n, true)));
    sim.start(0);
    let made = until_whole(&sim).await;
    // The dead ones are tried again and again meanwhile.
    sleep(Duration::from_secs(90)).await;
    sim.wish(0, wish(0, false));
    let changed = until_whole(&sim).await;
    sleep(Duration::from_secs(90)).await;
    meddle(Meddling::RevokeOurs, &mut chance::of(0, "neighbours"), &sim.history, None, &sim.checker, sim.clock, &sim.trace);
    assert!(sim.whole().is_err(), "a rule is gone");
    let mended = until_whole(&sim).await;
    let network = sim.cluster.get(&Key::new(Kind::Network, "team", "dead-0")).unwrap_or_default();
    let says = network["status"]["conditions"].as_array().into_iter().flatten().find(|c| c["type"] == "Ready").map(ToString::to_string);
    sim.end();
    assert_eq!(sim.checker.broken(), [""; 0]);
    (Took { made, changed, mended }, says.unwrap_or_default())
}

fn wish(n: usize, target: bool) -> Wish {
    let databases = [Database::Source].into_iter().chain(target.then_some(Database::Target)).collect();
    Wish { place: n / 2, databases, endpoint: true, private_dns: true, by_cidr: false }
}

async fn until_whole(sim: &Sim) -> Duration {
    let begin = Instant::now();
    while let Err(why) = sim.whole() {
        assert!(begin.elapsed() < BOUND, "{why}\n{}", sim.trace.lines().join("\n"));
        sleep(Duration::from_millis(50)).await;
    }
    begin.elapsed()
}
