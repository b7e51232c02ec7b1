//! What is divided among threads apart from matrix products: kernels by their units, and rows that are fed.

use std::fmt;
use std::ops::Range;

use super::memory::{LINE, Room};
use super::operand::{Bases, Kernel};
use super::simd::Level;
use super::threads::{Threads, share};

/// Floats to be copied that are worth a thread.
const ROWS_GRAIN: usize = 8 * 1024;

/// Units that are too few to be cut by lines.
const FEW: usize = 1024;

/// A pointer that threads may share, each for its own elements.
struct Shared(*mut f32);

// SAFETY: `pieces` hands every thread other elements of it.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// A kernel, with what is the same in every run of it.
pub(crate) struct Task {
    kernel: Box<dyn Kernel>,
    units: usize,
    /// How many threads it is worth.
    most: usize,
    /// Bytes of scratch memory of one thread: whole lines, and two more between it and the next thread's, since processors
    /// fetch lines in pairs. Were two threads to write to one line, each would wait for the other at every instruction.
    own: usize,
}

impl Task {
    pub(crate) fn new(kernel: Box<dyn Kernel>) -> Task {
        let (units, own) = (kernel.units(), kernel.scratch());
        let own = if own == 0 { 0 } else { own.next_multiple_of(2 * LINE).saturating_add(2 * LINE) };
        Task { units, most: units / kernel.grain().max(1), own, kernel }
    }

    /// How many bytes of scratch memory it needs for that many threads.
    pub(crate) fn scratch(&self, threads: usize) -> usize {
        self.own.saturating_mul(threads)
    }

    /// Does all units, on several threads if the work is worth it. The division does not show in the results.
    ///
    /// # Panics
    /// If the scratch memory is too small.
    #[inline]
    pub(crate) fn run(&self, level: Level, threads: &Threads, bases: Bases, memory: Room) {
        let Task { units, own, .. } = *self;
        let parts = threads.count().min(self.most).max(1);
        assert!(own * parts <= memory.bytes(), "{parts} threads need {own} bytes each, got {}", memory.bytes());
        // SAFETY: `lower` made it for the buffers of this run, which does one step at a time; each part has other units,
        // and a piece of scratch memory of its own.
        let run = |units: Range<usize>, part: usize| unsafe {
            self.kernel.run(level, bases, units, memory.start().wrapping_add(own * part));
        };
        if parts == 1 {
            return run(0..units, 0);
        }
        // Of many units each thread's begin at a line, whatever their size.
        let line = if units / parts >= FEW { LINE } else { 1 };
        let lines = units.div_ceil(line);
        threads.run(parts, &|part| {
            let Range { start, end } = share(lines, part, parts);
            run(start * line..units.min(end * line), part);
        });
    }

    /// Whether its units can be cut into so many rows.
    pub(crate) fn has_rows(&self, rows: usize) -> bool {
        self.kernel.has_rows(rows)
    }

    /// Does those of `count` equal stretches of its units, on this thread.
    ///
    /// # Panics
    /// If the scratch memory is too small, or the units cannot be cut like that.
    #[inline]
    pub(crate) fn stretch(&self, level: Level, bases: Bases, part: Range<usize>, count: usize, memory: Room) {
        let Task { units, own, .. } = *self;
        assert!(own <= memory.bytes() && units.is_multiple_of(count), "{units} units in {count} stretches");
        let each = units / count;
        // SAFETY: as in `run`: other threads have other stretches.
        unsafe { self.kernel.run(level, bases, part.start * each..part.end * each, memory.start()) };
    }

    /// How many threads it is worth.
    pub(crate) fn worth(&self) -> f64 {
        self.units as f64 / self.kernel.grain().max(1) as f64
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kernel.fmt(f)
    }
}

/// Copies those rows of `from`, each of `width` floats, to `to`, on several threads if the work is worth it.
///
/// # Panics
/// If a row is not in `from`, or `to` has not room for exactly these rows.
pub fn rows(threads: &Threads, from: &[f32], order: &[u32], width: usize, to: &mut [f32]) {
    assert_eq!(to.len(), order.len() * width, "needed room for {} rows of {width}", order.len());
    let copy = |to: &mut [f32], order: &[u32]| {
        for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(order) {
            to.copy_from_slice(&from[row as usize * width..][..width]);
        }
    };
    let parts = threads.count().min(to.len() / ROWS_GRAIN);
    if parts <= 1 {
        return copy(to, order);
    }
    pieces(threads, parts, width, to, |first, to| copy(to, &order[first..first + to.len() / width]));
}

/// Divides `to` into parts of whole rows of `width` floats; `body` is given the number of a part's first row.
fn pieces(threads: &Threads, parts: usize, width: usize, to: &mut [f32], body: impl Fn(usize, &mut [f32]) + Sync) {
    let rows = to.len() / width;
    let target = Shared(to.as_mut_ptr());
    threads.run(parts, &|part| {
        let rows = share(rows, part, parts);
        // SAFETY: `to` has `rows * width` floats and is lent to this call; parts are other rows of it.
        let to = unsafe { std::slice::from_raw_parts_mut(target.at(rows.start * width), rows.len() * width) };
        body(rows.start, to);
    });
}
