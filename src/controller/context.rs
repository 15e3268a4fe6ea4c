//! What every pass needs: clients, caches, and the things that all networks share.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, Client, ResourceExt,
    core::PartialObjectMeta,
    runtime::reflector::{ObjectRef, Store as Cache},
};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    cache::Networks, causes::Causes, events::Events, leadership::Leadership, lease::Others, metrics::Metrics, queue::Queues,
    registry::Registry, serving::Serving, shards,
};
use crate::{
    api::{DmsNetwork, DmsNetworkClass, class::AssumeRole, network::Mode, status::ClassRecord},
    aws::{Account, Scope, Stores},
    model::Owner,
    plan::Uid,
};

/// Default of `resyncInterval`.
const INTERVAL: Duration = Duration::from_secs(60);

/// See the module.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// All networks.
    pub networks: Networks,
    /// All classes, whichever shard serves them.
    pub classes: Cache<DmsNetworkClass>,
    /// Names and labels of all namespaces.
    pub namespaces: Cache<PartialObjectMeta<Namespace>>,
    /// One store per account and Region.
    pub stores: Stores,
    /// Shared by all passes.
    pub registry: Registry,
    /// Under which name we own AWS objects.
    pub owner: Owner,
    /// Kubernetes Events.
    pub events: Events,
    /// Who changed what.
    pub causes: Causes,
    /// Change queues.
    pub queues: Queues,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Asks for a pass of a network.
    pub wake: UnboundedSender<ObjectRef<DmsNetwork>>,
    /// Asks for a pass of a class.
    pub wake_class: UnboundedSender<ObjectRef<DmsNetworkClass>>,
    /// Whether this replica may write.
    pub leadership: Arc<Leadership>,
    /// The classes that it serves.
    pub serving: Serving,
    /// Leases of other shards.
    pub others: Others,
    /// When this process began.
    pub begun: Instant,
    /// Cancelled (that is: reached) once all caches are filled.
    pub started: CancellationToken,
}

impl Context {
    /// The API of a network's namespace.
    pub fn api(&self, network: &DmsNetwork) -> Api<DmsNetwork> {
        Api::namespaced(self.client.clone(), &network.namespace().unwrap_or_default())
    }

    /// Labels of a namespace; none where it is not known.
    pub fn namespace_labels(&self, name: &str) -> BTreeMap<String, String> {
        self.namespaces.get(&ObjectRef::new(name)).map(|n| n.labels().clone()).unwrap_or_default()
    }

    /// A network is gone: nothing of it counts any more, from now on.
    pub fn forget(self: &Arc<Self>, network: &Uid) {
        self.wake_all(self.registry.gone(network));
        let (ctx, network) = (self.clone(), network.clone());
        tokio::spawn(async move {
            for store in ctx.stores.all().await {
                store.unsubscribe(&network);
            }
        });
    }

    /// Asks for a pass of each, in the order of their names: a cache has none, and a seed of the fault tests takes the same way again.
    pub fn wake_all(&self, networks: impl IntoIterator<Item = ObjectRef<DmsNetwork>>) {
        let mut networks: Vec<_> = networks.into_iter().collect();
        networks.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        for network in networks {
            // Nobody listens any more when the process ends.
            let _ = self.wake.send(network);
        }
    }
}

/// When a network was made, in seconds since 1970: its seniority among those that share an endpoint.
pub fn created(network: &DmsNetwork) -> i64 {
    network.creation_timestamp().map_or(0, |t| t.0.as_second())
}

/// The account and Region of a class, as status keeps it.
pub fn record(class: &DmsNetworkClass, account: Option<String>) -> ClassRecord {
    ClassRecord {
        name: class.name_any(),
        region: class.spec.region.clone(),
        account_id: account,
        role_arn: class.spec.assume_role.as_ref().map(|r| r.role_arn.clone()),
        external_id: class.spec.assume_role.as_ref().and_then(|r| r.external_id.clone()),
        endpoint_url: class.spec.endpoint_url.clone(),
        shard: shards::shard(class).map(str::to_owned),
    }
}

/// Where a class's AWS objects live.
pub fn scope(record: &ClassRecord) -> Scope {
    let external_id = record.external_id.clone();
    let role = record.role_arn.clone().map(|role_arn| AssumeRole { role_arn, external_id });
    Scope { endpoint_url: record.endpoint_url.clone(), region: record.region.clone(), role }
}

/// The account and Region that a class stands for; what its networks share, whatever its role.
pub fn account(record: &ClassRecord) -> Account {
    let id = record.account_id.clone().unwrap_or_default();
    Account { endpoint_url: record.endpoint_url.clone(), id, region: record.region.clone() }
}

/// Whether two records mean the same account and Region: the role is only the credential.
pub fn same_place(a: &ClassRecord, b: &ClassRecord) -> bool {
    account(a) == account(b)
}

/// How old the picture may get: the network's wish, else the class's, else a minute.
pub fn interval(network: &DmsNetwork, class: Option<&DmsNetworkClass>) -> Duration {
    let wish = network.spec.resync_interval.as_ref().or_else(|| class?.spec.resync_interval.as_ref());
    wish.and_then(|text| duration(text)).unwrap_or(INTERVAL)
}

/// A Go duration such as `90s` or `1m30s`; none where it is not one, or shorter than 10 s.
pub fn duration(text: &str) -> Option<Duration> {
    let parsed: kube::core::Duration = text.parse().ok()?;
    let duration = Duration::from(parsed);
    (duration >= Duration::from_secs(10)).then_some(duration)
}

/// The weaker of the network's and the class's mode; a class that is gone cannot loosen it.
pub fn mode(network: &DmsNetwork, class: Option<&DmsNetworkClass>) -> Mode {
    class.map_or(network.spec.mode, |c| crate::plan::class::mode(network, c))
}
