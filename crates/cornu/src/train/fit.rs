//! How to train, evaluate and predict: the arguments of Keras's `fit`, `evaluate` and `predict`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cornu_graph::{Arrays, Error, Result, ToArrays};

use super::{Callback, Control, Source};
use crate::model::Model;
use crate::random::Seeds;
use crate::step::Given;
use cornu_display::Verbose;

/// Rows in a batch where nothing else is said, as in Keras.
pub(crate) const BATCH_SIZE: usize = 32;

/// The arguments of [`fit`](crate::Model::fit), by Keras's names.
///
/// ```
/// use cornu::train::Fit;
/// let fit = Fit::new().epochs(150).batch_size(10).validation_split(0.2).verbose(2);
/// ```
#[must_use]
pub struct Fit {
    pub(crate) epochs: usize,
    pub(crate) initial_epoch: usize,
    pub(crate) batch_size: Option<usize>,
    pub(crate) steps_per_epoch: Option<usize>,
    pub(crate) shuffle: bool,
    pub(crate) seeds: Option<Seeds>,
    pub(crate) validation_split: f64,
    pub(crate) validation_data: Option<Result<Given>>,
    pub(crate) validation_source: Option<Box<dyn Source>>,
    pub(crate) validation_weights: Option<Result<Arrays>>,
    pub(crate) validation_steps: Option<usize>,
    pub(crate) validation_freq: usize,
    pub(crate) validation_batch_size: Option<usize>,
    pub(crate) sample_weight: Option<Result<Arrays>>,
    pub(crate) class_weight: Option<BTreeMap<i64, f64>>,
    pub(crate) verbose: Verbose,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
}

impl Fit {
    /// One epoch in shuffled batches of 32 rows, without validation, with progress shown.
    pub fn new() -> Fit {
        Fit {
            epochs: 1,
            initial_epoch: 0,
            batch_size: None,
            steps_per_epoch: None,
            shuffle: true,
            seeds: None,
            validation_split: 0.0,
            validation_data: None,
            validation_source: None,
            validation_weights: None,
            validation_steps: None,
            validation_freq: 1,
            validation_batch_size: None,
            sample_weight: None,
            class_weight: None,
            verbose: Verbose::Auto,
            callbacks: Vec::new(),
        }
    }

    /// The number after the last epoch: how many there are, if `initial_epoch` is 0.
    pub fn epochs(mut self, epochs: usize) -> Fit {
        self.epochs = epochs;
        self
    }

    /// The number of the first epoch, to go on where another fit ended. It names epochs and no more: with `shuffle` the
    /// rows come in the first order of the seeds, not in that of the epoch. Without shuffling and dropout, epochs that
    /// are divided among several fits, or among programs by [`load_model`](crate::load_model), give the same bits as in
    /// one; with [`Fit::resume`] they always do.
    pub fn initial_epoch(mut self, epoch: usize) -> Fit {
        self.initial_epoch = epoch;
        self
    }

    /// Goes on from a snapshot ([`Control::save_snapshot`](super::Control::save_snapshot),
    /// [`Model::save_snapshot`](crate::Model::save_snapshot)) as if nothing had come between, to the bit: with the same
    /// model, data and arguments. `epochs` may be other ones; seeds and the first epoch are those of the snapshot.
    pub fn resume(self, path: impl AsRef<Path>) -> Fit {
        self.callback(Resume::new(path))
    }

    /// Rows in a batch; the last batch of an epoch may have fewer.
    pub fn batch_size(mut self, rows: usize) -> Fit {
        self.batch_size = Some(rows);
        self
    }

    /// Batches in an epoch, if not as many as there are rows for.
    pub fn steps_per_epoch(mut self, steps: usize) -> Fit {
        self.steps_per_epoch = Some(steps);
        self
    }

    /// Whether rows come in a new order each epoch.
    pub fn shuffle(mut self, shuffle: bool) -> Fit {
        self.shuffle = shuffle;
        self
    }

    /// Seeds of its own for the order of rows and the streams of dropout, instead of those that `set_random_seed` sets for
    /// all, which this fit leaves alone. Weights that are made by this fit still come from those of all; in the flavour
    /// of Keras 3 dropout goes by seeds that were drawn when its layers were made.
    pub fn seeds(mut self, seeds: Seeds) -> Fit {
        self.seeds = Some(seeds);
        self
    }

    /// The part of the rows, taken from the end before shuffling, that is kept for validation.
    pub fn validation_split(mut self, part: f64) -> Fit {
        self.validation_split = part;
        self
    }

    /// Rows to evaluate with after each epoch.
    pub fn validation_data(mut self, x: impl ToArrays, y: impl ToArrays) -> Fit {
        self.validation_data = Some(Given::labelled(x, y));
        self
    }

