//! Whole numbers are computed as whole numbers, and wrap as TensorFlow's do.

use cornu_graph::ops::{Binary, Leaf, Op, Reduction, Unary};
use cornu_graph::{Array, DType, Element, Tensor, Trace, evaluate, passes};

/// What the reference makes of arrays: as inputs, and as constants that are folded.
fn compute(args: &[Array], f: impl Fn(&[Tensor]) -> Tensor) -> Array {
    let trace = Trace::new();
    let inputs: Vec<Tensor> = args.iter().map(|arg| trace.input(arg.ty())).collect();
    let y = f(&inputs);
    let graph = trace.finish(&[y], &[]).expect("a sound graph");
    let got = evaluate(&graph, &[], args).0.remove(0);
    let trace = Trace::new();
    let constants: Vec<Tensor> = args.iter().map(|arg| trace.constant(arg.clone())).collect();
    let y = f(&constants);
    let graph = passes::run(&trace.finish(&[y], &[]).expect("a sound graph"), &[passes::fold]);
    let known = |op: &Op| matches!(op, Op::Leaf(Leaf::Constant(_)) | Op::Broadcast(_));
    assert!(graph.nodes().all(|(_, node)| known(&node.op)), "{graph}");
    assert_eq!(evaluate(&graph, &[], &[]).0[0], got);
    // One number for all is folded as one number.
    for i in 0..args.iter().map(Array::len).min().unwrap_or(0) {
        if !args.iter().all(|arg| arg.shape() == got.shape()) {
            break;
        }
        let trace = Trace::new();
        let numbers = args.iter().map(|arg| trace.constant(arg.rows(&[i])).reshape([]).broadcast([4], &[]));
        let y = f(&numbers.collect::<Vec<_>>());
        let graph = passes::run(&trace.finish(&[y], &[]).expect("a sound graph"), &[passes::simplify, passes::fold]);
        assert_eq!(evaluate(&graph, &[], &[]).0[0], got.rows(&[i; 4]), "{graph}");
    }
    got
}

fn binary<T: Element>(op: Binary, a: &[T], b: &[T]) -> Vec<T> {
    let args = [Array::vector(a.to_vec()), Array::vector(b.to_vec())];
    compute(&args, |x| x[0].apply_to(op, &[&x[1]])).as_slice::<T>().expect("the same type").to_vec()
}

fn unary<T: Element>(op: Unary, a: &[T]) -> Vec<T> {
    compute(&[Array::vector(a.to_vec())], |x| x[0].apply(op)).as_slice::<T>().expect("the same type").to_vec()
}

#[test]
fn beyond_the_doubles() {
    const ODD: i64 = (1 << 53) + 1;
    assert_eq!(binary(Binary::Add, &[ODD], &[1]), [ODD + 1]);
    assert_eq!(binary(Binary::Mul, &[ODD], &[3]), [ODD * 3]);
    assert_eq!(binary(Binary::Max, &[ODD], &[ODD - 1]), [ODD]);
    assert_eq!(binary(Binary::Div, &[3 * ODD], &[3]), [ODD]);
    assert_eq!(unary(Unary::Neg, &[ODD]), [-ODD]);
    let args = [Array::vector(vec![ODD, ODD, ODD]), Array::vector(vec![ODD, ODD - 1, ODD + 1])];
    let compare = |f: fn(&Tensor, &Tensor) -> Tensor| compute(&args, |x| f(&x[0], &x[1])).to_vec::<bool>();
    assert_eq!(compare(|a, b| a.eq(b)), [true, false, false]);
    assert_eq!(compare(|a, b| a.gt(b)), [false, true, false]);
    let row = Array::new([1, 3], vec![ODD, ODD + 1, 1]).expect("three");
    let of = |f: fn(&Tensor) -> Tensor| compute(std::slice::from_ref(&row), |x| f(&x[0])).to_vec::<i64>();
    assert_eq!(of(|x| x.sum([1])), [2 * ODD + 2]);
    assert_eq!(of(|x| x.reduce(Reduction::Max, &[1])), [ODD + 1]);
    assert_eq!(of(|x| x.argmax(1)), [1]);
    assert_eq!(
        of(|x| x.dot_as(x, false, true)),
        [ODD.wrapping_mul(ODD).wrapping_add((ODD + 1).wrapping_mul(ODD + 1)) + 1]
    );
    assert_eq!(of(|x| x.transpose(&[1, 0]).reshape([3])), [ODD, ODD + 1, 1]);
    assert_eq!(of(|x| x.broadcast([2, 1, 3], &[1, 2])), [ODD, ODD + 1, 1, ODD, ODD + 1, 1]);
}

