//! What is done when this replica comes to lead, and when it ceases to.

use std::{fs, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{
    Api, Resource, ResourceExt,
    api::ListParams,
    runtime::reflector::{ObjectRef, Store as Cache},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};

use super::{context::Context, events::EventReason, leadership::Term, lease::chance};

/// How many objects are listed at a time.
const PAGE: u32 = 500;
/// How often it is looked whether the caches have caught up.
const LOOK: Duration = Duration::from_millis(20);
/// Objects that were deleted meanwhile never show up: then they are listed anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// Under which name a Lease is held: the host's, and something by chance, since two processes may share a host.
pub fn identity() -> String {
    let host = std::env::var("HOSTNAME").ok().filter(|h| !h.is_empty());
    let host = host.or_else(|| fs::read_to_string("/proc/sys/kernel/hostname").ok()).unwrap_or_default();
    format!("{}_{:08x}", host.trim(), chance() & 0xffff_ffff)
}

/// Begins and ends terms, for as long as the process runs.
pub async fn run(ctx: Arc<Context>, lease: ObjectReference, identity: String) {
    let shard = ctx.serving.shard.clone();
    ctx.metrics.leader(&shard, false);
    let mut terms = ctx.leadership.terms();
    loop {
        let Ok(Some(term)) = terms.wait_for(Option::is_some).await.map(|t| *t) else { return };
        ctx.metrics.leader(&shard, true);
        tracing::info!(lease = ctx.leadership.lease(), identity, "this replica leads");
        ctx.events.publish_about(&lease, EventReason::LeaderElection, format!("{identity} became leader")).await;
        let opened = async {
            begin(&ctx, term).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            // In this order: a seed of the fault tests takes the same way again.
            biased;
            _ = terms.wait_for(|now| *now != Some(term)) => {}
            () = opened => {}
        }
        ctx.metrics.leader(&shard, false);
        ctx.serving.clear();
        ctx.queues.look();
        tracing::warn!(lease = ctx.leadership.lease(), identity, "this replica leads no more: it stands by");
    }
}

/// Passes begin once the caches show all that the leader before has written.
async fn begin(ctx: &Arc<Context>, term: Term) {
    caught_up(&Api::all(ctx.client.clone()), &ctx.classes).await;
    caught_up(&Api::all(ctx.client.clone()), &ctx.networks.0).await;
    let networks = ctx.networks.all();
    ctx.registry.start(networks.iter().filter_map(|n| n.unpacked()).map(|n| {
        let places = ctx.places(&n);
        (n, places)
    }));
    ctx.leadership.open(term);
    for class in ctx.classes.state() {
        // Nobody listens any more when the process ends.
        let _ = ctx.wake_class.send(ObjectRef::from_obj(&*class));
    }
    ctx.wake_all(networks.iter().map(|n| n.object_ref()));
}

/// Waits until a cache shows every object at least as it is now.
async fn caught_up<K>(api: &Api<K>, cache: &Cache<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    loop {
        let began = Instant::now();
        match versions(api).await {
            Ok(mut wanted) => {
                while began.elapsed() < PATIENCE {
                    wanted.retain(|(object, version)| cache.get(object).is_none_or(|o| number(o.resource_version().as_deref()) < *version));
                    if wanted.is_empty() {
                        return;
                    }
                    sleep(LOOK).await;
                }
            }
            Err(error) => {
                tracing::warn!(%error, "Kubernetes cannot be read: no pass begins yet");
                sleep(PATIENCE).await;
            }
        }
    }
}

/// All objects with their versions, as the API server has them now. Not from its cache: the default asks for the latest.
async fn versions<K>(api: &Api<K>) -> kube::Result<Vec<(ObjectRef<K>, u64)>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let (mut all, mut more) = (Vec::new(), None);
    loop {
        let params = ListParams { limit: Some(PAGE), continue_token: more.take(), ..ListParams::default() };
        let page = api.list_metadata(&params).await?;
        let object = |m: &kube::core::PartialObjectMeta<K>| {
            let name = ObjectRef::new(&m.name_any());
            m.namespace().map_or(name.clone(), |ns| name.within(&ns))
        };
        all.extend(page.items.iter().map(|m| (object(m), number(m.resource_version().as_deref()))));
        more = page.metadata.continue_.filter(|token| !token.is_empty());
        if more.is_none() {
            return Ok(all);
        }
    }
}

/// Resource versions are ordered numbers (KEP-5504); one that is not says nothing.
fn number(version: Option<&str>) -> u64 {
    version.and_then(|v| v.parse().ok()).unwrap_or_default()
}
