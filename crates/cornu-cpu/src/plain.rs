//! Work on element types and forms that have no kernel of their own: one element after the other, as the reference
//! evaluator does, without allocating. Right for everything, quick for little.

use cornu_graph::ops::{Arg, Binary, Dot, Gather, Op, Reduce, Reduction};
use cornu_graph::{Bf16, DType, Element, Error, F16, Number, Result, Type};

use crate::arena::{Arena, Place};
use crate::kernels::memory::collect;
use crate::kernels::reduce::{BLOCK, in_blocks};
use crate::moves::Move;

/// Runs something on the row of a storage type, read (`all`) or written (`all_mut`), compiled for each type.
macro_rules! typed {
    ($arena:ident.$all:ident, $dtype:expr, $row:ident => $run:expr) => {
        typed!($arena.$all, $dtype, $row => $run; F32 f32, F64 f64, F16 f16, Bf16 bf16, I64 i64, I32 i32, I16 i16,
            I8 i8, U64 u64, U32 u32, U16 u16, U8 u8)
    };
    ($arena:ident.$all:ident, $dtype:expr, $row:ident => $run:expr; $($name:ident $field:ident),*) => {
        match $crate::arena::storage($dtype) {
            $(cornu_graph::DType::$name => { let $row = $arena.$field.$all(); $run })*
            other => unreachable!("{other} is not a storage type"),
        }
    };
}

pub(crate) use typed;

/// How many elements of mixed types are computed before they are written.
const MIXED: usize = 32;

/// An op on spans of any element types.
#[derive(Debug)]
pub(crate) enum Plain {
    /// One element after the other: the op, and its operands.
    Each(Op, Vec<Place>, Place),
    /// Copies.
    Moves(Vec<Move>, Place),
    /// Rows of a table by their numbers: table, numbers, result.
    Gather([Place; 2], Place),
    /// Sums into rows of a table by their numbers: table, numbers, what is added, result.
    ScatterAdd([Place; 3], Place),
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
                converted(&arena.i64.all()[args[0].range()], &mut arena.f32.all_mut()[out.range()], |x| x as f32);
            }
            Plain::Each(Op::Cast(_), args, out) if args[0].dtype.is_half() && out.dtype == DType::F32 => {
                let to = &mut arena.f32.all_mut()[out.range()];
                match args[0].dtype {
                    DType::F16 => converted(&arena.f16.all()[args[0].range()], to, F16::to_f32),
                    _ => converted(&arena.bf16.all()[args[0].range()], to, Bf16::to_f32),
                }
            }
            Plain::Each(Op::Cast(_), args, out) if args[0].dtype == DType::F32 && out.dtype.is_half() => {
                let from = &arena.f32.all()[args[0].range()];
                match out.dtype {
                    DType::F16 => converted(from, &mut arena.f16.all_mut()[out.range()], |x| F16::from_f64(x.into())),
                    _ => converted(from, &mut arena.bf16.all_mut()[out.range()], |x| Bf16::from_f64(x.into())),
                }
            }
            Plain::Each(op, args, out) if args.iter().all(|arg| arg.dtype == out.dtype) => {
                typed!(arena.all_mut, out.dtype, row => each(row, op, args, *out));
            }
            Plain::Each(op, args, out) => mixed(arena, op, args, *out),
            Plain::Moves(moves, _) => moves.iter().for_each(|part| part.run(arena)),
            Plain::Gather(args, to) => gather(arena, *args, *to),
            Plain::ScatterAdd(args, to) => scatter_add(arena, *args, *to),
            Plain::Reduce(kind, from, to, map) => {
                typed!(arena.all_mut, to.dtype, row => reduce(row, *kind, *from, *to, map));
            }
            Plain::Sum(from, to, count, places) => {
                for (i, places) in places.chunks_exact(*count).enumerate() {
                    let row = arena.f32.all();
                    let sum = |block: &[u32]| block.iter().fold(0.0, |total, &j| total + row[from.at + j as usize]);
                    let total = in_blocks(places, sum);
                    arena.f32.all_mut()[to.at + i] = total;
                }
            }
            Plain::Arg(arg, sizes, from, to) => {
                for i in 0..to.len {
                    let best = typed!(arena.all, from.dtype, row => winner(*arg, *sizes, i, &row[from.range()]));
                    arena.i64.all_mut()[to.at + i] = best as i64;
                }
            }
            Plain::Dot(dot, sizes, args, out) => {
                typed!(arena.all_mut, out.dtype, row => product(row, *dot, *sizes, *args, *out));
            }
        }
    }
}

