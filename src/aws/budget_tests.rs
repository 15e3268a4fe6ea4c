use super::*;

/// How many calls of `who` go through from `from` on, for so many seconds, if asked for all the time.
fn granted(budget: &mut Budget, who: Who, from: Instant, seconds: u64) -> u32 {
    let mut count = 0;
    for millis in (0..seconds * 1000).step_by(5) {
        let now = from + Duration::from_millis(millis);
        while budget.take(who, 1, now).is_ok() {
            budget.went_out(now);
            count += 1;
        }
    }
    count
}

fn budget(operation: &str, now: Instant) -> Budget {
    Budget::new(limit_of("ec2", operation).unwrap().1, now)
}

fn near(found: u32, expected: u32) {
    assert!(found.abs_diff(expected) <= 1, "{found}, not {expected}");
}

#[test]
fn endpoint_writes_are_four_and_then_one_in_three_seconds() {
    let start = Instant::now();
    let mut writes = budget("ModifyVpcEndpoint", start);
    assert_eq!(granted(&mut writes, Who::Pass, start, 1), 4);
    let wait = writes.take(Who::Pass, 1, start + Duration::from_secs(1)).unwrap_err();
    assert!((2.2..2.4).contains(&wait.as_secs_f64()), "{wait:?}");
    near(granted(&mut writes, Who::Pass, start + Duration::from_secs(1), 33), 10);
}

#[test]
fn sweeps_leave_room_for_passes_and_all_of_us_for_others() {
    let start = Instant::now();
    let mut reads = budget("DescribeSecurityGroupRules", start);
    near(granted(&mut reads, Who::Sweep, start, 10), 40 + 80);
    // AWS would have granted 300 by then, and we would have taken 240.
    near(granted(&mut reads, Who::Pass, start + Duration::from_secs(10), 1), 80 + 16);
}

#[test]
fn a_refusal_shrinks_it_at_once_and_it_comes_back_slowly() {
    let start = Instant::now();
    let mut reads = budget("DescribeSubnets", start);
    reads.throttled(start);
    // Others of the same moment are no further step.
    reads.throttled(start + Duration::from_millis(900));
    assert!((0.5..0.52).contains(&reads.part(start + Duration::from_secs(1))));
    assert!(reads.take(Who::Pass, 1, start + Duration::from_millis(901)).is_err(), "no token is left");
    let later = start + Duration::from_secs(1);
    let soon = granted(&mut reads, Who::Pass, later, 10);
    assert!((80..=95).contains(&soon), "about half of 16 a second: {soon}");
    assert!(reads.part(start + Duration::from_secs(60)) >= 1.0);
    for second in 0..20 {
        reads.throttled(start + Duration::from_secs(100 + second));
    }
    let worst = granted(&mut reads, Who::Pass, start + Duration::from_secs(120), 10);
    assert!((5..=16).contains(&worst), "some calls always go through: {worst}");
}

#[test]
fn however_often_aws_refuses_an_endpoint_is_tried_again_soon() {
    let start = Instant::now();
    let mut writes = budget("CreateVpcEndpoint", start);
    let mut now = start;
    for _ in 0..6 {
        writes.throttled(now);
        let wait = writes.take(Who::Pass, 1, now).unwrap_err();
        assert!(wait <= Duration::from_millis(10_100), "{wait:?}");
        now += wait + Duration::from_millis(1);
        writes.take(Who::Pass, 1, now).unwrap();
        writes.went_out(now);
    }
    assert!(writes.part(now) < 0.5, "it has shrunk: {}", writes.part(now));
}

#[test]
fn in_a_throttled_account_passes_go_before_sweeps() {
    let start = Instant::now();
    let mut reads = budget("DescribeSecurityGroupRules", start);
    for second in 0..10 {
        reads.throttled(start + Duration::from_secs(second));
    }
    let (mut sweeps, mut passes) = (0, 0);
    for millis in (0..60_000).step_by(5) {
        let now = start + Duration::from_secs(10) + Duration::from_millis(millis);
        sweeps += u32::from(reads.take(Who::Sweep, 1, now).is_ok());
        // A pass wants something once a second, and never waits much longer.
        if millis % 1000 == 0 {
            let wait = reads.take(Who::Pass, 1, now).err().unwrap_or_default();
            passes += u32::from(wait.is_zero());
            assert!(millis < 10_000 || wait < Duration::from_secs(3), "{wait:?} at {millis} ms");
        }
    }
    assert!(passes >= 20 && sweeps >= 10, "{passes} passes, {sweeps} sweeps");
}

#[test]
fn further_pages_and_tries_are_paid_for() {
    let start = Instant::now();
    let mut reads = budget("DescribeSecurityGroupRules", start);
    reads.take(Who::Pass, 1, start).unwrap();
    for _ in 0..30 {
        reads.went_out(start);
    }
    assert!((49.0..=50.5).contains(&reads.tokens(start)), "{}", reads.tokens(start));
    for _ in 0..100 {
        reads.went_out(start);
    }
    assert!(reads.tokens(start) < 1.0 && reads.take(Who::Pass, 1, start).is_err());
}

#[test]
fn services_without_a_figure_are_not_held_up() {
    assert_eq!(limit_of("sts", "GetCallerIdentity"), None);
    assert_eq!(limit_of("sqs", "ReceiveMessage"), None);
    let together = |operation| limit_of("dms", operation).unwrap().0;
    assert_eq!(together("DescribeEndpoints"), together("DescribeConnections"), "DMS counts them together");
    assert_ne!(together("DescribeEndpoints"), "");
}
