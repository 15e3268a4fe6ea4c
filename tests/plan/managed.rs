//! Network ACL entries, routes and gateway endpoints as objects that are ours to keep.

use dmsnet::{
    api::{
        class::RuleNumbers,
        conditions::Reason,
        network::{DeletionPolicy, Upkeep},
    },
    model::*,
    plan::{Action, Change, Plan, record},
};
use serde_json::{Value, json};

use crate::world::{
    DATABASE_ACL, FAR_SUBNET, FAR_TABLE, NEAR_ACL, NEAR_TABLE, Network, OTHER_PEERING, PEERING, SECOND_TABLE, World, allow, route,
};

/// A database in the third subnet, behind an ACL of its own.
fn behind_acl(n: u32) -> Network {
    Network::new(
        n,
        json!({
            "replication": {"instance": "orders-ri"},
            "databases": [{"name": "db", "address": {"engine": "postgres", "endpoints": [{"host": "10.0.3.7"}]},
                           "subnetIds": ["subnet-0a000003"], "path": {"type": "SameVpc"}}],
            "networkAcls": "Manage",
        }),
    )
}

/// A database in the other VPC.
fn peered(n: u32, peering: &str) -> Network {
    Network::new(
        n,
        json!({
            "replication": {"instance": "orders-ri"},
            "databases": [{"name": "db", "address": {"engine": "postgres", "endpoints": [{"host": "10.1.1.7"}]}, "subnetIds": [FAR_SUBNET],
                           "path": {"type": "PeeredVpc", "peeredVpc": {"peeringConnectionId": peering}}}],
            "routes": "Manage",
        }),
    )
}

fn with_s3(n: u32, tables: &[&str]) -> Network {
    let mut endpoint = json!({"name": "s3", "service": "s3", "type": "Gateway"});
    if !tables.is_empty() {
        endpoint["routeTableIds"] = json!(tables);
    }
    let mut network = behind_acl(n);
    network.spec = dmsnet_spec(json!({"replication": {"instance": "orders-ri"}, "vpcEndpoints": [endpoint],
        "databases": [{"name": "db", "address": {"engine": "postgres", "endpoints": [{"host": "10.0.3.7"}]}, "path": {"type": "SameVpc"}}]}));
    network
}

fn dmsnet_spec(spec: Value) -> dmsnet::api::DmsNetworkSpec {
    serde_json::from_value(spec).unwrap()
}

fn shape(text: &str) -> AclShape {
    let parts: Vec<&str> = text.splitn(4, '/').collect();
    let direction = if parts[0] == "in" { Direction::In } else { Direction::Out };
    AclShape::tcp(direction, Ports::parse(parts[2]).unwrap(), parts[3].parse().unwrap())
}

fn deny(number: u16, text: &str) -> AclEntry {
    AclEntry { allow: false, ..allow(number, &shape(text)) }
}

fn entries(world: &World, acl: &str) -> Vec<String> {
    world.picture.acls[acl].entries.iter().map(|e| e.to_string()).collect()
}

fn routes(world: &World, table: &str) -> Vec<String> {
    let table = &world.picture.route_tables[table];
    table.routes.iter().filter(|r| r.target != Target::Local).map(|r| format!("{} to {}", r.destination, r.target)).collect()
}

fn drift(plan: &Plan) -> Vec<String> {
    plan.drift.iter().map(|d| format!("{} {}", d.kind, d.resource)).collect()
}

fn problem(plan: &Plan) -> (Reason, String) {
    let [one] = plan.problems.as_slice() else { panic!("one problem: {:?}", plan.problems) };
    (one.reason, format!("{}: {}", one.resource, one.message))
}

fn cidr(text: &str) -> Destination {
    Destination::Cidr(text.parse().unwrap())
}

fn to(peering: &str) -> Target {
    Target::PeeringConnection(peering.into())
}

