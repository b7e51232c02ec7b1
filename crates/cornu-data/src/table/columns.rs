//! Columns of a table: chosen, added, renamed, turned into other types. What stays is shared, never copied.

use std::collections::HashSet;
use std::sync::Arc;

use cornu_array::{Error, Result};

use super::{ColumnNames, Table};
use crate::{Column, Computed, Index, Scalar, Values};

/// What becomes a column of a table: a column, what was computed of columns, values, a value for each row, or a function
/// of the table that gives one of these.
pub trait IntoColumn {
    /// The column of that name, with the rows of the table.
    ///
    /// # Errors
    /// It must have the rows of the table.
    fn into_column(self, name: &str, table: &Table) -> Result<Column>;
}

impl IntoColumn for Column {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        let column = self.rename(name);
        if Arc::ptr_eq(&column.index, &table.index) || column.index.same_labels(&table.index) {
            return Ok(Column { index: Arc::clone(&table.index), ..column });
        }
        column.aligned(&table.index)
    }
}

impl IntoColumn for &Column {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        self.clone().into_column(name, table)
    }
}

impl IntoColumn for Computed {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        self.column()?.into_column(name, table)
    }
}

impl IntoColumn for Result<Column> {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        self?.into_column(name, table)
    }
}

impl IntoColumn for Values {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        if self.len() != table.rows() {
            let (rows, got) = (table.rows(), self.len());
            return Err(Error::data(format!("column `{name}` needs {rows} values, one for each row, got {got}")));
        }
        Ok(Column { index: Arc::clone(&table.index), ..Column::new(name, self) })
    }
}

impl<T> IntoColumn for Vec<T>
where
    Values: From<Vec<T>>,
{
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        Values::from(self).into_column(name, table)
    }
}

impl<R: IntoColumn, F: Fn(&Table) -> R> IntoColumn for F {
    fn into_column(self, name: &str, table: &Table) -> Result<Column> {
        self(table).into_column(name, table)
    }
}

macro_rules! one_for_each_row {
    ($($type:ty),*) => {$(
        impl IntoColumn for $type {
            fn into_column(self, name: &str, table: &Table) -> Result<Column> {
                let scalar = Scalar::from(self);
                cornu_array::room::room::<Scalar>("a column of the table", &[table.rows()])?;
                Values::from(vec![scalar; table.rows()]).into_column(name, table)
            }
        }
    )*};
}

one_for_each_row! { f64, f32, i64, i32, bool, &str, &String, String, Scalar }

