//! What a trial does: trains models, or calls a function.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cornu::graph::ErrorKind;
use cornu::random::{Seeds, scoped};
use cornu::train::{Callback, Fit, Fits, Resume};
use cornu::{Array, Cpu, Error, Model, Result};

use super::watch::{Seen, Watch};
use super::weights;
use crate::draw;
use crate::hypermodel::{HyperModel, Results, TrainingData};
use crate::ledger::fingerprint;
use crate::objective::Objective;
use crate::oracle::Budget;
use crate::pruner::Pruning;
use crate::space::{HyperParameters, Space, Unknown};
use crate::trial::Execution;
use crate::value::Values;

/// A trial that a thread is to run. Those of one architecture may be handed over together.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) number: u64,
    pub(crate) values: Values,
    /// What becomes of parameters that nobody chose.
    pub(crate) unknown: Unknown,
    pub(crate) budget: Option<Budget>,
    /// The trial that its training began with: its seeds are those of that one.
    pub(crate) root: u64,
}

/// What becomes known of a trial as soon as it is built.
#[derive(Clone, Debug)]
pub(crate) struct Built {
    pub(crate) values: Values,
    pub(crate) space: Space,
}

/// How a trial has ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With its executions, and the weights of the best.
    Completed { executions: Vec<Execution>, weights: Vec<u8>, costs: Vec<f64> },
    /// It was given up, after these.
    Pruned { executions: Vec<Execution>, costs: Vec<f64> },
    /// It has failed, for that reason.
    Failed(String),
    /// It was the configuration of the trial of that number.
    Repeated(u64),
    /// The search cannot go on.
    Stop(Error),
}

/// What all threads of a search share.
pub(crate) struct Common {
    pub(crate) seed: u64,
    pub(crate) objective: Mutex<Objective>,
    pub(crate) executions: usize,
    pub(crate) retries: usize,
    /// Whether each model runs on one thread.
    pub(crate) alone: bool,
    pub(crate) keeps: bool,
    pub(crate) snapshots: Option<PathBuf>,
    pub(crate) pruning: Option<Mutex<Pruning>>,
    /// The configurations that were built, by the numbers of their trials; nothing where they may be repeated.
    pub(crate) built: Option<Mutex<HashMap<u64, u64>>>,
}

/// Why an execution has no result.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The trial has failed.
    Trial(Error),
    /// No other trial could do better.
    Search(Error),
    /// It is the configuration of the trial of that number.
    Repeats(u64),
}

/// The work was stopped from outside, or something is wrong with this trial.
impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        if error.kind() == ErrorKind::Interrupted { Fault::Search(error) } else { Fault::Trial(error) }
    }
}

/// What a trial does. Its functions are called on many threads, each within seeds of the trial's own.
pub(crate) trait Task: Sync {
    /// Declares the parameters; trains nothing.
    fn declare(&self, hp: &mut HyperParameters, common: &Common) -> Result<(), Fault>;

    /// Whether [`Task::declare`] finds the parameters.
    fn declares(&self) -> bool {
        true
    }

    /// One execution.
    fn execute(&self, hp: &mut HyperParameters, run: &mut Execute) -> Result<Run, Fault>;

    /// How many executions a trial has.
    fn executions(&self, common: &Common) -> usize {
        common.executions
    }

    /// What trains models that are alike side by side, if it may.
    fn stacks(&self) -> Option<&Training> {
        None
    }
}

/// Which execution it is.
pub(crate) struct Execute<'a> {
    pub(crate) common: &'a Arc<Common>,
    pub(crate) job: &'a Job,
    pub(crate) execution: usize,
    /// Whether the trial was tried before.
    again: bool,
    /// Hears what the trial has declared.
    tell: &'a mut dyn FnMut(Built),
}

impl Execute<'_> {
    /// All parameters are declared.
    fn declared(&mut self, hp: &HyperParameters) -> Result<(), Fault> {
        let values = hp.settled()?;
        if self.execution > 0 || self.again {
            return Ok(());
        }
        let first = first_to_build(self.common, self.job, &values);
        (self.tell)(Built { values, space: hp.space() });
        first.map_or(Ok(()), |number| Err(Fault::Repeats(number)))
    }
}

