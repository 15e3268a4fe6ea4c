//! The network as plain values, each in one canonical form, so that equal things compare equal
//! (domain.md 3.3). Nothing here knows AWS's SDK, Kubernetes' client, a runtime or a clock.

pub mod dms;
pub mod endpoint;
pub mod engine;
pub mod group;
pub mod ids;
pub mod need;
pub mod picture;
pub mod policy;
pub mod rule;
pub mod tags;
pub mod vpc;

pub use dms::{DmsEndpoint, RdsDatabase, ReplicationInstance};
pub use endpoint::{EndpointState, ServiceDetail, VpcEndpoint};
pub use group::SecurityGroup;
pub use ids::*;
pub use need::{Need, Pace};
pub use picture::{Lookup, Picture, ReadFailure, Resolution};
pub use policy::Policy;
pub use rule::{Direction, Peer, Ports, Protocol, Rule, RuleShape};
pub use tags::{Owner, Ownership, Tags};
pub use vpc::{Subnet, Vpc};
