//! The small trainings that Keras was watched at: `golden/training`.

use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex};

use cornu::choice::Choice;
use cornu::config::Field;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::{Callback, PerOutput};
use cornu::{Arrays, Cx, Tensor, ToArrays};
use cornu_files::keras::Archive;
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close};
use ndarray::ArrayD;
use serde_json::Value;

use crate::lacks::{lacks, of_compile};
use crate::lesson;
use crate::seeds::seeded;
use crate::training::{Logs, Watch, list};

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

/// The callbacks of Keras's that these tests do the work of.
const CALLBACKS: [&str; 3] = ["EarlyStopping", "LearningRateScheduler", "ReduceLROnPlateau"];

/// The settings of `fit` and of `EarlyStopping` that these tests hand on.
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
const PATIENCE: [&str; 7] =
    ["min_delta", "mode", "monitor", "patience", "restore_best_weights", "start_from_epoch", "verbose"];

fn callbacks(json: &Value) -> impl Iterator<Item = &Value> {
    json["fit"]["callbacks"].as_array().into_iter().flatten()
}

/// What a case asks of `fit` that these tests cannot hand on.
fn beyond(json: &Value) -> Option<String> {
    let other = |asked: &Value, known: &[&str]| {
        let keys = asked.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        keys.map(|(key, _)| key).find(|key| !known.contains(&key.as_str())).cloned()
    };
    let callback = callbacks(json).find_map(|asked| {
        let class = asked["class"].as_str().unwrap_or_default();
        let known = CALLBACKS.contains(&class);
        let setting = if class == "EarlyStopping" { other(&asked["kwargs"], &PATIENCE) } else { None };
        if known { setting } else { Some(class.to_owned()) }
    });
    let best = json["history"]["learning_rate"].is_array() && restores(json);
    let both = best.then(|| "`restore_best_weights` with changing learning rates".to_owned());
    other(&json["fit"], &FIT).or(callback).or(both)
}

