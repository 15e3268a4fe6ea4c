//! What a network needs to know of AWS: the questions that the store answers.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{NetworkAclId, NetworkInterfaceId, PrefixListId, RouteTableId, SecurityGroupId, SubnetId, VpcEndpointId, VpcId};

/// One question to AWS (or to DNS). Networks that ask the same share the answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Need {
    /// DescribeReplicationInstances by identifier.
    ReplicationInstance(Arc<str>),
    /// DescribeEndpoints (DMS) by identifier.
    DmsEndpoint(Arc<str>),
    /// DescribeDBInstances by identifier.
    DbInstance(Arc<str>),
    /// DescribeDBClusters by identifier.
    DbCluster(Arc<str>),
    /// DescribeVpcs.
    Vpc(VpcId),
    /// DescribeVpcAttribute, for both DNS attributes.
    VpcDns(VpcId),
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
    /// DescribeReplicationConfigs by identifier.
    ReplicationConfig(Arc<str>),
    /// DescribeReplicationSubnetGroups by identifier.
    SubnetGroup(Arc<str>),
    /// DescribeConnections of a replication instance, by its ARN.
    ConnectionsOf(Arc<str>),
    /// DescribeDBSubnetGroups by name: where a cluster may live.
    DbSubnetGroup(Arc<str>),
    /// All network ACLs of a VPC.
    NetworkAclsOf(VpcId),
    /// One network ACL whose VPC is not known.
    NetworkAcl(NetworkAclId),
    /// All route tables of a VPC.
    RouteTablesOf(VpcId),
    /// One route table whose VPC is not known.
    RouteTable(RouteTableId),
    /// All NAT gateways of a VPC.
    NatGatewaysOf(VpcId),
    /// The internet gateway of a VPC.
    InternetGatewayOf(VpcId),
    /// All peering connections of a VPC, on either side.
    PeeringConnectionsOf(VpcId),
    /// All attachments of a VPC to transit gateways.
    TransitGatewayAttachmentsOf(VpcId),
    /// All network interfaces that carry a group.
    InterfacesWith(SecurityGroupId),
    /// One network interface.
    Interface(NetworkInterfaceId),
    /// A managed prefix list and its entries.
    PrefixList(PrefixListId),
    /// A managed prefix list by its name, with its entries.
    PrefixListNamed(Arc<str>),
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
    /// Read at a thirtieth of the pace: what AWS itself decides, and what is set once in a VPC's life. While it stands in the way, a
    /// plan keeps it fresh.
    Rare,
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
            | Self::ReplicationConfig(_)
            | Self::SubnetGroup(_)
            | Self::ConnectionsOf(_)
            | Self::DbSubnetGroup(_)
            | Self::NetworkAclsOf(_)
            | Self::NetworkAcl(_)
            | Self::RouteTablesOf(_)
            | Self::RouteTable(_)
            | Self::NatGatewaysOf(_)
            | Self::InternetGatewayOf(_)
            | Self::PeeringConnectionsOf(_)
            | Self::TransitGatewayAttachmentsOf(_)
            | Self::InterfacesWith(_)
            | Self::Interface(_)
            | Self::PrefixList(_)
            | Self::PrefixListNamed(_)
            | Self::Host(_) => Pace::Slow,
            Self::VpcDns(_) | Self::Service(_) => Pace::Rare,
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
            Self::VpcDns(n) => write!(f, "DNS attributes of {n}"),
            Self::SubnetsOf(n) => write!(f, "subnets of {n}"),
            Self::Subnet(n) => write!(f, "subnet {n}"),
            Self::GroupsOf(n) => write!(f, "security groups of {n}"),
            Self::Group(n) => write!(f, "security group {n}"),
            Self::RulesOf(n) => write!(f, "rules of security group {n}"),
            Self::EndpointsOf(n) => write!(f, "VPC endpoints of {n}"),
            Self::Endpoint(n) => write!(f, "VPC endpoint {n}"),
            Self::Service(n) => write!(f, "endpoint service {n}"),
            Self::ReplicationConfig(n) => write!(f, "DMS replication config {n}"),
            Self::SubnetGroup(n) => write!(f, "replication subnet group {n}"),
            Self::ConnectionsOf(n) => write!(f, "connections of {n}"),
            Self::DbSubnetGroup(n) => write!(f, "DB subnet group {n}"),
            Self::NetworkAclsOf(n) => write!(f, "network ACLs of {n}"),
            Self::NetworkAcl(n) => write!(f, "network ACL {n}"),
            Self::RouteTable(n) => write!(f, "route table {n}"),
            Self::RouteTablesOf(n) => write!(f, "route tables of {n}"),
            Self::NatGatewaysOf(n) => write!(f, "NAT gateways of {n}"),
            Self::InternetGatewayOf(n) => write!(f, "internet gateway of {n}"),
            Self::PeeringConnectionsOf(n) => write!(f, "peering connections of {n}"),
            Self::TransitGatewayAttachmentsOf(n) => write!(f, "transit gateway attachments of {n}"),
            Self::InterfacesWith(n) => write!(f, "network interfaces with {n}"),
            Self::Interface(n) => write!(f, "network interface {n}"),
            Self::PrefixList(n) => write!(f, "prefix list {n}"),
            Self::PrefixListNamed(n) => write!(f, "prefix list {n}"),
            Self::Host(n) => write!(f, "host {n}"),
        }
    }
}
