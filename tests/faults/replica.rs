//! One process of the controller: started, stopped gently, or killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use dmsnet::controller::Options;

use crate::checker::OWNER;

/// How a process of that name is started.
pub fn options(name: &str) -> Options {
    Options {
        cluster_name: Some(OWNER.into()),
        http_addr: ([127, 0, 0, 1], 0).into(),
        http_addr_file: None,
        class_selector: None,
        shard: None,
        lease_namespace: None,
        identity: Some(name.into()),
    }
}

/// What the servers know of a process: whether it is there, whether it can reach Kubernetes, and how wrong its clock is.
#[derive(Clone)]
pub struct Life {
    pub name: Arc<str>,
    over: Arc<AtomicBool>,
    parted: Arc<AtomicBool>,
    unrenewed: Arc<AtomicBool>,
    slow: Arc<AtomicBool>,
    /// Its writes, and its reads.
    crawling: [Arc<AtomicBool>; 2],
    /// Seconds that its clock is behind.
    behind: Arc<AtomicI64>,
    /// The same when it began, by which it reads and writes the times of Leases.
    pub began_behind: i64,
}

impl Life {
    pub fn new(name: &str, behind: i64) -> Self {
        let flag = Arc::<AtomicBool>::default;
        let clock = Arc::new(AtomicI64::new(behind));
        let crawling = [flag(), flag()];
        Self {
            name: name.into(),
            over: flag(),
            parted: flag(),
            unrenewed: flag(),
            slow: flag(),
            crawling,
            behind: clock,
            began_behind: behind,
        }
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

    /// Its calls about Leases take long: some are answered late, some too late.
    pub fn slow_leases(&self, slow: bool) {
        self.slow.store(slow, Ordering::Relaxed);
    }

    pub fn has_slow_leases(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }

    /// Its writes to AWS take long, or its reads too: a pass outlives a Lease.
    pub fn crawl(&self, writes: bool, reads: bool) {
        self.crawling[0].store(writes, Ordering::Relaxed);
        self.crawling[1].store(reads, Ordering::Relaxed);
    }

    pub fn crawls(&self, write: bool) -> bool {
        self.crawling[usize::from(!write)].load(Ordering::Relaxed)
    }

    /// Sets its clock.
    pub fn set_clock(&self, behind: i64) {
        self.behind.store(behind, Ordering::Relaxed);
    }

    /// Seconds that its clock is behind.
    pub fn behind(&self) -> i64 {
        self.behind.load(Ordering::Relaxed)
    }

    pub fn is_parted(&self) -> bool {
        self.parted.load(Ordering::Relaxed)
    }
}
