//! A seed's own process, and the same each time: without chance in it, a seed replays to the last line, whatever ran before or runs
//! beside it.
//!
//! Chance is in crates that we use, too: the order of hash maps, whose keys come from the system or from addresses, and counters of the
//! whole process that tokio and others mix into theirs. So each seed has a process of its own, with nothing in its environment, and a
//! library of a few lines in C answers in the place of the system's. Where there is no C compiler, seeds run all the same, and may go
//! another way the next time.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

/// Set in the process that has no chance in it.
const FIXED: &str = "FAULT_FIXED";

/// Whether this is the process that has none.
pub fn is_fixed() -> bool {
    std::env::var_os(FIXED).is_some()
}

/// Runs this test once more, without chance, and says whether that was done. The first process only waits for the second.
pub fn again(test: &str) -> bool {
    if is_fixed() {
        return false;
    }
    let mut command = command(test);
    for name in ["FAULT_LOG", "START_NETWORKS"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(text.contains("1 passed"), "{test}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    true
}

/// Runs this test of one seed; what it prints.
pub fn of_seed(test: &str, seed: u64, log: Option<&str>) -> Output {
    let mut command = command(test);
    command.env("FAULT_SEED", seed.to_string());
    if let Some(log) = log {
        command.env("FAULT_LOG", log);
    }
    command.stdin(Stdio::null()).output().unwrap()
}

fn command(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--test-threads", "1"]);
    command.env_clear().env(FIXED, "1");
    if let Some(library) = LIBRARY.get_or_init(library) {
        command.env("LD_PRELOAD", library);
    }
    command
}

static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();

fn library() -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fixed.c");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixed.so");
    let new = to.with_extension(std::process::id().to_string());
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let output = Command::new(&compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&new).arg(source).output();
    let why = match output {
        // In one step: others may be starting with the one that is there.
        Ok(output) if output.status.success() => return std::fs::rename(&new, &to).map(|()| to).ok(),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    eprintln!("seeds may not replay exactly: {compiler}: {why}");
    None
}
