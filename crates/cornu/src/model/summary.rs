//! What `model.summary()` says about a model.

use std::io::Write;

use cornu_graph::{Error, Result};

use super::{Class, LayerView, Model};
use crate::config::FromConfig;
use crate::layers::InputLayer;
use crate::net::InputSpec;
use crate::step::OptimizerState;
use crate::variables::Named;
use cornu_display::{Count, Row, Summary, SummaryOptions, Terminal};

impl Model {
    /// The layers with their shapes and numbers of parameters: `println!("{}", model.summary())` prints Keras's table.
    pub fn summary(&self) -> Summary {
        let weights = || self.variables().weights();
        Summary {
            model_name: self.name().into(),
            rows: self.inputs().chain(self.layers().iter().map(|layer| self.row(layer))).collect(),
            sequential: self.class == Class::Sequential,
            trainable: count(weights().filter(|variable| variable.trainable())),
            non_trainable: count(weights().filter(|variable| !variable.trainable())),
            optimizer: self.optimizer_state().as_ref().map(remembered),
        }
    }

    /// The rows of inputs, which a line of layers does not show.
    fn inputs(&self) -> impl Iterator<Item = Row> {
        let row = |input: &InputSpec| Row {
            name: input.name.clone(),
            class: InputLayer::CLASS.into(),
            output_shapes: vec![input.shape.clone()],
            params: Some(0),
            ..Row::default()
        };
        self.net().inputs.iter().filter(|_| self.class == Class::Functional).map(row)
    }

    fn row(&self, layer: &LayerView) -> Row {
        let built = layer.output_shape().is_some();
        Row {
            name: layer.name().into(),
            class: layer.class_name().into(),
            output_shapes: layer.output_shape().into_iter().collect(),
            params: built.then(|| layer.count_params() as u64),
            connected_to: self.net().connections(layer).filter(|_| self.class == Class::Functional).collect(),
            trainable: (layer.count_params() > 0).then(|| layer.trainable()),
            ..Row::default()
        }
    }

    /// Prints [`Model::summary`] to the standard output, as wide and as colourful as that is.
    ///
    /// # Errors
    /// A mistake that was made while layers were added, a terminal too narrow for the table, or an output that takes nothing.
    pub fn print_summary(&self) -> Result<()> {
        self.check()?;
        let text = self.summary().text(&SummaryOptions::default(), Terminal::of_stdout())?;
        let written = std::io::stdout().write_all(text.as_bytes());
        written.map_err(|error| Error::file(format!("cannot print the summary: {error}")).caused_by(error))
    }
}

/// What an optimizer keeps: the number of steps in 64 bits, the learning rate, and its slots.
fn remembered(state: &OptimizerState) -> Count {
    let slots = state.slots.iter().map(|(_, _, value)| value);
    let start = Count { params: 2, bytes: 8 + 4 };
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
