//! Many networks, a controller, and an AWS that grants only so many requests: no other faults, and the clock paused. What takes time
//! here is waiting, not work.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
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
use dmsnet::controller::{self, Fence, Parts};
use kube::{
    Client,
    client::{ClientBuilder, retry::RetryPolicy},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tower::{Layer, retry::RetryLayer};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt};

use crate::{
    checker::{Checker, OWNER},
    clock::Clock,
    cluster::{Cluster, Key, Kind, Server},
    fate::{Fates, Weather},
    fixed,
    replica::{self, Life},
    stub::{
        ACCOUNT, Buckets, Call, Ids, Queue, World,
        buckets::{Limits, of_aws},
        event,
    },
    trace::Trace,
};

const NAMESPACE: &str = "dmsnet-system";
/// How long AWS takes for an answer.
const LATENCY: Duration = Duration::from_millis(20);

/// A request, and what became of it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it came.
    pub at: Duration,
    /// Such as `ec2:DescribeSubnets`.
    pub operation: String,
    pub write: bool,
    /// AWS's code, where it was refused.
    pub code: Option<&'static str>,
}

/// The world, behind a limit of requests.
pub struct Aws {
    clock: Clock,
    trace: Trace,
    world: Mutex<World>,
    buckets: Mutex<Buckets>,
    asked: Mutex<Vec<Asked>>,
    /// The change queue: of our own writes as well.
    queue: Queue,
}

impl Aws {
    /// What it holds, to look or to break.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// From now on it grants so much.
    pub fn grants(&self, limits: Limits) {
        *self.buckets.lock().unwrap() = Buckets::new(limits);
    }

    /// The change queue.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    /// All requests since then.
    pub fn asked(&self, since: Duration) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|a| a.at >= since).cloned().collect()
    }

    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        let target = request.headers().get("x-amz-target").map(str::to_owned);
        let call = Call::parse(target.as_deref(), request.body().bytes().unwrap_or_default());
        let at = self.clock.elapsed();
        let granted = self.buckets.lock().unwrap().take(&call, at);
        let reply = match granted {
            Ok(()) if call.service == "sqs" => call.of_queue(&self.queue).await,
            Ok(()) => call.answer(&mut self.world()),
            Err(fault) => call.refusal(&fault),
        };
        let operation = format!("{}:{}", call.service, call.operation);
        self.trace.add(|| format!("aws {operation}: {}", reply.code.unwrap_or("done")));
        let request_id = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(Asked { at, operation, write: call.is_write(), code: reply.code });
            format!("request-{}", asked.len())
        };
        sleep(LATENCY).await;
        if call.is_write() && reply.code.is_none() {
            let request = json!({ "groupId": call.get("GroupId") });
            self.queue.send(event(&call.operation, &request_id, &self.world().region, request, json!({ "_return": true })));
        }
        let mut response = HttpResponse::new(StatusCode::try_from(reply.status).unwrap(), SdkBody::from(reply.body));
        response.headers_mut().insert("content-type", reply.content_type);
        response.headers_mut().insert("x-amzn-requestid", request_id);
        response
    }
}

/// The SDK's way to it.
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

/// See the module.
pub struct Place {
    pub clock: Clock,
    pub trace: Trace,
    pub aws: Arc<Aws>,
    pub cluster: Arc<Cluster>,
    fates: Arc<Fates>,
    checker: Arc<Checker>,
}

/// A controller that runs.
pub struct Running {
    stop: CancellationToken,
    life: Life,
    task: JoinHandle<Result<(), controller::RunError>>,
}

impl Place {
    /// So many networks without a status, and AWS as they want it.
    fn new(networks: usize) -> Self {
        let clock = Clock::start();
        let trace = Trace::new(clock);
        let world = World::converged(networks, OWNER, |n| format!("team/net-{n}"));
        let buckets = Mutex::new(Buckets::new(of_aws));
        let aws = Arc::new(Aws {
            clock,
            trace: trace.clone(),
            world: Mutex::new(world),
            buckets,
            asked: Mutex::default(),
            queue: Queue::default(),
        });
        let cluster = Arc::new(Cluster::new(clock));
        let checker = Arc::new(Checker::new(clock, trace.clone(), networks, cluster.clone()));
        let fates = Arc::new(Fates::new(0, Weather::default(), trace.clone()));
        fates.set(false);
        let make = |kind, object| cluster.create(kind, object).map(drop).unwrap();
        for namespace in ["kube-system", "team", NAMESPACE] {
            make(Kind::Namespace, json!({ "metadata": { "name": namespace } }));
        }
        let spec = json!({
            "region": "us-west-2", "endpointUrl": "http://aws.test", "allowedNamespaces": { "from": "All" },
            "guardrails": { "vpcIds": ["*"] }, "resyncInterval": "60s",
        });
        make(Kind::Class, json!({ "metadata": { "name": "sim" }, "spec": spec }));
        for n in 0..networks {
            let metadata = json!({ "name": format!("net-{n}"), "namespace": "team" });
            make(Kind::Network, json!({ "metadata": metadata, "spec": Ids(n).spec("sim") }));
        }
        Self { clock, trace, aws, cluster, fates, checker }
    }

