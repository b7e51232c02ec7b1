//! The loops of `fit`, `evaluate` and `predict`.

use std::ops::ControlFlow;

use cornu_graph::room::room;
use cornu_graph::{Array, Buffer, Error, ErrorKind, Result, Type, tell};

use super::batches::{Batches, InOrder};
use super::feed::Fed;
use super::fit::batch_rows;
use super::history::{History, Params};
use super::progress::Bar;
use super::step::{Kind, Stage, Steps};
use super::{Callback, Code, Fit, Warning};
use crate::flavor::{Flavor, RowsEnd};
use crate::random::{Seeds, Shuffle};
use cornu_display::Verbose;

/// What has no room, if there are too many of them.
pub(crate) const PREDICTIONS: &str = "the array of predictions";

/// A run of a program, with how many rows its batches have.
type Held = Option<(usize, Box<dyn cornu_graph::Run>)>;

type Logs = Vec<(String, f64)>;

impl Stage<'_> {
    /// Runs over rows in order; the running totals are of these rows afterwards.
    pub(crate) fn evaluate(&self, data: &Fed, batches: InOrder, mut bar: Option<&mut Bar>) -> Result<()> {
        self.reset()?;
        self.training.evaluating(data.one_size(batches.size));
        let order = data.order()?;
        let mut held = None;
        for (i, rows) in order.chunks(batches.size).take(batches.steps).enumerate() {
            self.steps()?.step(Kind::Test, data, rows, &mut held)?;
            if let Some(bar) = &mut bar {
                bar.on_train_batch_end(i, &mut || self.logs().unwrap_or_default());
            }
        }
        Ok(())
    }
}

impl Steps<'_> {
    /// What the model makes of the rows, batch by batch: each of its outputs.
    pub(crate) fn predict(&self, data: &Fed, batch: usize, mut bar: Option<&mut Bar>) -> Result<Vec<Array>> {
        self.training.predicting(data.one_size(batch));
        let (outputs, mut held) = (self.net.outputs.len(), None);
        if data.rows() <= batch {
            let run = self.step(Kind::Predict, data, &data.order()?, &mut held)?;
            bar.iter_mut().for_each(|bar| bar.on_train_batch_end(0, &mut Vec::new));
            return (0..outputs).map(|index| run.output(index)).collect();
        }
        let order = data.order()?;
        let mut all: Vec<(Array, usize)> = Vec::new();
        for (i, rows) in order.chunks(batch).enumerate() {
            let run = self.step(Kind::Predict, data, rows, &mut held)?;
            for index in 0..outputs {
                let output = run.output(index)?;
                if i == 0 {
                    let ty = Type::new(output.dtype(), output.shape().with(0, data.rows()));
                    room::<u8>(PREDICTIONS, &[ty.size(), ty.dtype.size()])?;
                    all.push((Array::zeros(&ty), 0));
                }
                let (all, done) = &mut all[index];
                *done += append(all, *done, &output)?;
            }
            bar.iter_mut().for_each(|bar| bar.on_train_batch_end(i, &mut Vec::new));
        }
        Ok(all.into_iter().map(|(all, _)| all).collect())
    }

    /// Begins a step over those rows, by the run that is held if it is for as many.
    pub(crate) fn step<'h>(
        &self,
        kind: Kind,
        data: &Fed,
        rows: &[u32],
        held: &'h mut Held,
    ) -> Result<&'h mut dyn cornu_graph::Run> {
        if held.as_ref().is_none_or(|(count, _)| *count != rows.len()) {
            // Its memory is of use to the next.
            *held = None;
            *held = Some((rows.len(), self.program(kind, data, rows.len())?.room()?));
        }
        let (_, run) = held.as_mut().ok_or_else(|| Error::usage("there is no run"))?;
        data.start(&mut **run, rows)?;
        Ok(&mut **run)
    }
}

