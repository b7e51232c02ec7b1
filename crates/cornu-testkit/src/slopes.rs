//! Rules of gradients against differences.

use cornu_graph::ops::{Grad, Op, Sample, Site, Unary};
use cornu_graph::{Array, DType, Error, Graph, Tensor, Trace, Type, evaluate, gradients};

use crate::golden::Report;
use crate::ops::{graph_of, name, same_bits};

/// What a rule answers for `y = op(x…)` and the gradient of `y`: [`cornu_graph::ops::OpDef::vjp`], or something wrong that
/// must be found.
pub type Rule<'r> = &'r dyn Fn(&Op, &[Tensor], &Tensor, &Tensor) -> Vec<Grad>;

/// The same of an op of several results, of which those of floats have a gradient.
type Full<'r> = &'r dyn Fn(&Op, &[Tensor], &[Tensor], &[Option<Tensor>]) -> Vec<Grad>;

/// Checks the rule of every sample; away from edges, against differences in doubles.
///
/// # Panics
/// If a rule is wrong.
pub fn gradients_match_differences() {
    let mut report = Report::default();
    for sample in Op::samples() {
        if sample.op.has_gradient() {
            report.case(&name(&sample), check(&sample, &rule));
        }
    }
    report.finish();
}

/// What an op says.
fn rule(op: &Op, x: &[Tensor], y: &[Tensor], ct: &[Option<Tensor>]) -> Vec<Grad> {
    let wanted = vec![true; x.len()];
    let site = Site { x, y, ct, wanted: &wanted };
    if ct.iter().any(Option::is_some) { op.vjp(&site).into_iter().collect() } else { vec![Grad::Flat; x.len()] }
}

/// The op on doubles, its bodies as well.
fn doubled(sample: &Sample) -> Result<Op, String> {
    let graph = graph_of(sample).map_err(|error| error.to_string())?;
    let graph: Graph = doubles(&graph.to_string()).parse().map_err(|e: Error| e.to_string())?;
    Ok(graph.op(graph.outputs[0]).clone())
}

/// Checks a rule at a sample:
/// * it has one entry for each operand, of its type, and `Flat` where only one of operand and result is of floats;
/// * away from edges, where floats vary one operand at a time in one direction, the gradient along it is the difference,
///   and [`gradients`] gives that gradient; so does the gradient of the gradient;
/// * what is declared flat has no gradient, and no difference either but for `stop_gradient`.
///
/// # Errors
/// Says what does not hold.
pub fn fits(sample: &Sample, rule: Rule) -> Result<(), String> {
    check(sample, &|op, x, y, ct| rule(op, x, &y[0], ct[0].as_ref().expect("a result of floats")))
}

fn check(sample: &Sample, rule: Full) -> Result<(), String> {
    answers(sample, rule)?;
    let args: Vec<Array> = sample.args.iter().map(double).collect();
    if sample.edge || !args.iter().any(|arg| arg.dtype().is_float()) {
        return Ok(());
    }
    Slopes::new(&doubled(sample)?, args, rule)?.map_or(Ok(()), |slopes| slopes.check())
}

/// The text of a graph, with doubles for all floats.
pub(crate) fn doubles(text: &str) -> String {
    text.replace("bf16", "f64").replace("f16", "f64").replace("f32", "f64")
}

/// The same numbers, floats as doubles.
pub(crate) fn double(arg: &Array) -> Array {
    if arg.dtype().is_float() { arg.clone().cast(DType::F64) } else { arg.clone() }
}

