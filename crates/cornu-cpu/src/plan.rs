//! Jobs and places: which groups run as one, which new variables are written over the old ones, and where every value
//! lies.

use std::collections::{HashMap, HashSet};

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Body, Check, Graph, Value, VarId};

use crate::fuse::Draft;
use crate::kernels::memory::LINE;
use crate::kernels::operand::{Place, Span};
use crate::memory::{self, Life};
use crate::schedule::{Access, Unit, View, schedule, splat};

/// A unit of work with what belongs together already joined.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// A node by itself.
    Single(Value),
    /// Programs that do the same, in any order.
    Fused(Vec<Draft>),
    /// All checks of the graph.
    Checks,
}

impl Job {
    /// The values it reads, with aliases and virtual broadcasts looked through.
    fn reads(&self, view: &View) -> Vec<(Value, Access)> {
        match self {
            Job::Single(value) => {
                view.graph.node(*value).args.iter().map(|&arg| (view.root(arg), Access::Full)).collect()
            }
            Job::Fused(drafts) => drafts.iter().flat_map(|draft| draft.inputs.iter().copied()).collect(),
            Job::Checks => {
                let values = view.graph.checks.iter().flat_map(Check::values);
                values.map(|value| (view.root(value), Access::Full)).collect()
            }
        }
    }

    /// The values it leaves in memory.
    pub(crate) fn writes(&self, view: &View) -> Vec<Value> {
        match self {
            Job::Single(value) => view.graph.node(*value).results().collect(),
            Job::Fused(drafts) => drafts.iter().flat_map(|d| d.outputs.iter().map(|&(_, value)| value)).collect(),
            Job::Checks => Vec::new(),
        }
    }
}

/// Everything decided about a graph before memory is given out.
pub(crate) struct Plan<'g> {
    pub(crate) view: View<'g>,
    pub(crate) jobs: Vec<Job>,
    /// New values that are written over the variable they replace.
    in_place: HashMap<Value, VarId>,
    /// Whether the graph is a body: its inputs stay until its end.
    is_body: bool,
    /// The bodies of its ops, each once.
    pub(crate) bodies: Vec<Plan<'g>>,
    numbers: HashMap<&'g Body, usize>,
    /// Where constants lie, once the session has put them there.
    pub(crate) given: HashMap<Value, Place>,
}

