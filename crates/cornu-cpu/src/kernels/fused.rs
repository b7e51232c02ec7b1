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

use cornu_graph::Result;
use cornu_graph::ops::{Binary, Compare, Unary};

use self::fill::Fill;
use self::interpret::Step;
use self::whole::Whole;
use super::simd::{Level, Simd, dispatch};
use super::threads::share;

/// Floats of one cache line: spans of the arena start at multiples of it and are padded to multiples of it.
pub const LINE: usize = 16;

/// A value that a program reads, by where it begins in the arena. Element `i` of the `rows * cols` elements is:
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// `arena[at + i]`
    Full(usize),
    /// `arena[at]`
    Scalar(usize),
    /// `arena[at + i % cols]`, as a bias is added
    Row(usize),
    /// `arena[at + i / cols]`, as a row's maximum is taken away
    Column(usize),
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
    /// Where it begins in the arena. It may be where a [`Input::Full`] begins: every element is read before it is written.
    pub at: usize,
}

/// What to compute for each of `rows * cols` elements.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Program {
    pub rows: usize,
    pub cols: usize,
    pub inputs: Vec<Input>,
    pub code: Vec<Instruction>,
    pub outputs: Vec<Output>,
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
    cols: usize,
    /// Inputs to be spread out in the scratch memory, once in each run or again for each block.
    once: Vec<Fill>,
    each: Vec<Fill>,
    steps: Vec<Step>,
    /// The loop that takes the place of the steps, if there is one.
    whole: Option<Whole>,
    /// One block for each constant.
    constants: Vec<Line>,
    /// Floats needed of the arena and of the scratch memory.
    arena: usize,
    scratch: usize,
}

impl Fused {
    /// Checks a program for an arena of `arena` floats, and prepares it.
    ///
    /// # Errors
    /// When an operand does not exist yet, a span is outside the arena or not at a multiple of [`LINE`], or an output
    /// overlaps another output, or an input in any way but in place.
    pub fn new(program: &Program, arena: usize) -> Result<Fused> {
        prepare::prepare(program, arena)
    }

    /// Floats of scratch memory that a run needs. It is fastest when it begins at a multiple of 64 bytes.
    pub fn scratch(&self) -> usize {
        self.scratch
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

    /// Elements times operations: how much there is to do.
    pub fn work(&self) -> usize {
        self.len * self.steps.len()
    }

    /// Checks that an arena is as large as [`Fused::new`] was told.
    ///
    /// # Panics
    /// If it is not.
    #[inline]
    pub fn check(&self, arena: &[f32]) {
        assert!(arena.len() >= self.arena, "a program for {} floats got an arena of {}", self.arena, arena.len());
    }

    /// Computes every element. Pads of outputs are overwritten with anything.
    ///
    /// # Panics
    /// When the arena is smaller than [`Fused::new`] was told, or the scratch memory than [`Fused::scratch`].
    #[inline]
    pub fn run(&self, level: Level, arena: &mut [f32], scratch: &mut [f32]) {
        self.check(arena);
        // SAFETY: the arena is as large as `new` was told and lent to this call alone.
        unsafe { self.run_part(level, arena.as_mut_ptr(), scratch, 0, 1) };
    }

    /// Computes part `part` of `parts`, which together are all elements. Other threads may run other parts at the same
    /// time, each with scratch memory of its own.
    ///
    /// # Panics
    /// When the scratch memory is too small.
    ///
    /// # Safety
    /// `arena` points to as many floats as [`Fused::new`] was told; while this runs nobody else writes the spans that the
    /// program reads, nor reads or writes the part of its outputs.
    #[inline]
    pub unsafe fn run_part(&self, level: Level, arena: *mut f32, scratch: &mut [f32], part: usize, parts: usize) {
        self.check_scratch(scratch);
        // SAFETY: the arena is promised by the caller; the scratch memory was checked.
        unsafe {
            match &self.whole {
                Some(whole) => whole.run(level, arena, part, parts),
                None => {
                    let blocks = share(self.len.div_ceil(self.block), part, parts);
                    let (start, end) = (blocks.start * self.block, self.len.min(blocks.end * self.block));
                    run_blocks(level, self, arena, scratch.as_mut_ptr(), start, end);
                }
            }
        }
    }

    fn check_scratch(&self, scratch: &[f32]) {
        assert!(scratch.len() >= self.scratch, "needed {} floats of scratch, got {}", self.scratch, scratch.len());
    }
}

dispatch! {
    unsafe fn run_blocks = run_blocks_with(fused: &Fused, arena: *mut f32, scratch: *mut f32, start: usize, end: usize);
}

/// # Safety
/// As [`Fused::run_part`] for the elements `start..end`, whole blocks or up to the end, with its checks passed.
#[inline(always)]
unsafe fn run_blocks_with<S: Simd>(
    s: S,
    fused: &Fused,
    arena: *mut f32,
    scratch: *mut f32,
    mut start: usize,
    end: usize,
) {
    let constants = fused.constants.as_ptr().cast::<f32>().cast_mut();
    // SAFETY: `prepare` made places of spans that it checked against the arena and of blocks it counted in the scratch
    // memory and the constants; a part's last block may be short, and its pads belong to the span.
    unsafe {
        for fill in &fused.once {
            fill.run(s, arena, scratch, fused.cols, start, fused.block.min(end - start));
        }
        while start < end {
            let len = fused.block.min(end - start);
            for fill in &fused.each {
                fill.run(s, arena, scratch, fused.cols, start, len);
            }
            let bases = [arena.add(start), scratch, constants];
            // Known to the compiler, the loops over one line are no loops.
            match len.next_multiple_of(LINE) {
                LINE => interpret::run(s, &fused.steps, bases, LINE, len),
                padded => interpret::run(s, &fused.steps, bases, padded, len),
            }
            start += len;
        }
    }
}

#[cfg(test)]
mod tests;
