//! Our own writes, put into the picture at once and expected from the reads that follow.

use std::{borrow::Borrow, collections::BTreeSet};

use tokio::time::Instant;

use super::{
    apply::set_rules,
    expect::{Expectable, Expectations, Expected, Field},
    lock,
    store::{Kept, Store},
};
use crate::model::{
    Need, NetworkAcl, NetworkAclId, Picture, RouteTable, RouteTableId, Rule, SecurityGroup, SecurityGroupId, SecurityGroupRuleId, Table,
    Tags, VpcEndpoint, VpcEndpointId, Within,
};

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
        let Kept { picture, expected, .. } = &mut *kept;
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
            let needs = edit(&mut c.picture.endpoints, &mut c.expected.endpoints, id.as_str(), fields, c.written, change);
            c.changed.extend(needs);
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

    /// We wrote one part of a network ACL.
    pub(super) fn acl_changed(&self, id: &NetworkAclId, field: Field, change: impl FnOnce(&mut NetworkAcl)) {
        self.change(|c| {
            let needs = edit(&mut c.picture.acls, &mut c.expected.acls, id.as_str(), &[field], c.written, |acl| {
                change(acl);
                acl.entries.sort();
            });
            c.changed.extend(needs);
        });
    }

    /// We wrote one part of a route table.
    pub(super) fn route_table_changed(&self, id: &RouteTableId, field: Field, change: impl FnOnce(&mut RouteTable)) {
        self.change(|c| {
            let needs = edit(&mut c.picture.route_tables, &mut c.expected.route_tables, id.as_str(), &[field], c.written, |table| {
                change(table);
                table.routes.sort();
            });
            c.changed.extend(needs);
        });
    }

    /// Tags of rules, groups, endpoints, ACLs and route tables were written: those of `set` are there, those of `unset` are not.
    pub(super) fn tags_changed(&self, ids: &[String], set: &Tags, unset: &[String]) {
        let retag = |tags: &mut Tags| {
            tags.extend(set.iter().map(|(k, v)| (k.clone(), v.clone())));
            tags.retain(|k, _| !unset.contains(k));
        };
        let fields: Vec<Field> = set.keys().chain(unset).map(|k| Field::Tag(k.clone())).collect();
        self.change(|c| {
            let (picture, expected, written) = (&mut *c.picture, &mut *c.expected, c.written);
            for id in ids {
                let changed = [
                    edit(&mut picture.groups, &mut expected.groups, id, &fields, written, |o| retag(&mut o.tags)),
                    edit(&mut picture.endpoints, &mut expected.endpoints, id, &fields, written, |o| retag(&mut o.tags)),
                    edit(&mut picture.acls, &mut expected.acls, id, &fields, written, |o| retag(&mut o.tags)),
                    edit(&mut picture.route_tables, &mut expected.route_tables, id, &fields, written, |o| retag(&mut o.tags)),
                ];
                c.changed.extend(changed.into_iter().flatten());
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

/// Changes parts of one object, and expects them. The needs whose reads show it; none where it is not known.
fn edit<K: Ord + Clone + Borrow<str>, T: Expectable + Within>(
    map: &mut Table<K, T>,
    expected: &mut Expected<T>,
    id: &str,
    fields: &[Field],
    written: Instant,
    change: impl FnOnce(&mut T),
) -> Vec<Need> {
    let Some(slot) = map.get_mut(id) else { return vec![] };
    let before = slot.clone();
    let mut after = (*before).clone();
    change(&mut after);
    wrote(expected, fields, &before, &after, written);
    let needs = after.needs();
    *slot = after.into();
    needs
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
