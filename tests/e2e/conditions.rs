//! What a user sees with kubectl, and what tools may rely on: conditions, columns, Events, requests, metrics and logs.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, VpcEndpointType};
use dmsnet::api::DmsNetwork;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::harness::{
    Env,
    emulator::count,
    env::{SOON, condition, is},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_through_with_kubectl() {
    let mut env = Env::start("conditions-kubectl").await;
    let yaml = json!({
        "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetwork", "metadata": { "name": "orders" }, "spec": env.reference(),
    });
    let kubectl = env.kubectl.clone();
    kubectl.apply(&yaml.to_string());
    let waited = kubectl.ok(&["wait", "--for=condition=Ready", "dmsnet/orders", "--timeout=60s"]);
    assert!(waited.contains("condition met"), "{waited}");

    let table = kubectl.ok(&["get", "dmsnet"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "SYNCED", "DRIFT", "PATHS", "ENDPOINTS", "AGE"]);
    // The source's name resolves nowhere, and nobody said in which subnets it is.
    assert_eq!(rows[1][..6], ["orders", "True", "True", "False", "Unknown", "True"]);
    let wide = kubectl.ok(&["get", "dmsnet", "--output=wide"]);
    for words in ["CLASS", "MODE", "MESSAGE", "conditions-kubectl", "Enforce", "as wanted: 6 rules, 1 VPC endpoint"] {
        assert!(wide.contains(words), "{words}: {wide}");
    }
    let classes = kubectl.ok(&["get", "dnc", &env.name]);
    let rows: Vec<Vec<&str>> = classes.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "READY", "ACCOUNT", "REGION", "MODE", "NETWORKS", "AGE"]);
    assert_eq!(rows[1][..6], ["conditions-kubectl", "True", "111122223333", "us-west-2", "Enforce", "1"]);

    env.event("orders", "Created", SOON).await;
    let described = kubectl.ok(&["describe", "dmsnet", "orders"]);
    let endpoint = env.get("orders").await.status.unwrap().vpc_endpoints[0].clone();
    for words in ["Events:", "Created", "as wanted: 6 rules, 1 VPC endpoint", "Vpc Endpoints:", endpoint.id.as_deref().unwrap()] {
        assert!(described.contains(words), "{words}: {described}");
    }
    assert!(endpoint.url.unwrap().starts_with("https://vpce-") && endpoint.owned);

    let explained = kubectl.ok(&["explain", "dmsnetwork.spec.databases"]);
    for words in ["dmsEndpoint", "Identifier (not ARN) of the DMS endpoint", "-required-", "securityGroupId"] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    assert!(kubectl.ok(&["explain", "dnc.spec.guardrails"]).contains("vpcIds"));

    // Tools that watch the process.
    assert_eq!(env.controller.http("/healthz").0, 200);
    assert_eq!(env.controller.http("/readyz").0, 200);
    let class = env.name.clone();
    let controller = &mut env.controller;
    let told = crate::harness::eventually(SOON, async || {
        let metrics = controller.metrics();
        let ready = metrics.sum("dmsnet_networks", &[("class", &class), ("ready", "True")]);
        let calls = metrics.sum("dmsnet_aws_requests_total", &[("operation", "DescribeSecurityGroupRules"), ("code", "ok")]);
        if ready == 1.0 && calls >= 1.0 { Ok(()) } else { Err(metrics.0) }
    });
    told.await.unwrap();

    kubectl.ok(&["delete", "dmsnet", "orders", "--timeout=60s"]);
    env.event("orders", "Deleted", SOON).await;
    assert!(env.controller.term().success());
    logs_name_the_network(&std::fs::read_to_string(&env.controller.log).unwrap());
}

