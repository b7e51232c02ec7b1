//! What a model does with data: `fit`, `evaluate`, `predict`, and steps on single batches.
#![allow(clippy::needless_pass_by_value, reason = "data may be handed over, and is lent from here on")]

use std::collections::BTreeMap;
use std::sync::Arc;

use cornu_graph::room::{empty, room};
use cornu_graph::{Array, Arrays, Context, Element, Error, Result, Session, ToArrays, into_ndarray, lending};
use ndarray::ArrayD;

use super::batches::{Batches, InOrder};
use super::callback::Callbacks;
use super::feeding::{Begun, Feeding, Whole};
use super::fit::{batch_rows, of_rows};
use super::interrupt::Interrupt;
use super::run::{PREDICTIONS, Predicted, Run, evaluate, predict};
use super::source::Source;
use super::{Callback, Evaluate, Fit, History, Params, Predict, Scores, Warning, progress};
use crate::model::Model;
use crate::random::{Seeds, Shuffle};
use crate::step::{Data, Ended, Ends, Given, Kind, ORDER, Steps, checks};

impl Model {
    /// Trains on the rows of `x` and their labels `y`: an array each, or several by position, `(&a, &b)`, or by the names
    /// of inputs and outputs, `[("a", &a), ("b", &b)]`.
    ///
    /// Fractions are rounded to `f32` once; a row of labels is taken for a column. Ctrl-C stops between two batches,
    /// unless the program ignores it or has a handler of its own, which stay as they are.
    ///
    /// ```
    /// use cornu::prelude::*;
    /// # cornu::random::set_random_seed(7);
    /// let (x, y) = ([[0., 0.], [0., 1.], [1., 0.], [1., 1.]], [0, 1, 1, 1]);
    /// let mut model = sequential![Dense::new(1).activation("sigmoid")];
    /// model.compile(Compile::new().loss("binary_crossentropy").optimizer(SGD::new().learning_rate(1.0)))?;
    /// let history = model.fit(&x, &y, Fit::new().epochs(20).verbose(0))?;
    /// assert!(history["loss"][19] < history["loss"][0]);
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// A model that is not compiled, arguments that cannot be right, data that does not fit the model or the loss; Ctrl-C
    /// and the errors of callbacks, after which the model keeps what it has learned and its [`Model::history`].
    pub fn fit(&mut self, x: impl ToArrays, y: impl ToArrays, fit: Fit) -> Result<History> {
        self.training().compiled("fit")?;
        fit.check()?;
        lending(|loan| self.fit_given(Given::lent(&x, &y, loan)?, fit))
    }

    fn fit_given(&mut self, given: Given, fit: Fit) -> Result<History> {
        let Prepared { feeding, validation, fit, seeds, own, warnings } = self.prepared(given, fit)?;
        self.run(feeding, validation, fit, (&seeds, own), warnings)
    }

    /// All that a fit needs, checked and on the machine.
    pub(super) fn prepared(&mut self, given: Given, mut fit: Fit) -> Result<Prepared> {
        // Whatever becomes of the process's seeds, this fit goes by those of its start.
        let own = fit.seeds.is_some();
        let seeds = fit.seeds.take().unwrap_or_else(|| self.copy_of_seeds());
        let ends = self.ends(&given).owned();
        let data = given.weighted(fit.sample_weight.take())?.of(&ends)?;
        checks::numbers(&data)?;
        self.build_for(&data, true)?;
        let mut warnings = Vec::new();
        let (mut train, mut validation) = split(data, &mut fit, &mut warnings, &ends)?;
        if let Some(classes) = &fit.class_weight {
            warnings.extend(weigh(&mut train, classes)?);
        }
        self.prepare(&train, validation.as_ref(), &mut warnings)?;
        let validation = validation.take().map(|validation| self.whole(validation, ends, &fit)).transpose()?;
        room::<u32>(ORDER, &[train.rows()])?;
        let session = self.variables().session()?;
        let data = train.upload(&*session)?;
        let rows = data.rows();
        let shuffle = fit.shuffle.then(|| Shuffle::new(self.flavor(), &seeds, rows));
        let batches = Batches::new(shuffle, rows, batch_rows(fit.batch_size, fit.steps_per_epoch, rows));
        Ok(Prepared { feeding: Feeding::Rows(data, batches), validation, fit, seeds, own, warnings })
    }

