//! What users of other tuners suffer from, each by name.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use cornu::prelude::*;
use cornu_testkit::folder::Folder;
use cornu_tuner::Finish;
use cornu_tuner::oracle::SamplerOracle;
use cornu_tuner::prelude::*;
use cornu_tuner::sampler::Tpe;

use crate::{build, fit, rows, told};

/// keras-team/keras-tuner#202, #464.
#[test]
fn an_objective_that_no_metric_gives_is_told_before_the_first_epoch_with_the_names_there_are() {
    let (x, y) = rows(16);
    let search = |objective: &str, fit: Fit| {
        let mut tuner = RandomSearch::new(build).objective(objective).max_trials(2);
        let error = tuner.search(&x, &y, fit).unwrap_err().to_string();
        assert!(tuner.trials().is_empty());
        error
    };
    let error = search("val_acc", fit());
    let names = "there are `loss`, `accuracy`, `val_loss`, `val_accuracy`";
    assert!(error.starts_with(&format!("objective `val_acc` is no figure of the model: {names}")), "{error}");
    assert!(error.contains("help: is `val_accuracy` meant?"), "{error}");
    let error = search("val_accuracy", Fit::new().verbose(0));
    assert!(error.contains("without validation there is no such figure"), "{error}");
}

/// keras-team/keras-tuner#421.
#[test]
fn two_runs_with_one_seed_are_equal() {
    let (x, y) = rows(64);
    let run = || {
        let mut tuner = RandomSearch::new(build).objective("val_loss").max_trials(8).seed(11);
        tuner.search(&x, &y, fit()).unwrap();
        told(tuner.trials())
    };
    assert_eq!(run(), run());
}

/// Searches a small space to its end; gives the configurations.
fn used_up(mut tuner: RandomSearch, declare: fn(&mut HyperParameters)) -> Vec<String> {
    let ended = tuner.optimize(|hp| {
        declare(hp);
        Ok(0.0)
    });
    assert_eq!(ended.unwrap(), Finish::UsedUp);
    assert_eq!(Finish::UsedUp.to_string(), "the space is used up: all its configurations were tried");
    let ran = tuner.trials().iter().filter(|trial| trial.status == Status::Completed);
    ran.map(|trial| trial.values.iter().map(|(name, value)| format!("{name}={value} ")).collect()).collect()
}

/// keras-team/keras-tuner#35, #237, #417, #676, #844, #901.
#[test]
fn a_small_space_is_tried_whole_ends_and_never_repeats_itself() {
    let plain = |hp: &mut HyperParameters| {
        hp.int("a", 1..=5).get();
        hp.boolean("b").get();
        hp.fixed("c", 3);
    };
    let conditional = |hp: &mut HyperParameters| {
        hp.choice("kind", ["x", "y"]).get();
        hp.conditional_scope("kind", ["y"], |hp| hp.int("n", 1..=6).get());
    };
    let logarithmic = |hp: &mut HyperParameters| _ = hp.int("n", 2..=9).log().get();
    // What only some values declare, without a scope.
    let growing = |hp: &mut HyperParameters| {
        for i in 0..hp.int("layers", 1..=2).get() {
            hp.int(format!("units_{i}"), 1..=2).get();
        }
    };
    for (declare, count) in [(plain as fn(&mut HyperParameters), 10), (conditional, 7), (logarithmic, 8), (growing, 6)]
    {
        for workers in [1, 3] {
            let found = used_up(RandomSearch::default().max_trials(500).seed(4).workers(workers), declare);
            let distinct: BTreeSet<&String> = found.iter().collect();
            assert_eq!((found.len(), distinct.len()), (count, count), "{found:?}");
        }
    }
}

#[test]
fn a_configuration_runs_twice_where_that_is_asked_for() {
    let mut tuner = RandomSearch::default().max_trials(20).seed(4).repeats(true);
    let ended = tuner.optimize(|hp| Ok(f64::from(hp.int("a", 1..=3).get())));
    assert_eq!((ended.unwrap(), tuner.get_best_trials(100).len()), (Finish::MaxTrials, 20));
}

