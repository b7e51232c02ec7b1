//! Bodies as steps: over a table of their own, which the loop around them fills.

use std::collections::HashMap;

use cornu_graph::{Error, Result, Value};

use crate::control::Frame;
use crate::kernels::memory::LINE;
use crate::kernels::operand::{Place, Span};
use crate::lower::{Lowering, Target};
use crate::plan::Plan;
use crate::rows::rows;

/// Turns the plan of a body into steps: behind its memory come the buffers of its inputs, of its outputs, and of its
/// constants. `scan` says how many inputs are the same for all steps of a loop, and how many
/// outputs are carries.
pub(crate) fn frame(plan: &Plan, target: Target, scan: Option<[usize; 2]>, around: &Lowering) -> Result<Frame> {
    let graph = plan.view.graph;
    let buffer = |base: usize, value: Value| {
        let ty = graph.ty(value);
        Place { dtype: ty.dtype, span: Span { base: base as u32, at: 0 }, len: ty.size() }
    };
    let inputs: Vec<(Value, Place)> = graph.inputs.iter().zip(1..).map(|(&x, base)| (x, buffer(base, x))).collect();
    let outputs = graph.outputs.iter().zip(1 + inputs.len()..);
    let outputs: Vec<(Value, Place)> = outputs.map(|(&y, base)| (y, buffer(base, y))).collect();
    let mut constants = Vec::new();
    plan.each_constant(&mut |base| constants.push(base));
    constants.sort_unstable();
    constants.dedup();
    let first = 1 + (inputs.len() + outputs.len()) as u32;
    let numbers: HashMap<u32, u32> = constants.iter().copied().zip(first..).collect();

    let mut given = plan.given.clone();
    given.values_mut().for_each(|place| place.span.base = numbers[&place.span.base]);
    given.extend(inputs.iter().copied().filter(|(_, place)| is_whole_lines(*place)));
    let [consts, carries] = scan.unwrap_or_default();
    let (made, twins) = made(plan, carries, &outputs);
    given.extend(made);
    let lowered = |by_rows: bool| {
        let places = plan.places(&HashMap::new(), &given);
        let mut lowering = Lowering::new(plan, target, places, Some(numbers.clone()))?;
        lowering.by_rows = by_rows;
        for &(value, from) in inputs.iter().filter(|(_, place)| !is_whole_lines(*place)) {
            lowering.copy(value, from, lowering.place(value));
        }
        lowering.jobs()?;
        for (number, &(value, to)) in outputs.iter().enumerate() {
            let from = lowering.place(value);
            if from.span != to.span && twins.get(number).is_none_or(Option::is_none) {
                lowering.copy(value, from, to);
            }
        }
        Ok::<Lowering, Error>(lowering)
    };
    let is_cut = |lowering: &Lowering, rows: usize| lowering.steps.0.iter().all(|step| step.has_rows(rows));
    // What is the same in all steps and must be copied is no work of rows.
    let found = inputs.iter().take(consts).all(|(_, place)| is_whole_lines(*place));
    let rows = rows(plan, consts).filter(|&rows| carries > 0 && target.threads > 1 && rows >= target.threads && found);
    let cut = rows.map(|rows| lowered(true).map(|lowering| (rows, lowering))).transpose()?;
    let (rows, lowering) = match cut.filter(|(rows, lowering)| is_cut(lowering, *rows)) {
        Some((rows, lowering)) => (Some(rows), lowering),
        None => (None, lowered(false)?),
    };
    Ok(Frame {
        graph: graph.clone(),
        constants: constants.into_iter().map(|base| around.number(base)).collect(),
        memory: lowering.needs,
        steps: lowering.steps.0,
        makes: lowering.steps.1,
        twins,
        rows,
    })
}

/// Programs read and write whole lines: of slices, only such as are.
fn is_whole_lines(place: Place) -> bool {
    place.bytes().is_multiple_of(LINE)
}

/// The values that are made where an output is to be; and for each carry the stacked output that is the same value, where
/// the next step finds it.
fn made(plan: &Plan, carries: usize, outputs: &[(Value, Place)]) -> (HashMap<Value, Place>, Vec<Option<usize>>) {
    let mut made = HashMap::new();
    let mut twins = vec![None; carries];
    let mut outputs_of: HashMap<Value, usize> = HashMap::new();
    for (number, &(value, place)) in outputs.iter().enumerate().rev() {
        let root = plan.view.root(value);
        match outputs_of.get(&root) {
            Some(&twin) if number < carries && twin >= carries => twins[number] = Some(twin),
            None if !plan.view.is_given(root) && is_whole_lines(place) => {
                outputs_of.insert(root, number);
                made.insert(root, place);
            }
            _ => {}
        }
    }
    (made, twins)
}
