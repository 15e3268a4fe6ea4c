//! From an event in the queue to AWS mended, by the paused clock: how long is waited, for AWS, for Kubernetes and for turns. What the
//! processor takes is measured by `make bench-scale`.

use std::{collections::BTreeMap, time::Duration};

use fastrand::Rng;
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    chance,
    place::{Place, story},
    stub::{Ids, Rule, World, event},
};

const NETWORKS: usize = 60;
/// How often it is looked whether rules are back.
const LOOK: Duration = Duration::from_millis(10);
/// Longest wait for what was taken away.
const PATIENCE: Duration = Duration::from_secs(300);

/// Rules that are away, since when; and how long the others were.
#[derive(Default)]
struct Away {
    open: Vec<(Rule, Instant)>,
    mended: Vec<Duration>,
    others: usize,
}

fn is_back(world: &World, rule: &Rule) -> bool {
    let same = |r: &Rule| (r.egress, r.from, r.to, &r.peer) == (rule.egress, rule.from, rule.to, &rule.peer);
    world.rules[&rule.group].iter().any(same)
}

impl Away {
    fn look(&mut self, world: &World) {
        let (back, open) = std::mem::take(&mut self.open).into_iter().partition(|(rule, _)| is_back(world, rule));
        self.open = open;
        self.mended.extend(back.into_iter().map(|(_, gone)| gone.elapsed()));
    }

    /// Somebody takes a rule of ours away, by its ID; false where there is none.
    fn take(&mut self, place: &Place, rng: &mut Rng, group: &str) -> bool {
        let rule = {
            let mut world = place.aws.world();
            self.look(&world);
            let rules = world.rules.get_mut(group).unwrap();
            let ours: Vec<usize> = (0..rules.len()).filter(|i| !rules[*i].tags.is_empty()).collect();
            if ours.is_empty() {
                return false;
            }
            rules.remove(ours[rng.usize(..ours.len())])
        };
        self.open.push((rule.clone(), Instant::now()));
        self.others += 1;
        let operation = if rule.egress { "RevokeSecurityGroupEgress" } else { "RevokeSecurityGroupIngress" };
        let request = json!({ "groupId": group, "securityGroupRuleIds": { "items": [{ "securityGroupRuleId": rule.id }] } });
        let record = event(operation, &format!("another-{}", self.others), &place.aws.world().region, request, json!({ "_return": true }));
        place.aws.queue().send(record);
        true
    }

    /// Waits until all is back and told; the sorted times.
    async fn back(mut self, place: &Place) -> Vec<Duration> {
        let begun = Instant::now();
        while !self.open.is_empty() || place.aws.queue().depth() > 0 {
            assert!(begun.elapsed() < PATIENCE, "{} messages are left, and away are {:#?}", place.aws.queue().depth(), self.open);
            sleep(LOOK).await;
            self.look(&place.aws.world());
        }
        self.mended.sort();
        self.mended
    }
}

/// A place where nothing is to be done, and no sweep comes.
async fn settled(place: &Place) {
    place.by_queue();
    let running = place.start("first");
    place.ready().await;
    sleep(Duration::from_secs(60)).await;
    std::mem::forget(running);
}

/// Takes rules away at a rate for a minute, each of a group by chance.
async fn steadily(place: &Place, rate: u32, groups: &[String]) -> Vec<Duration> {
    let (mut away, rng) = (Away::default(), &mut chance::of(u64::from(rate), "events"));
    let begun = Instant::now();
    for k in 0..60 * rate {
        let at = begun + Duration::from_secs(1) * k / rate;
        while Instant::now() < at {
            sleep_until(at.min(Instant::now() + LOOK)).await;
            away.look(&place.aws.world());
        }
        loop {
            let group = &groups[rng.usize(..groups.len())];
            if away.take(place, rng, group) {
                break;
            }
            sleep(LOOK).await;
        }
    }
    away.back(place).await
}

