//! The entries that a path needs on network ACLs, which know no connections: packets there and their answers, at the border of
//! every subnet that they cross (domain.md 1.0). In `Check` none is wanted: the proof asks whether packets pass.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{Deriver, Location, Replication};
use crate::{
    api::{conditions::Reason, network::Database},
    model::{AclShape, Direction, NatGateway, Need, NetworkInterface, Ports, SubnetId, VpcId},
    plan::{
        view::View,
        wanted::{Serves, WantedAclEntry},
    },
};

/// Ports that a replication takes answers on. DMS does not document its range: Linux's is within this one.
pub(super) const CLIENT: Ports = Ports { from: 32_768, to: 65_535 };
/// Ports that a NAT gateway takes answers on.
pub(super) const NAT: Ports = Ports { from: 1024, to: 65_535 };

/// Which way a connection crosses the border of a subnet: answers go the other way.
#[derive(Clone, Copy)]
pub(super) enum Opened {
    FromWithin,
    FromOutside,
}

/// A subnet with its place and CIDRs.
pub(super) struct Border<'b, 'v, 'p> {
    pub view: View<'v, 'p>,
    pub vpc: &'b VpcId,
    pub subnet: &'b SubnetId,
    pub cidrs: Vec<IpNet>,
}

/// What is to pass, and where answers come to.
pub(super) struct Passing {
    pub why: String,
    pub serves: Serves,
    pub ephemeral: Ports,
}

