//! An activation function as a layer of its own.

use cornu_graph::Tensor;

use super::Layer;
use crate::activations;
use crate::choice::Choice;
use crate::trace::Cx;

crate::config! {
    /// Applies an activation function to each element.
    "keras.layers" pub layer Activation {
        /// Which one.
        activation: Choice<dyn activations::Activation>,
    }
}

impl Layer for Activation {
    fn supports_masking(&self) -> bool {
        true
    }

    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        cx.activate(&self.activation, x)
    }
}
