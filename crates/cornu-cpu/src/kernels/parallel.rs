//! What is divided among threads apart from matrix products: element-wise programs, rows, and random numbers.

use cornu_graph::random::{Stream, uniform01};

use super::fused::{Fused, LINE};
use super::simd::Level;
use super::threads::{Threads, share};

/// Elements times operations that are worth a thread: a few microseconds.
const GRAIN: usize = 32 * 1024;

/// Floats to be copied that are worth a thread.
const ROWS_GRAIN: usize = 8 * 1024;

/// Random numbers that are worth a thread: a few microseconds.
const RANDOM_GRAIN: usize = 8 * 1024;

/// A pointer that threads may share, each for its own elements.
struct Shared(*mut f32);

// SAFETY: `split` and `pieces` hand every thread other elements of it.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// How many floats of scratch memory [`fused`] needs for that many threads.
pub fn scratch(fused: &Fused, threads: usize) -> usize {
    LINE + threads * own(fused)
}

/// The scratch memory of one thread: whole lines, and two more between it and the next thread's, since processors fetch
/// lines in pairs. Were two threads to write to one line, each would wait for the other at every instruction.
fn own(fused: &Fused) -> usize {
    fused.scratch().next_multiple_of(2 * LINE) + 2 * LINE
}

/// Runs a program, on several threads if the work is worth it. The division does not show in the results.
///
/// # Panics
/// If the arena is too small, or the scratch memory (see [`scratch`]).
#[inline]
pub fn fused(fused: &Fused, level: Level, threads: &Threads, arena: &mut [f32], scratch: &mut [f32]) {
    let parts = threads.count().min(fused.work() / GRAIN);
    if parts <= 1 {
        return fused.run(level, arena, aligned(scratch));
    }
    split(fused, level, threads, parts, arena, scratch);
}

fn split(fused: &Fused, level: Level, threads: &Threads, parts: usize, arena: &mut [f32], scratch: &mut [f32]) {
    fused.check(arena);
    let (scratch, own) = (aligned(scratch), own(fused));
    assert!(scratch.len() >= own * parts, "{parts} threads need {own} floats of scratch each, got {}", scratch.len());
    let (arena, scratch) = (Shared(arena.as_mut_ptr()), Shared(scratch.as_mut_ptr()));
    threads.run(parts, &|part| {
        // SAFETY: each part has its own piece of the scratch memory, whose size was just checked.
        let scratch = unsafe { std::slice::from_raw_parts_mut(scratch.at(part * own), own) };
        // SAFETY: the arena was checked and is lent to this call; the parts are other elements of the same program, and
        // a program reads no element of an output but in place.
        unsafe { fused.run_part(level, arena.at(0), scratch, part, parts) };
    });
}

/// The memory from its first whole line on.
fn aligned(scratch: &mut [f32]) -> &mut [f32] {
    let start = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(scratch.len());
    &mut scratch[start..]
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

/// Fills `to` with the first numbers of a stream, uniform in `[0, 1)`, on several threads if the work is worth it.
pub fn uniform(threads: &Threads, stream: Stream, to: &mut [f32]) {
    let parts = threads.count().min(to.len() / RANDOM_GRAIN).max(1);
    pieces(threads, parts, 1, to, |first, to| uniform01(stream, first, to));
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
