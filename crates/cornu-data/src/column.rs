//! A named column of values, with the labels of its rows: what pandas calls a Series.

use std::fmt;
use std::sync::Arc;

use cornu_graph::room::room;
use cornu_graph::{Array, Element, Error, Result};
use ndarray::Array1;

use super::{AN_ARRAY, ToArray, print};

/// The labels of the rows. They stay with their rows when rows are selected or put in another order.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// The number of each row in the table it was read into.
    Numbers(Vec<usize>),
    /// Names, as those of the rows of [`Table::describe`](super::Table::describe).
    Names(Vec<String>),
}

impl Index {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Index::Numbers(labels) => labels.len(),
            Index::Names(labels) => labels.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of the row at `position`, as text.
    pub(super) fn label(&self, position: usize) -> String {
        match self {
            Index::Numbers(labels) => labels[position].to_string(),
            Index::Names(labels) => labels[position].clone(),
        }
    }

    /// The labels of the rows at `positions`, all of which must be within the table.
    pub(super) fn take(&self, positions: &[usize]) -> Index {
        match self {
            Index::Numbers(labels) => Index::Numbers(positions.iter().map(|&row| labels[row]).collect()),
            Index::Names(labels) => Index::Names(positions.iter().map(|&row| labels[row].clone()).collect()),
        }
    }
}

/// The values of a column, all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; a missing one is NaN.
    Float(Vec<f64>),
    /// Whole numbers; none is missing.
    Int(Vec<i64>),
    /// True or false; none is missing.
    Bool(Vec<bool>),
    /// Text; a missing one is `None`.
    Text(Vec<Option<String>>),
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        match self {
            Values::Float(values) => values.len(),
            Values::Int(values) => values.len(),
            Values::Bool(values) => values.len(),
            Values::Text(values) => values.len(),
        }
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn take(&self, positions: &[usize]) -> Values {
        fn pick<T: Clone>(values: &[T], positions: &[usize]) -> Vec<T> {
            positions.iter().map(|&row| values[row].clone()).collect()
        }
        match self {
            Values::Float(values) => Values::Float(pick(values, positions)),
            Values::Int(values) => Values::Int(pick(values, positions)),
            Values::Bool(values) => Values::Bool(pick(values, positions)),
            Values::Text(values) => Values::Text(pick(values, positions)),
        }
    }

    #[inline]
    fn get(&self, position: usize) -> Value<'_> {
        match self {
            Values::Float(values) => Value::Float(values[position]),
            Values::Int(values) => Value::Int(values[position]),
            Values::Bool(values) => Value::Bool(values[position]),
            Values::Text(values) => values[position].as_deref().map_or(Value::Missing, Value::Text),
        }
    }
}

macro_rules! values_from {
    ($($number:ty => $kind:ident;)*) => {$(
        impl From<Vec<$number>> for Values {
            fn from(values: Vec<$number>) -> Self {
                Values::$kind(values.into_iter().map(Into::into).collect())
            }
        }
    )*};
}

values_from! {
    f64 => Float;
    f32 => Float;
    i64 => Int;
    i32 => Int;
    u32 => Int;
    u8 => Int;
    bool => Bool;
}

impl From<Vec<String>> for Values {
    fn from(values: Vec<String>) -> Self {
        Values::Text(values.into_iter().map(Some).collect())
    }
}

impl From<Vec<&str>> for Values {
    fn from(values: Vec<&str>) -> Self {
        Values::Text(values.into_iter().map(|text| Some(text.into())).collect())
    }
}

/// One value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number; NaN if it is missing.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(&'a str),
    /// Text that is not there.
    Missing,
}

/// What [`Column::unique`] compares: numbers by their bits, since NaN is one value there.
#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Bits(u64),
    Text(&'a str),
    Missing,
}

impl<'a> Value<'a> {
    /// The value as a number, where true is one and false zero; `None` for text.
    pub fn to_f64(self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            Value::Bool(value) => Some(f64::from(value)),
            Value::Text(_) | Value::Missing => None,
        }
    }

    fn key(self) -> Key<'a> {
        match self {
            Value::Float(value) if value.is_nan() => Key::Missing,
            Value::Float(value) => Key::Bits((value + 0.0).to_bits()),
            Value::Int(value) => Key::Bits(value.cast_unsigned()),
            Value::Bool(value) => Key::Bits(value.into()),
            Value::Text(text) => Key::Text(text),
            Value::Missing => Key::Missing,
        }
    }
}

/// A named column of values.
///
/// Prints as a pandas Series: row labels, values, name and type.
#[derive(Clone, Debug)]
pub struct Column {
    pub(super) name: String,
    pub(super) values: Values,
    pub(super) index: Arc<Index>,
    /// Where a file made this a column of text: the line, and what stood there.
    pub(super) first_text: Option<Arc<(u64, String)>>,
}

impl Column {
    /// A column whose rows are labelled 0, 1, 2, ….
    pub fn new(name: impl Into<String>, values: impl Into<Values>) -> Column {
        let values = values.into();
        let index = Arc::new(Index::Numbers((0..values.len()).collect()));
        Column { name: name.into(), values, index, first_text: None }
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

    /// The type of the values, by pandas' name for it: `float64`, `int64`, `bool` or `str`.
    pub fn dtype(&self) -> &'static str {
        match self.values {
            Values::Float(_) => "float64",
            Values::Int(_) => "int64",
            Values::Bool(_) => "bool",
            Values::Text(_) => "str",
        }
    }

    /// The values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        (0..self.len()).map(|row| self.values.get(row))
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
            values: self.values.take(positions),
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
        match &self.values {
            Values::Float(values) => values.to_array(),
            Values::Int(values) => values.to_array(),
            Values::Bool(values) => values.to_array(),
            Values::Text(_) => Err(self.text_error()),
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
        assert_eq!(column.index(), &Index::Numbers(vec![2, 0]));
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