    /// Batches to evaluate with after each epoch, instead of `validation_data`: each validation is an epoch of the source,
    /// with the number of that it comes after.
    pub fn validation_source(mut self, source: impl Source + 'static) -> Fit {
        self.validation_source = Some(Box::new(source));
        self
    }

    /// A weight for each row of `validation_data`: the third part of Keras's tuple. Rows that `validation_split` keeps
    /// have theirs in `sample_weight`.
    pub fn validation_weights(mut self, weights: impl ToArrays) -> Fit {
        self.validation_weights = Some(weights.into_arrays());
        self
    }

    /// How many batches to validate with, from the first row on; all where nothing is said.
    pub fn validation_steps(mut self, steps: usize) -> Fit {
        self.validation_steps = Some(steps);
        self
    }

    /// After how many epochs to validate.
    pub fn validation_freq(mut self, epochs: usize) -> Fit {
        self.validation_freq = epochs;
        self
    }

    /// Rows in a batch of the validation; as in training where nothing is said.
    pub fn validation_batch_size(mut self, rows: usize) -> Fit {
        self.validation_batch_size = Some(rows);
        self
    }

    /// A weight for each row; of several outputs one for all, or one for each.
    pub fn sample_weight(mut self, weights: impl ToArrays) -> Fit {
        self.sample_weight = Some(weights.into_arrays());
        self
    }

    /// A weight for the rows of each class; in training only.
    pub fn class_weight(mut self, weights: impl IntoIterator<Item = (i64, f64)>) -> Fit {
        self.class_weight = Some(weights.into_iter().collect());
        self
    }

    /// How much to print: `0` nothing, `1` a bar, `2` a line for each epoch.
    pub fn verbose(mut self, verbose: impl Into<Verbose>) -> Fit {
        self.verbose = verbose.into();
        self
    }

    /// Something to call while training.
    pub fn callback(self, callback: impl Callback + 'static) -> Fit {
        self.callbacks([callback])
    }

    /// What to call while training; those of several kinds in boxes, `[Box::new(a) as Box<dyn Callback>, Box::new(b)]`,
    /// or one after the other by [`Fit::callback`].
    pub fn callbacks<C: Callback + 'static>(mut self, callbacks: impl IntoIterator<Item = C>) -> Fit {
        self.callbacks.extend(callbacks.into_iter().map(|callback| Box::new(callback) as Box<dyn Callback>));
        self
    }

    /// Whether the figures of an epoch have those of a validation among them, if there is one.
    pub(super) fn validates_in(&self, epoch: usize) -> bool {
        (epoch + 1).is_multiple_of(self.validation_freq)
    }

    /// Whether the numbers can be right, whatever the data.
    pub(crate) fn check(&self) -> Result<()> {
        let at_least_one = [
            ("batch_size", self.batch_size),
            ("steps_per_epoch", self.steps_per_epoch),
            ("validation_batch_size", self.validation_batch_size),
            ("validation_steps", self.validation_steps),
            ("validation_freq", Some(self.validation_freq)),
        ];
        at_least_one.iter().try_for_each(|(name, value)| positive("fit", name, *value))?;
        if self.validation_weights.is_some() && self.validation_data.is_none() {
            let error = Error::usage("fit: `validation_weights` needs `validation_data`, got none");
            return Err(error.help("rows that `validation_split` keeps have their weights in `sample_weight`"));
        }
        if self.validation_source.is_some() && (self.validation_data.is_some() || self.validation_batch_size.is_some())
        {
            let what = "`validation_data` and `validation_batch_size`";
            return Err(of_rows("fit", what, "leave them out beside a `validation_source`"));
        }
        let split = self.validation_split;
        if !(0.0..1.0).contains(&split) {
            let error = Error::usage(format!("fit: `validation_split` needs a part from 0 to 1, got {split}"));
            return Err(error.help("0.2 keeps the last fifth of the rows for validation"));
        }
        Ok(())
    }
}

impl Default for Fit {
    fn default() -> Self {
        Self::new()
    }
}

/// Goes on from a snapshot: what [`Fit::resume`] adds.
#[derive(Clone, Debug)]
pub struct Resume(PathBuf);

impl Resume {
    /// From the one in that file.
    pub fn new(path: impl AsRef<Path>) -> Resume {
        Resume(path.as_ref().to_path_buf())
    }
}

impl Callback for Resume {
    fn between_epochs(&self) -> bool {
        true
    }

    fn on_train_begin(&mut self, control: &mut Control) -> Result<()> {
        control.load_snapshot(&self.0)
    }
}

/// Rows in a batch: as asked for, else as many as make so many steps, else Keras's 32.
pub(crate) fn batch_rows(asked: Option<usize>, steps: Option<usize>, rows: usize) -> usize {
    asked.or(steps.map(|steps| rows.div_ceil(steps))).unwrap_or(BATCH_SIZE)
}

