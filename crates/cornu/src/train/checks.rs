//! What is looked at before the first epoch: errors where the result would be meaningless, warnings where a mistake is
//! likely. One pass over the data.

use std::collections::BTreeMap;

use cornu_graph::{Array, Buffer, Error, Result, Shape, Tensor, ops::Binary, ops::Op};

use super::feed::Data;
use super::{Code, Compile, Warning};
use crate::losses::{Labels, Loss};

/// What the last layer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Sigmoid,
    Softmax,
    Linear,
    Other,
}

/// What is known of a model's output without data.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) shape: Shape,
    pub(crate) activation: Activation,
}

impl Output {
    pub(crate) fn of(predictions: &Tensor) -> Output {
        let activation = match predictions.op() {
            _ if predictions.sigmoid_input().is_some() => Activation::Sigmoid,
            _ if predictions.softmax_input().is_some() => Activation::Softmax,
            Op::Binary(Binary::Add) | Op::Dot(_) => Activation::Linear,
            _ => Activation::Other,
        };
        Output { shape: predictions.shape(), activation }
    }

    fn units(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// Rows of finite numbers.
pub(crate) fn numbers(data: &Data) -> Result<()> {
    if data.rows() == 0 {
        return Err(Error::data("`x` needs at least one row, got none"));
    }
    finite(&data.x, "x")?;
    data.y.as_ref().map_or(Ok(()), |y| finite(y, "y"))?;
    data.weights.as_ref().map_or(Ok(()), |weights| finite(weights, "sample_weight"))
}

fn finite(array: &Array, name: &str) -> Result<()> {
    let found = match array.buffer() {
        // Whole blocks first: such loops vectorise.
        Buffer::F32(data) => data.chunks(1024).position(|block| !block.iter().all(|x| x.is_finite())),
        Buffer::F64(data) => data.chunks(1024).position(|block| !block.iter().all(|x| x.is_finite())),
        _ => None,
    };
    let Some(block) = found else { return Ok(()) };
    let at = (block * 1024..array.len()).find(|&at| !array.get(at).is_finite()).unwrap_or_default();
    let (width, got) = (array.len() / array.shape()[0], array.get(at));
    let place = if width > 1 { format!("row {}, column {}", at / width, at % width) } else { format!("row {at}") };
    let error = Error::data(format!("`{name}` needs finite numbers, got {got} in {place}"));
    Err(error.help(match got.is_nan() {
        true => "drop such rows, or fill the gaps with the mean of their column",
        false => "drop such rows, or scale the numbers: above 3.4e38 they are infinite in `f32`",
    }))
}

/// Labels that fit the loss and the output.
pub(crate) fn labels(y: &Array, loss: &dyn Loss, output: &Output) -> Result<()> {
    match loss.labels() {
        Labels::Classes { ignored } => class_numbers(y, ignored, output),
        Labels::OneHot => one_hot(y, output),
        Labels::Probabilities => same_shape(y, loss, output).and_then(|()| probabilities(y)),
        Labels::Numbers => same_shape(y, loss, output).and_then(|()| exact(y)),
        Labels::Any => Ok(()),
    }
}

fn class_numbers(y: &Array, ignored: Option<i64>, output: &Output) -> Result<()> {
    let (classes, shape) = (output.units(), y.shape());
    let one_each = output.shape.get(1..output.shape.rank().saturating_sub(1)) == Some(&shape[1..]);
    let column = shape.rank() == output.shape.rank() && shape.last() == Some(&1);
    if !(one_each || column) {
        let error =
            Error::data(format!("`sparse_categorical_crossentropy` needs one class number a sample, got {shape}"));
        return Err(error.help("for one-hot labels use `categorical_crossentropy`"));
    }
    let ignored = ignored.map(|class| class as f64);
    let fits = |label: f64| label >= 0.0 && label < classes as f64 && label.fract() == 0.0 || Some(label) == ignored;
    let Some(row) = (0..y.len()).find(|&row| !fits(y.get(row))) else { return Ok(()) };
    let last = classes.saturating_sub(1);
    let error = Error::data(format!("`y` needs class numbers from 0 to {last}, got {} in row {row}", y.get(row)));
    let one =
        "the model has one output: for two classes use `binary_crossentropy`, or give it an output for each class";
    Err(error.help(if classes == 1 {
        one.into()
    } else {
        format!("the model has {classes} outputs; labels count from 0")
    }))
}

fn one_hot(y: &Array, output: &Output) -> Result<()> {
    if y.shape()[1..] == output.shape[1..] {
        return Ok(());
    }
    let needed = output.shape[1..].iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let error = Error::data(format!("`categorical_crossentropy` needs labels (n, {needed}), got {}", y.shape()));
    Err(error.help("for class numbers use `sparse_categorical_crossentropy`, or `to_categorical` makes them one-hot"))
}

fn same_shape(y: &Array, loss: &dyn Loss, output: &Output) -> Result<()> {
    let strip = |shape: &[usize]| match shape {
        [rest @ .., 1] if !rest.is_empty() => rest.to_vec(),
        shape => shape.to_vec(),
    };
    if strip(&y.shape()[1..]) == strip(&output.shape[1..]) || y.shape()[1..] == [1] && output.shape.rank() == 1 {
        return Ok(());
    }
    let (got, units) = (y.shape(), output.units());
    let error =
        Error::data(format!("`{}` needs labels of the output's {units} values a row, got {got}", loss.class_name()));
    Err(error
        .help(format!("give the last layer {} unit(s), or `y` {units} column(s)", got.last().copied().unwrap_or(1))))
}

/// Whole numbers that the loss can take as single precision.
fn exact(y: &Array) -> Result<()> {
    let changes = |at: &usize| f64::from(y.get(*at) as f32) != y.get(*at);
    let Some(at) = (0..y.len()).filter(|_| !y.dtype().is_float()).find(changes) else { return Ok(()) };
    let row = at / (y.len() / y.shape()[0]).max(1);
    let got = y.as_slice::<i64>().map_or(y.get(at) as i64, |y| y[at]);
    let error = Error::data(format!("`y` needs whole numbers that `f32` can hold, got {got} in row {row}"));
    Err(error.help("give them as fractions, which are rounded, or divide them by a thousand or so"))
}

fn probabilities(y: &Array) -> Result<()> {
    let Some(at) = (0..y.len()).find(|&at| !(0.0..=1.0).contains(&y.get(at))) else { return Ok(()) };
    let row = at / (y.len() / y.shape()[0]).max(1);
    let error = Error::data(format!("`binary_crossentropy` needs labels from 0 to 1, got {} in row {row}", y.get(at)));
    Err(error.help("two classes are 0 and 1; for more of them use `sparse_categorical_crossentropy`"))
}

/// A loss that does not go with the last activation.
pub(crate) fn output(loss: &dyn Loss, output: &Output) -> Vec<Warning> {
    let from_logits = loss.takes_logits() == Some(true);
    let binary = loss.labels() == Labels::Probabilities;
    let categorical = matches!(loss.labels(), Labels::Classes { .. } | Labels::OneHot);
    let one = output.units() == 1;
    let seen = match output.activation {
        Activation::Softmax if one => {
            (Code::SoftmaxOverOne, "a softmax over one output is always 1; use a sigmoid, or an output for each class")
        }
        Activation::Linear if binary && !from_logits => (
            Code::BinaryOnLinear,
            "binary cross-entropy takes the last layer's outputs for probabilities; give it a sigmoid, or use \
             `BinaryCrossentropy::new().from_logits(true)`",
        ),
        _ if categorical && one => (
            Code::CategoricalOverOne,
            "categorical cross-entropy of one output is always 0; use `binary_crossentropy`, or an output for each class",
        ),
        Activation::Linear if categorical && !from_logits => (
            Code::CategoricalOnLinear,
            "categorical cross-entropy takes the last layer's outputs for probabilities; give it a softmax, or use \
             `from_logits(true)`",
        ),
        Activation::Sigmoid | Activation::Softmax if from_logits => (
            Code::LogitsOfProbabilities,
            "`from_logits` is said, but the last layer gives probabilities; leave one of the two out",
        ),
        _ => return Vec::new(),
    };
    vec![Warning::new(seen.0, seen.1)]
}

/// Labels in order, of which a validation split takes the last ones.
pub(crate) fn split(y: &Array) -> Option<Warning> {
    if y.dtype().is_float() && !whole(y) || y.len() != y.shape()[0] {
        return None;
    }
    let ordered =
        (1..y.len()).all(|row| y.get(row - 1) <= y.get(row)) || (1..y.len()).all(|row| y.get(row - 1) >= y.get(row));
    let several = y.len() > 1 && y.get(0) != y.get(y.len() - 1);
    let message = "`validation_split` takes the last rows, and the labels are in order: those are of classes that \
                   training sees rarely or never; shuffle the rows first";
    (ordered && several).then(|| Warning::new(Code::SortedLabels, message))
}

fn whole(y: &Array) -> bool {
    (0..y.len()).all(|row| y.get(row).fract() == 0.0)
}

/// The weight of each row, from the weights of the classes.
///
/// # Errors
/// Labels that are no classes, or a weight that is no weight.
pub(crate) fn class_weights(y: &Array, weights: &BTreeMap<i64, f64>) -> Result<(Vec<f32>, Vec<Warning>)> {
    if let Some((class, weight)) =
        weights.iter().find(|(_, weight)| !(**weight >= 0.0 && (**weight as f32).is_finite()))
    {
        let needed = "`class_weight` needs weights of 0 or more within the range of `f32`";
        return Err(Error::usage(format!("{needed}, got {weight:?} for class {class}")));
    }
    if !whole(y) {
        let error = Error::data("`class_weight` needs labels that are classes, got fractions in `y`");
        return Err(error.help("to weigh the rows of a regression use `sample_weight`"));
    }
    let classes = class_of_rows(y);
    let missing = classes.iter().find(|class| !weights.contains_key(class)).map(|class| {
        let message = format!("`class_weight` has no weight for class {class}; its samples weigh 1");
        Warning::new(Code::ClassWithoutWeight, message)
    });
    let unused = weights.keys().find(|class| !classes.contains(class)).map(|class| {
        let message = format!("`class_weight` has a weight for class {class}, but no sample is of that class");
        Warning::new(Code::WeightWithoutClass, message)
    });
    let of_rows = classes.iter().map(|class| weights.get(class).map_or(1.0, |&weight| weight as f32));
    Ok((of_rows.collect(), missing.into_iter().chain(unused).collect()))
}

/// The class of each row: the place of the one in one-hot labels, the label itself otherwise.
fn class_of_rows(y: &Array) -> Vec<i64> {
    let width = y.len() / y.shape()[0].max(1);
    if width == 1 {
        return y.to_vec::<i64>();
    }
    let largest = |row: usize| {
        (1..width).fold(0, |best, i| if y.get(row * width + i) > y.get(row * width + best) { i } else { best })
    };
    (0..y.shape()[0]).map(|row| largest(row) as i64).collect()
}

/// Metrics that hardly mean what was meant.
pub(crate) fn metrics(settings: &Compile) -> Option<Warning> {
    let mut all = settings.metrics.iter().chain(&settings.weighted_metrics);
    let exact = all.any(|metric| metric.resolve().is_ok_and(|metric| metric.class_name() == "Accuracy"));
    let message = "`Accuracy` counts predictions equal to the label, which probabilities hardly are; the name \
                   \"accuracy\" chooses the right one";
    exact.then(|| Warning::new(Code::AccuracyOfProbabilities, message))
}
