//! All trials of a search, as far as this process knows them.

use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use crate::objective::Objective;
use crate::space::{OWN, Space};
use crate::trial::{Status, Trial};
use crate::value::Values;

/// What is left to a journal of trials that have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Left {
    /// All is kept.
    #[default]
    Nothing,
    /// Executions.
    Executions,
    /// And values, where no oracle asks for them.
    Values,
}

/// What an oracle goes by.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The parameters that are known so far.
    pub space: Space,
    /// The seed of the search.
    pub seed: u64,
    /// What is to be made best.
    pub objective: Objective,
    /// Whether a configuration may run more than once.
    pub repeats: bool,
    /// Trials that were handed out here and have not ended: where a search was stopped, the next runs them again.
    pub(crate) unfinished: BTreeSet<u64>,
    /// What is left to the journal, so that ten thousand trials take little room.
    pub(crate) left: Left,
    /// What the best trials cost, sorted: their values are not left to the journal.
    top: Vec<f64>,
    /// By their numbers.
    trials: Vec<Trial>,
    tried: HashSet<u64>,
}

/// A number for a configuration, the same in every process.
pub(crate) fn fingerprint(values: &Values) -> u64 {
    let mut all: Vec<String> = values
        .iter()
        .filter(|(name, _)| !name.starts_with(OWN))
        .map(|(name, value)| format!("{name}={}", value.repr()))
        .collect();
    all.sort_unstable();
    BuildHasherDefault::<DefaultHasher>::new().hash_one(all)
}

impl Ledger {
    /// All trials, by their numbers.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The number of the next trial.
    pub fn next_number(&self) -> u64 {
        self.trials.len() as u64
    }

    /// Whether these values were tried, or are.
    pub fn is_tried(&self, values: &Values) -> bool {
        !self.repeats && self.tried.contains(&fingerprint(values))
    }

    /// Notes a trial, or what has become of one.
    pub(crate) fn note(&mut self, mut trial: Trial) {
        self.tried.insert(fingerprint(&trial.values));
        if self.left != Left::Nothing {
            trial.executions = Vec::new();
        }
        if self.left == Left::Values && trial.status != Status::Running && !self.is_among_the_best(&trial) {
            trial.values = Values::default();
        }
        let place = trial.number as usize;
        while self.trials.len() < place {
            // Numbers are given out in order: what is between is on its way.
            self.trials.push(Trial::new(self.trials.len() as u64, Values::default()));
        }
        match self.trials.get_mut(place) {
            Some(known) => *known = trial,
            None => self.trials.push(trial),
        }
    }

    fn is_among_the_best(&mut self, trial: &Trial) -> bool {
        const BEST: usize = 16;
        let Some(score) = trial.score.filter(|_| trial.status == Status::Completed) else { return false };
        let cost = self.objective.cost(score);
        let place = self.top.partition_point(|other| *other <= cost);
        self.top.insert(place, cost);
        self.top.truncate(BEST);
        place < BEST
    }

    /// Forgets the trials from that number on, which did not begin.
    pub(crate) fn forget_from(&mut self, number: u64) {
        for trial in self.trials.drain((number as usize).min(self.trials.len())..) {
            self.tried.remove(&fingerprint(&trial.values));
        }
    }

    /// How many trials count for `max_trials`.
    pub(crate) fn counted(&self) -> u64 {
        self.trials.iter().filter(|trial| trial.status != Status::Repeated).count() as u64
    }

    /// The trials with scores, the best first; of equals the earlier.
    pub fn best(&self) -> Vec<&Trial> {
        let done = self.trials.iter().filter(|trial| trial.status == Status::Completed && trial.score.is_some());
        let mut done: Vec<&Trial> = done.collect();
        let cost = |trial: &Trial| self.objective.cost(trial.score.unwrap_or(f64::NAN));
        done.sort_by(|a, b| cost(a).total_cmp(&cost(b)).then(a.number.cmp(&b.number)));
        done
    }
}
