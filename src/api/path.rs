//! The way between replication and database, and what it goes through.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// How packets get from the replication to a database. The block of the type stands beside it: `peeredVpc`, `onPremises`,
/// `internet`, `natGateway` or `classicLink`; a block of another type is refused.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.type != 'PeeredVpc' || has(self.peeredVpc)")
        .message("type PeeredVpc needs its block peeredVpc with the peeringConnectionId"),
    validation = Rule::new("self.type != 'ClassicLink' || has(self.classicLink)")
        .message("type ClassicLink needs its block classicLink with the proxy"),
    validation = Rule::new("self.type == 'PeeredVpc' || !has(self.peeredVpc)")
        .message("peeredVpc belongs to type PeeredVpc: remove the block, or correct type").field_path(".peeredVpc"),
    validation = Rule::new("self.type == 'OnPremises' || !has(self.onPremises)")
        .message("onPremises belongs to type OnPremises: remove the block, or correct type").field_path(".onPremises"),
    validation = Rule::new("self.type == 'Internet' || !has(self.internet)")
        .message("internet belongs to type Internet: remove the block, or correct type").field_path(".internet"),
    validation = Rule::new("self.type == 'NatGateway' || !has(self.natGateway)")
        .message("natGateway belongs to type NatGateway: remove the block, or correct type").field_path(".natGateway"),
    validation = Rule::new("self.type == 'ClassicLink' || !has(self.classicLink)")
        .message("classicLink belongs to type ClassicLink: remove the block, or correct type").field_path(".classicLink")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Path {
    /// `SameVpc`: replication and database are in one VPC. `PeeredVpc`: in two, joined by a peering connection. `OnPremises`: through
    /// Direct Connect or a VPN. `Internet`: by the instance's public address and an internet gateway. `NatGateway`: by the public
    /// addresses of NAT gateways. `ClassicLink`: retired by AWS; what is left of it is a proxy before the database.
    #[serde(rename = "type")]
    pub type_: PathType,
    /// With `type: PeeredVpc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peered_vpc: Option<PeeredVpc>,
    /// With `type: OnPremises`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises: Option<OnPremises>,
    /// With `type: Internet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internet: Option<Internet>,
    /// With `type: NatGateway`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_gateway: Option<NatGatewayPath>,
    /// With `type: ClassicLink`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classic_link: Option<ClassicLink>,
}

/// The network configurations of the DMS user guide (CHAP_ReplicationInstance.VPC).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, strum::Display, strum::EnumIter,
)]
pub enum PathType {
    /// All components in one VPC (domain.md 1.1).
    #[default]
    SameVpc,
    /// Two VPCs, joined by a peering connection (domain.md 1.2).
    PeeredVpc,
    /// Direct Connect or VPN (domain.md 1.3).
    OnPremises,
    /// Internet gateway (domain.md 1.4).
    Internet,
    /// NAT gateway (domain.md 1.5).
    NatGateway,
    /// ClassicLink with a proxy, retired (domain.md 1.6).
    ClassicLink,
}

/// The peering connection between the replication's VPC and the database's.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PeeredVpc {
    /// Its ID, such as `pcx-0a1b2c3d`. It must be active, and the CIDRs of the two VPCs must not overlap.
    #[schemars(schema_with = "schema::peering_connection_id")]
    pub peering_connection_id: String,
}

/// A database outside AWS, behind Direct Connect or a VPN.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnPremises {
    /// The networks on the far side, at most 64 CIDRs such as `10.50.0.0/16`; default: the addresses of the database's hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::cidrs")]
    pub cidrs: Vec<String>,
    /// The host in the VPC that bridges the traffic, if there is one: an EC2 instance as NAT or VPN appliance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat_host: Option<NatHost>,
}

/// A host that bridges traffic between the VPC and the far side.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatHost {
    /// Its security group, such as `sg-0a1b2c3d`: it gets a way in from the replication and out to the far side.
    #[schemars(schema_with = "schema::security_group_id")]
    pub security_group_id: String,
    /// Its network interface, such as `eni-0a1b2c3d`: routes to the far side lead to it, and its source/destination check must be off.
    #[schemars(schema_with = "schema::network_interface_id")]
    pub network_interface_id: String,
}

/// A database on the internet, reached by the instance's own public address.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Internet {
    /// Where the database is, at most 64 CIDRs such as `203.0.113.7/32`; default: the addresses that its hosts resolve to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::cidrs")]
    pub cidrs: Vec<String>,
}

/// A database outside the VPC, reached through NAT gateways.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NatGatewayPath {
    /// Where the database is, at most 64 CIDRs such as `203.0.113.7/32`; default: the addresses that its hosts resolve to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::cidrs")]
    pub cidrs: Vec<String>,
    /// The NAT gateways whose public addresses the database's group admits, at most 16 IDs such as `nat-0a1b2c3d`; default: those that
    /// the route tables of the replication subnets name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::nat_gateway_ids")]
    pub nat_gateway_ids: Vec<String>,
}

/// What is left of ClassicLink, which AWS retired on 15 August 2022: a proxy in the VPC before the database.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClassicLink {
    /// The proxy that the replication connects to instead of the database.
    pub proxy: Proxy,
}

/// A TCP proxy in the replication's VPC.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// Its security group, such as `sg-0a1b2c3d`: it admits the replication.
    #[schemars(schema_with = "schema::security_group_id")]
    pub security_group_id: String,
    /// Its host name or IP address.
    #[schemars(schema_with = "schema::host")]
    pub host: String,
    /// The TCP port that it listens on.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,
}

/// How the database's group admits the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IngressFrom {
    /// The narrowest that holds on this path.
    #[default]
    Auto,
    /// Reference to the replication's group.
    SecurityGroup,
    /// The CIDRs of the replication subnets.
    SubnetCidrs,
    /// The CIDRs of the replication VPC.
    VpcCidr,
    /// The replication instance's private addresses as /32; AWS may change them.
    PrivateIp,
}
