//! What bad input gets: a sentence that says what to change. Nothing panics, what worked goes on, and so do the others.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{AttributeBooleanValue, Filter, IpPermission, IpRange, VpcEndpointType};
use dmsnet::api::{DmsNetwork, conditions};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{
    Env,
    emulator::count,
    env::{SOON, condition, is},
};

/// A group that nobody has.
const NO_GROUP: &str = "sg-0123456789abcdef0";

/// A network that says one thing wrong, and where it is told what.
struct Bad {
    name: &'static str,
    spec: Value,
    reason: &'static str,
    /// Whether only a change of the spec helps.
    stalled: bool,
    says: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_and_the_others_go_on() {
    let mut env = Env::builder("refusals-spec").topology(json!({ "instances": 3 })).start().await;
    let before = env.aws.state();
    env.apply("good", env.reference()).await;
    env.apply("turned", env.reference()).await;
    env.ready("good").await;
    env.ready("turned").await;

    // What the mistakes need.
    let ec2 = env.aws.ec2();
    let other_vpc = ec2.create_vpc().cidr_block("10.9.0.0/16").send().await.unwrap().vpc.unwrap().vpc_id.unwrap();
    let made = ec2.create_security_group().vpc_id(&other_vpc).group_name("elsewhere").description("elsewhere").send().await.unwrap();
    let elsewhere = made.group_id.unwrap();
    let t = env.topology.clone();
    let made = ec2.create_subnet().vpc_id(&t.vpc_id).cidr_block("10.0.240.0/24").availability_zone(&t.zones[0]).send().await.unwrap();
    let twin = made.subnet.unwrap().subnet_id.unwrap();
    let first = &t.subnet_ids[0];
    let dms = env.aws.dms();
    let (two_groups, leaving) = (&t.instances[1], &t.instances[2]);
    let groups = [&two_groups.security_group_id, &t.default_security_group_id];
    let modify = dms.modify_replication_instance().replication_instance_arn(&two_groups.arn).apply_immediately(true);
    modify.set_vpc_security_group_ids(Some(groups.map(String::clone).to_vec())).send().await.unwrap();
    env.aws.instance_status(&leaving.id, "deleting");
    let kafka = dms.create_endpoint().endpoint_identifier("no-port").endpoint_type("target".into()).engine_name("kafka");
    kafka.server_name("kafka.example.com").send().await.unwrap();
    let hidden = dms.create_endpoint().endpoint_identifier("in-a-secret").endpoint_type("target".into()).engine_name("postgres");
    hidden.send().await.unwrap();

    let with = |change: fn(&mut Value, &str), value: &str| {
        let mut spec = env.reference();
        change(&mut spec, value);
        spec
    };
    let instance: fn(&mut Value, &str) = |spec, id| spec["replication"]["instance"] = id.into();
    let source: fn(&mut Value, &str) = |spec, id| spec["databases"][0]["dmsEndpoint"] = id.into();
    let target: fn(&mut Value, &str) = |spec, id| spec["databases"][1]["rds"]["instance"] = id.into();
    let group: fn(&mut Value, &str) = |spec, id| spec["databases"][0]["securityGroupId"] = id.into();
    let service: fn(&mut Value, &str) = |spec, name| spec["vpcEndpoints"][0]["service"] = name.into();
    let statement: fn(&mut Value, &str) = |spec, text| {
        spec["vpcEndpoints"][0]["policy"] = json!({ "type": "Document", "document": serde_json::from_str::<Value>(text).unwrap() });
    };
    let placed: fn(&mut Value, &str) = |spec, subnet| {
        spec["replication"] = json!({ "placement": { "subnetIds": [subnet], "securityGroupIds": [NO_GROUP] } });
    };
    let mut twins = env.reference();
    twins["vpcEndpoints"][0]["subnetIds"] = json!([first, twin]);

    let bad = |name, spec, reason, stalled, says: &[&str]| Bad {
        name,
        spec,
        reason,
        stalled,
        says: says.iter().map(|s| s.to_string()).collect(),
    };
    let missing = "ReferenceNotFound";
    let mistakes = [
        bad("no-instance", with(instance, "nope"), missing, false, &["replication instance \"nope\" does not exist in us-west-2"]),
        bad("no-dms-endpoint", with(source, "nope"), missing, false, &["database \"source\"", "DMS endpoint \"nope\" does not exist"]),
        bad("no-rds", with(target, "nope"), missing, false, &["database \"target\"", "RDS instance \"nope\" does not exist"]),
        bad("no-group", with(group, NO_GROUP), missing, false, &[NO_GROUP, "does not exist"]),
        bad("no-subnet", with(placed, "subnet-0123456789abcdef0"), missing, false, &["subnet-0123456789abcdef0 does not exist"]),
        bad("no-service", with(service, "nope"), missing, false, &["com.amazonaws.us-west-2.nope does not exist"]),
        bad("other-vpc", with(group, &elsewhere), "InvalidSpec", true, &[&elsewhere, &other_vpc, &t.vpc_id]),
        bad(
            "two-groups",
            with(instance, &two_groups.id),
            "AmbiguousSecurityGroup",
            true,
            &[groups[0], groups[1], "spec.replication.securityGroupId"],
        ),
        bad("no-port", with(source, "no-port"), "InvalidSpec", true, &["kafka", "kafka.example.com", "write its port"]),
        bad("hidden-host", with(source, "in-a-secret"), "InvalidSpec", true, &["in-a-secret", "shows no server name", "address"]),
        bad("no-policy", with(statement, r#"{"Statement": "all"}"#), "InvalidSpec", true, &["policy.document", "Statement"]),
        bad(
            "half-policy",
            with(statement, r#"{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*", "Principal": "*"}]}"#),
            "InvalidSpec",
            true,
            &["policy.document", "Allow or Deny"],
        ),
        bad("one-zone", twins, "InvalidSpec", true, &[first, &twin, &t.zones[0], "one subnet per Availability Zone"]),
        bad("leaving", with(instance, &leaving.id), missing, false, &[&leaving.id, "is deleting"]),
    ];
    let mark = env.aws.mark();
    for mistake in &mistakes {
        env.apply(mistake.name, mistake.spec.clone()).await;
    }
    let turned = with(instance, "nope");
    env.apply("turned", turned).await;
    for Bad { name, reason, stalled, says, .. } in &mistakes {
        let message = env.reason(name, "Synced", reason, SOON).await;
        for words in says {
            assert!(message.contains(words), "{name}: {words:?} is not in {message:?}");
        }
        let network = env.network(name, SOON, |n| is(n, "Ready", "False")).await;
        let ready = condition(&network, "Ready").unwrap();
        assert_eq!((ready.reason.as_str(), condition(&network, "Stalled").is_some()), (*reason, *stalled), "{name}");
        let event = env.event(name, "ReconcileFailed", SOON).await;
        assert!(says.iter().all(|words| event.contains(words)), "{name}: {event}");
    }

    // What worked is still there, although one of its users now says something wrong.
    env.reason("turned", "Synced", "ReferenceNotFound", SOON).await;
    assert_eq!(env.get("turned").await.status.unwrap().owned.len(), 8, "its ledger stays");
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    let writes = env.aws.writes(mark);
    let removed: Vec<_> = writes.iter().filter(|c| c.operation.starts_with("Revoke") || c.operation.starts_with("Delete")).collect();
    assert_eq!(removed.len(), 0, "{removed:#?}");
    let good = env.get("good").await;
    assert!(is(&good, "Ready", "True"));
    assert_eq!(good.status.unwrap().drift, []);
    assert!(env.controller.is_running());

    // Corrected, it works: as soon as it is written.
    env.apply("no-instance", env.reference()).await;
    env.ready("no-instance").await;
    // And a mistake is no obstacle to its own deletion.
    for name in mistakes.iter().map(|m| m.name).chain(["good", "turned"]) {
        env.delete(name).await;
    }
    for name in mistakes.iter().map(|m| m.name).chain(["good", "turned"]) {
        env.gone(name, SOON).await;
    }
    ec2.delete_subnet().subnet_id(&twin).send().await.unwrap();
    ec2.delete_security_group().group_id(&elsewhere).send().await.unwrap();
    ec2.delete_vpc().vpc_id(&other_vpc).send().await.unwrap();
    assert_eq!(env.aws.state()["securityGroups"], before["securityGroups"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_resolve_is_said_and_stops_nothing() {
    let env = Env::start("refusals-host").await;
    let mut spec = env.reference();
    spec["databases"][0] = json!({
        "name": "source", "path": { "type": "SameVpc" }, "securityGroupId": env.topology.security_group_ids.source,
        "address": { "engine": "postgres", "endpoints": [{ "host": "db.nowhere.invalid" }] },
    });
    env.apply("orders", spec).await;
    env.ready("orders").await;
    let network = env
        .network("orders", SOON, |n| n.status.as_ref().is_some_and(|s| s.databases.first().is_some_and(|d| !d.unknown.is_empty())))
        .await;
    let unknown = &network.status.as_ref().unwrap().databases[0].unknown[0];
    assert_eq!((unknown.code.as_str(), unknown.resource.as_str()), ("HostNotResolved", "db.nowhere.invalid"));
    assert!(unknown.message.contains("check the name"), "{}", unknown.message);
    assert!(is(&network, "Ready", "True"), "the rules do not depend on it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guardrail_that_is_overstepped_is_named() {
    let env = Env::builder("refusals-guardrail").class(|spec| spec["guardrails"]["ports"] = json!(["5432"])).start().await;
    let mut spec = env.reference();
    spec["foreignRules"] = "Revoke".into();
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Synced", "GuardrailViolated", SOON).await;
    assert!(message.contains("class refusals-guardrail"), "{message}");
    assert!(message.contains("port 3306 is not in the guardrail ports (5432)"), "which, by what: {message}");
    assert!(message.contains("foreignRules Revoke is stronger than the guardrail"), "{message}");
    let event = env.event("orders", "GuardrailViolated", SOON).await;
    assert!(event.contains("port 3306"), "{event}");
    // The rest goes on.
    let network = env.condition("orders", "EndpointsAvailable", "True", SOON).await;
    let owned = network.status.unwrap().owned;
    assert!(owned.iter().any(|e| e.key.contains("/tcp/5432/") && e.made), "{owned:#?}");
    assert!(!owned.iter().any(|e| e.key.contains("/tcp/3306/")), "{owned:#?}");
    assert!(!env.aws.writes(0).iter().any(|c| c.params.to_string().contains("3306")), "nothing is written to be undone");
    // Loosened, it is done at once.
    let mut spec = env.class_spec();
    spec["guardrails"] = json!({ "vpcIds": ["*"], "foreignRules": "Revoke" });
    env.apply_class(&env.name, spec).await;
    env.ready("orders").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_is_refused_is_named_with_its_object() {
    let env = Env::start("refusals-denied").await;
    let source = &env.topology.security_group_ids.source;
    let fault = env.aws.fault(json!({ "kind": "denied", "operation": "AuthorizeSecurityGroupIngress", "match": source }));
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "Synced", "AccessDenied", SOON).await;
    assert!(message.contains("ec2:AuthorizeSecurityGroupIngress") && message.contains(source), "{message}");
    let network = env.condition("orders", "EndpointsAvailable", "True", SOON).await;
    assert_eq!(network.status.unwrap().summary.unwrap().rules, "5/6", "the rest is made");
    let mark = env.aws.mark();
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new(), "not again before a minute");
    // Asked for, it is tried at once.
    env.aws.remove_fault(&fault);
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } })).await;
    env.ready("orders").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_cannot_be_read_tears_nothing_down() {
    let env = Env::start("refusals-unread").await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    let ask = async |value: &str| {
        env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": value } } })).await;
    };
    // A status that nobody foresaw changes nothing.
    env.aws.instance_status(&env.topology.instance.id, "incompatible-network");
    ask("1").await;
    let shown = |n: &DmsNetwork| n.status.as_ref().and_then(|s| s.replication.as_ref()?.status.clone());
    let network = env.network("orders", SOON, |n| shown(n).as_deref() == Some("incompatible-network")).await;
    assert!(is(&network, "Ready", "True"));

    let mark = env.aws.mark();
    let fault = env.aws.fault(json!({ "kind": "denied", "operation": "DescribeReplicationInstances" }));
    ask("2").await;
    let message = env.reason("orders", "Synced", "AccessDenied", SOON).await;
    assert!(message.contains("dms:DescribeReplicationInstances") && message.contains(&env.topology.instance.id), "{message}");
    assert_eq!(env.get("orders").await.status.unwrap().owned.len(), 8);
    env.aws.remove_fault(&fault);
    ask("3").await;
    env.ready("orders").await;
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new(), "nothing is torn down, nothing is made twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_group_is_a_quota_and_ours_make_room_only_there() {
    let env = Env::start("refusals-quota").await;
    let (ec2, source) = (env.aws.ec2(), &env.topology.security_group_ids.source);
    let strangers = (0..60).map(|n| {
        IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(7000)
            .to_port(7000)
            .ip_ranges(IpRange::builder().cidr_ip(format!("10.77.{n}.0/24")).build())
            .build()
    });
    ec2.authorize_security_group_ingress().group_id(source).set_ip_permissions(Some(strangers.collect())).send().await.unwrap();
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "Synced", "QuotaExceeded", SOON).await;
    assert!(message.contains(source) && message.contains("RulesPerSecurityGroupLimitExceeded"), "{message}");
    let network = env.condition("orders", "EndpointsAvailable", "True", SOON).await;
    assert_eq!(network.status.unwrap().summary.unwrap().rules, "5/6", "the rest is made");
    assert!(!env.aws.writes(0).iter().any(|c| c.operation.starts_with("Revoke")), "what is theirs is theirs");

    // One of theirs goes: there is room for ours, and for no other.
    let rules =
        ec2.describe_security_group_rules().filters(Filter::builder().name("group-id").values(source).build()).send().await.unwrap();
    let one = rules.security_group_rules()[0].security_group_rule_id().unwrap();
    ec2.revoke_security_group_ingress().group_id(source).security_group_rule_ids(one).send().await.unwrap();
    env.patch("orders", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } })).await;
    env.ready("orders").await;
    let mark = env.aws.mark();
    let mut spec = env.reference();
    spec["databases"][0]["ingressFrom"] = "VpcCidr".into();
    env.apply("orders", spec).await;
    let network = env
        .network("orders", SOON, |n| {
            is(n, "Ready", "True") && n.status.as_ref().is_some_and(|s| s.owned.iter().any(|e| e.key.ends_with("in/tcp/5432/10.0.0.0/16")))
        })
        .await;
    assert_eq!(network.status.unwrap().summary.unwrap().rules, "6/6");
    let writes = env.aws.writes(mark);
    let operations: Vec<_> = writes.iter().map(|c| (c.operation.as_str(), c.code.as_str())).collect();
    let (full, ingress) = ("RulesPerSecurityGroupLimitExceeded", "AuthorizeSecurityGroupIngress");
    assert_eq!(operations, [(ingress, full), ("RevokeSecurityGroupIngress", ""), (ingress, "")]);

