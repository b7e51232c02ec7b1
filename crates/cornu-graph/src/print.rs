//! The text form of graphs: `%2 = dot %0 %1 : f32[4,8]`.

use std::fmt::{self, Write};

use crate::Origin;
use crate::graph::{Graph, Node, Value};

/// What stands between commas.
pub(crate) fn listed<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::new();
    for (i, item) in items.into_iter().enumerate() {
        write!(text, "{}{item}", if i > 0 { ", " } else { "" }).expect("writing to a string");
    }
    text
}

/// One node on one line; of a constant the first four elements, where there is no room for all.
pub(crate) fn line(graph: &Graph, node: &Node, whole: bool) -> String {
    let mut text = listed(node.results());
    let op = if whole { write!(text, " = {}", node.op) } else { write!(text, " = {:.4}", node.op) };
    op.expect("writing to a string");
    node.args.iter().for_each(|arg| write!(text, " {arg}").expect("writing to a string"));
    write!(text, " : {}", listed(graph.results_of(node))).expect("writing to a string");
    text
}

/// [`line`], and behind it where the node was traced.
pub(crate) fn line_with_origin(graph: &Graph, first: Value, whole: bool) -> String {
    line(graph, graph.node(first), whole) + &behind(graph.origin(first))
}

/// An origin as a comment.
fn behind(origin: &Origin) -> String {
    if origin.is_unknown() { String::new() } else { format!(" ; {origin}") }
}

/// The alternate form (`{:#}`) says where each node was traced.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_graph(f, self, 0)
    }
}

/// A graph whose lines begin with `indent` spaces; those of bodies begin two further on.
fn write_graph(f: &mut fmt::Formatter<'_>, graph: &Graph, indent: usize) -> fmt::Result {
    for (first, node) in graph.nodes() {
        write!(f, "{:indent$}{}", "", line(graph, node, true))?;
        let (bodies, origin) = (node.op.bodies(), graph.origin(first));
        f.write_str(if bodies.is_empty() { "" } else { " {" })?;
        let origin = if f.alternate() { behind(origin) } else { String::new() };
        writeln!(f, "{origin}")?;
        for (i, body) in bodies.iter().enumerate() {
            write_graph(f, body.graph(), indent + 2)?;
            writeln!(f, "{:indent$}{}", "", if i + 1 < bodies.len() { "} {" } else { "}" })?;
        }
    }
    for check in &graph.checks {
        let origin = if f.alternate() { behind(&check.origin) } else { String::new() };
        writeln!(f, "{:indent$}{check}{origin}", "")?;
    }
    graph.updates.iter().try_for_each(|(var, value)| writeln!(f, "{:indent$}update {var} = {value}", ""))?;
    graph.outputs.iter().try_for_each(|value| writeln!(f, "{:indent$}output {value}", ""))
}
