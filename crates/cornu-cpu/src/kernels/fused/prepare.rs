//! From a program to steps: the size of a block, and a place for every operand.

use std::collections::HashMap;

use cornu_graph::{DType, Result};

use super::adam::Adam;
use super::arrange::{Todo, arrange};
use super::chain::{Act, Link, NOWHERE};
use super::checks::check;
use super::fill::Spill;
use super::loops::{calls, copy, is_turned};
use super::near::{self, Lies, Near, Side, lies, strided};
use super::{
    Axis, Fill, Fused, Input, Instruction, LARGEST_BLOCK, LINE, Line, Operand, Place, Program, Ready, Segment, Step,
    WHOLE,
};

/// Elements of a block, unless the shape suggests a better number.
const BLOCK: usize = 256;
/// Bytes of a line.
const BYTES: usize = size_of::<Line>();

/// What [`Fused::new`] does.
pub(super) fn prepare(program: &Program) -> Result<Fused> {
    check(program)?;
    let block = block(program);
    let all = |is: fn(&Input) -> bool, i: usize| program.segments.iter().all(|segment| is(&segment.inputs[i]));
    let inputs = || 0..program.inputs.len();
    let mut plan = Plan {
        program,
        rows: inputs().filter(|&i| all(is_row, i)).collect(),
        numbers: inputs().filter(|&i| all(is_number, i) && !all(is_row, i)).collect(),
        outs: (0..program.outputs.len()).filter(|&o| program.segments.iter().all(|s| s.outputs[o].is_row())).collect(),
        repeated: Vec::new(),
        block,
        near: Vec::new(),
        fills: HashMap::new(),
        spills: Vec::new(),
        slots: Vec::new(),
        free: HashMap::new(),
        constants: Vec::new(),
    };
    let parts = plan.steps();
    let (block, lines) = if plan.is_whole(&parts) { (WHOLE, LINE) } else { (block, block) };
    let (slots, scratch) = plan.room(block);
    let number = |at: At| plan.number(at);
    let sizes = plan.sizes();
    let (constants, lines) = constants(&plan.constants, lines);
    Ok(Fused {
        len: program.segments.iter().map(|segment| segment.len).sum(),
        block,
        steps: parts.into_iter().map(|part| part.numbered(number)).collect(),
        segments: program.segments.iter().map(|segment| plan.ready(segment, block)).collect(),
        sizes,
        slots,
        constants,
        count: plan.constants.len(),
        lines,
        scratch,
        work: program.code.len(),
    })
}

/// Whether the elements of an input lie in a row.
pub(super) fn is_row(input: &Input) -> bool {
    matches!(input, Input::Memory(strided) if strided.is_row())
}

/// Whether all elements of an input are one in memory.
fn is_number(input: &Input) -> bool {
    matches!(input, Input::Memory(strided) if strided.axes.iter().all(|axis| axis.step == 0 || axis.size <= 1))
}

/// After how many elements an input begins again.
fn period(axes: &[Axis]) -> usize {
    axes.iter().skip_while(|axis| axis.step == 0).map(|axis| axis.size).product()
}

/// The size of a block: a multiple of a line and, where it can be, of all rows that are repeated, so that they look the
/// same in every block. Where there are others, a part of them, so that they are read and written where they lie.
fn block(program: &Program) -> usize {
    let longest = program.segments.iter().map(|segment| segment.len).max().unwrap_or(0);
    if longest <= LARGEST_BLOCK {
        return longest.next_multiple_of(LINE).max(LINE);
    }
    let segments = program.segments.iter();
    let periods = segments.flat_map(|segment| segment.inputs.iter().map(|input| (segment.len, period(input.axes()))));
    let repeated = periods.filter(|&(len, period)| period < len).fold(LINE, |all, (_, period)| multiple(all, period));
    let block = if repeated <= LARGEST_BLOCK { (BLOCK / repeated).max(1) * repeated } else { BLOCK };
    near::rows(program, block, |axes, len| !is_same(axes, len, block))
}

/// Whether so many elements that are walked over like that look the same in every block.
fn is_same(axes: &[Axis], len: usize, block: usize) -> bool {
    len <= block || block.is_multiple_of(period(axes).max(1))
}

