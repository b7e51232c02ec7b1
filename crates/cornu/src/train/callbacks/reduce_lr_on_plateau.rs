//! A smaller learning rate where a training gets no better.

use cornu_graph::numbers::repr;
use cornu_graph::{Error, Result};

use super::monitor::Monitor;
use super::{log_learning_rate, memory, recalled};
use crate::train::{Again, Callback, Control, Memory};

crate::config! {
    /// Makes the learning rate smaller when a figure has not become better for some epochs.
    ///
    /// ```
    /// use cornu::train::{Fit, ReduceLROnPlateau};
    /// let fit = Fit::new().epochs(50).callback(ReduceLROnPlateau::new().monitor("loss").factor(0.5).patience(3));
    /// ```
    "keras.callbacks" pub callback ReduceLROnPlateau(Kept) {
        /// The figure to watch.
        monitor: String = "val_loss".into(),
        /// What the learning rate is multiplied by, below 1.
        factor: f64 = 0.1,
        /// After how many epochs without a better figure.
        patience: usize = 10,
        /// Whether to say so.
        verbose: usize = 0,
        /// Whether better is smaller, `"min"`, larger, `"max"`, or as the figure's name says, `"auto"`.
        mode: String = "auto".into(),
        /// By how much it has to become better to count.
        min_delta: f64 = 1e-4,
        /// For how many epochs to wait after a change.
        cooldown: usize = 0,
        /// The smallest learning rate.
        min_lr: f64 = 0.0,
    }
}

/// What it has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Epochs since the figure last became better.
    pub wait: usize,
    /// The best figure.
    pub best: Option<f64>,
    /// Epochs of waiting that are left.
    pub cooldown_counter: usize,
    monitor: Monitor,
}

impl ReduceLROnPlateau {
    fn reduce(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        let old = control.learning_rate()?;
        if old <= f64::from(self.min_lr as f32) {
            return Ok(());
        }
        let new = (old * self.factor).max(self.min_lr);
        control.set_learning_rate(new)?;
        if self.verbose > 0 {
            let (epoch, new) = (epoch + 1, repr(new));
            control.print(&format!("\nEpoch {epoch}: ReduceLROnPlateau reducing learning rate to {new}."));
        }
        (self.kept.cooldown_counter, self.kept.wait) = (self.cooldown, 0);
        Ok(())
    }
}

impl Callback for ReduceLROnPlateau {
    fn again(&self) -> Option<Again> {
        Some(Again::copies(self))
    }

    fn between_epochs(&self) -> bool {
        true
    }

    fn memory(&self) -> Option<Memory> {
        Some(memory("ReduceLROnPlateau", &[self.kept.wait, self.kept.cooldown_counter], &[self.kept.best]))
    }

    fn recall(&mut self, memory: Memory) -> Result<()> {
        let ([wait, cooldown_counter], [best]) = recalled(&memory)?;
        self.kept = Kept { wait, best, cooldown_counter, monitor: self.kept.monitor.clone() };
        Ok(())
    }

    fn on_train_begin(&mut self, control: &mut Control) -> Result<()> {
        if !(0.0..1.0).contains(&self.factor) {
            let message = format!("`ReduceLROnPlateau.factor` needs a number from 0 to below 1, got {}", self.factor);
            return Err(Error::usage(message));
        }
        self.kept = Kept::default();
        self.kept.monitor.settle("ReduceLROnPlateau", &self.monitor, &self.mode, control)
    }

    fn on_epoch_end(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        log_learning_rate(control)?;
        let kept = &mut self.kept;
        let Some(figure) = kept.monitor.figure("ReduceLROnPlateau", &self.monitor, control)? else { return Ok(()) };
        if kept.cooldown_counter > 0 {
            kept.cooldown_counter -= 1;
            kept.wait = 0;
        }
        if kept.monitor.improves(figure, kept.best, self.min_delta) {
            (kept.best, kept.wait) = (Some(figure), 0);
        } else if kept.cooldown_counter == 0 {
            kept.wait += 1;
            if kept.wait >= self.patience {
                self.reduce(epoch, control)?;
            }
        }
        Ok(())
    }
}
