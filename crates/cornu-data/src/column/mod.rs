//! A named column of values, with the labels of its rows: what pandas calls a Series.

mod cast;
mod counts;
mod missing;
mod replace;
mod stats;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cornu_array::room::room;
use cornu_array::{AnyArray, Array, Context, Element, Error, Result, TextArray};
use ndarray::Array1;

pub(crate) use self::cast::TYPES;
pub(crate) use self::counts::repeated;
pub use self::counts::{Counts, Keep};
pub use self::missing::Fill;
use super::{AN_ARRAY, Computed, Index, Sample, SortBy, ToArray, Value, Values, print};

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

    /// A column of values that others may hold too.
    pub(crate) fn of(name: impl Into<String>, values: Arc<Values>) -> Column {
        let index = Arc::new(Index::range(values.len()));
        Column { name: name.into(), values, index, first_text: None }
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

    /// The same column under another name.
    #[must_use]
    pub fn rename(&self, name: impl Into<String>) -> Column {
        Column { name: name.into(), ..self.clone() }
    }

    /// The same values with these row labels.
    ///
    /// # Errors
    /// There must be as many labels as rows.
    pub fn with_index(&self, index: Index) -> Result<Column> {
        index.check_rows(self.len())?;
        Ok(Column { index: Arc::new(index), ..self.clone() })
    }

    /// The same values, their rows labelled 0, 1, 2, ….
    #[must_use]
    pub fn reset_index(&self) -> Column {
        Column { index: Arc::new(Index::range(self.len())), ..self.clone() }
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

    /// The rows at positions that are there.
    pub(crate) fn take_rows(&self, rows: &[usize]) -> Column {
        self.take_unchecked(rows, &Arc::new(self.index.take(rows)))
    }

    /// The rows of a range of positions, with their labels.
    ///
    /// # Errors
    /// The range must end within the column.
    pub fn slice(&self, rows: Range<usize>) -> Result<Column> {
        check_range(&rows, self.len())?;
        Ok(self.slice_unchecked(rows.clone(), &Arc::new(self.index.slice(rows))))
    }

    pub(super) fn slice_unchecked(&self, rows: Range<usize>, index: &Arc<Index>) -> Column {
        let whole = rows == (0..self.len());
        let values = if whole { Arc::clone(&self.values) } else { Arc::new(self.values.slice(rows)) };
        Column { values, index: Arc::clone(index), ..self.clone() }
    }

    /// The first `n` rows; all of them if there are fewer.
    #[must_use]
    pub fn head(&self, n: usize) -> Column {
        let rows = 0..n.min(self.len());
        self.slice_unchecked(rows.clone(), &Arc::new(self.index.slice(rows)))
    }

    /// The last `n` rows; all of them if there are fewer.
    #[must_use]
    pub fn tail(&self, n: usize) -> Column {
        let rows = self.len().saturating_sub(n)..self.len();
        self.slice_unchecked(rows.clone(), &Arc::new(self.index.slice(rows)))
    }

    /// The rows for which a condition holds.
    ///
    /// # Errors
    /// The condition must be true or false, of the same rows.
    pub fn filter(&self, condition: impl Into<Computed>) -> Result<Column> {
        Ok(self.take_rows(&condition.into().rows(&self.index)?))
    }

    /// Rows at random, as [`Table::sample`](crate::Table::sample).
    ///
    /// # Errors
    /// As there.
    pub fn sample(&self, how: impl Into<Sample>) -> Result<Column> {
        let how = how.into();
        let sampled = self.take_rows(&how.rows(self.len())?);
        Ok(if how.ignores_index() { sampled.reset_index() } else { sampled })
    }

    /// The rows in the order of their values, missing ones last; equal ones in the order they have.
    #[must_use]
    pub fn sort_values(&self) -> Column {
        self.sort_values_with(&SortBy::default())
    }

    /// The rows in the order of their values; the names of `how` do not count.
    #[must_use]
    pub fn sort_values_with(&self, how: &SortBy) -> Column {
        how.finished(self.take_rows(&how.order(&[self.values()])))
    }

    /// The rows in the order of their labels.
    #[must_use]
    pub fn sort_index(&self) -> Column {
        self.sort_index_with(&SortBy::default())
    }

    /// The rows in the order of their labels; the names of `how` do not count.
    #[must_use]
    pub fn sort_index_with(&self, how: &SortBy) -> Column {
        how.finished(self.take_rows(&how.order(&[&self.index.to_shared()])))
    }

    /// The values as an array of rank 1: `i64`, `f64` or `bool`.
    ///
    /// # Errors
    /// The column must not hold text; the message says where in the file the first text was.
    pub fn to_array(&self) -> Result<Array> {
        match &*self.numbers()? {
            Values::Float(values) => values.to_array(),
            Values::Float32(values) => values.to_array(),
            Values::Int(values) => values.to_array(),
            Values::Bool(values) => values.to_array(),
            _ => Err(self.text_error()),
        }
    }

    /// The values, if they are numbers: those of several kinds too, if each is one, as where words were replaced.
    pub(super) fn numbers(&self) -> Result<Cow<'_, Values>> {
        match &*self.values {
            values if values.is_numeric() => Ok(Cow::Borrowed(values)),
            Values::Object(values) if values.iter().all(|value| value.is_missing() || value.to_f64().is_some()) => {
                let numbers = Values::from(values.clone());
                let floats = || values.iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect();
                Ok(Cow::Owned(if numbers.is_numeric() { numbers } else { Values::Float(floats()) }))
            }
            _ => Err(self.text_error()),
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
                None => format!("values of {}", self.dtype()),
            },
        };
        let error = Error::data(format!("column `{}` needs numbers, got {place}", self.name));
        match &*self.values {
            Values::Date(_) => error.help("drop the column, or count its days: `astype(\"int64\")` gives microseconds"),
            Values::Truth(_) => error.help("fill what is missing and make ones and zeros of it: `astype(\"int64\")`"),
            _ => error.help(
                "drop the column, or replace its words by numbers: `map_values([(\"male\", 0), (\"female\", 1)])`; \
                 if that value stands for a missing one, leave it empty",
            ),
        }
    }
}

pub(super) fn check_positions(positions: &[usize], rows: usize) -> Result<()> {
    match positions.iter().find(|&&row| row >= rows) {
        Some(row) => Err(Error::usage(format!("`take` needs positions below {rows}, the number of rows, got {row}"))),
        None => Ok(()),
    }
}

pub(super) fn check_range(rows: &Range<usize>, all: usize) -> Result<()> {
    if rows.start <= rows.end && rows.end <= all {
        return Ok(());
    }
    Err(Error::usage(format!(
        "`slice` needs a range within 0..{all}, the rows there are, got {}..{}",
        rows.start, rows.end
    )))
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

    /// Texts as well, of which none may be missing.
    fn to_any(&self) -> Result<AnyArray> {
        match &*self.values {
            Values::Text(texts) => {
                let array = TextArray::new([texts.len()], texts.clone());
                array.map(AnyArray::Texts).context(format_args!("`{}`", self.name()))
            }
            _ => self.to_array().map(AnyArray::Numbers),
        }
    }
}

/// `{}` prints as pandas does, `{:#}` every row, without name and type, as `to_string()` of pandas.
impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::series(self, f.alternate()))
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
