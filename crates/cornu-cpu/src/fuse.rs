//! Groups of element-wise nodes as programs for the interpreter, and several alike as one.

use std::collections::HashMap;

use cornu_graph::ops::{Binary, Compare, Op, Unary};
use cornu_graph::{DType, Graph, Value};

use crate::kernels::fused::{Instruction, Operand};
use crate::schedule::{Access, View, splat};

/// A program whose inputs and outputs are still values.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) size: usize,
    pub(crate) inputs: Vec<(Value, Access)>,
    pub(crate) code: Vec<Instruction>,
    pub(crate) outputs: Vec<(Operand, Value)>,
}

impl Draft {
    /// The program of a group; `is_output` says which members are needed elsewhere.
    pub(crate) fn new(view: &View, members: &[Value], is_output: impl Fn(Value) -> bool) -> Draft {
        let mut draft = Draft {
            size: view.graph.ty(members[0]).size(),
            inputs: Vec::new(),
            code: Vec::with_capacity(members.len()),
            outputs: Vec::new(),
        };
        let mut made: HashMap<Value, Operand> = HashMap::new();
        for &member in members {
            let node = view.graph.node(member);
            let args: Vec<Operand> = node.args.iter().map(|&arg| draft.operand(view, &made, arg)).collect();
            let register = Operand::Register(numbered(draft.code.len()));
            draft.code.push(instruction(view.graph, member, &args));
            made.insert(member, register);
            if is_output(member) {
                draft.outputs.push((register, member));
            }
        }
        draft
    }

    fn operand(&mut self, view: &View, made: &HashMap<Value, Operand>, arg: Value) -> Operand {
        let (root, access) = view.read(arg);
        if let Some(&register) = made.get(&root) {
            return register;
        }
        if let Some(number) = splat(view.graph, root) {
            return Operand::Constant(number as f32);
        }
        let place = self.inputs.iter().position(|&input| input == (root, access)).unwrap_or_else(|| {
            self.inputs.push((root, access));
            self.inputs.len() - 1
        });
        Operand::Input(numbered(place))
    }

    /// Whether both do the same to other values: then they can run as segments of one step.
    pub(crate) fn is_like(&self, other: &Draft) -> bool {
        let alike = |(a, b): (&(Value, Access), &(Value, Access))| match (a.1, b.1) {
            (Access::Full, Access::Full) => true,
            (Access::Scalar, Access::Scalar) => a.0 == b.0,
            _ => false,
        };
        let places = |draft: &Draft| draft.outputs.iter().map(|&(operand, _)| operand).collect::<Vec<_>>();
        self.code == other.code
            && self.inputs.len() == other.inputs.len()
            && self.inputs.iter().zip(&other.inputs).all(alike)
            && places(self) == places(other)
    }

    /// The values that it reads, then those it writes.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.inputs.iter().map(|&(value, _)| value).chain(self.outputs.iter().map(|&(_, value)| value))
    }

    /// Rows and columns of the space it runs over.
    pub(crate) fn space(&self) -> (usize, usize) {
        let columns = self.inputs.iter().find_map(|(_, access)| match access {
            Access::Row(columns) | Access::Column(columns) => Some(*columns),
            Access::Full | Access::Scalar => None,
        });
        let columns = columns.unwrap_or(self.size).max(1);
        (self.size / columns, columns)
    }
}

/// The number of a register or an input.
fn numbered(place: usize) -> u16 {
    u16::try_from(place).expect("a group has at most `LARGEST_GROUP` members of three operands")
}

fn instruction(graph: &Graph, member: Value, args: &[Operand]) -> Instruction {
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
