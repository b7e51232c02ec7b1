//! What `model.summary()` says about a model.

use std::io::Write;

use cornu_graph::{Error, Result};

use super::{Class, Model, Nested};
use crate::config::FromConfig;
use crate::layers::{BatchShape, InputLayer};
use crate::net::{Net, Spec};
use crate::optimizers::Optimizer;
use crate::step::OptimizerState;
use crate::variables::Named;
use cornu_display::{Count, Row, Summary, SummaryOptions, Terminal};

impl Model {
    /// The layers with their shapes and numbers of parameters: `println!("{}", model.summary())` prints the table of the
    /// Keras that the model follows.
    pub fn summary(&self) -> Summary {
        let (net, weights) = (self.net(), || self.variables().weights());
        Summary {
            style: self.flavor().into(),
            model_name: self.name().into(),
            rows: rows(net, self.class),
            sequential: self.class == Class::Sequential || net.is_line(),
            trainable: count(weights().filter(|variable| variable.trainable())),
            non_trainable: count(weights().filter(|variable| !variable.trainable())),
            optimizer: self
                .optimizer()
                .zip(self.optimizer_state())
                .map(|(optimizer, state)| remembered(optimizer, &state)),
        }
    }

    /// Prints [`Model::summary`] to the standard output, as wide and as colourful as that is.
    ///
    /// # Errors
    /// A mistake that was made while layers were added, a model that is not built (in Keras 2), a terminal too narrow for
    /// the table, or an output that takes nothing.
    pub fn print_summary(&self) -> Result<()> {
        self.check()?;
        let text = self.summary().text(&SummaryOptions::default(), Terminal::of_stdout())?;
        let written = std::io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Error::file(format!("cannot print the summary: {error}")).caused_by(error))
    }
}

/// The rows of layers and, but in a `Sequential`, of inputs.
fn rows(net: &Net, class: Class) -> Vec<Row> {
    let connected = class == Class::Functional;
    let mut rows: Vec<Row> = (0..net.layers.len()).map(|place| row(net, place, connected)).collect();
    for &(input, at) in &net.inputs_in_order {
        let input = &net.inputs[input];
        let row = Row {
            name: input.name.clone(),
            class: InputLayer::CLASS.into(),
            input: true,
            output_shapes: vec![input.shape.clone()],
            params: Some(0),
            trainable: true,
            ..Row::default()
        };
        rows.insert(at, row);
    }
    rows
}

/// The row of the layer at that place.
fn row(net: &Net, place: usize, connected: bool) -> Row {
    let layer = &net.layers[place];
    let calls = net.calls.iter().filter(|call| call.layer == place);
    let shapes: Vec<Vec<BatchShape>> = calls.map(|call| call.outputs.iter().map(Spec::shape).collect()).collect();
    let built = shapes.iter().any(|shapes| !shapes.is_empty());
    let nested = layer.settings::<Nested>();
    let within = |nested: &Nested| {
        let given = net.first_call(place).into_iter().flat_map(|call| &call.inputs).map(|port| net.spec(*port));
        rows(&nested.net.inferred(&given.collect::<Option<Vec<_>>>().unwrap_or_default()), nested.class)
    };
    let unconnected = |row| Row { connected_to: Vec::new(), ..row };
    Row {
        name: layer.name().into(),
        class: layer.layer().class_name().into(),
        shapes_differ: shapes.windows(2).any(|pair| pair[0] != pair[1]),
        output_shapes: shapes.into_iter().next_back().unwrap_or_default(),
        params: built.then(|| layer.count_params() as u64),
        connected_to: if connected { net.connections(layer).collect() } else { Vec::new() },
        trainable: layer.trainable(),
        layers: nested.into_iter().flat_map(within).map(unconnected).collect(),
        input: false,
    }
}

/// What an optimizer keeps: the number of steps in 64 bits, the learning rate, and its slots. One around another keeps the
/// first two once more.
fn remembered(optimizer: &dyn Optimizer, state: &OptimizerState) -> Count {
    let slots = state.slots.iter().map(|(_, _, value)| value);
    let optimizers = if optimizer.loss_scale().is_some() { 2 } else { 1 };
    let start = Count { params: optimizers * 2, bytes: optimizers * (8 + 4) };
    slots.fold(start, |total, value| {
        let params = value.len() as u64;
        Count { params: total.params + params, bytes: total.bytes + params * value.dtype().size() as u64 }
    })
}

fn count<'a>(variables: impl Iterator<Item = &'a Named>) -> Count {
    variables.fold(Count::default(), |total, variable| {
        let params = variable.ty.size() as u64;
        Count { params: total.params + params, bytes: total.bytes + params * variable.ty.dtype.size() as u64 }
    })
}
