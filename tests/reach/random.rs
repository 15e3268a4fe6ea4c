//! Small networks: one of each configuration with everything open, and a few changes at random. Subnets hold two addresses, and
//! all CIDRs cut at the same places, so that every packet that makes a difference can be tried.

use std::{net::IpAddr, sync::Arc};

use dmsnet::{
    model::*,
    reach::{NatHost, Query, Side, Source, SourceKind, Target as Goal, Way},
};
use ipnet::IpNet;

pub fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// Choices: of a seed, or given by proptest, which makes them smaller one by one when a network shows a fault. After the last
/// given one every choice is the first.
pub struct Dice {
    seed: u64,
    given: Option<std::vec::IntoIter<u16>>,
}

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self { seed, given: None }
    }

    pub fn given(choices: Vec<u16>) -> Self {
        Self { seed: 0, given: Some(choices.into_iter()) }
    }

    fn next(&mut self) -> u64 {
        if let Some(given) = &mut self.given {
            return given.next().unwrap_or(0).into();
        }
        // SplitMix64
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// A network, with all that a query about it borrows.
#[derive(Clone)]
pub struct World {
    pub near: Picture,
    /// The far side's own picture; none: it is the near one.
    pub far: Option<Picture>,
    pub far_region: &'static str,
    pub far_account: &'static str,
    pub source: Source,
    pub targets: Vec<Goal>,
    pub way: Way,
}

impl World {
    pub fn query(&self) -> Query<'_> {
        Query {
            name: "db",
            near: Side { account: "111122223333", region: "eu-central-1", picture: &self.near },
            far: Side { account: self.far_account, region: self.far_region, picture: self.far.as_ref().unwrap_or(&self.near) },
            source: &self.source,
            targets: &self.targets,
            path: &self.way,
        }
    }

    pub fn far_mut(&mut self) -> &mut Picture {
        self.far.as_mut().unwrap_or(&mut self.near)
    }
}

pub const NEAR: &str = "vpc-near";
pub const FAR: &str = "vpc-far";
pub const SOURCE_GROUP: &str = "sg-dms";
pub const TARGET_GROUP: &str = "sg-db";
pub const HOST_GROUP: &str = "sg-host";

fn vpc(picture: &mut Picture, id: &str, cidrs: &[&str]) {
    let vpc = Vpc {
        id: id.into(),
        cidrs: cidrs.iter().map(|c| net(c)).collect(),
        owner: "111122223333".into(),
        block_public_access: BlockPublicAccess::Off,
    };
    picture.vpcs.insert(id.into(), Arc::new(vpc));
    picture.vpc_dns.insert(id.into(), Arc::new(VpcDns { support: true, hostnames: true }));
    for need in [
        Need::Vpc as fn(VpcId) -> Need,
        Need::VpcDns,
        Need::SubnetsOf,
        Need::NetworkAclsOf,
        Need::RouteTablesOf,
        Need::NatGatewaysOf,
        Need::InternetGatewayOf,
        Need::PeeringConnectionsOf,
        Need::TransitGatewayAttachmentsOf,
        Need::GroupsOf,
        Need::EndpointsOf,
    ] {
        picture.asked.insert(need(id.into()), None);
    }
}

fn subnet(picture: &mut Picture, id: &str, vpc: &str, zone: &str, cidrs: &[&str]) {
    let subnet = Subnet {
        id: id.into(),
        vpc: vpc.into(),
        zone: zone.into(),
        cidrs: cidrs.iter().map(|c| net(c)).collect(),
        block_public_access: BlockPublicAccess::Off,
    };
    picture.subnets.insert(id.into(), Arc::new(subnet));
    let entry =
        |direction, number, cidr: &str| AclEntry { direction, number, protocol: Protocol::All, ports: None, cidr: net(cidr), allow: true };
    let entries = [Direction::In, Direction::Out].iter().flat_map(|d| [entry(*d, 100, "0.0.0.0/0"), entry(*d, 101, "::/0")]).collect();
    let name = format!("acl-{id}");
    let acl =
        NetworkAcl { id: name.as_str().into(), vpc: vpc.into(), is_default: false, subnets: vec![id.into()], entries, tags: Tags::new() };
    picture.acls.insert(name.as_str().into(), Arc::new(acl));
}

