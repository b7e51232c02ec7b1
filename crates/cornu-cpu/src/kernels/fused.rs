//! Element-wise programs: operations on the elements of values of one shape, of any types, run block by block so that
//! what lies between the first read and the last write stays in the nearest cache.
//!
//! A [`Program`] says what to compute; [`Fused::new`] checks it once and arranges it as chains, in which singles go from
//! operation to operation in vector registers, and as loops over blocks for all else. Each operation is rounded
//! separately, and an element's result depends neither on its block nor on how elements are divided among threads.

mod adam;
mod arrange;
mod casts;
mod chain;
mod checks;
mod fill;
mod loops;
mod near;
mod prepare;

use std::fmt;
use std::ops::Range;

use cornu_graph::ops::{Binary, Compare, Unary};
use cornu_graph::{Array, DType, Result};

use self::chain::Link;
use self::fill::{Fill, Spill};
use self::loops::Call;
use self::near::Near;
use super::memory::typed;
use super::operand::{Axis, Bases, Kernel, Span, Strided};
use super::order::ByTokens;
use super::simd::{Level, Simd, dispatch};

/// Elements of a part of memory in which blocks begin: 64 bytes of singles.
const LINE: usize = 16;

/// Up to this many elements a segment is one block, and no other block is larger.
const LARGEST_BLOCK: usize = 512;

/// A block that is never cut.
const WHOLE: usize = usize::MAX & !(LINE - 1);

/// Elements times operations that are worth a thread: a few microseconds.
const GRAIN: usize = 32 * 1024;

/// What an instruction works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operand {
    /// The result of the instruction of this number, which must come before.
    Register(u16),
    /// The input of this number.
    Input(u16),
    /// The element of these bits, of the type that the operation needs.
    Constant(u64),
}

/// An operation of the graph on one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Opcode {
    /// A copy is [`Unary::StopGradient`].
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    /// `if a { b } else { c }`
    Select,
    /// The same number as another type.
    Cast(DType),
}

impl Opcode {
    /// How many of an instruction's operands it reads.
    pub fn arity(self) -> usize {
        match self {
            Opcode::Unary(_) | Opcode::Cast(_) => 1,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What it does.
    pub op: Opcode,
    /// The type of its operands; that of the two to choose from, for a selection.
    pub dtype: DType,
    /// What it reads; operands beyond its arity are of no meaning.
    pub operands: [Operand; 3],
}

impl Instruction {
    /// An operation on these operands of type `dtype`, as many as it reads.
    ///
    /// # Panics
    /// If there are none.
    pub fn new(op: impl Into<Opcode>, dtype: DType, operands: &[Operand]) -> Instruction {
        let operand = |i: usize| *operands.get(i).unwrap_or(&operands[0]);
        Instruction { op: op.into(), dtype, operands: [operand(0), operand(1), operand(2)] }
    }

    /// The operands it reads.
    fn operands(&self) -> &[Operand] {
        &self.operands[..self.op.arity()]
    }

    /// The type of its operand `i`.
    fn operand_type(&self, i: usize) -> DType {
        if self.op == Opcode::Select && i == 0 { DType::Bool } else { self.dtype }
    }

    /// The type of its result.
    pub fn result(&self) -> DType {
        match self.op {
            Opcode::Compare(_) => DType::Bool,
            Opcode::Cast(to) => to,
            Opcode::Unary(_) | Opcode::Binary(_) | Opcode::Select => self.dtype,
        }
    }
}

/// Where the elements of an input are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// In memory, as the axes lead through it.
    Memory(Strided),
    /// Nowhere: each is the number of steps that the axes go, from that number on.
    Count(i64, Box<[Axis]>),
    /// Nowhere: each is a sum of elements of rows.
    ByTokens(ByTokens),
}

impl Input {
    fn axes(&self) -> &[Axis] {
        match self {
            Input::Memory(strided) => &strided.axes,
            Input::Count(_, axes) => axes,
            Input::ByTokens(sums) => &sums.axes,
        }
    }
}

/// What to compute, for each element of each segment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    /// The type of each input.
    pub inputs: Vec<DType>,
    /// The operations, in order.
    pub code: Vec<Instruction>,
    /// The registers that are written to memory.
    pub outputs: Vec<u16>,
    /// The values that it is done to.
    pub segments: Vec<Segment>,
}

