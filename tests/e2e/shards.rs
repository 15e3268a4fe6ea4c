//! Several shards: each serves the classes that its selector takes, and hands them over when their labels say otherwise.

use std::time::{Duration, Instant};

use dmsnet::api::DmsNetworkClass;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    harness::{
        Controller, Env, Topology,
        emulator::{self, CONTROLLER_KEY, OTHER_KEY},
        env::{SOON, is},
    },
    lease::{mended, revoke_one, writes_of},
    view::{View, settled},
};

/// A class of the test with one more label.
pub async fn class_of(env: &Env, name: &str, shard: &str, change: Value) -> DmsNetworkClass {
    let mut spec = env.class_spec();
    emulator::merge(&mut spec, change);
    let class = json!({
        "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass",
        "metadata": { "name": name, "labels": { "test": env.name, "shard": shard } }, "spec": spec,
    });
    env.classes().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap()
}

/// Two shards, each with credentials of its own; they are called `<test>-a` and `<test>-b`.
pub fn two_shards(env: &mut Env) -> Controller {
    let selector = |shard: &str| format!("test={},shard={shard}", env.name);
    let (a, b) = (selector("a"), selector("b"));
    let name = |shard: &str| ["--shard".to_owned(), format!("{}-{shard}", env.name)];
    let (name_a, name_b) = (name("a"), name("b"));
    env.controller.options.class_selector = a;
    env.controller.options.args.extend(name_a);
    let other = env.another_controller("b", |options| {
        options.class_selector = b;
        options.access_key = OTHER_KEY.into();
        options.args.truncate(options.args.len() - 2);
        options.args.extend(name_b);
    });
    env.controller.start();
    other
}

