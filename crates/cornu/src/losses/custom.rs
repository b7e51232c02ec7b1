//! Losses of one's own.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use cornu_graph::Tensor;

use super::{Loss, Reduction};
use crate::config::{Config, Setting};

/// One number for each sample, of the truth and the predictions.
type Each = dyn Fn(&Tensor, &Tensor) -> Tensor + Send + Sync;

/// A loss made of a closure; see [`loss`].
#[derive(Clone)]
pub struct Custom {
    name: &'static str,
    reduction: Reduction,
    each: Arc<Each>,
    place: &'static Location<'static>,
}

/// A loss of one's own: `each` is given the truth and the predictions of a batch and traces one number for each sample.
///
/// Truth that is given as whole numbers stays so, and becomes floats beside floats, as in Keras 3. The gradient follows
/// from what is traced.
///
/// ```
/// use cornu::losses::loss;
/// let quartic = loss("quartic", |y, p| (y - p).square().square().mean([-1]));
/// ```
#[track_caller]
pub fn loss(name: &'static str, each: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Custom {
    Custom { name, reduction: Reduction::SumOverBatchSize, each: Arc::new(each), place: Location::caller() }
}

impl Custom {
    /// The same loss, with the numbers of the samples brought together in another way.
    #[must_use]
    pub fn with_reduction(mut self, reduction: Reduction) -> Custom {
        self.reduction = reduction;
        self
    }
}

impl Loss for Custom {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn place(&self) -> Option<&'static Location<'static>> {
        Some(self.place)
    }

    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        (self.each)(y_true, y_pred)
    }
}

/// In files a custom loss is its name alone, as in Keras: whoever loads the model must know it.
impl Config for Custom {
    fn class_name(&self) -> &str {
        self.name
    }

    fn module(&self) -> &str {
        "builtins"
    }

    fn settings(&self) -> Vec<Setting<'_>> {
        Vec::new()
    }
}

impl fmt::Debug for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss({:?}, …)", self.name)
    }
}
