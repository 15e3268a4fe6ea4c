//! One function per Describe call: IDs in, model values out, all pages of it (domain.md 3.1). Filters are used rather
//! than ID parameters, so that a missing ID is an empty answer and not a failed call.

use std::sync::Arc;

use aws_sdk_databasemigration::types as dms;
use aws_sdk_ec2::types as ec2;
use aws_sdk_rds::types as rds;
use tracing::warn;

use super::{
    clients::Clients,
    convert,
    errors::{AwsError, AwsErrorKind},
};
use crate::model::{DmsEndpoint, RdsDatabase, ReplicationInstance, Rule, SecurityGroup, ServiceDetail, Subnet, Vpc, VpcEndpoint, VpcId};

/// Rows of a page: the most that EC2 gives.
const EC2_PAGE: i32 = 1000;
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
        $(#[$doc])*
        pub(super) async fn $name(c: &Clients, by: &str, values: &[String]) -> Result<Vec<$out>, AwsError> {
            let pages = c.ec2.$method().filters(filter(by, values)).max_results(EC2_PAGE).into_paginator();
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
    /// Subnets, by `vpc-id` or `subnet-id`.
    subnets, describe_subnets, "DescribeSubnets", convert::subnet => Subnet
}
ec2_call! {
    /// Network interfaces, by `group-id`.
    interfaces, describe_network_interfaces, "DescribeNetworkInterfaces", convert::interface => super::writes::Interface
}

/// VPCs with both DNS attributes. An attribute that cannot be read is none; the VPC counts all the same.
pub(super) async fn vpcs(c: &Clients, ids: &[String]) -> Result<Vec<Vpc>, AwsError> {
    let pages = c.ec2.describe_vpcs().filters(filter("vpc-id", ids)).max_results(EC2_PAGE).into_paginator();
    let rows = pages.items().send().try_collect().await;
    let rows = rows.map_err(|e| AwsError::from_sdk("ec2", "DescribeVpcs", about(ids), &e))?;
    let mut vpcs = Vec::new();
    for row in rows {
        let id: VpcId = row.vpc_id.clone().unwrap_or_default().into();
        let support = vpc_attribute(c, &id, ec2::VpcAttributeName::EnableDnsSupport).await;
        let hostnames = vpc_attribute(c, &id, ec2::VpcAttributeName::EnableDnsHostnames).await;
        vpcs.extend(convert::vpc(row, support, hostnames));
    }
    Ok(vpcs)
}

async fn vpc_attribute(c: &Clients, id: &VpcId, name: ec2::VpcAttributeName) -> Option<bool> {
    match c.ec2.describe_vpc_attribute().vpc_id(id.as_str()).attribute(name).send().await {
        Ok(answer) => answer.enable_dns_support.or(answer.enable_dns_hostnames).and_then(|a| a.value),
        Err(e) => {
            let e = AwsError::from_sdk("ec2", "DescribeVpcAttribute", id.as_str(), &e);
            warn!(error = %e, "a DNS attribute of a VPC cannot be read");
            None
        }
    }
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
