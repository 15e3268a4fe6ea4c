//! Kubernetes in this process, as far as the controller uses it: lists, watches, patches, finalizers, conflicts.

mod api;
mod objects;
mod watch;

pub use api::Server;
pub use objects::{Cluster, Key, Kind};
