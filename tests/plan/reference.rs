//! The reference topology: from nothing to all that it needs, each way to break it, and back to nothing.

use dmsnet::{
    api::{conditions::Reason, network::DeletionPolicy},
    model::{tags, *},
    plan::{Change, DriftKind},
};
use serde_json::json;

use crate::world::{Network, REPLICATION, SOURCE, TARGET, World, reference_spec};

fn ready() -> (World, Network) {
    let mut world = World::reference("cluster");
    let mut network = Network::new(1, reference_spec());
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.problems, []);
    assert_eq!(plan.drift, [], "a first creation is no drift");
    (world, network)
}

fn endpoint(world: &World) -> VpcEndpoint {
    let all: Vec<_> = world.picture.endpoints.values().collect();
    assert_eq!(all.len(), 1);
    (**all[0]).clone()
}

#[test]
fn four_groups_six_rules_one_endpoint_in_two_subnets() {
    let (mut world, network) = ready();
    let own = endpoint(&world).groups[0].clone();
    let rules: Vec<String> =
        world.rules().into_iter().map(|(g, s, ours)| format!("{} {s} {ours}", if g == own { "endpoint" } else { g.as_str() })).collect();
    assert_eq!(rules.len(), 6);
    for expected in [
        format!("{REPLICATION} out/tcp/5432/{SOURCE} true"),
        format!("{REPLICATION} out/tcp/3306/{TARGET} true"),
        format!("{SOURCE} in/tcp/5432/{REPLICATION} true"),
        format!("{TARGET} in/tcp/3306/{REPLICATION} true"),
        format!("endpoint in/tcp/443/{REPLICATION} true"),
        "endpoint in/tcp/443/10.0.0.0/16 true".to_owned(),
    ] {
        assert!(rules.contains(&expected), "{expected} is missing in {rules:#?}");
    }
    assert_eq!(world.picture.groups.len(), 4);
    let e = endpoint(&world);
    assert_eq!(e.subnets, ["subnet-0a000001".into(), "subnet-0a000002".into()]);
    assert!(e.private_dns);
    assert_eq!(network.ledger.len(), 8, "six rules, a group, an endpoint");
    assert!(network.ledger.iter().all(|l| l.made && l.id.is_some() && l.want.is_some()), "{:#?}", network.ledger);
    let again = world.plan(&network, None);
    assert_eq!((again.changes, again.drift), (vec![], vec![]));
}

#[test]
fn the_ledger_names_everything_before_the_first_change() {
    let mut world = World::reference("cluster");
    let network = Network::new(1, reference_spec());
    let plan = world.plan(&network, None);
    assert_eq!(plan.ledger.len(), 8);
    assert!(plan.ledger.iter().all(|l| l.id.is_none() && l.want.is_none() && !l.made), "intentions only: {:#?}", plan.ledger);
}

#[test]
fn a_first_creation_that_was_cut_off_is_taken_up_and_is_no_drift() {
    for cut in 0..=8 {
        let mut world = World::reference("cluster");
        let mut network = Network::new(1, reference_spec());
        let plan = world.plan(&network, None);
        network.ledger = plan.ledger.clone();
        // Killed after so many changes; groups come first, so what is left needs none of this plan.
        let done = plan.changes.len().min(cut);
        world.apply(&network, &plan.changes[..done]);
        let resumed = world.pass(&mut network, None);
        assert_eq!(resumed.drift, [], "cut after {cut}");
        assert_eq!(world.rules().len(), 6, "cut after {cut}");
        assert_eq!((world.picture.groups.len(), world.picture.endpoints.len()), (4, 1), "cut after {cut}");
        assert!(world.plan(&network, None).is_empty());
    }
}

