//! Paths whose needs on one network ACL oppose an explicit deny, each other, or another owner: each is told by name, and the rest goes on.

use dmsnet::{api::conditions::Reason, model::*, plan::Plan};
use serde_json::{Value, json};

use crate::world::{NEAR_ACL, Network, World, allow};

/// Databases in the third subnet, by name, host and port.
fn network(n: u32, databases: &[(&str, &str, u16)]) -> Network {
    let database = |(name, host, port): &(&str, &str, u16)| -> Value {
        json!({"name": name, "address": {"engine": "postgres", "endpoints": [{"host": host, "port": port}]},
               "subnetIds": ["subnet-0a000003"], "path": {"type": "SameVpc"}})
    };
    let databases: Vec<Value> = databases.iter().map(database).collect();
    Network::new(n, json!({"replication": {"instance": "orders-ri"}, "databases": databases, "networkAcls": "Manage"}))
}

fn shape(port: u16, cidr: &str) -> AclShape {
    AclShape::tcp(Direction::Out, Ports::one(port), cidr.parse().unwrap())
}

fn deny(world: &mut World, number: u16, shape: &AclShape) {
    let entry = AclEntry { allow: false, ..allow(number, shape) };
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.push(entry));
}

/// What an ACL lets out, with its numbers.
fn out(world: &World) -> Vec<String> {
    world.picture.acls[NEAR_ACL].entries(Direction::Out).map(ToString::to_string).collect()
}

fn conflicts(plan: &Plan) -> Vec<String> {
    assert!(plan.problems.iter().all(|p| matches!(p.reason, Reason::Conflict | Reason::QuotaExceeded)), "{:?}", plan.problems);
    plan.problems.iter().map(|p| format!("{}: {}", p.resource, p.message)).collect()
}

#[test]
fn a_deny_that_one_path_needs_gone_names_that_path_and_leaves_the_other_open() {
    let mut world = World::with_borders("cluster");
    deny(&mut world, 50, &shape(1521, "10.0.0.0/8"));
    let mut network = network(1, &[("orders", "10.0.3.7", 5432), ("ledger", "10.0.3.8", 1521), ("audit", "10.0.3.9", 1521)]);
    let plan = world.pass(&mut network, None);
    assert_eq!(
        conflicts(&plan),
        [
            "acl-entry/acl-0a000001/out/tcp/1521/10.0.3.0/24: acl-0a000001 denies all of it by its entries 50, and team/net-1 audit,team/net-1 \
          ledger needs it; an explicit deny is never overruled: narrow or delete them if the path is to be open"
        ]
    );
    assert_eq!(out(&world), ["50 deny out/tcp/1521/10.0.0.0/8", "20000 allow out/tcp/5432/10.0.3.0/24"]);
    // The proof says the same of the paths, with the entry that blocks.
    let plan = world.plan(&network, None);
    let blocked: Vec<(&str, usize)> =
        plan.databases.iter().map(|d| (d.name.as_str(), d.blocked_by.iter().filter(|h| h.code == "AclDeniesOut").count())).collect();
    assert_eq!(blocked, [("orders", 0), ("ledger", 1), ("audit", 1)]);
    let hop = &plan.databases[1].blocked_by.iter().find(|h| h.code == "AclDeniesOut").unwrap();
    assert!(hop.message.contains("entry 50 denies") && hop.fix.contains("remove 50"), "{hop:#?}");
}

#[test]
fn a_deny_of_which_one_path_meets_a_part_is_not_overruled_for_it() {
    let mut world = World::with_borders("cluster");
    deny(&mut world, 30_000, &shape(1521, "10.0.3.8/32"));
    let mut network = network(1, &[("orders", "10.0.3.7", 5432), ("ledger", "10.0.3.9", 1521)]);
    let told = conflicts(&world.pass(&mut network, None));
    assert_eq!(
        told,
        [
            "acl-entry/acl-0a000001/out/tcp/1521/10.0.3.0/24: team/net-1 ledger needs it, but an entry of ours would come ahead of entry 30000 \
          deny out/tcp/1521/10.0.3.8/32 of acl-0a000001, and an explicit deny is never overruled: narrow or delete that entry, give it a \
          lower number, or let the class's networkAclRuleNumbers reach beyond 30000"
        ]
    );
    assert_eq!(out(&world), ["20000 allow out/tcp/5432/10.0.3.0/24", "30000 deny out/tcp/1521/10.0.3.8/32"]);
}

