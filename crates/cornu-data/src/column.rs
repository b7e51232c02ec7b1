//! A named column of values, with the labels of its rows: what pandas calls a Series.

use std::fmt;
use std::sync::Arc;

use cornu_graph::room::room;
use cornu_graph::{Array, Element, Error, Result};
use ndarray::Array1;

use super::{AN_ARRAY, Index, ToArray, Value, Values, print};

/// A named column of values.
///
/// Prints as a pandas Series: row labels, values, name and type.
#[derive(Clone, Debug)]
pub struct Column {
    pub(super) name: String,
    pub(super) values: Arc<Values>,
    pub(super) index: Arc<Index>,
    /// Where a file made this a column of text: the line, and what stood there.
    pub(super) first_text: Option<Arc<(u64, String)>>,
}

impl Column {
    /// A column whose rows are labelled 0, 1, 2, ….
    pub fn new(name: impl Into<String>, values: impl Into<Values>) -> Column {
        let values = values.into();
        let index = Arc::new(Index::range(values.len()));
        Column { name: name.into(), values: Arc::new(values), index, first_text: None }
    }

    /// Other values under the same name and row labels, as many as before.
    pub(super) fn with_values(&self, values: impl Into<Values>) -> Column {
        let values = Arc::new(values.into());
        debug_assert_eq!(values.len(), self.len());
        Column { name: self.name.clone(), values, index: Arc::clone(&self.index), first_text: None }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The values.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The labels of the rows.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The type of the values, by pandas' name for it: `float64`, `int64`, `bool`, `str`, ….
    pub fn dtype(&self) -> &'static str {
        self.values.dtype()
    }

    /// The values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        self.values.iter()
    }

    /// The distinct values, in the order of their first appearance.
    pub fn unique(&self) -> Vec<Value<'_>> {
        let mut seen = std::collections::HashSet::new();
        self.iter().filter(|value| seen.insert(value.key())).collect()
    }

    /// The rows at `positions`, in that order, with their labels.
    ///
    /// # Errors
    /// A position must be less than the number of rows.
    pub fn take(&self, positions: &[usize]) -> Result<Column> {
        check_positions(positions, self.len())?;
        Ok(self.take_unchecked(positions, &Arc::new(self.index.take(positions))))
    }

    pub(super) fn take_unchecked(&self, positions: &[usize], index: &Arc<Index>) -> Column {
        Column {
            name: self.name.clone(),
            values: Arc::new(self.values.take(positions)),
            index: Arc::clone(index),
            first_text: self.first_text.clone(),
        }
    }

    /// The first `n` rows; all of them if there are fewer.
    #[must_use]
    pub fn head(&self, n: usize) -> Column {
        let positions: Vec<usize> = (0..n.min(self.len())).collect();
        self.take_unchecked(&positions, &Arc::new(self.index.take(&positions)))
    }

    /// The values as an array of rank 1: `i64`, `f64` or `bool`.
    ///
    /// # Errors
    /// The column must not hold text; the message says where in the file the first text was.
    pub fn to_array(&self) -> Result<Array> {
        match &*self.values {
            Values::Float(values) => values.to_array(),
            Values::Float32(values) => values.to_array(),
            Values::Int(values) => values.to_array(),
            Values::Bool(values) => values.to_array(),
            Values::Truth(_) | Values::Date(_) | Values::Text(_) | Values::Category(_) | Values::Object(_) => {
                Err(self.text_error())
            }
        }
    }

    /// The values as an `ndarray` of any element type.
    ///
    /// # Errors
    /// The column must not hold text.
    pub fn to_ndarray<T: Element>(&self) -> Result<Array1<T>> {
        let array = self.to_array()?;
        room::<T>(AN_ARRAY, &[array.len()])?;
        Ok(Array1::from(array.to_vec()))
    }

    /// Why this column of text is not an array of numbers.
    pub(super) fn text_error(&self) -> Error {
        let place = match &self.first_text {
            Some(first) => format!("the text {} on line {}", print::quoted(Value::Text(&first.1)), first.0),
            None => match self.iter().position(|value| matches!(value, Value::Text(_))) {
                Some(row) => {
                    format!("the text {} in row {}", print::quoted(self.values.get(row)), self.index.label(row))
                }
                None => "text".into(),
            },
        };
        Error::data(format!("column `{}` needs numbers, got {place}", self.name)).help(
            "drop the column, or replace its words by numbers; if that value stands for a missing one, leave it empty",
        )
    }
}

pub(super) fn check_positions(positions: &[usize], rows: usize) -> Result<()> {
    match positions.iter().find(|&&row| row >= rows) {
        Some(row) => Err(Error::usage(format!("`take` needs positions below {rows}, the number of rows, got {row}"))),
        None => Ok(()),
    }
}

/// Names, values and row labels are equal; missing values equal each other.
impl PartialEq for Column {
    fn eq(&self, other: &Column) -> bool {
        let same = |(a, b): (Value<'_>, Value<'_>)| a.key() == b.key();
        self.name == other.name
            && self.dtype() == other.dtype()
            && self.len() == other.len()
            && self.index == other.index
            && self.iter().zip(other.iter()).all(same)
    }
}

impl ToArray for Column {
    fn to_array(&self) -> Result<Array> {
        Column::to_array(self)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::series(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unique_keeps_the_order_of_first_appearance() {
        let column = Column::new("v", vec![2.0, f64::NAN, -0.0, 2.0, 0.0, f64::NAN]);
        let unique = column.unique();
        assert_eq!(unique.len(), 3);
        assert_eq!(unique[0], Value::Float(2.0));
        assert!(matches!(unique[1], Value::Float(value) if value.is_nan()));
        assert_eq!(unique[2], Value::Float(0.0));
    }

    #[test]
    fn rows_keep_their_labels() {
        let column = Column::new("v", vec![10, 11, 12]).take(&[2, 0]).unwrap();
        assert_eq!(column.index(), &Index::new(vec![2, 0]));
        assert_eq!(column.values(), &Values::Int(vec![12, 10]));
        let error = column.take(&[0, 2]).unwrap_err();
        assert_eq!(error.message(), "`take` needs positions below 2, the number of rows, got 2");
    }

    #[test]
    fn text_is_no_array() {
        let column = Column::new("who", vec!["ann", "bob"]);
        let error = column.to_array().unwrap_err();
        assert_eq!(error.message(), "column `who` needs numbers, got the text `ann` in row 0");
    }
}
