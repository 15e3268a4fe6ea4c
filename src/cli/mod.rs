//! The command line: the same engine without a cluster, and the way to start the controller.

pub mod args;
pub mod cluster;
pub mod diagram;
pub mod diff;
pub mod explain;
pub mod files;
pub mod iam_policy;
pub mod import;
mod logging;
mod output;
pub mod session;
pub mod snapshot;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anstream::ColorChoice;
use clap::{CommandFactory, Parser};

use crate::{api::crds, controller, model::Owner};
use args::{
    ApplyArgs, Cli, Command, DeleteArgs, DiagramArgs, ExplainArgs, FactArgs, FileArgs, NetworkArgs, Output, Picture, PlanArgs, SnapshotArgs,
};
use cluster::Cluster;
use diff::Report;
use iam_policy::Wish;
use output::{FAILURE, Progress, fail, note, print};
use session::Session;
use snapshot::Snapshot;

/// There are changes.
const CHANGES: u8 = 2;
/// A path is blocked.
const BLOCKED: u8 = 2;

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
        Command::IamPolicy(args) => output::json(&Wish::from(args).document()).map_or_else(fail, |json| print(&json, ColorChoice::Never)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "dmsnet", &mut script);
            print(&String::from_utf8_lossy(&script), ColorChoice::Never)
        }
        Command::Run(args) => block_on(async { controller::run(args.into()).await.map_or_else(fail, |()| ExitCode::SUCCESS) }),
        Command::Plan(args) => block_on(plan(&args)),
        Command::Apply(args) => block_on(apply(&args)),
        Command::Delete(args) => block_on(delete(&args)),
        Command::Explain(args) => block_on(explain(&args)),
        Command::Diagram(args) => block_on(diagram(&args)),
        Command::Snapshot(args) => block_on(snapshot(&args)),
        Command::Import(args) => block_on(async { import::import(&args).await.map_or_else(fail, |yaml| print(&yaml, ColorChoice::Never)) }),
    }
}

fn block_on(work: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => fail(format!("no runtime: {error}")),
    }
}

/// Networks, and how to speak of them.
struct Loaded {
    files: files::Files,
    owner: Owner,
    /// Those that were asked for, where others were read with them.
    asked: Option<BTreeSet<String>>,
}

/// Reads the networks from files or from the cluster. `neighbours`: with those that they may share something with there.
async fn load(args: &NetworkArgs, owner: Option<&Owner>, neighbours: bool) -> Result<Loaded, ExitCode> {
    if args.names.is_empty() {
        let files = read(&args.files)?;
        return Ok(Loaded { files, owner: owner.cloned().unwrap_or_default(), asked: None });
    }
    let cluster = Cluster::connect(args.context.as_deref()).await.map_err(fail)?;
    let found = cluster.networks(args.namespace.as_deref(), &args.names, neighbours).await.map_err(fail)?;
    let owner = match owner {
        Some(owner) => owner.clone(),
        // It decides only about changes.
        None if neighbours => cluster.owner().await.map_err(fail)?,
        None => Owner::default(),
    };
    Ok(Loaded { files: found.files, owner, asked: Some(found.asked) })
}

fn read(files: &[PathBuf]) -> Result<files::Files, ExitCode> {
    files::load(files).map_err(|errors| {
        for error in errors {
            fail(error);
        }
        ExitCode::from(FAILURE)
    })
}

/// Reads the networks and asks AWS who we are.
async fn open(args: &FileArgs) -> Result<Session, ExitCode> {
    Session::open(read(&args.files)?, &args.owner).await.map_err(fail)
}

/// Takes the facts from where they are to come from.
async fn look(networks: Loaded, facts: &FactArgs) -> Result<Session, ExitCode> {
    let Loaded { files, owner, .. } = networks;
    let Some(file) = &facts.snapshot else { return Session::open(files, &owner).await.map_err(fail) };
    let named = |error: &dyn std::fmt::Display| fail(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|e| named(&format!("cannot be read: {e}")))?;
    let snapshot = Snapshot::read(&text).map_err(|e| named(&e))?;
    Session::offline(files, &owner, &snapshot).await.map_err(|e| named(&e))
}

/// Reads the networks, and takes the facts from where they are to come from.
async fn paths_of(networks: &NetworkArgs, facts: &FactArgs) -> Result<Session, ExitCode> {
    look(load(networks, None, false).await?, facts).await
}

