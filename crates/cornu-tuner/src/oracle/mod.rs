//! Oracles: which trial comes next. What an oracle answers follows from the trials that it is shown, so that a search that
//! goes on from a journal is as if it had never stopped.

mod grid;
mod hyperband;
mod random;
mod sampled;
mod unique;

pub use grid::GridSearchOracle;
pub use hyperband::HyperbandOracle;
pub use random::RandomSearchOracle;
pub use sampled::{BayesianOptimizationOracle, SamplerOracle, TpeOracle};

use crate::ledger::Ledger;
use crate::trial::Trial;
use crate::value::Values;

/// What an oracle answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposal {
    /// These values are next.
    Run(Values),
    /// Some trial must end first.
    Idle,
    /// There is nothing left to try.
    UsedUp,
    /// All that was planned was done.
    Done,
}

/// Where a trial's training begins and ends, if not as all do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// The number after its last epoch.
    pub epochs: usize,
    /// Its first epoch.
    pub initial_epoch: usize,
    /// The trial whose training it goes on with.
    pub parent: Option<u64>,
}

/// Chooses the trials of a search.
pub trait Oracle: Send {
    /// Its tuner's name in KerasTuner.
    fn name(&self) -> &'static str;

    /// The values of the next trial.
    fn populate(&mut self, ledger: &Ledger) -> Proposal;

    /// How many trials may be chosen before there is room for them, on so many threads: many, where what comes next does not
    /// depend on how trials end.
    fn ahead(&self, workers: usize) -> usize {
        _ = workers;
        0
    }

    /// Whether it asks for the values of trials that have ended.
    fn looks_back(&self) -> bool {
        true
    }

    /// Whether it needs to know what a trial has declared as soon as it is built.
    fn follows_builds(&self) -> bool {
        false
    }

    /// What is special about a trial's training.
    fn budget(&self, trial: &Trial) -> Option<Budget> {
        _ = trial;
        None
    }

    /// What happens to a parameter that a build function declares and nobody chose: whether it is drawn, instead of taken at
    /// its default.
    fn draws_unknown(&self) -> bool {
        true
    }

    /// Whether trials go on with the trainings of others, whose snapshots are kept for that.
    fn has_rungs(&self) -> bool {
        false
    }

    /// Whether it ends by itself, in a space of numbers without steps too.
    fn ends(&self) -> bool {
        false
    }

    /// The settings that cannot change while a search goes on, by name.
    fn settings(&self) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}