#[test]
fn two_networks_that_would_take_one_number_take_turns() {
    let mut world = World::with_borders("cluster");
    let (mut a, mut b) = (network(1, &[("orders", "10.0.3.7", 5432)]), network(2, &[("ledger", "10.0.3.8", 1521)]));
    // Planned at once, both would take the first number: one lock serves both, and the second plans anew under it.
    let (first, second) = (world.plan(&a, None), world.plan(&b, None));
    assert!(first.locks.contains(NEAR_ACL) && second.locks.contains(NEAR_ACL), "{:?} {:?}", first.locks, second.locks);
    world.pass(&mut a, None);
    world.pass(&mut b, None);
    assert_eq!(out(&world), ["20000 allow out/tcp/5432/10.0.3.0/24", "20001 allow out/tcp/1521/10.0.3.0/24"]);
    assert!(world.plan(&a, None).is_empty() && world.plan(&b, None).is_empty(), "and neither takes the other's away");
}

#[test]
fn a_range_that_another_owner_fills_names_it() {
    let mut world = World::with_borders("west");
    world.guardrails.network_acl_rule_numbers = Some(dmsnet::api::class::RuleNumbers { from: 20_000, to: 20_000 });
    // One entry in each direction.
    let one = |n, name, port| {
        let mut network = network(n, &[(name, "10.0.2.9", port)]);
        network.spec.databases[0].subnet_ids = vec!["subnet-0a000002".into()];
        network
    };
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.subnets.retain(|s| s.as_str() != "subnet-0a000002"));
    world.edit_acl(&crate::world::DATABASE_ACL.into(), |acl| acl.subnets = vec!["subnet-0a000002".into(), "subnet-0a000003".into()]);
    world.pass(&mut one(1, "orders", 5432), None);
    assert_eq!(out(&world), ["20000 allow out/tcp/5432/10.0.2.0/24"]);
    world.owner = Owner::parse("east").unwrap();
    world.claims = Default::default();
    let told = conflicts(&world.pass(&mut one(2, "ledger", 1521), None));
    let of_near = told.iter().find(|t| t.starts_with("acl-entry/acl-0a000001/out/tcp/1521/")).unwrap();
    assert!(
        of_near.contains("networkAclRuleNumbers (20000 to 20000), some of them of west by its tags: give the class another range"),
        "{of_near}"
    );
    assert_eq!(out(&world), ["20000 allow out/tcp/5432/10.0.2.0/24"], "theirs is as it was");
}

#[test]
fn an_entry_of_another_owner_that_became_a_deny_is_not_overruled_either() {
    let mut world = World::with_borders("west");
    world.pass(&mut network(1, &[("orders", "10.0.3.7", 5432)]), None);
    world.edit_acl(&NEAR_ACL.into(), |acl| acl.entries.iter_mut().filter(|e| e.direction == Direction::Out).for_each(|e| e.allow = false));
    world.owner = Owner::parse("east").unwrap();
    world.claims = Default::default();
    let mut mine = network(2, &[("orders", "10.0.3.7", 5432)]);
    let told = conflicts(&world.pass(&mut mine, None));
    assert!(
        told.iter().any(|t| t.contains("acl-0a000001 denies all of it by its entries 20000, and team/net-2 orders needs it")),
        "{told:?}"
    );
    assert_eq!(out(&world), ["20000 deny out/tcp/5432/10.0.3.0/24"]);
}
