//! Algebra: rules that hold for every number, including infinities, signed zeros and not-a-number.

use super::{Instead, Rule};
use crate::builder::Builder;
use crate::graph::Value;
use crate::ops::{
    Binary, Broadcast, Cast, Constant, Conv, ConvInput, Dot, Leaf, MaxPool, Op, Reduce, Reshape, Select, Transpose,
    Unary,
};
use crate::{Array, Number, Type};

macro_rules! rules {
    (|$b:ident| $($name:ident: ($op:pat, $args:pat) $(if $applies:expr)? => $instead:expr,)*) => {
        /// The rules of algebra, each with the name of its test.
        #[allow(unused_variables)]
        pub const SIMPLIFY: &[Rule] = &[$(Rule {
            name: stringify!($name),
            apply: |$b, op, args| match (op, args) {
                ($op, $args) $(if $applies)? => $instead,
                _ => None,
            },
        },)*];

        /// What the first of the rules that applies makes of an op, tried one after the other without a call for each.
        #[allow(unused_variables)]
        pub(super) fn first($b: &mut Builder, op: &Op, args: &[Value]) -> Option<Instead> {
            $(if let ($op, $args) = (op, args) $(&& $applies)? && let Some(instead) = $instead {
                return Some(instead);
            })*
            None
        }
    };
}

// Adding zero is not here: -0 + 0 is 0.
rules! { |b|
    stop_gradient: (Op::Unary(Unary::StopGradient), &[x]) => same(x),
    neg_neg: (Op::Unary(Unary::Neg), &[x]) if negated(b, x) => same(argument(b, x)),
    not_not: (Op::Unary(Unary::Not), &[x]) if b.graph().op(x) == &Unary::Not.into() => same(argument(b, x)),
    mul_one: (Op::Binary(Binary::Mul), &[x, y]) if one(b, y) => same(x),
    one_mul: (Op::Binary(Binary::Mul), &[x, y]) if one(b, x) => same(y),
    div_one: (Op::Binary(Binary::Div), &[x, y]) if one(b, y) => same(x),
    pow_one: (Op::Binary(Binary::Pow), &[x, y]) if one(b, y) => same(x),
    add_neg: (Op::Binary(Binary::Add), &[x, y]) if negated(b, y) => Instead::node(Binary::Sub, &[x, argument(b, y)]),
    sub_neg: (Op::Binary(Binary::Sub), &[x, y]) if negated(b, y) => Instead::node(Binary::Add, &[x, argument(b, y)]),
    and_same: (Op::Binary(Binary::And), &[x, y]) if x == y => same(x),
    or_same: (Op::Binary(Binary::Or), &[x, y]) if x == y => same(x),
    select_same: (Op::Select(Select), &[_, x, y]) if x == y => same(x),
    cast_same: (Op::Cast(Cast(to)), &[x]) if b.graph().ty(x).dtype == *to => same(x),
    reshape_same: (Op::Reshape(Reshape(to)), &[x]) if b.graph().ty(x).shape == *to => same(x),
    reshape_reshape: (Op::Reshape(to), &[x]) => match b.graph().op(x) {
        Op::Reshape(_) => Instead::node(to.clone(), &[argument(b, x)]),
        _ => None,
    },
    reshape_splat: (Op::Reshape(Reshape(to)), &[x]) => match b.graph().op(x) {
        Op::Broadcast(from) if from.axes.is_empty() => {
            Instead::node(Broadcast { shape: to.clone(), axes: Box::default() }, &[argument(b, x)])
        }
        _ => None,
    },
    reshape_constant: (Op::Reshape(Reshape(to)), &[x]) => match b.graph().op(x) {
        Op::Leaf(Leaf::Constant(constant)) => {
            let array = constant.array().clone().reshape(to.clone()).expect("the type rule was asked first");
            Instead::node(Leaf::Constant(Constant::new(array)), &[])
        }
        _ => None,
    },
    transpose_same: (Op::Transpose(Transpose(order)), &[x]) if order.iter().copied().eq(0..order.len()) => same(x),
    transpose_transpose: (Op::Transpose(order), &[x]) => match b.graph().op(x) {
        Op::Transpose(first) => Instead::node(first.then(order), &[argument(b, x)]),
        _ => None,
    },
    broadcast_same: (Op::Broadcast(to), &[x]) if b.graph().ty(x).shape == to.shape => same(x),
    broadcast_broadcast: (Op::Broadcast(to), &[x]) => match b.graph().op(x) {
        Op::Broadcast(first) => {
            let axes = first.axes.iter().map(|&axis| to.axes[axis]).collect();
            Instead::node(Broadcast { shape: to.shape.clone(), axes }, &[argument(b, x)])
        }
        _ => None,
    },
    conv_of_one: (Op::Conv(Conv { window, groups: 1 }), &[x, w]) if window.is_one() => {
        product(b, [x, w], false)
    },
    conv_input_of_one: (Op::ConvInput(ConvInput { window, groups: 1, .. }), &[dy, w]) if window.is_one() => {
        product(b, [dy, w], true)
    },
    select_unpool: (Op::Select(Select), &[truth, x, zero]) => select_unpool(b, truth, x, zero),
    reduce_nothing: (Op::Reduce(reduce), &[x]) if reduce.axes.is_empty() => same(x),
    reduce_ones: (Op::Reduce(reduce), &[x]) => reduce_ones(b, reduce, x),
}

