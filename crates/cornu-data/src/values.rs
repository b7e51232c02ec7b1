//! What a column holds: values of one kind, by pandas' rules.

use std::ops::Range;
use std::sync::Arc;

use super::{Scalar, Texts};

/// The moment that stands for a missing one, as in NumPy: not a time.
pub const NAT: i64 = i64::MIN;

/// The values of a column, all of one kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers; a missing one is NaN.
    Float(Vec<f64>),
    /// Numbers in single precision; a missing one is NaN.
    Float32(Vec<f32>),
    /// Whole numbers; none is missing.
    Int(Vec<i64>),
    /// True or false; none is missing.
    Bool(Vec<bool>),
    /// True or false, some of which are missing: pandas calls such a column `object`.
    Truth(Vec<Option<bool>>),
    /// Moments in microseconds since 1970-01-01 00:00, without a time zone; a missing one is [`NAT`].
    Date(Vec<i64>),
    /// Text, some of which may be missing.
    Text(Texts),
    /// Values of which each is one of a few.
    Category(Category),
    /// Values of several kinds beside each other: pandas calls such a column `object`.
    Object(Vec<Scalar>),
}

/// Values of which each is one of a few, or missing.
#[derive(Clone, Debug, PartialEq)]
pub struct Category {
    /// For each row the number of its category; `None` where it is missing.
    pub codes: Vec<Option<u32>>,
    /// The categories, all different, none missing.
    pub categories: Arc<Values>,
    /// Whether the categories have an order, which is that of `categories`.
    pub ordered: bool,
}

impl Category {
    /// Other rows of the same categories.
    pub(crate) fn with_codes(&self, codes: Vec<Option<u32>>) -> Category {
        Category { codes, categories: Arc::clone(&self.categories), ordered: self.ordered }
    }

    /// The values themselves, of the kind of the categories; numbers become floats, which can be missing.
    pub fn plain(&self) -> Values {
        let values =
            || self.codes.iter().map(|code| code.map_or(Value::Missing, |code| self.categories.get(code as usize)));
        let texts = || values().map(|value| if let Value::Text(text) = value { Some(text) } else { None }).collect();
        let missing = self.codes.contains(&None);
        match &*self.categories {
            Values::Text(_) => Values::Text(texts()),
            Values::Truth(_) | Values::Bool(_) if missing => Values::Truth(
                values().map(|value| if let Value::Bool(value) = value { Some(value) } else { None }).collect(),
            ),
            Values::Object(_) => Values::Object(values().map(Scalar::from).collect()),
            Values::Date(_) => {
                Values::Date(values().map(|value| if let Value::Date(value) = value { value } else { NAT }).collect())
            }
            _ if missing => Values::Float(values().map(|value| value.to_f64().unwrap_or(f64::NAN)).collect()),
            plain => plain.take(&self.codes.iter().flatten().map(|&code| code as usize).collect::<Vec<_>>()),
        }
    }
}

/// What is the same for the values of every kind.
macro_rules! each {
    ($values:expr, $plain:ident => $run:expr, $texts:ident => $of_texts:expr, $category:ident => $of_category:expr) => {
        match $values {
            Values::Float($plain) => $run,
            Values::Float32($plain) => $run,
            Values::Int($plain) | Values::Date($plain) => $run,
            Values::Bool($plain) => $run,
            Values::Truth($plain) => $run,
            Values::Object($plain) => $run,
            Values::Text($texts) => $of_texts,
            Values::Category($category) => $of_category,
        }
    };
}

impl Values {
    /// The number of values.
    pub fn len(&self) -> usize {
        each!(self, values => values.len(), texts => texts.len(), category => category.codes.len())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of the values, by pandas' name for it.
    pub fn dtype(&self) -> &'static str {
        match self {
            Values::Float(_) => "float64",
            Values::Float32(_) => "float32",
            Values::Int(_) => "int64",
            Values::Bool(_) => "bool",
            Values::Truth(_) | Values::Object(_) => "object",
            Values::Date(_) => "datetime64[us]",
            Values::Text(_) => "str",
            Values::Category(_) => "category",
        }
    }

