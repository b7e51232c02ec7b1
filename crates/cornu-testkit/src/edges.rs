//! What TensorFlow 2.21 gives at the edges of functions: values, gradients, and the gradient's gradients.

use std::f32::consts::{FRAC_2_SQRT_PI, LN_2, SQRT_2};

use cornu_graph::ops::Reduction;
use cornu_graph::{Array, Executor, Tensor, Trace, Type, gradients};

use crate::golden::Report;
use crate::ops::near;

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

type Function = fn(&[Tensor]) -> Tensor;

/// A function at some points: the operands, the value, the gradient of its sum for each operand, and the gradients of
/// the sum of the first of those, where they are listed.
struct Edge {
    name: &'static str,
    function: Function,
    operands: Vec<Vec<f32>>,
    want: Vec<Vec<f32>>,
    tolerance: f64,
}

fn edge<const N: usize, const M: usize>(
    name: &'static str,
    function: Function,
    operands: [&[f32]; N],
    want: [&[f32]; M],
) -> Edge {
    Edge {
        name,
        function,
        operands: operands.map(<[f32]>::to_vec).into(),
        want: want.map(<[f32]>::to_vec).into(),
        tolerance: 1e-6,
    }
}

impl Edge {
    /// Nothing in it is approximated.
    fn exact(self) -> Edge {
        Edge { tolerance: 0.0, ..self }
    }
}

/// Compares values and gradients at the edges with TensorFlow's, to single precision.
///
/// # Panics
/// If one differs.
pub fn are_as_in_tensorflow(executor: &dyn Executor) {
    let mut report = Report::default();
    for edge in powers().into_iter().chain(functions()).chain(pairs()).chain(rows()) {
        let got = outputs(executor, &edge).map_err(|error| error.to_string());
        let outcome = got.and_then(|got| {
            got.iter().zip(&edge.want).enumerate().try_for_each(|(i, (got, want))| {
                near(got, &Array::vector(want.clone()), edge.tolerance)
                    .map_err(|problem| format!("result {i}: {problem}"))
            })
        });
        report.case(edge.name, outcome);
    }
    report.finish();
}

fn outputs(executor: &dyn Executor, edge: &Edge) -> cornu_graph::Result<Vec<Array>> {
    let trace = Trace::new();
    let x: Vec<Tensor> = edge.operands.iter().map(|x| trace.input(Type::f32([x.len()]))).collect();
    let y = (edge.function)(&x);
    let first = gradients(&y.sum_all(), &x);
    let second = gradients(&first[0].sum_all(), &x);
    let results = [vec![y.reshape([y.shape().size()])], first, second].concat();
    let graph = trace.finish(&results[..edge.want.len()], &[])?;
    let arrays: Vec<Array> = edge.operands.iter().map(|x| Array::vector(x.clone())).collect();
    executor.open()?.once(&graph, &arrays)
}

#[rustfmt::skip]
fn powers() -> Vec<Edge> {
    const A: [f32; 16] = [0., 0., 0., 0., 0., 0., -2., -2., -2., -0., INF, INF, 0., 2., 1., -INF];
    const B: [f32; 16] = [0., 1., 2., 0.5, -1., 3., 2., 3., 0.5, 2., 2., 0., 1.5, NAN, INF, 2.];
    let constant = [0., -2., -0., INF];
    vec![
        edge("pow", |x| x[0].pow(&x[1]), [&A, &B], [
            &[1., 0., 0., 0., INF, 0., 4., -8., NAN, 0., INF, 1., 0., NAN, 1., INF],
            &[NAN, 1., 0., INF, -INF, 0., -4., 12., NAN, -0., INF, 0., 0., NAN, INF, -INF],
            &[0., 0., 0., 0., NAN, 0., 0., -0., NAN, 0., INF, INF, 0., NAN, 0., NAN],
            &[NAN, NAN, 2., -INF, INF, 0., 2., -12., NAN, 2., 2., -0., INF, NAN, INF, 2.],
            &[NAN, 1., 0., NAN, NAN, 0., -2., 4., NAN, -0., INF, NAN, 0., NAN, NAN, NAN],
        ]),
        edge("pow 0", |x| x[0].pow(0.0), [&constant], [&[1., 1., 1., 1.], &[NAN, -0., NAN, 0.]]),
        edge("pow 1", |x| x[0].pow(1.0), [&constant], [&[0., -2., -0., INF], &[1., 1., 1., 1.]]),
        edge("pow 2", |x| x[0].pow(2.0), [&constant], [&[0., 4., 0., INF], &[0., -4., -0., INF]]),
        edge("pow 0.5", |x| x[0].pow(0.5), [&constant], [&[0., NAN, 0., INF], &[INF, NAN, INF, 0.]]),
        edge("pow -1", |x| x[0].pow(-1.0), [&constant], [&[INF, -0.5, -INF, 0.], &[-INF, -0.25, -INF, -0.]]),
        edge("pow 3", |x| x[0].pow(3.0), [&constant], [&[0., -8., -0., INF], &[0., 12., 0., INF]]),
    ]
}

