//! Classes: which shard serves them, credentials that work, the account that they belong to, and a finalizer while a network uses the
//! class.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{Api, Resource, ResourceExt, api::ListParams, runtime::controller::Action};

use super::{
    cached_network::CachedNetwork,
    context::{self, Context},
    kubernetes,
    lead::inherited,
    leadership,
    lease::jittered,
    network::Error,
    run::counted,
    shards::{self, Standing, View},
};
use crate::{
    api::{
        DmsNetworkClass, DmsNetworkClassStatus,
        conditions::{self, NewCondition, READY, Reason, Truth},
        names::CLASS_FINALIZER,
    },
    aws::AwsErrorKind,
};

/// A class that works is looked at this often, one that does not more often.
const WORKING: Duration = Duration::from_secs(300);
/// See [`WORKING`].
const BROKEN: Duration = Duration::from_secs(15);
/// How often it is looked whether another shard has let go.
const HELD: Duration = Duration::from_secs(5);
/// Tries to let a class go at the end.
const TRIES: usize = 3;

/// One pass over a class.
pub async fn reconcile(class: Arc<DmsNetworkClass>, ctx: Arc<Context>) -> Result<Action, Error> {
    ctx.started.cancelled().await;
    if ctx.leadership.term().is_none() {
        return Ok(Action::await_change());
    }
    let name = class.name_any();
    let classes = ctx.classes.state();
    match standing(&class, classes.iter().map(|c| &**c), &ctx).await? {
        Standing::Foreign => {
            stop(&name, &ctx).await;
            Ok(Action::await_change())
        }
        Standing::LetGo => {
            stop(&name, &ctx).await;
            write(&class, &DmsNetworkClassStatus { shard: None, ..class.status.clone().unwrap_or_default() }, &ctx).await?;
            tracing::info!(class = name, "the class is not selected any more: it is let go");
            Ok(Action::await_change())
        }
        Standing::Wait { shard } => {
            stop(&name, &ctx).await;
            if ctx.serving.is_news(&name, shard) {
                tracing::info!(class = name, shard, "another shard serves the class: it is taken once that one lets go or is gone");
            }
            Ok(Action::requeue(HELD))
        }
        Standing::Conflict { class: other, shard } => conflict(&class, other, shard, &ctx).await,
        Standing::Serve => serve(&class, &ctx).await,
    }
}

/// See the network's.
pub fn on_error(_: Arc<DmsNetworkClass>, error: &Error, _: Arc<Context>) -> Action {
    match error {
        error if error.is_conflict() => tracing::debug!(%error, "class changed meanwhile"),
        Error::Kubernetes(refused) if leadership::is_not_leading(refused) => tracing::debug!(%error, "pass over a class was too late"),
        error => tracing::warn!(%error, "pass over a class failed"),
    }
    Action::requeue(Duration::from_secs(2))
}

/// Whether a network uses a class: it or one of its databases names it, it took it by default, or holds objects made through it.
pub fn uses(network: &CachedNetwork, class: &str, ctx: &Context) -> bool {
    let own = || network.uid().is_some_and(|uid| ctx.registry.own_classes(&uid.into(), network).contains(class));
    network.glance().classes.contains(class) || own()
}

/// Whether a class is left alone since another shard serves its account and Region.
pub fn is_refused(class: &DmsNetworkClass) -> bool {
    let ready = class.status.as_ref().and_then(|s| conditions::find(&s.conditions, READY));
    ready.is_some_and(|c| c.reason == Reason::ShardConflict.to_string())
}

/// Lets all classes go at the end, so that whoever comes next need not wait.
pub async fn let_all_go(ctx: &Context) {
    let api: Api<DmsNetworkClass> = Api::all(ctx.client.clone());
    for name in ctx.serving.all() {
        ctx.serving.stop(&name).await;
        for _ in 0..TRIES {
            let Ok(Some(class)) = api.get_opt(&name).await else { break };
            if shards::shard(&class) != Some(&ctx.serving.shard) {
                break;
            }
            let status = DmsNetworkClassStatus { shard: None, ..class.status.clone().unwrap_or_default() };
            match write(&class, &status, ctx).await {
                Err(error) if error.is_conflict() => {}
                Err(error) => {
                    tracing::warn!(%error, class = name, "the class could not be let go");
                    break;
                }
                Ok(()) => break,
            }
        }
    }
}

