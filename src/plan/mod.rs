//! Spec and facts -> wanted; wanted and actual -> changes and drift. Values in, values out: no client, no clock.

pub mod change;
pub mod claims;
pub mod class;
mod compare;
pub mod connected;
mod covered;
pub mod derive;
pub mod drift;
pub mod evidence;
pub mod facts;
pub mod guardrails;
pub mod key;
mod merge;
pub mod problem;
pub mod proof;
pub mod record;
mod release;
pub mod sharing;
mod sorted;
pub mod view;
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
    model::{Need, Owner, Picture, Tags, shared},
    reach::Report,
};

pub use change::{Action, Change};
pub use claims::{Claim, Claims};
pub use drift::{Drift, DriftKind};
pub use key::{EndpointKey, EndpointRef, GroupRef, Key, Keys};
pub use problem::Problem;
pub use release::LOCK as RELEASE;
pub use sorted::Sorted;
pub use wanted::Uid;
use wanted::{Fingerprint, fingerprint};

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
    /// Name of the class that is planned here.
    pub class: &'a str,
    /// The class's Region.
    pub region: &'a str,
    /// The class's account; empty where it is not known.
    pub account: &'a str,
    /// Name of the network's own class; another than `class` where this one is a database's.
    pub home: &'a str,
    /// The other classes that the network names, by name.
    pub elsewhere: &'a BTreeMap<String, Elsewhere<'a>>,
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

/// Another class of the same network: what is known there decides what is wanted here, and the other way round.
#[derive(Clone, Copy)]
pub struct Elsewhere<'a> {
    /// Its Region.
    pub region: &'a str,
    /// Its account; empty where it is not known.
    pub account: &'a str,
    /// Its guardrails.
    pub guardrails: &'a Guardrails,
    /// What is known there.
    pub picture: &'a Picture,
    /// Whether it means the very account and Region that is planned: then what is wanted there is not given up here.
    pub same_place: bool,
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
    /// Those of them that nobody has to wait for.
    pub later: BTreeSet<Need>,
    /// Whether some of the others were never asked: read, and plan again.
    pub unread: bool,
    /// For status.
    pub replication: Option<ReplicationStatus>,
    /// For status.
    pub databases: Vec<DatabaseStatus>,
    /// DMS's own last connection tests.
    pub connections: connected::Connections,
    /// Each path hop by hop, as AWS now is.
    pub paths: Vec<Report>,
    /// For status.
    pub vpc_endpoints: Vec<VpcEndpointStatus>,
    /// Rules that are as wanted, and rules that are wanted.
    pub rules: (usize, usize),
    /// Names of locks to hold while changing: groups and endpoints that the changes touch.
    pub locks: BTreeSet<String>,
}

impl Plan {
    /// What has to be read before it can be told what is to be done.
    pub fn awaited(&self) -> BTreeSet<Need> {
        self.needs.difference(&self.later).cloned().collect()
    }

    /// These entries stay in the ledger, those that are there already once, and so in what is claimed.
    pub fn keep<'a>(&mut self, entries: impl IntoIterator<Item = &'a OwnedEntry>) {
        let missing: Vec<OwnedEntry> = entries.into_iter().filter(|e| self.ledger.iter().all(|p| p.key != e.key)).cloned().collect();
        if missing.is_empty() {
            return;
        }
        self.ledger.extend(missing);
        self.ledger.sort_by(|a, b| a.key.cmp(&b.key));
        self.claim.ledger = keys_of(&self.ledger);
    }

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
        let others: Vec<(&str, &Elsewhere<'_>, facts::Facts<'_>)> =
            input.elsewhere.iter().map(|(name, e)| (name.as_str(), e, facts::Facts::new(e.picture))).collect();
        let (mut derived, paths) = derived(input, spec, &facts, &others);
        hidden = derived.problems.iter().any(Problem::hides_wants);
        plan.problems = std::mem::take(&mut derived.problems);
        plan.replication = derived.replication;
        plan.databases = derived.databases;
        if input.class == input.home {
            plan.connections = connected::connections(spec, &facts, &mut plan.databases);
        }
        proof::tell(&mut plan.databases, &paths);
        plan.paths = paths;
        let wanted = derived.wanted.remove(input.class).unwrap_or_default();
        guarded = guardrails::guard(wanted, spec, input.class, rails, &facts);
        for (name, other, facts) in others.iter().filter(|(_, e, _)| e.same_place) {
            let wanted = derived.wanted.remove(*name).unwrap_or_default();
            guarded.elsewhere.extend(guardrails::guard(wanted, spec, name, other.guardrails, facts).wanted.keys());
        }
        guarded.wanted.leave_out_covered(input.picture, input.owner);
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
    let comes = |c: &&Change| matches!(c, Change::CreateRule { .. } | Change::ModifyRule { .. });
    plan.claim.coming = plan.changes.iter().filter(comes).filter_map(|c| c.key().cloned()).collect();
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
    plan.claim.ledger = keys_of(&plan.ledger);
    plan.claim.applied = applied(&plan.ledger);
    plan.problems.sort();
    plan.problems.dedup();
    plan.unread = facts.unread();
    plan.later = facts.later();
    (plan.needs, plan.fresh) = facts.into_needs();
    plan
}