/// What came of an execution.
#[derive(Debug)]
pub(crate) struct Run {
    execution: Execution,
    weights: Vec<Array>,
    costs: Vec<f64>,
    pruned: bool,
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is changed in single steps.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The seeds of an execution.
pub(crate) fn seeds(seed: u64, root: u64, execution: usize, attempt: usize) -> Seeds {
    Seeds::new(draw::bits(seed, root, &format!("execution {execution}, attempt {attempt}")) as u32)
}

/// What was said in a panic.
pub(crate) fn panicked(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("panicked: {}", text.unwrap_or_else(|| "without a word".into()))
}

/// Calls `work`; a panic is an error, or the mistake in a declaration that led to it.
pub(crate) fn caught<T>(
    hp: &mut HyperParameters,
    work: impl FnOnce(&mut HyperParameters) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let done = catch_unwind(AssertUnwindSafe(|| work(hp)));
    let done = done.unwrap_or_else(|panic| Err(Error::usage(panicked(&*panic)).into()));
    match (done, hp.problem()) {
        (Ok(_) | Err(Fault::Trial(_)), Some(problem)) => Err(Fault::Trial(problem)),
        (done, _) => done,
    }
}

/// Runs a trial: again, where it fails and may be retried. `tell` hears what it has declared.
pub(crate) fn run(task: &dyn Task, common: &Arc<Common>, job: &Job, tell: &mut dyn FnMut(Built)) -> End {
    let mut attempt = 0;
    loop {
        let end = match attempted(task, common, job, attempt, tell) {
            Ok(end) => return end,
            Err(Fault::Search(error)) => return End::Stop(error),
            Err(Fault::Repeats(number)) => return End::Repeated(number),
            Err(Fault::Trial(error)) => End::Failed(error.to_string()),
        };
        if attempt == common.retries {
            return end;
        }
        attempt += 1;
    }
}

fn attempted(
    task: &dyn Task,
    common: &Arc<Common>,
    job: &Job,
    attempt: usize,
    tell: &mut dyn FnMut(Built),
) -> Result<End, Fault> {
    let runs = (0..task.executions(common))
        .map(|execution| executed(common, job, (execution, attempt), &mut *tell, |hp, run| task.execute(hp, run)));
    ended(common, runs)
}

/// Does `work` as that execution of a trial, in that attempt: within its seeds.
pub(super) fn executed<T>(
    common: &Arc<Common>,
    job: &Job,
    (execution, attempt): (usize, usize),
    tell: &mut dyn FnMut(Built),
    work: impl FnOnce(&mut HyperParameters, &mut Execute) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let mut hp = HyperParameters::with(job.values.clone(), job.unknown);
    let mut run = Execute { common, job, execution, again: attempt > 0, tell };
    scoped(seeds(common.seed, job.root, execution, attempt), || caught(&mut hp, |hp| work(hp, &mut run)))
}

/// What the executions of a trial come to: after one that is pruned there is no other.
pub(super) fn ended(common: &Common, runs: impl Iterator<Item = Result<Run, Fault>>) -> Result<End, Fault> {
    let (mut executions, mut best, mut all_costs) = (Vec::new(), None::<(f64, Vec<Array>)>, Vec::new());
    for run in runs {
        let Run { execution, weights, costs, pruned } = run?;
        if execution.score.is_nan() {
            let name = locked(&common.objective).name().to_owned();
            return Err(Error::data(format!("its objective `{name}` is not a number")).into());
        }
        let cost = locked(&common.objective).cost(execution.score);
        executions.push(execution);
        if all_costs.is_empty() {
            all_costs = costs;
        }
        if pruned {
            return Ok(End::Pruned { executions, costs: all_costs });
        }
        if best.as_ref().is_none_or(|(known, _)| cost < *known) {
            best = Some((cost, weights));
        }
    }
    let weights = best.map(|(_, weights)| weights).unwrap_or_default();
    let weights = if weights.is_empty() { Vec::new() } else { weights::to_bytes(&weights)? };
    Ok(End::Completed { executions, weights, costs: all_costs })
}

/// The number of another trial that has built the same configuration.
fn first_to_build(common: &Common, job: &Job, values: &Values) -> Option<u64> {
    if job.budget.as_ref().is_some_and(|budget| budget.parent.is_some()) {
        return None;
    }
    let mut built = locked(common.built.as_ref()?);
    let first = *built.entry(fingerprint(values)).or_insert(job.number);
    (first != job.number).then_some(first)
}

/// Trains the models of a hyper-model.
pub(crate) struct Training {
    pub(crate) hypermodel: Arc<dyn HyperModel>,
    /// The rows of each fold; all of them, where there are no folds.
    pub(crate) data: Vec<TrainingData>,
    pub(crate) fits: Fits,
}

impl Training {
    fn validates(&self) -> bool {
        self.fits.validates() || self.data.iter().any(|data| data.validation.is_some())
    }

    /// A model whose figures have the objective among them.
    fn model(&self, hp: &mut HyperParameters, common: &Common) -> Result<Model, Fault> {
        let model = self.hypermodel.build(hp)?;
        model.check()?;
        let own = self.hypermodel.figures();
        locked(&common.objective).settle(&model, &own, self.validates()).map_err(Fault::Search)?;
        Ok(model)
    }

    /// A model that is to be trained, and how.
    pub(super) fn ready(&self, hp: &mut HyperParameters, run: &mut Execute) -> Result<(Model, Fit), Fault> {
        let mut model = self.model(hp, run.common)?;
        let fit = self.hypermodel.fit(hp, self.fits.fit())?;
        run.declared(hp)?;
        if run.common.alone && model.machine().is_none() {
            model.run_on(Cpu::new().threads(1))?;
        }
        Ok((model, fit))
    }