fn converted<A: Copy, B>(from: &[A], to: &mut [B], convert: impl Fn(A) -> B) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = convert(from));
}

/// The index of the best of `count` elements for element `i` of the result.
fn winner<T: Element>(arg: Arg, [_, count, inner]: [usize; 3], i: usize, x: &[T]) -> usize {
    arg.winner(count, |j| x[(i / inner * count + j) * inner + i % inner])
}

fn each<T: Element>(row: &mut [T], op: &Op, args: &[Place], out: Place) {
    for i in 0..out.len {
        row[out.at + i] = T::from_number(op.element(out.dtype, |k| row[args[k].at + i].number()));
    }
}

/// As [`each`], where operands and result, or the condition of a choice, are of different types.
fn mixed(arena: &mut Arena, op: &Op, args: &[Place], out: Place) {
    let own = args[args.len() - 1].dtype;
    let mut block = [Number::Whole(0); MIXED];
    for start in (0..out.len).step_by(MIXED) {
        let block = &mut block[..MIXED.min(out.len - start)];
        typed!(arena.all, own, row => for (i, number) in block.iter_mut().enumerate() {
            let x = |k: usize| match args[k] {
                arg if arg.dtype == own => row[arg.at + start + i].number(),
                arg => arena.number(arg, start + i),
            };
            *number = op.element(out.dtype, x);
        });
        typed!(arena.all_mut, out.dtype, row => for (i, number) in block.iter().enumerate() {
            row[out.at + start + i] = Element::from_number(*number);
        });
    }
}

fn reduce<T: Element>(row: &mut [T], kind: Reduction, from: Place, to: Place, map: &[u32]) {
    row[to.range()].fill(T::from_number(kind.start(to.dtype)));
    for (i, &j) in map.iter().enumerate() {
        let at = to.at + j as usize;
        row[at] = T::from_number(kind.step(row[at].number(), row[from.at + i].number()));
    }
}

fn product<T: Element>(
    row: &mut [T],
    dot: Dot,
    (batch, m, k, n): (usize, usize, usize, usize),
    [a, b]: [Place; 2],
    out: Place,
) {
    for at in 0..batch * m * n {
        let (matrix, line, column) = (at / (m * n), at / n % m, at % n);
        let x =
            |i: usize| row[a.at + matrix * m * k + if dot.transpose_a { i * m + line } else { line * k + i }].number();
        let y = |i: usize| {
            row[b.at + matrix * k * n + if dot.transpose_b { column * k + i } else { i * n + column }].number()
        };
        let total = Dot::sum(out.dtype, (0..k).map(|i| (x(i), y(i))));
        row[out.at + at] = T::from_number(total);
    }
}

fn gather(arena: &mut Arena, [table, rows]: [Place; 2], to: Place) {
    let width = to.len / rows.len.max(1);
    let Some(count) = table.len.checked_div(width) else { return };
    for i in 0..rows.len {
        let (row, at) = (Gather::row(arena.number(rows, i), count), to.at + i * width);
        typed!(arena.all_mut, to.dtype, data => match row {
            Some(row) => data.copy_within(table.at + row * width..table.at + (row + 1) * width, at),
            None => data[at..at + width].fill(Default::default()),
        });
    }
}

fn scatter_add(arena: &mut Arena, [table, rows, new]: [Place; 3], to: Place) {
    arena.copy(table, to);
    let width = new.len / rows.len.max(1);
    let Some(count) = to.len.checked_div(width) else { return };
    for i in 0..rows.len {
        let Some(row) = Gather::row(arena.number(rows, i), count) else { continue };
        typed!(arena.all_mut, to.dtype, data => for j in 0..width {
            let (total, new) = (to.at + row * width + j, new.at + i * width + j);
            data[total] = Element::from_number(Binary::Add.number(data[total].number(), data[new].number()));
        });
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
        let error = indices(2, (1 << 32) + 1, |i| i << 32).expect_err("the second place is 2^32").to_string();
        assert_eq!(error, "an index map needs at most 4294967296 elements to choose from, got 4294967297");
        assert_eq!(indices(2, 1 << 32, |i| i * 0xffff_ffff).expect("the largest place is 2^32 - 1"), [0, u32::MAX]);
        let ty = Type::new(DType::U8, [1, (1 << 32) + 1, 0]);
        assert!(reduced_places(&ty, &[0, 2]).is_err());
    }
}
