//! Rebuilding a graph through a rule. Nodes that no result needs vanish on the way.

use crate::graph::{Builder, Graph, Value};
use crate::ops::{Leaf, Op};

/// A graph that computes what `old` computes. The rule sees each node with its arguments already rebuilt, and may add
/// nodes of its own; `None` keeps the node. Inputs stay, used or not.
pub fn rewrite(old: &Graph, mut rule: impl FnMut(&mut Builder, &Op, &[Value]) -> Option<Value>) -> Graph {
    let live = old.live();
    let mut new = Builder::default();
    let mut renamed: Vec<Option<Value>> = vec![None; old.len()];
    for (value, node) in old.nodes() {
        if !live[value.index()] && !matches!(node.op, Op::Leaf(Leaf::Input { .. })) {
            continue;
        }
        let args: Vec<Value> =
            node.args.iter().map(|arg| renamed[arg.index()].expect("arguments come first")).collect();
        let kept = match rule(&mut new, &node.op, &args) {
            Some(value) => value,
            None => new.add(node.op.clone(), &args),
        };
        debug_assert_eq!(new.graph().ty(kept), &node.ty, "a rewrite of `{}` changed its type", node.op);
        renamed[value.index()] = Some(kept);
    }
    let name = |value: Value| renamed[value.index()].expect("results are live");
    let outputs = old.outputs.iter().map(|&value| name(value)).collect();
    let updates = old.updates.iter().map(|&(var, value)| (var, name(value))).collect();
    sweep(new.finish(outputs, updates))
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
