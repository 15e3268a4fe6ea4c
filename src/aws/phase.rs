//! When the sweeps of one store come beside those of others. All begin together after a start; were they to go on so, the answers of all
//! accounts would be in memory in the same second. Pure: instants in, instants out.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// The golden ratio: however many moments it puts into an interval, no two are near each other.
const APART: f64 = 0.618_033_988_749_894_9;

/// The moments of one store's sweeps.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    from: Instant,
    /// The part of an interval by which they come after `from`.
    part: f64,
    /// How many stores there are.
    stores: Arc<AtomicU32>,
}

impl Phase {
    /// Of one more store of a process that began then.
    pub(super) fn next(from: Instant, stores: &Arc<AtomicU32>) -> Self {
        let nth = stores.fetch_add(1, Ordering::Relaxed);
        Self { from, part: (f64::from(nth) * APART).fract(), stores: stores.clone() }
    }

    /// When to ask again what was asked then and must not get older than `pace`: at the store's last moment before it does. What is
    /// asked in each second, tenth, ... sweep is asked in the same sweeps, but in others than other stores do. A store that is alone has
    /// nothing to keep apart from: its sweeps come a pace after each other. Neither duration is zero.
    pub(super) fn due(&self, asked: Instant, pace: Duration, interval: Duration) -> Instant {
        let latest = asked + pace;
        if self.stores.load(Ordering::Relaxed) < 2 {
            return latest;
        }
        let sweeps = pace.div_duration_f64(interval);
        let first = self.from + interval.mul_f64(self.part) + interval.mul_f64((self.part * sweeps).floor());
        let past = latest.saturating_duration_since(first).as_nanos().checked_rem(pace.as_nanos()).unwrap_or_default();
        latest - Duration::from_nanos(u64::try_from(past).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn phases(stores: u32, begun: Instant) -> Vec<Phase> {
        let count = Arc::default();
        (0..stores).map(|_| Phase::next(begun, &count)).collect()
    }

    #[test]
    fn accounts_that_were_read_together_are_read_apart_from_the_next_sweep_on() {
        let begun = Instant::now();
        let phases = phases(10, begun);
        let read = begun + Duration::from_secs(200);
        let mut due: Vec<Instant> = phases.iter().map(|p| p.due(read, INTERVAL, INTERVAL)).collect();
        for (phase, due) in phases.iter().zip(&due) {
            assert!(*due > read && *due <= read + INTERVAL);
            // A little late, as timers are: the next comes no later for it.
            assert_eq!(phase.due(*due + Duration::from_millis(3), INTERVAL, INTERVAL), *due + INTERVAL);
        }
        due.sort();
        let least = due.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert!(least > Duration::from_secs(3), "{least:?}");
    }

    #[test]
    fn slow_facts_come_in_sweeps_of_the_store_and_not_all_accounts_in_the_same() {
        let begun = Instant::now();
        let read = begun + Duration::from_secs(1000);
        let mut sweeps = Vec::new();
        for phase in phases(5, begun) {
            let slow = phase.due(read, INTERVAL * 10, INTERVAL);
            assert!(slow > read && slow <= read + INTERVAL * 10);
            let fast = phase.due(slow, INTERVAL, INTERVAL);
            assert!((fast - slow).abs_diff(INTERVAL) < Duration::from_micros(1), "{:?}", fast - slow);
            sweeps.push((slow - begun).as_secs() / 60);
        }
        sweeps.sort_unstable();
        sweeps.dedup();
        assert_eq!(sweeps.len(), 5);
    }

    #[test]
    fn a_store_that_is_alone_waits_as_long_as_it_may() {
        let begun = Instant::now();
        let (count, read) = (Arc::default(), begun + Duration::from_secs(7));
        let first = Phase::next(begun, &count);
        assert_eq!(first.due(read, INTERVAL, INTERVAL), read + INTERVAL);
        Phase::next(begun, &count);
        assert_eq!(first.due(read, INTERVAL, INTERVAL), begun + INTERVAL, "from now on it is not");
    }

    #[test]
    fn a_pace_that_is_no_multiple_of_the_interval_is_kept_too() {
        let begun = Instant::now();
        let pace = Duration::from_secs(45);
        for phase in phases(5, begun) {
            let mut asked = begun + Duration::from_secs(100);
            let first = phase.due(asked, pace, Duration::from_secs(20));
            for n in 0..4 {
                let due = phase.due(asked, pace, Duration::from_secs(20));
                assert!(due > asked && due <= asked + pace);
                assert!((due - first).abs_diff(pace * n) < Duration::from_micros(1));
                asked = due;
            }
        }
    }
}
