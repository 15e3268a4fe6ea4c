//! A start with many networks: how long it takes by the paused clock, and what it reads. What is measured is the waiting; the
//! processor's part is measured by `make bench-scale`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_config::BehaviorVersion;
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dmsnet::controller::{self, Fence, Options, Parts};
use kube::{
    Client,
    client::{ClientBuilder, retry::RetryPolicy},
};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::{Layer, retry::RetryLayer};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use crate::{
    checker::{Checker, OWNER},
    clock::Clock,
    cluster::{Cluster, Kind, Server},
    fate::{Fates, Weather},
    replica::Life,
    stub::{Call, Fault, Ids, World},
    trace::Trace,
};

const NAMESPACE: &str = "dmsnet-system";
/// What the controller logs once it has a whole picture.
const LOOKED: &str = "every network was looked at once";
/// How long AWS takes.
const LATENCY: Duration = Duration::from_millis(20);

/// The class's `resyncInterval`.
const INTERVAL: Duration = Duration::from_secs(60);

/// How a start went.
struct Started {
    looked: Duration,
    ready: Duration,
    /// What was written while idle.
    written: Vec<String>,
}

/// AWS's bucket of an operation (domain.md 3.4, 3.5): capacity, and tokens a second.
fn bucket_of(service: &str, operation: &str) -> (String, f64, f64) {
    match service {
        "dms" => ("dms".into(), 100.0, 4.0),
        "ec2" if operation.starts_with("Describe") => (operation.into(), 100.0, 20.0),
        "ec2" => (operation.into(), 50.0, 5.0),
        _ => (operation.into(), 1e9, 1e9),
    }
}

/// The world behind AWS's own limits of requests, and what was asked of it.
struct Aws {
    world: Mutex<World>,
    buckets: Mutex<BTreeMap<String, (f64, Instant)>>,
    calls: Mutex<Vec<(Instant, String)>>,
    refused: Mutex<usize>,
}

impl Aws {
    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let call = Call::parse(target.as_deref(), request.body().bytes().unwrap_or_default());
        self.calls.lock().unwrap().push((Instant::now(), format!("{}:{}", call.service, call.operation)));
        sleep(LATENCY).await;
        let reply = if self.grants(&call) {
            call.answer(&mut self.world.lock().unwrap())
        } else {
            *self.refused.lock().unwrap() += 1;
            let fault = if call.service == "dms" { (400, "ThrottlingException") } else { (503, "RequestLimitExceeded") };
            call.refusal(&Fault(fault.0, fault.1, "too many".into()))
        };
        let mut response = HttpResponse::new(StatusCode::try_from(reply.status).unwrap(), SdkBody::from(reply.body));
        response.headers_mut().insert("content-type", reply.content_type);
        response
    }

    fn grants(&self, call: &Call<'_>) -> bool {
        let (name, capacity, refill) = bucket_of(call.service, &call.operation);
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap();
        let (tokens, at) = buckets.entry(name).or_insert((capacity, now));
        *tokens = (*tokens + now.duration_since(*at).as_secs_f64() * refill).min(capacity) - 1.0;
        *at = now;
        let granted = *tokens >= 0.0;
        *tokens = tokens.max(0.0);
        granted
    }

    fn counts(&self, from: usize) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for (_, operation) in &self.calls.lock().unwrap()[from..] {
            *counts.entry(operation.clone()).or_default() += 1;
        }
        counts
    }

    fn mark(&self) -> usize {
        self.calls.lock().unwrap().len()
    }
}

#[derive(Clone)]
struct Way(Arc<Aws>);

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Way")
    }
}

impl HttpConnector for Way {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.0.clone();
        HttpConnectorFuture::new(async move { Ok(aws.answer(request).await) })
    }
}

/// Kubernetes, AWS, and a controller that comes and goes.
struct Place {
    trace: Trace,
    aws: Arc<Aws>,
    cluster: Arc<Cluster>,
    fates: Arc<Fates>,
    checker: Arc<Checker>,
}

impl Place {
    fn new(networks: usize) -> Self {
        let clock = Clock::start();
        let trace = Trace::new(clock);
        let world = World::converged(networks, OWNER, |n| format!("team/net-{n}"));
        let aws = Aws { world: Mutex::new(world), buckets: Mutex::default(), calls: Mutex::default(), refused: Mutex::default() };
        let cluster = Arc::new(Cluster::new(clock));
        let checker = Arc::new(Checker::new(clock, trace.clone(), networks, cluster.clone()));
        let fates = Arc::new(Fates::new(0, Weather::default(), trace.clone()));
        fates.set(false);
        let place = Self { trace, aws: Arc::new(aws), cluster, fates, checker };
        let make = |kind, object| place.cluster.create(kind, object).map(drop).unwrap();
        for namespace in ["kube-system", "team", NAMESPACE] {
            make(Kind::Namespace, json!({ "metadata": { "name": namespace } }));
        }
        let spec = json!({
            "region": "us-west-2", "endpointUrl": "http://aws.test", "allowedNamespaces": { "from": "All" },
            "guardrails": { "vpcIds": ["*"] }, "resyncInterval": format!("{}s", INTERVAL.as_secs()),
        });
        make(Kind::Class, json!({ "metadata": { "name": "sim" }, "spec": spec }));
        for n in 0..networks {
            let metadata = json!({ "name": format!("net-{n}"), "namespace": "team" });
            make(Kind::Network, json!({ "metadata": metadata, "spec": Ids(n).spec("sim") }));
        }
        place
    }

