//! Cross-entropies: what the predicted probabilities say about the true classes.
//!
//! After a sigmoid or a softmax the loss is computed from what went into it, which goes along with the predictions, so that
//! no probability is ever rounded to zero or one on the way to a logarithm. As in Keras, each loss takes what went into
//! either for its own logits: after a sigmoid the categorical ones give what they give after a softmax, and the other way
//! round.

use cornu_graph::{DType, Tensor, ops::Reduction as Reduce};

use super::{Labels, Loss, Reduction};
use crate::config;
use crate::flavor::Flavor;
use crate::layers::Wire;

/// Keras's `backend.epsilon()`: probabilities are kept that far from zero and one.
const EPSILON: f64 = 1e-7;

config! {
    /// Cross-entropy of labels 0 and 1 with predicted probabilities, `[n, …]` each; the mean along `axis`.
    "keras.losses" pub struct BinaryCrossentropy {
        /// The name in logs and files.
        name: String = "binary_crossentropy".into(),
        /// How the numbers of the samples become one.
        reduction: Reduction = Reduction::SumOverBatchSize,
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The part of each label that is spread evenly over all classes.
        label_smoothing: f64 = 0.0 => PART,
        /// The axis of the classes.
        axis: i64 = -1,
    }
}

impl Loss for BinaryCrossentropy {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn labels(&self) -> Labels {
        Labels::Probabilities
    }

    fn takes_logits(&self) -> Option<bool> {
        Some(self.from_logits)
    }

    #[track_caller]
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        self.call_wire(y_true, &y_pred.clone().into())
    }

    #[track_caller]
    fn call_wire(&self, y_true: &Tensor, y_pred: &Wire) -> Tensor {
        let p = &y_pred.tensor;
        let mut y = y_true.cast(p.dtype());
        if self.label_smoothing != 0.0 {
            y = y * (1.0 - self.label_smoothing) + 0.5 * self.label_smoothing;
        }
        let each = match logits(y_pred, self.from_logits) {
            Some(z) => sigmoid_crossentropy(&y, z),
            None => binary_crossentropy(&y, p, Flavor::of(p)),
        };
        each.mean([self.axis as isize])
    }
}

/// `max(z, 0) - z y + log(1 + exp(-|z|))`.
///
/// The terms are traced in the order that makes the gradient TensorFlow's, bit for bit: contributions to `z` are added
/// last traced first, which is `(g - t) - g y` for `z >= 0` and `t - g y` below. Hence the product comes first here.
#[track_caller]
fn sigmoid_crossentropy(y: &Tensor, z: &Tensor) -> Tensor {
    let product = z * y;
    let positive = z.ge(0.0);
    let small = positive.select(-z, z);
    let rest = small.exp().log1p();
    let large = positive.select(z, 0.0);
    (large - product) + rest
}

/// `-(y log p + (1 - y) log(1 - p))` of clipped probabilities; Keras 2 adds the epsilon once more inside the logarithms,
/// where TensorFlow takes `(1 - p) + epsilon` together as `(1 + epsilon) - p` when it compiles the step.
#[track_caller]
pub(super) fn binary_crossentropy(y: &Tensor, p: &Tensor, flavor: Flavor) -> Tensor {
    let p = p.clip(EPSILON, 1.0 - EPSILON);
    let (own, other) = if flavor.clips_twice() { (&p + EPSILON, (1.0 + EPSILON) - &p) } else { (p.clone(), 1.0 - &p) };
    -(y * own.log() + (1.0 - y) * other.log())
}

config! {
    /// Cross-entropy of one-hot labels with predicted probabilities, `[n, …, classes]` each.
    "keras.losses" pub struct CategoricalCrossentropy {
        /// The name in logs and files.
        name: String = "categorical_crossentropy".into(),
        /// How the numbers of the samples become one.
        reduction: Reduction = Reduction::SumOverBatchSize,
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The part of each label that is spread evenly over all classes.
        label_smoothing: f64 = 0.0 => PART,
        /// The axis of the classes.
        axis: i64 = -1,
    }
}

impl Loss for CategoricalCrossentropy {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn labels(&self) -> Labels {
        Labels::OneHot
    }

    fn takes_logits(&self) -> Option<bool> {
        Some(self.from_logits)
    }

