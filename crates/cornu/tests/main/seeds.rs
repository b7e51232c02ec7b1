//! Initial weights after `set_random_seed`, bit for bit.

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

/// A model of the golden files: layers of so many units after an input of so many, if it is made of those.
fn dense(weights: &Value, dropout: bool) -> Option<(usize, Vec<usize>)> {
    let shapes: Vec<Vec<usize>> = weights.as_array()?.iter().map(|weight| sizes(&weight["shape"])).collect();
    let of_layer = |pair: &[Vec<usize>]| match pair {
        [kernel, bias] if kernel.len() == 2 && kernel[1..] == bias[..] => Some(kernel[1]),
        _ => None,
    };
    let units: Vec<usize> = shapes.chunks(2).map(of_layer).collect::<Option<_>>()?;
    (!dropout || units.len() == 2).then(|| (shapes[0][0], units))
}

fn sizes(shape: &Value) -> Vec<usize> {
    shape.as_array().into_iter().flatten().filter_map(Value::as_u64).map(|size| size as usize).collect()
}

/// With the shape of the input or without, when the weights are made at the first build, in the same order.
fn made((features, units): &(usize, Vec<usize>), dropout: bool, known: bool) -> Sequential {
    let mut model = Sequential::new();
    for (i, &units) in units.iter().enumerate() {
        let layer = Dense::new(units);
        model.add(if i == 0 && known { layer.input_shape([*features]) } else { layer });
        if i == 0 && dropout {
            model.add(Dropout::new(0.5));
        }
    }
    if !known {
        model.build([*features]).expect("a sound model");
    }
    model
}

fn check(flavor: Flavor, file: &str) {
    let _turn = seeded(flavor, 42);
    let mut report = Report::default();
    for (name, models) in
        json("random", file).as_object().expect("models").iter().filter(|(_, models)| models.is_array())
    {
        let dropout = name.contains("dropout");
        let weights = models.as_array().expect("models");
        let Some(sizes) = weights.iter().map(|weights| dense(weights, dropout)).collect::<Option<Vec<_>>>() else {
            println!("{name}: skipped, not all of its layers are `Dense`");
            continue;
        };
        for known in [true, false] {
            set_random_seed(42);
            for (i, (sizes, want)) in sizes.iter().zip(weights).enumerate() {
                let model = made(sizes, dropout, known);
                report.case(&format!("{name}, model {i}, known {known}"), same(&model.weights(), want));
            }
        }
    }
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
