//! Network ACLs: stateless, asked only where a packet crosses the border of a subnet (domain.md 1.0).

use std::fmt;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use super::{Direction, NetworkAclId, Ports, Protocol, SubnetId, VpcId, tags::Tags};

/// A network ACL (EC2 `NetworkAcl`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAcl {
    /// `acl-…`
    pub id: NetworkAclId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Whether it is the VPC's default.
    pub is_default: bool,
    /// The subnets that it stands before, sorted. Every subnet has exactly one.
    pub subnets: Vec<SubnetId>,
    /// Its entries by direction, then number; the closing denies (32767, 32768) are left out: what nothing allows is denied.
    pub entries: Vec<AclEntry>,
    /// Its tags: they record which entries are ours (design.md 2).
    pub tags: Tags,
}

/// One numbered entry (EC2 `NetworkAclEntry`). The first that matches decides.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclEntry {
    /// In or out of the subnet.
    pub direction: Direction,
    /// 1 to 32766.
    pub number: u16,
    /// IP protocol.
    pub protocol: Protocol,
    /// Ports of TCP and UDP (for ICMP: type and code); none: all.
    pub ports: Option<Ports>,
    /// Where packets come from (in) or go to (out).
    pub cidr: IpNet,
    /// Allow or deny.
    pub allow: bool,
}

/// What an entry matches: all of it but its number and whether it allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AclShape {
    /// In or out of the subnet.
    pub direction: Direction,
    /// IP protocol.
    pub protocol: Protocol,
    /// Ports of TCP and UDP; none: all.
    pub ports: Option<Ports>,
    /// Where packets come from (in) or go to (out).
    pub cidr: IpNet,
}

impl AclShape {
    /// TCP packets to these ports.
    pub fn tcp(direction: Direction, ports: Ports, cidr: IpNet) -> Self {
        Self { direction, protocol: Protocol::Tcp, ports: Some(ports).filter(|p| *p != Ports::ALL), cidr: cidr.trunc() }
    }
}

/// `in/tcp/5432/10.0.0.0/16`
impl fmt::Display for AclShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.direction, self.protocol)?;
        match self.ports {
            Some(p) => write!(f, "{p}")?,
            None => f.write_str("all")?,
        }
        write!(f, "/{}", self.cidr)
    }
}

impl Serialize for AclShape {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl AclEntry {
    /// What it matches, in one spelling: every port is no port.
    pub fn shape(&self) -> AclShape {
        let ports = self.ports.filter(|p| *p != Ports::ALL);
        AclShape { direction: self.direction, protocol: self.protocol, ports, cidr: self.cidr }
    }
}

impl NetworkAcl {
    /// The entries of one direction, in the order in which AWS asks them.
    pub fn entries(&self, direction: Direction) -> impl Iterator<Item = &AclEntry> {
        self.entries.iter().filter(move |e| e.direction == direction)
    }
}
