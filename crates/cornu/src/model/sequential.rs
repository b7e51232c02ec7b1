//! A model whose layers stand in a line.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use cornu_graph::Error;

use super::{Class, Model};
use crate::flavor::Flavor;
use crate::layers::{IntoLayer, Layer, LayerRef, automatic};
use crate::random::Seeds;

/// A model whose layers stand in a line: `keras.Sequential`. Everything a [`Model`] can do it can do.
///
/// ```
/// use cornu::prelude::*;
///
/// let mut model = Sequential::new();
/// model.add(Dense::new(12).input_shape([8]).activation("relu"));
/// model.add(Dense::new(1).activation("sigmoid"));
/// assert_eq!(model.count_params(), 8 * 12 + 12 + 12 + 1);
///
/// let same = sequential![Input::new([8]), Dense::new(12).activation("relu"), Dense::new(1).activation("sigmoid")];
/// assert_eq!(same.output_shape(), model.output_shape());
/// ```
pub struct Sequential(Model);

impl Sequential {
    /// A model without layers.
    pub fn new() -> Self {
        Sequential(Model::empty(automatic(Class::Sequential.name())))
    }

    /// A model without layers, of that name. A name that cannot be printed is reported when the model is next used.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        let odd = name.contains(char::is_control);
        let problem = odd.then(|| Error::usage(format!("a model needs a name without line breaks, got {name:?}")));
        let mut model = Model::empty(name);
        problem.into_iter().for_each(|problem| model.note(problem));
        Sequential(model)
    }

    /// A model without layers that follows that Keras and draws from seeds of its own, whatever the process and other
    /// models do: two of the same seeds are equal.
    ///
    /// ```
    /// use cornu::prelude::*;
    /// use cornu::random::{Flavor, Seeds};
    ///
    /// let made = || {
    ///     let mut model = Sequential::seeded(Flavor::Keras3, Seeds::new(42));
    ///     model.add(Dense::new(1).input_shape([2]));
    ///     model.weights()
    /// };
    /// assert_eq!(made(), made());
    /// ```
    pub fn seeded(flavor: Flavor, seeds: Seeds) -> Self {
        Sequential(Model::following(flavor, seeds.into(), automatic(Class::Sequential.name())))
    }

    /// The same model, as one of any shape.
    pub fn into_model(self) -> Model {
        self.0
    }

    /// Adds a layer, of settings or one that there is. A mistake in it is reported when the model is next used.
    pub fn add(&mut self, layer: impl IntoLayer) -> &mut Self {
        self.0.append(layer);
        self
    }

    /// Takes the last layer away and gives it back.
    pub fn pop(&mut self) -> Option<LayerRef> {
        self.0.remove_last()
    }
}

impl Default for Sequential {
    fn default() -> Self {
        Self::new()
    }
}

/// Layers of any class, in that order.
impl FromIterator<Arc<dyn Layer>> for Sequential {
    fn from_iter<I: IntoIterator<Item = Arc<dyn Layer>>>(layers: I) -> Self {
        let mut model = Sequential::new();
        layers.into_iter().for_each(|layer| model.0.append(layer));
        model
    }
}

impl Deref for Sequential {
    type Target = Model;
    fn deref(&self) -> &Model {
        &self.0
    }
}

impl DerefMut for Sequential {
    fn deref_mut(&mut self) -> &mut Model {
        &mut self.0
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Sequential> for Model {
    fn from(sequential: Sequential) -> Model {
        sequential.into_model()
    }
}

/// A model whose layers stand in a line, as one to which more can be added.
impl TryFrom<Model> for Sequential {
    type Error = Error;

    fn try_from(model: Model) -> Result<Self, Error> {
        if model.class == Class::Sequential {
            return Ok(Sequential(model));
        }
        let error = Error::usage(format!("model `{}` is functional, not a line of layers", model.name()));
        Err(error.help("`load_model` and `Model::from_json_value` read models of any shape"))
    }
}

/// A [`Sequential`](crate::Sequential) of these layers: `sequential![Flatten::new(), Dense::new(10)]`.
#[macro_export]
macro_rules! sequential {
    ($($layer:expr),* $(,)?) => {{
        #[allow(unused_mut)]
        let mut model = $crate::Sequential::new();
        $(model.add($layer);)*
        model
    }};
}
