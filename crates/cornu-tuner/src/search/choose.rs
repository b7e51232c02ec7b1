//! Each turn of a search: what has ended is written down, and what comes next is chosen.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cornu::graph::Context;
use cornu::{Error, Result};
use serde_json::Value as Json;

use super::queue::Queue;
use super::task::Job;
use super::{Finish, Search, locked};
use crate::journal::{News, Written};
use crate::ledger::{Ledger, fingerprint};
use crate::oracle::{Oracle, Proposal};
use crate::space::{Space, Unknown};
use crate::trial::{Status, Trial};

/// How long to wait until a journal that is away is tried again.
const AGAIN: Duration = Duration::from_millis(250);

/// What one turn chooses from.
struct Turn<'t> {
    ledger: &'t mut Ledger,
    oracle: &'t mut dyn Oracle,
    built: Option<&'t Mutex<HashMap<u64, u64>>>,
    max_trials: Option<u64>,
    /// How many trials are wanted; none, where the search is to end.
    room: usize,
    /// Whether trials of others may have to be run again.
    missing: bool,
    chosen: Vec<Trial>,
    finish: Option<Finish>,
    problem: Result<()>,
}

impl Turn<'_> {
    /// Takes up what others did.
    fn hear(&mut self, news: &News) {
        self.missing = news.missing;
        if let Some(space) = news.space.as_ref().and_then(Space::from_config) {
            for parameter in space.parameters() {
                if let Err(error) = self.ledger.space.add(parameter) {
                    self.problem = Err(error);
                }
            }
        }
        for trial in &news.trials {
            let ended = !matches!(trial.status, Status::Running | Status::Repeated);
            if let Some(built) = self.built.filter(|_| ended) {
                locked(built).entry(fingerprint(&trial.values)).or_insert(trial.number);
            }
            self.ledger.note(trial.clone());
        }
    }

    /// Trials that were stopped, and those of processes that have ended, come first: they are repeated from their seeds. What runs
    /// here is none of these, also where its connection was cut.
    fn adopt(&mut self, stopped: &[u64], orphans: &[u64]) {
        let Turn { ledger, chosen, .. } = self;
        for number in stopped.iter().chain(orphans.iter().filter(|number| !ledger.unfinished.contains(number))) {
            let known = ledger.trials().get(*number as usize).cloned();
            chosen.extend(known.filter(|trial| trial.status == Status::Running));
        }
    }

    fn choose(&mut self) {
        while self.chosen.len() < self.room && self.finish.is_none() {
            if self.max_trials.is_some_and(|most| self.ledger.counted() >= most) {
                self.finish = (!self.missing).then_some(Finish::MaxTrials);
                return;
            }
            let running = || self.ledger.trials().iter().any(|trial| trial.status == Status::Running);
            match self.oracle.populate(self.ledger) {
                Proposal::Run(values) => {
                    let trial = Trial::new(self.ledger.next_number(), values);
                    self.ledger.note(trial.clone());
                    self.chosen.push(trial);
                }
                // A trial that runs may declare what nobody knows yet.
                Proposal::Idle => return,
                Proposal::UsedUp | Proposal::Done if running() => return,
                Proposal::UsedUp => self.finish = Some(Finish::UsedUp),
                Proposal::Done => self.finish = Some(Finish::Done),
            }
        }
    }
}

/// The trial that the training of this one began with.
pub(crate) fn root(oracle: &dyn Oracle, ledger: &Ledger, number: u64) -> u64 {
    let parent = |number: u64| oracle.budget(ledger.trials().get(number as usize)?)?.parent;
    std::iter::successors(Some(number), |number| parent(*number).filter(|parent| parent < number))
        .last()
        .unwrap_or(number)
}