    #[track_caller]
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        self.call_wire(y_true, &y_pred.clone().into())
    }

    #[track_caller]
    fn call_wire(&self, y_true: &Tensor, y_pred: &Wire) -> Tensor {
        let (p, axis) = (&y_pred.tensor, self.axis as isize);
        let mut y = y_true.cast(p.dtype());
        if self.label_smoothing != 0.0 {
            y = y * (1.0 - self.label_smoothing) + self.label_smoothing / p.dim(axis) as f64;
        }
        match logits(y_pred, self.from_logits) {
            Some(z) => -(y * z.log_softmax(axis)).sum([axis]),
            None => {
                let p = p / along(p, Reduce::Sum, axis);
                -(y * p.clip(EPSILON, 1.0 - EPSILON).log()).sum([axis])
            }
        }
    }
}

config! {
    /// Cross-entropy of class numbers 0, 1, …, `[n, …]` or `[n, …, 1]`, with predicted probabilities
    /// `[n, …, classes]`.
    ///
    /// Samples of the class `ignore_class` count neither in the sum nor among the samples it is divided by.
    "keras.losses" pub struct SparseCategoricalCrossentropy {
        /// The name in logs and files.
        name: String = "sparse_categorical_crossentropy".into(),
        /// How the numbers of the samples become one.
        reduction: Reduction = Reduction::SumOverBatchSize,
        /// Whether predictions are what goes into the last activation, not what comes out of it.
        from_logits: bool = false,
        /// The class whose samples do not count.
        ignore_class: Option<i64> = None,
    }
}

impl SparseCategoricalCrossentropy {
    /// The labels as whole numbers, without a last axis of size one that the predictions have not got.
    #[track_caller]
    fn labels(y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        let y = y_true.cast(DType::I64);
        let shape = y.shape();
        if shape.rank() == y_pred.rank() && shape.last() == Some(&1) {
            y.reshape(shape.without(shape.rank() - 1))
        } else {
            y
        }
    }

    /// What a softmax is taken of. In Keras 3, leaving out the samples of a class hides what the predictions come from.
    #[track_caller]
    pub(super) fn logits(&self, y_pred: &Wire, flavor: Flavor) -> Tensor {
        let (p, hidden) = (&y_pred.tensor, self.ignore_class.is_some() && flavor.ignoring_hides_logits());
        let found = if hidden { self.from_logits.then_some(p) } else { logits(y_pred, self.from_logits) };
        // Clipped probabilities are normalised once more by taking them for the exponentials of logits.
        found.cloned().unwrap_or_else(|| p.clip(EPSILON, 1.0 - EPSILON).log())
    }
}

impl Loss for SparseCategoricalCrossentropy {
    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn labels(&self) -> Labels {
        Labels::Classes { ignored: self.ignore_class }
    }

    fn takes_logits(&self) -> Option<bool> {
        Some(self.from_logits)
    }

    #[track_caller]
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        self.call_wire(y_true, &y_pred.clone().into())
    }

    #[track_caller]
    fn call_wire(&self, y_true: &Tensor, y_pred: &Wire) -> Tensor {
        let p = &y_pred.tensor;
        let y = Self::labels(y_true, p);
        let z = self.logits(y_pred, Flavor::of(p));
        let own = y.one_hot(z.dim(-1));
        let each = -own.select(z.log_softmax(-1), 0.0).sum([-1]);
        match self.valid(y_true, p) {
            Some(valid) => valid.select(each, 0.0),
            None => each,
        }
    }

    fn valid(&self, y_true: &Tensor, y_pred: &Tensor) -> Option<Tensor> {
        let ignored = self.ignore_class?;
        Some(Self::labels(y_true, y_pred).ne(ignored))
    }
}

/// What the predictions are a sigmoid or softmax of; the predictions themselves, if they are said to be logits.
fn logits(y_pred: &Wire, from_logits: bool) -> Option<&Tensor> {
    y_pred.logits.as_ref().or_else(|| from_logits.then_some(&y_pred.tensor))
}

/// Elements brought together along an axis, which stays with size one.
#[track_caller]
fn along(x: &Tensor, kind: Reduce, axis: isize) -> Tensor {
    let axis = x.axis(axis);
    x.reduce(kind, &[axis]).reshape(x.shape().with(axis, 1))
}
