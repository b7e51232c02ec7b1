//! Where along an axis the largest or smallest element is, for every element type.

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::Arg as Op;
use cornu_graph::{DType, Shape, Type};

use super::memory::typed;
use super::num::{Num, Stored};
use super::operand::{Bases, Kernel, Span};
use super::simd::{Level, Portable, Simd, dispatch};

/// Elements that are worth a thread.
const GRAIN: usize = 16 * 1024;
/// Columns, or short rows, that are gone through together.
const COLUMNS: usize = 64;
/// From this many elements on a row is gone through by itself.
const LONG: usize = 64;

/// The index of the first of the best elements: `x[outer, count, inner]` to `i64[outer, inner]`. Not-a-number is the best.
/// Its units are results.
#[derive(Debug)]
pub(crate) struct Arg {
    op: Op,
    dtype: DType,
    outer: usize,
    count: usize,
    inner: usize,
    from: Span,
    to: Span,
}

impl Arg {
    pub(crate) fn new(op: Op, x: &Type, from: Span, to: Span) -> Arg {
        let size = |dims: &[usize]| Shape::from(dims).size();
        let (outer, inner) = (size(&x.shape[..op.axis]), size(&x.shape[op.axis + 1..]));
        Arg { op, dtype: x.dtype, outer, count: x.shape[op.axis], inner, from, to }
    }
}

impl Kernel for Arg {
    fn units(&self) -> usize {
        self.outer * self.inner
    }

    fn grain(&self) -> usize {
        (GRAIN / self.count.max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        // SAFETY: the caller's promise.
        match self.dtype {
            DType::F32 => unsafe { run_level::<f32>(level, self, bases, units) },
            // One loop each: every one takes its time to compile.
            dtype => typed!(dtype, T => unsafe { run_with::<Portable, T>(Portable, self, bases, units) }),
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.op, self.units() * self.count, self.units())
    }
}

dispatch! { unsafe fn run_level<T: Stored> = run_with(arg: &Arg, bases: Bases, units: Range<usize>); }

/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn run_with<S: Simd, T: Stored>(_: S, arg: &Arg, bases: Bases, mut units: Range<usize>) {
    let (from, to) = (bases.at::<T>(arg.from).cast_const(), bases.at::<i64>(arg.to));
    let Arg { count, inner, .. } = *arg;
    let is_long_row = inner == 1 && count >= LONG;
    // From a result's first element to that of the next, and to its next one.
    let (beside, along) = if inner == 1 { (count, 1) } else { (1, inner) };
    while !units.is_empty() {
        let (outer, column) = (units.start / inner, units.start % inner);
        let side_by_side = if inner == 1 { units.len() } else { inner - column };
        let width = if is_long_row { 1 } else { COLUMNS.min(side_by_side).min(units.len()) };
        let from = from.wrapping_add(outer * count * inner + column);
        // SAFETY: the elements of these results, and their places.
        unsafe {
            let to = to.add(units.start);
            if is_long_row {
                let row = std::slice::from_raw_parts(from, count);
                *to = if arg.op.largest { best::<T, true>(row) } else { best::<T, false>(row) } as i64;
            } else if arg.op.largest {
                columns::<T, true>(from, [count, along], [width, beside], to);
            } else {
                columns::<T, false>(from, [count, along], [width, beside], to);
            }
        }
        units.start += width;
    }
}

/// Whether `x` is better than what was the best so far.
#[inline(always)]
#[allow(clippy::eq_op, reason = "not-a-number is not itself")]
pub(super) fn better<T: PartialOrd + Copy, const LARGEST: bool>(x: T, best: T) -> bool {
    (if LARGEST { x > best } else { x < best }) | (x != x) & (best == best)
}

/// The index of the first of the best of a row: what is the best, then where it is.
#[inline(always)]
#[allow(clippy::eq_op, reason = "not-a-number is not itself")]
fn best<T: Stored, const LARGEST: bool>(row: &[T]) -> usize {
    const LANES: usize = 16;
    let mut lanes = [row[0].load(); LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for i in 0..LANES {
            let x = chunk[i].load();
            lanes[i] = if better::<_, LARGEST>(x, lanes[i]) { x } else { lanes[i] };
        }
    }
    let mut most = lanes[0];
    for x in lanes.into_iter().skip(1).chain(rest.iter().map(|x| x.load())) {
        most = if better::<_, LARGEST>(x, most) { x } else { most };
    }
    row.iter().map(|x| x.load()).position(|x| x == most || (x != x) & (most != most)).unwrap_or(0)
}

/// The same for `width` results, at most `COLUMNS`, that begin so far `beside` each other, of `count` elements so far from
/// each other `along`.
///
/// # Safety
/// The elements are readable, and the results writable.
#[inline(always)]
unsafe fn columns<T: Stored, const LARGEST: bool>(
    from: *const T,
    [count, along]: [usize; 2],
    [width, beside]: [usize; 2],
    to: *mut i64,
) {
    let (mut most, mut places) = ([T::Register::ZERO; COLUMNS], [0i64; COLUMNS]);
    for i in 0..count {
        for (j, (most, place)) in most.iter_mut().zip(&mut places).enumerate().take(width) {
            // SAFETY: an element of the results.
            let x = unsafe { *from.add(i * along + j * beside) }.load();
            let take = i == 0 || better::<_, LARGEST>(x, *most);
            (*most, *place) = if take { (x, i as i64) } else { (*most, *place) };
        }
    }
    // SAFETY: as many results as columns.
    unsafe { to.copy_from_nonoverlapping(places.as_ptr(), width) };
}

#[cfg(test)]
mod tests {
    use super::super::threads::share;
    use super::*;

    #[test]
    #[allow(clippy::cast_possible_wrap)]
    fn the_first_of_the_best_wins() {
        let numbers = [0.0, -0.0, 1.0, f32::NAN, 7.0, -7.0, f32::INFINITY, 7.0, 2.0, -7.0, f32::NEG_INFINITY];
        for (outer, count, inner) in
            [(3, 1, 1), (5, 17, 1), (70, 10, 1), (7, 140, 1), (2, 9, 70), (3, 33, 5), (1, 4, 130)]
        {
            for without_nan in [true, false] {
                let number = |i: usize| numbers[(i * i + i / 7) % numbers.len()];
                let mut x: Vec<f32> = (0..outer * count * inner).map(number).collect();
                x.iter_mut().filter(|x| without_nan && x.is_nan()).for_each(|x| *x = 7.0);
                for (largest, parts) in [(true, 1), (false, 2), (true, 3), (false, 5)] {
                    let spans = [0, 1].map(|base| Span { base, at: 0 });
                    let op = Op { largest, axis: 1 };
                    let arg = Arg::new(op, &Type::f32([outer, count, inner]), spans[0], spans[1]);
                    let winner =
                        |at: usize| op.winner(count, |i| x[(at / inner * count + i) * inner + at % inner]) as i64;
                    let want: Vec<i64> = (0..outer * inner).map(winner).collect();
                    for level in Level::all() {
                        let mut out = vec![-1i64; outer * inner];
                        let pointers = [x.as_ptr().cast_mut().cast(), out.as_mut_ptr().cast()];
                        for part in 0..parts {
                            let units = share(arg.units(), part, parts);
                            // SAFETY: the sizes are those of the memory.
                            unsafe { arg.run(level, Bases::new(&pointers), units, std::ptr::null_mut()) };
                        }
                        assert_eq!(out, want, "{op} of {outer} x {count} x {inner}");
                    }
                }
            }
        }
    }
}
