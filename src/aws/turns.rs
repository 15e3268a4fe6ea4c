//! Whose turn it is to ask AWS: writes before passes, passes before sweeps, and among equals whoever came first.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{Notify, futures::OwnedNotified},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Account,
    budget::{Budget, Who, limit_of},
    lock,
};

/// A sweep that has waited so long goes with the passes: however much there is to do, everything is looked at now and then.
const AGED: Duration = Duration::from_secs(30);

/// Whoever is told to come again comes again within this time.
const LATEST: Duration = Duration::from_secs(60);

/// A budget, and who waits for it.
struct Line {
    budget: Budget,
    /// How many requests each wants, in the order of their turns.
    waiting: BTreeMap<Place, u32>,
    came: u64,
    /// When those are to come again that were told to, by what they want to write: whoever comes earlier, since something woke it, is told
    /// the same again and puts off nobody.
    booked: BTreeMap<String, Instant>,
    /// Somebody left, or came before others.
    moved: Arc<Notify>,
}

/// Rank, then the order of coming.
type Place = (Who, u64);

/// The budgets of one account and Region.
#[derive(Default)]
pub struct Budgets(Mutex<BTreeMap<(String, String), Line>>);

impl std::fmt::Debug for Budgets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Budgets")
    }
}

/// The budgets that clients pay from: their own until the account is known, then the account's. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Purse(Arc<RwLock<Arc<Budgets>>>);

impl Purse {
    pub(super) fn get(&self) -> Arc<Budgets> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, budgets: Arc<Budgets>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = budgets;
    }
}

/// The budgets of all accounts and Regions that are known.
#[derive(Debug, Default)]
pub(super) struct Accounts(Mutex<BTreeMap<Account, Arc<Budgets>>>);

impl Accounts {
    /// Those of an account and Region; whoever is the first there brings its own.
    pub(super) fn budgets(&self, account: Account, own: Arc<Budgets>) -> Arc<Budgets> {
        lock(&self.0).entry(account).or_insert(own).clone()
    }
}

/// A place in a line; left when it is dropped.
struct Ticket<'a> {
    budgets: &'a Budgets,
    name: (String, String),
    place: Place,
    requests: u32,
    moved: Arc<Notify>,
}

/// What comes next for somebody who waits.
enum Step {
    /// It is its turn, and what it costs was taken.
    Go,
    /// It is the first: tokens come so soon.
    First(Duration),
    /// Others go first; about so long.
    Behind(Duration),
}

impl Line {
    fn new(budget: Budget) -> Self {
        Self { budget, waiting: BTreeMap::new(), came: 0, booked: BTreeMap::new(), moved: Arc::default() }
    }

    fn step(&mut self, place: Place, requests: u32, now: Instant) -> Step {
        if self.waiting.first_key_value().is_some_and(|(first, _)| *first < place) {
            let ahead = self.waiting.range(..=place);
            let (mut all, mut sweeps) = (0, 0);
            for ((who, _), n) in ahead {
                all += n;
                sweeps += if *who == Who::Sweep { *n } else { 0 };
            }
            return Step::Behind(self.budget.time_for(all, sweeps, now));
        }
        match self.budget.take(place.0, requests, now) {
            Ok(()) => Step::Go,
            Err(wait) => Step::First(wait.max(Duration::from_millis(1))),
        }
    }
}

impl Line {
    /// When somebody is to come again for whom it would take `wait` now: one after the other, as turns come.
    fn book(&mut self, about: &str, wait: Duration, now: Instant) -> Duration {
        self.booked.retain(|_, at| *at > now);
        if let Some(at) = self.booked.get(about) {
            return *at - now;
        }
        let next = self.booked.values().max().map_or(now, |last| *last + self.budget.time_of_one(now));
        let at = next.max(now + wait).min(now + LATEST.max(wait));
        self.booked.insert(about.to_owned(), at);
        at - now
    }
}

