//! Element-wise programs: chains of operations on values of one shape, run block by block so that what lies between
//! the first read and the last write stays in the nearest cache.
//!
//! A [`Program`] says what to compute; [`Fused::new`] checks it once and turns it into steps over blocks of about 256
//! elements, or finds the loop that was written for it; [`Fused::run`] interprets the steps and allocates nothing. Each operation is rounded separately, and an
//! element's result depends neither on the block it is in nor on how the elements are divided among threads.

mod fill;
mod interpret;
mod join;
mod prepare;
mod whole;

use std::fmt;
use std::ops::Range;

use cornu_graph::Result;
use cornu_graph::ops::{Binary, Compare, Unary};

use self::fill::Fill;
use self::interpret::Step;
use self::whole::Whole;
use super::operand::{Bases, Kernel, Span};
use super::simd::{Level, Simd, dispatch};

/// Floats of one cache line: values start at multiples of it and are padded to multiples of it.
pub const LINE: usize = 16;

/// A value that a program reads, by the number of its span in each segment. Element `i` of the `rows * cols` elements is:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// `span[i]`
    Full(usize),
    /// `span[0]`
    Scalar(usize),
    /// `span[i % cols]`, as a bias is added
    Row(usize),
    /// `span[i / cols]`, as a row's maximum is taken away
    Column(usize),
}

impl Input {
    fn span(self) -> usize {
        let (Input::Full(k) | Input::Scalar(k) | Input::Row(k) | Input::Column(k)) = self;
        k
    }
}

/// What an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand {
    /// The result of the instruction of this number, which must come before.
    Register(u16),
    /// The input of this number.
    Input(u16),
    /// A number.
    Constant(f32),
}

/// An operation of the graph on one element. Comparisons and logic give 1 or 0; NaN counts as true, as it does in NumPy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Opcode {
    /// A copy is [`Unary::StopGradient`].
    Unary(Unary),
    /// A power is taken through `f64`, one element after the other.
    Binary(Binary),
    Compare(Compare),
    /// `if a != 0 { b } else { c }`
    Select,
}

impl Opcode {
    /// How many of an instruction's operands it reads.
    pub fn arity(self) -> usize {
        match self {
            Opcode::Unary(_) => 1,
            Opcode::Binary(_) | Opcode::Compare(_) => 2,
            Opcode::Select => 3,
        }
    }
}

impl From<Unary> for Opcode {
    fn from(op: Unary) -> Self {
        Opcode::Unary(op)
    }
}

impl From<Binary> for Opcode {
    fn from(op: Binary) -> Self {
        Opcode::Binary(op)
    }
}

impl From<Compare> for Opcode {
    fn from(op: Compare) -> Self {
        Opcode::Compare(op)
    }
}

/// One operation. The instruction at place `k` of a program writes register `k`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Instruction {
    pub op: Opcode,
    pub a: Operand,
    pub b: Operand,
    pub c: Operand,
}

impl Instruction {
    /// An operation of one operand.
    pub fn unary(op: Unary, a: Operand) -> Instruction {
        Instruction { op: op.into(), a, b: a, c: a }
    }

    /// An operation of two operands.
    pub fn binary(op: impl Into<Opcode>, a: Operand, b: Operand) -> Instruction {
        Instruction { op: op.into(), a, b, c: a }
    }

    /// `if a != 0 { b } else { c }`
    pub fn select(a: Operand, b: Operand, c: Operand) -> Instruction {
        Instruction { op: Opcode::Select, a, b, c }
    }

    /// The operands it reads.
    fn operands(&self) -> impl Iterator<Item = Operand> {
        [self.a, self.b, self.c].into_iter().take(self.op.arity())
    }
}

/// A value that a program writes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    /// What is written.
    pub from: Operand,
    /// The number of its span. It may be that of a [`Input::Full`]: every element is read before it is written.
    pub at: usize,
}

/// The spans of a program and how many elements it runs over: `rows * cols`.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Segment {
    pub rows: usize,
    pub cols: usize,
    pub spans: Box<[Span]>,
}

impl Segment {
    fn len(&self) -> usize {
        self.rows * self.cols
    }
}

/// What to compute for each element of its segments.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Program {
    pub inputs: Vec<Input>,
    pub code: Vec<Instruction>,
    pub outputs: Vec<Output>,
    pub segments: Vec<Segment>,
}

/// One line of floats, so that constants are aligned like the arena.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

