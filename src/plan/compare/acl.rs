//! One wanted entry against the entries of its network ACL (design.md 2, ACL entries and routes).

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Compare;
use crate::{
    api::conditions::Reason,
    model::{AclEntry, AclShape, Lookup, NetworkAcl, acl::passage},
    plan::{
        change::{Change, join},
        drift::DriftKind,
        key::Key,
        record,
        wanted::WantedAclEntry,
    },
};

/// Entries of one direction and family beside the closing deny, by AWS's default quota, and by the highest it grants (domain.md 3.4).
const QUOTA: usize = 19;
const RAISED_QUOTA: usize = 39;

impl Compare<'_, '_> {
    pub(super) fn acl_entry(&mut self, wanted: &WantedAclEntry) {
        let key = wanted.key();
        let acl = match self.facts.managed_acl(&wanted.acl, Some(&wanted.vpc)) {
            Lookup::Found(acl) => acl,
            // Refused, it is told by the list; gone, the subnets have another one, and so has the next plan.
            _ => {
                self.plan.unmet = true;
                return self.keep_known(&key);
            }
        };
        let shape = &wanted.shape;
        let entry = self.ledger.get(&key).copied();
        let known = entry.and_then(|e| record::number(e.id.as_deref()?)).filter(|(d, _)| *d == shape.direction).map(|(_, n)| n);
        let is_ours = |e: &AclEntry| record::is_entry_of(&acl.tags, e.direction, e.number, self.input.owner);
        let ours: Vec<&AclEntry> = acl.entries(shape.direction).filter(|e| is_ours(e)).collect();
        let others: Vec<&AclEntry> = acl.entries(shape.direction).filter(|e| !is_ours(e)).collect();
        let denies: Vec<&AclEntry> = others.iter().copied().filter(|e| !e.allow && e.shape().overlaps(shape)).collect();
        let want = shape.to_string();
        let applied = entry.is_some_and(|e| e.want.as_deref() == Some(want.as_str()));

        let exact = |e: &&&AclEntry| e.allow && e.shape() == *shape;
        let there = ours.iter().filter(|e| Some(e.number) == known).find(exact).or_else(|| ours.iter().find(exact));
        if let Some(found) = there {
            let ahead: Vec<_> = others.iter().copied().filter(|e| e.number < found.number).collect();
            let ahead = passage(ahead, shape);
            if !ahead.unmatched && ahead.allowed_by.is_empty() {
                self.denied(&key, acl, wanted, &ahead.denied_by);
            } else if let Some(late) = denies.iter().find(|d| d.number > found.number) {
                let message = format!(
                    "our entry {} comes ahead of entry {late}, which was added since and denies a part of what the path needs: \
                     delete that entry, or, if it is meant, set networkAcls: Check",
                    found.number
                );
                self.problem(Reason::Conflict, &key, message);
            }
            return self.hold(&key, &record::entry_id(shape.direction, found.number), Some(want), true);
        }
        let edited = ours.iter().copied().find(|e| Some(e.number) == known && entry.is_some_and(|l| l.made));
        let edited = edited.filter(|e| !(e.allow && self.wanted_by_anyone(&Key::AclEntry(acl.id.clone(), e.shape()))));
        if let Some(edited) = edited {
            if applied {
                self.drift(&key, DriftKind::AclEntryChanged, format!("allow {shape}"), edited);
            }
            self.keep_or_intend(&key);
            if let Some(late) = denies.iter().find(|d| d.number > edited.number) {
                return self.behind(&key, acl, wanted, late);
            }
            return self.change(Change::ReplaceAclEntry { key, acl: acl.id.clone(), from: edited.clone(), to: shape.clone() });
        }
        let open = passage(others.iter().copied(), shape);
        if open.is_open() {
            let by = open.allowed_by.first().copied().unwrap_or_default();
            if let Some(number) = known.filter(|n| *n != by && record::is_entry_of(&acl.tags, shape.direction, *n, self.input.owner)) {
                // Ours is gone, and somebody else's does its work.
                let keys = vec![record::entry_tag(shape.direction, number)];
                self.change(Change::Untag { key: key.clone(), id: acl.id.to_string(), keys });
            }
            return self.hold(&key, &record::entry_id(shape.direction, by), Some(want), false);
        }
        if applied {
            self.drift(&key, DriftKind::AclEntryMissing, format!("allow {shape}"), "no such entry");
        }
        if !open.unmatched && open.allowed_by.is_empty() {
            self.keep_or_intend(&key);
            return self.denied(&key, acl, wanted, &open.denied_by);
        }
        self.create_entry(key, acl, wanted, known, denies.last().copied());
    }