    /// [`Model::fit`] on what a [`Source`] gives: its batches are those of the training. `batch_size`, `shuffle`,
    /// `validation_split` and `sample_weight` are the source's affair.
    ///
    /// # Errors
    /// Those of [`Model::fit`] and of the source, and a batch that is of another shape than the first.
    pub fn fit_source(&mut self, source: impl Source + 'static, mut fit: Fit) -> Result<History> {
        self.training().compiled("fit")?;
        fit.check()?;
        if fit.validation_split > 0.0 || fit.sample_weight.is_some() || fit.batch_size.is_some() {
            let what = "`batch_size`, `validation_split` and `sample_weight`";
            return Err(of_rows("fit", what, "give `validation_data`; a `Batch` may be `weighted`"));
        }
        let own = fit.seeds.is_some();
        let seeds = fit.seeds.take().unwrap_or_else(|| self.copy_of_seeds());
        let mut begun = Begun::new("source", Box::new(source), fit.initial_epoch).context("fit")?;
        let given = begun.labelled().context("fit")?;
        let ends = self.ends(&given).owned();
        let mut first = given.of(&ends)?;
        checks::numbers(&first)?;
        self.build_for(&first, true)?;
        let mut warnings = Vec::new();
        let validation = given_validation(&mut fit, &ends).transpose()?;
        if let Some(classes) = &fit.class_weight {
            warnings.extend(weigh(&mut first, classes)?);
        }
        self.prepare(&first, validation.as_ref(), &mut warnings)?;
        let validation = validation.map(|validation| self.whole(validation, ends.clone(), &fit)).transpose()?;
        let feeding = begun.feeding(ends, fit.class_weight.clone(), first)?;
        self.run(feeding, validation, fit, (&seeds, own), warnings)
    }

    /// What a fit validates with, on its way.
    fn whole(&self, validation: Validation, ends: Ends, fit: &Fit) -> Result<Whole> {
        let Validation { data, begun } = validation;
        if let Some(begun) = begun {
            return Ok(Whole::drawn(begun.feeding(ends, None, data)?, fit.validation_steps));
        }
        let data = data.upload(&*self.variables().session()?)?;
        let batches = fit.validation_batches(&data);
        Whole::rows(data, batches)
    }

    /// Looks at what a fit is to train on and to validate with, and makes the variables of training.
    fn prepare(&self, train: &Data, validation: Option<&Validation>, warnings: &mut Vec<Warning>) -> Result<()> {
        let mut stage = self.stage();
        stage.check_and_prepare("fit", train, warnings)?;
        stage.slips(train, warnings)?;
        let Some(Validation { data, begun }) = validation else { return Ok(()) };
        let place = if begun.is_some() { "fit: `validation_source`" } else { "fit: `validation_data`" };
        checks::numbers(data).context(place)?;
        stage.check_and_prepare(place, data, &mut Vec::new())
    }

    /// Trains.
    fn run(
        &self,
        feeding: Feeding,
        validation: Option<Whole>,
        fit: Fit,
        (seeds, own): (&Seeds, bool),
        warnings: Vec<Warning>,
    ) -> Result<History> {
        let mut run = Run::new(self, feeding, validation, fit, warnings);
        let interrupt = Interrupt::watch();
        let begun = run.take_up_streams(seeds, own).and_then(|()| run.begin());
        let end = begun.and_then(|()| run.epochs(&interrupt));
        self.ended(run, end)
    }

