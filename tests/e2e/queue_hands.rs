//! Messages of a change queue that change hands: another leader, another shard, and the queue of dead letters.

use std::time::{Duration, Instant};

use dmsnet::aws::HIDDEN;
use serde_json::json;

use crate::{
    harness::{
        Controller, Env, Trail,
        emulator::{CONTROLLER_KEY, OTHER_KEY, REGION},
        env::SOON,
        eventually,
    },
    lease::{self, BUSY, TAKEN_OVER, leader, writes_of},
    queue::{self, NEVER, counted, drift, look, reason_of, revoke},
    shards::{class_of, nobody, served_by, through, two_shards},
    view::View,
};

const READS: &str = "DescribeSecurityGroupRules";

/// Waits until so many messages came to that.
async fn until_counted(controller: &mut Controller, outcome: &str, count: f64, within: Duration) {
    let look = async || match counted(controller, outcome) {
        seen if seen >= count => Ok(()),
        seen => Err(format!("{seen}; {}", controller.tail(5))),
    };
    eventually(within, look).await.unwrap_or_else(|e| panic!("{count} messages {outcome}: {e}"));
    assert_eq!(counted(controller, outcome), count);
}

async fn until_struck(env: &Env, fault: &str) {
    env.eventually("the fault strikes", SOON, async || if env.aws.hits(fault) > 0 { Ok(()) } else { Err("not yet".into()) }).await;
}

async fn until_mended(env: &Env, wanted: &View, within: Duration) {
    env.eventually("the rule is back", within, async || {
        let ours = View::of(env).ours().len();
        if ours == wanted.ours().len() { Ok(()) } else { Err(format!("{ours} rules")) }
    })
    .await;
}

async fn until_empty(env: &Env, trail: &Trail) {
    env.eventually("the queue is empty", SOON, async || match trail.depth().await {
        0 => Ok(()),
        left => Err(format!("{left} messages are left")),
    })
    .await;
}

/// Two replicas, a network that is ready, no sweeps; and a message that the leader has in hand while AWS does not answer.
async fn in_hand(name: &str) -> (Env, Trail, Controller, View) {
    let mut env = Env::builder(name).without_class().without_controller().start().await;
    let trail = Trail::new(&env.aws, "changes").await;
    queue::class(&env, &trail).await;
    let second = lease::two(&mut env).await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    look(&env).await;
    let wanted = View::of(&env);
    let calls = revoke(&env, true).await;
    let fault = env.aws.fault(json!({ "kind": "timeout", "seconds": 20, "operation": READS }));
    trail.tell(&calls).await;
    until_struck(&env, &fault).await;
    assert_eq!(trail.depth().await, 1, "it is not deleted before its look has succeeded");
    (env, trail, second, wanted)
}

