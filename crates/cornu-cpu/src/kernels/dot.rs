//! Matrix products. A [`Dot`] is a batch of products with their sizes known: made once, run many times.
//!
//! Every element of the output is one sum over ascending `p`, with a fused multiply-add for each product where the
//! instruction set has it. It is the order in which TensorFlow mostly adds. Where `b` is large, an element is two such
//! sums, over the first and the second half of `p`, added ([`pieces`]).
//!
//! So an element depends on its row of `a`, its column of `b` and the shape of `b` only, not on the other rows, the sizes
//! of blocks, the number of threads or how many lanes a vector has.

mod any;
mod lanes;
mod tile;
mod tiles;

use std::ops::Range;

use super::operand::{Axis, Bases, Kernel, Span, Strided};
use super::simd::Level;
pub use any::{Number, dot_any};
pub use tile::Element;
use tiles::{At, Tiles};

/// Multiply-adds that are worth a thread: below about half a microsecond, handing over costs more than it saves.
const GRAIN: usize = 64 * 1024;

/// The least number of elements of a large `b`, and of its rows.
const LARGE: [usize; 2] = [64 * 1024, 256];

/// Of how many sums an element of `a[m, k] · b[k, n]` consists, each over a share of `k`, by which of `a` and `b` the graph
/// gives transposed. (How they lie in memory is another matter.)
pub fn pieces(k: usize, n: usize, transposed: [bool; 2]) -> usize {
    if transposed == [false, false] && n > 1 && k.saturating_mul(n) >= LARGE[0] && k >= LARGE[1] { 2 } else { 1 }
}

/// What is multiplied. The last two axes of each operand are those of matrices, of which one must have a step of 1 (or no
/// more than one element); the axes before them are the same for all and go along.
#[derive(Clone, Debug)]
pub struct Product {
    /// `[.., m, k]`
    pub a: Strided,
    /// `[.., k, n]`
    pub b: Strided,
    /// `[.., m, n]`, its rows without gaps between columns.
    pub out: Strided,
    /// See [`pieces`].
    pub pieces: usize,
    /// Where the sums of the columns of `b` go, as a second result: `n` elements, in the order of a reduction. Of one
    /// product only.
    pub sums: Option<Span>,
    /// Whether units must be rows of the output.
    pub by_rows: bool,
}

impl Product {
    /// One product of matrices without gaps, in buffers 0, 1 and 2.
    pub fn plain([m, k, n]: [usize; 3], transposed: [bool; 2]) -> Product {
        let matrix = |base, rows, columns, transposed| {
            let axis = |size, step: usize| Axis { size, step: step.cast_signed() };
            let axes = if transposed { [axis(rows, 1), axis(columns, rows)] } else { [axis(rows, columns), axis(columns, 1)] };
            Strided { span: Span { base, at: 0 }, axes: axes.into() }
        };
        let [a, b, out] = [matrix(0, m, k, transposed[0]), matrix(1, k, n, transposed[1]), matrix(2, m, n, false)];
        Product { a, b, out, pieces: pieces(k, n, transposed), sums: None, by_rows: false }
    }
}

/// A batch of products `out[m, n] = a[m, k] · b[k, n]`.
pub struct Dot<T: Element> {
    spans: [Span; 3],
    sums: Option<Span>,
    /// Sizes of the axes before the matrices, and their steps in `a`, `b`, `out`.
    batch: Box<[(usize, [isize; 3])]>,
    tiles: Tiles<T>,
    /// Rows or columns of one unit, and how many units one product has.
    unit: usize,
    each: usize,
    by_rows: bool,
    products: usize,
}

impl<T: Element> Dot<T> {
    /// Decides how those products are computed.
    ///
    /// # Panics
    /// If the axes of operands do not fit, or neither of a matrix has a step of 1.
    pub fn new(level: Level, product: &Product) -> Self {
        let Product { a, b, out, .. } = product;
        let rank = out.axes.len();
        assert!(rank >= 2 && a.axes.len() == rank && b.axes.len() == rank, "products need axes alike: {product:?}");
        let axes = |i: usize| [a.axes[i], b.axes[i], out.axes[i]];
        let batch: Box<[_]> = (0..rank - 2).map(|i| (out.axes[i].size, axes(i).map(|axis| axis.step))).collect();
        let matrix = |x: &Strided| [x.axes[rank - 2], x.axes[rank - 1]];
        let (a_axes, b_axes, out_axes) = (matrix(a), matrix(b), matrix(out));
        let swapped = out_axes[1].size == 1 && out_axes[0].size > 1 && out_axes[0].step == 1 && product.sums.is_none();
        let turned = |[row, column]: [_; 2]| [column, row];
        let (spans, matrices) = if swapped {
            ([b.span, a.span, out.span], [turned(b_axes), turned(a_axes), turned(out_axes)])
        } else {
            ([a.span, b.span, out.span], [a_axes, b_axes, out_axes])
        };
        let batch = if swapped { batch.iter().map(|&(size, [a, b, out])| (size, [b, a, out])).collect() } else { batch };
        let tiles = Tiles::new(T::kernels(level, out_axes[1].size), matrices, product.pieces);
        let [m, _, n] = tiles.sizes;
        let by_rows = !swapped && (product.by_rows || tiles.prefers_rows());
        let unit = if by_rows || swapped { 1 } else { tiles.lanes() };
        let each = if by_rows { m } else { n.div_ceil(unit) };
        let products = batch.iter().map(|&(size, _)| size).product();
        Dot { spans, sums: product.sums, batch, tiles, unit, each, by_rows, products }
    }

