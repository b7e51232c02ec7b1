//! From units of work to jobs: each group with its program, new variables written over the old ones, and programs that
//! do the same together.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use cornu_graph::ops::Op;
use cornu_graph::{Body, Check, Graph, Value, VarId};

use crate::count;
use crate::ends::End;
use crate::fuse::{Draft, Read};
use crate::row_programs::RowProgram;
use crate::schedule::Unit;
use crate::view::View;
use crate::walk::Walk;

/// A unit of work with what belongs together already joined.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    /// A node by itself.
    Single(Value),
    /// A product.
    Product(Product),
    /// Programs that do the same, in any order.
    Fused(Vec<Draft>),
    /// Reductions of rows, and programs before, between and behind them.
    Rows(RowProgram),
    /// All checks of the graph.
    Checks,
}

/// A product, or a convolution, and what is done along with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Product {
    pub(crate) value: Value,
    /// The sums of the columns of its second operand.
    pub(crate) sums: Option<Value>,
    /// What is done to its elements.
    pub(crate) end: Option<End>,
}

impl Job {
    /// The values it reads, and whether element by element.
    pub(crate) fn each_read(&self, view: &View, mut see: impl FnMut(Value, bool)) {
        count::step();
        match self {
            Job::Single(value) | Job::Product(Product { value, end: None, .. }) => {
                view.picked(*value).into_iter().flatten().for_each(|value| see(value, false));
                view.graph.node(*value).args.iter().for_each(|&arg| see(view.root(arg), true));
            }
            Job::Product(Product { value, end: Some(end), .. }) => {
                view.graph.node(*value).args.iter().for_each(|&arg| see(view.root(arg), true));
                see(end.kind.operand(), true);
            }
            Job::Fused(drafts) => {
                let inputs = drafts.iter().flat_map(|draft| &draft.inputs).filter(|read| !view.is_counted(read.0));
                inputs.for_each(|(value, walk)| see(*value, walk.is_none()));
                drafts.iter().flat_map(|draft| &draft.added).for_each(|&value| see(value, false));
            }
            Job::Rows(program) => program.reads.iter().for_each(|&(value, full)| see(value, full)),
            Job::Checks => {
                view.graph.checks.iter().flat_map(Check::values).for_each(|value| see(view.root(value), true));
            }
        }
    }

    /// The values it leaves in memory.
    pub(crate) fn each_write(&self, view: &View, mut see: impl FnMut(Value)) {
        match self {
            Job::Single(value) => view.graph.node(*value).results().for_each(see),
            Job::Product(Product { value, sums, end }) => {
                [end.map_or(*value, |end| end.makes)].into_iter().chain(*sums).for_each(see);
            }
            Job::Fused(drafts) => drafts.iter().flat_map(|d| &d.outputs).for_each(|&(_, (value, _))| see(value)),
            Job::Rows(program) => program.writes.iter().copied().for_each(see),
            Job::Checks => {}
        }
    }

    /// The bodies of its op.
    pub(crate) fn bodies<'g>(&self, graph: &'g Graph) -> &'g [Body] {
        match self {
            Job::Single(value) => graph.op(*value).bodies(),
            Job::Product(..) | Job::Fused(_) | Job::Rows(_) | Job::Checks => &[],
        }
    }
}

