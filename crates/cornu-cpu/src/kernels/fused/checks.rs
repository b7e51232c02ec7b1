//! What must be true of a program before it is prepared.

use std::collections::HashMap;
use std::ops::Range;

use cornu_graph::{Error, Result};

use super::prepare::is_row;
use super::{Axis, Input, Operand, Program, Segment, Span, Strided};

/// Every rule of [`Fused::new`].
pub(super) fn check(program: &Program) -> Result<()> {
    for (k, instruction) in program.code.iter().enumerate() {
        for (i, &operand) in instruction.operands().iter().enumerate() {
            let got = match operand {
                Operand::Register(r) if usize::from(r) < k => Some(program.code[usize::from(r)].result()),
                Operand::Input(i) => program.inputs.get(usize::from(i)).copied(),
                Operand::Register(_) => None,
                Operand::Constant(_) => continue,
            };
            let needed = instruction.operand_type(i);
            if got != Some(needed) {
                let got = got.map_or("one that is not there".into(), |got| format!("{got}"));
                return Err(Error::graph(format!("operand {i} of instruction {k} needs {needed}, got {got}")));
            }
        }
    }
    if let Some(r) = program.outputs.iter().find(|&&r| usize::from(r) >= program.code.len()) {
        return Err(Error::graph(format!("an output needs one of {} registers, got {r}", program.code.len())));
    }
    program.segments.iter().enumerate().try_for_each(|(k, segment)| places(program, k, segment))?;
    overlaps(program)
}

/// That a segment has a place for each element of each input and output.
fn places(program: &Program, k: usize, segment: &Segment) -> Result<()> {
    let counts = [segment.inputs.len(), segment.outputs.len()];
    let needed = [program.inputs.len(), program.outputs.len()];
    if counts != needed {
        return Err(Error::graph(format!("segment {k} needs {needed:?} inputs and outputs, got {counts:?}")));
    }
    let size = |axes: &[Axis]| axes.iter().map(|axis| axis.size).product::<usize>();
    let inputs = segment.inputs.iter().enumerate().map(|(i, input)| (format!("input {i}"), size(input.axes())));
    let outputs = segment.outputs.iter().enumerate().map(|(i, output)| (format!("output {i}"), size(&output.axes)));
    if let Some((what, size)) = inputs.chain(outputs).find(|(_, size)| *size != segment.len) {
        return Err(Error::graph(format!("{what} of segment {k} needs {} elements, got {size}", segment.len)));
    }
    let backwards = |output: &Strided| output.axes.iter().any(|axis| axis.step <= 0 && axis.size > 1);
    match segment.outputs.iter().position(backwards) {
        Some(i) => Err(Error::graph(format!("output {i} of segment {k} needs steps forwards"))),
        None => Ok(()),
    }
}

/// The bytes that a walk over a buffer may touch.
fn bytes(span: Span, axes: &[Axis], size: usize) -> Range<usize> {
    let reach = |forwards: bool| -> usize {
        let axes = axes.iter().filter(|axis| (axis.step > 0) == forwards);
        axes.map(|axis| (axis.size.max(1) - 1) * axis.step.unsigned_abs() * size).sum()
    };
    span.at.saturating_sub(reach(false))..span.at + reach(true) + size
}

/// The buffers that an input is read from, and which bytes.
fn reads(input: &Input, size: usize) -> Vec<(u32, Range<usize>)> {
    match input {
        Input::Memory(strided) => vec![(strided.span.base, bytes(strided.span, &strided.axes, size))],
        Input::ByTokens(sums) => sums.reads(size).map(|(span, len)| (span.base, span.at..span.at + len)).into(),
        Input::Count(..) => Vec::new(),
    }
}

/// A stretch of memory that some outputs share: a buffer, the first byte and that behind the last, and whose it is.
type Taken = (u32, usize, usize, usize);

/// A buffer, and how many rows lie how many bytes apart along each axis.
type Rows = (u32, Vec<(usize, usize)>);

/// That no output overlaps another, or an input but in place.
fn overlaps(program: &Program) -> Result<()> {
    let mut outputs = taken(program)?;
    outputs.sort_unstable();
    if let Some(pair) = outputs.windows(2).find(|pair| pair[0].0 == pair[1].0 && pair[1].1 < pair[0].2) {
        return Err(overlap([pair[0].3, pair[1].3]));
    }
    for (k, segment) in program.segments.iter().enumerate().filter(|(_, segment)| segment.len > 0) {
        for (i, input) in segment.inputs.iter().enumerate() {
            let is_whole = |out: &Strided| matches!(input, Input::Memory(of) if out.span == of.span) && out.is_row();
            // Outputs lie apart: what lies exactly where one does meets no other.
            let is_one = |(out, &r): (&Strided, &u16)| {
                let size = program.code[usize::from(r)].result().size();
                matches!(input, Input::Memory(of) if of == out) && size == program.inputs[i].size()
            };
            if segment.outputs.iter().zip(&program.outputs).any(is_one) {
                continue;
            }
            for (base, read) in reads(input, program.inputs[i].size()) {
                let next = outputs.partition_point(|&(of, _, end, _)| (of, end) <= (base, read.start));
                let mut clash = outputs[next..].iter().take_while(|out| out.0 == base && out.1 < read.end);
                let in_place = |&(_, start, end, owner): &Taken| (owner, start, end) == (k, read.start, read.end);
                let fits = is_row(input) && segment.outputs.iter().any(is_whole);
                if clash.any(|out| !fits || !in_place(out)) {
                    let place = "needs to lie where an output does, or apart";
                    return Err(Error::graph(format!("input {i} of segment {k} {place}, got an overlap")));
                }
            }
        }
    }
    Ok(())
}

fn overlap([first, second]: [usize; 2]) -> Error {
    Error::graph(format!("outputs of segments {first} and {second} need memory apart, got an overlap"))
}

/// The memory that outputs take. Those whose rows lie side by side, the same number of bytes from each to the next, are parts
/// of one matrix.
fn taken(program: &Program) -> Result<Vec<Taken>> {
    let mut taken = Vec::new();
    for (k, segment) in program.segments.iter().enumerate().filter(|(_, segment)| segment.len > 0) {
        let mut alike: HashMap<Rows, Vec<Range<usize>>> = HashMap::new();
        for (output, &r) in segment.outputs.iter().zip(&program.outputs) {
            let (size, span) = (program.code[usize::from(r)].result().size(), output.span);
            if output.is_row() {
                taken.push((span.base, span.at, span.at + segment.len * size, k));
                continue;
            }
            let (row, outer) = output.row();
            let outer = outer.iter().map(|axis| (axis.size, axis.step.unsigned_abs() * size)).collect();
            alike.entry((span.base, outer)).or_default().push(span.at..span.at + row * size);
        }
        for ((base, outer), mut rows) in alike {
            rows.sort_unstable_by_key(|row| (row.start, row.end));
            let step = outer.iter().map(|axis| axis.1).min().unwrap_or(usize::MAX);
            let reach: usize = outer.iter().map(|(size, step)| (size - 1) * step).sum();
            let mut matrix = rows[0].start..rows[0].start;
            for row in rows {
                if row.start < matrix.end || row.len() > step {
                    return Err(overlap([k, k]));
                }
                if row.end - matrix.start > step {
                    taken.push((base, matrix.start, matrix.end + reach, k));
                    matrix.start = row.start;
                }
                matrix.end = row.end;
            }
            taken.push((base, matrix.start, matrix.end + reach, k));
        }
    }
    Ok(taken)
}
