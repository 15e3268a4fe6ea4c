//! One wanted route against the routes of its table (design.md 2, ACL entries and routes; domain.md 1.8).

use super::Compare;
use crate::{
    api::conditions::Reason,
    model::{Destination, Lookup, Route, RouteOrigin, RouteState, RouteTable, Target},
    plan::{change::Change, drift::DriftKind, key::Key, record, wanted::WantedRoute},
};

impl Compare<'_, '_> {
    pub(super) fn route(&mut self, wanted: &WantedRoute) {
        let key = wanted.key();
        let table = match self.facts.managed_route_table(&wanted.table, Some(&wanted.vpc)) {
            Lookup::Found(table) => table,
            // Refused, it is told by the list; gone, the subnets have another one, and so has the next plan.
            _ => {
                self.plan.unmet = true;
                return self.keep_known(&key);
            }
        };
        let me = (self.input.created, self.input.uid.clone());
        let lead = self.input.claims.lead_of_route(&me, &key).filter(|(_, target)| **target != wanted.target);
        if let Some((lead, theirs)) = lead {
            let message = format!(
                "{lead}, the oldest network that shares it, wants packets to {} in {} to go to {theirs}, this one to {}: a table holds one route for a \
                 destination, so agree, or use subnets with tables of their own",
                wanted.destination, table.id, wanted.target
            );
            self.problem(Reason::Conflict, &key, message);
            return self.keep_known(&key);
        }
        let want = format!("to {}", wanted.target);
        let entry = self.ledger.get(&key).copied();
        let applied = entry.is_some_and(|e| e.want.as_deref() == Some(want.as_str()));
        let recorded = record::is_route_of(&table.tags, &wanted.destination, self.input.owner);
        match table.written(&wanted.destination) {
            Some(found) if found.target == wanted.target => {
                self.hold(&key, &record::route_id(table, &wanted.destination), Some(want), recorded);
            }
            Some(found) if recorded && found.origin == RouteOrigin::CreateRoute => {
                if applied {
                    self.drift(&key, DriftKind::RouteChanged, &want, format!("to {}", found.target));
                }
                self.keep_or_intend(&key);
                let (from, to) = (found.target.clone(), wanted.target.clone());
                self.change(Change::ReplaceRoute { key, table: table.id.clone(), destination: wanted.destination.clone(), from, to });
            }
            Some(found) => {
                let message = format!(
                    "{} has a route for {} to {}, which dmsnet did not make and does not replace: the path needs it to lead to {}; change it \
                     (aws ec2 replace-route), or delete it and dmsnet makes one",
                    table.id, wanted.destination, found.target, wanted.target
                );
                self.problem(Reason::Conflict, &key, message);
                self.keep_known(&key);
            }
            None => self.no_route(key, table, wanted, &want, applied, recorded),
        }
    }

    /// Whether its table brings packets where it is wanted to, whoever made the routes.
    pub(super) fn leads(&self, wanted: &WantedRoute) -> bool {
        let table = self.facts.picture().route_tables.get(&wanted.table);
        table.is_some_and(|t| leads_there(&t.routes.iter().collect::<Vec<_>>(), &wanted.destination, &wanted.target).is_some())
    }

    fn no_route(&mut self, key: Key, table: &RouteTable, wanted: &WantedRoute, want: &str, applied: bool, recorded: bool) {
        let ours = |r: &&Route| record::is_route_of(&table.tags, &r.destination, self.input.owner);
        let others: Vec<&Route> = table.routes.iter().filter(|r| !ours(r)).collect();
        if let Some(by) = leads_there(&others, &wanted.destination, &wanted.target) {
            if recorded {
                // Ours is gone, and somebody else's does its work.
                let keys = vec![record::route_tag(&wanted.destination)];
                self.change(Change::Untag { key: key.clone(), id: table.id.to_string(), keys });
            }
            return self.hold(&key, &record::route_id(table, &by.destination), Some(want.to_owned()), false);
        }
        if applied {
            self.drift(&key, DriftKind::RouteMissing, want, "no such route");
        }
        self.keep_or_intend(&key);
        let record = !recorded;
        if record && !self.room_for_tag(&key, table.id.as_str(), &table.tags) {
            return;
        }
        let (destination, target) = (wanted.destination.clone(), wanted.target.clone());
        self.change(Change::CreateRoute { key, table: table.id.clone(), destination, target, record });
    }
}

/// The route of others that brings every packet for `destination` to `target` already, if there is one: the longest prefix
/// decides, and a more specific route to elsewhere takes its part away.
fn leads_there<'r>(routes: &[&'r Route], destination: &Destination, target: &Target) -> Option<&'r Route> {
    let Destination::Cidr(wanted) = destination else {
        return routes.iter().copied().find(|r| r.destination == *destination && r.target == *target && r.state == RouteState::Active);
    };
    let in_use = || {
        routes.iter().copied().filter(|r| r.state != RouteState::Filtered).filter_map(|r| match &r.destination {
            Destination::Cidr(c) => Some((c, r)),
            Destination::PrefixList(_) => None,
        })
    };
    // On the same prefix a written route beats a propagated one.
    let rank = |c: &ipnet::IpNet, r: &Route| (c.prefix_len(), r.origin != RouteOrigin::Propagated);
    let (_, best) = in_use().filter(|(c, _)| c.contains(wanted)).max_by_key(|(c, r)| rank(c, r))?;
    let astray = in_use().any(|(c, r)| wanted.contains(c) && c != wanted && r.target != *target);
    (best.target == *target && best.state == RouteState::Active && !astray).then_some(best)
}
