//! What a tuner sees of a training: after each epoch the objective, and the weights of the best.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use cornu::train::{Callback, Control};
use cornu::{Array, Result};

use super::task::{Common, Job, locked};
use crate::objective::Objective;
use crate::trial::Execution;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The best epoch.
    pub(crate) best: Option<Execution>,
    /// The weights after it.
    pub(crate) weights: Vec<Array>,
    /// What the objective costs after each epoch.
    pub(crate) costs: Vec<f64>,
    /// Whether the training was given up.
    pub(crate) pruned: bool,
}

/// Looks at a training.
pub(crate) struct Watch {
    seen: Arc<Mutex<Seen>>,
    common: Arc<Common>,
    objective: Objective,
    /// Whether it may be given up.
    prunes: bool,
    /// The first epoch that counts.
    first: usize,
    /// After which epoch to write down all that the training remembers, and where.
    snapshot: Option<(usize, PathBuf)>,
}

impl Watch {
    pub(crate) fn new(common: &Arc<Common>, job: &Job, execution: usize) -> (Watch, Arc<Mutex<Seen>>) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let snapshot = job
            .budget
            .as_ref()
            .and_then(|budget| Some((budget.epochs.checked_sub(1)?, common.snapshot(job.number, execution)?)));
        let watch = Watch {
            seen: Arc::clone(&seen),
            common: Arc::clone(common),
            objective: locked(&common.objective).clone(),
            prunes: job.budget.is_none(),
            first: job.budget.as_ref().map_or(0, |budget| budget.initial_epoch),
            snapshot,
        };
        (watch, seen)
    }
}

impl Callback for Watch {
    fn between_epochs(&self) -> bool {
        true
    }

    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        if let Some((_, path)) = self.snapshot.as_ref().filter(|(last, _)| *last == epoch) {
            control.save_snapshot(path)?;
        }
        let logs = control.logs()?;
        // Of a validation that is not made after each epoch there is no figure.
        let Some(score) = self.objective.value(&|name| logs.get(name)) else { return Ok(()) };
        let seen = &mut *locked(&self.seen);
        let better = |best: &Execution| self.objective.better_than(score, best.score) || best.score.is_nan();
        if epoch >= self.first && seen.best.as_ref().is_none_or(better) {
            let metrics = logs.iter().map(|(name, value)| (name.to_owned(), value)).collect();
            seen.best = Some(Execution { score, best_epoch: epoch, metrics });
            if self.common.keeps {
                seen.weights = control.weights()?;
            }
        }
        if let Some(pruning) = self.common.pruning.as_ref().filter(|_| self.prunes) {
            seen.costs.push(self.objective.cost(score));
            if locked(pruning).prunes(&seen.costs) {
                seen.pruned = true;
                control.stop();
            }
        }
        Ok(())
    }
}
