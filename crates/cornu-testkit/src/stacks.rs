//! Graphs of several models at once against those of each alone: the same bits.

use std::collections::{HashMap, HashSet};

use cornu_graph::ops::{Op, Sample};
use cornu_graph::{Array, Executor, Given, Graph, Stack, beside, part};

use crate::golden::Report;
use crate::ops::{graph_of, name, run, same_bits};

/// Runs every sample for `models` with other operands each, side by side and one by one: with operands of their own, and
/// with one operand that is the same for all.
///
/// # Panics
/// If bits differ.
pub fn samples_keep_every_bit(executor: &dyn Executor, models: usize) {
    let mut report = Report::default();
    for sample in Op::samples().iter().filter(|sample| !sample.args.is_empty()) {
        let same = (0..=sample.args.len()).filter(|&same| same == sample.args.len() || sample.args.len() > 1);
        for same in same {
            let what = format!("{} beside others, of operand {same} the same", name(sample));
            report.case(&what, compare(executor, sample, models, same));
        }
    }
    report.finish();
}

fn compare(executor: &dyn Executor, sample: &Sample, models: usize, same: usize) -> Result<(), String> {
    let graph = graph_of(sample).map_err(|error| error.to_string())?;
    let given = |i| if i == same { Given::Same } else { Given::Each };
    let inputs: Vec<Given> = (0..sample.args.len()).map(given).collect();
    let of = |model: usize| -> Vec<Array> {
        let own = |(i, arg): (usize, &Array)| if i == same { arg.clone() } else { turned(arg, model) };
        sample.args.iter().enumerate().map(own).collect()
    };
    let each: Vec<Vec<Array>> = (0..models).map(of).collect();
    let stacked = (0..inputs.len()).map(|i| match inputs[i] {
        Given::Same => each[0][i].clone(),
        _ => beside(&each.iter().map(|args| &args[i]).collect::<Vec<_>>()),
    });
    let stacked: Vec<Array> = stacked.collect();
    let stack = Stack { models, inputs, own: HashSet::new(), constants: HashMap::new() };
    let got = run(executor, &stack.graph(&graph, |var| var), &stacked)?;
    for (model, args) in each.iter().enumerate() {
        for (got, want) in got.iter().zip(run(executor, &graph, args)?) {
            same_bits(&part(got, model), &want).map_err(|problem| format!("model {model}: {problem}"))?;
        }
    }
    Ok(())
}

/// The elements, from another one on.
fn turned(array: &Array, by: usize) -> Array {
    array.pick(array.shape().clone(), |i| (i + by) % array.len())
}

/// The graph of a step whose variables are each model's own, and whose inputs are rows of tables of so many.
pub fn step(graph: &Graph, models: usize, rows: usize) -> Graph {
    let mut stack = Stack {
        models,
        inputs: vec![Given::Rows(rows); graph.inputs.len()],
        own: HashSet::new(),
        constants: HashMap::new(),
    };
    stack.spread(graph);
    stack.graph(graph, |var| var)
}
