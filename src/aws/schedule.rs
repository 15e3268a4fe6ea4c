//! Which questions are asked together, and when. Pure: instants in, instants out.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    entry::{Entry, Outcome, RETRY, Subscriber, jittered},
    errors::AwsErrorKind,
    pace::Paces,
    phase::Phase,
    questions::Call,
    queued::{Kind, Queued, Waits},
    spread::Spread,
};
use crate::model::{Need, Pace, dense::repack};

/// A slow fact may be this many times older than a fast one (design.md 2, Freshness), a rare one this many.
const SLOW: u32 = 10;
const RARE: u32 = 30;
/// Longest wait after AWS asked us to slow down; longest that a pass is made to wait by it.
const SLOWEST: Duration = Duration::from_secs(30);
const SLOWEST_PASS: Duration = Duration::from_secs(5);
/// How soon what is settling (our own write, an endpoint on its way) is looked at again: at first, and at last.
const SETTLE: Duration = Duration::from_secs(2);
const SETTLE_MAX: Duration = Duration::from_secs(10);
/// What is settling and would be looked at within this time is read along with whatever is read now: many writes settle in few reads.
const SETTLES_ALONG: Duration = Duration::from_millis(500);
/// An answer that nobody subscribes to is good for so long, and is dropped after.
const UNWATCHED: Duration = Duration::from_secs(60);
const FORGET: Duration = Duration::from_secs(600);
/// How often it is looked what became stale, and what nobody asks for any more: neither is in a hurry, and each looks at everything.
const REVIEW: Duration = Duration::from_secs(5);
/// DNS attributes that a sweep asks for at a time: AWS answers for one VPC at a time, and who needs one soon must not wait for thousands.
const ATTRIBUTES: usize = 16;
/// A picture is stale when older than this and than 3 intervals (design.md 1, conditions).
const STALE: Duration = Duration::from_secs(300);

/// What somebody asks all the time.
#[derive(Debug, PartialEq, Eq)]
struct Subscription {
    /// Sorted.
    needs: Box<[Need]>,
    /// Slow ones among them that are to be read like fast ones, sorted.
    fresh: Box<[Need]>,
    interval: Duration,
}

/// Questions to ask now.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) number: u64,
    pub(super) needs: BTreeSet<Need>,
    /// Those that somebody waits for.
    pub(super) urgent: BTreeSet<Need>,
    /// Single objects that come with an answer about their VPC, by the need for that.
    pub(super) riders: BTreeMap<Need, Vec<Need>>,
    /// Cancelled, by operation, once somebody waits for what nobody waited for.
    pub(super) rush: BTreeMap<&'static str, CancellationToken>,
    /// Stands for its calls until each waits for its turn by itself.
    pub(super) made_up: Vec<Waits>,
    /// What need not be asked at once.
    pub(super) spread: Spread,
}

/// What a batch asks AWS.
#[derive(Debug, Default)]
struct UnderWay {
    needs: Vec<Need>,
    /// See [`Batch::rush`].
    rush: BTreeMap<&'static str, CancellationToken>,
}

/// Every question that somebody asks, and when it was and will be asked.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    /// Boxed: a node of a B-tree has room for eleven, and is a good half full.
    entries: BTreeMap<Need, Box<Entry>>,
    subscribers: BTreeMap<Arc<str>, Subscription>,
    stale: BTreeSet<Arc<str>>,
    /// Those that somebody waits for.
    wanted: BTreeSet<Need>,
    /// How often what is known is read again for those who wait.
    paces: Paces,
    /// What each batch asks AWS.
    under_way: BTreeMap<u64, UnderWay>,
    /// Calls that wait for their turn, and how often the last of a kind had had it when sweeps were last looked at.
    queued: Queued,
    freed: u64,
    /// Whether something that was due then had to wait for that.
    held_up: bool,
    /// No sweep is due before; none where that is not known. So that not everything is looked at whenever something was answered.
    earliest: Option<Instant>,
    reviewed: Option<Instant>,
    batches: u64,
    /// When sweeps come beside those of other stores.
    phase: Option<Phase>,
    /// After AWS asked us to slow down: how long sweeps wait, until when; and until when passes do.
    slow: Option<(Duration, Instant, Instant)>,
}

