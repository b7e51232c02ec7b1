//! Metrics: running figures about predictions that training does not follow, as the accuracy.
//!
//! A metric is its settings, the variables it keeps, how a batch changes them, and what they say in the end.

mod running;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock};

use cornu_cpu::Cpu;
use cornu_graph::{Array, DType, Error, Executor, Graph, Result, Session, Shape, Tensor, Trace, Type};
pub use running::Running;

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

    /// The variables it keeps, for truth and predictions of those types.
    fn state(&self, _y_true: &Type, _y_pred: &Type) -> Vec<Total> {
        vec![Total::zeros("total", Shape::scalar()), Total::zeros("count", Shape::scalar())]
    }

    /// The variables after a batch; `weights` weigh its samples, or their positions where the predictions have a mask.
    fn update(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor>;

    /// [`Metric::update`], where a metric goes by what is known of the predictions beside their numbers.
    fn update_wire(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Wire, weights: Option<&Tensor>) -> Vec<Tensor> {
        self.update(state, y_true, &y_pred.tensor, weights)
    }

    /// Whether positions that a mask leaves out weigh nothing in Keras 3 as well, where only means of functions of truth and
    /// prediction see masks. In Keras 2 every metric does.
    fn follows_mask(&self) -> bool {
        false
    }

    /// Whether it is better if it is larger or smaller, for callbacks that watch it; nothing where that depends.
    fn direction(&self) -> Option<Direction> {
        None
    }

    /// What the variables say: a single number for logs; used alone, numbers of any shape.
    fn result(&self, state: &[Tensor]) -> Tensor {
        mean_result(state)
    }
}

/// A variable of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// Its name: `count`.
    pub name: &'static str,
    /// Its element type and shape.
    pub ty: Type,
    /// What each of its numbers is at first.
    pub start: f64,
}

impl Total {
    /// Zeros of `f32`.
    pub fn zeros(name: &'static str, shape: impl Into<Shape>) -> Total {
        Total { name, ty: Type::f32(shape), start: 0.0 }
    }

    /// What it is at first.
    pub(crate) fn value(&self) -> Array {
        Array::from_fn(&self.ty, |_| self.start)
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
        auc { AUC = "auc"; }
        confusion {
            Precision = "precision";
            Recall = "recall";
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

/// `total / count`; zero of nothing. Other variables than those two are a mistake, which is noted.
#[track_caller]
pub fn mean_result(state: &[Tensor]) -> Tensor {
    match state {
        [total, count] => total.div_no_nan(count),
        [first, ..] => {
            let needed = "a mean needs the variables `total` and `count`";
            first.trace().fail(Error::graph(format!("{needed}, got {}", state.len())));
            first.number(f64::NAN)
        }
        [] => Trace::new().constant(Array::scalar(f32::NAN)),
    }
}

/// Where results are computed: on one thread of this processor, wherever steps are.
static HOST: LazyLock<Result<Arc<dyn Session>>> = LazyLock::new(|| Cpu::new().threads(1).open());

/// The session in which results are computed.
///
/// # Errors
/// Settings in the environment that cannot be read.
pub(crate) fn host() -> Result<&'static dyn Session> {
    HOST.as_ref().map(|session| &**session).map_err(Clone::clone)
}

/// The graph of a result, for variables of those types.
///
/// # Errors
/// The first mistake of the metric.
pub(crate) fn result_graph(metric: &dyn Metric, state: &[Total]) -> Result<Graph> {
    let trace = Trace::new();
    let inputs: Vec<Tensor> = state.iter().map(|total| trace.input(total.ty.clone())).collect();
    let result = metric.result(&inputs);
    trace
        .takes(&result, format_args!("metric `{}`", metric.class_name()))
        .or_else(|error| trace.check().and(Err(error)))?;
    trace.finish(&[result], &[])
}
