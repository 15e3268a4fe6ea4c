//! A way that somebody needs stays open by whatever rule opens it, until the one that is to do so is there; and nothing waits for one
//! that AWS does not take.

use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use crate::{
    cluster::{Key, Kind},
    place::{Place, condition, story},
    stub::{
        Call, Ids, Peer, RULES_PER_GROUP, World,
        buckets::{Limits, of_aws},
    },
};

const INTERVAL: Duration = Duration::from_secs(60);
const PORT: i32 = 5432;
const VPC: &str = "10.0.0.0/16";

/// Whether the source lets its port in by that.
fn lets_in(world: &World, peer: &Peer) -> bool {
    world.rules[&Ids(0).source()].iter().any(|r| !r.egress && r.to == PORT && r.peer == *peer)
}

fn by_group() -> Peer {
    Peer::Group(Ids(0).replication())
}

fn by_cidr() -> Peer {
    Peer::Cidr(VPC.into())
}

fn spec_of(place: &Place, n: usize, edit: impl Fn(&mut Value)) {
    let change = |object: &mut Value| {
        edit(&mut object["spec"]);
        Ok(())
    };
    place.cluster.change(&Place::key(n), change).unwrap();
}

#[test]
fn in_a_full_group_a_rule_does_not_wait_for_one_that_it_is_to_make_room_for() {
    story(2, async |place| {
        let running = place.start("first");
        place.ready().await;
        {
            let (mut world, source) = (place.aws.world(), Ids(0).source());
            let there = world.rules[&source].iter().filter(|r| !r.egress).count();
            for n in there..RULES_PER_GROUP {
                let peer = Peer::Cidr(format!("172.16.{n}.0/24"));
                world.add_rule(&source, false, "tcp", (22, 22), peer, "another's".into(), [].into());
            }
        }
        // The other network comes to this database, by an address where the first has a group.
        spec_of(place, 1, |spec| {
            *spec = Ids(0).spec("sim");
            spec["databases"][0]["ingressFrom"] = "VpcCidr".into();
        });
        let other = || place.cluster.get(&Place::key(1)).unwrap_or_default();
        place.until("refused", || condition(&other(), "Ready")["reason"] == "QuotaExceeded").await;
        assert!(lets_in(&place.aws.world(), &by_group()), "the first still wants its rule");

        place.cluster.delete(&Place::key(0)).unwrap();
        let begun = place.clock.elapsed();
        place.until("gone", || place.cluster.get(&Place::key(0)).is_none()).await;
        let took = place.clock.elapsed() - begun;
        assert!(took < INTERVAL, "the first was gone only after {took:?}");
        assert!(!lets_in(&place.aws.world(), &by_group()));
        place.until("in the room that it left", || lets_in(&place.aws.world(), &by_cidr())).await;
        let took = place.clock.elapsed() - begun;
        assert!(took < Duration::from_secs(10), "the other had its rule only after {took:?}");
        place.ready().await;
        running.end().await;
    });
}

/// No rule can be made.
const NO_AUTHORIZE: Limits =
    |call: &Call<'_>| if call.operation.starts_with("Authorize") { Some(("authorize".into(), 0.0, 0.0)) } else { of_aws(call) };

#[test]
fn a_strangers_rule_goes_once_ours_for_the_same_way_is_there() {
    story(1, async |place| {
        let class = |object: &mut Value| {
            object["spec"]["guardrails"]["foreignRules"] = "Revoke".into();
            Ok(())
        };
        place.cluster.change(&Key::new(Kind::Class, "", "sim"), class).unwrap();
        spec_of(place, 0, |spec| spec["foreignRules"] = "Revoke".into());
        let running = place.start("first");
        place.ready().await;
        place.aws.grants(NO_AUTHORIZE);
        {
            let (mut world, source) = (place.aws.world(), Ids(0).source());
            world.rules.get_mut(&source).unwrap().clear();
            world.add_rule(&source, false, "tcp", (PORT, PORT), by_cidr(), "while dmsnet is broken".into(), [].into());
        }
        let begun = place.clock.elapsed();
        sleep(4 * INTERVAL).await;
        let refused = place.aws.asked(begun).iter().filter(|a| a.operation == "ec2:AuthorizeSecurityGroupIngress").count();
        assert!(refused > 1, "it was tried, and again");
        assert!(lets_in(&place.aws.world(), &by_cidr()), "nothing else lets the replication in");

        place.aws.grants(of_aws);
        place
            .until("ours alone", || {
                let world = place.aws.world();
                let (ours, anothers) = (lets_in(&world, &by_group()), lets_in(&world, &by_cidr()));
                assert!(ours || anothers, "the way is closed");
                ours && !anothers
            })
            .await;
        running.end().await;
    });
}
