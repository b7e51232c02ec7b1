//! What samplers reach, beside the quartiles of reference samplers.

use std::time::Instant;

use cornu_tuner::sampler::{Random, Sampler, Tpe};

use super::functions::{Function, functions};
use super::search;

/// The best scores after 25, 50, 100 and 200 trials, of the seeds from 0 on, and the milliseconds a trial.
fn curves(
    make: fn(u64) -> Box<dyn Sampler>,
    function: &Function,
    seeds: u64,
    trials: usize,
    batch: usize,
) -> (Vec<f64>, f64) {
    let begun = Instant::now();
    let runs: Vec<Vec<f64>> = (0..seeds).map(|seed| search(&mut *make(seed), function, trials, batch)).collect();
    let ms = begun.elapsed().as_secs_f64() * 1e3 / (seeds as usize * trials) as f64;
    let at = [25, 50, 100, 200].into_iter().filter(|&count| count <= trials);
    let medians = at.map(|count| median(runs.iter().map(|run| least(&run[..count])).collect()));
    (medians.collect(), ms)
}

fn least(scores: &[f64]) -> f64 {
    scores.iter().copied().fold(f64::INFINITY, f64::min)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0
}

#[test]
#[ignore = "minutes, in a release build"]
fn all_seeds() {
    for function in functions() {
        for (name, make, batch) in [
            ("random", (|seed| Box::new(Random::new(seed))) as fn(u64) -> Box<dyn Sampler>, 1),
            ("tpe", |seed| Box::new(Tpe::new(seed)), 1),
            ("tpe-batch16", |seed| Box::new(Tpe::new(seed)), 16),
        ] {
            let (medians, ms) =
                curves(make, &function, std::env::var("SEEDS").map_or(30, |s| s.parse().unwrap()), 200, batch);
            println!("{:12} {name:12} {medians:8.4?} {ms:.3}", function.name);
        }
    }
}
