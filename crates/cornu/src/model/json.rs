//! Models as Keras's JSON: written so that both Keras 2.13 and Keras 3 read it, read from either.

use std::collections::{HashMap, VecDeque};

use cornu_graph::{Context, Error, Result};
use serde_json::{Map, Value, json};

use super::{Class, Model, Nested, Sequential};
use crate::config::{
    Config, Field, FromConfig, expected, object, open_built_in, open_object, read, refuse_unknown_keys, short,
};
use crate::flavor::Flavor;
use crate::layers::{Base, BatchShape, InputLayer, IntoLayer, Layer, LayerRef, automatic, dtype_name};
use crate::net::{Call, InputSpec, Net, Port, Symbol};
use crate::registry::Family;
use crate::variables::Variables;

/// What Keras keeps to build a layer or model again: the shape of its input.
fn build_config(input: &BatchShape) -> Value {
    json!({ "input_shape": input.to_json() })
}

fn layer_to_json(net: &Net, place: usize, flavor: Flavor) -> Value {
    let layer = &net.layers[place];
    let mut json = match layer.settings::<Nested>() {
        Some(nested) => model_object(layer.name(), &nested.net, nested.class, flavor),
        None => layer.to_json(),
    };
    let first = net.first_call(place).filter(|call| !call.outputs.is_empty());
    if let (Some(input), Some(json)) = (first.and_then(|call| net.shape(call.inputs[0])), json.as_object_mut()) {
        json.insert("build_config".into(), build_config(&input));
    }
    json
}

fn input_to_json(input: &InputSpec) -> Value {
    let layer = InputLayer::batch_shape(input.shape.clone()).name(&*input.name).dtype(input.dtype.keras_name());
    object(layer.module(), layer.class_name(), layer.to_json())
}

/// A model as both versions of Keras read it, but for the numbers of a model's calls within another: those are of one.
fn model_object(name: &str, net: &Net, class: Class, flavor: Flavor) -> Value {
    object("keras", class.name_in_files(), net_config(name, net, class, flavor))
}

/// Name and layers of a model, and how they are connected if they do not stand in a line.
pub(super) fn net_config(name: &str, net: &Net, class: Class, flavor: Flavor) -> Map<String, Value> {
    let mut config = Map::new();
    config.insert("name".into(), name.into());
    let inputs = net.inputs.iter().map(input_to_json);
    let layers = (0..net.layers.len()).map(|place| layer_to_json(net, place, flavor));
    if class == Class::Sequential {
        config.insert("layers".into(), inputs.chain(layers).collect());
        return config;
    }
    let ends =
        |ports: &[Port]| -> Value { ports.iter().map(|port| json!(history(net, *port, Of::End, flavor))).collect() };
    // Keras 3 reads lists as well, but then counts calls as Keras 2 does not, and takes no tensors by name.
    let beyond = |layer: &LayerRef| layer.settings::<Nested>().is_some() || !layer.layer().arguments().is_empty();
    let beyond_lists = net.layers.iter().any(beyond);
    let nodes = |layer: &LayerRef| -> Value {
        let calls = net.calls.iter().filter(|call| net.layers[call.layer].is(layer));
        let own = beyond_lists && flavor == Flavor::Keras3;
        calls.map(|call| if own { node_of_keras_3(net, call) } else { node(net, call, flavor) }).collect()
    };
    let placed = |mut json: Value, name: &str, nodes: Value| {
        json["name"] = name.into();
        json["inbound_nodes"] = nodes;
        json
    };
    let inputs = inputs.zip(&net.inputs).map(|(json, input)| placed(json, &input.name, json!([])));
    let layers = layers.zip(&net.layers).map(|(json, layer)| placed(json, layer.name(), nodes(layer)));
    config.insert("trainable".into(), true.into());
    config.insert("layers".into(), inputs.chain(layers).collect());
    config.insert("input_layers".into(), ends(&(0..net.inputs.len()).map(Port::Input).collect::<Vec<_>>()));
    config.insert("output_layers".into(), ends(&net.outputs));
    config
}

