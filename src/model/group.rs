//! Security groups.

use super::{SecurityGroupId, VpcId, tags::Tags};

/// A security group (EC2 `SecurityGroup`), without its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
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
