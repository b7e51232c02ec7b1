//! What of a net runs on the host: layers before the graph, and layers behind it. Graphs never see a text.

use std::sync::Arc;

use cornu_graph::{AnyArray, Array, Error, Result, Tensor, ToArray};

use super::{Call, InputSpec, Net, Port, check_shape};
use crate::layers::{Keywords, LayerRef, Wire};

/// The layers of a net that run on the host, and where the graph begins and ends.
#[derive(Debug)]
pub(crate) struct HostStage {
    /// Those before the graph in order: the call, its layer, and what it is given.
    before: Vec<(usize, LayerRef, Port)>,
    /// What the graph is given.
    pub(crate) entries: Vec<Port>,
    /// What the graph gives for each output of the model.
    exits: Vec<Port>,
    /// The layers behind the graph for each output, in order.
    behind: Vec<Vec<LayerRef>>,
    /// Which calls are in the graph.
    in_graph: Vec<bool>,
}

impl Net {
    /// Finds out which calls run on the host; nothing is kept where none does.
    ///
    /// # Errors
    /// A layer of the host between two layers of the graph, or texts that would go around the graph.
    pub(crate) fn split(&mut self) -> Result<()> {
        self.host = match self.layers.iter().any(|layer| layer.host().is_some()) {
            true => Some(Arc::new(HostStage::of(self)?)),
            false => None,
        };
        Ok(())
    }

    /// Adds a layer at the end of a line, which is given that.
    ///
    /// # Errors
    /// Those of [`Net::split`].
    pub(crate) fn push(&mut self, layer: LayerRef, input: Port) -> Result<()> {
        // A line of many layers is looked through only where one of them runs on the host.
        let on_host = self.host.is_some() || layer.host().is_some();
        let place = self.layers.len();
        self.layers.push(layer);
        let (inputs, keywords, outputs) = (vec![input], Keywords::default(), Vec::new());
        self.calls.push(Call { layer: place, inputs, keywords, outputs });
        self.outputs = vec![Port::Output { call: place, output: 0 }];
        if on_host { self.split() } else { Ok(()) }
    }

    /// What the graph is given as its input of that number.
    pub(crate) fn entry(&self, input: usize) -> Port {
        self.host.as_ref().map_or(Port::Input(input), |host| host.entries[input])
    }
}

impl HostStage {
    fn of(net: &Net) -> Result<HostStage> {
        let on_host = |call: usize| net.layers[net.calls[call].layer].host();
        let gives_numbers = |call: usize| on_host(call).is_none_or(|host| host.takes_texts());
        let mut before = vec![false; net.calls.len()];
        for (at, call) in net.calls.iter().enumerate() {
            let known = |port: &Port| matches!(port, Port::Input(_)) || of_call(*port).is_some_and(|call| before[call]);
            before[at] = on_host(at).is_some() && call.inputs.iter().all(known);
        }
        // What makes texts of numbers for nobody but the outputs comes behind the graph.
        for at in (0..before.len()).rev() {
            let read = (at + 1..before.len())
                .any(|call| before[call] && net.calls[call].inputs.iter().any(|port| of_call(*port) == Some(at)));
            before[at] &= gives_numbers(at) || read;
        }
        let in_graph: Vec<bool> = (0..before.len()).map(|call| on_host(call).is_none()).collect();
        let mut stage =
            HostStage { before: Vec::new(), entries: Vec::new(), exits: Vec::new(), behind: Vec::new(), in_graph };
        for (at, call) in net.calls.iter().enumerate() {
            if before[at] {
                stage.before.push((at, net.layers[call.layer].clone(), call.inputs[0]));
            } else if stage.in_graph[at] {
                let behind = |port: &&Port| of_call(**port).is_some_and(|call| !before[call] && !stage.in_graph[call]);
                if let Some(port) = call.inputs.iter().find(behind) {
                    return Err(between(net.origin(*port).0, net.layers[call.layer].name()));
                }
                call.inputs.iter().for_each(|port| enter(&mut stage.entries, *port, &before));
            }
        }
        for output in &net.outputs {
            let (mut port, mut layers) = (*output, Vec::new());
            while let Some(call) = of_call(port).filter(|&call| !before[call] && !stage.in_graph[call]) {
                layers.insert(0, net.layers[net.calls[call].layer].clone());
                port = net.calls[call].inputs[0];
            }
            enter(&mut stage.entries, port, &before);
            stage.exits.push(port);
            stage.behind.push(layers);
        }
        Ok(stage)
    }

