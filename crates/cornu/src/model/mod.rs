//! Models: graphs of layers, and the values of their weights.

mod built;
mod functional;
mod json;
mod sequential;
mod summary;
mod training;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Mutex, OnceLock};

use cornu_graph::{Array, DType, DataKind, Element, Error, Executor, Result, from_array};
use ndarray::ArrayD;
use serde_json::Value;

pub(crate) use functional::Nested;
pub use sequential::Sequential;

use crate::flavor::{Flavor, flavor};
use crate::layers::{BatchShape, InputLayer, IntoLayer, IntoShape, Keywords, Layer, LayerRef};
use crate::net::{InputSpec, Net, Port, Spec, check_sizes, infer, show};
use crate::policy::DTypePolicy;
use crate::random::SeedSource;
use crate::step::{Stage, Training};
use crate::variables::{Named, Variables};

/// A view over layers: how they are connected, and what training made of them. The weights are those of the layers, which
/// several models may share.
pub struct Model {
    name: String,
    /// The name and the type of the input of a `Sequential`, if they were given.
    input: (Option<String>, Option<DataKind>),
    net: Net,
    variables: Variables,
    /// The places of its layers by their names.
    places: HashMap<String, usize>,
    class: Class,
    /// Whether its layers may learn.
    trainable: bool,
    /// How it is trained.
    training: Training,
    /// The first mistake made while layers were added; every use of the model reports it.
    problem: Option<Error>,
    /// The model as it was built for the first rows that it predicted or evaluated, which changes nothing that others can
    /// see but shapes and weights; whoever changes the model next takes those over.
    built: OnceLock<Box<Model>>,
    /// Whose turn it is to build it.
    building: Mutex<()>,
}

/// Keras's classes of models.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Of layers in a line.
    Sequential,
    /// Made of symbols.
    Functional,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Sequential => "Sequential",
            Class::Functional => "Functional",
        }
    }

    /// In files. Keras 2.13 and 3 have functional models in modules of different names; both take them for a `Model`.
    fn name_in_files(self) -> &'static str {
        if self == Class::Functional { "Model" } else { self.name() }
    }

    /// The class of a name in a file.
    fn of(name: &str) -> Option<Class> {
        [Class::Sequential, Class::Functional]
            .into_iter()
            .find(|class| [class.name(), class.name_in_files()].contains(&name))
    }
}

/// A layer of a model, with the shapes it has there.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a> {
    model: &'a Model,
    layer: &'a LayerRef,
    place: usize,
}

impl Model {
    pub(crate) fn empty(name: String) -> Self {
        Model::following(flavor(), SeedSource::Process, name)
    }

    /// A model without layers, of that flavour and with those seeds.
    pub(crate) fn following(flavor: Flavor, seeds: SeedSource, name: String) -> Self {
        Model {
            name,
            input: (None, None),
            net: Net::default(),
            variables: Variables::new(flavor, seeds),
            places: HashMap::new(),
            class: Class::Sequential,
            trainable: true,
            training: Training::new(flavor),
            problem: None,
            built: OnceLock::new(),
            building: Mutex::new(()),
        }
    }

    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which Keras it follows, in training and in all else: that of [`Sequential::seeded`], or that which
    /// [`set_flavor`](crate::random::set_flavor) had chosen when the model was made.
    pub fn flavor(&self) -> Flavor {
        self.variables.flavor()
    }

    /// Says that no layer added from now on may learn.
    pub(crate) fn freeze(&mut self) {
        self.trainable = false;
    }

    /// Of what the elements of the input are: as was told, else what the first layer takes.
    pub(crate) fn input_kind(&self) -> DataKind {
        let first = self.net.layers.first();
        let texts = first.and_then(LayerRef::host).filter(|host| host.takes_texts()).map(|_| DataKind::Texts);
        let policy = first.and_then(|layer| layer.layer().base().policy().ok());
        let numbers = || DataKind::Numbers(policy.map_or(DType::F32, DTypePolicy::input_dtype));
        self.input.1.or(texts).unwrap_or_else(numbers)
    }

    /// The layers and how they are connected.
    pub fn net(&self) -> &Net {
        &self.known().net
    }

    /// The variables of the model.
    pub fn variables(&self) -> &Variables {
        &self.known().variables
    }

    /// The layers, to trace, and the variables, to trace them with.
    pub fn parts(&mut self) -> (&Net, &mut Variables) {
        self.settle();
        (&self.net, &mut self.variables)
    }

