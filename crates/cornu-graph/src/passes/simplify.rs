//! Algebra: rules that hold for every number, including infinities, signed zeros and not-a-number.

use crate::graph::{Builder, Graph, Value};
use crate::ops::{Binary, Broadcast, Leaf, Op, Reshape, Transpose, Unary};
use crate::rewrite::rewrite;

/// Removes what changes nothing and joins what can be joined.
pub fn simplify(graph: &Graph) -> Graph {
    rewrite(graph, |b, op, args| match (op, args) {
        (Op::Unary(Unary::StopGradient), &[x]) => Some(x),
        (Op::Unary(Unary::Neg), &[x]) if b.graph().op(x) == &Unary::Neg.into() => Some(argument(b, x)),
        (Op::Unary(Unary::Not), &[x]) if b.graph().op(x) == &Unary::Not.into() => Some(argument(b, x)),
        (Op::Binary(op), &[x, y]) => binary(b, *op, x, y),
        (Op::Cast(to), &[x]) if b.graph().ty(x).dtype == to.0 => Some(x),
        (Op::Reshape(to), &[x]) => reshape(b, to, x),
        (Op::Transpose(order), &[x]) => transpose(b, order, x),
        (Op::Broadcast(to), &[x]) => broadcast(b, to, x),
        (Op::Reduce(reduce), &[x]) if reduce.axes.is_empty() => Some(x),
        (Op::Reduce(reduce), &[x]) if reduce.axes.iter().all(|&axis| b.graph().ty(x).shape[axis] == 1) => {
            let shape = b.graph().ty(x).shape.clone();
            let kept = (0..shape.rank()).filter(|axis| !reduce.axes.contains(axis)).map(|axis| shape[axis]);
            let to = Reshape(kept.collect());
            reshape(b, &to, x).or_else(|| Some(b.add(to, &[x])))
        }
        (Op::Select(_), &[_, x, y]) if x == y => Some(x),
        _ => None,
    })
}

fn argument(b: &Builder, x: Value) -> Value {
    b.graph().node(x).args[0]
}

fn binary(b: &mut Builder, op: Binary, x: Value, y: Value) -> Option<Value> {
    // Adding zero is not here: -0 + 0 is 0.
    let one = |value| b.graph().splat(value) == Some(1.0);
    match op {
        Binary::Mul if one(y) => Some(x),
        Binary::Mul if one(x) => Some(y),
        Binary::Div if one(y) => Some(x),
        Binary::Pow if one(y) => Some(x),
        Binary::Add => match (b.graph().op(x), b.graph().op(y)) {
            (_, Op::Unary(Unary::Neg)) => Some(b.add(Binary::Sub, &[x, argument(b, y)])),
            _ => None,
        },
        Binary::Sub => match b.graph().op(y) {
            Op::Unary(Unary::Neg) => Some(b.add(Binary::Add, &[x, argument(b, y)])),
            _ => None,
        },
        Binary::And | Binary::Or if x == y => Some(x),
        _ => None,
    }
}

fn reshape(b: &mut Builder, to: &Reshape, x: Value) -> Option<Value> {
    if b.graph().ty(x).shape == to.0 {
        return Some(x);
    }
    match b.graph().op(x).clone() {
        Op::Reshape(_) => {
            let x = argument(b, x);
            reshape(b, to, x).or_else(|| Some(b.add(to.clone(), &[x])))
        }
        // A splat may be repeated to any shape.
        Op::Broadcast(from) if from.axes.is_empty() => {
            Some(b.add(Broadcast { shape: to.0.clone(), axes: Box::default() }, &[argument(b, x)]))
        }
        Op::Leaf(Leaf::Constant(constant)) => {
            let array = constant.array().clone().reshape(to.0.clone()).expect("the type rule was asked first");
            Some(b.constant(array))
        }
        _ => None,
    }
}

fn transpose(b: &mut Builder, order: &Transpose, x: Value) -> Option<Value> {
    if order.0.iter().copied().eq(0..order.0.len()) {
        return Some(x);
    }
    match b.graph().op(x).clone() {
        Op::Transpose(first) => {
            let (joined, x) = (first.then(order), argument(b, x));
            transpose(b, &joined, x).or_else(|| Some(b.add(joined, &[x])))
        }
        _ => None,
    }
}

fn broadcast(b: &mut Builder, to: &Broadcast, x: Value) -> Option<Value> {
    if b.graph().ty(x).shape == to.shape {
        return Some(x);
    }
    match b.graph().op(x).clone() {
        Op::Broadcast(first) => {
            let axes = first.axes.iter().map(|&axis| to.axes[axis]).collect();
            Some(b.add(Broadcast { shape: to.shape.clone(), axes }, &[argument(b, x)]))
        }
        _ => None,
    }
}
