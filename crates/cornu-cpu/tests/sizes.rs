//! Graphs of many nodes: more than sixteen bits can number.

use std::sync::Arc;

use cornu_cpu::Cpu;
use cornu_graph::{Array, Executor, Graph, Session, Tensor, Trace, Type};

fn open(cpu: Cpu) -> Arc<dyn Session> {
    cpu.open().expect("a session")
}

/// The outputs of a graph, run without passes.
fn run(graph: &Graph, inputs: &[Array]) -> Vec<f64> {
    let outputs = open(Cpu::new().raw()).once(graph, inputs).expect("a sound graph");
    outputs.iter().map(|output| output.get(0)).collect()
}

/// A function of sixteen numbers.
fn function(body: impl Fn(Tensor) -> Vec<Tensor>) -> Graph {
    let trace = Trace::new();
    let outputs = body(trace.input(Type::f32([16])));
    trace.finish(&outputs, &[]).expect("a sound graph")
}

fn full(x: f64) -> Array {
    Array::from_fn(&Type::f32([16]), |_| x)
}

#[test]
fn many_additions() {
    let graph = function(|x| vec![(0..66_000).fold(x, |y, _| y + 1.0)]);
    assert_eq!(run(&graph, &[full(1.0)]), [66_001.0]);
}

/// What is negative after the first op, and positive after the others before the last 4465, changes its sign with each
/// of those.
#[test]
fn many_unary_ops() {
    let graph = function(|x| {
        vec![(0..70_000).fold(x, |y, k| match k {
            1..65_535 => y.abs(),
            _ => -y,
        })]
    });
    assert_eq!(run(&graph, &[full(3.0)]), [-3.0]);
}

#[test]
fn many_inputs() {
    let trace = Trace::new();
    let inputs: Vec<Tensor> = (0..66_000).map(|_| trace.input(Type::f32([1]))).collect();
    let sum = inputs.iter().skip(1).fold(inputs[0].clone(), |sum, x| sum + x);
    let graph = trace.finish(&[sum], &[]).expect("a sound graph");
    let arrays: Vec<Array> = (0..66_000).map(|i| Array::vector(vec![(i % 7) as f32])).collect();
    assert_eq!(run(&graph, &arrays), [(0..66_000).map(|i| i % 7).sum::<i32>().into()]);
}

#[test]
fn many_outputs() {
    let graph = function(|x| (0..66_000).map(|i| &x + i as f64).collect());
    let want: Vec<f64> = (0..66_000).map(|i| f64::from(i + 1)).collect();
    assert!(run(&graph, &[full(1.0)]) == want);
}
