//! The other ends of a path's rules: a group where a reference matches, else the narrowest CIDRs that are known.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Deriver, Host, Location, Replication, ReplicationKind};
use crate::{
    api::{
        conditions::Reason,
        network::{Database, IngressFrom, PathType},
    },
    model::{Peer, SecurityGroupId, SubnetId, VpcId},
    plan::view::View,
};

impl Deriver<'_, '_, '_> {
    /// Whom a group admits. `auto`: what `Auto` stands for on this path.
    pub(super) fn ingress_peers(&mut self, replication: &Replication, database: &Database, auto: IngressFrom) -> Option<Vec<Peer>> {
        let from = if database.ingress_from == IngressFrom::Auto { auto } else { database.ingress_from };
        match from {
            IngressFrom::Auto | IngressFrom::SecurityGroup => Some(vec![Peer::SecurityGroup(replication.group.clone())]),
            IngressFrom::SubnetCidrs => self.subnet_peers(self.home, &replication.subnets, &replication.vpc, "replication subnets"),
            IngressFrom::VpcCidr => {
                Some(self.vpc_cidrs(self.home, &replication.vpc, "replication VPC")?.into_iter().map(Peer::Cidr).collect())
            }
            IngressFrom::PrivateIp if replication.private_ips.is_empty() => {
                let why = match replication.kind {
                    ReplicationKind::Serverless => "DMS Serverless does not tell its addresses",
                    ReplicationKind::Instance | ReplicationKind::Placement => "the replication has no private address yet",
                };
                let message =
                    format!("database {:?} asks for ingressFrom PrivateIp, but {why}: use SecurityGroup or SubnetCidrs", database.name);
                self.problem(Reason::ReferenceNotFound, format!("database {:?}.ingressFrom", database.name), message);
                None
            }
            IngressFrom::PrivateIp => Some(replication.private_ips.iter().map(|ip| Peer::Cidr(IpNet::from(*ip))).collect()),
        }
    }

    /// Refuses settings of `ingressFrom` that match nothing on this path.
    pub(super) fn ingress_fits(&mut self, database: &Database, unfit: &[IngressFrom], why: &str) -> Option<()> {
        if !unfit.contains(&database.ingress_from) {
            return Some(());
        }
        let message =
            format!("database {:?}: ingressFrom {:?} matches nothing on this path, since {why}", database.name, database.ingress_from);
        self.invalid(format!("database {:?}.ingressFrom", database.name), message);
        None
    }

    /// The database's group, on each of its ports.
    pub(super) fn group_peers(&self, located: &Location, group: &SecurityGroupId) -> Vec<(u16, Peer)> {
        located.ports().into_iter().map(|port| (port, Peer::SecurityGroup(group.clone()))).collect()
    }

    /// Ports and addresses of the database: a host that is written as an address as /32 (IPv6: /128); for a name the database's
    /// subnets, else `widest`.
    pub(super) fn address_peers(
        &mut self,
        view: View<'_, '_>,
        database: &Database,
        located: &Location,
        vpc: &VpcId,
        widest: &[IpNet],
    ) -> Option<Vec<(u16, Peer)>> {
        let mut peers = Vec::new();
        for host in &located.hosts {
            let cidrs = match host.host.parse::<IpAddr>() {
                Ok(ip) => vec![Peer::Cidr(IpNet::from(ip))],
                Err(_) if located.subnets.is_empty() => widest.iter().copied().map(Peer::Cidr).collect(),
                Err(_) => self.subnet_peers(view, &located.subnets, vpc, &format!("database {:?}.subnetIds", database.name))?,
            };
            peers.extend(cidrs.into_iter().map(|c| (host.port, c)));
        }
        Some(peers)
    }

    /// Ports and CIDRs of a database outside AWS: as written, else each host's addresses as /32 (IPv6: /128).
    pub(super) fn far_cidrs(&mut self, database: &Database, located: &Location, written: &[String]) -> Option<Vec<(u16, IpNet)>> {
        let block = match database.path.type_ {
            PathType::OnPremises => "onPremises",
            PathType::Internet => "internet",
            _ => "natGateway",
        };
        let field = format!("database {:?}.path.{block}.cidrs", database.name);
        if !written.is_empty() {
            let cidrs = self.cidrs(written, &field)?;
            return Some(located.ports().into_iter().flat_map(|p| cidrs.iter().map(move |c| (p, *c))).collect());
        }
        let on_the_internet = database.path.type_ != PathType::OnPremises;
        let (mut cidrs, mut complete) = (Vec::new(), true);
        for host in &located.hosts {
            let fits = |ip: &IpAddr| !on_the_internet || !is_private(*ip);
            let (good, private): (Vec<IpAddr>, Vec<IpAddr>) = host.addresses.iter().copied().partition(fits);
            if good.is_empty() {
                complete = false;
                let (reason, message) = no_address(host, private.first(), block);
                self.problem(reason, &field, format!("database {:?}: {message}", database.name));
            }
            cidrs.extend(good.into_iter().map(|ip| (host.port, IpNet::from(ip))));
        }
        complete.then_some(cidrs)
    }

    /// CIDRs of subnets, which must lie in `vpc`.
    pub(super) fn subnet_peers(&mut self, view: View<'_, '_>, subnets: &[SubnetId], vpc: &VpcId, resource: &str) -> Option<Vec<Peer>> {
        let mut cidrs = Vec::new();
        for id in subnets {
            cidrs.extend(self.subnet_cidrs(view, id, vpc, resource)?.iter().copied().map(Peer::Cidr));
        }
        Some(cidrs)
    }

    /// CIDRs of one subnet, which must lie in `vpc`.
    pub(super) fn subnet_cidrs(&mut self, view: View<'_, '_>, id: &SubnetId, vpc: &VpcId, resource: &str) -> Option<Vec<IpNet>> {
        let answer = view.facts.subnet(id, Some(vpc));
        let subnet = self.found_in(view, answer, resource, &format!("subnet {id}"))?;
        if subnet.vpc != *vpc {
            self.invalid(resource, format!("subnet {id} is in {}, but it is needed in {vpc}", subnet.vpc));
            return None;
        }
        Some(subnet.cidrs.clone())
    }
}

/// Why a host has no address that could be let out to.
fn no_address(host: &Host, private: Option<&IpAddr>, block: &str) -> (Reason, String) {
    let name = &host.host;
    match (private, &host.unresolved) {
        (Some(ip), _) => (
            Reason::InvalidSpec,
            format!(
                "{name} has the private address {ip}, which the internet does not carry: correct path.type, or write its public address under {block}.cidrs"
            ),
        ),
        (None, Some(why)) => (
            Reason::ReferenceNotFound,
            format!(
                "{name} does not resolve from here ({why}), so whom to let out to is not known: write its addresses under {block}.cidrs"
            ),
        ),
        (None, None) => (Reason::Progressing, format!("{name} has not been resolved yet")),
    }
}

/// Addresses that only private networks carry (RFC 1918, RFC 4193).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}
