//! Over the internet: internet gateways (domain.md 1.4) and NAT gateways (1.5).

use ipnet::IpNet;

use super::{
    Asked, Code, Decided, HopKind, Remedy, SourceKind,
    group::Membership,
    nets::is_private,
    report::List,
    trip::{EPHEMERAL, Fault, Spot, Trip, Want},
    ways::default_route,
};
use crate::model::{BlockPublicAccess, Direction, NatGateway, NatGatewayId, Ports, Subnet, Target};

impl<'t, 'a> Trip<'t, 'a> {
    /// Out by an internet gateway with an address of one's own, or an egress-only one; none where the path misses it.
    pub(super) fn internet(&mut self, gateway: Option<&str>, egress_only: bool) {
        let near = self.near;
        let v6 = near.nets.iter().any(|n| n.addr().is_ipv6());
        let senders: Vec<IpNet> = if v6 {
            near.seen.clone()
        } else {
            self.query.source.public_ips.iter().filter(|ip| ip.is_ipv4()).map(|ip| IpNet::from(*ip)).collect()
        };
        self.public_source();
        match gateway {
            Some(id) if egress_only => self.egress_only(id),
            _ => self.gateway(near, self.from, gateway, BlockPublicAccess::Ingress),
        }
        self.public_destination();
        self.far_side(&senders);
        self.arrive();
    }

    /// The replication must have a public address: without one an internet gateway drops its packets, and answers to it.
    fn public_source(&mut self) {
        let source = self.query.source;
        let public = match (source.publicly_accessible, source.kind) {
            (Some(public), _) => public,
            (None, SourceKind::Placement) => true,
            (None, _) => !source.public_ips.is_empty(),
        };
        if public {
            return self.open(HopKind::Host, &source.name, Asked::State, Decided::Words("publicly accessible".into()));
        }
        let fix = match source.kind {
            SourceKind::Serverless => {
                "DMS Serverless has no public address: use a NAT gateway (path NatGateway), or a replication instance that is publicly accessible"
            }
            _ => {
                "PubliclyAccessible cannot be changed: create a new replication instance that is publicly accessible and move the tasks to it, or use a NAT gateway (path NatGateway)"
            }
        };
        let fault = Fault {
            code: Code::NotPubliclyAccessible,
            resource: source.name.clone(),
            found: format!("{} has no public address", source.name),
            needed: "a public address, without which an internet gateway drops packets".into(),
            fix: fix.into(),
            remedies: vec![],
        };
        self.block(HopKind::Host, &self.near.atlas.clone(), Asked::State, Decided::Words("private".into()), fault);
    }

    /// The internet gateway of a VPC, as a subnet meets it. `stops` is the weakest Block Public Access that stops it.
    fn gateway(&mut self, spot: &Spot<'a>, subnet: &Subnet, named: Option<&str>, stops: BlockPublicAccess) {
        let asked = Asked::State;
        let gateway = match spot.atlas.internet_gateway(&subnet.vpc) {
            Ok(gateway) => gateway,
            Err(gap) => return self.gap(HopKind::InternetGateway, named.unwrap_or(subnet.vpc.as_str()), asked, &gap),
        };
        let attached = gateway.filter(|g| named.is_none_or(|n| n == g.id.as_str()));
        let Some(gateway) = attached else {
            let (found, remedies) = match (named, gateway) {
                (Some(named), Some(other)) => (format!("{named} is not attached to {}, but {} is", subnet.vpc, other.id), vec![]),
                (Some(named), None) => {
                    (format!("{named} is not attached to {}", subnet.vpc), vec![Remedy::AttachInternetGateway { vpc: subnet.vpc.clone() }])
                }
                (None, _) => (
                    format!("no internet gateway is attached to {}", subnet.vpc),
                    vec![Remedy::AttachInternetGateway { vpc: subnet.vpc.clone() }],
                ),
            };
            let fix = match gateway {
                Some(other) => format!("let the route lead to {}", other.id),
                None => format!("attach an internet gateway to {} and let the default route lead to it", subnet.vpc),
            };
            let fault = Fault {
                code: Code::InternetGatewayMissing,
                resource: subnet.vpc.to_string(),
                found,
                needed: "an attached internet gateway".into(),
                fix,
                remedies,
            };
            return self.block(HopKind::InternetGateway, &spot.atlas, asked, Decided::Words("not attached".into()), fault);
        };
        if subnet.block_public_access >= stops {
            let fault = blocked(subnet, gateway.id.as_str(), stops == BlockPublicAccess::Ingress);
            return self.block(HopKind::InternetGateway, &spot.atlas, asked, Decided::Words("blocked".into()), fault);
        }
        self.open(HopKind::InternetGateway, &gateway.id, asked, Decided::Words("attached".into()));
    }