#[test]
fn closed_acls_get_the_four_entries_of_every_pair_of_subnets() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems, []);
    assert_eq!(plan.drift, []);
    assert_eq!(
        entries(&world, NEAR_ACL),
        ["20000 allow in/tcp/32768-65535/10.0.3.0/24", "20000 allow out/tcp/5432/10.0.3.0/24"],
        "both near subnets share an ACL, and each direction counts by itself"
    );
    assert_eq!(
        entries(&world, DATABASE_ACL),
        [
            "20000 allow in/tcp/5432/10.0.1.0/24",
            "20001 allow in/tcp/5432/10.0.2.0/24",
            "20000 allow out/tcp/32768-65535/10.0.1.0/24",
            "20001 allow out/tcp/32768-65535/10.0.2.0/24",
        ]
    );
    let tags = &world.picture.acls[DATABASE_ACL].tags;
    assert_eq!(tags.len(), 4);
    assert_eq!(tags["dmsnet.dev/entry/in-20001"], "cluster");
    let made = network.ledger.iter().filter(|e| e.key.starts_with("acl-entry/") && e.made).count();
    assert_eq!(made, 6);
    assert!(world.plan(&network, None).is_empty(), "a fixed point");
    let fresh = world.plan(&network, None).fresh;
    assert!(fresh.contains(&Need::NetworkAclsOf("vpc-0a000001".into())), "what is managed is read like rules");
}

#[test]
fn in_check_nothing_is_wanted_and_nothing_is_fresh() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    network.spec.network_acls = Upkeep::Check;
    let plan = world.pass(&mut network, None);
    assert!(plan.changes.iter().all(|c| matches!(c, Change::CreateRule { .. })), "{:?}", plan.changes);
    assert!(plan.fresh.is_empty());
    assert!(entries(&world, NEAR_ACL).is_empty());
}

#[test]
fn what_others_let_through_satisfies_and_stays_theirs() {
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| {
        for direction in [Direction::In, Direction::Out] {
            let all = AclShape { direction, protocol: Protocol::All, ports: None, cidr: "0.0.0.0/0".parse().unwrap() };
            acl.entries.push(allow(100, &all));
        }
    });
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    assert_eq!(entries(&world, NEAR_ACL), ["100 allow in/all/all/0.0.0.0/0", "100 allow out/all/all/0.0.0.0/0"]);
    let near: Vec<_> = network.ledger.iter().filter(|e| e.key.contains(NEAR_ACL)).map(|e| (e.id.as_deref(), e.made)).collect();
    assert_eq!(near, [(Some("in-100"), false), (Some("out-100"), false)]);
    // Gone: ours takes its place, as a drift.
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.retain(|e| e.direction == Direction::In));
    let plan = world.pass(&mut network, None);
    assert_eq!(drift(&plan), ["AclEntryMissing acl-entry/acl-0a000001/out/tcp/5432/10.0.3.0/24"]);
    assert_eq!(entries(&world, NEAR_ACL), ["100 allow in/all/all/0.0.0.0/0", "20000 allow out/tcp/5432/10.0.3.0/24"]);
    // Theirs came back: ours stays until it is given up.
    assert!(world.plan(&network, None).is_empty());
    world.pass(&mut network, Some(DeletionPolicy::Delete));
    assert_eq!(entries(&world, NEAR_ACL), ["100 allow in/all/all/0.0.0.0/0"]);
    assert!(world.picture.acls[NEAR_ACL].tags.is_empty(), "the record goes last, and goes");
}

