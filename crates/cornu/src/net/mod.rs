//! The graph of layers: exactly what Keras's JSON says.

mod host;
mod spec;
mod symbol;

use std::borrow::Cow;
use std::sync::Arc;

use cornu_graph::{DataKind, Error, Result, Shape, Tensor};

pub(crate) use host::HostStage;
pub use spec::Spec;
pub(crate) use spec::infer;
pub use symbol::{Apply, Keyword, Symbol, ToSymbols};

use crate::layers::{Argument, BatchShape, Keywords, LayerRef, Wire, by_position};
use crate::trace::Cx;
use crate::variables::Variables;

/// One use of a layer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which layer.
    pub layer: usize,
    /// What it is given.
    pub inputs: Vec<Port>,
    /// What of that is by name, and what is no tensor.
    pub keywords: Keywords,
    /// What it gives; nothing before the model is built.
    pub outputs: Vec<Spec>,
}

impl Call {
    /// The argument that each input is given for, of those that the layer has; empty where it has none.
    pub(crate) fn arguments(&self, arguments: &[Argument]) -> Vec<String> {
        let positional = self.inputs.len() - self.keywords.tensors.len();
        let by_position = by_position("", arguments, positional).unwrap_or_default();
        by_position.into_iter().map(Cow::into_owned).chain(self.keywords.tensors.iter().cloned()).collect()
    }
}

/// Where a tensor between layers comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// That input of the model.
    Input(usize),
    /// That output of that call.
    Output {
        /// Which call.
        call: usize,
        /// Which of its outputs.
        output: usize,
    },
}

/// An input of a model.
#[derive(Clone, Debug)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// The shape of a batch.
    pub shape: BatchShape,
    /// Of what its elements are.
    pub kind: DataKind,
}

/// A graph of layers. A `Sequential` is the case of a straight line.
#[derive(Clone, Debug, Default)]
pub struct Net {
    /// The layers, each once, in the order in which they were added.
    pub layers: Vec<LayerRef>,
    /// Their uses, each after those it depends on.
    pub calls: Vec<Call>,
    /// The inputs, once their shapes are known.
    pub inputs: Vec<InputSpec>,
    /// What the model gives.
    pub outputs: Vec<Port>,
    /// What inputs and outputs are called where they are given by name, if not as the layers: Keras's dictionaries. Empty
    /// where they are lists.
    pub keys: [Vec<String>; 2],
    /// Which input stands where among layers and inputs, the furthest from the outputs first; nothing in a `Sequential`.
    pub inputs_in_order: Vec<(usize, usize)>,
    /// What of it runs on the host, if anything does.
    pub(crate) host: Option<Arc<HostStage>>,
}

impl Net {
    /// Traces all layers.
    ///
    /// # Errors
    /// Inputs of the wrong shape, or the first mistake of a layer.
    pub fn call(&self, cx: &mut Cx, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let inputs: Vec<Wire> = inputs.iter().cloned().map(Wire::from).collect();
        Ok(self.trace(cx, &inputs)?.into_iter().map(|wire| wire.tensor).collect())
    }

    /// [`Net::call`] with all that goes along with tensors.
    ///
    /// # Errors
    /// Those of [`Net::call`].
    pub fn trace(&self, cx: &mut Cx, inputs: &[Wire]) -> Result<Vec<Wire>> {
        let made = self.trace_calls(cx, inputs)?;
        match &self.host {
            None => gather(&self.outputs, inputs, &made),
            Some(host) => gather(host.exits(), &host.inputs(self.inputs.len(), inputs), &made),
        }
    }

    /// What each call gives.
    pub(crate) fn trace_calls(&self, cx: &mut Cx, inputs: &[Wire]) -> Result<Vec<Vec<Wire>>> {
        let tensors: Vec<Tensor> = inputs.iter().map(|input| input.tensor.clone()).collect();
        self.check_inputs(&tensors)?;
        let mut made: Vec<Vec<Wire>> = Vec::with_capacity(self.calls.len());
        let (given, of_model) = (inputs, self.host.as_ref().map(|host| host.inputs(self.inputs.len(), inputs)));
        let inputs = of_model.as_deref().unwrap_or(inputs);
        for (at, call) in self.calls.iter().enumerate() {
            if let Some(outputs) = self.host.as_ref().and_then(|host| host.given(at, given)) {
                made.push(outputs);
                continue;
            }
            let xs = gather(&call.inputs, inputs, &made)?;
            made.push(self.layers[call.layer].call_all(cx, xs, &call.keywords)?);
        }
        Ok(made)
    }

