//! What came of a search.

use std::sync::Arc;

use cornu::graph::Context;
use cornu::random::{Seeds, scoped};
use cornu::train::{Fit, Fits};
use cornu::{Error, Model, Result};

use super::run::explore;
use super::{Tuner, place};
use crate::hypermodel::HyperModel;
use crate::journal::{self, Written};
use crate::keras_tuner::KerasTunerProject;
use crate::objective::Objective;
use crate::oracle::Oracle;
use crate::search::{Training, locked, root, seeds, weights};
use crate::space::{HyperParameters, Space};
use crate::trial::Trial;
use crate::value::Values;

impl<O: Oracle> Tuner<O> {
    /// Reads what is written down of the search, to look at it without going on; of one of KerasTuner's as well
    /// (`directory/project_name`), whose weights stay in their files.
    ///
    /// # Errors
    /// There must be a search in the directory.
    pub fn reload(&mut self) -> Result<()> {
        let directory = self.directory.clone().filter(|_| self.journal.is_none());
        let is_in = directory.as_deref().map(journal::is_in).transpose()?;
        if let Some(folder) = directory.filter(|folder| is_in == Some(false) && KerasTunerProject::is_in(folder)) {
            let KerasTunerProject { space, trials, objective } = KerasTunerProject::open(folder)?;
            self.ledger.space = space;
            trials.into_iter().for_each(|trial| self.ledger.note(trial));
            let told = Some(self.objective.clone()).filter(|known| !known.is_plain() && known.direction().is_some());
            self.ledger.objective = told.or(objective).unwrap_or_else(|| self.objective.clone());
            return Ok(());
        }
        if is_in != Some(true) && self.journal.is_none() {
            let error = Error::file(format!("there is no search in {}", place(self.directory.as_deref())));
            return Err(error.help("name its directory: `.directory(\"…\")`"));
        }
        self.open()?;
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let about = journal.about()?.unwrap_or_default();
        let name = about["objective"].as_str().unwrap_or_default();
        self.ledger.objective = self.objective.clone().named(name, about["direction"].as_str());
        self.ledger.seed = about["seed"].as_u64().unwrap_or_default();
        journal.trials()?.into_iter().for_each(|trial| self.ledger.note(trial));
        let mut space = None;
        journal.exchange(Written { keep: self.keep_models, ..Written::default() }, &mut |news| {
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

    /// The seeds of an execution of a trial: what is built and trained by [`scoped`] with them alone has its bits.
    pub fn seeds(&self, trial: &Trial, execution: usize) -> Seeds {
        seeds(self.ledger.seed, root(&self.oracle, &self.ledger, trial.number), execution, 0)
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
