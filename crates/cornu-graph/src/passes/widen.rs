//! Floats of 16 bits as singles: what computes with them reads them widened, and what it makes is rounded, by casts. That is
//! what ops of these types mean, so an executor needs no other arithmetic for them than its own of singles.

use super::inside;
use crate::DType;
use crate::graph::{Graph, Node};
use crate::ops::{Cast, Op};
use crate::rewrite::rewrite;

/// The same graph, in which floats of 16 bits are only kept, moved and cast.
pub fn widen(graph: Graph) -> Graph {
    let halves = |node: &Node| node.results().any(|value| graph.ty(value).dtype.is_half());
    if !graph.nodes().any(|(_, node)| halves(node) || !node.op.bodies().is_empty()) {
        return graph;
    }
    rewrite(&graph, |b, op, args| {
        if !op.bodies().is_empty() {
            return Some(b.add(inside(op, |graph| widen(graph.clone())), args));
        }
        let half = args.iter().map(|&arg| b.graph().ty(arg).dtype).find(|dtype| dtype.is_half())?;
        if !computes(op) {
            return None;
        }
        let mut wide = args.to_vec();
        for arg in &mut wide {
            if b.graph().ty(*arg).dtype.is_half() {
                *arg = b.add(Cast(half.widened()), &[*arg]);
            }
        }
        let result = b.add(op.clone(), &wide);
        let is_single = b.graph().ty(result).dtype == DType::F32;
        Some(if is_single { b.add(Cast(half), &[result]) } else { result })
    })
}

/// Whether an op computes with its operands, and does not only choose, move or cast them.
fn computes(op: &Op) -> bool {
    use Op::{Binary, Compare, Conv, ConvInput, ConvWeights, Dot, Reduce, ScatterAdd, SumPool, Unary, Unpool};
    let products = matches!(op, Dot(_) | Conv(_) | ConvInput(_) | ConvWeights(_));
    let sums = matches!(op, Reduce(_) | ScatterAdd(_) | SumPool(_) | Unpool(_));
    products || sums || matches!(op, Unary(_) | Binary(_) | Compare(_))
}
