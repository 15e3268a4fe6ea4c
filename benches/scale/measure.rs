//! One run: so many networks, from converged to idle to broken to mended.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    time::{Duration, Instant},
};

use dmsnet::api::{DmsNetwork, DmsNetworkClass};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::sleep;

use crate::{
    harness::{ApiServer, Controller, Metrics, apiserver, controller, emulator::CONTROLLER_KEY},
    least,
    server::Stub,
    stub::{Ids, World},
};

/// The namespace, the class, and the owner.
pub const NAME: &str = "scale";
/// What the controller logs once it has a whole picture.
const LOOKED: &str = "every network was looked at once";
/// Networks of one account and Region. More are spread over several, each with its own class and its own stub: AWS grants each its
/// own requests.
const PER_ACCOUNT: usize = 1_000;
/// Objects made at a time.
const MAKERS: usize = 32;
/// How soon what was broken is seen to be mended.
const POLL: Duration = Duration::from_millis(10);
/// Longest wait for a run to get anywhere.
pub const PATIENCE: Duration = Duration::from_secs(1800);

/// What is to be measured.
pub struct Wish {
    pub networks: usize,
    pub interval: Duration,
    /// Idle sweeps that are counted.
    pub sweeps: u32,
    /// Rules that are taken away, each at another moment of a sweep.
    pub breakages: u32,
    /// How long the stub takes for an answer.
    pub latency: Duration,
}

/// What was measured.
pub struct Figures {
    pub networks: usize,
    pub interval: Duration,
    pub latency: Duration,
    pub sweeps: u32,
    /// From the first start, without any status, to all networks ready.
    pub adopted: Duration,
    /// From a restart until every network was looked at once.
    pub started: Duration,
    /// Reads while idle, by operation.
    pub reads: BTreeMap<String, usize>,
    /// Writes while idle: to AWS, and to Kubernetes.
    pub aws_writes: usize,
    pub kubernetes_writes: usize,
    /// Processor time of the idle controller.
    pub cpu: Duration,
    /// Resident memory in KiB: idle, and the most there ever was.
    pub rss: u64,
    pub peak: u64,
    /// From a rule's end to the next one in its place, sorted.
    pub mended: Vec<Duration>,
    /// Most reads of one second, while idle.
    pub busiest_second: usize,
}

impl Figures {
    pub fn cpu_per_sweep(&self) -> Duration {
        self.cpu / self.sweeps
    }

    pub fn reads_per_sweep(&self) -> f64 {
        self.reads.values().sum::<usize>() as f64 / f64::from(self.sweeps)
    }

    /// The least number of pages that can carry what was read.
    pub fn least_per_sweep(&self) -> f64 {
        self.reads.keys().filter_map(|o| least::of(o, self.networks)).map(|(pages, _)| pages).sum()
    }

    pub fn megabytes(&self) -> f64 {
        self.rss as f64 * 1024.0 / 1e6
    }
}

