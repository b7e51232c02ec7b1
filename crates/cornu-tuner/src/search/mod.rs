//! The loop of a search: one thread chooses trials and writes down what became of them, others run them.

mod choose;
mod queue;
mod stack;
mod task;
mod watch;
pub(crate) mod weights;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use cornu::{Error, ErrorKind, Result};

pub(crate) use choose::root;
pub(crate) use task::{Common, Fault, Function, Task, Training, caught, locked, seeds};

use crate::display::Display;
use crate::journal::{Journal, Record};
use crate::ledger::Ledger;
use crate::oracle::Oracle;
use crate::trial::{Status, Trial};
use queue::{Closes, Message, Queue, work};
use task::{Built, End};

/// What ends are written down together.
const TOGETHER: Duration = Duration::from_millis(20);

/// How often to look around where nothing happens.
const IDLE: Duration = Duration::from_millis(100);

/// Why a search has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// There were as many trials as asked for.
    MaxTrials,
    /// All configurations of the space were tried.
    UsedUp,
    /// All that was planned was done.
    Done,
}

/// In a sentence.
impl std::fmt::Display for Finish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Finish::MaxTrials => "there were as many trials as `max_trials` asks for",
            Finish::UsedUp => "the space is used up: all its configurations were tried",
            Finish::Done => "all trials that were planned have ended",
        })
    }
}

/// The numbers of a search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_trials: Option<u64>,
    pub(crate) max_consecutive_failures: usize,
    pub(crate) workers: usize,
    pub(crate) keep_models: usize,
    /// How long a journal may be away.
    pub(crate) patience: Duration,
}

