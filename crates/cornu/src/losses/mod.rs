//! Losses: how far predictions are from the truth.
//!
//! A loss is its settings and one function, [`Loss::call`], that traces one number for each sample; [`Reduction`] says
//! how those become the one number that training makes smaller. [`loss`] makes one of a closure.

mod custom;
#[cfg(test)]
mod tests;

use std::panic::Location;

use cornu_graph::{DType, Error, Result, Tensor};
use serde_json::Value;

pub use custom::{Custom, loss};

use crate::choice::family;
use crate::config::{Config, Field, Kind, expected, not_known};
use crate::flavor::Flavor;
use crate::layers::Wire;

/// A way to measure how far predictions are from the truth: its settings, and how it extends a graph.
///
/// ```
/// use cornu::losses::Reduction;
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// Differences below zero count more.
///     "my.losses" pub struct Quantile {
///         /// The part of the truth that is to lie below the predictions.
///         part: f64 = 0.5,
///     }
/// }
///
/// impl Loss for Quantile {
///     fn reduction(&self) -> Reduction {
///         Reduction::SumOverBatchSize
///     }
///
///     fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
///         let above = y_true.cast(y_pred.dtype()) - y_pred;
///         (&above * self.part).maximum(&above * (self.part - 1.0)).mean([-1])
///     }
/// }
///
/// let mut model = sequential![Dense::new(1)];
/// model.compile(Compile::new().loss(Quantile::new().part(0.9)).optimizer(SGD::from(0.1)))?;
/// model.fit([[1.0], [1.0]], [0.0, 2.0], Fit::new().epochs(300).verbose(0))?;
/// assert!(model.predict([[1.0]])?[[0, 0]] > 1.5);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Loss: Config {
    /// How the numbers of the samples become one.
    fn reduction(&self) -> Reduction;

    /// One number for each sample: `[n, …]` for predictions `[n, …, k]`. The truth has Keras's type, as whole numbers
    /// for class labels; beside floats it becomes floats.
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor;

    /// [`Loss::call`], where a loss goes by what is known of the predictions beside their numbers.
    fn call_wire(&self, y_true: &Tensor, y_pred: &Wire) -> Tensor {
        self.call(y_true, &y_pred.tensor)
    }

    /// Which samples count, if not all do: booleans of the shape of [`Loss::call`]'s result.
    fn valid(&self, _y_true: &Tensor, _y_pred: &Tensor) -> Option<Tensor> {
        None
    }

    /// Where a loss of one's own was made, for messages.
    fn place(&self) -> Option<&'static Location<'static>> {
        None
    }

    /// What labels it needs, to be looked at before training.
    fn labels(&self) -> Labels {
        Labels::Any
    }

    /// Whether it takes predictions for what goes into the last activation; `None` if it is not about probabilities.
    fn takes_logits(&self) -> Option<bool> {
        None
    }
}

/// What labels a loss needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// One class number for each sample, from 0 to the number of outputs less one.
    Classes {
        /// The number that stands for no class.
        ignored: Option<i64>,
    },
    /// A row for each sample that says how much of each class it is.
    OneHot,
    /// Probabilities, in the shape of the output.
    Probabilities,
    /// Numbers, in the shape of the output.
    Numbers,
    /// The loss alone knows.
    Any,
}

family! {
    "loss" in losses: dyn Loss { const KEEPS_NAMES: bool = true; } = [
        crossentropy {
            BinaryCrossentropy = "binary_crossentropy" | "bce" | "BCE";
            CategoricalCrossentropy = "categorical_crossentropy";
            SparseCategoricalCrossentropy = "sparse_categorical_crossentropy";
        }
        regression {
            MeanSquaredError = "mean_squared_error" | "mse" | "MSE";
            MeanAbsoluteError = "mean_absolute_error" | "mae" | "MAE";
        }
    ]
}

/// How the numbers of the samples of a batch become one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Their sum divided by how many there are (`sum_over_batch_size`, `mean`).
    SumOverBatchSize,
    /// Their sum.
    Sum,
    /// Their sum divided by the sum of the sample weights.
    MeanWithSampleWeight,
    /// All of them, as they are. Training needs one number and refuses it.
    None,
}

impl Reduction {
    const NAMES: [(&str, Reduction); 6] = [
        ("sum_over_batch_size", Reduction::SumOverBatchSize),
        ("sum", Reduction::Sum),
        ("mean_with_sample_weight", Reduction::MeanWithSampleWeight),
        ("none", Reduction::None),
        ("mean", Reduction::SumOverBatchSize),
        ("auto", Reduction::SumOverBatchSize),
    ];

    /// Brings the numbers of the samples together: zero where the divisor is zero.
    fn reduce(self, values: &Tensor, weights: Option<&Tensor>) -> Tensor {
        let total = values.sum_all();
        match (self, weights) {
            (Reduction::None, _) => values.clone(),
            (Reduction::Sum, _) => total,
            // A weight that stands for several numbers counts once, as in Keras.
            (Reduction::MeanWithSampleWeight, Some(weights)) => total.div_no_nan(&weights.sum_all()),
            _ => total / values.shape().size().max(1) as f64,
        }
    }
}

impl Field for Reduction {
    fn to_json(&self) -> Value {
        Reduction::NAMES.iter().find(|(_, reduction)| reduction == self).map_or("none", |(name, _)| name).into()
    }

