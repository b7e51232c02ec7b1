//! The suites over every op, on every level of vectors and number of threads.

use cornu_cpu::{Cpu, Level};
use cornu_graph::{Array, Reference};
use cornu_testkit::nets::Mlp;
use cornu_testkit::ops;

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
    println!("{plan}");
    assert_eq!(plan.lines().count(), 0, "{plan}");
}
