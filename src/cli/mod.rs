//! The command line: the same engine without a cluster, and the way to start the controller.

pub mod args;
pub mod diff;
pub mod files;
mod logging;

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use anstream::{AutoStream, ColorChoice};
use clap::{CommandFactory, Parser};
use owo_colors::OwoColorize;

use crate::{api::crds, controller};
use args::{Cli, Command, FileArgs};

/// An error, or a problem that stands in the way.
const FAILURE: u8 = 1;

/// Reads the command line, does what it says, and tells how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            // Not clap's 2, which means here that there are changes.
            return if usage.use_stderr() { FAILURE.into() } else { ExitCode::SUCCESS };
        }
    };
    let long_running = matches!(cli.command, Command::Run(_));
    if let Err(error) = logging::start(&cli.log, long_running) {
        return fail(error);
    }
    match cli.command {
        Command::Crds => crds_yaml().map_or_else(fail, |yaml| print(&yaml, ColorChoice::Never)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dmsnet", &mut script);
            print(&String::from_utf8_lossy(&script), ColorChoice::Never)
        }
        Command::Run(args) => block_on(async { controller::run(args.into()).await.map_or_else(fail, |()| ExitCode::SUCCESS) }),
        Command::Plan(args::PlanArgs { files, .. })
        | Command::Apply(args::ApplyArgs { files, .. })
        | Command::Delete(args::DeleteArgs { files }) => with_files(&files),
    }
}

fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(format!("no runtime: {error}")),
    }
}

fn with_files(args: &FileArgs) -> ExitCode {
    match files::load(&args.files) {
        Ok(_) => fail("talking to AWS is not built into this binary"),
        Err(errors) => {
            errors.iter().for_each(|e| {
                fail(e);
            });
            FAILURE.into()
        }
    }
}

/// The CustomResourceDefinitions, ready for `kubectl apply`.
fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    crds::all().iter().map(|crd| Ok(format!("---\n{}", serde_saphyr::to_string(crd)?))).collect()
}

/// Prints to standard output. That the reader has gone (`| head`) is no failure.
fn print(text: &str, color: ColorChoice) -> ExitCode {
    let mut out = AutoStream::new(io::stdout().lock(), color);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => fail(format!("cannot write to standard output: {e}")),
        _ => ExitCode::SUCCESS,
    }
}

/// Says what went wrong.
fn fail(error: impl Display) -> ExitCode {
    let mut out = AutoStream::auto(io::stderr().lock());
    let _ = writeln!(out, "{} {error}", "error:".red().bold());
    FAILURE.into()
}
