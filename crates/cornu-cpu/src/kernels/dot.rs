//! Matrix products. A [`Dot`] is one product with its sizes known: made once, run many times.
//!
//! Every element of the output is one sum over ascending `p`, with a fused multiply-add for each product where the
//! instruction set has it. It is the order in which TensorFlow mostly adds. Where `b` is large, an element is two such
//! sums, over the first and the second half of `p`, added: two threads can then read each its own rows of `b`. Since they
//! also change the same rows, when `b` is a weight that learns, each finds its half in the cache of its core.
//!
//! So an element depends on its row of `a`, its column of `b` and the shape of `b` only, not on the other rows, the sizes
//! of blocks, the number of threads or how many lanes a vector has.

mod any;
mod team;
mod tile;
mod tiles;

pub use any::{Number, dot_any};

use std::ops::Range;

use crate::kernels::memory::Buffer;
use crate::kernels::operand::{Bases, Place};
use crate::kernels::simd::Level;
use crate::kernels::threads::Threads;
use team::Team;
use tile::{Along, Kernels};
use tiles::Tiles;

/// Multiply-adds that are worth a thread: below about half a microsecond, handing over costs more than it saves.
const GRAIN: usize = 64 * 1024;

/// The least number of elements of a large `b`, and of its rows.
const LARGE: [usize; 2] = [64 * 1024, 256];

/// The product of two matrices of `f32`: `out[m, n] = a[m, k] · b[k, n]`, all row-major without gaps.
#[derive(Clone)]
pub struct Dot {
    m: usize,
    k: usize,
    n: usize,
    /// Whether this computes `outᵀ = bᵀ · aᵀ`, which has the same elements in the same order where `n` is one.
    swapped: bool,
    /// Into how many parts the work may be divided.
    most_parts: usize,
    plan: Plan,
}

#[derive(Clone)]
enum Plan {
    /// A vector times a transposed matrix.
    Along { along: Along, lanes: usize },
    /// Anything else.
    Tiles(Tiles),
}

impl Dot {
    /// The product of an `m` by `k` and a `k` by `n` matrix. A transposed one is given as `[k, m]` or `[n, k]`.
    ///
    /// # Panics
    /// If one of the three has more elements than `usize` can count.
    pub fn new(level: Level, m: usize, k: usize, n: usize, transpose_a: bool, transpose_b: bool) -> Self {
        let counts = [(m, k), (k, n), (m, n)].map(|(rows, columns)| rows.checked_mul(columns));
        assert!(counts.iter().all(Option::is_some), "a matrix of [{m}, {k}] · [{k}, {n}] is too large");
        let large = !transpose_a && !transpose_b && n > 1 && k * n >= LARGE[0] && k >= LARGE[1];
        let swapped = n == 1 && m > 1;
        let (m, n, transpose_a, transpose_b) =
            if swapped { (1, m, !transpose_b, !transpose_a) } else { (m, n, transpose_a, transpose_b) };
        // Reading `b`, which bounds products of few rows, counts as two more.
        let most_parts = ((m + 2).saturating_mul(k * n) / GRAIN).max(1);
        let kernels = kernels(level, n);
        let plan = if m == 1 && transpose_b && k > 1 {
            Plan::Along { along: kernels.along, lanes: kernels.lanes }
        } else {
            // A matrix of one row or column reads the same either way.
            let transposed = [transpose_a && m > 1, transpose_b && k > 1];
            Plan::Tiles(Tiles::new(kernels, [m, k, n], transposed, if large { 2 } else { 1 }, most_parts > 1))
        };
        Dot { m, k, n, swapped, most_parts, plan }
    }

    /// How many floats of scratch memory `run` needs.
    pub fn scratch(&self) -> usize {
        match &self.plan {
            Plan::Along { .. } => 0,
            Plan::Tiles(tiles) => tiles.scratch(),
        }
    }

    /// Writes `a · b` to the first `m * n` floats of `out`, with the help of `threads` if the work is worth it.
    ///
    /// # Panics
    /// If a slice is shorter than its matrix, or `scratch` than [`Dot::scratch`].
    pub fn run(&self, threads: Option<&Threads>, a: &[f32], b: &[f32], out: &mut [f32], scratch: &mut [f32]) {
        let Dot { m, k, n, .. } = *self;
        let (a, b) = if self.swapped { (b, a) } else { (a, b) };
        let fits = a.len() >= m * k && b.len() >= k * n && out.len() >= m * n && scratch.len() >= self.scratch();
        assert!(fits, "memory too small for [{m}, {k}] · [{k}, {n}]");
        let team = Team::new(threads, self.most_parts);
        let at = Memory { a: a.as_ptr(), b: b.as_ptr(), out: out.as_mut_ptr(), scratch: scratch.as_mut_ptr() };
        match &self.plan {
            Plan::Along { along, lanes } => team.split(n.div_ceil(*lanes), |blocks| {
                self.run_along(*along, &at, blocks.start * lanes..n.min(blocks.end * lanes));
            }),
            Plan::Tiles(tiles) => tiles.run(&team, &at),
        }
    }

    /// As [`Dot::run`], for that many products one behind the other.
    ///
    /// # Panics
    /// If the scratch memory is too small.
    pub(crate) fn all(&self, threads: &Threads, bases: Bases, batch: usize, [a, b, out]: [Place; 3], memory: &Buffer) {
        let size = |place: Place| place.len / batch.max(1);
        assert!(memory.bytes() >= self.scratch() * size_of::<f32>(), "too little memory for packed matrices");
        // SAFETY: the scratch memory is this step's.
        let scratch = unsafe { std::slice::from_raw_parts_mut(memory.start().cast(), self.scratch()) };
        for i in 0..batch {
            let at = |place: Place| bases.at::<f32>(place.span).wrapping_add(i * size(place));
            // SAFETY: the matrices lie in their buffers, and the result apart from the others.
            let (x, y, to) = unsafe {
                let slice = |place: Place| std::slice::from_raw_parts(at(place), size(place));
                (slice(a), slice(b), std::slice::from_raw_parts_mut(at(out), size(out)))
            };
            self.run(Some(threads), x, y, to, scratch);
        }
    }

    fn run_along(&self, along: Along, at: &Memory, columns: Range<usize>) {
        // SAFETY: the columns are inside, and no other part writes them. `new` had the level that `along` needs.
        unsafe {
            let (b, out) = (at.b.add(columns.start * self.k), at.out.add(columns.start));
            along(self.k, columns.len(), at.a, b, self.k, out);
        }
    }
}

/// The kernels of a level, for outputs of `n` columns.
#[cfg_attr(not(target_arch = "x86_64"), expect(unused_variables, reason = "one level has one set of tiles"))]
fn kernels(level: Level, n: usize) -> &'static Kernels {
    match level {
        Level::Portable => &tile::portable::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2(_) => &tile::avx2::KERNELS,
        // Half of each vector would be idle. AVX-512 includes AVX2.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(_) if n <= tile::avx2::KERNELS.lanes => &tile::avx2::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512(_) => &tile::avx512::KERNELS,
    }
}

/// Where the matrices of one call are.
struct Memory {
    a: *const f32,
    b: *const f32,
    out: *mut f32,
    scratch: *mut f32,
}

// SAFETY: the pointers come from slices that `Dot::run` borrows until it returns, and the parts of a region write
// disjoint elements.
unsafe impl Sync for Memory {}

#[cfg(test)]
mod tests;