    /// Whether its ACL lets through what it is wanted for, whoever made the entries.
    pub(super) fn lets_through(&self, wanted: &WantedAclEntry) -> bool {
        let acl = self.facts.picture().acls.get(&wanted.acl);
        acl.is_some_and(|acl| passage(acl.entries(wanted.shape.direction), &wanted.shape).is_open())
    }

    /// Finds a number for a new entry: behind every deny of others that has to do with it.
    fn create_entry(&mut self, key: Key, acl: &NetworkAcl, wanted: &WantedAclEntry, known: Option<u16>, deny: Option<&AclEntry>) {
        let shape = &wanted.shape;
        self.keep_or_intend(&key);
        // Guardrails have dropped it where the class names no numbers.
        let Some(range) = self.input.guardrails.and_then(|g| g.network_acl_rule_numbers) else { return };
        let of_family = |cidr: &IpNet| cidr.addr().is_ipv4() == shape.cidr.addr().is_ipv4();
        let planned = self.planned_entries(acl, shape);
        let there = acl.entries(shape.direction).filter(|e| of_family(&e.cidr)).count();
        let quota = if there > QUOTA { RAISED_QUOTA } else { QUOTA };
        if there + planned.iter().filter(|(_, s)| of_family(&s.cidr)).count() >= quota {
            let message = format!(
                "{} has no room for it: {there} of the {quota} entries that AWS allows {} for {} are there: delete entries that \
                 nobody needs, or make several of them one",
                acl.id,
                shape.direction,
                if shape.cidr.addr().is_ipv4() { "IPv4" } else { "IPv6" },
            );
            return self.problem(Reason::QuotaExceeded, &key, message);
        }
        let used: BTreeSet<u16> = acl.entries(shape.direction).map(|e| e.number).chain(planned.iter().map(|(n, _)| *n)).collect();
        let owner = |n: u16| record::entry_owner(&acl.tags, shape.direction, n);
        let free = |n: &u16| !used.contains(n) && owner(*n).is_none_or(|o| o == self.input.owner.as_str());
        let mut numbers: Vec<u16> = (range.from..=range.to).filter(free).collect();
        if numbers.is_empty() {
            let theirs: BTreeSet<&str> = (range.from..=range.to).filter_map(owner).filter(|o| *o != self.input.owner.as_str()).collect();
            let theirs = match theirs.len() {
                0 => String::new(),
                _ => format!(", some of them of {} by its tags", join(theirs)),
            };
            let message = format!(
                "{} has entries with all numbers of the class's networkAclRuleNumbers ({} to {}){theirs}: give the class another range, or delete \
                 entries in it",
                acl.id, range.from, range.to
            );
            return self.problem(Reason::QuotaExceeded, &key, message);
        }
        numbers.retain(|n| deny.is_none_or(|d| *n > d.number));
        // Its old number, else one that was recorded and not written, else the first.
        let recorded = || numbers.iter().find(|n| owner(**n).is_some());
        let Some(number) = numbers.iter().find(|n| Some(**n) == known).or_else(recorded).or_else(|| numbers.first()).copied() else {
            if let Some(deny) = deny {
                self.behind(&key, acl, wanted, deny);
            }
            return;
        };
        let record = owner(number).is_none();
        if record && !self.room_for_tag(&key, acl.id.as_str(), &acl.tags) {
            return;
        }
        self.change(Change::CreateAclEntry { key, acl: acl.id.clone(), number, shape: shape.clone(), record });
    }

    /// Numbers that this plan has taken already.
    fn planned_entries(&self, acl: &NetworkAcl, shape: &AclShape) -> Vec<(u16, AclShape)> {
        let planned = |c: &Change| match c {
            Change::CreateAclEntry { acl: a, number, shape: s, .. } if *a == acl.id && s.direction == shape.direction => {
                Some((*number, s.clone()))
            }
            _ => None,
        };
        self.plan.changes.iter().filter_map(planned).collect()
    }

    /// All of it is denied on purpose, ahead of whatever we could write.
    fn denied(&mut self, key: &Key, acl: &NetworkAcl, wanted: &WantedAclEntry, by: &[u16]) {
        let message = format!(
            "{} denies all of it by its entries {}, and {} needs it; an explicit deny is never overruled: narrow or delete them if the path is \
             to be open",
            acl.id,
            join(by),
            join(&wanted.why)
        );
        self.problem(Reason::Conflict, key, message);
    }

    /// The only free places are ahead of a deny.
    fn behind(&mut self, key: &Key, acl: &NetworkAcl, wanted: &WantedAclEntry, deny: &AclEntry) {
        let message = format!(
            "{} needs it, but an entry of ours would come ahead of entry {deny} of {}, and an explicit deny is never overruled: narrow or \
             delete that entry, give it a lower number, or let the class's networkAclRuleNumbers reach beyond {}",
            join(&wanted.why),
            acl.id,
            deny.number
        );
        self.problem(Reason::Conflict, key, message);
    }
}