/// Derives with all classes of the network in view, and proves the paths.
fn derived(
    input: &Input<'_>,
    spec: &DmsNetworkSpec,
    facts: &facts::Facts<'_>,
    others: &[(&str, &Elsewhere<'_>, facts::Facts<'_>)],
) -> (derive::Derived, Vec<Report>) {
    let here = view::View { class: input.class, region: input.region, account: input.account, facts };
    let there = others.iter().map(|(name, e, facts)| view::View { class: name, region: e.region, account: e.account, facts });
    let (mut home, others): (Vec<_>, Vec<_>) = std::iter::once(here).chain(there).partition(|v| v.class == input.home);
    let Some(home) = home.pop() else {
        let message = format!("DmsNetworkClass {:?}, the network's own, is not known here", input.home);
        let problems = vec![Problem::new(Reason::ReferenceNotFound, "spec.className", message)];
        return (derive::Derived { problems, ..derive::Derived::default() }, vec![]);
    };
    let views = view::Views { home, others };
    let subnets = |share: &wanted::Share| match input.class == input.home {
        true => sharing::unite(input.uid, input.created, input.label, share, None, input.claims).subnets.unwrap_or_default(),
        false => share.subnet_ids().cloned().collect(),
    };
    let others = |endpoint: &EndpointRef| sharing::without(input.uid, endpoint, input.claims);
    let derived = derive::derive(input.label, spec, &views, derive::Joint { owner: input.owner, subnets: &subnets, others: &others });
    let paths = proof::prove(&derived, &views);
    (derived, paths)
}

/// Where a list of what is there could never be read, nothing can be compared: no change is made, no drift is told, and
/// the ledger stays.
fn unseen(input: &Input<'_>, facts: &facts::Facts<'_>, plan: &mut Plan) {
    for (need, failure) in facts.unseen() {
        let (resource, what) = match &need {
            Need::RulesOf(id) => (id.to_string(), "its rules"),
            Need::GroupsOf(id) => (id.to_string(), "its security groups"),
            Need::EndpointsOf(id) => (id.to_string(), "its VPC endpoints"),
            Need::NetworkAclsOf(id) => (id.to_string(), "its network ACLs"),
            Need::NetworkAcl(id) => (id.to_string(), "its entries"),
            Need::RouteTablesOf(id) => (id.to_string(), "its route tables"),
            Need::RouteTable(id) => (id.to_string(), "its routes"),
            _ => continue,
        };
        let reason = if failure.denied { Reason::AccessDenied } else { Reason::Stale };
        let message = format!("{what} could not be read: {}", failure.message);
        if failure.denied {
            // Nobody knows when it may be made.
            plan.claim.coming.clear();
        }
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

/// The keys of entries, but for those that cannot be read.
pub fn keys_of<'a>(entries: impl IntoIterator<Item = &'a OwnedEntry>) -> Keys {
    entries.into_iter().filter_map(|e| Key::parse(&e.key)).collect()
}

/// What a network claims by its ledger alone: it is suspended, or cannot be planned.
pub fn claim_of_ledger(label: &str, created: i64, deleting: bool, ledger: &[OwnedEntry]) -> Claim {
    Claim { name: shared(label), created, deleting, planned: false, ledger: keys_of(ledger), applied: applied(ledger), ..Claim::default() }
}

fn claim(input: &Input<'_>, guarded: &guardrails::Guarded, deleting: bool, planned: bool) -> Claim {
    Claim {
        wants: guarded.wanted.keys().into_iter().collect(),
        withheld: guarded.withheld.keys().into_iter().collect(),
        shares: guarded.wanted.shares.values().cloned().collect(),
        routes: guarded.wanted.routes.values().map(|r| (r.key(), r.target.clone())).collect(),
        planned,
        ..claim_of_ledger(input.label, input.created, deleting, input.ledger)
    }
}

fn applied(ledger: &[OwnedEntry]) -> Vec<(EndpointRef, Fingerprint)> {
    let of = |e: &OwnedEntry| match Key::parse(&e.key)? {
        Key::Endpoint(endpoint) => Some((endpoint, fingerprint(e.want.as_deref()?))),
        _ => None,
    };
    ledger.iter().filter_map(of).collect()
}

/// Authorize before revoke; an endpoint before the group that it uses goes (design.md 2, Order).
fn order(changes: &mut [Change]) {
    let rank = |c: &Change| match c {
        Change::CreateGroup { .. } => 0,
        Change::CreateRule { .. } => 1,
        Change::ModifyRule { .. } => 2,
        Change::CreateAclEntry { .. } => 3,
        Change::ReplaceAclEntry { .. } => 4,
        Change::CreateRoute { .. } => 5,
        Change::ReplaceRoute { .. } => 6,
        Change::Tag { .. } => 7,
        Change::CreateEndpoint { .. } => 8,
        Change::ModifyEndpoint { .. } => 9,
        Change::RevokeForeign { .. } => 10,
        Change::DeleteEndpoint { .. } => 11,
        Change::DeleteRoute { .. } => 12,
        Change::DeleteAclEntry { .. } => 13,
        Change::RevokeRule { .. } => 14,
        Change::DeleteGroup { .. } => 15,
        Change::Untag { .. } => 16,
    };
    // Entries in the order in which AWS asks them, for those who read it.
    let number = |c: &Change| match c {
        Change::CreateAclEntry { acl, number, shape, .. } => Some((acl.clone(), shape.direction, *number)),
        _ => None,
    };
    changes.sort_by_cached_key(|c| (rank(c), number(c)));
}
