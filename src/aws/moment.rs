//! Points in time and spans of time in a few bytes, for what is kept of each of hundreds of thousands of questions.

use std::{
    num::{NonZeroU32, NonZeroU64},
    sync::LazyLock,
    time::Duration,
};

use tokio::time::Instant;

/// Nothing that is kept began earlier than the process; a day more does no harm.
const BEFORE: Duration = Duration::from_secs(86_400);
/// What moments are counted from.
static EPOCH: LazyLock<Instant> = LazyLock::new(|| {
    let now = std::time::Instant::now();
    Instant::from_std(now.checked_sub(BEFORE).unwrap_or(now))
});

/// An instant, to the nanosecond, in half of its 16 bytes, none included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(NonZeroU64);

impl From<Instant> for Moment {
    fn from(at: Instant) -> Self {
        let since = at.saturating_duration_since(*EPOCH).as_nanos();
        Self(u64::try_from(since).ok().and_then(NonZeroU64::new).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Moment> for Instant {
    fn from(moment: Moment) -> Self {
        *EPOCH + Duration::from_nanos(moment.0.get())
    }
}

/// A span in whole milliseconds, seven weeks at most, in a quarter of a `Duration`'s 16 bytes, none included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Millis(NonZeroU32);

impl From<Duration> for Millis {
    fn from(span: Duration) -> Self {
        let millis = u32::try_from(span.as_millis()).unwrap_or(u32::MAX);
        Self(NonZeroU32::new(millis).unwrap_or(NonZeroU32::MIN))
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0.get().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_come_back_as_they_were() {
        let now = Instant::now();
        for at in [now, now + Duration::from_nanos(1), now + 1000 * BEFORE, now.checked_sub(BEFORE / 2).unwrap()] {
            assert_eq!(Instant::from(Moment::from(at)), at);
        }
        assert!(Moment::from(now) < Moment::from(now + Duration::from_nanos(1)));
        assert_eq!((size_of::<Option<Moment>>(), size_of::<Option<Millis>>()), (8, 4));
    }

    #[test]
    fn spans_come_back_in_milliseconds() {
        for span in [Duration::from_millis(1), Duration::from_secs(10), Duration::from_secs(30 * 86_400)] {
            assert_eq!(Duration::from(Millis::from(span)), span);
        }
        assert_eq!(Duration::from(Millis::from(Duration::ZERO)), Duration::from_millis(1));
        assert!(Duration::from(Millis::from(Duration::MAX)) > Duration::from_secs(49 * 86_400));
    }
}
