//! Work on element types and forms that have no kernel of their own: one element after the other, through doubles,
//! without allocating. Right for everything, quick for little.

use cornu_graph::ops::{Arg, Dot, Op, Reduce, Reduction};
use cornu_graph::{DType, Error, Result, Type};

use crate::arena::{Arena, Place};
use crate::kernels::memory::collect;
use crate::kernels::reduce::{BLOCK, in_blocks};

/// An op on spans of any element types.
#[derive(Debug)]
pub(crate) enum Plain {
    /// One element after the other: the op, and its operands.
    Each(Op, Vec<Place>, Place),
    /// Element `i` of the result is element `map[i]` of the operand.
    Gather(Place, Place, Vec<u32>),
    /// Element `i` of the operand goes to element `map[i]` of the result.
    Reduce(Reduction, Place, Place, Vec<u32>),
    /// The sum of each `count` elements in turn, named by their places: of singles, in blocks.
    Sum(Place, Place, usize, Vec<u32>),
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
    ///
    /// # Errors
    /// Those of [`indices`].
    pub(crate) fn gather(from: Place, to: Place, map: impl Fn(usize) -> usize) -> Result<Plain> {
        Ok(Plain::Gather(from, to, indices(to.len, from.len, map)?))
    }

    /// Brings together elements along axes that are no neighbours.
    ///
    /// # Errors
    /// Those of [`indices`].
    pub(crate) fn reduce(reduce: &Reduce, ty: &Type, from: Place, to: Place) -> Result<Plain> {
        let map = reduced_places(ty, &reduce.axes)?;
        let count = from.len.checked_div(to.len).unwrap_or(0);
        if (reduce.kind, from.dtype) != (Reduction::Sum, DType::F32) || count <= BLOCK {
            return Ok(Plain::Reduce(reduce.kind, from, to, map));
        }
        let mut places = indices(from.len, from.len, |i| i)?;
        places.sort_unstable_by_key(|&i| (map[i as usize], i));
        Ok(Plain::Sum(from, to, count, places))
    }

    pub(crate) fn run(&self, arena: &mut Arena) {
        match self {
            // Labels and counts of steps, in every step of training.
            Plain::Each(Op::Cast(_), args, out) if (args[0].dtype, out.dtype) == (DType::I64, DType::F32) => {
                let (from, to) = (&arena.i64.all()[args[0].range()], &mut arena.f32.all_mut()[out.range()]);
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from as f64 as f32);
            }
            Plain::Each(op, args, out) => (0..out.len).for_each(|i| arena.set(*out, i, element(arena, op, args, i))),
            Plain::Gather(from, to, map) if from.dtype == DType::F32 => {
                let row = arena.f32.all_mut();
                map.iter().enumerate().for_each(|(i, &j)| row[to.at + i] = row[from.at + j as usize]);
            }
            Plain::Gather(from, to, map) => {
                map.iter().enumerate().for_each(|(i, &j)| arena.set(*to, i, arena.get(*from, j as usize)));
            }
            Plain::Reduce(kind, from, to, map) => {
                (0..to.len).for_each(|i| arena.set(*to, i, kind.start()));
                for (i, &j) in map.iter().enumerate() {
                    arena.set(*to, j as usize, kind.step(arena.get(*to, j as usize), arena.get(*from, i)));
                }
            }
            Plain::Sum(from, to, count, places) => {
                for (i, places) in places.chunks_exact(*count).enumerate() {
                    let row = arena.f32.all();
                    let sum = |block: &[u32]| block.iter().fold(0.0, |total, &j| total + row[from.at + j as usize]);
                    let total = in_blocks(places, sum);
                    arena.f32.all_mut()[to.at + i] = total;
                }
            }
            Plain::Arg(arg, sizes, from, to) if from.dtype == DType::F32 => {
                let best = |arena: &Arena, i| {
                    let x = &arena.f32.all()[from.range()];
                    winner(arg.largest, *sizes, i, |j| f64::from(x[j]))
                };
                (0..to.len).for_each(|i| arena.set(*to, i, best(arena, i)));
            }
            Plain::Arg(arg, sizes, from, to) => {
                (0..to.len).for_each(|i| arena.set(*to, i, winner(arg.largest, *sizes, i, |j| arena.get(*from, j))));
            }
            Plain::Dot(dot, sizes, args, out) => product(arena, *dot, *sizes, *args, *out),
        }
    }
}

