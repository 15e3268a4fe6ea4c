//! Who changed what: what change queues tell is kept for a while, and put beside the drift that it explains.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

use crate::{
    api::status::{DriftRecord, OwnedEntry},
    model::{Cause, ChangeEvent, event::ids_in},
    plan::Uid,
};

/// How long an event may explain a drift, and a drift may wait for its event: they mostly come within two minutes.
const KEPT: Duration = Duration::from_secs(900);
/// Most events that are kept: a storm's.
const MOST: usize = 10_000;
/// An event that is later than the drift by more than the clocks may differ does not explain it.
const SKEW: Duration = Duration::from_secs(120);
/// Most callers that are named where it may have been any of them.
const CALLERS: usize = 3;

/// See the module.
#[derive(Debug, Default)]
pub struct Causes(Mutex<Known>);

/// One drift of a network: the object, and when it was detected.
type DriftKey = (Uid, String, Timestamp);

/// A drift without a cause.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    /// What it was about: a repair gives the object another ID.
    objects: BTreeSet<String>,
    within: Option<String>,
}

#[derive(Debug, Default)]
struct Known {
    /// Oldest first.
    events: VecDeque<(Instant, Arc<Heard>)>,
    by_object: HashMap<Arc<str>, Vec<Arc<Heard>>>,
    waiting: BTreeMap<DriftKey, Waiting>,
    /// What each event has explained already: it explains no later drift of the same object.
    told: HashMap<String, BTreeMap<(Uid, String), Timestamp>>,
}

#[derive(Debug)]
struct Heard {
    id: String,
    operation: String,
    cause: Cause,
    objects: Vec<Arc<str>>,
}

impl Causes {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what an event tells, and returns the networks whose drift it may explain. A copy of one that is known changes nothing.
    pub fn note(&self, event: &ChangeEvent, now: Instant) -> BTreeSet<Uid> {
        let Some(cause) = &event.cause else { return BTreeSet::new() };
        let mut known = self.lock();
        known.forget(now);
        let heard = Heard {
            id: event.id.clone(),
            operation: event.operation.clone(),
            cause: cause.clone(),
            objects: event.names.ids.iter().cloned().collect(),
        };
        let copies = heard.objects.first().and_then(|o| known.by_object.get(o));
        if heard.objects.is_empty() || copies.is_some_and(|list| list.iter().any(|h| h.id == heard.id)) {
            return BTreeSet::new();
        }
        let heard = Arc::new(heard);
        for object in &heard.objects {
            known.by_object.entry(object.clone()).or_default().push(heard.clone());
        }
        let about = |w: &Waiting| heard.objects.iter().any(|o| w.objects.contains(&**o) || w.within.as_deref() == Some(&**o));
        let waiting = known.waiting.iter().filter(|(_, w)| about(w)).map(|((uid, ..), _)| uid.clone()).collect();
        known.events.push_back((now, heard));
        waiting
    }

    /// Puts causes beside the drifts of a network that have none.
    pub fn fill(&self, uid: &Uid, records: &mut [DriftRecord], ledger: &[OwnedEntry], now: Instant, time: Timestamp) {
        for record in records.iter_mut().filter(|r| r.cause.is_none()) {
            // What is old is explained by nothing that comes now.
            if time.duration_since(record.detected_at).as_secs_f64() > KEPT.as_secs_f64() {
                continue;
            }
            let mut known = self.lock();
            known.forget(now);
            record.cause = known.explain(uid, record, ledger, now);
        }
    }
}

impl Known {
    fn forget(&mut self, now: Instant) {
        while self.events.len() >= MOST || self.events.front().is_some_and(|(at, _)| *at + KEPT <= now) {
            let Some((_, heard)) = self.events.pop_front() else { break };
            self.told.remove(&heard.id);
            for object in &heard.objects {
                if let Some(list) = self.by_object.get_mut(object) {
                    list.retain(|h| h.id != heard.id);
                    if list.is_empty() {
                        self.by_object.remove(object);
                    }
                }
            }
        }
        self.waiting.retain(|_, w| w.since + KEPT > now);
    }

