//! Models: graphs of layers, and the values of their weights.

mod json;
mod sequential;
mod summary;
mod train;

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cornu_graph::{Array, DType, Element, Error, Executor, Result, from_array};
use ndarray::ArrayD;
use serde_json::Value;

pub use sequential::Sequential;

use crate::flavor::{Flavor, SeedsAt, flavor};
use crate::layers::{BatchShape, InputLayer, IntoShape, Layer};
use crate::net::{Call, Entry, Net, Wire, automatic, check_sizes, show};
use crate::random::SeedSource;
use crate::train::{Stage, Training};
use crate::variables::{Role, Variable, Variables};

/// A graph of layers, and the values of its weights.
pub struct Model {
    name: String,
    /// The name of the input, if it was given one.
    input_name: Option<String>,
    net: Net,
    variables: Variables,
    /// The places of its layers by their names.
    places: HashMap<String, usize>,
    /// Whether its layers may learn.
    trainable: bool,
    /// How it is trained.
    training: Training,
    /// The first mistake made while layers were added; every use of the model reports it.
    problem: Option<Error>,
}

/// A layer of a model, with its name, shapes and weights.
#[derive(Clone, Copy, Debug)]
pub struct LayerView<'a> {
    model: &'a Model,
    entry: &'a Entry,
}

impl Model {
    pub(crate) fn empty(name: String) -> Self {
        Model::following(flavor(), SeedSource::Process, name)
    }

    /// A model without layers, of that flavour and with those seeds.
    pub(crate) fn following(flavor: Flavor, seeds: SeedSource, name: String) -> Self {
        Model {
            name,
            input_name: None,
            net: Net::default(),
            variables: Variables::new(flavor, seeds),
            places: HashMap::new(),
            trainable: true,
            training: Training::new(flavor),
            problem: None,
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

    /// The name of its input, if it was given one.
    pub(crate) fn input_name(&self) -> Option<&str> {
        self.input_name.as_deref()
    }

    /// The layers and how they are connected.
    pub fn net(&self) -> &Net {
        &self.net
    }

    /// The variables of the model.
    pub fn variables(&self) -> &Variables {
        &self.variables
    }

    /// The layers, to trace, and the variables, to trace them with.
    pub fn parts(&mut self) -> (&Net, &mut Variables) {
        (&self.net, &mut self.variables)
    }

    /// Runs the model on that machine from now on, instead of on all cores of this processor. What it has learned and
    /// the state of its optimizer move with it.
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
        let optimizer = self.optimizer_state();
        self.variables.move_to(Box::new(machine))?;
        self.training.moved(self.variables.openings(), optimizer);
        Ok(())
    }

    /// What a step of training is made of.
    pub(crate) fn stage(&mut self) -> Stage<'_> {
        Stage { name: &self.name, net: &self.net, variables: &mut self.variables, training: &mut self.training }
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
        !self.net.inputs.is_empty() && self.net.layers.iter().all(|entry| entry.shapes.is_some())
    }

    /// Keeps the first mistake.
    pub(crate) fn note(&mut self, error: Error) {
        self.problem.get_or_insert(error);
    }

    /// Adds a layer after the last one.
    pub(crate) fn append(&mut self, layer: Arc<dyn Layer>) {
        let class = layer.class_name();
        let name = layer.base().name.clone().unwrap_or_else(|| automatic(class));
        if let Err(error) = check_settings(&*layer) {
            self.note(error.context(format!("layer `{name}`")));
            return;
        }
        if self.net.layers.is_empty()
            && self.net.inputs.is_empty()
            && let Some(shape) = &layer.base().batch_shape
        {
            self.net.inputs.push(shape.clone());
        }
        if is_input(&*layer) {
            if !self.net.layers.is_empty() {
                self.note(Error::usage(format!("`{name}`: an `Input` can only be the first layer")));
            }
            self.net.input_type = DType::from_keras_name(&layer.base().dtype);
            self.input_name = Some(name);
            return;
        }
        if self.places.contains_key(&name) {
            let help = "give one of them another name, by `.name(…)`";
            self.note(Error::usage(format!("model `{}` has two layers named `{name}`", self.name)).help(help));
            return;
        }
        let seeds = match self.flavor().seeds_at() {
            SeedsAt::Weight => Vec::new(),
            SeedsAt::Layer => (0..layer.seeds_drawn()).map(|_| self.variables.next_seed()).collect(),
        };
        let place = self.net.layers.len();
        let input = if place == 0 { Wire::Input(0) } else { Wire::Output { call: place - 1, output: 0 } };
        self.places.insert(name.clone(), place);
        let trainable = self.trainable && layer.base().trainable;
        let entry = Entry { name, layer, shapes: None, seeds, trainable, dtype: DType::F32, variables: 0..0 };
        self.net.layers.push(entry);
        self.net.calls.push(Call { layer: place, inputs: vec![input] });
        self.net.outputs = vec![Wire::Output { call: place, output: 0 }];
        self.build_layers();
    }

