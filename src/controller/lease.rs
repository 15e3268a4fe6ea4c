//! The Lease in Kubernetes: reads and writes for the [`Elector`], and a look at those of other shards.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use k8s_openapi::{
    api::{
        coordination::v1::{Lease, LeaseSpec},
        core::v1::ObjectReference,
    },
    apimachinery::pkg::apis::meta::v1::MicroTime,
    jiff::Timestamp,
};
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    elector::{DURATION, Elector, RENEWED_WITHIN, Record, Seen},
    leadership::Leadership,
};
use crate::api::names::MANAGER;

/// Longest wait for one answer of the API server: two tries fit into the time in which a leader must renew.
const ANSWER: Duration = Duration::from_secs(4);
/// Tries to let the Lease go at the end.
const RELEASES: usize = 3;

/// Name of the Lease of a shard.
pub fn name(shard: &str) -> String {
    format!("{MANAGER}-{shard}")
}

/// What an Event about a shard's Lease is about.
pub fn reference(namespace: &str, shard: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("coordination.k8s.io/v1".into()),
        kind: Some("Lease".into()),
        name: Some(name(shard)),
        namespace: Some(namespace.into()),
        ..ObjectReference::default()
    }
}

fn record(lease: Lease) -> Record {
    let version = lease.resource_version();
    let spec = lease.spec.unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).unwrap_or_default();
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        acquired: spec.acquire_time.map(|t| t.0),
        renewed: spec.renew_time.map(|t| t.0),
        duration: Duration::from_secs(seconds),
        transitions: spec.lease_transitions.unwrap_or_default(),
        version,
    }
}

fn lease(name: &str, record: &Record) -> Lease {
    Lease {
        metadata: ObjectMeta { name: Some(name.to_owned()), resource_version: record.version.clone(), ..ObjectMeta::default() },
        spec: Some(LeaseSpec {
            holder_identity: Some(record.holder.clone()),
            acquire_time: record.acquired.map(MicroTime),
            renew_time: record.renewed.map(MicroTime),
            lease_duration_seconds: i32::try_from(record.duration.as_secs()).ok(),
            lease_transitions: Some(record.transitions),
            ..LeaseSpec::default()
        }),
    }
}

/// A number by chance, from the standard library's own source: no two states of its hash maps are alike.
pub fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A little more than `time`, by chance: candidates that began together drift apart.
pub fn jittered(time: Duration) -> Duration {
    let part = u16::try_from(chance() % 1000).unwrap_or_default();
    time + time.mul_f64(0.2 * f64::from(part) / 1000.0)
}

/// A candidate at work.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    elector: Elector,
    leadership: Arc<Leadership>,
    /// What went wrong last, said once.
    trouble: Option<String>,
    /// Who was last seen to lead.
    leader: Option<String>,
}

impl Candidate {
    /// For the Lease of `shard`. The API must not repeat calls by itself: time counts.
    pub fn new(api: Api<Lease>, shard: &str, identity: String, leadership: Arc<Leadership>) -> Self {
        Self { api, name: name(shard), elector: Elector::new(identity), leadership, trouble: None, leader: None }
    }

