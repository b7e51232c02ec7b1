//! What weights are held to after each step of training: `keras.constraints`.

use cornu_graph::Tensor;
use cornu_graph::ops::Reduction;

use crate::choice::family;
use crate::config::{Config, OneOrMany};

/// Added to lengths before dividing by them.
const EPSILON: f64 = 1e-7;

/// The axes along which lengths are taken. Negative ones count from the end.
type Axes = OneOrMany<i64>;

/// What a weight is held to after each step of training.
pub trait Constraint: Config {
    /// The weight nearest to `w` that the constraint allows.
    fn apply(&self, w: &Tensor) -> Tensor;
}

family! {
    "constraint" in constraints: dyn Constraint = [
        MaxNorm = "max_norm";
        NonNeg = "non_neg";
        UnitNorm = "unit_norm";
        MinMaxNorm = "min_max_norm";
    ]
}

crate::config! {
    /// Lengths are at most `max_value`.
    "keras.constraints" pub struct MaxNorm {
        /// The largest length.
        max_value: f64 = 2.0 => NOT_NEGATIVE,
        /// The axes along which lengths are taken.
        axis: Axes = Axes::One(0),
    }
}

crate::config! {
    /// No element is below zero.
    "keras.constraints" pub struct NonNeg {}
}

crate::config! {
    /// Lengths are one.
    "keras.constraints" pub struct UnitNorm {
        /// The axes along which lengths are taken.
        axis: Axes = Axes::One(0),
    }
}

crate::config! {
    /// Lengths are between `min_value` and `max_value`, or are brought nearer by `rate`.
    "keras.constraints" pub struct MinMaxNorm {
        /// The smallest length.
        min_value: f64 = 0.0 => NOT_NEGATIVE,
        /// The largest length.
        max_value: f64 = 1.0 => NOT_NEGATIVE,
        /// The part of the way that one step goes.
        rate: f64 = 1.0 => PART,
        /// The axes along which lengths are taken.
        axis: Axes = Axes::One(0),
    }
}

impl Constraint for MaxNorm {
    fn apply(&self, w: &Tensor) -> Tensor {
        let length = lengths(w, &self.axis);
        w * (length.clip(0.0, self.max_value) / (length + EPSILON))
    }
}

impl Constraint for NonNeg {
    fn apply(&self, w: &Tensor) -> Tensor {
        w * w.ge(0.0).cast(w.dtype())
    }
}

impl Constraint for UnitNorm {
    fn apply(&self, w: &Tensor) -> Tensor {
        w / (lengths(w, &self.axis) + EPSILON)
    }
}

impl Constraint for MinMaxNorm {
    fn apply(&self, w: &Tensor) -> Tensor {
        let length = lengths(w, &self.axis);
        let wanted = length.clip(self.min_value, self.max_value) * self.rate + &length * (1.0 - self.rate);
        w * (wanted / (length + EPSILON))
    }
}

/// The lengths of `w` along axes, which stay with size one.
fn lengths(w: &Tensor, axes: &Axes) -> Tensor {
    let mut axes: Vec<usize> = axes.as_slice().iter().map(|&axis| w.axis(axis as isize)).collect();
    axes.sort_unstable();
    axes.dedup();
    // A mistake is noted by then; a scalar has no axis at all.
    axes.retain(|&axis| axis < w.rank());
    let kept = axes.iter().fold(w.shape(), |shape, &axis| shape.with(axis, 1));
    w.square().reduce(Reduction::Sum, &axes).reshape(kept).sqrt()
}
