//! What a model predicts, made into what is asked for: the likeliest class, names of classes, a table, one output.

use cornu_array::{Array, Buffer, Element, Error, Numeric, Result};
use ndarray::{Array1, ArrayBase, ArrayD, ArrayView1, Axis, Data, Dimension};

use super::{Column, ColumnNames, Table, ToArray, ToLabels, Values, from_array};

/// The place of the greatest number along the last axis, the first of several: the class that the scores or probabilities
/// `[.., classes]` speak for, `[..]`. NumPy's `argmax(x, axis=-1)`.
///
/// ```
/// use cornu_data::argmax;
///
/// assert_eq!(argmax([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2]])?, ndarray::array![1, 0].into_dyn());
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be a number along the last axis.
pub fn argmax(x: impl ToArray) -> Result<ArrayD<i64>> {
    let x = from_array::<f64>(&x.into_array()?);
    let last = x.ndim().checked_sub(1).filter(|&last| x.len_of(Axis(last)) > 0);
    let last = last.ok_or_else(|| Error::data(format!("`argmax` needs a number in each row, got {:?}", x.shape())))?;
    // Not-a-number is the greatest, as in NumPy.
    let above = |a: f64, b: f64| a > b || a.is_nan() && !b.is_nan();
    let place =
        |row: ArrayView1<'_, f64>| (1..row.len()).fold(0, |best, i| if above(row[i], row[best]) { i } else { best });
    Ok(x.map_axis(Axis(last), |row| place(row) as i64))
}

/// Arrays of predictions, `[rows]` or `[rows, outputs]`: what `predict` gives, of any rank. No method has a name that
/// `ndarray` has.
///
/// ```
/// use cornu_data::Predictions;
/// use ndarray::array;
///
/// let predicted = array![[0.1f32, 0.7, 0.2], [0.5, 0.3, 0.2]].into_dyn();
/// assert_eq!(predicted.argmax()?, array![1, 0].into_dyn());
/// assert_eq!(predicted.outputs(1)?, array![0.5, 0.3, 0.2]);
/// assert_eq!(predicted.output(0)?, array![0.1, 0.5]);
/// let names = ["cat", "dog", "cow"];
/// assert_eq!(predicted.to_classes(names)?.to_string(), "0    dog\n1    cat\nName: class, dtype: str");
/// assert_eq!(predicted.to_table(names)?.to_string(), "   cat  dog  cow\n0  0.1  0.7  0.2\n1  0.5  0.3  0.2");
///
/// let predicted = array![[0.2f32], [0.8], [0.6]].into_dyn();
/// assert_eq!(predicted.to_classes(["no", "yes"])?.values(), &vec!["no", "yes", "yes"].into());
/// assert_eq!(predicted.to_classes_above(0.7, [0, 1])?.values(), &vec![0, 1, 0].into());
/// # Ok::<(), cornu_array::Error>(())
/// ```
pub trait Predictions: ToArray {
    /// What the array holds.
    type Number: Element;

    /// For each row the output that is greatest, the first of several: see [`argmax`].
    ///
    /// # Errors
    /// There must be an output.
    fn argmax(&self) -> Result<ArrayD<i64>> {
        argmax(self.to_array()?)
    }

    /// The outputs of one row.
    ///
    /// # Errors
    /// There must be that row.
    fn outputs(&self, row: usize) -> Result<Array1<Self::Number>> {
        let array = self.to_array()?;
        let rows = array.shape().first().copied().unwrap_or(0);
        if row >= rows {
            return Err(Error::usage(format!("`outputs` needs a row below {rows}, the number of rows, got {row}")));
        }
        Ok(Array1::from(array.rows(&[row]).to_vec()))
    }

    /// One output of all rows.
    ///
    /// # Errors
    /// There must be that output, of `[rows, outputs]`; `[rows]` has one.
    fn output(&self, output: usize) -> Result<Array1<Self::Number>> {
        let array = self.to_array()?;
        let width = width_of("output", &array)?;
        if output >= width {
            return Err(Error::usage(format!(
                "`output` needs a number below {width}, the number of outputs, got {output}"
            )));
        }
        Ok(array.to_vec().into_iter().skip(output).step_by(width).collect())
    }

