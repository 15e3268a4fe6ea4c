//! The alert rules of `deploy/` against the metrics of a controller at work: each names what is there, and a class that nobody serves
//! is told.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use crate::{
    harness::{Env, Metrics, Trail, env::SOON, eventually, root},
    queue::revoke,
    shards::{class_of, served_by},
    view::settled,
};

/// A metric in an expression, with the labels that are asked of it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    metric: String,
    labels: BTreeSet<String>,
}

/// What is between a bracket at the start of `text` and its end, and what follows.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    text.trim_start().strip_prefix(open)?.split_once(close)
}

/// Metrics of ours in an expression; those labels by which it groups are asked of each.
fn asked(expression: &str) -> Vec<Asked> {
    let list = |text: &str| text.split(',').map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    let grouped = |word: &str| {
        let after = expression.match_indices(word).filter_map(|(at, _)| bracketed(&expression[at + word.len()..], '(', ')'));
        after.flat_map(|(labels, _)| list(labels)).collect::<Vec<_>>()
    };
    let groups: Vec<String> = [grouped(" by "), grouped(" on ")].concat();
    let name = |text: &str| text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let found = expression.match_indices("dmsnet_").map(|(at, _)| {
        let metric = name(&expression[at..]);
        let matchers = bracketed(&expression[at + metric.len()..], '{', '}').map_or("", |(m, _)| m);
        let labels = list(matchers).into_iter().map(|m| name(&m)).chain(groups.iter().cloned()).collect();
        Asked { metric, labels }
    });
    found.collect()
}

fn rules() -> Vec<Value> {
    let text = fs::read_to_string(root().join("deploy/kustomize/monitoring/alerts.yaml")).unwrap();
    let object: Value = serde_saphyr::from_str(&text).unwrap();
    object["spec"]["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap().clone()).collect()
}

#[test]
fn metrics_are_found_in_expressions() {
    let of = |metric: &str, labels: &[&str]| Asked { metric: metric.into(), labels: labels.iter().map(|l| (*l).to_owned()).collect() };
    let text = "max by (shard) (dmsnet_classes{shard!=\"\", x=~\"a|b\"}) unless on (shard) (dmsnet_leader == 1)";
    assert_eq!(asked(text), [of("dmsnet_classes", &["shard", "x"]), of("dmsnet_leader", &["shard"])]);
    assert_eq!(asked("max(rate(dmsnet_drift_total[1h])) > 5"), [of("dmsnet_drift_total", &[])]);
}

#[test]
fn every_alert_is_told_in_the_docs() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    for rule in rules() {
        let alert = rule["alert"].as_str().unwrap();
        assert!(page.contains(&format!("\n#### {alert}\n")), "docs/operations.md tells nothing of {alert}");
        let runbook = rule["annotations"]["runbook_url"].as_str().unwrap();
        assert_eq!(runbook, format!("docs/operations.md#{}", alert.to_lowercase()));
    }
}

/// Whether a sample of that metric carries all of these labels.
fn has(metrics: &Metrics, asked: &Asked) -> bool {
    metrics.samples(&asked.metric).any(|(labels, _)| asked.labels.iter().all(|l| format!(",{labels}").contains(&format!(",{l}=\""))))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rules_ask_for_what_a_controller_tells_and_see_a_class_served_by_none() {
    // Of its own: a controller counts all classes that there are.
    let mut env = Env::builder("alerts").private_api_server().without_class().without_controller().start().await;
    let trail = Trail::new(&env.aws, "changes").await;
    let mut spec = env.class_spec();
    spec["changeQueue"] = json!({ "url": trail.url });
    env.apply_class("alerts", spec).await;
    env.controller.options.args.extend(["--shard".into(), "alerts-a".into()]);
    env.controller.start();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    settled(&env).await;
    trail.tell(&revoke(&env, true).await).await;
    let asked: BTreeSet<Asked> = rules().iter().flat_map(|rule| asked(rule["expr"].as_str().unwrap())).collect();
    assert!(asked.len() >= 8, "{asked:#?}");
    let all = async || {
        let metrics = env.controller.metrics();
        match asked.iter().find(|a| !has(&metrics, a)) {
            None => Ok(()),
            Some(missing) => Err(format!("no sample of {missing:?} in\n{}", metrics.0)),
        }
    };
    eventually(SOON, all).await.unwrap_or_else(|e| panic!("{e}"));

    let unserved = "max(dmsnet_classes{shard=\"\"}) > 0";
    assert!(rules().iter().any(|rule| rule["alert"] == "DmsnetClassUnserved" && rule["expr"] == unserved));
    let none = [("shard", "")];
    assert_eq!(env.controller.metrics().sum("dmsnet_classes", &none), 0.0, "each class is served");
    // A label that no selector takes.
    let nobodys = json!({ "metadata": { "labels": { "test": "nobodys" } } });
    env.classes().patch("alerts", &Default::default(), &kube::api::Patch::Merge(nobodys)).await.unwrap();
    until_unserved(&mut env, 1.0).await;
    class_of(&env, "alerts", "a", json!({})).await;
    served_by(&env, "alerts", Some("a"), SOON).await;
    until_unserved(&mut env, 0.0).await;
}

async fn until_unserved(env: &mut Env, count: f64) {
    let look = async || match env.controller.metrics().sum("dmsnet_classes", &[("shard", "")]) {
        seen if seen == count => Ok(()),
        seen => Err(format!("{seen}")),
    };
    eventually(SOON, look).await.unwrap_or_else(|e| panic!("{count} classes are served by none: {e}"));
}

/// The overlay of docs/operations.md, with the component.
#[tokio::test(flavor = "multi_thread")]
async fn the_component_fits_the_deployment() {
    let env = Env::builder("alerts-component").without_class().without_controller().start().await;
    let dir = tempfile::tempdir_in(root().join("target")).unwrap();
    let kustomization = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [../../deploy/kustomize]\ncomponents: [../../deploy/kustomize/monitoring]\n";
    fs::write(dir.path().join("kustomization.yaml"), kustomization).unwrap();
    let built = env.kubectl.ok(&["kustomize", "--load-restrictor=LoadRestrictionsNone", dir.path().to_str().unwrap()]);
    let objects: Vec<Value> = built.split("\n---\n").map(|text| serde_saphyr::from_str(text).unwrap()).collect();
    let find = |kind: &str| objects.iter().find(|o| o["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in\n{built}"));
    assert_eq!(find("PrometheusRule")["metadata"]["namespace"], "dmsnet-system");
    // The monitor finds the Service, and the port there.
    let (monitor, service) = (find("ServiceMonitor"), find("Service"));
    assert_eq!(monitor["metadata"]["namespace"], service["metadata"]["namespace"]);
    for (key, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(service["metadata"]["labels"][key], *value);
    }
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
}
