//! What a loop stacks lies where the rows of a value were that it reads last, if each step is done with its row when it
//! writes another there.

use cornu_graph::ops::{Op, Scan};
use cornu_graph::{Node, Value};

use crate::jobs::Job;
use crate::plan::Plan;
use crate::view::View;

/// Stacked results of loops, and the values that they are written over, in order.
#[derive(Default)]
pub(crate) struct Over(Vec<(Value, Value)>);

impl Over {
    pub(crate) fn new(plan: &Plan) -> Over {
        let (lives, graph) = (plan.lifetimes(), plan.view.graph);
        let mut over = Over::default();
        for (number, job) in plan.jobs.iter().enumerate() {
            let &Job::Single(value) = job else { continue };
            let (Op::Scan(scan), node) = (graph.op(value), graph.node(value)) else { continue };
            let roots: Vec<Value> = node.args.iter().map(|&arg| plan.view.root(arg)).collect();
            let ends = |of: Value| lives[of.index()].is_some_and(|(_, dies)| dies == number + 1);
            let is_own = |of: Value| !plan.view.is_given(of) && plan.homes.var(of).is_none();
            for (input, &of) in roots.iter().enumerate().skip(scan.inputs()) {
                let once = roots.iter().filter(|&&root| root == of).count() == 1;
                if once
                    && ends(of)
                    && is_own(of)
                    && let Some(result) = over.result(plan, scan, node, input)
                {
                    over.0.push((result, of));
                }
            }
        }
        over
    }

    /// A stacked result that can be written over that operand of a loop.
    fn result(&self, plan: &Plan, scan: &Scan, node: &Node, input: usize) -> Option<Value> {
        let (graph, body) = (plan.view.graph, &plan.bodies[plan.number(&scan.body)]);
        let of = graph.ty(node.args[input]);
        let fits = |&(output, value): &(usize, Value)| {
            let ty = graph.ty(value);
            // What a body makes for the loop around it lies there.
            let is_free = !(plan.is_body && graph.outputs.iter().any(|&output| plan.view.root(output) == value));
            (ty.dtype, ty.size()) == (of.dtype, of.size())
                && is_free
                && plan.homes.var(value).is_none()
                && !self.0.iter().any(|(known, _)| *known == value)
                && writes_over(body, body.view.graph.inputs[input], body.view.graph.outputs[output])
        };
        node.results().enumerate().skip(scan.carries).find(fits).map(|(_, value)| value)
    }

    /// The results of a loop that are written over operands: their numbers, and those of the operands.
    pub(crate) fn pairs(&self, view: &View, node: &Node) -> Vec<(usize, usize)> {
        let below = |value: Value| self.0.iter().find(|(known, _)| *known == value).map(|&(_, of)| of);
        let operand = |of: Value| node.args.iter().position(|&arg| view.root(arg) == of);
        node.results().enumerate().filter_map(|(i, value)| Some((i, operand(below(value)?)?))).collect()
    }

    /// What is written over lives as long as what is written there, which needs no place of its own.
    pub(crate) fn join(&self, lives: &mut [Option<(usize, usize)>]) {
        for &(value, of) in self.0.iter().rev() {
            let after = lives[value.index()].take();
            if let (Some((_, dies)), Some((_, end))) = (&mut lives[of.index()], after) {
                *dies = end.max(*dies);
            }
        }
    }

    /// Each with what it is written over, that one before it.
    pub(crate) fn each(&self, mut see: impl FnMut(Value, Value)) {
        self.0.iter().for_each(|&(value, of)| see(value, of));
    }
}

/// Whether a body writes an output element by element where it reads an input, and reads the input nowhere afterwards.
fn writes_over(plan: &Plan, input: Value, output: Value) -> bool {
    let (view, output) = (&plan.view, plan.view.root(output));
    let mut writers = Vec::new();
    let mut last = None;
    for (number, job) in plan.jobs.iter().enumerate() {
        job.each_write(view, |value| {
            if value == output {
                writers.push(number);
            }
        });
        job.each_read(view, |value, _| {
            if value == input {
                last = Some(number);
            }
        });
    }
    let is_output = view.graph.outputs.iter().any(|&output| view.root(output) == input);
    let Some(&writer) = writers.first().filter(|_| !is_output) else { return false };
    let Job::Fused(drafts) = &plan.jobs[writer] else { return false };
    let [draft] = &drafts[..] else { return false };
    let written: Vec<_> = draft.outputs.iter().filter(|(_, to)| to.0 == output).map(|(_, to)| &to.1).collect();
    let mut reads = draft.inputs.iter().filter(|(value, _)| *value == input);
    writers.iter().all(|&number| number == writer)
        && last.is_none_or(|last| last <= writer)
        && !draft.added.contains(&input)
        && reads.all(|(_, walk)| written.contains(&walk))
}

