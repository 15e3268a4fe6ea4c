//! One way there and back between two places: the hops that every way has, and how each is judged.

use std::rc::Rc;

use ipnet::IpNet;

use super::{
    Asked, Code, Decided, Finding, Hop, HopKind, Query, Remedy, State, Target,
    atlas::{Area, Atlas, Gap},
    group::{Ask, Membership, Verdict},
    notes::Notes,
    propagation::propagation,
    report::List,
    route::{Choice, choose},
};
use crate::model::{
    Destination, Direction, Peer, Ports, Route, RouteOrigin, RouteState, RouteTable, RuleShape, SecurityGroupId, Subnet,
    Target as RouteTarget,
    acl::{AclShape, passage},
};

/// The ports that answers come to: the client's ephemeral ones. DMS's own range is not documented (domain.md 1.0).
pub(super) const EPHEMERAL: Ports = Ports { from: 32_768, to: 65_535 };
/// A NAT gateway may use these as well.
pub(super) const NAT_EPHEMERAL: Ports = Ports { from: 1024, to: 32_767 };

/// A place where packets start or end.
#[derive(Clone)]
pub(super) struct Spot<'a> {
    /// Its side.
    pub atlas: Rc<Atlas<'a>>,
    /// Its VPC, where it is in one that can be looked at.
    pub area: Option<Rc<Area<'a>>>,
    /// Its subnet.
    pub subnet: Option<&'a Subnet>,
    /// Every address that it may have here; empty where none is known.
    pub nets: Vec<IpNet>,
    /// The addresses that groups are asked about: those that it has now, if they are known.
    pub seen: Vec<IpNet>,
    /// All its groups.
    pub groups: Vec<SecurityGroupId>,
}

/// A walk in the making.
pub(super) struct Trip<'t, 'a> {
    pub query: &'t Query<'a>,
    pub target: &'t Target,
    pub near: &'t Spot<'a>,
    /// The replication's VPC.
    pub here: Rc<Area<'a>>,
    /// The replication's subnet.
    pub from: &'a Subnet,
    pub far: &'t Spot<'a>,
    /// Why the far side cannot be looked at, if a read is what is missing.
    pub far_gap: Option<Gap>,
    /// Whether the route leads through an appliance: then no reference matches.
    pub through_appliance: bool,
    /// Whether the database is reached in a subnet by its private address.
    pub inside: bool,
    /// Whether the far end is AWS's own, which admits everybody.
    pub aws_service: bool,
    pub notes: &'t mut Notes,
    pub out: Vec<Hop>,
    pub back: Vec<Hop>,
    /// Whether the answer is on its way.
    pub returning: bool,
}

/// A finding in the making.
pub(super) struct Fault {
    pub code: Code,
    pub resource: String,
    pub found: String,
    pub needed: String,
    pub fix: String,
    pub remedies: Vec<Remedy>,
}

impl Fault {
    /// As a finding, with AWS CLI lines for a Region.
    pub fn finding(self, region: &str) -> Finding {
        let cli = self.remedies.iter().flat_map(|r| r.cli(region)).collect();
        let Self { code, resource, found, needed, fix, remedies } = self;
        Finding { code, resource, found, needed, fix, remedies, cli }
    }
}

/// What a route should be like.
pub(super) struct Want<'w> {
    /// Whether it leads where the path goes.
    pub fits: &'w dyn Fn(&RouteTarget) -> bool,
    /// Where it should lead, in words.
    pub words: &'w str,
    /// The target that a new route would get; none where AWS shows none that would do.
    pub target: Option<RouteTarget>,
    /// The destination that a new route would get, where nothing else matches.
    pub destination: Vec<IpNet>,
    /// Whether a virtual private gateway may lead there: it brings its routes along.
    pub by_vpn: bool,
    /// What to do where no target is known.
    pub otherwise: &'w str,
}

impl Want<'_> {
    /// Within the VPC.
    pub fn local() -> Self {
        Want {
            fits: &|t| matches!(t, RouteTarget::Local),
            words: "local",
            target: Some(RouteTarget::Local),
            destination: vec![],
            by_vpn: false,
            otherwise: "let the VPC's local route be as it was",
        }
    }
}

