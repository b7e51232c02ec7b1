//! What a loop stacks of parts of a row that it reads, as gates are parts of one product, is stacked as that row lies: so it
//! can be written where the row was.

use std::collections::HashSet;

use super::{has_bodies, inside};
use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Concatenate, Leaf, Op, Scan, Slice};
use crate::rewrite::rebuild;
use crate::{Body, Type};

/// Shorter parts are read faster where each lies by itself.
const ROW: usize = 128;

/// Stacks side by side what a loop makes element by element of the parts of a row, where loops alone read it. No element
/// changes.
pub fn columns(graph: &Graph) -> Graph {
    if !has_bodies(graph) {
        return graph.clone();
    }
    let uses = Uses::new(graph);
    let mut stacks: HashSet<Value> = HashSet::new();
    rebuild(graph, |b, node, args| {
        let op = inside(&node.op, columns);
        let Op::Scan(scan) = &op else { return b.add_all(op, args) };
        let groups = uses.groups(graph, node, scan);
        let (scan, args) = reading(b, scan, args, &stacks);
        let kept: Vec<usize> = (0..node.results().len()).filter(|i| !groups.iter().flatten().any(|j| i == j)).collect();
        let made = b.add_all(stacking(&scan, &groups, &kept), &args);
        let mut results: Vec<Value> = vec![made[0]; node.results().len()];
        kept.iter().zip(&made).for_each(|(&i, &value)| results[i] = value);
        for (group, &stack) in groups.iter().zip(&made[kept.len()..]) {
            stacks.insert(stack);
            group.iter().zip(parts(graph, node, group)).for_each(|(&i, part)| results[i] = b.add(part, &[stack]));
        }
        results
    })
}

/// The parts of a stack that some results of a node become.
fn parts(graph: &Graph, node: &Node, group: &[usize]) -> Vec<Slice> {
    let types = graph.results_of(node);
    let mut start = 0;
    let part = |&i: &usize| {
        let mut limits = types[i].shape.to_vec();
        let mut starts = vec![0; limits.len()];
        let axis = limits.len() - 1;
        (starts[axis], limits[axis]) = (start, start + limits[axis]);
        start = limits[axis];
        Slice { strides: vec![1; limits.len()].into(), starts: starts.into(), limits: limits.into() }
    };
    group.iter().map(part).collect()
}

/// How often values are read.
struct Uses {
    all: Vec<u32>,
    /// As rows of loops.
    rows: Vec<u32>,
}

impl Uses {
    fn new(graph: &Graph) -> Uses {
        let live = graph.live();
        let (mut all, mut rows) = (vec![0; graph.values()], vec![0; graph.values()]);
        for (_, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
            let first = if let Op::Scan(scan) = &node.op { scan.inputs() } else { node.args.len() };
            node.args.iter().for_each(|arg| all[arg.index()] += 1);
            node.args[first..].iter().for_each(|arg| rows[arg.index()] += 1);
        }
        graph.results().for_each(|value| all[value.index()] += 1);
        Uses { all, rows }
    }

    /// The results of a loop that are stacked side by side.
    fn groups(&self, graph: &Graph, node: &Node, scan: &Scan) -> Vec<Vec<usize>> {
        let is_row = |value: Value| self.rows[value.index()] > 0 && self.rows[value.index()] == self.all[value.index()];
        let mut free: Vec<usize> =
            node.results().enumerate().filter(|(_, value)| is_row(*value)).map(|(i, _)| i).collect();
        let mut all = Vec::new();
        let rows = node.args.iter().zip(&scan.body.graph().inputs).skip(scan.inputs());
        // Where the rows of a value are read by this loop alone, they need not be there behind it.
        for (operand, &row) in rows.filter(|(operand, _)| self.all[operand.index()] == 1) {
            if matches!(graph.op(*operand), Op::Leaf(_)) {
                continue;
            }
            if let Some(group) = group(scan, row, &free) {
                free.retain(|i| !group.contains(i));
                all.push(group);
            }
        }
        all
    }
}

