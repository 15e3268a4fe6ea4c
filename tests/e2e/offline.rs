//! `snapshot`, and what runs on one.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Answer, Desk, emulator::CONTROLLER_KEY};

const FORMS: [&[&str]; 4] =
    [&["plan"], &["plan", "-o", "json"], &["plan", "--prune", "-o", "json"], &["plan", "--owner", "other", "--color", "always"]];

/// Takes a snapshot, and asks the same of AWS and of it.
#[track_caller]
fn same_offline(desk: &Desk, files: &[Value], code: i32, why: &str) {
    let snapshot = desk.path("snapshot.json");
    let snapshot = snapshot.to_str().unwrap();
    desk.run(&["snapshot", "-o", snapshot], files).ends_in(0);
    for form in FORMS {
        let live = desk.run(form, files);
        let mark = desk.aws.mark();
        let offline = desk.run_offline(&[form, &["--snapshot", snapshot]].concat(), files);
        assert!(desk.aws.calls(mark).is_empty(), "{why}: {form:?} asks nobody");
        assert_eq!((offline.code, &offline.out, &offline.err), (live.code, &live.out, &live.err), "{why}: {form:?}");
    }
    desk.run_offline(&["plan", "--snapshot", snapshot], files).ends_in(code);
}

#[test]
fn a_plan_on_a_snapshot_says_what_a_plan_says() {
    let desk = Desk::new();
    // AWS stands still between the two.
    desk.aws.delays(json!({"available": 0}));
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    same_offline(&desk, &files, 2, "nothing is there");
    desk.run(&["apply"], &files).ends_in(0);
    same_offline(&desk, &files, 0, "all is there");
    let gone = desk.network(
        "orders",
        json!({"spec": {"vpcEndpoints": [], "databases": [{
            "name": "new", "path": {"type": "SameVpc"}, "securityGroupId": desk.topology.security_group_ids.source,
            "address": {"engine": "mysql", "endpoints": [{"host": "new.example.com"}]},
        }]}}),
    );
    same_offline(&desk, &[desk.class(json!({})), gone], 2, "something is wanted, something is not");
    let missing = desk.network("orders", json!({"spec": {"replication": {"instance": "nobody"}}}));
    same_offline(&desk, &[desk.class(json!({})), missing], 1, "the instance does not exist");
    let tight = desk.class(json!({"spec": {"guardrails": {"ports": ["1"]}}}));
    same_offline(&desk, &[tight, files[1].clone()], 1, "a guardrail is in the way");
}

#[test]
fn what_was_refused_is_recorded_as_refused() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    desk.aws.fault(json!({"kind": "error", "operation": "DescribeSecurityGroupRules", "code": "UnauthorizedOperation", "status": 403}));
    let snapshot = desk.path("snapshot.json");
    let taken = desk.run(&["snapshot", "-o", snapshot.to_str().unwrap()], &files).ends_in(0);
    assert!(taken.err.contains("recorded as refused: rules of security group sg-"), "{taken}");
    desk.aws.clear_faults();
    let plan = desk.run_offline(&["plan", "--snapshot", snapshot.to_str().unwrap()], &files).ends_in(1);
    assert!(plan.out.contains("AccessDenied") && plan.out.contains("DescribeSecurityGroupRules"), "{plan}");
}

/// The same facts make the same file, and no credential is in it.
#[test]
fn a_snapshot_holds_the_facts_and_nothing_else() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    let take = |name: &str| {
        let file = desk.path(name);
        desk.run(&["snapshot", "-o", file.to_str().unwrap()], &files).ends_in(0);
        let text = fs::read_to_string(file).unwrap();
        let lines: Vec<String> = text.lines().filter(|l| !l.contains("\"takenAt\"")).map(str::to_owned).collect();
        assert_eq!(lines.len() + 1, text.lines().count(), "the time is told");
        (text, lines)
    };
    let ((text, one), (_, other)) = (take("one.json"), take("other.json"));
    assert_eq!(one, other);
    for secret in [CONTROLLER_KEY, "not-a-secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
    let printed = desk.run(&["snapshot", "-o", "-"], &files).ends_in(0);
    assert_eq!(printed.out.lines().filter(|l| !l.contains("\"takenAt\"")).map(str::to_owned).collect::<Vec<_>>(), one);
}

#[test]
fn a_snapshot_that_does_not_serve_says_what_to_do() {
    let desk = Desk::new();
    let files = [desk.class(json!({})), desk.network("orders", json!({}))];
    let file = desk.path("snapshot.json");
    let file = file.to_str().unwrap();
    desk.run(&["snapshot", "-o", file], &files).ends_in(0);
    let good = fs::read_to_string(file).unwrap();
    let plan = |text: &str, documents: &[Value]| -> Answer {
        fs::write(file, text).unwrap();
        let answer = desk.run_offline(&["plan", "--snapshot", file], documents).ends_in(1);
        assert!(
            answer.out.is_empty() && answer.err.starts_with(&format!("error: {file}: ")) && answer.err.lines().count() == 1,
            "{answer}"
        );
        answer
    };
    for (text, expected) in [
        (&good[..good.len() / 2], "is cut off at line"),
        ("", "is no snapshot of dmsnet"),
        ("a: b", "is no snapshot of dmsnet"),
        (&good.replace("\"version\": 1,", "\"version\": 2,"), "is of version 2 of the format"),
        (&good.replace("\"vpcs\": {", "\"vpcs\": {\"vpc-1\": 7,"), "is damaged at pictures[0].picture.vpcs.vpc-1"),
    ] {
        let answer = plan(text, &files);
        assert!(answer.err.contains(expected), "{expected}\n{answer}");
    }
    let elsewhere = [desk.class(json!({"spec": {"region": "eu-west-1"}})), files[1].clone()];
    let answer = plan(&good, &elsewhere);
    assert!(answer.err.contains("holds nothing of eu-west-1 at http") && answer.err.contains("class \"lab\""), "{answer}");
    let other = desk.network("orders", json!({"spec": {"replication": {"instance": "payments-ri"}}}));
    let answer = plan(&good, &[files[0].clone(), other]);
    let expected = "does not hold DMS replication instance payments-ri, which these files ask for: take it again with the same files";
    assert!(answer.err.contains(expected), "{answer}");
    let missing = desk.run_offline(&["plan", "--snapshot", "/nowhere/snapshot.json"], &files).ends_in(1);
    assert_eq!(missing.err, "error: /nowhere/snapshot.json: cannot be read: No such file or directory (os error 2)\n");
}
