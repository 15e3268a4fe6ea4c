//! What each configuration of the DMS user guide needs, key by key (domain.md 1.0 to 1.6).

mod classes;
mod land;
mod refused;
mod told;

use std::sync::Arc;

use dmsnet::{
    api::{
        conditions::{Reason, Truth},
        network::DeletionPolicy,
    },
    model::*,
};
use serde_json::{Value, json};

use self::land::*;
use crate::world::{Network, REPLICATION, SOURCE, VPC, World, settable};

/// Plans a spec and compares all that it wants; then makes it so, and expects that nothing more is wanted.
fn needs(name: &str, world: &mut World, spec: Value, expected: &[String]) -> Network {
    let mut network = Network::new(1, spec);
    let plan = world.plan(&network, None);
    assert_eq!(problems(&plan), Vec::<String>::new(), "{name}");
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(wants(&plan), expected, "{name}");
    world.pass(&mut network, None);
    let again = world.plan(&network, None);
    let blocked = settable(&network, &again);
    assert!(blocked.is_empty(), "{name}: what is set opens the path: {blocked:#?}");
    assert_eq!((again.changes, again.drift, again.problems), (vec![], vec![], vec![]), "{name}: a second plan is empty");
    assert_eq!(network.ledger.len(), expected.len(), "{name}: the ledger holds all of it");
    network
}

/// The four entries between a replication subnet and a database subnet, each behind its ACL.
fn entries(port: u16, (near_acl, near): (&str, &str), (far_acl, far): (&str, &str)) -> [String; 4] {
    [
        format!("acl-entry/{near_acl}/out/tcp/{port}/{far}"),
        format!("acl-entry/{far_acl}/in/tcp/{port}/{near}"),
        format!("acl-entry/{far_acl}/out/tcp/32768-65535/{near}"),
        format!("acl-entry/{near_acl}/in/tcp/32768-65535/{far}"),
    ]
}

fn rule(group: &str, direction: &str, port: u16, peer: &str) -> String {
    format!("rule/{group}/{direction}/tcp/{port}/{peer}")
}

const NEAR: [&str; 2] = ["10.0.1.0/24", "10.0.2.0/24"];

#[test]
fn same_vpc_needs_two_rules_and_four_entries_for_each_pair_of_subnets() {
    let mut world = near();
    let database = with(with(at("10.0.3.7"), "securityGroupId", json!(SOURCE)), "subnetIds", json!(["subnet-0a000003", "subnet-0a000002"]));
    let mut expected = vec![out(5432, SOURCE), rule(SOURCE, "in", 5432, REPLICATION)];
    for (near, far) in [(0, "10.0.3.0/24"), (1, "10.0.3.0/24"), (0, "10.0.2.0/24")] {
        expected.extend(entries(5432, (NEAR_ACL, NEAR[near]), (NEAR_ACL, far)));
    }
    expected.sort();
    expected.dedup();
    needs("same VPC", &mut world, spec(database, json!({"type": "SameVpc"})), &expected);
}

#[test]
fn without_subnets_an_address_tells_where_the_database_is() {
    let mut world = near();
    let mut expected = vec![out(5432, "10.0.3.7/32")];
    for near in NEAR {
        expected.extend(entries(5432, (NEAR_ACL, near), (NEAR_ACL, "10.0.3.0/24")));
    }
    expected.sort();
    expected.dedup();
    needs("by address", &mut world, spec(at("10.0.3.7"), json!({"type": "SameVpc"})), &expected);
}

#[test]
fn in_check_no_route_and_no_entry_is_wanted() {
    let mut world = near();
    far_vpc(&mut world);
    peering(&mut world, "active", crate::world::ACCOUNT, "us-east-1");
    let mut spec = spec(with(at("10.1.1.7"), "securityGroupId", json!(FAR_GROUP)), peered());
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    needs("check", &mut world, spec, &[out(5432, FAR_GROUP), rule(FAR_GROUP, "in", 5432, REPLICATION)]);
}

fn peered() -> Value {
    json!({"type": "PeeredVpc", "peeredVpc": {"peeringConnectionId": PEERING}})
}

