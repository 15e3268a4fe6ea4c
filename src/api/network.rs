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
