use std::sync::Arc;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::{Direction, Need, Peer, Picture, Rule, RuleShape, SecurityGroup, Tags};

fn cloud_trail(source: &str, operation: &str, request: Value) -> Value {
    json!({
        "version": "0", "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38", "detail-type": "AWS API Call via CloudTrail",
        "source": source.replace(".amazonaws.com", "").replacen("", "aws.", 1), "account": "111122223333",
        "time": "2026-11-22T10:00:05Z", "region": "us-west-2", "resources": [],
        "detail": {
            "eventVersion": "1.09",
            "userIdentity": {
                "type": "AssumedRole", "principalId": "AROAEXAMPLE:alice", "accountId": "111122223333",
                "arn": "arn:aws:sts::111122223333:assumed-role/admin/sg-0000dead",
                "sessionContext": { "sessionIssuer": { "type": "Role", "userName": "admin" } },
            },
            "eventTime": "2026-11-22T10:00:00Z", "eventSource": source, "eventName": operation, "awsRegion": "us-west-2",
            "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2.31", "requestParameters": request, "responseElements": null,
            "requestID": "req-1", "eventID": "ev-1", "readOnly": false, "eventType": "AwsApiCall", "managementEvent": true,
            "recipientAccountId": "111122223333",
        },
    })
}

fn ec2(operation: &str, request: Value) -> Value {
    cloud_trail("ec2.amazonaws.com", operation, request)
}

fn change(event: &Value) -> ChangeEvent {
    match read(event.to_string().as_bytes()) {
        Ok(Said::Changed(change)) => *change,
        other => panic!("{other:?} from {event:#}"),
    }
}

fn ids(event: &Value) -> Vec<String> {
    change(event).names.ids.iter().map(ToString::to_string).collect()
}

#[test]
fn the_old_generation_of_records_is_read() {
    let request = json!({
        "groupId": "sg-0a1b2c3d4e5f60718",
        "ipPermissions": { "items": [{ "ipProtocol": "tcp", "fromPort": 5432, "toPort": 5432,
            "groups": { "items": [{ "groupId": "sg-0bbbbbbbbbbbbbbbb" }] }, "ipRanges": {}, "prefixListIds": {} }] },
    });
    let event = change(&ec2("RevokeSecurityGroupIngress", request));
    // Neither the peer of the rule, nor what the session calls itself.
    assert_eq!(event.names.ids.iter().map(|i| &**i).collect::<Vec<_>>(), ["sg-0a1b2c3d4e5f60718"]);
    assert_eq!((event.account.as_deref(), event.region.as_deref()), (Some("111122223333"), Some("us-west-2")));
    assert_eq!((event.id.as_str(), event.request_id.as_deref()), ("ev-1", Some("req-1")));
    assert_eq!(
        event.cause.unwrap().to_string(),
        "arn:aws:sts::111122223333:assumed-role/admin/sg-0000dead called ec2:RevokeSecurityGroupIngress from 203.0.113.7 \
         at 2026-11-22T10:00:00Z"
    );
    let request = json!({ "groupId": "sg-0a1b2c3d", "securityGroupRuleIds": { "items": [{ "securityGroupRuleId": "sgr-0c1b2c3d" }] } });
    assert_eq!(ids(&ec2("RevokeSecurityGroupEgress", request)), ["sg-0a1b2c3d", "sgr-0c1b2c3d"]);
    let request = json!({ "networkAclId": "acl-0a1b2c3d", "ruleNumber": 100, "egress": false, "ruleAction": "deny" });
    assert_eq!(ids(&ec2("CreateNetworkAclEntry", request)), ["acl-0a1b2c3d"]);
    let request = json!({ "routeTableId": "rtb-0a1b2c3d", "destinationCidrBlock": "10.9.0.0/16" });
    assert_eq!(ids(&ec2("DeleteRoute", request)), ["rtb-0a1b2c3d"]);
    let request = json!({ "resourcesSet": { "items": [{ "resourceId": "sgr-0c1b2c3d" }] }, "tagSet": { "items": [{ "key": "k" }] } });
    assert_eq!(ids(&ec2("DeleteTags", request)), ["sgr-0c1b2c3d"]);
}

