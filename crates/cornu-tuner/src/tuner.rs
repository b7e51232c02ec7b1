//! Tuners: a hyper-model, an oracle, and how a search is run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cornu::data::Estimator;
use cornu::data::model_selection::{CrossValidator, Scoring, cross_val_score};
use cornu::graph::{Context, ToArray, ToArrays, Verbose};
use cornu::random::{scoped, with_seeds};
use cornu::train::{Fit, Fits};
use cornu::{Error, Model, Result};
use serde_json::{Value as Json, json};

use crate::about;
use crate::display::Display;
use crate::hypermodel::{HyperModel, Results, TrainingData};
use crate::journal::{Journal, MemoryJournal, SqliteJournal, Written};
use crate::keras_tuner::KerasTunerProject;
use crate::ledger::Ledger;
use crate::objective::Objective;
use crate::oracle::{GridSearchOracle, HyperbandOracle, Oracle, RandomSearchOracle};
use crate::pruner::{Pruner, Pruning};
use crate::search::{Common, Fault, Finish, Function, Limits, Search, Task, Training, caught, locked, seeds, weights};
use crate::space::{Condition, HyperParameters, Space};
use crate::trial::Trial;
use crate::value::Values;

/// Searches at random: [`Tuner`].
pub type RandomSearch = Tuner<RandomSearchOracle>;

/// Searches through all configurations: [`Tuner`].
pub type GridSearch = Tuner<GridSearchOracle>;

/// Searches by many short trainings, of which the better ones go on: [`Tuner`].
pub type Hyperband = Tuner<HyperbandOracle>;

/// A search for hyper-parameters, with KerasTuner's settings and results. [`RandomSearch`], [`GridSearch`] and [`Hyperband`]
/// are tuners that differ in their oracle.
///
/// ```
/// use cornu::prelude::*;
/// use cornu_tuner::prelude::*;
///
/// let mut tuner = RandomSearch::new(|hp: &mut HyperParameters| {
///     let mut model = Sequential::new();
///     model.add(Dense::new(hp.int("units", 2..=8).step(2)).activation("relu").input_shape([2]));
///     model.add(Dense::new(1).activation("sigmoid"));
///     let adam = Adam::new().learning_rate(hp.float("lr", 1e-3..=1e-1).log());
///     model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
///     Ok(model)
/// })
/// .objective("accuracy")
/// .max_trials(4)
/// .seed(42);
/// let (x, y) = ([[0., 0.], [0., 1.], [1., 0.], [1., 1.]], [0, 1, 1, 1]);
/// tuner.search(&x, &y, Fit::new().epochs(5).verbose(0))?;
/// assert_eq!(tuner.trials().len(), 4);
/// let best = tuner.get_best_models(1)?;
/// assert_eq!(best[0].predict(&x)?.shape(), [4, 1]);
/// # Ok::<(), cornu::Error>(())
/// ```
pub struct Tuner<O> {
    hypermodel: Option<Arc<dyn HyperModel>>,
    oracle: O,
    objective: Objective,
    max_trials: Option<u64>,
    seed: Option<u64>,
    directory: Option<PathBuf>,
    overwrite: bool,
    workers: Option<usize>,
    executions_per_trial: usize,
    max_retries_per_trial: usize,
    max_consecutive_failed_trials: usize,
    keep_models: usize,
    repeats: bool,
    patience: Duration,
    pruner: Option<Box<dyn Pruner>>,
    folds: Option<Box<dyn CrossValidator>>,
    ledger: Ledger,
    journal: Option<Box<dyn Journal>>,
}

impl<O: Oracle + Default> Tuner<O> {
    /// A search among the models that a build function, or a [`HyperModel`], makes.
    pub fn new(hypermodel: impl HyperModel + 'static) -> Tuner<O> {
        Tuner { hypermodel: Some(Arc::new(hypermodel)), ..Tuner::default() }
    }
}

/// A search without models: for [`Tuner::optimize`] and [`Tuner::cross_validate`].
impl<O: Oracle + Default> Default for Tuner<O> {
    fn default() -> Self {
        Tuner::with(O::default())
    }
}

