//! Work on element types and forms that have no kernel of their own: one element after the other, as the reference
//! evaluator does, without allocating. Right for everything, quick for little.

use cornu_graph::ops::{Arg, Dot, Op, Reduction};
use cornu_graph::{DType, Number, Type};

use crate::arena::{Arena, Place};

/// An op on spans of any element types.
#[derive(Debug)]
pub(crate) enum Plain {
    /// One element after the other: the op, and its operands.
    Each(Op, Vec<Place>, Place),
    /// Element `i` of the result is element `map[i]` of the operand.
    Gather(Place, Place, Vec<u32>),
    /// Element `i` of the operand goes to element `map[i]` of the result.
    Reduce(Reduction, Place, Place, Vec<u32>),
    /// Where along an axis the largest or smallest is: `x[outer, count, inner]`.
    Arg(Arg, [usize; 3], Place, Place),
    /// `(batch, m, k, n)` matrix products.
    Dot(Dot, (usize, usize, usize, usize), [Place; 2], Place),
}

impl Plain {
    /// Each element of the result from the same element of the operands.
    pub(crate) fn each(op: &Op, args: &[Place], out: Place) -> Plain {
        Plain::Each(op.clone(), args.to_vec(), out)
    }

    /// Element `i` of the result from element `map(i)` of the operand.
    pub(crate) fn gather(from: Place, to: Place, map: impl Fn(usize) -> usize) -> Plain {
        Plain::Gather(from, to, (0..to.len).map(|i| map(i) as u32).collect())
    }

    pub(crate) fn run(&self, arena: &mut Arena) {
        match self {
            // Labels and counts of steps, in every step of training.
            Plain::Each(Op::Cast(_), args, out) if (args[0].dtype, out.dtype) == (DType::I64, DType::F32) => {
                let (from, to) = (&arena.i64.all()[args[0].range()], &mut arena.f32.all_mut()[out.range()]);
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from as f32);
            }
            Plain::Each(op, args, out) => {
                for i in 0..out.len {
                    let number = op.element(|k| arena.number(args[k], i));
                    arena.set_number(*out, i, number);
                }
            }
            Plain::Gather(from, to, map) => arena.gather(*from, *to, map),
            Plain::Reduce(kind, from, to, map) => {
                (0..to.len).for_each(|i| arena.set_number(*to, i, kind.start(to.dtype)));
                for (i, &j) in map.iter().enumerate() {
                    let total = kind.step(arena.number(*to, j as usize), arena.number(*from, i));
                    arena.set_number(*to, j as usize, total);
                }
            }
            Plain::Arg(arg, sizes, from, to) if from.dtype == DType::F32 => {
                let best = |arena: &Arena, i| {
                    let x = &arena.f32.all()[from.range()];
                    winner(*arg, *sizes, i, |j| x[j])
                };
                (0..to.len).for_each(|i| arena.set_number(*to, i, best(arena, i)));
            }
            Plain::Arg(arg, sizes, from, to) => {
                (0..to.len).for_each(|i| arena.set_number(*to, i, winner(*arg, *sizes, i, |j| arena.number(*from, j))));
            }
            Plain::Dot(dot, sizes, args, out) => product(arena, *dot, *sizes, *args, *out),
        }
    }
}

/// The index of the best of `count` elements for element `i` of the result.
fn winner<T: PartialOrd + Copy>(arg: Arg, [_, count, inner]: [usize; 3], i: usize, x: impl Fn(usize) -> T) -> Number {
    Number::Whole(arg.winner(count, |j| x((i / inner * count + j) * inner + i % inner)) as i128)
}

fn product(
    arena: &mut Arena,
    dot: Dot,
    (batch, m, k, n): (usize, usize, usize, usize),
    [a, b]: [Place; 2],
    out: Place,
) {
    for at in 0..batch * m * n {
        let (matrix, row, column) = (at / (m * n), at / n % m, at % n);
        let x = |i| arena.number(a, matrix * m * k + if dot.transpose_a { i * m + row } else { row * k + i });
        let y = |i| arena.number(b, matrix * k * n + if dot.transpose_b { column * k + i } else { i * n + column });
        let total = Dot::sum(out.dtype, (0..k).map(|i| (x(i), y(i))));
        arena.set_number(out, at, total);
    }
}

/// Where element `i` of an array goes when `axes` disappear.
pub(crate) fn reduced_places(ty: &Type, axes: &[usize]) -> Vec<u32> {
    let strides = ty.shape.strides();
    let mut weights = vec![0; ty.rank()];
    let mut size = 1;
    for axis in (0..ty.rank()).rev().filter(|axis| !axes.contains(axis)) {
        weights[axis] = size;
        size *= ty.shape[axis];
    }
    let place = |i: usize| (0..ty.rank()).map(|axis| i / strides[axis] % ty.shape[axis] * weights[axis]).sum::<usize>();
    (0..ty.size()).map(|i| place(i) as u32).collect()
}
