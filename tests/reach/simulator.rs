//! A packet model written independently of the engine: it takes one packet at a time, walks it through the raw values of the
//! picture, then walks the answer back. What the engine says of sets of addresses must be what happens to every one of them.

use std::net::IpAddr;

use dmsnet::{
    model::*,
    reach::{Query, Side, SourceKind, State, Way},
};
use ipnet::IpNet;

/// Answers go to these ports; between them no ACL of the random networks makes a difference.
const REPLY_PORTS: [u16; 3] = [32_768, 40_000, 65_535];

#[derive(Clone, Copy, Default, Debug)]
struct Fate {
    dropped: bool,
    unseen: bool,
}

/// What became of a packet that had to be dropped: `?` ends the walk.
type Step = Result<(), ()>;

struct Walk<'a> {
    q: &'a Query<'a>,
    from: &'a Subnet,
    src: IpAddr,
    /// The source address that groups are asked about.
    src_seen: IpAddr,
    dst: IpAddr,
    dst_seen: IpAddr,
    dst_subnet: Option<&'a Subnet>,
    dst_groups: &'a [SecurityGroupId],
    port: u16,
    reply: u16,
    unseen: bool,
}

pub fn simulate(q: &Query<'_>) -> State {
    let near = q.near.picture;
    let mut total = Fate::default();
    let subnets: Vec<&Subnet> = q.source.subnets.iter().map(|s| &*near.subnets[s]).collect();
    if q.source.kind == SourceKind::Placement && subnets.iter().all(|s| s.zone == subnets[0].zone) {
        total.dropped = true;
    }
    for target in q.targets {
        if let Ok(ip) = target.host.parse::<IpAddr>() {
            assert!(target.addresses.is_empty() || target.addresses.iter().any(|a| a.contains(&ip)));
        } else if names(q, target).is_err() {
            total.dropped = true;
        }
        let mut common = false;
        for v4 in [true, false] {
            for from in &subnets {
                for (src, src_seen) in sources(q, from, v4) {
                    for (dst, dst_seen, dst_subnet) in destinations(q, target, v4) {
                        common = true;
                        for reply in REPLY_PORTS {
                            let mut walk = Walk {
                                q,
                                from,
                                src,
                                src_seen,
                                dst,
                                dst_seen,
                                dst_subnet,
                                dst_groups: &target.groups,
                                port: target.port,
                                reply,
                                unseen: false,
                            };
                            let dropped = walk.there_and_back(target).is_err();
                            total.dropped |= dropped;
                            total.unseen |= walk.unseen;
                        }
                    }
                }
            }
        }
        total.dropped |= !common;
        total.unseen |= *q.path == Way::ClassicLink;
    }
    match total {
        Fate { dropped: true, .. } => State::Blocked,
        Fate { unseen: true, .. } => State::Unknown,
        _ => State::Open,
    }
}

/// Whether the host's name resolves as the path needs it.
fn names(q: &Query<'_>, target: &dmsnet::reach::Target) -> Step {
    let near = &q.near.picture.vpc_dns[&q.source.vpc];
    need(near.support)?;
    let public_too = target.aws_name && target.publicly_accessible == Some(true);
    match q.path {
        Way::SameVpc if public_too => need(near.hostnames),
        Way::PeeredVpc { peering } if public_too => {
            need(near.hostnames)?;
            let Some(p) = q.near.picture.peerings.get(peering) else { return Err(()) };
            need(p.status == "active")?;
            let (owner, other) = if p.requester.vpc == q.source.vpc { (&p.accepter, &p.requester) } else { (&p.requester, &p.accepter) };
            if other.vpc != q.source.vpc {
                return Err(());
            }
            if let Some(far) = q.far.picture.vpc_dns.get(target.vpc.as_ref().unwrap_or(&owner.vpc)) {
                need(far.support && far.hostnames)?;
            }
            need(owner.dns_resolution == Some(true))
        }
        _ => Ok(()),
    }
}

fn need(yes: bool) -> Step {
    if yes { Ok(()) } else { Err(()) }
}

