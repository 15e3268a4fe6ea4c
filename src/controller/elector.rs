//! Who holds a Lease, decided as client-go does: observations in, decisions out. No calls, no clock of its own.
//!
//! Clocks of others are not trusted: a Lease has expired when this process has seen no change of it for its duration, by its own
//! monotonic clock. Writes carry the observed `resourceVersion`, so that of two candidates one loses.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// How long a Lease is good for after a renewal.
pub const DURATION: Duration = Duration::from_secs(15);
/// A leader that has not renewed for so long leads no more.
pub const RENEWED_WITHIN: Duration = Duration::from_secs(10);
/// How often a Lease is renewed.
pub const RETRY: Duration = Duration::from_secs(2);
/// How often whoever stands by looks at it, at least. What it learns of a renewal later than that was, it takes over later.
const LOOK: Duration = Duration::from_secs(1);
/// A Lease that says nothing useful of its duration is taken for one of ours; more than this is not believed either.
const LONGEST: Duration = Duration::from_secs(3600);

/// What a Lease says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// `holderIdentity`; empty where nobody holds it.
    pub holder: String,
    /// When the holder took it, by the holder's clock: tells two processes of one identity apart, and nothing else.
    pub acquired: Option<Timestamp>,
    /// When it was renewed, by the holder's clock: only ever shown.
    pub renewed: Option<Timestamp>,
    /// How long it is good for.
    pub duration: Duration,
    /// How often it changed hands.
    pub transitions: i32,
    /// Its `resourceVersion`; none before it exists.
    pub version: Option<String>,
}

/// A Lease as it was last seen, and since when it has been so.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What it says; none: there is no such Lease.
    pub record: Option<Record>,
    since: Instant,
}

impl Seen {
    /// Takes in what was read at `now`.
    pub fn next(before: Option<Self>, record: Option<Record>, now: Instant) -> Self {
        let version = |record: &Option<Record>| record.as_ref().map(|r| r.version.clone());
        match before {
            Some(seen) if version(&seen.record) == version(&record) => seen,
            _ => Self { record, since: now },
        }
    }

    /// Whether somebody may hold it: it has a holder, and has changed within its duration.
    pub fn is_held(&self, now: Instant) -> bool {
        self.holder().is_some() && now.duration_since(self.since) < self.duration()
    }

    /// Who holds it, if anybody.
    pub fn holder(&self) -> Option<&str> {
        self.record.as_ref().map(|r| r.holder.as_str()).filter(|h| !h.is_empty())
    }

    /// For how long it has been as it is.
    pub fn age(&self, now: Instant) -> Duration {
        now.duration_since(self.since)
    }

    fn duration(&self) -> Duration {
        self.record.as_ref().map(|r| r.duration).filter(|d| !d.is_zero() && *d <= LONGEST).unwrap_or(DURATION)
    }
}

/// One candidate for one Lease.
#[derive(Clone, Debug)]
pub struct Elector {
    me: String,
    seen: Option<Seen>,
    /// The `acquireTime` of our own acquisition, once it was tried.
    mine: Option<Timestamp>,
    /// When the last renewal that the API server took was sent.
    renewed: Option<Instant>,
    /// What was last written was refused: the Lease is not as it was thought to be.
    refused: bool,
}

impl Elector {
    /// A candidate of that name, unique among those that run at the same time.
    pub fn new(identity: String) -> Self {
        Self { me: identity, seen: None, mine: None, renewed: None, refused: false }
    }

    /// Since when, if at all, the Lease is ours: when the last renewal that was taken was sent. It may be too long ago.
    pub fn renewed(&self) -> Option<Instant> {
        self.renewed
    }

    /// Whether the Lease is ours and was renewed in time.
    pub fn leads(&self, now: Instant) -> bool {
        self.renewed.is_some_and(|at| now.duration_since(at) < RENEWED_WITHIN)
    }

    /// How long to wait for the next step: a Lease of somebody else is looked at just when it has passed.
    pub fn wait(&self, now: Instant) -> Duration {
        if self.renewed.is_some() {
            return RETRY;
        }
        let passes = self.seen.as_ref().filter(|s| s.is_held(now)).map(|s| s.duration().saturating_sub(s.age(now)));
        passes.map_or(LOOK, |passes| passes.min(LOOK))
    }

    /// Who holds it, as far as is known.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.holder()
    }

    /// What a look at the Lease showed; none: there is no such Lease.
    pub fn observed(&mut self, record: Option<Record>, now: Instant) {
        self.seen = Some(Seen::next(self.seen.take(), record, now));
        self.refused = false;
        if !self.is_ours() {
            self.renewed = None;
        }
    }

    /// Whether the Lease must be looked at before anything is decided: a leader knows what it wrote.
    pub fn must_look(&self, now: Instant) -> bool {
        self.refused || !self.leads(now)
    }

    /// What to write now, if anything: the renewal of our own Lease, or one that nobody holds. `clock` is only shown to people.
    pub fn write(&mut self, now: Instant, clock: Timestamp) -> Option<Record> {
        let seen = self.seen.as_ref()?;
        let old = seen.record.clone().unwrap_or_default();
        if self.is_ours() {
            return Some(Record { renewed: Some(clock), duration: DURATION, ..old });
        }
        // One of our name from before this process began has ended: a pod's container starts again under the pod's name.
        let predecessor = self.mine.is_none() && old.holder == self.me;
        if seen.is_held(now) && !predecessor {
            return None;
        }
        // In the precision that the API keeps; and no two acquisitions are alike, however coarse or wrong the clocks.
        let mut acquired = Timestamp::from_microsecond(clock.as_microsecond()).unwrap_or(clock);
        while [self.mine, old.acquired].contains(&Some(acquired)) {
            acquired += Duration::from_micros(1);
        }
        self.mine = Some(acquired);
        let transitions = if seen.record.is_some() { old.transitions.saturating_add(1) } else { 0 };
        Some(Record {
            holder: self.me.clone(),
            acquired: Some(acquired),
            renewed: Some(clock),
            duration: DURATION,
            transitions,
            version: old.version,
        })
    }

    /// The API server took what [`Elector::write`] said; the request went out at `sent`.
    pub fn written(&mut self, record: Record, sent: Instant, now: Instant) {
        self.observed(Some(record), now);
        if self.is_ours() {
            self.renewed = Some(sent);
        }
    }

    /// It did not: somebody else was faster, or an answer was lost. The next step looks first, and so learns which.
    pub fn refused(&mut self) {
        self.refused = true;
    }

    /// What to write to let the Lease go, if it is ours: the next candidate takes it at once.
    pub fn release(&self, clock: Timestamp) -> Option<Record> {
        let record = self.seen.as_ref()?.record.clone().filter(|_| self.is_ours())?;
        Some(Record { holder: String::new(), renewed: Some(clock), duration: Duration::from_secs(1), ..record })
    }

    fn is_ours(&self) -> bool {
        let Some(record) = self.seen.as_ref().and_then(|s| s.record.as_ref()) else { return false };
        record.holder == self.me && self.mine.is_some() && record.acquired == self.mine
    }
}

#[cfg(test)]
#[path = "elector_tests.rs"]
mod tests;
