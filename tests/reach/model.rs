//! The engine agrees with the packet model on random networks, and its fixes open what it finds blocked.

use dmsnet::reach::{Report, State, explain};

use crate::{
    mend::apply,
    random::{Dice, open, world},
    simulator::simulate,
};

/// How many random networks are tried: `REACH_CASES`, else a number that takes seconds.
fn cases() -> u64 {
    std::env::var("REACH_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

/// A report in lines.
fn told(report: &Report) -> String {
    let mut text = format!("{}\n", report.verdict);
    for w in &report.walks {
        text.push_str(&format!("{} {:?}\n", w.host, w.between));
        for (way, hops) in [("out", &w.out), ("back", &w.back)] {
            for h in hops {
                text.push_str(&format!("  {way} {} {} asked {}: {} {:?}\n", h.kind, h.resource, h.asked, h.decided, h.state));
            }
        }
    }
    format!("{text}{:#?}{:#?}", report.findings, report.unknown)
}

/// The seeds of one of two threads.
fn seeds(part: u64) -> impl Iterator<Item = u64> {
    let first = std::env::var("REACH_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(0u64);
    (first..first + cases()).filter(move |s| s % 2 == part)
}

#[test]
fn open_configurations_are_open() {
    for kind in 0..6 {
        for v6 in [false, true] {
            for seed in 0..20 {
                if kind == 4 && v6 {
                    continue;
                }
                let w = open(kind, v6, &mut Dice::new(seed));
                let report = explain(&w.query());
                let seen = !report.unknown.is_empty();
                assert_eq!(
                    report.verdict,
                    if seen { State::Unknown } else { State::Open },
                    "kind {kind} v6 {v6} seed {seed}: {}",
                    told(&report)
                );
                assert!(seen == (report.verdict == State::Unknown));
                assert_eq!(simulate(&w.query()), report.verdict, "kind {kind} v6 {v6} seed {seed}: {}", told(&report));
            }
        }
    }
}

fn agree(part: u64) {
    let mut counts = [0usize; 3];
    for seed in seeds(part) {
        let w = world(seed);
        let report = explain(&w.query());
        let truth = simulate(&w.query());
        assert_eq!(report.verdict, truth, "REACH_SEED={seed} REACH_CASES=1: the packet model says {truth}, the engine {}", told(&report));
        counts[match truth {
            State::Open => 0,
            State::Unknown => 1,
            _ => 2,
        }] += 1;
    }
    if cases() > 1000 {
        assert!(counts.iter().all(|n| *n > 100), "every verdict occurs often: {counts:?}");
    }
}

#[test]
fn engine_and_packets_agree_on_even_seeds() {
    agree(0);
}

#[test]
fn engine_and_packets_agree_on_odd_seeds() {
    agree(1);
}

#[test]
fn fixes_open_what_they_say() {
    for seed in seeds(0).step_by(5) {
        let mut w = world(seed);
        for round in 0.. {
            let report = explain(&w.query());
            for f in &report.findings {
                assert!(!f.fix.is_empty() && !f.found.is_empty() && !f.needed.is_empty(), "REACH_SEED={seed}: {f:?}");
                assert_eq!(f.cli.is_empty(), f.remedies.is_empty(), "REACH_SEED={seed}: {f:?}");
            }
            let remedies: Vec<_> = report.findings.iter().flat_map(|f| f.remedies.clone()).collect();
            if remedies.is_empty() {
                break;
            }
            assert!(round < 12, "REACH_SEED={seed} REACH_CASES=1: the fixes do not end: {:#?}", report.findings);
            for remedy in &remedies {
                apply(&mut w, remedy);
            }
        }
    }
}
