//! Which call answers which question, and what its answer holds.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    calls::{self, Memory, Which},
    clients::Clients,
    errors::AwsError,
    listing::Listing,
};
use crate::model::{
    Connection, DmsEndpoint, InternetGateway, NatGateway, Need, NetworkAcl, NetworkInterface, PeeringConnection, PrefixList, RdsDatabase,
    ReplicationConfig, ReplicationInstance, RouteTable, Rule, SecurityGroup, ServiceDetail, Subnet, SubnetGroup, TransitGatewayAttachment,
    Vpc, VpcDns, VpcEndpoint, VpcId,
};

/// Values that EC2 takes in one filter.
pub(super) const EC2_VALUES: usize = 200;
/// Identifiers in one filter of DMS or RDS: no more than one page answers.
const NAMES: usize = 100;

/// The objects that answer a call; those not among them do not exist.
#[derive(Debug)]
pub(super) enum Objects {
    Rules(Vec<Rule>),
    Groups(Vec<SecurityGroup>),
    Endpoints(Vec<VpcEndpoint>),
    Subnets(Vec<Subnet>),
    Vpcs(Vec<Vpc>),
    VpcDns(Vec<(VpcId, VpcDns)>),
    Services(Vec<(Arc<str>, ServiceDetail)>),
    Instances(Vec<ReplicationInstance>),
    Configs(Vec<ReplicationConfig>),
    SubnetGroups(Vec<SubnetGroup>),
    Connections(Vec<Connection>),
    DmsEndpoints(Vec<DmsEndpoint>),
    DbInstances(Vec<RdsDatabase>),
    DbClusters(Vec<RdsDatabase>),
    DbSubnetGroups(Vec<SubnetGroup>),
    Acls(Vec<NetworkAcl>),
    RouteTables(Vec<RouteTable>),
    NatGateways(Vec<NatGateway>),
    InternetGateways(Vec<InternetGateway>),
    Peerings(Vec<PeeringConnection>),
    TransitGatewayAttachments(Vec<TransitGatewayAttachment>),
    Interfaces(Vec<NetworkInterface>),
    PrefixLists(Vec<PrefixList>),
}

