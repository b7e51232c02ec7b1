//! Products that one program alone reads, as an optimizer reads the gradient of a weight: both go a few rows at a time, so
//! that the gradient needs no memory of its own and is read while it is near.

use cornu_graph::Value;
use cornu_graph::ops::Op;

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
    let mut seen = Seen { readers: vec![Vec::new(); view.graph.values()], writer: vec![None; view.graph.values()] };
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
        let made = seen.readers.iter().enumerate().filter(|(_, readers)| readers[..] == [number]);
        let made: Vec<usize> = made.map(|(value, _)| value).filter(|&value| seen.writer[value] == Some(home)).collect();
        jobs[home] = Some(Job::Rows(RowProgram::new(view, rows, parts, |value| !made.contains(&value.index()))));
    }
    jobs.into_iter().flatten().collect()
}

/// The jobs that read each value, and the last that writes it.
struct Seen {
    readers: Vec<Vec<usize>>,
    writer: Vec<Option<usize>>,
}

impl Seen {
    /// Whether a program can be done along with the product that it reads.
    fn allows(&self, view: &View, draft: &Draft, (product, home): (Value, usize), number: usize) -> bool {
        let is_product = |value: Value| value == product;
        let is_before = |value: Value| view.is_given(value) || self.writer[value.index()].is_some_and(|at| at < home);
        let reads = || draft.inputs.iter().filter(|(value, _)| is_product(*value));
        let is_free = |value: Value| self.readers[value.index()].iter().all(|&at| at < home || at == number);
        let old = |new: Value| {
            let vars =
                view.graph.updates.iter().filter(move |(_, value)| view.root(*value) == new).map(|&(var, _)| var);
            vars.filter_map(|var| Some(view.graph.vars.iter().find(|(of, _)| *of == var)?.1))
        };
        self.readers[product.index()] == [number]
            && draft.size == view.graph.ty(product).size()
            && draft.added.is_empty()
            && reads().count() == 1
            && reads().all(|(_, walk)| walk.is_none())
            && draft.inputs.iter().all(|&(value, _)| is_product(value) || is_before(value))
            && draft.outputs.iter().all(|(_, (value, walk))| walk.is_none() && old(*value).all(is_free))
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
