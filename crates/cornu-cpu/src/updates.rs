//! Products that one program alone reads, as an optimizer reads the gradient of a weight: both go a few rows at a time, so
//! that the gradient needs no memory of its own and is read while it is near.

use std::collections::HashMap;

use cornu_graph::ops::Op;
use cornu_graph::{Value, VarId};

use crate::fuse::Draft;
use crate::jobs::{Job, Product};
use crate::kernels::dot::is_packed;
use crate::row_programs::RowProgram;
use crate::view::View;

/// The least bytes of such a product: the nearest cache has room for less.
const LARGE: usize = 64 * 1024;

/// Makes such programs part of their products, where all else that they read is there before these, and nothing between the
/// two reads a variable that they change.
pub(crate) fn with_updates(view: &View, jobs: Vec<Job>) -> Vec<Job> {
    let count = view.graph.values();
    let mut seen = Seen { readers: vec![Vec::new(); count], writer: vec![None; count], olds: olds(view) };
    view.graph.results().for_each(|value| seen.readers[view.root(value).index()].push(jobs.len()));
    for (number, job) in jobs.iter().enumerate() {
        job.each_read(view, |value, _| seen.readers[value.index()].push(number));
        job.each_write(view, |value| seen.writer[value.index()] = Some(number));
    }
    let checked = jobs.iter().position(|job| matches!(job, Job::Checks));
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        let Job::Fused(drafts) = job else { continue };
        let [draft] = &drafts[..] else { continue };
        let home = draft.inputs.iter().find_map(|(value, _)| {
            let home = seen.writer[value.index()]?;
            let rows = rows_of(view, &jobs[home], *value)?;
            (seen.allows(view, draft, (*value, home), number) && checked < Some(home)).then_some((home, rows))
        });
        pairs.extend(home.map(|(home, rows)| (home, number, rows)));
    }
    let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
    for (home, number, rows) in pairs {
        let parts: Vec<Job> = [home, number].into_iter().filter_map(|part| jobs[part].take()).collect();
        let is_made = |value: Value| seen.writer[value.index()] == Some(home);
        let is_kept = |value: Value| !is_made(value) || seen.readers[value.index()][..] != [number];
        jobs[home] = Some(Job::Rows(RowProgram::new(view, rows, parts, is_kept)));
    }
    jobs.into_iter().flatten().collect()
}

/// The jobs that read each value, the last that writes it, and the old values of the variables that it becomes.
struct Seen {
    readers: Vec<Vec<usize>>,
    writer: Vec<Option<usize>>,
    olds: HashMap<Value, Vec<Value>>,
}

fn olds(view: &View) -> HashMap<Value, Vec<Value>> {
    let vars: HashMap<VarId, Value> = view.graph.vars.iter().copied().collect();
    let mut olds: HashMap<Value, Vec<Value>> = HashMap::new();
    for (var, new) in &view.graph.updates {
        olds.entry(view.root(*new)).or_default().extend(vars.get(var));
    }
    olds
}

impl Seen {
    /// Whether a program can be done along with the product that it reads.
    fn allows(&self, view: &View, draft: &Draft, (product, home): (Value, usize), number: usize) -> bool {
        let is_product = |value: Value| value == product;
        let is_before = |value: Value| view.is_given(value) || self.writer[value.index()].is_some_and(|at| at < home);
        let reads = || draft.inputs.iter().filter(|(value, _)| is_product(*value));
        let is_free = |value: &Value| self.readers[value.index()].iter().all(|&at| at < home || at == number);
        self.readers[product.index()] == [number]
            && draft.size == view.graph.ty(product).size()
            && draft.added.is_empty()
            && reads().count() == 1
            && reads().all(|(_, walk)| walk.is_none())
            && draft.inputs.iter().all(|&(value, _)| is_product(value) || is_before(value))
            && draft
                .outputs
                .iter()
                .all(|(_, (value, walk))| walk.is_none() && self.olds.get(value).into_iter().flatten().all(is_free))
    }
}

/// The rows of a product, if it is a large one of two matrices to whose elements nothing is done, and reads its second
/// operand as it lies: what is copied first would be copied for every few rows.
fn rows_of(view: &View, job: &Job, value: Value) -> Option<usize> {
    let &Job::Product(Product { value: made, end: None, .. }) = job else { return None };
    let ty = view.graph.ty(made);
    let (Op::Dot(dot), args) = (view.graph.op(made), &view.graph.node(made).args) else { return None };
    let (_, m, k, n) = dot.sizes(&view.graph.ty(args[0]).shape, &view.graph.ty(args[1]).shape)?;
    let is_read = dot.transpose_a && !dot.transpose_b && !is_packed([m, k, n]);
    (made == value && is_read && ty.rank() == 2 && m > 1 && n > 1 && ty.bytes()? >= LARGE).then_some(m)
}
