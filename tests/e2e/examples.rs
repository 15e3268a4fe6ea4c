//! The snapshots beside the examples, on which a reader tries the command line without an AWS account: `before.json`, and
//! `after.json`, when `dmsnet apply` has run. They are taken from the emulator; `UPDATE_EXAMPLES=1` writes them anew.
//! And what `dmsnet import` makes of it then.

use std::{env, fs};

use dmsnet::{
    api::network::VpcEndpointType,
    cli::snapshot::Snapshot,
    model::Owner,
    plan::{EndpointKey, wanted::group_name},
};
use serde_json::{Value, json};

use crate::harness::{
    Desk, Example, block_on,
    example::{EXAMPLES, as_in_examples, numbered},
    root,
};

#[path = "../support/docs.rs"]
mod pages;

/// A VPC whose ACLs somebody has tidied up, where the network may mend that.
fn close_acls(desk: &Desk, network: &Value) {
    if network["spec"]["networkAcls"] != "Manage" {
        return;
    }
    let far = desk.topology.path["networkAclId"].as_str();
    for acl in far.into_iter().chain([desk.topology.network_acl_id.as_str()]) {
        for egress in [false, true] {
            let ec2 = desk.aws.ec2();
            block_on(async { ec2.delete_network_acl_entry().network_acl_id(acl).rule_number(100).egress(egress).send().await.unwrap() });
        }
    }
}

/// What AWS holds, in the example's words.
fn taken(desk: &Desk, documents: &[Value]) -> String {
    let file = desk.path("snapshot.json");
    desk.run_in_region(&["snapshot", "-o", file.to_str().unwrap()], documents).ends_in(0);
    let mut text = fs::read_to_string(&file).unwrap();
    // Our groups' names have the VPC's ID in them.
    for service in ["dms", "secretsmanager"] {
        let name = |vpc: &str| {
            let key = EndpointKey { vpc: vpc.into(), service: service.into(), kind: VpcEndpointType::Interface };
            group_name(&Owner::default(), &key)
        };
        text = text.replace(&name(&desk.topology.vpc_id), &name("vpc-0a1b2c3d"));
    }
    let mut snapshot: Value = serde_json::from_str(&numbered(&as_in_examples(&text, &desk.topology))).unwrap();
    sort(&mut snapshot);
    let snapshot: Snapshot = serde_json::from_value(snapshot).unwrap();
    serde_json::to_string_pretty(&snapshot).unwrap() + "\n"
}

/// A snapshot's lists of IDs, and of what has an ID, are sorted: other IDs sort otherwise.
fn sort(value: &mut Value) {
    let id = |v: &Value| v.as_str().or(v["id"].as_str()).filter(|id| id.contains('-')).map(str::to_owned);
    match value {
        Value::Object(members) => members.values_mut().for_each(sort),
        Value::Array(items) => {
            items.iter_mut().for_each(sort);
            if items.iter().all(|i| id(i).is_some()) {
                items.sort_by_key(id);
            }
        }
        _ => {}
    }
}

fn holds(example: &str) {
    let example = Example::named(example);
    let desk = Desk::with(example.topology());
    desk.aws.delays(json!({"available": 0}));
    let documents = example.on(&desk.topology);
    close_acls(&desk, &documents[1]);
    same(example, "before.json", &taken(&desk, &documents));
    desk.run_in_region(&["apply"], &documents).ends_in(0);
    same(example, "after.json", &taken(&desk, &documents));
    imported(example, &desk);
}

macro_rules! snapshots {
    ($($test:ident: $example:literal,)*) => {
        $(#[test] fn $test() { holds($example) })*

        #[test]
        fn none_is_forgotten() {
            assert_eq!([$($example),*], EXAMPLES.map(|e| e.name));
        }
    };
}

snapshots! {
    same_vpc: "same-vpc",
    peered_vpc: "peered-vpc",
    on_premises: "on-premises",
    nat_host: "nat-host",
    internet: "internet",
    nat_gateway: "nat-gateway",
    classic_link: "classic-link",
    serverless: "serverless",
    placement: "placement",
}

fn same(example: Example, file: &str, now: &str) {
    let path = example.dir().join(file);
    if env::var_os("UPDATE_EXAMPLES").is_some() {
        return fs::write(&path, now).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    // When it was taken, by which version, and how this machine's resolver puts it.
    let rest = |text: &str| {
        let own = |l: &&str| !["\"takenAt\"", "\"dmsnet\":", "\"failed\""].iter().any(|w| l.contains(w));
        text.lines().filter(own).map(|l| format!("{l}\n")).collect::<String>()
    };
    let (committed, now) = (rest(&committed), rest(now));
    let difference = similar::TextDiff::from_lines(&committed, &now);
    assert!(committed == now, "{}: UPDATE_EXAMPLES=1 writes it\n{}", path.display(), difference.unified_diff());
}

/// What `import` makes of an example that dmsnet has been at: planned again it finds nothing to do, and nothing of ours that it
/// does not want. The page of the path shows it. Nothing can be imported of a placement, which is nowhere in AWS.
fn imported(example: Example, desk: &Desk) {
    if example.name == "placement" {
        return;
    }
    if example.name == "peered-vpc" {
        // The DMS endpoint names the RDS database that the example names.
        let (arn, host) = (&desk.topology.endpoints.source.arn, desk.topology.path["rds"]["host"].as_str().unwrap());
        block_on(async { desk.aws.dms().modify_endpoint().endpoint_arn(arn).server_name(host).send().await.unwrap() });
    }
    desk.task();
    let which = if example.name == "serverless" { ["--serverless", "orders-cfg"] } else { ["--instance", "orders-ri"] };
    let import = [&["import"][..], &which, &["--region", "us-west-2", "--namespace", "orders-team"]].concat();
    let yaml = desk.run_alone_in_region(&import).ends_in(0);
    assert!(yaml.out.contains("dmsnet plan finds nothing to change"), "{yaml}");
    let file = desk.path("imported.yaml");
    fs::write(&file, &yaml.out).unwrap();
    let plan = desk.run_alone_in_region(&["plan", "-o", "json", "-f", file.to_str().unwrap()]);
    let report = plan.json();
    assert_eq!((plan.code, &report["unwanted"]), (0, &json!([])), "{yaml}\n{}", report["unwanted"]);
    let shown = as_in_examples(&yaml.out, &desk.topology);
    if example.name == "nat-host" {
        // Its page shows the other one of its two examples.
        let host = "natHost: {securityGroupId: sg-0d1b2c3d, networkInterfaceId: eni-0d1b2c3d}";
        return assert!(shown.contains(host), "{shown}");
    }
    let page = root().join("docs/paths").join(example.name).with_extension("md");
    let command = format!("dmsnet {}", import.join(" "));
    let found = pages::hold(&page, |c| (c == command).then(|| shown.clone()));
    assert_eq!(found, 1, "{} shows {command}", page.display());
}
