//! `astype`: the same values in another type, by pandas' rules for what each becomes.

use std::sync::Arc;

use cornu_array::numbers::{repr, repr32};
use cornu_array::{Error, Result};

use super::Column;
use crate::{Category, NAT, Scalar, Texts, Value, Values, dates, order};

/// The types that a column can be turned into, by pandas' names.
pub(crate) const TYPES: [&str; 8] =
    ["float64", "float32", "int64", "bool", "str", "category", "datetime64[us]", "object"];

impl Column {
    /// The same values in the type of that name: `float64` (or `float`), `float32`, `int64` (or `int`), `bool`, `str`,
    /// `category`, `datetime64[us]`, `object`.
    ///
    /// Fractions are cut off by `int64`; every value but zero and the empty text is true; dates are texts of ISO 8601.
    ///
    /// ```
    /// # use cornu_data::Column;
    /// let years = Column::new("year", vec!["1912", "1999"]).astype("int64")?;
    /// assert_eq!(years.values(), &vec![1912, 1999].into());
    /// let error = Column::new("year", vec!["1912", "unknown"]).astype("int64").unwrap_err();
    /// assert_eq!(error.message(), "column `year` cannot become int64: row 1 holds the text `unknown`");
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first value that has no counterpart in that type, with its row.
    pub fn astype(&self, dtype: &str) -> Result<Column> {
        let dtype = match dtype {
            "float" => "float64",
            "int" => "int64",
            dtype => dtype,
        };
        if dtype == self.dtype() && !matches!(self.values(), Values::Truth(_)) {
            return Ok(self.clone());
        }
        let refused = |row: usize| self.no_counterpart(dtype, row);
        let values = match (dtype, self.values()) {
            ("object", Values::Date(moments)) => Values::Object(moments.iter().copied().map(Scalar::Date).collect()),
            ("object", values) => Values::Object(values.iter().map(Scalar::from).collect()),
            ("str", values) => Values::Text(texts(values)),
            ("category", values) => Values::Category(category(values)),
            ("bool", values) => Values::Bool(truth(values)),
            ("float64" | "float32" | "int64" | "datetime64[us]", Values::Category(category)) => {
                return self.with_values(category.plain()).astype(dtype);
            }
            ("float64", values) => Values::Float(floats(values).map_err(refused)?),
            ("float32", Values::Text(texts)) => Values::Float32(singles(texts).map_err(refused)?),
            ("float32", values) => {
                Values::Float32(floats(values).map_err(refused)?.into_iter().map(|value| value as f32).collect())
            }
            ("int64", values) => Values::Int(whole(values).map_err(refused)?),
            ("datetime64[us]", values) => Values::Date(moments(values).map_err(refused)?),
            _ => return Err(unknown(dtype)),
        };
        Ok(self.with_values(values))
    }

    fn no_counterpart(&self, dtype: &str, row: usize) -> Error {
        let label = self.index.label(row);
        let held = match self.values().get(row) {
            Value::Text(text) => format!("the text {}", crate::print::quoted(Value::Text(text))),
            Value::Missing => "a missing value".into(),
            Value::Date(_) => "a date".into(),
            value if value.is_missing() => "a missing value".into(),
            value => crate::print::label(value),
        };
        let message = format!("column `{}` cannot become {dtype}: row {label} holds {held}", self.name());
        let error = Error::data(message);
        match held.as_str() {
            "a missing value" => error.help("fill it first (`fillna`), or drop its row (`dropna`)"),
            "a date" => error.help("`astype(\"int64\")` gives microseconds since 1970"),
            _ => error.help("replace it first: `replace([(\"…\", 0)])`"),
        }
    }
}

fn unknown(dtype: &str) -> Error {
    let error = Error::unsupported(format!("no type `{dtype}` here; there are {}", cornu_array::list(&TYPES)));
    match dtype {
        "int8" | "int16" | "int32" | "uint8" | "uint16" | "uint32" | "uint64" | "Int64" => {
            error.help("whole numbers are `int64`")
        }
        "float16" | "Float64" => error.help("numbers are `float64` or `float32`"),
        "string" | "string[python]" => error.help("text is `str`"),
        "boolean" => error.help("true and false are `bool`"),
        dtype if dtype.starts_with("datetime64") => error.help("dates are `datetime64[us]`"),
        _ => error,
    }
}