#[test]
fn the_new_generation_of_records_is_read() {
    let request = json!({ "ModifySecurityGroupRulesRequest": {
        "GroupId": "sg-0a1b2c3d", "SecurityGroupRule": { "tag": 1, "SecurityGroupRuleId": "sgr-0c1b2c3d",
            "SecurityGroupRule": { "IpProtocol": "tcp", "ReferencedGroupId": "sg-0bbbbbbb" } } } });
    assert_eq!(ids(&ec2("ModifySecurityGroupRules", request)), ["sg-0a1b2c3d", "sgr-0c1b2c3d"]);
    let one = json!({ "DeleteVpcEndpointsRequest": { "VpcEndpointId": { "tag": 1, "content": "vpce-0a1b2c3d" } } });
    assert_eq!(ids(&ec2("DeleteVpcEndpoints", one)), ["vpce-0a1b2c3d"]);
    let list = json!({ "DeleteVpcEndpointsRequest": { "VpcEndpointId": [
        { "tag": 1, "content": "vpce-0a1b2c3d" }, { "tag": 2, "content": "vpce-0b1b2c3d" }] } });
    assert_eq!(ids(&ec2("DeleteVpcEndpoints", list)), ["vpce-0a1b2c3d", "vpce-0b1b2c3d"]);
    let mut made = ec2("CreateVpcEndpoint", json!({ "CreateVpcEndpointRequest": { "VpcId": "vpc-0a1b2c3d", "ServiceName": "s" } }));
    made["detail"]["responseElements"] = json!({ "CreateVpcEndpointResponse": { "vpcEndpoint": { "vpcEndpointId": "vpce-0a1b2c3d" } } });
    assert_eq!(ids(&made), ["vpc-0a1b2c3d", "vpce-0a1b2c3d"]);
}

#[test]
fn dms_and_rds_are_named_by_identifier_or_arn() {
    let arn = "arn:aws:dms:us-west-2:111122223333:rep:ABCDEFGHIJ";
    let event = change(&cloud_trail("dms.amazonaws.com", "ModifyReplicationInstance", json!({ "replicationInstanceArn": arn })));
    assert_eq!(event.names.others.into_iter().collect::<Vec<_>>(), [Name::Arn(arn.into())]);
    let request = json!({ "dBInstanceIdentifier": "Orders-DB", "vpcSecurityGroupIds": ["sg-0a1b2c3d"] });
    let event = change(&cloud_trail("rds.amazonaws.com", "ModifyDBInstance", request));
    assert_eq!(event.names.others.into_iter().collect::<Vec<_>>(), [Name::Identifier(NameKind::DbInstance, "orders-db".into())]);
    assert!(event.names.ids.is_empty(), "RDS names groups that it did not change");
    // DMS's own event, without a person.
    let event = change(&json!({
        "version": "0", "id": "e1", "detail-type": "DMS Replication Instance State Change", "source": "aws.dms",
        "account": "111122223333", "time": "2026-11-22T10:00:05Z", "region": "us-west-2", "resources": [arn],
        "detail": { "eventId": "DMS-EVENT-0036", "eventType": "INCOMPATIBLE_NETWORK", "category": "Failure" },
    }));
    assert_eq!((event.cause, event.names.others.len(), event.id.as_str()), (None, 1, "e1"));
}

#[test]
fn calls_that_failed_or_only_looked_say_nothing() {
    let request = json!({ "groupId": "sg-0a1b2c3d" });
    let mut failed = ec2("AuthorizeSecurityGroupIngress", request.clone());
    failed["detail"]["errorCode"] = "Client.InvalidPermission.Duplicate".into();
    assert_eq!(read(failed.to_string().as_bytes()), Ok(Said::Nothing));
    let mut looked = ec2("DescribeSecurityGroups", request);
    looked["detail"]["readOnly"] = true.into();
    assert_eq!(read(looked.to_string().as_bytes()), Ok(Said::Nothing));
}

