//! What works but is hardly what was meant: warnings from a look at the data before the first epoch. Each look ends at the
//! first number that settles it.

use std::any::Any;

use cornu_graph::{Array, Result, Shape};

use super::cast::first;
use super::checks::{Activation, Output, class_of_rows, column, shown};
use super::feed::Data;
use super::stage::Stage;
use super::{Code, Warning};
use crate::choice::Choice;
use crate::layers;
use crate::losses::{Labels, Loss};
use crate::metrics::{ACCURACY, BinaryAccuracy, CategoricalAccuracy, Metric, SparseCategoricalAccuracy};
use crate::net::Port;

/// Numbers beyond this are hardly scaled: ages and percentages are below it, pixels and prices are not.
const SCALED: f32 = 100.0;

/// Rows that are looked at for the size of features; of more, so many evenly apart.
const ROWS: usize = 1024;

impl Stage<'_> {
    /// Adds what looks like a slip in the data, the loss and the metrics of a fit.
    pub(crate) fn slips(&mut self, data: &Data, warnings: &mut Vec<Warning>) -> Result<()> {
        let outputs = self.outline(data)?;
        for (head, y) in self.training.compiled("fit")?.heads.iter().zip(&data.y) {
            let (output, Some(loss)) = (&outputs[head.output], &head.loss) else { continue };
            let metrics = head.figures.iter().map(|figure| &figure.metric);
            warnings.extend(accuracy(metrics, y, &**loss, output));
            warnings.extend(out_of_reach(y, &**loss, output));
            warnings.extend(one_class(y, &**loss, output));
        }
        for (input, x) in data.x.iter().enumerate() {
            // A layer that scales or looks numbers up is given them as they are.
            if self.reader(self.net.entry(input)).is_some_and(|layer| layer.is::<layers::Dense>()) {
                warnings.extend(unscaled(x));
            }
        }
        Ok(())
    }

    /// The first layer that does something with what comes from there.
    fn reader(&self, mut port: Port) -> Option<&dyn Any> {
        loop {
            let call = self.net.calls.iter().position(|call| call.inputs.contains(&port))?;
            let layer: &dyn Any = self.net.layers[self.net.calls[call].layer].layer();
            if !passes_on(layer) {
                return Some(layer);
            }
            port = Port::Output { call, output: 0 };
        }
    }
}

/// Whether features come out of a layer about as large as they were.
fn passes_on(layer: &dyn Any) -> bool {
    layer.is::<layers::Flatten>() || layer.is::<layers::Dropout>() || layer.is::<layers::Activation>()
}

/// Whether a metric counts right predictions; `Accuracy` itself has a warning of its own.
fn counts(metric: &Choice<dyn Metric>) -> bool {
    match metric {
        Choice::Name(name) if ACCURACY.contains(&name.as_str()) => name.starts_with("acc"),
        metric => metric.resolve().is_ok_and(|metric| {
            let metric: &dyn Any = &*metric;
            metric.is::<BinaryAccuracy>()
                || metric.is::<CategoricalAccuracy>()
                || metric.is::<SparseCategoricalAccuracy>()
        }),
    }
}

/// An accuracy of labels that are neither 0 nor 1: no prediction is ever equal to them.
fn accuracy<'a>(
    mut metrics: impl Iterator<Item = &'a Choice<dyn Metric>>,
    y: &Array,
    loss: &dyn Loss,
    output: &Output,
) -> Option<Warning> {
    metrics.find(|metric| counts(metric))?;
    let compared = match loss.labels() {
        Labels::Numbers => true,
        Labels::Probabilities | Labels::Any => output.units() == 1,
        Labels::Classes { .. } | Labels::OneHot => false,
    };
    let at = compared.then(|| first(y, |label| ![0.0, 1.0].contains(&label))).flatten()?;
    let message = format!(
        "accuracy counts right classes, but `y` has numbers, {} in {}; for a regression use the metric \"mae\"",
        shown(y.get(at)),
        place(y.shape(), at)
    );
    Some(Warning::new(Code::AccuracyOfNumbers, message))
}

