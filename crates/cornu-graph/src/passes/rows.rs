//! What an op on rows is on all rows at once, with the same bits in each.

use crate::builder::Builder;
use crate::graph::Value;
use crate::ops::{Arg, Broadcast, Concatenate, Dot, Op, Pad, Reduce, Reshape, Reverse, Slice, Transpose};
use crate::{Shape, Type};

/// An operand of an op on rows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand {
    /// The same for each row.
    Fixed,
    /// A row for each, stacked along a new first axis.
    Stacked,
}

/// Whether one row of an op's result depends on one row of its operands alone.
pub(super) fn is_row_wise(op: &Op, operands: &[Operand], types: &[&Type]) -> bool {
    lifted(op, operands, types, 1).is_some()
}

/// The op that does to `count` rows at once what this one does to each, if it is row-wise. A product is where one operand
/// is the same for all rows and multiplied from the right, since an element depends on its row of the left operand, its
/// column and the shape of the right one alone.
fn lifted(op: &Op, operands: &[Operand], types: &[&Type], count: usize) -> Option<Op> {
    Some(match op {
        op if op.is_elementwise() => op.clone(),
        Op::Reduce(reduce) => Reduce { kind: reduce.kind, axes: behind(&reduce.axes) }.into(),
        Op::Arg(arg) => Arg { axis: arg.axis + 1, ..*arg }.into(),
        Op::Reshape(to) => Reshape(stacked(count, &to.0)).into(),
        Op::Transpose(order) => Transpose(along(&order.0)).into(),
        Op::Broadcast(to) => Broadcast { shape: stacked(count, &to.shape), axes: along(&to.axes) }.into(),
        Op::Reverse(reverse) => Reverse { axes: behind(&reverse.axes) }.into(),
        Op::Concatenate(op) => Concatenate { axis: op.axis + 1 }.into(),
        Op::Slice(Slice { starts, limits, strides }) => {
            let [starts, limits] = [(0, starts), (count, limits)].map(|(first, rest)| before(first, rest));
            Slice { starts, limits, strides: before(1, strides) }.into()
        }
        Op::Pad(pad) if operands[1] == Operand::Fixed => {
            let [low, high, between] = [&pad.low, &pad.high, &pad.between].map(|list| before(0, list));
            Pad { low, high, between }.into()
        }
        Op::Gather(_) if operands == [Operand::Fixed, Operand::Stacked] => op.clone(),
        Op::Dot(dot) if !operands.contains(&Operand::Fixed) && !dot.side_by_side => op.clone(),
        Op::Dot(dot)
            if operands[1] == Operand::Fixed && types[0].rank() == 2 && !dot.transpose_a && !dot.side_by_side =>
        {
            op.clone()
        }
        _ => return None,
    })
}

/// The op that does to one row, along a first axis of size 1, what this one does to all rows, if it is row-wise. The rows of
/// a broadcast may all be the same.
pub(super) fn narrowed(op: &Op, operands: &[Operand], types: &[&Type]) -> Option<Op> {
    let all_rows = !operands.contains(&Operand::Fixed);
    Some(match op {
        op if op.is_elementwise() && all_rows => op.clone(),
        Op::Reshape(to) => Reshape(to.0.with(0, 1)).into(),
        Op::Broadcast(to) if all_rows == (to.axes.first() == Some(&0)) => {
            Broadcast { shape: to.shape.with(0, 1), axes: to.axes.clone() }.into()
        }
        Op::Transpose(order) if order.0.first() == Some(&0) => op.clone(),
        Op::Reduce(reduce) if !reduce.axes.contains(&0) => op.clone(),
        Op::Slice(Slice { starts, limits, strides }) if (starts[0], strides[0]) == (0, 1) => {
            Slice { starts: starts.clone(), limits: before(1, &limits[1..]), strides: strides.clone() }.into()
        }
        Op::Dot(dot) if all_rows && !dot.side_by_side && types.iter().all(|ty| ty.rank() > 2) => op.clone(),
        _ => return None,
    })
}

/// `shape` along a new first axis.
fn stacked(count: usize, shape: &[usize]) -> Shape {
    Shape::from(&*before(count, shape))
}

/// A list with one more in front.
fn before(first: usize, rest: &[usize]) -> Box<[usize]> {
    std::iter::once(first).chain(rest.iter().copied()).collect()
}

/// Axes behind a new first one.
fn behind(axes: &[usize]) -> Box<[usize]> {
    axes.iter().map(|axis| axis + 1).collect()
}

/// The first axis, and axes behind it.
fn along(axes: &[usize]) -> Box<[usize]> {
    std::iter::once(0).chain(axes.iter().map(|axis| axis + 1)).collect()
}

/// The results of a row-wise op for `count` rows, stacked. `args` are the operands for all rows, `types` those of one.
pub(super) fn lift(b: &mut Builder, count: usize, op: &Op, args: &[(Value, Operand)], types: &[&Type]) -> Value {
    let operands: Vec<Operand> = args.iter().map(|&(_, operand)| operand).collect();
    let new = lifted(op, &operands, types, count).expect("a row-wise op");
    if let (Op::Dot(dot), [(x, _), (w, Operand::Fixed)]) = (op, args) {
        return product(b, *dot, *x, *w);
    }
    let as_it_is = matches!(op, Op::Pad(_) | Op::Gather(_));
    let all = |&(value, operand): &(Value, Operand)| {
        if operand == Operand::Stacked || as_it_is {
            return value;
        }
        let shape = b.graph().ty(value).shape.clone();
        let axes = behind(&Vec::from_iter(0..shape.rank()));
        b.add(Broadcast { shape: stacked(count, &shape), axes }, &[value])
    };
    let args: Vec<Value> = args.iter().map(all).collect();
    b.add(new, &args)
}

/// `x[t, m, k] · w` as one product.
fn product(b: &mut Builder, dot: Dot, x: Value, w: Value) -> Value {
    let [t, m, k] = b.graph().ty(x).shape[..] else { unreachable!("rows of matrices") };
    let rows = b.add(Reshape([t * m, k].into()), &[x]);
    let y = b.add(dot, &[rows, w]);
    let n = b.graph().ty(y).shape[1];
    b.add(Reshape([t, m, n].into()), &[y])
}