/// What a tensor is for: to be given to a layer, or to be an end of the model.
#[derive(Clone, Copy, PartialEq)]
enum Of {
    Layer,
    End,
}

impl Of {
    /// Whether calls of a layer are counted from 1 on: of models Keras 2 takes the one that it is made of itself for the
    /// first, and Keras 3 does so for functional ones where they are at an end.
    fn counts_own(self, layer: &LayerRef, flavor: Flavor) -> bool {
        let functional = |nested: &Nested| nested.class == Class::Functional;
        layer
            .settings::<Nested>()
            .is_some_and(|nested| flavor == Flavor::Keras2 || self == Of::End && functional(nested))
    }
}

/// Where a tensor comes from, as Keras writes it: layer, call of that layer, output of that call.
fn history(net: &Net, port: Port, of: Of, flavor: Flavor) -> (&str, usize, usize) {
    let (name, call, output) = net.origin(port);
    let own = match port {
        Port::Output { call, .. } => of.counts_own(&net.layers[net.calls[call].layer], flavor),
        Port::Input(_) => false,
    };
    (name, call + usize::from(own), output)
}

/// A call in the form of Keras 2, which Keras 3 reads as well. Of inputs that have names, that of the first argument is by
/// position.
fn node(net: &Net, call: &Call, flavor: Flavor) -> Value {
    let origin = |port: &Port| {
        let (name, call, output) = history(net, *port, Of::Layer, flavor);
        json!([name, call, output])
    };
    let arguments = net.layers[call.layer].layer().arguments();
    let known = arguments.iter().map(|argument| &*argument.name).take(call.inputs.len() - call.names.len());
    let names = known.chain(call.names.iter().map(String::as_str));
    let mut named: Vec<(&str, Value)> = names.zip(call.inputs.iter().map(origin)).collect();
    named.sort_by_key(|(name, _)| arguments.first().is_some_and(|first| first.name != *name));
    if named.is_empty() {
        let input =
            |port: &Port| [origin(port).as_array().cloned().unwrap_or_default(), vec![json!({})]].concat().into();
        return call.inputs.iter().map(input).collect::<Vec<Value>>().into();
    }
    let first = named.remove(0).1;
    let named: Map<String, Value> = named.into_iter().map(|(name, origin)| (name.into(), origin)).collect();
    json!([[first[0], first[1], first[2], named]])
}

/// A call in the form of Keras 3.
fn node_of_keras_3(net: &Net, call: &Call) -> Value {
    let input = |port: &Port| {
        let dtype = match *port {
            Port::Input(index) => net.inputs[index].dtype,
            Port::Output { call, output } => net.calls[call].outputs[output].dtype(),
        };
        let (shape, history) = (net.shape(*port), history(net, *port, Of::Layer, Flavor::Keras3));
        let config = json!({ "shape": shape, "dtype": dtype.keras_name(), "keras_history": history });
        json!({ "class_name": "__keras_tensor__", "config": config })
    };
    let mut inputs: Vec<Value> = call.inputs.iter().map(input).collect();
    let named = inputs.split_off(inputs.len() - call.names.len());
    let kwargs: Map<String, Value> = call.names.iter().cloned().zip(named).collect();
    // A layer that has no names for its inputs takes a list of them.
    let in_turn = inputs.len() == 1 || !net.layers[call.layer].layer().arguments().is_empty();
    let args = if in_turn { inputs } else { vec![inputs.into()] };
    json!({ "args": args, "kwargs": kwargs })
}

impl Model {
    /// The model without its weights, as an object that both versions of Keras read.
    ///
    /// # Errors
    /// A mistake that was made while layers were added.
    pub fn to_json_value(&self) -> Result<Value> {
        self.to_json_for(Flavor::Keras3)
    }

    /// [`Model::to_json_value`], with calls of models within it numbered as that Keras does.
    pub(crate) fn to_json_for(&self, flavor: Flavor) -> Result<Value> {
        self.check()?;
        let mut model = model_object(self.name(), self.net(), self.class, flavor);
        let input = self.input_shape().filter(|_| self.class == Class::Sequential);
        if let (Some(input), Some(model)) = (input, model.as_object_mut()) {
            model.insert("build_config".into(), build_config(&input));
        }
        Ok(model)
    }