#[test]
fn an_entry_that_is_edited_or_deleted_is_put_right() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    let whole = entries(&world, DATABASE_ACL);
    world.edit_acl(&DATABASE_ACL.into(), |acl| acl.entries[0].ports = Some(Ports::one(7)));
    let plan = world.pass(&mut network, None);
    assert_eq!(drift(&plan), ["AclEntryChanged acl-entry/acl-0a000002/in/tcp/5432/10.0.1.0/24"]);
    assert_eq!(plan.drift[0].found, "20000 allow in/tcp/7/10.0.1.0/24");
    assert_eq!(plan.changes.iter().map(Change::action).collect::<Vec<_>>(), [Action::Modify]);
    assert_eq!(entries(&world, DATABASE_ACL), whole);
    world.edit_acl(&DATABASE_ACL.into(), |acl| acl.entries.retain(|e| e.shape() != shape("in/tcp/5432/10.0.2.0/24")));
    let plan = world.pass(&mut network, None);
    assert_eq!(drift(&plan), ["AclEntryMissing acl-entry/acl-0a000002/in/tcp/5432/10.0.2.0/24"]);
    assert_eq!(entries(&world, DATABASE_ACL), whole, "with its old number");
    // Turned into a deny, it is still ours.
    world.edit_acl(&DATABASE_ACL.into(), |acl| acl.entries[0].allow = false);
    assert_eq!(drift(&world.pass(&mut network, None)), ["AclEntryChanged acl-entry/acl-0a000002/in/tcp/5432/10.0.1.0/24"]);
    assert_eq!(entries(&world, DATABASE_ACL), whole);
}

#[test]
fn without_its_record_an_entry_is_foreign_even_in_our_range() {
    let mut world = World::with_borders("cluster");
    let theirs = allow(20_000, &shape("out/tcp/443/10.9.0.0/16"));
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(theirs.clone()));
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    assert!(entries(&world, NEAR_ACL).contains(&"20001 allow out/tcp/5432/10.0.3.0/24".to_owned()), "{:?}", entries(&world, NEAR_ACL));
    // The record of one of ours is taken off: it satisfies, and is no longer ours to take away.
    world.retag(NEAR_ACL, |tags| drop(tags.remove("dmsnet.dev/entry/out-20001")));
    assert!(world.pass(&mut network, None).is_empty());
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert_eq!(entries(&world, NEAR_ACL), ["20000 allow out/tcp/443/10.9.0.0/16", "20001 allow out/tcp/5432/10.0.3.0/24"]);
    assert_eq!(network.ledger, []);
}

#[test]
fn ours_never_comes_ahead_of_a_deny() {
    // Ahead of our range: the rest of it opens behind the deny.
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(50, "in/tcp/40000/0.0.0.0/0")));
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    assert!(entries(&world, NEAR_ACL).contains(&"20000 allow in/tcp/32768-65535/10.0.3.0/24".to_owned()));

    // Within our range: behind it.
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(20_005, "out/tcp/5432/10.0.3.9/32")));
    let mut network = behind_acl(1);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems, []);
    assert!(entries(&world, NEAR_ACL).contains(&"20006 allow out/tcp/5432/10.0.3.0/24".to_owned()), "{:?}", entries(&world, NEAR_ACL));

    // Behind our range: only places ahead of it are left, so nothing is written, and the fix is named.
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(30_000, "out/tcp/5432/10.0.3.9/32")));
    let mut network = behind_acl(1);
    let plan = world.pass(&mut network, None);
    let (reason, text) = problem(&plan);
    assert_eq!(reason, Reason::Conflict);
    assert!(text.starts_with("acl-entry/acl-0a000001/out/tcp/5432/10.0.3.0/24: "), "{text}");
    assert!(text.contains("entry 30000 deny out/tcp/5432/10.0.3.9/32") && text.contains("networkAclRuleNumbers"), "{text}");
    assert_eq!(entries(&world, NEAR_ACL).len(), 2, "the deny, and the entry for answers");

    // All of it denied ahead of whatever we could write: no entry of ours would help.
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(50, "out/tcp/5000-6000/10.0.0.0/8")));
    let mut network = behind_acl(1);
    let (reason, text) = problem(&world.pass(&mut network, None));
    assert_eq!(reason, Reason::Conflict);
    assert!(text.contains("denies all of it by its entries 50"), "{text}");

    // A deny that has nothing to do with it is no obstacle.
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(30_000, "out/tcp/22/0.0.0.0/0")));
    let mut network = behind_acl(1);
    assert_eq!(world.pass(&mut network, None).problems, []);

    // One that was added later, behind ours, is named: whoever wrote it may have meant it.
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(deny(30_001, "out/tcp/5432/10.0.0.0/8")));
    let plan = world.pass(&mut network, None);
    let (reason, text) = problem(&plan);
    assert_eq!(reason, Reason::Conflict);
    assert!(text.contains("our entry 20000 comes ahead of entry 30001") && plan.is_empty(), "{text}");
}