/// Each value by the function; the row of the first that has no counterpart.
fn each<T>(values: &Values, function: impl Fn(Value<'_>) -> Option<T>) -> Result<Vec<T>, usize> {
    values.iter().enumerate().map(|(row, value)| function(value).ok_or(row)).collect()
}

fn floats(values: &Values) -> Result<Vec<f64>, usize> {
    each(values, |value| match value {
        Value::Missing => (!matches!(values, Values::Date(_))).then_some(f64::NAN),
        Value::Text(text) => number(text),
        value => value.to_f64(),
    })
}

/// Texts become singles by way of doubles, as in NumPy.
fn singles(texts: &Texts) -> Result<Vec<f32>, usize> {
    let single = |text: Option<&str>| text.map_or(Some(f32::NAN), |text| number(text).map(|value| value as f32));
    texts.iter().enumerate().map(|(row, text)| single(text).ok_or(row)).collect()
}

/// A number as Python's `float` reads it.
fn number(text: &str) -> Option<f64> {
    let plain = digits(text)?;
    let unsigned = plain.trim_start_matches(['+', '-']);
    let named = unsigned.starts_with(|first: char| first.is_ascii_alphabetic());
    let word = ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word));
    if named && !word { None } else { plain.parse().ok() }
}

/// The digits of a number without spaces around it and underscores between them.
fn digits(text: &str) -> Option<String> {
    let text = text.trim();
    let bytes = text.as_bytes();
    let between = |place: usize| {
        let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        place > 0 && digit(bytes.get(place - 1)) && digit(bytes.get(place + 1))
    };
    let misplaced = bytes.iter().enumerate().any(|(place, &byte)| byte == b'_' && !between(place));
    (!misplaced).then(|| text.replace('_', ""))
}

fn whole(values: &Values) -> Result<Vec<i64>, usize> {
    if let Values::Date(moments) = values {
        return Ok(moments.clone());
    }
    each(values, |value| match value {
        Value::Int(value) => Some(value),
        Value::Bool(value) => Some(value.into()),
        Value::Float(value) => {
            let fits = value.is_finite() && value.abs() < 2_f64.powi(63);
            fits.then_some(value as i64)
        }
        Value::Text(text) => digits(text)?.parse().ok(),
        Value::Date(_) | Value::Missing => None,
    })
}

/// Zero and the empty text are false; everything else is true, missing values among it.
fn truth(values: &Values) -> Vec<bool> {
    let truth = |value: Value<'_>| match value {
        Value::Text(text) => !text.is_empty(),
        Value::Missing | Value::Date(_) => true,
        value => value.to_f64() != Some(0.0),
    };
    values.iter().map(truth).collect()
}

fn moments(values: &Values) -> Result<Vec<i64>, usize> {
    each(values, |value| match value {
        Value::Missing => Some(NAT),
        Value::Date(value) | Value::Int(value) => Some(value),
        Value::Bool(value) => Some(value.into()),
        Value::Float(value) if value.is_nan() => Some(NAT),
        Value::Float(value) => Some(value as i64),
        Value::Text(text) => dates::parse(text),
    })
}

/// Each value as text; missing ones stay missing.
pub(crate) fn texts(values: &Values) -> Texts {
    let mut texts = Texts::with_capacity(values.len(), 0);
    match values {
        Values::Float32(values) => values.iter().for_each(|&value| {
            texts.push((!value.is_nan()).then(|| repr32(value)).as_deref());
        }),
        Values::Date(moments) => {
            let detail = dates::detail(moments);
            moments.iter().for_each(|&moment| {
                texts.push((moment != NAT).then(|| dates::text_in(moment, detail)).as_deref());
            });
        }
        _ => values.iter().for_each(|value| match value {
            Value::Text(text) => texts.push(Some(text)),
            Value::Float(value) if !value.is_nan() => texts.push(Some(&repr(value))),
            Value::Date(moment) => texts.push(Some(&dates::text(moment, true))),
            value if value.is_missing() => texts.push(None),
            value => texts.push(Some(&crate::print::label(value))),
        }),
    }
    texts
}

/// The distinct values in order as categories.
pub(crate) fn category(values: &Values) -> Category {
    let (codes, firsts) = order::numbered(values);
    let order = order::argsort(&values.take(&firsts), false, false);
    let mut rank = vec![None; firsts.len()];
    let there: Vec<usize> = order.iter().copied().filter(|&code| !values.get(firsts[code]).is_missing()).collect();
    there.iter().enumerate().for_each(|(place, &code)| rank[code] = u32::try_from(place).ok());
    let categories = values.take(&there.iter().map(|&code| firsts[code]).collect::<Vec<_>>());
    // What is left of an object has one kind, if its values do.
    let categories = match categories {
        Values::Object(scalars) => Values::from(scalars),
        Values::Truth(values) => Values::Bool(values.into_iter().flatten().collect()),
        categories => categories,
    };
    Category {
        codes: codes.iter().map(|&code| rank[code as usize]).collect(),
        categories: Arc::new(categories),
        ordered: false,
    }
}
