//! Ledger keys: logical, stable names of wanted objects, known before AWS has given an ID.

use std::{fmt, sync::Arc};

use serde::{Serialize, Serializer};

use super::sorted::Sorted;
use crate::{
    api::{network::VpcEndpointType, status::ResourceKind},
    model::{
        AclShape, Destination, Direction, NetworkAclId, Peer, Ports, Protocol, RouteTableId, RuleShape, SecurityGroupId, VpcEndpoint,
        VpcEndpointId, VpcId,
        endpoint::{gateway_service_name, service_name},
        shared,
    },
};

/// An endpoint that we make: one per VPC and service, shared by all that want it (private DNS allows no second).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointKey {
    /// Its VPC.
    pub vpc: VpcId,
    /// Its service, short: `dms`.
    pub service: Arc<str>,
    /// Interface or gateway: a VPC may have one of each for S3 and for DynamoDB.
    pub kind: VpcEndpointType,
}

impl EndpointKey {
    /// An interface endpoint.
    pub fn interface(vpc: VpcId, service: &str) -> Self {
        Self { vpc, service: shared(service), kind: VpcEndpointType::Interface }
    }

    /// Full name of its service in a Region.
    pub fn service_name(&self, region: &str) -> String {
        match self.kind {
            VpcEndpointType::Interface => service_name(region, &self.service),
            VpcEndpointType::Gateway => gateway_service_name(region, &self.service),
        }
    }

    /// Whether an endpoint of its VPC and service is of its kind.
    pub fn is_like(&self, endpoint: &VpcEndpoint) -> bool {
        endpoint.is_of(self.kind)
    }
}

const GATEWAY: &str = "/gateway";

impl fmt::Display for EndpointKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.kind == VpcEndpointType::Gateway { GATEWAY } else { "" };
        write!(f, "{}/{}{kind}", self.vpc, self.service)
    }
}

/// An endpoint: one that we make, or an existing one that is taken over by ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointRef {
    /// Made, repaired and deleted by us.
    Made(EndpointKey),
    /// Somebody else's; only what is written is changed, and it is never deleted.
    TakenOver(VpcEndpointId),
}

impl EndpointRef {
    /// ID of where it is known: an endpoint that we make, by its VPC.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Made(key) => key.vpc.as_str(),
            Self::TakenOver(id) => id.as_str(),
        }
    }
}

impl fmt::Display for EndpointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Made(key) => key.fmt(f),
            Self::TakenOver(id) => id.fmt(f),
        }
    }
}

/// A group whose rules are meant: one with an ID, or the one that we make for an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupRef {
    /// An existing group.
    Id(SecurityGroupId),
    /// The group of an endpoint that we make.
    OfEndpoint(EndpointKey),
}

impl GroupRef {
    /// ID of where it is known: a group that we make, by its VPC.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Id(id) => id.as_str(),
            Self::OfEndpoint(key) => key.vpc.as_str(),
        }
    }
}

impl fmt::Display for GroupRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::OfEndpoint(key) => key.fmt(f),
        }
    }
}

/// The key of a wanted object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `group/vpc-…/dms`
    Group(EndpointKey),
    /// `rule/sg-…/in/tcp/5432/sg-…`
    Rule(GroupRef, RuleShape),
    /// `endpoint/vpc-…/dms`, `endpoint/vpc-…/s3/gateway` or `endpoint/vpce-…`
    Endpoint(EndpointRef),
    /// `route/rtb-…/10.1.0.0/16`
    Route(RouteTableId, Destination),
    /// `acl-entry/acl-…/in/tcp/5432/10.0.0.0/16`
    AclEntry(NetworkAclId, AclShape),
}

/// Keys, each once, in their order.
pub type Keys = Sorted<Key>;

impl Key {
    /// Kind of the AWS object.
    pub fn kind(&self) -> ResourceKind {
        match self {
            Self::Group(_) => ResourceKind::SecurityGroup,
            Self::Rule(..) => ResourceKind::SecurityGroupRule,
            Self::Endpoint(_) => ResourceKind::VpcEndpoint,
            Self::Route(..) => ResourceKind::Route,
            Self::AclEntry(..) => ResourceKind::NetworkAclEntry,
        }
    }

    /// The lock under which it is changed: whatever hangs on one group, endpoint, ACL or route table is done by one network at a time.
    pub fn lock(&self) -> String {
        match self {
            Self::Rule(GroupRef::OfEndpoint(key), _) | Self::Group(key) => key.to_string(),
            Self::Rule(GroupRef::Id(id), _) => id.to_string(),
            Self::Endpoint(endpoint) => endpoint.to_string(),
            Self::Route(table, _) => table.to_string(),
            Self::AclEntry(acl, _) => acl.to_string(),
        }
    }

    /// ID of what it hangs on.
    pub(super) fn place(&self) -> &str {
        match self {
            Self::Rule(group, _) => group.place(),
            Self::Group(key) => key.vpc.as_str(),
            Self::Endpoint(endpoint) => endpoint.place(),
            Self::Route(table, _) => table.as_str(),
            Self::AclEntry(acl, _) => acl.as_str(),
        }
    }