#[test]
fn a_full_acl_or_range_is_named_and_the_rest_goes_on() {
    let mut world = World::with_borders("cluster");
    world.edit_acl(&NEAR_ACL.into(), |acl| {
        acl.entries.extend((1..=19).map(|n| allow(n, &shape(&format!("out/tcp/{n}/10.0.3.0/24")))));
    });
    let mut network = behind_acl(1);
    let (reason, text) = problem(&world.pass(&mut network, None));
    assert_eq!(reason, Reason::QuotaExceeded);
    assert!(text.contains("19 of the 19 entries that AWS allows out for IPv4"), "{text}");
    assert_eq!(entries(&world, NEAR_ACL).len(), 20, "the other direction has room");

    let mut world = World::with_borders("cluster");
    world.guardrails.network_acl_rule_numbers = Some(RuleNumbers { from: 20_000, to: 20_000 });
    let mut network = behind_acl(1);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems.len(), 2, "the database's ACL needs two in each direction: {:?}", plan.problems);
    assert!(plan.problems[0].message.contains("20000 to 20000"), "{:?}", plan.problems);

    let mut world = World::with_borders("cluster");
    world.retag(NEAR_ACL, |tags| tags.extend((0..49).map(|n| (format!("t{n}"), String::new()))));
    let mut network = behind_acl(1);
    let (reason, text) = problem(&world.pass(&mut network, None));
    assert_eq!(reason, Reason::QuotaExceeded);
    assert!(text.contains("acl-0a000001 has 50 tags"), "{text}");
}

#[test]
fn a_raised_quota_is_seen_where_it_is_used() {
    let mut world = World::with_borders("cluster");
    let mut acl = (*world.picture.acls[NEAR_ACL]).clone();
    acl.entries.extend((1..=20).map(|n| allow(n, &shape(&format!("out/tcp/{n}/10.0.3.0/24")))));
    world.picture.acls.insert(NEAR_ACL.into(), acl.into());
    let network = behind_acl(1);
    assert_eq!(world.plan(&network, None).problems, []);
}

#[test]
fn what_was_cut_off_between_record_and_entry_is_taken_up() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    // The ledger names all before the first write; then only a record was written.
    network.ledger = world.plan(&network, None).ledger;
    world.retag(NEAR_ACL, |tags| drop(tags.insert("dmsnet.dev/entry/out-20007".into(), "cluster".into())));
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.drift, [], "an intention is no drift");
    assert!(entries(&world, NEAR_ACL).contains(&"20007 allow out/tcp/5432/10.0.3.0/24".to_owned()));
    // Cut off, and deleted before it was taken up: the record does not stay behind.
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    network.ledger = world.plan(&network, None).ledger;
    world.retag(NEAR_ACL, |tags| drop(tags.insert("dmsnet.dev/entry/out-20007".into(), "cluster".into())));
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert!(world.picture.acls[NEAR_ACL].tags.is_empty());
    assert_eq!(network.ledger, []);
}

#[test]
fn entries_are_shared_and_the_last_one_out_removes() {
    let mut world = World::with_borders("cluster");
    let before = world.shape();
    let (mut a, mut b) = (behind_acl(1), behind_acl(2));
    world.pass(&mut a, None);
    let after = world.shape();
    assert!(world.pass(&mut b, None).is_empty(), "one entry serves both");
    assert!(b.ledger.iter().all(|e| e.made));
    for _ in 0..2 {
        world.pass(&mut a, Some(DeletionPolicy::Delete));
    }
    assert_eq!((a.ledger.len(), world.shape()), (0, after), "b still needs them");
    for _ in 0..2 {
        world.pass(&mut b, Some(DeletionPolicy::Delete));
    }
    assert_eq!((b.ledger.len(), world.shape()), (0, before));
    assert!(world.picture.acls.values().all(|a| a.tags.is_empty()));
}

