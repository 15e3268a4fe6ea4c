//! One wanted rule against the rules of its group.

use super::Compare;
use crate::{
    model::{Ownership, Rule, RuleShape, SecurityGroupId},
    plan::{
        change::{Change, GroupTarget},
        drift::DriftKind,
        key::{GroupRef, Key},
        release,
        wanted::WantedRule,
    },
};

impl Compare<'_, '_> {
    pub(super) fn rule(&mut self, wanted: &WantedRule) {
        let key = wanted.key();
        if self.left_out.contains(&key) {
            return;
        }
        self.plan.rules.1 += 1;
        let target = match &wanted.group {
            GroupRef::Id(id) => Some(GroupTarget::Existing(id.clone())),
            GroupRef::OfEndpoint(endpoint) => self.groups.get(endpoint).cloned().flatten(),
        };
        match target {
            Some(GroupTarget::Existing(group)) => self.rule_on(&key, wanted, &group),
            Some(created) => {
                // Its group is made first; that the group is missing has been said already.
                self.keep_or_intend(&key);
                self.create_rule(&key, wanted, created);
            }
            None => {
                if self.ledger.contains_key(&key) {
                    self.keep_or_intend(&key);
                }
            }
        }
    }

    fn rule_on(&mut self, key: &Key, wanted: &WantedRule, group: &SecurityGroupId) {
        let rules = self.facts.rules(group);
        let shape = wanted.shape.to_string();
        if let Some(found) = rules.iter().find(|r| r.shape == wanted.shape) {
            self.plan.rules.0 += 1;
            let made = self.take(key, found.id.as_str(), &found.tags).unwrap_or(false);
            if !self.removes_edited(key, wanted, rules, found) {
                self.hold(key, found.id.as_str(), Some(shape), made);
            }
            return;
        }
        let entry = self.ledger.get(key).copied();
        let applied = entry.is_some_and(|e| e.want.as_deref() == Some(shape.as_str()));
        self.keep_or_intend(key);
        match rules.iter().find(|r| entry.is_some_and(|e| e.made && e.id.as_deref() == Some(r.id.as_str()))) {
            Some(edited) if self.may_edit(edited, &wanted.group) => {
                if applied {
                    self.drift(key, DriftKind::RuleChanged, &wanted.shape, &edited.shape);
                }
                self.change(Change::ModifyRule {
                    key: key.clone(),
                    group: group.clone(),
                    id: edited.id.clone(),
                    from: edited.shape.clone(),
                    to: wanted.shape.clone(),
                    description: description(&wanted.why),
                });
                // Edited, and its tags gone as well.
                self.take(key, edited.id.as_str(), &edited.tags);
            }
            other => {
                if applied {
                    let found = other.map_or_else(|| "no such rule".to_owned(), |r| r.shape.to_string());
                    self.drift(key, DriftKind::RuleMissing, &wanted.shape, found);
                }
                self.create_rule(key, wanted, GroupTarget::Existing(group.clone()));
            }
        }
    }

    /// Somebody edited the rule that the ledger names, and another made it anew before we edited it back: a network that shares it,
    /// or a person. What it was edited to goes, and the entry keeps it until then: only that tells whose it is.
    fn removes_edited(&mut self, key: &Key, wanted: &WantedRule, rules: &[Rule], found: &Rule) -> bool {
        let Some(entry) = self.ledger.get(key).copied().filter(|e| e.made && e.id.as_deref() != Some(found.id.as_str())) else {
            return false;
        };
        let Some(edited) = rules.iter().find(|r| entry.id.as_deref() == Some(r.id.as_str())) else { return false };
        if !self.may_edit(edited, &wanted.group) {
            return false;
        }
        self.keep_or_intend(key);
        if !self.input.all_tried {
            self.plan.waiting.push(format!("{} is removed once every network of the account was looked at", edited.id));
            return true;
        }
        if entry.want.as_deref() == Some(wanted.shape.to_string().as_str()) {
            self.drift(key, DriftKind::RuleChanged, &wanted.shape, &edited.shape);
        }
        self.plan.locks.insert(release::LOCK.to_owned());
        let (group, id, shape) = (edited.group.clone(), edited.id.clone(), edited.shape.clone());
        self.change(Change::RevokeRule { key: key.clone(), group, id, shape });
        true
    }

    fn create_rule(&mut self, key: &Key, wanted: &WantedRule, group: GroupTarget) {
        let shape: RuleShape = wanted.shape.clone();
        self.change(Change::CreateRule { key: key.clone(), group, shape, description: description(&wanted.why) });
    }

    /// A rule that we made and somebody edited is edited back, unless what it now is, is wanted too.
    fn may_edit(&self, rule: &Rule, group: &GroupRef) -> bool {
        let now = Key::Rule(group.clone(), rule.shape.clone());
        let ours = !matches!(Ownership::of(&rule.tags, self.input.owner), Ownership::Shared | Ownership::OtherOwner);
        ours && !self.wanted_by_anyone(&now)
    }
}

/// A rule's description in AWS, for people; never compared.
fn description(why: &str) -> String {
    format!("dmsnet {why}")
}
