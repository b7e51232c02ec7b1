//! What is looked at before the first epoch: errors where the result would be meaningless, warnings where a mistake is
//! likely. One pass over the data.

use std::any::Any;
use std::collections::BTreeMap;

use cornu_graph::ops::{Binary, Op, Unary};
use cornu_graph::{Array, Error, Result, Shape};

use super::cast::first;
use super::feed::Data;
use super::{Code, Compile, Warning};
use crate::layers::Wire;
use crate::losses::{Labels, Loss};
use crate::metrics::Accuracy;
use crate::net::show;

/// What the last layer gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activation {
    Sigmoid,
    Softmax,
    Relu,
    Tanh,
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
    pub(crate) fn of(predictions: &Wire) -> Output {
        let mut last = predictions.tensor.clone();
        while let (Op::Reshape(_), Some(before)) = (last.op(), last.operands().pop()) {
            last = before;
        }
        let activation = match last.op() {
            Op::Unary(Unary::Logistic) => Activation::Sigmoid,
            _ if predictions.logits.is_some() => Activation::Softmax,
            Op::Unary(Unary::Relu) => Activation::Relu,
            Op::Unary(Unary::Tanh) => Activation::Tanh,
            Op::Binary(Binary::Add) | Op::Dot(_) => Activation::Linear,
            _ => Activation::Other,
        };
        let shape = predictions.tensor.shape();
        let of_one_row = if shape.is_empty() { shape } else { shape.with(0, 1) };
        Output { shape: of_one_row, activation }
    }

    pub(super) fn units(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }
}

/// Rows at all.
pub(crate) fn rows(data: &Data) -> Result<()> {
    if data.rows() == 0 { Err(Error::data("`x` needs at least one row, got none")) } else { Ok(()) }
}

/// Rows of finite numbers.
pub(crate) fn numbers(data: &Data) -> Result<()> {
    rows(data)?;
    for (arrays, what) in [(&data.x, "x"), (&data.y, "y"), (&data.weights, "sample_weight")] {
        let name = |place: usize| if arrays.len() > 1 { format!("{what}[{place}]") } else { what.to_owned() };
        arrays.iter().enumerate().try_for_each(|(place, array)| finite(array, &name(place)))?;
    }
    Ok(())
}

fn finite(array: &Array, name: &str) -> Result<()> {
    let is_float = array.dtype().is_float();
    let Some(at) = is_float.then(|| first(array, |x| !x.is_finite())).flatten() else { return Ok(()) };
    let (place, got) = (column(at, array.len() / array.shape()[0]), array.get(at));
    let error = Error::data(format!("`{name}` needs finite numbers, got {got} in {place}"));
    Err(error.help(match got.is_nan() {
        true => "drop such rows, or fill the gaps with the mean of their column",
        false => "drop such rows, or scale the numbers: above 3.4e38 they are infinite in `f32`",
    }))
}

/// Where element `at` lies: `row 3`, or `row 3, column 1` where a row has several numbers.
pub(super) fn column(at: usize, width: usize) -> String {
    if width > 1 { format!("row {}, column {}", at / width, at % width) } else { format!("row {at}") }
}

/// Labels that fit the loss and the output.
pub(crate) fn labels(y: &Array, loss: &dyn Loss, output: &Output) -> Result<()> {
    let class = loss.class_name();
    match loss.labels() {
        Labels::Classes { ignored } => class_rows(y, class, output).and_then(|()| class_numbers(y, ignored, output)),
        Labels::OneHot => one_hot(y, class, output),
        Labels::Probabilities => same_shape(y, class, output).and_then(|()| probabilities(y)),
        Labels::Numbers => same_shape(y, class, output).and_then(|()| exact(y)),
        Labels::Any => Ok(()),
    }
}

