//! Ends a training that gets no better.

use cornu_graph::{Array, Result};

use super::monitor::Monitor;
use super::{memory, recalled};
use crate::train::{Again, Callback, Control, Memory};

crate::config! {
    /// Ends the training when a figure has not become better for some epochs.
    ///
    /// ```
    /// use cornu::prelude::*;
    /// use cornu::train::EarlyStopping;
    ///
    /// let mut model = sequential![Dense::new(1)];
    /// model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.1)))?;
    /// let stop = EarlyStopping::new().monitor("loss").min_delta(0.01).patience(2).restore_best_weights(true);
    /// let history = model.fit([[0.0], [1.0]], [1.0, 3.0], Fit::new().epochs(500).verbose(0).callback(stop))?;
    /// assert!(history.epoch.len() < 500);
    /// # Ok::<(), cornu::Error>(())
    /// ```
    "keras.callbacks" pub callback EarlyStopping(Kept) {
        /// The figure to watch.
        monitor: String = "val_loss".into(),
        /// By how much it has to become better to count.
        min_delta: f64 = 0.0,
        /// After how many epochs without that the training ends.
        patience: usize = 0,
        /// Whether to say so.
        verbose: usize = 0,
        /// Whether better is smaller, `"min"`, larger, `"max"`, or as the figure's name says, `"auto"`.
        mode: String = "auto".into(),
        /// What has to be reached for patience to begin anew.
        baseline: Option<f64> = None,
        /// Whether the weights are those of the best epoch in the end. In Keras 2 only where the training was ended.
        restore_best_weights: bool = false,
        /// The first epoch that counts.
        start_from_epoch: usize = 0,
    }
}

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Epochs since the figure last became better.
    pub wait: usize,
    /// The best figure.
    pub best: Option<f64>,
    /// Its epoch, counted from 0.
    pub best_epoch: usize,
    /// The weights after it, if they are to be restored.
    pub best_weights: Option<Vec<Array>>,
    /// The epoch after which the training ended, counted from 0; 0 where it did not.
    pub stopped_epoch: usize,
    monitor: Monitor,
}

impl EarlyStopping {
    fn restore(&self, control: &mut Control) -> Result<()> {
        let Some(best) = self.kept.best_weights.as_ref().filter(|_| self.restore_best_weights) else { return Ok(()) };
        if self.verbose > 0 {
            let epoch = self.kept.best_epoch + 1;
            control.print(&format!("Restoring model weights from the end of the best epoch: {epoch}."));
        }
        control.set_weights(best)
    }
}

impl Callback for EarlyStopping {
    fn again(&self) -> Option<Again> {
        Some(Again::copies(self))
    }

    fn between_epochs(&self) -> bool {
        true
    }

    fn memory(&self) -> Option<Memory> {
        let Kept { wait, best, best_epoch, best_weights, stopped_epoch, .. } = &self.kept;
        let arrays = best_weights.clone().unwrap_or_default();
        Some(Memory { arrays, ..memory("EarlyStopping", &[*wait, *best_epoch, *stopped_epoch], &[*best]) })
    }

    fn recall(&mut self, memory: Memory) -> Result<()> {
        let ([wait, best_epoch, stopped_epoch], [best]) = recalled(&memory)?;
        let best_weights = Some(memory.arrays).filter(|arrays| !arrays.is_empty());
        let monitor = self.kept.monitor.clone();
        self.kept = Kept { wait, best, best_epoch, best_weights, stopped_epoch, monitor };
        Ok(())
    }

    fn on_train_begin(&mut self, control: &mut Control) -> Result<()> {
        self.kept = Kept::default();
        self.kept.monitor.settle("EarlyStopping", &self.monitor, &self.mode, control)
    }

    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        let kept = &mut self.kept;
        let Some(figure) = kept.monitor.figure("EarlyStopping", &self.monitor, control)? else { return Ok(()) };
        if epoch < self.start_from_epoch {
            return Ok(());
        }
        if self.restore_best_weights && kept.best_weights.is_none() {
            (kept.best_weights, kept.best_epoch) = (Some(control.weights()?), epoch);
        }
        kept.wait += 1;
        if kept.monitor.improves(figure, kept.best, self.min_delta) {
            (kept.best, kept.best_epoch) = (Some(figure), epoch);
            if self.restore_best_weights {
                kept.best_weights = Some(control.weights()?);
            }
            if kept.monitor.improves(figure, self.baseline, self.min_delta) {
                kept.wait = 0;
            }
            return Ok(());
        }
        if kept.wait >= self.patience && epoch > 0 {
            kept.stopped_epoch = epoch;
            control.stop();
            if !control.model.flavor().restores_at_the_end() {
                self.restore(control)?;
            }
        }
        Ok(())
    }

    fn on_train_end(&mut self, control: &mut Control) -> Result<()> {
        if self.kept.stopped_epoch > 0 && self.verbose > 0 {
            control.print(&format!("Epoch {}: early stopping", self.kept.stopped_epoch + 1));
        }
        if control.model.flavor().restores_at_the_end() { self.restore(control) } else { Ok(()) }
    }
}