/// The operation that answers a need; none where DNS does.
fn operation(need: &Need) -> Option<&'static str> {
    Call::of(need).map(|call| call.operation().1)
}

impl Schedule {
    /// Nothing is asked yet.
    pub(super) fn new(queued: Queued, phase: Option<Phase>) -> Self {
        Self { queued, phase, ..Self::default() }
    }

    /// Whether a call of its kind waits for its turn: what is asked meanwhile goes into the next one.
    fn gathers(&self, need: &Need, urgent: bool) -> bool {
        operation(need).is_some_and(|operation| self.queued.has((operation, urgent)))
    }

    /// `who` asks these from now on, instead of what it asked before; the slow ones among them that are `fresh` are
    /// read like fast ones. Whether that is anything new.
    pub(super) fn subscribe(&mut self, who: &Arc<str>, needs: BTreeSet<Need>, fresh: BTreeSet<Need>, interval: Duration) -> bool {
        // A plan writes its names anew: those that are asked already are kept once.
        let known = |need: Need| self.entries.get_key_value(&need).map_or(need, |(known, _)| known.clone());
        let list = |needs: BTreeSet<Need>| needs.into_iter().map(known).collect();
        let new = Subscription { needs: list(needs), fresh: list(fresh), interval };
        let has = |list: &[Need], need: &Need| list.binary_search(need).is_ok();
        let old = self.subscribers.remove(who);
        let changed = old.as_ref() != Some(&new);
        if changed {
            for need in old.iter().flat_map(|o| &o.needs).filter(|need| !has(&new.needs, need)) {
                self.leave(who, need);
            }
            for need in &new.needs {
                let age = match need.pace() {
                    Pace::Slow if !has(&new.fresh, need) => interval * SLOW,
                    Pace::Rare if !has(&new.fresh, need) => interval * RARE,
                    _ => interval,
                };
                let entry = self.entries.entry(need.clone()).or_default();
                entry.add(Subscriber::new(who.clone(), interval, age));
            }
            // Not all is looked at for one who comes: a start has thousands of them.
            for need in &new.needs {
                match self.entries.get(need).and_then(|e| e.last()) {
                    Some((read, _)) => self.comes(need, read),
                    None => self.earliest = None,
                }
            }
        }
        self.subscribers.insert(who.clone(), new);
        changed
    }

    /// `who` asks nothing any more.
    pub(super) fn unsubscribe(&mut self, who: &str) {
        if let Some((who, Subscription { needs, .. })) = self.subscribers.remove_entry(who) {
            needs.iter().for_each(|need| self.leave(&who, need));
            self.stale.remove(&who);
        }
    }

    fn leave(&mut self, who: &Arc<str>, need: &Need) {
        if let Some(entry) = self.entries.get_mut(need) {
            entry.leave(who);
        }
    }

    /// Somebody waits until these were read, by a read no older than `since` where that is given. What has to be
    /// waited for, and how fresh.
    pub(super) fn want(&mut self, needs: &BTreeSet<Need>, since: Option<Instant>, now: Instant) -> Vec<(Need, Option<Instant>)> {
        let since = since.map(|s| s.min(now));
        let mut waiting = Vec::new();
        for need in needs {
            let entry = self.entries.entry(need.clone()).or_default();
            let since = match entry.last() {
                // Nobody kept it fresh.
                Some((started, _)) if entry.interval().is_none() && started + UNWATCHED <= now => Some(since.unwrap_or(now)),
                _ => since,
            };
            if entry.read_since(since) {
                continue;
            }
            if entry.in_flight().is_none_or(|(_, started)| since.is_some_and(|s| started < s)) {
                entry.want(entry.wanted().max(Some(since.unwrap_or(now))));
                self.wanted.insert(need.clone());
            }
            if let Some((batch, _)) = entry.in_flight()
                && let (Some(under_way), Some(operation)) = (self.under_way.get(&batch), operation(need))
            {
                under_way.rush.get(operation).inspect(|rush| rush.cancel());
            }
            if !need.is_dns() {
                waiting.push((need.clone(), since));
            }
        }
        waiting
    }