fn hosts(net: IpNet) -> Vec<IpAddr> {
    // The random networks' subnets hold two addresses: both are tried. Wider ranges are tried at their ends.
    let (first, last) = (net.network(), net.broadcast());
    if first == last { vec![first] } else { vec![first, last] }
}

/// Addresses of the replication in a subnet, each with those that groups see.
fn sources(q: &Query<'_>, subnet: &Subnet, v4: bool) -> Vec<(IpAddr, IpAddr)> {
    let known: Vec<IpAddr> = q.source.private_ips.iter().copied().filter(|ip| ip.is_ipv4() == v4).collect();
    if q.source.private_ips.is_empty() {
        if !v4 && !q.source.dual_stack {
            return vec![];
        }
    } else if known.is_empty() && (v4 || !q.source.dual_stack) {
        return vec![];
    }
    let here: Vec<IpAddr> = known.iter().copied().filter(|ip| subnet.cidrs.iter().any(|c| c.contains(ip))).collect();
    if !here.is_empty() {
        return here.iter().flat_map(|ip| known.iter().map(|k| (*ip, *k))).collect();
    }
    // Nothing runs here yet: any address may be taken, and groups see the present ones, if there are any.
    let all: Vec<IpAddr> = subnet.cidrs.iter().filter(|c| c.addr().is_ipv4() == v4).flat_map(|c| hosts(*c)).collect();
    if known.is_empty() {
        return all.into_iter().map(|ip| (ip, ip)).collect();
    }
    all.iter().flat_map(|ip| known.iter().map(|k| (*ip, *k))).collect()
}

/// Addresses of the database, each with those that groups see and its subnet.
fn destinations<'a>(q: &Query<'a>, target: &'a dmsnet::reach::Target, v4: bool) -> Vec<(IpAddr, IpAddr, Option<&'a Subnet>)> {
    let told: Vec<IpAddr> = target.addresses.iter().filter(|a| a.addr().is_ipv4() == v4).flat_map(|a| hosts(*a)).collect();
    let picture = match q.path {
        Way::SameVpc | Way::ClassicLink => q.near.picture,
        _ => q.far.picture,
    };
    let vpc = match q.path {
        Way::SameVpc | Way::ClassicLink => Some(&q.source.vpc),
        _ => target.vpc.as_ref(),
    };
    let in_vpc = |s: &&Subnet| Some(&s.vpc) == vpc;
    let subnets: Vec<&Subnet> = picture.subnets.values().map(|s| &**s).filter(in_vpc).collect();
    match q.path {
        Way::Internet | Way::NatGateway { .. } | Way::OnPremises { .. } => {
            let own = subnets.iter().filter(|s| target.subnets.contains(&s.id) && !matches!(q.path, Way::OnPremises { .. }));
            let own: Vec<Option<&Subnet>> = own.map(|s| Some(*s)).collect();
            let own = if own.is_empty() { vec![None] } else { own };
            told.iter().flat_map(|a| own.iter().map(|s| (*a, *a, *s))).collect()
        }
        _ => {
            let mut all = Vec::new();
            for a in &told {
                let place = subnets.iter().find(|s| s.cidrs.iter().any(|c| c.contains(a))).copied();
                all.push((*a, *a, place));
            }
            for subnet in subnets.iter().filter(|s| target.subnets.contains(&s.id)) {
                if told.iter().any(|a| subnet.cidrs.iter().any(|c| c.contains(a)))
                    || (told.is_empty() && (!target.addresses.is_empty() || !v4))
                {
                    continue;
                }
                let each: Vec<IpAddr> = subnet.cidrs.iter().filter(|c| c.addr().is_ipv4() == v4).flat_map(|c| hosts(*c)).collect();
                for a in &each {
                    let own = [*a];
                    let seen = if told.is_empty() { &own[..] } else { &told };
                    all.extend(seen.iter().map(|s| (*a, *s, Some(*subnet))));
                }
            }
            all
        }
    }
}

