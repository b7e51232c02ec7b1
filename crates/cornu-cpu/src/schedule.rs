//! The order of work: element-wise nodes gathered into groups that run as one loop, everything else as it comes.
//!
//! Groups are put off until nothing else can go on, so that they find as many members as possible; among those that
//! could run, rows that others repeat go first, and then what was traced first. That leaves the updates of all variables
//! together at the end.
//! Then groups take in what goes on from them alone, and what they alone read, so that less is stored in between.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::ops::Bound;

use cornu_graph::ops::{Binary, Op, Unary};
use cornu_graph::{Value, VarId};

use crate::count;
use crate::view::{View, splat};
use crate::walk::Walk;

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
        if let Some(&(_, seed)) = queue.elementwise.first() {
            units.push(Unit::Group(group(view, &mut queue, seed)));
        } else if let Some(parked) = queue.parked.take() {
            units.push(Unit::Checks);
            queue.enter(parked);
        } else {
            break;
        }
    }
    debug_assert!(queue.waiting.iter().zip(&view.live).all(|(&n, &live)| !live || n == 0), "work was left over");
    put_off(view, brought_forward(view, units))
}

/// Puts off members of groups until the groups that read them, where what they read is there anyway or takes no more memory
/// than they do: so nothing is stored in between. What is quick to compute has several groups compute it.
fn put_off(view: &View, mut units: Vec<Unit>) -> Vec<Unit> {
    let mut makers = Makers::new(view, &units);
    let waits = waiting(view, &units, &makers);
    let new = renewed(view);
    let mut sizes: Vec<usize> = units.iter().map(|unit| unit.members().len()).collect();
    for (number, unit) in units.iter().enumerate().rev() {
        let Unit::Group(members) = unit else { continue };
        for &value in members.iter().rev().filter(|value| waits[value.index()]) {
            let Some(readers) = makers.readers(view, value) else { continue };
            // A variable that is read later could not be written over.
            let mut olds = view.reads(value).filter_map(|(root, _)| makers.first[new.get(&root)?.index()]);
            let can_move = match readers[..] {
                [] => false,
                [reader] => reader > number,
                _ => is_quick(view, value),
            };
            let fits = |&reader: &usize| matches!(units[reader], Unit::Group(_)) && sizes[reader] < LARGEST_GROUP;
            if can_move && readers.iter().all(fits) && olds.all(|written| readers.iter().all(|&r| written >= r)) {
                readers.iter().for_each(|&reader| sizes[reader] += 1);
                makers.put(value, readers);
            }
        }
    }
    let mut late: Vec<Vec<Value>> = vec![Vec::new(); units.len()];
    for (number, unit) in units.iter_mut().enumerate() {
        let Unit::Group(members) = unit else { continue };
        members.retain(|&value| {
            let all = makers.of(value);
            all.iter().filter(|&&home| home != number).for_each(|&home| late[home].push(value));
            all.contains(&number)
        });
    }
    for (unit, late) in units.iter_mut().zip(late) {
        if let Unit::Group(members) = unit {
            members.splice(0..0, late);
        }
    }
    units.retain(|unit| !matches!(unit, Unit::Group(members) if members.is_empty()));
    units
}

/// Whether to compute it again takes no longer than to read it.
fn is_quick(view: &View, value: Value) -> bool {
    matches!(view.graph.op(value), Op::Binary(Binary::Add | Binary::Sub | Binary::Mul) | Op::Unary(Unary::Neg))
}

/// The units that make each value.
struct Makers {
    first: Vec<Option<usize>>,
    /// Those of values that have several.
    all: HashMap<Value, Vec<usize>>,
}

impl Makers {
    fn new(view: &View, units: &[Unit]) -> Makers {
        let mut first = vec![None; view.graph.values()];
        for (number, &value) in
            units.iter().enumerate().flat_map(|(i, unit)| unit.members().iter().map(move |v| (i, v)))
        {
            view.graph.node(value).results().for_each(|result| first[result.index()] = Some(number));
        }
        Makers { first, all: HashMap::new() }
    }

    fn of(&self, value: Value) -> &[usize] {
        self.all.get(&value).map_or(self.first[value.index()].as_slice(), Vec::as_slice)
    }

