//! Rows of tables by their numbers: taken out, and added to.

use std::fmt;
use std::ops::Range;

use cornu_graph::{DType, Element, ops};

use super::memory::typed;
use super::moves::copy;
use super::num::{Num, Stored};
use super::operand::{Bases, Kernel, Place, Span};
use super::simd::{Level, Simd, dispatch};

/// Bytes to be copied, or elements to be added, that are worth a thread.
const GRAIN: usize = 32 * 1024;

/// Numbers of rows: any type of whole numbers, `count` of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tokens {
    pub(crate) dtype: DType,
    pub(crate) count: usize,
    pub(crate) at: Span,
}

impl From<Place> for Tokens {
    fn from(place: Place) -> Tokens {
        Tokens { dtype: place.dtype, count: place.len, at: place.span }
    }
}

impl Tokens {
    /// The row that token `i` means in a table of `rows` rows.
    ///
    /// # Safety
    /// There are that many tokens in their span.
    #[inline(always)]
    pub(super) unsafe fn row(&self, bases: Bases, i: usize, rows: usize) -> Option<usize> {
        // SAFETY: one of the tokens.
        typed!(self.dtype, T => ops::Gather::row(unsafe { *bases.at::<T>(self.at).add(i) }.number(), rows))
    }
}

/// Copies those rows of a table of `rows` rows, each of `width` bytes; a row that is not there is zeros. Its units are
/// tokens.
#[derive(Debug)]
pub(crate) struct Gather {
    pub(crate) table: Span,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) tokens: Tokens,
    pub(crate) to: Span,
}

impl Kernel for Gather {
    fn units(&self) -> usize {
        self.tokens.count
    }

    fn grain(&self) -> usize {
        (GRAIN / self.width.max(1)).max(1)
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, _: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        let (table, to): (*const u8, *mut u8) = (bases.at(self.table), bases.at(self.to));
        if (self.tokens.dtype, self.width) == (DType::U32, size_of::<u32>()) {
            let (tokens, table): (*const u32, *const u32) = (bases.at(self.tokens.at), table.cast());
            for i in units {
                // SAFETY: the caller's promise, for this token; the row is one of the table's.
                unsafe {
                    let row = *tokens.add(i) as usize;
                    *to.cast::<u32>().add(i) = if row < self.rows { *table.add(row) } else { 0 };
                }
            }
            return;
        }
        for i in units {
            // SAFETY: the caller's promise, for this token; the row is one of the table's.
            unsafe {
                let to = to.add(i * self.width);
                match self.tokens.row(bases, i, self.rows) {
                    Some(row) => copy(table.add(row * self.width), to, self.width),
                    None => to.write_bytes(0, self.width),
                }
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Gather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gather {} of {} rows", self.tokens.count, self.rows)
    }
}

/// A table of `rows` rows of `width` elements, or zeros, with a row for each token added, in the order of the tokens.
/// What is for a row that is not there is left out. Its units are elements of the table.
#[derive(Debug)]
pub(crate) struct ScatterAdd {
    pub(crate) dtype: DType,
    /// The table; where it is the result's own memory nothing is copied, and of nothing it is zeros.
    pub(crate) table: Option<Span>,
    pub(crate) rows: usize,
    pub(crate) width: usize,
    pub(crate) tokens: Tokens,
    pub(crate) new: Span,
    pub(crate) to: Span,
}

impl Kernel for ScatterAdd {
    fn units(&self) -> usize {
        self.rows * self.width
    }

    fn grain(&self) -> usize {
        GRAIN
    }

    fn scratch(&self) -> usize {
        0
    }

    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, _: *mut u8) {
        // SAFETY: the caller's promise.
        typed!(self.dtype, T => unsafe { scatter_level::<T>(level, self, bases, units) });
    }
}

/// For snapshots of plans.
impl fmt::Display for ScatterAdd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scatter_add {} to {} rows", self.tokens.count, self.rows)
    }
}

dispatch! { unsafe fn scatter_level<T: Stored> = scatter_with(scatter: &ScatterAdd, bases: Bases, units: Range<usize>); }

