//! Each configuration of the DMS user guide, from nothing to Synced and back to nothing, with routes and ACL entries that are
//! ours to keep; and one network in two accounts.

use dmsnet::api::DmsNetwork;
use serde_json::{Value, json};

use crate::harness::{Env, env::SOON};

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

/// Keys of the ledger, of rules only or of all.
fn owned(network: &DmsNetwork, prefix: &str) -> Vec<String> {
    let owned = &network.status.as_ref().unwrap().owned;
    let mut keys: Vec<String> = owned.iter().map(|e| e.key.clone()).filter(|k| k.starts_with(prefix)).collect();
    keys.sort();
    keys
}

/// From nothing to Synced with exactly these rules, and back to nothing.
async fn there_and_back(env: &Env, spec: Value, rules: &[String], routes: &[String]) {
    let before = env.aws.state();
    env.apply("orders", spec).await;
    let network = env.condition("orders", "Synced", "True", SOON).await;
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort();
        list
    };
    assert_eq!((owned(&network, "rule/"), owned(&network, "route/")), (sorted(rules), sorted(routes)));
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

fn out(env: &Env, port: u16, peer: &str) -> String {
    format!("rule/{}/out/tcp/{port}/{peer}", env.topology.security_group_ids.replication)
}

fn into(env: &Env, group: &str, port: u16) -> String {
    format!("rule/{group}/in/tcp/{port}/{}", env.topology.security_group_ids.replication)
}

#[tokio::test(flavor = "multi_thread")]
async fn peered_vpc() {
    let env = env("path-peered", json!({ "path": "PeeredVpc", "routes": false })).await;
    let p = env.topology.path.clone();
    let (pcx, group, far_table) = (text(&p["peeringConnectionId"]), text(&p["securityGroupId"]), text(&p["routeTableId"]));
    let port = env.topology.endpoints.source.port;
    let spec = network(
        &env,
        json!({ "securityGroupId": group, "subnetIds": p["subnetIds"] }),
        json!({ "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": pcx } }),
    );
    let near_table = route_table(&env).await;
    let routes = [format!("route/{near_table}/{}", text(&p["cidr"])), format!("route/{far_table}/{}", env.topology.cidr)];
    there_and_back(&env, spec, &[out(&env, port, group), into(&env, group, port)], &routes).await;
}

/// The table of the replication's subnets.
async fn route_table(env: &Env) -> String {
    let filter = aws_sdk_ec2::types::Filter::builder().name("association.subnet-id").values(&env.topology.subnet_ids[0]).build();
    let tables = env.aws.ec2().describe_route_tables().filters(filter).send().await.unwrap();
    tables.route_tables()[0].route_table_id().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_premises_through_a_host() {
    let env = env("path-premises", json!({ "path": "OnPremises", "nat_host": true, "routes": false })).await;
    let p = env.topology.path.clone();
    let host = json!({ "securityGroupId": p["natHost"]["securityGroupId"], "networkInterfaceId": p["natHost"]["networkInterfaceId"] });
    let (port, cidr, group) = (env.topology.endpoints.source.port, text(&p["cidrs"][0]), text(&host["securityGroupId"]));
    let path = json!({ "type": "OnPremises", "onPremises": { "cidrs": p["cidrs"], "natHost": host } });
    let rules = [out(&env, port, cidr), into(&env, group, port), format!("rule/{group}/out/tcp/{port}/{cidr}")];
    let routes = [format!("route/{}/{cidr}", route_table(&env).await)];
    there_and_back(&env, network(&env, json!({}), path), &rules, &routes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn internet() {
    let env = env("path-internet", json!({ "path": "Internet", "publicly_accessible": true, "routes": false })).await;
    let (p, port) = (env.topology.path.clone(), env.topology.endpoints.source.port);
    let path = json!({ "type": "Internet", "internet": { "cidrs": p["cidrs"] } });
    let cidr = text(&p["cidrs"][0]);
    let routes = [format!("route/{}/{cidr}", route_table(&env).await)];
    there_and_back(&env, network(&env, json!({}), path), &[out(&env, port, cidr)], &routes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nat_gateway() {
    let env = env("path-nat", json!({ "path": "NatGateway", "addresses": 2 })).await;
    let (p, port) = (env.topology.path.clone(), env.topology.endpoints.source.port);
    let group = env.topology.security_group_ids.source.clone();
    let path = json!({ "type": "NatGateway", "natGateway": { "cidrs": p["cidrs"] } });
    let mut rules = vec![out(&env, port, text(&p["cidrs"][0]))];
    let addresses = p["publicIps"].as_array().unwrap();
    assert_eq!(addresses.len(), 2);
    rules.extend(addresses.iter().map(|ip| format!("rule/{group}/in/tcp/{port}/{}/32", text(ip))));
    there_and_back(&env, network(&env, json!({ "securityGroupId": group }), path), &rules, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_link_is_a_proxy() {
    let env = env("path-proxy", json!({ "path": "ClassicLink" })).await;
    let proxy = env.topology.path["proxy"].clone();
    let (group, port) = (text(&proxy["securityGroupId"]), u16::try_from(proxy["port"].as_u64().unwrap()).unwrap());
    let block = json!({ "proxy": { "securityGroupId": group, "host": proxy["host"], "port": port } });
    let path = json!({ "type": "ClassicLink", "classicLink": block });
    there_and_back(&env, network(&env, json!({}), path), &[out(&env, port, group), into(&env, group, port)], &[]).await;
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
    let network = env.condition("orders", "Synced", "True", SOON).await;
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
