//! What is between two layers, known before there is data: found by tracing layers with other numbers for open sizes.
//!
//! A whole net is traced twice, call by call, with two numbers for each open size; what differs then is open. Each axis has
//! numbers of its own; where a layer takes no such input, as the sum of two axes, all have the same two.

use cornu_graph::{Context, DType, DataKind, Error, Result, Shape, Type};

use super::show;
use crate::layers::{BatchShape, HostLayer, Keywords, LayerRef};
use crate::trace::Cx;
use crate::variables::{Declared, Role, Variables};

/// Open sizes are taken to be odd multiples of this: larger than kernels, and divisible by most strides.
const OPEN: usize = 960;

/// A tensor between two layers: its type for two choices of the open sizes, by two ways to choose them.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// Whether it is texts: then the element types below mean nothing.
    texts: bool,
    /// With numbers of its own for each axis; not if a layer before takes no such input.
    apart: Option<[Type; 2]>,
    /// With the same numbers for all axes.
    alike: Option<[Type; 2]>,
}

/// The type that stands for texts.
const NO_NUMBERS: DType = DType::Bool;

/// What a layer makes of inputs: types of its outputs for two choices of open sizes, and variables it asks for.
type Outline = (Vec<[Type; 2]>, Vec<Declared>);

impl Spec {
    /// An input of that shape and type.
    pub(crate) fn of_input(shape: &BatchShape, kind: DataKind) -> Spec {
        let dtype = kind.dtype().unwrap_or(NO_NUMBERS);
        let with = |apart: bool| {
            [0, 1].map(|choice: usize| {
                let number = |axis: usize| OPEN * (1 + 2 * choice + if apart && axis > 0 { 6 + 4 * axis } else { 0 });
                let sizes: Shape =
                    shape.iter().enumerate().map(|(axis, size)| size.unwrap_or_else(|| number(axis))).collect();
                Type::new(dtype, sizes)
            })
        };
        let several = shape.iter().filter(|size| size.is_none()).count() > 1;
        Spec { texts: kind == DataKind::Texts, apart: several.then(|| with(true)), alike: Some(with(false)) }
    }

    fn pairs(&self) -> impl Iterator<Item = &Type> {
        self.apart.iter().chain(&self.alike).flatten()
    }

    fn pair(&self) -> Option<&[Type; 2]> {
        self.apart.as_ref().or(self.alike.as_ref())
    }

    /// The shape of a batch, `None` where it is open.
    pub fn shape(&self) -> BatchShape {
        let sizes = |[one, other]: &[Type; 2]| {
            one.shape.iter().zip(other.shape.iter()).map(|(a, b)| (a == b).then_some(*a)).collect()
        };
        self.pair().map_or_else(Vec::new, sizes)
    }

    /// Of what its elements are.
    pub fn kind(&self) -> DataKind {
        if self.texts {
            DataKind::Texts
        } else {
            DataKind::Numbers(self.pair().map_or(DType::F32, |[one, _]| one.dtype))
        }
    }
}

/// What a layer makes of inputs, and whether it can: makes its variables, unless they are made. These depend on no open
/// size, for which they may be of any size.
///
/// # Errors
/// The first mistake of the layer.
pub(crate) fn infer(
    layer: &LayerRef,
    inputs: &[Spec],
    keywords: &Keywords,
    variables: &mut Variables,
) -> Result<Vec<Spec>> {
    if let Some(input) = inputs.iter().find(|input| input.pairs().any(|ty| ty.bytes().is_none())) {
        let message = format!("layer `{}`: inputs of shape {} fit no memory", layer.name(), show(&input.shape()));
        return Err(Error::usage(message));
    }
    if let Some(host) = layer.host() {
        let output = on_host(layer, host, inputs)?;
        if !layer.is_built() {
            variables.make(Vec::new(), &layer.states())?;
        }
        return Ok(vec![output]);
    }
    if let Some(at) = inputs.iter().position(|input| input.texts) {
        return Err(needs_numbers(layer, at, keywords));
    }
    let several = inputs.iter().any(|input| input.apart.is_some());
    let by = |choose: fn(&Spec) -> Option<&[Type; 2]>| {
        let pairs: Option<Vec<&[Type; 2]>> = inputs.iter().map(choose).collect();
        pairs.map_or_else(|| Err(unknown(layer)), |pairs| outline(layer, &pairs, keywords, variables))
    };
    let apart = if several { by(|input| input.apart.as_ref().or(input.alike.as_ref()))? } else { Err(unknown(layer)) };
    let alike = by(|input| input.alike.as_ref().or(input.apart.as_ref()));
    let (specs, declared) = match (apart, alike) {
        (Ok((apart, declared)), Ok(Ok((alike, _)))) if apart.len() == alike.len() => {
            let both = |(apart, alike)| Spec { texts: false, apart: Some(apart), alike: Some(alike) };
            (apart.into_iter().zip(alike).map(both).collect::<Vec<_>>(), declared)
        }
        (Ok((apart, declared)), _) => {
            (apart.into_iter().map(|apart| Spec { texts: false, apart: Some(apart), alike: None }).collect(), declared)
        }
        (Err(_), alike) => {
            let (alike, declared) = alike??;
            (alike.into_iter().map(|alike| Spec { texts: false, apart: None, alike: Some(alike) }).collect(), declared)
        }
    };
    if !layer.is_built() {
        variables.make(declared, &layer.states())?;
    }
    Ok(specs)
}

