//! What happened, line by line: printed when a seed fails, and compared when it is replayed.

use std::{
    hash::Hasher,
    sync::{Arc, Mutex},
};

use crate::clock::Clock;

/// Shared by all who tell.
#[derive(Clone)]
pub struct Trace {
    clock: Clock,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Trace {
    pub fn new(clock: Clock) -> Self {
        Self { clock, lines: Arc::default() }
    }

    pub fn add(&self, line: impl FnOnce() -> String) {
        let line = format!("{:>9.3} {}", self.clock.elapsed().as_secs_f64(), line());
        self.lines.lock().unwrap().push(line);
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The same for the same story. Lines of the log are not part of it: they tell durations of the machine.
    pub fn digest(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        for line in self.lines.lock().unwrap().iter().filter(|l| !l.contains(LOG)) {
            hasher.write(line.as_bytes());
        }
        hasher.finish()
    }
}

/// Marks a line of the controller's own log.
pub const LOG: &str = " | ";

/// The controller's log as lines of the trace.
impl std::io::Write for Trace {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.add(|| format!("{LOG}{}", String::from_utf8_lossy(bytes).trim_end()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
