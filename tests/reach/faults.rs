//! Each hop broken alone, on facts in memory: exactly the expected finding, on the expected object, and its fix opens the path
//! again, or names what takes the place of what AWS does not let anybody change.

use std::sync::Arc;

use dmsnet::{
    model::*,
    reach::{Code, SourceKind, State, explain},
};

use crate::{
    in_memory,
    mend::apply,
    random::{Dice, FAR, HOST_GROUP, NEAR, SOURCE_GROUP, TARGET_GROUP, World, net, open, route, rule},
};

const SAME_VPC: usize = 0;
const PEERED: usize = 1;
const PREMISES: usize = 2;
const INTERNET: usize = 3;
const NAT: usize = 4;

/// An open path of one configuration, of the first seed that is like it.
fn like(kind: usize, v6: bool, fits: impl Fn(&World) -> bool) -> World {
    (0..200).map(|seed| open(kind, v6, &mut Dice::new(seed))).find(fits).expect("a seed that fits")
}

fn same_vpc() -> World {
    like(SAME_VPC, false, |w| !w.targets[0].subnets.is_empty() && w.targets[0].addresses.is_empty())
}

/// A peering in one Region, whose groups refer to each other.
fn peered() -> World {
    let refers = |w: &World| matches!(w.near.rules[SOURCE_GROUP][0].shape.peer, Peer::SecurityGroup(_));
    like(PEERED, false, |w| {
        w.far.is_none() && w.targets[0].addresses.is_empty() && w.targets[0].publicly_accessible == Some(true) && refers(w)
    })
}

fn abroad() -> World {
    like(PEERED, false, |w| w.far.is_some() && w.targets[0].addresses.is_empty())
}

fn vpn() -> World {
    like(PREMISES, false, |w| leads(w, "rtb-own", |t| matches!(t, Target::VpnGateway(_))))
}

fn transit() -> World {
    like(PREMISES, false, |w| leads(w, "rtb-own", |t| matches!(t, Target::TransitGateway(_))))
}

fn bridged() -> World {
    let host = |w: &World| leads(w, "rtb-own", |t| matches!(t, Target::NetworkInterface(_)));
    like(PREMISES, false, |w| host(w) && leads(w, "rtb-public", |t| matches!(t, Target::VpnGateway(_))))
}

fn internet() -> World {
    like(INTERNET, false, |w| w.targets[0].vpc.is_some())
}

fn nat() -> World {
    like(NAT, false, |w| w.targets[0].vpc.is_some())
}

fn leads(w: &World, table: &str, fits: impl Fn(&Target) -> bool) -> bool {
    w.near.route_tables[table].routes.iter().any(|r| fits(&r.target))
}

/// The picture that holds an object: the far one if there is one of its own.
fn table<'w>(w: &'w mut World, id: &str) -> &'w mut RouteTable {
    let p = if w.near.route_tables.contains_key(id) { &mut w.near } else { w.far_mut() };
    Arc::make_mut(p.route_tables.get_mut(id).unwrap())
}

fn drop_rules(w: &mut World, group: &str) {
    let p = if w.near.rules.contains_key(group) { &mut w.near } else { w.far_mut() };
    p.rules.insert(group.into(), Arc::new([]));
}

fn unroute(w: &mut World, id: &str, destination: &str) {
    let before = table(w, id).routes.len();
    table(w, id).routes.retain(|r| r.destination != Destination::Cidr(net(destination)));
    assert_eq!(table(w, id).routes.len() + 1, before, "there was a route {destination}");
}

fn blackhole(w: &mut World, id: &str, destination: &str) {
    let found = table(w, id).routes.iter_mut().find(|r| r.destination == Destination::Cidr(net(destination)));
    found.unwrap().state = RouteState::Blackhole;
}

/// The subnet lies in the range that DMS has reserved for itself.
fn in_reserved_range(w: &mut World, id: &str, cidr: &str) {
    vpc(w, NEAR).cidrs.push(net("192.168.0.0/24"));
    subnet(w, id).cidrs = vec![net(cidr)];
    more_specific(w, "rtb-public", "192.168.0.0/24", Target::Local);
    more_specific(w, "rtb-own", "192.168.0.0/24", Target::Local);
}

fn more_specific(w: &mut World, id: &str, destination: &str, target: Target) {
    let p = if w.near.route_tables.contains_key(id) { &mut w.near } else { w.far_mut() };
    route(p, id, destination, target);
}

