//! How long a training step takes on a plugin's device, one by one and many in a run: a net of 784-128-10, batches of 32.
//! `CORNU_PJRT_PLUGIN=… cargo run --release --package cornu-xla --example steps`

use std::time::Instant;

use cornu_graph::{Result, VarId};
use cornu_testkit::nets::Mlp;
use cornu_xla::Xla;

/// Rows of data, as in MNIST.
const ROWS: usize = 60_000;
/// How often each is timed.
const TIMES: usize = 5;

fn main() -> Result<()> {
    let xla = Xla::from_environment()?;
    let mlp = Mlp::mnist();
    println!("{}; microseconds a step, {TIMES} times, and the first run with its compilation", xla.platform()?);
    let steps: usize = std::env::args().nth(1).and_then(|steps| steps.parse().ok()).unwrap_or(1500);
    for at_once in [1, 25, 500].map(|at_once| steps.min(at_once)) {
        let session = mlp.session(&xla);
        let mut run = session.compile(&mlp.step())?.room()?;
        let (x, y) = mlp.data(ROWS);
        let (x, y) = (session.upload(x)?, session.upload(y)?);
        let order: Vec<u32> = (0..steps * mlp.batch).map(|i| (i * 7919 % ROWS) as u32).collect();
        let mut epoch = |steps: usize| -> Result<f64> {
            let begun = Instant::now();
            for rows in order[..steps * mlp.batch].chunks(at_once * mlp.batch) {
                run.steps(&[&x, &y], rows, mlp.batch)?;
            }
            run.wait()?;
            session.read(&[VarId::new(0)])?;
            Ok(begun.elapsed().as_secs_f64() * 1e6)
        };
        let first = epoch(at_once)?;
        let times: Vec<String> =
            (0..TIMES).map(|_| Ok(format!("{:.1}", epoch(steps)? / steps as f64))).collect::<Result<_>>()?;
        println!("{at_once:>4} steps a run: {}; first {:.0} ms", times.join(" "), first / 1e3);
    }
    Ok(())
}
