//! A plan for people, as a diff, and for programs, as JSON.

use std::{
    collections::BTreeSet,
    fmt::{self, Write},
};

use owo_colors::{OwoColorize, Style};
use serde::Serialize;

use crate::{
    api::{
        network::Mode,
        status::{ForeignRule, PendingChange, ResourceKind, VpcEndpointStatus},
    },
    plan::{Action, Change, Plan, Problem},
};

/// What a command found: stable, as `-o json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One for each network, in the order of the files.
    pub networks: Vec<NetworkReport>,
    /// What carries our owner's tag, in the groups and VPCs that the networks name, and is wanted by none of them.
    pub unwanted: Vec<PendingChange>,
    /// Whether it is to be removed.
    pub prune: bool,
    /// Counts.
    pub summary: Summary,
    /// What people should know about how this was found.
    pub notes: Vec<String>,
}

/// What was found of one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkReport {
    /// `namespace/name`
    pub name: String,
    /// Name of the class.
    pub class: String,
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// The weaker of the network's mode and the class's.
    pub mode: Mode,
    /// Whether its spec says `suspend: true`.
    pub suspended: bool,
    /// What is to be done.
    pub changes: Vec<PendingChange>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// Rules of others on managed ports.
    pub foreign: Vec<ForeignRule>,
    /// What AWS is still at work on.
    pub waiting: Vec<String>,
    /// The VPC endpoints, as they are.
    pub vpc_endpoints: Vec<VpcEndpointStatus>,
    /// Whether it is being deleted.
    #[serde(skip)]
    pub leaving: bool,
    /// What it leaves behind in AWS.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
}

/// How many changes there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Objects to create.
    pub create: usize,
    /// Objects to change, tags included.
    pub modify: usize,
    /// Objects to delete.
    pub delete: usize,
}

impl Summary {
    /// Counts changes.
    pub fn of<'a>(changes: impl IntoIterator<Item = &'a PendingChange>) -> Self {
        let mut summary = Self::default();
        for change in changes {
            match Sign::of(change) {
                Sign::Create => summary.create += 1,
                Sign::Modify => summary.modify += 1,
                Sign::Delete => summary.delete += 1,
            }
        }
        summary
    }

    /// Whether there is nothing to do.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to create, {} to change, {} to delete", self.create, self.modify, self.delete)
    }
}

impl NetworkReport {
    /// What `plan` says of a network.
    pub fn new(name: String, class: String, mode: Mode, suspended: bool, plan: &Plan) -> Self {
        Self {
            name,
            class,
            mode,
            suspended,
            vpc_endpoints: plan.vpc_endpoints.clone(),
            changes: plan.changes.iter().map(Change::describe).collect(),
            problems: plan.problems.clone(),
            foreign: plan.foreign.clone(),
            waiting: plan.waiting.clone(),
            ..Self::default()
        }
    }

    /// Whether there is nothing to say of it.
    fn is_quiet(&self) -> bool {
        self.changes.is_empty() && self.problems.is_empty() && self.waiting.is_empty() && self.left.is_empty()
    }

    /// Whether it is kept from writing by what its author, or its class, says.
    pub fn is_kept_from_writing(&self) -> bool {
        self.suspended || self.mode == Mode::Observe
    }
}

impl Report {
    /// A report of networks, and of what nobody wants any more.
    pub fn new(networks: Vec<NetworkReport>, unwanted: Vec<PendingChange>, prune: bool, notes: Vec<String>) -> Self {
        let pruned = if prune { unwanted.as_slice() } else { &[] };
        let summary = Summary::of(networks.iter().flat_map(|n| &n.changes).chain(pruned));
        Self { networks, unwanted, prune, summary, notes }
    }

    /// Of these networks alone (`namespace/name`). What nobody wants is nothing of theirs.
    pub fn only(mut self, names: &BTreeSet<String>) -> Self {
        self.networks.retain(|n| names.contains(&n.name));
        Self::new(self.networks, vec![], false, self.notes)
    }

