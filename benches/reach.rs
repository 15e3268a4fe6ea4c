//! How long an explanation takes with everything in memory: one path of each kind, and 50 databases over 6 subnets.
//! `cargo bench --no-default-features --bench reach` builds it without the SDK.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../tests/reach/random.rs"]
mod random;

use std::{hint::black_box, sync::Arc};

use criterion::{Criterion, criterion_group, criterion_main};
use dmsnet::{
    model::*,
    reach::{Explorer, Query, State, Target as Goal, explain},
};
use random::{Dice, NEAR, SOURCE_GROUP, World, net, open, rule};

/// A replication in six subnets, and 50 databases, each with a group of its own in one of six more.
fn wide() -> (World, Vec<Vec<Goal>>) {
    let mut w = open(0, false, &mut Dice::new(0));
    let vpc = Arc::make_mut(w.near.vpcs.get_mut(NEAR).unwrap());
    vpc.cidrs = vec![net("10.0.0.0/16")];
    let (subnet, acl) = (w.near.subnets["subnet-0"].clone(), w.near.acls["acl-subnet-0"].clone());
    let mut all = vec![];
    for i in 0..12 {
        let id: SubnetId = format!("subnet-w{i}").into();
        let zone = ["a", "b", "c"][i % 3].into();
        let cidrs = vec![net(&format!("10.0.{}.0/24", 100 + i))];
        w.near.subnets.insert(id.clone(), Arc::new(Subnet { id: id.clone(), zone, cidrs, ..(*subnet).clone() }));
        let name: NetworkAclId = format!("acl-w{i}").into();
        w.near.acls.insert(name.clone(), Arc::new(NetworkAcl { id: name, subnets: vec![id.clone()], ..(*acl).clone() }));
        all.push(id);
    }
    let table = Arc::make_mut(w.near.route_tables.get_mut("rtb-main").unwrap());
    table.routes.iter_mut().for_each(|r| r.destination = Destination::Cidr(net("10.0.0.0/16")));
    w.source.subnets = all[..6].to_vec();
    let databases = (0..50).map(|i| {
        let group: SecurityGroupId = format!("sg-db{i}").into();
        w.near.rules.insert(group.clone(), Arc::new([]));
        w.near.asked.insert(Need::RulesOf(group.clone()), None);
        rule(&mut w.near, group.as_str(), RuleShape::tcp(Direction::In, 5432, Peer::SecurityGroup(SOURCE_GROUP.into())));
        rule(&mut w.near, SOURCE_GROUP, RuleShape::tcp(Direction::Out, 5432, Peer::SecurityGroup(group.clone())));
        let address = net(&format!("10.0.{}.{}/32", 106 + i % 6, 10 + i));
        vec![Goal {
            host: format!("db-{i}.example.com"),
            port: 5432,
            addresses: vec![address],
            groups: vec![group],
            vpc: Some(NEAR.into()),
            ..Goal::default()
        }]
    });
    let databases: Vec<_> = databases.collect();
    (w, databases)
}

fn reach(c: &mut Criterion) {
    let mut group = c.benchmark_group("explain");
    for (kind, name) in ["SameVpc", "PeeredVpc", "OnPremises", "Internet", "NatGateway", "ClassicLink"].into_iter().enumerate() {
        let world = open(kind, false, &mut Dice::new(3));
        assert_ne!(explain(&world.query()).verdict, State::Blocked, "{name}");
        group.bench_function(name, |b| b.iter(|| black_box(explain(&world.query()))));
    }
    let (world, databases) = wide();
    let all = || {
        let mut explorer = Explorer::new();
        databases.iter().map(|targets| explorer.explain(&Query { targets, ..world.query() })).collect::<Vec<_>>()
    };
    assert!(all().iter().all(|r| r.verdict == State::Open), "{:#?}", all()[0].findings);
    group.bench_function("50 databases over 6 subnets", |b| b.iter(|| black_box(all())));
    group.finish();
}

criterion_group!(benches, reach);
criterion_main!(benches);
