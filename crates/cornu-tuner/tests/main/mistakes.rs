//! What cannot be right is told before the first epoch, and a trial that fails ends neither the search nor the program.

use std::sync::atomic::{AtomicUsize, Ordering};

use cornu::prelude::*;
use cornu_tuner::prelude::*;
use cornu_tuner::{Finish, KerasTunerProject};

use crate::{build, fit, rows, testdata};

/// The error of a search among models of one more parameter.
fn refused(declare: impl Fn(&HyperParameters) + Send + Sync + 'static) -> String {
    let (x, y) = rows(16);
    let mut tuner = RandomSearch::new(move |hp: &mut HyperParameters| {
        declare(hp);
        build(hp)
    });
    tuner = tuner.objective("loss").max_trials(2);
    let error = tuner.search(&x, &y, fit()).unwrap_err();
    assert!(tuner.trials().is_empty());
    error.to_string()
}

#[test]
fn parameters_that_cannot_be_are_told_before_the_first_trial() {
    let [from, to] = [9, 4];
    let error = refused(move |hp| _ = hp.int("n", from..=to).get());
    assert!(error.starts_with("parameter `n`: needs bounds from the smaller to the larger, got 9 to 4"), "{error}");
    let error = refused(|hp| _ = hp.float("r", 0.0..=1.0).log().get());
    assert!(error.starts_with("parameter `r`: the scale `log` needs bounds above 0, got 0.0"), "{error}");
    let error = refused(|hp| _ = hp.float("r", 0.0..=f64::NAN).get());
    assert!(error.starts_with("parameter `r`: needs bounds from the smaller to the larger"), "{error}");
    let error = refused(|hp| _ = hp.int("n", 1..=8).step(0).get());
    assert!(error.starts_with("parameter `n`: `step` needs more than 0 on the scale `linear`, got 0"), "{error}");
    let error = refused(|hp| _ = hp.int("n", 1..=8).log().step(1).get());
    assert!(error.starts_with("parameter `n`: `step` needs more than 1 on the scale `log`, got 1"), "{error}");
    let error = refused(|hp| _ = hp.choice("c", Vec::<&str>::new()).get());
    assert!(error.starts_with("parameter `c`: needs something to choose from, got an empty list"), "{error}");
    let error = refused(|hp| _ = hp.choice("c", ["a", "b"]).default("z").get());
    assert!(error.starts_with("parameter `c`: the default needs to be one of its values, got 'z'"), "{error}");
    let error = refused(|hp| _ = hp.int("n", 1..=3).parent("no", [1]).get());
    assert!(error.starts_with("a condition needs a parameter that was declared before, got `no`"), "{error}");
    let error = refused(|hp| _ = (hp.int("n", 1..=3).get(), hp.int("n", 1..=4).get()));
    assert!(error.starts_with("parameter `n` was declared as {'name': 'n'") && error.contains("then as"), "{error}");
    let error = refused(|hp| _ = Dense::new(hp.int("n", -3..=4)));
    assert!(error.starts_with("parameter `n` is a size of a layer, which cannot be -3"), "{error}");
}

#[test]
fn an_empty_space_is_told() {
    let (x, y) = rows(16);
    let mut tuner = RandomSearch::new(|_: &mut HyperParameters| build(&mut HyperParameters::new())).objective("loss");
    let error = tuner.search(&x, &y, fit()).unwrap_err().to_string();
    assert!(error.starts_with("the build function declares no parameter"), "{error}");
}

/// A search whose trials fail where `fails` says so.
fn failing(fails: fn(usize) -> Option<&'static str>, limit: usize) -> (cornu::Result<Finish>, RandomSearch) {
    let count = AtomicUsize::new(0);
    let mut tuner = RandomSearch::default().max_trials(8).seed(1).workers(1).max_consecutive_failed_trials(limit);
    let ended = tuner.optimize(|hp| {
        let x = hp.float("x", 0.0..=1.0).get();
        match fails(count.fetch_add(1, Ordering::Relaxed)) {
            Some("panic") => panic!("out of luck"),
            Some("nan") => Ok(f64::NAN),
            Some(reason) => Err(cornu::Error::usage(reason)),
            None => Ok(x),
        }
    });
    (ended, tuner)
}

#[test]
fn trials_that_fail_or_panic_have_their_reason_and_the_search_goes_on() {
    let fails = |trial| match trial {
        1 => Some("panic"),
        3 => Some("too wide"),
        5 => Some("nan"),
        _ => None,
    };
    let (ended, tuner) = failing(fails, 3);
    assert_eq!(ended.unwrap(), Finish::MaxTrials);
    let reasons: Vec<&str> = tuner.trials().iter().filter_map(|trial| trial.message.as_deref()).collect();
    assert_eq!(reasons, ["panicked: out of luck", "too wide", "its objective `default_objective` is not a number"]);
    assert_eq!(tuner.get_best_trials(10).len(), 5);
    assert!(tuner.results_summary(8).contains("too wide"));
}

