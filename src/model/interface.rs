//! Network interfaces and prefix lists.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{NetworkInterfaceId, PrefixListId, SecurityGroupId, SubnetId, VpcId};

/// A network interface (EC2 `NetworkInterface`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkInterface {
    /// `eni-…`
    pub id: NetworkInterfaceId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// What made it says what it is for: `DMSNetworkInterface`, `RDSNetworkInterface`, …
    pub description: String,
    /// `in-use`, `available`, …
    pub status: String,
    /// Its addresses in the VPC, IPv4 and IPv6, sorted.
    pub addresses: Vec<IpAddr>,
    /// Its public IPv4 addresses, sorted.
    pub public_ips: Vec<IpAddr>,
    /// Its groups, sorted.
    pub groups: Vec<SecurityGroupId>,
    /// Whether it drops what is not addressed to it (`SourceDestCheck`): off on whatever forwards for others.
    pub source_dest_check: bool,
}

/// A managed prefix list with its entries (EC2 `ManagedPrefixList`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrefixList {
    /// `pl-…`
    pub id: PrefixListId,
    /// Its name: AWS's own are `com.amazonaws.<region>.<service>`.
    pub name: String,
    /// Its CIDRs, sorted.
    pub cidrs: Vec<IpNet>,
    /// How many rules of a group's quota it counts for (`MaxEntries`; AWS's own: their weight, which EC2 does not tell).
    pub max_entries: Option<u32>,
}