fn deny(w: &mut World, subnet: &str, direction: Direction, number: u16, ports: (i32, i32), cidr: &str) {
    let id = format!("acl-{subnet}");
    let p = if w.near.acls.contains_key(id.as_str()) { &mut w.near } else { w.far_mut() };
    let acl = Arc::make_mut(p.acls.get_mut(id.as_str()).unwrap());
    let ports = Some(Ports { from: ports.0, to: ports.1 });
    acl.entries.push(AclEntry { direction, number, protocol: Protocol::Tcp, ports, cidr: net(cidr), allow: false });
    acl.entries.sort();
}

fn close(w: &mut World, subnet: &str, direction: Direction) {
    let id = format!("acl-{subnet}");
    let p = if w.near.acls.contains_key(id.as_str()) { &mut w.near } else { w.far_mut() };
    Arc::make_mut(p.acls.get_mut(id.as_str()).unwrap()).entries.retain(|e| e.direction != direction);
}

fn peering(w: &mut World) -> &mut PeeringConnection {
    Arc::make_mut(w.near.peerings.get_mut("pcx-1").unwrap())
}

fn gateway(w: &mut World) -> &mut NatGateway {
    Arc::make_mut(w.near.nat_gateways.get_mut("nat-1").unwrap())
}

fn vpc<'w>(w: &'w mut World, id: &str) -> &'w mut Vpc {
    let p = if w.near.vpcs.contains_key(id) { &mut w.near } else { w.far_mut() };
    Arc::make_mut(p.vpcs.get_mut(id).unwrap())
}

fn dns<'w>(w: &'w mut World, id: &str) -> &'w mut VpcDns {
    let p = if w.near.vpc_dns.contains_key(id) { &mut w.near } else { w.far_mut() };
    Arc::make_mut(p.vpc_dns.get_mut(id).unwrap())
}

fn subnet<'w>(w: &'w mut World, id: &str) -> &'w mut Subnet {
    Arc::make_mut(w.near.subnets.get_mut(id).unwrap())
}

fn host(w: &mut World) -> &mut NetworkInterface {
    Arc::make_mut(w.near.interfaces.get_mut("eni-host").unwrap())
}

type Break = fn(&mut World);

/// What it is called, the open world, how it is broken, and the finding that must come of it: code and resource.
type Fault = (&'static str, fn() -> World, Break, Code, &'static str);

