//! From a program to steps: checks, the size of a block, and a place for every register.

use std::collections::HashMap;
use std::ops::Range;

use cornu_graph::{Error, Result};

use super::interpret::{Base, Place, Step};
use super::join::{Joined, Work, join};
use super::whole::Whole;
use super::{Fill, Fused, Input, Instruction, LINE, Line, Operand, Program, Unary};

/// Elements of a block, unless the shape suggests a better number.
const BLOCK: usize = 256;
/// Up to this many elements a program is one block.
const LARGEST_BLOCK: usize = 512;

/// What [`Fused::new`] does.
pub(super) fn prepare(program: &Program, arena: usize) -> Result<Fused> {
    let (rows, cols) = (program.rows, program.cols);
    let len = rows.checked_mul(cols).filter(|&len| len <= arena);
    let len = len.ok_or_else(|| Error::graph(format!("an arena of {arena} floats has no room for {rows} x {cols}")))?;
    let inputs: Vec<Input> = program.inputs.iter().map(|&input| simplest(input, program)).collect();
    check(program, &inputs, arena)?;
    let block = block(len, cols, &inputs);
    let mut plan = Plan {
        inputs,
        block,
        len,
        cols,
        free: Vec::new(),
        scratch: 0,
        constants: Vec::new(),
        filled: Vec::new(),
        once: Vec::new(),
        each: Vec::new(),
    };
    let steps = plan.steps(program);
    let constants = plan.constants.iter().flat_map(|&x| std::iter::repeat_n(Line([x; LINE]), block / LINE)).collect();
    let whole = Whole::find(program);
    let Plan { once, each, scratch, .. } = plan;
    Ok(Fused { len, block, cols, once, each, steps, whole, constants, arena, scratch })
}

/// The same input, as the kind that is least work to read.
fn simplest(input: Input, program: &Program) -> Input {
    let (Input::Full(at) | Input::Scalar(at) | Input::Row(at) | Input::Column(at)) = input;
    let aligned = at.is_multiple_of(LINE);
    match input {
        _ if aligned && program.rows == 1 && program.cols == 1 => Input::Full(at),
        Input::Row(_) if aligned && program.rows == 1 => Input::Full(at),
        Input::Column(_) if aligned && program.cols == 1 => Input::Full(at),
        Input::Row(_) if program.cols == 1 => Input::Scalar(at),
        Input::Column(_) if program.rows == 1 => Input::Scalar(at),
        other => other,
    }
}

/// The size of a block: a multiple of a line and, where it can be, of a row, so that rows look the same in every block.
fn block(len: usize, cols: usize, inputs: &[Input]) -> usize {
    if len <= LARGEST_BLOCK {
        return len.next_multiple_of(LINE).max(LINE);
    }
    let has_rows = inputs.iter().any(|input| matches!(input, Input::Row(_)));
    // The least common multiple of the line and the row: 16 = 2^4.
    let period = cols << (4 - cols.trailing_zeros().min(4));
    if has_rows && period <= LARGEST_BLOCK { (BLOCK / period).max(1) * period } else { BLOCK }
}

/// Every rule of [`Fused::new`].
fn check(program: &Program, inputs: &[Input], arena: usize) -> Result<()> {
    let len = program.rows * program.cols;
    let mut reads = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        let (at, size) = match *input {
            Input::Full(at) => (at, len.next_multiple_of(LINE)),
            Input::Scalar(at) => (at, 1),
            Input::Row(at) => (at, program.cols),
            Input::Column(at) => (at, program.rows),
        };
        reads.push(inside(arena, &format!("input {i}"), at, size, matches!(input, Input::Full(_)))?);
    }
    for (k, instruction) in program.code.iter().enumerate() {
        instruction.operands().try_for_each(|operand| exists(&format!("instruction {k}"), operand, k, inputs.len()))?;
    }
    let mut writes = Vec::new();
    for (i, output) in program.outputs.iter().enumerate() {
        exists(&format!("output {i}"), output.from, program.code.len(), inputs.len())?;
        let span = inside(arena, &format!("output {i}"), output.at, len.next_multiple_of(LINE), true)?;
        let overlaps = |other: &Range<usize>| span.start < other.end && other.start < span.end;
        if let Some(j) = writes.iter().position(overlaps) {
            return Err(Error::graph(format!("output {i} needs a span of its own, got one that overlaps output {j}")));
        }
        let clash = |j: &usize| overlaps(&reads[*j]) && inputs[*j] != Input::Full(span.start);
        if let Some(j) = (0..reads.len()).find(clash) {
            let needed = "needs the very span of a full input or one apart";
            return Err(Error::graph(format!("output {i} {needed}, got one that overlaps input {j}")));
        }
        writes.push(span);
    }
    Ok(())
}

/// The span of an input or output, if it lies in the arena and 32 bits count its floats.
fn inside(arena: usize, what: &str, at: usize, size: usize, aligned: bool) -> Result<Range<usize>> {
    let end = at.saturating_add(size);
    if end <= arena && u32::try_from(end).is_err() {
        let most = 1u64 << 32;
        let message = format!("a step needs at most {most} numbers of type `f32`, got {end}");
        return Err(Error::unsupported(message).help("use a smaller `batch_size`, or a smaller model"));
    }
    if end > arena || aligned && !at.is_multiple_of(LINE) {
        let multiple = if aligned { format!(" at a multiple of {LINE}") } else { String::new() };
        let needed = format!("{what} needs {size} floats{multiple} inside an arena of {arena}");
        return Err(Error::graph(format!("{needed}, got {at}")));
    }
    Ok(at..end)
}

