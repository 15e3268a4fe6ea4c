//! One network in one account and Region: plans on the store's picture, reads what plans ask for, makes changes under locks.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{sync::OwnedMutexGuard, time::Instant};

use super::{
    context::{self, Context},
    network::label,
    status::Failure,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass, DmsNetworkSpec,
        class::Guardrails,
        conditions::Reason,
        network::DeletionPolicy,
        status::{ClassRecord, OwnedEntry},
    },
    aws::{self, AwsErrorKind, Scope, Store},
    model::{Need, Picture, SecurityGroupId, Tags},
    plan::{self, Change, Claims, GroupRef, Input, Key, Plan, Uid},
};

/// The most rounds of reading: each adds questions that the answers of the one before raised.
const ROUNDS: usize = 12;

/// How long after a start a call of the process before may still show: it was under way, or reads are late.
const CUT_OFF: Duration = Duration::from_secs(20);

/// See the module.
pub struct Site<'a> {
    /// What all passes share.
    pub ctx: &'a Context,
    /// The network.
    pub network: &'a DmsNetwork,
    /// Its UID.
    pub uid: Uid,
    /// `namespace/name`.
    pub label: String,
    /// What it wants; none while it is being deleted.
    pub spec: Option<&'a DmsNetworkSpec>,
    /// The class, as status keeps it.
    pub record: ClassRecord,
    /// Its guardrails; none where the class is gone.
    pub guardrails: Option<&'a Guardrails>,
    /// The class's tags.
    pub tags: Tags,
    /// The account and Region.
    pub scope: Scope,
    /// The picture of it.
    pub store: Arc<Store>,
    /// How old it may get.
    pub interval: Duration,
}

/// Locks that are held while changes are made, until they are reported.
pub struct Locked {
    /// Whether not all was looked at afresh, such as where AWS refused: then nothing is taken away, and nothing is dropped from
    /// the ledger.
    pub blind: bool,
    names: BTreeSet<String>,
    _guards: Vec<OwnedMutexGuard<()>>,
}

impl<'a> Site<'a> {
    /// A network where `record` says. `spec` is none while it is being deleted, `class` where it is gone.
    pub fn new(
        ctx: &'a Context,
        network: &'a DmsNetwork,
        uid: &Uid,
        spec: Option<&'a DmsNetworkSpec>,
        class: Option<&'a DmsNetworkClass>,
        record: ClassRecord,
        store: Arc<Store>,
    ) -> Self {
        Self {
            ctx,
            network,
            uid: uid.clone(),
            label: label(network),
            spec,
            guardrails: class.map(|c| &c.spec.guardrails),
            tags: class.map(|c| c.spec.tags.clone()).unwrap_or_default(),
            scope: context::scope(&record),
            store,
            interval: context::interval(network, class),
            record,
        }
    }
}