/// Values that a program works on: as many inputs and outputs as it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Elements.
    pub len: usize,
    /// What is read.
    pub inputs: Vec<Input>,
    /// Where outputs lie. Where their elements lie in a row, that may be where those of an input do: every element is read
    /// before it is written.
    pub outputs: Vec<Strided>,
}

/// A step on a block, with the places of its operands in the table.
#[derive(Clone, Debug)]
enum Step {
    /// Operations on singles in vector registers.
    Chain(Box<[Link]>),
    /// A loop.
    Call { call: Call, from: [u16; 3], to: u16 },
    /// Adam's step.
    Adam(adam::Ready),
}

/// A program that is ready to run.
#[derive(Clone, Debug)]
pub struct Fused {
    /// Elements in all, and of a block.
    len: usize,
    block: usize,
    steps: Box<[Step]>,
    segments: Box<[Ready]>,
    /// Bytes of an element, for each input and output of a segment that is read or written in place.
    sizes: Box<[usize]>,
    /// Where blocks begin in the scratch memory, and in the constants.
    slots: Box<[usize]>,
    constants: Box<[Line]>,
    /// How many constants there are, and lines of each.
    count: usize,
    lines: usize,
    /// Bytes of scratch memory.
    scratch: usize,
    /// How many operations there are.
    work: usize,
}

/// 64 bytes, so that constants are aligned like everything else.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line(#[allow(dead_code, reason = "it is read by its address")] [u64; 8]);

/// A segment that is ready to run.
#[derive(Clone, Debug)]
struct Ready {
    len: usize,
    /// What is read or written in place.
    spans: Box<[Span]>,
    /// Inputs to be spread out, once or for each block.
    fills: Box<[Fill]>,
    /// What is read or written where it lies, which must be found for each block.
    near: Box<[Near]>,
    /// Outputs that do not lie in a row, written behind each block.
    spills: Box<[Spill]>,
}

/// Where a step finds an operand: element `i` is at `from + i * step`, or in this block, where `step` is 0.
#[derive(Clone, Copy)]
struct Place {
    from: *mut u8,
    step: usize,
}

impl Place {
    /// Where the block begins whose first element is `start`.
    #[inline(always)]
    fn at(self, start: usize) -> *mut u8 {
        self.from.wrapping_add(start * self.step)
    }
}

