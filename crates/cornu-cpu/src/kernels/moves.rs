//! Copies of elements that lie in steps: what transposes, slices, pads, concatenations and their like are.

use std::fmt;
use std::ops::Range;

use super::memory::LINE;
use super::operand::{Bases, Kernel, Place, Span};
use super::simd::foresee;
use super::simd::{Level, Simd, dispatch};

/// Bytes to be copied that are worth a thread.
const GRAIN: usize = 32 * 1024;
/// Rows longer than that are copied by the system.
const LONG: usize = 512;

/// An axis of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Along {
    /// Elements.
    pub(crate) size: usize,
    /// Elements of the operand from one to the next: 0 repeats, a negative number runs backwards.
    pub(crate) from: isize,
    /// Elements of the result from one to the next.
    pub(crate) to: isize,
}

/// A copy of elements of 1, 2, 4 or 8 bytes. Its units are elements; of a transpose in tiles, rows of the result.
#[derive(Debug)]
pub(crate) struct Move {
    width: usize,
    from: Span,
    to: Span,
    /// From the outermost to the innermost; axes whose elements follow each other are one.
    axes: Box<[Along]>,
    tiled: bool,
}

impl Move {
    /// A copy of elements of that many bytes; the spans begin with the first element of operand and result.
    pub(crate) fn new(width: usize, [from, to]: [Span; 2], axes: impl IntoIterator<Item = Along>) -> Move {
        let mut joined: Vec<Along> = Vec::new();
        for Along { size, from, to } in axes {
            let n = size as isize;
            match joined.last_mut() {
                _ if size == 1 => {}
                Some(outer) if (outer.from, outer.to) == (n.wrapping_mul(from), n.wrapping_mul(to)) => {
                    *outer = Along { size: outer.size * size, from, to };
                }
                _ => joined.push(Along { size, from, to }),
            }
        }
        let tiled = Move::tile(width, &mut joined);
        Move { width, from, to, axes: joined.into(), tiled }
    }

    /// A copy of a whole value.
    pub(crate) fn whole(from: Place, to: Place) -> Move {
        let width = from.dtype.size();
        Move::new(width, [from.span, to.span], [Along { size: from.len.min(to.len), from: 1, to: 1 }])
    }

    /// Whether it turns rows into columns; the axis along which the operand's elements follow each other is then the
    /// last but one.
    fn tile(width: usize, axes: &mut [Along]) -> bool {
        let enough = |axis: &Along| axis.size * width >= LINE / 2;
        let Some((last, outer)) = axes.split_last() else { return false };
        if last.to != 1 || last.from.abs() <= 1 || !enough(last) {
            return false;
        }
        let Some(place) = outer.iter().position(|axis| axis.from == 1 && enough(axis)) else { return false };
        let near = axes.len() - 2;
        axes[place..=near].rotate_left(1);
        true
    }

    /// Elements to be copied.
    fn len(&self) -> usize {
        self.axes.iter().map(|axis| axis.size).product()
    }

    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    unsafe fn run_as<T: Copy, const SIDE: usize>(&self, bases: Bases, units: Range<usize>) {
        let (from, to): (*const T, *mut T) = (bases.at(self.from), bases.at(self.to));
        let last = self.axes.last().copied().unwrap_or(Along { size: 1, from: 1, to: 1 });
        // SAFETY: the axes stay in the spans that the caller promises, whoever made them has seen to that; rows of the
        // result do not overlap.
        unsafe {
            match (last.from, last.to) {
                _ if self.tiled => self.tiles::<T, SIDE>(from, to, units),
                (1, 1) => self.rows(from, to, units, |from, to, n| copy(from.cast(), to.cast(), n * size_of::<T>())),
                (0, 1) => self.rows(from, to, units, |from, to, n| {
                    let x = *from;
                    (0..n).for_each(|i| *to.add(i) = x);
                }),
                (step, step_to) => self.rows(from, to, units, |from, to, n| {
                    (0..n as isize).for_each(|i| *to.offset(i * step_to) = *from.offset(i * step));
                }),
            }
        }
    }

