//! What transformers work on: a table, or rows of numbers.

use std::borrow::Cow;

use cornu_array::room::empty;
use cornu_array::{AN_ARRAY, Array, Buffer, Error, Nested, Numeric, Result, ToArray};
use ndarray::{Array2, ArrayBase, Data, Dimension};

use super::field::fields;
use crate::{Column, Index, Table, Values};

/// What a transformer takes and gives: a table, or rows of numbers without names.
#[derive(Clone, Debug)]
pub enum Frame<'a> {
    /// A table.
    Table(Cow<'a, Table>),
    /// Rows of numbers.
    Rows(Rows<'a>),
}

/// Rows of numbers, one behind the other.
#[derive(Clone, Debug)]
pub struct Rows<'a> {
    pub(super) data: Cow<'a, [f64]>,
    pub(super) rows: usize,
    pub(super) width: usize,
}

impl Rows<'_> {
    fn column(&self, j: usize) -> Vec<f64> {
        self.data.iter().skip(j).step_by(self.width).copied().collect()
    }
}

impl<'a> From<&'a Table> for Frame<'a> {
    fn from(table: &'a Table) -> Frame<'a> {
        Frame::Table(Cow::Borrowed(table))
    }
}

impl From<Table> for Frame<'static> {
    fn from(table: Table) -> Frame<'static> {
        Frame::Table(Cow::Owned(table))
    }
}

impl<'a> Frame<'a> {
    /// The rows of an array `[rows, columns]`, or the one column of `[rows]`.
    pub(crate) fn of_array(who: &str, array: Array) -> Result<Frame<'static>> {
        let (rows, width) = match array.shape()[..] {
            [rows] => (rows, 1),
            [rows, width] => (rows, width),
            _ => {
                let help = "images are scaled by the first layer of the model: `Rescaling::new(1.0 / 255.0)`";
                return Err(Error::data(format!("`{who}` needs `[rows, columns]`, got {}", array.ty())).help(help));
            }
        };
        let data = match array.into_buffer() {
            Buffer::F64(data) => data.into_vec(),
            other => {
                let mut data = empty(AN_ARRAY, other.len())?;
                data.extend((0..other.len()).map(|i| other.get(i)));
                data
            }
        };
        Ok(Frame::Rows(Rows { data: Cow::Owned(data), rows, width }))
    }

    /// The same, without a copy.
    pub(crate) fn borrowed(&self) -> Frame<'_> {
        match self {
            Frame::Table(table) => Frame::Table(Cow::Borrowed(table)),
            Frame::Rows(rows) => Frame::Rows(Rows { data: Cow::Borrowed(&rows.data), ..*rows }),
        }
    }

    /// The same, which nothing else holds.
    pub(crate) fn owned(self) -> Frame<'static> {
        match self {
            Frame::Table(table) => Frame::Table(Cow::Owned(table.into_owned())),
            Frame::Rows(rows) => Frame::Rows(Rows { data: Cow::Owned(rows.data.into_owned()), ..rows }),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Frame::Table(table) => table.rows(),
            Frame::Rows(rows) => rows.rows,
        }
    }

    /// The number of columns.
    pub fn width(&self) -> usize {
        match self {
            Frame::Table(table) => table.columns().len(),
            Frame::Rows(rows) => rows.width,
        }
    }

    /// The names of the columns: `x0`, `x1`, … where there are none.
    pub fn names(&self) -> Vec<String> {
        match self {
            Frame::Table(table) => table.names().into_iter().map(String::from).collect(),
            Frame::Rows(rows) => numbered(rows.width),
        }
    }

    /// The labels of the rows.
    pub(crate) fn index(&self) -> Index {
        match self {
            Frame::Table(table) => table.index().clone(),
            Frame::Rows(rows) => Index::range(rows.rows),
        }
    }

    /// The values of each column.
    pub(crate) fn values(&self) -> Vec<Cow<'_, Values>> {
        match self {
            Frame::Table(table) => table.columns().iter().map(|column| Cow::Borrowed(column.values())).collect(),
            Frame::Rows(rows) => (0..rows.width).map(|j| Cow::Owned(Values::Float(rows.column(j)))).collect(),
        }
    }

    /// A table of numbers as rows again, where it was made of such.
    pub(crate) fn like(self, rows: bool) -> Result<Frame<'a>> {
        match &self {
            Frame::Table(table) if rows && table.columns().iter().all(|column| column.values().is_numeric()) => {
                let (height, width) = table.shape();
                let data = Cow::Owned(table.to_array()?.to_vec());
                Ok(Frame::Rows(Rows { data, rows: height, width }))
            }
            _ => Ok(self),
        }
    }

    /// As a table.
    ///
    /// # Errors
    /// None in practice.
    pub fn into_table(self) -> Result<Table> {
        match self {
            Frame::Table(table) => Ok(table.into_owned()),
            Frame::Rows(rows) => {
                let columns = numbered(rows.width).into_iter().enumerate();
                let columns = columns.map(|(j, name)| Column::new(name, rows.column(j))).collect();
                Ok(Table::from_columns(columns)?.with_index(Index::range(rows.rows)))
            }
        }
    }

    /// As an array of doubles.
    ///
    /// # Errors
    /// No column may hold text.
    pub fn into_ndarray(self) -> Result<Array2<f64>> {
        match self {
            Frame::Table(table) => table.to_ndarray(),
            Frame::Rows(rows) => Array2::from_shape_vec((rows.rows, rows.width), rows.data.into_owned())
                .map_err(|error| Error::data(error.to_string()).caused_by(error)),
        }
    }

    /// As an array that an estimator takes: whole numbers stay such.
    pub(crate) fn into_array(self) -> Result<Array> {
        match self {
            Frame::Table(table) => table.to_array(),
            Frame::Rows(rows) => Array::new([rows.rows, rows.width], rows.data.into_owned()),
        }
    }
}

