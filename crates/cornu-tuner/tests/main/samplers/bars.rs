//! What samplers reach, beside the quartiles of reference samplers.

use std::time::Instant;

use cornu_tuner::sampler::{GaussianProcess, Random, Sampler, Tpe};

use super::functions::{Function, functions};
use super::search;

/// Medians of the reference samplers, and the quartiles on both sides.
const QUARTILES: &str = include_str!("../../../../../testdata/samplers/quartiles.txt");

type Make = fn(u64) -> Box<dyn Sampler>;

/// A sampler, how many trials it is asked for at once, and after how many trials it is looked at.
const SAMPLERS: [(&str, Make, usize, &[usize]); 4] = [
    ("random", |seed| Box::new(Random::new(seed)), 1, &[100]),
    ("tpe", |seed| Box::new(Tpe::new(seed)), 1, &[100, 200]),
    ("tpe-batch16", |seed| Box::new(Tpe::new(seed)), 16, &[100, 200]),
    ("gp", |seed| Box::new(GaussianProcess::new(seed)), 1, &[100]),
];

/// Lower quartile, median and upper quartile of a reference sampler.
fn quartiles(function: &str, sampler: &str, trials: usize) -> [f64; 3] {
    let begins = format!("{function} {sampler} {trials} ");
    let numbers = QUARTILES.lines().find_map(|line| line.strip_prefix(&begins)).unwrap();
    let numbers: Vec<f64> = numbers.split(' ').map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

/// The median over the seeds from 0 on of the best scores after so many trials, and the milliseconds a trial.
fn medians(make: Make, function: &Function, seeds: u64, batch: usize, after: &[usize]) -> (Vec<f64>, f64) {
    let trials = *after.last().unwrap();
    let begun = Instant::now();
    let runs: Vec<Vec<f64>> = (0..seeds).map(|seed| search(&mut *make(seed), function, trials, batch)).collect();
    let ms = begun.elapsed().as_secs_f64() * 1e3 / (seeds as usize * trials) as f64;
    let least = |run: &Vec<f64>, count| run[..count].iter().copied().fold(f64::INFINITY, f64::min);
    (after.iter().map(|&count| median(runs.iter().map(|run| least(run, count)).collect())).collect(), ms)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2])
}

#[test]
fn samplers_that_learn_are_better_than_chance() {
    for function in functions().iter().filter(|function| function.name != "mixed") {
        let [good_luck, ..] = quartiles(function.name, "random", 100);
        for batch in [1, 16] {
            let (reached, _) = medians(SAMPLERS[1].1, function, 5, batch, &[100]);
            assert!(reached[0] < good_luck, "{} by {batch}: {reached:?}, {good_luck}", function.name);
        }
    }
}

#[test]
fn a_gaussian_process_finds_the_bottom_of_a_smooth_function_soon() {
    let [branin, hartmann3, ..] = &functions()[..] else { panic!() };
    assert!(medians(SAMPLERS[3].1, branin, 3, 1, &[40]).0[0] < 0.42);
    assert!(medians(SAMPLERS[3].1, hartmann3, 3, 1, &[40]).0[0] < -3.84);
}

#[test]
fn the_best_kind_of_a_conditional_space_is_found() {
    let mixed = functions().pop().unwrap();
    // A sampler that stays with the kind that is best at first ends at 0.5.
    let [_, usual, _] = quartiles("mixed", "tpe", 200);
    let (reached, _) = medians(SAMPLERS[1].1, &mixed, 15, 1, &[200]);
    assert!(reached[0] < usual, "{reached:?}");
}

/// `cargo test --release --package cornu-tuner -- --ignored --nocapture all_seeds`
#[test]
#[ignore = "minutes, in a release build"]
fn all_seeds_reach_the_quartiles_of_the_references() {
    let mut worse = Vec::new();
    for function in functions() {
        for (name, make, batch, after) in SAMPLERS {
            let (reached, ms) = medians(make, &function, 30, batch, after);
            for (reached, &after) in reached.iter().zip(after) {
                let [lower, median, upper] = quartiles(function.name, name, after);
                let line = format!(
                    "{:11} {name:11} {after}: {reached:9.5}, usual {lower:9.5} {median:9.5} {upper:9.5}, {ms:.3} ms",
                    function.name
                );
                println!("{line}");
                worse.extend((*reached > upper && name != "random").then_some(line));
            }
        }
    }
    assert!(worse.is_empty(), "above the upper quartile:\n{}", worse.join("\n"));
}