/// Every single fault.
const FAULTS: &[Fault] = {
    use Direction::{In, Out};
    &[
        // All in one VPC
        ("no egress", same_vpc, |w| drop_rules(w, SOURCE_GROUP), Code::EgressMissing, SOURCE_GROUP),
        ("no ingress", same_vpc, |w| drop_rules(w, TARGET_GROUP), Code::IngressMissing, TARGET_GROUP),
        ("wrong port", same_vpc, |w| w.targets[0].port = 5433, Code::EgressMissing, SOURCE_GROUP),
        (
            "ingress for a deleted group",
            same_vpc,
            |w| {
                drop_rules(w, TARGET_GROUP);
                rule(&mut w.near, TARGET_GROUP, RuleShape::tcp(In, 5432, Peer::SecurityGroup("sg-gone".into())));
            },
            Code::ReferenceStale,
            TARGET_GROUP,
        ),
        ("ACL out", same_vpc, |w| close(w, "subnet-0", Out), Code::AclDeniesOut, "acl-subnet-0"),
        ("ACL in", same_vpc, |w| close(w, "subnet-2", In), Code::AclDeniesIn, "acl-subnet-2"),
        ("ACL out, answers", same_vpc, |w| close(w, "subnet-2", Out), Code::AclDeniesReplyOut, "acl-subnet-2"),
        ("ACL in, answers", same_vpc, |w| close(w, "subnet-0", In), Code::AclDeniesReplyIn, "acl-subnet-0"),
        (
            "a deny of some ephemeral ports",
            same_vpc,
            |w| deny(w, "subnet-0", In, 10, (50_000, 50_100), "0.0.0.0/0"),
            Code::AclDeniesReplyIn,
            "acl-subnet-0",
        ),
        (
            "a deny of one address",
            same_vpc,
            |w| deny(w, "subnet-2", In, 99, (5432, 5432), "10.0.0.1/32"),
            Code::AclDeniesIn,
            "acl-subnet-2",
        ),
        (
            "a deny with number 1",
            same_vpc,
            |w| deny(w, "subnet-0", Out, 1, (5432, 5432), "10.0.0.4/31"),
            Code::AclDeniesOut,
            "acl-subnet-0",
        ),
        (
            "a blackhole more specific than local",
            same_vpc,
            |w| {
                more_specific(w, "rtb-own", "10.0.0.4/31", Target::NetworkInterface(Some("eni-gone".into())));
                blackhole(w, "rtb-own", "10.0.0.4/31");
            },
            Code::RouteBlackhole,
            "rtb-own",
        ),
        (
            "local led elsewhere",
            same_vpc,
            |w| more_specific(w, "rtb-own", "10.0.0.4/31", Target::VpnGateway("vgw-1".into())),
            Code::RouteElsewhere,
            "rtb-own",
        ),
        (
            "local led elsewhere on the way back",
            same_vpc,
            |w| more_specific(w, "rtb-public", "10.0.0.0/31", Target::VpnGateway("vgw-1".into())),
            Code::ReturnRouteElsewhere,
            "rtb-public",
        ),
        ("resolver off", same_vpc, |w| dns(w, NEAR).support = false, Code::DnsSupportOff, NEAR),
        (
            "RDS name, host names off",
            same_vpc,
            |w| {
                w.targets[0].aws_name = true;
                w.targets[0].publicly_accessible = Some(true);
                dns(w, NEAR).hostnames = false;
            },
            Code::DnsHostnamesOff,
            NEAR,
        ),
        (
            "address in no subnet",
            same_vpc,
            |w| w.targets[0].addresses = vec![net("10.0.0.200/32")],
            Code::AddressInNoSubnet,
            "db.example.com",
        ),
        ("address elsewhere", same_vpc, |w| w.targets[0].addresses = vec![net("10.9.0.1/32")], Code::AddressOutsideVpc, "db.example.com"),
        ("a subnet that is gone", same_vpc, |w| w.source.subnets.push("subnet-gone".into()), Code::SubnetNotFound, "subnet-gone"),
        (
            "placement in one zone",
            same_vpc,
            |w| {
                w.source.kind = SourceKind::Placement;
                w.source.subnets = vec!["subnet-0".into(), "subnet-2".into()];
            },
            Code::SubnetGroupOneZone,
            "orders-ri",
        ),
        ("192.168.0.0/24", same_vpc, |w| in_reserved_range(w, "subnet-0", "192.168.0.0/31"), Code::ReservedSourceRange, "subnet-0"),
        (
            "a database in 192.168.0.0/24",
            same_vpc,
            |w| in_reserved_range(w, "subnet-2", "192.168.0.2/31"),
            Code::ReservedSourceRange,
            "db.example.com",
        ),
        ("IPv6 alone", same_vpc, |w| w.targets[0].addresses = vec![net("2600:1::5/128")], Code::FamilyMismatch, "db.example.com"),
        // Two VPCs
        ("no egress", peered, |w| drop_rules(w, SOURCE_GROUP), Code::EgressMissing, SOURCE_GROUP),
        ("no ingress", peered, |w| drop_rules(w, TARGET_GROUP), Code::IngressMissing, TARGET_GROUP),
        (
            "a reference to another Region",
            abroad,
            |w| {
                drop_rules(w, TARGET_GROUP);
                let far = w.far_mut();
                rule(far, TARGET_GROUP, RuleShape::tcp(In, 5432, Peer::SecurityGroup(SOURCE_GROUP.into())));
            },
            Code::ReferenceNotApplicable,
            TARGET_GROUP,
        ),
        ("no route", peered, |w| unroute(w, "rtb-own", "10.1.0.0/24"), Code::RouteMissing, "rtb-own"),
        ("no route back", peered, |w| unroute(w, "rtb-far", "10.0.0.0/24"), Code::ReturnRouteMissing, "rtb-far"),
        ("no route back in the other Region", abroad, |w| unroute(w, "rtb-far", "10.0.0.0/24"), Code::ReturnRouteMissing, "rtb-far"),
        ("blackhole", peered, |w| blackhole(w, "rtb-own", "10.1.0.0/24"), Code::RouteBlackhole, "rtb-own"),
        ("blackhole on the way back", peered, |w| blackhole(w, "rtb-far", "10.0.0.0/24"), Code::ReturnRouteBlackhole, "rtb-far"),
        (
            "a more specific route",
            peered,
            |w| more_specific(w, "rtb-own", "10.1.0.0/31", Target::TransitGateway("tgw-1".into())),
            Code::RouteElsewhere,
            "rtb-own",
        ),
        (
            "a more specific route back",
            peered,
            |w| more_specific(w, "rtb-far", "10.0.0.2/31", Target::TransitGateway("tgw-1".into())),
            Code::ReturnRouteElsewhere,
            "rtb-far",
        ),
        ("subnet on another table", peered, |w| drop(table(w, "rtb-own").subnets.pop()), Code::RouteMissing, "rtb-main"),
        ("pending", peered, |w| peering(w).status = "pending-acceptance".into(), Code::PeeringNotActive, "pcx-1"),
        ("expired", peered, |w| peering(w).status = "expired".into(), Code::PeeringNotActive, "pcx-1"),
        ("gone", peered, |w| w.near.peerings.clear(), Code::PeeringNotFound, "pcx-1"),
        (
            "of other VPCs",
            peered,
            |w| {
                let p = peering(w);
                let other = if p.requester.vpc == FAR.into() { &mut p.requester } else { &mut p.accepter };
                other.vpc = "vpc-third".into();
            },
            Code::PeeringOfOtherVpcs,
            "pcx-1",
        ),
        (
            "overlapping CIDRs",
            peered,
            |w| {
                let p = peering(w);
                let other = if p.requester.vpc == FAR.into() { &mut p.requester } else { &mut p.accepter };
                other.cidrs.push(net("10.0.0.128/25"));
            },
            Code::PeeringCidrsOverlap,
            "pcx-1",
        ),
        (
            "behind the peer",
            peered,
            |w| {
                let p = peering(w);
                let other = if p.requester.vpc == FAR.into() { &mut p.requester } else { &mut p.accepter };
                other.cidrs = vec![net("10.1.0.0/31"), net("2600:2::/64")];
            },
            Code::PeeringOutsideCidrs,
            "pcx-1",
        ),
        (
            "DNS resolution off",
            peered,
            |w| {
                let p = peering(w);
                let other = if p.requester.vpc == FAR.into() { &mut p.requester } else { &mut p.accepter };
                other.dns_resolution = Some(false);
            },
            Code::PeeringDnsResolutionOff,
            "pcx-1",
        ),
        ("far resolver off", peered, |w| dns(w, FAR).support = false, Code::DnsSupportOff, FAR),
        ("far ACL in", peered, |w| close(w, "subnet-9", In), Code::AclDeniesIn, "acl-subnet-9"),
        ("far ACL out", peered, |w| close(w, "subnet-9", Out), Code::AclDeniesReplyOut, "acl-subnet-9"),
        ("ACL out", abroad, |w| close(w, "subnet-1", Out), Code::AclDeniesOut, "acl-subnet-1"),
        ("ACL in", abroad, |w| close(w, "subnet-1", In), Code::AclDeniesReplyIn, "acl-subnet-1"),
        (
            "the address is here",
            peered,
            |w| w.targets[0].addresses = vec![net("10.0.0.4/32")],
            Code::AddressInsideVpc,
            "orders.abc.eu-central-1.rds.amazonaws.com",
        ),
        ("a subnet of the other VPC", peered, |w| w.source.subnets.push("subnet-9".into()), Code::SubnetInOtherVpc, "subnet-9"),
        // Direct Connect or VPN
        ("no egress", vpn, |w| drop_rules(w, SOURCE_GROUP), Code::EgressMissing, SOURCE_GROUP),
        ("no route", vpn, |w| unroute(w, "rtb-own", "172.16.0.0/12"), Code::RouteMissing, "rtb-own"),
        ("blackhole", vpn, |w| blackhole(w, "rtb-own", "172.16.0.0/12"), Code::RouteBlackhole, "rtb-own"),
        (
            "route to an internet gateway",
            vpn,
            |w| more_specific(w, "rtb-own", "172.16.0.0/16", Target::InternetGateway("igw-1".into())),
            Code::RouteElsewhere,
            "rtb-own",
        ),
        ("ACL out", vpn, |w| close(w, "subnet-0", Out), Code::AclDeniesOut, "acl-subnet-0"),
        ("ACL in", vpn, |w| close(w, "subnet-0", In), Code::AclDeniesReplyIn, "acl-subnet-0"),
        ("no attachment", transit, |w| w.near.transit_gateway_attachments.clear(), Code::TransitGatewayNotAttached, "tgw-1"),
        (
            "zone without attachment",
            transit,
            |w| {
                Arc::make_mut(w.near.transit_gateway_attachments.get_mut("tgw-attach-1").unwrap()).subnets.pop();
            },
            Code::TransitGatewayZoneMissing,
            "tgw-attach-1",
        ),
        ("check of source and destination", bridged, |w| host(w).source_dest_check = true, Code::SourceDestCheckOn, "eni-host"),
        ("host stopped", bridged, |w| host(w).status = "available".into(), Code::InterfaceNotInUse, "eni-host"),
        ("host gone", bridged, |w| w.near.interfaces.clear(), Code::InterfaceNotFound, "eni-host"),
        (
            "host admits nobody",
            bridged,
            |w| {
                let rules: Vec<_> = w.near.rules[HOST_GROUP].iter().filter(|r| r.shape.direction == Out).cloned().collect();
                w.near.rules.insert(HOST_GROUP.into(), rules.into());
            },
            Code::IngressMissing,
            HOST_GROUP,
        ),
        (
            "host lets nothing out",
            bridged,
            |w| {
                let rules: Vec<_> = w.near.rules[HOST_GROUP].iter().filter(|r| r.shape.direction == In).cloned().collect();
                w.near.rules.insert(HOST_GROUP.into(), rules.into());
            },
            Code::EgressMissing,
            HOST_GROUP,
        ),
        ("host's ACL in", bridged, |w| deny(w, "subnet-2", In, 1, (5432, 5432), "10.0.0.0/24"), Code::AclDeniesIn, "acl-subnet-2"),
        (
            "host's ACL in, answers",
            bridged,
            |w| deny(w, "subnet-2", In, 1, (32_768, 65_535), "172.16.0.0/12"),
            Code::AclDeniesReplyIn,
            "acl-subnet-2",
        ),
        ("host's ACL out", bridged, |w| deny(w, "subnet-2", Out, 5, (5432, 5432), "172.16.0.0/12"), Code::AclDeniesOut, "acl-subnet-2"),
        (
            "host's ACL out, answers",
            bridged,
            |w| deny(w, "subnet-2", Out, 5, (40_000, 40_000), "10.0.0.0/8"),
            Code::AclDeniesReplyOut,
            "acl-subnet-2",
        ),
        ("host has no way on", bridged, |w| unroute(w, "rtb-public", "172.16.0.0/12"), Code::RouteMissing, "rtb-public"),
        // Internet gateway
        ("private instance", internet, |w| w.source.publicly_accessible = Some(false), Code::NotPubliclyAccessible, "orders-ri"),
        ("gateway detached", internet, |w| drop(w.near.internet_gateways.remove(NEAR)), Code::InternetGatewayMissing, NEAR),
        (
            "default route to a NAT gateway",
            internet,
            |w| {
                table(w, "rtb-own")
                    .routes
                    .iter_mut()
                    .filter(|r| r.target != Target::Local)
                    .for_each(|r| r.target = Target::NatGateway("nat-7".into()))
            },
            Code::RouteElsewhere,
            "rtb-own",
        ),
        ("no default route", internet, |w| unroute(w, "rtb-own", "0.0.0.0/0"), Code::RouteMissing, "rtb-own"),
        (
            "Block Public Access",
            internet,
            |w| subnet(w, "subnet-1").block_public_access = BlockPublicAccess::Ingress,
            Code::BlockPublicAccess,
            "subnet-1",
        ),
        ("private database", internet, |w| w.targets[0].publicly_accessible = Some(false), Code::DatabaseNotPublic, "db.example.com"),
        ("far gateway detached", internet, |w| drop(w.near.internet_gateways.remove(FAR)), Code::InternetGatewayMissing, FAR),
        ("no default route at the far side", internet, |w| unroute(w, "rtb-far", "0.0.0.0/0"), Code::ReturnRouteMissing, "rtb-far"),
        (
            "admitted by group",
            internet,
            |w| {
                drop_rules(w, TARGET_GROUP);
                rule(&mut w.near, TARGET_GROUP, RuleShape::tcp(In, 5432, Peer::SecurityGroup(SOURCE_GROUP.into())));
            },
            Code::ReferenceNotApplicable,
            TARGET_GROUP,
        ),
        (
            "admitted by private address",
            internet,
            |w| {
                drop_rules(w, TARGET_GROUP);
                rule(&mut w.near, TARGET_GROUP, RuleShape::tcp(In, 5432, Peer::Cidr(net("10.0.0.0/24"))));
            },
            Code::IngressMissing,
            TARGET_GROUP,
        ),
        (
            "a private address",
            internet,
            |w| {
                w.targets[0].addresses = vec![net("10.7.0.1/32")];
                rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Out, 5432, Peer::Cidr(net("10.7.0.1/32"))));
            },
            Code::PrivateAddressOverInternet,
            "db.example.com",
        ),
        // NAT gateway
        (
            "IPv6",
            nat,
            |w| {
                w.targets[0].addresses = vec![net("2600:9::1/128")];
                w.source.dual_stack = true;
                more_specific(w, "rtb-own", "2600:9::/32", Target::NatGateway("nat-1".into()));
                rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Out, 5432, Peer::Cidr(net("2600:9::/32"))));
            },
            Code::NatGatewayIpv4Only,
            "nat-1",
        ),
        ("failed", nat, |w| gateway(w).state = "failed".into(), Code::NatGatewayNotAvailable, "nat-1"),
        ("gone", nat, |w| w.near.nat_gateways.clear(), Code::NatGatewayNotFound, "nat-1"),
        ("private", nat, |w| gateway(w).public = false, Code::NatGatewayNotPublic, "nat-1"),
        ("without address", nat, |w| gateway(w).addresses.clear(), Code::NatGatewayWithoutAddress, "nat-1"),
        (
            "address changed",
            nat,
            |w| gateway(w).addresses[1].public_ip = Some("198.51.100.9".parse().unwrap()),
            Code::IngressMissing,
            TARGET_GROUP,
        ),
        ("no default route", nat, |w| unroute(w, "rtb-own", "0.0.0.0/0"), Code::RouteMissing, "rtb-own"),
        ("blackhole", nat, |w| blackhole(w, "rtb-own", "0.0.0.0/0"), Code::RouteBlackhole, "rtb-own"),
        ("its subnet has no way out", nat, |w| unroute(w, "rtb-public", "0.0.0.0/0"), Code::RouteMissing, "rtb-public"),
        (
            "in its own table",
            nat,
            |w| {
                drop(table(w, "rtb-public").subnets.pop());
                unroute(w, "rtb-public", "0.0.0.0/0");
                more_specific(w, "rtb-main", "0.0.0.0/0", Target::NatGateway("nat-1".into()));
            },
            Code::RouteElsewhere,
            "rtb-main",
        ),
        ("gateway detached", nat, |w| drop(w.near.internet_gateways.remove(NEAR)), Code::InternetGatewayMissing, NEAR),
        (
            "Block Public Access",
            nat,
            |w| subnet(w, "subnet-2").block_public_access = BlockPublicAccess::Bidirectional,
            Code::BlockPublicAccess,
            "subnet-2",
        ),
        ("its ACL in", nat, |w| deny(w, "subnet-2", In, 7, (5432, 5432), "10.0.0.0/24"), Code::AclDeniesIn, "acl-subnet-2"),
        (
            "its ACL in, answers",
            nat,
            |w| deny(w, "subnet-2", In, 7, (32_768, 65_535), "203.0.113.0/24"),
            Code::AclDeniesReplyIn,
            "acl-subnet-2",
        ),
        ("its ACL out", nat, |w| deny(w, "subnet-2", Out, 7, (5432, 5432), "203.0.113.0/24"), Code::AclDeniesOut, "acl-subnet-2"),
        (
            "its ACL out, answers",
            nat,
            |w| deny(w, "subnet-2", Out, 7, (32_768, 65_535), "10.0.0.0/24"),
            Code::AclDeniesReplyOut,
            "acl-subnet-2",
        ),
    ]
};

