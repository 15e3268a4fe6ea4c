//! Wanted against actual: what is satisfied, what must change, and what of it is drift.

mod acl;
mod endpoint;
mod endpoint_texts;
mod foreign;
mod group;
mod route;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Input, Plan,
    change::{Action, Change, GroupTarget},
    drift::{Drift, DriftKind},
    facts::Facts,
    guardrails::Guarded,
    key::{EndpointKey, GroupRef, Key},
    problem::Problem,
    record::TAGS_MAX,
    release::Release,
    wanted::Serves,
};
use crate::{
    api::{
        conditions::Reason,
        names::{MANAGED_BY, TAG_MANAGED_BY, TAG_NETWORK},
        status::{OwnedEntry, PendingChange},
    },
    model::{
        Ownership, RuleShape, Tags,
        tags::{OWNED, SHARED},
    },
};

/// Compares one network's wants with AWS, and writes what it finds into the plan.
pub(super) struct Compare<'a, 'p> {
    input: &'a Input<'a>,
    facts: &'a Facts<'p>,
    guarded: &'a Guarded,
    plan: &'a mut Plan,
    ledger: BTreeMap<Key, &'a OwnedEntry>,
    /// Where rules on endpoints' own groups go; none where the group cannot be had.
    groups: BTreeMap<EndpointKey, Option<GroupTarget>>,
    /// Rules that a group has no room for.
    left_out: BTreeSet<Key>,
}

impl<'a, 'p> Compare<'a, 'p> {
    pub(super) fn new(input: &'a Input<'a>, facts: &'a Facts<'p>, guarded: &'a Guarded, plan: &'a mut Plan) -> Self {
        let ledger = input.ledger.iter().filter_map(|e| Some((Key::parse(&e.key)?, e))).collect();
        Self { input, facts, guarded, plan, ledger, groups: BTreeMap::new(), left_out: BTreeSet::new() }
    }

    /// Everything that is wanted.
    pub(super) fn wanted(&mut self) {
        let guarded = self.guarded;
        for share in guarded.wanted.shares.values() {
            self.endpoint(share);
        }
        for rule in guarded.wanted.rules.values() {
            self.rule(rule);
        }
        // Where an ACL has too few places, the ways to databases come before those to services.
        let (databases, services): (Vec<_>, Vec<_>) =
            guarded.wanted.acl_entries.values().partition(|e| e.serves.contains(&Serves::Database));
        for entry in databases.into_iter().chain(services) {
            self.acl_entry(entry);
        }
        for route in guarded.wanted.routes.values() {
            self.route(route);
        }
    }

    /// Everything in the ledger that is not wanted. `may_give_up`: no want is hidden by a problem.
    pub(super) fn unwanted(self, may_give_up: bool) {
        let wants: BTreeSet<Key> = self.guarded.wanted.keys().difference(&self.left_out).cloned().collect();
        Release {
            input: self.input,
            facts: self.facts,
            plan: self.plan,
            ledger: &self.ledger,
            wants: &wants,
            dropped: &self.guarded.dropped,
            elsewhere: &self.guarded.elsewhere,
        }
        .run(may_give_up);
    }

    /// What guardrails dropped and AWS does not hold: told, not done.
    pub(super) fn withheld(&mut self) {
        let withheld = &self.guarded.withheld;
        let told = |key: &Key, to: String| PendingChange {
            action: Action::Create.to_string(),
            kind: key.kind(),
            resource: key.to_string(),
            from: None,
            to: Some(to),
        };
        for (key, rule) in &withheld.rules {
            let there = match &rule.group {
                GroupRef::Id(id) => self.facts.rules(id).iter().any(|r| r.shape == rule.shape),
                GroupRef::OfEndpoint(_) => self.ledger.contains_key(key),
            };
            if !there {
                self.plan.withheld.push(told(key, rule.shape.to_string()));
            }
        }
        for (endpoint, share) in &withheld.shares {
            let key = Key::Endpoint(endpoint.clone());
            if !self.ledger.contains_key(&key) {
                self.plan.withheld.push(told(&key, share.service_name.to_string()));
            }
        }
        for entry in withheld.acl_entries.values() {
            if !self.lets_through(entry) {
                self.plan.withheld.push(told(&entry.key(), format!("{} allow {}", entry.acl, entry.shape)));
            }
        }
        for route in withheld.routes.values() {
            if !self.leads(route) {
                let to = format!("{} {} to {}", route.table, route.destination, route.target);
                self.plan.withheld.push(told(&route.key(), to));
            }
        }
    }

    fn problem(&mut self, reason: Reason, resource: impl ToString, message: impl Into<String>) {
        self.plan.problems.push(Problem::new(reason, resource, message));
    }

    fn drift(&mut self, key: &Key, kind: DriftKind, wanted: impl ToString, found: impl ToString) {
        self.plan.drift.push(Drift::new(key, kind, wanted, found));
    }