    /// Row after row, whole or in part: `copy` is given the first elements and how many there are.
    ///
    /// # Safety
    /// As [`Kernel::run`].
    #[inline(always)]
    unsafe fn rows<T>(&self, from: *const T, to: *mut T, units: Range<usize>, copy: impl Fn(*const T, *mut T, usize)) {
        if units.is_empty() {
            return;
        }
        let (near, outer, n) = match *self.axes {
            [] => return copy(from, to, 1),
            [last] => (last, &[][..], 1),
            [ref outer @ .., near, last] => (near, outer, last.size),
        };
        let last = self.axes[self.axes.len() - 1];
        if outer.is_empty() && n == 1 {
            let (i, len) = (units.start as isize, units.len());
            return copy(from.wrapping_offset(i * last.from), to.wrapping_offset(i * last.to), len);
        }
        let (mut at, mut column) = (units.start / n, units.start % n);
        let mut left = units.len();
        while left > 0 {
            let (start, start_to) = place(outer, at / near.size);
            for i in at % near.size..near.size {
                let len = left.min(n - column);
                let [i, j] = [i, column].map(|i| i as isize);
                let from = from.wrapping_offset(start + i * near.from + j * last.from);
                copy(from, to.wrapping_offset(start_to + i * near.to + j * last.to), len);
                (at, column, left) = (at + 1, 0, left - len);
                if left == 0 {
                    return;
                }
            }
        }
    }

    /// Rows of a transpose, tile by tile: lines of the operand become columns.
    ///
    /// # Safety
    /// As [`Kernel::run`]; `SIDE` elements are a line.
    #[inline(always)]
    unsafe fn tiles<T: Copy, const SIDE: usize>(&self, from: *const T, to: *mut T, mut units: Range<usize>) {
        let [ref outer @ .., across, along] = *self.axes else { return };
        while !units.is_empty() {
            let (start, start_to) = place(outer, units.start / across.size);
            let row = units.start % across.size;
            let rows = units.len().min(SIDE).min(across.size - row);
            let from = from.wrapping_offset(start + row as isize);
            let to = to.wrapping_offset(start_to + row as isize * across.to);
            for first in (0..along.size).step_by(SIDE) {
                let columns = SIDE.min(along.size - first);
                let from = from.wrapping_offset(first as isize * along.from);
                let to = to.wrapping_add(first);
                // SAFETY: the rows and columns are some of the copy's.
                unsafe {
                    if rows == SIDE && columns == SIDE {
                        let step = along.from * size_of::<T>() as isize;
                        foresee(from.wrapping_offset(SIDE as isize * along.from).cast(), step, SIDE);
                        foresee(to.wrapping_add(SIDE).cast(), across.to * size_of::<T>() as isize, SIDE);
                        match size_of::<T>() {
                            1 => tile::<8, SIDE>(from.cast(), along.from, to.cast(), across.to),
                            2 => tile::<4, SIDE>(from.cast(), along.from * 2, to.cast(), across.to * 2),
                            4 => tile::<2, SIDE>(from.cast(), along.from * 4, to.cast(), across.to * 4),
                            _ => tile::<1, SIDE>(from.cast(), along.from * 8, to.cast(), across.to * 8),
                        }
                        continue;
                    }
                    for i in 0..rows as isize {
                        for j in 0..columns as isize {
                            *to.offset(i * across.to + j) = *from.offset(j * along.from + i);
                        }
                    }
                }
            }
            units.start += rows;
        }
    }
}

impl Kernel for Move {
    fn units(&self) -> usize {
        match &*self.axes {
            [outer @ .., _] if self.tiled => outer.iter().map(|axis| axis.size).product(),
            _ => self.len(),
        }
    }

