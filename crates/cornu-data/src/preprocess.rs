//! Bringing numbers into a range a network learns well from: scalers, one-hot classes, unit length.

use std::cmp::Ordering;

use cornu_graph::room::has_room;
use cornu_graph::{Error, Result};
use ndarray::{Array2, ArrayD, ArrayView1, ArrayViewMut1, Axis, Zip};

use super::{Labels, ToArray, ToLabels, Value, Values, from_array, print};

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
/// # Ok::<(), cornu_graph::Error>(())
/// ```
///
/// Works in `f64`. A column that never changes becomes the lower end of the range. NaN stays NaN and is left out of
/// account.
#[derive(Clone, Debug)]
pub struct MinMaxScaler {
    feature_range: (f64, f64),
    columns: Option<Vec<MinMaxColumn>>,
}

/// `x · scale + offset`
#[derive(Clone, Debug)]
struct MinMaxColumn {
    least: f64,
    greatest: f64,
    scale: f64,
    offset: f64,
}

impl Default for MinMaxScaler {
    fn default() -> Self {
        MinMaxScaler::new()
    }
}

impl MinMaxScaler {
    /// A scaler to the range from 0 to 1.
    pub fn new() -> Self {
        MinMaxScaler { feature_range: (0.0, 1.0), columns: None }
    }

    /// Scales to the range from `min` to `max` instead.
    ///
    /// # Errors
    /// `min` must be below `max`, and the range between them finite.
    pub fn feature_range(mut self, min: f64, max: f64) -> Result<Self> {
        if min.partial_cmp(&max) != Some(Ordering::Less) {
            return Err(Error::usage(format!("`feature_range` needs a minimum below its maximum, got ({min}, {max})")));
        }
        if !(max - min).is_finite() {
            return Err(Error::usage(format!("`feature_range` needs a finite range, got ({min}, {max})")));
        }
        self.feature_range = (min, max);
        Ok(self)
    }

    /// Learns the least and greatest value of each column of `x`: `[rows, columns]`, or one column `[rows]`.
    ///
    /// # Errors
    /// `x` must have two axes or one, at least one row, and no infinite number.
    pub fn fit(&mut self, x: impl ToArray) -> Result<()> {
        let x = learnable("MinMaxScaler", x)?;
        let (low, high) = self.feature_range;
        let learn = |column: ArrayView1<'_, f64>| {
            let least = column.iter().copied().fold(f64::NAN, f64::min);
            let greatest = column.iter().copied().fold(f64::NAN, f64::max);
            let range = greatest - least;
            let scale = (high - low) / if range < 10.0 * f64::EPSILON { 1.0 } else { range };
            MinMaxColumn { least, greatest, scale, offset: low - least * scale }
        };
        let learnt: Vec<MinMaxColumn> = x.columns().into_iter().map(learn).collect();
        let ranges = learnt.iter().map(|column| column.greatest - column.least);
        within_range("MinMaxScaler", ranges)?;
        self.columns = Some(learnt);
        Ok(())
    }

    /// `x` scaled as was learnt.
    ///
    /// # Errors
    /// There must have been a `fit` on as many columns.
    pub fn transform(&self, x: impl ToArray) -> Result<Array2<f64>> {
        map_columns("MinMaxScaler", self.columns.as_deref(), matrix("MinMaxScaler", x)?, |column, values| {
            values.into_iter().for_each(|x| *x = *x * column.scale + column.offset);
        })
    }

    /// Learns from `x` and scales it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_transform(&mut self, x: impl ToArray) -> Result<Array2<f64>> {
        self.fit(&x)?;
        self.transform(x)
    }

    /// What was scaled to `x`.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_transform(&self, x: impl ToArray) -> Result<Array2<f64>> {
        map_columns("MinMaxScaler", self.columns.as_deref(), matrix("MinMaxScaler", x)?, |column, values| {
            values.into_iter().for_each(|x| *x = (*x - column.offset) / column.scale);
        })
    }

    /// The least value of each column, once learnt.
    pub fn data_min(&self) -> Option<Vec<f64>> {
        Some(self.columns.as_ref()?.iter().map(|column| column.least).collect())
    }

    /// The greatest value of each column, once learnt.
    pub fn data_max(&self) -> Option<Vec<f64>> {
        Some(self.columns.as_ref()?.iter().map(|column| column.greatest).collect())
    }
}

/// Brings each column to a mean of 0 and a standard deviation of 1, as scikit-learn's class of this name does.
///
/// Works in `f64`. A column that never changes becomes zeros. NaN stays NaN and is left out of account.
#[derive(Clone, Debug, Default)]
pub struct StandardScaler {
    columns: Option<Vec<StandardColumn>>,
}

/// `(x − mean) / scale`
#[derive(Clone, Debug)]
struct StandardColumn {
    mean: f64,
    variance: f64,
    scale: f64,
}

impl StandardScaler {
    /// A scaler that has learnt nothing yet.
    pub fn new() -> Self {
        StandardScaler::default()
    }

