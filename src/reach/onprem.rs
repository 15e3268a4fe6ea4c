//! To networks outside AWS: virtual private gateways, transit gateways, and hosts that bridge the traffic (domain.md 1.3).

use super::{
    Asked, Code, Decided, HopKind, Remedy,
    group::Membership,
    report::List,
    trip::{EPHEMERAL, Fault, Trip, Want},
};
use crate::model::{Direction, NetworkInterface, NetworkInterfaceId, Ports, Target, TransitGatewayId, VpnGatewayId};

impl<'t, 'a> Trip<'t, 'a> {
    /// What lies behind the last hop of AWS.
    pub(super) fn beyond_premises(&mut self) {
        let host = self.target.host.clone();
        let reason = format!(
            "behind AWS's last gateway, routers and firewalls must let tcp/{} through to {} and the answer back to {}: only a connection test tells",
            self.target.port,
            if self.far.nets.is_empty() { host.clone() } else { List(&self.far.nets).to_string() },
            List(&self.near.nets),
        );
        self.dark(HopKind::Beyond, host, Asked::State, Code::OnPremReturnPathUnknown, reason);
    }

    /// Out by a virtual private gateway. That its route is active is all that AWS shows.
    pub(super) fn vpn(&mut self, id: &VpnGatewayId) {
        self.open(HopKind::VpnGateway, id, Asked::State, Decided::Words("its route is active".into()));
        self.beyond_premises();
        self.arrive();
    }

    /// Out by a transit gateway: its attachment must be there, with a subnet in the sender's zone.
    pub(super) fn transit(&mut self, id: &TransitGatewayId) {
        let zone = self.from.zone.clone();
        self.attachment(id, &zone);
        let reason = format!("the route tables of {id}, and the ACLs of its own subnets, are not judged");
        self.dark(HopKind::TransitGateway, id, Asked::State, Code::BeyondTransitGatewayUnknown, reason);
        self.beyond_premises();
        self.arrive();
    }

    fn attachment(&mut self, id: &TransitGatewayId, zone: &str) {
        let atlas = self.near.atlas.clone();
        let attachments = match atlas.attachments(&self.here.id) {
            Ok(all) => all,
            Err(gap) => return self.gap(HopKind::TransitGateway, id, Asked::State, &gap),
        };
        let mine: Vec<_> = attachments.into_iter().filter(|a| a.gateway == *id).collect();
        let Some(attachment) = mine.iter().find(|a| a.state == "available") else {
            let states: Vec<_> = mine.iter().map(|a| format!("{} is {}", a.id, a.state)).collect();
            let found = if states.is_empty() { format!("{} is not attached to {id}", self.here.id) } else { states.join(", ") };
            let fault = Fault {
                code: Code::TransitGatewayNotAttached,
                resource: id.to_string(),
                found,
                needed: format!("an available attachment of {} to {id}", self.here.id),
                fix: format!(
                    "attach {} to {id} with a subnet in every zone of the replication: aws ec2 create-transit-gateway-vpc-attachment",
                    self.here.id
                ),
                remedies: vec![],
            };
            return self.block(HopKind::TransitGateway, &atlas, Asked::State, Decided::Words("not attached".into()), fault);
        };
        let zones: Option<Vec<&str>> = attachment.subnets.iter().map(|s| Some(self.here.subnet(s).ok()??.zone.as_str())).collect();
        if zones.is_some_and(|z| !z.contains(&zone)) {
            let fault = Fault {
                code: Code::TransitGatewayZoneMissing,
                resource: attachment.id.clone(),
                found: format!("{} has no subnet in {zone}, where {} is", attachment.id, self.from.id),
                needed: "a subnet of the attachment in every zone that packets come from".into(),
                fix: format!("add a subnet of {zone} to {}, such as {}", attachment.id, self.from.id),
                remedies: vec![Remedy::AddTransitGatewaySubnet { attachment: attachment.id.clone(), subnet: self.from.id.clone() }],
            };
            return self.block(HopKind::TransitGateway, &atlas, Asked::State, Decided::Words(attachment.state.clone()), fault);
        }
        self.open(HopKind::TransitGateway, &attachment.id, Asked::State, Decided::Words(attachment.state.clone()));
    }