/// What a call is asked for.
#[derive(Clone, Copy)]
pub(super) enum Asked<'a> {
    /// These IDs or names.
    These(&'a [String]),
    /// All that there is; see [`Call::may_list`].
    All(&'a Listing),
}

impl<'a> Asked<'a> {
    fn by(self, filter: &'a str) -> Which<'a> {
        match self {
            Self::These(values) => Which::By(filter, values),
            Self::All(listing) => Which::All(listing),
        }
    }

    fn values(self) -> &'a [String] {
        match self {
            Self::These(values) => values,
            Self::All(_) => &[],
        }
    }
}

/// A call, and the parameter that the IDs or names go into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Call {
    Rules,
    Groups(&'static str),
    Endpoints(&'static str),
    Subnets(&'static str),
    Vpcs,
    VpcDns,
    Services,
    Instances,
    Configs,
    SubnetGroups,
    Connections,
    DmsEndpoints,
    DbInstances,
    DbClusters,
    DbSubnetGroups,
    Acls(&'static str),
    RouteTables(&'static str),
    NatGateways,
    InternetGateways,
    Peerings,
    TransitGatewayAttachments,
    Interfaces(&'static str),
    PrefixLists(&'static str),
}

impl Call {
    /// The call that answers a need; DNS answers hosts.
    pub(super) fn of(need: &Need) -> Option<Self> {
        Some(match need {
            Need::RulesOf(_) => Self::Rules,
            Need::GroupsOf(_) => Self::Groups("vpc-id"),
            Need::Group(_) => Self::Groups("group-id"),
            Need::EndpointsOf(_) => Self::Endpoints("vpc-id"),
            Need::Endpoint(_) => Self::Endpoints("vpc-endpoint-id"),
            Need::SubnetsOf(_) => Self::Subnets("vpc-id"),
            Need::Subnet(_) => Self::Subnets("subnet-id"),
            Need::Vpc(_) => Self::Vpcs,
            Need::VpcDns(_) => Self::VpcDns,
            Need::Service(_) => Self::Services,
            Need::ReplicationInstance(_) => Self::Instances,
            Need::ReplicationConfig(_) => Self::Configs,
            Need::SubnetGroup(_) => Self::SubnetGroups,
            Need::ConnectionsOf(_) => Self::Connections,
            Need::DmsEndpoint(_) => Self::DmsEndpoints,
            Need::DbInstance(_) => Self::DbInstances,
            Need::DbCluster(_) => Self::DbClusters,
            Need::DbSubnetGroup(_) => Self::DbSubnetGroups,
            Need::NetworkAclsOf(_) => Self::Acls("vpc-id"),
            Need::NetworkAcl(_) => Self::Acls("network-acl-id"),
            Need::RouteTablesOf(_) => Self::RouteTables("vpc-id"),
            Need::RouteTable(_) => Self::RouteTables("route-table-id"),
            Need::NatGatewaysOf(_) => Self::NatGateways,
            Need::InternetGatewayOf(_) => Self::InternetGateways,
            Need::PeeringConnectionsOf(_) => Self::Peerings,
            Need::TransitGatewayAttachmentsOf(_) => Self::TransitGatewayAttachments,
            Need::InterfacesWith(_) => Self::Interfaces("group-id"),
            Need::Interface(_) => Self::Interfaces("network-interface-id"),
            Need::PrefixListNamed(_) => Self::PrefixLists("prefix-list-name"),
            Need::PrefixList(_) => Self::PrefixLists("prefix-list-id"),
            Need::Host(_) => return None,
        })
    }

    /// Whether its answer for 200 IDs is about a page, so that a list of all may be shorter.
    pub(super) fn may_list(self) -> bool {
        matches!(
            self,
            Self::Rules
                | Self::Groups("vpc-id")
                | Self::Endpoints("vpc-id")
                | Self::Subnets("vpc-id")
                | Self::Vpcs
                | Self::Acls("vpc-id")
                | Self::NatGateways
                | Self::InternetGateways
                | Self::TransitGatewayAttachments
                | Self::Interfaces("group-id")
        )
    }

    /// Whether one unknown name may fail the call for all the others.
    pub(super) fn is_by_name(self) -> bool {
        matches!(self, Self::Services | Self::Instances | Self::SubnetGroups | Self::DmsEndpoints | Self::DbInstances | Self::DbClusters)
    }

    /// Whether it lists all that there is, whatever is asked.
    pub(super) fn lists_all(self) -> bool {
        matches!(self, Self::Configs | Self::DbSubnetGroups | Self::Peerings)
    }

    /// The call for single objects of the kind that this one lists by what they belong to.
    pub(super) fn single(self) -> Option<Self> {
        match self {
            Self::Groups("vpc-id") => Some(Self::Groups("group-id")),
            Self::Endpoints("vpc-id") => Some(Self::Endpoints("vpc-endpoint-id")),
            Self::Subnets("vpc-id") => Some(Self::Subnets("subnet-id")),
            Self::Acls("vpc-id") => Some(Self::Acls("network-acl-id")),
            Self::RouteTables("vpc-id") => Some(Self::RouteTables("route-table-id")),
            Self::Interfaces("group-id") => Some(Self::Interfaces("network-interface-id")),
            Self::PrefixLists("prefix-list-name") => Some(Self::PrefixLists("prefix-list-id")),
            _ => None,
        }
    }

    /// Service and operation, as AWS counts its calls.
    pub(super) fn operation(self) -> (&'static str, &'static str) {
        match self {
            Self::Rules => ("ec2", "DescribeSecurityGroupRules"),
            Self::Groups(_) => ("ec2", "DescribeSecurityGroups"),
            Self::Endpoints(_) => ("ec2", "DescribeVpcEndpoints"),
            Self::Subnets(_) => ("ec2", "DescribeSubnets"),
            Self::Vpcs => ("ec2", "DescribeVpcs"),
            Self::VpcDns => ("ec2", "DescribeVpcAttribute"),
            Self::Services => ("ec2", "DescribeVpcEndpointServices"),
            Self::Instances => ("dms", "DescribeReplicationInstances"),
            Self::Configs => ("dms", "DescribeReplicationConfigs"),
            Self::SubnetGroups => ("dms", "DescribeReplicationSubnetGroups"),
            Self::Connections => ("dms", "DescribeConnections"),
            Self::DmsEndpoints => ("dms", "DescribeEndpoints"),
            Self::DbInstances => ("rds", "DescribeDBInstances"),
            Self::DbClusters => ("rds", "DescribeDBClusters"),
            Self::DbSubnetGroups => ("rds", "DescribeDBSubnetGroups"),
            Self::Acls(_) => ("ec2", "DescribeNetworkAcls"),
            Self::RouteTables(_) => ("ec2", "DescribeRouteTables"),
            Self::NatGateways => ("ec2", "DescribeNatGateways"),
            Self::InternetGateways => ("ec2", "DescribeInternetGateways"),
            Self::Peerings => ("ec2", "DescribeVpcPeeringConnections"),
            Self::TransitGatewayAttachments => ("ec2", "DescribeTransitGatewayVpcAttachments"),
            Self::Interfaces(_) => ("ec2", "DescribeNetworkInterfaces"),
            Self::PrefixLists(_) => ("ec2", "DescribeManagedPrefixLists"),
        }
    }

    /// IDs or names that one call takes.
    pub(super) fn values(self) -> usize {
        if self.is_by_name() { NAMES } else { EC2_VALUES }
    }

    /// Requests that one call takes at once.
    pub(super) fn requests(self) -> u32 {
        // One for each attribute.
        if self == Self::VpcDns { 2 } else { 1 }
    }

    pub(super) async fn make(self, c: &Clients, memory: &Memory, asked: Asked<'_>) -> Result<Objects, AwsError> {
        let values = asked.values();
        Ok(match self {
            Self::Rules => Objects::Rules(calls::rules(c, asked.by("group-id")).await?),
            Self::Groups(by) => Objects::Groups(calls::groups(c, asked.by(by)).await?),
            Self::Endpoints(by) => Objects::Endpoints(calls::endpoints(c, asked.by(by)).await?),
            Self::Subnets(by) => Objects::Subnets(calls::subnets(c, asked.by(by)).await?),
            Self::Vpcs => Objects::Vpcs(calls::vpcs(c, asked.by("vpc-id")).await?),
            Self::VpcDns => Objects::VpcDns(calls::vpc_dns(c, values).await?),
            Self::Services => Objects::Services(calls::services(c, values).await?),
            Self::Instances => Objects::Instances(calls::replication_instances(c, values).await?),
            Self::Configs => Objects::Configs(calls::replication_configs(c).await?),
            Self::SubnetGroups => Objects::SubnetGroups(calls::subnet_groups(c, values).await?),
            Self::Connections => Objects::Connections(calls::connections(c, values, memory).await?),
            Self::DmsEndpoints => Objects::DmsEndpoints(calls::dms_endpoints(c, values).await?),
            Self::DbInstances => Objects::DbInstances(calls::db_instances(c, values).await?),
            Self::DbClusters => Objects::DbClusters(calls::db_clusters(c, values).await?),
            Self::DbSubnetGroups => Objects::DbSubnetGroups(calls::db_subnet_groups(c).await?),
            Self::Acls(by) => Objects::Acls(calls::network_acls(c, asked.by(by)).await?),
            Self::RouteTables(by) => Objects::RouteTables(calls::route_tables(c, asked.by(by)).await?),
            Self::NatGateways => Objects::NatGateways(calls::nat_gateways(c, asked.by("vpc-id")).await?),
            Self::InternetGateways => Objects::InternetGateways(calls::internet_gateways(c, asked.by("attachment.vpc-id")).await?),
            Self::Peerings => Objects::Peerings(calls::peerings(c).await?),
            Self::TransitGatewayAttachments => {
                Objects::TransitGatewayAttachments(calls::transit_gateway_attachments(c, asked.by("vpc-id")).await?)
            }
            Self::Interfaces(by) => Objects::Interfaces(calls::network_interfaces(c, asked.by(by)).await?),
            Self::PrefixLists(by) => Objects::PrefixLists(calls::prefix_lists(c, by, values, memory).await?),
        })
    }

    /// The answer that there is no such thing.
    pub(super) fn nothing(self) -> Objects {
        match self {
            Self::Rules => Objects::Rules(vec![]),
            Self::Groups(_) => Objects::Groups(vec![]),
            Self::Endpoints(_) => Objects::Endpoints(vec![]),
            Self::Subnets(_) => Objects::Subnets(vec![]),
            Self::Vpcs => Objects::Vpcs(vec![]),
            Self::VpcDns => Objects::VpcDns(vec![]),
            Self::Services => Objects::Services(vec![]),
            Self::Instances => Objects::Instances(vec![]),
            Self::Configs => Objects::Configs(vec![]),
            Self::SubnetGroups => Objects::SubnetGroups(vec![]),
            Self::Connections => Objects::Connections(vec![]),
            Self::DmsEndpoints => Objects::DmsEndpoints(vec![]),
            Self::DbInstances => Objects::DbInstances(vec![]),
            Self::DbClusters => Objects::DbClusters(vec![]),
            Self::DbSubnetGroups => Objects::DbSubnetGroups(vec![]),
            Self::Acls(_) => Objects::Acls(vec![]),
            Self::RouteTables(_) => Objects::RouteTables(vec![]),
            Self::NatGateways => Objects::NatGateways(vec![]),
            Self::InternetGateways => Objects::InternetGateways(vec![]),
            Self::Peerings => Objects::Peerings(vec![]),
            Self::TransitGatewayAttachments => Objects::TransitGatewayAttachments(vec![]),
            Self::Interfaces(_) => Objects::Interfaces(vec![]),
            Self::PrefixLists(_) => Objects::PrefixLists(vec![]),
        }
    }
}

impl Objects {
    /// IDs of objects that can be asked for alone or with what they belong to.
    pub(super) fn ids(&self) -> BTreeSet<&str> {
        match self {
            Self::Groups(list) => list.iter().map(|g| g.id.as_str()).collect(),
            Self::Endpoints(list) => list.iter().map(|e| e.id.as_str()).collect(),
            Self::Subnets(list) => list.iter().map(|s| s.id.as_str()).collect(),
            Self::Acls(list) => list.iter().map(|a| a.id.as_str()).collect(),
            Self::RouteTables(list) => list.iter().map(|t| t.id.as_str()).collect(),
            Self::Interfaces(list) => list.iter().map(|i| i.id.as_str()).collect(),
            Self::PrefixLists(list) => list.iter().map(|l| l.id.as_str()).collect(),
            _ => BTreeSet::new(),
        }
    }
}

/// The ID or name that a need asks for, as AWS's answer has it; the need's own copy, where it is written so.
pub(super) fn value(need: &Need) -> Arc<str> {
    let lower = |n: &Arc<str>| if n.bytes().any(|b| b.is_ascii_uppercase()) { n.to_ascii_lowercase().into() } else { n.clone() };
    match need {
        Need::ReplicationInstance(n)
        | Need::ReplicationConfig(n)
        | Need::SubnetGroup(n)
        | Need::DmsEndpoint(n)
        | Need::DbInstance(n)
        | Need::DbCluster(n)
        | Need::DbSubnetGroup(n) => lower(n),
        Need::Service(n) | Need::Host(n) | Need::ConnectionsOf(n) | Need::PrefixListNamed(n) => n.clone(),
        Need::Vpc(id)
        | Need::VpcDns(id)
        | Need::SubnetsOf(id)
        | Need::GroupsOf(id)
        | Need::EndpointsOf(id)
        | Need::NetworkAclsOf(id)
        | Need::RouteTablesOf(id)
        | Need::NatGatewaysOf(id)
        | Need::InternetGatewayOf(id)
        | Need::PeeringConnectionsOf(id)
        | Need::TransitGatewayAttachmentsOf(id) => id.into(),
        Need::Subnet(id) => id.into(),
        Need::Group(id) | Need::RulesOf(id) | Need::InterfacesWith(id) => id.into(),
        Need::Endpoint(id) => id.into(),
        Need::NetworkAcl(id) => id.into(),
        Need::RouteTable(id) => id.into(),
        Need::Interface(id) => id.into(),
        Need::PrefixList(id) => id.into(),
    }
}
