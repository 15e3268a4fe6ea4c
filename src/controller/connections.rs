//! DMS's own connection tests: started where a network asks for it, and told.

use k8s_openapi::jiff::Timestamp;

use super::{events::EventReason, report::Reporter, sites::Sites};
use crate::{
    api::{
        DmsNetworkStatus,
        conditions::{CONNECTED, NewCondition, Reason, Truth},
        network::{ConnectionTest, Mode},
        status::DatabaseStatus,
    },
    plan::{
        Plan,
        connected::{Test, explained},
    },
};

/// Starts the tests where they are wanted and what was changed is complete: once for each change. Whether any began.
pub async fn start(reporter: &Reporter<'_>, sites: &Sites<'_>, plan: &Plan, unrefused: bool) -> bool {
    let Reporter { ctx, network, uid } = *reporter;
    // The instance and its endpoints belong to the network's own class.
    let Some(home) = sites.home().filter(|s| network.spec.connection_test != ConnectionTest::Never && s.mode == Mode::Enforce) else {
        ctx.registry.tested(uid);
        return false;
    };
    let tests = &plan.connections.tests;
    let complete = unrefused && plan.changes.is_empty() && plan.problems.is_empty() && plan.waiting.is_empty() && !plan.unmet;
    let available = plan.vpc_endpoints.iter().all(|e| e.state.as_deref() == Some("available"));
    if !ctx.registry.is_to_test(uid) || !complete || !available || tests.is_empty() || !tests.iter().all(|t| t.ready) {
        return false;
    }
    ctx.registry.tested(uid);
    for (database, error) in home.store.test_connections(tests).await {
        tracing::warn!(%error, database, "a connection test was not started");
        let note = format!("the connection test of database {database:?} was not started: {error}");
        reporter.event(EventReason::ReconcileFailed, note).await;
    }
    true
}

/// What is told of each database, its test with the time at which it was first seen so.
pub fn dated(now: &[DatabaseStatus], old: &DmsNetworkStatus, at: Timestamp) -> Vec<DatabaseStatus> {
    let mut list = now.to_vec();
    for database in &mut list {
        let Some(test) = &mut database.connection else { continue };
        let before = old.databases.iter().find(|o| o.name == database.name).and_then(|o| o.connection.as_ref());
        let same = before.filter(|b| (&b.status, &b.message) == (&test.status, &test.message));
        test.changed_at = same.map_or(Some(at), |b| b.changed_at);
    }
    list
}

/// The condition Connected: evidence that feeds no other.
pub fn connected(plan: &Plan) -> NewCondition {
    let of = |status, reason, message: String| NewCondition { type_: CONNECTED, status, reason, message };
    let tests = &plan.connections.tests;
    let in_state = |state: &str| -> Vec<&Test> { tests.iter().filter(|t| t.last.as_ref().is_some_and(|l| l.status == state)).collect() };
    let names = |list: &[&Test]| list.iter().map(|t| t.database.as_str()).collect::<Vec<_>>().join(", ");
    let failed = in_state("failed");
    if !failed.is_empty() {
        let texts = failed.iter().map(|t| {
            let why = t.last.as_ref().and_then(explained).unwrap_or_default();
            format!("database {:?}: {why}", t.database)
        });
        return of(Truth::False, Reason::TestFailed, texts.collect::<Vec<_>>().join("; "));
    }
    if let Some(why) = &plan.connections.why_not {
        return of(Truth::Unknown, Reason::NotTested, why.clone());
    }
    let testing = in_state("testing");
    if !testing.is_empty() {
        return of(Truth::Unknown, Reason::NotTested, format!("DMS is testing the connection of {}", names(&testing)));
    }
    let untested: Vec<&Test> = tests.iter().filter(|t| t.last.as_ref().is_none_or(|l| l.status != "successful")).collect();
    if untested.is_empty() && !tests.is_empty() {
        let all: Vec<&Test> = tests.iter().collect();
        return of(Truth::True, Reason::TestsPassed, format!("DMS reached {}", names(&all)));
    }
    let which = if tests.is_empty() { "any database".to_owned() } else { names(&untested) };
    let message = format!("DMS has not tested the connection of {which}: `aws dms test-connection`, or connectionTest: OnChange");
    of(Truth::Unknown, Reason::NotTested, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::status::ConnectionStatus, model::Connection, plan::connected::Connections};

    fn plan(tests: &[(&str, Option<&str>)], why_not: Option<&str>) -> Plan {
        let last = |status: &str| Connection {
            instance: "i".into(),
            endpoint: "e".into(),
            status: status.into(),
            failure: Some("timeout expired".into()),
        };
        let test = |(database, status): &(&str, Option<&str>)| Test {
            database: (*database).into(),
            instance: "i".into(),
            endpoint: "e".into(),
            ready: true,
            last: status.map(last),
        };
        let connections = Connections { tests: tests.iter().map(test).collect(), why_not: why_not.map(Into::into) };
        Plan { connections, ..Plan::default() }
    }

    #[test]
    fn one_failure_is_told_and_all_must_be_tested_to_be_true() {
        for (tests, why_not, status, reason, word) in [
            (&[("a", Some("successful")), ("b", Some("failed"))][..], None, Truth::False, Reason::TestFailed, "\"b\": ConnectTimeout"),
            (&[("a", Some("successful")), ("b", None)], None, Truth::Unknown, Reason::NotTested, "of b"),
            (&[("a", Some("successful")), ("b", Some("testing"))], None, Truth::Unknown, Reason::NotTested, "is testing"),
            (&[("a", Some("successful")), ("b", Some("successful"))], None, Truth::True, Reason::TestsPassed, "a, b"),
            (&[("a", Some("successful"))], Some("could not be read"), Truth::Unknown, Reason::NotTested, "could not be read"),
            (&[], None, Truth::Unknown, Reason::NotTested, "any database"),
        ] {
            let condition = connected(&plan(tests, why_not));
            assert_eq!((condition.status, condition.reason), (status, reason), "{tests:?}");
            assert!(condition.message.contains(word), "{}", condition.message);
        }
    }

    #[test]
    fn the_time_moves_only_with_what_is_told() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let database = |status: &str, changed_at| DatabaseStatus {
            name: "a".into(),
            connection: Some(ConnectionStatus { status: status.into(), message: None, changed_at }),
            ..DatabaseStatus::default()
        };
        let old = DmsNetworkStatus { databases: vec![database("failed", Some(at(1)))], ..DmsNetworkStatus::default() };
        let time = |status| dated(&[database(status, None)], &old, at(9))[0].connection.as_ref().unwrap().changed_at;
        assert_eq!((time("failed"), time("successful")), (Some(at(1)), Some(at(9))));
    }
}
