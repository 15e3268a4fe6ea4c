//! Making it so: apply, read again, plan again, until nothing is left to do, or nothing more can be done.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Member, Session, Site, UNWANTED, no_guardrails, to_leave};
use crate::{
    api::{
        network::{DeletionPolicy, Mode},
        status::PendingChange,
    },
    aws::{self, AwsErrorKind},
    cli::diff::Report,
    model::Tags,
    plan::{Change, Plan, Problem, claim_of_ledger},
};

/// How long AWS may take over what it does by itself, such as deleting an endpoint.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause between looks while AWS is at work.
const PAUSE: Duration = Duration::from_secs(2);
/// Rounds that fail in a row, of what may pass by itself, before we give up.
const TRIES: u32 = 5;
/// Rounds in which something was done: more than this, and something undoes it again.
const ROUNDS: u32 = 20;

/// Told of what happens while it happens.
pub trait Journal {
    /// AWS took a change.
    fn done(&mut self, network: &str, change: &PendingChange);
    /// AWS refused a change.
    fn refused(&mut self, network: &str, change: &PendingChange, error: &str);
    /// AWS is at work.
    fn waiting(&mut self, what: &str);
}

/// A change that AWS refused, and what it said last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `namespace/name`
    pub network: String,
    /// The change.
    pub change: PendingChange,
    /// AWS's words.
    pub error: String,
}

impl Session {
    /// Makes AWS as the files want it. With `prune`, what is ours and wanted by none of them is removed.
    pub async fn apply(&mut self, prune: bool, journal: &mut dyn Journal) -> (Report, Vec<Refusal>) {
        let mut refused = Vec::new();
        self.look_around().await;
        for site in &mut self.sites {
            site.settle(journal, &mut refused).await;
            site.find_unwanted(&mut self.notes).await;
            if prune && refused.is_empty() {
                site.prune(journal, &mut refused, &mut self.notes).await;
            }
        }
        (self.report(prune).await, refused)
    }

    /// Removes what the files want, and carries our owner's tag and no other's.
    pub async fn delete(&mut self, journal: &mut dyn Journal) -> (Report, Vec<Refusal>) {
        let (mut refused, mut hidden) = (Vec::new(), BTreeMap::new());
        self.look_around().await;
        for site in &mut self.sites {
            site.leave(&mut hidden).await;
            site.settle(journal, &mut refused).await;
        }
        let mut report = self.report(false).await;
        for network in &mut report.networks {
            network.problems.extend(hidden.remove(&network.name).unwrap_or_default());
        }
        (report, refused)
    }
}

impl Site {
    /// Every network leaves, with all that it wants and that is there as its ledger.
    /// `hidden`: by label, what hides a part of what it wants.
    async fn leave(&mut self, hidden: &mut BTreeMap<String, Vec<Problem>>) {
        // Removing what we own is always allowed.
        for member in &mut self.members {
            member.guardrails = no_guardrails();
        }
        let plans = self.observe(None).await;
        for (member, plan) in self.members.iter_mut().zip(plans) {
            let blind: Vec<_> = plan.problems.into_iter().filter(Problem::hides_wants).collect();
            if !blind.is_empty() {
                hidden.insert(member.label.clone(), blind);
            }
            member.ledger = self.store.with(|p| plan.ledger.into_iter().filter_map(|e| to_leave(e, p, &self.owner)).collect());
            member.deletion_policy = member.spec.take().map_or(DeletionPolicy::Delete, |s| s.deletion_policy);
        }
        self.claim_ledgers();
    }

    /// What others hold must be known before the first one leaves.
    fn claim_ledgers(&mut self) {
        for member in self.members.iter().filter(|m| m.spec.is_none()) {
            self.claims.put(&member.uid, claim_of_ledger(&member.label, member.created(), true, &member.ledger));
        }
    }

