//! Sums, maxima and minima along any axes, of every element type.
//!
//! The elements of a result follow each other in the order of memory, whichever axes they lie along. Up to 512 are added
//! from the first to the last, and more in blocks of 512, whose sums are added from the first to the last. Where the last
//! axis is one of those that disappear and a result has 64 elements or more, a block's sum is made of sixteen sums of every
//! sixteenth element, added from the first to the last. Of zeros of both signs the first one is the extreme.

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Range;

use cornu_graph::ops::{LONG_ROW, Reduction};
use cornu_graph::{DType, Type};

use super::memory::typed;
use super::num::{Num, Stored};
use super::operand::{Axis, Bases, Kernel, Span};
use super::simd::{Level, Simd, dispatch};

/// Longer sums are sums of sums of this many elements: their error grows with the number of blocks.
pub(crate) const BLOCK: usize = 512;
/// From this many elements in a row on, they are brought together in lanes.
const LANES_FROM: usize = LONG_ROW;
const LANES: usize = 16;
/// Elements that are worth a thread.
const GRAIN: usize = 32 * 1024;
/// Fewer results than this, of as many blocks as that or more, are made of results of blocks.
const FEW: [usize; 2] = [512, 4];
/// Columns, and rows, that are gone through together.
const PANEL: usize = 1024;
const ROWS: usize = 16;
/// Short rows whose results are found at a time.
const TOGETHER: usize = 8;

/// A reduction of an array whose elements follow each other. Its units are results, or those of blocks.
#[derive(Clone, Debug)]
pub(crate) struct Reduce {
    kind: Reduction,
    dtype: DType,
    from: Span,
    to: Span,
    /// The axes that stay, but for `columns`, the last axis if that stays.
    kept: Box<[Axis]>,
    reduced: Box<[Axis]>,
    columns: usize,
    /// Results, and elements of each.
    results: usize,
    count: usize,
    /// Elements of a unit, and of a block of it.
    part: usize,
    block: usize,
    lanes: bool,
}

impl Reduce {
    /// Brings together the elements of an array of that type along axes, which ascend.
    pub(crate) fn new(kind: Reduction, ty: &Type, axes: &[usize], [from, to]: [Span; 2]) -> Reduce {
        let (mut all, mut step): (Vec<(bool, Axis)>, isize) = (Vec::new(), 1);
        for (axis, &size) in ty.shape.iter().enumerate().rev().filter(|&(_, &size)| size != 1) {
            let goes = axes.contains(&axis);
            match all.last_mut() {
                Some((also, inner)) if *also == goes => inner.size *= size,
                _ => all.push((goes, Axis { size, step })),
            }
            step = step.wrapping_mul(size as isize);
        }
        let columns = all.first().filter(|(goes, _)| !goes).map_or(1, |(_, axis)| axis.size);
        let of = |goes: bool| all.iter().rev().filter(move |(also, _)| *also == goes).map(|&(_, axis)| axis);
        let (mut kept, reduced): (Vec<Axis>, Box<[Axis]>) = (of(false).collect(), of(true).collect());
        let sizes = |axes: &[Axis]| axes.iter().map(|axis| axis.size).product::<usize>();
        let (results, count) = (sizes(&kept), sizes(&reduced));
        let in_rows = all.first().is_none_or(|&(goes, _)| goes);
        if !in_rows {
            kept.pop();
        }
        let (kept, lanes) = (kept.into(), in_rows && count >= LANES_FROM);
        let dtype = ty.dtype;
        Reduce { kind, dtype, from, to, kept, reduced, columns, results, count, part: count, block: BLOCK, lanes }
    }

    /// How many results of blocks it is better made of, since it has few results of many elements each; or none.
    pub(crate) fn parts(&self) -> usize {
        let parts = self.count.div_ceil(BLOCK);
        let few = self.results < FEW[0] && parts >= FEW[1] && !self.dtype.is_half();
        if few { self.results * parts } else { 0 }
    }

    /// The same in two steps: the results of blocks, written to memory for [`Reduce::parts`] of them, and those of these.
    pub(crate) fn in_parts(self, parts: Span) -> [Reduce; 2] {
        let blocks = self.count.div_ceil(BLOCK);
        let outer = self.results / self.columns.max(1);
        let axis = |size: usize, step: usize| Axis { size, step: step as isize };
        let first = Reduce { to: parts, part: BLOCK, ..self.clone() };
        let second = Reduce {
            from: parts,
            kept: [axis(outer, blocks * self.columns)].into(),
            reduced: [axis(blocks, self.columns)].into(),
            count: blocks,
            part: blocks,
            block: usize::MAX,
            lanes: false,
            ..self
        };
        [first, second]
    }

