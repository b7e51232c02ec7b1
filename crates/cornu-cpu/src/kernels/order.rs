//! Rows that tokens name, in order: what is added to a table can be found row by row, and need not lie there.

use std::fmt;
use std::ops::Range;

use super::memory::LINE;
use super::num::{Num, Stored};
use super::operand::{Axis, Bases, Kernel, Span};
use super::rows::Tokens;
use super::simd::{Level, foresee};

/// Behind the last token that names a row.
const NONE: u64 = u64::MAX;
/// How many rows later ones are asked for, since they lie in no order.
const AHEAD: usize = 8;
/// The most lines of a row that are asked for: those behind come in a row.
const MOST: usize = 16;
/// The most bits that are sorted by at a time.
const DIGIT: u32 = 11;

/// Writes, for each token that names one of `rows` rows, the row in the upper half and the token's position in the lower
/// half of a number; these ascend, and [`NONE`] fills up what is left. Its unit is the whole.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) rows: usize,
    pub(crate) tokens: Tokens,
    pub(crate) to: Span,
}

impl Order {
    /// Whether halves of a number hold such rows and positions, behind which there is [`NONE`].
    pub(crate) fn fits(rows: usize, count: usize) -> bool {
        rows.max(count) <= u32::MAX as usize
    }
}

impl Kernel for Order {
    fn units(&self) -> usize {
        1
    }

    fn grain(&self) -> usize {
        1
    }

    /// As many numbers again.
    fn scratch(&self) -> usize {
        self.tokens.count.saturating_mul(size_of::<u64>())
    }

    unsafe fn run(&self, _: Level, bases: Bases, _: Range<usize>, scratch: *mut u8) {
        let &Order { rows, tokens, to } = self;
        let bits = usize::BITS - rows.saturating_sub(1).leading_zeros();
        let passes = bits.div_ceil(DIGIT);
        // SAFETY: the caller's promise: both lists hold a number for each token.
        let lists = unsafe {
            [bases.at(to), scratch.cast::<u64>()].map(|list| std::slice::from_raw_parts_mut(list, tokens.count))
        };
        let [mut from, mut to] = lists;
        // The last pass writes to where the result is wanted.
        if passes % 2 == 1 {
            std::mem::swap(&mut from, &mut to);
        }
        let mut len = 0;
        for position in 0..tokens.count {
            // SAFETY: one of the tokens.
            if let Some(row) = unsafe { tokens.row(bases, position, rows) } {
                from[len] = (row as u64) << 32 | position as u64;
                len += 1;
            }
        }
        for pass in 0..passes {
            sort(&from[..len], &mut to[..len], u32::BITS + pass * bits.div_ceil(passes), bits.div_ceil(passes));
            std::mem::swap(&mut from, &mut to);
        }
        from[len..].fill(NONE);
    }
}

/// Writes numbers in the order of some of their bits, of equal ones the first first.
fn sort(from: &[u64], to: &mut [u64], shift: u32, bits: u32) {
    let digit = |number: u64| (number >> shift) as usize & ((1 << bits) - 1);
    let mut places = [0u32; 1 << DIGIT];
    from.iter().for_each(|&number| places[digit(number)] += 1);
    let mut sum = 0;
    for place in &mut places[..1 << bits] {
        sum += std::mem::replace(place, sum);
    }
    for &number in from {
        let place = &mut places[digit(number)];
        to[*place as usize] = number;
        *place += 1;
    }
}

/// For snapshots of plans.
impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {} tokens of {} rows", self.tokens.count, self.rows)
    }
}

/// Sums by tokens: zeros, with each of `count` rows added to the row that its token names, in the order of positions.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ByTokens {
    /// What [`Order`] wrote.
    pub(crate) order: Span,
    pub(crate) count: usize,
    /// The rows, in the order of positions, of `width` elements.
    pub(crate) new: Span,
    pub(crate) width: usize,
    /// All elements, in a row.
    pub(crate) axes: [Axis; 1],
}

