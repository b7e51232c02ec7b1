//! The loops of `fit`, `evaluate` and `predict`.

use std::ops::ControlFlow;

use cornu_graph::{Array, Context, Error, ErrorKind, ProgramId, Result, Type};
use ndarray::ArrayD;

use super::batches::{Batches, InOrder};
use super::checks;
use super::feed::Data;
use super::fit::{batch_rows, positive};
use super::history::{History, Params, Scores};
use super::progress::Bar;
use super::step::{Kind, Stage};
use super::traces::Drawn;
use super::{Callback, Code, Evaluate, Fit, Predict, Warning};
use crate::Model;
use crate::data::{ToArray, from_array};
use crate::display::Verbose;
use crate::random::{Flavor, Seeds, flavor, with_seeds};

type Logs = Vec<(String, f64)>;

impl Model {
    /// Trains on the rows of `x` and their labels `y`.
    ///
    /// Fractions are rounded to `f32` once; a row of labels is taken for a column. Ctrl-C stops between two batches.
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
    /// A model that is not compiled, arguments that cannot be right, data that does not fit the model or the loss, and
    /// Ctrl-C, after which the model keeps what it has learned.
    pub fn fit(&mut self, x: &(impl ToArray + ?Sized), y: &(impl ToArray + ?Sized), fit: Fit) -> Result<History> {
        self.stage().training.compiled("fit")?;
        fit.check()?;
        let data = Data::labelled(x, y)?;
        self.fit_data(data, fit)
    }

    fn fit_data(&mut self, data: Data, mut fit: Fit) -> Result<History> {
        let weights = fit.sample_weight.take().transpose()?;
        let data = data.weighted(weights.as_ref())?;
        checks::numbers(&data)?;
        self.build_to_train(&data)?;
        let seeds = fit.seeds.take().unwrap_or_else(|| with_seeds(|seeds| seeds.clone()));
        let mut warnings = Vec::new();
        let (mut train, validation) = split(data, &mut fit, &mut warnings)?;
        if let (Some(classes), Some(y)) = (&fit.class_weight, &train.y) {
            let (of_rows, found) = checks::class_weights(y, classes)?;
            warnings.extend(found);
            let own = train.weights.take().map_or_else(|| vec![1.0; of_rows.len()], |own| own.to_vec());
            let both: Vec<f32> = own.iter().zip(of_rows).map(|(a, b)| a * b).collect();
            train.weights = Some(Array::vector(both));
        }
        let mut stage = self.stage();
        stage.check_and_prepare("fit", &train, &mut warnings)?;
        if let Some(validation) = &validation {
            checks::numbers(validation).context("fit: `validation_data`")?;
            stage.check_and_prepare("fit: `validation_data`", validation, &mut Vec::new())?;
        }
        Run::new(stage, train, validation, fit, &seeds, warnings).epochs()
    }

    /// The loss and the metrics over the rows of `x` and their labels `y`.
    ///
    /// # Errors
    /// A model that is not compiled, or data that does not fit the model or the loss.
    pub fn evaluate(&mut self, x: &(impl ToArray + ?Sized), y: &(impl ToArray + ?Sized)) -> Result<Scores> {
        self.evaluate_with(x, y, Evaluate::new())
    }

    /// [`Model::evaluate`], with arguments.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`], and a batch size of 0.
    pub fn evaluate_with(
        &mut self,
        x: &(impl ToArray + ?Sized),
        y: &(impl ToArray + ?Sized),
        evaluate: Evaluate,
    ) -> Result<Scores> {
        self.stage().training.compiled("evaluate")?;
        positive("evaluate", "batch_size", evaluate.batch_size)?;
        positive("evaluate", "steps", evaluate.steps)?;
        let weights = evaluate.sample_weight.transpose()?;
        let data = Data::labelled(x, y)?.weighted(weights.as_ref())?;
        checks::numbers(&data)?;
        self.build_for(&data)?;
        let mut stage = self.stage();
        stage.check_and_prepare("evaluate", &data, &mut Vec::new())?;
        let batches = InOrder::new(&data, evaluate.batch_size, evaluate.steps);
        let mut bar = Bar::new(evaluate.verbose, flavor(), batches.steps);
        bar.iter_mut().for_each(Bar::begin);
        stage.evaluate(&data, batches, bar.as_mut())?;
        let logs = stage.logs()?;
        bar.iter_mut().for_each(|bar| bar.end(&logs));
        Ok(Scores::new(logs))
    }

