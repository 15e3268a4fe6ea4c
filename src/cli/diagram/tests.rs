use std::sync::Arc;

use super::*;
use crate::{
    cli::explain::tests::{blocked, open, unknown},
    model::{NetworkAcl, Picture, SecurityGroup, Tags},
};

pub(super) fn places() -> Places {
    let mut picture = Picture::default();
    for (id, vpc) in [("sg-0a000001", "vpc-0a000001"), ("sg-0a000003", "vpc-0b000001")] {
        let group = SecurityGroup { id: id.into(), name: String::new(), vpc: vpc.into(), owner: String::new(), tags: Tags::new() };
        picture.groups.insert(id.into(), Arc::new(group));
    }
    let acl = NetworkAcl {
        id: "acl-0a000001".into(),
        vpc: "vpc-0b000001".into(),
        is_default: false,
        subnets: vec![],
        entries: vec![],
        tags: Tags::new(),
    };
    picture.acls.insert(acl.id.clone(), Arc::new(acl));
    Places::of(&picture)
}

fn diagram(paths: Vec<Report>) -> Diagram {
    Diagram::of(&NetworkPaths { name: "team/orders".into(), paths, ..NetworkPaths::default() }, "orders-ri", &places())
}

#[test]
fn a_network_is_drawn() {
    insta::assert_snapshot!("mermaid", diagram(vec![open("target"), blocked("source"), unknown("archive")]).mermaid());
}

#[test]
fn what_packets_share_is_drawn_once() {
    let one = diagram(vec![open("a")]);
    let ten = diagram((0..10).map(|i| open(&format!("db-{i}"))).collect());
    assert_eq!(ten.nodes.len(), one.nodes.len() + 9, "a node more for each database");
    assert_eq!(ten.edges.len(), one.edges.len() + 9);
    assert!(ten.nodes.iter().all(|n| n.state == State::Open) && ten.edges.iter().all(|e| e.state == State::Open));
}

/// A way that is open for one and not for the other is open up to where they part.
#[test]
fn a_block_shows_where_it_is() {
    let both = diagram(vec![open("a"), blocked("b")]);
    let node = |what: &str| both.nodes.iter().find(|n| n.label.iter().any(|l| l == what)).unwrap();
    assert_eq!(node("acl-0a000001").state, State::Blocked);
    assert_eq!(node("sg-0a000003").state, State::Open);
    let into = |name: &str| {
        let at = both.nodes.iter().position(|n| n.label[0] == name).unwrap();
        both.edges.iter().find(|e| e.to == at).unwrap().state
    };
    assert_eq!((into("a"), into("b")), (State::Open, State::Blocked));
}

#[test]
fn texts_say_nothing_of_their_own() {
    let mut path = open("a");
    path.name = "x\"]; click <b> #".into();
    let text = diagram(vec![path]).mermaid();
    assert!(text.contains("x&quot;]; click &lt;b&gt; &num;"), "{text}");
}
