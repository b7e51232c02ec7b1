//! A table: named columns of equal length with labelled rows. What pandas calls a DataFrame.

mod array;
mod columns;
mod concat;
mod missing;
mod rows;
mod stats;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use cornu_array::{Error, Result, list, nearest};
use ndarray::{ArrayBase, Axis, Data, Ix2};

pub use self::columns::IntoColumn;
pub use self::concat::{Concat, concat, concat_with};
pub use self::missing::DropNa;
pub use self::rows::Duplicates;
use super::csv::number;
use super::{Column, Index, Values, print};

/// Named columns of equal length, in order, with labelled rows.
///
/// ```
/// use cornu_data::Table;
///
/// let table = Table::from_csv_str("height,weight,label\n1.7,60,0\n1.9,,1\n")?;
/// let x = table.drop("label")?;
/// let y = table.column("label")?;
/// assert_eq!(x.shape(), (2, 2));
/// assert_eq!(x.to_string(), "   height  weight\n0     1.7    60.0\n1     1.9     NaN");
/// assert_eq!(y.to_string(), "0    0\n1    1\nName: label, dtype: int64");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Prints as pandas 3 does, never wider than 80 columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    columns: Vec<Column>,
    index: Arc<Index>,
}

impl Table {
    /// A table of these columns, its rows labelled 0, 1, 2, ….
    ///
    /// ```
    /// # use cornu_data::{Table, Values};
    /// let table = Table::new([("age", Values::from(vec![31, 58])), ("name", vec!["ann", "bob"].into())])?;
    /// assert_eq!(table.shape(), (2, 2));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// Columns must be equally long and have different names.
    pub fn new<N: Into<String>, V: Into<Values>>(columns: impl IntoIterator<Item = (N, V)>) -> Result<Table> {
        Table::from_columns(columns.into_iter().map(|(name, values)| Column::new(name, values)).collect())
    }

    /// A table of these columns; the first one's row labels are those of the table.
    pub(super) fn from_columns(mut columns: Vec<Column>) -> Result<Table> {
        let index = columns.first().map_or_else(|| Arc::new(Index::range(0)), |c| Arc::clone(&c.index));
        let mut names = HashSet::new();
        for column in &columns {
            if !names.insert(&column.name) {
                return Err(Table::named_twice(&column.name));
            }
            if column.len() != index.len() {
                let (name, rows) = (&column.name, column.len());
                let needed = index.len();
                return Err(Error::data(format!("column `{name}` needs {needed} values as the others, got {rows}")));
            }
        }
        columns.iter_mut().for_each(|column| column.index = Arc::clone(&index));
        Ok(Table { columns, index })
    }

    pub(super) fn named_twice(name: &str) -> Error {
        let error = Error::data(format!("a table needs different column names, got `{name}` twice"));
        error.help(match number(name) {
            Some(_) => "if the first line is data, write a line of names before it",
            None => "give one of the two another name",
        })
    }

    /// The same values with these row labels, as many as there are rows.
    pub(super) fn with_index(mut self, index: Index) -> Table {
        self.index = Arc::new(index);
        self.columns.iter_mut().for_each(|column| column.index = Arc::clone(&self.index));
        self
    }

    /// The same table with other column names.
    ///
    /// # Errors
    /// There must be as many names as columns, all different.
    pub fn with_names<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Result<Table> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.len() != self.columns.len() {
            let (needed, got) = (self.columns.len(), names.len());
            return Err(Error::usage(format!("`with_names` needs {needed} names, one for each column, got {got}")));
        }
        let renamed = self.columns.into_iter().zip(names).map(|(column, name)| Column { name, ..column });
        Table::from_columns(renamed.collect())
    }

    /// The columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the columns in order.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(Column::name).collect()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.index.len()
    }

    /// The number of rows and of columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows(), self.columns.len())
    }

    /// The labels of the rows.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The column of that name.
    ///
    /// # Errors
    /// There must be one; the message lists those there are.
    pub fn column(&self, name: &str) -> Result<&Column> {
        self.columns.iter().find(|column| column.name == name).ok_or_else(|| self.unknown(name))
    }

    /// Where each column is, by its name.
    fn places(&self) -> HashMap<&str, usize> {
        self.columns.iter().enumerate().map(|(place, column)| (column.name(), place)).collect()
    }

    fn unknown(&self, name: &str) -> Error {
        let names = self.names();
        let error = Error::usage(format!("no column `{name}`; the table has {}", list(&names)));
        match nearest(name, names) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error,
        }
    }
}

/// One column name, or several: `"label"`, `["id", "label"]`, slices and vectors of names.
pub trait ColumnNames {
    /// The names, in order.
    fn into_names(self) -> Vec<String>;
}

macro_rules! column_names {
    ($([$($generics:tt)*] $type:ty, $names:expr;)*) => {$(
        impl<$($generics)*> ColumnNames for $type {
            fn into_names(self) -> Vec<String> {
                let names: fn(Self) -> Vec<String> = $names;
                names(self)
            }
        }
    )*};
}

column_names! {
    [] &str, |name| vec![name.into()];
    [] &String, |name| vec![name.clone()];
    [] String, |name| vec![name];
    [N: AsRef<str>] &[N], |names| names.iter().map(|name| name.as_ref().into()).collect();
    [N: AsRef<str>] Vec<N>, |names| names.iter().map(|name| name.as_ref().into()).collect();
    [N: AsRef<str>] &Vec<N>, |names| names.iter().map(|name| name.as_ref().into()).collect();
    [N: AsRef<str>, const K: usize] [N; K], |names| names.iter().map(|name| name.as_ref().into()).collect();
    [N: AsRef<str>, const K: usize] &[N; K], |names| names.iter().map(|name| name.as_ref().into()).collect();
}

/// The column of that name, as pandas writes it: `&table["label"]`.
///
/// # Panics
/// If there is none; [`Table::column`] does not panic.
impl std::ops::Index<&str> for Table {
    type Output = Column;

    fn index(&self, name: &str) -> &Column {
        self.column(name).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The columns are named `0`, `1`, `2`, ….
impl<T: Clone, S: Data<Elem = T>> From<ArrayBase<S, Ix2>> for Table
where
    Values: From<Vec<T>>,
{
    fn from(array: ArrayBase<S, Ix2>) -> Table {
        let index = Arc::new(Index::range(array.nrows()));
        let columns = array.axis_iter(Axis(1)).enumerate().map(|(i, column)| Column {
            name: i.to_string(),
            values: Arc::new(column.to_vec().into()),
            index: Arc::clone(&index),
            first_text: None,
        });
        Table { columns: columns.collect(), index }
    }
}

/// `{}` prints as pandas does on a terminal of 80 columns, `{:#}` every row and column, as `to_string()` of pandas.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::table(self, f.alternate()))
    }
}
