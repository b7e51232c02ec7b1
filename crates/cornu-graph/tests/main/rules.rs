//! The suites over rules can fail, and each rule of `simplify` keeps every bit at the edges of its operands.

use cornu_graph::ops::{
    Binary, Broadcast, Cast, Compare, Grad, Op, Reduce, Reduction, Reshape, Sample, Select, Unary, Window,
};
use cornu_graph::{Array, DType, Tensor, Trace, evaluate, passes};
use cornu_testkit::{ops, slopes};

/// The first sample of an op, of floats and away from edges.
fn sample(op: impl Into<Op>) -> Sample {
    let op = op.into();
    let fits = |sample: &Sample| sample.op == op && !sample.edge && sample.args.iter().any(|x| x.dtype().is_float());
    Op::samples().into_iter().find(fits).expect("every op has a sample")
}

#[test]
fn a_wrong_rule_is_found() {
    let of = |op: Op, rule: slopes::Rule| slopes::fits(&sample(op), rule).expect_err("a wrong rule");
    let (exp, mul) = (|| Unary::Exp.into(), || Binary::Mul.into());
    // The right ones, for a start.
    assert_eq!(slopes::fits(&sample(Unary::Exp), &|_, _, y, ct| vec![Grad::By(ct * y)]), Ok(()));
    assert_eq!(
        slopes::fits(&sample(Binary::Mul), &|_, x, _, ct| vec![Grad::By(ct * &x[1]), Grad::By(ct * &x[0])]),
        Ok(())
    );

    let problem = of(exp(), &|_, _, _, ct| vec![Grad::By(ct * 0.0)]);
    assert!(problem.starts_with("operand 0: difference") && problem.ends_with("gradient 0"), "{problem}");
    let problem = of(exp(), &|_, _, _, _| vec![Grad::Flat]);
    assert!(problem.starts_with("operand 0: difference") && problem.ends_with("gradient 0"), "{problem}");
    let problem = of(mul(), &|_, x, _, ct| vec![Grad::By(ct * &x[1]), Grad::Flat]);
    assert!(problem.starts_with("operand 1: difference"), "{problem}");
    let problem = of(mul(), &|_, x, _, ct| vec![Grad::By(ct * &x[0]), Grad::By(ct * &x[1])]);
    assert!(problem.starts_with("operand 0: difference"), "{problem}");
    assert_eq!(of(mul(), &|_, x, _, ct| vec![Grad::By(ct * &x[1])]), "2 operands, 1 gradients");
    assert_eq!(of(mul(), &|_, _, _, _| Vec::new()), "2 operands, 0 gradients");
    let problem = of(mul(), &|_, x, _, ct| vec![Grad::By((ct * &x[1]).sum_all()), Grad::By(ct * &x[0])]);
    assert!(problem.contains("its gradient %"), "{problem}");
    // Right at first, and wrong when it is differentiated once more.
    let problem = of(exp(), &|_, _, y, ct| vec![Grad::By(ct * y.stop_gradient())]);
    assert!(problem.starts_with("operand 0: difference of the gradient"), "{problem}");
    // What has no slope must say so.
    let problem =
        of(Select.into(), &|_, x, _, ct| [x[0].cast(x[1].dtype()), ct.clone(), ct.clone()].map(Grad::By).into());
    assert!(problem.contains("needs") || problem.contains("its gradient"), "{problem}");
}

/// The edges of an element type, each with each: as the samples of an op have them.
fn edges(dtype: DType) -> [Array; 2] {
    let op = if dtype == DType::Bool { Binary::And } else { Binary::Max };
    let fits = |sample: &Sample| {
        sample.op == op.into() && sample.edge && sample.args[0].dtype() == dtype && !sample.args[0].is_empty()
    };
    let sample = Op::samples().into_iter().find(fits).expect("edges of every type");
    sample.args.try_into().expect("two operands")
}

/// What a rule changes, of two vectors.
type Term = fn(&Tensor, &Tensor) -> Tensor;

const FLOATS: &[DType] = NUMBERS.split_at(8).1;
const SIGNED: &[DType] = NUMBERS.split_at(4).1;
const NUMBERS: &[DType] = ALL.split_at(1).1;
const BOOLEANS: &[DType] = &[DType::Bool];
const ALL: &[DType] = &DType::ALL;

/// A whole number, of a tensor's element type and shape.
fn number(x: &Tensor, n: i32) -> Tensor {
    x.trace().constant(Array::scalar(n).cast(x.dtype())).broadcast(x.shape(), &[])
}

fn reduced(x: &Tensor, kind: Reduction, shape: &[usize], axes: &[usize]) -> Tensor {
    let dims: Vec<usize> = shape.iter().map(|&dim| if dim == 0 { x.dim(0) } else { dim }).collect();
    x.reshape(dims).apply(Reduce { kind, axes: axes.into() })
}

/// What the pooled `y` gives back to where `x` was the largest, if that is above zero.
fn masked_unpool(x: &Tensor, y: &Tensor, window: &Window) -> Tensor {
    let [x, y] = [x, y].map(|t| t.reshape([1, t.dim(0), 1]));
    let ([_, taps], [ct, _]) = (x.max_pool(window), y.max_pool(window));
    x.apply_to(Compare::Gt, &[&number(&x, 0)]).select(&ct.unpool(window, &[x.dim(1)], Some(&taps)), &number(&x, 0))
}

