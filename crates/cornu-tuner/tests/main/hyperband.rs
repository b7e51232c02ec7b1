//! Brackets and rounds, and trainings that go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cornu::prelude::*;
use cornu::random::{Seeds, scoped, with_seeds};
use cornu_tuner::prelude::*;
use cornu_tuner::{Finish, Results, TrainingData, Value};
use ndarray::ArrayD;
use serde_json::Value as Json;

use crate::{build, fit, golden, rows};

fn numbers(trial: &Trial) -> Vec<Option<i64>> {
    let noted = |name: &str| match trial.values.get(&format!("tuner/{name}")) {
        Some(Value::Int(number)) => Some(*number),
        Some(Value::Text(text)) => text.parse().ok(),
        _ => None,
    };
    ["epochs", "initial_epoch", "bracket", "round", "trial_id"].map(noted).to_vec()
}

#[test]
fn brackets_and_rounds_are_keras_tuners() {
    for case in golden()["hyperband"].as_array().expect("cases") {
        let setting = |name: &str| case[name].as_u64().expect("a number") as usize;
        let scores: Vec<f64> = case["scores"].as_array().expect("scores").iter().filter_map(Json::as_f64).collect();
        let keras: Vec<Vec<Option<i64>>> = case["trials"]
            .as_array()
            .expect("trials")
            .iter()
            .map(|trial| trial.as_array().expect("numbers").iter().map(Json::as_i64).collect())
            .collect();
        let tuner = Hyperband::default().max_epochs(setting("max_epochs")).factor(setting("factor"));
        let mut tuner = tuner.hyperband_iterations(setting("iterations")).workers(1).seed(1);
        // The scores are KerasTuner's, so that the same trials are better.
        let next = Mutex::new(0);
        let evaluate = |hp: &mut HyperParameters| {
            hp.float("x", 0.0..=1.0).get();
            let mut next = next.lock().unwrap();
            *next += 1;
            Ok(scores[*next - 1])
        };
        assert_eq!(tuner.optimize(evaluate).unwrap(), Finish::Done);
        assert_eq!(tuner.trials().iter().map(numbers).collect::<Vec<_>>(), keras, "{case}");
    }
}

/// Notes with which seeds a model begins, and its weights after so many epochs.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    seeds: HashMap<String, Seeds>,
    weights: HashMap<(String, usize), Vec<ArrayD<f32>>>,
}

impl HyperModel for Noted {
    fn build(&self, hp: &mut HyperParameters) -> cornu::Result<Model> {
        let seeds = with_seeds(|seeds| seeds.clone());
        let model = build(hp)?;
        self.0.lock().unwrap().seeds.entry(hp.get("lr").unwrap().to_string()).or_insert(seeds);
        Ok(model.into())
    }

    fn run(&self, hp: &HyperParameters, model: &mut Model, data: &TrainingData, fit: Fit) -> cornu::Result<Results> {
        let history = model.fit(data.x.clone(), data.y.clone(), fit)?;
        let key = (hp.get("lr").unwrap().to_string(), history.epoch.len());
        self.0.lock().unwrap().weights.insert(key, model.weights());
        Ok(history.into())
    }
}

/// A trial that goes on for the third time is what one training of as many epochs is: to the bit, dropout included.
#[test]
fn trials_go_on_where_they_stopped_to_the_bit() {
    let (x, y) = rows(64);
    let noted = Noted::default();
    let mut tuner = Hyperband::new(noted.clone()).objective("val_loss").max_epochs(4).factor(2).seed(9).workers(2);
    tuner.search(&x, &y, fit()).unwrap();
    let last = tuner.trials().iter().find(|trial| numbers(trial)[..4] == [4, 2, 2, 2].map(Some)).expect("a last round");
    let grandparent = numbers(&tuner.trials()[numbers(last)[4].unwrap() as usize])[4];
    assert!(grandparent.is_some(), "it has gone on twice");
    let lr = last.values.get("lr").unwrap().to_string();
    let notes = noted.0.lock().unwrap();
    let alone = scoped(notes.seeds[&lr].clone(), || {
        let mut model = build(&mut HyperParameters::of(last.values.clone())).unwrap();
        model.fit(&x, &y, fit().epochs(4)).unwrap();
        model.weights()
    });
    assert_eq!(notes.weights[&(lr.clone(), 4)], alone);
    assert_ne!(notes.weights[&(lr, 2)], alone);
}

#[test]
fn the_best_model_of_a_hyperband_is_kept() {
    let (x, y) = rows(64);
    let mut tuner = Hyperband::new(build).objective("val_loss").max_epochs(4).factor(2).seed(9);
    tuner.search(&x, &y, fit()).unwrap();
    let score = tuner.get_best_trials(1)[0].score.unwrap();
    let best = tuner.get_best_models(1).unwrap();
    let scores = best[0].evaluate_with(&x[48..], &y[48..], Evaluate::new().verbose(0)).unwrap();
    assert!((scores["loss"] - score).abs() < 1e-6, "{scores} {score}");
}