/// The least common multiple; more than a block, if it is.
fn multiple(a: usize, b: usize) -> usize {
    if a > LARGEST_BLOCK { a } else { (a / near::common(a, b.max(1))).saturating_mul(b.max(1)) }
}

/// One block of each constant, and its lines.
fn constants(all: &[(u64, DType)], block: usize) -> (Box<[Line]>, usize) {
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

/// Where an operand is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    /// In memory: the input of that place among those in a row, or behind them the output, or the input that is a number.
    Span(usize),
    Slot(usize),
    Constant(usize),
    /// What is near in each block, of that number.
    Near(usize),
}

/// A link whose places have no numbers yet: what it does, whether its first operand is one number, its operands, and
/// where it writes.
type Unnumbered = (Act, bool, Vec<At>, Option<At>);

/// A step whose places have no numbers yet.
enum Part {
    Chain(Vec<Unnumbered>),
    Call(super::Call, Vec<At>, At),
    /// With the period of its rate.
    Adam(Adam, Vec<At>, Vec<At>, usize),
}

impl Part {
    fn numbered(self, number: impl Fn(At) -> u16) -> Step {
        fn some<const N: usize>(places: Vec<At>, number: impl Fn(At) -> u16) -> [u16; N] {
            let mut numbers = [0; N];
            numbers.iter_mut().zip(places).for_each(|(to, at)| *to = number(at));
            numbers
        }
        match self {
            Part::Chain(links) => {
                let link = |(act, same, places, to): Unnumbered| {
                    let to = to.map_or(NOWHERE, &number);
                    Link { act, same, operands: some(places, &number), to }
                };
                Step::Chain(links.into_iter().map(link).collect())
            }
            Part::Call(call, from, to) => Step::Call { call, from: some(from, &number), to: number(to) },
            Part::Adam(adam, from, to, period) => {
                Step::Adam(adam.ready(some(from, &number), some(to, &number), period))
            }
        }
    }
}

/// What is known while steps are made.
struct Plan<'p> {
    program: &'p Program,
    /// The inputs that lie in a row in every segment.
    rows: Vec<usize>,
    /// Those that are one number.
    numbers: Vec<usize>,
    /// The outputs that lie in a row in every segment.
    outs: Vec<usize>,
    /// Those that are a short row, repeated, and read as one.
    repeated: Vec<usize>,
    /// Elements of a block, and what is read or written near, where it lies.
    block: usize,
    near: Vec<Side>,
    /// Where those are spread out that are needed as blocks and do not lie in a row.
    fills: HashMap<usize, At>,
    /// Where the other outputs are before they are written where they go.
    spills: Vec<(usize, At)>,
    /// Bytes of an element, for each block of scratch memory, and those that nobody needs any more, by these bytes: what
    /// is narrower in the same place would be written over what other parts of the block still hold.
    slots: Vec<usize>,
    free: HashMap<usize, Vec<usize>>,
    constants: Vec<(u64, DType)>,
}