fn element(arena: &Arena, op: &Op, args: &[Place], i: usize) -> f64 {
    let x = |k: usize| arena.get(args[k], i);
    match op {
        Op::Unary(op) => op.f64(x(0)),
        Op::Binary(op) => op.f64(x(0), x(1)),
        Op::Compare(op) => f64::from(u8::from(op.f64(x(0), x(1)))),
        Op::Select(_) => x(if x(0) != 0.0 { 1 } else { 2 }),
        Op::Cast(to) if to.0 == DType::Bool => f64::from(u8::from(x(0) != 0.0)),
        Op::Cast(_) => x(0),
        other => unreachable!("`{other}` is not element by element"),
    }
}

/// The index of the best of `count` elements for element `i` of the result.
fn winner(largest: bool, [_, count, inner]: [usize; 3], i: usize, x: impl Fn(usize) -> f64) -> f64 {
    let element = |j: usize| x((i / inner * count + j) * inner + i % inner);
    let (mut best, mut at) = (element(0), 0);
    for j in 1..count {
        let new = element(j);
        if !best.is_nan() && (new.is_nan() || if largest { new > best } else { new < best }) {
            (best, at) = (new, j);
        }
    }
    at as f64
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
        let x = |i| arena.get(a, matrix * m * k + if dot.transpose_a { i * m + row } else { row * k + i });
        let y = |i| arena.get(b, matrix * k * n + if dot.transpose_b { column * k + i } else { i * n + column });
        let total: f64 = (0..k).map(|i| x(i) * y(i)).sum();
        arena.set(out, at, total);
    }
}

/// `map(i)` for each of `len` elements: places among `range` elements.
///
/// # Errors
/// There must be memory for them, and 32 bits must number the range.
pub(crate) fn indices(len: usize, range: usize, map: impl Fn(usize) -> usize) -> Result<Vec<u32>> {
    if u32::try_from(range.saturating_sub(1)).is_err() {
        let message = format!("an index map needs at most {} elements to choose from, got {range}", 1u64 << 32);
        return Err(Error::unsupported(message));
    }
    let missing =
        || Error::memory(format_args!("an index map of {len} elements"), len.saturating_mul(size_of::<u32>()));
    collect((0..len).map(|i| map(i) as u32)).ok_or_else(missing)
}

/// Where element `i` of an array goes when `axes` disappear.
///
/// # Errors
/// Those of [`indices`].
fn reduced_places(ty: &Type, axes: &[usize]) -> Result<Vec<u32>> {
    let strides = ty.shape.strides();
    let mut weights = vec![0; ty.rank()];
    let mut size = 1;
    for axis in (0..ty.rank()).rev().filter(|axis| !axes.contains(axis)) {
        weights[axis] = size;
        size = ty.shape[axis].saturating_mul(size);
    }
    let place = |i: usize| (0..ty.rank()).map(|axis| i / strides[axis] % ty.shape[axis] * weights[axis]).sum::<usize>();
    indices(ty.size(), size, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_beyond_32_bits_are_refused() {
        let large = Place { dtype: DType::U8, at: 0, len: (1 << 32) + 1 };
        let few = Place { len: 2, ..large };
        let error = Plain::gather(large, few, |i| i << 32).expect_err("the second place is 2^32").to_string();
        assert_eq!(error, "an index map needs at most 4294967296 elements to choose from, got 4294967297");
        let Ok(Plain::Gather(_, _, map)) = Plain::gather(Place { len: 1 << 32, ..large }, few, |i| i * 0xffff_ffff)
        else {
            panic!("the largest place is 2^32 - 1");
        };
        assert_eq!(map, [0, u32::MAX]);
        let ty = Type::new(DType::U8, [1, (1 << 32) + 1, 0]);
        assert!(reduced_places(&ty, &[0, 2]).is_err());
    }
}
