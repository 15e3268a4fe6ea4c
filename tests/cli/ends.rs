//! `explain` on facts that no rule or route can mend: what a user reads. The examples' snapshots, changed.

use std::fs;

use super::{out, root, run};

/// What `explain` says of an example whose snapshot is changed, and its exit code.
fn explained(example: &str, file: &str, changes: &[(&str, &str)]) -> (String, Option<i32>) {
    let dir = root().join("examples").join(example);
    let mut snapshot = fs::read_to_string(dir.join(file)).unwrap();
    for (from, to) in changes {
        assert!(snapshot.contains(from), "{from:?} is in {example}/{file}");
        snapshot = snapshot.replace(from, to);
    }
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("snapshot.json");
    fs::write(&path, snapshot).unwrap();
    let file = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let args = ["explain", "-f", &file("class.yaml"), &file("network.yaml"), "--snapshot", path.to_str().unwrap()];
    let output = run(&args);
    (out(&output), output.status.code())
}

/// The lines, each after the one before.
fn in_order(text: &str, lines: &[&str]) {
    let mut rest = text;
    for line in lines {
        assert!(rest.contains(line), "no {line:?} where it should be in:\n{text}");
        rest = rest.split_once(line).unwrap_or_default().1;
    }
}

#[test]
fn an_instance_in_the_range_of_dms() {
    let (text, code) = explained("same-vpc", "after.json", &[("10.0.1.", "10.0.0."), ("10.0.", "192.168.")]);
    assert_eq!(code, Some(2), "{text}");
    in_order(
        &text,
        &[
            "✗ source blocked",
            "✗ host subnet-0a1b2c01",
            "ReservedSourceRange",
            "found:  192.168.0.4/32 in subnet-0a1b2c01 is in 192.168.0.0/24, which DMS keeps for itself",
            "needed: a replication subnet outside that range",
            "fix:    the subnets of a replication cannot be changed: create a new one in subnets outside 192.168.0.0/24, and move the tasks to it",
        ],
    );
}

#[test]
fn a_database_in_the_range_of_dms() {
    let (text, code) = explained("same-vpc", "after.json", &[("10.0.3.", "10.0.0."), ("10.0.", "192.168.")]);
    assert_eq!(code, Some(2), "{text}");
    in_order(
        &text,
        &[
            "✗ source blocked",
            "✗ host ",
            "ReservedSourceRange",
            "is in 192.168.0.0/24, which DMS keeps for itself: it reaches no database there",
            "needed: an address outside that range",
            "fix:    put a TCP proxy (such as socat) on a host outside 192.168.0.0/24 in front of ",
        ],
    );
}

#[test]
fn a_placement_in_one_zone() {
    let (text, code) = explained("placement", "after.json", &[("us-west-2b", "us-west-2a")]);
    assert_eq!(code, Some(2), "{text}");
    in_order(
        &text,
        &[
            "✗ the planned replication",
            "SubnetGroupOneZone",
            "found:  all subnets (subnet-0a1b2c01, subnet-0a1b2c02) are in us-west-2a",
            "needed: subnets in at least two Availability Zones",
            "fix:    add to placement.subnetIds a subnet of another Availability Zone",
        ],
    );
}

/// AWS makes no such subnet group, so this blocks nothing by itself.
#[test]
fn a_subnet_group_in_one_zone() {
    let (text, code) = explained("same-vpc", "after.json", &[("us-west-2b", "us-west-2a")]);
    assert_eq!(code, Some(0), "{text}");
    in_order(
        &text,
        &[
            "! SubnetGroupOneZone orders-ri",
            "found:  all subnets (subnet-0a1b2c01, subnet-0a1b2c02) are in us-west-2a",
            "fix:    the subnet group of a replication cannot be changed: create a new replication whose subnet group covers two zones",
        ],
    );
}
