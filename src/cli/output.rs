//! What is printed: results to standard output, complaints to standard error.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    process::ExitCode,
};

use anstream::{AutoStream, ColorChoice};
use owo_colors::OwoColorize;
use serde::Serialize;

use super::{
    args::{FileArgs, Output},
    diff::{Report, Summary, one_line},
    session::{Journal, Refusal},
};
use crate::api::status::PendingChange;

/// An error, or a problem that stands in the way.
pub(super) const FAILURE: u8 = 1;

/// Prints to standard output, and ends.
pub(super) fn print(text: &str, color: ColorChoice) -> ExitCode {
    write(text, color).map_or_else(fail, |()| ExitCode::SUCCESS)
}

/// Writes to standard output. That the reader has gone (`| head`) is no failure.
pub(super) fn write(text: &str, color: ColorChoice) -> Result<(), String> {
    let mut out = AutoStream::new(io::stdout().lock(), color);
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => Err(format!("cannot write to standard output: {e}")),
        _ => Ok(()),
    }
}

/// Says what went wrong.
pub(super) fn fail(error: impl Display) -> ExitCode {
    let mut out = AutoStream::auto(io::stderr().lock());
    let _ = writeln!(out, "{} {error}", "error:".red().bold());
    FAILURE.into()
}

/// Says what people should know, beside the result.
pub(super) fn note(text: impl Display) {
    let mut out = AutoStream::auto(io::stderr().lock());
    let _ = writeln!(out, "{} {text}", "note:".cyan());
}

/// As JSON, with a line break.
pub(super) fn json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| format!("cannot be told as JSON: {e}"))
}

/// What `apply` and `delete` did: stable, as `-o json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ending<'a> {
    /// Changes that AWS took, in their order.
    done: &'a [Done],
    /// Changes that it refused.
    refused: &'a [Refusal],
    /// How many were made.
    summary: Summary,
    /// How it is now.
    after: &'a Report,
}

#[derive(Serialize)]
struct Done {
    network: String,
    #[serde(flatten)]
    change: PendingChange,
}

/// Tells what is being done, and notes it.
pub(super) struct Progress {
    output: Output,
    color: ColorChoice,
    done: Vec<Done>,
    /// The network that was spoken of last.
    network: String,
}

impl Progress {
    pub(super) fn new(args: &FileArgs) -> Self {
        Self { output: args.output, color: args.color.into(), done: Vec::new(), network: String::new() }
    }

    /// Says how it ended.
    pub(super) fn end(&self, report: &Report, refused: &[Refusal], good: bool) -> ExitCode {
        let summary = Summary::of(self.done.iter().map(|d| &d.change));
        let text = match self.output {
            // After the progress.
            Output::Text if !self.network.is_empty() => Ok(format!("\n{}", report.render_rest(summary))),
            Output::Text => Ok(report.render_rest(summary)),
            Output::Json => json(&Ending { done: &self.done, refused, summary, after: report }),
        };
        match text.and_then(|text| write(&text, self.color)) {
            Err(error) => fail(error),
            Ok(()) if good && refused.is_empty() => ExitCode::SUCCESS,
            Ok(()) => FAILURE.into(),
        }
    }

    fn say(&mut self, network: &str, line: &str) {
        if self.output == Output::Json {
            return;
        }
        let head = if network.is_empty() || network == self.network { String::new() } else { format!("{}\n", network.bold()) };
        if !network.is_empty() {
            network.clone_into(&mut self.network);
        }
        // Work goes on although nobody can be told; the end says so.
        let _ = write(&format!("{head}  {line}\n"), self.color);
    }
}

impl Journal for Progress {
    fn done(&mut self, network: &str, change: &PendingChange) {
        self.say(network, &one_line(change));
        self.done.push(Done { network: network.to_owned(), change: change.clone() });
    }

    fn refused(&mut self, network: &str, change: &PendingChange, error: &str) {
        self.say(network, &format!("{} {}\n      {error}", "refused:".red().bold(), one_line(change)));
    }

    fn waiting(&mut self, what: &str) {
        self.say("", &format!("{} {what}", '…'.cyan()));
    }
}