fn peered_borders() -> Vec<String> {
    let mut expected = vec![format!("route/{NEAR_TABLE}/10.1.0.0/16"), format!("route/{FAR_TABLE}/10.0.0.0/16")];
    for near in NEAR {
        expected.extend(entries(5432, (NEAR_ACL, near), (FAR_ACL, "10.1.1.0/24")));
    }
    expected.sort();
    expected.dedup();
    expected
}

#[test]
fn peered_vpcs_need_references_routes_both_ways_and_entries_on_both_sides() {
    let mut world = near();
    far_vpc(&mut world);
    peering(&mut world, "active", crate::world::ACCOUNT, "us-east-1");
    let database = with(with(at("db.internal"), "securityGroupId", json!(FAR_GROUP)), "subnetIds", json!([FAR_SUBNET]));
    let mut expected = peered_borders();
    expected.extend([out(5432, FAR_GROUP), rule(FAR_GROUP, "in", 5432, REPLICATION)]);
    let mut network = needs("peering", &mut world, spec(database, peered()), &expected);
    let table = &world.picture.route_tables[&RouteTableId::from(FAR_TABLE)];
    assert!(table.routes.iter().any(|r| r.target == Target::PeeringConnection(PEERING.into())));
    for _ in 0..3 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert_eq!((network.ledger.len(), world.rules().len()), (0, 0), "all of it is given back");
    assert!(world.picture.route_tables.values().all(|t| t.routes.iter().all(|r| r.target == Target::Local)));
    assert!(world.picture.acls.values().all(|a| a.entries.is_empty()));
}

#[test]
fn without_a_group_the_peers_addresses_are_let_out_to() {
    let mut world = near();
    far_vpc(&mut world);
    peering(&mut world, "active", crate::world::ACCOUNT, "us-east-1");
    let mut plain = |database: Value, peer: &str| {
        let mut spec = spec(database, peered());
        (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
        needs(peer, &mut world, spec, &[out(5432, peer)]);
        world.rules().iter().for_each(|(g, ..)| assert_eq!(g.as_str(), REPLICATION));
        world.picture.rules.clear();
        world.claims = dmsnet::plan::Claims::default();
    };
    plain(at("10.1.9.9"), "10.1.9.9/32");
    plain(at("db.internal"), "10.1.0.0/16");
    plain(with(at("db.internal"), "subnetIds", json!([FAR_SUBNET])), "10.1.1.0/24");
}

#[test]
fn on_premises_is_let_out_to_by_cidr_and_a_host_between_lets_in_and_out() {
    let path = json!({"type": "OnPremises", "onPremises": {"cidrs": ["10.50.0.0/16"]}});
    let out_entries =
        || vec![format!("acl-entry/{NEAR_ACL}/out/tcp/5432/10.50.0.0/16"), format!("acl-entry/{NEAR_ACL}/in/tcp/32768-65535/10.50.0.0/16")];
    let mut expected = out_entries();
    expected.push(out(5432, "10.50.0.0/16"));
    needs("VPN", &mut near(), spec(at("db.corp"), path), &expected);

    let mut world = near();
    group(&mut world, "sg-0a000009", VPC);
    let host = NetworkInterface {
        id: "eni-0a000009".into(),
        vpc: VPC.into(),
        subnet: "subnet-0a000003".into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec![ip("10.0.3.9")],
        public_ips: vec![],
        groups: vec!["sg-0a000009".into()],
        source_dest_check: false,
    };
    world.picture.interfaces.insert(host.id.clone(), Arc::new(host));
    let bridged = json!({"type": "OnPremises", "onPremises": {
        "natHost": {"securityGroupId": "sg-0a000009", "networkInterfaceId": "eni-0a000009"}}});
    let mut expected: Vec<String> = vec![
        out(5432, "10.50.0.7/32"),
        rule("sg-0a000009", "in", 5432, REPLICATION),
        rule("sg-0a000009", "out", 5432, "10.50.0.7/32"),
        format!("route/{NEAR_TABLE}/10.50.0.7/32"),
        format!("acl-entry/{NEAR_ACL}/out/tcp/5432/10.50.0.7/32"),
        format!("acl-entry/{NEAR_ACL}/in/tcp/32768-65535/10.50.0.7/32"),
    ];
    for near in NEAR {
        expected.push(format!("acl-entry/{NEAR_ACL}/in/tcp/5432/{near}"));
        expected.push(format!("acl-entry/{NEAR_ACL}/out/tcp/32768-65535/{near}"));
    }
    needs("NAT host", &mut world, spec(at("10.50.0.7"), bridged), &expected);
    let routes = &world.picture.route_tables[&RouteTableId::from(NEAR_TABLE)].routes;
    assert!(routes.iter().any(|r| r.target == Target::NetworkInterface(Some("eni-0a000009".into()))));
}

#[test]
fn over_the_internet_the_far_group_admits_the_instances_public_address() {
    let mut world = near();
    public(&mut world, &["198.51.100.9"]);
    let gateway = InternetGateway { id: "igw-0a000001".into(), vpc: VPC.into() };
    world.picture.internet_gateways.insert(VPC.into(), Arc::new(gateway));
    far_vpc(&mut world);
    let database = with(with(at("203.0.113.7"), "securityGroupId", json!(FAR_GROUP)), "subnetIds", json!([FAR_SUBNET]));
    let expected = [
        out(5432, "203.0.113.7/32"),
        rule(FAR_GROUP, "in", 5432, "198.51.100.9/32"),
        format!("route/{NEAR_TABLE}/203.0.113.7/32"),
        format!("acl-entry/{NEAR_ACL}/out/tcp/5432/203.0.113.7/32"),
        format!("acl-entry/{NEAR_ACL}/in/tcp/32768-65535/203.0.113.7/32"),
        format!("acl-entry/{FAR_ACL}/in/tcp/5432/198.51.100.9/32"),
        format!("acl-entry/{FAR_ACL}/out/tcp/32768-65535/198.51.100.9/32"),
    ];
    let mut network = needs("internet", &mut world, spec(database, json!({"type": "Internet"})), &expected);
    // An address that AWS changes is followed: the new rule comes before the old one goes.
    public(&mut world, &["198.51.100.10"]);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.drift, [], "a new fact is no drift");
    let admits: Vec<String> = world.picture.rules_of(&FAR_GROUP.into()).iter().map(|r| r.shape.to_string()).collect();
    assert_eq!(admits, ["in/tcp/5432/198.51.100.10/32"]);
}