impl Site<'_> {
    /// Plans on what is known now.
    pub fn plan(&self, ledger: &[OwnedEntry]) -> Plan {
        let all_tried = self.ctx.registry.all_tried(&self.uid);
        let input = |picture: &Picture, claims: &Claims| {
            plan::plan(&Input {
                uid: &self.uid,
                label: &self.label,
                created: context::created(self.network),
                spec: self.spec,
                deletion_policy: self.deletion_policy(),
                ledger,
                owner: &self.ctx.owner,
                class: &self.record.name,
                region: &self.record.region,
                guardrails: self.guardrails,
                tags: &self.tags,
                picture,
                claims,
                all_tried,
            })
        };
        let mut plan = self.store.with(|picture| self.ctx.registry.with_claims(&self.scope, |claims| input(picture, claims)));
        if self.ctx.began(&self.record.name).elapsed() < CUT_OFF {
            self.keep_intentions(ledger, &mut plan);
        }
        plan
    }

    /// What an earlier process was about to make when it was cut off may still appear: its entry is not dropped yet, else
    /// what appears later would be nobody's.
    fn keep_intentions(&self, ledger: &[OwnedEntry], plan: &mut Plan) {
        for entry in ledger.iter().filter(|e| e.id.is_none()) {
            if plan.ledger.iter().all(|e| e.key != entry.key) {
                plan.waiting.push(format!("{} was about to be made when dmsnet was cut off: it may still appear", entry.key));
                plan.ledger.push(entry.clone());
            }
        }
        plan.ledger.sort_by(|a, b| a.key.cmp(&b.key));
        plan.claim.ledger = plan.ledger.iter().filter_map(|e| Key::parse(&e.key)).collect();
    }

    fn deletion_policy(&self) -> DeletionPolicy {
        // What a living network gives up is removed; the policy speaks of its end.
        if self.spec.is_some() { DeletionPolicy::Delete } else { self.network.spec.deletion_policy }
    }

    /// Plans, reading what has not been read, or all that is older than `not_older_than`.
    pub async fn observe(&self, ledger: &[OwnedEntry], not_older_than: Option<Instant>) -> Plan {
        let mut asked = BTreeSet::new();
        let mut plan = self.plan(ledger);
        for _ in 0..ROUNDS {
            let known = |need: &Need| need.is_dns() || not_older_than.is_none() || asked.contains(need);
            if !plan.unread && plan.needs.iter().all(known) {
                break;
            }
            self.store.ensure(&plan.needs, not_older_than).await;
            asked.extend(plan.needs.iter().cloned());
            plan = self.plan(ledger);
        }
        self.store.subscribe(&self.uid, plan.needs.clone(), plan.fresh.clone(), self.interval);
        plan
    }

    /// Takes the locks that a plan needs, reads again what it touches, and plans again, until the locks fit the plan and all that
    /// it touches was read since they were taken. What a fresh read shows may touch more: a group that is not ours alone stays,
    /// so that its rules, which would have gone with it, are looked at one by one.
    pub async fn confirm(&self, ledger: &[OwnedEntry], mut plan: Plan) -> (Plan, Locked) {
        const TRIES: usize = 6;
        let mut names = plan.locks.clone();
        let mut locked = self.locked(&names).await;
        let (mut since, mut seen) = (Instant::now(), BTreeSet::new());
        let mut fits = false;
        for _ in 0..TRIES {
            let fresh = touched(&plan);
            self.store.ensure(&fresh, Some(since)).await;
            seen.extend(fresh);
            plan = self.observe(ledger, None).await;
            if !plan.locks.is_subset(&locked.names) {
                names.extend(plan.locks.iter().cloned());
                // All of them anew, in their order: holding some while waiting for others could block both.
                drop(locked);
                locked = self.locked(&names).await;
                (since, seen) = (Instant::now(), BTreeSet::new());
                continue;
            }
            fits = touched(&plan).is_subset(&seen);
            if fits {
                break;
            }
        }
        // Whatever still does not fit waits for the next pass.
        if !fits {
            plan.changes.clear();
            plan.unmet = true;
            plan.waiting.push("other networks work on the same objects".to_owned());
            locked.blind = true;
            restore(&mut plan, ledger);
        }
        // Only what a fresh read shows is taken away.
        let fresh = touched(&plan);
        let unseen = self.store.with(|picture| fresh.iter().any(|n| matches!(picture.asked.get(n), Some(Some(_)))));
        if unseen {
            plan.changes.retain(|c| !c.takes_away());
            locked.blind = true;
            restore(&mut plan, ledger);
        }
        (plan, locked)
    }

    async fn locked(&self, names: &BTreeSet<String>) -> Locked {
        Locked { blind: false, names: names.clone(), _guards: self.ctx.registry.lock(&self.scope, names).await }
    }

    /// Makes the changes of a plan. Returns what was done, and what was refused.
    pub async fn apply(&self, plan: &Plan) -> (Vec<Change>, Vec<(Change, Failure)>) {
        let context = aws::ApplyContext { owner: &self.ctx.owner, label: &self.label, tags: &self.tags };
        let outcome = aws::apply(&self.store, &plan.changes, &context).await;
        let mut failures = Vec::new();
        for (change, error) in &outcome.failed {
            if error.kind == AwsErrorKind::DependencyViolation {
                tracing::info!(%error, change = ?change.describe(), "a change waits");
            } else {
                tracing::warn!(%error, change = ?change.describe(), "AWS refused a change");
            }
            failures.push((change.clone(), self.failure(change, error).await));
        }
        (outcome.done, failures)
    }

    async fn failure(&self, change: &Change, error: &aws::AwsError) -> Failure {
        let reason = match error.kind {
            AwsErrorKind::AccessDenied => Some(Reason::AccessDenied),
            AwsErrorKind::Quota => Some(Reason::QuotaExceeded),
            AwsErrorKind::NotFound => Some(Reason::ReferenceNotFound),
            AwsErrorKind::PrivateDnsConflict => Some(Reason::PrivateDnsConflict),
            // What is there already, and was not seen yet, will be: the next read shows it.
            AwsErrorKind::Duplicate => None,
            // A refusal that is not known is told: it may last.
            AwsErrorKind::Other => Some(Reason::ApplyFailed),
            kind if kind.is_transient() => None,
            _ => Some(Reason::ApplyFailed),
        };
        if let (Change::DeleteGroup { id, .. }, AwsErrorKind::DependencyViolation) = (change, error.kind) {
            return self.blocked_group(id).await;
        }
        Failure { reason, message: error.to_string() }
    }

    /// Names what keeps a group from being deleted. The interfaces of an endpoint that was deleted go by themselves; anything else
    /// of a network that is being deleted waits for somebody to act.
    async fn blocked_group(&self, id: &SecurityGroupId) -> Failure {
        let blocked = self.spec.is_none().then_some(Reason::DeletionBlocked);
        match self.store.interfaces_of(id).await {
            Ok(list) if list.is_empty() => {
                let message = format!("security group {id} cannot be deleted yet: a rule of another group refers to it");
                Failure { reason: blocked, message }
            }
            Ok(list) => {
                let names = list.iter().map(|i| format!("{} ({}, {})", i.id, i.description, i.status)).collect::<Vec<_>>();
                let message = format!("security group {id} is still used by network interfaces {}", names.join(", "));
                Failure { reason: blocked.filter(|_| list.iter().any(|i| !i.of_endpoint)), message }
            }
            Err(error) => {
                Failure { reason: None, message: format!("security group {id} is still in use; what uses it could not be read: {error}") }
            }
        }
    }
}

