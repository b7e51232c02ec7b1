//! Products side by side: element `i` of each matrix is a row of numbers, one for each product, and vectors hold those of
//! several products. Nothing is packed, and a transposed matrix is one with other steps.

use std::fmt;
use std::ops::Range;

use cornu_graph::DType;

use super::lanes::Lanes;
use super::tile::{Element, Last};
use super::{Ending, GRAIN, pieces};
use crate::kernels::operand::{Bases, Kernel, Span};
use crate::kernels::simd::Level;

/// The sizes of products, and how far apart neighbours lie, in elements.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    sizes: [usize; 3],
    count: usize,
    /// From a row to the next, and from a column to the next, of `[m, k]` and `[k, n]`.
    a: [usize; 2],
    b: [usize; 2],
    /// After so many products a second sum begins.
    half: usize,
}

/// `count` products `[m, k] · [k, n]` side by side. Its units are rows.
pub(crate) struct Beside<T: 'static> {
    sides: Sides,
    spans: [Span; 3],
    end: Option<Ending<Span>>,
    run: super::tile::Beside<T>,
}

/// The kernel for products of elements of that type, each matrix given transposed or not.
pub(crate) fn kernel(
    (dtype, level): (DType, Level),
    spans: [Span; 3],
    (count, m, k, n): (usize, usize, usize, usize),
    transposed: [bool; 2],
    end: Option<Ending<Span>>,
) -> Box<dyn Kernel> {
    let steps = |columns: usize, rows: usize, transposed| {
        if transposed { [count, rows * count] } else { [columns * count, count] }
    };
    let (a, b) = (steps(k, m, transposed[0]), steps(n, k, transposed[1]));
    let half = if pieces(k, n, transposed) == 2 { k / 2 } else { k };
    let sides = Sides { sizes: [m, k, n], count, a, b, half };
    of_type!(dtype, T => Box::new(Beside::<T> { sides, spans, end, run: T::kernels(level, count).beside }))
}

impl<T: Element> Kernel for Beside<T> {
    fn units(&self) -> usize {
        self.sides.sizes[0]
    }

    fn grain(&self) -> usize {
        let Sides { sizes: [_, k, n], count, .. } = self.sides;
        GRAIN.div_ceil(k.saturating_mul(n).saturating_mul(count).max(1))
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        let [a, b, out] = self.spans.map(|span| bases.at::<T>(span));
        let last = Last::new(self.end, bases, self.sides.sizes[2] * self.sides.count);
        // SAFETY: promised by the caller; these rows are its own.
        unsafe { (self.run)(&self.sides, units, a, b, out, last) };
    }
}

/// For snapshots of plans.
impl<T: Element> fmt::Display for Beside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { sizes: [m, k, n], count, .. } = self.sides;
        write!(f, "dot {count} side by side {} {} -> {}", count * m * k, count * k * n, count * m * n)?;
        Ending::print(self.end, f)
    }
}

/// Rows of all products.
///
/// # Safety
/// The matrices are readable, and those rows of the output writable.
#[inline(always)]
pub(super) unsafe fn beside<S: Lanes>(
    s: S,
    sides: &Sides,
    rows: Range<usize>,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
    last: Last<S::T>,
) {
    let (n, count) = (sides.sizes[2], sides.count);
    for lane in (0..count).step_by(S::LANES) {
        let mut row = rows.start;
        while row < rows.end {
            // As even as possible, so that no tile is left with a single chain.
            let left = (rows.end - row).div_ceil(most::<S>()[0]);
            let height = (rows.end - row).div_ceil(left);
            let mut column = 0;
            while column < n {
                let left = (n - column).div_ceil(most::<S>()[1]);
                let width = (n - column).div_ceil(left);
                // SAFETY: a tile inside the rows and columns that the caller promises.
                unsafe {
                    let a = a.add(row * sides.a[0] + lane);
                    let b = b.add(column * sides.b[1] + lane);
                    let out = out.add((row * n + column) * count + lane);
                    let last = last.at(row, column * count + lane);
                    any_tile(s, sides, [height, width], count - lane, a, b, out, last);
                }
                column += width;
            }
            row += height;
        }
    }
}

/// The most rows and columns of a tile: their sums and a row of `b` must fit the registers.
#[inline(always)]
const fn most<S: Lanes>() -> [usize; 2] {
    match (S::ENDS, S::LANES) {
        (true, 16) => [5, 4],
        (true, _) => [3, 3],
        (false, _) => [1, 2],
    }
}

