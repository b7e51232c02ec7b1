//! Several graphs that do the same, but for numbers and sizes: one graph stands for all, and its variables hold in what they
//! differ.
//!
//! Of sizes it has the largest. The numbers of a smaller graph lie in the corners, from the first on along each axis; what lies
//! beyond them is any number. It comes to the corners in sums alone, and those take numbers for it that change no sum.
//!
//! Constants that are equal are one node, so graphs differ in form where numbers are equal by chance: a node of one may stand
//! in the place of several of another. The common graph has a node for each way in which nodes meet.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::builder::{Builder, Mixer};
use crate::graph::{Graph, Node, Value, VarId};
use crate::ops::{Broadcast, Constant, LARGE_DOT, LONG_ROW, Leaf, Op, Reduction, Reshape, Select};
use crate::{Array, Check, DType, Shape, Type};

/// What a variable of a common graph holds for each of the graphs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// What that variable of each holds.
    Variables(Box<[VarId]>),
    /// Those numbers.
    Constants(Box<[Constant]>),
    /// Which elements are in the corner of such a shape.
    Corners(Box<[Shape]>),
}

/// The common graphs of several models, of each of their steps, over one list of variables.
#[derive(Debug, Default)]
pub struct Common {
    held: Vec<(Held, Type)>,
    known: HashMap<Held, VarId>,
    /// The variables that are held, each by the place of its model.
    names: HashSet<(usize, VarId)>,
}

/// A value of each graph.
type Each = Vec<Value>;

impl Common {
    /// What each variable holds, and its type, in the order of their numbers.
    pub fn held(&self) -> &[(Held, Type)] {
        &self.held
    }

    /// The graph that stands for those, of one step of each model.
    ///
    /// # Errors
    /// Where they differ in more than numbers and sizes, or in sizes where sums are made by size or something else than a sum
    /// goes over elements.
    pub fn step(&mut self, graphs: &[&Graph]) -> Result<Graph, String> {
        let ends = |of: fn(&Graph) -> Vec<Value>| meet(graphs.iter().map(|graph| of(graph)));
        let outputs = ends(|graph| graph.outputs.clone())?;
        let new = ends(|graph| graph.updates.iter().map(|&(_, new)| new).collect())?;
        let looked = ends(|graph| graph.checks.iter().flat_map(Check::values).collect())?;
        let inputs = ends(|graph| graph.inputs.clone())?;
        let all = [&outputs, &new, &looked, &inputs].into_iter().flatten().cloned();
        let mut meeting = Meeting { common: self, graphs, new: Builder::default(), made: HashMap::new() };
        // Ascending in each graph, so arguments come first.
        for each in meetings(graphs, all.collect())? {
            meeting.add(each)?;
        }
        let outputs = outputs.iter().map(|each| meeting.of(each)).collect::<Result<_, _>>()?;
        let looked: Vec<Value> = looked.iter().map(|each| meeting.of(each)).collect::<Result<_, _>>()?;
        let mut updates = Vec::with_capacity(new.len());
        for (place, each) in new.iter().enumerate() {
            let new = meeting.of(each)?;
            let names = graphs.iter().map(|graph| graph.updates[place].0);
            updates.push((meeting.common.variable(names.collect(), meeting.new.graph().ty(new).clone())?, new));
        }
        let mut looked = looked.into_iter();
        let mut checks = Vec::new();
        for (place, check) in graphs[0].checks.iter().enumerate() {
            let is_same = |graph: &&Graph| {
                let other = &graph.checks[place];
                (&other.text, other.numbers.len()) == (&check.text, check.numbers.len())
            };
            if !graphs.iter().all(is_same) {
                return Err(format!("another check than `{}`", check.text));
            }
            checks.push(check.renamed(|_| looked.next().expect("as many as were looked at")));
        }
        Ok(meeting.new.finish(outputs, updates, checks))
    }

    /// The variable that holds those.
    fn variable(&mut self, names: Box<[VarId]>, ty: Type) -> Result<VarId, String> {
        let held = Held::Variables(names);
        if let (None, Held::Variables(names)) = (self.known.get(&held), &held) {
            let is_new = names.iter().enumerate().all(|(model, &name)| self.names.insert((model, name)));
            if !is_new {
                return Err("a variable that takes the place of two".into());
            }
        }
        Ok(self.holding(held, ty))
    }

    fn holding(&mut self, held: Held, ty: Type) -> VarId {
        *self.known.entry(held).or_insert_with_key(|held| {
            self.held.push((held.clone(), ty));
            VarId::new(self.held.len() - 1)
        })
    }
}

