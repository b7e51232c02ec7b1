//! The loops of `fit`, `evaluate` and `predict`.

use cornu_display::Verbose;
use cornu_graph::room::room;
use cornu_graph::{Array, Buffer, Error, ErrorKind, Result, Type, tell};
use serde_json::Value;

use super::callback::{At, Callbacks, Memory};
use super::feeding::{Feeding, Whole};
use super::interrupt::Interrupt;
use super::pace::Pace;
use super::snapshot::{self, Resumed};
use super::{Code, Fit, History, Hook, Params, Scores, Warning};
use crate::flavor::{Flavor, RowsEnd};
use crate::model::Model;
use crate::random::Seeds;
use crate::step::{Fed, Kind, Steps};
use crate::variables::Lent;

/// What has no room, if there are too many of them.
pub(crate) const PREDICTIONS: &str = "the array of predictions";

/// A run of a program, with how many rows its batches have.
type Held = Option<(usize, Lent)>;

/// Evaluates, after that epoch; the running totals are of these rows afterwards.
pub(super) fn evaluate(model: &Model, whole: &mut Whole, epoch: usize, callbacks: &mut Callbacks) -> Result<Scores> {
    let stage = model.stage();
    stage.reset()?;
    stage.training.evaluating(whole.feeding.one_size());
    drop(stage);
    callbacks.call_with(model, Hook::TestBegin, 0, Scores::default())?;
    whole.begin(epoch)?;
    let (mut held, mut done) = ([None, None], 0);
    while done < whole.steps {
        callbacks.call_with(model, Hook::TestBatchBegin, done, Scores::default())?;
        let watched = callbacks.use_any(&[Hook::TestBatchBegin, Hook::TestBatchEnd]);
        if !whole.feeding.next(if watched { 1 } else { whole.steps - done })? {
            break;
        }
        let (data, rows, size) = whole.feeding.rows();
        model.stage().steps()?.batches(Kind::Test, data, rows, size, &mut held)?;
        done += rows.len().div_ceil(size);
        callbacks.shared.logs = None;
        callbacks.call(model, Hook::TestBatchEnd, done - 1)?;
        if callbacks.shared.stop && !callbacks.shared.trains {
            break;
        }
    }
    if done == 0 {
        return Err(Error::data("the source has no batch to evaluate"));
    }
    let scores = Scores::new(model.stage().logs()?);
    callbacks.call_with(model, Hook::TestEnd, 0, scores.clone())?;
    Ok(scores)
}

/// What the model makes of the rows, batch by batch: `take` is given the outputs of each. `steps` is the model as it is
/// built.
pub(super) fn predict(
    model: &Model,
    steps: &Steps,
    whole: &mut Whole,
    callbacks: &mut Callbacks,
    mut take: impl FnMut(Vec<Array>) -> Result<()>,
) -> Result<()> {
    steps.training.predicting(whole.feeding.one_size());
    let (outputs, mut held, mut done) = (steps.net.outputs.len(), None, 0);
    callbacks.call(model, Hook::PredictBegin, 0)?;
    while done < whole.steps {
        callbacks.call(model, Hook::PredictBatchBegin, done)?;
        if !whole.feeding.next(1)? {
            break;
        }
        let (data, rows, _) = whole.feeding.rows();
        let run = steps.step(Kind::Predict, data, rows, &mut held)?;
        take((0..outputs).map(|index| run.output(index)).collect::<Result<_>>()?)?;
        callbacks.call(model, Hook::PredictBatchEnd, done)?;
        done += 1;
    }
    callbacks.call(model, Hook::PredictEnd, 0)
}

/// The outputs of all batches, one after the other.
pub(super) struct Predicted {
    rows: usize,
    /// How many of them are there.
    done: usize,
    all: Vec<Array>,
}

impl Predicted {
    /// Of so many rows.
    pub(super) fn new(rows: usize) -> Predicted {
        Predicted { rows, done: 0, all: Vec::new() }
    }

