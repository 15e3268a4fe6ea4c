//! Wires the controller: caches, both controllers, the web server, and a graceful stop on SIGTERM.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use futures::{FutureExt, Stream, StreamExt, future, stream};
use k8s_openapi::api::{coordination::v1::Lease, core::v1::Namespace};
use kube::{
    Api, Client, Config, ResourceExt,
    client::ClientBuilder,
    config::InferConfigError,
    core::{PartialObjectMeta, Selector},
    runtime::{Controller, WatchStreamExt, controller, reflector::ObjectRef, watcher},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use super::{
    cache::{Cached, Networks, Touched, touched},
    cached_network::CachedNetwork,
    causes::Causes,
    class,
    context::Context,
    events::Events,
    http::{self, Readiness},
    kubernetes::cluster_id,
    lead,
    leadership::{Fence, Leadership, Watched},
    lease::{self, Candidate, Others},
    metrics::Metrics,
    network,
    queue::{self, Queues},
    registry::Registry,
    report,
    serving::Serving,
    sites,
};
use crate::{
    api::{DmsNetwork, DmsNetworkClass},
    aws::{Loader, Stores, from_environment},
    model::{Owner, shared, tags::InvalidOwner},
    plan,
};

/// Any number of passes: [`Serving::slot`] lets so many of each class begin.
const CONCURRENCY: u16 = 0;
/// How long passes that have begun may take once a stop is asked for; a pod is given 30 s.
const GRACE: Duration = Duration::from_secs(20);
/// How often gauges are brought up to date.
const GAUGES: Duration = Duration::from_secs(10);

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Under which name AWS objects are owned; default: from the kube-system namespace's UID.
    pub cluster_name: Option<String>,
    /// Where to serve metrics and probes; port 0 takes any.
    pub http_addr: SocketAddr,
    /// A file that is told the address that was bound.
    pub http_addr_file: Option<PathBuf>,
    /// Serve only classes with these labels, and the networks that use them.
    pub class_selector: Option<Selector>,
    /// Name of the shard, and so of its Lease; default: `default`, or from the selector.
    pub shard: Option<String>,
    /// Namespace of the Lease; default: the pod's, else the kubeconfig context's.
    pub lease_namespace: Option<String>,
    /// Under which name the Lease is held; default: the host's, and something by chance.
    pub identity: Option<String>,
}