#[test]
fn names_are_let_out_to_as_they_resolve_in_both_families() {
    let mut world = near();
    public(&mut world, &["198.51.100.9"]);
    let resolved = Resolution::Addresses(vec![ip("203.0.113.7"), ip("203.0.113.8"), ip("2001:db8::7")]);
    world.picture.hosts.insert("db.example.com".into(), resolved);
    let mut spec = spec(at("db.example.com"), json!({"type": "Internet"}));
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    let expected = [out(5432, "203.0.113.7/32"), out(5432, "203.0.113.8/32"), out(5432, "2001:db8::7/128")];
    needs("names", &mut world, spec, &expected);
}

fn two_gateways() -> World {
    let mut world = near();
    far_vpc(&mut world);
    nat(
        &mut world,
        "nat-0a000001",
        "subnet-0a000003",
        "available",
        &[("198.51.100.1", true), ("198.51.100.2", true), ("198.51.100.3", false)],
    );
    nat(&mut world, "nat-0a000002", "subnet-0a000003", "available", &[("198.51.100.4", true)]);
    nat(&mut world, "nat-0a000003", "subnet-0a000003", "available", &[("198.51.100.5", true)]);
    default_route(&mut world, NEAR_TABLE, Target::NatGateway("nat-0a000001".into()));
    // The second subnet has a table of its own, with a gateway of its own.
    borders(&mut world, VPC, "rtb-0a000002", "acl-0a000009", &[]);
    world.edit_table(&"rtb-0a000002".into(), |t| {
        t.main = false;
        t.subnets = vec!["subnet-0a000002".into()];
    });
    default_route(&mut world, "rtb-0a000002", Target::NatGateway("nat-0a000002".into()));
    world
}

