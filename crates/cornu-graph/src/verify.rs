//! Every rule a graph obeys:
//! * a node uses only nodes before it;
//! * its types are what its op's rule says;
//! * no two nodes are equal;
//! * bodies obey these rules, and neither read nor update variables;
//! * inputs are numbered as they are listed, and each variable is read through one node;
//! * checks look at a boolean scalar, and at scalars;
//! * each variable is updated at most once, by a value of its type if it is read.

use std::collections::{HashMap, HashSet};

use crate::graph::{Graph, Value};
use crate::ops::{Leaf, Op};
use crate::print::{line_with_origin, listed};
use crate::{DType, Error, Result, Type};

/// Checks every rule a graph obeys.
///
/// # Errors
/// Names the first rule broken and shows the nodes around it.
pub fn verify(graph: &Graph) -> Result<()> {
    let mut seen = HashSet::new();
    for (value, node) in graph.nodes() {
        if let Some(arg) = node.args.iter().find(|arg| **arg >= value) {
            return Err(broken(graph, value, &format!("uses {arg}, which is not before it")));
        }
        let types = node.op.infer(&graph.types(&node.args)).map_err(|problem| broken(graph, value, &problem))?;
        let own = graph.results_of(node);
        if !types.iter().eq(own.iter().copied()) {
            return Err(broken(graph, value, &format!("needs {}, got {}", listed(&types), listed(&own))));
        }
        for body in node.op.bodies() {
            let inner = body.graph();
            let of = |error: Error| error.context(format!("the body of {value}"));
            if let Some((var, _)) = inner.vars.iter().chain(&inner.updates).next() {
                return Err(of(Error::graph(format!("needs no variables, got {var}"))));
            }
            verify(inner).map_err(of)?;
        }
        if !seen.insert((&node.op, &node.args)) {
            return Err(broken(graph, value, "is equal to a node before it"));
        }
    }
    verify_ends(graph)
}

/// Checks what joins a graph to the world: inputs, and updates of variables.
pub(crate) fn verify_ends(graph: &Graph) -> Result<()> {
    for (place, &value) in graph.inputs.iter().enumerate() {
        if !matches!(graph.op(value), Op::Leaf(Leaf::Input { index, .. }) if *index == place) {
            return Err(broken(graph, value, &format!("is listed as input {place}")));
        }
    }
    let mut read = HashMap::new();
    for &(var, value) in &graph.vars {
        if let Some(first) = read.insert(var, value) {
            return Err(broken(graph, value, &format!("reads {var}, as {first} does")));
        }
    }
    for check in &graph.checks {
        let truth = Type::scalar(DType::Bool);
        if *graph.ty(check.holds) != truth {
            return Err(broken(
                graph,
                check.holds,
                &format!("is checked, which needs {truth}, got {}", graph.ty(check.holds)),
            ));
        }
        if let Some(&number) = check.numbers.iter().find(|&&number| graph.ty(number).rank() > 0) {
            return Err(broken(
                graph,
                number,
                &format!("is shown by a check, which needs a scalar, got {}", graph.ty(number)),
            ));
        }
    }
    let mut updated = HashSet::new();
    for (var, value) in &graph.updates {
        if !updated.insert(var) {
            return Err(broken(graph, *value, &format!("is the second update of {var}")));
        }
        if let Some(&old) = read.get(var).filter(|old| graph.ty(**old) != graph.ty(*value)) {
            let (needed, got) = (graph.ty(old), graph.ty(*value));
            return Err(broken(graph, *value, &format!("updates {var}, which needs {needed}, got {got}")));
        }
    }
    Ok(())
}

fn broken(graph: &Graph, value: Value, problem: &str) -> Error {
    const AROUND: usize = 5;
    let near = |other: Value| other.index().abs_diff(value.index()) <= AROUND;
    let lines: Vec<String> =
        graph.nodes().filter(|(v, _)| near(*v)).map(|(v, _)| line_with_origin(graph, v, false)).collect();
    Error::graph(format!("{value} {problem}\n{}", lines.join("\n")))
}
