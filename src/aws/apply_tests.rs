use super::*;
use crate::model::{Lookup, Tags};

fn group(id: &str, name: &str) -> SecurityGroup {
    SecurityGroup { id: id.into(), name: name.into(), vpc: "vpc-1".into(), owner: "111122223333".into(), tags: Tags::new() }
}

fn all() -> Need {
    Need::GroupsOf("vpc-1".into())
}

fn one(id: &str) -> Need {
    Need::Group(id.into())
}

fn set(needs: &[Need]) -> BTreeSet<Need> {
    needs.iter().cloned().collect()
}

fn put(picture: &mut Picture, needs: &[Need], objects: Objects) -> Effect {
    let now = Instant::now();
    answer(picture, &mut Expectations::default(), needs, objects, now, now)
}

#[test]
fn an_unchanged_answer_changes_nothing() {
    let mut p = Picture::default();
    let first = put(&mut p, &[all()], Objects::Groups(vec![group("sg-1", "a"), group("sg-2", "b")]));
    assert_eq!(first.changed, set(&[all(), one("sg-1"), one("sg-2")]));
    let again = put(&mut p, &[all()], Objects::Groups(vec![group("sg-2", "b"), group("sg-1", "a")]));
    assert_eq!((again.changed, again.answered), (set(&[]), set(&[all()])));
    let renamed = put(&mut p, &[all()], Objects::Groups(vec![group("sg-1", "a"), group("sg-2", "c")]));
    assert_eq!(renamed.changed, set(&[all(), one("sg-2")]));
}

#[test]
fn a_vpcs_answer_also_answers_for_its_single_objects_and_their_absence() {
    let mut p = Picture::default();
    put(&mut p, &[one("sg-1")], Objects::Groups(vec![group("sg-1", "a")]));
    let gone = put(&mut p, &[all()], Objects::Groups(vec![group("sg-2", "b")]));
    assert_eq!(gone.answered, set(&[all(), one("sg-1")]));
    assert!(gone.changed.contains(&one("sg-1")));
    assert_eq!(p.answer(&one("sg-1"), p.groups.get("sg-1")), Lookup::Absent);
    assert!(is_absent(&p, &one("sg-1")) && !is_absent(&p, &all()));
    assert_eq!(with_vpc(&p, &one("sg-2")), Some(all()));
    assert_eq!(with_vpc(&p, &one("sg-1")), None);
}

#[test]
fn a_failed_read_keeps_what_was_read_before() {
    let mut p = Picture::default();
    put(&mut p, &[all(), one("sg-1")], Objects::Groups(vec![group("sg-1", "a")]));
    let refused = ReadFailure { denied: true, message: "no".into() };
    let effect = failure(&mut p, &[all()], refused.clone());
    assert_eq!(effect.changed, set(&[all(), one("sg-1")]));
    assert!(failure(&mut p, &[all()], refused.clone()).changed.is_empty(), "the same refusal again");
    assert!(p.groups.contains_key("sg-1"));
    assert_eq!(p.asked[&all()], Some(refused));
    let back = put(&mut p, &[all()], Objects::Groups(vec![group("sg-1", "a")]));
    assert_eq!(back.changed, set(&[all(), one("sg-1")]));
}

#[test]
fn a_dns_attribute_that_cannot_be_read_stays_as_it_was() {
    use crate::model::Vpc;
    let vpc = |s| {
        Objects::Vpcs(vec![Vpc {
            id: "vpc-1".into(),
            cidrs: vec![],
            dns_support: s,
            dns_hostnames: None,
            owner: String::new(),
            block_public_access: crate::model::BlockPublicAccess::Off,
        }])
    };
    let (mut p, need) = (Picture::default(), Need::Vpc("vpc-1".into()));
    put(&mut p, std::slice::from_ref(&need), vpc(Some(true)));
    assert!(put(&mut p, std::slice::from_ref(&need), vpc(None)).changed.is_empty());
    assert_eq!(p.vpcs["vpc-1"].dns_support, Some(true));
}

#[test]
fn names_are_asked_in_any_case_and_go_when_they_are_gone() {
    use crate::model::DmsEndpoint;
    let e = || DmsEndpoint {
        identifier: "orders".into(),
        engine: "postgres".into(),
        host: None,
        port: None,
        arn: "arn:orders".into(),
        more_hosts: vec![],
        secret: None,
    };
    let (mut p, need) = (Picture::default(), Need::DmsEndpoint("Orders".into()));
    assert_eq!(put(&mut p, std::slice::from_ref(&need), Objects::DmsEndpoints(vec![e()])).changed, set(std::slice::from_ref(&need)));
    assert!(!is_absent(&p, &need));
    put(&mut p, std::slice::from_ref(&need), Objects::DmsEndpoints(vec![]));
    assert!(is_absent(&p, &need));
}

#[test]
fn only_what_nobody_asks_for_is_forgotten() {
    let mut p = Picture::default();
    put(&mut p, &[all(), one("sg-1")], Objects::Groups(vec![group("sg-1", "a"), group("sg-2", "b")]));
    forget(&mut p, &set(&[one("sg-1")]));
    assert_eq!(p.groups.len(), 2, "they are still asked for with their VPC");
    put(&mut p, &[one("sg-1")], Objects::Groups(vec![group("sg-1", "a")]));
    forget(&mut p, &set(&[all()]));
    assert_eq!(p.groups.keys().map(SecurityGroupId::as_str).collect::<Vec<_>>(), ["sg-1"]);
    assert_eq!(p.asked.keys().cloned().collect::<BTreeSet<_>>(), set(&[one("sg-1")]));
}
