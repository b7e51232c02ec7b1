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

/// A model of the golden files: an input of so many features, and the units of each layer; a `Dropout` has none.
type Layers = (usize, Vec<Option<usize>>);

/// The layers of a model that is made of `Dense` and, as its name says, `Dropout`.
fn layers(name: &str, weights: &Value) -> Option<Layers> {
    let shapes: Vec<Vec<usize>> = weights.as_array()?.iter().map(|weight| sizes(&weight["shape"])).collect();
    let of_layer = |pair: &[Vec<usize>]| match pair {
        [kernel, bias] if kernel.len() == 2 && kernel[1..] == bias[..] => Some(kernel[1]),
        _ => None,
    };
    let units: Vec<usize> = shapes.chunks(2).map(of_layer).collect::<Option<_>>()?;
    let features = *shapes.first()?.first()?;
    if !name.contains("dropout") {
        return Some((features, units.into_iter().map(Some).collect()));
    }
    let mut units = units.into_iter();
    let layer = |word| match word {
        "dense" => units.next().map(Some),
        "dropout" => Some(None),
        _ => None,
    };
    let layers = name.split('-').map(layer).collect::<Option<_>>()?;
    units.next().is_none().then_some((features, layers))
}

fn sizes(shape: &Value) -> Vec<usize> {
    shape.as_array().into_iter().flatten().filter_map(Value::as_u64).map(|size| size as usize).collect()
}

/// With the shape of the input or without, when the weights are made at the first build, in the same order.
fn made((features, layers): &Layers, known: bool) -> Sequential {
    let mut model = Sequential::new();
    if known {
        model.add(Input::new([*features]));
    }
    for layer in layers {
        match layer {
            Some(units) => model.add(Dense::new(*units)),
            None => model.add(Dropout::new(0.5)),
        };
    }
    if !known {
        model.build([*features]).expect("a sound model");
    }
    model
}

fn check(flavor: Flavor, file: &str) {
    let golden = json("random", file);
    let note = golden["note"].as_str().and_then(|note| note.split_once("set_random_seed(")?.1.split(')').next());
    let seed = note.map_or(42, |seed| seed.parse().expect("a seed"));
    let _turn = seeded(flavor, seed);
    let mut report = Report::default();
    for (name, models) in golden.as_object().expect("models").iter().filter(|(_, models)| models.is_array()) {
        let weights = models.as_array().expect("models");
        let Some(all) = weights.iter().map(|weights| layers(name, weights)).collect::<Option<Vec<_>>>() else {
            println!("{name}: skipped, not all of its layers are `Dense`");
            continue;
        };
        for known in [true, false] {
            set_random_seed(seed);
            for (i, (layers, want)) in all.iter().zip(weights).enumerate() {
                let model = made(layers, known);
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
