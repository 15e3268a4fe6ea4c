//! How often what is known is read again on demand: a storm of events, or of passes that want to be sure, is merged into two calls a
//! second of each operation, while a few in a row are not held up. Pure: instants in, values out.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::questions::Call;
use crate::model::Need;

/// Calls that may be made at once.
const BURST: f64 = 3.0;
/// Calls that come again in a second: with those at once, two a second over any ten.
const PER_SECOND: f64 = 1.6;

/// What is left of each operation, and when that was so. Less than nothing after a read of several calls.
#[derive(Debug, Default)]
pub(super) struct Paces(BTreeMap<(&'static str, &'static str), (f64, Instant)>);

impl Paces {
    fn left(&self, call: Call, now: Instant) -> f64 {
        self.0
            .get(&call.operation())
            .map_or(BURST, |(left, at)| (left + PER_SECOND * now.saturating_duration_since(*at).as_secs_f64()).min(BURST))
    }

    /// When a call for this need may be made, at the earliest.
    pub(super) fn earliest(&self, need: &Need, now: Instant) -> Instant {
        let missing = Call::of(need).map_or(0.0, |call| 1.0 - self.left(call, now));
        now + Duration::from_secs_f64(missing.max(0.0) / PER_SECOND)
    }

    /// These are asked again now.
    pub(super) fn took<'a>(&mut self, needs: impl IntoIterator<Item = &'a Need>, now: Instant) {
        let mut counts: BTreeMap<Call, usize> = BTreeMap::new();
        for call in needs.into_iter().filter_map(Call::of) {
            *counts.entry(call).or_default() += 1;
        }
        for (call, count) in counts {
            let left = self.left(call, now) - count.div_ceil(call.values()) as f64;
            self.0.insert(call.operation(), (left, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::questions::EC2_VALUES, *};

    fn rules(n: usize) -> Vec<Need> {
        (0..n).map(|i| Need::RulesOf(format!("sg-{i}").into())).collect()
    }

    #[test]
    fn a_few_at_once_and_two_a_second_over_any_ten() {
        let (mut paces, begun) = (Paces::default(), Instant::now());
        let one = rules(1);
        let mut taken = Vec::new();
        for tenth in 0..100 {
            let now = begun + Duration::from_millis(100 * tenth);
            if paces.earliest(&one[0], now) <= now {
                paces.took(&one, now);
                taken.push(tenth);
            }
        }
        assert_eq!(taken[..3], [0, 1, 2], "a few are not held up");
        assert_eq!(taken.len(), 18, "in ten seconds: {taken:?}");
        let other = Need::Vpc("vpc-1".into());
        assert_eq!(paces.earliest(&other, begun), begun, "each operation by itself");
    }

    #[test]
    fn a_read_of_many_costs_what_it_takes() {
        let (mut paces, begun) = (Paces::default(), Instant::now());
        paces.took(&rules(3 * EC2_VALUES), begun);
        assert_eq!(paces.earliest(&rules(1)[0], begun), begun + Duration::from_millis(625));
        paces.took(&rules(3 * EC2_VALUES + 1), begun);
        assert_eq!(paces.earliest(&rules(1)[0], begun), begun + Duration::from_millis(3125));
    }
}