    /// Takes the Lease when it can be had, keeps it, and lets it go at `release`. Until then, and after a loss, it tries again.
    pub async fn run(mut self, release: CancellationToken) {
        while !release.is_cancelled() {
            // Before the API server is asked: a process that was stopped knows at once that it is too late.
            self.tell();
            let now = Instant::now();
            let left = self.elector.renewed().map(|at| RENEWED_WITHIN.saturating_sub(now - at)).filter(|left| !left.is_zero());
            let trouble = match timeout(left.unwrap_or(ANSWER).min(ANSWER), self.step()).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(advice(&error)),
                Err(_) => Some("the API server does not answer".to_owned()),
            };
            self.tell();
            if trouble.is_some() && trouble != self.trouble {
                tracing::warn!(
                    lease = self.leadership.lease(),
                    "the Lease could not be read or renewed: {}",
                    trouble.as_deref().unwrap_or("")
                );
            }
            self.trouble = trouble;
            let leader = self.elector.holder().map(str::to_owned);
            if leader != self.leader && self.elector.renewed().is_none() {
                tracing::info!(
                    lease = self.leadership.lease(),
                    leader = leader.as_deref().unwrap_or("nobody"),
                    "another replica leads: this one stands by"
                );
            }
            self.leader = leader;
            release.run_until_cancelled(sleep(jittered(self.elector.wait(Instant::now())))).await;
        }
        self.release().await;
    }

    fn tell(&self) {
        let now = Instant::now();
        self.leadership.renewed(self.elector.renewed().filter(|_| self.elector.leads(now)));
    }

    /// Looks, and writes what is to be written. A write that was refused is followed by a look.
    async fn step(&mut self) -> Result<(), kube::Error> {
        for _ in 0..2 {
            if self.elector.must_look(Instant::now()) {
                let found = self.api.get_opt(&self.name).await?;
                self.elector.observed(found.map(record), Instant::now());
            }
            let Some(wish) = self.elector.write(Instant::now(), Timestamp::now()) else { return Ok(()) };
            let sent = Instant::now();
            match self.put(&wish).await {
                Ok(taken) => {
                    self.elector.written(taken, sent, Instant::now());
                    return Ok(());
                }
                Err(kube::Error::Api(status)) if lost(&status) => self.elector.refused(),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn put(&self, wish: &Record) -> Result<Record, kube::Error> {
        let (params, body) = (PostParams { field_manager: Some(MANAGER.into()), ..PostParams::default() }, lease(&self.name, wish));
        let answer = match wish.version {
            None => self.api.create(&params, &body).await?,
            Some(_) => self.api.replace(&self.name, &params, &body).await?,
        };
        Ok(record(answer))
    }

    /// Whoever stands by takes it at once.
    async fn release(&mut self) {
        // First of all: nothing is written any more.
        self.leadership.renewed(None);
        for _ in 0..RELEASES {
            let Some(wish) = self.elector.release(Timestamp::now()) else { return };
            match timeout(ANSWER, self.put(&wish)).await {
                Ok(Ok(_)) => {
                    tracing::info!(lease = self.leadership.lease(), "the Lease is let go");
                    return;
                }
                Ok(Err(kube::Error::Api(status))) if lost(&status) => {
                    // An answer to a renewal was lost, or it is another's by now.
                    match timeout(ANSWER, self.api.get_opt(&self.name)).await {
                        Ok(Ok(found)) => self.elector.observed(found.map(record), Instant::now()),
                        _ => return,
                    }
                }
                other => {
                    tracing::warn!(lease = self.leadership.lease(), ?other, "the Lease could not be let go: it expires in {DURATION:?}");
                    return;
                }
            }
        }
    }
}

/// Somebody else was faster: they changed, made or deleted it.
fn lost(status: &kube::core::Status) -> bool {
    status.is_conflict()
        || status.is_already_exists()
        || (status.is_not_found() && status.details.as_ref().is_some_and(|d| d.kind == "leases"))
}

/// What to do about a refusal.
fn advice(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if status.is_forbidden() => {
            format!("{error}; grant get, create and update on leases of coordination.k8s.io (deploy/kustomize/rbac.yaml)")
        }
        kube::Error::Api(status) if status.is_not_found() => format!("{error}; set --lease-namespace to a namespace that exists"),
        error => error.to_string(),
    }
}

/// Leases of other shards in the same namespace, as they were last seen.
pub struct Others {
    api: Api<Lease>,
    seen: Mutex<HashMap<String, Seen>>,
}

impl Others {
    /// None seen yet.
    pub fn new(api: Api<Lease>) -> Self {
        Self { api, seen: Mutex::default() }
    }

    /// Whether a shard may still be at work: its Lease is held, or was not seen to be free for long enough. For twice the duration,
    /// so that another replica of that shard comes first.
    ///
    /// # Errors
    /// Those of the API server.
    pub async fn may_be_at_work(&self, shard: &str) -> Result<bool, kube::Error> {
        let found = timeout(ANSWER, self.api.get_opt(&name(shard))).await.map_err(|e| kube::Error::Service(e.into()))??;
        let now = Instant::now();
        let mut all = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen::next(all.remove(shard), found.map(record), now);
        let at_work = seen.age(now) < 2 * DURATION;
        all.insert(shard.to_owned(), seen);
        Ok(at_work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_way_to_kubernetes() {
        let now = Timestamp::from_microsecond(1_700_000_000_123_456).unwrap();
        let there = Record {
            holder: "pod-1".into(),
            acquired: Some(now),
            renewed: Some(now),
            duration: DURATION,
            transitions: 3,
            version: Some("7".into()),
        };
        let json = serde_json::to_value(lease("dmsnet-default", &there)).unwrap();
        assert_eq!((&json["spec"]["leaseDurationSeconds"], &json["metadata"]["name"]), (&15.into(), &"dmsnet-default".into()));
        assert_eq!(record(serde_json::from_value(json).unwrap()), there);
        assert_eq!(record(Lease::default()), Record::default(), "one without a spec is held by nobody");
    }

    #[test]
    fn jitter_is_small() {
        for _ in 0..100 {
            let time = Duration::from_secs(2);
            assert!((time..=time.mul_f64(1.2)).contains(&jittered(time)));
        }
    }
}
