//! The small trainings that Keras was watched at: `golden/training`.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use cornu::Cpu;
use cornu::choice::Choice;
use cornu::config::Field;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::{EarlyStopping, LearningRateScheduler, PerOutput, ReduceLROnPlateau};
use cornu::{Arrays, Cx, Tensor, ToArrays};
use cornu_files::keras::Archive;
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close};
use ndarray::ArrayD;
use serde_json::Value;

use crate::lacks::{lacks, of_compile};
use crate::lesson;
use crate::seeds::seeded;
use crate::training::{Watch, list};

cornu::config! {
    /// The exponential linear unit, as a layer of one's own.
    "tests" pub layer Elu {
        /// The limit below zero, times -1.
        alpha: f64 = 1.0,
    }
}

impl Layer for Elu {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        x.gt(0.0).select(&x, (x.minimum(0.0).exp() - 1.0) * self.alpha)
    }
}

/// The settings of `fit` that these tests hand on.
const FIT: [&str; 10] = [
    "batch_size",
    "callbacks",
    "class_weight",
    "epochs",
    "initial_epoch",
    "sample_weight",
    "shuffle",
    "validation_data",
    "validation_split",
    "verbose",
];

/// What a case asks of `fit` that these tests cannot hand on.
fn beyond(json: &Value) -> Option<String> {
    let asked = json["fit"].as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    asked.map(|(key, _)| key).find(|key| !FIT.contains(&key.as_str())).cloned()
}

/// A callback of Keras's, by class and settings.
fn callback(json: &Value) -> Box<dyn Callback> {
    let kwargs = &json["kwargs"];
    let count = |key: &str, default: u64| kwargs[key].as_u64().unwrap_or(default) as usize;
    let number = |key: &str, default: f64| kwargs[key].as_f64().unwrap_or(default);
    let text = |key: &str, default: &'static str| kwargs[key].as_str().unwrap_or(default).to_owned();
    match json["class"].as_str() {
        Some("EarlyStopping") => Box::new(
            EarlyStopping::new()
                .monitor(text("monitor", "val_loss"))
                .mode(text("mode", "auto"))
                .min_delta(number("min_delta", 0.0))
                .patience(count("patience", 0))
                .start_from_epoch(count("start_from_epoch", 0))
                .restore_best_weights(kwargs["restore_best_weights"] == true),
        ),
        Some("ReduceLROnPlateau") => Box::new(
            ReduceLROnPlateau::new()
                .monitor(text("monitor", "val_loss"))
                .mode(text("mode", "auto"))
                .factor(number("factor", 0.1))
                .patience(count("patience", 10))
                .min_delta(number("min_delta", 1e-4))
                .cooldown(count("cooldown", 0))
                .min_lr(number("min_lr", 0.0)),
        ),
        Some("LearningRateScheduler") => {
            let rates: Vec<f64> = list(&json["rates"]).to_vec();
            Box::new(LearningRateScheduler::new(move |epoch, _| rates[epoch]))
        }
        other => panic!("these tests do not know {other:?}"),
    }
}

/// Puts the layer above in the place of Keras's.
fn with_own_layers(json: &mut Value) {
    match json {
        Value::Array(list) => list.iter_mut().for_each(with_own_layers),
        Value::Object(object) => {
            object.values_mut().for_each(with_own_layers);
            if object.get("class_name").is_some_and(|class| class == "ELU") {
                let own = [("module", "tests"), ("class_name", "Elu"), ("registered_name", "tests>Elu")];
                own.into_iter().for_each(|(key, value)| drop(object.insert(key.into(), value.into())));
            }
        }
        _ => {}
    }
}

fn names(json: &Value) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A case, its model and its data.
struct Case<'a> {
    golden: golden::Case<'a>,
    json: &'a Value,
    id: &'a str,
    model: Value,
    x: Arrays,
    y: Arrays,
}

