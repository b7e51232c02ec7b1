//! Inputs and outputs that lie in a row, or are one number, in each block but not as a whole: they are read and written
//! where they lie.

use super::super::operand::{Axis, Bases, Strided};
use super::fill::{ask_for, place};
use super::{Input, LARGEST_BLOCK, LINE, Place, Program, Segment};

/// The least elements of a block that is as long as rows are: of shorter ones several are spread out side by side.
const LEAST: usize = 128;

/// Where such a value lies, and the bytes of an element.
#[derive(Clone, Debug)]
pub(super) struct Near {
    strided: Strided,
    size: usize,
    /// How many elements further the next block is, whose lines are asked for where it does not follow.
    ahead: isize,
}

impl Near {
    pub(super) fn new(strided: Strided, size: usize, block: usize) -> Near {
        let ahead = place(&strided.axes, block);
        let follows = ahead == block.cast_signed() || lies(&strided.axes, block) == Some(Lies::Same);
        Near { ahead: if follows { 0 } else { ahead }, strided, size }
    }

    /// Where the `len` elements from `start` on lie, which are of one block.
    #[inline(always)]
    pub(super) fn at(&self, bases: Bases, start: usize, len: usize) -> Place {
        let Near { strided: Strided { span, axes }, size, ahead } = self;
        let from: *mut u8 = bases.at::<u8>(*span).wrapping_offset(place(axes, start) * size.cast_signed());
        if *ahead != 0 {
            ask_for(from.wrapping_offset(ahead * size.cast_signed()).cast_const(), len * size);
        }
        Place { from, step: 0 }
    }
}

/// An input or an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Input(usize),
    Output(usize),
}

/// Where an input or output of a segment is in memory.
pub(super) fn strided(segment: &Segment, side: Side) -> Option<&Strided> {
    match side {
        Side::Output(o) => Some(&segment.outputs[o]),
        Side::Input(i) => match &segment.inputs[i] {
            Input::Memory(strided) => Some(strided),
            Input::Count(..) | Input::ByTokens(_) => None,
        },
    }
}

/// How the elements of each block lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lies {
    InARow,
    /// One number stands for all.
    Same,
}

/// How elements lie that are walked over like that, if alike in each block of so many.
pub(super) fn lies(axes: &[Axis], block: usize) -> Option<Lies> {
    let &Axis { size, step } = axes.last()?;
    match step {
        _ if !size.is_multiple_of(block) => None,
        0 => Some(Lies::Same),
        1 => Some(Lies::InARow),
        _ => None,
    }
}

/// How many elements the row has that an input repeats in every segment, if they are a divisor of a line.
pub(super) fn row(program: &Program, input: usize) -> Option<usize> {
    let row = |segment: &Segment| match &segment.inputs[input] {
        Input::Memory(Strided { axes, .. }) => match **axes {
            [Axis { size, step: 1 }] if size == segment.len => Some(size),
            [Axis { step: 0, .. }, Axis { size, step: 1 }] => Some(size),
            _ => None,
        },
        Input::Count(..) | Input::ByTokens(_) => None,
    };
    let mut rows = program.segments.iter().map(row);
    let first = rows.next()?.filter(|&size| size > 1 && LINE.is_multiple_of(size))?;
    rows.all(|row| row == Some(first)).then_some(first)
}

/// The most elements of a block that divide all rows of what would be spread out, block by block, in those of `block`; or
/// that, if they are few.
pub(super) fn rows(program: &Program, block: usize, is_spread: impl Fn(&[Axis], usize) -> bool) -> usize {
    let segments = program.segments.iter();
    let all = segments.flat_map(|segment| {
        let inputs = segment.inputs.iter().filter(|input| matches!(input, Input::Memory(_))).map(Input::axes);
        inputs.chain(segment.outputs.iter().map(|output| &*output.axes)).map(|axes| (axes, segment.len))
    });
    let rows = all.filter(|&(axes, len)| axes.len() > 1 && is_spread(axes, len)).filter_map(|(axes, _)| axes.last());
    let rows = rows.filter(|row| row.size >= LEAST && matches!(row.step, 0 | 1)).map(|row| row.size);
    let Some(all) = rows.reduce(common) else { return block };
    let parts = (all.div_ceil(LARGEST_BLOCK)..=all / LEAST).find(|&parts| all.is_multiple_of(parts));
    parts.map_or(block, |parts| all / parts)
}

/// The greatest common divisor.
pub(super) fn common(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common(b, a % b) }
}