impl Plan<'_> {
    /// How many places of the table are in memory.
    fn spans(&self) -> usize {
        self.rows.len() + self.outs.len() + self.numbers.len() + self.repeated.len()
    }

    /// Whether nothing is kept between steps, so that nothing need be cut into blocks.
    fn is_whole(&self, parts: &[Part]) -> bool {
        self.slots.is_empty() && self.near.is_empty() && parts.iter().all(|part| matches!(part, Part::Adam(..)))
    }

    /// Where blocks begin behind the table in the scratch memory, and the bytes of all.
    fn room(&self, block: usize) -> (Box<[usize]>, usize) {
        let table = self.spans() + self.slots.len() + self.constants.len() + self.near.len();
        let mut scratch = (table * size_of::<Place>()).next_multiple_of(BYTES);
        // Behind each slot a fill may write a line more.
        let slots = self.slots.iter().map(|size| {
            let bytes = (block * size).next_multiple_of(BYTES) + BYTES;
            scratch += bytes;
            scratch - bytes
        });
        (slots.collect(), scratch)
    }

    fn number(&self, at: At) -> u16 {
        let place = match at {
            At::Span(i) => i,
            At::Slot(i) => self.spans() + i,
            At::Constant(i) => self.spans() + self.slots.len() + i,
            At::Near(i) => self.spans() + self.slots.len() + self.constants.len() + i,
        };
        u16::try_from(place).expect("a program has at most 1024 instructions of three operands")
    }

    /// Bytes of an element, for each place of the table that is in memory; none for one number.
    fn sizes(&self) -> Box<[usize]> {
        let inputs = self.rows.iter().map(|&i| self.program.inputs[i].size());
        let outputs = self.outs.iter().map(|&o| self.made(o).size());
        inputs.chain(outputs).chain(self.numbers.iter().chain(&self.repeated).map(|_| 0)).collect()
    }

    /// The type of an output.
    fn made(&self, output: usize) -> DType {
        self.program.code[usize::from(self.program.outputs[output])].result()
    }

    /// The place of an output that is written where it lies.
    fn out(&mut self, output: usize) -> Option<At> {
        let row = self.outs.iter().position(|&out| out == output).map(|place| At::Span(self.rows.len() + place));
        row.or_else(|| self.near(Side::Output(output), Lies::InARow))
    }

    /// How an input or output lies in each block of each segment, if alike.
    fn lies(&self, side: Side) -> Option<Lies> {
        let of = |segment: &Segment| strided(segment, side).and_then(|strided| lies(&strided.axes, self.block));
        let mut all = self.program.segments.iter().map(of);
        let first = all.next()??;
        all.all(|lies| lies == Some(first)).then_some(first)
    }

    /// The place of an input that lies in a row in each block, but is another in another one.
    fn near_row(&mut self, input: usize) -> Option<At> {
        let changes = |s: &Segment| !is_same(s.inputs[input].axes(), s.len, self.block);
        let changes = self.program.segments.iter().any(changes);
        if changes { self.near(Side::Input(input), Lies::InARow) } else { None }
    }

    /// The place of what lies like that in each block.
    fn near(&mut self, side: Side, want: Lies) -> Option<At> {
        let known = self.near.iter().position(|&near| near == side);
        (self.lies(side) == Some(want)).then(|| {
            At::Near(known.unwrap_or_else(|| {
                self.near.push(side);
                self.near.len() - 1
            }))
        })
    }

    fn slot(&mut self, size: usize) -> At {
        let free = self.free.get_mut(&size).and_then(Vec::pop);
        At::Slot(free.unwrap_or_else(|| {
            self.slots.push(size);
            self.slots.len() - 1
        }))
    }

    fn ready(&self, segment: &Segment, block: usize) -> Ready {
        let span = |&i: &usize| match &segment.inputs[i] {
            Input::Memory(strided) => strided.span,
            Input::Count(..) | Input::ByTokens(_) => unreachable!("what lies nowhere is no row"),
        };
        let fill = |i: usize| {
            let input = segment.inputs[i].clone();
            let once = is_same(input.axes(), segment.len, block);
            Some(Fill::new(input, self.program.inputs[i], self.number(*self.fills.get(&i)?), block, once))
        };
        let near = |&side: &Side| {
            let size = match side {
                Side::Input(i) => self.program.inputs[i].size(),
                Side::Output(o) => self.made(o).size(),
            };
            Near::new(strided(segment, side).expect("what is near is in memory").clone(), size, block)
        };
        let spans = self.rows.iter().map(span).chain(self.outs.iter().map(|&o| segment.outputs[o].span));
        let spans = spans.chain(self.numbers.iter().chain(&self.repeated).map(span)).collect();
        let spill =
            |&(o, at): &(usize, At)| Spill::new(segment.outputs[o].clone(), self.made(o), self.number(at), block);
        let spills = self.spills.iter().map(spill).collect();
        let fills = (0..segment.inputs.len()).filter_map(fill).collect();
        Ready { len: segment.len, spans, fills, near: self.near.iter().map(near).collect(), spills }
    }

    fn steps(&mut self) -> Vec<Part> {
        let code = &self.program.code;
        let is_short = |operand| self.is_number(operand) || self.row(operand).is_some();
        let todo = arrange(code, &self.program.outputs, &|operand| self.is_number(operand), &is_short);
        let (direct, late) = self.divide(&todo);
        let reads = |(i, todo): (usize, &Todo)| todo.reads(code).into_iter().map(move |(operand, _)| (operand, i));
        let mut last: HashMap<Operand, usize> = todo.iter().enumerate().flat_map(reads).collect();
        late.iter().for_each(|&(r, _)| _ = last.remove(&Operand::Register(r as u16)));
        let mut places: HashMap<usize, At> = HashMap::new();
        let mut parts = Vec::new();
        for (i, todo) in todo.iter().enumerate() {
            let same = todo.same(|operand| self.is_number(operand) || self.is_number_near(operand));
            let reads = todo.reads(code).into_iter().enumerate();
            let from: Vec<At> = reads
                .map(|(k, (operand, dtype))| match same & 1 << k {
                    0 => self.block(operand, dtype, &places),
                    _ => self.one(operand, dtype),
                })
                .collect();
            // Before those that die here are free: what is written is no operand.
            let written = todo.writes().iter().map(|&r| {
                let at = direct.get(&r).and_then(|&output| self.out(output));
                at.unwrap_or_else(|| self.slot(code[r].result().size()))
            });
            let to: Vec<At> = written.collect();
            places.extend(todo.writes().iter().copied().zip(to.iter().copied()));
            let reads = todo.reads(code).into_iter().map(|(operand, _)| operand);
            self.release(reads.filter(|operand| last.get(operand) == Some(&i)), &places);
            match *todo {
                Todo::Call(k) => self.call(&code[k], from, to.first().copied(), &mut parts),
                Todo::Adam(adam) => parts.push(Part::Adam(adam, from, to, self.period(&adam))),
                _ => add(&mut parts, link(todo, same & 1 != 0, from, to.first().copied())),
            }
        }
        for (r, output) in late {
            match self.out(output) {
                Some(at) => parts.push(Part::Call(copy(code[r].result()), vec![places[&r]], at)),
                None => self.spills.push((output, places[&r])),
            }
        }
        parts
    }

    /// After how many elements a rate begins again.
    fn period(&self, adam: &Adam) -> usize {
        if self.is_number(adam.rate()) { 1 } else { self.row(adam.rate()).unwrap_or(1) }
    }

    /// Frees the slots of operands that nobody reads any more.
    fn release(&mut self, dead: impl Iterator<Item = Operand>, places: &HashMap<usize, At>) {
        let mut freed: Vec<usize> = Vec::new();
        for operand in dead {
            if let Operand::Register(r) = operand
                && let At::Slot(slot) = places[&r.into()]
                && !freed.contains(&slot)
            {
                freed.push(slot);
                self.free.entry(self.slots[slot]).or_default().push(slot);
            }
        }
    }

    /// Adds the loops of an instruction; what lies between two is needed no longer.
    fn call(&mut self, instruction: &Instruction, mut from: Vec<At>, to: Option<At>, parts: &mut Vec<Part>) {
        if is_turned(instruction.op) {
            from.reverse();
        }
        let all = calls(instruction);
        for (i, &(call, dtype)) in all.iter().enumerate() {
            let to = to.filter(|_| i + 1 == all.len()).unwrap_or_else(|| self.slot(dtype.size()));
            parts.push(Part::Call(call, std::mem::replace(&mut from, vec![to]), to));
            if let (At::Slot(slot), true) = (to, i + 1 < all.len()) {
                self.free.entry(dtype.size()).or_default().push(slot);
            }
        }
    }

    /// Which registers live in memory, because they are an output whose span is not read as an input after they are
    /// written, or while a loop writes them; and the outputs that must be copied there in the end.
    fn divide(&self, todo: &[Todo]) -> (HashMap<usize, usize>, Vec<(usize, usize)>) {
        let (mut direct, mut late) = (HashMap::new(), Vec::new());
        for (output, &r) in self.program.outputs.iter().enumerate() {
            let r = usize::from(r);
            let place = todo.iter().position(|todo| todo.writes().contains(&r)).unwrap_or(todo.len());
            let after = place + usize::from(todo.get(place).is_some_and(Todo::is_in_place));
            let mut reads = todo[after..].iter().flat_map(|todo| todo.reads(&self.program.code));
            let is_span = |operand: Operand| {
                match operand {
                Operand::Input(i) => self.program.segments.iter().any(|segment| {
                    matches!(&segment.inputs[usize::from(i)], Input::Memory(from) if from.span == segment.outputs[output].span)
                }),
                _ => false,
            }
            };
            let lies = self.outs.contains(&output) || self.lies(Side::Output(output)) == Some(Lies::InARow);
            if !lies || direct.contains_key(&r) || reads.any(|(operand, _)| is_span(operand)) {
                late.push((r, output));
            } else {
                direct.insert(r, output);
            }
        }
        (direct, late)
    }

    fn is_number(&self, operand: Operand) -> bool {
        match operand {
            Operand::Register(_) => false,
            Operand::Input(i) => self.numbers.contains(&i.into()),
            Operand::Constant(_) => true,
        }
    }

    /// The same, where it is another number in another block.
    fn is_number_near(&self, operand: Operand) -> bool {
        matches!(operand, Operand::Input(i) if self.lies(Side::Input(i.into())) == Some(Lies::Same))
    }

    /// The elements of a short row that is repeated.
    fn row(&self, operand: Operand) -> Option<usize> {
        if let Operand::Input(i) = operand { near::row(self.program, i.into()) } else { None }
    }

    /// The place of a short row, repeated, of which no block is needed.
    fn repeated(&mut self, input: usize) -> Option<At> {
        near::row(self.program, input)?;
        let known = self.repeated.iter().position(|&known| known == input);
        let place = known.unwrap_or_else(|| {
            self.repeated.push(input);
            self.repeated.len() - 1
        });
        Some(At::Span(self.rows.len() + self.outs.len() + self.numbers.len() + place))
    }

    /// The place of an operand that is a number.
    fn one(&mut self, operand: Operand, dtype: DType) -> At {
        let number = |i: u16| self.numbers.iter().position(|&number| number == usize::from(i));
        match operand {
            Operand::Input(i) => number(i)
                .map(|i| At::Span(self.rows.len() + self.outs.len() + i))
                .or_else(|| self.near(Side::Input(i.into()), Lies::Same))
                .or_else(|| self.repeated(i.into())),
            _ => None,
        }
        .unwrap_or_else(|| self.block(operand, dtype, &HashMap::new()))
    }

    /// The place of a block of an operand.
    fn block(&mut self, operand: Operand, dtype: DType, places: &HashMap<usize, At>) -> At {
        match operand {
            Operand::Register(r) => places[&r.into()],
            Operand::Input(i) => {
                let i = usize::from(i);
                let row = self.rows.iter().position(|&row| row == i).map(At::Span);
                let row = row.or(self.fills.get(&i).copied()).or_else(|| self.near_row(i));
                row.unwrap_or_else(|| {
                    self.slots.push(dtype.size());
                    let at = At::Slot(self.slots.len() - 1);
                    self.fills.insert(i, at);
                    at
                })
            }
            Operand::Constant(bits) => {
                let known = self.constants.iter().position(|&known| known == (bits, dtype));
                At::Constant(known.unwrap_or_else(|| {
                    self.constants.push((bits, dtype));
                    self.constants.len() - 1
                }))
            }
        }
    }
}

/// A link with its places.
fn link(todo: &Todo, same: bool, mut from: Vec<At>, to: Option<At>) -> Part {
    let act = match *todo {
        Todo::Link(act, _) => act,
        Todo::Store(_) => return Part::Chain(vec![(Act::Keep, false, from, to)]),
        Todo::Test(op, ..) => Act::Test(op),
        Todo::Call(_) | Todo::Adam(_) => unreachable!("a loop is no link"),
    };
    from.extend(to);
    Part::Chain(vec![(act, same, from, None)])
}

/// Adds a step, as part of the chain before it where both are: the last link writes what it makes.
fn add(parts: &mut Vec<Part>, new: Part) {
    match (parts.last_mut(), new) {
        (Some(Part::Chain(links)), Part::Chain(mut more)) => {
            if let (Some((act, .., to @ None)), [(Act::Keep, .., at)]) = (links.last_mut(), &more[..])
                && !matches!(act, Act::Test(_))
            {
                *to = *at;
                more.clear();
            }
            links.extend(more);
        }
        (_, new) => parts.push(new),
    }
}
