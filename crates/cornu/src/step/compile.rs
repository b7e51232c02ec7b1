//! How a model is to be trained: loss, optimizer, metrics.

use std::collections::HashSet;
use std::sync::Arc;

use cornu_graph::{Context, Error, Result, Tensor};

use super::PerOutput;
use crate::choice::Choice;
use crate::config::unknown;
use crate::flavor::Flavor;
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
/// let of_two_outputs = Compile::new()
///     .loss([("price", "mse"), ("kind", "sparse_categorical_crossentropy")])
///     .loss_weights([("price", 0.2), ("kind", 1.0)])
///     .metrics_of("kind", ["accuracy"]);
/// ```
#[derive(Clone, Debug)]
pub struct Compile {
    /// How gradients become new weights.
    pub optimizer: Choice<dyn Optimizer>,
    /// What training makes smaller.
    pub loss: Option<PerOutput<Choice<dyn Loss>>>,
    /// What the losses of outputs are multiplied by, before they are added up.
    pub loss_weights: Option<PerOutput<f64>>,
    /// What else is reported.
    pub metrics: PerOutput<Metrics>,
    /// What else is reported with weights taken into account.
    pub weighted_metrics: PerOutput<Metrics>,
}

/// The metrics of one output.
pub type Metrics = Vec<Choice<dyn Metric>>;

/// A metric by the name of its figure.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) key: String,
    pub(super) metric: Choice<dyn Metric>,
    pub(super) weighted: bool,
}

/// What is done with one output: nothing, if it has no loss and no metrics.
#[derive(Debug)]
pub(crate) struct Head {
    /// Which output.
    pub(crate) output: usize,
    pub(crate) name: String,
    pub(crate) loss: Option<Arc<dyn Loss>>,
    /// What its loss is multiplied by.
    weight: Option<f64>,
    /// The name of its loss among the figures, if it is one.
    pub(super) key: Option<String>,
    pub(super) figures: Vec<Figure>,
}

/// A looked-up [`Compile`].
pub(crate) struct Compiled {
    /// What is done with outputs, in their order.
    pub(crate) heads: Vec<Head>,
    /// The names of all outputs.
    pub(crate) outputs: Vec<String>,
    pub(crate) optimizer: Arc<dyn Optimizer>,
    pub(crate) settings: Compile,
}

impl Head {
    /// A loss of its output, as it counts among others.
    pub(super) fn weighted(&self, loss: &Tensor) -> Option<Tensor> {
        Some(self.weight.map_or_else(|| loss.clone(), |weight| loss * weight))
    }
}

impl Compile {
    /// RMSprop, Keras's default, and no loss yet: name one.
    pub fn new() -> Compile {
        let none = || PerOutput::All(Vec::new());
        let (loss, loss_weights, metrics, weighted_metrics) = (None, None, none(), none());
        Compile { optimizer: "rmsprop".into(), loss, loss_weights, metrics, weighted_metrics }
    }

    /// How gradients become new weights.
    #[must_use]
    pub fn optimizer(mut self, optimizer: impl Into<Choice<dyn Optimizer>>) -> Compile {
        self.optimizer = optimizer.into();
        self
    }

    /// What training makes smaller: one loss for all outputs, a list with one for each, or pairs of output and loss.
    #[must_use]
    pub fn loss(mut self, loss: impl Into<PerOutput<Choice<dyn Loss>>>) -> Compile {
        self.loss = Some(loss.into());
        self
    }

    /// What the losses of outputs are multiplied by before they are added up, as a list or by name.
    #[must_use]
    pub fn loss_weights(mut self, weights: impl Into<PerOutput<f64>>) -> Compile {
        self.loss_weights = Some(weights.into());
        self
    }

    /// What else is reported. `"accuracy"` is the accuracy that goes with the shapes. Of several outputs each has all of
    /// them in Keras 2; in Keras 3 there has to be one for each.
    #[must_use]
    pub fn metrics<M: Into<Choice<dyn Metric>>>(mut self, metrics: impl IntoIterator<Item = M>) -> Compile {
        self.metrics = PerOutput::All(metrics.into_iter().map(Into::into).collect());
        self
    }

    /// What else is reported with sample and class weights taken into account.
    #[must_use]
    pub fn weighted_metrics<M: Into<Choice<dyn Metric>>>(mut self, metrics: impl IntoIterator<Item = M>) -> Compile {
        self.weighted_metrics = PerOutput::All(metrics.into_iter().map(Into::into).collect());
        self
    }

    /// What else is reported of the output of that name.
    #[must_use]
    pub fn metrics_of<M: Into<Choice<dyn Metric>>>(
        mut self,
        output: impl Into<String>,
        metrics: impl IntoIterator<Item = M>,
    ) -> Compile {
        name(&mut self.metrics, output.into(), metrics.into_iter().map(Into::into).collect());
        self
    }

    /// What else is reported of the output of that name with sample weights taken into account.
    #[must_use]
    pub fn weighted_metrics_of<M: Into<Choice<dyn Metric>>>(
        mut self,
        output: impl Into<String>,
        metrics: impl IntoIterator<Item = M>,
    ) -> Compile {
        name(&mut self.weighted_metrics, output.into(), metrics.into_iter().map(Into::into).collect());
        self
    }

