//! Metrics: running figures about predictions that training does not follow, as the accuracy.
//!
//! A metric is its settings, the variables it keeps, how a batch changes them, and what they say in the end.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cornu_graph::{Array, DType, Error, Shape, Tensor};

use crate::choice::family;
use crate::config::Config;
use crate::layers::Wire;
use crate::losses::same_rank;

/// A running figure: its settings, and how it extends the graph of a step.
///
/// Most are means: they implement [`Metric::update`] by [`mean_of`], and the rest follows.
///
/// ```
/// use cornu::metrics::mean_of;
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// How often a prediction is near enough.
///     "my.metrics" pub struct Near {
///         /// The largest distance that is near enough.
///         distance: f64,
///     }
/// }
///
/// impl Metric for Near {
///     fn key(&self) -> &str {
///         "near"
///     }
///
///     fn update(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
///         let distance = (y_true.cast(DType::F32) - y_pred).abs();
///         mean_of(state, &distance.le(self.distance).cast(DType::F32), weights)
///     }
/// }
///
/// let mut model = sequential![Dense::new(1).kernel_initializer("zeros")];
/// model.compile(Compile::new().loss("mse").metrics([Near::new(0.5)]))?;
/// assert_eq!(model.test_on_batch([[1.0], [2.0]], [0.25, 3.0])?["near"], 0.5);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Metric: Config {
    /// Its name in logs and histories.
    fn key(&self) -> &str;

    /// The variables it keeps, all of `f32` and zeros at first.
    fn state(&self) -> Vec<(&'static str, Shape)> {
        vec![("total", Shape::scalar()), ("count", Shape::scalar())]
    }

    /// The variables after a batch; `weights` weigh its samples.
    fn update(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor>;

    /// [`Metric::update`], where a metric goes by what is known of the predictions beside their numbers.
    fn update_wire(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Wire, weights: Option<&Tensor>) -> Vec<Tensor> {
        self.update(state, y_true, &y_pred.tensor, weights)
    }

    /// Whether it is better if it is larger or smaller, for callbacks that watch it; nothing where that depends.
    fn direction(&self) -> Option<Direction> {
        None
    }

    /// What the variables say.
    fn result(&self, state: &[Array]) -> f64 {
        mean_result(state)
    }
}

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Larger, as an accuracy.
    Up,
    /// Smaller, as an error.
    Down,
}

family! {
    "metric" in metrics: dyn Metric { const KEEPS_NAMES: bool = true; } = [
        accuracy {
            Accuracy = ;
            BinaryAccuracy = "binary_accuracy";
            CategoricalAccuracy = "categorical_accuracy";
            SparseCategoricalAccuracy = "sparse_categorical_accuracy";
        }
        mean {
            Mean = "mean";
            MeanSquaredError = "mean_squared_error" | "mse" | "MSE";
            MeanAbsoluteError = "mean_absolute_error" | "mae" | "MAE";
            BinaryCrossentropy = "binary_crossentropy" | "bce" | "BCE";
            CategoricalCrossentropy = "categorical_crossentropy";
            SparseCategoricalCrossentropy = "sparse_categorical_crossentropy";
        }
    ]
}

/// The names that mean one of three accuracies, depending on shapes.
pub(crate) const ACCURACY: [&str; 4] = ["accuracy", "acc", "crossentropy", "ce"];

/// The metric that `accuracy` or `crossentropy` means for truth and predictions of those shapes: binary for one output,
/// sparse where the truth has class numbers, categorical otherwise.
pub(crate) fn by_shapes(name: &str, y_true: &Shape, y_pred: &Shape) -> Arc<dyn Metric> {
    let accuracy = name.starts_with("acc");
    if y_pred.last().is_none_or(|&outputs| outputs == 1) {
        return if accuracy { Arc::new(BinaryAccuracy::new()) } else { Arc::new(BinaryCrossentropy::new()) };
    }
    match (y_true.rank() < y_pred.rank() || y_true.last() == Some(&1), accuracy) {
        (true, true) => Arc::new(SparseCategoricalAccuracy::new()),
        (true, false) => Arc::new(SparseCategoricalCrossentropy::new()),
        (false, true) => Arc::new(CategoricalAccuracy::new()),
        (false, false) => Arc::new(CategoricalCrossentropy::new()),
    }
}

/// The variables `total` and `count` of a running mean after some more values, `[n, …]`: each sample counts by its
/// weight, or as one, with the mean of its values. Other variables than those two are a mistake, which is noted.
#[track_caller]
pub fn mean_of(state: &[Tensor], values: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
    let [total, count_so_far] = state else {
        let needed = "`mean_of` needs the variables `total` and `count`";
        values.trace().fail(Error::graph(format!("{needed}, got {}", state.len())));
        return state.to_vec();
    };
    let sample_means = |x: Tensor, first: usize| {
        let axes: Vec<usize> = (first..x.rank()).collect();
        let count = axes.iter().map(|&axis| x.shape()[axis] as f64).product::<f64>();
        if axes.is_empty() { x } else { x.reduce(cornu_graph::ops::Reduction::Sum, &axes) / count.max(1.0) }
    };
    let values = values.cast(DType::F32);
    let (values, count) = match weights {
        Some(weights) => {
            let (values, weights) = same_rank(&values, &weights.cast(DType::F32));
            let values = sample_means(values, weights.rank());
            let weights = weights.broadcast_to(values.shape());
            (sample_means(values * &weights, 1), sample_means(weights, 1).sum_all())
        }
        None => {
            let samples = if values.rank() == 0 { 1 } else { values.dim(0) };
            (sample_means(values, 1), count_so_far.number(samples as f64))
        }
    };
    vec![total + values.sum_all(), count_so_far + count]
}

/// `total / count`, in single precision; zero of nothing, and not a number of other variables than those two.
fn mean_result(state: &[Array]) -> f64 {
    let [total, count] = state else { return f64::NAN };
    let [total, count] = [total, count].map(|sum| if sum.len() == 1 { sum.get(0) as f32 } else { f32::NAN });
    if count == 0.0 { 0.0 } else { f64::from(total / count) }
}