    /// What nobody wants leaves, as a member of its own.
    async fn prune(&mut self, journal: &mut dyn Journal, refused: &mut Vec<Refusal>, notes: &mut Vec<String>) {
        let Some(unwanted) = self.unwanted.as_ref().filter(|list| !list.is_empty()) else { return };
        if let Some(member) = self.members.iter().find(|m| !m.may_write()) {
            let why = if member.suspended { "suspended" } else { "in mode Observe" };
            notes.push(format!("{}: nothing is pruned, since {} is {why}", self.scope, member.label));
            return;
        }
        let Some(first) = self.members.first() else { return };
        let class = first.class.clone();
        let place = self.members.iter().map(|m| m.place).max().unwrap_or_default() + 1;
        self.members.push(Member {
            place,
            uid: UNWANTED.into(),
            label: UNWANTED.to_owned(),
            ledger: unwanted.iter().map(|o| o.entry(&class)).collect(),
            home: class.clone(),
            class,
            others: Vec::new(),
            guardrails: no_guardrails(),
            tags: Tags::new(),
            mode: Mode::Enforce,
            suspended: false,
            spec: None,
            deletion_policy: DeletionPolicy::Delete,
        });
        self.claim_ledgers();
        self.settle(journal, refused).await;
        let left: BTreeSet<String> = self.members.pop().map(|m| m.ledger.into_iter().map(|e| e.key).collect()).unwrap_or_default();
        self.claims.remove(&UNWANTED.into());
        self.unwanted.iter_mut().for_each(|list| list.retain(|o| left.contains(&o.key.to_string())));
    }

    /// Rounds of changes until nothing is left to do, or nothing more can be done. What was refused in the last is noted.
    async fn settle(&mut self, journal: &mut dyn Journal, refused: &mut Vec<Refusal>) {
        let deadline = Instant::now() + PATIENCE;
        let (mut failures, mut tries, mut said) = (Vec::new(), 0, BTreeSet::new());
        for round in 0.. {
            let (done, failed) = self.round(journal).await;
            let passing = failed.iter().all(|(_, kind)| passes(*kind));
            // AWS takes its time over what something still uses: no failure until the deadline.
            let in_use = failed.iter().all(|(_, kind)| *kind == AwsErrorKind::DependencyViolation);
            failures = failed.into_iter().map(|(refusal, _)| refusal).collect();
            let plans = self.observe(Some(Instant::now())).await;
            self.keep_ledgers(&plans);
            let mine = || self.members.iter().zip(&plans).filter(|(m, _)| m.may_write()).map(|(_, p)| p);
            let waiting = mine().any(|p| !p.waiting.is_empty());
            let open = waiting || mine().any(|p| !p.changes.is_empty());
            if !open && passing {
                // The answer was lost, the work was done: a fresh read shows nothing left to do.
                failures.clear();
            }
            tries = if failures.is_empty() || done { 0 } else { tries + 1 };
            let stuck = tries > 0 && !waiting && !in_use && (!passing || tries > TRIES);
            if !open || stuck || Instant::now() > deadline || (done && round > ROUNDS) {
                break;
            }
            let errors = failures.iter().filter(|_| passing).map(|f| &f.error);
            for what in mine().flat_map(|p| &p.waiting).chain(errors) {
                if said.insert(what.clone()) {
                    journal.waiting(what);
                }
            }
            if !done {
                sleep(PAUSE).await;
            }
        }
        for f in &failures {
            journal.refused(&f.network, &f.change, &f.error);
        }
        refused.append(&mut failures);
    }

    /// Each network's changes once. Whether any was made; and what was refused.
    async fn round(&mut self, journal: &mut dyn Journal) -> (bool, Vec<(Refusal, AwsErrorKind)>) {
        let (mut any, mut failed) = (false, Vec::new());
        for i in 0..self.members.len() {
            if !self.members[i].may_write() {
                continue;
            }
            // What the one before it did counts.
            let plans = self.observe(None).await;
            self.keep_ledgers(&plans);
            let (member, plan) = (&self.members[i], &plans[i]);
            if plan.changes.is_empty() {
                continue;
            }
            let (owner, unheard) = (&self.owner, &self.unheard);
            let context = aws::ApplyContext { owner, label: &member.label, tags: &member.tags, unheard, named: None };
            let Some(store) = self.store.store() else { continue };
            let outcome = aws::apply(store, &plan.changes, &context).await;
            for change in outcome.done.iter().map(Change::describe) {
                any = true;
                journal.done(&member.label, &change);
            }
            for (change, error) in outcome.failed {
                let refusal = Refusal { network: member.label.clone(), change: change.describe(), error: error.to_string() };
                failed.push((refusal, error.kind));
            }
        }
        (any, failed)
    }

    /// One that leaves drops what is gone, or what others need.
    fn keep_ledgers(&mut self, plans: &[Plan]) {
        for (member, plan) in self.members.iter_mut().zip(plans).filter(|(m, _)| m.spec.is_none()) {
            member.ledger.clone_from(&plan.ledger);
        }
    }
}

/// Whether trying again may help without anybody's doing.
fn passes(kind: AwsErrorKind) -> bool {
    kind.is_transient() || matches!(kind, AwsErrorKind::DependencyViolation | AwsErrorKind::Duplicate | AwsErrorKind::InvalidState)
}
