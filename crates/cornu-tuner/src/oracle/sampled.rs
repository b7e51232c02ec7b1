//! Search by a sampler, which learns from the trials that ended.

use super::unique::untried;
use super::{Oracle, Proposal};
use crate::draw;
use crate::ledger::Ledger;
use crate::sampler::{GaussianProcess, Outcome, Point, Sampler, Told, Tpe};
use crate::trial::{Status, Trial};

/// Asks a [`Sampler`].
pub struct SamplerOracle {
    name: &'static str,
    sampler: Box<dyn FnMut(u64) -> Box<dyn Sampler> + Send>,
    asked: Option<Box<dyn Sampler>>,
    /// What is known of the first trials, all of which have ended.
    told: Vec<Told>,
}

impl SamplerOracle {
    /// Asks the sampler that is made for the seed of the search.
    pub fn new<S: Sampler + 'static>(name: &'static str, mut sampler: impl FnMut(u64) -> S + Send + 'static) -> Self {
        let sampler = move |seed| Box::new(sampler(seed)) as Box<dyn Sampler>;
        SamplerOracle { name, sampler: Box::new(sampler), asked: None, told: Vec::new() }
    }

    /// What there is to tell of all trials. What is known of those that ended before stays.
    fn told(&mut self, ledger: &Ledger) -> Vec<Told> {
        let told = |trial: &Trial| Told { point: ledger.space.point(&trial.values), outcome: outcome(ledger, trial) };
        let trials = ledger.trials();
        let ended = trials.iter().take_while(|trial| trial.status != Status::Running).count();
        self.told.truncate(ended);
        self.told.extend(trials[self.told.len()..ended].iter().map(told));
        self.told.iter().cloned().chain(trials[ended..].iter().map(told)).collect()
    }
}

fn outcome(ledger: &Ledger, trial: &Trial) -> Outcome {
    match (trial.status, trial.score) {
        (Status::Running, _) => Outcome::Running,
        (Status::Completed | Status::Pruned, Some(score)) => Outcome::Score(ledger.objective.cost(score)),
        _ => Outcome::Failed,
    }
}

impl Oracle for SamplerOracle {
    fn name(&self) -> &'static str {
        self.name
    }

    fn populate(&mut self, ledger: &Ledger) -> Proposal {
        let told = self.told(ledger);
        let (axes, _) = ledger.space.axes();
        let number = ledger.next_number();
        let sampler = self.asked.get_or_insert_with(|| (self.sampler)(ledger.seed));
        untried(ledger, |attempt| {
            let point = match attempt {
                0 if !axes.is_empty() => sampler.ask(&axes, &told, number, 1).pop(),
                // What it would have again is told already: at random, then.
                _ => None,
            };
            let seed = ledger.seed.wrapping_add(attempt << 32);
            let drawn = || axes.iter().map(|axis| Some(draw::coordinate(seed, number, &axis.name, axis.kind)));
            ledger.space.values(&point.unwrap_or_else(|| drawn().collect::<Point>()))
        })
    }

    /// One that several threads wait for is chosen while they train.
    fn ahead(&self, workers: usize) -> usize {
        usize::from(workers > 1)
    }
}

/// Oracles of one sampler each.
macro_rules! oracles {
    ($($(#[$doc:meta])* $oracle:ident = $name:literal, $sampler:ty;)*) => {$(
        $(#[$doc])*
        pub struct $oracle(SamplerOracle);

        impl Default for $oracle {
            fn default() -> Self {
                $oracle(SamplerOracle::new($name, <$sampler>::new))
            }
        }

        impl Oracle for $oracle {
            fn name(&self) -> &'static str {
                self.0.name()
            }

            fn populate(&mut self, ledger: &Ledger) -> Proposal {
                self.0.populate(ledger)
            }

            fn ahead(&self, workers: usize) -> usize {
                self.0.ahead(workers)
            }
        }
    )*};
}

oracles! {
    /// A Gaussian process.
    BayesianOptimizationOracle = "BayesianOptimization", GaussianProcess;
    /// Parzen estimators.
    TpeOracle = "TpeSearch", Tpe;
}
