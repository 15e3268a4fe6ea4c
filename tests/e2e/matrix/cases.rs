//! Every single fault: what it is called, where, what is done, and what dmsnet must say of it.

use dmsnet::reach::Code;

use super::{
    Case,
    Mends::{Lines, Names, Otherwise},
    deed::{
        Becomes,
        Deed::{self, *},
    },
    site::{HTTPS, Kind, PORT, at},
};
use crate::harness::Topology;

type Net = Topology;

const EPHEMERAL: (i32, i32) = (32_768, 65_535);
const DATABASE: (i32, i32) = (5432, 5432);

const fn case(what: &'static str, at: Kind, deeds: fn(&Net) -> Vec<Deed>, code: Code, resource: fn(&Net) -> String) -> Case {
    Case { what, at, deeds, code, resource, also: &[], mends: Lines }
}

impl Case {
    const fn also(mut self, codes: &'static [Code]) -> Self {
        self.also = codes;
        self
    }

    const fn otherwise(mut self, words: &'static str, deeds: fn(&Net) -> Vec<Deed>) -> Self {
        self.mends = Otherwise(words, deeds);
        self
    }

    const fn names(mut self, words: &'static str) -> Self {
        self.mends = Names(words);
        self
    }
}

// What the deeds are about.

fn replication(t: &Net) -> String {
    t.security_group_ids.replication.clone()
}

fn database(t: &Net) -> String {
    t.security_group_ids.source.clone()
}

fn acl(t: &Net) -> String {
    t.network_acl_id.clone()
}

fn vpc(t: &Net) -> String {
    t.vpc_id.clone()
}

/// The replication subnets' table.
fn table(t: &Net) -> String {
    t.route_table_ids["private"].clone()
}

fn database_table(t: &Net) -> String {
    t.route_table_ids["database"].clone()
}

fn host(t: &Net) -> String {
    at(t, "/host").to_owned()
}

fn far(t: &Net, what: &str) -> String {
    at(t, what).to_owned()
}

fn no_egress(t: &Net) -> Vec<Deed> {
    vec![Revoke { group: replication(t), egress: true, port: PORT, far: false }]
}

fn no_ingress(t: &Net) -> Vec<Deed> {
    vec![Revoke { group: database(t), egress: false, port: PORT, far: false }]
}

fn deny(acl: String, egress: bool, ports: (i32, i32)) -> Vec<Deed> {
    vec![Deny { acl, egress, number: 50, ports, cidr: "0.0.0.0/0".into() }]
}

fn out_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), true, DATABASE)
}

fn in_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), false, DATABASE)
}

fn answer_out_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), true, EPHEMERAL)
}

fn answer_in_denied(t: &Net) -> Vec<Deed> {
    deny(acl(t), false, EPHEMERAL)
}

fn serves(t: &Net, host: Option<&str>, port: Option<i32>) -> Vec<Deed> {
    vec![Server { endpoint: t.endpoints.source.id.clone(), host: host.map(str::to_owned), port }]
}

fn serves_as_before(t: &Net) -> Vec<Deed> {
    serves(t, Some(&host(t)), Some(t.endpoints.source.port.into()))
}