    /// Reads a key back from the ledger; none where it is not one of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once('/')?;
        match kind {
            "group" => Some(Self::Group(endpoint_key(rest)?)),
            "endpoint" if rest.starts_with("vpce-") => Some(Self::Endpoint(EndpointRef::TakenOver(rest.into()))),
            "endpoint" => Some(Self::Endpoint(EndpointRef::Made(endpoint_key(rest)?))),
            "route" => {
                let (table, destination) = rest.split_once('/')?;
                let destination = match destination {
                    p if p.starts_with("pl-") => Destination::PrefixList(p.into()),
                    cidr => Destination::Cidr(cidr.parse().ok()?),
                };
                table.starts_with("rtb-").then(|| Self::Route(table.into(), destination))
            }
            "acl-entry" => {
                let (acl, rest) = rest.split_once('/')?;
                let RuleShape { direction, protocol, ports, peer: Peer::Cidr(cidr) } = shape(rest)? else { return None };
                acl.starts_with("acl-").then(|| Self::AclEntry(acl.into(), AclShape { direction, protocol, ports, cidr }))
            }
            "rule" => {
                let (first, rest) = rest.split_once('/')?;
                if first.starts_with("sg-") {
                    return Some(Self::Rule(GroupRef::Id(first.into()), shape(rest)?));
                }
                let (service, rest) = rest.split_once('/')?;
                let key = EndpointKey::interface(first.into(), service);
                Some(Self::Rule(GroupRef::OfEndpoint(key), shape(rest)?))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(key) => write!(f, "group/{key}"),
            Self::Rule(group, shape) => write!(f, "rule/{group}/{shape}"),
            Self::Endpoint(e) => write!(f, "endpoint/{e}"),
            Self::Route(table, destination) => write!(f, "route/{table}/{destination}"),
            Self::AclEntry(acl, shape) => write!(f, "acl-entry/{acl}/{shape}"),
        }
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

fn endpoint_key(text: &str) -> Option<EndpointKey> {
    let (vpc, service) = text.split_once('/')?;
    let (service, kind) = match service.strip_suffix(GATEWAY) {
        Some(service) => (service, VpcEndpointType::Gateway),
        None => (service, VpcEndpointType::Interface),
    };
    Some(EndpointKey { vpc: vpc.into(), service: shared(service), kind })
}

/// `in/tcp/5432/10.0.0.0/16`
fn shape(text: &str) -> Option<RuleShape> {
    let mut parts = text.splitn(4, '/');
    let (direction, protocol, ports, peer) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(RuleShape {
        direction: match direction {
            "in" => Direction::In,
            "out" => Direction::Out,
            _ => return None,
        },
        protocol: Protocol::parse(protocol)?,
        ports: if ports == "all" { None } else { Some(Ports::parse(ports)?) },
        peer: match peer {
            g if g.starts_with("sg-") => Peer::SecurityGroup(g.into()),
            p if p.starts_with("pl-") => Peer::PrefixList(p.into()),
            cidr => Peer::Cidr(cidr.parse().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn keys_survive_the_ledger() {
        for text in [
            "group/vpc-0a1b2c3d/dms",
            "endpoint/vpc-0a1b2c3d/dms",
            "endpoint/vpce-0a1b2c3d",
            "endpoint/vpc-0a1b2c3d/s3/gateway",
            "rule/sg-0a1b2c3d/in/tcp/5432/sg-0b1b2c3d",
            "rule/sg-0a1b2c3d/out/tcp/27017-27020/10.0.0.0/16",
            "rule/vpc-0a1b2c3d/dms/in/tcp/443/2001:db8::/32",
            "rule/vpc-0a1b2c3d/dms/in/tcp/443/pl-0a1b2c3d",
            "rule/sg-0a1b2c3d/out/all/all/0.0.0.0/0",
            "route/rtb-0a1b2c3d/10.1.0.0/16",
            "route/rtb-0a1b2c3d/2001:db8::/32",
            "route/rtb-0a1b2c3d/pl-0a1b2c3d",
            "acl-entry/acl-0a1b2c3d/in/tcp/32768-65535/10.1.0.0/16",
            "acl-entry/acl-0a1b2c3d/out/tcp/5432/2001:db8::/32",
            "acl-entry/acl-0a1b2c3d/out/tcp/all/0.0.0.0/0",
        ] {
            assert_eq!(Key::parse(text).unwrap().to_string(), text);
        }
        for broken in [
            "",
            "rule",
            "rule/sg-1/in/tcp",
            "rule/sg-1/sideways/tcp/1/sg-2",
            "acl/x",
            "rule/sg-1/in/tcp/0/sg-2",
            "route/rtb-1/x",
            "acl-entry/acl-1/in/tcp/1/sg-2",
        ] {
            assert_eq!(Key::parse(broken), None, "{broken}");
        }
    }
}
