//! Kernels that are divided among threads by their units.

use std::fmt;
use std::ops::Range;

use super::memory::{LINE, Room};
use super::operand::{Bases, Kernel};
use super::simd::Level;
use super::threads::{Threads, share};

/// Units that are too few to be cut by lines.
const FEW: usize = 1024;

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
        let most = threads.count().min(self.most).max(1);
        assert!(own * most <= memory.bytes(), "{most} threads need {own} bytes each, got {}", memory.bytes());
        // SAFETY: `lower` made it for the buffers of this run, which does one step at a time; each part has other units,
        // and a piece of scratch memory of its own.
        let run = |units: Range<usize>, part: usize| unsafe {
            self.kernel.run(level, bases, units, memory.start().wrapping_add(own * part));
        };
        if most == 1 {
            return run(0..units, 0);
        }
        threads.run(most, &|part, parts| {
            // Of many units each thread's begin at a line, whatever their size.
            let line = if units / parts >= FEW { LINE } else { 1 };
            let Range { start, end } = share(units.div_ceil(line), part, parts);
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

    /// Whether several threads may work on it.
    pub(crate) fn divides(&self) -> bool {
        self.most > 1
    }

    /// About how many microseconds it takes one thread.
    pub(crate) fn microseconds(&self) -> f64 {
        self.kernel.microseconds()
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