/// For each part of a row, one of some outputs of a loop that is made of it element by element and is as large; if there is
/// one for each.
fn group(scan: &Scan, row: Value, outputs: &[usize]) -> Option<Vec<usize>> {
    let body = scan.body.graph();
    let axis = body.ty(row).rank().checked_sub(1)?;
    let mut parts: Vec<(usize, &Type)> = Vec::new();
    let mut made_of: Vec<Vec<usize>> = vec![Vec::new(); body.values()];
    for (value, node) in body.nodes() {
        let ty = body.ty(value);
        match &node.op {
            Op::Slice(slice) if node.args[0] == row && is_part(slice, body.ty(row)) => {
                made_of[value.index()] = vec![slice.starts[axis]];
                parts.push((slice.starts[axis], ty));
            }
            op if op.is_elementwise() => {
                let of = node.args.iter().flat_map(|arg| &made_of[arg.index()]).copied();
                let of: HashSet<usize> = of.filter(|start| parts.contains(&(*start, ty))).collect();
                made_of[value.index()] = of.into_iter().collect();
            }
            _ => {}
        }
    }
    parts.sort_by_key(|&(start, _)| start);
    let ends = parts.iter().map(|(start, ty)| start + ty.shape[axis]);
    let lies =
        std::iter::once(0).chain(ends).eq(parts.iter().map(|&(start, _)| start).chain([body.ty(row).shape[axis]]));
    if !lies || parts.len() < 2 {
        return None;
    }
    let mut candidates: Vec<(usize, &Vec<usize>)> =
        outputs.iter().map(|&i| (i, &made_of[body.outputs[i].index()])).collect();
    candidates.sort_by_key(|(_, of)| of.len());
    let mut group: Vec<Option<usize>> = vec![None; parts.len()];
    for (output, of) in candidates {
        let is_free = |k: &usize| group[*k].is_none() && of.contains(&parts[*k].0);
        if let Some(k) = (0..parts.len()).find(is_free) {
            group[k] = Some(output);
        }
    }
    group.into_iter().collect()
}

/// Whether a slice is of neighbours along the last axis alone, so many that they are read where they lie.
fn is_part(slice: &Slice, of: &Type) -> bool {
    let axis = of.rank() - 1;
    slice.strides.iter().all(|&stride| stride == 1)
        && (0..axis).all(|axis| (slice.starts[axis], slice.limits[axis]) == (0, of.shape[axis]))
        && slice.limits[axis] - slice.starts[axis] >= ROW
}

/// A loop whose groups of outputs are one output each, behind the others.
fn stacking(scan: &Scan, groups: &[Vec<usize>], kept: &[usize]) -> Scan {
    if groups.is_empty() {
        return scan.clone();
    }
    let mut b = Builder::default();
    let types = scan.body.inputs().into_iter().cloned().enumerate();
    let given: Vec<Value> = types.map(|(index, ty)| b.add(Leaf::Input { index, ty }, &[])).collect();
    let (made, checks) = b.inline(&scan.body, &given);
    let mut outputs: Vec<Value> = kept.iter().map(|&i| made[i]).collect();
    for group in groups {
        let parts: Vec<Value> = group.iter().map(|&i| made[i]).collect();
        let axis = b.graph().ty(parts[0]).rank() - 1;
        outputs.push(b.add(Concatenate { axis }, &parts));
    }
    Scan { body: Body::cut(b.graph(), &given, &outputs, &checks), ..scan.clone() }
}

/// A loop that reads rows of stacks as a whole where it read rows of their parts, and its operands.
fn reading(outer: &Builder, scan: &Scan, args: &[Value], stacks: &HashSet<Value>) -> (Scan, Vec<Value>) {
    let of = |arg: Value| match (outer.graph().op(arg), &*outer.graph().node(arg).args) {
        (Op::Slice(slice), &[stack]) if stacks.contains(&stack) => Some((stack, slice)),
        _ => None,
    };
    let (same, rows) = args.split_at(scan.inputs());
    if !rows.iter().any(|&arg| of(arg).is_some()) {
        return (scan.clone(), args.to_vec());
    }
    let mut all = same.to_vec();
    let places = rows.iter().map(|&arg| {
        let (value, part) = of(arg).map_or((arg, None), |(stack, slice)| (stack, Some(slice)));
        let known = all[same.len()..].iter().position(|&other| other == value).filter(|_| part.is_some());
        let place = known.map_or(all.len(), |place| place + same.len());
        if known.is_none() {
            all.push(value);
        }
        (place, part)
    });
    let places: Vec<(usize, Option<&Slice>)> = places.collect();
    let row = |ty: &Type| Type::new(ty.dtype, ty.shape[1..].to_vec());
    let types = scan.body.inputs().into_iter().take(same.len()).cloned();
    let types = types.chain(all[same.len()..].iter().map(|&value| row(outer.graph().ty(value))));
    let mut b = Builder::default();
    let given: Vec<Value> = types.enumerate().map(|(index, ty)| b.add(Leaf::Input { index, ty }, &[])).collect();
    let mut read: Vec<Value> = given[..same.len()].to_vec();
    for (place, part) in places {
        read.push(part.map_or(given[place], |part| {
            let [starts, limits, strides] = [&part.starts, &part.limits, &part.strides].map(|all| all[1..].into());
            b.add(Slice { starts, limits, strides }, &[given[place]])
        }));
    }
    let (outputs, checks) = b.inline(&scan.body, &read);
    (Scan { body: Body::cut(b.graph(), &given, &outputs, &checks), ..scan.clone() }, all)
}
