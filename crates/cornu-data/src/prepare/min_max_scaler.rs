//! Each column brought into a range by its least and greatest value.

use std::cmp::Ordering;

use cornu_array::{Error, Result};

use super::field::fields;
use super::frame::Seen;
use super::{Frame, Linear, Transformer, files, learnt, methods, stored};

const CLASS: &str = "MinMaxScaler";

/// Brings each column into a range by its least and greatest value, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::MinMaxScaler;
///
/// let mut scaler = MinMaxScaler::new();
/// let x_train = scaler.fit_transform(&[[1.0, 10.0], [3.0, 30.0]])?;
/// let x_test = scaler.transform(&[[2.0, 10.0]])?;
/// assert_eq!(x_train, ndarray::array![[0.0, 0.0], [1.0, 1.0]]);
/// assert_eq!(x_test, ndarray::array![[0.5, 0.0]]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Works in `f64`; a table whose columns are all `float32` stays so. A column that never changes becomes the lower end of
/// the range. NaN stays NaN and is left out of account; infinite numbers are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct MinMaxScaler {
    feature_range: (f64, f64),
    clip: bool,
    learnt: Option<Learnt>,
}

/// `x · scale + min`
#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    seen: Seen,
    data_min: Vec<f64>,
    data_max: Vec<f64>,
    scale: Vec<f64>,
    min: Vec<f64>,
}

fields!(Learnt { seen, data_min, data_max, scale, min } check |learnt| {
    learnt.seen.each(&[&learnt.data_min, &learnt.data_max, &learnt.scale, &learnt.min])
});
fields!(MinMaxScaler { feature_range, clip, learnt } check |scaler| {
    check_range(scaler.feature_range.0, scaler.feature_range.1)
});
methods!(MinMaxScaler inverse);
files!(MinMaxScaler);

impl Default for MinMaxScaler {
    fn default() -> Self {
        MinMaxScaler::new()
    }
}

fn check_range(min: f64, max: f64) -> Result<()> {
    if min.partial_cmp(&max) != Some(Ordering::Less) {
        return Err(Error::usage(format!("`feature_range` needs a minimum below its maximum, got ({min}, {max})")));
    }
    if !(max - min).is_finite() {
        return Err(Error::usage(format!("`feature_range` needs a finite range, got ({min}, {max})")));
    }
    Ok(())
}

impl MinMaxScaler {
    /// A scaler to the range from 0 to 1.
    pub fn new() -> Self {
        MinMaxScaler { feature_range: (0.0, 1.0), clip: false, learnt: None }
    }

    /// Scales to the range from `min` to `max` instead.
    ///
    /// # Errors
    /// `min` must be below `max`, and the range between them finite.
    pub fn feature_range(self, min: f64, max: f64) -> Result<Self> {
        check_range(min, max)?;
        Ok(MinMaxScaler { feature_range: (min, max), ..self })
    }

    /// Whether values beyond those of the fit become the ends of the range.
    #[must_use]
    pub fn clip(self, clip: bool) -> Self {
        MinMaxScaler { clip, ..self }
    }

    /// The least value of each column, once learnt.
    pub fn data_min(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.data_min.clone())
    }

    /// The greatest value of each column, once learnt.
    pub fn data_max(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.data_max.clone())
    }

    /// What each column is multiplied by, once learnt.
    pub fn scale(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.scale.clone())
    }

    /// What is added to each column then, once learnt.
    pub fn min(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().map(|learnt| learnt.min.clone())
    }
}

impl Transformer for MinMaxScaler {
    stored!(MinMaxScaler);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let matrix = x.borrowed().into_numbers()?.learnable(CLASS)?;
        let (round, (low, high)) = (matrix.rounding(), self.feature_range);
        let (data_min, data_max) = matrix.extremes(CLASS)?;
        let ranges: Vec<f64> = data_min.iter().zip(&data_max).map(|(least, most)| round(most - least)).collect();
        finite_spread(CLASS, &ranges)?;
        let range = round(round(high) - round(low));
        let scale: Vec<f64> = ranges.iter().map(|&span| round(range / some(span, matrix.epsilon()))).collect();
        let min = data_min.iter().zip(&scale).map(|(least, scale)| round(round(low) - round(least * scale))).collect();
        self.learnt = Some(Learnt { seen: Seen::of(x), data_min, data_max, scale, min });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check(CLASS, &x)?;
        let (matrix, (low, high)) = (x.into_numbers()?, self.feature_range);
        let scaled = |x: f64, scale: f64| x * scale;
        if self.clip {
            let clipped = |x: f64, min: f64| clamp(x + min, low, high);
            return matrix.map(CLASS, (&learnt.scale, scaled), (&learnt.min, clipped))?.into_frame();
        }
        matrix.map(CLASS, (&learnt.scale, scaled), (&learnt.min, |x, min| x + min))?.into_frame()
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check_width(CLASS, &x)?;
        let matrix = x.into_numbers()?;
        matrix.map(CLASS, (&learnt.min, |x, min| x - min), (&learnt.scale, |x, scale| x / scale))?.into_frame()
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.seen.names_of(input)
    }
}

impl Linear for MinMaxScaler {
    fn scale_and_offset(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let learnt = learnt(CLASS, &self.learnt)?;
        if self.clip {
            return Err(Error::usage("a `MinMaxScaler` that clips is no change of scale").help("leave `clip` out"));
        }
        Ok((learnt.scale.clone(), learnt.min.clone()))
    }
}

/// NaN stays, as in NumPy's `clip`.
pub(super) fn clamp(value: f64, low: f64, high: f64) -> f64 {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

/// What a column is divided by: one, where it does not change but for rounding.
pub(super) fn some(span: f64, epsilon: f64) -> f64 {
    if span < 10.0 * epsilon { 1.0 } else { span }
}

/// Refuses columns whose spread is infinite, though none of their numbers is.
pub(super) fn finite_spread(who: &str, spreads: &[f64]) -> Result<()> {
    match spreads.iter().position(|spread| spread.is_infinite()) {
        Some(column) => {
            Err(Error::data(format!("`{who}` needs numbers whose spread is finite, got more in column {column}"))
                .help("divide such a column by a large number first"))
        }
        None => Ok(()),
    }
}
