//! Trainings against Keras's own: histories, weights after single steps, predictions.

use std::sync::{Arc, Mutex};

use cornu::data::Table;
use cornu::model_selection::{Split, train_test_split};
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::Callback;
use cornu::{Cx, Tensor};
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close, tolerance};
use ndarray::ArrayD;
use serde_json::Value;

use crate::seeds::seeded;

cornu::config! {
    /// The exponential linear unit, as a layer of one's own.
    "tests" pub layer Elu {}
}

impl Layer for Elu {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        x.gt(0.0).select(&x, x.minimum(0.0).exp() - 1.0)
    }
}

/// Units and activation of the dense layers of a case; all have six features.
fn layers(id: &str) -> Option<&'static [(usize, &'static str)]> {
    Some(match id {
        "sgd_mse" => &[(8, "tanh"), (1, "linear")],
        "adam_bce_validation_data" => &[(8, "relu"), (4, "relu"), (1, "sigmoid")],
        "rmsprop_cce_validation_split" => &[(8, "elu"), (3, "softmax")],
        "class_weight" => &[(8, "relu"), (3, "linear")],
        "class_weight_binary" => &[(8, "relu"), (1, "sigmoid")],
        "sample_weight" => &[(8, "relu"), (2, "linear")],
        "initial_epoch" => &[(8, "relu"), (1, "linear")],
        _ => return None,
    })
}

fn names(json: &Value) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn compiled(case: &Value, layers: &[(usize, &str)], weights: &[Array]) -> cornu::Result<Sequential> {
    let mut model = sequential![Input::new([6])];
    for &(units, activation) in layers {
        match activation {
            "elu" => model.add(Dense::new(units)).add(Elu::new()),
            known => model.add(Dense::new(units).activation(known)),
        };
    }
    model.set_weights(&weights.iter().map(cornu::data::from_array).collect::<Vec<ArrayD<f32>>>())?;
    let compile = &case["compile"];
    let rate = compile["optimizer"]["config"]["learning_rate"].as_f64().expect("a rate");
    let settings =
        Compile::new().metrics(names(&compile["metrics"])).weighted_metrics(names(&compile["weighted_metrics"]));
    let settings = match compile["loss"].as_str() {
        Some(name) => settings.loss(name),
        None => settings.loss(SparseCategoricalCrossentropy::new().from_logits(true)),
    };
    model.compile(match compile["optimizer"]["class_name"].as_str() {
        Some("SGD") => settings.optimizer(SGD::new().learning_rate(rate)),
        Some("RMSprop") => settings.optimizer(RMSprop::new().learning_rate(rate)),
        _ => settings.optimizer(Adam::new().learning_rate(rate)),
    })?;
    Ok(model)
}

fn asked(case: &Value, data: &dyn Fn(&str) -> Option<Array>) -> Fit {
    let fit = &case["fit"];
    let number = |key: &str| fit[key].as_u64().map(|n| n as usize);
    let seeds = {
        let mut seeds = Seeds::new(1);
        seeds.set_flavor(Flavor::Keras3);
        seeds
    };
    let mut settings = Fit::new().shuffle(false).seeds(seeds).verbose(0);
    settings = settings.epochs(number("epochs").expect("epochs")).batch_size(number("batch_size").expect("a size"));
    settings = settings.initial_epoch(number("initial_epoch").unwrap_or(0));
    settings = settings.validation_split(fit["validation_split"].as_f64().unwrap_or(0.0));
    if let (Some(x), Some(y)) = (data("val_x"), data("val_y")) {
        settings = settings.validation_data(&x, &y);
    }
    if let Some(weights) = fit["class_weight"].as_object() {
        let weight = |(class, weight): (&String, &Value)| Some((class.parse().ok()?, weight.as_f64()?));
        settings = settings.class_weight(weights.iter().filter_map(weight));
    }
    match data("sample_weight") {
        Some(weights) => settings.sample_weight(&weights),
        None => settings,
    }
}

fn list(json: &Value) -> Array {
    Array::vector(json.as_array().expect("a list").iter().map(|value| value.as_f64().expect("a number")).collect())
}

