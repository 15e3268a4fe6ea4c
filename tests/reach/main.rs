//! The packet engine: each rule alone, a brute-force packet model that knows nothing of it, and the fixes it prints.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod docs;
mod faults;
#[path = "../support/in_memory.rs"]
mod in_memory;
mod mend;
mod model;
mod random;
mod rules;
mod simulator;