impl<O: Oracle> Tuner<O> {
    /// A search by that oracle, without models.
    pub fn with(oracle: O) -> Tuner<O> {
        Tuner {
            hypermodel: None,
            oracle,
            objective: Objective::default(),
            max_trials: None,
            seed: None,
            directory: None,
            overwrite: false,
            workers: None,
            executions_per_trial: 1,
            max_retries_per_trial: 0,
            max_consecutive_failed_trials: 3,
            keep_models: 10,
            repeats: false,
            patience: Duration::from_secs(120),
            pruner: None,
            folds: None,
            ledger: Ledger::default(),
            journal: None,
        }
    }

    /// The models that are tuned.
    #[must_use]
    pub fn hypermodel(mut self, hypermodel: impl HyperModel + 'static) -> Self {
        self.hypermodel = Some(Arc::new(hypermodel));
        self
    }

    /// What is made best: a figure of the model by its name, `"val_accuracy"`, or an [`Objective`]. Of a trial its best epoch
    /// counts.
    #[must_use]
    pub fn objective(mut self, objective: impl Into<Objective>) -> Self {
        self.objective = objective.into();
        self
    }

    /// How many trials there are at most. Without it the search ends when the space is used up, or after 10 trials where it
    /// is drawn from.
    #[must_use]
    pub fn max_trials(mut self, trials: u64) -> Self {
        self.max_trials = Some(trials);
        self
    }

