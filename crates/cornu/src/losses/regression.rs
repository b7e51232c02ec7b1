//! Losses between two arrays of numbers, `[n, …, k]` each: the mean along the last axis.

use cornu_graph::Tensor;

use super::{Labels, Loss, Reduction};
use crate::config;

macro_rules! regression {
    ($($(#[$doc:meta])* $class:ident = $name:literal, $each:expr;)*) => { $(
        config! {
            $(#[$doc])*
            "keras.losses" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// How the numbers of the samples become one.
                reduction: Reduction = Reduction::SumOverBatchSize,
            }
        }

        impl Loss for $class {
            fn reduction(&self) -> Reduction {
                self.reduction
            }

            fn labels(&self) -> Labels {
                Labels::Numbers
            }

            #[track_caller]
            fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
                let each: fn(Tensor) -> Tensor = $each;
                let values = each(y_pred - y_true.cast(y_pred.dtype()));
                if values.rank() == 0 { values } else { values.mean([-1]) }
            }
        }
    )* };
}

regression! {
    // class = name, of the difference between prediction and truth
    /// The mean of the squared differences.
    MeanSquaredError = "mean_squared_error", |difference| difference.square();
    /// The mean of the distances.
    MeanAbsoluteError = "mean_absolute_error", |difference| difference.abs();
}
