//! One report: every place of the replication with every place of the database.

use std::{collections::BTreeSet, rc::Rc};

use ipnet::IpNet;

use super::{
    Asked, Code, Hop, Pair, Query, Report, SourceKind, State, Target, Walk, Way,
    atlas::{Area, Atlas},
    group::{Ask, Membership, Verdict},
    notes::Notes,
    places,
    report::List,
    route::choose,
    trip::{Fault, Spot, Trip},
    ways::Start,
};
use crate::model::{Direction, Need, Picture, RouteState, Subnet, Target as RouteTarget};

/// Explains paths over the same pictures: what it has looked up once serves them all.
#[derive(Default)]
pub struct Explorer<'a> {
    sides: Vec<Rc<Atlas<'a>>>,
    noting: bool,
}

impl<'a> Explorer<'a> {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and remembers what it asks of AWS.
    pub fn noting() -> Self {
        Self { sides: vec![], noting: true }
    }

    /// What it has asked of a picture so far. More may follow once these are read: a route may lead to an interface, a rule may
    /// name a prefix list.
    pub fn needs(&self, picture: &Picture) -> BTreeSet<Need> {
        self.sides.iter().filter(|s| std::ptr::eq(s.side.picture, picture)).flat_map(|s| s.needs()).collect()
    }

    fn side(&mut self, side: super::Side<'a>) -> Rc<Atlas<'a>> {
        let same = |a: &&Rc<Atlas<'a>>| {
            std::ptr::eq(a.side.picture, side.picture) && a.side.region == side.region && a.side.account == side.account
        };
        if let Some(known) = self.sides.iter().find(same) {
            return known.clone();
        }
        let atlas = Rc::new(Atlas::new(side, self.noting));
        self.sides.push(atlas.clone());
        atlas
    }

    /// The report of one path.
    pub fn explain(&mut self, query: &Query<'a>) -> Report {
        let (near_atlas, far_atlas) = (self.side(query.near), self.side(query.far));
        let here = near_atlas.area(&query.source.vpc);
        let mut notes = Notes::default();
        zones(query, &near_atlas, &here, &mut notes);
        let near = places::near(query, &near_atlas, &here, &mut notes);
        let mut walks = Vec::new();
        for target in query.targets {
            let home = places::home(query, target, &here, (&near_atlas, &far_atlas));
            let between = Between { query, target, here: here.clone(), far_gap: home.gap.clone(), aws_service: false };
            if let Way::Service { service } = query.path {
                super::service::explain(&between, service, &near, &mut notes, &mut walks);
                continue;
            }
            let mut met = false;
            for v4 in [true, false] {
                let far = places::far(query, target, &here, &home, &far_atlas, v4);
                for near in near.iter().filter(|s| s.nets.iter().any(|n| n.addr().is_ipv4() == v4)) {
                    for far in &far {
                        met = true;
                        pair(&between, near, far, &mut notes, &mut walks);
                    }
                }
            }
            if !met && !near.is_empty() {
                family_mismatch(query, target, &near_atlas, &mut notes);
            }
            if let Some(area) = home.area {
                may_change(query, target, (&near_atlas, &here), (&far_atlas, &area), &near, &mut notes);
            }
            if let Way::ClassicLink = query.path {
                let reason = format!("how the proxy {} reaches the database is not shown by AWS", target.host);
                notes.unknown((true, usize::MAX), Code::BeyondProxyUnknown, target.host.clone(), reason);
                retired(target, &near_atlas, &mut notes);
            }
        }
        let (verdict, findings, unknown, warnings) = notes.into_parts();
        Report { name: query.name.to_owned(), verdict, walks, findings, unknown, warnings }
    }
}

/// The report of one path.
pub fn explain(query: &Query<'_>) -> Report {
    Explorer::new().explain(query)
}

/// What the engine asks of AWS for a path, on the near and on the far side (see [`Explorer::needs`]).
pub fn needs(query: &Query<'_>) -> (BTreeSet<Need>, BTreeSet<Need>) {
    let mut explorer = Explorer::noting();
    explorer.explain(query);
    let same = std::ptr::eq(query.near.picture, query.far.picture);
    (explorer.needs(query.near.picture), if same { BTreeSet::new() } else { explorer.needs(query.far.picture) })
}

/// What is the same for all places of a target.
pub(super) struct Between<'b, 'a> {
    pub query: &'b Query<'a>,
    pub target: &'b Target,
    /// The replication's VPC.
    pub here: Rc<Area<'a>>,
    /// Why the far side cannot be looked at, if a read is what is missing.
    pub far_gap: Option<super::atlas::Gap>,
    /// Whether the far end is AWS's own, which admits everybody.
    pub aws_service: bool,
}