    fn put(&mut self, value: Value, units: Vec<usize>) {
        self.first[value.index()] = units.first().copied();
        if units.len() > 1 {
            self.all.insert(value, units);
        }
    }

    /// The units that read a value, unless it is found in the memory of something else.
    fn readers(&self, view: &View, value: Value) -> Option<Vec<usize>> {
        let mut readers = Vec::new();
        for &user in view.users(value) {
            let homes = self.of(user);
            homes.first()?;
            readers.extend(homes);
        }
        readers.sort_unstable();
        readers.dedup();
        Some(readers)
    }
}

/// The new values of variables, by the old ones.
fn renewed(view: &View) -> HashMap<Value, Value> {
    let old: HashMap<VarId, Value> = view.graph.vars.iter().copied().collect();
    let pairs = view.graph.updates.iter().filter_map(|(var, new)| Some((*old.get(var)?, view.root(*new))));
    pairs.collect()
}

/// The members of groups that can be put off: comparisons with a number, and what is made of given values and of at most
/// one other that lies in memory.
fn waiting(view: &View, units: &[Unit], makers: &Makers) -> Vec<bool> {
    let mut waits = vec![false; view.graph.values()];
    // How many values in memory it is made of.
    let mut stored = vec![0u32; view.graph.values()];
    for (number, &value) in units.iter().enumerate().flat_map(|(i, unit)| unit.members().iter().map(move |v| (i, v))) {
        let size = view.graph.ty(value).size();
        let mut can_wait = view.is_elementwise(value) && size > 1;
        for (root, _) in view.reads(value).filter(|&(root, _)| view.graph.ty(root).size() >= size) {
            count::step();
            let is_own = makers.first[root.index()] == Some(number);
            can_wait &= !is_own || waits[root.index()];
            stored[value.index()] += if is_own { stored[root.index()] } else { u32::from(!view.is_given(root)) };
        }
        waits[value.index()] = can_wait && stored[value.index()] < 2 || compares(view, value);
    }
    view.graph.results().for_each(|value| waits[view.root(value).index()] = false);
    waits
}

/// Whether it compares elements with a number.
fn compares(view: &View, value: Value) -> bool {
    let Op::Compare(_) = view.graph.op(value) else { return false };
    let [compared, number] = view.graph.node(value).args[..] else { return false };
    let is_number = splat(view.graph, view.read(number).0).is_some();
    is_number && view.read(compared).1.is_none() && view.graph.ty(value).size() > 1
}

/// Makes groups part of the last unit that they need, where that is a group of the same size.
fn brought_forward(view: &View, units: Vec<Unit>) -> Vec<Unit> {
    let mut home: Vec<Option<usize>> = vec![None; view.graph.values()];
    let mut last_read: Vec<Option<usize>> = vec![None; view.graph.values()];
    let old: HashMap<Value, Value> = renewed(view).into_iter().map(|(old, new)| (new, old)).collect();
    let mut all: Vec<Unit> = Vec::with_capacity(units.len());
    let mut checked = 0;
    for unit in units {
        let reads = |value: Value| view.graph.node(value).args.iter().map(|&arg| view.root(arg));
        let others = unit.members().iter().flat_map(|&value| reads(value)).filter_map(|root| home[root.index()]);
        let last = others.max().filter(|&last| last >= checked);
        // A variable that is read in between could not be written over.
        let is_free = |last: usize| {
            let olds = unit.members().iter().filter_map(|value| old.get(value));
            olds.into_iter().all(|old: &Value| last_read[old.index()].is_none_or(|read| read <= last))
        };
        let apart = |last: usize| {
            let mut reads = unit.members().iter().flat_map(|&value| view.reads(value));
            reads.all(|(root, walk)| walk.is_none() || home[root.index()] != Some(last))
        };
        let fits = |&last: &usize| are_alike(view, &all[last], &unit) && apart(last) && is_free(last);
        let into = last.filter(fits).unwrap_or(all.len());
        for &value in unit.members() {
            count::step();
            view.graph.node(value).results().for_each(|result| home[result.index()] = Some(into));
            reads(value).for_each(|root| last_read[root.index()] = last_read[root.index()].max(Some(into)));
        }
        match (all.get_mut(into), unit) {
            (Some(Unit::Group(members)), Unit::Group(more)) => members.extend(more),
            (_, unit) => all.push(unit),
        }
        if matches!(all.last(), Some(Unit::Checks)) {
            checked = all.len();
        }
    }
    all
}

