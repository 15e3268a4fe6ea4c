//! Our own writes, put into the picture at once and expected from the reads that follow.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::{
    apply::set_rules,
    expect::{Expectable, Expectations, Expected, Field},
    lock,
    store::{Kept, Store},
};
use crate::model::{Need, Picture, Rule, SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Tags, VpcEndpoint, VpcEndpointId};

/// One look at what a write changes.
struct Change<'a> {
    picture: &'a mut Picture,
    expected: &'a mut Expectations,
    changed: BTreeSet<Need>,
    written: Instant,
}

impl Store {
    fn change(&self, change: impl FnOnce(&mut Change<'_>)) {
        let now = Instant::now();
        let mut kept = self.write();
        let Kept { picture, expected } = &mut *kept;
        let mut made = Change { picture, expected, changed: BTreeSet::new(), written: now };
        change(&mut made);
        let changed = made.changed;
        let open: BTreeSet<Need> = kept.expected.open().into_iter().flatten().collect();
        {
            let mut schedule = lock(&self.schedule);
            for need in changed.intersection(&open) {
                if schedule.is_watched(need) {
                    schedule.settle_anew(need, now);
                }
            }
        }
        drop(kept);
        self.answered(&changed);
    }

    pub(super) fn rules_made(&self, group: &SecurityGroupId, made: &[Rule]) {
        self.change(|c| {
            made.iter().for_each(|r| c.expected.rules.created(r.clone(), c.written));
            let known = c.picture.rules_of(group).iter().filter(|r| made.iter().all(|m| m.id != r.id)).cloned();
            let list = known.chain(made.iter().cloned()).collect();
            set_rules(c.picture, group.clone(), list, &mut c.changed);
        });
    }

    pub(super) fn rules_changed(&self, group: &SecurityGroupId, change: impl Fn(&mut Rule), field: Field) {
        self.change(|c| change_rules(c, group, &change, &[field]));
    }

    pub(super) fn rules_gone(&self, group: &SecurityGroupId, ids: &[SecurityGroupRuleId]) {
        self.change(|c| {
            let (gone, left): (Vec<Rule>, Vec<Rule>) = c.picture.rules_of(group).iter().cloned().partition(|r| ids.contains(&r.id));
            gone.into_iter().for_each(|r| c.expected.rules.removed(r, c.written));
            if c.picture.rules.contains_key(group) {
                set_rules(c.picture, group.clone(), left, &mut c.changed);
            }
        });
    }

    pub(super) fn group_made(&self, group: &SecurityGroup) {
        self.change(|c| {
            c.expected.groups.created(group.clone(), c.written);
            c.changed.extend(group.needs());
            c.picture.groups.insert(group.id.clone(), group.clone().into());
        });
    }

    pub(super) fn group_gone(&self, id: &SecurityGroupId) {
        self.change(|c| {
            if let Some(group) = c.picture.groups.remove(id) {
                c.changed.extend(group.needs());
                c.expected.groups.removed((*group).clone(), c.written);
            }
            if c.picture.rules.remove(id).is_some() {
                c.changed.insert(Need::RulesOf(id.clone()));
            }
        });
    }

    pub(super) fn endpoint_made(&self, endpoint: &VpcEndpoint) {
        self.change(|c| {
            c.expected.endpoints.created(endpoint.clone(), c.written);
            c.changed.extend(endpoint.needs());
            c.picture.endpoints.insert(endpoint.id.clone(), endpoint.clone().into());
        });
    }

    pub(super) fn endpoint_changed(&self, id: &VpcEndpointId, fields: &[Field], change: impl FnOnce(&mut VpcEndpoint)) {
        self.change(|c| {
            let Some(before) = c.picture.endpoints.get(id).cloned() else { return };
            let mut after = (*before).clone();
            change(&mut after);
            for field in fields {
                c.expected.endpoints.wrote(field.clone(), &before, &after, c.written);
            }
            c.changed.extend(after.needs());
            c.picture.endpoints.insert(id.clone(), after.into());
        });
    }

    pub(super) fn endpoint_gone(&self, id: &VpcEndpointId) {
        self.change(|c| {
            let Some(endpoint) = c.picture.endpoints.remove(id) else { return };
            let mut going = (*endpoint).clone();
            c.changed.extend(going.needs());
            going.let_go();
            c.expected.endpoints.removed(going.clone(), c.written);
            // AWS takes a while to take it down, and it blocks its group and its private name until then.
            c.picture.endpoints.insert(id.clone(), going.into());
        });
    }

    /// Tags of rules, groups and endpoints were written: those of `set` are there, those of `unset` are not.
    pub(super) fn tags_changed(&self, ids: &[String], set: &Tags, unset: &[String]) {
        let retag = |tags: &mut Tags| {
            tags.extend(set.iter().map(|(k, v)| (k.clone(), v.clone())));
            tags.retain(|k, _| !unset.contains(k));
        };
        let fields: Vec<Field> = set.keys().chain(unset).map(|k| Field::Tag(k.clone())).collect();
        self.change(|c| {
            for id in ids {
                if let Some(before) = c.picture.groups.get(id.as_str()).cloned() {
                    let mut after = (*before).clone();
                    retag(&mut after.tags);
                    wrote(&mut c.expected.groups, &fields, &before, &after, c.written);
                    c.changed.extend(after.needs());
                    c.picture.groups.insert(after.id.clone(), after.into());
                } else if let Some(before) = c.picture.endpoints.get(id.as_str()).cloned() {
                    let mut after = (*before).clone();
                    retag(&mut after.tags);
                    wrote(&mut c.expected.endpoints, &fields, &before, &after, c.written);
                    c.changed.extend(after.needs());
                    c.picture.endpoints.insert(after.id.clone(), after.into());
                }
            }
            let is_named = |r: &Rule| ids.iter().any(|i| i == r.id.as_str());
            let groups: Vec<SecurityGroupId> =
                c.picture.rules.iter().filter(|(_, list)| list.iter().any(is_named)).map(|(g, _)| g.clone()).collect();
            for group in groups {
                let change = |r: &mut Rule| {
                    if is_named(r) {
                        retag(&mut r.tags);
                    }
                };
                change_rules(c, &group, &change, &fields);
            }
        });
    }
}

fn wrote<T: Expectable>(expected: &mut Expected<T>, fields: &[Field], before: &T, after: &T, written: Instant) {
    fields.iter().for_each(|f| expected.wrote(f.clone(), before, after, written));
}

fn change_rules(c: &mut Change<'_>, group: &SecurityGroupId, change: &impl Fn(&mut Rule), fields: &[Field]) {
    let mut list = c.picture.rules_of(group).to_vec();
    for rule in &mut list {
        let before = rule.clone();
        change(rule);
        if *rule != before {
            wrote(&mut c.expected.rules, fields, &before, rule, c.written);
        }
    }
    if c.picture.rules.contains_key(group) {
        set_rules(c.picture, group.clone(), list, &mut c.changed);
    }
}
