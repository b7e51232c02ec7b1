//! How many elements of a program are one block.

use super::near::common;
use super::{Axis, LARGEST_BLOCK, LINE, Program};

/// Elements of a block, unless the shape suggests a better number.
const BLOCK: usize = 256;
/// After how many elements an input begins again.
fn period(axes: &[Axis]) -> usize {
    axes.iter().skip_while(|axis| axis.step == 0).map(|axis| axis.size).product()
}

/// The size of a block: a multiple of a line and, where it can be, of all rows that are repeated, so that they look the
/// same in every block.
pub(super) fn block(program: &Program) -> usize {
    let longest = program.segments.iter().map(|segment| segment.len).max().unwrap_or(0);
    if longest <= LARGEST_BLOCK {
        return longest.next_multiple_of(LINE).max(LINE);
    }
    let segments = program.segments.iter();
    let periods = segments.flat_map(|segment| segment.inputs.iter().map(|input| (segment.len, period(input.axes()))));
    let repeated = periods.filter(|&(len, period)| period < len).fold(LINE, |all, (_, period)| multiple(all, period));
    if repeated <= LARGEST_BLOCK { (BLOCK / repeated).max(1) * repeated } else { BLOCK }
}

/// Whether so many elements that are walked over like that look the same in every block.
pub(super) fn is_same(axes: &[Axis], len: usize, block: usize) -> bool {
    len <= block || block.is_multiple_of(period(axes).max(1))
}

/// The least common multiple; more than a block, if it is.
fn multiple(a: usize, b: usize) -> usize {
    if a > LARGEST_BLOCK { a } else { (a / common(a, b.max(1))).saturating_mul(b.max(1)) }
}
