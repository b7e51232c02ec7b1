//! The suites over every op, on every level of vectors and number of threads.

use cornu_cpu::{Cpu, Level};
use cornu_graph::{Array, Executor, Reference};
use cornu_testkit::nets::Mlp;
use cornu_testkit::{edges, ops, random_graphs};

const TOLERANCE: f64 = 3e-6;

#[test]
fn agrees_with_the_reference() {
    ops::agrees_with_reference(&Cpu::new(), TOLERANCE);
}

#[test]
fn agrees_with_the_reference_without_passes() {
    ops::agrees_with_reference(&Cpu::new().raw(), TOLERANCE);
}

#[test]
fn agrees_with_the_reference_on_every_level() {
    for level in Level::all() {
        ops::agrees_with_reference(&Cpu::new().level(level), TOLERANCE);
    }
}

#[test]
fn random_graphs_agree_with_the_reference() {
    let levels = Level::all().into_iter().map(|level| Cpu::new().threads(1).level(level));
    let others = [Cpu::new().threads(1).raw(), Cpu::new().threads(3), Cpu::new().threads(3).raw()];
    let executors: Vec<Cpu> = levels.chain(others).collect();
    let executors: Vec<&dyn Executor> = executors.iter().map(|cpu| cpu as &dyn Executor).collect();
    random_graphs::agree_with_reference(&executors, 0..200);
}

#[test]
fn random_graphs_keep_every_bit_whatever_the_passes_and_threads() {
    for level in Level::all() {
        let cpu = |threads| Cpu::new().threads(threads).level(level);
        random_graphs::keep_every_bit(&[&cpu(1), &cpu(1).raw(), &cpu(3), &cpu(3).raw()], 0..120);
    }
}

#[test]
fn whole_numbers_are_what_rust_makes_of_them() {
    ops::whole_numbers_agree(&Cpu::new());
    ops::whole_numbers_agree(&Cpu::new().raw());
}

#[test]
fn passes_keep_every_bit_of_samples() {
    for level in Level::all() {
        ops::passes_keep_every_bit(&Cpu::new().raw().level(level));
    }
}

#[test]
fn edges_are_as_in_tensorflow() {
    edges::are_as_in_tensorflow(&Cpu::new());
    edges::are_as_in_tensorflow(&Cpu::new().raw().level(Level::Portable));
}

/// The largest difference between two lists of variables.
fn distance(a: &[Array], b: &[Array]) -> f64 {
    let pairs = a.iter().zip(b).flat_map(|(a, b)| (0..a.len()).map(|i| (a.get(i) - b.get(i)).abs()));
    pairs.fold(0.0, f64::max)
}

#[test]
fn training_steps_agree_with_the_reference() {
    for mlp in [Mlp::pima(), Mlp { sizes: vec![33, 17, 5], batch: 7 }] {
        let want = mlp.train(&Reference, 20);
        for executor in [Cpu::new(), Cpu::new().raw(), Cpu::new().level(Level::Portable)] {
            let got = mlp.train(&executor, 20);
            assert!(distance(&got, &want) < 2e-6, "{executor:?}: {}", distance(&got, &want));
        }
    }
}

#[test]
fn threads_do_not_show() {
    let mlp = Mlp::mnist();
    let want = mlp.train(&Cpu::new().threads(1), 30);
    for threads in [2, 3] {
        assert_eq!(mlp.train(&Cpu::new().threads(threads), 30), want);
    }
}

/// What the tutorial's models cost: a snapshot that should only ever shrink.
#[test]
fn plans_of_the_tutorial() {
    let mlp = Mlp::pima();
    let mut session = mlp.session(&Cpu::new());
    let program = session.compile(&mlp.step()).expect("a sound graph");
    let plan = session.describe(program);
    assert_eq!(
        plan,
        "\
dot 1 x 80 96 -> 120
add i64 1
cast f32 f32 1
fused 120
dot 1 x 120 96 -> 80
fused 80
dot 1 x 80 8 -> 10
fused 10
reduce Sum 10 -> 1
reduce Sum 10 -> 1
dot 1 x 10 8 -> 80
dot 1 x 80 10 -> 8
fused 1
fused 80
reduce Sum 80 -> 8
dot 1 x 80 96 -> 120
dot 1 x 120 80 -> 96
fused 120
reduce Sum 120 -> 12
dot 1 x 80 120 -> 96
fused 240 in one pass
"
    );
}
