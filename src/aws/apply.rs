//! Answers put into the picture, and what that changed. No clock, no calls.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    expect::Expectations,
    held::Held,
    questions::{Objects, value},
};
use crate::model::{
    Connection, InternetGateway, NatGateway, Need, NetworkAcl, NetworkInterface, NetworkInterfaceId, PeeringConnection, Picture,
    PrefixList, ReadFailure, RouteTable, Rule, SecurityGroup, SecurityGroupId, ServiceDetail, Subnet, TransitGatewayAttachment, VpcDns,
    VpcEndpoint, VpcId, tags::is_managed,
};

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
    let asked: BTreeSet<&Need> = needs.iter().collect();
    let changed = &mut effect.changed;
    match objects {
        Objects::Rules(mut rules) => {
            expected.rules.overlay(&mut rules, |r| asked.contains(&Need::RulesOf(r.group.clone())), started, now, &mut expected.lag);
            // One that we did not know to have made would be missed after a late read.
            let known = |r: &Rule| picture.rules.get(&r.group).is_none_or(|known| known.iter().any(|k| k.id == r.id));
            rules.iter().filter(|r| is_managed(&r.tags) && !known(r)).for_each(|r| expected.rules.came(r, now));
            rules_of(picture, needs, rules, changed);
        }
        Objects::Groups(mut list) => {
            let covers = |g: &SecurityGroup| g.needs().iter().any(|n| asked.contains(n));
            expected.groups.overlay(&mut list, covers, started, now, &mut expected.lag);
            let new = |g: &&SecurityGroup| is_managed(&g.tags) && !picture.groups.contains_key(&g.id);
            list.iter().filter(new).for_each(|g| expected.groups.came(g, now));
            held(picture, &asked, list, &mut effect);
        }
        Objects::Endpoints(mut list) => {
            let covers = |e: &VpcEndpoint| e.needs().iter().any(|n| asked.contains(n));
            expected.endpoints.overlay(&mut list, covers, started, now, &mut expected.lag);
            // One that a late read hid would be made a second time.
            let new = |e: &&VpcEndpoint| is_managed(&e.tags) && !picture.endpoints.contains_key(&e.id);
            list.iter().filter(new).for_each(|e| expected.endpoints.came(e, now));
            held(picture, &asked, list, &mut effect);
        }
        Objects::Subnets(list) => held(picture, &asked, list, &mut effect),
        Objects::Vpcs(list) => held(picture, &asked, list, &mut effect),
        Objects::VpcDns(list) => dns_of(picture, needs, list.into_iter().collect(), changed),
        Objects::Acls(mut list) => {
            expected.acls.overlay(&mut list, |a| a.needs().iter().any(|n| asked.contains(n)), started, now, &mut expected.lag);
            held(picture, &asked, list, &mut effect);
        }
        Objects::RouteTables(mut list) => {
            expected.route_tables.overlay(&mut list, |t| t.needs().iter().any(|n| asked.contains(n)), started, now, &mut expected.lag);
            held(picture, &asked, list, &mut effect);
        }
        Objects::NatGateways(list) => held(picture, &asked, list, &mut effect),
        Objects::InternetGateways(list) => held(picture, &asked, list, &mut effect),
        Objects::Peerings(list) => held(picture, &asked, list, &mut effect),
        Objects::TransitGatewayAttachments(list) => held(picture, &asked, list, &mut effect),
        Objects::Interfaces(list) => {
            left_groups(picture, &asked, &list, changed);
            held(picture, &asked, list, &mut effect);
        }
        Objects::PrefixLists(list) => held(picture, &asked, list, &mut effect),
        Objects::Connections(list) => connections_of(picture, needs, list, changed),
        Objects::Services(list) => {
            let mut services: BTreeMap<Arc<str>, ServiceDetail> = BTreeMap::new();
            for (name, detail) in list {
                let both = match services.remove(&name) {
                    Some(first) => first.and(detail),
                    None => detail,
                };
                services.insert(name, both);
            }
            named(&mut picture.services, needs, services, changed);
        }
        Objects::Instances(list) => named(&mut picture.instances, needs, by_name(list, |o| &o.identifier), changed),
        Objects::Configs(list) => named(&mut picture.configs, needs, by_name(list, |o| &o.identifier), changed),
        Objects::SubnetGroups(list) => named(&mut picture.subnet_groups, needs, by_name(list, |o| &o.identifier), changed),
        Objects::DbSubnetGroups(list) => named(&mut picture.db_subnet_groups, needs, by_name(list, |o| &o.identifier), changed),
        Objects::DmsEndpoints(list) => named(&mut picture.dms_endpoints, needs, by_name(list, |o| &o.identifier), changed),
        Objects::DbInstances(list) => named(&mut picture.db_instances, needs, by_name(list, |o| &o.identifier), changed),
        Objects::DbClusters(list) => named(&mut picture.db_clusters, needs, by_name(list, |o| &o.identifier), changed),
    }
    mark(picture, &mut effect, None);
    effect
}