/// Which values of several lists come together, one after the other.
fn meet(lists: impl Iterator<Item = Vec<Value>>) -> Result<Vec<Each>, String> {
    let lists: Vec<Vec<Value>> = lists.collect();
    match lists.iter().find(|list| list.len() != lists[0].len()) {
        Some(other) => Err(format!("{} values, and {}", lists[0].len(), other.len())),
        None => Ok((0..lists[0].len()).map(|place| lists.iter().map(|list| list[place]).collect()).collect()),
    }
}

/// The nodes that come together where those values do, by their first results.
fn meetings(graphs: &[&Graph], ends: Vec<Each>) -> Result<BTreeSet<Each>, String> {
    let mut known = BTreeSet::new();
    let mut open = ends;
    while let Some(each) = open.pop() {
        let each: Each = each.into_iter().map(Value::first).collect();
        if !known.contains(&each) {
            open.extend(meet(graphs.iter().zip(&each).map(|(graph, &value)| graph.node(value).args.to_vec()))?);
            known.insert(each);
        }
    }
    Ok(known)
}

/// A common graph while it grows.
struct Meeting<'c, 'g> {
    common: &'c mut Common,
    graphs: &'g [&'g Graph],
    new: Builder,
    /// What stands for nodes, by their first results.
    made: HashMap<Each, Value>,
}

impl Meeting<'_, '_> {
    /// What stands for those values.
    fn of(&self, each: &[Value]) -> Result<Value, String> {
        let node = self.made[&each.iter().map(|value| value.first()).collect::<Each>()];
        let result = each[0].result();
        match each.iter().all(|value| value.result() == result) {
            true => Ok(self.new.graph().node(node).results().nth(result).expect("a result of the node")),
            false => Err("another result of a node".into()),
        }
    }

    fn add(&mut self, each: Each) -> Result<(), String> {
        let nodes: Vec<&Node> = self.graphs.iter().zip(&each).map(|(graph, &value)| graph.node(value)).collect();
        let from = meet(nodes.iter().map(|node| node.args.to_vec()))?;
        let mut args = from.iter().map(|each| self.of(each)).collect::<Result<Vec<_>, _>>()?;
        let ty = self.largest(&each)?;
        let first = &nodes[0].op;
        self.new.set_origin(self.graphs[0].origin(each[0]).clone());
        let op = match self.leaf(&nodes, &ty)? {
            Some(leaf) => leaf.into(),
            None if nodes.iter().all(|node| node.op == *first) => {
                if [&each].into_iter().chain(&from).any(|each| self.differ(each)) {
                    self.cut(first, &from, &mut args)?;
                }
                first.clone()
            }
            None => self.resized(&nodes, &from, &each, &ty)?,
        };
        let made = self.new.push(op, &args)?;
        if *self.new.graph().ty(made) != ty {
            return Err(format!("`{first:.4}` of several sizes"));
        }
        self.made.insert(each, made);
        Ok(())
    }

    /// The types of values.
    fn types(&self, each: &[Value]) -> impl Iterator<Item = &Type> {
        self.graphs.iter().zip(each).map(|(graph, &value)| graph.ty(value))
    }

    /// Whether values differ in their sizes.
    fn differ(&self, each: &[Value]) -> bool {
        let first = self.graphs[0].ty(each[0]);
        self.types(each).any(|ty| ty != first)
    }

    /// The type that has room for all.
    fn largest(&self, each: &[Value]) -> Result<Type, String> {
        let mut largest = self.graphs[0].ty(each[0]).clone();
        for ty in self.types(each) {
            // An axis of one is none to sums: those of others along it are of elements that lie in a row.
            let fit = |(a, b): (&usize, &usize)| a == b || *a.min(b) > 1;
            let is_like = (ty.dtype, ty.rank()) == (largest.dtype, largest.rank());
            if !is_like || !ty.shape.iter().zip(largest.shape.iter()).all(fit) {
                return Err(format!("{ty}, and {largest}"));
            }
            largest.shape = ty.shape.iter().zip(largest.shape.iter()).map(|(a, b)| *a.max(b)).collect();
        }
        Ok(largest)
    }

