//! Time of one training step of the tutorial's models, feeding included.

use std::time::Instant;

use cornu_cpu::Cpu;
use cornu_graph::Feed;
use cornu_testkit::nets::Mlp;

fn main() {
    for (name, mlp, rows, steps) in [("pima", Mlp::pima(), 610, 9150), ("mnist", Mlp::mnist(), 16_000, 1000)] {
        for threads in [1, 2] {
            let executor = Cpu::new().threads(threads);
            let (x, y) = mlp.data(rows);
            let mut session = mlp.session(&executor);
            let start = Instant::now();
            let program = session.compile(&mlp.step()).expect("a sound graph");
            let compiled = start.elapsed();
            let order: Vec<usize> = (0..rows).map(|i| i * 7919 % rows).collect();
            let mut times: Vec<f64> = (0..7)
                .map(|_| {
                    let start = Instant::now();
                    for rows in order.chunks_exact(mlp.batch).cycle().take(steps) {
                        session.run(program, &[Feed::Rows(&x, rows), Feed::Rows(&y, rows)]).expect("a step");
                    }
                    start.elapsed().as_secs_f64() / steps as f64 * 1e6
                })
                .collect();
            times.sort_by(f64::total_cmp);
            println!(
                "{name} {threads} threads: {:.2} µs a step (best {:.2}), compiled in {compiled:?}",
                times[3], times[0]
            );
        }
    }
}
