//! What makes a layer one: settings become a layer, with a name, weights and a will to learn, when they are placed.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cornu_graph::{Array, Code, Context, DType, Element, Error, Result, Tensor, Warning, from_array, tell};
use ndarray::ArrayD;
use serde_json::{Map, Value};

use super::names::automatic;
use super::{Child, Inputs, Keywords, Layer, TRAINING, Wire};
use crate::config::{Field, IntoField, Kind, Setting, object, seeds_drawn};
use crate::flavor::{Flavor, SeedsAt, flavor};
use crate::random::SeedSource;
use crate::registry::Family;
use crate::trace::{Cx, Scope};
use crate::variables::{LayerState, Role, Variable, Vocabulary, locked};

/// A layer: the settings of one class, and what goes with them wherever it is used. A clone is the same layer, with the
/// same weights; to use it in two places is to share it.
///
/// ```
/// use cornu::prelude::*;
///
/// let shared = Dense::new(2).shared();
/// let (mut encoder, mut other) = (Sequential::new(), Sequential::new());
/// encoder.add(&shared).build([3])?;
/// other.add(&shared).add(Dense::new(1)).build([3])?;
/// let sevens: Vec<_> = other.weights().iter().map(|weight| weight * 0.0 + 7.0).collect();
/// other.set_weights(&sevens)?;
/// assert_eq!(encoder.weights()[0][[0, 0]], 7.0);
/// # Ok::<(), cornu::Error>(())
/// ```
#[derive(Clone)]
pub struct LayerRef(Arc<Placed>);

struct Placed {
    name: String,
    layer: Arc<dyn Layer>,
    state: Arc<LayerState>,
    /// The layers within it, each by the name of its field.
    children: Vec<(&'static str, LayerRef)>,
}

impl LayerRef {
    /// A new layer of those settings, with a name of its own or the next that Keras gives its class. In the flavour of
    /// Keras 3 it draws its seeds now, from those of the process.
    pub fn new(layer: Arc<dyn Layer>) -> LayerRef {
        Self::following(flavor(), &mut SeedSource::Process, layer)
    }