pub(crate) fn positive(place: &str, name: &str, value: Option<usize>) -> Result<()> {
    match value {
        Some(0) => Err(Error::usage(format!("{place}: `{name}` needs a whole number above 0, got 0"))),
        _ => Ok(()),
    }
}

/// The error for arguments of rows beside a source.
pub(crate) fn of_rows(place: &str, what: &str, help: &str) -> Error {
    Error::usage(format!("{place}: {what} are of rows in memory, not of a source")).help(help)
}

/// The arguments of [`evaluate_with`](crate::Model::evaluate_with), by Keras's names.
#[must_use]
pub struct Evaluate {
    pub(crate) batch_size: Option<usize>,
    pub(crate) steps: Option<usize>,
    pub(crate) sample_weight: Option<Result<Arrays>>,
    pub(crate) verbose: Verbose,
    pub(crate) callbacks: Vec<Box<dyn Callback>>,
}

impl Evaluate {
    /// Batches of 32 rows, with progress shown.
    pub fn new() -> Evaluate {
        let (batch_size, steps, sample_weight) = (None, None, None);
        Evaluate { batch_size, steps, sample_weight, verbose: Verbose::Auto, callbacks: Vec::new() }
    }

    /// Rows in a batch.
    pub fn batch_size(mut self, rows: usize) -> Evaluate {
        self.batch_size = Some(rows);
        self
    }

    /// How many batches to look at, from the first row on; all where nothing is said.
    pub fn steps(mut self, steps: usize) -> Evaluate {
        self.steps = Some(steps);
        self
    }

    /// A weight for each row; of several outputs one for all, or one for each.
    pub fn sample_weight(mut self, weights: impl ToArrays) -> Evaluate {
        self.sample_weight = Some(weights.into_arrays());
        self
    }

    /// How much to print: `0` nothing, `1` a bar, `2` a line.
    pub fn verbose(mut self, verbose: impl Into<Verbose>) -> Evaluate {
        self.verbose = verbose.into();
        self
    }

    /// Whether that model can be evaluated, and the numbers can be right, whatever the data.
    pub(super) fn check(&self, model: &Model) -> Result<()> {
        model.training().compiled("evaluate")?;
        positive("evaluate", "batch_size", self.batch_size)?;
        positive("evaluate", "steps", self.steps)
    }

    /// Something to call meanwhile.
    pub fn callback(mut self, callback: impl Callback + 'static) -> Evaluate {
        self.callbacks.push(Box::new(callback));
        self
    }
}

impl Default for Evaluate {
    fn default() -> Self {
        Self::new()
    }
}

/// The arguments of [`predict_with`](crate::Model::predict_with), by Keras's names.
#[must_use]
#[derive(Clone, Copy, Debug)]
pub struct Predict {
    pub(crate) batch_size: Option<usize>,
    pub(crate) steps: Option<usize>,
    pub(crate) verbose: Verbose,
}

impl Predict {
    /// Batches of 32 rows, with progress shown as soon as there is more than one. Keras draws a bar of one step too,
    /// for each row that is predicted alone: that takes longer than the prediction, and fills the screen.
    pub fn new() -> Predict {
        Predict { batch_size: None, steps: None, verbose: Verbose::Auto }
    }

    /// Rows in a batch.
    pub fn batch_size(mut self, rows: usize) -> Predict {
        self.batch_size = Some(rows);
        self
    }

    /// How many batches to predict, from the first row on; all where nothing is said.
    pub fn steps(mut self, steps: usize) -> Predict {
        self.steps = Some(steps);
        self
    }

    /// How much to print: `0` nothing, `1` a bar, `2` a line, even for one batch.
    pub fn verbose(mut self, verbose: impl Into<Verbose>) -> Predict {
        self.verbose = verbose.into();
        self
    }

    /// Whether the numbers can be right, whatever the data.
    pub(super) fn check(self) -> Result<()> {
        positive("predict", "batch_size", self.batch_size)?;
        positive("predict", "steps", self.steps)
    }

    /// How much is printed about so many batches.
    pub(crate) fn shown(self, steps: usize) -> Verbose {
        if self.verbose == Verbose::Auto && steps == 1 { Verbose::Silent } else { self.verbose }
    }
}

impl Default for Predict {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_batches_are_predicted_in_silence_unless_told_otherwise() {
        assert_eq!([1, 2].map(|steps| Predict::new().shown(steps)), [Verbose::Silent, Verbose::Auto]);
        assert_eq!(
            [0, 1, 2].map(|level| Predict::new().verbose(level).shown(1)),
            [Verbose::Silent, Verbose::Bar, Verbose::Line]
        );
    }
}
