//! A search from its call to its end.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cornu::data::Estimator;
use cornu::data::model_selection::{CrossValidator, Scoring, cross_val_score};
use cornu::graph::{Context, ToArray, ToArrays, Verbose};
use cornu::random::{scoped, with_seeds};
use cornu::train::{Fit, Fits};
use cornu::{Error, Result};
use serde_json::{Value as Json, json};

use super::{Tuner, place};
use crate::about;
use crate::display::Display;
use crate::hypermodel::{Results, TrainingData};
use crate::journal::{self, MemoryJournal};
use crate::ledger::{Ledger, Left};
use crate::objective::Objective;
use crate::oracle::Oracle;
use crate::pruner::Pruning;
use crate::search::{Common, Fault, Finish, Function, Limits, Search, Task, Training, caught, locked, seeds};
use crate::space::{Condition, HyperParameters, Space};
use crate::value::Values;

impl<O: Oracle> Tuner<O> {
    /// Searches: trains models on the rows of `x` and their labels `y`, each as `fit` says. What a search that was there had
    /// done is not done again.
    ///
    /// # Errors
    /// Mistakes that no trial can do without: bounds the wrong way round, an objective that is no figure of the models; a
    /// directory of another search; too many failed trials in a row; a journal that stays away; Ctrl-C. What trials have
    /// ended by then is kept.
    pub fn search(&mut self, x: impl ToArrays, y: impl ToArrays, fit: Fit) -> Result<Finish> {
        let missing = || Error::usage("`search` needs models").help("make the tuner by `new`, with a build function");
        let hypermodel = Arc::clone(self.hypermodel.as_ref().ok_or_else(missing)?);
        let (x, y) = (x.into_arrays()?, y.into_arrays()?);
        let fits = Fits::new(fit)?;
        let mut about = self.about();
        about["fit"] = about::object(fits.settings());
        about["data"] = json!({ "x": about::told(&x), "y": about::told(&y) });
        let data = match &self.folds {
            Some(folds) => about::folded(&**folds, &x, &y, fits.validates())?,
            None => vec![TrainingData { x, y, validation: None }],
        };
        about["folds"] = data.len().into();
        let shown = fits.verbose();
        self.drive(&Training { hypermodel, data, fits }, about, shown)
    }