    /// Learns the mean and standard deviation of each column of `x`: `[rows, columns]`, or one column `[rows]`.
    ///
    /// # Errors
    /// `x` must have two axes or one, at least one row, and no infinite number.
    pub fn fit(&mut self, x: impl ToArray) -> Result<()> {
        let x = learnable("StandardScaler", x)?;
        let learnt: Vec<StandardColumn> =
            x.columns().into_iter().map(|column| standard(column.iter().copied())).collect();
        let infinite = |column: &StandardColumn| if column.mean.is_infinite() { column.mean } else { column.variance };
        within_range("StandardScaler", learnt.iter().map(infinite))?;
        self.columns = Some(learnt);
        Ok(())
    }

    /// `x` scaled as was learnt.
    ///
    /// # Errors
    /// There must have been a `fit` on as many columns.
    pub fn transform(&self, x: impl ToArray) -> Result<Array2<f64>> {
        map_columns("StandardScaler", self.columns.as_deref(), matrix("StandardScaler", x)?, |column, values| {
            values.into_iter().for_each(|x| *x = (*x - column.mean) / column.scale);
        })
    }

    /// Learns from `x` and scales it.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_transform(&mut self, x: impl ToArray) -> Result<Array2<f64>> {
        self.fit(&x)?;
        self.transform(x)
    }

    /// What was scaled to `x`.
    ///
    /// # Errors
    /// As [`transform`](Self::transform).
    pub fn inverse_transform(&self, x: impl ToArray) -> Result<Array2<f64>> {
        map_columns("StandardScaler", self.columns.as_deref(), matrix("StandardScaler", x)?, |column, values| {
            values.into_iter().for_each(|x| *x = *x * column.scale + column.mean);
        })
    }

    /// The mean of each column, once learnt.
    pub fn mean(&self) -> Option<Vec<f64>> {
        Some(self.columns.as_ref()?.iter().map(|column| column.mean).collect())
    }

    /// The variance of each column (with no degree of freedom taken off), once learnt.
    pub fn var(&self) -> Option<Vec<f64>> {
        Some(self.columns.as_ref()?.iter().map(|column| column.variance).collect())
    }

    /// What each column is divided by, once learnt.
    pub fn scale(&self) -> Option<Vec<f64>> {
        Some(self.columns.as_ref()?.iter().map(|column| column.scale).collect())
    }
}

/// Mean and variance in two passes, the second corrected by what rounding left of the sum of differences: Chan, Golub
/// and LeVeque, "Algorithms for computing the sample variance" (1983), equation 1.7.
fn standard(values: impl Iterator<Item = f64> + Clone) -> StandardColumn {
    let values = values.filter(|value| !value.is_nan());
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let left: f64 = values.clone().map(|value| value - mean).sum();
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    let variance = (squares - left * left / count) / count;
    // Differences no larger than rounding in the sums can make them are none.
    let rounding = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
    StandardColumn { mean, variance, scale: if variance <= rounding { 1.0 } else { variance.sqrt() } }
}

/// Refuses columns whose spread is infinite, though none of their numbers is.
fn within_range(who: &str, mut spreads: impl Iterator<Item = f64>) -> Result<()> {
    match spreads.position(f64::is_infinite) {
        Some(column) => {
            Err(Error::data(format!("`{who}` needs numbers whose spread is finite, got more in column {column}"))
                .help("divide such a column by a large number first"))
        }
        None => Ok(()),
    }
}

/// One matrix of doubles, without infinite numbers; a list of numbers is one column.
fn matrix(who: &str, x: impl ToArray) -> Result<Array2<f64>> {
    let x = x.into_array()?;
    let (rows, columns) = match x.shape()[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => {
            let help = "images are scaled by the first layer of the model: `Rescaling::new(1.0 / 255.0)`";
            return Err(Error::data(format!("`{who}` needs `[rows, columns]`, got {}", x.ty())).help(help));
        }
    };
    let values = x.to_vec::<f64>();
    if let Some(place) = values.iter().position(|value| value.is_infinite()) {
        let (row, column) = (place / columns, place % columns);
        return Err(Error::data(format!(
            "`{who}` needs finite numbers, got an infinite one in row {row}, column {column}"
        )));
    }
    Array2::from_shape_vec((rows, columns), values).map_err(|error| Error::data(error.to_string()).caused_by(error))
}

/// A matrix with something to learn from.
fn learnable(who: &str, x: impl ToArray) -> Result<Array2<f64>> {
    let x = matrix(who, x)?;
    if x.is_empty() {
        let (rows, columns) = x.dim();
        return Err(Error::data(format!("`{who}` needs at least one row and one column, got [{rows},{columns}]")));
    }
    Ok(x)
}