/// Why the controller ended.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum RunError {
    #[error("no Kubernetes configuration (in the pod, or KUBECONFIG): {0}")]
    Config(#[from] InferConfigError),
    #[error("no client for Kubernetes: {0}")]
    Client(#[source] kube::Error),
    #[error("--cluster-name: {0}")]
    Owner(#[from] InvalidOwner),
    #[error("the namespace kube-system could not be read to name this cluster (set --cluster-name instead): {0}")]
    ClusterName(#[source] kube::Error),
    #[error("the Lease {0} could not be read (--lease-namespace says where it is; RBAC: get, create and update on leases): {1}")]
    Lease(String, #[source] kube::Error),
    #[error("the custom resources could not be listed; are the CRDs installed (dmsnet crds | kubectl apply -f -)? {0}")]
    Crds(#[source] kube::Error),
    #[error("cannot serve on {0}: {1}")]
    Http(SocketAddr, #[source] std::io::Error),
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// Where it cannot start. What goes wrong later is retried, and told in status.
pub async fn run(options: Options) -> Result<(), RunError> {
    let config = Config::infer().await?;
    let namespace = config.default_namespace.clone();
    // Time counts: what fails is tried again by the elector.
    let mut plain = config.clone();
    plain.default_retry = false;
    let leases = Client::try_from(plain).map_err(RunError::Client)?;
    let builder = ClientBuilder::try_from(config).map_err(RunError::Client)?;
    let kubernetes = Box::new(|fence: &Fence| builder.with_layer(fence).build());
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()));
    run_with(options, Parts { kubernetes, leases, namespace, aws: from_environment(), stop }).await
}

/// What a controller works with.
pub struct Parts {
    /// Makes the client for Kubernetes, with the fence around it.
    pub kubernetes: Box<dyn FnOnce(&Fence) -> Client + Send>,
    /// For the Lease: a client that repeats nothing by itself.
    pub leases: Client,
    /// Namespace of the Lease, if the options name none.
    pub namespace: String,
    /// AWS.
    pub aws: Loader,
    /// Ends it.
    pub stop: CancellationToken,
}

/// As [`run`], with parts of the caller's.
///
/// # Errors
/// As [`run`].
pub async fn run_with(options: Options, parts: Parts) -> Result<(), RunError> {
    let Parts { kubernetes, leases, namespace, aws, stop } = parts;
    let shard = options.shard.clone().unwrap_or_else(|| shard_of(options.class_selector.as_ref()));
    let namespace = options.lease_namespace.clone().unwrap_or(namespace);
    let lease_name = format!("{namespace}/{}", lease::name(&shard));
    let leadership = Arc::new(Leadership::new(lease_name.clone()));
    let leases: Api<Lease> = Api::namespaced(leases, &namespace);
    let client = kubernetes(&Fence::new(leadership.clone()));
    let owner = owner(&options, &client).await?;
    let networks: Api<DmsNetwork> = Api::all(client.clone());
    let classes: Api<DmsNetworkClass> = Api::all(client.clone());
    networks.list(&kube::api::ListParams::default().limit(1)).await.map_err(RunError::Crds)?;
    classes.list(&kube::api::ListParams::default().limit(1)).await.map_err(RunError::Crds)?;
    leases.get_opt(&lease::name(&shard)).await.map_err(|e| RunError::Lease(lease_name, e))?;

    let metrics = Arc::new(Metrics::default());
    let ready = Readiness::default();
    let server = http::serve(options.http_addr, options.http_addr_file.as_deref(), metrics.clone(), ready.clone(), stop.clone());

    let network_cache = Cached::<CachedNetwork>::new(Api::all(client.clone()));
    let class_cache = Cached::new(classes);
    let namespace_cache = Cached::<NamespaceMeta>::new(Api::all(client.clone()));
    let filled = [network_cache.filled.clone(), class_cache.filled.clone(), namespace_cache.filled.clone()];
    let (wake, woken) = mpsc::unbounded_channel();
    let (changes, changed) = mpsc::unbounded_channel();
    // By the stream that fills the cache, and after it: whoever is woken must see what woke it.
    let (wake_class, class_woken) = mpsc::unbounded_channel();
    let watched = Watched { metrics: metrics.clone(), leadership: leadership.clone() };
    let stores = Stores::with(aws, Arc::new(watched), changes);
    let ctx = Arc::new(Context {
        networks: Networks(network_cache.reader.clone()),
        classes: class_cache.reader.clone(),
        namespaces: namespace_cache.reader,
        stores,
        registry: Registry::default(),
        owner,
        events: Events::new(client.clone()),
        causes: Causes::default(),
        queues: Queues::default(),
        metrics,
        wake,
        wake_class,
        leadership: leadership.clone(),
        serving: Serving::new(shard.clone(), options.class_selector.clone().unwrap_or_default()),
        others: Others::new(leases.clone()),
        begun: tokio::time::Instant::now(),
        started: CancellationToken::new(),
        client,
    });
    tracing::info!(owner = %ctx.owner, "dmsnet {} starts", env!("CARGO_PKG_VERSION"));

    let (by_class, of_network) = (ctx.clone(), ctx.clone());
    let class_events = class_cache.events.inspect(move |event| by_class.wake_all(users_of(&by_class, event)));
    let network_events = network_cache.events.inspect(move |event| {
        followed(&of_network, event);
        for class in classes_of(&of_network, event) {
            // Nobody listens any more when the process ends.
            let _ = of_network.wake_class.send(class);
        }
    });
    let by_namespace = ctx.clone();
    let by_store = ctx.clone();
    let passes = Controller::for_stream(network_events.applied_objects(), network_cache.reader)
        .with_config(controller::Config::default().concurrency(CONCURRENCY))
        .watches_stream(namespace_cache.events.applied_objects(), move |n| in_namespace(&by_namespace, &n.name_any()))
        .reconcile_on(receiver(woken).map(cached))
        .reconcile_on(receiver(changed).filter_map(move |who| future::ready(by_store.registry.object_ref(&who).map(cached))))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(network::reconcile, network::on_error, ctx.clone())
        .for_each(|result| async { told(result) });
    let class_passes = Controller::for_stream(class_events.applied_objects(), class_cache.reader)
        .reconcile_on(receiver(class_woken))
        .graceful_shutdown_on(stop.clone().cancelled_owned())
        .run(class::reconcile, class::on_error, ctx.clone())
        .for_each(|result| async { told(result) });
    let passes = tokio::spawn(passes);
    let class_passes = tokio::spawn(class_passes);
    let gauges = tokio::spawn(gauges(ctx.clone(), stop.clone()));
    let identity = options.identity.clone().unwrap_or_else(lead::identity);
    let release = CancellationToken::new();
    let candidate = Candidate::new(leases, &shard, identity.clone(), leadership).run(release.clone());
    let start = tokio::spawn(begin(ctx.clone(), filled, ready, candidate));
    let lead = tokio::spawn(lead::run(ctx.clone(), lease::reference(&namespace, &shard), identity));
    let queues = tokio::spawn(queue::run(ctx.clone(), stop.clone()));

    let served = server.await.map_err(|e| RunError::Http(options.http_addr, e));
    stop.cancel();
    ctx.serving.close();
    // What has begun is finished, so that the ledger tells all; what hangs is dropped, and found again by its tags.
    let rest = future::join4(passes, class_passes, gauges, queues);
    if tokio::time::timeout(GRACE, rest).await.is_ok() {
        lead.abort();
        class::let_all_go(&ctx).await;
        release.cancel();
        // It stands for election only once it has begun.
        if let Some(Ok(candidate)) = start.now_or_never() {
            let _ = candidate.await;
        }
    } else {
        // What hangs may still write: the Lease expires by itself.
        tracing::warn!("passes did not end within {} s: the Lease is not let go", GRACE.as_secs());
    }
    tracing::info!("stopped");
    served
}

/// Once all caches are filled: lets passes begin, and stands for election. Not before: who cannot fill them could not lead.
async fn begin(
    ctx: Arc<Context>,
    filled: [CancellationToken; 3],
    ready: Readiness,
    candidate: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    future::join_all(filled.iter().map(CancellationToken::cancelled)).await;
    ctx.started.cancel();
    ready.set();
    tokio::spawn(candidate)
}

/// A shard without a name is called after its selector: two that select otherwise have two Leases.
fn shard_of(selector: Option<&Selector>) -> String {
    const READABLE: usize = 30;
    let text = selector.map(ToString::to_string).unwrap_or_default();
    if text.is_empty() {
        return "default".to_owned();
    }
    let words: Vec<String> =
        text.to_ascii_lowercase().split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_owned).collect();
    let readable: String = words.join("-").chars().take(READABLE).collect();
    format!("{}-{}", readable.trim_end_matches('-'), plan::wanted::short_hash(text.as_bytes()))
}

/// What kube's controller could not do: watch errors and the like; passes tell their own.
fn told<T, E: std::error::Error, Q: std::error::Error>(result: Result<T, controller::Error<E, Q>>) {
    match result {
        Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
        // Deleted between its event and its pass.
        Err(controller::Error::ObjectNotFound(_)) => {}
        Err(error) => tracing::warn!(%error, "watching Kubernetes"),
    }
}

async fn gauges(ctx: Arc<Context>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(GAUGES);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        report::gauges(&ctx).await;
    }
}

fn receiver<T: Send + 'static>(mut receiver: mpsc::UnboundedReceiver<T>) -> impl Stream<Item = T> + Send + 'static {
    stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

/// The name by which the cache knows a network.
fn cached(network: ObjectRef<DmsNetwork>) -> ObjectRef<CachedNetwork> {
    network.into_kind_unchecked(())
}

type NamespaceMeta = PartialObjectMeta<Namespace>;

/// Before its first pass, a network counts with what its ledger says that it holds.
pub(super) fn counted(ctx: &Context, network: &DmsNetwork) {
    let (Some(uid), Some(status)) = (network.uid(), &network.status) else { return };
    let uid = shared(&uid);
    for (account, claim) in sites::ledger_claims(network, status, network.metadata.deletion_timestamp.is_some()) {
        ctx.registry.claim(&account, &uid, network, claim);
    }
}

/// Keeps account of networks that come, change and go: one that goes without a last pass must not be waited for, nor counted.
fn followed(ctx: &Arc<Context>, event: &Result<watcher::Event<CachedNetwork>, watcher::Error>) {
    let expect = |network: DmsNetwork| ctx.registry.expect(&network, ctx.places(&network));
    let gone: Vec<plan::Uid> = match event {
        Ok(watcher::Event::Apply(network)) => {
            network.unpacked().into_iter().for_each(expect);
            if let (Some(uid), Some(cached)) = (network.uid(), ctx.networks.get(&network.object_ref())) {
                ctx.registry.caught_up(&uid.into(), cached);
            }
            return;
        }
        Ok(watcher::Event::Delete(network)) => network.uid().map(Into::into).into_iter().collect(),
        Ok(watcher::Event::InitDone) => {
            let networks = ctx.networks.all();
            networks.iter().filter_map(|n| n.unpacked()).for_each(expect);
            ctx.registry.missing_from(&networks.iter().filter_map(|n| n.uid()).map(Into::into).collect())
        }
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) | Err(_) => return,
    };
    for uid in gone {
        ctx.forget(&uid);
    }
}

/// What counts of a class for its networks; its status is ours, but for the account.
fn fingerprint(class: &DmsNetworkClass) -> String {
    let m = &class.metadata;
    let account = class.status.as_ref().and_then(|s| s.account_id.as_ref());
    format!("{:?} {:?} {:?} {:?} {:?} {account:?}", m.uid, m.generation, m.labels, m.annotations, m.deletion_timestamp)
}

/// Networks that use a class, and those that still look for a default: any class may have become, or ceased to be, that.
fn users_of(ctx: &Context, event: &Result<watcher::Event<DmsNetworkClass>, watcher::Error>) -> Vec<ObjectRef<DmsNetwork>> {
    let now = |class: &DmsNetworkClass| match event {
        Ok(watcher::Event::Delete(_)) => None,
        _ => Some(fingerprint(class)),
    };
    let name = match touched(event) {
        Touched::One(class) if !ctx.registry.class_changed(&class.name_any(), now(class)) => return Vec::new(),
        Touched::One(class) => Some(class.name_any()),
        Touched::All => None,
        Touched::Nothing => return Vec::new(),
    };
    let uses = |n: &CachedNetwork| !n.glance().names_class || name.as_ref().is_none_or(|name| class::uses(n, name, ctx));
    let users: Vec<_> = ctx.networks.all().into_iter().filter(|n| uses(n)).collect();
    let moved = |n: &Arc<CachedNetwork>| {
        let places = || n.unpacked().map(|n| ctx.places(&n)).unwrap_or_default();
        n.uid().map(|uid| ctx.registry.moved(&uid.into(), places)).unwrap_or_default()
    };
    let concerned: Vec<_> = users.iter().flat_map(moved).collect();
    users.iter().map(|n| n.object_ref()).chain(concerned).collect()
}

fn in_namespace(ctx: &Context, namespace: &str) -> Vec<ObjectRef<CachedNetwork>> {
    ctx.networks.all().iter().filter(|n| n.namespace().as_deref() == Some(namespace)).map(|n| ObjectRef::from_obj(&**n)).collect()
}

fn classes_of(ctx: &Context, event: &Result<watcher::Event<CachedNetwork>, watcher::Error>) -> Vec<ObjectRef<DmsNetworkClass>> {
    let network = match touched(event) {
        Touched::One(network) => network,
        Touched::All => return ctx.classes.state().iter().map(|c| ObjectRef::from_obj(&**c)).collect(),
        Touched::Nothing => return Vec::new(),
    };
    let mut names = network.glance().classes.clone();
    if let Some(uid) = network.uid() {
        names.extend(ctx.registry.own_classes(&uid.into(), network));
    }
    names.iter().map(|n| ObjectRef::new(n)).collect()
}

async fn owner(options: &Options, client: &Client) -> Result<Owner, RunError> {
    if let Some(name) = &options.cluster_name {
        return Ok(Owner::parse(name)?);
    }
    Ok(Owner::parse(&cluster_id(client).await.map_err(RunError::ClusterName)?)?)
}

async fn stop_on_signal(stop: CancellationToken) {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                tracing::warn!(%error, "SIGTERM cannot be waited for");
                future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    tracing::info!("stopping: passes that have begun are finished");
    stop.cancel();
}