    /// The model without its weights, as Keras's text.
    ///
    /// # Errors
    /// A mistake that was made while layers were added.
    pub fn to_json(&self) -> Result<String> {
        // The writer escapes everything beyond ASCII.
        Ok(cornu_files::json::to_bytes(&self.to_json_value()?)?.into_iter().map(char::from).collect())
    }

    /// A model with new weights, from an object of Keras: functional or sequential.
    ///
    /// # Errors
    /// Something that is no such model, or has layers or settings that are not known.
    pub fn from_json_value(json: &Value) -> Result<Model> {
        Self::from_config(json, None)
    }

    /// [`Model::from_json_value`]; with `room`, the weights are zeros until those of a file with that many numbers are read.
    pub(crate) fn from_config(json: &Value, room: Option<usize>) -> Result<Model> {
        model_from(json, &mut made_for(room))
    }
}

/// What the layers of a file are made with.
fn made_for(room: Option<usize>) -> Variables {
    let mut variables = Variables::default();
    variables.await_values(room);
    variables
}

/// A model in a file, before its layers are read.
struct Opened {
    class: Class,
    name: Option<String>,
    trainable: bool,
    layers: Vec<Value>,
    config: Map<String, Value>,
}

fn open_model(json: &Value) -> Result<Opened> {
    let help = "only Keras's own models are read: build this one here, and take its weights by `load_weights`";
    let (name, config) = open_built_in("model", json, help)?;
    let class = Class::of(&name).ok_or_else(|| Error::unsupported(format!("expected a model, got `{name}`")))?;
    let own: &[&str] = match class {
        Class::Sequential => &["build_input_shape"],
        Class::Functional => &["input_layers", "output_layers"],
    };
    let known = ["name", "trainable", "dtype", "layers"].iter().chain(own).copied();
    refuse_unknown_keys(&config, known).context(&name)?;
    // Every layer has a type of its own, which is what counts.
    let dtype = config.get("dtype").map_or(Ok(Base::default().dtype), dtype_name).context(format!("{name}.dtype"))?;
    Base { dtype, ..Base::default() }.policy().context(format!("{name}.dtype"))?;
    let layers = config.get("layers").and_then(Value::as_array).cloned();
    let layers = layers.ok_or_else(|| Error::data(format!("{name}.layers: expected a list of layers")))?;
    let trainable = read(&config, &name, "trainable", Some(true))?;
    Ok(Opened { class, name: read(&config, &name, "name", Some(None))?, trainable, layers, config })
}

/// A layer of a file, or a model that is one.
fn layer_from(json: &Value, variables: &mut Variables) -> Result<LayerRef> {
    let class = json.get("class_name").and_then(Value::as_str).unwrap_or_default();
    if Class::of(class).is_some() {
        return model_from(json, variables).map(|model| model.layer());
    }
    let layer = <dyn Layer>::registry().read_object(json)?;
    Ok(layer.into_layer(variables.flavor(), variables.seeds()))
}

/// A model of either class, whose weights are made as those of `variables` are.
fn model_from(json: &Value, variables: &mut Variables) -> Result<Model> {
    let opened = open_model(json)?;
    match opened.class {
        Class::Sequential => sequential_from(json, opened, variables).map(Sequential::into_model),
        Class::Functional => functional_from(opened, variables),
    }
}

