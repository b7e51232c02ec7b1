//! Graphs as data: nodes in topological order, equal nodes shared, nothing ever edited.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::ops::{Leaf, Op};
use crate::{Check, Error, Number, Origin, Result, Type};

/// One tensor of a graph: a result of a node. Prints as `%7`; the second result of the same node is `%7.1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    number: u32,
    result: u16,
}

impl Value {
    /// Its place among the values of the graph.
    pub fn index(self) -> usize {
        self.number as usize
    }

    /// Which result of its node it is.
    pub fn result(self) -> usize {
        self.result.into()
    }

    /// The first result of its node, by which the node is known.
    #[must_use]
    pub fn first(self) -> Value {
        Value { number: self.number - u32::from(self.result), result: 0 }
    }
}

impl Hash for Value {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.first().number)?;
        if self.result > 0 { write!(f, ".{}", self.result) } else { Ok(()) }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One variable: state that outlives a step. Prints as `v3`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VarId(u32);

impl VarId {
    /// The variable at that place of a session's table.
    ///
    /// # Panics
    /// If it is not below 2^32.
    pub fn new(index: usize) -> Self {
        VarId(u32::try_from(index).expect("a session has fewer than 2^32 variables"))
    }

    /// Its place in the session's table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

impl FromStr for VarId {
    type Err = Error;

    fn from_str(text: &str) -> Result<VarId> {
        let index = text.strip_prefix('v').and_then(|index| index.parse().ok());
        index.map(VarId).ok_or_else(|| Error::graph(format!("needs a variable as `v0`, got `{text}`")))
    }
}

impl fmt::Debug for VarId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An op, and what it is applied to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To what: values of earlier nodes.
    pub args: Box<[Value]>,
    first: u32,
    count: u16,
}

impl Node {
    /// What comes out: one value at least.
    pub fn results(&self) -> impl ExactSizeIterator<Item = Value> + use<> {
        let first = self.first;
        (0..self.count).map(move |result| Value { number: first + u32::from(result), result })
    }
}

/// What a value is, and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Def {
    ty: Type,
    /// The place of its node.
    node: u32,
}

/// The nodes of a graph, and what their results are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    values: Vec<Def>,
    /// Of each node.
    origins: Vec<Origin>,
}

impl PartialEq for Nodes {
    fn eq(&self, other: &Self) -> bool {
        self.nodes == other.nodes && self.values == other.values
    }
}

impl Eq for Nodes {}

impl Nodes {
    /// Adds a node and gives its first result.
    ///
    /// # Errors
    /// Numbers of values have 32 bits, those of a node's results 16.
    pub(crate) fn push(&mut self, op: Op, args: &[Value], types: Vec<Type>, origin: Origin) -> Result<Value, String> {
        let count = u16::try_from(types.len()).ok().filter(|&count| count > 0);
        let count = count.ok_or_else(|| format!("`{op:.4}` needs 1 to 65535 results, got {}", types.len()))?;
        let first = u32::try_from(self.values.len()).ok().filter(|first| first.checked_add(count.into()).is_some());
        let first = first.ok_or_else(|| format!("`{op:.4}` is value 2^32 of its graph, which can have no more"))?;
        let node = self.nodes.len() as u32;
        self.values.extend(types.into_iter().map(|ty| Def { ty, node }));
        self.nodes.push(Node { op, args: args.into(), first, count });
        self.origins.push(origin);
        Ok(Value { number: first, result: 0 })
    }
}

/// A pure function from (variables, inputs) to (new variables, outputs).
///
/// A read of a variable always sees the value from before the step, whatever the updates say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Shared: a trace that has ended still knows what its tensors are.
    pub(crate) nodes: Arc<Nodes>,
    /// The tensors given at each step, in the order they are given.
    pub inputs: Vec<Value>,
    /// The variables that are read, as they were before the step.
    pub vars: Vec<(VarId, Value)>,
    /// What the variables will be after the step.
    pub updates: Vec<(VarId, Value)>,
    /// The tensors handed back.
    pub outputs: Vec<Value>,
    /// What must be true: else a step changes no variable, and fails with the first check that does not hold.
    pub checks: Vec<Check>,
}

