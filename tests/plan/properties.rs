//! Properties over random networks, breakages and orders.

use dmsnet::{api::network::DeletionPolicy, model::*};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::{Value, json};

use crate::world::{Network, REPLICATION, SOURCE, TARGET, World};

fn database() -> impl Strategy<Value = Value> {
    let group = select(vec![None, Some(SOURCE), Some(TARGET), Some(REPLICATION)]);
    let ingress = select(vec!["Auto", "SecurityGroup", "SubnetCidrs", "VpcCidr", "PrivateIp"]);
    (group, ingress, 1024u16..1030, vec(1024u16..1030, 0..2), any::<bool>()).prop_map(|(group, ingress, port, extra, ip)| {
        let host = if ip { "10.0.2.9" } else { "db.example.com" };
        let mut d = json!({
            "address": {"engine": "postgres", "endpoints": [{"host": host, "port": port}]},
            "extraEndpoints": extra.iter().map(|p| json!({"host": "10.0.3.3", "port": p})).collect::<Vec<_>>(),
            "ingressFrom": ingress, "path": {"type": "SameVpc"},
        });
        if let Some(group) = group {
            d["securityGroupId"] = json!(group);
        }
        d
    })
}

fn spec() -> impl Strategy<Value = Value> {
    let endpoint = prop_oneof![
        Just(None),
        Just(Some(json!({"name": "dms", "service": "dms"}))),
        Just(Some(json!({"name": "dms", "service": "dms", "subnetIds": ["subnet-0a000002"], "allowFrom": [{"cidr": "10.0.0.0/16"}]}))),
    ];
    (vec(database(), 1..4), endpoint, select(vec!["Ignore", "Report"])).prop_map(|(mut databases, endpoint, foreign)| {
        for (i, d) in databases.iter_mut().enumerate() {
            d["name"] = json!(format!("db-{i}"));
        }
        json!({"replication": {"instance": "orders-ri"}, "databases": databases, "vpcEndpoints": endpoint.into_iter().collect::<Vec<_>>(), "foreignRules": foreign})
    })
}

fn networks() -> impl Strategy<Value = Vec<Network>> {
    vec(spec(), 1..4).prop_map(|specs| specs.into_iter().zip(1..).map(|(s, n)| Network::new(n, s)).collect())
}

/// Rules of somebody else, on any of the groups.
fn strangers() -> impl Strategy<Value = Vec<(&'static str, RuleShape)>> {
    let group = select(vec![REPLICATION, SOURCE, TARGET]);
    let cidr = select(vec!["10.9.0.0/16", "10.0.0.0/16", "192.168.0.0/24", "0.0.0.0/0"]);
    let shape = (any::<bool>(), 1024u16..1030, cidr).prop_map(|(inward, port, cidr)| {
        let direction = if inward { Direction::In } else { Direction::Out };
        RuleShape::tcp(direction, port, Peer::Cidr(cidr.parse().unwrap()))
    });
    vec((group, shape), 0..6)
}

