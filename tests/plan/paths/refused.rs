//! Bad input and bad facts: a sentence that names the resource and says what to do, and nothing is torn down.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{land::*, peered};
use crate::world::{ACCOUNT, Network, REPLICATION, SOURCE, VPC, World};

fn refused(name: &str, world: &mut World, spec: Value, words: &[&str]) {
    let plan = world.plan(&Network::new(1, spec), None);
    let told = problems(&plan);
    assert!(told.iter().any(|t| words.iter().all(|w| t.contains(w))), "{name}: wanted {words:?}, found {told:#?}");
}

fn peered_world(status: &str) -> World {
    let mut world = near();
    far_vpc(&mut world);
    peering(&mut world, status, ACCOUNT, "us-east-1");
    world
}

fn peered_spec() -> Value {
    spec(with(at("10.1.1.7"), "securityGroupId", json!(FAR_GROUP)), peered())
}

#[test]
fn peerings_through_which_nothing_passes() {
    for (status, words) in [
        ("pending-acceptance", "must accept it within 7 days"),
        ("provisioning", "AWS is at work"),
        ("expired", "create a new one"),
        ("rejected", "create a new one"),
        ("deleted", "create a new one"),
    ] {
        refused(status, &mut peered_world(status), peered_spec(), &["ReferenceNotFound", PEERING, &format!("is {status}"), words]);
    }
    let mut gone = peered_world("active");
    gone.picture.peerings.clear();
    refused("gone", &mut gone, peered_spec(), &["ReferenceNotFound", "peering connection pcx-0a000001 does not exist"]);
    let mut overlapping = peered_world("active");
    let peering = Arc::make_mut(overlapping.picture.peerings.get_mut(PEERING).unwrap());
    peering.accepter.cidrs = vec![net("10.0.128.0/17")];
    refused("overlap", &mut overlapping, peered_spec(), &["InvalidSpec", "10.0.0.0/16", "10.0.128.0/17", "overlap"]);
    let mut elsewhere = peered_world("active");
    let peering = Arc::make_mut(elsewhere.picture.peerings.get_mut(PEERING).unwrap());
    peering.requester.vpc = "vpc-0c000001".into();
    refused("of others", &mut elsewhere, peered_spec(), &["joins vpc-0c000001 and vpc-0b000001", "the replication is in vpc-0a000001"]);
    let mut stranger = near();
    far_vpc(&mut stranger);
    super::land::peering(&mut stranger, "active", OTHER_ACCOUNT, "us-east-1");
    refused("other account", &mut stranger, peered_spec(), &["InvalidSpec", "className", OTHER_ACCOUNT]);
}

#[test]
fn a_peering_that_falls_tears_nothing_down() {
    let mut world = peered_world("active");
    let mut network = Network::new(1, peered_spec());
    world.pass(&mut network, None);
    let before = (world.rules().len(), network.ledger.len());
    assert!(before.0 == 2 && before.1 > 4, "{before:?}");
    peering(&mut world, "deleted", ACCOUNT, "us-east-1");
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.changes, []);
    assert_eq!((world.rules().len(), network.ledger.len()), before);
}

#[test]
fn blocks_that_do_not_fit_the_type() {
    for (path, words) in [
        (json!({"type": "PeeredVpc"}), "needs its block peeredVpc"),
        (json!({"type": "ClassicLink"}), "needs its block classicLink"),
        (json!({"type": "SameVpc", "internet": {}}), "internet belongs to type Internet"),
        (json!({"type": "Internet", "natGateway": {}}), "natGateway belongs to type NatGateway"),
        (json!({"type": "Internet", "internet": {"cidrs": ["10.0.1.5/16"]}}), "write 10.0.0.0/16"),
    ] {
        refused(words, &mut near(), spec(at("203.0.113.7"), path), &["InvalidSpec", words]);
    }
}