/// Whether both are groups of one size, more than a number, that together are not too large.
fn are_alike(view: &View, first: &Unit, second: &Unit) -> bool {
    let (Unit::Group(first), Unit::Group(second)) = (first, second) else { return false };
    let size = |members: &[Value]| view.graph.ty(members[0]).size();
    size(first) == size(second) && size(first) > 1 && first.len() + second.len() <= LARGEST_GROUP
}

/// What a member of a group has in common with another: the value of the group's size that both read, or that one makes
/// and the other reads, or the larger one that both read parts of. Values without axes need no such kinship, and have one
/// kin.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kin {
    Numbers,
    Of(Value),
    /// So many elements of it.
    Part(Value, usize),
}

/// Nodes whose operands are all there.
struct Queue<'v, 'g> {
    view: &'v View<'g>,
    plain: BTreeSet<Value>,
    /// Those that stay come behind the others.
    elementwise: BTreeSet<(bool, Value)>,
    /// Whether no node repeats it as a row.
    stays: Vec<bool>,
    /// The element-wise ones by what they read.
    kin: BTreeSet<(Kin, Value)>,
    /// Element-wise nodes that came in since somebody looked.
    new: Vec<Value>,
    /// For each node, at the place of its first result, how many nodes are still missing that it uses.
    waiting: Vec<u32>,
    /// Nodes that no check needs, as long as there are checks to come.
    parked: Option<Vec<Value>>,
}

impl<'v, 'g> Queue<'v, 'g> {
    fn new(view: &'v View<'g>) -> Self {
        let mut queue = Queue {
            view,
            plain: BTreeSet::new(),
            elementwise: BTreeSet::new(),
            stays: staying(view),
            kin: BTreeSet::new(),
            new: Vec::new(),
            waiting: vec![0; view.graph.values()],
            parked: view.guarded.is_some().then(Vec::new),
        };
        let live = || view.graph.nodes().filter(|(value, _)| view.live[value.index()]);
        for (value, _) in live() {
            view.users(value).iter().for_each(|user| queue.waiting[user.index()] += 1);
        }
        queue.enter(live().filter(|(_, node)| node.args.is_empty()).map(|(value, _)| value).collect());
        queue
    }

    /// Lets in nodes whose operands are all there. Those that need no work are complete at once, so that they keep no
    /// member of a group waiting.
    fn enter(&mut self, mut ready: Vec<Value>) {
        while let Some(value) = ready.pop() {
            count::step();
            match (&mut self.parked, &self.view.guarded) {
                (Some(parked), Some(guarded)) if !guarded[value.index()] => parked.push(value),
                _ if self.view.is_elementwise(value) => {
                    self.elementwise.insert((self.stays[value.index()], value));
                    let Queue { view, kin, .. } = self;
                    kin.extend(kin_of(view, value).map(|of| (of, value)));
                    self.new.push(value);
                }
                _ if self.view.is_free(value) => self.release(value, &mut ready),
                _ => _ = self.plain.insert(value),
            }
        }
    }

    /// Whether it is an element-wise node whose operands are all there.
    fn is_ready(&self, value: Value) -> bool {
        self.elementwise.contains(&(self.stays[value.index()], value))
    }

    /// Takes a node out and lets in those that waited for it.
    fn complete(&mut self, value: Value) {
        if self.elementwise.remove(&(self.stays[value.index()], value)) {
            kin_of(self.view, value).for_each(|of| _ = self.kin.remove(&(of, value)));
        }
        let mut ready = Vec::new();
        self.release(value, &mut ready);
        self.enter(ready);
    }

    /// Adds to `ready` those that waited for this node alone.
    fn release(&mut self, value: Value, ready: &mut Vec<Value>) {
        for &user in self.view.users(value) {
            count::step();
            self.waiting[user.index()] -= 1;
            if self.waiting[user.index()] == 0 {
                ready.push(user);
            }
        }
    }