/// Calls of each operation in the busiest ten seconds since then, a second.
fn busiest(place: &Place, since: Duration) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for asked in place.aws.asked(since) {
        assert_eq!(asked.code, None, "AWS refused {}", asked.operation);
        all.entry(asked.operation).or_default().push(asked.at);
    }
    let most = |times: &[Duration]| {
        let within = |from: &Duration| times.iter().filter(|t| *t >= from && **t < *from + Duration::from_secs(10)).count();
        times.iter().map(within).max().unwrap_or_default() as f64 / 10.0
    };
    all.into_iter().map(|(operation, times)| (operation, most(&times))).collect()
}

fn at(mended: &[Duration], part: f64) -> Duration {
    mended[((mended.len() - 1) as f64 * part).ceil() as usize]
}

fn holds(name: &str, mended: &[Duration], calls: &BTreeMap<String, f64>) {
    let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| at(mended, part));
    println!("{name}: {} rules, p50 {p50:.2?}, p99 {p99:.2?}, most {most:.2?}; calls a second {calls:?}", mended.len());
    assert!(p50 <= Duration::from_millis(500), "{name}: p50 {p50:?}");
    assert!(p99 <= Duration::from_secs(2), "{name}: p99 {p99:?}");
}

#[test]
fn three_repairs_a_second_of_any_network_take_half_a_second() {
    story(NETWORKS, async |place| {
        settled(place).await;
        let group = |i: usize| [Ids(i).source(), Ids(i).replication(), Ids(i).target(), Ids(i).of_endpoint()][i % 4].clone();
        let groups: Vec<String> = (0..NETWORKS).map(group).collect();
        let begun = place.clock.elapsed();
        let mended = steadily(place, 3, &groups).await;
        holds("3 a second", &mended, &busiest(place, begun));
    });
}

#[test]
fn ten_repairs_a_second_of_thirty_groups_take_half_a_second() {
    story(NETWORKS, async |place| {
        settled(place).await;
        // Two rules of ours in each.
        let groups: Vec<String> = (0..15).flat_map(|i| [Ids(i).replication(), Ids(i).of_endpoint()]).collect();
        let begun = place.clock.elapsed();
        let mended = steadily(place, 10, &groups).await;
        let calls = busiest(place, begun);
        holds("10 a second", &mended, &calls);
        assert!(calls["ec2:DescribeSecurityGroupRules"] <= 2.5, "{calls:?}");
    });
}

#[test]
fn a_storm_is_read_twice_a_second_and_mended_as_fast_as_aws_lets_us() {
    story(NETWORKS, async |place| {
        settled(place).await;
        let groups: Vec<String> =
            (0..NETWORKS).flat_map(|i| [Ids(i).source(), Ids(i).target(), Ids(i).replication(), Ids(i).of_endpoint()]).collect();
        let (mut away, rng, begun) = (Away::default(), &mut chance::of(0, "storm"), place.clock.elapsed());
        // 500 a second for three seconds; where a group has lost all, a message comes once more.
        for _ in 0..1500 {
            let group = &groups[rng.usize(..groups.len())];
            if !away.take(place, rng, group) {
                let request = json!({ "groupId": group });
                away.others += 1;
                let id = format!("another-{}", away.others);
                place.aws.queue().send(event("RevokeSecurityGroupIngress", &id, "us-west-2", request, json!({ "_return": true })));
            }
            sleep(Duration::from_millis(2)).await;
        }
        let mended = away.back(place).await;
        let (took, calls) = (place.clock.elapsed() - begun, busiest(place, begun));
        let writes = place.aws.asked(begun).iter().filter(|a| a.operation == "ec2:AuthorizeSecurityGroupIngress").count();
        println!("{} rules, {writes} calls for those inward, all back after {took:.1?}; calls a second {calls:?}", mended.len());
        for operation in ["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"] {
            let most = calls.get(operation).copied().unwrap_or_default();
            assert!(most <= 2.0, "{operation}: {most} a second");
        }
        // Of AWS's 50 calls, and 5 a second, we take nine tenths. What is taken away again while our own write is being answered passes
        // for a late read for a minute.
        let bound = Duration::from_secs_f64((writes as f64 - 45.0).max(0.0) / 4.5).max(Duration::from_secs(60)) + Duration::from_secs(10);
        assert!(took <= bound, "{took:?} for {writes} calls, which AWS grants us in {bound:?}");
        assert!(writes <= 3 * NETWORKS + 60, "{writes} calls: those of a group are made together");
    });
}