/// Breaks the ready topology, and returns the kinds of drift that the next pass found. Afterwards all is as it was.
fn mended(name: &str, break_it: impl FnOnce(&mut World, &Network)) -> Vec<DriftKind> {
    let (mut world, mut network) = ready();
    let before = world.shape();
    break_it(&mut world, &network);
    let plan = world.pass(&mut network, None);
    assert_eq!(world.shape(), before, "{name}: not as before");
    let after = world.plan(&network, None);
    assert_eq!((after.changes, after.drift, after.problems), (vec![], vec![], vec![]), "{name}");
    let removals: Vec<_> = plan
        .changes
        .iter()
        .filter(|c| matches!(c, Change::RevokeRule { .. } | Change::DeleteEndpoint { .. } | Change::DeleteGroup { .. }))
        .collect();
    assert_eq!(removals, Vec::<&Change>::new(), "{name}: nothing needed is taken away");
    plan.drift.into_iter().map(|d| d.kind).collect()
}

#[test]
fn every_way_to_break_it_is_found_and_mended() {
    use DriftKind::*;
    let source: SecurityGroupId = SOURCE.into();
    let s = source.clone();
    assert_eq!(mended("rule removed", |w, _| w.edit_rules(&s, Vec::clear)), [RuleMissing]);
    let s = source.clone();
    let port = |w: &mut World, _: &Network| w.edit_rules(&s, |r| r[0].shape.ports = Some(Ports::one(5433)));
    assert_eq!(mended("port changed", port), [RuleChanged]);
    let s = source.clone();
    let peer = |w: &mut World, _: &Network| w.edit_rules(&s, |r| r[0].shape.peer = Peer::Cidr("0.0.0.0/0".parse().unwrap()));
    assert_eq!(mended("peer changed", peer), [RuleChanged]);
    let s = source.clone();
    assert_eq!(mended("tags stripped", |w, _| w.edit_rules(&s, |r| r[0].tags.clear())), [TagsStripped]);
    let s = source.clone();
    let both = |w: &mut World, _: &Network| {
        w.edit_rules(&s, |r| {
            r[0].tags.clear();
            r[0].shape.ports = Some(Ports::one(1));
        });
    };
    assert_eq!(mended("changed and stripped", both), [RuleChanged, TagsStripped]);
    let id = |w: &World| endpoint(w).id;
    assert_eq!(mended("endpoint deleted", |w, _| drop(w.picture.endpoints.remove(&id(w)))), [EndpointMissing]);
    assert_eq!(mended("subnet off", |w, _| w.edit_endpoint(&id(w), |e| drop(e.subnets.pop()))), [EndpointSubnets]);
    let foreign: SecurityGroupId = SOURCE.into();
    assert_eq!(mended("group swapped", |w, _| w.edit_endpoint(&id(w), |e| e.groups = vec![foreign])), [EndpointGroups]);
    assert_eq!(mended("private DNS off", |w, _| w.edit_endpoint(&id(w), |e| e.private_dns = false)), [EndpointPrivateDns]);
    let policy = Policy::from_aws(r#"{"Statement":[]}"#);
    assert_eq!(mended("policy", |w, _| w.edit_endpoint(&id(w), |e| e.policy = policy)), [EndpointPolicy]);
    let all = |w: &mut World, _: &Network| {
        let e = endpoint(w);
        w.picture.groups.remove(&e.groups[0]);
        w.picture.rules.remove(&e.groups[0]);
        w.edit_endpoint(&e.id, |e| e.groups = vec!["sg-0a000002".into()]);
    };
    assert_eq!(mended("group deleted", all), [GroupMissing]);
}

#[test]
fn a_strangers_identical_rule_satisfies_and_stays_theirs() {
    let mut world = World::reference("cluster");
    let source: SecurityGroupId = SOURCE.into();
    let shape = RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup(REPLICATION.into()));
    let theirs = world.add_rule(&source, shape, Tags::new());
    let mut network = Network::new(1, reference_spec());
    world.pass(&mut network, None);
    let rules = world.picture.rules_of(&source);
    assert_eq!(rules.len(), 1);
    assert_eq!((&rules[0].id, rules[0].tags.len()), (&theirs, 0));
    let entry = network.ledger.iter().find(|e| e.id.as_deref() == Some(theirs.as_str())).unwrap();
    assert!(!entry.made);
    world.pass(&mut network, Some(DeletionPolicy::Delete));
    assert_eq!(world.picture.rules_of(&source).len(), 1, "a stranger's rule survives the network");
}

