//! Calls over many rows as loops over one row each, whose values stay in the cache of a core.

use std::collections::HashMap;

use super::has_bodies;
use super::rows::{Operand, narrowed};
use crate::builder::Builder;
use crate::graph::{Graph, Value};
use crate::ops::{Broadcast, Leaf, Op, Reshape, Scan};
use crate::rewrite::rebuild;
use crate::{Body, Type};

/// Fewer rows are not worth a loop: threads would have unlike shares.
const FEW: usize = 8;

/// Makes a loop along the leading axis of each call that has a value of so many bytes or more, if each row of its results
/// depends on the same row of its operands alone. Nothing is carried, so the steps may run in any order.
pub fn slices(graph: &Graph, large: usize) -> Graph {
    if !has_bodies(graph) {
        return graph.clone();
    }
    rebuild(graph, |b, node, args| {
        let by_rows = if let Op::Call(call) = &node.op { by_rows(call.body.graph(), large) } else { None };
        match by_rows {
            Some((scan, order)) => b.add_all(scan, &Vec::from_iter(order.into_iter().map(|i| args[i]))),
            None => b.add_all(node.op.clone(), args),
        }
    })
}

/// The loop, and the operands of the call in the order of its own: those that are whole in each step, then those that come
/// row by row.
fn by_rows(graph: &Graph, large: usize) -> Option<(Scan, Vec<usize>)> {
    let &length = graph.ty(*graph.outputs.first()?).shape.first()?;
    let leads = |value: Value| graph.ty(value).shape.first() == Some(&length);
    let is_large = |value: Value| graph.ty(value).size() * graph.ty(value).dtype.size() >= large;
    if length < FEW || !graph.checks.is_empty() || !graph.nodes().any(|(value, _)| is_large(value)) {
        return None;
    }
    let (rows, mut order): (Vec<usize>, Vec<usize>) = (0..graph.inputs.len()).partition(|&i| leads(graph.inputs[i]));
    let consts = order.len();
    order.extend(rows);
    let mut b = Builder::default();
    let mut made = inputs(&mut b, graph, &order, consts);
    for (value, node) in graph.nodes().filter(|(_, node)| !matches!(node.op, Op::Leaf(Leaf::Input { .. }))) {
        let (args, operands): (Vec<Value>, Vec<Operand>) = node.args.iter().map(|arg| made[arg]).unzip();
        // What repeats along the leading axis is the same in each row.
        let repeats = |op: &Broadcast| leads(value) && !op.axes.contains(&0);
        let is_row = operands.contains(&Operand::Stacked) || matches!(&node.op, Op::Broadcast(op) if repeats(op));
        let operand = if is_row { Operand::Stacked } else { Operand::Fixed };
        let op = if is_row {
            narrowed(&node.op, &operands, &graph.types(&node.args)).filter(|_| leads(value))?
        } else {
            node.op.clone()
        };
        let results = b.add_all(op, &args);
        made.extend(node.results().zip(results.into_iter().map(|result| (result, operand))));
    }
    let output = |output: &Value| {
        let (value, operand) = made[output];
        let is_row = operand == Operand::Stacked && leads(*output);
        is_row.then(|| b.add(Reshape(graph.ty(*output).shape[1..].into()), &[value]))
    };
    let outputs: Vec<Value> = graph.outputs.iter().map(output).collect::<Option<_>>()?;
    let body = Body::new(&b.finish(outputs, Vec::new(), Vec::new())).ok()?;
    Some((Scan { body, length, reverse: false, consts, carries: 0 }, order))
}

/// The inputs of a step: the first `consts` as they are, of the others a row along a first axis of size 1.
fn inputs(b: &mut Builder, graph: &Graph, order: &[usize], consts: usize) -> HashMap<Value, (Value, Operand)> {
    let input = |(index, &from): (usize, &usize)| {
        let Type { dtype, shape } = graph.ty(graph.inputs[from]).clone();
        let given = |b: &mut Builder, ty: Type| b.add(Leaf::Input { index, ty }, &[]);
        let made = if index < consts {
            (given(b, Type::new(dtype, shape)), Operand::Fixed)
        } else {
            let row = given(b, Type::new(dtype, &shape[1..]));
            (b.add(Reshape(shape.with(0, 1)), &[row]), Operand::Stacked)
        };
        (graph.inputs[from], made)
    };
    order.iter().enumerate().map(input).collect()
}
