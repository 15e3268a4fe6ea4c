use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// An API server with one Lease, and a clock that only moves when told.
struct World {
    lease: Option<Record>,
    version: u64,
    now: Instant,
}

impl World {
    fn new() -> Self {
        Self { lease: None, version: 0, now: Instant::now() }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// Of two who saw the same version, the second is refused.
    fn take(&mut self, mut record: Record) -> Option<Record> {
        if record.version != self.lease.as_ref().and_then(|l| l.version.clone()) {
            return None;
        }
        self.version += 1;
        record.version = Some(self.version.to_string());
        self.lease = Some(record.clone());
        Some(record)
    }

    /// One step of a candidate whose own clock is `off` seconds wrong.
    fn step(&mut self, elector: &mut Elector, off: i64) {
        if elector.must_look(self.now) {
            elector.observed(self.lease.clone(), self.now);
        }
        let Some(record) = elector.write(self.now, clock(off)) else { return };
        match self.take(record) {
            Some(taken) => elector.written(taken, self.now, self.now),
            None => elector.refused(),
        }
    }
}

fn clock(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

fn candidate(name: &str) -> Elector {
    Elector::new(name.into())
}

#[test]
fn the_first_takes_it_and_the_others_follow() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.step(&mut a, 0);
    for _ in 0..60 {
        world.pass(RETRY);
        world.step(&mut a, 0);
        world.step(&mut b, 0);
        assert!(a.leads(world.now) && !b.leads(world.now));
    }
    assert_eq!((b.holder(), world.lease.unwrap().transitions), (Some("a"), 0));
}

#[test]
fn whoever_stands_by_is_there_when_the_lease_passes() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.step(&mut a, 0);
    assert_eq!(a.wait(world.now), RETRY);
    let died = world.now;
    // The renewal is seen as late as can be.
    world.pass(b.wait(world.now));
    while !b.leads(world.now) {
        world.step(&mut b, 0);
        world.pass(b.wait(world.now));
    }
    let took = b.renewed().unwrap() - died;
    assert!((DURATION..=DURATION + LOOK).contains(&took), "{took:?}");
}

#[test]
fn of_two_at_the_same_moment_one_wins() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    a.observed(None, world.now);
    b.observed(None, world.now);
    let (of_a, of_b) = (a.write(world.now, clock(0)).unwrap(), b.write(world.now, clock(0)).unwrap());
    let taken = world.take(of_a).unwrap();
    a.written(taken, world.now, world.now);
    assert_eq!(world.take(of_b), None);
    b.refused();
    world.step(&mut b, 0);
    assert!(a.leads(world.now) && !b.leads(world.now));
}

#[test]
fn a_dead_leader_is_followed_after_the_duration_and_never_before() {
    for wrong in [-7200, 0, 7200] {
        let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
        world.step(&mut a, wrong);
        let renewed = world.now;
        world.step(&mut b, 0);
        while !b.leads(world.now) {
            assert!(world.now - renewed <= DURATION, "with a clock that is {wrong} s off");
            world.pass(SECOND);
            world.step(&mut b, 0);
        }
        assert_eq!(world.now - renewed, DURATION, "with a clock that is {wrong} s off");
        assert_eq!(world.lease.as_ref().unwrap().transitions, 1);
        // The dead one wakes: it knows at once, before it has asked anybody, and then who it is.
        assert!(!a.leads(world.now));
        world.step(&mut a, wrong);
        assert_eq!((a.leads(world.now), a.renewed(), a.holder()), (false, None, Some("b")));
    }
}

#[test]
fn who_cannot_renew_stops_before_another_can_begin() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.step(&mut a, 0);
    world.step(&mut b, 0);
    // The API server answers b and not a.
    for _ in 0..200 {
        world.pass(SECOND / 10);
        world.step(&mut b, 0);
        assert!(!(a.leads(world.now) && b.leads(world.now)));
    }
    assert!(b.leads(world.now));
}

#[test]
fn a_lost_answer_is_recognised_as_our_own() {
    let (mut world, mut a) = (World::new(), candidate("a"));
    a.observed(None, world.now);
    let record = a.write(world.now, clock(0)).unwrap();
    world.take(record).unwrap(); // and the answer is lost
    assert!(!a.leads(world.now), "what is not known to be ours is not ours");
    world.pass(RETRY);
    world.step(&mut a, 0);
    assert!(a.leads(world.now));
    // A renewal whose answer is lost: refused by the version, seen, and renewed.
    let record = a.write(world.now, clock(1)).unwrap();
    world.take(record).unwrap();
    world.pass(SECOND);
    world.step(&mut a, 1);
    assert!(a.leads(world.now), "refused, but not yet too late");
    world.step(&mut a, 2);
    assert_eq!((a.renewed(), world.lease.unwrap().transitions), (Some(world.now), 0));
}

#[test]
fn a_process_of_the_same_name_takes_over_at_once_and_only_once() {
    let (mut world, mut a, mut again) = (World::new(), candidate("pod-1"), candidate("pod-1"));
    world.step(&mut a, 0);
    world.step(&mut again, 5);
    assert!(again.leads(world.now), "a container that starts again waits for nobody");
    // Should the first live still: it yields, and does not take it back.
    world.pass(RETRY);
    world.step(&mut a, 9);
    world.step(&mut a, 9);
    assert!(!a.leads(world.now));
    world.step(&mut again, 7);
    assert!(again.leads(world.now));
    assert_eq!(world.lease.unwrap().transitions, 1);
}

#[test]
fn what_is_let_go_is_taken_at_once() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.step(&mut a, 0);
    world.step(&mut b, 0);
    assert_eq!(b.release(clock(0)), None, "not b's to let go");
    let released = a.release(clock(0)).unwrap();
    let taken = world.take(released).unwrap();
    a.written(taken, world.now, world.now);
    assert!(!a.leads(world.now) && a.renewed().is_none());
    world.step(&mut b, 0);
    assert!(b.leads(world.now));
}

#[test]
fn a_lease_that_was_deleted_is_made_anew() {
    let (mut world, mut a, mut b) = (World::new(), candidate("a"), candidate("b"));
    world.step(&mut a, 0);
    world.lease = None;
    world.pass(RETRY);
    world.step(&mut a, 0); // refused: the version is gone
    world.step(&mut b, 0);
    world.step(&mut a, 0);
    assert!(b.leads(world.now) && !a.leads(world.now));
}

#[test]
fn a_duration_that_makes_no_sense_is_not_believed() {
    let now = Instant::now();
    for duration in [Duration::ZERO, Duration::from_secs(1 << 30)] {
        let record = Record { holder: "x".into(), duration, version: Some("1".into()), ..Record::default() };
        let seen = Seen::next(None, Some(record), now);
        assert!(seen.is_held(now + DURATION / 2) && !seen.is_held(now + DURATION));
    }
}
