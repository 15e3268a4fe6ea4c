//! Spec and facts -> wanted; wanted and actual -> changes and drift. Values in, values out: no client, no clock.

pub mod change;
pub mod claims;
pub mod class;
mod compare;
pub mod connected;
pub mod derive;
pub mod drift;
pub mod evidence;
pub mod facts;
pub mod guardrails;
pub mod key;
pub mod problem;
mod release;
pub mod sharing;
pub mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    api::{
        DmsNetworkSpec,
        class::Guardrails,
        conditions::Reason,
        network::{DeletionPolicy, ForeignRules},
        status::{DatabaseStatus, ForeignRule, OwnedEntry, PendingChange, ReplicationStatus, VpcEndpointStatus},
    },
    model::{Need, Owner, Picture, Tags},
};

pub use change::{Action, Change};
pub use claims::{Claim, Claims};
pub use drift::{Drift, DriftKind};
pub use key::{EndpointKey, EndpointRef, GroupRef, Key};
pub use problem::Problem;
pub use release::LOCK as RELEASE;
pub use wanted::Uid;

/// All that a plan depends on.
pub struct Input<'a> {
    /// Unique name of the network.
    pub uid: &'a Uid,
    /// `namespace/name`.
    pub label: &'a str,
    /// Creation time in seconds since 1970.
    pub created: i64,
    /// What the user wants; none for a network that is being deleted.
    pub spec: Option<&'a DmsNetworkSpec>,
    /// What becomes of what is given up.
    pub deletion_policy: DeletionPolicy,
    /// The ledger of this class's account and Region.
    pub ledger: &'a [OwnedEntry],
    /// Under which name we own AWS objects.
    pub owner: &'a Owner,
    /// Name of the class.
    pub class: &'a str,
    /// The class's Region.
    pub region: &'a str,
    /// The class's guardrails; none where the class is gone: then only removal is possible.
    pub guardrails: Option<&'a Guardrails>,
    /// Tags for what we create.
    pub tags: &'a Tags,
    /// What is known of AWS.
    pub picture: &'a Picture,
    /// What all networks of this account and Region want and hold.
    pub claims: &'a Claims,
    /// Whether every one of them was tried once: before that, nothing is removed or revoked.
    pub all_tried: bool,
}

/// What is to be done, and what is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Changes in the order in which they are made: authorize before revoke, delete last and in reverse.
    pub changes: Vec<Change>,
    /// What was changed behind our back.
    pub drift: Vec<Drift>,
    /// The ledger as AWS now is: entries of all that is wanted or still held. An intention has neither `id` nor `want`.
    pub ledger: Vec<OwnedEntry>,
    /// What stands in the way.
    pub problems: Vec<Problem>,
    /// Whether something wanted is not there and is in no change: it is on its way, or must be looked at again first.
    pub unmet: bool,
    /// What is being waited for, in words: AWS is at work.
    pub waiting: Vec<String>,
    /// What would be created if no guardrail were in the way.
    pub withheld: Vec<PendingChange>,
    /// Rules of others on managed ports.
    pub foreign: Vec<ForeignRule>,
    /// What the network claims, for the others.
    pub claim: Claim,
    /// Every question that was asked of AWS.
    pub needs: BTreeSet<Need>,
    /// Those of them whose answers must not grow older than the interval, though their kind is slow.
    pub fresh: BTreeSet<Need>,
    /// Whether some of them were never asked: read, and plan again.
    pub unread: bool,
    /// For status.
    pub replication: Option<ReplicationStatus>,
    /// For status.
    pub databases: Vec<DatabaseStatus>,
    /// DMS's own last connection tests.
    pub connections: connected::Connections,
    /// For status.
    pub vpc_endpoints: Vec<VpcEndpointStatus>,
    /// Rules that are as wanted, and rules that are wanted.
    pub rules: (usize, usize),
    /// Names of locks to hold while changing: groups and endpoints that the changes touch.
    pub locks: BTreeSet<String>,
}

