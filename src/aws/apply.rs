//! Answers put into the picture, and what that changed. No clock, no calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    expect::Expectations,
    reads::{Objects, value},
};
use crate::model::{Need, Picture, ReadFailure, Rule, SecurityGroup, SecurityGroupId, Subnet, VpcEndpoint, VpcId};

/// What an answer did.
#[derive(Debug, Default)]
pub(super) struct Effect {
    /// Needs that it answers: those that were asked, and single objects that came with their VPC.
    pub(super) answered: BTreeSet<Need>,
    /// Needs whose objects, or whose being readable, are not as before.
    pub(super) changed: BTreeSet<Need>,
}

/// Puts the objects that answer `needs` into the picture, as far as our own writes allow (see `expect`).
pub(super) fn answer(
    picture: &mut Picture,
    expected: &mut Expectations,
    needs: &[Need],
    objects: Objects,
    started: Instant,
    now: Instant,
) -> Effect {
    let mut effect = Effect { answered: needs.iter().cloned().collect(), changed: BTreeSet::new() };
    let changed = &mut effect.changed;
    let asked: BTreeSet<&Need> = needs.iter().collect();
    match objects {
        Objects::Rules(mut rules) => {
            expected.rules.overlay(&mut rules, |r| asked.contains(&Need::RulesOf(r.group.clone())), started, now);
            rules_of(picture, needs, rules, changed);
        }
        Objects::Groups(mut list) => {
            let covers = |g: &SecurityGroup| asked.contains(&Need::GroupsOf(g.vpc.clone())) || asked.contains(&Need::Group(g.id.clone()));
            expected.groups.overlay(&mut list, covers, started, now);
            let new = list.into_iter().map(|g| (g.id.clone(), g)).collect();
            let came = replace(&mut picture.groups, covers, new, |g| {
                changed.extend([Need::Group(g.id.clone()), Need::GroupsOf(g.vpc.clone())]);
            });
            effect.answered.extend(came.into_iter().map(Need::Group).filter(|n| picture.asked.contains_key(n)));
        }
        Objects::Endpoints(mut list) => {
            let covers =
                |e: &VpcEndpoint| asked.contains(&Need::EndpointsOf(e.vpc.clone())) || asked.contains(&Need::Endpoint(e.id.clone()));
            expected.endpoints.overlay(&mut list, covers, started, now);
            let new = list.into_iter().map(|e| (e.id.clone(), e)).collect();
            let came = replace(&mut picture.endpoints, covers, new, |e| {
                changed.extend([Need::Endpoint(e.id.clone()), Need::EndpointsOf(e.vpc.clone())]);
            });
            effect.answered.extend(came.into_iter().map(Need::Endpoint).filter(|n| picture.asked.contains_key(n)));
        }
        Objects::Subnets(list) => {
            let covers = |s: &Subnet| asked.contains(&Need::SubnetsOf(s.vpc.clone())) || asked.contains(&Need::Subnet(s.id.clone()));
            let new = list.into_iter().map(|s| (s.id.clone(), s)).collect();
            let came = replace(&mut picture.subnets, covers, new, |s| {
                changed.extend([Need::Subnet(s.id.clone()), Need::SubnetsOf(s.vpc.clone())]);
            });
            effect.answered.extend(came.into_iter().map(Need::Subnet).filter(|n| picture.asked.contains_key(n)));
        }
        Objects::Vpcs(list) => {
            let mut new = BTreeMap::new();
            for mut v in list {
                // An attribute that could not be read this time is as it was.
                if let Some(old) = picture.vpcs.get(&v.id) {
                    v.dns_support = v.dns_support.or(old.dns_support);
                    v.dns_hostnames = v.dns_hostnames.or(old.dns_hostnames);
                }
                new.insert(v.id.clone(), v);
            }
            replace(
                &mut picture.vpcs,
                |v| asked.contains(&Need::Vpc(v.id.clone())),
                new,
                |v| {
                    changed.insert(Need::Vpc(v.id.clone()));
                },
            );
        }
        Objects::Services(list) => named(&mut picture.services, needs, list.into_iter().collect(), changed),
        Objects::Instances(list) => {
            let list = list.into_iter().map(|i| (Arc::from(i.identifier.as_str()), i)).collect();
            named(&mut picture.instances, needs, list, changed);
        }
        Objects::DmsEndpoints(list) => {
            let list = list.into_iter().map(|e| (Arc::from(e.identifier.as_str()), e)).collect();
            named(&mut picture.dms_endpoints, needs, list, changed);
        }
        Objects::DbInstances(list) => {
            let list = list.into_iter().map(|d| (Arc::from(d.identifier.as_str()), d)).collect();
            named(&mut picture.db_instances, needs, list, changed);
        }
        Objects::DbClusters(list) => {
            let list = list.into_iter().map(|d| (Arc::from(d.identifier.as_str()), d)).collect();
            named(&mut picture.db_clusters, needs, list, changed);
        }
    }
    mark(picture, &mut effect, None);
    effect
}

