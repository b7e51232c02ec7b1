//! Dead code across the border of bodies: results that nobody uses, operands that no result needs.

use std::collections::HashMap;

use super::{has_bodies, inside};
use crate::Body;
use crate::body::Renamed;
use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Leaf, Op};
use crate::rewrite::rewrite;

/// Takes from ops with bodies what is not needed: results, carries, operands that come twice or stay as they are. Numbers
/// known before go into the bodies.
pub fn trim(graph: &Graph) -> Graph {
    if !has_bodies(graph) {
        return graph.clone();
    }
    let graph = once(graph);
    // What a body does not use any more, its operands need not make.
    let inner = rewrite(&graph, |b, op, args| (!op.bodies().is_empty()).then(|| b.add(inside(op, trim), args)));
    if inner == graph { graph } else { once(&inner) }
}

fn once(graph: &Graph) -> Graph {
    let mut used = vec![false; graph.values()];
    graph.results().for_each(|value| used[value.index()] = true);
    let mut trimmed: HashMap<Value, Trimmed> = HashMap::new();
    for (first, node) in graph.nodes().rev() {
        // A node has a result, also where its checks are all that is wanted of it.
        used[first.index()] |= node.op.has_checks();
        if !node.results().any(|value| used[value.index()]) {
            continue;
        }
        if node.op.bodies().is_empty() {
            node.args.iter().for_each(|arg| used[arg.index()] = true);
        } else {
            let results: Vec<bool> = node.results().map(|value| used[value.index()]).collect();
            let new = Trimmed::new(graph, node, &results);
            let given = new.results.iter().filter_map(|result| if let Place::Arg(i) = result { Some(i) } else { None });
            new.args.iter().chain(given).for_each(|&i| used[node.args[i].index()] = true);
            trimmed.insert(first, new);
        }
    }
    let mut b = Builder::default();
    let mut renamed = Renamed::default();
    let needed = |node: &Node| {
        matches!(node.op, Op::Leaf(Leaf::Input { .. })) || node.results().any(|value| used[value.index()])
    };
    for (first, node) in graph.nodes().filter(|(_, node)| needed(node)) {
        b.set_origin(graph.origin(first).clone());
        let new = trimmed.remove(&first).unwrap_or_else(|| Trimmed::whole(node));
        let given: Vec<Value> = new.args.iter().map(|&i| renamed[&node.args[i]]).collect();
        let results = new.op.map_or_else(Vec::new, |op| b.add_all(op, &given));
        for (old, place) in node.results().zip(&new.results) {
            match place {
                Place::Result(i) => _ = renamed.insert(old, results[*i]),
                Place::Arg(i) => _ = renamed.insert(old, renamed[&node.args[*i]]),
                Place::Nowhere => {}
            }
        }
    }
    b.finish_as(graph, |value| renamed[&value])
}

/// Where a result is after trimming.
#[derive(Clone, Copy)]
enum Place {
    Result(usize),
    /// It is an operand, by number.
    Arg(usize),
    Nowhere,
}

/// What becomes of a node.
struct Trimmed {
    /// Nothing if no result is left.
    op: Option<Op>,
    /// The operands that are left, by number.
    args: Vec<usize>,
    results: Vec<Place>,
}

/// What an input of a body becomes: one of its constants, carries or rows, by number.
#[derive(Clone, Copy)]
enum Input {
    Const(usize),
    Carry(usize),
    Row(usize),
    /// A number known before.
    Known(Value),
    Unused,
}

/// An op with bodies as they are now.
struct Old<'g> {
    graph: &'g Graph,
    node: &'g Node,
    /// The operands before the bodies' inputs.
    before: usize,
    consts: usize,
    carries: usize,
}

impl<'g> Old<'g> {
    fn new(graph: &'g Graph, node: &'g Node) -> Self {
        let inputs = node.op.bodies()[0].inputs().len();
        let (consts, carries) = match &node.op {
            Op::Scan(scan) => (scan.consts, scan.carries),
            Op::While(op) => (op.consts, inputs - op.consts),
            _ => (inputs, 0),
        };
        Old { graph, node, before: node.args.len() - inputs, consts, carries }
    }

    fn is_while(&self) -> bool {
        matches!(self.node.op, Op::While(_))
    }

    /// The outputs that a body keeps, of the results that are used.
    fn kept<'a>(&self, body: &'a Body, used: &'a [bool]) -> impl Iterator<Item = Value> + 'a {
        let all = self.is_while();
        let outputs = body.graph().outputs.iter().enumerate();
        outputs.filter(move |(i, _)| all || used[*i]).map(|(_, &value)| value)
    }

    /// The results that are needed, and the inputs of bodies that they need.
    fn needed(&self, used: &[bool]) -> (Vec<bool>, Vec<bool>) {
        let mut used = used.to_vec();
        loop {
            let mut acts = vec![self.is_while(); self.node.args.len() - self.before];
            for body in self.node.op.bodies() {
                let all = vec![true; body.graph().outputs.len()];
                let on = body.graph().backwards(if self.is_while() { &all } else { &used });
                acts.iter_mut().zip(&body.graph().inputs).for_each(|(acts, input)| *acts |= on[input.index()]);
            }
            let before = used.clone();
            for i in 0..self.carries {
                used[i] |= acts[self.consts + i];
            }
            if used == before {
                return (used, acts);
            }
        }
    }

