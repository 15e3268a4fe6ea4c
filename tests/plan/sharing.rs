//! Networks of one cluster, and of two, on one endpoint and on one rule.

use std::sync::Arc;

use dmsnet::{
    api::{
        conditions::Reason,
        network::{DeletionPolicy, ForeignRules},
    },
    model::{tags::is_managed, *},
    plan::{Change, Plan},
};
use serde_json::json;

use crate::world::{Network, World, reference_spec};

fn endpoint(world: &World) -> VpcEndpoint {
    let all: Vec<_> = world.picture.endpoints.values().collect();
    assert_eq!(all.len(), 1, "one endpoint per VPC and service");
    (**all[0]).clone()
}

#[test]
fn the_last_one_out_removes() {
    let mut world = World::reference("cluster");
    let before = world.shape();
    let (mut a, mut b) = (Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    world.pass(&mut a, None);
    let after = world.shape();
    let plan = world.pass(&mut b, None);
    assert_eq!(plan.changes, [], "all that b wants is there");
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert_eq!(a.ledger, []);
    assert_eq!(world.shape(), after, "b still needs it");
    assert!(world.plan(&b, None).is_empty());
    for _ in 0..2 {
        world.pass(&mut b, Some(DeletionPolicy::Delete));
    }
    assert_eq!(b.ledger, []);
    assert_eq!(world.shape(), before);
}

#[test]
fn what_lost_its_tags_is_handed_over_and_goes_with_the_last_one() {
    let mut world = World::reference("cluster");
    let before = world.shape();
    let (mut a, mut b) = (Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    world.pass(&mut a, None);
    let group: SecurityGroupId = crate::world::SOURCE.into();
    world.edit_rules(&group, |rules| rules[0].tags.clear());
    let id = endpoint(&world).id;
    Arc::make_mut(world.picture.endpoints.get_mut(&id).unwrap()).tags.clear();
    // To b they are a stranger's.
    world.pass(&mut b, None);
    assert!(b.ledger.iter().any(|e| !e.made), "{:#?}", b.ledger);
    for _ in 0..2 {
        world.pass(&mut a, Some(DeletionPolicy::Delete));
    }
    assert_eq!(a.ledger, []);
    world.pass(&mut b, None);
    assert!(b.ledger.iter().all(|e| e.made), "{:#?}", b.ledger);
    for _ in 0..2 {
        world.pass(&mut b, Some(DeletionPolicy::Delete));
    }
    assert_eq!((b.ledger, world.shape()), (vec![], before));
}

#[test]
fn a_rule_that_was_changed_goes_with_the_one_that_leaves() {
    let mut world = World::reference("cluster");
    let (mut a, mut b) = (Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    world.pass(&mut a, None);
    let wanted = world.shape();
    // b wants the same, but has not come to note what it is.
    let claim = world.plan(&b, None).claim;
    world.claims.put(&b.uid, claim);
    let group: SecurityGroupId = crate::world::SOURCE.into();
    world.edit_rules(&group, |rules| rules[0].shape.ports = Some(Ports::one(1914)));
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert_eq!(a.ledger, [], "nothing holds it");
    world.pass(&mut b, None);
    assert_eq!(world.shape(), wanted, "neither is the changed one left, nor is one missing");
}

#[test]
fn a_rule_that_was_changed_and_made_anew_by_another_is_removed() {
    let mut world = World::reference("cluster");
    let (mut a, mut b) = (Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    world.pass(&mut a, None);
    let wanted = world.shape();
    let group: SecurityGroupId = crate::world::SOURCE.into();
    world.edit_rules(&group, |rules| rules[0].shape.ports = Some(Ports::one(1914)));
    world.pass(&mut b, None);
    assert_ne!(world.shape(), wanted, "b has made its own, and knows nothing of the changed one");
    let plan = world.pass(&mut a, None);
    assert_eq!(plan.drift.len(), 1, "{:#?}", plan.drift);
    assert_eq!(world.shape(), wanted);
    for network in [&a, &b] {
        assert!(world.plan(network, None).is_empty());
    }
}

/// Databases that admit the VPC's addresses, not the replication's group: other rules for the same ways.
fn by_cidr() -> Network {
    let mut spec = reference_spec();
    for database in spec["databases"].as_array_mut().unwrap() {
        database["ingressFrom"] = json!("VpcCidr");
    }
    Network::new(2, spec)
}

/// A network that has its rules, and one that wants others for the same ways and is not claimed yet.
fn another_comes() -> (World, Network, Network) {
    let mut world = World::reference("cluster");
    let mut first = Network::new(1, reference_spec());
    world.pass(&mut first, None);
    (world, first, by_cidr())
}

/// What opens the source's port.
fn admitted(world: &World) -> Vec<String> {
    let rules = world.picture.rules_of(&crate::world::SOURCE.into());
    rules.iter().filter(|r| is_managed(&r.tags)).map(|r| r.shape.to_string()).collect()
}

#[test]
fn a_rule_stays_until_one_of_another_form_opens_the_same_way_for_another_network() {
    let (mut world, mut a, mut b) = another_comes();
    let before = admitted(&world);
    assert_eq!(before.len(), 1);
    // b wants the same ways, and AWS has not taken its rules yet.
    let claim = world.plan(&b, None).claim;
    world.claims.put(&b.uid, claim);
    let plan = world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert!(plan.waiting.iter().any(|w| w.contains("team/net-2")), "{:#?}", plan.waiting);
    assert_eq!(admitted(&world), before);
    world.pass(&mut b, None);
    assert_eq!(admitted(&world).len(), 2);
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert_eq!((a.ledger, admitted(&world).len()), (vec![], 1));
    assert_ne!(admitted(&world), before);
}

#[test]
fn nothing_waits_for_a_rule_that_its_network_does_not_make() {
    let (mut world, mut a, b) = another_comes();
    // As where AWS refuses it for lack of room: what goes makes some.
    let mut claim = world.plan(&b, None).claim;
    assert!(!claim.coming.is_empty());
    claim.coming.clear();
    world.claims.put(&b.uid, claim);
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert_eq!(admitted(&world), [""; 0]);
}

#[test]
fn a_strangers_rule_stays_until_another_networks_own_opens_the_same_way() {
    let mut world = World::reference("cluster");
    world.guardrails.foreign_rules = ForeignRules::Revoke;
    let mut spec = reference_spec();
    spec["foreignRules"] = json!("Revoke");
    let (mut a, mut b) = (Network::new(1, spec), by_cidr());
    world.pass(&mut a, None);
    let source: SecurityGroupId = crate::world::SOURCE.into();
    let strangers: RuleShape = RuleShape::parse("in/tcp/5432/10.0.0.0/8").unwrap();
    world.add_rule(&source, strangers.clone(), Tags::new());
    let revokes = |plan: &Plan| plan.changes.iter().any(|c| matches!(c, Change::RevokeForeign { shape, .. } if *shape == strangers));
    assert!(revokes(&world.plan(&a, None)), "nobody else comes");
    let claim = world.plan(&b, None).claim;
    world.claims.put(&b.uid, claim);
    let plan = world.plan(&a, None);
    assert!(!revokes(&plan) && plan.waiting.iter().any(|w| w.contains("team/net-2")), "{:#?}", plan.waiting);
    assert_eq!(plan.foreign.len(), 1, "it is told");
    world.pass(&mut b, None);
    assert!(revokes(&world.plan(&a, None)));
}

#[test]
fn a_network_that_is_deleted_awaits_no_rule() {
    let (mut world, mut a, b) = another_comes();
    let mut claim = world.plan(&b, None).claim;
    claim.deleting = true;
    world.claims.put(&b.uid, claim);
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    assert_eq!(admitted(&world), [""; 0]);
}

#[test]
fn subnets_are_united_and_leave_with_the_one_that_brought_them() {
    let mut world = World::reference("cluster");
    let mut spec = reference_spec();
    spec["vpcEndpoints"][0]["subnetIds"] = json!(["subnet-0a000001"]);
    let mut a = Network::new(1, spec.clone());
    spec["vpcEndpoints"][0]["subnetIds"] = json!(["subnet-0a000002"]);
    let mut b = Network::new(2, spec);
    world.pass(&mut a, None);
    let plan = world.pass(&mut b, None);
    assert_eq!(plan.drift, []);
    assert_eq!(endpoint(&world).subnets.len(), 2);
    assert!(world.plan(&a, None).is_empty(), "a sees the union as wanted");
    world.pass(&mut b, Some(DeletionPolicy::Delete));
    assert_eq!(endpoint(&world).subnets, ["subnet-0a000001".into()]);
    let left = world.plan(&a, None);
    assert_eq!((left.changes, left.drift), (vec![], vec![]), "what a leaver takes along is no drift");
}

#[test]
fn two_that_disagree_on_the_policy_do_not_fight() {
    let mut world = World::reference("cluster");
    let mut a = Network::new(1, reference_spec());
    let mut spec = reference_spec();
    spec["vpcEndpoints"][0]["policy"] = json!({"type": "Document", "document":
        {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "dms:Describe*", "Resource": "*"}}});
    let mut b = Network::new(2, spec);
    world.pass(&mut a, None);
    let plan = world.pass(&mut b, None);
    assert_eq!(plan.changes, []);
    let conflict = plan.problems.iter().find(|p| p.reason == Reason::Conflict).unwrap();
    assert!(conflict.message.contains("is led by team/net-1") && conflict.message.contains("policy"), "{}", conflict.message);
    assert!(world.plan(&a, None).is_empty());
    // The lead leaves: the other one becomes lead, and now has its way. That is a change, no drift.
    world.pass(&mut a, Some(DeletionPolicy::Delete));
    let plan = world.pass(&mut b, None);
    assert_eq!(plan.drift, []);
    assert!(endpoint(&world).policy.as_str().contains("dms:describe*"));
    assert!(world.plan(&b, None).is_empty());
}

#[test]
fn beyond_the_quota_references_are_left_out_youngest_first() {
    let mut world = World::reference("cluster");
    let mut networks = Vec::new();
    for n in 1..=62u32 {
        let id: SecurityGroupId = format!("sg-0b0000{n:02x}").into();
        let group =
            SecurityGroup { id: id.clone(), name: format!("ri-{n}"), vpc: "vpc-0a000001".into(), owner: "1".into(), tags: Tags::new() };
        world.picture.groups.insert(id.clone(), group.into());
        let spec = json!({
            "replication": {"placement": {"subnetIds": ["subnet-0a000001", "subnet-0a000002"], "securityGroupIds": [id]}},
            "databases": [{"name": "db", "address": {"engine": "postgres", "endpoints": [{"host": "10.0.2.9"}]}, "path": {"type": "SameVpc"}}],
            "vpcEndpoints": [{"name": "dms", "service": "dms"}],
        });
        networks.push(Network::new(n, spec));
    }
    for _ in 0..2 {
        for network in &mut networks {
            world.pass(network, None);
        }
    }
    let group = endpoint(&world).groups[0].clone();
    let shapes: Vec<String> = world.picture.rules_of(&group).iter().map(|r| r.shape.to_string()).collect();
    assert_eq!(shapes.len(), 60);
    assert!(shapes.contains(&"in/tcp/443/10.0.0.0/16".to_owned()));
    for out in ["sg-0b00003c", "sg-0b00003d", "sg-0b00003e"] {
        assert!(!shapes.iter().any(|s| s.ends_with(out)), "{out} is one of the youngest three");
    }
    for network in &networks {
        let plan = world.plan(network, None);
        assert_eq!((plan.changes, plan.drift, plan.problems), (vec![], vec![], vec![]), "{}", network.label);
    }
    for round in 0..3 {
        for network in &mut networks {
            if round == 0 || !network.ledger.is_empty() {
                world.pass(network, Some(DeletionPolicy::Delete));
            }
        }
    }
    assert!(world.picture.endpoints.is_empty(), "all deleted: the endpoint is gone");
    assert!(!world.picture.groups.contains_key(&group));
}

/// Two clusters in one account: the same AWS, seen with another owner's eyes.
fn seen_by<'w>(world: &'w mut World, owner: &str, claims: &mut dmsnet::plan::Claims) -> &'w mut World {
    world.owner = Owner::parse(owner).unwrap();
    std::mem::swap(&mut world.claims, claims);
    world
}

#[test]
fn two_owners_share_and_leave_each_others_alone() {
    let mut world = World::reference("east");
    let before = world.shape();
    let mut west_claims = dmsnet::plan::Claims::default();
    let (mut east, mut west) = (Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    world.pass(&mut east, None);
    let shape = world.shape();
    let plan = seen_by(&mut world, "west", &mut west_claims).pass(&mut west, None);
    assert!(plan.changes.iter().all(|c| matches!(c, Change::Tag { .. })), "it only says that it shares: {:#?}", plan.changes);
    assert_eq!(world.shape(), shape);
    assert!(world.plan(&west, None).is_empty());
    assert!(west.ledger.iter().all(|e| !e.made), "{:#?}", west.ledger);
    // The creator leaves: it takes its tag off, and the other becomes owner.
    let plan = seen_by(&mut world, "east", &mut west_claims).pass(&mut east, Some(DeletionPolicy::Delete));
    assert!(plan.changes.iter().all(|c| matches!(c, Change::Untag { .. })), "{:#?}", plan.changes);
    assert_eq!(east.ledger, []);
    assert_eq!(world.shape(), shape);
    let plan = seen_by(&mut world, "west", &mut west_claims).pass(&mut west, None);
    assert_eq!(plan.drift, []);
    assert!(west.ledger.iter().all(|e| e.made), "{:#?}", west.ledger);
    assert_eq!(endpoint(&world).tags["dmsnet.dev/owner/west"], "owned");
    for _ in 0..2 {
        world.pass(&mut west, Some(DeletionPolicy::Delete));
    }
    assert_eq!(west.ledger, []);
    assert_eq!(world.shape(), before);
}

/// Two networks, each with a subnet of its own on one endpoint.
fn two_on_one_endpoint() -> (World, Network, Network) {
    let mut world = World::reference("cluster");
    let mut spec = reference_spec();
    spec["vpcEndpoints"][0]["subnetIds"] = json!(["subnet-0a000001"]);
    let mut a = Network::new(1, spec.clone());
    spec["vpcEndpoints"][0]["subnetIds"] = json!(["subnet-0a000002"]);
    let mut b = Network::new(2, spec);
    world.pass(&mut a, None);
    world.pass(&mut b, None);
    assert_eq!(endpoint(&world).subnets.len(), 2);
    (world, a, b)
}

#[test]
fn after_a_start_nobody_takes_another_ones_subnet_off() {
    let (mut world, a, b) = two_on_one_endpoint();
    world.claims = dmsnet::plan::Claims::default();
    world.all_tried = false;
    for network in [&a, &b] {
        let plan = world.plan(network, None);
        assert_eq!((plan.changes, plan.drift), (vec![], vec![]), "{}", network.label);
        assert!(plan.unmet && !plan.waiting.is_empty(), "it says that it waits");
    }
}

#[test]
fn one_that_cannot_be_planned_keeps_its_subnet() {
    let (mut world, mut a, mut b) = two_on_one_endpoint();
    // A second group on the instance: b, which names none, is ambiguous from now on.
    let mut spec = serde_json::to_value(&b.spec).unwrap();
    spec["replication"]["instance"] = json!("gone");
    b.spec = serde_json::from_value(spec).unwrap();
    world.pass(&mut b, None);
    let plan = world.pass(&mut a, None);
    assert_eq!((plan.changes, plan.drift), (vec![], vec![]));
    assert_eq!(endpoint(&world).subnets.len(), 2);
    // And b, the younger, does not keep a from mending what a leads.
    let id = endpoint(&world).id;
    world.edit_endpoint(&id, |e| e.private_dns = false);
    world.pass(&mut a, None);
    assert!(endpoint(&world).private_dns);
}

#[test]
fn one_in_conflict_does_not_hide_drift_from_the_lead() {
    let mut world = World::reference("cluster");
    let mut a = Network::new(1, reference_spec());
    let mut spec = reference_spec();
    spec["vpcEndpoints"][0]["privateDns"] = json!(false);
    let mut b = Network::new(2, spec);
    world.pass(&mut a, None);
    world.pass(&mut b, None);
    let id = endpoint(&world).id;
    world.edit_endpoint(&id, |e| drop(e.subnets.pop()));
    let plan = world.pass(&mut a, None);
    assert_eq!(plan.drift.len(), 1, "{:?}", plan.drift);
}

#[test]
fn the_group_that_a_new_lead_does_not_want_is_not_forgotten() {
    let (mut world, mut a, mut b) = (World::reference("cluster"), Network::new(1, reference_spec()), Network::new(2, reference_spec()));
    let before = world.shape();
    world.pass(&mut a, None);
    world.pass(&mut b, None);
    let mut spec = reference_spec();
    spec["vpcEndpoints"][0]["securityGroupIds"] = json!(["sg-0a000002"]);
    a.spec = serde_json::from_value(spec).unwrap();
    for _ in 0..2 {
        world.pass(&mut a, None);
        world.pass(&mut b, None);
    }
    for network in [&mut b, &mut a] {
        for _ in 0..3 {
            world.pass(network, Some(DeletionPolicy::Delete));
        }
        assert_eq!(network.ledger, [], "{}", network.label);
    }
    assert_eq!(world.shape(), before);
}