#[test]
fn another_owners_entry_satisfies_and_is_left_to_it() {
    let mut world = World::with_borders("west");
    let mut theirs = behind_acl(1);
    world.pass(&mut theirs, None);
    let before = entries(&world, DATABASE_ACL);
    let (west, mut claims) = (std::mem::replace(&mut world.owner, Owner::parse("east").unwrap()), Default::default());
    std::mem::swap(&mut world.claims, &mut claims);
    let mut mine = behind_acl(2);
    let plan = world.pass(&mut mine, None);
    assert!(plan.changes.iter().all(|c| !matches!(c, Change::CreateAclEntry { .. })), "{:?}", plan.changes);
    for _ in 0..2 {
        world.pass(&mut mine, Some(DeletionPolicy::Delete));
    }
    assert_eq!(entries(&world, DATABASE_ACL), before);
    assert!(world.picture.acls[DATABASE_ACL].tags.values().all(|o| *o == west.to_string()));
}

#[test]
fn a_network_that_no_longer_manages_gives_up_what_it_made() {
    let mut world = World::with_borders("cluster");
    let before = entries(&world, NEAR_ACL);
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    network.spec.network_acls = Upkeep::Check;
    world.pass(&mut network, None);
    assert_eq!(entries(&world, NEAR_ACL), before);
    assert!(network.ledger.iter().all(|e| !e.key.starts_with("acl-entry/")));
}

#[test]
fn the_class_decides_who_may_manage() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    network.spec.routes = Upkeep::Manage;
    world.guardrails.network_acls = Upkeep::Check;
    let plan = world.pass(&mut network, None);
    let (reason, text) = problem(&plan);
    assert_eq!(reason, Reason::GuardrailViolated);
    assert!(text.starts_with("spec.networkAcls: ") && text.contains("networkAcls: Manage"), "{text}");
    assert!(entries(&world, NEAR_ACL).is_empty());
    let told: Vec<_> = plan.withheld.iter().map(|p| p.resource.as_str()).collect();
    assert_eq!(told.len(), 6, "what would be made is shown: {told:?}");
    // Ports of answers are nobody's to allow; the others are.
    world.guardrails.network_acls = Upkeep::Manage;
    world.guardrails.ports = Some(vec!["5432".into()]);
    assert_eq!(world.pass(&mut network, None).problems, []);
    // Tightened later: kept, not repaired; removing is always allowed.
    world.guardrails.network_acls = Upkeep::Check;
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.clear());
    let kept = world.pass(&mut network, None);
    assert!(kept.is_empty() && network.ledger.iter().any(|e| e.key.contains(NEAR_ACL)));
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert!(entries(&world, DATABASE_ACL).is_empty() && network.ledger.is_empty());
}

#[test]
fn a_peering_gets_its_routes_both_ways() {
    let mut world = World::with_borders("cluster");
    let mut network = peered(1, PEERING);
    let plan = world.pass(&mut network, None);
    assert_eq!((plan.problems, plan.drift), (vec![], vec![]));
    assert_eq!(routes(&world, NEAR_TABLE), ["10.1.0.0/16 to pcx-0a000001"]);
    assert_eq!(routes(&world, SECOND_TABLE), ["10.1.0.0/16 to pcx-0a000001"]);
    assert_eq!(routes(&world, FAR_TABLE), ["10.0.0.0/16 to pcx-0a000001"]);
    assert_eq!(world.picture.route_tables[FAR_TABLE].tags["dmsnet.dev/route/10.0.0.0/16"], "cluster");
    assert!(world.plan(&network, None).is_empty());
    // Deleted, or made to lead elsewhere: put right.
    world.edit_table(&NEAR_TABLE.into(), |t| t.routes.retain(|r| r.target == Target::Local));
    world.edit_table(&FAR_TABLE.into(), |t| t.routes.iter_mut().filter(|r| r.target != Target::Local).for_each(|r| r.target = to("pcx-9")));
    let plan = world.pass(&mut network, None);
    let mut found = drift(&plan);
    found.sort();
    assert_eq!(found, ["RouteChanged route/rtb-0b000001/10.0.0.0/16", "RouteMissing route/rtb-0a000001/10.1.0.0/16"]);
    assert_eq!(routes(&world, FAR_TABLE), ["10.0.0.0/16 to pcx-0a000001"]);
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert!(world.picture.route_tables.values().all(|t| t.routes.len() == 1 && t.tags.is_empty()));
    assert_eq!(network.ledger, []);
}