pub const SAME_VPC: &[Case] = {
    use Code::*;
    use Kind::{SameVpc, SameVpcRds};
    &[
        case("no egress", SameVpc, no_egress, EgressMissing, replication),
        case("no ingress", SameVpc, no_ingress, IngressMissing, database),
        case("another port", SameVpc, |t| serves(t, None, Some(5433)), EgressMissing, replication).also(&[IngressMissing]),
        case(
            "ingress from other addresses alone",
            SameVpc,
            |t| vec![no_ingress(t).remove(0), Admit { group: database(t), from: "10.0.99.0/24".into() }],
            IngressMissing,
            database,
        ),
        case(
            "ingress from another group alone",
            SameVpc,
            |t| vec![no_ingress(t).remove(0), Admit { group: database(t), from: t.security_group_ids.target.clone() }],
            IngressMissing,
            database,
        ),
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
            .also(&[AclDeniesReplyOut]),
        case("nothing comes in", SameVpc, |t| vec![DeleteEntry { acl: acl(t), egress: false, number: 100 }], AclDeniesIn, acl)
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
            |t| vec![RouteToInterface { table: database_table(t), to: "10.0.1.0/24".into(), subnet: t.subnet_ids[0].clone(), blackhole: true }],
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
    const fn peering(what: &'static str, deeds: fn(&Net) -> Vec<Deed>, code: Code) -> Case {
        let also: &[Code] = match code {
            PeeringNotActive => &[PeeringNotActive, ReturnRouteBlackhole],
            _ => &[PeeringNotFound, ReturnRouteBlackhole],
        };
        case(what, PeeredVpc, deeds, RouteBlackhole, table).also(also)
    }
    fn dns(vpc: String, support: bool) -> Vec<Deed> {
        vec![Dns { vpc, support, hostnames: false }]
    }
    &[
        case("no egress", PeeredVpc, no_egress, EgressMissing, replication),
        case(
            "no ingress",
            PeeredVpc,
            |t| vec![Revoke { group: far(t, "/securityGroupId"), egress: false, port: PORT, far: false }],
            IngressMissing,
            |t| far(t, "/securityGroupId"),
        ),
        case("no route", PeeredVpc, |t| vec![DeleteRoute { table: table(t), to: far(t, "/cidr"), far: false }], RouteMissing, table),
        case(
            "no route back",
            PeeredVpc,
            |t| vec![DeleteRoute { table: far(t, "/routeTableId"), to: t.cidr.clone(), far: false }],
            ReturnRouteMissing,
            |t| far(t, "/routeTableId"),
        ),
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
        peering("pending", |t| vec![PeeringStatus { peering: pcx(t), status: "pending-acceptance" }], PeeringNotActive),
        peering("expired", |t| vec![PeeringStatus { peering: pcx(t), status: "expired" }], PeeringNotActive)
            .otherwise("create a new peering connection", |t| vec![PeeringStatus { peering: pcx(t), status: "active" }]),
        peering("deleted", |t| vec![DeletePeering { peering: pcx(t) }], PeeringNotFound).names("peering connection"),
        case(
            "ingress from a group that was deleted",
            PeeredVpc,
            |t| {
                let group = far(t, "/securityGroupId");
                vec![Revoke { group: group.clone(), egress: false, port: PORT, far: false }, AdmitDeleted { group, vpc: vpc(t) }]
            },
            ReferenceStale,
            |t| far(t, "/securityGroupId"),
        ),
        case("near ACL out", PeeredVpc, out_denied, AclDeniesOut, acl),
        case("near ACL in, answers", PeeredVpc, answer_in_denied, AclDeniesReplyIn, acl),
        case("far ACL in", PeeredVpc, |t| deny(far(t, "/networkAclId"), false, DATABASE), AclDeniesIn, |t| far(t, "/networkAclId")),
        case("far ACL out, answers", PeeredVpc, |t| deny(far(t, "/networkAclId"), true, EPHEMERAL), AclDeniesReplyOut, |t| {
            far(t, "/networkAclId")
        }),
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
        ),
        case("no route", PeeredRegion, |t| vec![DeleteRoute { table: table(t), to: far(t, "/cidr"), far: false }], RouteMissing, table),
        case(
            "no route back in the other Region",
            PeeredRegion,
            |t| vec![DeleteRoute { table: far(t, "/routeTableId"), to: t.cidr.clone(), far: true }],
            ReturnRouteMissing,
            |t| far(t, "/routeTableId"),
        ),
    ]
};

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
        case("no egress", Vpn, no_egress, EgressMissing, replication),
        case("route withdrawn", Vpn, |t| vec![Withdraw { table: table(t), gateway: vgw(t) }], RouteMissing, table)
            .otherwise("propagate", |t| vec![Propagate { table: table(t), gateway: vgw(t), cidr: to(t) }]),
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
        case("no egress", NatHost, no_egress, EgressMissing, replication),
        case("host admits nobody", NatHost, |t| vec![Revoke { group: bridge(t), egress: false, port: PORT, far: false }], IngressMissing, bridge),
        case("host lets nothing out", NatHost, |t| vec![Revoke { group: bridge(t), egress: true, port: PORT, far: false }], EgressMissing, bridge),
        case(
            "host checks source and destination",
            NatHost,
            |t| vec![SourceDestCheck { interface: far(t, "/natHost/networkInterfaceId") }],
            SourceDestCheckOn,
            |t| far(t, "/natHost/networkInterfaceId"),
        ),
        case("no route to the host", NatHost, |t| vec![DeleteRoute { table: table(t), to: to(t), far: false }], RouteMissing, table),
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
        case("no egress", Internet, no_egress, EgressMissing, replication),
        case("no default route", Internet, |t| vec![DeleteRoute { table: table(t), to: any(), far: false }], RouteMissing, table),
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
        ),
        case("ACL out", Internet, out_denied, AclDeniesOut, acl),
        case("ACL in, answers", Internet, answer_in_denied, AclDeniesReplyIn, acl),
        case("nothing goes out", Internet, |t| vec![DeleteEntry { acl: acl(t), egress: true, number: 100 }], AclDeniesOut, acl),
    ]
};

