//! A plan is data: typed changes with old and new, which the command line prints, tests compare and apply executes.

use serde::Serialize;

use super::key::Key;
use crate::{
    api::{
        network::{IpAddressType, VpcEndpointType},
        status::{PendingChange, ResourceKind},
    },
    model::{
        AclEntry, AclShape, Destination, NetworkAclId, Policy, RouteTableId, RuleShape, SecurityGroupId, SecurityGroupRuleId, SubnetId,
        Tags, Target, VpcEndpointId, VpcId,
    },
};

/// A group that a change is about: one that exists, or one that an earlier change of the same plan makes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupTarget {
    /// It exists.
    Existing(SecurityGroupId),
    /// Made by the change with this key.
    Created(Key),
}

impl GroupTarget {
    fn text(&self) -> String {
        match self {
            Self::Existing(id) => id.to_string(),
            Self::Created(key) => key.to_string(),
        }
    }
}

/// All fields of an endpoint that we set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFields {
    /// Its VPC.
    pub vpc: VpcId,
    /// Full service name.
    pub service_name: String,
    /// Interface or gateway.
    pub endpoint_type: VpcEndpointType,
    /// Subnets, sorted.
    pub subnets: Vec<SubnetId>,
    /// Route tables of a gateway endpoint, sorted.
    pub route_tables: Vec<RouteTableId>,
    /// Groups, sorted.
    pub groups: Vec<GroupTarget>,
    /// Private DNS.
    pub private_dns: bool,
    /// Policy.
    pub policy: Policy,
    /// Address families.
    pub ip_address_type: IpAddressType,
}

/// What is to change on an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointChanges {
    /// Subnets to add.
    pub add_subnets: Vec<SubnetId>,
    /// Subnets to take off.
    pub remove_subnets: Vec<SubnetId>,
    /// Route tables to add.
    pub add_route_tables: Vec<RouteTableId>,
    /// Route tables to take off.
    pub remove_route_tables: Vec<RouteTableId>,
    /// Groups to add.
    pub add_groups: Vec<GroupTarget>,
    /// Groups to take off.
    pub remove_groups: Vec<SecurityGroupId>,
    /// New policy.
    pub policy: Option<Policy>,
    /// New private DNS setting.
    pub private_dns: Option<bool>,
    /// New address families.
    pub ip_address_type: Option<IpAddressType>,
}

impl EndpointChanges {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One change to AWS.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    CreateGroup {
        key: Key,
        vpc: VpcId,
        name: String,
        description: String,
    },
    CreateRule {
        key: Key,
        group: GroupTarget,
        shape: RuleShape,
        description: String,
    },
    ModifyRule {
        key: Key,
        group: SecurityGroupId,
        id: SecurityGroupRuleId,
        from: RuleShape,
        to: RuleShape,
        description: String,
    },
    /// `record`: whether the tag that records it as ours is to be written first; else it is there already.
    CreateAclEntry {
        key: Key,
        acl: NetworkAclId,
        number: u16,
        shape: AclShape,
        record: bool,
    },
    ReplaceAclEntry {
        key: Key,
        acl: NetworkAclId,
        from: AclEntry,
        to: AclShape,
    },
    /// `record`: as above.
    CreateRoute {
        key: Key,
        table: RouteTableId,
        destination: Destination,
        target: Target,
        record: bool,
    },
    ReplaceRoute {
        key: Key,
        table: RouteTableId,
        destination: Destination,
        from: Target,
        to: Target,
    },
    CreateEndpoint {
        key: Key,
        fields: EndpointFields,
        token: String,
    },
    ModifyEndpoint {
        key: Key,
        id: VpcEndpointId,
        changes: EndpointChanges,
        from: String,
        to: String,
    },
    Tag {
        key: Key,
        id: String,
        tags: Tags,
    },
    RevokeForeign {
        group: SecurityGroupId,
        id: SecurityGroupRuleId,
        shape: RuleShape,
    },
    DeleteEndpoint {
        key: Key,
        id: VpcEndpointId,
    },
    /// With the tag that records it, which goes last.
    DeleteRoute {
        key: Key,
        table: RouteTableId,
        destination: Destination,
        target: Target,
    },
    /// With the tag that records it, which goes last.
    DeleteAclEntry {
        key: Key,
        acl: NetworkAclId,
        entry: AclEntry,
    },
    RevokeRule {
        key: Key,
        group: SecurityGroupId,
        id: SecurityGroupRuleId,
        shape: RuleShape,
    },
    DeleteGroup {
        key: Key,
        id: SecurityGroupId,
    },
    Untag {
        key: Key,
        id: String,
        keys: Vec<String>,
    },
}

/// What a change does, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, strum::Display, strum::IntoStaticStr)]
#[allow(missing_docs)]
pub enum Action {
    Create,
    Modify,
    Tag,
    Delete,
    Untag,
}

impl Change {
    /// What it does.
    pub fn action(&self) -> Action {
        match self {
            Self::CreateGroup { .. }
            | Self::CreateRule { .. }
            | Self::CreateAclEntry { .. }
            | Self::CreateRoute { .. }
            | Self::CreateEndpoint { .. } => Action::Create,
            Self::ModifyRule { .. } | Self::ReplaceAclEntry { .. } | Self::ReplaceRoute { .. } | Self::ModifyEndpoint { .. } => {
                Action::Modify
            }
            Self::Tag { .. } => Action::Tag,
            Self::RevokeForeign { .. }
            | Self::RevokeRule { .. }
            | Self::DeleteRoute { .. }
            | Self::DeleteAclEntry { .. }
            | Self::DeleteEndpoint { .. }
            | Self::DeleteGroup { .. } => Action::Delete,
            Self::Untag { .. } => Action::Untag,
        }
    }

