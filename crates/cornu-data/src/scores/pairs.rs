//! Labels side by side: what all scores of classes count.

use std::ops::AddAssign;

use cornu_array::room::has_room;
use cornu_array::{Context, Error, Result};
use ndarray::Array2;

use super::precision::Weights;
use crate::{Labels, ToLabels, Value, Values};

/// True and predicted labels, over the classes that occur in either.
#[derive(Clone, Debug)]
pub(crate) struct Pairs {
    pub(super) truth: Labels,
    pub(super) predicted: Labels,
    pub(super) weights: Option<Vec<f64>>,
}

impl Pairs {
    pub(super) fn of(y_true: impl ToLabels, y_pred: impl ToLabels, weights: &Weights) -> Result<Pairs> {
        let (truth, predicted) = (labels("y_true", y_true)?, labels("y_pred", y_pred)?);
        if truth.len() != predicted.len() {
            let (needed, got) = (truth.len(), predicted.len());
            return Err(Error::data(format!("`y_pred` needs {needed} labels as `y_true` has, got {got}")));
        }
        if truth.is_empty() {
            return Err(Error::data("`y_true` needs at least one label, got none"));
        }
        let (truth, predicted) = Labels::joint(["y_true", "y_pred"], &truth, &predicted)?;
        let weights = weights.rows(truth.len())?;
        Ok(Pairs { truth, predicted, weights })
    }

    pub(super) fn rows(&self) -> usize {
        self.truth.len()
    }

    /// The classes that occur, in order.
    pub(super) fn classes(&self) -> &Values {
        self.truth.classes()
    }

    /// The true and the predicted class of each row.
    fn codes(&self) -> impl Iterator<Item = (usize, usize)> {
        self.truth.codes().iter().copied().zip(self.predicted.codes().iter().copied())
    }

    fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// For each row 1 where the prediction is right, else 0.
    pub(super) fn right(&self) -> Vec<f64> {
        self.codes().map(|(truth, predicted)| f64::from(truth == predicted)).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        let classes = self.truth.count();
        let mut counts = Counts { right: vec![0.0; classes], truth: vec![0.0; classes], predicted: vec![0.0; classes] };
        for (row, (truth, predicted)) in self.codes().enumerate() {
            let weight = self.weight(row);
            counts.truth[truth] += weight;
            counts.predicted[predicted] += weight;
            if truth == predicted {
                counts.right[truth] += weight;
            }
        }
        counts
    }

    /// How many rows are of each class.
    pub(super) fn support(&self) -> Vec<f64> {
        let mut support = vec![0.0; self.truth.count()];
        self.truth.codes().iter().for_each(|&code| support[code] += 1.0);
        support
    }

    /// What all rows of class `i` that were predicted to be of class `j` add up to, at `[i, j]`.
    pub(super) fn matrix<T: Clone + Default + AddAssign>(&self, of: impl Fn(usize) -> T) -> Result<Array2<T>> {
        let classes = self.truth.count();
        if !has_room::<T>(&[classes, classes]) {
            let message = format!("`confusion_matrix` has no room for {classes} by {classes} classes");
            return Err(Error::data(message).help("are these numbers really classes?"));
        }
        let mut matrix = Array2::from_elem((classes, classes), T::default());
        self.codes().enumerate().for_each(|(row, place)| matrix[place] += of(row));
        Ok(matrix)
    }

    pub(super) fn weighted_matrix(&self) -> Result<Array2<f64>> {
        self.matrix(|row| self.weight(row))
    }
}

/// How often, or with what weight, each class was predicted right, is true, and was predicted.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    pub(super) right: Vec<f64>,
    pub(super) truth: Vec<f64>,
    pub(super) predicted: Vec<f64>,
}

/// The labels of `name`, none of which is missing or between classes.
pub(crate) fn labels(name: &str, y: impl ToLabels) -> Result<Labels> {
    let labels = y.to_labels().context(format!("`{name}`"))?;
    let no_class = |class: Value<'_>| match class {
        Value::Float(value) => value.fract() != 0.0 || !value.is_finite(),
        class => class.is_missing(),
    };
    let Some(row) = labels.codes().iter().position(|&code| no_class(labels.class(code))) else { return Ok(labels) };
    Err(match labels.class(labels.codes()[row]) {
        Value::Float(value) => {
            Error::data(format!("`{name}` needs class labels, got the continuous value {value} in row {row}"))
                .help(format!("round probabilities first: `{name}.round()`"))
        }
        _ => Error::data(format!("`{name}` needs a label in each row, got none in row {row}"))
            .help("leave rows without a label out, or fill them"),
    })
}
