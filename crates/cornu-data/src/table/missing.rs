//! Missing values of a table: where they are, rows without them, something in their place.

use std::sync::Arc;

use cornu_array::{Error, Result};

use super::{ColumnNames, Table};
use crate::{Column, Fill};

/// Which rows, or columns, [`Table::dropna_with`] leaves out.
///
/// ```
/// use cornu_data::{DropNa, Table};
///
/// let table = Table::from_csv_str("a,b,c\n1,,\n,,\n1,2,\n")?;
/// assert_eq!(table.dropna_with(&DropNa::new().all())?.rows(), 2);
/// assert_eq!(table.dropna_with(&DropNa::new().subset(["a", "b"]))?.rows(), 1);
/// assert_eq!(table.dropna_with(&DropNa::new().columns().thresh(1))?.names(), ["a", "b"]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct DropNa {
    all: bool,
    thresh: Option<usize>,
    subset: Option<Vec<String>>,
    columns: bool,
    ignore_index: bool,
}

impl DropNa {
    /// Rows with a missing value in any column.
    pub fn new() -> DropNa {
        DropNa::default()
    }

    /// Only where all values are missing (`how="all"`).
    #[must_use]
    pub fn all(self) -> DropNa {
        DropNa { all: true, ..self }
    }

    /// Only where fewer than so many values are there.
    #[must_use]
    pub fn thresh(self, values: usize) -> DropNa {
        DropNa { thresh: Some(values), ..self }
    }

    /// Only these columns count.
    #[must_use]
    pub fn subset(self, names: impl ColumnNames) -> DropNa {
        DropNa { subset: Some(names.into_names()), ..self }
    }

    /// Columns are left out instead of rows (`axis=1`).
    #[must_use]
    pub fn columns(self) -> DropNa {
        DropNa { columns: true, ..self }
    }

    /// Whether the rows that stay are labelled anew: 0, 1, 2, ….
    #[must_use]
    pub fn ignore_index(self, ignore_index: bool) -> DropNa {
        DropNa { ignore_index, ..self }
    }

    /// Whether something stays of which so many of so many values are there.
    fn keeps(&self, there: usize, all: usize) -> bool {
        match self.thresh {
            Some(least) => there >= least,
            None if self.all => there > 0 || all == 0,
            None => there == all,
        }
    }
}

impl Table {
    /// Which values are missing, as true and false: `table.isna().sum()` counts them.
    #[must_use]
    pub fn isna(&self) -> Table {
        self.marks(Column::isna)
    }

    /// Which values are there, as true and false.
    #[must_use]
    pub fn notna(&self) -> Table {
        self.marks(Column::notna)
    }

    fn marks(&self, function: fn(&Column) -> Column) -> Table {
        Table { columns: self.columns.iter().map(function).collect(), index: Arc::clone(&self.index) }
    }

    /// The rows without a missing value.
    #[must_use]
    pub fn dropna(&self) -> Table {
        self.complete(&self.columns.iter().collect::<Vec<_>>(), &DropNa::new())
    }

    /// The table without rows, or columns, of which values are missing.
    ///
    /// # Errors
    /// The table must have the columns of `subset`, and `thresh` goes without `all`.
    pub fn dropna_with(&self, how: &DropNa) -> Result<Table> {
        if how.all && how.thresh.is_some() {
            return Err(Error::usage("`dropna` takes `all` or `thresh`, got both"));
        }
        if how.columns {
            if how.subset.is_some() {
                return Err(Error::usage(
                    "`dropna` of columns takes no `subset`: columns have no rows to choose by name",
                )
                .help("`take` the rows that are to count, then drop"));
            }
            return Ok(self.only(|column| how.keeps(column.count(), column.len())));
        }
        let columns = match &how.subset {
            Some(names) => names.iter().map(|name| self.column(name)).collect::<Result<Vec<_>>>()?,
            None => self.columns.iter().collect(),
        };
        let kept = self.complete(&columns, how);
        Ok(if how.ignore_index { kept.renumbered() } else { kept })
    }

    fn complete(&self, columns: &[&Column], how: &DropNa) -> Table {
        let mut there = vec![0_usize; self.rows()];
        for column in columns {
            let missing = column.values().missing();
            there.iter_mut().zip(missing).for_each(|(there, missing)| *there += usize::from(!missing));
        }
        let rows: Vec<usize> = (0..self.rows()).filter(|&row| how.keeps(there[row], columns.len())).collect();
        if rows.len() == self.rows() { self.clone() } else { self.take_unchecked(&rows) }
    }

    /// The table with something in place of all missing values. `Mean` and `Median` fill the columns of numbers.
    ///
    /// # Errors
    /// A value must be of the kind of each column that lacks one.
    pub fn fillna(&self, fill: impl Into<Fill>) -> Result<Table> {
        let fill = fill.into();
        let of_numbers = matches!(fill, Fill::Mean | Fill::Median);
        self.each(|column| match column.values().is_numeric() {
            false if of_numbers => Ok(column.clone()),
            _ => column.fillna(fill.clone()),
        })
    }

    /// The table with something else in each of these columns: `fillna_columns([("age", Fill::Mean), ("name", "".into())])`.
    ///
    /// # Errors
    /// The table must have the columns; as [`Column::fillna`].
    pub fn fillna_columns<A: AsRef<str>, F: Into<Fill>>(
        &self,
        fills: impl IntoIterator<Item = (A, F)>,
    ) -> Result<Table> {
        let mut table = self.clone();
        for (name, fill) in fills {
            let place = table.columns.iter().position(|column| column.name == name.as_ref());
            let place = place.ok_or_else(|| self.unknown(name.as_ref()))?;
            table.columns[place] = table.columns[place].fillna(fill)?;
        }
        Ok(table)
    }

    /// The table with the last value before in place of each missing one.
    #[must_use]
    pub fn ffill(&self) -> Table {
        self.marks(Column::ffill)
    }

    /// The table with the next value behind in place of each missing one.
    #[must_use]
    pub fn bfill(&self) -> Table {
        self.marks(Column::bfill)
    }
}
