//! Numbers in rows and columns, as they came: row by row out of an array, column by column out of a table.

use std::borrow::Cow;
use std::sync::Arc;

use cornu_array::room::empty;
use cornu_array::{AN_ARRAY, Error, Result};

use super::frame::{Frame, Rows};
use crate::stats::{Sum, sum_of};
use crate::threads::side_by_side;
use crate::{Column, Index, Scalar, Table, Values};

impl<'a> Frame<'a> {
    /// The numbers, none of which is infinite.
    ///
    /// # Errors
    /// Columns of text; infinities, and where `nan` is not allowed what is missing.
    pub(crate) fn into_matrix(self, who: &str, nan: bool) -> Result<Matrix<'a>> {
        let matrix = self.into_numbers()?;
        matrix.check(who, nan)?;
        Ok(matrix)
    }

    /// The numbers, whatever they are.
    ///
    /// # Errors
    /// Columns of text.
    pub(crate) fn into_numbers(self) -> Result<Matrix<'a>> {
        Ok(match self {
            Frame::Rows(rows) => {
                Matrix { width: rows.width, rows: rows.rows, form: Form::Rows(rows.data), single: false, index: None }
            }
            Frame::Table(Cow::Borrowed(table)) => Matrix::of_table(table, |column| numbers(column.values()))?,
            Frame::Table(Cow::Owned(table)) => Matrix::of_table(&table, |column| {
                numbers(column.values()).map(|numbers| Cow::Owned(numbers.into_owned()))
            })?,
        })
    }
}

/// The values of a column as doubles, if it has numbers; true is one.
fn numbers(values: &Values) -> Option<Cow<'_, [f64]>> {
    Some(match values {
        Values::Float(values) => Cow::Borrowed(&values[..]),
        Values::Float32(values) => values.iter().map(|&value| value.into()).collect(),
        Values::Int(values) => values.iter().map(|&value| value as f64).collect(),
        Values::Bool(values) => values.iter().map(|&value| value.into()).collect(),
        Values::Truth(values) => values.iter().map(|value| value.map_or(f64::NAN, f64::from)).collect(),
        Values::Category(category) if category.categories.is_numeric() => {
            category.plain().iter().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect()
        }
        Values::Object(values) => {
            let number = |value: &Scalar| if value.is_missing() { Some(f64::NAN) } else { value.to_f64() };
            values.iter().map(number).collect::<Option<Vec<f64>>>()?.into()
        }
        Values::Date(_) | Values::Text(_) | Values::Category(_) => return None,
    })
}

/// Numbers in rows and columns, as they came: row by row out of an array, column by column out of a table. Sums over a
/// column have the order that NumPy gives them in either.
#[derive(Clone, Debug)]
pub(crate) struct Matrix<'a> {
    form: Form<'a>,
    rows: usize,
    width: usize,
    /// All columns are of single precision, and so is the result of each operation.
    single: bool,
    index: Option<Arc<Index>>,
}