    /// The values at `positions`, in that order.
    ///
    /// # Panics
    /// If a position is not below [`Values::len`].
    #[must_use]
    pub fn take(&self, positions: &[usize]) -> Values {
        fn pick<T: Copy>(values: &[T], positions: &[usize]) -> Vec<T> {
            positions.iter().map(|&row| values[row]).collect()
        }
        match self {
            Values::Float(values) => Values::Float(pick(values, positions)),
            Values::Float32(values) => Values::Float32(pick(values, positions)),
            Values::Int(values) => Values::Int(pick(values, positions)),
            Values::Bool(values) => Values::Bool(pick(values, positions)),
            Values::Truth(values) => Values::Truth(pick(values, positions)),
            Values::Date(values) => Values::Date(pick(values, positions)),
            Values::Object(values) => Values::Object(positions.iter().map(|&row| values[row].clone()).collect()),
            Values::Text(texts) => Values::Text(texts.take(positions)),
            Values::Category(category) => Values::Category(category.with_codes(pick(&category.codes, positions))),
        }
    }

    /// The values at `positions`, each of which is below [`Values::len`]; missing where there is none.
    pub(crate) fn take_or_missing(&self, positions: &[Option<usize>]) -> Values {
        if positions.iter().all(Option::is_some) {
            return self.take(&positions.iter().copied().flatten().collect::<Vec<_>>());
        }
        let rows = || positions.iter().copied();
        match self {
            Values::Float(values) => Values::Float(rows().map(|row| row.map_or(f64::NAN, |row| values[row])).collect()),
            Values::Float32(values) => {
                Values::Float32(rows().map(|row| row.map_or(f32::NAN, |row| values[row])).collect())
            }
            // Whole numbers have no gaps, nor have true and false.
            Values::Int(values) => {
                Values::Float(rows().map(|row| row.map_or(f64::NAN, |row| values[row] as f64)).collect())
            }
            Values::Bool(values) => Values::Truth(rows().map(|row| row.map(|row| values[row])).collect()),
            Values::Truth(values) => Values::Truth(rows().map(|row| row.and_then(|row| values[row])).collect()),
            Values::Date(values) => Values::Date(rows().map(|row| row.map_or(NAT, |row| values[row])).collect()),
            Values::Object(values) => {
                Values::Object(rows().map(|row| row.map_or(Scalar::Missing, |row| values[row].clone())).collect())
            }
            Values::Text(texts) => Values::Text(rows().map(|row| row.and_then(|row| texts.get(row))).collect()),
            Values::Category(category) => Values::Category(
                category.with_codes(rows().map(|row| row.and_then(|row| category.codes[row])).collect()),
            ),
        }
    }

    /// The values of a range of rows.
    ///
    /// # Panics
    /// If it ends behind [`Values::len`].
    #[must_use]
    pub fn slice(&self, rows: Range<usize>) -> Values {
        match self {
            Values::Float(values) => Values::Float(values[rows].to_vec()),
            Values::Float32(values) => Values::Float32(values[rows].to_vec()),
            Values::Int(values) => Values::Int(values[rows].to_vec()),
            Values::Bool(values) => Values::Bool(values[rows].to_vec()),
            Values::Truth(values) => Values::Truth(values[rows].to_vec()),
            Values::Date(values) => Values::Date(values[rows].to_vec()),
            Values::Object(values) => Values::Object(values[rows].to_vec()),
            Values::Text(texts) => Values::Text(texts.slice(rows)),
            Values::Category(category) => Values::Category(category.with_codes(category.codes[rows].to_vec())),
        }
    }

    /// Whether each value is missing; NaN is.
    pub fn missing(&self) -> Vec<bool> {
        match self {
            Values::Float(values) => values.iter().map(|value| value.is_nan()).collect(),
            Values::Float32(values) => values.iter().map(|value| value.is_nan()).collect(),
            Values::Int(_) | Values::Bool(_) => vec![false; self.len()],
            Values::Truth(values) => values.iter().map(Option::is_none).collect(),
            Values::Date(values) => values.iter().map(|&value| value == NAT).collect(),
            Values::Object(values) => values.iter().map(Scalar::is_missing).collect(),
            Values::Text(texts) => match texts.present() {
                Some(present) => present.iter().map(|&there| !there).collect(),
                None => vec![false; texts.len()],
            },
            Values::Category(category) => category.codes.iter().map(Option::is_none).collect(),
        }
    }

