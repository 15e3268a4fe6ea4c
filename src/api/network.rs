//! `DmsNetwork`: which DMS replication must reach which databases, and how.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{schema, status::DmsNetworkStatus};

/// The network set-up that one AWS DMS replication needs: which databases it must reach and which
/// VPC endpoints it uses. dmsnet derives the security group rules and endpoints, keeps them, and
/// reports drift.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "dmsnet.dev",
    version = "v1alpha1",
    kind = "DmsNetwork",
    namespaced,
    status = "DmsNetworkStatus",
    shortname = "dmsnet",
    category = "dms",
    derive = "PartialEq",
    doc = "The network set-up that one AWS DMS replication needs: which databases it must reach and which VPC endpoints it uses.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Synced", type_ = "string", json_path = ".status.conditions[?(@.type=='Synced')].status"),
    printcolumn(name = "Drift", type_ = "string", json_path = ".status.conditions[?(@.type=='DriftDetected')].status"),
    printcolumn(name = "Endpoints", type_ = "string", json_path = ".status.conditions[?(@.type=='EndpointsAvailable')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Class", type_ = "string", priority = "1", json_path = ".spec.className"),
    printcolumn(name = "Mode", type_ = "string", priority = "1", json_path = ".spec.mode"),
    printcolumn(name = "Message", type_ = "string", priority = "1", json_path = ".status.conditions[?(@.type=='Ready')].message")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DmsNetworkSpec {
    /// The DmsNetworkClass (account and Region) to work in. Without it the default class is used. Cannot be changed once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
    /// `Enforce` creates and repairs what is needed. `Observe` only reports, and never writes to AWS.
    #[serde(default)]
    pub mode: Mode,
    /// `true` stops all work on this network until it is `false` again; nothing in AWS is changed meanwhile.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of the AWS objects that dmsnet made when this network is deleted: `Delete` removes what no other network uses, `Retain` leaves it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How old the picture of AWS may get, as a duration such as `60s` or `5m`; at least `10s`. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resync_interval: Option<String>,
    /// The DMS replication whose traffic this network carries.
    pub replication: Replication,
    /// The databases that the replication must reach, each with a name of its own; 1 to 50.
    pub databases: Vec<Database>,
    /// VPC endpoints that the migration needs, each with a name of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vpc_endpoints: Vec<VpcEndpoint>,
    /// What to do about rules of others that open a managed port on a managed group: `Ignore`, `Report` (in status and an Event) or `Revoke`. The class sets the strongest that is allowed.
    #[serde(default)]
    pub foreign_rules: ForeignRules,
}

/// Whether dmsnet may write to AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Create and repair what is needed.
    #[default]
    Enforce,
    /// Report only, never write to AWS.
    Observe,
}

/// What becomes of AWS objects when a network is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// Remove what no other network uses.
    #[default]
    Delete,
    /// Leave all in AWS.
    Retain,
}

/// What to do about rules that somebody else made; ordered from weakest to strongest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ForeignRules {
    /// Do not look at them.
    Ignore,
    /// List them in status, with an Event.
    #[default]
    Report,
    /// Revoke those that open no more than managed ports.
    Revoke,
}

/// The DMS side of all paths: exactly one of `instance` and `placement`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replication {
    /// Identifier of an existing DMS replication instance; its groups, subnets and addresses are read from AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Where a replication will live, before anything exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Which of the replication's security groups carries our rules. Needed only if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_id: Option<String>,
}

/// Subnets and groups of a replication that does not exist yet.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// The subnets of the future replication subnet group, all of one VPC.
    pub subnet_ids: Vec<String>,
    /// The security groups that the replication will have.
    pub security_group_ids: Vec<String>,
}