impl Passing {
    /// To the service behind an endpoint, whose callers take answers where a replication does.
    pub fn service(why: String, serves: Serves) -> Self {
        Self { why, serves, ephemeral: CLIENT }
    }
}

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    /// Both borders between the replication and a database in AWS, for every pair of subnets.
    pub(super) fn pass_between(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        view: View<'v, 'p>,
        vpc: &VpcId,
    ) -> Option<()> {
        if !self.manages_acls() {
            return Some(());
        }
        let near = self.borders(self.home, &replication.vpc, &replication.subnets)?;
        let far = self.borders(view, vpc, located.places())?;
        let passing = self.to_database(database, CLIENT);
        for a in &near {
            for b in far.iter().filter(|b| b.subnet != a.subnet) {
                self.cross(a, Opened::FromWithin, &on_ports(located, &b.cidrs), &passing)?;
                self.cross(b, Opened::FromOutside, &on_ports(located, &a.cidrs), &passing)?;
            }
        }
        Some(())
    }

    /// The replication's borders on the way to addresses outside.
    pub(super) fn pass_out(&mut self, replication: &Replication, database: &Database, far: &[(u16, IpNet)]) -> Option<()> {
        if !self.manages_acls() {
            return Some(());
        }
        let passing = self.to_database(database, CLIENT);
        for border in self.borders(self.home, &replication.vpc, &replication.subnets)? {
            self.cross(&border, Opened::FromWithin, far, &passing)?;
        }
        Some(())
    }

    /// The database's borders, where connections come from addresses outside.
    pub(super) fn pass_in(
        &mut self,
        view: View<'v, 'p>,
        database: &Database,
        located: &Location,
        vpc: &VpcId,
        from: &[IpNet],
        ephemeral: Ports,
    ) -> Option<()> {
        if !self.manages_acls() {
            return Some(());
        }
        let passing = self.to_database(database, ephemeral);
        for border in self.borders(view, vpc, located.places())? {
            self.cross(&border, Opened::FromOutside, &on_ports(located, from), &passing)?;
        }
        Some(())
    }

    /// The border of the host that bridges to the far side: in from the replication, out again.
    pub(super) fn pass_through_host(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        host: &NetworkInterface,
        far: &[(u16, IpNet)],
    ) -> Option<()> {
        self.pass_through(replication, database, located, &host.subnet, far, CLIENT)
    }

    /// The border of a NAT gateway's subnet, crossed by all four legs. A regional one stands in no subnet of the VPC.
    pub(super) fn pass_through_nat(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        gateway: &NatGateway,
        far: &[(u16, IpNet)],
    ) -> Option<()> {
        match &gateway.subnet {
            Some(subnet) => self.pass_through(replication, database, located, subnet, far, NAT),
            None => Some(()),
        }
    }

    fn pass_through(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        between: &SubnetId,
        far: &[(u16, IpNet)],
        ephemeral: Ports,
    ) -> Option<()> {
        if !self.manages_acls() {
            return Some(());
        }
        let near = self.borders(self.home, &replication.vpc, &replication.subnets)?;
        let (from, out) = (self.to_database(database, CLIENT), self.to_database(database, ephemeral));
        for middle in self.borders(self.home, &replication.vpc, std::slice::from_ref(between))? {
            for a in near.iter().filter(|a| a.subnet != middle.subnet) {
                self.cross(&middle, Opened::FromOutside, &on_ports(located, &a.cidrs), &from)?;
            }
            self.cross(&middle, Opened::FromWithin, far, &out)?;
        }
        Some(())
    }

    fn to_database(&self, database: &Database, ephemeral: Ports) -> Passing {
        Passing { why: self.why(database), serves: Serves::Database, ephemeral }
    }

    pub(super) fn borders<'b>(&mut self, view: View<'v, 'p>, vpc: &'b VpcId, subnets: &'b [SubnetId]) -> Option<Vec<Border<'b, 'v, 'p>>> {
        let mut borders = Vec::new();
        for subnet in subnets {
            let cidrs = self.subnet_cidrs(view, subnet, vpc, &format!("network ACL of {subnet}"))?;
            borders.push(Border { view, vpc, subnet, cidrs });
        }
        Some(borders)
    }

    /// Wants packets of connections with `others`, and their answers, to pass the ACL of one subnet.
    pub(super) fn cross(&mut self, border: &Border<'_, 'v, 'p>, opened: Opened, others: &[(u16, IpNet)], passing: &Passing) -> Option<()> {
        let Border { view, vpc, subnet, cidrs } = border;
        self.listed(*view, Need::NetworkAclsOf((*vpc).clone()), &format!("network ACLs of {vpc}"))?;
        let Some(acl) = view.facts.picture().acl_of(subnet).map(|a| a.id.clone()) else {
            let message = format!("no network ACL of {vpc} stands before subnet {subnet}: check that the subnet lies in that VPC");
            self.problem(Reason::ReferenceNotFound, subnet, message);
            return None;
        };
        let (there, back) = match opened {
            Opened::FromWithin => (Direction::Out, Direction::In),
            Opened::FromOutside => (Direction::In, Direction::Out),
        };
        // A packet has one family: entries for one that the subnet has not would let nothing through.
        let is_v4 = |c: &IpNet| c.addr().is_ipv4();
        for other in others.iter().filter(|(_, o)| cidrs.iter().any(|c| is_v4(c) == is_v4(o))) {
            let (port, other) = other;
            for (direction, ports) in [(there, Ports::one(*port)), (back, passing.ephemeral)] {
                let entry = WantedAclEntry {
                    acl: acl.clone(),
                    vpc: (*vpc).clone(),
                    shape: AclShape::tcp(direction, ports, *other),
                    why: BTreeSet::from([passing.why.clone()]),
                    serves: BTreeSet::from([passing.serves.clone()]),
                };
                self.wanted(view.class).add_entry(entry);
            }
        }
        Some(())
    }
}

/// Every port of a database with every CIDR.
fn on_ports(located: &Location, cidrs: &[IpNet]) -> Vec<(u16, IpNet)> {
    located.ports().into_iter().flat_map(|p| cidrs.iter().map(move |c| (p, *c))).collect()
}

/// The CIDRs alone, each once.
pub(super) fn cidrs_of(far: &[(u16, IpNet)]) -> Vec<IpNet> {
    let mut cidrs: Vec<IpNet> = far.iter().map(|(_, c)| *c).collect();
    cidrs.sort();
    cidrs.dedup();
    cidrs
}
