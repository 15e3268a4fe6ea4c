//! `explain` and `diagram` against AWS, and on a snapshot of it.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Answer, Desk, block_on};

/// The reference network. Its databases by address: names of the emulator do not resolve.
fn files(desk: &Desk) -> [Value; 2] {
    let t = &desk.topology;
    let database = |name: &str, host: &str, group: &str| {
        json!({
            "name": name, "path": {"type": "SameVpc"}, "securityGroupId": group, "subnetIds": [t.database_subnet_ids[0]],
            "address": {"engine": "postgres", "endpoints": [{"host": host}]},
        })
    };
    let databases = json!([
        database("source", "10.0.100.5", &t.security_group_ids.source),
        database("target", "10.0.100.6", &t.security_group_ids.target),
    ]);
    [desk.class(json!({})), desk.network("orders", json!({"spec": {"databases": databases}}))]
}

fn json_of(answer: &Answer) -> Value {
    answer.json()
}

#[test]
fn an_open_network_is_open_and_a_blocked_one_tells_what_mends_it() {
    let desk = Desk::new();
    desk.aws.delays(json!({"available": 0}));
    let files = files(&desk);
    let subnet = desk.aws.ec2();
    let cidr = block_on(async {
        let found = subnet.describe_subnets().subnet_ids(&desk.topology.database_subnet_ids[0]).send().await.unwrap();
        found.subnets()[0].cidr_block().unwrap().to_owned()
    });
    let inside = |n: u8| format!("{}.{n}", cidr.rsplit_once('.').unwrap().0);
    let files: Vec<Value> = files
        .iter()
        .map(|f| serde_json::from_str(&f.to_string().replace("10.0.100.5", &inside(5)).replace("10.0.100.6", &inside(6))).unwrap())
        .collect();

    let before = desk.run(&["explain", "-o", "json"], &files).ends_in(2);
    let paths = json_of(&before)["networks"][0]["paths"].clone();
    let codes: Vec<&str> = paths[0]["findings"].as_array().unwrap().iter().map(|f| f["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["EgressMissing", "IngressMissing"], "{before}");

    desk.run(&["apply"], &files).ends_in(0);
    let mark = desk.aws.mark();
    let open = desk.run(&["explain"], &files).ends_in(0);
    assert!(open.out.ends_with("2 open.\n") && !open.out.contains('\u{1b}') && open.out.contains("✓ source open"), "{open}");
    let drawn = desk.run(&["diagram"], &files).ends_in(0);
    assert!(drawn.out.contains("flowchart LR") && drawn.out.contains(&desk.topology.vpc_id) && !drawn.out.contains("✗"), "{drawn}");

    let ec2 = desk.aws.ec2();
    let group = desk.topology.security_group_ids.source.clone();
    block_on(async {
        let rules = ec2.describe_security_group_rules().send().await.unwrap();
        let rule = rules.security_group_rules().iter().find(|r| r.group_id() == Some(&group) && r.is_egress() == Some(false)).unwrap();
        let id = rule.security_group_rule_id().unwrap();
        ec2.revoke_security_group_ingress().group_id(&group).security_group_rule_ids(id).send().await.unwrap();
    });
    let blocked = desk.run(&["explain"], &files).ends_in(2);
    assert!(blocked.out.contains("✗ source blocked") && blocked.out.contains("✓ target open"), "{blocked}");
    let lines: Vec<&str> = blocked.out.lines().map(str::trim).collect();
    let at = lines.iter().position(|l| l.starts_with(&format!("✗ security groups {group}"))).unwrap_or_else(|| panic!("{blocked}"));
    assert_eq!(lines[at + 1], "IngressMissing", "the fix stands under its hop\n{blocked}");
    let fix = lines[at..].iter().find(|l| l.starts_with("aws ec2 authorize-security-group-ingress")).unwrap();
    assert!(fix.contains(&group), "{fix}");
    assert!(desk.run(&["diagram"], &files).ends_in(0).out.contains("-. blocked .->"));
    assert!(desk.writes(mark).is_empty(), "nothing is written");

    let snapshot = desk.path("snapshot.json");
    desk.run(&["snapshot", "-o", snapshot.to_str().unwrap()], &files).ends_in(0);
    for form in [&["explain"][..], &["explain", "-o", "json"], &["explain", "--color", "always"], &["diagram"], &["plan"]] {
        let (live, mark) = (desk.run(form, &files), desk.aws.mark());
        let offline = desk.run_offline(&[form, &["--snapshot", snapshot.to_str().unwrap()]].concat(), &files);
        assert_eq!((offline.code, &offline.out, &offline.err), (live.code, &live.out, &live.err), "{form:?}");
        assert!(desk.aws.calls(mark).is_empty(), "{form:?} asks nobody");
    }
}

#[test]
fn what_cannot_be_explained_is_said() {
    let desk = Desk::new();
    let [class, mut network] = files(&desk);
    network["spec"]["replication"] = json!({"instance": "nobody"});
    let documents = [class, network];
    let told = desk.run(&["explain"], &documents).ends_in(1);
    assert!(told.out.contains("ReferenceNotFound") && told.out.contains("No path could be explained"), "{told}");
    let drawn = desk.run(&["diagram"], &documents).ends_in(1);
    assert!(drawn.err.contains("error: team/orders: ReferenceNotFound"), "{drawn}");
    fs::write(desk.path("old.json"), "{").unwrap();
    let cut = desk.run(&["explain", "--snapshot", desk.path("old.json").to_str().unwrap()], &documents).ends_in(1);
    assert!(cut.err.contains("is cut off at line 1"), "{cut}");
}
