//! EC2.

use std::sync::Arc;

use aws_sdk_ec2::types as ec2;
use tracing::warn;

use super::{cidr, cidrs, exact, ids, text};
use crate::{
    api::network::IpAddressType,
    aws::writes::Interface,
    model::{
        BlockPublicAccess, Direction, EndpointState, Peer, Policy, Ports, Protocol, Rule, RuleShape, SecurityGroup, ServiceDetail, Subnet,
        Tags, Vpc, VpcEndpoint,
    },
};

pub(super) fn tags(list: Option<Vec<ec2::Tag>>) -> Tags {
    let tags: Tags = list.into_iter().flatten().filter_map(|t| Some((t.key?, t.value.unwrap_or_default()))).collect();
    tags.shared()
}

/// Tags as EC2 takes them.
pub(in crate::aws) fn tags_to_ec2(tags: &Tags) -> Vec<ec2::Tag> {
    tags.iter().map(|(k, v)| ec2::Tag::builder().key(k).value(v).build()).collect()
}

/// `SecurityGroupRule`.
pub(in crate::aws) fn rule(row: ec2::SecurityGroupRule) -> Option<Rule> {
    let (id, group) = (row.security_group_rule_id.clone().unwrap_or_default(), row.group_id.clone().unwrap_or_default());
    let read = || {
        let protocol = Protocol::parse(row.ip_protocol.as_deref()?)?;
        let peer = if let Some(c) = text(row.cidr_ipv4.clone()).or_else(|| text(row.cidr_ipv6.clone())) {
            Peer::Cidr(cidr(&c)?)
        } else if let Some(g) = row.referenced_group_info.as_ref().and_then(|i| text(i.group_id.clone())) {
            Peer::SecurityGroup(g.into())
        } else {
            Peer::PrefixList(text(row.prefix_list_id.clone())?.into())
        };
        let direction = if row.is_egress? { Direction::Out } else { Direction::In };
        Some(RuleShape { direction, protocol, ports: ports(protocol, row.from_port, row.to_port), peer })
    };
    match read() {
        Some(shape) if !id.is_empty() && !group.is_empty() => {
            Some(Rule { id: id.into(), group: group.into(), shape, description: text(row.description), tags: tags(row.tags) })
        }
        _ => {
            warn!(rule = id, group, "a security group rule that AWS returned cannot be read; it is left out");
            None
        }
    }
}

/// Only TCP and UDP have ports, ICMP type and code; "every type and code" is written in several ways.
fn ports(protocol: Protocol, from: Option<i32>, to: Option<i32>) -> Option<Ports> {
    match protocol {
        Protocol::Tcp | Protocol::Udp => Some(Ports { from: from?, to: to? }).filter(|p| p.from >= 0),
        Protocol::Icmp | Protocol::Icmpv6 => {
            let (from, to) = (from.unwrap_or(-1), to.unwrap_or(-1));
            (from != -1 || to != -1).then_some(Ports { from, to })
        }
        Protocol::All | Protocol::Other(_) => None,
    }
}

/// `SecurityGroup`.
pub(in crate::aws) fn group(row: ec2::SecurityGroup) -> Option<SecurityGroup> {
    let Some(id) = text(row.group_id) else {
        warn!("a security group that AWS returned has no ID; it is left out");
        return None;
    };
    Some(SecurityGroup {
        id: id.into(),
        name: row.group_name.unwrap_or_default(),
        vpc: row.vpc_id.unwrap_or_default().into(),
        owner: row.owner_id.unwrap_or_default(),
        tags: tags(row.tags),
    })
}

/// `VpcEndpoint`.
pub(in crate::aws) fn endpoint(row: ec2::VpcEndpoint) -> Option<VpcEndpoint> {
    let (Some(id), Some(vpc)) = (text(row.vpc_endpoint_id), text(row.vpc_id)) else {
        warn!("a VPC endpoint that AWS returned has no ID or no VPC; it is left out");
        return None;
    };
    let mut dns_names: Vec<String> = row.dns_entries.into_iter().flatten().filter_map(|e| text(e.dns_name)).collect();
    // Regional name, names of zones, private names: a zone's name is longer than the Regional one.
    dns_names.sort_by_key(|n| (!n.starts_with("vpce-"), n.split('.').next().map_or(0, str::len), n.clone()));
    let last_error = row.last_error.and_then(|e| match (text(e.code), text(e.message)) {
        (Some(code), Some(message)) => Some(format!("{code}: {message}")),
        (code, message) => code.or(message),
    });
    Some(VpcEndpoint {
        id: id.into(),
        vpc: vpc.into(),
        service_name: row.service_name.unwrap_or_default(),
        endpoint_type: row.vpc_endpoint_type.map_or_else(|| "Interface".to_owned(), |t| t.as_str().to_owned()),
        state: EndpointState::parse(row.state.as_ref().map_or("", ec2::State::as_str)),
        subnets: ids(row.subnet_ids.into_iter().flatten()),
        route_tables: ids(row.route_table_ids.into_iter().flatten()),
        groups: ids(row.groups.into_iter().flatten().filter_map(|g| g.group_id)),
        private_dns: row.private_dns_enabled.unwrap_or(false),
        policy: row.policy_document.map_or_else(Policy::full_access, |p| Policy::from_aws(&p)),
        ip_address_type: ip_address_type(row.ip_address_type.as_ref()),
        dns_names: exact(dns_names),
        interfaces: ids(row.network_interface_ids.into_iter().flatten()),
        tags: tags(row.tags),
        last_error: last_error.or_else(|| text(row.failure_reason)),
    })
}