#[test]
fn too_many_failures_in_a_row_end_the_search_with_the_last_reason() {
    let (ended, tuner) = failing(|trial| (trial > 1).then_some("too wide"), 3);
    let error = ended.unwrap_err().to_string();
    assert!(error.starts_with("3 trials in a row have failed, the last, trial 4, with: too wide"), "{error}");
    assert_eq!(tuner.get_best_trials(10).len(), 2);
    let (ended, tuner) = failing(|trial| (trial > 1).then_some("too wide"), 0);
    assert_eq!((ended.unwrap(), tuner.trials().len()), (Finish::MaxTrials, 8));
}

#[test]
fn a_trial_that_may_be_retried_is() {
    let count = AtomicUsize::new(0);
    let mut tuner = RandomSearch::default().max_trials(3).seed(1).workers(1).max_retries_per_trial(1);
    tuner
        .optimize(|hp| match count.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => Err(cornu::Error::usage("not at once")),
            _ => Ok(hp.float("x", 0.0..=1.0).get()),
        })
        .unwrap();
    assert!(tuner.trials().iter().all(|trial| trial.status == Status::Completed && trial.message.is_none()));
}

#[test]
fn a_build_function_that_fails_for_some_values_fails_those_trials() {
    let (x, y) = rows(16);
    let mut tuner = RandomSearch::new(|hp: &mut HyperParameters| {
        let model = build(hp)?;
        match hp.get("units") {
            Some(cornu_tuner::Value::Int(2)) => panic!("too narrow"),
            Some(cornu_tuner::Value::Int(8)) => Err(cornu::Error::usage("too wide")),
            _ => Ok(model),
        }
    });
    tuner = tuner.objective("val_loss").max_trials(12).seed(3).max_consecutive_failed_trials(0);
    tuner.search(&x, &y, fit()).unwrap();
    for trial in tuner.trials() {
        let reason = match trial.values.get("units").map(ToString::to_string).as_deref() {
            Some("2") => Some("panicked: too narrow"),
            Some("8") => Some("too wide"),
            _ => None,
        };
        assert_eq!(trial.message.as_deref(), reason);
    }
    assert!(!tuner.get_best_trials(1).is_empty());
}

#[test]
fn callbacks_that_write_one_file_are_refused() {
    let (x, y) = rows(16);
    let fit = fit().callback(ModelCheckpoint::new("best.keras"));
    let error = RandomSearch::new(build).objective("loss").search(&x, &y, fit).unwrap_err().to_string();
    assert!(error.starts_with("a fit for several models needs callbacks that can be copied"), "{error}");
}

#[test]
fn models_that_are_not_kept_are_told() {
    let (x, y) = rows(16);
    let mut tuner = RandomSearch::new(build).objective("loss").max_trials(4).seed(1).keep_models(2);
    let error = tuner.get_best_models(1).map(drop).unwrap_err().to_string();
    assert!(error.starts_with("there are no trials yet"), "{error}");
    tuner.search(&x, &y, fit()).unwrap();
    assert_eq!(tuner.get_best_models(2).unwrap().len(), 2);
    let error = tuner.get_best_models(3).map(drop).unwrap_err().to_string();
    assert!(error.contains("are not kept: of 4 trials those of 2 are") && error.contains("keep_models"), "{error}");
}

#[test]
fn keras_tuners_directories_are_read() {
    let project = KerasTunerProject::open(testdata("keras_tuner")).unwrap();
    assert_eq!((project.trials.len(), project.space.parameters().len()), (6, 6));
    assert_eq!(project.objective, Some(Objective::max("val_accuracy")));
    let mut tuner = RandomSearch::default().directory(testdata("keras_tuner")).max_trials(6);
    tuner.reload().unwrap();
    let keras = crate::golden()["results_summary"].as_str().expect("a text").to_owned();
    let own = tuner.results_summary(3);
    assert_eq!(own.lines().skip(2).collect::<Vec<_>>(), keras.lines().skip(2).collect::<Vec<_>>());
    assert_eq!(tuner.get_best_hyperparameters(1)[0].get("units"), Some(12.into()));
    let error = KerasTunerProject::open(testdata("nothing")).unwrap_err().to_string();
    assert!(error.contains("oracle.json`: "), "{error}");
}
