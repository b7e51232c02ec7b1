//! Means: of numbers as they are, and of what a loss gives for each sample.

use cornu_graph::{DType, Tensor};

use super::{Direction, Metric, mean_of};
use crate::config;
use crate::flavor::Flavor;
use crate::layers::Wire;
use crate::losses::{self, Loss, aligned, same_rank};

config! {
    /// The mean of the predictions, whatever the truth.
    "keras.metrics" pub struct Mean {
        /// The name in logs and files.
        name: String = "mean".into(),
        /// The type of the figures; only `float32` is known.
        dtype: String = "float32".into(),
    }
}

impl Metric for Mean {
    fn key(&self) -> &str {
        &self.name
    }

    #[track_caller]
    fn update(&self, state: &[Tensor], _: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
        mean_of(state, y_pred, weights)
    }
}

macro_rules! mean_loss {
    ($($class:ident = $name:literal { $($(#[doc = $doc:literal])* $field:ident: $ty:ty = $default:expr $(=> $mark:ident)?,)* };)*) => { $(
        config! {
            #[doc = concat!("The mean of [`", stringify!($class), "`](crate::losses::", stringify!($class), ").")]
            "keras.metrics" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// The type of the figures; only `float32` is known.
                dtype: String = "float32".into(),
                $($(#[doc = $doc])* $field: $ty = $default $(=> $mark)?,)*
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
                Some(Direction::Down)
            }

            #[track_caller]
            fn update(&self, state: &[Tensor], y: &Tensor, p: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
                self.update_wire(state, y, &p.clone().into(), weights)
            }

            #[track_caller]
            fn update_wire(&self, state: &[Tensor], y: &Tensor, p: &Wire, weights: Option<&Tensor>) -> Vec<Tensor> {
                let loss = losses::$class::new()$(.$field(self.$field.clone()))*;
                mean_loss(&loss, state, y, p, weights)
            }
        }
    )* };
}

mean_loss! {
    MeanSquaredError = "mean_squared_error" {};
    MeanAbsoluteError = "mean_absolute_error" {};
    BinaryCrossentropy = "binary_crossentropy" {
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The part of each label that is spread evenly over all classes.
        label_smoothing: f64 = 0.0 => PART,
    };
    CategoricalCrossentropy = "categorical_crossentropy" {
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The part of each label that is spread evenly over all classes.
        label_smoothing: f64 = 0.0 => PART,
        /// The axis of the classes.
        axis: i64 = -1,
    };
    SparseCategoricalCrossentropy = "sparse_categorical_crossentropy" {
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The class whose samples do not count.
        ignore_class: Option<i64> = None,
    };
}

/// The running mean of a loss. As in Keras, samples that the loss leaves out count (with a loss of zero) unless samples
/// have weights.
#[track_caller]
fn mean_loss(loss: &dyn Loss, state: &[Tensor], y: &Tensor, p: &Wire, weights: Option<&Tensor>) -> Vec<Tensor> {
    let p = p.cast_if(Flavor::of(&p.tensor).casts_for_metrics(), DType::F32);
    let (y, p) = aligned(y, &p);
    let values = loss.call_wire(&y, &p);
    let (Some(valid), Some(weights)) = (loss.valid(&y, &p.tensor), weights) else {
        return mean_of(state, &values, weights);
    };
    let (valid, weights) = same_rank(&valid.cast(values.dtype()), &weights.cast(values.dtype()));
    mean_of(state, &values, Some(&(valid * weights)))
}
