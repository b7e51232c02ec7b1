//! A graph as the planner sees it: who uses what, what is element-wise, and what needs no memory because it is found in
//! the memory of something else. All of it is found once, in a few walks over the nodes.

use std::collections::HashSet;

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Check, DType, Graph, Type, Value};

use crate::walk::Walk;

/// Tables over the values of a graph, looked up by [`Value::index`].
pub(crate) struct View<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) live: Vec<bool>,
    users: Users,
    elementwise: Vec<bool>,
    /// Of values that only groups read, who find them in the memory of another.
    walks: Vec<Option<Walk>>,
    /// The value whose memory each one has, or is found in.
    roots: Vec<Value>,
    /// Sums by tokens that programs make where they read them: in their place lies the order of the tokens.
    pub(crate) by_tokens: HashSet<Value>,
    /// Gathers of several models, which lie only where they are put side by side: each is known by its table.
    beside: HashSet<Value>,
    /// Whether a check needs it: those go first.
    pub(crate) guarded: Option<Vec<bool>>,
}

/// For each node, at the place of its first result, those that use a result of it.
struct Users {
    starts: Vec<usize>,
    all: Vec<Value>,
}

impl Users {
    fn new(graph: &Graph, live: &[bool]) -> Self {
        let mut starts = vec![0; graph.values() + 1];
        each_use(graph, live, |arg, _| starts[arg.index() + 1] += 1);
        (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        let mut ends = starts.clone();
        let mut all: Vec<Value> = graph.nodes().take(1).map(|(first, _)| first).collect();
        all = all.first().map_or_else(Vec::new, |&first| vec![first; starts[starts.len() - 1]]);
        each_use(graph, live, |arg, user| {
            all[ends[arg.index()]] = user;
            ends[arg.index()] += 1;
        });
        Users { starts, all }
    }
}

/// Each node that is used, with its user, once; users in order.
fn each_use(graph: &Graph, live: &[bool], mut see: impl FnMut(Value, Value)) {
    let mut last: Vec<Option<Value>> = vec![None; graph.values()];
    for (user, node) in graph.nodes().filter(|(value, _)| live[value.index()]) {
        for arg in node.args.iter().map(|arg| arg.first()) {
            if last[arg.index()].replace(user) != Some(user) {
                see(arg, user);
            }
        }
    }
}

impl<'g> View<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        let live = graph.live();
        let mut view = View {
            users: Users::new(graph, &live),
            elementwise: vec![false; graph.values()],
            walks: vec![None; graph.values()],
            roots: Vec::with_capacity(graph.values()),
            by_tokens: HashSet::new(),
            beside: HashSet::new(),
            guarded: guarded(graph),
            graph,
            live,
        };
        graph.nodes().for_each(|(value, _)| view.elementwise[value.index()] = view.can_join(value));
        view.find_walks();
        view
    }

    /// The nodes that use a result of a node, given by its first.
    pub(crate) fn users(&self, node: Value) -> &[Value] {
        &self.users.all[self.users.starts[node.index()]..self.users.starts[node.index() + 1]]
    }

    /// Whether the node only gives another name to its operand's memory.
    fn is_alias(&self, value: Value) -> bool {
        let node = self.graph.node(value);
        match &node.op {
            Op::Reshape(_) => true,
            Op::Cast(to) => self.graph.ty(node.args[0]).dtype == to.0,
            _ => false,
        }
    }

    /// Whether the node needs no work, now that its operands are there.
    pub(crate) fn is_free(&self, value: Value) -> bool {
        self.is_alias(value) || self.walks[value.index()].is_some() || self.beside.contains(&value)
    }

    /// The table, and the numbers of its rows for several models, that a transpose puts side by side.
    pub(crate) fn picked(&self, transpose: Value) -> Option<[Value; 2]> {
        let of = *self.graph.node(transpose).args.first().filter(|of| self.beside.contains(of))?;
        let args = &self.graph.node(of).args;
        matches!(self.graph.op(transpose), Op::Transpose(_)).then(|| [self.root(args[0]), self.root(args[1])])
    }

    /// Whether all that becomes of a gather is that the last axis of its tokens goes behind all others.
    fn goes_beside(&self, value: Value) -> bool {
        let (Op::Gather(_), &[user]) = (self.graph.op(value), self.users(value)) else { return false };
        let types = self.graph.types(&self.graph.node(value).args);
        let (rank, inner) = (types[1].rank(), types[0].rank() - 1);
        let order = |rank: usize| (0..rank - 1).chain(rank..rank + inner).chain([rank - 1]);
        (types[0].dtype, types[1].dtype) == (DType::F32, DType::U32)
            && rank > 0
            && matches!(self.graph.op(user), Op::Transpose(to) if to.0.iter().copied().eq(order(rank)))
            && self.walks[user.index()].is_none()
            && self.graph.ty(value).size() > 0
    }

    /// The value whose memory this one has.
    pub(crate) fn root(&self, value: Value) -> Value {
        self.roots[value.index()]
    }

    /// Whether the node's numbers are there before any work is done.
    pub(crate) fn is_given(&self, value: Value) -> bool {
        matches!(self.graph.op(value), Op::Leaf(_) | Op::Iota(_))
    }

    /// Whether each value becomes that of a variable: it may be written over the old one.
    pub(crate) fn new_variables(&self) -> Vec<bool> {
        let mut is_new = vec![false; self.graph.values()];
        self.graph.updates.iter().for_each(|&(_, value)| is_new[self.root(value).index()] = true);
        is_new
    }

    /// Whether the node can be a member of a group.
    pub(crate) fn is_elementwise(&self, value: Value) -> bool {
        self.elementwise[value.index()]
    }

    fn can_join(&self, value: Value) -> bool {
        self.graph.op(value).is_elementwise() && !self.is_alias(value)
    }

    /// What a member of a group reads for an operand, and how if it is not element by element.
    pub(crate) fn read(&self, arg: Value) -> (Value, Option<&Walk>) {
        let root = self.root(arg);
        let walk = self.walks[arg.index()].as_ref();
        (root, walk.filter(|walk| !walk.is_whole() || self.is_counted(root)))
    }

    /// Whether a value is counted where it is read: walks go over the numbers from 0 on.
    pub(crate) fn is_counted(&self, value: Value) -> bool {
        matches!(self.graph.op(value), Op::Iota(_)) && self.walks[value.index()].is_some()
    }

    /// [`View::read`] for each operand.
    pub(crate) fn reads(&self, value: Value) -> impl Iterator<Item = (Value, Option<&Walk>)> {
        self.graph.node(value).args.iter().map(|&arg| self.read(arg))
    }

    fn find_walks(&mut self) {
        // As if none of them needed memory.
        for (value, _) in self.graph.nodes() {
            self.walks[value.index()] = self.walk(value);
        }
        let mut kept = vec![false; self.graph.values()];
        self.graph.results().for_each(|value| kept[value.index()] = true);
        for (value, _) in self.graph.nodes().rev() {
            let Some(walk) = &self.walks[value.index()] else { continue };
            let users = self.users(value);
            let found = |&user: &Value| {
                self.walks[user.index()].is_some() || self.is_elementwise(user) || self.is_zeros(user, value)
            };
            let near = walk.is_near() || users.len() == 1;
            if kept[value.index()] || !near || !users.iter().all(found) {
                self.walks[value.index()] = None;
            }
        }
        for (value, node) in self.graph.nodes() {
            if self.walks[value.index()].is_some() {
                self.walks[value.index()] = self.walk(value);
            }
            if !kept[value.index()] && self.goes_beside(value) {
                self.beside.insert(value);
            }
            let of = node.args.first().filter(|_| self.is_free(value));
            let root = of.map(|of| self.roots[of.index()]);
            self.roots.extend(node.results().map(|result| root.unwrap_or(result)));
        }
    }

    /// Whether a value is zeros that sums are taken into: they need no memory.
    fn is_zeros(&self, user: Value, value: Value) -> bool {
        let (user, node) = (self.graph.node(user), self.graph.node(value));
        let is_zero = || splat(self.graph, node.args[0]).is_some_and(|number| number.to_bits() == 0);
        matches!(user.op, Op::ScatterAdd(_))
            && (user.args[0] == value && user.args[2] != value)
            && matches!(node.op, Op::Broadcast(_))
            && is_zero()
    }

    /// Whether sums are taken into zeros, which have no memory.
    pub(crate) fn begins_with_zeros(&self, scatter: Value) -> bool {
        self.walks[self.graph.node(scatter).args[0].index()].is_some()
    }

    /// What lies in the place of a value.
    pub(crate) fn stored(&self, value: Value) -> Type {
        match self.by_tokens.contains(&value) {
            true => Type::new(DType::U64, [self.graph.ty(self.graph.node(value).args[1]).size()]),
            false => self.graph.ty(value).clone(),
        }
    }

    /// How a value is found in the memory of its operand, or of what that is found in.
    fn walk(&self, value: Value) -> Option<Walk> {
        let node = self.graph.node(value);
        if let Op::Iota(iota) = &node.op {
            return Some(Walk::iota(iota)).filter(|_| iota.ty.size() > 0);
        }
        if self.is_alias(value) {
            return self.walks[node.args[0].index()].clone();
        }
        let moves = matches!(node.op, Op::Broadcast(_) | Op::Transpose(_) | Op::Slice(_) | Op::Reverse(_));
        if !moves || self.graph.ty(value).size() == 0 {
            return None;
        }
        let ty = self.graph.ty(node.args[0]);
        match &self.walks[node.args[0].index()] {
            Some(walk) => walk.through(&node.op, &ty.shape),
            None => Walk::whole(ty.size()).through(&node.op, &ty.shape),
        }
    }
}

/// The values that checks need, and nodes that have checks in bodies; nothing if there are none.
fn guarded(graph: &Graph) -> Option<Vec<bool>> {
    let mut guarded = vec![false; graph.values()];
    let checks = graph.nodes().filter(|(_, node)| node.op.has_checks()).map(|(value, _)| value);
    let ends: Vec<Value> = graph.checks.iter().flat_map(Check::values).chain(checks).collect();
    ends.iter().for_each(|value| guarded[value.first().index()] = true);
    for (value, node) in graph.nodes().rev() {
        if guarded[value.index()] {
            node.args.iter().for_each(|arg| guarded[arg.first().index()] = true);
        }
    }
    (!ends.is_empty()).then_some(guarded)
}

/// The constant a value is a copy of, if that is a single number.
pub(crate) fn splat(graph: &Graph, value: Value) -> Option<f64> {
    match graph.op(value) {
        Op::Leaf(Leaf::Constant(constant)) if constant.array().len() == 1 => Some(constant.array().get(0)),
        _ => None,
    }
}