#[derive(Clone, Debug)]
enum Form<'a> {
    Rows(Cow<'a, [f64]>),
    Columns(Vec<(String, Cow<'a, [f64]>)>),
}

impl<'a> Matrix<'a> {
    fn of_table<'t>(table: &'t Table, numbers: impl Fn(&'t Column) -> Option<Cow<'a, [f64]>>) -> Result<Matrix<'a>> {
        let column = |column: &'t Column| match numbers(column) {
            Some(numbers) => Ok((column.name().to_owned(), numbers)),
            None => {
                Err(column.text_error().help("turn text into numbers first, by `OneHotEncoder` or `OrdinalEncoder`"))
            }
        };
        let columns: Vec<_> = table.columns().iter().map(column).collect::<Result<_>>()?;
        let single = table.columns().iter().all(|column| matches!(column.values(), Values::Float32(_)));
        let index = Some(Arc::new(table.index().clone()));
        let (rows, width) = table.shape();
        Ok(Matrix { form: Form::Columns(columns), rows, width, single: single && width > 0, index })
    }

    /// Refuses what is not finite; NaN is let through where it stands for what is missing.
    fn check(&self, who: &str, nan: bool) -> Result<()> {
        let any =
            |values: &[f64]| if nan { has_infinite(values) } else { !values.iter().all(|value| value.is_finite()) };
        let bad = |value: &f64| if nan { value.is_infinite() } else { !value.is_finite() };
        match &self.form {
            Form::Rows(data) if any(data) => {
                let at = data.iter().position(bad).unwrap_or_default();
                Err(not_finite(who, data[at], &format!("row {}, column {}", at / self.width, at % self.width)))
            }
            Form::Columns(columns) => match columns.iter().find(|(_, values)| any(values)) {
                Some((name, values)) => {
                    let row = values.iter().position(bad).unwrap_or_default();
                    let label = self.index.as_ref().map_or_else(|| row.to_string(), |index| index.label(row));
                    Err(not_finite(who, values[row], &format!("row {label} of column `{name}`")))
                }
                None => Ok(()),
            },
            Form::Rows(_) => Ok(()),
        }
    }

    /// Refuses a matrix without anything to learn from.
    pub(crate) fn learnable(self, who: &str) -> Result<Matrix<'a>> {
        if self.rows == 0 || self.width == 0 {
            let (rows, columns) = (self.rows, self.width);
            return Err(Error::data(format!("`{who}` needs at least one row and one column, got [{rows},{columns}]")));
        }
        Ok(self)
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// What the result of an operation becomes.
    pub(crate) fn rounding(&self) -> fn(f64) -> f64 {
        if self.single { |value| f64::from(value as f32) } else { |value| value }
    }

    /// The distance from one to the next number.
    pub(crate) fn epsilon(&self) -> f64 {
        if self.single { f32::EPSILON.into() } else { f64::EPSILON }
    }

    /// What becomes of each column, by its number.
    pub(crate) fn by_columns<R: Send>(&self, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let numbers: Vec<usize> = (0..self.width).collect();
        side_by_side(&numbers, self.width.saturating_mul(self.rows), |&j| work(j))
    }

    /// Of each column the sums of what `of` makes of its number and its values.
    pub(crate) fn sums<const N: usize>(&self, of: impl Fn(usize, f64) -> [f64; N] + Sync) -> Vec<[f64; N]> {
        match &self.form {
            Form::Columns(columns) => self.by_columns(|j| sum_of(&columns[j].1, |value| of(j, value))),
            Form::Rows(data) if self.width == 1 => vec![sum_of(data, |value| of(0, value))],
            Form::Rows(data) => {
                let mut sums = vec![[-0.0; N]; self.width];
                for row in data.chunks_exact(self.width) {
                    sums.iter_mut().zip(row).enumerate().for_each(|(j, (sum, &value))| *sum = sum.plus(of(j, value)));
                }
                sums
            }
        }
    }

    /// The least and the greatest value of each column; NaN where all are missing.
    ///
    /// # Errors
    /// Infinite numbers.
    pub(crate) fn extremes(&self, who: &str) -> Result<(Vec<f64>, Vec<f64>)> {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let wider = |(least, greatest): (f64, f64), value: f64| {
            (if value < least { value } else { least }, if value > greatest { value } else { greatest })
        };
        let found: Vec<(f64, f64)> = match &self.form {
            Form::Columns(columns) => self.by_columns(|j| spread(&columns[j].1)),
            Form::Rows(data) if self.width == 1 => vec![spread(data)],
            Form::Rows(data) => {
                let mut found = vec![start; self.width];
                for row in data.chunks_exact(self.width) {
                    found.iter_mut().zip(row).for_each(|(range, &value)| *range = wider(*range, value));
                }
                found
            }
        };
        // One of them shows whether a number is infinite, so that none need be looked at before.
        if found.iter().any(|&(least, greatest)| least <= greatest && !(least.is_finite() && greatest.is_finite())) {
            self.check(who, true)?;
        }
        let some = |(least, greatest)| if least > greatest { (f64::NAN, f64::NAN) } else { (least, greatest) };
        Ok(found.into_iter().map(some).unzip())
    }

    /// The values of one column.
    pub(crate) fn column(&self, j: usize) -> Vec<f64> {
        match &self.form {
            Form::Columns(columns) => columns[j].1.to_vec(),
            Form::Rows(data) => data.iter().skip(j).step_by(self.width).copied().collect(),
        }
    }

    /// Each row, one after the other.
    pub(crate) fn for_rows(&self, mut work: impl FnMut(&[f64])) {
        match &self.form {
            Form::Rows(data) => data.chunks_exact(self.width.max(1)).for_each(work),
            Form::Columns(columns) => {
                let mut row = vec![0.0; self.width];
                for i in 0..self.rows {
                    row.iter_mut().zip(columns).for_each(|(cell, (_, values))| *cell = values[i]);
                    work(&row);
                }
            }
        }
    }

    /// Every value by two operations, each with the number that its column has for it.
    ///
    /// # Errors
    /// Infinite values.
    pub(crate) fn map(
        self,
        who: &str,
        (a, first): (&[f64], impl Fn(f64, f64) -> f64 + Sync),
        (b, second): (&[f64], impl Fn(f64, f64) -> f64 + Sync),
    ) -> Result<Matrix<'static>> {
        if self.single {
            let single = |value: f64| f64::from(value as f32);
            return self.mapped(who, a, b, |value, a, b| single(second(single(first(value, a)), b)));
        }
        self.mapped(who, a, b, |value, a, b| second(first(value, a), b))
    }

    /// Values are looked at where they are in the cache anyway.
    fn mapped(
        self,
        who: &str,
        a: &[f64],
        b: &[f64],
        op: impl Fn(f64, f64, f64) -> f64 + Sync,
    ) -> Result<Matrix<'static>> {
        const PART: usize = 2048;
        let form = match self.form {
            Form::Columns(ref columns) => {
                let column = |j: usize| -> Result<(String, Cow<'static, [f64]>)> {
                    let (name, values) = &columns[j];
                    let mut out = empty(AN_ARRAY, values.len())?;
                    for part in values.chunks(PART) {
                        if has_infinite(part) {
                            self.check(who, true)?;
                        }
                        out.extend(part.iter().map(|&value| op(value, a[j], b[j])));
                    }
                    Ok((name.clone(), Cow::Owned(out)))
                };
                Form::Columns(self.by_columns(column).into_iter().collect::<Result<_>>()?)
            }
            Form::Rows(data) => {
                // Some rows at a time: loops over a few columns alone would be too short to be fast.
                let times = (PART / self.width.max(1)).max(1);
                let (a, b) = (a.repeat(times), b.repeat(times));
                let mut data = data.into_owned();
                for (i, part) in data.chunks_mut(a.len().max(1)).enumerate() {
                    if has_infinite(part) {
                        let at = part.iter().position(|value| value.is_infinite()).unwrap_or_default();
                        let row = i * times + at / self.width;
                        return Err(not_finite(who, part[at], &format!("row {row}, column {}", at % self.width)));
                    }
                    part.iter_mut().zip(&a).zip(&b).for_each(|((value, &a), &b)| *value = op(*value, a, b));
                }
                Form::Rows(Cow::Owned(data))
            }
        };
        Ok(Matrix { form, rows: self.rows, width: self.width, single: self.single, index: self.index })
    }

    /// Whether the numbers lie row by row.
    pub(crate) fn is_by_rows(&self) -> bool {
        matches!(self.form, Form::Rows(_)) && self.width > 1
    }

    /// Each row divided by a number of its own.
    pub(crate) fn divide_rows(self, by: &[f64]) -> Matrix<'static> {
        let form = match self.form {
            Form::Rows(data) => {
                let mut data = data.into_owned();
                let rows = data.chunks_exact_mut(self.width.max(1)).zip(by);
                rows.for_each(|(row, by)| row.iter_mut().for_each(|value| *value /= by));
                Form::Rows(Cow::Owned(data))
            }
            Form::Columns(columns) => {
                let column = |(name, values): (String, Cow<'_, [f64]>)| {
                    (name, values.iter().zip(by).map(|(value, by)| value / by).collect())
                };
                Form::Columns(columns.into_iter().map(column).collect())
            }
        };
        Matrix { form, rows: self.rows, width: self.width, single: self.single, index: self.index }
    }

    /// Other columns under other names, with the same row labels.
    pub(crate) fn with_columns(&self, names: Vec<String>, columns: Vec<Vec<f64>>) -> Result<Frame<'static>> {
        let width = columns.len();
        let columns: Vec<_> = names.into_iter().zip(columns.into_iter().map(Cow::Owned)).collect();
        let other = Matrix {
            form: Form::Columns(columns),
            width,
            rows: self.rows,
            single: self.single,
            index: self.index.clone(),
        };
        match self.form {
            Form::Columns(_) => other.into_frame(),
            Form::Rows(_) => {
                let mut data = empty(AN_ARRAY, self.rows.saturating_mul(width))?;
                other.for_rows(|row| data.extend_from_slice(row));
                Ok(Frame::Rows(Rows { data: Cow::Owned(data), rows: self.rows, width }))
            }
        }
    }
}

