//! From a program to steps: checks, the size of a block, and a place for every register.

use std::collections::HashMap;
use std::ops::Range;

use cornu_graph::{Error, Result};

use super::interpret::{Place, Step};
use super::join::{Joined, Work, join};
use super::whole::Whole;
use super::{Fill, Fused, Input, Instruction, LINE, Line, OWN, Operand, Program, Segment, Unary};

/// Elements of a block, unless the shape suggests a better number.
const BLOCK: usize = 256;
/// Up to this many elements a segment is one block.
const LARGEST_BLOCK: usize = 512;
/// The pointer to the registers, and to the constants.
const REGISTERS: u32 = 0;
const CONSTANTS: u32 = 1;

/// What [`Fused::new`] does.
pub(super) fn prepare(program: &Program) -> Result<Fused> {
    let segments = &program.segments;
    let inputs: Vec<Input> = program.inputs.iter().map(|&input| simplest(input, segments)).collect();
    exist(program, &inputs)?;
    segments.iter().try_for_each(|segment| check(program, &inputs, segment))?;
    let largest = segments.iter().max_by_key(|segment| segment.len());
    let (most, cols) = largest.map_or((0, 1), |segment| (segment.len(), segment.cols));
    let block = block(most, cols, &inputs);
    let whole_rows = most <= block || segments.iter().all(|segment| block.is_multiple_of(segment.cols.max(1)));
    let mut plan = Plan {
        inputs,
        block,
        most,
        whole_rows,
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
    let mut blocks = vec![0];
    blocks.extend(segments.iter().scan(0, |before, segment| {
        *before += segment.len().div_ceil(block);
        Some(*before)
    }));
    let len = segments.iter().map(Segment::len).sum();
    let (segments, blocks) = (segments.clone().into(), blocks.into());
    Ok(Fused { len, block, segments, blocks, once, each, steps, whole, constants, scratch })
}

/// The same input, as the kind that is least work to read.
fn simplest(input: Input, segments: &[Segment]) -> Input {
    let all = |is: &dyn Fn(&Segment) -> bool| segments.iter().all(is);
    let k = input.span();
    let aligned = all(&|segment| segment.spans.get(k).is_some_and(|span| span.at.is_multiple_of(LINE * 4)));
    let (one_row, one_column) = (all(&|segment| segment.rows == 1), all(&|segment| segment.cols == 1));
    match input {
        _ if aligned && one_row && one_column => Input::Full(k),
        Input::Row(_) if aligned && one_row => Input::Full(k),
        Input::Column(_) if aligned && one_column => Input::Full(k),
        Input::Row(_) if one_column => Input::Scalar(k),
        Input::Column(_) if one_row => Input::Scalar(k),
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

/// That every operand and span is there when it is asked for.
fn exist(program: &Program, inputs: &[Input]) -> Result<()> {
    for (k, instruction) in program.code.iter().enumerate() {
        instruction.operands().try_for_each(|operand| exists(&format!("instruction {k}"), operand, k, inputs.len()))?;
    }
    for (i, output) in program.outputs.iter().enumerate() {
        exists(&format!("output {i}"), output.from, program.code.len(), inputs.len())?;
    }
    let last = inputs.iter().map(|input| input.span()).chain(program.outputs.iter().map(|output| output.at)).max();
    match program.segments.iter().find(|segment| last >= Some(segment.spans.len())) {
        Some(segment) => Err(Error::graph(format!("a segment needs more than its {} spans", segment.spans.len()))),
        None => Ok(()),
    }
}

/// What must be true of the spans of a segment.
fn check(program: &Program, inputs: &[Input], segment: &Segment) -> Result<()> {
    let whole = segment.len().next_multiple_of(LINE);
    let reads: Vec<_> = (inputs.iter().enumerate())
        .map(|(i, input)| match *input {
            Input::Full(k) => aligned(&format!("input {i}"), segment, k, whole),
            Input::Scalar(k) => Ok(bytes(segment, k, 1)),
            Input::Row(k) => Ok(bytes(segment, k, segment.cols)),
            Input::Column(k) => Ok(bytes(segment, k, segment.rows)),
        })
        .collect::<Result<_>>()?;
    let mut writes: Vec<(u32, Range<usize>)> = Vec::new();
    for (i, output) in program.outputs.iter().enumerate() {
        let (base, span) = aligned(&format!("output {i}"), segment, output.at, whole)?;
        let overlaps =
            |other: &(u32, Range<usize>)| base == other.0 && span.start < other.1.end && other.1.start < span.end;
        if let Some(j) = writes.iter().position(overlaps) {
            return Err(Error::graph(format!("output {i} needs a span of its own, got one that overlaps output {j}")));
        }
        if let Some(j) = (0..reads.len()).find(|&j| overlaps(&reads[j]) && inputs[j] != Input::Full(output.at)) {
            let needed = "needs the very span of a full input or one apart";
            return Err(Error::graph(format!("output {i} {needed}, got one that overlaps input {j}")));
        }
        writes.push((base, span));
    }
    Ok(())
}

/// Where that many floats of span `k` lie: the buffer, and bytes of it.
fn bytes(segment: &Segment, k: usize, floats: usize) -> (u32, Range<usize>) {
    let span = segment.spans[k];
    (span.base, span.at..span.at.saturating_add(floats.saturating_mul(size_of::<f32>())))
}

/// As [`bytes`], if it begins at a line.
fn aligned(what: &str, segment: &Segment, k: usize, floats: usize) -> Result<(u32, Range<usize>)> {
    let (line, at) = (LINE * size_of::<f32>(), segment.spans[k].at);
    if at.is_multiple_of(line) {
        return Ok(bytes(segment, k, floats));
    }
    Err(Error::graph(format!("{what} needs a span at a multiple of {line} bytes, got {at}")))
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
    /// Elements of the largest segment.
    most: usize,
    /// Whether a repeated row looks the same in every block.
    whole_rows: bool,
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
            let dead = places.iter().filter(|(r, place)| last_use.get(r) == Some(&k) && place.base == REGISTERS);
            self.free.extend(dead.map(|(_, place)| place.offset));
            let out = match direct.get(&joined.register) {
                Some(&at) => stream(at),
                None => self.register(),
            };
            places.push((joined.register, out));
            steps.push(Step { work: joined.work, operands, out });
        }
        for (r, at) in late {
            let operands = [find(&places, r); 3];
            steps.push(Step { work: Work::Unary(Unary::StopGradient), operands, out: stream(at) });
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
        Place { base: REGISTERS, offset }
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
                Place { base: CONSTANTS, offset: (i * self.block) as u32 }
            }
            Operand::Input(i) => match self.inputs[usize::from(i)] {
                Input::Full(at) => stream(at),
                other => self.filled(other),
            },
        }
    }

    /// A block for an input that is smaller than the shape, with the [`Fill`] that spreads it out.
    fn filled(&mut self, input: Input) -> Place {
        if let Some((_, place)) = self.filled.iter().find(|(known, _)| *known == input) {
            return *place;
        }
        let place = Place { base: REGISTERS, offset: self.scratch as u32 };
        // A fill may write a line more than the block.
        self.scratch += self.block + LINE;
        self.filled.push((input, place));
        let same_in_every_block = match input {
            Input::Full(_) | Input::Scalar(_) => true,
            Input::Row(_) => self.whole_rows,
            Input::Column(_) => self.most <= self.block,
        };
        let fills = if same_in_every_block { &mut self.once } else { &mut self.each };
        fills.push(Fill { from: input, to: place.offset as usize });
        place
    }
}

/// The block of a span.
fn stream(k: usize) -> Place {
    Place { base: (OWN + k) as u32, offset: 0 }
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
