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

/// Whether an op is row-wise: [`lift`] has it. A product is where one operand is the same for all rows and multiplied from
/// the right, since an element depends on its row of the left operand, its column and the shape of the right one alone.
pub(super) fn is_row_wise(op: &Op, operands: &[Operand], types: &[&Type]) -> bool {
    match op {
        Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) | Op::Cast(_) => true,
        Op::Reduce(_) | Op::Arg(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Broadcast(_) => true,
        Op::Dot(dot) => match operands {
            [Operand::Stacked, Operand::Stacked] => true,
            [Operand::Stacked, Operand::Fixed] => types[0].rank() == 2 && !dot.transpose_a,
            _ => false,
        },
        Op::Slice(_) | Op::Concatenate(_) | Op::Reverse(_) => true,
        Op::Pad(_) => operands[1] == Operand::Fixed,
        Op::Gather(_) => operands == [Operand::Fixed, Operand::Stacked],
        _ => false,
    }
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

/// The results of a row-wise op for `count` rows, stacked. `args` are the operands for all rows.
pub(super) fn lift(b: &mut Builder, count: usize, op: &Op, args: &[(Value, Operand)]) -> Value {
    let new: Op = match op {
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
        Op::Pad(pad) => {
            let [low, high, between] = [&pad.low, &pad.high, &pad.between].map(|list| before(0, list));
            return b.add(Pad { low, high, between }, &[args[0].0, args[1].0]);
        }
        Op::Gather(gather) => return b.add(*gather, &[args[0].0, args[1].0]),
        Op::Dot(dot) if args[1].1 == Operand::Fixed => return product(b, *dot, args[0].0, args[1].0),
        other => other.clone(),
    };
    let all = |b: &mut Builder, (value, operand): (Value, Operand)| match operand {
        Operand::Stacked => value,
        Operand::Fixed => {
            let shape = b.graph().ty(value).shape.clone();
            let axes = behind(&Vec::from_iter(0..shape.rank()));
            b.add(Broadcast { shape: stacked(count, &shape), axes }, &[value])
        }
    };
    let args: Vec<Value> = args.iter().map(|&arg| all(b, arg)).collect();
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