/// Records that `needs` could not be read; what was read before stays.
pub(super) fn failure(picture: &mut Picture, needs: &[Need], failure: ReadFailure) -> Effect {
    let mut effect = Effect { answered: needs.iter().cloned().collect(), changed: BTreeSet::new() };
    for need in needs {
        let with_vpc: Vec<Need> = match need {
            Need::GroupsOf(v) => picture.groups.within(v.as_str()).map(|g| Need::Group(g.id.clone())).collect(),
            Need::EndpointsOf(v) => picture.endpoints.within(v.as_str()).map(|e| Need::Endpoint(e.id.clone())).collect(),
            Need::SubnetsOf(v) => picture.subnets.within(v.as_str()).map(|s| Need::Subnet(s.id.clone())).collect(),
            Need::NetworkAclsOf(v) => picture.acls.within(v.as_str()).map(|a| Need::NetworkAcl(a.id.clone())).collect(),
            Need::RouteTablesOf(v) => picture.route_tables.within(v.as_str()).map(|t| Need::RouteTable(t.id.clone())).collect(),
            _ => vec![],
        };
        effect.answered.extend(with_vpc.into_iter().filter(|n| picture.asked.contains_key(n)));
    }
    mark(picture, &mut effect, Some(failure.into()));
    effect
}

fn mark(picture: &mut Picture, effect: &mut Effect, state: Option<Arc<ReadFailure>>) {
    for need in &effect.answered {
        let before = picture.asked.get(need);
        if before == Some(&state) {
            continue;
        }
        if state.is_none() {
            picture.read.remove(need);
        } else if before == Some(&None) {
            picture.read.insert(need.clone());
        }
        picture.asked.insert(need.clone(), state.clone());
        effect.changed.insert(need.clone());
    }
}

/// Whether a need was answered with nothing where one thing was asked for.
pub(super) fn is_absent(picture: &Picture, need: &Need) -> bool {
    let name = value(need);
    let name = &*name;
    match need {
        Need::ReplicationInstance(_) => !picture.instances.contains_key(name),
        Need::DmsEndpoint(_) => !picture.dms_endpoints.contains_key(name),
        Need::DbInstance(_) => !picture.db_instances.contains_key(name),
        Need::DbCluster(_) => !picture.db_clusters.contains_key(name),
        Need::ReplicationConfig(_) => !picture.configs.contains_key(name),
        Need::SubnetGroup(_) => !picture.subnet_groups.contains_key(name),
        Need::DbSubnetGroup(_) => !picture.db_subnet_groups.contains_key(name),
        Need::Interface(id) => !picture.interfaces.contains_key(id),
        Need::PrefixList(id) => !picture.prefix_lists.contains_key(id),
        Need::PrefixListNamed(_) => picture.prefix_lists.within(name).next().is_none(),
        Need::Vpc(id) => !picture.vpcs.contains_key(id),
        Need::VpcDns(id) => !picture.vpc_dns.contains_key(id),
        Need::Subnet(id) => !picture.subnets.contains_key(id),
        Need::Group(id) => !picture.groups.contains_key(id),
        Need::Endpoint(id) => !picture.endpoints.contains_key(id),
        Need::NetworkAcl(id) => !picture.acls.contains_key(id),
        Need::RouteTable(id) => !picture.route_tables.contains_key(id),
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
        Need::NetworkAcl(id) => picture.acls.get(id).and_then(|a| known(&a.vpc)).map(Need::NetworkAclsOf),
        Need::RouteTable(id) => picture.route_tables.get(id).and_then(|t| known(&t.vpc)).map(Need::RouteTablesOf),
        _ => None,
    }
}

