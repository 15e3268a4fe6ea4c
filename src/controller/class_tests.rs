use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use axum::http::{Request, Response};
use kube::{
    Client,
    client::Body,
    core::Selector,
    runtime::{
        reflector::{self, ObjectRef},
        watcher::Event,
    },
};
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    api::DmsNetwork,
    aws::{Stores, from_environment},
    controller::{
        cache::Networks, cached_network::CachedNetwork, causes::Causes, events::Events, leadership::Leadership, leadership::Watched,
        lease::Others, metrics::Metrics, queue::Queues, registry::Registry, serving::Serving,
    },
    model::Owner,
};

/// Networks that are there already: the more, the longer a class is being taken.
const THERE: usize = 2000;
const ROUNDS: usize = 5;

fn network(name: &str) -> CachedNetwork {
    let metadata = json!({ "name": name, "namespace": "team", "uid": name, "generation": 1, "resourceVersion": "1" });
    let spec = json!({ "className": "c", "replication": { "instance": "ri" }, "databases": [] });
    serde_json::from_value(json!({ "metadata": metadata, "spec": spec })).unwrap()
}

fn class() -> DmsNetworkClass {
    let spec = json!({ "region": "us-west-2", "allowedNamespaces": { "from": "All" }, "guardrails": { "vpcIds": ["*"] } });
    let status = json!({ "accountId": "111122223333", "shard": "default" });
    serde_json::from_value(json!({ "metadata": { "name": "c" }, "spec": spec, "status": status })).unwrap()
}

type Woken = mpsc::UnboundedReceiver<ObjectRef<DmsNetwork>>;

/// A context that talks to nobody, what fills its networks, and whom it wakes.
fn context() -> (Arc<Context>, reflector::store::Writer<CachedNetwork>, Woken) {
    let service = tower::service_fn(|_: Request<Body>| async { Err::<Response<Body>, tower::BoxError>("nobody is asked".into()) });
    let client = Client::new(service, "dmsnet-system");
    let (networks, writer) = reflector::store();
    let (classes, mut class_writer) = reflector::store();
    class_writer.apply_watcher_event(&Event::Apply(class()));
    let metrics = Arc::new(Metrics::default());
    let leadership = Arc::new(Leadership::new("dmsnet-system/dmsnet-default".into()));
    let watched = Watched { metrics: metrics.clone(), leadership: leadership.clone() };
    let ((wake, woken), (wake_class, _), (changes, _)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let context = Context {
        networks: Networks(networks),
        classes,
        namespaces: reflector::store().0,
        stores: Stores::with(from_environment(), Arc::new(watched), changes),
        registry: Registry::default(),
        owner: Owner::parse("test").unwrap(),
        events: Events::new(client.clone()),
        causes: Causes::default(),
        queues: Queues::default(),
        metrics,
        wake,
        wake_class,
        leadership,
        serving: Serving::new("default".into(), Selector::default()),
        others: Others::new(Api::namespaced(client.clone(), "dmsnet-system")),
        begun: Instant::now(),
        started: CancellationToken::new(),
        client,
    };
    (Arc::new(context), writer, woken)
}

/// Its pass finds that nobody serves the class yet, and waits to be woken: there is nothing else that would wake it.
#[tokio::test]
async fn a_network_that_comes_while_its_class_is_taken_is_woken() {
    for _ in 0..ROUNDS {
        let (ctx, mut writer, mut woken) = context();
        (0..THERE).for_each(|n| writer.apply_watcher_event(&Event::Apply(network(&format!("there-{n}")))));
        let coming = Arc::new(AtomicBool::new(false));
        let (seen, begun) = (ctx.clone(), coming.clone());
        let comes = std::thread::spawn(move || {
            let mut waits = Vec::new();
            loop {
                let name = format!("comes-{}", waits.len());
                writer.apply_watcher_event(&Event::Apply(network(&name)));
                if seen.serving.enter("c").is_some() {
                    return waits;
                }
                waits.push(name);
                begun.store(true, Ordering::Relaxed);
            }
        });
        while !coming.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        begin(&class(), Some("111122223333"), &ctx);
        let waits = comes.join().unwrap();
        let mut told = HashSet::new();
        while let Ok(network) = woken.try_recv() {
            told.insert(network.name);
        }
        let forgotten: Vec<&String> = waits.iter().filter(|name| !told.contains(*name)).collect();
        assert!(forgotten.is_empty(), "{} of {} wait for ever, such as {:?}", forgotten.len(), waits.len(), forgotten[0]);
        assert!(told.len() >= THERE + waits.len());
    }
}