    /// Whether a step leaves a carry as it is.
    fn stays(&self, carry: usize) -> bool {
        let graph = self.node.op.bodies()[0].graph();
        matches!(self.node.op, Op::Scan(_)) && graph.outputs[carry] == graph.inputs[self.consts + carry]
    }

    /// The output before an output that is used that is the same at each step.
    fn twin(&self, output: usize, used: &[bool]) -> Option<usize> {
        let same = |before: &usize| {
            let outputs = self.node.op.bodies().iter().map(|body| &body.graph().outputs);
            used[*before] && outputs.into_iter().all(|outputs| outputs[*before] == outputs[output])
        };
        (self.carries..output).find(same).filter(|_| used[output] && !self.is_while())
    }

    /// What the inputs become, and the operands left, apart as constants, carries and rows.
    fn inputs(&self, used: &[bool], acts: &[bool]) -> (Vec<Input>, [Vec<usize>; 3]) {
        let mut left: [Vec<usize>; 3] = Default::default();
        let mut inputs = Vec::new();
        for (i, &acts) in acts.iter().enumerate() {
            let arg = self.node.args[self.before + i];
            let carry = i.checked_sub(self.consts).filter(|&carry| carry < self.carries);
            let same = |kind: &[usize]| kind.iter().position(|&other| self.node.args[other] == arg);
            let put = |kind: &mut Vec<usize>, same: Option<usize>| {
                same.unwrap_or_else(|| {
                    kind.push(self.before + i);
                    kind.len() - 1
                })
            };
            let [consts, carries, rows] = &mut left;
            inputs.push(match carry {
                Some(carry) if !self.stays(carry) && used[carry] => Input::Carry(put(carries, None)),
                Some(carry) if !self.stays(carry) || !acts => Input::Unused,
                _ if !acts => Input::Unused,
                None if i >= self.consts => {
                    let known = same(rows);
                    Input::Row(put(rows, known))
                }
                _ if is_number(self.graph, arg) => Input::Known(arg),
                _ => {
                    let known = same(consts);
                    Input::Const(put(consts, known))
                }
            });
        }
        (inputs, left)
    }

    /// A body on the inputs that are left.
    fn body(&self, body: &Body, inputs: &[Input], left: &[Vec<usize>; 3], outputs: &[Value]) -> Body {
        let mut b = Builder::default();
        let graph = body.graph();
        let row = |arg: usize| graph.ty(graph.inputs[arg - self.before]).clone();
        let types = left.iter().flatten().map(|&arg| row(arg)).enumerate();
        let given: Vec<Value> = types.map(|(index, ty)| b.add(Leaf::Input { index, ty }, &[])).collect();
        let [consts, carries, _] = left;
        let mut renamed = Renamed::default();
        for (&old, input) in graph.inputs.iter().zip(inputs) {
            let new = match *input {
                Input::Const(i) => given[i],
                Input::Carry(i) => given[consts.len() + i],
                Input::Row(i) => given[consts.len() + carries.len() + i],
                Input::Known(value) => b.copy(self.graph, Renamed::default(), &[value])[0],
                Input::Unused => continue,
            };
            renamed.insert(old, new);
        }
        let (outputs, checks) = b.copy_ends(graph, renamed, outputs);
        Body::cut(b.graph(), &given, &outputs, &checks)
    }
}

impl Trimmed {
    /// All of a node.
    fn whole(node: &Node) -> Trimmed {
        let results = (0..node.results().len()).map(Place::Result).collect();
        Trimmed { op: Some(node.op.clone()), args: (0..node.args.len()).collect(), results }
    }

    fn new(graph: &Graph, node: &Node, used: &[bool]) -> Trimmed {
        let old = Old::new(graph, node);
        let (used, acts) = old.needed(used);
        let (inputs, left) = old.inputs(&used, &acts);
        let stays: Vec<bool> = (0..used.len()).map(|i| i < old.carries && old.stays(i)).collect();
        let twin: Vec<Option<usize>> = (0..used.len()).map(|i| old.twin(i, &used)).collect();
        let kept: Vec<bool> = (0..used.len()).map(|i| used[i] && !stays[i] && twin[i].is_none()).collect();
        if !kept.contains(&true) && node.op.has_checks() {
            return Self::whole(node);
        }
        let mut op = node.op.clone();
        for body in op.bodies_mut() {
            let outputs: Vec<Value> = old.kept(body, &kept).collect();
            *body = old.body(body, &inputs, &left, &outputs);
        }
        match &mut op {
            Op::Scan(scan) => (scan.consts, scan.carries) = (left[0].len(), left[1].len()),
            Op::While(op) => op.consts = left[0].len(),
            _ => {}
        }
        let mut next = 0..;
        let mut results: Vec<Place> = Vec::new();
        for i in 0..used.len() {
            results.push(match twin[i] {
                Some(twin) => results[twin],
                None if kept[i] => Place::Result(next.next().expect("a range without end")),
                None if used[i] => Place::Arg(old.before + old.consts + i),
                None => Place::Nowhere,
            });
        }
        let op = kept.contains(&true).then_some(op);
        let args = if op.is_some() { (0..old.before).chain(left.into_iter().flatten()).collect() } else { Vec::new() };
        Trimmed { op, args, results }
    }
}

/// Whether a value is one number that is known before, or filled with it.
fn is_number(graph: &Graph, value: Value) -> bool {
    match graph.op(value) {
        Op::Leaf(Leaf::Constant(constant)) => constant.array().len() == 1,
        Op::Broadcast(_) => is_number(graph, graph.node(value).args[0]),
        _ => false,
    }
}
