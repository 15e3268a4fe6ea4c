use std::time::Duration;

use super::*;
use crate::model::{Direction, Peer, Tags};

fn rule(id: &str, port: u16) -> Rule {
    let shape = RuleShape::tcp(Direction::In, port, Peer::Cidr("10.0.0.0/8".parse().unwrap()));
    Rule { id: id.into(), group: "sg-1".into(), shape, description: None, tags: Tags::new() }
}

fn tagged(mut rule: Rule, key: &str, value: &str) -> Rule {
    rule.tags.insert(key.into(), value.into());
    rule
}

fn endpoint(state: EndpointState) -> VpcEndpoint {
    VpcEndpoint {
        id: "vpce-1".into(),
        vpc: "vpc-1".into(),
        service_name: "com.amazonaws.us-west-2.dms".into(),
        endpoint_type: "Interface".into(),
        state,
        subnets: vec!["subnet-1".into()],
        groups: vec!["sg-1".into()],
        private_dns: true,
        policy: Policy::full_access(),
        ip_address_type: IpAddressType::Ipv4,
        dns_names: vec![],
        interfaces: vec![],
        route_tables: vec![],
        tags: Tags::new(),
        last_error: None,
    }
}

/// A clock that starts at the write, in seconds.
fn clock() -> impl Fn(i64) -> Instant {
    let zero = Instant::now() + Duration::from_secs(1000);
    move |s| if s < 0 { zero - Duration::from_secs(s.unsigned_abs()) } else { zero + Duration::from_secs(s.unsigned_abs()) }
}

/// What is expected of one kind, and whether AWS lags.
struct Tested<T>(Expected<T>, Lag);

impl<T> Default for Tested<T> {
    fn default() -> Self {
        Self(Expected::default(), Lag::default())
    }
}

impl<T> std::ops::Deref for Tested<T> {
    type Target = Expected<T>;

    fn deref(&self) -> &Expected<T> {
        &self.0
    }
}

impl<T> std::ops::DerefMut for Tested<T> {
    fn deref_mut(&mut self) -> &mut Expected<T> {
        &mut self.0
    }
}

/// What a read that starts and ends at `at` shows after the overlay.
fn read<T: Expectable>(Tested(expected, lag): &mut Tested<T>, list: &[T], at: Instant) -> Vec<T> {
    let mut list = list.to_vec();
    expected.overlay(&mut list, |_| true, at, at, lag);
    list
}

#[test]
fn a_rule_that_reads_do_not_show_yet_is_kept_until_one_does() {
    let (at, mut e) = (clock(), Tested::default());
    e.created(rule("sgr-1", 5432), at(0));
    assert_eq!(read(&mut e, &[], at(1)), [rule("sgr-1", 5432)]);
    assert_eq!(read(&mut e, &[], at(59)), [rule("sgr-1", 5432)]);
    assert_eq!(read(&mut e, &[rule("sgr-1", 5432)], at(59)).len(), 1);
    assert!(e.open().is_empty(), "nothing is asked for more often any longer");
}

#[test]
fn what_a_read_has_shown_is_gone_when_those_that_follow_do_not_show_it() {
    let (at, mut e) = (clock(), Tested::default());
    let made = [rule("sgr-1", 5432)];
    e.created(rule("sgr-1", 5432), at(0));
    read(&mut e, &made, at(1));
    assert_eq!(read(&mut e, &[], at(10)), made, "it may be late");
    assert_eq!((e.open().len(), e.doubted().len()), (1, 1), "and is looked after soon");
    assert_eq!(read(&mut e, &[], at(11)), made);
    assert_eq!((e.open().len(), e.doubted().len()), (1, 1), "as are those that follow");
    assert_eq!(read(&mut e, &[], at(12)), [], "somebody revoked it");
    assert!(e.open().is_empty());
}

#[test]
fn where_aws_goes_back_and_forth_a_write_is_expected_for_the_whole_while() {
    let (at, mut e) = (clock(), Tested::default());
    let made = [rule("sgr-1", 5432)];
    e.created(rule("sgr-1", 5432), at(0));
    read(&mut e, &made, at(1));
    assert_eq!(read(&mut e, &[], at(10)), made);
    assert_eq!(read(&mut e, &made, at(12)), made, "the one before was late");
    for s in [14, 16, 20, 40, 59] {
        assert_eq!(read(&mut e, &[], at(s)), made, "{s}");
    }
    assert_eq!(read(&mut e, &[], at(60)), []);
    // Ten minutes without such a read later it is believed again.
    e.created(rule("sgr-2", 1), at(700));
    read(&mut e, &[rule("sgr-2", 1)], at(701));
    read(&mut e, &[], at(702));
    assert_eq!(read(&mut e, &[], at(704)), []);
}

