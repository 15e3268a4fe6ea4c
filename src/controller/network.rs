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
    cached_network::{CachedNetwork, Unreadable},
    connections,
    context::Context,
    deletion, kubernetes, leadership,
    metrics::Outcome,
    refusals::{failures, hopeless, leave_out, retry},
    registry::Held,
    report::Reporter,
    sites::{self, Sites},
    status::{self, Pass},
    turn::Turn,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass, DmsNetworkStatus,
        conditions::Reason,
        names::{NETWORK_FINALIZER, RECONCILE_REQUESTED_AT},
        network::Mode,
    },
    model::shared,
    plan::{self, Keys, Plan, Problem, Uid, class},
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
    /// The cache is broken.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

impl Error {
    /// Whether the object was written since it was seen, be it by ourselves while the cache is late: the next pass sees how it is now.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Kubernetes(kube::Error::Api(refusal)) if refusal.is_conflict())
    }
}

/// The entry point of kube's controller: one pass, as soon as there is room for it.
pub async fn reconcile(cached: Arc<CachedNetwork>, ctx: Arc<Context>) -> Result<Action, Error> {
    ctx.started.cancelled().await;
    let home = || {
        let (uid, network) = (cached.uid()?, cached.unpacked()?);
        ctx.home(&network, &ctx.registry.latest_status(&uid.into(), &network))
    };
    let class = cached.glance().home.clone().or_else(home);
    let Some(_slot) = ctx.serving.slot(class.as_deref().unwrap_or_default()).await else { return Ok(Action::await_change()) };
    // It may have waited for long. In a box: what waits is small.
    let now = ctx.networks.get(&cached.object_ref()).unwrap_or(cached);
    Box::pin(async move { measured(&now.unpack()?, ctx).await }).await
}

/// One pass, measured, with the network's name on every log line.
async fn measured(network: &DmsNetwork, ctx: Arc<Context>) -> Result<Action, Error> {
    let label = label(network);
    let span = tracing::info_span!("pass", network = %label);
    let started = Instant::now();
    let Some(uid) = network.uid() else { return Ok(Action::await_change()) };
    let uid: Uid = shared(&uid);
    let (term, _in_use) = match ctx.turn(network, &uid).await {
        Turn::Serve(term, in_use) => (Some(term), in_use),
        Turn::StandBy => (None, vec![]),
        Turn::Undecided(again) => return Ok(again.map_or_else(Action::await_change, Action::requeue)),
        Turn::Leave => {
            if ctx.registry.serves(&uid) {
                ctx.forget(&uid);
            }
            tried(network, &uid, &ctx);
            return Ok(Action::await_change());
        }
    };
    let result = match term {
        Some(_) => pass(network, &uid, &ctx).instrument(span.clone()).await,
        None => stand_by(network, &uid, &ctx).instrument(span.clone()).await,
    };
    if term.is_some() && term == ctx.leadership.term() {
        tried(network, &uid, &ctx);
    }
    if matches!(result, Err(Error::Gone)) || is_gone(network, &ctx) {
        // Its end may have been seen before the pass noted what it did.
        ctx.forget(&uid);
    }
    let outcome = match &result {
        Ok((_, outcome)) => *outcome,
        Err(Error::Gone) => Outcome::Idle,
        Err(Error::Kubernetes(refused)) if leadership::is_not_leading(refused) => Outcome::Idle,
        Err(error) if error.is_conflict() => Outcome::Idle,
        Err(Error::Kubernetes(_) | Error::Unreadable(_)) => Outcome::Failed,
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
        Err(Error::Kubernetes(refused)) if leadership::is_not_leading(&refused) => {
            span.in_scope(|| tracing::info!("the pass was cut short: {refused}"));
            // The next term begins with a pass over every network.
            Ok(Action::await_change())
        }
        Err(error) if error.is_conflict() => {
            span.in_scope(|| tracing::debug!(%error, "the network changed meanwhile"));
            Ok(Action::requeue(WAITING))
        }
        Err(error) => {
            span.in_scope(|| tracing::warn!(%error, "pass failed"));
            Err(error)
        }
    }
}

/// Notes that a network was looked at; the last one of an account and Region wakes those that wait to remove something there.
fn tried(network: &DmsNetwork, uid: &Uid, ctx: &Context) {
    let (concerned, all) = ctx.registry.tried(uid, network.meta().generation.unwrap_or_default());
    if all {
        tracing::info!("every network was looked at once: from now on what is given up is removed");
    }
    ctx.wake_all(concerned);
}