/// A term of each rule of `simplify`, and the element types it is tried on.
const TERMS: &[(&str, &[DType], Term)] = &[
    ("stop_gradient", ALL, |x, _| x.stop_gradient()),
    ("-(-x)", SIGNED, |x, _| -(-x)),
    ("not not x", BOOLEANS, |x, _| x.not().not()),
    ("x * 1", NUMBERS, |x, _| x.apply_to(Binary::Mul, &[&number(x, 1)])),
    ("1 * x", NUMBERS, |x, _| number(x, 1).apply_to(Binary::Mul, &[x])),
    ("x / 1", NUMBERS, |x, _| x.apply_to(Binary::Div, &[&number(x, 1)])),
    ("x ^ 1", FLOATS, |x, _| x.pow(1.0)),
    ("x + -y", SIGNED, |x, y| x + -y),
    ("x - -y", SIGNED, |x, y| x - -y),
    ("x and x", BOOLEANS, |x, _| x.and(x)),
    ("x or x", BOOLEANS, |x, _| x.or(x)),
    ("cast to itself", ALL, |x, _| x.apply(Cast(x.dtype()))),
    ("select(y, x, x)", ALL, |x, y| y.eq(y).select(x, x)),
    ("reshape to itself", ALL, |x, _| x.apply(Reshape(x.shape()))),
    ("reshape twice", ALL, |x, _| x.reshape([1, x.dim(0)]).reshape([x.dim(0), 1])),
    ("transpose nothing", ALL, |x, _| x.transpose(&[0])),
    ("transpose twice", ALL, |x, _| x.reshape([1, x.dim(0)]).transpose(&[1, 0]).transpose(&[1, 0])),
    ("broadcast to itself", ALL, |x, _| x.apply(Broadcast { shape: x.shape(), axes: [0].into() })),
    ("broadcast twice", ALL, |x, _| x.broadcast([2, x.dim(0)], &[1]).broadcast([2, x.dim(0), 3], &[0, 1])),
    ("gradient where pooled images are above zero", NUMBERS, |x, y| masked_unpool(x, y, &Window::new(&[2]))),
    ("gradient of windows that overlap", NUMBERS, |x, y| {
        masked_unpool(x, y, &Window::new(&[3]).strides(&[1]).padding(&[2], &[1]))
    }),
    ("sum over no axes", NUMBERS, |x, _| reduced(x, Reduction::Sum, &[0], &[])),
    ("max over no axes", NUMBERS, |x, _| reduced(x, Reduction::Max, &[0], &[])),
    ("sum over one", NUMBERS, |x, _| reduced(x, Reduction::Sum, &[1, 0], &[0])),
    ("sum over ones", NUMBERS, |x, _| reduced(x, Reduction::Sum, &[1, 0, 1], &[0, 2])),
    ("max over one", NUMBERS, |x, _| reduced(x, Reduction::Max, &[0, 1], &[1])),
    ("min over one", NUMBERS, |x, _| reduced(x, Reduction::Min, &[0, 1], &[1])),
];

/// What is no rule, because of a zero's sign, infinities, not-a-number, rounding, or whole numbers that are cut.
const NO_RULES: &[(&str, &[DType], Term)] = &[
    ("x + 0", FLOATS, |x, _| x + 0.0),
    ("0 + x", FLOATS, |x, _| 0.0 + x),
    ("x - -0", FLOATS, |x, _| x - (-0.0)),
    ("0 - x", FLOATS, |x, _| 0.0 - x),
    ("x * 0", FLOATS, |x, _| x * 0.0),
    ("x * -1", FLOATS, |x, _| x * -1.0),
    ("x - x", FLOATS, |x, _| x - x.clone()),
    ("x / x", NUMBERS, |x, _| x.apply_to(Binary::Div, &[x])),
    ("x * y / y", NUMBERS, |x, y| (x * y).apply_to(Binary::Div, &[y])),
    ("x / 2", FLOATS, |x, _| x / 2.0),
    ("-(x - y)", SIGNED, |x, y| -(x - y)),
    ("-x + y", SIGNED, |x, y| -x + y),
    ("x + y - y", FLOATS, |x, y| x + y - y),
    ("x ^ 0", FLOATS, |x, _| x.pow(0.0)),
    ("0 / x", NUMBERS, |x, _| number(x, 0).apply_to(Binary::Div, &[x])),
    ("not (x < y)", NUMBERS, |x, y| x.lt(y).not().select(x, y)),
    ("x == x", ALL, |x, _| x.eq(x)),
    ("max(x, y) of equals", NUMBERS, |x, y| x.maximum(y).minimum(x)),
    ("cast there and back", NUMBERS, |x, _| x.cast(DType::I32).cast(x.dtype())),
    ("cast by way of singles", NUMBERS, |x, _| x.cast(DType::F32).cast(DType::I64)),
    ("sum of two", NUMBERS, |x, y| {
        let both = x.reshape([1, x.dim(0)]).broadcast([2, 1, x.dim(0)], &[1, 2]) * y.reshape([1, x.dim(0)]);
        both.reduce(Reduction::Sum, &[0, 1])
    }),
];

#[test]
fn each_rule_of_simplify_keeps_every_bit() {
    for (name, dtypes, term) in TERMS.iter().chain(NO_RULES) {
        for &dtype in *dtypes {
            let args = edges(dtype);
            let trace = Trace::new();
            let (x, y) = (trace.input(args[0].ty()), trace.input(args[1].ty()));
            let z = term(&x, &y);
            let graph = trace.finish(&[z], &[]).unwrap_or_else(|error| panic!("{name} {dtype}: {error}"));
            let simple = passes::simplify(&graph);
            let other = simple.to_string() != graph.to_string() || NO_RULES.iter().any(|(other, ..)| other == name);
            assert!(other, "{name} {dtype}: no rule for\n{graph}");
            let values = |graph| evaluate(graph, &[], &args).0.remove(0);
            let same = ops::same_bits(&values(&simple), &values(&graph));
            assert_eq!(same, Ok(()), "{name} {dtype}:\n{graph}became\n{simple}");
        }
    }
}
