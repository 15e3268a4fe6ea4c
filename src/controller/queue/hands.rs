//! Messages that were received and are not dealt with yet: while AWS keeps their looks waiting, SQS goes on hiding them. Else each would
//! come again and again, and end in the dead-letter queue, although nothing about it has failed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::aws::HIDDEN;

/// A message that will be shown again within this is hidden anew.
const NEARLY: Duration = Duration::from_secs(30);
/// How long a message is kept in hand at most: then it comes again, and counts as one that was not handled.
pub(super) const KEPT: Duration = Duration::from_secs(600);

/// See the module. By receipt.
#[derive(Debug, Default)]
pub(super) struct Hands(Mutex<HashMap<String, InHand>>);

#[derive(Debug)]
struct InHand {
    since: Instant,
    hidden_until: Instant,
}

impl Hands {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, InHand>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message was received.
    pub(super) fn take(&self, receipt: &str, now: Instant) {
        self.lock().insert(receipt.to_owned(), InHand { since: now, hidden_until: now + HIDDEN });
    }

    /// They were dealt with, or are left to come again.
    pub(super) fn put_down<'a>(&self, receipts: impl IntoIterator<Item = &'a String>) {
        let mut hands = self.lock();
        for receipt in receipts {
            hands.remove(receipt);
        }
    }

    /// Those that are to be hidden anew; those that were kept for long are not.
    pub(super) fn nearly_shown(&self, now: Instant) -> Vec<String> {
        let due = |m: &InHand| m.hidden_until < now + NEARLY && now < m.since + KEPT;
        self.lock().iter().filter(|(_, m)| due(m)).map(|(receipt, _)| receipt.clone()).collect()
    }

    /// They are hidden from now on for as long as at first.
    pub(super) fn hidden(&self, receipts: &[String], now: Instant) {
        let mut hands = self.lock();
        for receipt in receipts {
            if let Some(message) = hands.get_mut(receipt) {
                message.hidden_until = now + HIDDEN;
            }
        }
    }

    /// All of them, put down.
    pub(super) fn empty(&self) -> Vec<String> {
        self.lock().drain().map(|(receipt, _)| receipt).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_hand_is_hidden_anew_but_not_for_ever() {
        let (hands, start) = (Hands::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        hands.take("a", start);
        hands.take("b", start);
        assert!(hands.nearly_shown(at(20)).is_empty());
        hands.put_down(["b".to_owned()].iter());
        assert_eq!(hands.nearly_shown(at(35)), ["a"], "b was dealt with");
        hands.hidden(&["a".to_owned(), "b".to_owned()], at(35));
        assert!(hands.nearly_shown(at(60)).is_empty());
        assert_eq!(hands.nearly_shown(at(70)), ["a"]);
        assert!(hands.nearly_shown(at(601)).is_empty(), "it comes again, and somebody may look why");
        assert_eq!(hands.empty(), ["a"]);
        assert!(hands.empty().is_empty());
    }
}
