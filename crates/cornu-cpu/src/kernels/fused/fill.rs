//! Inputs whose elements do not lie in a row, spread out over a block, and outputs that do not.

use cornu_graph::DType;

use super::super::memory::{self, LINE};
use super::super::operand::{Axis, Bases, Strided};
use super::super::simd::{Simd, foresee};
use super::Input;
use super::casts::{Become, Truth};
use super::loops::typed;

/// Writes a block of an input to the place `to` of the table.
#[derive(Clone, Debug)]
pub(super) struct Fill {
    input: Input,
    dtype: DType,
    to: u16,
    /// Whether it is the same in every block.
    pub(super) once: bool,
    /// Bytes of a block: behind it there is a line of its own.
    bytes: usize,
    /// How many elements further the next block is, whose lines are asked for while this one is spread out.
    ahead: isize,
}

impl Fill {
    pub(super) fn new(input: Input, dtype: DType, to: u16, block: usize, once: bool) -> Fill {
        Fill {
            ahead: place(input.axes(), block),
            bytes: (block * dtype.size()).next_multiple_of(LINE),
            input,
            dtype,
            to,
            once,
        }
    }

    /// The place in the table.
    #[inline(always)]
    pub(super) fn to(&self) -> usize {
        self.to.into()
    }

    /// Writes elements `start..start + len`: the `first` ones, or those that come next.
    ///
    /// # Safety
    /// The elements are in their buffer, and a block and a line behind it are writable at `to`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, s: S, bases: Bases, to: *mut u8, [start, len]: [usize; 2], first: bool) {
        // SAFETY: as the caller promises.
        unsafe {
            match &self.input {
                Input::Memory(strided) => typed!(bits self.dtype, T => {
                    spread::<S, T, false>(s, (strided, self.ahead), bases, to.cast(), start, len);
                }),
                Input::Count(from, axes) => typed!(self.dtype, T => count::<T>(axes, *from, to.cast(), start, len)),
                Input::ByTokens(sums) => memory::typed!(self.dtype, T => {
                    sums.run::<T>(bases, to.cast(), [start, len], (to.add(self.bytes).cast(), first));
                }),
            }
        }
    }
}

/// Writes a block, which is at the place `from` of the table, where an output lies.
#[derive(Clone, Debug)]
pub(super) struct Spill {
    output: Strided,
    dtype: DType,
    from: u16,
    /// As for a [`Fill`].
    ahead: isize,
}

impl Spill {
    pub(super) fn new(output: Strided, dtype: DType, from: u16, block: usize) -> Spill {
        Spill { ahead: place(&output.axes, block), output, dtype, from }
    }

    /// The place in the table.
    #[inline(always)]
    pub(super) fn from(&self) -> usize {
        self.from.into()
    }

    /// Writes elements `start..start + len`, which the block at `from` holds.
    ///
    /// # Safety
    /// The elements are in their buffer, and nobody else reads or writes them.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(&self, s: S, bases: Bases, from: *const u8, start: usize, len: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            typed!(bits self.dtype, T => {
                spread::<S, T, true>(s, (&self.output, self.ahead), bases, from.cast_mut().cast(), start, len);
            });
        }
    }
}

/// Does something for each stretch along the innermost axis, given its place in the block, in the walk, and its length.
macro_rules! stretches {
    ($axes:ident, $start:ident, $len:ident, ($done:ident, $at:ident, $count:ident) => $run:expr) => {{
        let one = [Axis { size: 1, step: 0 }];
        let (last, outer) = $axes.split_last().unwrap_or((&one[0], &[]));
        let (first, between) = outer.split_first().unwrap_or((&one[0], &[]));
        let (mut row, mut column, mut $done) = (0, 0, 0);
        if $start > 0 {
            (row, column) = ($start / last.size, $start % last.size);
        }
        while $done < $len {
            let (mut left, mut $at) = (row, column as isize * last.step);
            for axis in between.iter().rev() {
                $at += (left % axis.size) as isize * axis.step;
                left /= axis.size;
            }
            $at += left as isize * first.step;
            let $count = (last.size - column).min($len - $done);
            $run;
            ($done, row, column) = ($done + $count, row + 1, 0);
        }
    }};
}

