//! `explain`: whether each path is open, hop by hop, for people and, as JSON, for programs. Pure: reports in, text out.

mod text;

pub(super) use text::kind;

use serde::Serialize;

use crate::{
    plan::Problem,
    reach::{Report, State},
};

/// What was found of all networks: stable, as `-o json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// One for each network, in the order of the files.
    pub networks: Vec<NetworkPaths>,
    /// Counts.
    pub summary: Summary,
    /// What people should know about how this was found.
    pub notes: Vec<String>,
}

/// The paths of one network.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPaths {
    /// `namespace/name`
    pub name: String,
    /// Name of the class.
    pub class: String,
    /// AWS account.
    pub account: String,
    /// AWS Region.
    pub region: String,
    /// What keeps a path from being explained.
    pub problems: Vec<Problem>,
    /// One for each database, and for each AWS service that DMS must reach.
    pub paths: Vec<Report>,
}

/// How many paths there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Every hop is open.
    pub open: usize,
    /// A hop is not shown by AWS, and none blocks.
    pub unknown: usize,
    /// A hop blocks.
    pub blocked: usize,
}

impl Explanation {
    /// Counts.
    pub fn new(networks: Vec<NetworkPaths>, notes: Vec<String>) -> Self {
        let mut summary = Summary::default();
        for path in networks.iter().flat_map(|n| &n.paths) {
            match path.verdict {
                State::Blocked => summary.blocked += 1,
                State::Unknown => summary.unknown += 1,
                State::Open | State::NotAsked => summary.open += 1,
            }
        }
        Self { networks, summary, notes }
    }

    /// Whether something keeps a path from being explained.
    pub fn has_problems(&self) -> bool {
        self.networks.iter().any(|n| !n.problems.is_empty())
    }
}

#[cfg(test)]
pub(super) mod tests;
