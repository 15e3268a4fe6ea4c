//! Paths as lanes: one for each host and port, with what packets meet on it, put into columns. Two walks of one lane (from two
//! subnets, say) are one: a station then stands for all that is met there, and shows the worst.

use std::collections::BTreeMap;

use super::Places;
use crate::{
    cli::explain::{NetworkPaths, kind},
    reach::{Hop, HopKind, Report, State, Walk},
};

/// Where on its way a packet meets something: the columns of the picture, from the replication to the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The name and the replication's own addresses: only where they are in the way.
    Name,
    /// The replication's groups.
    Groups,
    /// The ACL of its subnets.
    Acl,
    /// Their route table.
    Routes,
    /// What forwards inside the VPC (NAT gateway, host, gateway endpoint), with the ACLs, groups and routes of its own subnet.
    Device,
    /// What leads out of the VPC.
    Gateway,
    /// The ACL of the database's subnets; outside AWS, what AWS does not show.
    FarAcl,
    /// The route table of the database's subnets, which answers ask.
    FarRoutes,
    /// The database's groups.
    FarGroups,
}

/// What is met at one stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Station {
    /// What people call it.
    pub kind: &'static str,
    /// IDs.
    pub resources: Vec<String>,
    /// What it does to the packet; none where it does not meet it.
    pub out: Option<State>,
    /// What it does to the answer.
    pub back: Option<State>,
    /// Codes of what it does not let through, each with what it is about where that is not the station itself.
    pub codes: Vec<(State, String)>,
}

impl Station {
    /// The worst that it does.
    pub fn state(&self) -> State {
        self.out.max(self.back).unwrap_or(State::NotAsked)
    }
}

/// Where a lane ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the replication's VPC.
    Home,
    /// In another VPC.
    Vpc(String),
    /// Not in a VPC that is known.
    Outside(&'static str),
}

/// The way to one host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The database's name, or the service's.
    pub name: String,
    /// Host and port; empty where they are not known.
    pub target: String,
    /// The last word.
    pub verdict: State,
    /// What is met, by column.
    pub stations: BTreeMap<Stage, Station>,
    /// Where it ends.
    pub place: Place,
    /// Subnets that the database may live in.
    pub subnets: Vec<String>,
}

/// Why a lane is not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Blocked, unknown, or open and to be known all the same.
    pub state: State,
    /// Names of the databases.
    pub names: Vec<String>,
    /// `AclDeniesIn acl-0a1b2c3d`
    pub about: String,
    /// A sentence.
    pub text: String,
}

/// One network as lanes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// In the order of the picture: those that end at one place stand together.
    pub lanes: Vec<Lane>,
    /// The replication's VPC.
    pub vpc: Option<String>,
    /// Subnets that the replication may live in.
    pub subnets: Vec<String>,
    /// What is to be read below.
    pub notes: Vec<Note>,
}

impl Lanes {
    /// Sorts out the paths of a network.
    pub fn of(network: &NetworkPaths, places: &Places) -> Self {
        let mut all = Self::default();
        for pair in network.paths.iter().flat_map(|p| &p.walks).flat_map(|w| &w.between) {
            push(&mut all.subnets, pair.from.as_str());
        }
        all.subnets.sort_by_cached_key(|s| (places.subnet(s), s.clone()));
        all.vpc = all.subnets.iter().find_map(|s| places.vpc(s));
        for path in &network.paths {
            let mut targets: Vec<(&str, u16)> = Vec::new();
            for walk in &path.walks {
                if !targets.contains(&(&walk.host, walk.port)) {
                    targets.push((&walk.host, walk.port));
                }
            }
            if targets.is_empty() {
                all.lanes.push(Lane::new(path, &[], all.vpc.as_deref(), places));
            }
            for (host, port) in targets {
                let walks: Vec<&Walk> = path.walks.iter().filter(|w| w.host == host && w.port == port).collect();
                all.lanes.push(Lane::new(path, &walks, all.vpc.as_deref(), places));
            }
            all.note(path);
        }
        all.sort();
        all
    }

