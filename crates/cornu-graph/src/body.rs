//! Bodies: the graphs inside ops. An op runs its body as often as it says, on its operands and on what a run before left.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::builder::Builder;
use crate::eval::evaluated;
use crate::graph::{Graph, Value};
use crate::ops::Leaf;
use crate::session::missing;
use crate::{Array, Check, Error, Type};

/// A graph of inputs, outputs and checks only; inputs stand first. Clones share it, and equal ones are known as
/// equal at once where they are one, and by their hash where they differ.
#[derive(Clone)]
pub struct Body(Arc<Closed>);

struct Closed {
    graph: Graph,
    /// Whether there are checks, in bodies of it as well.
    checks: bool,
    hash: u64,
}

impl Body {
    /// The graph as a body: inputs first, and nothing that no output needs.
    ///
    /// # Errors
    /// A graph that reads or updates variables.
    pub fn new(graph: &Graph) -> Result<Body, String> {
        match graph.vars.iter().chain(&graph.updates).next() {
            Some((var, _)) => Err(format!("needs a body without variables, got one with {var}")),
            None => Ok(Self::cut(graph, &graph.inputs, &graph.outputs, &graph.checks)),
        }
    }

    /// What lies between some values of a graph and others, as a body that is given the ones and makes the others, and has
    /// those checks.
    pub(crate) fn cut(graph: &Graph, inputs: &[Value], outputs: &[Value], checks: &[Check]) -> Body {
        let mut new = Builder::default();
        let mut renamed = Renamed::default();
        for (index, &value) in inputs.iter().enumerate() {
            new.set_origin(graph.origin(value).clone());
            renamed.insert(value, new.add(Leaf::Input { index, ty: graph.ty(value).clone() }, &[]));
        }
        let (outputs, checks) = new.copy_with(graph, renamed, outputs, checks);
        Self::closed(new.finish(outputs, Vec::new(), checks))
    }

    fn closed(graph: Graph) -> Body {
        let mut hasher = DefaultHasher::new();
        graph.nodes().for_each(|(_, node)| (&node.op, &node.args).hash(&mut hasher));
        graph.outputs.hash(&mut hasher);
        let checks = !graph.checks.is_empty() || graph.nodes().any(|(_, node)| node.op.has_checks());
        Body(Arc::new(Closed { graph, checks, hash: hasher.finish() }))
    }

    /// The body of a text.
    ///
    /// # Panics
    /// If it is none.
    pub(crate) fn parsed(text: &str) -> Body {
        text.parse::<Graph>().map_err(|e| e.to_string()).and_then(|graph| Body::new(&graph)).expect("a sound body")
    }

    /// Its outputs, by the reference evaluator.
    pub(crate) fn run(&self, inputs: impl IntoIterator<Item = Array>) -> Result<Vec<Array>, Error> {
        Ok(evaluated(self.graph(), &|id| Err(missing(id)), &Vec::from_iter(inputs))?.0)
    }

    /// What it computes.
    pub fn graph(&self) -> &Graph {
        &self.0.graph
    }

    /// Whether it has checks, in bodies of it as well.
    pub(crate) fn has_checks(&self) -> bool {
        self.0.checks
    }

    /// The types of what it is given.
    pub fn inputs(&self) -> Vec<&Type> {
        self.graph().types(&self.graph().inputs)
    }

    /// The types of what it gives.
    pub fn outputs(&self) -> Vec<&Type> {
        self.graph().types(&self.graph().outputs)
    }

    /// The body that is made of the same graph by a pass.
    pub(crate) fn map(&self, pass: impl FnOnce(&Graph) -> Graph) -> Body {
        Self::closed(pass(self.graph()))
    }
}

impl PartialEq for Body {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.hash == other.0.hash && self.0.graph == other.0.graph
    }
}

impl Eq for Body {}

impl Hash for Body {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash.hash(state);
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\n{}}}", self.graph())
    }
}

/// What values of one graph are in another.
pub(crate) type Renamed = HashMap<Value, Value>;

impl Builder {
    /// Adds what some values of a graph need beyond those that are here already, and gives what they are here.
    pub(crate) fn copy(&mut self, graph: &Graph, mut renamed: Renamed, values: &[Value]) -> Vec<Value> {
        let needed = graph.needed(values.iter().copied(), |value| renamed.contains_key(&value));
        for (first, node) in graph.nodes() {
            if !node.results().any(|value| needed[value.index()] && !renamed.contains_key(&value)) {
                continue;
            }
            let args: Vec<Value> = node.args.iter().map(|arg| renamed[arg]).collect();
            self.set_origin(graph.origin(first).clone());
            for (old, new) in node.results().zip(self.add_all(node.op.clone(), &args)) {
                renamed.entry(old).or_insert(new);
            }
        }
        values.iter().map(|value| renamed[value]).collect()
    }

    /// [`Builder::copy`], with what some checks look at, and those checks.
    fn copy_with(
        &mut self,
        graph: &Graph,
        renamed: Renamed,
        outputs: &[Value],
        checks: &[Check],
    ) -> (Vec<Value>, Vec<Check>) {
        let looked: Vec<Value> = checks.iter().flat_map(Check::values).collect();
        let mut values = self.copy(graph, renamed, &[outputs, &looked].concat());
        let mut looked = values.split_off(outputs.len()).into_iter();
        let checks = checks.iter().map(|check| check.renamed(|_| looked.next().expect("as many as it looks at")));
        (values, checks.collect())
    }

    /// [`Builder::copy`], with the checks of the graph.
    pub(crate) fn copy_ends(&mut self, graph: &Graph, renamed: Renamed, outputs: &[Value]) -> (Vec<Value>, Vec<Check>) {
        self.copy_with(graph, renamed, outputs, &graph.checks)
    }

    /// Adds what a body computes of those values, and gives its outputs and checks.
    pub(crate) fn inline(&mut self, body: &Body, args: &[Value]) -> (Vec<Value>, Vec<Check>) {
        let graph = body.graph();
        let renamed = graph.inputs.iter().copied().zip(args.iter().copied()).collect();
        self.copy_ends(graph, renamed, &graph.outputs)
    }

    /// Adds what a body computes of those values, whose checks are then those of the graph, and gives its outputs.
    pub(crate) fn inline_with_checks(&mut self, body: &Body, args: &[Value]) -> Vec<Value> {
        let (outputs, checks) = self.inline(body, args);
        self.checks.extend(checks);
        outputs
    }
}
