//! Times of the tutorial's two models, data not included: `cargo bench --package cornu -- WHAT`, where WHAT is `pima` or
//! `mnist` (the fit), `first-step`, `deep`, `predict` or `memory`. Each in a process of its own; without WHAT, one after the other.

use std::time::Instant;

use cornu::prelude::*;
use ndarray::{Array1, Array2, Array3};

#[path = "../examples/common/lessons.rs"]
mod lessons;
use lessons::{mnist, pima};

/// Times of which the median is reported.
const TIMES: usize = 21;

fn main() -> cornu::Result<()> {
    let asked: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for (what, measure) in MEASURES {
        if asked.is_empty() || asked.iter().any(|name| name == what) {
            measure()?;
        }
    }
    Ok(())
}

type Measure = fn() -> cornu::Result<()>;

const MEASURES: [(&str, Measure); 6] = [
    ("pima", pima_fit),
    ("mnist", mnist_fit),
    ("first-step", first_step),
    ("deep", deep),
    ("predict", predict),
    ("memory", memory),
];

/// Fits and reports as other programs do: `cornu pima fit_seconds 0.015 total_seconds 0.02 last_loss 0.3576`.
fn report(work: &str, begun: Instant, fit: impl FnOnce() -> cornu::Result<History>) -> cornu::Result<()> {
    let start = Instant::now();
    let history = fit()?;
    let (fit, total) = (start.elapsed().as_secs_f64(), begun.elapsed().as_secs_f64());
    let last = history["loss"].last().copied().unwrap_or(f64::NAN);
    println!("cornu {work} fit_seconds {fit:.6} total_seconds {total:.4} last_loss {last:.4}");
    Ok(())
}

fn pima_fit() -> cornu::Result<()> {
    let begun = Instant::now();
    let data = datasets::pima::load_data()?;
    let (x, y) = (data.drop(["8"])?, data.column("8")?);
    let (x, _, y, _) = train_test_split(&x, y, Split::test_size(0.2).random_state(42))?;
    let mut model = pima()?;
    report("pima", begun, || model.fit(&x, &y, Fit::new().epochs(150).batch_size(10).verbose(0)))
}

fn mnist_fit() -> cornu::Result<()> {
    let begun = Instant::now();
    let ((x, y), _) = datasets::mnist::load_data()?;
    // Singles, as the other frameworks are given them.
    let x = x.mapv(|ink| f32::from(ink) / 255.0);
    let mut model = mnist()?;
    report("mnist", begun, || model.fit(&x, &y, Fit::new().epochs(5).verbose(0)))
}

/// The median of some times, in microseconds.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// From `compile` to the end of the first step: a model is traced, differentiated, planned and run once.
fn first_step() -> cornu::Result<()> {
    let (x, y) = (Array2::<f32>::ones((10, 8)), Array1::<i64>::ones(10));
    let (images, digits) = (Array3::<f32>::ones((32, 28, 28)), Array1::<i64>::ones(32));
    let timed = |step: &dyn Fn() -> cornu::Result<()>| -> cornu::Result<f64> {
        let start = Instant::now();
        step()?;
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    let small = || pima()?.train_on_batch(&x, &y).map(drop);
    let large = || mnist()?.train_on_batch(&images, &digits).map(drop);
    let steps: [(&str, &dyn Fn() -> cornu::Result<()>); 2] = [("pima", &small), ("mnist", &large)];
    for (work, step) in steps {
        let first = timed(step)?;
        let times = (0..TIMES).map(|_| timed(step)).collect::<cornu::Result<Vec<f64>>>()?;
        println!(
            "cornu {work} from a new model to the end of its first step: {first:.2} ms, then {:.2} ms",
            median(times)
        );
    }
    Ok(())
}

/// From the trace of a deep model to the end of its first step.
fn deep() -> cornu::Result<()> {
    let (x, y) = (Array2::<f32>::ones((16, 16)), Array2::<f32>::ones((16, 16)));
    for layers in [1_000, 4_000] {
        let mut times = Vec::new();
        for _ in 0..5 {
            let mut model = Sequential::new();
            model.add(Input::new([16]));
            (0..layers).for_each(|_| _ = model.add(Dense::new(16).activation("relu")));
            model.compile(Compile::new().optimizer("adam").loss("mean_squared_error"))?;
            let start = Instant::now();
            model.train_on_batch(&x, &y)?;
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        println!("cornu {layers} layers from the trace to the end of the first step: {:.0} ms", median(times));
    }
    Ok(())
}

/// A prediction for one row.
fn predict() -> cornu::Result<()> {
    const CALLS: usize = 2_000;
    let (row, image) = (Array2::<f32>::ones((1, 8)), Array3::<f32>::ones((1, 28, 28)));
    let (small, large) = (pima()?, mnist()?);
    let time = |work: &str, predict: &mut dyn FnMut() -> cornu::Result<()>| -> cornu::Result<()> {
        let mut times = Vec::new();
        for _ in 0..TIMES {
            let start = Instant::now();
            (0..CALLS).try_for_each(|_| predict())?;
            times.push(start.elapsed().as_secs_f64() * 1e6 / CALLS as f64);
        }
        println!("cornu {work} predict of one row: {:.2} µs", median(times));
        Ok(())
    };
    time("pima", &mut || small.predict(&row).map(drop))?;
    time("mnist", &mut || large.predict(&image).map(drop))
}

/// The most memory this process had, which did what the example `pima` does.
fn memory() -> cornu::Result<()> {
    let data = datasets::pima::load_data()?;
    let (x, y) = (data.drop(["8"])?, data.column("8")?);
    let (x_train, x_test, y_train, _) = train_test_split(&x, y, Split::test_size(0.2).random_state(42))?;
    let mut model = pima()?;
    model.fit(&x_train, &y_train, Fit::new().epochs(150).batch_size(10).verbose(0))?;
    model.evaluate_with(&x_train, &y_train, Evaluate::new().verbose(0))?;
    model.predict_with(&x_test, Predict::new().verbose(0))?;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().find_map(|line| line.strip_prefix("VmHWM:")) {
        Some(peak) => println!("cornu pima peak memory: {}", peak.trim()),
        None => println!("cornu pima peak memory: not known on this system"),
    }
    Ok(())
}
