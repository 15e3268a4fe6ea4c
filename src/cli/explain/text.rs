//! Paths as lines, with colours: out and back, hop by hop, and under each hop that blocks what mends it.

use std::{
    collections::BTreeSet,
    fmt::{Display, Write},
};

use owo_colors::{OwoColorize, Style};

use super::{Explanation, NetworkPaths};
use crate::reach::{Asked, Finding, Hop, HopKind, Pair, Report, State, Unknown, Walk};

impl Explanation {
    /// As text, with colours.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for network in &self.networks {
            network.render(&mut out);
            out.push('\n');
        }
        for note in &self.notes {
            line(&mut out, 0, &format!("{} {note}", "note:".cyan()));
        }
        let counts = [(self.summary.blocked, "blocked"), (self.summary.unknown, "not known in full"), (self.summary.open, "open")];
        let told: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let last = if told.is_empty() { "No path could be explained".to_owned() } else { told.join(", ") };
        line(&mut out, 0, &format!("{}.", last.bold()));
        out
    }
}

impl NetworkPaths {
    fn render(&self, out: &mut String) {
        let class = format!("class {}, account {}, {}", self.class, self.account, self.region);
        line(out, 0, &format!("{} {}", self.name.bold(), class.dimmed()));
        for problem in &self.problems {
            line(out, 1, &format!("{} {} {}", '!'.style(Style::new().red().bold()), problem.reason.red(), problem.resource.bold()));
            line(out, 2, &problem.message);
        }
        for path in &self.paths {
            Page { path, told: BTreeSet::new(), out }.render();
        }
    }
}

/// One path.
struct Page<'a> {
    path: &'a Report,
    /// Findings and unknowns that stand under a hop already.
    told: BTreeSet<(bool, usize)>,
    out: &'a mut String,
}

impl Page<'_> {
    fn render(&mut self) {
        let path = self.path;
        let verdict = path.verdict;
        line(self.out, 1, &format!("{} {} {}", mark(verdict), path.name.bold(), word(verdict).style(style(verdict))));
        for walk in &path.walks {
            self.walk(walk);
        }
        for (i, finding) in path.findings.iter().enumerate() {
            if !self.told.contains(&(true, i)) {
                line(self.out, 2, &format!("{} {}", mark(State::Blocked), finding.resource));
                self.finding(finding, 4);
            }
        }
        for (i, unknown) in path.unknown.iter().enumerate() {
            if !self.told.contains(&(false, i)) {
                line(self.out, 2, &format!("{} {}", mark(State::Unknown), unknown.resource));
                self.unknown(unknown, 4);
            }
        }
        for warning in &path.warnings {
            line(self.out, 2, &format!("{} {} {}", "!".style(Style::new().yellow().bold()), warning.code.yellow(), warning.resource));
            self.sentences(warning, 4);
        }
    }

    fn walk(&mut self, walk: &Walk) {
        let to = format!("{}:{}", walk.host, walk.port);
        line(self.out, 2, &format!("{to} {}", between(&walk.between).dimmed()));
        let width = walk.out.iter().chain(&walk.back).map(|h| name(h).chars().count()).max().unwrap_or(0);
        for (title, hops) in [("out", &walk.out), ("back", &walk.back)] {
            if hops.is_empty() {
                continue;
            }
            line(self.out, 3, &title.dimmed().to_string());
            for hop in hops {
                self.hop(hop, width);
            }
        }
    }

    fn hop(&mut self, hop: &Hop, width: usize) {
        let (kind, told) = (name(hop), asked(hop));
        let pad = " ".repeat(width.saturating_sub(kind.chars().count()));
        match hop.state {
            State::NotAsked => line(self.out, 4, &format!("{} {}", mark(hop.state), format!("{kind}{pad}  {}", hop.decided).dimmed())),
            State::Open => line(self.out, 4, &format!("{} {kind}{pad}  {}", mark(hop.state), told.dimmed())),
            _ => line(self.out, 4, &format!("{} {}{pad}  {told}", mark(hop.state), kind.style(style(hop.state)))),
        }
        let Some(code) = hop.code else { return };
        let about = |resource: &str| {
            hop.resource == resource || hop.resource.split(", ").any(|r| r == resource) || resource.contains(&hop.resource)
        };
        let finding = |(_, f): &(usize, &Finding)| f.code == code && about(&f.resource);
        let unknown = |(_, u): &(usize, &Unknown)| u.code == code && about(&u.resource);
        let path = self.path;
        for (i, f) in path.findings.iter().enumerate().filter(finding) {
            if self.told.insert((true, i)) {
                self.finding(f, 6);
            } else {
                line(self.out, 6, &format!("{} {}", code.red(), "as above".dimmed()));
            }
        }
        for (i, u) in path.unknown.iter().enumerate().filter(unknown) {
            if self.told.insert((false, i)) {
                self.unknown(u, 6);
            }
        }
    }

    fn finding(&mut self, finding: &Finding, depth: usize) {
        line(self.out, depth, &finding.code.red().to_string());
        self.sentences(finding, depth);
    }

    fn sentences(&mut self, finding: &Finding, depth: usize) {
        line(self.out, depth, &format!("found:  {}", finding.found));
        line(self.out, depth, &format!("needed: {}", finding.needed));
        line(self.out, depth, &format!("fix:    {}", finding.fix.bold()));
        for command in &finding.cli {
            line(self.out, depth + 4, command);
        }
    }

    fn unknown(&mut self, unknown: &Unknown, depth: usize) {
        line(self.out, depth, &format!("{} {}", unknown.code.yellow(), unknown.reason));
    }
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:width$}{text}", "", width = depth * 2);
}

