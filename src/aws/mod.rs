//! The only code that talks to AWS: clients, reads in batches, an informer that keeps a picture of each account
//! and Region, and writes.
//!
//! AWS has no watch, so [`Store`] is the nearest thing: it relists what its subscribers need, in as few calls as
//! that takes, and wakes those whose part has changed.

mod apply;
mod budget;
mod calls;
mod changes;
mod clients;
mod connection_tests;
mod convert;
mod dns;
mod effects;
mod endpoint_writes;
mod entry;
mod errors;
mod expect;
mod held;
pub mod inventory;
mod listing;
mod moment;
mod network_writes;
mod observe;
mod pace;
pub mod permissions;
mod phase;
mod questions;
mod queue;
mod queued;
mod reads;
mod requests;
mod schedule;
mod spread;
mod stepped;
mod store;
mod stores;
mod sweep;
mod turns;
mod unheard;
mod writes;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use changes::{ApplyContext, Outcome, apply};
pub use clients::{Account, Clients, Scope, WRITE_ENDS_WITHIN, environment, https};
pub use endpoint_writes::{EndpointDiff, NewEndpoint};
pub use errors::{AwsError, AwsErrorKind};
pub use expect::PATIENCE;
pub use observe::RequestObserver;
pub use queue::{HIDDEN, Message, Queue};
pub use store::Store;
pub use stores::{Loader, Stores, from_environment};
pub use unheard::Unheard;
pub use writes::{Interface, NewRule, RuleEdit};

/// Locks; a thread that panicked with the lock leaves plain values behind, as good as before.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
