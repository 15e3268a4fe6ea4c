//! Network ACL entries, routes and gateway endpoints: made, mended and taken away again, and nothing of others touched.

use std::time::Duration;

use aws_sdk_ec2::types as ec2;
use dmsnet::api::{DmsNetwork, network::Upkeep};
use serde_json::{Value, json};

use crate::{
    harness::{Env, emulator::CONTROLLER_KEY, env::SOON},
    view::settled,
};

/// The source is behind a peering without routes; the ACL of the replication's VPC lets nothing through.
async fn closed(name: &str, class: impl FnOnce(&mut Value) + Send + 'static) -> Env {
    let builder = Env::builder(name).topology(json!({ "path": "PeeredVpc", "routes": false })).class(class);
    let env = builder.without_controller().start().await;
    for egress in [false, true] {
        let call = env.aws.ec2().delete_network_acl_entry().network_acl_id(&env.topology.network_acl_id).rule_number(100);
        call.egress(egress).send().await.unwrap();
    }
    env
}

fn manages(spec: &mut Value) {
    spec["guardrails"]["networkAcls"] = json!("Manage");
    spec["guardrails"]["routes"] = json!("Manage");
    spec["guardrails"]["networkAclRuleNumbers"] = json!({ "from": 20_000, "to": 20_099 });
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a text: {value}"))
}

fn peered(env: &Env) -> Value {
    let path = &env.topology.path;
    let mut spec = env.reference();
    let source = &mut spec["databases"][0];
    source["path"] = json!({ "type": "PeeredVpc", "peeredVpc": { "peeringConnectionId": path["peeringConnectionId"] } });
    source["securityGroupId"] = path["securityGroupId"].clone();
    source["subnetIds"] = path["subnetIds"].clone();
    spec["vpcEndpoints"] = json!([]);
    spec["networkAcls"] = json!("Manage");
    spec["routes"] = json!("Manage");
    spec
}

/// Routes of a table that somebody wrote: destination and target.
async fn routes(env: &Env, table: &str) -> Vec<(String, String)> {
    let answer = env.aws.ec2().describe_route_tables().route_table_ids(table).send().await.unwrap();
    let routes = answer.route_tables()[0].routes().iter().filter(|r| r.gateway_id() != Some("local"));
    let mut routes: Vec<_> = routes
        .map(|r| {
            let to = r.vpc_peering_connection_id().or(r.gateway_id()).unwrap_or_default();
            (r.destination_cidr_block().or(r.destination_prefix_list_id()).unwrap_or_default().to_owned(), to.to_owned())
        })
        .collect();
    routes.sort();
    routes
}

/// Entries of an ACL below the closing denies, and its tags.
async fn acl(env: &Env, id: &str) -> (Vec<String>, Vec<String>) {
    let answer = env.aws.ec2().describe_network_acls().network_acl_ids(id).send().await.unwrap();
    let acl = &answer.network_acls()[0];
    let line = |e: &ec2::NetworkAclEntry| {
        let ports = e.port_range().map(|p| format!("{}-{}", p.from().unwrap(), p.to().unwrap())).unwrap_or_default();
        let way = if e.egress() == Some(true) { "out" } else { "in" };
        format!("{way} {} {} {ports} {}", e.rule_number().unwrap(), e.rule_action().unwrap().as_str(), e.cidr_block().unwrap_or_default())
    };
    let mut entries: Vec<_> = acl.entries().iter().filter(|e| e.rule_number() < Some(32_767)).map(line).collect();
    entries.sort();
    let mut tags: Vec<_> = acl.tags().iter().map(|t| format!("{}={}", t.key().unwrap(), t.value().unwrap())).collect();
    tags.sort();
    (entries, tags)
}

