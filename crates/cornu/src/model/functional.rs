//! Models of any shape, made of symbols; and models as layers of others.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::sync::Arc;

use cornu_graph::{Error, Result};
use serde_json::{Map, Value};

use super::{Class, Model, add_variables, json};
use crate::config::{Config, Setting};
use crate::flavor::{Flavor, flavor};
use crate::layers::{Base, Child, Inputs, IntoLayer, Layer, LayerConfig, LayerRef, Wire, automatic};
use crate::net::{Net, Symbol};
use crate::random::SeedSource;
use crate::trace::Cx;

/// A model as a layer: the layers of its graph, called one after the other.
#[derive(Clone, Debug)]
pub(crate) struct Nested {
    base: Base,
    pub(crate) net: Arc<Net>,
    pub(super) class: Class,
}

impl Config for Nested {
    fn class_name(&self) -> &str {
        self.class.name()
    }

    fn module(&self) -> &str {
        "keras"
    }

    fn settings(&self) -> Vec<Setting<'_>> {
        Vec::new()
    }

    fn to_json(&self) -> Map<String, Value> {
        json::net_config(self.base.name.as_deref().unwrap_or_default(), &self.net, self.class, Flavor::Keras3)
    }
}

impl LayerConfig for Nested {
    fn base(&self) -> &Base {
        &self.base
    }
}

impl Layer for Nested {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        self.net.trace(cx, inputs.all())
    }

    fn autocast(&self) -> bool {
        false
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        self.net.layers.iter().map(|layer| ("layers", layer.into())).collect()
    }
}

/// A model, as a layer of another: the same layers, with the same weights.
impl IntoLayer for &Model {
    fn into_layer(self, _: Flavor, _: &mut SeedSource) -> LayerRef {
        self.layer()
    }
}

impl Model {
    /// A model of the graph between inputs and outputs: Keras's `Model(inputs, outputs)`. Its layers are those that were
    /// applied; other models may have them too.
    ///
    /// ```
    /// use cornu::prelude::*;
    ///
    /// let (left, right) = (Input::new([3]).symbol()?, Input::new([3]).symbol()?);
    /// let shared = Dense::new(2).shared();
    /// let (a, b) = (shared.apply(&left)?, shared.apply(&right)?);
    /// let mut model = Model::new([left, right], [a, b])?;
    /// let x = cornu::Array::new([1, 3], vec![1.0f32, 2.0, 3.0])?;
    /// let outputs = model.predict_all(&[x.clone(), x])?;
    /// assert_eq!(outputs[0].to_vec::<f32>(), outputs[1].to_vec::<f32>());
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// An input that is not reached, an output that depends on another input, two layers of one name.
    pub fn new<I: Borrow<Symbol>, O: Borrow<Symbol>>(
        inputs: impl IntoIterator<Item = I>,
        outputs: impl IntoIterator<Item = O>,
    ) -> Result<Model> {
        Self::named(&automatic(Class::Functional.name()), inputs, outputs)
    }

    /// [`Model::new`] with a name.
    ///
    /// # Errors
    /// Those of [`Model::new`].
    pub fn named<I: Borrow<Symbol>, O: Borrow<Symbol>>(
        name: &str,
        inputs: impl IntoIterator<Item = I>,
        outputs: impl IntoIterator<Item = O>,
    ) -> Result<Model> {
        let inputs: Vec<Symbol> = inputs.into_iter().map(|input| input.borrow().clone()).collect();
        let outputs: Vec<Symbol> = outputs.into_iter().map(|output| output.borrow().clone()).collect();
        if inputs.is_empty() || outputs.is_empty() {
            return Err(Error::usage(format!("model `{name}` needs an input and an output")));
        }
        let mut model = Model::following(flavor(), SeedSource::Process, name.into());
        let net = Net::between(&inputs, &outputs).map_err(|error| error.context(format!("model `{name}`")))?;
        let names: Vec<&str> =
            net.inputs.iter().map(|input| &*input.name).chain(net.layers.iter().map(LayerRef::name)).collect();
        let mut known = HashSet::new();
        if let Some(twice) = names.into_iter().find(|name| !known.insert(*name)) {
            let error = Error::usage(format!("model `{name}` has two layers named `{twice}`"));
            return Err(error.help("give one of them another name, by `.name(…)`"));
        }
        for (place, layer) in net.layers.iter().enumerate() {
            model.places.insert(layer.name().to_owned(), place);
            add_variables(&mut model.variables, name, layer);
        }
        model.input.1 = net.inputs.first().map(|input| input.kind);
        model.class = Class::Functional;
        model.net = net;
        Ok(model)
    }

    /// The model as a layer of others, with its name and its layers as they are now.
    pub fn layer(&self) -> LayerRef {
        let base = Base { name: Some(self.name.clone()), ..Base::default() };
        LayerRef::new(Arc::new(Nested { base, net: Arc::new(self.net().clone()), class: self.class }))
    }
}