/// The names that columns without names have: `x0`, `x1`, ….
pub(crate) fn numbered(width: usize) -> Vec<String> {
    (0..width).map(|j| format!("x{j}")).collect()
}

/// Which columns a transformer was fitted on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) columns: usize,
    /// Their names, if they had some.
    pub(crate) names: Option<Vec<String>>,
}

fields!(Seen { columns, names } check |seen| match &seen.names {
    Some(names) if names.len() != seen.columns => {
        Err(Error::file(format!("`names` needs {} names, one for each column, got {}", seen.columns, names.len())))
    }
    _ => Ok(()),
});

impl Seen {
    pub(crate) fn of(x: &Frame<'_>) -> Seen {
        Seen { columns: x.width(), names: matches!(x, Frame::Table(_)).then(|| x.names()) }
    }

    /// The names of the columns: `x0`, `x1`, … where they had none.
    pub(crate) fn names(&self) -> Vec<String> {
        self.names.clone().unwrap_or_else(|| numbered(self.columns))
    }

    /// The names of the columns, or those that they are called now.
    pub(crate) fn names_of(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        match input {
            Some(names) if names.len() != self.columns => {
                let (needed, got) = (self.columns, names.len());
                Err(Error::usage(format!("`feature_names_out` needs {needed} names of columns, got {got}")))
            }
            Some(names) => Ok(names.to_vec()),
            None => Ok(self.names()),
        }
    }

    /// Refuses lists that have not a number for each column.
    pub(crate) fn each(&self, lists: &[&[f64]]) -> Result<()> {
        match lists.iter().find(|list| list.len() != self.columns) {
            Some(list) => {
                Err(Error::file(format!("needs {} numbers, one for each column, got {}", self.columns, list.len())))
            }
            None => Ok(()),
        }
    }

    /// Refuses columns that are not those of the fit, in their order.
    pub(crate) fn check(&self, who: &str, x: &Frame<'_>) -> Result<()> {
        self.check_width(who, x)?;
        let (Some(names), Frame::Table(table)) = (&self.names, x) else { return Ok(()) };
        match names.iter().zip(table.names()).find(|(needed, got)| needed != got) {
            Some((needed, got)) => Err(Error::data(format!(
                "`{who}` needs the columns it was fitted on in their order, got `{got}` where `{needed}` was"
            ))
            .help("`table.select([…])` puts columns in order")),
            None => Ok(()),
        }
    }

    /// Refuses another number of columns than that of the fit.
    pub(crate) fn check_width(&self, who: &str, x: &Frame<'_>) -> Result<()> {
        check_width(who, self.columns, x)
    }
}

/// Refuses another number of columns.
pub(crate) fn check_width(who: &str, needed: usize, x: &Frame<'_>) -> Result<()> {
    let got = x.width();
    if got == needed {
        return Ok(());
    }
    let error = Error::data(format!("`{who}` needs {needed} columns as it was fitted on, got {got}"));
    Err(if got == 1 { error.help("a single row has two brackets, as in `[[1.0, 2.0]]`") } else { error })
}

/// Whatever holds features in columns: tables, columns (as a table of one), and arrays, slices and vectors of numbers.
///
/// What is made of a table or a column is a table, of anything else an array of doubles.
pub trait Features {
    /// What is made of it.
    type Prepared;

    /// The features, for what errors call `who`.
    ///
    /// # Errors
    /// Arrays must have one axis or two.
    fn frame(&self, who: &str) -> Result<Frame<'_>>;

    /// What was made of features, in the form that goes with theirs.
    ///
    /// # Errors
    /// Text has no place in an array.
    fn prepared(frame: Frame<'static>) -> Result<Self::Prepared>;
}

impl Features for Table {
    type Prepared = Table;

    fn frame(&self, _: &str) -> Result<Frame<'_>> {
        Ok(self.into())
    }

    fn prepared(frame: Frame<'static>) -> Result<Table> {
        frame.into_table()
    }
}

impl Features for Column {
    type Prepared = Table;

    fn frame(&self, _: &str) -> Result<Frame<'_>> {
        Ok(Table::from_columns(vec![self.clone()])?.into())
    }

    fn prepared(frame: Frame<'static>) -> Result<Table> {
        frame.into_table()
    }
}

impl<X: Features + ?Sized> Features for &X {
    type Prepared = X::Prepared;

    fn frame(&self, who: &str) -> Result<Frame<'_>> {
        X::frame(self, who)
    }

    fn prepared(frame: Frame<'static>) -> Result<X::Prepared> {
        X::prepared(frame)
    }
}

macro_rules! arrays {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> Features for $type {
            type Prepared = Array2<f64>;

            fn frame(&self, who: &str) -> Result<Frame<'_>> {
                Frame::of_array(who, self.to_array()?)
            }

            fn prepared(frame: Frame<'static>) -> Result<Array2<f64>> {
                frame.into_ndarray()
            }
        }
    )*};
}

arrays! {
    [] Array;
    [T: Nested] [T];
    [T: Nested] Vec<T>;
    [T: Nested, const N: usize] [T; N];
    [S: Data<Elem: Numeric>, D: Dimension] ArrayBase<S, D>;
}