#[test]
fn a_broader_rule_of_a_stranger_does_not_satisfy() {
    let mut world = World::reference("cluster");
    let source: SecurityGroupId = SOURCE.into();
    let all = RuleShape { direction: Direction::In, protocol: Protocol::All, ports: None, peer: Peer::Cidr("10.0.0.0/8".parse().unwrap()) };
    world.add_rule(&source, all, Tags::new());
    let mut network = Network::new(1, reference_spec());
    let plan = world.pass(&mut network, None);
    assert_eq!(world.picture.rules_of(&source).len(), 2);
    assert!(plan.foreign.iter().any(|f| f.wider), "it is told, as wider: {:?}", plan.foreign);
}

#[test]
fn foreign_rules_are_ignored_reported_or_revoked_as_asked() {
    for (setting, told, left) in [("Ignore", 0, 2), ("Report", 1, 2), ("Revoke", 1, 1)] {
        let mut spec = reference_spec();
        spec["foreignRules"] = json!(setting);
        let mut world = World::reference("cluster");
        let mut network = Network::new(1, spec);
        world.pass(&mut network, None);
        let source: SecurityGroupId = SOURCE.into();
        world.add_rule(&source, RuleShape::tcp(Direction::In, 5432, Peer::Cidr("10.9.0.0/16".parse().unwrap())), Tags::new());
        let plan = world.pass(&mut network, None);
        assert_eq!(plan.foreign.len(), told, "{setting}");
        assert_eq!(world.picture.rules_of(&source).len(), left, "{setting}");
        let revoked = plan.drift.iter().any(|d| d.kind == DriftKind::ForeignRule);
        assert_eq!(revoked, setting == "Revoke", "{setting}");
    }
}

#[test]
fn wider_rules_and_rules_of_aws_are_never_revoked() {
    let mut spec = reference_spec();
    spec["foreignRules"] = json!("Revoke");
    let mut world = World::reference("cluster");
    let mut network = Network::new(1, spec);
    world.pass(&mut network, None);
    let source: SecurityGroupId = SOURCE.into();
    let cidr = |c: &str| Peer::Cidr(c.parse().unwrap());
    let wide = RuleShape {
        direction: Direction::In,
        protocol: Protocol::Tcp,
        ports: Some(Ports { from: 5000, to: 6000 }),
        peer: cidr("10.9.0.0/16"),
    };
    world.add_rule(&source, wide, Tags::new());
    world.add_rule(&source, RuleShape::tcp(Direction::In, 5432, cidr("192.168.0.0/24")), Tags::new());
    let tagged = Tags::from([("aws:cloudformation:stack-name".to_owned(), "x".to_owned())]);
    world.add_rule(&source, RuleShape::tcp(Direction::In, 5432, cidr("10.8.0.0/16")), tagged);
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.changes, []);
    assert_eq!(plan.foreign.len(), 3);
    assert_eq!(plan.foreign.iter().filter(|f| f.wider).count(), 1);
}

#[test]
fn nothing_is_taken_away_before_every_network_was_looked_at() {
    let (mut world, mut network) = ready();
    world.all_tried = false;
    let plan = world.pass(&mut network, Some(DeletionPolicy::Delete));
    assert_eq!(plan.changes, []);
    assert_eq!(network.ledger.len(), 8);
    assert!(!plan.waiting.is_empty());
}