/// Whether a group lets one packet through; the other end is `groups`' member if it shows its private address.
fn group_allows(
    p: &Picture,
    own: &[SecurityGroupId],
    way: Direction,
    other: IpAddr,
    port: u16,
    groups: Option<&[SecurityGroupId]>,
) -> bool {
    for group in own {
        for rule in p.rules.get(group).map_or(&[][..], |r| r) {
            let s = &rule.shape;
            if s.direction != way {
                continue;
            }
            let ports = match (s.protocol, s.ports) {
                (Protocol::All, _) | (Protocol::Tcp, None) => true,
                (Protocol::Tcp, Some(r)) => r.from <= i32::from(port) && i32::from(port) <= r.to,
                _ => false,
            };
            let peer = match &s.peer {
                Peer::Cidr(c) => c.contains(&other),
                Peer::SecurityGroup(g) => groups.is_some_and(|all| all.contains(g)),
                Peer::PrefixList(l) => p.prefix_lists.get(l).is_some_and(|l| l.cidrs.iter().any(|c| c.contains(&other))),
            };
            if ports && peer {
                return true;
            }
        }
    }
    false
}

/// Whether the ACL of a subnet lets one packet through.
fn acl_allows(p: &Picture, subnet: &SubnetId, way: Direction, other: IpAddr, port: u16) -> bool {
    let acl = p.acls.values().find(|a| a.subnets.contains(subnet)).unwrap();
    let mut entries: Vec<&AclEntry> = acl.entries.iter().filter(|e| e.direction == way).collect();
    entries.sort_by_key(|e| e.number);
    for e in entries {
        let protocol = matches!(e.protocol, Protocol::All | Protocol::Tcp);
        let ports = e.protocol == Protocol::All || e.ports.is_none_or(|r| r.from <= i32::from(port) && i32::from(port) <= r.to);
        if protocol && ports && e.cidr.contains(&other) {
            return e.allow;
        }
    }
    false
}

enum Hop<'a> {
    To(&'a Target),
    Dropped,
    Either,
}

/// Where a subnet's route table sends one packet.
fn route<'a>(p: &'a Picture, subnet: &Subnet, dst: IpAddr) -> Hop<'a> {
    let tables: Vec<&RouteTable> = p.route_tables.values().map(|t| &**t).filter(|t| t.vpc == subnet.vpc).collect();
    let table = match tables.iter().find(|t| t.subnets.contains(&subnet.id)) {
        Some(own) => own,
        None => match tables.iter().find(|t| t.main) {
            Some(main) => main,
            None => return Hop::Dropped,
        },
    };
    let mut best: Vec<(u8, u8, &Route)> = Vec::new();
    for r in &table.routes {
        if r.state == RouteState::Filtered {
            continue;
        }
        let rank = |list: bool| match (list, r.origin) {
            (_, RouteOrigin::Propagated) => 1,
            (true, _) => 2,
            (false, _) => 3,
        };
        match &r.destination {
            Destination::Cidr(c) if c.contains(&dst) => best.push((c.prefix_len(), rank(false), r)),
            Destination::Cidr(_) => {}
            Destination::PrefixList(l) => {
                for c in p.prefix_lists.get(l).map_or(&[][..], |l| &l.cidrs) {
                    if c.contains(&dst) {
                        best.push((c.prefix_len(), rank(true), r));
                    }
                }
            }
        }
    }
    best.sort_by_key(|(length, rank, _)| (*length, *rank));
    let Some((length, rank, winner)) = best.last() else { return Hop::Dropped };
    let rivals = best.iter().filter(|(l, k, _)| (l, k) == (length, rank)).any(|(_, _, r)| r.target != winner.target);
    match (rivals, winner.state) {
        (true, _) => Hop::Either,
        (false, RouteState::Blackhole) => Hop::Dropped,
        _ => Hop::To(&winner.target),
    }
}

fn private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

impl<'a> Walk<'a> {
    fn acl(&self, side: Side<'a>, subnet: &Subnet, way: Direction, other: IpAddr, port: u16) -> Step {
        need(acl_allows(side.picture, &subnet.id, way, other, port))
    }

    fn in_near_vpc(&self, ip: IpAddr) -> bool {
        self.q.near.picture.vpcs[&self.q.source.vpc].cidrs.iter().any(|c| c.contains(&ip))
    }

