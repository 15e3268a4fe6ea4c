use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::*;

fn scope(region: &str) -> Scope {
    Scope { endpoint_url: None, region: region.to_owned(), role: None }
}

fn tags() -> Tags {
    Tags::from([("Name".to_owned(), "a \"b\"\n{c}".to_owned())])
}

/// One of every kind of object, and of every kind of value in them.
fn everything() -> Picture {
    let mut p = Picture::default();
    let vpc: VpcId = "vpc-0a000001".into();
    let cidr = |c: &str| c.parse().unwrap();
    let ip = |c: &str| c.parse().unwrap();
    p.asked = [
        (Need::RulesOf("sg-1".into()), None),
        (Need::GroupsOf(vpc.clone()), Some(ReadFailure { denied: true, message: "UnauthorizedOperation".into() }.into())),
        (Need::Host("db.example.com".into()), None),
    ]
    .into();
    p.read = [Need::RulesOf("sg-1".into())].into();
    p.instances.insert(
        "ri".into(),
        Arc::new(ReplicationInstance {
            identifier: "ri".into(),
            status: "available".into(),
            vpc: vpc.clone(),
            subnets: vec!["subnet-1".into()],
            groups: vec!["sg-1".into()],
            private_ips: vec![ip("10.0.0.5"), ip("2001:db8::5")],
            public_ips: vec![],
            arn: "arn:aws:dms:us-east-1:111122223333:rep:RI".into(),
            publicly_accessible: None,
            dns_servers: vec![ip("10.0.0.2")],
            engine_version: Some("3.5.4".into()),
        }),
    );
    p.dms_endpoints.insert(
        "src".into(),
        Arc::new(DmsEndpoint {
            identifier: "src".into(),
            engine: "kafka".into(),
            host: None,
            port: Some(9092),
            arn: "arn".into(),
            more_hosts: vec![("b-1".into(), None), ("b-2".into(), Some(9094))],
            secret: Some("arn:aws:secretsmanager:us-east-1:111122223333:secret:x".into()),
        }),
    );
    let rds = RdsDatabase {
        identifier: "db".into(),
        engine: "mysql".into(),
        status: "available".into(),
        host: Some("db.example.com".into()),
        port: Some(3306),
        vpc: Some(vpc.clone()),
        subnets: vec![],
        groups: vec!["sg-2".into()],
        publicly_accessible: true,
        subnet_group: Some("default".into()),
    };
    p.db_clusters.insert("db".into(), Arc::new(rds.clone()));
    p.db_instances.insert("db".into(), Arc::new(rds));
    p.vpcs.insert(
        vpc.clone(),
        Arc::new(Vpc {
            id: vpc.clone(),
            cidrs: vec![cidr("10.0.0.0/16"), cidr("2001:db8::/56")],
            owner: "111122223333".into(),
            block_public_access: BlockPublicAccess::Ingress,
        }),
    );
    p.vpc_dns.insert(vpc.clone(), Arc::new(VpcDns { support: true, hostnames: false }));
    p.subnets.insert(
        "subnet-1".into(),
        Arc::new(Subnet {
            id: "subnet-1".into(),
            vpc: vpc.clone(),
            zone: "us-east-1a".into(),
            cidrs: vec![cidr("10.0.1.0/24")],
            block_public_access: BlockPublicAccess::Off,
        }),
    );
    let group = SecurityGroup { id: "sg-1".into(), name: "one".into(), vpc: vpc.clone(), owner: "111122223333".into(), tags: tags() };
    p.groups.insert("sg-1".into(), Arc::new(group));
    let shapes = ["in/tcp/5432/sg-2", "out/all/all/0.0.0.0/0", "in/icmp/8--1/10.0.0.0/8", "out/tcp/443/pl-1", "in/50/all/2001:db8::/32"];
    let rules = shapes.iter().enumerate().map(|(i, shape)| Rule {
        id: format!("sgr-{i}").into(),
        group: "sg-1".into(),
        shape: RuleShape::parse(shape).unwrap(),
        description: (i == 0).then(|| "from the replication".to_owned()),
        tags: tags(),
    });
    p.rules.insert("sg-1".into(), rules.collect());
    p.endpoints.insert(
        "vpce-1".into(),
        Arc::new(VpcEndpoint {
            id: "vpce-1".into(),
            vpc: vpc.clone(),
            service_name: "com.amazonaws.us-east-1.dms".into(),
            endpoint_type: "Interface".into(),
            state: EndpointState::PendingAcceptance,
            subnets: vec!["subnet-1".into()],
            route_tables: vec!["rtb-1".into()],
            groups: vec!["sg-1".into()],
            private_dns: true,
            policy: Policy::full_access(),
            ip_address_type: crate::api::network::IpAddressType::Dualstack,
            dns_names: vec!["vpce-1.dms".into()],
            interfaces: vec!["eni-1".into()],
            tags: tags(),
            last_error: Some("no".into()),
        }),
    );
    let service = ServiceDetail {
        name: "com.amazonaws.us-east-1.dms".into(),
        zones: vec!["us-east-1a".into()],
        private_dns_name: None,
        types: vec!["Interface".into()],
    };
    p.services.insert("com.amazonaws.us-east-1.dms".into(), Arc::new(service));
    let config = ReplicationConfig {
        identifier: "cfg".into(),
        arn: "arn".into(),
        subnet_group: "default".into(),
        groups: vec!["sg-1".into()],
        endpoints: vec!["arn".into()],
    };
    p.configs.insert("cfg".into(), Arc::new(config));
    let subnet_group = SubnetGroup { identifier: "default".into(), vpc: vpc.clone(), subnets: vec!["subnet-1".into()] };
    p.subnet_groups.insert("default".into(), Arc::new(subnet_group.clone()));
    p.db_subnet_groups.insert("default".into(), Arc::new(subnet_group));
    let connection = Connection { instance: "arn".into(), endpoint: "arn:e".into(), status: "failed".into(), failure: Some("110".into()) };
    p.connections.insert("arn".into(), [connection].into());
    let entry = AclEntry {
        direction: Direction::In,
        number: 100,
        protocol: Protocol::Tcp,
        ports: Some(Ports { from: 1024, to: 65_535 }),
        cidr: cidr("0.0.0.0/0"),
        allow: false,
    };
    let acl = NetworkAcl {
        id: "acl-1".into(),
        vpc: vpc.clone(),
        is_default: true,
        subnets: vec!["subnet-1".into()],
        entries: vec![entry.clone(), AclEntry { ports: None, protocol: Protocol::Other(47), ..entry }],
        tags: tags(),
    };
    p.acls.insert("acl-1".into(), Arc::new(acl));
    let targets = [
        Target::Local,
        Target::InternetGateway("igw-1".into()),
        Target::NatGateway("nat-1".into()),
        Target::PeeringConnection("pcx-1".into()),
        Target::TransitGateway("tgw-1".into()),
        Target::VpnGateway("vgw-1".into()),
        Target::NetworkInterface(None),
        Target::NetworkInterface(Some("eni-1".into())),
        Target::VpcEndpoint("vpce-1".into()),
        Target::Other("eigw-1".into()),
    ];
    let mut routes: Vec<Route> = targets
        .into_iter()
        .map(|target| Route {
            destination: Destination::Cidr(cidr("10.0.0.0/16")),
            target,
            state: RouteState::Active,
            origin: RouteOrigin::CreateRoute,
        })
        .collect();
    routes.push(Route {
        destination: Destination::PrefixList("pl-1".into()),
        target: Target::Local,
        state: RouteState::Blackhole,
        origin: RouteOrigin::Propagated,
    });
    let table = RouteTable {
        id: "rtb-1".into(),
        vpc: vpc.clone(),
        main: true,
        subnets: vec![],
        routes,
        propagating: vec!["vgw-1".into()],
        tags: tags(),
    };
    p.route_tables.insert("rtb-1".into(), Arc::new(table));
    let address =
        NatAddress { public_ip: Some(ip("203.0.113.7")), private_ip: Some(ip("10.0.9.9")), interface: Some("eni-2".into()), in_use: true };
    let nat = NatGateway {
        id: "nat-1".into(),
        vpc: vpc.clone(),
        subnet: None,
        state: "available".into(),
        failure: None,
        public: true,
        regional: true,
        addresses: vec![address],
    };
    p.nat_gateways.insert("nat-1".into(), Arc::new(nat));
    p.internet_gateways.insert(vpc.clone(), Arc::new(InternetGateway { id: "igw-1".into(), vpc: vpc.clone() }));
    let side = |name: &str| PeeringSide {
        vpc: name.into(),
        account: "111122223333".into(),
        region: "us-east-1".into(),
        cidrs: vec![cidr("10.0.0.0/16")],
        dns_resolution: None,
    };
    let (requester, accepter) = (side("vpc-0a000001"), side("vpc-0b"));
    let peering = PeeringConnection { id: "pcx-1".into(), status: "active".into(), message: Some("Active".into()), requester, accepter };
    p.peerings.insert("pcx-1".into(), Arc::new(peering));
    let attachment = TransitGatewayAttachment {
        id: "tgw-attach-1".into(),
        gateway: "tgw-1".into(),
        vpc: vpc.clone(),
        state: "available".into(),
        subnets: vec!["subnet-1".into()],
    };
    p.transit_gateway_attachments.insert("tgw-attach-1".into(), Arc::new(attachment));
    let interface = NetworkInterface {
        id: "eni-1".into(),
        vpc,
        subnet: "subnet-1".into(),
        description: "DMSNetworkInterface".into(),
        status: "in-use".into(),
        addresses: vec![ip("10.0.1.5")],
        public_ips: vec![ip("203.0.113.8")],
        groups: vec!["sg-1".into()],
        source_dest_check: false,
    };
    p.interfaces.insert("eni-1".into(), Arc::new(interface));
    let list =
        PrefixList { id: "pl-1".into(), name: "com.amazonaws.us-east-1.s3".into(), cidrs: vec![cidr("52.216.0.0/15")], max_entries: None };
    p.prefix_lists.insert("pl-1".into(), Arc::new(list));
    p.hosts.insert("db.example.com".into(), Resolution::Addresses(vec![ip("10.0.2.9")]));
    p.hosts.insert("nowhere.example.com".into(), Resolution::Failed("no such name".into()));
    p
}

