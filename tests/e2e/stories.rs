//! Each example of the repository, as it stands there, from nothing to Ready and back to nothing: with the rules, routes,
//! entries and endpoints that domain.md 1 lists for its path, read from AWS.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{Filter, NetworkAclEntry, Route, SecurityGroupRule};
use dmsnet::api::DmsNetwork;
use serde_json::{Value, json};

use crate::harness::{
    Env, Example,
    emulator::merge,
    env::{SOON, condition},
    example::as_in_examples,
};

/// What a network came to: its conditions, and what was made in AWS for it, in the words of the example.
struct Story {
    env: Env,
    before: Value,
    network: DmsNetwork,
}

/// An ACL that lets nothing through, as in a VPC where somebody has tidied up.
async fn close(env: &Env, acl: &str) {
    for egress in [false, true] {
        env.aws.ec2().delete_network_acl_entry().network_acl_id(acl).rule_number(100).egress(egress).send().await.unwrap();
    }
}

/// Applies an example, changed by `change`, and waits until it is ready.
async fn told(name: &str, example: &str, change: impl FnOnce(&mut [Value; 2])) -> Story {
    let example = Example::named(example);
    let env = Env::builder(name).without_class().topology(example.topology()).start().await;
    let mut documents = example.on(&env.topology);
    change(&mut documents);
    let [class, network] = documents;
    if network["spec"]["networkAcls"] == "Manage" {
        close(&env, &env.topology.network_acl_id).await;
        if let Some(far) = env.topology.path["networkAclId"].as_str() {
            close(&env, far).await;
        }
    }
    let before = env.aws.state();
    env.kubectl.ok(&["label", "namespace", &env.name, "dms=yes"]);
    apply(&env, class, network);
    let network = env.ready("orders").await;
    Story { env, before, network }
}

/// As a user does it, under names of this test: others run on the same API server.
fn apply(env: &Env, mut class: Value, mut network: Value) {
    class["metadata"] = json!({ "name": env.name, "labels": { "test": env.name } });
    class["spec"]["endpointUrl"] = json!(env.aws.url);
    network["metadata"]["namespace"] = json!(env.name);
    network["spec"]["className"] = json!(env.name);
    env.kubectl.apply(&json!({ "apiVersion": "v1", "kind": "List", "items": [class, network] }).to_string());
}

impl Story {
    /// Ready, with `PathsOpen` so and this unknown, and in AWS exactly this beside the target and the endpoint, which all have.
    async fn is(&self, paths: &str, unknown: &[&str], made: &[&str]) {
        let conditions = ["Ready", "Synced", "PathsOpen", "EndpointsAvailable"].map(|c| self.reason(c));
        assert_eq!(conditions, ["True Ready", "True InSync", paths, "True Available"]);
        assert_eq!(self.unknown(), unknown);
        let mut expected: Vec<&str> = TARGET_AND_ENDPOINT.iter().chain(made).copied().collect();
        expected.sort_unstable();
        assert_eq!(self.made().await, expected);
    }

    fn reason(&self, type_: &str) -> String {
        let c = condition(&self.network, type_).unwrap_or_else(|| panic!("no condition {type_}"));
        format!("{} {}", c.status, c.reason)
    }

    /// What AWS does not show of the paths: database, code and resource.
    fn unknown(&self) -> Vec<String> {
        let databases = &self.network.status.as_ref().unwrap().databases;
        let unknown = databases.iter().flat_map(|d| d.unknown.iter().map(move |u| (&d.name, u)));
        // Names of the emulator's RDS databases do not resolve; their subnets are known.
        let unknown = unknown.filter(|(_, u)| u.code != "HostNotResolved");
        unknown.map(|(name, u)| format!("{name} {} {}", u.code, u.resource)).map(|l| as_in_examples(&l, &self.env.topology)).collect()
    }