    fn explain(&mut self, uid: &Uid, record: &DriftRecord, ledger: &[OwnedEntry], now: Instant) -> Option<String> {
        let key: DriftKey = (uid.clone(), record.resource.clone(), record.detected_at);
        let told_of = (uid.clone(), record.resource.clone());
        let about = About::of(record, ledger);
        let objects = match self.waiting.get(&key) {
            Some(waiting) => waiting.objects.clone(),
            None => about.objects.clone(),
        };
        let fits = |h: &&Arc<Heard>| {
            let told = self.told.get(&h.id).and_then(|t| t.get(&told_of)).is_some_and(|at| *at != record.detected_at);
            let early = |at: Timestamp| at.duration_since(record.detected_at).as_secs_f64() <= SKEW.as_secs_f64();
            !told && h.cause.at.is_none_or(early)
        };
        let of = |object: &str| self.by_object.get(object).into_iter().flatten().filter(fits);
        let mut found: Vec<Arc<Heard>> = objects.iter().flat_map(|o| of(o)).cloned().collect();
        if found.is_empty()
            && let Some((container, operations)) = &about.within
        {
            found = of(container).filter(|h| operations.is_empty() || operations.contains(&h.operation.as_str())).cloned().collect();
        } else {
            // The object itself: whoever was at it last.
            found.sort_by_key(|h| h.cause.at);
            found = found.pop().into_iter().collect();
        }
        if found.is_empty() {
            if self.waiting.len() < MOST {
                let within = about.within.map(|(container, _)| container);
                self.waiting.entry(key).or_insert(Waiting { since: now, objects, within });
            }
            return None;
        }
        self.waiting.remove(&key);
        for heard in &found {
            self.told.entry(heard.id.clone()).or_default().insert(told_of.clone(), record.detected_at);
        }
        Some(sentence(&found))
    }
}

/// The latest call of each caller.
fn sentence(found: &[Arc<Heard>]) -> String {
    let mut by_caller: BTreeMap<&str, &Cause> = BTreeMap::new();
    for heard in found {
        let entry = by_caller.entry(&heard.cause.who).or_insert(&heard.cause);
        if entry.at <= heard.cause.at {
            *entry = &heard.cause;
        }
    }
    let texts: Vec<String> = by_caller.values().take(CALLERS).map(ToString::to_string).collect();
    match &texts[..] {
        [one] => one.clone(),
        several => format!("one of: {}", several.join("; ")),
    }
}

/// What a drift is about.
#[derive(Debug, PartialEq, Eq)]
struct About {
    /// IDs of the object itself.
    objects: BTreeSet<String>,
    /// What it is part of, and the calls that do this to its parts (none: any). Calls may name the whole alone, such as a group
    /// from which a rule is revoked by its values.
    within: Option<(String, &'static [&'static str])>,
}

impl About {
    fn of(record: &DriftRecord, ledger: &[OwnedEntry]) -> Self {
        let id_of = |key: &str| ledger.iter().find(|e| e.key == key).and_then(|e| e.id.clone());
        // A foreign rule's ID stands behind its shape.
        let (key, behind) = record.resource.split_once(" (").unwrap_or((&record.resource, ""));
        let mut objects: BTreeSet<String> = ids_in(behind).map(str::to_owned).collect();
        objects.extend(id_of(key));
        let parts: Vec<&str> = key.split('/').collect();
        let within = match parts[..] {
            ["rule", group, direction, ..] if group.starts_with("sg-") => Some((group.to_owned(), calls(&record.kind, direction))),
            ["rule", vpc, service, direction, ..] => {
                id_of(&format!("group/{vpc}/{service}")).map(|group| (group, calls(&record.kind, direction)))
            }
            ["group", ..] => {
                objects.extend(ids_in(&record.wanted).filter(|id| id.starts_with("sg-")).map(str::to_owned));
                None
            }
            ["endpoint", id] => {
                objects.insert(id.to_owned());
                None
            }
            ["endpoint", ..] => None,
            // An entry of an ACL, a route.
            [_, whole, ..] => Some((whole.to_owned(), &[][..])),
            _ => None,
        };
        Self { objects, within }
    }
}

fn calls(kind: &str, direction: &str) -> &'static [&'static str] {
    match (kind, direction) {
        ("RuleMissing", "in") => &["RevokeSecurityGroupIngress"],
        ("RuleMissing", _) => &["RevokeSecurityGroupEgress"],
        ("RuleChanged", _) => &["ModifySecurityGroupRules"],
        ("ForeignRule", "in") => &["AuthorizeSecurityGroupIngress"],
        ("ForeignRule", _) => &["AuthorizeSecurityGroupEgress"],
        _ => &["CreateTags", "DeleteTags"],
    }
}

#[cfg(test)]
#[path = "causes_tests.rs"]
mod tests;
