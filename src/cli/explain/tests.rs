use super::*;
use crate::{
    api::conditions::Reason,
    model::{Destination, Direction, Ports, RouteState, Target as RouteTarget},
    reach::{Asked, Code, Decided, Finding, Hop, HopKind, Pair, Unknown, Walk},
};

fn hop(kind: HopKind, resource: &str, asked: Asked, decided: Decided, state: State, code: Option<Code>) -> Hop {
    Hop { kind, resource: resource.into(), asked, decided, state, code }
}

fn to() -> Asked {
    Asked::To(vec!["10.0.3.7/32".parse().unwrap()], Ports::one(5432))
}

fn back() -> Asked {
    Asked::To(vec!["10.0.1.5/32".parse().unwrap()], Ports { from: 32_768, to: 65_535 })
}

fn route(state: RouteState) -> Decided {
    Decided::Route(Destination::Cidr("10.0.0.0/16".parse().unwrap()), RouteTarget::Local, state)
}

/// A path that one ACL blocks on the way back, told of two places.
pub(in crate::cli) fn blocked(name: &str) -> Report {
    let pair = |from: &str| Pair { from: from.into(), to: Some("subnet-0a000003".into()) };
    let acl = |state, code| hop(HopKind::NetworkAcl, "acl-0a000001", back(), Decided::NoEntry(Direction::Out), state, code);
    let walk = |from: &[&str]| Walk {
        host: "10.0.3.7".into(),
        port: 5432,
        between: from.iter().map(|f| pair(f)).collect(),
        verdict: State::Blocked,
        out: vec![
            hop(
                HopKind::SecurityGroups,
                "sg-0a000001, sg-0a000009",
                to(),
                Decided::Rules(vec![("sg-0a000001".into(), "sgr-1".into())]),
                State::Open,
                None,
            ),
            hop(
                HopKind::RouteTable,
                "rtb-0a000001",
                Asked::RouteTo(vec!["10.0.3.7/32".parse().unwrap()]),
                route(RouteState::Active),
                State::Open,
                None,
            ),
            hop(
                HopKind::SecurityGroups,
                "sg-0a000003",
                to(),
                Decided::Rules(vec![("sg-0a000003".into(), "sgr-2".into())]),
                State::Open,
                None,
            ),
        ],
        back: vec![
            hop(HopKind::NetworkAcl, "acl-0a000002", back(), Decided::SameSubnet, State::NotAsked, None),
            acl(State::Blocked, Some(Code::AclDeniesReplyOut)),
        ],
    };
    Report {
        name: name.into(),
        verdict: State::Blocked,
        walks: vec![walk(&["subnet-0a000001", "subnet-0a000002"]), walk(&["subnet-0a000005"])],
        findings: vec![Finding {
            code: Code::AclDeniesReplyOut,
            resource: "acl-0a000001".into(),
            found: "no entry of acl-0a000001 lets tcp/32768-65535 to 10.0.1.0/24 out".into(),
            needed: "an entry that allows it".into(),
            fix: "add entry 100 to acl-0a000001".into(),
            remedies: vec![],
            cli: vec!["aws ec2 create-network-acl-entry --network-acl-id acl-0a000001 --egress …".into()],
        }],
        unknown: vec![],
        warnings: vec![Finding {
            code: Code::AddressMayChange,
            resource: "sg-0a000003".into(),
            found: "sg-0a000003 admits 10.0.1.5/32 but not all of 10.0.1.0/24".into(),
            needed: "rules that hold after AWS has moved the replication".into(),
            fix: "admit the replication's group".into(),
            remedies: vec![],
            cli: vec![],
        }],
    }
}

/// A path whose far end AWS does not show.
pub(in crate::cli) fn unknown(name: &str) -> Report {
    Report {
        name: name.into(),
        verdict: State::Unknown,
        walks: vec![Walk {
            host: "db.corp.example".into(),
            port: 1521,
            between: vec![Pair { from: "subnet-0a000001".into(), to: None }],
            verdict: State::Unknown,
            out: vec![
                hop(HopKind::VpnGateway, "vgw-0a000001", Asked::State, Decided::Words("attached".into()), State::Open, None),
                hop(
                    HopKind::Beyond,
                    "db.corp.example",
                    Asked::State,
                    Decided::Words("not shown by AWS".into()),
                    State::Unknown,
                    Some(Code::OnPremReturnPathUnknown),
                ),
            ],
            back: vec![],
        }],
        findings: vec![],
        unknown: vec![Unknown {
            code: Code::OnPremReturnPathUnknown,
            resource: "db.corp.example".into(),
            reason: "what lies behind vgw-0a000001 is not shown by AWS".into(),
        }],
        warnings: vec![],
    }
}

pub(in crate::cli) fn open(name: &str) -> Report {
    let mut report = blocked(name);
    report.verdict = State::Open;
    report.findings.clear();
    report.warnings.clear();
    report.walks.truncate(1);
    report.walks[0].verdict = State::Open;
    for hop in &mut report.walks[0].back {
        hop.code = None;
        if hop.state == State::Blocked {
            (hop.state, hop.decided) = (State::Open, Decided::Entry(Direction::Out, 100, true));
        }
    }
    report
}

fn network(paths: Vec<Report>) -> NetworkPaths {
    NetworkPaths {
        name: "team/orders".into(),
        class: "lab".into(),
        account: "111122223333".into(),
        region: "us-west-2".into(),
        problems: vec![],
        paths,
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn paths_are_told_hop_by_hop() {
    let all = Explanation::new(vec![network(vec![open("target"), blocked("source"), unknown("archive")])], vec!["one thing".into()]);
    assert_eq!(all.summary, Summary { open: 1, unknown: 1, blocked: 1 });
    let text = all.render();
    insta::assert_snapshot!("explain", plain(&text));
    assert!(text.contains("\u{1b}[31m") && text.contains("\u{1b}[32m"), "blocked is red, open is green");
    insta::assert_snapshot!("explain_json", serde_json::to_string_pretty(&all).unwrap());
}

/// The fix stands once, under the first hop that needs it.
#[test]
fn a_fix_stands_under_its_hop_once() {
    let text = plain(&Explanation::new(vec![network(vec![blocked("source")])], vec![]).render());
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = |what: &str| lines.iter().position(|l| l.starts_with(what)).unwrap_or_else(|| panic!("{what}\n{text}"));
    assert_eq!(at("AclDeniesReplyOut"), at("✗ network ACL acl-0a000001") + 1, "{text}");
    assert_eq!(text.matches("aws ec2 create-network-acl-entry").count(), 1, "{text}");
    assert!(text.contains("AclDeniesReplyOut as above"), "{text}");
}

/// What belongs to no hop is told all the same.
#[test]
fn a_finding_without_a_hop_is_told() {
    let mut report = blocked("source");
    report.walks.clear();
    let text = plain(&Explanation::new(vec![network(vec![report])], vec![]).render());
    assert!(text.contains("✗ acl-0a000001\n") && text.contains("fix:    add entry 100"), "{text}");
    let mut wrong = network(vec![]);
    wrong.problems.push(Problem::new(Reason::ReferenceNotFound, "spec.replication.instance", "it does not exist"));
    let all = Explanation::new(vec![wrong], vec![]);
    assert!(all.has_problems() && plain(&all.render()).ends_with("No path could be explained.\n"), "{}", plain(&all.render()));
}