/// The second has done it, once; the first has done nothing.
async fn handled_once(env: &Env, trail: &Trail, second: &mut Controller, mark: u64) {
    until_empty(env, trail).await;
    until_counted(second, "handled", 1.0, SOON).await;
    let network = env.network("orders", SOON, |n| drift(n).len() == 1 && drift(n)[0].corrected_at.is_some()).await;
    assert!(drift(&network)[0].cause.as_ref().is_some_and(|c| c.contains("alice")), "{:#?}", drift(&network));
    let made = |key| writes_of(env, key, mark).into_iter().filter(|w| w.contains(" Authorize")).count();
    assert_eq!((made(CONTROLLER_KEY), made(OTHER_KEY)), (0, 1), "mended once, by the one that leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_leader_had_in_hand_comes_again_and_is_handled_once() {
    let (mut env, trail, mut second, wanted) = in_hand("queue-killed").await;
    let mark = env.aws.mark();
    env.controller.kill();
    env.aws.clear_faults();
    leader(&env, "second", TAKEN_OVER + BUSY).await;
    assert_eq!(trail.depth().await, 1, "nobody deletes what nobody has looked at");
    assert_eq!(counted(&mut second, "handled"), 0.0, "it is hidden still");
    // The question that the dead one left open would take it along.
    env.eventually("its last question has ended", SOON, async || {
        let asked = env.aws.calls(mark).into_iter().any(|c| c.operation == "ReceiveMessage");
        if asked { Ok(()) } else { Err("it is open".to_owned()) }
    })
    .await;
    assert_eq!(trail.show(&env.aws), 1);
    until_mended(&env, &wanted, SOON).await;
    handled_once(&env, &trail, &mut second, mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_ends_gives_back_what_it_has_in_hand() {
    let (mut env, trail, mut second, wanted) = in_hand("queue-term").await;
    let mark = env.aws.mark();
    assert!(env.controller.term().success(), "{}", env.controller.tail(20));
    env.aws.clear_faults();
    let ended = Instant::now();
    leader(&env, "second", BUSY).await;
    // Far sooner than SQS would show it by itself.
    until_counted(&mut second, "handled", 1.0, HIDDEN / 2).await;
    eprintln!("queue-term: handled {:?} after the end", ended.elapsed());
    until_mended(&env, &wanted, SOON).await;
    handled_once(&env, &trail, &mut second, mark).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_aws_refuses_ends_in_the_dead_letter_queue_and_the_sweep_makes_up_for_it() {
    let (mut env, trail) = queue::start("queue-dead").await;
    let dead = trail.dead_letters(2).await;
    let wanted = View::of(&env);
    let calls = revoke(&env, true).await;
    env.aws.fault(json!({ "kind": "denied", "operation": READS }));
    trail.tell(&calls).await;
    for tries in [1.0, 2.0] {
        until_counted(&mut env.controller, "failed", tries, SOON).await;
        assert_eq!((trail.depth().await, dead.depth().await), (1, 0));
        assert_eq!(trail.show(&env.aws), 1);
    }
    env.eventually("it is a dead letter", SOON, async || match (trail.depth().await, dead.depth().await) {
        (0, 1) => Ok(()),
        depths => Err(format!("{depths:?}")),
    })
    .await;
    let letter = dead.receive().await.unwrap();
    assert!(letter.contains("RevokeSecurityGroupIngress") && letter.contains("alice"), "{letter}");
    assert_eq!(View::of(&env).ours().len(), wanted.ours().len() - 1, "nobody could look");

    env.aws.clear_faults();
    let mut spec = env.class_spec();
    spec["changeQueue"] = json!({ "url": trail.url });
    env.apply_class(&env.name, spec).await;
    until_mended(&env, &wanted, SOON).await;
    env.ready("orders").await;
    assert_eq!((counted(&mut env.controller, "failed"), counted(&mut env.controller, "handled")), (2.0, 0.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_for_throttled_reads_is_kept_in_hand() {
    let (mut env, trail) = queue::start("queue-throttled").await;
    let dead = trail.dead_letters(1).await;
    let wanted = View::of(&env);
    let calls = revoke(&env, true).await;
    let mark = env.aws.mark();
    env.aws.fault(json!({ "kind": "throttle", "operation": READS }));
    trail.tell(&calls).await;
    let hidden_anew = |c: &crate::harness::Call| c.operation == "ChangeMessageVisibilityBatch" && c.code.is_empty();
    env.eventually(
        "it is hidden anew",
        SOON,
        async || {
            if env.aws.calls(mark).iter().any(hidden_anew) { Ok(()) } else { Err("not yet".to_owned()) }
        },
    )
    .await;
    assert_eq!(counted(&mut env.controller, "failed"), 0.0, "that AWS is busy is no fault of the message");
    env.aws.clear_faults();
    until_mended(&env, &wanted, SOON).await;
    until_empty(&env, &trail).await;
    assert_eq!((counted(&mut env.controller, "handled"), counted(&mut env.controller, "failed")), (1.0, 0.0));
    assert_eq!(dead.depth().await, 0, "received once, and handled");
    let received = env.aws.calls(mark).into_iter().filter(|c| c.operation == "DeleteMessageBatch").count();
    assert_eq!(received, 1);
}

/// One queue that classes of two shards name: what one takes, the other would miss.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_two_shards_has_one_reader() {
    const FAR: &str = "us-east-1";
    let mut env = nobody("queue-shards", 1).await;
    let (shared, own) = (Trail::new(&env.aws, "shared").await, Trail::in_region(&env.aws, FAR, "own").await);
    let far = env.aws.topology(json!({ "region": FAR }));
    let (first, second) = (format!("{}-1", env.name), format!("{}-2", env.name));
    let with = |url: &str, region: &str| json!({ "changeQueue": { "url": url }, "resyncInterval": NEVER, "region": region });
    class_of(&env, &first, "a", with(&shared.url, REGION)).await;
    let mut b = two_shards(&mut env);
    b.start();
    // It has its reader before there is another that names it.
    served_by(&env, &first, Some("a"), SOON).await;
    class_of(&env, &second, "b", with(&shared.url, FAR)).await;
    served_by(&env, &second, Some("b"), SOON).await;
    let message = reason_of(&env, &second, "ChangeQueueUnavailable").await;
    assert!(message.contains(&format!("shard \"{}-a\" reads", env.name)) && message.contains(&first), "{message}");
    assert!(message.contains(&shared.url) && message.contains("one of its own"), "{message}");
    reason_of(&env, &first, "Ready").await;

    // Its networks are served all the same; the reader acts on what it serves, and the other takes nothing from it.
    env.apply("near", through(&env.topology, &first, 0)).await;
    env.apply("far", through(&far, &second, 0)).await;
    env.ready("near").await;
    env.ready("far").await;
    env.patch("near", json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } })).await;
    env.network("near", SOON, |n| n.status.as_ref().unwrap().last_handled_reconcile_at.as_deref() == Some("now")).await;
    crate::view::settled(&env).await;
    let wanted = View::of(&env);
    shared.tell(&revoke(&env, true).await).await;
    until_mended(&env, &wanted, SOON).await;
    until_empty(&env, &shared).await;
    let asked = |key: &str, queue: &Trail| {
        let calls = env.aws.calls_of(key, 0);
        calls.iter().filter(|c| c.operation == "ReceiveMessage" && c.params["QueueUrl"] == queue.url.as_str()).count()
    };
    assert!(asked(CONTROLLER_KEY, &shared) > 0);
    assert_eq!(asked(OTHER_KEY, &shared), 0, "one reader");

    // With one of its own it is told, too.
    class_of(&env, &second, "b", with(&own.url, FAR)).await;
    reason_of(&env, &second, "Ready").await;
    env.eventually("its own queue is read", SOON, async || if asked(OTHER_KEY, &own) > 0 { Ok(()) } else { Err("not yet".to_owned()) })
        .await;
    own.send("what cannot be read is dropped").await;
    until_empty(&env, &own).await;
    assert_eq!((asked(CONTROLLER_KEY, &own), asked(OTHER_KEY, &shared)), (0, 0));
}