/// That an operand of the instruction `before` is an input or an earlier register.
fn exists(place: &str, operand: Operand, before: usize, inputs: usize) -> Result<()> {
    match operand {
        Operand::Register(r) if usize::from(r) >= before => {
            Err(Error::graph(format!("{place} needs a register below {before}, got {r}")))
        }
        Operand::Input(i) if usize::from(i) >= inputs => {
            Err(Error::graph(format!("{place} needs an input below {inputs}, got {i}")))
        }
        _ => Ok(()),
    }
}

/// What is known while steps are made.
struct Plan {
    inputs: Vec<Input>,
    block: usize,
    len: usize,
    cols: usize,
    /// Blocks of the scratch memory that nobody needs any more, and the floats in use so far.
    free: Vec<u32>,
    scratch: usize,
    constants: Vec<f32>,
    /// Inputs that have been given a block, and which.
    filled: Vec<(Input, Place)>,
    once: Vec<Fill>,
    each: Vec<Fill>,
}

impl Plan {
    fn steps(&mut self, program: &Program) -> Vec<Step> {
        let mut code = program.code.clone();
        // Outputs are written from registers, so that no input is read after it was overwritten.
        let outputs: Vec<(usize, usize)> = (program.outputs.iter())
            .map(|output| match output.from {
                Operand::Register(r) => (usize::from(r), output.at),
                other => {
                    code.push(Instruction::unary(Unary::StopGradient, other));
                    (code.len() - 1, output.at)
                }
            })
            .collect();
        let code = join(&code, &outputs);
        let (direct, late) = self.divide(&code, &outputs);
        let last_use = last_uses(&code, &late);
        // The place of every register written so far.
        let mut places: Vec<(usize, Place)> = Vec::with_capacity(code.len());
        let mut steps = Vec::with_capacity(code.len() + late.len());
        for (k, joined) in code.iter().enumerate() {
            let operands = joined.operands.map(|operand| self.place(operand, &places));
            let dead = places.iter().filter(|(r, place)| last_use.get(r) == Some(&k) && place.base == Base::Scratch);
            self.free.extend(dead.map(|(_, place)| place.offset));
            let out = match direct.get(&joined.register) {
                Some(&at) => Place { base: Base::Arena, offset: at as u32 },
                None => self.register(),
            };
            places.push((joined.register, out));
            steps.push(Step { work: joined.work, operands, out });
        }
        for (r, at) in late {
            let operands = [find(&places, r); 3];
            let out = Place { base: Base::Arena, offset: at as u32 };
            steps.push(Step { work: Work::Unary(Unary::StopGradient), operands, out });
        }
        steps
    }

    /// Which registers live in the arena, because they are an output whose span is not read as an input after they are
    /// written; and the outputs that must be copied there in the end.
    fn divide(&self, code: &[Joined], outputs: &[(usize, usize)]) -> (HashMap<usize, usize>, Vec<(usize, usize)>) {
        let mut direct = HashMap::new();
        let mut late = Vec::new();
        for &(r, at) in outputs {
            let is_span = |operand: &Operand| matches!(operand, Operand::Input(i) if self.inputs[usize::from(*i)] == Input::Full(at));
            let after = code.iter().skip_while(|joined| joined.register != r).skip(1);
            let read_later = after.flat_map(|joined| &joined.operands).any(is_span);
            if read_later || direct.contains_key(&r) {
                late.push((r, at));
            } else {
                direct.insert(r, at);
            }
        }
        (direct, late)
    }

    /// A block of the scratch memory for a register.
    fn register(&mut self) -> Place {
        let offset = self.free.pop().unwrap_or_else(|| {
            self.scratch += self.block;
            (self.scratch - self.block) as u32
        });
        Place { base: Base::Scratch, offset }
    }

    fn place(&mut self, operand: Operand, registers: &[(usize, Place)]) -> Place {
        match operand {
            Operand::Register(r) => find(registers, usize::from(r)),
            Operand::Constant(x) => {
                let known = self.constants.iter().position(|c| c.to_bits() == x.to_bits());
                let i = known.unwrap_or_else(|| {
                    self.constants.push(x);
                    self.constants.len() - 1
                });
                Place { base: Base::Constants, offset: (i * self.block) as u32 }
            }
            Operand::Input(i) => match self.inputs[usize::from(i)] {
                Input::Full(at) => Place { base: Base::Arena, offset: at as u32 },
                other => self.filled(other),
            },
        }
    }

    /// A block for an input that is smaller than the shape, with the [`Fill`] that spreads it out.
    fn filled(&mut self, input: Input) -> Place {
        if let Some((_, place)) = self.filled.iter().find(|(known, _)| *known == input) {
            return *place;
        }
        let place = Place { base: Base::Scratch, offset: self.scratch as u32 };
        // A fill may write a line more than the block.
        self.scratch += self.block + LINE;
        self.filled.push((input, place));
        let same_in_every_block = match input {
            Input::Full(_) | Input::Scalar(_) => true,
            Input::Row(_) => self.block.is_multiple_of(self.cols),
            Input::Column(_) => false,
        };
        let fills = if same_in_every_block || self.len <= self.block { &mut self.once } else { &mut self.each };
        fills.push(Fill { from: input, to: place.offset as usize });
        place
    }
}

/// Where a register is.
fn find(places: &[(usize, Place)], register: usize) -> Place {
    let found = places.iter().rev().find(|(r, _)| *r == register);
    found.expect("registers are written before they are read").1
}

/// The last place in the code that reads each register; none for those that are copied in the end.
fn last_uses(code: &[Joined], late: &[(usize, usize)]) -> HashMap<usize, usize> {
    let mut last = HashMap::new();
    for (k, joined) in code.iter().enumerate() {
        for operand in joined.operands {
            if let Operand::Register(r) = operand {
                last.insert(usize::from(r), k);
            }
        }
    }
    late.iter().for_each(|(r, _)| _ = last.remove(r));
    last
}