    /// Units of each result.
    fn units_of_each(&self) -> usize {
        self.count.div_ceil(self.part.max(1)).max(1)
    }

    /// The elements of a unit, by number.
    fn elements(&self, part: usize) -> Range<usize> {
        (part * self.part).min(self.count)..((part + 1) * self.part).min(self.count)
    }

    /// As is quickest, or with as few loops as will do: each takes its time to compile.
    ///
    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    unsafe fn run_kind<T: Stored, const QUICK: bool>(&self, bases: Bases, units: Range<usize>) {
        // SAFETY: the caller's promise.
        unsafe {
            match self.kind {
                Reduction::Sum => self.run_as::<T, Sum, QUICK>(bases, units),
                Reduction::Max => self.run_as::<T, Max, QUICK>(bases, units),
                Reduction::Min => self.run_as::<T, Min, QUICK>(bases, units),
            }
        }
    }

    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    unsafe fn run_as<T: Stored, F: Fold<T::Register>, const QUICK: bool>(&self, bases: Bases, units: Range<usize>) {
        let (from, to) = (bases.at::<T>(self.from).cast_const(), bases.at::<T>(self.to));
        let (parts, columns) = (self.units_of_each(), self.columns);
        let in_a_row = matches!(*self.reduced, [Axis { step: 1, .. }]);
        if QUICK && in_a_row && (self.part == self.count || self.results == 1) {
            // SAFETY: the caller's promise.
            return unsafe { self.rows::<T, F>(from, to, units) };
        }
        let mut unit = units.start;
        while unit < units.end {
            let (row, column) = (unit / columns, unit % columns);
            let from = from.wrapping_offset(place(&self.kept, row / parts)).wrapping_add(column);
            let elements = self.elements(row % parts);
            // SAFETY: the elements of these results, and their places.
            unsafe {
                let to = to.add(unit);
                if self.reduced.last().is_none_or(|axis| axis.step == 1) && columns == 1 {
                    *to = T::store(self.row::<T, F>(from, elements));
                    unit += 1;
                } else {
                    let width = (columns - column).min(units.end - unit).min(PANEL);
                    self.panel::<T, F, QUICK>(from, elements, to, width);
                    unit += width;
                }
            }
        }
    }

    /// The results of rows that follow each other, or of blocks of a single one; of short ones some at a time, since each is
    /// one chain of operations.
    ///
    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    #[allow(clippy::needless_range_loop, reason = "lanes of some rows come at a time")]
    unsafe fn rows<T: Stored, F: Fold<T::Register>>(&self, from: *const T, to: *mut T, mut units: Range<usize>) {
        // SAFETY: rows and results of these units.
        unsafe {
            let all = self.results * self.count;
            let row = |unit: usize| {
                let len = self.part.min(all - unit * self.part);
                std::slice::from_raw_parts(from.add(unit * self.part), len)
            };
            let are_whole = |units: &Range<usize>| (units.start + TOGETHER) * self.part <= all;
            while units.len() >= TOGETHER && self.part <= BLOCK && are_whole(&units) {
                let rows: [&[T]; TOGETHER] = std::array::from_fn(|i| row(units.start + i));
                let mut totals = [F::START; TOGETHER];
                if self.lanes {
                    totals = in_lanes::<T, F>(rows);
                } else {
                    for at in 0..self.part {
                        for i in 0..TOGETHER {
                            totals[i] = F::step(totals[i], rows[i].get_unchecked(at).load());
                        }
                    }
                }
                for (i, total) in totals.into_iter().enumerate() {
                    *to.add(units.start + i) = T::store(total);
                }
                units.start += TOGETHER;
            }
            for unit in units {
                *to.add(unit) = T::store(self.row::<T, F>(row(unit).as_ptr(), 0..row(unit).len()));
            }
        }
    }