    /// The metrics, and after them those that weights count for.
    pub(crate) fn all_metrics(&self) -> impl Iterator<Item = &Choice<dyn Metric>> {
        self.metrics.iter().chain(self.weighted_metrics.iter()).flatten()
    }

    /// What is done with each output.
    ///
    /// # Errors
    /// Two figures of one name, something for an output that there is not, a loss that gives no single number.
    fn heads(&self, loss: &PerOutput<Choice<dyn Loss>>, flavor: Flavor, outputs: &[String]) -> Result<Vec<Head>> {
        let losses = loss.each("loss", outputs)?;
        let weights = self.loss_weights.as_ref().map(|weights| weights.each("loss_weights", outputs)).transpose()?;
        if let Some(bad) = weights.iter().flatten().flatten().find(|weight| !(**weight as f32).is_finite()) {
            let needed = "finite numbers within the range of `f32`";
            return Err(Error::usage(format!("`loss_weights` needs {needed}, got {bad:?}")));
        }
        let metrics = spread(&self.metrics, flavor, outputs)?.each("metrics", outputs)?;
        let weighted = spread(&self.weighted_metrics, flavor, outputs)?.each("weighted_metrics", outputs)?;
        let several = outputs.len() > 1;
        let reported = several && (flavor.reports_lone_losses() || losses.iter().flatten().count() > 1);
        let mut taken = HashSet::from(["loss".to_owned()]);
        let mut heads = Vec::new();
        for (output, name) in outputs.iter().enumerate() {
            let loss = losses[output].as_ref().map(number).transpose()?;
            let key = (reported && loss.is_some()).then(|| format!("{name}_loss"));
            taken.extend(key.clone());
            let weight = weights.as_ref().and_then(|weights| weights[output]);
            let plain = metrics[output].iter().flatten().map(|metric| (metric, false));
            let all = plain.chain(weighted[output].iter().flatten().map(|metric| (metric, true)));
            let prefix = if several { format!("{name}_") } else { String::new() };
            let figures = figures(all, &prefix, &mut taken)?;
            heads.push(Head { output, name: name.clone(), loss, weight, key, figures });
        }
        heads.retain(|head| head.loss.is_some() || !head.figures.is_empty());
        Ok(heads)
    }

    /// Looks the names up, for a model with those outputs.
    pub(crate) fn resolve(self, flavor: Flavor, outputs: &[String]) -> Result<Compiled> {
        let loss = self.loss.as_ref().ok_or_else(no_loss)?;
        let heads = self.heads(loss, flavor, outputs).context("compile")?;
        if heads.iter().all(|head| head.loss.is_none()) {
            return Err(no_loss());
        }
        let optimizer = self.optimizer.resolve().context("compile")?;
        optimizers::check(&*optimizer).context("compile")?;
        Ok(Compiled { heads, outputs: outputs.to_vec(), optimizer, settings: self })
    }
}

fn no_loss() -> Error {
    Error::usage("`compile` needs a loss").help("for example `.loss(\"binary_crossentropy\")`")
}

/// Says what the metrics of one output are.
fn name(all: &mut PerOutput<Metrics>, output: String, metrics: Metrics) {
    match all {
        PerOutput::Named(named) => named.push((output, metrics)),
        others => *others = PerOutput::Named(vec![(output, metrics)]),
    }
}

/// A list of metrics as Keras takes it for several outputs: in Keras 3 it has one for each.
fn spread(metrics: &PerOutput<Metrics>, flavor: Flavor, outputs: &[String]) -> Result<PerOutput<Metrics>> {
    match metrics {
        PerOutput::All(list) if outputs.len() > 1 && !list.is_empty() && !flavor.spreads_metrics() => {
            if list.len() == outputs.len() {
                return Ok(PerOutput::InOrder(list.iter().map(|one| Some(vec![one.clone()])).collect()));
            }
            let error = Error::usage(format!("a list of metrics needs one for each of {} outputs", outputs.len()));
            Err(error.help(format!("name the output: `.metrics_of(\"{}\", [\"mae\"])`", outputs[0])))
        }
        others => Ok(others.clone()),
    }
}

/// The loss of a choice, which must give one number.
fn number(choice: &Choice<dyn Loss>) -> Result<Arc<dyn Loss>> {
    let loss = choice.resolve()?;
    if loss.reduction() != Reduction::None {
        return Ok(loss);
    }
    let message = format!("training needs one number, but `{}` has the reduction `none`", loss.class_name());
    Err(Error::usage(message).help("use the reduction `sum_over_batch_size`"))
}

/// Metrics by the names of their figures.
fn figures<'a>(
    all: impl Iterator<Item = (&'a Choice<dyn Metric>, bool)>,
    prefix: &str,
    taken: &mut HashSet<String>,
) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (metric, weighted) in all {
        check_metric(metric)?;
        let own = match metric {
            Choice::Name(name) => name.clone(),
            Choice::Object(object) => object.key().to_owned(),
        };
        let mut key = format!("{prefix}{own}");
        if weighted && taken.contains(&key) {
            key = format!("{prefix}weighted_{own}");
        }
        if !taken.insert(key.clone()) {
            let error = Error::usage(format!("two figures are called `{key}`"));
            return Err(error.help("give one of the metrics another name, by `.name(…)`"));
        }
        figures.push(Figure { key, metric: metric.clone(), weighted });
    }
    Ok(figures)
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
