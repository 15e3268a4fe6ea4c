//! What dmsnet costs at 1, 100, 1,000 and 10,000 networks: `make bench-scale`. It runs the binary against a real API server and the
//! stub of AWS that the fault tests use, prints a table and draws a chart; `docs/benchmarks.md` tells how to read them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

mod chart;
mod events;
#[path = "../../tests/e2e/harness/mod.rs"]
mod harness;
mod least;
mod measure;
mod report;
mod server;
#[path = "../../tests/support/stub/mod.rs"]
mod stub;

use std::time::Duration;

use measure::Wish;

/// How many networks, and how often they are read. Most of the time of a run is waiting for sweeps.
const RUNS: [(usize, u64); 4] = [(1, 10), (100, 10), (1_000, 10), (10_000, 60)];
/// How many of one account are mended by queue event.
const BY_EVENT: usize = 1_000;
/// As long as AWS's own answers take, or a little less.
const LATENCY: Duration = Duration::from_millis(20);

#[tokio::main]
async fn main() {
    // Cargo says `--bench`; what else is said are the numbers of networks wanted, and `events=` that of the run by queue event.
    let wanted: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let by_event = std::env::args().find_map(|a| a.strip_prefix("events=")?.parse().ok());
    // So that what is read each thirtieth sweep is counted as often as it comes.
    let sweeps = std::env::var("SCALE_SWEEPS").ok().and_then(|s| s.parse().ok()).unwrap_or(30);
    let mut all = Vec::new();
    for (networks, seconds) in RUNS.iter().filter(|(n, _)| wanted.is_empty() && by_event.is_none() || wanted.contains(n)) {
        let wish = Wish { networks: *networks, interval: Duration::from_secs(*seconds), sweeps, breakages: 20, latency: LATENCY };
        let figures = measure::run(&wish).await;
        report::one(&figures);
        all.push(figures);
    }
    if !all.is_empty() {
        report::all(&all);
    }
    if wanted.is_empty() || by_event.is_some() {
        let networks = by_event.unwrap_or(BY_EVENT);
        let wish = Wish { networks, interval: Duration::from_secs(60), sweeps: 0, breakages: 0, latency: LATENCY };
        report::by_event(&wish, &events::run(&wish).await);
    }
    // A part of the runs is no picture of the whole.
    if all.len() == RUNS.len() {
        let file = harness::root().join("docs/benchmarks.svg");
        chart::draw(&all, &file).unwrap();
        println!("\nthe chart is {}", file.display());
    }
}
