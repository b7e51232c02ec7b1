//! Statistics of one column, as pandas computes them to the last digit. Missing values are left out.

use cornu_array::{Error, Result};

use super::Column;
use crate::{Scalar, Values, stats};

macro_rules! of_numbers {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $type:ty),*) |$values:ident| $statistic:expr;)*) => {
        impl Column {$(
            $(#[$doc])*
            ///
            /// # Errors
            /// The column must be of numbers, or of true and false.
            pub fn $name(&self $(, $arg: $type)*) -> Result<f64> {
                let $values = self.values();
                $statistic.ok_or_else(|| self.needs_numbers(stringify!($name)))
            }
        )*}
    };
}

of_numbers! {
    /// The mean; NaN of no values.
    fn mean() |values| stats::mean(values);

    /// The standard deviation, with one degree of freedom taken off.
    fn std() |values| stats::deviation(values, 1);

    /// The standard deviation, with `ddof` degrees of freedom taken off.
    fn std_with(ddof: usize) |values| stats::deviation(values, ddof);

    /// The variance, with one degree of freedom taken off.
    fn var() |values| stats::variance(values, 1);

    /// The variance, with `ddof` degrees of freedom taken off.
    fn var_with(ddof: usize) |values| stats::variance(values, ddof);

    /// The median.
    fn median() |values| stats::median(values);
}

impl Column {
    /// The number of values that are not missing.
    pub fn count(&self) -> usize {
        stats::count(self.values())
    }

    /// The sum: a whole number of whole numbers, a count of true and false.
    ///
    /// # Errors
    /// The column must be of numbers, or of true and false.
    pub fn sum(&self) -> Result<Scalar> {
        stats::total(self.values()).ok_or_else(|| self.needs_numbers("sum"))
    }

    /// The value below which a share `q` of the values lies, between neighbours by a straight line.
    ///
    /// # Errors
    /// The column must be of numbers, and `q` from 0 to 1.
    pub fn quantile(&self, q: f64) -> Result<f64> {
        if !(0.0..=1.0).contains(&q) {
            return Err(Error::usage(format!("`quantile` needs a share from 0 to 1, got {q}")));
        }
        let values = Some(self.values()).filter(|values| !matches!(values, Values::Bool(_)));
        let found = values.and_then(|values| stats::quantiles(values, &[q]));
        found.map(|found| found[0]).ok_or_else(|| self.needs_numbers("quantile"))
    }

    /// The least value; of text, the first in the order of its letters. Missing if there is none.
    ///
    /// # Errors
    /// Categories without an order have none.
    pub fn min(&self) -> Result<Scalar> {
        Ok(self.extreme("min", false)?.map_or_else(|| self.nothing(), |row| self.scalar(row)))
    }

    /// The greatest value.
    ///
    /// # Errors
    /// As [`Column::min`].
    pub fn max(&self) -> Result<Scalar> {
        Ok(self.extreme("max", true)?.map_or_else(|| self.nothing(), |row| self.scalar(row)))
    }

    fn nothing(&self) -> Scalar {
        if self.values().is_numeric() { Scalar::Float(f64::NAN) } else { Scalar::Missing }
    }

    /// The row label of the first of the least values.
    ///
    /// # Errors
    /// There must be a value that is not missing.
    pub fn idxmin(&self) -> Result<Scalar> {
        self.label_of("idxmin", false)
    }

    /// The row label of the first of the greatest values.
    ///
    /// # Errors
    /// There must be a value that is not missing.
    pub fn idxmax(&self) -> Result<Scalar> {
        self.label_of("idxmax", true)
    }

    fn label_of(&self, method: &str, greatest: bool) -> Result<Scalar> {
        let row = self.extreme(method, greatest)?;
        row.map(|row| self.index.get(row).into()).ok_or_else(|| {
            Error::data(format!("`{method}` needs a value that is not missing, column `{}` has none", self.name()))
        })
    }