    /// Takes the outputs of the next batch.
    ///
    /// # Errors
    /// No room, and rows of another shape.
    pub(super) fn push(&mut self, outputs: Vec<Array>) -> Result<()> {
        let count = outputs.first().map_or(0, |output| output.shape()[0]);
        if self.all.is_empty() && count == self.rows {
            self.all = outputs;
        } else {
            if self.all.is_empty() {
                let types = outputs.iter().map(|output| Type::new(output.dtype(), output.shape().with(0, self.rows)));
                let zeros = types.map(|ty| {
                    room::<u8>(PREDICTIONS, &[ty.size(), ty.dtype.size()])?;
                    Ok(Array::zeros(&ty))
                });
                self.all = zeros.collect::<Result<_>>()?;
            }
            let mut pairs = self.all.iter_mut().zip(&outputs);
            pairs.try_for_each(|(all, output)| append(all, self.done, output))?;
        }
        self.done += count;
        Ok(())
    }

    /// Each output.
    pub(super) fn outputs(self) -> Vec<Array> {
        self.all
    }
}

impl Steps<'_> {
    /// Steps over those rows in batches of `size`, of which the last may be shorter.
    fn batches(&self, kind: Kind, data: &Fed, rows: &[u32], size: usize, held: &mut [Held; 2]) -> Result<()> {
        let (whole, rest) = rows.split_at(rows.len() / size * size);
        if whole.len() > size {
            data.start_all(self.held(kind, data, size, &mut held[0])?, whole, size)?;
        } else if !whole.is_empty() {
            self.step(kind, data, whole, &mut held[0])?;
        }
        if !rest.is_empty() {
            self.step(kind, data, rest, &mut held[1])?;
        }
        Ok(())
    }

    /// Begins a step over those rows, by the run that is held if it is for as many.
    pub(crate) fn step<'h>(
        &self,
        kind: Kind,
        data: &Fed,
        rows: &[u32],
        held: &'h mut Held,
    ) -> Result<&'h mut dyn cornu_graph::Run> {
        let run = self.held(kind, data, rows.len(), held)?;
        data.start(run, rows)?;
        Ok(run)
    }

    /// The run for batches of so many rows.
    fn held<'h>(
        &self,
        kind: Kind,
        data: &Fed,
        rows: usize,
        held: &'h mut Held,
    ) -> Result<&'h mut dyn cornu_graph::Run> {
        if held.as_ref().is_none_or(|(count, _)| *count != rows) {
            // Its memory is of use to the next.
            *held = None;
            *held = Some((rows, self.run(kind, data, rows)?));
        }
        let (_, run) = held.as_mut().ok_or_else(|| Error::usage("there is no run"))?;
        Ok(run.run())
    }
}

/// Puts the rows of `part` into `all`, behind so many others.
///
/// # Errors
/// Rows of another shape.
fn append(all: &mut Array, done: usize, part: &Array) -> Result<()> {
    fn copy<T: Copy>(all: &mut [T], place: usize, part: &[T]) {
        all[place..place + part.len()].copy_from_slice(part);
    }
    if all.shape()[1..] != part.shape()[1..] {
        let (needed, got) = (all.shape().without(0), part.shape().without(0));
        return Err(Error::usage(format!("predict: all batches need rows of shape {needed}, got {got}")));
    }
    let place = done * (part.len() / part.shape()[0].max(1));
    match (all.buffer_mut(), part.buffer()) {
        (Buffer::F32(all), Buffer::F32(part)) => copy(all, place, part),
        (Buffer::F64(all), Buffer::F64(part)) => copy(all, place, part),
        (Buffer::I64(all), Buffer::I64(part)) => copy(all, place, part),
        (all, part) => (0..part.len()).for_each(|i| all.set_number(place + i, part.number(i))),
    }
    Ok(())
}

