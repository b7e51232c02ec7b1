//! Element-wise programs on several threads: each takes a run of whole blocks.

use std::ops::Range;

use super::fused::Fused;
use super::simd::Level;
use super::threads::Threads;

/// Elements times operations that are worth a thread: a few microseconds.
const GRAIN: usize = 32 * 1024;

/// A pointer that threads may share, each for its own elements.
struct Shared(*mut f32);

// SAFETY: `fused` hands every thread other elements of it.
unsafe impl Sync for Shared {}

impl Shared {
    fn at(&self, offset: usize) -> *mut f32 {
        self.0.wrapping_add(offset)
    }
}

/// Runs a program, on several threads if the work is worth it. `scratch` holds what [`Fused::scratch`] asks for, once
/// for each thread. The division does not show in the results.
///
/// # Panics
/// If the arena or the scratch memory is too small.
#[inline]
pub fn fused(fused: &Fused, level: Level, threads: &Threads, arena: &mut [f32], scratch: &mut [f32]) {
    let parts = threads.count().min(fused.work() / GRAIN);
    if parts <= 1 {
        return fused.run(level, arena, scratch);
    }
    split(fused, level, threads, parts, arena, scratch);
}

fn split(fused: &Fused, level: Level, threads: &Threads, parts: usize, arena: &mut [f32], scratch: &mut [f32]) {
    fused.check(arena);
    let own = fused.scratch();
    assert!(scratch.len() >= own * parts, "{parts} threads need {own} floats of scratch each, got {}", scratch.len());
    let (arena, scratch) = (Shared(arena.as_mut_ptr()), Shared(scratch.as_mut_ptr()));
    threads.run(parts, &|part| {
        // SAFETY: each part has its own piece of the scratch memory, whose size was just checked.
        let scratch = unsafe { std::slice::from_raw_parts_mut(scratch.at(part * own), own) };
        // SAFETY: the arena was checked and is lent to this call; the parts are other blocks of the same program, and
        // a program reads no element of an output but in place.
        unsafe { fused.run_part(level, arena.at(0), scratch, blocks(fused, part, parts)) };
    });
}

/// The elements of part `part` of `parts`: whole blocks, evenly.
fn blocks(fused: &Fused, part: usize, parts: usize) -> Range<usize> {
    let count = fused.len().div_ceil(fused.block());
    let edge = |part: usize| (count * part / parts * fused.block()).min(fused.len());
    edge(part)..edge(part + 1)
}
