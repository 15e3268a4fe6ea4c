//! DMS.

use aws_sdk_databasemigration::types as dms;
use tracing::warn;

use super::{addresses, endpoint_hosts::hosts, exact, ids, text};
use crate::model::{Connection, DmsEndpoint, ReplicationConfig, ReplicationInstance, SubnetGroup};

/// `ReplicationInstance`.
pub(in crate::aws) fn replication_instance(row: dms::ReplicationInstance) -> Option<ReplicationInstance> {
    let Some(identifier) = text(row.replication_instance_identifier) else {
        warn!("a replication instance that AWS returned has no identifier; it is left out");
        return None;
    };
    let place = row.replication_subnet_group;
    // An instance that a change of groups is under way for lists both; one that is being removed does not count.
    let groups = row.vpc_security_groups.into_iter().flatten().filter(|g| g.status.as_deref() != Some("removing"));
    // The singular fields are older names of the first address.
    #[allow(deprecated)]
    let (private, public) = (row.replication_instance_private_ip_address, row.replication_instance_public_ip_address);
    Some(ReplicationInstance {
        identifier: identifier.to_ascii_lowercase(),
        status: row.replication_instance_status.unwrap_or_default(),
        vpc: place.as_ref().and_then(|p| p.vpc_id.clone()).unwrap_or_default().into(),
        subnets: ids(place.into_iter().flat_map(|p| p.subnets.unwrap_or_default()).filter_map(|s| s.subnet_identifier)),
        groups: ids(groups.filter_map(|g| g.vpc_security_group_id)),
        private_ips: addresses(row.replication_instance_private_ip_addresses.into_iter().flatten().chain(private)),
        public_ips: addresses(row.replication_instance_public_ip_addresses.into_iter().flatten().chain(public)),
        arn: row.replication_instance_arn.unwrap_or_default(),
        publicly_accessible: Some(row.publicly_accessible),
        dns_servers: addresses(row.dns_name_servers.iter().flat_map(|s| s.split([',', ' '])).map(str::to_owned)),
        engine_version: text(row.engine_version),
    })
}

/// `Endpoint`.
pub(in crate::aws) fn dms_endpoint(row: dms::Endpoint) -> Option<DmsEndpoint> {
    let found = hosts(&row);
    let Some(identifier) = text(row.endpoint_identifier) else {
        warn!("a DMS endpoint that AWS returned has no identifier; it is left out");
        return None;
    };
    Some(DmsEndpoint {
        identifier: identifier.to_ascii_lowercase(),
        engine: row.engine_name.unwrap_or_default(),
        host: found.host,
        port: found.port,
        arn: row.endpoint_arn.unwrap_or_default(),
        more_hosts: found.more,
        secret: found.secret,
    })
}

/// `ReplicationConfig`.
pub(in crate::aws) fn replication_config(row: dms::ReplicationConfig) -> Option<ReplicationConfig> {
    let Some(identifier) = text(row.replication_config_identifier) else {
        warn!("a replication config that AWS returned has no identifier; it is left out");
        return None;
    };
    let compute = row.compute_config;
    let subnet_group = compute.as_ref().and_then(|c| text(c.replication_subnet_group_id.clone()));
    Some(ReplicationConfig {
        identifier: identifier.to_ascii_lowercase(),
        arn: row.replication_config_arn.unwrap_or_default(),
        subnet_group: subnet_group.unwrap_or_else(|| "default".into()).to_ascii_lowercase(),
        groups: ids(compute.into_iter().flat_map(|c| c.vpc_security_group_ids.unwrap_or_default())),
        endpoints: exact([row.source_endpoint_arn, row.target_endpoint_arn].into_iter().filter_map(text).collect()),
    })
}

/// `ReplicationSubnetGroup`.
pub(in crate::aws) fn subnet_group(row: dms::ReplicationSubnetGroup) -> Option<SubnetGroup> {
    let Some(identifier) = text(row.replication_subnet_group_identifier) else {
        warn!("a replication subnet group that AWS returned has no identifier; it is left out");
        return None;
    };
    Some(SubnetGroup {
        identifier: identifier.to_ascii_lowercase(),
        vpc: row.vpc_id.unwrap_or_default().into(),
        subnets: ids(row.subnets.into_iter().flatten().filter_map(|s| s.subnet_identifier)),
    })
}

/// `Connection`.
pub(in crate::aws) fn connection(row: dms::Connection) -> Option<Connection> {
    Some(Connection {
        instance: text(row.replication_instance_arn)?,
        endpoint: text(row.endpoint_arn)?,
        status: row.status.unwrap_or_default().to_ascii_lowercase(),
        failure: text(row.last_failure_message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_read_with_its_place() {
        let group = |id: &str, s: &str| dms::VpcSecurityGroupMembership::builder().vpc_security_group_id(id).status(s).build();
        let place = dms::ReplicationSubnetGroup::builder()
            .vpc_id("vpc-1")
            .subnets(dms::Subnet::builder().subnet_identifier("subnet-2").build())
            .subnets(dms::Subnet::builder().subnet_identifier("subnet-1").build())
            .build();
        let row = dms::ReplicationInstance::builder()
            .replication_instance_identifier("Orders")
            .vpc_security_groups(group("sg-1", "active"))
            .vpc_security_groups(group("sg-0", "removing"))
            .replication_subnet_group(place)
            .replication_instance_private_ip_addresses("10.0.0.9")
            .build();
        let i = replication_instance(row).unwrap();
        assert_eq!((i.identifier.as_str(), i.vpc.as_str()), ("orders", "vpc-1"));
        assert_eq!(i.subnets, ["subnet-1".into(), "subnet-2".into()]);
        assert_eq!(i.groups, ["sg-1".into()]);
        assert_eq!(i.private_ips.len(), 1);
        assert!(i.public_ips.is_empty());
    }

    #[test]
    fn an_endpoint_without_host_and_port_says_so() {
        let row = dms::Endpoint::builder().endpoint_identifier("SRC").engine_name("postgres").server_name(" ").port(0).build();
        let e = dms_endpoint(row).unwrap();
        assert_eq!((e.identifier.as_str(), e.host, e.port), ("src", None, None));
    }

    #[test]
    fn a_serverless_replication_without_a_place_is_in_the_default_group() {
        let compute = dms::ComputeConfig::builder().vpc_security_group_ids("sg-2").vpc_security_group_ids("sg-1").build();
        let row = dms::ReplicationConfig::builder()
            .replication_config_identifier("Orders")
            .source_endpoint_arn("arn:src")
            .target_endpoint_arn("arn:tgt")
            .compute_config(compute)
            .build();
        let c = replication_config(row).unwrap();
        assert_eq!((c.identifier.as_str(), c.subnet_group.as_str()), ("orders", "default"));
        assert_eq!((c.groups, c.endpoints), (vec!["sg-1".into(), "sg-2".into()], vec!["arn:src".into(), "arn:tgt".into()]));
    }
}