    /// Keeps what a fit leaves.
    pub(super) fn ended(&self, run: Run, end: Result<()>) -> Result<History> {
        let (position, memories) = (run.position(), Arc::new(run.memories()));
        let history = run.history;
        self.training().end(Ended { history: history.clone(), position, memories });
        end.map(|()| history)
    }

    /// The loss and the metrics over the rows of `x` and their labels `y`.
    ///
    /// # Errors
    /// A model that is not compiled, or data that does not fit the model or the loss.
    pub fn evaluate(&self, x: impl ToArrays, y: impl ToArrays) -> Result<Scores> {
        self.evaluate_with(x, y, Evaluate::new())
    }

    /// [`Model::evaluate`], with arguments.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`], and a batch size of 0.
    pub fn evaluate_with(&self, x: impl ToArrays, y: impl ToArrays, mut settings: Evaluate) -> Result<Scores> {
        settings.check(self)?;
        let (size, steps) = (settings.batch_size, settings.steps);
        lending(|loan| {
            let given = Given::lent(&x, &y, loan)?.weighted(settings.sample_weight.take())?;
            self.evaluate_given(given, settings, |data, _, session| {
                let batches = InOrder::new(data.rows(), size, steps);
                Whole::rows(data.upload(session)?, batches)
            })
        })
    }

    /// [`Model::evaluate_with`] on what a [`Source`] gives, up to its end or so many `steps`. `batch_size` and
    /// `sample_weight` are the source's affair.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`] and of the source, and a batch that is of another shape than the first.
    pub fn evaluate_source(&self, source: impl Source + 'static, settings: Evaluate) -> Result<Scores> {
        settings.check(self)?;
        if settings.batch_size.is_some() || settings.sample_weight.is_some() {
            let what = "`batch_size` and `sample_weight`";
            return Err(of_rows("evaluate", what, "a `Batch` may be `weighted`"));
        }
        let mut begun = Begun::new("source", Box::new(source), 0).context("evaluate")?;
        let (given, steps) = (begun.labelled().context("evaluate")?, settings.steps);
        self.evaluate_given(given, settings, |data, ends, _| Ok(Whole::drawn(begun.feeding(ends, None, data)?, steps)))
    }

    /// Evaluates what `feed` makes of the rows, or of the first of them.
    fn evaluate_given(
        &self,
        given: Given,
        mut settings: Evaluate,
        feed: impl FnOnce(Data, Ends, &dyn Session) -> Result<Whole>,
    ) -> Result<Scores> {
        let ends = self.ends(&given);
        let data = given.of(&ends)?;
        checks::numbers(&data)?;
        self.built_for(&data)?;
        let _turn = self.training().turn()?;
        let mut stage = self.stage();
        stage.check_and_prepare("evaluate", &data, &mut Vec::new())?;
        let mut whole = feed(data, ends, &**stage.session()?)?;
        drop(stage);
        settings.callbacks.extend(progress::bar(settings.verbose, self.flavor()));
        let params = Params::new(settings.verbose, 1, whole.told());
        evaluate(self, &mut whole, 0, &mut Callbacks::new(settings.callbacks, params))
    }

    /// What the model makes of the rows of `x`: an array with one row for each. What a last layer of another type than
    /// `float32` gives is rounded to it; [`Model::predict_as`] gives all of it.
    ///
    /// # Errors
    /// Data that does not fit the model.
    pub fn predict(&self, x: impl ToArrays) -> Result<ArrayD<f32>> {
        self.predict_with(x, Predict::new())
    }

    /// [`Model::predict`], with arguments.
    ///
    /// # Errors
    /// Those of [`Model::predict`], and a batch size of 0.
    pub fn predict_with(&self, x: impl ToArrays, predict: Predict) -> Result<ArrayD<f32>> {
        self.predict_as(x, predict)
    }