impl Table {
    /// Where the column of that name is.
    fn place(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name == name).ok_or_else(|| self.unknown(name))
    }

    /// The table without this column, or without these: `drop("label")`, `drop(["id", "label"])`.
    ///
    /// # Errors
    /// The table must have each of them.
    pub fn drop(&self, names: impl ColumnNames) -> Result<Table> {
        let (places, mut dropped) = (self.places(), HashSet::new());
        for name in names.into_names() {
            dropped.insert(*places.get(&*name).ok_or_else(|| self.unknown(&name))?);
        }
        let kept =
            self.columns.iter().enumerate().filter(|(place, _)| !dropped.contains(place)).map(|(_, column)| column);
        Ok(Table { columns: kept.cloned().collect(), index: Arc::clone(&self.index) })
    }

    /// These columns, in this order; of one name, a table with that column alone.
    ///
    /// # Errors
    /// The table must have each of them, and none may be asked for twice.
    pub fn select(&self, names: impl ColumnNames) -> Result<Table> {
        let places = self.places();
        let column =
            |name: &str| places.get(name).map_or_else(|| Err(self.unknown(name)), |&place| Ok(&self.columns[place]));
        let columns: Result<Vec<Column>> = names.into_names().iter().map(|name| column(name).cloned()).collect();
        let table = Table::from_columns(columns?)?;
        Ok(Table { index: Arc::clone(&self.index), ..table })
    }

    /// The columns of these types, by pandas' names; `number` is every type of numbers.
    ///
    /// # Errors
    /// Each type must be one that columns can have.
    pub fn select_dtypes(&self, dtypes: impl ColumnNames) -> Result<Table> {
        let dtypes = dtypes.into_names();
        if let Some(unknown) =
            dtypes.iter().find(|dtype| *dtype != "number" && !crate::column::TYPES.contains(&&***dtype))
        {
            let known = cornu_array::list(&crate::column::TYPES);
            return Err(Error::usage(format!("no type `{unknown}` here; there are number and {known}")));
        }
        Ok(self.only(|column| {
            let number = column.values().is_numeric() && column.dtype() != "bool";
            dtypes.iter().any(|dtype| dtype == column.dtype() || dtype == "number" && number)
        }))
    }

    /// The columns of numbers and of true and false: what `numeric_only=True` leaves of a table in pandas.
    #[must_use]
    pub fn numeric_only(&self) -> Table {
        self.only(|column| column.values().is_numeric())
    }

    pub(crate) fn only(&self, test: impl Fn(&Column) -> bool) -> Table {
        let columns = self.columns.iter().filter(|column| test(column)).cloned().collect();
        Table { columns, index: Arc::clone(&self.index) }
    }

    /// The table with a column more, or with another in place of the one of that name.
    ///
    /// A column whose rows are labelled otherwise is put in the order of the labels of the table, with missing values where
    /// it has none.
    ///
    /// ```
    /// # use cornu_data::{Table, Value};
    /// let table = Table::from_csv_str("height,weight\n1.7,60\n2.0,80\n")?
    ///     .with_column("bmi", |t: &Table| &t["weight"] / t["height"].pow(2))?
    ///     .with_column("source", "survey")?;
    /// assert_eq!(table["bmi"].get(1)?, Value::Float(20.0));
    /// assert_eq!(table.names(), ["height", "weight", "bmi", "source"]);
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// Values need one for each row.
    pub fn with_column(&self, name: &str, column: impl IntoColumn) -> Result<Table> {
        let (column, mut columns) = (column.into_column(name, self)?, self.columns.clone());
        match self.place(name) {
            Ok(place) => columns[place] = column,
            Err(_) => columns.push(column),
        }
        Ok(Table { columns, index: Arc::clone(&self.index) })
    }

    /// The table with a column more at that place, counted from 0.
    ///
    /// # Errors
    /// As [`Table::with_column`]; the name must be new, and the place there.
    pub fn insert(&self, place: usize, name: &str, column: impl IntoColumn) -> Result<Table> {
        if self.place(name).is_ok() {
            return Err(
                Error::usage(format!("the table has a column `{name}` already")).help("`with_column` takes its place")
            );
        }
        if place > self.columns.len() {
            let most = self.columns.len();
            return Err(Error::usage(format!("`insert` needs a place of at most {most}, got {place}")));
        }
        let (column, mut columns) = (column.into_column(name, self)?, self.columns.clone());
        columns.insert(place, column);
        Ok(Table { columns, index: Arc::clone(&self.index) })
    }

    /// The table with some columns under other names: `rename([("Age", "age")])`.
    ///
    /// # Errors
    /// The table must have each of them, and different names afterwards.
    pub fn rename<A: AsRef<str>, B: Into<String>>(&self, names: impl IntoIterator<Item = (A, B)>) -> Result<Table> {
        let mut columns = self.columns.clone();
        for (old, new) in names {
            columns[self.place(old.as_ref())?].name = new.into();
        }
        let table = Table::from_columns(columns)?;
        Ok(Table { index: Arc::clone(&self.index), ..table })
    }

    /// Some columns in other types: `astype([("age", "int64")])`. See [`Column::astype`].
    ///
    /// # Errors
    /// The table must have each of them, and each value a counterpart in the type.
    pub fn astype<A: AsRef<str>, B: AsRef<str>>(&self, types: impl IntoIterator<Item = (A, B)>) -> Result<Table> {
        let mut columns = self.columns.clone();
        for (name, dtype) in types {
            let place = self.place(name.as_ref())?;
            columns[place] = columns[place].astype(dtype.as_ref())?;
        }
        Ok(Table { columns, index: Arc::clone(&self.index) })
    }

    /// Every column with some values replaced, as [`Column::replace`].
    ///
    /// # Errors
    /// As there.
    pub fn replace<A: Into<Scalar>, B: Into<Scalar>>(&self, pairs: impl IntoIterator<Item = (A, B)>) -> Result<Table> {
        let pairs: Vec<(Scalar, Scalar)> = pairs.into_iter().map(|(old, new)| (old.into(), new.into())).collect();
        self.each(|column| column.replace(pairs.iter().cloned()))
    }

    /// The same rows, each column by the function.
    pub(crate) fn each(&self, function: impl Fn(&Column) -> Result<Column>) -> Result<Table> {
        let columns = self.columns.iter().map(function).collect::<Result<_>>()?;
        Ok(Table { columns, index: Arc::clone(&self.index) })
    }

    /// The absolute values.
    ///
    /// # Errors
    /// All columns must be of numbers.
    pub fn abs(&self) -> Result<Table> {
        self.each(|column| column.abs().column())
    }

    /// The columns of numbers to so many decimals, as [`Column::round`].
    ///
    /// # Errors
    /// None.
    pub fn round(&self, decimals: i32) -> Result<Table> {
        self.each(|column| column.round(decimals).column())
    }

    /// Sums of all values so far, column by column.
    ///
    /// # Errors
    /// All columns must be of numbers.
    pub fn cumsum(&self) -> Result<Table> {
        self.each(Column::cumsum)
    }

    /// The table with the values of a column for row labels.
    ///
    /// # Errors
    /// The table must have the column.
    pub fn set_index(&self, name: &str) -> Result<Table> {
        let column = self.column(name)?;
        let index = Index::shared(Arc::clone(&column.values)).named(name);
        Ok(self.drop(name)?.with_index(index))
    }

    /// The rows labelled 0, 1, 2, …; their labels become the first column (`index`, if they have no name), or are dropped.
    ///
    /// # Errors
    /// The table must have no column of the name of its labels.
    pub fn reset_index(&self, drop: bool) -> Result<Table> {
        let table = self.clone().renumbered();
        if drop {
            return Ok(table);
        }
        let unnamed = if self.place("index").is_ok() { "level_0" } else { "index" };
        let name = self.index.name().unwrap_or(unnamed);
        table.insert(0, name, Column::of(name, self.index.to_shared()))
    }
}

impl Column {
    /// The column in the order of other row labels; missing where it has none.
    ///
    /// # Errors
    /// Its own labels must differ from each other.
    pub(crate) fn aligned(&self, index: &Arc<Index>) -> Result<Column> {
        let own = self.index.to_shared();
        let mut rows = std::collections::HashMap::new();
        for (row, label) in own.iter().enumerate() {
            if rows.insert(label.key(), row).is_some() {
                let (name, label) = (self.name(), self.index.label(row));
                let message =
                    format!("column `{name}` needs different row labels to be put in order, got {label} twice");
                return Err(Error::data(message).help("`reset_index` numbers the rows anew"));
            }
        }
        let labels = index.to_shared();
        let rows: Vec<Option<usize>> = labels.iter().map(|label| rows.get(&label.key()).copied()).collect();
        let values = Arc::new(self.values.take_or_missing(&rows));
        Ok(Column { values, index: Arc::clone(index), ..self.clone() })
    }
}