/// One database and how it is reached: exactly one of `dmsEndpoint`, `rds` and `address`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Database {
    /// A name for this database, unique in this network; it appears in status, Events and rule descriptions.
    pub name: String,
    /// `Source` or `Target`; for people, it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Identifier of the DMS endpoint that describes this database; host, port and engine are read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dms_endpoint: Option<String>,
    /// An RDS instance or cluster; host, port, group and subnets are read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rds: Option<Rds>,
    /// Engine and hosts, written out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// More hosts and ports that belong to this database, such as Oracle ASM or Kafka brokers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_endpoints: Vec<HostPort>,
    /// The database's security group, if dmsnet is to open it. For `rds` it is found; needed there only if the database has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_id: Option<String>,
    /// The database's subnets. For `rds` they are found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// How the packets get there.
    pub path: Path,
    /// How the database's group admits the replication: `Auto` (by group reference), `SecurityGroup`, `SubnetCidrs` (the replication subnets), `VpcCidr`, or `PrivateIp` (its address as /32; it may change, so prefer another).
    #[serde(default)]
    pub ingress_from: IngressFrom,
}

/// The part a database plays in a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Data is read from it.
    Source,
    /// Data is written to it.
    Target,
}

/// An RDS database: exactly one of `instance` and `cluster`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rds {
    /// Identifier of a DB instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Identifier of a DB cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// A database by its hosts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Engine name as DMS spells it, such as `postgres`, `mysql`, `sqlserver` or `mongodb`; it gives the port where none is written.
    pub engine: String,
    /// The hosts, at least one.
    pub endpoints: Vec<HostPort>,
}

/// A host and a TCP port.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPort {
    /// Host name or IP address.
    pub host: String,
    /// TCP port; default: the engine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// How packets get from the replication to a database.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Path {
    /// `SameVpc`: replication and database are in one VPC.
    #[serde(rename = "type")]
    pub type_: PathType,
}

/// The network configurations of the DMS user guide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PathType {
    /// All components in one VPC (CHAP_Security.Network; domain.md 1.1).
    #[default]
    SameVpc,
}

/// How the database's group admits the replication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IngressFrom {
    /// The narrowest that holds on this path: a group reference.
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

/// A VPC endpoint that the migration needs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VpcEndpoint {
    /// A name for this endpoint, unique in this network.
    pub name: String,
    /// The AWS service, as in the last part of its PrivateLink name: `dms` for `com.amazonaws.<region>.dms`.
    pub service: String,
    /// `Interface`: network interfaces in your subnets.
    #[serde(rename = "type", default)]
    pub type_: VpcEndpointType,
    /// The VPC; default: the replication's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// Take over this existing endpoint instead of creating one. Only the fields written here are changed, and it is never deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    /// Subnets that get a network interface, at most one per Availability Zone; default: the replication subnets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnet_ids: Vec<String>,
    /// Groups on the endpoint's network interfaces; default: one that dmsnet creates and owns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_group_ids: Vec<String>,
    /// Who may call port 443 of the endpoint; default: the replication's group and the VPC's CIDRs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_from: Vec<AllowFrom>,
    /// Whether the service's public name resolves to this endpoint inside the VPC (needs both VPC DNS attributes). Default: true, except for s3 and dynamodb.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_dns: Option<bool>,
    /// The endpoint policy; default: full access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<EndpointPolicy>,
    /// `ipv4`, `dualstack` or `ipv6`; default: ipv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<IpAddressType>,
}

/// Kind of VPC endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VpcEndpointType {
    /// Network interfaces in subnets (AWS PrivateLink).
    #[default]
    Interface,
}

/// One caller of an endpoint: exactly one of the fields.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowFrom {
    /// Callers with an address in this CIDR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<String>,
    /// Callers in this security group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group_id: Option<String>,
    /// Callers in this prefix list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix_list_id: Option<String>,
}

/// A VPC endpoint policy.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EndpointPolicy {
    /// `FullAccess`, or `Document` with the policy in `document`.
    #[serde(rename = "type")]
    pub type_: EndpointPolicyType,
    /// The policy document as an object, at most 20,480 characters; compared with AWS by meaning, not by spelling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::any_object")]
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

/// Address families of a VPC endpoint (EC2 `IpAddressType`).
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