fn table(picture: &mut Picture, id: &str, vpc: &str, main: bool, subnets: &[&str]) {
    let cidrs = picture.vpcs[vpc].cidrs.clone();
    let local = |c: IpNet| Route {
        destination: Destination::Cidr(c),
        target: Target::Local,
        state: RouteState::Active,
        origin: RouteOrigin::CreateRouteTable,
    };
    let table = RouteTable {
        id: id.into(),
        vpc: vpc.into(),
        main,
        subnets: subnets.iter().map(|s| (*s).into()).collect(),
        routes: cidrs.into_iter().map(local).collect(),
        propagating: vec![],
        tags: Tags::new(),
    };
    picture.route_tables.insert(id.into(), Arc::new(table));
}

pub fn route(picture: &mut Picture, table: &str, destination: &str, target: Target) {
    let destination =
        if destination.starts_with("pl-") { Destination::PrefixList(destination.into()) } else { Destination::Cidr(net(destination)) };
    let route = Route { destination, target, state: RouteState::Active, origin: RouteOrigin::CreateRoute };
    Arc::make_mut(picture.route_tables.get_mut(table).unwrap()).routes.push(route);
}

pub fn rule(picture: &mut Picture, group: &str, shape: RuleShape) {
    let id = format!("sgr-{}", picture.rules.values().map(|r| r.len()).sum::<usize>());
    let rule = Rule { id: id.into(), group: group.into(), shape, description: None, tags: Tags::new() };
    let mut rules = picture.rules.get(group).map(|r| r.to_vec()).unwrap_or_default();
    rules.push(rule);
    picture.rules.insert(group.into(), rules.into());
}

fn group(picture: &mut Picture, id: &str, vpc: &str) {
    let group = SecurityGroup { id: id.into(), name: id.into(), vpc: vpc.into(), owner: "111122223333".into(), tags: Tags::new() };
    picture.groups.insert(id.into(), Arc::new(group));
    picture.rules.insert(id.into(), Arc::new([]));
    picture.asked.insert(Need::RulesOf(id.into()), None);
    picture.asked.insert(Need::InterfacesWith(id.into()), None);
}

fn cidr(text: &str) -> Peer {
    Peer::Cidr(net(text))
}

fn tcp(direction: Direction, peer: Peer) -> RuleShape {
    RuleShape::tcp(direction, 5432, peer)
}

const V4: [&str; 3] = ["10.0.0.0/31", "10.0.0.2/31", "10.0.0.4/31"];
const V6: [&str; 3] = ["2600:1::/127", "2600:1::2/127", "2600:1::4/127"];

/// The near side, the same for all configurations.
fn near() -> Picture {
    let mut p = Picture::default();
    vpc(&mut p, NEAR, &["10.0.0.0/24", "2600:1::/64"]);
    for (i, zone) in ["a", "b", "a"].iter().enumerate() {
        subnet(&mut p, &format!("subnet-{i}"), NEAR, zone, &[V4[i], V6[i]]);
    }
    table(&mut p, "rtb-main", NEAR, true, &[]);
    table(&mut p, "rtb-own", NEAR, false, &["subnet-0", "subnet-1"]);
    table(&mut p, "rtb-public", NEAR, false, &["subnet-2"]);
    group(&mut p, SOURCE_GROUP, NEAR);
    group(&mut p, HOST_GROUP, NEAR);
    for (id, cidrs) in [("pl-a", vec!["10.1.0.0/31", "203.0.113.0/31"]), ("pl-b", vec!["10.1.0.0/24", "0.0.0.0/0"])] {
        let list = PrefixList { id: id.into(), name: id.into(), cidrs: cidrs.iter().map(|c| net(c)).collect(), max_entries: Some(5) };
        p.prefix_lists.insert(id.into(), Arc::new(list));
        p.asked.insert(Need::PrefixList(id.into()), None);
    }
    p
}

fn eni(p: &mut Picture, id: &str, at: &str, address: &str, groups: &[&str]) {
    let interface = NetworkInterface {
        id: id.into(),
        vpc: NEAR.into(),
        subnet: at.into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec![address.parse().unwrap()],
        public_ips: vec![],
        groups: groups.iter().map(|g| (*g).into()).collect(),
        source_dest_check: false,
    };
    p.interfaces.insert(id.into(), Arc::new(interface));
    p.asked.insert(Need::Interface(id.into()), None);
}

