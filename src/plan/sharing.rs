//! One endpoint, many networks: their shares united, and who leads (design.md 2, Sharing).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    claims::{Claims, Seniority},
    facts::Facts,
    key::{EndpointRef, GroupRef, Key},
    wanted::{Share, Uid, fingerprint},
};
use crate::{
    api::network::IpAddressType,
    model::{Peer, Policy, RouteTableId, RuleShape, SecurityGroupId, SubnetId},
};

/// Default quota of rules per group and direction, for IPv4 and IPv6 each (domain.md 3.4).
const RULES_PER_GROUP: usize = 60;

/// What all networks together want of one endpoint. `None` means keep (only where it is taken over).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Union {
    /// One subnet per zone; none: keep.
    pub subnets: Option<BTreeSet<SubnetId>>,
    /// Whether subnets that nobody names stay.
    pub keep_subnets: bool,
    /// Route tables of a gateway endpoint; none: keep.
    pub route_tables: Option<BTreeSet<RouteTableId>>,
    /// Whether route tables that nobody names stay.
    pub keep_route_tables: bool,
    /// The lead's seniority.
    pub seniority: Seniority,
    /// The lead's groups; empty: the group that we make, or keep.
    pub groups: BTreeSet<SecurityGroupId>,
    /// The lead's.
    pub private_dns: Option<bool>,
    /// The lead's.
    pub policy: Option<Policy>,
    /// The lead's.
    pub ip_address_type: Option<IpAddressType>,
    /// Where our share disagrees with the lead's; then we leave the endpoint alone.
    pub disagreement: Option<String>,
    /// Whether what every network wants is what was last applied for it: only then is a difference a drift.
    pub settled: bool,
}

/// Unites `mine` with the shares of all others. `applied` is the share in our ledger.
pub fn unite(me: &Uid, created: i64, label: &str, mine: &Share, applied: Option<&str>, claims: &Claims) -> Union {
    let mut shares: Vec<(Seniority, &str, &Share)> = vec![((created, me.clone()), label, mine)];
    for (uid, claim, share) in claims.other_shares(me, &mine.endpoint).filter(|(_, claim, _)| !claim.deleting) {
        shares.push(((claim.created, uid.clone()), &claim.name, share));
    }
    shares.sort_by(|a, b| a.0.cmp(&b.0));
    let lead = shares.first().map_or(mine, |s| s.2);
    // One that disagrees leaves the endpoint alone: it waits for nothing to be applied.
    let mut others = claims.other_shares(me, &mine.endpoint).filter(|(_, claim, share)| !claim.deleting && agree(share, lead));
    let settled = applied == Some(mine.text().as_str())
        && others.all(|(_, claim, share)| claim.applied(&mine.endpoint) == Some(&fingerprint(&share.text())));
    unite_sorted(&shares, me, mine, settled)
}

/// The union of all but `me`, for one that leaves; none where nobody stays.
pub fn without(me: &Uid, endpoint: &EndpointRef, claims: &Claims) -> Option<Union> {
    let mut shares: Vec<(Seniority, &str, &Share)> = claims
        .other_shares(me, endpoint)
        .filter(|(_, claim, _)| !claim.deleting)
        .map(|(uid, claim, share)| ((claim.created, uid.clone()), &*claim.name, share))
        .collect();
    shares.sort_by(|a, b| a.0.cmp(&b.0));
    let lead = shares.first()?.2.clone();
    Some(unite_sorted(&shares, me, &lead, false))
}

/// Whether a share leaves to the lead what is the lead's to say.
fn agree(share: &Share, lead: &Share) -> bool {
    (&share.policy, share.private_dns, share.ip_address_type, &share.groups)
        == (&lead.policy, lead.private_dns, lead.ip_address_type, &lead.groups)
}