    /// An egress-only internet gateway: that its route is active is all that is read of it.
    fn egress_only(&mut self, id: &str) {
        if self.from.block_public_access < BlockPublicAccess::Bidirectional {
            return self.open(HopKind::InternetGateway, id, Asked::State, Decided::Words("its route is active".into()));
        }
        let fault = blocked(self.from, id, false);
        self.block(HopKind::InternetGateway, &self.near.atlas.clone(), Asked::State, Decided::Words("blocked".into()), fault);
    }

    /// The internet knows no way to private addresses.
    fn public_destination(&mut self) {
        let private: Vec<IpNet> = self.far.nets.iter().filter(|n| is_private(n)).copied().collect();
        if private.is_empty() {
            return;
        }
        let fault = Fault {
            code: Code::PrivateAddressOverInternet,
            resource: self.target.host.clone(),
            found: format!("{} is private", List(&private)),
            needed: "a public address".into(),
            fix: "name the database's public address, or say which private path leads to it (path.type)".into(),
            remedies: vec![],
        };
        self.block(HopKind::Host, &self.near.atlas.clone(), Asked::RouteTo(private), Decided::Words("private".into()), fault);
    }

    /// The far end on the internet: ours to look at if it is in a VPC that is known, otherwise unknown.
    fn far_side(&mut self, senders: &[IpNet]) {
        let far = self.far;
        if self.aws_service {
            return self.open(HopKind::Beyond, &self.target.host, Asked::State, Decided::Words("AWS's own public endpoint".into()));
        }
        let Some(area) = &far.area else {
            let host = &self.target.host;
            let reason = match senders {
                [] => format!(
                    "what guards {host} is not shown by AWS: its firewall must admit the replication's public address on tcp/{}",
                    self.target.port
                ),
                _ => {
                    format!("what guards {host} is not shown by AWS: its firewall must admit {} on tcp/{}", List(senders), self.target.port)
                }
            };
            return self.dark(HopKind::Beyond, host, Asked::State, Code::BeyondInternetUnknown, reason);
        };
        if self.target.publicly_accessible == Some(false) {
            let identifier = self.target.host.split('.').next().unwrap_or_default().to_owned();
            let fault = Fault {
                code: Code::DatabaseNotPublic,
                resource: self.target.host.clone(),
                found: format!("{} is not publicly accessible", self.target.host),
                needed: "a public address of the database".into(),
                fix: format!("make {} publicly accessible, or reach it by a private path", self.target.host),
                remedies: if self.target.aws_name { vec![Remedy::MakeDatabasePublic { identifier }] } else { vec![] },
            };
            self.block(HopKind::Host, &far.atlas, Asked::State, Decided::Words("private".into()), fault);
        }
        let Some(subnet) = far.subnet else {
            let reason = format!("the subnets of {} are not known: write subnetIds", self.target.host);
            self.dark(HopKind::Subnet, &self.target.host, Asked::State, Code::DestinationUnknown, reason);
            return self.groups(&far.atlas, &far.groups, Direction::In, senders, Membership::Hidden(&self.near.groups));
        };
        let v6 = far.nets.iter().any(|n| n.addr().is_ipv6());
        self.gateway(far, subnet, None, BlockPublicAccess::Ingress);
        self.acl(&far.atlas, area, subnet, Direction::In, senders, Ports::one(self.target.port));
        self.groups(&far.atlas, &far.groups, Direction::In, senders, Membership::Hidden(&self.near.groups));
        self.returning = true;
        self.acl(&far.atlas, area, subnet, Direction::Out, senders, EPHEMERAL);
        let gateway = far.atlas.internet_gateway(&area.id).ok().flatten();
        let want = Want {
            fits: &|t| matches!(t, Target::InternetGateway(id) if gateway.is_none_or(|g| g.id == *id)),
            words: "its internet gateway",
            target: gateway.map(|g| Target::InternetGateway(g.id.clone())),
            destination: default_route(v6),
            by_vpn: false,
            otherwise: "attach an internet gateway to the database's VPC and add a default route to it",
        };
        self.routes(&far.atlas, area, subnet, senders, &want);
    }