#[cfg(test)]
mod tests {
    use cornu_graph::{Array, Executor, Graph, Role, Tensor, Trace, Type, VarId, VarSpec, gradients, passes};

    use super::*;
    use crate::Cpu;
    use crate::kernels::operand::{Place, Span};

    const SIZES: [usize; 4] = [9, 6, 32, 128];

    fn weights() -> Vec<Type> {
        let [_, _, features, units] = SIZES;
        [features, units].map(|rows| Type::f32([rows, 4 * units])).into()
    }

    /// A step of gradient descent of an LSTM; its output, for each step.
    fn lstm() -> Graph {
        let [steps, rows, features, units] = SIZES;
        let trace = Trace::new();
        let vars: Vec<Tensor> = weights().into_iter().enumerate().map(|(i, ty)| trace.var(VarId::new(i), ty)).collect();
        let x = trace.input(Type::f32([steps, rows, features])).reshape([steps * rows, features]);
        let z = x.dot(&vars[0]).reshape([steps, rows, 4 * units]);
        let start = [0, 1].map(|_| trace.constant(Array::zeros(&Type::f32([rows, units]))));
        let step = |_: &Trace, state: &[Tensor], z: &[Tensor]| {
            let z = &z[0] + state[0].dot(&vars[1]);
            let gate = |i: usize| z.slice_axis(1, i * units..(i + 1) * units);
            let c = gate(0).sigmoid() * &state[1] + gate(1).sigmoid() * gate(2).tanh();
            (vec![gate(3).sigmoid() * c.tanh(), c], Vec::new())
        };
        let last = trace.scan(steps, false, &start, &[z], step).0.remove(0);
        let slopes = gradients(&last.square().mean([0, 1]), &vars);
        let updates = vars.iter().zip(&slopes).enumerate().map(|(i, (w, g))| (VarId::new(i), w - g * 0.1));
        trace.finish(&[last], &updates.collect::<Vec<_>>()).expect("a sound graph")
    }

    #[test]
    fn an_lstm_needs_little_more_than_what_it_stacks() {
        let graph = passes::run(&lstm(), passes::ALL);
        let place = |&(var, value): &(VarId, Value)| (var, Place::new(graph.ty(value), Span::of(1)));
        let vars = graph.vars.iter().chain(&graph.updates).map(place).collect();
        let plan = Plan::new(&graph);
        let needs = plan.places(&vars, &std::collections::HashMap::new()).1;
        // Four gates, the cell before and its hyperbolic tangent, the output before.
        let stacked = 7 * SIZES[0] * SIZES[1] * SIZES[3] * size_of::<f32>();
        assert_eq!(plan.over.0.len(), 2, "{graph}");
        assert!(10 * needs <= 13 * stacked, "{needs} bytes for {stacked}\n{graph}");
    }

    #[test]
    fn what_is_written_over_rows_is_as_it_was() {
        let run = |cpu: Cpu| {
            let session = cpu.open().expect("a machine");
            for ty in weights() {
                let value = Array::from_fn(&ty, |i| ((i * 7919 % 1013) as f64 - 506.0) / 5000.0);
                session.declare(VarSpec::value("weight", Role::Weight, value)).expect("memory");
            }
            let x = Array::from_fn(&Type::f32(&SIZES[..3]), |i| ((i * 31 % 97) as f64 - 48.0) / 50.0);
            let results = session.once(&lstm(), &[x]).expect("a step");
            let vars: Vec<Array> = (0..2).map(|i| session.value(VarId::new(i)).expect("a variable")).collect();
            [results, vars].concat()
        };
        let want = run(Cpu::new().threads(1).raw());
        for threads in [1, 2, 3, 5] {
            assert!(run(Cpu::new().threads(threads)) == want, "{threads} threads");
        }
    }
}
