//! By queue event: rules are taken away at a given rate, each with its event in the change queue at the same instant; how long
//! until they are back in AWS, and what that costs. Sweeps are far apart, so that nothing else finds them. And a storm.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use dmsnet::api::DmsNetworkClass;
use fastrand::Rng;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::{sleep, sleep_until};

use crate::{
    harness::{ApiServer, Controller, apiserver},
    measure::{self, NAME, Wish, kubernetes_writes, memory, processor, quiet, ready, told, until},
    server::{Answered, Stub},
    stub::{Ids, Peer, Rule, World},
};

/// How long rules are taken away at one rate.
const LENGTH: Duration = Duration::from_secs(60);
/// Changes of the storm, and in what time.
const STORM: (u32, Duration) = (5_000, Duration::from_secs(10));
/// Networks whose groups the storm is about.
const STRUCK: usize = 200;
/// No sweep comes while it is measured.
const NEVER: &str = "1h";

/// What rules were taken away, and how they came back.
pub struct Run {
    pub name: String,
    /// From a rule's end, and its event, to the next one in its place, sorted.
    pub mended: Vec<Duration>,
    /// Until the last was back, from the first that went.
    pub all: Duration,
    /// Calls of each operation, in all and in the busiest second.
    pub calls: BTreeMap<String, (usize, usize)>,
    /// Of these, refused by AWS's buckets.
    pub refused: usize,
    pub kubernetes_writes: usize,
    pub cpu: Duration,
    /// Messages by what became of them.
    pub messages: BTreeMap<&'static str, usize>,
    /// Resident memory in KiB: before, at most, after.
    pub rss: [u64; 3],
    /// Groups that lost a rule, by the operation that mends them: the least calls that can do.
    pub groups: BTreeMap<&'static str, usize>,
}

/// Rules that are away, and when they went.
#[derive(Default)]
struct Away {
    open: Vec<(Rule, Instant)>,
    mended: Vec<Duration>,
    last: Option<Instant>,
    /// Groups that lost one, and the call that makes it.
    groups: BTreeSet<(&'static str, String)>,
}

struct Bench {
    networks: usize,
    stub: Arc<Stub>,
    client: Client,
    controller: Controller,
    rng: Rng,
    away: Arc<Mutex<Away>>,
}

/// One run of each kind, over so many networks of one account.
pub async fn run(wish: &Wish) -> Vec<Run> {
    let n = wish.networks;
    told(n, "by event: an API server, and its objects");
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let server = ApiServer::private();
    let client = apiserver::client(&server.kubeconfig).await;
    let world = World::converged(n, NAME, |i| format!("{NAME}/{}", measure::network(i)));
    let stubs = [Stub::limited(world, wish.latency).await];
    measure::make(&client, wish, &stubs).await;
    let [stub] = stubs;
    let classes: Api<DmsNetworkClass> = Api::all(client.clone());
    let patch = json!({ "spec": { "changeQueue": { "url": stub.queue_url() }, "resyncInterval": NEVER } });
    classes.patch(&measure::class(0), &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    let mut controller = measure::controller(&server, dir.path());
    controller.start();
    ready(&mut controller, n).await;
    quiet(&client).await;
    let stub = Arc::new(stub);
    let away: Arc<Mutex<Away>> = Arc::default();
    let watch = tokio::spawn(watch(stub.clone(), away.clone()));
    let mut bench = Bench { networks: n, stub, client, controller, rng: Rng::with_seed(1), away };
    let (all, thirty) = (bench.all(), bench.thirty());
    let mut runs = vec![bench.steadily("3 a second, each of another network", 3, &all).await];
    runs.push(bench.steadily("10 a second, of 30 groups", 10, &thirty).await);
    runs.push(bench.storm().await);
    bench.controller.term();
    watch.abort();
    runs
}

/// Whether a rule like this is there.
fn is_back(world: &World, rule: &Rule) -> bool {
    let same = |r: &Rule| (r.egress, &r.protocol, r.from, r.to, &r.peer) == (rule.egress, &rule.protocol, rule.from, rule.to, &rule.peer);
    world.rules.get(&rule.group).is_some_and(|rules| rules.iter().any(same))
}

/// Which call makes it.
fn maker(rule: &Rule) -> &'static str {
    if rule.egress { "ec2:AuthorizeSecurityGroupEgress" } else { "ec2:AuthorizeSecurityGroupIngress" }
}

impl Bench {
    /// One group of each network, now of this kind and now of that.
    fn all(&self) -> Vec<String> {
        let group = |i: usize| match i % 4 {
            0 => Ids(i).source(),
            1 => Ids(i).replication(),
            2 => Ids(i).target(),
            _ => Ids(i).of_endpoint(),
        };
        (0..self.networks).map(group).collect()
    }