impl<'b, 'a> Between<'b, 'a> {
    /// A trip that has not begun.
    pub fn trip<'t>(
        &'t self,
        near: &'t Spot<'a>,
        from: &'a Subnet,
        far: &'t Spot<'a>,
        through_appliance: bool,
        notes: &'t mut Notes,
    ) -> Trip<'t, 'a> {
        Trip {
            query: self.query,
            target: self.target,
            near,
            here: self.here.clone(),
            from,
            far,
            far_gap: self.far_gap.clone(),
            through_appliance,
            inside: self.inside(far),
            aws_service: self.aws_service,
            notes,
            out: Vec::with_capacity(10),
            back: Vec::with_capacity(8),
            returning: false,
        }
    }

    /// Whether the database is reached in a subnet by its private address.
    fn inside(&self, far: &Spot<'a>) -> bool {
        far.subnet.is_some() && !matches!(self.query.path, Way::Internet | Way::NatGateway { .. })
    }

    /// Files a trip that has ended.
    pub fn finish(&self, trip: Trip<'_, 'a>, from: &Subnet, far: &Spot<'a>, walks: &mut Vec<Walk>) {
        let (out, back) = (trip.out, trip.back);
        let worst = out.iter().chain(&back).map(|h| h.state).filter(|s| *s != State::NotAsked).max();
        let between = vec![Pair { from: from.id.clone(), to: far.subnet.map(|s| s.id.clone()) }];
        let (host, port) = (self.target.host.clone(), self.target.port);
        add(walks, Walk { host, port, between, verdict: worst.unwrap_or(State::Unknown), out, back });
    }
}

/// Walks once between two places.
pub(super) fn walk<'a>(
    between: &Between<'_, 'a>,
    near: &Spot<'a>,
    far: &Spot<'a>,
    start: Start<'a>,
    notes: &mut Notes,
    walks: &mut Vec<Walk>,
) {
    let Some(from) = near.subnet else { return };
    let appliance = between.inside(far)
        && matches!(&start, Start::Route(_, super::route::Choice::Route(r)) if r.state == RouteState::Active && matches!(r.target, RouteTarget::NetworkInterface(_)));
    let mut trip = between.trip(near, from, far, appliance, notes);
    trip.walk(start);
    between.finish(trip, from, far, walks);
}

/// Walks between two places, once for each way that a part of the destination's addresses takes.
pub(super) fn pair<'a>(between: &Between<'_, 'a>, near: &Spot<'a>, far: &Spot<'a>, notes: &mut Notes, walks: &mut Vec<Walk>) {
    let Some(from) = near.subnet else { return };
    let here = &between.here;
    let same_vpc = far.area.as_ref().is_some_and(|a| Rc::ptr_eq(a, here));
    let private = matches!(between.query.path, Way::SameVpc | Way::ClassicLink | Way::Service { .. });
    if private && same_vpc && far.subnet.is_some_and(|s| s.id == from.id) {
        return walk(between, near, far, Start::SameSubnet, notes, walks);
    }
    let table = match here.table(&from.id) {
        Ok(Some(table)) if !far.nets.is_empty() => table,
        _ => return walk(between, near, far, Start::NoTable, notes, walks),
    };
    let mut parts = choose(&near.atlas, table, &far.nets);
    if parts.len() == 1 {
        if let Some((choice, _)) = parts.pop() {
            walk(between, near, far, Start::Route(table, choice), notes, walks);
        }
        return;
    }
    for (choice, piece) in parts {
        let part = Spot { nets: piece, ..far.clone() };
        walk(between, near, &part, Start::Route(table, choice), notes, walks);
    }
}

/// Adds a walk, or its pair to one whose hops are the same but for the addresses.
fn add(walks: &mut Vec<Walk>, walk: Walk) {
    let alike = |a: &[Hop], b: &[Hop]| {
        a.len() == b.len()
            && a.iter().zip(b).all(|(x, y)| x.kind == y.kind && x.state == y.state && x.resource == y.resource && x.decided == y.decided)
    };
    let same = |w: &&mut Walk| w.port == walk.port && w.host == walk.host && alike(&w.out, &walk.out) && alike(&w.back, &walk.back);
    let Some(known) = walks.iter_mut().find(same) else { return walks.push(walk) };
    for (hop, more) in known.out.iter_mut().chain(&mut known.back).zip(walk.out.into_iter().chain(walk.back)) {
        if let (
            Asked::To(nets, _) | Asked::From(nets, _) | Asked::RouteTo(nets),
            Asked::To(new, _) | Asked::From(new, _) | Asked::RouteTo(new),
        ) = (&mut hop.asked, more.asked)
        {
            nets.extend(new);
            nets.sort();
            nets.dedup();
        }
    }
    for pair in walk.between {
        if !known.between.contains(&pair) {
            known.between.push(pair);
        }
    }
}

