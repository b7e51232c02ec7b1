//! What NumPy makes of numbers at the ends of their types: `testdata/ends.txt`, which says how it is read.

use std::collections::HashMap;

use cornu_graph::ops::{Binary, Compare, Reduction, Unary};
use cornu_graph::{Array, DType, Executor, Number, Tensor, Trace, Type};

use crate::golden::Report;
use crate::ops::{run, same_bits, simplified};

const TABLE: &str = include_str!("../../../testdata/ends.txt");

/// Compares every line of the table with what an executor makes of inputs, and of constants after the passes.
///
/// # Panics
/// If one differs, or the table lacks a type.
pub fn are_as_in_numpy(executor: &dyn Executor) {
    let mut ends: HashMap<DType, Array> = HashMap::new();
    let mut report = Report::default();
    for line in TABLE.lines().filter(|line| !line.starts_with(';')) {
        let (name, numbers) = line.split_once(" = ").expect("a name and numbers");
        let words: Vec<&str> = name.split(' ').collect();
        let own = words[1].parse().expect("an element type");
        if words[0] == "ends" {
            ends.insert(own, array(own, numbers));
            continue;
        }
        report.case(name, outcome(executor, &words, own, &ends[&own], numbers));
    }
    let missing: Vec<DType> = DType::ALL.into_iter().filter(|dtype| !ends.contains_key(dtype)).collect();
    report.case("every type", if missing.is_empty() { Ok(()) } else { Err(format!("no line for {missing:?}")) });
    report.finish();
}

fn array(dtype: DType, numbers: &str) -> Array {
    let read = |word: &str| match dtype.is_whole() {
        true => Number::Whole(word.parse().expect("a whole number")),
        false => Number::Double(word.parse().expect("a number")),
    };
    let numbers: Vec<Number> = numbers.split(' ').map(read).collect();
    Array::from_numbers(&Type::new(dtype, [numbers.len()]), |i| numbers[i])
}

fn outcome(executor: &dyn Executor, words: &[&str], own: DType, ends: &Array, numbers: &str) -> Result<(), String> {
    for known in [false, true] {
        let trace = Trace::new();
        let x = if known { trace.constant(ends.clone()) } else { trace.input(ends.ty()) };
        let y = function(words, &x).ok_or("no function of that name")?;
        let want = array(y.dtype(), numbers);
        let graph = trace.finish(&[y.reshape([y.shape().size()])], &[]).map_err(|error| error.to_string())?;
        let (graph, given) = if known { (simplified(&graph), None) } else { (graph, Some(ends.clone())) };
        let got = run(executor, &graph, given.as_slice())?;
        same_bits(&got[0], &want).map_err(|problem| format!("{own}, {problem}\n{graph}"))?;
    }
    Ok(())
}

/// What a line of the table computes, of the ends of its type.
fn function(words: &[&str], x: &Tensor) -> Option<Tensor> {
    let n = x.dim(0);
    let (a, b) = (x.broadcast([n, n], &[0]), x.broadcast([n, n], &[1]));
    let name = words[0];
    if let Some(op) = Unary::ALL.iter().find(|op| op.name() == name) {
        return Some(x.apply(*op));
    }
    if let Some(op) = Compare::ALL.iter().find(|op| op.name() == name) {
        return Some(a.apply_to(*op, &[&b]));
    }
    if let Some(op) = Binary::ALL.iter().find(|op| op.name() == name) {
        return Some(a.apply_to(*op, &[&b]));
    }
    Some(match name {
        "cast" => x.cast(words[3].parse().ok()?),
        "sum" => x.reduce(Reduction::Sum, &[0]),
        "greatest" => x.reduce(Reduction::Max, &[0]),
        "least" => x.reduce(Reduction::Min, &[0]),
        "argmax" => x.reverse([0]).argmax(0),
        "argmin" => x.reverse([0]).argmin(0),
        "dot" => x.reshape([1, n]).dot(&x.reshape([n, 1])),
        "iota" => x.trace().iota(Type::new(x.dtype(), [300]), 0),
        _ => return None,
    })
}