impl<'a> Trip<'_, 'a> {
    fn hop(&mut self, kind: HopKind, resource: String, asked: Asked, decided: Decided, state: State, code: Option<Code>) {
        let hops = if self.returning { &mut self.back } else { &mut self.out };
        hops.push(Hop { kind, resource, asked, decided, state, code });
    }

    fn step(&self) -> (bool, usize) {
        (self.returning, if self.returning { self.back.len() } else { self.out.len() })
    }

    /// The hop lets the packet through.
    pub fn open(&mut self, kind: HopKind, resource: impl ToString, asked: Asked, decided: Decided) {
        self.hop(kind, resource.to_string(), asked, decided, State::Open, None);
    }

    /// The hop is not asked here.
    pub fn not_asked(&mut self, kind: HopKind, resource: impl ToString, decided: Decided) {
        self.hop(kind, resource.to_string(), Asked::State, decided, State::NotAsked, None);
    }

    /// The hop drops the packet. What lies behind it is looked at all the same.
    pub fn block(&mut self, kind: HopKind, atlas: &Atlas<'a>, asked: Asked, decided: Decided, fault: Fault) {
        let step = self.step();
        self.hop(kind, fault.resource.clone(), asked, decided, State::Blocked, Some(fault.code));
        self.notes.finding(step, fault.finding(atlas.side.region));
    }

    /// AWS does not show what the hop does.
    pub fn dark(&mut self, kind: HopKind, resource: impl ToString, asked: Asked, code: Code, reason: impl Into<String>) {
        let (step, resource) = (self.step(), resource.to_string());
        self.hop(kind, resource.clone(), asked, Decided::Words("not known".into()), State::Unknown, Some(code));
        self.notes.unknown(step, code, resource, reason.into());
    }

    /// A fact about the hop was not read.
    pub fn gap(&mut self, kind: HopKind, resource: impl ToString, asked: Asked, gap: &Gap) {
        let step = self.step();
        self.hop(kind, resource.to_string(), asked, Decided::Words("not known".into()), State::Unknown, Some(gap.code));
        self.notes.unknown(step, gap.code, gap.resource.clone(), gap.reason.clone());
    }

    /// All groups of one end. No addresses: the other end's are not known.
    pub fn groups(
        &mut self,
        atlas: &Rc<Atlas<'a>>,
        groups: &[SecurityGroupId],
        direction: Direction,
        nets: &[IpNet],
        other: Membership<'_>,
    ) {
        let port = self.target.port;
        let ports = Ports::one(port);
        let asked = match direction {
            Direction::Out => Asked::To(nets.to_vec(), ports),
            Direction::In => Asked::From(nets.to_vec(), ports),
        };
        if groups.is_empty() {
            let host = self.target.host.clone();
            let reason = format!("the security groups of {host} are not known: name them in securityGroupId");
            return self.dark(HopKind::SecurityGroups, host, asked, Code::MembershipUnknown, reason);
        }
        let resource = List(groups).to_string();
        let (near, far) = (self.near, self.far);
        let mut vpcs = vec![(&*near.atlas, &self.query.source.vpc)];
        vpcs.extend(far.area.as_ref().map(|area| (&*far.atlas, &area.id)));
        let verdict = Ask { atlas, groups, direction, port, nets, other, vpcs: &vpcs }.answer();
        let (uncovered, reference, stale) = match verdict {
            Verdict::Open(rules) => return self.open(HopKind::SecurityGroups, resource, asked, Decided::Rules(rules)),
            Verdict::Gap(gap) => return self.gap(HopKind::SecurityGroups, resource, asked, &gap),
            Verdict::Membership(group) => {
                let reason = format!("a rule of {resource} names {group}, and whether the other end carries that group is not known");
                return self.dark(HopKind::SecurityGroups, resource, asked, Code::MembershipUnknown, reason);
            }
            Verdict::Missing { .. } if nets.is_empty() && !matches!(other, Membership::Members([_, ..])) => {
                let (code, reason) = match direction {
                    Direction::Out => (
                        Code::DestinationUnknown,
                        format!("no address of {} is known to ask the rules of {resource} about", self.target.host),
                    ),
                    Direction::In => (Code::SenderAddressUnknown, format!("the address that {resource} will see is not known yet")),
                };
                return self.dark(HopKind::SecurityGroups, resource, asked, code, reason);
            }
            Verdict::Missing { uncovered, reference, stale } => (uncovered, reference, stale),
        };
        let code = match (direction, &reference, &stale) {
            (_, Some(_), _) => Code::ReferenceNotApplicable,
            (_, None, Some(_)) => Code::ReferenceStale,
            (Direction::Out, None, None) => Code::EgressMissing,
            (Direction::In, None, None) => Code::IngressMissing,
        };
        let (verb, preposition) = match direction {
            Direction::Out => ("lets out", "to"),
            Direction::In => ("admits", "from"),
        };
        let group = &groups[0];
        let peers: Vec<Peer> = match other {
            Membership::Members([first, ..]) => vec![Peer::SecurityGroup(first.clone())],
            // Of a subnet of which a part is missing, one rule for all of it.
            _ => nets.iter().filter(|n| uncovered.iter().any(|u| n.contains(u))).copied().map(Peer::Cidr).collect(),
        };
        let who = if uncovered.is_empty() { List(&peers).to_string() } else { List(&uncovered).to_string() };
        let because = match (reference, stale) {
            (Some(named), _) => {
                format!(", and the reference to {named} does not match: on this path its members' private addresses do not arrive")
            }
            (None, Some(named)) => format!(", and {named}, which a rule names, exists in neither VPC"),
            (None, None) => String::new(),
        };
        let remedies =
            peers.iter().map(|p| Remedy::AddRule { group: group.clone(), shape: RuleShape::tcp(direction, port, p.clone()) }).collect();
        let fault = Fault {
            code,
            found: format!("no rule of {resource} {verb} tcp/{port} {preposition} {who}{because}"),
            needed: format!("a rule that {verb} tcp/{port} {preposition} {}", List(&peers)),
            fix: format!("add to {group} a rule that {verb} tcp/{port} {preposition} {}", List(&peers)),
            resource,
            remedies,
        };
        self.block(HopKind::SecurityGroups, atlas, asked, Decided::NoRule, fault);
    }

    /// The ACL of a subnet, for packets to `nets` (out) or from `nets` (in).
    pub fn acl(&mut self, atlas: &Rc<Atlas<'a>>, area: &Area<'a>, subnet: &Subnet, direction: Direction, nets: &[IpNet], ports: Ports) {
        let asked = match direction {
            Direction::Out => Asked::To(nets.to_vec(), ports),
            Direction::In => Asked::From(nets.to_vec(), ports),
        };
        let acl = match area.acl(&subnet.id) {
            Ok(Some(acl)) => acl,
            Ok(None) => {
                let reason = format!("AWS shows no network ACL for {}", subnet.id);
                return self.dark(HopKind::NetworkAcl, &subnet.id, asked, Code::NotRead, reason);
            }
            Err(gap) => return self.gap(HopKind::NetworkAcl, &subnet.id, asked, &gap),
        };
        let anything = [IpNet::V4(ipnet::Ipv4Net::default())];
        let (mut numbers, mut denied, mut remedies, mut stopped) = (Vec::new(), None, Vec::new(), Vec::new());
        for net in if nets.is_empty() { &anything[..] } else { nets } {
            let found = passage(acl.entries(direction), &AclShape::tcp(direction, ports, *net));
            if found.is_open() {
                numbers.extend(found.allowed_by);
                continue;
            }
            let deny = found.denied_by.iter().min().copied();
            denied = denied.or(deny);
            stopped.push(*net);
            remedies.push((*net, deny));
        }
        numbers.sort_unstable();
        numbers.dedup();
        if stopped.is_empty() {
            let decided = match numbers[..] {
                [one] => Decided::Entry(direction, one, true),
                _ => Decided::Entries(direction, numbers),
            };
            return self.open(HopKind::NetworkAcl, &acl.id, asked, decided);
        }
        if nets.is_empty() {
            let reason = format!("{} does not let everything through, and which addresses it will be asked about is not known", acl.id);
            return self.dark(HopKind::NetworkAcl, &acl.id, asked, Code::DestinationUnknown, reason);
        }
        let remedies = remedies.into_iter().map(|(net, deny)| self.notes.acl_entry(acl, direction, ports, net, deny)).collect();
        let decided = denied.map_or(Decided::NoEntry(direction), |n| Decided::Entry(direction, n, false));
        let fault = self.acl_fault(acl, direction, ports, &stopped, denied, remedies);
        self.block(HopKind::NetworkAcl, atlas, asked, decided, fault);
    }

    #[allow(clippy::too_many_arguments)]
    fn acl_fault(
        &self,
        acl: &crate::model::NetworkAcl,
        direction: Direction,
        ports: Ports,
        stopped: &[IpNet],
        denied: Option<u16>,
        remedies: Vec<Remedy>,
    ) -> Fault {
        let preposition = match direction {
            Direction::Out => "to",
            Direction::In => "from",
        };
        let code = match (self.returning, direction) {
            (false, Direction::Out) => Code::AclDeniesOut,
            (false, Direction::In) => Code::AclDeniesIn,
            (true, Direction::Out) => Code::AclDeniesReplyOut,
            (true, Direction::In) => Code::AclDeniesReplyIn,
        };
        let what = if self.returning { "answers on" } else { "" };
        let why = match denied {
            Some(number) => format!("entry {number} denies"),
            None => "no entry allows".into(),
        };
        let nets = List(stopped);
        let mut fix = match (denied, remedies.first()) {
            (Some(number), Some(Remedy::RemoveAclEntry { .. })) => {
                format!("remove entry {number} ({direction}) of {}: no number is free ahead of it", acl.id)
            }
            (Some(number), _) => format!(
                "put an entry ahead of {number} ({direction}) in {} that allows tcp/{ports} {preposition} {nets}, or remove {number}",
                acl.id
            ),
            (None, _) => format!("add an entry ({direction}) to {} that allows tcp/{ports} {preposition} {nets}", acl.id),
        };
        let v4 = stopped.iter().any(|n| n.addr().is_ipv4());
        let count = acl.entries(direction).filter(|e| e.cidr.addr().is_ipv4() == v4).count();
        if count >= 19 {
            fix.push_str(&format!("; it holds {count} entries {direction}, and AWS allows 20 with the closing deny unless the quota was raised (to at most 40)"));
        }
        let what = format!("{what}{}tcp/{ports}", if what.is_empty() { "" } else { " " });
        Fault {
            code,
            resource: acl.id.to_string(),
            found: format!("{why} {what} {preposition} {nets}"),
            needed: format!("an entry that allows {what} {preposition} {nets}, ahead of any that denies it"),
            fix,
            remedies,
        }
    }

    /// Warns where a NAT gateway may use ports that an ACL keeps closed to answers.
    pub fn nat_ports(&mut self, atlas: &Atlas<'a>, area: &Area<'a>, subnet: &Subnet, direction: Direction, nets: &[IpNet]) {
        let Ok(Some(acl)) = area.acl(&subnet.id) else { return };
        let closed = |n: &&IpNet| !passage(acl.entries(direction), &AclShape::tcp(direction, NAT_EPHEMERAL, **n)).is_open();
        let closed: Vec<IpNet> = nets.iter().filter(closed).copied().collect();
        if closed.is_empty() {
            return;
        }
        let nets = List(&closed);
        let fault = Fault {
            code: Code::AclNatPortsClosed,
            resource: acl.id.to_string(),
            found: format!("not all of tcp/{NAT_EPHEMERAL} is open ({direction}) for {nets}"),
            needed: "a NAT gateway takes answers on 1024 to 65535".into(),
            fix: format!("let {} allow tcp/1024-65535 ({direction}) for {nets}", acl.id),
            remedies: vec![],
        };
        self.notes.warning(fault.finding(atlas.side.region));
    }

    /// The route table of a subnet: one hop for each route that a part of `nets` takes. Returns the targets that fit.
    pub fn routes(&mut self, atlas: &Rc<Atlas<'a>>, area: &Area<'a>, subnet: &Subnet, nets: &[IpNet], want: &Want<'_>) -> Vec<RouteTarget> {
        let Some(table) = self.table(area, subnet, nets) else { return vec![] };
        if nets.is_empty() {
            let default = |r: &&Route| {
                matches!(&r.destination, Destination::Cidr(c) if c.prefix_len() == 0)
                    && r.state == RouteState::Active
                    && (want.fits)(&r.target)
            };
            if let Some(route) = table.routes.iter().find(default) {
                let decided = Decided::Route(route.destination.clone(), route.target.clone(), route.state);
                self.open(HopKind::RouteTable, &table.id, Asked::RouteTo(vec![]), decided);
                return vec![route.target.clone()];
            }
            let reason = format!("{} cannot be asked for a route to addresses that are not known", table.id);
            self.dark(HopKind::RouteTable, &table.id, Asked::RouteTo(vec![]), Code::DestinationUnknown, reason);
            return vec![];
        }
        let parts = choose(atlas, table, nets);
        parts.into_iter().filter_map(|(choice, piece)| self.route(atlas, area, table, choice, &piece, want)).collect()
    }

    /// The route table of a subnet, or a hop that says why there is none.
    pub fn table(&mut self, area: &Area<'a>, subnet: &Subnet, nets: &[IpNet]) -> Option<&'a RouteTable> {
        let asked = Asked::RouteTo(nets.to_vec());
        match area.table(&subnet.id) {
            Ok(Some(table)) => Some(table),
            // Every VPC has a main table: what was read is not all of it.
            Ok(None) => {
                let reason = format!("AWS shows neither a route table for {} nor a main one for {}", subnet.id, area.id);
                self.dark(HopKind::RouteTable, &subnet.id, asked, Code::NotRead, reason);
                None
            }
            Err(gap) => {
                self.gap(HopKind::RouteTable, &subnet.id, asked, &gap);
                None
            }
        }
    }

    /// One route, for the addresses that take it. Returns its target if it fits and is active.
    pub fn route(
        &mut self,
        atlas: &Rc<Atlas<'a>>,
        area: &Area<'a>,
        table: &'a RouteTable,
        choice: Choice<'a>,
        nets: &[IpNet],
        want: &Want<'_>,
    ) -> Option<RouteTarget> {
        let asked = Asked::RouteTo(nets.to_vec());
        let route = match choice {
            Choice::Route(route) => route,
            Choice::Gap(gap) => {
                self.gap(HopKind::RouteTable, &table.id, asked, &gap);
                return None;
            }
            Choice::Ambiguous(a, b) => {
                let reason = format!(
                    "{} and {} match {} equally well, and lead to {} and {}",
                    a.destination,
                    b.destination,
                    List(nets),
                    a.target,
                    b.target
                );
                self.dark(HopKind::RouteTable, &table.id, asked, Code::RouteAmbiguous, reason);
                return None;
            }
            Choice::None => {
                let fault = self.route_fault(atlas, area, table, None, nets, want);
                self.block(HopKind::RouteTable, atlas, asked, Decided::NoRoute, fault);
                return None;
            }
        };
        let decided = Decided::Route(route.destination.clone(), route.target.clone(), route.state);
        if route.state == RouteState::Active && (want.fits)(&route.target) {
            self.open(HopKind::RouteTable, &table.id, asked, decided);
            return Some(route.target.clone());
        }
        let fault = self.route_fault(atlas, area, table, Some(route), nets, want);
        self.block(HopKind::RouteTable, atlas, asked, decided, fault);
        None
    }

    fn route_fault(
        &self,
        atlas: &Atlas<'a>,
        area: &Area<'a>,
        table: &RouteTable,
        taken: Option<&Route>,
        nets: &[IpNet],
        want: &Want<'_>,
    ) -> Fault {
        let to = List(nets);
        let (code, found) = match (taken, self.returning) {
            (None, false) => (Code::RouteMissing, format!("{} has no route to {to}", table.id)),
            (None, true) => (Code::ReturnRouteMissing, format!("{} has no route back to {to}", table.id)),
            (Some(r), returning) if r.state == RouteState::Blackhole => {
                let code = if returning { Code::ReturnRouteBlackhole } else { Code::RouteBlackhole };
                let why = atlas.trouble(&r.target).map(|t| format!(": {} is {t}", r.target)).unwrap_or_default();
                (code, format!("in {} the route {} to {} is a blackhole{why}", table.id, r.destination, r.target))
            }
            (Some(r), returning) => {
                let code = if returning { Code::ReturnRouteElsewhere } else { Code::RouteElsewhere };
                (code, format!("in {} the route {} sends packets for {to} to {}", table.id, r.destination, r.target))
            }
        };
        let needed = format!("an active route to {to} through {}", want.words);
        // A route that leads the right way needs no change: it is active again as soon as its target is.
        let ill = taken.filter(|r| r.state == RouteState::Blackhole && want.target.as_ref() == Some(&r.target));
        if let Some((route, trouble)) = ill.and_then(|r| Some((r, atlas.trouble(&r.target)?))) {
            let fix = format!("mend {}, which is {trouble}: the route is active again as soon as its target is", route.target);
            return Fault { code, resource: table.id.to_string(), found, needed, fix, remedies: vec![] };
        }
        let by_vpn = (want.by_vpn && taken.is_none()).then(|| propagation(area, table, nets, want.target.is_some())).flatten();
        if let Some((fix, remedies)) = by_vpn {
            return Fault { code, resource: table.id.to_string(), found, needed, fix, remedies };
        }
        let remedies = remedies(area, table, taken, nets, want);
        let fix = match (&remedies[..], &want.target) {
            ([], _) => want.otherwise.to_owned(),
            (changes, Some(target)) => {
                let line = |r: &Remedy| match r {
                    Remedy::ReplaceRoute { destination, .. } => format!("let the route {destination} of {} lead to {target}", table.id),
                    Remedy::RemoveRoute { destination, .. } => format!("remove the route {destination} from {}", table.id),
                    Remedy::AddRoute { destination, .. } => format!("add to {} a route {destination} to {target}", table.id),
                    other => format!("{other:?}"),
                };
                changes.iter().map(line).collect::<Vec<_>>().join(", ")
            }
            (_, None) => want.otherwise.to_owned(),
        };
        Fault { code, resource: table.id.to_string(), found, needed, fix, remedies }
    }
}

