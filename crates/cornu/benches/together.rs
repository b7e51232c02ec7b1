//! Many models of the lesson's form that differ in seed and rate: trained together, and each by itself on as many threads as
//! there are cores; the same of models of many sizes; and so many that it tells of memory. `cargo bench --package cornu --bench together`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::fit_together;

const MODELS: usize = 256;
const MANY: usize = 1_000;
const EPOCHS: usize = 150;

fn model(number: usize) -> cornu::Result<Sequential> {
    sized(number, [12, 8], "relu", 0.0005 * (1 + number % 16) as f64)
}

/// A model of a search: sizes, activation and rate are drawn.
fn drawn(number: usize) -> cornu::Result<Sequential> {
    let part = |each: f64| ((number + 1) as f64 * each).fract();
    let units = [0.754_877_666, 0.569_840_291].map(part);
    let units = [4 * (1 + (16.0 * units[0]) as usize), 4 * (1 + (8.0 * units[1]) as usize)];
    let rate = 10f64.powf(3.0f64.mul_add(part(0.414_213_562), -4.0));
    sized(number, units, if number.is_multiple_of(2) { "relu" } else { "tanh" }, rate)
}

fn sized(number: usize, units: [usize; 2], activation: &str, rate: f64) -> cornu::Result<Sequential> {
    let mut model = Sequential::seeded(Flavor::Keras2, Seeds::new(number as u32));
    model.run_on(cornu::Cpu::new().threads(1))?;
    model.add(Dense::new(units[0]).input_shape([8]).activation(activation));
    model.add(Dense::new(units[1]).activation(activation));
    model.add(Dense::new(1).activation("sigmoid"));
    let optimizer = Adam::new().learning_rate(rate);
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(optimizer).metrics(["accuracy"]))?;
    Ok(model)
}

type Make = fn(usize) -> cornu::Result<Sequential>;

/// Trains the first so many models together; gives the seconds from the first model on, and their histories.
fn together(models: usize, make: Make, fit: &Fits, x: &Array, y: &Array) -> cornu::Result<(f64, Vec<History>)> {
    let begun = Instant::now();
    let mut models = (0..models).map(make).collect::<cornu::Result<Vec<_>>>()?;
    let histories = fit_together(&mut models, x, y, fit())?;
    Ok((begun.elapsed().as_secs_f64(), histories))
}

type Fits = dyn Fn() -> Fit + Sync;

fn fit() -> Fit {
    Fit::new().epochs(EPOCHS).batch_size(10).verbose(0)
}

/// Trains models together and each by itself, and compares the times.
fn compare(name: &str, make: Make, fit: &Fits, x: &Array, y: &Array) -> cornu::Result<()> {
    let (seconds, histories) = together(MODELS, make, fit, x, y)?;
    let begun = Instant::now();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let alone = || -> cornu::Result<()> {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= MODELS {
                return Ok(());
            }
            let last = make(number)?.fit(x, y, fit())?["loss"][EPOCHS - 1];
            assert_eq!(last.to_bits(), histories[number]["loss"][EPOCHS - 1].to_bits(), "{name}: model {number}");
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(alone)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread"))
    })?;
    let by_hand = begun.elapsed().as_secs_f64();
    let times = by_hand / seconds;
    println!("{MODELS} models, {name}: together {seconds:.3} s, each by itself {by_hand:.3} s: {times:.2} times");
    Ok(())
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
        compare("8-12-8-1", model, &fit, &x, &y)?;
        compare("of many sizes", drawn, &|| fit().validation_split(0.2), &x, &y)?;
    }
    for _ in 0..3 {
        let before = peak();
        let (seconds, _) = together(MANY, model, &fit, &x, &y)?;
        let memory = peak().zip(before).map(|(peak, before)| format!(", {peak} MB at most, {before} before"));
        println!("{MANY} models: together {seconds:.3} s{}", memory.unwrap_or_default());
    }
    Ok(())
}