fn corrected(network: &DmsNetwork, kind: &str) -> bool {
    let drift = network.status.iter().flat_map(|s| &s.drift);
    drift.filter(|d| d.kind == kind).any(|d| d.corrected_at.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_and_routes_are_made_mended_and_taken_away() {
    let mut env = closed("managed", manages).await;
    let before = env.aws.state();
    let near = env.topology.network_acl_id.clone();
    let (table, far) = (env.topology.route_table_ids["private"].clone(), text(&env.topology.path["routeTableId"]).to_owned());
    let pcx = text(&env.topology.path["peeringConnectionId"]).to_owned();
    let start = env.aws.mark();
    env.controller.start();
    env.apply("orders", peered(&env)).await;
    env.ready("orders").await;
    assert_eq!(routes(&env, &table).await, [("10.9.0.0/16".to_owned(), pcx.clone())]);
    assert_eq!(routes(&env, &far).await, [("10.0.0.0/16".to_owned(), pcx.clone())]);
    let (entries, tags) = acl(&env, &near).await;
    assert_eq!(
        entries,
        [
            "in 20000 allow 3306-3306 10.0.1.0/24",
            "in 20001 allow 3306-3306 10.0.2.0/24",
            "in 20002 allow 32768-65535 10.0.3.0/24",
            "in 20003 allow 32768-65535 10.0.4.0/24",
            "in 20004 allow 32768-65535 10.9.1.0/24",
            "in 20005 allow 32768-65535 10.9.2.0/24",
            "out 20000 allow 3306-3306 10.0.3.0/24",
            "out 20001 allow 3306-3306 10.0.4.0/24",
            "out 20002 allow 5432-5432 10.9.1.0/24",
            "out 20003 allow 5432-5432 10.9.2.0/24",
            "out 20004 allow 32768-65535 10.0.1.0/24",
            "out 20005 allow 32768-65535 10.0.2.0/24",
        ]
    );
    assert_eq!(tags.len(), 12);
    assert!(tags.contains(&"dmsnet.dev/entry/in-20005=managed".to_owned()), "{tags:?}");
    // The far ACL lets all through already: nothing of ours is in it.
    assert!(acl(&env, text(&env.topology.path["networkAclId"])).await.1.is_empty());
    // Each is recorded before it is written, and all of one ACL in one call.
    let writes = env.aws.writes(start);
    let on = |needle: &str, operation: &str| {
        let found = writes.iter().filter(|c| c.operation == operation && c.params.to_string().contains(needle));
        found.map(|c| c.seq).collect::<Vec<_>>()
    };
    let (recorded, made) = (on(&near, "CreateTags"), on(&near, "CreateNetworkAclEntry"));
    assert_eq!((recorded.len(), made.len()), (1, 12));
    assert!(recorded[0] < made[0]);
    assert!(on(&table, "CreateTags")[0] < on(&table, "CreateRoute")[0]);

    // Broken behind its back, and mended: what is managed is read every interval.
    settled(&env).await;
    let ec2 = env.aws.ec2();
    ec2.delete_network_acl_entry().network_acl_id(&near).rule_number(20_002).egress(false).send().await.unwrap();
    let edit = ec2.replace_network_acl_entry().network_acl_id(&near).rule_number(20_002).egress(true).protocol("6");
    let edit = edit.rule_action(ec2::RuleAction::Deny).cidr_block("0.0.0.0/0");
    edit.port_range(ec2::PortRange::builder().from(1).to(9).build()).send().await.unwrap();
    ec2.delete_route().route_table_id(&table).destination_cidr_block("10.9.0.0/16").send().await.unwrap();
    let igw = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap().internet_gateway_id.unwrap();
    let far_vpc = text(&env.topology.path["vpcId"]);
    ec2.attach_internet_gateway().internet_gateway_id(&igw).vpc_id(far_vpc).send().await.unwrap();
    ec2.replace_route().route_table_id(&far).destination_cidr_block("10.0.0.0/16").gateway_id(&igw).send().await.unwrap();
    let kinds = ["AclEntryMissing", "AclEntryChanged", "RouteMissing", "RouteChanged"];
    env.network("orders", Duration::from_secs(30), |n| kinds.iter().all(|k| corrected(n, k))).await;
    assert_eq!(acl(&env, &near).await, (entries, tags));
    assert_eq!(routes(&env, &table).await, [("10.9.0.0/16".to_owned(), pcx.clone())]);
    assert_eq!(routes(&env, &far).await, [("10.0.0.0/16".to_owned(), pcx)]);
    ec2.detach_internet_gateway().internet_gateway_id(&igw).vpc_id(far_vpc).send().await.unwrap();
    ec2.delete_internet_gateway().internet_gateway_id(&igw).send().await.unwrap();

    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_only_checks_and_a_network_that_observes_write_nothing() {
    let mut env = closed("managed-check", |_| {}).await;
    let before = env.aws.state();
    env.controller.start();
    let mut spec = peered(&env);
    spec["mode"] = json!("Observe");
    env.apply("orders", spec).await;
    let message = env.reason("orders", "Synced", "GuardrailViolated", SOON).await;
    assert!(message.contains("networkAcls: Manage") && message.contains("routes: Manage"), "{message}");
    let pending = env.get("orders").await.status.unwrap().pending.unwrap();
    let told = |kind: &str| pending.changes.iter().filter(|c| c.resource.starts_with(kind)).count();
    assert_eq!((told("acl-entry/"), told("route/")), (12, 2), "what would be made is shown: {pending:#?}");
    let check = Upkeep::Check;
    env.patch("orders", json!({ "spec": { "networkAcls": check, "routes": check } })).await;
    env.reason("orders", "Synced", "ChangesPending", SOON).await;
    assert!(env.aws.writes(0).iter().all(|c| c.access_key != CONTROLLER_KEY));
    assert_eq!(env.aws.state(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_and_a_route_of_others_stand_in_the_way_until_they_are_gone() {
    let mut env = closed("managed-foreign", manages).await;
    let near = env.topology.network_acl_id.clone();
    let table = env.topology.route_table_ids["private"].clone();
    let ec2 = env.aws.ec2();
    let deny = ec2.create_network_acl_entry().network_acl_id(&near).rule_number(50).egress(true).protocol("6");
    let deny = deny.rule_action(ec2::RuleAction::Deny).cidr_block("10.9.0.0/16");
    deny.port_range(ec2::PortRange::builder().from(0).to(65_535).build()).send().await.unwrap();
    let igw = ec2.create_internet_gateway().send().await.unwrap().internet_gateway.unwrap().internet_gateway_id.unwrap();
    ec2.attach_internet_gateway().internet_gateway_id(&igw).vpc_id(&env.topology.vpc_id).send().await.unwrap();
    ec2.create_route().route_table_id(&table).destination_cidr_block("10.9.0.0/16").gateway_id(&igw).send().await.unwrap();
    env.controller.start();
    env.apply("orders", peered(&env)).await;
    let message = env.reason("orders", "Synced", "Conflict", SOON).await;
    assert!(message.contains(&format!("{near} denies all of it by its entries 50")), "{message}");
    assert!(message.contains(&format!("{table} has a route for 10.9.0.0/16 to {igw}")), "{message}");
    assert_eq!(routes(&env, &table).await, [("10.9.0.0/16".to_owned(), igw)], "theirs is as it was");
    assert!(acl(&env, &near).await.0.contains(&"out 50 deny 0-65535 10.9.0.0/16".to_owned()));
    ec2.delete_network_acl_entry().network_acl_id(&near).rule_number(50).egress(true).send().await.unwrap();
    ec2.delete_route().route_table_id(&table).destination_cidr_block("10.9.0.0/16").send().await.unwrap();
    env.ready("orders").await;
    assert_eq!(routes(&env, &table).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_endpoint_is_made_mended_and_taken_away() {
    let mut env = Env::builder("managed-gateway").without_controller().start().await;
    let before = env.aws.state();
    let table = env.topology.route_table_ids["private"].clone();
    env.controller.start();
    let mut spec = env.reference();
    spec["vpcEndpoints"] = json!([{ "name": "s3", "service": "s3", "type": "Gateway" }]);
    env.apply("orders", spec).await;
    let network = env.ready("orders").await;
    let endpoint = network.status.unwrap().vpc_endpoints.remove(0);
    assert!(endpoint.owned);
    let id = endpoint.id.unwrap();
    let to_s3 = routes(&env, &table).await;
    assert!(to_s3.len() == 1 && to_s3[0].0.starts_with("pl-") && to_s3[0].1 == id, "{to_s3:?}");
    let ec2 = env.aws.ec2();
    let group = ec2::Filter::builder().name("group-id").values(&env.topology.security_group_ids.replication).build();
    let rules = ec2.describe_security_group_rules().filters(group).send().await.unwrap();
    let out: Vec<_> = rules.security_group_rules().iter().filter(|r| r.from_port() == Some(443)).map(|r| r.prefix_list_id()).collect();
    assert_eq!(out, [Some(to_s3[0].0.as_str())], "the replication may call it");
    settled(&env).await;
    ec2.modify_vpc_endpoint().vpc_endpoint_id(&id).remove_route_table_ids(&table).send().await.unwrap();
    assert!(routes(&env, &table).await.is_empty());
    env.network("orders", Duration::from_secs(30), |n| corrected(n, "EndpointRouteTables")).await;
    assert_eq!(routes(&env, &table).await, to_s3);
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}
