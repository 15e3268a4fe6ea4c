//! VPC endpoints that a network wants.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// An endpoint through which a VPC reaches an AWS service in private. Networks that name the same service in the same VPC share
/// one endpoint.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.type != 'Gateway' || self.service in ['s3', 'dynamodb']")
        .message("only s3 and dynamodb have gateway endpoints: set type to Interface")
        .field_path(".type"),
    validation = (
        "self.type != 'Gateway' || !(has(self.subnetIds) || has(self.securityGroupIds) || has(self.allowFrom) || has(self.privateDns) || has(self.ipAddressType))",
        "a gateway endpoint has routes instead of network interfaces: of these fields it takes only routeTableIds and policy"
    ),
    validation = Rule::new("self.type == 'Gateway' || !has(self.routeTableIds)")
        .message("only a gateway endpoint has route tables: remove it, or set type to Gateway")
        .field_path(".routeTableIds")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcEndpoint {
    /// A name for this endpoint, unique in this network and at most 63 characters; it appears in status and Events.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// The AWS service, as the last part of its PrivateLink name: `dms` for `com.amazonaws.<region>.dms`, which carries calls of
    /// the DMS API, or `secretsmanager`.
    #[schemars(schema_with = "schema::service")]
    pub service: String,
    /// `Interface`: network interfaces in your subnets. `Gateway`: a route in your route tables, free of charge, for s3 and dynamodb.
    #[serde(rename = "type", default)]
    pub type_: VpcEndpointType,
    /// The VPC, such as `vpc-0a1b2c3d`; default: the replication's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::vpc_id")]
    pub vpc_id: Option<String>,
    /// Take over this existing endpoint, such as `vpce-0a1b2c3d`, instead of creating one; the class must allow it. Only what is
    /// written here is changed, a field left out stays as it is in AWS, and the endpoint is never deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::vpc_endpoint_id")]
    pub vpc_endpoint_id: Option<String>,
    /// Subnets that get a network interface, at most one per Availability Zone; default: the replication subnets, one per zone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subnet_ids")]
    pub subnet_ids: Vec<String>,
    /// Route tables that get a route to a gateway endpoint, such as `rtb-0a1b2c3d`, at most 60; default: those of the replication
    /// subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::route_table_ids")]
    pub route_table_ids: Vec<String>,
    /// Security groups on the endpoint's network interfaces, at most 16; default: one that dmsnet creates and owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::security_group_ids")]
    pub security_group_ids: Vec<String>,
    /// Who may call port 443 of the endpoint, at most 60, each by exactly one of `cidr`, `securityGroupId` and `prefixListId`;
    /// default: the replication's group and the VPC's CIDRs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 60))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub allow_from: Vec<AllowFrom>,
    /// Whether the service's public name (`dms.<region>.amazonaws.com`) resolves to this endpoint inside the VPC; this needs
    /// enableDnsSupport and enableDnsHostnames on the VPC. Default: true, except for s3 and dynamodb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns: Option<bool>,
    /// The endpoint policy: `{type: FullAccess}`, or `type: Document` with the policy in `document`. Default: full access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<EndpointPolicy>,
    /// Address families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<IpAddressType>,
}

/// Kind of VPC endpoint.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    strum::Display,
    strum::IntoStaticStr,
)]
pub enum VpcEndpointType {
    /// Network interfaces in subnets (AWS PrivateLink).
    #[default]
    Interface,
    /// A route to the service's prefix list in route tables.
    Gateway,
}

/// One caller of an endpoint: exactly one of the fields.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[x_kube(
    validation = (
        "[has(self.cidr), has(self.securityGroupId), has(self.prefixListId)].exists_one(x, x)",
        "set exactly one of cidr, securityGroupId and prefixListId in each entry"
    )
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowFrom {
    /// Callers with an address in this CIDR, such as `10.0.0.0/16`, without host bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cidr")]
    pub cidr: Option<String>,
    /// Callers in this security group, such as `sg-0a1b2c3d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::security_group_id")]
    pub security_group_id: Option<String>,
    /// Callers in this managed prefix list, such as `pl-0a1b2c3d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::prefix_list_id")]
    pub prefix_list_id: Option<String>,
}

/// A VPC endpoint policy.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = ("self.type != 'Document' || has(self.document)", "type Document needs the policy in document"),
    validation = ("self.type != 'FullAccess' || !has(self.document)", "type FullAccess takes no document: remove it, or set type to Document")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointPolicy {
    /// `FullAccess`, or `Document` with the policy in `document`.
    #[serde(rename = "type")]
    pub type_: EndpointPolicyType,
    /// The policy document as an object, at most 20,480 characters; compared with AWS by meaning, not by spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::policy_document")]
    pub document: Option<serde_json::Value>,
}

/// Kind of endpoint policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EndpointPolicyType {
    /// AWS's default: everything is allowed.
    #[default]
    FullAccess,
    /// The policy in `document`.
    Document,
}

/// Address families of the endpoint: `ipv4`, `dualstack` or `ipv6`; default: ipv4. IPv6 needs subnets with IPv6 CIDRs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IpAddressType {
    /// IPv4 only.
    #[default]
    Ipv4,
    /// Both families; every subnet needs both.
    Dualstack,
    /// IPv6 only.
    Ipv6,
}
