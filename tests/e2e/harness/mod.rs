//! The real parts, and [`Env`], which joins them for one test.
#![allow(dead_code, unused_imports)] // what one test needs, another does not

pub mod apiserver;
pub mod controller;
pub mod desk;
pub mod emulator;
pub mod env;
pub mod example;
pub mod kubectl;
pub mod metrics;
pub mod process;
pub mod trail;
pub mod wait;

pub use apiserver::ApiServer;
pub use controller::Controller;
pub use desk::{Answer, Desk, answer, dmsnet};
pub use emulator::{Call, Emulator, Topology};
pub use env::Env;
pub use example::Example;
pub use kubectl::Kubectl;
pub use metrics::Metrics;
pub use trail::Trail;
pub use wait::eventually;

use std::{env as process_env, path::PathBuf};

/// Where `make tools` puts what is built: the API server, the emulator's Python.
pub fn tools() -> PathBuf {
    process_env::var_os("DMSNET_TEST_TOOLS").map_or_else(|| root().join("target/tools"), PathBuf::from)
}

/// The repository.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A file that must be there, else a sentence that says what to do.
pub fn must_exist(path: PathBuf) -> PathBuf {
    assert!(path.exists(), "{} is missing: run `make tools`", path.display());
    path
}

/// Runs a future to its end in a thread and runtime of its own: for what outlives one test (a client lives and dies with
/// the runtime that made it), and for `Drop`.
pub fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
    std::thread::scope(|scope| scope.spawn(run).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
