//! The parts themselves do what the tests on them rely on.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Env, env::SOON, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn the_reference_network_is_there_and_nobody_touches_it() {
    let env = Env::builder("parts-reference").without_controller().start().await;
    let before = env.aws.state();
    let network = env.apply("orders", env.reference()).await;
    assert_eq!(network.status.unwrap().observed_generation, Some(-1));

    let groups = env.aws.ec2().describe_security_group_rules().send().await.unwrap();
    let of_ours = |id: &str| groups.security_group_rules().iter().filter(|rule| rule.group_id() == Some(id)).count();
    let t = &env.topology;
    assert_eq!(
        [&t.security_group_ids.replication, &t.security_group_ids.source, &t.security_group_ids.target].map(|id| of_ours(id)),
        [0, 0, 0]
    );
    assert_eq!(t.instance.security_group_id, t.security_group_ids.replication);
    assert_eq!(env.aws.dms().describe_replication_instances().send().await.unwrap().replication_instances().len(), 1);
    assert_eq!(env.aws.rds().describe_db_instances().send().await.unwrap().db_instances().len(), 1);

    assert_eq!(env.aws.calls(0).len(), 0, "the test's own calls are not counted");
    assert_eq!(env.aws.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_strikes_and_is_counted() {
    let env = Env::builder("parts-faults").without_controller().without_class().start().await;
    let fault =
        env.aws.fault(json!({ "kind": "error", "operation": "DescribeVpcs", "code": "UnauthorizedOperation", "status": 403, "times": 1 }));
    let ec2 = env.aws.ec2();
    let refused = ec2.describe_vpcs().send().await.unwrap_err();
    assert_eq!(aws_sdk_ec2::error::ProvideErrorMetadata::code(&refused), Some("UnauthorizedOperation"));
    ec2.describe_vpcs().send().await.unwrap();
    assert_eq!(env.aws.hits(&fault), 1);
    env.aws.remove_fault(&fault);
    env.aws.clear_faults();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_api_server_comes_back_with_its_data() {
    let mut env = Env::builder("parts-private-api").private_api_server().without_controller().start().await;
    env.apply("orders", env.reference()).await;
    let server = env.api_server.as_mut().unwrap();
    server.stop();
    assert!(env.networks().get("orders").await.is_err());
    env.api_server.as_mut().unwrap().resume();
    env.network("orders", SOON, |network| network.spec.databases.len() == 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_what_was_seen_last() {
    let mut looks = 0;
    let waited = eventually(Duration::from_millis(200), async || {
        looks += 1;
        if looks < 3 { Err("not yet") } else { Ok(looks) }.map_err(str::to_owned)
    });
    assert_eq!(waited.await, Ok(3));
    let waited: Result<(), _> = eventually(Duration::from_millis(1), async || Err("a wolf".to_owned())).await;
    assert!(waited.unwrap_err().contains("last seen: a wolf"));
}
