//! How long a plan takes with everything in memory: the reference topology, 50 databases, and the same when idle and
//! when a rule is missing. `cargo bench --no-default-features` builds it without the SDK.
#![allow(missing_docs, clippy::expect_used)]

#[path = "../tests/support/world.rs"]
mod world;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::Value;
use world::{Network, World, reference_spec, wide_spec};

/// A world in which the network has all that it wants.
fn settled(spec: Value) -> (World, Network) {
    let mut world = World::reference("cluster");
    let mut network = Network::new(1, spec);
    world.pass(&mut network, None);
    assert!(world.plan(&network, None).is_empty());
    (world, network)
}

fn plan(c: &mut Criterion) {
    for (name, spec) in [("reference", reference_spec()), ("50 databases", wide_spec(50))] {
        let mut group = c.benchmark_group(format!("plan/{name}"));
        let (world, network) = settled(spec.clone());
        group.bench_function("idle", |b| b.iter(|| black_box(world.plan_once(&network, None))));

        let (mut broken, network) = settled(spec.clone());
        broken.edit_rules(&world::SOURCE.into(), |rules| drop(rules.pop()));
        group.bench_function("one rule missing", |b| b.iter(|| black_box(broken.plan_once(&network, None))));

        let mut empty = World::reference("cluster");
        let network = Network::new(1, spec);
        empty.plan(&network, None);
        group.bench_function("first creation", |b| b.iter(|| black_box(empty.plan_once(&network, None))));
        group.finish();
    }
}

criterion_group!(benches, plan);
criterion_main!(benches);