impl Search<'_> {
    /// Writes down what has ended, and hands out what is chosen. A journal that is away is tried again later.
    pub(super) fn exchange(&mut self, queue: &Queue) {
        let grown = (self.ledger.space.parameters().len() > self.known).then(|| self.ledger.space.config());
        match self.step(grown.as_ref()) {
            Ok(chosen) => {
                self.known = self.ledger.space.parameters().len();
                if self.pending.is_empty() && self.kept.is_empty() {
                    self.remember_kept();
                }
                (self.away, self.next_try, self.since) = (None, None, None);
                self.pending.clear();
                self.in_flight += chosen.len();
                self.begun = true;
                self.ledger.unfinished.extend(chosen.iter().map(|trial| trial.number));
                let jobs: Vec<Job> = chosen.into_iter().map(|trial| self.job(trial)).collect();
                queue.push(jobs);
            }
            Err(error) => self.is_away(error),
        }
        if self.stop.is_none() && self.finish.is_none() && self.in_flight == 0 && self.next_try.is_none() {
            // All wait for other processes.
            self.next_try = Some(Instant::now() + super::IDLE);
        }
    }

    fn step(&mut self, grown: Option<&Json>) -> Result<Vec<Trial>> {
        let room = if self.wants() { self.target().saturating_sub(self.in_flight) } else { 0 };
        let (mark, max_trials) = (self.ledger.next_number(), self.limits.max_trials);
        let (common, wants) = (&self.common, self.wants());
        let stopped = if self.begun { Vec::new() } else { Vec::from_iter(self.ledger.unfinished.iter().copied()) };
        let mut turn = Turn {
            ledger: self.ledger,
            oracle: self.oracle,
            built: self.common.built.as_ref(),
            max_trials,
            room,
            missing: false,
            chosen: Vec::new(),
            finish: None,
            problem: Ok(()),
        };
        let written = Written { ended: &self.pending, keep: self.limits.keep_models, space: grown };
        let done = self.journal.exchange(written, &mut |news| {
            turn.hear(&news);
            if let Some(pruning) = &common.pruning {
                let ended = news.trials.iter().zip(&news.curves);
                let ended = ended.filter(|(trial, _)| trial.status == Status::Completed);
                ended.for_each(|(_, costs)| locked(pruning).ended(costs, false));
            }
            if wants {
                turn.adopt(&stopped, &news.orphans);
                turn.choose();
            }
            turn.chosen.clone()
        });
        let Turn { chosen, finish, problem, .. } = turn;
        if let Err(error) = done {
            self.ledger.forget_from(mark);
            return Err(error);
        }
        if let Err(error) = problem {
            self.stop.get_or_insert(error);
        }
        self.finish = self.finish.or(finish);
        Ok(chosen)
    }

    /// The models that are kept already are those of the best trials.
    fn remember_kept(&mut self) {
        let objective = &self.ledger.objective;
        let best = self.ledger.best().into_iter().take(self.limits.keep_models);
        self.kept = best.filter_map(|trial| trial.score).map(|score| objective.cost(score)).collect();
    }

    fn job(&self, trial: Trial) -> Job {
        let budget = self.oracle.budget(&trial);
        let root = root(self.oracle, self.ledger, trial.number);
        let drawn = Unknown::Drawn { seed: self.ledger.seed, trial: root };
        let unknown = if self.oracle.draws_unknown() { drawn } else { Unknown::Default };
        Job { number: trial.number, values: trial.values, unknown, budget, root }
    }

    /// The journal cannot be written. What it should have is kept, and tried again, until the patience ends.
    fn is_away(&mut self, error: Error) {
        let now = Instant::now();
        let since = *self.away.get_or_insert_with(|| {
            self.display.warn(&format!("{error}\n  the search goes on, and tries again"));
            now
        });
        self.next_try = Some(now + AGAIN);
        let over = now - since > self.limits.patience;
        if over {
            let count = self.pending.len();
            let lost = format!("the journal stays away; trials that ended and are not written down: {count}");
            self.pending.clear();
            (self.since, self.next_try) = (None, None);
            self.stop = Some(Err::<(), _>(error).context(lost).unwrap_err());
        }
    }
}