    /// Takes the last layer away.
    pub(crate) fn remove_last(&mut self) -> Option<Arc<dyn Layer>> {
        let entry = self.net.layers.pop()?;
        self.net.calls.pop();
        self.places.remove(&entry.name);
        let place = self.net.layers.len();
        self.net.outputs = place.checked_sub(1).map(|call| Wire::Output { call, output: 0 }).into_iter().collect();
        if entry.shapes.is_some() {
            self.variables.truncate(entry.variables.start);
        }
        Some(entry.layer)
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
        self.check()?;
        check_sizes(batch_shape)?;
        match self.net.inputs.first() {
            Some(built) if built == batch_shape => {}
            Some(built) => {
                let (built, got) = (show(built), show(batch_shape));
                let message = format!("model `{}` was built for inputs of shape {built}, got {got}", self.name);
                return Err(Error::usage(message));
            }
            None => {
                self.net.inputs.push(batch_shape.clone());
                self.build_layers();
                if let Err(error) = self.check() {
                    // The layers are as they were: another shape may fit them.
                    self.problem = None;
                    self.net.inputs.clear();
                    self.net.layers.iter_mut().for_each(|entry| (entry.shapes, entry.variables) = (None, 0..0));
                    self.variables.truncate(0);
                    return Err(error);
                }
            }
        }
        self.check()
    }