impl<'g> Plan<'g> {
    pub(crate) fn new(graph: &'g Graph) -> Plan<'g> {
        Self::planned(graph, false)
    }

    fn planned(graph: &'g Graph, is_body: bool) -> Plan<'g> {
        let view = View::new(graph);
        let units = schedule(&view);
        let jobs = draft(&view, &units);
        let in_place = in_place(&view, &jobs);
        let mut plan = Plan {
            view,
            jobs: Vec::new(),
            in_place,
            is_body,
            bodies: Vec::new(),
            numbers: HashMap::new(),
            given: HashMap::new(),
        };
        let mut touched = Touched::default();
        for job in jobs {
            if let Job::Single(value) = job {
                graph.op(value).bodies().iter().for_each(|body| plan.body(body));
            }
            plan.append(job, &mut touched);
        }
        plan
    }

    fn body(&mut self, body: &'g Body) {
        if !self.numbers.contains_key(body) {
            self.numbers.insert(body, self.bodies.len());
            self.bodies.push(Self::planned(body.graph(), true));
        }
    }

    /// The place of a body among the plans of bodies.
    pub(crate) fn number(&self, body: &Body) -> usize {
        self.numbers[body]
    }

    /// Whether a value is an input that the next run of a body overwrites.
    pub(crate) fn is_overwritten(&self, value: Value) -> bool {
        self.is_body && matches!(self.view.graph.op(value), Op::Leaf(Leaf::Input { .. }))
    }

    /// Adds a job, as part of the one before it where the two do the same to values apart.
    fn append(&mut self, job: Job, touched: &mut Touched) {
        if let Job::Fused(new) = &job {
            let all: Vec<Home> = new[0].values().map(|value| self.home(value)).collect();
            let written = all[new[0].inputs.len()..].to_vec();
            let apart = all.iter().all(|home| !touched.written.contains(home))
                && written.iter().all(|home| !touched.all.contains(home));
            let joins = match self.jobs.last() {
                Some(Job::Fused(before)) => apart && before[0].is_like(&new[0]) && touched.first == firsts(&all),
                _ => false,
            };
            if !joins {
                *touched = Touched { first: firsts(&all), ..Touched::default() };
            }
            touched.all.extend(all);
            touched.written.extend(written);
            if joins && let Some(Job::Fused(before)) = self.jobs.last_mut() {
                return before.push(new[0].clone());
            }
        }
        self.jobs.push(job);
    }

    /// What shares its memory: a variable, with the new one that is written over it; else a value by itself.
    fn home(&self, value: Value) -> Home {
        match self.view.graph.op(value) {
            Op::Leaf(Leaf::Var { id, .. }) => Home::Var(*id),
            _ => self.in_place.get(&value).map_or(Home::Own(value), |&id| Home::Var(id)),
        }
    }

    /// For each value of a draft, the first of them that has the same place.
    pub(crate) fn firsts(&self, draft: &Draft) -> Vec<usize> {
        firsts(&draft.values().map(|value| self.home(value)).collect::<Vec<_>>())
    }

    /// The variable whose place a value has.
    pub(crate) fn var(&self, value: Value) -> Option<VarId> {
        match self.home(value) {
            Home::Var(id) => Some(id),
            Home::Own(_) => None,
        }
    }

    /// Whether a value is known before any step; constants lie where the session has put them.
    fn is_constant(&self, value: Value) -> bool {
        matches!(self.view.graph.op(value), Op::Leaf(Leaf::Constant(_)) | Op::Iota(_))
    }

    /// The constants that must lie in memory: those that are more than a number inside a program.
    pub(crate) fn constants(&self) -> Vec<Value> {
        let reads = self.jobs.iter().flat_map(|job| {
            let in_program = matches!(job, Job::Fused(_));
            job.reads(&self.view).into_iter().map(move |(value, _)| (value, in_program))
        });
        let results = self.view.graph.results().map(|value| (self.view.root(value), false));
        let needed = reads.chain(results).filter(|&(value, in_program)| {
            self.is_constant(value) && !(in_program && splat(self.view.graph, value).is_some())
        });
        let mut values: Vec<Value> = needed.map(|(value, _)| value).collect();
        values.sort_unstable();
        values.dedup();
        values
    }

    /// A place for every value, given those of variables and constants; scratch memory starts at `base` bytes. Also how
    /// many bytes that needs, what is before included.
    pub(crate) fn places(&self, vars: &HashMap<VarId, Place>, base: usize) -> (HashMap<Value, Place>, usize) {
        let lives = self.lifetimes();
        let mut places: HashMap<Value, Place> = self.given.clone();
        let mut free: Vec<Value> = lives.keys().copied().filter(|value| !places.contains_key(value)).collect();
        free.sort_unstable();
        let scratch = |value: Value, at: usize| {
            let ty = self.view.graph.ty(value);
            Place { dtype: ty.dtype, span: Span { base: 0, at }, len: ty.size() }
        };
        let (fixed, free): (Vec<Value>, Vec<Value>) = free.into_iter().partition(|&value| self.var(value).is_some());
        places.extend(fixed.into_iter().filter_map(|value| Some((value, vars[&self.var(value)?]))));
        let life =
            |&value: &Value| Life { size: scratch(value, 0).padded(), born: lives[&value].0, dies: lives[&value].1 };
        let (offsets, total) = memory::place(&free.iter().map(life).collect::<Vec<_>>());
        let base = base.next_multiple_of(LINE);
        let placed = free.into_iter().zip(offsets);
        places.extend(placed.map(|(value, at)| (value, scratch(value, base.saturating_add(at)))));
        (places, base.saturating_add(total))
    }

    /// For each value in memory, the first and the last job that need it. Inputs are there before the first job (0),
    /// and results after the last.
    fn lifetimes(&self) -> HashMap<Value, (usize, usize)> {
        let end = self.jobs.len() + 1;
        let mut lives: HashMap<Value, (usize, usize)> = HashMap::new();
        let mut seen = |value: Value, when: usize| {
            let life = lives.entry(value).or_insert((when, when));
            *life = (life.0.min(when), life.1.max(when));
        };
        for &value in &self.view.graph.inputs {
            seen(value, 0);
            seen(value, if self.is_body { end } else { 0 });
        }
        for (number, job) in self.jobs.iter().enumerate() {
            job.reads(&self.view).into_iter().for_each(|(value, _)| seen(value, number + 1));
            job.writes(&self.view).into_iter().for_each(|value| seen(value, number + 1));
        }
        self.view.graph.results().for_each(|value| seen(self.view.root(value), end));
        lives
    }
}

/// What shares memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Home {
    Var(VarId),
    Own(Value),
}

/// What the programs of the last job work on.
#[derive(Default)]
struct Touched {
    all: HashSet<Home>,
    written: HashSet<Home>,
    /// Which operands of a program share memory, see [`firsts`].
    first: Vec<usize>,
}

/// For each, where the first like it is.
fn firsts(homes: &[Home]) -> Vec<usize> {
    let mut first = HashMap::new();
    homes.iter().enumerate().map(|(i, home)| *first.entry(home).or_insert(i)).collect()
}

/// The jobs of the units, each group with its program.
fn draft(view: &View, units: &[Unit]) -> Vec<Job> {
    let mut home: HashMap<Value, usize> = HashMap::new();
    for (number, unit) in units.iter().enumerate() {
        home.extend(unit.members().iter().map(|&value| (value, number)));
    }
    let mut needed: HashSet<Value> = view.graph.results().map(|value| view.root(value)).collect();
    for (number, unit) in units.iter().enumerate() {
        for &arg in unit.members().iter().flat_map(|&value| &view.graph.node(value).args) {
            let root = if matches!(unit, Unit::Group(_)) { view.read(arg).0 } else { view.root(arg) };
            if home.get(&root).is_some_and(|&other| other != number) {
                needed.insert(root);
            }
        }
    }
    let job = |unit: &Unit| match unit {
        Unit::Single(value) => Job::Single(*value),
        Unit::Group(members) => Job::Fused(vec![Draft::new(view, members, |value| needed.contains(&value))]),
        Unit::Checks => Job::Checks,
    };
    units.iter().map(job).collect()
}

/// The updates that can be written over the variable they replace: nothing reads the old value later, the job that writes
/// the new one reads the old one element by element if at all, and there are no checks to come.
fn in_place(view: &View, jobs: &[Job]) -> HashMap<Value, VarId> {
    let mut written: HashMap<Value, usize> = HashMap::new();
    let mut last_read: HashMap<Value, usize> = HashMap::new();
    for (number, job) in jobs.iter().enumerate() {
        written.extend(job.writes(view).into_iter().map(|value| (value, number)));
        last_read.extend(job.reads(view).into_iter().map(|(value, _)| (value, number)));
    }
    last_read.extend(view.graph.results().map(|value| (view.root(value), jobs.len())));
    let checked = jobs.iter().position(|job| matches!(job, Job::Checks)).unwrap_or(0);
    let mut taken = HashMap::new();
    for &(var, new) in &view.graph.updates {
        let new = view.root(new);
        let Some(&writer) = written.get(&new).filter(|&&writer| writer >= checked) else { continue };
        let old = view.graph.vars.iter().find(|(id, _)| *id == var).map(|&(_, value)| value);
        let reads_elements = |old: Value| match &jobs[writer] {
            Job::Fused(_) => jobs[writer].reads(view).iter().all(|&(v, access)| v != old || access == Access::Full),
            Job::Single(value) => {
                let op = view.graph.op(*value);
                matches!(op, Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_))
                    || last_read.get(&old) < Some(&writer)
            }
            Job::Checks => false,
        };
        let done = |old: Value| match last_read.get(&old) {
            Some(&last) => last < writer || last == writer && reads_elements(old),
            None => true,
        };
        if old.is_none_or(done) && !taken.contains_key(&new) {
            taken.insert(new, var);
        }
    }
    taken
}
