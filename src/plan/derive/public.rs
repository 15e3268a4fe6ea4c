//! Over the internet: by the instance's own public address (domain.md 1.4), or by those of NAT gateways (1.5). Group references
//! never match there: both sides see public addresses.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::IpNet;

use super::{Deriver, Location, Replication, ReplicationKind, acl};
use crate::{
    api::{
        conditions::Reason,
        network::{Database, IngressFrom},
    },
    model::{NatGateway, NatGatewayId, Need, Peer, SecurityGroupId, Target},
    plan::{change::join, view::View},
};

/// What `ingressFrom` cannot be over the internet.
const UNFIT: [IngressFrom; 4] = [IngressFrom::SecurityGroup, IngressFrom::SubnetCidrs, IngressFrom::VpcCidr, IngressFrom::PrivateIp];

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    /// Internet gateway: the far side sees the instance's public addresses.
    pub(super) fn internet(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
    ) -> Option<()> {
        let written = database.path.internet.as_ref().map_or(&[][..], |b| &b.cidrs);
        if replication.kind == ReplicationKind::Serverless {
            let message = format!(
                "database {:?}: DMS Serverless has no public address, so it cannot use the path Internet: use NatGateway",
                database.name
            );
            self.invalid(format!("database {:?}.path", database.name), message);
            return None;
        }
        let far = self.far_cidrs(database, located, written)?;
        self.let_far_out(&replication.group, database, &far);
        if let Some(group) = located.group.clone() {
            self.far_public_group(database, located, view, &group)?;
            if replication.public_ips.is_empty() {
                let why = match replication.kind {
                    ReplicationKind::Placement => {
                        "nothing exists yet: the rule follows with the instance; until then leave securityGroupId out"
                    }
                    _ => "make the instance anew with PubliclyAccessible, which cannot be changed, or use the path NatGateway",
                };
                let message = format!(
                    "database {:?}: security group {group} must admit the replication's public address, and it has none: {why}",
                    database.name
                );
                self.problem(Reason::ReferenceNotFound, format!("database {:?}.path", database.name), message);
                return None;
            }
            self.admit(view, &group, database, located, &replication.public_ips, acl::CLIENT)?;
        }
        if self.manages_routes() {
            let field = format!("database {:?}.path", database.name);
            let answer = self.home.facts.internet_gateway_of(&replication.vpc);
            let gateway = self.found(answer, &field, &format!("an internet gateway attached to {}", replication.vpc))?;
            let target = Target::InternetGateway(gateway.id.clone());
            let why = self.why(database);
            self.routes(self.home, &replication.vpc, &replication.subnets, &acl::cidrs_of(&far), &target, &why)?;
        }
        self.pass_out(replication, database, &far)
    }

    /// NAT gateways: the far side sees every address of every one that the replication may leave by.
    pub(super) fn nat_gateway(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
    ) -> Option<()> {
        let block = database.path.nat_gateway.clone().unwrap_or_default();
        let far = self.far_cidrs(database, located, &block.cidrs)?;
        self.let_far_out(&replication.group, database, &far);
        if located.group.is_none() && !self.manages_acls() && !self.manages_routes() {
            return Some(());
        }
        let gateways = self.gateways(replication, database, &block.nat_gateway_ids)?;
        if let Some(group) = located.group.clone() {
            self.far_public_group(database, located, view, &group)?;
            let mut addresses = BTreeSet::new();
            for gateway in &gateways {
                addresses.extend(self.addresses_of(database, gateway)?);
            }
            let addresses: Vec<IpAddr> = addresses.into_iter().collect();
            self.admit(view, &group, database, located, &addresses, acl::NAT)?;
        }
        if !block.nat_gateway_ids.is_empty() {
            self.nat_routes(replication, database, &gateways, &far)?;
        }
        self.pass_out(replication, database, &far)?;
        for gateway in gateways {
            self.pass_through_nat(replication, database, located, gateway, &far)?;
        }
        Some(())
    }

    /// A group that must admit public addresses.
    fn far_public_group(&mut self, database: &Database, located: &mut Location, view: View<'v, 'p>, group: &SecurityGroupId) -> Option<()> {
        let answer = view.facts.group(group, located.vpc.as_ref());
        let field = format!("database {:?}.securityGroupId", database.name);
        let found = self.found_in(view, answer, &field, &format!("security group {group}"))?;
        located.vpc.get_or_insert_with(|| found.vpc.clone());
        view.facts.rules(group);
        self.ingress_fits(database, &UNFIT, "its group sees only public addresses there: leave it at Auto")
    }

    /// The far group and the far ACLs let these addresses in.
    fn admit(
        &mut self,
        view: View<'v, 'p>,
        group: &SecurityGroupId,
        database: &Database,
        located: &Location,
        addresses: &[IpAddr],
        ephemeral: crate::model::Ports,
    ) -> Option<()> {
        let cidrs: Vec<IpNet> = addresses.iter().copied().map(IpNet::from).collect();
        let peers: Vec<Peer> = cidrs.iter().copied().map(Peer::Cidr).collect();
        self.let_in(view, group, database, located, &peers);
        match located.vpc.clone() {
            Some(vpc) => self.pass_in(view, database, located, &vpc, &cidrs, ephemeral),
            None => Some(()),
        }
    }

    /// The gateways that are named, else those that the tables of the replication's subnets lead to.
    fn gateways(&mut self, replication: &Replication, database: &Database, named: &[String]) -> Option<Vec<&'p NatGateway>> {
        let field = format!("database {:?}.path.natGateway.natGatewayIds", database.name);
        let vpc = &replication.vpc;
        self.listed(self.home, Need::NatGatewaysOf(vpc.clone()), &field)?;
        let ids: BTreeSet<NatGatewayId> = if named.is_empty() {
            self.listed(self.home, Need::RouteTablesOf(vpc.clone()), &field)?;
            let picture = self.home.facts.picture();
            let tables = replication.subnets.iter().filter_map(|s| picture.route_table_of(s, vpc));
            let nat = |t: &Target| match t {
                Target::NatGateway(id) => Some(id.clone()),
                _ => None,
            };
            tables.flat_map(|t| &t.routes).filter_map(|r| nat(&r.target)).collect()
        } else {
            named.iter().map(Into::into).collect()
        };
        if ids.is_empty() {
            let message = format!(
                "database {:?}: no route table of the replication's subnets ({}) leads to a NAT gateway: add a route to one, or name natGatewayIds",
                database.name,
                join(&replication.subnets)
            );
            self.problem(Reason::ReferenceNotFound, field, message);
            return None;
        }
        let all = &self.home.facts.picture().nat_gateways;
        let mut gateways: Vec<&'p NatGateway> = Vec::new();
        for id in ids {
            match all.get(&id) {
                Some(gateway) if gateway.vpc == *vpc => gateways.push(gateway),
                // A route may outlive its gateway; what is named must be there.
                _ if named.is_empty() => {}
                _ => {
                    let message = format!("NAT gateway {id} does not exist in {vpc}: check its spelling, or leave natGatewayIds out");
                    self.problem(Reason::ReferenceNotFound, &field, message);
                    return None;
                }
            }
        }
        Some(gateways)
    }

    /// Every public address that is in use. One gateway that has none hides what is wanted: nothing is taken away meanwhile.
    fn addresses_of(&mut self, database: &Database, gateway: &NatGateway) -> Option<Vec<IpAddr>> {
        let resource = gateway.id.to_string();
        let refuse = |d: &mut Self, message: String| {
            d.problem(
                Reason::ReferenceNotFound,
                &resource,
                format!("NAT gateway {} of database {:?} {message}", gateway.id, database.name),
            );
            None
        };
        match gateway.state.as_str() {
            "available" if !gateway.public => refuse(self, "is private, and knows no internet: route to a public one".to_owned()),
            "available" => {
                let ips: Vec<IpAddr> = gateway.addresses.iter().filter(|a| a.in_use).filter_map(|a| a.public_ip).collect();
                if ips.is_empty() {
                    return refuse(self, "shows no public address in use".to_owned());
                }
                Some(ips)
            }
            "pending" => refuse(self, "is pending: its addresses are not known yet".to_owned()),
            // It carries nothing any more; the proof names the route that still leads to it.
            "deleting" | "deleted" => Some(vec![]),
            state => {
                let why = gateway.failure.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
                refuse(self, format!("is {state}{why}: delete it, make a new one and route to that"))
            }
        }
    }

    /// Routes to the named gateways: for each subnet one in its zone, else the first. Where none is named, the routes that are
    /// there say which gateways are meant.
    fn nat_routes(
        &mut self,
        replication: &Replication,
        database: &Database,
        gateways: &[&'p NatGateway],
        far: &[(u16, IpNet)],
    ) -> Option<()> {
        if !self.manages_routes() {
            return Some(());
        }
        // A NAT gateway carries IPv4.
        let far: Vec<IpNet> = acl::cidrs_of(far).into_iter().filter(|c| c.addr().is_ipv4()).collect();
        let why = self.why(database);
        for subnet in &replication.subnets {
            let zone = |s: &crate::model::SubnetId| self.home.facts.picture().subnets.get(s).map(|s| s.zone.clone());
            let here = zone(subnet);
            let near = gateways.iter().find(|g| here.is_some() && g.subnet.as_ref().and_then(zone) == here);
            let Some(gateway) = near.or(gateways.first()) else { continue };
            let target = Target::NatGateway(gateway.id.clone());
            self.routes(self.home, &replication.vpc, std::slice::from_ref(subnet), &far, &target, &why)?;
        }
        Some(())
    }
}
