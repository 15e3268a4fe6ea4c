//! Giving up what a network no longer wants, or has when it is deleted (design.md 2, Giving up).

mod recorded;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Input, Plan,
    change::{Change, EndpointChanges},
    facts::Facts,
    key::{EndpointKey, EndpointRef, GroupRef, Key},
    sharing,
    wanted::group_name,
};
use crate::{
    api::{names::TAG_TAKEN_OVER, network::DeletionPolicy, status::OwnedEntry},
    model::{
        EndpointState, Ownership, Rule, SecurityGroup, SecurityGroupId, Tags, VpcEndpoint,
        tags::{has_other_owner, is_managed},
    },
};

/// Name of the lock that serialises giving up within one account and Region.
pub const LOCK: &str = "release";

pub(super) struct Release<'a, 'p> {
    pub input: &'a Input<'a>,
    pub facts: &'a Facts<'p>,
    pub plan: &'a mut Plan,
    pub ledger: &'a BTreeMap<Key, &'a OwnedEntry>,
    pub wants: &'a BTreeSet<Key>,
    pub dropped: &'a BTreeSet<Key>,
    /// What the same network has through another class: that one's entry holds it.
    pub elsewhere: &'a BTreeSet<Key>,
}

/// What becomes of one object.
enum Fate {
    /// Nothing of ours is there, or others need it: drop the entry.
    Drop,
    /// Put our tags on again, then drop the entry: whoever needs it knows it by them.
    HandOver,
    /// Take our owner tag off, then drop the entry.
    Release(Vec<String>),
    /// Remove it, then drop the entry.
    Delete,
}

impl Release<'_, '_> {
    pub(super) fn run(mut self, may_give_up: bool) {
        let unwanted: Vec<(&Key, &OwnedEntry)> =
            self.ledger.iter().filter(|(k, _)| !self.wants.contains(*k) && !self.elsewhere.contains(*k)).map(|(k, e)| (k, *e)).collect();
        let mut groups_to_go = BTreeSet::new();
        for (key, entry) in unwanted {
            let held = self.dropped.contains(key) || !may_give_up;
            if held || !self.input.all_tried {
                if !held {
                    self.plan.waiting.push(format!("{key} is given up once every network of the account was looked at"));
                }
                self.keep(entry);
                continue;
            }
            if matches!(key, Key::Rule(GroupRef::OfEndpoint(endpoint), _) if groups_to_go.contains(endpoint)) {
                // It goes with its group.
                self.keep(entry);
                continue;
            }
            let rule = match key {
                Key::Rule(group, _) => self.unwanted_rule(key, entry, group),
                _ => None,
            };
            if let (Key::Rule(group, _), Some((rule, Fate::Delete))) = (key, &rule)
                && let Some(other) = self.input.claims.who_awaits(self.input.uid, group, &rule.shape, self.facts.rules(&rule.group))
            {
                // Its way is open by this one until then.
                self.plan.waiting.push(format!("{key} is given up once {other} has its own rule for what it lets through"));
                self.keep(entry);
                continue;
            }
            self.plan.locks.insert(LOCK.to_owned());
            match key {
                Key::Group(endpoint) => self.group(key, entry, endpoint, &mut groups_to_go),
                Key::Rule(..) => rule.into_iter().for_each(|(rule, fate)| self.rule(key, entry, rule, fate)),
                Key::Endpoint(endpoint) => self.endpoint(key, entry, endpoint),
                Key::Route(table, destination) => self.route(key, entry, table, destination),
                Key::AclEntry(acl, shape) if self.awaits_wider(acl, shape) => self.keep(entry),
                Key::AclEntry(acl, shape) => self.acl_entry(key, entry, acl, shape),
            }
        }
        // What cannot be read is not ours to forget.
        for entry in self.input.ledger.iter().filter(|e| Key::parse(&e.key).is_none()) {
            self.keep(entry);
        }
    }

    fn keep(&mut self, entry: &OwnedEntry) {
        self.plan.ledger.push(entry.clone());
    }

    fn change(&mut self, change: Change) {
        self.plan.locks.extend(change.key().map(Key::lock));
        self.plan.changes.push(change);
    }

