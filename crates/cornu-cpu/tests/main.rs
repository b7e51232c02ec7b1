//! The suites over every op, on every level of vectors and number of threads.

use std::path::Path;

use cornu_cpu::{Cpu, Level};
use cornu_graph::{Array, Executor, Reference, Type, VarId};
use cornu_testkit::nets::Mlp;
use cornu_testkit::{edges, ops, random_graphs, text};

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

/// What each graph costs; the plan of the tutorial's model should only ever shrink.
#[test]
fn plans_as_text() {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text");
    text::input(&plans.join("tutorial.txt"), &Mlp::pima().step());
    text::walk(&plans, |words, graph| match words {
        ["plan"] => {
            let mut session = Cpu::new().open();
            let vars = graph.vars.iter().chain(&graph.updates);
            let mut types: Vec<(VarId, Type)> = vars.map(|&(var, value)| (var, graph.ty(value).clone())).collect();
            types.sort_by_key(|(var, _)| *var);
            types.dedup_by_key(|(var, _)| *var);
            for (place, (var, ty)) in types.into_iter().enumerate() {
                if session.declare(ty) != var {
                    return Err(format!("needs variables from v0 on without a gap, got {var} for v{place}"));
                }
            }
            let program = session.compile(graph).map_err(|error| error.to_string())?;
            Ok(session.describe(program))
        }
        _ => Err("needs `plan`".into()),
    });
}
