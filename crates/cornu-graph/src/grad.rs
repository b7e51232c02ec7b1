//! Reverse mode: one walk back over the graph, asking each op for its rule.

use std::collections::HashMap;
use std::panic::Location;

use crate::graph::Value;
use crate::ops::{Grad, Site};
use crate::{Error, Tensor, Trace};

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
    // Of a tensor around a body, what it is in there.
    let own = |w: &Tensor| trace.own(w, &"a gradient").map(|value| trace.tensor(value));
    let own: Vec<Tensor> = match wrt.iter().map(own).collect() {
        Ok(own) => own,
        Err(error) => {
            trace.refuse(&error.at(at), wrt);
            return wrt.iter().map(zeros).collect();
        }
    };
    let found = pull_back(&[(y.clone(), y.number(1.0))], &own);
    found.into_iter().zip(wrt).map(|(gradient, w)| gradient.unwrap_or_else(|| zeros(w))).collect()
}

/// What each tensor of `wrt` adds to the sum of `y * ct` over pairs `(y, ct)` of one trace; `None` where none of them
/// depends on it.
pub(crate) fn pull_back(seeds: &[(Tensor, Tensor)], wrt: &[Tensor]) -> Vec<Option<Tensor>> {
    let Some(trace) = seeds.first().map(|(y, _)| y.trace()) else { return vec![None; wrt.len()] };
    let last = seeds.iter().map(|(y, _)| y.value()).max().expect("there is a first");
    let path = Path::new(last, wrt, trace);
    let mut gradient: HashMap<Value, Tensor> = HashMap::new();
    for (y, ct) in seeds {
        add(&mut gradient, y.value(), ct.clone());
    }
    for (first, args) in path.nodes.iter().rev() {
        let y = trace.tensor(*first).results();
        let ends = |y: &Tensor| wrt.iter().any(|w| w.value() == y.value());
        let ct: Vec<Option<Tensor>> =
            y.iter().map(|y| gradient.get(&y.value()).filter(|_| !ends(y)).cloned()).collect();
        if ct.iter().all(Option::is_none) {
            continue;
        }
        let x: Vec<Tensor> = args.iter().map(|&arg| trace.tensor(arg)).collect();
        let wanted: Vec<bool> = args.iter().map(|arg| path.needed[arg.index()]).collect();
        let site = Site { x: &x, y: &y, ct: &ct, wanted: &wanted };
        let grads = trace.beside(*first, || y[0].op().vjp(&site));
        for ((arg, grad), wanted) in args.iter().zip(grads).zip(wanted) {
            if let (Grad::By(contribution), true) = (grad, wanted) {
                add(&mut gradient, *arg, contribution);
            }
        }
    }
    wrt.iter().map(|w| gradient.get(&w.value()).cloned()).collect()
}

/// Adds to a gradient: what came before stands first.
fn add(gradient: &mut HashMap<Value, Tensor>, to: Value, contribution: Tensor) {
    let total = match gradient.remove(&to) {
        Some(so_far) => so_far + contribution,
        None => contribution,
    };
    gradient.insert(to, total);
}

/// What lies between some tensors and a value.
struct Path {
    /// For each value, whether it is one of the tensors or depends on one.
    needed: Vec<bool>,
    /// The nodes that depend on one, with their operands.
    nodes: Vec<(Value, Box<[Value]>)>,
}

impl Path {
    /// A tensor differentiated by is where the walk ends: what it is made of does not matter.
    fn new(last: Value, wrt: &[Tensor], trace: &Trace) -> Path {
        let mut path = Path { needed: Vec::with_capacity(last.index() + 1), nodes: Vec::new() };
        trace.each_node_to(last, |first, node| {
            let depends = node.args.iter().any(|arg| path.needed[arg.index()]);
            let ends = |value: Value| wrt.iter().any(|w| w.value() == value);
            path.needed.extend(node.results().map(|value| depends || ends(value)));
            if depends && !node.results().all(ends) {
                path.nodes.push((first, node.args.clone()));
            }
        });
        path
    }
}