fn world(strangers: &[(&'static str, RuleShape)]) -> World {
    let mut world = World::reference("cluster");
    for (group, shape) in strangers {
        if !world.picture.rules_of(&(*group).into()).iter().any(|r| r.shape == *shape) {
            world.add_rule(&(*group).into(), shape.clone(), Tags::new());
        }
    }
    world
}

/// Every rule that nobody of ours made, by ID.
fn foreign(world: &World) -> Vec<Rule> {
    let all = world.picture.rules.values().flat_map(|r| r.iter());
    let mut rules: Vec<Rule> = all.filter(|r| !tags::is_managed(&r.tags)).cloned().collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    rules
}

fn settle(world: &mut World, networks: &mut [Network]) {
    for _ in 0..3 {
        for network in networks.iter_mut() {
            world.pass(network, None);
        }
    }
}

/// One way to break what is there. Only what carries our tags is touched, so that strangers' rules can be compared.
fn break_something(world: &mut World, which: usize, how: u8) {
    let managed: Vec<Rule> = world.picture.rules.values().flat_map(|r| r.iter()).filter(|r| tags::is_managed(&r.tags)).cloned().collect();
    let endpoint = world.picture.endpoints.keys().next().cloned();
    match (how % 6, managed.get(which % managed.len().max(1)), endpoint) {
        (0, Some(rule), _) => world.edit_rules(&rule.group, |r| r.retain(|x| x.id != rule.id)),
        (1, Some(rule), _) => {
            world.edit_rules(&rule.group, |r| r.iter_mut().filter(|x| x.id == rule.id).for_each(|x| x.shape.ports = Some(Ports::one(7))))
        }
        (2, _, Some(id)) => drop(world.picture.endpoints.remove(&id)),
        (3, _, Some(id)) => world.edit_endpoint(&id, |e| e.private_dns = !e.private_dns),
        (4, _, Some(id)) => world.edit_endpoint(&id, |e| e.groups = vec![SOURCE.into()]),
        (5, _, Some(id)) => world.edit_endpoint(&id, |e| e.subnets = vec!["subnet-0a000003".into()]),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn applying_a_plan_leaves_an_empty_plan(mut networks in networks(), strangers in strangers()) {
        let mut world = world(&strangers);
        settle(&mut world, &mut networks);
        for network in &networks {
            let plan = world.plan(network, None);
            prop_assert_eq!(plan.changes, vec![]);
            prop_assert_eq!(plan.drift, vec![]);
            prop_assert!(plan.rules.0 == plan.rules.1, "all that is wanted is there");
        }
    }

    #[test]
    fn order_does_not_matter(networks in networks(), strangers in strangers(), turn in 0usize..3) {
        let (mut one, mut other) = (world(&strangers), world(&strangers));
        let mut forward = networks.clone();
        let mut backward = networks;
        for network in &mut backward {
            network.spec.databases.reverse();
        }
        backward.reverse();
        let turn = turn % backward.len();
        backward.rotate_left(turn);
        settle(&mut one, &mut forward);
        settle(&mut other, &mut backward);
        prop_assert_eq!(one.shape(), other.shape());
    }

    #[test]
    fn nothing_foreign_is_touched(mut networks in networks(), strangers in strangers(), breaks in vec((0usize..40, 0u8..6), 0..4)) {
        let mut world = world(&strangers);
        let theirs = foreign(&world);
        settle(&mut world, &mut networks);
        for (which, how) in breaks {
            break_something(&mut world, which, how);
        }
        settle(&mut world, &mut networks);
        for _ in 0..3 {
            for network in &mut networks {
                world.pass(network, Some(DeletionPolicy::Delete));
            }
        }
        prop_assert_eq!(foreign(&world), theirs);
    }

    #[test]
    fn what_is_broken_is_mended_and_never_worsened(mut networks in networks(), which in 0usize..40, how in 0u8..6) {
        let mut world = world(&[]);
        settle(&mut world, &mut networks);
        let whole = world.shape();
        break_something(&mut world, which, how);
        let broken = world.shape();
        for network in &mut networks {
            world.pass(network, None);
            let now = world.shape();
            prop_assert!(broken.iter().filter(|l| whole.contains(l)).all(|l| now.contains(l)), "what was whole stays whole");
        }
        settle(&mut world, &mut networks);
        prop_assert_eq!(world.shape(), whole);
    }

    #[test]
    fn when_all_are_gone_aws_is_as_before(mut networks in networks(), strangers in strangers(), retain in any::<bool>()) {
        let mut world = world(&strangers);
        let before = world.shape();
        settle(&mut world, &mut networks);
        let last = networks.len() - 1;
        for (i, network) in networks.iter_mut().enumerate() {
            // An earlier leaver's Retain only drops its entries where others need the same.
            let policy = if retain && i < last { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
            for _ in 0..3 {
                world.pass(network, Some(policy));
            }
            prop_assert_eq!(&network.ledger, &vec![]);
        }
        if !retain {
            prop_assert_eq!(world.shape(), before);
        }
    }
}