fn ip_address_type(t: Option<&ec2::IpAddressType>) -> IpAddressType {
    match t.map(|t| t.as_str().to_ascii_lowercase()).as_deref() {
        Some("dualstack") => IpAddressType::Dualstack,
        Some("ipv6") => IpAddressType::Ipv6,
        _ => IpAddressType::Ipv4,
    }
}

/// `IpAddressType` as EC2 takes it.
pub(in crate::aws) fn ip_address_type_to_ec2(t: IpAddressType) -> ec2::IpAddressType {
    match t {
        IpAddressType::Ipv4 => ec2::IpAddressType::Ipv4,
        IpAddressType::Dualstack => ec2::IpAddressType::Dualstack,
        IpAddressType::Ipv6 => ec2::IpAddressType::Ipv6,
    }
}

/// `Vpc`.
pub(in crate::aws) fn vpc(row: ec2::Vpc) -> Option<Vpc> {
    let Some(id) = text(row.vpc_id) else {
        warn!("a VPC that AWS returned has no ID; it is left out");
        return None;
    };
    let (v4, v6) = (row.cidr_block_association_set.unwrap_or_default(), row.ipv6_cidr_block_association_set.unwrap_or_default());
    let state = |s: Option<&ec2::VpcCidrBlockState>| {
        s.and_then(|s| s.state.as_ref()).is_none_or(|s| matches!(s.as_str(), "associated" | "associating"))
    };
    let v4 = v4.iter().filter(|a| state(a.cidr_block_state.as_ref())).filter_map(|a| a.cidr_block.as_deref());
    let v6 = v6.iter().filter(|a| state(a.ipv6_cidr_block_state.as_ref())).filter_map(|a| a.ipv6_cidr_block.as_deref());
    Some(Vpc {
        id: id.into(),
        cidrs: cidrs(row.cidr_block.as_deref().into_iter().chain(v4).chain(v6)),
        owner: row.owner_id.unwrap_or_default(),
        block_public_access: block_public_access(row.block_public_access_states.as_ref()),
    })
}

/// `Subnet`.
pub(in crate::aws) fn subnet(row: ec2::Subnet) -> Option<Subnet> {
    let (Some(id), Some(vpc)) = (text(row.subnet_id), text(row.vpc_id)) else {
        warn!("a subnet that AWS returned has no ID or no VPC; it is left out");
        return None;
    };
    let v6 = row.ipv6_cidr_block_association_set.unwrap_or_default();
    let associated = |a: &&ec2::SubnetIpv6CidrBlockAssociation| {
        let state = a.ipv6_cidr_block_state.as_ref().and_then(|s| s.state.as_ref());
        state.is_none_or(|s| matches!(s.as_str(), "associated" | "associating"))
    };
    let v6 = v6.iter().filter(associated).filter_map(|a| a.ipv6_cidr_block.as_deref());
    Some(Subnet {
        id: id.into(),
        vpc: vpc.into(),
        zone: row.availability_zone.unwrap_or_default(),
        cidrs: cidrs(row.cidr_block.as_deref().into_iter().chain(v6)),
        block_public_access: block_public_access(row.block_public_access_states.as_ref()),
    })
}

fn block_public_access(states: Option<&ec2::BlockPublicAccessStates>) -> BlockPublicAccess {
    match states.and_then(|s| s.internet_gateway_block_mode.as_ref()).map(ec2::BlockPublicAccessMode::as_str) {
        Some("block-ingress") => BlockPublicAccess::Ingress,
        Some("block-bidirectional") => BlockPublicAccess::Bidirectional,
        _ => BlockPublicAccess::Off,
    }
}

/// `ServiceDetail`. The name is the key it was asked by.
pub(in crate::aws) fn service(row: ec2::ServiceDetail) -> Option<(Arc<str>, ServiceDetail)> {
    let name = text(row.service_name)?;
    let mut zones = row.availability_zones.unwrap_or_default();
    zones.sort();
    zones.dedup();
    let other = || row.private_dns_names.into_iter().flatten().find_map(|n| text(n.private_dns_name));
    let private_dns_name = text(row.private_dns_name).or_else(other);
    let types = row.service_type.into_iter().flatten().filter_map(|t| Some(t.service_type?.as_str().to_owned())).collect();
    Some((name.as_str().into(), ServiceDetail { name, zones, private_dns_name, types }))
}

