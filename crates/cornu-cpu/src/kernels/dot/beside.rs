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
    /// Where the sums of the columns of `b` go, each added from the first row to the last.
    sums: Option<Span>,
    end: Option<Ending<Span>>,
    run: super::tile::Beside<T>,
}

/// The kernel for products of elements of that type, each matrix given transposed or not.
pub(crate) fn kernel(
    (dtype, level): (DType, Level),
    spans: [Span; 3],
    (count, m, k, n): (usize, usize, usize, usize),
    transposed: [bool; 2],
    (sums, end): (Option<Span>, Option<Ending<Span>>),
) -> Box<dyn Kernel> {
    let steps = |columns: usize, rows: usize, transposed| {
        if transposed { [count, rows * count] } else { [columns * count, count] }
    };
    let (a, b) = (steps(k, m, transposed[0]), steps(n, k, transposed[1]));
    let half = if pieces(k, n, transposed) == 2 { k / 2 } else { k };
    let sides = Sides { sizes: [m, k, n], count, a, b, half };
    of_type!(dtype, T => Box::new(Beside::<T> { sides, spans, sums, end, run: T::kernels(level, count).beside }))
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
        // Whoever has the first row adds the columns.
        let sums = self.sums.filter(|_| units.start == 0).map(|span| bases.at::<T>(span));
        // SAFETY: promised by the caller; these rows are its own.
        unsafe { (self.run)(&self.sides, units, a, b, out, (sums, last)) };
    }
}

/// For snapshots of plans.
impl<T: Element> fmt::Display for Beside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sides { sizes: [m, k, n], count, .. } = self.sides;
        write!(f, "dot {count} side by side {} {} -> {}", count * m * k, count * k * n, count * m * n)?;
        f.write_str(if self.sums.is_some() { " and sums" } else { "" })?;
        Ending::print(self.end, f)
    }
}

/// Rows of all products, and the sums of the columns of `b` if they are asked for.
///
/// # Safety
/// The matrices are readable, and those rows of the output, and the sums, writable.
#[inline(always)]
pub(super) unsafe fn beside<S: Lanes>(
    s: S,
    sides: &Sides,
    rows: Range<usize>,
    a: *const S::T,
    b: *const S::T,
    out: *mut S::T,
    (sums, last): (Option<*mut S::T>, Last<S::T>),
) {
    let (n, count) = (sides.sizes[2], sides.count);
    for lane in (0..count).step_by(S::LANES) {
        let lanes = count - lane;
        if let Some(sums) = sums {
            // SAFETY: promised by the caller.
            unsafe { add_columns(s, sides, lanes.min(S::LANES), b.add(lane), sums.add(lane)) };
        }
        let whole = S::ENDS && lanes >= S::LANES;
        let mut row = rows.start;
        while row < rows.end {
            let height = if whole { even(rows.end - row, most::<S>()) } else { 1 };
            // SAFETY: rows that the caller promises.
            unsafe {
                let from = [a.add(row * sides.a[0] + lane), b.add(lane)];
                let at = (from, out.add(row * n * count + lane), last.at(row, lane));
                macro_rules! bands {
                    ($($rows:literal),*) => {
                        match height {
                            $($rows if whole && $rows <= most::<S>() => band::<S, $rows>(s, sides, at),)*
                            _ => thin_band(s, sides, lanes.min(S::LANES), at),
                        }
                    };
                }
                bands!(1, 2, 3, 4, 5);
            }
            row += height;
        }
    }
}

/// The sums of the columns of `b`, for one vector of products, of which there are so many.
///
/// # Safety
/// They must be there.
#[inline(always)]
unsafe fn add_columns<S: Lanes>(s: S, sides: &Sides, lanes: usize, b: *const S::T, sums: *mut S::T) {
    let ([_, k, n], count) = (sides.sizes, sides.count);
    for j in 0..n {
        let mut sum = s.splat(S::T::default());
        // SAFETY: promised by the caller.
        unsafe {
            for p in 0..k {
                sum = s.add(sum, s.load_first(lanes, b.add(p * sides.b[0] + j * sides.b[1])));
            }
            s.store_first(lanes, sums.add(j * count), sum);
        }
    }
}

