//! How many elements of a program are one block, and blocks of constants.

use cornu_graph::DType;

use super::near::common;
use super::{Axis, LARGEST_BLOCK, LINE, Line, Program};

/// Elements of a block, unless the shape suggests a better number.
const BLOCK: usize = 256;
/// Bytes of a line.
pub(super) const BYTES: usize = size_of::<Line>();
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

/// One block of each constant, and its lines.
pub(super) fn constants(all: &[(u64, DType)], block: usize) -> (Box<[Line]>, usize) {
    let most = all.iter().map(|(_, dtype)| dtype.size()).max().unwrap_or(1);
    let lines = block * most / BYTES + 1;
    let word = |&(bits, dtype): &(u64, DType)| match dtype.size() {
        1 => (bits & 0xff) * 0x0101_0101_0101_0101,
        2 => (bits & 0xffff) * 0x0001_0001_0001_0001,
        4 => (bits & 0xffff_ffff) * 0x0000_0001_0000_0001,
        _ => bits,
    };
    (all.iter().flat_map(|constant| std::iter::repeat_n(Line([word(constant); 8]), lines)).collect(), lines)
}
