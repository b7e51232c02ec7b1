//! Out of loops: what a step computes row by row of its inputs and constants alone goes before the loop, over all rows at
//! once; what only feeds an output, of what is stacked anyway, goes behind it. Element-wise ops and moves go along with
//! others, but stay where they are alone: a step does them with what it has at hand.

use std::collections::HashMap;

use super::rows::{Operand, is_row_wise, lift};
use super::{has_bodies, inside, simplify, trim};
use crate::Body;
use crate::body::Renamed;
use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Op, Scan};
use crate::rewrite::rebuild;

/// Takes out of scans what needs no loop. No element of a result changes.
pub fn hoist(graph: &Graph) -> Graph {
    if !has_bodies(graph) {
        return graph.clone();
    }
    let mut moved = false;
    let new = rebuild(graph, |b, node, args| {
        let op = if node.op.bodies().is_empty() { node.op.clone() } else { inside(&node.op, hoist) };
        match &op {
            Op::Scan(scan) => {
                let loops = Loop::new(scan);
                moved |= loops.moves();
                if loops.moves() { loops.rebuild(b, args) } else { b.add_all(op, args) }
            }
            _ => b.add_all(op, args),
        }
    });
    if moved { simplify(&trim(&new)) } else { new }
}

/// On what a value of a step depends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// On constants alone.
    Fixed,
    /// On its row of the inputs, by row-wise ops.
    Row,
    /// On the steps before.
    Step,
}

/// A scan, and what is taken out of it.
struct Loop<'g> {
    scan: &'g Scan,
    graph: &'g Graph,
    kinds: Vec<Kind>,
    /// Values that the loop is given in addition: fixed ones, and rows.
    given: Vec<Value>,
    /// The outputs that are made behind the loop of others and of inputs, or before it.
    outside: Vec<bool>,
}

impl<'g> Loop<'g> {
    fn new(scan: &'g Scan) -> Self {
        let graph = scan.body.graph();
        let kinds = kinds(scan, graph);
        let mut new = Loop { scan, graph, kinds, given: Vec::new(), outside: vec![false; graph.values()] };
        new.put_behind();
        new.put_before();
        new
    }

    /// A loop that has to make nothing any more runs no checks either.
    fn moves(&self) -> bool {
        let kept = self.scan.carries > 0 || self.outputs().iter().any(|value| !self.outside[value.index()]);
        if !kept && self.scan.body.has_checks() {
            return false;
        }
        !self.given.is_empty() || self.outside.contains(&true)
    }

    fn kind(&self, value: Value) -> Kind {
        self.kinds[value.index()]
    }

    fn outputs(&self) -> &'g [Value] {
        &self.graph.outputs[self.scan.carries..]
    }

    /// Finds what the loop need not make, since only outputs need it, and it can be made of what is there for all rows.
    fn put_behind(&mut self) {
        let there: Vec<bool> = (0..self.graph.values()).map(|i| self.kinds[i] != Kind::Step).collect();
        let mut outside = there.clone();
        for (value, node) in self.graph.nodes().filter(|(value, _)| self.kind(*value) == Kind::Step) {
            let stacked = |arg: &Value| outside[arg.index()] || self.outputs().contains(arg);
            outside[value.index()] = node.args.iter().all(stacked) && self.is_row_wise(node);
        }
        let worth = self.worth(|value| !self.outputs().contains(&value));
        self.outputs().iter().for_each(|value| outside[value.index()] &= there[value.index()] || worth[value.index()]);
        loop {
            let inside = self.used(&outside);
            let mut changed = false;
            for (value, node) in self.graph.nodes().filter(|(value, _)| self.kind(*value) == Kind::Step) {
                // What the loop needs as well is there for all rows only if it is an output.
                let gone = |arg: &Value| {
                    !there[arg.index()]
                        && !self.outputs().contains(arg)
                        && (inside[arg.index()] || !outside[arg.index()])
                };
                let stays = inside[value.index()] || node.args.iter().any(gone);
                changed |= stays && outside[value.index()];
                outside[value.index()] &= !stays;
            }
            if !changed {
                break;
            }
        }
        for &value in self.outputs() {
            self.outside[value.index()] = self.kind(value) != Kind::Fixed && outside[value.index()];
        }
    }

    fn is_row_wise(&self, node: &Node) -> bool {
        let operands: Vec<Operand> = node.args.iter().map(|&arg| self.operand(arg)).collect();
        operands.contains(&Operand::Stacked) && is_row_wise(&node.op, &operands, &self.graph.types(&node.args))
    }

    /// For each value, whether it is more than element-wise ops and moves of others, which are looked through if `made` says
    /// so.
    fn worth(&self, made: impl Fn(Value) -> bool) -> Vec<bool> {
        let mut worth = vec![false; self.graph.values()];
        for (_, node) in self.graph.nodes() {
            let is_more = !is_cheap(&node.op) || node.args.iter().any(|&arg| worth[arg.index()] && made(arg));
            node.results().for_each(|value| worth[value.index()] = is_more);
        }
        worth
    }

    /// The values that a step needs, if it makes no outputs that are made outside.
    fn used(&self, outside: &[bool]) -> Vec<bool> {
        let outputs = self.graph.outputs.iter().enumerate();
        let made: Vec<bool> = outputs.map(|(i, value)| i < self.scan.carries || !outside[value.index()]).collect();
        self.graph.backwards(&made)
    }

    fn operand(&self, value: Value) -> Operand {
        if self.kind(value) == Kind::Fixed { Operand::Fixed } else { Operand::Stacked }
    }

    /// Finds what the loop is given instead of computing it.
    fn put_before(&mut self) {
        // What is made of numbers known before alone is theirs who fold it.
        let given = self.graph.forwards(&vec![true; self.graph.inputs.len()]);
        let worth = self.worth(|value| self.kind(value) == Kind::Row);
        let is_given = |value: Value| {
            let op = self.graph.op(value);
            match self.kind(value) {
                _ if matches!(op, Op::Leaf(_) | Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_)) => false,
                Kind::Fixed => given[value.index()],
                Kind::Row => worth[value.index()],
                Kind::Step => false,
            }
        };
        let inside = |value: &Value| !self.outside[value.index()];
        let ends = self.graph.outputs.iter().copied().filter(inside).chain(self.graph.checked());
        let used = self.graph.needed(ends, is_given);
        let all = self.graph.nodes().map(|(first, _)| first);
        self.given = all.filter(|&value| used[value.index()] && is_given(value)).collect();
    }

    fn rebuild(&self, b: &mut Builder, args: &[Value]) -> Vec<Value> {
        let inputs = self.scan.inputs();
        let given = self.graph.inputs.iter().copied().zip(args.iter().copied());
        let (fixed, rows): (Vec<_>, Vec<_>) = given.enumerate().partition(|(i, _)| *i < self.scan.consts);
        let fixed: Renamed = fixed.into_iter().map(|(_, pair)| pair).collect();
        let rows = rows.into_iter().filter(|(i, _)| *i >= inputs).map(|(_, pair)| pair).collect();
        let mut out = Outside { looped: self, fixed, rows };
        let (more, more_rows): (Vec<Value>, Vec<Value>) =
            self.given.iter().partition(|&&value| self.kind(value) == Kind::Fixed);
        let mut all = |values: &[Value]| values.iter().map(|&value| out.value(b, value)).collect::<Vec<Value>>();
        let (new_consts, new_rows) = (all(&more), all(&more_rows));
        let (consts, rest) = args.split_at(self.scan.consts);
        let new_args = [consts, &new_consts, rest, &new_rows].concat();
        let (own_consts, own_rest) = self.graph.inputs.split_at(self.scan.consts);
        let new_inputs = [own_consts, &more, own_rest, &more_rows].concat();
        let kept = |value: &&Value| !self.outside[value.index()];
        let (carries, outputs) = self.graph.outputs.split_at(self.scan.carries);
        let outputs: Vec<Value> = outputs.iter().filter(kept).copied().collect();
        let body = Body::cut(self.graph, &new_inputs, &[carries, &outputs].concat(), &self.graph.checks);
        let scan = Scan { body, consts: consts.len() + more.len(), ..self.scan.clone() };
        let is_empty = carries.is_empty() && outputs.is_empty();
        let mut results = if is_empty { Vec::new() } else { b.add_all(scan, &new_args) };
        let stacked = results.split_off(carries.len());
        out.rows.extend(outputs.into_iter().zip(stacked));
        results.extend(self.outputs().iter().map(|&value| out.value(b, value)));
        results
    }
}