fn taken(pictures: Vec<Recorded>) -> Snapshot {
    Snapshot::new("2026-01-02T03:04:05Z", pictures)
}

fn sample() -> Snapshot {
    let scope = Scope { endpoint_url: Some("http://127.0.0.1:5000".into()), region: "us-east-1".into(), role: None };
    taken(vec![Recorded { scope, account: "111122223333".into(), picture: everything() }])
}

/// Files that were written before must be read: if this differs by more than new optional fields, raise VERSION.
#[test]
fn the_format_is_as_it_was() {
    let text = serde_json::to_string_pretty(&sample()).unwrap();
    insta::assert_snapshot!(text.replacen(env!("CARGO_PKG_VERSION"), "[version]", 1));
}

#[test]
fn what_was_written_is_read_the_same() {
    let sample = sample();
    let text = serde_json::to_string_pretty(&sample).unwrap();
    assert_eq!(Snapshot::read(&text).unwrap(), sample);
}

/// Wherever it is cut off, it is told so.
#[test]
fn a_file_that_is_cut_off_says_so() {
    let text = serde_json::to_string_pretty(&sample()).unwrap();
    for length in (1..text.len() - 1).step_by(97).chain([1, text.len() - 1]) {
        let cut = &text[..length];
        assert!(matches!(Snapshot::read(cut), Err(SnapshotError::CutOff(_))), "{length}: {:?}", Snapshot::read(cut));
    }
    assert!(Snapshot::read(&text[..text.len() / 2]).unwrap_err().to_string().ends_with("take it again with dmsnet snapshot"));
}

