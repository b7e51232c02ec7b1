//! Initial weights after `set_random_seed`, bit for bit.

use cornu::layers::Layer;
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu_testkit::golden::{Report, json};
use ndarray::ArrayD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Seeds belong to the process: tests that set them, or make weights and so draw from them, take turns.
pub(crate) fn seeded(flavor: Flavor, seed: u32) -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    set_flavor(flavor);
    set_random_seed(seed);
    turn
}

fn same(got: &[ArrayD<f32>], want: &Value) -> Result<(), String> {
    let want = want.as_array().ok_or("no weights")?;
    if got.len() != want.len() {
        return Err(format!("got {} weights, want {}", got.len(), want.len()));
    }
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let bytes: Vec<u8> = got.iter().flat_map(|value| value.to_le_bytes()).collect();
        let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if want["sha256_f32le"] != hash.as_str() {
            return Err(format!("weight {i} differs, shape {:?}; it starts {:?}", got.shape(), got.iter().next()));
        }
    }
    Ok(())
}

fn pima() -> Sequential {
    sequential![
        Dense::new(12).input_shape([8]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ]
}

fn mnist() -> Sequential {
    sequential![Flatten::new().input_shape([28, 28]), Dense::new(128).activation("relu"), Dense::new(10)]
}

fn with_dropout(first: impl Layer) -> Sequential {
    let mut model = Sequential::new();
    model.add(first).add(Dropout::new(0.5)).add(Dense::new(3));
    model
}

fn check(flavor: Flavor, file: &str) {
    let _turn = seeded(flavor, 42);
    let golden = json("random", file);
    let mut report = Report::default();
    let mut case = |name: &str, models: fn() -> Vec<Sequential>| {
        set_random_seed(42);
        for (i, model) in models().iter().enumerate() {
            report.case(&format!("{name}, model {i}"), same(&model.weights(), &golden[name][i]));
        }
    };
    case("pima 8-12-8-1", || vec![pima()]);
    case("mnist 784-128-10", || vec![mnist()]);
    case("two models without re-seeding", || {
        [(); 2].map(|()| sequential![Dense::new(12).input_dim(8), Dense::new(1)]).into()
    });
    case("dense-dropout-dense", || vec![with_dropout(Dense::new(4).input_shape([5]))]);
    // Without the shape of the input the weights are made at the first build, in the same order.
    case("dense-dropout-dense", || {
        let mut model = with_dropout(Dense::new(4));
        model.build([5]).expect("a sound model");
        vec![model]
    });
    report.finish();
    set_flavor(Flavor::Keras2);
}

#[test]
fn weights_start_as_in_keras_2() {
    check(Flavor::Keras2, "keras213_models_seed42.json");
}

#[test]
fn weights_start_as_in_keras_3() {
    check(Flavor::Keras3, "keras3_models_seed42.json");
}
