//! What `import` lists, and nothing else asks for: which databases a replication works with. Asked each time.

use aws_sdk_databasemigration::types as dms;

use super::{
    calls::about,
    convert,
    errors::{AwsError, AwsErrorKind},
    store::Store,
};
use crate::model::{DmsEndpoint, RdsDatabase};

/// Rows of a page: the most that DMS and RDS give.
const PAGE: i32 = 100;
/// ARNs in one filter: no more than one page answers.
const ARNS: usize = 100;

/// A DMS endpoint, and which end of a migration it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointEnd {
    /// Whether data is read from it.
    pub source: bool,
    /// The endpoint.
    pub endpoint: DmsEndpoint,
}

/// An RDS database, and what kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdsEnd {
    /// Whether it is a cluster.
    pub cluster: bool,
    /// The cluster that an instance belongs to.
    pub member_of: Option<String>,
    /// The database.
    pub database: RdsDatabase,
}

fn filter(name: &str, values: &[String], operation: &'static str) -> Result<dms::Filter, AwsError> {
    let filter = dms::Filter::builder().name(name).set_values(Some(values.to_vec())).build();
    filter.map_err(|e| AwsError::new(AwsErrorKind::InvalidRequest, "dms", operation, about(values), e.to_string()))
}

/// DMS says by a fault that nothing fits a filter.
fn or_none<T>(result: Result<Vec<T>, AwsError>) -> Result<Vec<T>, AwsError> {
    result.or_else(|e| if e.kind == AwsErrorKind::NotFound { Ok(Vec::new()) } else { Err(e) })
}

impl Store {
    /// ARNs of the endpoints that the tasks of an instance use (DMS DescribeReplicationTasks).
    ///
    /// # Errors
    /// Where AWS does not answer.
    pub async fn endpoints_of_tasks(&self, instance: &str) -> Result<Vec<String>, AwsError> {
        const OPERATION: &str = "DescribeReplicationTasks";
        let filter = filter("replication-instance-arn", &[instance.to_owned()], OPERATION)?;
        let pages = self.clients().dms.describe_replication_tasks().without_settings(true).filters(filter).into_paginator().page_size(PAGE);
        let pages: Result<Vec<_>, _> = pages.send().try_collect().await;
        let pages = or_none(pages.map_err(|e| AwsError::from_sdk("dms", "DescribeReplicationTasks", instance, &e)))?;
        let tasks = pages.into_iter().flat_map(|p| p.replication_tasks.unwrap_or_default());
        Ok(tasks.flat_map(|t| [t.source_endpoint_arn, t.target_endpoint_arn]).flatten().collect())
    }

    /// DMS endpoints by ARN (DMS DescribeEndpoints).
    ///
    /// # Errors
    /// Where AWS does not answer.
    pub async fn endpoints_by_arn(&self, arns: &[String]) -> Result<Vec<EndpointEnd>, AwsError> {
        const OPERATION: &str = "DescribeEndpoints";
        let mut found = Vec::new();
        for chunk in arns.chunks(ARNS) {
            let call = self.clients().dms.describe_endpoints().filters(filter("endpoint-arn", chunk, OPERATION)?);
            let pages: Result<Vec<_>, _> = call.into_paginator().page_size(PAGE).send().try_collect().await;
            let pages = or_none(pages.map_err(|e| AwsError::from_sdk("dms", "DescribeEndpoints", about(chunk), &e)))?;
            for row in pages.into_iter().flat_map(|p| p.endpoints.unwrap_or_default()) {
                let source = row.endpoint_type.as_ref().is_some_and(|t| t.as_str().eq_ignore_ascii_case("source"));
                found.extend(convert::dms_endpoint(row).map(|endpoint| EndpointEnd { source, endpoint }));
            }
        }
        Ok(found)
    }

    /// All RDS databases of the account and Region, clusters first.
    ///
    /// # Errors
    /// Where AWS does not answer.
    pub async fn all_databases(&self) -> Result<Vec<RdsEnd>, AwsError> {
        let rds = &self.clients().rds;
        let clusters = rds.describe_db_clusters().into_paginator().page_size(PAGE).items().send().try_collect().await;
        let clusters = clusters.map_err(|e| AwsError::from_sdk("rds", "DescribeDBClusters", "all clusters", &e))?;
        let instances = rds.describe_db_instances().into_paginator().page_size(PAGE).items().send().try_collect().await;
        let instances = instances.map_err(|e| AwsError::from_sdk("rds", "DescribeDBInstances", "all instances", &e))?;
        let clusters = clusters.into_iter().filter_map(convert::db_cluster);
        let clusters = clusters.map(|database| RdsEnd { cluster: true, member_of: None, database });
        let instances = instances.into_iter().filter_map(|row| {
            let member_of = row.db_cluster_identifier.clone().map(|id| id.to_ascii_lowercase());
            convert::db_instance(row).map(|database| RdsEnd { cluster: false, member_of, database })
        });
        Ok(clusters.chain(instances).collect())
    }
}
