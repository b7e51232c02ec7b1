//! The small trainings that Keras was watched at: `golden/training`.

use std::ops::{ControlFlow, Range};
use std::sync::{Arc, Mutex};

use cornu::choice::Choice;
use cornu::config::Field;
use cornu::config::OneOrMany;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::Callback;
use cornu::{Cx, Tensor};
use cornu_graph::Array;
use cornu_testkit::golden::{self, Report, close, tolerance};
use ndarray::ArrayD;
use serde_json::Value;

use crate::lesson;
use crate::seeds::seeded;
use crate::training::{Logs, Watch, list};

cornu::config! {
    /// The exponential linear unit, as a layer of one's own.
    "tests" pub layer Elu {}
}

impl Layer for Elu {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        x.gt(0.0).select(&x, x.minimum(0.0).exp() - 1.0)
    }
}

/// Cases that need what there is not yet. Each is tried: it is to leave the list when it can be trained.
const NOT_YET: &[(&str, &str)] = &[
    ("lr_schedule_object", "optimizer AdamW, schedule CosineDecay"),
    ("batchnorm_conv", "layers Conv2D and BatchNormalization, functional models"),
    ("lstm_masked", "layers Embedding and LSTM, masks"),
    ("masked_sequence_loss", "layers Embedding and GRU, masks"),
    ("bidirectional_gru", "layers Bidirectional and GRU"),
    ("transformer_nadam", "optimizer Nadam, layer MultiHeadAttention"),
    ("multi_output", "models with several outputs"),
    ("ema_accumulation", "Adam's use_ema and gradient_accumulation_steps"),
    ("frozen_part", "layer BatchNormalization, metric AUC"),
    ("optimizer_adagrad", "optimizer Adagrad"),
    ("optimizer_adadelta", "optimizer Adadelta"),
    ("optimizer_adamax", "optimizer Adamax"),
    ("optimizer_ftrl", "optimizer Ftrl"),
    ("optimizer_lion", "optimizer Lion"),
    ("optimizer_lamb", "optimizer Lamb"),
    ("optimizer_adafactor", "optimizer Adafactor"),
    ("optimizer_muon", "optimizer Muon"),
    ("optimizer_schedulefreeadamw", "optimizer ScheduleFreeAdamW"),
];

/// The network of a case.
fn network(id: &str) -> Option<Sequential> {
    let dense = |units, activation: &str| Dense::new(units).activation(activation);
    let tabular = |hidden: &[(usize, &str)], units, last: &str| {
        let mut model = sequential![Input::new([6])];
        for &(units, activation) in hidden {
            model.add(dense(units, activation));
        }
        model.add(dense(units, last));
        model
    };
    Some(match id {
        "sgd_mse" | "lr_scheduler" => tabular(&[(8, "tanh")], 1, "linear"),
        "adam_bce_validation_data" => tabular(&[(8, "relu"), (4, "relu")], 1, "sigmoid"),
        "rmsprop_cce_validation_split" => {
            sequential![Input::new([6]), Dense::new(8), Elu::new(), dense(3, "softmax")]
        }
        "class_weight" => tabular(&[(8, "relu")], 3, "linear"),
        "class_weight_binary" | "early_stopping_accuracy" => tabular(&[(8, "relu")], 1, "sigmoid"),
        "sample_weight" => tabular(&[(8, "relu")], 2, "linear"),
        "initial_epoch" => tabular(&[(8, "relu")], 1, "linear"),
        "early_stopping" | "reduce_lr" => tabular(&[(16, "relu")], 1, "linear"),
        "regularized_nesterov" => {
            let first = dense(8, "relu").kernel_regularizer(Regularizer::L2 { l2: 0.01 });
            let first = first.bias_regularizer(Regularizer::L1 { l1: 0.01 });
            let first = first.activity_regularizer(Regularizer::L2 { l2: 0.001 });
            let last = Dense::new(1)
                .kernel_constraint(Constraint::MaxNorm { max_value: 0.8, axis: OneOrMany::One(0) })
                .bias_constraint(Constraint::NonNeg {});
            sequential![Input::new([6]), first, last]
        }
        "pima_tutorial" => {
            sequential![Input::new([8]), dense(12, "relu"), dense(8, "relu"), dense(1, "sigmoid")]
        }
        "mnist_tutorial" => sequential![Input::new([28, 28]), Flatten::new(), dense(16, "relu"), Dense::new(10)],
        _ => return None,
    })
}

fn names(json: &Value) -> Vec<&str> {
    json.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A case and its arrays.
struct Case<'a> {
    json: &'a Value,
    id: &'a str,
    x: Array,
    y: Array,
    arrays: std::collections::BTreeMap<String, Array>,
}

