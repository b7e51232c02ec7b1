//! Graphs of several models at once against those of each alone: the same bits.

use std::collections::HashSet;

use cornu_graph::ops::{Op, Sample};
use cornu_graph::{Array, Executor, Feed, Given, Graph, Role, Stack, VarId, VarSpec, beside, part};

use crate::golden::Report;
use crate::nets::Mlp;
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
    let stack = Stack { models, inputs, own: HashSet::new() };
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
    let mut stack = Stack { models, inputs: vec![Given::Rows(rows); graph.inputs.len()], own: HashSet::new() };
    stack.spread(graph);
    stack.graph(graph, |var| var)
}

/// Trains models with weights of their own, on rows in orders of their own, side by side and alone.
///
/// # Panics
/// If a variable or an output differs.
pub fn training_keeps_every_bit(executor: &dyn Executor, mlp: &Mlp, models: usize) {
    const STEPS: usize = 4;
    let (solo, rows) = (mlp.step(), 3 * mlp.batch);
    let (x, y) = mlp.data(rows);
    let order = |model: usize| (0..STEPS * mlp.batch).map(move |i| ((i * 7 + model * 5) % rows) as u32);
    let alone = |model: usize| {
        let session = mlp.session(executor);
        let weights: Vec<Array> =
            session.read(&vars(mlp)).expect("variables").iter().map(|v| turned(v, model)).collect();
        session.write(&vars(mlp).into_iter().zip(&weights).collect::<Vec<_>>()).expect("of their types");
        let mut run = session.compile(&solo).and_then(|program| program.room()).expect("a sound graph");
        let data = [&x, &y].map(|array| session.upload(array.clone()).expect("memory"));
        run.steps(&[&data[0], &data[1]], &order(model).collect::<Vec<_>>(), mlp.batch).expect("steps");
        (weights, session.read(&vars(mlp)).expect("variables"))
    };
    let (starts, ends): (Vec<Vec<Array>>, Vec<Vec<Array>>) = (0..models).map(alone).unzip();
    let graph = step(&solo, models, rows);
    let session = executor.open().expect("a machine");
    for place in 0..vars(mlp).len() {
        let all: Vec<&Array> = starts.iter().map(|weights| &weights[place]).collect();
        let is_own = graph.updates.iter().any(|(var, new)| var.index() == place && *graph.ty(*new) != all[0].ty());
        let start = if is_own { beside(&all) } else { all[0].clone() };
        session.declare(VarSpec::value("variable", Role::Weight, start)).expect("memory");
    }
    let mut run = session.compile(&graph).and_then(|program| program.room()).expect("a sound graph");
    let data = [&x, &y].map(|array| session.upload(array.clone()).expect("memory"));
    let orders: Vec<Vec<u32>> = (0..models).map(|model| order(model).collect()).collect();
    let numbers = (0..STEPS * mlp.batch).flat_map(|i| orders.iter().map(move |order| order[i])).collect();
    let numbers = Array::new([STEPS * mlp.batch, models], numbers).expect("as many");
    let numbers = session.upload(numbers).expect("memory");
    for batch in Vec::from_iter(0..(STEPS * mlp.batch) as u32).chunks(mlp.batch) {
        run.start(&[Feed::Whole(&data[0]), Feed::Whole(&data[1]), Feed::Rows(&numbers, batch)]).expect("a step");
    }
    for (place, got) in session.read(&vars(mlp)).expect("variables").iter().enumerate() {
        for (model, want) in ends.iter().map(|end| &end[place]).enumerate() {
            let own = if got.ty() == want.ty() { got.clone() } else { part(got, model) };
            same_bits(&own, want).unwrap_or_else(|problem| panic!("v{place} of model {model}: {problem}"));
        }
    }
}

fn vars(mlp: &Mlp) -> Vec<VarId> {
    (0..mlp.vars().len()).map(VarId::new).collect()
}
