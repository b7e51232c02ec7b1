//! Whether the steps of a body can be cut along the leading axis of its carries, so that threads need not meet in the loop.

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Graph, Node, Value};

use crate::plan::Plan;

/// The rows of all carries, slices and outputs, if each row depends on the same row of the carries and slices alone, and on
/// what is the same in all steps. `consts` inputs are.
pub(crate) fn rows(plan: &Plan, consts: usize) -> Option<usize> {
    let graph = plan.view.graph;
    let &count = graph.ty(*graph.inputs.get(consts)?).shape.first()?;
    let leads = |value: Value| graph.ty(value).shape.first() == Some(&count);
    // Others are whole before the loop, or found in what is.
    let mut by_row = vec![false; graph.values()];
    for (value, node) in graph.nodes().filter(|(value, _)| plan.view.live[value.index()]) {
        by_row[value.index()] = match &node.op {
            Op::Leaf(Leaf::Input { index, .. }) => *index >= consts,
            _ if plan.view.is_given(value) => false,
            _ => !plan.view.is_free(value) || node.args.iter().any(|arg| by_row[arg.index()]),
        };
        let fits = plan.view.is_given(value) || is_row_wise(graph, node, |arg| by_row[arg.index()]);
        if by_row[value.index()] && !(leads(value) && fits) {
            return None;
        }
    }
    (count > 0 && graph.outputs.iter().all(|output| by_row[output.index()])).then_some(count)
}

/// Whether rows of the result are made of the same rows of those operands that come row by row.
fn is_row_wise(graph: &Graph, node: &Node, by_row: impl Fn(Value) -> bool) -> bool {
    let rows = |i: usize| by_row(node.args[i]);
    match &node.op {
        op if op.is_elementwise() => true,
        Op::Reshape(_) => true,
        Op::Dot(dot) => dot.matrix(graph.ty(node.args[0]).rank()) > 0 || !dot.transpose_a && !rows(1),
        Op::Broadcast(op) => !rows(0) || op.axes.first() == Some(&0),
        Op::Transpose(op) => !rows(0) || op.0.first() == Some(&0),
        Op::Slice(op) => !rows(0) || (op.starts[0], op.strides[0]) == (0, 1),
        Op::Pad(op) => [&op.low, &op.high, &op.between].iter().all(|list| list.first() == Some(&0)),
        Op::Concatenate(op) => op.axis > 0,
        Op::Reverse(op) => !op.axes.contains(&0),
        Op::Reduce(op) => !op.axes.contains(&0),
        Op::Arg(op) => op.axis > 0,
        Op::Gather(_) => !rows(0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use cornu_graph::ops::Scan;
    use cornu_graph::{Tensor, Trace, Type};
    use cornu_testkit::lstm::Lstm;

    use super::*;

    /// The rows of each loop of a graph.
    fn rows_of(graph: &Graph) -> Vec<Option<usize>> {
        let scans = graph.nodes().filter_map(|(_, node)| if let Op::Scan(scan) = &node.op { Some(scan) } else { None });
        scans.map(|Scan { body, consts, .. }| rows(&Plan::new(body.graph()), *consts)).collect()
    }

    type Step = fn(&Tensor, &Tensor) -> Tensor;

    #[test]
    fn rows_that_depend_on_themselves_alone_are_found() {
        let cases: [(&str, Step, Option<usize>); 10] = [
            ("a product from the right", |h, w| h.dot(w).tanh(), Some(6)),
            ("a product from the left", |h, w| w.dot(h), None),
            ("a product with itself", |h, w| h.dot(w).dot(&h.transpose(&[1, 0]).dot(h)), None),
            ("sums of rows", |h, _| h + &h.sum([1]).reshape([6, 1]), Some(6)),
            ("sums of columns", |h, _| h + &h.sum([0]), None),
            ("parts of rows", |h, w| h.slice_axis(1, 0..3).sum([1]).reshape([6, 1]) * h.dot(w), Some(6)),
            ("rows from the end", |h, _| h.reverse([0]), None),
            ("a weight's row", |h, w| h * &w.slice_axis(0, 2..3), Some(6)),
            ("a weight's column", |h, w| h * &w.sum([1]).reshape([6, 1]), Some(6)),
            ("turned", |h, _| h.transpose(&[1, 0]), None),
        ];
        for (name, step, want) in cases {
            let trace = Trace::new();
            let [h, w] = [0, 1].map(|_| trace.input(Type::f32([6, 6])));
            let last = trace.scan(5, false, &[h], &[], |_, h, _| (vec![step(&h[0], &w)], Vec::new())).0;
            let graph = trace.finish(&last, &[]).expect("a sound graph");
            assert_eq!(rows_of(&graph), [want], "{name}");
        }
    }

    #[test]
    fn recurrences_go_by_rows_both_ways() {
        let graph = cornu_graph::passes::run(&Lstm::of_length(5).looped(), cornu_graph::passes::ALL);
        assert_eq!(rows_of(&graph), [Some(16); 2], "{graph}");
    }
}
