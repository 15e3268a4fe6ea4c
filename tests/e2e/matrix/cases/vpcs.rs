//! Within a VPC, and between two.

use dmsnet::reach::Code;

use super::*;

pub const SAME_VPC: &[Case] = {
    use Code::*;
    use Kind::{SameVpc, SameVpcRds};
    &[
        case("no egress", SameVpc, no_egress, EgressMissing, replication).ours(),
        case("no ingress", SameVpc, no_ingress, IngressMissing, database).ours(),
        case("another port", SameVpc, |t| serves(t, None, Some(5433)), EgressMissing, replication).ours().also(&[IngressMissing]),
        case(
            "ingress from other addresses alone",
            SameVpc,
            |t| vec![no_ingress(t).remove(0), Admit { group: database(t), from: "10.0.99.0/24".into() }],
            IngressMissing,
            database,
        )
        .ours(),
        case(
            "ingress from another group alone",
            SameVpc,
            |t| vec![no_ingress(t).remove(0), Admit { group: database(t), from: t.security_group_ids.target.clone() }],
            IngressMissing,
            database,
        )
        .ours(),
        case("ACL out", SameVpc, out_denied, AclDeniesOut, acl),
        case("ACL in", SameVpc, in_denied, AclDeniesIn, acl),
        case("ACL out, answers", SameVpc, answer_out_denied, AclDeniesReplyOut, acl),
        case("ACL in, answers", SameVpc, answer_in_denied, AclDeniesReplyIn, acl),
        case("a deny of some ephemeral ports", SameVpc, |t| deny(acl(t), false, (50_000, 50_100)), AclDeniesReplyIn, acl),
        case(
            "a deny of one database subnet",
            SameVpc,
            |t| vec![Deny { acl: acl(t), egress: true, number: 99, ports: DATABASE, cidr: "10.0.3.0/24".into() }],
            AclDeniesOut,
            acl,
        ),
        case(
            "a deny with number 1",
            SameVpc,
            |t| vec![Deny { acl: acl(t), egress: false, number: 1, ports: DATABASE, cidr: "10.0.1.0/24".into() }],
            AclDeniesIn,
            acl,
        ),
        case("nothing goes out", SameVpc, |t| vec![DeleteEntry { acl: acl(t), egress: true, number: 100 }], AclDeniesOut, acl)
            .ours()
            .also(&[AclDeniesReplyOut]),
        case("nothing comes in", SameVpc, |t| vec![DeleteEntry { acl: acl(t), egress: false, number: 100 }], AclDeniesIn, acl)
            .ours()
            .also(&[AclDeniesReplyIn]),
        case(
            "local led elsewhere",
            SameVpc,
            |t| vec![RouteToInterface { table: table(t), to: "10.0.3.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: false }],
            RouteBlackhole,
            table,
        ),
        case(
            "a blackhole more specific than local",
            SameVpc,
            |t| vec![RouteToInterface { table: table(t), to: "10.0.3.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
            RouteBlackhole,
            table,
        ),
        case(
            "local led elsewhere on the way back",
            SameVpc,
            |t| {
                vec![RouteToInterface {
                    table: database_table(t),
                    to: "10.0.1.0/24".into(),
                    subnet: t.subnet_ids[0].clone(),
                    blackhole: true,
                }]
            },
            ReturnRouteBlackhole,
            database_table,
        ),
        case("resolver off", SameVpcRds, |t| vec![Dns { vpc: vpc(t), support: false, hostnames: false }], DnsSupportOff, vpc),
        case("address in no subnet", SameVpc, |t| serves(t, Some("10.0.200.9"), None), AddressInNoSubnet, |_| "10.0.200.9".into())
            .otherwise("address", serves_as_before),
        case("address elsewhere", SameVpc, |t| serves(t, Some("10.77.0.1"), None), AddressOutsideVpc, |_| "10.77.0.1".into())
            .otherwise("path", serves_as_before),
        case("IPv6 alone", SameVpc, |t| serves(t, Some("2600:1::5"), None), FamilyMismatch, |_| "2600:1::5".into())
            .otherwise("IP", serves_as_before),
    ]
};

pub const PEERED_VPC: &[Case] = {
    use Code::*;
    use Kind::{PeeredRds, PeeredRegion, PeeredVpc};
    fn pcx(t: &Net) -> String {
        at(t, "/peeringConnectionId").to_owned()
    }
    /// Packets meet the route first, which is a blackhole as long as the peering is not active.
    const fn peering(what: &'static str, deeds: fn(&Net) -> Vec<Deed>) -> Case {
        case(what, PeeredVpc, deeds, RouteBlackhole, table).also(&[PeeringNotActive, ReturnRouteBlackhole])
    }
    fn dns(vpc: String, support: bool) -> Vec<Deed> {
        vec![Dns { vpc, support, hostnames: !support }]
    }
    &[
        case("no egress", PeeredVpc, no_egress, EgressMissing, replication).ours(),
        case(
            "no ingress",
            PeeredVpc,
            |t| vec![Revoke { group: far(t, "/securityGroupId"), egress: false, port: PORT, far: false }],
            IngressMissing,
            |t| far(t, "/securityGroupId"),
        )
        .ours(),
        case("no route", PeeredVpc, |t| vec![DeleteRoute { table: table(t), to: far(t, "/cidr"), far: false }], RouteMissing, table).ours(),
        case(
            "no route back",
            PeeredVpc,
            |t| vec![DeleteRoute { table: far(t, "/routeTableId"), to: t.cidr.clone(), far: false }],
            ReturnRouteMissing,
            |t| far(t, "/routeTableId"),
        )
        .ours(),
        case(
            "a more specific route",
            PeeredVpc,
            |t| vec![RouteToInterface { table: table(t), to: "10.9.1.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
            RouteBlackhole,
            table,
        ),
        case(
            "a more specific route back",
            PeeredVpc,
            |t| {
                let (table, subnet) = (far(t, "/routeTableId"), far(t, "/subnetIds/0"));
                vec![RouteToInterface { table, to: "10.0.1.0/24".into(), subnet, blackhole: true }]
            },
            ReturnRouteBlackhole,
            |t| far(t, "/routeTableId"),
        ),
        peering("pending", |t| vec![PeeringStatus { peering: pcx(t), status: "pending-acceptance" }]),
        peering("expired", |t| vec![PeeringStatus { peering: pcx(t), status: "expired" }])
            .otherwise("create a new peering connection", |t| vec![PeeringStatus { peering: pcx(t), status: "active" }]),
        peering("deleted", |t| vec![DeletePeering { peering: pcx(t) }]).names("create a new peering connection"),
        case(
            "ingress from a group that was deleted",
            PeeredVpc,
            |t| {
                let group = far(t, "/securityGroupId");
                vec![Revoke { group: group.clone(), egress: false, port: PORT, far: false }, AdmitDeleted { group, vpc: vpc(t) }]
            },
            ReferenceStale,
            |t| far(t, "/securityGroupId"),
        )
        .ours(),
        case("near ACL out", PeeredVpc, out_denied, AclDeniesOut, acl),
        case("near ACL in, answers", PeeredVpc, answer_in_denied, AclDeniesReplyIn, acl),
        case("far ACL in", PeeredVpc, |t| deny(far(t, "/networkAclId"), false, DATABASE), AclDeniesIn, |t| far(t, "/networkAclId")),
        case(
            "far ACL out, answers",
            PeeredVpc,
            |t| deny(far(t, "/networkAclId"), true, EPHEMERAL),
            AclDeniesReplyOut,
            |t| far(t, "/networkAclId"),
        ),
        case("the address is here", PeeredVpc, |t| serves(t, Some("10.0.3.9"), None), AddressInsideVpc, |_| "10.0.3.9".into())
            .otherwise("path.type", serves_as_before),
        case("resolver off", PeeredRds, |t| dns(vpc(t), false), DnsSupportOff, vpc),
        case("far resolver off", PeeredRds, |t| dns(far(t, "/vpcId"), false), DnsSupportOff, |t| far(t, "/vpcId")),
        case("host names off", PeeredRds, |t| dns(vpc(t), true), DnsHostnamesOff, vpc),
        case("the peering does not resolve", PeeredRds, |t| vec![PeeringDns { peering: pcx(t), on: false }], PeeringDnsResolutionOff, pcx),
        case("no egress", PeeredRegion, no_egress, EgressMissing, replication),
        case(
            "no ingress in the other Region",
            PeeredRegion,
            |t| vec![Revoke { group: far(t, "/securityGroupId"), egress: false, port: PORT, far: true }],
            IngressMissing,
            |t| far(t, "/securityGroupId"),
        )
        .ours(),
        case("no route", PeeredRegion, |t| vec![DeleteRoute { table: table(t), to: far(t, "/cidr"), far: false }], RouteMissing, table),
        case(
            "no route back in the other Region",
            PeeredRegion,
            |t| vec![DeleteRoute { table: far(t, "/routeTableId"), to: t.cidr.clone(), far: true }],
            ReturnRouteMissing,
            |t| far(t, "/routeTableId"),
        )
        .ours(),
    ]
};

pub const CLASSIC_LINK: &[Case] = {
    use Code::*;
    use Kind::ClassicLink;
    fn proxy(t: &Net) -> String {
        at(t, "/proxy/securityGroupId").to_owned()
    }
    &[
        case("no egress", ClassicLink, no_egress, EgressMissing, replication).ours(),
        case(
            "proxy admits nobody",
            ClassicLink,
            |t| vec![Revoke { group: proxy(t), egress: false, port: PORT, far: false }],
            IngressMissing,
            proxy,
        )
        .ours(),
        case("ACL out", ClassicLink, out_denied, AclDeniesOut, acl),
        case("ACL in", ClassicLink, in_denied, AclDeniesIn, acl),
        case("ACL in, answers", ClassicLink, answer_in_denied, AclDeniesReplyIn, acl),
        case("ACL out, answers", ClassicLink, answer_out_denied, AclDeniesReplyOut, acl),
        case(
            "a blackhole more specific than local",
            ClassicLink,
            |t| vec![RouteToInterface { table: table(t), to: "10.0.3.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
            RouteBlackhole,
            table,
        ),
    ]
};
