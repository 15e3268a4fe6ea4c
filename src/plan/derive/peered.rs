//! Two VPCs and a peering connection: rules on both sides, by group reference within a Region, by CIDR across Regions; routes
//! there and back (domain.md 1.2).

use ipnet::IpNet;

use super::{Deriver, Location, Replication};
use crate::{
    api::{
        conditions::Reason,
        network::{Database, IngressFrom, PeeredVpc},
    },
    model::{Need, PeeringConnection, PeeringConnectionId, PeeringSide, SubnetId, Target},
    plan::view::View,
};

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    pub(super) fn peered_vpc(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
        block: &PeeredVpc,
    ) -> Option<()> {
        let field = |f: &str| format!("database {:?}{f}", database.name);
        let (near, far) = self.sides(replication, database, &block.peering_connection_id)?;
        if let Some(other) = located.vpc.as_ref().filter(|v| **v != far.vpc) {
            let message = if *other == replication.vpc {
                format!("database {:?} is in {other}, as the replication is: its path is SameVpc", database.name)
            } else {
                format!("database {:?} is in {other}, but {} leads to {}", database.name, block.peering_connection_id, far.vpc)
            };
            self.invalid(field(".path"), message);
            return None;
        }
        located.vpc = Some(far.vpc.clone());
        let looked_up = located.group.is_some() || !located.subnets.is_empty();
        if looked_up && !view.is_in(&far.account, &far.region) {
            let message = format!(
                "database {:?}: {} leads to {} of account {} in {}, but class {:?} works in account {} in {}: name in className the class of that account and Region",
                database.name, block.peering_connection_id, far.vpc, far.account, far.region, view.class, view.account, view.region
            );
            self.invalid(field(".className"), message);
            return None;
        }
        // AWS takes group references through a peering within one Region, of other accounts too; across Regions CIDRs alone.
        let across = !near.region.is_empty() && !far.region.is_empty() && near.region != far.region;
        if let Some(group) = &located.group {
            self.known_group_in(view, group, &far.vpc, &field(".securityGroupId"))?;
        }
        let out = match &located.group {
            Some(group) if !across => self.group_peers(located, group),
            _ => self.address_peers(view, database, located, &far.vpc, &far.cidrs)?,
        };
        self.let_out(&replication.group, database, &out);
        if let Some(group) = located.group.clone() {
            if across {
                self.ingress_fits(database, &[IngressFrom::SecurityGroup], "AWS takes no group reference across Regions: use SubnetCidrs")?;
            }
            let auto = if across { IngressFrom::SubnetCidrs } else { IngressFrom::SecurityGroup };
            let peers = self.ingress_peers(replication, database, auto)?;
            self.let_in(view, &group, database, located, &peers);
        }
        // Where the far side cannot be seen, its routes and ACLs cannot be derived; the proof says so.
        if view.is_in(&far.account, &far.region) {
            self.find_subnets(located, view, &far.vpc);
            self.stands_in_its_subnets(database, located, view, &far.vpc)?;
        }
        self.peering_routes(replication, database, located, view, &block.peering_connection_id, &near.cidrs, far)?;
        self.pass_between(replication, database, located, view, &far.vpc)
    }

    /// The replication's side of a peering and the far one, if packets may pass.
    fn sides(&mut self, replication: &Replication, database: &Database, id: &str) -> Option<(&'p PeeringSide, &'p PeeringSide)> {
        let field = format!("database {:?}.path.peeredVpc.peeringConnectionId", database.name);
        let need = Need::PeeringConnectionsOf(replication.vpc.clone());
        self.listed(self.home, need.clone(), &field)?;
        let all = self.home.facts.picture();
        let Some(peering) = all.peerings.get(&PeeringConnectionId::from(id)) else {
            let message = format!(
                "peering connection {id} does not exist for {} in {}: check its spelling, the account and the Region",
                replication.vpc, self.home.region
            );
            self.problem(Reason::ReferenceNotFound, field, message);
            return None;
        };
        let peering: &'p PeeringConnection = peering;
        let Some((near, far)) = peering.sides(&replication.vpc) else {
            let message = format!(
                "peering connection {id} joins {} and {}, but the replication is in {}: name the one of its VPC",
                peering.requester.vpc, peering.accepter.vpc, replication.vpc
            );
            self.invalid(field, message);
            return None;
        };
        if let Some((a, b)) = overlap(&near.cidrs, &far.cidrs) {
            let message = format!(
                "{a} of {} and {b} of {} overlap: no route can tell them apart, so AWS lets nothing through {id}; move one of them, or use another path",
                near.vpc, far.vpc
            );
            self.invalid(field, message);
            return None;
        }
        if !peering.is_active() {
            let fix = match peering.status.as_str() {
                "initiating-request" | "pending-acceptance" => {
                    format!("the owner of {} must accept it within 7 days (aws ec2 accept-vpc-peering-connection)", peering.accepter.vpc)
                }
                "provisioning" => "AWS is at work".to_owned(),
                _ => "create a new one and name it here".to_owned(),
            };
            let said = peering.message.as_ref().map(|m| format!(" ({m})")).unwrap_or_default();
            let message = format!("peering connection {id} is {}{said}, so nothing passes: {fix}", peering.status);
            self.problem(Reason::ReferenceNotFound, field, message);
            return None;
        }
        Some((near, far))
    }

    /// Routes through the peering: in every table of the replication's subnets to the far VPC, in every table of the database's
    /// subnets back.
    #[allow(clippy::too_many_arguments)]
    fn peering_routes(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        view: View<'v, 'p>,
        id: &str,
        near: &[IpNet],
        far: &PeeringSide,
    ) -> Option<()> {
        if !self.manages_routes() {
            return Some(());
        }
        let target = Target::PeeringConnection(id.into());
        let why = self.why(database);
        let to_far = same_families(&far.cidrs, near);
        self.routes(self.home, &replication.vpc, &replication.subnets, &to_far, &target, &why)?;
        if located.places().is_empty() {
            return Some(());
        }
        let places: Vec<SubnetId> = located.places().to_vec();
        let back = same_families(near, &far.cidrs);
        self.routes(view, &far.vpc, &places, &back, &target, &why)
    }
}

/// Those of a family that the other side has, too.
fn same_families(cidrs: &[IpNet], other: &[IpNet]) -> Vec<IpNet> {
    let is_v4 = |c: &IpNet| c.addr().is_ipv4();
    cidrs.iter().filter(|c| other.iter().any(|o| is_v4(o) == is_v4(c))).copied().collect()
}

fn overlap(a: &[IpNet], b: &[IpNet]) -> Option<(IpNet, IpNet)> {
    a.iter().find_map(|x| b.iter().find(|y| x.contains(*y) || y.contains(x)).map(|y| (*x, *y)))
}