    /// The answer enters the replication's subnet.
    fn home_again(&self) -> Step {
        self.acl(self.q.near, self.from, Direction::In, self.dst, self.reply)
    }

    fn there_and_back(&mut self, target: &dmsnet::reach::Target) -> Step {
        let (q, near) = (self.q, self.q.near);
        if let IpAddr::V4(v4) = self.src {
            need(v4.octets()[..3] != [192, 168, 0])?;
        }
        match q.path {
            Way::SameVpc => need(self.in_near_vpc(self.dst))?,
            Way::ClassicLink | Way::Service { .. } => {}
            _ => need(!self.in_near_vpc(self.dst))?,
        }
        let same_region = q.near.region == q.far.region;
        let inside = self.dst_subnet.is_some() && matches!(q.path, Way::SameVpc | Way::ClassicLink | Way::PeeredVpc { .. });
        let same_subnet = self.dst_subnet.is_some_and(|s| s.id == self.from.id) && matches!(q.path, Way::SameVpc | Way::ClassicLink);
        let hop = if same_subnet { None } else { Some(route(near.picture, self.from, self.dst)) };
        let appliance = inside && matches!(hop, Some(Hop::To(Target::NetworkInterface(_))));
        let refers = match q.path {
            Way::SameVpc | Way::ClassicLink => !appliance,
            Way::PeeredVpc { .. } => same_region,
            _ => false,
        };
        let members = refers.then_some(self.dst_groups);
        need(group_allows(near.picture, &q.source.groups, Direction::Out, self.dst_seen, self.port, members))?;
        let Some(hop) = hop else {
            return need(group_allows(near.picture, self.dst_groups, Direction::In, self.src_seen, self.port, Some(&q.source.groups)));
        };
        self.acl(near, self.from, Direction::Out, self.dst, self.port)?;
        match (q.path, hop) {
            (_, Hop::Dropped) => Err(()),
            (_, Hop::Either) => {
                self.unseen = true;
                Ok(())
            }
            (Way::SameVpc, Hop::To(Target::Local)) => self.within(near, true),
            (Way::SameVpc, Hop::To(Target::NetworkInterface(Some(_)))) => {
                self.unseen = true;
                self.within(near, false)
            }
            (Way::ClassicLink, Hop::To(Target::Local)) if inside => self.within(near, true),
            (Way::ClassicLink, Hop::To(Target::NetworkInterface(Some(_)))) if inside => {
                self.unseen = true;
                self.within(near, false)
            }
            (Way::PeeredVpc { peering }, Hop::To(Target::PeeringConnection(id))) if id == peering => self.peered(id, same_region),
            (Way::OnPremises { nat_host }, Hop::To(to)) => self.premises(nat_host.as_ref(), to),
            (Way::Internet, Hop::To(Target::InternetGateway(id))) => self.internet(Some(id), target),
            (Way::Internet, Hop::To(Target::Other(id))) if id.starts_with("eigw-") && self.dst.is_ipv6() => self.internet(None, target),
            (Way::NatGateway { gateways }, Hop::To(Target::NatGateway(id))) if gateways.is_empty() || gateways.contains(id) => {
                self.natted(id, target)
            }
            _ => Err(()),
        }
    }

    /// Delivered in the VPC of `side`, and back by the VPC's own routes.
    fn within(&mut self, side: Side<'a>, members: bool) -> Step {
        let q = self.q;
        let subnet = self.dst_subnet.ok_or(())?;
        self.acl(side, subnet, Direction::In, self.src, self.port)?;
        let groups = members.then_some(&q.source.groups[..]);
        need(group_allows(side.picture, self.dst_groups, Direction::In, self.src_seen, self.port, groups))?;
        self.acl(side, subnet, Direction::Out, self.src, self.reply)?;
        match route(side.picture, subnet, self.src) {
            Hop::To(Target::Local) => {}
            Hop::To(Target::NetworkInterface(Some(_))) | Hop::Either => self.unseen = true,
            _ => return Err(()),
        }
        self.home_again()
    }

