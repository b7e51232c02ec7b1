//! Rows of singles that follow each other: each has a lane of a vector, so that their results come at once.

use super::super::simd::Simd;
use super::{BLOCK, Fold, LANES, Max, Min, Sum};

/// Rows whose elements are taken in side by side, enough to hide how long an operation takes.
const ABREAST: usize = 4;

/// The sixteen results of every sixteenth element, of as many rows as a vector has lanes.
type All = [[f32; LANES]; LANES];

/// How singles are brought together in vectors.
pub(super) trait Vectors: Fold<f32> {
    fn join<S: Simd>(s: S, total: S::F, x: S::F) -> S::F;
}

macro_rules! vectors {
    ($($name:ident |$s:ident, $total:ident, $x:ident| $join:expr;)*) => {
        $(impl Vectors for $name {
            #[inline(always)]
            fn join<S: Simd>($s: S, $total: S::F, $x: S::F) -> S::F {
                $join
            }
        })*
    };
}

vectors! {
    Sum |s, total, x| s.add(total, x);
    Max |s, total, x| s.maximum(x, total);
    Min |s, total, x| s.minimum(x, total);
}

/// The results of `count` rows of `len` elements, in sixteen lanes if they are `long`.
///
/// # Safety
/// Rows are readable, and results writable.
#[inline(always)]
pub(super) unsafe fn rows<S: Simd, F: Vectors>(
    s: S,
    from: *const f32,
    [count, len]: [usize; 2],
    long: bool,
    to: *mut f32,
) {
    let mut all: All = [[F::START; LANES]; LANES];
    for first in (0..count).step_by(S::LANES) {
        let n = S::LANES.min(count - first);
        // SAFETY: these rows and results.
        unsafe {
            let (from, to) = (from.add(first * len), to.add(first));
            if !long {
                s.store_first(n, to, turned::<S, F>(s, from, [n, len], len));
                continue;
            }
            let mut totals = s.splat(F::START);
            for at in (0..len).step_by(BLOCK) {
                lanes::<S, F>(s, from.add(at), [n, len], BLOCK.min(len - at), &mut all);
                let block = turned::<S, F>(s, all.as_ptr().cast(), [n, LANES], LANES);
                totals = if at == 0 { block } else { F::join(s, totals, block) };
            }
            s.store_first(n, to, totals);
            // Of zeros the first counts.
            for i in 0..if F::IN_ORDER { 0 } else { n } {
                let row = std::slice::from_raw_parts(from.add(i * len), if *to.add(i) == 0.0 { len } else { 0 });
                row.iter().find(|&&x| x == 0.0).into_iter().for_each(|&zero| *to.add(i) = zero);
            }
        }
    }
}

/// The results of `rows` rows, from the first element to the last, each in its lane.
///
/// # Safety
/// `len` elements of the rows, `step` apart, are readable.
#[inline(always)]
unsafe fn turned<S: Simd, F: Vectors>(s: S, from: *const f32, [rows, step]: [usize; 2], len: usize) -> S::F {
    let mut totals = s.splat(F::START);
    let mut column = 0;
    while column < len {
        let n = 4.min(len - column);
        // SAFETY: `n` columns of the rows.
        let columns = unsafe { s.load_columns(n, rows, |row| from.wrapping_add(row * step + column)) };
        for &x in &columns[..n] {
            totals = F::join(s, totals, x);
        }
        column += n;
    }
    totals
}

/// The results of every sixteenth of `len` elements, for each of `rows` rows, and maybe of the last one again.
///
/// # Safety
/// The elements of the rows, `step` apart, are readable.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "rows and totals go by one number")]
unsafe fn lanes<S: Simd, F: Vectors>(s: S, from: *const f32, [rows, step]: [usize; 2], len: usize, all: &mut All) {
    for first in (0..rows).step_by(ABREAST) {
        let mut starts = [from; ABREAST];
        for i in 0..ABREAST {
            starts[i] = from.wrapping_add((first + i).min(rows - 1) * step);
        }
        for part in (0..LANES).step_by(S::LANES) {
            let (mut totals, mut at) = ([s.splat(F::START); ABREAST], part);
            // SAFETY: whole vectors of the rows, then what is left of them.
            unsafe {
                while at + S::LANES <= len {
                    for i in 0..ABREAST {
                        totals[i] = F::join(s, totals[i], s.load(starts[i].add(at)));
                    }
                    at += LANES;
                }
                for i in 0..ABREAST {
                    if at < len {
                        let mut rest = [F::START; LANES];
                        starts[i].add(at).copy_to_nonoverlapping(rest.as_mut_ptr(), len - at);
                        totals[i] = F::join(s, totals[i], s.load(rest.as_ptr()));
                    }
                    s.store(all[first + i][part..].as_mut_ptr(), totals[i]);
                }
            }
        }
    }
}