    /// Whether such a read has ended, well or not.
    pub(super) fn was_read(&self, need: &Need, since: Option<Instant>) -> bool {
        self.entries.get(need).is_none_or(|e| e.read_since(since))
    }

    /// Why AWS has not answered such a read; none where it has.
    pub(super) fn refusal(&self, need: &Need, since: Instant) -> Option<AwsErrorKind> {
        let entry = self.entries.get(need).filter(|e| e.answered().is_none_or(|at| at < since))?;
        match entry.last() {
            Some((_, Outcome::Failed(kind))) => Some(kind),
            _ => Some(AwsErrorKind::Transient),
        }
    }

    /// Takes what is to be asked now. `with_vpc` names the need whose answer brings a single object along, if known.
    pub(super) fn take(&mut self, now: Instant, with_vpc: impl Fn(&Need) -> Option<Need>) -> Batch {
        let (sweeps, passes) = match self.slow {
            Some((_, sweeps, passes)) => (now >= sweeps, now >= passes),
            None => (true, true),
        };
        if self.freed != self.queued.freed() {
            self.freed = self.queued.freed();
            if self.held_up {
                self.earliest = None;
            }
        }
        let looks = sweeps && self.earliest.is_none_or(|at| at <= now);
        let mut chosen = BTreeSet::new();
        if passes {
            let idle = |n: &&Need| self.entries.get(n).is_some_and(|e| e.in_flight().is_none()) && !self.gathers(n, true);
            chosen.extend(self.wanted.iter().filter(idle).filter(|n| self.may_go(n, now) <= now).cloned());
        }
        let mut demanded: BTreeSet<Need> = chosen.iter().filter(|n| self.is_known(n)).cloned().collect();
        if looks {
            chosen.extend(self.swept(now));
        }
        if !chosen.is_empty() {
            let kinds: BTreeSet<&str> = chosen.iter().filter_map(operation).collect();
            let goes = |need| operation(need).is_some_and(|kind| kinds.contains(kind)) || self.may_go(need, now) <= now;
            let soon = |e: &Entry| e.in_flight().is_none() && e.settling().is_some_and(|(at, _)| at <= now + SETTLES_ALONG);
            let along = self.entries.iter().filter(|(need, e)| soon(e) && !self.gathers(need, false) && goes(need));
            demanded.extend(along.map(|(need, _)| need.clone()));
            chosen.extend(demanded.iter().cloned());
            self.paces.took(&demanded, now);
        }
        let mut batch = Batch::default();
        for need in chosen {
            let urgent = self.entries.get(&need).is_some_and(|e| e.wanted().is_some());
            match with_vpc(&need) {
                Some(all) if self.entries.get(&all).is_some_and(|e| e.interval().is_some() && e.in_flight().is_none()) => {
                    batch.needs.insert(all.clone());
                    batch.urgent.extend(urgent.then(|| all.clone()));
                    batch.riders.entry(all).or_default().push(need);
                }
                _ => {
                    batch.urgent.extend(urgent.then(|| need.clone()));
                    batch.needs.insert(need);
                }
            }
        }
        if !batch.needs.is_empty() {
            self.batches += 1;
            batch.number = self.batches;
        }
        batch.spread = self.spread(&batch.needs);
        let kinds: BTreeSet<Kind> = batch.needs.iter().filter_map(|n| Some((operation(n)?, batch.urgent.contains(n)))).collect();
        batch.made_up = kinds.iter().map(|kind| self.queued.enter(*kind)).collect();
        batch.rush = kinds.iter().map(|(operation, _)| (*operation, CancellationToken::new())).collect();
        let mut under_way = UnderWay { needs: Vec::new(), rush: batch.rush.clone() };
        for need in batch.needs.iter().chain(batch.riders.values().flatten()) {
            if let Some(entry) = self.entries.get_mut(need) {
                entry.goes(batch.number, now);
                if !need.is_dns() {
                    under_way.needs.push(need.clone());
                }
            }
        }
        if !under_way.needs.is_empty() {
            self.under_way.insert(batch.number, under_way);
        }
        if looks {
            (self.earliest, self.held_up) = self.earliest_due(now);
        }
        batch
    }