#[rustfmt::skip]
fn functions() -> Vec<Edge> {
    const X: [f32; 7] = [0., -0., INF, -INF, NAN, -1., 2.];
    vec![
        edge("abs", |x| x[0].abs(), [&X], [&[0., 0., INF, INF, NAN, 1., 2.], &[0., 0., 1., -1., NAN, -1., 1.]]).exact(),
        edge("sign", |x| x[0].sign(), [&X], [&[0., 0., 1., -1., NAN, -1., 1.], &[0.; 7]]).exact(),
        edge("sqrt", |x| x[0].sqrt(), [&X],
            [&[0., -0., INF, NAN, NAN, NAN, SQRT_2], &[INF, -INF, 0., NAN, NAN, NAN, 0.353_553_38]]),
        edge("exp", |x| x[0].exp(), [&X],
            [&[1., 1., INF, 0., NAN, 0.367_879_45, 7.389_056], &[1., 1., INF, 0., NAN, 0.367_879_45, 7.389_056]]),
        edge("log", |x| x[0].log(), [&X],
            [&[-INF, -INF, INF, NAN, NAN, NAN, LN_2], &[INF, -INF, 0., -0., NAN, -1., 0.5]]),
        edge("tanh", |x| x[0].tanh(), [&X],
            [&[0., -0., 1., -1., NAN, -0.761_594_2, 0.964_027_6], &[1., 1., 0., 0., NAN, 0.419_974_32, 0.070_650_82]]),
        edge("erf", |x| x[0].erf(), [&X],
            [&[0., -0., 1., -1., NAN, -0.842_700_8, 0.995_322_3],
             &[FRAC_2_SQRT_PI, FRAC_2_SQRT_PI, 0., 0., NAN, 0.415_107_5, 0.020_666_985]]),
        edge("sigmoid", |x| x[0].sigmoid(), [&X],
            [&[0.5, 0.5, 1., 0., NAN, 0.268_941_43, 0.880_797_1],
             &[0.25, 0.25, 0., 0., NAN, 0.196_611_94, 0.104_993_574]]),
        edge("log1p", |x| x[0].log1p(), [&X],
            [&[0., -0., INF, NAN, NAN, -INF, 1.098_612_3], &[1., 1., 0., -0., NAN, INF, 0.333_333_34]]),
        edge("relu", |x| x[0].relu(), [&X], [&[0., 0., INF, 0., NAN, 0., 2.], &[0., 0., 1., 0., 0., 0., 1.]]).exact(),
        edge("negative", |x| x[0].negative(), [&X], [&[-0., 0., -INF, INF, NAN, 1., -2.], &[-1.; 7]]).exact(),
    ]
}

#[rustfmt::skip]
fn pairs() -> Vec<Edge> {
    const A: [f32; 9] = [1., 1., 0., -0., NAN, 1., INF, 0., -0.];
    const B: [f32; 9] = [1., 2., -0., 0., 1., NAN, INF, 0., -0.];
    vec![
        edge("maximum", |x| x[0].maximum(&x[1]), [&A, &B], [
            &[1., 2., 0., 0., NAN, NAN, INF, 0., -0.],
            &[1., 0., 1., 1., 0., 0., 1., 1., 1.],
            &[0., 1., 0., 0., 1., 1., 0., 0., 0.],
        ]),
        edge("minimum", |x| x[0].minimum(&x[1]), [&A, &B], [
            &[1., 1., -0., -0., NAN, NAN, INF, 0., -0.],
            &[1., 1., 1., 1., 0., 0., 1., 1., 1.],
            &[0., 0., 0., 0., 1., 1., 0., 0., 0.],
        ]),
        edge("div", |x| &x[0] / &x[1], [&[1., 0., 0., INF, 1., INF, -1., 0.], &[0., 0., -0., INF, INF, 1., 0., 2.]], [
            &[INF, NAN, NAN, NAN, 0., INF, -INF, 0.],
            &[INF, INF, -INF, 0., 0., 1., INF, 0.5],
            &[-INF, NAN, NAN, NAN, -0., -INF, INF, -0.],
        ]),
    ]
}

#[rustfmt::skip]
fn rows() -> Vec<Edge> {
    fn first(x: &[Tensor]) -> Tensor {
        x[0].softmax(-1) * x[0].trace().constant(Array::vector(vec![1.0f32, 0.0, 0.0]))
    }
    fn most(x: &[Tensor]) -> Tensor {
        x[0].reduce(Reduction::Max, &[0]) * 0.3
    }
    fn least(x: &[Tensor]) -> Tensor {
        x[0].reduce(Reduction::Min, &[0])
    }
    let third = 0.333_333_34;
    // 0.3 times a third, not a third of 0.3.
    let tenth = 0.100_000_01;
    vec![
        edge("softmax of infinity", first, [&[INF, 0., 1.]], [&[NAN; 3], &[NAN; 3]]),
        edge("softmax of minus infinity", first, [&[-INF, 0., 1.]], [&[0.; 3], &[0.; 3]]),
        edge("softmax of minus infinities", first, [&[-INF, -INF, 0.]], [&[0.; 3], &[0.; 3]]),
        edge("softmax of nothing else", first, [&[-INF; 3]], [&[NAN; 3], &[NAN; 3]]),
        edge("softmax of not-a-number", first, [&[NAN, 0., 1.]], [&[NAN; 3], &[NAN; 3]]),
        edge("reduce_max of three", most, [&[1.; 3]], [&[0.3], &[tenth; 3]]).exact(),
        edge("reduce_min of three", least, [&[1.; 3]], [&[1.], &[third; 3]]).exact(),
        edge("reduce_max of not-a-number", most, [&[NAN, 1., 2.]], [&[NAN], &[NAN; 3]]).exact(),
        edge("reduce_min of not-a-number", least, [&[NAN, 1., 2.]], [&[NAN], &[NAN; 3]]).exact(),
        edge("reduce_max of zeros", most, [&[0., -0., -1.]], [&[0.], &[0.15, 0.15, 0.]]).exact(),
        edge("reduce_max of infinities", most, [&[INF, INF, 0.]], [&[INF], &[0.15, 0.15, 0.]]).exact(),
        edge("reduce_min of a zero", least, [&[INF, INF, 0.]], [&[0.], &[0., 0., 1.]]).exact(),
    ]
}
