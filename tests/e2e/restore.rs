//! A cluster that was restored from YAML: the networks are the same, their status is lost. AWS still has all of it.

use std::collections::BTreeMap;

use dmsnet::api::status::OwnedEntry;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::harness::{
    Env,
    emulator::count,
    env::{SOON, condition},
};

#[tokio::test(flavor = "multi_thread")]
async fn networks_made_anew_adopt_what_is_there() {
    let mut env = Env::start("restore-yaml").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    let made = env.ready("orders").await.status.unwrap().owned;
    let there = env.aws.state();

    // The old cluster is lost, with its finalizers.
    assert!(env.controller.term().success());
    let yaml = env.kubectl.ok(&["get", "dmsnet", "orders", "--output=yaml"]);
    env.delete("orders").await;
    strip(&env).await;
    env.gone("orders", SOON).await;
    let restored = env.kubectl.run(&["create", "-f", "-"], &without_server_fields(&yaml));
    assert!(restored.ok, "{}", restored.stderr);
    assert_eq!(env.get("orders").await.status.unwrap().owned, [], "the API server drops a status that is created");

    adopted(&mut env, &made, &there).await;
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_status_is_found_again() {
    let mut env = Env::start("restore-status").await;
    env.apply("orders", env.reference()).await;
    let made = env.ready("orders").await.status.unwrap().owned;
    let there = env.aws.state();
    assert!(env.controller.term().success());
    let mut network = env.get("orders").await;
    network.status = None;
    env.networks().replace_status("orders", &Default::default(), &network).await.unwrap();
    assert_eq!(env.get("orders").await.status.unwrap().owned, []);
    adopted(&mut env, &made, &there).await;

    // Also from under a controller that runs.
    let mark = env.aws.mark();
    let mut network = env.get("orders").await;
    network.status = None;
    env.networks().replace_status("orders", &Default::default(), &network).await.unwrap();
    let status = env.ready("orders").await.status.unwrap();
    assert_eq!((ids(&status.owned), status.drift), (ids(&made), vec![]));
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new());
}

/// In silence: nothing is written to AWS, no drift is reported, and all of it is ours as before.
async fn adopted(env: &mut Env, made: &[OwnedEntry], there: &serde_json::Value) {
    let mark = env.aws.mark();
    env.controller.start();
    let network = env.ready("orders").await;
    env.calls("DescribeSecurityGroupRules", 1, SOON).await; // one more sweep
    assert_eq!(count(&env.aws.writes(mark)), BTreeMap::new(), "nothing is made twice, nothing is mended");
    assert_eq!(env.aws.state(), *there);
    assert_eq!(condition(&network, "DriftDetected").unwrap().reason, "NoDrift");
    let status = network.status.unwrap();
    assert_eq!((ids(&status.owned), status.drift), (ids(made), vec![]));
    assert!(status.owned.iter().all(|entry| entry.made), "{:#?}", status.owned);
    let reasons: Vec<_> = env.events("orders").await.into_iter().filter_map(|e| e.reason).collect();
    assert!(!reasons.iter().any(|r| r == "DriftFound" || r == "ReconcileFailed"), "{reasons:?}");
}

async fn strip(env: &Env) {
    let strip = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    env.networks().patch("orders", &PatchParams::default(), &strip).await.unwrap();
}

/// What a backup tool leaves out.
fn without_server_fields(yaml: &str) -> String {
    let mut object: serde_json::Value = serde_saphyr::from_str(yaml).unwrap();
    let metadata = object["metadata"].as_object_mut().unwrap();
    for field in ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "finalizers"] {
        metadata.remove(field);
    }
    object.to_string()
}

fn ids(owned: &[OwnedEntry]) -> BTreeMap<&str, Option<&str>> {
    owned.iter().map(|entry| (entry.key.as_str(), entry.id.as_deref())).collect()
}
