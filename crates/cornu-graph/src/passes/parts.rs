//! Parts of a tensor along an axis, as gates lie in one product: what is read or made part by part is kept in parts.

use std::collections::HashMap;

use super::{has_bodies, inside};
use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Binary, Broadcast, Concatenate, Op, Pad, Slice};
use crate::rewrite::rebuild;
use crate::{Array, Type};

/// At most so many parts of a tensor are made by themselves: each has its own node of every op.
const MOST: usize = 8;
/// Shorter rows are not worth finding each by itself.
const ROW: usize = 16;

/// Sums of parts become the parts one behind the other, and what only parts are read of is made part by part. No element
/// of a result changes.
pub fn parts(graph: &Graph) -> Graph {
    let any = |kind: fn(&Op) -> bool| has_bodies(graph) || graph.nodes().any(|(_, node)| kind(&node.op));
    let graph = if any(|op| matches!(op, Op::Pad(_))) { beside(graph) } else { graph.clone() };
    if any(|op| matches!(op, Op::Slice(_))) { apart(&graph) } else { graph }
}

/// Sums of tensors that are zero but for parts of an axis, where these parts are all of it: the gradient of what has been
/// cut into slices.
fn beside(graph: &Graph) -> Graph {
    let is_sum = sums(graph);
    rebuild(graph, |b, node, args| {
        let first = node.results().next().expect("a node has results");
        let whole = if is_sum[first.index()] { concatenated(b, args) } else { None };
        match whole {
            Some(value) => vec![value],
            None => b.add_all(inside(&node.op, beside), args),
        }
    })
}

/// The axis along which a tensor is a part and zeros.
fn axis(graph: &Graph, node: &Node) -> Option<usize> {
    let Op::Pad(Pad { low, high, between }) = &node.op else { return None };
    let mut padded = (0..low.len()).filter(|&axis| low[axis] + high[axis] > 0);
    let one = padded.next().filter(|_| padded.next().is_none() && between.iter().all(|&between| between == 0));
    one.filter(|_| graph.splat(node.args[1]).is_some_and(|number| number.to_bits() == 0))
}

/// The sums of such tensors along one axis, each but for those that are terms of another and of nothing else.
fn sums(graph: &Graph) -> Vec<bool> {
    let mut uses = vec![0u32; graph.values()];
    let args = graph.nodes().flat_map(|(_, node)| node.args.iter().copied());
    args.chain(graph.results()).for_each(|value| uses[value.index()] += 1);
    let (mut along, mut is_sum) = (vec![None; graph.values()], vec![false; graph.values()]);
    for (value, node) in graph.nodes() {
        along[value.index()] = match (&node.op, &*node.args) {
            (Op::Binary(Binary::Add), &[x, y]) => {
                let term = |x: Value| along[x.index()].filter(|_| !is_sum[x.index()] || uses[x.index()] == 1);
                let of = term(x).filter(|_| term(x) == term(y));
                if of.is_some() {
                    [x, y].into_iter().for_each(|x| is_sum[x.index()] = false);
                    is_sum[value.index()] = true;
                }
                of
            }
            _ => axis(graph, node),
        };
    }
    is_sum
}

/// The sum of two operands as the parts that they are of, if those lie one behind the other. Zero was added to each, which
/// makes a positive zero of a negative one.
fn concatenated(b: &mut Builder, args: &[Value]) -> Option<Value> {
    let graph = b.graph();
    let (mut rest, mut parts) = (args.to_vec(), Vec::new());
    while let Some(value) = rest.pop() {
        match graph.node(value) {
            Node { op: Op::Pad(pad), args, .. } => parts.push((pad, args[0])),
            sum => rest.extend(&sum.args),
        }
    }
    let (pad, ty) = (parts[0].0, graph.ty(args[0]).clone());
    let axis = (0..ty.rank()).find(|&axis| pad.low[axis] + pad.high[axis] > 0)?;
    parts.sort_by_key(|(pad, _)| pad.low[axis]);
    let ends = parts.iter().scan(0, |end, &(_, x)| Some(std::mem::replace(end, *end + graph.ty(x).shape[axis])));
    let lies = parts.iter().zip(ends).all(|((pad, _), end)| pad.low[axis] == end);
    if !lies || parts.last().is_none_or(|(pad, _)| pad.high[axis] > 0) {
        return None;
    }
    let parts: Vec<Value> = parts.into_iter().map(|(_, x)| x).collect();
    let parts: Vec<Value> = parts.into_iter().map(|x| if ty.dtype.is_float() { plus_zero(b, x) } else { x }).collect();
    Some(b.add(Concatenate { axis }, &parts))
}