    /// Through a host that bridges the traffic, and that translates addresses or not: what it sends on bears the same destination.
    pub(super) fn host(&mut self, id: &NetworkInterfaceId) {
        let (near, far) = (self.near, self.far);
        let here = self.here.clone();
        let interface = match near.atlas.interface(id) {
            Ok(found) => found.filter(|i| i.vpc == here.id),
            Err(gap) => {
                self.gap(HopKind::NetworkInterface, id, Asked::State, &gap);
                self.beyond_premises();
                return self.arrive();
            }
        };
        let Some(interface) = interface else {
            let fault = Fault {
                code: Code::InterfaceNotFound,
                resource: id.to_string(),
                found: format!("{id} does not exist in {}", here.id),
                needed: "the network interface of a running host".into(),
                fix: "let the route lead to the network interface of the host that bridges the traffic".into(),
                remedies: vec![],
            };
            self.block(HopKind::NetworkInterface, &near.atlas, Asked::State, Decided::Words("not found".into()), fault);
            self.beyond_premises();
            return self.arrive();
        };
        let port = Ports::one(self.target.port);
        let subnet = match here.subnet(&interface.subnet) {
            Ok(subnet) => subnet,
            Err(gap) => {
                self.gap(HopKind::Subnet, &interface.subnet, Asked::State, &gap);
                None
            }
        };
        let crossed = subnet.filter(|s| s.id != self.from.id);
        if let Some(subnet) = crossed {
            self.acl(&near.atlas, &here, subnet, Direction::In, &near.nets, port);
        }
        self.host_itself(interface);
        self.groups(&near.atlas, &interface.groups, Direction::In, &near.seen, Membership::Members(&near.groups));
        self.groups(&near.atlas, &interface.groups, Direction::Out, &far.nets, Membership::Hidden(&far.groups));
        let mut onward = vec![];
        if let Some(subnet) = subnet {
            self.acl(&near.atlas, &here, subnet, Direction::Out, &far.nets, port);
            let want = Want {
                fits: &|t| !matches!(t, Target::Local),
                words: "a gateway, from the host's own subnet",
                target: None,
                destination: vec![],
                by_vpn: true,
                otherwise: "give the host's subnet a route to the gateway that leads there (a virtual private gateway or a transit gateway)",
            };
            onward = self.routes(&near.atlas, &here, subnet, &far.nets, &want);
        }
        for target in onward {
            self.onward(interface, &target);
        }
        self.beyond_premises();
        self.returning = true;
        if let Some(subnet) = subnet {
            self.acl(&near.atlas, &here, subnet, Direction::In, &far.nets, EPHEMERAL);
        }
        if let Some(subnet) = crossed {
            let local = Want::local();
            self.routes(&near.atlas, &here, subnet, &near.nets, &local);
            self.acl(&near.atlas, &here, subnet, Direction::Out, &near.nets, EPHEMERAL);
            self.acl(&near.atlas, &here, self.from, Direction::In, &far.nets, EPHEMERAL);
        } else {
            self.not_asked(HopKind::NetworkAcl, &self.from.id, Decided::SameSubnet);
        }
    }

    /// The interface's own state.
    fn host_itself(&mut self, interface: &NetworkInterface) {
        let (id, atlas) = (&interface.id, self.near.atlas.clone());
        let decided = Decided::Words(interface.status.clone());
        if interface.status != "in-use" {
            let fault = Fault {
                code: Code::InterfaceNotInUse,
                resource: id.to_string(),
                found: format!("{id} is {}", interface.status),
                needed: "a running host behind it".into(),
                fix: format!("attach {id} to the host that bridges the traffic, or let the route lead to that host's interface"),
                remedies: vec![],
            };
            return self.block(HopKind::NetworkInterface, &atlas, Asked::State, decided, fault);
        }
        if interface.source_dest_check {
            let fault = Fault {
                code: Code::SourceDestCheckOn,
                resource: id.to_string(),
                found: format!("SourceDestCheck of {id} is on, so its host gets only what is addressed to itself"),
                needed: "SourceDestCheck off".into(),
                fix: format!("switch SourceDestCheck of {id} off"),
                remedies: vec![Remedy::DisableSourceDestCheck { interface: id.clone() }],
            };
            return self.block(HopKind::NetworkInterface, &atlas, Asked::State, decided, fault);
        }
        self.open(HopKind::NetworkInterface, id, Asked::State, decided);
    }

    /// Where the host's own subnet sends the packet.
    fn onward(&mut self, interface: &NetworkInterface, target: &Target) {
        match target {
            Target::VpnGateway(id) => self.open(HopKind::VpnGateway, id, Asked::State, Decided::Words("its route is active".into())),
            Target::TransitGateway(id) => {
                let zone = self.here.subnet(&interface.subnet).ok().flatten().map(|s| s.zone.clone()).unwrap_or_default();
                self.attachment(id, &zone);
            }
            Target::NetworkInterface(Some(id)) if *id == interface.id => {
                let reason = format!(
                    "the route leads back to {id}: unless the host carries packets on in a tunnel of its own, they go round in circles"
                );
                self.dark(HopKind::NetworkInterface, id, Asked::State, Code::ApplianceUnknown, reason);
            }
            other => {
                let reason = format!("what {other} does with packets of the host is not judged");
                self.dark(HopKind::Beyond, other, Asked::State, Code::TargetUnknown, reason);
            }
        }
    }
}
