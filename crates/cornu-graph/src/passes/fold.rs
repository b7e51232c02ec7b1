//! Constants: what is known now is computed now, by the reference evaluator.

use super::{Instead, Rule, inside};
use crate::builder::Builder;
use crate::graph::{Graph, Node, Value};
use crate::ops::{Broadcast, Constant, Leaf, Op};
use crate::rewrite::rebuild;
use crate::{Array, Body, Type};

/// The largest constant worth keeping instead of the ops that make it.
const LARGEST: usize = 1024;

/// The rules about constants, each with the name of its test.
pub const FOLD: &[Rule] = &[Rule { name: "splats", apply: splats }, Rule { name: "constants", apply: constants }];

/// The type of what an op makes of its operands, if it has any and makes one array of numbers of
/// them. (What has a body is not computed here: a loop may be long, or have no end.)
fn computed(b: &Builder, op: &Op, args: &[Value]) -> Option<Type> {
    if args.is_empty() || matches!(op, Op::Broadcast(_)) || !op.bodies().is_empty() {
        return None;
    }
    let [ty] = <[Type; 1]>::try_from(op.infer(&b.graph().types(args)).ok()?).ok()?;
    Some(ty)
}

/// An element-wise op on numbers that fill a shape.
fn splats(b: &mut Builder, op: &Op, args: &[Value]) -> Option<Instead> {
    if !op.is_elementwise() || args.iter().any(|&arg| b.graph().splat_number(arg).is_none()) {
        return None;
    }
    let ty = computed(b, op, args).filter(|ty| ty.rank() > 0)?;
    let number = |&arg: &Value| {
        let number = b.graph().splat_number(arg)?;
        Some(Array::from_numbers(&Type::scalar(b.graph().ty(arg).dtype), |_| number))
    };
    let numbers: Vec<Array> = args.iter().map(number).collect::<Option<_>>()?;
    let result = op.eval(&numbers.iter().collect::<Vec<_>>(), &[&Type::scalar(ty.dtype)]).ok()?.remove(0);
    let result = b.constant(result);
    Instead::node(Broadcast { shape: ty.shape, axes: Box::default() }, &[result])
}

/// Any op on constants, if the result is small.
fn constants(b: &mut Builder, op: &Op, args: &[Value]) -> Option<Instead> {
    let known = |&arg: &Value| match b.graph().op(arg) {
        Op::Leaf(Leaf::Constant(constant)) => Some(constant.clone()),
        _ => None,
    };
    let known: Vec<Constant> = args.iter().map(known).collect::<Option<_>>()?;
    let ty = computed(b, op, args).filter(|ty| ty.size() <= LARGEST)?;
    let arrays: Vec<&Array> = known.iter().map(Constant::array).collect();
    let result = op.eval(&arrays, &[&ty]).ok()?.remove(0);
    Instead::node(Leaf::Constant(Constant::new(result)), &[])
}

/// The branch that an `If` takes, if its condition is known.
fn taken<'g>(graph: &Graph, op: &'g Op, args: &[Value]) -> Option<&'g Body> {
    let Op::If(branches) = op else { return None };
    graph.splat(args[0]).map(|truth| &branches.branches[usize::from(truth == 0.0)])
}

/// Whether a branch is known, in bodies as well.
pub(super) fn is_branch_known(graph: &Graph) -> bool {
    let inside = |node: &Node| node.op.bodies().iter().any(|body| is_branch_known(body.graph()));
    graph.nodes().any(|(_, node)| taken(graph, &node.op, &node.args).is_some() || inside(node))
}

/// Puts in the place of each `If` whose condition is known what the branch that is taken computes, and asks what it checks.
pub(super) fn take_branches(graph: &Graph) -> Graph {
    rebuild(graph, |b, node, args| {
        let op = inside(&node.op, take_branches);
        match taken(b.graph(), &op, args) {
            Some(branch) => b.inline_with_checks(branch, &args[1..]),
            None => b.add_all(op, args),
        }
    })
}
