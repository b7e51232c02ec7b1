//! The graph of layers: exactly what Keras's JSON says.

use std::sync::Arc;

use cornu_graph::{Context, Error, Result, Shape, Tensor, Type};

use crate::layers::{BatchShape, Layer};
use crate::trace::{Cx, Scope};
use crate::variables::Variables;

/// What unknown sizes are taken to be, in turn: what differs between the two traces is unknown. The numbers are
/// Keras's.
const FILL_INS: [usize; 2] = [83, 89];

/// A layer of a model.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name, unique in the model.
    pub name: String,
    /// Its settings.
    pub layer: Arc<dyn Layer>,
    /// The shapes of a batch of its input and of its output, once they are known.
    pub shapes: Option<(BatchShape, BatchShape)>,
    /// The seeds Keras 3 draws when the layer is made.
    pub seeds: Vec<i64>,
}

/// One use of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Which layer.
    pub layer: usize,
    /// What it is given.
    pub inputs: Vec<Wire>,
}

/// Where a tensor between layers comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
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

/// A graph of layers. A `Sequential` is the case of a straight line.
#[derive(Clone, Debug, Default)]
pub struct Net {
    /// The layers, in the order in which they were added.
    pub layers: Vec<Entry>,
    /// Their uses, each after those it depends on.
    pub calls: Vec<Call>,
    /// The shapes of a batch of each input, once they are known.
    pub inputs: Vec<BatchShape>,
    /// What the model gives.
    pub outputs: Vec<Wire>,
}

impl Net {
    /// Traces all layers.
    ///
    /// # Errors
    /// Inputs of the wrong shape, or the first mistake of a layer.
    pub fn call(&self, cx: &mut Cx, name: &str, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        self.check_inputs(inputs)?;
        cx.model(name, |cx| {
            let mut made: Vec<Vec<Tensor>> = Vec::with_capacity(self.calls.len());
            for call in &self.calls {
                let xs = gather(&call.inputs, inputs, &made)?;
                made.push(self.layers[call.layer].trace(cx, &xs)?);
            }
            gather(&self.outputs, inputs, &made)
        })
    }

    /// Whether inputs have the shapes the model was built for.
    ///
    /// # Errors
    /// Says which layer was built for what, and what was got.
    pub fn check_inputs(&self, inputs: &[Tensor]) -> Result<()> {
        for (index, (x, built)) in inputs.iter().zip(&self.inputs).enumerate() {
            let reader = self.calls.iter().find(|call| call.inputs.contains(&Wire::Input(index)));
            let name = reader.map_or("input", |call| &self.layers[call.layer].name);
            check_shape(name, built, &x.shape())?;
        }
        Ok(())
    }
}

fn gather(wires: &[Wire], inputs: &[Tensor], made: &[Vec<Tensor>]) -> Result<Vec<Tensor>> {
    let find = |wire: &Wire| match *wire {
        Wire::Input(index) => inputs.get(index),
        Wire::Output { call, output } => made.get(call).and_then(|outputs| outputs.get(output)),
    };
    let missing = |wire: &Wire| Error::graph(format!("{wire:?} of the model is missing"));
    wires.iter().map(|wire| find(wire).cloned().ok_or_else(|| missing(wire))).collect()
}

impl Entry {
    /// Traces the layer, with the penalty on its outputs.
    fn trace(&self, cx: &mut Cx, xs: &[Tensor]) -> Result<Vec<Tensor>> {
        let base = self.layer.base();
        let dtype = base.element().context(&self.name)?;
        // Floats take the element type of the layer; whole numbers, such as the indices of an embedding, stay.
        let own = |x: &Tensor| if x.dtype().is_float() && x.dtype() != dtype { x.cast(dtype) } else { x.clone() };
        let xs: Vec<Tensor> = xs.iter().map(own).collect();
        let scope = Scope { trainable: base.trainable, dtype, seeds: self.seeds.iter().copied().collect() };
        let ys = cx.layer(&self.name, scope, |cx| {
            let ys = self.layer.call_all(cx, &xs);
            if let Some(penalty) = &base.activity_regularizer {
                // The mean over the samples of the batch.
                ys.iter().for_each(|y| cx.add_loss(penalty.penalty(y) / y.dim(0).max(1) as f64));
            }
            ys
        });
        cx.trace().check()?;
        Ok(ys)
    }

    /// Makes the weights of the layer for batches of that shape, and says what shape its output has.
    pub(crate) fn build(&self, variables: &mut Variables, model: &str, input: &BatchShape) -> Result<BatchShape> {
        let mut shape_with = |fill: usize| -> Result<Shape> {
            let mut cx = Cx::build(variables);
            let shape: Shape = input.iter().map(|size| size.unwrap_or(fill)).collect();
            if shape.checked_size().is_none_or(|size| size > isize::MAX as usize / 8) {
                let message = format!("layer `{}`: inputs of shape {} fit no memory", self.name, show(input));
                return Err(Error::usage(message));
            }
            let x = cx.input(Type::new(self.layer.base().element().context(&self.name)?, shape));
            let ys = cx.model(model, |cx| self.trace(cx, &[x]))?;
            Ok(ys.first().map(Tensor::shape).unwrap_or_default())
        };
        let [first, second] = [shape_with(FILL_INS[0])?, shape_with(FILL_INS[1])?];
        Ok(first.iter().zip(second.iter()).map(|(&a, &b)| (a == b).then_some(a)).collect())
    }
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
