//! Two shards over many networks: each is served once, and a class that moves is never served by both.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use dmsnet::api::DmsNetwork;
use serde_json::json;

use crate::{
    harness::{
        Call, Env, Topology,
        emulator::{CONTROLLER_KEY, OTHER_KEY, REGION},
        env::{SOON, is},
    },
    lease::BUSY,
    shards::{class_of, nobody, served_by, through, two_shards},
    view::View,
};

/// A class stands for a Region of its own: those of one account and Region belong to one shard.
const REGIONS: [&str; 4] = [REGION, "us-east-1", "eu-west-1", "eu-central-1"];
/// VPCs of a Region, and networks that share one, its endpoint and its databases' groups: 200 networks in all.
const VPCS: usize = 10;
const EACH: usize = 5;
/// A sweep: `resyncInterval` of the test's classes.
const SWEEP: Duration = Duration::from_secs(10);
/// In each Region AWS grants 50 authorize calls at once, then 5 a second, and 150 are needed of a kind; endpoints 4, then one in 3.3 s.
const ALL: Duration = Duration::from_secs(120);

/// Four classes, each with all its VPCs and networks.
struct Many {
    classes: Vec<String>,
    places: Vec<Vec<Topology>>,
}

impl Many {
    /// Those of `a` are the first two, those of `b` the others.
    async fn new(env: &Env) -> Self {
        let place = |region: &str, n: usize| json!({ "region": region, "prefix": format!("vpc-{n}-"), "instances": EACH });
        let places = REGIONS.iter().map(|region| (0..VPCS).map(|n| env.aws.topology(place(region, n))).collect()).collect();
        let classes: Vec<String> = (0..REGIONS.len()).map(|i| format!("{}-{i}", env.name)).collect();
        for (i, (class, region)) in classes.iter().zip(REGIONS).enumerate() {
            class_of(env, class, if i < 2 { "a" } else { "b" }, json!({ "region": region })).await;
        }
        Self { places, classes }
    }

    /// Number of the class, the VPC and the network in it, and what it is called.
    fn names(&self) -> impl Iterator<Item = ([usize; 3], String)> {
        (0..REGIONS.len() * VPCS * EACH).map(|i| {
            let at = [i / EACH / VPCS, i / EACH % VPCS, i % EACH];
            (at, format!("net-{}-{}-{}", at[0], at[1], at[2]))
        })
    }

    async fn apply(&self, env: &Env) {
        for ([class, vpc, n], name) in self.names() {
            env.apply(&name, through(&self.places[class][vpc], &self.classes[class], n)).await;
        }
    }

    fn views(&self, env: &Env) -> Vec<View> {
        self.places.iter().flatten().map(|place| View::at(env, place)).collect()
    }

    /// Waits until all networks of these classes are as they are to be.
    async fn all(&self, env: &Env, classes: impl Fn(usize) -> bool, is_done: impl Fn(&DmsNetwork) -> bool) {
        let names: BTreeSet<String> = self.names().filter(|(at, _)| classes(at[0])).map(|(_, name)| name).collect();
        env.eventually("all networks", ALL, async || {
            let list = env.networks().list(&kube::api::ListParams::default()).await.map_err(|e| e.to_string())?;
            let done = |n: &&DmsNetwork| n.metadata.name.as_ref().is_some_and(|name| names.contains(name)) && is_done(n);
            let count = list.items.iter().filter(done).count();
            if count == names.len() { Ok(()) } else { Err(format!("{count} of {}", names.len())) }
        })
        .await;
    }
}

fn regions(calls: &[Call]) -> BTreeSet<&str> {
    calls.iter().map(|c| c.region.as_str()).collect()
}

fn writes(env: &Env, key: &str, mark: u64) -> Vec<Call> {
    env.aws.calls_of(key, mark).into_iter().filter(|c| c.mutating).collect()
}

