//! Several graphs that do the same, but for numbers: one graph stands for all, and its variables hold in what they differ.
//!
//! Constants that are equal are one node, so graphs differ in form where numbers are equal by chance: a node of one may stand
//! in the place of several of another. The common graph has a node for each way in which nodes meet.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::builder::Builder;
use crate::graph::{Graph, Node, Value, VarId};
use crate::ops::{Constant, Leaf, Op};
use crate::{Check, Type};

/// What a variable of a common graph holds for each of the graphs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// What that variable of each holds.
    Variables(Box<[VarId]>),
    /// Those numbers.
    Constants(Box<[Constant]>),
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
    /// Where they differ in more than numbers.
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
        let graphs = self.graphs;
        let nodes: Vec<&Node> = graphs.iter().zip(&each).map(|(graph, &value)| graph.node(value)).collect();
        let args = meet(nodes.iter().map(|node| node.args.to_vec()))?;
        let args = args.iter().map(|each| self.of(each)).collect::<Result<Vec<_>, _>>()?;
        let ty = graphs[0].ty(each[0]);
        if let Some((graph, &other)) = graphs.iter().zip(&each).find(|(graph, value)| graph.ty(**value) != ty) {
            return Err(format!("`{:.4}` of {ty}, and of {}", nodes[0].op, graph.ty(other)));
        }
        let op = self.op(&nodes, ty)?;
        self.new.set_origin(graphs[0].origin(each[0]).clone());
        let made = self.new.push(op, &args)?;
        self.made.insert(each, made);
        Ok(())
    }

    /// The op that does what each of those does.
    fn op(&mut self, nodes: &[&Node], ty: &Type) -> Result<Op, String> {
        let first = &nodes[0].op;
        let id = |node: &&Node| match node.op {
            Op::Leaf(Leaf::Var { id, .. }) => Some(id),
            _ => None,
        };
        let constant = |node: &&Node| match &node.op {
            Op::Leaf(Leaf::Constant(constant)) => Some(constant.clone()),
            _ => None,
        };
        let id = match first {
            Op::Leaf(Leaf::Var { .. }) => {
                nodes.iter().map(id).collect::<Option<_>>().map(|names| self.common.variable(names, ty.clone()))
            }
            other if nodes.iter().all(|node| node.op == *other) => return Ok(other.clone()),
            _ => nodes
                .iter()
                .map(constant)
                .collect::<Option<_>>()
                .map(|constants| Ok(self.common.holding(Held::Constants(constants), ty.clone()))),
        };
        let other = || {
            let other = nodes.iter().find(|node| node.op != *first).unwrap_or(&nodes[0]);
            format!("`{first:.4}`, and `{:.4}`", other.op)
        };
        Ok(Leaf::Var { id: id.ok_or_else(other)??, ty: ty.clone() }.into())
    }
}

/// A number that graphs share which do the same, but for the names of variables, and for numbers unless it is `exact`. Of
/// others it is another one, but for a rare chance.
pub fn digest(graph: &Graph, exact: bool) -> u64 {
    let places: HashMap<VarId, usize> = graph.vars.iter().enumerate().map(|(place, &(id, _))| (id, place)).collect();
    let mut known = vec![0; graph.values()];
    for (_, node) in graph.nodes() {
        let mut state = DefaultHasher::new();
        match &node.op {
            Op::Leaf(Leaf::Var { id, ty }) => (places[id], ty).hash(&mut state),
            Op::Leaf(Leaf::Constant(constant)) if !exact => constant.array().ty().hash(&mut state),
            op => op.hash(&mut state),
        }
        node.args.iter().for_each(|arg| known[arg.index()].hash(&mut state));
        let node_has = state.finish();
        node.results().for_each(|value| known[value.index()] = node_has.wrapping_add(value.result() as u64));
    }
    let mut state = DefaultHasher::new();
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
