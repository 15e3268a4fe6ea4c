//! When one question is asked again. Pure: instants in, instants out.

use std::{
    collections::BTreeSet,
    hash::{DefaultHasher, Hash, Hasher},
    num::NonZeroU64,
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    errors::AwsErrorKind,
    moment::{Millis, Moment},
    questions::Call,
};
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
    who: Arc<str>,
    interval: Millis,
    /// How old the answer may get.
    age: Millis,
}

impl Subscriber {
    pub(super) fn new(who: Arc<str>, interval: Duration, age: Duration) -> Self {
        Self { who, interval: interval.into(), age: age.into() }
    }
}

/// One question. There are a dozen or two of each network: what most of them have is small, the rest is aside.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// Who asks: mostly one, who then needs no list.
    subscriber: Option<Subscriber>,
    /// Shortest of these intervals.
    interval: Option<Millis>,
    /// Least of these ages.
    oldest: Option<Millis>,
    /// When the latest read that ended had started.
    last: Option<Moment>,
    /// The batch under way that asks it, and when that was made up.
    in_flight: Option<(NonZeroU64, Moment)>,
    /// Failed reads in a row.
    failures: u32,
    /// Whether what the latest read asked for was not there.
    absent: bool,
    /// What few have at a time.
    aside: Option<Box<Aside>>,
}

/// What most questions have none of.
#[derive(Debug, Default)]
struct Aside {
    /// Who else asks, sorted.
    others: Vec<Subscriber>,
    /// Somebody waits for a read that starts no earlier.
    wanted: Option<Instant>,
    /// Something about it is settling: when to look again, and how long to wait after that.
    settling: Option<(Instant, Duration)>,
    /// The latest read that ended was refused.
    failed: Option<Failed>,
}

/// A latest read that AWS did not answer.
#[derive(Clone, Copy, Debug)]
struct Failed {
    kind: AwsErrorKind,
    /// When the latest read that AWS answered had started.
    answered: Option<Instant>,
}

impl Aside {
    fn is_empty(&self) -> bool {
        self.others.is_empty() && self.wanted.is_none() && self.settling.is_none() && self.failed.is_none()
    }
}

impl Entry {
    /// Shortest interval of those who ask; none where nobody does.
    pub(super) fn interval(&self) -> Option<Duration> {
        self.interval.map(Into::into)
    }

    /// The interval of a sweep of it; none where nobody subscribes.
    pub(super) fn pace(&self) -> Option<Duration> {
        match self.last() {
            // A missing reference is asked for every interval.
            Some((_, Outcome::Absent | Outcome::Failed(_))) => self.interval(),
            _ => self.oldest.map(Into::into),
        }
    }

    /// When the latest read that ended had started, and how it ended.
    pub(super) fn last(&self) -> Option<(Instant, Outcome)> {
        let outcome = match (self.failed(), self.absent) {
            (Some(failed), _) => Outcome::Failed(failed.kind),
            (None, true) => Outcome::Absent,
            (None, false) => Outcome::Found,
        };
        Some((self.last?.into(), outcome))
    }

    /// When the latest read that AWS answered had started.
    pub(super) fn answered(&self) -> Option<Instant> {
        match self.failed() {
            Some(failed) => failed.answered,
            None => self.last.map(Into::into),
        }
    }

    /// A read that had started then ended so.
    pub(super) fn ended(&mut self, started: Instant, outcome: Outcome) {
        let is_last = self.last.is_none_or(|last| last <= started.into());
        let (before, failed) = (self.answered(), self.failed());
        self.failures = if matches!(outcome, Outcome::Failed(_)) { self.failures.saturating_add(1) } else { 0 };
        let failed = match (outcome, failed) {
            (Outcome::Failed(kind), _) if is_last => Some(Failed { kind, answered: before }),
            // One that started later has failed before.
            (Outcome::Found | Outcome::Absent, Some(later)) if !is_last => Some(Failed { answered: before.max(Some(started)), ..later }),
            (Outcome::Failed(_), later) => later,
            _ => None,
        };
        if is_last {
            self.last = Some(started.into());
            self.absent = outcome == Outcome::Absent;
        }
        self.set_aside(|aside| aside.failed = failed);
    }

    /// The batch under way that asks it, and when that was made up.
    pub(super) fn in_flight(&self) -> Option<(u64, Instant)> {
        self.in_flight.map(|(batch, made_up)| (batch.get(), made_up.into()))
    }

    /// It is asked by a batch that was made up then.
    pub(super) fn goes(&mut self, batch: u64, made_up: Instant) {
        self.in_flight = NonZeroU64::new(batch).map(|batch| (batch, made_up.into()));
    }

    /// No longer asked by this batch. Whether it was.
    pub(super) fn came(&mut self, batch: u64) -> bool {
        let was = self.in_flight.is_some_and(|(number, _)| number.get() == batch);
        if was {
            self.in_flight = None;
        }
        was
    }

    /// Somebody waits for a read that starts no earlier.
    pub(super) fn wanted(&self) -> Option<Instant> {
        self.aside.as_ref()?.wanted
    }

    pub(super) fn want(&mut self, since: Option<Instant>) {
        self.set_aside(|aside| aside.wanted = since);
    }

    /// Something about it is settling: when to look again, and how long to wait after that.
    pub(super) fn settling(&self) -> Option<(Instant, Duration)> {
        self.aside.as_ref()?.settling
    }

    pub(super) fn settle(&mut self, settling: Option<(Instant, Duration)>) {
        self.set_aside(|aside| aside.settling = settling);
    }

    fn failed(&self) -> Option<Failed> {
        self.aside.as_ref()?.failed
    }