    fn peered(&mut self, id: &PeeringConnectionId, same_region: bool) -> Step {
        let q = self.q;
        let p = q.near.picture.peerings.get(id).ok_or(())?;
        need(p.status == "active")?;
        let (mine, other) = if p.requester.vpc == q.source.vpc {
            (&p.requester, &p.accepter)
        } else if p.accepter.vpc == q.source.vpc {
            (&p.accepter, &p.requester)
        } else {
            return Err(());
        };
        let target_vpc = q.targets[0].vpc.as_ref().unwrap();
        need(other.vpc == *target_vpc)?;
        need(other.cidrs.iter().any(|c| c.contains(&self.dst)))?;
        need(!mine.cidrs.iter().any(|a| other.cidrs.iter().any(|b| a.contains(b) || b.contains(a))))?;
        if (other.account != q.far.account) || (other.region != q.far.region) {
            self.unseen = true;
            return self.home_again();
        }
        let subnet = self.dst_subnet.ok_or(())?;
        self.acl(q.far, subnet, Direction::In, self.src, self.port)?;
        let groups = same_region.then_some(&q.source.groups[..]);
        need(group_allows(q.far.picture, self.dst_groups, Direction::In, self.src_seen, self.port, groups))?;
        self.acl(q.far, subnet, Direction::Out, self.src, self.reply)?;
        match route(q.far.picture, subnet, self.src) {
            Hop::To(Target::PeeringConnection(back)) if back == id => {}
            Hop::Either => self.unseen = true,
            _ => return Err(()),
        }
        self.home_again()
    }

    fn premises(&mut self, host: Option<&dmsnet::reach::NatHost>, to: &Target) -> Step {
        let p = self.q.near.picture;
        self.unseen = true;
        match (host, to) {
            (None, Target::VpnGateway(_)) => self.home_again(),
            (None, Target::TransitGateway(id)) => {
                self.attached(id, &self.from.zone)?;
                self.home_again()
            }
            (None, Target::Other(id)) if !id.starts_with("eigw-") => self.home_again(),
            (_, Target::NetworkInterface(Some(id))) if host.is_none_or(|h| h.interface.as_ref().is_none_or(|i| i == id)) => {
                let eni = p.interfaces.get(id).ok_or(())?;
                need(eni.vpc == self.q.source.vpc)?;
                let subnet = &p.subnets[&eni.subnet];
                let crosses = subnet.id != self.from.id;
                if crosses {
                    self.acl(self.q.near, subnet, Direction::In, self.src, self.port)?;
                }
                need(eni.status == "in-use" && !eni.source_dest_check)?;
                need(group_allows(p, &eni.groups, Direction::In, self.src_seen, self.port, Some(&self.q.source.groups)))?;
                need(group_allows(p, &eni.groups, Direction::Out, self.dst, self.port, None))?;
                self.acl(self.q.near, subnet, Direction::Out, self.dst, self.port)?;
                match route(p, subnet, self.dst) {
                    Hop::Dropped | Hop::To(Target::Local) => return Err(()),
                    Hop::To(Target::TransitGateway(id)) => self.attached(id, &subnet.zone)?,
                    Hop::To(_) | Hop::Either => {}
                }
                self.acl(self.q.near, subnet, Direction::In, self.dst, self.reply)?;
                if !crosses {
                    return Ok(());
                }
                match route(p, subnet, self.src) {
                    Hop::To(Target::Local) | Hop::Either => {}
                    _ => return Err(()),
                }
                self.acl(self.q.near, subnet, Direction::Out, self.src, self.reply)?;
                self.home_again()
            }
            _ => Err(()),
        }
    }

    fn attached(&self, id: &TransitGatewayId, zone: &str) -> Step {
        let p = self.q.near.picture;
        let mut all =
            p.transit_gateway_attachments.values().filter(|a| a.vpc == self.q.source.vpc && a.gateway == *id && a.state == "available");
        let attachment = all.next().ok_or(())?;
        need(attachment.subnets.iter().any(|s| p.subnets[s].zone == zone))
    }

