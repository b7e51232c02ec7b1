//! Sums of rows by tokens that only programs read, element by element, as an optimizer reads the gradient of a table: the
//! programs make them where they are needed, and nowhere else do they lie.

use cornu_graph::Value;
use cornu_graph::ops::Op;

use crate::jobs::Job;
use crate::kernels::order::Order;
use crate::view::View;
use crate::walk::Walk;

/// Finds such sums, where the order of the tokens takes less memory than they would, and tells those who read them.
pub(crate) fn by_tokens(view: &mut View, mut jobs: Vec<Job>) -> Vec<Job> {
    let found: Vec<Value> = jobs.iter().filter_map(|job| sums(view, job)).collect();
    if found.is_empty() {
        return jobs;
    }
    let mut stored = vec![false; view.graph.values()];
    view.graph.results().for_each(|value| stored[view.root(value).index()] = true);
    for job in &jobs {
        let is_program = matches!(job, Job::Fused(_));
        job.each_read(view, |value, by_element| stored[value.index()] |= !(is_program && by_element));
    }
    view.by_tokens = found.into_iter().filter(|value| !stored[value.index()]).collect();
    let drafts = jobs.iter_mut().flat_map(|job| if let Job::Fused(drafts) = job { &mut drafts[..] } else { &mut [] });
    for draft in drafts {
        for (value, walk) in draft.inputs.iter_mut().filter(|(value, _)| view.by_tokens.contains(value)) {
            // In a row, but not in memory.
            *walk = Some(Walk::whole(draft.size));
            draft.added.push(view.root(view.graph.node(*value).args[2]));
        }
    }
    jobs
}

/// The sums that a job makes of zeros and rows.
fn sums(view: &View, job: &Job) -> Option<Value> {
    let &Job::Single(value) = job else { return None };
    let node = view.graph.node(value);
    let is_sums = matches!(node.op, Op::ScatterAdd(_)) && view.begins_with_zeros(value);
    let (ty, tokens) = (view.graph.ty(value), view.graph.ty(*node.args.get(1)?));
    let is_small =
        tokens.size().checked_mul(size_of::<u64>()).zip(ty.bytes()).is_some_and(|(order, sums)| order < sums);
    (is_sums && is_small && Order::fits(ty.shape[0], tokens.size())).then_some(value)
}
