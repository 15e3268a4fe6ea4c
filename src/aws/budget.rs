//! A rate budget for each operation, after AWS's token buckets (domain.md 3.5). The buckets are the account's, shared with
//! every other tool: sweeps take a part of them, so that there is room for passes, for writes and for others. When AWS says
//! that it was too much, the budget shrinks at once, and grows again slowly. Who waits for it, and in which order, is told in `turns`.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::StateInformationMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

/// Who asks, the first to go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A write: something is to be mended, and locks are held meanwhile.
    Write,
    /// A pass that waits.
    Pass,
    /// A sweep: nobody waits for it.
    Sweep,
}

/// AWS's bucket for an operation, and what of it is ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Limit {
    capacity: f64,
    per_second: f64,
    /// Ours, of AWS's.
    share: f64,
}

/// A sweep's part of what AWS grants.
const SWEEP_SHARE: f64 = 0.5;
/// The smallest part that a budget shrinks to; but one call in ten seconds always goes through: AWS grants some every few seconds.
const LEAST: f64 = 1.0 / 32.0;
/// See [`LEAST`], a second.
const SLOWEST: f64 = 0.1;
/// By how much of the whole it grows again in a second.
const GROWTH: f64 = 0.01;
/// Refusals within this time are one: the calls were under way together.
const ONE_STEP: Duration = Duration::from_secs(1);
/// Units of one call: a shrunken budget charges more of them for a call.
const UNIT: f64 = 1000.0;

/// AWS's figures; none where there are none to keep (STS, SQS). DMS counts all its operations together.
pub(super) fn limit_of(service: &str, operation: &str) -> Option<(&'static str, Limit)> {
    let limit = |capacity, per_second, share| Limit { capacity, per_second, share };
    let read = ["Describe", "Get", "List"].iter().any(|p| operation.starts_with(p));
    Some(match (service, operation) {
        ("ec2", "CreateVpcEndpoint" | "ModifyVpcEndpoint" | "DeleteVpcEndpoints") => ("", limit(4.0, 0.3, 1.0)),
        ("ec2", "CreateTags" | "DeleteTags") => ("", limit(100.0, 10.0, 0.9)),
        ("ec2", _) if read => ("", limit(100.0, 20.0, 0.8)),
        ("ec2", _) => ("", limit(50.0, 5.0, 0.9)),
        // The guide names 200 and 8 in one place, 100 and 4 in others.
        ("dms", _) => ("dms", limit(100.0, 4.0, 0.8)),
        // AWS publishes nothing for RDS: this is what Describe calls of others get at least.
        ("rds", _) => ("", limit(50.0, 10.0, 0.8)),
        _ => return None,
    })
}

/// Time as it is told, so that a bucket needs no clock.
#[derive(Clone, Debug, Default)]
struct Told(Arc<AtomicU64>);

impl Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Told, StateInformationMiddleware>;

/// The budget of one operation.
pub(super) struct Budget {
    began: Instant,
    clock: Told,
    /// For all that we do.
    all: Bucket,
    /// For sweeps, on top.
    sweeps: Bucket,
    capacity: u32,
    /// Units that come back in a second, of `all`.
    per_second: f64,
    /// The smallest part that it shrinks to.
    least: f64,
    /// The part that was left at that time.
    part: (f64, Instant),
    /// When it last shrank.
    shrank: Option<Instant>,
    /// Turns that were given, and not yet used by a request.
    given: u32,
    /// Requests of a sweep that were taken from `sweeps`, and not yet from `all`.
    prepaid: u32,
}

fn bucket(limit: Limit, share: f64, clock: &Told) -> (Bucket, u32) {
    let units = ((limit.capacity * share).max(1.0) * UNIT) as u32;
    let burst = NonZeroU32::new(units).unwrap_or(NonZeroU32::MIN);
    let per_unit = Duration::from_secs_f64(1.0 / (limit.per_second * share * UNIT));
    let quota = Quota::with_period(per_unit).unwrap_or_else(|| Quota::per_second(burst)).allow_burst(burst);
    (RateLimiter::direct_with_clock(quota, clock.clone()).with_middleware(), units)
}

