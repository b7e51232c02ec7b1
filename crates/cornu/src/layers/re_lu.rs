//! The rectifier, with a slope, a threshold and a ceiling.

use cornu_graph::Tensor;

use super::Layer;
use crate::activations::{Activation, Relu};
use crate::trace::Cx;

crate::config! {
    /// `x` from `threshold` to `max_value`, which it does not exceed; `negative_slope * (x - threshold)` below.
    "keras.layers" pub layer ReLU {
        /// The most that comes out.
        max_value: Option<f64> = None => NOT_NEGATIVE,
        /// The slope below the threshold.
        negative_slope: f64 = 0.0 => NOT_NEGATIVE,
        /// Where `x` begins to come out.
        threshold: f64 = 0.0 => NOT_NEGATIVE,
    }
}

impl Layer for ReLU {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        let ReLU { max_value, negative_slope, threshold, .. } = *self;
        Relu { negative_slope, max_value, threshold }.apply(x)
    }

    fn supports_masking(&self) -> bool {
        true
    }
}