    /// The result of elements that lie along the last axis, and others.
    ///
    /// # Safety
    /// They are readable.
    #[inline(always)]
    unsafe fn row<T: Stored, F: Fold<T::Register>>(&self, from: *const T, elements: Range<usize>) -> T::Register {
        let mut total = None;
        let mut pieces = [const { MaybeUninit::<T>::uninit() }; BLOCK];
        let run = self.reduced.last().map_or(1, |axis| axis.size);
        let mut at = elements.start;
        while at < elements.end {
            let len = self.block.min(elements.end - at);
            let mut block = from.wrapping_offset(place(&self.reduced, at));
            // SAFETY: `len` elements in a row, or as many in pieces, which are at most a block.
            unsafe {
                if self.reduced.len() > 1 && at % run + len > run {
                    let mut done = 0;
                    while done < len {
                        let piece = (run - (at + done) % run).min(len - done);
                        let from = from.wrapping_offset(place(&self.reduced, at + done));
                        from.copy_to_nonoverlapping(pieces.as_mut_ptr().cast::<T>().add(done), piece);
                        done += piece;
                    }
                    block = pieces.as_ptr().cast();
                }
                let block = std::slice::from_raw_parts(block, len);
                let next = if self.lanes { F::in_lanes(block) } else { in_order::<T, F>(block) };
                total = Some(total.map_or(next, |total| F::step(total, next)));
            }
            at += len;
        }
        total.unwrap_or(F::START)
    }

    /// The results of `width` columns side by side, at most a panel.
    ///
    /// # Safety
    /// The elements are readable, and the results writable.
    #[inline(always)]
    unsafe fn panel<T: Stored, F: Fold<T::Register>, const QUICK: bool>(
        &self,
        from: *const T,
        elements: Range<usize>,
        to: *mut T,
        width: usize,
    ) {
        let (mut sums, mut block) = (Totals::<T>::new(), Totals::<T>::new());
        let mut at = elements.start;
        loop {
            let end = at.saturating_add(self.block).min(elements.end);
            let first = at == elements.start;
            let totals = if first { sums.first() } else { block.first() };
            // SAFETY: `width` totals are a panel or less.
            unsafe {
                (0..width).for_each(|i| *totals.add(i) = F::START);
                while at < end {
                    let rows = ROWS.min(end - at);
                    let starts: [*const T; ROWS] =
                        std::array::from_fn(|i| from.wrapping_offset(place(&self.reduced, at + i.min(rows - 1))));
                    columns::<T, F, QUICK>(&starts[..rows], totals, width);
                    at += rows;
                }
                if !first {
                    let sums = sums.first();
                    (0..width).for_each(|i| *sums.add(i) = F::step(*sums.add(i), *totals.add(i)));
                }
            }
            if at >= elements.end {
                break;
            }
        }
        // SAFETY: as many totals were written, and results are writable.
        (0..width).for_each(|i| unsafe { *to.add(i) = T::store(*sums.first().add(i)) });
    }
}

/// The totals of a panel.
struct Totals<T: Stored>([MaybeUninit<T::Register>; PANEL]);

impl<T: Stored> Totals<T> {
    #[inline(always)]
    fn new() -> Self {
        Totals([const { MaybeUninit::uninit() }; PANEL])
    }

    #[inline(always)]
    fn first(&mut self) -> *mut T::Register {
        self.0.as_mut_ptr().cast()
    }
}

/// For snapshots of plans.
impl fmt::Display for Reduce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reduce {:?} {} -> {}", self.kind, self.results * self.count, self.units())
    }
}

impl Kernel for Reduce {
    fn units(&self) -> usize {
        self.results * self.units_of_each()
    }

