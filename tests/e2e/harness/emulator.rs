//! AWS, emulated over its wire protocol: one process for each test, with a log of calls, faults and a dump of its state.

use std::{
    collections::BTreeMap,
    path::Path,
    process::Command,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use aws_smithy_http_client::Builder;
use dmsnet::aws::permissions::OPERATIONS;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use ureq::Agent;

use super::{must_exist, process::Process, root, tools};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "us-west-2";
/// Access keys end in the account. The controller's and the test's own differ, so that the log tells who called.
pub const CONTROLLER_KEY: &str = "DMSNET111122223333";
/// Of a second controller, where a test must tell the two apart.
pub const OTHER_KEY: &str = "OTHER111122223333";
pub const TEST_KEY: &str = "TEST111122223333";

const READY: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(30);

pub struct Emulator {
    process: Process,
    http: Agent,
    pub url: String,
    /// The last call that was read.
    seen: AtomicU64,
}

/// One line of the log of calls.
#[derive(Clone, Debug, Deserialize)]
pub struct Call {
    pub seq: u64,
    /// Seconds since 1970, when it arrived.
    pub at: f64,
    pub account: String,
    pub region: String,
    pub service: String,
    pub operation: String,
    pub params: Value,
    pub status: u16,
    /// AWS's error code; empty if it went well.
    pub code: String,
    pub access_key: String,
    /// The host that the caller meant.
    pub host: String,
    /// The algorithm of its signature.
    pub signature: String,
    /// Whether it came with a session token, as temporary credentials do.
    pub session_token: bool,
    pub duration_ms: f64,
    /// Whether it is a write.
    pub mutating: bool,
    /// The fault that struck it; empty if none.
    pub fault: String,
    /// AWS's ID of the request, where the answer has one.
    pub request_id: String,
}

/// What [`Emulator::topology`] made: the reference network, without any rule or endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Topology {
    pub account: String,
    pub region: String,
    pub vpc_id: String,
    pub cidr: String,
    pub zones: Vec<String>,
    /// The replication's, one in each of two zones.
    pub subnet_ids: Vec<String>,
    pub database_subnet_ids: Vec<String>,
    pub network_acl_id: String,
    pub default_security_group_id: String,
    pub security_group_ids: Groups,
    pub subnet_group: String,
    pub instance: Instance,
    /// All instances, the first one included.
    pub instances: Vec<Instance>,
    pub endpoints: Endpoints,
    pub rds: Option<Rds>,
    /// `private`: the replication subnets'; `database`: the databases'.
    pub route_table_ids: BTreeMap<String, String>,
    /// With a `path` in the wish: what lies between the replication and the source.
    #[serde(default)]
    pub path: Value,
    /// The answer as it came.
    #[serde(skip)]
    pub all: Value,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Groups {
    pub replication: String,
    pub source: String,
    pub target: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    pub id: String,
    pub arn: String,
    pub security_group_id: String,
    pub private_ips: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Endpoints {
    pub source: Endpoint,
    pub target: Endpoint,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Endpoint {
    pub id: String,
    pub arn: String,
    pub host: String,
    pub port: u16,
    pub engine: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Rds {
    pub id: String,
    pub host: String,
    pub port: u16,
    pub engine: String,
}

/// A client of one service, with the test's own key: each SDK has a configuration type of its own.
macro_rules! client {
    ($sdk:ident, $region:expr, $url:expr) => {{
        use $sdk::config::{BehaviorVersion, Config, Credentials, Region};
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new($region.to_owned()))
            .credentials_provider(Credentials::new(TEST_KEY, "not-a-secret", None, None, "test"))
            .endpoint_url(&$url)
            .http_client(Builder::new().build_http());
        $sdk::Client::from_conf(config.build())
    }};
}

impl Emulator {
    /// Starts one; its output goes to a file in `dir`.
    pub fn start(dir: &Path) -> Self {
        let mut command = Command::new(must_exist(tools().join("venv/bin/python")));
        command.arg(root().join("tools/aws-emulator/serve.py")).args(["--port", "0", "--stop-on-stdin-close"]);
        let mut process = Process::spawn("aws-emulator", &mut command, &dir.join("emulator.log"));
        let url = process.wait_for_line("ready ", READY);
        let http = Agent::config_builder().http_status_as_error(false).timeout_global(Some(ANSWER)).build().into();
        Self { process, http, url, seen: AtomicU64::new(0) }
    }

    // ---------------------------------------------------------------- what is there

    /// Makes the reference network: a VPC, two subnets for the replication and two for the databases, three groups without a
    /// rule, a replication instance, two DMS endpoints and the target as an RDS database. `wish` sets the builder's parameters.
    pub fn topology(&self, wish: Value) -> Topology {
        let mut body = json!({ "account": ACCOUNT, "region": REGION });
        merge(&mut body, wish);
        let all = self.post("topology", body);
        Topology { all: all.clone(), ..from_json(all) }
    }

    /// All that matters of the account and Region: equal dumps mean that AWS is as before.
    pub fn state(&self) -> Value {
        self.state_of(REGION)
    }

    /// The same of another Region.
    pub fn state_of(&self, region: &str) -> Value {
        self.get(&format!("state?account={ACCOUNT}&region={region}"))
    }

    /// AWS's clients, for a test that looks, or breaks something behind the controller's back.
    pub fn ec2(&self) -> aws_sdk_ec2::Client {
        self.ec2_in(REGION)
    }

    /// In another Region.
    pub fn ec2_in(&self, region: &str) -> aws_sdk_ec2::Client {
        client!(aws_sdk_ec2, region, self.url)
    }

    /// Somebody takes one ingress rule of a group away.
    pub async fn revoke_ingress(&self, region: &str, group: &str) {
        let client = self.ec2_in(region);
        let rules = client.describe_security_group_rules().send().await.unwrap();
        let rule = rules.security_group_rules().iter().find(|r| r.group_id() == Some(group) && r.is_egress() == Some(false)).unwrap();
        let id = rule.security_group_rule_id().unwrap();
        client.revoke_security_group_ingress().group_id(group).security_group_rule_ids(id).send().await.unwrap();
    }

    pub fn dms(&self) -> aws_sdk_databasemigration::Client {
        client!(aws_sdk_databasemigration, REGION, self.url)
    }

    pub fn rds(&self) -> aws_sdk_rds::Client {
        client!(aws_sdk_rds, REGION, self.url)
    }

    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs_in(REGION)
    }

    pub fn sqs_in(&self, region: &'static str) -> aws_sdk_sqs::Client {
        client!(aws_sdk_sqs, region, self.url)
    }

    pub fn sts(&self) -> aws_sdk_sts::Client {
        client!(aws_sdk_sts, REGION, self.url)
    }

    // ------------------------------------------------------------- what was called

    /// A point in the log: `let mark = aws.mark(); …; aws.calls(mark)`.
    pub fn mark(&self) -> u64 {
        let seen = self.seen.load(Ordering::Relaxed);
        let last = self.get(&format!("calls?after={seen}"))["last"].as_u64().unwrap();
        self.seen.fetch_max(last, Ordering::Relaxed);
        last
    }

    /// The controller's calls after that point (0: all), in the order in which they ended.
    pub fn calls(&self, after: u64) -> Vec<Call> {
        self.calls_of(CONTROLLER_KEY, after)
    }

    /// Calls after that point with those credentials.
    pub fn calls_of(&self, key: &str, after: u64) -> Vec<Call> {
        let mut calls: Vec<Call> = from_json(self.get(&format!("calls?after={after}"))["calls"].take());
        calls.retain(|call| call.access_key == key);
        calls
    }

    /// Everybody's calls after that point, the test's own as well.
    pub fn all_calls(&self, after: u64) -> Vec<Call> {
        from_json(self.get(&format!("calls?after={after}"))["calls"].take())
    }

    /// The controller's writes after that point.
    pub fn writes(&self, after: u64) -> Vec<Call> {
        self.calls(after).into_iter().filter(|call| call.mutating).collect()
    }

    /// The controller's calls after that point, counted by operation, such as `ec2:DescribeSecurityGroups`.
    pub fn counts(&self, after: u64) -> BTreeMap<String, usize> {
        count(&self.calls(after))
    }

    // ------------------------------------------------------------------ what fails

    /// Adds a fault, such as `{"kind": "throttle", "operation": "Describe*", "times": 3}`; its ID.
    /// Kinds: throttle, error, delay, timeout, reset, lost_answer, stale, bucket. See the emulator's README.
    pub fn fault(&self, fault: Value) -> String {
        from_json(self.post("faults", fault)["id"].take())
    }

    pub fn remove_fault(&self, id: &str) {
        self.delete(&format!("faults/{id}"));
    }

    pub fn clear_faults(&self) {
        self.delete("faults");
    }

    /// How often each fault has struck.
    pub fn hits(&self, id: &str) -> u64 {
        let faults = self.get("faults");
        let found = faults["faults"].as_array().unwrap().iter().find(|fault| fault["id"] == id);
        found.unwrap_or_else(|| panic!("there is no fault {id}"))["hits"].as_u64().unwrap()
    }

    /// Seconds that AWS takes for what it does in the background, such as `{"available": 5}`.
    pub fn delays(&self, delays: Value) {
        self.post("delays", delays);
    }

    /// AWS's quotas, such as `{"rules_per_group": 3}`.
    pub fn quotas(&self, quotas: Value) {
        self.post("quotas", quotas);
    }

    /// Says what DMS says of a replication instance, such as `modifying`.
    pub fn instance_status(&self, id: &str, status: &str) {
        self.post(&format!("dms/instances/{id}/status"), json!({ "account": ACCOUNT, "region": REGION, "status": status }));
    }

    // ---------------------------------------------------------- the control API

    pub fn get(&self, path: &str) -> Value {
        answer(path, self.http.get(self.control(path)).call())
    }

    pub fn post(&self, path: &str, body: Value) -> Value {
        answer(path, self.http.post(self.control(path)).send_json(body))
    }

    pub fn delete(&self, path: &str) -> Value {
        answer(path, self.http.delete(self.control(path)).call())
    }

    fn control(&self, path: &str) -> String {
        format!("{}/_emulator/{path}", self.url)
    }

    /// Stops the process (SIGSTOP), so that AWS takes connections and never answers; [`Emulator::thaw`] goes on.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}

impl Topology {
    /// The network of it, but for its class: source by its DMS endpoint, target by RDS, an endpoint for the DMS API.
    pub fn reference(&self) -> Value {
        json!({
            "replication": { "instance": self.instance.id },
            "databases": [
                {
                    "name": "source", "role": "Source", "path": { "type": "SameVpc" },
                    "dmsEndpoint": self.endpoints.source.id, "securityGroupId": self.security_group_ids.source,
                },
                {
                    "name": "target", "role": "Target", "path": { "type": "SameVpc" },
                    "rds": { "instance": self.rds.as_ref().expect("the topology has an RDS database").id },
                },
            ],
            "vpcEndpoints": [{ "name": "dms", "service": "dms" }],
        })
    }
}

/// Whatever a test is about: nothing was called that `dmsnet iam-policy` does not allow.
impl Drop for Emulator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // One that was stopped or killed has nothing to tell.
        let request = self.http.get(self.control("calls?after=0")).config().timeout_global(Some(Duration::from_secs(5))).build();
        let Ok(Ok(mut answer)) = request.call().map(|mut r| r.body_mut().read_json::<Value>()) else { return };
        let mut calls: Vec<Call> = from_json(answer["calls"].take());
        calls.retain(|call| [CONTROLLER_KEY, OTHER_KEY].contains(&call.access_key.as_str()));
        for action in count(&calls).keys() {
            // IAM knows no batches.
            let action = action.trim_end_matches("Batch");
            assert!(OPERATIONS.iter().any(|o| o.action() == action), "{action} was called, and is not in aws/permissions.rs");
        }
    }
}

/// Calls counted by operation, such as `ec2:DescribeSecurityGroups`.
pub fn count(calls: &[Call]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in calls {
        *counts.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
    }
    counts
}

/// JSON merge: objects member by member, all else replaced.
pub fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

fn answer(path: &str, result: Result<http::Response<ureq::Body>, ureq::Error>) -> Value {
    let mut response = result.unwrap_or_else(|e| panic!("emulator: {path}: {e}"));
    let (status, text) = (response.status(), response.body_mut().read_to_string().unwrap());
    assert!(status.is_success(), "emulator: {path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("emulator: {path}: {e} in {text}"))
}

fn from_json<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e} in {value}"))
}
