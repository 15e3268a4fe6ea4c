//! Guardrails of a class: a pure check of all that a network wants and of its settings, before any difference is taken.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{
    facts::Facts,
    key::{EndpointRef, GroupRef, Key},
    problem::Problem,
    wanted::{Purpose, Serves, Share, Wanted, WantedAclEntry, WantedRoute, WantedRule},
};
use crate::{
    api::{
        DmsNetworkSpec,
        class::{Guardrails, TakeOver},
        conditions::Reason,
        names::TAG_ALLOW_TAKE_OVER,
        network::{ForeignRules, Upkeep},
    },
    model::{Destination, Peer, Ports, SecurityGroup, VpcId, tags::is_managed},
};

/// What is left after the guardrails.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Guarded {
    /// What may be had.
    pub wanted: Wanted,
    /// Keys that were dropped: what is owned of them is kept, and not repaired.
    pub dropped: BTreeSet<Key>,
    /// What was dropped itself.
    pub withheld: Wanted,
    /// What the same network may have through another class of the same account and Region.
    pub elsewhere: BTreeSet<Key>,
    /// What oversteps, and which guardrail says so.
    pub violations: Vec<Problem>,
    /// The network's `foreignRules`, no stronger than the class allows.
    pub foreign_rules: ForeignRules,
}

/// Drops from `wanted` of `spec` what `rails` of class `class` do not allow.
pub fn guard(wanted: Wanted, spec: &DmsNetworkSpec, class: &str, rails: &Guardrails, facts: &Facts<'_>) -> Guarded {
    let foreign = spec.foreign_rules;
    let mut out = Guarded { foreign_rules: foreign.min(rails.foreign_rules), ..Guarded::default() };
    if foreign > rails.foreign_rules {
        out.violations.push(violation(
            class,
            "spec.foreignRules",
            format!("foreignRules {foreign:?} is stronger than the guardrail foreignRules: {:?}", rails.foreign_rules),
        ));
    }
    for (endpoint, share) in wanted.shares {
        match share_breach(&share, rails, facts) {
            None => {
                out.wanted.shares.insert(endpoint, share);
            }
            Some(breach) => {
                out.violations.push(violation(class, format!("vpcEndpoint {:?}", share.name), breach));
                out.dropped.insert(Key::Endpoint(endpoint.clone()));
                if let (EndpointRef::Made(key), true) = (&endpoint, share.makes_group()) {
                    out.dropped.insert(Key::Group(key.clone()));
                }
                out.withheld.shares.insert(endpoint, share);
            }
        }
    }
    let acls = upkeep("networkAcls", spec.network_acls, rails.network_acls).or_else(|| {
        let numbered = spec.network_acls == Upkeep::Check || rails.network_acl_rule_numbers.is_some();
        (!numbered).then(|| "networkAcls: Manage needs the guardrail networkAclRuleNumbers".to_owned())
    });
    let routes = upkeep("routes", spec.routes, rails.routes);
    for (field, breach) in [("spec.networkAcls", &acls), ("spec.routes", &routes)] {
        out.violations.extend(breach.clone().map(|b| violation(class, field, b)));
    }
    for (place, entry) in wanted.acl_entries {
        match acls.is_some().then(String::new).or_else(|| entry_breach(&entry, rails, &out.dropped)) {
            None => {
                out.wanted.acl_entries.insert(place, entry);
            }
            Some(breach) => {
                out.drop(class, entry.key(), breach);
                out.withheld.acl_entries.insert(place, entry);
            }
        }
    }
    for (place, route) in wanted.routes {
        match routes.is_some().then(String::new).or_else(|| route_breach(&route, rails)) {
            None => {
                out.wanted.routes.insert(place, route);
            }
            Some(breach) => {
                out.drop(class, route.key(), breach);
                out.withheld.routes.insert(place, route);
            }
        }
    }
    for (key, rule) in wanted.rules {
        match rule_breach(&rule, rails, facts, &out.dropped) {
            None => {
                out.wanted.rules.insert(key, rule);
            }
            Some(breach) => {
                out.drop(class, key.clone(), breach);
                out.withheld.rules.insert(key, rule);
            }
        }
    }
    out
}

impl Guarded {
    /// Drops a key; `breach` is empty where it was named already.
    fn drop(&mut self, class: &str, key: Key, breach: String) {
        if !breach.is_empty() {
            self.violations.push(violation(class, &key, breach));
        }
        self.dropped.insert(key);
    }
}

/// A setting of the network that is stronger than the class's.
fn upkeep(field: &str, wanted: Upkeep, allowed: Upkeep) -> Option<String> {
    (wanted > allowed).then(|| format!("{field}: Manage needs the guardrail {field}: Manage"))
}

/// Allowed if one of the things that it serves is.
fn entry_breach(entry: &WantedAclEntry, rails: &Guardrails, dropped: &BTreeSet<Key>) -> Option<String> {
    if !vpc_allowed(&entry.vpc, rails) {
        return Some(format!("{} is in {}, which is not in the guardrail vpcIds", entry.acl, entry.vpc));
    }
    let mut breaches: Vec<String> = Vec::new();
    for serves in &entry.serves {
        breaches.push(service_breach(entry, serves, rails, dropped)?);
    }
    breaches.sort_by_key(String::is_empty);
    breaches.into_iter().next()
}

