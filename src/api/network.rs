//! `DmsNetwork`: which DMS replication must reach which databases, and how.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::{
    path::{ClassicLink, IngressFrom, Internet, NatGatewayPath, NatHost, OnPremises, Path, PathType, PeeredVpc, Proxy},
    vpc_endpoint::{AllowFrom, EndpointPolicy, EndpointPolicyType, IpAddressType, VpcEndpoint, VpcEndpointType},
};
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
    printcolumn(name = "Paths", type_ = "string", json_path = ".status.conditions[?(@.type=='PathsOpen')].status"),
    printcolumn(name = "Endpoints", type_ = "string", json_path = ".status.conditions[?(@.type=='EndpointsAvailable')].status"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Class", type_ = "string", priority = "1", json_path = ".spec.className"),
    printcolumn(name = "Mode", type_ = "string", priority = "1", json_path = ".spec.mode"),
    printcolumn(name = "Message", type_ = "string", priority = "1", json_path = ".status.conditions[?(@.type=='Ready')].message"),
    validation = ("self.metadata.name.size() <= 63", "metadata.name must have at most 63 characters")
)]
#[x_kube(
    validation = Rule::new("!has(oldSelf.className) || has(self.className) && self.className == oldSelf.className")
        .message("cannot be changed or removed once set: create another DmsNetwork for the other class")
        .field_path(".className")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DmsNetworkSpec {
    /// Name of the DmsNetworkClass to work in: it stands for an AWS account and Region (`kubectl get dnc` lists them). Without it
    /// the default class is used. Cannot be changed once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::class_name")]
    pub class_name: Option<String>,
    /// `Enforce` creates and repairs what is needed. `Observe` never writes to AWS: status.pending shows what it would do.
    #[serde(default)]
    pub mode: Mode,
    /// `true` stops all work on this network, its repairs too, until it is `false` again. What exists in AWS stays as it is.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of the AWS objects that dmsnet made when this network is deleted: `Delete` removes what no other network uses,
    /// `Retain` leaves all of it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// How old the picture of AWS may get before it is read again, and so how late a drift may be noticed: a duration such as
    /// `60s` or `5m`, at least `10s`. Default: the class's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub resync_interval: Option<String>,
    /// The DMS side of every path: exactly one of `instance`, `serverless` (they exist) and `placement` (it will exist).
    pub replication: Replication,
    /// The databases that the replication must reach, 1 to 50, each with a name of its own.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub databases: Vec<Database>,
    /// VPC endpoints (AWS PrivateLink) that the migration needs, at most 32, each with a name of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new(
            "self.all(a, self.exists_one(b, a.service == b.service && a.type == b.type && (has(a.vpcId) ? a.vpcId : '') == (has(b.vpcId) ? b.vpcId : '')))"
        )
        .message("two entries name the same service and type in the same VPC, where one endpoint serves all: make them one"),
        validation = Rule::new(
            "self.all(a, !has(a.vpcEndpointId) || self.exists_one(b, has(b.vpcEndpointId) && a.vpcEndpointId == b.vpcEndpointId))"
        )
        .message("two entries take over the same vpcEndpointId: make them one")
    )]
    pub vpc_endpoints: Vec<VpcEndpoint>,
    /// What to do about rules of others that open a managed port on a managed group: `Ignore`, `Report` (in status.foreign and an
    /// Event) or `Revoke` (those that open no more than managed ports). The class sets the strongest that is allowed.
    #[serde(default)]
    pub foreign_rules: ForeignRules,
    /// What to do about network ACLs on the paths: `Check` never changes them, `Manage` adds the entries that are missing, with
    /// numbers of the class's range, and repairs and removes what it added. It never goes ahead of a deny. The class must allow it.
    #[serde(default)]
    pub network_acls: Upkeep,
    /// What to do about routes on the paths: `Check` never changes them, `Manage` adds those that are missing, on both sides of a
    /// peering, and repairs and removes what it added. It never replaces a route of others. The class must allow it.
    #[serde(default)]
    pub routes: Upkeep,
    /// Whether dmsnet starts DMS's own connection test: `OnChange` after each change that it made in AWS, for every database that
    /// names a `dmsEndpoint`. With `Never` only tests that others started are shown.
    #[serde(default)]
    pub connection_test: ConnectionTest,
}

/// Whether dmsnet keeps a kind of AWS object, or only looks at it; ordered from weakest to strongest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Upkeep {
    /// Look only.
    #[default]
    Check,
    /// Add what is missing, repair and remove what was added.
    Manage,
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

/// When DMS's own connection test is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConnectionTest {
    /// Not by dmsnet.
    #[default]
    Never,
    /// After a change.
    OnChange,
}

/// The DMS side of all paths.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = (
        "[has(self.instance), has(self.serverless), has(self.placement)].exists_one(x, x)",
        "set exactly one of instance, serverless and placement"
    ),
    validation = Rule::new("!has(self.placement) || has(self.securityGroupId) || size(self.placement.securityGroupIds) <= 1")
        .message("placement has several security groups: name in securityGroupId the one that carries our rules"),
    validation = Rule::new(
        "!has(self.placement) || !has(self.securityGroupId) || self.securityGroupId in self.placement.securityGroupIds"
    )
    .message("must be one of placement.securityGroupIds")
    .field_path(".securityGroupId")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Replication {
    /// Identifier (not ARN) of an existing DMS replication instance; its groups, subnets and addresses are read from AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::identifier")]
    pub instance: Option<String>,
    /// Identifier (not ARN) of a DMS Serverless replication config; its groups and subnet group are read from AWS. Its network
    /// interfaces have no public address, and their private ones are not told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::replication_config_identifier")]
    pub serverless: Option<String>,
    /// Where a replication will live, to prepare its network before anything exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,
    /// Which of the replication's security groups carries our rules, such as `sg-0a1b2c3d`. Needed only if it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::security_group_id")]
    pub security_group_id: Option<String>,
}