fn mark(state: State) -> impl Display {
    match state {
        State::NotAsked => '·',
        State::Open => '✓',
        State::Unknown => '?',
        State::Blocked => '✗',
    }
    .style(style(state))
    .to_string()
}

fn style(state: State) -> Style {
    match state {
        State::NotAsked => Style::new().dimmed(),
        State::Open => Style::new().green(),
        State::Unknown => Style::new().yellow(),
        State::Blocked => Style::new().red().bold(),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::NotAsked | State::Open => "open",
        State::Unknown => "not known in full",
        State::Blocked => "blocked",
    }
}

/// What the packet asks of a hop, and what decided.
fn asked(hop: &Hop) -> String {
    match &hop.asked {
        Asked::State => hop.decided.to_string(),
        asked => format!("{asked} — {}", hop.decided),
    }
}

/// `network ACL acl-0a1b2c3d`
fn name(hop: &Hop) -> String {
    if hop.resource.is_empty() { kind(hop.kind).to_owned() } else { format!("{} {}", kind(hop.kind), hop.resource) }
}

/// What people call it.
pub(in crate::cli) fn kind(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Host => "host",
        HopKind::Dns => "name",
        HopKind::SecurityGroups => "security groups",
        HopKind::NetworkAcl => "network ACL",
        HopKind::RouteTable => "route table",
        HopKind::Subnet => "subnet",
        HopKind::InternetGateway => "internet gateway",
        HopKind::NatGateway => "NAT gateway",
        HopKind::PeeringConnection => "peering connection",
        HopKind::TransitGateway => "transit gateway",
        HopKind::VpnGateway => "VPN gateway",
        HopKind::NetworkInterface => "network interface",
        HopKind::VpcEndpoint => "VPC endpoint",
        HopKind::Beyond => "beyond",
    }
}

/// `from subnet-a, subnet-b to subnet-c`
fn between(pairs: &[Pair]) -> String {
    let from: BTreeSet<&str> = pairs.iter().map(|p| p.from.as_str()).collect();
    let to: BTreeSet<Option<&str>> = pairs.iter().map(|p| p.to.as_ref().map(|t| t.as_str())).collect();
    let join = |names: Vec<&str>| names.join(", ");
    if from.len() * to.len() == pairs.len() {
        let to: Vec<&str> = to.into_iter().flatten().collect();
        let from = format!("from {}", join(from.into_iter().collect()));
        return if to.is_empty() { from } else { format!("{from} to {}", join(to)) };
    }
    let each: Vec<String> =
        pairs.iter().map(|p| p.to.as_ref().map_or_else(|| p.from.to_string(), |to| format!("{} to {to}", p.from))).collect();
    format!("from {}", each.join(", from "))
}