/// Targets that the last activation never gives.
fn out_of_reach(y: &Array, loss: &dyn Loss, output: &Output) -> Option<Warning> {
    let (name, low, high) = match output.activation {
        Activation::Sigmoid => ("sigmoid", 0.0, 1.0),
        Activation::Softmax => ("softmax", 0.0, 1.0),
        Activation::Tanh => ("tanh", -1.0, 1.0),
        Activation::Relu => ("relu", 0.0, f64::INFINITY),
        Activation::Linear | Activation::Other => return None,
    };
    if loss.labels() != Labels::Numbers {
        return None;
    }
    let at = first(y, |x| !(low..=high).contains(&x))?;
    let reach = if high.is_finite() { format!("from {low} to {high}") } else { format!("of {low} or more") };
    let message = format!(
        "the last layer's {name} gives numbers {reach}, but `y` is {} in {}; leave that activation out",
        shown(y.get(at)),
        place(y.shape(), at)
    );
    Some(Warning::new(Code::TargetsOutOfReach, message))
}

/// Labels that are all of one class.
fn one_class(y: &Array, loss: &dyn Loss, output: &Output) -> Option<Warning> {
    let ignored = match loss.labels() {
        Labels::Classes { ignored } => ignored,
        Labels::OneHot if y.shape().rank() == 2 => None,
        Labels::Probabilities if output.units() == 1 && [0.0, 1.0].contains(&y.get(0)) => None,
        _ => return None,
    };
    let known = y.get(0);
    // A whole table of labels is only read where the first ones are alike.
    let width = y.len() / y.shape()[0].max(1);
    if width == 1 && ignored.is_none() && first(y, |label| label != known).is_some() {
        return None;
    }
    let classes = if loss.labels() == Labels::OneHot { class_of_rows(y) } else { y.to_vec::<i64>() };
    let mut counted = classes.iter().filter(|class| Some(**class) != ignored);
    let (class, others) = (counted.next()?, counted.clone().count());
    (others > 0 && counted.all(|other| other == class)).then(|| {
        let message = format!(
            "all {} labels are of class {class}: the model learns to say nothing else; look at how the rows were chosen",
            others + 1
        );
        Warning::new(Code::OneClass, message)
    })
}

/// Features so large that a layer of sums learns badly from them.
fn unscaled(x: &Array) -> Option<Warning> {
    let numbers = x.as_slice::<f32>()?;
    let (rows, width) = (x.shape()[0], numbers.len() / x.shape()[0].max(1));
    let step = rows.div_ceil(ROWS).max(1);
    let largest = |row: usize| numbers[row * width..][..width].iter().fold(0.0, |most: f32, x| most.max(x.abs()));
    let (row, most) = (0..rows).step_by(step).map(|row| (row, largest(row))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    if most <= SCALED {
        return None;
    }
    let images = x.shape().rank() > 2;
    let at = numbers[row * width..][..width].iter().position(|x| x.abs() == most)?;
    let range = |values: &mut dyn Iterator<Item = &f32>| {
        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
    };
    let (low, high) = match images {
        true => range(&mut numbers.iter()),
        false => range(&mut numbers[at..].iter().step_by(width)),
    };
    let (what, help) = match images {
        true => ("`x`".to_owned(), format!("begin the model with `Rescaling::new(1.0 / {high:.1})`")),
        false => (format!("column {at} of `x`"), "scale the features, by `StandardScaler`".into()),
    };
    let message = format!("{what} goes from {low} to {high}, where a network learns badly; {help}");
    Some(Warning::new(Code::UnscaledFeatures, message))
}

/// `row 3`, or `row 3, column 1` where a row has several numbers.
fn place(shape: &Shape, at: usize) -> String {
    column(at, shape.size() / shape[0].max(1))
}
