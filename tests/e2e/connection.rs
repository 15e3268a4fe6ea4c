//! DMS's own connection tests: started after a change where a network asks for it, and told in words that help.

use dmsnet::api::DmsNetwork;
use serde_json::json;

use crate::harness::{
    Env,
    env::{SOON, condition, is},
};

/// The failure that a closed group, ACL or route makes, as DMS words it.
const TIMEOUT: &str = "Test Endpoint failed: Application-Status: 1020912, Application-Message: Cannot connect to ODBC provider Network error has \
    occurred, Application-Detailed-Message: RetCode: SQL_ERROR SqlState: 08001 NativeError: 101 Message: [unixODBC]timeout expired";

fn started(env: &Env, after: u64) -> usize {
    env.aws.calls(after).iter().filter(|c| c.operation == "TestConnection").count()
}

fn outcome(env: &Env, status: &str, message: &str) {
    let t = &env.topology;
    let wish = json!({ "account": t.account, "region": t.region, "instance": t.instance.id, "endpoint": t.endpoints.source.id,
        "status": status, "message": message });
    env.aws.post("dms/connections", wish);
}

fn connection(network: &DmsNetwork) -> Option<(String, String)> {
    let status = network.status.as_ref()?;
    let test = status.databases.iter().find(|d| d.name == "source")?.connection.as_ref()?;
    assert!(test.changed_at.is_some());
    Some((test.status.clone(), test.message.clone().unwrap_or_default()))
}

/// Closes the source's group, as somebody with a console does.
async fn close(env: &Env) {
    let (ec2, group) = (env.aws.ec2(), &env.topology.security_group_ids.source);
    let filter = aws_sdk_ec2::types::Filter::builder().name("group-id").values(group).build();
    let rules = ec2.describe_security_group_rules().filters(filter).send().await.unwrap();
    let ids: Vec<String> = rules.security_group_rules().iter().map(|r| r.security_group_rule_id().unwrap().to_owned()).collect();
    ec2.revoke_security_group_ingress().group_id(group).set_security_group_rule_ids(Some(ids)).send().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_followed_by_one_test_and_its_outcome_is_told() {
    let env = Env::start("connection-on-change").await;
    let mut spec = env.reference();
    spec["connectionTest"] = json!("OnChange");
    env.apply("orders", spec).await;
    let network = env.condition("orders", "Connected", "True", SOON).await;
    assert_eq!(connection(&network), Some(("successful".into(), String::new())));
    assert_eq!(condition(&network, "Connected").unwrap().reason, "TestsPassed");
    assert_eq!(started(&env, 0), 1, "the target names no DMS endpoint: DMS cannot test it");

    // A drift is mended, which is a change; this time DMS does not get through.
    outcome(&env, "failed", TIMEOUT);
    let mark = env.aws.mark();
    close(&env).await;
    let network = env.condition("orders", "Connected", "False", SOON).await;
    let message = &condition(&network, "Connected").unwrap().message;
    assert!(message.contains("database \"source\": ConnectTimeout: ") && message.contains("timeout expired"), "{message}");
    assert!(connection(&network).unwrap().1.starts_with("ConnectTimeout: "));
    assert!(is(&network, "Ready", "True"), "evidence feeds nothing else");
    env.calls("DescribeReplicationInstances", 2, SOON).await;
    assert_eq!(started(&env, mark), 1);

    // Somebody mends the database, and tests by hand: that is seen, too.
    outcome(&env, "successful", "");
    let (dms, t) = (env.aws.dms(), &env.topology);
    dms.test_connection().replication_instance_arn(&t.instance.arn).endpoint_arn(&t.endpoints.source.arn).send().await.unwrap();
    let request = json!({ "metadata": { "annotations": { "dmsnet.dev/reconcile-requested-at": "now" } } });
    env.patch("orders", request).await;
    env.condition("orders", "Connected", "True", SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_tested_unasked_and_nothing_in_observe() {
    let env = Env::start("connection-never").await;
    let mut quiet = env.reference();
    quiet["mode"] = json!("Observe");
    quiet["connectionTest"] = json!("OnChange");
    env.apply("observes", quiet).await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    let message = env.reason("orders", "Connected", "NotTested", SOON).await;
    assert!(message.contains("source") && message.contains("connectionTest: OnChange"), "{message}");
    env.condition("observes", "Connected", "Unknown", SOON).await;
    env.calls("DescribeReplicationInstances", 2, SOON).await;
    assert_eq!(started(&env, 0), 0);
    let network = env.get("orders").await;
    assert_eq!(connection(&network), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_permissions_the_rest_goes_on() {
    let env = Env::builder("connection-denied").without_controller().start().await;
    env.aws.fault(json!({ "kind": "denied", "operation": "DescribeConnections" }));
    env.aws.fault(json!({ "kind": "denied", "operation": "TestConnection" }));
    let mut env = env;
    env.controller.start();
    let mut spec = env.reference();
    spec["connectionTest"] = json!("OnChange");
    env.apply("orders", spec).await;
    env.ready("orders").await;
    let message = env.reason("orders", "Connected", "NotTested", SOON).await;
    assert!(message.contains("dms:DescribeConnections"), "{message}");
    let note = env.event("orders", "ReconcileFailed", SOON).await;
    assert!(note.contains("dms:TestConnection") && note.contains("source"), "{note}");
}