#[test]
fn a_route_of_others_satisfies_or_stands_in_the_way_and_is_never_replaced() {
    // A wider one that leads there already.
    let mut world = World::with_borders("cluster");
    world.edit_table(&NEAR_TABLE.into(), |t| t.routes.push(route(cidr("10.0.0.0/8"), to(PEERING))));
    let mut network = peered(1, PEERING);
    world.pass(&mut network, None);
    assert_eq!(routes(&world, NEAR_TABLE), ["10.0.0.0/8 to pcx-0a000001"]);
    let entry = network.ledger.iter().find(|e| e.key == "route/rtb-0a000001/10.1.0.0/16").unwrap();
    assert!(!entry.made && entry.id.as_deref() == Some("rtb-0a000001/10.0.0.0/8"));
    // A part of it goes astray: ours is needed beside it.
    world.edit_table(&NEAR_TABLE.into(), |t| t.routes.push(route(cidr("10.1.9.0/24"), to("pcx-9"))));
    world.pass(&mut network, None);
    assert_eq!(routes(&world, NEAR_TABLE).len(), 3);
    // The same destination to elsewhere.
    let mut world = World::with_borders("cluster");
    world.edit_table(&NEAR_TABLE.into(), |t| t.routes.push(route(cidr("10.1.0.0/16"), Target::TransitGateway("tgw-1".into()))));
    let mut network = peered(1, PEERING);
    let (reason, text) = problem(&world.pass(&mut network, None));
    assert_eq!(reason, Reason::Conflict);
    assert!(text.contains("rtb-0a000001 has a route for 10.1.0.0/16 to tgw-1") && text.contains("replace-route"), "{text}");
    assert_eq!(routes(&world, NEAR_TABLE), ["10.1.0.0/16 to tgw-1"]);
    assert_eq!(routes(&world, FAR_TABLE).len(), 1, "the others are made");
    // A blackhole of the same target is as wanted: replacing it would mend nothing.
    let mut world = World::with_borders("cluster");
    let dead = Route { state: RouteState::Blackhole, ..route(cidr("10.1.0.0/16"), to(PEERING)) };
    world.edit_table(&NEAR_TABLE.into(), |t| t.routes.push(dead));
    let mut network = peered(1, PEERING);
    let plan = world.pass(&mut network, None);
    assert!(plan.changes.iter().all(|c| c.key().is_none_or(|k| !k.to_string().contains(NEAR_TABLE))), "{:?}", plan.changes);
}

#[test]
fn a_propagated_route_gives_way_to_ours() {
    let mut world = World::with_borders("cluster");
    let learned = Route { origin: RouteOrigin::Propagated, ..route(cidr("10.1.0.0/16"), Target::VpnGateway("vgw-1".into())) };
    std::sync::Arc::make_mut(world.picture.route_tables.get_mut(NEAR_TABLE).unwrap()).routes.push(learned);
    let plan = world.plan(&peered(1, PEERING), None);
    assert_eq!(plan.problems, []);
    assert!(plan.changes.iter().any(|c| matches!(c, Change::CreateRoute { table, .. } if table.as_str() == NEAR_TABLE)));
}