fn same(x: Value) -> Option<Instead> {
    Some(x.into())
}

fn argument(b: &Builder, x: Value) -> Value {
    b.graph().node(x).args[0]
}

fn negated(b: &Builder, x: Value) -> bool {
    b.graph().op(x) == &Unary::Neg.into()
}

fn one(b: &Builder, x: Value) -> bool {
    b.graph().splat(x) == Some(1.0)
}

/// A convolution by a window of one tap that stands on each element is a product of all of them by the kernel.
fn product(b: &mut Builder, [x, w]: [Value; 2], transpose_b: bool) -> Option<Instead> {
    let shape = b.graph().ty(x).shape.clone();
    let rank = shape.rank();
    let [c, k] = [2, 1].map(|axis| b.graph().ty(w).shape[rank - axis]);
    let rows = shape[..rank - 1].iter().product();
    let (images, kernel) = (b.add(Reshape([rows, shape[rank - 1]].into()), &[x]), b.add(Reshape([c, k].into()), &[w]));
    let all = b.add(Dot { transpose_b, ..Dot::default() }, &[images, kernel]);
    Instead::node(Reshape(shape.with(rank - 1, if transpose_b { c } else { k })), &[all])
}

/// A comparison of pooled images with one number, by which their gradient is kept or is zero, may be of the largest
/// elements: under a place, what has the gradient is the largest. So ReLU before a pooling needs no image on the way back.
fn select_unpool(b: &mut Builder, truth: Value, spread: Value, zero: Value) -> Option<Instead> {
    let (graph, is_zero) = (b.graph(), |number: Option<f64>| number.is_some_and(|number| number.to_bits() == 0));
    let (Op::Compare(compare), Op::Unpool(unpool)) = (graph.op(truth), graph.op(spread)) else { return None };
    let (&[images, other], &[y, taps]) = (&*graph.node(truth).args, &*graph.node(spread).args) else { return None };
    let Op::MaxPool(MaxPool { window }) = graph.op(taps) else { return None };
    let pool = graph.node(taps);
    let largest = pool.results().next().filter(|&largest| pool.args[0] == images && largest != taps)?;
    let least = graph.splat_number(other).filter(|_| *window == unpool.window && is_zero(graph.splat(zero)))?;
    let (compare, unpool, ty) = (*compare, unpool.clone(), graph.ty(y).clone());
    let [least, zero] = [least, Number::Double(0.0)].map(|number| splat(b, &ty, number));
    let truth = b.add(compare, &[largest, least]);
    let kept = b.add(Select, &[truth, y, zero]);
    Instead::node(unpool, &[kept, taps])
}

/// A number that fills a shape.
fn splat(b: &mut Builder, ty: &Type, number: Number) -> Value {
    let one = b.constant(Array::from_numbers(&Type::scalar(ty.dtype), |_| number));
    b.add(Broadcast { shape: ty.shape.clone(), axes: Box::default() }, &[one])
}

/// Along axes of size one there is nothing to bring together.
fn reduce_ones(b: &Builder, reduce: &Reduce, x: Value) -> Option<Instead> {
    let ty = b.graph().ty(x);
    if reduce.axes.is_empty() || !reduce.is_copy(ty) {
        return None;
    }
    let shape = &ty.shape;
    let kept = (0..shape.rank()).filter(|axis| !reduce.axes.contains(axis)).map(|axis| shape[axis]);
    Instead::node(Reshape(kept.collect()), &[x])
}
