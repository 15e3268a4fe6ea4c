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

use super::{
    context::{self, Context},
    events::EventReason,
    kubernetes,
    leadership::Term,
    lease::chance,
};
use crate::api::DmsNetwork;

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
        inherited(ctx, &n);
        (n, places)
    }));
    ctx.leadership.open(term);
    for class in ctx.classes.state() {
        // Nobody listens any more when the process ends.
        let _ = ctx.wake_class.send(ObjectRef::from_obj(&*class));
    }
    ctx.wake_all(networks.iter().map(|n| n.object_ref()));
}

/// Requests for endpoints that the ledger names: whoever was there before may have sent them, and what they made may not show yet.
pub(super) fn inherited(ctx: &Context, network: &DmsNetwork) {
    let Some(uid) = network.uid() else { return };
    let asked = ctx.registry.with_latest_status(&uid.into(), network, |status| {
        let entries = status.into_iter().flat_map(|s| s.owned.iter().map(|e| (e, &s.classes)));
        let asked = entries.filter_map(|(e, classes)| Some((classes.iter().find(|r| r.name == e.class)?, &e.key, e.token.as_ref()?)));
        asked.map(|(record, key, token)| (context::account(record), key.clone(), token.clone())).collect::<Vec<_>>()
    });
    for (account, key, token) in asked {
        ctx.registry.unheard(&account).inherit(&key, &token);
    }
}

/// Waits until a cache shows every object at least as it is now.
async fn caught_up<K>(api: &Api<K>, cache: &Cache<K>)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    loop {
        match versions(api).await {
            Ok(mut wanted) => {
                // From now on: a list of thousands may take long.
                let listed = Instant::now();
                while listed.elapsed() < PATIENCE {
                    wanted.retain(|(object, version)| cache.get(object).is_none_or(|o| kubernetes::version(&*o) < *version));
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
async fn versions<K>(api: &Api<K>) -> kube::Result<Vec<(ObjectRef<K>, Option<u64>)>>
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
        all.extend(page.items.iter().map(|m| (object(m), kubernetes::version(m))));
        more = page.metadata.continue_.filter(|token| !token.is_empty());
        if more.is_none() {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response};
    use kube::{
        Client,
        client::Body,
        runtime::{reflector, watcher::Event},
    };
    use serde_json::json;
    use tokio::time::timeout;

    use super::*;
    use crate::api::DmsNetworkClass;

    #[tokio::test(start_paused = true)]
    async fn a_term_begins_though_the_list_takes_longer_than_patience() {
        let metadata = json!({ "name": "shared", "resourceVersion": "7" });
        let list = json!({
            "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": { "resourceVersion": "9" },
            "items": [{ "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata }],
        });
        let answer = move |_: Request<Body>| {
            let list = list.to_string().into_bytes();
            async move {
                sleep(PATIENCE * 3).await;
                Ok::<_, Infallible>(Response::new(Body::from(list)))
            }
        };
        let api: Api<DmsNetworkClass> = Api::all(Client::new(tower::service_fn(answer), "default"));
        let (cache, mut writer) = reflector::store();
        let spec = json!({ "region": "us-west-2", "allowedNamespaces": { "from": "All" }, "guardrails": { "vpcIds": ["*"] } });
        let class = json!({ "metadata": metadata, "spec": spec });
        writer.apply_watcher_event(&Event::Apply(serde_json::from_value(class).unwrap()));
        timeout(PATIENCE * 5, caught_up(&api, &cache)).await.expect("one list is enough");
    }
}
