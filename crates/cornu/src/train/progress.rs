//! The progress of a run, printed as Keras prints it.

use std::time::Instant;

use cornu_display::{Progress, Terminal, Verbose};
use cornu_graph::Result;

use super::{Callback, Control};
use crate::flavor::Flavor;

/// Prints the progress of a run to the standard output: Keras's `ProgbarLogger`.
struct Bar {
    progress: Progress<'static>,
    clock: Instant,
    /// Whether the model trains, so that evaluations are validations.
    trains: bool,
}

/// A bar, unless nothing is to be printed.
pub(super) fn bar(verbose: Verbose, flavor: Flavor) -> Option<Box<dyn Callback>> {
    if verbose == Verbose::Silent {
        return None;
    }
    let progress = Progress::new(std::io::stdout(), Terminal::of_stdout(), flavor, verbose);
    Some(Box::new(Bar { progress, clock: Instant::now(), trains: false }))
}

impl Bar {
    fn now(&self) -> f64 {
        self.clock.elapsed().as_secs_f64()
    }

    fn step(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        let (now, steps) = (self.now(), Some(control.params().steps).filter(|steps| *steps > 0));
        // The figures are read only when a line is due.
        if self.progress.is_due(now) {
            let logs: Vec<(&str, f64)> = control.logs()?.iter().collect();
            self.progress.step(now, batch + 1, steps, &logs);
        } else {
            self.progress.step(now, batch + 1, steps, &[]);
        }
        Ok(())
    }

    fn end(&mut self, control: &mut Control) -> Result<()> {
        let now = self.now();
        self.progress.epoch_end(now, &control.logs()?.iter().collect::<Vec<_>>());
        Ok(())
    }
}

impl Callback for Bar {
    fn on_train_begin(&mut self, _: &mut Control) -> Result<()> {
        self.trains = true;
        Ok(())
    }

    fn on_epoch_begin(&mut self, epoch: usize, control: &mut Control) -> Result<()> {
        self.progress.epoch_begin(self.now(), epoch, control.params().epochs);
        Ok(())
    }

    fn on_train_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        self.step(batch, control)
    }

    fn on_epoch_end(&mut self, _: usize, control: &mut Control) -> Result<()> {
        self.end(control)
    }

    fn on_test_begin(&mut self, _: &mut Control) -> Result<()> {
        if !self.trains {
            self.progress.begin(self.now());
        }
        Ok(())
    }

    fn on_test_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        if self.trains {
            control.unused();
            return Ok(());
        }
        self.step(batch, control)
    }

    fn on_test_end(&mut self, control: &mut Control) -> Result<()> {
        if self.trains { Ok(()) } else { self.end(control) }
    }

    fn on_predict_begin(&mut self, _: &mut Control) -> Result<()> {
        self.progress.begin(self.now());
        Ok(())
    }

    fn on_predict_batch_end(&mut self, batch: usize, control: &mut Control) -> Result<()> {
        self.step(batch, control)
    }

    fn on_predict_end(&mut self, control: &mut Control) -> Result<()> {
        self.end(control)
    }
}
