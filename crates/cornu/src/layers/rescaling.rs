//! A change of scale, as for pixels.

use cornu_graph::{Array, Tensor};

use super::Layer;
use crate::config::OneOrMany;
use crate::trace::Cx;

crate::config! {
    /// `x * scale + offset`, with one number for all elements or one for each of the last axis.
    "keras.layers" pub layer Rescaling {
        /// What elements are multiplied by: `1.0 / 255.0` for pixels.
        scale: OneOrMany<f64>,
        /// What is added then.
        offset: OneOrMany<f64> = OneOrMany::One(0.0),
    }
}

impl Layer for Rescaling {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        let x = if x.dtype().is_float() { x } else { x.cast(cornu_graph::DType::F32) };
        let numbers = |values: &OneOrMany<f64>| match values {
            OneOrMany::One(value) => x.number(*value),
            OneOrMany::Many(values) => x.trace().constant(Array::vector(values.clone()).cast(x.dtype())),
        };
        &x * numbers(&self.scale) + numbers(&self.offset)
    }
}
