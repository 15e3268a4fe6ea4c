//! One process of the controller: started, stopped gently, or killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// What the servers know of a process: whether it is there, and whether it can reach Kubernetes.
#[derive(Clone)]
pub struct Life {
    pub name: Arc<str>,
    over: Arc<AtomicBool>,
    parted: Arc<AtomicBool>,
    unrenewed: Arc<AtomicBool>,
}

impl Life {
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), over: Arc::default(), parted: Arc::default(), unrenewed: Arc::default() }
    }

    /// Killed: nothing it does from now on can be seen, and nothing reaches it.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Cuts it off from Kubernetes, or lets it back.
    pub fn part(&self, parted: bool) {
        self.parted.store(parted, Ordering::Relaxed);
    }

    /// The API server answers it, but not about Leases.
    pub fn withhold_leases(&self, withheld: bool) {
        self.unrenewed.store(withheld, Ordering::Relaxed);
    }

    pub fn is_without_leases(&self) -> bool {
        self.unrenewed.load(Ordering::Relaxed)
    }

    pub fn is_parted(&self) -> bool {
        self.parted.load(Ordering::Relaxed)
    }
}
