//! `DmsNetworkClass`: an account and Region that the platform team opens, and what may be done there.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube::{
    CustomResource, KubeSchema,
    core::{Selector, SelectorExt},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    network::{ForeignRules, Mode, Upkeep},
    schema,
};

/// An AWS account and Region that the platform team opens to networks, with the guardrails that hold there.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "dmsnet.dev",
    version = "v1alpha1",
    kind = "DmsNetworkClass",
    plural = "dmsnetworkclasses",
    status = "DmsNetworkClassStatus",
    shortname = "dnc",
    category = "dms",
    derive = "PartialEq",
    doc = "An AWS account and Region that the platform team opens to networks, with the guardrails that hold there.",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Account", type_ = "string", json_path = ".status.accountId"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(name = "Networks", type_ = "integer", json_path = ".status.networks"),
    printcolumn(name = "Shard", type_ = "string", priority = "1", json_path = ".status.shard"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = ("self.metadata.name.size() <= 63", "metadata.name must have at most 63 characters")
)]
#[x_kube(
    validation = Rule::new(
        "has(self.endpointUrl) == has(oldSelf.endpointUrl) && (!has(self.endpointUrl) || self.endpointUrl == oldSelf.endpointUrl)"
    )
    .message("cannot be changed, added or removed: create another DmsNetworkClass")
    .field_path(".endpointUrl"),
    validation = Rule::new(
        "!has(self.accountId) || !has(self.assumeRole) || self.assumeRole.roleArn.contains(':iam::' + self.accountId + ':')"
    )
    .message("must be the account of assumeRole.roleArn")
    .field_path(".accountId")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DmsNetworkClassSpec {
    /// AWS Region, such as `us-west-2`. Cannot be changed.
    #[schemars(schema_with = "schema::region")]
    pub region: String,
    /// The account that this class stands for, 12 digits. If the credentials turn out to belong to another, nothing is read or
    /// written, and Ready says so. Without it the first answer is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::account_id")]
    pub account_id: Option<String>,
    /// An IAM role to work as, in this or another account; dmsnet's own credentials must be allowed to assume it. Without it they
    /// are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
    /// One URL for every AWS service, such as an emulator's `http://127.0.0.1:5000`. Leave it out for AWS itself. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::endpoint_url")]
    pub endpoint_url: Option<String>,
    /// An upper bound for every network of the class: `Enforce` leaves it to the networks; with `Observe` nothing is written to AWS
    /// through this class, whatever they say.
    #[serde(default)]
    pub mode: Mode,
    /// Which namespaces may use this class: `{from: All}`, or `from: Selector` with a `selector` of namespace labels.
    pub allowed_namespaces: AllowedNamespaces,
    /// What networks of this class may touch. What oversteps is named in the network's conditions and not done; the rest goes on.
    pub guardrails: Guardrails,
    /// How old the picture of AWS may get before it is read again, for networks that do not say: a duration such as `60s` or `5m`,
    /// at least `10s`. Default: `60s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::interval")]
    pub resync_interval: Option<String>,
    /// An SQS queue that tells of changes in AWS within seconds: EventBridge feeds it with CloudTrail's events. Without it a change
    /// is noticed by the next sweep, after `resyncInterval` at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_queue: Option<ChangeQueue>,
    /// Tags set on every AWS object that dmsnet creates, and set again when missing, at most 20. A tag that has another value by
    /// then is left alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::own_tags")]
    pub tags: BTreeMap<String, String>,
}

/// A queue of changes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChangeQueue {
    /// URL of the SQS queue, such as `https://sqs.us-west-2.amazonaws.com/111122223333/dmsnet-changes`. One controller (or shard)
    /// reads it, and nobody else. It may be in another Region, and may be told of several accounts and Regions.
    #[schemars(schema_with = "schema::queue_url")]
    pub url: String,
}

/// An IAM role that is assumed (STS AssumeRole) for every call of a class.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AssumeRole {
    /// Its ARN, such as `arn:aws:iam::111122223333:role/dmsnet`.
    #[schemars(schema_with = "schema::role_arn")]
    pub role_arn: String,
    /// The external ID that the role's trust policy asks for, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::external_id")]
    pub external_id: Option<String>,
}

/// Which namespaces may use a class.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = ("self.from != 'Selector' || has(self.selector)", "from: Selector needs a selector of namespace labels"),
    validation = ("self.from != 'All' || !has(self.selector)", "from: All takes no selector: remove it, or set from to Selector")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedNamespaces {
    /// `All`, or `Selector` for the namespaces that `selector` matches.
    pub from: NamespacesFrom,
    /// Labels of the namespaces that may use the class, such as `{matchLabels: {dms: "yes"}}`; only with `from: Selector`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub selector: Option<LabelSelector>,
}