#[test]
fn two_networks_that_want_one_route_to_lead_two_ways_do_not_fight() {
    let mut world = World::with_borders("cluster");
    let (mut old, mut young) = (peered(1, PEERING), peered(2, OTHER_PEERING));
    world.pass(&mut young, None);
    assert_eq!(routes(&world, FAR_TABLE), ["10.0.0.0/16 to pcx-0a000002"]);
    world.pass(&mut old, None);
    assert_eq!(routes(&world, FAR_TABLE), ["10.0.0.0/16 to pcx-0a000001"], "the older one leads");
    let plan = world.pass(&mut young, None);
    assert!(plan.is_empty() && plan.problems.iter().all(|p| p.reason == Reason::Conflict && p.message.contains("team/net-1")));
    assert_eq!(plan.problems.len(), 3);
    assert!(world.plan(&old, None).is_empty());
    for _ in 0..2 {
        world.pass(&mut old, Some(DeletionPolicy::Delete));
    }
    world.pass(&mut young, None);
    assert_eq!(routes(&world, FAR_TABLE), ["10.0.0.0/16 to pcx-0a000002"]);
}

#[test]
fn retain_leaves_entries_and_routes_and_takes_their_records_off() {
    let mut world = World::with_borders("cluster");
    let mut network = peered(1, PEERING);
    network.spec.network_acls = Upkeep::Manage;
    world.pass(&mut network, None);
    let after = world.shape();
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Retain));
    }
    assert_eq!((network.ledger.len(), world.shape()), (0, after));
    assert!(world.picture.acls.values().all(|a| a.tags.is_empty()) && world.picture.route_tables.values().all(|t| t.tags.is_empty()));
}

#[test]
fn a_restored_cluster_takes_up_what_is_recorded_as_its_own() {
    let mut world = World::with_borders("cluster");
    let mut network = peered(1, PEERING);
    network.spec.network_acls = Upkeep::Manage;
    world.pass(&mut network, None);
    let ledger = std::mem::take(&mut network.ledger);
    let plan = world.pass(&mut network, None);
    assert!(plan.is_empty() && plan.drift.is_empty());
    assert_eq!(network.ledger, ledger);
    assert_eq!(record::entries_of(&world.picture.acls[NEAR_ACL].tags, &world.owner).count(), 2);
}

#[test]
fn acls_that_may_not_be_read_stop_every_change() {
    let mut world = World::with_borders("cluster");
    let mut network = behind_acl(1);
    world.pass(&mut network, None);
    let need = Need::NetworkAclsOf("vpc-0a000001".into());
    let failure = ReadFailure { denied: true, message: "AWS denied ec2:DescribeNetworkAcls".into() };
    world.picture.asked.insert(need.clone(), Some(failure.into()));
    world.picture.read.remove(&need);
    world.picture.acls.clear();
    let plan = world.plan(&network, None);
    assert!(plan.is_empty() && plan.problems.iter().any(|p| p.reason == Reason::AccessDenied), "{:?}", plan.problems);
    assert_eq!(plan.ledger, network.ledger);
}

fn gateway(world: &World) -> VpcEndpoint {
    let all: Vec<_> = world.picture.endpoints.values().filter(|e| e.endpoint_type == "Gateway").collect();
    assert_eq!(all.len(), 1, "one gateway endpoint per VPC and service");
    (**all[0]).clone()
}

#[test]
fn a_gateway_endpoint_is_made_with_the_tables_of_the_replication_subnets() {
    let mut world = World::with_borders("cluster");
    let before = world.shape();
    let mut network = with_s3(1, &[]);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems, []);
    assert_eq!(gateway(&world).route_tables, [NEAR_TABLE.into(), SECOND_TABLE.into()]);
    assert!(world.shape().contains(&"dms-replication out/tcp/443/pl-0a000001".to_owned()), "{:?}", world.shape());
    assert!(network.ledger.iter().any(|e| e.key == "endpoint/vpc-0a000001/s3/gateway" && e.made));
    assert!(!network.ledger.iter().any(|e| e.key.starts_with("group/")), "no group");
    assert!(world.plan(&network, None).is_empty());
    // A table is taken off.
    let id = gateway(&world).id;
    world.edit_endpoint(&id, |e| e.route_tables.truncate(1));
    let plan = world.pass(&mut network, None);
    assert_eq!(drift(&plan), ["EndpointRouteTables endpoint/vpc-0a000001/s3/gateway"]);
    assert_eq!(gateway(&world).route_tables.len(), 2);
    world.picture.endpoints.clear();
    assert_eq!(drift(&world.pass(&mut network, None)), ["EndpointMissing endpoint/vpc-0a000001/s3/gateway"]);
    for _ in 0..2 {
        world.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert_eq!((network.ledger.len(), world.shape()), (0, before));
}

