//! Inputs that are smaller than the program's shape, spread out over a block.

use super::super::simd::Simd;
use super::Input;

/// Writes a block of an input to the scratch memory, at `to`. Up to a line behind the block may be overwritten.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fill {
    pub(super) from: Input,
    pub(super) to: usize,
}

impl Fill {
    /// Writes elements `start..start + len`, where `len` does not reach beyond the last row.
    ///
    /// # Safety
    /// The input is at `x`; a block and a line are writable at `to` of `scratch`.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd>(
        self,
        s: S,
        x: *const f32,
        scratch: *mut f32,
        cols: usize,
        start: usize,
        len: usize,
    ) {
        // SAFETY: `row` and `column` stay below the number of rows and columns because elements do.
        unsafe {
            let to = scratch.add(self.to);
            let (mut row, mut column) = (0, 0);
            if start > 0 {
                (row, column) = (start / cols, start % cols);
            }
            match self.from {
                Input::Full(_) => unreachable!("full inputs are read in place"),
                Input::Scalar(_) => spread(s, *x, to, len),
                Input::Row(_) => {
                    let mut done = 0;
                    while done < len {
                        let run = (cols - column).min(len - done);
                        copy(s, x.add(column), to.add(done), run);
                        (done, column) = (done + run, 0);
                    }
                }
                Input::Column(_) => {
                    let mut done = 0;
                    while done < len {
                        let run = (cols - column).min(len - done);
                        spread(s, *x.add(row), to.add(done), run);
                        (done, column, row) = (done + run, 0, row + 1);
                    }
                }
            }
        }
    }
}

/// Writes `x` to `len` floats, and to up to a vector behind them.
#[inline(always)]
unsafe fn spread<S: Simd>(s: S, x: f32, to: *mut f32, len: usize) {
    let x = s.splat(x);
    let mut i = 0;
    while i < len {
        // SAFETY: see `Fill::run`.
        unsafe { s.store(to.add(i), x) };
        i += S::LANES;
    }
}

/// Copies `len` floats; up to a vector behind them is overwritten, but nothing behind them is read.
#[inline(always)]
unsafe fn copy<S: Simd>(s: S, from: *const f32, to: *mut f32, len: usize) {
    let mut i = 0;
    // SAFETY: see `Fill::run`.
    unsafe {
        while i + S::LANES <= len {
            s.store(to.add(i), s.load(from.add(i)));
            i += S::LANES;
        }
        if i < len {
            s.store(to.add(i), s.load_first(len - i, from.add(i)));
        }
    }
}