#[test]
fn a_read_that_is_later_than_usual_is_remembered_too() {
    let (at, mut e) = (clock(), Tested::default());
    e.created(rule("sgr-1", 1), at(0));
    read(&mut e, &[], at(1));
    read(&mut e, &[rule("sgr-1", 1)], at(4));
    read(&mut e, &[], at(10));
    assert_eq!(read(&mut e, &[], at(12)), [], "a second is nothing special");
    e.created(rule("sgr-2", 1), at(20));
    // One that begins at once, and is answered three seconds later.
    e.0.overlay(&mut vec![], |_| true, at(20), at(23), &mut e.1);
    read(&mut e, &[rule("sgr-2", 1)], at(28));
    read(&mut e, &[], at(30));
    assert_eq!(read(&mut e, &[], at(40)).len(), 1);
}

#[test]
fn reads_that_do_not_show_one_write_for_long_are_not_believed_of_another() {
    let (at, mut e) = (clock(), Tested::default());
    let of = |id: &'static str| move |r: &Rule| r.id.as_str() == id;
    e.created(rule("sgr-1", 1), at(0));
    e.created(rule("sgr-2", 2), at(0));
    e.0.overlay(&mut vec![rule("sgr-1", 1)], of("sgr-1"), at(1), at(1), &mut e.1);
    e.0.overlay(&mut vec![], of("sgr-2"), at(2), at(2), &mut e.1);
    let mut list = vec![];
    for s in [3, 5, 7] {
        e.0.overlay(&mut list, of("sgr-1"), at(s), at(s), &mut e.1);
        assert_eq!(list.len(), 1, "{s}: AWS lags, as the other shows");
        list.clear();
    }
}

#[test]
fn a_strangers_change_ends_what_was_shown_and_nothing_else() {
    let (at, mut e) = (clock(), Tested::default());
    let of_group = BTreeSet::from([Need::RulesOf("sg-1".into())]);
    e.created(rule("sgr-1", 1), at(0));
    e.touched(&of_group);
    assert_eq!(read(&mut e, &[], at(1)).len(), 1, "no read has shown it: it may still be late");
    read(&mut e, &[rule("sgr-1", 1)], at(2));
    e.touched(&BTreeSet::from([Need::RulesOf("sg-2".into())]));
    assert_eq!(read(&mut e, &[], at(3)).len(), 1, "that was about something else");
    read(&mut e, &[rule("sgr-1", 1)], at(3));
    e.touched(&of_group);
    assert_eq!(read(&mut e, &[], at(4)), [], "at once");
    let mut e = Tested::default();
    e.created(endpoint(EndpointState::Available), at(0));
    read(&mut e, &[endpoint(EndpointState::Available)], at(1));
    e.touched(&BTreeSet::from([Need::EndpointsOf("vpc-1".into())]));
    assert_eq!(read(&mut e, &[], at(2)).len(), 1, "AWS lists one that goes: this is late, and a second one would be made");
}

#[test]
fn patience_ends() {
    let (at, mut e) = (clock(), Tested::default());
    e.created(rule("sgr-1", 5432), at(0));
    assert_eq!(read(&mut e, &[], at(60)), []);
    assert!(e.open().is_empty());
}

#[test]
fn what_somebody_else_names_by_its_id_was_there() {
    let (at, mut all) = (clock(), Expectations::default());
    all.rules.created(rule("sgr-1", 1), at(0));
    all.rules.created(rule("sgr-2", 2), at(0));
    all.named(&BTreeSet::from(["sgr-1".into(), "sgr-9".into()]));
    let mut list = Vec::new();
    all.rules.overlay(&mut list, |_| true, at(1), at(1), &mut all.lag);
    assert_eq!(list, [rule("sgr-2", 2)], "no read has shown it, and yet it was there to be revoked");
}

#[test]
fn a_read_from_before_the_write_proves_nothing() {
    let (at, mut e) = (clock(), Tested::default());
    e.removed(rule("sgr-1", 5432), at(0));
    assert_eq!(read(&mut e, &[rule("sgr-1", 5432)], at(-1)), []);
    assert_eq!(read(&mut e, &[], at(-1)), []);
    assert_eq!(read(&mut e, &[rule("sgr-1", 5432)], at(1)), [], "still expected to be gone");
    assert_eq!(read(&mut e, &[], at(2)), []);
    assert!(e.open().is_empty());
    assert_eq!(read(&mut e, &[rule("sgr-1", 5432)], at(59)), [], "no rule comes back under its ID");
}

#[test]
fn an_object_outside_what_was_asked_is_not_put_in() {
    let (at, mut e) = (clock(), Tested::default());
    e.created(rule("sgr-1", 5432), at(0));
    let mut list = Vec::new();
    e.overlay(&mut list, |r: &Rule| r.group.as_str() == "sg-other", at(1), at(1), &mut Lag::default());
    assert_eq!(list, []);
    assert_eq!(e.open().len(), 1);
}