    /// Which object a network is.
    pub fn key(n: usize) -> Key {
        Key::new(Kind::Network, "team", &format!("net-{n}"))
    }

    /// From now on the class has a change queue, and no sweep comes.
    pub fn by_queue(&self) {
        let class = Key::new(Kind::Class, "", "sim");
        let change = |object: &mut Value| {
            object["spec"]["changeQueue"] = json!({ "url": format!("http://aws.test/{ACCOUNT}/changes") });
            object["spec"]["resyncInterval"] = "1h".into();
            Ok(())
        };
        self.cluster.change(&class, change).unwrap();
    }

    /// Starts the controller.
    pub fn start(&self, name: &str) -> Running {
        let life = Life::new(name, 0);
        let server = Server { cluster: self.cluster.clone(), fates: self.fates.clone(), checker: self.checker.clone(), life: life.clone() };
        let way = Way(self.aws.clone());
        let loader: dmsnet::aws::Loader = Arc::new(move || {
            let connector = SharedHttpConnector::new(way.clone());
            let http = http_client_fn(move |_, _| connector.clone());
            let credentials = Credentials::new("AKIASIM", "not-a-secret", None, None, "sim");
            let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http);
            loader.credentials_provider(SharedCredentialsProvider::new(credentials))
        });
        let stop = CancellationToken::new();
        let retrying = RetryLayer::new(RetryPolicy::default()).layer(server.clone());
        let kubernetes = Box::new(|fence: &Fence| ClientBuilder::new(retrying, NAMESPACE).with_layer(fence).build());
        let options = replica::options(name);
        let parts =
            Parts { kubernetes, leases: Client::new(server, NAMESPACE), namespace: NAMESPACE.into(), aws: loader, stop: stop.clone() };
        Running { stop, life, task: tokio::spawn(controller::run_with(options, parts)) }
    }

    /// Waits until that is so, and no longer than an hour of the paused clock.
    pub async fn until(&self, what: &str, done: impl Fn() -> bool) {
        let hour = self.clock.elapsed() + Duration::from_secs(3600);
        while !done() {
            assert!(self.clock.elapsed() < hour, "not within an hour: {what}\n{}", self.trace.lines().join("\n"));
            sleep(Duration::from_millis(250)).await;
        }
    }

    /// Waits until all networks are ready.
    pub async fn ready(&self) {
        self.until("all are ready", || self.cluster.list(Kind::Network).iter().all(|n| condition(n, "Ready")["status"] == "True")).await;
    }
}

impl Running {
    /// SIGTERM, and the end of it.
    pub async fn end(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(30), self.task).await.unwrap().unwrap().unwrap();
        self.life.end();
    }
}

/// One condition of an object.
pub fn condition(object: &Value, type_: &str) -> Value {
    let all = object["status"]["conditions"].as_array();
    all.and_then(|all| all.iter().find(|c| c["type"] == type_)).cloned().unwrap_or_default()
}

/// Prints a story at its end, however that comes, if it was asked for.
struct Told(Trace);

impl Drop for Told {
    fn drop(&mut self) {
        if std::env::var_os("FAULT_LOG").is_some() {
            println!("{}", self.0.lines().join("\n"));
        }
    }
}

/// A story over so many networks, the same each time: in a process of its own, where the wall clock stands still as the paused one does.
/// `FAULT_LOG` is as for seeds.
pub fn story<F: AsyncFnOnce(&Place) + Send + 'static>(networks: usize, tell: F) {
    // Of the test that it is told in.
    let test = std::any::type_name::<F>();
    let test = test.split_once("::").map_or(test, |(_, test)| test);
    if fixed::again(test.split("::{{closure}}").next().unwrap_or(test)) {
        return;
    }
    let run = move || {
        fastrand::seed(1);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let place = Place::new(networks);
            let trace = place.trace.clone();
            let lines = tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(move || trace.clone());
            let targets: Targets = std::env::var("FAULT_LOG").unwrap_or_else(|_| "dmsnet=info".into()).parse().unwrap();
            let _log = tracing::subscriber::set_default(tracing_subscriber::registry().with(targets).with(lines));
            let _lines = Told(place.trace.clone());
            tell(&place).await;
        });
    };
    std::thread::spawn(run).join().unwrap();
}
