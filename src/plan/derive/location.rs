//! Where a database is: hosts, ports, addresses, VPC, subnets and group, as far as AWS, DNS and the user tell.

use std::net::IpAddr;

use super::Deriver;
use crate::{
    api::{
        conditions::Reason,
        network::{Database, HostPort, Path, PathType, Rds},
        status::{DatabaseStatus, EndpointAddress, UnknownFact},
    },
    model::{Lookup, Need, RdsDatabase, Resolution, SecurityGroupId, Subnet, SubnetId, VpcId, engine::default_port},
    plan::{change::join, view::View},
};

/// A host and port of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Name or address, as it is written.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Its addresses, sorted, as far as they are known: itself, or what the name resolves to from here.
    pub addresses: Vec<IpAddr>,
    /// Why its name did not resolve, if it did not.
    pub unresolved: Option<String>,
}

/// One database: the other end of a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// Its name in the spec.
    pub name: String,
    /// The class through which its side is seen and changed.
    pub class: String,
    /// How packets get there, with the block of its type.
    pub path: Path,
    /// Engine, as DMS or RDS spells it.
    pub engine: String,
    /// Hosts and ports. On the path ClassicLink these are the database's own; the replication talks to the proxy of the block.
    pub hosts: Vec<Host>,
    /// Its VPC, where that is known: from RDS, else from the path.
    pub vpc: Option<VpcId>,
    /// Every subnet that it may live in, as the user or RDS names them.
    pub subnets: Vec<SubnetId>,
    /// Where its addresses or its group's interfaces are, if nobody names subnets. Rules do not depend on it.
    pub found_in: Vec<SubnetId>,
    /// The group that is ours to open.
    pub group: Option<SecurityGroupId>,
    /// All its groups, as far as they are known.
    pub groups: Vec<SecurityGroupId>,
    /// `PubliclyAccessible` of an RDS database; none for others.
    pub publicly_accessible: Option<bool>,
    /// ARN of the DMS endpoint that describes it, if one does.
    pub dms_endpoint: Option<String>,
    /// The secret that DMS takes its host or password from, if any.
    pub secret: Option<String>,
}

impl Location {
    /// Its ports, each once.
    pub fn ports(&self) -> Vec<u16> {
        let mut ports: Vec<u16> = self.hosts.iter().map(|h| h.port).collect();
        ports.sort_unstable();
        ports.dedup();
        ports
    }

    /// Its subnets as they are named, else as they were found.
    pub fn places(&self) -> &[SubnetId] {
        if self.subnets.is_empty() { &self.found_in } else { &self.subnets }
    }

