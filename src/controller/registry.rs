//! What is shared by the passes of all networks: claims by account and Region, locks, and our own last writes.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use kube::{ResourceExt, runtime::reflector::ObjectRef};
use tokio::{sync::OwnedMutexGuard, time::Instant};

use super::{
    cached_network::{CachedNetwork, classes_of},
    kubernetes,
    looks::{Looks, Opened, Place},
    network::label,
    status::Failure,
};
use crate::{
    api::{DmsNetwork, DmsNetworkStatus, conditions::Reason, names::RECONCILE_REQUESTED_AT},
    aws::{Account, Unheard},
    model::{SecurityGroupId, shared},
    plan::{Change, Claim, Claims, Uid},
};

/// A lock by name, created at need, and gone once nobody holds it or waits for it.
type NamedLocks = Mutex<HashMap<(Account, String), Weak<tokio::sync::Mutex<()>>>>;

/// A generation and a request, and when they were first seen.
type Seen = (i64, Option<String>, Instant);

/// See the module.
#[derive(Default)]
pub struct Registry {
    claims: Mutex<HashMap<Account, Claims>>,
    /// What each network that we serve is called: `namespace/name`.
    names: Mutex<HashMap<Uid, Arc<str>>>,
    locks: NamedLocks,
    /// The status that we wrote last, and the resourceVersion that it got.
    written: Mutex<HashMap<Uid, (u64, Written)>>,
    /// When each network was first seen as it is wanted now: its generation and request.
    seen: Mutex<HashMap<Uid, Seen>>,
    /// Which networks still have to be looked at before anything is removed.
    looks: Mutex<Looks>,
    /// What counts of each class for its networks, as it was last seen.
    classes: Mutex<HashMap<String, String>>,
    /// How often in a row a network's changes have failed.
    failures: Mutex<HashMap<Uid, u32>>,
    /// What AWS refused each network.
    held: Mutex<HashMap<Uid, Held>>,
    /// Networks whose connections are to be tested once their changes are complete.
    to_test: Mutex<HashSet<Uid>>,
    /// Writes that AWS did not answer.
    unheard: Mutex<HashMap<Account, Arc<Unheard>>>,
}

/// A status that we wrote: ours until the cache shows it.
enum Written {
    Ours(Box<DmsNetworkStatus>),
    Cached(Arc<CachedNetwork>),
}