/// The jobs of the units, each group with its program.
pub(crate) fn draft(view: &View, units: &[Unit]) -> Vec<Job> {
    // The unit of each node, the last if several make it, and its place among the members.
    let mut home = vec![(usize::MAX, 0); view.graph.values()];
    let make = |home: &mut [(usize, usize)], number: usize, unit: &Unit| {
        for (place, &value) in unit.members().iter().enumerate() {
            view.graph.node(value).results().for_each(|v| home[v.index()] = (number, place));
        }
    };
    units.iter().enumerate().for_each(|(number, unit)| make(&mut home, number, unit));
    let mut parts: Vec<Vec<(Value, Read)>> = vec![Vec::new(); units.len()];
    let in_parts: Vec<bool> = units.iter().map(|unit| written_in_parts(view, unit, units, &home, &mut parts)).collect();
    let mut needed = vec![false; view.graph.values()];
    view.graph.results().for_each(|value| needed[view.root(value).index()] = true);
    for (number, unit) in units.iter().enumerate().filter(|(number, _)| !in_parts[*number]) {
        make(&mut home, number, unit);
        for (root, _) in unit.members().iter().flat_map(|&value| view.reads(value)) {
            needed[root.index()] |= home[root.index()].0 != number;
        }
    }
    let job = |(number, unit): (usize, &Unit)| match unit {
        Unit::Single(value) if matches!(view.graph.op(*value), Op::Dot(_) | Op::Conv(_) | Op::ConvInput(_)) => {
            Job::Product(Product { value: *value, sums: None, end: None })
        }
        Unit::Single(value) => Job::Single(*value),
        Unit::Group(members) => {
            make(&mut home, number, unit);
            let register = |value: Value| Some(home[value.index()]).filter(|home| home.0 == number).map(|home| home.1);
            let parts = std::mem::take(&mut parts[number]);
            Job::Fused(vec![Draft::new(view, members, register, |value| needed[value.index()], parts)])
        }
        Unit::Checks => Job::Checks,
    };
    units.iter().enumerate().filter(|(number, _)| !in_parts[*number]).map(job).collect()
}

/// Whether a unit puts one behind the other what a single group makes, which then writes each where it goes: adds these to
/// its `parts`.
fn written_in_parts(
    view: &View,
    unit: &Unit,
    units: &[Unit],
    home: &[(usize, usize)],
    parts: &mut [Vec<(Value, Read)>],
) -> bool {
    let &Unit::Single(value) = unit else { return false };
    let (Op::Concatenate(op), node) = (view.graph.op(value), view.graph.node(value)) else { return false };
    let (group, _) = home[view.root(node.args[0]).index()];
    let is_group = matches!(units.get(group), Some(Unit::Group(_)));
    let is_member = |&arg: &Value| home[view.root(arg).index()].0 == group && view.read(arg).1.is_none();
    if !is_group || !node.args.iter().all(is_member) || view.graph.ty(value).size() == 0 {
        return false;
    }
    let ty = view.graph.ty(value);
    let mut start = 0;
    for &arg in &node.args {
        let end = start + view.graph.ty(arg).shape[op.axis];
        parts[group].push((view.root(arg), (value, Some(Walk::part(&ty.shape, op.axis, start..end)))));
        start = end;
    }
    true
}

/// Which values share memory: a variable, and the new one that is written over it.
pub(crate) struct Homes {
    /// The first of those that share, for each value.
    firsts: Vec<Option<Value>>,
    vars: Vec<Option<VarId>>,
}

impl Homes {
    pub(crate) fn new(view: &View, jobs: &[Job]) -> Homes {
        let mut homes = Homes { firsts: vec![None; view.graph.values()], vars: vec![None; view.graph.values()] };
        let old: HashMap<VarId, Value> = view.graph.vars.iter().copied().collect();
        for &(var, value) in &view.graph.vars {
            homes.vars[value.index()] = Some(var);
        }
        for (new, var) in in_place(view, jobs, &old) {
            homes.vars[new.index()] = Some(var);
            homes.firsts[new.index()] = old.get(&var).copied();
        }
        homes
    }

    /// The variable whose memory a value has.
    pub(crate) fn var(&self, value: Value) -> Option<VarId> {
        self.vars[value.index()]
    }

    fn home(&self, value: Value) -> Value {
        self.firsts[value.index()].unwrap_or(value)
    }

    /// For each value of a draft, the first of them that has the same memory.
    pub(crate) fn firsts(&self, draft: &Draft) -> Vec<usize> {
        let mut first = HashMap::new();
        draft.values().enumerate().map(|(i, value)| *first.entry(self.home(value)).or_insert(i)).collect()
    }
}

