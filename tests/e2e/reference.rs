//! The reference topology: from nothing to ready, what is there then, and back to nothing.

use std::collections::BTreeSet;

use crate::{
    harness::{Env, env::SOON},
    view::View,
};

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_ready_and_back() {
    let env = Env::start("reference").await;
    let (before, foreign) = (env.aws.state(), View::of(&env));
    env.apply("orders", env.reference()).await;
    let network = env.ready("orders").await;
    let status = network.status.unwrap();
    let summary = status.summary.unwrap();
    assert_eq!((summary.rules.as_str(), summary.endpoints.as_str()), ("6/6", "1/1"));

    // 4 groups, one of them made; 6 rules; 1 endpoint in 2 subnets.
    let view = View::of(&env);
    let made: Vec<&String> = view.groups.keys().filter(|g| !foreign.groups.contains_key(*g)).collect();
    let [endpoint_group] = made[..] else { panic!("one group is made: {made:?}") };
    let rules: BTreeSet<String> = view.ours().iter().map(|r| r.replace(endpoint_group, "endpoint")).collect();
    let wanted = [
        r#"dms-replication egress "tcp" 5432-5432 orders-source"#,
        r#"dms-replication egress "tcp" 3306-3306 orders-target"#,
        r#"orders-source ingress "tcp" 5432-5432 dms-replication"#,
        r#"orders-target ingress "tcp" 3306-3306 dms-replication"#,
        r#"endpoint ingress "tcp" 443-443 dms-replication"#,
        r#"endpoint ingress "tcp" 443-443 10.0.0.0/16"#,
    ];
    assert_eq!(rules, wanted.map(str::to_owned).into());
    let endpoints = env.aws.state()["vpcEndpoints"].as_object().unwrap().clone();
    let (id, endpoint) = endpoints.iter().next().unwrap();
    let subnets: BTreeSet<&str> = endpoint["subnets"].as_array().unwrap().iter().filter_map(|s| s.as_str()).collect();
    assert_eq!((endpoints.len(), subnets), (1, env.topology.subnet_ids.iter().map(String::as_str).collect()));
    assert_eq!((&endpoint["state"], &endpoint["privateDns"]), (&"available".into(), &true.into()));
    let told = &status.vpc_endpoints[0];
    assert_eq!((told.id.as_deref(), told.state.as_deref(), told.owned), (Some(id.as_str()), Some("available"), true));
    assert!(
        told.url.as_deref().is_some_and(|url| url.starts_with(&format!("https://{id}-")) && url.contains(".dms.us-west-2.")),
        "{told:?}"
    );

    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}
