//! Constants: what is known now is computed now, by the reference evaluator.

use crate::graph::{Graph, Value};
use crate::ops::{Leaf, Op};
use crate::rewrite::rewrite;

/// The largest constant worth keeping instead of the ops that make it.
const LARGEST: usize = 1024;

/// Replaces ops on constants by their results. A broadcast stays, so that a splat is seen as one.
pub fn fold(graph: &Graph) -> Graph {
    rewrite(graph, |b, op, args| {
        if args.is_empty() || matches!(op, Op::Broadcast(_)) {
            return None;
        }
        let known = |&arg: &Value| match b.graph().op(arg) {
            Op::Leaf(Leaf::Constant(constant)) => Some(constant.clone()),
            _ => None,
        };
        let known: Vec<_> = args.iter().map(known).collect::<Option<_>>()?;
        let types: Vec<_> = args.iter().map(|&arg| b.graph().ty(arg)).collect();
        let ty = op.infer(&types).ok().filter(|ty| ty.size() <= LARGEST)?;
        let arrays: Vec<_> = known.iter().map(|constant| constant.array()).collect();
        let result = op.eval(&arrays, &ty);
        Some(b.constant(result))
    })
}
