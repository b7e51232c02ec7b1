//! What weights are held to after each step of training: `keras.constraints`.

use cornu_graph::Tensor;
use cornu_graph::ops::Reduction;

use crate::config::OneOrMany;

/// Added to lengths before dividing by them.
const EPSILON: f64 = 1e-7;

/// The axes along which lengths are taken. Negative ones count from the end.
type Axes = OneOrMany<i64>;

crate::one_of! {
    /// What a weight is held to after each step of training.
    "keras.constraints" "constraint" pub enum Constraint {
        /// Lengths are at most `max_value`.
        MaxNorm = "max_norm" { max_value: f64 = 2.0 => NOT_NEGATIVE, axis: Axes = Axes::One(0) },
        /// No element is below zero.
        NonNeg = "non_neg" {},
        /// Lengths are one.
        UnitNorm = "unit_norm" { axis: Axes = Axes::One(0) },
        /// Lengths are between `min_value` and `max_value`, or are brought nearer by `rate`.
        MinMaxNorm = "min_max_norm" {
            min_value: f64 = 0.0 => NOT_NEGATIVE,
            max_value: f64 = 1.0 => NOT_NEGATIVE,
            rate: f64 = 1.0 => PART,
            axis: Axes = Axes::One(0),
        },
    }
}

impl Constraint {
    /// The weight nearest to `w` that the constraint allows.
    pub fn apply(&self, w: &Tensor) -> Tensor {
        match self {
            Constraint::MaxNorm { max_value, axis } => {
                let length = lengths(w, axis);
                w * (length.clip(0.0, *max_value) / (length + EPSILON))
            }
            Constraint::NonNeg {} => w * w.ge(0.0).cast(w.dtype()),
            Constraint::UnitNorm { axis } => w / (lengths(w, axis) + EPSILON),
            Constraint::MinMaxNorm { min_value, max_value, rate, axis } => {
                let length = lengths(w, axis);
                let wanted = length.clip(*min_value, *max_value) * *rate + &length * (1.0 - rate);
                w * (wanted / (length + EPSILON))
            }
            Constraint::Unknown(_) => w.clone(),
        }
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
