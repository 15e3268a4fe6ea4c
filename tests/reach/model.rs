//! The engine agrees with the packet model on random networks, and its fixes open what it finds blocked.

use std::cell::Cell;

use dmsnet::reach::{Report, State, explain};
use proptest::{
    collection::vec,
    prelude::any,
    prop_assert, prop_assert_eq,
    test_runner::{Config, RngSeed, TestCaseResult, TestRunner},
};

use crate::{
    mend::apply,
    random::{CHOICES, Dice, open, world},
    simulator::simulate,
};

/// A number from the environment.
fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// How many random networks are tried: `REACH_CASES`, else a number that takes seconds.
fn cases() -> u32 {
    number("REACH_CASES", 100_000)
}

/// Tries `cases` random networks, given by their choices: the same ones each time, others with another `REACH_SEED`. A failure is
/// told by the fewest and smallest choices that show it.
fn each(cases: u32, part: u64, test: impl Fn(Vec<u16>) -> TestCaseResult) {
    let seed = RngSeed::Fixed(u64::from(number("REACH_SEED", 0)) << 8 | part);
    let config = Config { cases, rng_seed: seed, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    TestRunner::new(config).run(&vec(any::<u16>(), CHOICES), test).unwrap_or_else(|e| panic!("{e}"));
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
    let counts: [Cell<usize>; 3] = Default::default();
    each(cases() / 2, part, |choices| {
        let w = world(&choices);
        let (report, truth) = (explain(&w.query()), simulate(&w.query()));
        prop_assert_eq!(report.verdict, truth, "the packet model says {}, the engine {}", truth, told(&report));
        let count = match truth {
            State::Open => &counts[0],
            State::Unknown => &counts[1],
            _ => &counts[2],
        };
        count.set(count.get() + 1);
        Ok(())
    });
    if cases() > 1000 {
        assert!(counts.iter().all(|n| n.get() > 100), "every verdict occurs often: {counts:?}");
    }
}

// Two, for two cores.
#[test]
fn engine_and_packets_agree_on_one_half() {
    agree(0);
}

#[test]
fn engine_and_packets_agree_on_the_other_half() {
    agree(1);
}

#[test]
fn fixes_open_what_they_say() {
    each(cases() / 10, 2, |choices| {
        let mut w = world(&choices);
        for round in 0.. {
            let report = explain(&w.query());
            for f in &report.findings {
                prop_assert!(!f.fix.is_empty() && !f.found.is_empty() && !f.needed.is_empty(), "{f:?}");
                prop_assert_eq!(f.cli.is_empty(), f.remedies.is_empty(), "{:?}", f);
            }
            let remedies: Vec<_> = report.findings.iter().flat_map(|f| f.remedies.clone()).collect();
            if remedies.is_empty() {
                prop_assert_eq!(report.verdict == State::Blocked, !report.findings.is_empty(), "{}", told(&report));
                break;
            }
            prop_assert!(round < 12, "the fixes do not end: {:#?}", report.findings);
            for remedy in &remedies {
                apply(&mut w, remedy);
            }
        }
        Ok(())
    });
}