    /// What the model makes of the rows of `x`: an array with one row for each.
    ///
    /// # Errors
    /// Data that does not fit the model.
    pub fn predict(&mut self, x: &(impl ToArray + ?Sized)) -> Result<ArrayD<f32>> {
        self.predict_with(x, Predict::new())
    }

    /// [`Model::predict`], with arguments.
    ///
    /// # Errors
    /// Those of [`Model::predict`], and a batch size of 0.
    pub fn predict_with(&mut self, x: &(impl ToArray + ?Sized), predict: Predict) -> Result<ArrayD<f32>> {
        positive("predict", "batch_size", Some(predict.batch_size))?;
        let data = Data::features(x)?;
        if data.rows() == 0 {
            return Err(Error::data("`x` needs at least one row, got none"));
        }
        self.build_for(&data)?;
        let steps = data.rows().div_ceil(predict.batch_size);
        let mut bar = Bar::new(predict.shown(steps), flavor(), steps);
        bar.iter_mut().for_each(Bar::begin);
        let predictions = self.stage().predict(&data, predict.batch_size, bar.as_mut())?;
        bar.iter_mut().for_each(|bar| bar.end(&[]));
        Ok(from_array(&predictions))
    }

    /// One step of training on these rows; gives their loss and metrics.
    ///
    /// # Errors
    /// Those of [`Model::fit`].
    pub fn train_on_batch(&mut self, x: &(impl ToArray + ?Sized), y: &(impl ToArray + ?Sized)) -> Result<Scores> {
        let data = Data::labelled(x, y)?;
        self.on_batch("train_on_batch", Kind::Train, &data)
    }

    /// The loss and the metrics of these rows; no weight changes.
    ///
    /// # Errors
    /// Those of [`Model::evaluate`].
    pub fn test_on_batch(&mut self, x: &(impl ToArray + ?Sized), y: &(impl ToArray + ?Sized)) -> Result<Scores> {
        let data = Data::labelled(x, y)?;
        self.on_batch("test_on_batch", Kind::Test, &data)
    }

    fn on_batch(&mut self, what: &str, kind: Kind, data: &Data) -> Result<Scores> {
        self.stage().training.compiled(what)?;
        checks::numbers(data)?;
        if kind == Kind::Train { self.build_to_train(data) } else { self.build_for(data) }?;
        let mut stage = self.stage();
        stage.check_and_prepare(what, data, &mut Vec::new())?;
        if kind == Kind::Train {
            stage.enter_trace(data, Some(data.rows()))?;
        } else {
            stage.training.drawn.meet(Some(data.rows()));
        }
        stage.reset()?;
        let program = stage.program(kind, data, data.rows())?;
        let session = stage.variables.session()?;
        data.whole().with(|feeds| session.run(program, feeds))?;
        Ok(Scores::new(stage.logs()?))
    }

    /// The learning rate of the next step of training.
    ///
    /// # Errors
    /// A model that is not compiled.
    pub fn learning_rate(&mut self) -> Result<f64> {
        let mut stage = self.stage();
        stage.open()?;
        stage.learning_rate()
    }

    /// Sets the learning rate of the next steps of training.
    ///
    /// # Errors
    /// A model that was not trained yet (give the rate to the optimizer), or a rate below 0.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        if !(rate >= 0.0 && (rate as f32).is_finite()) {
            return Err(Error::usage(format!("the learning rate needs a number of 0 or more, got {rate}")));
        }
        let mut stage = self.stage();
        stage.open()?;
        stage.set_learning_rate(rate)
    }

    /// [`Model::build_for`], where the first step of training is what builds the model.
    fn build_to_train(&mut self, data: &Data) -> Result<()> {
        if !self.is_built() {
            self.build_for(data)?;
            // Keras 2 builds it by a trace that is good for nothing else.
            self.parts().1.next_streams();
        }
        self.check()
    }

    /// Builds a model whose layers were not told the shape of their input.
    fn build_for(&mut self, data: &Data) -> Result<()> {
        if self.is_built() {
            return self.check();
        }
        let shape = data.x.shape()[1..].iter().map(|&size| Some(size));
        self.build_batch(&std::iter::once(None).chain(shape).collect())?;
        self.stage().training.drawn = Drawn::ToCome;
        Ok(())
    }
}

