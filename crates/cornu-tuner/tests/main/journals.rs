//! Searches that are written down: killed, gone on with, shared by processes.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cornu_testkit::folder::Folder;
use cornu_testkit::process::{again, word};
use cornu_tuner::Finish;
use cornu_tuner::prelude::*;

use crate::{build, fit, rows, told};

fn tuner(folder: &Path, trials: u64) -> RandomSearch {
    RandomSearch::new(build).objective("val_accuracy").max_trials(trials).seed(7).directory(folder.join("search"))
}

/// Searches in the folder that this process was started for.
fn work(trials: u64, workers: usize) -> bool {
    let Some(folder) = word() else { return false };
    let (x, y) = rows(64);
    tuner(Path::new(&folder), trials).workers(workers).search(&x, &y, fit()).expect("a search");
    true
}

fn start(test: &str, folder: &Path) -> Child {
    let mut command = again(test, "", folder);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process")
}

/// Waits until the journal is there, and so long.
fn wait(folder: &Path, milliseconds: u64) {
    let begun = Instant::now();
    while !folder.join("search/search.sqlite").exists() && begun.elapsed() < Duration::from_secs(10) {
        sleep(Duration::from_millis(2));
    }
    sleep(Duration::from_millis(milliseconds));
}

/// Kills searches until one has come to its end; gives what came of all of them.
fn killed(test: &str, folder: &Path, kills: usize, each: impl Fn(usize) -> u64) {
    let mut kill = 0;
    loop {
        let mut child = start(test, folder);
        if kill < kills {
            wait(folder, each(kill));
            child.kill().expect("a kill");
            child.wait().expect("its end");
            kill += 1;
        } else {
            assert!(child.wait().expect("its end").success());
            return;
        }
    }
}

/// No trial is lost, none has run twice to its end, and all are what they would have been.
fn compare(folder: &Path, trials: u64) {
    let mut found = tuner(folder, trials);
    found.reload().unwrap();
    let (x, y) = rows(64);
    let mut whole = RandomSearch::new(build).objective("val_accuracy").max_trials(trials).seed(7).workers(1);
    whole.search(&x, &y, fit()).unwrap();
    assert_eq!(told(found.trials()), told(whole.trials()));
    let weights = |tuner: &mut RandomSearch| tuner.get_best_models(1).unwrap()[0].weights();
    assert_eq!(weights(&mut found), weights(&mut whole));
}

#[test]
fn a_killed_search_goes_on_and_ends_as_if_it_had_not_been() {
    const TRIALS: u64 = 40;
    if work(TRIALS, 1) {
        return;
    }
    let folder = Folder::new("tuner-killed");
    killed("journals::a_killed_search_goes_on_and_ends_as_if_it_had_not_been", &folder, 6, |kill| 20 + 9 * kill as u64);
    compare(&folder, TRIALS);
}

/// 300 kills over a search of 1,000 trials; takes minutes. `cargo test --release -- --ignored kills`
#[test]
#[ignore = "takes minutes"]
fn three_hundred_kills_lose_nothing() {
    const TRIALS: u64 = 1000;
    let test = "journals::three_hundred_kills_lose_nothing";
    if work(TRIALS, 1) {
        return;
    }
    let folder = Folder::new("tuner-kills");
    killed(test, &folder, 300, |kill| 5 + kill as u64 * 37 % 60);
    compare(&folder, TRIALS);
}

/// As above, with four processes at a time, of which one after the other is killed.
#[test]
#[ignore = "takes minutes"]
fn three_hundred_kills_of_four_workers_lose_nothing() {
    const TRIALS: u64 = 1000;
    let test = "journals::three_hundred_kills_of_four_workers_lose_nothing";
    if work(TRIALS, 1) {
        return;
    }
    let folder = Folder::new("tuner-kills-of-four");
    let mut children: Vec<Child> = (0..4).map(|_| start(test, &folder)).collect();
    wait(&folder, 100);
    for kill in 0..300 {
        let child = &mut children[kill % 4];
        child.kill().expect("a kill");
        child.wait().expect("its end");
        *child = start(test, &folder);
        sleep(Duration::from_millis(5 + kill as u64 * 37 % 60));
    }
    children.iter_mut().for_each(|child| assert!(child.wait().expect("its end").success()));
    compare(&folder, TRIALS);
}

#[test]
fn processes_share_a_search_and_never_find_it_locked() {
    const TRIALS: u64 = 60;
    if work(TRIALS, 1) {
        return;
    }
    let folder = Folder::new("tuner-shared");
    let test = "journals::processes_share_a_search_and_never_find_it_locked";
    let mut children: Vec<Child> = (0..4).map(|_| start(test, &folder)).collect();
    assert!(children.iter_mut().all(|child| child.wait().expect("its end").success()));
    compare(&folder, TRIALS);
}

#[test]
fn threads_of_several_tuners_share_a_search_and_no_trial_runs_twice() {
    let folder = Folder::new("tuner-tuners");
    let runs = AtomicUsize::new(0);
    let search = || {
        let mut tuner = RandomSearch::default().max_trials(200).seed(1).workers(2).directory(folder.join("search"));
        tuner.optimize(|hp| {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok(hp.float("x", 0.0..=1.0).get())
        })
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(search)).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap().unwrap(), Finish::MaxTrials));
    });
    assert_eq!(runs.into_inner(), 200);
}