/// A search while it runs.
pub(crate) struct Search<'a> {
    pub(crate) limits: Limits,
    pub(crate) oracle: &'a mut dyn Oracle,
    pub(crate) ledger: &'a mut Ledger,
    pub(crate) journal: &'a mut dyn Journal,
    pub(crate) common: Arc<Common>,
    pub(crate) display: Display,
    /// Trials that have ended and are not written down, and since when.
    pending: Vec<Record>,
    since: Option<Instant>,
    /// Trials that were handed to the threads and have not ended.
    in_flight: usize,
    /// How many have failed in a row.
    failures: usize,
    /// The costs of the models that are kept, the best first.
    kept: Vec<f64>,
    /// Whether there was a turn.
    begun: bool,
    /// How many parameters are written down.
    known: usize,
    finish: Option<Finish>,
    stop: Option<Error>,
    /// Since when the journal is away.
    away: Option<Instant>,
    next_try: Option<Instant>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(
        limits: Limits,
        oracle: &'a mut dyn Oracle,
        ledger: &'a mut Ledger,
        journal: &'a mut dyn Journal,
        common: Arc<Common>,
        display: Display,
    ) -> Search<'a> {
        Search {
            limits,
            oracle,
            ledger,
            journal,
            common,
            display,
            pending: Vec::new(),
            since: None,
            in_flight: 0,
            failures: 0,
            kept: Vec::new(),
            begun: false,
            known: 0,
            finish: None,
            stop: None,
            away: None,
            next_try: None,
        }
    }

    /// Runs trials to the end of the search.
    ///
    /// # Errors
    /// Too many failures in a row, a journal that stays away, an objective that is not there, Ctrl-C. What has ended by then
    /// is written down.
    pub(crate) fn run(mut self, task: &dyn Task) -> Result<Finish> {
        let (queue, (tell, hear)) = (Queue::default(), channel());
        let (common, follows) = (Arc::clone(&self.common), self.oracle.follows_builds());
        std::thread::scope(|scope| {
            let _closes = Closes(&queue);
            let workers = self.limits.workers;
            for _ in 0..workers {
                let (tell, common, queue) = (tell.clone(), &common, &queue);
                scope.spawn(move || work(task, common, (queue, workers), &tell, follows));
            }
            drop(tell);
            self.turn(&queue, &hear)
        })
    }

    fn turn(&mut self, queue: &Queue, hear: &Receiver<Message>) -> Result<Finish> {
        let mut begin = true;
        loop {
            if begin || self.is_due() {
                self.exchange(queue);
                begin = false;
            }
            if self.stop.is_some() {
                self.in_flight -= queue.give_up().min(self.in_flight);
            }
            if self.in_flight == 0 && self.pending.is_empty() {
                if let Some(error) = self.stop.take() {
                    self.display.end(self.ledger, None);
                    return Err(error);
                }
                if let Some(finish) = self.finish {
                    self.display.end(self.ledger, Some(finish));
                    return Ok(finish);
                }
            }
            match hear.recv_timeout(self.patience()) {
                Ok(message) => self.hear(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::usage("the threads of the search have ended"));
                }
            }
            hear.try_iter().take(self.limits.workers).for_each(|message| self.hear(message));
            self.display.tick(self.ledger);
        }
    }

    /// How many trials are to be with the threads.
    fn target(&self) -> usize {
        self.limits.workers + self.oracle.ahead(self.limits.workers)
    }

    fn wants(&self) -> bool {
        self.finish.is_none() && self.stop.is_none()
    }

    /// Whether to write and to choose now.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        if self.next_try.is_some_and(|next| now < next) {
            return false;
        }
        let late = self.since.is_some_and(|since| now - since >= TOGETHER);
        let last = !self.pending.is_empty() && self.in_flight == 0;
        // Half of what is ahead is left, or a thread has nothing to do.
        let least = self.limits.workers + self.oracle.ahead(self.limits.workers) / 2;
        let hungry = self.wants() && self.in_flight < least.max(1);
        late || last || hungry
    }

    /// How long to wait for a message.
    fn patience(&self) -> Duration {
        let now = Instant::now();
        let next = self.next_try.map(|next| next.saturating_duration_since(now));
        let write = self.since.map(|since| (since + TOGETHER).saturating_duration_since(now));
        next.or(write).unwrap_or(IDLE).clamp(Duration::from_micros(200), IDLE)
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Began(number) => self.display.began(number),
            Message::Built(number, built) => self.built(number, built),
            Message::Ended { number, end, built, seconds } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                let built = built.map_or(Ok(()), |built| self.declared(number, built));
                self.ended(number, end, built, seconds);
            }
        }
    }

    /// What a trial has declared, before its end.
    fn built(&mut self, number: u64, built: Built) {
        // A mistake is told with the end of the trial.
        _ = self.declared(number, built);
    }

    /// Notes what a trial has declared.
    fn declared(&mut self, number: u64, built: Built) -> Result<()> {
        let added =
            built.space.parameters().iter().try_for_each(|parameter| self.ledger.space.add(parameter).map(drop));
        let known = self.ledger.trials().get(number as usize).cloned();
        if let Some(trial) = known {
            self.ledger.note(Trial { values: built.values, is_built: true, ..trial });
        }
        added
    }

    /// Notes how a trial has ended.
    fn ended(&mut self, number: u64, end: End, built: Result<()>, seconds: f64) {
        let Some(trial) = self.ledger.trials().get(number as usize).cloned() else { return };
        let mut record = Record { trial: Trial { is_built: true, seconds, ..trial }, ..Record::default() };
        let trial = &mut record.trial;
        let end = match built {
            Err(error) if !matches!(end, End::Stop(_)) => End::Failed(error.to_string()),
            _ => end,
        };
        match end {
            End::Stop(error) => {
                // The trial stays under way: the next search runs it again.
                self.stop.get_or_insert_with(|| stopped(number, error));
                return;
            }
            End::Completed { executions, weights, costs } => {
                trial.score(Status::Completed, executions);
                record.curve = costs;
                self.keep(&mut record, weights);
            }
            End::Pruned { executions, costs } => {
                trial.score(Status::Pruned, executions);
                record.curve = costs;
            }
            End::Failed(message) => (trial.status, trial.message) = (Status::Failed, Some(message)),
            End::Repeated(first) => {
                trial.status = Status::Repeated;
                trial.message = Some(format!("it is the configuration of trial {first}"));
            }
        }
        self.ledger.unfinished.remove(&number);
        self.count_failures(&record.trial);
        self.objective();
        if let Some(pruning) = &self.common.pruning
            && record.trial.status == Status::Completed
        {
            locked(pruning).ended(&record.curve, true);
        }
        self.display.ended(self.ledger, &record.trial);
        self.ledger.note(record.trial.clone());
        self.since.get_or_insert_with(Instant::now);
        self.pending.push(record);
    }

    /// Which way is better, once a model has told.
    fn objective(&mut self) {
        if self.ledger.objective.direction().is_none() {
            self.ledger.objective = locked(&self.common.objective).clone();
        }
    }

    /// Keeps the weights of one of the best models.
    fn keep(&mut self, record: &mut Record, weights: Vec<u8>) {
        self.objective();
        let Some(score) = record.trial.score else { return };
        let cost = self.ledger.objective.cost(score);
        let place = self.kept.partition_point(|known| *known <= cost);
        if place < self.limits.keep_models && !weights.is_empty() {
            self.kept.insert(place, cost);
            self.kept.truncate(self.limits.keep_models);
            (record.cost, record.weights) = (Some(cost), weights);
        }
    }

    fn count_failures(&mut self, trial: &Trial) {
        match trial.status {
            Status::Failed => self.failures += 1,
            Status::Repeated => {}
            _ => self.failures = 0,
        }
        let most = self.limits.max_consecutive_failures;
        if most > 0 && self.failures >= most && self.stop.is_none() {
            let message = trial.message.clone().unwrap_or_default();
            let times = if most == 1 { "a trial has".into() } else { format!("{most} trials in a row have") };
            let error = Error::usage(format!("{times} failed, the last, trial {}, with: {message}", trial.number));
            let help = "mend it and search again, which goes on; or allow more: `.max_consecutive_failed_trials(…)`";
            self.stop = Some(error.help(help));
        }
    }
}

/// The error of a search whose trial was stopped from outside; others are told as they are.
fn stopped(number: u64, error: Error) -> Error {
    if error.kind() != ErrorKind::Interrupted {
        return error;
    }
    let message = format!("the search was stopped in trial {number}: {}", error.message());
    Error::new(ErrorKind::Interrupted, message).help("what has ended is kept; `search` again goes on from there")
}