    /// What of these a sweep asks in its own time: it takes several calls, and nobody waits for it.
    fn spread(&self, needs: &BTreeSet<Need>) -> Spread {
        let mut spread = Spread::default();
        let mut kinds: BTreeMap<Call, Vec<&Need>> = BTreeMap::new();
        for need in needs {
            if let Some(call) = Call::of(need) {
                kinds.entry(call).or_default().push(need);
            }
        }
        for (call, needs) in kinds.into_iter().filter(|(call, needs)| needs.len() > call.values()) {
            for need in needs {
                let Some(entry) = self.entries.get(need) else { continue };
                let is_waited_for = entry.wanted().is_some() || entry.settling().is_some();
                if let (Some((asked, Outcome::Found | Outcome::Absent)), Some(pace), false) = (entry.last(), entry.pace(), is_waited_for) {
                    spread.add(call, need.clone(), asked, pace);
                }
            }
        }
        spread
    }

    /// Whether it was asked before: what was not is never held up.
    fn is_known(&self, need: &Need) -> bool {
        self.entries.get(need).is_some_and(|e| e.last().is_some())
    }

    /// When what somebody waits for may be asked, at the earliest.
    fn may_go(&self, need: &Need, now: Instant) -> Instant {
        if self.is_known(need) { self.paces.earliest(need, now) } else { now }
    }

    /// When it is to be asked although nobody waits for it. What settles keeps to the pace of those who wait: it would keep them waiting.
    fn due(&self, need: &Need, entry: &Entry, now: Instant) -> Option<Instant> {
        if entry.in_flight().is_some() {
            return None;
        }
        let settles = entry.settling().map(|(at, _)| at.max(self.may_go(need, now)));
        [entry.due(need, now).map(|due| self.in_phase(need, entry, due)), settles].into_iter().flatten().min()
    }

    /// What a sweep reads again comes with the store's own sweeps. Not the rare facts: they are read a few at a time.
    fn in_phase(&self, need: &Need, entry: &Entry, due: Instant) -> Instant {
        match (&self.phase, entry.last(), entry.pace(), entry.interval()) {
            (Some(phase), Some((asked, Outcome::Found | Outcome::Absent)), Some(pace), Some(interval)) if need.pace() != Pace::Rare => {
                phase.due(asked, pace, interval)
            }
            _ => due,
        }
    }

    /// What a sweep asks now: what is due, and what goes along with it.
    fn swept(&self, now: Instant) -> BTreeSet<Need> {
        let (mut chosen, mut due) = (BTreeSet::new(), BTreeSet::new());
        for (need, entry) in &self.entries {
            if self.due(need, entry, now).is_none_or(|at| at > now) || self.gathers(need, false) {
                continue;
            }
            chosen.insert(need.clone());
            // What is settling is looked at by itself.
            if entry.settling().is_none_or(|(at, _)| at > now) {
                due.extend(entry.pace().map(|pace| (pace, Call::of(need))));
            }
        }
        if !due.is_empty() {
            let along = self.entries.iter().filter(|(need, entry)| entry.goes_along(need, now, &due) && !self.gathers(need, false));
            chosen.extend(along.map(|(need, _)| need.clone()));
        }
        let mut attributes: Vec<Need> = chosen.iter().filter(|n| matches!(n, Need::VpcDns(_))).cloned().collect();
        if attributes.len() > ATTRIBUTES {
            attributes.sort_by_key(|n| self.entries.get(n).and_then(|e| e.last()).map(|(started, _)| started));
            attributes.iter().skip(ATTRIBUTES).for_each(|later| {
                chosen.remove(later);
            });
        }
        chosen
    }

