//! One pass over one network: resolve, observe, plan, apply, report.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{
    Resource, ResourceExt,
    runtime::{controller::Action, reflector::ObjectRef},
};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    context::{self, Context},
    deletion, kubernetes,
    metrics::Outcome,
    registry::Held,
    report::Reporter,
    site::{Site, restore},
    status::{self, Pass},
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass, DmsNetworkStatus,
        conditions::Reason,
        names::{NETWORK_FINALIZER, RECONCILE_REQUESTED_AT},
        network::Mode,
    },
    plan::{self, Plan, Problem, Uid, class},
};

/// A pass without news comes at the latest after this; changes in AWS wake a network before.
const IDLE: Duration = Duration::from_secs(600);
/// AWS is at work: look again soon.
pub(super) const WAITING: Duration = Duration::from_secs(2);

/// What ends a pass early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Kubernetes refused a read or write; nothing was done in AWS after it.
    #[error("Kubernetes: {0}")]
    Kubernetes(#[from] kube::Error),
    /// The object is gone; there may be another of its name.
    #[error("the object is gone")]
    Gone,
}

/// The entry point of kube's controller: one pass, measured, with the network's name on every log line.
pub async fn reconcile(network: Arc<DmsNetwork>, ctx: Arc<Context>) -> Result<Action, Error> {
    let label = label(&network);
    let span = tracing::info_span!("pass", network = %label);
    let started = Instant::now();
    let Some(uid) = network.uid() else { return Ok(Action::await_change()) };
    let uid: Uid = uid.into();
    ctx.started.cancelled().await;
    let result = pass(&network, &uid, &ctx).instrument(span.clone()).await;
    if ctx.registry.tried(&uid, network.meta().generation.unwrap_or_default()) {
        tracing::info!("every network was looked at once: from now on what is given up is removed");
        ctx.wake_all(ctx.networks.state().iter().map(|n| ObjectRef::from_obj(&**n)));
    }
    if matches!(result, Err(Error::Gone)) || is_gone(&network, &ctx) {
        // Its end may have been seen before the pass noted what it did.
        ctx.forget(&uid);
    }
    let outcome = match &result {
        Ok((_, outcome)) => *outcome,
        Err(Error::Gone) => Outcome::Idle,
        Err(Error::Kubernetes(_)) => Outcome::Failed,
    };
    ctx.metrics.pass(outcome, started.elapsed().as_secs_f64());
    match result {
        Ok((action, outcome)) => {
            span.in_scope(|| tracing::debug!(?outcome, ms = started.elapsed().as_millis(), "pass ended"));
            Ok(action)
        }
        Err(Error::Gone) => {
            span.in_scope(|| tracing::debug!("the network is gone: the pass was late"));
            Ok(Action::await_change())
        }
        Err(error) => {
            span.in_scope(|| tracing::warn!(%error, "pass failed"));
            Err(error)
        }
    }
}

/// A Kubernetes error: again soon, kube's client has retried already.
pub fn on_error(_: Arc<DmsNetwork>, _: &Error, _: Arc<Context>) -> Action {
    Action::requeue(WAITING)
}

/// `namespace/name`.
pub fn label(network: &DmsNetwork) -> String {
    format!("{}/{}", network.namespace().unwrap_or_default(), network.name_any())
}

/// Whether the cache shows no network of this UID any more.
fn is_gone(network: &DmsNetwork, ctx: &Context) -> bool {
    ctx.networks.get(&ObjectRef::from_obj(network)).is_none_or(|now| now.uid() != network.uid())
}