/// The routes that would lead where the path goes. Within a VPC AWS allows none but to take away what is in the way.
fn remedies(area: &Area<'_>, table: &RouteTable, taken: Option<&Route>, nets: &[IpNet], want: &Want<'_>) -> Vec<Remedy> {
    let Some(target) = &want.target else { return vec![] };
    let exact = |net: &IpNet| table.routes.iter().any(|r| r.destination == Destination::Cidr(*net) && r.origin != RouteOrigin::Propagated);
    let add = |net: IpNet| {
        let (table, destination, target) = (table.id.clone(), Destination::Cidr(net), target.clone());
        if exact(&net) { Remedy::ReplaceRoute { table, destination, target } } else { Remedy::AddRoute { table, destination, target } }
    };
    if *target == RouteTarget::Local {
        let Some(Route { destination, .. }) = taken else { return vec![] };
        let whole = matches!((destination, &area.vpc), (Destination::Cidr(c), Ok(Some(vpc))) if vpc.cidrs.contains(c));
        let (table, destination) = (table.id.clone(), destination.clone());
        return vec![if whole {
            Remedy::ReplaceRoute { table, destination, target: RouteTarget::Local }
        } else {
            Remedy::RemoveRoute { table, destination }
        }];
    }
    match taken {
        None if want.destination.is_empty() => nets.iter().copied().map(add).collect(),
        None => want.destination.iter().copied().map(add).collect(),
        // What is broken is mended; what leads elsewhere for others too gets a longer route beside it.
        Some(Route { destination: Destination::Cidr(c), state: RouteState::Blackhole, origin, .. })
            if *origin != RouteOrigin::Propagated =>
        {
            vec![add(*c)]
        }
        Some(_) => nets.iter().copied().map(add).collect(),
    }
}
