//! What is divided among threads apart from matrix products: kernels by their units, and rows that are fed.

use super::memory::{Buffer, LINE};
use super::operand::{Bases, Kernel};
use super::simd::Level;
use super::threads::{Threads, share};

/// Floats to be copied that are worth a thread.
const ROWS_GRAIN: usize = 8 * 1024;

/// A pointer that threads may share, each for its own elements.
struct Shared(*mut f32);

// SAFETY: `pieces` hands every thread other elements of it.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// How many bytes of scratch memory [`run`] needs for that many threads.
pub fn scratch(kernel: &dyn Kernel, threads: usize) -> usize {
    own(kernel).saturating_mul(threads)
}

/// The scratch memory of one thread: whole lines, and two more between it and the next thread's, since processors fetch
/// lines in pairs. Were two threads to write to one line, each would wait for the other at every instruction.
fn own(kernel: &dyn Kernel) -> usize {
    match kernel.scratch() {
        0 => 0,
        bytes => bytes.next_multiple_of(2 * LINE).saturating_add(2 * LINE),
    }
}

/// Runs a kernel, on several threads if the work is worth it. The division does not show in the results.
///
/// # Panics
/// If the scratch memory is too small (see [`scratch`]).
#[inline]
pub(crate) fn run(kernel: &dyn Kernel, level: Level, threads: &Threads, bases: Bases, memory: &Buffer) {
    let units = kernel.units();
    let parts = threads.count().min(units / kernel.grain().max(1)).max(1);
    let own = own(kernel);
    assert!(own * parts <= memory.bytes(), "{parts} threads need {own} bytes of scratch each, got {}", memory.bytes());
    let at = |part: usize| memory.start().wrapping_add(own * part);
    // SAFETY: `lower` made it for the buffers of this run, which does one step at a time; each part has other units, and a
    // piece of scratch memory of its own.
    let part = |part: usize| unsafe { kernel.run(level, bases, share(units, part, parts), at(part)) };
    threads.run(parts, &part);
}

/// Copies those rows of `from`, each of `width` floats, to `to`, on several threads if the work is worth it.
///
/// # Panics
/// If a row is not in `from`, or `to` has not room for exactly these rows.
pub fn rows(threads: &Threads, from: &[f32], order: &[usize], width: usize, to: &mut [f32]) {
    assert_eq!(to.len(), order.len() * width, "needed room for {} rows of {width}", order.len());
    let copy = |to: &mut [f32], order: &[usize]| {
        for (to, &row) in to.chunks_exact_mut(width.max(1)).zip(order) {
            to.copy_from_slice(&from[row * width..(row + 1) * width]);
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
