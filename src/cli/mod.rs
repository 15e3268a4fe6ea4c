//! The command line: the same engine without a cluster, and the way to start the controller.

pub mod diff;
pub mod files;
