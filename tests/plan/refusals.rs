//! What bad input gets: a sentence that names the resource and says what to do.

use dmsnet::api::conditions::Reason;
use serde_json::{Value, json};

use crate::world::{Network, World, reference_spec};

fn problems(world: &mut World, spec: Value) -> Vec<(Reason, String)> {
    let plan = world.plan(&Network::new(1, spec), None);
    plan.problems.into_iter().map(|p| (p.reason, format!("{}: {}", p.resource, p.message))).collect()
}

fn refused(name: &str, edit: impl FnOnce(&mut World, &mut Value), reason: Reason, words: &[&str]) {
    let mut world = World::reference("cluster");
    let mut spec = reference_spec();
    edit(&mut world, &mut spec);
    let found = problems(&mut world, spec);
    let hit = found.iter().any(|(r, text)| *r == reason && words.iter().all(|w| text.contains(w)));
    assert!(hit, "{name}: wanted {reason:?} with {words:?}, found {found:#?}");
}

#[test]
fn references_that_do_not_exist() {
    use Reason::*;
    refused(
        "instance",
        |_, s| s["replication"]["instance"] = json!("nope"),
        ReferenceNotFound,
        &["DMS replication instance \"nope\" does not exist in us-east-1"],
    );
    refused(
        "DMS endpoint",
        |_, s| s["databases"][0]["dmsEndpoint"] = json!("nope"),
        ReferenceNotFound,
        &["DMS endpoint \"nope\" does not exist"],
    );
    refused(
        "group",
        |_, s| s["databases"][0]["securityGroupId"] = json!("sg-00000000"),
        ReferenceNotFound,
        &["security group sg-00000000 does not exist"],
    );
    let rds = json!({"name": "r", "rds": {"instance": "nope"}, "path": {"type": "SameVpc"}});
    refused("RDS", |_, s| s["databases"][1] = rds, ReferenceNotFound, &["RDS instance \"nope\" does not exist"]);
}

#[test]
fn groups() {
    use Reason::*;
    let other_vpc = |w: &mut World, _: &mut Value| {
        let group = w.picture.groups.get_mut("sg-0a000002").unwrap();
        std::sync::Arc::make_mut(group).vpc = "vpc-0b000001".into();
    };
    refused("of another VPC", other_vpc, InvalidSpec, &["security group sg-0a000002 is in vpc-0b000001, but it is needed in vpc-0a000001"]);
    let several = |w: &mut World, _: &mut Value| {
        let instance = w.picture.instances.get_mut("orders-ri").unwrap();
        std::sync::Arc::make_mut(instance).groups.push("sg-0a000002".into());
    };
    refused(
        "several",
        several,
        AmbiguousSecurityGroup,
        &["has several security groups (sg-0a000001,sg-0a000002)", "spec.replication.securityGroupId"],
    );
    refused(
        "not its own",
        |_, s| s["replication"]["securityGroupId"] = json!("sg-0a000003"),
        InvalidSpec,
        &["sg-0a000003 is not a security group of replication instance"],
    );
}

#[test]
fn databases() {
    use Reason::*;
    let no_port = json!({"name": "k", "address": {"engine": "kafka", "endpoints": [{"host": "b-1"}]}, "path": {"type": "SameVpc"}});
    refused(
        "without a port",
        |_, s| s["databases"][0] = no_port,
        InvalidSpec,
        &["engine \"kafka\" has no usual port", "\"b-1\": write its port"],
    );
    refused(
        "two of one name",
        |_, s| s["databases"][1]["name"] = json!("source"),
        InvalidSpec,
        &["two databases are named \"source\" (entries 1 and 2)"],
    );
    refused(
        "neither kind",
        |_, s| drop(s["databases"][0].as_object_mut().unwrap().remove("dmsEndpoint")),
        InvalidSpec,
        &["set exactly one of dmsEndpoint, rds and address"],
    );
    let private = |_: &mut World, s: &mut Value| {
        s["replication"] = json!({"placement": {"subnetIds": ["subnet-0a000001"], "securityGroupIds": ["sg-0a000001"]}});
        s["databases"][0]["ingressFrom"] = json!("PrivateIp");
    };
    refused("PrivateIp of a placement", private, ReferenceNotFound, &["has no private address yet"]);
}

#[test]
fn endpoints() {
    use Reason::*;
    let set = |field: &'static str, value: Value| move |_: &mut World, s: &mut Value| s["vpcEndpoints"][0][field] = value;
    refused(
        "CIDR with host bits",
        set("allowFrom", json!([{"cidr": "10.0.1.5/16"}])),
        InvalidSpec,
        &["10.0.1.5/16 is not in canonical form: write 10.0.0.0/16"],
    );
    refused("IPv6 spelled long", set("allowFrom", json!([{"cidr": "2001:DB8:0::/32"}])), InvalidSpec, &["write 2001:db8::/32"]);
    refused("no CIDR", set("allowFrom", json!([{"cidr": "ten"}])), InvalidSpec, &["\"ten\" is no CIDR"]);
    refused(
        "no policy",
        set("policy", json!({"type": "Document", "document": {"Statement": [{"Effect": "Perhaps"}]}})),
        InvalidSpec,
        &["policy.document", "statement 1 needs Effect: Allow or Deny"],
    );
    refused(
        "two subnets in one zone",
        set("subnetIds", json!(["subnet-0a000001", "subnet-0a000003"])),
        InvalidSpec,
        &["subnet-0a000001 and subnet-0a000003 are both in us-east-1a"],
    );
    refused(
        "unknown service",
        set("service", json!("dsm")),
        ReferenceNotFound,
        &["endpoint service com.amazonaws.us-east-1.dsm does not exist"],
    );
    refused(
        "unknown endpoint",
        set("vpcEndpointId", json!("vpce-00000000")),
        ReferenceNotFound,
        &["VPC endpoint vpce-00000000 does not exist"],
    );
    let dns_off = |w: &mut World, _: &mut Value| {
        let dns = w.picture.vpc_dns.values_mut().next().unwrap();
        std::sync::Arc::make_mut(dns).hostnames = false;
    };
    refused("DNS attributes off", dns_off, Failed, &["private DNS needs enableDnsHostnames of vpc-0a000001, which is off"]);
}

