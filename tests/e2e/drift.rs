//! Every way to break a network behind the controller's back: found, told, and mended within one interval.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use aws_sdk_ec2::types as ec2;
use dmsnet::api::{DmsNetwork, status::DriftRecord};
use serde_json::{Value, json};

use crate::{
    harness::{
        Env,
        env::{SOON, condition},
    },
    view::{View, settled},
};

/// Issue 3: with an interval of 10 s each breakage is mended at most 12 s later.
const MENDED: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn every_breakage_is_told_and_mended_within_twelve_seconds() {
    let mut env = Env::builder("drift-enforce").without_controller().start().await;
    give_ipv6(&env).await;
    let before = env.aws.state();
    env.controller.start();
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    let wanted = View::of(&env);
    assert_eq!((wanted.our_groups(), wanted.endpoints.len()), (1, 1));
    let start = env.aws.mark();
    settled(&env).await;
    let mut told = BTreeMap::new();

    // Rules and tags.
    let at = Instant::now();
    break_rules(&env).await;
    strip_tags(&env).await;
    mended(&env, &wanted, at, "rules and tags").await;
    is_told(&mut env, &mut told, &[("RuleMissing", 1), ("RuleChanged", 3), ("TagsStripped", 3)]).await;
    settled(&env).await;

    // The endpoint, in every field.
    let at = Instant::now();
    break_endpoint(&env).await;
    mended(&env, &wanted, at, "endpoint").await;
    let kinds = ["EndpointSubnets", "EndpointGroups", "EndpointPolicy", "EndpointPrivateDns", "EndpointIpAddressType"];
    is_told(&mut env, &mut told, &kinds.map(|k| (k, 1))).await;
    settled(&env).await;

    // Its group.
    let at = Instant::now();
    delete_group(&env).await;
    mended(&env, &wanted, at, "group").await;
    is_told(&mut env, &mut told, &[("GroupMissing", 1)]).await;
    settled(&env).await;

    // The endpoint itself.
    let at = Instant::now();
    delete_endpoint(&env).await;
    mended(&env, &wanted, at, "endpoint gone").await;
    is_told(&mut env, &mut told, &[("EndpointMissing", 1)]).await;
    env.ready("orders").await;

    // Nothing was ever taken away for a repair.
    let away: Vec<_> =
        env.aws.writes(start).into_iter().filter(|c| c.operation.starts_with("Revoke") || c.operation.starts_with("Delete")).collect();
    assert!(away.is_empty(), "{away:#?}");
    env.delete("orders").await;
    env.gone("orders", SOON).await;
    assert_eq!(env.aws.state(), before, "AWS is as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_while_the_controller_was_away_is_drift_too() {
    let mut env = Env::start("drift-away").await;
    env.apply("orders", env.reference()).await;
    env.ready("orders").await;
    let wanted = View::of(&env);
    assert!(env.controller.term().success());
    break_rules(&env).await;
    delete_endpoint(&env).await;
    let at = Instant::now();
    env.controller.start();
    mended(&env, &wanted, at, "after the start").await;
    is_told(&mut env, &mut BTreeMap::new(), &[("RuleMissing", 1), ("RuleChanged", 3), ("EndpointMissing", 1)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_tells_everything_and_writes_nothing() {
    let mut env = Env::builder("drift-observe").without_controller().start().await;
    give_ipv6(&env).await;
    env.controller.start();
    // A network that begins in Observe.
    let mut spec = env.reference();
    spec["mode"] = "Observe".into();
    env.apply("orders", spec).await;
    let network = env.network("orders", SOON, |n| pending(n).is_some()).await;
    let (pending_at_first, status) = (pending(&network).unwrap(), network.status.clone().unwrap());
    assert_eq!(
        pending_at_first.matches("Create").count(),
        1 + 4 + 3 + 1,
        "group, rules (443 from two CIDRs), endpoint: {pending_at_first}"
    );
    assert_eq!((status.owned.len(), status.drift.len()), (0, 0), "nothing is held and nothing has drifted");
    assert_eq!(condition(&network, "DriftDetected").unwrap().status, "False");
    assert_eq!(condition(&network, "Synced").unwrap().reason, "ChangesPending");
    assert_eq!(env.aws.writes(0).len(), 0, "Observe writes nothing");

    // Then Enforce, then Observe again, and everything is broken.
    env.patch("orders", json!({ "spec": { "mode": "Enforce" } })).await;
    env.ready("orders").await;
    let wanted = View::of(&env);
    env.patch("orders", json!({ "spec": { "mode": "Observe" } })).await;
    env.network("orders", SOON, |n| n.status.as_ref().unwrap().observed_generation == n.metadata.generation).await;
    settled(&env).await;
    let mark = env.aws.mark();
    break_rules(&env).await;
    strip_tags(&env).await;
    break_endpoint(&env).await;
    let kinds: BTreeSet<&str> = [
        "RuleMissing",
        "RuleChanged",
        "TagsStripped",
        "EndpointSubnets",
        "EndpointGroups",
        "EndpointPolicy",
        "EndpointPrivateDns",
        "EndpointIpAddressType",
    ]
    .into();
    let seen = env.network("orders", SOON, |n| open(n).map(|r| r.kind.as_str()).collect::<BTreeSet<_>>() == kinds).await;
    assert_eq!(open(&seen).count(), 1 + 3 + 3 + 5);
    let drift = condition(&seen, "DriftDetected").unwrap();
    assert_eq!((drift.status.as_str(), drift.reason.as_str()), ("True", "DriftFound"));
    let list = pending(&seen).unwrap();
    for what in ["Create SecurityGroupRule", "Modify SecurityGroupRule", "Modify VpcEndpoint", "Tag SecurityGroup", "Tag VpcEndpoint"] {
        assert!(list.contains(what), "{what} is not among what it would do:\n{list}");
    }
    env.event("orders", "DriftFound", SOON).await;
    delete_group_of_broken_endpoint(&env).await;
    env.network("orders", SOON, |n| open(n).any(|r| r.kind == "GroupMissing")).await;
    delete_endpoint(&env).await;
    env.network("orders", SOON, |n| open(n).any(|r| r.kind == "EndpointMissing")).await;
    // AWS takes a while to take it down.
    env.network("orders", SOON, |n| pending(n).is_some_and(|p| p.contains("Create VpcEndpoint"))).await;
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    let writes = env.aws.writes(mark);
    assert!(writes.is_empty(), "Observe writes nothing, ever: {writes:#?}");
    let metrics = env.controller.metrics();
    assert!(metrics.sum("dmsnet_drift_total", &[("class", "drift-observe"), ("kind", "EndpointMissing")]) >= 1.0, "{}", metrics.0);

    // Allowed again, it does what it said.
    env.patch("orders", json!({ "spec": { "mode": "Enforce" } })).await;
    mended(&env, &wanted, Instant::now(), "Enforce again").await;
    let network = env.ready("orders").await;
    let left = env.network("orders", SOON, |n| open(n).count() == 0).await;
    assert_eq!(condition(&left, "DriftDetected").unwrap().reason, "DriftCorrected");
    assert!(network.status.unwrap().pending.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_rules_are_ignored_reported_or_revoked() {
    let mut env = Env::builder("drift-foreign").class(|class| class["guardrails"]["foreignRules"] = "Revoke".into()).start().await;
    let mut spec = env.reference();
    spec["foreignRules"] = "Ignore".into();
    env.apply("orders", spec).await;
    env.ready("orders").await;
    settled(&env).await;
    let clean = View::of(&env);
    let mark = env.aws.mark();
    let source = env.topology.security_group_ids.source.clone();
    let port = i32::from(env.topology.endpoints.source.port);
    let plain = ingress(&env, &source, port, port, "10.9.0.0/16", "somebody else").await;
    let wider = ingress(&env, &source, 0, 65_535, "10.8.0.0/16", "somebody else").await;
    let reserved = ingress(&env, &source, port, port, "192.168.0.0/24", "homogeneous migration").await;
    let by_rds = ingress(&env, &source, port, port, "10.7.0.0/16", "Created by RDS management console").await;
    let elsewhere = ingress(&env, &source, 22, 22, "10.6.0.0/16", "not our port").await;

    // Ignore: not even told.
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert!(env.get("orders").await.status.unwrap().foreign.is_empty());

    // Report: told, and left.
    env.patch("orders", json!({ "spec": { "foreignRules": "Report" } })).await;
    let network = env.network("orders", SOON, |n| foreign(n).len() == 4).await;
    let ids: BTreeSet<String> = [&plain, &wider, &reserved, &by_rds].map(Clone::clone).into();
    assert_eq!(foreign(&network).keys().cloned().collect::<BTreeSet<_>>(), ids, "{elsewhere} opens no managed port");
    assert_eq!(foreign(&network).iter().filter(|(_, wider)| **wider).map(|(id, _)| id).collect::<Vec<_>>(), [&wider]);
    assert_eq!(network.status.as_ref().unwrap().foreign_count, Some(4));
    assert_eq!(condition(&network, "DriftDetected").unwrap().status, "False", "what others add is no drift here");
    let note = env.event("orders", "ForeignRule", SOON).await;
    assert!(note.contains(&plain) && note.contains("10.9.0.0/16"), "{note}");
    env.calls("DescribeSecurityGroupRules", 2, SOON).await;
    assert!(env.aws.writes(mark).is_empty(), "{:#?}", env.aws.writes(mark));

    // Revoke: what is there, and what comes, but no more than that.
    env.patch("orders", json!({ "spec": { "foreignRules": "Revoke" } })).await;
    env.network("orders", SOON, |n| n.status.as_ref().unwrap().drift.iter().any(|r| r.kind == "ForeignRule" && r.corrected_at.is_some()))
        .await;
    settled(&env).await;
    let at = Instant::now();
    let again = ingress(&env, &source, port, port, "10.5.0.0/16", "again").await;
    let mut left = clean.clone();
    for cidr in ["10.8.0.0/16", "192.168.0.0/24", "10.7.0.0/16", "10.6.0.0/16"] {
        let rule = View::of(&env).rules.into_iter().find(|(text, _)| text.ends_with(cidr)).unwrap();
        left.rules.insert(rule.0, rule.1);
    }
    mended(&env, &left, at, "foreign rule").await;
    is_told(&mut env, &mut BTreeMap::new(), &[("ForeignRule", 2)]).await;
    let writes = env.aws.writes(mark);
    assert!(writes.iter().all(|c| c.operation == "RevokeSecurityGroupIngress"), "{writes:#?}");
    let text: String = writes.iter().map(|c| c.params.to_string()).collect();
    assert!(text.contains(&plain) && text.contains(&again), "{text}");
    assert_eq!(foreign(&env.get("orders").await).len(), 3, "wider ones and AWS's own stay, and stay told");
}

// ------------------------------------------------------------------------------ the breakages

/// One rule revoked; one with another port, one with another CIDR, one with another group.
async fn break_rules(env: &Env) {
    let t = &env.topology.security_group_ids;
    let rules = rules(env).await;
    let find = |group: &str, port: u16, egress: bool, peer: &str| {
        let matches = |r: &&ec2::SecurityGroupRule| {
            (r.group_id(), r.from_port(), r.is_egress()) == (Some(group), Some(i32::from(port)), Some(egress))
                && r.referenced_group_info().and_then(|g| g.group_id()) == Some(peer)
        };
        rules.iter().find(matches).unwrap().security_group_rule_id().unwrap().to_owned()
    };
    let (source, target) = (env.topology.endpoints.source.port, env.topology.rds.as_ref().unwrap().port);
    let removed = find(&t.source, source, false, &t.replication);
    env.aws.ec2().revoke_security_group_ingress().group_id(&t.source).security_group_rule_ids(removed).send().await.unwrap();
    let tcp = |port: u16| ec2::SecurityGroupRuleRequest::builder().ip_protocol("tcp").from_port(port.into()).to_port(port.into());
    let port = tcp(target + 1).referenced_group_id(&t.replication).build();
    modify(env, &t.target, &find(&t.target, target, false, &t.replication), port).await;
    let cidr = tcp(source).cidr_ipv4("10.99.0.0/16").build();
    modify(env, &t.replication, &find(&t.replication, source, true, &t.source), cidr).await;
    let peer = tcp(target).referenced_group_id(&env.topology.default_security_group_id).build();
    modify(env, &t.replication, &find(&t.replication, target, true, &t.target), peer).await;
}

/// All tags off one rule, the endpoint's group, and the endpoint.
async fn strip_tags(env: &Env) {
    let (endpoint, group) = endpoint(env).await;
    let rule = rules(env).await.into_iter().find(|r| r.group_id() == Some(&group) && r.is_egress() == Some(false)).unwrap();
    let ids = [rule.security_group_rule_id().unwrap(), &group, &endpoint].map(str::to_owned);
    env.aws.ec2().delete_tags().set_resources(Some(ids.into())).send().await.unwrap();
}

/// Subnets, groups, policy, private DNS and IP address type, in one call.
async fn break_endpoint(env: &Env) {
    let (endpoint, group) = endpoint(env).await;
    let deny = json!({ "Statement": [{ "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" }] });
    env.aws
        .ec2()
        .modify_vpc_endpoint()
        .vpc_endpoint_id(endpoint)
        .remove_subnet_ids(&env.topology.subnet_ids[0])
        .add_security_group_ids(&env.topology.default_security_group_id)
        .remove_security_group_ids(group)
        .policy_document(deny.to_string())
        .private_dns_enabled(false)
        .ip_address_type(ec2::IpAddressType::Dualstack)
        .send()
        .await
        .unwrap();
}

/// AWS lets go of a group only once nothing uses it.
async fn delete_group(env: &Env) {
    let (endpoint, group) = endpoint(env).await;
    let swap = env.aws.ec2().modify_vpc_endpoint().vpc_endpoint_id(endpoint);
    let swap = swap.add_security_group_ids(&env.topology.default_security_group_id).remove_security_group_ids(&group);
    swap.send().await.unwrap();
    env.aws.ec2().delete_security_group().group_id(group).send().await.unwrap();
}

async fn delete_group_of_broken_endpoint(env: &Env) {
    let (name, _) = View::of(env).groups.into_iter().find(|(name, _)| name.starts_with("dmsnet-")).unwrap();
    let filter = ec2::Filter::builder().name("group-name").values(name).build();
    let found = env.aws.ec2().describe_security_groups().filters(filter).send().await.unwrap();
    let id = found.security_groups()[0].group_id().unwrap();
    env.aws.ec2().delete_security_group().group_id(id).send().await.unwrap();
}

async fn delete_endpoint(env: &Env) {
    let (endpoint, _) = endpoint(env).await;
    env.aws.ec2().delete_vpc_endpoints().vpc_endpoint_ids(endpoint).send().await.unwrap();
}

/// ID and first group of the one endpoint that is not going.
async fn endpoint(env: &Env) -> (String, String) {
    let all = env.aws.ec2().describe_vpc_endpoints().send().await.unwrap();
    let mut live = all.vpc_endpoints().iter().filter(|e| !e.state().is_some_and(|s| s.as_str().to_lowercase().starts_with("delet")));
    let found = live.next().expect("there is an endpoint");
    assert!(live.next().is_none(), "there is one endpoint");
    (found.vpc_endpoint_id().unwrap().to_owned(), found.groups()[0].group_id().unwrap().to_owned())
}

async fn rules(env: &Env) -> Vec<ec2::SecurityGroupRule> {
    env.aws.ec2().describe_security_group_rules().send().await.unwrap().security_group_rules.unwrap()
}

async fn modify(env: &Env, group: &str, rule: &str, request: ec2::SecurityGroupRuleRequest) {
    let update = ec2::SecurityGroupRuleUpdate::builder().security_group_rule_id(rule).security_group_rule(request).build();
    env.aws.ec2().modify_security_group_rules().group_id(group).security_group_rules(update).send().await.unwrap();
}

/// A rule of somebody else; its ID.
async fn ingress(env: &Env, group: &str, from: i32, to: i32, cidr: &str, description: &str) -> String {
    let range = ec2::IpRange::builder().cidr_ip(cidr).description(description).build();
    let permission = ec2::IpPermission::builder().ip_protocol("tcp").from_port(from).to_port(to).ip_ranges(range).build();
    let made = env.aws.ec2().authorize_security_group_ingress().group_id(group).ip_permissions(permission).send().await.unwrap();
    made.security_group_rules()[0].security_group_rule_id().unwrap().to_owned()
}

/// A /56 on the VPC and a /64 on each of the replication's subnets, so that an endpoint may be dualstack.
async fn give_ipv6(env: &Env) {
    let client = env.aws.ec2();
    let t = &env.topology;
    let made = client.associate_vpc_cidr_block().vpc_id(&t.vpc_id).amazon_provided_ipv6_cidr_block(true).send().await.unwrap();
    let block = made.ipv6_cidr_block_association().unwrap().ipv6_cidr_block().unwrap().to_owned();
    let prefix = block.strip_suffix("00::/56").unwrap_or_else(|| panic!("{block}"));
    for (i, subnet) in t.subnet_ids.iter().enumerate() {
        client.associate_subnet_cidr_block().subnet_id(subnet).ipv6_cidr_block(format!("{prefix}{i:02x}::/64")).send().await.unwrap();
    }
}

// ------------------------------------------------------------------------------ what a user sees

/// Waits until AWS is as wanted; no rule that was there when the repair began, or since, may be absent meanwhile.
async fn mended(env: &Env, wanted: &View, broken: Instant, what: &str) {
    let mut needed: BTreeSet<String> = BTreeSet::new();
    let deadline = MENDED.saturating_sub(broken.elapsed());
    let look = async || {
        let now = View::of(env);
        let there: BTreeSet<String> = now.rules.keys().filter(|r| wanted.rules.contains_key(*r)).cloned().collect();
        let lost: Vec<_> = needed.difference(&there).collect();
        assert!(lost.is_empty(), "needed, and taken away in a repair: {lost:?}");
        needed = there;
        if now == *wanted { Ok(()) } else { Err(wanted.difference(&now)) }
    };
    env.eventually(&format!("{what} mended"), deadline, look).await;
    eprintln!("{}: {what} mended after {:.1} s", env.name, broken.elapsed().as_secs_f64());
}

/// Status, condition, Events and metrics tell of so many drifts of each kind, all corrected. `told` counts over a test.
async fn is_told(env: &mut Env, told: &mut BTreeMap<String, usize>, kinds: &[(&str, usize)]) {
    for (kind, n) in kinds {
        *told.entry((*kind).to_owned()).or_default() += n;
    }
    let of = |records: &[DriftRecord]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for record in records {
            *counts.entry(record.kind.clone()).or_default() += 1;
        }
        counts
    };
    let all_corrected =
        |n: &DmsNetwork| n.status.as_ref().is_some_and(|s| of(&s.drift) == *told && s.drift.iter().all(|r| r.corrected_at.is_some()));
    let network = env.network("orders", SOON, all_corrected).await;
    for record in &network.status.as_ref().unwrap().drift {
        let took = record.corrected_at.unwrap().duration_since(record.detected_at).as_secs_f64();
        assert!((0.0..MENDED.as_secs_f64()).contains(&took), "{record:?}");
        assert!(!record.wanted.is_empty() && !record.found.is_empty() && record.wanted != record.found, "{record:?}");
    }
    let drift = condition(&network, "DriftDetected").unwrap();
    assert_eq!((drift.status.as_str(), drift.reason.as_str()), ("False", "DriftCorrected"), "{}", drift.message);
    env.eventually("Events of all drifts", SOON, async || {
        let events = env.events("orders").await;
        for reason in ["DriftFound", "DriftCorrected"] {
            for (kind, n) in &*told {
                let notes = events.iter().filter(|e| e.reason.as_deref() == Some(reason));
                let found = notes.filter(|e| e.message.as_deref().is_some_and(|m| m.starts_with(&format!("{kind} ")))).count();
                if found != *n {
                    return Err(format!("{found} of {n} {reason} {kind}"));
                }
            }
        }
        Ok(())
    })
    .await;
    let metrics = env.controller.metrics();
    for (kind, n) in told {
        let labels = [("class", env.name.as_str()), ("kind", kind.as_str())];
        assert_eq!(metrics.sum("dmsnet_drift_total", &labels), *n as f64, "{kind}");
        assert_eq!(metrics.sum("dmsnet_repair_seconds_count", &labels), *n as f64, "{kind}");
    }
}

/// Drifts that are found and not corrected.
fn open(network: &DmsNetwork) -> impl Iterator<Item = &DriftRecord> {
    network.status.iter().flat_map(|s| &s.drift).filter(|r| r.corrected_at.is_none())
}

/// What it would do, as text; none where nothing is pending.
fn pending(network: &DmsNetwork) -> Option<String> {
    let pending = network.status.as_ref()?.pending.as_ref()?;
    let line = |c: &dmsnet::api::status::PendingChange| {
        let kind: Value = serde_json::to_value(c.kind).unwrap();
        format!("{} {} {} {:?} -> {:?}", c.action, kind.as_str().unwrap(), c.resource, c.from, c.to)
    };
    assert_eq!(pending.count, i64::try_from(pending.changes.len()).unwrap());
    Some(pending.changes.iter().map(line).collect::<Vec<_>>().join("\n"))
}

/// IDs of foreign rules, and whether each is wider than what is managed.
fn foreign(network: &DmsNetwork) -> BTreeMap<String, bool> {
    network.status.iter().flat_map(|s| &s.foreign).map(|f| (f.id.clone(), f.wider)).collect()
}
