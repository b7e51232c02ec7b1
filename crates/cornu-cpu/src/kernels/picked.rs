//! Rows of a table that several models pick, side by side.

use std::fmt;
use std::ops::Range;

use super::operand::{Bases, Kernel, Span};
use super::simd::{Level, MOST_LANES, Simd, dispatch};

/// Elements to be picked that are worth a thread.
const GRAIN: usize = 8 * 1024;

/// `to[i][column][model]` is from the row of singles that the number `[i][model]` says; a row that is not there is zeros.
/// Its units are rows of the result.
#[derive(Debug)]
pub(crate) struct Picked {
    pub(crate) table: Span,
    pub(crate) rows: usize,
    /// Elements of a row.
    pub(crate) width: usize,
    pub(crate) models: usize,
    /// The numbers of rows, `u32`, `count` for each model.
    pub(crate) numbers: Span,
    pub(crate) count: usize,
    pub(crate) to: Span,
}

impl Kernel for Picked {
    fn units(&self) -> usize {
        self.count
    }

    fn grain(&self) -> usize {
        (GRAIN / self.width.saturating_mul(self.models).max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        self.width.saturating_mul(size_of::<f32>())
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { pick(level, self, bases, units, scratch.cast()) };
    }
}

dispatch! { unsafe fn pick = pick_with(picked: &Picked, bases: Bases, units: Range<usize>, scratch: *mut f32); }

/// Each vector of models has its rows turned. A row that is not there is read from the scratch memory.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn pick_with<S: Simd>(s: S, picked: &Picked, bases: Bases, units: Range<usize>, zeros: *mut f32) {
    let &Picked { width, models, rows, .. } = picked;
    let (table, numbers): (*const f32, *const u32) = (bases.at(picked.table), bases.at(picked.numbers));
    let to: *mut f32 = bases.at(picked.to);
    // SAFETY: the scratch memory has room for a row; the numbers and the rows of the result are there, and rows are those of
    // the table.
    unsafe {
        zeros.write_bytes(0, width);
        for i in units {
            for model in (0..models).step_by(S::LANES) {
                let lanes = S::LANES.min(models - model);
                let mut from = [zeros.cast_const(); MOST_LANES];
                for (lane, from) in from.iter_mut().enumerate().take(lanes) {
                    let row = *numbers.add(i * models + model + lane) as usize;
                    if row < rows {
                        *from = table.add(row * width);
                    }
                }
                turn(s, (lanes, width), &from, to.add(i * width * models + model), models);
            }
        }
    }
}

/// Writes the columns of so many rows of one width, `apart` from each other.
///
/// # Safety
/// The rows are readable, the columns writable.
#[inline(always)]
unsafe fn turn<S: Simd>(
    s: S,
    (lanes, width): (usize, usize),
    from: &[*const f32; MOST_LANES],
    to: *mut f32,
    apart: usize,
) {
    let mut column = 0;
    // SAFETY: promised by the caller.
    unsafe {
        // With numbers known when this is compiled.
        while column + 4 <= width && lanes == S::LANES {
            let turned = s.load_columns(4, S::LANES, |lane| from[lane].wrapping_add(column));
            for (q, turned) in turned.into_iter().enumerate() {
                s.store(to.add((column + q) * apart), turned);
            }
            column += 4;
        }
        while column < width {
            let columns = 4.min(width - column);
            let turned = s.load_columns(columns, lanes, |lane| from[lane].wrapping_add(column));
            for (q, turned) in turned.into_iter().enumerate().take(columns) {
                s.store_first(lanes, to.add((column + q) * apart), turned);
            }
            column += columns;
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gather {} side by side of {} rows, {} times", self.models, self.rows, self.count)
    }
}
