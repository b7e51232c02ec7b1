//! The text form of graphs: `%2 = dot %0 %1 : f32[4,8]`.

use std::fmt::{self, Write};

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

/// [`line`], and behind it, as a comment, where the node was traced.
pub(crate) fn line_with_origin(graph: &Graph, first: Value, whole: bool) -> String {
    let (text, origin) = (line(graph, graph.node(first), whole), graph.origin(first));
    if origin.is_unknown() { text } else { format!("{text} ; {origin}") }
}

/// The alternate form (`{:#}`) says where each node was traced.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |first, node| if f.alternate() { line_with_origin(self, first, true) } else { line(self, node, true) };
        let lines: Vec<String> = self.nodes().map(|(first, node)| line(first, node)).collect();
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.updates.iter().try_for_each(|(var, value)| writeln!(f, "update {var} = {value}"))?;
        self.outputs.iter().try_for_each(|value| writeln!(f, "output {value}"))
    }
}
