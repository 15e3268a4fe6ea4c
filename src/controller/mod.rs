//! Kubernetes: passes over networks and classes, their status, Events and metrics.

mod cache;
mod cached_network;
mod causes;
mod class;
mod connections;
mod context;
mod deletion;
mod elector;
mod events;
mod http;
pub mod kubernetes;
mod lead;
mod leadership;
mod lease;
mod looks;
mod metrics;
mod network;
mod queue;
mod refusals;
mod registry;
mod report;
mod run;
pub mod selector;
mod serving;
mod shards;
mod site;
mod sites;
mod status;
mod turn;

pub use leadership::Fence;
pub use metrics::Metrics;
pub use run::{Options, Parts, RunError, run, run_with};