    /// When a sweep is due next; and whether something is due that gathers: it is looked at once the call before it has had its turn.
    fn earliest_due(&self, now: Instant) -> (Option<Instant>, bool) {
        let (mut earliest, mut held_up) = (None::<Instant>, false);
        for (need, entry) in &self.entries {
            let Some(at) = self.due(need, entry, now) else { continue };
            if at <= now && self.gathers(need, false) {
                held_up = true;
            } else {
                earliest = Some(earliest.map_or(at, |e| e.min(at)));
            }
        }
        (earliest, held_up)
    }

    /// A sweep of it may be due earlier than was thought.
    fn comes(&mut self, need: &Need, now: Instant) {
        let due = self.entries.get(need).and_then(|e| self.due(need, e, now));
        if let (Some(due), Some(earliest)) = (due, self.earliest) {
            self.earliest = Some(due.min(earliest));
        }
    }

    /// A read that `started` then, in that batch, has ended so.
    pub(super) fn finish(&mut self, need: &Need, batch: u64, started: Instant, outcome: Outcome, now: Instant) {
        let Some(entry) = self.entries.get_mut(need) else { return };
        entry.came(batch);
        if entry.wanted().is_some_and(|since| since <= started) {
            entry.want(None);
            self.wanted.remove(need);
        }
        entry.ended(started, outcome);
        if let Some((_, wait)) = entry.settling() {
            entry.settle(Some((now + wait, (wait * 3 / 2).min(SETTLE_MAX))));
        }
        if let Outcome::Failed(kind) = outcome {
            if kind == AwsErrorKind::Throttled {
                self.slow_down(now);
            }
        } else if self.slow.is_some_and(|(_, sweeps, _)| now >= sweeps) {
            self.slow = None;
        }
        self.comes(need, now);
    }

    /// A batch has ended, whatever became of it: nothing that AWS was asked in it is under way.
    pub(super) fn ended(&mut self, batch: u64) {
        for need in self.under_way.remove(&batch).map(|b| b.needs).into_iter().flatten() {
            if self.entries.get_mut(&need).is_some_and(|e| e.came(batch)) {
                self.earliest = None;
            }
        }
    }

    fn slow_down(&mut self, now: Instant) {
        match self.slow {
            // Others of the same sweep were refused as well: one step, not one for each.
            Some((_, sweeps, _)) if now < sweeps => {}
            old => {
                let wait = old.map_or(RETRY, |(wait, ..)| (wait * 2).min(SLOWEST));
                let wait_now = jittered(wait, &self.batches);
                self.slow = Some((wait, now + wait_now, now + wait_now.min(SLOWEST_PASS)));
            }
        }
    }

    /// Something about it is settling (or no longer is): it is read again soon, and less and less so.
    pub(super) fn settle(&mut self, need: &Need, settling: bool, now: Instant) {
        if let Some(entry) = self.entries.get_mut(need) {
            entry.settle(settling.then(|| entry.settling().unwrap_or((now + SETTLE, SETTLE))));
        }
        if settling {
            self.comes(need, now);
        }
    }

    /// A read differs from what our own write has shown: it is read again after that time, to see whether it was late.
    pub(super) fn look_again(&mut self, need: &Need, after: Duration, now: Instant) {
        if let Some(entry) = self.entries.get_mut(need) {
            entry.settle(Some((now + after, SETTLE)));
        }
        self.comes(need, now);
    }

    /// Something new is settling: the next look is soon, however long it has been settling before.
    pub(super) fn settle_anew(&mut self, need: &Need, now: Instant) {
        if let Some(entry) = self.entries.get_mut(need) {
            entry.settle(Some((now + SETTLE, SETTLE)));
        }
        self.comes(need, now);
    }

    /// Whether somebody asks it.
    pub(super) fn is_watched(&self, need: &Need) -> bool {
        self.entries.get(need).is_some_and(|e| e.interval().is_some())
    }