/// A fit that has been checked.
pub(super) struct Run<'a> {
    pub(super) model: &'a Model,
    pub(super) feeding: Feeding,
    pub(super) validation: Option<Whole>,
    pub(super) fit: Fit,
    callbacks: Callbacks,
    flavor: Flavor,
    steps: usize,
    /// The batches so far, and how many there are until the rows have come as often as there are epochs, where Keras 2
    /// ends a training.
    seen: usize,
    all: usize,
    /// The epochs and the batches of the next one that are done, and the epoch that this training began with.
    epoch: usize,
    batch: usize,
    first: usize,
    pace: Pace,
    /// The runs of whole batches, and of the shorter one at the end of an epoch.
    held: [Held; 2],
    pub(super) history: History,
    /// The figures of the last epoch.
    last: Scores,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        model: &'a Model,
        feeding: Feeding,
        validation: Option<Whole>,
        mut fit: Fit,
        warnings: Vec<Warning>,
    ) -> Run<'a> {
        // Of a source that does not know, epochs end when there is no next batch; Keras tells of no number.
        let each = feeding.batches();
        let steps = fit.steps_per_epoch.or(each);
        let params = Params::new(fit.verbose, fit.epochs, steps.unwrap_or(0));
        let (flavor, first) = (model.flavor(), fit.initial_epoch);
        let mut callbacks = std::mem::take(&mut fit.callbacks);
        callbacks.extend(super::progress::bar(fit.verbose, flavor));
        let mut callbacks = Callbacks::new(callbacks, params);
        (callbacks.shared.trains, callbacks.shared.validates) = (true, validation.is_some());
        let history = History::new(params, warnings);
        let mut run = Run {
            model,
            feeding,
            validation,
            fit,
            callbacks,
            flavor,
            steps: steps.unwrap_or(usize::MAX),
            seen: 0,
            all: 0,
            epoch: first,
            batch: 0,
            first,
            pace: Pace::default(),
            held: [None, None],
            history,
            last: Scores::default(),
        };
        run.all = run.until_rows_end();
        run
    }

    /// How many batches there are until the rows have come as often as there are epochs.
    fn until_rows_end(&self) -> usize {
        let each = self.feeding.batches().filter(|_| matches!(self.feeding, Feeding::Rows(..)));
        each.map_or(usize::MAX, |each| each.saturating_mul(self.fit.epochs.saturating_sub(self.first)))
    }

    /// Takes up the random streams of the model.
    pub(super) fn take_up_streams(&mut self, seeds: &Seeds, own: bool) -> Result<()> {
        let size = self.feeding.one_size();
        self.model.stage().take_up_streams(self.feeding.rows().0, size, seeds, own)
    }

    /// The training begins, or goes on from where a snapshot was made.
    pub(super) fn begin(&mut self) -> Result<()> {
        self.warn_if_too_few_rows();
        if self.fit.verbose != Verbose::Silent {
            self.history.warnings.iter().for_each(tell);
        }
        self.call(Hook::TrainBegin, 0)?;
        self.callbacks.shared.resumed.take().map_or(Ok(()), |resumed| self.resume(resumed))
    }

    /// Trains, epoch by epoch. The history is there also where this ends with an error.
    pub(super) fn epochs(&mut self, interrupt: &Interrupt) -> Result<()> {
        while let Some(epoch) = self.next_epoch() {
            self.one_epoch(epoch, interrupt)?;
            if self.is_stopped() {
                break;
            }
        }
        self.end()
    }

    /// The number of the next epoch, if there is one.
    pub(super) fn next_epoch(&self) -> Option<usize> {
        // Keras reports a loss of 0 for an epoch without a batch. One that was begun, up to its last batch, has an end.
        let rows_end = self.batch == 0 && self.flavor.rows_end() == RowsEnd::Training && self.seen >= self.all;
        (self.epoch < self.fit.epochs && !rows_end).then_some(self.epoch)
    }

    /// Whether a callback has ended the training.
    pub(super) fn is_stopped(&self) -> bool {
        self.callbacks.shared.stop
    }

    /// The training ends.
    pub(super) fn end(&mut self) -> Result<()> {
        self.model.stage().finalize()?;
        self.callbacks.shared.logs = Some(std::mem::take(&mut self.last));
        let end = self.call(Hook::TrainEnd, 0);
        self.history.warnings.append(&mut self.callbacks.shared.warnings);
        end
    }

    /// Calls a hook, with where this is.
    fn call(&mut self, hook: Hook, number: usize) -> Result<()> {
        let Run { model, feeding, history, epoch, batch, seen, first, .. } = self;
        let at = At { feeding, history, epoch: *epoch, batch: *batch, seen: *seen, first: *first };
        self.callbacks.call_at(model, hook, number, Some(at))
    }

    /// Where this is, for snapshots that are made later.
    pub(super) fn position(&self) -> Value {
        let Run { feeding, history, epoch, batch, seen, first, .. } = self;
        snapshot::position(&At { feeding, history, epoch: *epoch, batch: *batch, seen: *seen, first: *first })
    }

    /// What callbacks have seen.
    pub(super) fn memories(&self) -> Vec<Memory> {
        self.callbacks.memories()
    }

    /// Goes on from a snapshot.
    fn resume(&mut self, mut resumed: Resumed) -> Result<()> {
        self.callbacks.recall(std::mem::take(&mut resumed.memories))?;
        self.feeding.seek(&resumed.order)?;
        (self.epoch, self.batch, self.seen, self.first) = (resumed.epoch, resumed.batch, resumed.seen, resumed.first);
        self.all = self.until_rows_end();
        let (epochs, figures) = (std::mem::take(&mut resumed.epochs), std::mem::take(&mut resumed.figures));
        self.history.resume(epochs, figures);
        resumed.set(self.model)
    }

    /// One epoch: its batches, then the validation.
    fn one_epoch(&mut self, epoch: usize, interrupt: &Interrupt) -> Result<()> {
        self.begin_epoch(epoch)?;
        let done = self.train(epoch, interrupt)?;
        let logs = Scores::new(self.model.stage().logs()?);
        let validation = match self.validation.as_mut().filter(|_| self.fit.validates_in(epoch)) {
            Some(validation) => Some(evaluate(self.model, validation, epoch, &mut self.callbacks)?),
            None => None,
        };
        self.end_epoch(epoch, logs, validation.as_ref())?;
        // Pressed in the validation, or in a callback.
        self.go_on(interrupt, epoch, done)
    }

    /// An epoch begins.
    pub(super) fn begin_epoch(&mut self, epoch: usize) -> Result<()> {
        self.callbacks.shared.logs = Some(Scores::default());
        self.call(Hook::EpochBegin, epoch)
    }

    /// An epoch has ended, with its figures and those of its validation.
    pub(super) fn end_epoch(&mut self, epoch: usize, mut logs: Scores, validation: Option<&Scores>) -> Result<()> {
        validation.into_iter().flat_map(Scores::iter).for_each(|(name, value)| logs.set(&format!("val_{name}"), value));
        if self.flavor.sorts_figures() {
            logs.sort();
        }
        self.warn_if_not_finite(epoch, &logs);
        (self.epoch, self.batch) = (epoch + 1, 0);
        self.callbacks.shared.logs = Some(logs.clone());
        let told = self.call(Hook::EpochEnd, epoch);
        // What callbacks have added is for those after them and for the history.
        self.history.push(epoch, self.callbacks.shared.logs.as_ref().unwrap_or(&logs));
        self.history.warnings.append(&mut self.callbacks.shared.warnings);
        self.last = logs;
        told
    }

    /// The rows of the next epoch, which is trained elsewhere.
    pub(super) fn rows_elsewhere(&mut self) -> &[u32] {
        self.seen += self.feeding.batches().unwrap_or(0);
        match &mut self.feeding {
            Feeding::Rows(_, batches) => {
                batches.next(usize::MAX);
                batches.rows()
            }
            Feeding::Drawn(_) => &[],
        }
    }

    /// Whether callbacks are called between epochs, where they may look at the model and change it.
    pub(super) fn looks_between_epochs(&self) -> bool {
        self.callbacks.use_any(&[Hook::EpochBegin, Hook::EpochEnd])
    }

    /// Whether its epochs can be trained elsewhere: it begins with one, and callbacks are called between epochs only.
    pub(super) fn can_be_elsewhere(&self) -> bool {
        self.batch == 0 && self.callbacks.between_epochs()
    }

    /// The batches of an epoch; gives how many there were. Where no callback looks at them, many are one run.
    fn train(&mut self, epoch: usize, interrupt: &Interrupt) -> Result<usize> {
        let model = self.model;
        if self.batch == 0 {
            model.stage().reset()?;
            self.feeding.begin(epoch)?;
        }
        while self.batch < self.steps && !(self.batch > 0 && self.is_out_of_rows()) {
            self.callbacks.shared.logs = Some(Scores::default());
            self.call(Hook::TrainBatchBegin, self.batch)?;
            let most = match self.callbacks.use_any(&[Hook::TrainBatchBegin, Hook::TrainBatchEnd]) {
                true => 1,
                false => self.pace.next().min(self.steps - self.batch),
            };
            let ends = self.flavor.rows_end() == RowsEnd::Training;
            if !self.feeding.next(if ends { most.min(self.all - self.seen) } else { most })? {
                break;
            }
            let (data, rows, size) = self.feeding.rows();
            model.stage().steps()?.batches(Kind::Train, data, rows, size, &mut self.held)?;
            let count = rows.len().div_ceil(size);
            self.seen += count;
            self.batch += count;
            self.callbacks.shared.logs = None;
            self.call(Hook::TrainBatchEnd, self.batch - 1)?;
            self.go_on(interrupt, epoch, self.batch)?;
            if self.callbacks.shared.stop {
                break;
            }
        }
        if self.batch == 0 {
            return Err(Error::data(format!("the source has no batch in epoch {}", epoch + 1)));
        }
        Ok(self.batch)
    }

    /// An error if the user has stopped the training.
    fn go_on(&self, interrupt: &Interrupt, epoch: usize, done: usize) -> Result<()> {
        if !interrupt.is_pressed() {
            return Ok(());
        }
        let of = if self.steps == usize::MAX { String::new() } else { format!(" of {}", self.steps) };
        let message = format!("stopped in epoch {} after batch {done}{of}", epoch + 1);
        let help = "the model keeps what it has learned; `fit` again goes on from there";
        Err(Error::new(ErrorKind::Interrupted, message).help(help))
    }

    /// Whether an epoch ends for want of rows, before `steps_per_epoch`.
    fn is_out_of_rows(&self) -> bool {
        match self.flavor.rows_end() {
            RowsEnd::Training => self.seen >= self.all,
            RowsEnd::Epoch => self.feeding.is_used_up(),
        }
    }

    /// Says once that training has failed: nothing brings weights back that are no numbers.
    fn warn_if_not_finite(&mut self, epoch: usize, logs: &Scores) {
        let Some((name, value)) = logs.iter().find(|(name, value)| *name == "loss" && !value.is_finite()) else {
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
        let (steps, available) = (self.steps, self.feeding.batches().unwrap_or(usize::MAX));
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
        let available = validation.steps;
        if steps > available {
            let message =
                format!("`validation_steps` asks for {steps} batches, but the rows make {available}: it ends there");
            self.history.warnings.push(Warning::new(Code::TooFewRows, message));
        }
    }
}
