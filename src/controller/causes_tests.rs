use serde_json::json;

use super::*;
use crate::model::event::{Said, read};

fn event(id: &str, who: &str, operation: &str, at: &str, request: serde_json::Value) -> ChangeEvent {
    let body = json!({
        "source": "aws.ec2", "detail-type": "AWS API Call via CloudTrail",
        "detail": { "eventID": id, "eventName": operation, "eventSource": "ec2.amazonaws.com", "eventTime": at,
            "userIdentity": { "arn": who }, "sourceIPAddress": "203.0.113.7", "requestParameters": request },
    });
    match read(body.to_string().as_bytes()) {
        Ok(Said::Changed(change)) => *change,
        other => panic!("{other:?}"),
    }
}

fn revoke(id: &str, who: &str, at: &str) -> ChangeEvent {
    event(id, who, "RevokeSecurityGroupIngress", at, json!({ "groupId": "sg-0a1b2c3d", "ipPermissions": { "items": [] } }))
}

const RULE: &str = "rule/sg-0a1b2c3d/in/tcp/5432/sg-0bbbbbbb";
const TEN: &str = "2026-11-22T10:00:00Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn drift(kind: &str, resource: &str) -> DriftRecord {
    DriftRecord { resource: resource.into(), kind: kind.into(), detected_at: time(TEN), ..DriftRecord::default() }
}

fn entry(key: &str, id: &str) -> OwnedEntry {
    OwnedEntry { key: key.into(), id: Some(id.into()), ..OwnedEntry::default() }
}

fn explained(causes: &Causes, record: DriftRecord, ledger: &[OwnedEntry]) -> Option<String> {
    explained_at(causes, record, ledger, Instant::now())
}

fn explained_at(causes: &Causes, record: DriftRecord, ledger: &[OwnedEntry], now: Instant) -> Option<String> {
    let mut records = [record];
    causes.fill(&"network".into(), &mut records, ledger, now, time(TEN));
    records[0].cause.clone()
}

#[test]
fn a_rule_is_named_by_its_group_or_by_itself() {
    let causes = Causes::default();
    assert_eq!(explained(&causes, drift("RuleMissing", RULE), &[]), None);
    causes.note(&revoke("e1", "alice", "2026-11-22T09:59:58Z"), Instant::now());
    let text = explained(&causes, drift("RuleMissing", RULE), &[]).unwrap();
    assert_eq!(text, "alice called ec2:RevokeSecurityGroupIngress from 203.0.113.7 at 2026-11-22T09:59:58Z");
    // Neither the other direction, nor another kind of change, nor the peer's group.
    assert_eq!(explained(&causes, drift("RuleMissing", "rule/sg-0a1b2c3d/out/tcp/5432/sg-0bbbbbbb"), &[]), None);
    assert_eq!(explained(&causes, drift("RuleChanged", "rule/sg-0a1b2c3d/in/tcp/1/sg-0bbbbbbb"), &[]), None);
    assert_eq!(explained(&causes, drift("RuleMissing", "rule/sg-0bbbbbbb/in/tcp/5432/sg-0a1b2c3d"), &[]), None);
    // The rule's own ID goes before the group's.
    let request = json!({ "groupId": "sg-0a1b2c3d", "securityGroupRuleIds": { "items": [{ "securityGroupRuleId": "sgr-0c1b2c3d" }] } });
    causes.note(&event("e2", "bob", "RevokeSecurityGroupIngress", TEN, request), Instant::now());
    let other = "rule/sg-0a1b2c3d/in/tcp/3306/sg-0bbbbbbb";
    let text = explained(&causes, drift("RuleMissing", other), &[entry(other, "sgr-0c1b2c3d")]).unwrap();
    assert!(text.starts_with("bob called"), "{text}");
}

#[test]
fn where_it_may_have_been_several_it_says_so() {
    let causes = Causes::default();
    causes.note(&revoke("e1", "alice", TEN), Instant::now());
    causes.note(&revoke("e2", "bob", TEN), Instant::now());
    let text = explained(&causes, drift("RuleMissing", RULE), &[]).unwrap();
    assert!(text.starts_with("one of: alice called") && text.contains("; bob called"), "{text}");
}

