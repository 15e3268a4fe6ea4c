//! The command line: the same engine without a cluster, and the way to start the controller.

pub mod args;
pub mod diff;
pub mod files;
mod logging;
mod output;
pub mod session;

use std::process::ExitCode;

use anstream::ColorChoice;
use clap::{CommandFactory, Parser};

use crate::{api::crds, controller};
use args::{ApplyArgs, Cli, Command, DeleteArgs, FileArgs, Output, PlanArgs};
use diff::Report;
use output::{FAILURE, Progress, fail, print};
use session::Session;

/// There are changes.
const CHANGES: u8 = 2;

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
        Command::Plan(args) => block_on(plan(&args)),
        Command::Apply(args) => block_on(apply(&args)),
        Command::Delete(args) => block_on(delete(&args)),
    }
}

fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(format!("no runtime: {error}")),
    }
}

/// Reads the files and asks AWS who we are.
async fn open(args: &FileArgs) -> Result<Session, ExitCode> {
    let files = files::load(&args.files).map_err(|errors| errors.iter().map(fail).last().unwrap_or(FAILURE.into()))?;
    Session::open(files, &args.owner).await.map_err(fail)
}

async fn plan(args: &PlanArgs) -> ExitCode {
    let mut session = match open(&args.files).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let report = session.plan(args.prune).await;
    let text = match args.files.output {
        Output::Text => report.render(),
        Output::Json => match output::json(&report) {
            Ok(text) => text,
            Err(error) => return fail(error),
        },
    };
    let printed = print(&text, args.files.color.into());
    if report.has_problems() {
        FAILURE.into()
    } else if report.summary.is_empty() {
        printed
    } else {
        CHANGES.into()
    }
}

async fn apply(args: &ApplyArgs) -> ExitCode {
    let mut session = match open(&args.files).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mut progress = Progress::new(&args.files);
    let (report, refused) = session.apply(args.prune, &mut progress).await;
    let left = args.prune && !report.unwanted.is_empty();
    progress.end(&report, &refused, !left && is_applied(&report))
}

/// Whether AWS is as the networks want it. A suspended one wants nothing now.
fn is_applied(report: &Report) -> bool {
    let open = |n: &&diff::NetworkReport| !n.suspended && !(n.changes.is_empty() && n.waiting.is_empty());
    !report.has_problems() && report.networks.iter().find(open).is_none()
}

async fn delete(args: &DeleteArgs) -> ExitCode {
    let mut session = match open(&args.files).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mut progress = Progress::new(&args.files);
    let (report, refused) = session.delete(&mut progress).await;
    let gone = !report.has_problems() && report.networks.iter().all(|n| n.left.is_empty());
    progress.end(&report, &refused, gone)
}

/// The CustomResourceDefinitions, ready for `kubectl apply`.
fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    crds::all().iter().map(|crd| Ok(format!("---\n{}", serde_saphyr::to_string(crd)?))).collect()
}