#[test]
fn a_search_that_has_ended_goes_on_with_more_trials() {
    let folder = Folder::new("tuner-more");
    let (x, y) = rows(64);
    tuner(&folder, 3).search(&x, &y, fit()).unwrap();
    let mut more = tuner(&folder, 5);
    more.search(&x, &y, fit()).unwrap();
    assert_eq!(more.trials().len(), 5);
    let mut whole = RandomSearch::new(build).objective("val_accuracy").max_trials(5).seed(7);
    whole.search(&x, &y, fit()).unwrap();
    assert_eq!(told(more.trials()), told(whole.trials()));
}

#[test]
fn a_directory_of_another_search_is_refused_with_what_differs() {
    let folder = Folder::new("tuner-other");
    let (x, y) = rows(64);
    tuner(&folder, 2).search(&x, &y, fit()).unwrap();
    let refused = |mut tuner: RandomSearch, fit: cornu::train::Fit| {
        let error = tuner.search(&x, &y, fit).unwrap_err().to_string();
        assert!(error.contains("there is another search: its ") && error.contains(".overwrite(true)"), "{error}");
        error
    };
    let error = refused(tuner(&folder, 2), fit().epochs(9));
    assert!(error.contains("its fit.epochs is '4', here it is '9'"), "{error}");
    let error = refused(tuner(&folder, 2).objective("loss"), fit());
    assert!(error.contains("its objective is 'val_accuracy', here it is 'loss'"), "{error}");
    let error = refused(tuner(&folder, 2).seed(8), fit());
    assert!(error.contains("its seed is 7, here it is 8"), "{error}");
    let wider = |hp: &mut HyperParameters| {
        hp.int("depth", 1..=3).get();
        build(hp)
    };
    let error = refused(tuner(&folder, 2).hypermodel(wider), fit());
    assert!(error.contains("its parameter number 1 is {'name': 'units'") && error.contains("'depth'"), "{error}");
    // The search that is there is as it was; begun anew, it is another.
    tuner(&folder, 3).search(&x, &y, fit()).unwrap();
    let mut anew = tuner(&folder, 2).seed(8).overwrite(true);
    anew.search(&x, &y, fit()).unwrap();
    assert_eq!(anew.trials().len(), 2);
}

#[test]
fn a_search_is_looked_at_without_going_on() {
    let folder = Folder::new("tuner-looked");
    let error = tuner(&folder, 2).reload().unwrap_err().to_string();
    assert!(error.contains("there is no search in `") && !folder.join("search").exists(), "{error}");
    let (x, y) = rows(64);
    let mut first = tuner(&folder, 4);
    first.search(&x, &y, fit()).unwrap();
    let mut second = tuner(&folder, 4);
    second.reload().unwrap();
    assert_eq!(second.trials(), first.trials());
    assert_eq!(second.get_best_models(2).unwrap()[1].weights(), first.get_best_models(2).unwrap()[1].weights());
    assert_eq!(second.results_summary(9).lines().count(), first.results_summary(9).lines().count());
}

/// A disk that is gone, told by a name: the folder is moved away and comes back.
#[test]
fn a_database_that_goes_away_for_a_while_loses_nothing() {
    let folder = Folder::new("tuner-away");
    let (there, away) = (folder.join("search"), folder.join("away"));
    let moved = || {
        let begun = Instant::now();
        while !there.join("search.sqlite").exists() && begun.elapsed() < Duration::from_secs(10) {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(100));
        fs::rename(&there, &away).unwrap();
        sleep(Duration::from_millis(700));
        fs::rename(&away, &there).unwrap();
    };
    let mut tuner = RandomSearch::default().max_trials(300).seed(1).workers(2).directory(&there);
    std::thread::scope(|scope| {
        scope.spawn(moved);
        let evaluate = |hp: &mut HyperParameters| {
            sleep(Duration::from_millis(2));
            Ok(hp.float("x", 0.0..=1.0).get())
        };
        tuner.optimize(evaluate).unwrap();
    });
    let mut found = RandomSearch::default().directory(&there);
    found.reload().unwrap();
    assert_eq!(told(found.trials()), told(tuner.trials()));
    assert_eq!(found.trials().len(), 300);
}

#[test]
fn a_database_that_stays_away_ends_the_search_and_is_told() {
    let folder = Folder::new("tuner-gone");
    let (there, away) = (folder.join("search"), folder.join("away"));
    let tuner = RandomSearch::default().max_trials(100_000).seed(1).workers(2).directory(&there);
    let mut tuner = tuner.patience(Duration::from_millis(300));
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !there.join("search.sqlite").exists() {
                sleep(Duration::from_millis(1));
            }
            sleep(Duration::from_millis(100));
            fs::rename(&there, &away).unwrap();
        });
        tuner.optimize(|hp| {
            sleep(Duration::from_millis(1));
            Ok(hp.float("x", 0.0..=1.0).get())
        })
    });
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("the journal stays away") && error.contains("search.sqlite"), "{error}");
    fs::rename(&away, &there).unwrap();
    let mut found = RandomSearch::default().directory(&there);
    found.reload().unwrap();
    assert!(found.trials().iter().any(|trial| trial.status == Status::Completed));
}

#[test]
fn a_file_that_is_no_search_is_told() {
    let folder = Folder::new("tuner-no-search");
    fs::write(
        folder.join("search.sqlite"),
        "this is a text, and longer than the first hundred bytes of a database are",
    )
    .unwrap();
    let error = RandomSearch::default().directory(&*folder).optimize(|_| Ok(0.0)).unwrap_err().to_string();
    assert!(error.contains("search.sqlite`: ") && error.contains("help: "), "{error}");
}