impl Graph {
    /// The nodes by their first results, each after those it uses.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = (Value, &Node)> + ExactSizeIterator {
        self.nodes.nodes.iter().map(|node| (Value { number: node.first, result: 0 }, node))
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.nodes.is_empty()
    }

    /// The number of values, by which tables are as long that [`Value::index`] looks up.
    pub fn values(&self) -> usize {
        self.nodes.values.len()
    }

    /// The value at that position.
    pub(crate) fn value(&self, index: usize) -> Option<Value> {
        let def = self.nodes.values.get(index)?;
        let first = self.nodes.nodes[def.node as usize].first;
        Some(Value { number: index as u32, result: (index as u32 - first) as u16 })
    }

    /// The node that makes a value.
    pub fn node(&self, value: Value) -> &Node {
        &self.nodes.nodes[self.nodes.values[value.index()].node as usize]
    }

    /// Where the node that makes a value was traced.
    pub fn origin(&self, value: Value) -> &Origin {
        &self.nodes.origins[self.nodes.values[value.index()].node as usize]
    }

    /// The op that makes a value.
    pub fn op(&self, value: Value) -> &Op {
        &self.node(value).op
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.nodes.values[value.index()].ty
    }

    /// The types of several values.
    pub fn types(&self, values: &[Value]) -> Vec<&Type> {
        values.iter().map(|&value| self.ty(value)).collect()
    }

    /// The types of what a node makes.
    pub fn results_of(&self, node: &Node) -> Vec<&Type> {
        node.results().map(|value| self.ty(value)).collect()
    }

    /// The number that every element of `value` is known to be.
    pub fn splat(&self, value: Value) -> Option<f64> {
        self.splat_number(value).map(Number::f64)
    }

    /// The number that every element of `value` is known to be, whole numbers exactly.
    pub fn splat_number(&self, value: Value) -> Option<Number> {
        match self.op(value) {
            Op::Leaf(Leaf::Constant(constant)) if constant.array().len() == 1 => Some(constant.array().number(0)),
            Op::Broadcast(_) | Op::Reshape(_) => self.splat_number(self.node(value).args[0]),
            _ => None,
        }
    }

    /// The values that leave the graph: outputs, new variables, and what checks look at.
    pub fn results(&self) -> impl Iterator<Item = Value> {
        let updates = self.updates.iter().map(|&(_, value)| value);
        self.outputs.iter().copied().chain(updates).chain(self.checks.iter().flat_map(Check::values))
    }

    /// For each value, whether it is one of those inputs or depends on one.
    pub(crate) fn forwards(&self, inputs: &[bool]) -> Vec<bool> {
        let mut on = vec![false; self.values()];
        self.inputs.iter().zip(inputs).for_each(|(input, &from)| on[input.index()] = from);
        for (_, node) in self.nodes() {
            let depends = node.args.iter().any(|arg| on[arg.index()]);
            node.results().for_each(|value| on[value.index()] |= depends);
        }
        on
    }

    /// For each value, whether it is one of those or one of them is made of it, without what `ends` are made of.
    pub(crate) fn needed(&self, values: impl IntoIterator<Item = Value>, ends: impl Fn(Value) -> bool) -> Vec<bool> {
        let mut needed = vec![false; self.values()];
        values.into_iter().for_each(|value| needed[value.index()] = true);
        for (_, node) in self.nodes().rev() {
            if node.results().any(|value| needed[value.index()] && !ends(value)) {
                node.args.iter().for_each(|arg| needed[arg.index()] = true);
            }
        }
        needed
    }

    /// What checks look at, and a result of each op that has checks in its bodies.
    pub(crate) fn checked(&self) -> impl Iterator<Item = Value> {
        let ops = self.nodes().filter(|(_, node)| node.op.has_checks()).map(|(first, _)| first);
        self.checks.iter().flat_map(Check::values).chain(ops)
    }

    /// For each value, whether it is one of those outputs or one depends on it, or a check does.
    pub(crate) fn backwards(&self, outputs: &[bool]) -> Vec<bool> {
        let outputs = self.outputs.iter().zip(outputs).filter(|(_, to)| **to).map(|(&output, _)| output);
        self.needed(outputs.chain(self.checked()), |_| false)
    }

    /// For each value, whether what leaves the graph depends on it or on another result of its node, or a body of its node
    /// has checks.
    pub fn live(&self) -> Vec<bool> {
        let mut live = self.needed(self.results().chain(self.checked()), |_| false);
        for (_, node) in self.nodes() {
            let any = node.results().any(|value| live[value.index()]);
            node.results().for_each(|value| live[value.index()] = any);
        }
        live
    }
}
