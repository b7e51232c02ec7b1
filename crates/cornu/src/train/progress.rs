//! The progress of a run, printed as Keras prints it.

use std::ops::ControlFlow;
use std::time::Instant;

use super::{Callback, Params};
use crate::flavor::Flavor;
use cornu_display::{Progress, Terminal, Verbose};

/// Prints the progress of a run to the standard output.
pub(crate) struct Bar {
    progress: Progress<'static>,
    clock: Instant,
    epochs: usize,
    steps: usize,
}

impl Bar {
    /// A bar for runs of `steps` batches; nothing if nothing is to be printed.
    pub(crate) fn new(verbose: Verbose, flavor: Flavor, steps: usize) -> Option<Bar> {
        if verbose == Verbose::Silent {
            return None;
        }
        let progress = Progress::new(std::io::stdout(), Terminal::of_stdout(), flavor, verbose);
        Some(Bar { progress, clock: Instant::now(), epochs: 1, steps })
    }

    fn now(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    /// A run without epochs begins.
    pub(crate) fn begin(&mut self) {
        self.progress.begin(self.now());
    }

    /// A run without epochs ends.
    pub(crate) fn end(&mut self, logs: &[(String, f64)]) {
        self.progress.epoch_end(self.now(), &borrowed(logs));
    }
}

fn borrowed(logs: &[(String, f64)]) -> Vec<(&str, f64)> {
    logs.iter().map(|(name, value)| (name.as_str(), *value)).collect()
}

impl Callback for Bar {
    fn on_train_begin(&mut self, params: &Params) {
        self.epochs = params.epochs;
    }

    fn on_epoch_begin(&mut self, epoch: usize) {
        self.progress.epoch_begin(self.now(), epoch, self.epochs);
    }

    fn on_train_batch_end(&mut self, batch: usize, logs: &mut dyn FnMut() -> Vec<(String, f64)>) {
        let now = self.now();
        // The figures are read only when a line is due.
        let figures = if self.progress.is_due(now) { logs() } else { Vec::new() };
        self.progress.step(now, batch + 1, Some(self.steps), &borrowed(&figures));
    }

    fn on_epoch_end(&mut self, _epoch: usize, logs: &[(String, f64)]) -> ControlFlow<()> {
        self.end(logs);
        ControlFlow::Continue(())
    }
}
