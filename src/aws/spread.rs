//! When the calls of a sweep go out. What takes several calls of one kind is spread over a part of its interval instead of asked in a
//! burst: other tools share AWS's buckets (domain.md 3.5). Pure: instants in, instants out.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;

use super::questions::Call;
use crate::model::Need;

/// The part of an interval that calls of one kind are spread over, and the longest.
const PART: u32 = 2;
const LONGEST: Duration = Duration::from_secs(30);
/// How much later than an interval after the one before a read may come, the last of many calls, and the part of the interval: calls
/// move apart in so small steps.
const LATE: Duration = Duration::from_secs(1);
const LATE_PART: u32 = 20;

/// The calls of a batch that need not go at once.
#[derive(Debug, Default)]
pub(super) struct Spread {
    /// Over how long those of a kind are spread.
    over: BTreeMap<Call, Duration>,
    /// When each need is due, and how much later it may be asked.
    due: BTreeMap<Need, (Instant, Duration)>,
}

impl Spread {
    /// This need is asked every `pace`, was asked then, and nobody waits for it.
    pub(super) fn add(&mut self, call: Call, need: Need, asked: Instant, pace: Duration) {
        let over = (pace / PART).min(LONGEST);
        self.over.entry(call).and_modify(|known| *known = over.min(*known)).or_insert(over);
        self.due.insert(need, (asked + pace, LATE.min(pace / LATE_PART)));
    }

    /// When the `nth` of so many calls of this kind may go; none: at once. Each keeps its place from sweep to sweep, so that nothing is
    /// older than its interval and a little.
    pub(super) fn place(&self, call: Call, needs: &[Need], nth: usize, of: usize, begun: Instant) -> Option<Instant> {
        let (nth, of) = (u32::try_from(nth).ok()?, u32::try_from(of).ok()?.max(1));
        let place = begun + *self.over.get(&call)? * nth / of;
        // One that was not added cannot wait.
        let (due, late) = needs.iter().map(|need| self.due.get(need)).min().flatten()?;
        Some(place.min(*due + *late * nth / of)).filter(|at| *at > begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Duration = Duration::from_secs(10);
    const SECOND: Duration = Duration::from_secs(1);

    fn instance(n: usize) -> Need {
        Need::ReplicationInstance(format!("dms-{n}").into())
    }

    #[test]
    fn calls_move_apart_and_keep_their_places() {
        let begun = Instant::now();
        let mut asked = [begun; 5];
        for sweep in 1..40 {
            let now = begun + PACE * sweep;
            let mut spread = Spread::default();
            asked.iter().enumerate().for_each(|(n, at)| spread.add(Call::Instances, instance(n), *at, PACE));
            let goes = |n: usize| spread.place(Call::Instances, &[instance(n)], n, 5, now).unwrap_or(now);
            let went = std::array::from_fn(goes);
            for (went, before) in went.iter().zip(asked) {
                assert!(*went - before <= PACE + LATE, "{went:?} after {before:?}");
            }
            asked = went;
        }
        let places: Vec<_> = asked.iter().map(|at| *at - (begun + 39 * PACE)).collect();
        assert_eq!(places, [0, 1, 2, 3, 4].map(|n| n * SECOND));
    }

    #[test]
    fn who_is_waited_for_takes_its_call_along() {
        let begun = Instant::now();
        let mut spread = Spread::default();
        spread.add(Call::Instances, instance(0), begun - PACE / 2, PACE);
        let place = |needs: &[Need], call| spread.place(call, needs, 1, 2, begun);
        assert_eq!(place(&[instance(0)], Call::Instances), Some(begun + PACE / 4));
        assert_eq!(place(&[instance(0), instance(1)], Call::Instances), None);
        assert_eq!(place(&[instance(0)], Call::DmsEndpoints), None, "of which nothing may wait");
    }
}
