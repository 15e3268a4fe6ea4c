//! The pure engine: one network told step by step, and properties over random ones.

#[path = "../support/world.rs"]
mod world;

mod properties;
mod purity;
mod reference;
mod refusals;
mod sharing;
