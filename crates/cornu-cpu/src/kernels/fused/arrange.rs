//! From instructions to chains and loops, before memory is given to what lies between.
//!
//! A chain holds one number. An instruction whose result is read once, by another that a chain can do, moves down to it,
//! so that the number goes on; what is read more often, or by a loop, is stored.

use cornu_graph::DType;
use cornu_graph::ops::{Binary, Compare, Unary};

use super::adam::{Adam, Search};
use super::chain::Act;
use super::{Instruction, Opcode, Operand};

/// A step whose operands have no place yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Todo {
    /// A link of a chain, on operands of those types.
    Link(Act, [Option<(Operand, DType)>; 3]),
    /// Stores what the chain holds as that register.
    Store(usize),
    /// Tests what the chain holds against an operand: the truth is that register.
    Test(Compare, Operand, usize),
    /// The loop of that instruction.
    Call(usize),
    /// Adam's step.
    Adam(Adam),
}

impl Todo {
    /// The operands it reads, given the code.
    pub(super) fn reads<'a>(&'a self, code: &'a [Instruction]) -> Vec<(Operand, DType)> {
        match self {
            Todo::Link(_, operands) => operands.iter().flatten().copied().collect(),
            Todo::Store(_) => Vec::new(),
            Todo::Test(_, operand, _) => vec![(*operand, DType::F32)],
            Todo::Call(k) => typed(&code[*k]).collect(),
            Todo::Adam(adam) => adam.reads.iter().map(|&operand| (operand, DType::F32)).collect(),
        }
    }

    /// Which of the operands it takes as one number for all, by bits: those that are, where a link has a way for them.
    pub(super) fn same(&self, is_number: impl Fn(Operand) -> bool) -> u8 {
        match self {
            Todo::Adam(_) => 0b1111_0000,
            Todo::Link(Act::Truth, _) | Todo::Store(_) | Todo::Call(_) => 0,
            Todo::Link(_, [Some((operand, _)), ..]) | Todo::Test(_, operand, _) => u8::from(is_number(*operand)),
            Todo::Link(..) => 0,
        }
    }

    /// The registers it writes.
    pub(super) fn writes(&self) -> &[usize] {
        match self {
            Todo::Link(..) => &[],
            Todo::Store(k) | Todo::Test(_, _, k) | Todo::Call(k) => std::slice::from_ref(k),
            Todo::Adam(adam) => &adam.makes,
        }
    }

    /// Whether it reads what it needs of an element before it writes it.
    pub(super) fn is_in_place(&self) -> bool {
        matches!(self, Todo::Store(_) | Todo::Adam(_))
    }
}

fn typed(instruction: &Instruction) -> impl Iterator<Item = (Operand, DType)> {
    instruction.operands().iter().enumerate().map(|(i, &operand)| (operand, instruction.operand_type(i)))
}

/// What may be asked of an operand.
pub(super) type Asked<'a> = &'a dyn Fn(Operand) -> bool;

/// The steps of a program of those outputs; `same` says which operands are one number for all elements, `short` which are
/// that or a short row that is repeated.
pub(super) fn arrange(code: &[Instruction], outputs: &[u16], same: Asked, short: Asked) -> Vec<Todo> {
    let mut users = vec![Vec::new(); code.len()];
    for (k, instruction) in code.iter().enumerate() {
        for operand in instruction.operands() {
            if let Operand::Register(r) = *operand
                && users[usize::from(r)].last() != Some(&k)
            {
                users[usize::from(r)].push(k);
            }
        }
    }
    let is_output = |k: usize| outputs.iter().any(|&r| usize::from(r) == k);
    let search = Search { code, users: &users, is_output: &is_output, is_number: same, is_short: short };
    let adams: Vec<_> = (0..code.len()).filter_map(|k| search.ends_with(k)).collect();
    let is_taken = |k: usize| adams.iter().any(|(_, between)| between.contains(&k));
    let goes_on = |k: usize| matches!(users[k][..], [user] if !is_output(k) && moves(code, k, user));
    let waits: Vec<bool> = (0..code.len()).map(goes_on).collect();
    let mut arranging = Arranging { code, waits, held: None, todo: Vec::new() };
    for (k, users) in users.iter().enumerate() {
        if let Some((adam, _)) = adams.iter().find(|(adam, _)| adam.makes[2] == k) {
            arranging.adam(*adam);
        } else if !is_taken(k) && !arranging.waits[k] && (!users.is_empty() || is_output(k)) {
            arranging.stored(k);
        }
    }
    arranging.todo
}

