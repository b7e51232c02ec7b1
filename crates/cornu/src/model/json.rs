//! Models as Keras's JSON: written so that both Keras 2.13 and Keras 3 read it, read from either.

mod calls;

use std::collections::BTreeMap;

use cornu_graph::{Context, Error, Result};
use serde_json::{Map, Value, json};

use self::calls::Graph;
use super::{Class, Model, Nested, Sequential};
use crate::config::{Config, Field, Mark, object, open_built_in, read, refuse_unknown_keys, short};
use crate::flavor::Flavor;
use crate::layers::{ArgumentKind, Base, BatchShape, InputLayer, IntoLayer, Layer, LayerRef, automatic, dtype_name};
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
    if let (Some(host), Some(own)) = (layer.host(), json["config"].as_object_mut()) {
        host.write_for_both(own);
    }
    let Some(call) = net.first_call(place).filter(|call| !call.outputs.is_empty()) else { return json };
    let shapes: Vec<BatchShape> = call.inputs.iter().filter_map(|port| net.shape(*port)).collect();
    let arguments = layer.layer().arguments();
    if flavor == Flavor::Keras2 {
        leave_out(&mut json);
        let names = call.arguments(&arguments);
        let shape = |name: &str| shapes.get(names.iter().position(|known| known == name)?).cloned();
        json["config"]
            .as_object_mut()
            .into_iter()
            .for_each(|own| own.extend(layer.layer().settings_of_keras_2(&shape)));
    }
    // Of several inputs that have names Keras asks when it calls the layer.
    match &shapes[..] {
        [shape] => json["build_config"] = build_config(shape),
        _ if arguments.is_empty() => json["build_config"] = json!({ "input_shape": shapes.to_json() }),
        _ => {}
    }
    json
}

/// Takes from layers the settings that Keras 2 does not know, where they ask for nothing.
fn leave_out(json: &mut Value) {
    if json["module"] == "keras.layers" {
        let classes = <dyn Layer>::registry().listed();
        let class = classes.iter().find(|class| json["class_name"] == *class.id.name);
        let fields = class.into_iter().flat_map(|class| class.fields.iter());
        for field in fields.filter(|field| field.marks.contains(&Mark::KERAS3)) {
            if let Some(own) = json["config"].as_object_mut() {
                own.retain(|key, value| *key != *field.name || value.as_bool().unwrap_or(!value.is_null()));
            }
        }
    }
    match json {
        Value::Array(list) => list.iter_mut().for_each(leave_out),
        Value::Object(object) => object.values_mut().for_each(leave_out),
        _ => {}
    }
}