/// Not on a terminal each line is JSON, and each line of a pass carries the network's name.
fn logs_name_the_network(log: &str) {
    let mut named = 0;
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}"));
        let target = entry["target"].as_str().unwrap();
        let of_a_pass =
            ["dmsnet::controller::network", "dmsnet::controller::report", "dmsnet::controller::deletion", "dmsnet::controller::site"];
        if of_a_pass.contains(&target) && !line.contains("every network was looked at once") {
            assert!(line.contains("conditions-kubectl/orders"), "{line}");
            named += 1;
        }
    }
    assert!(named >= 3, "{named} lines name the network:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_speak_of_the_present_generation_and_move_only_on_a_change() {
    let mut env = Env::builder("conditions-kstatus").without_controller().start().await;
    let network = env.apply("orders", env.reference()).await;
    assert_eq!(network.status.unwrap().observed_generation, Some(-1), "kstatus: nobody has looked at it yet");
    env.controller.start();
    let first = env.ready("orders").await;
    // Once all is there, nothing is under way.
    let first =
        env.network("orders", SOON, |n| condition(n, "Reconciling").is_none() && is(n, "Ready", "True") && n.uid() == first.uid()).await;
    assert_eq!(first.status.as_ref().unwrap().observed_generation, Some(1));
    assert!(condition(&first, "Stalled").is_none());

    // A new generation that changes nothing in AWS: each condition speaks of it, none moves.
    let mut spec = env.reference();
    spec["resyncInterval"] = "20s".into();
    env.apply("orders", spec.clone()).await;
    let second = env.network("orders", SOON, |n| n.status.as_ref().is_some_and(|s| s.observed_generation == Some(2))).await;
    for c in &second.status.as_ref().unwrap().conditions {
        assert_eq!(c.observed_generation, Some(2), "{}", c.type_);
        assert_eq!(c.last_transition_time, condition(&first, &c.type_).unwrap().last_transition_time, "{}", c.type_);
    }
    assert_eq!(types(&second), types(&first));

    // A mistake: Ready moves, Stalled appears; what it does not speak of stays.
    let mut wrong = spec.clone();
    wrong["vpcEndpoints"][0]["policy"] = json!({ "type": "Document", "document": { "Statement": "all" } });
    // Times are in seconds: only a later one can be seen to move.
    let since = condition(&first, "Ready").unwrap().last_transition_time.0.as_second();
    env.eventually(
        "another second",
        SOON,
        async || {
            if jiff::Timestamp::now().as_second() > since { Ok(()) } else { Err("the same".into()) }
        },
    )
    .await;
    env.apply("orders", wrong).await;
    let third = env.condition("orders", "Stalled", "True", SOON).await;
    assert!(is(&third, "Ready", "False") && condition(&third, "Reconciling").is_none());
    let moved = |type_: &str| {
        condition(&third, type_).unwrap().last_transition_time.clone() > condition(&second, type_).unwrap().last_transition_time.clone()
    };
    assert!(moved("Ready") && moved("Synced") && !moved("DriftDetected") && !moved("EndpointsAvailable"), "{:#?}", third.status);

    // Mended: Stalled is gone, not False.
    env.apply("orders", spec).await;
    let fourth = env.ready("orders").await;
    assert_eq!(types(&fourth), types(&first));
}

