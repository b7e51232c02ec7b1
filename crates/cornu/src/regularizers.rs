//! Penalties on weights or outputs, added to the loss: `keras.regularizers`.

use cornu_graph::Tensor;

use crate::choice::family;
use crate::config::Config;

/// A penalty that grows with the size of what it is put on.
pub trait Regularizer: Config {
    /// The penalty for `x`, a scalar.
    fn penalty(&self, x: &Tensor) -> Tensor;
}

family! {
    "regularizer" in regularizers: dyn Regularizer = [
        L1 = "l1";
        L2 = "l2";
        L1L2 = "l1_l2" { "l1": 0.01, "l2": 0.01 };
    ]
}

crate::config! {
    /// `l1 * sum(|x|)`
    "keras.regularizers" pub struct L1 {
        /// What the sum is multiplied by.
        l1: f64 = 0.01 => NOT_NEGATIVE,
    }
}

crate::config! {
    /// `l2 * sum(x²)`
    "keras.regularizers" pub struct L2 {
        /// What the sum is multiplied by.
        l2: f64 = 0.01 => NOT_NEGATIVE,
    }
}

crate::config! {
    /// `l1 * sum(|x|) + l2 * sum(x²)`
    "keras.regularizers" pub struct L1L2 {
        /// What the sum of sizes is multiplied by.
        l1: f64 = 0.0 => NOT_NEGATIVE,
        /// What the sum of squares is multiplied by.
        l2: f64 = 0.0 => NOT_NEGATIVE,
    }
}

impl Regularizer for L1 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        penalty(x, self.l1, 0.0)
    }
}

impl Regularizer for L2 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        penalty(x, 0.0, self.l2)
    }
}

impl Regularizer for L1L2 {
    fn penalty(&self, x: &Tensor) -> Tensor {
        penalty(x, self.l1, self.l2)
    }
}

fn penalty(x: &Tensor, l1: f64, l2: f64) -> Tensor {
    let sizes = (l1 != 0.0).then(|| x.abs().sum_all() * l1);
    let squares = (l2 != 0.0).then(|| x.square().sum_all() * l2);
    match (sizes, squares) {
        (Some(sizes), Some(squares)) => sizes + squares,
        (Some(penalty), None) | (None, Some(penalty)) => penalty,
        (None, None) => x.number(0.0),
    }
}
