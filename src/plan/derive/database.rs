//! Where a database is, and the rules that let the replication reach it.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Deriver, Replication};
use crate::{
    api::{
        conditions::Reason,
        network::{Database, HostPort, IngressFrom, PathType},
        status::{DatabaseStatus, EndpointAddress, UnknownFact},
    },
    model::{Direction, Peer, Resolution, RuleShape, SecurityGroupId, SubnetId, VpcId, engine::default_port},
    plan::{
        key::GroupRef,
        wanted::{Purpose, WantedRule},
    },
};

/// What is known of a database's place.
pub(super) struct Located {
    ports: Vec<(String, u16)>,
    group: Option<SecurityGroupId>,
    subnets: Vec<SubnetId>,
    vpc: Option<VpcId>,
}

impl Deriver<'_, '_> {
    /// Adds what the path to one database needs.
    pub(super) fn database(&mut self, replication: &Replication, database: &Database) {
        let Some(located) = self.located(database) else { return };
        match database.path.type_ {
            PathType::SameVpc => self.same_vpc(replication, database, &located),
        }
    }

    /// All in one VPC: the replication's group lets out, the database's group lets in (domain.md 1.1).
    fn same_vpc(&mut self, replication: &Replication, database: &Database, located: &Located) {
        let field = |f: &str| format!("database {:?}{f}", database.name);
        if let Some(vpc) = located.vpc.as_ref().filter(|v| **v != replication.vpc) {
            let message = format!(
                "database {:?} is in {vpc}, the replication in {}: path SameVpc needs both in one VPC",
                database.name, replication.vpc
            );
            return self.problem(Reason::InvalidSpec, field(".path"), message);
        }
        if let Some(group) = &located.group
            && self.known_group(group, &replication.vpc, &field(".securityGroupId")).is_none()
        {
            return;
        }
        let why = format!("{} {}", self.label, database.name);
        let mut rules = Vec::new();
        for (host, port) in &located.ports {
            let Some(peers) = self.egress_peers(replication, database, located, host) else { return };
            let own = GroupRef::Id(replication.group.clone());
            rules.extend(peers.into_iter().map(|p| (own.clone(), RuleShape::tcp(Direction::Out, *port, p))));
            if let Some(group) = &located.group {
                let Some(peers) = self.ingress_peers(replication, database) else { return };
                let theirs = GroupRef::Id(group.clone());
                rules.extend(peers.into_iter().map(|p| (theirs.clone(), RuleShape::tcp(Direction::In, *port, p))));
            }
        }
        for (group, shape) in rules {
            self.out.wanted.add(WantedRule { group, shape, why: why.clone(), purpose: Purpose::Database });
        }
    }

