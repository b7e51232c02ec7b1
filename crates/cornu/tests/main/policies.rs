//! Dtype policies as both Kerases have them: types, weights as drawn, predictions, fits. The files of `testdata/policies`
//! are written by `scripts/golden_policies.py`.

use std::path::Path;

use cornu::config::Config;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::regularizers::L2;
use cornu::{Cx, DTypePolicy, Result, Tensor, dtype_policy, set_dtype_policy};
use cornu_graph::{Array, Bf16};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report, close};
use cornu_testkit::process;
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

/// A layer that sees what it is given.
mod seen {
    use super::*;

    cornu::config! {
        /// Its output has the types of input and weight in it: bytes of an element of each.
        "tests.policies" pub layer Seen {}
    }

    impl Layer for Seen {
        fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
            let weight = cx.weight("w", [1], "ones");
            let kind = |dtype: DType| DType::ALL.iter().position(|known| *known == dtype).unwrap_or_default() as f64;
            let rows = x.sum([-1]).cast(DType::F64) * 0.0;
            rows + (kind(x.dtype()) * 100.0 + kind(weight.dtype()))
        }
    }
}

#[test]
fn layers_get_floats_and_weights_in_the_type_they_compute_in() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let place = |dtype: DType| DType::ALL.iter().position(|known| *known == dtype).unwrap_or_default() as f64;
    for (policy, input, want) in [
        ("mixed_bfloat16", "float32", [DType::Bf16, DType::Bf16]),
        ("mixed_float16", "float64", [DType::F16, DType::F16]),
        ("float16", "int32", [DType::I32, DType::F16]),
        ("float64", "bfloat16", [DType::F64, DType::F64]),
    ] {
        let model = sequential![Input::new([2]).dtype(input), seen::Seen::new().dtype(policy)];
        let got = model.predict_as::<f64>(&[[1.0, 2.0]], Predict::new().verbose(0))?;
        assert_eq!(got[[0]], place(want[0]) * 100.0 + place(want[1]), "{policy} {input}");
        let kept = model.variables().all()[0].ty.dtype;
        assert_eq!(kept, DTypePolicy::new(policy)?.variable_dtype);
    }
    Ok(())
}

/// The policy belongs to the process: this runs in one of its own.
#[test]
fn new_layers_have_the_policy_of_the_process() {
    let _turn = seeded(Flavor::Keras2, 1);
    if process::word().is_some() {
        return of_the_process().expect("layers of a policy");
    }
    let name = "policies::new_layers_have_the_policy_of_the_process";
    process::assert_passed(&process::again(name, "", "alone").output().expect("a process"));
}

fn of_the_process() -> Result<()> {
    let dtype = |layer: &Dense| layer.to_json()["dtype"].clone();
    let (x, y) = ([[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]], [1.0, 0.0]);
    let silent = || Fit::new().verbose(0);
    set_dtype_policy("mixed_bfloat16")?;
    assert_eq!(dtype(&Dense::new(2)), "mixed_bfloat16");
    assert_eq!(Input::new([3]).to_json()["dtype"], "float32");
    let mut model = sequential![Input::new([3]), Dense::new(2), Dropout::new(0.5), Dense::new(1)];
    set_dtype_policy("mixed_float16")?;
    let mut scaled = sequential![Input::new([3]), Dense::new(1)];
    set_dtype_policy("float32")?;
    assert_eq!((dtype_policy().name(), dtype(&Dense::new(2))), ("float32", "float32".into()));

    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    assert!(model.fit(&x, &y, silent())?["loss"][0].is_finite());
    let kept = model.weights_as::<f64>().into_iter().flatten();
    assert!(kept.map(|x| x - Bf16::from_f64(x).to_f64()).any(|lost| lost != 0.0), "weights are singles");
    let predicted = model.predict_with(&x, Predict::new().verbose(0))?;
    assert!(predicted.iter().all(|&x| Bf16::from_f64(x.into()).to_f32() == x), "{predicted}");

    scaled.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    assert!(scaled.fit(&x, &y, silent())?["loss"][0].is_finite());
    let class = |model: &Model| model.optimizer().map(|optimizer| optimizer.class_name().to_owned());
    assert_eq!([class(&model), class(&scaled)], ["SGD", "LossScaleOptimizer"].map(|class| Some(class.to_owned())));
    let error = set_dtype_policy("mixed_float8").expect_err("no such policy").to_string();
    assert!(error.contains("`mixed_float8` is not supported in layers, only `float32`, `mixed_bfloat16`"), "{error}");
    Ok(())
}

#[test]
fn models_of_each_policy_come_back_from_files_to_the_bit() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("policies-saved");
    let (x, _) = rows();
    for policy in POLICIES {
        let (path, weights) = (folder.join("model.keras"), folder.join("model.weights.h5"));
        let dense = |units| Dense::new(units).dtype(policy).kernel_initializer("glorot_normal");
        let net = || sequential![Input::new([3]), dense(4).activation("tanh"), dense(2)];
        let model = net();
        model.save(&path)?;
        model.save_weights(&weights)?;
        let again = load_model(&path)?;
        assert_eq!(again.variables().all()[0].ty, model.variables().all()[0].ty, "{policy}");
        assert_eq!(again.weights_as::<f64>(), model.weights_as::<f64>(), "{policy}");
        let silent = || Predict::new().verbose(0);
        assert_eq!(again.predict_with(&x, silent())?, model.predict_with(&x, silent())?, "{policy}");
        assert_eq!(again.layers()[0].config()["dtype"], policy);
        let mut other = net();
        other.load_weights(&weights)?;
        assert_eq!(other.weights_as::<f64>(), model.weights_as::<f64>(), "{policy}");
    }
    Ok(())
}
