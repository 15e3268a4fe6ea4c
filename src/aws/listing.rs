//! Whether to ask for many objects by their IDs, or for all that there are: whichever takes fewer pages. What belongs to others
//! costs pages, too, and nobody knows how much that is before it was tried.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::lock;

/// After a list that was too long, it is tried again after so many reads: things go.
const AGAIN: u32 = 100;

/// One list of all objects of a kind, given up where it takes more pages than it may.
#[derive(Debug)]
pub(super) struct Listing {
    most: usize,
    pages: AtomicUsize,
    cut: AtomicBool,
}

impl Listing {
    /// Of so many pages at most.
    pub(super) fn new(most: usize) -> Self {
        Self { most, pages: AtomicUsize::new(0), cut: AtomicBool::new(false) }
    }

    /// A page is in, and there are `more`; whether to stop.
    pub(super) fn is_enough(&self, more: bool) -> bool {
        let pages = self.pages.fetch_add(1, Ordering::Relaxed) + 1;
        let cut = more && pages >= self.most;
        self.cut.fetch_or(cut, Ordering::Relaxed);
        cut
    }

    /// Whether it was given up: then it says nothing of what is not there.
    pub(super) fn was_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }
}

/// What is known of the lists that were too long, by operation.
#[derive(Debug, Default)]
pub(super) struct Costs(Mutex<BTreeMap<&'static str, TooLong>>);

#[derive(Debug)]
struct TooLong {
    pages: usize,
    /// Reads that have not tried since.
    since: u32,
}

impl Costs {
    /// Whether all may take fewer pages than `by_id` calls do.
    pub(super) fn may_be_less(&self, operation: &'static str, by_id: usize) -> bool {
        let mut known = lock(&self.0);
        match known.get_mut(operation) {
            Some(long) if by_id <= long.pages && long.since < AGAIN => {
                long.since += 1;
                false
            }
            _ => by_id > 1,
        }
    }

    /// A list was tried.
    pub(super) fn tried(&self, operation: &'static str, listing: &Listing) {
        let mut known = lock(&self.0);
        if listing.was_cut() {
            known.insert(operation, TooLong { pages: listing.most, since: 0 });
        } else {
            known.remove(operation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_tried_as_long_as_it_costs_less_and_now_and_then_later() {
        let costs = Costs::default();
        assert!(!costs.may_be_less("Describe", 1), "one call is as few as there can be");
        assert!(costs.may_be_less("Describe", 3));
        let short = Listing::new(3);
        assert!(!short.is_enough(true) && !short.is_enough(true) && !short.is_enough(false));
        assert!(!short.was_cut(), "three pages, and that was all");
        costs.tried("Describe", &short);
        assert!(costs.may_be_less("Describe", 3));

        let long = Listing::new(2);
        assert!(!long.is_enough(true) && long.is_enough(true));
        costs.tried("Describe", &long);
        assert!(!costs.may_be_less("Describe", 2));
        assert!(costs.may_be_less("Describe", 3), "there are more of ours now");
        assert!((1..AGAIN).all(|_| !costs.may_be_less("Describe", 2)));
        assert!(costs.may_be_less("Describe", 2), "things go");
    }
}
