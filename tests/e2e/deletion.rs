//! How a network ends: whatever became of its class, its guardrails, its mode, or of AWS.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::Filter;
use dmsnet::api::{DmsNetwork, status::OwnedEntry};
use kube::{
    ResourceExt,
    api::{DeleteParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{
    Env,
    emulator::count,
    env::{SOON, condition},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_class_waits_for_its_network() {
    let env = Env::start("deletion-class-first").await;
    let before = env.aws.state();
    let class = env.name.as_str();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    env.eventually("the class is held", SOON, async || {
        let class = env.classes().get(class).await.unwrap();
        let networks = class.status.as_ref().and_then(|s| s.networks);
        if class.finalizers() == ["dmsnet.dev/in-use"] && networks == Some(1) { Ok(()) } else { Err(format!("{class:?}")) }
    })
    .await;

    let idle = env.aws.mark();
    env.classes().delete(class, &DeleteParams::default()).await.unwrap();
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert!(env.classes().get(class).await.unwrap().metadata.deletion_timestamp.is_some(), "it is held");
    assert_eq!(env.aws.writes(idle).len(), 0);
    env.ready("orders").await;

    env.delete("orders").await;
    env.gone("orders", SOON).await;
    env.eventually("the class is gone", SOON, async || match env.classes().get_opt(class).await.unwrap() {
        None => Ok(()),
        Some(class) => Err(format!("{:?}", class.metadata)),
    })
    .await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_class_deletion_works_from_status() {
    let mut env = Env::builder("deletion-class-gone").private_api_server().without_controller().start().await;
    env.controller.options.class_selector = String::new(); // all classes: a missing one is nobody else's
    env.controller.start();
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;

    // By force: whoever does this takes the finalizer off as well.
    let class = env.name.clone();
    env.classes().delete(&class, &DeleteParams::default()).await.unwrap();
    let strip = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    env.classes().patch(&class, &PatchParams::default(), &strip).await.unwrap();
    let message = env.reason("orders", "Synced", "ReferenceNotFound", SOON).await;
    assert!(message.contains("\"deletion-class-gone\" does not exist"), "{message}");
    let status = env.get("orders").await.status.unwrap();
    assert_eq!(status.owned.len(), 8, "the ledger stays: {:#?}", status.owned);
    assert_eq!(status.classes[0].endpoint_url.as_deref(), Some(env.aws.url.as_str()));

    // Also by a controller that has never seen the class.
    env.controller.restart();
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tightened_guardrail_does_not_hold_up_deletion() {
    let env = Env::start("deletion-guardrail").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    let mut spec = env.class_spec();
    spec["guardrails"] =
        json!({ "vpcIds": ["vpc-0123456789abcdef0"], "ports": ["1"], "vpcEndpointServices": [], "securityGroups": { "ids": [] } });
    let mark = env.aws.mark();
    env.apply_class(&env.name, spec).await;
    let message = env.reason("orders", "Synced", "GuardrailViolated", SOON).await;
    assert!(message.contains("guardrail vpcIds"), "{message}");
    assert_eq!(env.aws.writes(mark).len(), 0, "what is there is kept");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_or_in_observe_it_ends_and_leaves_all() {
    let env = Env::start("deletion-hands-off").await;
    let before = env.aws.state();
    env.apply("first", env.reference()).await;
    let made = env.ready("first").await.status.unwrap().owned;
    let rounds = [
        ("first", json!({ "spec": { "suspend": true } }), "suspended"),
        ("second", json!({ "spec": { "mode": "Observe" } }), "Observe"),
        ("third", json!({}), "Observe"),
    ];
    let mut spec = env.class_spec();
    for (name, change, word) in rounds {
        if name != "first" {
            // What stayed carries our tag, and is found again in silence.
            let mark = env.aws.mark();
            env.apply(name, env.reference()).await;
            let status = env.ready(name).await.status.unwrap();
            assert_eq!((status.drift, ids(&status.owned)), (vec![], ids(&made)), "{name}");
            assert!(status.owned.iter().all(|e| e.made), "{name}: {:#?}", status.owned);
            assert_eq!(env.aws.writes(mark).len(), 0, "{name}");
        }
        if name == "third" {
            spec["mode"] = "Observe".into();
            env.apply_class(&env.name, spec.clone()).await;
        } else {
            env.patch(name, change).await;
        }
        let mark = env.aws.mark();
        env.delete(name).await;
        env.gone(name, SOON).await;
        assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new(), "{name}: nothing is written to AWS");
        let event = env.event(name, "Retained", SOON).await;
        assert!(event.contains(word), "{event}");
        for entry in made.iter().filter(|e| !e.key.starts_with("rule/")) {
            assert!(event.contains(entry.id.as_deref().unwrap()), "{entry:?} is named: {event}");
        }
    }
    spec["mode"] = "Enforce".into();
    env.apply_class(&env.name, spec).await;
    env.apply("fourth", env.reference()).await;
    env.ready("fourth").await;
    env.delete("fourth").await;
    env.gone("fourth", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_by_hand_is_no_obstacle() {
    let mut env = Env::start("deletion-by-hand").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    let owned = env.ready("orders").await.status.unwrap().owned;
    assert!(env.controller.term().success());
    let ec2 = env.aws.ec2();
    let endpoint = id_of(&owned, "endpoint/");
    ec2.delete_vpc_endpoints().vpc_endpoint_ids(&endpoint).send().await.unwrap();
    let t = &env.topology.security_group_ids;
    for group in [&t.source, &t.target] {
        let rules = ec2.describe_security_group_rules().filters(filter("group-id", group)).send().await.unwrap();
        for rule in rules.security_group_rules() {
            ec2.revoke_security_group_ingress()
                .group_id(group)
                .security_group_rule_ids(rule.security_group_rule_id().unwrap())
                .send()
                .await
                .unwrap();
        }
    }
    let group = id_of(&owned, "group/");
    env.eventually("the group is gone", SOON, async || match ec2.delete_security_group().group_id(&group).send().await {
        Ok(_) => Ok(()),
        Err(e) => Err(format!("{e:?}")), // until the endpoint's interfaces are gone
    })
    .await;
    env.delete("orders").await;
    env.controller.start();
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn retained_objects_are_adopted_by_whoever_wants_exactly_them() {
    let env = Env::start("deletion-retain").await;
    let before = env.aws.state();
    let mut spec = env.reference();
    spec["deletionPolicy"] = "Retain".into();
    env.apply("orders", spec).await;
    let owned = env.ready("orders").await.status.unwrap().owned;
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    let event = env.event("orders", "Retained", SOON).await;
    assert!(event.contains("Retain") && event.contains(&id_of(&owned, "endpoint/")), "{event}");
    for entry in &owned {
        let tags = tags(&env, entry.id.as_deref().unwrap()).await;
        let owners = tags.keys().filter(|k| k.starts_with("dmsnet.dev/owner/")).count();
        assert_eq!((tags.get("dmsnet.dev/managed-by").map(String::as_str), owners), (Some("dmsnet"), 0), "{entry:?}");
    }

    let mark = env.aws.mark();
    env.apply("orders-2", env.reference()).await;
    let status = env.ready("orders-2").await.status.unwrap();
    assert_eq!((status.drift, ids(&status.owned)), (vec![], ids(&owned)), "it takes over exactly these");
    assert!(status.owned.iter().all(|e| e.made), "{:#?}", status.owned);
    let writes = count(&env.aws.writes(mark));
    assert!(writes.keys().all(|operation| operation == "ec2:CreateTags"), "{writes:?}");
    env.delete("orders-2").await;
    env.gone("orders-2", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletion_waits_and_names_what_blocks_it() {
    let env = Env::start("deletion-waits").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    let owned = env.ready("orders").await.status.unwrap().owned;
    let (endpoint, group) = (id_of(&owned, "endpoint/"), id_of(&owned, "group/"));
    env.aws.delays(json!({ "deleting": 3, "eni": 3 }));
    // Somebody put the group on an interface of theirs.
    let ec2 = env.aws.ec2();
    let made =
        ec2.create_network_interface().subnet_id(&env.topology.subnet_ids[0]).groups(&group).description("theirs").send().await.unwrap();
    let theirs = made.network_interface().unwrap().network_interface_id().unwrap().to_owned();

    env.delete("orders").await;
    let ready_says = |network: &DmsNetwork, words: &[&str]| {
        condition(network, "Ready").is_some_and(|c| c.status == "False" && words.iter().all(|word| c.message.contains(word)))
    };
    env.network("orders", SOON, |n| ready_says(n, &[&endpoint, "being deleted"])).await;
    let network = env.network("orders", SOON, |n| ready_says(n, &[&group, &theirs, "theirs"])).await;
    let ready = condition(&network, "Ready").unwrap();
    assert_eq!(ready.reason, "DeletionBlocked", "somebody has to act");
    assert!(ready.message.contains("dmsnet.dev/abandon"), "{}", ready.message);
    assert_eq!(network.finalizers(), ["dmsnet.dev/aws-resources"]);
    assert_eq!(condition(&network, "Reconciling").unwrap().status, "True");

    ec2.delete_network_interface().network_interface_id(&theirs).send().await.unwrap();
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_it_says_so_until_it_is_abandoned() {
    let env = Env::start("deletion-refused").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    let owned = env.ready("orders").await.status.unwrap().owned;
    let (endpoint, group) = (id_of(&owned, "endpoint/"), id_of(&owned, "group/"));
    env.aws.fault(json!({ "kind": "denied", "operation": "DeleteVpcEndpoints" }));
    env.delete("orders").await;
    let network = env.network("orders", SOON, |n| condition(n, "Ready").is_some_and(|c| c.reason == "AccessDenied")).await;
    let message = &condition(&network, "Ready").unwrap().message;
    for words in ["ec2:DeleteVpcEndpoints", endpoint.as_str(), "dmsnet.dev/abandon"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert_eq!(network.finalizers(), ["dmsnet.dev/aws-resources"]);
    let left = network.status.unwrap().owned;
    assert!(!left.iter().any(|e| e.key.contains(&env.topology.security_group_ids.source)), "what may go is gone: {left:#?}");

    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/abandon": "true" } } })).await;
    env.gone("orders", SOON).await;
    let event = env.event("orders", "Abandoned", SOON).await;
    assert!(event.contains(&endpoint) && event.contains(&group), "{event}");
    assert!(!event.contains(&env.topology.security_group_ids.source), "only what is left: {event}");
    let abandoned = env.events("orders").await.into_iter().find(|e| e.reason.as_deref() == Some("Abandoned")).unwrap();
    assert_eq!(abandoned.type_.as_deref(), Some("Warning"));

    // Once it is allowed again, the same network takes what was left, and its deletion removes it.
    env.aws.clear_faults();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_seen_is_not_removed() {
    let env = Env::start("deletion-unseen").await;
    env.apply("orders", env.reference()).await;
    let owned = env.ready("orders").await.status.unwrap().owned;
    let there = env.aws.state();
    let mark = env.aws.mark();
    let fault = env.aws.fault(json!({ "kind": "denied", "operation": "DescribeVpcEndpoints" }));
    env.delete("orders").await;
    let network = env.network("orders", SOON, |n| condition(n, "Ready").is_some_and(|c| c.reason == "AccessDenied")).await;
    let message = &condition(&network, "Ready").unwrap().message;
    assert!(message.contains("ec2:DescribeVpcEndpoints") && message.contains("dmsnet.dev/abandon"), "{message}");
    assert_eq!(network.status.unwrap().owned, owned, "the ledger is whole");
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new());
    // Seen again, it goes on by itself; here it is given up instead.
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/abandon": "true" } } })).await;
    env.gone("orders", SOON).await;
    let event = env.event("orders", "Abandoned", SOON).await;
    assert!(event.contains(&id_of(&owned, "endpoint/")) && event.contains("ec2:DescribeVpcEndpoints"), "{event}");
    assert_eq!(env.aws.state(), there, "all is left");
    env.aws.remove_fault(&fault);
}

/// AWS's IDs by ledger key.
fn ids(owned: &[OwnedEntry]) -> BTreeMap<&str, Option<&str>> {
    owned.iter().map(|entry| (entry.key.as_str(), entry.id.as_deref())).collect()
}

fn id_of(owned: &[OwnedEntry], key: &str) -> String {
    let entry = owned.iter().find(|entry| entry.key.starts_with(key)).unwrap_or_else(|| panic!("{key} in {owned:#?}"));
    entry.id.clone().unwrap()
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

async fn tags(env: &Env, id: &str) -> BTreeMap<String, String> {
    let answer = env.aws.ec2().describe_tags().filters(filter("resource-id", id)).send().await.unwrap();
    answer.tags().iter().map(|tag| (tag.key().unwrap().to_owned(), tag.value().unwrap().to_owned())).collect()
}
