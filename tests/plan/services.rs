//! Network ACL entries for VPC endpoints: their callers, and the services that the replication itself calls (domain.md 1.7, 2).

use std::sync::Arc;

use dmsnet::{
    api::{
        conditions::Reason,
        network::{DeletionPolicy, IpAddressType, Upkeep},
    },
    model::*,
    plan::Plan,
};
use serde_json::{Value, json};

use crate::world::{DATABASE_ACL, NEAR_ACL, NEAR_TABLE, Network, S3, VPC, World, allow, settable};

/// A database of this engine in the third subnet, behind an ACL of its own, and these endpoints.
fn network(n: u32, engine: &str, endpoints: Value) -> Network {
    Network::new(
        n,
        json!({
            "replication": {"instance": "orders-ri"},
            "databases": [{"name": "db", "address": {"engine": engine, "endpoints": [{"host": "10.0.3.7", "port": 5432}]},
                           "subnetIds": ["subnet-0a000003"], "path": {"type": "SameVpc"}}],
            "vpcEndpoints": endpoints,
            "networkAcls": "Manage",
        }),
    )
}

fn dms() -> Value {
    json!([{"name": "dms", "service": "dms"}])
}

fn kinesis() -> Value {
    json!([{"name": "kinesis", "service": "kinesis-streams"}])
}

/// What an ACL lets through, without numbers, sorted.
fn entries(world: &World, acl: &str) -> Vec<String> {
    let mut lines: Vec<String> = world.picture.acls[acl].entries.iter().map(|e| e.shape().to_string()).collect();
    lines.sort();
    lines
}

/// The same, less what the way to the database needs.
fn of_services(world: &World, acl: &str) -> Vec<String> {
    let database = |l: &String| l.contains("5432") || *l == "in/tcp/32768-65535/10.0.3.0/24" || l.contains("udp");
    entries(world, acl).into_iter().filter(|l| !database(l)).collect()
}

/// Passes until nothing is left to do, and expects no problem and no ACL in the way.
fn settled(world: &mut World, network: &mut Network) -> Plan {
    for _ in 0..3 {
        assert_eq!(world.pass(network, None).problems, []);
    }
    let plan = world.plan(network, None);
    assert!(plan.is_empty() && plan.drift.is_empty(), "{:?}", plan.changes);
    // What others' endpoints let in is theirs.
    let blocked: Vec<_> = settable(network, &plan).into_iter().filter(|h| h.code != "IngressMissing").collect();
    assert!(blocked.is_empty(), "{blocked:#?}");
    plan
}

fn problem(plan: &Plan) -> (Reason, String) {
    let [one] = plan.problems.as_slice() else { panic!("one problem: {:?}", plan.problems) };
    (one.reason, format!("{}: {}", one.resource, one.message))
}

fn shape(text: &str) -> AclShape {
    let parts: Vec<&str> = text.splitn(4, '/').collect();
    let direction = if parts[0] == "in" { Direction::In } else { Direction::Out };
    AclShape::tcp(direction, Ports::parse(parts[2]).unwrap(), parts[3].parse().unwrap())
}

fn stranger(world: &mut World, endpoint: VpcEndpoint) {
    world.picture.endpoints.insert(endpoint.id.clone(), Arc::new(endpoint));
}

fn endpoint(service: &str) -> VpcEndpoint {
    VpcEndpoint {
        id: "vpce-0f000001".into(),
        vpc: VPC.into(),
        service_name: format!("com.amazonaws.us-east-1.{service}"),
        endpoint_type: "Interface".into(),
        state: EndpointState::Available,
        subnets: vec!["subnet-0a000003".into()],
        route_tables: vec![],
        groups: vec![],
        private_dns: true,
        policy: Policy::full_access(),
        ip_address_type: IpAddressType::Ipv4,
        dns_names: vec![],
        interfaces: vec![],
        tags: Tags::new(),
        last_error: None,
    }
}

