//! Network ACLs: stateless, asked only where a packet crosses the border of a subnet (domain.md 1.0).

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Direction, NetworkAclId, Ports, Protocol, SubnetId, VpcId, tags::Tags};

/// A network ACL (EC2 `NetworkAcl`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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

impl NetworkAcl {
    /// The entries of one direction, in the order in which AWS asks them.
    pub fn entries(&self, direction: Direction) -> impl Iterator<Item = &AclEntry> {
        self.entries.iter().filter(move |e| e.direction == direction)
    }
}