    /// Each number rounded to the nearest whole one; those halfway to the even one, as NumPy's `round`
    /// does (that of `ndarray` goes away from zero).
    ///
    /// # Errors
    /// An array that has no room.
    fn rounded(&self) -> Result<ArrayD<Self::Number>> {
        let rounded = from_array::<f64>(&self.to_array()?).mapv(f64::round_ties_even);
        Ok(rounded.mapv(Self::Number::from_f64))
    }

    /// The class of each row: of several outputs that of the greatest, of one output the second class where it is above
    /// 0.5. `classes` names them in the order of the outputs.
    ///
    /// # Errors
    /// There must be a class for each output, or two for one output.
    fn to_classes(&self, classes: impl ToLabels) -> Result<Column> {
        let (array, classes) = (self.to_array()?, classes.label_values()?);
        match width_of("to_classes", &array)? {
            1 => above("to_classes", &array, 0.5, &classes),
            width if width == classes.len() => {
                let places: Vec<usize> = argmax(&array)?.iter().map(|&place| place as usize).collect();
                Ok(Column::new("class", classes.take(&places)))
            }
            width => {
                let got = classes.len();
                Err(Error::usage(format!("`to_classes` needs a class for each of {width} outputs, got {got}")))
            }
        }
    }

    /// The class of each row, of one output: the second class where it is above `threshold`.
    ///
    /// # Errors
    /// There must be one output and two classes.
    fn to_classes_above(&self, threshold: f64, classes: impl ToLabels) -> Result<Column> {
        let array = self.to_array()?;
        match width_of("to_classes_above", &array)? {
            1 => above("to_classes_above", &array, threshold, &*classes.label_values()?),
            width => Err(Error::data(format!("`to_classes_above` needs one output, got {width}"))
                .help("of several, the greatest counts: `to_classes`")),
        }
    }

    /// A table with these column names, one for each output.
    ///
    /// # Errors
    /// There must be as many names as outputs, all different.
    fn to_table(&self, names: impl ColumnNames) -> Result<Table> {
        let (array, names) = (self.to_array()?, names.into_names());
        let width = width_of("to_table", &array)?;
        if names.len() != width {
            let got = names.len();
            return Err(Error::usage(format!("`to_table` needs a name for each of {width} outputs, got {got}")));
        }
        Table::new(names.into_iter().enumerate().map(|(i, name)| (name, one_output(&array, i, width))))
    }
}

impl<S: Data<Elem: Numeric>, D: Dimension> Predictions for ArrayBase<S, D> {
    type Number = <S::Elem as Numeric>::Element;
}

/// Its numbers come out as doubles.
impl Predictions for Array {
    type Number = f64;
}

/// The number of outputs of `[rows]` or `[rows, outputs]`.
fn width_of(who: &str, array: &Array) -> Result<usize> {
    match array.shape()[..] {
        [_] => Ok(1),
        [_, width] => Ok(width),
        _ => Err(Error::data(format!("`{who}` needs `[rows]` or `[rows, outputs]`, got {}", array.ty()))),
    }
}

/// One output of all rows, as a column holds it.
fn one_output(array: &Array, column: usize, width: usize) -> Values {
    fn every<T: Copy>(data: &[T], column: usize, width: usize) -> Vec<T> {
        data.iter().skip(column).step_by(width).copied().collect()
    }
    match array.buffer() {
        Buffer::F32(data) => every(data, column, width).into(),
        Buffer::F64(data) => every(data, column, width).into(),
        Buffer::Bool(data) => every(data, column, width).into(),
        // Columns have no floats of 16 bits.
        half if half.dtype().is_half() => every(&array.to_vec::<f32>(), column, width).into(),
        _ => every(&array.to_vec::<i64>(), column, width).into(),
    }
}

fn above(who: &str, array: &Array, threshold: f64, classes: &Values) -> Result<Column> {
    if classes.len() != 2 {
        return Err(Error::usage(format!("`{who}` of one output needs two classes, got {}", classes.len())));
    }
    if let Some(row) = (0..array.len()).find(|&row| array.get(row).is_nan()) {
        return Err(Error::data(format!("`{who}` needs numbers, got NaN in row {row}")));
    }
    let places: Vec<usize> = (0..array.len()).map(|row| usize::from(array.get(row) > threshold)).collect();
    Ok(Column::new("class", classes.take(&places)))
}
