//! Our CPU time for one enrollment: engine, conversations, client, JSON, journal
//! (SQLite in memory), twin key and twin server, all in this process, under
//! virtual time, so that nothing waits.
#![allow(clippy::expect_used, clippy::panic)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use sim::explore::flows;
use sim::explore::world::{Beginning, World};

fn enrollment(c: &mut Criterion) {
    let mut group = c.benchmark_group("enrollment");
    for (name, policies) in [("disabled until proven", vec![]), ("verify policy", vec!["verify-enrollment"])]
    {
        let beginning = Beginning { policies, ..Beginning::default() };
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || World::new(&beginning).expect("the world can be made"),
                |mut world| {
                    let outcome = world.insert(0, flows::order()).expect("the power stays on");
                    assert!(flows::is_enrolled(&outcome));
                    world
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn recovery(c: &mut Criterion) {
    c.bench_function("recovery with nothing to do", |bencher| {
        let mut world = World::new(&Beginning::default()).expect("the world can be made");
        bencher.iter(|| world.recover().expect("the power stays on").len());
    });
}

criterion_group!(benches, enrollment, recovery);
criterion_main!(benches);
