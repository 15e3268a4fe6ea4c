//! What a network needs to know of AWS: the questions that the store answers.

use std::{fmt, sync::Arc};

use super::{SecurityGroupId, SubnetId, VpcEndpointId, VpcId};

/// One question to AWS (or to DNS). Networks that ask the same share the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Need {
    /// DescribeReplicationInstances by identifier.
    ReplicationInstance(Arc<str>),
    /// DescribeEndpoints (DMS) by identifier.
    DmsEndpoint(Arc<str>),
    /// DescribeDBInstances by identifier.
    DbInstance(Arc<str>),
    /// DescribeDBClusters by identifier.
    DbCluster(Arc<str>),
    /// DescribeVpcs and both DNS attributes.
    Vpc(VpcId),
    /// All subnets of a VPC.
    SubnetsOf(VpcId),
    /// One subnet whose VPC is not known.
    Subnet(SubnetId),
    /// All security groups of a VPC.
    GroupsOf(VpcId),
    /// One group whose VPC is not known.
    Group(SecurityGroupId),
    /// All rules of a group.
    RulesOf(SecurityGroupId),
    /// All VPC endpoints of a VPC.
    EndpointsOf(VpcId),
    /// One endpoint whose VPC is not known.
    Endpoint(VpcEndpointId),
    /// DescribeVpcEndpointServices by full name.
    Service(Arc<str>),
    /// Addresses of a host name.
    Host(Arc<str>),
}

/// How fresh an answer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Read every interval: what people edit, and what we write.
    Fast,
    /// Read at a tenth of the pace.
    Slow,
}

impl Need {
    /// How often it is asked again (design.md 2, Freshness).
    pub fn pace(&self) -> Pace {
        match self {
            Self::ReplicationInstance(_)
            | Self::GroupsOf(_)
            | Self::Group(_)
            | Self::RulesOf(_)
            | Self::EndpointsOf(_)
            | Self::Endpoint(_) => Pace::Fast,
            Self::DmsEndpoint(_)
            | Self::DbInstance(_)
            | Self::DbCluster(_)
            | Self::Vpc(_)
            | Self::SubnetsOf(_)
            | Self::Subnet(_)
            | Self::Service(_)
            | Self::Host(_) => Pace::Slow,
        }
    }

    /// Whether DNS answers it, not AWS. Such a question never delays a pass.
    pub fn is_dns(&self) -> bool {
        matches!(self, Self::Host(_))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReplicationInstance(n) => write!(f, "DMS replication instance {n}"),
            Self::DmsEndpoint(n) => write!(f, "DMS endpoint {n}"),
            Self::DbInstance(n) => write!(f, "RDS instance {n}"),
            Self::DbCluster(n) => write!(f, "RDS cluster {n}"),
            Self::Vpc(n) => write!(f, "VPC {n}"),
            Self::SubnetsOf(n) => write!(f, "subnets of {n}"),
            Self::Subnet(n) => write!(f, "subnet {n}"),
            Self::GroupsOf(n) => write!(f, "security groups of {n}"),
            Self::Group(n) => write!(f, "security group {n}"),
            Self::RulesOf(n) => write!(f, "rules of security group {n}"),
            Self::EndpointsOf(n) => write!(f, "VPC endpoints of {n}"),
            Self::Endpoint(n) => write!(f, "VPC endpoint {n}"),
            Self::Service(n) => write!(f, "endpoint service {n}"),
            Self::Host(n) => write!(f, "host {n}"),
        }
    }
}
