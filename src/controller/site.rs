//! One network in one class: plans on its account and Region's picture, and makes changes there.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

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
        network::{DeletionPolicy, Mode},
        status::{ClassRecord, OwnedEntry},
    },
    aws::{self, Account, AwsErrorKind, Store},
    model::{Need, Picture, SecurityGroupId, Tags},
    plan::{self, Change, Elsewhere, GroupRef, Input, Key, Plan, Uid, change::GroupTarget},
};

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
    /// The weaker of the network's mode and the class's.
    pub mode: Mode,
    /// The picture of its account and Region.
    pub store: Arc<Store>,
    /// How old it may get.
    pub interval: Duration,
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
            tags: class.map(|c| c.spec.tags.clone().into()).unwrap_or_default(),
            mode: context::mode(network, class),
            store,
            interval: context::interval(network, class),
            record,
        }
    }
}

impl Site<'_> {
    /// The account and Region, whatever the role.
    pub fn account(&self) -> Account {
        context::account(&self.record)
    }

    /// Plans on `picture`, and on what is known through the network's other classes.
    pub fn plan(&self, ledger: &[OwnedEntry], picture: &Picture, home: &str, elsewhere: &BTreeMap<String, Elsewhere<'_>>) -> Plan {
        let account = self.account();
        let all_tried = self.ctx.registry.all_tried(&self.uid, &account);
        let mut plan = self.ctx.registry.with_claims(&account, |claims| {
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
                account: self.record.account_id.as_deref().unwrap_or_default(),
                home,
                elsewhere,
                guardrails: self.guardrails,
                tags: &self.tags,
                picture,
                claims,
                all_tried,
            })
        });
        self.keep_intentions(ledger, &mut plan);
        self.heard_of(ledger, &plan);
        self.name_requests(&mut plan);
        plan
    }

    /// The ledger names the request for an endpoint before it is sent, and goes on naming one whose effect is waited for: whoever works
    /// from this ledger next must not send another meanwhile.
    fn name_requests(&self, plan: &mut Plan) {
        if self.mode != Mode::Enforce {
            return;
        }
        let Plan { changes, ledger, .. } = plan;
        for change in changes {
            let Change::CreateEndpoint { key, token, .. } = change else { continue };
            let key = key.to_string();
            for entry in ledger.iter_mut().filter(|e| e.key == key) {
                let other = self.ctx.registry.unheard(&self.account()).other(&key, token);
                entry.token = Some(other.unwrap_or_else(|| token.clone()));
            }
        }
    }

    /// An endpoint whose request the ledger names is there: whoever wants another after it need not wait.
    fn heard_of(&self, ledger: &[OwnedEntry], plan: &Plan) {
        for entry in ledger {
            let Some(token) = &entry.token else { continue };
            if plan.ledger.iter().any(|now| now.key == entry.key && now.id.is_some() && now.id != entry.id) {
                self.ctx.registry.unheard(&self.account()).shown(&entry.key, token);
            }
        }
    }

    /// What an earlier process was about to make when it was cut off, and what AWS did not answer for, may still appear: its entry is
    /// not dropped yet, else what appears later would be nobody's.
    fn keep_intentions(&self, ledger: &[OwnedEntry], plan: &mut Plan) {
        let cut_off = self.ctx.began(&self.record.name).elapsed() < CUT_OFF;
        let unheard = self.ctx.registry.unheard(&self.account());
        for entry in ledger.iter().filter(|e| e.id.is_none()) {
            if (cut_off || unheard.may_show(&entry.key)) && plan.ledger.iter().all(|e| e.key != entry.key) {
                let why = if cut_off { "dmsnet was cut off" } else { "AWS did not answer" };
                plan.waiting.push(format!("{} was about to be made when {why}: it may still appear", entry.key));
                plan.keep([entry]);
            }
        }
    }

    /// Puts back what a plan would drop from the ledger.
    pub fn restore(&self, plan: &mut Plan, ledger: &[OwnedEntry]) {
        plan.keep(ledger.iter().filter(|e| e.class == self.record.name));
    }

    fn deletion_policy(&self) -> DeletionPolicy {
        // What a living network gives up is removed; the policy speaks of its end.
        if self.spec.is_some() { DeletionPolicy::Delete } else { self.network.spec.deletion_policy }
    }

    /// Makes the changes of a plan. Returns what was done, and what was refused.
    pub async fn apply(&self, plan: &Plan) -> (Vec<Change>, Vec<(Change, Failure)>) {
        let unheard = self.ctx.registry.unheard(&self.account());
        let named = Some(plan.ledger.iter().filter_map(|e| e.token.as_deref()).collect());
        let context = aws::ApplyContext { owner: &self.ctx.owner, label: &self.label, tags: &self.tags, unheard: &unheard, named };
        let outcome = aws::apply(&self.store, &plan.changes, &context).await;
        let mut failures = Vec::new();
        for (change, error) in &outcome.failed {
            if let (AwsErrorKind::Transient, Some(key)) = (error.kind, change.key()) {
                unheard.missed(&key.to_string());
            }
            if matches!(error.kind, AwsErrorKind::DependencyViolation | AwsErrorKind::NoTurn(_)) {
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
            // A group of ours that has just gone: the next pass looks, and makes it anew.
            AwsErrorKind::NotFound if matches!(change.key(), Some(Key::Rule(GroupRef::OfEndpoint(_), _))) => None,
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
        let wait = if let AwsErrorKind::NoTurn(wait) = error.kind { Some(wait) } else { None };
        Failure { reason, message: error.to_string(), wait }
    }

    /// Names what keeps a group from being deleted. The interfaces of an endpoint that was deleted go by themselves; anything else
    /// of a network that is being deleted waits for somebody to act.
    async fn blocked_group(&self, id: &SecurityGroupId) -> Failure {
        let blocked = self.spec.is_none().then_some(Reason::DeletionBlocked);
        match self.store.interfaces_of(id).await {
            Ok(list) if list.is_empty() => {
                let message = format!("security group {id} cannot be deleted yet: a rule of another group refers to it");
                Failure { reason: blocked, message, wait: None }
            }
            Ok(list) => {
                let names = list.iter().map(|i| format!("{} ({}, {})", i.id, i.description, i.status)).collect::<Vec<_>>();
                let message = format!("security group {id} is still used by network interfaces {}", names.join(", "));
                Failure { reason: blocked.filter(|_| list.iter().any(|i| !i.of_endpoint)), message, wait: None }
            }
            Err(error) => {
                let message = format!("security group {id} is still in use; what uses it could not be read: {error}");
                Failure { reason: None, message, wait: None }
            }
        }
    }
}

/// Whether a plan only adds rules to groups that are there, or puts rules of ours right: what a moment's delay of the read can spoil of
/// it, AWS refuses.
pub fn only_mends_rules(plan: &Plan) -> bool {
    !plan.changes.is_empty() && plan.changes.iter().all(|c| c.rule_made().is_some()) && !plan.locks.contains(plan::RELEASE)
}

/// What must be read afresh before the changes of a plan are made.
pub fn touched(plan: &Plan) -> BTreeSet<Need> {
    let mut narrow = BTreeSet::new();
    let is_managed = |n: &Need| {
        let kind = matches!(n, Need::NetworkAclsOf(_) | Need::NetworkAcl(_) | Need::RouteTablesOf(_) | Need::RouteTable(_));
        kind && plan.fresh.contains(n)
    };
    // What is dropped from the ledger must have been looked for, wherever it was.
    let mut wide = plan.changes.is_empty() || plan.locks.contains(plan::RELEASE);
    for change in &plan.changes {
        match (change, change.key()) {
            (Change::RevokeForeign { group, .. }, _) | (_, Some(Key::Rule(GroupRef::Id(group), _))) => {
                narrow.insert(Need::RulesOf(group.clone()));
            }
            // The group is ours, and may have gone with its rules.
            (Change::CreateRule { group: GroupTarget::Existing(id), .. } | Change::ModifyRule { group: id, .. }, _) => {
                narrow.insert(Need::RulesOf(id.clone()));
                narrow.extend(plan.needs.iter().filter(|n| matches!(n, Need::GroupsOf(_) | Need::Group(_))).cloned());
            }
            (_, Some(Key::AclEntry(..) | Key::Route(..))) => narrow.extend(plan.needs.iter().filter(|n| is_managed(n)).cloned()),
            _ => wide = true,
        }
    }
    if wide {
        let of_aws = |n: &&Need| {
            matches!(n, Need::RulesOf(_) | Need::GroupsOf(_) | Need::Group(_) | Need::EndpointsOf(_) | Need::Endpoint(_)) || is_managed(n)
        };
        narrow.extend(plan.needs.iter().filter(of_aws).cloned());
    }
    narrow
}
