//! An activation function as a layer of its own.

use cornu_graph::Tensor;

use super::Layer;
use crate::trace::Cx;

crate::config! {
    /// Applies an activation function to each element.
    "keras.layers" pub layer Activation {
        /// Which one.
        activation: crate::activations::Activation,
    }
}

impl Layer for Activation {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        self.activation.apply(x)
    }
}