    /// All that AWS holds of ours, one line each.
    async fn made(&self) -> Vec<String> {
        let (ec2, topology) = (self.env.aws.ec2(), &self.env.topology);
        let ours = || Filter::builder().name("tag:dmsnet.dev/managed-by").values("dmsnet").build();
        let mut lines = Vec::new();
        // A group that we made goes by its service.
        let mut names = BTreeMap::new();
        for group in ec2.describe_security_groups().filters(ours()).send().await.unwrap().security_groups() {
            let service = group.group_name().unwrap().strip_prefix(&format!("dmsnet-{}-", self.env.name)).unwrap();
            names.insert(group.group_id().unwrap().to_owned(), format!("group of {}", service.rsplit_once('-').unwrap().0));
        }
        let named = |id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
        for rule in ec2.describe_security_group_rules().filters(ours()).send().await.unwrap().security_group_rules() {
            lines.push(rule_line(rule, &named));
        }
        for table in ec2.describe_route_tables().send().await.unwrap().route_tables() {
            let recorded: Vec<&str> = table.tags().iter().filter_map(|t| t.key()?.strip_prefix("dmsnet.dev/route/")).collect();
            let routes = table.routes().iter().filter(|r| recorded.contains(&r.destination_cidr_block().unwrap_or_default()));
            lines.extend(routes.map(|r| format!("{} {}", table.route_table_id().unwrap(), route_line(r))));
        }
        for acl in ec2.describe_network_acls().send().await.unwrap().network_acls() {
            let recorded: Vec<&str> = acl.tags().iter().filter_map(|t| t.key()?.strip_prefix("dmsnet.dev/entry/")).collect();
            let entries = acl.entries().iter().filter(|e| recorded.contains(&entry_key(e).as_str()));
            lines.extend(entries.map(|e| format!("{} {}", acl.network_acl_id().unwrap(), entry_line(e))));
        }
        for e in ec2.describe_vpc_endpoints().filters(ours()).send().await.unwrap().vpc_endpoints() {
            let service = e.service_name().unwrap().rsplit('.').next().unwrap();
            let mut of: Vec<String> = e.subnet_ids().iter().chain(e.route_table_ids()).map(|id| as_in_examples(id, topology)).collect();
            of.sort();
            of.extend(e.groups().iter().map(|g| named(g.group_id().unwrap())));
            of.extend(e.private_dns_enabled().filter(|on| *on).map(|_| "private DNS".to_owned()));
            lines.push(format!("endpoint {service} {}: {}", e.vpc_endpoint_type().unwrap().as_str(), of.join(", ")));
        }
        let mut lines: Vec<String> = lines.iter().map(|l| as_in_examples(l, topology)).collect();
        lines.sort();
        lines
    }

    /// Gone, and AWS as before.
    async fn ends(self) {
        self.env.delete("orders").await;
        self.env.gone("orders", SOON).await;
        assert_eq!(self.env.aws.state(), self.before, "AWS is as before");
    }
}

fn rule_line(rule: &SecurityGroupRule, named: &dyn Fn(&str) -> String) -> String {
    let peer = rule.cidr_ipv4().or(rule.prefix_list_id()).map(str::to_owned);
    let peer = peer.or_else(|| rule.referenced_group_info().and_then(|g| g.group_id()).map(named)).unwrap_or_default();
    let peer = if peer.starts_with("pl-") { "prefix list".to_owned() } else { peer };
    let way = if rule.is_egress() == Some(true) { "out" } else { "in" };
    let port = rule.from_port().unwrap();
    assert_eq!((rule.to_port(), rule.ip_protocol()), (Some(port), Some("tcp")), "one port");
    format!("{} {way} tcp/{port} {peer}", named(rule.group_id().unwrap()))
}

fn route_line(route: &Route) -> String {
    let to = route.vpc_peering_connection_id().or(route.gateway_id()).or(route.network_interface_id()).or(route.nat_gateway_id());
    assert_eq!(route.state().map(|s| s.as_str()), Some("active"));
    format!("{} to {}", route.destination_cidr_block().unwrap(), to.unwrap())
}

fn entry_key(entry: &NetworkAclEntry) -> String {
    format!("{}-{}", if entry.egress() == Some(true) { "out" } else { "in" }, entry.rule_number().unwrap())
}

