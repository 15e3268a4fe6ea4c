//! Where packets may start and end: every subnet that the replication and the database may live in (domain.md 1.0).

use std::rc::Rc;

use ipnet::IpNet;

use super::{
    Code, Query, Target, Way,
    atlas::{Area, Atlas, Gap},
    nets::{common, is_private, uncovered},
    notes::Notes,
    trip::{Fault, Spot},
};
use crate::model::{SecurityGroupId, Subnet};

/// The far end's VPC, if it can be looked at.
pub(super) struct Home<'a> {
    pub area: Option<Rc<Area<'a>>>,
    /// Why not, if a read is what is missing.
    pub gap: Option<Gap>,
}

/// Every place of the replication. What is wrong with its subnets is noted.
pub(super) fn near<'a>(query: &Query<'a>, atlas: &Rc<Atlas<'a>>, area: &Rc<Area<'a>>, notes: &mut Notes) -> Vec<Spot<'a>> {
    let source = query.source;
    let step = (false, 0);
    let mut spots = Vec::new();
    for id in &source.subnets {
        let subnet = match area.subnet(id) {
            Ok(Some(subnet)) => subnet,
            Ok(None) => {
                let elsewhere = atlas.side.picture.subnets.get(id);
                let (code, found) = match elsewhere {
                    Some(s) => (Code::SubnetInOtherVpc, format!("{id} is in {}, not in {}", s.vpc, area.id)),
                    None => (Code::SubnetNotFound, format!("{id} does not exist in {}", area.id)),
                };
                let fault = Fault {
                    code,
                    resource: id.to_string(),
                    found,
                    needed: format!("subnets of {}", area.id),
                    fix: "correct the subnets of the replication".into(),
                    remedies: vec![],
                };
                notes.finding(step, fault.finding(atlas.side.region));
                continue;
            }
            Err(gap) => {
                notes.unknown(step, gap.code, gap.resource, gap.reason);
                return spots;
            }
        };
        let known: Vec<IpNet> = source.private_ips.iter().map(|ip| IpNet::from(*ip)).collect();
        for v4 in [true, false] {
            let of_version = |n: &&IpNet| n.addr().is_ipv4() == v4;
            let seen: Vec<IpNet> = known.iter().filter(of_version).copied().collect();
            let used = if known.is_empty() { v4 || source.dual_stack } else { !seen.is_empty() || (!v4 && source.dual_stack) };
            if !used {
                continue;
            }
            let here = seen.iter().filter(|n| subnet.cidrs.iter().any(|c| c.contains(*n))).copied().collect::<Vec<_>>();
            let nets = if here.is_empty() { subnet.cidrs.iter().filter(of_version).copied().collect() } else { here };
            if nets.is_empty() {
                continue;
            }
            let seen = if seen.is_empty() { nets.clone() } else { seen };
            spots.push(Spot {
                atlas: atlas.clone(),
                area: Some(area.clone()),
                subnet: Some(subnet),
                nets,
                seen,
                groups: source.groups.clone(),
            });
        }
    }
    spots
}

/// The VPC that the database is in.
pub(super) fn home<'a>(query: &Query<'a>, target: &Target, near: &Rc<Area<'a>>, atlases: (&Rc<Atlas<'a>>, &Rc<Atlas<'a>>)) -> Home<'a> {
    let (near_atlas, far_atlas) = atlases;
    let vpc = match query.path {
        Way::SameVpc | Way::Service { .. } => return Home { area: Some(near.clone()), gap: None },
        Way::ClassicLink if target.vpc.is_none() => {
            let inside =
                target.addresses.iter().any(|a| near.holds(a) == Some(true)) || (target.addresses.is_empty() && !target.groups.is_empty());
            return Home { area: inside.then(|| near.clone()), gap: None };
        }
        Way::OnPremises { .. } => None,
        Way::PeeredVpc { peering } => {
            let found = near_atlas.peering(peering, &near.id).ok().flatten().and_then(|p| p.sides(&near.id));
            if let Some((_, other)) = found {
                let side = far_atlas.side;
                let ours = (side.account.is_empty() || side.account == other.account) && side.region == other.region;
                if !ours {
                    return Home { area: None, gap: None };
                }
            }
            target.vpc.as_ref().or(found.map(|(_, other)| &other.vpc))
        }
        _ => target.vpc.as_ref(),
    };
    let Some(vpc) = vpc else { return Home { area: None, gap: None } };
    let area = if *vpc == near.id { near.clone() } else { far_atlas.area(vpc) };
    match (&area.vpc, &area.subnets) {
        (Ok(None), _) => Home { area: None, gap: None },
        (_, Err(gap)) => Home { area: None, gap: Some(gap.clone()) },
        _ => Home { area: Some(area), gap: None },
    }
}

