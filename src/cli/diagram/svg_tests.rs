use super::{
    lanes::{Lanes, Place, Stage},
    layout::arrange,
    scene::{Anchor, Font, Scene, Shape},
    tests::places,
    *,
};
use crate::{
    api::conditions::Reason,
    cli::explain::tests::{blocked, open, unknown},
    plan::Problem,
    reach::{Asked, Code, Decided},
};

fn subject(paths: Vec<Report>) -> Subject {
    let network = NetworkPaths {
        name: "team/orders".into(),
        class: "prod".into(),
        account: "111122223333".into(),
        region: "us-west-2".into(),
        paths,
        ..NetworkPaths::default()
    };
    let endpoint = |name: &str, id: Option<&str>| VpcEndpointStatus {
        name: name.into(),
        service: format!("com.amazonaws.us-west-2.{name}"),
        id: id.map(Into::into),
        state: id.map(|_| "available".into()),
        ..VpcEndpointStatus::default()
    };
    Subject { network, replication: "orders-ri".into(), endpoints: vec![endpoint("dms", Some("vpce-0a000001")), endpoint("s3", None)] }
}

fn drawn(paths: Vec<Report>) -> String {
    svg(&[subject(paths)], &places())
}

fn hop(kind: HopKind, resource: &str, state: State, code: Option<Code>) -> Hop {
    Hop { kind, resource: resource.into(), asked: Asked::State, decided: Decided::NoRule, state, code }
}

#[test]
fn a_network_is_drawn() {
    insta::assert_snapshot!("svg", drawn(vec![open("target"), blocked("source"), unknown("archive")]));
}

/// What a reader must be able to read: no text lies on another, and none is cut off.
#[test]
fn every_text_can_be_read() {
    let long = |i: usize| {
        let mut path = if i.is_multiple_of(2) { blocked("x") } else { unknown("x") };
        path.name = format!("a-database-with-a-name-as-long-as-names-may-become-in-here-{i}");
        for walk in &mut path.walks {
            walk.host = format!("{i}.a-host-with-a-very-long-name.cluster-abcdefghijkl.us-west-2.rds.amazonaws.com");
            walk.out[0].resource = (0..9).map(|g| format!("sg-0123456789abcdef{g}")).collect::<Vec<_>>().join(", ");
            let pair = walk.between[0].clone();
            walk.between.extend((0..9).map(|s| crate::reach::Pair {
                from: format!("subnet-0123456789abcde0{s}").as_str().into(),
                to: pair.to.as_ref().map(|_| format!("subnet-0123456789abcde1{s}").as_str().into()),
            }));
        }
        path
    };
    let unread = Subject {
        network: NetworkPaths {
            problems: vec![Problem::new(Reason::ReferenceNotFound, "spec.replication.instance", "it does not exist ".repeat(20))],
            ..subject(vec![]).network
        },
        ..subject(vec![])
    };
    for (name, subjects) in [
        ("one", vec![subject(vec![open("a")])]),
        ("three", vec![subject(vec![open("a"), blocked("b"), unknown("c")])]),
        ("ten", vec![subject((0..10).map(|i| if i % 3 == 0 { blocked(&format!("db-{i}")) } else { open(&format!("db-{i}")) }).collect())]),
        ("long", vec![subject((0..10).map(long).collect())]),
        ("nothing known", vec![unread]),
        ("two networks", vec![subject(vec![blocked("a")]), subject(vec![unknown("b")])]),
    ] {
        let scene = arrange(&subjects, &places());
        readable(name, &scene);
    }
}

fn readable(name: &str, scene: &Scene) {
    let boxes: Vec<(String, (i32, i32, i32, i32))> = scene
        .shapes
        .iter()
        .filter_map(|s| {
            let Shape::Text { font, at: (x, y), anchor, text } = s else { return None };
            let width = font.width(text);
            let left = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - width / 2,
                Anchor::End => x - width,
            };
            let height = if *font == Font::Title { 13 } else { 9 };
            Some((text.clone(), (left, y - height, left + width, y + 2)))
        })
        .collect();
    let (width, height) = scene.size;
    for (i, (text, (left, top, right, bottom))) in boxes.iter().enumerate() {
        assert!(*left >= 0 && *top >= 0 && *right <= width && *bottom <= height, "{name}: {text:?} is cut off: {left}..{right} of {width}");
        for (other, (l, t, r, b)) in &boxes[i + 1..] {
            assert!(right <= l || r <= left || bottom <= t || b <= top, "{name}: {text:?} lies on {other:?}");
        }
    }
}