/// A replica that stands by plans as the leader does, so that its caches hold what a leader needs, and writes nothing.
async fn stand_by(network: &DmsNetwork, uid: &Uid, ctx: &Context) -> Result<(Action, Outcome), Error> {
    let old = ctx.registry.latest_status(uid, network);
    if network.meta().deletion_timestamp.is_some() {
        return Ok((Action::await_change(), Outcome::Idle));
    }
    let Ok(classes) = resolve(network, &old, ctx) else { return Ok((Action::requeue(IDLE), Outcome::Idle)) };
    let left = sites::left(ctx, &old, &classes);
    if let Ok(sites) = Sites::open(ctx, network, uid, &old, &classes, &left).await {
        ctx.registry.note(uid, network);
        let plans = sites.observe(&old.owned, None).await;
        sites.claim(&plans, Some(&old.owned), &Keys::default());
    }
    Ok((Action::requeue(IDLE), Outcome::Idle))
}

/// A Kubernetes error: again soon, kube's client has retried already.
pub fn on_error(_: Arc<CachedNetwork>, _: &Error, _: Arc<Context>) -> Action {
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
    let classes = match resolve(network, &old, ctx) {
        Ok(classes) => classes,
        Err(problem) => return blind(network, uid, &old, problem, ctx).await,
    };
    let left = sites::left(ctx, &old, &classes);
    let reporter = Reporter { ctx, network, uid };
    kubernetes::add_finalizer(&ctx.api(network), network, NETWORK_FINALIZER).await?;
    let sites = match Sites::open(ctx, network, uid, &old, &classes, &left).await {
        Ok(sites) => sites,
        Err(problem) => return blind(network, uid, &old, problem, ctx).await,
    };
    ctx.registry.note(uid, network);
    // Observe and plan.
    let requested = network.annotations().get(RECONCILE_REQUESTED_AT).cloned();
    let news = old.observed_generation != network.meta().generation || requested.is_some() && requested != old.last_handled_reconcile_at;
    let since = (news && !network.spec.suspend).then(|| ctx.registry.seen(uid, network));
    let mut plans = sites.observe(&old.owned, since).await;
    if network.spec.suspend {
        // Its wants are known to the others, and not applied.
        for plan in &mut plans {
            plan.claim.ledger.clear();
            plan.claim.coming.clear();
        }
        sites.claim(&plans, Some(&old.owned), &Keys::default());
        return Ok((Action::await_change(), Outcome::Idle));
    }
    // What AWS refused is not asked again before its time, whatever wakes the network, unless somebody asks.
    let mut held = if news { Held::default() } else { ctx.registry.held(uid, Instant::now()) };
    // From now on it counts for the others, with all that it still holds: outside the locks nothing is dropped.
    sites.claim(&plans, Some(&old.owned), &hopeless(&held.changes, ctx.registry.in_a_row(uid)));
    let home = classes.first().map(|c| c.name_any()).unwrap_or_default();
    let mode = sites.mode();
    let facts = PassFacts { network, home: &home, requested };
    let mut plan = sites.joined(&plans, &old.owned);
    let (mut done, mut refused, mut drift) = (Vec::new(), Vec::new(), plan.drift.clone());
    let mut status = old.clone();
    // Apply. The locks are held until the new ledger is written: whoever leaves next must see it.
    let mut locked = None;
    if plans.iter().any(|p| !p.locks.is_empty()) || !plan.drift.is_empty() {
        let (confirmed, held_locks) = sites.confirm(&old.owned, plans).await;
        (plans, locked) = (confirmed, Some(held_locks));
        if !news {
            // Somebody may have made room meanwhile.
            held = ctx.registry.held(uid, Instant::now());
        }
        for plan in &mut plans {
            leave_out(&mut plan.changes, &mut held.changes);
        }
        plan = sites.joined(&plans, &old.owned);
        drift.clone_from(&plan.drift);
        if mode == Mode::Enforce && !plan.changes.is_empty() {
            let mut intent = status::before_changes(&status, &facts.pass(&sites, &plans, &plan, &drift, &[]));
            ctx.causes.fill(uid, &mut intent.drift, &old.owned, Instant::now(), Timestamp::now());
            if intent.owned != status.owned || intent.drift != status.drift {
                let (told, written) = (reporter.drift(&status, &intent, &home), reporter.write(&status, intent.clone()));
                status = tokio::join!(told, written).1?;
            }
            sites.claim(&plans, None, &hopeless(&held.changes, ctx.registry.in_a_row(uid)));
            (done, refused) = sites.apply(&plans).await;
            let still = ctx.registry.held(uid, Instant::now()).changes;
            held.changes.retain(|(h, _)| still.iter().any(|(s, _)| s == h));
        }
        let unmet = sites.unmet(&plans);
        plans = sites.observe_again(&status.owned, locked.as_ref()).await;
        plan = sites.joined(&plans, &status.owned);
        plan.unmet |= unmet;
    }
    if !done.is_empty() {
        ctx.registry.test_later(uid);
    }
    if connections::start(&reporter, &sites, &plan, refused.is_empty()).await {
        plans = sites.observe_again(&status.owned, locked.as_ref()).await;
        plan = sites.joined(&plans, &status.owned);
    }
    held.changes.retain(|(c, _)| plan.changes.contains(c));
    let failures = failures(refused.iter().chain(&held.changes));
    // This pass counts too.
    let in_a_row = ctx.registry.in_a_row(uid) + u32::from(refused.iter().any(|(_, f)| f.wait.is_none()));
    sites.claim(&plans, None, &hopeless(refused.iter().chain(&held.changes), in_a_row));
    // Report.
    let mut new = status::of_pass(&status, &facts.pass(&sites, &plans, &plan, &drift, &failures));
    ctx.causes.fill(uid, &mut new.drift, &old.owned, Instant::now(), Timestamp::now());
    reporter.done(&done).await;
    reporter.drift(&status, &new, &home).await;
    reporter.findings(&old, &new).await;
    reporter.write(&status, new).await?;
    Ok(next(uid, &plan, mode, &done, refused, held, ctx))
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
    // AWS was not asked: that is no failure, and comes again when there is a turn for it.
    let (early, refused): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, f)| f.wait.is_some());
    let turn = early.iter().filter_map(|(_, f)| f.wait).max().map(|wait| wait.max(WAITING));
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
        let waits = (!plan.waiting.is_empty()).then_some(WAITING);
        return (Action::requeue([soon, due, turn, waits].into_iter().flatten().min().unwrap_or(WAITING)), Outcome::Failed);
    }
    ctx.registry.failed(uid, false);
    ctx.registry.hold(uid, Held::default());
    if let Some(turn) = turn {
        return (Action::requeue(turn), Outcome::Waiting);
    }
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