impl AllowedNamespaces {
    /// Whether a namespace with these labels is admitted.
    ///
    /// # Errors
    /// Why it is not.
    pub fn admits(&self, labels: &BTreeMap<String, String>) -> Result<(), String> {
        match (self.from, &self.selector) {
            (NamespacesFrom::All, _) => Ok(()),
            (NamespacesFrom::Selector, None) => Err("its allowedNamespaces has no selector".into()),
            (NamespacesFrom::Selector, Some(selector)) => match Selector::try_from(selector.clone()) {
                Ok(s) if s.matches(labels) => Ok(()),
                Ok(s) => Err(format!("its labels do not match the selector {s}")),
                Err(error) => Err(format!("its selector cannot be read ({error})")),
            },
        }
    }
}

/// How namespaces are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum NamespacesFrom {
    /// Every namespace.
    #[default]
    All,
    /// Those that the selector matches.
    Selector,
}

/// What networks of a class may touch. An absent list means any, an empty one none.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new("self.networkAcls != 'Manage' || has(self.networkAclRuleNumbers)")
        .message("networkAcls: Manage needs networkAclRuleNumbers, the numbers that entries may have, such as {from: 20000, to: 20099}")
        .field_path(".networkAclRuleNumbers")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guardrails {
    /// IDs of the VPCs that networks may touch; `["*"]` for every VPC of the account and Region.
    #[schemars(schema_with = "schema::vpc_ids")]
    pub vpc_ids: Vec<String>,
    /// Groups whose rules may be changed, by ID or by all of the tags; absent: any group in those VPCs. Groups that dmsnet made always pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_groups: Option<SecurityGroupGuardrail>,
    /// CIDRs inside one of which a rule's CIDR must lie; absent: any no wider than /8 (IPv6: /16).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::cidrs")]
    pub peer_cidrs: Option<Vec<String>>,
    /// Ports (`"5432"`) and ranges (`"27017-27020"`) that rules may open, as strings; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::port_ranges")]
    pub ports: Option<Vec<String>>,
    /// Services for which VPC endpoints may be made, such as `dms`; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::services")]
    pub vpc_endpoint_services: Option<Vec<String>>,
    /// The strongest `foreignRules` that a network may use: `Ignore`, `Report` or `Revoke`.
    #[serde(default)]
    pub foreign_rules: ForeignRules,
    /// Whether a network may take over VPC endpoints by ID: `Never`, `Tagged` (the endpoint carries the tag `dmsnet.dev/allow-take-over`) or `Any`.
    #[serde(default)]
    pub take_over: TakeOver,
    /// The most that a network may do about network ACLs: `Check`, or `Manage`: entries with numbers of `networkAclRuleNumbers`.
    #[serde(default)]
    pub network_acls: Upkeep,
    /// The most that a network may do about routes: `Check` or `Manage`.
    #[serde(default)]
    pub routes: Upkeep,
    /// Numbers that entries of network ACLs may have, such as `{from: 20000, to: 20099}`: nobody else should use them. Needed where
    /// `networkAcls` is `Manage`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_acl_rule_numbers: Option<RuleNumbers>,
}

/// A range of entry numbers, both ends included.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = ("self.from <= self.to", "from must not be greater than to"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleNumbers {
    /// The first number, 1 to 32766.
    #[schemars(schema_with = "schema::rule_number")]
    pub from: u16,
    /// The last number, 1 to 32766. A direction of an ACL holds 19 entries of each address family by AWS's default quota.
    #[schemars(schema_with = "schema::rule_number")]
    pub to: u16,
}

/// Groups whose rules may be changed.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityGroupGuardrail {
    /// Group IDs, such as `sg-0a1b2c3d`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::class_security_group_ids")]
    pub ids: Vec<String>,
    /// Tags that a group must carry, all of them; at most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::tags")]
    pub tags: BTreeMap<String, String>,
}

/// Whether existing endpoints may be taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TakeOver {
    /// No.
    #[default]
    Never,
    /// Those that carry the tag `dmsnet.dev/allow-take-over`.
    Tagged,
    /// Any in the allowed VPCs.
    Any,
}

/// What is known of a class.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmsNetworkClassStatus {
    /// The AWS account that the credentials belong to, pinned by the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The generation that this status speaks of; -1 until it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// How many networks use the class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networks: Option<i64>,
    /// The shard that serves it, named as in its Lease `dmsnet-<shard>`; absent when it was let go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// `Ready`: credentials work and AWS answers; the message names what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}