impl ByTokens {
    /// What it reads: where that begins, and its bytes, given those of an element.
    pub(super) fn reads(&self, size: usize) -> [(Span, usize); 2] {
        [(self.order, self.count * size_of::<u64>()), (self.new, self.count * self.width * size)]
    }

    /// Writes elements `start..start + len`, and to `next` which of the rows come then; those before are known to be done
    /// but at the `first` elements.
    ///
    /// # Safety
    /// The operands are in their buffers, and so many elements and `next` are writable.
    #[inline(always)]
    pub(super) unsafe fn run<T: Stored>(
        &self,
        bases: Bases,
        to: *mut T,
        [start, len]: [usize; 2],
        (next, first): (*mut usize, bool),
    ) {
        let &ByTokens { order, count, new, width, .. } = self;
        let row = |number: u64| (number >> 32) as usize;
        // SAFETY: as the caller promises.
        unsafe {
            let order = std::slice::from_raw_parts(bases.at::<u64>(order).cast_const(), count);
            if first {
                *next = order.partition_point(|&number| row(number) < start / width);
            }
            (0..len).for_each(|i| *to.add(i) = T::store(T::Register::ZERO));
            let row_of = |number: u64| bases.at::<T>(new).wrapping_add((number as u32 as usize).wrapping_mul(width));
            for (i, &number) in (*next..).zip(order[*next..].iter().take_while(|&&number| number != NONE)) {
                let at = row(number) * width;
                if at >= start + len {
                    return;
                }
                let columns = start.saturating_sub(at)..(start + len - at).min(width);
                let later = order.get(i + AHEAD).map_or(std::ptr::null_mut(), |&later| row_of(later));
                foresee(later.cast(), LINE as isize, (width * size_of::<T>()).div_ceil(LINE).min(MOST));
                let new = row_of(number).add(columns.start).cast_const();
                let to = std::slice::from_raw_parts_mut(to.add(at.max(start) - start), columns.len());
                for (to, new) in to.iter_mut().zip(std::slice::from_raw_parts(new, columns.len())) {
                    *to = T::store(to.load().plus(new.load()));
                }
                // A row that goes on behind these elements comes again.
                *next += usize::from(at + width <= start + len);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use cornu_graph::DType;

    use super::*;

    /// The numbers that an order of those tokens consists of.
    fn ordered(mut tokens: Vec<i32>, rows: usize) -> Vec<u64> {
        let (mut out, mut scratch) = (vec![7u64; tokens.len()], vec![7u64; tokens.len()]);
        let pointers = [tokens.as_mut_ptr().cast(), out.as_mut_ptr().cast()];
        let kernel =
            Order { rows, tokens: Tokens { dtype: DType::I32, count: tokens.len(), at: Span::of(0) }, to: Span::of(1) };
        // SAFETY: the lists are as long as the kernel was told.
        unsafe { kernel.run(Level::Portable, Bases::new(&pointers), 0..1, scratch.as_mut_ptr().cast()) };
        out
    }

    #[test]
    fn tokens_come_in_order_of_rows_and_then_of_positions() {
        // One pass, two, and three; no row at all.
        for rows in [0, 1, 2, 3, 2048, 2049, 20_000, 1 << 22, (1 << 22) + 1, i32::MAX as usize] {
            let some = |i: i32| ((i64::from(i) * 7919 + 13) % (rows as i64 + 3)) as i32 - 1;
            let last = rows as i32 - 1;
            let cases =
                [vec![], vec![last; 300], vec![0, -1, last, i32::MAX, i32::MIN, 0], (0..3000).map(some).collect()];
            for tokens in cases {
                let there = tokens.iter().enumerate().filter(|&(_, &token)| (0..rows as i64).contains(&token.into()));
                let mut want: Vec<u64> = there.map(|(i, &token)| (token as u64) << 32 | i as u64).collect();
                want.sort_unstable();
                want.resize(tokens.len(), NONE);
                assert_eq!(ordered(tokens, rows), want, "{rows} rows");
            }
        }
    }
}
