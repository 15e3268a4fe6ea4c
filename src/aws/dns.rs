//! Names of databases. A resolver may take its time: nothing waits for it.

use std::{net::IpAddr, pin::pin, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};

use super::{apply::Effect, store::Store};
use crate::model::{Need, Resolution};

/// After so long a name counts as not answered, until the resolver does answer.
const PATIENCE: Duration = Duration::from_secs(5);

impl Store {
    /// Looks a name up and puts the answer into the picture.
    pub(super) async fn look_up(self: Arc<Self>, need: Need, batch: u64) {
        let Need::Host(name) = &need else { return };
        let started = Instant::now();
        // The lookup keeps its place until it really ends: the system's resolver cannot be interrupted.
        let _permit = self.lookups.clone().acquire_owned().await;
        let mut lookup = pin!(resolve(name));
        match timeout(PATIENCE, &mut lookup).await {
            Ok(answer) => self.resolved(&need, answer, batch, started),
            Err(_) => {
                let late = Resolution::Failed(format!("no answer within {} s", PATIENCE.as_secs()));
                // Batch 0 is none: the question stays under way, so it is not asked again meanwhile.
                self.resolved(&need, late, 0, started);
                let answer = lookup.await;
                self.resolved(&need, answer, batch, started);
            }
        }
    }

    fn resolved(&self, need: &Need, answer: Resolution, batch: u64, started: Instant) {
        let Need::Host(name) = need else { return };
        let mut kept = self.write();
        let mut effect = Effect::default();
        effect.answered.insert(need.clone());
        if kept.picture.hosts.get(name) != Some(&answer) {
            kept.picture.hosts.insert(name.clone(), answer);
            effect.changed.insert(need.clone());
        }
        if kept.picture.asked.insert(need.clone(), None) != Some(None) {
            effect.changed.insert(need.clone());
        }
        self.settle(&kept.picture, &kept.expected, &effect, batch, started, None, Instant::now());
        drop(kept);
        self.answered(&effect.changed);
    }
}

async fn resolve(name: &str) -> Resolution {
    match tokio::net::lookup_host((name, 0)).await {
        Ok(found) => {
            let mut addresses: Vec<IpAddr> = found.map(|a| a.ip()).collect();
            addresses.sort();
            addresses.dedup();
            Resolution::Addresses(addresses)
        }
        Err(e) => Resolution::Failed(e.to_string()),
    }
}
