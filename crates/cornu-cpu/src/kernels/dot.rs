//! Matrix products. A [`Product`] says what is multiplied; its kernel is made once and run many times.
//!
//! Every element of the output is one sum over ascending `p`, with a fused multiply-add for each product where the
//! instruction set has it. It is the order in which TensorFlow mostly adds. Where `b` is large, an element is two such
//! sums, over the first and the second half of `p`, added ([`pieces`]): two threads can then read each its own rows of `b`.
//! Since they also change the same rows, when `b` is a weight that learns, each finds its half in the cache of its core.
//!
//! So an element depends on its row of `a`, its column of `b` and the shape of `b` only, not on the other rows, the sizes
//! of blocks, the number of threads or how many lanes a vector has.

/// What is made for elements of that type. (Those of two bytes are widened before.)
macro_rules! of_type {
    ($dtype:expr, $t:ident => $made:expr) => {
        match $dtype {
            DType::F32 => of_type!(@ $t f32 $made),
            DType::F64 => of_type!(@ $t f64 $made),
            // What wraps has the same bits with a sign and without.
            DType::I8 | DType::U8 => of_type!(@ $t i8 $made),
            DType::I16 | DType::U16 => of_type!(@ $t i16 $made),
            DType::I32 | DType::U32 => of_type!(@ $t i32 $made),
            DType::I64 | DType::U64 => of_type!(@ $t i64 $made),
            other => unreachable!("the type rule and `widen` leave no product of {other}"),
        }
    };
    (@ $t:ident $type:ident $made:expr) => {{
        type $t = $type;
        $made
    }};
}

pub(crate) mod beside;
mod lanes;
mod strips;
pub(super) mod tile;
pub(super) mod tiles;

use std::any::TypeId;
use std::fmt;
use std::ops::Range;

use cornu_graph::DType;
use cornu_graph::ops::LARGE_DOT;

use super::operand::{Axis, Bases, Kernel, Span, Strided};
use super::simd::Level;
use tile::{Element, Last};
use tiles::{At, Tiles};

/// Multiply-adds that are worth a thread: below about half a microsecond, handing over costs more than it saves.
const GRAIN: usize = 64 * 1024;

/// The least number of elements of a large `b`, and of its rows.
const LARGE: [usize; 2] = [LARGE_DOT, 256];

/// Of how many sums an element of `a[m, k] · b[k, n]` consists, each over a share of `k`, by which of `a` and `b` the graph
/// gives transposed. (How they lie in memory is another matter.)
pub fn pieces(k: usize, n: usize, transposed: [bool; 2]) -> usize {
    if transposed == [false, false] && n > 1 && k.saturating_mul(n) >= LARGE[0] && k >= LARGE[1] { 2 } else { 1 }
}

/// What is done to the elements of a product of singles as soon as they are there, with what goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<P> {
    /// A number for each column is added, and then, if so, what is below zero becomes zero.
    Bias(P, bool),
    /// What stands where another matrix of the same shape, without gaps, is not above zero becomes zero.
    Slope(P),
}

impl<P: Copy> Ending<P> {
    /// The same, where what goes along is found elsewhere.
    pub(crate) fn map<Q>(self, of: impl Fn(P) -> Q) -> Ending<Q> {
        match self {
            Ending::Bias(bias, relu) => Ending::Bias(of(bias), relu),
            Ending::Slope(slope) => Ending::Slope(of(slope)),
        }
    }

    /// What goes along.
    pub(crate) fn operand(self) -> P {
        let (Ending::Bias(operand, _) | Ending::Slope(operand)) = self;
        operand
    }

    /// What is done, behind what it is done to.
    pub(super) fn print(end: Option<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match end {
            None => "",
            Some(Ending::Bias(_, false)) => ", plus a row",
            Some(Ending::Bias(_, true)) => ", plus a row, rectified",
            Some(Ending::Slope(_)) => ", where another is above 0",
        })
    }
}

