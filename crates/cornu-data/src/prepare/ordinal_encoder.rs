//! Categories as numbers from 0 up, column by column.

use cornu_array::{Error, Result};

use super::categories::{Categories, Choice, Frequency, INFREQUENT, Known};
use super::field::{Field, fields, words};
use super::frame::check_width;
use super::{Frame, Transformer, files, learnt, methods, stored};
use crate::{Column, Scalar, Table, Value, Values};

const CLASS: &str = "OrdinalEncoder";

words! {
    /// What an [`OrdinalEncoder`] does with categories it has not seen.
    pub enum Unknown {
        /// Refuses them.
        Error = "error",
        /// Gives them a number of their own.
        UseEncodedValue = "use_encoded_value",
    }
}

/// Turns the categories of each column into numbers from 0 up, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::{OrdinalEncoder, Table};
///
/// let table = Table::new([("size", vec!["small", "large", "medium"])])?;
/// let mut encoder = OrdinalEncoder::new().categories([vec!["small", "medium", "large"]]);
/// assert_eq!(encoder.fit_transform(&table)?.to_string(), "   size\n0   0.0\n1   2.0\n2   1.0");
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Without `categories`, those of each column in order. What is missing stays missing.
#[derive(Clone, Debug, PartialEq)]
pub struct OrdinalEncoder {
    choice: Choice,
    handle_unknown: Unknown,
    unknown_value: Option<f64>,
    encoded_missing_value: f64,
    learnt: Option<Categories>,
}

/// The settings of a file, side by side.
struct Flat {
    categories: Option<Vec<Values>>,
    handle_unknown: Unknown,
    unknown_value: Option<f64>,
    encoded_missing_value: f64,
    min_frequency: Option<Frequency>,
    max_categories: Option<usize>,
    learnt: Option<Categories>,
}

fields!(Flat {
    categories,
    handle_unknown,
    unknown_value,
    encoded_missing_value,
    min_frequency,
    max_categories,
    learnt
});
methods!(OrdinalEncoder inverse_table);
files!(OrdinalEncoder);

impl Field for OrdinalEncoder {
    fn to_json(&self) -> serde_json::Value {
        let OrdinalEncoder { choice, handle_unknown, unknown_value, encoded_missing_value, learnt } = self.clone();
        let Choice { categories, min_frequency, max_categories } = choice;
        Flat { categories, handle_unknown, unknown_value, encoded_missing_value, min_frequency, max_categories, learnt }
            .to_json()
    }

    fn from_json(json: &serde_json::Value) -> Result<Self> {
        let Flat {
            categories,
            handle_unknown,
            unknown_value,
            encoded_missing_value,
            min_frequency,
            max_categories,
            learnt,
        } = Flat::from_json(json)?;
        let choice = Choice { categories, min_frequency, max_categories };
        Ok(OrdinalEncoder { choice, handle_unknown, unknown_value, encoded_missing_value, learnt })
    }
}

impl Default for OrdinalEncoder {
    fn default() -> Self {
        OrdinalEncoder {
            choice: Choice::default(),
            handle_unknown: Unknown::Error,
            unknown_value: None,
            encoded_missing_value: f64::NAN,
            learnt: None,
        }
    }
}

impl OrdinalEncoder {
    /// An encoder of the categories that occur.
    pub fn new() -> Self {
        OrdinalEncoder::default()
    }

    /// The categories of each column, in the order of their numbers; numbers must ascend, what is missing comes last.
    #[must_use]
    pub fn categories<V: Into<Values>>(mut self, categories: impl IntoIterator<Item = V>) -> Self {
        self.choice.categories = Some(categories.into_iter().map(Into::into).collect());
        self
    }

    /// What is done with other categories; [`Unknown::UseEncodedValue`] needs [`unknown_value`](Self::unknown_value).
    #[must_use]
    pub fn handle_unknown(self, handle_unknown: Unknown) -> Self {
        OrdinalEncoder { handle_unknown, ..self }
    }

    /// The number of categories that are not known: NaN, or a whole number that no category has.
    #[must_use]
    pub fn unknown_value(self, value: f64) -> Self {
        OrdinalEncoder { unknown_value: Some(value), ..self }
    }

    /// The number of what is missing, instead of NaN.
    #[must_use]
    pub fn encoded_missing_value(self, value: f64) -> Self {
        OrdinalEncoder { encoded_missing_value: value, ..self }
    }

    /// Categories with fewer rows (`10`), or a smaller share of them (`0.1`), get one number together.
    #[must_use]
    pub fn min_frequency(mut self, rows: impl Into<Frequency>) -> Self {
        self.choice.min_frequency = Some(rows.into());
        self
    }