pub const NAT_GATEWAY: &[Case] = {
    use Code::*;
    use Kind::NatGateway;
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
        case("no egress", NatGateway, no_egress, EgressMissing, replication),
        case("the far end admits nobody", NatGateway, no_ingress, IngressMissing, database),
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
        ),
        case("no default route", NatGateway, |t| vec![DeleteRoute { table: table(t), to: any(), far: false }], RouteMissing, table),
        case(
            "default route to the internet gateway",
            NatGateway,
            |t| vec![ReplaceRoute { table: table(t), to: any(), internet_gateway: far(t, "/internetGatewayId") }],
            RouteElsewhere,
            table,
        ),
        case("its subnet has no way out", NatGateway, |t| vec![DeleteRoute { table: public(t), to: any(), far: false }], RouteMissing, public),
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

pub const CLASSIC_LINK: &[Case] = {
    use Code::*;
    use Kind::ClassicLink;
    fn proxy(t: &Net) -> String {
        at(t, "/proxy/securityGroupId").to_owned()
    }
    &[
        case("no egress", ClassicLink, no_egress, EgressMissing, replication),
        case("proxy admits nobody", ClassicLink, |t| vec![Revoke { group: proxy(t), egress: false, port: PORT, far: false }], IngressMissing, proxy),
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

/// The mode of a whole account: once for all cases.
pub const BLOCK_PUBLIC_ACCESS: &[Case] = {
    use Code::BlockPublicAccess as Code;
    &[
        case("Block Public Access", Kind::Internet, |_| vec![BlockPublicAccess { on: true }], Code, |t| t.subnet_ids[0].clone())
            .also(&[Code]),
        case("Block Public Access", Kind::NatGateway, |_| vec![], Code, |t| far(t, "/publicSubnetIds/0")),
    ]
};

pub const SERVICES: &[Case] = {
    use Code::*;
    use Kind::{Gateway, Interface, Serverless};
    fn target(t: &Net) -> String {
        t.security_group_ids.target.clone()
    }
    fn s3(t: &Net, becomes: Becomes) -> Vec<Deed> {
        vec![Endpoint { vpc: vpc(t), service: "s3", becomes }]
    }
    fn kinesis(t: &Net, becomes: Becomes) -> Vec<Deed> {
        vec![Endpoint { vpc: vpc(t), service: "kinesis-streams", becomes }]
    }
    fn no_https(t: &Net) -> Vec<Deed> {
        vec![Revoke { group: replication(t), egress: true, port: HTTPS, far: false }]
    }
    const HTTPS_PORTS: (i32, i32) = (HTTPS, HTTPS);
    &[
        case("no egress to S3", Gateway, no_https, EgressMissing, replication),
        case("S3: ACL out", Gateway, |t| deny(acl(t), true, HTTPS_PORTS), AclDeniesOut, acl),
        case("no gateway endpoint", Gateway, |t| s3(t, Becomes::Deleted), ServiceUnreachable, |_| "com.amazonaws.us-west-2.s3".into())
            .names("spec.vpcEndpoints"),
        case("no egress to the endpoint", Interface, no_https, EgressMissing, replication),
        case(
            "the endpoint's group admits nobody",
            Interface,
            |t| vec![Revoke { group: target(t), egress: false, port: HTTPS, far: false }],
            IngressMissing,
            target,
        ),
        case("no interface endpoint", Interface, |t| kinesis(t, Becomes::Deleted), ServiceUnreachable, |_| {
            "com.amazonaws.us-west-2.kinesis-streams".into()
        })
        .names("spec.vpcEndpoints"),
        case("no egress", Serverless, no_egress, EgressMissing, replication),
        case("no ingress", Serverless, no_ingress, IngressMissing, database),
        case("ACL in", Serverless, in_denied, AclDeniesIn, acl),
        case("ACL in, answers", Serverless, answer_in_denied, AclDeniesReplyIn, acl),
    ]
};
