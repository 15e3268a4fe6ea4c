//! A network that is being deleted: what it alone holds is removed, then its finalizer goes (design.md 2).

use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt, runtime::controller::Action};

use super::{
    context::{self, Context},
    events::{EventReason, enumerate},
    kubernetes,
    metrics::Outcome,
    network::{Error, WAITING},
    refusals::{failures, retry},
    report::Reporter,
    sites::{self, Locked, Sites},
    status::Failure,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkStatus,
        conditions::{self, NewCondition, READY, RECONCILING, Reason, Truth},
        names::{ABANDON, NETWORK_FINALIZER},
        network::{DeletionPolicy, Mode},
        status::OwnedEntry,
    },
    plan::{Plan, Uid},
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
    // The cache may still show one that we let go: a pass over it would claim for it what others are to remove.
    if !kubernetes::is_there(&ctx.api(network), network).await? {
        return Err(Error::Gone);
    }
    let reporter = Reporter { ctx, network, uid };
    let made: Vec<&OwnedEntry> = old.owned.iter().filter(|e| e.made).collect();
    let records = sites::left(ctx, old, &[]);
    // What was made through a class that is now in mode Observe stays.
    let observes = |e: &OwnedEntry| {
        let class = records.iter().find(|(r, _)| r.name == e.class).and_then(|(_, c)| c.as_deref());
        context::mode(network, class) == Mode::Observe
    };
    let (kept, owned): (Vec<OwnedEntry>, Vec<OwnedEntry>) = old.owned.iter().cloned().partition(observes);
    if network.spec.suspend || owned.is_empty() {
        if !made.is_empty() {
            let why = if network.spec.suspend { "suspended" } else { "in mode Observe" };
            reporter.event(EventReason::Retained, format!("the network was {why}; left in AWS: {}", names(&made))).await;
        }
        return end(&reporter).await;
    }
    let mut status = old.clone();
    let leaving = DmsNetworkStatus { owned: owned.clone(), ..old.clone() };
    let (sites, mut unreachable) = Sites::leaving(ctx, network, uid, &leaving, &records).await;
    let plans = sites.observe(&owned, None).await;
    // Outside the locks nothing is dropped: another that leaves now must see all that this one holds.
    for (account, claim) in sites::ledger_claims(network, old, true) {
        ctx.wake_all(ctx.registry.claim(&account, uid, network, claim));
    }
    let (plans, locked) = sites.confirm(&owned, plans).await;
    let (done, refused) = sites.apply(&plans).await;
    let failures = failures(&refused);
    let turn = failures.iter().filter_map(|f| f.wait).max().map(|wait| wait.max(WAITING));
    let plan = settle(&sites, owned, &locked).await;
    reporter.done(&done).await;
    if plan.ledger.is_empty() && unreachable.is_empty() {
        // Under the locks: whoever leaves next sees that this one holds nothing any more.
        let kept: Vec<&OwnedEntry> = kept.iter().filter(|e| e.made).collect();
        if !kept.is_empty() {
            reporter.event(EventReason::Retained, format!("a class was in mode Observe; left in AWS: {}", names(&kept))).await;
        }
        if network.spec.deletion_policy == DeletionPolicy::Retain && made.len() > kept.len() {
            let retained: Vec<&OwnedEntry> = made.iter().filter(|e| !kept.contains(e)).copied().collect();
            reporter.event(EventReason::Retained, format!("deletionPolicy Retain; left in AWS: {}", names(&retained))).await;
        }
        return end(&reporter).await;
    }
    status.owned = plan.ledger.iter().chain(&kept).cloned().collect();
    status.owned.sort_by(|a, b| (&a.key, &a.class).cmp(&(&b.key, &b.class)));
    for (account, claim) in sites::ledger_claims(network, &status, true) {
        ctx.wake_all(ctx.registry.claim(&account, uid, network, claim));
    }
    unreachable.extend(failures);
    let rest = rest(&plan, unreachable);
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
        Rest::Waiting(_) => Action::requeue(turn.unwrap_or(WAITING)),
        Rest::Blocked(failures) => Action::requeue(retry(failures, blocked)),
    };
    Ok((action, Outcome::Waiting))
}

/// Plans until nothing more falls out of the ledger: a group's entry follows those of its rules.
async fn settle(sites: &Sites<'_>, mut ledger: Vec<OwnedEntry>, locked: &Locked) -> Plan {
    loop {
        let plans = sites.observe_again(&ledger, Some(locked)).await;
        let mut plan = sites.joined(&plans, &ledger);
        if locked.blind {
            plan.waiting.push("AWS did not show what is left; it is asked again".to_owned());
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
        refused.map(|p| Failure { reason: Some(p.reason), message: format!("{}: {}", p.resource, p.message), wait: None }).collect();
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
