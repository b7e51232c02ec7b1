//! What is called while a model trains.

use std::ops::ControlFlow;

use super::Params;

/// Called while a model trains: Keras's `Callback`. Every method does nothing unless it is written.
///
/// ```
/// use std::ops::ControlFlow;
///
/// use cornu::prelude::*;
///
/// /// Ends the training once the loss is small enough.
/// struct StopBelow(f64);
///
/// impl Callback for StopBelow {
///     fn on_epoch_end(&mut self, _: usize, logs: &[(String, f64)]) -> ControlFlow<()> {
///         let small = logs.iter().any(|(name, value)| name == "loss" && *value < self.0);
///         if small { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     }
/// }
///
/// let mut model = sequential![Dense::new(1)];
/// model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.1)))?;
/// let fit = Fit::new().epochs(1000).verbose(0).callbacks([StopBelow(0.01)]);
/// let history = model.fit([[0.0], [1.0]], [1.0, 3.0], fit)?;
/// assert!(history.epoch.len() < 1000);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Callback {
    /// Before the first epoch.
    fn on_train_begin(&mut self, _params: &Params) {}

    /// Before each epoch, counted from 0.
    fn on_epoch_begin(&mut self, _epoch: usize) {}

    /// After each batch, counted from 0. `logs` reads the running figures, which costs more than a small step: call it
    /// only when they are needed.
    fn on_train_batch_end(&mut self, _batch: usize, _logs: &mut dyn FnMut() -> Vec<(String, f64)>) {}

    /// After each epoch, with its figures, those of the validation included. [`ControlFlow::Break`] ends the training.
    fn on_epoch_end(&mut self, _epoch: usize, _logs: &[(String, f64)]) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// After the last epoch.
    fn on_train_end(&mut self) {}
}

/// So that callbacks of several kinds fit in one list.
impl<C: Callback + ?Sized> Callback for Box<C> {
    fn on_train_begin(&mut self, params: &Params) {
        (**self).on_train_begin(params);
    }

    fn on_epoch_begin(&mut self, epoch: usize) {
        (**self).on_epoch_begin(epoch);
    }

    fn on_train_batch_end(&mut self, batch: usize, logs: &mut dyn FnMut() -> Vec<(String, f64)>) {
        (**self).on_train_batch_end(batch, logs);
    }

    fn on_epoch_end(&mut self, epoch: usize, logs: &[(String, f64)]) -> ControlFlow<()> {
        (**self).on_epoch_end(epoch, logs)
    }

    fn on_train_end(&mut self) {
        (**self).on_train_end();
    }
}