/// Records that `needs` could not be read; what was read before stays.
pub(super) fn failure(picture: &mut Picture, needs: &[Need], failure: ReadFailure) -> Effect {
    let mut effect = Effect { answered: needs.iter().cloned().collect(), changed: BTreeSet::new() };
    for need in needs {
        let with_vpc: Vec<Need> = match need {
            Need::GroupsOf(v) => picture.groups.values().filter(|g| g.vpc == *v).map(|g| Need::Group(g.id.clone())).collect(),
            Need::EndpointsOf(v) => picture.endpoints.values().filter(|e| e.vpc == *v).map(|e| Need::Endpoint(e.id.clone())).collect(),
            Need::SubnetsOf(v) => picture.subnets.values().filter(|s| s.vpc == *v).map(|s| Need::Subnet(s.id.clone())).collect(),
            _ => vec![],
        };
        effect.answered.extend(with_vpc.into_iter().filter(|n| picture.asked.contains_key(n)));
    }
    mark(picture, &mut effect, Some(failure));
    effect
}

fn mark(picture: &mut Picture, effect: &mut Effect, state: Option<ReadFailure>) {
    for need in &effect.answered {
        if state.is_none() {
            picture.read.insert(need.clone());
        }
        if picture.asked.get(need) != Some(&state) {
            picture.asked.insert(need.clone(), state.clone());
            effect.changed.insert(need.clone());
        }
    }
}

/// Whether a need was answered with nothing where one thing was asked for.
pub(super) fn is_absent(picture: &Picture, need: &Need) -> bool {
    let name = value(need);
    let name = name.as_str();
    match need {
        Need::ReplicationInstance(_) => !picture.instances.contains_key(name),
        Need::DmsEndpoint(_) => !picture.dms_endpoints.contains_key(name),
        Need::DbInstance(_) => !picture.db_instances.contains_key(name),
        Need::DbCluster(_) => !picture.db_clusters.contains_key(name),
        Need::Vpc(id) => !picture.vpcs.contains_key(id),
        Need::Subnet(id) => !picture.subnets.contains_key(id),
        Need::Group(id) => !picture.groups.contains_key(id),
        Need::Endpoint(id) => !picture.endpoints.contains_key(id),
        Need::Service(_) => !picture.services.contains_key(name),
        Need::Host(_) => !matches!(picture.hosts.get(name), Some(crate::model::Resolution::Addresses(_))),
        // Lists: none of a kind is an answer, too.
        _ => false,
    }
}

/// The VPC whose objects include the one that is needed, if that is known.
pub(super) fn with_vpc(picture: &Picture, need: &Need) -> Option<Need> {
    let known = |v: &VpcId| (!v.as_str().is_empty()).then(|| v.clone());
    match need {
        Need::Group(id) => picture.groups.get(id).and_then(|g| known(&g.vpc)).map(Need::GroupsOf),
        Need::Endpoint(id) => picture.endpoints.get(id).and_then(|e| known(&e.vpc)).map(Need::EndpointsOf),
        Need::Subnet(id) => picture.subnets.get(id).and_then(|s| known(&s.vpc)).map(Need::SubnetsOf),
        _ => None,
    }
}