    /// Those that end in one VPC stand together, and in it those that end in the same subnets or take the same gateway.
    fn sort(&mut self) {
        fn rank<T: PartialEq>(seen: &mut Vec<T>, value: T) -> usize {
            seen.iter().position(|s| *s == value).unwrap_or_else(|| {
                seen.push(value);
                seen.len() - 1
            })
        }
        let (mut places, mut ways, mut subnets) = (vec![Place::Home], Vec::new(), Vec::new());
        let through = |lane: &Lane, stage| lane.stations.get(&stage).map(|s| s.resources.clone());
        self.lanes.sort_by_cached_key(|lane| {
            let way = (through(lane, Stage::Gateway), through(lane, Stage::Device));
            (rank(&mut places, lane.place.clone()), rank(&mut ways, way), rank(&mut subnets, lane.subnets.clone()))
        });
    }

    fn note(&mut self, path: &Report) {
        let found = path.findings.iter().map(|f| (State::Blocked, f.code, &f.resource, format!("{}. Fix: {}.", f.found, f.fix)));
        let unknown = path.unknown.iter().map(|u| (State::Unknown, u.code, &u.resource, format!("{}.", u.reason)));
        let warned = path.warnings.iter().map(|w| (State::Open, w.code, &w.resource, format!("{}. Better: {}.", w.found, w.fix)));
        for (state, code, resource, text) in found.chain(unknown).chain(warned) {
            let about = format!("{code} {resource}");
            match self.notes.iter_mut().find(|n| n.about == about && n.text == text) {
                Some(known) => push(&mut known.names, &path.name),
                None => self.notes.push(Note { state, names: vec![path.name.clone()], about, text }),
            }
        }
    }
}

impl Lane {
    fn new(path: &Report, walks: &[&Walk], home: Option<&str>, places: &Places) -> Self {
        let target = walks.first().map(|w| format!("{}:{}", w.host, w.port)).unwrap_or_default();
        let verdict = walks.iter().map(|w| w.verdict).max().unwrap_or(path.verdict).max(State::Open);
        let mut lane =
            Self { name: path.name.clone(), target, verdict, stations: BTreeMap::new(), place: Place::Home, subnets: Vec::new() };
        for walk in walks {
            for to in walk.between.iter().filter_map(|p| p.to.as_ref()) {
                push(&mut lane.subnets, to.as_str());
            }
            for (stage, hop, back) in stages(walk) {
                lane.meet(stage, hop, back);
            }
        }
        lane.subnets.sort_by_cached_key(|s| (places.subnet(s), s.clone()));
        lane.place = lane.ends(home, places);
        lane
    }

    fn meet(&mut self, stage: Stage, hop: &Hop, back: bool) {
        let station = self.stations.entry(stage).or_default();
        // What stands around a device is told by its code alone.
        let own = stage != Stage::Device || matches!(hop.kind, HopKind::NatGateway | HopKind::NetworkInterface | HopKind::VpcEndpoint);
        if own {
            station.kind = kind(hop.kind);
            hop.resource.split(", ").filter(|r| !r.is_empty()).for_each(|r| push(&mut station.resources, r));
        }
        let mark = if back { &mut station.back } else { &mut station.out };
        *mark = (*mark).max(Some(hop.state));
        if hop.kind == HopKind::Beyond {
            // What is not shown is not shown of answers either.
            station.back = station.back.max(Some(hop.state));
        }
        if let (Some(code), State::Blocked | State::Unknown) = (hop.code, hop.state) {
            let text = if own { code.to_string() } else { format!("{code} {}", hop.resource) };
            if !station.codes.contains(&(hop.state, text.clone())) {
                station.codes.push((hop.state, text));
            }
        }
    }

    fn ends(&self, home: Option<&str>, places: &Places) -> Place {
        let station = |stage| self.stations.get(&stage);
        let at = |stage| station(stage).and_then(|s| s.resources.iter().find_map(|r| places.vpc(r)));
        let found = self.subnets.iter().find_map(|s| places.vpc(s));
        let found = found.or_else(|| at(Stage::FarGroups)).or_else(|| {
            let gateway = station(Stage::Gateway)?;
            gateway.resources.iter().find_map(|r| places.behind(r, home?))
        });
        match found {
            Some(vpc) if Some(vpc.as_str()) == home => return Place::Home,
            Some(vpc) => return Place::Vpc(vpc),
            None => {}
        }
        let kinds = [station(Stage::Gateway), station(Stage::Device)].into_iter().flatten().map(|s| s.kind);
        for met in kinds {
            if met == kind(HopKind::InternetGateway) || met == kind(HopKind::NatGateway) {
                return Place::Outside("Internet");
            }
            if met == kind(HopKind::VpcEndpoint) {
                return Place::Outside("AWS service");
            }
            if met != kind(HopKind::PeeringConnection) {
                return Place::Outside("On premises");
            }
        }
        Place::Outside("Not shown by AWS")
    }
}