fn far_vpc(p: &mut Picture) {
    vpc(p, FAR, &["10.1.0.0/24", "2600:2::/64"]);
    subnet(p, "subnet-8", FAR, "a", &["10.1.0.0/31", "2600:2::/127"]);
    subnet(p, "subnet-9", FAR, "b", &["10.1.0.2/31", "2600:2::2/127"]);
    table(p, "rtb-far", FAR, true, &[]);
    group(p, TARGET_GROUP, FAR);
}

fn goal(host: &str) -> Goal {
    let groups = vec![TARGET_GROUP.into()];
    let addresses = host.parse::<IpAddr>().map(|ip| vec![IpNet::from(ip)]).unwrap_or_default();
    Goal { host: host.into(), port: 5432, addresses, groups, ..Goal::default() }
}

/// One of the six configurations, open in all its hops.
pub fn open(kind: usize, v6: bool, d: &mut Dice) -> World {
    let mut p = near();
    let source = Source {
        name: "orders-ri".into(),
        kind: SourceKind::Instance,
        vpc: NEAR.into(),
        subnets: vec!["subnet-0".into(), "subnet-1".into()],
        groups: vec![SOURCE_GROUP.into()],
        private_ips: vec![],
        public_ips: vec![],
        publicly_accessible: Some(false),
        dual_stack: v6,
        dns_servers: vec![],
    };
    let mut w = World {
        near: Picture::default(),
        far: None,
        far_region: "eu-central-1",
        far_account: "111122223333",
        source,
        targets: vec![],
        way: Way::SameVpc,
    };
    let outside = if v6 { "2600:9::/127" } else { "203.0.113.0/31" };
    match kind {
        // SameVpc, ClassicLink
        0 | 5 => {
            group(&mut p, TARGET_GROUP, NEAR);
            let mut t = goal("db.example.com");
            t.vpc = Some(NEAR.into());
            t.subnets = vec!["subnet-1".into(), "subnet-2".into()];
            if v6 || d.one_in(3) {
                t = Goal { subnets: d.pick(&[vec![], t.subnets.clone()]), ..goal(if v6 { "2600:1::5" } else { "10.0.0.4" }) };
                t.vpc = Some(NEAR.into());
            }
            w.targets = vec![t];
            w.way = if kind == 0 { Way::SameVpc } else { Way::ClassicLink };
            rule(&mut p, SOURCE_GROUP, tcp(Direction::Out, Peer::SecurityGroup(TARGET_GROUP.into())));
            rule(&mut p, TARGET_GROUP, tcp(Direction::In, Peer::SecurityGroup(SOURCE_GROUP.into())));
        }
        1 => {
            let abroad = d.one_in(2);
            let mut far = if abroad { Picture::default() } else { p.clone() };
            far_vpc(&mut far);
            let side = |vpc: &str, region: &str, cidrs: &[&str]| PeeringSide {
                vpc: vpc.into(),
                account: "111122223333".into(),
                region: region.into(),
                cidrs: cidrs.iter().map(|c| net(c)).collect(),
                dns_resolution: Some(true),
            };
            w.far_region = if abroad { "us-east-1" } else { "eu-central-1" };
            let (a, b) =
                (side(NEAR, "eu-central-1", &["10.0.0.0/24", "2600:1::/64"]), side(FAR, w.far_region, &["10.1.0.0/24", "2600:2::/64"]));
            let (requester, accepter) = if d.one_in(2) { (a, b) } else { (b, a) };
            let peering = PeeringConnection { id: "pcx-1".into(), status: "active".into(), message: None, requester, accepter };
            let to = Target::PeeringConnection("pcx-1".into());
            for (near_cidr, far_cidr) in [("10.0.0.0/24", "10.1.0.0/24"), ("2600:1::/64", "2600:2::/64")] {
                route(&mut far, "rtb-far", near_cidr, to.clone());
                if abroad {
                    route(&mut p, "rtb-own", far_cidr, to.clone());
                } else {
                    route(&mut far, "rtb-own", far_cidr, to.clone());
                }
            }
            let mut t = goal("orders.abc.eu-central-1.rds.amazonaws.com");
            if v6 || d.one_in(3) {
                t = goal(if v6 { "2600:2::1" } else { "10.1.0.1" });
            }
            t.vpc = Some(FAR.into());
            t.subnets = vec!["subnet-8".into(), "subnet-9".into()];
            t.aws_name = t.addresses.is_empty();
            t.publicly_accessible = d.pick(&[None, Some(true), Some(false)]);
            w.targets = vec![t];
            w.way = Way::PeeredVpc { peering: "pcx-1".into() };
            let (to, from) = if abroad || d.one_in(3) {
                (cidr(if v6 { "2600:2::/64" } else { "10.1.0.0/24" }), cidr(if v6 { "2600:1::/64" } else { "10.0.0.0/24" }))
            } else {
                (Peer::SecurityGroup(TARGET_GROUP.into()), Peer::SecurityGroup(SOURCE_GROUP.into()))
            };
            rule(&mut far, TARGET_GROUP, tcp(Direction::In, from));
            if abroad {
                p.peerings.insert("pcx-1".into(), Arc::new(peering));
                rule(&mut p, SOURCE_GROUP, tcp(Direction::Out, to));
                w.far = Some(far);
            } else {
                p = far;
                p.peerings.insert("pcx-1".into(), Arc::new(peering));
                rule(&mut p, SOURCE_GROUP, tcp(Direction::Out, to));
            }
        }
        2 => {
            let mut t = goal("ora.corp.example.com");
            t.groups = vec![];
            t.addresses = vec![net(if v6 { "2600:7::/127" } else { "172.16.0.0/31" })];
            rule(&mut p, SOURCE_GROUP, tcp(Direction::Out, Peer::Cidr(t.addresses[0])));
            let wide = if v6 { "2600:7::/64" } else { "172.16.0.0/12" };
            let attachment = TransitGatewayAttachment {
                id: "tgw-attach-1".into(),
                gateway: "tgw-1".into(),
                vpc: NEAR.into(),
                state: "available".into(),
                subnets: vec!["subnet-0".into(), "subnet-1".into()],
            };
            p.transit_gateway_attachments.insert("tgw-attach-1".into(), Arc::new(attachment));
            eni(&mut p, "eni-host", "subnet-2", "10.0.0.4", &[HOST_GROUP]);
            rule(&mut p, HOST_GROUP, tcp(Direction::In, Peer::SecurityGroup(SOURCE_GROUP.into())));
            rule(&mut p, HOST_GROUP, tcp(Direction::Out, Peer::Cidr(t.addresses[0])));
            let gateway = d.pick(&[Target::VpnGateway("vgw-1".into()), Target::TransitGateway("tgw-1".into())]);
            let bridged = d.one_in(2);
            let first = if bridged { Target::NetworkInterface(Some("eni-host".into())) } else { gateway.clone() };
            route(&mut p, "rtb-own", wide, first);
            route(&mut p, "rtb-public", wide, gateway);
            w.targets = vec![t];
            let host = NatHost { group: Some(HOST_GROUP.into()), interface: d.one_in(2).then(|| "eni-host".into()) };
            w.way = Way::OnPremises { nat_host: bridged.then_some(host) };
        }
        3 | 4 => {
            p.internet_gateways.insert(NEAR.into(), Arc::new(InternetGateway { id: "igw-1".into(), vpc: NEAR.into() }));
            let mut t = goal("db.example.com");
            t.addresses = vec![net(outside)];
            let known = d.one_in(2);
            if known {
                far_vpc(&mut p);
                p.internet_gateways.insert(FAR.into(), Arc::new(InternetGateway { id: "igw-9".into(), vpc: FAR.into() }));
                route(&mut p, "rtb-far", "0.0.0.0/0", Target::InternetGateway("igw-9".into()));
                route(&mut p, "rtb-far", "::/0", Target::InternetGateway("igw-9".into()));
                t.vpc = Some(FAR.into());
                t.subnets = vec!["subnet-8".into(), "subnet-9".into()];
                t.publicly_accessible = Some(true);
            } else {
                t.groups = vec![];
            }
            rule(&mut p, SOURCE_GROUP, tcp(Direction::Out, cidr(outside)));
            if kind == 3 {
                w.source.publicly_accessible = Some(true);
                w.source.public_ips = vec!["198.51.100.7".parse().unwrap()];
                for all in ["0.0.0.0/0", "::/0"] {
                    route(&mut p, "rtb-own", all, Target::InternetGateway("igw-1".into()));
                }
                if known {
                    rule(&mut p, TARGET_GROUP, tcp(Direction::In, cidr(if v6 { "2600:1::/64" } else { "198.51.100.7/32" })));
                }
                w.way = Way::Internet;
            } else {
                let address = |ip: &str| NatAddress {
                    public_ip: Some(ip.parse().unwrap()),
                    private_ip: Some("10.0.0.5".parse().unwrap()),
                    interface: None,
                    in_use: true,
                };
                let nat = NatGateway {
                    id: "nat-1".into(),
                    vpc: NEAR.into(),
                    subnet: Some("subnet-2".into()),
                    state: "available".into(),
                    failure: None,
                    public: true,
                    regional: false,
                    addresses: vec![address("198.51.100.1"), address("198.51.100.2")],
                };
                p.nat_gateways.insert("nat-1".into(), Arc::new(nat));
                route(&mut p, "rtb-own", "0.0.0.0/0", Target::NatGateway("nat-1".into()));
                route(&mut p, "rtb-public", "0.0.0.0/0", Target::InternetGateway("igw-1".into()));
                if known {
                    rule(&mut p, TARGET_GROUP, tcp(Direction::In, cidr("198.51.100.1/32")));
                    rule(&mut p, TARGET_GROUP, tcp(Direction::In, cidr("198.51.100.2/32")));
                }
                w.way = Way::NatGateway { gateways: if d.one_in(2) { vec![] } else { vec!["nat-1".into()] } };
            }
            w.targets = vec![t];
        }
        _ => unreachable!(),
    }
    w.near = p;
    w
}