impl Budget {
    pub(super) fn new(limit: Limit, now: Instant) -> Self {
        let clock = Told::default();
        let (all, capacity) = bucket(limit, limit.share, &clock);
        let (sweeps, _) = bucket(limit, limit.share * SWEEP_SHARE, &clock);
        let least = (SLOWEST / (limit.per_second * limit.share)).clamp(LEAST, 1.0);
        let per_second = limit.per_second * limit.share * UNIT;
        Self { began: now, clock, all, sweeps, capacity, per_second, least, part: (1.0, now), shrank: None, given: 0, prepaid: 0 }
    }

    fn tell(&self, now: Instant) {
        let nanos = now.saturating_duration_since(self.began).as_nanos();
        self.clock.0.fetch_max(u64::try_from(nanos).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What of the budget is left by refusals.
    fn part(&self, now: Instant) -> f64 {
        let (part, at) = self.part;
        (part + GROWTH * now.saturating_duration_since(at).as_secs_f64()).min(1.0)
    }

    /// What so many requests cost: never more than a bucket of `most` units holds.
    fn cost(&self, now: Instant, requests: u32, most: u32) -> NonZeroU32 {
        let units = (UNIT / self.part(now) * f64::from(requests)).round().min(f64::from(most)) as u32;
        NonZeroU32::new(units).unwrap_or(NonZeroU32::MIN)
    }

    /// Takes what so many requests cost, else tells how long to wait.
    pub(super) fn take(&mut self, who: Who, requests: u32, now: Instant) -> Result<(), Duration> {
        self.tell(now);
        if who == Who::Sweep && self.prepaid < requests {
            take(&self.sweeps, self.cost(now, requests - self.prepaid, self.capacity / 2), &self.clock)?;
            self.prepaid = requests;
        }
        take(&self.all, self.cost(now, requests, self.capacity), &self.clock)?;
        if who == Who::Sweep {
            self.prepaid -= requests;
        }
        self.given += requests;
        Ok(())
    }

    /// How long it takes, if all goes on as it is, until so many requests have had their turn, `of_sweeps` of them sweeps'.
    pub(super) fn time_for(&self, requests: u32, of_sweeps: u32, now: Instant) -> Duration {
        self.tell(now);
        let until = |bucket: &Bucket, requests: u32, per_second: f64| {
            let missing = UNIT / self.part(now) * f64::from(requests) - f64::from(left(bucket));
            (missing / per_second).max(0.0)
        };
        let all = until(&self.all, requests, self.per_second);
        let sweeps = until(&self.sweeps, of_sweeps, self.per_second * SWEEP_SHARE);
        Duration::from_secs_f64(if of_sweeps > 0 { all.max(sweeps) } else { all })
    }

    /// How often one comes back.
    pub(super) fn time_of_one(&self, now: Instant) -> Duration {
        Duration::from_secs_f64(UNIT / self.part(now) / self.per_second)
    }

    /// A request went out: one that had its turn, or a further page, or another try.
    pub(super) fn went_out(&mut self, now: Instant) {
        if self.given > 0 {
            self.given -= 1;
            return;
        }
        self.tell(now);
        if take(&self.all, self.cost(now, 1, self.capacity), &self.clock).is_err() {
            drain(&self.all);
        }
    }

    /// AWS refused: half of it is left, and no token.
    pub(super) fn throttled(&mut self, now: Instant) {
        self.tell(now);
        drain(&self.all);
        drain(&self.sweeps);
        if self.shrank.is_none_or(|at| now.saturating_duration_since(at) >= ONE_STEP) {
            self.part = ((self.part(now) / 2.0).max(self.least), now);
            self.shrank = Some(now);
        }
    }

    /// Calls that could be made at once.
    pub(super) fn tokens(&self, now: Instant) -> f64 {
        self.tell(now);
        f64::from(left(&self.all)) / UNIT * self.part(now)
    }
}

fn take(bucket: &Bucket, units: NonZeroU32, clock: &Told) -> Result<(), Duration> {
    match bucket.check_n(units) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(until)) => Err(until.wait_time_from(clock.now())),
        // More than the bucket holds; `cost` sees to it that this does not happen.
        Err(_) => Err(ONE_STEP),
    }
}

/// Units that are in it. The look costs one: a thousandth of a call.
fn left(bucket: &Bucket) -> u32 {
    bucket.check().map_or(0, |seen| seen.remaining_burst_capacity())
}

fn drain(bucket: &Bucket) {
    if let Some(left) = NonZeroU32::new(left(bucket)) {
        let _ = bucket.check_n(left);
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