#[test]
fn deletion_takes_the_endpoint_before_its_group_and_leaves_nothing() {
    let mut world = World::reference("cluster");
    let before = world.shape();
    let mut network = Network::new(1, reference_spec());
    world.pass(&mut network, None);
    let first = world.plan(&network, Some(DeletionPolicy::Delete));
    assert!(first.changes.iter().any(|c| matches!(c, Change::DeleteEndpoint { .. })));
    assert!(!first.changes.iter().any(|c| matches!(c, Change::DeleteGroup { .. })), "its interfaces are still there");
    world.pass(&mut network, Some(DeletionPolicy::Delete));
    world.pass(&mut network, Some(DeletionPolicy::Delete));
    assert_eq!(network.ledger, []);
    assert_eq!(world.shape(), before);
}

#[test]
fn retain_leaves_all_and_whoever_wants_exactly_it_adopts_it() {
    let (mut world, mut network) = ready();
    let before = world.shape();
    world.pass(&mut network, Some(DeletionPolicy::Retain));
    assert_eq!(network.ledger, []);
    assert_eq!(world.shape(), before);
    assert!(endpoint(&world).tags.contains_key("dmsnet.dev/managed-by"));
    assert!(!endpoint(&world).tags.keys().any(|k| k.starts_with("dmsnet.dev/owner/")));
    let mut heir = Network::new(2, reference_spec());
    let plan = world.pass(&mut heir, None);
    assert_eq!(plan.drift, []);
    assert_eq!(world.shape(), before, "adopted, nothing made twice");
    assert!(heir.ledger.iter().all(|e| e.made));
}

#[test]
fn a_restored_cluster_adopts_in_silence() {
    let (mut world, mut network) = ready();
    let before = world.shape();
    network.ledger.clear();
    let plan = world.plan(&network, None);
    assert_eq!((&plan.changes, &plan.drift), (&vec![], &vec![]));
    world.pass(&mut network, None);
    assert_eq!(world.shape(), before);
    assert_eq!(network.ledger.len(), 8);
    assert!(network.ledger.iter().all(|e| e.made));
}

#[test]
fn what_a_spec_no_longer_names_is_given_up_after_the_new_is_there() {
    let (mut world, mut network) = ready();
    let mut spec = reference_spec();
    spec["databases"][0]["extraEndpoints"] = json!([{"host": "10.0.2.9", "port": 6432}]);
    spec["databases"].as_array_mut().unwrap().pop();
    network.spec = serde_json::from_value(spec).unwrap();
    let plan = world.pass(&mut network, None);
    let first_removal = plan.changes.iter().position(Change::takes_away).unwrap();
    assert!(plan.changes[..first_removal].iter().any(|c| matches!(c, Change::CreateRule { .. })));
    assert!(plan.changes[first_removal..].iter().all(Change::takes_away), "authorize before revoke");
    assert_eq!(world.rules().len(), 6, "two for 5432, two for 6432, two for the endpoint");
    assert!(world.picture.rules_of(&TARGET.into()).is_empty());
}

#[test]
fn a_database_that_cannot_be_found_tears_nothing_down() {
    let (mut world, mut network) = ready();
    let before = world.shape();
    world.picture.dms_endpoints.clear();
    let plan = world.pass(&mut network, None);
    assert!(plan.problems[0].message.contains("DMS endpoint \"orders-src\" does not exist in us-east-1"), "{:?}", plan.problems);
    assert_eq!(plan.changes, []);
    assert_eq!(world.shape(), before);
    assert_eq!(network.ledger.len(), 8);
}

#[test]
fn class_tags_are_set_again_and_another_value_is_left_alone() {
    let mut world = World::reference("cluster");
    world.tags = Tags::from([("cost-center".to_owned(), "42".to_owned())]);
    let mut network = Network::new(1, reference_spec());
    world.pass(&mut network, None);
    let id = endpoint(&world).id;
    assert_eq!(endpoint(&world).tags["cost-center"], "42");
    world.edit_endpoint(&id, |e| drop(e.tags.remove("cost-center")));
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.drift, [], "a class's tag is no drift");
    assert_eq!(endpoint(&world).tags["cost-center"], "42");
    world.edit_endpoint(&id, |e| drop(e.tags.insert("cost-center".into(), "7".into())));
    assert!(world.plan(&network, None).is_empty());
    assert!(tags::is_managed(&endpoint(&world).tags));
}