/// What is multiplied. The last two axes of each operand are those of its matrices, one of which has a step of 1 (or no
/// more than one element); the axes before them go along, and are as many for all.
#[derive(Clone, Debug)]
pub struct Product {
    /// `[.., m, k]`
    pub a: Strided,
    /// `[.., k, n]`
    pub b: Strided,
    /// `[.., m, n]`, no gaps between columns.
    pub out: Strided,
    /// Of how many sums an element consists: see [`pieces`].
    pub pieces: usize,
    /// Where the sums of the columns of `b` go, as a second result: `n` elements, each added as by a reduction. Only where
    /// there is one product.
    pub sums: Option<Span>,
    /// What is done to its elements. Only where there is one product, of singles and of several columns, that is not a row
    /// times a transposed matrix.
    pub end: Option<Ending<Span>>,
    /// Whether units must be rows of the output.
    pub by_rows: bool,
    /// Where the second of two sums goes, without gaps, if threads shall share `k` ([`Product::halves`]); whoever asks for it
    /// adds it to the output.
    pub second: Option<Span>,
}

impl Product {
    /// Products of matrices without gaps, one behind the other; `a` is `[m, k]` or transposed, `b` is `[k, n]` or transposed.
    pub fn new([a, b, out]: [Span; 3], batch: usize, [m, k, n]: [usize; 3], transposed: [bool; 2]) -> Product {
        let matrices = |span, [rows, columns]: [usize; 2], transposed| {
            let [row, column] = if transposed { [1, rows] } else { [columns, 1] };
            let axes = [(batch, rows * columns), (rows, row), (columns, column)];
            Strided { span, axes: axes.map(|(size, step)| Axis { size, step: step.cast_signed() }).into() }
        };
        Product {
            a: matrices(a, [m, k], transposed[0]),
            b: matrices(b, [k, n], transposed[1]),
            out: matrices(out, [m, n], false),
            pieces: pieces(k, n, transposed),
            sums: None,
            end: None,
            by_rows: false,
            second: None,
        }
    }

    /// Whether threads gain from halves of `k`: where each element of one product is two sums, and `b` is read as it lies.
    pub fn halves(&self) -> bool {
        let [m, n] = [0, 1].map(|i| self.out.axes[self.out.axes.len() - 2 + i].size);
        let k = self.a.axes[self.a.axes.len() - 1].size;
        let is_one = self.out.axes[..self.out.axes.len() - 2].iter().all(|axis| axis.size == 1);
        let is_read = self.b.axes.last().is_some_and(|columns| columns.step == 1) && !is_packed([m, k, n]);
        self.pieces == 2 && is_one && is_read && !self.by_rows
    }

    /// The kernel for elements of that type.
    pub fn kernel(&self, dtype: DType, level: Level) -> Box<dyn Kernel> {
        of_type!(dtype, T => Box::new(Dot::<T>::new(level, self)))
    }
}

/// Whether a `b` that lies as tiles read it is copied all the same: its rows are too far apart, and read often.
pub(crate) fn is_packed([m, k, n]: [usize; 3]) -> bool {
    m >= 64 && k.saturating_mul(n) >= 128 * 1024
}

/// A batch of products `out[m, n] = a[m, k] · b[k, n]`. Its units are rows of the output, or vectors of its columns.
struct Dot<T: Element> {
    spans: [Span; 3],
    sums: Option<Span>,
    end: Option<Ending<Span>>,
    second: Option<Span>,
    /// Sizes of the axes before the matrices, and their steps in `a`, `b` and the output.
    batch: Box<[(usize, [isize; 3])]>,
    products: usize,
    /// `outᵀ = bᵀ · aᵀ` where the output is a column: it has the same elements in the same order.
    tiles: Tiles<T>,
    swapped: bool,
    by_rows: bool,
    /// Rows or columns of a unit.
    unit: usize,
    /// Units of a product.
    each: usize,
}

