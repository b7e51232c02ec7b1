//! What the reverse of a step is made of: what is given again, what is stored, and what is computed anew.

use crate::graph::{Graph, Value};
use crate::ops::{Binary, Op, Scan, Site, Unary};

/// What a gradient can pass through, over all steps.
pub(super) struct Active {
    /// For each operand of the body, whether what is asked for acts on it, and it acts on what has a gradient.
    pub(super) given: Vec<bool>,
}

impl Active {
    pub(super) fn new(scan: &Scan, at: &Site) -> Active {
        let graph = scan.body.graph();
        let mut from: Vec<bool> = at.wanted.into();
        let mut to: Vec<bool> = at.ct.iter().map(Option::is_some).collect();
        loop {
            let (acted, acts) = (graph.forwards(&from), graph.backwards(&to));
            let before = (from.clone(), to.clone());
            for i in 0..scan.carries {
                from[scan.consts + i] |= acted[graph.outputs[i].index()];
                to[i] |= acts[graph.inputs[scan.consts + i].index()];
            }
            if before == (from.clone(), to.clone()) {
                let both = |(input, from): (&Value, bool)| from && acts[input.index()];
                return Active { given: graph.inputs.iter().zip(from).map(both).collect() };
            }
        }
    }
}

/// Where the reverse of a step has a value from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It is an operand of the body that the reverse is given as well: a constant or an input.
    Operand(usize),
    /// It is the gradient of what the step makes.
    Gradient,
    /// The step makes it, and stores it: one more stacked output.
    Stored,
    /// It is computed.
    Here,
}

/// The sources of all values of a step and its reverse, traced one behind the other.
pub(super) struct Sources {
    of: Vec<Source>,
    /// Whether a value differs from step to step.
    varies: Vec<bool>,
}

impl Sources {
    /// `given` are the inputs of the step, `gradients` those of its reverse; the step ends before value `end`.
    pub(super) fn new(graph: &Graph, scan: &Scan, given: &[Value], gradients: &[Value], end: usize) -> Sources {
        let is = |values: &[Value]| graph.inputs.iter().map(|input| values.contains(input)).collect::<Vec<_>>();
        let (varies, back) = (graph.forwards(&is(&given[scan.consts..])), graph.forwards(&is(gradients)));
        let mut sources = vec![Source::Here; graph.values()];
        for (i, input) in given.iter().enumerate() {
            let is_carry = (scan.consts..scan.inputs()).contains(&i);
            sources[input.index()] = if is_carry { Source::Stored } else { Source::Operand(i) };
        }
        for (_, node) in graph.nodes().filter(|(_, node)| !node.args.is_empty()) {
            for value in node.results().filter(|value| varies[value.index()] && !back[value.index()]) {
                let of = node.args[0];
                let is_part =
                    matches!(node.op, Op::Slice(_)) && sources[of.index()] == Source::Stored && !given.contains(&of);
                let anew = is_view(&node.op) && !is_part || value.index() >= end && node.op.is_elementwise();
                sources[value.index()] = if anew { Source::Here } else { Source::Stored };
            }
        }
        gradients.iter().for_each(|value| sources[value.index()] = Source::Gradient);
        Sources { of: sources, varies }
    }

    pub(super) fn of(&self, value: Value) -> Source {
        self.of[value.index()]
    }

    /// What is quickly made of what is needed anyway, or the same at each step, is computed instead of stored.
    pub(super) fn compute(&mut self, graph: &Graph, needed: &[Value]) {
        let mut there = vec![false; graph.values()];
        needed.iter().for_each(|value| there[value.index()] = true);
        for &value in needed {
            let node = graph.node(value);
            let is_there = |arg: &Value| there[arg.index()] || !self.varies[arg.index()];
            if self.of(value) == Source::Stored && is_quick(&node.op) && node.args.iter().all(is_there) {
                self.of[value.index()] = Source::Here;
            }
        }
    }

    /// Whether a value is the same at each step.
    pub(super) fn is_constant(&self, graph: &Graph, value: Value, scan: &Scan) -> bool {
        let constant = |value: &Value| matches!(self.of(*value), Source::Operand(i) if i < scan.consts);
        self.needed(graph, &[value]).iter().all(constant)
    }

    /// The values that those are computed of, in order: what is not computed itself.
    pub(super) fn needed(&self, graph: &Graph, values: &[Value]) -> Vec<Value> {
        let needed = graph.needed(values.iter().copied(), |value| self.of(value) != Source::Here);
        let all = graph.nodes().flat_map(|(_, node)| node.results());
        all.filter(|value| needed[value.index()] && self.of(*value) != Source::Here).collect()
    }
}

/// Ops that only show their operand in another way.
fn is_view(op: &Op) -> bool {
    matches!(op, Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Reverse(_))
}

/// Element-wise ops of an instruction or two.
fn is_quick(op: &Op) -> bool {
    match op {
        Op::Unary(op) => matches!(op, Unary::Neg | Unary::Abs | Unary::Sign | Unary::Relu | Unary::Not),
        Op::Binary(op) => !matches!(op, Binary::Div | Binary::Pow),
        op => matches!(op, Op::Compare(_) | Op::Select(_)),
    }
}