async fn explain(args: &ExplainArgs) -> ExitCode {
    let mut session = match paths_of(&args.networks, &args.facts).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let told = session.explain().await;
    if let Err(code) = complete(&session, &args.facts) {
        return code;
    }
    let text = match args.output {
        Output::Text => Ok(told.render()),
        Output::Json => output::json(&told),
    };
    match text.and_then(|text| output::write(&text, args.color.into())) {
        Err(error) => fail(error),
        Ok(()) if told.has_problems() => FAILURE.into(),
        Ok(()) if told.summary.blocked > 0 => BLOCKED.into(),
        Ok(()) => ExitCode::SUCCESS,
    }
}

async fn diagram(args: &DiagramArgs) -> ExitCode {
    let mut session = match paths_of(&args.networks, &args.facts).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let (subjects, places) = session.diagram().await;
    if let Err(code) = complete(&session, &args.facts) {
        return code;
    }
    let text = match args.output {
        Picture::Mermaid => diagram::mermaid(&subjects, &places),
        Picture::Svg => diagram::svg(&subjects, &places),
    };
    let printed = print(&text, ColorChoice::Never);
    let mut problems = subjects.iter().flat_map(|s| s.network.problems.iter().map(|p| (&s.network.name, p))).peekable();
    if problems.peek().is_none() {
        return printed;
    }
    for (network, problem) in problems {
        fail(format!("{network}: {} {}: {}", problem.reason, problem.resource, problem.message));
    }
    FAILURE.into()
}

/// Says so where a snapshot does not hold all that was asked.
fn complete(session: &Session, facts: &FactArgs) -> Result<(), ExitCode> {
    let file = || facts.snapshot.as_deref().unwrap_or(Path::new("")).display();
    session.lacks().map_or(Ok(()), |e| Err(fail(format!("{}: {e}", file()))))
}

async fn plan(args: &PlanArgs) -> ExitCode {
    let networks = match load(&args.networks, args.owner.as_ref(), true).await {
        Ok(networks) => networks,
        Err(code) => return code,
    };
    let asked = networks.asked.clone();
    let mut session = match look(networks, &args.facts).await {
        Ok(session) => session,
        Err(code) => return code,
    };
    let mut report = session.plan(args.prune).await;
    if let Some(asked) = asked {
        report = report.only(&asked);
    }
    if let Err(code) = complete(&session, &args.facts) {
        return code;
    }
    let text = match args.output {
        Output::Text => Ok(report.render()),
        Output::Json => output::json(&report),
    };
    match text.and_then(|text| output::write(&text, args.color.into())) {
        Err(error) => fail(error),
        Ok(()) if report.has_problems() => FAILURE.into(),
        Ok(()) if report.summary.is_empty() => ExitCode::SUCCESS,
        Ok(()) => CHANGES.into(),
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
    let settled = |n: &diff::NetworkReport| n.suspended || n.changes.is_empty() && n.waiting.is_empty();
    !report.has_problems() && report.networks.iter().all(settled)
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

async fn snapshot(args: &SnapshotArgs) -> ExitCode {
    // Whoever owns what is there, it is recorded.
    let opened = match load(&args.networks, Some(&Owner::default()), true).await {
        Ok(networks) => Session::open(networks.files, &networks.owner).await.map_err(fail),
        Err(code) => Err(code),
    };
    let mut session = match opened {
        Ok(session) => session,
        Err(code) => return code,
    };
    let snapshot = Snapshot::new(jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default(), session.record().await);
    let text = match output::json(&snapshot) {
        Ok(text) => text,
        Err(error) => return fail(error),
    };
    let (held, refused) = snapshot.summary();
    for read in refused {
        note(format!("recorded as refused: {read}"));
    }
    if args.output.as_os_str() == "-" {
        return print(&text, ColorChoice::Never);
    }
    match fs::write(&args.output, text) {
        Err(error) => fail(format!("{}: cannot be written: {error}", args.output.display())),
        Ok(()) => print(&format!("{}: {held}\n", args.output.display()), ColorChoice::Never),
    }
}

/// The CustomResourceDefinitions, ready for `kubectl apply`.
fn crds_yaml() -> Result<String, serde_saphyr::ser::Error> {
    crds::all().iter().map(|crd| Ok(format!("---\n{}", serde_saphyr::to_string(crd)?))).collect()
}