    /// When there is next something to take, if nothing happens meanwhile.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let (sweeps, passes) = self.slow.map_or((now, now), |(_, sweeps, passes)| (sweeps, passes));
        let waits = |n: &&Need| self.entries.get(*n).is_some_and(|e| e.in_flight().is_none()) && !self.gathers(n, true);
        let wanted = self.wanted.iter().filter(waits).map(|n| self.may_go(n, now).max(passes)).min();
        let due = self.earliest.or_else(|| self.earliest_due(now).0).map(|due| due.max(sweeps));
        [wanted, due].into_iter().flatten().min()
    }

    /// Whether it is time to look what became stale and what is forgotten; then the next time is later.
    pub(super) fn reviews(&mut self, now: Instant) -> bool {
        let is_time = self.reviewed.is_none_or(|at| at + REVIEW <= now);
        if is_time {
            self.reviewed = Some(now);
        }
        is_time
    }

    /// Names that AWS did not know the last time: they would fail a call for others.
    pub(super) fn absent(&self, needs: &BTreeSet<Need>) -> BTreeSet<Need> {
        let absent = |n: &&Need| self.entries.get(n).is_some_and(|e| matches!(e.last(), Some((_, Outcome::Absent))));
        needs.iter().filter(absent).cloned().collect()
    }

    /// Who asks any of these.
    pub(super) fn interested(&self, needs: &BTreeSet<Need>) -> BTreeSet<Arc<str>> {
        needs.iter().filter_map(|n| self.entries.get(n)).flat_map(|e| e.askers().cloned()).collect()
    }

    /// How long ago the oldest of the fast answers was asked for; none where one was never given.
    pub(super) fn age<'a>(&self, needs: impl IntoIterator<Item = &'a Need>, now: Instant) -> Option<Duration> {
        let fast = needs.into_iter().filter(|n| n.pace() == Pace::Fast);
        let ages = fast.map(|n| Some(now.saturating_duration_since(self.entries.get(n)?.answered()?)));
        ages.collect::<Option<Vec<_>>>().map(|ages| ages.into_iter().max().unwrap_or_default())
    }

    /// How long ago the oldest fast answer that anybody subscribes to was asked for.
    pub(super) fn oldest(&self, now: Instant) -> Duration {
        let fast = self.entries.iter().filter(|(n, e)| n.pace() == Pace::Fast && e.interval().is_some());
        fast.filter_map(|(_, e)| e.answered()).map(|at| now.saturating_duration_since(at)).max().unwrap_or_default()
    }

    /// Subscribers whose picture has become stale, or is no longer.
    pub(super) fn turned_stale(&mut self, now: Instant) -> Vec<Arc<str>> {
        let mut turned = Vec::new();
        for (who, Subscription { needs, interval, .. }) in &self.subscribers {
            let limit = STALE.max(*interval * 3);
            // What was never read is not old: its failure woke them.
            let stale = self.age(needs, now).is_some_and(|age| age > limit);
            if stale != self.stale.contains(who) {
                turned.push(who.clone());
            }
        }
        for who in &turned {
            if !self.stale.remove(who) {
                self.stale.insert(who.clone());
            }
        }
        turned
    }

    /// How many questions there are.
    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    /// See [`repack`].
    pub(super) fn repack(&mut self) {
        repack(&mut self.entries);
        repack(&mut self.subscribers);
    }

    /// Drops answers that nobody subscribed to for long.
    pub(super) fn forget(&mut self, now: Instant) -> BTreeSet<Need> {
        let unused = |e: &Entry| {
            e.interval().is_none() && e.in_flight().is_none() && e.wanted().is_none() && e.last().is_some_and(|(t, _)| t + FORGET <= now)
        };
        let gone: BTreeSet<Need> = self.entries.iter().filter(|(_, e)| unused(e)).map(|(n, _)| n.clone()).collect();
        self.entries.retain(|n, _| !gone.contains(n));
        gone
    }
}

#[cfg(test)]
#[path = "schedule_tests.rs"]
mod tests;