#[test]
fn tables_of_a_gateway_endpoint_are_united_and_leave_with_the_one_that_brought_them() {
    let mut world = World::with_borders("cluster");
    let (mut a, mut b) = (with_s3(1, &[NEAR_TABLE]), with_s3(2, &[SECOND_TABLE]));
    world.pass(&mut a, None);
    let plan = world.pass(&mut b, None);
    assert_eq!(plan.drift, []);
    assert_eq!(gateway(&world).route_tables.len(), 2);
    assert!(world.plan(&a, None).is_empty(), "a sees the union as wanted");
    world.pass(&mut b, Some(DeletionPolicy::Delete));
    assert_eq!(gateway(&world).route_tables, [NEAR_TABLE.into()]);
    let left = world.plan(&a, None);
    assert_eq!((left.changes, left.drift), (vec![], vec![]));
}

#[test]
fn a_table_that_another_gateway_endpoint_serves_is_a_conflict_that_names_it() {
    let mut world = World::with_borders("cluster");
    let mut theirs = World::with_borders("other");
    theirs.pass(&mut with_s3(1, &[NEAR_TABLE]), None);
    let foreign = VpcEndpoint { id: "vpce-0f000001".into(), tags: Tags::new(), ..gateway(&theirs) };
    world.picture.endpoints.insert(foreign.id.clone(), foreign.clone().into());
    let mut network = with_s3(1, &[]);
    let plan = world.pass(&mut network, None);
    let (reason, text) = problem(&plan);
    assert_eq!(reason, Reason::Conflict);
    assert!(text.contains(foreign.id.as_str()) && text.contains(NEAR_TABLE) && !text.contains(SECOND_TABLE), "{text}");
    assert_eq!(gateway(&world), foreign, "theirs is as it was, and nothing was made");
    // Other tables are free.
    let mut network = with_s3(1, &[SECOND_TABLE]);
    assert_eq!(world.pass(&mut network, None).problems, []);
    assert_eq!(world.picture.endpoints.len(), 2);
}

#[test]
fn gateway_and_interface_of_one_service_are_two_endpoints() {
    let mut world = World::with_borders("cluster");
    let mut network = with_s3(1, &[]);
    let both = json!([
        {"name": "s3", "service": "s3", "type": "Gateway"},
        {"name": "s3-interface", "service": "s3"},
    ]);
    network.spec.vpc_endpoints = serde_json::from_value(both).unwrap();
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems, []);
    assert_eq!(world.picture.endpoints.len(), 2);
    let interface = world.picture.endpoints.values().find(|e| e.endpoint_type == "Interface").unwrap();
    assert!(!interface.private_dns, "s3 has none by default");
    assert!(world.shape().contains(&"dms-replication out/tcp/443/10.0.0.0/16".to_owned()), "the replication calls it itself");
    assert!(world.plan(&network, None).is_empty());
}

#[test]
fn what_a_service_does_not_offer_is_named() {
    let mut world = World::with_borders("cluster");
    let mut network = with_s3(1, &[]);
    network.spec.vpc_endpoints[0].service = "dms".into();
    let (reason, text) = problem(&world.plan(&network, None));
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(text.contains("dms has no gateway endpoints"), "{text}");
    let service = world.picture.services.get_mut("com.amazonaws.us-east-1.s3").unwrap();
    std::sync::Arc::make_mut(service).types = vec!["Interface".into()];
    network.spec.vpc_endpoints[0].service = "s3".into();
    let (_, text) = problem(&world.plan(&network, None));
    assert!(text.contains("offers no endpoints of type Gateway, only Interface"), "{text}");
    let (reason, text) = problem(&world.plan(&with_s3(1, &["rtb-0f000001"]), None));
    assert!(reason != Reason::Progressing && !text.is_empty());
}
