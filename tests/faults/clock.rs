//! The simulated wall clock: where it begins, and how far the paused one has gone.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use tokio::time::Instant;

/// Where every run begins: 2026-03-01.
const EPOCH: i64 = 1_772_323_200;

/// Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// As objects carry it.
    pub fn stamp(self) -> String {
        let seconds = EPOCH + i64::try_from(self.elapsed().as_secs()).unwrap();
        Timestamp::from_second(seconds).unwrap().to_string()
    }
}
