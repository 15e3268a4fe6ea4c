//! One network in two classes: the database's account or Region has its own picture, guardrails and wants.

use dmsnet::{api::network::DeletionPolicy, plan::Plan};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{entries, land::*, peered, rule};
use crate::world::{Network, REPLICATION};

fn two(account: &str, region: &str) -> Two {
    let mut home = near();
    peering(&mut home, "active", account, region);
    Two { home, far: far_class(account, region) }
}

fn database() -> Value {
    json!({"className": "far", "securityGroupId": FAR_GROUP, "subnetIds": [FAR_SUBNET],
           "address": {"engine": "postgres", "endpoints": [{"host": "db.internal"}]}})
}

fn all(plan: &Plan, expected: &[String]) {
    let mut expected = expected.to_vec();
    expected.sort();
    expected.dedup();
    assert_eq!((problems(plan), wants(plan)), (vec![], expected));
}

#[test]
fn in_another_account_of_the_region_groups_refer_to_each_other() {
    let mut two = two(OTHER_ACCOUNT, "us-east-1");
    let mut network = Network::new(1, spec(database(), peered()));
    let (home, far) = two.plans(&network, None);
    let of = |acl: &str| -> Vec<String> {
        ["10.0.1.0/24", "10.0.2.0/24"]
            .iter()
            .flat_map(|n| entries(5432, (NEAR_ACL, n), (FAR_ACL, "10.1.1.0/24")))
            .filter(|e| e.contains(acl))
            .collect()
    };
    let mut near_side = of(NEAR_ACL);
    near_side.extend([out(5432, FAR_GROUP), format!("route/{NEAR_TABLE}/10.1.0.0/16")]);
    let mut far_side = of(FAR_ACL);
    far_side.extend([rule(FAR_GROUP, "in", 5432, REPLICATION), format!("route/{FAR_TABLE}/10.0.0.0/16")]);
    all(&home, &near_side);
    all(&far, &far_side);
    two.pass(&mut network, None);
    assert!(network.ledger.iter().any(|e| e.class == "far") && network.ledger.iter().any(|e| e.class == "class"));
    let (home, far) = two.plans(&network, None);
    assert_eq!((home.changes, far.changes), (vec![], vec![]));
    for _ in 0..3 {
        two.pass(&mut network, Some(DeletionPolicy::Delete));
    }
    assert_eq!((network.ledger.len(), two.home.rules().len(), two.far.rules().len()), (0, 0, 0));
}

#[test]
fn across_regions_rules_go_by_cidr() {
    let mut two = two(crate::world::ACCOUNT, "eu-west-1");
    let mut spec = spec(database(), peered());
    (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
    let (home, far) = two.plans(&Network::new(1, spec.clone()), None);
    all(&home, &[out(5432, "10.1.1.0/24")]);
    all(&far, &[rule(FAR_GROUP, "in", 5432, "10.0.1.0/24"), rule(FAR_GROUP, "in", 5432, "10.0.2.0/24")]);
    spec["databases"][0]["ingressFrom"] = json!("SecurityGroup");
    let (home, _) = two.plans(&Network::new(1, spec), None);
    assert!(problems(&home).iter().any(|p| p.contains("no group reference across Regions")), "{:?}", problems(&home));
}

#[test]
fn each_class_binds_what_is_done_through_it() {
    let mut two = two(OTHER_ACCOUNT, "us-east-1");
    two.far.guardrails.vpc_ids = vec!["vpc-0c000001".into()];
    let mut network = Network::new(1, spec(database(), peered()));
    let (home, far) = two.pass(&mut network, None);
    assert!(problems(&home).is_empty(), "{:?}", problems(&home));
    assert!(!home.changes.is_empty(), "the rest goes on");
    assert_eq!(far.changes, []);
    let told = problems(&far);
    assert!(told.iter().all(|p| p.starts_with("GuardrailViolated") && p.contains("class far")) && !told.is_empty(), "{told:?}");
}

#[test]
fn a_class_that_is_not_there_hides_what_is_wanted_in_all() {
    let mut world = near();
    peering(&mut world, "active", OTHER_ACCOUNT, "us-east-1");
    let plan = world.plan(&Network::new(1, spec(database(), peered())), None);
    assert!(problems(&plan).iter().any(|p| p.contains("DmsNetworkClass \"far\" is not known")), "{:?}", problems(&plan));
}

#[test]
fn a_far_database_that_vanishes_tears_nothing_down_here() {
    let mut two = two(OTHER_ACCOUNT, "us-east-1");
    let mut network = Network::new(1, spec(database(), peered()));
    two.pass(&mut network, None);
    let before = network.ledger.clone();
    two.far.picture.groups.clear();
    let (home, far) = two.pass(&mut network, None);
    assert_eq!((&home.changes, &far.changes), (&vec![], &vec![]));
    assert_eq!(network.ledger, before);
    assert!(problems(&far).iter().any(|p| p.contains(FAR_GROUP) && p.contains("class \"far\"")), "{:?}", problems(&far));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_two_classes_applying_a_plan_leaves_an_empty_plan(
        ports in proptest::collection::vec(1024u16..1030, 1..4),
        ingress in proptest::sample::select(vec!["Auto", "SubnetCidrs", "VpcCidr", "PrivateIp"]),
        across in any::<bool>(),
        manage in any::<bool>(),
        grouped in any::<bool>(),
    ) {
        let mut two = if across { two(OTHER_ACCOUNT, "eu-west-1") } else { two(OTHER_ACCOUNT, "us-east-1") };
        let mut db = database();
        db["address"]["endpoints"] = ports.iter().map(|p| json!({"host": "db.internal", "port": p})).collect();
        db["ingressFrom"] = json!(ingress);
        if !grouped {
            db.as_object_mut().unwrap().remove("securityGroupId");
        }
        let mut spec = spec(db, peered());
        if !manage {
            (spec["routes"], spec["networkAcls"]) = (json!("Check"), json!("Check"));
        }
        let mut network = Network::new(1, spec);
        two.pass(&mut network, None);
        let (home, far) = two.plans(&network, None);
        prop_assert_eq!((problems(&home), problems(&far)), (vec![], vec![]));
        prop_assert_eq!((home.changes, home.drift), (vec![], vec![]));
        prop_assert_eq!((far.changes, far.drift), (vec![], vec![]));
        for _ in 0..3 {
            two.pass(&mut network, Some(DeletionPolicy::Delete));
        }
        prop_assert_eq!((network.ledger.len(), two.home.rules().len(), two.far.rules().len()), (0, 0, 0));
    }
}
