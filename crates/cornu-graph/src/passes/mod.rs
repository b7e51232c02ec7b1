//! Passes: each takes a graph and gives one that computes the same, with less to do. A pass is a list of rules.

mod columns;
mod fold;
mod hoist;
mod join;
mod parts;
mod rows;
mod simplify;
mod slices;
mod trim;
mod widen;

pub use columns::columns;
pub use fold::FOLD;
pub use hoist::hoist;
pub use join::join;
pub use parts::parts;
pub use simplify::SIMPLIFY;
pub use slices::slices;
pub use trim::trim;
pub use widen::widen;

use crate::builder::Builder;
use crate::graph::{Graph, Value};
use crate::ops::Op;
use crate::rewrite::rewrite;

/// A pass.
pub type Pass = fn(&Graph) -> Graph;

/// A rule of a pass.
pub struct Rule {
    /// The name, by which its test is found.
    pub name: &'static str,
    /// What becomes of an op on those operands, if the rule applies to it.
    pub apply: fn(&mut Builder, &Op, &[Value]) -> Option<Instead>,
}

/// What takes the place of a node.
pub enum Instead {
    /// A value that is there already.
    Value(Value),
    /// Another node, to which rules may apply in turn.
    Node(Op, Box<[Value]>),
}

impl Instead {
    /// Another node.
    fn node(op: impl Into<Op>, args: &[Value]) -> Option<Instead> {
        Some(Instead::Node(op.into(), args.into()))
    }
}

impl From<Value> for Instead {
    fn from(value: Value) -> Self {
        Instead::Value(value)
    }
}

/// The passes of an executor, in order.
pub const ALL: &[Pass] = &[join, trim, algebra, hoist, parts, columns];

/// The passes that are lists of rules, with their names.
pub const RULES: [(&str, &[Rule]); 2] = [("simplify", SIMPLIFY), ("fold", FOLD)];

/// Removes what changes nothing and joins what can be joined.
pub fn simplify(graph: &Graph) -> Graph {
    rebuild(graph, simplify::first)
}

/// Replaces ops on constants by their results, and an `If` on a constant by the branch it takes. One number that fills a
/// shape stays one number, broadcast. Loops stay: how much work one is, is not known before.
pub fn fold(graph: &Graph) -> Graph {
    let graph = apply(graph, FOLD);
    if fold::is_branch_known(&graph) { fold(&fold::take_branches(&graph)) } else { graph }
}

/// [`simplify`] and [`fold`] in one walk: at each node whatever applies, until nothing does.
pub fn algebra(graph: &Graph) -> Graph {
    let known = |b: &mut Builder, op: &Op, args: &[Value]| FOLD.iter().find_map(|rule| (rule.apply)(b, op, args));
    let graph = rebuild(graph, |b, op, args| simplify::first(b, op, args).or_else(|| known(b, op, args)));
    if fold::is_branch_known(&graph) { algebra(&fold::take_branches(&graph)) } else { graph }
}

/// Rebuilds a graph by rules: at each node the first that applies, until none does.
pub fn apply(graph: &Graph, rules: &[Rule]) -> Graph {
    rebuild(graph, |b, op, args| rules.iter().find_map(|rule| (rule.apply)(b, op, args)))
}

fn rebuild(graph: &Graph, first: impl Fn(&mut Builder, &Op, &[Value]) -> Option<Instead> + Copy) -> Graph {
    rewrite(graph, |b, op, args| {
        if !op.bodies().is_empty() {
            return Some(b.add(inside(op, |graph| rebuild(graph, first)), args));
        }
        let mut instead = first(b, op, args)?;
        loop {
            match instead {
                Instead::Value(value) => return Some(value),
                Instead::Node(op, args) => match first(b, &op, &args) {
                    Some(next) => instead = next,
                    None => return Some(b.add(op, &args)),
                },
            }
        }
    })
}

/// Whether an op has a body. The passes over bodies have nothing to do else.
fn has_bodies(graph: &Graph) -> bool {
    graph.nodes().any(|(_, node)| !node.op.bodies().is_empty())
}

/// An op with its bodies after a pass.
fn inside(op: &Op, pass: impl Fn(&Graph) -> Graph) -> Op {
    let mut op = op.clone();
    for body in op.bodies_mut() {
        *body = body.map(&pass);
    }
    op
}

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