/// Every thread looks at all tokens, and adds to the elements that are its own: so each has its sum in one order.
///
/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn scatter_with<S: Simd, T: Stored>(_: S, scatter: &ScatterAdd, bases: Bases, units: Range<usize>) {
    let &ScatterAdd { rows, width, tokens, new, to, .. } = scatter;
    let (new, to): (*const T, *mut T) = (bases.at(new), bases.at(to));
    let (start, end) = (units.start, units.end);
    // SAFETY: the elements `units` of table and result.
    unsafe {
        match scatter.table {
            None => (start..end).for_each(|i| *to.add(i) = T::store(T::Register::ZERO)),
            Some(table) if table == scatter.to => {}
            Some(table) => {
                copy(bases.at::<T>(table).add(start).cast(), to.add(start).cast(), units.len() * size_of::<T>());
            }
        }
    }
    for i in 0..tokens.count {
        // SAFETY: one of the tokens.
        let Some(row) = (unsafe { tokens.row(bases, i, rows) }) else { continue };
        let columns = start.saturating_sub(row * width)..end.saturating_sub(row * width).min(width);
        for j in columns {
            // SAFETY: the part of this row that lies in `units`, and the token's new row.
            unsafe {
                let (total, new) = (to.add(row * width + j), *new.add(i * width + j));
                *total = T::store((*total).load().plus(new.load()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::threads::share;
    use super::*;

    fn span(base: u32) -> Span {
        Span { base, at: 0 }
    }

    fn run(kernel: &dyn Kernel, level: Level, pointers: &[*mut u8], parts: usize) {
        for part in 0..parts {
            // SAFETY: the memory is as large as the kernel was told.
            unsafe {
                kernel.run(level, Bases::new(pointers), share(kernel.units(), part, parts), std::ptr::null_mut());
            }
        }
    }

    /// Repeated, none, all the same, out of range on both sides.
    fn cases() -> Vec<Vec<i64>> {
        let many = (0..3000).map(|i| i * i % 23 - 2).collect();
        vec![vec![2, 0, 2, 3, 2], vec![], vec![7; 300], vec![20, -1, 3, i64::MIN, i64::MAX, 19], many]
    }

    #[test]
    fn rows_are_taken_out() {
        for (width, tokens) in
            [0usize, 1, 3, 8, 40, 600].into_iter().flat_map(|w| cases().into_iter().map(move |t| (w, t)))
        {
            let (mut tokens, rows) = (tokens, 20);
            let mut table: Vec<u8> = (0..rows * width).map(|i| (i * 7 % 255) as u8 + 1).collect();
            let row = |&token: &i64| match usize::try_from(token) {
                Ok(row) if row < rows => table[row * width..(row + 1) * width].to_vec(),
                _ => vec![0; width],
            };
            let want: Vec<u8> = tokens.iter().flat_map(row).collect();
            for parts in [1, 3] {
                let mut out = vec![9u8; want.len()];
                let pointers = [table.as_mut_ptr(), tokens.as_mut_ptr().cast(), out.as_mut_ptr()];
                let tokens = Tokens { dtype: DType::I64, count: tokens.len(), at: span(1) };
                let gather = Gather { table: span(0), rows, width, tokens, to: span(2) };
                run(&gather, Level::Portable, &pointers, parts);
                assert_eq!(out, want, "{width} bytes, {tokens:?}");
            }
        }
    }

    #[test]
    fn rows_are_added_in_the_order_of_tokens() {
        for (width, tokens) in [1usize, 5, 128].into_iter().flat_map(|w| cases().into_iter().map(move |t| (w, t))) {
            let mut tokens: Vec<i16> = tokens.into_iter().map(|token| token.clamp(-9, 99) as i16).collect();
            let rows = 20;
            let number = |i: usize| (i as f32 * 0.618_034).fract() - 0.3;
            let table: Vec<f32> = (0..rows * width).map(number).collect();
            let mut new: Vec<f32> = (0..tokens.len() * width).map(|i| number(i + 77)).collect();
            for (zeros, in_place, parts) in [(true, false, 1), (false, false, 2), (false, true, 3), (true, false, 7)] {
                let mut want = if zeros { vec![0.0; table.len()] } else { table.clone() };
                for (i, &token) in tokens.iter().enumerate().filter(|&(_, &token)| (0..rows as i16).contains(&token)) {
                    (0..width).for_each(|j| want[token as usize * width + j] += new[i * width + j]);
                }
                for level in Level::all() {
                    let mut out = if in_place { table.clone() } else { vec![f32::NAN; table.len()] };
                    let pointers = [
                        table.as_ptr().cast_mut().cast(),
                        tokens.as_mut_ptr().cast(),
                        new.as_mut_ptr().cast(),
                        out.as_mut_ptr().cast(),
                    ];
                    let scatter = ScatterAdd {
                        dtype: DType::F32,
                        table: (!zeros).then(|| span(if in_place { 3 } else { 0 })),
                        rows,
                        width,
                        tokens: Tokens { dtype: DType::I16, count: tokens.len(), at: span(1) },
                        new: span(2),
                        to: span(3),
                    };
                    run(&scatter, level, &pointers, parts);
                    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&out), bits(&want), "{scatter:?}");
                }
            }
        }
    }
}