    /// [`Model::predict_with`] as numbers of another type: `predict_as::<f64>` for layers of `float64`.
    ///
    /// # Errors
    /// Those of [`Model::predict_with`].
    pub fn predict_as<T: Element>(&self, x: impl ToArrays, predict: Predict) -> Result<ArrayD<T>> {
        let outputs = self.net().outputs.len();
        if outputs > 1 {
            let error = Error::usage(format!("`predict` gives one array, but the model has {outputs} outputs"));
            return Err(error.help("`predict_all` gives one for each"));
        }
        let predictions = self.predict_all_with(x, predict)?.pop().unwrap_or_else(|| Array::scalar(0.0f32));
        if predictions.dtype() != T::DTYPE {
            room::<T>(PREDICTIONS, &[predictions.len()])?;
        }
        Ok(into_ndarray(predictions))
    }

    /// What the model makes of the rows of `x`: an array for each output, of the output's type.
    ///
    /// # Errors
    /// Data that does not fit the model.
    pub fn predict_all(&self, x: impl ToArrays) -> Result<Vec<Array>> {
        self.predict_all_with(x, Predict::new())
    }

    /// [`Model::predict_all`], with arguments.
    ///
    /// # Errors
    /// Those of [`Model::predict_all`], and a batch size of 0.
    pub fn predict_all_with(&self, x: impl ToArrays, settings: Predict) -> Result<Vec<Array>> {
        self.predict_watched(x, settings, Vec::new())
    }

    /// [`Model::predict_all_with`], with what to call meanwhile.
    ///
    /// # Errors
    /// Those of [`Model::predict_all_with`] and of the callbacks.
    pub fn predict_watched(
        &self,
        x: impl ToArrays,
        settings: Predict,
        callbacks: Vec<Box<dyn Callback>>,
    ) -> Result<Vec<Array>> {
        self.gives_numbers()?;
        lending(|loan| self.predict_graph(x.lend_arrays(loan)?, settings, callbacks))
    }

    /// [`Model::predict_watched`] up to the end of the graph.
    pub(super) fn predict_graph(
        &self,
        x: Arrays,
        settings: Predict,
        callbacks: Vec<Box<dyn Callback>>,
    ) -> Result<Vec<Array>> {
        settings.check()?;
        let given = Given::features(x);
        let ends = self.ends(&given);
        let data = given.of(&ends)?;
        checks::rows(&data)?;
        let model = self.built_for(&data)?;
        let batches = InOrder::new(data.rows(), settings.batch_size, settings.steps);
        let mut predicted = Predicted::new(batches.steps.saturating_mul(batches.size).min(data.rows()));
        let one = data.rows() <= batches.size;
        let data = if one { data.here()? } else { data.upload(&*model.variables().session()?)? };
        let whole = Whole::rows(data, batches)?;
        self.predict_whole(model, whole, settings, callbacks, |outputs| predicted.push(outputs))?;
        Ok(predicted.outputs())
    }

    /// [`Model::predict_all_with`] on what a [`Source`] gives, up to its end or so many `steps`: an array for each output,
    /// of all rows. `batch_size` is the source's affair; labels are passed over.
    ///
    /// # Errors
    /// Those of [`Model::predict`] and of the source, and a batch that is of another shape than the first.
    pub fn predict_source(&self, source: impl Source + 'static, settings: Predict) -> Result<Vec<Array>> {
        settings.check()?;
        self.gives_numbers()?;
        if settings.batch_size.is_some() {
            return Err(of_rows("predict", "rows of a `batch_size`", "the batches are those of the source"));
        }
        let mut begun = Begun::new("source", Box::new(source), 0).context("predict")?;
        let given = begun.features();
        let ends = self.ends(&given);
        let data = given.of(&ends)?;
        checks::rows(&data)?;
        let model = self.built_for(&data)?;
        let whole = Whole::drawn(begun.feeding(ends, None, data)?, settings.steps);
        let (mut parts, mut rows) = (Vec::new(), 0);
        self.predict_whole(model, whole, settings, Vec::new(), |outputs| {
            rows += outputs[0].shape()[0];
            parts.push(outputs);
            Ok(())
        })?;
        let mut predicted = Predicted::new(rows);
        parts.into_iter().try_for_each(|outputs| predicted.push(outputs))?;
        Ok(predicted.outputs())
    }