/// Every place of a database, as far as one IP version of the replication reaches it.
pub(super) fn far<'a>(
    query: &Query<'a>,
    target: &Target,
    near: &Rc<Area<'a>>,
    home: &Home<'a>,
    atlas: &Rc<Atlas<'a>>,
    v4: bool,
) -> Vec<Spot<'a>> {
    let of_version = |n: &&IpNet| n.addr().is_ipv4() == v4;
    let addresses: Vec<IpNet> = target.addresses.iter().filter(of_version).copied().collect();
    let spot = |subnet: Option<&'a Subnet>, nets: Vec<IpNet>, seen: Vec<IpNet>, groups: Vec<SecurityGroupId>| Spot {
        atlas: atlas.clone(),
        area: home.area.clone(),
        subnet,
        nets,
        seen,
        groups,
    };
    let private = matches!(query.path, Way::SameVpc | Way::PeeredVpc { .. } | Way::ClassicLink | Way::Service { .. });
    let Some(area) = home.area.as_ref().filter(|_| private) else {
        return outside(query, target, near, home, addresses, &spot);
    };
    let groups = groups(target, area, atlas, &addresses);
    // Where AWS owns the name, the VPC's resolver answers with private addresses where we are answered with public ones.
    let private_name = target.aws_name && !target.subnets.is_empty();
    let holds = |a: &&IpNet| !private_name || area.holds(a) != Some(false) || is_private(a);
    let usable: Vec<IpNet> = addresses.iter().filter(holds).copied().collect();
    // Where no address is known, IPv4 is what replication and database have in common, if there is any.
    let told = target.addresses.iter().any(|a| holds(&a));
    let standby = if told { !usable.is_empty() } else { v4 || !in_v4(target, area) };
    let subnets: &[&Subnet] = area.subnets.as_deref().unwrap_or_default();
    let mut spots = Vec::new();
    for subnet in subnets {
        let here: Vec<IpNet> = usable.iter().flat_map(|a| subnet.cidrs.iter().filter_map(move |c| common(a, c))).collect();
        if !here.is_empty() {
            spots.push(spot(Some(subnet), here.clone(), usable.clone(), groups.clone()));
        } else if standby && target.subnets.contains(&subnet.id) {
            // It may move there: then every address of the subnet may be its own.
            let all: Vec<IpNet> = subnet.cidrs.iter().filter(of_version).copied().collect();
            if !all.is_empty() {
                let seen = if usable.is_empty() { all.clone() } else { usable.clone() };
                spots.push(spot(Some(subnet), all, seen, groups.clone()));
            }
        }
    }
    let nowhere = uncovered(&usable, subnets.iter().flat_map(|s| &s.cidrs));
    // Of a CIDR that is wider than the subnets the rest is nobody's.
    let nowhere: Vec<IpNet> = usable.into_iter().filter(|a| nowhere.contains(a)).collect();
    if !nowhere.is_empty() {
        spots.push(spot(None, nowhere.clone(), nowhere, groups.clone()));
    }
    if spots.is_empty() && target.addresses.is_empty() && target.subnets.is_empty() {
        spots = by_interface(target, area, atlas, v4, &spot);
        if spots.is_empty() && v4 {
            spots.push(spot(None, vec![], vec![], groups));
        }
    }
    spots
}