    /// Out by a NAT gateway.
    pub(super) fn nat(&mut self, id: &NatGatewayId) {
        let (near, far) = (self.near, self.far);
        let nat = match near.atlas.nat_gateway(id, &self.here.id) {
            Ok(nat) => nat,
            Err(gap) => {
                self.gap(HopKind::NatGateway, id, Asked::State, &gap);
                return self.arrive();
            }
        };
        let senders = self.nat_itself(id, nat);
        let place = nat.and_then(|n| n.subnet.as_ref());
        match place.map(|s| self.here.subnet(s)) {
            Some(Ok(Some(subnet))) => self.nat_subnet(subnet),
            Some(Ok(None)) | None => {
                if nat.is_some_and(|n| n.regional) {
                    let attached = self.here.subnets.as_ref().ok().and_then(|s| s.first()).copied();
                    if let Some(any) = attached {
                        self.gateway(near, any, None, BlockPublicAccess::Bidirectional);
                    }
                }
            }
            Some(Err(gap)) => self.gap(HopKind::Subnet, id, Asked::State, &gap),
        }
        self.public_destination();
        self.far_side(&senders);
        self.returning = true;
        if let Some(Ok(Some(subnet))) = place.map(|s| self.here.subnet(s)) {
            self.nat_subnet_back(subnet);
        }
        // Behind the gateway the answer bears the far end's address again.
        self.acl(&near.atlas, &self.here.clone(), self.from, Direction::In, &far.nets, EPHEMERAL);
    }

    /// The gateway's own state. Returns the addresses that the far end sees.
    fn nat_itself(&mut self, id: &NatGatewayId, nat: Option<&NatGateway>) -> Vec<IpNet> {
        let atlas = self.near.atlas.clone();
        let asked = Asked::RouteTo(self.far.nets.clone());
        let fault = |code, found: String, needed: &str, fix: &str| Fault {
            code,
            resource: id.to_string(),
            found,
            needed: needed.into(),
            fix: fix.into(),
            remedies: vec![],
        };
        let anew = "create a public NAT gateway with an Elastic IP address, and let the routes lead to it";
        let Some(nat) = nat else {
            let fault = fault(Code::NatGatewayNotFound, format!("{id} does not exist in {}", self.here.id), "a NAT gateway", anew);
            self.block(HopKind::NatGateway, &atlas, asked, Decided::Words("not found".into()), fault);
            return vec![];
        };
        let senders: Vec<IpNet> = nat.addresses.iter().filter(|a| a.in_use).filter_map(|a| a.public_ip).map(IpNet::from).collect();
        let decided = Decided::Words(nat.state.clone());
        let fault = if nat.state != "available" {
            let why = nat.failure.as_ref().map(|f| format!(" ({f})")).unwrap_or_default();
            Some(fault(Code::NatGatewayNotAvailable, format!("{id} is {}{why}", nat.state), "an available NAT gateway", anew))
        } else if !nat.public {
            let fix = "ConnectivityType cannot be changed: create a public NAT gateway, and let the routes lead to it";
            Some(fault(Code::NatGatewayNotPublic, format!("{id} is a private NAT gateway"), "a public NAT gateway", fix))
        } else if self.far.nets.iter().any(|n| n.addr().is_ipv6()) {
            let fix = "reach the database over IPv4, or let IPv6 leave by an internet gateway (path Internet)";
            Some(fault(Code::NatGatewayIpv4Only, format!("{id} translates IPv4 only"), "a way for IPv6", fix))
        } else if senders.is_empty() {
            let fix = format!("associate an Elastic IP address with {id}: aws ec2 associate-nat-gateway-address");
            Some(fault(Code::NatGatewayWithoutAddress, format!("{id} has no public address in use"), "a public address", &fix))
        } else {
            None
        };
        match fault {
            Some(fault) => self.block(HopKind::NatGateway, &atlas, asked, decided, fault),
            None => self.open(HopKind::NatGateway, id, asked, decided),
        }
        if nat.regional {
            let fault = Fault {
                code: Code::RegionalNatMayGrow,
                resource: id.to_string(),
                found: format!("{id} is regional, and may add public addresses by itself"),
                needed: "the far end admits every address that it has".into(),
                fix: "let dmsnet keep the far end's rules, or use a zonal NAT gateway with fixed addresses".into(),
                remedies: vec![],
            };
            self.notes.warning(fault.finding(atlas.side.region));
        }
        senders
    }

