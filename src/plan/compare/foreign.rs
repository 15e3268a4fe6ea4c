//! Rules that somebody else put on a managed group, and that open a managed port.

use std::collections::BTreeSet;

use super::Compare;
use crate::{
    api::{
        network::ForeignRules,
        status::{ForeignRule, ResourceKind},
    },
    model::{Direction, Peer, Ports, Rule, SecurityGroupId, tags::is_managed},
    plan::{
        change::{Change, GroupTarget},
        drift::{Drift, DriftKind},
        key::{GroupRef, Key},
    },
};

impl Compare<'_, '_> {
    /// `complete`: no want is hidden by a problem; else what looks foreign may be wanted, and is only told.
    pub(in crate::plan) fn foreign(&mut self, complete: bool) {
        let guarded = self.guarded;
        let managed: BTreeSet<(&GroupRef, Direction)> = guarded.wanted.rules.values().map(|r| (&r.group, r.shape.direction)).collect();
        for (group, direction) in managed {
            let id = match group {
                GroupRef::Id(id) => id.clone(),
                GroupRef::OfEndpoint(key) => match self.groups.get(key) {
                    Some(Some(GroupTarget::Existing(id))) => id.clone(),
                    _ => continue,
                },
            };
            self.foreign_on(group, &id, direction, complete);
        }
    }

    fn foreign_on(&mut self, group: &GroupRef, id: &SecurityGroupId, direction: Direction, complete: bool) {
        let mut ports = self.input.claims.managed_ports(group, direction);
        ports.extend(
            self.guarded
                .wanted
                .rules
                .values()
                .filter(|r| r.group == *group && r.shape.direction == direction)
                .filter_map(|r| r.shape.tcp_ports()),
        );
        let planned = self.input.claims.others_on_group(self.input.uid, group).all(|c| c.planned || c.deleting);
        let may_revoke = self.guarded.foreign_rules == ForeignRules::Revoke && self.input.all_tried && planned && complete;
        for rule in self.facts.rules(id) {
            let Some(wider) = self.is_foreign(rule, group, direction, &ports) else { continue };
            let summary = format!("{id} {}", rule.shape);
            if may_revoke && !wider && !made_by_aws(rule) {
                match self.input.claims.who_awaits(self.input.uid, group, &rule.shape, self.facts.rules(id)) {
                    Some(other) => {
                        let waits = format!("{} ({summary}) is revoked once {other} has its own rule for what it lets through", rule.id);
                        self.plan.waiting.push(waits);
                    }
                    None => {
                        self.plan.drift.push(Drift {
                            resource: format!("rule/{group}/{} ({})", rule.shape, rule.id),
                            kind: DriftKind::ForeignRule,
                            wanted: "no such rule".to_owned(),
                            found: rule.shape.to_string(),
                        });
                        self.change(Change::RevokeForeign { group: id.clone(), id: rule.id.clone(), shape: rule.shape.clone() });
                    }
                }
            }
            self.plan.foreign.push(ForeignRule { kind: ResourceKind::SecurityGroupRule, id: rule.id.to_string(), summary, wider });
        }
    }

    /// Whether the rule is foreign, and then whether it opens more than managed ports.
    fn is_foreign(&self, rule: &Rule, group: &GroupRef, direction: Direction, managed: &[Ports]) -> Option<bool> {
        if rule.shape.direction != direction || is_managed(&rule.tags) || rule.shape.is_default_egress() {
            return None;
        }
        // In the ledger: made by us and its tags taken off, which is a drift of its own, or what satisfied a want.
        if self.ledger.values().any(|e| e.id.as_deref() == Some(rule.id.as_str())) {
            return None;
        }
        // Wanted, and withheld by a guardrail: it is not ours to make, nor to take away.
        let key = Key::Rule(group.clone(), rule.shape.clone());
        if self.guarded.withheld.rules.contains_key(&key)
            || self.input.claims.others_on_group(self.input.uid, group).any(|c| c.withheld.contains(&key))
        {
            return None;
        }
        let ports = rule.shape.tcp_ports()?;
        if !managed.iter().any(|m| m.overlaps(ports)) || self.wanted_by_anyone(&key) {
            return None;
        }
        Some(!ports.covered_by(managed) || rule.shape.protocol == crate::model::Protocol::All)
    }
}

/// Rules that AWS services write themselves: tagged `aws:*`, in the range that DMS homogeneous migrations use, or
/// described as made by DMS or RDS (domain.md 2). Taking one away breaks what the service does.
fn made_by_aws(rule: &Rule) -> bool {
    let reserved = ipnet::Ipv4Net::new_assert(std::net::Ipv4Addr::new(192, 168, 0, 0), 24);
    let in_reserved = matches!(&rule.shape.peer, Peer::Cidr(ipnet::IpNet::V4(c)) if reserved.contains(c));
    let described = rule.description.as_deref().is_some_and(|d| {
        let d = d.to_ascii_lowercase();
        d.starts_with("dms") || d.contains("aws dms") || d.contains("created by rds") || d.contains("rule to allow connections from")
    });
    in_reserved || described || rule.tags.keys().any(|k| k.starts_with("aws:"))
}