/// What this shard does about a class, with a look at the Leases that it depends on.
async fn standing<'a>(
    class: &'a DmsNetworkClass,
    all: impl IntoIterator<Item = &'a DmsNetworkClass>,
    ctx: &Context,
) -> Result<Standing<'a>, Error> {
    let (view, others, me) = (View::of(class), shards::views(all, &class.name_any()), ctx.serving.shard.as_str());
    let selected = ctx.serving.selects(class);
    let mut at_work = BTreeSet::new();
    if selected {
        for shard in shards::rivals(&view, &others, me) {
            if ctx.others.may_be_at_work(&shard).await? {
                at_work.insert(shard);
            }
        }
    }
    let settled = ctx.serving.account(view.name).is_some_and(|account| Some(account.as_str()) == view.account);
    Ok(shards::standing(&view, &others, me, selected, settled, &at_work))
}

async fn serve(class: &DmsNetworkClass, ctx: &Arc<Context>) -> Result<Action, Error> {
    let name = class.name_any();
    let api: Api<DmsNetworkClass> = Api::all(ctx.client.clone());
    let users = ctx.networks.all().iter().filter(|n| uses(n, &name, ctx)).count();
    if class.meta().deletion_timestamp.is_some() && users == 0 {
        kubernetes::remove_finalizer(&api, &name, class.uid().as_deref(), CLASS_FINALIZER).await?;
        return Ok(Action::await_change());
    }
    if class.meta().deletion_timestamp.is_none() {
        if users > 0 {
            kubernetes::add_finalizer(&api, class, CLASS_FINALIZER).await?;
        } else {
            kubernetes::remove_finalizer(&api, &name, class.uid().as_deref(), CLASS_FINALIZER).await?;
        }
    }
    // It may name another queue than before.
    ctx.queues.look();
    let (status, works) = status(class, users, ctx).await;
    let taken = (shards::shard(class), &status.account_id) == (Some(&ctx.serving.shard), &View::of(class).account.map(str::to_owned));
    if class.status.as_ref() != Some(&status) {
        write(class, &status, ctx).await?;
    }
    if !taken {
        // The next pass sees that it is ours, and whether somebody else came at the same time.
        return Ok(Action::requeue(HELD));
    }
    if ctx.serving.since(&name).is_none() || ctx.serving.account(&name) != status.account_id {
        // Ours was written before this list was read: of two shards that take classes of one account, one at least sees the other.
        let now = api.list(&ListParams::default()).await?;
        if let Standing::Conflict { class: other, shard } = standing(class, &now.items, ctx).await? {
            let (other, shard) = (other.to_owned(), shard.to_owned());
            return conflict(class, &other, &shard, ctx).await;
        }
        begin(class, status.account_id.as_deref(), ctx);
    }
    Ok(Action::requeue(if works { WORKING } else { BROKEN }))
}

/// From now on the networks of a class are served. What they hold counts, and nothing is removed in their account before each was
/// looked at.
fn begin(class: &DmsNetworkClass, account: Option<&str>, ctx: &Arc<Context>) {
    let (name, view) = (class.name_any(), View::of(class));
    let classes = ctx.classes.state();
    let beside = classes.iter().filter(|c| ctx.serving.selects(c) && (c.name_any() == name || View::of(c).same_place(&view)));
    let beside: BTreeSet<String> = beside.map(|c| c.name_any()).collect();
    let networks = ctx.networks.all();
    for cached in networks.iter().filter(|n| beside.iter().any(|c| uses(n, c, ctx))) {
        let Some(network) = cached.unpacked() else { continue };
        ctx.registry.again(&network, ctx.places(&network));
        if uses(cached, &name, ctx) {
            counted(ctx, &network);
            inherited(ctx, &network);
        }
    }
    if ctx.serving.add(&name, account) {
        tracing::info!(class = name, shard = ctx.serving.shard, "the class is served");
        ctx.queues.look();
    }
    // Read anew: the pass of one that came meanwhile found nobody who serves it, and waits to be woken.
    let networks = ctx.networks.all();
    ctx.wake_all(networks.iter().filter(|n| beside.iter().any(|c| uses(n, c, ctx))).map(|n| n.object_ref()));
}

/// From now on the networks of a class are not served; passes under way have ended.
async fn stop(name: &str, ctx: &Arc<Context>) {
    if ctx.serving.since(name).is_none() {
        return;
    }
    ctx.serving.stop(name).await;
    ctx.queues.look();
    for network in ctx.networks.all().iter().filter_map(|n| n.unpacked()) {
        let Some(uid) = network.uid() else { continue };
        let uid = uid.into();
        let status = ctx.registry.latest_status(&uid, &network);
        if ctx.home(&network, &status).as_deref() == Some(name) {
            ctx.forget(&uid);
        }
    }
}