    fn internet(&mut self, gateway: Option<&InternetGatewayId>, target: &dmsnet::reach::Target) -> Step {
        let q = self.q;
        let source = q.source;
        let public = source.publicly_accessible.unwrap_or(source.kind == SourceKind::Placement || !source.public_ips.is_empty());
        need(public)?;
        let egress_only = self.src.is_ipv6() && gateway.is_none();
        if egress_only {
            need(self.from.block_public_access < BlockPublicAccess::Bidirectional)?;
        } else {
            let attached = q.near.picture.internet_gateways.get(&source.vpc).ok_or(())?;
            need(gateway == Some(&attached.id))?;
            need(self.from.block_public_access == BlockPublicAccess::Off)?;
        }
        need(!private(self.dst))?;
        let senders =
            if self.src.is_ipv6() { vec![self.src_seen] } else { source.public_ips.iter().copied().filter(IpAddr::is_ipv4).collect() };
        self.far_end(&senders, target)?;
        self.home_again()
    }

    fn natted(&mut self, id: &NatGatewayId, target: &dmsnet::reach::Target) -> Step {
        let q = self.q;
        let p = q.near.picture;
        let nat = p.nat_gateways.get(id).filter(|n| n.vpc == q.source.vpc).ok_or(())?;
        need(nat.state == "available" && nat.public && self.dst.is_ipv4())?;
        let senders: Vec<IpAddr> = nat.addresses.iter().filter(|a| a.in_use).filter_map(|a| a.public_ip).collect();
        need(!senders.is_empty())?;
        let gateway = p.internet_gateways.get(&q.source.vpc);
        let place = nat.subnet.as_ref().map(|s| &*p.subnets[s]);
        if let Some(subnet) = place {
            if subnet.id != self.from.id {
                self.acl(q.near, subnet, Direction::In, self.src, self.port)?;
            }
            self.acl(q.near, subnet, Direction::Out, self.dst, self.port)?;
            match route(p, subnet, self.dst) {
                Hop::To(Target::InternetGateway(id)) if gateway.is_some_and(|g| g.id == *id) => {}
                Hop::Either => self.unseen = true,
                _ => return Err(()),
            }
            need(gateway.is_some() && subnet.block_public_access < BlockPublicAccess::Bidirectional)?;
        } else if nat.regional {
            let first = p.subnets.values().find(|s| s.vpc == q.source.vpc).unwrap();
            need(gateway.is_some() && first.block_public_access < BlockPublicAccess::Bidirectional)?;
        }
        need(!private(self.dst))?;
        self.far_end(&senders, target)?;
        if let Some(subnet) = place {
            self.acl(q.near, subnet, Direction::In, self.dst, self.reply)?;
            if subnet.id != self.from.id {
                match route(p, subnet, self.src) {
                    Hop::To(Target::Local) => {}
                    Hop::Either => self.unseen = true,
                    _ => return Err(()),
                }
                self.acl(q.near, subnet, Direction::Out, self.src, self.reply)?;
            }
        }
        self.home_again()
    }

    /// The far end on the internet, for every address that packets may come from.
    fn far_end(&mut self, senders: &[IpAddr], target: &dmsnet::reach::Target) -> Step {
        let q = self.q;
        let Some(vpc) = &target.vpc else {
            self.unseen = true;
            return Ok(());
        };
        let p = q.far.picture;
        need(target.publicly_accessible != Some(false))?;
        let Some(subnet) = self.dst_subnet else {
            self.unseen = true;
            for s in senders {
                need(group_allows(p, self.dst_groups, Direction::In, *s, self.port, None))?;
            }
            return Ok(());
        };
        let gateway = p.internet_gateways.get(vpc).ok_or(())?;
        need(subnet.block_public_access == BlockPublicAccess::Off)?;
        if senders.is_empty() {
            self.unseen = true;
        }
        for s in senders {
            self.acl(q.far, subnet, Direction::In, *s, self.port)?;
            need(group_allows(p, self.dst_groups, Direction::In, *s, self.port, None))?;
            self.acl(q.far, subnet, Direction::Out, *s, self.reply)?;
            match route(p, subnet, *s) {
                Hop::To(Target::InternetGateway(id)) if *id == gateway.id => {}
                Hop::Either => self.unseen = true,
                _ => return Err(()),
            }
        }
        Ok(())
    }
}