    /// Ready nodes of the same size that another waits for which reads this value too.
    fn missing(&self, value: Value) -> impl Iterator<Item = Value> {
        let size = self.view.graph.ty(value).size();
        let waits = move |user: &&Value| self.view.is_elementwise(**user) && self.waiting[user.index()] > 0;
        let others = self.view.users(value).iter().filter(waits).flat_map(|&user| self.view.reads(user));
        let same = move |&(root, _): &(Value, _)| self.view.graph.ty(root).size() == size;
        let others = others.inspect(|_| count::step()).filter(same).map(|(root, _)| root);
        others.filter(|&root| self.is_ready(root))
    }

    /// The first ready node behind `after` of that kin.
    fn next(&self, kin: Kin, after: Value) -> Option<Candidate> {
        let next = self.kin.range((Bound::Excluded((kin, after)), Bound::Unbounded)).next();
        next.filter(|(of, _)| *of == kin).map(|&(of, value)| Reverse((value, Some(of))))
    }
}

/// For each value, whether no element-wise node repeats it as a row, or what is made of it.
fn staying(view: &View) -> Vec<bool> {
    let mut stays = vec![true; view.graph.values()];
    let nodes: Vec<Value> = view.graph.nodes().map(|(value, _)| value).filter(|&v| view.is_elementwise(v)).collect();
    for &value in nodes.iter().rev() {
        for (root, walk) in view.reads(value) {
            count::step();
            let size = view.graph.ty(root).size();
            let repeats = size > 1 && walk.is_some_and(|walk| walk.row() == Some(size));
            stays[root.index()] &= stays[value.index()] && !repeats;
        }
    }
    stays
}

/// What a member has in common with others.
fn kin_of<'v>(view: &'v View, value: Value) -> impl Iterator<Item = Kin> + 'v {
    let (ty, is_number) = (view.graph.ty(value), is_number(view, value));
    let kin = move |(root, walk): (Value, Option<&Walk>)| match (walk, view.graph.ty(root).size()) {
        (None, size) if size == ty.size() => Some(Kin::Of(root)),
        (Some(_), size) if size > ty.size() && !view.is_counted(root) => Some(Kin::Part(root, ty.size())),
        _ => None,
    };
    let kin = view.reads(value).filter(move |_| !is_number).filter_map(kin);
    kin.chain(is_number.then_some(Kin::Numbers))
}

fn is_number(view: &View, value: Value) -> bool {
    view.graph.ty(value).rank() == 0
}

/// A node that may become a member, the first of the graph before others; and whose kin it is, if others of these follow.
type Candidate = Reverse<(Value, Option<Kin>)>;

/// The group that grows from `seed`: nodes of its size that read what a member makes or reads.
fn group(view: &View, queue: &mut Queue, seed: Value) -> Vec<Value> {
    let mut members: Vec<Value> = Vec::new();
    let mut made: HashSet<Value> = HashSet::new();
    let mut kin: HashSet<Kin> = HashSet::new();
    let mut candidates: BinaryHeap<Candidate> = BinaryHeap::from([Reverse((seed, None))]);
    while let Some(Reverse((value, of))) = candidates.pop() {
        count::step();
        candidates.extend(of.and_then(|of| queue.next(of, value)));
        let apart = view.reads(value).all(|(root, walk)| walk.is_none() || !made.contains(&root));
        if !apart || !queue.is_ready(value) {
            continue;
        }
        members.push(value);
        made.insert(value);
        queue.new.clear();
        queue.complete(value);
        if members.len() == LARGEST_GROUP {
            break;
        }
        let of_member = (!is_number(view, value)).then_some(Kin::Of(value));
        for of in kin_of(view, value).chain(of_member) {
            if kin.insert(of) {
                candidates.extend(queue.next(of, seed));
            }
        }
        let new = queue.new.iter().filter(|&&new| kin_of(view, new).any(|of| kin.contains(&of)));
        candidates.extend(new.map(|&new| Reverse((new, None))));
        candidates.extend(queue.missing(value).map(|missing| Reverse((missing, None))));
    }
    members
}