    /// Into the gateway's subnet and out to the internet.
    fn nat_subnet(&mut self, subnet: &'a Subnet) {
        let (near, far) = (self.near, self.far);
        let (here, port) = (self.here.clone(), Ports::one(self.target.port));
        if subnet.id != self.from.id {
            self.acl(&near.atlas, &here, subnet, Direction::In, &near.nets, port);
        }
        self.acl(&near.atlas, &here, subnet, Direction::Out, &far.nets, port);
        let gateway = near.atlas.internet_gateway(&here.id).ok().flatten();
        let want = Want {
            fits: &|t| matches!(t, Target::InternetGateway(id) if gateway.is_none_or(|g| g.id == *id)),
            words: "an internet gateway, from the NAT gateway's own subnet",
            target: gateway.map(|g| Target::InternetGateway(g.id.clone())),
            destination: default_route(false),
            by_vpn: false,
            otherwise: "attach an internet gateway to the VPC and let the NAT gateway's subnet have a default route to it",
        };
        let named = self.routes(&near.atlas, &here, subnet, &far.nets, &want);
        let named = named.first().map(ToString::to_string);
        self.gateway(near, subnet, named.as_deref(), BlockPublicAccess::Bidirectional);
    }

    /// The answer: into the gateway's subnet, and on to the replication's.
    fn nat_subnet_back(&mut self, subnet: &'a Subnet) {
        let (near, far) = (self.near, self.far);
        let here = self.here.clone();
        self.acl(&near.atlas, &here, subnet, Direction::In, &far.nets, EPHEMERAL);
        self.nat_ports(&near.atlas, &here, subnet, Direction::In, &far.nets);
        if subnet.id == self.from.id {
            return;
        }
        let local = Want::local();
        self.routes(&near.atlas, &here, subnet, &near.nets, &local);
        self.acl(&near.atlas, &here, subnet, Direction::Out, &near.nets, EPHEMERAL);
    }
}

/// VPC Block Public Access is in the way of a gateway, for connections of its own subnet's public addresses or for all.
fn blocked(subnet: &Subnet, gateway: &str, bidirectional: bool) -> Fault {
    Fault {
        code: Code::BlockPublicAccess,
        resource: subnet.id.to_string(),
        found: format!("VPC Block Public Access stops {gateway} for {}", subnet.id),
        needed: "internet access for this subnet".into(),
        fix: format!("exclude {} from VPC Block Public Access", subnet.id),
        remedies: vec![Remedy::ExcludeFromBlockPublicAccess { subnet: subnet.id.clone(), bidirectional }],
    }
}
