//! The suites that walk the samples of every op.

use cornu_graph::ops::{Binary, Op, Reduction, Sample, Unary};
use cornu_graph::{Array, Executor, Graph, Number, Reference, Result, Tensor, Trace, Type, VarId, gradients, passes};

use crate::golden::Report;
use crate::whole;

/// A sample as a graph of one op whose operands are inputs.
///
/// # Errors
/// If its type rule refuses it.
pub fn graph_of(sample: &Sample) -> Result<Graph> {
    let trace = Trace::new();
    let args: Vec<Tensor> = sample.args.iter().map(|arg| trace.input(arg.ty())).collect();
    let results = trace.push_all(sample.op.clone(), &args.iter().collect::<Vec<_>>());
    trace.finish(&results, &[])
}

/// The gradients of a sample's sum for its operands of floats, in a row; `None` where it has none.
fn slopes_of(sample: &Sample) -> Result<Option<Graph>> {
    let trace = Trace::new();
    let args: Vec<Tensor> = sample.args.iter().map(|arg| trace.input(arg.ty())).collect();
    let results = trace.push_all(sample.op.clone(), &args.iter().collect::<Vec<_>>());
    let sums = results.iter().filter(|y| y.dtype().is_float()).map(Tensor::sum_all);
    let floats: Vec<Tensor> = args.into_iter().filter(|arg| arg.dtype().is_float()).collect();
    let Some(sum) = sums.reduce(|a, b| a + b).filter(|_| !floats.is_empty() && sample.op.has_gradient()) else {
        return Ok(None);
    };
    trace.finish(&gradients(&sum, &floats), &[]).map(Some)
}

/// A sample as a graph of one op whose operands are constants, and therefore known to the passes.
fn known_graph_of(sample: &Sample) -> Result<Graph> {
    let trace = Trace::new();
    let args: Vec<Tensor> = sample.args.iter().map(|arg| trace.constant(arg.clone())).collect();
    let results = trace.push_all(sample.op.clone(), &args.iter().collect::<Vec<_>>());
    trace.finish(&results, &[])
}

/// The graph after all passes.
pub fn simplified(graph: &Graph) -> Graph {
    passes::run(graph, passes::ALL)
}

/// What an executor makes of a graph: its outputs.
pub(crate) fn run(executor: &dyn Executor, graph: &Graph, args: &[Array]) -> Result<Vec<Array>, String> {
    executor.open().and_then(|session| session.once(graph, args)).map_err(|error| error.to_string())
}

pub(crate) fn name(sample: &Sample) -> String {
    let types: Vec<String> = sample.args.iter().map(|arg| arg.ty().to_string()).collect();
    format!("{:.4} {}{}", sample.op, types.join(" "), if sample.edge { " at its edge" } else { "" })
}

/// Whether executors must give the very bits: whole numbers, copies, and what IEEE rounds in one way only.
pub(crate) fn is_exact(op: &Op, args: &[&Type]) -> bool {
    let floats = args.first().is_some_and(|arg| arg.dtype.is_float());
    match op {
        Op::Unary(op) => {
            use Unary::{Abs, Flush, Neg, Not, Relu, Sign, Sqrt, StopGradient};
            matches!(op, Neg | Abs | Sign | Sqrt | Relu | Flush | Not | StopGradient)
        }
        Op::Binary(op) => *op != Binary::Pow,
        Op::Reduce(reduce) => !floats || reduce.kind != Reduction::Sum || reduce.is_copy(args[0]),
        Op::Conv(_) | Op::ConvInput(_) | Op::ConvWeights(_) => !floats,
        Op::Dot(_) | Op::ScatterAdd(_) | Op::SumPool(_) | Op::Unpool(_) => !floats,
        Op::Scan(_) | Op::If(_) | Op::Call(_) | Op::While(_) => false,
        _ => true,
    }
}

fn sample_is_exact(sample: &Sample) -> bool {
    let types: Vec<Type> = sample.args.iter().map(Array::ty).collect();
    is_exact(&sample.op, &types.iter().collect::<Vec<_>>())
}

/// The elements as bits, which differ where a zero's sign does; one for all that are not numbers.
fn bits(array: &Array, i: usize) -> u64 {
    match array.number(i) {
        Number::Whole(x) => x as u64,
        Number::Double(x) if x.is_nan() => u64::MAX,
        Number::Double(x) => x.to_bits(),
    }
}

/// Whether two arrays are the same to the last bit, the sign of zero included.
///
/// # Errors
/// Says which element differs.
pub fn same_bits(got: &Array, want: &Array) -> Result<(), String> {
    alike(got, want, |i| bits(got, i) == bits(want, i))
}

