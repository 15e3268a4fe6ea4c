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
    assert_eq!(p.asked[&all()], Some(refused.into()));
    let back = put(&mut p, &[all()], Objects::Groups(vec![group("sg-1", "a")]));
    assert_eq!(back.changed, set(&[all(), one("sg-1")]));
}

#[test]
fn dns_attributes_go_with_their_vpc_and_stay_where_they_cannot_be_read() {
    use crate::model::VpcDns;
    let dns = |support| Objects::VpcDns(vec![("vpc-1".into(), VpcDns { support, hostnames: true })]);
    let (mut p, need) = (Picture::default(), [Need::VpcDns("vpc-1".into())]);
    assert_eq!(put(&mut p, &need, dns(true)).changed, set(&need));
    assert!(put(&mut p, &need, dns(true)).changed.is_empty());
    failure(&mut p, &need, ReadFailure { denied: true, message: "no".into() });
    assert!(p.vpc_dns["vpc-1"].support && p.asked[&need[0]].is_some());
    assert_eq!(put(&mut p, &need, dns(false)).changed, set(&need));
    assert!(!p.vpc_dns["vpc-1"].support);
    assert_eq!(put(&mut p, &need, Objects::VpcDns(vec![])).changed, set(&need));
    assert!(is_absent(&p, &need[0]));
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

fn interface(id: &str, groups: &[&str]) -> NetworkInterface {
    NetworkInterface {
        id: id.into(),
        vpc: "vpc-1".into(),
        subnet: "subnet-1".into(),
        description: String::new(),
        status: "in-use".into(),
        addresses: vec![],
        public_ips: vec![],
        groups: groups.iter().map(|g| (*g).into()).collect(),
        source_dest_check: true,
    }
}

fn with(group: &str) -> Need {
    Need::InterfacesWith(group.into())
}

#[test]
fn an_interface_that_leaves_a_group_stays_with_those_who_ask_for_it_otherwise() {
    let mut p = Picture::default();
    put(&mut p, &[with("sg-1"), with("sg-2")], Objects::Interfaces(vec![interface("eni-1", &["sg-1", "sg-2"])]));
    let left = put(&mut p, &[with("sg-1")], Objects::Interfaces(vec![]));
    assert_eq!(p.interfaces["eni-1"].groups, ["sg-2".into()]);
    assert!(left.changed.contains(&with("sg-1")) && left.changed.contains(&with("sg-2")));
    let gone = put(&mut p, &[with("sg-2")], Objects::Interfaces(vec![]));
    assert!(p.interfaces.is_empty() && gone.changed.contains(&with("sg-2")));
}

#[test]
fn an_interface_that_is_gone_is_absent_for_who_asked_for_it() {
    let (mut p, alone) = (Picture::default(), Need::Interface("eni-1".into()));
    put(&mut p, &[with("sg-1"), alone.clone()], Objects::Interfaces(vec![interface("eni-1", &["sg-1"])]));
    assert!(!is_absent(&p, &alone));
    put(&mut p, &[with("sg-1"), alone.clone()], Objects::Interfaces(vec![]));
    assert!(is_absent(&p, &alone) && !is_absent(&p, &with("sg-1")));
}

fn peering(id: &str, requester: &str, accepter: &str, status: &str) -> PeeringConnection {
    let side = |vpc: &str| crate::model::PeeringSide {
        vpc: vpc.into(),
        account: String::new(),
        region: String::new(),
        cidrs: vec![],
        dns_resolution: None,
    };
    PeeringConnection { id: id.into(), status: status.into(), message: None, requester: side(requester), accepter: side(accepter) }
}

#[test]
fn a_peering_concerns_both_its_vpcs_and_others_are_not_kept() {
    let (mut p, of) = (Picture::default(), |v: &str| Need::PeeringConnectionsOf(v.into()));
    let listed =
        |status: &str| Objects::Peerings(vec![peering("pcx-1", "vpc-1", "vpc-2", status), peering("pcx-2", "vpc-8", "vpc-9", "active")]);
    let first = put(&mut p, &[of("vpc-1")], listed("pending-acceptance"));
    assert_eq!(first.changed, set(&[of("vpc-1"), of("vpc-2")]));
    assert_eq!(p.peerings.len(), 1, "nobody asked for the other");
    assert!(put(&mut p, &[of("vpc-2")], listed("active")).changed.contains(&of("vpc-1")));
    forget(&mut p, &set(&[of("vpc-1")]));
    assert_eq!(p.peerings.len(), 1, "the other side still asks");
    forget(&mut p, &set(&[of("vpc-2")]));
    assert!(p.peerings.is_empty());
}

#[test]
fn a_prefix_list_is_found_by_id_and_by_name() {
    let (mut p, id, name) = (Picture::default(), Need::PrefixList("pl-1".into()), Need::PrefixListNamed("com.amazonaws.x.s3".into()));
    let list = || PrefixList { id: "pl-1".into(), name: "com.amazonaws.x.s3".into(), cidrs: vec![], max_entries: None };
    put(&mut p, std::slice::from_ref(&id), Objects::PrefixLists(vec![list()]));
    put(&mut p, std::slice::from_ref(&name), Objects::PrefixLists(vec![list()]));
    assert!(!is_absent(&p, &id) && !is_absent(&p, &name));
    let gone = put(&mut p, std::slice::from_ref(&name), Objects::PrefixLists(vec![]));
    assert!(is_absent(&p, &id) && gone.changed.contains(&id) && gone.answered.contains(&id));
}

#[test]
fn an_instance_without_tests_has_an_empty_list() {
    let (mut p, need) = (Picture::default(), Need::ConnectionsOf("arn:1".into()));
    let test = |instance: &str, status: &str| Connection {
        instance: instance.into(),
        endpoint: "arn:e".into(),
        status: status.into(),
        failure: None,
    };
    assert_eq!(put(&mut p, std::slice::from_ref(&need), Objects::Connections(vec![])).changed, set(std::slice::from_ref(&need)));
    assert!(!is_absent(&p, &need), "it is not asked for sooner than others");
    let both = || Objects::Connections(vec![test("arn:2", "failed"), test("arn:1", "testing")]);
    put(&mut p, std::slice::from_ref(&need), both());
    assert_eq!(p.connections["arn:1"].len(), 1);
    assert!(put(&mut p, std::slice::from_ref(&need), both()).changed.is_empty());
    forget(&mut p, &set(&[need]));
    assert!(p.connections.is_empty());
}

#[test]
fn only_what_a_failure_left_behind_is_kept_as_read() {
    let mut p = Picture::default();
    put(&mut p, &[all(), one("sg-1")], Objects::Groups(vec![group("sg-1", "a")]));
    assert!(p.read.is_empty(), "that it was answered says it");
    let refused = |message: &str| ReadFailure { denied: false, message: message.into() };
    failure(&mut p, &[all(), one("sg-2")], refused("no"));
    failure(&mut p, &[all()], refused("no, still"));
    assert_eq!(p.read, set(&[all(), one("sg-1")]), "sg-2 was never answered");
    assert_eq!(p.clone().told().read, p.read);
    put(&mut p, &[all()], Objects::Groups(vec![group("sg-1", "a")]));
    assert!(p.read.is_empty());
    assert_eq!(p.told().read, set(&[all(), one("sg-1")]), "files name all that was answered");
}