/// `NetworkInterface`.
pub(in crate::aws) fn interface(row: ec2::NetworkInterface) -> Option<Interface> {
    Some(Interface {
        id: text(row.network_interface_id)?.into(),
        description: row.description.unwrap_or_default(),
        status: row.status.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        of_endpoint: row.interface_type.is_some_and(|t| t == ec2::NetworkInterfaceType::VpcEndpoint),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(protocol: &str, from: Option<i32>, to: Option<i32>) -> ec2::SecurityGroupRule {
        ec2::SecurityGroupRule::builder()
            .security_group_rule_id("sgr-1")
            .group_id("sg-1")
            .is_egress(false)
            .ip_protocol(protocol)
            .set_from_port(from)
            .set_to_port(to)
            .cidr_ipv4("100.68.0.18/18")
            .build()
    }

    #[test]
    fn rules_have_one_form() {
        for (protocol, from, to, expected) in [
            ("tcp", Some(5432), Some(5432), "in/tcp/5432/100.68.0.0/18"),
            ("6", Some(1), Some(2), "in/tcp/1-2/100.68.0.0/18"),
            ("-1", Some(-1), Some(-1), "in/all/all/100.68.0.0/18"),
            ("50", Some(0), Some(0), "in/50/all/100.68.0.0/18"),
            ("icmpv6", Some(-1), Some(-1), "in/icmpv6/all/100.68.0.0/18"),
            ("58", None, None, "in/icmpv6/all/100.68.0.0/18"),
            ("icmp", Some(3), Some(4), "in/icmp/3-4/100.68.0.0/18"),
        ] {
            assert_eq!(rule(row(protocol, from, to)).unwrap().shape.to_string(), expected);
        }
    }

    #[test]
    fn peers_are_told_apart() {
        let base = || ec2::SecurityGroupRule::builder().security_group_rule_id("sgr-1").group_id("sg-1").is_egress(true).ip_protocol("-1");
        let peer = |r: ec2::SecurityGroupRule| rule(r).unwrap().shape.peer.to_string();
        assert_eq!(peer(base().cidr_ipv6("2001:DB8::1/32").build()), "2001:db8::/32");
        assert_eq!(peer(base().prefix_list_id("pl-1").build()), "pl-1");
        let other = ec2::ReferencedSecurityGroup::builder().group_id("sg-2").user_id("111122223333").build();
        assert_eq!(peer(base().referenced_group_info(other).build()), "sg-2");
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        assert_eq!(rule(row("tpc", Some(1), Some(1))), None);
        let mut broken = row("tcp", Some(1), Some(1));
        broken.cidr_ipv4 = Some("10.0.0.0/40".into());
        assert_eq!(rule(broken), None);
        let mut nobody = row("tcp", Some(1), Some(1));
        nobody.cidr_ipv4 = None;
        assert_eq!(rule(nobody), None);
    }

    #[test]
    fn endpoints_are_sorted_and_their_regional_name_is_first() {
        let name = |n: &str| ec2::DnsEntry::builder().dns_name(n).build();
        let e = ec2::VpcEndpoint::builder()
            .vpc_endpoint_id("vpce-1")
            .vpc_id("vpc-1")
            .state(ec2::State::from("available"))
            .subnet_ids("subnet-2")
            .subnet_ids("subnet-1")
            .dns_entries(name("dms.us-west-2.amazonaws.com"))
            .dns_entries(name("vpce-1-abc-us-west-2a.dms.us-west-2.vpce.amazonaws.com"))
            .dns_entries(name("vpce-1-abc.dms.us-west-2.vpce.amazonaws.com"))
            .build();
        let e = endpoint(e).unwrap();
        assert_eq!(e.state, EndpointState::Available);
        assert_eq!(e.subnets, ["subnet-1".into(), "subnet-2".into()]);
        assert_eq!(e.dns_names[0], "vpce-1-abc.dms.us-west-2.vpce.amazonaws.com");
        assert_eq!(e.dns_names[2], "dms.us-west-2.amazonaws.com");
        assert_eq!(e.policy, Policy::full_access());
    }

    #[test]
    fn a_vpc_has_only_the_cidrs_that_are_associated() {
        let block = |c: &str, s: &str| {
            let state = ec2::VpcCidrBlockState::builder().state(ec2::VpcCidrBlockStateCode::from(s)).build();
            ec2::VpcCidrBlockAssociation::builder().cidr_block(c).cidr_block_state(state).build()
        };
        let v = ec2::Vpc::builder()
            .vpc_id("vpc-1")
            .cidr_block("10.0.0.0/16")
            .cidr_block_association_set(block("10.0.0.0/16", "associated"))
            .cidr_block_association_set(block("10.1.0.0/16", "associated"))
            .cidr_block_association_set(block("10.2.0.0/16", "disassociated"))
            .build();
        let cidrs: Vec<String> = vpc(v).unwrap().cidrs.iter().map(ToString::to_string).collect();
        assert_eq!(cidrs, ["10.0.0.0/16", "10.1.0.0/16"]);
    }
}
