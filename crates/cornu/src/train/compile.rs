//! How a model is to be trained: loss, optimizer, metrics.

use std::collections::HashSet;
use std::sync::Arc;

use cornu_graph::{Context, Error, Result};

use super::step::Compiled;
use crate::choice::Choice;
use crate::config::unknown;
use crate::losses::{Loss, Reduction};
use crate::metrics::{ACCURACY, Metric};
use crate::optimizers::{self, Optimizer};
use crate::registry::Family;

/// The arguments of [`Model::compile`](crate::Model::compile): losses, optimizers and metrics by name or as objects.
///
/// ```
/// use cornu::losses::SparseCategoricalCrossentropy;
/// use cornu::optimizers::Adam;
/// use cornu::train::Compile;
///
/// let by_name = Compile::new().optimizer("adam").loss("binary_crossentropy").metrics(["accuracy"]);
/// let by_object = Compile::new().loss(SparseCategoricalCrossentropy::new().from_logits(true)).optimizer(Adam::from(0.01));
/// ```
#[derive(Clone, Debug)]
pub struct Compile {
    /// How gradients become new weights.
    pub optimizer: Choice<dyn Optimizer>,
    /// What training makes smaller.
    pub loss: Option<Choice<dyn Loss>>,
    /// What else is reported.
    pub metrics: Vec<Choice<dyn Metric>>,
    /// What else is reported with weights taken into account.
    pub weighted_metrics: Vec<Choice<dyn Metric>>,
}

/// A metric by the name of its figure.
pub(super) struct Figure<M> {
    pub(super) key: String,
    pub(super) metric: M,
    pub(super) weighted: bool,
}

impl Compile {
    /// RMSprop, Keras's default, and no loss yet: name one.
    pub fn new() -> Compile {
        let (metrics, weighted_metrics) = (Vec::new(), Vec::new());
        Compile { optimizer: "rmsprop".into(), loss: None, metrics, weighted_metrics }
    }

    /// How gradients become new weights.
    #[must_use]
    pub fn optimizer(mut self, optimizer: impl Into<Choice<dyn Optimizer>>) -> Compile {
        self.optimizer = optimizer.into();
        self
    }

    /// What training makes smaller.
    #[must_use]
    pub fn loss(mut self, loss: impl Into<Choice<dyn Loss>>) -> Compile {
        self.loss = Some(loss.into());
        self
    }

    /// What else is reported. `"accuracy"` is the accuracy that goes with the shapes.
    #[must_use]
    pub fn metrics<M: Into<Choice<dyn Metric>>>(mut self, metrics: impl IntoIterator<Item = M>) -> Compile {
        self.metrics = metrics.into_iter().map(Into::into).collect();
        self
    }

    /// What else is reported with sample and class weights taken into account.
    #[must_use]
    pub fn weighted_metrics<M: Into<Choice<dyn Metric>>>(mut self, metrics: impl IntoIterator<Item = M>) -> Compile {
        self.weighted_metrics = metrics.into_iter().map(Into::into).collect();
        self
    }

    /// The metrics, and after them those that weights count for.
    pub(crate) fn all_metrics(&self) -> impl Iterator<Item = &Choice<dyn Metric>> {
        self.metrics.iter().chain(&self.weighted_metrics)
    }

    /// The metrics by the names of their figures.
    ///
    /// # Errors
    /// Two figures of one name.
    pub(super) fn figures(&self) -> Result<Vec<Figure<&Choice<dyn Metric>>>> {
        let plain = self.metrics.iter().map(|metric| (metric, false));
        let all = plain.chain(self.weighted_metrics.iter().map(|metric| (metric, true)));
        let mut figures: Vec<Figure<_>> = Vec::new();
        let mut taken = HashSet::new();
        for (metric, weighted) in all {
            let mut key = match metric {
                Choice::Name(name) => name.clone(),
                Choice::Object(object) => object.key().to_owned(),
            };
            if weighted && taken.contains(&key) {
                key = format!("weighted_{key}");
            }
            if key == "loss" || !taken.insert(key.clone()) {
                let error = Error::usage(format!("two figures are called `{key}`"));
                return Err(error.help("give one of the metrics another name, by `.name(…)`"));
            }
            figures.push(Figure { key, metric, weighted });
        }
        Ok(figures)
    }

    /// Looks the names up.
    pub(crate) fn resolve(self) -> Result<Compiled> {
        let no_loss = || Error::usage("`compile` needs a loss").help("for example `.loss(\"binary_crossentropy\")`");
        let loss = self.loss.as_ref().ok_or_else(no_loss)?.resolve().context("compile")?;
        if loss.reduction() == Reduction::None {
            let message =
                format!("compile: training needs one number, but `{}` has the reduction `none`", loss.class_name());
            return Err(Error::usage(message).help("use the reduction `sum_over_batch_size`"));
        }
        let optimizer = self.optimizer.resolve().context("compile")?;
        optimizers::check(&*optimizer).context("compile")?;
        for metric in self.all_metrics() {
            check_metric(metric).context("compile")?;
        }
        self.figures().context("compile")?;
        Ok(Compiled { loss, optimizer, settings: self })
    }
}

impl Default for Compile {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether a metric is known.
pub(crate) fn check_metric(metric: &Choice<dyn Metric>) -> Result<()> {
    match metric {
        Choice::Name(name) if ACCURACY.contains(&name.as_str()) => Ok(()),
        metric => {
            let found: Arc<dyn Metric> = match metric {
                Choice::Name(name) => {
                    <dyn Metric>::registry().named(name).unwrap_or_else(|| Err(unknown_metric(name)))?
                }
                Choice::Object(object) => Arc::clone(object),
            };
            match found.to_json().get("dtype").and_then(|dtype| dtype.as_str()) {
                None | Some("float32") => Ok(()),
                Some(other) => Err(Error::unsupported(format!(
                    "`{}` knows figures of `float32` only, got `{other}`",
                    found.class_name()
                ))),
            }
        }
    }
}

/// The error for a metric that is not known: Keras's short names are meant more often than classes.
fn unknown_metric(name: &str) -> Error {
    unknown("metric", name, ACCURACY.iter().copied().chain(<dyn Metric>::names()))
}