/// One entry for each operand, of its type.
fn answers(sample: &Sample, rule: Full) -> Result<(), String> {
    let trace = Trace::new();
    let x: Vec<Tensor> = sample.args.iter().map(|arg| trace.input(arg.ty())).collect();
    let y = trace.push_all(sample.op.clone(), &x.iter().collect::<Vec<_>>());
    let cts: Vec<_> = y.iter().map(|y| Some(trace.constant(Array::zeros(&y.ty())))).collect();
    let grads = rule(&sample.op, &x, &y, &cts);
    if grads.len() != x.len() {
        return Err(format!("{} operands, {} gradients", x.len(), grads.len()));
    }
    if !x.iter().chain(&y).any(|t| t.dtype().is_float()) {
        return Ok(());
    }
    trace.check().map_err(|error| error.to_string())?;
    for (i, (x, grad)) in x.iter().zip(&grads).enumerate() {
        match grad {
            Grad::By(ct) if ct.ty() != x.ty() => return Err(format!("operand {i} is {x:?}, its gradient {ct:?}")),
            Grad::By(_) if x.dtype().is_float() != y.iter().any(|y| y.dtype().is_float()) => {
                return Err(format!("operand {i} is {x:?}, the result {y:?}, and yet there is a gradient"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A graph of a scalar, of its gradients, of a scalar of those, and of that one's gradients.
struct Slopes {
    op: Op,
    args: Vec<Array>,
    /// The operands that are floats, and whether the rule declares each flat.
    floats: Vec<(usize, bool)>,
    /// Outputs: both scalars, then for each of `floats` what the rule says, what `gradients` says, and what it says of the
    /// second scalar.
    graph: Graph,
}

impl Slopes {
    fn new(op: &Op, args: Vec<Array>, rule: Full) -> Result<Option<Slopes>, String> {
        let trace = Trace::new();
        let x: Vec<Tensor> = args.iter().map(|arg| trace.input(arg.ty())).collect();
        let y = trace.push_all(op.clone(), &x.iter().collect::<Vec<_>>());
        let ct = |y: &Tensor| y.dtype().is_float().then(|| trace.constant(direction(&y.ty(), 0.3)));
        let cts: Vec<Option<Tensor>> = y.iter().map(ct).collect();
        let sums = y.iter().zip(&cts).filter_map(|(y, ct)| Some((y * ct.as_ref()?).sum_all()));
        let Some(first) = sums.reduce(|a, b| a + b) else { return Ok(None) };
        let grads = rule(op, &x, &y, &cts);
        let floats: Vec<usize> = (0..x.len()).filter(|&i| x[i].dtype().is_float()).collect();
        let by: Vec<Tensor> = floats.iter().map(|&i| x[i].clone()).collect();
        let said = |&i: &usize| match &grads[i] {
            Grad::By(grad) => grad.clone(),
            Grad::Flat | Grad::Unwanted => x[i].number(0.0).broadcast_to(x[i].shape()),
        };
        let said: Vec<Tensor> = floats.iter().map(said).collect();
        let along = |slope: &Tensor| (slope * trace.constant(direction(&slope.ty(), 0.7))).sum_all();
        let second = said.iter().map(along).reduce(|a, b| a + b).expect("some operand is of floats");
        let seconds = gradients(&second, &by);
        let outputs = [vec![first.clone(), second], said, gradients(&first, &by), seconds].concat();
        let graph = trace.finish(&outputs, &[]).map_err(|error| error.to_string())?;
        let floats = floats.into_iter().map(|i| (i, matches!(grads[i], Grad::Flat))).collect();
        Ok(Some(Slopes { op: op.clone(), args, floats, graph }))
    }

    /// The outputs where operand `operand` has moved `step` far.
    fn at(&self, operand: usize, step: f64) -> Vec<Array> {
        let mut args = self.args.clone();
        let (d, arg) = (direction(&args[operand].ty(), operand as f64), &self.args[operand]);
        args[operand] = Array::from_fn(&arg.ty(), |i| arg.get(i) + step * d.get(i));
        evaluate(&self.graph, &[], &args).0
    }

    fn check(&self) -> Result<(), String> {
        let step = 1e-6;
        let count = self.floats.len();
        for (k, &(operand, flat)) in self.floats.iter().enumerate() {
            let (here, up, down) = (self.at(operand, 0.0), self.at(operand, step), self.at(operand, -step));
            let difference = |output: usize| (up[output].get(0) - down[output].get(0)) / (2.0 * step);
            let d = direction(&self.args[operand].ty(), operand as f64);
            let along = |slope: &Array| (0..slope.len()).map(|i| slope.get(i) * d.get(i)).sum::<f64>();
            let close = |output: usize, slope: &Array| {
                let (difference, slope) = (difference(output), along(slope));
                let close = (slope - difference).abs() <= 1e-5 * difference.abs().max(1.0);
                let which = if output == 0 { "" } else { " of the gradient" };
                let problem = format!("operand {operand}: difference{which} {difference}, gradient{which} {slope}");
                if close { Ok(()) } else { Err(problem) }
            };
            if !(flat && self.op == Unary::StopGradient.into()) {
                close(0, &here[2 + k])?;
            }
            let found = same_bits(&here[2 + count + k], &here[2 + k]);
            found.map_err(|problem| format!("operand {operand}: `gradients` against the rule: {problem}"))?;
            close(1, &here[2 + 2 * count + k])?;
        }
        Ok(())
    }
}

/// Numbers that differ from place to place, between -1 and 1.
fn direction(ty: &Type, phase: f64) -> Array {
    Array::from_fn(ty, |i| ((i as f64 + phase) * 1.7).sin())
}