async fn pass(network: &DmsNetwork, uid: &Uid, ctx: &Context) -> Result<(Action, Outcome), Error> {
    let old = ctx.registry.latest_status(uid, network);
    if network.meta().deletion_timestamp.is_some() {
        return deletion::run(network, uid, &old, ctx).await;
    }
    // Resolve.
    let class = match resolve(network, &old, ctx) {
        Ok(class) => class,
        Err(_) if ctx.sharded && !ctx.registry.serves(uid) => return Ok((Action::await_change(), Outcome::Idle)),
        Err(problem) => return blind(network, uid, &old, problem, ctx).await,
    };
    let reporter = Reporter { ctx, network, uid };
    kubernetes::add_finalizer(&ctx.api(network), network, NETWORK_FINALIZER).await?;
    let site = match site(network, uid, &old, &class, ctx).await {
        Ok(site) => site,
        Err(problem) => return blind(network, uid, &old, problem, ctx).await,
    };
    ctx.registry.note(uid, network);
    // Observe and plan.
    let requested = network.annotations().get(RECONCILE_REQUESTED_AT).cloned();
    let news = old.observed_generation != network.meta().generation || requested.is_some() && requested != old.last_handled_reconcile_at;
    let mut plan = site.observe(&old.owned, (news && !network.spec.suspend).then(Instant::now)).await;
    if !network.spec.suspend {
        // From now on it counts for the others, with all that it still holds: outside the locks nothing is dropped.
        let mut claim = plan.claim.clone();
        claim.ledger.extend(plan::claim_of_ledger("", 0, false, &old.owned).ledger);
        ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, claim));
    }
    if network.spec.suspend {
        // Its wants are known to the others, and not applied.
        let held = plan::Claim { ledger: plan::claim_of_ledger(&site.label, 0, false, &old.owned).ledger, ..plan.claim };
        ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, held));
        return Ok((Action::await_change(), Outcome::Idle));
    }
    let mode = context::mode(network, Some(&class));
    let facts = PassFacts { network, class: &class, requested, mode };
    let (mut done, mut refused, mut drift) = (Vec::new(), Vec::new(), plan.drift.clone());
    // What AWS refused is not asked again before its time, whatever wakes the network, unless somebody asks.
    let mut held = if news { Held::default() } else { ctx.registry.held(uid, Instant::now()) };
    let mut status = old.clone();
    // Apply. The locks are held until the new ledger is written: whoever leaves next must see it.
    let mut _locked = None;
    if !plan.locks.is_empty() || !plan.drift.is_empty() {
        let (confirmed, locked) = site.confirm(&old.owned, plan).await;
        (plan, _locked) = (confirmed, Some(locked));
        drift.clone_from(&plan.drift);
        plan.changes.retain(|c| !held.changes.iter().any(|(h, _)| h == c));
        if mode == Mode::Enforce && !plan.changes.is_empty() {
            let mut intent = status::before_changes(&status, &facts.pass(&site, &plan, &drift, &[]));
            ctx.causes.fill(uid, &mut intent.drift, &old.owned, Instant::now(), Timestamp::now());
            if intent.owned != status.owned || intent.drift != status.drift {
                reporter.drift(&status, &intent, &site.record.name).await;
                status = reporter.write(&status, intent).await?;
            }
            ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, plan.claim.clone()));
            (done, refused) = site.apply(&plan).await;
        }
        let unmet = plan.unmet && plan.changes.is_empty() && mode == Mode::Enforce;
        plan = site.observe(&status.owned, None).await;
        plan.unmet |= unmet;
        if _locked.as_ref().is_some_and(|l| l.blind) {
            restore(&mut plan, &status.owned);
        }
    }
    held.changes.retain(|(c, _)| plan.changes.contains(c));
    let failures = failures(refused.iter().chain(&held.changes));
    ctx.wake_all(ctx.registry.claim(&site.scope, uid, network, plan.claim.clone()));
    // Report.
    let mut new = status::of_pass(&status, &facts.pass(&site, &plan, &drift, &failures));
    ctx.causes.fill(uid, &mut new.drift, &old.owned, Instant::now(), Timestamp::now());
    reporter.done(&done).await;
    reporter.drift(&status, &new, &site.record.name).await;
    reporter.findings(&old, &new).await;
    reporter.write(&status, new).await?;
    Ok(next(uid, &plan, mode, &done, refused, held, ctx))
}

/// What AWS refused, each reason once.
pub(super) fn failures<'a>(refused: impl IntoIterator<Item = &'a (plan::Change, status::Failure)>) -> Vec<status::Failure> {
    let mut failures: Vec<_> = refused.into_iter().map(|(_, f)| f.clone()).collect();
    failures.dedup();
    failures
}

/// When the next pass is due, and how this one is counted.
fn next(
    uid: &Uid,
    plan: &Plan,
    mode: Mode,
    done: &[plan::Change],
    refused: Vec<(plan::Change, status::Failure)>,
    mut held: Held,
    ctx: &Context,
) -> (Action, Outcome) {
    let now = Instant::now();
    if !refused.is_empty() || !held.changes.is_empty() {
        let in_a_row = if refused.is_empty() { 0 } else { ctx.registry.failed(uid, true) };
        let (lasting, passing): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, f)| f.reason.is_some());
        if !lasting.is_empty() {
            held.until = Some(now + retry(&failures(&lasting), in_a_row));
            held.changes.extend(lasting);
        }
        let due = held.until.map(|until| until.saturating_duration_since(now));
        ctx.registry.hold(uid, held);
        let soon = (!passing.is_empty()).then(|| retry(&failures(&passing), in_a_row));
        return (Action::requeue(soon.into_iter().chain(due).min().unwrap_or(WAITING)), Outcome::Failed);
    }
    ctx.registry.failed(uid, false);
    ctx.registry.hold(uid, Held::default());
    let pending = plan.vpc_endpoints.iter().any(|e| matches!(e.state.as_deref(), Some("pending" | "deleting")));
    if !plan.waiting.is_empty() || pending || (mode == Mode::Enforce && !plan.changes.is_empty()) {
        return (Action::requeue(WAITING), Outcome::Waiting);
    }
    let outcome = match (plan.problems.is_empty(), done.is_empty()) {
        (false, _) => Outcome::Failed,
        (true, false) => Outcome::Applied,
        (true, true) => Outcome::Idle,
    };
    (Action::requeue(IDLE), outcome)
}

