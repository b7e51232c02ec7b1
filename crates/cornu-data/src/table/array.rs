//! The values of a table as an array.

use std::borrow::Cow;
use std::ops::Range;

use cornu_array::room::{empty, room};
use cornu_array::{AnyArray, Array, Element, Error, Result, TextArray, Texts};
use ndarray::Array2;

use super::Table;
use crate::{AN_ARRAY, Column, ToArray, Values};

impl Table {
    /// The values as an array `[rows, columns]`: `i64` if every value is a whole number, `bool` if all are true or
    /// false, else `f64`.
    ///
    /// # Errors
    /// No column may hold text; the message says where in the file the first text was.
    pub fn to_array(&self) -> Result<Array> {
        let columns = self.columns.iter().map(Column::numbers).collect::<Result<Vec<Cow<'_, Values>>>>()?;
        let any = |test: fn(&Values) -> bool| columns.iter().any(|values| test(values));
        if columns.is_empty() || any(|values| matches!(values, Values::Float(_) | Values::Float32(_))) {
            gathered::<f64>(&columns, self.rows())
        } else if any(|values| matches!(values, Values::Int(_))) {
            gathered::<i64>(&columns, self.rows())
        } else {
            gathered::<bool>(&columns, self.rows())
        }
    }

    /// The values as an `ndarray` of any element type.
    ///
    /// # Errors
    /// No column may hold text.
    pub fn to_ndarray<T: Element>(&self) -> Result<Array2<T>> {
        let array = self.to_array()?;
        room::<T>(AN_ARRAY, &[array.len()])?;
        Array2::from_shape_vec(self.shape(), array.to_vec())
            .map_err(|error| Error::data("the table does not fit an array").caused_by(error))
    }
}

impl ToArray for Table {
    fn to_array(&self) -> Result<Array> {
        Table::to_array(self)
    }

    /// Texts as well, where every column holds such and none is missing.
    fn to_any(&self) -> Result<AnyArray> {
        let of = |column: &Column| column.to_any().ok().filter(|any| any.texts().is_some());
        let columns: Option<Vec<AnyArray>> = self.columns.iter().map(of).collect();
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else {
            return self.to_array().map(AnyArray::Numbers);
        };
        let row = |row: usize| columns.iter().map(move |column| column.texts().map(|texts| texts.get(row)));
        let texts: Texts = (0..self.rows()).flat_map(row).collect();
        TextArray::new([self.rows(), columns.len()], texts).map(AnyArray::Texts)
    }
}

/// What an element is made of.
trait Cell: Element + Default {
    fn float(value: f64) -> Self;
    fn whole(value: i64) -> Self;
    fn truth(value: bool) -> Self;
}

macro_rules! cell {
    ($($type:ty: |$value:ident| $float:expr, $whole:expr, $truth:expr;)*) => {$(
        impl Cell for $type {
            fn float($value: f64) -> $type {
                $float
            }

            fn whole($value: i64) -> $type {
                $whole
            }

            fn truth($value: bool) -> $type {
                $truth
            }
        }
    )*};
}

cell! {
    f64: |value| value, value as f64, value.into();
    i64: |value| value as i64, value, value.into();
    bool: |value| value != 0.0, value != 0, value;
}

/// The values row by row, in blocks of rows that stay in the cache while the columns are gone through.
fn gathered<T: Cell>(columns: &[Cow<'_, Values>], rows: usize) -> Result<Array> {
    const BLOCK: usize = 256;
    let width = columns.len();
    let mut data = empty(AN_ARRAY, rows.saturating_mul(width))?;
    let mut cells = vec![T::default(); BLOCK * width];
    for start in (0..rows).step_by(BLOCK) {
        let rows = start..(start + BLOCK).min(rows);
        for (place, values) in columns.iter().enumerate() {
            put(cells.iter_mut().skip(place).step_by(width), values, rows.clone());
        }
        data.extend_from_slice(&cells[..rows.len() * width]);
    }
    Array::new([rows, width], data)
}

fn put<'a, T: Cell + 'a>(cells: impl Iterator<Item = &'a mut T>, values: &Values, rows: Range<usize>) {
    match values {
        Values::Float(values) => cells.zip(&values[rows]).for_each(|(cell, &value)| *cell = T::float(value)),
        Values::Float32(values) => cells.zip(&values[rows]).for_each(|(cell, &value)| *cell = T::float(value.into())),
        Values::Int(values) => cells.zip(&values[rows]).for_each(|(cell, &value)| *cell = T::whole(value)),
        Values::Bool(values) => cells.zip(&values[rows]).for_each(|(cell, &value)| *cell = T::truth(value)),
        // `Column::numbers` gives no others.
        _ => {}
    }
}