    /// The replication's groups and the endpoints' of 15 networks: two rules of ours are in each.
    fn thirty(&self) -> Vec<String> {
        (0..self.networks.min(15)).flat_map(|i| [Ids(i).replication(), Ids(i).of_endpoint()]).collect()
    }

    /// Takes a rule of ours away, if there is one.
    fn take(&mut self, group: &str) -> bool {
        let rule = {
            let mut world = self.stub.world();
            let rules = world.rules.get_mut(group).unwrap();
            let ours: Vec<usize> = (0..rules.len()).filter(|i| !rules[*i].tags.is_empty()).collect();
            if ours.is_empty() {
                return false;
            }
            let rule = rules.remove(ours[self.rng.usize(..ours.len())]);
            let mut away = self.away.lock().unwrap();
            away.open.push((rule.clone(), Instant::now()));
            away.groups.insert((maker(&rule), group.to_owned()));
            rule
        };
        let operation = if rule.egress { "RevokeSecurityGroupEgress" } else { "RevokeSecurityGroupIngress" };
        // By its values, as scripts do, or by its ID, as the console does.
        let peer = match &rule.peer {
            Peer::Group(id) => json!({ "groups": { "items": [{ "groupId": id }] }, "ipRanges": {} }),
            Peer::Cidr(cidr) => json!({ "groups": {}, "ipRanges": { "items": [{ "cidrIp": cidr }] } }),
        };
        let mut values = json!({ "ipProtocol": "tcp", "fromPort": rule.from, "toPort": rule.to });
        values.as_object_mut().unwrap().extend(peer.as_object().unwrap().clone());
        let request = match self.rng.bool() {
            true => json!({ "groupId": group, "ipPermissions": { "items": [values] } }),
            false => json!({ "groupId": group, "securityGroupRuleIds": { "items": [{ "securityGroupRuleId": rule.id }] } }),
        };
        let revoked = json!({ "revokedSecurityGroupRuleSet": { "items": [{ "securityGroupRuleId": rule.id }] } });
        self.stub.tell(operation, request, revoked);
        true
    }

    /// A stranger makes a rule that is no business of ours, or takes it away again.
    fn meddle(&mut self, group: &str) {
        let mut world = self.stub.world();
        let theirs = |r: &Rule| r.to == 22;
        let operation = if world.rules[group].iter().any(theirs) {
            world.rules.get_mut(group).unwrap().retain(|r| !theirs(r));
            "RevokeSecurityGroupIngress"
        } else {
            world.add_rule(group, false, "tcp", (22, 22), Peer::Cidr("198.51.100.0/24".into()), String::new(), Default::default());
            "AuthorizeSecurityGroupIngress"
        };
        drop(world);
        let range =
            json!({ "ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": { "items": [{ "cidrIp": "198.51.100.0/24" }] } });
        self.stub.tell(operation, json!({ "groupId": group, "ipPermissions": { "items": [range] } }), json!({ "_return": true }));
    }

    async fn steadily(&mut self, name: &str, rate: u32, groups: &[String]) -> Run {
        let count = rate * LENGTH.as_secs() as u32;
        let ways: Vec<usize> = (0..count as usize).map(|_| self.rng.usize(..groups.len())).collect();
        // As far apart as can be where there are more of them than rules are taken away.
        let spread = |k: usize| if groups.len() > count as usize { k * groups.len() / count as usize } else { ways[k] };
        self.measured(name, async |bench: &mut Self| {
            let begun = tokio::time::Instant::now();
            for k in 0..count {
                sleep_until(begun + Duration::from_secs(1) * k / rate).await;
                // Where all of a group are away already, one of another.
                let mut at = spread(k as usize);
                while !bench.take(&groups[at]) {
                    at = (at + 1) % groups.len();
                    sleep(Duration::from_millis(1)).await;
                }
            }
        })
        .await
    }

