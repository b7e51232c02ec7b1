//! A change of scale, as for pixels.

use cornu_graph::{Array, Error, Result, Tensor};

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
    fn supports_masking(&self) -> bool {
        true
    }

    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        for (name, numbers) in [("scale", &self.scale), ("offset", &self.offset)] {
            let (got, last) = (numbers.as_slice().len(), x.shape().last().copied().unwrap_or(1));
            if got != 1 && last != 1 && got != last {
                cx.fail(Error::graph(format!("`{name}` needs 1 number, or {last} for the last axis, got {got}")));
                return x;
            }
        }
        let x = if x.dtype().is_float() { x } else { x.cast(cornu_graph::DType::F32) };
        let numbers = |values: &OneOrMany<f64>| match values {
            OneOrMany::One(value) => x.number(*value),
            OneOrMany::Many(values) => x.trace().constant(Array::vector(values.clone()).cast(x.dtype())),
        };
        &x * numbers(&self.scale) + numbers(&self.offset)
    }

    fn check_settings(&self) -> Result<()> {
        let numbers = [("scale", &self.scale), ("offset", &self.offset)];
        match numbers.iter().find(|(_, numbers)| numbers.as_slice().is_empty()) {
            Some((name, _)) => Err(Error::usage(format!("`{name}` needs at least one number, got none"))),
            None => Ok(()),
        }
    }
}
