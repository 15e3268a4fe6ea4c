use crate::{
    api::{
        conditions::Reason,
        network::{IpAddressType, VpcEndpointType},
        status::{ForeignRule, ResourceKind},
    },
    model::{Direction, Peer, Policy, RuleShape, Tags},
    plan::{
        EndpointKey, EndpointRef, GroupRef, Key,
        change::{EndpointChanges, EndpointFields, GroupTarget},
    },
};

use super::*;

fn rule(direction: Direction, port: u16, peer: &str) -> RuleShape {
    RuleShape::tcp(direction, port, Peer::SecurityGroup(peer.into()))
}

/// One change of every kind.
fn plan() -> Plan {
    let made = EndpointKey::interface("vpc-0a1b2c3d".into(), "dms");
    let endpoint = Key::Endpoint(EndpointRef::Made(made.clone()));
    let own = Key::Group(made.clone());
    let out = rule(Direction::Out, 5432, "sg-0b1b2c3d");
    let key = |group: &str, shape: &RuleShape| Key::Rule(GroupRef::Id(group.into()), shape.clone());
    let in_443 = rule(Direction::In, 443, "sg-0a1b2c3d");
    let old = rule(Direction::In, 3306, "sg-0a1b2c3d");
    let world = RuleShape::tcp(Direction::In, 5432, Peer::Cidr("0.0.0.0/0".parse().unwrap()));
    Plan {
        changes: vec![
            Change::CreateGroup {
                key: own.clone(),
                vpc: "vpc-0a1b2c3d".into(),
                name: "dmsnet-cli-dms-1a2b3c4d".into(),
                description: String::new(),
            },
            Change::CreateRule {
                key: key("sg-0a1b2c3d", &out),
                group: GroupTarget::Existing("sg-0a1b2c3d".into()),
                shape: out.clone(),
                description: String::new(),
            },
            Change::CreateRule {
                key: Key::Rule(GroupRef::OfEndpoint(made), in_443.clone()),
                group: GroupTarget::Created(own),
                shape: in_443,
                description: String::new(),
            },
            Change::ModifyRule {
                key: key("sg-0b1b2c3d", &rule(Direction::In, 5432, "sg-0a1b2c3d")),
                group: "sg-0b1b2c3d".into(),
                id: "sgr-1".into(),
                from: old.clone(),
                to: rule(Direction::In, 5432, "sg-0a1b2c3d"),
                description: String::new(),
            },
            Change::Tag {
                key: key("sg-0a1b2c3d", &out),
                id: "sgr-2".into(),
                tags: Tags::from([("dmsnet.dev/owner/cli".into(), "owned".into())]),
            },
            Change::CreateEndpoint {
                key: endpoint.clone(),
                fields: EndpointFields {
                    vpc: "vpc-0a1b2c3d".into(),
                    service_name: "com.amazonaws.us-west-2.dms".into(),
                    subnets: vec!["subnet-0a1b2c3d".into(), "subnet-0b1b2c3d".into()],
                    endpoint_type: VpcEndpointType::Interface,
                    route_tables: vec![],
                    groups: vec![GroupTarget::Existing("sg-0e1b2c3d".into())],
                    private_dns: true,
                    policy: Policy::full_access(),
                    ip_address_type: IpAddressType::Ipv4,
                },
                token: String::new(),
            },
            Change::ModifyEndpoint {
                key: endpoint.clone(),
                id: "vpce-0a1b2c3d".into(),
                changes: EndpointChanges::default(),
                from: "subnets subnet-0a1b2c3d; privateDns false".into(),
                to: "subnets subnet-0a1b2c3d,subnet-0b1b2c3d; privateDns true".into(),
            },
            Change::RevokeForeign { group: "sg-0b1b2c3d".into(), id: "sgr-3".into(), shape: world },
            Change::DeleteEndpoint { key: endpoint, id: "vpce-0b1b2c3d".into() },
            Change::RevokeRule { key: key("sg-0b1b2c3d", &old), group: "sg-0b1b2c3d".into(), id: "sgr-4".into(), shape: old },
            Change::Untag { key: key("sg-0a1b2c3d", &out), id: "sgr-5".into(), keys: vec!["dmsnet.dev/owner/cli".into()] },
        ],
        problems: vec![
            Problem::new(
                Reason::ReferenceNotFound,
                "database \"target\"",
                "RDS instance \"ordres\" does not exist in us-west-2: check its spelling, the account and the Region",
            ),
            Problem::new(
                Reason::GuardrailViolated,
                "rule/sg-0a1b2c3d/out/tcp/22/sg-0b1b2c3d",
                "class prod does not allow it: port 22 is not in the guardrail ports (5432)",
            ),
        ],
        foreign: vec![ForeignRule {
            kind: ResourceKind::SecurityGroupRule,
            id: "sgr-6".into(),
            summary: "sg-0b1b2c3d in/all/all/10.0.0.0/8".into(),
            wider: true,
        }],
        waiting: vec!["VPC endpoint vpce-0c1b2c3d is being deleted; its network interfaces go with it".into()],
        ..Plan::default()
    }
}

