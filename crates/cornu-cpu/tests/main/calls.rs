//! Calls of large values run row by row, with the bits of the body run once.

use cornu_cpu::Cpu;
use cornu_graph::{Array, DType, Executor, Graph, Reference, Tensor, Trace, Type, gradients};
use cornu_testkit::ops::{near, same_bits};

/// Attention of four heads over a batch of 16, `[batch, places, heads, size]`, with a mask of that batch; its gradients, and
/// those of their squares.
fn attention(of_mask: usize) -> cornu_graph::Result<Graph> {
    let trace = Trace::new();
    let x = [0, 1, 2].map(|_| trace.input(Type::f32([16, 64, 4, 3])));
    let mask = trace.input(Type::new(DType::Bool, [of_mask, 1, 64, 64]));
    let made = trace.call(None, &x, |_, x| {
        let [q, k, v] = [0, 1, 2].map(|i| x[i].transpose(&[0, 2, 1, 3]));
        let scores = q.dot_as(&k, false, true) * 0.5;
        let scores = mask.broadcast_to([16, 4, 64, 64]).select(&scores, -1e9).softmax(-1);
        vec![scores.dot(&v).transpose(&[0, 2, 1, 3]), scores]
    });
    let slopes = gradients(&(&made[0] * &made[0]).sum_all(), &x);
    let squares = slopes.iter().map(|slope| slope.square().sum_all()).reduce(|one, other| one + other);
    let second = gradients(&squares.expect("three"), &x);
    let all: Vec<Tensor> = [&made[..1], &slopes, &second].concat();
    trace.finish(&all, &[])
}

#[test]
fn attention_runs_by_rows_of_the_batch() -> cornu_graph::Result<()> {
    let numbers = |phase: f64| Array::from_fn(&Type::f32([16, 64, 4, 3]), |i| ((i as f64 + phase) * 1.7).sin());
    for of_mask in [1, 16] {
        let mask = Array::from_fn(&Type::new(DType::Bool, [of_mask, 1, 64, 64]), |i| f64::from(i % 5 > 1));
        let (graph, args) = (attention(of_mask)?, [numbers(0.0), numbers(0.3), numbers(0.7), mask]);
        let want = Cpu::new().raw().threads(1).open()?.once(&graph, &args)?;
        let reference = Reference.open()?.once(&graph, &args)?;
        for (number, (got, want)) in want.iter().zip(&reference).enumerate() {
            assert_eq!(near(got, want, 1e-4), Ok(()), "output {number}, mask of {of_mask}");
        }
        for threads in [1, 2, 3, 5] {
            let session = Cpu::new().threads(threads).open()?;
            for (number, (got, want)) in session.once(&graph, &args)?.iter().zip(&want).enumerate() {
                assert_eq!(same_bits(got, want), Ok(()), "output {number}, {threads} threads, mask of {of_mask}");
            }
            let plan = session.compile(&graph)?.describe();
            assert_eq!(plan.matches(" by steps").count(), 4, "{plan}");
        }
    }
    Ok(())
}
