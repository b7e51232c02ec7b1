//! Programs over rows: sums and extremes of rows go together with the element-wise programs before, between and behind
//! them, as in a softmax or a normalization, so that what only they read needs no memory.
//!
//! Each job is of a level above those of all that it reads, and joins a group only where everything else that it reads is
//! below it: so nothing outside can lie between two members.

use std::collections::{BTreeMap, BTreeSet};

use cornu_graph::ops::Op;
use cornu_graph::{Graph, Value};

use crate::count;
use crate::jobs::Job;
use crate::kernels::memory::LINE;
use crate::kernels::reduce::BLOCK;
use crate::memory::{self, Life};
use crate::view::View;
use crate::walk::Walk;

/// The most elements of a row: some values of so many stay in a cache.
const LONGEST: usize = 8192;

/// Bytes of rows that are worked on together: what a processor's second cache holds beside other things. In the first one
/// there is room for so few that starting each part takes a tenth of the time.
const NEAR: usize = 256 * 1024;

/// Bytes of rows of a product that are worked on together.
const PRODUCT: usize = 64 * 1024;

/// Elements of blocks that are worked on together: singles stay in the nearest cache.
const TOGETHER: usize = 16 * BLOCK;

/// Jobs that are done to a few rows at a time.
#[derive(Clone, Debug)]
pub(crate) struct RowProgram {
    pub(crate) rows: usize,
    /// How many elements a row has where rows are blocks of one value, of which the last one may be shorter.
    pub(crate) block: Option<usize>,
    /// Programs of one draft, and reductions of rows.
    pub(crate) parts: Vec<Job>,
    /// The values that it reads, and whether its last part alone does so, element by element.
    pub(crate) reads: Vec<(Value, bool)>,
    /// Those that it leaves in memory.
    pub(crate) writes: Vec<Value>,
    /// Those that only its parts read, and the first and the last part that need them.
    pub(crate) between: Vec<(Value, [usize; 2])>,
}

impl RowProgram {
    pub(crate) fn new(view: &View, rows: usize, parts: Vec<Job>, is_kept: impl Fn(Value) -> bool) -> RowProgram {
        let (mut reads, mut writes, mut between) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        for (number, part) in parts.iter().enumerate() {
            part.each_write(view, |value| match is_kept(value) {
                true => writes.push(value),
                false => _ = between.insert(value, [number; 2]),
            });
        }
        for (number, part) in parts.iter().enumerate() {
            let is_last = number + 1 == parts.len() && matches!(part, Job::Fused(_));
            part.each_read(view, |value, full| match between.get_mut(&value) {
                Some([_, last]) => *last = number,
                None => *reads.entry(value).or_insert(true) &= is_last && full,
            });
        }
        writes.iter().for_each(|value| _ = reads.remove(value));
        let (reads, between) = (reads.into_iter().collect(), between.into_iter().collect());
        RowProgram { rows, block: None, parts, reads, writes, between }
    }

    /// Whether its last part makes that value, element by element.
    pub(crate) fn ends_with(&self, view: &View, value: Value) -> bool {
        let Some(part @ Job::Fused(_)) = self.parts.last() else { return false };
        let mut makes = false;
        part.each_write(view, |made| makes |= made == value);
        makes
    }

    /// The bytes of a row of a value.
    pub(crate) fn row(&self, graph: &Graph, value: Value) -> usize {
        let ty = graph.ty(value);
        self.block.map_or(ty.bytes().unwrap_or(0) / self.rows, |len| len * ty.dtype.size())
    }

    /// Where blocks of so many rows of the values between begin, and how many bytes they take.
    pub(crate) fn blocks(&self, graph: &Graph, rows: usize) -> (Vec<usize>, usize) {
        let life = |&(value, [born, dies]): &(Value, [usize; 2])| Life {
            size: (rows * self.row(graph, value)).next_multiple_of(LINE),
            born,
            dies,
        };
        memory::place(&self.between.iter().map(life).collect::<Vec<_>>())
    }