async fn conflict(class: &DmsNetworkClass, other: &str, shard: &str, ctx: &Arc<Context>) -> Result<Action, Error> {
    let name = class.name_any();
    stop(&name, ctx).await;
    let old = class.status.clone().unwrap_or_default();
    let generation = class.meta().generation.unwrap_or_default();
    let message = format!(
        "shard {shard:?} serves class {other:?} of the same account and Region, so shard {:?} leaves this one alone: give both classes to one shard",
        ctx.serving.shard
    );
    let new = vec![NewCondition { type_: READY, status: Truth::False, reason: Reason::ShardConflict, message: message.clone() }];
    let conditions = conditions::merge(&old.conditions, new, generation, Timestamp::now());
    let status = DmsNetworkClassStatus { shard: None, observed_generation: Some(generation), conditions, ..old };
    if class.status.as_ref() != Some(&status) {
        tracing::warn!(class = name, "{message}");
        write(class, &status, ctx).await?;
    }
    // By chance a little later: two that came at once must not come at once again.
    Ok(Action::requeue(jittered(HELD)))
}

/// Writes the status, unless the class has changed since: of two shards that take it, one does. Nothing where it is gone.
async fn write(class: &DmsNetworkClass, status: &DmsNetworkClassStatus, ctx: &Context) -> Result<(), Error> {
    let api: Api<DmsNetworkClass> = Api::all(ctx.client.clone());
    kubernetes::write_status_unchanged(&api, class, status).await?;
    Ok(())
}

async fn status(class: &DmsNetworkClass, users: usize, ctx: &Context) -> (DmsNetworkClassStatus, bool) {
    let old = class.status.clone().unwrap_or_default();
    let scope = context::scope(&context::record(class, None));
    let region = &class.spec.region;
    let answer = ctx.stores.get(&scope).await.account().await;
    let (truth, reason, message, account) = match (answer, &old.account_id) {
        (Ok(account), pinned) if class.spec.account_id.as_ref().is_some_and(|written| *written != account) => {
            let message = format!(
                "the credentials belong to account {account}, but accountId says {}: nothing is read or written; correct accountId, assumeRole or the credentials",
                class.spec.account_id.as_deref().unwrap_or_default()
            );
            (Truth::False, Reason::ClassChanged, message, pinned.clone())
        }
        (Ok(account), Some(pinned)) if account != *pinned => {
            let message = format!(
                "the credentials now belong to account {account}, but this class stands for {pinned}: bring them back, or make a new class"
            );
            (Truth::False, Reason::ClassChanged, message, Some(pinned.clone()))
        }
        (Ok(account), _) => match class.spec.change_queue.as_ref().and_then(|q| ctx.queues.trouble(&q.url)) {
            Some(trouble) => (Truth::False, Reason::ChangeQueueUnavailable, trouble, Some(account)),
            None => (Truth::True, Reason::Ready, format!("AWS answers for account {account} in {region}"), Some(account)),
        },
        (Err(error), pinned) => {
            let reason = if error.kind == AwsErrorKind::AccessDenied { Reason::AccessDenied } else { Reason::AwsUnreachable };
            let place = class.spec.endpoint_url.as_ref().map(|u| format!(" at {u}")).unwrap_or_default();
            let role = class.spec.assume_role.as_ref().map(|r| format!(" as {}", r.role_arn)).unwrap_or_default();
            let what =
                if role.is_empty() { "region, endpointUrl and the credentials" } else { "region, assumeRole and whom the role trusts" };
            let message = format!("AWS does not answer for Region {region:?}{place}{role}: {error}; check {what}");
            (Truth::False, reason, message, pinned.clone())
        }
    };
    let generation = class.meta().generation.unwrap_or_default();
    let new = vec![NewCondition { type_: READY, status: truth, reason, message }];
    let status = DmsNetworkClassStatus {
        account_id: account,
        observed_generation: Some(generation),
        networks: Some(i64::try_from(users).unwrap_or(i64::MAX)),
        shard: Some(ctx.serving.shard.clone()),
        conditions: conditions::merge(&old.conditions, new, generation, Timestamp::now()),
    };
    (status, truth == Truth::True)
}

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
