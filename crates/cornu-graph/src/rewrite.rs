//! Rebuilding a graph through a rule. Nodes that no result needs vanish on the way.

use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Leaf, Op};

/// A graph that computes what `old` computes. The rule sees each node with its arguments already rebuilt, and may add
/// nodes of its own; it gives the first result of the node that takes its place, or `None` to keep it. Inputs stay, used
/// or not.
pub fn rewrite(old: &Graph, mut rule: impl FnMut(&mut Builder, &Op, &[Value]) -> Option<Value>) -> Graph {
    rebuild(old, |new, node, args| {
        let first = rule(new, &node.op, args).unwrap_or_else(|| new.add(node.op.clone(), args));
        if node.results().len() == 1 { vec![first] } else { new.graph().node(first).results().collect() }
    })
}

/// [`rewrite`] by a rule that gives a value for each result of a node, in order.
pub(crate) fn rebuild(old: &Graph, mut rule: impl FnMut(&mut Builder, &Node, &[Value]) -> Vec<Value>) -> Graph {
    let live = old.live();
    let mut new = Builder::default();
    let mut renamed: Vec<Option<Value>> = vec![None; old.values()];
    let mut args = Vec::new();
    for (first, node) in old.nodes() {
        if !live[first.index()] && !matches!(node.op, Op::Leaf(Leaf::Input { .. })) {
            continue;
        }
        args.clear();
        args.extend(node.args.iter().map(|arg| renamed[arg.index()].expect("arguments come first")));
        new.set_origin(old.origin(first).clone());
        let kept = rule(&mut new, node, &args);
        for (value, kept) in node.results().zip(kept) {
            debug_assert_eq!(new.graph().ty(kept), old.ty(value), "a rewrite of `{}` changed its type", node.op);
            renamed[value.index()] = Some(kept);
        }
    }
    sweep(new.finish_as(old, |value| renamed[value.index()].expect("results are live")))
}

/// The graph without what a rule left behind.
fn sweep(old: Graph) -> Graph {
    let live = old.live();
    let keep = |value: Value| live[value.index()] || matches!(old.op(value), Op::Leaf(Leaf::Input { .. }));
    if old.nodes().all(|(value, _)| keep(value)) {
        return old;
    }
    rewrite(&old, |_, _, _| None)
}