    /// The variable, or the constant, that stands for those, if they are such.
    fn leaf(&mut self, nodes: &[&Node], ty: &Type) -> Result<Option<Leaf>, String> {
        let name = |node: &&Node| match node.op {
            Op::Leaf(Leaf::Var { id, .. }) => Some(id),
            _ => None,
        };
        let constant = |node: &&Node| match &node.op {
            Op::Leaf(Leaf::Constant(constant)) => Some(constant.clone()),
            _ => None,
        };
        if let Some(names) = nodes.iter().map(name).collect() {
            let id = self.common.variable(names, ty.clone())?;
            return Ok(Some(Leaf::Var { id, ty: ty.clone() }));
        }
        let constants: Option<Box<[Constant]>> = nodes.iter().map(constant).collect();
        Ok(constants.map(|constants| match constants.iter().all(|constant| *constant == constants[0]) {
            true => Leaf::Constant(constants[0].clone()),
            false => Leaf::Var { id: self.common.holding(Held::Constants(constants), ty.clone()), ty: ty.clone() },
        }))
    }

    /// Makes what an op sums along axes of several sizes what changes no sum beyond each size: `-0`, and in products `-0`
    /// times `0`.
    fn cut(&mut self, op: &Op, from: &[Each], args: &mut [Value]) -> Result<(), String> {
        let differs = |of: &Self, arg: usize, axis: usize| {
            let first = of.graphs[0].ty(from[arg][0]).shape[axis];
            of.types(&from[arg]).any(|ty| ty.shape[axis] != first)
        };
        match op {
            Op::Transpose(_) => {}
            op if op.is_elementwise() => {}
            Op::Dot(dot) => {
                let [a, b] = [0, 1].map(|arg| self.new.graph().ty(args[arg]).shape.clone());
                let (_, _, k, n) = dot.sizes(&a, &b).ok_or("a product of several sizes")?;
                if k.saturating_mul(n) >= LARGE_DOT {
                    return Err("a large product of several sizes".into());
                }
                if differs(self, 0, dot.matrix(a.rank()) + usize::from(!dot.transpose_a)) {
                    args[0] = self.corner(&from[0], args[0], -0.0);
                    args[1] = self.corner(&from[1], args[1], 0.0);
                }
            }
            Op::Reduce(reduce) => {
                let ty = self.new.graph().ty(args[0]).clone();
                if reduce.axes.iter().any(|&axis| differs(self, 0, axis)) {
                    if reduce.axes.iter().map(|&axis| ty.shape[axis]).product::<usize>() >= LONG_ROW {
                        return Err("a long sum of several sizes".into());
                    }
                    let beyond = match reduce.kind {
                        Reduction::Sum => -0.0,
                        kind => kind.start(ty.dtype).f64(),
                    };
                    args[0] = self.corner(&from[0], args[0], beyond);
                }
            }
            other => return Err(format!("`{other:.4}` of several sizes")),
        }
        Ok(())
    }

    /// A value with that number beyond the corner of each.
    fn corner(&mut self, each: &[Value], value: Value, beyond: f64) -> Value {
        let ty = self.new.graph().ty(value).clone();
        let axes: Vec<usize> =
            (0..ty.rank()).filter(|&axis| self.types(each).any(|own| own.shape[axis] != ty.shape[axis])).collect();
        let sizes = |shape: &Shape| axes.iter().map(|&axis| shape[axis]).collect::<Shape>();
        let held = Held::Corners(self.types(each).map(|ty| sizes(&ty.shape)).collect());
        let truth = Type::new(DType::Bool, sizes(&ty.shape));
        let id = self.common.holding(held, truth.clone());
        let inside = self.new.add(Leaf::Var { id, ty: truth }, &[]);
        let inside = match axes.len() == ty.rank() {
            true => inside,
            false => self.new.add(Broadcast { shape: ty.shape.clone(), axes: axes.into() }, &[inside]),
        };
        let beyond = self.new.constant(Array::from_fn(&Type::scalar(ty.dtype), |_| beyond));
        let beyond = self.new.add(Broadcast { shape: ty.shape, axes: Box::default() }, &[beyond]);
        self.new.add(Select, &[inside, value, beyond])
    }

