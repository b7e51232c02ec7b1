//! Loops over the same operands become one loop.
//!
//! The gradient of a scan asks for a larger one, which stores more of each step. Here it takes the place of the first.

use std::collections::HashMap;

use super::{has_bodies, inside};
use crate::Body;
use crate::builder::Builder;
use crate::graph::{Graph, Value};
use crate::ops::{Leaf, Op, Scan};
use crate::rewrite::{rebuild, rewrite};

/// Joins scans of the same operands that leave the same carries: the outputs of all are those of one.
pub fn join(graph: &Graph) -> Graph {
    if !has_bodies(graph) {
        return graph.clone();
    }
    let mut graph = rewrite(graph, |b, op, args| (!op.bodies().is_empty()).then(|| b.add(inside(op, join), args)));
    // Where two have become one, what uses them may have the same operands.
    while let Some(joined) = once(&graph) {
        graph = joined;
    }
    graph
}

/// What a scan has become.
struct Member {
    /// The number of the scan that takes its place.
    scan: usize,
    /// For each result, which one of that scan it is.
    places: Vec<usize>,
}

fn once(graph: &Graph) -> Option<Graph> {
    let live = graph.live();
    let mut scans: Vec<Scan> = Vec::new();
    let mut known: HashMap<(&[Value], usize, bool), Vec<usize>> = HashMap::new();
    let mut members: HashMap<Value, Member> = HashMap::new();
    for (first, node) in graph.nodes().filter(|(first, _)| live[first.index()]) {
        let Op::Scan(scan) = &node.op else { continue };
        let others = known.entry((&node.args, scan.length, scan.reverse)).or_default();
        let joined = others.iter().find_map(|&number| Some((number, both(&scans[number], scan)?)));
        let (number, (body, places)) = joined.unwrap_or_else(|| {
            others.push(scans.len());
            scans.push(scan.clone());
            (scans.len() - 1, (scan.body.clone(), (0..scan.body.outputs().len()).collect()))
        });
        scans[number].body = body;
        members.insert(first, Member { scan: number, places });
    }
    if members.len() == scans.len() {
        return None;
    }
    let mut made: HashMap<usize, Vec<Value>> = HashMap::new();
    Some(rebuild(graph, |b, node, args| {
        let first = node.results().next().and_then(|first| members.get(&first));
        let Some(member) = first else { return b.add_all(node.op.clone(), args) };
        let results = made.entry(member.scan).or_insert_with(|| b.add_all(scans[member.scan].clone(), args));
        member.places.iter().map(|&place| results[place]).collect()
    }))
}

/// A body that gives what that of `one` does, and behind it what else that of `other` does; and where the latter's
/// outputs are then. Nothing if they leave other carries.
fn both(one: &Scan, other: &Scan) -> Option<(Body, Vec<usize>)> {
    if (one.consts, one.carries) != (other.consts, other.carries) {
        return None;
    }
    let mut b = Builder::default();
    let inputs = one.body.inputs().into_iter().cloned().enumerate();
    let inputs: Vec<Value> = inputs.map(|(index, ty)| b.add(Leaf::Input { index, ty }, &[])).collect();
    let ((mut outputs, mut checks), (more, others)) = (b.inline(&one.body, &inputs), b.inline(&other.body, &inputs));
    checks.extend(others.into_iter().filter(|check| !checks.contains(check)).collect::<Vec<_>>());
    if outputs[..one.carries] != more[..one.carries] {
        return None;
    }
    let mut places: Vec<usize> = (0..one.carries).collect();
    for &value in &more[one.carries..] {
        let known = outputs[one.carries..].iter().position(|&output| output == value);
        places.push(known.map_or(outputs.len(), |place| place + one.carries));
        if known.is_none() {
            outputs.push(value);
        }
    }
    Some((Body::cut(b.graph(), &inputs, &outputs, &checks), places))
}