    async fn storm(&mut self) -> Run {
        let (changes, length) = STORM;
        let groups: Vec<String> = (0..self.networks.min(STRUCK))
            .flat_map(|i| [Ids(i).source(), Ids(i).target(), Ids(i).replication(), Ids(i).of_endpoint()])
            .collect();
        self.measured("a storm", async |bench: &mut Self| {
            let begun = tokio::time::Instant::now();
            for k in 0..changes {
                sleep_until(begun + length * k / changes).await;
                let group = &groups[bench.rng.usize(..groups.len())];
                if !bench.take(group) {
                    bench.meddle(group);
                }
            }
        })
        .await
    }

    /// Does it, and waits until all is as before.
    async fn measured(&mut self, name: &str, deeds: impl AsyncFnOnce(&mut Self)) -> Run {
        told(self.networks, &format!("by event: {name}"));
        let pid = self.controller.process().pid();
        // The most is from now on.
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        let (before, cpu, writes) = (memory(pid, "VmRSS:"), processor(pid), kubernetes_writes(&self.client).await);
        let (mark, messages) = (self.stub.mark(), self.messages());
        *self.away.lock().unwrap() = Away::default();
        let begun = Instant::now();
        deeds(self).await;
        let (stub, away) = (self.stub.clone(), self.away.clone());
        until("all rules are back, and the queue is empty", async || {
            let (open, depth) = (away.lock().unwrap().open.len(), stub.queue().depth());
            (open + depth == 0).then_some(()).ok_or(format!("{open} rules are away, {depth} messages are left"))
        })
        .await;
        quiet(&self.client).await;
        ready(&mut self.controller, self.networks).await;
        let away = std::mem::take(&mut *self.away.lock().unwrap());
        let calls = self.stub.calls(mark);
        let mut mended = away.mended;
        mended.sort();
        let seen = self.messages();
        Run {
            name: name.to_owned(),
            mended,
            all: away.last.map_or(Duration::ZERO, |last| last - begun),
            refused: calls.iter().filter(|c| c.code.is_some()).count(),
            calls: by_operation(&calls, begun),
            kubernetes_writes: kubernetes_writes(&self.client).await - writes,
            cpu: processor(pid) - cpu,
            messages: seen.into_iter().map(|(outcome, n)| (outcome, n - messages[outcome])).collect(),
            rss: [before, memory(pid, "VmHWM:"), memory(pid, "VmRSS:")],
            groups: away.groups.iter().fold(BTreeMap::new(), |mut all, (maker, _)| {
                *all.entry(*maker).or_default() += 1;
                all
            }),
        }
    }

    /// Messages of the queue so far, by what became of them.
    fn messages(&mut self) -> BTreeMap<&'static str, usize> {
        let metrics = self.controller.metrics();
        let of = |outcome| (outcome, metrics.sum("dmsnet_queue_messages_total", &[("outcome", outcome)]) as usize);
        ["handled", "own", "unknown", "ignored", "invalid", "failed"].map(of).into()
    }
}

/// In all, and in the busiest second.
fn by_operation(calls: &[Answered], begun: Instant) -> BTreeMap<String, (usize, usize)> {
    let mut seconds: BTreeMap<(&str, u64), usize> = BTreeMap::new();
    for call in calls {
        *seconds.entry((&call.operation, call.at.duration_since(begun).as_secs())).or_default() += 1;
    }
    let mut all: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for ((operation, _), count) in seconds {
        let (total, most) = all.entry(operation.to_owned()).or_default();
        *total += count;
        *most = (*most).max(count);
    }
    all
}

/// Each write wakes it: a rule is back at the instant at which the stub made it.
async fn watch(stub: Arc<Stub>, away: Arc<Mutex<Away>>) {
    loop {
        stub.written().await;
        let world = stub.world();
        let (mut away, now) = (away.lock().unwrap(), Instant::now());
        let (back, open) = std::mem::take(&mut away.open).into_iter().partition(|(rule, _)| is_back(&world, rule));
        away.open = open;
        for (_, gone) in back {
            away.mended.push(now - gone);
            away.last = Some(now);
        }
    }
}
