use super::*;

const SECOND: Duration = Duration::from_secs(1);
const RULES: &str = "DescribeSecurityGroupRules";

fn never() -> CancellationToken {
    CancellationToken::new()
}

/// Uses up what is there at once.
async fn emptied(budgets: &Budgets, service: &str, operation: &str, tokens: u32) {
    budgets.turn(service, operation, Who::Pass, tokens, &never()).await;
}

/// Notes the order in which turns come.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<(String, Duration)>>>);

impl Order {
    fn ask(&self, budgets: &Arc<Budgets>, operation: &'static str, who: Who, name: String, rush: CancellationToken) {
        let (order, budgets, begun) = (self.clone(), budgets.clone(), Instant::now());
        tokio::spawn(async move {
            match who {
                Who::Write => budgets.turn_within("dms", operation, &name, 100 * SECOND).await.unwrap(),
                _ => budgets.turn("dms", operation, who, 1, &rush).await,
            }
            lock(&order.0).push((name, begun.elapsed()));
        });
    }

    async fn of(&self, so_many: usize) -> Vec<String> {
        while lock(&self.0).len() < so_many {
            sleep(Duration::from_millis(10)).await;
        }
        lock(&self.0).iter().map(|(name, _)| name.clone()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn among_equals_whoever_came_first_goes_first() {
    let budgets = Arc::new(Budgets::default());
    emptied(&budgets, "dms", "DescribeEndpoints", 80).await;
    let order = Order::default();
    for n in 0..50 {
        order.ask(&budgets, "DescribeEndpoints", Who::Pass, n.to_string(), never());
        sleep(Duration::from_millis(1)).await;
    }
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(order.of(50).await, expected);
    // 3.2 a second: nobody waits longer than all of them take.
    let last = lock(&order.0).last().unwrap().1;
    assert!((15 * SECOND..16 * SECOND).contains(&last), "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn writes_go_before_passes_and_passes_before_sweeps() {
    let budgets = Arc::new(Budgets::default());
    emptied(&budgets, "dms", "DescribeEndpoints", 80).await;
    let order = Order::default();
    for (who, name) in [(Who::Sweep, "sweep"), (Who::Pass, "pass"), (Who::Write, "write")] {
        for n in 0..3 {
            // DMS counts all its operations together.
            let operation = if who == Who::Write { "TestConnection" } else { "DescribeEndpoints" };
            order.ask(&budgets, operation, who, format!("{name} {n}"), never());
            tokio::task::yield_now().await;
        }
    }
    let wanted: Vec<String> = ["write", "pass", "sweep"].iter().flat_map(|who| (0..3).map(move |n| format!("{who} {n}"))).collect();
    assert_eq!(order.of(9).await, wanted);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_somebody_waits_for_goes_with_the_passes() {
    let budgets = Arc::new(Budgets::default());
    emptied(&budgets, "dms", "DescribeEndpoints", 80).await;
    let (order, rush) = (Order::default(), never());
    order.ask(&budgets, "DescribeConnections", Who::Sweep, "sweep".into(), never());
    order.ask(&budgets, "DescribeConnections", Who::Sweep, "rushed".into(), rush.clone());
    tokio::task::yield_now().await;
    rush.cancel();
    for n in 0..3 {
        order.ask(&budgets, "DescribeEndpoints", Who::Pass, format!("pass {n}"), never());
        tokio::task::yield_now().await;
    }
    assert_eq!(order.of(5).await, ["rushed", "pass 0", "pass 1", "pass 2", "sweep"]);
}

#[tokio::test(start_paused = true)]
async fn however_many_passes_there_are_a_sweep_has_its_turn() {
    let budgets = Arc::new(Budgets::default());
    emptied(&budgets, "dms", "DescribeEndpoints", 80).await;
    let order = Order::default();
    order.ask(&budgets, "DescribeConnections", Who::Sweep, "sweep".into(), never());
    for n in 0..400 {
        order.ask(&budgets, "DescribeEndpoints", Who::Pass, format!("pass {n}"), never());
        // More than the 3.2 a second that are ours.
        sleep(SECOND / 5).await;
    }
    let done = order.of(1).await;
    assert!(done.contains(&"sweep".to_owned()), "{}", done.len());
}

#[tokio::test(start_paused = true)]
async fn what_gives_up_holds_up_nobody() {
    let budgets = Arc::new(Budgets::default());
    emptied(&budgets, "dms", "DescribeEndpoints", 80).await;
    let (order, given_up) = (Order::default(), budgets.clone());
    let first = tokio::spawn(async move { given_up.turn("dms", "DescribeEndpoints", Who::Write, 40, &never()).await });
    tokio::task::yield_now().await;
    order.ask(&budgets, "DescribeEndpoints", Who::Pass, "next".into(), never());
    tokio::task::yield_now().await;
    first.abort();
    order.of(1).await;
    assert!(lock(&order.0)[0].1 < SECOND);
}

#[tokio::test(start_paused = true)]
async fn two_requests_are_paid_for_at_once() {
    let budgets = Budgets::default();
    let begun = Instant::now();
    for _ in 0..48 {
        budgets.turn("ec2", "DescribeVpcAttribute", Who::Pass, 2, &never()).await;
        budgets.went_out("ec2", "DescribeVpcAttribute");
        budgets.went_out("ec2", "DescribeVpcAttribute");
    }
    // 80 at once, then 16 a second.
    assert!((SECOND..SECOND + SECOND / 10).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_waits_for_tokens_loses_none() {
    let budgets = Budgets::default();
    emptied(&budgets, "ec2", RULES, 80).await;
    for _ in 0..40 {
        budgets.turn("ec2", RULES, Who::Sweep, 1, &never()).await;
    }
    let begun = Instant::now();
    for _ in 0..8 {
        budgets.turn("ec2", RULES, Who::Sweep, 1, &never()).await;
    }
    // Half of 16 a second; the other half has gathered for passes.
    let took = begun.elapsed();
    assert!(took <= SECOND + SECOND / 10, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_would_wait_long_is_told_so_at_once() {
    let budgets = Arc::new(Budgets::default());
    for _ in 0..4 {
        budgets.turn_within("ec2", "CreateVpcEndpoint", "vpc-0", Duration::ZERO).await.unwrap();
    }
    let begun = Instant::now();
    let wait = budgets.turn_within("ec2", "CreateVpcEndpoint", "vpc-1", SECOND).await.unwrap_err();
    assert!(wait > 3 * SECOND && begun.elapsed().is_zero(), "{wait:?}");
    budgets.turn_within("ec2", "DeleteVpcEndpoints", "vpc-0", Duration::ZERO).await.expect("each operation has its own");
    assert!(budgets.tokens().iter().any(|(operation, left)| operation == "CreateVpcEndpoint" && *left < 0.1), "{:?}", budgets.tokens());
    // One that waits is counted by whoever comes after it.
    let first = budgets.clone();
    let first = tokio::spawn(async move { first.turn_within("ec2", "CreateVpcEndpoint", "vpc-2", 4 * SECOND).await });
    tokio::task::yield_now().await;
    let wait = budgets.turn_within("ec2", "CreateVpcEndpoint", "vpc-3", 4 * SECOND).await.unwrap_err();
    assert!(wait > 6 * SECOND && begun.elapsed().is_zero(), "{wait:?}");
    first.await.unwrap().unwrap();
    assert!((3 * SECOND..4 * SECOND).contains(&begun.elapsed()), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_is_sent_away_comes_again_when_there_is_a_turn() {
    let budgets = Arc::new(Budgets::default());
    let (begun, tries) = (Instant::now(), Arc::new(Mutex::new(0)));
    let networks = (0..40).map(|n| {
        let (budgets, tries) = (budgets.clone(), tries.clone());
        tokio::spawn(async move {
            let vpc = format!("vpc-{n}");
            while let Err(wait) = budgets.turn_within("ec2", "CreateVpcEndpoint", &vpc, 4 * SECOND).await {
                *lock(&tries) += 1;
                assert!(wait <= 60 * SECOND);
                sleep(wait).await;
            }
        })
    });
    for network in networks.collect::<Vec<_>>() {
        network.await.unwrap();
    }
    // 4 at once, then one in 3.33 s: 120 s for the others; and none asks all the time.
    let took = begun.elapsed();
    assert!((119 * SECOND..135 * SECOND).contains(&took), "{took:?}");
    assert!(*lock(&tries) <= 120, "{} times sent away", lock(&tries));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_woken_before_its_turn_puts_off_nobody() {
    const RATE: f64 = 5.0 * 0.9;
    let budgets = Arc::new(Budgets::default());
    let begun = Instant::now();
    let groups = (0..145).map(|n| {
        let budgets = budgets.clone();
        tokio::spawn(async move {
            let group = format!("sg-{n}");
            // In a storm each event wakes it.
            while budgets.turn_within("ec2", "AuthorizeSecurityGroupIngress", &group, 4 * SECOND).await.is_err() {
                sleep(SECOND / 2).await;
            }
        })
    });
    for group in groups.collect::<Vec<_>>() {
        group.await.unwrap();
    }
    let bound = Duration::from_secs_f64(100.0 / RATE);
    assert!(begun.elapsed() <= bound + SECOND, "{:?}, and 45 at once, then {RATE} a second are {bound:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_early_is_told_the_same_again() {
    let budgets = Arc::new(Budgets::default());
    for n in 0..45 {
        budgets.turn_within("ec2", "AuthorizeSecurityGroupIngress", &format!("sg-{n}"), Duration::ZERO).await.unwrap();
    }
    let ask = async |group: &str| budgets.turn_within("ec2", "AuthorizeSecurityGroupIngress", group, Duration::ZERO).await.unwrap_err();
    let first = ask("sg-100").await;
    for _ in 0..1000 {
        assert_eq!(ask("sg-100").await, first);
    }
    let second = ask("sg-101").await;
    assert!(second > first && second < first + SECOND, "{second:?} after {first:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_it_is_waited_for() {
    let budgets = Budgets::default();
    budgets.turn("ec2", "DescribeVpcs", Who::Pass, 1, &never()).await;
    budgets.throttled("ec2", "DescribeVpcs");
    let begun = Instant::now();
    budgets.turn("ec2", "DescribeVpcs", Who::Pass, 1, &never()).await;
    assert!(begun.elapsed() >= SECOND / 10, "waited {:?}", begun.elapsed());
}

#[test]
fn who_works_in_one_account_pays_from_one_purse() {
    let (accounts, own, role, elsewhere) = (Accounts::default(), Purse::default(), Purse::default(), Purse::default());
    let account = |id: &str| Account { endpoint_url: None, id: id.into(), region: "us-west-2".into() };
    for (purse, id) in [(&own, "111122223333"), (&role, "111122223333"), (&elsewhere, "444455556666")] {
        purse.set(accounts.budgets(account(id), purse.get()));
    }
    own.get().throttled("ec2", RULES);
    assert!(role.get().tokens().iter().any(|(operation, left)| operation == RULES && *left < 1.0));
    assert!(elsewhere.get().tokens().is_empty());
}
