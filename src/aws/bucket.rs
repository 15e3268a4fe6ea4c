//! A token bucket on our side, for calls of which AWS allows very few.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens that come back with time.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    /// Full at `now`.
    pub(super) fn new(capacity: f64, per_second: f64, now: Instant) -> Self {
        Self { capacity, per_second, tokens: capacity, at: now }
    }

    /// Takes a token: how long to wait before using it. None, and nothing is taken, if that is longer than `patience`.
    pub(super) fn take(&mut self, now: Instant, patience: Duration) -> Option<Duration> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * self.per_second).min(self.capacity);
        self.at = now;
        let wait = Duration::from_secs_f64(((1.0 - self.tokens) / self.per_second).max(0.0));
        (wait <= patience).then(|| {
            self.tokens -= 1.0;
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_at_a_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 0.5, start);
        let patience = Duration::from_secs(3);
        assert_eq!(bucket.take(start, patience), Some(Duration::ZERO));
        assert_eq!(bucket.take(start, patience), Some(Duration::ZERO));
        assert_eq!(bucket.take(start, patience), Some(Duration::from_secs(2)));
        assert_eq!(bucket.take(start, patience), None);
        assert_eq!(bucket.take(start + Duration::from_secs(60), patience), Some(Duration::ZERO));
    }
}
