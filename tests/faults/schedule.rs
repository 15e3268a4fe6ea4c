//! What people, foreigners and machines do, and when: all of it from the seed.

use std::{collections::BTreeSet, time::Duration};

use fastrand::Rng;

use crate::{
    chance::{self, happens, pick},
    wants::{Database, Wish},
};

/// One thing that is done.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Makes the network of that number, or changes its spec.
    Wish(usize, Wish),
    /// Deletes it.
    Delete(usize),
    /// Asks for a pass.
    Request(usize),
    /// Somebody changes AWS.
    Meddle(Meddling),
    /// kill -9 of a replica, and a new process after that time.
    Kill(usize, Duration),
    /// SIGTERM, and a new process.
    Stop(usize),
    /// A replica cannot reach the API server for that long.
    Part(usize, Duration),
    /// It can, but not renew its Lease.
    WithoutLease(usize, Duration),
    /// It can, and each renewal takes long.
    SlowLease(usize, Duration),
    /// Whoever writes cannot renew its Lease for that long, and each of its writes to AWS takes long, or all of its calls. What comes next
    /// is not held up by it.
    Outlive(bool, Duration),
    /// From now on its clock is so many seconds behind.
    Clock(usize, i64),
    /// The API server is down for that long.
    Outage(Duration),
    CutWatches,
    /// Old versions are forgotten.
    Compact,
}

/// What somebody does to AWS.
#[derive(Clone, Copy, Debug)]
pub enum Meddling {
    RevokeOurs,
    EditOurs,
    StripTags,
    /// Revokes a rule of ours and makes the same without tags.
    Replace,
    AddForeign,
    DeleteEndpoint,
    MoveEndpoint,
}

/// The schedule of a seed.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub deeds: Vec<(Duration, Deed)>,
    pub replicas: usize,
    /// By how many seconds the clock of each one's machine is behind.
    pub clocks: Vec<i64>,
    /// Whether the class has a change queue.
    pub queue: bool,
    /// How long the first part takes: what is made is changed, broken and repaired.
    pub first: Duration,
    /// What follows then, where there are several replicas.
    pub outlived: Vec<(Duration, Deed)>,
    /// In the second part all is deleted; when each network is.
    pub deletions: Vec<Duration>,
    pub late_deeds: Vec<(Duration, Deed)>,
    /// Whether faults go on in the second part.
    pub faults_to_the_end: bool,
    /// `resyncInterval`.
    pub interval: u64,
    /// How long an endpoint takes to come, and to go.
    pub endpoint_takes: (Duration, Duration),
}

/// How wrong a clock is: some minutes, back or ahead.
fn wrong(rng: &mut Rng) -> i64 {
    pick(rng, &[-7200, -1800, -400, -200, -20, 20, 200, 400, 1800, 7200])
}

/// Networks of a run.
pub const NETWORKS: usize = 3;

fn wish(rng: &mut Rng, n: usize, private_dns: bool) -> Wish {
    let all = [
        Database::Source,
        Database::Target,
        Database::Address { port: 6001, of_source: true },
        Database::Address { port: 6002, of_source: false },
        Database::Address { port: 6003, of_source: true },
    ];
    let mut databases: BTreeSet<Database> = all.into_iter().filter(|_| rng.bool()).collect();
    if databases.is_empty() {
        databases.insert(pick(rng, &all));
    }
    // The first two share a topology, the third has one of its own.
    Wish { place: n / 2, databases, endpoint: happens(rng, 0.7), private_dns, by_cidr: false }
}

/// The one that writes loses its Lease in the midst of a pass: somebody wants, and breaks, so much that its writes take longer than the
/// Lease lasts.
fn outlived(rng: &mut Rng, private_dns: bool) -> Vec<(Duration, Deed)> {
    let mut deeds = vec![(Duration::ZERO, Deed::Outlive(happens(rng, 0.3), Duration::from_millis(rng.u64(20_000..60_000))))];
    for n in 0..NETWORKS {
        let mut later = || Duration::from_millis(rng.u64(..8000));
        let (wished, broken) = (later(), later());
        deeds.push((wished, Deed::Wish(n, Wish { by_cidr: rng.bool(), ..wish(rng, n, private_dns) })));
        deeds.push((broken, Deed::Meddle(pick(rng, &[Meddling::RevokeOurs, Meddling::EditOurs, Meddling::DeleteEndpoint]))));
    }
    deeds.sort_by_key(|(at, _)| *at);
    deeds
}

impl Schedule {
    /// How many processes there will be, one after the other or side by side.
    pub fn lives(&self) -> usize {
        let deeds = self.deeds.iter().chain(&self.late_deeds);
        self.replicas + deeds.filter(|(_, deed)| matches!(deed, Deed::Kill(..) | Deed::Stop(_))).count()
    }

