//! A search over small nets on the Pima table, to measure: `search TRIALS FOLDER [THREADS] [hand]`. Units of two layers,
//! learning rate and activation at random; Adam, batches of 10, 150 epochs, a fifth of the rows for validation after each.
//! With `hand` the loop is written by hand, without a tuner: it is what a tuner is compared with.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cornu::data::Table;
use cornu::prelude::*;
use cornu::random::{Seeds, scoped};
use cornu_tuner::prelude::*;

/// What both search among.
fn build(units: [usize; 2], rate: f64, activation: &str) -> cornu::Result<Sequential> {
    let mut model = Sequential::new();
    model.add(Dense::new(units[0]).input_shape([8]).activation(activation));
    model.add(Dense::new(units[1]).activation(activation));
    model.add(Dense::new(1).activation("sigmoid"));
    let adam = Adam::new().learning_rate(rate);
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
    Ok(model)
}

fn declared(hp: &mut HyperParameters) -> cornu::Result<Sequential> {
    let activation = hp.choice("activation", ["relu", "tanh"]).get();
    let units = ["units1", "units2"];
    let units = [hp.int(units[0], 4..=64).step(4).get(), hp.int(units[1], 4..=32).step(4).get()];
    build(units, hp.float("lr", 1e-4..=1e-1).log().get(), activation)
}

fn fit() -> Fit {
    Fit::new().epochs(150).batch_size(10).validation_split(0.2).verbose(0)
}

/// The same configurations, drawn beforehand, on threads that take the next.
fn by_hand(draws: &[HyperParameters], threads: usize, x: &Array, y: &Array) -> f64 {
    let next = AtomicUsize::new(0);
    let values: Vec<_> = draws.iter().map(HyperParameters::values).collect();
    let worker = || {
        let mut best = 0f64;
        loop {
            let trial = next.fetch_add(1, Ordering::Relaxed);
            let Some(values) = values.get(trial) else { return best };
            let number = |name: &str| values.get(name).and_then(cornu_tuner::Value::number).unwrap_or_default();
            let units = [number("units1") as usize, number("units2") as usize];
            let activation = values.get("activation").map(ToString::to_string).unwrap_or_default();
            let history = scoped(Seeds::new(trial as u32), || {
                let mut model = build(units, number("lr"), &activation)?;
                model.run_on(cornu::Cpu::new().threads(1))?;
                model.fit(x, y, fit())
            });
            let history = history.expect("a trial");
            best = best.max(history["val_accuracy"].iter().copied().fold(0.0, f64::max));
        }
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        all.into_iter().map(|one| one.join().expect("a worker")).fold(0.0, f64::max)
    })
}

fn main() -> cornu::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [trials, folder, ..] = &args[..] else { panic!("search TRIALS FOLDER [THREADS] [hand]") };
    let (trials, begun) = (trials.parse::<u64>().expect("a number of trials"), Instant::now());
    let threads = args.get(2).map_or(2, |threads| threads.parse().expect("a number of threads"));
    let table = Table::read_csv(format!("{folder}/pima-indians-diabetes.csv"))?;
    let names: Vec<String> = table.names().into_iter().map(ToString::to_string).collect();
    let (x, y) = (table.drop(&names[8])?, &table[&*names[8]]);
    let (x, y) = (cornu::graph::ToArray::to_array(&x)?, cornu::graph::ToArray::to_array(y)?);
    let journal = std::env::temp_dir().join(format!("cornu-search-{}", std::process::id()));
    let tuner = || RandomSearch::new(declared).objective("val_accuracy").max_trials(trials).seed(1).workers(threads);
    let (best, seconds) = if args.get(3).is_some_and(|word| word == "hand") {
        let mut drawn = RandomSearch::default().max_trials(trials).seed(1).workers(1);
        drawn.optimize(|hp| declared(hp).map(|model| black_box(model.count_params() as f64)))?;
        let draws: Vec<HyperParameters> =
            drawn.trials().iter().map(|trial| HyperParameters::of(trial.values.clone())).collect();
        let start = Instant::now();
        (by_hand(&draws, threads, &x, &y), start.elapsed().as_secs_f64())
    } else {
        let mut tuner = tuner().directory(&journal);
        let start = Instant::now();
        tuner.search(&x, &y, fit())?;
        let seconds = start.elapsed().as_secs_f64();
        (tuner.get_best_trials(1)[0].score.unwrap_or_default(), seconds)
    };
    _ = std::fs::remove_dir_all(&journal);
    println!(
        "cornu trials {trials} trials_per_hour {:.0} seconds {seconds:.2} imports {:.2} best {best:.4}",
        trials as f64 / seconds * 3600.0,
        begun.elapsed().as_secs_f64() - seconds
    );
    Ok(())
}
