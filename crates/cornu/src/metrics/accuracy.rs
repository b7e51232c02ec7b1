//! Accuracies: how often the prediction is right.

use cornu_graph::{DType, Tensor};

use super::{Direction, Metric, mean_of};
use crate::config;
use crate::losses::same_rank;

macro_rules! accuracy {
    ($($(#[$doc:meta])* $class:ident = $name:literal { $($fields:tt)* } $hits:expr;)*) => { $(
        config! {
            $(#[$doc])*
            "keras.metrics" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// The type of the figures; only `float32` is known.
                dtype: String = "float32".into(),
                $($fields)*
            }
        }

        impl Metric for $class {
            fn key(&self) -> &str {
                &self.name
            }

            fn follows_mask(&self) -> bool {
                true
            }

            fn direction(&self) -> Option<Direction> {
                Some(Direction::Up)
            }

            #[track_caller]
            fn update(&self, state: &[Tensor], y_true: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
                let hits: fn(&$class, &Tensor, &Tensor) -> Tensor = $hits;
                let (y_true, y_pred) = same_rank(y_true, y_pred);
                mean_of(state, &hits(self, &y_true, &y_pred), weights)
            }
        }
    )* };
}

accuracy! {
    // class = name { settings } of the settings, the truth and the predictions
    /// How often predictions are equal to the truth. For probabilities use one of the others, or the name `accuracy`,
    /// which chooses.
    Accuracy = "accuracy" {} |_, y, p| y.cast(p.dtype()).eq(p);

    /// How often a probability above the threshold goes with the label 1, and another with the label 0.
    BinaryAccuracy = "binary_accuracy" {
        /// The probability that must be exceeded.
        threshold: f64 = 0.5,
    } |metric, y, p| {
        let chosen = p.gt(metric.threshold).cast(DType::F32);
        y.cast(DType::F32).eq(chosen)
    };

    /// How often the largest prediction is at the place of the one in one-hot labels.
    CategoricalAccuracy = "categorical_accuracy" {} |_, y, p| y.argmax(-1).eq(p.argmax(-1));

    /// How often the largest prediction is at the place that the label, a class number, says.
    SparseCategoricalAccuracy = "sparse_categorical_accuracy" {} |_, y, p| {
        let shape = y.shape();
        let column = shape.rank() == p.rank() && shape.last() == Some(&1);
        let y = if column { y.reshape(shape.without(shape.rank() - 1)) } else { y.clone() };
        y.cast(DType::I64).eq(p.argmax(-1))
    };
}