/// What a layer of the host makes of its input.
fn on_host(layer: &LayerRef, host: &dyn HostLayer, inputs: &[Spec]) -> Result<Spec> {
    let [input] = inputs else {
        let class = layer.layer().class_name();
        return Err(Error::graph(format!("`{class}` takes one input, got {}", inputs.len())).context(layer.name()));
    };
    layer.takes(host, input.kind())?;
    let vocabulary = layer.vocabulary()?;
    let mut texts = false;
    let mut of = |ty: &Type| {
        let (kind, shape) = host.output(vocabulary.as_deref(), &ty.shape).context(layer.name())?;
        texts = kind == DataKind::Texts;
        Ok(Type::new(kind.dtype().unwrap_or(NO_NUMBERS), shape))
    };
    let mut pair = |pair: &Option<[Type; 2]>| match pair {
        Some([one, other]) => Ok::<_, Error>(Some([of(one)?, of(other)?])),
        None => Ok(None),
    };
    let (apart, alike) = (pair(&input.apart)?, pair(&input.alike)?);
    Ok(Spec { texts, apart, alike })
}

/// The error for a layer that is given texts as its input of that number.
fn needs_numbers(layer: &LayerRef, at: usize, keywords: &Keywords) -> Error {
    let arguments = layer.layer().arguments();
    let by_name = keywords.tensors.iter().rev().nth(at).cloned();
    let argument = by_name.or_else(|| arguments.get(at).map(|argument| argument.name.to_string()));
    let argument = argument.unwrap_or_else(|| if at == 0 { "inputs".into() } else { format!("inputs[{at}]") });
    let class = layer.layer().class_name();
    let error = Error::data(format!("`{class}` needs numbers as `{argument}`, got `string`")).context(layer.name());
    error.help("put a layer before it that makes numbers of texts, such as `StringLookup`")
}

fn unknown(layer: &LayerRef) -> Error {
    Error::usage("a layer needs inputs of known shape").context(layer.name())
}

/// What a layer makes of inputs with two choices of their open sizes. The inner error is of a layer that takes no such
/// input.
///
/// # Errors
/// Something depends on a size that is left open.
fn outline(
    layer: &LayerRef,
    inputs: &[&[Type; 2]],
    keywords: &Keywords,
    variables: &Variables,
) -> Result<Result<Outline>> {
    let trace = |choice: usize| {
        let mut cx = Cx::build(variables.flavor(), variables.room());
        let xs = inputs.iter().map(|pair| cx.input(pair[choice].clone()).into()).collect();
        let outputs = layer.call_all(&mut cx, xs, keywords);
        let types = outputs.map(|outputs| outputs.iter().map(|y| y.tensor.ty()).collect::<Vec<Type>>());
        (types, cx.into_declared())
    };
    let ((ys, declared), (others, same)) = (trace(0), trace(1));
    if declared.len() != same.len() {
        return Err(open("the number of weights", layer.name()));
    }
    if let Some((asked, _)) = declared.iter().zip(&same).find(|(a, b)| (&a.name, &a.ty) != (&b.name, &b.ty)) {
        let name = asked.name.rsplit('/').next().unwrap_or(&asked.name);
        let error = open(&format!("the size of `{name}`"), &asked.place);
        let of_batch = asked.role == Role::Memory;
        return Err(if of_batch { error.help("say the size of the batch, by `Input::batch_shape`") } else { error });
    }
    let (ys, others) = match (ys, others) {
        (Ok(ys), Ok(others)) => (ys, others),
        (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
    };
    if ys.len() != others.len() {
        return Err(open("the number of outputs", layer.name()));
    }
    if ys.iter().zip(&others).any(|(a, b)| a.rank() != b.rank()) {
        return Err(open("the number of axes of the output", layer.name()));
    }
    Ok(Ok((ys.into_iter().zip(others).map(|(a, b)| [a, b]).collect(), declared)))
}

fn open(what: &str, place: &str) -> Error {
    let error = Error::usage(format!("{what} depends on a size of the input that is left open"));
    error.help("say every size of the input but that of the batch").context(place.to_owned())
}
