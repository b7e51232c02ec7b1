//! Many models of the lesson's form that differ in seed and rate: trained together, and each by itself on as many threads as
//! there are cores; and so many that it tells of memory. `cargo bench --package cornu --bench together`.

use std::time::Instant;

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::fit_together;

const MODELS: usize = 256;
const MANY: usize = 1_000;
const EPOCHS: usize = 150;

fn model(number: usize) -> cornu::Result<Sequential> {
    let mut model = Sequential::seeded(Flavor::Keras2, Seeds::new(number as u32));
    model.run_on(cornu::Cpu::new().threads(1))?;
    model.add(Dense::new(12).input_shape([8]).activation("relu"));
    model.add(Dense::new(8).activation("relu"));
    model.add(Dense::new(1).activation("sigmoid"));
    let optimizer = Adam::new().learning_rate(0.0005 * (1 + number % 16) as f64);
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(optimizer).metrics(["accuracy"]))?;
    Ok(model)
}

/// Trains the first so many models together; gives the seconds from the first model on, and their histories.
fn together(models: usize, x: &Array, y: &Array) -> cornu::Result<(f64, Vec<History>)> {
    let begun = Instant::now();
    let mut models = (0..models).map(model).collect::<cornu::Result<Vec<_>>>()?;
    let histories = fit_together(&mut models, x, y, fit())?;
    Ok((begun.elapsed().as_secs_f64(), histories))
}

fn fit() -> Fit {
    Fit::new().epochs(EPOCHS).batch_size(10).verbose(0)
}

/// The most megabytes that the process has held, where the system tells.
fn peak() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<usize>().ok().map(|kilobytes| kilobytes / 1024)
}

fn main() -> cornu::Result<()> {
    let x = Array::from_fn(&Type::f32([614, 8]), |i| ((i + 1) as f64 * 0.618_033_988_7).fract() * 4.0 - 1.5);
    let y = Array::from_fn(&Type::f32([614, 1]), |i| ((i * i + i / 3) % 3 / 2) as f64);
    for _ in 0..3 {
        let (seconds, histories) = together(MODELS, &x, &y)?;
        let begun = Instant::now();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let alone = |thread: usize| -> cornu::Result<f64> {
            let mut last = 0.0;
            for number in (thread..MODELS).step_by(cores) {
                last = model(number)?.fit(&x, &y, fit())?["loss"][EPOCHS - 1];
            }
            Ok(last)
        };
        let last = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..cores).map(|thread| scope.spawn(move || alone(thread))).collect();
            threads.into_iter().map(|thread| thread.join().expect("a thread")).collect::<cornu::Result<Vec<f64>>>()
        })?;
        let by_hand = begun.elapsed().as_secs_f64();
        assert_eq!(last[(MODELS - 1) % cores].to_bits(), histories[MODELS - 1]["loss"][EPOCHS - 1].to_bits());
        println!(
            "{MODELS} models: together {seconds:.3} s, each by itself {by_hand:.3} s: {:.1} times",
            by_hand / seconds
        );
    }
    for _ in 0..3 {
        let before = peak();
        let (seconds, _) = together(MANY, &x, &y)?;
        let memory = peak().zip(before).map(|(peak, before)| format!(", {peak} MB at most, {before} before"));
        println!("{MANY} models: together {seconds:.3} s{}", memory.unwrap_or_default());
    }
    Ok(())
}