/// A functional model. Layers are called as soon as what they depend on is there; nothing is read twice.
fn functional_from(opened: Opened, variables: &mut Variables) -> Result<Model> {
    let name = opened.name.unwrap_or_else(|| automatic(Class::Functional.name()));
    let mut graph = Graph::default();
    for (place, json) in opened.layers.iter().enumerate() {
        let own = json.get("name").or_else(|| json.pointer("/config/name")).and_then(Value::as_str);
        let own = own.map_or_else(|| place.to_string(), str::to_owned);
        graph.add(&own, json, variables).context(format!("model `{name}`: layer `{}`", short(&own)))?;
    }
    graph.connect(variables).context(format!("model `{name}`"))?;
    let ends = |key: &str| -> Result<Vec<Symbol>> {
        // One end may stand alone.
        let ends = opened.config.get(key).unwrap_or(&Value::Null);
        let list = if ends[0].is_string() { vec![ends] } else { ends.as_array().into_iter().flatten().collect() };
        list.into_iter().map(|end| graph.find(end, Of::End).map_err(|error| error.context(key.to_owned()))).collect()
    };
    let mut model = Model::named(&name, ends("input_layers")?, ends("output_layers")?)?;
    if !opened.trainable {
        model.set_trainable(false);
    }
    Ok(model)
}

/// The layers of a functional model while it is read.
#[derive(Default)]
struct Graph {
    /// What each call of a layer or input has given, by name.
    made: HashMap<String, Made>,
    /// Calls to come: layer, its name, where its inputs come from.
    awaited: VecDeque<(LayerRef, String, Histories)>,
}

/// What each call of a layer has given; and the number of the first call where it is given to a layer, and at an end.
#[derive(Default)]
struct Made {
    first: [usize; 2],
    calls: Vec<Vec<Symbol>>,
}

/// Where the inputs of a call come from: those by position, then those by name.
#[derive(Default)]
struct Histories {
    inputs: Vec<Value>,
    named: Vec<(String, Value)>,
}

impl Graph {
    fn add(&mut self, name: &str, json: &Value, variables: &mut Variables) -> Result<()> {
        if self.made.contains_key(name) {
            return Err(Error::data("there are two layers of that name"));
        }
        let nodes = json.get("inbound_nodes").and_then(Value::as_array).cloned().unwrap_or_default();
        if json["class_name"] == InputLayer::CLASS {
            let (_, config) = open_object(json)?;
            let input = InputLayer::from_json(&config)?.name(name).symbol()?;
            self.made.insert(name.into(), Made { calls: vec![vec![input]], ..Made::default() });
            return Ok(());
        }
        let layer = layer_from(json, variables)?;
        // Keras 2 writes lists.
        let flavor = if nodes.first().is_some_and(Value::is_array) { Flavor::Keras2 } else { Flavor::Keras3 };
        let first = [Of::Layer, Of::End].map(|of| usize::from(of.counts_own(&layer, flavor)));
        self.made.insert(name.into(), Made { first, ..Made::default() });
        for node in nodes {
            let mut found = Histories::default();
            found.read(&node)?;
            self.awaited.push_back((layer.clone(), name.to_owned(), found));
        }
        Ok(())
    }

    /// Calls the layers, each once its inputs and its earlier calls are made.
    fn connect(&mut self, variables: &mut Variables) -> Result<()> {
        let mut idle = 0;
        while let Some((layer, name, from)) = self.awaited.pop_front() {
            match from.all().map(|input| self.find(input, Of::Layer)).collect::<Result<Vec<Symbol>>>() {
                Ok(symbols) => {
                    let outputs = Symbol::of_call(&layer, symbols, from.names(), variables)?;
                    self.made.entry(name).or_default().calls.push(outputs);
                    idle = 0;
                }
                Err(error) if idle > self.awaited.len() => {
                    let error = error.context(format!("layer `{}`", short(&name)));
                    return Err(error.help("the layers form a loop, or one of them is missing"));
                }
                Err(_) => {
                    self.awaited.push_back((layer, name, from));
                    idle += 1;
                }
            }
        }
        Ok(())
    }

    /// The tensor of `["dense", 0, 0]`: layer, call, output.
    fn find(&self, history: &Value, of: Of) -> Result<Symbol> {
        let place = |i: usize| history[i].as_u64().and_then(|n| usize::try_from(n).ok());
        let (Some(name), Some(call), Some(output)) = (history[0].as_str(), place(1), place(2)) else {
            return Err(expected("a layer, a call and an output", history));
        };
        let in_made = |made: &'_ Made| made.calls.get(call.checked_sub(made.first[of as usize])?)?.get(output).cloned();
        let found = self.made.get(name).and_then(in_made);
        found.ok_or_else(|| Error::data(format!("there is no output {output} of call {call} of `{}`", short(name))))
    }
}

