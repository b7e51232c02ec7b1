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

#[cfg(feature = "data")]
impl Rescaling {
    /// The layer that scales as a fitted scaler does: the first of a model that takes raw rows.
    ///
    /// ```
    /// use cornu::prelude::*;
    ///
    /// let mut scaler = StandardScaler::new();
    /// scaler.fit(&[[1.0, 200.0], [3.0, 600.0]])?;
    /// let layer = Rescaling::of(&scaler)?;
    /// assert_eq!(layer, Rescaling::new([1.0, 0.005]).offset([-2.0, -2.0]));
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// The scaler must have been fitted, must not clip, and needs a value in each column.
    pub fn of(scaler: &impl cornu_data::Linear) -> Result<Rescaling> {
        let (scale, offset) = scaler.scale_and_offset()?;
        match scale.iter().zip(&offset).position(|(scale, offset)| !scale.is_finite() || !offset.is_finite()) {
            Some(column) => Err(Error::data(format!(
                "a scale is needed for each column, got none for column {column}, which had no values"
            ))),
            None => Ok(Rescaling::new(scale).offset(offset)),
        }
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
