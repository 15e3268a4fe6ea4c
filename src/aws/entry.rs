//! When one question is asked again. Pure: instants in, instants out.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{errors::AwsErrorKind, questions::Call};
use crate::model::Need;

/// What falls due within this part of its own interval, or of a shorter one that is due now, is read along with that.
const ALONG: u32 = 5;
/// What is read at the same pace as what is due now comes along once it is as old as this part of its interval; what is read less
/// often than sweeps are, if a call of its kind is made anyway.
const TOGETHER: u32 = 3;
/// First wait after a failed read; it doubles up to the interval.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Found,
    Absent,
    Failed(AwsErrorKind),
}

/// Who asks something.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) who: Arc<str>,
    pub(super) interval: Duration,
    /// How old the answer may get.
    pub(super) age: Duration,
}

/// One question.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Who asks, sorted; mostly one.
    pub(super) subscribers: Vec<Subscriber>,
    /// Shortest of these intervals.
    pub(super) interval: Option<Duration>,
    /// Least of these ages.
    pub(super) oldest: Option<Duration>,
    /// When the latest read that ended had started, and how it ended.
    pub(super) last: Option<(Instant, Outcome)>,
    /// When the latest read that AWS answered had started.
    pub(super) answered: Option<Instant>,
    /// The batch under way that asks it, and when that was made up.
    pub(super) in_flight: Option<(u64, Instant)>,
    /// Somebody waits for a read that starts no earlier.
    pub(super) wanted: Option<Instant>,
    /// Failed reads in a row.
    pub(super) failures: u32,
    /// Something about it is settling: when to look again, and how long to wait after that.
    pub(super) settling: Option<(Instant, Duration)>,
}

impl Entry {
    /// The interval of a sweep of it; none where nobody subscribes.
    pub(super) fn pace(&self) -> Option<Duration> {
        match self.last {
            // A missing reference is asked for every interval.
            Some((_, Outcome::Absent | Outcome::Failed(_))) => self.interval,
            _ => self.oldest,
        }
    }

    /// Asks it from now on, or otherwise than before.
    pub(super) fn add(&mut self, new: Subscriber) {
        match self.subscribers.binary_search_by(|s| s.who.cmp(&new.who)) {
            Ok(at) => self.subscribers[at] = new,
            Err(at) => {
                // Mostly the only one: a list that grows has room for four.
                if self.subscribers.is_empty() {
                    self.subscribers.reserve_exact(1);
                }
                self.subscribers.insert(at, new);
            }
        }
        self.resubscribe();
    }

    /// No longer asks it.
    pub(super) fn drop(&mut self, who: &str) {
        if let Ok(at) = self.subscribers.binary_search_by(|s| (*s.who).cmp(who)) {
            self.subscribers.remove(at);
        }
        self.resubscribe();
    }

    /// Whether a read that started no earlier has ended.
    pub(super) fn read_since(&self, since: Option<Instant>) -> bool {
        self.last.is_some_and(|(started, _)| since.is_none_or(|s| started >= s))
    }

    fn resubscribe(&mut self) {
        self.interval = self.subscribers.iter().map(|s| s.interval).min();
        self.oldest = self.subscribers.iter().map(|s| s.age).min();
    }

    /// When a sweep must ask it.
    pub(super) fn due(&self, need: &Need, now: Instant) -> Option<Instant> {
        if self.in_flight.is_some() {
            return None;
        }
        let sweep = self.pace().map(|pace| match self.last {
            None => now,
            // Nothing but somebody's doing brings a permission.
            Some((started, Outcome::Failed(AwsErrorKind::AccessDenied | AwsErrorKind::Credentials))) => started + pace,
            Some((started, Outcome::Failed(_))) => {
                let wait = RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(8));
                started + jittered(wait, &(need, self.failures)).min(pace)
            }
            Some((started, _)) => started + pace,
        });
        [sweep, self.settling.map(|(at, _)| at)].into_iter().flatten().min()
    }

    /// Whether what is due at `now` should take it along: it is nearly due itself, or a third as old as a read of its own makes
    /// it. So all that is read in every sweep comes together, and so does what one call answers, whenever each was first asked.
    /// At half the age, two that are half an interval apart could miss each other by milliseconds for many sweeps.
    pub(super) fn goes_along(&self, need: &Need, now: Instant, due: &BTreeSet<(Duration, Option<Call>)>) -> bool {
        let (Some(pace), Some((started, Outcome::Found | Outcome::Absent)), None) = (self.pace(), self.last, self.in_flight) else {
            return false;
        };
        let age = now.saturating_duration_since(started);
        let shortest = due.first().map_or(pace, |(shortest, _)| pace.min(*shortest));
        let (swept, mine) = (self.oldest == self.interval, Call::of(need));
        let together = || due.iter().any(|(other, call)| *other == pace && (swept || *call == mine));
        // The next call of its kind would come too late, and it would need one of its own.
        let last_chance = || due.iter().any(|(other, call)| *other < pace && *call == mine && age + *other > pace + *other / ALONG);
        age + shortest / ALONG >= pace || (age >= pace / TOGETHER && together()) || last_chance()
    }
}

/// `wait`, give or take a fifth, the same for the same `seed`.
pub(super) fn jittered(wait: Duration, seed: &impl Hash) -> Duration {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    wait.mul_f64(0.8 + 0.4 * ((hasher.finish() % 1000) as f64 / 1000.0))
}