/// Drops what nobody asks for any more.
pub(super) fn forget(picture: &mut Picture, needs: &BTreeSet<Need>) {
    picture.asked.retain(|n, _| !needs.contains(n));
    picture.read.retain(|n| !needs.contains(n));
    for need in needs {
        let name = value(need);
        let name = &*name;
        match need {
            Need::ReplicationInstance(_) => drop(picture.instances.remove(name)),
            Need::DmsEndpoint(_) => drop(picture.dms_endpoints.remove(name)),
            Need::DbInstance(_) => drop(picture.db_instances.remove(name)),
            Need::DbCluster(_) => drop(picture.db_clusters.remove(name)),
            Need::Service(_) => drop(picture.services.remove(name)),
            Need::Host(_) => drop(picture.hosts.remove(name)),
            Need::ReplicationConfig(_) => drop(picture.configs.remove(name)),
            Need::SubnetGroup(_) => drop(picture.subnet_groups.remove(name)),
            Need::DbSubnetGroup(_) => drop(picture.db_subnet_groups.remove(name)),
            Need::ConnectionsOf(arn) => drop(picture.connections.remove(arn)),
            Need::Vpc(id) => drop(picture.vpcs.remove(id)),
            Need::VpcDns(id) => drop(picture.vpc_dns.remove(id)),
            Need::RulesOf(id) => drop(picture.rules.remove(id)),
            _ => {}
        }
    }
    forget_kind::<SecurityGroup>(picture, needs);
    forget_kind::<VpcEndpoint>(picture, needs);
    forget_kind::<Subnet>(picture, needs);
    forget_kind::<NetworkAcl>(picture, needs);
    forget_kind::<RouteTable>(picture, needs);
    forget_kind::<NatGateway>(picture, needs);
    forget_kind::<InternetGateway>(picture, needs);
    forget_kind::<PeeringConnection>(picture, needs);
    forget_kind::<TransitGatewayAttachment>(picture, needs);
    forget_kind::<NetworkInterface>(picture, needs);
    forget_kind::<PrefixList>(picture, needs);
}

/// Drops objects that only forgotten questions asked for.
fn forget_kind<T: Held>(picture: &mut Picture, gone: &BTreeSet<Need>) {
    let mut map = std::mem::take(T::map(picture));
    map.retain(|_, o| {
        let needs = o.needs();
        !needs.iter().any(|n| gone.contains(n)) || needs.iter().any(|n| picture.asked.contains_key(n))
    });
    *T::map(picture) = map;
}

/// An interface that left a group is not listed with it any more, but may still be asked for otherwise.
fn left_groups(picture: &mut Picture, asked: &BTreeSet<&Need>, listed: &[NetworkInterface], changed: &mut BTreeSet<Need>) {
    let known: BTreeSet<&str> = listed.iter().map(|i| i.id.as_str()).collect();
    let with = asked.iter().filter_map(|n| if let Need::InterfacesWith(g) = n { Some(g) } else { None });
    let listed_before: BTreeSet<NetworkInterfaceId> = with.flat_map(|g| picture.interfaces.about(g.as_str())).collect();
    for id in listed_before {
        let Some(old) = picture.interfaces.get(&id) else { continue };
        let needs = old.needs();
        let otherwise = needs.iter().filter(|n| !asked.contains(n));
        let gone = asked.contains(&Need::Interface(id.clone()));
        if known.contains(id.as_str()) || gone || !otherwise.into_iter().any(|n| picture.asked.contains_key(n)) {
            continue;
        }
        let mut left = (**old).clone();
        left.groups.retain(|g| !asked.contains(&Need::InterfacesWith(g.clone())));
        changed.extend(needs);
        picture.interfaces.insert(id, Arc::new(left));
    }
}