fn unite_sorted(shares: &[(Seniority, &str, &Share)], me: &Uid, mine: &Share, settled: bool) -> Union {
    let (seniority, lead_name, lead) = shares.first().map_or(((0, me.clone()), "", mine), |(s, n, l)| (s.clone(), *n, *l));
    let mut zones: BTreeMap<&str, &SubnetId> = BTreeMap::new();
    // Where one that takes it over keeps the subnets, nobody takes any off.
    let keep = shares.iter().any(|(_, _, s)| s.subnets.is_empty());
    for (_, _, share) in shares.iter().filter(|(_, _, s)| agree(s, lead)) {
        for (subnet, zone) in &share.subnets {
            zones.entry(zone).or_insert(subnet);
        }
    }
    let tables: BTreeSet<RouteTableId> =
        shares.iter().filter(|(_, _, s)| agree(s, lead)).flat_map(|(_, _, s)| s.route_tables.iter().cloned()).collect();
    let mut wrong = Vec::new();
    let mut differs = |field: &str, same: bool| {
        if !same {
            wrong.push(field.to_owned());
        }
    };
    differs("policy", mine.policy == lead.policy);
    differs("privateDns", mine.private_dns == lead.private_dns);
    differs("ipAddressType", mine.ip_address_type == lead.ip_address_type);
    differs("securityGroupIds", mine.groups == lead.groups);
    let disagreement = (!wrong.is_empty()).then(|| {
        format!(
            "{} of {} is led by {lead_name}, the oldest network that shares it, and differs from this one in {}: agree with it, or use an endpoint of another VPC",
            mine.service_name,
            mine.endpoint,
            wrong.join(", ")
        )
    });
    let subnets: BTreeSet<SubnetId> = zones.into_values().cloned().collect();
    Union {
        subnets: (!subnets.is_empty()).then_some(subnets),
        keep_subnets: keep,
        route_tables: (!tables.is_empty()).then_some(tables),
        keep_route_tables: shares.iter().any(|(_, _, s)| s.route_tables.is_empty()),
        seniority,
        groups: lead.groups.iter().cloned().collect(),
        private_dns: lead.private_dns,
        policy: lead.policy.clone(),
        ip_address_type: lead.ip_address_type,
        disagreement,
        settled,
    }
}

/// Of our rules on an endpoint's group: those that the group has no room for. References to groups of the endpoint's
/// VPC are left out, the youngest network's first, as long as the VPC's CIDRs are let in (they cover the same callers).
pub fn left_out(
    me: &Uid,
    created: i64,
    mine: &BTreeSet<RuleShape>,
    share: &Share,
    group: &GroupRef,
    claims: &Claims,
    facts: &Facts<'_>,
) -> BTreeSet<RuleShape> {
    let mut rules: BTreeMap<RuleShape, Seniority> = mine.iter().map(|s| (s.clone(), (created, me.clone()))).collect();
    for (uid, claim, _) in claims.other_shares(me, &share.endpoint) {
        if claim.deleting {
            continue;
        }
        for key in claim.wants.iter() {
            if let Key::Rule(g, shape) = key
                && g == group
            {
                let theirs = (claim.created, uid.clone());
                let since = rules.entry(shape.clone()).or_insert_with(|| theirs.clone());
                *since = (*since).clone().min(theirs);
            }
        }
    }
    // Each family has a quota of its own; a reference or prefix list counts in both.
    let ipv6 = rules.keys().filter(|s| matches!(s.peer, Peer::Cidr(c) if c.addr().is_ipv6())).count();
    let ipv4 = rules.keys().filter(|s| matches!(s.peer, Peer::Cidr(c) if c.addr().is_ipv4())).count();
    let references = rules.len() - ipv4 - ipv6;
    let excess = (references + ipv4.max(ipv6)).saturating_sub(RULES_PER_GROUP);
    let Some(vpc) = facts.picture().vpcs.get(&share.vpc).filter(|_| excess > 0) else { return BTreeSet::new() };
    let admitted = |cidr: &ipnet::IpNet| rules.keys().any(|s| matches!(&s.peer, Peer::Cidr(c) if c.contains(cidr)));
    if !vpc.cidrs.iter().all(admitted) {
        return BTreeSet::new();
    }
    let local = |shape: &RuleShape| match &shape.peer {
        Peer::SecurityGroup(id) => facts.picture().groups.get(id).is_some_and(|g| g.vpc == share.vpc),
        _ => false,
    };
    let mut candidates: Vec<(&Seniority, &RuleShape)> = rules.iter().filter(|(s, _)| local(s)).map(|(s, since)| (since, s)).collect();
    candidates.sort_by(|a, b| b.cmp(a));
    candidates.into_iter().take(excess).map(|(_, s)| s.clone()).filter(|s| mine.contains(s)).collect()
}