#[test]
fn an_endpoints_subnets_admit_its_callers_and_known_callers_subnets_mirror_it() {
    let mut world = World::with_borders("cluster");
    let before = world.shape();
    let mut network = network(1, "postgres", dms());
    settled(&mut world, &mut network);
    assert_eq!(
        of_services(&world, NEAR_ACL),
        [
            // From the replication subnets, whose group is a caller, to the endpoint's subnets, which are the same two.
            "in/tcp/32768-65535/10.0.1.0/24",
            "in/tcp/32768-65535/10.0.2.0/24",
            // From all of the VPC: within it lie the replication's subnets.
            "in/tcp/443/10.0.0.0/16",
            "out/tcp/32768-65535/10.0.0.0/16",
            "out/tcp/443/10.0.1.0/24",
            "out/tcp/443/10.0.2.0/24",
        ]
    );
    assert_eq!(of_services(&world, DATABASE_ACL), ["out/tcp/32768-65535/10.0.1.0/24", "out/tcp/32768-65535/10.0.2.0/24"], "nothing more");
    for _ in 0..3 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert_eq!((network.ledger.len(), world.shape()), (0, before));
}

#[test]
fn callers_by_cidr_group_and_prefix_list_are_admitted_as_addresses() {
    let mut world = World::with_borders("cluster");
    let list =
        PrefixList { id: "pl-0a000009".into(), name: "office".into(), cidrs: vec!["192.0.2.0/24".parse().unwrap()], max_entries: Some(5) };
    world.picture.prefix_lists.insert(list.id.clone(), Arc::new(list));
    let interface = NetworkInterface {
        id: "eni-0a000009".into(),
        vpc: VPC.into(),
        subnet: "subnet-0a000003".into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec!["10.0.3.9".parse().unwrap()],
        public_ips: vec![],
        groups: vec!["sg-0a000009".into()],
        source_dest_check: true,
    };
    world.picture.interfaces.insert(interface.id.clone(), Arc::new(interface));
    let from = json!([{"cidr": "10.9.0.0/16"}, {"securityGroupId": "sg-0a000009"}, {"prefixListId": "pl-0a000009"}]);
    let mut network = network(1, "postgres", json!([{"name": "dms", "service": "dms", "allowFrom": from}]));
    settled(&mut world, &mut network);
    assert_eq!(
        of_services(&world, NEAR_ACL),
        [
            "in/tcp/443/10.0.3.0/24",
            "in/tcp/443/10.9.0.0/16",
            "in/tcp/443/192.0.2.0/24",
            "out/tcp/32768-65535/10.0.3.0/24",
            "out/tcp/32768-65535/10.9.0.0/16",
            "out/tcp/32768-65535/192.0.2.0/24",
        ]
    );
    let mirror = ["in/tcp/32768-65535/10.0.1.0/24", "in/tcp/32768-65535/10.0.2.0/24", "out/tcp/443/10.0.1.0/24", "out/tcp/443/10.0.2.0/24"];
    assert!(mirror.iter().all(|l| entries(&world, DATABASE_ACL).contains(&(*l).to_owned())), "{:?}", entries(&world, DATABASE_ACL));
}

#[test]
fn of_an_ipv4_endpoint_no_ipv6_is_let_in() {
    let mut world = World::with_borders("cluster");
    Arc::make_mut(world.picture.vpcs.get_mut(VPC).unwrap()).cidrs.push("2001:db8::/56".parse().unwrap());
    for i in 1..=2 {
        let subnet = world.picture.subnets.get_mut(format!("subnet-0a00000{i}").as_str()).unwrap();
        Arc::make_mut(subnet).cidrs.push(format!("2001:db8:0:{i}::/64").parse().unwrap());
    }
    let mut network = network(1, "postgres", dms());
    settled(&mut world, &mut network);
    assert!(of_services(&world, NEAR_ACL).iter().all(|l| !l.contains(':')), "{:?}", of_services(&world, NEAR_ACL));
    network.spec.vpc_endpoints[0].ip_address_type = Some(IpAddressType::Dualstack);
    world.pass(&mut network, None);
    assert!(of_services(&world, NEAR_ACL).contains(&"in/tcp/443/2001:db8::/56".to_owned()));
}

