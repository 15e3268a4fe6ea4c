//! EC2: network ACLs, routes, gateways, peerings, interfaces, prefix lists.

use aws_sdk_ec2::types as ec2;
use tracing::warn;

use super::{addresses, cidr, cidrs, ec2::tags, exact, ids, text};
use crate::model::{
    AclEntry, Destination, Direction, InternetGateway, NatAddress, NatGateway, NetworkAcl, NetworkInterface, PeeringConnection,
    PeeringSide, Ports, PrefixList, Protocol, Route, RouteOrigin, RouteState, RouteTable, Target, TransitGatewayAttachment,
};

/// The numbers from here on are AWS's closing denies.
const DEFAULT_DENY: i32 = 32_767;

/// `NetworkAcl`.
pub(in crate::aws) fn network_acl(row: ec2::NetworkAcl) -> Option<NetworkAcl> {
    let (Some(id), Some(vpc)) = (text(row.network_acl_id), text(row.vpc_id)) else {
        warn!("a network ACL that AWS returned has no ID or no VPC; it is left out");
        return None;
    };
    let own = row.entries.into_iter().flatten().filter(|e| e.rule_number.is_none_or(|n| n < DEFAULT_DENY));
    let mut entries: Vec<AclEntry> = own
        .filter_map(|e| {
            let entry = acl_entry(&e);
            if entry.is_none() {
                warn!(acl = id, number = e.rule_number, "an entry of a network ACL that AWS returned cannot be read; it is left out");
            }
            entry
        })
        .collect();
    entries.sort();
    Some(NetworkAcl {
        id: id.into(),
        vpc: vpc.into(),
        is_default: row.is_default.unwrap_or(false),
        subnets: ids(row.associations.into_iter().flatten().filter_map(|a| a.subnet_id)),
        entries: exact(entries),
        tags: tags(row.tags),
    })
}