/// Puts programs that do the same into one job, where only programs are between them.
pub(crate) fn together(homes: &Homes, jobs: Vec<Job>) -> Vec<Job> {
    let mut all = Vec::with_capacity(jobs.len());
    let mut run = Run::default();
    for job in jobs {
        match job {
            Job::Fused(drafts) => drafts.into_iter().for_each(|draft| run.add(homes, draft)),
            other => {
                all.extend(std::mem::take(&mut run).jobs());
                all.push(other);
            }
        }
    }
    all.extend(run.jobs());
    all
}

/// Programs that come one after the other. Each has a level, above those of all programs that it must come after.
#[derive(Default)]
struct Run {
    /// Levels, and programs that do the same.
    jobs: Vec<(usize, Vec<Draft>)>,
    /// The place of a job by its level and by what it does.
    places: HashMap<(usize, u64), usize>,
    /// The highest level that reads, and that writes, each value.
    read: HashMap<Value, usize>,
    written: HashMap<Value, usize>,
}

impl Run {
    fn add(&mut self, homes: &Homes, draft: Draft) {
        let count = draft.reads().count();
        let values: Vec<Value> = draft.values().map(|value| homes.home(value)).collect();
        let (reads, writes) = values.split_at(count);
        let before = values.iter().filter_map(|value| self.written.get(value));
        let before = before.chain(writes.iter().filter_map(|value| self.read.get(value)));
        let level = before.max().map_or(0, |level| level + 1);
        let raise = |levels: &mut HashMap<Value, usize>, values: &[Value]| {
            values.iter().for_each(|&value| {
                let highest = levels.entry(value).or_insert(level);
                *highest = level.max(*highest);
            });
        };
        raise(&mut self.read, reads);
        raise(&mut self.written, writes);
        count::step();
        let firsts = homes.firsts(&draft);
        let mut hasher = DefaultHasher::new();
        (draft.key(), &firsts).hash(&mut hasher);
        let place = *self.places.entry((level, hasher.finish())).or_insert(self.jobs.len());
        match self.jobs.get_mut(place) {
            Some((_, alike)) if alike[0].is_like(&draft) && homes.firsts(&alike[0]) == firsts => alike.push(draft),
            _ => self.jobs.push((level, vec![draft])),
        }
    }

    fn jobs(mut self) -> impl Iterator<Item = Job> {
        self.jobs.sort_by_key(|&(level, _)| level);
        self.jobs.into_iter().map(|(_, drafts)| Job::Fused(drafts))
    }
}

/// The updates that can be written over the variable they replace: nothing reads the old value later, the job that writes
/// the new one reads the old one element by element if at all, and there are no checks to come.
fn in_place(view: &View, jobs: &[Job], vars: &HashMap<VarId, Value>) -> HashMap<Value, VarId> {
    let mut written: Vec<Option<usize>> = vec![None; view.graph.values()];
    // The last job that reads it, and whether it does so element by element alone.
    let mut read: Vec<Option<(usize, bool)>> = vec![None; view.graph.values()];
    for (number, job) in jobs.iter().enumerate() {
        job.each_write(view, |value| written[value.index()] = Some(number));
        job.each_read(view, |value, full| {
            let before = read[value.index()].is_none_or(|(last, full)| last < number || full);
            read[value.index()] = Some((number, before && full));
        });
    }
    view.graph.results().for_each(|value| read[view.root(value).index()] = Some((jobs.len(), false)));
    let checked = jobs.iter().position(|job| matches!(job, Job::Checks)).unwrap_or(0);
    let mut taken = HashMap::new();
    for &(var, new) in &view.graph.updates {
        let new = view.root(new);
        let Some(writer) = written[new.index()].filter(|&writer| writer >= checked) else { continue };
        let elements = match &jobs[writer] {
            Job::Fused(_) => true,
            Job::Single(value) => {
                matches!(view.graph.op(*value), Op::Unary(_) | Op::Binary(_) | Op::Select(_) | Op::Cast(_))
            }
            Job::Rows(program) => program.ends_with(view, new),
            Job::Product(..) | Job::Checks => false,
        };
        let last = vars.get(&var).and_then(|old| read[old.index()]);
        if last.is_none_or(|(last, full)| last < writer || last == writer && full && elements) {
            taken.entry(new).or_insert(var);
        }
    }
    taken
}