/// Spreads elements out over a block, or writes those of a block where they lie (`OUT`).
///
/// # Safety
/// As [`Fill::run`], or as [`Spill::run`].
#[inline(always)]
unsafe fn spread<S: Simd, T: Copy, const OUT: bool>(
    s: S,
    (Strided { span, axes }, ahead): (&Strided, isize),
    bases: Bases,
    block: *mut T,
    start: usize,
    len: usize,
) {
    let (lies, step) = (bases.at::<T>(*span), axes.last().map_or(0, |axis| axis.step));
    // SAFETY: the walk stays in the value, the stretches in the block, behind which a line may be written.
    stretches!(axes, start, len, (done, at, count) => unsafe {
        let (lies, block) = (lies.offset(at), block.add(done));
        let [from, to] = if OUT { [block, lies] } else { [lies, block] };
        match step {
            0 if !OUT => fill(s, *lies, block, count),
            1 => {
                ask_for(lies.wrapping_offset(ahead).cast_const(), count);
                copy::<S, T, OUT>(s, from, to, count);
            }
            _ => {
                let [apart, along] = if OUT { [1, step] } else { [step, 1] };
                for i in 0..count.cast_signed() {
                    *to.offset(i * along) = *from.offset(i * apart);
                }
            }
        }
    });
}

/// Where an element is, seen from the first.
#[inline(always)]
pub(super) fn place(axes: &[Axis], mut element: usize) -> isize {
    let (first, inner) = axes.split_first().unwrap_or((&Axis { size: 1, step: 0 }, &[]));
    let along = inner.iter().rev().map(|axis| {
        let index = element % axis.size.max(1);
        element /= axis.size.max(1);
        index as isize * axis.step
    });
    along.sum::<isize>() + element as isize * first.step
}

/// Has the lines of some elements come nearer, if they are whole ones.
#[inline(always)]
pub(super) fn ask_for<T>(from: *const T, count: usize) {
    foresee(from.cast(), LINE as isize, count * size_of::<T>() / LINE);
}

/// Writes `x` to `len` places; singles to up to a vector behind them.
#[inline(always)]
unsafe fn fill<S: Simd, T: Copy>(s: S, x: T, to: *mut T, len: usize) {
    // SAFETY: see `spread`.
    unsafe {
        if size_of::<T>() != 4 {
            return std::slice::from_raw_parts_mut(to, len).fill(x);
        }
        let x = s.splat(*(&raw const x).cast::<f32>());
        for i in (0..len).step_by(S::LANES) {
            s.store(to.cast::<f32>().add(i), x);
        }
    }
}

/// Copies `len` elements, and reads no more. Where they are singles, up to a vector behind them is overwritten unless it is
/// to be `EXACT`.
#[inline(always)]
unsafe fn copy<S: Simd, T: Copy, const EXACT: bool>(s: S, from: *const T, to: *mut T, len: usize) {
    // SAFETY: see `spread`.
    unsafe {
        if size_of::<T>() != 4 {
            return std::ptr::copy_nonoverlapping(from, to, len);
        }
        let (from, to) = (from.cast::<f32>(), to.cast::<f32>());
        let mut i = 0;
        while i + S::LANES <= len {
            s.store(to.add(i), s.load(from.add(i)));
            i += S::LANES;
        }
        if i < len && EXACT {
            s.store_first(len - i, to.add(i), s.load_first(len - i, from.add(i)));
        } else if i < len {
            s.store(to.add(i), s.load_first(len - i, from.add(i)));
        }
    }
}

/// # Safety
/// As [`Fill::run`].
#[inline(always)]
unsafe fn count<T>(axes: &[Axis], first: i64, to: *mut T, start: usize, len: usize)
where
    i64: Become<T>,
{
    let step = axes.last().map_or(0, |axis| axis.step);
    stretches!(axes, start, len, (done, at, count) => {
        for i in 0..count {
            let number = first.wrapping_add((at + i as isize * step) as i64);
            // SAFETY: the stretches are in the block.
            unsafe { to.add(done + i).write(number.become_()) };
        }
    });
}
