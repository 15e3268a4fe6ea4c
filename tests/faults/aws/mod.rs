//! AWS in this process: the stub's world behind the SDK's own HTTP interface, with faults on the way.

mod connector;
mod history;
mod queue;

pub use connector::Aws;
pub use history::History;
pub use queue::Queue;