impl Histories {
    /// The inputs of a call, in the form of either Keras.
    fn read(&mut self, node: &Value) -> Result<()> {
        match node {
            Value::Array(items) if items.first().is_some_and(Value::is_string) => {
                self.inputs.push(Value::Array(items[..items.len().min(3)].to_vec()));
                self.named(items.get(3))
            }
            Value::Array(items) => items.iter().try_for_each(|item| self.read(item)),
            Value::Object(object) if object.contains_key("args") => {
                self.read(&object["args"])?;
                self.named(object.get("kwargs"))
            }
            Value::Object(_) if node["class_name"] == "__keras_tensor__" => {
                self.inputs.push(node["config"]["keras_history"].clone());
                Ok(())
            }
            other => Err(expected("the inputs of a layer", other)),
        }
    }

    /// The inputs by name.
    fn named(&mut self, kwargs: Option<&Value>) -> Result<()> {
        let given = kwargs.and_then(Value::as_object).into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (name, value) in given {
            let is_tensor = value["class_name"] == "__keras_tensor__" || value[0].is_string() && value[1].is_u64();
            if !is_tensor {
                let message = format!("the argument `{}` of a call is not supported", short(name));
                return Err(Error::unsupported(message));
            }
            // Keras 2 says them with each input.
            if self.named.iter().all(|(known, _)| known != name) {
                let history = value.pointer("/config/keras_history").unwrap_or(value);
                self.named.push((name.clone(), history.clone()));
            }
        }
        Ok(())
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.inputs.iter().chain(self.named.iter().map(|(_, history)| history))
    }

    fn names(self) -> Vec<String> {
        self.named.into_iter().map(|(name, _)| name).collect()
    }
}

impl Sequential {
    /// A model with new weights, from the text of [`Model::to_json`] or of Keras.
    ///
    /// # Errors
    /// Text that is not JSON, not a sequential model, or has layers or settings that are not known.
    pub fn from_json(text: &str) -> Result<Sequential> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::data(format!("a model's JSON: {error}")).caused_by(error))?;
        Self::from_json_value(&json)
    }

    /// A model with new weights, from an object of Keras.
    ///
    /// # Errors
    /// Something that is not a sequential model, or has layers or settings that are not known.
    pub fn from_json_value(json: &Value) -> Result<Sequential> {
        match json["class_name"].as_str().filter(|name| Class::of(name) == Some(Class::Functional)) {
            Some(other) => Err(Error::unsupported(format!("expected a `Sequential` model, got `{other}`"))),
            None => sequential_from(json, open_model(json)?, &mut made_for(None)),
        }
    }
}

/// A line of layers.
fn sequential_from(json: &Value, opened: Opened, like: &mut Variables) -> Result<Sequential> {
    let mut model = opened.name.map_or_else(Sequential::new, Sequential::named);
    if !opened.trainable {
        model.freeze();
    }
    model.parts().1.await_values(like.room());
    for (place, layer) in opened.layers.iter().enumerate() {
        let name = layer.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
        let which = name.map_or_else(|| place.to_string(), |name| format!("`{}`", short(name)));
        let place = format!("model `{}`: layer {which}", model.name());
        let layer = layer_from(layer, model.parts().1).context(place)?;
        model.add(&layer);
    }
    model.check()?;
    if let Some(shape) = input_shape(json, &opened.config)?.filter(|_| model.input_shape().is_none()) {
        model.build_batch(&shape)?;
    }
    like.await_values(model.parts().1.room());
    model.parts().1.await_values(None);
    Ok(model)
}

/// The shape a model was built for, wherever it is written.
fn input_shape(json: &Value, config: &Map<String, Value>) -> Result<Option<BatchShape>> {
    let outer = json.get("build_config").and_then(|build| build.get("input_shape"));
    let shape = config.get("build_input_shape").filter(|shape| !shape.is_null()).or(outer);
    shape.map_or(Ok(None), Option::<BatchShape>::from_json).context("the shape of the model's input")
}
