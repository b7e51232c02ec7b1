//! A tensor belongs to one trace: what is made of another's, or of one that has ended, is a mistake with its place.

use cornu_graph::{Array, DType, ErrorKind, Result, Tensor, Trace, Type, VarId, gradients};

/// A trace with two inputs.
fn pair() -> (Trace, Tensor, Tensor) {
    let trace = Trace::new();
    let (x, y) = (trace.input(Type::f32([2, 3])), trace.input(Type::f32([2, 3])));
    (trace, x, y)
}

/// What a trace says after `wrong` mixed a tensor of it with one of another, whether that one is ended or not.
fn mixed(wrong: impl Fn(&Tensor, &Tensor) -> Vec<Tensor>) {
    for ended in [false, true] {
        let (first, old, other) = pair();
        if ended {
            first.clone().finish(&[&old + &other], &[]).expect("a sound graph");
        }
        let (trace, x, _) = pair();
        let results = wrong(&x, &old);
        results.iter().for_each(|y| assert!(y.rank() <= 2 && y.operands().len() <= 3, "{y:?} {:?}", y.op()));
        foreign(&trace.clone().finish(&results, &[]).map(|_| ()));
        // The mistake was handed out: what is left of the trace is sound.
        assert!(trace.finish(&[x], &[]).is_ok());
    }
}

fn foreign(result: &Result<()>) {
    let error = result.as_ref().expect_err("two traces were mixed");
    assert_eq!(error.kind(), ErrorKind::Graph);
    assert!(error.message().contains("another trace"), "{error}");
    assert!(error.to_string().contains("traces.rs:"), "{error}");
    assert!(error.to_string().contains("\n  help: "), "{error}");
}

#[test]
fn tensors_of_two_traces_do_not_mix() {
    mixed(|x, old| vec![x + old]);
    mixed(|x, old| vec![old + x]);
    mixed(|x, old| vec![x.dot_as(old, false, true)]);
    mixed(|x, old| vec![x.maximum(old)]);
    mixed(|x, old| vec![x.gt(old)]);
    mixed(|x, old| vec![x.gt(0.0).select(old, x)]);
    mixed(|x, old| vec![x.gt(0.0).select(1.0, old)]);
    mixed(|x, old| vec![old.gt(0.0).select(x, 0.0)]);
    mixed(|x, old| vec![x.div_no_nan(old)]);
    mixed(|x, old| vec![x * old.sum([0])]);
    mixed(|x, old| vec![x.sum([0]) - old]);
    mixed(|x, old| {
        let (a, b) = x.aligned(&old.sum_all());
        vec![a * b]
    });
    mixed(|x, old| vec![x.apply_to(cornu_graph::ops::Binary::Add, &[old])]);
    mixed(|x, old| vec![x.trace().push(cornu_graph::ops::Unary::Exp, &[old])]);
    mixed(|x, old| gradients(&x.sum_all(), &[x.clone(), old.clone()]));
    mixed(|x, old| gradients(&(x * old).sum_all(), std::slice::from_ref(x)));
    // An output.
    mixed(|_, old| vec![old.clone()]);
}

#[test]
fn an_update_of_another_trace_is_refused() {
    let (_, old, _) = pair();
    let (trace, x, _) = pair();
    foreign(&trace.finish(&[x], &[(VarId::new(0), old)]).map(|_| ()));
}

#[test]
fn an_open_trace_whose_tensor_went_astray_is_told_as_well() {
    let (first, old, _) = pair();
    let (second, x, _) = pair();
    let _ = &x + &old;
    foreign(&first.check());
    foreign(&second.check());
}

#[test]
fn a_tensor_after_the_end_is_what_it_was_and_takes_no_part() {
    let (trace, x, y) = pair();
    let z = x.dot_as(&y, false, true).relu();
    let graph = trace.clone().finish(std::slice::from_ref(&z), &[]).expect("a sound graph");
    assert_eq!((z.ty(), z.operands().len()), (Type::f32([2, 2]), 1));
    assert_eq!(format!("{z:?}"), "%3 : f32[2,2]");
    let late = &z * 2.0 + z.number(1.0) - z.sum([0]).softmax(-1);
    let _ = (late.ty(), late.op(), late.operands(), gradients(&z.sum_all(), &[x]), late.axis(7), z.one_hot(3));
    let error = trace.check().expect_err("the trace has ended");
    assert!(error.message().contains("has ended"), "{error}");
    assert!(error.to_string().contains("traces.rs:"), "{error}");
    let inputs = [Array::zeros(&Type::f32([2, 3])), Array::zeros(&Type::f32([2, 3]))];
    assert_eq!(cornu_graph::evaluate(&graph, &[], &inputs).0[0].ty(), Type::f32([2, 2]));
    let late = trace.input(Type::new(DType::I64, [1]));
    assert!(trace.finish(&[late], &[]).is_err());
}