/// Whether an instruction can be put off until its only user.
fn moves(code: &[Instruction], k: usize, user: usize) -> bool {
    let (instruction, user) = (&code[k], &code[user]);
    let decides = user.op == Opcode::Select && user.operands[0] == Operand::Register(k as u16);
    match instruction.op {
        Opcode::Compare(_) => instruction.dtype == DType::F32 && is_chained(user) && decides,
        _ => is_chained(instruction) && instruction.result() == DType::F32 && is_chained(user) && !decides,
    }
}

/// Whether a chain can do it: it reads singles, or makes them of truths.
fn is_chained(instruction: &Instruction) -> bool {
    match instruction.op {
        Opcode::Binary(op) => instruction.dtype == DType::F32 && op != Binary::Pow,
        Opcode::Compare(_) | Opcode::Select => instruction.dtype == DType::F32,
        Opcode::Unary(op) => instruction.dtype == DType::F32 && unary(op).is_some(),
        Opcode::Cast(to) => {
            matches!((instruction.dtype, to), (DType::Bool, DType::F32) | (DType::F32, DType::Bool))
        }
    }
}

/// The link for a function of one number; a copy needs none.
fn unary(op: Unary) -> Option<Option<Act>> {
    match op {
        Unary::StopGradient => Some(None),
        Unary::Neg => Some(Some(Act::Neg)),
        Unary::Abs => Some(Some(Act::Abs)),
        Unary::Sign => Some(Some(Act::Sign)),
        Unary::Sqrt => Some(Some(Act::Sqrt)),
        Unary::Relu => Some(Some(Act::Relu)),
        Unary::Flush => Some(Some(Act::Flush)),
        _ => None,
    }
}

/// The link for a function of two, where the chain holds the first or the second.
fn binary(op: Binary, first: bool) -> Act {
    match (op, first) {
        (Binary::Add, _) => Act::Add,
        (Binary::Sub, true) => Act::Sub,
        (Binary::Sub, false) => Act::From,
        (Binary::Mul, _) => Act::Mul,
        (Binary::Div, true) => Act::Div,
        (Binary::Div, false) => Act::Into,
        (Binary::Max, true) => Act::Max,
        (Binary::Max, false) => Act::MaxOf,
        (Binary::Min, true) => Act::Min,
        (Binary::Min, false) => Act::MinOf,
        (Binary::Pow | Binary::And | Binary::Or, _) => unreachable!("no chain has `{op}`"),
    }
}

struct Arranging<'a> {
    code: &'a [Instruction],
    /// Instructions put off that are still to be done.
    waits: Vec<bool>,
    /// What the chain holds.
    held: Option<Operand>,
    todo: Vec<Todo>,
}