/// A program that is ready to run.
#[derive(Clone, Debug)]
pub struct Fused {
    /// Elements of the whole program, and of one block: a multiple of [`LINE`].
    len: usize,
    block: usize,
    segments: Box<[Segment]>,
    /// How many blocks there are before each segment, and in all.
    blocks: Box<[usize]>,
    /// Inputs to be spread out in the scratch memory, once in each run or again for each block.
    once: Vec<Fill>,
    each: Vec<Fill>,
    steps: Vec<Step>,
    /// The loop that takes the place of the steps, if there is one.
    whole: Option<Whole>,
    /// One block for each constant.
    constants: Vec<Line>,
    /// Floats needed of the scratch memory, behind the table of pointers.
    scratch: usize,
}

/// Pointers that steps find in front of those of spans: registers, constants.
const OWN: usize = 2;

impl Fused {
    /// Checks a program, and prepares it.
    ///
    /// # Errors
    /// When an operand does not exist yet, a span is not at a multiple of a line, or an output overlaps another output, or
    /// an input in any way but in place.
    pub fn new(program: &Program) -> Result<Fused> {
        prepare::prepare(program)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it runs in one pass.
    pub fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// Bytes of the table of pointers: whole lines.
    fn table(&self) -> usize {
        let spans = self.segments.first().map_or(0, |segment| segment.spans.len());
        ((OWN + spans) * size_of::<*mut f32>()).next_multiple_of(LINE * size_of::<f32>())
    }

    /// The blocks of each segment that are among those.
    fn pieces(&self, blocks: Range<usize>) -> impl Iterator<Item = (&Segment, Range<usize>)> {
        let first = self.blocks.partition_point(|&before| before <= blocks.start).saturating_sub(1);
        let pieces = self.segments.iter().zip(self.blocks.windows(2)).skip(first);
        let pieces = pieces.take_while(move |(_, ends)| ends[0] < blocks.end);
        pieces.map(move |(segment, ends)| {
            let (start, end) = (blocks.start.max(ends[0]) - ends[0], blocks.end.min(ends[1]) - ends[0]);
            (segment, start * self.block..segment.len().min(end * self.block))
        })
    }
}

impl Kernel for Fused {
    /// Blocks. Pads of outputs are overwritten with anything.
    fn units(&self) -> usize {
        self.blocks[self.segments.len()]
    }

    /// Elements times operations, a few microseconds of them.
    fn grain(&self) -> usize {
        32 * 1024 / (self.block * self.steps.len()).max(1)
    }

    fn scratch(&self) -> usize {
        self.table() + self.scratch * size_of::<f32>()
    }

    #[inline]
    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        // SAFETY: promised by the caller.
        unsafe {
            match &self.whole {
                Some(whole) => whole.run(level, self, bases, units),
                None => run_blocks(level, self, bases, units, scratch),
            }
        }
    }
}

/// For snapshots of plans.
impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fused {}{}", self.len, if self.is_whole() { " in one pass" } else { "" })
    }
}

dispatch! {
    unsafe fn run_blocks = run_blocks_with(fused: &Fused, bases: Bases, blocks: Range<usize>, scratch: *mut u8);
}

/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn run_blocks_with<S: Simd>(s: S, fused: &Fused, bases: Bases, blocks: Range<usize>, scratch: *mut u8) {
    let constants = fused.constants.as_ptr().cast::<f32>().cast_mut();
    let (table, registers) = (scratch.cast::<*mut f32>(), scratch.wrapping_add(fused.table()).cast::<f32>());
    for (segment, part) in fused.pieces(blocks) {
        let (spans, mut start) = (&segment.spans, part.start);
        // SAFETY: `prepare` made places of spans that it checked and of blocks it counted in the scratch memory and the
        // constants; a segment's last block may be short, and its pads belong to the span.
        unsafe {
            for fill in &fused.once {
                let x = bases.at(spans[fill.from.span()]);
                fill.run(s, x, registers, segment.cols, start, fused.block.min(part.end - start));
            }
            (*table, *table.add(1)) = (registers, constants);
            for (k, &span) in spans.iter().enumerate() {
                *table.add(OWN + k) = bases.at::<f32>(span).wrapping_add(start);
            }
            while start < part.end {
                let len = fused.block.min(part.end - start);
                for fill in &fused.each {
                    fill.run(s, bases.at(spans[fill.from.span()]), registers, segment.cols, start, len);
                }
                // Known to the compiler, the loops over one line are no loops.
                match len.next_multiple_of(LINE) {
                    LINE => interpret::run(s, &fused.steps, table, LINE, len),
                    padded => interpret::run(s, &fused.steps, table, padded, len),
                }
                for k in 0..spans.len() {
                    *table.add(OWN + k) = (*table.add(OWN + k)).wrapping_add(len);
                }
                start += len;
            }
        }
    }
}

#[cfg(test)]
mod tests;