#[test]
fn old_values_are_late_and_third_values_are_somebody_elses() {
    let (at, mut e) = (clock(), Tested::default());
    e.wrote(Field::Shape, &rule("sgr-1", 1), &rule("sgr-1", 2), at(0));
    e.wrote(Field::Shape, &rule("sgr-1", 2), &rule("sgr-1", 3), at(1));
    assert_eq!(read(&mut e, &[rule("sgr-1", 1)], at(2)), [rule("sgr-1", 3)]);
    assert_eq!(read(&mut e, &[rule("sgr-1", 2)], at(2)), [rule("sgr-1", 3)]);
    assert_eq!(read(&mut e, &[rule("sgr-1", 4)], at(2)), [rule("sgr-1", 4)]);
    assert_eq!(read(&mut e, &[rule("sgr-1", 1)], at(3)), [rule("sgr-1", 1)], "the expectation ended with the third value");
}

#[test]
fn tags_are_expected_one_by_one() {
    let (at, mut e) = (clock(), Tested::default());
    let (before, after) = (rule("sgr-1", 1), tagged(rule("sgr-1", 1), "a", "1"));
    e.wrote(Field::Tag("a".into()), &before, &after, at(0));
    let by_others = tagged(before.clone(), "b", "2");
    assert_eq!(read(&mut e, &[by_others], at(1)), [tagged(after.clone(), "b", "2")]);
    assert_eq!(read(&mut e, std::slice::from_ref(&after), at(2)), [after]);
    assert_eq!(read(&mut e, std::slice::from_ref(&before), at(3)), [tagged(before.clone(), "a", "1")], "it may be late");
    assert_eq!(read(&mut e, std::slice::from_ref(&before), at(5)), [before], "taken off after a read had shown it");
}

#[test]
fn what_was_made_is_kept_as_it_was_written_since() {
    let (at, mut e) = (clock(), Tested::default());
    let (made, edited) = (rule("sgr-1", 1), rule("sgr-1", 2));
    e.created(made.clone(), at(0));
    e.wrote(Field::Shape, &made, &edited, at(1));
    assert_eq!(read(&mut e, &[], at(2)), std::slice::from_ref(&edited));
    assert_eq!(read(&mut e, &[made], at(3)), [edited], "a read that shows the creation and not yet the edit");
}

#[test]
fn a_deleted_endpoint_is_on_its_way_until_aws_says_so_or_lists_it_no_more() {
    let (at, mut e) = (clock(), Tested::default());
    e.removed(endpoint(EndpointState::Deleting), at(0));
    assert_eq!(read(&mut e, &[endpoint(EndpointState::Available)], at(1)), [endpoint(EndpointState::Deleting)]);
    assert_eq!(read(&mut e, &[endpoint(EndpointState::Deleting)], at(2)), [endpoint(EndpointState::Deleting)]);
    assert!(e.open().is_empty());
    assert_eq!(read(&mut e, &[], at(3)), []);
}

#[test]
fn a_change_of_an_endpoint_does_not_hide_what_aws_does_to_it() {
    let (at, mut e) = (clock(), Tested::default());
    let before = endpoint(EndpointState::Pending);
    let after = VpcEndpoint { private_dns: false, ..before.clone() };
    e.wrote(Field::PrivateDns, &before, &after, at(0));
    let late = endpoint(EndpointState::Available);
    let shown = VpcEndpoint { private_dns: false, ..late.clone() };
    assert_eq!(read(&mut e, &[late], at(1)), std::slice::from_ref(&shown));
    assert_eq!(read(&mut e, &[shown], at(2)).len(), 1);
    assert!(e.open().is_empty());
}

#[test]
fn what_somebody_takes_down_is_not_expected_any_more() {
    let (at, mut e) = (clock(), Tested::default());
    e.created(endpoint(EndpointState::Available), at(0));
    read(&mut e, &[endpoint(EndpointState::Available)], at(1));
    assert_eq!(read(&mut e, &[endpoint(EndpointState::Deleting)], at(2)), [endpoint(EndpointState::Deleting)]);
    assert_eq!(read(&mut e, &[], at(3)), [], "it was seen to go");
}

#[test]
fn one_that_came_unheard_of_is_not_given_up_for_one_late_read() {
    let (at, mut e) = (clock(), Tested::default());
    e.came(&endpoint(EndpointState::Available), at(0));
    assert!(e.open().is_empty(), "a read has shown it");
    assert_eq!(read(&mut e, &[], at(1)), [endpoint(EndpointState::Available)]);
    assert_eq!(read(&mut e, &[], at(3)), [], "those that follow say the same");
    e.removed(endpoint(EndpointState::Available), at(4));
    e.came(&endpoint(EndpointState::Available), at(5));
    assert_eq!(read(&mut e, &[], at(6)), [], "we have removed it ourselves");
}
