//! Reverse mode: one walk back over the graph, asking each op for its rule.

use std::collections::HashMap;
use std::panic::Location;

use crate::graph::Value;
use crate::ops::{Grad, Op};
use crate::{Error, Tensor};

/// The gradient of the scalar `y` with respect to each tensor of `wrt`; zeros where `y` does not depend on it.
///
/// Contributions to one gradient are added in the reverse order of the nodes they come through: the last traced first.
/// The bits of a gradient depend on it: `losses/crossentropy.rs` of `cornu` traces the terms after a sigmoid in the order
/// in which TensorFlow adds their gradients, guarded by its test
/// `the_gradient_after_a_sigmoid_is_the_sum_in_tensorflows_order`.
///
/// A tensor of another trace, or a `y` that is no scalar of floats, is a mistake of the trace of `y`; the result is then
/// zeros.
///
/// # Panics
/// If the rule of an op does not give one entry for each operand.
#[track_caller]
pub fn gradients(y: &Tensor, wrt: &[Tensor]) -> Vec<Tensor> {
    let (trace, at) = (y.trace(), Location::caller());
    let zeros = |w: &Tensor| y.number(0.0).cast(w.dtype()).broadcast_to(w.shape());
    if y.rank() != 0 || !y.dtype().is_float() {
        trace.fail(Error::graph(format!("a gradient needs a scalar of floats, got {}", y.ty())).at(at));
        return wrt.iter().map(zeros).collect();
    }
    if let Err(error) = wrt.iter().try_for_each(|w| trace.own(w, &"a gradient").map(|_| ())) {
        trace.refuse(&error.at(at), wrt);
        return wrt.iter().map(zeros).collect();
    }
    let needed = dependents(y, wrt);
    let mut gradient: HashMap<Value, Tensor> = HashMap::from([(y.value(), y.number(1.0))]);
    for index in (0..needed.len()).rev().filter(|&index| needed[index].is_some()) {
        let (value, args) = needed[index].as_ref().expect("just filtered");
        let Some(ct) = gradient.get(value).cloned().filter(|_| !args.is_empty()) else { continue };
        let at = trace.tensor(*value);
        let operands: Vec<Tensor> = args.iter().map(|&arg| trace.tensor(arg)).collect();
        let grads = at.op().vjp(&operands, &at, &ct);
        assert_eq!(grads.len(), args.len(), "`{}` needs one gradient for each operand", at.op());
        for (arg, grad) in args.iter().zip(grads) {
            let (Grad::By(contribution), true) = (grad, needed[arg.index()].is_some()) else { continue };
            let total = match gradient.remove(arg) {
                Some(so_far) => so_far + contribution,
                None => contribution,
            };
            gradient.insert(*arg, total);
        }
    }
    wrt.iter().map(|w| gradient.get(&w.value()).cloned().unwrap_or_else(|| zeros(w))).collect()
}

/// The nodes up to `y` that depend on a tensor of `wrt`, at their places, with their arguments.
fn dependents(y: &Tensor, wrt: &[Tensor]) -> Vec<Option<(Value, Box<[Value]>)>> {
    let trace = y.trace();
    let mut nodes: Vec<Option<(Value, Box<[Value]>)>> = Vec::with_capacity(y.value().index() + 1);
    trace.each_node_to(y.value(), |value, node| {
        let is_wrt = wrt.iter().any(|w| w.value() == value);
        let depends = is_wrt || node.args.iter().any(|arg| nodes[arg.index()].is_some());
        // A tensor differentiated by is where the walk ends: what it is made of does not matter.
        let args = if is_wrt || matches!(node.op, Op::Leaf(_)) { Box::default() } else { node.args.clone() };
        nodes.push(depends.then_some((value, args)));
    });
    nodes
}