    fn new(database: &Database, class: &str, engine: &str) -> Self {
        let group = database.security_group_id.as_ref().map(SecurityGroupId::from);
        Self {
            name: database.name.clone(),
            class: class.to_owned(),
            path: database.path.clone(),
            engine: engine.to_owned(),
            hosts: vec![],
            vpc: None,
            subnets: database.subnet_ids.iter().map(Into::into).collect(),
            found_in: vec![],
            groups: group.iter().cloned().collect(),
            group,
            publicly_accessible: None,
            dms_endpoint: None,
            secret: None,
        }
    }
}

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    /// Finds a database, and fills its status.
    pub(super) fn locate(&mut self, database: &Database) -> Option<(Location, View<'v, 'p>)> {
        let resource = format!("database {:?}", database.name);
        let Some(view) = self.views.of(database.class_name.as_deref()) else {
            let class = database.class_name.as_deref().unwrap_or_default();
            let message = format!("DmsNetworkClass {class:?} is not known: create it, or correct className of {resource}");
            self.problem(Reason::ReferenceNotFound, format!("{resource}.className"), message);
            return None;
        };
        let (mut located, hosts) = match (&database.dms_endpoint, &database.rds, &database.address) {
            (Some(name), None, None) => self.by_dms_endpoint(database, name, view, &resource)?,
            (None, Some(rds), None) => self.by_rds(database, rds, view, &resource)?,
            (None, None, Some(address)) => (Location::new(database, view.class, &address.engine), address.endpoints.clone()),
            _ => {
                self.invalid(resource, "set exactly one of dmsEndpoint, rds and address");
                return None;
            }
        };
        for endpoint in hosts.iter().chain(&database.extra_endpoints) {
            match endpoint.port.or_else(|| default_port(&located.engine)) {
                Some(port) => located.hosts.push(host(view, &endpoint.host, port)),
                None => {
                    let message = format!(
                        "database {:?}: engine {:?} has no usual port, and none is written for host {:?}: write its port",
                        database.name, located.engine, endpoint.host
                    );
                    self.invalid(&resource, message);
                }
            }
        }
        self.out.databases.push(status(&located));
        Some((located, view))
    }

    /// DMS's own description of the database: it is in the replication's account and Region, wherever the database is.
    fn by_dms_endpoint(
        &mut self,
        database: &Database,
        name: &str,
        view: View<'v, 'p>,
        resource: &str,
    ) -> Option<(Location, Vec<HostPort>)> {
        let answer = self.home.facts.dms_endpoint(name);
        let endpoint = self.found(answer, resource, &format!("DMS endpoint {name:?}"))?;
        let mut hosts: Vec<HostPort> = Vec::new();
        hosts.extend(endpoint.host.iter().map(|h| HostPort { host: h.clone(), port: endpoint.port }));
        hosts.extend(endpoint.more_hosts.iter().map(|(h, port)| HostPort { host: h.clone(), port: *port }));
        if hosts.is_empty() {
            let why = match &endpoint.secret {
                Some(secret) => format!("its host and port live in the secret {secret}, which dmsnet does not read"),
                None => "DMS shows no server name for it".to_owned(),
            };
            let message = format!(
                "DMS endpoint {name:?} ({}): {why}: write engine, host and port under address instead of dmsEndpoint",
                endpoint.engine
            );
            self.invalid(resource, message);
            return None;
        }
        let mut located = Location::new(database, view.class, &endpoint.engine);
        located.dms_endpoint = Some(endpoint.arn.clone());
        located.secret.clone_from(&endpoint.secret);
        Some((located, hosts))
    }

    fn by_rds(&mut self, database: &Database, rds: &Rds, view: View<'v, 'p>, resource: &str) -> Option<(Location, Vec<HostPort>)> {
        let (answer, what) = match (&rds.instance, &rds.cluster) {
            (Some(id), None) => (view.facts.db_instance(id), format!("RDS instance {id:?}")),
            (None, Some(id)) => (view.facts.db_cluster(id), format!("RDS cluster {id:?}")),
            _ => {
                self.invalid(resource, "under rds, set exactly one of instance and cluster");
                return None;
            }
        };
        let rds = self.found_in(view, answer, resource, &what)?;
        let Some(host) = rds.host.clone() else {
            self.problem(Reason::ReferenceNotFound, resource, format!("{what} ({}) has no endpoint yet", rds.status));
            return None;
        };
        let field = format!("database {:?}.securityGroupId", database.name);
        let group = self.choose(&field, &what, &rds.groups, database.security_group_id.as_deref())?;
        let mut located = Location::new(database, view.class, &rds.engine);
        located.group = Some(group);
        located.groups.clone_from(&rds.groups);
        located.publicly_accessible = Some(rds.publicly_accessible);
        self.rds_place(&mut located, rds, view, resource)?;
        Some((located, vec![HostPort { host, port: rds.port }]))
    }

    /// An instance shows its VPC and subnets, a cluster only the name of its subnet group.
    fn rds_place(&mut self, located: &mut Location, rds: &RdsDatabase, view: View<'v, 'p>, resource: &str) -> Option<()> {
        located.vpc.clone_from(&rds.vpc);
        let mut subnets = rds.subnets.clone();
        if (rds.vpc.is_none() || subnets.is_empty())
            && let Some(name) = &rds.subnet_group
        {
            let answer = view.facts.db_subnet_group(name);
            let place = self.found_in(view, answer, resource, &format!("DB subnet group {name:?}"))?;
            located.vpc = Some(place.vpc.clone());
            subnets.clone_from(&place.subnets);
        }
        if located.subnets.is_empty() {
            located.subnets = subnets;
        }
        Some(())
    }

    /// Where a database without named subnets seems to be, for routes and ACLs: by its addresses, else by its group's interfaces.
    pub(super) fn find_subnets(&mut self, located: &mut Location, view: View<'v, 'p>, vpc: &VpcId) {
        if !located.subnets.is_empty() || !(self.manages_acls() || self.manages_routes()) {
            return;
        }
        view.facts.need(Need::SubnetsOf(vpc.clone()));
        let addresses: Vec<IpAddr> = located.hosts.iter().flat_map(|h| h.addresses.iter().copied()).collect();
        let holds = |s: &&Subnet| s.vpc == *vpc && s.cidrs.iter().any(|c| addresses.iter().any(|a| c.contains(a)));
        located.found_in = view.facts.picture().subnets.values().map(|s| &**s).filter(holds).map(|s| s.id.clone()).collect();
        if let (true, Some(group)) = (located.found_in.is_empty(), &located.group) {
            let interfaces = view.facts.interfaces_with(group).into_iter().filter(|i| i.vpc == *vpc);
            located.found_in = interfaces.map(|i| i.subnet.clone()).collect();
            located.found_in.sort();
            located.found_in.dedup();
        }
    }

    /// Refuses addresses that lie in the database's VPC, but in none of its subnets: what is proved and set for those would be for
    /// another place.
    pub(super) fn stands_in_its_subnets(&mut self, database: &Database, located: &Location, view: View<'v, 'p>, vpc: &VpcId) -> Option<()> {
        if located.subnets.is_empty() {
            return Some(());
        }
        view.facts.need(Need::SubnetsOf(vpc.clone()));
        let (Lookup::Found(facts), picture) = (view.facts.vpc(vpc), view.facts.picture()) else { return Some(()) };
        let named: Option<Vec<&Subnet>> = located.subnets.iter().map(|id| picture.subnets.get(id).map(|s| &**s)).collect();
        // A subnet that is not known is told by whoever needs it.
        let Some(named) = named else { return Some(()) };
        let holds = |s: &Subnet, ip: IpAddr| s.cidrs.iter().any(|c| c.contains(&ip));
        for host in &located.hosts {
            let astray = |ip: &&IpAddr| facts.cidrs.iter().any(|c| c.contains(*ip)) && !named.iter().any(|s| holds(s, **ip));
            let Some(ip) = host.addresses.iter().find(astray) else { continue };
            let is = if host.host.parse::<IpAddr>().is_ok() { ip.to_string() } else { format!("{} is {ip}, which", host.host) };
            let by = if database.subnet_ids.is_empty() { "as RDS says" } else { "as subnetIds says" };
            let place = picture.subnets.within(vpc.as_str()).find(|s| holds(s, *ip)).map(|s| &s.id);
            let (lies, fix) = match place {
                Some(id) => (format!("lies in {id}"), format!("name {id} in subnetIds, too, or correct the host")),
                None => (format!("lies in no subnet of {vpc}"), "correct the host".to_owned()),
            };
            let message =
                format!("database {:?}: {is} {lies}, but the database is in {}, {by}: {fix}", database.name, join(&located.subnets));
            self.invalid(format!("database {:?}.subnetIds", database.name), message);
            return None;
        }
        Some(())
    }
}

