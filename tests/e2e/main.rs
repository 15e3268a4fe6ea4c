//! End to end on real parts: a real API server, the AWS emulator over its wire protocol, the built binary as its
//! own process, kubectl and the AWS SDK as the clients that look. `harness` holds the parts; a test is a story.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alerts;
mod cli;
mod conditions;
mod connection;
mod crash;
mod crds;
mod deletion;
mod drift;
mod examples;
mod explain;
mod facts;
mod faults;
mod harness;
mod idle;
mod import;
mod lease;
mod managed;
mod matrix;
mod names;
mod offline;
mod parts;
mod paths;
mod queue;
mod queue_hands;
mod reference;
mod refusals;
mod restore;
mod scale;
#[path = "../../benches/scale/server.rs"]
mod server;
mod shards;
mod shards_many;
mod sharing;
mod status;
mod stories;
#[path = "../support/stub/mod.rs"]
mod stub;
mod view;
mod wire;
