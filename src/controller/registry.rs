//! What is shared by the passes of all networks: claims by account and Region, locks, and our own last writes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::{sync::OwnedMutexGuard, time::Instant};

use super::status::Failure;
use crate::{
    api::{DmsNetwork, DmsNetworkStatus},
    aws::Scope,
    plan::{Change, Claim, Claims, Uid},
};

/// A lock by name, created at need.
type NamedLocks = Mutex<HashMap<(Scope, String), Arc<tokio::sync::Mutex<()>>>>;

/// Where a network's claim is, if its class is known, and what the network is called.
type Place = (Option<Scope>, ObjectRef<DmsNetwork>);

/// See the module.
#[derive(Default)]
pub struct Registry {
    claims: Mutex<HashMap<Scope, Claims>>,
    /// Where each network's claim is, and what it is called.
    places: Mutex<HashMap<Uid, Place>>,
    locks: NamedLocks,
    /// The status that we wrote last, and the resourceVersion that it got.
    written: Mutex<HashMap<Uid, (u64, DmsNetworkStatus)>>,
    /// Networks that were there at the start and have not been tried yet; none before the start is over.
    untried: Mutex<Option<BTreeSet<Uid>>>,
    /// How often in a row a network's changes have failed.
    failures: Mutex<HashMap<Uid, u32>>,
    /// What AWS refused each network.
    held: Mutex<HashMap<Uid, Held>>,
}

/// Changes that AWS refused for a lasting reason, and until when they are not asked again.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// None where nothing is held.
    pub until: Option<Instant>,
    /// The changes, and what to say of them.
    pub changes: Vec<(Change, Failure)>,
}

/// A panic elsewhere leaves these maps whole: each change to them is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Looks at the claims of an account and Region.
    pub fn with_claims<R>(&self, scope: &Scope, look: impl FnOnce(&Claims) -> R) -> R {
        look(lock(&self.claims).entry(scope.clone()).or_default())
    }

    /// Replaces what a network claims; returns those that share an endpoint with it and must look again.
    pub fn claim(&self, scope: &Scope, uid: &Uid, network: &DmsNetwork, claim: Claim) -> Vec<ObjectRef<DmsNetwork>> {
        let touched = lock(&self.claims).entry(scope.clone()).or_default().put(uid, claim);
        let mut places = lock(&self.places);
        places.insert(uid.clone(), (Some(scope.clone()), ObjectRef::from_obj(network)));
        touched.iter().filter_map(|u| places.get(u).map(|(_, r)| r.clone())).collect()
    }

    /// Notes that we serve a network whose class is not known.
    pub fn note(&self, uid: &Uid, network: &DmsNetwork) {
        lock(&self.places).entry(uid.clone()).or_insert_with(|| (None, ObjectRef::from_obj(network)));
    }

    /// Whether we have served this network.
    pub fn serves(&self, uid: &Uid) -> bool {
        lock(&self.places).contains_key(uid)
    }

    /// Forgets a network that is gone; returns those that shared an endpoint with it.
    pub fn forget(&self, uid: &Uid) -> Vec<ObjectRef<DmsNetwork>> {
        lock(&self.written).remove(uid);
        lock(&self.failures).remove(uid);
        lock(&self.held).remove(uid);
        let mut places = lock(&self.places);
        let Some((Some(scope), _)) = places.remove(uid) else { return Vec::new() };
        let touched = lock(&self.claims).get_mut(&scope).map(|c| c.remove(uid)).unwrap_or_default();
        touched.iter().filter_map(|u| places.get(u).map(|(_, r)| r.clone())).collect()
    }

    /// The Kubernetes name of a network.
    pub fn object_ref(&self, uid: &Uid) -> Option<ObjectRef<DmsNetwork>> {
        lock(&self.places).get(uid).map(|(_, r)| r.clone())
    }

    /// Takes locks by name, in one order, so that two passes never wait for each other.
    pub async fn lock(&self, scope: &Scope, names: &BTreeSet<String>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::new();
        for name in names {
            let mutex = lock(&self.locks).entry((scope.clone(), name.clone())).or_default().clone();
            guards.push(mutex.lock_owned().await);
        }
        guards
    }

    /// The latest status: our own last write, unless the object is newer than it.
    pub fn latest_status(&self, uid: &Uid, network: &DmsNetwork) -> DmsNetworkStatus {
        let seen = version(network);
        match lock(&self.written).get(uid) {
            Some((wrote, status)) if seen.is_none_or(|seen| seen < *wrote) => status.clone(),
            _ => network.status.clone().unwrap_or_default(),
        }
    }

    /// Notes a status that the API server has taken.
    pub fn wrote(&self, uid: &Uid, answer: &DmsNetwork, status: &DmsNetworkStatus) {
        if let Some(version) = version(answer) {
            lock(&self.written).insert(uid.clone(), (version, status.clone()));
        }
    }

    /// The networks that are there at the start: until each was tried once, nothing is removed or revoked.
    pub fn start(&self, networks: impl IntoIterator<Item = Uid>) {
        *lock(&self.untried) = Some(networks.into_iter().collect());
    }

    /// A network was tried. Tells whether it was the last one of the start.
    pub fn tried(&self, uid: &Uid) -> bool {
        let mut untried = lock(&self.untried);
        match untried.as_mut() {
            Some(set) => set.remove(uid) && set.is_empty(),
            None => false,
        }
    }

    /// Whether every network of the start was tried.
    pub fn all_tried(&self) -> bool {
        lock(&self.untried).as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// What a network is not to ask of AWS yet.
    pub fn held(&self, uid: &Uid, now: Instant) -> Held {
        lock(&self.held).get(uid).filter(|h| h.until.is_some_and(|until| now < until)).cloned().unwrap_or_default()
    }

    /// Replaces what a network is not to ask of AWS yet.
    pub fn hold(&self, uid: &Uid, held: Held) {
        if held.changes.is_empty() {
            lock(&self.held).remove(uid);
        } else {
            lock(&self.held).insert(uid.clone(), held);
        }
    }

    /// Counts failures in a row; 0 after a success.
    pub fn failed(&self, uid: &Uid, failed: bool) -> u32 {
        let mut failures = lock(&self.failures);
        if !failed {
            failures.remove(uid);
            return 0;
        }
        let count = failures.entry(uid.clone()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// Resource versions are ordered numbers (KEP-5504); one that is not says nothing.
fn version(network: &DmsNetwork) -> Option<u64> {
    network.resource_version()?.parse().ok()
}