/// A host with its addresses. Names are resolved from where dmsnet runs; a private zone is seen only inside its VPC.
pub(super) fn host(view: View<'_, '_>, name: &str, port: u16) -> Host {
    let mut host = Host { host: name.to_owned(), port, addresses: vec![], unresolved: None };
    match name.parse::<IpAddr>() {
        Ok(ip) => host.addresses.push(ip),
        Err(_) => match view.facts.host(name) {
            Some(Resolution::Addresses(ips)) => host.addresses.clone_from(ips),
            Some(Resolution::Failed(why)) => host.unresolved = Some(why.clone()),
            None => {}
        },
    }
    host
}

fn status(located: &Location) -> DatabaseStatus {
    let mut status = DatabaseStatus { name: located.name.clone(), engine: Some(located.engine.clone()), ..DatabaseStatus::default() };
    for host in &located.hosts {
        if let Some(why) = &host.unresolved {
            let message =
                format!("{} does not resolve from here ({why}); check the name: a private zone is seen only inside its VPC", host.host);
            status.unknown.push(UnknownFact { code: "HostNotResolved".into(), resource: host.host.clone(), message });
        }
        let addresses = host.addresses.iter().map(ToString::to_string).collect();
        status.endpoints.push(EndpointAddress { host: host.host.clone(), port: host.port, addresses });
    }
    if located.path.type_ == PathType::ClassicLink {
        let message = "AWS retired ClassicLink on 15 August 2022: only the way to the proxy is kept; give the database a path without it, \
                       such as PeeredVpc";
        let resource = format!("database {:?}", located.name);
        status.unknown.push(UnknownFact { code: "ConfigurationRetired".into(), resource, message: message.into() });
    }
    status
}