    /// Starts the controller, waits until it has looked at every network and all are ready, then for `idle` sweeps, and stops it.
    async fn starts(&self, name: &str, idle: u32) -> Started {
        let life = Life::new(name, 0);
        let server = Server { cluster: self.cluster.clone(), fates: self.fates.clone(), checker: self.checker.clone(), life: life.clone() };
        let way = Way(self.aws.clone());
        let loader: dmsnet::aws::Loader = Arc::new(move || {
            let connector = SharedHttpConnector::new(way.clone());
            let http = http_client_fn(move |_, _| connector.clone());
            let credentials = Credentials::new("AKIASIM", "not-a-secret", None, None, "sim");
            aws_config::defaults(BehaviorVersion::v2026_01_12())
                .http_client(http)
                .credentials_provider(SharedCredentialsProvider::new(credentials))
        });
        let stop = CancellationToken::new();
        let retrying = RetryLayer::new(RetryPolicy::default()).layer(server.clone());
        let kubernetes = Box::new(|fence: &Fence| ClientBuilder::new(retrying, NAMESPACE).with_layer(fence).build());
        let options = Options {
            cluster_name: Some(OWNER.into()),
            http_addr: ([127, 0, 0, 1], 0).into(),
            http_addr_file: None,
            class_selector: None,
            shard: None,
            lease_namespace: None,
            identity: Some(name.into()),
        };
        let leases = Client::new(server, NAMESPACE);
        let parts = Parts { kubernetes, leases, namespace: NAMESPACE.into(), aws: loader, stop: stop.clone() };
        let (begun, before) = (Instant::now(), self.looked());
        let running = tokio::spawn(controller::run_with(options, parts));
        self.until(|| self.looked() > before).await;
        let looked = begun.elapsed();
        self.until(|| self.cluster.list(Kind::Network).iter().all(is_ready)).await;
        let ready = begun.elapsed();
        let versions = self.versions();
        sleep(INTERVAL * idle).await;

        let written = self.written_since(&versions);
        stop.cancel();
        timeout(Duration::from_secs(30), running).await.unwrap().unwrap().unwrap();
        life.end();
        Started { looked, ready, written }
    }

    /// Of each object but Leases.
    fn versions(&self) -> BTreeMap<String, serde_json::Value> {
        let all = [Kind::Network, Kind::Class].into_iter().flat_map(|kind| self.cluster.list(kind));
        all.map(|o| (o["metadata"]["name"].as_str().unwrap().to_owned(), o)).collect()
    }

    /// What is not as it was: each object as it was and is.
    fn written_since(&self, before: &BTreeMap<String, serde_json::Value>) -> Vec<String> {
        let now = self.versions();
        let changed = now.iter().filter(|(name, o)| before.get(*name).is_some_and(|b| b != *o));
        changed.map(|(name, o)| format!("{name}: {:?} -> {}", before.get(name).map(|b| &b["status"]), o["status"])).collect()
    }

    fn looked(&self) -> usize {
        self.trace.lines().iter().filter(|l| l.contains(LOOKED)).count()
    }

    async fn until(&self, done: impl Fn() -> bool) {
        let begun = Instant::now();
        while !done() {
            assert!(begun.elapsed() < Duration::from_secs(300), "{:?}, {:?}", self.aws.counts(0), self.trace.lines());
            sleep(Duration::from_millis(500)).await;
        }
    }
}

fn is_ready(network: &serde_json::Value) -> bool {
    let conditions = network["status"]["conditions"].as_array();
    conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
}

/// On a thread of its own, so that nothing of another test is left.
fn alone<T: Send + 'static>(networks: usize, story: impl AsyncFnOnce(Place) -> T + Send + 'static) -> T {
    let run = move || {
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let place = Place::new(networks);
            let trace = place.trace.clone();
            let lines = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || trace.clone());
            let targets: Targets = std::env::var("FAULT_LOG").unwrap_or_else(|_| "dmsnet=info".into()).parse().unwrap();
            let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(targets).with(lines));
            story(place).await
        })
    };
    std::thread::spawn(run).join().unwrap()
}

#[test]
fn a_start_with_many_networks_is_bounded_by_pages() {
    let networks = crate::number("START_NETWORKS").unwrap_or(120) as usize;
    alone(networks, async move |place| {
        let first = place.starts("first", 0).await;
        println!("first: {:?}, {:?} {:#?}", first.looked, first.ready, place.aws.counts(0));
        let (mark, mut before) = (place.aws.mark(), place.versions());
        // The class was let go, and taken again.
        before.remove("sim");
        let second = place.starts("second", 0).await;
        let counts = place.aws.counts(mark);
        println!("second: {:?}, {:?} {counts:#?}", second.looked, second.ready);
        assert_eq!(place.written_since(&before), Vec::<String>::new(), "what is as it was is not written again");
        let third = place.starts("third", 12).await;
        assert_eq!(third.written, Vec::<String>::new(), "nor what is read later");
        assert_eq!(*place.aws.refused.lock().unwrap(), 0, "AWS had to refuse nothing");
        if std::env::var_os("START_LOG").is_some() {
            println!("{}", place.trace.lines().join("\n"));
        }
        // The sweeps of the DNS attributes go on; a pass waits for none of them.
        let bound = Duration::from_secs(5) + Duration::from_millis(20) * networks as u32;
        assert!(second.looked < bound, "{:?}", second.looked);
        assert!(first.ready < bound * 3, "{:?}", first.ready);
        // 3.2 a second of DMS's reads are ours, and 80 at once.
        let dms: usize = counts.iter().filter(|(o, _)| o.starts_with("dms:")).map(|(_, n)| n).sum();
        assert!(dms < 80 + networks / 10, "{dms}");
    });
}
