//! Gradients of large weights that only the optimizer reads go a few rows at a time, with the bits of those that lie in
//! memory.

use cornu_cpu::Cpu;
use cornu_graph::ops::Op;
use cornu_graph::{Array, Feed, Graph};
use cornu_testkit::nets::Mlp;

/// The variables after three steps, and how many gradients went by rows.
fn trained(mlp: &Mlp, graph: &Graph, threads: usize) -> (Vec<Array>, usize) {
    let session = mlp.session(&Cpu::new().threads(threads));
    let program = session.compile(graph).expect("a sound graph");
    let mut run = program.room().expect("memory");
    let (x, y) = mlp.data(mlp.batch);
    (0..3).for_each(|_| run.start(&[Feed::Host(&x), Feed::Host(&y)]).expect("a step"));
    let vars: Vec<_> = graph.updates.iter().map(|&(var, _)| var).collect();
    (session.read(&vars).expect("variables"), program.describe().matches(" rows: dot ").count())
}

#[test]
fn gradients_that_lie_nowhere_change_weights_as_others_do() {
    for (sizes, large) in [(&[300, 130, 170, 10][..], 2), (&[785, 33, 1][..], 1), (&[8, 12, 1], 0)] {
        let mlp = Mlp { sizes: sizes.to_vec(), batch: 24 };
        let graph = mlp.step();
        // Who asks for a gradient has it in memory.
        let mut kept = graph.clone();
        let slopes = graph.nodes().filter(|(_, node)| matches!(&node.op, Op::Dot(dot) if dot.transpose_a));
        kept.outputs.extend(slopes.map(|(value, _)| value));
        let (want, none) = trained(&mlp, &kept, 1);
        assert_eq!(none, 0);
        for threads in [1, 2, 3, 5] {
            let (got, by_rows) = trained(&mlp, &graph, threads);
            assert!(got == want, "{sizes:?}, {threads} threads");
            assert_eq!(by_rows, large, "{sizes:?}");
        }
    }
}
