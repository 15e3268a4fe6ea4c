//! What users write and read: the two custom resources, their conditions and the names around them.

pub mod class;
pub mod conditions;
pub mod crds;
pub mod names;
pub mod network;
mod path;
mod schema;
pub mod status;
mod vpc_endpoint;

pub use class::{DmsNetworkClass, DmsNetworkClassSpec, DmsNetworkClassStatus};
pub use network::{DmsNetwork, DmsNetworkSpec};
pub use status::DmsNetworkStatus;

/// API group of both resources.
pub const GROUP: &str = "dmsnet.dev";
/// Served and stored version.
pub const VERSION: &str = "v1alpha1";
