//! What makes settings a layer.

use cornu_graph::{Error, Result, Tensor};

use super::{Argument, Inputs, LayerConfig, LayerRef, Wire};
use crate::choice::Choice;
use crate::regularizers::Regularizer;
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
    /// What the layer makes of its input. The first axis of `x` is the batch. A layer that takes several inputs writes
    /// [`Layer::call_all`] instead.
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        cx.fail(Error::graph(format!("`{}` writes neither `call` nor `call_all`", self.class_name())));
        x
    }

    /// What the layer makes of its inputs, if it takes or makes several, or looks at masks. Unless it is written, the
    /// layer takes one. What an activation gave keeps its logits by [`Cx::logits`].
    ///
    /// # Errors
    /// Inputs that the layer does not take.
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = inputs.one()?;
        let tensor = self.call(cx, x.tensor.clone());
        Ok(vec![Wire { mask: x.mask.clone(), logits: cx.logits(&tensor), tensor }])
    }

    /// The inputs that it takes by position or by name, in order. A layer that has none here takes as many as it likes, by
    /// position; [`Layer::call`] takes one.
    fn arguments(&self) -> Vec<Argument> {
        Vec::new()
    }

    /// Whether its inputs are cast to the type it computes in, where they are floats of another.
    fn autocast(&self) -> bool {
        true
    }

    /// Whether the layer knows what to do with a mask: one that does not loses it.
    fn supports_masking(&self) -> bool {
        false
    }

    /// The layers among its settings, each by the name of its field. They are built with it, learn with it, and are saved
    /// with it.
    fn children(&self) -> Vec<(&'static str, &LayerRef)> {
        Vec::new()
    }

    /// A penalty on what it puts out: what all layers have, or a setting of its own.
    fn activity_regularizer(&self) -> &Option<Choice<dyn Regularizer>> {
        &self.base().activity_regularizer
    }

    /// Looks for settings that do not go together.
    ///
    /// # Errors
    /// The first of them.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }
}