    pub fn of(seed: u64) -> Self {
        let rng = &mut chance::of(seed, "schedule");
        let first = Duration::from_secs(rng.u64(30..150));
        let within = |rng: &mut Rng, from: f64, to: f64| first.mul_f64(from + rng.f64() * (to - from));
        let private_dns = rng.bool();
        let mut deeds = Vec::new();
        for n in 0..NETWORKS {
            // Most are there from the start; a few never are.
            if happens(rng, 0.9) {
                deeds.push((within(rng, 0.0, 0.3), Deed::Wish(n, wish(rng, n, private_dns))));
            }
        }
        for _ in 0..rng.usize(..5) {
            let n = rng.usize(..NETWORKS);
            let deed = match rng.usize(..5) {
                0 => Deed::Delete(n),
                1 => Deed::Request(n),
                _ => Deed::Wish(n, wish(rng, n, private_dns)),
            };
            deeds.push((within(rng, 0.2, 1.0), deed));
        }
        let meddling = [
            Meddling::RevokeOurs,
            Meddling::RevokeOurs,
            Meddling::EditOurs,
            Meddling::StripTags,
            Meddling::Replace,
            Meddling::AddForeign,
            Meddling::DeleteEndpoint,
            Meddling::MoveEndpoint,
        ];
        for _ in 0..rng.usize(..10).saturating_sub(3) {
            deeds.push((within(rng, 0.1, 1.0), Deed::Meddle(pick(rng, &meddling))));
        }
        let replicas = pick(rng, &[1, 1, 2]);
        let partings = if replicas > 1 { rng.usize(..4) } else { 0 };
        for _ in 0..partings {
            let (slot, length) = (rng.usize(..replicas), Duration::from_millis(rng.u64(1000..40_000)));
            let deed = if rng.bool() { Deed::Part(slot, length) } else { Deed::WithoutLease(slot, length) };
            deeds.push((within(rng, 0.0, 1.0), deed));
        }
        let (kills, outages) = (pick(rng, &[0, 0, 1, 2, 5]), pick(rng, &[0, 0, 0, 1, 2]));
        let machines = |rng: &mut Rng, kills: usize, outages: usize| {
            let mut deeds = Vec::new();
            for _ in 0..kills {
                let slot = rng.usize(..replicas);
                let deed = if happens(rng, 0.8) { Deed::Kill(slot, Duration::from_millis(rng.u64(..15_000))) } else { Deed::Stop(slot) };
                deeds.push((within(rng, 0.0, 1.0), deed));
            }
            for _ in 0..outages {
                let deed = pick(rng, &[0, 1, 2]);
                let deed = match deed {
                    0 => Deed::Outage(Duration::from_millis(rng.u64(100..25_000))),
                    1 => Deed::CutWatches,
                    _ => Deed::Compact,
                };
                deeds.push((within(rng, 0.0, 1.0), deed));
            }
            deeds
        };
        deeds.extend(machines(rng, kills, outages));
        let rng = &mut chance::of(seed, "clocks");
        for _ in 0..pick(rng, &[0, 0, 1, 2]) {
            let slot = rng.usize(..replicas);
            let deed = if rng.bool() {
                Deed::SlowLease(slot, Duration::from_millis(rng.u64(5000..60_000)))
            } else {
                Deed::Clock(slot, wrong(rng))
            };
            deeds.push((within(rng, 0.0, 1.0), deed));
        }
        let clocks = (0..replicas).map(|_| if happens(rng, 0.3) { wrong(rng) } else { 0 }).collect();
        let rng = &mut chance::of(seed, "ingress");
        for (_, deed) in &mut deeds {
            if let Deed::Wish(_, wish) = deed {
                wish.by_cidr = happens(rng, 0.3);
            }
        }
        let rng = &mut chance::of(seed, "end");
        deeds.sort_by_key(|(at, _)| *at);
        let deletions = (0..NETWORKS).map(|_| Duration::from_millis(rng.u64(..20_000))).collect();
        let mut late_deeds = machines(rng, kills.min(2), outages);
        late_deeds.iter_mut().for_each(|(at, _)| *at = at.mul_f64(0.3));
        late_deeds.sort_by_key(|(at, _)| *at);
        Self {
            deeds,
            replicas,
            clocks,
            queue: rng.bool(),
            first,
            outlived: if replicas > 1 { outlived(&mut chance::of(seed, "outlived"), private_dns) } else { Vec::new() },
            deletions,
            late_deeds,
            faults_to_the_end: rng.bool(),
            interval: pick(rng, &[15, 30, 60]),
            endpoint_takes: (Duration::from_secs(rng.u64(..20)), Duration::from_secs(rng.u64(..20))),
        }
    }
}