#[test]
fn behind_nat_the_far_group_admits_every_address_in_use_of_every_gateway_on_the_routes() {
    let mut world = two_gateways();
    let database = with(at("203.0.113.7"), "securityGroupId", json!(FAR_GROUP));
    let mut spec_ = spec(database, json!({"type": "NatGateway"}));
    (spec_["routes"], spec_["networkAcls"]) = (json!("Check"), json!("Check"));
    let admits = |ips: &[&str]| -> Vec<String> {
        let mut all: Vec<String> = ips.iter().map(|i| rule(FAR_GROUP, "in", 5432, &format!("{i}/32"))).collect();
        all.push(out(5432, "203.0.113.7/32"));
        all
    };
    let mut network = needs("NAT", &mut world, spec_.clone(), &admits(&["198.51.100.1", "198.51.100.2", "198.51.100.4"]));
    // One address comes, another goes.
    nat(&mut world, "nat-0a000001", "subnet-0a000003", "available", &[("198.51.100.2", true), ("198.51.100.3", true)]);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.drift, []);
    let mut wanted = admits(&["198.51.100.2", "198.51.100.3", "198.51.100.4"]);
    wanted.sort();
    assert_eq!(wants(&world.plan(&network, None)), wanted);
    assert_eq!(world.picture.rules_of(&FAR_GROUP.into()).len(), 3);
    // Named gateways count instead of the routes.
    spec_["databases"][0]["path"]["natGateway"] = json!({"natGatewayIds": ["nat-0a000003"]});
    network.spec = serde_json::from_value(spec_).unwrap();
    world.pass(&mut network, None);
    let shapes: Vec<String> = world.picture.rules_of(&FAR_GROUP.into()).iter().map(|r| r.shape.to_string()).collect();
    assert_eq!(shapes, ["in/tcp/5432/198.51.100.5/32"]);
}

#[test]
fn a_nat_gateways_own_subnet_is_crossed_by_all_four_legs() {
    let mut world = near();
    nat(&mut world, "nat-0a000001", "subnet-0a000003", "available", &[("198.51.100.1", true)]);
    let path = json!({"type": "NatGateway", "natGateway": {"cidrs": ["203.0.113.0/24"], "natGatewayIds": ["nat-0a000001"]}});
    let mut expected = vec![
        out(5432, "203.0.113.0/24"),
        format!("route/{NEAR_TABLE}/203.0.113.0/24"),
        format!("acl-entry/{NEAR_ACL}/out/tcp/5432/203.0.113.0/24"),
        // NAT gateways take answers on 1024 to 65535: the replication's own ports are among them.
        format!("acl-entry/{NEAR_ACL}/in/tcp/1024-65535/203.0.113.0/24"),
    ];
    for near in NEAR {
        expected.push(format!("acl-entry/{NEAR_ACL}/in/tcp/5432/{near}"));
        expected.push(format!("acl-entry/{NEAR_ACL}/out/tcp/32768-65535/{near}"));
    }
    needs("NAT subnet", &mut world, spec(at("db.example.com"), path), &expected);
}

#[test]
fn of_classic_link_the_proxy_is_left_and_status_says_that_it_is_retired() {
    let mut world = near();
    group(&mut world, "sg-0a000009", VPC);
    for (direction, number) in [(Direction::In, 100), (Direction::Out, 100)] {
        let all = AclEntry { direction, number, protocol: Protocol::All, ports: None, cidr: net("0.0.0.0/0"), allow: true };
        world.edit_acl(&NEAR_ACL.into(), |a| a.entries.push(all));
    }
    let path =
        json!({"type": "ClassicLink", "classicLink": {"proxy": {"securityGroupId": "sg-0a000009", "host": "10.0.3.9", "port": 15432}}});
    let mut spec = spec(at("10.9.0.7"), path);
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    let network = needs("proxy", &mut world, spec, &[out(15432, "sg-0a000009"), rule("sg-0a000009", "in", 15432, REPLICATION)]);
    let plan = world.plan(&network, None);
    let told: Vec<&str> = plan.databases[0].unknown.iter().map(|u| u.code.as_str()).collect();
    assert_eq!(told, ["ConfigurationRetired", "BeyondProxyUnknown"]);
    let condition = dmsnet::plan::proof::paths_open(&plan.databases);
    assert_eq!((condition.status, condition.reason), (Truth::True, Reason::ConfigurationRetired));
}