impl Fused {
    /// Checks a program, and prepares it.
    ///
    /// # Errors
    /// When an operand does not exist yet or is of another type, a segment has another number of elements, or an output
    /// overlaps another output, or an input in any way but in place.
    pub fn new(program: &Program) -> Result<Fused> {
        prepare::prepare(program)
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is one pass over its elements without a table, so that parts of it take no longer than the whole.
    pub(crate) fn is_one_pass(&self) -> bool {
        matches!((&*self.steps, self.block), ([Step::Adam(_)], WHOLE))
    }

    /// Where the block of a constant begins.
    #[inline(always)]
    fn constant(&self, i: usize) -> *mut u8 {
        self.constants.as_ptr().wrapping_add(i * self.lines).cast_mut().cast()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// The bits of the first element of an array, as constants have them.
///
/// # Panics
/// If it has none.
pub(crate) fn bits(array: &Array) -> u64 {
    typed!(array.dtype(), T => {
        let element = array.as_slice::<T>().expect("an array has elements of its type")[0];
        let mut bits = [0; size_of::<u64>()];
        // SAFETY: an element has at most so many bytes, and no others between.
        unsafe { (&raw const element).cast::<u8>().copy_to_nonoverlapping(bits.as_mut_ptr(), size_of::<T>()) };
        u64::from_ne_bytes(bits)
    })
}

impl Kernel for Fused {
    fn units(&self) -> usize {
        self.len
    }

    /// Rows of one segment are stretches of its elements.
    fn has_rows(&self, rows: usize) -> bool {
        self.segments.len() == 1 && rows > 0 && self.len.is_multiple_of(rows)
    }

    fn grain(&self) -> usize {
        (GRAIN / self.work.max(1)).max(LINE)
    }

    fn scratch(&self) -> usize {
        self.scratch
    }

    #[inline]
    unsafe fn run(&self, level: Level, bases: Bases, units: Range<usize>, scratch: *mut u8) {
        // SAFETY: as the caller promises.
        unsafe { run(level, self, bases, units, scratch) }
    }
}

/// For snapshots of plans.
impl fmt::Display for Fused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fused {}", self.len)
    }
}

dispatch! {
    unsafe fn run = run_with(fused: &Fused, bases: Bases, units: Range<usize>, scratch: *mut u8);
}

/// # Safety
/// As [`Kernel::run`].
#[inline(always)]
unsafe fn run_with<S: Simd>(s: S, fused: &Fused, bases: Bases, units: Range<usize>, scratch: *mut u8) {
    if let ([Step::Adam(adam)], true) = (&*fused.steps, fused.is_one_pass()) {
        // SAFETY: promised by the caller.
        return unsafe { adam::segments(s, adam, fused, bases, units) };
    }
    let table = scratch.cast::<Place>();
    // SAFETY: `prepare` made room for the table in the scratch memory, and blocks behind it.
    unsafe {
        let blocks = table.add(fused.sizes.len());
        for (i, &at) in fused.slots.iter().enumerate() {
            blocks.add(i).write(Place { from: scratch.wrapping_add(at), step: 0 });
        }
        let constants = blocks.add(fused.slots.len());
        for i in 0..fused.count {
            constants.add(i).write(Place { from: fused.constant(i), step: 0 });
        }
        let mut before = 0;
        for segment in &fused.segments {
            let (start, end) = (units.start.max(before), units.end.min(before + segment.len));
            if start < end {
                for (i, (&span, &step)) in segment.spans.iter().zip(&fused.sizes).enumerate() {
                    table.add(i).write(Place { from: bases.at(span), step });
                }
                run_segment(s, fused, segment, bases, table, start - before..end - before);
            }
            before += segment.len;
        }
    }
}

/// # Safety
/// As [`run_with`], for these elements of the segment, with its table.
#[inline(always)]
unsafe fn run_segment<S: Simd>(
    s: S,
    fused: &Fused,
    segment: &Ready,
    bases: Bases,
    table: *mut Place,
    elements: Range<usize>,
) {
    let (mut start, mut len) = (elements.start, fused.block - elements.start % fused.block);
    // SAFETY: `prepare` checked operands against the table, and fills against blocks. What is near is in the table behind
    // the constants.
    unsafe {
        let near = table.add(fused.sizes.len() + fused.slots.len() + fused.count);
        while start < elements.end {
            len = len.min(elements.end - start);
            let first = start == elements.start;
            // The first block may be shorter than the second.
            let is_new = start - elements.start < fused.block;
            for fill in segment.fills.iter().filter(|fill| is_new || !fill.once) {
                fill.run(s, bases, (*table.add(fill.to())).from, [start, len], first);
            }
            for (i, found) in segment.near.iter().enumerate() {
                near.add(i).write(found.at(bases, start, len));
            }
            for step in &fused.steps {
                match step {
                    Step::Chain(links) => chain::run(s, links, table, start, len),
                    Step::Adam(adam) => adam::run(s, adam, table, start, len),
                    Step::Call { call, from, to } => {
                        let at = |place: u16| (*table.add(place.into())).at(start);
                        let [a, b, c] = *from;
                        call.run(s, [at(a), at(b), at(c)].map(<*mut u8>::cast_const), at(*to), len);
                    }
                }
            }
            for spill in &segment.spills {
                spill.run(s, bases, (*table.add(spill.from())).at(start), start, len);
            }
            (start, len) = (start + len, fused.block);
        }
    }
}

#[cfg(test)]
mod tests;
