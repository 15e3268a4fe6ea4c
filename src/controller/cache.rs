//! The cache of one kind of Kubernetes objects, and the events that fill it.

use futures::{StreamExt, stream::BoxStream};
use kube::{
    Api, Resource,
    api::ObjectMeta,
    runtime::{
        WatchStreamExt,
        reflector::{self, ObjectRef},
        watcher,
    },
};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use super::cached_network::CachedNetwork;
use crate::api::DmsNetwork;

/// What `kubectl apply` keeps of what it applied: the whole object once more.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A cache of one kind, and the stream that fills it.
pub struct Cached<K: Resource<DynamicType = ()> + Clone + 'static> {
    /// Shows what was read.
    pub reader: reflector::Store<K>,
    /// Each event once the reader shows it.
    pub events: BoxStream<'static, Result<watcher::Event<K>, watcher::Error>>,
    /// Cancelled (that is: reached) once the first list is in. The reader's own `wait_until_ready` wakes only one who waits.
    pub filled: CancellationToken,
}

impl<K> Cached<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    /// Of all objects of a kind; empty until its events are polled.
    pub fn new(api: Api<K>) -> Self {
        let (reader, writer) = reflector::store();
        let filled = CancellationToken::new();
        let told = filled.clone();
        let first_list = move |event: &Result<watcher::Event<K>, watcher::Error>| {
            if matches!(event, Ok(watcher::Event::InitDone)) {
                told.cancel();
            }
        };
        let stream = watcher(api, watcher::Config::default()).modify(|object| lean(object.meta_mut()));
        let events = stream.default_backoff().reflect(writer).inspect(first_list).boxed();
        Self { reader, events, filled }
    }
}

/// Leaves out who wrote which field, and what kubectl applied: most of a small object, and nothing that we ask.
pub(super) fn lean(meta: &mut ObjectMeta) {
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// What an event of a cache is about.
pub enum Touched<'a, K> {
    /// One object came, changed or went.
    One(&'a K),
    /// A new list: what is no longer in it went unseen.
    All,
    /// None.
    Nothing,
}

/// What an event is about.
pub fn touched<K>(event: &Result<watcher::Event<K>, watcher::Error>) -> Touched<'_, K> {
    match event {
        Ok(watcher::Event::Apply(object) | watcher::Event::Delete(object)) => Touched::One(object),
        Ok(watcher::Event::InitDone) => Touched::All,
        // Those of a list that is being read are not in the cache yet.
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_) => Touched::Nothing,
    }
}

/// All networks.
pub struct Networks(pub reflector::Store<CachedNetwork>);

impl Networks {
    /// One of them.
    pub fn get(&self, network: &ObjectRef<DmsNetwork>) -> Option<Arc<CachedNetwork>> {
        self.0.get(&network.clone().into_kind_unchecked(()))
    }

    /// All of them, in no order.
    pub fn all(&self) -> Vec<Arc<CachedNetwork>> {
        self.0.state()
    }
}
