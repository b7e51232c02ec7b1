//! Products whose second operand is summed as well, as for the gradients of a weight and its bias: both read it once.

use std::collections::HashMap;

use cornu_graph::ops::{Op, Reduction};
use cornu_graph::{DType, Value};

use crate::jobs::{Job, Product};
use crate::kernels::reduce::BLOCK;
use crate::view::View;

/// Makes a sum of columns part of a product with the same rows, where nothing reads it before the product is done.
pub(crate) fn with_products(view: &View, jobs: Vec<Job>) -> Vec<Job> {
    let mut first_read = vec![usize::MAX; view.graph.values()];
    let mut sums: HashMap<(Value, usize), (usize, Value)> = HashMap::new();
    for (number, job) in jobs.iter().enumerate() {
        job.each_read(view, |value, _| first_read[value.index()] = first_read[value.index()].min(number));
        if let &Job::Single(value) = job
            && let Some(columns) = summed(view, value)
        {
            sums.entry(columns).or_insert((number, value));
        }
    }
    let mut partners = HashMap::new();
    for (number, job) in jobs.iter().enumerate() {
        if let &Job::Product(Product { value, .. }) = job
            && let Some(columns) = multiplied(view, value)
            && let Some(&(at, sum)) = sums.get(&columns)
            && first_read[sum.index()] > number
        {
            sums.remove(&columns);
            partners.insert(number, (at, sum));
        }
    }
    let mut kept = vec![true; jobs.len()];
    partners.values().for_each(|&(at, _)| kept[at] = false);
    let job = |(number, job): (usize, Job)| match (job, partners.get(&number)) {
        (Job::Product(product), Some(&(_, sum))) => Job::Product(Product { sums: Some(sum), ..product }),
        (job, _) => job,
    };
    jobs.into_iter().enumerate().filter(|(number, _)| kept[*number]).map(job).collect()
}

/// The matrix of singles, and how many columns it has, that a sum of its columns reads. (A single column is summed in
/// another order.)
fn summed(view: &View, value: Value) -> Option<(Value, usize)> {
    let node = view.graph.node(value);
    let Op::Reduce(reduce) = &node.op else { return None };
    let ty = view.graph.ty(node.args[0]);
    let is_sum = reduce.kind == Reduction::Sum && reduce.axes.iter().copied().eq(0..reduce.axes.len());
    let columns = ty.shape[reduce.axes.len()..].iter().product();
    let fits = ty.dtype == DType::F32 && columns > 1 && !reduce.is_copy(ty);
    (is_sum && fits).then(|| (view.root(node.args[0]), columns))
}

/// The matrix, and its columns, that a product reads row by row; all columns of products side by side, which add up no
/// blocks of rows.
fn multiplied(view: &View, value: Value) -> Option<(Value, usize)> {
    let node = view.graph.node(value);
    let Op::Dot(dot) = &node.op else { return None };
    let ty = view.graph.ty(node.args[1]);
    let fits = ty.rank() == 2 || dot.side_by_side && ty.shape[0] <= BLOCK;
    (fits && !dot.transpose_b).then(|| (view.root(node.args[1]), ty.shape[1..].iter().product()))
}
