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
        let lanes = count - lane;
        let mut row = rows.start;
        while row < rows.end {
            let height = largest(rows.end - row, most::<S>(lanes)[0]);
            let mut column = 0;
            while column < n {
                let width = largest(n - column, most::<S>(lanes)[1]);
                // SAFETY: a tile inside the rows and columns that the caller promises.
                unsafe {
                    let a = a.add(row * sides.a[0] + lane);
                    let b = b.add(column * sides.b[1] + lane);
                    let out = out.add((row * n + column) * count + lane);
                    any_tile(s, sides, [height, width], lanes, a, b, out);
                    finish(s, sides, [height, width], lanes, out, last.at(row, column * count + lane));
                }
                column += width;
            }
            row += height;
        }
    }
}

/// The most rows and columns of a tile: their sums and a row of `b` must fit the registers. Every size takes its time to
/// compile.
#[inline(always)]
const fn most<S: Lanes>(lanes: usize) -> [usize; 2] {
    match (S::ENDS && lanes >= S::LANES, S::LANES) {
        (true, 16) => [5, 4],
        (true, _) => [2, 4],
        (false, _) => [1, 1],
    }
}

/// How many of the rows or columns that are left make the next tile.
#[inline(always)]
const fn largest(left: usize, most: usize) -> usize {
    match (left, most) {
        (5.., 5) => 5,
        (4.., 4) => 4,
        (2.., 2..) => 2,
        _ => 1,
    }
}

/// # Safety
/// See [`tile`].
#[inline(always)]
unsafe fn any_tile<S: Lanes>(
    s: S,
    sides: &Sides,
    size: [usize; 2],
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
) {
    macro_rules! sizes {
        ($($rows:literal $columns:literal),*) => {
            match size {
                $([$rows, $columns] if S::ENDS && ($rows < 5 || S::LANES == 16) => {
                    // SAFETY: promised by the caller.
                    unsafe { tile::<S, $rows, $columns, false>(s, sides, lanes, a, b, out) }
                })*
                // SAFETY: promised by the caller.
                _ => unsafe { tile::<S, 1, 1, true>(s, sides, lanes.min(S::LANES), a, b, out) },
            }
        };
    }
    match lanes < S::LANES {
        // SAFETY: promised by the caller.
        true => unsafe { tile::<S, 1, 1, true>(s, sides, lanes, a, b, out) },
        false => sizes!(5 4, 5 2, 5 1, 2 4, 2 2, 2 1, 1 4, 1 2, 1 1),
    }
}

/// What is done to the elements of a tile in the end.
///
/// # Safety
/// The tile, and what goes along, must be there.
#[inline(always)]
unsafe fn finish<S: Lanes>(
    s: S,
    sides: &Sides,
    [height, width]: [usize; 2],
    lanes: usize,
    out: *mut S::T,
    last: Last<S::T>,
) {
    let (row, lanes) = (sides.sizes[2] * sides.count, lanes.min(S::LANES));
    if !S::ENDS || matches!(last, Last::Nothing) {
        return;
    }
    for i in 0..height {
        for j in 0..width {
            // SAFETY: promised by the caller.
            unsafe {
                let at = out.add(i * row + j * sides.count);
                let sum = s.load_first(lanes, at);
                let sum = match last {
                    Last::Nothing => sum,
                    Last::Bias(bias, relu) => {
                        let sum = s.add(sum, s.load_first(lanes, bias.add(j * sides.count)));
                        if relu { s.rectify(sum) } else { sum }
                    }
                    Last::Slope(slope, stride) => {
                        s.keep(sum, s.load_first(lanes, slope.add(i * stride + j * sides.count)))
                    }
                };
                s.store_first(lanes, at, sum);
            }
        }
    }
}

/// A tile of sums for one vector of products, of which there are `lanes` if `TAIL`: each takes its products for ascending `p`,
/// with one fused multiply-add each.
///
/// # Safety
/// The tile, and the rows and columns that it needs, must be there.
#[inline(always)]
unsafe fn tile<S: Lanes, const ROWS: usize, const COLUMNS: usize, const TAIL: bool>(
    s: S,
    sides: &Sides,
    lanes: usize,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
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