    /// Whether something stands in the way.
    pub fn has_problems(&self) -> bool {
        self.networks.iter().any(|n| !n.problems.is_empty())
    }

    /// As a diff, with colours.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for network in &self.networks {
            network.render(&mut out);
            out.push('\n');
        }
        self.render_unwanted(&mut out);
        let problems: usize = self.networks.iter().map(|n| n.problems.len()).sum();
        let mut last = if self.summary.is_empty() { "Nothing to change".to_owned() } else { self.summary.to_string() };
        if problems > 0 {
            let _ = write!(last, ", {problems} {}", if problems == 1 { "problem" } else { "problems" });
        }
        line(&mut out, 0, &format!("{}.", last.bold()));
        out
    }

    /// What is left after `apply` or `delete`, with colours.
    pub fn render_rest(&self, done: Summary) -> String {
        let mut out = String::new();
        for network in &self.networks {
            network.render(&mut out);
            for e in &network.vpc_endpoints {
                if let (Some(id), Some(state)) = (&e.id, &e.state) {
                    line(&mut out, 1, &format!("endpoint {} {id} ({state}) {}", e.name, e.url.as_deref().unwrap_or_default().dimmed()));
                }
            }
        }
        out.push('\n');
        self.render_unwanted(&mut out);
        let Summary { create, modify, delete } = done;
        line(&mut out, 0, &format!("{}.", format!("{create} created, {modify} changed, {delete} deleted").bold()));
        out
    }

    fn render_unwanted(&self, out: &mut String) {
        if !self.unwanted.is_empty() {
            let what = if self.prune { "they are removed (--prune)" } else { "--prune removes them" };
            line(out, 0, &format!("{} {}", "Owned, and wanted by none of these files:".bold(), what.dimmed()));
            for change in &self.unwanted {
                let style = if self.prune { Sign::of(change).style() } else { Style::new().dimmed() };
                line(out, 1, &format!("{} {}", Sign::of(change).mark().style(style), gone(change).style(style)));
            }
            out.push('\n');
        }
        for note in &self.notes {
            line(out, 0, &format!("{} {note}", "note:".cyan()));
        }
    }
}

impl NetworkReport {
    fn render(&self, out: &mut String) {
        let mode = match (self.suspended, self.mode) {
            (true, _) => ", suspended: nothing is written",
            (false, Mode::Observe) => ", Observe: nothing is written",
            (false, Mode::Enforce) => "",
        };
        let class = format!("class {}, account {}, {}{mode}", self.class, self.account, self.region);
        line(out, 0, &format!("{} {}", self.name.bold(), class.dimmed()));
        for (kind, title) in [
            (ResourceKind::SecurityGroup, "Security groups"),
            (ResourceKind::SecurityGroupRule, "Security group rules"),
            (ResourceKind::NetworkAclEntry, "Network ACL entries"),
            (ResourceKind::Route, "Routes"),
            (ResourceKind::VpcEndpoint, "VPC endpoints"),
        ] {
            let of_kind: Vec<&PendingChange> = self.changes.iter().filter(|c| c.kind == kind).collect();
            section(out, title, &of_kind, |out, change| render_change(out, change));
        }
        section(out, "Problems", &self.problems, |out, p| {
            line(out, 2, &format!("{} {} {}", '!'.style(Style::new().red().bold()), p.reason.red(), p.resource.bold()));
            line(out, 4, &p.message);
        });
        section(out, "Rules of others on these ports", &self.foreign, |out, f| {
            let wider = if f.wider { ", opens more than these ports" } else { "" };
            line(out, 2, &format!("{} {} {}", '?'.cyan(), f.summary, format!("({}{wider})", f.id).dimmed()));
        });
        section(out, "Waiting for AWS", &self.waiting, |out, w| line(out, 2, &format!("{} {w}", '…'.cyan())));
        section(out, "Left in AWS", &self.left, |out, l| line(out, 2, l));
        if self.is_quiet() {
            line(out, 1, &if self.leaving { "gone" } else { "as wanted" }.green().to_string());
        }
    }
}