/// Whether the weights at the end are those of the best epoch.
fn restores(json: &Value) -> bool {
    callbacks(json).any(|asked| asked["kwargs"]["restore_best_weights"] == true)
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

    /// The model, compiled; with another learning rate, if one is given.
    fn model(&self, rate: Option<f64>) -> cornu::Result<Model> {
        let mut model = Model::from_json_value(&self.model)?;
        let initial = self.golden.all(&self.json["initial_weights"]);
        let weights: Vec<ArrayD<f32>> = initial.iter().map(cornu::data::from_array).collect();
        model.set_weights(&weights)?;
        let mut compile = self.json["compile"].clone();
        if let Some(rate) = rate {
            compile["optimizer"]["config"]["learning_rate"] = rate.into();
        }
        model.compile(settings(&compile)?)?;
        Ok(model)
    }

    /// What Keras was asked for, over some of the epochs.
    fn fit(&self, epochs: Range<usize>) -> Fit {
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
        match self.data("sample_weight") {
            Some(weights) => settings.sample_weight(weights),
            None => settings,
        }
    }

    fn epochs(&self) -> Range<usize> {
        let number = |key: &str| self.json["fit"][key].as_u64().map(|n| n as usize);
        number("initial_epoch").unwrap_or(0)..number("epochs").expect("epochs")
    }

    /// The batches of an epoch.
    fn batches(&self) -> usize {
        let fit = &self.json["fit"];
        let rows = self.rows() as f64 * (1.0 - fit["validation_split"].as_f64().unwrap_or(0.0));
        (rows as usize).div_ceil(fit["batch_size"].as_u64().unwrap_or(32) as usize)
    }

    /// The learning rate of each epoch, where a callback of Keras's changed it.
    fn rates(&self) -> Option<Vec<f64>> {
        let rates = self.json["history"]["learning_rate"].as_array()?;
        Some(rates.iter().map(|rate| rate.as_f64().expect("a rate")).collect())
    }

    /// When Keras was to stop early.
    fn patience(&self) -> Option<Patience> {
        let kwargs = &callbacks(self.json).find(|asked| asked["class"] == "EarlyStopping")?["kwargs"];
        let monitor = kwargs["monitor"].as_str().unwrap_or("val_loss");
        let upwards = kwargs["mode"] == "max" || kwargs["mode"] != "min" && monitor.ends_with("acc");
        let upwards = upwards || kwargs["mode"] != "min" && monitor.contains("accuracy");
        Some(Patience {
            monitor: monitor.to_owned(),
            sign: if upwards { 1.0 } else { -1.0 },
            min_delta: kwargs["min_delta"].as_f64().unwrap_or(0.0),
            patience: kwargs["patience"].as_u64().unwrap_or(0) as usize,
            first: kwargs["start_from_epoch"].as_u64().unwrap_or(0) as usize,
            best: Arc::default(),
        })
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

/// Keras's `EarlyStopping`: ends the training when a figure has not become better for some epochs.
#[derive(Clone)]
struct Patience {
    monitor: String,
    sign: f64,
    min_delta: f64,
    patience: usize,
    first: usize,
    /// The best figure, times the sign, and its epoch.
    best: Arc<Mutex<Option<(f64, usize)>>>,
}

impl Callback for Patience {
    fn on_epoch_end(&mut self, epoch: usize, logs: &[(String, f64)]) -> ControlFlow<()> {
        if epoch < self.first {
            return ControlFlow::Continue(());
        }
        let figure = logs.iter().find(|(name, _)| *name == self.monitor).expect("the figure to watch").1 * self.sign;
        let mut best = self.best.lock().expect("one thread");
        match *best {
            Some((value, at)) if figure - self.min_delta <= value => {
                if epoch - at >= self.patience {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            }
            _ => {
                *best = Some((figure, epoch));
                ControlFlow::Continue(())
            }
        }
    }
}

/// The weights after the first steps.
fn check_steps(case: &Case, report: &mut Report) -> cornu::Result<()> {
    let (rtol, atol) = case.golden.tolerance("steps");
    let all = case.json["weights_after_step"].as_array().expect("weights");
    let steps = case.json["logs_after_step"].as_array().expect("figures").len();
    // Callbacks change the learning rate between epochs.
    let steps = if case.rates().is_some() { steps.min(case.batches()) } else { steps };
    for step in 0..steps {
        let mut model = case.model(case.rates().map(|rates| rates[0]))?;
        // In Keras 2's flavour, the next epoch of one batch takes the next batch.
        let first = case.epochs().start;
        let fit = case.fit(first..first + step + 1).steps_per_epoch(1);
        model.fit(case.x.clone(), case.y.clone(), fit)?;
        for (i, (got, want)) in model.weights().iter().zip(all).enumerate() {
            let own = want["$array"].as_str().and_then(|key| case.json["tol"]["steps"]["atol_by_array"][key].as_f64());
            let want = case.golden.array(want).expect("weights").rows(&[step]).reshape(got.shape())?;
            let near = close(&array(got), &want, rtol, own.unwrap_or(atol));
            report.case(&format!("{} weight {i} after step {}", case.id, step + 1), near);
        }
    }
    Ok(())
}

fn array(array: &ArrayD<f32>) -> Array {
    Array::new(array.shape(), array.iter().copied().collect::<Vec<f32>>()).expect("a sound array")
}

/// The figures after each epoch, by name, and the running figures after the first steps.
type Seen = (Vec<(String, Vec<f64>)>, Vec<Logs>);

/// Trains as Keras did.
fn train(case: &Case, model: &mut Model) -> cornu::Result<Seen> {
    let steps = case.json["logs_after_step"].as_array().expect("figures").len();
    let running = Watch::new(steps);
    let mut figures: Vec<(String, Vec<f64>)> = Vec::new();
    let mut fit = |model: &mut Model, fit: Fit| -> cornu::Result<usize> {
        let history = model.fit(case.x.clone(), case.y.clone(), fit.callback(running.clone()))?;
        for (name, values) in history.iter() {
            match figures.iter_mut().find(|(key, _)| key == name) {
                Some((_, all)) => all.extend(values),
                None => figures.push((name.to_owned(), values.to_vec())),
            }
        }
        Ok(history.epoch.len())
    };
    let wanted = case.json["epochs_run"].as_array().expect("epochs").len();
    let mut run = 0;
    match (case.rates(), case.patience()) {
        (Some(rates), _) => {
            for (epoch, rate) in case.epochs().zip(&rates) {
                if epoch > case.epochs().start {
                    model.set_learning_rate(*rate)?;
                }
                run += fit(model, case.fit(epoch..epoch + 1))?;
            }
            assert_eq!(Some(model.learning_rate()?), rates.last().copied(), "{}", case.id);
        }
        (None, Some(patience)) => run = fit(model, case.fit(case.epochs()).callback(patience))?,
        (None, None) => run = fit(model, case.fit(case.epochs()))?,
    }
    assert_eq!(run, wanted, "{}: epochs", case.id);
    Ok((figures, running.seen()))
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
    check_steps(case, report)?;
    let mut model = case.model(case.rates().map(|rates| rates[0]))?;
    let (figures, running) = train(case, &mut model)?;
    let mut keys = names(&case.json["history_keys_in_order"]);
    keys.retain(|&key| key != "learning_rate");
    assert_eq!(figures.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys, "{id}");
    for (key, values) in figures {
        let want: Vec<f64> = list(&case.json["history"][&key]).to_vec();
        report.case(&format!("{id} history {key}"), figures_fit(case, &key, values, want));
    }
    for (step, (logs, want)) in running.iter().zip(case.json["logs_after_step"].as_array().expect("logs")).enumerate() {
        for (key, got) in logs {
            let want = want[key].as_f64().expect("a figure");
            report.case(
                &format!("{id} running {key} after step {}", step + 1),
                figures_fit(case, key, vec![*got], vec![want]),
            );
        }
    }
    if restores(case.json) {
        // The weights of the best epoch are those of a training that ends with it.
        let patience = case.patience().expect("early stopping");
        model = case.model(None)?;
        let history = model.fit(case.x.clone(), case.y.clone(), case.fit(case.epochs()).callback(patience.clone()))?;
        let best = patience.best.lock().expect("one thread").expect("a best epoch").1;
        assert!(best < case.epochs().start + history.epoch.len(), "{id}: the best epoch was run");
        model = case.model(None)?;
        model.fit(case.x.clone(), case.y.clone(), case.fit(case.epochs().start..best + 1))?;
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
