//! What a step must find true, or it fails and leaves everything as it was.

use cornu_graph::{ErrorKind, Graph, Reference, Trace, Type, passes};
use cornu_testkit::checks;

#[test]
fn a_false_check_changes_nothing() {
    checks::change_nothing(&Reference, 10_000);
}

#[test]
fn checks_reach_out_of_bodies() {
    checks::reach_out_of_bodies(&Reference);
    checks::find_rows_that_are_not_there(&Reference);
}

#[test]
fn what_no_check_can_look_at_is_refused() {
    let refused = |wrong: fn(&Trace)| {
        let trace = Trace::new();
        wrong(&trace);
        let error = trace.finish(&[], &[]).expect_err("a mistake");
        assert!(error.to_string().contains("tests/main/checks.rs:"), "{error}");
        error.message().to_owned()
    };
    let message = refused(|trace| trace.require(&trace.input(Type::f32([])), "no", &[]));
    assert_eq!(message, "a check needs bool[], got f32[]");
    let message = refused(|trace| trace.require(&trace.input(Type::f32([2])).gt(0.0), "no", &[]));
    assert_eq!(message, "a check needs bool[], got bool[2]");
    let message = refused(|trace| {
        let x = trace.input(Type::f32([2]));
        trace.require(&x.sum_all().gt(0.0), "no {}", &[&x]);
    });
    assert_eq!(message, "a check shows scalars, got f32[2]");
    let message = refused(|trace| trace.require(&Trace::new().input(Type::f32([])).gt(0.0), "no", &[]));
    assert!(message.contains("of another trace"), "{message}");
}

#[test]
fn checks_are_printed_and_kept_by_passes() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([2]));
    let sum = -(-x.sum_all());
    trace.scope("dense", || trace.require(&sum.lt(1.0), "the sum;\n is {}", &[&sum]));
    let graph = trace.finish(&[x], &[]).expect("a sound graph");
    assert!(graph.to_string().contains("check %5 %3 : the sum,, is {}\n"), "{graph}");
    assert!(format!("{graph:#}").contains("is {} ; dense at "), "{graph:#}");
    assert_eq!(graph.to_string().parse::<Graph>().expect("what was printed"), graph);
    let simple = passes::run(&graph, passes::ALL);
    assert_eq!((simple.checks.len(), simple.len()), (1, 4));
    let error = simple.checks[0].error([cornu_graph::Number::Double(2.5)]);
    assert_eq!((error.kind(), error.message()), (ErrorKind::Data, "dense: the sum,, is 2.5"));
    for (text, message) in [
        ("%0 = input 0 : f32[]\ncheck %0 : no", "%0 is checked, which needs bool[], got f32[]"),
        (
            "%0 = input 0 : bool[]\n%1 = input 1 : f32[2]\ncheck %0 %1 : {}",
            "%1 is shown by a check, which needs a scalar, got f32[2]",
        ),
        ("check : no", "line 1: needs `%1 = op %0 : type`, `update v0 = %1` or `output %1`, got `check : no`"),
        ("check %0 : no", "line 1: needs a value before it as `%0`, got `%0`"),
    ] {
        let error = text.parse::<Graph>().expect_err(text);
        assert!(error.message().starts_with(message), "{error}");
    }
}
