//! A learning rate for each epoch.

use cornu_graph::Result;
use cornu_graph::numbers::repr;

use super::log_learning_rate;
use crate::train::{Callback, Control};

/// Sets the learning rate before each epoch, by a function of the epoch, counted from 0, and of the present rate.
///
/// ```
/// use cornu::train::{Fit, LearningRateScheduler};
/// let halved = |epoch, rate| if epoch > 0 && epoch % 10 == 0 { rate / 2.0 } else { rate };
/// let fit = Fit::new().epochs(50).callback(LearningRateScheduler::new(halved));
/// ```
pub struct LearningRateScheduler {
    schedule: Box<dyn FnMut(usize, f64) -> f64 + Send>,
    verbose: usize,
}

impl LearningRateScheduler {
    /// By that function.
    pub fn new(schedule: impl FnMut(usize, f64) -> f64 + Send + 'static) -> LearningRateScheduler {
        LearningRateScheduler { schedule: Box::new(schedule), verbose: 0 }
    }

    /// Whether to say what is set.
    #[must_use]
    pub fn verbose(mut self, verbose: usize) -> LearningRateScheduler {
        self.verbose = verbose;
        self
    }
}

impl Callback for LearningRateScheduler {
    fn between_epochs(&self) -> bool {
        true
    }

    fn on_epoch_begin(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        let rate = (self.schedule)(epoch, control.learning_rate()?);
        control.set_learning_rate(rate)?;
        if self.verbose > 0 {
            let (epoch, rate) = (epoch + 1, repr(rate));
            control.print(&format!("\nEpoch {epoch}: LearningRateScheduler setting learning rate to {rate}."));
        }
        Ok(())
    }

    fn on_epoch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        log_learning_rate(control)
    }
}