fn dns_of(picture: &mut Picture, needs: &[Need], mut new: BTreeMap<VpcId, VpcDns>, changed: &mut BTreeSet<Need>) {
    for need in needs {
        let Need::VpcDns(vpc) = need else { continue };
        let dns = new.remove(vpc);
        if picture.vpc_dns.get(vpc).map(|old| **old) == dns {
            continue;
        }
        match dns {
            Some(dns) => drop(picture.vpc_dns.insert(vpc.clone(), Arc::new(dns))),
            None => drop(picture.vpc_dns.remove(vpc)),
        }
        changed.insert(need.clone());
    }
}

fn connections_of(picture: &mut Picture, needs: &[Need], list: Vec<Connection>, changed: &mut BTreeSet<Need>) {
    for need in needs {
        let Need::ConnectionsOf(arn) = need else { continue };
        let mut own: Vec<Connection> = list.iter().filter(|c| *c.instance == **arn).cloned().collect();
        own.sort();
        if picture.connections.get(arn).is_none_or(|old| **old != *own) {
            changed.insert(need.clone());
            picture.connections.insert(arn.clone(), own.into());
        }
    }
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

/// Replaces those objects that the answer covers; what AWS lists beyond that nobody asked for.
fn held<T: Held>(picture: &mut Picture, asked: &BTreeSet<&Need>, list: Vec<T>, effect: &mut Effect) {
    let covered = |o: &T| o.needs().iter().any(|n| asked.contains(n));
    let new: BTreeMap<T::Key, T> = list.into_iter().filter(covered).map(|o| (o.key(), o)).collect();
    let mut alone: BTreeSet<Need> = new.values().filter_map(T::alone).collect();
    let map = T::map(picture);
    let before: BTreeSet<T::Key> = asked.iter().flat_map(|n| map.about(&value(n))).filter(|k| !new.contains_key::<T::Key>(k)).collect();
    for gone in before {
        if let Some(old) = map.get::<T::Key>(&gone).filter(|old| covered(old)).cloned() {
            effect.changed.extend(old.needs());
            alone.extend(old.alone());
            map.remove::<T::Key>(&gone);
        }
    }
    for (k, v) in new {
        match map.get::<T::Key>(&k) {
            Some(old) if **old == v => {}
            old => {
                effect.changed.extend(old.into_iter().flat_map(|o| o.needs()).chain(v.needs()));
                map.insert(k, Arc::new(v));
            }
        }
    }
    effect.answered.extend(alone.into_iter().filter(|n| picture.asked.contains_key(n)));
}

fn by_name<V>(list: Vec<V>, name: impl Fn(&V) -> &str) -> BTreeMap<Arc<str>, V> {
    list.into_iter().map(|v| (Arc::from(name(&v)), v)).collect()
}

/// Objects asked for by name.
fn named<V: PartialEq>(map: &mut BTreeMap<Arc<str>, Arc<V>>, needs: &[Need], new: BTreeMap<Arc<str>, V>, changed: &mut BTreeSet<Need>) {
    let mut new = new;
    for need in needs {
        let name = value(need);
        match (new.remove(&*name), map.get(&*name)) {
            (Some(v), Some(old)) if **old == v => {}
            (Some(v), _) => {
                map.insert(name, Arc::new(v));
                changed.insert(need.clone());
            }
            (None, Some(_)) => {
                map.remove(&*name);
                changed.insert(need.clone());
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
