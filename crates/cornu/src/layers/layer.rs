//! What makes settings a layer.

use cornu_graph::{Array, Error, Result, Tensor};

use super::LayerConfig;
use crate::config::seeds_drawn;
use crate::trace::Cx;

/// A layer: its settings, and how it extends a graph.
///
/// ```
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// Multiplies each feature by a weight.
///     "my.layers" pub layer Scale {
///         /// How the weights start.
///         initializer: Choice<dyn Initializer> = "ones".into(),
///     }
/// }
///
/// impl Layer for Scale {
///     fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
///         let scale = cx.weight("scale", [x.dim(-1)], &self.initializer);
///         x * scale
///     }
/// }
///
/// let model = sequential![Scale::new().input_shape([3]), Dense::new(1)];
/// assert_eq!(model.count_params(), 3 + 4);
///
/// // So that files with it can be read:
/// cornu::layers::register::<Scale>();
/// assert_eq!(Sequential::from_json(&model.to_json()?)?.count_params(), model.count_params());
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Layer: LayerConfig {
    /// What the layer makes of its input. The first axis of `x` is the batch.
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor;

    /// What the layer makes of its inputs, if it takes or makes several. Unless it is written, the layer takes one.
    fn call_all(&self, cx: &mut Cx, xs: &[Tensor]) -> Vec<Tensor> {
        match xs {
            [x] => vec![self.call(cx, x.clone())],
            _ => {
                cx.fail(Error::graph(format!("`{}` takes one input, got {}", self.class_name(), xs.len())));
                vec![xs.first().cloned().unwrap_or_else(|| cx.trace().constant(Array::scalar(0.0f32)))]
            }
        }
    }

    /// Looks for settings that do not go together.
    ///
    /// # Errors
    /// The first of them.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }

    /// How many seeds Keras 3 draws when it makes the layer.
    fn seeds_drawn(&self) -> usize {
        seeds_drawn(&self.settings())
    }
}
