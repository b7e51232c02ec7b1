//! Graphs while they grow: equal nodes are found, types are inferred.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::Arc;

use crate::graph::{Graph, Value, VarId};
use crate::ops::{Constant, Leaf, Op};
use crate::{Array, Check, Origin};

/// A graph that is still growing. Adding a node that is there already gives the one that is there.
#[derive(Default)]
pub struct Builder {
    graph: Graph,
    /// Each node at the hash of its op and arguments, or at the next free number after it.
    known: HashMap<u64, Value, BuildHasherDefault<Mixer>>,
    /// Of the nodes to come.
    origin: Origin,
    /// What bodies asked for that have been put in the place of nodes.
    pub(crate) checks: Vec<Check>,
}

impl Builder {
    /// Adds `op` applied to `args`, and gives its first result.
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
        let types = op.infer(&self.graph.types(args)).map_err(|problem| format!("`{op:.4}` {problem}"))?;
        if let Some(ty) = types.iter().find(|ty| ty.bytes().is_none()) {
            return Err(format!("`{op:.4}` needs a result that memory has addresses for, got {ty}"));
        }
        let end = match &op {
            Op::Leaf(Leaf::Input { .. }) => Some(None),
            Op::Leaf(Leaf::Var { id, .. }) => Some(Some(*id)),
            _ => None,
        };
        let value = Arc::make_mut(&mut self.graph.nodes).push(op, args, types, self.origin.clone())?;
        match end {
            Some(None) => self.graph.inputs.push(value),
            Some(Some(id)) => self.graph.vars.push((id, value)),
            None => {}
        }
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

    /// [`Builder::add`], with all results.
    pub(crate) fn add_all(&mut self, op: impl Into<Op>, args: &[Value]) -> Vec<Value> {
        let first = self.add(op, args);
        self.graph.node(first).results().collect()
    }

    /// Adds a constant.
    pub fn constant(&mut self, array: Array) -> Value {
        self.add(Leaf::Constant(Constant::new(array)), &[])
    }

    /// Says where the nodes come from that are added from here on.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// The graph so far.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    pub(crate) fn finish(self, outputs: Vec<Value>, updates: Vec<(VarId, Value)>, checks: Vec<Check>) -> Graph {
        Graph { outputs, updates, checks, ..self.graph }
    }

    /// The graph, from which leaves what leaves an older one, under the names that values have here.
    pub(crate) fn finish_as(mut self, old: &Graph, name: impl Fn(Value) -> Value) -> Graph {
        let outputs = old.outputs.iter().map(|&value| name(value)).collect();
        let updates = old.updates.iter().map(|&(var, value)| (var, name(value))).collect();
        let mut checks = std::mem::take(&mut self.checks);
        checks.extend(old.checks.iter().map(|check| check.renamed(&name)));
        self.finish(outputs, updates, checks)
    }
}

/// A hash of nodes: quick, and good enough where nobody chooses keys to make trouble. (The multiplier is 2^64 divided by
/// the golden ratio, as in Knuth's multiplicative hashing.)
#[derive(Default)]
pub(crate) struct Mixer(u64);

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