/// What a pass knows besides its plan.
struct PassFacts<'a> {
    network: &'a DmsNetwork,
    home: &'a str,
    requested: Option<String>,
}

impl<'a> PassFacts<'a> {
    fn pass(
        &self,
        sites: &Sites<'_>,
        plans: &[Plan],
        plan: &'a Plan,
        drift: &'a [plan::Drift],
        failures: &'a [status::Failure],
    ) -> Pass<'a> {
        Pass {
            plan,
            generation: self.network.meta().generation.unwrap_or_default(),
            mode: sites.mode(),
            withholding: sites.withholding(plans),
            drift,
            failures,
            age: sites.age(plans),
            stale_after: (sites.interval() * 3).max(Duration::from_secs(300)),
            default_class: self.network.spec.class_name.is_none().then(|| self.home.to_owned()),
            classes: sites.records(),
            requested: self.requested.clone(),
            now: Timestamp::now(),
        }
    }
}

/// The network's own class, then those that its databases name; every one must admit its namespace.
fn resolve(network: &DmsNetwork, old: &DmsNetworkStatus, ctx: &Context) -> Result<Vec<Arc<DmsNetworkClass>>, Problem> {
    let known = DmsNetwork { status: Some(old.clone()), ..network.clone() };
    let classes = ctx.classes.state();
    let home = class::choose(&known, classes.iter().map(|c| &**c))?.name_any();
    let mut names = vec![(home, "spec.className".to_owned())];
    for (i, database) in network.spec.databases.iter().enumerate() {
        if let Some(name) = database.class_name.as_ref().filter(|n| !names.iter().any(|(known, _)| known == *n)) {
            names.push((name.clone(), format!("spec.databases[{i}].className")));
        }
    }
    let namespace = network.namespace().unwrap_or_default();
    let labels = ctx.namespace_labels(&namespace);
    let one = |(name, field): (String, String)| {
        let missing = || {
            if let Some(elsewhere) = ctx.elsewhere(&name) {
                return Problem::new(Reason::ShardConflict, &field, elsewhere);
            }
            let message = format!("DmsNetworkClass {name:?} does not exist: create it, or correct className");
            Problem::new(Reason::ReferenceNotFound, &field, message)
        };
        let class = ctx.class(&name).ok_or_else(missing)?;
        class::admit(&class, &namespace, &labels).map_err(|p| Problem { resource: field.clone(), ..p })?;
        Ok(class)
    };
    names.into_iter().map(one).collect()
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
    for (account, claim) in sites::ledger_claims(network, old, false) {
        ctx.wake_all(ctx.registry.claim(&account, uid, network, claim));
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
