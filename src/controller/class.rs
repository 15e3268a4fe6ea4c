//! Classes: credentials that work, the account that they belong to, and a finalizer while a network uses the class.

use std::{sync::Arc, time::Duration};

use k8s_openapi::jiff::Timestamp;
use kube::{Api, Resource, ResourceExt, runtime::controller::Action};

use super::{
    context::{self, Context},
    kubernetes,
    network::Error,
};
use crate::{
    api::{
        DmsNetwork, DmsNetworkClass, DmsNetworkClassStatus,
        conditions::{self, NewCondition, READY, Reason, Truth},
        names::CLASS_FINALIZER,
    },
    aws::AwsErrorKind,
};

/// A class that works is looked at this often, one that does not more often.
const WORKING: Duration = Duration::from_secs(300);
/// See [`WORKING`].
const BROKEN: Duration = Duration::from_secs(15);

/// One pass over a class.
pub async fn reconcile(class: Arc<DmsNetworkClass>, ctx: Arc<Context>) -> Result<Action, Error> {
    ctx.started.cancelled().await;
    let name = class.name_any();
    let api: Api<DmsNetworkClass> = Api::all(ctx.client.clone());
    let users = ctx.networks.state().iter().filter(|n| uses(n, &name, &ctx)).count();
    if class.meta().deletion_timestamp.is_some() && users == 0 {
        kubernetes::remove_finalizer(&api, &name, class.uid().as_deref(), CLASS_FINALIZER).await?;
        return Ok(Action::await_change());
    }
    if class.meta().deletion_timestamp.is_none() {
        if users > 0 {
            kubernetes::add_finalizer(&api, &*class, CLASS_FINALIZER).await?;
        } else {
            kubernetes::remove_finalizer(&api, &name, class.uid().as_deref(), CLASS_FINALIZER).await?;
        }
    }
    ctx.queues.look();
    let (status, works) = status(&class, users, &ctx).await;
    if class.status.as_ref() != Some(&status) {
        // None where it went with its last user.
        kubernetes::write_status(&api, &*class, &status).await?;
    }
    Ok(Action::requeue(if works { WORKING } else { BROKEN }))
}

/// See the network's.
pub fn on_error(_: Arc<DmsNetworkClass>, error: &Error, _: Arc<Context>) -> Action {
    match error {
        // Somebody else wrote it meanwhile: the next pass sees how it is now.
        Error::Kubernetes(kube::Error::Api(status)) if status.is_conflict() => tracing::debug!(%error, "class changed meanwhile"),
        error => tracing::warn!(%error, "pass over a class failed"),
    }
    Action::requeue(Duration::from_secs(2))
}

/// Whether a network uses a class: it or one of its databases names it, it took it by default, or holds objects made through it.
pub fn uses(network: &DmsNetwork, class: &str, ctx: &Context) -> bool {
    let databases = || network.spec.databases.iter().filter_map(|d| d.class_name.as_deref());
    let named = network.spec.class_name.as_deref() == Some(class) || databases().any(|c| c == class);
    let status = network.uid().map(|uid| ctx.registry.latest_status(&uid.into(), network)).unwrap_or_default();
    named || status.default_class.as_deref() == Some(class) || status.classes.iter().any(|c| c.name == class)
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
        conditions: conditions::merge(&old.conditions, new, generation, Timestamp::now()),
    };
    (status, truth == Truth::True)
}
