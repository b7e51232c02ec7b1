//! Statistics of all columns of a table: a value for each, labelled by the names of the columns.

use std::sync::Arc;

use cornu_array::{Error, Result};

use super::Table;
use crate::{Column, Index, Scalar, Values, stats};

macro_rules! of_columns {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*);)*) => {
        impl Table {$(
            $(#[$doc])*
            ///
            /// # Errors
            #[doc = concat!("As [`Column::", stringify!($name), "`], for every column; [`Table::numeric_only`] leaves out")]
            /// those that are no numbers.
            pub fn $name(&self $(, $arg: $type)*) -> Result<Column> {
                self.of_each(|column| column.$name($($arg),*).map(Scalar::from))
            }
        )*}
    };
}

of_columns! {
    /// The sums.
    fn sum();
    /// The means.
    fn mean();
    /// The standard deviations, with one degree of freedom taken off.
    fn std();
    /// The standard deviations, with `ddof` degrees of freedom taken off.
    fn std_with(ddof: usize);
    /// The variances, with one degree of freedom taken off.
    fn var();
    /// The variances, with `ddof` degrees of freedom taken off.
    fn var_with(ddof: usize);
    /// The medians.
    fn median();
    /// The least values.
    fn min();
    /// The greatest values.
    fn max();
    /// The row labels of the least values.
    fn idxmin();
    /// The row labels of the greatest values.
    fn idxmax();
    /// Whether any value of a column is true.
    fn any();
    /// Whether all values of a column are true.
    fn all();
}

impl Table {
    fn of_each(&self, statistic: impl Fn(&Column) -> Result<Scalar>) -> Result<Column> {
        Ok(self.across(self.columns.iter().map(statistic).collect::<Result<_>>()?))
    }

    /// How many values of each column are not missing.
    #[must_use]
    pub fn count(&self) -> Column {
        self.across(self.columns.iter().map(|column| column.count().into()).collect())
    }

    /// How many different values each column has, missing ones left out.
    #[must_use]
    pub fn nunique(&self) -> Column {
        self.across(self.columns.iter().map(|column| column.nunique().into()).collect())
    }

    /// The values below which a share `q` of each column lies, between neighbours by a straight line.
    ///
    /// # Errors
    /// As [`Column::quantile`], for every column.
    pub fn quantile(&self, q: f64) -> Result<Column> {
        let quantiles = self.of_each(|column| column.quantile(q).map(Scalar::from))?;
        Ok(quantiles.rename(cornu_array::numbers::repr(q)))
    }

    /// The most frequent values of each column, one below the other, with missing values below where a column has fewer.
    #[must_use]
    pub fn mode(&self) -> Table {
        let modes: Vec<Column> = self.columns.iter().map(Column::mode).collect();
        let rows = modes.iter().map(Column::len).max().unwrap_or(0);
        let index = Arc::new(Index::range(rows));
        let longer = |mode: Column| {
            let places: Vec<Option<usize>> = (0..rows).map(|row| (row < mode.len()).then_some(row)).collect();
            let values = Arc::new(mode.values.take_or_missing(&places));
            Column { values, index: Arc::clone(&index), ..mode }
        };
        Table { columns: modes.into_iter().map(longer).collect(), index: Arc::clone(&index) }
    }

    /// Pearson's correlation of every column with every other, over the rows in which both are there.
    ///
    /// # Errors
    /// All columns must be of numbers.
    pub fn corr(&self) -> Result<Table> {
        self.pairs("corr", false)
    }

    /// The covariance of every column with every other, over the rows in which both are there.
    ///
    /// # Errors
    /// All columns must be of numbers.
    pub fn cov(&self) -> Result<Table> {
        self.pairs("cov", true)
    }

    fn pairs(&self, method: &str, covariance: bool) -> Result<Table> {
        let numbers = |column: &Column| stats::doubles(column.values()).ok_or_else(|| column.needs_numbers(method));
        let columns = self.columns.iter().map(numbers).collect::<Result<Vec<Vec<f64>>>>()?;
        let size = columns.len();
        if size == 0 {
            return Err(Error::data(format!("`{method}` needs a column of numbers, got none")));
        }
        cornu_array::room::room::<f64>("the table", &[size, size])?;
        let mut pairs = vec![vec![f64::NAN; size]; size];
        for (i, x) in columns.iter().enumerate() {
            for (j, y) in columns[..=i].iter().enumerate() {
                let value = stats::together(x, y, covariance);
                (pairs[i][j], pairs[j][i]) = (value, value);
            }
        }
        let names = self.columns.iter().map(|column| column.name.clone());
        let labels = Index::new(self.names());
        Ok(Table::new(names.zip(pairs.into_iter().map(Values::Float)))?.with_index(labels))
    }
}