/// Why one of the things that an entry serves does not allow it; empty where it follows from an endpoint that was dropped and named
/// already. Ports of answers are the caller's: no guardrail names them. Port 443 of an endpoint comes with its service, and so do
/// AWS's own addresses behind a gateway endpoint.
fn service_breach(entry: &WantedAclEntry, serves: &Serves, rails: &Guardrails, dropped: &BTreeSet<Key>) -> Option<String> {
    let shape = &entry.shape;
    let is_dropped = |e: &Option<EndpointRef>| e.as_ref().is_some_and(|e| dropped.contains(&Key::Endpoint(e.clone())));
    let cidr = || cidr_breach(&shape.cidr, rails.peer_cidrs.as_deref());
    match serves {
        Serves::Endpoint(endpoint) | Serves::Gateway(endpoint) if is_dropped(endpoint) => Some(String::new()),
        Serves::Gateway(_) => None,
        Serves::Endpoint(_) => cidr(),
        Serves::Database if shape.is_ephemeral() => cidr(),
        Serves::Database => cidr().or_else(|| port_breach(shape.ports.unwrap_or(Ports::ALL), rails.ports.as_deref())),
    }
}

fn route_breach(route: &WantedRoute, rails: &Guardrails) -> Option<String> {
    if !vpc_allowed(&route.vpc, rails) {
        return Some(format!("{} is in {}, which is not in the guardrail vpcIds", route.table, route.vpc));
    }
    match &route.destination {
        Destination::Cidr(cidr) => cidr_breach(cidr, rails.peer_cidrs.as_deref()),
        Destination::PrefixList(_) => None,
    }
}

fn port_breach(ports: Ports, allowed: Option<&[String]>) -> Option<String> {
    let list = allowed?;
    let ranges: Vec<Ports> = list.iter().filter_map(|p| Ports::parse(p)).collect();
    (!ports.covered_by(&ranges)).then(|| format!("port {ports} is not in the guardrail ports ({})", list.join(", ")))
}

fn violation(class: &str, resource: impl ToString, breach: String) -> Problem {
    Problem::new(Reason::GuardrailViolated, resource, format!("class {class} does not allow it: {breach}"))
}

fn share_breach(share: &Share, rails: &Guardrails, facts: &Facts<'_>) -> Option<String> {
    let service = share.service_name.rsplit('.').next().unwrap_or(&share.service_name);
    if !vpc_allowed(&share.vpc, rails) {
        return Some(format!("{} is not in the guardrail vpcIds", share.vpc));
    }
    if rails.vpc_endpoint_services.as_ref().is_some_and(|list| !list.iter().any(|s| s == service)) {
        return Some(format!("service {service} is not in the guardrail vpcEndpointServices"));
    }
    if let EndpointRef::TakenOver(id) = &share.endpoint {
        let tagged = || facts.picture().endpoints.get(id).is_some_and(|e| e.tags.contains_key(TAG_ALLOW_TAKE_OVER));
        match rails.take_over {
            TakeOver::Never => return Some(format!("taking over {id} needs the guardrail takeOver: Tagged or Any")),
            TakeOver::Tagged if !tagged() => return Some(format!("taking over {id} needs the tag {TAG_ALLOW_TAKE_OVER} on it")),
            TakeOver::Tagged | TakeOver::Any => {}
        }
    }
    None
}

/// The breach in words; empty where it follows from an endpoint that was dropped and named already.
fn rule_breach(rule: &WantedRule, rails: &Guardrails, facts: &Facts<'_>, dropped: &BTreeSet<Key>) -> Option<String> {
    match &rule.group {
        GroupRef::OfEndpoint(key) if dropped.contains(&Key::Group(key.clone())) => return Some(String::new()),
        GroupRef::OfEndpoint(_) => {}
        GroupRef::Id(id) => {
            // A group that is not known is refused: nothing may be written to what cannot be judged.
            let Some(group) = facts.picture().groups.get(id) else { return Some(format!("group {id} could not be read")) };
            if !vpc_allowed(&group.vpc, rails) {
                return Some(format!("group {id} is in {}, which is not in the guardrail vpcIds", group.vpc));
            }
            if !group_allowed(group, rails) {
                return Some(format!("group {id} is not among the guardrail securityGroups, by ID or by tags"));
            }
        }
    }
    if let Peer::Cidr(cidr) = &rule.shape.peer
        && let Some(breach) = cidr_breach(cidr, rails.peer_cidrs.as_deref())
    {
        return Some(breach);
    }
    // Port 443 of an endpoint comes with its service, which has a guardrail of its own.
    match (rule.purpose, rule.shape.tcp_ports()) {
        (Purpose::Database, Some(ports)) => port_breach(ports, rails.ports.as_deref()),
        _ => None,
    }
}

fn vpc_allowed(vpc: &VpcId, rails: &Guardrails) -> bool {
    rails.vpc_ids.iter().any(|v| v == "*" || v == vpc.as_str())
}

fn group_allowed(group: &SecurityGroup, rails: &Guardrails) -> bool {
    let Some(allowed) = &rails.security_groups else { return true };
    is_managed(&group.tags)
        || allowed.ids.iter().any(|id| id == group.id.as_str())
        || (!allowed.tags.is_empty() && allowed.tags.iter().all(|(k, v)| group.tags.get(k) == Some(v)))
}

fn cidr_breach(cidr: &IpNet, allowed: Option<&[String]>) -> Option<String> {
    match allowed {
        Some(list) => {
            let inside = list.iter().filter_map(|c| c.parse::<IpNet>().ok()).any(|a| a.contains(cidr));
            (!inside).then(|| format!("{cidr} lies in none of the guardrail peerCidrs ({})", list.join(", ")))
        }
        None => {
            let widest = if cidr.addr().is_ipv4() { 8 } else { 16 };
            (cidr.prefix_len() < widest).then(|| format!("{cidr} is wider than /{widest}, and the class names no peerCidrs"))
        }
    }
}
