//! Searches, against KerasTuner's numbers and against what users of other tuners suffer from.

mod hyperband;
mod journals;
mod mistakes;
mod pains;
mod plots;
#[cfg(feature = "postgres")]
mod postgres;
mod samplers;
mod searches;
mod spaces;
mod stacks;

use std::path::PathBuf;

use cornu::prelude::*;
use cornu_tuner::prelude::*;
use serde_json::Value;

/// What KerasTuner 1.4.8 gave.
fn golden() -> Value {
    serde_json::from_str(include_str!("../../testdata/golden.json")).expect("JSON")
}

/// Rows of which the sum of the first two columns says the class.
fn rows(count: usize) -> (Vec<[f32; 4]>, Vec<i64>) {
    let mut state = 7u64;
    let mut number = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let x: Vec<[f32; 4]> = (0..count).map(|_| [number(), number(), number(), number()]).collect();
    let y = x.iter().map(|row| i64::from(row[0] + row[1] > 0.0)).collect();
    (x, y)
}

/// A small net with a dropout, so that every stream counts.
fn build(hp: &mut HyperParameters) -> cornu::Result<Sequential> {
    let mut model = Sequential::new();
    model.add(Dense::new(hp.int("units", 2..=8).step(2)).activation("relu").input_shape([4]));
    model.add(Dropout::new(hp.float("rate", 0.0..=0.4)));
    model.add(Dense::new(1).activation("sigmoid"));
    let adam = Adam::new().learning_rate(hp.float("lr", 1e-3..=1e-1).log());
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
    Ok(model)
}

fn fit() -> Fit {
    Fit::new().epochs(4).batch_size(8).validation_split(0.25).verbose(0)
}

/// What matters of trials: their values and scores.
fn told(trials: &[Trial]) -> Vec<(Vec<String>, Option<f64>)> {
    let values = |trial: &Trial| trial.values.iter().map(|(name, value)| format!("{name}={value}")).collect();
    trials.iter().map(|trial| (values(trial), trial.score)).collect()
}

fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}