    /// How many rows are worked on together; of short ones as many as reductions and vectors are quick with.
    pub(crate) fn together(&self, graph: &Graph) -> usize {
        if let Some(len) = self.block {
            return (TOGETHER / len).clamp(1, self.rows);
        }
        if let [Job::Product(_), ..] = self.parts[..] {
            // What a program changes is read once, whereas a product reads its second operand for each few rows.
            return (PRODUCT / (self.blocks(graph, LINE).1 / LINE).max(1)).clamp(1, self.rows);
        }
        let outside = self.reads.iter().map(|&(value, _)| value).chain(self.writes.iter().copied());
        let outside: usize = outside.map(|value| self.row(graph, value)).sum();
        let most = NEAR / (outside + self.blocks(graph, LINE).1 / LINE).max(1);
        let multiple = [16, 8].into_iter().find(|&rows| most >= rows).unwrap_or(1);
        (most / multiple * multiple).clamp(1, self.rows)
    }
}

/// Makes programs over rows of jobs, and leaves the others in their order where these do not need another.
pub(crate) fn over_rows(view: &View, jobs: Vec<Job>) -> Vec<Job> {
    let mut groups = Groups::new(view);
    jobs.iter().for_each(|job| groups.add(job));
    let order = groups.order(&jobs);
    let mut is_kept = vec![false; view.graph.values()];
    view.graph.results().for_each(|value| is_kept[view.root(value).index()] = true);
    for (number, job) in jobs.iter().enumerate() {
        job.each_read(view, |value, _| is_kept[value.index()] |= groups.maker(value) != Some(groups.find(number)));
    }
    let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
    let job = |members: Vec<usize>| {
        let group = groups.find(members[0]);
        let rows = groups.all[group].form.rows;
        let mut parts: Vec<Job> = members.iter().filter_map(|&member| jobs[member].take()).collect();
        match rows.filter(|_| parts.len() > 1) {
            Some(rows) => Job::Rows(RowProgram::new(view, rows, parts, |value| is_kept[value.index()])),
            None => parts.remove(0),
        }
    };
    order.into_iter().map(job).collect()
}

/// What jobs have that can go row by row: a program has elements, a reduction rows, and so has what is made of both.
#[derive(Clone, Copy, Debug, Default)]
struct Form {
    rows: Option<usize>,
    elements: Option<usize>,
}

impl Form {
    fn new(view: &View, is_new: &[bool], job: &Job) -> Form {
        match job {
            Job::Fused(drafts) => {
                let fits = drafts.len() == 1 && drafts[0].makes_rows(is_new);
                Form { rows: None, elements: Some(drafts[0].size).filter(|_| fits) }
            }
            Job::Single(value) => Form { rows: reduced(view, *value), elements: None },
            Job::Product(_) | Job::Rows(_) | Job::Checks => Form::default(),
        }
    }

    /// Whether it can be cut into so many rows.
    fn fits(self, rows: usize) -> bool {
        let divides = |size: usize| size > 0 && size.is_multiple_of(rows) && size / rows <= LONGEST;
        self.rows.map_or_else(|| self.elements.is_some_and(divides), |own| own == rows)
    }
}

/// The rows that a reduction brings together, if each lies in a row. A single one is better shared among threads.
fn reduced(view: &View, value: Value) -> Option<usize> {
    let node = view.graph.node(value);
    let Op::Reduce(reduce) = &node.op else { return None };
    let shape = &view.graph.ty(node.args[0]).shape;
    let first = *reduce.axes.first()?;
    let in_a_row = (first..shape.len()).all(|axis| shape[axis] == 1 || reduce.axes.contains(&axis));
    let [rows, each] = [&shape[..first], &shape[first..]].map(|dims| dims.iter().product::<usize>());
    (in_a_row && rows > 1 && (2..=LONGEST).contains(&each)).then_some(rows)
}

/// A group of jobs that may grow.
#[derive(Clone, Copy, Debug)]
struct Group {
    form: Form,
    level: usize,
    /// Whether another reads what it makes: then its level stays.
    is_read: bool,
}

struct Groups<'v, 'g> {
    view: &'v View<'g>,
    /// By the first job of each; others belong to the group of another.
    all: Vec<Group>,
    into: Vec<usize>,
    makers: Vec<Option<usize>>,
    /// As [`View::new_variables`] says.
    is_new: Vec<bool>,
    /// Groups before the checks are complete.
    complete: usize,
}

impl<'v, 'g> Groups<'v, 'g> {
    fn new(view: &'v View<'g>) -> Self {
        let (makers, is_new) = (vec![None; view.graph.values()], view.new_variables());
        Groups { view, all: Vec::new(), into: Vec::new(), makers, is_new, complete: 0 }
    }