pub async fn run(wish: &Wish) -> Figures {
    let n = wish.networks;
    told(n, "an API server, and its objects");
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = ApiServer::private();
    let client = apiserver::client(&server.kubeconfig).await;
    let mut stubs = Vec::new();
    for from in (0..n).step_by(PER_ACCOUNT) {
        let world = World::converged(PER_ACCOUNT.min(n - from), NAME, |i| format!("{NAME}/{}", network(from + i)));
        stubs.push(Stub::limited(world, wish.latency).await);
    }
    let made = Instant::now();
    make(&client, wish, &stubs).await;
    told(n, &format!("made in {:.1} s; the controller adopts what is there", made.elapsed().as_secs_f64()));

    let mut controller = controller(&server, dir.path());
    let begun = Instant::now();
    controller.start();
    ready(&mut controller, n).await;
    let adopted = begun.elapsed();
    quiet(&client).await;

    told(n, &format!("ready after {:.1} s; again, with status in place", adopted.as_secs_f64()));
    controller.term();
    let begun = Instant::now();
    controller.start();
    let mut looked = Looked::new(&controller.log);
    until("a whole picture", async || looked.at_least(2)).await;
    let started = begun.elapsed();
    quiet(&client).await;
    // Two sweeps, until whatever was read for a reason has gone into step.
    sleep(wish.interval * 2).await;

    told(n, &format!("started in {:.1} s; {} idle sweeps", started.as_secs_f64(), wish.sweeps));
    let pid = controller.process().pid();
    let marks: Vec<usize> = stubs.iter().map(Stub::mark).collect();
    let (writes, cpu) = (kubernetes_writes(&client).await, processor(pid));
    sleep(wish.interval * wish.sweeps).await;
    let cpu = processor(pid) - cpu;
    let kubernetes_writes = kubernetes_writes(&client).await - writes;
    let calls: Vec<_> = stubs.iter().zip(marks).flat_map(|(stub, mark)| stub.calls(mark)).collect();
    let mut seconds: BTreeMap<u64, usize> = BTreeMap::new();
    let mut reads: BTreeMap<String, usize> = BTreeMap::new();
    for call in calls.iter().filter(|c| !c.write) {
        *reads.entry(call.operation.clone()).or_default() += 1;
        *seconds.entry(call.at.duration_since(made).as_secs()).or_default() += 1;
    }
    let aws_writes = calls.iter().filter(|c| c.write).count();
    let (rss, peak) = (memory(pid, "VmRSS:"), memory(pid, "VmHWM:"));

    told(n, "rules are taken away");
    let mended = broken(&stubs, wish).await;
    controller.term();
    Figures {
        networks: n,
        interval: wish.interval,
        latency: wish.latency,
        sweeps: wish.sweeps,
        adopted,
        started,
        reads,
        aws_writes,
        kubernetes_writes,
        cpu,
        rss,
        peak,
        mended,
        busiest_second: seconds.values().copied().max().unwrap_or_default(),
    }
}

/// The binary, not started yet.
pub fn controller(server: &ApiServer, dir: &Path) -> Controller {
    let options = controller::Options {
        kubeconfig: server.kubeconfig.clone(),
        cluster_name: NAME.into(),
        class_selector: String::new(),
        identity: NAME.into(),
        access_key: CONTROLLER_KEY.into(),
        args: vec![],
        env: vec![],
    };
    Controller::new(options, dir, "controller")
}

/// Waits until all networks are ready.
pub async fn ready(controller: &mut Controller, networks: usize) {
    until("all networks are ready", async || {
        let ready = controller.metrics().sum("dmsnet_networks", &[("ready", "True")]);
        (ready as usize >= networks).then_some(()).ok_or(format!("{ready} ready"))
    })
    .await;
}

pub fn told(networks: usize, what: &str) {
    eprintln!("[scale] {networks}: {what}");
}

pub fn network(n: usize) -> String {
    format!("orders-{n}")
}

pub fn class(account: usize) -> String {
    format!("{NAME}-{account}")
}

/// The classes and the networks, many at a time.
pub async fn make(client: &Client, wish: &Wish, stubs: &[Stub]) {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    create(&namespaces, json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAME } })).await;
    let api = "dmsnet.dev/v1alpha1";
    let classes: Api<DmsNetworkClass> = Api::all(client.clone());
    for (i, stub) in stubs.iter().enumerate() {
        let spec = json!({
            "region": stub.world().region.clone(),
            "endpointUrl": stub.url,
            "allowedNamespaces": { "from": "All" },
            "guardrails": { "vpcIds": ["*"] },
            "resyncInterval": format!("{}s", wish.interval.as_secs()),
        });
        create(&classes, json!({ "apiVersion": api, "kind": "DmsNetworkClass", "metadata": { "name": class(i) }, "spec": spec })).await;
    }
    let networks: Api<DmsNetwork> = Api::namespaced(client.clone(), NAME);
    stream::iter(0..wish.networks)
        .for_each_concurrent(MAKERS, |i| {
            let metadata = json!({ "name": network(i), "namespace": NAME });
            let networks = networks.clone();
            let object = json!({ "apiVersion": api, "kind": "DmsNetwork", "metadata": metadata, "spec": Ids(i % PER_ACCOUNT).spec(&class(i / PER_ACCOUNT)) });
            async move { create(&networks, object).await }
        })
        .await;
}

