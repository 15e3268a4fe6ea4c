//! What was found of a replication, and the first draft that it gives. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use super::draft::{Database, Draft, Endpoint, list, scalar};
use crate::{
    aws::inventory::{EndpointEnd, RdsEnd},
    model::{
        Destination, Direction, NetworkInterfaceId, Owner, Ownership, Peer, PeeringConnection, Picture, Policy, Resolution, Rule,
        SecurityGroupId, SubnetId, Target, VpcEndpoint, VpcId, engine::default_port,
    },
};

/// The replication.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Place {
    /// `instance` or `serverless`.
    pub kind: &'static str,
    pub id: String,
    pub vpc: VpcId,
    pub subnets: Vec<SubnetId>,
    pub groups: Vec<SecurityGroupId>,
    pub public: bool,
}

/// All that was found.
pub struct Found<'a> {
    /// The replication.
    pub place: &'a Place,
    /// Endpoints that its tasks and connections name.
    pub ends: &'a [EndpointEnd],
    /// RDS databases of the account and Region.
    pub rds: &'a [RdsEnd],
    /// What AWS holds.
    pub picture: &'a Picture,
    /// Under which name we own objects.
    pub owner: &'a Owner,
    /// Whether VPC endpoints of others are to be taken over.
    pub take_over: bool,
}

/// Services that DMS itself uses (domain.md 2).
const SERVICES: &[&str] = &["dms", "dms-fips", "secretsmanager", "s3", "dynamodb", "kinesis-streams", "redshift", "es"];
/// Engines that are AWS services of their own: reached by a VPC endpoint, not by a rule to a host.
const SERVICE_ENGINES: &[&str] = &["s3", "kinesis", "dynamodb", "timestream"];

