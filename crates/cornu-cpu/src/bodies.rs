//! Bodies as steps: over a table of their own, which the loop around them fills.

use std::collections::HashMap;

use cornu_graph::{Error, Result, Value};

use crate::control::Frame;
use crate::kernels::operand::{Place, Span};
use crate::lower::{Before, Lowering, Target};
use crate::plan::Plan;
use crate::rows::rows;

/// How a body is run: by a loop, how many inputs are the same for all steps, and how many outputs are carries; and which
/// outputs are written over which inputs.
pub(crate) type Use = (Option<[usize; 2]>, Vec<(usize, usize)>);

/// Turns the plan of a body into steps.
pub(crate) fn frame(plan: &Plan, target: Target, (scan, over): &Use, around: &Lowering) -> Result<Frame> {
    let ends = Ends::new(plan);
    let [consts, carries] = scan.unwrap_or_default();
    let (given, twins) = ends.given(plan, carries, over);
    let kept = ends.kept(plan, consts, &twins);
    let lowered = |by_rows: bool| {
        let places = plan.places(&HashMap::new(), &given);
        let mut lowering = Lowering::new(plan, target, places, Some(ends.numbers.clone()))?;
        lowering.by_rows = by_rows;
        lowering.before = scan.map(|_| Before::new(consts, ends.count()));
        lowering.jobs()?;
        for (number, &(value, to)) in ends.outputs.iter().enumerate() {
            let from = lowering.place(value);
            let is_over = over.iter().any(|&(output, _)| output == number);
            let in_place = is_over || twins.get(number).is_some_and(Option::is_some) || kept.contains(&Some(number));
            if from.span != to.span && !in_place {
                lowering.copy(value, from, to);
            }
        }
        Ok::<Lowering, Error>(lowering)
    };
    let is_cut = |lowering: &Lowering, rows: usize| lowering.steps.0.iter().all(|step| step.has_rows(rows));
    let rows = rows(plan, consts).filter(|&rows| carries > 0 && target.threads > 1 && rows >= target.threads);
    let cut = rows.map(|rows| lowered(true).map(|lowering| (rows, lowering))).transpose()?;
    let (rows, lowering) = match cut.filter(|(rows, lowering)| is_cut(lowering, *rows)) {
        Some((rows, lowering)) => (Some(rows), lowering),
        None => (None, lowered(false)?),
    };
    let (before, turned) = lowering.before.map(|before| (before.steps, before.bytes)).unwrap_or_default();
    Ok(Frame {
        before,
        turned,
        graph: plan.view.graph.clone(),
        constants: ends.constants.iter().map(|&base| around.number(base)).collect(),
        memory: lowering.needs,
        steps: lowering.steps.0,
        makes: lowering.steps.1,
        twins,
        kept,
        rows,
    })
}

/// The buffers of a body behind its memory: inputs, outputs, constants.
struct Ends {
    inputs: Vec<(Value, Place)>,
    outputs: Vec<(Value, Place)>,
    /// The numbers of constants in the program, and here by those.
    constants: Vec<u32>,
    numbers: HashMap<u32, u32>,
}

impl Ends {
    fn new(plan: &Plan) -> Ends {
        let graph = plan.view.graph;
        let buffer = |(base, &value): (u32, &Value)| (value, Place::new(graph.ty(value), Span::of(base)));
        let inputs: Vec<_> = (1..).zip(&graph.inputs).map(buffer).collect();
        let outputs: Vec<_> = (1 + inputs.len() as u32..).zip(&graph.outputs).map(buffer).collect();
        let mut constants = Vec::new();
        plan.each_constant(&mut |base| constants.push(base));
        constants.sort_unstable();
        constants.dedup();
        let first = 1 + (inputs.len() + outputs.len()) as u32;
        let numbers = constants.iter().copied().zip(first..).collect();
        Ends { inputs, outputs, constants, numbers }
    }

    /// How many buffers there are.
    fn count(&self) -> u32 {
        1 + (self.inputs.len() + self.outputs.len() + self.constants.len()) as u32
    }

    /// The places of what is not made in memory between, and for each carry the stacked output that is the same value,
    /// where the next step finds it.
    fn given(
        &self,
        plan: &Plan,
        carries: usize,
        over: &[(usize, usize)],
    ) -> (HashMap<Value, Place>, Vec<Option<usize>>) {
        let mut given = plan.given.clone();
        given.values_mut().for_each(|place| place.span.base = self.numbers[&place.span.base]);
        given.extend(self.inputs.iter().copied());
        let mut twins = vec![None; carries];
        let mut made: HashMap<Value, usize> = HashMap::new();
        for (number, &(value, place)) in self.outputs.iter().enumerate().rev() {
            let root = plan.view.root(value);
            match made.get(&root) {
                Some(&twin) if number < carries && twin >= carries => twins[number] = Some(twin),
                None if !plan.view.is_given(root) => {
                    made.insert(root, number);
                    given.insert(root, place);
                }
                _ => {}
            }
        }
        for &(output, input) in over {
            let ((value, place), (_, of)) = (self.outputs[output], self.inputs[input]);
            given.insert(plan.view.root(value), Place { span: of.span, ..place });
        }
        (given, twins)
    }

    /// For each carry, the stacked output that keeps what a step is given of it: each step leaves it there for the next.
    fn kept(&self, plan: &Plan, consts: usize, twins: &[Option<usize>]) -> Vec<Option<usize>> {
        let mut outputs: HashMap<Value, usize> = HashMap::new();
        for (number, &(value, _)) in self.outputs.iter().enumerate().skip(twins.len()).rev() {
            outputs.insert(plan.view.root(value), number);
        }
        let carries = self.inputs.iter().skip(consts).zip(twins);
        carries.map(|(&(value, _), twin)| outputs.get(&value).copied().filter(|_| twin.is_none())).collect()
    }
}