fn plus_zero(b: &mut Builder, x: Value) -> Value {
    let Type { dtype, shape } = b.graph().ty(x).clone();
    let zero = b.constant(Array::zeros(&Type::scalar(dtype)));
    let zeros = b.add(Broadcast { shape, axes: Box::default() }, &[zero]);
    b.add(Binary::Add, &[x, zeros])
}

/// Element-wise ops that only slices are read of, by element-wise ops in turn: each slice is made by itself, of slices.
fn apart(graph: &Graph) -> Graph {
    let cuts = cuts(graph);
    let mut made: HashMap<(Value, &Slice), Value> = HashMap::new();
    rebuild(graph, |b, node, args| {
        let first = node.results().next().expect("a node has results");
        if let Op::Slice(slice) = &node.op
            && let Some(&part) = made.get(&(node.args[0], slice))
        {
            return vec![part];
        }
        for slice in &cuts[first.index()] {
            let part =
                |(old, &new): (&Value, &Value)| made.get(&(*old, slice)).copied().unwrap_or_else(|| cut(b, slice, new));
            let parts: Vec<Value> = node.args.iter().zip(args).map(part).collect();
            let part = b.add(node.op.clone(), &parts);
            made.insert((first, slice), part);
        }
        b.add_all(inside(&node.op, apart), args)
    })
}

/// A slice of a value; one number fills as much as it.
fn cut(b: &mut Builder, slice: &Slice, x: Value) -> Value {
    let node = b.graph().node(x);
    match &node.op {
        Op::Broadcast(op) if op.axes.is_empty() => {
            let number = node.args[0];
            b.add(Broadcast { shape: slice.sizes().collect(), axes: Box::default() }, &[number])
        }
        _ => b.add(slice.clone(), &[x]),
    }
}

/// For each value, the slices of it that are made by themselves: all that anything reads of it.
fn cuts(graph: &Graph) -> Vec<Vec<&Slice>> {
    let live = graph.live();
    // Whether anything reads it but element-wise ops, and whether anything reads it but in such slices.
    let (mut moved, mut whole) = (vec![false; graph.values()], vec![false; graph.values()]);
    graph.results().for_each(|value| (moved[value.index()], whole[value.index()]) = (true, true));
    let mut cuts: Vec<Vec<&Slice>> = vec![Vec::new(); graph.values()];
    for (value, node) in graph.nodes().rev().filter(|(value, _)| live[value.index()]) {
        let read = std::mem::take(&mut cuts[value.index()]);
        let own = match &node.op {
            Op::Slice(slice) if !moved[value.index()] && is_of_rows(slice, graph.ty(value)) => vec![slice],
            op if op.is_elementwise() && !whole[value.index()] && !stays_with_product(graph, node) => {
                let size = |slice: &&Slice| slice.sizes().product::<usize>();
                let fits = read.iter().map(size).sum::<usize>() <= graph.ty(value).size();
                cuts[value.index()] = if fits { read } else { Vec::new() };
                cuts[value.index()].clone()
            }
            _ => Vec::new(),
        };
        for arg in &node.args {
            moved[arg.index()] |= !node.op.is_elementwise();
            whole[arg.index()] |= own.is_empty() || cuts[arg.index()].len() > MOST;
            if !whole[arg.index()] {
                let new = own.iter().filter(|slice| !cuts[arg.index()].contains(slice)).copied().collect::<Vec<_>>();
                cuts[arg.index()].extend(new);
            }
        }
    }
    cuts
}

/// Whether a slice is of neighbours, rows of `ROW` at least.
fn is_of_rows(slice: &Slice, ty: &Type) -> bool {
    slice.strides.iter().all(|&stride| stride == 1) && ty.shape.last().is_some_and(|&row| row >= ROW)
}

/// Whether an op adds a row to a product, which is made along with it.
fn stays_with_product(graph: &Graph, node: &Node) -> bool {
    matches!(node.op, Op::Binary(Binary::Add))
        && matches!((graph.op(node.args[0]), graph.op(node.args[1])), (Op::Dot(_), Op::Broadcast(_)))
}