    /// Changes what few have, which is not there while there is none of it.
    fn set_aside(&mut self, change: impl FnOnce(&mut Aside)) {
        if let Some(aside) = &mut self.aside {
            change(aside);
            self.aside.take_if(|aside| aside.is_empty());
        } else {
            let mut aside = Aside::default();
            change(&mut aside);
            self.aside = (!aside.is_empty()).then(|| Box::new(aside));
        }
    }

    /// Who asks it.
    pub(super) fn askers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.subscribers().map(|s| &s.who)
    }

    fn subscribers(&self) -> impl Iterator<Item = &Subscriber> {
        self.subscriber.iter().chain(self.aside.iter().flat_map(|aside| &aside.others))
    }

    /// Asks it from now on, or otherwise than before.
    pub(super) fn add(&mut self, new: Subscriber) {
        match &mut self.subscriber {
            Some(first) if first.who != new.who => self.set_aside(|aside| match aside.others.binary_search_by(|s| s.who.cmp(&new.who)) {
                Ok(at) => aside.others[at] = new,
                Err(at) => aside.others.insert(at, new),
            }),
            first => *first = Some(new),
        }
        self.resubscribe();
    }

    /// No longer asks it.
    pub(super) fn leave(&mut self, who: &str) {
        let is_first = self.subscriber.as_ref().is_some_and(|s| *s.who == *who);
        let mut next = None;
        self.set_aside(|aside| {
            if is_first {
                next = aside.others.pop();
            } else if let Ok(at) = aside.others.binary_search_by(|s| (*s.who).cmp(who)) {
                aside.others.remove(at);
            }
        });
        if is_first {
            self.subscriber = next;
        }
        self.resubscribe();
    }

    /// Whether a read that started no earlier has ended.
    pub(super) fn read_since(&self, since: Option<Instant>) -> bool {
        self.last.is_some_and(|started| since.is_none_or(|s| Instant::from(started) >= s))
    }

    fn resubscribe(&mut self) {
        let interval = self.subscribers().map(|s| s.interval).min();
        let oldest = self.subscribers().map(|s| s.age).min();
        (self.interval, self.oldest) = (interval, oldest);
    }

    /// When a sweep must ask it.
    pub(super) fn due(&self, need: &Need, now: Instant) -> Option<Instant> {
        Some(match (self.pace()?, self.last()) {
            (_, None) => now,
            // Nothing but somebody's doing brings a permission.
            (pace, Some((started, Outcome::Failed(AwsErrorKind::AccessDenied | AwsErrorKind::Credentials)))) => started + pace,
            (pace, Some((started, Outcome::Failed(_)))) => {
                let wait = RETRY.saturating_mul(1 << self.failures.saturating_sub(1).min(8));
                started + jittered(wait, &(need, self.failures)).min(pace)
            }
            (pace, Some((started, _))) => started + pace,
        })
    }

    /// Whether what is due at `now` should take it along: it is nearly due itself, or a third as old as a read of its own makes
    /// it. So all that is read in every sweep comes together, and so does what one call answers, whenever each was first asked.
    /// At half the age, two that are half an interval apart could miss each other by milliseconds for many sweeps.
    pub(super) fn goes_along(&self, need: &Need, now: Instant, due: &BTreeSet<(Duration, Option<Call>)>) -> bool {
        let (Some(pace), Some((started, Outcome::Found | Outcome::Absent)), None) = (self.pace(), self.last(), self.in_flight) else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 72, "{} bytes: what few questions have belongs aside", size_of::<Entry>());
    }

    #[test]
    fn who_asks_is_known_however_many() {
        let (mut entry, second) = (Entry::default(), Duration::from_secs(1));
        let add = |entry: &mut Entry, who: &str, seconds| entry.add(Subscriber::new(who.into(), seconds * second, seconds * second));
        let who = |entry: &Entry| entry.askers().map(|who| who.to_string()).collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
        for (name, seconds) in [("b", 20), ("c", 10), ("a", 30), ("c", 40)] {
            add(&mut entry, name, seconds);
        }
        assert_eq!((who(&entry).join(""), entry.interval()), ("abc".to_owned(), Some(20 * second)));
        entry.leave("b");
        entry.leave("nobody");
        assert_eq!((who(&entry).join(""), entry.interval()), ("ac".to_owned(), Some(30 * second)));
        entry.leave("a");
        entry.leave("c");
        assert_eq!((who(&entry).len(), entry.interval()), (0, None));
        assert!(entry.aside.is_none());
    }

    #[test]
    fn what_was_answered_is_told_whatever_came_after() {
        let (begun, second) = (Instant::now(), Duration::from_secs(1));
        let (mut entry, failed) = (Entry::default(), Outcome::Failed(AwsErrorKind::Transient));
        let tells = |entry: &Entry| (entry.last(), entry.answered());
        assert_eq!(tells(&entry), (None, None));
        entry.ended(begun, Outcome::Absent);
        assert_eq!(tells(&entry), (Some((begun, Outcome::Absent)), Some(begun)));
        entry.ended(begun + 3 * second, failed);
        assert_eq!(tells(&entry), (Some((begun + 3 * second, failed)), Some(begun)));
        entry.ended(begun + second, Outcome::Found);
        assert_eq!(tells(&entry), (Some((begun + 3 * second, failed)), Some(begun + second)), "the latest is the one that started last");
        entry.ended(begun + 4 * second, Outcome::Found);
        entry.ended(begun + 2 * second, failed);
        assert_eq!(tells(&entry), (Some((begun + 4 * second, Outcome::Found)), Some(begun + 4 * second)));
        assert!(entry.aside.is_none());
    }
}
