//! Joins an instruction with the only one that reads its result, so that the value between them stays in the machine.

use super::{Binary, Instruction, Opcode, Operand, Unary};

/// What is done with an instruction's result `x` and one more operand `c`. Both operations are rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// `x` as it is.
    Nothing,
    /// `x + c`
    Add,
    /// `x - c`
    Sub,
    /// `c - x`
    From,
    /// `x * c`
    Mul,
    /// `max(x, c)`
    Max,
}

/// One instruction, or two. Where there are fewer than three operands, the first stands in; `c` of a pair is the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    pub(super) op: Opcode,
    pub(super) then: Then,
    pub(super) operands: [Operand; 3],
    /// The register it writes: that of the second instruction.
    pub(super) register: usize,
}

/// Joins what can be joined. An instruction moves down to the one that reads it; the others keep their order.
pub(super) fn join(code: &[Instruction], outputs: &[(usize, usize)]) -> Vec<Joined> {
    let mut reads = vec![0; code.len()];
    outputs.iter().for_each(|&(r, _)| reads[r] += 1);
    for operand in code.iter().flat_map(Instruction::operands) {
        if let Operand::Register(r) = operand {
            reads[usize::from(r)] += 1;
        }
    }
    // The instruction that each one swallows, and how.
    let mut pairs: Vec<Option<(usize, Then, Operand)>> = Vec::with_capacity(code.len());
    let mut swallowed = vec![false; code.len()];
    for instruction in code {
        let pair = instruction.operands().enumerate().find_map(|(i, operand)| {
            let Operand::Register(r) = operand else { return None };
            let r = usize::from(r);
            let free = reads[r] == 1 && pairs[r].is_none() && leads(code[r].op);
            let (then, other) = follows(instruction, i)?;
            free.then_some((r, then, other))
        });
        pair.iter().for_each(|(r, ..)| swallowed[*r] = true);
        pairs.push(pair);
    }
    let last = (0..code.len()).filter(|&k| !swallowed[k]);
    last.map(|register| {
        let (first, then, other) = match pairs[register] {
            Some((r, then, other)) => (&code[r], then, Some(other)),
            None => (&code[register], Then::Nothing, None),
        };
        let mut operands = [first.a; 3];
        operands.iter_mut().zip(first.operands()).for_each(|(to, from)| *to = from);
        operands[2] = other.unwrap_or(operands[2]);
        Joined { op: first.op, then, operands, register }
    })
    .collect()
}

/// Whether the interpreter has pairs that begin with this operation.
fn leads(op: Opcode) -> bool {
    use Binary::{Add, Div, Mul, Sub};
    matches!(op, Opcode::Binary(Add | Sub | Mul | Div) | Opcode::Unary(Unary::Sqrt))
}

/// What an instruction does with its operand `i`, and its other operand; if the interpreter has pairs that end so.
fn follows(instruction: &Instruction, i: usize) -> Option<(Then, Operand)> {
    let Opcode::Binary(op) = instruction.op else { return None };
    match (op, i) {
        (Binary::Add, 0) => Some((Then::Add, instruction.b)),
        (Binary::Add, 1) => Some((Then::Add, instruction.a)),
        (Binary::Sub, 0) => Some((Then::Sub, instruction.b)),
        (Binary::Sub, 1) => Some((Then::From, instruction.a)),
        (Binary::Mul, 0) => Some((Then::Mul, instruction.b)),
        (Binary::Mul, 1) => Some((Then::Mul, instruction.a)),
        (Binary::Max, 0) => Some((Then::Max, instruction.b)),
        _ => None,
    }
}