#[test]
fn an_event_explains_one_drift_of_an_object() {
    let causes = Causes::default();
    causes.note(&revoke("e1", "alice", TEN), Instant::now());
    causes.note(&revoke("e1", "alice", TEN), Instant::now());
    assert!(explained(&causes, drift("RuleMissing", RULE), &[]).is_some());
    assert!(explained(&causes, drift("RuleMissing", RULE), &[]).is_some(), "the same drift, in a later pass");
    let again = DriftRecord { detected_at: time("2026-11-22T10:01:00Z"), ..drift("RuleMissing", RULE) };
    assert_eq!(explained(&causes, again.clone(), &[]), None, "the next time it was another call");
    causes.note(&revoke("e2", "bob", "2026-11-22T10:00:59Z"), Instant::now());
    assert!(explained(&causes, again, &[]).unwrap().starts_with("bob"));
}

#[test]
fn an_event_that_comes_late_finds_what_was_there() {
    let causes = Causes::default();
    let record = drift("EndpointMissing", "endpoint/vpc-0a1b2c3d/dms");
    assert_eq!(explained(&causes, record.clone(), &[entry("endpoint/vpc-0a1b2c3d/dms", "vpce-0a1b2c3d")]), None);
    let request = json!({ "DeleteVpcEndpointsRequest": { "VpcEndpointId": { "tag": 1, "content": "vpce-0a1b2c3d" } } });
    let woken = causes.note(&event("e1", "alice", "DeleteVpcEndpoints", TEN, request), Instant::now());
    assert_eq!(woken, BTreeSet::from(["network".into()]));
    // It was made anew meanwhile.
    let text = explained(&causes, record, &[entry("endpoint/vpc-0a1b2c3d/dms", "vpce-0bbbbbbb")]).unwrap();
    assert!(text.starts_with("alice called ec2:DeleteVpcEndpoints"), "{text}");
}

#[test]
fn what_is_later_or_old_explains_nothing() {
    let causes = Causes::default();
    causes.note(&revoke("e1", "alice", "2026-11-22T10:05:00Z"), Instant::now());
    assert_eq!(explained(&causes, drift("RuleMissing", RULE), &[]), None, "the clocks do not differ by so much");
    causes.note(&revoke("e2", "alice", TEN), Instant::now());
    let later = Instant::now() + KEPT;
    assert_eq!(explained_at(&causes, drift("RuleMissing", RULE), &[], later), None);
    assert_eq!(causes.lock().by_object.len(), 0, "nothing is kept for ever");
    for i in 0..MOST + 10 {
        causes.note(&revoke(&format!("x{i}"), "storm", TEN), Instant::now());
    }
    assert!(causes.lock().events.len() <= MOST);
}

#[test]
fn everything_that_drifts_has_an_object() {
    let foreign = About::of(&drift("ForeignRule", "rule/sg-0a1b2c3d/in/tcp/22/0.0.0.0/0 (sgr-0c1b2c3d)"), &[]);
    assert_eq!(foreign.objects, BTreeSet::from(["sgr-0c1b2c3d".to_owned()]));
    let ledger = [entry("group/vpc-0a1b2c3d/dms", "sg-0d1b2c3d")];
    let of_endpoint = About::of(&drift("RuleMissing", "rule/vpc-0a1b2c3d/dms/in/tcp/443/10.0.0.0/16"), &ledger);
    assert_eq!(of_endpoint.within, Some(("sg-0d1b2c3d".to_owned(), &["RevokeSecurityGroupIngress"][..])));
    let mut group = drift("GroupMissing", "group/vpc-0a1b2c3d/dms");
    group.wanted = "dmsnet-x-dms-01234567 (sg-0d1b2c3d)".to_owned();
    assert!(About::of(&group, &[]).objects.contains("sg-0d1b2c3d"));
    assert_eq!(About::of(&drift("AclEntryMissing", "acl/acl-0a1b2c3d/in/100"), &[]).within, Some(("acl-0a1b2c3d".to_owned(), &[][..])));
}