    /// At most so many numbers for each column: the rarest categories share the last one.
    #[must_use]
    pub fn max_categories(mut self, count: usize) -> Self {
        self.choice.max_categories = Some(count);
        self
    }

    /// The categories of each column, once learnt.
    pub fn categories_out(&self) -> Option<Vec<&Values>> {
        Some(self.learnt.as_ref()?.columns.iter().map(|known| &known.categories).collect())
    }

    fn check_values(&self, learnt: &Categories) -> Result<()> {
        match (self.handle_unknown, self.unknown_value) {
            (Unknown::Error, Some(value)) => {
                return Err(Error::usage(format!(
                    "`unknown_value` needs `Unknown::UseEncodedValue`, got {value} without it"
                )));
            }
            (Unknown::UseEncodedValue, None) => {
                return Err(Error::usage("`Unknown::UseEncodedValue` needs an `unknown_value`, got none"));
            }
            (Unknown::UseEncodedValue, Some(value))
                if value.is_infinite() || value.fract() != 0.0 && !value.is_nan() =>
            {
                return Err(Error::usage(format!("`unknown_value` needs a whole number or NaN, got {value}")));
            }
            _ => {}
        }
        for known in &learnt.columns {
            let taken = |value: f64| value >= 0.0 && value < numbers(known) as f64;
            if self.unknown_value.is_some_and(taken) || known.has_missing() && taken(self.encoded_missing_value) {
                return Err(Error::usage(
                    "`unknown_value` and `encoded_missing_value` need numbers that no category has",
                )
                .help("take -1, or NaN"));
            }
        }
        Ok(())
    }
}

/// How many numbers the categories of a column take, apart from what is missing.
fn numbers(known: &Known) -> usize {
    known.groups() - usize::from(known.has_missing())
}

impl Transformer for OrdinalEncoder {
    stored!(OrdinalEncoder);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let learnt = self.choice.learn(CLASS, x, self.handle_unknown == Unknown::Error, true)?;
        self.check_values(&learnt)?;
        self.learnt = Some(learnt);
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        let codes = learnt.encode(CLASS, &x)?;
        if self.handle_unknown == Unknown::Error {
            learnt.refuse_unknown(&x, &codes)?;
        }
        let (names, unknown) = (x.names(), self.unknown_value.unwrap_or(f64::NAN));
        let number = |known: &Known, code: Option<usize>| match code {
            None => unknown,
            Some(code) if code + 1 == known.categories.len() && known.has_missing() => self.encoded_missing_value,
            Some(code) => ordinal(known, code) as f64,
        };
        let columns = names.into_iter().zip(&learnt.columns).zip(codes).map(|((name, known), codes)| {
            Column::new(name, codes.into_iter().map(|code| number(known, code)).collect::<Vec<f64>>())
        });
        let table = Table::from_columns(columns.collect())?.with_index(x.index());
        Frame::from(table).like(matches!(x, Frame::Rows(_)))
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        check_width(CLASS, learnt.columns.len(), &x)?;
        let mut columns = Vec::with_capacity(learnt.columns.len());
        for ((values, known), name) in x.values().iter().zip(&learnt.columns).zip(learnt.seen.names()) {
            let category = |row: usize| self.category(known, values.get(row).to_f64().unwrap_or(f64::NAN), row, &name);
            let categories = (0..values.len()).map(|row| category(row).map(Scalar::from));
            columns.push(Column::new(name.clone(), categories.collect::<Result<Vec<Scalar>>>()?));
        }
        Ok(Table::from_columns(columns)?.with_index(x.index()).into())
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.seen.names_of(input)
    }
}

/// The number of a category that is not missing.
fn ordinal(known: &Known, code: usize) -> usize {
    match known.infrequent.binary_search(&code) {
        Ok(_) => numbers(known) - 1,
        Err(before) => code - before,
    }
}

impl OrdinalEncoder {
    /// The category that a number stands for.
    fn category<'a>(&self, known: &'a Known, number: f64, row: usize, name: &str) -> Result<Value<'a>> {
        let same = |other: f64| number == other || number.is_nan() && other.is_nan();
        if known.has_missing() && same(self.encoded_missing_value) || self.unknown_value.is_some_and(same) {
            return Ok(Value::Missing);
        }
        let count = numbers(known);
        if !(number >= 0.0 && number < count as f64) {
            let message =
                format!("`{CLASS}` needs numbers below {count} in column `{name}`, got {number} in row {row}");
            return Err(Error::data(message));
        }
        match known.alone(number as usize).filter(|_| known.infrequent.is_empty() || (number as usize) + 1 < count) {
            Some(category) => Ok(category),
            None => Ok(Value::Text(INFREQUENT)),
        }
    }
}