    /// The matrices of a product of the batch.
    fn at(&self, bases: Bases, product: usize) -> At<T> {
        let mut offsets = [0isize; 3];
        let mut rest = product;
        for &(size, steps) in self.batch.iter().rev() {
            let i = (rest % size).cast_signed();
            rest /= size;
            offsets.iter_mut().zip(steps).for_each(|(offset, step)| *offset += i * step);
        }
        let at = |i: usize| bases.at::<T>(self.spans[i]).wrapping_offset(offsets[i]);
        At { a: at(0), b: at(1), out: at(2), sums: self.sums.map(|sums| bases.at(sums)) }
    }
}

impl<T: Element> Kernel for Dot<T> {
    fn units(&self) -> usize {
        self.products * self.each
    }

    fn grain(&self) -> usize {
        let [m, k, n] = self.tiles.sizes;
        // Reading `b`, which bounds products of few rows, counts as two more.
        let work = (m + 2).saturating_mul(k.saturating_mul(n)) / self.each.max(1);
        GRAIN.div_ceil(work.max(1))
    }

    fn scratch(&self) -> usize {
        self.tiles.scratch() * size_of::<T>()
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        let [m, _, n] = self.tiles.sizes;
        let mut first = units.start;
        while first < units.end {
            let (product, start) = (first / self.each, first % self.each);
            let end = self.each.min(start + units.end - first);
            first += end - start;
            let (start, end) = (start * self.unit, end * self.unit);
            let (rows, columns) = if self.by_rows { (start..end, 0..n) } else { (0..m, start..end.min(n)) };
            // SAFETY: promised by the caller: the rows and columns are inside, and belong to these units.
            unsafe { self.tiles.run(&self.at(bases, product), rows, columns, scratch.cast()) };
        }
    }
}

/// One product over slices.
pub struct Slices {
    dot: Dot<f32>,
    sizes: [usize; 3],
}

impl Slices {
    /// See [`Product`].
    pub fn new(level: Level, m: usize, k: usize, n: usize, transpose_a: bool, transpose_b: bool) -> Self {
        let product = Product::plain([m, k, n], [transpose_a, transpose_b]);
        Slices { dot: Dot::new(level, &product), sizes: [m, k, n] }
    }

    /// Floats.
    pub fn scratch(&self) -> usize {
        (self.dot.scratch() / 4).next_multiple_of(32) * 8 + 64
    }

    /// Runs it.
    pub fn run(&self, threads: Option<&super::threads::Threads>, a: &[f32], b: &[f32], out: &mut [f32], scratch: &mut [f32]) {
        let [m, k, n] = self.sizes;
        assert!(a.len() >= m * k && b.len() >= k * n && out.len() >= m * n && scratch.len() >= self.scratch());
        let pointers = [a.as_ptr().cast_mut().cast(), b.as_ptr().cast_mut().cast(), out.as_mut_ptr().cast()];
        let start = scratch.as_ptr().align_offset(64);
        let own = (self.dot.scratch() / 4).next_multiple_of(32);
        let scratch = scratch[start..].as_mut_ptr() as usize;
        let level = Level::detect();
        // SAFETY: temporary.
        unsafe {
            let bases = Bases::new(&pointers);
            let units = self.dot.units();
            let parts = threads.map_or(1, |threads| threads.count().min(units / self.dot.grain())).min(8);
            match threads {
                Some(threads) if parts > 1 => threads.run(parts, &|part| {
                    let scratch = (scratch + part * own * 4) as *mut u8;
                    self.dot.run(level, bases, super::threads::share(units, part, parts), scratch);
                }),
                _ => self.dot.run(level, bases, 0..units, scratch as *mut u8),
            }
        }
    }
}

#[cfg(test)]
mod tests;
