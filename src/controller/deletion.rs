//! A network that is being deleted: what it alone holds is removed, then its finalizer goes (design.md 2).

use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{
    context::{self, Context},
    events::{EventReason, enumerate},
    kubernetes,
    metrics::Outcome,
    network::{Error, WAITING, failures, label, retry},
    report::Reporter,
    site::{Site, restore},
    status::Failure,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkStatus,
        conditions::{self, NewCondition, READY, RECONCILING, Reason, Truth},
        names::{ABANDON, NETWORK_FINALIZER},
        network::{DeletionPolicy, Mode},
        status::{ClassRecord, OwnedEntry},
    },
    plan::{Plan, Uid, claim_of_ledger},
};

/// How many passes in a row must have ended in waiting before a network that may be abandoned is let go.
const GIVE_UP: u32 = 5;
/// Why a deletion is not over.
enum Rest {
    /// AWS is at work, or others are to be looked at first.
    Waiting(Vec<String>),
    /// AWS refused something, or cannot be asked.
    Blocked(Vec<Failure>),
}

/// One pass of a deletion.
pub(super) async fn run(network: &DmsNetwork, uid: &Uid, old: &DmsNetworkStatus, ctx: &Context) -> Result<(Action, Outcome), Error> {
    if !network.finalizers().iter().any(|f| f == NETWORK_FINALIZER) {
        ctx.wake_all(ctx.registry.forget(uid));
        return Ok((Action::await_change(), Outcome::Idle));
    }
    let class = network.spec.class_name.as_ref().or(old.default_class.as_ref()).and_then(|name| ctx.class(name));
    // The cache may still show one that we let go: a pass over it would claim for it what others are to remove.
    if !kubernetes::is_there(&ctx.api(network), network).await? {
        return Err(Error::Gone);
    }
    let reporter = Reporter { ctx, network, uid };
    let made: Vec<&OwnedEntry> = old.owned.iter().filter(|e| e.made).collect();
    let hands_off = network.spec.suspend || context::mode(network, class.as_deref()) == Mode::Observe;
    let record = old.classes.first().cloned().or_else(|| class.as_deref().map(|c| context::record(c, None)));
    let (Some(record), false, false) = (record, hands_off, old.owned.is_empty()) else {
        if !made.is_empty() {
            let why = if network.spec.suspend { "suspended" } else { "in mode Observe" };
            reporter.event(EventReason::Retained, format!("the network was {why}; left in AWS: {}", names(&made))).await;
        }
        return end(&reporter).await;
    };
    let mut status = old.clone();
    let rest = match site(network, uid, &record, class.as_deref(), ctx).await {
        Err(failure) => Rest::Blocked(vec![failure]),
        Ok(site) => {
            let plan = site.observe(&old.owned, None).await;
            // Outside the locks nothing is dropped: another that leaves now must see all that this one holds.
            ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, deleting(network, &old.owned)));
            let (plan, locked) = site.confirm(&old.owned, plan).await;
            let (done, refused) = site.apply(&plan).await;
            let failures = failures(&refused);
            let plan = settle(&site, old.owned.clone(), locked.blind).await;
            reporter.done(&done).await;
            if plan.ledger.is_empty() {
                // Under the locks: whoever leaves next sees that this one holds nothing any more.
                if network.spec.deletion_policy == DeletionPolicy::Retain && !made.is_empty() {
                    reporter.event(EventReason::Retained, format!("deletionPolicy Retain; left in AWS: {}", names(&made))).await;
                }
                return end(&reporter).await;
            }
            ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, deleting(network, &plan.ledger)));
            status.owned.clone_from(&plan.ledger);
            rest(&plan, failures)
        }
    };
    let abandon = network.annotations().get(ABANDON).is_some_and(|v| v == "true");
    let (lasting, why) = match &rest {
        Rest::Waiting(what) => (false, enumerate(what)),
        Rest::Blocked(failures) => {
            (failures.iter().any(|f| f.reason.is_some_and(|r| r != Reason::Stale)), enumerate(failures.iter().map(|f| &f.message)))
        }
    };
    let blocked = ctx.registry.failed(uid, abandon || matches!(rest, Rest::Blocked(_)));
    // AWS that is at work, or does not answer, may be done soon: that is no reason to let go at once.
    if abandon && (lasting || blocked >= GIVE_UP) {
        let left: Vec<&OwnedEntry> = status.owned.iter().collect();
        reporter.event(EventReason::Abandoned, format!("left in AWS: {}; because: {why}", names(&left))).await;
        return end(&reporter).await;
    }
    report(&reporter, old, status, &rest).await?;
    let action = match &rest {
        Rest::Waiting(_) => Action::requeue(WAITING),
        Rest::Blocked(failures) => Action::requeue(retry(failures, blocked)),
    };
    Ok((action, Outcome::Waiting))
}