#[test]
fn the_replications_own_services_are_open_both_ways() {
    let mut world = World::with_borders("cluster");
    let more = json!([{"name": "kinesis", "service": "kinesis-streams", "subnetIds": ["subnet-0a000003"]}]);
    let mut network = network(1, "kinesis", more);
    let plan = settled(&mut world, &mut network);
    assert!(plan.databases[0].blocked_by.is_empty(), "{:?}", plan.databases[0].blocked_by);
    assert_eq!(of_services(&world, NEAR_ACL), ["out/tcp/443/10.0.3.0/24"], "answers come on the ports that the database's take");
    assert_eq!(of_services(&world, DATABASE_ACL), ["in/tcp/443/10.0.0.0/16", "out/tcp/32768-65535/10.0.0.0/16"]);

    // S3, behind a gateway endpoint: its own addresses, since ACLs take no prefix list.
    let mut world = World::with_borders("cluster");
    let gateway = json!([{"name": "s3", "service": "s3", "type": "Gateway", "routeTableIds": [NEAR_TABLE]}]);
    let mut network = self::network(1, "neptune", gateway);
    settled(&mut world, &mut network);
    let [a, b] = S3;
    let expected = ["in/tcp/32768-65535/", "out/tcp/443/"].into_iter().flat_map(|l| [format!("{l}{a}"), format!("{l}{b}")]);
    assert_eq!(of_services(&world, NEAR_ACL), expected.collect::<Vec<_>>());
}

#[test]
fn endpoints_of_others_that_a_database_needs_are_reached_through_acls_too() {
    let mut world = World::with_borders("cluster");
    stranger(&mut world, endpoint("kinesis-streams"));
    let mut network = network(1, "kinesis", json!([]));
    settled(&mut world, &mut network);
    assert_eq!(of_services(&world, NEAR_ACL), ["out/tcp/443/10.0.3.0/24"]);
    assert!(entries(&world, DATABASE_ACL).contains(&"in/tcp/443/10.0.1.0/24".to_owned()));
    // One that does not answer for the service's name is not used.
    stranger(&mut world, VpcEndpoint { private_dns: false, ..endpoint("kinesis-streams") });
    world.pass(&mut network, None);
    assert_eq!(of_services(&world, NEAR_ACL), Vec::<String>::new());

    let mut world = World::with_borders("cluster");
    let gateway = VpcEndpoint {
        endpoint_type: "Gateway".into(),
        subnets: vec![],
        route_tables: vec![NEAR_TABLE.into()],
        private_dns: false,
        ..endpoint("s3")
    };
    stranger(&mut world, gateway);
    world.lead_to_gateway_endpoints();
    let mut network = self::network(1, "neptune", json!([]));
    settled(&mut world, &mut network);
    assert_eq!(of_services(&world, NEAR_ACL).len(), 4, "{:?}", of_services(&world, NEAR_ACL));
    assert_eq!(let_out(&world).len(), 1, "to the prefix list: {:?}", let_out(&world));
    assert!(let_out(&world)[0].starts_with("out/tcp/443/pl-"), "{:?}", let_out(&world));
    // An older DMS reaches S3 by a way of its own (domain.md 2).
    Arc::make_mut(world.picture.instances.get_mut("orders-ri").unwrap()).engine_version = Some("3.4.6".into());
    world.pass(&mut network, None);
    assert_eq!(of_services(&world, NEAR_ACL), Vec::<String>::new());
}

/// What the replication's group lets out on 443.
fn let_out(world: &World) -> Vec<String> {
    let rules = world.rules().into_iter().map(|(group, shape, _)| (group, shape.to_string()));
    let mut lines: Vec<String> = rules.filter(|(g, s)| g.as_str() == "sg-0a000001" && s.contains("/443/")).map(|(_, s)| s).collect();
    lines.sort();
    lines
}

