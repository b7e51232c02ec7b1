//! Rows of a table: by position, by label, by a condition, without those that occurred before.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use cornu_array::{Error, Result};

use super::{ColumnNames, Table};
use crate::column::{check_positions, check_range, repeated};
use crate::threads::side_by_side;
use crate::{Column, Computed, Index, Keep, Scalar, Value, Values, order};

/// Which rows [`Table::duplicated_with`] compares, and how.
#[derive(Clone, Debug)]
pub struct Duplicates {
    subset: Option<Vec<String>>,
    keep: Keep,
    ignore_index: bool,
}

impl Default for Duplicates {
    fn default() -> Duplicates {
        Duplicates { subset: None, keep: Keep::First, ignore_index: false }
    }
}

impl Duplicates {
    /// All columns are compared, and the first of equal rows stays.
    pub fn new() -> Duplicates {
        Duplicates::default()
    }

    /// The columns that are compared.
    #[must_use]
    pub fn subset(self, names: impl ColumnNames) -> Duplicates {
        Duplicates { subset: Some(names.into_names()), ..self }
    }

    /// Which of equal rows stays.
    #[must_use]
    pub fn keep(self, keep: Keep) -> Duplicates {
        Duplicates { keep, ..self }
    }

    /// Whether the rows that stay are labelled anew: 0, 1, 2, ….
    #[must_use]
    pub fn ignore_index(self, ignore_index: bool) -> Duplicates {
        Duplicates { ignore_index, ..self }
    }
}

impl Table {
    /// The rows at `positions`, in that order, with their labels.
    ///
    /// # Errors
    /// A position must be less than the number of rows.
    pub fn take(&self, positions: &[usize]) -> Result<Table> {
        check_positions(positions, self.rows())?;
        Ok(self.take_unchecked(positions))
    }

    pub(crate) fn take_unchecked(&self, positions: &[usize]) -> Table {
        let index = Arc::new(self.index.take(positions));
        let values = positions.len().saturating_mul(self.columns.len());
        let columns = side_by_side(&self.columns, values, |column| column.take_unchecked(positions, &index));
        Table { columns, index }
    }

    /// The rows of a range of positions, with their labels.
    ///
    /// # Errors
    /// The range must end within the table.
    pub fn slice(&self, rows: Range<usize>) -> Result<Table> {
        check_range(&rows, self.rows())?;
        Ok(self.slice_unchecked(rows))
    }

    fn slice_unchecked(&self, rows: Range<usize>) -> Table {
        let index = Arc::new(self.index.slice(rows.clone()));
        let columns = self.columns.iter().map(|column| column.slice_unchecked(rows.clone(), &index));
        Table { columns: columns.collect(), index }
    }

    /// The first `n` rows; all of them if there are fewer.
    #[must_use]
    pub fn head(&self, n: usize) -> Table {
        self.slice_unchecked(0..n.min(self.rows()))
    }

    /// The last `n` rows; all of them if there are fewer.
    #[must_use]
    pub fn tail(&self, n: usize) -> Table {
        self.slice_unchecked(self.rows().saturating_sub(n)..self.rows())
    }

    /// The rows for which a condition holds.
    ///
    /// ```
    /// # use cornu_data::Table;
    /// let table = Table::from_csv_str("name,age\nann,31\nbob,58\neve,\n")?;
    /// let known = table.filter(table["age"].notna() & !table["name"].is_in(["bob"]))?;
    /// assert_eq!(known.to_string(), "  name   age\n0  ann  31.0");
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// The condition must be true or false, of the same rows.
    pub fn filter(&self, condition: impl Into<Computed>) -> Result<Table> {
        Ok(self.take_unchecked(&condition.into().rows(&self.index)?))
    }

    /// The row at `position`, counted from 0, as a column: its labels are the names of the columns.
    ///
    /// # Errors
    /// There must be so many rows.
    pub fn row(&self, position: usize) -> Result<Column> {
        if position >= self.rows() {
            return Err(Error::usage(format!("`row` needs a position below {}, got {position}", self.rows())));
        }
        let scalars = self.columns.iter().map(|column| column.scalar(position));
        let row = self.across(scalars.collect());
        Ok(row.rename(self.index.label(position)))
    }

