//! `plan`, `apply` and `delete` against AWS, without a cluster.

use serde_json::json;

use crate::harness::Desk;

#[test]
fn applied_and_deleted_aws_is_as_before() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    let before = desk.aws.state();

    let plan = desk.run(&["plan", "-o", "json"], &files).ends_in(2).json();
    assert_eq!(plan["summary"], json!({"create": 8, "modify": 0, "delete": 0}), "{plan:#}");
    assert_eq!(plan["networks"][0]["name"], "team/orders");
    let text = desk.run(&["plan"], &files).ends_in(2);
    assert!(text.out.ends_with("8 to create, 0 to change, 0 to delete.\n") && !text.out.contains('\u{1b}'), "{text}");
    assert!(desk.run(&["plan", "--color", "always"], &files).out.contains('\u{1b}'));
    assert_eq!(desk.writes(0), Vec::<String>::new());
    desk.is_as(&before, "");

    let applied = desk.run(&["apply"], &files).ends_in(0);
    assert!(applied.out.contains("8 created, 0 changed, 0 deleted."), "{applied}");
    assert!(applied.out.contains("endpoint dms vpce-"), "{applied}");

    let mark = desk.aws.mark();
    desk.run(&["plan"], &files).ends_in(0);
    let again = desk.run(&["apply", "-o", "json"], &files).ends_in(0).json();
    assert_eq!(again["done"], json!([]));
    assert_eq!(desk.writes(mark), Vec::<String>::new());

    let deleted = desk.run(&["delete"], &files).ends_in(0);
    assert!(deleted.out.contains("gone"), "{deleted}");
    desk.is_as(&before, deleted);
    desk.run(&["delete", "-o", "json"], &files).ends_in(0);
}

#[test]
fn what_was_broken_is_repaired_and_strangers_rules_stay() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply"], &files).ends_in(0);
    let with_ours = desk.aws.state();
    let ec2 = desk.aws.ec2();
    let group = desk.topology.security_group_ids.source.clone();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let rules = ec2.describe_security_group_rules().send().await.unwrap();
        let ours = rules.security_group_rules().iter().find(|r| r.group_id() == Some(&group) && r.is_egress() == Some(false)).unwrap();
        let id = ours.security_group_rule_id().unwrap();
        ec2.revoke_security_group_ingress().group_id(&group).security_group_rule_ids(id).send().await.unwrap();
        let stranger = ec2.authorize_security_group_ingress().group_id(&group).ip_protocol("tcp").from_port(1).to_port(65_535);
        stranger.cidr_ip("10.9.0.0/16").send().await.unwrap();
    });
    let plan = desk.run(&["plan", "-o", "json"], &files).ends_in(2).json();
    assert_eq!(plan["summary"], json!({"create": 1, "modify": 0, "delete": 0}), "{plan:#}");
    assert_eq!(plan["networks"][0]["foreign"][0]["wider"], true, "{plan:#}");
    assert!(plan["networks"][0]["drift"].is_null());
    desk.run(&["apply"], &files).ends_in(0);
    assert_ne!(desk.aws.state(), with_ours);
    desk.run(&["delete"], &files).ends_in(0);
    let left = runtime.block_on(ec2.describe_security_group_rules().send()).unwrap();
    assert!(left.security_group_rules().iter().any(|r| r.cidr_ipv4() == Some("10.9.0.0/16")), "the stranger's rule stays");
}

#[test]
fn observe_and_suspend_write_nothing() {
    let desk = Desk::new();
    let cases = [
        (desk.class(json!({"spec": {"mode": "Observe"}})), desk.network("orders", json!({})), 1),
        (desk.class(json!({})), desk.network("orders", json!({"spec": {"mode": "Observe"}})), 1),
        (desk.class(json!({})), desk.network("orders", json!({"spec": {"suspend": true}})), 0),
    ];
    for (class, network, code) in cases {
        let files = [class, network];
        desk.run(&["plan"], &files).ends_in(2);
        let applied = desk.run(&["apply"], &files).ends_in(code);
        assert!(applied.out.contains("nothing is written"), "{applied}");
    }
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply"], &files).ends_in(0);
    let mark = desk.aws.mark();
    for change in [json!({"spec": {"mode": "Observe"}}), json!({"spec": {"suspend": true}})] {
        let kept = desk.run(&["delete"], &[desk.class(json!({})), desk.network("orders", change)]).ends_in(1);
        assert!(kept.out.contains("Left in AWS"), "{kept}");
    }
    assert_eq!(desk.writes(mark), Vec::<String>::new());
}

