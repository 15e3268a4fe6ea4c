//! From what a network says to what it wants: the rules and endpoints that its paths need (domain.md 1).

mod database;
mod endpoint;
mod replication;
mod service;

use std::collections::BTreeMap;

use super::{facts::Facts, problem::Problem, wanted::Wanted};
use crate::{
    api::{
        DmsNetworkSpec,
        conditions::Reason,
        status::{DatabaseStatus, ReplicationStatus},
    },
    model::{Lookup, VpcId},
};

pub use replication::Replication;

/// What was derived from a spec and the facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// What is wanted.
    pub wanted: Wanted,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// For status.
    pub replication: Option<ReplicationStatus>,
    /// For status.
    pub databases: Vec<DatabaseStatus>,
}

/// Derives what `spec` wants. `label` names the network in rule descriptions, `region` names AWS services.
pub fn derive(label: &str, spec: &DmsNetworkSpec, region: &str, facts: &Facts<'_>) -> Derived {
    let mut out = Derived::default();
    let mut d = Deriver { label, region, facts, out: &mut out };
    d.unique_names(spec);
    if let Some(replication) = d.replication(&spec.replication) {
        for database in &spec.databases {
            d.database(&replication, database);
        }
        d.endpoints(&replication, &spec.vpc_endpoints);
    } else {
        // Keep the other facts fresh all the same: their problems are worth knowing, too.
        for database in &spec.databases {
            d.located(database);
        }
    }
    out
}

struct Deriver<'a, 'p> {
    label: &'a str,
    region: &'a str,
    facts: &'a Facts<'p>,
    out: &'a mut Derived,
}

impl Deriver<'_, '_> {
    fn problem(&mut self, reason: Reason, resource: impl ToString, message: impl Into<String>) {
        self.out.problems.push(Problem::new(reason, resource, message));
    }

    /// The API server's list-map keys hold this; files on the command line come without it.
    fn unique_names(&mut self, spec: &DmsNetworkSpec) {
        let mut seen = BTreeMap::new();
        for (i, database) in spec.databases.iter().enumerate() {
            if let Some(first) = seen.insert(database.name.as_str(), i) {
                let message = format!("two databases are named {:?} (entries {} and {}): rename one", database.name, first + 1, i + 1);
                self.problem(Reason::InvalidSpec, format!("spec.databases[{i}].name"), message);
            }
        }
        if spec.databases.is_empty() {
            self.problem(Reason::InvalidSpec, "spec.databases", "name at least one database");
        }
    }

    /// Turns a failed look-up into a problem that names `what`, and says what to do.
    fn found<'t, T: ?Sized>(&mut self, answer: Lookup<'t, T>, resource: &str, what: &str) -> Option<&'t T> {
        match answer {
            Lookup::Found(t) => Some(t),
            Lookup::Unread => {
                // The caller reads and derives again; hidden wants must not look like none.
                self.problem(Reason::Progressing, resource, format!("{what} has not been read yet"));
                None
            }
            Lookup::Absent => {
                self.problem(
                    Reason::ReferenceNotFound,
                    resource,
                    format!("{what} does not exist in {}: check its spelling, the account and the Region", self.region),
                );
                None
            }
            Lookup::Unreadable(failure) => {
                let reason = if failure.denied { Reason::AccessDenied } else { Reason::Stale };
                self.problem(reason, resource, format!("{what} could not be read: {}", failure.message));
                None
            }
        }
    }

    /// The VPC's CIDRs, and problems where it is missing.
    fn vpc_cidrs(&mut self, vpc: &VpcId, resource: &str) -> Option<Vec<ipnet::IpNet>> {
        let answer = self.facts.vpc(vpc);
        self.found(answer, resource, &format!("VPC {vpc}")).map(|v| v.cidrs.clone())
    }
}