/// Looks at what drifts first.
fn looks(env: &Env, key: &str, mark: u64) -> Vec<Call> {
    env.aws.calls_of(key, mark).into_iter().filter(|c| c.operation == "DescribeSecurityGroupRules").collect()
}

async fn mended(env: &Env, place: &Topology, wanted: &View) {
    env.eventually("the rule is back", SOON, async || {
        let now = View::at(env, place);
        if now == *wanted { Ok(()) } else { Err(now.difference(wanted)) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_200_networks_in_four_classes_is_served_once_and_a_class_moves() {
    let mut env = nobody("shards-many", 1).await;
    let many = Many::new(&env).await;
    let mut b = two_shards(&mut env);
    b.start();
    let began = Instant::now();
    many.apply(&env).await;
    many.all(&env, |_| true, |n| is(n, "Ready", "True")).await;
    eprintln!("shards-many: {} networks are ready after {:?}", many.names().count(), began.elapsed());

    // Each once: in a Region only its shard has written, and nothing is there twice (the view refuses that).
    for (key, served) in [(CONTROLLER_KEY, &REGIONS[..2]), (OTHER_KEY, &REGIONS[2..])] {
        assert_eq!(regions(&writes(&env, key, 0)), served.iter().copied().collect(), "{key}");
        assert_eq!(regions(&looks(&env, key, 0)), served.iter().copied().collect(), "{key} reads what it serves, and nothing else");
    }
    let views = many.views(&env);
    for view in &views {
        // Two out and two in for each network, 443 from each replication group and from the VPC.
        assert_eq!((view.ours().len(), view.our_groups(), view.endpoints.len()), (5 * EACH + 1, 1, 1), "{view:#?}");
    }

    // Its label moves a class, while somebody breaks one of its rules.
    let (moved, place, whole) = (&many.classes[1], &many.places[1][0], &views[VPCS]);
    let mark = env.aws.mark();
    env.aws.revoke_ingress(&place.region, &place.security_group_ids.source).await;
    class_of(&env, moved, "b", json!({ "region": place.region })).await;
    served_by(&env, moved, Some("b"), SOON).await;
    mended(&env, place, whole).await;
    let of_b = format!("{}-b", env.name);
    let recorded = |n: &DmsNetwork| n.status.as_ref().unwrap().classes.iter().all(|r| r.shard.as_ref() == Some(&of_b));
    many.all(&env, |i| i == 1, |n| is(n, "Ready", "True") && recorded(n)).await;
    let here = |call: &Call| call.region == place.region;
    let (by_a, by_b) = (looks(&env, CONTROLLER_KEY, 0), looks(&env, OTHER_KEY, mark));
    let last = by_a.iter().filter(|c| here(c)).map(|c| c.at).fold(0.0, f64::max);
    let first = by_b.iter().filter(|c| here(c)).map(|c| c.at).fold(f64::INFINITY, f64::min);
    eprintln!("shards-many: nobody looked for {:.2} s", first - last);
    assert!(first - last <= (SWEEP + BUSY).as_secs_f64(), "a gap of at most one sweep: {:.2} s", first - last);
    let both = [writes(&env, CONTROLLER_KEY, mark), writes(&env, OTHER_KEY, mark)].concat();
    let told: Vec<String> = both.iter().map(|c| format!("{} {} in {}", c.access_key, c.operation, c.region)).collect();
    assert_eq!(told.len(), 1, "the rule is mended once, and nothing else is written: {told:#?}");

    // From now on the other serves it, alone; what each had is left as it was.
    let mark = env.aws.mark();
    env.aws.revoke_ingress(&place.region, &place.security_group_ids.source).await;
    mended(&env, place, whole).await;
    assert_eq!((writes(&env, CONTROLLER_KEY, mark).len(), writes(&env, OTHER_KEY, mark).len()), (0, 1));
    assert!(!looks(&env, CONTROLLER_KEY, mark).iter().any(here), "the one that gave it away asks nothing about it any more");
    assert_eq!(many.views(&env), views);
}
