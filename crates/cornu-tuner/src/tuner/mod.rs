//! Tuners: a hyper-model, an oracle, and how a search is run.

mod plots;
mod results;
mod run;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cornu::data::model_selection::CrossValidator;

use crate::hypermodel::HyperModel;
use crate::journal::{self, Journal};
use crate::ledger::Ledger;
use crate::objective::Objective;
use crate::oracle::{
    BayesianOptimizationOracle, GridSearchOracle, HyperbandOracle, Oracle, RandomSearchOracle, TpeOracle,
};
use crate::pruner::Pruner;

/// Searches at random: [`Tuner`].
pub type RandomSearch = Tuner<RandomSearchOracle>;

/// Searches through all configurations: [`Tuner`].
pub type GridSearch = Tuner<GridSearchOracle>;

/// Searches by many short trainings, of which the better ones go on: [`Tuner`].
pub type Hyperband = Tuner<HyperbandOracle>;

/// Searches by a Gaussian process, which learns what to expect of a configuration: [`Tuner`]. For few trials that take long.
pub type BayesianOptimization = Tuner<BayesianOptimizationOracle>;

/// Searches by Parzen estimators, which tell the better trials from the others: [`Tuner`]. For many trials.
pub type TpeSearch = Tuner<TpeOracle>;

/// A search for hyper-parameters, with KerasTuner's settings and results. [`RandomSearch`], [`GridSearch`], [`Hyperband`],
/// [`BayesianOptimization`] and [`TpeSearch`] are tuners that differ in their oracle.
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
    /// may search at a time. `postgres://user@host/database#name` is the search of that name in a database, which many machines
    /// may search (feature `postgres`). Without it a search ends with its process.
    #[must_use]
    pub fn directory(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// Where the search is written down, if not in a directory.
    #[must_use]
    pub fn journal(mut self, journal: impl Journal + 'static) -> Self {
        self.journal = Some(Box::new(journal));
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

/// Where a search is written down, in words.
fn place(directory: Option<&Path>) -> String {
    directory.map_or_else(|| "memory".into(), journal::place)
}