#[test]
fn what_is_no_event_is_told_and_never_hurts() {
    let refused = |body: &[u8]| read(body).unwrap_err().to_string();
    assert!(refused(b"").starts_with("it is no JSON"));
    assert!(refused(b"hello").starts_with("it is no JSON"));
    assert!(refused(&[0xff, 0xfe]).starts_with("it is no JSON"));
    assert!(refused(b"{\"a\": 1}").contains("source is missing"));
    assert!(refused(br#"{"source": "aws.ec2", "detail-type": "x", "detail": []}"#).contains("detail is missing"));
    assert!(refused(&vec![b'['; 200_000]).contains("recursion limit"), "depth is bounded");
    assert!(refused(&vec![b' '; MAX_BODY + 1]).contains("more than SQS delivers"));
    let many: Vec<String> = (0..20_000).map(|i| format!("sg-{i:08x}")).collect();
    let event = change(&ec2("CreateTags", json!({ "resourcesSet": many })));
    assert_eq!(event.names.ids.len(), 500, "no more than anybody changes in one call");
    let mut long = ec2("DeleteRoute", json!({}));
    long["detail"]["userIdentity"]["arn"] = format!("arn\n{}", "ü".repeat(5000)).into();
    let cause = change(&long).cause.unwrap();
    assert!(cause.who.chars().count() <= MAX_TEXT && !cause.who.contains('\n'), "{}", cause.who);
}

#[test]
fn only_whole_ids_are_ids() {
    let found = |text| ids_in(text).collect::<Vec<_>>();
    assert_eq!(found("arn:aws:ec2:us-west-2:1:security-group/sg-0a1b2c3d"), ["sg-0a1b2c3d"]);
    assert_eq!(found("rule/sg-0a1b2c3d/in (sgr-0123456789abcdef0)"), ["sg-0a1b2c3d", "sgr-0123456789abcdef0"]);
    for no in ["sg-0a1b2c3", "sg-0a1b2c3dd", "sg-0A1B2C3D", "xsg-0a1b2c3d", "sg-0a1b2c3z", "sg-", "i-0a1b2c3d"] {
        assert!(found(no).is_empty(), "{no}");
    }
}

fn picture() -> Picture {
    let mut picture = Picture::default();
    let group = SecurityGroup {
        id: "sg-0a1b2c3d".into(),
        name: "orders".into(),
        vpc: "vpc-0a1b2c3d".into(),
        owner: "111122223333".into(),
        tags: Tags::new(),
    };
    let rule = Rule {
        id: "sgr-0c1b2c3d".into(),
        group: group.id.clone(),
        shape: RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup("sg-0bbbbbbb".into())),
        description: None,
        tags: Tags::new(),
    };
    picture.rules.insert(group.id.clone(), Arc::from([rule]));
    picture.groups.insert(group.id.clone(), group.into());
    picture
}

#[test]
fn what_is_touched_is_asked_again_and_no_more() {
    let picture = picture();
    let needs = |event: &Value| change(event).needs(&picture).into_iter().collect::<Vec<_>>();
    let rules = Need::RulesOf("sg-0a1b2c3d".into());
    assert_eq!(needs(&ec2("RevokeSecurityGroupIngress", json!({ "groupId": "sg-0a1b2c3d" }))), std::slice::from_ref(&rules));
    // Only the rule is named.
    assert_eq!(
        needs(&ec2("DeleteTags", json!({ "resourcesSet": { "items": [{ "resourceId": "sgr-0c1b2c3d" }] } }))),
        std::slice::from_ref(&rules)
    );
    assert_eq!(
        needs(&ec2("DeleteSecurityGroup", json!({ "groupId": "sg-0a1b2c3d" }))),
        [Need::GroupsOf("vpc-0a1b2c3d".into()), Need::Group("sg-0a1b2c3d".into()), rules]
    );
    // A new object is looked for where it was made.
    let acl = ec2("CreateNetworkAcl", json!({ "networkAclId": "acl-0a1b2c3d", "vpcId": "vpc-0a1b2c3d" }));
    assert_eq!(needs(&acl), [Need::NetworkAclsOf("vpc-0a1b2c3d".into()), Need::NetworkAcl("acl-0a1b2c3d".into())]);
    let attribute = ec2("ModifyVpcAttribute", json!({ "vpcId": "vpc-0a1b2c3d", "enableDnsSupport": { "value": false } }));
    assert_eq!(needs(&attribute), [Need::Vpc("vpc-0a1b2c3d".into())]);
    // Of a table that nobody knows, nothing but itself.
    assert_eq!(needs(&ec2("DeleteRoute", json!({ "routeTableId": "rtb-0a1b2c3d" }))), [Need::RouteTable("rtb-0a1b2c3d".into())]);
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_text_in_any_place_is_survived(place in 0usize..5, text in "\\PC{0,64}") {
        let mut event = ec2("RevokeSecurityGroupIngress", json!({ "groupId": "sg-0a1b2c3d" }));
        let value = Value::from(text);
        match place {
            0 => event["detail"]["requestParameters"] = value,
            1 => event["detail"]["userIdentity"] = value,
            2 => event["detail"]["eventTime"] = value,
            3 => event["detail"]["requestParameters"] = json!({ "groupId": value, "dBInstanceIdentifier": [value] }),
            _ => event["resources"] = json!([format!("arn:{value}")]),
        }
        let _ = read(event.to_string().as_bytes());
    }
}