/// # Safety
/// See [`tile`].
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "as of a tile")]
unsafe fn any_tile<S: Lanes>(
    s: S,
    sides: &Sides,
    [height, width]: [usize; 2],
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
    last: Last<S::T>,
) {
    macro_rules! sizes {
        ($($rows:literal $columns:literal),*) => {
            match (height, width) {
                // What is larger than the largest is compiled for nobody.
                $(($rows, $columns) if $rows <= most::<S>()[0] && $columns <= most::<S>()[1] => {
                    // SAFETY: promised by the caller.
                    unsafe {
                        match lanes < S::LANES {
                            true => tile::<S, $rows, $columns, true>(s, sides, lanes, a, b, out, last),
                            false => tile::<S, $rows, $columns, false>(s, sides, lanes, a, b, out, last),
                        }
                    }
                })*
                _ => unreachable!("no tile is larger than the largest"),
            }
        };
    }
    sizes!(5 4, 5 3, 5 2, 5 1, 4 4, 4 3, 4 2, 4 1, 3 4, 3 3, 3 2, 3 1, 2 4, 2 3, 2 2, 2 1, 1 4, 1 3, 1 2, 1 1);
}

/// A tile of sums for one vector of products, of which there are `lanes` if `TAIL`: each takes its products for ascending `p`,
/// with one fused multiply-add each.
///
/// # Safety
/// The tile, and the rows and columns that it needs, must be there.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "they stay in registers")]
unsafe fn tile<S: Lanes, const ROWS: usize, const COLUMNS: usize, const TAIL: bool>(
    s: S,
    sides: &Sides,
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
    last: Last<S::T>,
) {
    let ([_, k, n], count) = (sides.sizes, sides.count);
    // SAFETY: promised by the caller.
    unsafe {
        let mut sums = chain::<S, ROWS, COLUMNS, TAIL>(s, sides, 0..sides.half, lanes, a, b);
        if sides.half < k {
            let second = chain::<S, ROWS, COLUMNS, TAIL>(s, sides, sides.half..k, lanes, a, b);
            for (sums, second) in sums.iter_mut().zip(second) {
                sums.iter_mut().zip(second).for_each(|(sum, second)| *sum = s.add(*sum, second));
            }
        }
        for (i, sums) in sums.into_iter().enumerate() {
            for (j, sum) in sums.into_iter().enumerate() {
                let out = out.add((i * n + j) * count);
                // No closure: it would not be inlined into the instruction set.
                macro_rules! read {
                    ($from:expr) => {
                        if TAIL { s.load_first(lanes, $from) } else { s.load($from) }
                    };
                }
                let sum = match last {
                    _ if !S::ENDS => sum,
                    Last::Nothing => sum,
                    Last::Bias(bias, false) => s.add(sum, read!(bias.add(j * count))),
                    Last::Bias(bias, true) => s.rectify(s.add(sum, read!(bias.add(j * count)))),
                    Last::Slope(slope, stride) => s.keep(sum, read!(slope.add(i * stride + j * count))),
                };
                if TAIL { s.store_first(lanes, out, sum) } else { s.store(out, sum) }
            }
        }
    }
}

/// # Safety
/// See [`tile`].
#[inline(always)]
unsafe fn chain<S: Lanes, const ROWS: usize, const COLUMNS: usize, const TAIL: bool>(
    s: S,
    sides: &Sides,
    products: Range<usize>,
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
) -> [[S::V; COLUMNS]; ROWS] {
    let mut sums = [[s.splat(S::T::default()); COLUMNS]; ROWS];
    for p in products {
        // SAFETY: promised by the caller.
        unsafe {
            let mut row = [s.splat(S::T::default()); COLUMNS];
            for (j, y) in row.iter_mut().enumerate() {
                let from = b.add(p * sides.b[0] + j * sides.b[1]);
                *y = if TAIL { s.load_first(lanes, from) } else { s.load(from) };
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let from = a.add(i * sides.a[0] + p * sides.a[1]);
                let x = if TAIL { s.load_first(lanes, from) } else { s.load(from) };
                for (sum, &y) in sums.iter_mut().zip(&row) {
                    *sum = s.mul_add(x, y, *sum);
                }
            }
        }
    }
    sums
}