impl Found<'_> {
    /// Fills in databases and VPC endpoints.
    pub fn draft(&self, draft: &mut Draft) {
        draft.databases = if self.ends.is_empty() { self.by_rules() } else { self.by_ends() };
        let mut names = BTreeSet::new();
        for database in &mut draft.databases {
            database.name = unique(&database.name, &mut names);
        }
        draft.endpoints = self.endpoints();
    }

    /// From the endpoints of tasks and connections.
    fn by_ends(&self) -> Vec<Database> {
        let mut ends: Vec<&EndpointEnd> = self.ends.iter().collect();
        ends.sort_by(|a, b| (!a.source, &a.endpoint.identifier).cmp(&(!b.source, &b.endpoint.identifier)));
        ends.into_iter().map(|end| self.by_end(end)).collect()
    }

    fn by_end(&self, end: &EndpointEnd) -> Database {
        let e = &end.endpoint;
        let mut database = Database {
            name: e.identifier.clone(),
            role: Some(if end.source { "Source" } else { "Target" }),
            place: format!("dmsEndpoint: {}", scalar(&e.identifier)),
            path: "{type: SameVpc}".to_owned(),
            ..Database::default()
        };
        if SERVICE_ENGINES.contains(&e.engine.as_str()) {
            let note =
                format!("DMS endpoint {} is the AWS service {}: it needs a VPC endpoint or a way to the internet.", e.identifier, e.engine);
            return Database { comment: true, notes: vec![note], ..database };
        }
        let hosts: Vec<&str> = e.host.as_deref().into_iter().chain(e.more_hosts.iter().map(|(h, _)| h.as_str())).collect();
        let Some(host) = hosts.first() else {
            let why = if e.secret.is_some() { "only in a secret" } else { "nowhere" };
            database.notes.push(format!("DMS tells the host of endpoint {} {why}: write it here.", e.identifier));
            let port = default_port(&e.engine).map_or_else(|| "PORT".to_owned(), |p| p.to_string());
            database.place = format!("address: {{engine: {}, endpoints: [{{host: HOST, port: {port}}}]}}", scalar(&e.engine));
            return Database { comment: true, ..database };
        };
        let rds = self.rds.iter().find(|r| r.database.host.as_deref().is_some_and(|h| h.eq_ignore_ascii_case(host)));
        let port = e.port.or_else(|| default_port(&e.engine));
        self.way(&mut database, rds, &hosts, port);
        database.subnets = rds.map(|r| r.database.subnets.iter().map(ToString::to_string).collect()).unwrap_or_default();
        if rds.is_none()
            && let Some(port) = port
        {
            // What the replication's rules lead to on its port may be its group: the planner tells.
            database.groups = self.peers(port).map(ToString::to_string).collect();
            database.groups.dedup();
        }
        database
    }

    /// From rules of the replication's groups to groups that RDS databases use.
    fn by_rules(&self) -> Vec<Database> {
        let mut out = Vec::new();
        let clusters: BTreeSet<&str> = self.rds.iter().filter(|r| r.cluster).map(|r| r.database.identifier.as_str()).collect();
        for end in self.rds {
            if end.member_of.as_deref().is_some_and(|c| clusters.contains(c)) {
                continue;
            }
            let Some(port) = end.database.port else { continue };
            if !self.peers(port).any(|group| end.database.groups.contains(group)) {
                continue;
            }
            let kind = if end.cluster { "cluster" } else { "instance" };
            let mut database = Database {
                name: end.database.identifier.clone(),
                place: format!("rds: {{{kind}: {}}}", scalar(&end.database.identifier)),
                notes: vec!["No task and no connection names it: a rule of the replication's group leads to its group.".to_owned()],
                ..Database::default()
            };
            self.way(&mut database, Some(end), &[], None);
            out.push(database);
        }
        out
    }

    /// Groups that the replication's rules lead to on a port.
    fn peers(&self, port: u16) -> impl Iterator<Item = &SecurityGroupId> {
        self.let_out(port).filter_map(|peer| if let Peer::SecurityGroup(group) = peer { Some(group) } else { None })
    }

    /// What the replication's rules lead to on a port.
    fn let_out(&self, port: u16) -> impl Iterator<Item = &Peer> {
        let rules = self.place.groups.iter().flat_map(|g| self.picture.rules_of(g)).filter(|r| r.shape.direction == Direction::Out);
        let on_port = move |r: &&Rule| r.shape.tcp_ports().is_some_and(|p| p.from <= port.into() && i32::from(port) <= p.to);
        rules.filter(on_port).map(|r| &r.shape.peer)
    }

    /// The narrowest network around an address that the replication's rules let out to, else the address alone.
    fn network_of(&self, address: IpAddr, port: Option<u16>) -> IpNet {
        let networks = port.into_iter().flat_map(|p| self.let_out(p)).filter_map(|peer| match peer {
            Peer::Cidr(net) if net.prefix_len() > 0 && net.contains(&address) => Some(*net),
            _ => None,
        });
        networks.max_by_key(IpNet::prefix_len).unwrap_or_else(|| IpNet::from(address))
    }

    /// The host in the VPC that the replication's routes to these addresses lead to, if they do.
    fn nat_host(&self, addresses: &[IpAddr]) -> Option<(&NetworkInterfaceId, &SecurityGroupId)> {
        let tables = self.picture.route_tables.values().filter(|t| t.subnets.iter().any(|s| self.place.subnets.contains(s)));
        let to_all = |d: &Destination| matches!(d, Destination::Cidr(net) if addresses.iter().all(|a| net.contains(a)));
        let routes = tables.flat_map(|t| &t.routes).filter(|r| to_all(&r.destination));
        let route = routes.max_by_key(|r| if let Destination::Cidr(net) = &r.destination { net.prefix_len() } else { 0 })?;
        let Target::NetworkInterface(Some(id)) = &route.target else { return None };
        Some((id, self.picture.interfaces.get(id)?.groups.first()?))
    }

    /// Its groups, and the way there.
    fn way(&self, database: &mut Database, rds: Option<&RdsEnd>, hosts: &[&str], port: Option<u16>) {
        let vpc = rds.and_then(|r| self.vpc_of(r));
        database.groups = rds.map(|r| r.database.groups.iter().map(ToString::to_string).collect()).unwrap_or_default();
        let addresses: Vec<IpAddr> = hosts.iter().flat_map(|h| self.addresses(h)).collect();
        if let Some(vpc) = vpc {
            if vpc == self.place.vpc {
                database.path = "{type: SameVpc}".to_owned();
            } else if let Some(peering) = self.peerings().find(|p| p.sides(&self.place.vpc).is_some_and(|(_, far)| far.vpc == vpc)) {
                self.peered(database, peering);
            } else {
                database.path = "{type: SameVpc}".to_owned();
                database
                    .notes
                    .push(format!("It is in {vpc}, which no peering connection joins with {}: correct the path.", self.place.vpc));
            }
            return;
        }
        let within = |nets: &[IpNet]| !addresses.is_empty() && addresses.iter().all(|a| nets.iter().any(|n| n.contains(a)));
        let own = self.picture.vpcs.get(&self.place.vpc).map(|v| v.cidrs.clone()).unwrap_or_default();
        let networks: BTreeSet<IpNet> = addresses.iter().map(|a| self.network_of(*a, port)).collect();
        let cidrs = || list(&networks);
        if addresses.is_empty() {
            database.path = "{type: SameVpc}".to_owned();
            database.notes.push(format!("{} did not resolve from here: check the path.", hosts.join(", ")));
        } else if within(&own) {
            database.path = "{type: SameVpc}".to_owned();
        } else if let Some(peering) = self.peerings().find(|p| p.sides(&self.place.vpc).is_some_and(|(_, far)| within(&far.cidrs))) {
            self.peered(database, peering);
        } else if addresses.iter().all(is_private) {
            let host = self.nat_host(&addresses).map_or_else(String::new, |(interface, group)| {
                format!(", natHost: {{securityGroupId: {}, networkInterfaceId: {}}}", scalar(group.as_str()), scalar(interface.as_str()))
            });
            database.path = format!("{{type: OnPremises, onPremises: {{cidrs: {}{host}}}}}", cidrs());
            database.notes.push("AWS does not tell the site's networks: correct cidrs if they are others.".to_owned());
        } else if self.place.public {
            database.path = format!("{{type: Internet, internet: {{cidrs: {}}}}}", cidrs());
        } else {
            database.path = format!("{{type: NatGateway, natGateway: {{cidrs: {}}}}}", cidrs());
        }
    }

    fn peered(&self, database: &mut Database, peering: &PeeringConnection) {
        database.path = format!("{{type: PeeredVpc, peeredVpc: {{peeringConnectionId: {}}}}}", scalar(peering.id.as_str()));
        if let Some((near, far)) = peering.sides(&self.place.vpc)
            && (&near.account, &near.region) != (&far.account, &far.region)
        {
            database.notes.push(format!(
                "Its side of the peering is in account {}, {}: write a class for that, and name it here as className.",
                far.account, far.region
            ));
        }
    }

    fn peerings(&self) -> impl Iterator<Item = &PeeringConnection> {
        self.picture.peerings.values().map(|p| &**p).filter(|p| p.is_active())
    }

    fn vpc_of(&self, end: &RdsEnd) -> Option<VpcId> {
        let by_group = || end.database.groups.iter().find_map(|g| self.picture.groups.get(g)).map(|g| g.vpc.clone());
        end.database.vpc.clone().or_else(by_group)
    }

    fn addresses(&self, host: &str) -> Vec<IpAddr> {
        match (host.parse(), self.picture.hosts.get(host)) {
            (Ok(address), _) => vec![address],
            (_, Some(Resolution::Addresses(list))) => list.clone(),
            _ => Vec::new(),
        }
    }

    /// VPC endpoints of services that DMS uses.
    fn endpoints(&self) -> Vec<Endpoint> {
        let mut by_service: BTreeMap<(usize, &str), Vec<&VpcEndpoint>> = BTreeMap::new();
        for e in self.picture.endpoints.values().filter(|e| e.vpc == self.place.vpc && !e.is_going()) {
            let short = e.service_name.rsplit_once("amazonaws.").and_then(|(_, rest)| rest.split_once('.')).map_or("", |(_, s)| s);
            if let Some(rank) = SERVICES.iter().position(|s| *s == short) {
                by_service.entry((rank, short)).or_default().push(e);
            }
        }
        by_service.into_iter().flat_map(|((_, service), list)| list.into_iter().map(move |e| self.endpoint(service, e))).collect()
    }

    fn endpoint(&self, service: &str, e: &VpcEndpoint) -> Endpoint {
        let gateway = e.endpoint_type == "Gateway";
        let mut out = Endpoint { service: service.to_owned(), gateway, ..Endpoint::default() };
        if matches!(Ownership::of(&e.tags, self.owner), Ownership::Ours | Ownership::Shared) {
            out.fields = self.fields(e);
            return out;
        }
        out.id = Some(e.id.to_string());
        if !self.take_over {
            out.comment = true;
            out.notes.push(format!("{} is there, and dmsnet did not make it. To have it kept as it is written here, take it over:", e.id));
        }
        out
    }

    /// All that can be written of an endpoint that we made.
    fn fields(&self, e: &VpcEndpoint) -> Vec<(&'static str, String)> {
        let mut fields = vec![];
        if e.endpoint_type == "Gateway" {
            fields.push(("routeTableIds", list(&e.route_tables)));
        } else {
            fields.push(("subnetIds", list(&e.subnets)));
            let ours =
                |g: &SecurityGroupId| self.picture.groups.get(g).is_some_and(|g| Ownership::of(&g.tags, self.owner) != Ownership::Stranger);
            if !e.groups.iter().all(ours) {
                fields.push(("securityGroupIds", list(&e.groups)));
            }
            let peers: BTreeSet<String> = e
                .groups
                .iter()
                .flat_map(|g| self.picture.rules_of(g))
                .filter(|r| r.shape.direction == Direction::In && r.shape.tcp_ports().is_some_and(|p| (p.from, p.to) == (443, 443)))
                .map(|r| match &r.shape.peer {
                    Peer::Cidr(c) => format!("{{cidr: {}}}", scalar(&c.to_string())),
                    Peer::SecurityGroup(g) => format!("{{securityGroupId: {}}}", scalar(g.as_str())),
                    Peer::PrefixList(p) => format!("{{prefixListId: {}}}", scalar(p.as_str())),
                })
                .collect();
            fields.push(("allowFrom", format!("[{}]", peers.into_iter().collect::<Vec<_>>().join(", "))));
            fields.push(("privateDns", e.private_dns.to_string()));
            fields.push(("ipAddressType", format!("{:?}", e.ip_address_type).to_lowercase()));
        }
        if e.policy != Policy::full_access() {
            fields.push(("policy", format!("{{type: Document, document: {}}}", e.policy.as_str())));
        }
        fields
    }
}

fn is_private(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => a.is_private() || a.is_link_local() || (a.octets()[0] == 100 && a.octets()[1] & 0xc0 == 64),
        IpAddr::V6(a) => a.is_unique_local() || a.is_unicast_link_local(),
    }
}

/// A name that Kubernetes takes, of its own.
pub fn label(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
    let text: String = text.to_ascii_lowercase().chars().map(allowed).take(63).collect();
    let text = text.trim_matches('-');
    if text.is_empty() { "database".to_owned() } else { text.to_owned() }
}

fn unique(text: &str, names: &mut BTreeSet<String>) -> String {
    let base = label(text);
    let numbered = (2..).map(|n| format!("{}-{n}", base.chars().take(59).collect::<String>()));
    let name = std::iter::once(base.clone()).chain(numbered).find(|n| !names.contains(n)).unwrap_or(base);
    names.insert(name.clone());
    name
}