    fn grain(&self) -> usize {
        let row = if self.tiled { self.axes[self.axes.len() - 1].size } else { 1 };
        (GRAIN / self.width / row.max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { run_level(level, self, bases, units) };
    }
}

dispatch! { unsafe fn run_level = run_with(copy: &Move, bases: Bases, units: Range<usize>); }

/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn run_with<S: Simd>(_: S, copy: &Move, bases: Bases, units: Range<usize>) {
    // SAFETY: the caller's promise.
    unsafe {
        match copy.width {
            1 => copy.run_as::<u8, LINE>(bases, units),
            2 => copy.run_as::<u16, { LINE / 2 }>(bases, units),
            4 => copy.run_as::<u32, { LINE / 4 }>(bases, units),
            _ => copy.run_as::<u64, { LINE / 8 }>(bases, units),
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "move {}", self.len())
    }
}

/// Where element `index` of some axes lies in operand and result.
#[inline(always)]
fn place(axes: &[Along], mut index: usize) -> (isize, isize) {
    let (mut from, mut to) = (0, 0);
    for (number, axis) in axes.iter().enumerate().rev() {
        let mut i = index as isize;
        if number > 0 {
            (i, index) = ((index % axis.size) as isize, index / axis.size);
        }
        (from, to) = (from + i * axis.from, to + i * axis.to);
    }
    (from, to)
}

/// Copies bytes that may be few: a call of the system's copy takes longer than a short row. Nothing behind them is
/// touched.
///
/// # Safety
/// `len` bytes are readable and writable; they do not overlap.
#[inline(always)]
pub(crate) unsafe fn copy(from: *const u8, to: *mut u8, len: usize) {
    /// Words of `$n` bytes; the last one lies at the end, over the one before.
    macro_rules! words {
        ($n:literal) => {{
            let word = |i: usize| {
                to.add(i).cast::<[u8; $n]>().write_unaligned(from.add(i).cast::<[u8; $n]>().read_unaligned())
            };
            let mut i = 0;
            while i + $n < len {
                word(i);
                i += $n;
            }
            word(len - $n);
        }};
    }
    // SAFETY: words begin at 0 and end at `len`.
    unsafe {
        match len {
            0 => {}
            1 => *to = *from,
            2..4 => words!(2),
            4..8 => words!(4),
            8..16 => words!(8),
            16..32 => words!(16),
            32..LONG => words!(32),
            _ => std::ptr::copy_nonoverlapping(from, to, len),
        }
    }
}

/// Turns a square of elements, a line in each of its rows: `N` elements are 8 bytes. Steps are in bytes.
///
/// # Safety
/// The lines are readable and writable.
#[inline(always)]
unsafe fn tile<const N: usize, const SIDE: usize>(from: *const u8, step: isize, to: *mut u8, step_to: isize) {
    let mut turned_lines = [[0u64; 8]; SIDE];
    // SAFETY: the caller's promise.
    unsafe {
        let line = |i: usize| from.offset(i as isize * step).cast::<[u64; 8]>().read_unaligned();
        let lines = std::array::from_fn::<_, SIDE, _>(line);
        for (block, lines) in lines.as_chunks::<N>().0.iter().enumerate() {
            for (i, row) in turned(*lines).into_iter().enumerate() {
                for (word, x) in row.into_iter().enumerate() {
                    turned_lines[word * N + i][block] = x;
                }
            }
        }
        for (i, line) in turned_lines.iter().enumerate() {
            to.offset(i as isize * step_to).cast::<[u64; 8]>().write_unaligned(*line);
        }
    }
}

/// Turns eight squares beside each other, of `N` words of `N` elements: halves change places, then quarters, and so on.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "two rows change at a time")]
fn turned<const N: usize>(mut square: [[u64; 8]; N]) -> [[u64; 8]; N] {
    square = square.map(|row| row.map(u64::to_le));
    let mut half = N / 2;
    while half > 0 {
        let bits = 64 / N * half;
        let low = u64::MAX / ((1 << bits) + 1);
        for i in 0..N {
            if i & half == 0 {
                for word in 0..8 {
                    let change = ((square[i][word] >> bits) ^ square[i + half][word]) & low;
                    square[i + half][word] ^= change;
                    square[i][word] ^= change << bits;
                }
            }
        }
        half /= 2;
    }
    square.map(|row| row.map(u64::from_le))
}

#[cfg(test)]
mod tests;
