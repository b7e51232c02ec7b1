//! Trials on their way to the threads that run them, and back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

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

    /// The next; waits for it.
    fn take(&self) -> Option<Job> {
        let mut waiting = locked(&self.waiting);
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
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

/// Runs trials as long as there are any. Whether what a trial has declared is told at once, or with its end, is `follows`.
pub(crate) fn work(task: &dyn Task, common: &Arc<Common>, queue: &Queue, tell: &Sender<Message>, follows: bool) {
    while let Some(job) = queue.take() {
        let (begun, number, mut built) = (Instant::now(), job.number, None);
        // Nobody listens any more where a search has failed.
        _ = tell.send(Message::Began(number));
        let ran = AssertUnwindSafe(|| {
            run(task, common, &job, &mut |known| {
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
}