    /// Builds the layers that are not built, front to back, as far as the shape of the input is known.
    fn build_layers(&mut self) {
        let Some(input) = self.net.inputs.first() else { return };
        if self.problem.is_some() {
            return;
        }
        let built = self.net.layers.partition_point(|entry| entry.shapes.is_some());
        let before = built.checked_sub(1).and_then(|last| self.net.layers[last].shapes.as_ref());
        let mut shape = before.map_or(input, |(_, output)| output).clone();
        let mut dtype = built.checked_sub(1).map_or_else(|| self.net.input_dtype(), |last| self.net.layers[last].dtype);
        for entry in &mut self.net.layers[built..] {
            match entry.build(&mut self.variables, &self.name, (&shape, dtype)) {
                Ok(output) => {
                    entry.shapes = Some((shape, output.clone()));
                    (shape, dtype) = (output, entry.dtype);
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
        self.net.layers.iter().map(|entry| LayerView { model: self, entry }).collect()
    }

    /// The layer of that name.
    ///
    /// # Errors
    /// There must be one.
    pub fn get_layer(&self, name: &str) -> Result<LayerView<'_>> {
        let names = || self.net.layers.iter().map(|entry| entry.name.as_str());
        let found = self.places.get(name).map(|&place| &self.net.layers[place]);
        let entry = found.ok_or_else(|| crate::config::unknown("layer", name, names()))?;
        Ok(LayerView { model: self, entry })
    }

    /// The weights, in Keras's order: layer by layer, those of each layer in the order it makes them. Those of layers of
    /// another type than `float32` are rounded to it; [`Model::weights_as`] gives all of them.
    #[doc(alias = "get_weights")]
    pub fn weights(&self) -> Vec<ArrayD<f32>> {
        self.weights_as()
    }

    /// [`Model::weights`] as numbers of another type: `weights_as::<f64>()` for layers of `float64`.
    pub fn weights_as<T: Element>(&self) -> Vec<ArrayD<T>> {
        self.variables.weights().map(|variable| from_array(&self.variables.read(variable))).collect()
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
        self.ready()?;
        let own: Vec<Variable> = self.variables.weights().cloned().collect();
        if own.len() != weights.len() {
            let message = format!("model `{}` has {} weights, got a list of {}", self.name, own.len(), weights.len());
            return Err(Error::data(message));
        }
        let fit = |(variable, new): (&Variable, &ArrayD<T>)| -> Result<Array> {
            if new.shape() != &variable.ty.shape[..] {
                let (needed, got) = (&variable.ty.shape, new.shape());
                return Err(Error::data(format!("weight `{}` needs shape {needed}, got {got:?}", variable.path)));
            }
            Ok(Array::new(new.shape(), new.iter().copied().collect::<Vec<T>>())?.cast(variable.ty.dtype))
        };
        let arrays = own.iter().zip(weights).map(fit).collect::<Result<Vec<Array>>>()?;
        own.iter().zip(&arrays).try_for_each(|(variable, array)| self.variables.write(&variable.path, array))
    }

    /// The number of numbers in all weights.
    pub fn count_params(&self) -> usize {
        self.variables.weights().map(|variable| variable.ty.size()).sum()
    }

    /// The shape of a batch of inputs, once it is known.
    pub fn input_shape(&self) -> Option<BatchShape> {
        self.net.inputs.first().cloned()
    }

    /// The shape of a batch of outputs, once it is known.
    pub fn output_shape(&self) -> Option<BatchShape> {
        match self.net.outputs.first()? {
            Wire::Input(index) => self.net.inputs.get(*index).cloned(),
            Wire::Output { call, .. } => {
                let entry = &self.net.layers[self.net.calls.get(*call)?.layer];
                entry.shapes.as_ref().map(|(_, output)| output.clone())
            }
        }
    }
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
    if is_input(layer) { Ok(()) } else { layer.base().element().map(drop) }
}

impl<'a> LayerView<'a> {
    /// Its name, unique in the model.
    pub fn name(&self) -> &'a str {
        &self.entry.name
    }

    /// Keras's name of its class.
    pub fn class_name(&self) -> &'a str {
        self.entry.layer.class_name()
    }

    /// Its settings, if it is an `L`.
    pub fn settings<L: Layer>(&self) -> Option<&'a L> {
        let layer: &dyn Any = &*self.entry.layer;
        layer.downcast_ref()
    }

    /// Its settings as Keras writes them.
    pub fn config(&self) -> Value {
        json::layer_config(self.entry).into()
    }

    /// Whether its weights learn.
    pub fn trainable(&self) -> bool {
        self.entry.trainable
    }

    /// The shape of a batch of its input, once it is known.
    pub fn input_shape(&self) -> Option<BatchShape> {
        self.entry.shapes.as_ref().map(|(input, _)| input.clone())
    }

    /// The shape of a batch of its output, once it is known.
    pub fn output_shape(&self) -> Option<BatchShape> {
        self.entry.shapes.as_ref().map(|(_, output)| output.clone())
    }

    /// Its weights as variables.
    pub fn variables(&self) -> impl Iterator<Item = &'a Variable> + use<'a> {
        let own = &self.model.variables.all()[self.entry.variables.clone()];
        own.iter().filter(|variable| variable.role != Role::Seed)
    }

    /// Its weights.
    #[doc(alias = "get_weights")]
    pub fn weights(&self) -> Vec<ArrayD<f32>> {
        self.weights_as()
    }

    /// Its weights as numbers of another type.
    pub fn weights_as<T: Element>(&self) -> Vec<ArrayD<T>> {
        self.variables().map(|variable| from_array(&self.model.variables.read(variable))).collect()
    }

    /// The number of numbers in its weights.
    pub fn count_params(&self) -> usize {
        self.variables().map(|variable| variable.ty.size()).sum()
    }
}

/// `<Sequential name=sequential, built=True>`, as Keras prints a model.
impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let built = if self.is_built() { "True" } else { "False" };
        write!(f, "<Model name={}, built={built}>", self.name)
    }
}