#[test]
fn what_the_files_no_longer_want_is_listed_and_pruned() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let all = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply"], &all).ends_in(0);
    let mut less = desk.network("orders", json!({}));
    less["spec"]["vpcEndpoints"] = json!([]);
    less["spec"]["databases"].as_array_mut().unwrap().pop();
    let less = [desk.class(json!({})), less];

    let plan = desk.run(&["plan", "-o", "json"], &less).ends_in(0).json();
    assert_eq!(plan["unwanted"].as_array().unwrap().len(), 6, "a group, an endpoint, two rules each: {plan:#}");
    assert_eq!(plan["summary"]["delete"], 0);
    let plan = desk.run(&["plan", "--prune", "-o", "json"], &less).ends_in(2).json();
    assert_eq!(plan["summary"], json!({"create": 0, "modify": 0, "delete": 6}));

    let mark = desk.aws.mark();
    let applied = desk.run(&["apply"], &less).ends_in(0);
    assert!(applied.out.contains("--prune removes them"), "{applied}");
    assert_eq!(desk.writes(mark), Vec::<String>::new());
    // Another owner's are none of our business.
    desk.run(&["apply", "--prune", "--owner", "other"], &less).ends_in(0);
    let pruned = desk.run(&["apply", "--prune"], &less).ends_in(0);
    desk.run(&["plan", "--prune"], &less).ends_in(0);
    desk.run(&["plan"], &all).ends_in(2);
    desk.run(&["delete", "--owner", "other"], &less).ends_in(0);
    desk.run(&["delete"], &less).ends_in(0);
    desk.is_as(&before, pruned);
}

/// What a guardrail now forbids is kept and not repaired; it is not unwanted.
#[test]
fn a_guardrail_prunes_nothing_and_stops_no_deletion() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let network = desk.network("orders", json!({}));
    desk.run(&["apply"], &[desk.class(json!({})), network.clone()]).ends_in(0);
    let tight = desk.class(json!({"spec": {"guardrails": {"ports": ["1"], "vpcEndpointServices": []}}}));
    let mark = desk.aws.mark();
    let applied = desk.run(&["apply", "--prune", "-o", "json"], &[tight.clone(), network.clone()]).ends_in(1).json();
    assert_eq!(applied["after"]["networks"][0]["problems"][0]["reason"], "GuardrailViolated", "{applied:#}");
    assert_eq!(applied["after"]["unwanted"], json!([]));
    assert_eq!(desk.writes(mark), Vec::<String>::new());
    desk.run(&["delete"], &[tight, network]).ends_in(0);
    desk.is_as(&before, "");
}

#[test]
fn networks_of_one_file_share_and_leave_together() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let (class, a, b) = (desk.class(json!({})), desk.network("a", json!({})), desk.network("b", json!({})));
    let applied = desk.run(&["apply", "-o", "json"], &[class.clone(), a.clone(), b.clone()]).ends_in(0).json();
    assert_eq!(applied["summary"]["create"], 8, "{applied:#}");
    let deleted = desk.run(&["delete", "-o", "json"], &[class, a, b]).ends_in(0).json();
    desk.is_as(&before, deleted);
}

#[test]
fn two_owners_leave_each_others_alone() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply", "--owner", "east"], &files).ends_in(0);
    desk.run(&["apply", "--owner", "west"], &files).ends_in(0);
    desk.run(&["plan", "--owner", "west"], &files).ends_in(0);
    desk.run(&["plan", "--owner", "east"], &files).ends_in(0);
    desk.run(&["delete", "--owner", "east"], &files).ends_in(0);
    let plan = desk.run(&["plan", "--owner", "west", "-o", "json"], &files).json();
    assert_eq!(plan["summary"]["create"], 0, "what west needs is still there: {plan:#}");
    desk.run(&["apply", "--owner", "west"], &files).ends_in(0);
    desk.run(&["delete", "--owner", "west"], &files).ends_in(0);
    desk.is_as(&before, "");
}

#[test]
fn retain_only_takes_the_owner_tag_off() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({"spec": {"deletionPolicy": "Retain"}}))];
    desk.run(&["apply"], &files).ends_in(0);
    let mark = desk.aws.mark();
    desk.run(&["delete"], &files).ends_in(0);
    assert!(desk.writes(mark).iter().all(|o| o == "DeleteTags"), "{:?}", desk.writes(mark));
    let taken = desk.run(&["plan", "--owner", "other", "-o", "json"], &files).ends_in(2).json();
    assert_eq!(taken["summary"], json!({"create": 0, "modify": 8, "delete": 0}), "adopted by whoever wants exactly it: {taken:#}");
    let mark = desk.aws.mark();
    desk.run(&["delete"], &files).ends_in(0);
    assert_eq!(desk.writes(mark), Vec::<String>::new(), "it is nobody's now");
}

