//! The text form of graphs: `%2 = dot %0 %1 : f32[4,8]`.

use std::fmt::{self, Write};

use crate::graph::{Graph, Node, Value};

/// One node on one line; of a constant the first four elements, where there is no room for all.
pub(crate) fn line(value: Value, node: &Node, whole: bool) -> String {
    let mut text = if whole { format!("{value} = {}", node.op) } else { format!("{value} = {:.4}", node.op) };
    node.args.iter().for_each(|arg| write!(text, " {arg}").expect("writing to a string"));
    write!(text, " : {}", node.ty).expect("writing to a string");
    text
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.nodes().try_for_each(|(value, node)| writeln!(f, "{}", line(value, node, true)))?;
        self.updates.iter().try_for_each(|(var, value)| writeln!(f, "update {var} = {value}"))?;
        self.outputs.iter().try_for_each(|value| writeln!(f, "output {value}"))
    }
}