    /// [`LayerRef::new`] in that flavour, with those seeds.
    pub(crate) fn following(flavor: Flavor, seeds: &mut SeedSource, layer: Arc<dyn Layer>) -> LayerRef {
        let name = layer.base().name.clone().unwrap_or_else(|| automatic(layer.class_name()));
        let within = layer.children();
        let drawn = match flavor.seeds_at() {
            SeedsAt::Weight => 0,
            SeedsAt::Layer => seeds_drawn(&own_settings(&*layer, &within)),
        };
        let drawn = (0..drawn).map(|_| seeds.with(|seeds| seeds.keras_seed(flavor))).collect();
        let mut child = |child| match child {
            Child::There(layer) => layer,
            Child::New(settings) => Self::following(flavor, seeds, settings),
        };
        let within = within.into_iter().map(|(field, within)| (field, child(within)));
        let children: Vec<(&'static str, LayerRef)> = within.collect();
        let learns = layer.base().trainable;
        let states = children.iter().map(|(_, child)| Arc::clone(&child.0.state)).collect();
        let state = Arc::new(LayerState::new(drawn, learns, states));
        let placed = LayerRef(Arc::new(Placed { name, layer, state, children }));
        if !learns {
            placed.set_trainable(false);
        }
        placed
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its settings, of whatever class.
    pub fn layer(&self) -> &dyn Layer {
        &*self.0.layer
    }

    /// Its settings, if it is an `L`.
    pub fn settings<L: Layer>(&self) -> Option<&L> {
        let layer: &dyn Any = &*self.0.layer;
        layer.downcast_ref()
    }

    /// What no other layer has as long as this one is there.
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether two are one layer.
    pub fn is(&self, other: &LayerRef) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether its weights learn.
    pub fn trainable(&self) -> bool {
        self.0.state.learns.load(Ordering::Relaxed)
    }

    /// Says whether its weights, and those of layers within it, learn: models that are compiled from now on obey.
    pub fn set_trainable(&self, trainable: bool) {
        self.states().iter().for_each(|state| state.learns.store(trainable, Ordering::Relaxed));
    }

    /// Its settings as Keras writes them, with its name and whether it learns.
    pub fn config(&self) -> Map<String, Value> {
        let mut config = self.layer().to_json();
        let own = self.layer().settings();
        let of_the_layer = [("name", Value::from(self.name())), ("trainable", self.trainable().into())];
        for (key, value) in of_the_layer.into_iter().filter(|(key, _)| own.iter().all(|own| own.name != *key)) {
            config.insert(key.into(), value);
        }
        self.layer().write_children(self.children(), &mut config);
        if let (Some(host), Ok(Some(known))) = (self.host(), self.vocabulary()) {
            host.write_vocabulary(&known, &mut config);
        }
        config
    }

    /// The layers within it, each by the name of its field.
    pub fn children(&self) -> &[(&'static str, LayerRef)] {
        &self.0.children
    }

    pub(super) fn kept_vocabulary(&self) -> Option<Arc<Vocabulary>> {
        locked(&self.0.state.vocabulary).clone()
    }

    pub(super) fn keep_vocabulary(&self, vocabulary: Arc<Vocabulary>) {
        *locked(&self.0.state.vocabulary) = Some(vocabulary);
    }

    /// What it and the layers within it keep.
    pub(crate) fn states(&self) -> Vec<Arc<LayerState>> {
        self.0.state.with_those_within()
    }

    /// Forgets what it and the layers within it remember from call to call, as the states of a stateful recurrence.
    ///
    /// # Errors
    /// Those of a session.
    #[doc(alias = "reset_state")]
    pub fn reset_states(&self) -> Result<()> {
        let variables = self.states().into_iter().flat_map(|state| state.variables().to_vec());
        let mut remembered = variables.filter(|variable| variable.role == Role::Memory);
        remembered.try_for_each(|variable| variable.write(&Array::zeros(&variable.ty)))
    }

    /// Its own variables and those of the layers within it, each with the path from it.
    pub(crate) fn paths(&self, path: &str, each: &mut dyn FnMut(&str, &LayerState)) {
        each(path, &self.0.state);
        for (_, child) in self.children() {
            child.paths(&format!("{path}/{}", child.name()), each);
        }
    }

    /// Whether its weights are made.
    pub(crate) fn is_built(&self) -> bool {
        self.states().iter().all(|state| state.is_built())
    }

    /// Forgets its weights, which were made for a shape that does not fit.
    pub(crate) fn unbuild(&self) {
        self.states().iter().for_each(|state| state.unbuild());
    }

    /// Its own variables, without those of layers within it.
    pub(crate) fn own_variables(&self) -> Arc<[Arc<Variable>]> {
        self.0.state.variables()
    }

    /// Its weights as variables, those of the layers within it after its own.
    pub fn variables(&self) -> Vec<Arc<Variable>> {
        let states = self.states();
        let all = states.iter().flat_map(|state| state.variables().to_vec());
        all.filter(|variable| variable.role.is_weight()).collect()
    }

    /// Its weights.
    #[doc(alias = "get_weights")]
    pub fn weights(&self) -> Vec<ArrayD<f32>> {
        self.weights_as()
    }

    /// Its weights as numbers of another type.
    pub fn weights_as<T: Element>(&self) -> Vec<ArrayD<T>> {
        self.variables().iter().map(|variable| from_array(&variable.read())).collect()
    }

    /// The number of numbers in its weights.
    pub fn count_params(&self) -> usize {
        self.variables().iter().map(|variable| variable.ty.size()).sum()
    }

    /// What the layer makes of one input: how a layer calls another that is one of its settings.
    pub fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let logits = cx.logits(&x);
        match self.call_all(cx, vec![Wire { logits, ..x.clone().into() }], &Keywords::default()) {
            Ok(outputs) => outputs.into_iter().next().map_or(x, |output| {
                cx.note_logits(&output.tensor, output.logits.as_ref(), false);
                output.tensor
            }),
            Err(error) => {
                cx.fail(error);
                x
            }
        }
    }

    /// What the layer makes of inputs, with the penalty on its outputs.
    ///
    /// # Errors
    /// The first mistake of the layer.
    pub fn call_all(&self, cx: &mut Cx, inputs: Vec<Wire>, keywords: &Keywords) -> Result<Vec<Wire>> {
        let training = keywords.flag(TRAINING).unwrap_or(cx.training());
        let outer = cx.set_training(training);
        let outputs = self.trace(cx, inputs, keywords);
        cx.set_training(outer);
        outputs
    }

    fn trace(&self, cx: &mut Cx, inputs: Vec<Wire>, keywords: &Keywords) -> Result<Vec<Wire>> {
        if self.host().is_some() {
            let error = Error::graph("this layer runs on the host, and may not be within another");
            return Err(error.help("put it before the model, or at its end").context(self.name()));
        }
        let (layer, scope) = (self.layer(), self.scope()?);
        let dtype = scope.policy.compute_dtype;
        let inputs: Vec<Wire> = inputs.into_iter().map(|input| self.taken(input, dtype)).collect();
        let outputs = cx.layer(self.name(), scope, |cx| {
            inputs.iter().for_each(|input| cx.note_logits(&input.tensor, input.logits.as_ref(), true));
            let called = Inputs::of(layer, inputs, keywords);
            let called = called.and_then(|inputs| layer.call_all(cx, &inputs.beside(self.children())));
            let outputs = called.unwrap_or_else(|error| {
                cx.fail(error);
                Vec::new()
            });
            if outputs.is_empty() {
                cx.fail(Error::usage(format!("`{}` gives no output", layer.class_name())));
            }
            if let Some(error) = outputs.iter().find_map(|y| cx.trace().takes(&y.tensor, "the layer").err()) {
                cx.fail(error);
                return outputs;
            }
            if let Some(penalty) = layer.activity_regularizer().and_then(|penalty| cx.chosen(penalty)) {
                // The mean over the samples of the batch.
                let of = |y: &Tensor| penalty.penalty(y) / y.dim(0).max(1) as f64;
                outputs.iter().for_each(|y| cx.add_loss(of(&y.tensor)));
            }
            outputs
        });
        cx.trace().check()?;
        Ok(outputs)
    }

    /// Runs a part of the layer, of which another asks for more than its outputs: what is asked for is the layer's.
    ///
    /// # Errors
    /// A policy this version does not know.
    pub(crate) fn inside<T>(&self, cx: &mut Cx, body: impl FnOnce(&mut Cx) -> T) -> Result<T> {
        Ok(cx.layer(self.name(), self.scope()?, body))
    }

    fn scope(&self) -> Result<Scope> {
        let policy = self.layer().base().policy().context(self.name())?;
        Ok(Scope::new(Arc::clone(&self.0.state), policy))
    }

    /// An input as the layer takes it. Floats take the type that it computes in; whole numbers, such as the indices of an
    /// embedding, stay. A mask that it does not know is lost, which Keras says as well.
    fn taken(&self, mut input: Wire, dtype: DType) -> Wire {
        if input.mask.is_some() && !self.layer().supports_masking() {
            let (name, class) = (self.name(), self.layer().class_name());
            let message =
                format!("layer `{name}` of class `{class}` does not support masks: it loses the one it is given");
            if !self.0.state.told.swap(true, Ordering::Relaxed) {
                tell(&Warning::new(Code::MaskLost, message));
            }
            input.mask = None;
        }
        input.cast_if(self.layer().autocast() && input.tensor.dtype().is_float(), dtype)
    }
}

/// The settings that are not those of a layer made with it, which draws for them itself.
fn own_settings<'a>(layer: &'a dyn Layer, within: &[(&str, Child)]) -> Vec<Setting<'a>> {
    let has = |child: &Child, name: &str| match child {
        Child::There(_) => false,
        Child::New(made) => made.settings().iter().any(|setting| setting.name == name),
    };
    let mut settings = layer.settings();
    settings.retain(|setting| !within.iter().any(|(_, child)| has(child, setting.name)));
    settings
}

/// What a model takes for a layer: settings, which become a new one, or a layer that there is.
pub trait IntoLayer: Sized {
    /// The layer. What is drawn for a new one follows that Keras and comes from those seeds.
    fn into_layer(self, flavor: Flavor, seeds: &mut SeedSource) -> LayerRef;

