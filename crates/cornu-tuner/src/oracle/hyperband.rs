//! Hyperband (Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, 2018), as KerasTuner does it: brackets of random trials, of
//! which the better ones go on for more epochs.

use super::random::drawn;
use super::{Budget, Oracle, Proposal};
use crate::ledger::Ledger;
use crate::trial::{Status, Trial};
use crate::value::Value;

/// Many trials of few epochs, of which the best go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HyperbandOracle {
    pub(crate) max_epochs: usize,
    pub(crate) factor: usize,
    pub(crate) iterations: usize,
}

impl Default for HyperbandOracle {
    fn default() -> Self {
        HyperbandOracle { max_epochs: 100, factor: 3, iterations: 1 }
    }
}

/// The names of what it notes of a trial, as in KerasTuner.
const EPOCHS: &str = "tuner/epochs";
const INITIAL: &str = "tuner/initial_epoch";
const BRACKET: &str = "tuner/bracket";
const ROUND: &str = "tuner/round";
const PARENT: &str = "tuner/trial_id";

fn noted(trial: &Trial, name: &str) -> Option<u64> {
    match trial.values.get(name)? {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// A bracket that has begun: the trials of each of its rounds.
struct Bracket<'a> {
    number: u32,
    rounds: Vec<Vec<&'a Trial>>,
}

impl HyperbandOracle {
    /// How many brackets there are.
    fn brackets(&self) -> u32 {
        let (mut epochs, mut brackets) = (self.max_epochs as f64, 0);
        while epochs >= 1.0 {
            epochs /= self.factor as f64;
            brackets += 1;
        }
        brackets
    }

    /// How many trials a round has.
    fn size(&self, bracket: u32, round: usize) -> usize {
        let last = (1.0 + (self.max_epochs as f64).ln() / (self.factor as f64).ln()).ceil();
        let power = (self.factor as f64).powi(bracket as i32 - round as i32);
        (last / f64::from(bracket + 1) * power).ceil() as usize
    }

    /// Up to which epoch the trials of a round are trained.
    fn epochs(&self, bracket: u32, round: usize) -> usize {
        (self.max_epochs as f64 / (self.factor as f64).powi(bracket as i32 - round as i32)).ceil() as usize
    }

    /// The brackets that the trials make.
    fn begun<'a>(&self, trials: &'a [Trial]) -> Vec<Bracket<'a>> {
        let mut all: Vec<Bracket> = Vec::new();
        for trial in trials {
            let (Some(number), Some(round)) = (noted(trial, BRACKET), noted(trial, ROUND)) else { continue };
            let (number, round) = (number as u32, round as usize);
            let has_room = |bracket: &&mut Bracket| {
                bracket.number == number && bracket.rounds[round].len() < self.size(number, round)
            };
            match all.iter_mut().find(has_room) {
                Some(bracket) => bracket.rounds[round].push(trial),
                None => {
                    let mut rounds = vec![Vec::new(); number as usize + 1];
                    rounds[round.min(number as usize)].push(trial);
                    all.push(Bracket { number, rounds });
                }
            }
        }
        all
    }

    /// The trial that goes on into that round, if enough of the round before have ended.
    fn promoted<'a>(&self, ledger: &Ledger, bracket: &Bracket<'a>, round: usize) -> Option<&'a Trial> {
        let taken: Vec<u64> = bracket.rounds[round].iter().filter_map(|trial| noted(trial, PARENT)).collect();
        let before = &bracket.rounds[round - 1];
        let ready = before.iter().filter(|trial| trial.status == Status::Completed && !taken.contains(&trial.number));
        let mut ready: Vec<&Trial> = ready.copied().collect();
        let left = self.size(bracket.number, round - 1) - self.size(bracket.number, round);
        if ready.len() <= left {
            return None;
        }
        let cost = |trial: &Trial| ledger.objective.cost(trial.score.unwrap_or(f64::INFINITY));
        ready.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
        ready.first().copied()
    }

    /// The next trial of the brackets that have begun.
    fn within(&self, ledger: &Ledger, brackets: &[Bracket]) -> Option<Proposal> {
        for bracket in brackets {
            let number = bracket.number;
            if bracket.rounds[0].len() < self.size(number, 0) {
                return Some(self.first_round(ledger, number));
            }
            for round in 1..bracket.rounds.len() {
                let Some(best) = self.promoted(ledger, bracket, round) else { continue };
                let mut values = best.values.clone();
                values.set(PARENT, best.number.to_string());
                values.set(EPOCHS, self.epochs(number, round));
                values.set(INITIAL, self.epochs(number, round - 1));
                values.set(BRACKET, i64::from(number));
                values.set(ROUND, round);
                return Some(Proposal::Run(values));
            }
        }
        None
    }

    fn first_round(&self, ledger: &Ledger, bracket: u32) -> Proposal {
        let proposal = drawn(ledger);
        let Proposal::Run(mut values) = proposal else {
            // Trials that run may still be promoted.
            return if running(ledger) { Proposal::Idle } else { proposal };
        };
        values.set(EPOCHS, self.epochs(bracket, 0));
        values.set(INITIAL, 0usize);
        values.set(BRACKET, i64::from(bracket));
        values.set(ROUND, 0usize);
        Proposal::Run(values)
    }
}

fn running(ledger: &Ledger) -> bool {
    ledger.trials().iter().any(|trial| trial.status == Status::Running)
}

impl Oracle for HyperbandOracle {
    fn name(&self) -> &'static str {
        "Hyperband"
    }

    fn populate(&mut self, ledger: &Ledger) -> Proposal {
        let brackets = self.begun(ledger.trials());
        if let Some(proposal) = self.within(ledger, &brackets) {
            return proposal;
        }
        let all = self.brackets() as usize;
        if brackets.len() < all * self.iterations {
            return self.first_round(ledger, (all - 1 - brackets.len() % all) as u32);
        }
        if running(ledger) { Proposal::Idle } else { Proposal::Done }
    }

    fn budget(&self, trial: &Trial) -> Option<Budget> {
        let number = |name| noted(trial, name).map(|number| number as usize);
        let parent = noted(trial, PARENT);
        Some(Budget { epochs: number(EPOCHS)?, initial_epoch: number(INITIAL)?, parent })
    }

    fn has_rungs(&self) -> bool {
        true
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![("max_epochs", self.max_epochs.to_string()), ("factor", self.factor.to_string())]
    }

    fn ends(&self) -> bool {
        true
    }
}
