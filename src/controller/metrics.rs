//! Metrics in OpenMetrics text (names: design.md 1).

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, atomic::AtomicU64},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::aws::{RequestObserver, Scope};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NetworkLabels {
    class: String,
    ready: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    class: String,
    verdict: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DriftLabels {
    class: String,
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    account: String,
    region: String,
    service: String,
    operation: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    service: String,
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    account: String,
    region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabels {
    shard: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BudgetLabels {
    account: String,
    region: String,
    operation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueueLabels {
    class: String,
    outcome: &'static str,
}

/// How a pass ended, as a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing had to be done.
    Idle,
    /// Changes were made.
    Applied,
    /// AWS is at work.
    Waiting,
    /// Something stands in the way.
    Failed,
}

impl Outcome {
    fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Applied => "applied",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
        }
    }
}

/// All metrics of the controller.
pub struct Metrics {
    registry: Registry,
    networks: Family<NetworkLabels, Gauge>,
    paths: Family<PathLabels, Gauge>,
    drift: Family<DriftLabels, Counter>,
    repair: Family<DriftLabels, Histogram>,
    reconcile: Family<OutcomeLabels, Histogram>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<OperationLabels, Histogram>,
    picture_age: Family<ScopeLabels, Gauge<f64, AtomicU64>>,
    leader: Family<ShardLabels, Gauge>,
    classes: Family<ShardLabels, Gauge>,
    queue_messages: Family<QueueLabels, Counter>,
    budget_tokens: Family<BudgetLabels, Gauge<f64, AtomicU64>>,
    accounts: Mutex<HashMap<Scope, String>>,
}

/// From an idle pass (well under a millisecond) to one that waits for AWS.
fn pass_seconds() -> Histogram {
    Histogram::new([0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}

/// From a change queue's seconds to a slow sweep's minutes.
fn repair_seconds() -> Histogram {
    Histogram::new([0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("dmsnet");
        let metrics = Self {
            networks: Family::default(),
            paths: Family::default(),
            drift: Family::default(),
            repair: Family::new_with_constructor(repair_seconds),
            reconcile: Family::new_with_constructor(pass_seconds),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(pass_seconds),
            picture_age: Family::default(),
            leader: Family::default(),
            classes: Family::default(),
            queue_messages: Family::default(),
            budget_tokens: Family::default(),
            accounts: Mutex::default(),
            registry: Registry::default(),
        };
        registry.register("networks", "Networks by class and by the status of their condition Ready", metrics.networks.clone());
        registry.register("paths", "Paths to databases by class and verdict; alert on Blocked", metrics.paths.clone());
        registry.register("drift", "Drifts found: AWS was changed behind dmsnet's back", metrics.drift.clone());
        registry.register_with_unit("repair", "From a drift's detection to its correction", Unit::Seconds, metrics.repair.clone());
        registry.register_with_unit("reconcile", "Duration of passes", Unit::Seconds, metrics.reconcile.clone());
        registry.register("aws_requests", "Requests to AWS, by answer; alert on codes other than ok", metrics.requests.clone());
        registry.register_with_unit("aws_request", "Duration of requests to AWS", Unit::Seconds, metrics.request_seconds.clone());
        registry.register("leader", "1 where this replica holds the Lease of its shard and writes, else 0", metrics.leader.clone());
        registry.register(
            "classes",
            "Classes by the shard that serves them, as the leader sees it; alert on an empty shard",
            metrics.classes.clone(),
        );
        registry.register_with_unit(
            "picture_age",
            "Age of the picture of AWS; alert above five minutes",
            Unit::Seconds,
            metrics.picture_age.clone(),
        );
        registry.register("queue_messages", "Messages of change queues; alert on failed and invalid", metrics.queue_messages.clone());
        registry.register("aws_budget_tokens", "Calls that may be made at once, by operation", metrics.budget_tokens.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// All metrics as text.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Replaces the counts of networks: `(class, Ready, how many)`.
    pub fn networks(&self, counts: impl IntoIterator<Item = (String, String, i64)>) {
        self.networks.clear();
        for (class, ready, count) in counts {
            self.networks.get_or_create(&NetworkLabels { class, ready }).set(count);
        }
    }

    /// Replaces the counts of paths: `(class, verdict, how many)`.
    pub fn paths(&self, counts: impl IntoIterator<Item = (String, String, i64)>) {
        self.paths.clear();
        for (class, verdict, count) in counts {
            self.paths.get_or_create(&PathLabels { class, verdict }).set(count);
        }
    }

    /// Whether this replica leads its shard.
    pub fn leader(&self, shard: &str, leads: bool) {
        self.leader.get_or_create(&ShardLabels { shard: shard.to_owned() }).set(i64::from(leads));
    }

    /// Replaces the counts of classes by shard.
    pub fn classes(&self, counts: impl IntoIterator<Item = (String, i64)>) {
        self.classes.clear();
        for (shard, count) in counts {
            self.classes.get_or_create(&ShardLabels { shard }).set(count);
        }
    }

    /// A drift was found.
    pub fn drift(&self, class: &str, kind: &str) {
        self.drift.get_or_create(&DriftLabels { class: class.to_owned(), kind: kind.to_owned() }).inc();
    }

    /// A drift was corrected `seconds` after it was found.
    pub fn repaired(&self, class: &str, kind: &str, seconds: f64) {
        self.repair.get_or_create(&DriftLabels { class: class.to_owned(), kind: kind.to_owned() }).observe(seconds);
    }

    /// A pass ended.
    pub fn pass(&self, outcome: Outcome, seconds: f64) {
        self.reconcile.get_or_create(&OutcomeLabels { outcome: outcome.label() }).observe(seconds);
    }

    /// The picture of an account and Region is so old.
    pub fn picture_age(&self, scope: &Scope, seconds: f64) {
        self.picture_age.get_or_create(&ScopeLabels { account: self.account_of(scope), region: scope.region.clone() }).set(seconds);
    }

    /// So many calls of an operation may be made at once.
    pub fn budget(&self, scope: &Scope, operation: &str, tokens: f64) {
        let (account, region) = (self.account_of(scope), scope.region.clone());
        self.budget_tokens.get_or_create(&BudgetLabels { account, region, operation: operation.to_owned() }).set(tokens);
    }

    /// What became of so many messages of a change queue.
    pub fn messages(&self, class: &str, outcome: &'static str, count: u64) {
        self.queue_messages.get_or_create(&QueueLabels { class: class.to_owned(), outcome }).inc_by(count);
    }

    /// From now on, what goes to `scope` goes to this account.
    pub fn account(&self, scope: &Scope, account: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).entry(scope.clone()).or_insert_with(|| account.to_owned());
    }

    /// Empty until STS has answered.
    fn account_of(&self, scope: &Scope) -> String {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).get(scope).cloned().unwrap_or_default()
    }
}

impl RequestObserver for Metrics {
    fn observed(&self, scope: &Scope, service: &str, operation: &str, code: &str, seconds: f64) {
        let (service, operation) = (service.to_owned(), operation.to_owned());
        self.request_seconds.get_or_create(&OperationLabels { service: service.clone(), operation: operation.clone() }).observe(seconds);
        let (account, region, code) = (self.account_of(scope), scope.region.clone(), code.to_owned());
        self.requests.get_or_create(&RequestLabels { account, region, service, operation, code }).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_contracts() {
        let metrics = Metrics::default();
        metrics.networks([("c".into(), "True".into(), 2)]);
        metrics.paths([("c".into(), "Blocked".into(), 1)]);
        metrics.drift("c", "RuleMissing");
        metrics.repaired("c", "RuleMissing", 0.4);
        metrics.pass(Outcome::Idle, 0.001);
        let scope = Scope { endpoint_url: None, region: "us-east-1".into(), role: None };
        metrics.account(&scope, "1");
        metrics.observed(&scope, "ec2", "DescribeVpcs", "ok", 0.02);
        metrics.picture_age(&scope, 3.0);
        metrics.leader("default", true);
        metrics.classes([(String::new(), 1)]);
        metrics.messages("c", "handled", 2);
        metrics.budget(&scope, "DescribeVpcs", 79.0);
        let text = metrics.encode().unwrap();
        for line in [
            "dmsnet_networks{class=\"c\",ready=\"True\"} 2",
            "dmsnet_paths{class=\"c\",verdict=\"Blocked\"} 1",
            "dmsnet_drift_total{class=\"c\",kind=\"RuleMissing\"} 1",
            "dmsnet_repair_seconds_count{class=\"c\",kind=\"RuleMissing\"} 1",
            "dmsnet_reconcile_seconds_count{outcome=\"idle\"} 1",
            "dmsnet_aws_requests_total{account=\"1\",region=\"us-east-1\",service=\"ec2\",operation=\"DescribeVpcs\",code=\"ok\"} 1",
            "dmsnet_aws_request_seconds_count{service=\"ec2\",operation=\"DescribeVpcs\"} 1",
            "dmsnet_leader{shard=\"default\"} 1",
            "dmsnet_classes{shard=\"\"} 1",
            "dmsnet_aws_budget_tokens{account=\"1\",region=\"us-east-1\",operation=\"DescribeVpcs\"} 79.0",
            "dmsnet_queue_messages_total{class=\"c\",outcome=\"handled\"} 2",
            "dmsnet_picture_age_seconds{account=\"1\",region=\"us-east-1\"} 3.0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