impl<'a> Case<'a> {
    /// `None` if the data are not in this repository, and not here.
    fn open(json: &'a Value, model: Value) -> Option<Case<'a>> {
        let golden = golden::Case::open("training", json);
        let data = |name: &str| arrays(&golden, &json["data"][name]);
        let (x, y) = match data("x").zip(data("y")) {
            Some(data) => data,
            None if !json["data_from"]["rows_of"].as_str().is_some_and(|rows| rows.starts_with("mnist.npz")) => {
                println!("{}: skipped, its data are not here: {}", golden.id, json["data_from"]);
                return None;
            }
            None => {
                let ((x, y), _) = lesson::mnist()?;
                let place = |key: &str| json["data_from"][key].as_u64().expect("a row") as usize;
                let rows: Vec<usize> = (place("from")..place("to")).collect();
                (one(x.rows(&rows)), one(y.rows(&rows)))
            }
        };
        Some(Case { id: golden.id, golden, json, model, x, y })
    }

    fn data(&self, name: &str) -> Option<Arrays> {
        arrays(&self.golden, &self.json["data"][name])
    }

    fn rows(&self) -> usize {
        self.x.iter().next().expect("an input").shape()[0]
    }

    /// The model, compiled.
    fn model(&self) -> cornu::Result<Model> {
        let mut model = Model::from_json_value(&self.model)?;
        let initial = self.golden.all(&self.json["initial_weights"]);
        let weights: Vec<ArrayD<f32>> = initial.iter().map(cornu::data::from_array).collect();
        model.set_weights(&weights)?;
        model.compile(settings(&self.json["compile"])?)?;
        Ok(model)
    }

    /// What Keras was asked for.
    fn fit(&self) -> Fit {
        let epochs = self.epochs();
        let fit = &self.json["fit"];
        let mut settings = Fit::new().shuffle(false).seeds(Seeds::new(1)).verbose(0);
        settings = settings.initial_epoch(epochs.start).epochs(epochs.end);
        settings = settings.batch_size(fit["batch_size"].as_u64().unwrap_or(32) as usize);
        settings = settings.validation_split(fit["validation_split"].as_f64().unwrap_or(0.0));
        if let (Some(x), Some(y)) = (self.data("val_x"), self.data("val_y")) {
            settings = settings.validation_data(x, y);
        }
        if let Some(weights) = fit["class_weight"].as_object() {
            let weight = |(class, weight): (&String, &Value)| Some((class.parse().ok()?, weight.as_f64()?));
            settings = settings.class_weight(weights.iter().filter_map(weight));
        }
        let callbacks = fit["callbacks"].as_array().into_iter().flatten().map(callback);
        settings = settings.callbacks(callbacks);
        match self.data("sample_weight") {
            Some(weights) => settings.sample_weight(weights),
            None => settings,
        }
    }

    fn epochs(&self) -> Range<usize> {
        let number = |key: &str| self.json["fit"][key].as_u64().map(|n| n as usize);
        number("initial_epoch").unwrap_or(0)..number("epochs").expect("epochs")
    }
}

fn settings(compile: &Value) -> cornu::Result<Compile> {
    let settings = Compile::new().optimizer(Choice::from_json(&compile["optimizer"])?);
    let losses = PerOutput::from_json(&compile["loss"], |_| true, Choice::from_json)?;
    let mut settings = Compile { loss: Some(losses), ..settings };
    if !compile["loss_weights"].is_null() {
        settings.loss_weights = Some(PerOutput::from_json(&compile["loss_weights"], |_| true, f64::from_json)?);
    }
    let metrics = |key: &str| {
        let list = |json: &Value| json.as_array().into_iter().flatten().map(Choice::from_json).collect();
        PerOutput::from_json(&compile[key], |items| items.iter().any(Value::is_array), list)
    };
    Ok(Compile { metrics: metrics("metrics")?, weighted_metrics: metrics("weighted_metrics")?, ..settings })
}

/// One array, or several by name.
fn arrays(golden: &golden::Case, json: &Value) -> Option<Arrays> {
    if let Some(array) = golden.array(json) {
        return Some(one(array));
    }
    let named = json.as_object()?.iter().map(|(name, array)| Some((name.clone(), golden.array(array)?)));
    named.collect::<Option<Vec<_>>>()?.into_arrays().ok()
}

fn one(array: Array) -> Arrays {
    array.into_arrays().expect("an array")
}

/// Notes the weights after the first steps.
#[derive(Clone)]
struct Steps {
    count: usize,
    seen: Arc<Mutex<Vec<Vec<Array>>>>,
}

impl Callback for Steps {
    fn on_train_batch_end(&mut self, _: usize, control: &mut Control) -> cornu::Result<()> {
        let mut seen = self.seen.lock().expect("one thread");
        if seen.len() < self.count {
            seen.push(control.weights()?);
        }
        Ok(())
    }
}

/// The weights after the first steps.
fn check_steps(case: &Case, steps: &[Vec<Array>], report: &mut Report) -> cornu::Result<()> {
    let (rtol, atol) = case.golden.tolerance("steps");
    let all = case.json["weights_after_step"].as_array().expect("weights");
    for (step, weights) in steps.iter().enumerate() {
        for (i, (got, want)) in weights.iter().zip(all).enumerate() {
            let own = want["$array"].as_str().and_then(|key| case.json["tol"]["steps"]["atol_by_array"][key].as_f64());
            let want = case.golden.array(want).expect("weights").rows(&[step]).reshape(got.shape().clone())?;
            let near = close(got, &want, rtol, own.unwrap_or(atol));
            report.case(&format!("{} weight {i} after step {}", case.id, step + 1), near);
        }
    }
    Ok(())
}

fn array(array: &ArrayD<f32>) -> Array {
    Array::new(array.shape(), array.iter().copied().collect::<Vec<f32>>()).expect("a sound array")
}

/// Whether figures are Keras's. Accuracies count rows: in data that were not made for these tests, one may lie so near a
/// threshold that it falls on its other side.
fn figures_fit(case: &Case, key: &str, got: Vec<f64>, want: Vec<f64>) -> Result<(), String> {
    let (rtol, atol) = case.golden.tolerance("history");
    let foreign = golden::folder("training") != golden::own("training");
    let of = |x: &Arrays| x.iter().next().map(|x| x.shape()[0]);
    let rows = case.data("val_x").filter(|_| key.starts_with("val_")).map_or(Some(case.rows()), |x| of(&x));
    let row = if foreign && key.contains("accuracy") { 1.01 / rows.unwrap_or(1) as f64 } else { 0.0 };
    close(&Array::vector(got), &Array::vector(want), rtol, atol + row)
}

fn check(case: &Case, report: &mut Report) -> cornu::Result<()> {
    let id = case.id;
    let wanted = case.json["logs_after_step"].as_array().expect("figures");
    let (running, steps) = (Watch::new(wanted.len()), Steps { count: wanted.len(), seen: Arc::default() });
    let mut model = case.model()?;
    let fit = case.fit().callback(running.clone()).callback(steps.clone());
    let history = model.fit(case.x.clone(), case.y.clone(), fit)?;
    check_steps(case, &steps.seen.lock().expect("one thread"), report)?;
    assert_eq!(Some(history.epoch.len()), case.json["epochs_run"].as_array().map(Vec::len), "{id}: epochs");
    assert_eq!(history.keys(), names(&case.json["history_keys_in_order"]), "{id}");
    for (key, values) in history.iter() {
        let want: Vec<f64> = list(&case.json["history"][key]).to_vec();
        report.case(&format!("{id} history {key}"), figures_fit(case, key, values.to_vec(), want));
    }
    for (step, (logs, want)) in running.seen().iter().zip(wanted).enumerate() {
        for (key, got) in logs {
            let want = want[key].as_f64().expect("a figure");
            report.case(
                &format!("{id} running {key} after step {}", step + 1),
                figures_fit(case, key, vec![*got], vec![want]),
            );
        }
    }
    if let Some(rate) = case.json["learning_rate_end"].as_f64() {
        report.case(
            &format!("{id} rate"),
            close(&Array::scalar(model.learning_rate()?), &Array::scalar(rate), 1e-7, 0.0),
        );
    }
    check_end(case, &mut model, report)
}

/// Weights, predictions and scores after the training.
fn check_end(case: &Case, model: &mut Model, report: &mut Report) -> cornu::Result<()> {
    let id = case.id;
    let all = case.json["weights_end"].as_array().expect("weights");
    for (i, (got, want)) in model.weights().iter().zip(all).enumerate() {
        report.case(&format!("{id} weight {i} at the end"), case.golden.near("end", &array(got), want));
    }
    let wanted = &case.json["predictions_end"];
    let wanted = wanted.as_array().map_or(std::slice::from_ref(wanted), Vec::as_slice);
    let got = model.predict_all_with(case.x.clone(), Predict::new().verbose(0))?;
    assert_eq!(got.len(), wanted.len(), "{id}: outputs");
    for (got, want) in got.iter().zip(wanted) {
        report.case(&format!("{id} predictions"), case.golden.near("end", got, want));
    }
    let scores = model.evaluate_with(case.x.clone(), case.y.clone(), Evaluate::new().batch_size(64).verbose(0))?;
    for (key, value) in scores.iter() {
        let want = case.json["evaluate"][key].as_f64().unwrap_or(f64::NAN);
        report.case(&format!("{id} evaluate {key}"), figures_fit(case, key, vec![value], vec![want]));
    }
    Ok(())
}

/// Whether a case can be opened and compiled.
fn usable(json: &Value, model: &Value) -> Result<(), String> {
    let model = Model::from_json_value(model);
    let compiled = model.and_then(|mut model| model.compile(settings(&json["compile"])?));
    compiled.map_err(|error| error.to_string())
}

#[test]
fn small_trainings_are_those_of_keras() {
    let _turn = seeded(Flavor::Keras3, 1);
    cornu::layers::register::<Elu>();
    let mut report = Report::default();
    for json in &golden::cases("training") {
        let id = json["id"].as_str().expect("an id");
        let file = golden::folder("training").join(json["model_file"].as_str().expect("a file"));
        let mut model = Archive::open(file).expect("an archive").config;
        with_own_layers(&mut model);
        let lacks: Vec<String> = [lacks(&model), of_compile(&json["compile"])].concat();
        let own = |lack: &String| lack != "`Elu`";
        let lacks: Vec<String> = lacks.into_iter().filter(own).collect();
        if !lacks.is_empty() {
            report.lacking(id, &lacks, usable(json, &model));
            continue;
        }
        if let Some(other) = beyond(json) {
            println!("{id}: skipped, these tests do not know {other}");
            continue;
        }
        let Some(case) = Case::open(json, model) else { continue };
        if let Err(error) = check(&case, &mut report) {
            report.case(id, Err(error.to_string()));
        }
    }
    report.finish();
}

/// How threads share the work shows in no weight.
#[test]
fn trainings_have_the_same_bits_on_any_number_of_threads() -> cornu::Result<()> {
    const CASES: [&str; 6] = [
        "batchnorm_conv",
        "bidirectional_gru",
        "lstm_masked",
        "masked_sequence_loss",
        "multi_output",
        "transformer_nadam",
    ];
    let _turn = seeded(Flavor::Keras3, 1);
    for json in golden::cases("training").iter().filter(|json| CASES.iter().any(|id| json["id"] == *id)) {
        let file = golden::folder("training").join(json["model_file"].as_str().expect("a file"));
        let Some(case) = Case::open(json, Archive::open(file).expect("an archive").config) else { continue };
        let trained = |threads| {
            let mut model = case.model()?;
            model.run_on(Cpu::new().threads(threads))?;
            model.fit(case.x.clone(), case.y.clone(), case.fit())?;
            Ok::<_, cornu::Error>(model.weights())
        };
        let one = trained(1)?;
        for threads in [2, 3, 5] {
            assert_eq!(trained(threads)?, one, "{}: {threads} threads", case.id);
        }
    }
    Ok(())
}