/// keras-team/keras-tuner#702.
#[test]
fn results_of_all_executions_are_kept_and_written_down() {
    let (x, y) = rows(32);
    let folder = Folder::new("tuner-executions");
    let tuner = || RandomSearch::new(build).objective("val_loss").max_trials(2).seed(1).directory(&*folder);
    let mut first = tuner().executions_per_trial(3);
    first.search(&x, &y, fit()).unwrap();
    let mut found = tuner();
    found.reload().unwrap();
    assert_eq!(found.trials(), first.trials());
    let trial = &found.trials()[0];
    assert_eq!(trial.executions.len(), 3);
    let names = |i: usize| trial.executions[i].metrics.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
    assert_eq!(names(2), ["loss", "accuracy", "val_loss", "val_accuracy"]);
}

/// keras-team/keras-tuner#309, #337.
#[test]
fn the_best_model_is_there_when_it_is_wanted() {
    let (x, y) = rows(64);
    let folder = Folder::new("tuner-best");
    let tuner = || RandomSearch::new(build).objective("val_loss").max_trials(30).seed(1).directory(&*folder);
    tuner().search(&x, &y, fit()).unwrap();
    let mut later = tuner();
    later.reload().unwrap();
    let scores: Vec<f64> = later.get_best_trials(10).iter().filter_map(|trial| trial.score).collect();
    for (model, score) in later.get_best_models(10).unwrap().iter().zip(scores) {
        let loss = model.evaluate_with(&x[48..], &y[48..], Evaluate::new().verbose(0)).unwrap()["loss"];
        assert!((loss - score).abs() < 1e-6, "{loss} {score}");
    }
}

/// keras-team/keras-tuner#439, #835, #987.
#[test]
fn an_interrupted_trial_is_repeated_with_its_values_and_others_do_not_run_again() {
    let folder = Folder::new("tuner-interrupted");
    let search = |stop: Option<usize>| {
        let (ran, mut tuner) = (Mutex::new(Vec::new()), RandomSearch::default().max_trials(9).seed(3).workers(1));
        tuner = tuner.directory(&*folder);
        let ended = tuner.optimize(|hp| {
            let x = hp.float("x", 0.0..=1.0).get();
            let mut ran = ran.lock().unwrap();
            if stop == Some(ran.len()) {
                return Err(cornu::Error::new(cornu::ErrorKind::Interrupted, "stopped"));
            }
            ran.push(x);
            Ok(x)
        });
        (ended, ran.into_inner().unwrap())
    };
    let (ended, first) = search(Some(4));
    assert_eq!(ended.unwrap_err().message(), "the search was stopped in trial 4: stopped");
    let (ended, second) = search(None);
    assert_eq!((ended.unwrap(), first.len(), second.len()), (Finish::MaxTrials, 4, 5));
    let mut whole = RandomSearch::default().max_trials(9).seed(3);
    whole.optimize(|hp| Ok(hp.float("x", 0.0..=1.0).get())).unwrap();
    let scores: Vec<f64> = whole.trials().iter().filter_map(|trial| trial.score).collect();
    assert_eq!([first, second].concat(), scores);
}

/// In one process too, with a journal and without.
#[test]
fn a_search_that_was_stopped_goes_on_when_it_is_called_again() {
    let folder = Folder::new("tuner-again");
    for directory in [None, Some(folder.join("search"))] {
        let count = AtomicUsize::new(0);
        let mut tuner = RandomSearch::default().max_trials(9).seed(3).workers(2);
        if let Some(directory) = directory {
            tuner = tuner.directory(directory);
        }
        let evaluate = |hp: &mut HyperParameters| match count.fetch_add(1, Ordering::Relaxed) {
            4 => Err(cornu::Error::new(cornu::ErrorKind::Interrupted, "stopped")),
            _ => Ok(hp.float("x", 0.0..=1.0).get()),
        };
        tuner.optimize(evaluate).unwrap_err();
        assert_eq!(tuner.optimize(evaluate).unwrap(), Finish::MaxTrials);
        assert_eq!((tuner.trials().len(), tuner.get_best_trials(99).len()), (9, 9));
        assert_eq!(count.into_inner(), 10);
    }
}