#[test]
fn a_private_dns_name_that_is_taken_names_the_endpoint_in_the_way() {
    let mut world = World::reference("cluster");
    let mut network = Network::new(1, reference_spec());
    world.pass(&mut network, None);
    let stranger = world.picture.endpoints.values().next().unwrap().id.clone();
    world.edit_endpoint(&stranger, |e| e.tags.clear());
    let mut other = World::reference("cluster");
    other.picture.endpoints = world.picture.endpoints.clone();
    let network = Network::new(2, reference_spec());
    let plan = other.plan(&network, None);
    let conflict = plan.problems.iter().find(|p| p.reason == Reason::PrivateDnsConflict).expect("a conflict");
    assert!(conflict.message.contains(stranger.as_str()) && conflict.message.contains("vpcEndpointId"), "{}", conflict.message);
    assert!(!plan.changes.iter().any(|c| matches!(c, dmsnet::plan::Change::CreateEndpoint { .. })), "no endless tries");
}

#[test]
fn guardrails_name_what_oversteps_and_which_says_so() {
    use Reason::GuardrailViolated as G;
    let rails = |edit: fn(&mut dmsnet::api::class::Guardrails)| move |w: &mut World, _: &mut Value| edit(&mut w.guardrails);
    refused(
        "VPC",
        rails(|g| g.vpc_ids = vec!["vpc-0c000001".into()]),
        G,
        &["sg-0a000001 is in vpc-0a000001, which is not in the guardrail vpcIds"],
    );
    refused("no VPC at all", rails(|g| g.vpc_ids = vec![]), G, &["vpc-0a000001 is not in the guardrail vpcIds"]);
    refused(
        "ports",
        rails(|g| g.ports = Some(vec!["1433".into(), "3000-3400".into()])),
        G,
        &["port 5432 is not in the guardrail ports (1433, 3000-3400)"],
    );
    refused(
        "groups",
        rails(|g| g.security_groups = Some(Default::default())),
        G,
        &["sg-0a000002 is not among the guardrail securityGroups"],
    );
    refused(
        "services",
        rails(|g| g.vpc_endpoint_services = Some(vec!["s3".into()])),
        G,
        &["service dms is not in the guardrail vpcEndpointServices"],
    );
    refused(
        "CIDRs",
        rails(|g| g.peer_cidrs = Some(vec!["172.16.0.0/12".into()])),
        G,
        &["10.0.0.0/16 lies in none of the guardrail peerCidrs"],
    );
    let wide = |_: &mut World, s: &mut Value| s["vpcEndpoints"][0]["allowFrom"] = json!([{"cidr": "0.0.0.0/0"}]);
    refused("any CIDR means no wider than /8", wide, G, &["0.0.0.0/0 is wider than /8"]);
    let revoke = |w: &mut World, s: &mut Value| {
        w.guardrails.foreign_rules = Default::default();
        s["foreignRules"] = json!("Revoke");
    };
    refused("foreignRules", revoke, G, &["foreignRules Revoke is stronger than the guardrail foreignRules: Report"]);
    let take_over = |w: &mut World, s: &mut Value| {
        let mut donor = World::reference("cluster");
        donor.pass(&mut Network::new(9, reference_spec()), None);
        w.picture.endpoints = donor.picture.endpoints.clone();
        s["vpcEndpoints"][0]["vpcEndpointId"] = json!(donor.picture.endpoints.keys().next().unwrap().as_str());
    };
    refused("take over", take_over, G, &["needs the guardrail takeOver: Tagged or Any"]);
}

#[test]
fn a_guardrail_that_is_tightened_keeps_what_is_owned_and_does_not_repair_it() {
    let mut world = World::reference("cluster");
    let mut network = Network::new(1, reference_spec());
    world.pass(&mut network, None);
    world.guardrails.ports = Some(vec!["3306".into()]);
    let before = world.shape();
    let plan = world.pass(&mut network, None);
    assert_eq!(plan.withheld, [], "it is there");
    assert_eq!((plan.changes, world.shape()), (vec![], before));
    assert_eq!(network.ledger.len(), 8, "still held, so that deletion removes it");
    world.edit_rules(&"sg-0a000002".into(), Vec::clear);
    let plan = world.plan(&network, None);
    assert_eq!(plan.changes, [], "no longer allowed: not repaired");
    assert_eq!(plan.withheld.len(), 1, "but told: {:?}", plan.withheld);
    for _ in 0..2 {
        world.pass(&mut network, Some(Default::default()));
    }
    assert_eq!(network.ledger, [], "removing what we own is always allowed");
    assert_eq!(world.picture.endpoints.len(), 0);
}
