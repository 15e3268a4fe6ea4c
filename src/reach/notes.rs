//! What is collected over all ways of a path: findings once each, in packet order.

use ipnet::IpNet;

use super::{Code, Finding, Remedy, State, Unknown};
use crate::model::{Direction, NetworkAcl, NetworkAclId, Ports, Protocol};

/// Where on a way something was noted: way back or not, and which hop.
pub(super) type Step = (bool, usize);

/// Findings, unknowns and warnings of one path.
#[derive(Default)]
pub(super) struct Notes {
    findings: Vec<(Step, Finding)>,
    unknown: Vec<(Step, Unknown)>,
    warnings: Vec<Finding>,
    numbers: Vec<(NetworkAclId, Direction, u16)>,
}

impl Notes {
    /// Notes what blocks. The same on another way adds what it needs there.
    pub fn finding(&mut self, step: Step, finding: Finding) {
        match self.findings.iter_mut().find(|(_, f)| f.code == finding.code && f.resource == finding.resource) {
            Some((_, known)) => merge(known, finding),
            None => self.findings.push((step, finding)),
        }
    }

    /// Notes what AWS does not show.
    pub fn unknown(&mut self, step: Step, code: Code, resource: String, reason: String) {
        if !self.unknown.iter().any(|(_, u)| u.code == code && u.resource == resource) {
            self.unknown.push((step, Unknown { code, resource, reason }));
        }
    }

    /// Notes what should be known.
    pub fn warning(&mut self, finding: Finding) {
        match self.warnings.iter_mut().find(|w| w.code == finding.code && w.resource == finding.resource) {
            Some(known) => merge(known, finding),
            None => self.warnings.push(finding),
        }
    }

    /// The entry that would open an ACL for packets that `denied` (explicit denies) or nothing stops.
    pub fn acl_entry(&mut self, acl: &NetworkAcl, direction: Direction, ports: Ports, cidr: IpNet, denied: Option<u16>) -> Remedy {
        let same = |r: &&Remedy| matches!(r, Remedy::AddAclEntry { acl: a, direction: d, ports: p, cidr: c, .. } if *a == acl.id && *d == direction && *p == ports && *c == cidr);
        if let Some(known) = self.findings.iter().flat_map(|(_, f)| &f.remedies).find(same) {
            return known.clone();
        }
        let used = |n: u16| {
            acl.entries(direction).any(|e| e.number == n)
                || self.numbers.iter().any(|(a, d, taken)| (a, *d, *taken) == (&acl.id, direction, n))
        };
        let number = match denied {
            Some(deny) => (1..deny).rev().find(|n| !used(*n)),
            None => {
                let last = acl.entries(direction).map(|e| e.number).max().unwrap_or(90);
                (last.saturating_add(10)..=32_766).find(|n| !used(*n)).or_else(|| (1..=32_766).rev().find(|n| !used(*n)))
            }
        };
        match (number, denied) {
            (Some(number), ahead_of) => {
                self.numbers.push((acl.id.clone(), direction, number));
                Remedy::AddAclEntry { acl: acl.id.clone(), direction, number, protocol: Protocol::Tcp, ports, cidr, ahead_of }
            }
            (None, deny) => Remedy::RemoveAclEntry { acl: acl.id.clone(), direction, number: deny.unwrap_or(1) },
        }
    }

    /// All of it in packet order, and the last word.
    pub fn into_parts(mut self) -> (State, Vec<Finding>, Vec<Unknown>, Vec<Finding>) {
        self.findings.sort_by_key(|(step, _)| *step);
        self.unknown.sort_by_key(|(step, _)| *step);
        let verdict = match (self.findings.is_empty(), self.unknown.is_empty()) {
            (false, _) => State::Blocked,
            (true, false) => State::Unknown,
            (true, true) => State::Open,
        };
        let findings = self.findings.into_iter().map(|(_, f)| f).collect();
        (verdict, findings, self.unknown.into_iter().map(|(_, u)| u).collect(), self.warnings)
    }
}

/// Whether two changes want one route to lead to two targets.
fn oppose(a: &Remedy, b: &Remedy) -> bool {
    let route = |r: &Remedy| match r {
        Remedy::AddRoute { table, destination, target } | Remedy::ReplaceRoute { table, destination, target } => {
            Some((table.clone(), destination.clone(), target.clone()))
        }
        _ => None,
    };
    match (route(a), route(b)) {
        (Some(a), Some(b)) => a.0 == b.0 && a.1 == b.1 && a.2 != b.2,
        _ => false,
    }
}

/// Ends the fix of a table that would have to lead to two targets at once.
const OWN_TABLE: &str = "one table cannot do both: give the subnets that differ a route table of their own";

fn merge(known: &mut Finding, more: Finding) {
    let split = known.fix.ends_with(OWN_TABLE);
    if split || known.remedies.iter().any(|a| more.remedies.iter().any(|b| oppose(a, b))) {
        if !split {
            known.fix = format!("{}; {}: {OWN_TABLE}", known.fix, more.fix);
        }
        known.remedies.clear();
        known.cli.clear();
        return;
    }
    for (text, other) in [(&mut known.found, more.found), (&mut known.needed, more.needed), (&mut known.fix, more.fix)] {
        if !text.contains(&other) {
            text.push_str("; ");
            text.push_str(&other);
        }
    }
    for remedy in more.remedies {
        if !known.remedies.contains(&remedy) {
            known.remedies.push(remedy);
        }
    }
    for line in more.cli {
        if !known.cli.contains(&line) {
            known.cli.push(line);
        }
    }
}
