//! Searches that are written down: killed, gone on with, shared by processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use cornu_testkit::folder::Folder;
use cornu_testkit::process::{again, word};
use cornu_tuner::Finish;
use cornu_tuner::journal::{Journal, SqliteJournal, Written};
use cornu_tuner::prelude::*;

use crate::{build, fit, rows, told};

/// Where the search of a folder is written down: there, or where it says.
fn place(folder: &Path) -> PathBuf {
    fs::read_to_string(folder.join("place")).map_or_else(|_| folder.join("search"), PathBuf::from)
}

pub(crate) fn tuner(folder: &Path, trials: u64) -> RandomSearch {
    RandomSearch::new(build).objective("val_accuracy").max_trials(trials).seed(7).directory(place(folder))
}

/// How many epochs the trials have of a search that is killed often, so that it takes a while.
pub(crate) const LONG: usize = 40;

/// Searches in the folder that this process was started for: the processes of the tests below run this one.
#[test]
fn a_process_searches_where_it_is_told() {
    let Some(folder) = word() else { return };
    let (folder, (x, y)) = (Path::new(&folder), rows(64));
    let is_long = folder.join("long").exists();
    let epochs = if is_long { LONG } else { 4 };
    let trials = fs::read_to_string(folder.join("trials")).expect("a number").parse().expect("a number");
    let slow = move |hp: &mut HyperParameters| {
        sleep(Duration::from_millis(if is_long { 60 } else { 0 }));
        build(hp)
    };
    tuner(folder, trials).hypermodel(slow).workers(1).search(&x, &y, fit().epochs(epochs)).expect("a search");
}

