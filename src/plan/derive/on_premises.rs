//! Direct Connect or VPN, with or without a host in the VPC that bridges the traffic (domain.md 1.3).

use super::{Deriver, Location, Replication, acl};
use crate::{
    api::network::{Database, IngressFrom, NatHost},
    model::{NetworkInterface, NetworkInterfaceId, SecurityGroupId, Target},
    plan::view::View,
};

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    pub(super) fn on_premises(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &mut Location,
        view: View<'v, 'p>,
    ) -> Option<()> {
        let block = database.path.on_premises.clone().unwrap_or_default();
        let far = self.far_cidrs(database, located, &block.cidrs)?;
        // The packets' destination is the far end, never the host between: a reference to its group would match nothing.
        self.let_far_out(&replication.group, database, &far);
        let host = match &block.nat_host {
            Some(host) => Some((host, self.nat_host(replication, database, host)?)),
            None => None,
        };
        if let Some((host, _)) = &host {
            let group = SecurityGroupId::from(&host.security_group_id);
            let from = self.ingress_peers(replication, database, IngressFrom::SecurityGroup)?;
            self.let_in(self.home, &group, database, located, &from);
            self.let_far_out(&group, database, &far);
        }
        if let Some(group) = located.group.clone() {
            self.far_group(replication, database, located, view, &group, host.is_some())?;
        }
        let why = self.why(database);
        if let (Some((host, _)), true) = (&host, self.manages_routes()) {
            let target = Target::NetworkInterface(Some(host.network_interface_id.as_str().into()));
            self.routes(self.home, &replication.vpc, &replication.subnets, &acl::cidrs_of(&far), &target, &why)?;
        }
        self.pass_out(replication, database, &far)?;
        match host {
            Some((_, interface)) => self.pass_through_host(replication, database, located, interface, &far),
            None => Some(()),
        }
    }

    /// The interface of the host between; its group must be on it.
    fn nat_host(&mut self, replication: &Replication, database: &Database, host: &NatHost) -> Option<&'p NetworkInterface> {
        let field = |f: &str| format!("database {:?}.path.onPremises.natHost.{f}", database.name);
        let id = NetworkInterfaceId::from(&host.network_interface_id);
        let answer = self.home.facts.interface(&id);
        let interface = self.found(answer, &field("networkInterfaceId"), &format!("network interface {id}"))?;
        if interface.vpc != replication.vpc {
            let message =
                format!("network interface {id} is in {}, but routes of {} can only lead to its own", interface.vpc, replication.vpc);
            self.invalid(field("networkInterfaceId"), message);
            return None;
        }
        let group = SecurityGroupId::from(&host.security_group_id);
        self.known_group(&group, &replication.vpc, &field("securityGroupId"))?;
        if !interface.groups.contains(&group) {
            let has = crate::plan::change::join(&interface.groups);
            let message = format!("security group {group} is not on {id}, which has {has}: name one of those, or put it on the interface");
            self.invalid(field("securityGroupId"), message);
            return None;
        }
        Some(interface)
    }

    /// A group behind the line, in another VPC that a VPN or transit gateway leads to: it sees addresses, never a group.
    fn far_group(
        &mut self,
        replication: &Replication,
        database: &Database,
        located: &Location,
        view: View<'v, 'p>,
        group: &SecurityGroupId,
        bridged: bool,
    ) -> Option<()> {
        let answer = view.facts.group(group, located.vpc.as_ref());
        self.found_in(view, answer, &format!("database {:?}.securityGroupId", database.name), &format!("security group {group}"))?;
        view.facts.rules(group);
        // With a host between, `ingressFrom` speaks of that host's group.
        let peers = if bridged {
            self.subnet_peers(self.home, &replication.subnets, &replication.vpc, "replication subnets")?
        } else {
            let why = "a group reference matches nothing that comes through Direct Connect or a VPN: use SubnetCidrs";
            self.ingress_fits(database, &[IngressFrom::SecurityGroup], why)?;
            self.ingress_peers(replication, database, IngressFrom::SubnetCidrs)?
        };
        self.let_in(view, group, database, located, &peers);
        Some(())
    }
}