    /// Whether inputs have the shapes the model was built for.
    ///
    /// # Errors
    /// Says which layer was built for what, and what was got.
    pub fn check_inputs(&self, inputs: &[Tensor]) -> Result<()> {
        let entries = self.host.as_ref().map_or(self.inputs.len(), |host| host.entries.len());
        if !self.inputs.is_empty() && inputs.len() != entries {
            let (needed, got) = (entries, inputs.len());
            let plural = if needed == 1 { "" } else { "s" };
            return Err(Error::usage(format!("the model takes {needed} input{plural}, got {got}")));
        }
        let each = match &self.host {
            None => inputs.iter().enumerate().collect(),
            Some(host) => host.as_they_are(inputs),
        };
        for (index, x) in each {
            let Some(built) = self.inputs.get(index) else { continue };
            let reader = self.calls.iter().find(|call| call.inputs.contains(&Port::Input(index)));
            let name = reader.map_or("input", |call| self.layers[call.layer].name());
            check_shape(name, &built.shape, &x.shape())?;
        }
        Ok(())
    }

    /// The shape of a batch that comes from somewhere, once it is known.
    pub fn shape(&self, port: Port) -> Option<BatchShape> {
        match port {
            Port::Input(index) => self.inputs.get(index).map(|input| input.shape.clone()),
            Port::Output { call, output } => self.calls.get(call)?.outputs.get(output).map(Spec::shape),
        }
    }

    /// The inputs, each with the name that it is given by.
    pub fn named_inputs(&self) -> Cow<'_, [InputSpec]> {
        let [keys, _] = &self.keys;
        if keys.is_empty() {
            return Cow::Borrowed(&self.inputs);
        }
        let named = |(input, name): (&InputSpec, &String)| InputSpec { name: name.clone(), ..input.clone() };
        Cow::Owned(self.inputs.iter().zip(keys).map(named).collect())
    }

    /// The names of the outputs: of the layers that give them, numbered where one gives several.
    pub fn output_names(&self) -> Vec<String> {
        let [_, keys] = &self.keys;
        if !keys.is_empty() {
            return keys.clone();
        }
        let mut names: Vec<String> = Vec::new();
        for port in &self.outputs {
            let name = self.origin(*port).0;
            let before = (0..).map(|n| if n == 0 { name.to_owned() } else { format!("{name}_{n}") });
            names.extend(before.filter(|name| !names.contains(name)).take(1).collect::<Vec<_>>());
        }
        names
    }

    /// Where something comes from: layer or input, which of its calls, which output of that.
    pub(crate) fn origin(&self, port: Port) -> (&str, usize, usize) {
        match port {
            Port::Input(index) => (&self.inputs[index].name, 0, 0),
            Port::Output { call, output } => {
                let layer = self.calls[call].layer;
                let before = self.calls[..call].iter().filter(|call| call.layer == layer).count();
                (self.layers[layer].name(), before, output)
            }
        }
    }

    /// The origins of all that a layer is given.
    pub(crate) fn connections(&self, layer: &LayerRef) -> impl Iterator<Item = (String, usize, usize)> {
        let calls = self.calls.iter().filter(|call| self.layers[call.layer].is(layer));
        calls.flat_map(|call| &call.inputs).map(|port| {
            let (name, call, output) = self.origin(*port);
            (name.to_owned(), call, output)
        })
    }

    /// The same with what each call gives, for such inputs; as far as that is known where layers are not built.
    pub(crate) fn inferred(&self, inputs: &[Spec]) -> Net {
        let mut net = self.clone();
        for at in 0..net.calls.len() {
            let call = &net.calls[at];
            let find = |port: &Port| match *port {
                Port::Input(index) => inputs.get(index).cloned(),
                Port::Output { call, output } => net.calls[call].outputs.get(output).cloned(),
            };
            let (layer, given) = (&net.layers[call.layer], call.inputs.iter().map(find).collect::<Option<Vec<_>>>());
            if let (true, Some(given)) = (call.outputs.is_empty() && layer.is_built(), given) {
                let outputs = infer(layer, &given, &call.keywords, &mut Variables::default());
                net.calls[at].outputs = outputs.unwrap_or_default();
            }
        }
        net
    }

    /// What comes from somewhere, once it is known.
    pub(crate) fn spec(&self, port: Port) -> Option<Spec> {
        match port {
            Port::Input(index) => self.inputs.get(index).map(|input| Spec::of_input(&input.shape, input.kind)),
            Port::Output { call, output } => self.calls.get(call)?.outputs.get(output).cloned(),
        }
    }

    /// Whether each layer is called once, with what the one before gives and nothing else.
    pub(crate) fn is_line(&self) -> bool {
        let before = |at: usize| at.checked_sub(1).map_or(Port::Input(0), |call| Port::Output { call, output: 0 });
        let mut calls = self.calls.iter().enumerate();
        self.inputs.len() == 1
            && self.calls.len() == self.layers.len()
            && calls.all(|(at, call)| call.inputs == [before(at)])
    }

    /// The first use of the layer at that place.
    pub(crate) fn first_call(&self, place: usize) -> Option<&Call> {
        // Where each layer is called once, in turn, nothing is looked for.
        let once = self.calls.len() == self.layers.len();
        let own = self.calls.get(place).filter(|call| once && call.layer == place);
        own.or_else(|| self.calls.iter().find(|call| call.layer == place))
    }
}