/// Puts back what a plan would drop from the ledger.
pub fn restore(plan: &mut Plan, ledger: &[OwnedEntry]) {
    let dropped: Vec<OwnedEntry> = ledger.iter().filter(|e| !plan.ledger.iter().any(|p| p.key == e.key)).cloned().collect();
    plan.ledger.extend(dropped);
    plan.ledger.sort_by(|a, b| a.key.cmp(&b.key));
}

/// What must be read afresh before the changes of a plan are made.
fn touched(plan: &Plan) -> BTreeSet<Need> {
    let mut narrow = BTreeSet::new();
    // What is dropped from the ledger must have been looked for, wherever it was.
    let mut wide = plan.changes.is_empty() || plan.locks.contains(plan::RELEASE);
    for change in &plan.changes {
        match (change, change.key()) {
            (Change::RevokeForeign { group, .. }, _) | (_, Some(Key::Rule(GroupRef::Id(group), _))) => {
                narrow.insert(Need::RulesOf(group.clone()));
            }
            _ => wide = true,
        }
    }
    if wide {
        let of_aws =
            |n: &&Need| matches!(n, Need::RulesOf(_) | Need::GroupsOf(_) | Need::Group(_) | Need::EndpointsOf(_) | Need::Endpoint(_));
        narrow.extend(plan.needs.iter().filter(of_aws).cloned());
    }
    narrow
}
