//! Kubernetes: passes over networks and classes, their status, Events and metrics.

mod class;
mod connections;
mod context;
mod deletion;
mod events;
mod http;
pub mod kubernetes;
mod metrics;
mod network;
mod registry;
mod report;
mod run;
mod site;
mod sites;
mod status;

pub use metrics::Metrics;
pub use run::{Options, RunError, run, run_with};