fn input_to_json(input: &InputSpec) -> Value {
    let layer = InputLayer::batch_shape(input.shape.clone()).name(&*input.name).dtype(input.kind.keras_name());
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
    let ends = |ports: &[Port], keys: &[String]| -> Value {
        let histories = ports.iter().map(|port| json!(history(net, *port, Of::End, flavor)));
        if keys.is_empty() { histories.collect() } else { Value::Object(keys.iter().cloned().zip(histories).collect()) }
    };
    // Keras 3 reads lists as well, but then counts calls as Keras 2 does not, and takes no tensors by name.
    let beyond = |call: &Call| {
        let layer = net.layers[call.layer].layer();
        let several = call.inputs.len() > 1 && !layer.arguments().is_empty();
        several || !call.keywords.tensors.is_empty() || net.layers[call.layer].settings::<Nested>().is_some()
    };
    let beyond_lists = net.calls.iter().any(beyond);
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
    let inputs: Vec<Port> = (0..net.inputs.len()).map(Port::Input).collect();
    config.insert("input_layers".into(), ends(&inputs, &net.keys[0]));
    config.insert("output_layers".into(), ends(&net.outputs, &net.keys[1]));
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

/// A call in the form of Keras 2, which Keras 3 reads as well. Inputs that have names are said by them, but for that of the
/// first argument and a list behind it.
fn node(net: &Net, call: &Call, flavor: Flavor) -> Value {
    let arguments = net.layers[call.layer].layer().arguments();
    let (mut inputs, mut named) = (Vec::new(), Map::new());
    for (name, port) in call.arguments(&arguments).into_iter().zip(&call.inputs) {
        let (origin, call, output) = history(net, *port, Of::Layer, flavor);
        let origin = json!([origin, call, output]);
        let at = arguments.iter().position(|argument| argument.name == *name);
        match at.map(|at| (at, arguments[at].kind)) {
            // It may be given behind others, by name.
            Some((0, _)) => inputs.insert(0, origin),
            None | Some((1, ArgumentKind::List)) => inputs.push(origin),
            Some((_, ArgumentKind::List)) => push(&mut named, name, origin),
            Some(_) => _ = named.insert(name, origin),
        }
    }
    named.extend(call.keywords.flags.iter().map(|(name, flag)| (name.clone(), (*flag).into())));
    let input = |origin: Value| json!([origin[0], origin[1], origin[2], named]);
    inputs.into_iter().map(input).collect()
}

/// Adds to a list in an object.
fn push(object: &mut Map<String, Value>, key: String, value: Value) {
    if let Value::Array(list) = object.entry(key).or_insert_with(|| json!([])) {
        list.push(value);
    }
}

/// A call in the form of Keras 3.
fn node_of_keras_3(net: &Net, call: &Call) -> Value {
    let input = |port: &Port| {
        let dtype = match *port {
            Port::Input(index) => net.inputs[index].kind,
            Port::Output { call, output } => net.calls[call].outputs[output].kind(),
        };
        let (shape, history) = (net.shape(*port), history(net, *port, Of::Layer, Flavor::Keras3));
        let config = json!({ "shape": shape, "dtype": dtype.keras_name(), "keras_history": history });
        json!({ "class_name": "__keras_tensor__", "config": config })
    };
    let arguments = net.layers[call.layer].layer().arguments();
    let is_list =
        |name: &str| arguments.iter().any(|argument| argument.name == *name && argument.kind == ArgumentKind::List);
    let positional = call.inputs.len() - call.keywords.tensors.len();
    let (mut args, mut list, mut kwargs) = (Vec::new(), Vec::new(), Map::new());
    for (at, (name, port)) in call.arguments(&arguments).into_iter().zip(&call.inputs).enumerate() {
        match (at < positional, is_list(&name)) {
            (true, false) => args.push(input(port)),
            (true, true) => list.push(input(port)),
            (false, false) => _ = kwargs.insert(name, input(port)),
            (false, true) => push(&mut kwargs, name, input(port)),
        }
    }
    if !list.is_empty() {
        args.push(list.into());
    }
    kwargs.extend(call.keywords.flags.iter().map(|(name, flag)| (name.clone(), (*flag).into())));
    // A layer that has no names for its inputs takes a list of them.
    let in_turn = args.len() == 1 || !arguments.is_empty();
    let args = if in_turn { args } else { vec![args.into()] };
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
    let ends = |key: &str| -> Result<(Vec<String>, Vec<Symbol>)> {
        let ends = opened.config.get(key).unwrap_or(&Value::Null);
        let (keys, list): (Vec<String>, Vec<&Value>) = match ends {
            // As Keras does it, by key.
            Value::Object(object) => {
                object.iter().collect::<BTreeMap<_, _>>().into_iter().map(|(key, end)| (key.clone(), end)).unzip()
            }
            // One end may stand alone.
            _ if ends[0].is_string() => (Vec::new(), vec![ends]),
            _ => (Vec::new(), ends.as_array().into_iter().flatten().collect()),
        };
        let found = list.into_iter().map(|end| graph.find(end, Of::End)).collect::<Result<_>>();
        Ok((keys, found.context(key.to_owned())?))
    };
    let ((of_inputs, inputs), (of_outputs, outputs)) = (ends("input_layers")?, ends("output_layers")?);
    let mut model = Model::named(&name, inputs, outputs)?;
    model.net.keys = [of_inputs, of_outputs];
    if !opened.trainable {
        model.set_trainable(false);
    }
    Ok(model)
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