    /// The group of a job.
    fn find(&mut self, mut job: usize) -> usize {
        while self.into[job] != job {
            self.into[job] = self.into[self.into[job]];
            job = self.into[job];
        }
        job
    }

    /// The group that makes a value.
    fn maker(&mut self, value: Value) -> Option<usize> {
        self.makers[value.index()].map(|job| self.find(job))
    }

    fn add(&mut self, job: &Job) {
        count::step();
        let number = self.all.len();
        if matches!(job, Job::Checks) {
            self.complete = number;
        }
        let mut before = BTreeSet::new();
        job.each_read(self.view, |value, _| before.extend(self.maker(value)));
        let level = before.iter().map(|&group| self.all[group].level + 1).max().unwrap_or(0);
        self.all.push(Group { form: Form::new(self.view, &self.is_new, job), level, is_read: false });
        self.into.push(number);
        job.each_write(self.view, |value| self.makers[value.index()] = Some(number));
        let joined = self.joined(job, number, &before).unwrap_or_default();
        before.iter().filter(|group| !joined.contains(group)).for_each(|&group| self.all[group].is_read = true);
    }

    /// Makes a job and groups that it reads one, if any; gives these.
    fn joined(&mut self, job: &Job, number: usize, before: &BTreeSet<usize>) -> Option<Vec<usize>> {
        let form = self.all[number].form;
        let rows = form.rows.or_else(|| before.iter().rev().find_map(|&group| self.all[group].form.rows))?;
        let apart = self.apart(job, rows);
        let fits = |&group: &usize| {
            group >= self.complete && self.all[group].form.fits(rows) && !apart.contains(&group) && form.fits(rows)
        };
        let (fitting, others): (Vec<usize>, Vec<usize>) = before.iter().copied().partition(fits);
        let group = fitting.iter().copied().max_by_key(|&group| self.all[group].level)?;
        let (joined, others_too): (Vec<usize>, Vec<usize>) =
            fitting.into_iter().partition(|&other| other == group || !self.all[other].is_read);
        let below = others.iter().chain(&others_too).map(|&other| self.all[other].level + 1).max().unwrap_or(0);
        let Group { level, is_read, .. } = self.all[group];
        if below > level && is_read {
            return None;
        }
        let form = Form { rows: Some(rows), elements: None };
        self.all[group] = Group { form, level: level.max(below), is_read };
        joined.iter().chain([&number]).for_each(|&other| self.into[other] = group);
        Some(joined)
    }

    /// The groups of which a job reads more than the same rows.
    fn apart(&mut self, job: &Job, rows: usize) -> BTreeSet<usize> {
        let Job::Fused(drafts) = job else { return BTreeSet::new() };
        let view = self.view;
        let is_apart = |(value, walk): &(Value, Option<Walk>)| {
            let each = view.graph.ty(*value).size() / rows;
            walk.as_ref().is_some_and(|walk| !walk.keeps_rows(rows, each))
        };
        let inputs = drafts.iter().flat_map(|draft| &draft.inputs);
        let apart = inputs.filter(|read| is_apart(read)).map(|(value, _)| value);
        apart.chain(drafts.iter().flat_map(|draft| &draft.added)).filter_map(|&value| self.maker(value)).collect()
    }

    /// The members of each group, after all that they read: where its last one was, or before the first that reads it.
    fn order(&mut self, jobs: &[Job]) -> Vec<Vec<usize>> {
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); jobs.len()];
        (0..jobs.len()).for_each(|job| members[self.find(job)].push(job));
        let last: Vec<Option<usize>> = members.iter().map(|members| members.last().copied()).collect();
        let view = self.view;
        let (mut order, mut is_open) = (Vec::new(), vec![false; jobs.len()]);
        let mut todo = Vec::new();
        for job in 0..jobs.len() {
            let group = self.find(job);
            todo.extend(Some(group).filter(|_| last[group] == Some(job)));
            while let Some(&group) = todo.last() {
                if std::mem::replace(&mut is_open[group], true) {
                    todo.pop();
                    order.extend(Some(std::mem::take(&mut members[group])).filter(|members| !members.is_empty()));
                    continue;
                }
                for &member in &members[group] {
                    count::step();
                    let mut maker = |value: Value| self.maker(value).filter(|&maker| !is_open[maker]);
                    jobs[member].each_read(view, |value, _| todo.extend(maker(value)));
                }
            }
        }
        order
    }
}