/// Whether two arrays are the same: floats within `tolerance` of the larger of one and their size, with infinities and
/// not-a-number at the same places, everything else exactly.
///
/// # Errors
/// Says which element differs.
pub fn near(got: &Array, want: &Array, tolerance: f64) -> Result<(), String> {
    alike(got, want, |i| {
        let (a, b) = (got.get(i), want.get(i));
        let close = || want.dtype().is_float() && b.is_finite() && (a - b).abs() <= tolerance * b.abs().max(1.0);
        bits(got, i) == bits(want, i) || a == 0.0 && b == 0.0 || close()
    })
}

/// Whether no element of two arrays of floats is farther from the other than `distance`; infinities are equal.
///
/// # Errors
/// Says which element differs.
pub fn within(got: &Array, want: &Array, distance: f64) -> Result<(), String> {
    alike(got, want, |i| bits(got, i) == bits(want, i) || (got.get(i) - want.get(i)).abs() <= distance)
}

/// The same of several arrays.
fn each(got: &[Array], want: &[Array], same: impl Fn(&Array, &Array) -> Result<(), String>) -> Result<(), String> {
    assert_eq!(got.len(), want.len(), "outputs of one graph");
    got.iter().zip(want).try_for_each(|(got, want)| same(got, want))
}

fn alike(got: &Array, want: &Array, same: impl Fn(usize) -> bool) -> Result<(), String> {
    if got.ty() != want.ty() {
        return Err(format!("needs {}, got {}", want.ty(), got.ty()));
    }
    match (0..want.len()).find(|&i| !same(i)) {
        Some(i) => {
            let (want, got, ty) = (want.number(i), got.number(i), want.ty());
            Err(format!("element {i} of {ty} needs {want:?}, got {got:?}"))
        }
        None => Ok(()),
    }
}

/// Runs every sample and its gradient on `executor` and on the reference evaluator, and compares: bits where an op is
/// exact, else floats within `tolerance` of the larger of one and their size.
///
/// # Panics
/// If a sample differs.
pub fn agrees_with_reference(executor: &dyn Executor, tolerance: f64) {
    part_agrees_with_reference(executor, tolerance, [0, 1], true);
}

/// [`agrees_with_reference`] of every `parts`-th sample from `part` on, for executors that take long to compile; bits only
/// where the machine divides and takes roots as IEEE does.
///
/// # Panics
/// If a sample differs.
pub fn part_agrees_with_reference(executor: &dyn Executor, tolerance: f64, [part, parts]: [usize; 2], bits: bool) {
    let mut report = Report::default();
    for sample in Op::samples().into_iter().skip(part).step_by(parts) {
        let compare = || {
            let graph = graph_of(&sample).map_err(|error| error.to_string())?;
            let want = run(&Reference, &graph, &sample.args)?;
            let got = run(executor, &graph, &sample.args)?;
            let exact = bits && sample_is_exact(&sample);
            each(&got, &want, |got, want| if exact { same_bits(got, want) } else { near(got, want, tolerance) })?;
            let Some(slopes) = slopes_of(&sample).map_err(|error| error.to_string())? else { return Ok(()) };
            let (got, want) = (run(executor, &slopes, &sample.args)?, run(&Reference, &slopes, &sample.args)?);
            let outcome = each(&got, &want, |got, want| near(got, want, tolerance));
            outcome.map_err(|problem| format!("gradient: {problem}\n{slopes}"))
        };
        report.case(&name(&sample), compare());
    }
    report.finish();
}

/// Runs every sample and its gradient on `executor` as it is and after the passes, with its operands given and, where an
/// op is exact or the executor is the reference itself, known: the bits are the same.
///
/// # Panics
/// If a sample differs.
pub fn passes_keep_every_bit(executor: &dyn Executor) {
    let mut report = Report::default();
    for sample in Op::samples() {
        let compare = |graph: Result<Graph>, args: &[Array]| {
            let graph = graph.map_err(|error| error.to_string())?;
            each(&run(executor, &simplified(&graph), args)?, &run(executor, &graph, args)?, same_bits)
        };
        report.case(&name(&sample), compare(graph_of(&sample), &sample.args));
        if let Some(slopes) = slopes_of(&sample).transpose() {
            report.case(&format!("gradient of {}", name(&sample)), compare(slopes, &sample.args));
        }
        // An approximation has other last bits where the reference computes it.
        if sample_is_exact(&sample) || executor.name() == Reference.name() {
            report.case(&format!("{} of constants", name(&sample)), compare(known_graph_of(&sample), &[]));
        }
    }
    report.finish();
}

/// Runs every sample of whole numbers and compares with what Rust's own operators say.
///
/// # Panics
/// If a sample differs.
pub fn whole_numbers_agree(executor: &dyn Executor) {
    let mut report = Report::default();
    for sample in Op::samples() {
        let Some(want) = whole::expected(&sample.op, &sample.args) else { continue };
        let graph = graph_of(&sample).map_err(|error| error.to_string());
        let got = graph.and_then(|graph| run(executor, &graph, &sample.args));
        report.case(&name(&sample), got.and_then(|got| same_bits(&got[0], &want)));
    }
    report.finish();
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
