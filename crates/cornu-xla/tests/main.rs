//! The suites over every op, on the plugin that `CORNU_PJRT_PLUGIN` names; without one they say that they did not run.

use cornu_testkit::{bodies, checks, edges, ends, ops, random_graphs};
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
    ops::agrees_with_reference(&xla, TOLERANCE);
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

#[test]
fn a_false_check_changes_nothing() {
    let Some(xla) = machine() else { return };
    checks::change_nothing(&xla, 1_000);
    checks::reach_out_of_bodies(&xla);
    checks::find_rows_that_are_not_there(&xla);
}

#[test]
fn loops_are_their_steps() {
    let Some(xla) = machine() else { return };
    bodies::loops_are_their_steps(&xla, &[0, 1, 7]);
}

#[test]
fn random_graphs_agree_with_the_reference() {
    let Some(xla) = machine() else { return };
    random_graphs::agree_with_reference(&[&xla], 0..100);
}
