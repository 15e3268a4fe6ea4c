//! Through gateways, to what AWS does not show.

use dmsnet::reach::Code;

use super::*;

pub const ON_PREMISES: &[Case] = {
    use Code::*;
    use Kind::{NatHost, Vpn};
    fn to(t: &Net) -> String {
        at(t, "/cidrs/0").to_owned()
    }
    fn vgw(t: &Net) -> String {
        at(t, "/vpnGatewayId").to_owned()
    }
    fn bridge(t: &Net) -> String {
        at(t, "/natHost/securityGroupId").to_owned()
    }
    fn bridge_table(t: &Net) -> String {
        at(t, "/natHost/routeTableId").to_owned()
    }
    &[
        case("no egress", Vpn, no_egress, EgressMissing, replication).ours(),
        case("route withdrawn", Vpn, |t| vec![Withdraw { table: table(t), gateway: vgw(t) }], RouteMissing, table)
            .otherwise("propagate", |t| vec![Propagate { table: table(t), gateway: vgw(t), cidr: to(t) }]),
        case("propagation off", Vpn, |t| vec![StopPropagation { table: table(t), gateway: vgw(t), vpc: vpc(t) }], RouteMissing, table),
        case("VPN gateway detached", Vpn, |t| vec![DetachVpnGateway { gateway: vgw(t), vpc: vpc(t) }], RouteMissing, table)
            .otherwise("virtual private gateway", |t| vec![AttachVpnGateway { gateway: vgw(t), vpc: vpc(t) }]),
        case(
            "a more specific route",
            Vpn,
            |t| vec![RouteToInterface { table: table(t), to: "172.20.0.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
            RouteBlackhole,
            table,
        ),
        case("ACL out", Vpn, out_denied, AclDeniesOut, acl),
        case("ACL in, answers", Vpn, answer_in_denied, AclDeniesReplyIn, acl),
        case("no egress", NatHost, no_egress, EgressMissing, replication).ours(),
        case(
            "host admits nobody",
            NatHost,
            |t| vec![Revoke { group: bridge(t), egress: false, port: PORT, far: false }],
            IngressMissing,
            bridge,
        )
        .ours(),
        case(
            "host lets nothing out",
            NatHost,
            |t| vec![Revoke { group: bridge(t), egress: true, port: PORT, far: false }],
            EgressMissing,
            bridge,
        )
        .ours(),
        case(
            "host checks source and destination",
            NatHost,
            |t| vec![SourceDestCheck { interface: far(t, "/natHost/networkInterfaceId") }],
            SourceDestCheckOn,
            |t| far(t, "/natHost/networkInterfaceId"),
        ),
        case("no route to the host", NatHost, |t| vec![DeleteRoute { table: table(t), to: to(t), far: false }], RouteMissing, table).ours(),
        case(
            "no route on from the host",
            NatHost,
            |t| vec![Withdraw { table: bridge_table(t), gateway: vgw(t) }],
            RouteMissing,
            bridge_table,
        )
        .otherwise("gateway", |t| vec![Propagate { table: bridge_table(t), gateway: vgw(t), cidr: to(t) }]),
        case("ACL out", NatHost, out_denied, AclDeniesOut, acl),
        case("ACL in", NatHost, in_denied, AclDeniesIn, acl),
        case("ACL in, answers", NatHost, answer_in_denied, AclDeniesReplyIn, acl),
        case("ACL out, answers", NatHost, answer_out_denied, AclDeniesReplyOut, acl),
    ]
};

fn any() -> String {
    "0.0.0.0/0".into()
}

pub const INTERNET: &[Case] = {
    use Code::*;
    use Kind::Internet;
    &[
        case("no egress", Internet, no_egress, EgressMissing, replication).ours(),
        case("no default route", Internet, |t| vec![DeleteRoute { table: table(t), to: any(), far: false }], RouteMissing, table).ours(),
        case(
            "gateway detached",
            Internet,
            |t| vec![DetachInternetGateway { gateway: far(t, "/internetGatewayId"), vpc: vpc(t) }],
            RouteBlackhole,
            table,
        )
        .also(&[InternetGatewayMissing]),
        case(
            "a more specific route",
            Internet,
            |t| vec![RouteToInterface { table: table(t), to: "203.0.113.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
            RouteBlackhole,
            table,
        ),
        case(
            "a subnet on another table",
            Internet,
            |t| vec![Associate { subnet: t.subnet_ids[1].clone(), table: database_table(t) }],
            RouteMissing,
            database_table,
        )
        .ours(),
        case("ACL out", Internet, out_denied, AclDeniesOut, acl),
        case("ACL in, answers", Internet, answer_in_denied, AclDeniesReplyIn, acl),
        case("nothing goes out", Internet, |t| vec![DeleteEntry { acl: acl(t), egress: true, number: 100 }], AclDeniesOut, acl).ours(),
    ]
};

pub const NAT_GATEWAY: &[Case] = {
    use Code::*;
    use Kind::{NamedNatGateway, NatGateway};
    fn gateway(t: &Net) -> String {
        at(t, "/natGatewayIds/0").to_owned()
    }
    fn anew(t: &Net) -> Vec<Deed> {
        vec![NewNatGateway { subnet: far(t, "/publicSubnetIds/0"), table: table(t) }]
    }
    fn public(t: &Net) -> String {
        at(t, "/publicRouteTableId").to_owned()
    }
    &[
        case("no egress", NatGateway, no_egress, EgressMissing, replication).ours(),
        case("the far end admits nobody", NatGateway, no_ingress, IngressMissing, database).ours(),
        case("failed", NatGateway, |t| vec![NatGatewayFails { gateway: gateway(t) }], RouteBlackhole, table)
            .otherwise("create a public NAT gateway", anew),
        case("deleted", NatGateway, |t| vec![DeleteNatGateway { gateway: gateway(t) }], RouteBlackhole, table)
            .otherwise("create a public NAT gateway", anew),
        case(
            "address changed",
            NatGateway,
            |t| vec![NatGatewayAddress { gateway: gateway(t), address: far(t, "/publicIps/1") }],
            IngressMissing,
            database,
        )
        .ours(),
        case("no default route", NatGateway, |t| vec![DeleteRoute { table: table(t), to: any(), far: false }], RouteMissing, table),
        // Which gateway is meant is then known from the spec alone.
        case("no default route", NamedNatGateway, |t| vec![DeleteRoute { table: table(t), to: any(), far: false }], RouteMissing, table)
            .ours(),
        case(
            "default route to the internet gateway",
            NatGateway,
            |t| vec![ReplaceRoute { table: table(t), to: any(), internet_gateway: far(t, "/internetGatewayId") }],
            RouteElsewhere,
            table,
        ),
        case(
            "its subnet has no way out",
            NatGateway,
            |t| vec![DeleteRoute { table: public(t), to: any(), far: false }],
            RouteMissing,
            public,
        ),
        case(
            "internet gateway detached",
            NatGateway,
            |t| vec![DetachInternetGateway { gateway: far(t, "/internetGatewayId"), vpc: vpc(t) }],
            RouteBlackhole,
            public,
        )
        .also(&[InternetGatewayMissing]),
        case("ACL out", NatGateway, out_denied, AclDeniesOut, acl),
        case("ACL in", NatGateway, in_denied, AclDeniesIn, acl),
        case("ACL in, answers", NatGateway, answer_in_denied, AclDeniesReplyIn, acl),
        case("ACL out, answers", NatGateway, answer_out_denied, AclDeniesReplyOut, acl),
    ]
};

/// The mode of a whole account: once for all cases.
pub const BLOCK_PUBLIC_ACCESS: &[Case] = {
    use Code::BlockPublicAccess as Code;
    &[
        case("Block Public Access", Kind::Internet, |_| vec![BlockPublicAccess { on: true }], Code, |t| t.subnet_ids[0].clone())
            .also(&[Code]),
        case("Block Public Access", Kind::NatGateway, |_| vec![], Code, |t| far(t, "/publicSubnetIds/0")),
    ]
};
