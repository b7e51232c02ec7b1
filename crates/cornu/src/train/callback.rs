//! What is called while a model trains.

use std::ops::ControlFlow;

use super::Params;

/// Called while a model trains: Keras's `Callback`. Every method does nothing unless it is written.
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