/// Puts the rows of `part` into `all` from the number `place` on, and says how many numbers there are.
///
/// # Errors
/// Rows of another shape.
fn append(all: &mut Array, place: usize, part: &Array) -> Result<usize> {
    fn copy<T: Copy>(all: &mut [T], place: usize, part: &[T]) {
        all[place..place + part.len()].copy_from_slice(part);
    }
    if all.shape()[1..] != part.shape()[1..] {
        let (needed, got) = (all.shape().without(0), part.shape().without(0));
        return Err(Error::usage(format!("predict: all batches need rows of shape {needed}, got {got}")));
    }
    match (all.buffer_mut(), part.buffer()) {
        (Buffer::F32(all), Buffer::F32(part)) => copy(all, place, part),
        (Buffer::F64(all), Buffer::F64(part)) => copy(all, place, part),
        (Buffer::I64(all), Buffer::I64(part)) => copy(all, place, part),
        (all, part) => (0..part.len()).for_each(|i| all.set_number(place + i, part.number(i))),
    }
    Ok(part.len())
}

/// A fit that has been checked.
pub(crate) struct Run<'a> {
    stage: Stage<'a>,
    train: Fed,
    validation: Option<Fed>,
    fit: Fit,
    batches: Batches,
    flavor: Flavor,
    steps: usize,
    /// Batches until the rows have come as often as there are epochs, where Keras 2 ends a training.
    left: usize,
    history: History,
}