impl Ticket<'_> {
    fn book(&self, about: &str, wait: Duration, now: Instant) -> Duration {
        lock(&self.budgets.0).get_mut(&self.name).map_or(wait, |line| line.book(about, wait, now))
    }

    /// Ends once the line has moved after this call, even before it is polled.
    fn moves(&self) -> Pin<Box<OwnedNotified>> {
        let mut moved = Box::pin(self.moved.clone().notified_owned());
        moved.as_mut().enable();
        moved
    }

    /// What was booked for it is free.
    fn done(&self, about: &str) {
        if let Some(line) = lock(&self.budgets.0).get_mut(&self.name) {
            line.booked.remove(about);
        }
    }

    fn step(&self, now: Instant) -> Step {
        let mut lines = lock(&self.budgets.0);
        match lines.get_mut(&self.name) {
            Some(line) => line.step(self.place, self.requests, now),
            None => Step::Go,
        }
    }

    /// From now on it goes with those.
    fn join(&mut self, who: Who) {
        let mut lines = lock(&self.budgets.0);
        if let Some(line) = lines.get_mut(&self.name) {
            line.waiting.remove(&self.place);
            self.place.0 = who;
            line.waiting.insert(self.place, self.requests);
        }
        self.moved.notify_waiters();
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        if let Some(line) = lock(&self.budgets.0).get_mut(&self.name) {
            line.waiting.remove(&self.place);
        }
        self.moved.notify_waiters();
    }
}

impl Budgets {
    fn with<R>(&self, service: &str, operation: &str, now: Instant, act: impl FnOnce(&mut Line, &(String, String)) -> R) -> Option<R> {
        let (together, limit) = limit_of(service, operation)?;
        let name = (service.to_owned(), if together.is_empty() { operation } else { together }.to_owned());
        let mut lines = lock(&self.0);
        let line = lines.entry(name.clone()).or_insert_with(|| Line::new(Budget::new(limit, now)));
        Some(act(line, &name))
    }

    fn ticket(&self, service: &str, operation: &str, who: Who, requests: u32) -> Option<Ticket<'_>> {
        self.with(service, operation, Instant::now(), |line, name| {
            line.came += 1;
            let place = (who, line.came);
            line.waiting.insert(place, requests);
            Ticket { budgets: self, name: name.clone(), place, requests, moved: line.moved.clone() }
        })
    }

    /// Waits for a turn to call this, however long it takes: `requests` at once. Once `rush` is cancelled somebody waits for a sweep's
    /// answer, so that it goes with the passes.
    pub(super) async fn turn(&self, service: &str, operation: &str, who: Who, requests: u32, rush: &CancellationToken) {
        let Some(mut ticket) = self.ticket(service, operation, who, requests) else { return };
        let came = Instant::now();
        loop {
            let moved = ticket.moves();
            let now = Instant::now();
            let is_sweep = ticket.place.0 == Who::Sweep;
            if is_sweep && (rush.is_cancelled() || now >= came + AGED) {
                ticket.join(Who::Pass);
                continue;
            }
            let wait = match ticket.step(now) {
                Step::Go => return,
                Step::First(wait) => wait,
                Step::Behind(_) => AGED,
            };
            let wait = if is_sweep { wait.min((came + AGED).saturating_duration_since(now)) } else { wait };
            tokio::select! {
                biased;
                () = moved => {}
                () = rush.cancelled(), if is_sweep => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// Waits for the turn of a write to `about`. Err, and nothing is taken: it would take longer than `patience`; to be tried again after
    /// so long.
    pub(super) async fn turn_within(&self, service: &str, operation: &str, about: &str, patience: Duration) -> Result<(), Duration> {
        let Some(ticket) = self.ticket(service, operation, Who::Write, 1) else { return Ok(()) };
        let latest = Instant::now() + patience;
        loop {
            let moved = ticket.moves();
            let now = Instant::now();
            let wait = match ticket.step(now) {
                Step::Go => {
                    ticket.done(about);
                    return Ok(());
                }
                Step::First(wait) | Step::Behind(wait) if now + wait > latest => return Err(ticket.book(about, wait, now)),
                Step::First(wait) => wait,
                // Whoever is ahead may be refused more than its own turn: then there is nothing to wait for.
                Step::Behind(_) => latest.saturating_duration_since(now).max(Duration::from_millis(1)),
            };
            tokio::select! {
                biased;
                () = moved => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// A request went out.
    pub(super) fn went_out(&self, service: &str, operation: &str) {
        let now = Instant::now();
        self.with(service, operation, now, |line, _| line.budget.went_out(now));
    }

    /// AWS refused one because there were too many.
    pub(super) fn throttled(&self, service: &str, operation: &str) {
        let now = Instant::now();
        self.with(service, operation, now, |line, _| line.budget.throttled(now));
    }

    /// Calls that could be made at once, by operation (`dms`: all of DMS's together).
    pub fn tokens(&self) -> Vec<(String, f64)> {
        let now = Instant::now();
        lock(&self.0).iter().map(|((_, operation), line)| (operation.clone(), line.budget.tokens(now))).collect()
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