/// Whether an op is a pass over its elements, or a copy.
fn is_cheap(op: &Op) -> bool {
    let moves = matches!(op, Op::Broadcast(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Slice(_) | Op::Reverse(_));
    op.is_elementwise() || moves || matches!(op, Op::Leaf(_) | Op::Pad(_) | Op::Concatenate(_))
}

fn kinds(scan: &Scan, graph: &Graph) -> Vec<Kind> {
    let mut kinds = vec![Kind::Step; graph.values()];
    let of = |kinds: &[Kind], node: &Node| {
        let args: Vec<Kind> = node.args.iter().map(|arg| kinds[arg.index()]).collect();
        let operand = |kind: &Kind| if *kind == Kind::Fixed { Operand::Fixed } else { Operand::Stacked };
        let operands: Vec<Operand> = args.iter().map(operand).collect();
        match () {
            // A loop may be long, or have no end.
            () if args.contains(&Kind::Step) || !node.op.bodies().is_empty() => Kind::Step,
            () if !args.contains(&Kind::Row) => Kind::Fixed,
            () if is_row_wise(&node.op, &operands, &graph.types(&node.args)) => Kind::Row,
            () => Kind::Step,
        }
    };
    for (value, node) in graph.nodes() {
        let input = graph.inputs.iter().position(|&input| input == value);
        let kind = match input {
            Some(i) if i < scan.consts => Kind::Fixed,
            Some(i) if i < scan.inputs() => Kind::Step,
            Some(_) => Kind::Row,
            None => of(&kinds, node),
        };
        node.results().for_each(|value| kinds[value.index()] = kind);
    }
    kinds
}

/// The graph around a loop.
struct Outside<'l, 'g> {
    looped: &'l Loop<'g>,
    /// What constants of the body are.
    fixed: Renamed,
    /// What is there for all rows.
    rows: HashMap<Value, Value>,
}

impl Outside<'_, '_> {
    /// What a value of the body is for all rows, or for each where it is the same.
    fn value(&mut self, b: &mut Builder, value: Value) -> Value {
        if let Some(&known) = self.rows.get(&value) {
            return known;
        }
        let Loop { graph, scan, .. } = *self.looped;
        if self.looped.kind(value) == Kind::Fixed {
            return b.copy(graph, self.fixed.clone(), &[value])[0];
        }
        let node = graph.node(value);
        let args: Vec<(Value, Operand)> =
            node.args.iter().map(|&arg| (self.value(b, arg), self.looped.operand(arg))).collect();
        b.set_origin(graph.origin(value).clone());
        let new = lift(b, scan.length, &node.op, &args, &graph.types(&node.args));
        self.rows.insert(value, new);
        new
    }
}