pub async fn served_by(env: &Env, class: &str, shard: Option<&str>, within: Duration) {
    let shard = shard.map(|s| format!("{}-{s}", env.name));
    env.eventually(&format!("class {class} is served by {shard:?}"), within, async || {
        let status = env.classes().get(class).await.map_err(|e| e.to_string())?.status;
        if status.as_ref().and_then(|s| s.shard.clone()) == shard { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

/// The network of a reference topology, such as the test's own, through that class.
pub fn through(place: &Topology, class: &str, instance: usize) -> Value {
    let mut spec = place.reference();
    spec["className"] = class.into();
    spec["replication"]["instance"] = place.instances[instance].id.as_str().into();
    spec
}

/// Nobody serves anything yet.
pub async fn nobody(name: &str, instances: usize) -> Env {
    Env::builder(name).topology(json!({ "instances": instances })).without_class().without_controller().start().await
}

/// Two shards, and a network that is ready through a class of the first.
struct Served {
    env: Env,
    _b: Controller,
    class: String,
    /// AWS, before there was any network.
    before: Value,
}

async fn served(name: &str) -> Served {
    let mut env = nobody(name, 1).await;
    let (before, class) = (env.aws.state(), format!("{name}-c"));
    class_of(&env, &class, "a", json!({})).await;
    let mut b = two_shards(&mut env);
    b.start();
    env.apply("orders", through(&env.topology, &class, 0)).await;
    env.ready("orders").await;
    Served { env, _b: b, class, before }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_and_region_is_served_by_one_shard() {
    let mut env = nobody("shards-conflict", 2).await;
    let before = env.aws.state();
    let (one, two) = (format!("{}-one", env.name), format!("{}-two", env.name));
    class_of(&env, &one, "a", json!({})).await;
    let mut b = two_shards(&mut env);
    served_by(&env, &one, Some("a"), SOON).await;
    class_of(&env, &two, "b", json!({})).await;
    b.start();
    let message = refused(&env, &two).await;
    assert!(message.contains(&format!("\"{}-a\"", env.name)) && message.contains(&one), "{message}");

    // Its networks are left alone, and the other's go on.
    env.apply("mine", through(&env.topology, &one, 0)).await;
    env.apply("theirs", through(&env.topology, &two, 1)).await;
    env.ready("mine").await;
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    let alone = env.get("theirs").await;
    assert_eq!(alone.status.as_ref().unwrap().observed_generation, Some(-1), "nobody has looked at it");
    assert_eq!(alone.finalizers().len(), 0);
    assert_eq!(writes_of(&env, OTHER_KEY, 0), [] as [String; 0]);

    // Given to the same shard, it is served.
    class_of(&env, &two, "a", json!({})).await;
    served_by(&env, &two, Some("a"), SOON).await;
    env.ready("theirs").await;
    assert_eq!(View::of(&env).endpoints.len(), 1, "both share it");
    for name in ["mine", "theirs"] {
        env.delete(name).await;
        env.gone(name, SOON).await;
    }
    assert_eq!(env.aws.state(), before, "AWS is as before");
    assert_eq!(writes_of(&env, OTHER_KEY, 0), [] as [String; 0]);
}

async fn refused(env: &Env, class: &str) -> String {
    env.eventually(&format!("class {class} is refused"), SOON, async || {
        let status = env.classes().get(class).await.map_err(|e| e.to_string())?.status.unwrap_or_default();
        let ready = status.conditions.iter().find(|c| c.type_ == "Ready" && c.reason == "ShardConflict");
        ready.filter(|_| status.shard.is_none()).map(|c| c.message.clone()).ok_or_else(|| format!("{:?}", status.conditions))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_hands_a_class_from_shard_to_shard() {
    let Served { env, _b, class, before } = served("shards-hand-over").await;
    settled(&env).await;
    let wanted = View::of(&env);
    let mark = env.aws.mark();

    // In the middle of a repair: what has begun is finished by the one, what is left is done by the other.
    env.aws.fault(json!({ "kind": "delay", "seconds": 1, "operation": "Authorize*", "times": 1 }));
    revoke_one(&env).await;
    env.calls("AuthorizeSecurityGroupIngress", 1, SOON).await;
    class_of(&env, &class, "b", json!({})).await;
    let handed = Instant::now();
    served_by(&env, &class, Some("b"), SOON).await;
    eprintln!("shards-hand-over: after {:?}", handed.elapsed());
    assert!(handed.elapsed() < Duration::from_secs(10), "a gap of at most one sweep: {:?}", handed.elapsed());
    mended(&env, &wanted, SOON).await;
    let record = env
        .network("orders", SOON, |n| {
            let status = n.status.as_ref().unwrap();
            is(n, "Ready", "True") && status.classes.iter().all(|r| r.shard.as_deref() == Some(&format!("{}-b", env.name)))
        })
        .await;
    assert_eq!(record.status.unwrap().drift.len(), 1);
    let (of_a, of_b) = (writes_of(&env, CONTROLLER_KEY, mark), writes_of(&env, OTHER_KEY, mark));
    assert_eq!((of_a.len(), of_b.len()), (1, 0), "nothing is written twice: {of_a:#?} {of_b:#?}");

    // From now on the other mends.
    let mark = env.aws.mark();
    revoke_one(&env).await;
    mended(&env, &wanted, SOON).await;
    assert_eq!(writes_of(&env, CONTROLLER_KEY, mark), [] as [String; 0]);
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

/// The class is removed by force while nobody looks; the shard that had it takes its networks to their end.
#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_vanished_leaves_its_networks_to_its_shard() {
    let Served { mut env, _b, class, before } = served("shards-vanished").await;
    env.network("orders", SOON, |n| n.status.as_ref().unwrap().classes.iter().all(|r| r.shard.is_some())).await;
    assert!(env.controller.term().success());
    env.kubectl.ok(&["delete", "dnc", &class, "--wait=false"]);
    let strip = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    env.classes().patch(&class, &PatchParams::default(), &strip).await.unwrap();
    env.controller.start();
    let message = env.reason("orders", "Synced", "ReferenceNotFound", SOON).await;
    assert!(message.contains(&class), "{message}");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
    assert_eq!(writes_of(&env, OTHER_KEY, 0), [] as [String; 0], "the other shard keeps out of it");
}
