//! Trials on their way to the threads that run them, and back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use super::stack::{self, LANES};
use super::task::{Built, Common, End, Job, Task, locked, panicked, run};

/// Trials that wait for a thread.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// What a thread tells.
pub(crate) enum Message {
    /// A trial begins.
    Began(u64),
    /// A trial has declared its parameters.
    Built(u64, Built),
    /// A trial has ended, after so many seconds, with what it had declared.
    Ended { number: u64, end: End, built: Option<Built>, seconds: f64 },
}

impl Queue {
    pub(crate) fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        locked(&self.waiting).jobs.extend(jobs);
        self.changed.notify_all();
    }

    /// No more will come; those that wait are not run.
    pub(crate) fn close(&self) {
        let mut waiting = locked(&self.waiting);
        waiting.closed = true;
        waiting.jobs.clear();
        self.changed.notify_all();
    }

    /// Those that no thread has taken, which will not run.
    pub(crate) fn give_up(&self) -> usize {
        std::mem::take(&mut locked(&self.waiting).jobs).len()
    }

    /// The next, up to so many of those that wait, of which other threads take as many; waits for the first.
    fn take(&self, most: usize, threads: usize) -> Option<Vec<Job>> {
        let mut waiting = locked(&self.waiting);
        loop {
            if !waiting.jobs.is_empty() {
                let share = waiting.jobs.len().div_ceil(threads).min(most);
                return Some(waiting.jobs.drain(..share).collect());
            }
            if waiting.closed {
                return None;
            }
            waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Closes a queue, after a panic as well: threads that wait for it would wait for ever.
pub(crate) struct Closes<'a>(pub(crate) &'a Queue);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Runs trials as long as there are any, on one of so many threads. Whether what a trial has declared is told at once, or with
/// its end, is `follows`.
pub(crate) fn work(
    task: &dyn Task,
    common: &Arc<Common>,
    (queue, threads): (&Queue, usize),
    tell: &Sender<Message>,
    follows: bool,
) {
    let stacks = task.stacks().filter(|_| !follows);
    let most = stacks.map_or(1, |_| (LANES / task.executions(common).max(1)).max(1));
    while let Some(jobs) = queue.take(most, threads) {
        let stack = stacks.filter(|_| jobs.len() * task.executions(common) > 1);
        match stack {
            Some(training) => stack::work(training, common, jobs, tell),
            None => jobs.iter().for_each(|job| alone(task, common, job, tell, follows)),
        }
    }
}

/// Runs a trial.
pub(super) fn alone(task: &dyn Task, common: &Arc<Common>, job: &Job, tell: &Sender<Message>, follows: bool) {
    let (begun, number, mut built) = (Instant::now(), job.number, None);
    // Nobody listens any more where a search has failed.
    _ = tell.send(Message::Began(number));
    let ran = AssertUnwindSafe(|| {
        run(task, common, job, &mut |known| {
            if follows {
                _ = tell.send(Message::Built(number, known.clone()));
            }
            built = Some(known);
        })
    });
    // Whatever is wrong, a thread that ends in silence would be waited for.
    let end = catch_unwind(ran).unwrap_or_else(|panic| End::Failed(panicked(&*panic)));
    _ = tell.send(Message::Ended { number, end, built, seconds: begun.elapsed().as_secs_f64() });
}