    // With room, the other way round.
    env.aws.quotas(json!({ "rules_per_group": 70 }));
    let mark = env.aws.mark();
    env.apply("orders", env.reference()).await;
    env.network("orders", SOON, |n| {
        is(n, "Ready", "True") && n.status.as_ref().is_some_and(|s| !s.owned.iter().any(|e| e.key.ends_with("in/tcp/5432/10.0.0.0/16")))
    })
    .await;
    let writes = env.aws.writes(mark);
    let operations: Vec<_> = writes.iter().map(|c| (c.operation.as_str(), c.code.as_str())).collect();
    assert_eq!(operations, [(ingress, ""), ("RevokeSecurityGroupIngress", "")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_endpoint_with_the_private_dns_name_is_named_and_not_fought() {
    let env = Env::start("refusals-private-dns").await;
    let (ec2, t) = (env.aws.ec2(), &env.topology);
    let call = ec2.create_vpc_endpoint().vpc_id(&t.vpc_id).service_name("com.amazonaws.us-west-2.dms");
    let made =
        call.vpc_endpoint_type(VpcEndpointType::Interface).subnet_ids(&t.subnet_ids[0]).private_dns_enabled(true).send().await.unwrap();
    let theirs = made.vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "EndpointsAvailable", "PrivateDnsConflict", SOON).await;
    for words in [theirs.as_str(), "vpcEndpointId", "privateDns: false"] {
        assert!(message.contains(words), "{words}: {message}");
    }
    env.calls("DescribeVpcEndpoints", 2, SOON).await;
    let counts = env.aws.counts(0);
    assert_eq!(counts.get("ec2:CreateVpcEndpoint"), None, "no endless retry");
    let network =
        env.network("orders", SOON, |n| n.status.as_ref().and_then(|s| s.summary.as_ref()).is_some_and(|s| s.rules == "6/6")).await;
    assert_eq!(condition(&network, "Ready").unwrap().status, "False");
    assert!(condition(&network, "Reconciling").is_none(), "nothing is under way");
    let deadline = env.aws.mark();
    env.calls("DescribeVpcEndpoints", 2, SOON).await;
    assert_eq!(count(&env.aws.writes(deadline)), BTreeMap::new());

    ec2.delete_vpc_endpoints().vpc_endpoint_ids(&theirs).send().await.unwrap();
    env.ready("orders").await;
    assert_eq!(env.aws.counts(0)["ec2:CreateVpcEndpoint"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn private_dns_needs_both_attributes_of_the_vpc() {
    let env = Env::start("refusals-vpc-dns").await;
    let (ec2, vpc) = (env.aws.ec2(), &env.topology.vpc_id);
    let value = |on| AttributeBooleanValue::builder().value(on).build();
    ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(value(false)).send().await.unwrap();
    env.apply("orders", env.reference()).await;
    let message = env.reason("orders", "EndpointsAvailable", "Failed", SOON).await;
    assert!(message.contains("enableDnsHostnames") && !message.contains("enableDnsSupport") && message.contains(vpc), "{message}");
    assert!(message.contains("privateDns: false"), "{message}");
    assert_eq!(env.aws.counts(0).get("ec2:CreateVpcEndpoint"), None);
    // Nobody asks for it: while they stand in the way, attributes are read every interval, though else but rarely.
    ec2.modify_vpc_attribute().vpc_id(vpc).enable_dns_hostnames(value(true)).send().await.unwrap();
    env.ready("orders").await;
    let mark = env.aws.mark();
    env.calls("DescribeSecurityGroupRules", 3, SOON).await;
    assert_eq!(count(&env.aws.calls(mark)).get("ec2:DescribeVpcAttribute"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn classes_that_do_not_fit_are_explained() {
    let mut env = Env::builder("refusals-class").private_api_server().without_class().without_controller().start().await;
    env.controller.options.class_selector = String::new(); // all classes: a missing one is nobody else's
    env.controller.start();
    let class = |name: &str, change: Value| {
        let mut spec = env.class_spec();
        crate::harness::emulator::merge(&mut spec, change);
        (name.to_owned(), spec)
    };
    let of = |class: Option<&str>| {
        let mut spec = env.reference();
        spec["className"] = json!(class);
        spec
    };

    env.apply("missing", of(Some("nope"))).await;
    let message = env.reason("missing", "Synced", "ReferenceNotFound", SOON).await;
    assert!(message.contains("\"nope\" does not exist"), "{message}");
    env.apply("classless", of(None)).await;
    let message = env.reason("classless", "Synced", "ReferenceNotFound", SOON).await;
    assert!(message.contains("dmsnet.dev/is-default-class"), "{message}");

    for (name, spec) in [
        class("good", json!({})),
        class("picky", json!({ "allowedNamespaces": { "from": "Selector", "selector": { "matchLabels": { "dms": "yes" } } } })),
        class("nowhere", json!({ "region": "us-nowhere-9" })),
        class("unreachable", json!({ "endpointUrl": "http://127.0.0.1:1" })),
    ] {
        env.apply_class(&name, spec).await;
    }
    env.apply("good", of(Some("good"))).await;
    env.ready("good").await;

    // The classes say it themselves, and the networks that use them.
    for (name, words) in [("nowhere", vec!["us-nowhere-9", "check region"]), ("unreachable", vec!["http://127.0.0.1:1", "endpointUrl"])] {
        let message = env
            .eventually(&format!("class {name}"), SOON, async || {
                let class = env.classes().get(name).await.unwrap();
                let ready = class.status.as_ref().and_then(|s| conditions::find(&s.conditions, "Ready")).cloned();
                ready
                    .filter(|c| c.status == "False" && c.reason == "AwsUnreachable")
                    .map(|c| c.message)
                    .ok_or_else(|| format!("{:?}", class.status))
            })
            .await;
        for words in words {
            assert!(message.contains(words), "{name}: {words:?} is not in {message:?}");
        }
        env.apply(name, of(Some(name))).await;
        let network = env.network(name, SOON, |n| condition(n, "Synced").is_some_and(|c| c.status == "Unknown")).await;
        let message = &condition(&network, "Synced").unwrap().message;
        assert!(message.contains(&format!("class {name:?}")), "{message}");
        assert_eq!(condition(&network, "Ready").unwrap().status, "Unknown");
    }

    env.apply("picky", of(Some("picky"))).await;
    let message = env.reason("picky", "Stalled", "ClassNotAllowed", SOON).await;
    assert!(message.contains("namespace \"refusals-class\"") && message.contains("dms=yes"), "{message}");
    let label = |value: Value| json!({ "metadata": { "labels": { "dms": value } } });
    let namespaces: kube::Api<k8s_openapi::api::core::v1::Namespace> = kube::Api::all(env.client.clone());
    namespaces.patch(&env.name, &PatchParams::default(), &Patch::Merge(label(json!("yes")))).await.unwrap();
    env.ready("picky").await;
    // No longer admitted: it is told, and nothing is torn down.
    let mark = env.aws.mark();
    namespaces.patch(&env.name, &PatchParams::default(), &Patch::Merge(label(Value::Null))).await.unwrap();
    env.reason("picky", "Stalled", "ClassNotAllowed", SOON).await;
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new());

    let default = |value: Value| Patch::Merge(json!({ "metadata": { "annotations": { "dmsnet.dev/is-default-class": value } } }));
    for name in ["good", "picky"] {
        env.classes().patch(name, &PatchParams::default(), &default(json!("true"))).await.unwrap();
    }
    env.apply("ambiguous", of(None)).await;
    let message = env.reason("ambiguous", "Stalled", "AmbiguousDefaultClass", SOON).await;
    assert!(message.contains("(good, picky)"), "{message}");
    env.classes().patch("picky", &PatchParams::default(), &default(Value::Null)).await.unwrap();
    let network = env.ready("ambiguous").await;
    assert_eq!(network.status.as_ref().unwrap().default_class.as_deref(), Some("good"));
    assert!(condition(&network, "Stalled").is_none());
    env.ready("good").await;
}