    fn extreme(&self, method: &str, greatest: bool) -> Result<Option<usize>> {
        let without_order = match self.values() {
            Values::Category(category) => !category.ordered,
            Values::Object(_) => true,
            _ => false,
        };
        if without_order {
            let (name, dtype) = (self.name(), self.dtype());
            return Err(Error::usage(format!("`{method}` needs values with an order, got `{name}` of {dtype}")));
        }
        Ok(stats::extreme(self.values(), greatest))
    }

    /// Sums of all values so far; a missing one stays missing and counts nothing.
    ///
    /// # Errors
    /// The column must be of numbers, or of true and false.
    pub fn cumsum(&self) -> Result<Column> {
        fn sums<T: Copy, R: Copy + std::ops::Add<Output = R>>(
            values: &[T],
            nothing: R,
            part: impl Fn(T) -> Option<R>,
            missing: R,
        ) -> Vec<R> {
            let mut sum = nothing;
            let mut next = |&value: &T| match part(value) {
                Some(part) => {
                    sum = sum + part;
                    sum
                }
                None => missing,
            };
            values.iter().map(&mut next).collect()
        }
        Ok(self.with_values(match self.values() {
            Values::Float(values) => {
                Values::Float(sums(values, 0.0, |value| (!value.is_nan()).then_some(value), f64::NAN))
            }
            Values::Float32(values) => {
                Values::Float32(sums(values, 0.0, |value| (!value.is_nan()).then_some(value), f32::NAN))
            }
            Values::Int(values) => {
                let mut sum = 0_i64;
                let mut next = |value: &i64| {
                    sum = sum.wrapping_add(*value);
                    sum
                };
                Values::Int(values.iter().map(&mut next).collect())
            }
            Values::Bool(values) => Values::Int(sums(values, 0_i64, |value| Some(i64::from(value)), 0)),
            _ => return Err(self.needs_numbers("cumsum")),
        }))
    }

    /// Whether any value is true; of numbers, not zero.
    ///
    /// # Errors
    /// The column must be of numbers, or of true and false.
    pub fn any(&self) -> Result<bool> {
        let values = stats::doubles(self.values()).ok_or_else(|| self.needs_numbers("any"))?;
        Ok(values.iter().any(|&value| value != 0.0 && !value.is_nan()))
    }

    /// Whether all values are true; of numbers, not zero.
    ///
    /// # Errors
    /// The column must be of numbers, or of true and false.
    pub fn all(&self) -> Result<bool> {
        let values = stats::doubles(self.values()).ok_or_else(|| self.needs_numbers("all"))?;
        Ok(values.iter().all(|&value| value != 0.0))
    }

    /// Pearson's correlation with another column, over the rows in which both are there.
    ///
    /// # Errors
    /// Both columns must be of numbers, and equally long.
    pub fn corr(&self, other: &Column) -> Result<f64> {
        self.together("corr", other, false)
    }

    /// The covariance with another column, over the rows in which both are there.
    ///
    /// # Errors
    /// Both columns must be of numbers, and equally long.
    pub fn cov(&self, other: &Column) -> Result<f64> {
        self.together("cov", other, true)
    }

    fn together(&self, method: &str, other: &Column, covariance: bool) -> Result<f64> {
        let of = |column: &Column| stats::doubles(column.values()).ok_or_else(|| column.needs_numbers(method));
        let (x, y) = (of(self)?, of(other)?);
        if x.len() != y.len() {
            let (a, b) = (x.len(), y.len());
            return Err(Error::usage(format!("`{method}` needs two columns of equally many rows, got {a} and {b}")));
        }
        Ok(stats::together(&x, &y, covariance))
    }

    pub(crate) fn needs_numbers(&self, method: &str) -> Error {
        let (name, dtype) = (self.name(), self.dtype());
        let error = Error::usage(format!("`{method}` needs numbers, got column `{name}` of {dtype}"));
        match self.values() {
            Values::Date(_) => error.help("`astype(\"int64\")` gives microseconds since 1970"),
            Values::Bool(_) => error.help("`astype(\"int64\")` makes ones and zeros of true and false"),
            _ => error.help("`numeric_only()` of a table leaves out its other columns"),
        }
    }
}
