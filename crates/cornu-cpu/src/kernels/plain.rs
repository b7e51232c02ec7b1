//! Work on element types and forms that have no kernel of their own: one element after the other, as the reference
//! evaluator does, without allocating. Right for everything, quick for little.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Arg, Binary, Gather, Reduce, Reduction};
use cornu_graph::{DType, Element, Error, Number, Result, Type};

use super::memory::{collect, typed};
use super::moves::Move;
use super::operand::{Bases, Kernel, Place};
use super::reduce::{self, BLOCK, in_blocks};
use super::simd::Level;

/// An op on spans of any element types.
#[derive(Debug)]
pub(crate) enum Plain {
    /// A copy.
    Copy(Place, Place),
    /// Sums or extremes of singles along neighbouring axes.
    Neighbours(reduce::Reduce, Place, Place),
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
}

impl Plain {
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

    fn all(&self, bases: Bases) {
        match self {
            Plain::Copy(from, to) => bases.copy(*from, *to),
            // SAFETY: promised by the caller of `run`; so below.
            Plain::Neighbours(reduce, x, out) => unsafe { reduce.run(bases.slice(*x), bases.slice_mut(*out)) },
            // SAFETY: as above.
            Plain::Moves(moves, _) => moves.iter().for_each(|part| unsafe { part.run(bases) }),
            Plain::Gather(args, to) => gather(bases, *args, *to),
            Plain::ScatterAdd(args, to) => scatter_add(bases, *args, *to),
            Plain::Reduce(kind, from, to, map) => typed!(to.dtype, T => fold::<T>(bases, *kind, *from, *to, map)),
            Plain::Sum(from, to, count, places) => {
                let (from, to) = (Row::<f32>::new(bases, *from), Row::<f32>::new(bases, *to));
                let sum = |block: &[u32]| block.iter().fold(0.0, |total, &j| total + from.get(j as usize));
                places.chunks_exact(*count).enumerate().for_each(|(i, places)| to.set(i, in_blocks(places, sum)));
            }
            Plain::Arg(arg, sizes, from, to) => {
                let best = Row::<i64>::new(bases, *to);
                let winner = |i| typed!(from.dtype, T => winner(*arg, *sizes, i, Row::<T>::new(bases, *from)));
                (0..to.len).for_each(|i| best.set(i, winner(i) as i64));
            }
        }
    }
}

impl Kernel for Plain {
    fn units(&self) -> usize {
        1
    }

    fn grain(&self) -> usize {
        1
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, _: Range<usize>, _: *mut u8) {
        self.all(bases);
    }
}

/// What the step does, for snapshots of plans.
impl fmt::Display for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plain::Copy(from, _) => write!(f, "copy {}", from.len),
            Plain::Neighbours(reduce, x, out) => write!(f, "reduce {:?} {} -> {}", reduce.kind, x.len, out.len),
            Plain::Moves(moves, to) => {
                f.write_str("move")?;
                moves.iter().try_for_each(|part| write!(f, " {}", part.from.len))?;
                write!(f, " -> {}", to.len)
            }
            Plain::Gather([table, _], to) => write!(f, "gather {} -> {}", table.len, to.len),
            Plain::ScatterAdd([table, _, new], _) => write!(f, "scatter_add {} -> {}", new.len, table.len),
            Plain::Reduce(kind, from, to, _) => write!(f, "reduce {kind:?} {} -> {}", from.len, to.len),
            Plain::Sum(from, to, ..) => write!(f, "reduce Sum {} -> {}", from.len, to.len),
            Plain::Arg(arg, _, from, to) => write!(f, "{arg} {} -> {}", from.len, to.len),
        }
    }
}

/// The elements of a value, of which another may be at the same place.
#[derive(Clone, Copy)]
struct Row<T>(*mut T, usize);

impl<T: Copy> Row<T> {
    fn new(bases: Bases, place: Place) -> Row<T> {
        Row(bases.at(place.span), place.len)
    }

    fn get(self, i: usize) -> T {
        assert!(i < self.1, "element {i} of {}", self.1);
        // SAFETY: places lie inside their buffers.
        unsafe { *self.0.add(i) }
    }

    fn set(self, i: usize, x: T) {
        assert!(i < self.1, "element {i} of {}", self.1);
        // SAFETY: as above.
        unsafe { *self.0.add(i) = x };
    }
}

/// Element `i` of a value.
fn number(bases: Bases, place: Place, i: usize) -> Number {
    typed!(place.dtype, T => Row::<T>::new(bases, place).get(i).number())
}

/// The index of the best of `count` elements for element `i` of the result.
fn winner<T: Element>(arg: Arg, [_, count, inner]: [usize; 3], i: usize, x: Row<T>) -> usize {
    arg.winner(count, |j| x.get((i / inner * count + j) * inner + i % inner))
}

fn fold<T: Element>(bases: Bases, kind: Reduction, from: Place, to: Place, map: &[u32]) {
    let (x, out) = (Row::<T>::new(bases, from), Row::<T>::new(bases, to));
    (0..to.len).for_each(|i| out.set(i, T::from_number(kind.start(to.dtype))));
    for (i, &j) in map.iter().enumerate() {
        let j = j as usize;
        out.set(j, T::from_number(kind.step(out.get(j).number(), x.get(i).number())));
    }
}

fn gather(bases: Bases, [table, rows]: [Place; 2], to: Place) {
    let width = to.len / rows.len.max(1);
    let Some(count) = table.len.checked_div(width) else { return };
    for i in 0..rows.len {
        let row = Gather::row(number(bases, rows, i), count);
        typed!(to.dtype, T => {
            let (from, to) = (Row::<T>::new(bases, table), Row::<T>::new(bases, to));
            for j in 0..width {
                to.set(i * width + j, row.map_or(T::default(), |row| from.get(row * width + j)));
            }
        });
    }
}

fn scatter_add(bases: Bases, [table, rows, new]: [Place; 3], to: Place) {
    bases.copy(table, to);
    let width = new.len / rows.len.max(1);
    let Some(count) = to.len.checked_div(width) else { return };
    for i in 0..rows.len {
        let Some(row) = Gather::row(number(bases, rows, i), count) else { continue };
        typed!(to.dtype, T => {
            let (new, to) = (Row::<T>::new(bases, new), Row::<T>::new(bases, to));
            for j in 0..width {
                let (at, new) = (row * width + j, new.get(i * width + j));
                to.set(at, T::from_number(Binary::Add.number(to.get(at).number(), new.number())));
            }
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