impl Arranging<'_> {
    /// Does an instruction and stores its result.
    fn stored(&mut self, k: usize) {
        let instruction = self.code[k];
        let [a, b, _] = instruction.operands;
        let test = match instruction.op {
            Opcode::Compare(op) if instruction.dtype == DType::F32 => Some((op, b)),
            Opcode::Cast(DType::Bool) if instruction.dtype == DType::F32 => Some((Compare::Ne, Operand::Constant(0))),
            _ => None,
        };
        match test {
            Some((op, b)) => {
                self.ready(b);
                self.hold(a);
                self.todo.push(Todo::Test(op, b, k));
            }
            None if is_chained(&instruction) => {
                self.chained(k);
                self.todo.push(Todo::Store(k));
            }
            None => {
                instruction.operands().iter().for_each(|&operand| self.ready(operand));
                self.todo.push(Todo::Call(k));
                self.held = None;
            }
        }
        self.waits[k] = false;
    }

    /// Stores the result of an instruction that was put off.
    fn ready(&mut self, operand: Operand) {
        if let Operand::Register(r) = operand
            && self.waits[usize::from(r)]
        {
            self.stored(r.into());
        }
    }

    /// Has the chain hold an operand.
    fn hold(&mut self, operand: Operand) {
        if self.held == Some(operand) {
            return;
        }
        match operand {
            Operand::Register(r) if self.waits[usize::from(r)] => {
                self.waits[usize::from(r)] = false;
                self.chained(r.into());
            }
            _ => self.link(Act::Load, &[operand]),
        }
        self.held = Some(operand);
    }

    fn adam(&mut self, adam: Adam) {
        adam.reads.iter().for_each(|&operand| self.ready(operand));
        self.todo.push(Todo::Adam(adam));
        self.held = None;
    }

    fn link(&mut self, act: Act, operands: &[Operand]) {
        let operand = |i: usize| operands.get(i).map(|&operand| (operand, DType::F32));
        self.todo.push(Todo::Link(act, [0, 1, 2].map(operand)));
    }

    /// Has the chain hold the result of an instruction that chains can do, but a truth.
    fn chained(&mut self, k: usize) {
        let instruction = self.code[k];
        let [a, b, _] = instruction.operands;
        match instruction.op {
            Opcode::Unary(op) => {
                self.hold(a);
                if let Some(Some(act)) = unary(op) {
                    self.link(act, &[]);
                }
            }
            Opcode::Cast(_) if instruction.dtype == DType::Bool => {
                self.ready(a);
                self.todo.push(Todo::Link(Act::Truth, [Some((a, DType::Bool)), None, None]));
            }
            Opcode::Binary(Binary::Mul) if a == b => {
                self.hold(a);
                self.link(Act::Square, &[]);
            }
            Opcode::Binary(op) => {
                let first = self.first(a, b);
                let (own, other) = if first { (a, b) } else { (b, a) };
                self.ready(other);
                self.hold(own);
                self.link(binary(op, first), &[other]);
            }
            Opcode::Select => self.selected(&instruction),
            Opcode::Cast(_) | Opcode::Compare(_) => unreachable!("truths are stored"),
        }
        self.held = Some(Operand::Register(k as u16));
    }

    /// Whether the chain had better hold the first of two operands than the second: what was put off, or what it holds.
    fn first(&self, a: Operand, b: Operand) -> bool {
        let waits = |operand| matches!(operand, Operand::Register(r) if self.waits[usize::from(r)]);
        match (waits(a), waits(b)) {
            // The one that begins with what is held is done first, and stored.
            (true, true) => a == b || self.begins(a) != self.held || self.held.is_none(),
            (false, true) => false,
            _ => self.held != Some(b) || self.held == Some(a),
        }
    }

    /// What a chain that ends with an operand begins with.
    fn begins(&self, operand: Operand) -> Option<Operand> {
        match operand {
            Operand::Register(r) if self.waits[usize::from(r)] => {
                let code = &self.code[usize::from(r)];
                self.begins(code.operands[usize::from(code.op == Opcode::Select)])
            }
            _ => Some(operand),
        }
    }

    fn selected(&mut self, instruction: &Instruction) {
        let [condition, a, b] = instruction.operands;
        let compared = match condition {
            Operand::Register(r) if self.waits[usize::from(r)] => Some(self.code[usize::from(r)]),
            _ => None,
        };
        let first = self.first(a, b);
        let (own, other) = if first { (a, b) } else { (b, a) };
        let decided = compared.map_or(vec![condition], |compare| compare.operands().to_vec());
        decided.iter().chain([&other]).for_each(|&operand| self.ready(operand));
        self.hold(own);
        match compared.map(|compare| compare.op) {
            Some(Opcode::Compare(op)) => {
                let act = if first { Act::ThenIf(op) } else { Act::ElseIf(op) };
                self.link(act, &[other, decided[0], decided[1]]);
            }
            _ => {
                let act = if first { Act::Then } else { Act::Else };
                let operands = [Some((other, DType::F32)), Some((condition, DType::Bool)), None];
                self.todo.push(Todo::Link(act, operands));
            }
        }
    }
}
