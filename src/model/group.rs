//! Security groups.

use serde::{Deserialize, Serialize};

use super::{SecurityGroupId, VpcId, tags::Tags};

/// A security group (EC2 `SecurityGroup`), without its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: SecurityGroupId,
    /// Its name, unique in its VPC.
    pub name: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// The account that owns it.
    pub owner: String,
    /// Its tags.
    pub tags: Tags,
}