/// Changes each column of `x` by what was learnt of it.
fn map_columns<C>(
    who: &str,
    learnt: Option<&[C]>,
    mut x: Array2<f64>,
    change: impl Fn(&C, ArrayViewMut1<'_, f64>),
) -> Result<Array2<f64>> {
    let Some(learnt) = learnt else {
        return Err(Error::usage(format!("this `{who}` has learnt nothing yet")).help("call `fit` first"));
    };
    if x.ncols() != learnt.len() {
        let (needed, got) = (learnt.len(), x.ncols());
        let error = Error::data(format!("`{who}` needs {needed} columns as it was fitted on, got {got}"));
        return Err(if got == 1 { error.help("a single row has two brackets, as in `[[1.0, 2.0]]`") } else { error });
    }
    x.columns_mut().into_iter().zip(learnt).for_each(|(values, column)| change(column, values));
    Ok(x)
}

/// Classes as rows of zeros with a one: `[..]` or `[.., 1]` becomes `[.., classes]`, one more than the greatest class. Of
/// text, the classes are those that occur, in alphabetical order. A part of the rows may lack the last classes:
/// [`to_categorical_with`] is told how many there are.
///
/// ```
/// use cornu_data::to_categorical;
///
/// assert_eq!(to_categorical([0, 2])?, ndarray::array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]].into_dyn());
/// assert_eq!(to_categorical(["no", "yes", "no"])?, to_categorical([0, 1, 0])?);
/// # Ok::<(), cornu_graph::Error>(())
/// ```
///
/// # Errors
/// Classes must be text or whole numbers from 0 up, none missing, and there must be one.
pub fn to_categorical(x: impl ToLabels) -> Result<ArrayD<f32>> {
    one_hot(x, None)
}

/// [`to_categorical`] with a place for each of that many classes, whether or not they occur: `[.., num_classes]`.
///
/// # Errors
/// Those of [`to_categorical`], and a class that is not below `num_classes`.
pub fn to_categorical_with(x: impl ToLabels, num_classes: usize) -> Result<ArrayD<f32>> {
    one_hot(x, Some(num_classes))
}

fn one_hot(x: impl ToLabels, num_classes: Option<usize>) -> Result<ArrayD<f32>> {
    let (mut shape, values) = x.shaped_values()?;
    let classes = classes(&values)?;
    let width = match num_classes {
        Some(width) => width,
        None => classes.iter().max().ok_or_else(|| Error::data("`to_categorical` needs at least one class"))? + 1,
    };
    if let Some(place) = classes.iter().position(|&class| class >= width) {
        let class = classes[place];
        return Err(Error::data(format!("`to_categorical` needs classes below {width}, got {class} at index {place}"))
            .help("classes count from 0"));
    }
    if shape.len() > 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    shape.push(width);
    if !has_room::<f32>(&shape) {
        let message = format!("`to_categorical` has no room for {} rows of {width} classes", classes.len());
        return Err(Error::data(message).help(
            "numbers so large are hardly classes: for a regression leave them as they are, with the loss `mse`",
        ));
    }
    let mut rows = ArrayD::zeros(shape);
    for (mut row, class) in rows.rows_mut().into_iter().zip(classes) {
        row[class] = 1.0;
    }
    Ok(rows)
}

/// The number of the class of each label.
fn classes(values: &Values) -> Result<Vec<usize>> {
    let labels = Labels::of(values);
    if let Some(place) = labels.codes().iter().position(|&code| labels.class(code) == Value::Missing) {
        return Err(Error::data(format!("`to_categorical` needs a class in each row, got none at index {place}")));
    }
    if labels.classes().iter().any(|class| matches!(class, Value::Text(_))) {
        return Ok(labels.codes().to_vec());
    }
    let class = |(place, value): (usize, Value<'_>)| match value.to_f64() {
        // One more must still be a number: so many classes have no room anyway.
        Some(class) if class >= 0.0 && class.fract() == 0.0 => Ok((class as usize).min(usize::MAX - 1)),
        _ => {
            let value = value.to_f64().map_or_else(|| print::label(value), |class| class.to_string());
            Err(Error::data(format!("`to_categorical` needs whole classes from 0 up, got {value} at index {place}")))
        }
    };
    values.iter().enumerate().map(class).collect()
}

/// `x` with each row along `axis` divided by its norm, `(Σ |x|^order)^(1/order)`; rows of zeros stay as they are. A
/// negative axis counts from the last. Keras's defaults are the last axis and order 2.
///
/// # Errors
/// `x` must have that axis; `order` must be positive (infinity takes the greatest absolute value).
pub fn normalize(x: impl ToArray, axis: isize, order: f64) -> Result<ArrayD<f64>> {
    let x = x.into_array()?;
    let rank = x.shape().rank();
    let place = if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
    let Some(axis) = place.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank) else {
        return Err(Error::usage(format!("`normalize` needs an axis of {}, got {axis}", x.ty())));
    };
    if order.is_nan() || order <= 0.0 {
        return Err(Error::usage(format!("`normalize` needs a positive order, got {order}")));
    }
    let mut x = from_array::<f64>(&x);
    let norm = |row: ArrayView1<'_, f64>| {
        if order.is_infinite() {
            row.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
        } else if order == 2.0 {
            row.iter().map(|x| x * x).sum::<f64>().sqrt()
        } else {
            row.iter().map(|x| x.abs().powf(order)).sum::<f64>().powf(order.recip())
        }
    };
    Zip::from(x.lanes_mut(Axis(axis))).for_each(|mut row| {
        let norm = norm(row.view());
        if norm != 0.0 {
            row /= norm;
        }
    });
    Ok(x)
}