#[test]
fn the_replications_group_lets_out_to_the_endpoints_of_others_that_it_needs() {
    let with_group = |service| VpcEndpoint { groups: vec!["sg-0f000001".into()], ..endpoint(service) };
    for (engine, found, lets_out) in [
        ("kinesis", vec![with_group("kinesis-streams")], vec!["out/tcp/443/sg-0f000001"]),
        // Nobody told of its groups.
        ("kinesis", vec![endpoint("kinesis-streams")], vec!["out/tcp/443/10.0.0.0/16"]),
        // It does not answer for the service's name, or is for what no database needs.
        ("kinesis", vec![VpcEndpoint { private_dns: false, ..with_group("kinesis-streams") }], vec![]),
        ("postgres", vec![with_group("kinesis-streams")], vec![]),
    ] {
        let mut world = World::with_borders("cluster");
        let before = world.shape();
        let mut network = network(1, engine, json!([]));
        // The rules are its own, whatever it says of ACLs.
        network.spec.network_acls = Upkeep::Check;
        found.into_iter().for_each(|e| stranger(&mut world, e));
        world.pass(&mut network, None);
        assert_eq!(let_out(&world), lets_out, "{engine}");
        assert!(world.plan(&network, None).is_empty());
        // It goes with the endpoint, and with the network.
        world.picture.endpoints.clear();
        world.pass(&mut network, None);
        assert_eq!(let_out(&world), Vec::<String>::new());
        world.pass(&mut network, Some(DeletionPolicy::Delete));
        assert_eq!(world.shape(), before);
    }
}

#[test]
fn entries_follow_the_subnets_that_the_endpoint_has_for_all_its_networks() {
    let mut world = World::with_borders("cluster");
    let mut old = network(1, "kinesis", json!([{"name": "kinesis", "service": "kinesis-streams", "subnetIds": ["subnet-0a000003"]}]));
    let mut young = network(2, "kinesis", kinesis());
    settled(&mut world, &mut old);
    settled(&mut world, &mut young);
    settled(&mut world, &mut old);
    let made = &world.picture.endpoints.values().next().unwrap().subnets;
    assert_eq!(
        made.iter().map(|s| s.as_str()).collect::<Vec<_>>(),
        ["subnet-0a000002", "subnet-0a000003"],
        "one subnet per zone, the older's first"
    );
    assert!(!entries(&world, NEAR_ACL).contains(&"out/tcp/443/10.0.1.0/24".to_owned()), "the endpoint is not in the first subnet");
    assert!(entries(&world, NEAR_ACL).contains(&"out/tcp/443/10.0.2.0/24".to_owned()));
}

#[test]
fn the_guardrails_of_the_service_bind_its_entries() {
    // Ports are the databases'; 443 comes with the service.
    let mut world = World::with_borders("cluster");
    world.guardrails.ports = Some(vec!["5432".into()]);
    let mut network = network(1, "postgres", dms());
    settled(&mut world, &mut network);
    assert!(of_services(&world, NEAR_ACL).contains(&"in/tcp/443/10.0.0.0/16".to_owned()));

    // Without the service none of its entries.
    let mut world = World::with_borders("cluster");
    world.guardrails.vpc_endpoint_services = Some(vec!["s3".into()]);
    let (reason, text) = problem(&world.pass(&mut network, None));
    assert_eq!(reason, Reason::GuardrailViolated);
    assert!(text.contains("service dms"), "one problem, which names the service: {text}");
    assert_eq!(of_services(&world, NEAR_ACL), Vec::<String>::new());

    // A CIDR that the class does not allow, for the callers; the replication's own subnets stay, although it would cover them.
    let mut world = World::with_borders("cluster");
    world.guardrails.peer_cidrs = Some((1..=3).map(|i| format!("10.0.{i}.0/24")).collect());
    let mut network = self::network(1, "kinesis", kinesis());
    let plan = world.pass(&mut network, None);
    assert!(
        plan.problems.iter().all(|p| p.reason == Reason::GuardrailViolated && p.message.contains("10.0.0.0/16")),
        "{:?}",
        plan.problems
    );
    let near = of_services(&world, NEAR_ACL);
    assert!(near.contains(&"in/tcp/443/10.0.1.0/24".to_owned()) && !near.contains(&"in/tcp/443/10.0.0.0/16".to_owned()), "{near:?}");

    // AWS's own addresses come with the service, too.
    let mut world = World::with_borders("cluster");
    world.guardrails.peer_cidrs = Some(vec!["10.0.0.0/8".into()]);
    let mut network = self::network(1, "neptune", json!([{"name": "s3", "service": "s3", "type": "Gateway"}]));
    world.pass(&mut network, None);
    assert_eq!(of_services(&world, NEAR_ACL).len(), 4);
}