/// Plans until nothing more falls out of the ledger: a group's entry follows those of its rules.
async fn settle(site: &Site<'_>, mut ledger: Vec<OwnedEntry>, blind: bool) -> Plan {
    loop {
        let mut plan = site.observe(&ledger, None).await;
        if blind {
            restore(&mut plan, &ledger);
            plan.waiting.push("what is left could not be looked at afresh; AWS is asked again".to_owned());
        }
        if plan.ledger.len() == ledger.len() {
            return plan;
        }
        ledger.clone_from(&plan.ledger);
    }
}

fn rest(plan: &Plan, failures: Vec<Failure>) -> Rest {
    // A group that its endpoint's interfaces still use is only a matter of time.
    if failures.iter().any(|f| f.reason.is_some()) {
        return Rest::Blocked(failures);
    }
    // What AWS does not show for a while is waited for; what it refuses to show is not.
    let refused = plan.problems.iter().filter(|p| p.reason != Reason::Stale);
    let refused: Vec<Failure> =
        refused.map(|p| Failure { reason: Some(p.reason), message: format!("{}: {}", p.resource, p.message) }).collect();
    if !refused.is_empty() {
        return Rest::Blocked(refused);
    }
    let mut waiting: Vec<String> = failures.into_iter().map(|f| f.message).collect();
    waiting.extend(plan.waiting.iter().cloned());
    if waiting.is_empty() {
        waiting.push(format!("{} AWS objects are still to be removed", plan.ledger.len()));
    }
    Rest::Waiting(waiting)
}

fn deleting(network: &DmsNetwork, ledger: &[OwnedEntry]) -> crate::plan::Claim {
    claim_of_ledger(&label(network), context::created(network), true, ledger)
}

async fn site<'a>(
    network: &'a DmsNetwork,
    uid: &Uid,
    record: &ClassRecord,
    class: Option<&'a crate::api::DmsNetworkClass>,
    ctx: &'a Context,
) -> Result<Site<'a>, Failure> {
    let scope = context::scope(record);
    let store = ctx.stores.get(&scope).await;
    let account = store.account().await.map_err(|error| Failure {
        reason: Some(if error.kind == crate::aws::AwsErrorKind::AccessDenied { Reason::AccessDenied } else { Reason::Stale }),
        message: error.to_string(),
    })?;
    if record.account_id.as_ref().is_some_and(|pinned| *pinned != account) {
        let message = format!(
            "the objects of this network are in account {}, but the credentials now belong to {account}: bring the credentials back",
            record.account_id.as_deref().unwrap_or_default()
        );
        return Err(Failure { reason: Some(Reason::ClassChanged), message });
    }
    // Where the class is gone, or now means another place, its record is what deletion works from.
    let class = class.filter(|c| c.spec.region == record.region && c.spec.endpoint_url == record.endpoint_url);
    Ok(Site::new(ctx, network, uid, None, class, record.clone(), store))
}

/// Lets the network go. Its claims go with the finalizer, before the locks are given back.
async fn end(reporter: &Reporter<'_>) -> Result<(Action, Outcome), Error> {
    let (ctx, network) = (reporter.ctx, reporter.network);
    kubernetes::remove_finalizer(&ctx.api(network), &network.name_any(), network.uid().as_deref(), NETWORK_FINALIZER).await?;
    for store in ctx.stores.all().await {
        store.unsubscribe(reporter.uid);
    }
    ctx.wake_all(ctx.registry.forget(reporter.uid));
    tracing::info!("the network is gone");
    Ok((Action::await_change(), Outcome::Applied))
}

async fn report(reporter: &Reporter<'_>, old: &DmsNetworkStatus, mut status: DmsNetworkStatus, rest: &Rest) -> Result<(), Error> {
    let (reason, message) = match rest {
        Rest::Waiting(what) => (Reason::Deleting, enumerate(what)),
        Rest::Blocked(failures) => {
            let hint = format!("; once nothing helps, the annotation {ABANDON}: \"true\" lets the network go and leaves the objects");
            (
                failures.iter().find_map(|f| f.reason).unwrap_or(Reason::DeletionBlocked),
                enumerate(failures.iter().map(|f| &f.message)) + &hint,
            )
        }
    };
    let generation = reporter.network.meta().generation.unwrap_or_default();
    let condition = |type_, status| NewCondition { type_, status, reason, message: message.clone() };
    let new = vec![condition(READY, Truth::False), condition(RECONCILING, Truth::True)];
    let merged = conditions::merge(&old.conditions, new, generation, Timestamp::now());
    status.conditions.retain(|c| c.type_ != conditions::STALLED && !merged.iter().any(|m| m.type_ == c.type_));
    status.conditions.extend(merged);
    status.observed_generation = Some(generation);
    if matches!(rest, Rest::Blocked(_)) {
        let before = conditions::find(&old.conditions, READY).map(|c| c.message.clone());
        if before.as_deref() != Some(message.as_str()) {
            reporter.event(EventReason::ReconcileFailed, message).await;
        }
    }
    reporter.write(old, status).await?;
    Ok(())
}

fn names(entries: &[&OwnedEntry]) -> String {
    enumerate(entries.iter().map(|e| match &e.id {
        Some(id) => format!("{} ({id})", e.key),
        None => e.key.clone(),
    }))
}