/// Drops what nobody asks for any more.
pub(super) fn forget(picture: &mut Picture, needs: &BTreeSet<Need>) {
    picture.asked.retain(|n, _| !needs.contains(n));
    picture.read.retain(|n| !needs.contains(n));
    let asked = std::mem::take(&mut picture.asked);
    let gone = |n: Need| needs.contains(&n);
    let kept = |n: Need| asked.contains_key(&n);
    for need in needs {
        let name = value(need);
        let name = name.as_str();
        match need {
            Need::ReplicationInstance(_) => drop(picture.instances.remove(name)),
            Need::DmsEndpoint(_) => drop(picture.dms_endpoints.remove(name)),
            Need::DbInstance(_) => drop(picture.db_instances.remove(name)),
            Need::DbCluster(_) => drop(picture.db_clusters.remove(name)),
            Need::Service(_) => drop(picture.services.remove(name)),
            Need::Host(_) => drop(picture.hosts.remove(name)),
            Need::Vpc(id) => drop(picture.vpcs.remove(id)),
            Need::RulesOf(id) => drop(picture.rules.remove(id)),
            _ => {}
        }
    }
    picture.groups.retain(|id, g| {
        let (one, all) = (|| Need::Group(id.clone()), || Need::GroupsOf(g.vpc.clone()));
        !(gone(one()) || gone(all())) || kept(one()) || kept(all())
    });
    picture.endpoints.retain(|id, e| {
        let (one, all) = (|| Need::Endpoint(id.clone()), || Need::EndpointsOf(e.vpc.clone()));
        !(gone(one()) || gone(all())) || kept(one()) || kept(all())
    });
    picture.subnets.retain(|id, s| {
        let (one, all) = (|| Need::Subnet(id.clone()), || Need::SubnetsOf(s.vpc.clone()));
        !(gone(one()) || gone(all())) || kept(one()) || kept(all())
    });
    picture.asked = asked;
}

fn rules_of(picture: &mut Picture, needs: &[Need], rules: Vec<Rule>, changed: &mut BTreeSet<Need>) {
    let mut by_group: BTreeMap<SecurityGroupId, Vec<Rule>> = BTreeMap::new();
    for need in needs {
        if let Need::RulesOf(g) = need {
            by_group.insert(g.clone(), Vec::new());
        }
    }
    for rule in rules {
        if let Some(list) = by_group.get_mut(&rule.group) {
            list.push(rule);
        }
    }
    for (group, list) in by_group {
        set_rules(picture, group, list, changed);
    }
}

/// Replaces the rules of a group.
pub(super) fn set_rules(picture: &mut Picture, group: SecurityGroupId, mut list: Vec<Rule>, changed: &mut BTreeSet<Need>) {
    list.sort_by(|a, b| (&a.shape, &a.id).cmp(&(&b.shape, &b.id)));
    if picture.rules.get(&group).is_none_or(|old| **old != *list) {
        changed.insert(Need::RulesOf(group.clone()));
        picture.rules.insert(group, list.into());
    }
}

/// Replaces those objects that the answer covers. The keys of all that were or are covered.
fn replace<K: Ord + Clone, V: PartialEq>(
    map: &mut BTreeMap<K, Arc<V>>,
    covers: impl Fn(&V) -> bool,
    new: BTreeMap<K, V>,
    mut changed: impl FnMut(&V),
) -> BTreeSet<K> {
    let mut keys: BTreeSet<K> = new.keys().cloned().collect();
    map.retain(|k, v| {
        let gone = !new.contains_key(k) && covers(v);
        if gone {
            changed(v);
            keys.insert(k.clone());
        }
        !gone
    });
    for (k, v) in new {
        match map.get(&k) {
            Some(old) if **old == v => {}
            old => {
                if let Some(old) = old {
                    changed(old);
                }
                changed(&v);
                map.insert(k, Arc::new(v));
            }
        }
    }
    keys
}

/// Objects asked for by name.
fn named<V: PartialEq>(map: &mut BTreeMap<Arc<str>, Arc<V>>, needs: &[Need], new: BTreeMap<Arc<str>, V>, changed: &mut BTreeSet<Need>) {
    let mut new = new;
    for need in needs {
        let name = value(need);
        match (new.remove(name.as_str()), map.get(name.as_str())) {
            (Some(v), Some(old)) if **old == v => {}
            (Some(v), _) => {
                map.insert(name.as_str().into(), Arc::new(v));
                changed.insert(need.clone());
            }
            (None, Some(_)) => {
                map.remove(name.as_str());
                changed.insert(need.clone());
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