/// As many choices as a network may take.
pub const CHOICES: usize = 64;

/// A network, by choices.
pub fn world(choices: &[u16]) -> World {
    let mut d = Dice::given(choices.to_vec());
    let kind = d.below(6);
    let v6 = kind != 4 && d.one_in(4);
    let mut w = open(kind, v6, &mut d);
    if d.one_in(3) {
        w.source.private_ips = vec![if v6 { "2600:1::1" } else { "10.0.0.1" }.parse().unwrap()];
        if d.one_in(3) {
            w.source.private_ips.push("10.0.0.2".parse().unwrap());
        }
    }
    if d.one_in(12) {
        w.source.kind = d.pick(&[SourceKind::Placement, SourceKind::Serverless]);
        w.source.private_ips.clear();
    }
    for _ in 0..d.below(5) {
        change(&mut w, &mut d);
    }
    w
}

fn any_cidr(d: &mut Dice) -> IpNet {
    net(d.pick(&[
        "10.0.0.0/31",
        "10.0.0.2/31",
        "10.0.0.4/31",
        "10.0.0.0/32",
        "10.0.0.1/32",
        "10.0.0.2/32",
        "10.0.0.4/32",
        "10.0.0.0/24",
        "10.0.0.0/8",
        "0.0.0.0/0",
        "10.1.0.0/31",
        "10.1.0.2/31",
        "10.1.0.1/32",
        "10.1.0.3/32",
        "10.1.0.0/24",
        "172.16.0.0/31",
        "172.16.0.1/32",
        "172.16.0.0/12",
        "203.0.113.0/31",
        "203.0.113.1/32",
        "198.51.100.0/24",
        "198.51.100.1/32",
        "198.51.100.7/32",
        "2600:1::/64",
        "2600:1::/127",
        "2600:1::3/128",
        "2600:2::/64",
        "2600:2::1/128",
        "::/0",
        "2600:7::/127",
        "2600:9::1/128",
    ]))
}