    /// What becomes of an object of ours that is there with these tags.
    fn fate(&self, key: &Key, entry: &OwnedEntry, id: &str, tags: &Tags) -> Fate {
        let ours_by_id = entry.made && entry.id.as_deref() == Some(id);
        let ownership = Ownership::of(tags, self.input.owner);
        if self.input.claims.other_claimants(self.input.uid, key).next().is_some() {
            // Only our ledger tells that it was made, if its tags were taken off.
            return if ours_by_id && ownership == Ownership::Stranger { Fate::HandOver } else { Fate::Drop };
        }
        let tag = self.input.owner.tag();
        match ownership {
            Ownership::Ours if has_other_owner(tags, self.input.owner) => Fate::Release(vec![tag]),
            Ownership::Ours if self.input.deletion_policy == DeletionPolicy::Retain => Fate::Release(vec![tag]),
            Ownership::Ours => Fate::Delete,
            Ownership::Shared => Fate::Release(vec![tag]),
            // Its tags were taken off, but it is the one in the ledger.
            Ownership::Stranger | Ownership::Released if ours_by_id && self.input.deletion_policy == DeletionPolicy::Delete => Fate::Delete,
            Ownership::Stranger | Ownership::Released | Ownership::OtherOwner => Fate::Drop,
        }
    }

    fn hand_over(&mut self, key: &Key, entry: &OwnedEntry, id: &str) {
        self.keep(entry);
        let tags = self.input.owner.tags_for(self.input.label, self.input.tags);
        self.change(Change::Tag { key: key.clone(), id: id.to_owned(), tags });
    }

