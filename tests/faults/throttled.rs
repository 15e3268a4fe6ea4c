//! AWS grants one read a second for five minutes, since other tools use up what it grants the account: nothing that was well is told to
//! be otherwise, what is to be mended is mended first, and it recovers by itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    cluster::Kind,
    place::{Asked, Place, story},
    stub::{
        Call, Ids, World,
        buckets::{Limits, of_aws},
    },
};

const NETWORKS: usize = 50;
const INTERVAL: Duration = Duration::from_secs(60);
const THROTTLED: Duration = Duration::from_secs(300);
/// After a refusal a sweep waits so long at most.
const SLOWEST: Duration = Duration::from_secs(40);
/// The network whose rule is taken away, and those that ask for a look at everything meanwhile.
const BROKEN: usize = 7;
const IMPATIENT: Range<usize> = 20..40;

/// One read of any kind a second; writes as AWS grants them.
const ONE_READ_A_SECOND: Limits = |call: &Call<'_>| {
    let read = !call.is_write() && call.service != "sts";
    if read { Some(("reads".into(), 1.0, 1.0)) } else { of_aws(call) }
};

fn is_mended(world: &World) -> bool {
    world.rules[&Ids(BROKEN).source()].iter().any(|r| !r.egress && r.to == 5432)
}

/// Every turn of a condition since that version, by network: type, and status with reason before and after.
fn turns(place: &Place, since: u64) -> BTreeMap<String, Vec<String>> {
    let mut last: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut turns: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for change in place.cluster.state().log.iter().filter(|c| c.kind == Kind::Network) {
        let name = change.object["metadata"]["name"].as_str().unwrap().to_owned();
        let text = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
        let conditions = change.object["status"]["conditions"].as_array().into_iter().flatten();
        let now: BTreeMap<String, String> =
            conditions.map(|c| (text(c, "type"), format!("{} {}", text(c, "status"), text(c, "reason")))).collect();
        let before = last.insert(name.clone(), now.clone()).unwrap_or_default();
        if change.version <= since {
            continue;
        }
        for type_ in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let (was, is) = (before.get(type_), now.get(type_));
            if was != is {
                let of = |one: Option<&String>| one.cloned().unwrap_or_else(|| "none".into());
                turns.entry(name.clone()).or_default().push(format!("{type_}: {} -> {}", of(was), of(is)));
            }
        }
    }
    turns
}

/// What AWS granted of those requests, in order.
fn granted(asked: &[Asked]) -> Vec<&Asked> {
    asked.iter().filter(|a| a.code.is_none()).collect()
}

#[test]
fn one_read_a_second_for_five_minutes_changes_nothing_but_the_pace() {
    story(NETWORKS, async |place| {
        let running = place.start("first");
        place.ready().await;
        sleep(3 * INTERVAL).await;
        let (begun, version) = (place.clock.elapsed(), place.cluster.state().version);
        place.aws.grants(ONE_READ_A_SECOND);
        sleep(Duration::from_secs(100)).await;

        // Somebody takes a rule away, while many others ask for a look at everything of theirs.
        let broken = place.clock.elapsed();
        place.aws.world().rules.get_mut(&Ids(BROKEN).source()).unwrap().clear();
        for n in IMPATIENT {
            let ask = |o: &mut Value| {
                o["metadata"]["annotations"]["dmsnet.dev/reconcile-requested-at"] = "now".into();
                Ok(())
            };
            place.cluster.change(&Place::key(n), ask).unwrap();
        }
        place.until("mended", || is_mended(&place.aws.world())).await;
        let took = place.clock.elapsed() - broken;
        assert!(took <= INTERVAL + SLOWEST, "mended only after {took:?}");
        sleep((begun + THROTTLED).saturating_sub(place.clock.elapsed())).await;

        let asked = place.aws.asked(begun);
        let refused = asked.len() - granted(&asked).len();
        println!("{} requests, {refused} of them refused; mended after {:.1} s", asked.len(), took.as_secs_f64());
        assert!(refused > 0, "or it was no throttling");
        assert!(refused <= 2 * THROTTLED.as_secs() as usize, "{refused} requests were refused: it asks too often");
        let since: Vec<Asked> = asked.into_iter().filter(|a| a.at >= broken).collect();
        let since = granted(&since);
        let write = since.iter().position(|a| a.write).unwrap();
        assert_eq!(since[write].operation, "ec2:AuthorizeSecurityGroupIngress");
        assert_eq!(since.iter().filter(|a| a.write).count(), 1, "one write, for the one rule");
        // Of the reads that wait none goes before it.
        assert_eq!(since[write - 1].operation, "ec2:DescribeSecurityGroupRules", "{:#?}", &since[..=write]);
        let waited = since[write].at - since[write - 1].at;
        assert!(waited < Duration::from_millis(500), "the write came {waited:?} after the read that shows what is missing");
        let later = since[write..].iter().filter(|a| a.at < since[write].at + Duration::from_secs(5)).count();
        assert!(later > 3, "there were reads that waited: {:#?}", &since[write..]);

        place.aws.grants(of_aws);
        let over = place.clock.elapsed();
        place.aws.world().rules.get_mut(&Ids(BROKEN).source()).unwrap().clear();
        place.until("mended again", || is_mended(&place.aws.world())).await;
        let took = place.clock.elapsed() - over;
        assert!(took <= INTERVAL + SLOWEST, "mended only {took:?} after the throttling");
        sleep((over + 2 * INTERVAL).saturating_sub(place.clock.elapsed())).await;
        let refused = place.aws.asked(over).iter().filter(|a| a.code.is_some()).count();
        assert_eq!(refused, 0, "it is over");
        let last = place.aws.asked(place.clock.elapsed() - INTERVAL - Duration::from_secs(10));
        for operation in ["ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "dms:DescribeReplicationInstances"] {
            assert!(last.iter().any(|a| a.operation == operation), "the sweeps go on as before: {operation}");
        }
        for n in IMPATIENT {
            let network = place.cluster.get(&Place::key(n)).unwrap();
            assert_eq!(network["status"]["lastHandledReconcileAt"], "now", "{n}");
        }
        for (name, turns) in turns(place, version) {
            let is_told = name == format!("net-{BROKEN}");
            let of_others: Vec<&String> =
                turns.iter().filter(|t| !is_told || !(t.starts_with("DriftDetected") || t.starts_with("Reconciling"))).collect();
            assert!(of_others.is_empty(), "conditions of {name} turned: {of_others:#?}");
        }
        running.end().await;
    });
}
