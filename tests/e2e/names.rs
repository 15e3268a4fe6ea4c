//! Networks of a cluster by name: what the command line says of them is what it says of the same files.

use std::fs;

use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, ResourceExt};
use serde_json::json;

use crate::harness::{Answer, Env, answer, dmsnet, env::SOON};

/// Runs a command with the test's kubeconfig.
fn run(env: &Env, args: &[&str]) -> Answer {
    answer(dmsnet().env("KUBECONFIG", &env.controller.options.kubeconfig).args(args))
}

/// The class and a network as kubectl prints them, in a file.
fn file(env: &Env, dir: &tempfile::TempDir, network: &str) -> String {
    let class = env.kubectl.ok(&["get", "dnc", &env.name, "-o", "yaml"]);
    let network = env.kubectl.ok(&["get", "dmsnet", network, "-o", "yaml"]);
    let file = dir.path().join("net.yaml");
    fs::write(&file, format!("{class}---\n{network}")).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn by_name_is_as_by_file() {
    let env = Env::start("names").await;
    let dir = tempfile::tempdir().unwrap();
    env.apply("orders", env.reference()).await;
    env.condition("orders", "Synced", "True", SOON).await;
    env.condition("orders", "EndpointsAvailable", "True", SOON).await;
    let ns = env.name.as_str();
    let files = file(&env, &dir, "orders");
    let mark = env.aws.mark();
    for form in [&["explain"][..], &["explain", "-o", "json"], &["diagram", "-o", "svg"], &["diagram"]] {
        let of_files = run(&env, &[form, &["-f", &files]].concat());
        for by_name in [&["-n", ns, "orders"][..], &["orders"]] {
            let named = run(&env, &[form, by_name].concat());
            assert_eq!((named.code, &named.out, &named.err), (of_files.code, &of_files.out, &of_files.err), "{form:?} {by_name:?}");
        }
        assert!(of_files.out.contains(&env.topology.vpc_id), "{of_files}");
    }

    let plan = run(&env, &["plan", "-n", ns, "orders", "--owner", ns]).ends_in(0);
    assert!(plan.out.ends_with("Nothing to change.\n"), "what the controller would find to do: {plan}");
    assert_eq!(env.aws.writes(mark).iter().map(|c| &c.operation).collect::<Vec<_>>(), Vec::<&String>::new());

    env.apply("other", env.reference()).await;
    let plan = run(&env, &["plan", "other", "--owner", ns, "-o", "json"]).json();
    let names: Vec<&str> = plan["networks"].as_array().unwrap().iter().map(|n| n["name"].as_str().unwrap()).collect();
    assert_eq!(names, [format!("{ns}/other")], "those that it shares with are read, and not told: {plan:#}");

    let snapshot = dir.path().join("snapshot.json");
    let snapshot = snapshot.to_str().unwrap();
    run(&env, &["snapshot", "-n", ns, "orders", "-o", snapshot]).ends_in(0);
    let offline = run(&env, &["plan", "-n", ns, "orders", "--owner", ns, "--snapshot", snapshot]).ends_in(0);
    assert!(offline.out.ends_with("Nothing to change.\n"), "{offline}");
}

/// Without --owner a plan takes the name that the controller takes without --cluster-name.
#[tokio::test(flavor = "multi_thread")]
async fn the_owner_is_the_clusters_own() {
    let env = Env::builder("names-owner").without_controller().start().await;
    let dir = tempfile::tempdir().unwrap();
    env.apply("orders", env.reference()).await;
    let namespaces: Api<Namespace> = Api::all(env.client.clone());
    let uid = namespaces.get("kube-system").await.unwrap().uid().unwrap();
    let owner = &uid[..8];
    assert_eq!(run(&env, &["plan", "orders"]).ends_in(2).out, run(&env, &["plan", "orders", "--owner", owner]).ends_in(2).out);
    run(&env, &["apply", "-f", &file(&env, &dir, "orders"), "--owner", owner]).ends_in(0);
    run(&env, &["plan", "orders"]).ends_in(0);
    run(&env, &["plan", "orders", "--owner", "another"]).ends_in(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let env = Env::builder("names-missing").without_controller().start().await;
    let ns = env.name.as_str();
    let fails = |args: &[&str], expected: &str| {
        let told = run(&env, args).ends_in(1);
        assert!(told.out.is_empty() && told.err.lines().count() == 1 && told.err.contains(expected), "{args:?}: {expected}\n{told}");
    };
    fails(&["explain", "orders"], &format!("there is no DmsNetwork \"orders\" in namespace \"{ns}\" of http"));
    fails(&["explain", "orders"], "which has none: check the namespace");
    let mut lost = env.reference();
    lost["className"] = json!("names-missing-nowhere");
    env.apply("lost", lost).await;
    fails(&["plan", "-n", ns, "orders"], "; there are: lost");
    fails(&["explain", "lost"], "names-missing/lost: spec.className: DmsNetworkClass \"names-missing-nowhere\" does not exist");
    let mut picky = env.class_spec();
    picky["allowedNamespaces"] = json!({ "from": "Selector", "selector": { "matchLabels": { "dms": "yes" } } });
    env.apply_class(ns, picky).await;
    env.apply("orders", env.reference()).await;
    fails(&["diagram", "orders"], "class \"names-missing\" does not admit namespace \"names-missing\"");
    let mut far = env.reference();
    far["databases"][0]["className"] = json!("names-missing-far");
    env.apply("far", far).await;
    fails(&["explain", "far"], "DmsNetworkClass \"names-missing-far\" does not exist");
}
