//! VPCs and subnets.

use ipnet::IpNet;

use super::{SubnetId, VpcId};

/// A VPC (EC2 `Vpc`) with its two DNS attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// `vpc-…`
    pub id: VpcId,
    /// All CIDRs that are associated, IPv4 first.
    pub cidrs: Vec<IpNet>,
    /// `enableDnsSupport`; none where it could not be read.
    pub dns_support: Option<bool>,
    /// `enableDnsHostnames`; none where it could not be read.
    pub dns_hostnames: Option<bool>,
}

/// A subnet (EC2 `Subnet`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// `subnet-…`
    pub id: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Availability Zone name, such as `us-west-2a`.
    pub zone: String,
    /// All its CIDRs, IPv4 first.
    pub cidrs: Vec<IpNet>,
}