/// What a walk meets, and where. Hops that are not asked are left out, and so are names that resolve and ends that are as they
/// should be. True: the answer meets it.
pub fn stages(walk: &Walk) -> Vec<(Stage, &Hop, bool)> {
    let is_device = |h: &Hop| matches!(h.kind, HopKind::NatGateway | HopKind::NetworkInterface | HopKind::VpcEndpoint);
    let leads_on = |hops: &[Hop]| {
        let on = |h: &Hop| {
            matches!(
                h.kind,
                HopKind::RouteTable | HopKind::InternetGateway | HopKind::TransitGateway | HopKind::VpnGateway | HopKind::Beyond
            )
        };
        hops.iter().any(on)
    };
    let (mut routed, mut device, mut out) = (false, false, Vec::new());
    for (i, hop) in walk.out.iter().enumerate() {
        let rest = &walk.out[i + 1..];
        // In the subnet of something that forwards.
        let around = routed && (device && leads_on(rest) || rest.iter().any(is_device));
        let stage = match hop.kind {
            HopKind::Dns => Stage::Name,
            HopKind::Host if hop.resource != walk.host => Stage::Name,
            HopKind::SecurityGroups | HopKind::NetworkAcl if around => Stage::Device,
            HopKind::RouteTable if device => Stage::Device,
            HopKind::SecurityGroups if routed => Stage::FarGroups,
            HopKind::SecurityGroups => Stage::Groups,
            HopKind::NetworkAcl if routed => Stage::FarAcl,
            HopKind::NetworkAcl => Stage::Acl,
            HopKind::RouteTable => Stage::Routes,
            HopKind::NatGateway | HopKind::NetworkInterface | HopKind::VpcEndpoint => Stage::Device,
            HopKind::InternetGateway | HopKind::PeeringConnection | HopKind::TransitGateway | HopKind::VpnGateway => Stage::Gateway,
            HopKind::Host | HopKind::Subnet | HopKind::Beyond => Stage::FarAcl,
        };
        routed |= hop.kind == HopKind::RouteTable;
        device |= is_device(hop);
        device &= stage != Stage::Gateway;
        out.push((stage, hop, false));
    }
    let around: Vec<&str> = out.iter().filter(|(s, ..)| *s == Stage::Device).map(|(_, h, _)| h.resource.as_str()).collect();
    let last = walk.back.iter().rposition(|h| h.kind == HopKind::NetworkAcl);
    let back = walk.back.iter().enumerate().map(|(i, hop)| {
        let stage = match hop.kind {
            HopKind::NetworkAcl if Some(i) == last => Stage::Acl,
            _ if around.contains(&hop.resource.as_str()) || hop.kind == HopKind::NetworkInterface => Stage::Device,
            HopKind::NetworkAcl => Stage::FarAcl,
            HopKind::RouteTable => Stage::FarRoutes,
            HopKind::InternetGateway | HopKind::PeeringConnection | HopKind::TransitGateway | HopKind::VpnGateway => Stage::Gateway,
            HopKind::SecurityGroups => Stage::FarGroups,
            _ => Stage::FarAcl,
        };
        (stage, hop, true)
    });
    let quiet = |hop: &Hop| matches!(hop.kind, HopKind::Host | HopKind::Dns | HopKind::Subnet) && hop.state == State::Open;
    let back: Vec<_> = back.collect();
    out.into_iter().chain(back).filter(|(_, hop, _)| hop.state != State::NotAsked && !quiet(hop)).collect()
}

fn push(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|t| t == text) {
        list.push(text.to_owned());
    }
}