/// The error for labels and an output whose shapes do not go together, with what is at fault if the output has more axes
/// than labels of such a shape speak of.
fn misfit(y: &Array, class: &str, needed: &str, output: &Output) -> Error {
    let batch =
        |shape: &Shape| show(&std::iter::once(None).chain(shape[1..].iter().map(|&n| Some(n))).collect::<Vec<_>>());
    let (got, whole) = (batch(y.shape()), batch(&output.shape));
    let message = format!("`{class}` needs {needed}, got labels {got} for an output {whole}");
    let error = Error::data(message);
    let (features, labels) = (output.shape.size(), y.len() / y.shape()[0].max(1));
    if output.shape.rank() > 2 && y.shape().rank() <= 2 {
        return error.help(match features == labels {
            true => "put a `Flatten` after the last layer, so that the output has one row for each sample",
            false => "put a `Flatten` before the last `Dense`, so that the output has one row for each sample",
        });
    }
    if y.shape().rank() > 2 && output.shape.rank() == 2 && features == labels {
        return error.help(format!("reshape `y` to rows of {features} numbers"));
    }
    error
}

fn class_rows(y: &Array, class: &str, output: &Output) -> Result<()> {
    let (shape, rank) = (y.shape(), output.shape.rank());
    let inner = output.shape.get(1..rank - 1).unwrap_or_default();
    let column = shape.rank() == rank && shape.last() == Some(&1) && shape.get(1..rank - 1) == Some(inner);
    if shape[1..] == *inner || column {
        return Ok(());
    }
    let error = misfit(y, class, "one class number for each row of the output", output);
    let one_hot = "for one-hot labels use `categorical_crossentropy`";
    let last = shape.last().copied().unwrap_or(1);
    Err(match shape.rank() == rank && shape.get(1..rank - 1) == Some(inner) {
        true if last == output.units() => error.help(one_hot),
        true => error.help(format!("{one_hot}, and give the last layer {last} units")),
        false => error,
    })
}

/// Larger labels are prices, identifiers or times.
const MOST_CLASSES: f64 = 1e6;

const HARDLY_CLASSES: &str = "numbers so large are hardly classes: for a regression use the loss `mse`";

fn class_numbers(y: &Array, ignored: Option<i64>, output: &Output) -> Result<()> {
    let classes = output.units();
    let ignored = ignored.map(|class| class as f64);
    let fits = |label: f64| label >= 0.0 && label < classes as f64 && label.fract() == 0.0 || Some(label) == ignored;
    let Some(row) = first(y, |label| !fits(label)) else { return Ok(()) };
    let (last, label) = (classes.saturating_sub(1), y.get(row));
    let error = Error::data(format!("`y` needs class numbers from 0 to {last}, got {} in row {row}", shown(label)));
    let (least, greatest) = range(y);
    Err(if label.fract() != 0.0 {
        error.help("class numbers are whole; for a regression use the loss `mse`")
    } else if classes == 1 && greatest <= 1.0 && least >= 0.0 {
        error.help("the model has one output: for two classes use `binary_crossentropy`")
    } else if least == 1.0 && greatest == classes as f64 {
        error.help(format!("the model has {classes} outputs, and labels count from 0: take 1 off each label"))
    } else if least < 0.0 {
        error.help("labels count from 0; give each class a number from there")
    } else if greatest > MOST_CLASSES {
        error.help(HARDLY_CLASSES)
    } else {
        error.help(format!("give the last layer {} units, one for each class from 0", greatest + 1.0))
    })
}

fn one_hot(y: &Array, class: &str, output: &Output) -> Result<()> {
    if y.shape()[1..] == output.shape[1..] {
        return Ok(());
    }
    let error = misfit(y, class, "one-hot labels of the output's shape", output);
    let (last, rank) = (y.shape().last().copied().unwrap_or(1), output.shape.rank());
    Err(if last == 1 && rank <= 2 {
        error.help("for class numbers use `sparse_categorical_crossentropy`, or `to_categorical` makes them one-hot")
    } else if y.shape().rank() == rank && y.shape()[1..rank - 1] == output.shape[1..rank - 1] {
        error.help(format!("give the last layer {last} units, one for each class"))
    } else {
        error
    })
}