    fn change(&mut self, change: Change) {
        if let Change::CreateRule { group: GroupTarget::Existing(id), .. } | Change::ModifyRule { group: id, .. } = &change {
            self.plan.locks.insert(id.to_string());
        } else if let Change::RevokeForeign { group, .. } = &change {
            self.plan.locks.insert(group.to_string());
        }
        self.plan.locks.extend(change.key().map(Key::lock));
        self.plan.changes.push(change);
    }

    /// Whether one more record fits among the tags of an ACL or a route table; a problem where it does not.
    fn room_for_tag(&mut self, key: &Key, id: &str, tags: &Tags) -> bool {
        let planned = |c: &&Change| match c {
            Change::CreateAclEntry { acl, record: true, .. } => acl.as_str() == id,
            Change::CreateRoute { table, record: true, .. } => table.as_str() == id,
            _ => false,
        };
        let there = tags.keys().filter(|k| !k.starts_with("aws:")).count() + self.plan.changes.iter().filter(planned).count();
        let fits = there < TAGS_MAX;
        if !fits {
            let message = format!("{id} has {there} tags, and AWS allows no more: remove some, since a tag records what dmsnet puts there");
            self.problem(Reason::QuotaExceeded, key, message);
        }
        fits
    }

    /// The entry as it was, if there is one.
    fn keep_known(&mut self, key: &Key) {
        if self.ledger.contains_key(key) {
            self.keep_or_intend(key);
        }
    }

    /// The entry as it was, or an intention.
    fn keep_or_intend(&mut self, key: &Key) {
        let entry = self.ledger.get(key).map_or_else(
            || OwnedEntry { key: key.to_string(), kind: key.kind(), class: self.input.class.to_owned(), ..OwnedEntry::default() },
            |e| (*e).clone(),
        );
        self.plan.ledger.push(entry);
    }

    /// The entry of an object that is as wanted, or is being brought there.
    fn hold(&mut self, key: &Key, id: &str, want: Option<String>, made: bool) {
        self.plan.ledger.push(OwnedEntry {
            key: key.to_string(),
            kind: key.kind(),
            id: Some(id.to_owned()),
            want,
            made,
            class: self.input.class.to_owned(),
            token: None,
        });
    }

    /// Looks at the tags of an object that we want and found: sets what is missing, and tells whether we made it.
    /// None: it belongs to somebody else, and only happens to be what we want.
    fn take(&mut self, key: &Key, id: &str, tags: &Tags) -> Option<bool> {
        let entry = self.ledger.get(key).copied();
        let ours_by_id = entry.is_some_and(|e| e.made && e.id.as_deref() == Some(id));
        let ownership = Ownership::of(tags, self.input.owner);
        let made = match ownership {
            Ownership::Ours | Ownership::Released => true,
            Ownership::Stranger if ours_by_id => true,
            Ownership::Stranger => return None,
            Ownership::Shared => false,
            Ownership::OtherOwner => {
                let tag = Tags::from([(self.input.owner.tag(), SHARED.to_owned())]);
                self.change(Change::Tag { key: key.clone(), id: id.to_owned(), tags: tag });
                false
            }
        };
        if made {
            let missing = self.missing_tags(tags);
            let stripped = tags.get(TAG_MANAGED_BY).is_none() || !tags.contains_key(&self.input.owner.tag());
            if stripped && ours_by_id && entry.is_some_and(|e| e.want.is_some()) {
                let wanted = missing.keys().cloned().collect::<Vec<_>>().join(", ");
                self.drift(key, DriftKind::TagsStripped, format!("tags {wanted}"), "without them");
            }
            if !missing.is_empty() {
                self.change(Change::Tag { key: key.clone(), id: id.to_owned(), tags: missing });
            }
        }
        Some(made)
    }

    /// Tags of ours, and of the class, that are not there. A class's tag with another value is left alone.
    fn missing_tags(&self, tags: &Tags) -> Tags {
        let mut missing: Tags =
            self.input.tags.iter().filter(|(k, _)| !tags.contains_key(*k)).map(|(k, v)| (k.clone(), v.clone())).collect();
        if tags.get(TAG_MANAGED_BY).is_none() {
            missing.insert(TAG_MANAGED_BY.into(), MANAGED_BY.into());
        }
        if tags.get(&self.input.owner.tag()).is_none_or(|v| v != OWNED) {
            missing.insert(self.input.owner.tag(), OWNED.into());
        }
        if !missing.is_empty() && !tags.contains_key(TAG_NETWORK) {
            missing.insert(TAG_NETWORK.into(), self.input.label.to_owned());
        }
        missing
    }

    fn wanted_by_anyone(&self, key: &Key) -> bool {
        self.guarded.wanted.rules.contains_key(key)
            || self.guarded.elsewhere.contains(key)
            || self.input.claims.wanted_by_other(self.input.uid, key)
    }

    fn shapes_on(&self, group: &GroupRef) -> BTreeSet<RuleShape> {
        self.guarded.wanted.rules.values().filter(|r| r.group == *group).map(|r| r.shape.clone()).collect()
    }
}