/// As TensorFlow 2.21 gives them; by zero, as it does when XLA compiles it (else it stops with an error).
#[test]
fn as_tensorflow_wraps() {
    const LOW: i32 = i32::MIN;
    const HIGH: i32 = i32::MAX;
    let (a, b) = ([HIGH, LOW, 7, LOW, 7, LOW, 0], [1, 1, 2, HIGH, 0, -1, 0]);
    assert_eq!(binary(Binary::Add, &a, &b), [LOW, LOW + 1, 9, -1, 7, HIGH, 0]);
    assert_eq!(binary(Binary::Sub, &a, &b), [HIGH - 1, HIGH, 5, 1, 7, LOW + 1, 0]);
    assert_eq!(binary(Binary::Mul, &a, &b), [HIGH, LOW, 14, LOW, 0, LOW, 0]);
    assert_eq!(binary(Binary::Div, &a, &b), [HIGH, LOW, 3, -1, -1, LOW, -1]);
    assert_eq!(binary(Binary::Div, &[-7, 7], &[2, -2]), [-3, -3]);
    assert_eq!(unary(Unary::Abs, &a), [HIGH, LOW, 7, LOW, 7, LOW, 0]);
    assert_eq!(unary(Unary::Neg, &a), [-HIGH, LOW, -7, LOW, -7, LOW, 0]);
    assert_eq!(unary(Unary::Sign, &a), [1, -1, 1, -1, 1, -1, 0]);
    assert_eq!(unary(Unary::Relu, &a), [HIGH, 0, 7, 0, 7, 0, 0]);
    assert_eq!(compute(&[Array::vector(a.to_vec())], |x| x[0].sum([0])).to_vec::<i32>(), [13]);
    let (a, b) = ([i64::MAX, i64::MIN, i64::MIN, 7], [1, i64::MAX, -1, 0]);
    assert_eq!(binary(Binary::Add, &a, &b), [i64::MIN, -1, i64::MAX, 7]);
    assert_eq!(binary(Binary::Mul, &a, &b), [i64::MAX, i64::MIN, i64::MIN, 0]);
    assert_eq!(binary(Binary::Div, &a, &b), [i64::MAX, -1, i64::MIN, -1]);
    let (a, b) = ([255u8, 0, 7, 0, 7], [1, 1, 2, 255, 0]);
    assert_eq!(binary(Binary::Add, &a, &b), [0, 1, 9, 255, 7]);
    assert_eq!(binary(Binary::Sub, &a, &b), [254, 255, 5, 1, 7]);
    assert_eq!(binary(Binary::Div, &a, &b), [255, 0, 3, 0, 255]);
    let (a, b) = ([u32::MAX, 0, 7], [1, u32::MAX, 0]);
    assert_eq!(binary(Binary::Add, &a, &b), [0, u32::MAX, 7]);
    assert_eq!(binary(Binary::Div, &a, &b), [u32::MAX, 0, u32::MAX]);
    let cast = |a: Array, to| compute(&[a], |x| x[0].cast(to));
    assert_eq!(cast(Array::vector(vec![300i64, -1, i64::MAX]), DType::U8).to_vec::<u8>(), [44, 255, 255]);
    assert_eq!(cast(Array::vector(vec![i64::MAX, i64::MIN]), DType::I32).to_vec::<i32>(), [-1, 0]);
    assert_eq!(cast(Array::vector(vec![1e30f32, -1e30, f32::NAN]), DType::I32).to_vec::<i32>(), [HIGH, LOW, 0]);
    // To the nearest single in one step: by way of a double it would be 1 << 54.
    let up = (1i64 << 54) + (1 << 30) + 1;
    assert_eq!(cast(Array::vector(vec![up]), DType::F32).to_vec::<f32>(), [(1u64 << 54) as f32 + (1u64 << 31) as f32]);
}