/// DMS asks for subnets in two zones: it makes no replication in one.
fn zones<'a>(query: &Query<'a>, atlas: &Atlas<'a>, here: &Area<'a>, notes: &mut Notes) {
    let subnets: Option<Vec<_>> = query.source.subnets.iter().map(|id| here.subnet(id).ok().flatten()).collect();
    let Some(subnets) = subnets.filter(|s| !s.is_empty()) else { return };
    if subnets.iter().any(|s| s.zone != subnets[0].zone) {
        return;
    }
    let ids: Vec<_> = subnets.iter().map(|s| &s.id).collect();
    let fault = Fault {
        code: Code::SubnetGroupOneZone,
        resource: query.source.name.clone(),
        found: format!("all subnets ({}) are in {}", List(&ids), subnets[0].zone),
        needed: "subnets in at least two Availability Zones".into(),
        fix: match query.source.kind {
            SourceKind::Placement => {
                "add to placement.subnetIds a subnet of another Availability Zone: DMS makes no subnet group in one".into()
            }
            _ => "the subnet group of a replication cannot be changed: create a new replication whose subnet group covers two zones".into(),
        },
        remedies: vec![],
    };
    let finding = fault.finding(atlas.side.region);
    match query.source.kind {
        SourceKind::Placement => notes.finding((false, 0), finding),
        _ => notes.warning(finding),
    }
}

fn family_mismatch(query: &Query<'_>, target: &Target, atlas: &Atlas<'_>, notes: &mut Notes) {
    let fault = Fault {
        code: Code::FamilyMismatch,
        resource: target.host.clone(),
        found: format!(
            "{} has {} only, and {} has none of that IP version",
            target.host,
            if target.addresses.is_empty() { "other addresses".into() } else { List(&target.addresses).to_string() },
            query.source.name
        ),
        needed: "an IP version that both have".into(),
        fix: format!(
            "give {} an address of the replication's IP version, or make the replication dual-stack (NetworkType DUAL)",
            target.host
        ),
        remedies: vec![],
    };
    notes.finding((false, 0), fault.finding(atlas.side.region));
}

fn retired(target: &Target, atlas: &Atlas<'_>, notes: &mut Notes) {
    let fault = Fault {
        code: Code::ConfigurationRetired,
        resource: target.host.clone(),
        found: format!("ClassicLink is retired since August 2022; the proxy {} is taken as the peer", target.host),
        needed: "a path that AWS still offers".into(),
        fix: "describe the proxy as a database of its own with path SameVpc or PeeredVpc".into(),
        remedies: vec![],
    };
    notes.warning(fault.finding(atlas.side.region));
}

/// Warns where the database admits the replication by its present address alone.
fn may_change<'a>(
    query: &Query<'a>,
    target: &Target,
    (near_atlas, here): (&Rc<Atlas<'a>>, &Rc<Area<'a>>),
    (far_atlas, area): (&Rc<Atlas<'a>>, &Rc<Area<'a>>),
    near: &[Spot<'a>],
    notes: &mut Notes,
) {
    let source = query.source;
    let private = matches!(query.path, Way::SameVpc | Way::PeeredVpc { .. } | Way::ClassicLink);
    if source.private_ips.is_empty() || target.groups.is_empty() || !private {
        return;
    }
    let same_region = near_atlas.side.region == far_atlas.side.region;
    let vpcs = [(&**near_atlas, &here.id), (&**far_atlas, &area.id)];
    let ask = |nets: &[IpNet]| {
        let other = if same_region { Membership::Members(&source.groups) } else { Membership::Hidden(&source.groups) };
        Ask { atlas: far_atlas, groups: &target.groups, direction: Direction::In, port: target.port, nets, other, vpcs: &vpcs }.answer()
    };
    for version in [true, false] {
        let of_version = |s: &&Spot<'_>| s.nets.iter().any(|n| n.addr().is_ipv4() == version);
        let Some(seen) = near.iter().find(of_version).map(|s| s.seen.clone()) else { continue };
        let all: Vec<IpNet> = near
            .iter()
            .filter(of_version)
            .filter_map(|s| s.subnet)
            .flat_map(|s| &s.cidrs)
            .filter(|c| c.addr().is_ipv4() == version)
            .copied()
            .collect();
        if matches!(ask(&seen), Verdict::Open(_)) && matches!(ask(&all), Verdict::Missing { .. }) {
            let fault = Fault {
                code: Code::AddressMayChange,
                resource: List(&target.groups).to_string(),
                found: format!("{} admits {} but not all of {}", List(&target.groups), List(&seen), List(&all)),
                needed: "rules that hold after AWS has moved the replication".into(),
                fix: "admit the replication's group or subnets (ingressFrom: SecurityGroup or SubnetCidrs)".into(),
                remedies: vec![],
            };
            notes.warning(fault.finding(far_atlas.side.region));
        }
    }
}
