//! Calls that are made up and wait for their turn or their answer. Meanwhile what else is asked of that kind gathers for the next: the
//! scarcer the turns are, and the more is asked, the more each call carries.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::lock;

/// An operation, and whether somebody waits for its answer.
pub(super) type Kind = (&'static str, bool);

/// See the module. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub(super) struct Queued(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    calls: Mutex<BTreeMap<Kind, usize>>,
    /// How often the last of a kind had its turn.
    freed: AtomicU64,
    kick: Arc<Notify>,
}

/// One that waits, until it is dropped.
#[derive(Debug)]
pub(super) struct Waits {
    queued: Queued,
    kind: Kind,
}

impl Queued {
    /// `kick` is notified whenever the last of a kind had its turn.
    pub(super) fn new(kick: Arc<Notify>) -> Self {
        Self(Arc::new(Inner { kick, ..Inner::default() }))
    }

    pub(super) fn enter(&self, kind: Kind) -> Waits {
        *lock(&self.0.calls).entry(kind).or_default() += 1;
        Waits { queued: self.clone(), kind }
    }

    /// Whether one of this kind waits.
    pub(super) fn has(&self, kind: Kind) -> bool {
        lock(&self.0.calls).contains_key(&kind)
    }

    /// How often the last of a kind had its turn, so far.
    pub(super) fn freed(&self) -> u64 {
        self.0.freed.load(Ordering::Acquire)
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        let mut calls = lock(&self.queued.0.calls);
        let Some(count) = calls.get_mut(&self.kind) else { return };
        *count -= 1;
        if *count == 0 {
            calls.remove(&self.kind);
            drop(calls);
            self.queued.0.freed.fetch_add(1, Ordering::Release);
            self.queued.0.kick.notify_one();
        }
    }
}
