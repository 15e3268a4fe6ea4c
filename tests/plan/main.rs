//! The pure engine: one network told step by step, and properties over random ones.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/world.rs"]
mod world;

mod managed;
mod opposed;
mod paths;
mod properties;
mod purity;
mod reference;
mod refusals;
mod services;
mod sharing;
