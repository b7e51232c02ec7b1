//! Graphs as data: nodes in topological order, equal nodes shared, nothing ever edited.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::ops::{Constant, Leaf, Op};
use crate::{Array, Error, Number, Result, Type};

/// One tensor of a graph. Prints as `%7`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Value(u32);

impl Value {
    /// The position of its node.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
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

/// An op, what it is applied to, and the type of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What is done.
    pub op: Op,
    /// To what: values of earlier nodes.
    pub args: Box<[Value]>,
    /// What comes out.
    pub ty: Type,
}

/// A pure function from (variables, inputs) to (new variables, outputs).
///
/// A read of a variable always sees the value from before the step, whatever the updates say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Shared: a trace that has ended still knows what its tensors are.
    pub(crate) nodes: Arc<Vec<Node>>,
    /// The tensors given at each step, in the order they are given.
    pub inputs: Vec<Value>,
    /// The variables that are read, as they were before the step.
    pub vars: Vec<(VarId, Value)>,
    /// What the variables will be after the step.
    pub updates: Vec<(VarId, Value)>,
    /// The tensors handed back.
    pub outputs: Vec<Value>,
}

impl Graph {
    /// The nodes, each after those it uses.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = (Value, &Node)> {
        self.nodes.iter().enumerate().map(|(i, node)| (Value(i as u32), node))
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The value at that position.
    pub(crate) fn value(&self, index: usize) -> Option<Value> {
        (index < self.len()).then_some(Value(index as u32))
    }

    /// The node of a value.
    pub fn node(&self, value: Value) -> &Node {
        &self.nodes[value.index()]
    }

    /// The op of a value.
    pub fn op(&self, value: Value) -> &Op {
        &self.node(value).op
    }

    /// The type of a value.
    pub fn ty(&self, value: Value) -> &Type {
        &self.node(value).ty
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

    /// The values that leave the graph: outputs, then new variables.
    pub fn results(&self) -> impl Iterator<Item = Value> {
        self.outputs.iter().copied().chain(self.updates.iter().map(|&(_, value)| value))
    }

    /// For each node, whether a result depends on it.
    pub fn live(&self) -> Vec<bool> {
        let mut live = vec![false; self.len()];
        self.results().for_each(|value| live[value.index()] = true);
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if live[i] {
                node.args.iter().for_each(|arg| live[arg.index()] = true);
            }
        }
        live
    }
}

/// A graph that is still growing. Adding a node that is there already gives the one that is there.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
    /// Each node at the hash of its op and arguments, or at the next free number after it.
    known: HashMap<u64, Value, BuildHasherDefault<Mixer>>,
}

impl Builder {
    /// Adds `op` applied to `args`.
    ///
    /// # Errors
    /// Says what the operands should have been.
    pub fn push(&mut self, op: Op, args: &[Value]) -> Result<Value, String> {
        let mut key = BuildHasherDefault::<Mixer>::default().hash_one((&op, args));
        while let Some(&value) = self.known.get(&key) {
            let node = self.graph.node(value);
            if node.op == op && *node.args == *args {
                return Ok(value);
            }
            key = key.wrapping_add(1);
        }
        let types: Vec<&Type> = args.iter().map(|&arg| self.graph.ty(arg)).collect();
        let ty = op.infer(&types).map_err(|problem| format!("`{op:.4}` {problem}"))?;
        if ty.bytes().is_none() {
            return Err(format!("`{op:.4}` needs a result that memory has addresses for, got {ty}"));
        }
        let number = u32::try_from(self.graph.nodes.len());
        let value = Value(number.map_err(|_| format!("`{op:.4}` is node 2^32 of its graph, which can have no more"))?);
        match &op {
            Op::Leaf(Leaf::Input { .. }) => self.graph.inputs.push(value),
            Op::Leaf(Leaf::Var { id, .. }) => self.graph.vars.push((*id, value)),
            _ => {}
        }
        Arc::make_mut(&mut self.graph.nodes).push(Node { op, args: args.into(), ty });
        self.known.insert(key, value);
        Ok(value)
    }

    /// Adds `op` where its operands are known to fit, as in a rewrite rule.
    ///
    /// # Panics
    /// If they do not fit.
    pub fn add(&mut self, op: impl Into<Op>, args: &[Value]) -> Value {
        self.push(op.into(), args).unwrap_or_else(|problem| panic!("a rewrite broke a type rule: {problem}"))
    }

    /// Adds a constant.
    pub fn constant(&mut self, array: Array) -> Value {
        self.add(Leaf::Constant(Constant::new(array)), &[])
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn finish(self, outputs: Vec<Value>, updates: Vec<(VarId, Value)>) -> Graph {
        Graph { outputs, updates, ..self.graph }
    }
}

/// A hash of nodes: quick, and good enough where nobody chooses keys to make trouble. (The multiplier is 2^64 divided by
/// the golden ratio, as in Knuth's multiplicative hashing.)
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }
}
