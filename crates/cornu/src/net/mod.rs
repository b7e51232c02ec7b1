//! The graph of layers: exactly what Keras's JSON says.

mod names;

use std::ops::Range;
use std::sync::Arc;

use cornu_graph::{Context, DType, Error, Result, Shape, Tensor, Type};

pub use names::clear_session;
pub(crate) use names::{automatic, snake_case};

use crate::layers::{BatchShape, Layer};
use crate::trace::{Cx, Scope};
use crate::variables::{Declared, Variables};

/// Open sizes are taken to be odd multiples of this: larger than kernels, and divisible by most strides.
const OPEN: usize = 960;

/// What a layer makes of an input of certain sizes: type of its output, and variables it asks for.
type Outline = (Type, Vec<Declared>);

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
    /// Whether its weights learn: it is said neither of the layer nor of the model that they do not.
    pub trainable: bool,
    /// The element type of its output, once shapes are known.
    pub(crate) dtype: DType,
    /// Where its variables are among those of the model.
    pub(crate) variables: Range<usize>,
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
    /// The element type of the input, if it was told.
    pub input_type: Option<DType>,
    /// What the model gives.
    pub outputs: Vec<Wire>,
}

impl Net {
    /// The element type of the input: as was told, else that of the first layer.
    pub fn input_dtype(&self) -> DType {
        let first = self.layers.first().and_then(|entry| entry.layer.base().element().ok());
        self.input_type.or(first).unwrap_or(DType::F32)
    }

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
        if !self.inputs.is_empty() && inputs.len() != self.inputs.len() {
            let (needed, got) = (self.inputs.len(), inputs.len());
            return Err(Error::usage(format!("the model takes {needed} input, got {got}")));
        }
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
        let scope = Scope { trainable: self.trainable, dtype };
        let ys = cx.layer(&self.name, scope, |cx| {
            let ys = self.layer.call_all(cx, &xs);
            if let Some(error) = ys.iter().find_map(|y| cx.trace().takes(y, "the layer").err()) {
                cx.fail(error);
                return ys;
            }
            if let Some(penalty) = base.activity_regularizer.as_ref().and_then(|penalty| cx.chosen(penalty)) {
                // The mean over the samples of the batch.
                ys.iter().for_each(|y| cx.add_loss(penalty.penalty(y) / y.dim(0).max(1) as f64));
            }
            ys
        });
        cx.trace().check()?;
        Ok(ys)
    }

    /// Makes the variables of the layer for batches of that shape and type, and finds the shape of its output.
    ///
    /// The layer is traced twice with other numbers for open sizes; what differs then is open. Each axis has a number of
    /// its own, and where the layer takes no such input, as the sum of two axes, all have the same one. Variables are made
    /// only afterwards, for those that depend on an open size may be of any size.
    pub(crate) fn build(
        &mut self,
        variables: &mut Variables,
        model: &str,
        (input, dtype): (&BatchShape, DType),
    ) -> Result<BatchShape> {
        let mut attempt = |apart: bool| {
            let [first, second] = filled(input, apart).map(|shape| Type::new(dtype, shape));
            if second.bytes().is_none() {
                let message = format!("layer `{}`: inputs of shape {} fit no memory", self.name, show(input));
                return Err(Error::usage(message));
            }
            Result::Ok((self.outline(variables, model, first)?, self.outline(variables, model, second)?))
        };
        let several = input.iter().filter(|size| size.is_none()).count() > 1;
        let (first, second) = attempt(true).or_else(|error| if several { attempt(false) } else { Err(error) })?;
        let (output, declared) = self.compare(first, &second)?;
        self.dtype = output.1;
        self.variables = variables.make(declared, self.seeds.iter().copied().collect())?;
        Ok(output.0)
    }

    fn outline(&self, variables: &mut Variables, model: &str, input: Type) -> Result<Outline> {
        let mut cx = Cx::build(variables);
        let x = cx.input(input);
        let ys = cx.model(model, |cx| self.trace(cx, &[x]))?;
        let none = || Error::usage(format!("`{}` gives no output", self.layer.class_name())).context(&self.name);
        Ok((ys.first().ok_or_else(none)?.ty(), cx.into_declared()))
    }

    /// What holds whatever the open sizes are: the shape of the output with open sizes, its type, and the variables.
    fn compare(
        &self,
        (y, declared): Outline,
        (other, others): &Outline,
    ) -> Result<((BatchShape, DType), Vec<Declared>)> {
        let open = |what: String, place: &str| {
            let error = Error::usage(format!("{what} depends on a size of the input that is left open"));
            Err(error.help("say every size of the input but that of the batch").context(place))
        };
        if declared.len() != others.len() {
            return open("the number of weights".into(), &self.name);
        }
        if let Some((asked, _)) = declared.iter().zip(others).find(|(a, b)| (&a.path, &a.ty) != (&b.path, &b.ty)) {
            let name = asked.path.rsplit('/').next().unwrap_or(&asked.path);
            return open(format!("the size of `{name}`"), &asked.place);
        }
        if y.rank() != other.rank() {
            return open("the number of axes of the output".into(), &self.name);
        }
        let sizes = y.shape.iter().zip(other.shape.iter()).map(|(&a, &b)| (a == b).then_some(a));
        Ok(((sizes.collect(), y.dtype), declared))
    }
}

/// A shape with two choices of numbers for its open sizes, each axis `apart` from the others or all alike.
fn filled(shape: &BatchShape, apart: bool) -> [Shape; 2] {
    let number = |axis: usize, choice: usize| OPEN * (1 + 2 * choice + if apart { 6 + 4 * axis } else { 0 });
    let with =
        |choice: usize| shape.iter().enumerate().map(|(axis, size)| size.unwrap_or(number(axis, choice))).collect();
    [with(0), with(1)]
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