async fn create<K>(api: &Api<K>, object: Value)
where
    K: Clone + std::fmt::Debug + serde::Serialize + serde::de::DeserializeOwned,
{
    let object: K = serde_json::from_value(object).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
}

/// Waits, with a deadline and what was seen last.
pub async fn until(what: &str, mut look: impl AsyncFnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(seen) = look().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}; {seen}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until nothing was written to Kubernetes for three seconds.
pub async fn quiet(client: &Client) {
    let mut last = (usize::MAX, Instant::now());
    until("Kubernetes is quiet", async || {
        let writes = kubernetes_writes(client).await;
        if writes != last.0 {
            last = (writes, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(3)).then_some(()).ok_or(format!("{writes} writes"))
    })
    .await;
}

/// How often the controller has logged that it has a whole picture. What it logs can be megabytes: each line is read once.
struct Looked {
    log: BufReader<File>,
    line: String,
    times: usize,
}

impl Looked {
    fn new(log: &Path) -> Self {
        Self { log: BufReader::new(File::open(log).unwrap()), line: String::new(), times: 0 }
    }

    fn at_least(&mut self, times: usize) -> Result<(), String> {
        // A line without its end goes on the next time.
        while self.log.read_line(&mut self.line).unwrap() > 0 && self.line.ends_with('\n') {
            self.times += usize::from(self.line.contains(LOOKED));
            self.line.clear();
        }
        (self.times >= times).then_some(()).ok_or(format!("{} of {times}", self.times))
    }
}

/// Writes that the API server has taken of our resources and of Events.
pub async fn kubernetes_writes(client: &Client) -> usize {
    let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
    let metrics = Metrics(client.request_text(request).await.unwrap());
    let resources = ["dmsnetworks", "dmsnetworkclasses", "events"];
    let of = |resource: &str, verb: &str| metrics.sum("apiserver_request_total", &[("resource", resource), ("verb", verb)]);
    let each = resources.iter().flat_map(|r| ["POST", "PUT", "PATCH", "APPLY", "DELETE"].map(|v| of(r, v)));
    each.sum::<f64>() as usize
}

/// Processor time that a process has used.
pub fn processor(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything: state is the first, utime and stime the twelfth and thirteenth.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

/// Memory in KiB, by the name in `/proc/…/status`.
pub fn memory(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Takes a rule away from as many networks as are wanted, spread over a sweep, and waits for each to come back.
async fn broken(stubs: &[Stub], wish: &Wish) -> Vec<Duration> {
    let each = (0..wish.breakages).map(|k| async move {
        sleep(wish.interval * k / wish.breakages).await;
        // Each network once.
        let at = k as usize * wish.networks / wish.breakages as usize;
        if k > 0 && at == (k as usize - 1) * wish.networks / wish.breakages as usize {
            return None;
        }
        let (stub, group) = (&stubs[at / PER_ACCOUNT], Ids(at % PER_ACCOUNT).source());
        stub.world().rules.get_mut(&group).unwrap().clear();
        let begun = Instant::now();
        let back = || stub.world().rules[&group].iter().any(|r| !r.egress && r.to == 5432);
        while !back() {
            assert!(begun.elapsed() < PATIENCE, "the rule of {group} does not come back");
            sleep(POLL).await;
        }
        Some(begun.elapsed())
    });
    let mut all: Vec<Duration> = futures::future::join_all(each).await.into_iter().flatten().collect();
    all.sort();
    all
}