#[test]
fn other_files_are_refused_with_the_reason() {
    let good = serde_json::to_string_pretty(&sample()).unwrap();
    let version = |v: &str| good.replace("\"version\": 1,", &format!("\"version\": {v},"));
    for (text, expected) in [
        (String::new(), "is no snapshot of dmsnet (it cannot be read as JSON: EOF"),
        ("apiVersion: dmsnet.dev/v1alpha1".to_owned(), "is no snapshot of dmsnet (it cannot be read as JSON: expected value at line 1"),
        ("{}".to_owned(), "is no snapshot of dmsnet (its format is not \"dmsnet-snapshot\")"),
        (good.replace("dmsnet-snapshot", "other"), "is no snapshot of dmsnet (its format is not"),
        (version("0"), "; this dmsnet reads version 1: take it again with this dmsnet"),
        (version("2"), "this dmsnet reads version 1: use that dmsnet, or take it again with this one"),
        (
            good.replace("in/tcp/5432/sg-2", "in/tcp/x/sg-2"),
            "is damaged at pictures[0].picture.rules.sg-1[0].shape: \"in/tcp/x/sg-2\" is no rule",
        ),
        (good.replace("\"account\"", "\"acount\""), "is damaged at pictures[0].acount: unknown field `acount`"),
    ] {
        let error = Snapshot::read(&text).unwrap_err().to_string();
        assert!(error.starts_with(expected) || error.contains(expected), "expected {expected}\n     got {error}");
    }
}

