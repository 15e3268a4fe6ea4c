//! From what a network says to what it wants: the rules, routes, ACL entries and endpoints that its paths need (domain.md 1).

mod acl;
mod classic_link;
mod endpoint;
mod https;
mod location;
mod on_premises;
mod path;
mod peered;
mod peers;
mod public;
mod replication;
mod route;
mod same_vpc;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    key::EndpointRef,
    problem::Problem,
    sharing::Union,
    view::{View, Views},
    wanted::{Share, Wanted},
};
use crate::{
    api::{
        DmsNetworkSpec,
        conditions::Reason,
        network::Upkeep,
        status::{DatabaseStatus, ReplicationStatus},
    },
    model::{Lookup, Need, Owner, SubnetId, VpcId},
};

pub use location::{Host, Location};
pub use replication::{Replication, ReplicationKind};
pub use service::services_called;

/// What was derived from a spec and the facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derived {
    /// What is wanted, by the name of the class that it is done through.
    pub wanted: BTreeMap<String, Wanted>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// The end that opens connections, where it is known.
    pub near: Option<Replication>,
    /// The databases that are known, in the order of the spec: the other ends of the paths.
    pub far: Vec<Location>,
    /// For status.
    pub replication: Option<ReplicationStatus>,
    /// For status.
    pub databases: Vec<DatabaseStatus>,
}

/// What other networks have to do with what this one wants.
#[derive(Clone, Copy)]
pub struct Joint<'a> {
    /// Under which name we own AWS objects.
    pub owner: &'a Owner,
    /// The subnets that an interface endpoint is to have by the shares of all networks.
    pub subnets: &'a dyn Fn(&Share) -> BTreeSet<SubnetId>,
    /// What other networks want of an endpoint that this one does not ask for.
    pub others: &'a dyn Fn(&EndpointRef) -> Option<Union>,
}

/// Derives what `spec` wants. `label` names the network in rule descriptions.
pub fn derive(label: &str, spec: &DmsNetworkSpec, views: &Views<'_, '_>, joint: Joint<'_>) -> Derived {
    let mut out = Derived::default();
    let mut d = Deriver { label, spec, views, home: views.home, joint, out: &mut out };
    d.unique_names();
    if let Some(replication) = d.replication(&spec.replication) {
        d.out.near = Some(replication.clone());
        for database in &spec.databases {
            d.database(&replication, database);
        }
        d.endpoints(&replication, &spec.vpc_endpoints);
    } else {
        // Keep the other facts fresh all the same: their problems are worth knowing, too.
        for database in &spec.databases {
            d.locate(database);
        }
    }
    out
}

struct Deriver<'a, 'v, 'p> {
    label: &'a str,
    spec: &'a DmsNetworkSpec,
    views: &'a Views<'v, 'p>,
    home: View<'v, 'p>,
    joint: Joint<'a>,
    out: &'a mut Derived,
}

impl<'v, 'p> Deriver<'_, 'v, 'p> {
    fn problem(&mut self, reason: Reason, resource: impl ToString, message: impl Into<String>) {
        self.out.problems.push(Problem::new(reason, resource, message));
    }

    fn invalid(&mut self, resource: impl ToString, message: impl Into<String>) {
        self.problem(Reason::InvalidSpec, resource, message);
    }

    /// What is wanted through a class.
    fn wanted(&mut self, class: &str) -> &mut Wanted {
        self.out.wanted.entry(class.to_owned()).or_default()
    }

    fn manages_routes(&self) -> bool {
        self.spec.routes == Upkeep::Manage
    }

    fn manages_acls(&self) -> bool {
        self.spec.network_acls == Upkeep::Manage
    }

    /// The API server's list-map keys hold this; files on the command line come without it.
    fn unique_names(&mut self) {
        let mut seen = BTreeMap::new();
        for (i, database) in self.spec.databases.iter().enumerate() {
            if let Some(first) = seen.insert(database.name.as_str(), i) {
                let message = format!("two databases are named {:?} (entries {} and {}): rename one", database.name, first + 1, i + 1);
                self.invalid(format!("spec.databases[{i}].name"), message);
            }
        }
        if self.spec.databases.is_empty() {
            self.invalid("spec.databases", "name at least one database");
        }
    }

    /// Turns a failed look-up in the network's own class into a problem that names `what`, and says what to do.
    fn found<'t, T: ?Sized>(&mut self, answer: Lookup<'t, T>, resource: &str, what: &str) -> Option<&'t T> {
        self.found_in(self.home, answer, resource, what)
    }

    /// The same, through any class.
    fn found_in<'t, T: ?Sized>(&mut self, view: View<'_, '_>, answer: Lookup<'t, T>, resource: &str, what: &str) -> Option<&'t T> {
        match answer {
            Lookup::Found(t) => Some(t),
            Lookup::Unread => {
                // The caller reads and derives again; hidden wants must not look like none.
                self.problem(Reason::Progressing, resource, format!("{what} has not been read yet"));
                None
            }
            Lookup::Absent => {
                let mut message = format!("{what} does not exist in {}: check its spelling, the account and the Region", view.region);
                if !self.views.others.is_empty() || view.class != self.home.class {
                    message.push_str(&format!(" (it was looked for through class {:?})", view.class));
                }
                self.problem(Reason::ReferenceNotFound, resource, message);
                None
            }
            Lookup::Unreadable(failure) => {
                let reason = if failure.denied { Reason::AccessDenied } else { Reason::Stale };
                self.problem(reason, resource, format!("{what} could not be read: {}", failure.message));
                None
            }
        }
    }

    /// Whether a list was read: what is in none of its rows is then not there. A problem where it was not.
    fn listed(&mut self, view: View<'_, '_>, need: Need, resource: &str) -> Option<()> {
        let picture = view.facts.picture();
        view.facts.need(need.clone());
        if picture.read.contains(&need) || matches!(picture.asked.get(&need), Some(None)) {
            return Some(());
        }
        let answer = picture.answer::<()>(&need, None);
        self.found_in(view, answer, resource, &need.to_string()).copied()
    }

    /// The VPC's CIDRs, and problems where it is missing.
    fn vpc_cidrs(&mut self, view: View<'_, '_>, vpc: &VpcId, resource: &str) -> Option<Vec<ipnet::IpNet>> {
        let answer = view.facts.vpc(vpc);
        self.found_in(view, answer, resource, &format!("VPC {vpc}")).map(|v| v.cidrs.clone())
    }
}