#[test]
fn each_fault_is_named_and_its_fix_opens_the_path() {
    assert!(FAULTS.len() >= 60, "{}", FAULTS.len());
    for (what, start, fault, code, resource) in FAULTS {
        let mut w = start();
        let before = explain(&w.query());
        assert_ne!(before.verdict, State::Blocked, "{what}: {:#?}", before.findings);
        fault(&mut w);
        let report = explain(&w.query());
        assert_eq!(report.verdict, State::Blocked, "{what}");
        let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.resource.as_str())).collect();
        assert_eq!(found.first(), Some(&(*code, *resource)), "{what}: {found:?}");
        let marked = report.walks.iter().flat_map(|w| w.out.iter().chain(&w.back)).filter(|h| h.state == State::Blocked);
        let codes: Vec<_> = marked.map(|h| h.code.unwrap()).collect();
        assert!(report.walks.is_empty() || codes.contains(code) || code_of_all(*code), "{what}: the hop is marked {codes:?}");
        let mut fixed = report.clone();
        for _ in 0..4 {
            for remedy in fixed.findings.iter().flat_map(|f| &f.remedies) {
                apply(&mut w, remedy);
            }
            fixed = explain(&w.query());
        }
        if report.findings.iter().any(|f| f.remedies.is_empty()) {
            let f = report.findings.iter().find(|f| f.remedies.is_empty()).unwrap();
            assert!(f.fix.len() > 30, "{what}: says what takes its place: {f:?}");
        } else {
            assert_eq!(fixed.verdict, before.verdict, "{what}: {:#?}", fixed.findings);
        }
    }
}