fn any_target(d: &mut Dice) -> Target {
    d.pick(&[
        Target::Local,
        Target::InternetGateway("igw-1".into()),
        Target::InternetGateway("igw-2".into()),
        Target::NatGateway("nat-1".into()),
        Target::PeeringConnection("pcx-1".into()),
        Target::PeeringConnection("pcx-2".into()),
        Target::TransitGateway("tgw-1".into()),
        Target::VpnGateway("vgw-1".into()),
        Target::NetworkInterface(Some("eni-host".into())),
        Target::Other("eigw-1".into()),
        Target::Other("lgw-1".into()),
    ])
}

fn any_peer(d: &mut Dice) -> Peer {
    match d.below(4) {
        0 => Peer::SecurityGroup(d.pick(&[SOURCE_GROUP, TARGET_GROUP, HOST_GROUP, "sg-gone"]).into()),
        1 => Peer::PrefixList(d.pick(&["pl-a", "pl-b"]).into()),
        _ => Peer::Cidr(any_cidr(d)),
    }
}

/// One change at random, of the near or the far side.
fn change(w: &mut World, d: &mut Dice) {
    // Prefix lists are Regional: those that the far Region's rules could name are not made up.
    let far = w.far.is_some() && d.one_in(2);
    let kind = d.below(15);
    let source_change = kind == 13;
    let located = !w.targets[0].addresses.is_empty();
    if source_change {
        match d.below(4) {
            0 => w.source.publicly_accessible = d.pick(&[None, Some(false)]),
            1 => {
                w.source.subnets.retain(|s| s.as_str() == "subnet-0");
            }
            2 => w.targets[0].subnets.truncate(1),
            _ => w.source.groups.push(HOST_GROUP.into()),
        }
        return;
    }
    let p = if far { w.far_mut() } else { &mut w.near };
    match kind {
        0 | 1 => {
            let groups: Vec<_> = p.rules.keys().cloned().collect();
            let group = d.pick(&groups);
            let mut rules = p.rules[&group].to_vec();
            if !rules.is_empty() && d.one_in(3) {
                rules.remove(d.below(rules.len()));
            }
            let protocol = d.pick(&[Protocol::Tcp, Protocol::Tcp, Protocol::Tcp, Protocol::All, Protocol::Udp]);
            let ports = if protocol == Protocol::All {
                None
            } else {
                Some(d.pick(&[Ports::one(5432), Ports { from: 5000, to: 6000 }, Ports::one(443)]))
            };
            let mut peer = any_peer(d);
            if far && matches!(peer, Peer::PrefixList(_)) {
                peer = cidr("0.0.0.0/0");
            }
            let shape = RuleShape { direction: d.pick(&[Direction::In, Direction::Out]), protocol, ports, peer };
            if !rules.is_empty() && d.one_in(2) {
                let at = d.below(rules.len());
                rules[at].shape = shape;
                p.rules.insert(group, rules.into());
            } else {
                p.rules.insert(group.clone(), rules.into());
                rule(p, group.as_str(), shape);
            }
        }
        2..=5 => {
            let acls: Vec<_> = p.acls.keys().cloned().collect();
            let acl = Arc::make_mut(p.acls.get_mut(&d.pick(&acls)).unwrap());
            if d.one_in(4) {
                acl.entries.remove(d.below(acl.entries.len()));
                return;
            }
            let protocol = d.pick(&[Protocol::Tcp, Protocol::Tcp, Protocol::All, Protocol::Udp]);
            let ranges = [
                (0, 65_535),
                (5432, 5432),
                (1024, 65_535),
                (32_768, 65_535),
                (32_768, 39_999),
                (32_768, 49_999),
                (40_000, 65_535),
                (50_000, 65_535),
                (443, 443),
            ];
            let (from, to) = d.pick(&ranges);
            let entry = AclEntry {
                direction: d.pick(&[Direction::In, Direction::Out]),
                number: d.pick(&[1, 2, 50, 90, 99, 105, 110, 32_766]),
                protocol,
                ports: if protocol == Protocol::All { None } else { Some(Ports { from, to }) },
                cidr: any_cidr(d),
                allow: d.one_in(2),
            };
            acl.entries.retain(|e| (e.direction, e.number) != (entry.direction, entry.number));
            acl.entries.push(entry);
            acl.entries.sort();
        }
        6..=9 => {
            let tables: Vec<_> = p.route_tables.keys().cloned().collect();
            let table = Arc::make_mut(p.route_tables.get_mut(&d.pick(&tables)).unwrap());
            match d.below(6) {
                0 if !table.main => {
                    table.subnets.pop();
                }
                1 => {
                    table.routes.pop();
                }
                2 if !table.routes.is_empty() => {
                    let at = d.below(table.routes.len());
                    if table.routes[at].target != Target::Local {
                        table.routes[at].state = d.pick(&[RouteState::Blackhole, RouteState::Filtered]);
                    }
                }
                3 if !table.routes.is_empty() => {
                    let at = d.below(table.routes.len());
                    table.routes[at].target = any_target(d);
                }
                _ => {
                    let list = !far && d.one_in(4);
                    let destination =
                        if list { Destination::PrefixList(d.pick(&["pl-a", "pl-b"]).into()) } else { Destination::Cidr(any_cidr(d)) };
                    // Gateways propagate CIDRs.
                    let origin = if list {
                        RouteOrigin::CreateRoute
                    } else {
                        d.pick(&[RouteOrigin::CreateRoute, RouteOrigin::CreateRoute, RouteOrigin::Propagated])
                    };
                    let route = Route {
                        destination,
                        target: any_target(d),
                        state: d.pick(&[RouteState::Active, RouteState::Active, RouteState::Blackhole, RouteState::Filtered]),
                        origin,
                    };
                    let same = |r: &Route| {
                        r.destination == route.destination && (r.origin == RouteOrigin::Propagated) == (origin == RouteOrigin::Propagated)
                    };
                    if !table.routes.iter().any(same) {
                        table.routes.push(route);
                    }
                }
            }
        }
        10 => {
            let gateways: Vec<_> = p.internet_gateways.keys().cloned().collect();
            if !gateways.is_empty() {
                let vpc = d.pick(&gateways);
                if d.one_in(2) {
                    p.internet_gateways.remove(&vpc);
                } else {
                    p.internet_gateways.insert(vpc.clone(), Arc::new(InternetGateway { id: "igw-2".into(), vpc }));
                }
            }
        }
        11 => {
            let (peerings, nats): (Vec<_>, Vec<_>) = (p.peerings.keys().cloned().collect(), p.nat_gateways.keys().cloned().collect());
            if let Some(id) = peerings.first() {
                let peering = Arc::make_mut(p.peerings.get_mut(id).unwrap());
                match d.below(4) {
                    0 => peering.status = d.pick(&["pending-acceptance", "expired", "deleted"]).into(),
                    1 => peering.accepter.cidrs = vec![net("10.0.0.0/16"), net("10.1.0.0/31")],
                    2 => {
                        peering.requester.dns_resolution = Some(false);
                        peering.accepter.dns_resolution = Some(d.one_in(2));
                    }
                    // Behind a peering with strangers only a known address is looked at.
                    _ if located => peering.accepter.account = "444455556666".into(),
                    _ => {}
                }
            } else if let Some(id) = nats.first() {
                let nat = Arc::make_mut(p.nat_gateways.get_mut(id).unwrap());
                match d.below(5) {
                    0 => nat.state = d.pick(&["failed", "pending", "deleting"]).into(),
                    1 => nat.public = false,
                    2 => nat.addresses[0].in_use = false,
                    3 => (nat.subnet, nat.regional) = (None, true),
                    _ => nat.addresses[1].public_ip = Some("198.51.100.3".parse().unwrap()),
                }
            } else if let Some(a) = p.transit_gateway_attachments.get_mut("tgw-attach-1") {
                let a = Arc::make_mut(a);
                if d.one_in(2) {
                    a.state = "pending".into()
                } else {
                    a.subnets = vec![d.pick(&["subnet-0", "subnet-1", "subnet-2"]).into()]
                }
            }
        }
        12 => {
            if let Some(i) = p.interfaces.get_mut("eni-host") {
                let i = Arc::make_mut(i);
                match d.below(4) {
                    0 => i.status = "available".into(),
                    1 => i.source_dest_check = true,
                    2 => i.subnet = d.pick(&["subnet-0", "subnet-1"]).into(),
                    _ => i.groups.push(SOURCE_GROUP.into()),
                }
            }
        }
        _ => {
            if d.one_in(2) {
                let subnets: Vec<_> = p.subnets.keys().cloned().collect();
                let subnet = Arc::make_mut(p.subnets.get_mut(&d.pick(&subnets)).unwrap());
                subnet.block_public_access = d.pick(&[BlockPublicAccess::Ingress, BlockPublicAccess::Bidirectional]);
            } else {
                let vpcs: Vec<_> = p.vpc_dns.keys().cloned().collect();
                let dns = Arc::make_mut(p.vpc_dns.get_mut(&d.pick(&vpcs)).unwrap());
                if d.one_in(2) { dns.support = false } else { dns.hostnames = false }
            }
        }
    }
}