    /// The seed of all that is drawn: values, first weights, orders of rows. Without it the search is another each time, unless
    /// `set_random_seed` was called.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where the search is written down: in one file, from which it goes on when it is killed, and which several processes
    /// may search at a time. Without it a search ends with its process.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// Whether a search that is in the directory is removed, instead of going on with it.
    #[must_use]
    pub fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }

    /// How many trials run side by side, each on one thread; as many as there are cores where nothing is said. A single one
    /// has all cores.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// How often each configuration is trained, with other seeds each time: its score is the mean.
    #[must_use]
    pub fn executions_per_trial(mut self, executions: usize) -> Self {
        self.executions_per_trial = executions.max(1);
        self
    }

    /// How often a trial that has failed is run again.
    #[must_use]
    pub fn max_retries_per_trial(mut self, retries: usize) -> Self {
        self.max_retries_per_trial = retries;
        self
    }

    /// After how many failed trials in a row the search ends; 0: never.
    #[must_use]
    pub fn max_consecutive_failed_trials(mut self, trials: usize) -> Self {
        self.max_consecutive_failed_trials = trials;
        self
    }

    /// Of how many trials, the best, the trained models are kept. 10 where nothing is said.
    #[must_use]
    pub fn keep_models(mut self, models: usize) -> Self {
        self.keep_models = models;
        self
    }

    /// Whether a configuration may run more than once.
    #[must_use]
    pub fn repeats(mut self, repeats: bool) -> Self {
        self.repeats = repeats;
        self
    }

    /// How long a journal may be away, on a disk that is full or gone, until the search ends. Two minutes where nothing is
    /// said.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Gives up trials that others leave behind. Hyperband does that itself.
    #[must_use]
    pub fn pruner(mut self, pruner: impl Pruner + 'static) -> Self {
        self.pruner = Some(Box::new(pruner));
        self
    }

    /// Each trial is trained once for each split of the rows, and validated with what the split leaves out: its score is the
    /// mean over the splits. A number is so many folds.
    #[must_use]
    pub fn folds(mut self, folds: impl CrossValidator + 'static) -> Self {
        self.folds = Some(Box::new(folds));
        self
    }

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
    fn open(&mut self) -> Result<()> {
        if self.journal.is_none() {
            self.journal = Some(match &self.directory {
                None => Box::new(MemoryJournal::default()),
                Some(directory) => {
                    if std::mem::take(&mut self.overwrite) {
                        SqliteJournal::remove(directory)?;
                    }
                    Box::new(SqliteJournal::open(directory)?)
                }
            });
        }
        Ok(())
    }

    /// Runs a search of that task.
    fn drive(&mut self, task: &dyn Task, mut about: Json, shown: Verbose) -> Result<Finish> {
        self.open()?;
        let workers = self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let mut common = self.common(workers);
        self.ledger.objective = self.objective.clone();
        let found = explore(task, &common, &mut self.ledger)?;
        about["direction"] = locked(&common.objective).word().into();
        about["space"] = found.config();
        let journal = self.journal.as_mut().ok_or_else(|| Error::usage("the search has no journal"))?;
        let stored = journal.begin(&about)?;
        about::compare(&stored, &about, self.seed.is_some()).context(place(self.directory.as_deref()))?;
        self.ledger.seed = stored["seed"].as_u64().unwrap_or_default();
        self.ledger.repeats = self.repeats;
        self.ledger.objective = locked(&common.objective).clone();
        common.seed = self.ledger.seed;
        let scratch = self.oracle.has_rungs().then(|| Scratch::new(journal.folder())).transpose()?;
        common.snapshots = scratch.as_ref().map(|scratch| scratch.path.clone());
        let max_trials = self.max_trials.or(if self.oracle.ends() { None } else { Some(10) });
        let limits = Limits {
            max_trials,
            max_consecutive_failures: self.max_consecutive_failed_trials,
            workers,
            keep_models: self.keep_models,
            patience: self.patience,
        };
        let display = Display::new(shown, max_trials);
        let common = Arc::new(common);
        let search =
            Search::new(limits, &mut self.oracle, &mut self.ledger, &mut **journal, Arc::clone(&common), display);
        let done = search.run(task);
        if let Some(pruning) = Arc::into_inner(common).and_then(|common| common.pruning) {
            self.pruner = Some(pruning.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()).into_pruner());
        }
        done
    }

    /// What the threads of a search share.
    fn common(&mut self, workers: usize) -> Common {
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

    /// Reads what is written down of the search, to look at it without going on; of one of KerasTuner's as well
    /// (`directory/project_name`), whose weights stay in their files.
    ///
    /// # Errors
    /// There must be a search in the directory.
    pub fn reload(&mut self) -> Result<()> {
        if let Some(folder) =
            self.directory.as_ref().filter(|folder| KerasTunerProject::is_in(folder) && !SqliteJournal::is_in(folder))
        {
            let KerasTunerProject { space, trials, objective } = KerasTunerProject::open(folder)?;
            self.ledger.space = space;
            trials.into_iter().for_each(|trial| self.ledger.note(trial));
            let told = Some(self.objective.clone()).filter(|known| !known.is_plain() && known.direction().is_some());
            self.ledger.objective = told.or(objective).unwrap_or_else(|| self.objective.clone());
            return Ok(());
        }
        let directory = self.directory.clone().filter(|directory| SqliteJournal::is_in(directory));
        if directory.is_none() {
            let error = Error::file(format!("there is no search in {}", place(self.directory.as_deref())));
            return Err(error.help("name its directory: `.directory(\"…\")`"));
        }
        self.open()?;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let about = journal.about()?.unwrap_or_default();
        let name = about["objective"].as_str().unwrap_or_default();
        self.ledger.objective = self.objective.clone().named(name, about["direction"].as_str());
        self.ledger.seed = about["seed"].as_u64().unwrap_or_default();
        let ledger = &mut self.ledger;
        let mut space = None;
        journal.exchange(Written { keep: self.keep_models, ..Written::default() }, &mut |news| {
            news.trials.into_iter().for_each(|trial| ledger.note(trial));
            space = news.space;
            Vec::new()
        })?;
        let space = space.as_ref().and_then(Space::from_config).unwrap_or_default();
        space.parameters().iter().try_for_each(|parameter| self.ledger.space.add(parameter).map(drop))
    }

    /// All trials, by their numbers.
    pub fn trials(&self) -> &[Trial] {
        self.ledger.trials()
    }

    /// The best trials, of at most so many; of equals the earlier.
    pub fn get_best_trials(&self, trials: usize) -> Vec<&Trial> {
        self.ledger.best().into_iter().take(trials).collect()
    }

    /// The parameters of the best trials with their values, of at most so many: a build function makes a model of them.
    pub fn get_best_hyperparameters(&self, trials: usize) -> Vec<HyperParameters> {
        self.get_best_trials(trials).into_iter().map(|trial| HyperParameters::of(trial.values.clone())).collect()
    }

    /// The models of the best trials, of at most so many, as they were after their best epochs.
    ///
    /// # Errors
    /// There must be such trials, and their weights must be kept; a build function that makes another model now.
    pub fn get_best_models(&mut self, models: usize) -> Result<Vec<Model>> {
        let missing =
            || Error::usage("the search has no models").help("make the tuner by `new`, with a build function");
        let hypermodel = Arc::clone(self.hypermodel.as_ref().ok_or_else(missing)?);
        if self.ledger.trials().is_empty() {
            return Err(Error::usage("there are no trials yet").help("`search`, or `reload` what is in the directory"));
        }
        let best: Vec<(u64, Values)> =
            self.get_best_trials(models).into_iter().map(|trial| (trial.number, trial.values.clone())).collect();
        best.into_iter().map(|(number, values)| self.model(&*hypermodel, number, values)).collect()
    }

    fn model(&mut self, hypermodel: &dyn HyperModel, number: u64, values: Values) -> Result<Model> {
        let Some(journal) = &mut self.journal else { return Err(Error::usage("the search has no journal")) };
        let bytes = journal.weights(number)?.ok_or_else(|| {
            let (best, kept) = (self.ledger.best().len(), self.keep_models);
            let message = format!("the weights of trial {number} are not kept: of {best} trials those of {kept} are");
            Error::usage(message).help("keep more, before the search: `.keep_models(…)`")
        })?;
        let mut hp = HyperParameters::of(values);
        let mut model = scoped(seeds(self.ledger.seed, number, 0, 0), || hypermodel.build(&mut hp))?;
        let set = weights::set(&mut model, &bytes);
        set.map(|()| model).context(format!("trial {number}: the build function made another model"))
    }

    /// KerasTuner's summary of the parameters: call it before a search, or after it.
    ///
    /// # Errors
    /// Mistakes in their declarations.
    pub fn search_space_summary(&mut self) -> Result<String> {
        if let (Some(hypermodel), true) = (&self.hypermodel, self.ledger.space.parameters().is_empty()) {
            let hypermodel = Arc::clone(hypermodel);
            let task = Training { hypermodel, data: Vec::new(), fits: Fits::new(Fit::new())? };
            let common = self.common(1);
            // Which figures there are is asked when there is a search.
            *locked(&common.objective) = Objective::default();
            let explored = explore(&task, &common, &mut self.ledger);
            self.pruner = common.pruning.map(|p| p.into_inner().unwrap_or_else(|p| p.into_inner()).into_pruner());
            explored?;
        }
        Ok(self.ledger.space.summary())
    }

    /// KerasTuner's summary of the best trials, of at most so many.
    pub fn results_summary(&self, trials: usize) -> String {
        let place =
            self.directory.as_ref().map_or_else(|| "memory".into(), |directory| directory.display().to_string());
        let objective = &self.ledger.objective;
        let mut text = format!("Results summary\nResults in {place}\nShowing {trials} best trials\n{objective}\n");
        let width = self.max_trials.map_or(1, |most| most.to_string().len());
        let best = self.ledger.best();
        // As KerasTuner: where there are too few, the others follow.
        let others = self.trials().iter().filter(|trial| !best.iter().any(|known| known.number == trial.number));
        let others: Vec<&Trial> = if best.len() < trials { others.collect() } else { Vec::new() };
        for trial in best.iter().copied().chain(others).take(trials) {
            text += &format!("\n{}", trial.summary(width));
        }
        text
    }

    /// How many trials are left, if their number is limited.
    pub fn remaining_trials(&self) -> Option<u64> {
        Some(self.max_trials?.saturating_sub(self.ledger.counted()))
    }
}

impl Tuner<HyperbandOracle> {
    /// The epochs of the longest training; those of `fit` do not count. 100 where nothing is said.
    #[must_use]
    pub fn max_epochs(mut self, epochs: usize) -> Self {
        self.oracle.max_epochs = epochs.max(1);
        self
    }

    /// How many times as many epochs the next round has, and of how many trials one goes on. 3 where nothing is said.
    #[must_use]
    pub fn factor(mut self, factor: usize) -> Self {
        self.oracle.factor = factor.max(2);
        self
    }

    /// How often all brackets are gone through. Once where nothing is said.
    #[must_use]
    pub fn hyperband_iterations(mut self, iterations: usize) -> Self {
        self.oracle.iterations = iterations.max(1);
        self
    }
}

fn place(directory: Option<&Path>) -> String {
    directory.map_or_else(|| "memory".into(), |directory| format!("`{}`", directory.display()))
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
fn explore(task: &dyn Task, common: &Common, ledger: &mut Ledger) -> Result<Space> {
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