fn entry_line(entry: &NetworkAclEntry) -> String {
    let way = if entry.egress() == Some(true) { "out" } else { "in" };
    assert!((20_000..20_100).contains(&entry.rule_number().unwrap()), "a number of the class's range");
    assert_eq!((entry.protocol(), entry.rule_action().map(|a| a.as_str())), (Some("6"), Some("allow")));
    let ports = entry.port_range().unwrap();
    let (from, to) = (ports.from().unwrap(), ports.to().unwrap());
    let ports = if from == to { from.to_string() } else { format!("{from}-{to}") };
    format!("{way} tcp/{ports} {}", entry.cidr_block().unwrap())
}

/// The target is beside the replication in each example: its rules, and the endpoint for the DMS API with its group.
const TARGET_AND_ENDPOINT: [&str; 5] = [
    "endpoint dms Interface: subnet-0a1b2c01, subnet-0a1b2c02, group of dms, private DNS",
    "group of dms in tcp/443 10.0.0.0/16",
    "group of dms in tcp/443 sg-0a1b2c3d",
    "sg-0a1b2c3d out tcp/3306 sg-0c1b2c3d",
    "sg-0c1b2c3d in tcp/3306 sg-0a1b2c3d",
];

const TO_SOURCE: [&str; 2] = ["sg-0a1b2c3d out tcp/5432 sg-0b1b2c3d", "sg-0b1b2c3d in tcp/5432 sg-0a1b2c3d"];

#[tokio::test(flavor = "multi_thread")]
async fn same_vpc() {
    let story = told("story-same-vpc", "same-vpc", |_| {}).await;
    story.is("True AllOpen", &[], &TO_SOURCE).await;
    story.ends().await;
}

