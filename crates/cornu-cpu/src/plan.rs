//! Jobs and places: which groups run as one, which new variables are written over the old ones, and where every value
//! lies in the arena.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Body, Check, DType, Graph, Value, VarId};

use crate::arena::{Place, padded, storage};
use crate::fuse::Draft;
use crate::memory::{self, Span};
use crate::schedule::{Unit, schedule};
use crate::view::{View, splat};

/// A unit of work with what belongs together already joined.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// A node by itself.
    Single(Value),
    /// Programs that do the same, over values that will lie in a row.
    Fused(Vec<Draft>),
    /// All checks of the graph.
    Checks,
}

impl Job {
    /// The values it reads, and whether element by element.
    fn reads(&self, view: &View) -> Vec<(Value, bool)> {
        match self {
            Job::Single(value) => view.graph.node(*value).args.iter().map(|&arg| (view.root(arg), true)).collect(),
            Job::Fused(drafts) => {
                let inputs = drafts.iter().flat_map(|draft| &draft.inputs);
                inputs.map(|(value, walk)| (*value, walk.is_none())).collect()
            }
            Job::Checks => view.graph.checks.iter().flat_map(Check::values).map(|value| (view.root(value), true)).collect(),
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
    /// Values that must lie in a row, in this order.
    rows: Vec<Vec<Value>>,
    /// Whether the graph is a body: its inputs stay until its end.
    is_body: bool,
    /// The bodies of its ops, each once.
    pub(crate) bodies: Vec<Plan<'g>>,
    numbers: HashMap<&'g Body, usize>,
    /// Where constants lie, once the session has put them there.
    pub(crate) given: HashMap<Value, Place>,
}

impl<'g> Plan<'g> {
    /// `vars` says where each variable of the session lies.
    pub(crate) fn new(graph: &'g Graph, vars: &[Place]) -> Plan<'g> {
        Self::planned(graph, vars, false)
    }

    fn planned(graph: &'g Graph, vars: &[Place], is_body: bool) -> Plan<'g> {
        let view = View::new(graph);
        let units = schedule(&view);
        let jobs = draft(&view, &units);
        let in_place = in_place(&view, &jobs);
        let mut plan = Plan {
            view,
            jobs: Vec::new(),
            in_place,
            rows: Vec::new(),
            is_body,
            bodies: Vec::new(),
            numbers: HashMap::new(),
            given: HashMap::new(),
        };
        for job in jobs {
            if let Job::Single(value) = job {
                graph.op(value).bodies().iter().for_each(|body| plan.body(body));
            }
            plan.append(job, vars);
        }
        plan
    }

    fn body(&mut self, body: &'g Body) {
        if !self.numbers.contains_key(body) {
            self.numbers.insert(body, self.bodies.len());
            self.bodies.push(Self::planned(body.graph(), &[], true));
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

    /// Adds a job, as part of the one before it where the two do the same.
    fn append(&mut self, job: Job, vars: &[Place]) {
        if let (Some(Job::Fused(before)), Job::Fused(new)) = (self.jobs.last(), &job)
            && let Some(rows) = self.joined(before, &new[0], vars)
            && let Some(Job::Fused(before)) = self.jobs.last_mut()
        {
            before.push(new[0].clone());
            self.rows.retain(|old| !rows.iter().any(|new| new.starts_with(old)));
            self.rows.extend(rows);
            return;
        }
        self.jobs.push(job);
    }

    /// The rows of scratch values that would let `new` run together with `before`, if that is possible.
    fn joined(&self, before: &[Draft], new: &Draft, vars: &[Place]) -> Option<Vec<Vec<Value>>> {
        let independent = !new
            .inputs
            .iter()
            .any(|(read, _)| before.iter().any(|draft| draft.outputs.iter().any(|(_, written)| written == read)));
        if !independent || !before.iter().all(|draft| draft.is_like(new)) {
            return None;
        }
        let mut rows = Vec::new();
        let mut spans: Vec<Range<usize>> = Vec::new();
        let lists: Vec<Vec<Value>> = before.iter().chain([new]).map(|draft| draft.full().collect()).collect();
        for position in 0..lists[0].len() {
            let row: Vec<Value> = lists.iter().map(|list| list[position]).collect();
            match self.span(&row, vars)? {
                Some(span) => spans.push(span),
                None => rows.push(row),
            }
        }
        // What is written over a variable must be written where it is read, not beside.
        let apart = |a: &Range<usize>, b: &Range<usize>| a == b || a.end <= b.start || b.end <= a.start;
        spans.iter().all(|a| spans.iter().all(|b| apart(a, b))).then_some(())?;
        // A value can lie in one row only.
        let members: Vec<&Value> = rows.iter().flatten().collect();
        let distinct: HashSet<&Value> = members.iter().copied().collect();
        let elsewhere = self.rows.iter().filter(|old| !rows.iter().any(|new| new.starts_with(old)));
        let free = elsewhere.flatten().all(|value| !distinct.contains(value));
        (distinct.len() == members.len() && free).then_some(rows)
    }

    /// Where values lie that are to lie in a row, if they have places yet; nothing if they cannot lie in a row.
    fn span(&self, row: &[Value], vars: &[Place]) -> Option<Option<Range<usize>>> {
        if row.iter().any(|&value| self.is_constant(value)) {
            return None;
        }
        let fixed: Vec<Option<Place>> = row.iter().map(|&value| self.fixed(value, vars)).collect();
        if fixed.iter().all(Option::is_none) {
            return Some(None);
        }
        let places: Vec<Place> = fixed.into_iter().collect::<Option<_>>()?;
        let touch = |pair: &[Place]| pair[0].at + padded(DType::F32, pair[0].len) == pair[1].at;
        places.windows(2).all(touch).then(|| Some(places[0].at..places[places.len() - 1].range().end))
    }

    /// Where a value lies before any memory is given out: a variable, or what replaces one in place.
    fn fixed(&self, value: Value, vars: &[Place]) -> Option<Place> {
        match self.view.graph.op(value) {
            Op::Leaf(Leaf::Var { id, .. }) => Some(vars[id.index()]),
            _ => self.in_place.get(&value).map(|id| vars[id.index()]),
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

    /// A place for every value, given those of variables; scratch memory starts at `base` of each storage
    /// type. Also what each storage type needs in all, what is before scratch memory included.
    pub(crate) fn places(
        &self,
        vars: &[Place],
        base: &dyn Fn(DType) -> usize,
    ) -> (HashMap<Value, Place>, HashMap<DType, usize>) {
        let lives = self.lifetimes();
        let mut places: HashMap<Value, Place> = self.given.clone();
        let mut needs: HashMap<DType, usize> = DType::ALL.map(storage).map(|dtype| (dtype, base(dtype))).into();
        let rows = self.rows.iter().cloned();
        let in_rows: HashSet<Value> = self.rows.iter().flatten().copied().collect();
        let mut free: Vec<Value> = lives.keys().copied().collect();
        free.sort_unstable();
        let mut blocks: HashMap<DType, Vec<Vec<Value>>> = HashMap::new();
        for row in rows.chain(free.into_iter().filter(|value| !in_rows.contains(value)).map(|value| vec![value])) {
            if let Some(place) = self.fixed(row[0], vars) {
                places.insert(row[0], Place { dtype: self.view.graph.ty(row[0]).dtype, ..place });
            } else if !places.contains_key(&row[0]) {
                blocks.entry(storage(self.view.graph.ty(row[0]).dtype)).or_default().push(row);
            }
        }
        for (dtype, blocks) in blocks {
            let room = |value: &Value| padded(dtype, self.view.graph.ty(*value).size());
            let span = |row: &Vec<Value>| Span {
                size: row.iter().map(room).fold(0, usize::saturating_add),
                born: row.iter().map(|value| lives[value].0).min().unwrap_or(0),
                dies: row.iter().map(|value| lives[value].1).max().unwrap_or(0),
            };
            let (offsets, total) = memory::place(&blocks.iter().map(span).collect::<Vec<_>>());
            for (row, offset) in blocks.iter().zip(offsets) {
                let mut at = base(dtype).saturating_add(offset);
                for value in row {
                    let ty = self.view.graph.ty(*value);
                    places.insert(*value, Place { dtype: ty.dtype, at, len: ty.size() });
                    at = at.saturating_add(room(value));
                }
            }
            needs.insert(dtype, base(dtype).saturating_add(total));
        }
        (places, needs)
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

/// The jobs of the units, each group with its program.
fn draft(view: &View, units: &[Unit]) -> Vec<Job> {
    // The unit of each node, and its place among the members.
    let mut home = vec![(usize::MAX, 0); view.graph.values()];
    for (number, unit) in units.iter().enumerate() {
        let members = unit.members().iter().enumerate();
        members.for_each(|(place, &value)| view.graph.node(value).results().for_each(|v| home[v.index()] = (number, place)));
    }
    let mut needed = vec![false; view.graph.values()];
    view.graph.results().for_each(|value| needed[view.root(value).index()] = true);
    for (number, unit) in units.iter().enumerate() {
        for (root, _) in unit.members().iter().flat_map(|&value| view.reads(value)) {
            needed[root.index()] |= home[root.index()].0 != number;
        }
    }
    let job = |(number, unit): (usize, &Unit)| match unit {
        Unit::Single(value) => Job::Single(*value),
        Unit::Group(members) => {
            let register = |value: Value| Some(home[value.index()]).filter(|home| home.0 == number).map(|home| home.1);
            Job::Fused(vec![Draft::new(view, members, register, |value| needed[value.index()])])
        }
        Unit::Checks => Job::Checks,
    };
    units.iter().enumerate().map(job).collect()
}

/// The updates that can be written over the variable they replace: nothing reads the old value later, the job that writes
/// the new one reads the old one element by element if at all, and there are no checks to come.
fn in_place(view: &View, jobs: &[Job]) -> HashMap<Value, VarId> {
    let mut written: Vec<Option<usize>> = vec![None; view.graph.values()];
    // The last job that reads it, and whether it does so element by element alone.
    let mut read: Vec<Option<(usize, bool)>> = vec![None; view.graph.values()];
    for (number, job) in jobs.iter().enumerate() {
        job.writes(view).into_iter().for_each(|value| written[value.index()] = Some(number));
        for (value, full) in job.reads(view) {
            let before = read[value.index()].is_none_or(|(last, full)| last < number || full);
            read[value.index()] = Some((number, before && full));
        }
    }
    view.graph.results().for_each(|value| read[view.root(value).index()] = Some((jobs.len(), false)));
    let checked = jobs.iter().position(|job| matches!(job, Job::Checks)).unwrap_or(0);
    let vars: HashMap<VarId, Value> = view.graph.vars.iter().copied().collect();
    let mut taken = HashMap::new();
    for &(var, new) in &view.graph.updates {
        let new = view.root(new);
        let Some(writer) = written[new.index()].filter(|&writer| writer >= checked) else { continue };
        let elements = match &jobs[writer] {
            Job::Fused(_) => true,
            Job::Single(value) => {
                matches!(view.graph.op(*value), Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_))
            }
            Job::Checks => false,
        };
        let last = vars.get(&var).and_then(|old| read[old.index()]);
        if last.is_none_or(|(last, full)| last < writer || last == writer && full && elements) {
            taken.entry(new).or_insert(var);
        }
    }
    taken
}
