//! Penalties on weights or outputs, added to the loss: `keras.regularizers`.

use cornu_graph::Tensor;

crate::one_of! {
    /// A penalty that grows with the size of what it is put on.
    "keras.regularizers" "regularizer" pub enum Regularizer {
        /// `l1 * sum(|x|)`
        L1 = "l1" { l1: f64 = 0.01 => NOT_NEGATIVE },
        /// `l2 * sum(x²)`
        L2 = "l2" { l2: f64 = 0.01 => NOT_NEGATIVE },
        /// `l1 * sum(|x|) + l2 * sum(x²)`
        L1L2 = "l1_l2" as { l1: 0.01, l2: 0.01 } { l1: f64 = 0.0 => NOT_NEGATIVE, l2: f64 = 0.0 => NOT_NEGATIVE },
    }
}

impl Regularizer {
    /// The penalty for `x`, a scalar.
    pub fn penalty(&self, x: &Tensor) -> Tensor {
        let (l1, l2) = match *self {
            Regularizer::L1 { l1 } => (l1, 0.0),
            Regularizer::L2 { l2 } => (0.0, l2),
            Regularizer::L1L2 { l1, l2 } => (l1, l2),
            Regularizer::Unknown(_) => (0.0, 0.0),
        };
        let sizes = (l1 != 0.0).then(|| x.abs().sum_all() * l1);
        let squares = (l2 != 0.0).then(|| x.square().sum_all() * l2);
        match (sizes, squares) {
            (Some(sizes), Some(squares)) => sizes + squares,
            (Some(penalty), None) | (None, Some(penalty)) => penalty,
            (None, None) => x.number(0.0),
        }
    }
}
