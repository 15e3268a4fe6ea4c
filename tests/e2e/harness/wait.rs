//! Waiting for something to become true, with a deadline: the only way in which a test waits.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

const POLL: Duration = Duration::from_millis(50);
/// How much longer than the deadline one look may take, should the API server hang.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Asks until the answer is `Ok`. After the deadline: what was seen last.
pub async fn eventually<T>(within: Duration, mut look: impl AsyncFnMut() -> Result<T, String>) -> Result<T, String> {
    let deadline = Instant::now() + within;
    loop {
        let seen = match timeout_at(deadline + LAST_LOOK, look()).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(seen)) => seen,
            Err(_) => "no answer".to_owned(),
        };
        if Instant::now() >= deadline {
            return Err(format!("not within {within:?}; last seen: {seen}"));
        }
        sleep(POLL).await;
    }
}
