//! VPCs and subnets.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{SubnetId, VpcId};

/// A VPC (EC2 `Vpc`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vpc {
    /// `vpc-…`
    pub id: VpcId,
    /// All CIDRs that are associated, IPv4 first.
    pub cidrs: Vec<IpNet>,
    /// The account that owns it.
    pub owner: String,
    /// What VPC Block Public Access does to it as a whole.
    pub block_public_access: BlockPublicAccess,
}

/// The two DNS attributes of a VPC: AWS tells each by a call of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcDns {
    /// `enableDnsSupport`: names resolve at all.
    pub support: bool,
    /// `enableDnsHostnames`: private DNS of endpoints needs it, and names of RDS that are public too (domain.md 1.2, 1.7).
    pub hostnames: bool,
}

/// `BlockPublicAccessStates.InternetGatewayBlockMode`: it defeats internet gateways in silence (domain.md 1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum BlockPublicAccess {
    /// Internet gateways work.
    #[default]
    Off,
    /// Internet gateways carry only what NAT gateways and egress-only internet gateways send, and its answers.
    Ingress,
    /// Nothing passes an internet gateway.
    Bidirectional,
}

/// A subnet (EC2 `Subnet`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subnet {
    /// `subnet-…`
    pub id: SubnetId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Availability Zone name, such as `us-west-2a`.
    pub zone: String,
    /// All its CIDRs, IPv4 first.
    pub cidrs: Vec<IpNet>,
    /// What VPC Block Public Access does to it, exclusions included.
    pub block_public_access: BlockPublicAccess,
}