    /// Runs the model on that machine from now on, instead of on all cores of this processor. What it has learned and
    /// the state of its optimizer move with it. A model that has layers of this one and others that are on another machine
    /// is an error when it is next used, until it is moved as well.
    ///
    /// ```
    /// use cornu::prelude::*;
    /// let mut model = sequential![Dense::new(1).input_shape([2])];
    /// model.run_on(cornu::Cpu::new().threads(1))?;
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// None on this processor; other machines may lack memory.
    pub fn run_on(&mut self, machine: impl Executor + Send + 'static) -> Result<()> {
        self.settle();
        self.variables.move_to(Box::new(machine))
    }

    /// The name of the machine that [`Model::run_on`] chose, or that its variables are on; none, where that is still open.
    pub fn machine(&self) -> Option<String> {
        self.variables().machine()
    }

    /// What a step of training is made of.
    pub(crate) fn stage(&self) -> Stage<'_> {
        let (net, variables, training) = (self.net(), self.variables(), &self.training);
        Stage { name: &self.name, net, variables, training, live: training.live() }
    }

    /// How it is trained.
    pub(crate) fn training(&self) -> &Training {
        &self.training
    }

    /// Whether the model can be used: no mistake was made, and the shape of its input is known.
    ///
    /// # Errors
    /// The first mistake that was made while layers were added.
    pub fn ready(&self) -> Result<()> {
        self.check()?;
        if self.is_built() {
            return Ok(());
        }
        Err(Error::usage(format!("model `{}` is not built", self.name))
            .help("give the first layer an `input_shape`, call `build([features])`, or fit the model to data"))
    }

    /// The first mistake that was made while layers were added, if there was one.
    ///
    /// # Errors
    /// That mistake.
    pub fn check(&self) -> Result<()> {
        self.problem.clone().map_or(Ok(()), Err)
    }

    /// Whether the shape of the input is known and all weights are made.
    pub fn is_built(&self) -> bool {
        let Net { inputs, calls, .. } = self.net();
        !inputs.is_empty() && calls.iter().all(|call| !call.outputs.is_empty())
    }

    /// Keeps the first mistake.
    pub(crate) fn note(&mut self, error: Error) {
        self.problem.get_or_insert(error);
    }

    /// Adds a layer after the last one.
    pub(crate) fn append(&mut self, layer: impl IntoLayer) {
        self.settle();
        let flavor = self.flavor();
        let layer = layer.into_layer(flavor, self.variables.seeds());
        let name = layer.name().to_owned();
        if let Err(error) = check_settings(layer.layer()) {
            self.note(error.context(format!("layer `{name}`")));
            return;
        }
        let base = layer.layer().base();
        let is_first = self.net.layers.is_empty();
        if is_input(layer.layer()) {
            if !is_first {
                self.note(Error::usage(format!("`{name}`: an `Input` can only be the first layer")));
            }
            self.input = (Some(name), DataKind::from_keras_name(&base.dtype));
            self.set_input(base.batch_shape.as_ref());
            return;
        }
        if self.places.contains_key(&name) {
            let help = "give one of them another name, by `.name(…)`";
            self.note(Error::usage(format!("model `{}` has two layers named `{name}`", self.name)).help(help));
            return;
        }
        if !self.trainable {
            layer.set_trainable(false);
        }
        let place = self.net.layers.len();
        let input = if is_first { Port::Input(0) } else { Port::Output { call: place - 1, output: 0 } };
        let shape = base.batch_shape.clone().filter(|_| is_first);
        self.places.insert(name, place);
        if let Err(error) = self.net.push(layer, input) {
            self.note(error);
        }
        self.set_input(shape.as_ref());
        self.build_layers();
    }

    /// Says what the input is, unless that is known.
    fn set_input(&mut self, shape: Option<&BatchShape>) {
        if let Some(shape) = shape.filter(|_| self.net.inputs.is_empty()) {
            let name = self.input.0.clone().unwrap_or_else(|| "input_layer".into());
            self.net.inputs.push(InputSpec { name, shape: shape.clone(), kind: self.input_kind() });
        }
    }

    /// Takes the last layer away.
    pub(crate) fn remove_last(&mut self) -> Option<LayerRef> {
        self.settle();
        let layer = self.net.layers.pop()?;
        self.net.calls.pop();
        self.places.remove(layer.name());
        let place = self.net.layers.len();
        self.net.outputs = place.checked_sub(1).map(|call| Port::Output { call, output: 0 }).into_iter().collect();
        if self.net.host.is_some() {
            _ = self.net.split();
        }
        self.look_for_variables();
        Some(layer)
    }

    /// Finds the variables of all layers that are built.
    fn look_for_variables(&mut self) {
        self.variables.clear();
        self.net.layers.iter().for_each(|layer| add_variables(&mut self.variables, &self.name, layer));
    }

    /// Builds the model for samples of that shape, unless it is built: makes the weights of all its layers.
    ///
    /// # Errors
    /// A mistake in a layer, or a shape other than the one the model was built for.
    pub fn build(&mut self, input_shape: impl IntoShape) -> Result<()> {
        self.build_batch(&[vec![None], input_shape.into_shape()].concat())
    }

    /// [`Model::build`] for batches of that shape.
    ///
    /// # Errors
    /// Those of [`Model::build`].
    pub fn build_batch(&mut self, batch_shape: &BatchShape) -> Result<()> {
        self.settle();
        self.check()?;
        check_sizes(batch_shape)?;
        match self.net.inputs.first().map(|input| &input.shape) {
            Some(built) if built == batch_shape => {}
            Some(built) => {
                let (built, got) = (show(built), show(batch_shape));
                let message = format!("model `{}` was built for inputs of shape {built}, got {got}", self.name);
                return Err(Error::usage(message));
            }
            None => {
                let unbuilt: Vec<LayerRef> =
                    self.net.layers.iter().filter(|layer| !layer.is_built()).cloned().collect();
                self.set_input(Some(batch_shape));
                self.build_layers();
                if let Err(error) = self.check() {
                    // The layers are as they were: another shape may fit them.
                    self.problem = None;
                    self.net.inputs.clear();
                    self.net.calls.iter_mut().for_each(|call| call.outputs.clear());
                    unbuilt.iter().for_each(LayerRef::unbuild);
                    self.look_for_variables();
                    return Err(error);
                }
            }
        }
        self.check()
    }

    /// Builds the layers that are not built, front to back, as far as the shape of the input is known.
    fn build_layers(&mut self) {
        let Some(input) = self.net.inputs.first().filter(|_| self.problem.is_none()) else { return };
        let built = self.net.calls.partition_point(|call| !call.outputs.is_empty());
        let first = || vec![Spec::of_input(&input.shape, input.kind)];
        let mut specs = built.checked_sub(1).map_or_else(first, |last| self.net.calls[last].outputs.clone());
        for call in &mut self.net.calls[built..] {
            let layer = &self.net.layers[call.layer];
            match infer(layer, &specs[..1], &Keywords::default(), &mut self.variables) {
                Ok(outputs) => {
                    add_variables(&mut self.variables, &self.name, layer);
                    (call.outputs, specs) = (outputs.clone(), outputs);
                }
                Err(error) => {
                    self.problem.get_or_insert(error);
                    return;
                }
            }
        }
    }

    /// The layers, front to back.
    pub fn layers(&self) -> Vec<LayerView<'_>> {
        (0..self.net.layers.len()).map(|place| self.view(place)).collect()
    }

    /// The layer of that name.
    ///
    /// # Errors
    /// There must be one.
    pub fn get_layer(&self, name: &str) -> Result<LayerView<'_>> {
        let names = || self.net.layers.iter().map(LayerRef::name);
        let place = self.places.get(name).ok_or_else(|| crate::config::unknown("layer", name, names()))?;
        Ok(self.view(*place))
    }

    fn view(&self, place: usize) -> LayerView<'_> {
        LayerView { model: self, layer: &self.net.layers[place], place }
    }

    /// Says whether its layers learn: that counts from the next `compile` on.
    pub fn set_trainable(&mut self, trainable: bool) {
        self.trainable = trainable;
        self.net.layers.iter().for_each(|layer| layer.set_trainable(trainable));
    }

    /// Forgets what its layers remember from call to call: the states of stateful recurrences become zero.
    ///
    /// # Errors
    /// Those of a session.
    pub fn reset_states(&mut self) -> Result<()> {
        self.net.layers.iter().try_for_each(LayerRef::reset_states)
    }

    /// The weights, in Keras's order: layer by layer, those of each layer in the order it makes them. Those of layers of
    /// another type than `float32` are rounded to it; [`Model::weights_as`] gives all of them.
    #[doc(alias = "get_weights")]
    pub fn weights(&self) -> Vec<ArrayD<f32>> {
        self.weights_as()
    }

    /// [`Model::weights`] as numbers of another type: `weights_as::<f64>()` for layers of `float64`.
    pub fn weights_as<T: Element>(&self) -> Vec<ArrayD<T>> {
        self.variables().weights().map(|variable| from_array(&variable.read())).collect()
    }

    /// Sets all weights, in the order of [`Model::weights`]. Nothing changes if one does not fit.
    ///
    /// # Errors
    /// The number of weights or the shape of one is wrong, or the model is not built.
    pub fn set_weights(&mut self, weights: &[ArrayD<f32>]) -> Result<()> {
        self.set_weights_as(weights)
    }

    /// [`Model::set_weights`] with numbers of another type.
    ///
    /// # Errors
    /// Those of [`Model::set_weights`].
    pub fn set_weights_as<T: Element>(&mut self, weights: &[ArrayD<T>]) -> Result<()> {
        self.expects_weights(weights.len())?;
        let fit = |(variable, new): (&Named, &ArrayD<T>)| -> Result<Array> {
            if new.shape() != &variable.ty.shape[..] {
                let (needed, got) = (&variable.ty.shape, new.shape());
                return Err(Error::data(format!("weight `{}` needs shape {needed}, got {got:?}", variable.path)));
            }
            Ok(Array::new(new.shape(), new.iter().copied().collect::<Vec<T>>())?.cast(variable.ty.dtype))
        };
        self.write_weights(&self.variables().weights().zip(weights).map(fit).collect::<Result<Vec<Array>>>()?)
    }

    /// The number of numbers in all weights.
    pub fn count_params(&self) -> usize {
        self.variables().weights().map(|variable| variable.ty.size()).sum()
    }

    /// The shape of a batch of the first input, once it is known.
    pub fn input_shape(&self) -> Option<BatchShape> {
        self.net().shape(Port::Input(0))
    }

    /// The shape of a batch of the first output, once it is known.
    pub fn output_shape(&self) -> Option<BatchShape> {
        self.net().shape(*self.net().outputs.first()?)
    }
}

