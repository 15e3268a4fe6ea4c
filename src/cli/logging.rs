//! Logs go to standard error; standard output belongs to results.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::args::{LogArgs, LogFormat};

/// Starts logging. `long_running`: for a process whose log somebody collects.
///
/// # Errors
/// Where the filter cannot be read.
pub(super) fn start(args: &LogArgs, long_running: bool) -> Result<(), String> {
    // What kube's client logs of a failure, a one-time command says itself, with what to do.
    let default = if long_running { "info" } else { "error,kube_client=off" };
    let text = args.log.as_deref().unwrap_or(default);
    let filter =
        EnvFilter::try_new(text).map_err(|e| format!("--log {text:?} is no filter ({e}): write a level such as debug, or dmsnet=debug"))?;
    let terminal = io::stderr().is_terminal();
    let format = args.log_format.unwrap_or(if long_running && !terminal { LogFormat::Json } else { LogFormat::Text });
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Json => log.json().flatten_event(true).with_current_span(true).with_span_list(false).init(),
        LogFormat::Text if long_running => log.with_ansi(terminal && colors()).init(),
        LogFormat::Text => log.with_ansi(terminal && colors()).without_time().with_target(false).init(),
    }
    Ok(())
}

/// <https://no-color.org>
fn colors() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}