impl<'a> Run<'a> {
    pub(crate) fn new(
        stage: Stage<'a>,
        train: Fed,
        validation: Option<Fed>,
        fit: Fit,
        seeds: &Seeds,
        warnings: Vec<Warning>,
    ) -> Run<'a> {
        let rows = train.rows();
        let size = batch_rows(fit.batch_size, fit.steps_per_epoch, rows);
        let steps = fit.steps_per_epoch.unwrap_or_else(|| rows.div_ceil(size));
        let verbose = match fit.verbose {
            Verbose::Silent => 0,
            Verbose::Auto | Verbose::Bar => 1,
            Verbose::Line => 2,
        };
        let params = Params { verbose, epochs: fit.epochs, steps };
        let history = History::new(params, warnings);
        let flavor = stage.variables.flavor();
        let shuffle = fit.shuffle.then(|| Shuffle::new(flavor, seeds, rows));
        let batches = Batches::new(shuffle, rows, size);
        let left = rows.div_ceil(size).saturating_mul(fit.epochs.saturating_sub(fit.initial_epoch));
        Run { stage, train, validation, fit, batches, flavor, steps, left, history }
    }

    /// Trains, epoch by epoch.
    pub(crate) fn epochs(mut self, seeds: &Seeds, own: bool) -> Result<History> {
        self.warn_if_too_few_rows();
        self.stage.take_up_streams(&self.train, self.train.one_size(self.batches.size), seeds, own)?;
        if self.fit.verbose != Verbose::Silent {
            self.history.warnings.iter().for_each(tell);
        }
        let mut callbacks = std::mem::take(&mut self.fit.callbacks);
        if let Some(bar) = Bar::new(self.fit.verbose, self.flavor, self.steps) {
            callbacks.push(Box::new(bar));
        }
        #[cfg(feature = "interrupt")]
        let interrupt = super::interrupt::Interrupt::watch();
        let stopped = || {
            #[cfg(feature = "interrupt")]
            return interrupt.is_pressed();
            #[cfg(not(feature = "interrupt"))]
            false
        };
        callbacks.iter_mut().for_each(|callback| callback.on_train_begin(&self.history.params));
        for epoch in self.fit.initial_epoch..self.fit.epochs {
            // Keras reports a loss of 0 for an epoch without a batch.
            if self.flavor.rows_end() == RowsEnd::Training && self.left == 0 {
                break;
            }
            if self.epoch(epoch, &mut callbacks, &stopped)?.is_break() {
                break;
            }
        }
        callbacks.iter_mut().for_each(|callback| callback.on_train_end());
        Ok(self.history)
    }

    /// One epoch: its batches, then the validation.
    fn epoch(
        &mut self,
        epoch: usize,
        callbacks: &mut [Box<dyn Callback>],
        stopped: &dyn Fn() -> bool,
    ) -> Result<ControlFlow<()>> {
        callbacks.iter_mut().for_each(|callback| callback.on_epoch_begin(epoch));
        self.stage.reset()?;
        let (mut done, mut held) = (0, None);
        for batch in 0..self.steps {
            if batch > 0 && self.is_out_of_rows() {
                break;
            }
            self.left = self.left.saturating_sub(1);
            self.stage.steps()?.step(Kind::Train, &self.train, self.batches.next(), &mut held)?;
            for callback in &mut *callbacks {
                callback.on_train_batch_end(batch, &mut || self.stage.logs().unwrap_or_default());
            }
            done = batch + 1;
            self.go_on(stopped, epoch, done)?;
        }
        drop(held);
        let logs = self.logs(epoch)?;
        self.warn_if_not_finite(epoch, &logs);
        self.history.push(epoch, &logs);
        let mut end = ControlFlow::Continue(());
        for callback in callbacks {
            if callback.on_epoch_end(epoch, &logs).is_break() {
                end = ControlFlow::Break(());
            }
        }
        // Pressed in the validation, or in a callback.
        self.go_on(stopped, epoch, done)?;
        Ok(end)
    }

    /// An error if the user has stopped the training.
    fn go_on(&self, stopped: &dyn Fn() -> bool, epoch: usize, done: usize) -> Result<()> {
        if !stopped() {
            return Ok(());
        }
        let message = format!("stopped in epoch {} after batch {done} of {}", epoch + 1, self.steps);
        let help = "the model keeps what it has learned; `fit` again goes on from there";
        Err(Error::new(ErrorKind::Interrupted, message).help(help))
    }

    /// Whether an epoch ends for want of rows, before `steps_per_epoch`.
    fn is_out_of_rows(&self) -> bool {
        match self.flavor.rows_end() {
            RowsEnd::Training => self.left == 0,
            RowsEnd::Epoch => self.batches.is_used_up(),
        }
    }

    /// The figures of an epoch, in the order of Keras's history.
    fn logs(&mut self, epoch: usize) -> Result<Logs> {
        let mut logs = self.stage.logs()?;
        if let Some(validation) =
            self.validation.as_ref().filter(|_| (epoch + 1).is_multiple_of(self.fit.validation_freq))
        {
            self.stage.evaluate(validation, self.fit.validation_batches(validation), None)?;
            logs.extend(self.stage.logs()?.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        if self.flavor.sorts_figures() {
            logs.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        Ok(logs)
    }

    /// Says once that training has failed: nothing brings weights back that are no numbers.
    fn warn_if_not_finite(&mut self, epoch: usize, logs: &Logs) {
        let Some((name, value)) = logs.iter().find(|(name, value)| name == "loss" && !value.is_finite()) else {
            return;
        };
        if self.history.warnings.iter().any(|warning| warning.code == Code::LossNotFinite) {
            return;
        }
        let message = format!(
            "the {name} is {value} after epoch {}: the model has learned nothing that is a number; use a smaller \
             learning rate, scale the features, or look for very large numbers in the data",
            epoch + 1
        );
        let warning = Warning::new(Code::LossNotFinite, message);
        if self.fit.verbose != Verbose::Silent {
            tell(&warning);
        }
        self.history.warnings.push(warning);
    }

    fn warn_if_too_few_rows(&mut self) {
        let (steps, available) = (self.steps, self.train.rows().div_ceil(self.batches.size));
        let several = self.fit.epochs.saturating_sub(self.fit.initial_epoch) > 1;
        let end = match self.flavor.rows_end() {
            RowsEnd::Training if steps > available => Some("the training ends when they have come once for each epoch"),
            RowsEnd::Epoch if steps > available => Some("epochs end there"),
            RowsEnd::Epoch if several && !available.is_multiple_of(steps) => Some("some epochs get fewer"),
            _ => None,
        };
        if let Some(end) = end {
            let message = format!("`steps_per_epoch` asks for {steps} batches, but the rows make {available}: {end}");
            self.history.warnings.push(Warning::new(Code::TooFewRows, message));
        }
        let Some((validation, steps)) = self.validation.as_ref().zip(self.fit.validation_steps) else { return };
        let available = self.fit.validation_batches(validation).steps;
        if steps > available {
            let message =
                format!("`validation_steps` asks for {steps} batches, but the rows make {available}: it ends there");
            self.history.warnings.push(Warning::new(Code::TooFewRows, message));
        }
    }
}