/// Both ends in one VPC, whose ACL lets nothing through: entries for each pair of subnets and port, and for the callers of the
/// endpoint.
#[tokio::test(flavor = "multi_thread")]
async fn same_vpc_with_managed_acls_and_routes() {
    let manage = |[class, network]: &mut [Value; 2]| {
        let more = json!({ "routes": "Manage", "networkAcls": "Manage", "networkAclRuleNumbers": { "from": 20000, "to": 20099 } });
        merge(&mut class["spec"]["guardrails"], more);
        merge(&mut network["spec"], json!({ "routes": "Manage", "networkAcls": "Manage" }));
    };
    let story = told("story-same-vpc-managed", "same-vpc", manage).await;
    story.is("True AllOpen", &[], &[&TO_SOURCE[..], &SOURCE_ENTRIES, &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

/// Routes both ways, and entries in the ACLs of both VPCs (domain.md 1.2).
#[tokio::test(flavor = "multi_thread")]
async fn peered_vpc() {
    let story = told("story-peered-vpc", "peered-vpc", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/5432 sg-0f1b2c3d",
        "sg-0f1b2c3d in tcp/5432 sg-0a1b2c3d",
        "rtb-0a1b2c01 10.9.0.0/16 to pcx-0a1b2c3d",
        "rtb-0f1b2c3d 10.0.0.0/16 to pcx-0a1b2c3d",
        "acl-0a1b2c3d in tcp/32768-65535 10.9.1.0/24",
        "acl-0a1b2c3d in tcp/32768-65535 10.9.2.0/24",
        "acl-0a1b2c3d out tcp/5432 10.9.1.0/24",
        "acl-0a1b2c3d out tcp/5432 10.9.2.0/24",
        "acl-0f1b2c3d in tcp/5432 10.0.1.0/24",
        "acl-0f1b2c3d in tcp/5432 10.0.2.0/24",
        "acl-0f1b2c3d out tcp/32768-65535 10.0.1.0/24",
        "acl-0f1b2c3d out tcp/32768-65535 10.0.2.0/24",
    ];
    story.is("True AllOpen", &[], &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

/// What an ACL that is closed needs for the target, in the VPC of the replication, and for the callers of the DMS API's endpoint:
/// from all of the VPC, and from the replication's subnets to each of the endpoint's, which are the same two (domain.md 1.7). Answers
/// to the VPC are answers to the replication, too.
const TARGET_ENTRIES: [&str; 12] = [
    "acl-0a1b2c3d in tcp/3306 10.0.1.0/24",
    "acl-0a1b2c3d in tcp/3306 10.0.2.0/24",
    "acl-0a1b2c3d in tcp/32768-65535 10.0.1.0/24",
    "acl-0a1b2c3d in tcp/32768-65535 10.0.2.0/24",
    "acl-0a1b2c3d in tcp/32768-65535 10.0.3.0/24",
    "acl-0a1b2c3d in tcp/32768-65535 10.0.4.0/24",
    "acl-0a1b2c3d in tcp/443 10.0.0.0/16",
    "acl-0a1b2c3d out tcp/3306 10.0.3.0/24",
    "acl-0a1b2c3d out tcp/3306 10.0.4.0/24",
    "acl-0a1b2c3d out tcp/32768-65535 10.0.0.0/16",
    "acl-0a1b2c3d out tcp/443 10.0.1.0/24",
    "acl-0a1b2c3d out tcp/443 10.0.2.0/24",
];

/// The same for a source beside it; answers take the entries of the target's.
const SOURCE_ENTRIES: [&str; 3] =
    ["acl-0a1b2c3d in tcp/5432 10.0.1.0/24", "acl-0a1b2c3d in tcp/5432 10.0.2.0/24", "acl-0a1b2c3d out tcp/5432 10.0.3.0/24"];

/// For the emulator's addresses of S3.
const S3_ENTRIES: [&str; 6] = [
    "acl-0a1b2c3d in tcp/32768-65535 52.216.0.0/15",
    "acl-0a1b2c3d in tcp/32768-65535 3.5.0.0/19",
    "acl-0a1b2c3d in tcp/32768-65535 54.231.0.0/16",
    "acl-0a1b2c3d out tcp/443 52.216.0.0/15",
    "acl-0a1b2c3d out tcp/443 3.5.0.0/19",
    "acl-0a1b2c3d out tcp/443 54.231.0.0/16",
];

/// Open as far as AWS shows; what lies behind its last gateway is said to be unknown (domain.md 1.3).
#[tokio::test(flavor = "multi_thread")]
async fn on_premises() {
    let story = told("story-on-premises", "on-premises", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/1521 172.20.0.0/16",
        "acl-0a1b2c3d in tcp/32768-65535 172.20.0.0/16",
        "acl-0a1b2c3d out tcp/1521 172.20.0.0/16",
    ];
    story.is("Unknown PathUnknown", &["source OnPremReturnPathUnknown 172.20.0.10"], &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

/// The host's group lets the replication in and itself out to the site; the way to the site is a route to its interface.
#[tokio::test(flavor = "multi_thread")]
async fn on_premises_through_a_host() {
    let story = told("story-nat-host", "nat-host", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/1521 172.20.0.0/16",
        "sg-0d1b2c3d in tcp/1521 sg-0a1b2c3d",
        "sg-0d1b2c3d out tcp/1521 172.20.0.0/16",
        "rtb-0a1b2c01 172.20.0.0/16 to eni-0d1b2c3d",
        "acl-0a1b2c3d in tcp/1521 10.0.1.0/24",
        "acl-0a1b2c3d in tcp/1521 10.0.2.0/24",
        "acl-0a1b2c3d in tcp/32768-65535 172.20.0.0/16",
        "acl-0a1b2c3d out tcp/1521 172.20.0.0/16",
    ];
    story.is("Unknown PathUnknown", &["source OnPremReturnPathUnknown 172.20.0.10"], &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn internet() {
    let story = told("story-internet", "internet", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/5432 203.0.113.10/32",
        "rtb-0a1b2c01 203.0.113.10/32 to igw-0a1b2c3d",
        "acl-0a1b2c3d in tcp/32768-65535 203.0.113.10/32",
        "acl-0a1b2c3d out tcp/5432 203.0.113.10/32",
    ];
    story.is("Unknown PathUnknown", &["source BeyondInternetUnknown 203.0.113.10"], &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

/// The source's group admits every address of every NAT gateway on the replication's routes, and the ACL that the gateways'
/// subnets share with the replication's is passed on all four legs (domain.md 1.5, 1.8).
#[tokio::test(flavor = "multi_thread")]
async fn nat_gateway() {
    let story = told("story-nat-gateway", "nat-gateway", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/5432 203.0.113.10/32",
        "sg-0b1b2c3d in tcp/5432 198.51.100.11/32",
        "sg-0b1b2c3d in tcp/5432 198.51.100.12/32",
        "acl-0a1b2c3d in tcp/1024-65535 203.0.113.10/32",
        "acl-0a1b2c3d in tcp/5432 10.0.1.0/24",
        "acl-0a1b2c3d in tcp/5432 10.0.2.0/24",
        "acl-0a1b2c3d out tcp/5432 203.0.113.10/32",
    ];
    story.is("Unknown PathUnknown", &["source DestinationUnknown 203.0.113.10"], &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn classic_link_is_a_proxy() {
    let story = told("story-classic-link", "classic-link", |_| {}).await;
    let made = [
        "sg-0a1b2c3d out tcp/5432 sg-0d1b2c3d",
        "sg-0d1b2c3d in tcp/5432 sg-0a1b2c3d",
        "acl-0a1b2c3d in tcp/5432 10.0.1.0/24",
        "acl-0a1b2c3d in tcp/5432 10.0.2.0/24",
        "acl-0a1b2c3d out tcp/5432 10.0.3.0/24",
    ];
    let unknown = ["source ConfigurationRetired database \"source\"", "source BeyondProxyUnknown 10.0.3.20"];
    story.is("True ConfigurationRetired", &unknown, &[&made[..], &TARGET_ENTRIES].concat()).await;
    story.ends().await;
}

/// The services that DMS itself calls: a gateway endpoint on the replication's table, an interface endpoint, and the way out
/// to both (domain.md 2).
#[tokio::test(flavor = "multi_thread")]
async fn serverless() {
    let story = told("story-serverless", "serverless", |_| {}).await;
    let made = [
        "endpoint s3 Gateway: rtb-0a1b2c01",
        "endpoint secretsmanager Interface: subnet-0a1b2c01, subnet-0a1b2c02, group of secretsmanager, private DNS",
        "group of secretsmanager in tcp/443 10.0.0.0/16",
        "group of secretsmanager in tcp/443 sg-0a1b2c3d",
        "sg-0a1b2c3d out tcp/443 10.0.0.0/16",
        "sg-0a1b2c3d out tcp/443 prefix list",
    ];
    story.is("True AllOpen", &[], &[&TO_SOURCE[..], &made].concat()).await;
    story.ends().await;
}

/// The same behind an ACL that lets nothing through: to S3's own addresses, since ACLs take no prefix list. To Secrets Manager it needs
/// what the DMS API's endpoint has in the same subnets.
#[tokio::test(flavor = "multi_thread")]
async fn serverless_with_managed_acls() {
    let manage = |[class, network]: &mut [Value; 2]| {
        let more = json!({ "networkAcls": "Manage", "networkAclRuleNumbers": { "from": 20000, "to": 20099 } });
        merge(&mut class["spec"]["guardrails"], more);
        merge(&mut network["spec"], json!({ "networkAcls": "Manage" }));
    };
    let story = told("story-serverless-managed", "serverless", manage).await;
    let conditions = ["Ready", "Synced", "PathsOpen"].map(|c| story.reason(c));
    assert_eq!(conditions, ["True Ready", "True InSync", "True AllOpen"]);
    let made = story.made().await;
    let entries: Vec<&str> = made.iter().map(String::as_str).filter(|l| l.starts_with("acl-")).collect();
    let mut expected = [&SOURCE_ENTRIES[..], &TARGET_ENTRIES, &S3_ENTRIES].concat();
    expected.sort_unstable();
    assert_eq!(entries, expected);
    story.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn placement() {
    let story = told("story-placement", "placement", |_| {}).await;
    story.is("True AllOpen", &[], &TO_SOURCE).await;
    story.ends().await;
}
