//! One seed, from the first network to the last one's end.

use std::{cell::RefCell, sync::Arc, time::Duration};

use aws_config::BehaviorVersion;
use aws_sdk_ec2::config::{Credentials, SharedCredentialsProvider};
use dmsnet::controller::{self, Fence, Parts};
use kube::{
    Client,
    client::{ClientBuilder, retry::RetryPolicy},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tower::{Layer, retry::RetryLayer};

use crate::{
    aws::{Aws, History, Queue},
    chance,
    checker::Checker,
    clock::Clock,
    cluster::{Cluster, Key, Kind, Server},
    fate::{Fates, Weather},
    meddle::meddle,
    replica::{self, Life},
    schedule::{Deed, Schedule},
    stub::World,
    trace::Trace,
    wants::Wish,
};

/// Topologies of the world.
const PLACES: usize = 2;
/// Where the controller runs.
const NAMESPACE: &str = "dmsnet-system";

/// How a seed went.
#[derive(Default, Deserialize, Serialize)]
pub struct Story {
    /// What happened, line by line.
    pub lines: Vec<String>,
    /// The same for the same story.
    pub digest: u64,
    pub broken: Vec<String>,
    /// How long it took to be well once faults stopped: made, and unmade.
    pub took: [Duration; 2],
    pub simulated: Duration,
    pub writes: usize,
    pub requests: u64,
}

thread_local! {
    static LOG: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// Where the log of a run's thread goes.
pub fn log() -> Box<dyn std::io::Write> {
    LOG.with_borrow(Clone::clone).map_or_else(|| Box::new(std::io::sink()) as Box<dyn std::io::Write>, |trace| Box::new(trace))
}

/// A Kubernetes, an AWS, and the processes of the controller between them.
pub struct Sim {
    seed: u64,
    pub clock: Clock,
    pub trace: Trace,
    pub cluster: Arc<Cluster>,
    pub fates: Arc<Fates>,
    pub history: Arc<History>,
    pub queue: Arc<Queue>,
    pub checker: Arc<Checker>,
    pub schedule: Schedule,
    /// Replicas; none where one was killed and is not back yet.
    processes: Vec<Option<Process>>,
    started: usize,
}

/// One process of the controller.
struct Process {
    life: Life,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// The network of that number.
pub fn key(n: usize) -> Key {
    Key::new(Kind::Network, "team", &format!("net-{n}"))
}

/// Runs a seed. Within a runtime of one thread, with its clock paused.
pub async fn run(seed: u64) -> Story {
    let (schedule, mut weather) = (Schedule::of(seed), Weather::of(seed));
    if schedule.lives() > 1 {
        // Who writes next does not know what was written last: a Lease's time is all that is in between.
        weather.stalest = weather.stalest.min(Duration::from_secs(15));
    }
    let mut sim = Sim::new(seed, schedule, weather);
    LOG.set(Some(sim.trace.clone()));
    sim.trace.add(|| format!("seed {seed}: {:?}", sim.fates.weather));
    let took = sim.story().await;
    sim.end();
    let (broken, writes, requests) = (sim.checker.broken(), sim.checker.writes(), sim.fates.requests());
    let (lines, digest) = (sim.trace.lines(), sim.trace.digest());
    Story { lines, digest, requests, broken, took, simulated: sim.clock.elapsed(), writes }
}

impl Sim {
    /// Nothing is there yet, and nobody runs.
    pub fn new(seed: u64, schedule: Schedule, weather: Weather) -> Self {
        let clock = Clock::start();
        let trace = Trace::new(clock);
        let mut world = World::bare(PLACES);
        world.region = format!("sim-{seed}");
        world.endpoint_takes = schedule.endpoint_takes;
        for place in 0..PLACES {
            let ids = crate::stub::Ids(place);
            let peer = crate::stub::Peer::Cidr("10.0.8.0/24".into());
            world.add_rule(&ids.source(), false, "tcp", (5432, 5432), peer, "of the application".into(), Default::default());
        }
        let cluster = Arc::new(Cluster::new(clock));
        let checker = Arc::new(Checker::new(clock, trace.clone(), PLACES, cluster.clone()));
        Self {
            seed,
            clock,
            cluster,
            fates: Arc::new(Fates::new(seed, weather, trace.clone())),
            history: Arc::new(History::new(world)),
            queue: Arc::new(Queue::new(clock)),
            checker,
            trace,
            processes: (0..schedule.replicas).map(|_| None).collect(),
            schedule,
            started: 0,
        }
    }

    /// Nobody runs any more.
    pub fn end(&mut self) {
        for process in self.processes.iter_mut().filter_map(Option::take) {
            process.life.end();
            process.stop.cancel();
        }
    }

    async fn story(&mut self) -> [Duration; 2] {
        self.furnish();
        for slot in 0..self.processes.len() {
            self.start(slot);
        }
        let begin = Instant::now();
        let deeds = std::mem::take(&mut self.schedule.deeds);
        self.perform(begin, deeds, "first").await;
        sleep_until(begin + self.schedule.first).await;
        let outlived = std::mem::take(&mut self.schedule.outlived);
        if let Some(Deed::Outlive(_, length)) = outlived.first().map(|(_, deed)| deed.clone()) {
            self.perform(Instant::now(), outlived, "outlived").await;
            sleep(length).await;
        }
        self.calm(true);
        let made = self.until_well("whole", Self::whole).await;
        self.no_drift();
        // It takes long, and some seeds tell as much as all.
        if self.checker.broken().is_empty() && self.seed.is_multiple_of(3) {
            self.idle().await;
        }

        let begin = Instant::now();
        if self.schedule.faults_to_the_end {
            self.calm(false);
        }
        let mut deeds: Vec<(Duration, Deed)> =
            self.schedule.deletions.clone().into_iter().enumerate().map(|(n, at)| (at, Deed::Delete(n))).collect();
        deeds.append(&mut self.schedule.late_deeds);
        deeds.sort_by_key(|(at, _)| *at);
        self.perform(begin, deeds, "last").await;
        self.calm(true);
        let gone = self.until_well("gone", Self::gone).await;
        [made, gone]
    }

    /// What is there before the controller.
    pub fn furnish(&self) {
        let make = |kind, object| self.cluster.create(kind, object).map(drop).unwrap();
        for namespace in ["kube-system", "team", NAMESPACE] {
            make(Kind::Namespace, json!({ "metadata": { "name": namespace } }));
        }
        let mut spec = json!({
            "region": format!("sim-{}", self.seed), "endpointUrl": "http://aws.test", "allowedNamespaces": { "from": "All" },
            "guardrails": { "vpcIds": ["*"] },
        });
        if self.schedule.queue {
            spec["changeQueue"] = json!({ "url": "http://aws.test/111122223333/changes" });
        }
        make(Kind::Class, json!({ "metadata": { "name": "sim" }, "spec": spec }));
    }

    /// A process, and again whenever it ends by itself.
    pub fn start(&mut self, slot: usize) {
        self.started += 1;
        let behind = self.schedule.clocks[slot];
        let life = Life::new(&format!("r{}", self.started), behind);
        self.trace.add(|| format!("--- {} starts, its clock {behind} s behind", life.name));
        let server = Server { cluster: self.cluster.clone(), fates: self.fates.clone(), checker: self.checker.clone(), life: life.clone() };
        let aws = Aws {
            history: self.history.clone(),
            queue: self.queue.clone(),
            fates: self.fates.clone(),
            checker: self.checker.clone(),
            clock: self.clock,
            life: life.clone(),
        };
        let http = aws.client();
        let loader: dmsnet::aws::Loader = Arc::new(move || {
            let credentials = Credentials::new("AKIASIM", "not-a-secret", None, None, "sim");
            let loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).http_client(http.clone());
            loader.credentials_provider(SharedCredentialsProvider::new(credentials))
        });
        let stop = CancellationToken::new();
        let (told, of, trace) = (stop.clone(), life.clone(), self.trace.clone());
        let task = tokio::spawn(async move {
            while !told.is_cancelled() && !of.is_over() {
                let retrying = RetryLayer::new(RetryPolicy::default()).layer(server.clone());
                let kubernetes = Box::new(|fence: &Fence| ClientBuilder::new(retrying, NAMESPACE).with_layer(fence).build());
                let leases = Client::new(server.clone(), NAMESPACE);
                let options = replica::options(&of.name);
                let parts = Parts { kubernetes, leases, namespace: NAMESPACE.into(), aws: loader.clone(), stop: told.clone() };
                if let Err(error) = controller::run_with(options, parts).await {
                    trace.add(|| format!("--- {} ends: {error}", of.name));
                    sleep(Duration::from_secs(2)).await;
                }
            }
        });
        self.processes[slot] = Some(Process { life, stop, task });
    }

    /// kill -9.
    pub fn kill(&mut self, slot: usize) {
        if let Some(process) = self.processes[slot].take() {
            process.life.end();
            process.stop.cancel();
            self.trace.add(|| format!("--- {} is killed", process.life.name));
        }
    }

    /// Of the replicas that run, the one that holds the Lease; none after a while in which none does.
    async fn leader(&self) -> Option<Life> {
        for _ in 0..60 {
            let leads = |p: &&Process| self.checker.holder() == *p.life.name;
            if let Some(process) = self.processes.iter().flatten().find(leads) {
                return Some(process.life.clone());
            }
            sleep(Duration::from_secs(1)).await;
        }
        None
    }

    /// See [`Deed::Outlive`].
    async fn outlive(&self, reads: bool, length: Duration) {
        let Some(life) = self.leader().await else { return };
        self.trace.add(|| format!("--- {} crawls", life.name));
        life.crawl(true, reads);
        life.withhold_leases(true);
        tokio::spawn(async move {
            sleep(length).await;
            recover(&life);
        });
    }

    /// Makes a network, or changes its spec.
    pub fn wish(&self, n: usize, wish: Wish) {
        let spec = wish.spec(self.schedule.interval);
        let change = self.cluster.change(&key(n), |object| {
            object["spec"] = spec.clone();
            Ok(())
        });
        let going = change.as_ref().is_ok_and(|o| o["metadata"]["deletionTimestamp"].is_string());
        if change.is_err() {
            let metadata = json!({ "name": format!("net-{n}"), "namespace": "team" });
            self.cluster.create(Kind::Network, json!({ "metadata": metadata, "spec": spec })).unwrap();
        }
        if !going {
            self.checker.wished(&format!("net-{n}"), Some(wish));
        }
    }

    fn calm(&self, calm: bool) {
        self.fates.set(!calm);
        if calm {
            self.processes.iter().flatten().for_each(|p| recover(&p.life));
            // What a fault holds up is not held up any longer.
            self.fates.cut_watches();
        }
    }

    async fn perform(&mut self, begin: Instant, deeds: Vec<(Duration, Deed)>, part: &str) {
        for (n, (at, deed)) in deeds.into_iter().enumerate() {
            sleep_until(begin + at).await;
            if !self.checker.broken().is_empty() {
                return;
            }
            let rng = &mut chance::of(self.seed, (part, n));
            self.trace.add(|| format!("--- {deed:?}"));
            match deed {
                Deed::Wish(n, wish) => self.wish(n, wish),
                Deed::Delete(n) => {
                    // One that was never made is not there.
                    let _ = self.cluster.delete(&key(n));
                    self.checker.wished(&format!("net-{n}"), None);
                }
                Deed::Request(n) => {
                    let at = self.clock.stamp();
                    let _ = self.cluster.change(&key(n), |object| {
                        object["metadata"]["annotations"]["dmsnet.dev/reconcile-requested-at"] = at.into();
                        Ok(())
                    });
                }
                Deed::Meddle(what) => {
                    meddle(what, rng, &self.history, self.schedule.queue.then_some(&*self.queue), &self.checker, self.clock, &self.trace)
                }
                Deed::Kill(slot, pause) => {
                    self.kill(slot);
                    sleep(pause).await;
                    self.start(slot);
                }
                Deed::Stop(slot) => {
                    if let Some(process) = self.processes[slot].take() {
                        process.stop.cancel();
                        let ended = tokio::time::timeout(Duration::from_secs(30), process.task).await;
                        process.life.end();
                        self.trace.add(|| format!("--- {} has stopped by itself: {}", process.life.name, ended.is_ok()));
                    }
                    self.start(slot);
                }
                Deed::Part(slot, length) => {
                    let life = self.processes[slot].as_ref().map(|p| p.life.clone());
                    if let Some(life) = &life {
                        life.part(true);
                        self.fates.cut_watches();
                    }
                    sleep(length).await;
                    if let Some(life) = &life {
                        life.part(false);
                    }
                }
                Deed::WithoutLease(slot, length) => {
                    let life = self.processes[slot].as_ref().map(|p| p.life.clone());
                    let withhold = |withheld| life.iter().for_each(|l| l.withhold_leases(withheld));
                    withhold(true);
                    sleep(length).await;
                    withhold(false);
                }
                Deed::SlowLease(slot, length) => {
                    let life = self.processes[slot].as_ref().map(|p| p.life.clone());
                    life.iter().for_each(|l| l.slow_leases(true));
                    sleep(length).await;
                    life.iter().for_each(|l| l.slow_leases(false));
                }
                Deed::Outlive(reads, length) => self.outlive(reads, length).await,
                Deed::Clock(slot, behind) => {
                    self.schedule.clocks[slot] = behind;
                    self.processes[slot].iter().for_each(|p| p.life.set_clock(behind));
                }
                Deed::Outage(length) => {
                    self.fates.api_server(false);
                    sleep(length).await;
                    self.fates.api_server(true);
                }
                Deed::CutWatches => self.fates.cut_watches(),
                Deed::Compact => {
                    self.cluster.compact();
                    self.fates.cut_watches();
                }
            }
        }
    }
}

/// Nothing holds it up any more.
fn recover(life: &Life) {
    life.crawl(false, false);
    life.withhold_leases(false);
}