impl<'a> Case<'a> {
    /// `None` if the data are not in this repository, and not here.
    fn open(json: &'a Value) -> Option<Case<'a>> {
        let arrays = golden::arrays("training", json["arrays"].as_str().expect("a file"));
        let data = |name: &str| golden::value(&json["data"][name], &arrays);
        let (x, y) = match data("x").zip(data("y")) {
            Some(data) => data,
            None => {
                let ((x, y), _) = lesson::mnist()?;
                let place = |key: &str| json["data_from"][key].as_u64().expect("a row") as usize;
                let rows: Vec<usize> = (place("from")..place("to")).collect();
                (x.rows(&rows), y.rows(&rows))
            }
        };
        Some(Case { json, id: json["id"].as_str().expect("an id"), x, y, arrays })
    }

    fn data(&self, name: &str) -> Option<Array> {
        golden::value(&self.json["data"][name], &self.arrays)
    }

    fn all(&self, key: &str) -> Vec<Array> {
        let list = self.json[key].as_array().expect("a list");
        list.iter().map(|json| golden::value(json, &self.arrays).expect("an array")).collect()
    }

    /// The model, compiled; with another learning rate, if one is given.
    fn model(&self, rate: Option<f64>) -> cornu::Result<Sequential> {
        let mut model = network(self.id).expect("a case with a network");
        let weights: Vec<ArrayD<f32>> = self.all("initial_weights").iter().map(cornu::data::from_array).collect();
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
        // Without shuffling, flavours differ in the order of figures, and in what follows an epoch that ends early.
        let mut settings = Fit::new().shuffle(false).seeds(flavored(Flavor::Keras3)).verbose(0);
        settings = settings.initial_epoch(epochs.start).epochs(epochs.end);
        settings = settings.batch_size(fit["batch_size"].as_u64().expect("a size") as usize);
        settings = settings.validation_split(fit["validation_split"].as_f64().unwrap_or(0.0));
        if let (Some(x), Some(y)) = (self.data("val_x"), self.data("val_y")) {
            settings = settings.validation_data(&x, &y);
        }
        if let Some(weights) = fit["class_weight"].as_object() {
            let weight = |(class, weight): (&String, &Value)| Some((class.parse().ok()?, weight.as_f64()?));
            settings = settings.class_weight(weights.iter().filter_map(weight));
        }
        match self.data("sample_weight") {
            Some(weights) => settings.sample_weight(&weights),
            None => settings,
        }
    }

    fn epochs(&self) -> Range<usize> {
        let number = |key: &str| self.json["fit"][key].as_u64().map(|n| n as usize);
        number("initial_epoch").unwrap_or(0)..number("epochs").expect("epochs")
    }

    /// The learning rate of each epoch, where a callback of Keras's changed it.
    fn rates(&self) -> Option<Vec<f64>> {
        let rates = self.json["history"]["learning_rate"].as_array()?;
        Some(rates.iter().map(|rate| rate.as_f64().expect("a rate")).collect())
    }

    /// When Keras was to stop early.
    fn patience(&self) -> Option<Patience> {
        let asked = &self.json["fit"]["callbacks"][0];
        let kwargs = (asked["class"] == "EarlyStopping").then(|| &asked["kwargs"])?;
        let upwards = kwargs["mode"] == "max";
        Some(Patience {
            monitor: kwargs["monitor"].as_str().expect("a figure").to_owned(),
            sign: if upwards { 1.0 } else { -1.0 },
            min_delta: kwargs["min_delta"].as_f64().unwrap_or(0.0),
            patience: kwargs["patience"].as_u64().expect("epochs") as usize,
            first: kwargs["start_from_epoch"].as_u64().unwrap_or(0) as usize,
            best: Arc::default(),
        })
    }
}

fn settings(compile: &Value) -> cornu::Result<Compile> {
    let settings = Compile::new().optimizer(Choice::from_json(&compile["optimizer"])?);
    let settings = settings.loss(Choice::from_json(&compile["loss"])?);
    Ok(settings.metrics(names(&compile["metrics"])).weighted_metrics(names(&compile["weighted_metrics"])))
}

fn flavored(flavor: Flavor) -> Seeds {
    let mut seeds = Seeds::new(1);
    seeds.set_flavor(flavor);
    seeds
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
    let (rtol, atol) = tolerance(case.json, "steps");
    let want = case.all("weights_after_step");
    for step in 0..case.json["logs_after_step"].as_array().expect("figures").len() {
        let mut model = case.model(case.rates().map(|rates| rates[0]))?;
        // In Keras 2's flavour, the next epoch of one batch takes the next batch.
        let fit = case.fit(0..step + 1).steps_per_epoch(1).seeds(flavored(Flavor::Keras2));
        model.fit(&case.x, &case.y, fit)?;
        for (i, (got, want)) in model.weights().iter().zip(&want).enumerate() {
            let want = want.rows(&[step]).reshape(got.shape())?;
            report.case(
                &format!("{} weight {i} after step {}", case.id, step + 1),
                close(&array(got), &want, rtol, atol),
            );
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
fn train(case: &Case, model: &mut Sequential) -> cornu::Result<Seen> {
    let steps = case.json["logs_after_step"].as_array().expect("figures").len();
    let running = Watch::new(steps);
    let mut figures: Vec<(String, Vec<f64>)> = Vec::new();
    let mut fit = |model: &mut Sequential, fit: Fit| -> cornu::Result<usize> {
        let history = model.fit(&case.x, &case.y, fit.callback(running.clone()))?;
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
                if epoch > 0 {
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

fn check(case: &Case, report: &mut Report) -> cornu::Result<()> {
    let id = case.id;
    check_steps(case, report)?;
    let mut model = case.model(case.rates().map(|rates| rates[0]))?;
    let (figures, running) = train(case, &mut model)?;
    let mut keys = names(&case.json["history_keys_in_order"]);
    keys.retain(|&key| key != "learning_rate");
    assert_eq!(figures.iter().map(|(key, _)| key).collect::<Vec<_>>(), keys, "{id}");
    let (rtol, atol) = tolerance(case.json, "history");
    for (key, values) in figures {
        let (got, want) = (Array::vector(values), list(&case.json["history"][&key]));
        report.case(&format!("{id} history {key}"), close(&got, &want, rtol, atol));
    }
    for (step, (logs, want)) in running.iter().zip(case.json["logs_after_step"].as_array().expect("logs")).enumerate() {
        for (key, got) in logs {
            let (got, want) = (Array::scalar(*got), Array::scalar(want[key].as_f64().expect("a figure")));
            report.case(&format!("{id} running {key} after step {}", step + 1), close(&got, &want, rtol, atol));
        }
    }
    if case.json["fit"]["callbacks"][0]["kwargs"]["restore_best_weights"] == true {
        // The weights of the best epoch are those of a training that ends with it.
        let patience = case.patience().expect("early stopping");
        model = case.model(None)?;
        let history = model.fit(&case.x, &case.y, case.fit(case.epochs()).callback(patience.clone()))?;
        let best = patience.best.lock().expect("one thread").expect("a best epoch").1;
        assert!(best + 1 < history.epoch.len(), "{id}: stopped after the best epoch");
        model = case.model(None)?;
        model.fit(&case.x, &case.y, case.fit(0..best + 1))?;
    }
    check_end(case, &mut model, report)
}

/// Weights, predictions and scores after the training.
fn check_end(case: &Case, model: &mut Sequential, report: &mut Report) -> cornu::Result<()> {
    let (id, (rtol, atol)) = (case.id, tolerance(case.json, "end"));
    for (i, (got, want)) in model.weights().iter().zip(case.all("weights_end")).enumerate() {
        report.case(&format!("{id} weight {i} at the end"), close(&array(got), &want, rtol, atol));
    }
    let got = array(&model.predict_with(&case.x, Predict::new().verbose(0))?);
    let want = golden::value(&case.json["predictions_end"], &case.arrays).expect("predictions");
    report.case(&format!("{id} predictions"), close(&got, &want, rtol, atol));
    let scores = model.evaluate_with(&case.x, &case.y, Evaluate::new().batch_size(64).verbose(0))?;
    let (rtol, atol) = tolerance(case.json, "history");
    for (key, value) in scores.iter() {
        let want = Array::scalar(case.json["evaluate"][key].as_f64().unwrap_or(f64::NAN));
        report.case(&format!("{id} evaluate {key}"), close(&Array::scalar(value), &want, rtol, atol));
    }
    Ok(())
}

/// Whether a case can be opened and compiled, whatever its network.
fn usable(json: &Value) -> bool {
    let file = golden::folder("training").join(json["model_file"].as_str().expect("a file"));
    let compiles = || {
        let mut model = sequential![Dense::new(1).input_shape([1])];
        settings(&json["compile"]).and_then(|settings| model.compile(settings))
    };
    load_model(file).and_then(|_| compiles()).is_ok()
}

#[test]
fn small_trainings_are_those_of_keras() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    for json in &golden::cases("training") {
        let id = json["id"].as_str().expect("an id");
        if let Some((_, reason)) = NOT_YET.iter().find(|(case, _)| *case == id) {
            let stale = format!("can be trained now, for there is no lack of: {reason}");
            report.case(id, if usable(json) { Err(stale) } else { Ok(()) });
            continue;
        }
        if network(id).is_none() {
            report.case(id, Err("is neither trained here nor listed as lacking something".into()));
            continue;
        }
        let Some(case) = Case::open(json) else { continue };
        if let Err(error) = check(&case, &mut report) {
            report.case(id, Err(error.to_string()));
        }
    }
    report.finish();
}
