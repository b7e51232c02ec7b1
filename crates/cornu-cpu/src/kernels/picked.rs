//! Rows of a table that several models pick, side by side.

use std::fmt;
use std::ops::Range;

use super::moves::copy;
use super::operand::{Bases, Kernel, Span};
use super::simd::{Level, Simd, dispatch};

/// Elements to be picked that are worth a thread.
const GRAIN: usize = 8 * 1024;

/// The most lanes of a vector.
const LANES: usize = 16;

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
        self.width.saturating_mul(LANES * size_of::<f32>())
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { pick(level, self, bases, units, scratch.cast()) };
    }
}

dispatch! { unsafe fn pick = pick_with(picked: &Picked, bases: Bases, units: Range<usize>, scratch: *mut f32); }

/// Rows of as many models as there are lanes are laid one behind the other, and turned four columns at a time.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn pick_with<S: Simd>(s: S, picked: &Picked, bases: Bases, units: Range<usize>, scratch: *mut f32) {
    let &Picked { width, models, rows, .. } = picked;
    let (table, numbers): (*const f32, *const u32) = (bases.at(picked.table), bases.at(picked.numbers));
    let to: *mut f32 = bases.at(picked.to);
    for i in units {
        for model in (0..models).step_by(S::LANES) {
            let lanes = S::LANES.min(models - model);
            // SAFETY: the numbers and the row of the result are there, rows are those of the table, and the scratch memory
            // has a row for each lane.
            unsafe {
                for lane in 0..lanes {
                    let row = *numbers.add(i * models + model + lane) as usize;
                    let laid = scratch.add(lane * width);
                    match row < rows {
                        true => copy(table.add(row * width).cast(), laid.cast(), width * size_of::<f32>()),
                        false => laid.write_bytes(0, width),
                    }
                }
                for column in (0..width).step_by(4) {
                    let columns = 4.min(width - column);
                    let turned = s.load_columns(columns, lanes, scratch.add(column), width);
                    for (q, turned) in turned.into_iter().enumerate().take(columns) {
                        let to = to.add((i * width + column + q) * models + model);
                        if lanes < S::LANES { s.store_first(lanes, to, turned) } else { s.store(to, turned) }
                    }
                }
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Picked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gather {} side by side of {} rows, {} times", self.models, self.rows, self.count)
    }
}