/// Access denied, quota and the like: after a minute, doubling to ten. What passes by itself, or once an object of others is out of
/// the way: from two seconds up to one minute.
pub(super) fn retry(failures: &[status::Failure], in_a_row: u32) -> Duration {
    let passes = failures.iter().all(|f| matches!(f.reason, None | Some(Reason::DeletionBlocked | Reason::Stale)));
    let (first, most) = if passes { (2, 60) } else { (60, 600) };
    let doubled = first << in_a_row.saturating_sub(1).min(8);
    Duration::from_secs(doubled.min(most))
}

/// What a pass knows besides its plan.
struct PassFacts<'a> {
    network: &'a DmsNetwork,
    class: &'a DmsNetworkClass,
    requested: Option<String>,
    mode: Mode,
}

impl<'a> PassFacts<'a> {
    fn pass(&self, site: &Site<'_>, plan: &'a Plan, drift: &'a [plan::Drift], failures: &'a [status::Failure]) -> Pass<'a> {
        Pass {
            plan,
            generation: self.network.meta().generation.unwrap_or_default(),
            mode: self.mode,
            drift,
            failures,
            age: site.store.age(&plan.needs),
            stale_after: (site.interval * 3).max(Duration::from_secs(300)),
            default_class: self.network.spec.class_name.is_none().then(|| self.class.name_any()),
            class: Some(site.record.clone()),
            requested: self.requested.clone(),
            now: Timestamp::now(),
        }
    }
}

fn resolve(network: &DmsNetwork, old: &DmsNetworkStatus, ctx: &Context) -> Result<Arc<DmsNetworkClass>, Problem> {
    let known = DmsNetwork { status: Some(old.clone()), ..network.clone() };
    let classes = ctx.classes.state();
    let name = class::choose(&known, classes.iter().map(|c| &**c))?.name_any();
    let missing = || Problem::new(Reason::ReferenceNotFound, "spec.className", format!("DmsNetworkClass {name:?} does not exist"));
    let class = ctx.class(&name).ok_or_else(missing)?;
    let namespace = network.namespace().unwrap_or_default();
    class::admit(&class, &namespace, &ctx.namespace_labels(&namespace))?;
    Ok(class)
}

async fn site<'a>(
    network: &'a DmsNetwork,
    uid: &Uid,
    old: &DmsNetworkStatus,
    class: &'a DmsNetworkClass,
    ctx: &'a Context,
) -> Result<Site<'a>, Problem> {
    let mut record = context::record(class, None);
    let scope = context::scope(&record);
    let store = ctx.stores.get(&scope).await;
    let account = store.account().await.map_err(|error| {
        let reason = if error.kind == crate::aws::AwsErrorKind::AccessDenied { Reason::AccessDenied } else { Reason::Stale };
        Problem::new(reason, format!("class {:?}", record.name), format!("AWS does not answer for Region {}: {error}", record.region))
    })?;
    ctx.metrics.account(&scope, &account);
    record.account_id = Some(account);
    let pinned = class.status.as_ref().and_then(|s| s.account_id.clone());
    let moved = old.classes.iter().find(|r| r.name == record.name && **r != record);
    if moved.is_some() || pinned.is_some_and(|p| Some(p) != record.account_id) {
        let message = format!(
            "class {:?} now means account {} in {}, but this network holds objects elsewhere: bring the class back, or make the network anew",
            record.name,
            record.account_id.unwrap_or_default(),
            record.region
        );
        return Err(Problem::new(Reason::ClassChanged, "spec.className", message));
    }
    Ok(Site::new(ctx, network, uid, Some(&network.spec), Some(class), record, store))
}

/// A pass that cannot see AWS: what is known stays, the problem is said, and the ledger goes on counting for others.
async fn blind(
    network: &DmsNetwork,
    uid: &Uid,
    old: &DmsNetworkStatus,
    problem: Problem,
    ctx: &Context,
) -> Result<(Action, Outcome), Error> {
    ctx.registry.note(uid, network);
    if let Some(record) = old.classes.first() {
        let claim = plan::claim_of_ledger(&label(network), context::created(network), false, &old.owned);
        ctx.wake_all(ctx.registry.claim(&context::scope(record), uid, network, claim));
    }
    if network.spec.suspend {
        return Ok((Action::await_change(), Outcome::Idle));
    }
    let generation = network.meta().generation.unwrap_or_default();
    let waits = !problem.is_terminal();
    let new = status::of_problem(old, problem, generation, Timestamp::now());
    let reporter = Reporter { ctx, network, uid };
    reporter.findings(old, &new).await;
    reporter.write(old, new).await?;
    // A class or namespace that changes wakes the network; AWS that does not answer is asked again.
    let in_a_row = ctx.registry.failed(uid, true);
    let delay = if waits { Duration::from_secs((5 << in_a_row.min(4)).min(60)) } else { IDLE };
    Ok((Action::requeue(delay), Outcome::Failed))
}