impl Matrix<'static> {
    pub(crate) fn into_frame(self) -> Result<Frame<'static>> {
        let columns = match self.form {
            Form::Rows(data) => return Ok(Frame::Rows(Rows { data, rows: self.rows, width: self.width })),
            Form::Columns(columns) => columns,
        };
        let values = |values: Cow<'static, [f64]>| match self.single {
            true => Values::Float32(values.iter().map(|&value| value as f32).collect()),
            false => Values::Float(values.into_owned()),
        };
        let columns = columns.into_iter().map(|(name, numbers)| Column::new(name, values(numbers))).collect();
        let table = Table::from_columns(columns)?;
        Ok(match self.index {
            Some(index) => table.with_index((*index).clone()),
            None => table,
        }
        .into())
    }
}

/// Counts without a branch, so that eight values are looked at in a step.
fn has_infinite(values: &[f64]) -> bool {
    values.iter().map(|value| u64::from(value.is_infinite())).sum::<u64>() > 0
}

fn not_finite(who: &str, value: f64, place: &str) -> Error {
    let what = if value.is_nan() { "NaN" } else { "an infinite one" };
    let error = Error::data(format!("`{who}` needs finite numbers, got {what} in {place}"));
    if value.is_nan() { error.help("fill what is missing first, by `SimpleImputer`") } else { error }
}

/// Least and greatest; eight at a time, since each comparison waits for the last.
fn spread(values: &[f64]) -> (f64, f64) {
    let (mut least, mut greatest) = ([f64::INFINITY; 8], [f64::NEG_INFINITY; 8]);
    let (chunks, rest) = values.as_chunks::<8>();
    let mut widen = |chunk: &[f64; 8]| {
        for j in 0..8 {
            least[j] = if chunk[j] < least[j] { chunk[j] } else { least[j] };
            greatest[j] = if chunk[j] > greatest[j] { chunk[j] } else { greatest[j] };
        }
    };
    chunks.iter().for_each(&mut widen);
    let mut last = [f64::NAN; 8];
    last[..rest.len()].copy_from_slice(rest);
    widen(&last);
    let least = least.into_iter().fold(f64::INFINITY, f64::min);
    (least, greatest.into_iter().fold(f64::NEG_INFINITY, f64::max))
}
