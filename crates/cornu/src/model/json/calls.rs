//! The calls of layers in a functional model's JSON, in the form of either Keras.

use std::collections::{HashMap, VecDeque};

use cornu_graph::{Error, Result};
use serde_json::Value;

use super::{Of, layer_from};
use crate::config::{FromConfig, expected, open_object, short};
use crate::flavor::Flavor;
use crate::layers::{Argument, InputLayer, Keywords, LayerRef};
use crate::net::Symbol;
use crate::variables::Variables;

/// The layers of a functional model while it is read.
#[derive(Default)]
pub(super) struct Graph {
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
    flags: Vec<(String, bool)>,
}

impl Graph {
    pub(super) fn add(&mut self, name: &str, json: &Value, variables: &mut Variables) -> Result<()> {
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
            if node.is_array() {
                found.put_in_place(&layer.layer().arguments());
            }
            self.awaited.push_back((layer.clone(), name.to_owned(), found));
        }
        Ok(())
    }

    /// Calls the layers, each once its inputs and its earlier calls are made.
    pub(super) fn connect(&mut self, variables: &mut Variables) -> Result<()> {
        let mut idle = 0;
        while let Some((layer, name, from)) = self.awaited.pop_front() {
            match from.all().map(|input| self.find(input, Of::Layer)).collect::<Result<Vec<Symbol>>>() {
                Ok(symbols) => {
                    let outputs = Symbol::of_call(&layer, symbols, from.keywords(), variables)?;
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
    pub(super) fn find(&self, history: &Value, of: Of) -> Result<Symbol> {
        let place = |i: usize| history[i].as_u64().and_then(|n| usize::try_from(n).ok());
        let (Some(name), Some(call), Some(output)) = (history[0].as_str(), place(1), place(2)) else {
            return Err(expected("a layer, a call and an output", history));
        };
        let in_made = |made: &Made| made.calls.get(call.checked_sub(made.first[of as usize])?)?.get(output).cloned();
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

    /// What is given by name.
    fn named(&mut self, kwargs: Option<&Value>) -> Result<()> {
        let given = kwargs.and_then(Value::as_object).into_iter().flatten().filter(|(_, value)| !value.is_null());
        for (name, value) in given {
            // Keras 2 says them with each input.
            let is_known =
                self.named.iter().any(|(known, _)| known == name) || self.flags.iter().any(|(known, _)| known == name);
            if is_known {
                continue;
            }
            let mut within = Histories::default();
            match value {
                Value::Bool(flag) => self.flags.push((name.clone(), *flag)),
                _ if within.read(value).is_ok() => {
                    self.named.extend(within.inputs.into_iter().map(|history| (name.clone(), history)));
                }
                _ => {
                    let message = format!("the argument `{}` of a call is not supported", short(name));
                    return Err(Error::unsupported(message));
                }
            }
        }
        Ok(())
    }

    /// Puts what Keras 2 says by name, but is the next argument, behind what is by position.
    fn put_in_place(&mut self, arguments: &[Argument]) {
        let is_next = |argument: &Argument, name: &str| argument.name == *name && argument.kind.is_one();
        while let Some(next) = arguments.get(self.inputs.len())
            && let Some(at) = self.named.iter().position(|(name, _)| is_next(next, name))
        {
            self.inputs.push(self.named.remove(at).1);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.inputs.iter().chain(self.named.iter().map(|(_, history)| history))
    }

    fn keywords(self) -> Keywords {
        Keywords { tensors: self.named.into_iter().map(|(name, _)| name).collect(), flags: self.flags }
    }
}