/// AWS lets a virtual private gateway propagate table by table: the line that does so is printed where one is known.
#[test]
fn routes_of_a_vpn_gateway_come_by_propagation() {
    let learned = |w: &mut World| {
        for id in ["rtb-main", "rtb-own", "rtb-public"] {
            table(w, id).routes.retain(|r| !matches!(r.target, Target::VpnGateway(_)));
        }
    };
    let propagated = |w: &mut World, destination: &str| {
        more_specific(w, "rtb-main", destination, Target::VpnGateway("vgw-1".into()));
        table(w, "rtb-main").routes.last_mut().unwrap().origin = RouteOrigin::Propagated;
        table(w, "rtb-main").propagating.push("vgw-1".into());
    };
    let first = |w: &World| explain(&w.query()).findings.first().cloned().unwrap();

    let mut w = vpn();
    learned(&mut w);
    assert!(first(&w).fix.contains("attach the virtual private gateway") && first(&w).cli.is_empty(), "{:?}", first(&w));
    propagated(&mut w, "172.16.0.0/12");
    let found = first(&w);
    assert_eq!((found.code, found.resource.as_str()), (Code::RouteMissing, "rtb-own"));
    assert_eq!(found.fix, "let vgw-1 propagate its routes to rtb-own");
    let line =
        format!("aws ec2 enable-vgw-route-propagation --route-table-id rtb-own --gateway-id vgw-1 --region {}", w.query().near.region);
    assert_eq!(found.cli, [line]);
    for remedy in &found.remedies {
        apply(&mut w, remedy);
    }
    assert_ne!(explain(&w.query()).verdict, State::Blocked);

    // It propagates here, and brings no such route: nothing in AWS mends that.
    let mut w = vpn();
    learned(&mut w);
    propagated(&mut w, "172.31.0.0/16");
    let found = first(&w);
    assert!(found.fix.starts_with("vgw-1 propagates routes, but none to ") && found.fix.contains("(BGP)"), "{found:?}");
    assert_eq!(found.cli, Vec::<String>::new());
}

/// What the matrix on real parts leaves to this one.
#[test]
fn what_is_broken_in_memory_only_is_broken_here() {
    for (code, _) in in_memory::ONLY {
        assert!(FAULTS.iter().any(|(.., found, _)| found == code), "{code} is in neither matrix");
    }
}

/// Findings about the replication as a whole, at no hop of a single packet.
fn code_of_all(code: Code) -> bool {
    matches!(code, Code::SubnetGroupOneZone | Code::SubnetNotFound | Code::SubnetInOtherVpc | Code::FamilyMismatch)
}

/// One fault has one finding, unless one thing broken is several things to see.
#[test]
fn a_single_fault_has_a_single_finding() {
    let several = ["gone", "IPv6", "wrong port", "gateway detached", "far gateway detached", "address elsewhere"];
    for (what, start, fault, ..) in FAULTS.iter().filter(|(what, ..)| !several.contains(what)) {
        let mut w = start();
        fault(&mut w);
        let report = explain(&w.query());
        let found: Vec<_> = report.findings.iter().map(|f| (f.code, f.resource.as_str())).collect();
        assert_eq!(found.len(), 1, "{what}: {found:?}");
    }
}