impl Plan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Plans one network in one account and Region.
pub fn plan(input: &Input<'_>) -> Plan {
    let facts = facts::Facts::new(input.picture);
    let mut plan = Plan::default();
    let mut guarded = guardrails::Guarded::default();
    let mut hidden = false;
    if let (Some(spec), Some(rails)) = (input.spec, input.guardrails) {
        let derived = derive::derive(input.label, spec, input.region, &facts);
        hidden = derived.problems.iter().any(Problem::hides_wants);
        plan.problems = derived.problems;
        plan.replication = derived.replication;
        plan.databases = derived.databases;
        plan.connections = connected::connections(spec, &facts, &mut plan.databases);
        guarded = guardrails::guard(derived.wanted, spec.foreign_rules, input.class, rails, &facts);
        plan.problems.append(&mut guarded.violations);
    }
    let deleting = input.spec.is_none();
    plan.claim = claim(input, &guarded, deleting, !hidden);
    let mut compare = compare::Compare::new(input, &facts, &guarded, &mut plan);
    compare.wanted();
    compare.withheld();
    if guarded.foreign_rules > ForeignRules::Ignore {
        compare.foreign(!hidden);
    }
    // What looks unwanted may only be hidden by a problem: then nothing is given up.
    compare.unwanted(!hidden);
    unseen(input, &facts, &mut plan);
    for (need, failure) in facts.denied() {
        if !plan.problems.iter().any(|p| p.message.contains(&failure.message)) {
            let message = format!("could not be read again, so what was known of it is used: {}", failure.message);
            plan.problems.push(Problem::new(Reason::AccessDenied, &need, message));
        }
    }
    order(&mut plan.changes);
    plan.ledger.sort_by(|a, b| a.key.cmp(&b.key));
    plan.ledger.dedup_by(|a, b| a.key == b.key);
    plan.claim.ledger = plan.ledger.iter().filter_map(|e| Key::parse(&e.key)).collect();
    plan.claim.applied = applied(&plan.ledger);
    plan.problems.sort();
    plan.problems.dedup();
    plan.unread = facts.unread();
    (plan.needs, plan.fresh) = facts.into_needs();
    plan
}

/// Where a list of what is there could never be read, nothing can be compared: no change is made, no drift is told, and
/// the ledger stays.
fn unseen(input: &Input<'_>, facts: &facts::Facts<'_>, plan: &mut Plan) {
    for (need, failure) in facts.unseen() {
        let (resource, what) = match &need {
            Need::RulesOf(id) => (id.to_string(), "its rules"),
            Need::GroupsOf(id) => (id.to_string(), "its security groups"),
            Need::EndpointsOf(id) => (id.to_string(), "its VPC endpoints"),
            _ => continue,
        };
        let reason = if failure.denied { Reason::AccessDenied } else { Reason::Stale };
        let message = format!("{what} could not be read: {}", failure.message);
        if input.spec.is_none() {
            plan.waiting.push(format!("{resource}: {message}"));
        }
        plan.problems.push(Problem::new(reason, resource, message));
        plan.changes.clear();
        plan.drift.clear();
        plan.foreign.clear();
        plan.ledger = input.ledger.to_vec();
    }
}

/// What a network claims by its ledger alone: it is suspended, or cannot be planned.
pub fn claim_of_ledger(label: &str, created: i64, deleting: bool, ledger: &[OwnedEntry]) -> Claim {
    Claim {
        name: label.to_owned(),
        created,
        deleting,
        planned: false,
        ledger: ledger.iter().filter_map(|e| Key::parse(&e.key)).collect(),
        applied: applied(ledger),
        ..Claim::default()
    }
}

fn claim(input: &Input<'_>, guarded: &guardrails::Guarded, deleting: bool, planned: bool) -> Claim {
    Claim {
        wants: guarded.wanted.keys(),
        withheld: guarded.withheld.keys(),
        shares: guarded.wanted.shares.clone(),
        planned,
        ..claim_of_ledger(input.label, input.created, deleting, input.ledger)
    }
}

fn applied(ledger: &[OwnedEntry]) -> BTreeMap<EndpointRef, String> {
    let of = |e: &OwnedEntry| match Key::parse(&e.key)? {
        Key::Endpoint(endpoint) => Some((endpoint, e.want.clone()?)),
        _ => None,
    };
    ledger.iter().filter_map(of).collect()
}

/// Authorize before revoke; an endpoint before the group that it uses goes (design.md 2, Order).
fn order(changes: &mut [Change]) {
    changes.sort_by_key(|c| match c {
        Change::CreateGroup { .. } => 0,
        Change::CreateRule { .. } => 1,
        Change::ModifyRule { .. } => 2,
        Change::Tag { .. } => 3,
        Change::CreateEndpoint { .. } => 4,
        Change::ModifyEndpoint { .. } => 5,
        Change::RevokeForeign { .. } => 6,
        Change::DeleteEndpoint { .. } => 7,
        Change::RevokeRule { .. } => 8,
        Change::DeleteGroup { .. } => 9,
        Change::Untag { .. } => 10,
    });
}
