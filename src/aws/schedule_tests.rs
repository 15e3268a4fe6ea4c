use super::*;

fn rules(id: &str) -> Need {
    Need::RulesOf(id.into())
}

fn set(needs: &[Need]) -> BTreeSet<Need> {
    needs.iter().cloned().collect()
}

fn who(name: &str) -> Arc<str> {
    name.into()
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

struct Clock(Instant);

impl Clock {
    fn at(&self, seconds: f64) -> Instant {
        self.0 + Duration::from_secs_f64(seconds)
    }
}

fn clock() -> Clock {
    Clock(Instant::now() + Duration::from_secs(10_000))
}

fn alone(_: &Need) -> Option<Need> {
    None
}

/// Takes what is due and answers it at once.
fn answer(s: &mut Schedule, now: Instant, outcome: Outcome) -> BTreeSet<Need> {
    let batch = s.take(now, alone);
    for need in &batch.needs {
        s.finish(need, batch.number, now, outcome, now);
    }
    batch.needs
}

#[test]
fn each_at_its_pace() {
    let (c, mut s) = (clock(), Schedule::default());
    let (fast, slow) = (rules("sg-1"), Need::Vpc("vpc-1".into()));
    s.subscribe(&who("a"), set(&[fast.clone(), slow.clone()]), set(&[]), MINUTE);
    assert_eq!(answer(&mut s, c.at(0.0), Outcome::Found), set(&[fast.clone(), slow.clone()]));
    assert_eq!(s.next(c.at(0.0)), Some(c.at(60.0)));
    assert_eq!(answer(&mut s, c.at(59.0), Outcome::Found), set(&[]));
    for minute in 1..10 {
        assert_eq!(answer(&mut s, c.at(60.0 * f64::from(minute)), Outcome::Found), set(std::slice::from_ref(&fast)), "{minute}");
    }
    assert_eq!(answer(&mut s, c.at(600.0), Outcome::Found), set(&[fast, slow]));
}

#[test]
fn a_slow_fact_that_somebody_writes_is_read_like_a_fast_one() {
    let (c, mut s) = (clock(), Schedule::default());
    let acls = Need::NetworkAclsOf("vpc-1".into());
    s.subscribe(&who("looks"), set(std::slice::from_ref(&acls)), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    assert_eq!(s.next(c.at(0.0)), Some(c.at(600.0)));
    assert!(s.subscribe(&who("writes"), set(std::slice::from_ref(&acls)), set(std::slice::from_ref(&acls)), MINUTE));
    assert_eq!(s.next(c.at(0.0)), Some(c.at(60.0)));
    assert!(s.subscribe(&who("writes"), set(std::slice::from_ref(&acls)), set(&[]), MINUTE), "it only looks from now on");
    assert!(!s.subscribe(&who("writes"), set(std::slice::from_ref(&acls)), set(&[]), MINUTE));
    assert_eq!(s.next(c.at(0.0)), Some(c.at(600.0)));
}

#[test]
fn networks_that_come_at_any_time_are_soon_read_together() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs: Vec<Need> = (0..20).map(|i| rules(&format!("sg-{i:02}"))).collect();
    for (i, need) in needs.iter().enumerate() {
        let now = c.at(i as f64 * 2.9);
        s.subscribe(&who(&i.to_string()), set(std::slice::from_ref(need)), set(&[]), MINUTE);
        answer(&mut s, now, Outcome::Found);
    }
    // Two intervals later there is one batch per interval.
    let (mut now, mut batches) = (c.at(0.0), Vec::new());
    while now < c.at(600.0) {
        now = s.next(now).unwrap();
        batches.push((now, answer(&mut s, now, Outcome::Found).len()));
    }
    let late: Vec<_> = batches.iter().filter(|(t, _)| *t >= c.at(180.0)).collect();
    assert!(late.iter().all(|(_, n)| *n == 20), "{batches:?}");
    assert!(late.len() <= 8, "{}", late.len());
}

#[test]
fn half_an_interval_apart_is_soon_together() {
    // Reads start a little after they are due, now more and now less: with a limit at half the age they would miss each other.
    let (c, mut s) = (clock(), Schedule::default());
    let (first, second) = (rules("sg-1"), rules("sg-2"));
    s.subscribe(&who("a"), set(std::slice::from_ref(&first)), set(&[]), MINUTE);
    answer(&mut s, c.at(0.02), Outcome::Found);
    s.subscribe(&who("b"), set(std::slice::from_ref(&second)), set(&[]), MINUTE);
    assert_eq!(answer(&mut s, c.at(30.0), Outcome::Found), set(&[first.clone(), second.clone()]));
    assert_eq!(answer(&mut s, c.at(60.1), Outcome::Found), set(&[]));
    assert_eq!(answer(&mut s, c.at(90.0), Outcome::Found), set(&[first, second]));
}

#[test]
fn a_short_interval_speeds_up_nobody_else() {
    let (c, mut s) = (clock(), Schedule::default());
    let (short, long) = (rules("sg-short"), rules("sg-long"));
    s.subscribe(&who("a"), set(std::slice::from_ref(&short)), set(&[]), 10 * SECOND);
    s.subscribe(&who("b"), set(std::slice::from_ref(&long)), set(&[]), MINUTE);
    let mut reads = BTreeMap::new();
    let mut now = c.at(0.0);
    while now <= c.at(600.0) {
        for need in answer(&mut s, now, Outcome::Found) {
            *reads.entry(need).or_insert(0) += 1;
        }
        now = s.next(now).unwrap();
    }
    assert_eq!(reads[&short], 61);
    assert!(reads[&long] <= 13, "{reads:?}");
}

#[test]
fn slow_facts_are_read_each_tenth_sweep_and_rare_ones_each_thirtieth() {
    let (c, mut s) = (clock(), Schedule::default());
    let (acls, dns) = (Need::NetworkAclsOf("vpc-1".into()), Need::VpcDns("vpc-1".into()));
    let needs = [rules("sg-1"), acls.clone(), dns.clone()];
    s.subscribe(&who("a"), set(&needs), set(&[]), MINUTE);
    let (mut now, mut reads) = (c.at(0.0), BTreeMap::new());
    for sweep in 0..120 {
        let batch = s.take(now, alone);
        for (i, need) in batch.needs.into_iter().enumerate() {
            // Calls start a little after their sweep, now more and now less.
            let started = now + Duration::from_millis((sweep * 7 + i as u64 * 3) % 10 * 100);
            s.finish(&need, batch.number, started, Outcome::Found, started);
            *reads.entry(need).or_insert(0) += 1;
        }
        now = s.next(now).unwrap();
    }
    assert_eq!(reads, BTreeMap::from([(rules("sg-1"), 120), (acls.clone(), 12), (dns.clone(), 4)]));
    // What stands in the way is looked at in every sweep.
    s.subscribe(&who("a"), set(&needs), set(std::slice::from_ref(&dns)), MINUTE);
    assert!(answer(&mut s, now, Outcome::Found).contains(&dns));
    assert_eq!(answer(&mut s, now + MINUTE, Outcome::Found), set(&[rules("sg-1"), dns]));
}

#[test]
fn slow_facts_come_together_only_where_one_call_answers_them() {
    let (c, mut s) = (clock(), Schedule::default());
    let acls = |vpc: &str| Need::NetworkAclsOf(vpc.into());
    let tables = Need::RouteTablesOf("vpc-1".into());
    s.subscribe(&who("a"), set(&[acls("vpc-1"), tables.clone()]), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    s.subscribe(&who("b"), set(&[acls("vpc-2")]), set(&[]), MINUTE);
    assert_eq!(answer(&mut s, c.at(300.0), Outcome::Found), set(&[acls("vpc-1"), acls("vpc-2")]));
    assert_eq!(answer(&mut s, c.at(600.0), Outcome::Found), set(&[tables]));
    assert_eq!(answer(&mut s, c.at(900.0), Outcome::Found), set(&[acls("vpc-1"), acls("vpc-2")]));
}

#[test]
fn a_slow_fact_takes_the_last_sweep_that_asks_for_its_kind_before_it_is_due() {
    let (c, mut s) = (clock(), Schedule::default());
    let acls = |vpc: &str| Need::NetworkAclsOf(vpc.into());
    let managed = set(&[acls("vpc-managed")]);
    s.subscribe(&who("a"), managed.clone(), managed.clone(), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    s.subscribe(&who("b"), set(&[acls("vpc-2")]), set(&[]), MINUTE);
    assert_eq!(answer(&mut s, c.at(30.0), Outcome::Found), set(&[acls("vpc-2")]), "out of step");
    let (mut now, mut batches) = (c.at(30.0), Vec::new());
    while batches.len() < 30 {
        now = s.next(now).unwrap();
        batches.push(answer(&mut s, now, Outcome::Found).len());
    }
    assert_eq!(batches.iter().filter(|n| **n == 2).count(), 3, "{batches:?}");
    assert_eq!(now, c.at(1800.0), "and no batch of its own");
}

#[test]
fn a_missing_reference_is_asked_for_every_interval() {
    let (c, mut s) = (clock(), Schedule::default());
    let slow = Need::DbInstance("orders".into());
    s.subscribe(&who("a"), set(std::slice::from_ref(&slow)), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Absent);
    assert_eq!(s.next(c.at(0.0)), Some(c.at(60.0)));
    assert_eq!(s.absent(&set(std::slice::from_ref(&slow))), set(std::slice::from_ref(&slow)));
    answer(&mut s, c.at(60.0), Outcome::Found);
    assert_eq!(s.next(c.at(60.0)), Some(c.at(660.0)));
}

#[test]
fn failures_back_off_to_the_interval_and_recover() {
    let (c, mut s) = (clock(), Schedule::default());
    s.subscribe(&who("a"), set(&[rules("sg-1")]), set(&[]), MINUTE);
    let (mut now, mut waits) = (c.at(0.0), Vec::new());
    for _ in 0..8 {
        answer(&mut s, now, Outcome::Failed(AwsErrorKind::Transient));
        let next = s.next(now).unwrap();
        waits.push((next - now).as_secs_f64());
        now = next;
    }
    assert!((1.6..=2.4).contains(&waits[0]), "{waits:?}");
    assert!(waits.windows(2).all(|w| w[0] <= w[1]), "{waits:?}");
    assert!((waits[7] - 60.0).abs() < 0.001, "{waits:?}");
    answer(&mut s, now, Outcome::Found);
    assert_eq!(s.next(now), Some(now + MINUTE));
}

#[test]
fn a_missing_permission_is_not_hammered() {
    let (c, mut s) = (clock(), Schedule::default());
    s.subscribe(&who("a"), set(&[rules("sg-1")]), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Failed(AwsErrorKind::AccessDenied));
    assert_eq!(s.next(c.at(0.0)), Some(c.at(60.0)));
}

#[test]
fn throttling_slows_the_whole_scope_and_a_pass_only_a_little() {
    let (c, mut s) = (clock(), Schedule::default());
    s.subscribe(&who("a"), set(&[rules("sg-1")]), set(&[]), 10 * SECOND);
    s.subscribe(&who("b"), set(&[rules("sg-2")]), set(&[]), 10 * SECOND);
    let mut now = c.at(0.0);
    for _ in 0..6 {
        answer(&mut s, now, Outcome::Failed(AwsErrorKind::Throttled));
        now = s.next(now).unwrap();
    }
    answer(&mut s, now, Outcome::Failed(AwsErrorKind::Throttled));
    let next = s.next(now).unwrap();
    assert!(next - now >= 20 * SECOND, "sweeps wait {:?}", next - now);
    assert_eq!(s.take(now + SECOND, alone).needs, set(&[]));
    s.want(&set(&[rules("sg-3")]), None, now + SECOND);
    let pass = s.next(now + SECOND).unwrap();
    assert!(pass <= now + SLOWEST_PASS, "a pass waits {:?}", pass - now);
    assert_eq!(answer(&mut s, pass, Outcome::Found), set(&[rules("sg-3")]));
    assert_eq!(answer(&mut s, next, Outcome::Found), set(&[rules("sg-1"), rules("sg-2")]));
    assert_eq!(s.next(next), Some(next + 10 * SECOND), "recovered");
}

#[test]
fn who_wants_the_same_shares_one_read() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs = set(&[rules("sg-1")]);
    assert_eq!(s.want(&needs, None, c.at(0.0)).len(), 1);
    let mut batch = s.take(c.at(0.01), alone);
    batch.made_up.clear();
    assert_eq!(batch.needs, needs);
    assert_eq!(s.want(&needs, None, c.at(0.02)).len(), 1, "waits for the read under way");
    assert_eq!(s.take(c.at(0.03), alone).needs, set(&[]));
    // This one wants a read that starts after its own request.
    let waiting = s.want(&needs, Some(c.at(0.04)), c.at(0.04));
    s.finish(&rules("sg-1"), batch.number, c.at(0.01), Outcome::Found, c.at(0.05));
    assert!(s.was_read(&rules("sg-1"), None));
    assert!(!s.was_read(&waiting[0].0, waiting[0].1));
    assert_eq!(answer(&mut s, c.at(0.06), Outcome::Found), needs);
    assert!(s.was_read(&waiting[0].0, waiting[0].1));
    assert_eq!(s.next(c.at(0.1)), None, "nobody subscribed");
}

#[test]
fn a_time_to_come_is_now() {
    let (c, mut s) = (clock(), Schedule::default());
    let waiting = s.want(&set(&[rules("sg-1")]), Some(c.at(100.0)), c.at(0.0));
    answer(&mut s, c.at(0.0), Outcome::Found);
    assert!(s.was_read(&waiting[0].0, waiting[0].1));
}

#[test]
fn names_are_looked_up_but_not_waited_for() {
    let (c, mut s) = (clock(), Schedule::default());
    let host = Need::Host("db.example.com".into());
    assert!(s.want(&set(std::slice::from_ref(&host)), None, c.at(0.0)).is_empty());
    assert_eq!(s.take(c.at(0.0), alone).needs, set(&[host]));
}

#[test]
fn a_single_object_comes_with_its_vpc() {
    let (c, mut s) = (clock(), Schedule::default());
    let (one, all) = (Need::Group("sg-1".into()), Need::GroupsOf("vpc-1".into()));
    let with_vpc = |n: &Need| (*n == one).then(|| all.clone());
    s.subscribe(&who("a"), set(std::slice::from_ref(&one)), set(&[]), MINUTE);
    assert_eq!(s.take(c.at(0.0), with_vpc).needs, set(std::slice::from_ref(&one)), "nobody needs the others");
    let mut s = Schedule::default();
    s.subscribe(&who("a"), set(&[one.clone(), all.clone()]), set(&[]), MINUTE);
    let batch = s.take(c.at(0.0), with_vpc);
    assert_eq!(batch.needs, set(std::slice::from_ref(&all)));
    assert_eq!(batch.riders[&all], std::slice::from_ref(&one));
    for need in [&one, &all] {
        s.finish(need, batch.number, c.at(0.0), Outcome::Found, c.at(0.0));
    }
    assert_eq!(s.next(c.at(0.0)), Some(c.at(60.0)));
}

#[test]
fn what_settles_is_looked_at_soon_and_then_less_often() {
    let (c, mut s) = (clock(), Schedule::default());
    let need = Need::EndpointsOf("vpc-1".into());
    s.subscribe(&who("a"), set(std::slice::from_ref(&need)), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    s.settle_anew(&need, c.at(0.0));
    let (mut now, mut waits) = (c.at(0.0), Vec::new());
    for _ in 0..6 {
        let next = s.next(now).unwrap();
        waits.push((next - now).as_millis());
        now = next;
        answer(&mut s, now, Outcome::Found);
        s.settle(&need, true, now);
    }
    assert_eq!(waits, [2000, 2000, 3000, 4500, 6750, 10_000]);
    s.settle(&need, false, now);
    assert_eq!(s.next(now), Some(now + MINUTE));
}

#[test]
fn staleness_is_told_once_each_way() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs = set(&[rules("sg-1")]);
    s.subscribe(&who("a"), needs.clone(), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    assert_eq!(s.age(&needs, c.at(30.0)), Some(30 * SECOND));
    answer(&mut s, c.at(100.0), Outcome::Failed(AwsErrorKind::Unreachable));
    assert_eq!(s.age(&needs, c.at(200.0)), Some(200 * SECOND), "a failed read is no answer");
    assert!(s.turned_stale(c.at(299.0)).is_empty());
    assert_eq!(s.turned_stale(c.at(301.0)), [who("a")]);
    assert!(s.turned_stale(c.at(302.0)).is_empty());
    answer(&mut s, c.at(310.0), Outcome::Found);
    assert_eq!(s.turned_stale(c.at(311.0)), [who("a")]);
    assert!(s.turned_stale(c.at(312.0)).is_empty());
    assert_eq!(s.age(&set(&[rules("sg-unread")]), c.at(0.0)), None);
}

#[test]
fn what_nobody_needs_is_forgotten_and_read_again_when_needed() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs = set(&[rules("sg-1")]);
    s.subscribe(&who("a"), needs.clone(), set(&[]), MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    s.unsubscribe("a");
    assert!(s.interested(&needs).is_empty());
    assert_eq!(s.next(c.at(1.0)), None);
    assert!(s.want(&needs, None, c.at(59.0)).is_empty());
    assert_eq!(s.want(&needs, None, c.at(61.0)).len(), 1, "nobody kept it fresh");
    answer(&mut s, c.at(61.0), Outcome::Found);
    assert!(s.forget(c.at(600.0)).is_empty());
    assert_eq!(s.forget(c.at(700.0)), needs);
}

#[test]
fn those_who_want_to_be_sure_are_served_together_when_there_are_many() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs: Vec<Need> = (0..100).map(|i| rules(&format!("sg-{i:02}"))).collect();
    assert!(!s.want(&set(&needs), None, c.at(0.0)).is_empty());
    assert_eq!(answer(&mut s, c.at(0.0), Outcome::Found).len(), 100, "what was never read is not held up");
    // One in each tenth of a second, for ten seconds.
    let mut reads = Vec::new();
    for (i, need) in needs.iter().enumerate() {
        let now = c.at(10.0 + 0.1 * i as f64);
        s.want(&set(std::slice::from_ref(need)), Some(now), now);
        if s.next(now).is_some_and(|next| next <= now) {
            reads.push(answer(&mut s, now, Outcome::Found).len());
        }
    }
    assert_eq!(reads[..3], [1, 1, 1], "a few at once are not held up either");
    assert!((18..=20).contains(&reads.len()), "two a second: {reads:?}");
    let rest = s.next(c.at(20.0)).unwrap();
    assert!(rest <= c.at(20.625), "nobody waits for longer than that");
    assert_eq!(reads.iter().sum::<usize>() + answer(&mut s, rest, Outcome::Found).len(), 100, "and nobody in vain");
}

#[test]
fn many_writes_settle_in_few_reads() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs: Vec<Need> = (0..50).map(|i| rules(&format!("sg-{i:02}"))).collect();
    s.subscribe(&who("a"), set(&needs), set(&[]), 100 * MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    needs.iter().enumerate().for_each(|(i, need)| s.settle_anew(need, c.at(10.0 + 0.1 * i as f64)));
    let mut reads = 0;
    while let Some(next) = s.next(c.at(10.0)).filter(|next| *next < c.at(30.0)) {
        reads += 1;
        let read = answer(&mut s, next, Outcome::Found);
        read.iter().for_each(|need| s.settle(need, false, next));
    }
    assert!((8..=10).contains(&reads), "five seconds of writes: {reads} reads");
}

#[test]
fn what_settles_keeps_nobody_waiting() {
    let (c, mut s) = (clock(), Schedule::default());
    let needs: Vec<Need> = (0..400).map(|i| rules(&format!("sg-{i:03}"))).collect();
    s.subscribe(&who("a"), set(&needs), set(&[]), 100 * MINUTE);
    answer(&mut s, c.at(0.0), Outcome::Found);
    // So many writes in a row, none of which shows for long; and each second somebody wants to be sure of one.
    let (mut calls, mut waited) = (0, Vec::new());
    let mut asked: Option<(Need, f64)> = None;
    for tick in 0..3000 {
        let seconds = 10.0 + 0.01 * f64::from(tick);
        let now = c.at(seconds);
        if tick % 5 == 0 {
            needs.get(tick as usize / 5).inspect(|need| s.settle_anew(need, now));
        }
        if tick % 100 == 0 && asked.is_none() {
            let need = needs[399 - tick as usize / 100].clone();
            s.want(&set(std::slice::from_ref(&need)), Some(now), now);
            asked = Some((need, seconds));
        }
        if s.next(now).is_none_or(|next| next > now) {
            continue;
        }
        let read = answer(&mut s, now, Outcome::Found);
        calls += read.len().div_ceil(200);
        read.iter().for_each(|need| s.settle(need, true, now));
        waited.extend(asked.take_if(|(need, _)| read.contains(need)).map(|(_, since)| seconds - since));
    }
    assert!(calls <= 60, "{calls} calls in 30 s");
    assert!(waited.len() >= 8 && waited.iter().all(|w| *w <= 2.5), "{waited:?}");
}

#[test]
fn while_a_call_waits_for_its_turn_the_next_of_its_kind_gathers() {
    let (c, mut s) = (clock(), Schedule::default());
    s.want(&set(&[rules("sg-0")]), None, c.at(0.0));
    let first = s.take(c.at(0.0), alone);
    for n in 1..50 {
        s.want(&set(&[rules(&format!("sg-{n}")), Need::GroupsOf(format!("vpc-{n}").as_str().into())]), None, c.at(0.1));
        let other = s.take(c.at(0.1), alone);
        assert!(other.needs.iter().all(|need| matches!(need, Need::GroupsOf(_))), "{:?}", other.needs);
    }
    assert_ne!(s.next(c.at(0.2)), Some(c.at(0.2)), "there is nothing to take until it had its turn");
    // A sweep waits behind: it holds up no pass.
    s.subscribe(&who("a"), set(&[Need::Vpc("vpc-1".into())]), set(&[]), MINUTE);
    let sweep = s.take(c.at(0.2), alone);
    assert_eq!(sweep.needs, set(&[Need::Vpc("vpc-1".into())]));
    s.want(&set(&[Need::Vpc("vpc-2".into())]), None, c.at(0.2));
    assert_eq!(s.take(c.at(0.2), alone).needs, set(&[Need::Vpc("vpc-2".into())]));
    drop(first);
    assert_eq!(s.next(c.at(0.3)), Some(c.at(0.3)));
    assert_eq!(s.take(c.at(0.3), alone).needs.len(), 49);
}

#[test]
fn a_sweep_gathers_too_and_nothing_is_forgotten() {
    let (c, mut s) = (clock(), Schedule::default());
    s.subscribe(&who("a"), set(&[rules("sg-1")]), set(&[]), MINUTE);
    let first = s.take(c.at(0.0), alone);
    s.subscribe(&who("b"), set(&[rules("sg-2")]), set(&[]), MINUTE);
    assert!(s.take(c.at(1.0), alone).needs.is_empty());
    assert_eq!(s.next(c.at(1.0)), None, "the turn of the first is waited for");
    drop(first);
    assert_eq!(s.take(c.at(2.0), alone).needs, set(&[rules("sg-2")]));
}

#[test]
fn what_a_sweep_asks_is_hurried_once_somebody_waits_for_it() {
    let (c, mut s) = (clock(), Schedule::default());
    s.subscribe(&who("a"), set(&[rules("sg-1"), Need::Vpc("vpc-1".into())]), set(&[]), MINUTE);
    let batch = s.take(c.at(0.0), alone);
    s.want(&set(&[rules("sg-1")]), None, c.at(0.1));
    let hurried: Vec<_> = batch.rush.iter().filter(|(_, rush)| rush.is_cancelled()).map(|(operation, _)| *operation).collect();
    assert_eq!(hurried, ["DescribeSecurityGroupRules"]);
}

#[test]
fn a_sweep_asks_for_some_dns_attributes_at_a_time_the_oldest_first() {
    let (c, mut s) = (clock(), Schedule::default());
    let dns: Vec<Need> = (0..100).map(|n| Need::VpcDns(format!("vpc-{n:03}").as_str().into())).collect();
    s.subscribe(&who("a"), dns.iter().cloned().collect(), set(&[]), SECOND);
    // Slower than they fall due: none is left out for ever.
    let mut read = BTreeMap::new();
    for step in 0..60 {
        for need in answer(&mut s, c.at(f64::from(step) * 10.0), Outcome::Found) {
            *read.entry(need).or_insert(0) += 1;
        }
    }
    assert_eq!(read.len(), 100);
    assert!(read.values().all(|n| (8..=10).contains(n)), "{read:?}");
}

#[test]
fn a_store_beside_others_sweeps_in_its_own_moments() {
    let c = clock();
    let (fast, slow) = (rules("sg-1"), Need::Vpc("vpc-1".into()));
    let count = Arc::default();
    let phases = [0, 1].map(|_| Phase::next(c.at(0.0), &count));
    let swept = |nth: usize| {
        let mut s = Schedule::new(Queued::default(), Some(phases[nth].clone()));
        s.subscribe(&who("a"), set(&[fast.clone(), slow.clone()]), set(&[]), MINUTE);
        let mut at = Vec::new();
        for second in 0..1300 {
            let asked = answer(&mut s, c.at(f64::from(second)), Outcome::Found);
            at.extend((!asked.is_empty()).then_some((second, asked.len())));
        }
        at
    };
    let (first, second) = (swept(0), swept(1));
    assert_eq!(first.iter().map(|(at, _)| at % 60).collect::<BTreeSet<_>>(), BTreeSet::from([0]));
    assert_eq!(second[0], (0, 2), "what is not known is asked at once");
    let apart: BTreeSet<i32> = second[1..].iter().map(|(at, _)| at % 60).collect();
    assert_eq!(apart, BTreeSet::from([38]), "{second:?}");
    let slow = |at: &[(i32, usize)]| at.iter().filter(|(_, asked)| *asked == 2).map(|(at, _)| at / 60).collect::<Vec<_>>();
    assert_eq!((slow(&first), slow(&second)), (vec![0, 10, 20], vec![0, 6, 16]));
    assert!(second.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 60), "never older than the interval: {second:?}");
}