    /// The ledger key; none for a rule of somebody else.
    pub fn key(&self) -> Option<&Key> {
        match self {
            Self::CreateGroup { key, .. }
            | Self::CreateRule { key, .. }
            | Self::ModifyRule { key, .. }
            | Self::CreateAclEntry { key, .. }
            | Self::ReplaceAclEntry { key, .. }
            | Self::CreateRoute { key, .. }
            | Self::ReplaceRoute { key, .. }
            | Self::DeleteRoute { key, .. }
            | Self::DeleteAclEntry { key, .. }
            | Self::CreateEndpoint { key, .. }
            | Self::ModifyEndpoint { key, .. }
            | Self::Tag { key, .. }
            | Self::DeleteEndpoint { key, .. }
            | Self::RevokeRule { key, .. }
            | Self::DeleteGroup { key, .. }
            | Self::Untag { key, .. } => Some(key),
            Self::RevokeForeign { .. } => None,
        }
    }

    /// The rule that it makes or puts right, in a group that is there.
    pub fn rule_made(&self) -> Option<(&SecurityGroupId, &RuleShape)> {
        match self {
            Self::CreateRule { group: GroupTarget::Existing(group), shape, .. } => Some((group, shape)),
            Self::ModifyRule { group, to, .. } => Some((group, to)),
            _ => None,
        }
    }

    /// The rule that it revokes, ours or another's.
    pub fn rule_revoked(&self) -> Option<(&SecurityGroupId, &RuleShape)> {
        match self {
            Self::RevokeRule { group, shape, .. } | Self::RevokeForeign { group, shape, .. } => Some((group, shape)),
            _ => None,
        }
    }

    /// Kind of AWS object.
    pub fn kind(&self) -> ResourceKind {
        self.key().map_or(ResourceKind::SecurityGroupRule, Key::kind)
    }

    /// Whether it takes something away: then a fresh read and a look at all other networks come first.
    pub fn takes_away(&self) -> bool {
        matches!(self.action(), Action::Delete | Action::Untag)
    }

    /// The same for people and for `status.pending`.
    pub fn describe(&self) -> PendingChange {
        let (from, to) = match self {
            Self::CreateGroup { name, vpc, .. } => (None, Some(format!("{name} in {vpc}"))),
            Self::CreateRule { shape, group, .. } => (None, Some(format!("{} {shape}", group.text()))),
            Self::ModifyRule { from, to, .. } => (Some(from.to_string()), Some(to.to_string())),
            Self::CreateAclEntry { acl, number, shape, .. } => (None, Some(format!("{acl} {number} allow {shape}"))),
            Self::ReplaceAclEntry { from, to, .. } => (Some(from.to_string()), Some(format!("{} allow {to}", from.number))),
            Self::CreateRoute { table, destination, target, .. } => (None, Some(format!("{table} {destination} to {target}"))),
            Self::ReplaceRoute { from, to, .. } => (Some(format!("to {from}")), Some(format!("to {to}"))),
            Self::DeleteRoute { table, destination, target, .. } => (Some(format!("{table} {destination} to {target}")), None),
            Self::DeleteAclEntry { acl, entry, .. } => (Some(format!("{acl} {entry}")), None),
            Self::CreateEndpoint { fields, .. } => (None, Some(fields.text())),
            Self::ModifyEndpoint { from, to, .. } => (Some(from.clone()), Some(to.clone())),
            Self::Tag { id, tags, .. } => {
                (None, Some(format!("{id} {}", tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" "))))
            }
            Self::RevokeForeign { group, id, shape } => (Some(format!("{group} {shape} ({id})")), None),
            Self::DeleteEndpoint { id, .. } => (Some(id.to_string()), None),
            Self::RevokeRule { group, id, shape, .. } => (Some(format!("{group} {shape} ({id})")), None),
            Self::DeleteGroup { id, .. } => (Some(id.to_string()), None),
            Self::Untag { id, keys, .. } => (Some(format!("{id} {}", keys.join(" "))), None),
        };
        let resource = match self {
            Self::RevokeForeign { id, .. } => id.to_string(),
            other => other.key().map(ToString::to_string).unwrap_or_default(),
        };
        PendingChange { action: self.action().to_string(), kind: self.kind(), resource, from, to }
    }
}

impl EndpointFields {
    fn text(&self) -> String {
        if self.endpoint_type == VpcEndpointType::Gateway {
            let tables = join(&self.route_tables);
            return format!("{} in {}: gateway; route tables {tables}; policy {}", self.service_name, self.vpc, self.policy.summary());
        }
        format!(
            "{} in {}: subnets {}; groups {}; privateDns {}; {}; policy {}",
            self.service_name,
            self.vpc,
            join(&self.subnets),
            self.groups.iter().map(GroupTarget::text).collect::<Vec<_>>().join(","),
            self.private_dns,
            ip_text(self.ip_address_type),
            self.policy.summary(),
        )
    }
}

/// Joins IDs for people.
pub fn join<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|i| i.to_string()).collect::<Vec<_>>().join(",")
}

/// As EC2 spells it.
pub fn ip_text(t: IpAddressType) -> &'static str {
    match t {
        IpAddressType::Ipv4 => "ipv4",
        IpAddressType::Dualstack => "dualstack",
        IpAddressType::Ipv6 => "ipv6",
    }
}
