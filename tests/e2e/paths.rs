//! Paths beyond the examples, which `stories` tells: a NAT gateway with several addresses, and one network in two accounts and
//! Regions.

use dmsnet::api::DmsNetwork;
use serde_json::{Value, json};

use crate::harness::{
    Env,
    env::{SOON, is},
};

const FAR_ACCOUNT: &str = "444455556666";
const FAR_REGION: &str = "eu-west-1";

fn manage(class: &mut Value) {
    class["guardrails"] = json!({
        "vpcIds": ["*"], "networkAcls": "Manage", "routes": "Manage", "networkAclRuleNumbers": { "from": 20000, "to": 20099 },
    });
}

async fn env(name: &str, topology: Value) -> Env {
    Env::builder(name).class(manage).topology(topology).start().await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// A network with the source alone, at the far end of `path`.
fn network(env: &Env, database: Value, path: Value) -> Value {
    let t = &env.topology;
    let mut source = json!({ "name": "source", "path": path, "address": {
        "engine": "postgres", "endpoints": [{ "host": t.endpoints.source.host, "port": t.endpoints.source.port }] } });
    source.as_object_mut().unwrap().extend(database.as_object().unwrap().clone());
    json!({ "className": env.name, "replication": { "instance": t.instance.id }, "databases": [source],
            "networkAcls": "Manage", "routes": "Manage" })
}

/// Keys of the ledger that begin so.
fn owned(network: &DmsNetwork, prefix: &str) -> Vec<String> {
    let owned = &network.status.as_ref().unwrap().owned;
    let mut keys: Vec<String> = owned.iter().map(|e| e.key.clone()).filter(|k| k.starts_with(prefix)).collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_of_a_nat_gateway_is_admitted() {
    let env = env("path-nat", json!({ "path": "NatGateway", "addresses": 2 })).await;
    let (p, port) = (env.topology.path.clone(), env.topology.endpoints.source.port);
    let groups = &env.topology.security_group_ids;
    let path = json!({ "type": "NatGateway", "natGateway": { "cidrs": p["cidrs"] } });
    let before = env.aws.state();
    env.apply("orders", network(&env, json!({ "securityGroupId": groups.source }), path)).await;
    let network = env.ready("orders").await;
    let addresses = p["publicIps"].as_array().unwrap();
    assert_eq!(addresses.len(), 2);
    let mut rules = vec![format!("rule/{}/out/tcp/{port}/{}", groups.replication, text(&p["cidrs"][0]))];
    rules.extend(addresses.iter().map(|ip| format!("rule/{}/in/tcp/{port}/{}/32", groups.source, text(ip))));
    rules.sort();
    assert_eq!(owned(&network, "rule/"), rules);
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

/// The peering leads to another account and Region, which another class stands for, as another role.
async fn two_accounts(name: &str) -> (Env, Value, String) {
    let wish = json!({ "path": "PeeredVpc", "routes": false, "peer_account": FAR_ACCOUNT, "peer_region": FAR_REGION });
    let env = env(name, wish).await;
    let far = format!("{name}-far");
    env.apply_class(&far, far_class(&env, FAR_ACCOUNT)).await;
    let p = env.topology.path.clone();
    let spec = network(
        &env,
        json!({ "className": far, "securityGroupId": p["securityGroupId"], "subnetIds": p["subnetIds"] }),
        json!({ "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": p["peeringConnectionId"] } }),
    );
    (env, spec, far)
}

fn far_class(env: &Env, account: &str) -> Value {
    let mut class = env.class_spec();
    manage(&mut class);
    class["region"] = json!(FAR_REGION);
    class["accountId"] = json!(account);
    class["assumeRole"] = json!({ "roleArn": format!("arn:aws:iam::{account}:role/dmsnet"), "externalId": "platform" });
    class
}

fn far_state(env: &Env) -> Value {
    env.aws.get(&format!("state?account={FAR_ACCOUNT}&region={FAR_REGION}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_in_two_accounts_and_regions() {
    let (env, spec, far) = two_accounts("path-accounts").await;
    let before = (env.aws.state(), far_state(&env));
    env.apply("orders", spec).await;
    let network = env.ready("orders").await;
    assert!(is(&network, "PathsOpen", "True"), "both accounts' sides of the way are seen");
    let status = network.status.unwrap();
    let classes: Vec<(&str, Option<&str>)> = status.classes.iter().map(|c| (c.name.as_str(), c.account_id.as_deref())).collect();
    assert_eq!(classes, [(env.name.as_str(), Some("111122223333")), (far.as_str(), Some(FAR_ACCOUNT))]);
    let group = text(&env.topology.path["securityGroupId"]);
    let admits: Vec<&str> = status.owned.iter().filter(|e| e.class == far && e.key.starts_with("rule/")).map(|e| e.key.as_str()).collect();
    // Across Regions a group cannot be referred to: the replication subnets' CIDRs are let in.
    assert!(admits.len() == 2 && admits.iter().all(|k| k.starts_with(&format!("rule/{group}/in/tcp/5432/10."))), "{admits:?}");
    assert!(far_state(&env) != before.1, "something was made in the far account");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!((env.aws.state(), far_state(&env)), before, "both accounts are as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_in_observe_withholds_what_is_done_through_it() {
    let (env, spec, far) = two_accounts("path-observe").await;
    let mut class = far_class(&env, FAR_ACCOUNT);
    class["mode"] = json!("Observe");
    env.apply_class(&far, class).await;
    let before = (env.aws.state(), far_state(&env));
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Synced", "ChangesPending", SOON).await;
    assert!(message.contains(&far), "{message}");
    let status = env.get("orders").await.status.unwrap();
    let far_entries: Vec<_> = status.owned.iter().filter(|e| e.class == far && (e.made || e.id.is_none())).collect();
    assert!(far_entries.is_empty(), "nothing is made or intended in the far account: {far_entries:?}");
    assert!(status.pending.is_some_and(|p| p.count > 2));
    assert_eq!(far_state(&env), before.1, "nothing was written there");
    assert!(env.aws.state() != before.0, "the rest goes on");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_whose_credentials_belong_to_another_account_reads_nothing() {
    let (env, spec, far) = two_accounts("path-wrong").await;
    let mut class = far_class(&env, FAR_ACCOUNT);
    class.as_object_mut().unwrap().remove("assumeRole");
    env.apply_class(&far, class).await;
    let before = env.aws.state();
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Stalled", "ClassChanged", SOON).await;
    assert!(message.contains(FAR_ACCOUNT) && message.contains("111122223333"), "{message}");
    assert_eq!(env.aws.state(), before, "nothing is written in either account");
    env.apply_class(&far, far_class(&env, FAR_ACCOUNT)).await;
    env.condition("orders", "Synced", "True", SOON).await;
}
