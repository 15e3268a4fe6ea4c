//! What must hold before a packet leaves: names resolve (domain.md 1.0, 1.2), and the two ends are where the path says.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{
    Asked, Code, Decided, HopKind, Remedy, Way,
    atlas::{Area, Atlas},
    nets::common,
    report::List,
    trip::{Fault, Trip},
};

/// The range that DMS keeps for itself (domain.md 1.0).
const RESERVED: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 24));

impl<'t, 'a> Trip<'t, 'a> {
    /// How the host name resolves, where the host is a name.
    pub(super) fn dns(&mut self) {
        let (near, far) = (self.near, self.far);
        let host = &self.target.host;
        if host.parse::<IpAddr>().is_ok() {
            return;
        }
        if !self.query.source.dns_servers.is_empty() {
            let servers = List(&self.query.source.dns_servers);
            let reason =
                format!("{} asks its own DNS servers ({servers}) for {host}: what they answer is not shown by AWS", self.query.source.name);
            self.dark(HopKind::Dns, host, Asked::State, Code::DnsServersUnknown, reason);
            return;
        }
        // AWS answers with a private address only where the VPC's own names are on; it matters where there is a public one too.
        let private = matches!(self.query.path, Way::SameVpc | Way::PeeredVpc { .. })
            && self.target.aws_name
            && self.target.publicly_accessible == Some(true);
        let by_endpoint = self.inside && matches!(self.query.path, Way::Service { .. });
        let here = self.here.clone();
        self.attributes(&near.atlas, &here, private || by_endpoint);
        let Way::PeeredVpc { peering } = self.query.path else { return };
        if !private {
            return;
        }
        if let Some(area) = &far.area {
            self.attributes(&far.atlas, area, true);
        }
        let found = near.atlas.peering(peering, &here.id).ok().flatten().filter(|p| p.is_active());
        let Some((found, (_, owner))) = found.and_then(|p| Some((p, p.sides(&here.id)?))) else { return };
        match owner.dns_resolution {
            Some(true) => self.open(HopKind::Dns, peering, Asked::State, Decided::Words("AllowDnsResolutionFromRemoteVpc".into())),
            Some(false) => {
                let fault = Fault {
                    code: Code::PeeringDnsResolutionOff,
                    resource: peering.to_string(),
                    found: format!(
                        "{peering} does not let {} resolve names of {} to private addresses, so {host} is its public one",
                        here.id, owner.vpc
                    ),
                    needed: "AllowDnsResolutionFromRemoteVpc on the side of the database's VPC".into(),
                    fix: format!("account {} switches AllowDnsResolutionFromRemoteVpc on for {}", owner.account, owner.vpc),
                    remedies: vec![Remedy::EnablePeeringDns { peering: peering.clone(), requester: found.requester.vpc == owner.vpc }],
                };
                self.block(HopKind::Dns, &far.atlas, Asked::State, Decided::Words("off".into()), fault);
            }
            None => {
                let reason = format!("AWS does not show whether {peering} resolves names of {} to private addresses", owner.vpc);
                self.dark(HopKind::Dns, peering, Asked::State, Code::NotReadable, reason);
            }
        }
    }

    /// The two DNS attributes of a VPC.
    fn attributes(&mut self, atlas: &Atlas<'a>, area: &Area<'a>, hostnames: bool) {
        if let Ok(None) = area.vpc {
            return;
        }
        let dns = match atlas.dns(&area.id) {
            Ok(Some(dns)) => dns,
            Ok(None) => return,
            Err(gap) => return self.gap(HopKind::Dns, &area.id, Asked::State, &gap),
        };
        let host = &self.target.host;
        if !dns.support {
            let fault = Fault {
                code: Code::DnsSupportOff,
                resource: area.id.to_string(),
                found: format!("enableDnsSupport of {} is off, so {host} does not resolve", area.id),
                needed: "enableDnsSupport on".into(),
                fix: format!("switch enableDnsSupport of {} on", area.id),
                remedies: vec![Remedy::EnableDnsSupport { vpc: area.id.clone() }],
            };
            self.block(HopKind::Dns, atlas, Asked::State, Decided::Words("off".into()), fault);
        }
        if hostnames && !dns.hostnames {
            let fault = Fault {
                code: Code::DnsHostnamesOff,
                resource: area.id.to_string(),
                found: format!("enableDnsHostnames of {} is off, so {host} may resolve to a public address", area.id),
                needed: "enableDnsHostnames on".into(),
                fix: format!("switch enableDnsHostnames of {} on", area.id),
                remedies: vec![Remedy::EnableDnsHostnames { vpc: area.id.clone() }],
            };
            return self.block(HopKind::Dns, atlas, Asked::State, Decided::Words("off".into()), fault);
        }
        if dns.support {
            self.open(HopKind::Dns, &area.id, Asked::State, Decided::Words("resolves".into()));
        }
    }

    /// Whether both ends are where the path says; false where it makes no sense to look further.
    pub(super) fn ends(&mut self) -> bool {
        let (near, far) = (self.near, self.far);
        if let Some(net) = near.nets.iter().find(|n| common(n, &RESERVED).is_some()) {
            let fault = Fault {
                code: Code::ReservedSourceRange,
                resource: self.from.id.to_string(),
                found: format!("{net} in {} is in {RESERVED}, which DMS keeps for itself", self.from.id),
                needed: "a replication subnet outside that range".into(),
                fix: format!(
                    "the subnets of a replication cannot be changed: create a new one in subnets outside {RESERVED}, and move the tasks to it"
                ),
                remedies: vec![],
            };
            self.block(HopKind::Host, &near.atlas, Asked::State, Decided::Words("reserved".into()), fault);
        }
        // Where a path names a site's networks, the host itself tells more.
        let host = &self.target.host;
        let literal = host.parse::<IpAddr>().ok().map(IpNet::from);
        if let Some(net) = far.nets.iter().copied().chain(literal).find(|n| RESERVED.contains(n)) {
            let fault = Fault {
                code: Code::ReservedSourceRange,
                resource: host.clone(),
                found: format!("{net} is in {RESERVED}, which DMS keeps for itself: it reaches no database there"),
                needed: "an address outside that range".into(),
                fix: format!(
                    "put a TCP proxy (such as socat) on a host outside {RESERVED} in front of {host} and name the proxy in the DMS endpoint, or move the database"
                ),
                remedies: vec![],
            };
            self.block(HopKind::Host, &far.atlas, Asked::State, Decided::Words("reserved".into()), fault);
        }
        let inside: Vec<_> = far.nets.iter().filter(|n| self.here.holds(n) == Some(true)).copied().collect();
        let outside: Vec<_> = far.nets.iter().filter(|n| self.here.holds(n) == Some(false)).copied().collect();
        let (code, nets, words) = match self.query.path {
            Way::SameVpc if !outside.is_empty() => (Code::AddressOutsideVpc, outside, "is not in"),
            Way::PeeredVpc { .. } | Way::OnPremises { .. } | Way::Internet | Way::NatGateway { .. } if !inside.is_empty() => {
                (Code::AddressInsideVpc, inside, "is in")
            }
            _ => return true,
        };
        let nets = List(&nets);
        let fault = Fault {
            code,
            resource: self.target.host.clone(),
            found: format!("{nets} {words} {}", self.here.id),
            needed: "a path that fits the address".into(),
            fix: format!("correct path.type: the address of {} {words} the replication's VPC", self.target.host),
            remedies: vec![],
        };
        self.block(HopKind::Host, &near.atlas, Asked::State, Decided::Words("contradicts the path".into()), fault);
        false
    }
}