/// The rows to train on, and those to validate with.
fn split(data: Data, fit: &mut Fit, warnings: &mut Vec<Warning>) -> Result<(Data, Option<Data>)> {
    if let Some(validation) = fit.validation_data.take() {
        let weights = fit.validation_weights.take().transpose();
        let validation = validation.and_then(|validation| validation.weighted(weights?.as_ref()));
        return Ok((data, Some(validation.map_err(|error| error.context("fit: `validation_data`"))?)));
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
    warnings.extend(data.y.as_ref().and_then(checks::split));
    let order: Vec<usize> = (0..rows).collect();
    Ok((data.take(&order[..kept]), Some(data.take(&order[kept..]))))
}

impl Stage<'_> {
    /// Looks at labels and model, and makes the variables of training.
    fn check_and_prepare(&mut self, what: &str, data: &Data, warnings: &mut Vec<Warning>) -> Result<()> {
        let Some(y) = &data.y else { return Ok(()) };
        self.open()?;
        let output = self.outline(Type::new(data.x.dtype(), data.x.shape().with(0, 1))).context(what)?;
        let loss = std::sync::Arc::clone(&self.training.compiled(what)?.loss);
        checks::labels(y, &*loss, &output).context(what)?;
        warnings.extend(checks::output(&*loss, &output));
        warnings.extend(checks::metrics(&self.training.compiled(what)?.settings));
        self.prepare(what, y.shape(), &output.shape)
    }

    /// Runs over rows in order; the running totals are of these rows afterwards.
    fn evaluate(&mut self, data: &Data, batches: InOrder, mut bar: Option<&mut Bar>) -> Result<()> {
        self.reset()?;
        self.training.drawn.meet(data.one_size(batches.size));
        let order: Vec<usize> = (0..data.rows()).collect();
        for (i, rows) in order.chunks(batches.size).take(batches.steps).enumerate() {
            let program = self.program(Kind::Test, data, rows.len())?;
            let session = self.variables.session()?;
            data.feeds(rows).with(|feeds| session.run(program, feeds))?;
            if let Some(bar) = &mut bar {
                bar.on_train_batch_end(i, &mut || self.logs().unwrap_or_default());
            }
        }
        Ok(())
    }

    fn predict(&mut self, data: &Data, batch: usize, mut bar: Option<&mut Bar>) -> Result<Array> {
        self.open()?;
        self.training.drawn.meet(data.one_size(batch));
        if data.rows() <= batch {
            let program = self.program(Kind::Predict, data, data.rows())?;
            let session = self.variables.session()?;
            data.whole().with(|feeds| session.run(program, feeds))?;
            bar.iter_mut().for_each(|bar| bar.on_train_batch_end(0, &mut Vec::new));
            return session.output(program, 0);
        }
        let order: Vec<usize> = (0..data.rows()).collect();
        let (mut all, mut shape) = (Vec::new(), None);
        for (i, rows) in order.chunks(batch).enumerate() {
            let program = self.program(Kind::Predict, data, rows.len())?;
            let session = self.variables.session()?;
            data.feeds(rows).with(|feeds| session.run(program, feeds))?;
            let output = session.output(program, 0)?;
            shape.get_or_insert_with(|| output.shape().with(0, data.rows()));
            all.extend(output.to_vec::<f32>());
            bar.iter_mut().for_each(|bar| bar.on_train_batch_end(i, &mut Vec::new));
        }
        Array::new(shape.unwrap_or_default(), all)
    }
}

/// A fit that has been checked.
struct Run<'a> {
    stage: Stage<'a>,
    train: Data,
    validation: Option<Data>,
    fit: Fit,
    batches: Batches,
    flavor: Flavor,
    steps: usize,
    /// Batches until the rows have come as often as there are epochs, where Keras 2 ends a training.
    left: usize,
    /// Programs by their number of rows: there are hardly more than two.
    programs: Vec<(usize, ProgramId)>,
    history: History,
}