/// The most rows of a tile: its sums, four in a row, and a row of `b` must fit the registers. Every size takes its time to
/// compile.
#[inline(always)]
const fn most<S: Lanes>() -> usize {
    if S::LANES == 16 { 5 } else { 2 }
}

/// How many of the rows that are left make the next tile, so that all tiles are about as high.
#[inline(always)]
const fn even(left: usize, most: usize) -> usize {
    left.div_ceil(left.div_ceil(most))
}

/// The first elements of `a` and `b`, of the output, and of what is done in the end.
type At<T> = ([*const T; 2], *mut T, Last<T>);

/// The same, so many columns further.
///
/// # Safety
/// The column is there.
#[inline(always)]
unsafe fn column<S: Lanes>(sides: &Sides, ([a, b], out, last): At<S::T>, column: usize) -> At<S::T> {
    // SAFETY: promised by the caller.
    let (b, out) = unsafe { (b.add(column * sides.b[1]), out.add(column * sides.count)) };
    ([a, b], out, last.at(0, column * sides.count))
}

/// `ROWS` rows of a whole vector of products, in tiles of up to four columns.
///
/// # Safety
/// See [`beside`].
#[inline(always)]
unsafe fn band<S: Lanes, const ROWS: usize>(s: S, sides: &Sides, at: At<S::T>) {
    let (n, mut done) = (sides.sizes[2], 0);
    // SAFETY: tiles inside the rows and columns that the caller promises.
    unsafe {
        while done + 4 <= n {
            tile::<S, ROWS, 4, false>(s, sides, S::LANES, column::<S>(sides, at, done));
            done += 4;
        }
        if done + 2 <= n {
            tile::<S, ROWS, 2, false>(s, sides, S::LANES, column::<S>(sides, at, done));
            done += 2;
        }
        if done < n {
            tile::<S, ROWS, 1, false>(s, sides, S::LANES, column::<S>(sides, at, done));
        }
    }
}

/// A row of so many products, element by element.
///
/// # Safety
/// See [`beside`].
#[inline(always)]
unsafe fn thin_band<S: Lanes>(s: S, sides: &Sides, lanes: usize, at: At<S::T>) {
    for done in 0..sides.sizes[2] {
        // SAFETY: an element inside the row that the caller promises.
        unsafe { tile::<S, 1, 1, true>(s, sides, lanes, column::<S>(sides, at, done)) };
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
    ([a, b], out, last): At<S::T>,
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
        if S::ENDS {
            finish::<S, ROWS, COLUMNS, TAIL>(s, &mut sums, last, lanes, count);
        }
        for (i, sums) in sums.iter().enumerate() {
            for (j, &sum) in sums.iter().enumerate() {
                let out = out.add((i * n + j) * count);
                if TAIL { s.store_first(lanes, out, sum) } else { s.store(out, sum) }
            }
        }
    }
}

/// What becomes of the sums in the end; columns are so many elements apart. (They stay in registers where each loop over them
/// is of a length known when this is compiled.)
///
/// # Safety
/// What goes along must be there.
#[inline(always)]
unsafe fn finish<S: Lanes, const ROWS: usize, const COLUMNS: usize, const TAIL: bool>(
    s: S,
    sums: &mut [[S::V; COLUMNS]; ROWS],
    last: Last<S::T>,
    lanes: usize,
    count: usize,
) {
    // SAFETY: promised by the caller.
    let load = |from| unsafe { if TAIL { s.load_first(lanes, from) } else { s.load(from) } };
    match last {
        Last::Nothing => {}
        Last::Bias(bias, relu) => {
            for j in 0..COLUMNS {
                let bias = load(bias.wrapping_add(j * count));
                sums.iter_mut().for_each(|sums| sums[j] = s.add(sums[j], bias));
            }
            if relu {
                sums.iter_mut().for_each(|sums| sums.iter_mut().for_each(|sum| *sum = s.rectify(*sum)));
            }
        }
        Last::Slope(slope, stride) => {
            for (i, sums) in sums.iter_mut().enumerate() {
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = s.keep(*sum, load(slope.wrapping_add(i * stride + j * count)));
                }
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