#[test]
fn problems_are_named_and_end_in_1() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let class = desk.class(json!({}));
    let wrong = desk.network("orders", json!({"spec": {"replication": {"instance": "nobody"}}}));
    let good = desk.network("payments", json!({}));
    let plan = desk.run(&["plan"], &[class.clone(), wrong.clone()]).ends_in(1);
    assert!(plan.out.contains("ReferenceNotFound") && plan.out.contains("\"nobody\" does not exist in us-west-2"), "{plan}");
    // The other network goes on; nothing is pruned while a problem hides what is wanted.
    let applied = desk.run(&["apply", "--prune", "-o", "json"], &[class.clone(), wrong.clone(), good.clone()]).ends_in(1).json();
    assert_eq!(applied["summary"], json!({"create": 8, "modify": 0, "delete": 0}), "{applied:#}");
    desk.run(&["delete"], &[class.clone(), wrong]).ends_in(1);
    desk.run(&["delete"], &[class, good]).ends_in(0);
    desk.is_as(&before, "");
}

#[test]
fn a_refused_permission_names_action_and_object() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    let fault = desk.aws.fault(json!({"kind": "denied", "operation": "AuthorizeSecurityGroupEgress"}));
    let applied = desk.run(&["apply"], &files).ends_in(1);
    let group = &desk.topology.security_group_ids.replication;
    let sentence = format!("AWS denied ec2:AuthorizeSecurityGroupEgress on {group}");
    assert!(applied.out.contains(&sentence), "{applied}");
    desk.aws.remove_fault(&fault);
    desk.run(&["apply"], &files).ends_in(0);
    let fault = desk.aws.fault(json!({"kind": "denied", "operation": "DescribeReplicationInstances"}));
    let plan = desk.run(&["plan"], &files).ends_in(1);
    assert!(plan.out.contains("AccessDenied") && plan.out.contains("dms:DescribeReplicationInstances"), "{plan}");
    desk.aws.remove_fault(&fault);
}

#[test]
fn trouble_that_passes_is_waited_out() {
    let desk = Desk::new();
    let before = desk.aws.state();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    for (seed, kind) in ["throttle", "error", "reset", "lost_answer"].into_iter().enumerate() {
        desk.aws.fault(json!({"kind": kind, "probability": 0.15, "seed": seed}));
        desk.run(&["apply"], &files).ends_in(0);
        desk.run(&["delete"], &files).ends_in(0);
        desk.aws.clear_faults();
        desk.is_as(&before, kind);
    }
}

#[test]
fn deletion_waits_for_the_endpoints_interfaces() {
    let desk = Desk::new();
    let before = desk.aws.state();
    desk.aws.delays(json!({"available": 1, "deleting": 3, "eni": 3}));
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply"], &files).ends_in(0);
    let deleted = desk.run(&["delete"], &files).ends_in(0);
    assert!(deleted.out.contains("is being deleted"), "{deleted}");
    desk.is_as(&before, deleted);
    // Made again while the old one is still on its way out.
    desk.run(&["apply"], &files).ends_in(0);
    desk.run(&["delete"], &files).ends_in(0);
    desk.is_as(&before, "");
}

#[test]
fn an_endpoint_that_is_taken_over_is_given_back() {
    let desk = Desk::new();
    desk.aws.delays(json!({"available": 0}));
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.run(&["apply", "--owner", "maker"], &files).ends_in(0);
    let state = desk.aws.state();
    let ec2 = desk.aws.ec2();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let endpoints = runtime.block_on(ec2.describe_vpc_endpoints().send()).unwrap();
    let id = endpoints.vpc_endpoints()[0].vpc_endpoint_id().unwrap().to_owned();
    let mut network = desk.network("orders", json!({}));
    network["spec"]["vpcEndpoints"] = json!([{"name": "dms", "service": "dms", "vpcEndpointId": id}]);
    let never = desk.run(&["plan"], &[desk.class(json!({})), network.clone()]).ends_in(1);
    assert!(never.out.contains("takeOver"), "{never}");
    let class = desk.class(json!({"spec": {"guardrails": {"takeOver": "Any"}}}));
    desk.run(&["apply", "--owner", "taker"], &[class.clone(), network.clone()]).ends_in(0);
    // Another owner that wants the same does not take the first one's mark away.
    desk.run(&["delete", "--owner", "third"], &[class.clone(), network.clone()]).ends_in(0);
    let marked = runtime.block_on(ec2.describe_vpc_endpoints().send()).unwrap();
    assert!(marked.vpc_endpoints()[0].tags().iter().any(|t| t.key() == Some("dmsnet.dev/taken-over") && t.value() == Some("taker")));
    desk.run(&["delete", "--owner", "taker"], &[class, network]).ends_in(0);
    desk.is_as(&state, "");
}
