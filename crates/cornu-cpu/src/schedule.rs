//! The order of work: element-wise nodes gathered into groups that run as one loop, everything else as it comes.
//!
//! Groups are put off until nothing else can go on, so that they find as many members as possible; among those that
//! could run, the one traced first goes first. That leaves the updates of all variables together at the end.

use std::collections::{BTreeSet, HashSet};

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Check, DType, Graph, Value};

use crate::kernels::memory::stored;

/// The most members of a group: a program numbers its registers and inputs with sixteen bits.
pub(crate) const LARGEST_GROUP: usize = 1024;

/// A piece of work.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Unit {
    /// A node by itself.
    Single(Value),
    /// Element-wise nodes of one size, each after those it uses.
    Group(Vec<Value>),
    /// All checks of the graph: nothing before them changes a variable.
    Checks,
}

impl Unit {
    /// The nodes it computes.
    pub(crate) fn members(&self) -> &[Value] {
        match self {
            Unit::Single(value) => std::slice::from_ref(value),
            Unit::Group(values) => values,
            Unit::Checks => &[],
        }
    }
}

/// How a group reads a value of its own size or smaller; `usize` is the length of a row of the group's space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Access {
    /// Element by element.
    Full,
    /// One number for all.
    Scalar,
    /// A row, repeated: one number for each column.
    Row(usize),
    /// One number for each row.
    Column(usize),
}

/// What a graph looks like to the scheduler.
pub(crate) struct View<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) live: Vec<bool>,
    /// For each node, at the place of its first result, those that use a result of it.
    users: Vec<Vec<Value>>,
    /// For each broadcast that needs no memory, how its operand is read instead.
    virtuals: Vec<Option<Access>>,
    results: HashSet<Value>,
    /// For each value, whether a check needs it: those go first.
    guarded: Option<Vec<bool>>,
}