impl<T: Element> Dot<T> {
    /// # Panics
    /// If axes do not fit each other, or neither of a matrix has a step of 1.
    fn new(level: Level, product: &Product) -> Self {
        let operands = [&product.a, &product.b, &product.out];
        let before = product.out.axes.len().saturating_sub(2);
        assert!(operands.iter().all(|x| x.axes.len() == before + 2), "products need axes alike: {product:?}");
        let ends = TypeId::of::<T>() == TypeId::of::<f32>() && product.out.axes[before + 1].size > 1;
        assert!(product.end.is_none() || ends && product.second.is_none(), "such products have no end: {product:?}");
        let mut spans = operands.map(|x| x.span);
        let mut matrices = operands.map(|x| [x.axes[before], x.axes[before + 1]]);
        let [rows, columns] = matrices[2];
        let swapped = columns.size == 1 && rows.size > 1 && rows.step == 1 && product.sums.is_none();
        let steps = |i: usize| operands.map(|x| x.axes[i].step);
        let several = |&i: &usize| product.out.axes[i].size != 1;
        let mut batch: Box<[_]> = (0..before).filter(several).map(|i| (product.out.axes[i].size, steps(i))).collect();
        if swapped {
            spans.swap(0, 1);
            matrices = [matrices[1], matrices[0], matrices[2]].map(|[row, column]| [column, row]);
            batch.iter_mut().for_each(|(_, steps)| steps.swap(0, 1));
        }
        let tiles = Tiles::new(T::kernels(level, columns.size), matrices, product.pieces);
        let [m, _, n] = tiles.sizes;
        let second = product.second.filter(|_| !swapped);
        let by_rows = !swapped && second.is_none() && (product.by_rows || tiles.prefers_rows());
        let unit = if by_rows || swapped { 1 } else { tiles.lanes() };
        let each = if by_rows { m } else { n.div_ceil(unit) };
        let each = if second.is_some() { 2 * each } else { each };
        let products = batch.iter().map(|&(size, _)| size).product();
        Dot {
            spans,
            sums: product.sums,
            end: product.end,
            second,
            batch,
            products,
            tiles,
            swapped,
            by_rows,
            unit,
            each,
        }
    }

    /// The matrices of a product of the batch.
    fn at(&self, bases: Bases, product: usize) -> At<T> {
        let (mut offsets, mut rest) = ([0isize; 3], product);
        for &(size, steps) in self.batch.iter().rev() {
            let i = (rest % size).cast_signed();
            rest /= size;
            offsets.iter_mut().zip(steps).for_each(|(offset, step)| *offset += i * step);
        }
        let at = |i: usize| bases.at::<T>(self.spans[i]).wrapping_offset(offsets[i]);
        At {
            a: at(0),
            b: at(1),
            out: at(2),
            out_stride: self.tiles.out_stride,
            sums: self.sums.map(|sums| bases.at(sums)),
            last: Last::new(self.end, bases, self.tiles.sizes[2]),
        }
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

    fn microseconds(&self) -> f64 {
        0.5 * self.units() as f64 / self.grain() as f64
    }

    fn scratch(&self) -> usize {
        self.tiles.scratch().saturating_mul(size_of::<T>())
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        if let Some(second) = self.second {
            // SAFETY: promised by the caller.
            return unsafe { self.run_halves(bases, second, units, scratch) };
        }
        let [m, k, n] = self.tiles.sizes;
        let mut first = units.start;
        while first < units.end {
            let (product, start) = (first / self.each, first % self.each);
            let end = self.each.min(start + units.end - first);
            first += end - start;
            let (start, end) = (start * self.unit, end * self.unit);
            let (rows, columns) = if self.by_rows { (start..end, 0..n) } else { (0..m, start..end.min(n)) };
            // SAFETY: promised by the caller: the rows and columns are inside, and belong to these units.
            unsafe { self.tiles.run(&self.at(bases, product), rows, columns, 0..k, scratch.cast()) };
        }
    }
}

impl<T: Element> Dot<T> {
    /// Units of columns over the first half of `k`, then as many over the second.
    ///
    /// # Safety
    /// See [`Kernel::run`].
    unsafe fn run_halves(&self, bases: Bases, second: Span, units: Range<usize>, scratch: *mut u8) {
        let ([m, k, n], half) = (self.tiles.sizes, self.each / 2);
        let first = self.at(bases, 0);
        let second = At { out: bases.at(second), out_stride: n, ..first };
        for (at, steps, from) in [(first, 0..k / 2, 0), (second, k / 2..k, half)] {
            let [start, end] = [units.start, units.end].map(|unit| unit.saturating_sub(from).min(half) * self.unit);
            // SAFETY: promised by the caller.
            unsafe { self.tiles.run(&at, 0..m, start..end.min(n), steps, scratch.cast()) };
        }
    }
}

/// How many products there are, and the elements of the operands and the result.
impl<T: Element> fmt::Display for Dot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [m, k, n] = self.tiles.sizes;
        let [a, b] = if self.swapped { [k * n, m * k] } else { [m * k, k * n] };
        let Dot { products, sums, .. } = self;
        write!(f, "dot {products} x {} {} -> {}", products * a, products * b, products * m * n)?;
        f.write_str(if sums.is_some() { " and sums" } else { "" })?;
        Ending::print(self.end, f)
    }
}

#[cfg(test)]
mod tests;
