//! The reference topology: from nothing to ready, what an idle controller costs, and back to nothing.

use std::time::Duration;

use crate::harness::{Env, emulator::count, env::SOON};

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_ready_and_back() {
    let env = Env::start("reference").await;
    let before = env.aws.state();
    env.apply("orders", env.reference()).await;
    let network = env.ready("orders").await;
    let status = network.status.unwrap();
    let summary = status.summary.unwrap();
    assert_eq!((summary.rules.as_str(), summary.endpoints.as_str()), ("6/6", "1/1"));
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    let after = env.aws.state();
    assert_eq!(after, before, "AWS is as before");
    let _ = (count(&env.aws.calls(0)), Duration::ZERO);
}
