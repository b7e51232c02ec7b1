//! Programs and the reductions of what they make, block by block: what only reductions read needs no memory, and the rest
//! is brought together while it is near.

use std::collections::BTreeMap;

use cornu_graph::Value;
use cornu_graph::ops::Op;

use crate::jobs::Job;
use crate::kernels::operand::Span;
use crate::kernels::reduce::{BLOCK, Reduce};
use crate::row_programs::RowProgram;
use crate::view::View;

/// The most elements of a block: a few values of so many stay in a processor's second cache.
const LARGEST: usize = 64 * BLOCK;

/// Makes programs and reductions of values that they make one, where these are made of results of equal blocks.
pub(crate) fn in_blocks(view: &View, jobs: Vec<Job>) -> Vec<Job> {
    let mut readers = vec![0u32; view.graph.values()];
    view.graph.results().for_each(|value| readers[view.root(value).index()] += 1);
    let is_new = view.new_variables();
    let mut makers: Vec<Option<usize>> = vec![None; view.graph.values()];
    let mut reductions: BTreeMap<usize, (Blocks, Vec<usize>)> = BTreeMap::new();
    for (number, job) in jobs.iter().enumerate() {
        job.each_read(view, |value, _| readers[value.index()] += 1);
        if matches!(job, Job::Fused(drafts) if drafts[0].makes_rows(&is_new)) {
            job.each_write(view, |value| makers[value.index()] = Some(number));
        }
        if let &Job::Single(value) = job
            && let Some((from, blocks)) = blocks_of(view, value)
            && let Some(maker) = makers[from.index()]
        {
            let (first, all) = reductions.entry(maker).or_insert((blocks, Vec::new()));
            all.extend(Some(number).filter(|_| *first == blocks));
        }
    }
    let mut jobs: Vec<Option<Job>> = jobs.into_iter().map(Some).collect();
    for (maker, (Blocks { count, each }, reductions)) in reductions {
        let parts: Vec<Job> = [maker].iter().chain(&reductions).filter_map(|&part| jobs[part].take()).collect();
        parts[1..].iter().for_each(|part| part.each_read(view, |value, _| readers[value.index()] -= 1));
        let is_kept = |value: Value| makers[value.index()] != Some(maker) || readers[value.index()] > 0;
        let program = RowProgram::new(view, count, parts, is_kept);
        jobs[maker] = Some(Job::Rows(RowProgram { block: Some(each), ..program }));
    }
    jobs.into_iter().flatten().collect()
}

/// Blocks of a value, and the elements of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Blocks {
    count: usize,
    each: usize,
}

/// The value of which a reduction brings all rows together, and its blocks, if there are several.
fn blocks_of(view: &View, value: Value) -> Option<(Value, Blocks)> {
    let node = view.graph.node(value);
    let Op::Reduce(reduce) = &node.op else { return None };
    let (ty, columns) = (view.graph.ty(node.args[0]), view.graph.ty(value).size());
    let (each, kept) = (BLOCK * columns, ty.rank() - reduce.axes.len());
    let in_front = (0..ty.rank()).all(|axis| reduce.axes.contains(&axis) != (axis >= ty.rank() - kept));
    let parts = Reduce::new(reduce.kind, ty, &reduce.axes, [Span::of(0); 2]).parts();
    let fits = (in_front || columns == 1) && each <= LARGEST && !reduce.is_copy(ty);
    (fits && parts > 0).then(|| (view.root(node.args[0]), Blocks { count: parts / columns, each }))
}
