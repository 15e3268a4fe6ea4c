//! Drift: AWS was changed behind our back.

use serde::Serialize;

use super::key::Key;

/// What kind of drift it is: stable names, in status, Events and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, strum::Display, strum::IntoStaticStr, strum::EnumIter)]
#[allow(missing_docs)]
pub enum DriftKind {
    RuleMissing,
    RuleChanged,
    ForeignRule,
    TagsStripped,
    GroupMissing,
    EndpointMissing,
    EndpointSubnets,
    EndpointRouteTables,
    EndpointGroups,
    EndpointPolicy,
    EndpointPrivateDns,
    EndpointIpAddressType,
    RouteMissing,
    RouteChanged,
    AclEntryMissing,
    AclEntryChanged,
}

/// One drift.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Drift {
    /// Ledger key; for a foreign rule, its group, shape and ID.
    pub resource: String,
    /// What kind.
    pub kind: DriftKind,
    /// As it should be.
    pub wanted: String,
    /// As it was found.
    pub found: String,
}

impl Drift {
    /// A drift of the object with `key`.
    pub fn new(key: &Key, kind: DriftKind, wanted: impl ToString, found: impl ToString) -> Self {
        Self { resource: key.to_string(), kind, wanted: wanted.to_string(), found: found.to_string() }
    }
}