fn check(case: &Value, layers: &[(usize, &str)], report: &mut Report) -> cornu::Result<()> {
    let id = case["id"].as_str().expect("an id");
    let arrays = golden::arrays("training", case["arrays"].as_str().expect("a file"));
    let all = |key: &str| -> Vec<Array> {
        case[key]
            .as_array()
            .expect("a list")
            .iter()
            .map(|json| golden::value(json, &arrays).expect("an array"))
            .collect()
    };
    let data = |name: &str| golden::value(&case["data"][name], &arrays);
    let (x, y) = (data("x").expect("features"), data("y").expect("labels"));
    let mut model = compiled(case, layers, &all("initial_weights"))?;
    let history = model.fit(&x, &y, asked(case, &data))?;
    assert_eq!(history.keys(), names(&case["history_keys_in_order"]), "{id}");
    let (rtol, atol) = tolerance(case, "history");
    for (key, values) in history.iter() {
        let got = Array::vector(values.to_vec());
        report.case(&format!("{id} history {key}"), close(&got, &list(&case["history"][key]), rtol, atol));
    }
    assert_eq!(history.epoch.len(), case["epochs_run"].as_array().expect("epochs").len(), "{id}");
    let (rtol, atol) = tolerance(case, "end");
    for (i, (got, want)) in model.weights().iter().zip(all("weights_end")).enumerate() {
        let got = Array::new(got.shape(), got.iter().copied().collect::<Vec<f32>>())?;
        report.case(&format!("{id} weight {i} at the end"), close(&got, &want, rtol, atol));
    }
    let predictions = model.predict(&x)?;
    let got = Array::new(predictions.shape(), predictions.iter().copied().collect::<Vec<f32>>())?;
    let want = golden::value(&case["predictions_end"], &arrays).expect("predictions");
    report.case(&format!("{id} predictions"), close(&got, &want, rtol, atol));
    let scores = model.evaluate_with(&x, &y, Evaluate::new().batch_size(64).verbose(0))?;
    let (rtol, atol) = tolerance(case, "history");
    for (key, value) in scores.iter() {
        let want = case["evaluate"][key].as_f64().unwrap_or(f64::NAN);
        let near = (value - want).abs() <= atol + rtol * want.abs();
        report.case(
            &format!("{id} evaluate {key}"),
            if near { Ok(()) } else { Err(format!("got {value}, want {want}")) },
        );
    }
    Ok(())
}

#[test]
fn small_trainings_are_those_of_keras() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    for case in &golden::cases("training") {
        let Some(layers) = layers(case["id"].as_str().expect("an id")) else { continue };
        if let Err(error) = check(case, layers, &mut report) {
            report.case(case["id"].as_str().expect("an id"), Err(error.to_string()));
        }
    }
    report.finish();
}

/// Notes the running figures of the first epoch.
struct Watch(Arc<Mutex<Vec<Logs>>>);

type Logs = Vec<(String, f64)>;

impl Callback for Watch {
    fn on_train_batch_end(&mut self, _batch: usize, logs: &mut dyn FnMut() -> Logs) {
        let mut seen = self.0.lock().expect("one thread");
        if seen.len() < 62 {
            seen.push(logs());
        }
    }
}

/// Another model that is given weights and optimizer state trains on as the first one does.
#[test]
fn training_goes_on_from_a_saved_state() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, y) = ([[0.5, 1.0], [1.5, -0.5], [0.25, 2.0], [-1.0, 0.75]], [1.0, 2.0, 3.0, 4.0]);
    let model = || -> cornu::Result<Sequential> {
        let mut model = Sequential::named("model");
        model.add(Dense::new(1).input_shape([2]).name("only"));
        model.compile(Compile::new().loss("mse").optimizer(Adam::new().amsgrad(true)))?;
        Ok(model)
    };
    let fit = || Fit::new().epochs(3).batch_size(2).shuffle(false).verbose(0);
    let (mut first, mut second) = (model()?, model()?);
    assert_eq!(first.optimizer_state(), None);
    first.fit(&x, &y, fit())?;
    first.set_learning_rate(0.125)?;
    let state = first.optimizer_state().expect("steps were taken");
    assert_eq!((state.iterations, state.learning_rate, state.slots.len()), (6, 0.125, 6));
    second.set_weights(&first.weights())?;
    second.set_optimizer_state(state.clone())?;
    first.fit(&x, &y, fit())?;
    second.fit(&x, &y, fit())?;
    assert_eq!(first.weights(), second.weights());
    assert_eq!(first.optimizer_state(), second.optimizer_state());
    let fewer = cornu::train::OptimizerState { slots: state.slots[..4].to_vec(), ..state };
    let error = second.set_optimizer_state(fewer).expect_err("two slots are missing");
    assert_eq!(error.message(), "the optimizer's state needs 6 slots, got 4");
    Ok(())
}