#[test]
fn nat_gateways_that_give_no_address() {
    let database = || with(at("203.0.113.7"), "securityGroupId", json!(SOURCE));
    let path = |ids: Value| json!({"type": "NatGateway", "natGateway": {"natGatewayIds": ids}});
    let nat_spec = || spec(database(), json!({"type": "NatGateway"}));
    refused("no route", &mut near(), nat_spec(), &["no route table", "subnet-0a000001,subnet-0a000002", "leads to a NAT gateway"]);
    for (state, words) in [("failed", "Gateway.NotAttached"), ("pending", "its addresses are not known yet")] {
        let mut world = near();
        nat(&mut world, "nat-0a000001", "subnet-0a000003", state, &[("198.51.100.1", true)]);
        refused(state, &mut world, spec(database(), path(json!(["nat-0a000001"]))), &["nat-0a000001", state, words]);
    }
    refused("missing", &mut near(), spec(database(), path(json!(["nat-0a0000ff"]))), &["NAT gateway nat-0a0000ff does not exist"]);
    let mut private = near();
    nat(&mut private, "nat-0a000001", "subnet-0a000003", "available", &[("198.51.100.1", true)]);
    Arc::make_mut(private.picture.nat_gateways.get_mut("nat-0a000001").unwrap()).public = false;
    refused("private", &mut private, spec(database(), path(json!(["nat-0a000001"]))), &["is private", "route to a public one"]);
}

#[test]
fn paths_that_contradict_what_is_there() {
    let internet = || json!({"type": "Internet"});
    let grouped = with(at("203.0.113.7"), "securityGroupId", json!(SOURCE));
    refused(
        "private instance",
        &mut near(),
        spec(grouped.clone(), internet()),
        &[SOURCE, "public address", "PubliclyAccessible", "NatGateway"],
    );
    refused(
        "private address",
        &mut near(),
        spec(at("10.9.0.7"), internet()),
        &["InvalidSpec", "10.9.0.7", "which the internet does not carry"],
    );
    let by_group = with(grouped, "ingressFrom", json!("SecurityGroup"));
    let mut world = near();
    public(&mut world, &["198.51.100.9"]);
    refused("reference", &mut world, spec(by_group, internet()), &["InvalidSpec", "ingressFrom SecurityGroup matches nothing", "Auto"]);
    let mut serverless = spec(at("203.0.113.7"), internet());
    serverless["replication"] = json!({"serverless": "nope"});
    refused("no config", &mut near(), serverless, &["DMS replication config \"nope\" does not exist"]);
    let secret = |w: &mut World| {
        let endpoint = Arc::make_mut(w.picture.dms_endpoints.get_mut("orders-src").unwrap());
        (endpoint.host, endpoint.secret) = (None, Some("orders/db".into()));
    };
    let mut world = near();
    secret(&mut world);
    let by_endpoint = spec(json!({"dmsEndpoint": "orders-src"}), json!({"type": "SameVpc"}));
    refused("secret", &mut world, by_endpoint, &["InvalidSpec", "the secret orders/db", "write engine, host and port under address"]);
    let unresolved = spec(at("db.corp"), json!({"type": "OnPremises"}));
    let mut world = near();
    world.picture.hosts.insert("db.corp".into(), dmsnet::model::Resolution::Failed("no such host".into()));
    refused(
        "unresolved",
        &mut world,
        unresolved,
        &["ReferenceNotFound", "db.corp does not resolve from here (no such host)", "onPremises.cidrs"],
    );
}

#[test]
fn hosts_between_must_be_what_they_are_said_to_be() {
    let host = |group: &str| {
        json!({"type": "OnPremises", "onPremises": {"cidrs": ["10.50.0.0/16"],
        "natHost": {"securityGroupId": group, "networkInterfaceId": "eni-0a000009"}}})
    };
    refused("missing", &mut near(), spec(at("10.50.0.7"), host(SOURCE)), &["network interface eni-0a000009 does not exist"]);
    let mut world = near();
    let interface = dmsnet::model::NetworkInterface {
        id: "eni-0a000009".into(),
        vpc: VPC.into(),
        subnet: "subnet-0a000003".into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec![],
        public_ips: vec![],
        groups: vec![REPLICATION.into()],
        source_dest_check: true,
    };
    world.picture.interfaces.insert(interface.id.clone(), Arc::new(interface));
    refused("group", &mut world, spec(at("10.50.0.7"), host(SOURCE)), &["security group sg-0a000002 is not on eni-0a000009", REPLICATION]);
}

