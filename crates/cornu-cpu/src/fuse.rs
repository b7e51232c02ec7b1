//! Groups of element-wise nodes as programs for the interpreter, and several alike as one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use cornu_graph::ops::{Binary, Compare, Op, Unary};
use cornu_graph::{DType, Graph, Value};

use crate::count;
use crate::kernels::fused::{Instruction, Operand};
use crate::view::{View, splat};
use crate::walk::Walk;

/// A program whose inputs and outputs are still values.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) size: usize,
    /// What it reads, and how if that is not element by element.
    pub(crate) inputs: Vec<(Value, Option<Walk>)>,
    pub(crate) code: Vec<Instruction>,
    pub(crate) outputs: Vec<(Operand, Value)>,
}

impl Draft {
    /// The program of a group. `register` says which member a value is, `is_output` which members are needed elsewhere.
    pub(crate) fn new(
        view: &View,
        members: &[Value],
        register: impl Fn(Value) -> Option<usize>,
        is_output: impl Fn(Value) -> bool,
    ) -> Draft {
        let mut inputs: HashMap<(Value, Option<&Walk>), u16> = HashMap::new();
        let mut operand = |arg: Value| {
            count::step();
            let (root, walk) = view.read(arg);
            if let Some(register) = register(root) {
                return Operand::Register(numbered(register));
            }
            if let Some(number) = splat(view.graph, root) {
                return Operand::Constant(number as f32);
            }
            let new = numbered(inputs.len());
            Operand::Input(*inputs.entry((root, walk)).or_insert(new))
        };
        let mut code = Vec::with_capacity(members.len());
        for &member in members {
            let mut args = view.graph.node(member).args.iter().map(|&arg| operand(arg));
            let first = args.next().expect("element-wise ops have operands");
            let args = [first, args.next().unwrap_or(first), args.next().unwrap_or(first)];
            code.push(instruction(view.graph, member, args));
        }
        let mut ordered: Vec<_> = inputs.into_iter().collect();
        ordered.sort_unstable_by_key(|&(_, number)| number);
        let numbered = |(k, &member): (usize, &Value)| (Operand::Register(numbered(k)), member);
        Draft {
            size: view.graph.ty(members[0]).size(),
            inputs: ordered.into_iter().map(|((value, walk), _)| (value, walk.cloned())).collect(),
            code,
            outputs: members.iter().enumerate().filter(|(_, member)| is_output(**member)).map(numbered).collect(),
        }
    }

    /// The same for programs that do the same, see [`Draft::is_like`].
    pub(crate) fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for instruction in &self.code {
            instruction.op.hash(&mut hasher);
            for operand in [instruction.a, instruction.b, instruction.c] {
                match operand {
                    Operand::Register(r) => (0, u32::from(r)).hash(&mut hasher),
                    Operand::Input(i) => (1, u32::from(i)).hash(&mut hasher),
                    Operand::Constant(x) => (2, x.to_bits()).hash(&mut hasher),
                }
            }
        }
        hasher.finish()
    }

    /// Whether both do the same to other values: then they can run as segments of one step.
    pub(crate) fn is_like(&self, other: &Draft) -> bool {
        let alike = |(a, b): (&(Value, Option<Walk>), &(Value, Option<Walk>))| match (&a.1, &b.1) {
            (None, None) => true,
            (Some(a), Some(b)) => a.is_scalar() && b.is_scalar(),
            _ => false,
        };
        self.code == other.code
            && self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(alike)
            && self.outputs.iter().map(|(from, _)| from).eq(other.outputs.iter().map(|(from, _)| from))
    }

    /// The values that it reads, then those it writes.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.inputs.iter().map(|&(value, _)| value).chain(self.outputs.iter().map(|&(_, value)| value))
    }

    /// Rows and columns of the space it runs over.
    pub(crate) fn space(&self) -> (usize, usize) {
        let columns = self.inputs.iter().find_map(|(_, walk)| walk.as_ref()?.columns());
        let columns = columns.unwrap_or(self.size).max(1);
        (self.size / columns, columns)
    }
}

/// The number of a register or an input.
fn numbered(place: usize) -> u16 {
    u16::try_from(place).expect("a group has at most `LARGEST_GROUP` members of three operands")
}

fn instruction(graph: &Graph, member: Value, args: [Operand; 3]) -> Instruction {
    let zero = Operand::Constant(0.0);
    match &graph.node(member).op {
        Op::Unary(Unary::Relu) => Instruction::binary(Binary::Max, args[0], zero),
        Op::Unary(op) => Instruction::unary(*op, args[0]),
        Op::Binary(op) => Instruction::binary(*op, args[0], args[1]),
        Op::Compare(op) => Instruction::binary(*op, args[0], args[1]),
        Op::Select(_) => Instruction::select(args[0], args[1], args[2]),
        Op::Cast(to) if to.0 == DType::Bool => Instruction::binary(Compare::Ne, args[0], zero),
        other => unreachable!("`{other}` is not element-wise"),
    }
}
