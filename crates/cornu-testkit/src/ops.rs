//! The suites that walk the samples of every op.

use cornu_graph::ops::{Op, Sample};
use cornu_graph::{Array, DType, Executor, Feed, Graph, Reference, Result, Tensor, Trace, Type, VarId, gradients};

use crate::golden::Report;

/// A sample as a graph of one op whose operands are inputs.
fn graph_of(sample: &Sample) -> Result<Graph> {
    let trace = Trace::new();
    let args: Vec<Tensor> = sample.args.iter().map(|arg| trace.input(arg.ty())).collect();
    let y = trace.push(sample.op.clone(), &args.iter().collect::<Vec<_>>());
    trace.finish(&[y], &[])
}

/// What an executor makes of a graph.
fn run(executor: &dyn Executor, graph: &Graph, args: &[Array]) -> Result<Array> {
    let mut session = executor.open()?;
    let program = session.compile(graph)?;
    session.run(program, &args.iter().map(Feed::Whole).collect::<Vec<_>>())?;
    session.output(program, 0)
}

fn name(sample: &Sample) -> String {
    let types: Vec<String> = sample.args.iter().map(|arg| arg.ty().to_string()).collect();
    format!("{:.4} {}", sample.op, types.join(" "))
}

/// Runs every sample on `executor` and on the reference evaluator, and compares: floats within `tolerance` of the
/// larger of one and their size, everything else exactly.
///
/// # Panics
/// If a sample differs.
pub fn agrees_with_reference(executor: &dyn Executor, tolerance: f64) {
    let mut report = Report::default();
    for sample in Op::samples() {
        report.case(&name(&sample), compare(executor, &sample, tolerance));
    }
    report.finish();
}

fn compare(executor: &dyn Executor, sample: &Sample, tolerance: f64) -> Result<(), String> {
    let graph = graph_of(sample).map_err(|error| error.to_string())?;
    let want = run(&Reference, &graph, &sample.args).map_err(|error| error.to_string())?;
    let got = run(executor, &graph, &sample.args).map_err(|error| error.to_string())?;
    if got.ty() != want.ty() {
        return Err(format!("needs {}, got {}", want.ty(), got.ty()));
    }
    let tolerance = if want.dtype().is_float() { tolerance } else { 0.0 };
    let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0);
    match (0..want.len()).find(|&i| !same(got.get(i), want.get(i))) {
        Some(i) => Err(format!("element {i} needs {}, got {}", want.get(i), got.get(i))),
        None => Ok(()),
    }
}

/// Checks the gradient of every sample against a finite difference in one direction, in doubles.
///
/// # Panics
/// If a gradient is wrong.
pub fn gradients_match_differences() {
    let mut report = Report::default();
    for sample in Op::samples() {
        let doubles: Vec<Array> = sample.args.iter().map(|arg| to_double(arg.clone())).collect();
        if doubles.iter().any(|arg| arg.dtype() == DType::F64 && (0..arg.len()).all(|i| arg.get(i).is_finite())) {
            report.case(&name(&sample), directional(&Sample { op: sample.op, args: doubles }));
        }
    }
    report.finish();
}

fn to_double(array: Array) -> Array {
    if array.dtype() == DType::F32 { array.cast(DType::F64) } else { array }
}

/// Numbers that differ from place to place, between -1 and 1.
fn direction(ty: &Type, phase: f64) -> Array {
    Array::from_fn(ty, |i| ((i as f64 + phase) * 1.7).sin())
}

fn directional(sample: &Sample) -> Result<(), String> {
    let trace = Trace::new();
    let args: Vec<Tensor> = sample.args.iter().map(|arg| trace.input(arg.ty())).collect();
    let y = trace.push(sample.op.clone(), &args.iter().collect::<Vec<_>>());
    if !y.dtype().is_float() {
        return Ok(());
    }
    let weights = trace.constant(direction(&y.ty(), 0.3));
    let loss = (&y * weights).sum_all();
    // Through singles, a difference is only as good as their 24 bits.
    let single = y.dtype() == DType::F32;
    let (step, tolerance) = if single { (0.25, 1e-5) } else { (1e-6, 1e-5) };
    let floats: Vec<usize> = (0..args.len()).filter(|&i| args[i].dtype().is_float()).collect();
    let by: Vec<Tensor> = floats.iter().map(|&i| args[i].clone()).collect();
    let slopes = gradients(&loss, &by);
    let graph = trace.finish(&[vec![loss], slopes].concat(), &[]).map_err(|error| error.to_string())?;

    let at = |step: f64| {
        let moved = sample.args.iter().enumerate().map(|(i, arg)| {
            if !floats.contains(&i) {
                return arg.clone();
            }
            let d = direction(&arg.ty(), i as f64);
            Array::from_fn(&arg.ty(), |j| arg.get(j) + step * d.get(j))
        });
        cornu_graph::evaluate(&graph, &[], &moved.collect::<Vec<_>>()).0
    };
    let difference = (at(step)[0].get(0) - at(-step)[0].get(0)) / (2.0 * step);
    let slopes = &at(0.0)[1..];
    let along = |(slope, &i): (&Array, &usize)| {
        let d = direction(&slope.ty(), i as f64);
        (0..slope.len()).map(|j| slope.get(j) * d.get(j)).sum::<f64>()
    };
    let slope: f64 = slopes.iter().zip(&floats).map(along).sum();
    let close = (slope - difference).abs() <= tolerance * difference.abs().max(1.0);
    // Sign and the like are flat by decree.
    if close || slope == 0.0 { Ok(()) } else { Err(format!("difference {difference}, gradient {slope}")) }
}

/// Every sample with its name, as a graph of one op.
///
/// # Panics
/// If one does not verify.
pub fn graphs() -> Vec<(String, Graph)> {
    let graph = |sample: &Sample| graph_of(sample).unwrap_or_else(|error| panic!("{}: {error}", name(sample)));
    Op::samples().iter().map(|sample| (name(sample), graph(sample))).collect()
}

/// A variable of a graph under test.
pub fn var(trace: &Trace, index: usize, ty: Type) -> Tensor {
    trace.var(VarId::new(index), ty)
}