    /// Whom the replication may call: the database's group, else the narrowest CIDRs that are known.
    fn egress_peers(&mut self, replication: &Replication, database: &Database, located: &Located, host: &str) -> Option<Vec<Peer>> {
        if let Some(group) = &located.group {
            return Some(vec![Peer::SecurityGroup(group.clone())]);
        }
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Some(vec![Peer::Cidr(IpNet::from(ip))]);
        }
        if located.subnets.is_empty() {
            return Some(self.vpc_cidrs(&replication.vpc, "replication VPC")?.into_iter().map(Peer::Cidr).collect());
        }
        self.subnet_cidrs(&located.subnets, &replication.vpc, &format!("database {:?}.subnetIds", database.name))
    }

    /// Whom the database's group admits.
    fn ingress_peers(&mut self, replication: &Replication, database: &Database) -> Option<Vec<Peer>> {
        match database.ingress_from {
            IngressFrom::Auto | IngressFrom::SecurityGroup => Some(vec![Peer::SecurityGroup(replication.group.clone())]),
            IngressFrom::SubnetCidrs => self.subnet_cidrs(&replication.subnets, &replication.vpc, "replication subnets"),
            IngressFrom::VpcCidr => Some(self.vpc_cidrs(&replication.vpc, "replication VPC")?.into_iter().map(Peer::Cidr).collect()),
            IngressFrom::PrivateIp if replication.private_ips.is_empty() => {
                let message = format!(
                    "database {:?} asks for ingressFrom PrivateIp, but the replication has no private address yet: use SecurityGroup or SubnetCidrs",
                    database.name
                );
                self.problem(Reason::ReferenceNotFound, format!("database {:?}.ingressFrom", database.name), message);
                None
            }
            IngressFrom::PrivateIp => Some(replication.private_ips.iter().map(|ip| Peer::Cidr(IpNet::from(*ip))).collect()),
        }
    }

    fn subnet_cidrs(&mut self, subnets: &[SubnetId], vpc: &VpcId, resource: &str) -> Option<Vec<Peer>> {
        let mut cidrs = Vec::new();
        for id in subnets {
            let answer = self.facts.subnet(id, Some(vpc));
            let subnet = self.found(answer, resource, &format!("subnet {id}"))?;
            if subnet.vpc != *vpc {
                self.problem(Reason::InvalidSpec, resource, format!("subnet {id} is in {}, but it is needed in {vpc}", subnet.vpc));
                return None;
            }
            cidrs.extend(subnet.cidrs.iter().copied().map(Peer::Cidr));
        }
        Some(cidrs)
    }

    /// Finds host, port, group and subnets of a database, and fills its status.
    pub(super) fn located(&mut self, database: &Database) -> Option<Located> {
        let resource = format!("database {:?}", database.name);
        let given = database.security_group_id.as_ref().map(SecurityGroupId::from);
        let subnets: Vec<SubnetId> = database.subnet_ids.iter().map(Into::into).collect();
        let (engine, hosts, mut located) = match (&database.dms_endpoint, &database.rds, &database.address) {
            (Some(name), None, None) => {
                let answer = self.facts.dms_endpoint(name);
                let endpoint = self.found(answer, &resource, &format!("DMS endpoint {name:?}"))?;
                let Some(host) = endpoint.host.clone() else {
                    let message = format!(
                        "DMS endpoint {name:?} ({}) shows no server name, as when host and port live in a secret: write them under address instead",
                        endpoint.engine
                    );
                    self.problem(Reason::InvalidSpec, resource, message);
                    return None;
                };
                let hosts = vec![HostPort { host, port: endpoint.port }];
                (endpoint.engine.clone(), hosts, Located { ports: vec![], group: given, subnets, vpc: None })
            }
            (None, Some(rds), None) => {
                let (answer, what) = match (&rds.instance, &rds.cluster) {
                    (Some(id), None) => (self.facts.db_instance(id), format!("RDS instance {id:?}")),
                    (None, Some(id)) => (self.facts.db_cluster(id), format!("RDS cluster {id:?}")),
                    _ => {
                        self.problem(Reason::InvalidSpec, resource, "under rds, set exactly one of instance and cluster");
                        return None;
                    }
                };
                let rds = self.found(answer, &resource, &what)?;
                let Some(host) = rds.host.clone() else {
                    self.problem(Reason::ReferenceNotFound, resource, format!("{what} ({}) has no endpoint yet", rds.status));
                    return None;
                };
                let group = self.choose(
                    &format!("database {:?}.securityGroupId", database.name),
                    &what,
                    &rds.groups,
                    database.security_group_id.as_deref(),
                )?;
                let subnets = if subnets.is_empty() { rds.subnets.clone() } else { subnets };
                let hosts = vec![HostPort { host, port: rds.port }];
                (rds.engine.clone(), hosts, Located { ports: vec![], group: Some(group), subnets, vpc: rds.vpc.clone() })
            }
            (None, None, Some(address)) => {
                (address.engine.clone(), address.endpoints.clone(), Located { ports: vec![], group: given, subnets, vpc: None })
            }
            _ => {
                self.problem(Reason::InvalidSpec, resource, "set exactly one of dmsEndpoint, rds and address");
                return None;
            }
        };
        for endpoint in hosts.iter().chain(&database.extra_endpoints) {
            match endpoint.port.or_else(|| default_port(&engine)) {
                Some(port) => located.ports.push((endpoint.host.clone(), port)),
                None => {
                    let message = format!(
                        "database {:?}: engine {engine:?} has no usual port, and none is written for host {:?}: write its port",
                        database.name, endpoint.host
                    );
                    self.problem(Reason::InvalidSpec, &resource, message);
                }
            }
        }
        let status = self.database_status(&database.name, engine, &located.ports);
        self.out.databases.push(status);
        Some(located)
    }

    fn database_status(&self, name: &str, engine: String, ports: &[(String, u16)]) -> DatabaseStatus {
        let mut status = DatabaseStatus { name: name.to_owned(), engine: Some(engine), ..DatabaseStatus::default() };
        for (host, port) in ports {
            let addresses = if host.parse::<IpAddr>().is_ok() {
                vec![host.clone()]
            } else {
                match self.facts.host(host) {
                    Some(Resolution::Addresses(ips)) => ips.iter().map(ToString::to_string).collect(),
                    Some(Resolution::Failed(why)) => {
                        let message = format!(
                            "{host} does not resolve from here ({why}); the rules do not depend on it, but check the name: a private zone is seen only inside its VPC"
                        );
                        status.unknown.push(UnknownFact { code: "HostNotResolved".into(), resource: host.clone(), message });
                        vec![]
                    }
                    None => vec![],
                }
            };
            status.endpoints.push(EndpointAddress { host: host.clone(), port: *port, addresses });
        }
        status
    }
}