/// The rows of the lesson: features and labels to train on, features and labels to test with. They are not in this
/// repository.
fn pima() -> cornu::Result<Option<(Array, Array, Array, Array)>> {
    let folder = std::env::var_os("CORNU_DATASETS").map(std::path::PathBuf::from);
    let Some(file) = folder.map(|folder| folder.join("pima-indians-diabetes.csv")).filter(|file| file.is_file()) else {
        println!("skipped: CORNU_DATASETS names no folder with pima-indians-diabetes.csv");
        return Ok(None);
    };
    let table = Table::read_csv(file.to_str().expect("a plain path"))?;
    let (x, y) = (table.drop(["8"])?.to_array()?, table.column("8")?.to_array()?);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, &y, Split::test_size(0.2).random_state(42))?;
    Ok(Some((x_train, y_train, x_test, y_test)))
}

fn lesson() -> cornu::Result<Sequential> {
    let _turn = seeded(Flavor::Keras2, 42);
    let mut model = sequential![
        Dense::new(12).input_shape([8]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    Ok(model)
}

#[test]
fn pima_weights_follow_those_of_keras() -> cornu::Result<()> {
    let Some((x, y, ..)) = pima()? else { return Ok(()) };
    let golden = golden::json("random", "keras213_pima_training.json");
    let mut report = Report::default();
    for (epochs, steps, key, bar) in
        [(1, 1, "weights_step_1", 2e-8), (1, 62, "weights_step_62", 3e-7), (10, 62, "weights_step_620", 1e-6)]
    {
        let mut model = lesson()?;
        let fit = Fit::new().epochs(epochs).batch_size(10).steps_per_epoch(steps).seeds(Seeds::new(42)).verbose(0);
        model.fit(&x, &y, fit)?;
        for (i, (got, want)) in model.weights().iter().zip(golden[key].as_array().expect("weights")).enumerate() {
            let got = Array::vector(got.iter().map(|&w| f64::from(w)).collect());
            report.case(&format!("{key} {i}"), close(&got, &list(want), 0.0, bar));
        }
    }
    report.finish();
    Ok(())
}

#[test]
fn pima_trains_as_in_the_lesson() -> cornu::Result<()> {
    let Some((x, y, x_test, y_test)) = pima()? else { return Ok(()) };
    let golden = golden::json("random", "keras213_pima_training.json");
    let mut model = lesson()?;
    let epochs = 150;
    let seen = Arc::default();
    let fit = Fit::new().epochs(epochs).batch_size(10).seeds(Seeds::new(42)).verbose(0);
    let history = model.fit(&x, &y, fit.callback(Watch(Arc::clone(&seen))))?;
    let mut report = Report::default();
    let running = seen.lock().expect("one thread");
    for (place, (key, bar)) in [("loss", 1e-6), ("accuracy", 0.0)].into_iter().enumerate() {
        let want = list(&golden[key]).rows(&(0..epochs).collect::<Vec<_>>());
        report.case(key, close(&Array::vector(history[key].to_vec()), &want, 0.0, bar));
        let got = running.iter().map(|logs| logs[place].1).collect();
        let want = golden["batch_logs_epoch1"].as_array().expect("62 batches").iter();
        let want = want.map(|logs| logs[place].as_f64().expect("a figure")).collect();
        report.case(&format!("running {key}"), close(&Array::vector(got), &Array::vector(want), 0.0, bar));
    }
    if epochs == 150 {
        let predictions = model.predict(&x_test)?.iter().take(15).map(|&p| f64::from(p)).collect();
        let want = list(&golden["tutorial_predictions"]);
        report.case("the lesson's predictions", close(&Array::vector(predictions), &want, 0.0, 1e-5));
        let mut accuracy = |x: &Array, y: &Array| {
            model.evaluate_with(x, y, Evaluate::new().verbose(0)).map(|scores| scores["accuracy"])
        };
        assert_eq!(accuracy(&x, &y)?, 0.842_019_557_952_880_9);
        assert_eq!(accuracy(&x_test, &y_test)?, f64::from(112.0f32 / 154.0));
    }
    report.finish();
    Ok(())
}
