//! The same process each time: without chance in it, a seed replays to the last line.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Set in the process that has none.
const FIXED: &str = "FAULT_FIXED";

/// Runs this test once more, without chance, and says whether that was done. The first process only waits for the second.
///
/// The order of hash maps is the last source of it, and it is in crates that we use: a library of ten lines in C answers in the
/// place of the system's. Where there is no C compiler, seeds run all the same, and may go another way the next time.
pub fn again(test: &str) -> bool {
    if std::env::var_os(FIXED).is_some() {
        return false;
    }
    let library = match library() {
        Ok(library) => library,
        Err(why) => {
            eprintln!("seeds may not replay exactly: {why}");
            return false;
        }
    };
    let program = std::env::current_exe().unwrap();
    let status = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads", "1"])
        .env("LD_PRELOAD", library)
        .env(FIXED, "1")
        .status()
        .unwrap();
    assert!(status.success(), "see above");
    true
}

fn library() -> Result<PathBuf, String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/fixed.c");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fixed-{}.so", std::process::id()));
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".into());
    let status = Command::new(&compiler).args(["-shared", "-fPIC", "-O1", "-o"]).arg(&to).arg(source).status();
    match status {
        Ok(status) if status.success() => Ok(to),
        Ok(status) => Err(format!("{compiler}: {status}")),
        Err(error) => Err(format!("{compiler}: {error}")),
    }
}
