//! `DmsNetwork.status`: what dmsnet found, holds and did.

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Condition, jiff::Timestamp};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// What dmsnet found, holds and did for a network.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmsNetworkStatus {
    /// The generation that this status speaks of; -1 until a pass has looked at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The value of the annotation `dmsnet.dev/reconcile-requested-at` that was last acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_handled_reconcile_at: Option<String>,
    /// The default class that was taken when `className` was absent; kept from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_class: Option<String>,
    /// Accounts and Regions that `owned` entries live in; deletion works from it when a class is gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub classes: Vec<ClassRecord>,
    /// Ready, Synced, DriftDetected, PathsOpen, EndpointsAvailable, Connected; Reconciling and Stalled while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where the replication lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replication: Option<ReplicationStatus>,
    /// What is known of each database.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub databases: Vec<DatabaseStatus>,
    /// The VPC endpoints, with the URL to give to AWS clients.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub vpc_endpoints: Vec<VpcEndpointStatus>,
    /// The ledger: every AWS object that this network wants or still holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub owned: Vec<OwnedEntry>,
    /// What a pass would do and may not (Observe, a guardrail); absent if nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// Rules of others that open managed ports; at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub foreign: Vec<ForeignRule>,
    /// How many such rules there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_count: Option<i64>,
    /// The latest drifts, newest first; at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub drift: Vec<DriftRecord>,
    /// Counts for people: how much of what is wanted is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
}

/// An account and Region that entries of the ledger live in.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassRecord {
    /// Name of the DmsNetworkClass.
    pub name: String,
    /// Its Region.
    pub region: String,
    /// The account that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The role that is assumed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// The external ID that goes with the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Its `endpointUrl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The shard that served it; should the class go by force, this shard goes on with the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
}

/// Where the replication lives, as DMS says.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationStatus {
    /// Its VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<String>,
    /// All subnets of its subnet group: it may move to any of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub subnet_ids: Vec<String>,
    /// Its security groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub security_group_ids: Vec<String>,
    /// Its private addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub private_ips: Vec<String>,
    /// Its public addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub public_ips: Vec<String>,
    /// DMS's own word for its state, such as `available`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// What is known of a database.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseStatus {
    /// Its name in the spec.
    pub name: String,
    /// Engine, as DMS spells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Hosts and ports, with the addresses that the host names resolve to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub endpoints: Vec<EndpointAddress>,
    /// Whether packets get there and answers come back, as far as AWS shows: `Open`, `Blocked` or `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<PathVerdict>,
    /// Every hop that blocks, in the order in which packets meet them; at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub blocked_by: Vec<BlockingHop>,
    /// What could not be found out, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub unknown: Vec<UnknownFact>,
    /// DMS's own last test of the connection; absent where there was none, or where the database names no `dmsEndpoint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionStatus>,
}

/// DMS's own last test of a connection.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// DMS's word: `successful`, `testing`, `failed` or `deleting`.
    pub status: String,
    /// What a failure means, what to do, and DMS's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When dmsnet saw this first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub changed_at: Option<Timestamp>,
}

/// What is known of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, strum::Display, strum::EnumIter)]
pub enum PathVerdict {
    /// Every hop lets packets through, there and back.
    Open,
    /// A hop blocks.
    Blocked,
    /// Nothing blocks, but AWS does not show every hop.
    Unknown,
}

/// A hop that blocks a path.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockingHop {
    /// Stable code, such as `IngressMissing`.
    pub code: String,
    /// The AWS object to look at.
    pub resource: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub fix: String,
    /// AWS CLI lines that do it; none where AWS allows no change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub commands: Vec<String>,
}

/// A host and port of a database.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointAddress {
    /// Host name or IP address.
    pub host: String,
    /// TCP port.
    #[schemars(schema_with = "schema::port")]
    pub port: u16,
    /// Addresses that the name resolves to from where the controller runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub addresses: Vec<String>,
}

/// Something that could not be found out.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnknownFact {
    /// Stable code, such as `HostNotResolved`.
    pub code: String,
    /// What it is about.
    pub resource: String,
    /// The reason, for people.
    pub message: String,
}

/// A VPC endpoint of the network.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VpcEndpointStatus {
    /// Its name in the spec.
    pub name: String,
    /// Full service name, such as `com.amazonaws.us-west-2.dms`.
    pub service: String,
    /// The endpoint's ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its state in AWS, such as `available`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// URL for AWS clients: `aws dms describe-endpoints --endpoint-url <url>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// DNS names of the endpoint, the Regional one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dns_names: Vec<String>,
    /// Whether dmsnet made it, and so may delete it.
    #[serde(default)]
    pub owned: bool,
}

/// One entry of the ledger.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnedEntry {
    /// Stable logical key, such as `rule/sg-0a1b2c3d/in/tcp/5432/sg-0b1b2c3d`.
    pub key: String,
    /// Kind of AWS object.
    pub kind: ResourceKind,
    /// AWS's ID, once it has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What was last applied, in canonical text; absent while it is only an intention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// Whether dmsnet made it. Only such objects are ever changed or removed.
    #[serde(default)]
    pub made: bool,
    /// The class it lives in.
    pub class: String,
}

/// Kinds of AWS objects that dmsnet works with.
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
    strum::EnumIter,
)]
pub enum ResourceKind {
    /// A rule of a security group.
    #[default]
    SecurityGroupRule,
    /// A security group.
    SecurityGroup,
    /// A VPC endpoint.
    VpcEndpoint,
    /// A route of a route table.
    Route,
    /// An entry of a network ACL.
    NetworkAclEntry,
}

/// What a pass would do and may not.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// Hash of the changes: equal hashes, equal changes.
    pub hash: String,
    /// How many there are.
    pub count: i64,
    /// The changes, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub changes: Vec<PendingChange>,
}

/// One change that waits.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// `Create`, `Modify`, `Delete`, `Tag` or `Untag`.
    pub action: String,
    /// Kind of AWS object.
    pub kind: ResourceKind,
    /// Ledger key, or the ID.
    pub resource: String,
    /// As it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// As it would be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// A rule that somebody else made.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignRule {
    /// Kind of AWS object.
    pub kind: ResourceKind,
    /// The rule's ID.
    pub id: String,
    /// Group, direction, protocol, ports and peer.
    pub summary: String,
    /// Whether it opens more than managed ports; such a rule is never revoked.
    #[serde(default)]
    pub wider: bool,
}

/// One drift: AWS was changed behind dmsnet's back.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftRecord {
    /// Ledger key of the object.
    pub resource: String,
    /// What kind of drift, such as `RuleMissing`.
    pub kind: String,
    /// As it should be.
    pub wanted: String,
    /// As it was found.
    pub found: String,
    /// Who did it, with which call and from where, where a change queue told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// When it was detected.
    #[schemars(schema_with = "schema::date_time")]
    pub detected_at: Timestamp,
    /// When it was corrected; absent while it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::date_time")]
    pub corrected_at: Option<Timestamp>,
}

/// Counts for people, as `6/6`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Security group rules that are as wanted.
    pub rules: String,
    /// Paths to databases that are open.
    #[serde(default)]
    pub paths: String,
    /// VPC endpoints that are available.
    pub endpoints: String,
}
