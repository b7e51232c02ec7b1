//! The suites over every op, and the passes as text.

use cornu_graph::{Array, DType, ErrorKind, Reference, Trace, Type, VarId, gradients, passes, verify};
use cornu_testkit::{edges, ops, random_graphs, slopes};

#[path = "main/rules.rs"]
mod rules;
#[path = "main/traces.rs"]
mod traces;
#[path = "main/whole.rs"]
mod whole;

#[test]
fn every_sample_verifies_and_prints() {
    let printed = ops::every_sample_verifies();
    assert!(printed.iter().any(|text| text.contains("%2 = dot_ta %0 %1 : f32[10,12]")));
    assert!(printed.iter().any(|text| text.contains("%1 = reduce sum [0, 2] %0 : f32[4]")));
}

#[test]
fn the_reference_executor_agrees_with_itself() {
    ops::agrees_with_reference(&Reference, 0.0);
}

#[test]
fn whole_numbers_are_what_rust_makes_of_them() {
    ops::whole_numbers_agree(&Reference);
}

#[test]
fn passes_keep_every_bit_of_samples() {
    ops::passes_keep_every_bit(&Reference);
}

#[test]
fn passes_keep_every_bit_of_random_graphs() {
    random_graphs::keep_every_bit(&[&Reference], 0..150);
}

#[test]
fn gradients_match_differences() {
    slopes::gradients_match_differences();
}

#[test]
fn edges_are_as_in_tensorflow() {
    edges::are_as_in_tensorflow(&Reference);
}

/// Input, then what `body` makes of it, after simplify and fold.
fn simplified(body: impl FnOnce(&cornu_graph::Tensor) -> cornu_graph::Tensor) -> String {
    let trace = Trace::new();
    let x = trace.input(Type::f32([2, 3]));
    let y = body(&x);
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    passes::run(&graph, &[passes::simplify, passes::fold]).to_string()
}

#[test]
fn passes_as_text() {
    let input = "%0 = input 0 : f32[2,3]\n";
    assert_eq!(simplified(|x| x * 1.0 / 1.0), format!("{input}output %0\n"));
    assert_eq!(simplified(|x| -(-x)), format!("{input}output %0\n"));
    assert_eq!(simplified(|x| x.transpose(&[1, 0]).transpose(&[1, 0])), format!("{input}output %0\n"));
    assert_eq!(
        simplified(|x| x.reshape([6]).reshape([3, 2])),
        format!("{input}%1 = reshape %0 : f32[3,2]\noutput %1\n")
    );
    assert_eq!(
        simplified(|x| x + x.number(2.0).exp().broadcast_to([2, 3]) * 0.0),
        format!(
            "{input}%1 = constant 0.0 : f32[]\n%2 = broadcast [] %1 : f32[2,3]\n%3 = add %0 %2 : f32[2,3]\noutput %3\n"
        )
    );
    assert_eq!(
        simplified(|x| x.stop_gradient().sum([0]).reshape([1, 3]).sum([0])),
        format!("{input}%1 = reduce sum [0] %0 : f32[3]\noutput %1\n")
    );
}

#[test]
fn equal_nodes_are_one_node_but_signed_zeros_are_two() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([2]));
    assert_eq!((&x + 1.0).value(), (&x + 1.0).value());
    assert_ne!(x.number(0.0).value(), x.number(-0.0).value());
}

#[test]
fn a_mistake_is_kept_with_its_place() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 8]));
    let w = trace.var(VarId::new(0), Type::f32([9, 1]));
    let y = trace.scope("dense_1", || x.dot(&w).relu().sum([-1]));
    assert_eq!(y.dim(5), 1);
    let error = trace.finish(&[y], &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Graph);
    assert_eq!(error.message(), "dense_1: `dot` needs [.., m, k] and [.., k, n], got f32[4,8] and f32[9,1]");
    assert!(error.to_string().contains("tests/main.rs:"), "{error}");
}

#[test]
fn a_softmax_is_recognised_and_nothing_else_is() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([4, 8]));
    assert_eq!(x.softmax(-1).softmax_input().map(|t| t.value()), Some(x.value()));
    assert!(x.softmax(0).softmax_input().is_none());
    assert!((x.exp() / 2.0).softmax_input().is_none());
    assert_eq!(x.sigmoid().sigmoid_input().map(|t| t.value()), Some(x.value()));
}

#[test]
fn a_gradient_of_a_gradient() {
    let trace = Trace::new();
    let x = trace.input(Type::new(DType::F64, []));
    let cube = &x * &x * &x;
    let first = gradients(&cube, std::slice::from_ref(&x)).remove(0);
    let second = gradients(&first, std::slice::from_ref(&x)).remove(0);
    let graph = trace.finish(&[second], &[]).expect("a sound graph");
    assert_eq!(cornu_graph::evaluate(&graph, &[], &[Array::scalar(5.0)]).0[0].get(0), 30.0);
}

#[test]
fn two_updates_of_one_variable_are_refused() {
    let trace = Trace::new();
    let v = trace.var(VarId::new(3), Type::f32([2]));
    let error = trace.finish(&[], &[(VarId::new(3), &v + 1.0), (VarId::new(3), &v + 2.0)]).unwrap_err();
    assert!(error.message().contains("is the second update of v3"), "{error}");
    assert!(verify(&cornu_graph::Graph::default()).is_ok());
}