    /// The op that makes the largest size of what those make.
    fn resized(&self, nodes: &[&Node], from: &[Each], each: &[Value], ty: &Type) -> Result<Op, String> {
        let first = &nodes[0].op;
        let other = || {
            let other = nodes.iter().find(|node| node.op != *first).unwrap_or(&nodes[0]);
            format!("`{first:.4}`, and `{:.4}`", other.op)
        };
        let long = |ty: &Type| ty.shape.iter().copied().filter(|&size| size != 1).collect::<Vec<_>>();
        match first {
            Op::Broadcast(to) => {
                let is_like = |node: &&Node| matches!(&node.op, Op::Broadcast(other) if other.axes == to.axes);
                let op = Broadcast { shape: ty.shape.clone(), axes: to.axes.clone() };
                nodes.iter().all(is_like).then(|| op.into()).ok_or_else(other)
            }
            Op::Reshape(_) if nodes.iter().all(|node| matches!(node.op, Op::Reshape(_))) => {
                let keeps_axes = self.types(&from[0]).zip(self.types(each)).all(|(a, b)| long(a) == long(b));
                keeps_axes.then(|| Reshape(ty.shape.clone()).into()).ok_or_else(other)
            }
            _ => Err(other()),
        }
    }
}

/// A number that graphs share which do the same, but for the names of variables, and for numbers and sizes unless it is
/// `exact`. Of others it is another one, but for a rare chance.
pub fn digest(graph: &Graph, exact: bool) -> u64 {
    let places: HashMap<VarId, usize> = graph.vars.iter().enumerate().map(|(place, &(id, _))| (id, place)).collect();
    let mut known = vec![0; graph.values()];
    for (_, node) in graph.nodes() {
        let mut state = Mixer::default();
        match &node.op {
            Op::Leaf(Leaf::Var { id, ty }) if exact => (places[id], ty).hash(&mut state),
            op if exact => op.hash(&mut state),
            Op::Leaf(Leaf::Var { id, .. }) => (places[id], 0).hash(&mut state),
            Op::Leaf(Leaf::Constant(_)) => 1.hash(&mut state),
            Op::Reshape(_) => 2.hash(&mut state),
            Op::Broadcast(to) => (3, &to.axes).hash(&mut state),
            op => op.hash(&mut state),
        }
        let long = |ty: &Type| ty.shape.iter().map(|&size| size > 1).collect::<Vec<_>>();
        graph.results_of(node).into_iter().for_each(|ty| (ty.dtype, long(ty)).hash(&mut state));
        node.args.iter().for_each(|arg| known[arg.index()].hash(&mut state));
        let node_has = state.finish();
        node.results().for_each(|value| known[value.index()] = node_has.wrapping_add(value.result() as u64));
    }
    let mut state = Mixer::default();
    graph.results().for_each(|value| known[value.index()].hash(&mut state));
    graph.updates.iter().for_each(|(var, _)| places.get(var).hash(&mut state));
    graph.checks.iter().for_each(|check| check.text.hash(&mut state));
    state.finish()
}

/// Whether two graphs do the same to the same types and numbers: they differ in the names of variables alone.
pub fn are_same_but_names(one: &Graph, other: &Graph) -> bool {
    let is_same = |(a, b): (&Node, &Node)| match (&a.op, &b.op) {
        (Op::Leaf(Leaf::Var { ty, .. }), Op::Leaf(Leaf::Var { ty: other, .. })) => ty == other,
        (x, y) => x == y && a.args == b.args,
    };
    one.len() == other.len()
        && one.results().eq(other.results())
        && one.checks == other.checks
        && one.nodes().map(|(_, node)| node).zip(other.nodes().map(|(_, node)| node)).all(is_same)
}

/// An array in the corner of zeros of that shape.
pub fn padded<'a>(array: &'a Array, shape: &Shape) -> Cow<'a, Array> {
    if array.shape() == shape {
        return Cow::Borrowed(array);
    }
    let mut all = Array::zeros(&Type::new(array.dtype(), shape.clone()));
    places(array.shape(), shape).enumerate().for_each(|(i, place)| all.buffer_mut().set_number(place, array.number(i)));
    Cow::Owned(all)
}

/// The corner of that shape of an array.
pub fn corner(array: Array, shape: &Shape) -> Array {
    if array.shape() == shape {
        return array;
    }
    let mut places = places(shape, array.shape());
    array.pick(shape.clone(), |_| places.next().expect("as many as elements"))
}

/// Where the elements of a corner lie.
fn places(corner: &Shape, shape: &Shape) -> impl Iterator<Item = usize> {
    let row = corner.last().copied().unwrap_or(1);
    let (steps, strides) = (corner.strides(), shape.strides());
    let sizes = corner.to_vec();
    let begin =
        move |at: usize| -> usize { (0..sizes.len()).map(|axis| at / steps[axis] % sizes[axis] * strides[axis]).sum() };
    (0..corner.size()).step_by(row.max(1)).map(begin).flat_map(move |begin| begin..begin + row)
}