#[test]
fn opposing_routes_are_told() {
    let mut world = peered_world("active");
    let mut spec = peered_spec();
    let other = json!({"name": "other", "address": {"engine": "postgres", "endpoints": [{"host": "10.1.0.0"}]},
        "path": {"type": "OnPremises", "onPremises": {"cidrs": ["10.1.0.0/16"],
            "natHost": {"securityGroupId": SOURCE, "networkInterfaceId": "eni-0a000009"}}}});
    spec["databases"].as_array_mut().unwrap().push(other);
    let interface = dmsnet::model::NetworkInterface {
        id: "eni-0a000009".into(),
        vpc: VPC.into(),
        subnet: "subnet-0a000003".into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec![],
        public_ips: vec![],
        groups: vec![SOURCE.into()],
        source_dest_check: false,
    };
    world.picture.interfaces.insert(interface.id.clone(), Arc::new(interface));
    refused("routes", &mut world, spec, &["InvalidSpec", NEAR_TABLE, PEERING, "eni-0a000009", "one table cannot do both"]);
}

#[test]
fn an_address_outside_the_subnets_that_are_named() {
    let named = |host: &str, path: Value, subnet: &str| spec(with(at(host), "subnetIds", json!([subnet])), path);
    let same = || json!({"type": "SameVpc"});
    let told = [
        "InvalidSpec: database \"db\".subnetIds: database \"db\": 10.0.2.9 lies in subnet-0a000002, but the database is in subnet-0a000003, \
         as subnetIds says: name subnet-0a000002 in subnetIds, too, or correct the host",
    ];
    refused("another subnet", &mut near(), named("10.0.2.9", same(), "subnet-0a000003"), &told);
    let mut checked = named("10.0.2.9", same(), "subnet-0a000003");
    (checked["routes"], checked["networkAcls"]) = (json!("Check"), json!("Check"));
    refused("in Check, too", &mut near(), checked, &told);
    refused(
        "no subnet",
        &mut near(),
        named("10.0.77.9", same(), "subnet-0a000003"),
        &["10.0.77.9 lies in no subnet of vpc-0a000001", "correct the host"],
    );
    let mut resolved = near();
    let addresses = dmsnet::model::Resolution::Addresses(vec![ip("10.0.2.9")]);
    resolved.picture.hosts.insert("db.internal".into(), addresses);
    refused(
        "by name",
        &mut resolved,
        named("db.internal", same(), "subnet-0a000003"),
        &["db.internal is 10.0.2.9, which lies in subnet-0a000002"],
    );
    let mut far = peered_world("active");
    subnet(&mut far, "subnet-0b000002", FAR_VPC, "us-east-1b", &["10.1.2.0/24"]);
    refused("peered", &mut far, named("10.1.2.7", peered(), FAR_SUBNET), &["InvalidSpec", "10.1.2.7 lies in subnet-0b000002", FAR_SUBNET]);

    // A public address of a name tells nothing about the subnet.
    let mut public = near();
    public.picture.hosts.insert("db.internal".into(), dmsnet::model::Resolution::Addresses(vec![ip("203.0.113.9")]));
    let plan = public.plan(&Network::new(1, named("db.internal", same(), "subnet-0a000003")), None);
    assert_eq!(problems(&plan), Vec::<String>::new());
}

#[test]
fn a_contradiction_tears_nothing_down() {
    let mut world = near();
    let database = with(with(at("10.0.3.7"), "securityGroupId", json!(SOURCE)), "subnetIds", json!(["subnet-0a000003"]));
    let mut network = Network::new(1, spec(database, json!({"type": "SameVpc"})));
    world.pass(&mut network, None);
    let (before, ledger) = (world.shape(), network.ledger.len());
    network.spec.databases[0].subnet_ids = vec!["subnet-0a000002".into()];
    let plan = world.pass(&mut network, None);
    assert!(problems(&plan)[0].contains("10.0.3.7 lies in subnet-0a000003"), "{:?}", problems(&plan));
    assert_eq!((world.shape(), network.ledger.len()), (before, ledger));
    // As the message says.
    network.spec.databases[0].subnet_ids.push("subnet-0a000003".into());
    assert_eq!(problems(&world.pass(&mut network, None)), Vec::<String>::new());
}