#[test]
fn what_aws_refuses_to_show_is_not_taken_for_missing() {
    for denied in [true, false] {
        let (mut world, network) = ready();
        let group: SecurityGroupId = SOURCE.into();
        world.picture.rules.remove(&group);
        let failure = ReadFailure { denied, message: "DescribeSecurityGroupRules: refused".into() };
        world.picture.asked.insert(Need::RulesOf(group), Some(failure.into()));
        let plan = world.plan_once(&network, None);
        assert_eq!((&plan.changes, &plan.drift), (&vec![], &vec![]));
        assert_eq!(plan.ledger, network.ledger);
        let told = plan.problems.iter().any(|p| p.message.contains("DescribeSecurityGroupRules: refused") && p.resource.contains(SOURCE));
        assert!(told, "{:?}", plan.problems);
        let gone = world.plan_once(&network, Some(DeletionPolicy::Delete));
        assert_eq!(gone.changes, [], "nothing is removed unseen");
    }
}

#[test]
fn a_fact_that_may_no_longer_be_read_still_serves_and_is_told() {
    let (mut world, network) = ready();
    let need = world.plan_once(&network, None).needs.into_iter().find(|n| matches!(n, Need::ReplicationInstance(_))).unwrap();
    let failure = ReadFailure { denied: true, message: "AWS denied dms:DescribeReplicationInstances".into() };
    world.picture.asked.insert(need, Some(failure.into()));
    let plan = world.plan_once(&network, None);
    assert_eq!((&plan.changes, &plan.drift), (&vec![], &vec![]));
    assert_eq!(plan.ledger, network.ledger);
    let told: Vec<_> = plan.problems.iter().map(|p| (p.reason, p.message.contains("dms:DescribeReplicationInstances"))).collect();
    assert_eq!(told, [(Reason::AccessDenied, true)]);
}

#[test]
fn what_a_problem_or_a_guardrail_hides_is_not_revoked_as_foreign() {
    let mut spec = reference_spec();
    spec["foreignRules"] = json!("Revoke");
    spec["databases"].as_array_mut().unwrap().push(json!(
        {"name": "second", "address": {"engine": "postgres", "endpoints": [{"host": "10.0.2.10"}]}, "ingressFrom": "VpcCidr",
         "securityGroupId": SOURCE, "path": {"type": "SameVpc"}}));
    let setup = || {
        let mut world = World::reference("cluster");
        let shape = RuleShape::tcp(Direction::In, 5432, Peer::Cidr("10.0.0.0/16".parse().unwrap()));
        let theirs = world.add_rule(&SOURCE.into(), shape, Tags::new());
        let mut network = Network::new(1, spec.clone());
        world.pass(&mut network, None);
        assert!(world.picture.rules_of(&SOURCE.into()).iter().any(|r| r.id == theirs), "a stranger's rule satisfies");
        (world, network, theirs)
    };
    let (mut world, mut network, theirs) = setup();
    let mut hidden = spec.clone();
    hidden["databases"][2]["address"] = json!(null);
    hidden["databases"][2]["dmsEndpoint"] = json!("mistyped");
    network.spec = serde_json::from_value(hidden).unwrap();
    world.pass(&mut network, None);
    assert!(world.picture.rules_of(&SOURCE.into()).iter().any(|r| r.id == theirs), "hidden by a problem");
    let (mut world, mut network, theirs) = setup();
    world.guardrails.peer_cidrs = Some(vec!["172.16.0.0/12".into()]);
    world.pass(&mut network, None);
    assert!(world.picture.rules_of(&SOURCE.into()).iter().any(|r| r.id == theirs), "withheld by a guardrail");
}
