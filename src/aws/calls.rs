//! One function per Describe call: IDs in, model values out, all pages of it (domain.md 3.1). Filters are used rather
//! than ID parameters, so that a missing ID is an empty answer and not a failed call.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_sdk_databasemigration::{
    operation::describe_connections::builders::DescribeConnectionsFluentBuilder as DescribeConnections, types as dms,
};
use aws_sdk_ec2::types as ec2;
use aws_sdk_rds::types as rds;

use super::{
    clients::Clients,
    convert,
    errors::{AwsError, AwsErrorKind},
    lock,
};
use crate::model::{
    Connection, DmsEndpoint, InternetGateway, NatGateway, NetworkAcl, NetworkInterface, PeeringConnection, PrefixList, PrefixListId,
    RdsDatabase, ReplicationConfig, ReplicationInstance, RouteTable, Rule, SecurityGroup, ServiceDetail, Subnet, SubnetGroup,
    TransitGatewayAttachment, Vpc, VpcDns, VpcEndpoint, VpcId,
};

/// Rows of a page: the most that EC2 gives.
const EC2_PAGE: i32 = 1000;
/// Rows of a page where EC2 gives fewer.
const SMALL_PAGE: i32 = 100;
/// Rows of a page: the most that DMS and RDS give.
const PAGE: i32 = 100;