pub(crate) fn process(folder: &Path) -> Command {
    let mut command = again("journals::a_process_searches_where_it_is_told", "", folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

pub(crate) fn start(folder: &Path) -> Child {
    process(folder).spawn().expect("a process")
}

/// A folder for a search of so many trials.
pub(crate) fn shared(name: &str, trials: u64) -> Folder {
    let folder = Folder::new(name);
    fs::write(folder.join("trials"), trials.to_string()).expect("a file");
    folder
}

/// Kills workers, one after the other, and begins others in their places: each when its part of the trials has ended, at a moment
/// of its own, after `meanwhile`. Then lets them come to their end. Gives how many kills found trials that had not ended.
pub(crate) fn killed(
    folder: &Path,
    trials: usize,
    kills: usize,
    workers: usize,
    mut meanwhile: impl FnMut(usize),
) -> usize {
    let mut children: Vec<Child> = (0..workers).map(|_| start(folder)).collect();
    let (mut journal, mut ended, mut under_way) = (None, BTreeSet::new(), 0);
    for kill in 0..kills {
        // Part by part, so that the last kill is near the last trial.
        let part = (kill * trials).div_ceil(kills).saturating_sub(workers);
        let begun = Instant::now();
        // The first to come makes the journal.
        while look(journal.get_or_insert_with(|| open(folder)), &mut ended) < part {
            let waited = begun.elapsed();
            assert!(waited < Duration::from_secs(60), "{} trials have ended, {part} are waited for", ended.len());
            sleep(Duration::from_millis(1));
        }
        under_way += usize::from(ended.len() < trials);
        meanwhile(kill);
        sleep(Duration::from_micros(kill as u64 * 7919 % 10_000));
        let child = &mut children[kill % workers];
        child.kill().expect("a kill");
        child.wait().expect("its end");
        *child = start(folder);
    }
    println!("{under_way} of {kills} kills came while some of {trials} trials had not ended");
    children.iter_mut().for_each(|child| assert!(child.wait().expect("its end").success()));
    under_way
}

/// No trial is lost, none has run twice to its end, and all are what they would have been.
pub(crate) fn compare(folder: &Path, trials: u64, epochs: usize) {
    let mut found = tuner(folder, trials);
    found.reload().unwrap();
    let (x, y) = rows(64);
    let mut whole = RandomSearch::new(build).objective("val_accuracy").max_trials(trials).seed(7).workers(1);
    whole.search(&x, &y, fit().epochs(epochs)).unwrap();
    assert_eq!(told(found.trials()), told(whole.trials()));
    let weights = |tuner: &mut RandomSearch| tuner.get_best_models(1).unwrap()[0].weights();
    assert_eq!(weights(&mut found), weights(&mut whole));
}

/// The journal of a search, to look at.
fn open(folder: &Path) -> Box<dyn Journal> {
    #[cfg(feature = "postgres")]
    if let Some((url, name)) = place(folder).to_str().and_then(|place| place.split_once('#')) {
        return Box::new(cornu_tuner::journal::PostgresJournal::connect(url, name).expect("a server"));
    }
    Box::new(SqliteJournal::open(place(folder)).expect("a file"))
}

/// Notes which trials have ended since; gives how many have.
fn look(journal: &mut Box<dyn Journal>, ended: &mut BTreeSet<u64>) -> usize {
    // Before the search is begun there is nothing to look at.
    _ = journal.exchange(Written::default(), &mut |news| {
        let new = news.trials.iter().filter(|trial| trial.status == Status::Completed);
        ended.extend(new.map(|trial| trial.number));
        Vec::new()
    });
    ended.len()
}

/// 300 kills over a search of 1,000 trials.
pub(crate) fn killed_often(folder: &Path, workers: usize, meanwhile: impl FnMut(usize)) {
    fs::write(folder.join("long"), "").unwrap();
    assert!(killed(folder, 1000, 300, workers, meanwhile) > 270);
    compare(folder, 1000, LONG);
}

#[test]
fn a_killed_search_goes_on_and_ends_as_if_it_had_not_been() {
    let folder = shared("tuner-killed", 40);
    killed(&folder, 40, 6, 1, |_| {});
    compare(&folder, 40, 4);
}

/// `cargo test --release --package cornu-tuner -- --ignored kills`
#[test]
#[ignore = "takes a minute"]
fn three_hundred_kills_lose_nothing() {
    killed_often(&shared("tuner-kills", 1000), 1, |_| {});
}

/// As above, with four processes at a time, of which one after the other is killed.
#[test]
#[ignore = "takes a minute"]
fn three_hundred_kills_of_four_workers_lose_nothing() {
    killed_often(&shared("tuner-kills-of-four", 1000), 4, |_| {});
}

#[test]
fn processes_share_a_search_and_never_find_it_locked() {
    let folder = shared("tuner-shared", 60);
    let mut children: Vec<Child> = (0..4).map(|_| start(&folder)).collect();
    assert!(children.iter_mut().all(|child| child.wait().expect("its end").success()));
    compare(&folder, 60, 4);
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

/// One that has nothing to do waits for the last trial of the other, and hears of its end.
#[test]
fn who_waits_for_others_hears_of_what_they_end() {
    let folder = Folder::new("tuner-waits");
    waits(&folder.join("search"));
}

pub(crate) fn waits(place: &Path) {
    let search = || {
        let mut tuner = GridSearch::default().workers(1).directory(place);
        let ended = tuner.optimize(|hp| {
            sleep(Duration::from_millis(if hp.int("x", 0..=1).get() == 0 { 100 } else { 1000 }));
            Ok(0.0)
        });
        assert_eq!(ended.unwrap(), Finish::UsedUp);
        tuner.trials().len()
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..2).map(|_| scope.spawn(search)).collect();
        all.into_iter().for_each(|one| assert_eq!(one.join().unwrap(), 2));
    });
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

/// The journal may be handed over, and go on to another tuner's eyes.
#[test]
fn a_journal_of_ones_own_is_written() {
    use cornu_tuner::Trial;
    use cornu_tuner::journal::{MemoryJournal, News};
    use std::sync::{Arc, Mutex};

    /// Counts what is written.
    #[derive(Clone, Default)]
    struct Counted(Arc<Mutex<(usize, MemoryJournal)>>);

    impl Journal for Counted {
        fn begin(&mut self, about: &serde_json::Value) -> cornu::Result<serde_json::Value> {
            self.0.lock().unwrap().1.begin(about)
        }

        fn about(&mut self) -> cornu::Result<Option<serde_json::Value>> {
            self.0.lock().unwrap().1.about()
        }

        fn exchange(&mut self, written: Written, choose: &mut dyn FnMut(News) -> Vec<Trial>) -> cornu::Result<()> {
            let (count, journal) = &mut *self.0.lock().unwrap();
            *count += written.ended.len();
            journal.exchange(written, choose)
        }

        fn trials(&mut self) -> cornu::Result<Vec<Trial>> {
            self.0.lock().unwrap().1.trials()
        }

        fn weights(&mut self, number: u64) -> cornu::Result<Option<Vec<u8>>> {
            self.0.lock().unwrap().1.weights(number)
        }

        fn folder(&self) -> Option<&Path> {
            None
        }
    }

    let journal = Counted::default();
    let mut tuner = RandomSearch::default().max_trials(7).seed(1).journal(journal.clone());
    tuner.optimize(|hp| Ok(hp.float("x", 0.0..=1.0).get())).unwrap();
    assert_eq!(journal.0.lock().unwrap().0, 7);
}
