//! The SDK's types as model values, in canonical form (domain.md 3.3). A row that cannot be read is left out
//! with a warning that names it: one odd row must not hide the rest.

mod dms;
mod ec2;
mod endpoint_hosts;
mod network;
mod rds;

pub(super) use dms::{connection, dms_endpoint, replication_config, replication_instance, subnet_group};
pub(super) use ec2::{endpoint, group, interface, ip_address_type_to_ec2, rule, service, subnet, tags_to_ec2, vpc};
pub(super) use network::{
    internet_gateway, nat_gateway, network_acl, network_interface, peering, prefix_list, route_table, transit_gateway_attachment,
};
pub(super) use rds::{db_cluster, db_instance, db_subnet_group};

use std::net::IpAddr;

use ipnet::IpNet;

/// A CIDR without host bits.
fn cidr(text: &str) -> Option<IpNet> {
    text.trim().parse::<IpNet>().ok().map(|c| c.trunc())
}

/// A list as long as it is: what was collected from the SDK's larger rows keeps their room, or has room for four at least.
fn exact<T>(mut list: Vec<T>) -> Vec<T> {
    list.shrink_to_fit();
    list
}

/// Sorted, without repetition.
fn sorted<T: Ord>(mut list: Vec<T>) -> Vec<T> {
    list.sort();
    list.dedup();
    exact(list)
}

/// CIDRs that can be read, without repetition, IPv4 first.
fn cidrs<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<IpNet> {
    sorted(texts.into_iter().filter_map(cidr).collect())
}

/// IDs sorted, without repetition.
fn ids<T: Ord + From<String>>(texts: impl IntoIterator<Item = String>) -> Vec<T> {
    sorted(texts.into_iter().filter(|t| !t.is_empty()).map(T::from).collect())
}

/// Addresses that can be read, sorted, without repetition.
fn addresses(texts: impl IntoIterator<Item = String>) -> Vec<IpAddr> {
    sorted(texts.into_iter().filter_map(|t| t.trim().parse().ok()).collect())
}

/// A TCP port; none where AWS gives none, or 0.
fn port(number: Option<i32>) -> Option<u16> {
    number.and_then(|n| u16::try_from(n).ok()).filter(|n| *n != 0)
}

/// A text that says something.
fn text(t: Option<String>) -> Option<String> {
    t.filter(|t| !t.trim().is_empty())
}