#[tokio::test(flavor = "multi_thread")]
async fn suspended_nothing_is_written_until_it_is_resumed() {
    let env = Env::start("conditions-suspend").await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    env.patch("orders", json!({ "spec": { "suspend": true } })).await;
    let mark = env.aws.mark();
    revoke_all(&env, &env.topology.security_group_ids.source).await;
    let version = env.get("orders").await.resource_version();
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new());
    assert_eq!(env.get("orders").await.resource_version(), version, "no status is written either");
    env.patch("orders", json!({ "spec": { "suspend": false } })).await;
    let network = env
        .network("orders", SOON, |n| condition(n, "DriftDetected").is_some_and(|c| c.reason == "DriftCorrected") && is(n, "Ready", "True"))
        .await;
    let status = network.status.unwrap();
    assert_eq!((status.drift.len(), status.summary.unwrap().rules.as_str()), (1, "6/6"));
    assert_eq!(status.drift[0].kind, "RuleMissing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_by_a_pass_on_fresh_reads() {
    // No sweep comes by itself in the time of this test.
    let env = Env::builder("conditions-request").class(|spec| spec["resyncInterval"] = "1h".into()).start().await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    revoke_all(&env, &env.topology.security_group_ids.source).await;
    let mark = env.aws.mark();
    let asked = "2026-11-22T10:00:00Z";
    env.kubectl.ok(&["annotate", "dmsnet", "orders", &format!("dmsnet.dev/reconcile-requested-at={asked}")]);
    let handled = |n: &DmsNetwork| n.status.as_ref().is_some_and(|s| s.last_handled_reconcile_at.as_deref() == Some(asked));
    let network = env.network("orders", SOON, |n| handled(n) && is(n, "Ready", "True")).await;
    let status = network.status.unwrap();
    assert_eq!(status.summary.unwrap().rules, "6/6", "mended by the time that the request is answered");
    assert_eq!(status.drift[0].kind, "RuleMissing");
    let counts = env.aws.counts(mark);
    for read in
        ["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeVpcEndpoints", "dms:DescribeReplicationInstances"]
    {
        assert!(counts.contains_key(read), "{read} in {counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_taken_over_keeps_what_is_not_written() {
    let env = Env::start("conditions-take-over").await;
    let (ec2, t) = (env.aws.ec2(), &env.topology);
    let call = ec2
        .create_vpc_endpoint()
        .vpc_id(&t.vpc_id)
        .service_name("com.amazonaws.us-west-2.dms")
        .vpc_endpoint_type(VpcEndpointType::Interface);
    let call = call.subnet_ids(&t.subnet_ids[0]).security_group_ids(&t.default_security_group_id).private_dns_enabled(false);
    let theirs = call.send().await.unwrap().vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    let mut spec = env.reference();
    spec["vpcEndpoints"][0]["vpcEndpointId"] = theirs.as_str().into();
    spec["vpcEndpoints"][0]["privateDns"] = true.into();
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Synced", "GuardrailViolated", SOON).await;
    assert!(message.contains(&theirs) && message.contains("takeOver"), "{message}");
    assert!(!env.aws.writes(0).iter().any(|c| c.params.to_string().contains(&theirs)));

    let mut class = env.class_spec();
    class["guardrails"]["takeOver"] = "Any".into();
    env.apply_class(&env.name, class).await;
    let network = env.ready("orders").await;
    let status = network.status.unwrap();
    assert_eq!(status.vpc_endpoints[0].id.as_deref(), Some(theirs.as_str()));
    assert!(!status.vpc_endpoints[0].owned);
    assert!(!status.owned.iter().find(|e| e.key.starts_with("endpoint/")).unwrap().made);
    let shown = ec2.describe_vpc_endpoints().vpc_endpoint_ids(&theirs).send().await.unwrap().vpc_endpoints.unwrap().remove(0);
    assert_eq!(shown.private_dns_enabled(), Some(true), "what is written");
    assert_eq!(shown.subnet_ids(), [t.subnet_ids[0].clone()], "what is not");
    assert_eq!(shown.groups()[0].group_id(), Some(t.default_security_group_id.as_str()));
    let tags: Vec<_> = shown.tags().iter().filter_map(|tag| tag.key()).collect();
    assert_eq!(tags, ["dmsnet.dev/taken-over"], "not made by us, so not tagged as ours");
    let changes: Vec<_> = env.aws.writes(0).into_iter().filter(|c| c.operation == "ModifyVpcEndpoint").collect();
    assert_eq!(changes.len(), 1, "{changes:#?}");

    env.delete("orders").await;
    env.gone("orders", SOON).await;
    let shown = ec2.describe_vpc_endpoints().vpc_endpoint_ids(&theirs).send().await.unwrap().vpc_endpoints.unwrap().remove(0);
    assert_eq!(
        (shown.state().unwrap().as_str().to_lowercase().as_str(), shown.tags()),
        ("available", &[][..]),
        "never deleted, and nothing of ours is left"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_class_is_kept_once_it_was_taken() {
    let env = Env::builder("conditions-default").without_class().start().await;
    let default = |value: Value| Patch::Merge(json!({ "metadata": { "annotations": { "dmsnet.dev/is-default-class": value } } }));
    let (first, second) = ("conditions-default-a", "conditions-default-b");
    let mut spec = env.reference();
    spec.as_object_mut().unwrap().remove("className");
    // A default is every network's: not that of the other tests.
    let mut class = env.class_spec();
    class["allowedNamespaces"] = json!({ "from": "Selector", "selector": { "matchLabels": { "test": env.name } } });
    for name in [first, second] {
        env.apply_class(name, class.clone()).await;
    }
    env.classes().patch(first, &PatchParams::default(), &default(json!("true"))).await.unwrap();
    env.apply("orders", spec.clone()).await;
    let network = env.ready("orders").await;
    assert_eq!(network.status.as_ref().unwrap().default_class.as_deref(), Some(first));

    // Another default: whoever works in the first stays there.
    env.classes().patch(first, &PatchParams::default(), &default(Value::Null)).await.unwrap();
    env.classes().patch(second, &PatchParams::default(), &default(json!("true"))).await.unwrap();
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "1" } } })).await;
    let network = env.network("orders", SOON, |n| n.status.as_ref().unwrap().last_handled_reconcile_at.as_deref() == Some("1")).await;
    assert_eq!(network.status.as_ref().unwrap().default_class.as_deref(), Some(first));
    assert!(is(&network, "Ready", "True"));
    // A name that is added later must be the same.
    spec["className"] = second.into();
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Stalled", "ClassChanged", SOON).await;
    assert!(message.contains(first), "{message}");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
}

fn types(network: &DmsNetwork) -> Vec<&str> {
    network.status.as_ref().unwrap().conditions.iter().map(|c| c.type_.as_str()).collect()
}

/// Somebody takes away all that a group lets in.
async fn revoke_all(env: &Env, group: &str) {
    let ec2 = env.aws.ec2();
    let filter = Filter::builder().name("group-id").values(group).build();
    let rules = ec2.describe_security_group_rules().filters(filter).send().await.unwrap();
    let ids = rules
        .security_group_rules()
        .iter()
        .filter(|r| r.is_egress() == Some(false))
        .map(|r| r.security_group_rule_id().unwrap().to_owned());
    ec2.revoke_security_group_ingress().group_id(group).set_security_group_rule_ids(Some(ids.collect())).send().await.unwrap();
}
