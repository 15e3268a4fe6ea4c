//! What DMS and RDS say about the two ends of a migration.

use std::net::IpAddr;

use super::{SecurityGroupId, SubnetId, VpcId};

/// A DMS replication instance (DMS `ReplicationInstance`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicationInstance {
    /// Its identifier, lower case.
    pub identifier: String,
    /// Its state, such as `available`.
    pub status: String,
    /// VPC of its subnet group.
    pub vpc: VpcId,
    /// Every subnet of its subnet group: it may move to any of them.
    pub subnets: Vec<SubnetId>,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
    /// Its private addresses.
    pub private_ips: Vec<IpAddr>,
    /// Its public addresses.
    pub public_ips: Vec<IpAddr>,
}

/// A DMS endpoint (DMS `Endpoint`): how DMS reaches one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DmsEndpoint {
    /// Its identifier, lower case.
    pub identifier: String,
    /// `EngineName`.
    pub engine: String,
    /// `ServerName`; absent where it lives in a secret or in the engine's settings.
    pub host: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
}

/// An RDS DB instance or cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdsDatabase {
    /// Its identifier.
    pub identifier: String,
    /// `Engine`.
    pub engine: String,
    /// Its state, such as `available`.
    pub status: String,
    /// Host name; absent while it is being created.
    pub host: Option<String>,
    /// Port.
    pub port: Option<u16>,
    /// VPC of its subnet group; DescribeDBClusters does not say.
    pub vpc: Option<VpcId>,
    /// Subnets of its subnet group; DescribeDBClusters names only the group.
    pub subnets: Vec<SubnetId>,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
}
