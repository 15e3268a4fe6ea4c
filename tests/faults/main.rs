//! Faults on a seed: the whole controller in this process, with the clock paused, over a Kubernetes and an AWS in memory that fail
//! as the seed says; and a checker that knows what must hold all the same.
//!
//! `FAULT_SEED=17 cargo test --test faults` runs one seed and prints its story; `FAULT_SEEDS=1000` runs so many of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod aws;
mod chance;
mod checker;
mod clock;
mod cluster;
mod events;
mod fate;
mod fixed;
mod meddle;
mod neighbours;
mod place;
mod replica;
mod schedule;
mod sim;
mod start;
#[path = "../support/stub/mod.rs"]
mod stub;
mod throttled;
mod trace;
mod unheard;
mod wants;
mod ways;
mod well;

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use fate::Fate;
use sim::Story;
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

/// Seeds that are part of `make test`.
const SEEDS: u64 = 50;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")))
}

/// The name of the test whose process a seed runs in.
const SEEDED: &str = "seeded_schedules";
/// Begins the line that tells the process that waits how the seed went.
const STORY: &str = "story ";

/// A seed in a process of its own; with the controller's log, if asked for.
fn story(seed: u64, log: Option<&str>) -> Story {
    let output = fixed::of_seed(SEEDED, seed, log);
    let text = String::from_utf8_lossy(&output.stdout);
    let told = text.lines().find_map(|line| serde_json::from_str(line.strip_prefix(STORY)?).ok());
    told.unwrap_or_else(|| {
        let what = format!("{} without a story:\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        Story { broken: vec![what], ..Story::default() }
    })
}

/// The same, in this process.
fn tell_story(seed: u64) {
    // Without a log, too: to make it takes from the chance that the controller's jitter comes from.
    let log = std::env::var("FAULT_LOG").unwrap_or_else(|_| "off".into());
    let story = paused(seed, async move {
        let _log = logged(&log);
        sim::run(seed).await
    });
    println!("\n{STORY}{}", serde_json::to_string(&story).unwrap());
}

/// Runs it on a thread of its own, with the clock paused.
fn paused<T: Send + 'static>(seed: u64, story: impl Future<Output = T> + Send + 'static) -> T {
    let run = move || {
        // The first such map fixes the keys of all that follow by addresses; what is logged must not move those.
        drop(kube::runtime::scheduler(futures::stream::empty::<kube::runtime::scheduler::ScheduleRequest<u8>>()));
        fastrand::seed(seed);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(story)
    };
    std::thread::spawn(run).join().unwrap()
}

fn logged(targets: &str) -> tracing::subscriber::DefaultGuard {
    // Not an `EnvFilter`: it makes hash maps, and those take from the chance that the controller's jitter comes from.
    let targets: Targets = targets.parse().unwrap();
    let lines = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(sim::log);
    tracing::subscriber::set_default(tracing_subscriber::registry().with(targets).with(lines))
}

fn tell(seed: u64, story: &Story) -> String {
    format!(
        "seed {seed} failed; again with: FAULT_SEED={seed} cargo test --test faults\n{}\n\nwhat must not be:\n  {}\n",
        story.lines.join("\n"),
        story.broken.join("\n  ")
    )
}

#[test]
fn seeded_schedules() {
    if let Some(seed) = number("FAULT_SEED") {
        if fixed::is_fixed() {
            return tell_story(seed);
        }
        let log = std::env::var("FAULT_LOG").unwrap_or_else(|_| "dmsnet=debug".into());
        let story = story(seed, Some(&log));
        println!("{}", story.lines.join("\n"));
        println!("seed {seed}: digest {:016x}, {:?} simulated, {} writes", story.digest, story.simulated, story.writes);
        assert!(story.broken.is_empty(), "{}", story.broken.join("\n"));
        return;
    }
    let (first, count) = (number("FAULT_FIRST").unwrap_or(0), number("FAULT_SEEDS").unwrap_or(SEEDS));
    let threads = number("FAULT_THREADS").unwrap_or(2);
    let (next, begin) = (AtomicU64::new(first), Instant::now());
    let failed = Mutex::new(Vec::new());
    let slowest = Mutex::new([(Duration::ZERO, 0); 2]);
    let [writes, simulated, requests] = [const { AtomicU64::new(0) }; 3];
    let stop = number("FAULT_STOP").is_some();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || stop && !failed.lock().unwrap().is_empty() {
                        break;
                    }
                    let story = story(seed, None);
                    writes.fetch_add(story.writes as u64, Ordering::Relaxed);
                    requests.fetch_add(story.requests, Ordering::Relaxed);
                    simulated.fetch_add(story.simulated.as_secs(), Ordering::Relaxed);
                    for (most, took) in slowest.lock().unwrap().iter_mut().zip(story.took) {
                        *most = (*most).max((took, seed));
                    }
                    if !story.broken.is_empty() {
                        // Whoever stops a long run knows as much.
                        println!("seed {seed}: {}", story.broken[0].lines().next().unwrap_or_default());
                        failed.lock().unwrap().push((seed, story));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    println!(
        "{count} seeds from {first} in {:.1?}: {} s simulated, {} requests, {} writes to AWS, slowest to be well (seed): {:?}, failed: {:?}",
        begin.elapsed(),
        simulated.into_inner(),
        requests.into_inner(),
        writes.into_inner(),
        slowest.into_inner().unwrap(),
        failed
            .iter()
            .map(|(seed, s)| (*seed, format!("{:016x}", s.digest), s.broken[0].lines().next().unwrap_or_default().to_owned()))
            .collect::<Vec<_>>()
    );
    if let Some((seed, story)) = failed.first() {
        panic!("{}", tell(*seed, story));
    }
}

/// Alone, beside others, with the controller's log and without: the same to the last line.
#[test]
fn a_seed_replays() {
    let log = Some("dmsnet=trace");
    std::thread::scope(|scope| {
        for seed in [3, 17] {
            let all = [None, log, None].map(|log| scope.spawn(move || story(seed, log)));
            let [first, logged, again] = all.map(|one| one.join().unwrap());
            assert!(logged.lines.len() > first.lines.len(), "seed {seed} is told without the log");
            let lines = |story: &Story| -> Vec<String> { story.lines.iter().filter(|line| !line.contains(trace::LOG)).cloned().collect() };
            for other in [logged, again] {
                assert_eq!(lines(&first), lines(&other), "seed {seed} goes another way");
                assert_eq!(first.digest, other.digest, "seed {seed}");
            }
        }
    });
}

#[test]
fn a_dead_account_delays_nobody() {
    if fixed::again("a_dead_account_delays_nobody") {
        return;
    }
    let (alone, _) = paused(0, neighbours::beside(None));
    println!("alone: {alone:?}");
    let errors = [(Fate::Silent, true), (Fate::Silent, false), (Fate::Refused(500), true), (Fate::Throttled, false), (Fate::Denied, false)];
    for (what, all) in errors {
        let (took, says) = paused(0, neighbours::beside(Some((what, all))));
        println!("beside one where {} is {what:?}: {took:?}", if all { "all" } else { "all but STS" });
        assert!(!says.is_empty(), "{what:?}: the network says how it is");
        assert!(!says.contains(r#""status":"True""#), "{what:?}: {says}");
        for (took, alone) in [(took.made, alone.made), (took.changed, alone.changed)] {
            assert!(took <= alone + Duration::from_secs(1), "{what:?}: {took:?}, and alone {alone:?}");
        }
        assert!(took.mended <= Duration::from_secs(62), "{what:?}: the interval, and two seconds: {:?}", took.mended);
    }
}
