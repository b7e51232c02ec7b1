//! Trials whose models are trained side by side are those that are trained one by one.

use cornu::prelude::*;
use cornu_tuner::oracle::Oracle;
use cornu_tuner::prelude::*;
use cornu_tuner::{Finish, Status};

use crate::{fit, rows, told};

/// One architecture: rates differ.
fn rates(hp: &mut HyperParameters) -> cornu::Result<Sequential> {
    let mut model = Sequential::new();
    model.add(Dense::new(6).activation("relu").input_shape([4]));
    model.add(Dropout::new(hp.float("rate", 0.2..=0.4)));
    model.add(Dense::new(1).activation("sigmoid"));
    let adam = Adam::new().learning_rate(hp.float("lr", 1e-3..=1e-1).log());
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
    Ok(model)
}

/// Builds the same, but may train as it likes: no two are side by side.
struct Alone;

impl HyperModel for Alone {
    fn build(&self, hp: &mut HyperParameters) -> cornu::Result<Model> {
        rates(hp).map(Into::into)
    }
}

/// Whether some trials took as long as others, to the bit: their time is that of one stack.
fn are_side_by_side(trials: &[Trial]) -> bool {
    trials.iter().any(|a| trials.iter().any(|b| a.number != b.number && a.seconds == b.seconds))
}

/// Searches in both ways, and compares all that comes of it.
fn same<O: Oracle>(
    name: &str,
    tuner: impl Fn(Tuner<O>) -> Tuner<O>,
    new: [Tuner<O>; 2],
    fit: impl Fn() -> Fit,
) -> Vec<Trial> {
    let (x, y) = rows(60);
    let [mut stacked, mut alone] = new.map(|new| tuner(new.objective("val_loss").seed(3)));
    stacked.search(&x, &y, fit()).unwrap_or_else(|error| panic!("{name}: {error}"));
    alone.search(&x, &y, fit()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(told(stacked.trials()), told(alone.trials()), "{name}");
    for (one, other) in stacked.trials().iter().zip(alone.trials()) {
        assert_eq!(one.executions, other.executions, "{name}: trial {}", one.number);
    }
    let weights = |tuner: &mut Tuner<O>| tuner.get_best_models(1).expect("a model")[0].weights();
    assert_eq!(weights(&mut stacked), weights(&mut alone), "{name}");
    assert!(!are_side_by_side(alone.trials()), "{name}");
    stacked.trials().to_vec()
}

fn both() -> [RandomSearch; 2] {
    [RandomSearch::new(rates), RandomSearch::new(Alone)]
}

#[test]
fn trials_that_differ_in_rates_have_the_bits_of_each_alone() {
    for workers in [1, 2] {
        let trials = same("rates", |tuner| tuner.max_trials(24).workers(workers), both(), fit);
        assert!(are_side_by_side(&trials), "no two trials were trained together");
    }
    let stopping = || fit().epochs(8).callback(EarlyStopping::new().monitor("val_accuracy").patience(1));
    let trials = same("stopping", |tuner| tuner.max_trials(12).workers(1), both(), stopping);
    assert!(are_side_by_side(&trials));
}

#[test]
fn executions_and_folds_of_a_trial_have_the_bits_of_each_alone() {
    same("executions", |tuner| tuner.max_trials(3).executions_per_trial(4).workers(1), both(), fit);
    let folds = || Fit::new().epochs(3).batch_size(8).verbose(0);
    let both_of = |tuner: RandomSearch| tuner.max_trials(5).executions_per_trial(2).folds(KFold::new(3)).workers(2);
    let trials = same("folds", both_of, both(), folds);
    assert_eq!(trials[0].executions.len(), 6);
}

#[test]
fn rungs_go_on_side_by_side() {
    let both = [Hyperband::new(rates), Hyperband::new(Alone)];
    let tuner = |tuner: Hyperband| tuner.max_epochs(9).factor(3).executions_per_trial(4).workers(1);
    let trials = same("rungs", tuner, both, fit);
    assert!(trials.len() > 10);
}

#[test]
fn a_trial_that_is_pruned_or_fails_ends_by_itself() {
    let (x, y) = rows(60);
    let build = |hp: &mut HyperParameters| {
        let model = rates(hp)?;
        assert!(hp.float("rate", 0.2..=0.4).get() < 0.38, "a rate too high");
        Ok::<_, cornu::Error>(model)
    };
    let tuner = RandomSearch::new(build).objective("val_loss").max_trials(40).seed(3).workers(1);
    let mut tuner =
        tuner.max_consecutive_failed_trials(0).pruner(MedianPruner::new().startup_trials(4).warmup_epochs(1));
    assert_eq!(tuner.search(&x, &y, fit().epochs(6)).expect("a search"), Finish::MaxTrials);
    let count = |status: Status| tuner.trials().iter().filter(|trial| trial.status == status).count();
    assert!(count(Status::Failed) > 0 && count(Status::Pruned) > 0 && count(Status::Completed) > 10);
    let message = tuner.trials().iter().find_map(|trial| trial.message.clone());
    assert!(message.is_some_and(|message| message.contains("a rate too high")));
    assert!(are_side_by_side(tuner.trials()));
}