    fn from_json(json: &Value) -> Result<Self> {
        let name = match json {
            Value::Null => "none",
            json => json.as_str().ok_or_else(|| expected("the name of a reduction", json))?,
        };
        let found = Reduction::NAMES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, reduction)| *reduction)
            .ok_or_else(|| not_known("reduction", name, Reduction::NAMES.map(|(name, _)| name)))
    }

    fn kind() -> Kind {
        Kind::OneOf(Reduction::NAMES.map(|(name, _)| name).to_vec())
    }
}

/// What the loss gives for each sample, which must be of the trace that it is called in.
fn each(loss: &dyn Loss, y_true: &Tensor, y_pred: &Wire) -> Tensor {
    let (trace, values) = (y_pred.tensor.trace(), loss.call_wire(y_true, y_pred));
    match trace.takes(&values, format_args!("loss `{}`", loss.class_name())) {
        Ok(()) => values,
        Err(error) => {
            trace.fail(loss.place().into_iter().fold(error, Error::at));
            y_pred.tensor.clone()
        }
    }
}

/// Truth and predictions with the same number of axes, as [`same_rank`] has it.
pub(crate) fn aligned(y_true: &Tensor, y_pred: &Wire) -> (Tensor, Wire) {
    let (y, p) = same_rank(y_true, &y_pred.tensor);
    let same = p.value() == y_pred.tensor.value();
    (y, if same { y_pred.clone() } else { Wire::from(p).masked(y_pred.mask.clone()) })
}

/// The loss of a batch: one number, or one for each sample if that is the loss's reduction.
///
/// `weights` weigh the samples; they broadcast against the result of [`Loss::call`], as the mask of the predictions does.
pub(crate) fn total(loss: &dyn Loss, y_true: &Tensor, y_pred: &Wire, weights: Option<&Tensor>) -> Tensor {
    let (y_true, y_pred) = aligned(y_true, y_pred);
    let values = each(loss, &y_true, &y_pred);
    let own = values.dtype().to_float();
    // Numbers of 16 bits are brought together as singles.
    let values = values.cast(own.widened());
    let weights = weights.map(|weights| weights.cast(values.dtype()));
    let valid = loss.valid(&y_true, &y_pred.tensor).map(|valid| valid.cast(values.dtype()));
    let masks = y_pred.mask.iter().map(|mask| mask.cast(values.dtype())).chain(valid);
    let weights = match masks.reduce(|a, b| a * b) {
        Some(counts) => Some(masked(&counts, weights, loss.reduction())),
        None => weights,
    };
    let Some(weights) = weights else { return loss.reduction().reduce(&values, None).cast(own) };
    let (values, weights) = same_rank(&values, &weights);
    loss.reduction().reduce(&(values * &weights), Some(&weights)).cast(own)
}

/// [`total`] with a weight for each row, which counts for all numbers that the loss gives for the row. In batches of one
/// row Keras gives the same; in others it refuses such weights, or multiplies along another axis that has as many places.
pub(crate) fn of_rows(loss: &dyn Loss, y_true: &Tensor, y_pred: &Wire, weights: Option<&Tensor>) -> Tensor {
    let y_pred = &y_pred.cast_if(Flavor::of(&y_pred.tensor).casts_for_losses(), DType::F32);
    let Some(weights) = weights else { return total(loss, y_true, y_pred, None) };
    let (y, p) = aligned(y_true, y_pred);
    // Equal nodes are one node: the numbers are computed once.
    let values = each(loss, &y, &p);
    let mut shape = vec![1; values.rank().max(1)];
    shape[0] = weights.dim(0);
    if values.rank() > 0 && values.dim(0) != shape[0] && values.dim(0) != 1 && shape[0] != 1 {
        let (name, rows, got) = (loss.class_name(), shape[0], values.ty());
        let error = Error::usage(format!("loss `{name}` needs a number for each of {rows} weights, got {got}"));
        y.trace().fail(loss.place().into_iter().fold(error, Error::at));
        return values.sum_all();
    }
    total(loss, y_true, y_pred, Some(&weights.reshape(&shape[..])))
}

/// The weights of samples of which only some count: means are then over those that do, and zero where none does.
fn masked(valid: &Tensor, weights: Option<Tensor>, reduction: Reduction) -> Tensor {
    let scaled = match reduction {
        Reduction::SumOverBatchSize => valid * valid.number(valid.shape().size() as f64).div_no_nan(&valid.sum_all()),
        _ => valid.clone(),
    };
    match weights {
        Some(weights) => {
            let (weights, scaled) = same_rank(&weights, &scaled);
            weights * scaled
        }
        None => scaled,
    }
}

/// Both with the same number of axes, where one has a last axis of size one too many or too few: `[n]` and `[n, 1]`
/// become `[n, 1]`, and `[n, m, 1]` and `[n, m]` become `[n, m]`.
pub(crate) fn same_rank(a: &Tensor, b: &Tensor) -> (Tensor, Tensor) {
    if b.rank() == a.rank() + 1 {
        let (b, a) = same_rank(b, a);
        return (a, b);
    }
    let shape = a.shape();
    if a.rank() != b.rank() + 1 || shape.last() != Some(&1) {
        return (a.clone(), b.clone());
    }
    if b.rank() == 1 {
        return (a.clone(), b.reshape([b.dim(0), 1]));
    }
    (a.reshape(shape.without(shape.rank() - 1)), b.clone())
}