impl<'a> Run<'a> {
    fn new(
        stage: Stage<'a>,
        train: Data,
        validation: Option<Data>,
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
        let batches = Batches::new(fit.shuffle.then_some(seeds), rows, size);
        let flavor = seeds.flavor();
        let left = rows.div_ceil(size).saturating_mul(fit.epochs.saturating_sub(fit.initial_epoch));
        Run { stage, train, validation, fit, batches, flavor, steps, left, programs: Vec::new(), history }
    }

    fn epochs(mut self) -> Result<History> {
        self.warn_if_too_few_rows();
        self.stage.enter_trace(&self.train, self.train.one_size(self.batches.size))?;
        if self.fit.verbose != Verbose::Silent {
            self.history.warnings.iter().for_each(|warning| eprintln!("{warning}"));
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
            // Keras 2 reports a loss of 0 for an epoch without a batch.
            if self.flavor == Flavor::Keras2 && self.left == 0 {
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
        // What `steps_per_epoch` left of the rows comes first.
        if self.flavor == Flavor::Keras3 && (self.fit.steps_per_epoch.is_none() || self.batches.is_used_up()) {
            self.batches.restart();
        }
        for batch in 0..self.steps {
            if batch > 0 && self.is_out_of_rows() {
                break;
            }
            self.step()?;
            for callback in &mut *callbacks {
                callback.on_train_batch_end(batch, &mut || self.stage.logs().unwrap_or_default());
            }
            if stopped() {
                let message = format!("stopped in epoch {} after batch {} of {}", epoch + 1, batch + 1, self.steps);
                let help = "the model keeps what it has learned; `fit` again goes on from there";
                return Err(Error::new(ErrorKind::Interrupted, message).help(help));
            }
        }
        let logs = self.logs(epoch)?;
        self.warn_if_not_finite(epoch, &logs);
        self.history.push(epoch, &logs);
        let mut end = ControlFlow::Continue(());
        for callback in callbacks {
            if callback.on_epoch_end(epoch, &logs).is_break() {
                end = ControlFlow::Break(());
            }
        }
        Ok(end)
    }

    /// Whether an epoch ends for want of rows, before `steps_per_epoch`.
    fn is_out_of_rows(&self) -> bool {
        match self.flavor {
            Flavor::Keras2 => self.left == 0,
            Flavor::Keras3 => self.batches.is_used_up(),
        }
    }

    /// Trains on the next batch.
    fn step(&mut self) -> Result<()> {
        self.left = self.left.saturating_sub(1);
        let rows = self.batches.next();
        let program = match self.programs.iter().find(|(count, _)| *count == rows.len()) {
            Some((_, program)) => *program,
            None => {
                let program = self.stage.program(Kind::Train, &self.train, rows.len())?;
                self.programs.push((rows.len(), program));
                program
            }
        };
        let session = self.stage.variables.session()?;
        self.train.feeds(rows).with(|feeds| session.run(program, feeds))
    }

    /// The figures of an epoch, in the order of Keras's history: Keras 3 sorts them by name.
    fn logs(&mut self, epoch: usize) -> Result<Logs> {
        let mut logs = self.stage.logs()?;
        if let Some(validation) =
            self.validation.as_ref().filter(|_| (epoch + 1).is_multiple_of(self.fit.validation_freq))
        {
            self.stage.evaluate(validation, self.fit.validation_batches(validation), None)?;
            logs.extend(self.stage.logs()?.into_iter().map(|(name, value)| (format!("val_{name}"), value)));
        }
        if self.flavor == Flavor::Keras3 {
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
            eprintln!("{warning}");
        }
        self.history.warnings.push(warning);
    }

    fn warn_if_too_few_rows(&mut self) {
        let (steps, available) = (self.steps, self.train.rows().div_ceil(self.batches.size));
        let several = self.fit.epochs.saturating_sub(self.fit.initial_epoch) > 1;
        let end = match self.flavor {
            Flavor::Keras2 if steps > available => Some("the training ends when they have come once for each epoch"),
            Flavor::Keras3 if steps > available => Some("epochs end there"),
            Flavor::Keras3 if several && !available.is_multiple_of(steps) => Some("some epochs get fewer"),
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
