//! Missing values: where they are, without them, and something in their place.

use cornu_array::{Error, Result};

use super::Column;
use crate::{NAT, Scalar, Texts, Values, dates, stats};

/// What takes the place of missing values: a value, or what is computed of those that are there.
///
/// ```
/// use cornu_data::{Column, Fill};
///
/// let age = Column::new("age", vec![20.0, f64::NAN, 40.0]);
/// assert_eq!(age.fillna(Fill::Mean)?.values(), &vec![20.0, 30.0, 40.0].into());
/// assert_eq!(age.fillna(0)?.values(), &vec![20.0, 0.0, 40.0].into());
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// This value.
    Value(Scalar),
    /// The mean of the column.
    Mean,
    /// The median of the column.
    Median,
    /// The most frequent value of the column; of several, the least.
    Mode,
    /// The last value before.
    Forward,
    /// The next value behind.
    Backward,
}

impl<T: Into<Scalar>> From<T> for Fill {
    fn from(value: T) -> Fill {
        Fill::Value(value.into())
    }
}

impl Column {
    /// Which values are missing; NaN is.
    #[must_use]
    pub fn isna(&self) -> Column {
        self.with_values(Values::Bool(self.values().missing()))
    }

    /// Which values are there.
    #[must_use]
    pub fn notna(&self) -> Column {
        self.with_values(Values::Bool(self.values().missing().into_iter().map(|missing| !missing).collect()))
    }

    /// The rows whose value is there.
    #[must_use]
    pub fn dropna(&self) -> Column {
        let missing = self.values().missing();
        let rows: Vec<usize> = (0..self.len()).filter(|&row| !missing[row]).collect();
        self.take_rows(&rows)
    }

    /// The column with something in place of its missing values.
    ///
    /// # Errors
    /// The value must be of the kind of the column; `Mean` and `Median` are of numbers alone; a column of categories takes
    /// one of them.
    pub fn fillna(&self, fill: impl Into<Fill>) -> Result<Column> {
        let missing = self.values().missing();
        let number = |statistic: fn(&Values) -> Option<f64>, name: &str| {
            let of_numbers = self.values().is_numeric().then(|| statistic(self.values())).flatten();
            of_numbers.map(Scalar::Float).ok_or_else(|| self.needs_numbers(name))
        };
        let value = match fill.into() {
            Fill::Value(value) => value,
            Fill::Mean => number(stats::mean, "mean")?,
            Fill::Median => number(stats::median, "median")?,
            Fill::Mode => self.mode().iter().next().map_or(Scalar::Missing, Scalar::from),
            Fill::Forward => return Ok(self.filled_from(&missing, 0..self.len())),
            Fill::Backward => return Ok(self.filled_from(&missing, (0..self.len()).rev())),
        };
        if value.is_missing() || !missing.contains(&true) {
            return Ok(self.clone());
        }
        Ok(self.with_values(filled(self.values(), &value).ok_or_else(|| self.wrong_fill(&value))?))
    }

    /// The column with the last value before in place of each missing one.
    #[must_use]
    pub fn ffill(&self) -> Column {
        self.filled_from(&self.values().missing(), 0..self.len())
    }

    /// The column with the next value behind in place of each missing one.
    #[must_use]
    pub fn bfill(&self) -> Column {
        self.filled_from(&self.values().missing(), (0..self.len()).rev())
    }

    /// Each missing value becomes the last one met on the way.
    fn filled_from(&self, missing: &[bool], way: impl Iterator<Item = usize>) -> Column {
        let (mut rows, mut last): (Vec<usize>, _) = ((0..self.len()).collect(), None);
        for row in way {
            if missing[row] {
                rows[row] = last.unwrap_or(row);
            } else {
                last = Some(row);
            }
        }
        self.with_values(self.values().take(&rows))
    }

    fn wrong_fill(&self, value: &Scalar) -> Error {
        if matches!(self.values(), Values::Category(_)) {
            return self.no_category(value);
        }
        let (name, dtype, kind) = (self.name(), self.dtype(), value.kind());
        let error = Error::usage(format!("column `{name}` of {dtype} cannot be filled with {kind} ({value})"));
        match self.values() {
            Values::Date(_) => error.help("write a date as \"2024-05-31\""),
            _ => error.help("give each column a value of its own: `fillna([(\"age\", 0)])`"),
        }
    }
}

/// The values with that one in place of each that is missing; nothing if it is of another kind.
fn filled(values: &Values, value: &Scalar) -> Option<Values> {
    let number = if matches!(value, Scalar::Bool(_)) { None } else { value.to_f64() };
    Some(match values {
        Values::Float(values) => {
            let fill = number?;
            Values::Float(values.iter().map(|&value| if value.is_nan() { fill } else { value }).collect())
        }
        Values::Float32(values) => {
            let fill = number? as f32;
            Values::Float32(values.iter().map(|&value| if value.is_nan() { fill } else { value }).collect())
        }
        Values::Truth(values) => {
            let Scalar::Bool(fill) = value else { return None };
            Values::Truth(values.iter().map(|value| value.or(Some(*fill))).collect())
        }
        Values::Date(values) => {
            let fill = match value {
                Scalar::Date(moment) => *moment,
                Scalar::Text(text) => dates::parse(text)?,
                _ => return None,
            };
            Values::Date(values.iter().map(|&value| if value == NAT { fill } else { value }).collect())
        }
        Values::Text(texts) => {
            let Scalar::Text(fill) = value else { return None };
            Values::Text(texts.iter().map(|text| text.or(Some(fill))).collect::<Texts>())
        }
        Values::Category(category) => {
            let same = |other: crate::Value<'_>| crate::compute::equal(other, value.as_value());
            let code = u32::try_from(category.categories.iter().position(same)?).ok();
            Values::Category(category.with_codes(category.codes.iter().map(|&old| old.or(code)).collect()))
        }
        Values::Object(values) => {
            let filled = |old: &Scalar| if old.is_missing() { value.clone() } else { old.clone() };
            Values::Object(values.iter().map(filled).collect())
        }
        Values::Int(_) | Values::Bool(_) => values.clone(),
    })
}
