//! What makes settings a layer.

use std::sync::Arc;

use cornu_graph::{Error, Result, Tensor};
use serde_json::{Map, Value};

use super::rnn::{CELL_ARGUMENTS, one_step};
use super::{Argument, BatchShape, Cell, HostLayer, Inputs, LayerConfig, LayerRef, Recurrent, Wire};
use crate::choice::Choice;
use crate::config::Field;
use crate::flavor::Flavor;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

/// A layer within another.
#[derive(Clone, Debug)]
pub enum Child {
    /// One that there is, such as a setting.
    There(LayerRef),
    /// One that is made of those settings, with the layer around it.
    New(Arc<dyn Layer>),
}

impl Child {
    /// Its settings.
    pub fn layer(&self) -> &dyn Layer {
        match self {
            Child::There(layer) => layer.layer(),
            Child::New(settings) => &**settings,
        }
    }
}

impl From<&LayerRef> for Child {
    fn from(layer: &LayerRef) -> Child {
        Child::There(layer.clone())
    }
}

impl<L: Layer> From<L> for Child {
    fn from(settings: L) -> Child {
        Child::New(Arc::new(settings))
    }
}

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
        if let Some(cell) = self.cell() {
            return one_step(cell, cx, inputs);
        }
        let x = inputs.one()?;
        let tensor = self.call(cx, x.tensor.clone());
        Ok(vec![Wire { mask: x.mask.clone(), logits: cx.logits(&tensor), tensor }])
    }

    /// The inputs that it takes by position or by name, in order. A layer that has none here takes as many as it likes, by
    /// position; [`Layer::call`] takes one.
    fn arguments(&self) -> Vec<Argument> {
        self.cell().map_or_else(Vec::new, |_| CELL_ARGUMENTS.to_vec())
    }

    /// Whether its inputs are cast to the type it computes in, where they are floats of another.
    fn autocast(&self) -> bool {
        true
    }

    /// Whether the layer knows what to do with a mask: one that does not loses it.
    fn supports_masking(&self) -> bool {
        false
    }

    /// The layers within it, those of its settings and those that it makes of them, each by the name of its field in Keras.
    /// Asked for when the settings become a layer, which then finds them by [`Inputs::within`]. They are built with it, learn
    /// with it, and are saved with it.
    fn children(&self) -> Vec<(&'static str, Child)> {
        Vec::new()
    }

    /// Puts the settings of the layers within it, as they are now, into its own: each in place of that of its name.
    fn write_children(&self, children: &[(&'static str, LayerRef)], config: &mut Map<String, Value>) {
        let is_setting = |name: &str| self.settings().iter().any(|setting| setting.name == name);
        for (name, child) in children.iter().filter(|(name, _)| is_setting(name)) {
            config.insert((*name).into(), child.to_json());
        }
    }

    /// What it is to a recurrence, if it is a cell.
    fn cell(&self) -> Option<&dyn Cell> {
        None
    }

    /// What it is to a layer that runs it in two directions, if it is a recurrence.
    fn recurrent(&self) -> Option<&dyn Recurrent> {
        None
    }

    /// What it is on the host, if it runs there: then it writes no `call`.
    fn host(&self) -> Option<&dyn HostLayer> {
        None
    }

    /// The penalty on what it puts out.
    fn activity_regularizer(&self) -> Option<&Choice<dyn Regularizer>> {
        self.base().activity_regularizer.as_ref()
    }

    /// The folder of a file in which the weights of a part of it stand, those that it asked for within [`Cx::child`].
    fn folder_of(&self, part: &str, _: Flavor) -> String {
        part.into()
    }

    /// Settings that only Keras 2 has, by the shapes of inputs for arguments.
    fn settings_of_keras_2(&self, _: &dyn Fn(&str) -> Option<BatchShape>) -> Map<String, Value> {
        Map::new()
    }

    /// Looks for settings that do not go together.
    ///
    /// # Errors
    /// The first of them.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }
}