/// One change as a line, for progress.
pub fn one_line(change: &PendingChange) -> String {
    let sign = Sign::of(change);
    let what = match (&change.from, &change.to) {
        (Some(from), Some(to)) => format!("{}: {from} → {to}", change.resource),
        (None, Some(to)) if sign == Sign::Create => to.clone(),
        (Some(text), None) | (None, Some(text)) if sign == Sign::Modify => {
            format!("{}: {} {text}", change.resource, change.action.to_lowercase())
        }
        _ => gone(change),
    };
    format!("{} {}", sign.mark().style(sign.style()), what)
}

fn section<T>(out: &mut String, title: &str, items: &[T], mut render: impl FnMut(&mut String, &T)) {
    if items.is_empty() {
        return;
    }
    line(out, 1, title);
    for item in items {
        render(out, item);
    }
}

fn render_change(out: &mut String, change: &PendingChange) {
    let sign = Sign::of(change);
    let mark = sign.mark().style(sign.style()).to_string();
    let head = |out: &mut String, text: &str| line(out, 2, &format!("{mark} {}", text.style(sign.style())));
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => {
            head(out, &change.resource);
            for (from, to) in fields(from, to) {
                line(out, 4, &format!("{from} {} {to}", '→'.dimmed()));
            }
        }
        // An endpoint, with its fields below it.
        (None, Some(to)) if change.kind == ResourceKind::VpcEndpoint && sign == Sign::Create => {
            let (what, rest) = to.split_once(": ").unwrap_or((to, ""));
            head(out, what);
            for field in rest.split("; ").filter(|f| !f.is_empty()) {
                line(out, 4, field);
            }
        }
        (None, Some(to)) if sign == Sign::Modify => {
            head(out, &change.resource);
            line(out, 4, &format!("{} {to}", change.action.to_lowercase()));
        }
        (None, Some(to)) => head(out, to),
        (Some(from), None) if sign == Sign::Modify => {
            head(out, &change.resource);
            line(out, 4, &format!("{} {from}", change.action.to_lowercase()));
        }
        _ => head(out, &gone(change)),
    }
}

/// What is to go: a rule in full, another object with its ledger key.
fn gone(change: &PendingChange) -> String {
    match &change.from {
        Some(from) if matches!(change.kind, ResourceKind::SecurityGroupRule | ResourceKind::NetworkAclEntry | ResourceKind::Route) => {
            from.clone()
        }
        Some(from) => format!("{} ({from})", change.resource),
        None => change.resource.clone(),
    }
}

/// Changed fields side by side: `subnets a; policy x` and `subnets b; policy y`.
fn fields<'a>(from: &'a str, to: &'a str) -> Vec<(&'a str, &'a str)> {
    let (a, b): (Vec<_>, Vec<_>) = (from.split("; ").collect(), to.split("; ").collect());
    // A policy may have a semicolon of its own.
    if a.len() == b.len() { a.into_iter().zip(b).collect() } else { vec![(from, to)] }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:width$}{text}", "", width = depth * 2);
}

/// What a change is, in a diff.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Create,
    Modify,
    Delete,
}

impl Sign {
    fn of(change: &PendingChange) -> Self {
        let is = |action: Action| change.action == <&str>::from(action);
        if is(Action::Create) {
            Self::Create
        } else if is(Action::Delete) {
            Self::Delete
        } else {
            Self::Modify
        }
    }

    fn mark(self) -> char {
        match self {
            Self::Create => '+',
            Self::Modify => '~',
            Self::Delete => '-',
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Create => Style::new().green(),
            Self::Modify => Style::new().yellow(),
            Self::Delete => Style::new().red(),
        }
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;