fn gather(ports: &[Port], inputs: &[Wire], made: &[Vec<Wire>]) -> Result<Vec<Wire>> {
    let find = |port: &Port| match *port {
        Port::Input(index) => inputs.get(index),
        Port::Output { call, output } => made.get(call).and_then(|outputs| outputs.get(output)),
    };
    let missing = |port: &Port| Error::graph(format!("{port:?} of the model is missing"));
    ports.iter().map(|port| find(port).cloned().ok_or_else(|| missing(port))).collect()
}

/// Whether a tensor has the shape a layer was built for. As in Keras, batches may have any size, even where a file
/// says the model was built with a certain one.
fn check_shape(layer: &str, built: &BatchShape, got: &Shape) -> Result<()> {
    let fits = |(built, got): (&Option<usize>, &usize)| built.is_none_or(|size| size == *got);
    if built.len() == got.rank() && built.iter().zip(got.iter()).skip(1).all(fits) {
        return Ok(());
    }
    let built = &built[..];
    let message = match (built, &got[..]) {
        ([_, Some(needed)], [_, features]) => {
            format!("layer `{layer}` was built for inputs of {needed} features, got {features}")
        }
        _ => {
            let got: BatchShape = got.iter().copied().map(Some).collect();
            format!("layer `{layer}` was built for inputs of shape {}, got {}", show(built), show(&got))
        }
    };
    let error = Error::data(message);
    match (built, &got[..]) {
        ([_, Some(needed)], [rows, 1]) if rows == needed => {
            Err(error.help("a single row has two brackets, as in `[[1.0, 2.0]]`"))
        }
        _ => Err(error),
    }
}

/// Whether samples of a shape hold anything.
pub(crate) fn check_sizes(shape: &[Option<usize>]) -> Result<()> {
    match shape.iter().skip(1).any(|&size| size == Some(0)) {
        true => Err(Error::usage(format!("an input needs sizes of at least 1, got {}", show(shape)))),
        false => Ok(()),
    }
}

/// A shape as Keras writes it: `(None, 28, 28)`.
pub(crate) fn show(shape: &[Option<usize>]) -> String {
    let sizes: Vec<String> = shape.iter().map(|size| size.map_or("None".into(), |size| size.to_string())).collect();
    if sizes.len() == 1 { format!("({},)", sizes[0]) } else { format!("({})", sizes.join(", ")) }
}