/// Whether some subnet of the database has IPv4.
fn in_v4(target: &Target, area: &Area<'_>) -> bool {
    let subnets = area.subnets.as_deref().unwrap_or_default();
    subnets.iter().filter(|s| target.subnets.contains(&s.id)).flat_map(|s| &s.cidrs).any(|c| c.addr().is_ipv4())
}

/// Places that are not in a VPC of ours, or that are reached by public addresses.
fn outside<'a>(
    query: &Query<'a>,
    target: &Target,
    near: &Rc<Area<'a>>,
    home: &Home<'a>,
    addresses: Vec<IpNet>,
    spot: &dyn Fn(Option<&'a Subnet>, Vec<IpNet>, Vec<IpNet>, Vec<SecurityGroupId>) -> Spot<'a>,
) -> Vec<Spot<'a>> {
    let peered = matches!(query.path, Way::PeeredVpc { .. });
    if addresses.is_empty() && !(target.addresses.is_empty()) {
        return vec![];
    }
    // A range that is wider than the VPC means what of it lies outside.
    let own: &[IpNet] = match &near.vpc {
        Ok(Some(vpc)) => &vpc.cidrs,
        _ => &[],
    };
    let wide = |a: &IpNet| own.iter().any(|c| a.contains(c) && a != c);
    let nets: Vec<IpNet> = addresses.iter().flat_map(|a| if wide(a) { uncovered(&[*a], own.iter()) } else { vec![*a] }).collect();
    let known = match &home.area {
        Some(area) if !peered => target.subnets.iter().filter_map(|id| area.subnet(id).ok().flatten()).collect(),
        _ => Vec::new(),
    };
    let one = |subnet| spot(subnet, nets.clone(), addresses.clone(), target.groups.clone());
    if known.is_empty() { vec![one(None)] } else { known.into_iter().map(|s| one(Some(s))).collect() }
}

/// The groups of a database: as told, or those of the interface that has its address in this VPC.
fn groups(target: &Target, area: &Area<'_>, atlas: &Atlas<'_>, addresses: &[IpNet]) -> Vec<SecurityGroupId> {
    if !target.groups.is_empty() {
        return target.groups.clone();
    }
    let mine = |i: &&std::sync::Arc<crate::model::NetworkInterface>| {
        i.vpc == area.id && i.addresses.iter().any(|ip| addresses.contains(&IpNet::from(*ip)))
    };
    atlas.side.picture.interfaces.values().find(mine).map(|i| i.groups.clone()).unwrap_or_default()
}

/// The places of the interfaces that carry the database's group: where nothing else tells where it is.
fn by_interface<'a>(
    target: &Target,
    area: &Rc<Area<'a>>,
    atlas: &Rc<Atlas<'a>>,
    v4: bool,
    spot: &dyn Fn(Option<&'a Subnet>, Vec<IpNet>, Vec<IpNet>, Vec<SecurityGroupId>) -> Spot<'a>,
) -> Vec<Spot<'a>> {
    let Some(group) = target.groups.first() else { return vec![] };
    let interfaces = atlas.interfaces_with(group, &area.id).unwrap_or_default();
    let mut spots: Vec<Spot<'a>> = Vec::new();
    for interface in interfaces {
        let Ok(Some(subnet)) = area.subnet(&interface.subnet) else { continue };
        let nets: Vec<IpNet> = interface.addresses.iter().filter(|ip| ip.is_ipv4() == v4).map(|ip| IpNet::from(*ip)).collect();
        if nets.is_empty() {
            continue;
        }
        match spots.iter_mut().find(|s| s.subnet.is_some_and(|s| s.id == subnet.id)) {
            Some(known) => {
                known.nets.extend(&nets);
                known.seen.extend(nets);
            }
            None => spots.push(spot(Some(subnet), nets.clone(), nets, target.groups.clone())),
        }
    }
    spots
}
