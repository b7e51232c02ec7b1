//! The suites over every op, and the passes as text.

use cornu_graph::{
    Array, DType, ErrorKind, Executor, Feed, Reference, Shape, Trace, Type, VarId, evaluate, gradients, passes, verify,
};
use cornu_testkit::ops;

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
fn gradients_match_differences() {
    ops::gradients_match_differences();
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
    assert_eq!(evaluate(&graph, &[], &[Array::scalar(5.0)]).0[0].get(0), 30.0);
}

#[test]
fn two_updates_of_one_variable_are_refused() {
    let trace = Trace::new();
    let v = trace.var(VarId::new(3), Type::f32([2]));
    let error = trace.finish(&[], &[(VarId::new(3), &v + 1.0), (VarId::new(3), &v + 2.0)]).unwrap_err();
    assert!(error.message().contains("is the second update of v3"), "{error}");
    assert!(verify(&cornu_graph::Graph::default()).is_ok());
}

#[test]
fn types_that_no_memory_can_hold_are_mistakes() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([1]));
    let wide = x.broadcast([1 << 40, 1 << 40, 1], &[2]);
    let error = trace.finish(&[wide], &[]).expect_err("2^82 bytes").to_string();
    let needed = "`broadcast [2]` needs a result that memory has addresses for";
    assert!(error.starts_with(&format!("{needed}, got f32[1099511627776,1099511627776,1]\n  at ")), "{error}");
    // As many bytes as memory can have, and one element more.
    let trace = Trace::new();
    trace.input(Type::f32([(1 << 61) - 1]));
    assert!(trace.check().is_ok());
    trace.input(Type::f32([1 << 61]));
    assert!(trace.check().is_err());
}

#[test]
fn shapes_of_no_elements_have_a_size_however_long_their_axes_are() {
    for dims in [[0, 1 << 40, 1 << 40], [1 << 40, 1 << 40, 0], [1 << 40, 0, 1 << 40]] {
        let shape = Shape::from(dims);
        assert_eq!((shape.size(), shape.checked_size(), Type::f32(dims).bytes()), (0, Some(0), Some(0)));
        assert_eq!(shape.strides()[2], 1);
        let trace = Trace::new();
        let x = trace.input(Type::f32(dims));
        let graph = trace.finish(&[x.sum_all(), x.mean([0, 1, 2])], &[]).expect("numbers");
        let (outputs, _) = evaluate(&graph, &[], &[Array::zeros(&Type::f32(dims))]);
        assert_eq!(outputs.iter().map(|output| output.get(0)).collect::<Vec<_>>(), [0.0, 0.0]);
    }
}

#[test]
fn a_released_program_is_an_error() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([1]));
    let graph = trace.finish(&[&x + 1.0], &[]).expect("a sound graph");
    let mut session = Reference.open().expect("a session");
    let [first, second] = [0, 1].map(|_| session.compile(&graph).expect("a sound graph"));
    session.release(first);
    let one = Array::vector(vec![1.0f32]);
    let error = session.run(first, &[Feed::Whole(&one)]).expect_err("it was released").to_string();
    assert_eq!(error, "program 0 was released, or is of another session");
    assert!(session.output(first, 0).is_err());
    assert_ne!(session.compile(&graph).expect("a sound graph"), first);
    session.run(second, &[Feed::Whole(&one)]).expect("a step");
    assert_eq!(session.memory().programs, 2);
}
