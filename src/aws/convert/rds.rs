//! RDS.

use aws_sdk_rds::types as rds;
use tracing::warn;

use super::{ids, port, text};
use crate::model::{RdsDatabase, SecurityGroupId, SubnetGroup};

fn groups(list: Option<Vec<rds::VpcSecurityGroupMembership>>) -> Vec<SecurityGroupId> {
    ids(list.into_iter().flatten().filter(|g| g.status.as_deref() != Some("removing")).filter_map(|g| g.vpc_security_group_id))
}

/// `DBInstance`.
pub(in crate::aws) fn db_instance(row: rds::DbInstance) -> Option<RdsDatabase> {
    let Some(identifier) = text(row.db_instance_identifier) else {
        warn!("a DB instance that AWS returned has no identifier; it is left out");
        return None;
    };
    let place = row.db_subnet_group;
    let (host, number) = row.endpoint.map_or((None, None), |e| (text(e.address), e.port));
    Some(RdsDatabase {
        identifier: identifier.to_ascii_lowercase(),
        engine: row.engine.unwrap_or_default(),
        status: row.db_instance_status.unwrap_or_default(),
        host,
        port: port(number).or_else(|| port(row.db_instance_port)),
        vpc: place.as_ref().and_then(|p| text(p.vpc_id.clone())).map(Into::into),
        publicly_accessible: row.publicly_accessible.unwrap_or(false),
        subnet_group: place.as_ref().and_then(|p| text(p.db_subnet_group_name.clone())),
        subnets: ids(place.into_iter().flat_map(|p| p.subnets.unwrap_or_default()).filter_map(|s| s.subnet_identifier)),
        groups: groups(row.vpc_security_groups),
    })
}

/// `DBCluster`, by its writer's host name. It names its subnet group, not the subnets.
pub(in crate::aws) fn db_cluster(row: rds::DbCluster) -> Option<RdsDatabase> {
    let Some(identifier) = text(row.db_cluster_identifier) else {
        warn!("a DB cluster that AWS returned has no identifier; it is left out");
        return None;
    };
    Some(RdsDatabase {
        identifier: identifier.to_ascii_lowercase(),
        engine: row.engine.unwrap_or_default(),
        status: row.status.unwrap_or_default(),
        host: text(row.endpoint),
        port: port(row.port),
        vpc: None,
        subnets: Vec::new(),
        publicly_accessible: row.publicly_accessible.unwrap_or(false),
        subnet_group: text(row.db_subnet_group),
        groups: groups(row.vpc_security_groups),
    })
}

/// `DBSubnetGroup`.
pub(in crate::aws) fn db_subnet_group(row: rds::DbSubnetGroup) -> Option<SubnetGroup> {
    let Some(name) = text(row.db_subnet_group_name) else {
        warn!("a DB subnet group that AWS returned has no name; it is left out");
        return None;
    };
    Some(SubnetGroup {
        identifier: name.to_ascii_lowercase(),
        vpc: row.vpc_id.unwrap_or_default().into(),
        subnets: ids(row.subnets.into_iter().flatten().filter_map(|s| s.subnet_identifier)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_being_created_has_a_port_but_no_host() {
        let row = rds::DbInstance::builder().db_instance_identifier("Orders").engine("postgres").db_instance_port(5432).build();
        let db = db_instance(row).unwrap();
        assert_eq!((db.identifier.as_str(), db.host, db.port, db.vpc), ("orders", None, Some(5432), None));
    }
}
