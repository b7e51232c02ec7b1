//! Passes: each takes a graph and gives one that computes the same, with less to do.

mod fold;
mod simplify;

pub use fold::fold;
pub use simplify::simplify;

use crate::Graph;

/// A pass.
pub type Pass = fn(&Graph) -> Graph;

/// Runs passes in order; debug builds verify after each.
pub fn run(graph: &Graph, passes: &[Pass]) -> Graph {
    passes.iter().enumerate().fold(graph.clone(), |graph, (number, pass)| {
        let graph = pass(&graph);
        if cfg!(debug_assertions) {
            crate::verify(&graph).unwrap_or_else(|error| panic!("pass {number} broke a rule: {error}"));
        }
        graph
    })
}
