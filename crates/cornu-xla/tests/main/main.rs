//! The suites over every op, on the plugin that `CORNU_PJRT_PLUGIN` names; without one they say that they did not run.

mod sessions;
mod trajectories;
mod tutorial;

use cornu_graph::{Executor, Reference};
use cornu_testkit::bodies::CELLS;
use cornu_testkit::golden::Report;
use cornu_testkit::{edges, ends, ops, random_graphs};
use cornu_xla::Xla;

const TOLERANCE: f64 = 3e-6;

/// The machine to test, if there is one.
fn machine() -> Option<Xla> {
    let machine = Xla::from_environment().ok();
    if machine.is_none() {
        println!("skipped: CORNU_PJRT_PLUGIN names no plugin");
    }
    machine
}

#[test]
fn agrees_with_the_reference() {
    let Some(xla) = machine() else { return };
    // Cards divide and take roots with an error of their own.
    let bits = xla.platform().expect("a plugin").starts_with("cpu");
    let parts = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in 0..parts {
            let xla = &xla;
            scope.spawn(move || ops::part_agrees_with_reference(xla, TOLERANCE, [part, parts], bits));
        }
    });
}

#[test]
fn whole_numbers_are_what_rust_makes_of_them() {
    let Some(xla) = machine() else { return };
    ops::whole_numbers_agree(&xla);
}

#[test]
fn ends_of_types_are_as_in_numpy() {
    let Some(xla) = machine() else { return };
    ends::are_as_in_numpy(&xla);
}

#[test]
fn edges_are_as_in_tensorflow() {
    let Some(xla) = machine() else { return };
    edges::are_as_in_tensorflow(&xla);
}

/// Every cell in loops and loops in loops, and their gradients: each step rounds.
#[test]
fn loops_agree_with_the_reference() {
    let Some(xla) = machine() else { return };
    let mut report = Report::default();
    for (cell, length) in CELLS.iter().flat_map(|cell| [0, 1, 7].map(|length| (cell, length))) {
        let compare = || {
            let case = cell.looped(length).map_err(|error| error.to_string())?;
            let run = |machine: &dyn Executor| case.run(machine).map_err(|error| error.to_string());
            let (got, want) = (run(&xla)?, run(&Reference)?);
            got.iter().zip(&want).try_for_each(|(got, want)| ops::near(got, want, TOLERANCE * length.max(1) as f64))
        };
        report.case(&format!("{} of {length} steps", cell.name), compare());
    }
    report.finish();
}

#[test]
fn random_graphs_agree_with_the_reference() {
    let Some(xla) = machine() else { return };
    random_graphs::agree_with_reference(&[&xla], 0..100);
}