fn network(name: &str, mode: Mode, suspended: bool, plan: &Plan) -> NetworkReport {
    let report = NetworkReport::new(format!("team/{name}"), "prod".into(), mode, suspended, plan);
    NetworkReport { account: "111122223333".into(), region: "us-west-2".into(), ..report }
}

fn report(prune: bool) -> Report {
    let full = network("orders", Mode::Enforce, false, &plan());
    let quiet = network("payments", Mode::Observe, false, &Plan::default());
    let suspended = network("returns", Mode::Enforce, true, &Plan::default());
    let unwanted = PendingChange {
        action: "Delete".into(),
        kind: ResourceKind::SecurityGroupRule,
        resource: "rule/sg-0a1b2c3d/out/tcp/1433/sg-0d1b2c3d".into(),
        from: Some("sg-0a1b2c3d out/tcp/1433/sg-0d1b2c3d (sgr-9)".into()),
        to: None,
    };
    Report::new(vec![full, quiet, suspended], vec![unwanted], prune, vec!["class prod admits namespaces by label".into()])
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn a_diff_for_people() {
    insta::assert_snapshot!("diff", plain(&report(false).render()));
    insta::assert_snapshot!("diff_prune", plain(&report(true).render()).lines().rev().take(5).collect::<Vec<_>>().join("\n"));
}

#[test]
fn colours() {
    insta::assert_snapshot!("diff_colours", report(true).render().replace('\u{1b}', "ESC"));
}

#[test]
fn json_for_programs() {
    insta::assert_snapshot!("diff_json", serde_json::to_string_pretty(&report(false)).unwrap());
}

#[test]
fn nothing_to_change() {
    let quiet = network("orders", Mode::Enforce, false, &Plan::default());
    let report = Report::new(vec![quiet], vec![], false, vec![]);
    assert!(report.summary.is_empty());
    let text = plain(&report.render());
    assert_eq!(text, "team/orders class prod, account 111122223333, us-west-2\n  as wanted\n\nNothing to change.\n");
}

#[test]
fn what_is_left() {
    let endpoint = VpcEndpointStatus {
        name: "dms".into(),
        id: Some("vpce-0a1b2c3d".into()),
        state: Some("pending".into()),
        url: Some("https://vpce-0a1b2c3d.dms.us-west-2.vpce.amazonaws.com".into()),
        ..VpcEndpointStatus::default()
    };
    let settled = NetworkReport { vpc_endpoints: vec![endpoint], ..network("orders", Mode::Enforce, false, &Plan::default()) };
    let gone = NetworkReport { leaving: true, ..network("returns", Mode::Enforce, false, &Plan::default()) };
    let left = vec!["endpoint/vpc-0a1b2c3d/dms (vpce-0a1b2c3d)".into()];
    let kept = NetworkReport { leaving: true, left, ..network("payments", Mode::Observe, false, &Plan::default()) };
    let report = Report::new(vec![settled, gone, kept], vec![], false, vec![]);
    insta::assert_snapshot!("rest", plain(&report.render_rest(Summary { create: 6, modify: 0, delete: 1 })));
}

#[test]
fn progress_is_one_line_a_change() {
    let lines: Vec<String> = plan().changes.iter().map(|c| plain(&one_line(&c.describe()))).collect();
    insta::assert_snapshot!("progress", lines.join("\n"));
}