#[test]
fn in_a_full_acl_databases_come_first() {
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| {
        let udp = |direction, n| AclEntry {
            protocol: Protocol::Udp,
            ..allow(n, &AclShape::tcp(direction, Ports::one(n), "10.0.3.0/24".parse().unwrap()))
        };
        acl.entries.extend((1..=18).flat_map(|n| [udp(Direction::In, n), udp(Direction::Out, n)]));
    });
    let mut network = network(1, "postgres", dms());
    let plan = world.pass(&mut network, None);
    assert!(plan.problems.iter().all(|p| p.reason == Reason::QuotaExceeded), "{:?}", plan.problems);
    let near = entries(&world, NEAR_ACL);
    assert!(
        near.contains(&"out/tcp/5432/10.0.3.0/24".to_owned()) && near.contains(&"in/tcp/32768-65535/10.0.3.0/24".to_owned()),
        "{near:?}"
    );
}

#[test]
fn what_a_wider_entry_lets_through_is_given_up_once_that_is_there() {
    let mut world = World::with_borders("cluster");
    let spec = json!([{"name": "kinesis", "service": "kinesis-streams", "subnetIds": ["subnet-0a000003"]}]);
    let mut network = network(1, "postgres", json!([]));
    settled(&mut world, &mut network);
    let narrow = ["out/tcp/32768-65535/10.0.1.0/24", "out/tcp/32768-65535/10.0.2.0/24"];
    assert!(narrow.iter().all(|l| entries(&world, DATABASE_ACL).contains(&(*l).to_owned())));
    network.spec.vpc_endpoints = serde_json::from_value(spec).unwrap();
    world.pass(&mut network, None);
    let between = entries(&world, DATABASE_ACL);
    assert!(between.contains(&"out/tcp/32768-65535/10.0.0.0/16".to_owned()), "{between:?}");
    assert!(narrow.iter().all(|l| between.contains(&(*l).to_owned())), "they go only after it came: {between:?}");
    settled(&mut world, &mut network);
    assert!(narrow.iter().all(|l| !entries(&world, DATABASE_ACL).contains(&(*l).to_owned())));

    // A deny that only the wider one meets: both are wanted, since the wider one cannot be set.
    let mut world = World::with_borders("cluster");
    let deny = AclEntry { allow: false, ..allow(30_000, &shape("out/tcp/40000/10.0.9.0/24")) };
    world.edit_acl(&DATABASE_ACL.into(), |acl| acl.entries.push(deny));
    world.pass(&mut network, None);
    let plan = world.pass(&mut network, None);
    let (reason, text) = problem(&plan);
    assert_eq!(reason, Reason::Conflict);
    assert!(text.contains("team/net-1 endpoint kinesis needs it") && text.contains("30000"), "{text}");
    assert!(narrow.iter().all(|l| entries(&world, DATABASE_ACL).contains(&(*l).to_owned())), "{:?}", entries(&world, DATABASE_ACL));
}

/// Services that nothing leads to, as the proof tells.
fn unreachable(world: &mut World, engine: &str) -> Vec<String> {
    let plan = world.plan(&network(1, engine, json!([])), None);
    let hops = plan.databases[0].blocked_by.iter().filter(|h| h.code == "ServiceUnreachable");
    hops.map(|h| h.resource.clone()).collect()
}

#[test]
fn a_database_needs_the_services_that_dms_calls_for_it_from_3_4_7_on() {
    let mut world = World::with_borders("cluster");
    let s3 = ["com.amazonaws.us-east-1.s3"];
    // Of the way to Redshift the cluster's own port counts: its endpoint service is for management.
    assert_eq!(unreachable(&mut world, "redshift"), s3);
    assert_eq!(unreachable(&mut world, "postgres"), Vec::<String>::new());
    for (version, needs) in [("3.4.6", false), ("3.4.7", true), ("3.10.0", true), ("2.4.9", false), ("4", true), ("beta", true)] {
        Arc::make_mut(world.picture.instances.get_mut("orders-ri").unwrap()).engine_version = Some(version.into());
        assert_eq!(unreachable(&mut world, "neptune") == s3, needs, "{version}");
    }
}
