//! Several shards: each serves the classes that its selector takes, and hands them over when their labels say otherwise.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use dmsnet::api::DmsNetworkClass;
use kube::{
    ResourceExt,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::{
    harness::{
        Call, Controller, Env, Topology,
        emulator::{self, CONTROLLER_KEY, OTHER_KEY, REGION},
        env::{SOON, is},
    },
    lease::{BUSY, mended, revoke_one, writes_of},
    view::{View, settled},
};

/// A class of the test with one more label.
async fn class_of(env: &Env, name: &str, shard: &str, change: Value) -> DmsNetworkClass {
    let mut spec = env.class_spec();
    emulator::merge(&mut spec, change);
    let class = json!({
        "apiVersion": "dmsnet.dev/v1alpha1", "kind": "DmsNetworkClass",
        "metadata": { "name": name, "labels": { "test": env.name, "shard": shard } }, "spec": spec,
    });
    env.classes().patch(name, &PatchParams::apply("test").force(), &Patch::Apply(class)).await.unwrap()
}

/// Two shards, each with credentials of its own; they are called `<test>-a` and `<test>-b`.
fn two_shards(env: &mut Env) -> Controller {
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

async fn served_by(env: &Env, class: &str, shard: Option<&str>, within: Duration) {
    let shard = shard.map(|s| format!("{}-{s}", env.name));
    env.eventually(&format!("class {class} is served by {shard:?}"), within, async || {
        let status = env.classes().get(class).await.map_err(|e| e.to_string())?.status;
        if status.as_ref().and_then(|s| s.shard.clone()) == shard { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
}

/// The network of the reference topology through another class, or of another instance.
fn through(env: &Env, class: &str, instance: usize) -> Value {
    let mut spec = env.reference();
    spec["className"] = class.into();
    spec["replication"]["instance"] = env.topology.instances[instance].id.as_str().into();
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_and_region_is_served_by_one_shard() {
    let mut env = Env::builder("shards-conflict").topology(json!({ "instances": 2 })).without_class().without_controller().start().await;
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
    env.apply("mine", through(&env, &one, 0)).await;
    env.apply("theirs", through(&env, &two, 1)).await;
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
    let mut env = Env::builder("shards-hand-over").without_class().without_controller().start().await;
    let before = env.aws.state();
    let class = format!("{}-c", env.name);
    class_of(&env, &class, "a", json!({})).await;
    let mut b = two_shards(&mut env);
    b.start();
    env.apply("orders", through(&env, &class, 0)).await;
    env.ready("orders").await;
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
    let mut env = Env::builder("shards-vanished").topology(json!({ "instances": 2 })).without_class().without_controller().start().await;
    let before = env.aws.state();
    let class = format!("{}-c", env.name);
    class_of(&env, &class, "a", json!({})).await;
    let mut b = two_shards(&mut env);
    b.start();
    env.apply("orders", through(&env, &class, 0)).await;
    env.ready("orders").await;
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

// --------------------------------------------------------------- two shards over many networks

/// A class stands for a Region of its own: those of one account and Region belong to one shard.
const REGIONS: [&str; 4] = [REGION, "us-east-1", "eu-west-1", "eu-central-1"];
/// Networks of a class.
const EACH: usize = 5;
/// A sweep: `resyncInterval` of the test's classes.
const SWEEP: Duration = Duration::from_secs(10);

/// Four classes with all their networks.
struct Many {
    places: Vec<Topology>,
    classes: Vec<String>,
}

impl Many {
    /// Those of `a` are the first two, those of `b` the others.
    async fn new(env: &Env) -> Self {
        let wish = |region: &str| json!({ "region": region, "instances": EACH });
        let far = REGIONS[1..].iter().map(|region| env.aws.topology(wish(region)));
        let places: Vec<Topology> = [env.topology.clone()].into_iter().chain(far).collect();
        let classes: Vec<String> = (0..REGIONS.len()).map(|i| format!("{}-{i}", env.name)).collect();
        for (i, (class, region)) in classes.iter().zip(REGIONS).enumerate() {
            class_of(env, class, if i < 2 { "a" } else { "b" }, json!({ "region": region })).await;
        }
        Self { places, classes }
    }

    fn names(&self) -> Vec<(usize, String)> {
        (0..self.classes.len()).flat_map(|i| (0..EACH).map(move |n| (i, format!("net-{i}-{n}")))).collect()
    }

    async fn apply(&self, env: &Env) {
        for (at, (i, name)) in self.names().into_iter().enumerate() {
            let place = &self.places[i];
            let mut spec = env.reference();
            spec["className"] = self.classes[i].as_str().into();
            spec["replication"]["instance"] = place.instances[at % EACH].id.as_str().into();
            spec["databases"][0]["dmsEndpoint"] = place.endpoints.source.id.as_str().into();
            spec["databases"][0]["securityGroupId"] = place.security_group_ids.source.as_str().into();
            spec["databases"][1]["rds"]["instance"] = place.rds.as_ref().unwrap().id.as_str().into();
            env.apply(&name, spec).await;
        }
    }

    fn states(&self, env: &Env) -> Vec<Value> {
        self.places.iter().map(|p| env.aws.state_of(&p.region)).collect()
    }
}

fn regions(writes: &[Call]) -> BTreeSet<&str> {
    writes.iter().map(|c| c.region.as_str()).collect()
}

fn writes(env: &Env, key: &str, mark: u64) -> Vec<Call> {
    env.aws.calls_of(key, mark).into_iter().filter(|c| c.mutating).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_network_of_four_classes_is_served_once_and_a_class_moves() {
    let mut env = Env::builder("shards-many").topology(json!({ "instances": EACH })).without_class().without_controller().start().await;
    let many = Many::new(&env).await;
    let before = many.states(&env);
    let mut b = two_shards(&mut env);
    b.start();
    many.apply(&env).await;
    for (_, name) in many.names() {
        env.ready(&name).await;
    }

    // Each once: in a Region only its shard has written, and nothing is there twice (the view refuses that).
    for (key, served) in [(CONTROLLER_KEY, &REGIONS[..2]), (OTHER_KEY, &REGIONS[2..])] {
        assert_eq!(regions(&writes(&env, key, 0)), served.iter().copied().collect(), "{key}");
        let swept = env.aws.calls_of(key, 0).into_iter().filter(|c| c.operation == "DescribeSecurityGroupRules").collect::<Vec<_>>();
        assert_eq!(regions(&swept), served.iter().copied().collect(), "{key} reads what it serves, and nothing else");
    }
    let views: Vec<View> = many.places.iter().map(|p| View::at(&env, p)).collect();
    for (view, place) in views.iter().zip(&many.places) {
        // Two out and two in for each network, 443 from each replication group and from the VPC.
        assert_eq!((view.ours().len(), view.our_groups(), view.endpoints.len()), (5 * EACH + 1, 1, 1), "{}: {view:#?}", place.region);
    }

    // Its label moves a class, while somebody breaks one of its rules.
    let (moved, place) = (&many.classes[1], &many.places[1]);
    let mark = env.aws.mark();
    env.aws.revoke_ingress(&place.region, &place.security_group_ids.source).await;
    let asked = Instant::now();
    class_of(&env, moved, "b", json!({ "region": place.region })).await;
    served_by(&env, moved, Some("b"), SOON).await;
    let handed = asked.elapsed();
    env.eventually("the rule is back", SOON, async || {
        let now = View::at(&env, place);
        if now == views[1] { Ok(()) } else { Err(now.difference(&views[1])) }
    })
    .await;
    eprintln!("shards-many: handed over after {handed:?}, mended {:?} after the move was asked for", asked.elapsed());
    assert!(asked.elapsed() <= SWEEP + BUSY, "a gap of at most one sweep: {:?}", asked.elapsed());
    let of_b = format!("{}-b", env.name);
    for (_, name) in many.names().into_iter().filter(|(i, _)| *i == 1) {
        let recorded = |n: &dmsnet::api::DmsNetwork| n.status.as_ref().unwrap().classes.iter().all(|r| r.shard.as_ref() == Some(&of_b));
        env.network(&name, SOON, |n| is(n, "Ready", "True") && recorded(n)).await;
    }
    let both = [writes(&env, CONTROLLER_KEY, mark), writes(&env, OTHER_KEY, mark)].concat();
    let told: Vec<String> = both.iter().map(|c| format!("{} {} in {}", c.access_key, c.operation, c.region)).collect();
    assert_eq!(told.len(), 1, "the rule is mended once, and nothing else is written: {told:#?}");

    // From now on the other serves it; what each had is left as it was.
    let mark = env.aws.mark();
    env.aws.revoke_ingress(&place.region, &place.security_group_ids.source).await;
    env.eventually("the rule is back", SOON, async || if View::at(&env, place) == views[1] { Ok(()) } else { Err("not yet".into()) }).await;
    assert_eq!((writes(&env, CONTROLLER_KEY, mark).len(), writes(&env, OTHER_KEY, mark).len()), (0, 1));
    for (view, place) in views.iter().zip(&many.places) {
        assert_eq!(View::at(&env, place), *view, "{}", place.region);
    }
    for (_, name) in many.names() {
        env.delete(&name).await;
    }
    for (_, name) in many.names() {
        env.gone(&name, SOON).await;
    }
    assert_eq!(many.states(&env), before, "AWS is as before");
}