    fn grain(&self) -> usize {
        (GRAIN / self.part.max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        // SAFETY: the caller's promise; so below.
        match self.dtype {
            DType::F32 => unsafe { singles(level, self, bases, units) },
            dtype => typed!(dtype, T => unsafe { self.run_kind::<T, false>(bases, units) }),
        }
    }
}

dispatch! { unsafe fn singles = singles_with(reduce: &Reduce, bases: Bases, units: Range<usize>); }

/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn singles_with<S: Simd>(_: S, reduce: &Reduce, bases: Bases, units: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe { reduce.run_kind::<f32, true>(bases, units) };
}

/// How elements are brought together.
trait Fold<R> {
    const START: R;
    /// Whether the result depends on the order.
    const IN_ORDER: bool;
    fn step(total: R, x: R) -> R;
    /// The result of a row in lanes.
    fn in_lanes<T: Stored<Register = R>>(row: &[T]) -> R;
}

struct Sum;
struct Max;
struct Min;

impl<R: Num> Fold<R> for Sum {
    const START: R = R::ZERO;
    const IN_ORDER: bool = true;
    #[inline(always)]
    fn step(total: R, x: R) -> R {
        total.plus(x)
    }
    #[inline(always)]
    fn in_lanes<T: Stored<Register = R>>(row: &[T]) -> R {
        let lanes = lanes::<T, Self, LANES>(row);
        let mut total = lanes[0];
        for &lane in &lanes[1..] {
            total = total.plus(lane);
        }
        total
    }
}

macro_rules! extremes {
    ($($name:ident $start:ident $better:tt;)*) => {
        $(impl<R: Num> Fold<R> for $name {
            const START: R = R::$start;
            const IN_ORDER: bool = false;
            #[inline(always)]
            #[allow(clippy::eq_op, reason = "not-a-number is not itself")]
            fn step(total: R, x: R) -> R {
                if (x $better total) | (x != x) { x } else { total }
            }
            #[inline(always)]
            fn in_lanes<T: Stored<Register = R>>(row: &[T]) -> R {
                let mut lanes = lanes::<T, Self, { 4 * LANES }>(row);
                let mut half = lanes.len() / 2;
                while half > 0 {
                    for i in 0..half {
                        lanes[i] = Self::step(lanes[i], lanes[i + half]);
                    }
                    half /= 2;
                }
                // Of zeros the first counts.
                let first = || row.iter().map(|x| x.load()).find(|&x| x == R::ZERO);
                if lanes[0] == R::ZERO { first().unwrap_or(lanes[0]) } else { lanes[0] }
            }
        })*
    };
}

extremes! {
    Max LEAST >;
    Min MOST <;
}

/// The results of rows in lanes. (Functions that are handed to another do not take part in the inlining.)
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "lanes of some rows come at a time")]
fn in_lanes<T: Stored, F: Fold<T::Register>>(rows: [&[T]; TOGETHER]) -> [T::Register; TOGETHER] {
    let (mut totals, mut all) = ([F::START; TOGETHER], [[F::START; LANES]; TOGETHER]);
    for i in 0..TOGETHER {
        if F::IN_ORDER {
            all[i] = lanes::<T, F, LANES>(rows[i]);
            totals[i] = all[i][0];
        } else {
            totals[i] = F::in_lanes(rows[i]);
        }
    }
    for lane in 1..if F::IN_ORDER { LANES } else { 1 } {
        for i in 0..TOGETHER {
            totals[i] = F::step(totals[i], all[i][lane]);
        }
    }
    totals
}

#[inline(always)]
fn in_order<T: Stored, F: Fold<T::Register>>(row: &[T]) -> T::Register {
    let mut total = F::START;
    for x in row {
        total = F::step(total, x.load());
    }
    total
}

/// The results of every `N`th element of a row.
#[inline(always)]
fn lanes<T: Stored, F: Fold<T::Register> + ?Sized, const N: usize>(row: &[T]) -> [T::Register; N] {
    let mut lanes = [F::START; N];
    let (whole, rest) = row.as_chunks::<N>();
    for chunk in whole {
        for i in 0..N {
            lanes[i] = F::step(lanes[i], chunk[i].load());
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = F::step(*lane, x.load());
    }
    lanes
}

/// Takes `width` elements of each of some rows into the totals of their columns.
///
/// # Safety
/// They are readable, and the totals writable.
#[inline(always)]
unsafe fn columns<T: Stored, F: Fold<T::Register>, const QUICK: bool>(
    rows: &[*const T],
    totals: *mut T::Register,
    width: usize,
) {
    let mut column = 0;
    /// As many columns at a time as stay in registers.
    macro_rules! tiles {
        ($($n:literal)*) => {
            $(while (QUICK || $n == 16 || $n == 1) && width - column >= $n {
                // SAFETY: `$n` of the columns.
                unsafe {
                    let to = totals.add(column).cast::<[T::Register; $n]>();
                    let mut tile = to.read();
                    for row in rows {
                        let x = row.add(column).cast::<[T; $n]>().read();
                        for i in 0..$n {
                            tile[i] = F::step(tile[i], x[i].load());
                        }
                    }
                    to.write(tile);
                }
                column += $n;
            })*
        };
    }
    tiles!(64 16 4 1);
}

/// Where element `index` along some axes lies.
#[inline(always)]
fn place(axes: &[Axis], mut index: usize) -> isize {
    let mut at = 0;
    for (number, axis) in axes.iter().enumerate().rev() {
        let mut i = index;
        if number > 0 {
            (i, index) = (index % axis.size, index / axis.size);
        }
        at += i as isize * axis.step;
    }
    at
}

#[cfg(test)]
mod tests;
