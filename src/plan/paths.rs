//! The paths of a network as questions for `reach`: from the replication to every database, and to the AWS services that
//! DMS itself calls (domain.md 1, 2). Pure.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{
    Input, Problem,
    derive::{Derived, Host, Location, Replication, ReplicationKind},
    facts::Facts,
};
use crate::{
    api::network::{PathType, VpcEndpointType},
    model::{
        SecurityGroupId,
        endpoint::{gateway_service_name, service_name},
    },
    reach::{NatHost, Source, SourceKind, Target, Way},
};

/// Services that a replication calls itself, since DMS 3.4.7; the others serve those who steer it.
const CALLED_BY_DMS: [&str; 5] = ["s3", "dynamodb", "kinesis-streams", "secretsmanager", "redshift"];
const HTTPS: u16 = 443;

/// The paths of one network.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paths {
    /// What keeps a path from being told.
    pub problems: Vec<Problem>,
    /// Where they start; none where that is not known.
    pub source: Option<Source>,
    /// The paths.
    pub paths: Vec<Path>,
}

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The database's name in the spec, or the service's.
    pub name: String,
    /// The class through which the far side is seen.
    pub class: String,
    /// Hosts and ports that packets go to.
    pub targets: Vec<Target>,
    /// Which way they are said to take.
    pub way: Way,
}

/// The paths that `input`'s network wants.
pub fn paths(input: &Input<'_>) -> Paths {
    let Some(spec) = input.spec else { return Paths::default() };
    let facts = Facts::new(input.picture);
    let others: Vec<_> = input.elsewhere.iter().map(|(name, e)| (name.as_str(), e, Facts::new(e.picture))).collect();
    let derived = super::derived(input, spec, &facts, &others);
    let source = derived.near.as_ref().map(|near| source(near, input.label));
    let mut paths: Vec<Path> = derived.far.iter().filter_map(path).collect();
    if derived.near.is_some() {
        let home = input.elsewhere.get(input.home).map_or(input.region, |e| e.region);
        paths.extend(services(&derived, input).into_iter().map(|(service, gateway)| to_service(service, gateway, home, input.home)));
    }
    Paths { problems: derived.problems, source, paths }
}

fn source(near: &Replication, label: &str) -> Source {
    Source {
        name: if near.name.is_empty() { label.to_owned() } else { near.name.clone() },
        kind: match near.kind {
            ReplicationKind::Instance => SourceKind::Instance,
            ReplicationKind::Serverless => SourceKind::Serverless,
            ReplicationKind::Placement => SourceKind::Placement,
        },
        vpc: near.vpc.clone(),
        subnets: near.subnets.clone(),
        groups: near.groups.clone(),
        private_ips: near.private_ips.clone(),
        public_ips: near.public_ips.clone(),
        publicly_accessible: near.publicly_accessible,
        dual_stack: near.private_ips.iter().any(|ip| ip.is_ipv6()),
        dns_servers: near.dns_servers.clone(),
    }
}

/// None where the block of the path's type is missing, which is a problem already.
fn path(far: &Location) -> Option<Path> {
    let written = |cidrs: &[String]| -> Vec<IpNet> { cidrs.iter().filter_map(|c| c.parse().ok()).collect() };
    let (way, cidrs) = match far.path.type_ {
        PathType::SameVpc => (Way::SameVpc, vec![]),
        PathType::PeeredVpc => {
            let block = far.path.peered_vpc.as_ref()?;
            (Way::PeeredVpc { peering: block.peering_connection_id.as_str().into() }, vec![])
        }
        PathType::OnPremises => {
            let block = far.path.on_premises.as_ref();
            let host = block.and_then(|b| b.nat_host.as_ref());
            let nat_host = host.map(|h| NatHost {
                group: Some(h.security_group_id.as_str().into()),
                interface: Some(h.network_interface_id.as_str().into()),
            });
            (Way::OnPremises { nat_host }, block.map_or_else(Vec::new, |b| written(&b.cidrs)))
        }
        PathType::Internet => (Way::Internet, far.path.internet.as_ref().map_or_else(Vec::new, |b| written(&b.cidrs))),
        PathType::NatGateway => {
            let block = far.path.nat_gateway.as_ref();
            let gateways = block.map_or_else(Vec::new, |b| b.nat_gateway_ids.iter().map(Into::into).collect());
            (Way::NatGateway { gateways }, block.map_or_else(Vec::new, |b| written(&b.cidrs)))
        }
        PathType::ClassicLink => {
            let proxy = &far.path.classic_link.as_ref()?.proxy;
            let target = Target {
                host: proxy.host.clone(),
                port: proxy.port,
                addresses: proxy.host.parse::<std::net::IpAddr>().map(IpNet::from).into_iter().collect(),
                vpc: far.vpc.clone(),
                groups: vec![SecurityGroupId::from(proxy.security_group_id.as_str())],
                ..Target::default()
            };
            return Some(Path { name: far.name.clone(), class: far.class.clone(), targets: vec![target], way: Way::ClassicLink });
        }
    };
    let targets = far.hosts.iter().map(|host| target(far, host, &cidrs)).collect();
    Some(Path { name: far.name.clone(), class: far.class.clone(), targets, way })
}

fn target(far: &Location, host: &Host, cidrs: &[IpNet]) -> Target {
    let known: Vec<IpNet> = host.addresses.iter().copied().map(IpNet::from).collect();
    let name = host.host.trim_end_matches('.').to_ascii_lowercase();
    Target {
        host: host.host.clone(),
        port: host.port,
        addresses: if known.is_empty() { cidrs.to_vec() } else { known },
        vpc: far.vpc.clone(),
        subnets: far.places().to_vec(),
        groups: far.groups.clone(),
        aws_name: name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn"),
        publicly_accessible: far.publicly_accessible,
    }
}

/// Services that are called, each once, and whether they are by a gateway endpoint.
fn services(derived: &Derived, input: &Input<'_>) -> BTreeSet<(&'static str, bool)> {
    let known = |name: &str| CALLED_BY_DMS.iter().find(|s| **s == name).copied();
    let listed = input.spec.into_iter().flat_map(|s| &s.vpc_endpoints);
    let mut called: BTreeSet<_> = listed.filter_map(|e| Some((known(&e.service)?, e.type_ == VpcEndpointType::Gateway))).collect();
    let mut add = |name: &'static str| {
        if !called.iter().any(|(s, _)| *s == name) {
            called.insert((name, false));
        }
    };
    for far in &derived.far {
        if far.secret.is_some() {
            add("secretsmanager");
        }
        // DMS stages its rows there before Redshift or Neptune takes them.
        if matches!(far.engine.as_str(), "redshift" | "redshift-serverless" | "neptune") {
            add("s3");
        }
    }
    called
}

fn to_service(service: &'static str, gateway: bool, region: &str, home: &str) -> Path {
    let full = if gateway { gateway_service_name(region, service) } else { service_name(region, service) };
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let host = match service {
        "kinesis-streams" => format!("kinesis.{region}.{domain}"),
        _ => format!("{service}.{region}.{domain}"),
    };
    let target = Target { host, port: HTTPS, aws_name: true, ..Target::default() };
    Path { name: service.to_owned(), class: home.to_owned(), targets: vec![target], way: Way::Service { service: full } }
}