    /// The rows of an execution.
    pub(super) fn rows(&self, execution: usize) -> &TrainingData {
        &self.data[execution % self.data.len()]
    }

    /// How an execution of a trial is trained, but for its callbacks.
    pub(super) fn told(&self, job: &Job, execution: usize, mut fit: Fit) -> Fit {
        if let Some((x, y)) = &self.rows(execution).validation {
            fit = fit.validation_data(x.clone(), y.clone());
        }
        let fit = fit.verbose(0);
        match &job.budget {
            Some(budget) => fit.epochs(budget.epochs),
            None => fit,
        }
    }
}

/// What a training goes on from, if it does, and what looks at it.
pub(super) fn callbacks(
    common: &Arc<Common>,
    job: &Job,
    execution: usize,
) -> (Vec<Box<dyn Callback>>, Arc<Mutex<Seen>>) {
    let parent = job.budget.as_ref().and_then(|budget| budget.parent);
    // What another machine has trained is trained anew, from the same seeds.
    let path = parent.and_then(|parent| common.snapshot(parent, execution)).filter(|path| path.exists());
    let resume = path.map(|path| Box::new(Resume::new(path)) as Box<dyn Callback>);
    let (watch, seen) = Watch::new(common, job, execution);
    (resume.into_iter().chain([Box::new(watch) as Box<dyn Callback>]).collect(), seen)
}

impl Task for Training {
    fn stacks(&self) -> Option<&Training> {
        self.hypermodel.trains_as_told().then_some(self)
    }

    fn declare(&self, hp: &mut HyperParameters, common: &Common) -> Result<(), Fault> {
        self.model(hp, common)?;
        Ok(self.hypermodel.fit(hp, self.fits.fit()).map(drop)?)
    }

    fn executions(&self, common: &Common) -> usize {
        common.executions * self.data.len()
    }

    fn execute(&self, hp: &mut HyperParameters, run: &mut Execute) -> Result<Run, Fault> {
        let (mut model, fit) = self.ready(hp, run)?;
        let Execute { common, job, execution, .. } = run;
        let (callbacks, seen) = callbacks(common, job, *execution);
        let fit = self.told(job, *execution, fit).callbacks(callbacks);
        let results = self.hypermodel.run(hp, &mut model, self.rows(*execution), fit)?;
        let mut seen = std::mem::take(&mut *locked(&seen));
        if common.keeps && !matches!(results, Results::History(_)) {
            // The epoch that the callback saw as the best is not what counts: the model is, as it is.
            let weights = model.variables().weights();
            seen.weights = weights.map(|variable| variable.read()).collect();
        }
        let objective = locked(&common.objective).clone();
        finished(results, seen, &objective)
    }
}

impl Common {
    /// The file of a training that others go on with.
    pub(crate) fn snapshot(&self, trial: u64, execution: usize) -> Option<PathBuf> {
        Some(self.snapshots.as_ref()?.join(format!("{trial:06}-{execution}.snapshot")))
    }
}

/// What results mean: of a history the best epoch, as it was seen.
pub(super) fn finished(results: Results, seen: Seen, objective: &Objective) -> Result<Run, Fault> {
    let missing = |names: &[String]| Fault::Search(objective.missing(names, true));
    let Seen { best, weights, costs, pruned } = seen;
    let execution = match results {
        Results::Number(score) => {
            Execution { score, best_epoch: 0, metrics: vec![(objective.name().to_owned(), score)] }
        }
        Results::Figures(metrics) => {
            let figure = |name: &str| metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
            let names: Vec<String> = metrics.iter().map(|(name, _)| name.clone()).collect();
            let score = objective.value(&figure).ok_or_else(|| missing(&names))?;
            Execution { score, best_epoch: 0, metrics }
        }
        Results::History(history) => {
            let names: Vec<String> = history.keys().into_iter().map(str::to_owned).collect();
            best.ok_or_else(|| missing(&names))?
        }
    };
    Ok(Run { execution, weights, costs, pruned })
}

/// Calls a function that gives results itself.
pub(crate) struct Function<F>(pub(crate) F);

impl<R: Into<Results>, F: Fn(&mut HyperParameters) -> Result<R> + Sync> Task for Function<F> {
    /// What it declares becomes known when it runs.
    fn declares(&self) -> bool {
        false
    }

    fn declare(&self, _: &mut HyperParameters, _: &Common) -> Result<(), Fault> {
        Ok(())
    }

    fn execute(&self, hp: &mut HyperParameters, run: &mut Execute) -> Result<Run, Fault> {
        let results = (self.0)(hp)?.into();
        run.declared(hp)?;
        let objective = locked(&run.common.objective).clone();
        finished(results, Seen::default(), &objective)
    }
}