/// Adds the variables of a layer, and of those within it, to those of a model.
fn add_variables(variables: &mut Variables, model: &str, layer: &LayerRef) {
    layer.paths(&format!("{model}/{}", layer.name()), &mut |path, state| variables.add(path, state));
}

fn is_input(layer: &dyn Layer) -> bool {
    (layer as &dyn Any).is::<InputLayer>()
}

/// Looks for settings of a layer that cannot be right.
fn check_settings(layer: &dyn Layer) -> Result<()> {
    layer.base().batch_shape.as_deref().map_or(Ok(()), check_sizes)?;
    layer.base().check()?;
    layer.check()?;
    layer.check_settings()?;
    // An input may have types that no layer computes in.
    if is_input(layer) || layer.host().is_some() { Ok(()) } else { layer.base().policy().map(drop) }
}

impl<'a> LayerView<'a> {
    /// Keras's name of its class.
    pub fn class_name(&self) -> &'a str {
        self.layer.layer().class_name()
    }

    /// Its settings as Keras writes them.
    pub fn config(&self) -> Value {
        self.layer.config().into()
    }

    /// The layer, to be used elsewhere as well.
    pub fn shared(&self) -> LayerRef {
        self.layer.clone()
    }

    /// The shape of a batch of its first input, once it is known.
    pub fn input_shape(&self) -> Option<BatchShape> {
        let call = self.model.net().first_call(self.place)?;
        call.outputs.first()?;
        self.model.net().shape(*call.inputs.first()?)
    }

    /// The shape of a batch of its first output, once it is known.
    pub fn output_shape(&self) -> Option<BatchShape> {
        self.model.net().first_call(self.place)?.outputs.first().map(Spec::shape)
    }
}

impl<'a> Deref for LayerView<'a> {
    type Target = LayerRef;
    fn deref(&self) -> &LayerRef {
        self.layer
    }
}

/// `<Sequential name=sequential, built=True>`, as Keras prints a model.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let built = if self.is_built() { "True" } else { "False" };
        write!(f, "<{} name={}, built={built}>", self.class.name(), self.name)
    }
}