    /// One value for each column, with the names of the columns for labels.
    pub(crate) fn across(&self, scalars: Vec<Scalar>) -> Column {
        let single = |column: &Column| matches!(column.values(), Values::Float32(_));
        let floats = |scalar: &Scalar| matches!(scalar, Scalar::Float(_));
        let values = match Values::from(scalars) {
            Values::Float(values) if !values.is_empty() && self.columns.iter().all(single) => {
                Values::Float32(values.into_iter().map(|value| value as f32).collect())
            }
            Values::Object(scalars) if scalars.iter().all(floats) => Values::from(scalars),
            values => values,
        };
        let names: Vec<&str> = self.names();
        Column { index: Arc::new(Index::new(names)), ..Column::new("", values) }
    }

    /// The value at a position, counted from 0, of the column of that name.
    ///
    /// # Errors
    /// There must be such a column, and so many rows.
    pub fn cell(&self, position: usize, name: &str) -> Result<Value<'_>> {
        self.column(name)?.get(position)
    }

    /// The rows with these labels, in the order of the labels: each row that has one.
    ///
    /// # Errors
    /// Each label must be there.
    pub fn loc<L: Into<Scalar>>(&self, labels: impl IntoIterator<Item = L>) -> Result<Table> {
        let own = self.index.to_shared();
        let mut rows: HashMap<_, Vec<usize>> = HashMap::new();
        own.iter().enumerate().for_each(|(row, label)| rows.entry(label.key()).or_default().push(row));
        let mut taken = Vec::new();
        for label in labels {
            let label = label.into();
            taken.extend(rows.get(&label.as_value().key()).ok_or_else(|| {
                Error::usage(format!("no row is labelled {label}"))
                    .help("`take` counts rows from 0, whatever their labels")
            })?);
        }
        Ok(self.take_unchecked(&taken))
    }

    /// Which rows occurred before.
    #[must_use]
    pub fn duplicated(&self) -> Column {
        self.mark(&self.numbers(&self.columns.iter().collect::<Vec<_>>()), Keep::First)
    }

    /// Which rows are not the one of their equals that stays.
    ///
    /// # Errors
    /// The table must have the columns that are compared.
    pub fn duplicated_with(&self, how: &Duplicates) -> Result<Column> {
        Ok(self.mark(&self.numbers(&self.compared(how)?), how.keep))
    }

    fn compared(&self, how: &Duplicates) -> Result<Vec<&Column>> {
        match &how.subset {
            Some(names) => names.iter().map(|name| self.column(name)).collect(),
            None => Ok(self.columns.iter().collect()),
        }
    }

    fn numbers(&self, columns: &[&Column]) -> Vec<u32> {
        order::numbered_rows(&columns.iter().map(|column| column.values()).collect::<Vec<_>>(), self.rows()).0
    }

    fn mark(&self, codes: &[u32], keep: Keep) -> Column {
        Column { index: Arc::clone(&self.index), ..Column::new("", Values::Bool(repeated(codes, keep))) }
    }

    /// The rows that did not occur before.
    #[must_use]
    pub fn drop_duplicates(&self) -> Table {
        self.unmarked(&self.duplicated())
    }

    /// Of equal rows the one that stays.
    ///
    /// # Errors
    /// The table must have the columns that are compared.
    pub fn drop_duplicates_with(&self, how: &Duplicates) -> Result<Table> {
        let kept = self.unmarked(&self.duplicated_with(how)?);
        Ok(if how.ignore_index { kept.renumbered() } else { kept })
    }

    fn unmarked(&self, marked: &Column) -> Table {
        let rows: Vec<usize> = (0..self.rows()).filter(|&row| marked.values().get(row) == Value::Bool(false)).collect();
        self.take_unchecked(&rows)
    }

    /// The same rows, labelled 0, 1, 2, ….
    pub(crate) fn renumbered(self) -> Table {
        let index = Index::range(self.rows());
        self.with_index(index)
    }
}