impl Written {
    fn status(&self) -> Option<Cow<'_, DmsNetworkStatus>> {
        match self {
            Self::Ours(status) => Some(Cow::Borrowed(status)),
            Self::Cached(network) => network.unpacked().and_then(|n| n.status).map(Cow::Owned),
        }
    }
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
    pub fn with_claims<R>(&self, account: &Account, look: impl FnOnce(&Claims) -> R) -> R {
        look(lock(&self.claims).entry(account.clone()).or_default())
    }

    /// Replaces what a network claims in an account and Region; returns those that share an endpoint with it and must look again.
    pub fn claim(&self, account: &Account, uid: &Uid, network: &DmsNetwork, claim: Claim) -> Vec<ObjectRef<DmsNetwork>> {
        let touched = lock(&self.claims).entry(account.clone()).or_default().put(uid, claim);
        self.note(uid, network);
        self.called(&touched)
    }

    /// Notes that we serve a network whose class is not known.
    pub fn note(&self, uid: &Uid, network: &DmsNetwork) {
        lock(&self.names).entry(uid.clone()).or_insert_with(|| shared(&label(network)));
    }

    /// Whether we have served this network.
    pub fn serves(&self, uid: &Uid) -> bool {
        lock(&self.names).contains_key(uid)
    }

    /// Forgets a network that is gone; returns those that shared an endpoint with it.
    pub fn forget(&self, uid: &Uid) -> Vec<ObjectRef<DmsNetwork>> {
        lock(&self.written).remove(uid);
        lock(&self.seen).remove(uid);
        lock(&self.failures).remove(uid);
        lock(&self.held).remove(uid);
        lock(&self.to_test).remove(uid);
        if lock(&self.names).remove(uid).is_none() {
            return Vec::new();
        }
        let touched: BTreeSet<Uid> = lock(&self.claims).values_mut().flat_map(|claims| claims.remove(uid)).collect();
        self.called(&touched)
    }

    /// The Kubernetes name of a network.
    pub fn object_ref(&self, uid: &Uid) -> Option<ObjectRef<DmsNetwork>> {
        self.called([uid]).pop()
    }

    /// The Kubernetes names of networks, as far as we serve them.
    fn called<'a>(&self, uids: impl IntoIterator<Item = &'a Uid>) -> Vec<ObjectRef<DmsNetwork>> {
        let names = lock(&self.names);
        let of = |label: &Arc<str>| label.split_once('/').map(|(namespace, name)| ObjectRef::new(name).within(namespace));
        uids.into_iter().filter_map(|uid| of(names.get(uid)?)).collect()
    }

    /// Takes locks by name, in one order, so that two passes never wait for each other.
    pub async fn lock(&self, names: &BTreeSet<(Account, String)>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::new();
        for name in names {
            let mutex = self.named(name);
            guards.push(mutex.lock_owned().await);
        }
        guards
    }

    fn named(&self, name: &(Account, String)) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = lock(&self.locks);
        if let Some(mutex) = locks.get(name).and_then(Weak::upgrade) {
            return mutex;
        }
        locks.retain(|_, mutex| mutex.strong_count() > 0);
        let mutex = Arc::default();
        locks.insert(name.clone(), Arc::downgrade(&mutex));
        mutex
    }

    /// The latest status: our own last write, unless the object is newer than it.
    pub fn latest_status(&self, uid: &Uid, network: &DmsNetwork) -> DmsNetworkStatus {
        self.with_latest_status(uid, network, |status| status.cloned().unwrap_or_default())
    }

    /// Looks at the latest status, if there is any. It is large: whoever looks at those of all networks takes no copy. Call nothing of
    /// the registry's meanwhile.
    pub fn with_latest_status<R>(&self, uid: &Uid, network: &DmsNetwork, look: impl FnOnce(Option<&DmsNetworkStatus>) -> R) -> R {
        let written = lock(&self.written);
        let seen = kubernetes::version(network);
        match written.get(uid) {
            Some((wrote, written)) if seen.is_none_or(|seen| seen < *wrote) => look(written.status().as_deref()),
            _ => look(network.status.as_ref()),
        }
    }

    /// The classes that the status names which we wrote last, if the cache does not show it yet.
    pub fn own_classes(&self, uid: &Uid, network: &CachedNetwork) -> BTreeSet<String> {
        match lock(&self.written).get(uid) {
            Some((wrote, Written::Ours(status))) if kubernetes::version(network).is_none_or(|seen| seen < *wrote) => {
                classes_of(status).cloned().collect()
            }
            _ => BTreeSet::new(),
        }
    }

    /// The cache shows this network. Where that is what we wrote last, its copy serves for ours; not none at all, since a pass under way
    /// may still hold an older one.
    pub fn caught_up(&self, uid: &Uid, network: Arc<CachedNetwork>) {
        let Some(seen) = kubernetes::version(&*network) else { return };
        if let Some(written) = lock(&self.written).get_mut(uid).filter(|(wrote, _)| *wrote <= seen) {
            *written = (seen, Written::Cached(network));
        }
    }

    /// Notes a status that the API server has taken.
    pub fn wrote(&self, uid: &Uid, answer: &DmsNetwork, status: &DmsNetworkStatus) {
        if let Some(version) = kubernetes::version(answer) {
            lock(&self.written).insert(uid.clone(), (version, Written::Ours(Box::new(status.clone()))));
        }
    }

    /// A term begins with these networks, and where they may hold something: whatever was looked at before, others may have changed
    /// since.
    pub fn start(&self, networks: impl IntoIterator<Item = (DmsNetwork, BTreeSet<Place>)>) {
        *lock(&self.looks) = Looks::default();
        lock(&self.failures).clear();
        lock(&self.held).clear();
        for (network, places) in networks {
            self.expect(&network, places);
        }
        lock(&self.looks).start();
    }

    /// A network must be looked at anew, as if it had just come.
    pub fn again(&self, network: &DmsNetwork, places: BTreeSet<Place>) {
        if let Some(uid) = network.uid() {
            lock(&self.looks).again(&uid.into(), &places);
        }
        self.expect(network, places);
    }

    /// A network was made or changed: until it was looked at, nothing is removed that it might want.
    pub fn expect(&self, network: &DmsNetwork, places: BTreeSet<Place>) {
        let (Some(uid), generation) = (network.uid(), network.metadata.generation.unwrap_or_default()) else { return };
        let uid: Uid = shared(&uid);
        self.seen(&uid, network);
        if network.metadata.deletion_timestamp.is_none() {
            lock(&self.looks).expect(&uid, generation, places);
        }
    }

    /// One of a network's classes has changed: while it was not looked at, it may be elsewhere. Returns whom that concerns.
    pub fn moved(&self, uid: &Uid, places: impl FnOnce() -> BTreeSet<Place>) -> Vec<ObjectRef<DmsNetwork>> {
        // Not under its lock: finding the places takes others.
        if !lock(&self.looks).awaits(uid) {
            return Vec::new();
        }
        let places = places();
        let opened = lock(&self.looks).moved(uid, places);
        self.concerned(&opened)
    }

    /// Networks that may have waited for what was opened.
    fn concerned(&self, opened: &Opened) -> Vec<ObjectRef<DmsNetwork>> {
        if opened.places.is_empty() {
            return Vec::new();
        }
        let claims = lock(&self.claims);
        let here: BTreeSet<Uid> =
            claims.iter().filter(|(account, _)| opened.concerns(account)).flat_map(|(_, c)| c.all()).cloned().collect();
        drop(claims);
        self.called(&here)
    }

    /// When this generation and request of a network were first seen: what was read of AWS since then is as fresh as anybody can ask.
    pub fn seen(&self, uid: &Uid, network: &DmsNetwork) -> Instant {
        let generation = network.metadata.generation.unwrap_or_default();
        let request = network.annotations().get(RECONCILE_REQUESTED_AT);
        let mut seen = lock(&self.seen);
        match seen.get(uid) {
            Some((g, r, at)) if *g == generation && r.as_ref() == request => *at,
            _ => {
                let now = Instant::now();
                seen.insert(uid.clone(), (generation, request.cloned(), now));
                now
            }
        }
    }

    /// A network was tried at a generation. Returns whom that concerns, and tells once when every network that had to be was.
    pub fn tried(&self, uid: &Uid, generation: i64) -> (Vec<ObjectRef<DmsNetwork>>, bool) {
        let opened = lock(&self.looks).tried(uid, generation);
        (self.concerned(&opened), opened.all)
    }

    /// Whether every other network was tried that may be in this account and Region: before that, nothing is removed or revoked there
    /// (design.md 2, Giving up).
    pub fn all_tried(&self, but: &Uid, account: &Account) -> bool {
        lock(&self.looks).all_tried(but, account)
    }

    /// A network is gone, with or without a last pass. Returns those that shared an endpoint with it, or waited for it.
    pub fn gone(&self, uid: &Uid) -> Vec<ObjectRef<DmsNetwork>> {
        let opened = lock(&self.looks).gone(uid);
        let mut touched = self.forget(uid);
        touched.extend(self.concerned(&opened));
        touched
    }

    /// Networks that we know and that are in no list any more.
    pub fn missing_from(&self, known: &BTreeSet<Uid>) -> Vec<Uid> {
        let looks = lock(&self.looks);
        let all: BTreeSet<Uid> = looks.known().chain(lock(&self.names).keys()).cloned().collect();
        all.difference(known).cloned().collect()
    }

    /// Whether what counts of a class for its networks is not as it was last seen.
    pub fn class_changed(&self, name: &str, now: Option<String>) -> bool {
        let mut classes = lock(&self.classes);
        match now {
            Some(now) => classes.insert(name.to_owned(), now.clone()).as_ref() != Some(&now),
            None => {
                classes.remove(name);
                true
            }
        }
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

    /// Rules are gone: what a full group had no room for may be asked again at once. Returns whom that concerns.
    pub fn made_room(&self, done: &[Change]) -> Vec<ObjectRef<DmsNetwork>> {
        let gone: BTreeSet<&SecurityGroupId> = done.iter().filter_map(Change::rule_revoked).map(|(group, _)| group).collect();
        if gone.is_empty() {
            return vec![];
        }
        let fits = |(change, failure): &(Change, Failure)| {
            failure.reason == Some(Reason::QuotaExceeded) && change.rule_made().is_some_and(|(group, _)| gone.contains(group))
        };
        let mut concerned = BTreeSet::new();
        lock(&self.held).retain(|uid, held| {
            let before = held.changes.len();
            held.changes.retain(|refusal| !fits(refusal));
            if held.changes.len() < before {
                concerned.insert(uid.clone());
            }
            !held.changes.is_empty()
        });
        self.called(&concerned)
    }

    /// Writes of this account and Region that AWS did not answer, whoever made them: they may have been done.
    pub fn unheard(&self, account: &Account) -> Arc<Unheard> {
        lock(&self.unheard).entry(account.clone()).or_default().clone()
    }

    /// Its connections are to be tested once its changes are complete.
    pub fn test_later(&self, uid: &Uid) {
        lock(&self.to_test).insert(uid.clone());
    }

    /// Whether they are.
    pub fn is_to_test(&self, uid: &Uid) -> bool {
        lock(&self.to_test).contains(uid)
    }

    /// The tests were started, or are not wanted any more.
    pub fn tested(&self, uid: &Uid) {
        lock(&self.to_test).remove(uid);
    }

    /// How often in a row its changes have failed.
    pub fn in_a_row(&self, uid: &Uid) -> u32 {
        lock(&self.failures).get(uid).copied().unwrap_or_default()
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