/// keras-team/keras-tuner#234, #803.
#[test]
fn more_iterations_are_done_when_they_are_asked_for() {
    let folder = Folder::new("tuner-iterations");
    let (x, y) = rows(32);
    let search = |iterations: usize| {
        let tuner = Hyperband::new(build).objective("val_loss").max_epochs(4).factor(2).seed(9).directory(&*folder);
        let mut tuner = tuner.hyperband_iterations(iterations);
        tuner.search(&x, &y, fit()).unwrap();
        tuner.trials().len()
    };
    let first = search(1);
    assert_eq!((search(1), search(2)), (first, 2 * first));
}

/// keras-team/keras-tuner#234, #803: what can change counts from there on, what cannot is refused.
#[test]
fn other_settings_of_a_search_that_goes_on_are_taken_or_refused() {
    let folder = Folder::new("tuner-settings");
    let search = |folder: &Path, trials, startup| {
        let oracle = SamplerOracle::new("TpeSearch", move |seed| Tpe::new(seed).startup(startup));
        let mut tuner = Tuner::with(oracle).max_trials(trials).seed(5).workers(1).directory(folder);
        tuner.optimize(|hp| Ok((hp.float("x", -1.0..=1.0).get() - 0.3).powi(2))).unwrap();
        told(tuner.trials())
    };
    let (here, random) = (folder.join("here"), search(&folder.join("random"), 24, 99));
    assert_eq!(search(&here, 12, 99), random[..12]);
    let on = search(&here, 24, 4);
    assert_eq!(on, search(&folder.join("whole"), 24, 12));
    assert!((12..24).all(|i| on[i] != random[i]));

    let hyperband = |factor| {
        let tuner = Hyperband::default().max_epochs(4).factor(factor).seed(9).directory(folder.join("rungs"));
        tuner.hypermodel(build).objective("val_loss").search(rows(32).0, rows(32).1, fit())
    };
    hyperband(2).unwrap();
    let error = hyperband(3).unwrap_err().to_string();
    assert!(error.contains("its settings.factor is '2', here it is '3'"), "{error}");
}

/// optuna/optuna#4002; #820 and #4994 are `processes_share_a_search_and_never_find_it_locked`.
#[test]
fn no_two_workers_take_one_trial() {
    let folder = Folder::new("tuner-claims");
    let (values, count) = (Mutex::new(BTreeSet::new()), AtomicUsize::new(0));
    let work = || {
        let mut tuner = RandomSearch::default().max_trials(120).seed(1).workers(3).directory(&*folder);
        tuner.optimize(|hp| {
            let x = hp.float("x", 0.0..=1.0).get();
            values.lock().unwrap().insert(x.to_bits());
            count.fetch_add(1, Ordering::Relaxed);
            Ok(x)
        })
    };
    std::thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(|| work().unwrap()))));
    assert_eq!((values.lock().unwrap().len(), count.load(Ordering::Relaxed)), (120, 120));
}

/// The memory of this process, in kilobytes.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// keras-team/keras-tuner#395, #873, #1031. Alone in its process: `cargo test --release -- --ignored --exact pains::ten_…`
#[test]
#[ignore = "takes a minute, and needs a process of its own"]
fn ten_thousand_trials_take_hardly_more_memory_than_a_thousand() {
    let (folder, seen) = (Folder::new("tuner-memory"), Mutex::new(Vec::new()));
    let (x, y) = rows(64);
    let count = std::sync::Arc::new(AtomicUsize::new(0));
    let (counted, seen) = (std::sync::Arc::clone(&count), std::sync::Arc::new(seen));
    let noted = std::sync::Arc::clone(&seen);
    let mut tuner = RandomSearch::new(move |hp: &mut HyperParameters| {
        if [1_000, 5_000, 10_000].contains(&counted.fetch_add(1, Ordering::Relaxed)) {
            noted.lock().unwrap().extend(resident());
        }
        build(hp)
    });
    tuner = tuner.objective("val_accuracy").max_trials(10_000).seed(7).directory(folder.join("search"));
    tuner.search(&x, &y, fit()).unwrap();
    let seen = seen.lock().unwrap().clone();
    println!("{seen:?} kB after 1,000, 5,000 and 10,000 trials");
    assert!(seen.len() < 3 || seen[2] * 10 <= seen[0] * 11, "{seen:?}");
}