/// Subnets and groups of a replication that does not exist yet.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// The subnets of the future replication subnet group, all of one VPC; 1 to 60 IDs such as `subnet-0a1b2c3d`.
    #[schemars(schema_with = "schema::some_subnet_ids")]
    pub subnet_ids: Vec<String>,
    /// The security groups that the replication will have; 1 to 16 IDs such as `sg-0a1b2c3d`.
    #[schemars(schema_with = "schema::some_security_group_ids")]
    pub security_group_ids: Vec<String>,
}

/// Say where the database is with exactly one of `dmsEndpoint`, `rds` and `address`, how packets get there with `path`, and,
/// if its security group is ours to open, which one that is.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = (
        "[has(self.dmsEndpoint), has(self.rds), has(self.address)].exists_one(x, x)",
        "set exactly one of dmsEndpoint, rds and address"
    ),
    validation = Rule::new(schema::extra_endpoints_have_ports())
        .message("write a port for each host: this engine has no default port")
        .field_path(".extraEndpoints"),
    validation = Rule::new(
        "!has(self.ingressFrom) || self.ingressFrom == 'Auto' || !(self.path.type in ['Internet', 'NatGateway'])"
    )
    .message("must be Auto on the paths Internet and NatGateway: the database's group sees only public addresses there")
    .field_path(".ingressFrom"),
    validation = Rule::new(
        "!has(self.ingressFrom) || self.ingressFrom != 'SecurityGroup' || self.path.type != 'OnPremises' || has(self.path.onPremises) && has(self.path.onPremises.natHost)"
    )
        .message("cannot be SecurityGroup on the path OnPremises: a group reference matches nothing that comes through Direct Connect or a VPN")
        .field_path(".ingressFrom")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Database {
    /// A name for this database, unique in this network and at most 63 characters; it appears in status, Events and the
    /// descriptions of rules.
    #[schemars(schema_with = "schema::name")]
    pub name: String,
    /// The part it plays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Name of the DmsNetworkClass of the database's account and Region, if it is not the network's own: through it the database is
    /// looked up, and its group, routes and network ACLs are read and changed. That class must admit this namespace, and its
    /// guardrails and mode bind what is done there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::class_name")]
    pub class_name: Option<String>,
    /// Identifier (not ARN) of the DMS endpoint that describes this database; host, port and engine are read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dms_endpoint_identifier")]
    pub dms_endpoint: Option<String>,
    /// An RDS instance or cluster; host, port, security group and subnets are read from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rds: Option<Rds>,
    /// Engine and hosts, written out: for a database that neither DMS nor RDS describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// More hosts and ports that belong to this database, such as Oracle ASM or Kafka brokers; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub extra_endpoints: Vec<HostPort>,
    /// The database's security group, if dmsnet is to open it. For `rds` it is found; needed there only if the database has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::security_group_id")]
    pub security_group_id: Option<String>,
    /// The database's subnets, at most 60. For `rds` they are found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::subnet_ids")]
    pub subnet_ids: Vec<String>,
    /// How packets get from the replication to this database, such as `{type: SameVpc}`.
    pub path: Path,
    /// How the database's group (on the path OnPremises: the natHost's; on ClassicLink: the proxy's) admits the replication: `Auto`
    /// (the narrowest that holds on this path: by group reference within a Region, else by the CIDRs of the replication subnets, on
    /// Internet and NatGateway by public addresses), `SecurityGroup`, `SubnetCidrs` (the replication subnets), `VpcCidr`, or
    /// `PrivateIp` (the replication's address as /32; AWS may change it, so prefer another).
    #[serde(default)]
    pub ingress_from: IngressFrom,
}

/// The part this database plays in the migration, `Source` or `Target`. For people: it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Role {
    /// Data is read from it.
    Source,
    /// Data is written to it.
    Target,
}

/// An RDS database: exactly one of `instance` and `cluster`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(validation = ("has(self.instance) != has(self.cluster)", "set exactly one of instance and cluster"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rds {
    /// Identifier (not ARN) of a DB instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::identifier")]
    pub instance: Option<String>,
    /// Identifier (not ARN) of a DB cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::identifier")]
    pub cluster: Option<String>,
}

/// A database by its hosts.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(schema::address_has_ports())
        .message("write a port for each host: this engine has no default port")
        .field_path(".endpoints")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Engine name as DMS spells it, such as `postgres`, `mysql`, `sqlserver` or `mongodb`; it gives the port where none is written.
    #[schemars(schema_with = "schema::engine")]
    pub engine: String,
    /// The hosts, 1 to 50.
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub endpoints: Vec<HostPort>,
}

/// A host and a TCP port.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostPort {
    /// Host name or IP address, such as `db-0.example.com` or `10.0.1.5`.
    #[schemars(schema_with = "schema::host")]
    pub host: String,
    /// TCP port, 1 to 65535; default: the engine's, if it has one (Kafka has not).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port")]
    pub port: Option<u16>,
}