impl<'g> View<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Self {
        let live = graph.live();
        let mut users = vec![Vec::new(); graph.values()];
        for (value, node) in graph.nodes().filter(|(value, _)| live[value.index()]) {
            for arg in node.args.iter().map(|arg| arg.first()) {
                if users[arg.index()].last() != Some(&value) {
                    users[arg.index()].push(value);
                }
            }
        }
        let mut view = View {
            graph,
            live,
            users,
            virtuals: Vec::new(),
            results: graph.results().collect(),
            guarded: guarded(graph),
        };
        view.virtuals = vec![None; graph.values()];
        for (value, _) in graph.nodes() {
            view.virtuals[value.index()] = view.virtual_access(value);
        }
        view
    }

    /// Whether the node only gives another name to its operand's memory.
    pub(crate) fn is_alias(&self, value: Value) -> bool {
        let node = self.graph.node(value);
        match &node.op {
            Op::Reshape(_) => true,
            Op::Cast(to) => stored(self.graph.ty(node.args[0]).dtype) == stored(to.0) && to.0 != DType::Bool,
            _ => false,
        }
    }

    /// The value whose memory this one has.
    pub(crate) fn root(&self, value: Value) -> Value {
        if self.is_alias(value) { self.root(self.graph.node(value).args[0]) } else { value }
    }

    /// Whether the node's numbers are there before any work is done.
    pub(crate) fn is_given(&self, value: Value) -> bool {
        matches!(self.graph.op(value), Op::Leaf(_) | Op::Iota(_))
    }

    /// Whether the node can be a member of a group.
    pub(crate) fn is_elementwise(&self, value: Value) -> bool {
        let node = self.graph.node(value);
        let singles = stored(self.graph.ty(value).dtype) == DType::F32
            && node.args.iter().all(|&arg| stored(self.graph.ty(arg).dtype) == DType::F32);
        singles
            && match node.op {
                Op::Unary(_) | Op::Binary(_) | Op::Compare(_) | Op::Select(_) => true,
                Op::Cast(_) => !self.is_alias(value),
                _ => false,
            }
    }

    /// Whether the broadcast needs no memory, since only groups read it.
    pub(crate) fn is_virtual(&self, value: Value) -> bool {
        self.virtuals[value.index()].is_some()
    }

    fn virtual_access(&self, value: Value) -> Option<Access> {
        let access = self.broadcast_access(value)?;
        let singles = stored(self.graph.ty(value).dtype) == DType::F32 && !self.results.contains(&value);
        let fits = |&user: &Value| self.is_elementwise(user) && self.has_one_row_length(user);
        (singles && self.users[value.index()].iter().all(fits)).then_some(access)
    }

    /// Whether all broadcasts that a node reads could be read in one space of rows and columns.
    fn has_one_row_length(&self, value: Value) -> bool {
        let accesses = self.graph.node(value).args.iter().filter_map(|&arg| self.broadcast_access(arg));
        let mut lengths = accesses.filter_map(Self::columns);
        let first = lengths.next();
        lengths.all(|length| Some(length) == first)
    }

    /// How a group would read the operand of a broadcast.
    fn broadcast_access(&self, value: Value) -> Option<Access> {
        let Op::Broadcast(broadcast) = self.graph.op(value) else { return None };
        let size = self.graph.ty(self.graph.node(value).args[0]).size();
        let (rank, count) = (broadcast.shape.rank(), broadcast.axes.len());
        match () {
            () if broadcast.shape.size() == 0 => None,
            () if size == 1 => Some(Access::Scalar),
            () if broadcast.axes.iter().copied().eq(rank - count..rank) => Some(Access::Row(size)),
            () if broadcast.axes.iter().copied().eq(0..count) => Some(Access::Column(broadcast.shape.size() / size)),
            () => None,
        }
    }

    /// What a member of a group reads for an operand, and how.
    pub(crate) fn read(&self, arg: Value) -> (Value, Access) {
        match self.virtuals[arg.index()] {
            Some(access) => (self.root(self.graph.node(arg).args[0]), access),
            None => (self.root(arg), Access::Full),
        }
    }

    /// The length of a row that an access asks for.
    fn columns(access: Access) -> Option<usize> {
        match access {
            Access::Row(columns) | Access::Column(columns) => Some(columns),
            Access::Full | Access::Scalar => None,
        }
    }

    /// The length of a row that the operands of a node ask for, or `Err` if they disagree.
    fn columns_of(&self, value: Value, so_far: Option<usize>) -> Result<Option<usize>, ()> {
        let asked = self.graph.node(value).args.iter().filter_map(|&arg| Self::columns(self.read(arg).1));
        asked.into_iter().try_fold(so_far, |known, columns| match known {
            Some(known) if known != columns => Err(()),
            _ => Ok(Some(columns)),
        })
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

/// All work of a graph, in an order in which everything is there when it is needed.
pub(crate) fn schedule(view: &View) -> Vec<Unit> {
    let mut queue = Queue::new(view);
    let mut units = Vec::new();
    loop {
        while let Some(value) = queue.plain.pop_first() {
            if !view.is_given(value) {
                units.push(Unit::Single(value));
            }
            queue.complete(value);
        }
        if let Some(&seed) = queue.elementwise.first() {
            units.push(Unit::Group(group(view, &mut queue, seed)));
        } else if let Some(parked) = queue.parked.take() {
            units.push(Unit::Checks);
            parked.into_iter().for_each(|value| queue.enter(value));
        } else {
            break;
        }
    }
    debug_assert!(queue.waiting.iter().zip(&view.live).all(|(&n, &live)| !live || n == 0), "work was left over");
    units
}

/// Nodes whose operands are all there.
struct Queue<'v, 'g> {
    view: &'v View<'g>,
    plain: BTreeSet<Value>,
    /// Those that need no work; they wait no longer than the call of `complete` that lets them in.
    free: BTreeSet<Value>,
    elementwise: BTreeSet<Value>,
    /// For each node, at the place of its first result, how many nodes are still missing that it uses.
    waiting: Vec<usize>,
    /// Nodes that no check needs, as long as there are checks to come.
    parked: Option<Vec<Value>>,
}

impl<'v, 'g> Queue<'v, 'g> {
    fn new(view: &'v View<'g>) -> Self {
        let mut waiting = vec![0; view.graph.values()];
        for (first, node) in view.graph.nodes() {
            let distinct: HashSet<Value> = node.args.iter().map(|arg| arg.first()).collect();
            waiting[first.index()] = distinct.len();
        }
        let (plain, free, elementwise) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let parked = view.guarded.is_some().then(Vec::new);
        let mut queue = Queue { view, plain, free, elementwise, waiting, parked };
        let ready = view.graph.nodes().filter(|(value, node)| node.args.is_empty() && view.live[value.index()]);
        ready.for_each(|(value, _)| queue.enter(value));
        queue
    }

    fn enter(&mut self, value: Value) {
        if let (Some(parked), Some(guarded)) = (&mut self.parked, &self.view.guarded)
            && !guarded[value.index()]
        {
            return parked.push(value);
        }
        let set = match () {
            () if self.view.is_elementwise(value) => &mut self.elementwise,
            () if self.view.is_alias(value) || self.view.is_virtual(value) => &mut self.free,
            () => &mut self.plain,
        };
        set.insert(value);
    }

    /// Takes a node out and lets in those that waited for it.
    fn complete(&mut self, value: Value) {
        self.elementwise.remove(&value);
        for &user in &self.view.users[value.index()] {
            self.waiting[user.index()] -= 1;
            if self.waiting[user.index()] == 0 {
                self.enter(user);
            }
        }
        // What needs no work must not keep a group's next member waiting.
        while let Some(value) = self.free.pop_first() {
            self.complete(value);
        }
    }
}

/// The group that grows from `seed`: nodes of its size that read what a member makes or reads. Single numbers need no
/// such kinship.
fn group(view: &View, queue: &mut Queue, seed: Value) -> Vec<Value> {
    let size = view.graph.ty(seed).size();
    let mut members = Vec::new();
    let mut kin: HashSet<Value> = HashSet::new();
    let mut columns = None;
    let mut next = Some(seed);
    while let Some(value) = next {
        columns = view.columns_of(value, columns).unwrap_or(columns);
        let full = view.graph.node(value).args.iter().map(|&arg| view.read(arg));
        kin.extend(full.filter(|(_, access)| *access == Access::Full).map(|(root, _)| root));
        kin.insert(value);
        members.push(value);
        queue.complete(value);
        if members.len() == LARGEST_GROUP {
            break;
        }
        next = queue.elementwise.iter().copied().find(|&value| {
            let related = || view.graph.node(value).args.iter().any(|&arg| kin.contains(&view.read(arg).0));
            view.graph.ty(value).size() == size && (size == 1 || related()) && view.columns_of(value, columns).is_ok()
        });
    }
    members
}

/// The constant a value is a copy of, if that is a single number.
pub(crate) fn splat(graph: &Graph, value: Value) -> Option<f64> {
    match graph.op(value) {
        Op::Leaf(Leaf::Constant(constant)) if constant.array().len() == 1 => Some(constant.array().get(0)),
        _ => None,
    }
}