    /// Predicts; `model` is this one as it is built.
    fn predict_whole(
        &self,
        model: &Model,
        mut whole: Whole,
        settings: Predict,
        mut callbacks: Vec<Box<dyn Callback>>,
        take: impl FnMut(Vec<Array>) -> Result<()>,
    ) -> Result<()> {
        let opened = model.variables().opened()?;
        let shown = settings.shown(whole.steps);
        callbacks.extend(progress::bar(shown, self.flavor()));
        let mut callbacks = Callbacks::new(callbacks, Params::new(shown, 1, whole.told()));
        let parts = (self.name(), model.net(), model.variables());
        let steps = Steps::to_predict(parts, &opened, self.training());
        predict(self, &steps, &mut whole, &mut callbacks, take)
    }

    /// One step of training on these rows; gives their loss and metrics.
    ///
    /// # Errors
    /// Those of [`Model::fit`].
    pub fn train_on_batch(&mut self, x: impl ToArrays, y: impl ToArrays) -> Result<Scores> {
        lending(|loan| self.on_batch("train_on_batch", Kind::Train, Given::lent(&x, &y, loan)?))
    }

    /// The loss and the metrics of these rows; no weight changes.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`].
    pub fn test_on_batch(&mut self, x: impl ToArrays, y: impl ToArrays) -> Result<Scores> {
        lending(|loan| self.on_batch("test_on_batch", Kind::Test, Given::lent(&x, &y, loan)?))
    }

    fn on_batch(&mut self, what: &str, kind: Kind, given: Given) -> Result<Scores> {
        self.training().compiled(what)?;
        let ends = self.ends(&given);
        let data = given.of(&ends)?;
        checks::numbers(&data)?;
        self.build_for(&data, kind == Kind::Train)?;
        let seeds = (kind == Kind::Train && self.variables().has_streams()).then(|| self.copy_of_seeds());
        let mut stage = self.stage();
        stage.check_and_prepare(what, &data, &mut Vec::new())?;
        let data = &data.here()?;
        match &seeds {
            Some(seeds) => stage.take_up_streams(data, Some(data.rows()), seeds, false)?,
            None if kind == Kind::Train => {}
            None => stage.training.evaluating(Some(data.rows())),
        }
        stage.reset()?;
        stage.steps()?.step(kind, data, &data.order()?, &mut None)?;
        Ok(Scores::new(stage.logs()?))
    }
}

/// All that a fit needs: rows on their way, its seeds, and whether these are its own.
pub(super) struct Prepared {
    pub(super) feeding: Feeding,
    pub(super) validation: Option<Whole>,
    pub(super) fit: Fit,
    pub(super) seeds: Seeds,
    pub(super) own: bool,
    pub(super) warnings: Vec<Warning>,
}

/// What a fit validates with: rows, or a source and its first batch.
struct Validation {
    data: Data,
    begun: Option<Begun>,
}

/// What was given to validate with.
fn given_validation(fit: &mut Fit, ends: &Ends) -> Option<Result<Validation>> {
    if let Some(source) = fit.validation_source.take() {
        let validation = Begun::new("validation source", source, fit.initial_epoch).and_then(|mut begun| {
            let data = begun.labelled()?.of(ends)?;
            Ok(Validation { data, begun: Some(begun) })
        });
        return Some(validation.context("fit"));
    }
    let (validation, weights) = (fit.validation_data.take()?, fit.validation_weights.take());
    let data = validation.and_then(|validation| validation.weighted(weights)?.of(ends));
    Some(data.map(|data| Validation { data, begun: None }).context("fit: `validation_data`"))
}

