//! When all is well: AWS and status as wished, nothing left behind, nothing written without need.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep};

use crate::{
    cluster::Kind,
    schedule::NETWORKS,
    sim::{Sim, key},
};

/// Once the faults have stopped, all is well after this time at the latest.
const BOUND: Duration = Duration::from_secs(300);

impl Sim {
    /// Waits until all is well; how long that took.
    pub async fn until_well(&self, what: &str, well: fn(&Self) -> Result<(), String>) -> Duration {
        let begin = Instant::now();
        loop {
            let Err(why) = well(self) else {
                self.trace.add(|| format!("--- {what}"));
                return begin.elapsed();
            };
            if !self.checker.broken().is_empty() {
                return begin.elapsed();
            }
            if begin.elapsed() > BOUND {
                self.checker.breaks(format!("not {what} within {} s once faults had stopped: {why}", BOUND.as_secs()));
                return begin.elapsed();
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// AWS as wished, and the status of each network says so.
    pub fn whole(&self) -> Result<(), String> {
        let world = self.history.now(self.clock.elapsed()).clone();
        let others = self.checker.others(&world);
        self.checker.whole(&world, &others)?;
        let wishes = self.checker.wishes();
        for n in 0..NETWORKS {
            let (name, object) = (format!("net-{n}"), self.cluster.get(&key(n)));
            let Some(wish) = wishes.get(&name) else {
                if object.is_some() {
                    return Err(format!("{name} is still there"));
                }
                continue;
            };
            let object = object.ok_or_else(|| format!("{name} is not there"))?;
            let status = &object["status"];
            let condition = |type_: &str| {
                let all = status["conditions"].as_array().cloned().unwrap_or_default();
                all.into_iter().find(|c| c["type"] == type_).unwrap_or_default()
            };
            let ready = condition("Ready");
            if ready["status"] != "True" || status["observedGeneration"] != object["metadata"]["generation"] {
                return Err(format!("{name} is not ready: {ready}"));
            }
            let owned = status["owned"].as_array().cloned().unwrap_or_default();
            if owned.len() != wish.entries() || owned.iter().any(|e| !e["id"].is_string() || !e["want"].is_string()) {
                return Err(format!("{name} has another ledger than its wish of {}: {owned:#?}", wish.entries()));
            }
        }
        Ok(())
    }

    /// Nothing of ours is left, and no network either.
    pub fn gone(&self) -> Result<(), String> {
        let left = self.cluster.list(Kind::Network);
        if !left.is_empty() {
            return Err(format!("networks with finalizers: {left:#?}"));
        }
        let world = self.history.now(self.clock.elapsed()).clone();
        self.checker.whole(&world, &BTreeMap::new())?;
        match self.checker.made(&world) {
            made if made.is_empty() => Ok(()),
            made => Err(format!("left behind: {made:?}")),
        }
    }

    /// What nobody else did is no drift: not a first creation that was cut off, and not a late read.
    pub fn no_drift(&self) {
        let meddled = self.trace.lines().iter().any(|l| l.contains("--- somebody"));
        for network in self.cluster.list(Kind::Network) {
            let drift = &network["status"]["drift"];
            if !meddled && drift.as_array().is_some_and(|d| !d.is_empty()) {
                self.checker.breaks(format!("nobody touched AWS, but {} says: {drift}", network["metadata"]["name"]));
            }
        }
    }

    /// With nothing to do, nothing is written.
    pub async fn idle(&self) {
        // What was about to settle settles.
        sleep(Duration::from_secs(90)).await;
        if self.queue.depth() > 0 {
            self.checker.breaks(format!("{} messages are still in the queue", self.queue.depth()));
        }
        let before = (self.checker.writes(), self.cluster.written());
        sleep(Duration::from_secs(3 * self.schedule.interval)).await;
        let after = (self.checker.writes(), self.cluster.written());
        if before != after {
            self.checker.breaks(format!("with nothing to do, there were writes to AWS or Kubernetes: {before:?} -> {after:?}"));
        }
    }
}
