//! A start with many networks: how long it takes by the paused clock, what it reads and what it writes. What is measured is the
//! waiting; the processor's part is measured by `make bench-scale`.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    cluster::Kind,
    number,
    place::{Asked, Place, Running, story},
};

/// What the controller logs once it has a whole picture.
const LOOKED: &str = "every network was looked at once";
const INTERVAL: Duration = Duration::from_secs(60);

/// Starts the controller; how long it took to look at every network once.
async fn started(place: &Place, name: &str) -> (Running, Duration) {
    let looked = || place.trace.lines().iter().filter(|l| l.contains(LOOKED)).count();
    let (begun, before) = (place.clock.elapsed(), looked());
    let running = place.start(name);
    place.until("every network was looked at", || looked() > before).await;
    (running, place.clock.elapsed() - begun)
}

fn networks(place: &Place) -> BTreeMap<String, Value> {
    place.cluster.list(Kind::Network).into_iter().map(|o| (o["metadata"]["name"].to_string(), o)).collect()
}

/// What is not as it was, as it was and is.
fn changed(place: &Place, before: &BTreeMap<String, Value>) -> Vec<String> {
    let now = networks(place).into_iter().filter(|(name, o)| before.get(name) != Some(o));
    now.map(|(name, o)| format!("{name}: {:?} -> {}", before.get(&name).map(|b| &b["status"]), o["status"])).collect()
}

fn counts(asked: &[Asked]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for one in asked {
        *counts.entry(one.operation.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn a_start_with_many_networks_is_bounded_by_pages() {
    let n = number("START_NETWORKS").unwrap_or(120) as usize;
    story(n, async move |place| {
        let (running, looked) = started(place, "first").await;
        place.ready().await;
        let ready = place.clock.elapsed();
        println!("{n} networks, nothing in status: looked at once after {looked:?}, ready after {ready:?}");
        // Until the class is taken may take some seconds, and differs from run to run.
        assert!(ready < Duration::from_secs(20), "{ready:?}");
        sleep(Duration::from_secs(5)).await;
        running.end().await;

        let (before, begun) = (networks(place), place.clock.elapsed());
        let (running, looked) = started(place, "second").await;
        let asked = place.aws.asked(begun);
        let made = counts(&asked);
        println!("again: looked at once after {looked:?}, with {made:?}");
        assert!(looked < Duration::from_secs(20), "{looked:?}");
        // A page of each for a hundred networks, and some for those that come late.
        let most = 3 * n.div_ceil(100) + 3;
        assert!(made.values().all(|count| *count <= most), "no more than {most} of each: {made:?}");
        sleep(12 * INTERVAL).await;
        assert_eq!(changed(place, &before), Vec::<String>::new(), "what is as it was is not written");
        assert!(place.aws.asked(Duration::ZERO).iter().all(|a| a.code.is_none()), "AWS had to refuse nothing");
        running.end().await;
    });
}

/// A sweep of them takes three calls of DMS: these move apart, and none comes much later than an interval after the last.
#[test]
fn the_calls_of_a_sweep_move_apart() {
    const CALLS: usize = 3;
    story(CALLS * 100, async move |place| {
        let (running, _) = started(place, "first").await;
        place.ready().await;
        let begun = place.clock.elapsed() + 2 * INTERVAL;
        sleep(14 * INTERVAL).await;
        let asked = place.aws.asked(begun);
        let of = |operation: &str| asked.iter().filter(|a| a.operation == operation).map(|a| a.at).collect::<Vec<_>>();
        let instances = of("dms:DescribeReplicationInstances");
        assert!(instances.len() >= 11 * CALLS, "{instances:?}");
        for (n, again) in instances.iter().enumerate().skip(CALLS) {
            let wait = *again - instances[n - CALLS];
            assert!(wait <= INTERVAL + Duration::from_secs(1), "the same networks after {wait:?}: {instances:?}");
        }
        let sweep = instances.windows(CALLS).rfind(|calls| calls[CALLS - 1] - calls[0] < INTERVAL / 2).unwrap();
        let apart: Vec<_> = sweep.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(apart.iter().all(|a| a.as_secs() >= 2), "{apart:?}");
        // What one list tells comes as it did.
        let most = of("ec2:DescribeSecurityGroupRules").len() / 11;
        assert!((1..=CALLS).contains(&most), "{most} pages of rules a sweep");
        running.end().await;
    });
}
