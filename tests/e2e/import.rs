//! `import`: what exists, as YAML that plans to nothing.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Answer, Desk, block_on, emulator::REGION};

fn import(desk: &Desk, more: &[&str]) -> Answer {
    let base = ["import", "--region", REGION, "--endpoint-url", &desk.aws.url, "--instance", &desk.topology.instance.id];
    desk.run_alone(&[&base, more].concat())
}

/// Plans what was imported.
fn plan(desk: &Desk, yaml: &str) -> (i32, Value) {
    let file = desk.path("imported.yaml");
    fs::write(&file, yaml).unwrap();
    let answer = desk.run_alone(&["plan", "-o", "json", "-f", file.to_str().unwrap()]);
    (answer.code, answer.json())
}

/// What dmsnet made, from the class and network that it was made for.
fn made(desk: &Desk) {
    desk.aws.delays(json!({"available": 0}));
    desk.run(&["apply"], &[desk.class(json!({})), desk.network("orders", json!({}))]).ends_in(0);
}

#[test]
fn what_dmsnet_made_is_imported_and_plans_to_nothing() {
    let desk = Desk::new();
    let t = &desk.topology;
    made(&desk);
    desk.task();
    let mark = desk.aws.mark();
    let imported = import(&desk, &["--class-name", "lab", "--namespace", "team"]).ends_in(0);
    assert!(imported.out.contains("dmsnet plan finds nothing to change"), "{imported}");
    assert!(desk.writes(mark).is_empty(), "it only reads");
    let (code, report) = plan(&desk, &imported.out);
    assert_eq!((code, &report["summary"]), (0, &json!({"create": 0, "modify": 0, "delete": 0})), "{imported}\n{report:#}");
    assert_eq!(report["unwanted"], json!([]), "{imported}");
    for expected in [
        format!("    dmsEndpoint: {}\n", t.endpoints.source.id),
        "    role: Source\n".to_owned(),
        format!("    securityGroupId: {}\n", t.security_group_ids.target),
        format!("    securityGroupId: {}\n", t.security_group_ids.source),
        "  vpcEndpoints:\n  - name: dms\n    service: dms\n".to_owned(),
        format!("    vpcIds: [{}]\n", t.vpc_id),
        "    vpcEndpointServices: [dms]\n".to_owned(),
        "kubernetes.io/metadata.name: team".to_owned(),
    ] {
        assert!(imported.out.contains(&expected), "{expected}\n{imported}");
    }
    assert!(!imported.out.contains("allowFrom") && !imported.out.contains("privateDns"), "defaults are left out\n{imported}");
}

#[test]
fn connections_and_rules_tell_of_databases_too() {
    let desk = Desk::new();
    let t = &desk.topology;
    made(&desk);
    let by_rules = import(&desk, &[]).ends_in(0);
    assert!(by_rules.out.contains(&format!("rds: {{instance: {}}}", t.rds.as_ref().unwrap().id)), "{by_rules}");
    assert!(by_rules.out.contains("No task and no connection names it"), "{by_rules}");
    assert_eq!(plan(&desk, &by_rules.out).0, 0, "{by_rules}");
    let dms = desk.aws.dms();
    let test = dms.test_connection().replication_instance_arn(&t.instance.arn).endpoint_arn(&t.endpoints.target.arn);
    block_on(async { test.send().await.unwrap() });
    let by_connection = import(&desk, &[]).ends_in(0);
    assert!(by_connection.out.contains(&format!("dmsEndpoint: {}", t.endpoints.target.id)), "{by_connection}");
    assert!(!by_connection.out.contains(&t.endpoints.source.id), "{by_connection}");
    assert_eq!(plan(&desk, &by_connection.out).0, 0, "{by_connection}");
}

/// What is not as dmsnet would make it is told, and the network only looks until somebody has read that.
#[test]
fn what_planning_would_change_is_told() {
    let desk = Desk::new();
    desk.task();
    let imported = import(&desk, &[]).ends_in(0);
    let (code, report) = plan(&desk, &imported.out);
    assert_eq!(code, 2, "{imported}\n{report:#}");
    let changes = report["networks"][0]["changes"].as_array().unwrap();
    let told = imported.out.lines().filter(|l| l.starts_with("#   + ")).count();
    assert_eq!(told, changes.len(), "{imported}\n{report:#}");
    assert!(imported.out.contains("\n  mode: Observe"), "{imported}");
}

#[test]
fn nothing_to_go_by_is_said() {
    let desk = Desk::new();
    let imported = import(&desk, &[]).ends_in(0);
    assert!(imported.out.contains("name at least one") && imported.out.contains("databases: []"), "{imported}");
    let (code, report) = plan(&desk, &imported.out);
    assert_eq!((code, &report["networks"][0]["problems"][0]["reason"]), (1, &json!("InvalidSpec")));
    let missing = desk.run_alone(&["import", "--region", REGION, "--endpoint-url", &desk.aws.url, "--instance", "nobody"]).ends_in(1);
    assert_eq!(missing.err, "error: DMS replication instance nobody does not exist: check its spelling, the account and the Region\n");
    assert!(missing.out.is_empty());
}

#[test]
fn an_endpoint_of_others_is_taken_over_only_if_asked() {
    let desk = Desk::new();
    made(&desk);
    desk.task();
    let ec2 = desk.aws.ec2();
    let call = ec2.create_vpc_endpoint().vpc_id(&desk.topology.vpc_id).service_name(format!("com.amazonaws.{REGION}.secretsmanager"));
    let call = call.vpc_endpoint_type(aws_sdk_ec2::types::VpcEndpointType::Interface).subnet_ids(&desk.topology.subnet_ids[0]);
    let made = block_on(async { call.private_dns_enabled(false).send().await.unwrap() });
    let id = made.vpc_endpoint.unwrap().vpc_endpoint_id.unwrap();
    let imported = import(&desk, &[]).ends_in(0);
    assert!(imported.out.contains(&format!("  # {id} is there, and dmsnet did not make it.")), "{imported}");
    assert!(imported.out.contains(&format!("  #   vpcEndpointId: {id}")), "{imported}");
    assert_eq!(plan(&desk, &imported.out).0, 0, "{imported}");
    let taken = import(&desk, &["--take-over"]).ends_in(0);
    assert!(taken.out.contains(&format!("\n    vpcEndpointId: {id}\n")) && taken.out.contains("takeOver: Any"), "{taken}");
    let (code, report) = plan(&desk, &taken.out);
    assert_eq!(
        (code, &report["summary"]),
        (2, &json!({"create": 1, "modify": 1, "delete": 0})),
        "the tag, and the way to it: {taken}\n{report:#}"
    );
}