/// Weighs rows by the class of their label.
pub(super) fn weigh(data: &mut Data, classes: &BTreeMap<i64, f64>) -> Result<Vec<Warning>> {
    let [y, others @ ..] = &data.y[..] else { return Ok(Vec::new()) };
    if !others.is_empty() {
        let error = Error::usage("`class_weight` needs a model of one output");
        return Err(error.help("weigh the rows of each output by `sample_weight`"));
    }
    let (of_rows, found) = checks::class_weights(y, classes)?;
    let own = data.weights.pop().map_or_else(|| vec![1.0; of_rows.len()], |own| own.to_vec());
    let both: Vec<f32> = own.iter().zip(of_rows).map(|(a, b)| a * b).collect();
    if let Some(row) = both.iter().position(|weight| !weight.is_finite()) {
        let message = "`class_weight` times `sample_weight` needs to be within the range of `f32`";
        return Err(Error::usage(format!("{message}, got {} in row {row}", both[row])));
    }
    data.weights.push(Array::vector(both));
    Ok(found)
}

/// The rows to train on, and those to validate with.
fn split(data: Data, fit: &mut Fit, warnings: &mut Vec<Warning>, ends: &Ends) -> Result<(Data, Option<Validation>)> {
    if let Some(validation) = given_validation(fit, ends) {
        return Ok((data, Some(validation?)));
    }
    if fit.validation_split == 0.0 {
        return Ok((data, None));
    }
    let rows = data.rows();
    let kept = (rows as f64 * (1.0 - fit.validation_split)).floor() as usize;
    if kept == 0 || kept == rows {
        let what = if kept == 0 { "to train on" } else { "for validation" };
        let error = Error::usage(format!(
            "fit: a `validation_split` of {} of {rows} rows leaves none {what}",
            fit.validation_split
        ));
        return Err(error.help("give `validation_data` instead"));
    }
    warnings.extend(data.y.iter().find_map(checks::split));
    let mut order = empty(ORDER, rows)?;
    order.extend(0..rows);
    let kept_back = Validation { data: data.take(&order[kept..])?, begun: None };
    Ok((data.take(&order[..kept])?, Some(kept_back)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each size of batch is a program, and sizes are many.
    #[test]
    fn programs_of_many_sizes_are_not_all_kept() {
        use crate::Sequential;
        use crate::flavor::Flavor;
        use crate::layers::Dense;
        use crate::random::tests::turn;
        use crate::variables::MOST_PROGRAMS;

        let _turn = turn(Flavor::Keras2);
        let mut model = Sequential::new();
        model.add(Dense::new(3).input_shape([4]));
        let predict = |model: &mut Sequential, rows: usize| {
            let x = ndarray::Array2::<f32>::ones((rows, 4));
            model.predict_with(&x, Predict::new().batch_size(rows).verbose(0)).expect("a prediction")
        };
        let first = predict(&mut model, 1);
        let mut held = Vec::new();
        for rows in 1..=1000 {
            assert_eq!(predict(&mut model, rows).len(), rows * 3);
            // The one that is used all the time stays.
            assert_eq!(predict(&mut model, 1), first);
            held.push(model.variables().session().expect("a session that was run").memory());
        }
        assert_eq!(held[999].programs, MOST_PROGRAMS);
        assert!(held[999].scratch <= held[0].scratch + (4 << 20), "{:?}, then {:?}", held[0], held[999]);
        // The largest batch of all, for which memory grew, goes as well.
        predict(&mut model, 200_000);
        (1..=40).for_each(|rows| _ = predict(&mut model, rows));
        let after = model.variables().session().expect("a session that was run").memory();
        assert!(after.scratch <= held[999].scratch, "{:?}, then {after:?}", held[999]);
    }
}