fn same_shape(y: &Array, class: &str, output: &Output) -> Result<()> {
    let strip = |shape: &[usize]| match shape {
        [rest @ .., 1] if !rest.is_empty() => rest.to_vec(),
        shape => shape.to_vec(),
    };
    if strip(&y.shape()[1..]) == strip(&output.shape[1..]) || y.shape()[1..] == [1] && output.shape.rank() == 1 {
        return Ok(());
    }
    let units = output.units();
    let error = misfit(y, class, &format!("labels of the output's {units} values a row"), output);
    let last = y.shape().last().copied().unwrap_or(1);
    Err(match y.shape().rank() == output.shape.rank() && output.shape.rank() == 2 {
        true => error.help(format!("give the last layer {last} unit{}", if last == 1 { "" } else { "s" })),
        false => error,
    })
}

/// Whole numbers that the loss can take as single precision.
fn exact(y: &Array) -> Result<()> {
    let changes = |x: f64| f64::from(x as f32) != x;
    let Some(at) = (!y.dtype().is_float()).then(|| first(y, changes)).flatten() else { return Ok(()) };
    let row = at / (y.len() / y.shape()[0]).max(1);
    let got = y.as_slice::<i64>().map_or(y.get(at) as i64, |y| y[at]);
    let error = Error::data(format!("`y` needs whole numbers that `f32` can hold, got {got} in row {row}"));
    Err(error.help("give them as fractions, which are rounded, or divide them by a thousand or so"))
}

fn probabilities(y: &Array) -> Result<()> {
    let Some(at) = first(y, |label| !(0.0..=1.0).contains(&label)) else { return Ok(()) };
    let row = at / (y.len() / y.shape()[0]).max(1);
    let label = shown(y.get(at));
    let error = Error::data(format!("`binary_crossentropy` needs labels from 0 to 1, got {label} in row {row}"));
    let (least, greatest) = range(y);
    Err(if !whole(y) {
        error.help("for a regression use the loss `mse`")
    } else if y.len() != y.shape()[0] {
        error.help(format!("divide `y` by {greatest}"))
    } else if greatest - least == 1.0 {
        error.help(format!("two classes are 0 and 1: take {least} off each label"))
    } else if greatest <= 1.0 {
        error.help(format!("two classes are 0 and 1: write 0 for {least}"))
    } else if greatest > MOST_CLASSES {
        error.help(HARDLY_CLASSES)
    } else {
        let classes = greatest + 1.0;
        error.help(format!(
            "for {classes} classes use `sparse_categorical_crossentropy`, and a last layer of {classes} units with a softmax"
        ))
    })
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
        Activation::Relu if (binary || categorical) && from_logits => (
            Code::NoProbabilities,
            "cross-entropy with `from_logits` needs numbers of either sign, but the last layer's relu cuts off those below \
             0; leave that activation out",
        ),
        Activation::Relu | Activation::Tanh if (binary || categorical) && !from_logits => (
            Code::NoProbabilities,
            "cross-entropy needs probabilities, which the last layer's activation does not give; use a sigmoid for two \
             classes, a softmax for more",
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

/// The least and the greatest number.
fn range(y: &Array) -> (f64, f64) {
    let numbers = (0..y.len()).map(|at| y.get(at));
    numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, greatest), x| (least.min(x), greatest.max(x)))
}

fn whole(y: &Array) -> bool {
    first(y, |x| x.fract() != 0.0).is_none()
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

/// A number from data: in single precision, so that 0.1 is not 0.10000000149.
pub(super) fn shown(x: f64) -> f32 {
    x as f32
}

/// The class of each row: the place of the one in one-hot labels, the label itself otherwise.
pub(super) fn class_of_rows(y: &Array) -> Vec<i64> {
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
    let mut all = settings.all_metrics();
    let exact = all.any(|metric| metric.resolve().is_ok_and(|metric| (&*metric as &dyn Any).is::<Accuracy>()));
    let message = "`Accuracy` counts predictions equal to the label, which probabilities hardly are; the name \
                   \"accuracy\" chooses the right one";
    exact.then(|| Warning::new(Code::AccuracyOfProbabilities, message))
}