fn acl_entry(row: &ec2::NetworkAclEntry) -> Option<AclEntry> {
    let protocol = Protocol::parse(row.protocol.as_deref()?)?;
    let cidr = text(row.cidr_block.clone()).or_else(|| text(row.ipv6_cidr_block.clone()))?;
    let ports = match protocol {
        Protocol::Tcp | Protocol::Udp => {
            let range = row.port_range.as_ref().and_then(|r| Some(Ports { from: r.from?, to: r.to? }));
            range.filter(|p| *p != Ports::ALL && p.from >= 0)
        }
        Protocol::Icmp | Protocol::Icmpv6 => {
            let kind = row.icmp_type_code.as_ref();
            let (from, to) = (kind.and_then(|k| k.r#type).unwrap_or(-1), kind.and_then(|k| k.code).unwrap_or(-1));
            (from != -1 || to != -1).then_some(Ports { from, to })
        }
        Protocol::All | Protocol::Other(_) => None,
    };
    Some(AclEntry {
        direction: if row.egress? { Direction::Out } else { Direction::In },
        number: u16::try_from(row.rule_number?).ok()?,
        protocol,
        ports,
        cidr: self::cidr(&cidr)?,
        allow: row.rule_action.as_ref()?.as_str().eq_ignore_ascii_case("allow"),
    })
}

/// `RouteTable`.
pub(in crate::aws) fn route_table(row: ec2::RouteTable) -> Option<RouteTable> {
    let (Some(id), Some(vpc)) = (text(row.route_table_id), text(row.vpc_id)) else {
        warn!("a route table that AWS returned has no ID or no VPC; it is left out");
        return None;
    };
    let holds = |a: &ec2::RouteTableAssociation| {
        let state = a.association_state.as_ref().and_then(|s| s.state.as_ref());
        state.is_none_or(|s| matches!(s.as_str(), "associated" | "associating"))
    };
    let associations: Vec<_> = row.associations.into_iter().flatten().filter(holds).collect();
    let mut routes: Vec<Route> = row
        .routes
        .into_iter()
        .flatten()
        .filter_map(|r| {
            let read = route(&r);
            if read.is_none() {
                warn!(table = id, "a route that AWS returned has no destination that can be read; it is left out");
            }
            read
        })
        .collect();
    routes.sort();
    Some(RouteTable {
        id: id.into(),
        vpc: vpc.into(),
        main: associations.iter().any(|a| a.main == Some(true)),
        subnets: ids(associations.into_iter().filter_map(|a| a.subnet_id)),
        routes: exact(routes),
        propagating: ids(row.propagating_vgws.into_iter().flatten().filter_map(|v| v.gateway_id)),
        tags: tags(row.tags),
    })
}

fn route(row: &ec2::Route) -> Option<Route> {
    let destination = match &row.destination_prefix_list_id {
        Some(list) => Destination::PrefixList(list.into()),
        None => Destination::Cidr(cidr(row.destination_cidr_block.as_deref().or(row.destination_ipv6_cidr_block.as_deref())?)?),
    };
    let state = row.state.as_ref().map_or("", ec2::RouteState::as_str).to_ascii_lowercase();
    let origin = row.origin.as_ref().map_or("", ec2::RouteOrigin::as_str).to_ascii_lowercase();
    Some(Route {
        destination,
        target: target(row),
        state: match state.as_str() {
            "blackhole" => RouteState::Blackhole,
            "filtered" => RouteState::Filtered,
            _ => RouteState::Active,
        },
        origin: match origin.as_str() {
            "createroutetable" => RouteOrigin::CreateRouteTable,
            "createroute" | "" => RouteOrigin::CreateRoute,
            // EnableVgwRoutePropagation, and what else AWS puts there by itself.
            _ => RouteOrigin::Propagated,
        },
    })
}

/// A route names its target in one of a dozen fields; an instance's route names its interface, too.
fn target(row: &ec2::Route) -> Target {
    let of = |field: &Option<String>| text(field.clone());
    if let Some(id) = of(&row.gateway_id) {
        return match id.split('-').next() {
            Some("local") => Target::Local,
            Some("igw") => Target::InternetGateway(id.into()),
            Some("vgw") => Target::VpnGateway(id.into()),
            Some("vpce") => Target::VpcEndpoint(id.into()),
            _ => Target::Other(id),
        };
    }
    if let Some(id) = of(&row.nat_gateway_id) {
        return Target::NatGateway(id.into());
    }
    if let Some(id) = of(&row.vpc_peering_connection_id) {
        return Target::PeeringConnection(id.into());
    }
    if let Some(id) = of(&row.transit_gateway_id) {
        return Target::TransitGateway(id.into());
    }
    if let Some(id) = of(&row.network_interface_id) {
        return Target::NetworkInterface(Some(id.into()));
    }
    let others = [
        &row.egress_only_internet_gateway_id,
        &row.local_gateway_id,
        &row.carrier_gateway_id,
        &row.core_network_arn,
        &row.odb_network_arn,
        &row.ip_address,
    ];
    others.into_iter().find_map(of).map_or(Target::NetworkInterface(None), Target::Other)
}

/// `NatGateway`.
pub(in crate::aws) fn nat_gateway(row: ec2::NatGateway) -> Option<NatGateway> {
    let (Some(id), Some(vpc)) = (text(row.nat_gateway_id), text(row.vpc_id)) else {
        warn!("a NAT gateway that AWS returned has no ID or no VPC; it is left out");
        return None;
    };
    let says = |word: Option<&str>, what: &str| word.is_some_and(|w| w.eq_ignore_ascii_case(what));
    let mut addresses: Vec<NatAddress> = row.nat_gateway_addresses.into_iter().flatten().map(nat_address).collect();
    addresses.sort();
    Some(NatGateway {
        id: id.into(),
        vpc: vpc.into(),
        subnet: text(row.subnet_id).map(Into::into),
        state: row.state.map(|s| s.as_str().to_ascii_lowercase()).unwrap_or_default(),
        failure: match (text(row.failure_code), text(row.failure_message)) {
            (Some(code), Some(message)) => Some(format!("{code}: {message}")),
            (code, message) => code.or(message),
        },
        public: !says(row.connectivity_type.as_ref().map(ec2::ConnectivityType::as_str), "private"),
        regional: says(row.availability_mode.as_ref().map(ec2::AvailabilityMode::as_str), "regional"),
        addresses: exact(addresses),
    })
}

fn nat_address(row: ec2::NatGatewayAddress) -> NatAddress {
    let ip = |t: Option<String>| t.and_then(|t| t.trim().parse().ok());
    NatAddress {
        public_ip: ip(row.public_ip),
        private_ip: ip(row.private_ip),
        interface: text(row.network_interface_id).map(Into::into),
        in_use: row.status.is_none_or(|s| s.as_str().eq_ignore_ascii_case("succeeded")),
    }
}

/// `InternetGateway`: one that is attached.
pub(in crate::aws) fn internet_gateway(row: ec2::InternetGateway) -> Option<InternetGateway> {
    let id = text(row.internet_gateway_id)?;
    let attached = |a: &ec2::InternetGatewayAttachment| {
        let state = a.state.as_ref().map(|s| s.as_str().to_ascii_lowercase());
        state.is_none_or(|s| matches!(s.as_str(), "available" | "attached"))
    };
    let vpc = row.attachments.into_iter().flatten().filter(attached).find_map(|a| text(a.vpc_id))?;
    Some(InternetGateway { id: id.into(), vpc: vpc.into() })
}

/// `VpcPeeringConnection`.
pub(in crate::aws) fn peering(row: ec2::VpcPeeringConnection) -> Option<PeeringConnection> {
    let (Some(id), Some(requester), Some(accepter)) = (text(row.vpc_peering_connection_id), row.requester_vpc_info, row.accepter_vpc_info)
    else {
        warn!("a peering connection that AWS returned has no ID or misses a side; it is left out");
        return None;
    };
    let (code, message) = row.status.map_or((None, None), |s| (s.code, s.message));
    Some(PeeringConnection {
        id: id.into(),
        status: code.map(|c| c.as_str().to_ascii_lowercase()).unwrap_or_default(),
        message: text(message),
        requester: side(requester),
        accepter: side(accepter),
    })
}

fn side(row: ec2::VpcPeeringConnectionVpcInfo) -> PeeringSide {
    let (v4, v6) = (row.cidr_block_set.unwrap_or_default(), row.ipv6_cidr_block_set.unwrap_or_default());
    let all = row.cidr_block.as_deref().into_iter();
    let all = all.chain(v4.iter().filter_map(|c| c.cidr_block.as_deref())).chain(v6.iter().filter_map(|c| c.ipv6_cidr_block.as_deref()));
    PeeringSide {
        cidrs: cidrs(all),
        vpc: row.vpc_id.unwrap_or_default().into(),
        account: row.owner_id.unwrap_or_default(),
        region: row.region.unwrap_or_default(),
        dns_resolution: row.peering_options.and_then(|o| o.allow_dns_resolution_from_remote_vpc),
    }
}

/// `TransitGatewayVpcAttachment`.
pub(in crate::aws) fn transit_gateway_attachment(row: ec2::TransitGatewayVpcAttachment) -> Option<TransitGatewayAttachment> {
    Some(TransitGatewayAttachment {
        id: text(row.transit_gateway_attachment_id)?,
        gateway: row.transit_gateway_id.unwrap_or_default().into(),
        vpc: text(row.vpc_id)?.into(),
        state: row.state.map(|s| s.as_str().to_ascii_lowercase()).unwrap_or_default(),
        subnets: ids(row.subnet_ids.into_iter().flatten()),
    })
}

/// `NetworkInterface`.
pub(in crate::aws) fn network_interface(row: ec2::NetworkInterface) -> Option<NetworkInterface> {
    let (Some(id), Some(vpc), Some(subnet)) = (text(row.network_interface_id), text(row.vpc_id), text(row.subnet_id)) else {
        warn!("a network interface that AWS returned has no ID, VPC or subnet; it is left out");
        return None;
    };
    let public = |a: Option<&ec2::NetworkInterfaceAssociation>| a.and_then(|a| a.public_ip.clone());
    let private = row.private_ip_addresses.unwrap_or_default();
    let public_ips =
        addresses(public(row.association.as_ref()).into_iter().chain(private.iter().filter_map(|p| public(p.association.as_ref()))));
    let v6 = row.ipv6_addresses.into_iter().flatten().filter_map(|a| a.ipv6_address);
    Some(NetworkInterface {
        id: id.into(),
        vpc: vpc.into(),
        subnet: subnet.into(),
        description: row.description.unwrap_or_default(),
        status: row.status.map(|s| s.as_str().to_ascii_lowercase()).unwrap_or_default(),
        addresses: addresses(row.private_ip_address.into_iter().chain(private.into_iter().filter_map(|p| p.private_ip_address)).chain(v6)),
        public_ips,
        groups: ids(row.groups.into_iter().flatten().filter_map(|g| g.group_id)),
        source_dest_check: row.source_dest_check.unwrap_or(true),
    })
}

/// `ManagedPrefixList` with the CIDRs of its entries.
pub(in crate::aws) fn prefix_list(row: &ec2::ManagedPrefixList, entries: &[String]) -> Option<PrefixList> {
    Some(PrefixList {
        id: text(row.prefix_list_id.clone())?.into(),
        name: row.prefix_list_name.clone().unwrap_or_default(),
        cidrs: cidrs(entries.iter().map(String::as_str)),
        max_entries: row.max_entries.and_then(|n| u32::try_from(n).ok()),
    })
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
