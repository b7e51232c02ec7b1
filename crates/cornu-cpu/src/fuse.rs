//! Groups of element-wise nodes as programs for the interpreter, and several alike as one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Graph, Value};

use crate::count;
use crate::kernels::fused::{Instruction, Opcode, Operand, bits};
use crate::view::View;
use crate::walk::Walk;

/// A value that is read or written, and how if that is not element by element.
pub(crate) type Read = (Value, Option<Walk>);

/// A program whose inputs and outputs are still values.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) size: usize,
    /// What it reads.
    pub(crate) inputs: Vec<Read>,
    /// The rows that inputs are sums of by tokens.
    pub(crate) added: Vec<Value>,
    pub(crate) code: Vec<Instruction>,
    /// The registers that are written to memory, and where: a value, or a part of one.
    pub(crate) outputs: Vec<(u16, Read)>,
}

impl Draft {
    /// The program of a group. `register` says which member a value is, `is_output` which members are needed elsewhere;
    /// `parts` are members and the part of a value that each is.
    pub(crate) fn new(
        view: &View,
        members: &[Value],
        register: impl Fn(Value) -> Option<usize>,
        is_output: impl Fn(Value) -> bool,
        parts: Vec<(Value, Read)>,
    ) -> Draft {
        let mut inputs: HashMap<(Value, Option<&Walk>), u16> = HashMap::new();
        let mut operand = |arg: Value| {
            count::step();
            let (root, walk) = view.read(arg);
            if let Some(register) = register(root) {
                return Operand::Register(numbered(register));
            }
            if let Op::Leaf(Leaf::Constant(constant)) = view.graph.op(root)
                && constant.array().len() == 1
            {
                return Operand::Constant(bits(constant.array()));
            }
            let new = numbered(inputs.len());
            Operand::Input(*inputs.entry((root, walk)).or_insert(new))
        };
        let mut code = Vec::with_capacity(members.len());
        for &member in members {
            let args: Vec<Operand> = view.graph.node(member).args.iter().map(|&arg| operand(arg)).collect();
            code.push(instruction(view.graph, member, &args));
        }
        let mut ordered: Vec<_> = inputs.into_iter().collect();
        ordered.sort_unstable_by_key(|&(_, number)| number);
        let part = |(member, to): (Value, Read)| Some((numbered(register(member)?), to));
        let outputs = members.iter().enumerate().filter(|(_, member)| is_output(**member));
        let outputs = outputs.map(|(k, &member)| (numbered(k), (member, None)));
        Draft {
            size: view.graph.ty(members[0]).size(),
            inputs: ordered.into_iter().map(|((value, walk), _)| (value, walk.cloned())).collect(),
            added: Vec::new(),
            code,
            outputs: outputs.chain(parts.into_iter().filter_map(part)).collect(),
        }
    }

    /// The same for programs that do the same, see [`Draft::is_like`].
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.code.hash(&mut hasher);
        hasher.finish()
    }

    /// Whether both do the same to other values: then they can run as segments of one step.
    pub(crate) fn is_like(&self, other: &Draft) -> bool {
        let kind = |(_, walk): &Read| walk.as_ref().map(Walk::is_scalar);
        let written = |(from, (_, walk)): &(u16, Read)| (*from, walk.is_some());
        let row = |draft: &Draft, (_, walk): &Read| walk.as_ref().map_or(Some(draft.size), Walk::row);
        let same_row = |a, b| row(self, a).is_some_and(|size| row(other, b) == Some(size));
        // All that a program of one element reads is one number, and in a row. A row may be repeated once.
        let alike = |(a, b)| kind(a) == kind(b) || self.size == 1 || other.size == 1 || same_row(a, b);
        self.code == other.code
            && self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(alike)
            && self.outputs.iter().map(written).eq(other.outputs.iter().map(written))
    }

    /// Whether all that it writes is values as a whole, none of them over an old variable.
    pub(crate) fn makes_rows(&self, is_new: &[bool]) -> bool {
        self.outputs.iter().all(|(_, (value, walk))| walk.is_none() && !is_new[value.index()])
    }

    /// The values that it reads.
    pub(crate) fn reads(&self) -> impl Iterator<Item = Value> {
        self.inputs.iter().map(|&(value, _)| value).chain(self.added.iter().copied())
    }

    /// The same, then those it writes.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.reads().chain(self.outputs.iter().map(|&(_, (value, _))| value))
    }
}

/// The number of a register or an input.
fn numbered(place: usize) -> u16 {
    u16::try_from(place).expect("a group has at most `LARGEST_GROUP` members of three operands")
}

fn instruction(graph: &Graph, member: Value, args: &[Operand]) -> Instruction {
    let node = graph.node(member);
    let op = match &node.op {
        Op::Unary(op) => Opcode::from(*op),
        Op::Binary(op) => Opcode::from(*op),
        Op::Compare(op) => Opcode::from(*op),
        Op::Select(_) => Opcode::Select,
        Op::Cast(to) => Opcode::Cast(to.0),
        other => unreachable!("`{other}` is not element-wise"),
    };
    // The last operand is one of those to choose from.
    let dtype = graph.ty(*node.args.last().expect("element-wise ops have operands")).dtype;
    Instruction::new(op, dtype, args)
}