    /// The layer, to be used in several places; what is drawn for a new one comes from the seeds of the process.
    fn shared(self) -> LayerRef {
        self.into_layer(flavor(), &mut SeedSource::Process)
    }
}

impl<L: Layer> IntoLayer for L {
    fn into_layer(self, flavor: Flavor, seeds: &mut SeedSource) -> LayerRef {
        LayerRef::following(flavor, seeds, Arc::new(self))
    }
}

impl IntoLayer for Arc<dyn Layer> {
    fn into_layer(self, flavor: Flavor, seeds: &mut SeedSource) -> LayerRef {
        LayerRef::following(flavor, seeds, self)
    }
}

impl IntoLayer for &LayerRef {
    fn into_layer(self, _: Flavor, _: &mut SeedSource) -> LayerRef {
        self.clone()
    }
}

/// A layer as a setting of another.
impl Field for LayerRef {
    fn to_json(&self) -> Value {
        object(self.layer().module(), self.layer().class_name(), self.config())
    }

    fn from_json(json: &Value) -> Result<Self> {
        <dyn Layer>::registry().read_object(json).map(LayerRef::new)
    }

    fn kind() -> Kind {
        Kind::Object("layer")
    }

    fn check(&self) -> Result<()> {
        self.layer().check()?;
        self.layer().check_settings()
    }
}

impl<L: Layer> IntoField<LayerRef> for L {
    fn into_field(self) -> LayerRef {
        self.shared()
    }
}

/// As their settings are.
impl PartialEq for LayerRef {
    fn eq(&self, other: &Self) -> bool {
        self.is(other) || self.to_json() == other.to_json()
    }
}

impl fmt::Debug for LayerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} name={}>", self.layer().class_name(), self.name())
    }
}