    /// What the graph is given for what the model is given.
    ///
    /// # Errors
    /// Shapes other than those the model was built for, and those of the layers.
    pub(crate) fn before(&self, given: Vec<AnyArray>, inputs: &[InputSpec]) -> Result<Vec<AnyArray>> {
        let missing = |port: Port| Error::graph(format!("{port:?} of the model is missing"));
        let mut there: Vec<(Port, AnyArray)> =
            given.into_iter().enumerate().map(|(index, x)| (Port::Input(index), x)).collect();
        for (call, layer, from) in &self.before {
            let found = there.iter().find(|(port, _)| port == from).map(|(_, x)| x);
            let x = found.ok_or_else(|| missing(*from))?;
            let built = if let Port::Input(index) = *from { inputs.get(index) } else { None };
            if let Some(built) = built.filter(|built| !built.shape.is_empty()) {
                check_shape(layer.name(), &built.shape, x.shape())?;
            }
            let made = layer.transform_any(x)?;
            there.push((Port::Output { call: *call, output: 0 }, made));
        }
        let mut take = |entry: &Port| {
            let place = there.iter().position(|(port, _)| port == entry).ok_or_else(|| missing(*entry))?;
            Ok(there.swap_remove(place).1)
        };
        self.entries.iter().map(&mut take).collect()
    }

    /// What comes out of the model for what comes out of the graph.
    ///
    /// # Errors
    /// Those of the layers.
    pub(crate) fn behind(&self, outputs: Vec<Array>) -> Result<Vec<AnyArray>> {
        let of = |(output, layers): (Array, &Vec<LayerRef>)| {
            layers.iter().try_fold(output.into_any()?, |output, layer| layer.transform_any(&output))
        };
        outputs.into_iter().zip(&self.behind).map(of).collect()
    }

    /// Whether the output of that number is texts, made behind the graph.
    pub(crate) fn is_behind(&self, output: usize) -> bool {
        self.behind.get(output).is_some_and(|layers| !layers.is_empty())
    }

    /// Whether there can be a loss of each of those outputs.
    ///
    /// # Errors
    /// One of them is texts.
    pub(crate) fn judges(&self, judged: &[usize], names: &[String]) -> Result<()> {
        let Some(output) = judged.iter().find(|output| self.is_behind(**output)) else { return Ok(()) };
        let error = Error::usage(format!("the output `{}` is texts, of which there is no loss", names[*output]));
        Err(error.help("train a model that ends before the layer that gives texts"))
    }

    /// The inputs of a model of which the graph is given those; the others nobody asks for.
    pub(super) fn inputs(&self, count: usize, given: &[Wire]) -> Vec<Wire> {
        let place = |index| self.entries.iter().position(|entry| *entry == Port::Input(index)).unwrap_or_default();
        (0..count).filter_map(|index| given.get(place(index)).cloned()).collect()
    }

    /// What a call that is not in the graph gives there.
    pub(super) fn given(&self, call: usize, given: &[Wire]) -> Option<Vec<Wire>> {
        let of = |entry: &Port| of_call(*entry) == Some(call);
        let place = || self.entries.iter().position(of);
        (!self.in_graph[call]).then(|| place().and_then(|place| given.get(place).cloned()).into_iter().collect())
    }

    /// Which inputs of the model go into the graph as they are, each with its tensor.
    pub(super) fn as_they_are<'t>(&self, tensors: &'t [Tensor]) -> Vec<(usize, &'t Tensor)> {
        let input = |(entry, tensor): (&Port, &'t Tensor)| match *entry {
            Port::Input(index) => Some((index, tensor)),
            Port::Output { .. } => None,
        };
        self.entries.iter().zip(tensors).filter_map(input).collect()
    }

    /// What the graph gives.
    pub(super) fn exits(&self) -> &[Port] {
        &self.exits
    }
}

fn of_call(port: Port) -> Option<usize> {
    match port {
        Port::Input(_) => None,
        Port::Output { call, .. } => Some(call),
    }
}

/// Notes what comes into the graph.
fn enter(entries: &mut Vec<Port>, port: Port, before: &[bool]) {
    if of_call(port).is_none_or(|call| before[call]) && !entries.contains(&port) {
        entries.push(port);
    }
}

fn between(host: &str, graph: &str) -> Error {
    let message =
        format!("layer `{host}` runs on the host, so that `{graph}` cannot come behind it: it needs what others make");
    Error::usage(message)
        .help("such a layer stands at the beginning of a model, or at its end; make two models of this one")
}
