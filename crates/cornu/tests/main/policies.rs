//! Dtype policies as both Kerases have them: types, weights as drawn, predictions, fits. The files of `testdata/policies`
//! are written by `scripts/golden_policies.py`.

use std::path::Path;

use cornu::prelude::*;
use cornu::regularizers::L2;
use cornu::{DTypePolicy, Result};
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close};
use ndarray::Array2;
use serde_json::Value;

use crate::flavor_differences::{FLAVORS, flat, rows};
use crate::seeds::seeded;

fn wanted(file: &str) -> Value {
    golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/policies").join(file))
}

/// The nets of the script.
const NETS: [&str; 6] = ["regression", "binary", "classes", "float32 head", "dropout", "normal"];
const POLICIES: [&str; 6] = ["float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float16", "float64"];

fn net(name: &str, policy: &str, penalised: bool) -> Result<Sequential> {
    let dense = |units: usize| Dense::new(units).dtype(policy);
    let input = || Input::new([3]);
    let sgd = SGD::new().learning_rate(0.1).momentum(0.5);
    let (mut model, settings) = match name {
        "regression" => {
            let model = sequential![input(), dense(4).activation("tanh"), dense(1)];
            (model, Compile::new().loss("mse").optimizer("adam").metrics(["mae"]))
        }
        "binary" => {
            let scaled = Rescaling::new(0.5).dtype(policy);
            let model = sequential![input(), scaled, dense(4).activation("relu"), dense(1).activation("sigmoid")];
            (model, Compile::new().loss("binary_crossentropy").optimizer("rmsprop").metrics(["accuracy"]))
        }
        "classes" => {
            let mut first = dense(5).activation("tanh");
            if penalised {
                first = first.kernel_regularizer(L2::new().l2(0.01));
            }
            let model = sequential![input(), first, dense(3).activation("softmax")];
            (model, Compile::new().loss("sparse_categorical_crossentropy").optimizer(sgd))
        }
        "float32 head" => {
            let head = Dense::new(1).dtype("float32").activation("sigmoid");
            let model = sequential![input(), dense(4).activation("relu"), head];
            (model, Compile::new().loss("binary_crossentropy").optimizer("adam"))
        }
        "dropout" => {
            let head = Dense::new(1).dtype("float32");
            let model = sequential![input(), dense(8).activation("relu"), Dropout::new(0.5).dtype(policy), head];
            (model, Compile::new().loss("mse").optimizer("sgd"))
        }
        _ => {
            let first = dense(4).activation("tanh").kernel_initializer("he_normal");
            let model = sequential![input(), first, dense(1).kernel_initializer("random_normal")];
            (model, Compile::new().loss("mae").optimizer("sgd"))
        }
    };
    model.compile(settings)?;
    Ok(model)
}

/// The labels of the script.
fn labels(name: &str, y: &Array2<f32>) -> Array2<f32> {
    match name {
        "binary" | "float32 head" => y.mapv(|y| f32::from(y > 0.4)),
        "classes" => y.mapv(|y| (y * 4.0).floor() % 3.0),
        _ => y.clone(),
    }
}

#[test]
fn nets_of_each_policy_are_drawn_predict_and_learn_as_in_keras() -> Result<()> {
    let (x, y) = rows();
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        let all = wanted(file);
        for policy in POLICIES {
            let penalised = ["float32", "mixed_bfloat16", "mixed_float16"].contains(&policy);
            for name in NETS {
                let want = &all[policy][name];
                let _turn = seeded(flavor, 42);
                let mut model = net(name, policy, penalised)?;
                let mut same = |what: &str, got: Vec<f64>, want: Vec<f64>, bar: f64| {
                    let id = format!("{file} {policy} {name}: {what}");
                    report.case(&id, close(&Array::vector(got), &Array::vector(want), bar, bar));
                };
                let weights = |model: &Sequential| model.weights_as::<f64>().iter().flatten().copied().collect();
                let unit = match DTypePolicy::new(policy)?.compute_dtype {
                    DType::F16 => 2f64.powi(-10),
                    DType::Bf16 => 2f64.powi(-7),
                    _ => 1e-6,
                };
                same("drawn", weights(&model), flat(&want["drawn"]), 1e-7);
                let predicted = model.predict_as::<f64>(&x, Predict::new().verbose(0))?;
                same("predicted", predicted.iter().copied().collect(), flat(&want["predicted"]), unit);
                let history = model.fit(&x, &labels(name, &y), Fit::new().batch_size(5).epochs(3).verbose(0))?;
                for (figure, values) in history.iter() {
                    // A prediction next to the threshold may fall on the other side.
                    let bar = if figure == "accuracy" { unit + 1.0 / 12.0 } else { 2.0 * unit };
                    same(figure, values.to_vec(), flat(&want["history"][figure]), bar);
                }
                same("weights", weights(&model), flat(&want["weights"]), 2.0 * unit);
            }
        }
    }
    report.finish();
    Ok(())
}
