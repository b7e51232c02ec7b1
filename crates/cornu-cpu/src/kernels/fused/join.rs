//! Joins an instruction with the only one that reads its result, so that the value between them stays in the machine.

use super::{Binary, Compare, Instruction, Opcode, Operand, Unary};

/// What the interpreter does in one step: an operation, or a pair of which the first gives `x`, and the second takes one
/// more operand `c`. Both are rounded. One jump leads to the kind, and one more to the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Unary(Unary),
    /// Any but a power.
    Binary(Binary),
    Power,
    Compare(Compare),
    Select,
    /// `x + c`
    Add(Lead),
    /// `x - c`
    Sub(Lead),
    /// `c - x`
    From(Lead),
    /// `x * c`
    Mul(Lead),
    /// `max(x, c)`
    Max(Lead),
}

/// The operations that pairs begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    Add,
    Sub,
    Mul,
    Div,
    Sqrt,
}

/// The pair that ends so, of its first operation.
type Ends = fn(Lead) -> Work;

impl From<Opcode> for Work {
    fn from(op: Opcode) -> Work {
        match op {
            Opcode::Unary(op) => Work::Unary(op),
            Opcode::Binary(Binary::Pow) => Work::Power,
            Opcode::Binary(op) => Work::Binary(op),
            Opcode::Compare(op) => Work::Compare(op),
            Opcode::Select => Work::Select,
        }
    }
}

/// One instruction, or two. Where there are fewer than three operands, the first stands in; `c` of a pair is the last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joined {
    pub(super) work: Work,
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
    let mut pairs: Vec<Option<(usize, Work, Operand)>> = Vec::with_capacity(code.len());
    let mut swallowed = vec![false; code.len()];
    for instruction in code {
        let pair = instruction.operands().enumerate().find_map(|(i, operand)| {
            let Operand::Register(r) = operand else { return None };
            let r = usize::from(r);
            let free = reads[r] == 1 && pairs[r].is_none();
            let (work, other) = follows(instruction, i)?;
            Some((r, work(lead(code[r].op).filter(|_| free)?), other))
        });
        pair.iter().for_each(|(r, ..)| swallowed[*r] = true);
        pairs.push(pair);
    }
    let last = (0..code.len()).filter(|&k| !swallowed[k]);
    last.map(|register| {
        let (first, work, other) = match pairs[register] {
            Some((r, work, other)) => (&code[r], work, Some(other)),
            None => (&code[register], code[register].op.into(), None),
        };
        let mut operands = [first.a; 3];
        operands.iter_mut().zip(first.operands()).for_each(|(to, from)| *to = from);
        operands[2] = other.unwrap_or(operands[2]);
        Joined { work, operands, register }
    })
    .collect()
}

/// The operation as the first of a pair, if the interpreter has such pairs.
fn lead(op: Opcode) -> Option<Lead> {
    match op {
        Opcode::Binary(Binary::Add) => Some(Lead::Add),
        Opcode::Binary(Binary::Sub) => Some(Lead::Sub),
        Opcode::Binary(Binary::Mul) => Some(Lead::Mul),
        Opcode::Binary(Binary::Div) => Some(Lead::Div),
        Opcode::Unary(Unary::Sqrt) => Some(Lead::Sqrt),
        _ => None,
    }
}

/// What an instruction does with its operand `i`, and its other operand; if the interpreter has pairs that end so.
fn follows(instruction: &Instruction, i: usize) -> Option<(Ends, Operand)> {
    let Opcode::Binary(op) = instruction.op else { return None };
    match (op, i) {
        (Binary::Add, 0) => Some((Work::Add, instruction.b)),
        (Binary::Add, 1) => Some((Work::Add, instruction.a)),
        (Binary::Sub, 0) => Some((Work::Sub, instruction.b)),
        (Binary::Sub, 1) => Some((Work::From, instruction.a)),
        (Binary::Mul, 0) => Some((Work::Mul, instruction.b)),
        (Binary::Mul, 1) => Some((Work::Mul, instruction.a)),
        (Binary::Max, 0) => Some((Work::Max, instruction.b)),
        _ => None,
    }
}