    /// Searches for what makes a function best, which gives the objective, or figures by name.
    ///
    /// ```
    /// use cornu_tuner::prelude::*;
    ///
    /// let mut tuner = GridSearch::default();
    /// tuner.optimize(|hp| Ok((hp.float("x", -2.0..=2.0).step(0.5).get() - 1.0).powi(2)))?;
    /// assert_eq!(tuner.get_best_hyperparameters(1)[0].get("x"), Some(1.0.into()));
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tuner::search`].
    pub fn optimize<R: Into<Results>>(
        &mut self,
        evaluate: impl Fn(&mut HyperParameters) -> Result<R> + Sync,
    ) -> Result<Finish> {
        let about = self.about();
        self.drive(&Function(evaluate), about, Verbose::Silent)
    }

    /// Searches for the best estimator of any kind, as a pipeline of a scaler and a model: `build` makes one, with how it is to
    /// learn, and the mean of its scores over the splits is made large.
    ///
    /// # Errors
    /// Those of [`Tuner::search`].
    pub fn cross_validate<E: Estimator>(
        &mut self,
        build: impl Fn(&mut HyperParameters) -> Result<(E, E::Fit)> + Sync,
        x: impl ToArray,
        y: impl ToArray,
        cv: impl CrossValidator + Sync,
        scoring: impl Into<Scoring>,
    ) -> Result<Finish> {
        if self.objective.is_plain() {
            self.objective = Objective::max("score");
        }
        let (x, y, scoring) = (x.into_array()?, y.into_array()?, scoring.into());
        let about = self.about();
        let evaluate = |hp: &mut HyperParameters| {
            let scores = cross_val_score(|| build(hp), &x, &y, &cv, &scoring)?;
            Ok(scores.iter().sum::<f64>() / scores.len().max(1) as f64)
        };
        self.drive(&Function(evaluate), about, Verbose::Silent)
    }

    /// What tells this search from others.
    fn about(&self) -> Json {
        let settings = about::object(&self.oracle.settings());
        json!({
            "tuner": self.oracle.name(),
            "settings": settings,
            "objective": self.objective.name(),
            "seed": self.seed.unwrap_or_else(|| with_seeds(|seeds| 1 + seeds.python().below(10_000))),
            "executions_per_trial": self.executions_per_trial,
        })
    }

    /// Opens the journal, which is the same as long as the tuner lives.
    pub(super) fn open(&mut self) -> Result<()> {
        if self.journal.is_none() {
            self.journal = Some(match &self.directory {
                None => Box::new(MemoryJournal::default()),
                Some(directory) => journal::open(directory, std::mem::take(&mut self.overwrite))?,
            });
        }
        Ok(())
    }

    /// Runs a search of that task.
    fn drive(&mut self, task: &dyn Task, mut about: Json, shown: Verbose) -> Result<Finish> {
        self.open()?;
        let workers = self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let (mut common, limits) = (self.common(workers), self.limits(workers));
        self.ledger.objective = self.objective.clone();
        let found = explore(task, &common, &mut self.ledger)?;
        about["direction"] = locked(&common.objective).word().into();
        about["space"] = found.config();
        let journal = self.journal.as_mut().ok_or_else(|| Error::usage("the search has no journal"))?;
        let stored = journal.begin(&about)?;
        about::compare(&stored, &about, self.seed.is_some()).context(place(self.directory.as_deref()))?;
        self.ledger.seed = stored["seed"].as_u64().unwrap_or_default();
        self.ledger.repeats = self.repeats;
        self.ledger.left = match (journal.keeps(), self.oracle.looks_back()) {
            (false, _) => Left::Nothing,
            (true, true) => Left::Executions,
            (true, false) => Left::Values,
        };
        self.ledger.objective = locked(&common.objective).clone();
        common.seed = self.ledger.seed;
        let scratch = self.oracle.has_rungs().then(|| Scratch::new(journal.folder())).transpose()?;
        common.snapshots = scratch.as_ref().map(|scratch| scratch.path.clone());
        let display = Display::new(shown, limits.max_trials);
        let common = Arc::new(common);
        let search =
            Search::new(limits, &mut self.oracle, &mut self.ledger, &mut **journal, Arc::clone(&common), display);
        let done = search.run(task);
        self.ledger.left = Left::Nothing;
        // What a disk that is gone does not give is there when it is read again.
        let trials = journal.trials().unwrap_or_default();
        trials.into_iter().for_each(|trial| self.ledger.note(trial));
        if let Some(pruning) = Arc::into_inner(common).and_then(|common| common.pruning) {
            self.pruner = Some(pruning.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_pruner());
        }
        done
    }

    /// Where the search ends, if nothing else ends it.
    fn limits(&self, workers: usize) -> Limits {
        Limits {
            max_trials: self.max_trials.or(if self.oracle.ends() { None } else { Some(10) }),
            max_consecutive_failures: self.max_consecutive_failed_trials,
            workers,
            keep_models: self.keep_models,
            patience: self.patience,
        }
    }

    /// What the threads of a search share.
    pub(super) fn common(&mut self, workers: usize) -> Common {
        let pruner = if self.oracle.has_rungs() { None } else { self.pruner.take() };
        Common {
            seed: 0,
            objective: Mutex::new(self.objective.clone()),
            executions: self.executions_per_trial,
            retries: self.max_retries_per_trial,
            alone: workers > 1,
            keeps: self.keep_models > 0,
            snapshots: None,
            pruning: pruner.map(|pruner| Mutex::new(Pruning::new(pruner))),
            built: (!self.repeats).then(|| Mutex::new(HashMap::new())),
        }
    }
}

/// A folder for snapshots: in that of the search, or one that goes with this.
struct Scratch {
    path: PathBuf,
    goes: bool,
}

impl Scratch {
    fn new(folder: Option<&Path>) -> Result<Scratch> {
        let own = || std::env::temp_dir().join(format!("cornu-tuner-{}-{:x}", std::process::id(), about::number()));
        let path = folder.map_or_else(own, |folder| folder.join("snapshots"));
        let made = std::fs::create_dir_all(&path);
        made.map_err(|error| Error::file(format!("`{}`: {error}", path.display())))?;
        Ok(Scratch { path, goes: folder.is_none() })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.goes {
            _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Declares all parameters: builds with the defaults, and once for each conditional scope that was not entered. Gives what
/// it found.
///
/// # Errors
/// Mistakes in declarations, an objective that is not there. A build that fails is a trial's affair.
pub(super) fn explore(task: &dyn Task, common: &Common, ledger: &mut Ledger) -> Result<Space> {
    let (mut found, mut entered, mut waiting) = (Space::default(), Vec::<Vec<Condition>>::new(), vec![Vec::new()]);
    let mut built = false;
    while let Some(conditions) = waiting.pop() {
        let mut values = Values::default();
        conditions.iter().for_each(|condition: &Condition| values.set(&condition.name, condition.values[0].clone()));
        let mut hp = HyperParameters::of(values);
        entered.push(conditions);
        match scoped(seeds(0, 0, 0, 0), || caught(&mut hp, |hp| task.declare(hp, common))) {
            Err(Fault::Search(error)) => return Err(error),
            Err(_) => hp.problem().map_or(Ok(()), Err)?,
            Ok(()) => built = true,
        }
        for parameter in hp.space().parameters() {
            found.add(parameter)?;
            ledger.space.add(parameter)?;
        }
        let new = hp.inactive().into_iter().filter(|scope| scope.iter().all(|condition| !condition.values.is_empty()));
        for scope in new {
            if !entered.contains(&scope) && !waiting.contains(&scope) {
                waiting.push(scope);
            }
        }
    }
    if built && task.declares() && found.parameters().iter().all(|parameter| parameter.kind().is_none()) {
        let error = Error::usage("the build function declares no parameter: there is nothing to search for");
        return Err(error.help("take a value from `hp`: `Dense::new(hp.int(\"units\", 4..=64))`"));
    }
    Ok(found)
}