/// The code stands where the packet, or its answer, is stopped; up to there the way is open.
#[test]
fn a_block_is_where_it_is() {
    let lanes = Lanes::of(&subject(vec![blocked("b")]).network, &places());
    let lane = &lanes.lanes[0];
    assert_eq!((lane.verdict, lanes.lanes.len()), (State::Blocked, 1), "two walks to one port are one lane");
    let acl = &lane.stations[&Stage::Acl];
    assert_eq!(
        (acl.out, acl.back, acl.codes.as_slice()),
        (None, Some(State::Blocked), &[(State::Blocked, "AclDeniesReplyOut".to_owned())][..])
    );
    assert_eq!(lane.stations[&Stage::FarGroups].state(), State::Open);
    assert!(lanes.notes[0].text.ends_with("Fix: add entry 100 to acl-0a000001."), "{:?}", lanes.notes);
    let scene = arrange(&[subject(vec![blocked("b")])], &places());
    let stops: Vec<i32> = scene
        .shapes
        .iter()
        .filter_map(|s| match s {
            Shape::Line { state: State::Blocked, from, to } if from.0 > to.0 => Some(from.0),
            _ => None,
        })
        .collect();
    let cross = scene.shapes.iter().filter_map(|s| match s {
        Shape::Station { state: State::Blocked, at } => Some(at.0),
        _ => None,
    });
    assert_eq!(stops.len(), 1, "only the answer is stopped");
    assert!(cross.into_iter().any(|x| x == stops[0]), "the way turns red where the cross is");
}

/// What stands around a host that forwards is the host's; what comes after the gateway is the far side's.
#[test]
fn a_host_between_is_one_station() {
    let mut path = unknown("erp");
    let any = State::Open;
    let eni = "eni-0a000001";
    path.walks[0].out = vec![
        hop(HopKind::Dns, "vpc-0a000001", any, None),
        hop(HopKind::SecurityGroups, "sg-0a000001", any, None),
        hop(HopKind::NetworkAcl, "acl-0a000001", any, None),
        hop(HopKind::RouteTable, "rtb-0a000001", any, None),
        hop(HopKind::NetworkAcl, "acl-0a000009", any, None),
        hop(HopKind::NetworkInterface, eni, any, None),
        hop(HopKind::SecurityGroups, "sg-0a000009", State::Blocked, Some(Code::IngressMissing)),
        hop(HopKind::SecurityGroups, "sg-0a000009", any, None),
        hop(HopKind::NetworkAcl, "acl-0a000009", any, None),
        hop(HopKind::RouteTable, "rtb-0a000009", any, None),
        hop(HopKind::VpnGateway, "vgw-0a000001", any, None),
        hop(HopKind::Beyond, "10.9.0.1", State::Unknown, Some(Code::OnPremReturnPathUnknown)),
    ];
    path.walks[0].back = vec![
        hop(HopKind::NetworkAcl, "acl-0a000009", any, None),
        hop(HopKind::RouteTable, "rtb-0a000009", any, None),
        hop(HopKind::NetworkAcl, "acl-0a000001", State::Blocked, Some(Code::AclDeniesReplyIn)),
    ];
    let lanes = Lanes::of(&subject(vec![path]).network, &places());
    let lane = &lanes.lanes[0];
    let stages: Vec<(Stage, &[String])> = lane.stations.iter().map(|(s, t)| (*s, t.resources.as_slice())).collect();
    assert_eq!(
        stages,
        [
            (Stage::Groups, &["sg-0a000001".to_owned()][..]),
            (Stage::Acl, &["acl-0a000001".to_owned()]),
            (Stage::Routes, &["rtb-0a000001".to_owned()]),
            (Stage::Device, &[eni.to_owned()]),
            (Stage::Gateway, &["vgw-0a000001".to_owned()]),
            (Stage::FarAcl, &["10.9.0.1".to_owned()]),
        ]
    );
    assert_eq!(lane.stations[&Stage::Device].codes, [(State::Blocked, "IngressMissing sg-0a000009".to_owned())]);
    assert_eq!(lane.stations[&Stage::Acl].back, Some(State::Blocked));
    assert_eq!(lane.place, Place::Outside("On premises"));
}

#[test]
fn what_blocks_without_a_hop_colours_the_whole_way() {
    let mut path = blocked("b");
    path.walks.clear();
    let scene = arrange(&[subject(vec![path])], &places());
    let ways: Vec<State> = scene
        .shapes
        .iter()
        .filter_map(|s| match s {
            Shape::Arrow { state, .. } => Some(*state),
            _ => None,
        })
        .collect();
    assert_eq!(ways, [State::Blocked, State::Blocked]);
}

#[test]
fn texts_say_nothing_of_their_own() {
    let mut path = open("a");
    path.name = "</text><script>alert(1)</script> & \"x\"".into();
    let text = drawn(vec![path]);
    assert!(!text.contains("<script>") && text.contains("&lt;script&gt;") && text.contains("&amp; "), "{text}");
}

/// Light and dark are both the style sheet's: no shape has a colour of its own.
#[test]
fn colours_are_the_style_sheets() {
    let text = drawn(vec![open("target"), blocked("source"), unknown("archive")]);
    let shapes = text.split("</style>").nth(1).unwrap();
    assert!(!shapes.contains("fill=") && !shapes.contains("stroke=") && !shapes.contains('#'), "{shapes}");
    assert!(text.contains("prefers-color-scheme: dark"));
}
