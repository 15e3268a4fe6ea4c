//! The figures as a table.

use std::time::Duration;

use crate::{
    events::Run,
    least,
    measure::{Figures, Wish},
};

/// Reads per sweep beside the least that can do.
pub fn one(f: &Figures) {
    println!("\n{} networks, read every {} s; AWS answers after {} ms", f.networks, f.interval.as_secs(), f.latency.as_millis());
    println!("  {:<38} {:>10} {:>10}  formula of the least", "reads per sweep", "made", "least");
    let (mut made, mut most) = (0.0, 0.0);
    for (operation, count) in &f.reads {
        let per_sweep = *count as f64 / f64::from(f.sweeps);
        let (least, formula) = least::of(operation, f.networks).unwrap_or((0.0, "not needed".into()));
        println!("  {operation:<38} {per_sweep:>10.2} {least:>10.2}  {formula}");
        made += per_sweep;
        most += least;
    }
    println!("  {:<38} {made:>10.2} {most:>10.2}  {:.2} times the least", "all", made / most);
    println!("  busiest second                         {:>10} reads", f.busiest_second);
    println!("  writes while idle                      {:>10} to AWS, {} to Kubernetes", f.aws_writes, f.kubernetes_writes);
    let each = f.cpu_per_sweep().as_secs_f64() * 1000.0;
    println!("  CPU per sweep                          {each:>10.1} ms, {:.3} ms a network", each / f.networks as f64);
    println!("  RSS                                    {:>10.1} MB, {:.1} MB at most", mb(f.rss), mb(f.peak));
    println!("  first start, nothing in status         {:>10.1} s until all are ready", f.adopted.as_secs_f64());
    println!("  restart                                {:>10.1} s until every network was looked at", f.started.as_secs_f64());
    println!("  a rule taken away is back after        {:>10.1} s (median), {:.1} s (most)", at(f, 0.5), at(f, 1.0));
}

fn mb(kib: u64) -> f64 {
    kib as f64 * 1024.0 / 1e6
}

fn at(f: &Figures, part: f64) -> f64 {
    let last = f.mended.len().saturating_sub(1);
    f.mended.get((last as f64 * part).round() as usize).map_or(0.0, Duration::as_secs_f64)
}

/// All runs in one table, as docs/benchmarks.md has it.
pub fn all(runs: &[Figures]) {
    println!();
    println!(
        "| networks | reads per sweep | least | CPU per sweep | per network | RSS | restart | mended by sweep, median / most | writes idle |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for f in runs {
        let (made, least) = (f.reads_per_sweep(), f.least_per_sweep());
        let each = f.cpu_per_sweep().as_secs_f64() * 1000.0;
        println!(
            "| {} | {made:.1} | {least:.1} | {each:.0} ms | {:.2} ms | {:.0} MB | {:.1} s | {:.1} s / {:.1} s of {} s | {} |",
            f.networks,
            each / f.networks as f64,
            mb(f.rss),
            f.started.as_secs_f64(),
            at(f, 0.5),
            at(f, 1.0),
            f.interval.as_secs(),
            f.aws_writes + f.kubernetes_writes,
        );
    }
}

/// What was mended by queue event: a table, and what it took.
pub fn by_event(wish: &Wish, runs: &[Run]) {
    println!("\nby queue event, {} networks of one account; the stub answers after {} ms", wish.networks, wish.latency.as_millis());
    println!(
        "\n| rules taken away | number | p50 | p99 | most | calls that made them | groups | refused by AWS | CPU | RSS before, most, after |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for run in runs {
        let at = |part: f64| {
            let last = run.mended.len().saturating_sub(1);
            run.mended.get((last as f64 * part).ceil() as usize).map_or(0.0, Duration::as_secs_f64)
        };
        let made: usize = run.calls.iter().filter(|(o, _)| o.contains(":Authorize")).map(|(_, (n, _))| n).sum();
        println!(
            "| {} | {} | {:.2} s | {:.2} s | {:.2} s | {made} | {} | {} | {:.1} s | {:.0}, {:.0}, {:.0} MB |",
            run.name,
            run.mended.len(),
            at(0.5),
            at(0.99),
            at(1.0),
            run.groups.values().sum::<usize>(),
            run.refused,
            run.cpu.as_secs_f64(),
            mb(run.rss[0]),
            mb(run.rss[1]),
            mb(run.rss[2]),
        );
    }
    for run in runs {
        println!("\n  {}: all back {:.1} s after the first went", run.name, run.all.as_secs_f64());
        for (operation, groups) in &run.groups {
            // 50 at once, then 5 a second.
            println!("    {operation}: {groups} groups, which AWS grants in {:.1} s", (*groups as f64 - 50.0).max(0.0) / 5.0);
        }
        let calls: usize = run.calls.values().map(|(n, _)| n).sum();
        println!("    {calls} calls to AWS, {} writes to Kubernetes; messages: {:?}", run.kubernetes_writes, run.messages);
        for (operation, (count, most)) in &run.calls {
            println!("    {operation:<40} {count:>6}, {most} in the busiest second");
        }
    }
}