#[test]
fn serverless_has_a_subnet_group_and_groups_and_no_addresses() {
    let mut world = near();
    let config = ReplicationConfig {
        identifier: "orders-cfg".into(),
        arn: "arn:aws:dms:us-east-1:111122223333:replication-config:X".into(),
        subnet_group: "private".into(),
        groups: vec![REPLICATION.into()],
        endpoints: vec![],
    };
    world.picture.configs.insert("orders-cfg".into(), Arc::new(config));
    let place =
        SubnetGroup { identifier: "private".into(), vpc: VPC.into(), subnets: vec!["subnet-0a000001".into(), "subnet-0a000002".into()] };
    world.picture.subnet_groups.insert("private".into(), Arc::new(place));
    let mut spec =
        spec(with(with(at("10.0.3.7"), "securityGroupId", json!(SOURCE)), "ingressFrom", json!("SubnetCidrs")), json!({"type": "SameVpc"}));
    spec["replication"] = json!({"serverless": "orders-cfg"});
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    let expected = [out(5432, SOURCE), rule(SOURCE, "in", 5432, NEAR[0]), rule(SOURCE, "in", 5432, NEAR[1])];
    let network = needs("serverless", &mut world, spec, &expected);
    let told = world.plan(&network, None).replication.unwrap();
    assert_eq!((told.vpc_id.as_deref(), told.subnet_ids.len(), told.private_ips.len()), (Some(VPC), 2, 0));
}

#[test]
fn a_cluster_is_where_its_subnet_group_is() {
    let mut world = near();
    far_vpc(&mut world);
    peering(&mut world, "active", crate::world::ACCOUNT, "us-east-1");
    let cluster = RdsDatabase {
        identifier: "orders".into(),
        engine: "aurora-postgresql".into(),
        status: "available".into(),
        host: Some("orders.cluster-x.us-east-1.rds.amazonaws.com".into()),
        port: Some(5432),
        vpc: None,
        subnets: vec![],
        groups: vec![FAR_GROUP.into()],
        publicly_accessible: false,
        subnet_group: Some("data".into()),
    };
    world.picture.db_clusters.insert("orders".into(), Arc::new(cluster));
    let place = SubnetGroup { identifier: "data".into(), vpc: FAR_VPC.into(), subnets: vec![FAR_SUBNET.into()] };
    world.picture.db_subnet_groups.insert("data".into(), Arc::new(place));
    let mut expected = peered_borders();
    expected.extend([out(5432, FAR_GROUP), rule(FAR_GROUP, "in", 5432, REPLICATION)]);
    needs("cluster", &mut world, spec(json!({"rds": {"cluster": "orders"}}), peered()), &expected);
    let mut wrong = spec(json!({"rds": {"cluster": "orders"}}), json!({"type": "SameVpc"}));
    wrong["routes"] = json!("Check");
    let told = problems(&world.plan(&Network::new(2, wrong), None));
    assert!(told.iter().any(|p| p.contains("is in vpc-0b000001, the replication in vpc-0a000001")), "{told:?}");
}

#[test]
fn hosts_that_only_the_engines_settings_tell_are_let_out_to() {
    let mut world = near();
    let endpoint = Arc::make_mut(world.picture.dms_endpoints.get_mut("orders-src").unwrap());
    endpoint.engine = "kafka".into();
    (endpoint.host, endpoint.port) = (None, None);
    endpoint.more_hosts = vec![("10.0.3.1".into(), Some(9094)), ("10.0.3.2".into(), Some(9096))];
    let mut spec = spec(json!({"dmsEndpoint": "orders-src"}), json!({"type": "SameVpc"}));
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    needs("brokers", &mut world, spec, &[out(9094, "10.0.3.1/32"), out(9096, "10.0.3.2/32")]);
}