#[test]
fn another_place_or_other_questions_are_named() {
    let error = sample().of(&scope("us-west-2"), "west").unwrap_err().to_string();
    assert_eq!(
        error,
        "holds nothing of us-west-2, where class \"west\" works; it holds us-east-1 at http://127.0.0.1:5000: take it again with the same files"
    );
    let needs: Vec<Need> = (1..=6).map(|i| Need::RulesOf(format!("sg-{i}").into())).collect();
    assert_eq!(lacks(&needs[..0]), None);
    let one = lacks(&needs[..1]).unwrap().to_string();
    assert_eq!(one, "does not hold rules of security group sg-1, which these files ask for: take it again with the same files");
    assert!(lacks(&needs).unwrap().to_string().contains("sg-4 and 2 more"));
}

fn shape() -> impl Strategy<Value = RuleShape> {
    let protocol = prop_oneof![
        Just(Protocol::Tcp),
        Just(Protocol::Udp),
        Just(Protocol::Icmp),
        Just(Protocol::Icmpv6),
        Just(Protocol::All),
        (59u8..).prop_map(Protocol::Other),
    ];
    let ports = proptest::option::of((-1i32..70_000, -1i32..70_000).prop_map(|(from, to)| Ports { from, to }));
    let peer = prop_oneof![
        "sg-[0-9a-f]{8}".prop_map(|id| Peer::SecurityGroup(id.into())),
        "pl-[0-9a-f]{8}".prop_map(|id| Peer::PrefixList(id.into())),
        (any::<u32>(), 0u8..=32).prop_map(|(ip, len)| Peer::Cidr(ipnet::Ipv4Net::new_assert(ip.into(), len).trunc().into())),
        (any::<u128>(), 0u8..=128).prop_map(|(ip, len)| Peer::Cidr(ipnet::Ipv6Net::new_assert(ip.into(), len).trunc().into())),
    ];
    let direction = prop_oneof![Just(Direction::In), Just(Direction::Out)];
    (direction, protocol, ports, peer).prop_map(|(direction, protocol, ports, peer)| RuleShape { direction, protocol, ports, peer })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rules_and_texts_survive(shapes in proptest::collection::vec(shape(), 0..20), text in any::<String>(), state in "\\PC{1,12}", refused in any::<bool>()) {
        let mut picture = everything();
        let rules = shapes.into_iter().map(|shape| {
            let tags = Tags::from([(text.clone(), text.clone())]);
            Rule { id: "sgr-1".into(), group: "sg-9".into(), shape, description: Some(text.clone()), tags }
        });
        picture.rules.insert("sg-9".into(), rules.collect());
        let failure = refused.then(|| ReadFailure { denied: refused, message: text.clone() }.into());
        picture.asked.insert(Need::RulesOf("sg-9".into()), failure);
        picture.endpoints.values_mut().for_each(|e| Arc::make_mut(e).state = EndpointState::parse(&state));
        let snapshot = taken(vec![Recorded { scope: scope("us-east-1"), account: "1".into(), picture }]);
        let text = serde_json::to_string(&snapshot).unwrap();
        prop_assert_eq!(Snapshot::read(&text).unwrap(), snapshot);
    }
}