fn filter(name: &str, values: &[String]) -> ec2::Filter {
    ec2::Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

/// What a call was about, for its error: short, however many there are.
pub(super) fn about(values: &[String]) -> String {
    match values {
        [] => "nothing".into(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

macro_rules! ec2_call {
    ($(#[$doc:meta])* $name:ident, $method:ident, $operation:literal, $convert:path => $out:ty) => {
        ec2_call! { $(#[$doc])* $name, $method, $operation, $convert => $out, filters, EC2_PAGE }
    };
    ($(#[$doc:meta])* $name:ident, $method:ident, $operation:literal, $convert:path => $out:ty, $filters:ident, $page:expr) => {
        $(#[$doc])*
        pub(super) async fn $name(c: &Clients, by: &str, values: &[String]) -> Result<Vec<$out>, AwsError> {
            let pages = c.ec2.$method().$filters(filter(by, values)).max_results($page).into_paginator();
            let rows = pages.items().send().try_collect().await;
            let rows = rows.map_err(|e| AwsError::from_sdk("ec2", $operation, about(values), &e))?;
            Ok(rows.into_iter().filter_map($convert).collect())
        }
    };
}

ec2_call! {
    /// Rules of groups, by `group-id`.
    rules, describe_security_group_rules, "DescribeSecurityGroupRules", convert::rule => Rule
}
ec2_call! {
    /// Groups, by `vpc-id` or `group-id`.
    groups, describe_security_groups, "DescribeSecurityGroups", convert::group => SecurityGroup
}
ec2_call! {
    /// Endpoints, by `vpc-id` or `vpc-endpoint-id`.
    endpoints, describe_vpc_endpoints, "DescribeVpcEndpoints", convert::endpoint => VpcEndpoint
}
ec2_call! {
    /// VPCs, by `vpc-id`.
    vpcs, describe_vpcs, "DescribeVpcs", convert::vpc => Vpc
}
ec2_call! {
    /// Subnets, by `vpc-id` or `subnet-id`.
    subnets, describe_subnets, "DescribeSubnets", convert::subnet => Subnet
}
ec2_call! {
    /// Network interfaces, by `group-id`: what deletion waits for.
    interfaces, describe_network_interfaces, "DescribeNetworkInterfaces", convert::interface => super::writes::Interface
}
ec2_call! {
    /// Network interfaces, by `group-id` or `network-interface-id`.
    network_interfaces, describe_network_interfaces, "DescribeNetworkInterfaces", convert::network_interface => NetworkInterface
}
ec2_call! {
    /// Network ACLs, by `vpc-id`.
    network_acls, describe_network_acls, "DescribeNetworkAcls", convert::network_acl => NetworkAcl
}
ec2_call! {
    /// Route tables, by `vpc-id`.
    route_tables, describe_route_tables, "DescribeRouteTables", convert::route_table => RouteTable, filters, SMALL_PAGE
}
ec2_call! {
    /// NAT gateways, by `vpc-id`.
    nat_gateways, describe_nat_gateways, "DescribeNatGateways", convert::nat_gateway => NatGateway, filter, EC2_PAGE
}
ec2_call! {
    /// Internet gateways, by `attachment.vpc-id`.
    internet_gateways, describe_internet_gateways, "DescribeInternetGateways", convert::internet_gateway => InternetGateway
}
ec2_call! {
    /// Attachments of VPCs to transit gateways, by `vpc-id`.
    transit_gateway_attachments, describe_transit_gateway_vpc_attachments, "DescribeTransitGatewayVpcAttachments",
    convert::transit_gateway_attachment => TransitGatewayAttachment
}

/// All peering connections. A filter tells one side only, so that two calls would be needed for what is one page anyway.
pub(super) async fn peerings(c: &Clients) -> Result<Vec<PeeringConnection>, AwsError> {
    let rows = c.ec2.describe_vpc_peering_connections().max_results(EC2_PAGE).into_paginator().items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("ec2", "DescribeVpcPeeringConnections", "peering connections", &e))?;
    Ok(rows.into_iter().filter_map(convert::peering).collect())
}

/// What calls teach for later ones: it saves calls, and changes no answer.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Entries of prefix lists, by the list's version: they change only with it. AWS's own lists have none.
    list_entries: Mutex<BTreeMap<PrefixListId, (i64, Vec<String>)>>,
    /// Whether to list all connections at once: DMS refused to list those of several instances, and all are one page.
    all_connections: AtomicBool,
}

/// Managed prefix lists, by `prefix-list-id` or `prefix-list-name`, with their entries.
pub(super) async fn prefix_lists(c: &Clients, by: &str, values: &[String], memory: &Memory) -> Result<Vec<PrefixList>, AwsError> {
    let pages = c.ec2.describe_managed_prefix_lists().filters(filter(by, values)).max_results(SMALL_PAGE).into_paginator();
    let rows = pages.items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("ec2", "DescribeManagedPrefixLists", about(values), &e))?;
    let mut lists = Vec::new();
    for row in rows {
        let id: PrefixListId = row.prefix_list_id.clone().unwrap_or_default().into();
        let kept =
            lock(&memory.list_entries).get(&id).filter(|(version, _)| Some(*version) == row.version).map(|(_, entries)| entries.clone());
        let entries = match kept {
            Some(entries) => entries,
            None => match prefix_list_entries(c, &id).await {
                Ok(entries) => entries,
                // Deleted in between.
                Err(e) if e.kind == AwsErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            },
        };
        lists.extend(convert::prefix_list(&row, &entries));
        if let Some(version) = row.version {
            lock(&memory.list_entries).insert(id, (version, entries));
        }
    }
    Ok(lists)
}

async fn prefix_list_entries(c: &Clients, id: &PrefixListId) -> Result<Vec<String>, AwsError> {
    let pages = c.ec2.get_managed_prefix_list_entries().prefix_list_id(id.as_str()).max_results(SMALL_PAGE).into_paginator();
    let rows = pages.items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("ec2", "GetManagedPrefixListEntries", id.as_str(), &e))?;
    Ok(rows.into_iter().filter_map(|e| e.cidr).collect())
}

/// The DNS attributes of VPCs, by their IDs: two calls for each. A VPC that is gone has none.
pub(super) async fn vpc_dns(c: &Clients, ids: &[String]) -> Result<Vec<(VpcId, VpcDns)>, AwsError> {
    let mut all = Vec::new();
    for id in ids {
        let (support, hostnames) = tokio::join!(
            vpc_attribute(c, id, ec2::VpcAttributeName::EnableDnsSupport),
            vpc_attribute(c, id, ec2::VpcAttributeName::EnableDnsHostnames),
        );
        match (support, hostnames) {
            (Ok(support), Ok(hostnames)) => all.push((id.as_str().into(), VpcDns { support, hostnames })),
            (Err(e), _) | (_, Err(e)) if e.kind == AwsErrorKind::NotFound => {}
            (Err(e), _) | (_, Err(e)) => return Err(e),
        }
    }
    Ok(all)
}

async fn vpc_attribute(c: &Clients, id: &str, name: ec2::VpcAttributeName) -> Result<bool, AwsError> {
    let answer = c.ec2.describe_vpc_attribute().vpc_id(id).attribute(name).send().await;
    let answer = answer.map_err(|e| AwsError::from_sdk("ec2", "DescribeVpcAttribute", id, &e))?;
    Ok(answer.enable_dns_support.or(answer.enable_dns_hostnames).and_then(|a| a.value).unwrap_or_default())
}

/// Endpoint services, by full name. One unknown name fails the whole call with InvalidServiceName.
pub(super) async fn services(c: &Clients, names: &[String]) -> Result<Vec<(Arc<str>, ServiceDetail)>, AwsError> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let call = c.ec2.describe_vpc_endpoint_services().set_service_names(Some(names.to_vec())).set_next_token(token.take());
        let page = call.send().await.map_err(|e| AwsError::from_sdk("ec2", "DescribeVpcEndpointServices", about(names), &e))?;
        // A filter by name may be ignored by what is not AWS: only what was asked for is taken.
        let rows = page.service_details.into_iter().flatten().filter_map(convert::service);
        found.extend(rows.filter(|(name, _)| names.iter().any(|n| **n == **name)));
        match page.next_token.filter(|t| !t.is_empty()) {
            Some(next) => token = Some(next),
            None => return Ok(found),
        }
    }
}

fn dms_filter(name: &str, values: &[String], operation: &'static str) -> Result<dms::Filter, AwsError> {
    let filter = dms::Filter::builder().name(name).set_values(Some(values.to_vec())).build();
    filter.map_err(|e| AwsError::new(AwsErrorKind::InvalidRequest, "dms", operation, about(values), e.to_string()))
}

/// Replication instances, by identifier.
pub(super) async fn replication_instances(c: &Clients, identifiers: &[String]) -> Result<Vec<ReplicationInstance>, AwsError> {
    const OPERATION: &str = "DescribeReplicationInstances";
    let filter = dms_filter("replication-instance-id", identifiers, OPERATION)?;
    let pages = c.dms.describe_replication_instances().filters(filter).into_paginator().page_size(PAGE).send().try_collect().await;
    let pages = pages.map_err(|e| AwsError::from_sdk("dms", OPERATION, about(identifiers), &e))?;
    Ok(pages.into_iter().flat_map(|p| p.replication_instances.unwrap_or_default()).filter_map(convert::replication_instance).collect())
}

/// DMS endpoints, by identifier.
pub(super) async fn dms_endpoints(c: &Clients, identifiers: &[String]) -> Result<Vec<DmsEndpoint>, AwsError> {
    const OPERATION: &str = "DescribeEndpoints";
    let filter = dms_filter("endpoint-id", identifiers, OPERATION)?;
    let pages = c.dms.describe_endpoints().filters(filter).into_paginator().page_size(PAGE).send().try_collect().await;
    let pages = pages.map_err(|e| AwsError::from_sdk("dms", OPERATION, about(identifiers), &e))?;
    Ok(pages.into_iter().flat_map(|p| p.endpoints.unwrap_or_default()).filter_map(convert::dms_endpoint).collect())
}

/// All serverless replications: DMS documents no filter for them.
pub(super) async fn replication_configs(c: &Clients) -> Result<Vec<ReplicationConfig>, AwsError> {
    let pages = c.dms.describe_replication_configs().into_paginator().page_size(PAGE).send().try_collect().await;
    let pages = pages.map_err(|e| AwsError::from_sdk("dms", "DescribeReplicationConfigs", "serverless replications", &e))?;
    Ok(pages.into_iter().flat_map(|p| p.replication_configs.unwrap_or_default()).filter_map(convert::replication_config).collect())
}

/// Replication subnet groups, by identifier.
pub(super) async fn subnet_groups(c: &Clients, identifiers: &[String]) -> Result<Vec<SubnetGroup>, AwsError> {
    const OPERATION: &str = "DescribeReplicationSubnetGroups";
    let filter = dms_filter("replication-subnet-group-id", identifiers, OPERATION)?;
    let pages = c.dms.describe_replication_subnet_groups().filters(filter).into_paginator().page_size(PAGE).send().try_collect().await;
    let pages = pages.map_err(|e| AwsError::from_sdk("dms", OPERATION, about(identifiers), &e))?;
    Ok(pages.into_iter().flat_map(|p| p.replication_subnet_groups.unwrap_or_default()).filter_map(convert::subnet_group).collect())
}

/// Connection tests of instances, by their ARNs.
pub(super) async fn connections(c: &Clients, arns: &[String], memory: &Memory) -> Result<Vec<Connection>, AwsError> {
    let several = arns.len() > 1;
    if several && memory.all_connections.load(Ordering::Relaxed) {
        return all_connections(c, memory).await;
    }
    let filter = dms_filter("replication-instance-arn", arns, CONNECTIONS)?;
    match connection_pages(c.dms.describe_connections().filters(filter), about(arns)).await {
        Ok((rows, _)) => Ok(rows),
        // Nothing was tested, or one of the instances is gone: it does not say which.
        Err(e) if e.kind == AwsErrorKind::NotFound && several => all_connections(c, memory).await,
        Err(e) if e.kind == AwsErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

async fn all_connections(c: &Clients, memory: &Memory) -> Result<Vec<Connection>, AwsError> {
    let (rows, pages) = match connection_pages(c.dms.describe_connections(), "connections".to_owned()).await {
        Err(e) if e.kind == AwsErrorKind::NotFound => (Vec::new(), 1),
        answer => answer?,
    };
    memory.all_connections.store(pages <= 1, Ordering::Relaxed);
    Ok(rows)
}

const CONNECTIONS: &str = "DescribeConnections";

/// All rows, and on how many pages they came.
async fn connection_pages(call: DescribeConnections, about: String) -> Result<(Vec<Connection>, usize), AwsError> {
    let pages = call.into_paginator().page_size(PAGE).send().try_collect().await;
    let pages = pages.map_err(|e| AwsError::from_sdk("dms", CONNECTIONS, about, &e))?;
    let count = pages.len();
    Ok((pages.into_iter().flat_map(|p| p.connections.unwrap_or_default()).filter_map(convert::connection).collect(), count))
}

fn rds_filter(name: &str, values: &[String]) -> rds::Filter {
    rds::Filter::builder().name(name).set_values(Some(values.to_vec())).build()
}

/// DB instances, by identifier.
pub(super) async fn db_instances(c: &Clients, identifiers: &[String]) -> Result<Vec<RdsDatabase>, AwsError> {
    let filter = rds_filter("db-instance-id", identifiers);
    let rows = c.rds.describe_db_instances().filters(filter).into_paginator().page_size(PAGE).items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("rds", "DescribeDBInstances", about(identifiers), &e))?;
    Ok(rows.into_iter().filter_map(convert::db_instance).collect())
}

/// DB clusters, by identifier.
pub(super) async fn db_clusters(c: &Clients, identifiers: &[String]) -> Result<Vec<RdsDatabase>, AwsError> {
    let filter = rds_filter("db-cluster-id", identifiers);
    let rows = c.rds.describe_db_clusters().filters(filter).into_paginator().page_size(PAGE).items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("rds", "DescribeDBClusters", about(identifiers), &e))?;
    Ok(rows.into_iter().filter_map(convert::db_cluster).collect())
}

/// All DB subnet groups: RDS has no filter for them, and an account has few.
pub(super) async fn db_subnet_groups(c: &Clients) -> Result<Vec<SubnetGroup>, AwsError> {
    let rows = c.rds.describe_db_subnet_groups().into_paginator().page_size(PAGE).items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("rds", "DescribeDBSubnetGroups", "DB subnet groups", &e))?;
    Ok(rows.into_iter().filter_map(convert::db_subnet_group).collect())
}