    /// The value at `position`.
    ///
    /// # Panics
    /// If `position` is not below [`Values::len`].
    #[inline]
    pub fn get(&self, position: usize) -> Value<'_> {
        match self {
            Values::Float(values) => Value::Float(values[position]),
            Values::Float32(values) => Value::Float(values[position].into()),
            Values::Int(values) => Value::Int(values[position]),
            Values::Bool(values) => Value::Bool(values[position]),
            Values::Truth(values) => values[position].map_or(Value::Missing, Value::Bool),
            Values::Date(values) if values[position] == NAT => Value::Missing,
            Values::Date(values) => Value::Date(values[position]),
            Values::Object(values) => values[position].as_value(),
            Values::Text(texts) => texts.get(position).map_or(Value::Missing, Value::Text),
            Values::Category(category) => {
                category.codes[position].map_or(Value::Missing, |code| category.categories.get(code as usize))
            }
        }
    }

    /// The values in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        (0..self.len()).map(|position| self.get(position))
    }

    /// Whether these are numbers, or true and false: what arrays are made of.
    pub fn is_numeric(&self) -> bool {
        matches!(self, Values::Float(_) | Values::Float32(_) | Values::Int(_) | Values::Bool(_))
    }
}

macro_rules! values_from {
    ($($number:ty => $kind:ident;)*) => {$(
        impl From<Vec<$number>> for Values {
            fn from(values: Vec<$number>) -> Self {
                Values::$kind(values.into_iter().map(Into::into).collect())
            }
        }
    )*};
}

values_from! {
    f64 => Float;
    f32 => Float32;
    i64 => Int;
    i32 => Int;
    u32 => Int;
    u8 => Int;
    bool => Bool;
    Option<bool> => Truth;
}

impl From<Vec<String>> for Values {
    fn from(values: Vec<String>) -> Self {
        Values::Text(values.iter().map(|text| Some(&**text)).collect())
    }
}

impl From<Vec<&str>> for Values {
    fn from(values: Vec<&str>) -> Self {
        Values::Text(values.into_iter().map(Some).collect())
    }
}

impl From<Vec<Option<&str>>> for Values {
    fn from(values: Vec<Option<&str>>) -> Self {
        Values::Text(values.into_iter().collect())
    }
}

impl From<Vec<Option<String>>> for Values {
    fn from(values: Vec<Option<String>>) -> Self {
        Values::Text(values.iter().map(Option::as_deref).collect())
    }
}

impl From<Texts> for Values {
    fn from(texts: Texts) -> Self {
        Values::Text(texts)
    }
}

/// One value of a column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A number; NaN if it is missing.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Microseconds since 1970-01-01 00:00.
    Date(i64),
    /// Text.
    Text(&'a str),
    /// What is not there, where numbers would be NaN.
    Missing,
}

/// What tells values apart: numbers by their bits, since NaN is one value there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key<'a> {
    Bits(u64),
    Text(&'a str),
    Missing,
}

impl<'a> Value<'a> {
    /// The value as a number, where true is one and false zero; `None` for what is no number.
    pub fn to_f64(self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(value),
            Value::Int(value) => Some(value as f64),
            Value::Bool(value) => Some(f64::from(value)),
            Value::Date(_) | Value::Text(_) | Value::Missing => None,
        }
    }

    /// Whether the value is missing; NaN is.
    pub fn is_missing(self) -> bool {
        self.key() == Key::Missing
    }

    pub(crate) fn key(self) -> Key<'a> {
        match self {
            Value::Float(value) if value.is_nan() => Key::Missing,
            Value::Float(value) => Key::Bits((value + 0.0).to_bits()),
            Value::Int(value) | Value::Date(value) => Key::Bits(value.cast_unsigned()),
            Value::Bool(value) => Key::Bits(value.into()),
            Value::Text(text) => Key::Text(text),
            Value::Missing => Key::Missing,
        }
    }
}
