//! Is the path open? Every hop a packet meets from the replication to the database, and every hop its answer meets, judged
//! by what AWS holds (domain.md 1). No packet is sent, and nothing is guessed: what AWS does not show is unknown.

mod atlas;
pub mod code;
mod ends;
mod explain;
mod group;
mod internet;
mod nets;
mod notes;
mod onprem;
mod places;
mod propagation;
pub mod query;
pub mod remedy;
pub mod report;
mod route;
mod service;
mod trip;
mod ways;

pub use code::Code;
pub use explain::{Explorer, explain, needs};
pub use query::{NatHost, Query, Side, Source, SourceKind, Target, Way};
pub use remedy::Remedy;
pub use report::{Asked, Decided, Finding, Hop, HopKind, Pair, Report, State, Unknown, Walk};