    /// The rule of an entry, where it is there, and not by what somebody made of it one that is wanted.
    fn unwanted_rule<'t>(&self, key: &Key, entry: &OwnedEntry, group: &GroupRef) -> Option<(&'t Rule, Fate)>
    where
        Self: 't,
    {
        let rule = self.find_rule(key, entry, group)?;
        let now = Key::Rule(group.clone(), rule.shape.clone());
        // Another that wants the key does not want what somebody made of this rule: it makes its own.
        (!self.wants.contains(&now)).then(|| (rule, self.fate(&now, entry, rule.id.as_str(), &rule.tags)))
    }

    fn rule(&mut self, key: &Key, entry: &OwnedEntry, rule: &Rule, fate: Fate) {
        match fate {
            Fate::Drop => {}
            Fate::HandOver => self.hand_over(key, entry, rule.id.as_str()),
            Fate::Release(keys) => {
                self.keep(entry);
                self.change(Change::Untag { key: key.clone(), id: rule.id.to_string(), keys });
            }
            Fate::Delete => {
                self.keep(entry);
                let (group, id, shape) = (rule.group.clone(), rule.id.clone(), rule.shape.clone());
                self.change(Change::RevokeRule { key: key.clone(), group, id, shape });
            }
        }
    }

    /// By the ledger's ID, else (an intention that was cut off) by shape and our tag.
    fn find_rule<'t>(&self, key: &Key, entry: &OwnedEntry, group: &GroupRef) -> Option<&'t Rule>
    where
        Self: 't,
    {
        // The group's own entry may be gone already, and an adopted group has another's name: then any of dmsnet's may be it.
        let groups: Vec<SecurityGroupId> = match group {
            GroupRef::Id(id) => vec![id.clone()],
            GroupRef::OfEndpoint(endpoint) => match self.find_group(endpoint) {
                Some(group) => vec![group.id.clone()],
                None => self.facts.groups_of(&endpoint.vpc).iter().filter(|g| is_managed(&g.tags)).map(|g| g.id.clone()).collect(),
            },
        };
        let Key::Rule(_, shape) = key else { return None };
        let rules = || groups.iter().flat_map(|g| self.facts.rules(g));
        let by_id = rules().find(|r| entry.id.as_deref() == Some(r.id.as_str()));
        let ours = |r: &&Rule| matches!(Ownership::of(&r.tags, self.input.owner), Ownership::Ours | Ownership::Shared);
        by_id.or_else(|| rules().filter(|r| r.shape == *shape).find(ours))
    }

    fn find_group<'t>(&self, endpoint: &EndpointKey) -> Option<&'t SecurityGroup>
    where
        Self: 't,
    {
        let groups = self.facts.groups_of(&endpoint.vpc);
        let id = self.ledger.get(&Key::Group(endpoint.clone())).and_then(|e| e.id.as_deref());
        let name = group_name(self.input.owner, endpoint);
        groups.iter().find(|g| id == Some(g.id.as_str())).or_else(|| groups.iter().find(|g| g.name == name)).copied()
    }

    fn group(&mut self, key: &Key, entry: &OwnedEntry, endpoint: &EndpointKey, to_go: &mut BTreeSet<EndpointKey>) {
        let Some(group) = self.find_group(endpoint) else { return };
        match self.fate(key, entry, group.id.as_str(), &group.tags) {
            Fate::Drop => {}
            Fate::HandOver => self.hand_over(key, entry, group.id.as_str()),
            Fate::Release(keys) => {
                self.keep(entry);
                self.change(Change::Untag { key: key.clone(), id: group.id.to_string(), keys });
            }
            Fate::Delete => {
                self.keep(entry);
                to_go.insert(endpoint.clone());
                if let Some(user) = self.user_of(&group.id, endpoint) {
                    let name = &group.id;
                    self.plan.waiting.push(format!("security group {name} waits for {} ({}) to be gone", user.id, user.state));
                } else {
                    self.change(Change::DeleteGroup { key: key.clone(), id: group.id.clone() });
                }
            }
        }
    }

    /// An endpoint that still has the group on its interfaces.
    fn user_of<'t>(&self, group: &SecurityGroupId, endpoint: &EndpointKey) -> Option<&'t VpcEndpoint>
    where
        Self: 't,
    {
        let all = self.facts.endpoints(&endpoint.vpc, &endpoint.service_name(self.input.region));
        all.into_iter().find(|e| e.state != EndpointState::Deleted && e.groups.contains(group))
    }

    fn endpoint(&mut self, key: &Key, entry: &OwnedEntry, endpoint: &EndpointRef) {
        match endpoint {
            EndpointRef::TakenOver(id) => {
                let others = self.input.claims.other_claimants(self.input.uid, key).next().is_some();
                let found = self.facts.picture().endpoints.get(id);
                self.facts.endpoint(id, None);
                if let Some(found) = found.filter(|e| !others && e.tags.get(TAG_TAKEN_OVER).is_some_and(|v| v == self.input.owner.as_str()))
                {
                    self.keep(entry);
                    let keys = vec![TAG_TAKEN_OVER.to_owned()];
                    self.change(Change::Untag { key: key.clone(), id: found.id.to_string(), keys });
                }
            }
            EndpointRef::Made(made) => self.made_endpoint(key, entry, endpoint, made),
        }
    }

    fn made_endpoint(&mut self, key: &Key, entry: &OwnedEntry, endpoint: &EndpointRef, made: &EndpointKey) {
        let mut all = self.facts.endpoints(&made.vpc, &made.service_name(self.input.region));
        all.retain(|e| made.is_like(e));
        let by_id = all.iter().find(|e| entry.id.as_deref() == Some(e.id.as_str()) && e.state != EndpointState::Deleted);
        let ours = |e: &&&VpcEndpoint| matches!(Ownership::of(&e.tags, self.input.owner), Ownership::Ours | Ownership::Shared);
        let Some(found) = by_id.or_else(|| all.iter().filter(|e| !e.is_going()).find(ours)).copied() else { return };
        match &found.state {
            EndpointState::Deleted => return,
            EndpointState::Deleting => {
                self.keep(entry);
                self.plan.waiting.push(format!("VPC endpoint {} is being deleted; its network interfaces go with it", found.id));
                return;
            }
            _ => {}
        }
        match self.fate(key, entry, found.id.as_str(), &found.tags) {
            Fate::Drop => self.shrink(key, endpoint, found),
            Fate::HandOver => self.hand_over(key, entry, found.id.as_str()),
            Fate::Release(keys) => {
                self.keep(entry);
                self.change(Change::Untag { key: key.clone(), id: found.id.to_string(), keys });
            }
            Fate::Delete => {
                self.keep(entry);
                self.change(Change::DeleteEndpoint { key: key.clone(), id: found.id.clone() });
            }
        }
    }

    /// One that leaves takes its own subnets and route tables along, where no other network wants them.
    fn shrink(&mut self, key: &Key, endpoint: &EndpointRef, found: &VpcEndpoint) {
        if self.input.deletion_policy == DeletionPolicy::Retain
            || Ownership::of(&found.tags, self.input.owner) != Ownership::Ours
            || self.input.claims.oldest_unplanned(self.input.uid, endpoint).is_some()
        {
            return;
        }
        let Some(union) = sharing::without(self.input.uid, endpoint, self.input.claims) else { return };
        let changes = EndpointChanges {
            remove_subnets: superfluous(&found.subnets, union.subnets.as_ref()),
            remove_route_tables: superfluous(&found.route_tables, union.route_tables.as_ref()),
            ..EndpointChanges::default()
        };
        if changes.is_empty() {
            return;
        }
        let (from, to) = changes.texts(found);
        self.change(Change::ModifyEndpoint { key: key.clone(), id: found.id.clone(), changes, from, to });
    }
}

/// Those that nobody wants; none where that would be all of them, or it is not known what is wanted.
fn superfluous<T: Ord + Clone>(there: &[T], wanted: Option<&BTreeSet<T>>) -> Vec<T> {
    let Some(wanted) = wanted else { return vec![] };
    let remove: Vec<T> = there.iter().filter(|t| !wanted.contains(t)).cloned().collect();
    if remove.len() == there.len() { vec![] } else { remove }
}
