//! DMS's own evidence: its last connection tests of the replication instance with the endpoints that the databases name.

use super::{
    evidence::{Blame, Meaning, detail},
    facts::Facts,
};
use crate::{
    api::{
        DmsNetworkSpec,
        status::{ConnectionStatus, DatabaseStatus},
    },
    model::{Connection, Lookup, Need},
};

/// What DMS says of the connections of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connections {
    /// One for each database that DMS can test.
    pub tests: Vec<Test>,
    /// Why there is nothing to say, where DMS could not be asked or cannot test.
    pub why_not: Option<String>,
}

/// One database that DMS can test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its name in the spec.
    pub database: String,
    /// ARN of the replication instance.
    pub instance: String,
    /// ARN of the DMS endpoint.
    pub endpoint: String,
    /// Whether the instance is available: else DMS refuses to test.
    pub ready: bool,
    /// The last test, if there was one.
    pub last: Option<Connection>,
}

/// Looks for the last tests, and notes them in what is told of each database.
pub fn connections(spec: &DmsNetworkSpec, facts: &Facts<'_>, databases: &mut [DatabaseStatus]) -> Connections {
    let mut out = Connections::default();
    let named = || spec.databases.iter().filter_map(|d| Some((d, d.dms_endpoint.as_deref()?)));
    let Some(name) = &spec.replication.instance else {
        out.why_not = Some("DMS tests connections of replication instances only".into());
        return out;
    };
    if named().next().is_none() {
        out.why_not = Some("no database names a dmsEndpoint: without one DMS has nothing to test".into());
        return out;
    }
    let Lookup::Found(instance) = facts.instance(name) else {
        out.why_not = Some(format!("replication instance {name:?} is not there"));
        return out;
    };
    let known = facts.connections_of(&instance.arn);
    let need = Need::ConnectionsOf(instance.arn.as_str().into());
    let seen = facts.picture().read.contains(&need);
    // What was read stays, unless AWS lets us look no longer: how old it may get, Synced tells.
    if let Some(Some(failure)) = facts.picture().asked.get(&need).filter(|f| f.as_ref().is_some_and(|f| f.denied || !seen)) {
        out.why_not = Some(format!("the last tests could not be read: {}", failure.message));
    }
    for (database, endpoint) in named() {
        let Lookup::Found(endpoint) = facts.dms_endpoint(endpoint) else { continue };
        let last = known.iter().find(|c| c.endpoint == endpoint.arn).cloned();
        if let Some(status) = databases.iter_mut().find(|s| s.name == database.name) {
            status.connection = last.as_ref().map(told);
        }
        out.tests.push(Test {
            database: database.name.clone(),
            instance: instance.arn.clone(),
            endpoint: endpoint.arn.clone(),
            ready: instance.status == "available",
            last,
        });
    }
    out
}

/// A test as status shows it; when it changed is known to whoever knows the old status.
fn told(test: &Connection) -> ConnectionStatus {
    ConnectionStatus { status: test.status.clone(), message: explained(test), changed_at: None }
}

/// What the failure of a test means, what to do, and DMS's own words.
pub fn explained(test: &Connection) -> Option<String> {
    if test.status != "failed" {
        return None;
    }
    let Some(failure) = &test.failure else { return Some("DMS says no more than that it failed".into()) };
    let meaning = Meaning::of(failure);
    let words = detail(failure);
    Some(match meaning.blame() {
        Blame::Unclear => words,
        Blame::Network | Blame::NotNetwork => format!("{meaning}: {} (DMS: {words})", meaning.advice()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(status: &str, failure: Option<&str>) -> Connection {
        Connection { instance: "i".into(), endpoint: "e".into(), status: status.into(), failure: failure.map(Into::into) }
    }

    #[test]
    fn only_a_failure_is_explained() {
        // DMS keeps the words of an earlier failure beside a later success.
        assert_eq!(explained(&test("successful", Some("timeout expired"))), None);
        assert_eq!(explained(&test("testing", None)), None);
        let text =
            explained(&test("failed", Some("Application-Message: Network error, Application-Detailed-Message: timeout expired"))).unwrap();
        assert!(text.starts_with("ConnectTimeout: ") && text.ends_with("(DMS: timeout expired)"), "{text}");
        assert_eq!(explained(&test("failed", Some("the moon is full"))).as_deref(), Some("the moon is full"));
        assert!(explained(&test("failed", None)).is_some());
    }
}
