//! Giving up routes and ACL entries: only what the tag on their table or ACL records as ours, and that tag last.

use super::Release;
use crate::{
    api::{network::DeletionPolicy, status::OwnedEntry},
    model::{AclShape, Destination, Lookup, NetworkAclId, RouteOrigin, RouteTableId},
    plan::{change::Change, key::Key, record},
};

impl Release<'_, '_> {
    pub(super) fn route(&mut self, key: &Key, entry: &OwnedEntry, table: &RouteTableId, destination: &Destination) {
        let table = match self.facts.managed_route_table(table, None) {
            Lookup::Found(table) => table,
            // It took its routes along.
            Lookup::Absent => return,
            Lookup::Unread | Lookup::Unreadable(_) => return self.keep(entry),
        };
        let found = table.written(destination).map(|r| &r.target);
        // One that wants it to lead elsewhere does not need this one.
        let mut others = self.input.claims.other_claimants(self.input.uid, key);
        let needed = others.any(|(_, c)| c.ledger.contains(key) || c.route(key).is_some_and(|t| found.is_none_or(|f| f == t)));
        if !record::is_route_of(&table.tags, destination, self.input.owner) || needed {
            return;
        }
        self.keep(entry);
        let found = table.written(destination).filter(|r| r.origin == RouteOrigin::CreateRoute);
        match found.filter(|_| self.input.deletion_policy == DeletionPolicy::Delete) {
            Some(found) => {
                let (destination, target) = (destination.clone(), found.target.clone());
                self.change(Change::DeleteRoute { key: key.clone(), table: table.id.clone(), destination, target });
            }
            None => {
                let keys = vec![record::route_tag(destination)];
                self.change(Change::Untag { key: key.clone(), id: table.id.to_string(), keys });
            }
        }
    }

    pub(super) fn acl_entry(&mut self, key: &Key, entry: &OwnedEntry, acl: &NetworkAclId, shape: &AclShape) {
        let acl = match self.facts.managed_acl(acl, None) {
            Lookup::Found(acl) => acl,
            // It took its entries along.
            Lookup::Absent => return,
            Lookup::Unread | Lookup::Unreadable(_) => return self.keep(entry),
        };
        let direction = shape.direction;
        let recorded: Vec<u16> =
            record::entries_of(&acl.tags, self.input.owner).filter(|(d, _)| *d == direction).map(|(_, number)| number).collect();
        let known = entry.id.as_deref().and_then(record::number).map(|(_, number)| number).filter(|n| recorded.contains(n));
        let same = || recorded.iter().filter_map(|n| acl.entry(direction, *n)).find(|e| e.allow && e.shape() == *shape);
        if let Some(found) = known.and_then(|n| acl.entry(direction, n)).or_else(same) {
            let now = Key::AclEntry(acl.id.clone(), found.shape());
            let needed = found.allow && (self.wants.contains(&now) || self.input.claims.wanted_by_other(self.input.uid, &now));
            if needed || self.is_others(key) {
                return;
            }
            self.keep(entry);
            let change = match self.input.deletion_policy {
                DeletionPolicy::Delete => Change::DeleteAclEntry { key: key.clone(), acl: acl.id.clone(), entry: found.clone() },
                DeletionPolicy::Retain => {
                    let keys = vec![record::entry_tag(direction, found.number)];
                    Change::Untag { key: key.clone(), id: acl.id.to_string(), keys }
                }
            };
            return self.change(change);
        }
        // Records without an entry: of this one, or, where its number was never learned, of any that was cut off.
        let about_to_be = |n: u16| {
            let planned = |c: &Change| matches!(c, Change::CreateAclEntry { acl: a, number, shape: s, .. } if *a == acl.id && *number == n && s.direction == direction);
            self.plan.changes.iter().any(planned)
        };
        let empty = recorded.iter().copied().filter(|n| acl.entry(direction, *n).is_none() && !about_to_be(*n));
        let keys: Vec<String> =
            empty.filter(|n| entry.id.is_none() || Some(*n) == known).map(|n| record::entry_tag(direction, n)).collect();
        if !keys.is_empty() {
            self.keep(entry);
            self.change(Change::Untag { key: key.clone(), id: acl.id.to_string(), keys });
        }
    }

    /// Whether a wider entry is to take its place, and none is there yet.
    pub(super) fn awaits_wider(&self, acl: &NetworkAclId, shape: &AclShape) -> bool {
        let wider = |k: &&Key| matches!(k, Key::AclEntry(a, w) if a == acl && w != shape && w.covers(shape));
        let is_there = |key: &Key| {
            let text = key.to_string();
            let known = self.plan.ledger.iter().any(|e| e.key == text && e.id.is_some());
            known && !self.plan.changes.iter().any(|c| c.key() == Some(key))
        };
        let mut all = self.wants.iter().filter(wider).peekable();
        all.peek().is_some() && !all.any(is_there)
    }

    /// Whether another network wants it, or has it in its ledger.
    fn is_others(&self, key: &Key) -> bool {
        self.input.claims.other_claimants(self.input.uid, key).next().is_some()
    }
}
