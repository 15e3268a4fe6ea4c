//! What DMS and RDS say about the two ends of a migration.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{SecurityGroupId, SubnetId, VpcId};

/// A DMS replication instance (DMS `ReplicationInstance`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Its ARN: connections name it by that.
    pub arn: String,
    /// `PubliclyAccessible`, set at creation for good; none where DMS does not tell.
    pub publicly_accessible: Option<bool>,
    /// Its own DNS servers instead of the VPC's resolver, set at creation for good.
    pub dns_servers: Vec<IpAddr>,
    /// `EngineVersion`, such as `3.5.4`.
    pub engine_version: Option<String>,
}

/// A DMS Serverless replication (DMS `ReplicationConfig`): no public address, and its interfaces' addresses are not told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicationConfig {
    /// Its identifier, lower case.
    pub identifier: String,
    /// Its ARN.
    pub arn: String,
    /// Identifier of its subnet group, lower case; DMS takes `default` where none is named.
    pub subnet_group: String,
    /// Its security groups.
    pub groups: Vec<SecurityGroupId>,
    /// ARNs of its endpoints, source first.
    pub endpoints: Vec<String>,
}

/// A replication subnet group (DMS `ReplicationSubnetGroup`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SubnetGroup {
    /// Its identifier, lower case.
    pub identifier: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnets, sorted.
    pub subnets: Vec<SubnetId>,
}

/// DMS's last test of one instance with one endpoint (DMS `Connection`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// ARN of the instance.
    pub instance: String,
    /// ARN of the endpoint.
    pub endpoint: String,
    /// `successful`, `testing`, `failed` or `deleting`.
    pub status: String,
    /// `LastFailureMessage`.
    pub failure: Option<String>,
}

/// A DMS endpoint (DMS `Endpoint`): how DMS reaches one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DmsEndpoint {
    /// Its identifier, lower case.
    pub identifier: String,
    /// `EngineName`.
    pub engine: String,
    /// `ServerName`; absent where it lives in a secret or in the engine's settings.
    pub host: Option<String>,
    /// `Port`.
    pub port: Option<u16>,
    /// Its ARN: connections name it by that.
    pub arn: String,
    /// Hosts and ports that only the engine's settings tell (Kafka's brokers, OpenSearch's URI, Oracle's ASM server, …).
    pub more_hosts: Vec<(String, Option<u16>)>,
    /// The secret in Secrets Manager that it takes host or password from, if any: the replication must reach that service.
    pub secret: Option<String>,
}

/// An RDS DB instance or cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// `PubliclyAccessible`: outside its VPC its name then resolves to a public address.
    pub publicly_accessible: bool,
    /// Name of its DB subnet group.
    pub subnet_group: Option<String>,
}
