//! One value on its own, as it is put into a table or comes out of a statistic.

use std::fmt;

use super::{NAT, Texts, Value, Values, print};

/// One value that belongs to no column: what fills, replaces or is compared, and what a statistic gives.
///
/// Whatever is a number, a text, true or false becomes one; `None` is a missing value.
///
/// ```
/// use cornu_data::Scalar;
///
/// assert_eq!(Scalar::from("ann"), Scalar::Text("ann".into()));
/// assert_eq!((Scalar::from(2.5).to_f64(), Scalar::from(None::<i64>).to_f64()), (Some(2.5), None));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    /// What is not there.
    Missing,
    /// A number; NaN if it is missing.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Microseconds since 1970-01-01 00:00; [`NAT`] if it is missing.
    Date(i64),
    /// Text.
    Text(String),
}

impl Scalar {
    /// The value as one of a column.
    #[inline]
    pub fn as_value(&self) -> Value<'_> {
        match self {
            Scalar::Missing | Scalar::Date(NAT) => Value::Missing,
            Scalar::Float(value) => Value::Float(*value),
            Scalar::Int(value) => Value::Int(*value),
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Date(value) => Value::Date(*value),
            Scalar::Text(text) => Value::Text(text),
        }
    }

    /// The value as a number, where true is one and false zero; `None` for what is no number.
    pub fn to_f64(&self) -> Option<f64> {
        self.as_value().to_f64()
    }

    /// Whether the value is missing; NaN is.
    pub fn is_missing(&self) -> bool {
        self.as_value().is_missing()
    }

    /// What the value is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Scalar::Missing => "a missing value",
            Scalar::Float(_) => "a number",
            Scalar::Int(_) => "a whole number",
            Scalar::Bool(_) => "true or false",
            Scalar::Date(_) => "a date",
            Scalar::Text(_) => "text",
        }
    }
}

/// As in a printed table, with all digits.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print::label(self.as_value()))
    }
}

macro_rules! scalar_from {
    ($($type:ty => |$value:ident| $scalar:expr;)*) => {$(
        impl From<$type> for Scalar {
            fn from($value: $type) -> Scalar {
                $scalar
            }
        }
    )*};
}

scalar_from! {
    f64 => |value| Scalar::Float(value);
    f32 => |value| Scalar::Float(value.into());
    i64 => |value| Scalar::Int(value);
    i32 => |value| Scalar::Int(value.into());
    u32 => |value| Scalar::Int(value.into());
    u8 => |value| Scalar::Int(value.into());
    usize => |value| Scalar::Int(i64::try_from(value).unwrap_or(i64::MAX));
    bool => |value| Scalar::Bool(value);
    &str => |text| Scalar::Text(text.into());
    &String => |text| Scalar::Text(text.clone());
    String => |text| Scalar::Text(text);
}

impl From<Value<'_>> for Scalar {
    fn from(value: Value<'_>) -> Scalar {
        match value {
            Value::Missing => Scalar::Missing,
            Value::Float(value) => Scalar::Float(value),
            Value::Int(value) => Scalar::Int(value),
            Value::Bool(value) => Scalar::Bool(value),
            Value::Date(value) => Scalar::Date(value),
            Value::Text(text) => Scalar::Text(text.into()),
        }
    }
}

impl<T: Into<Scalar>> From<Option<T>> for Scalar {
    fn from(value: Option<T>) -> Scalar {
        value.map_or(Scalar::Missing, Into::into)
    }
}

/// The narrowest kind that holds all of them, as pandas infers it: whole numbers among numbers or missing values become
/// floats, and what is of several kinds stays as it is (`object`).
impl From<Vec<Scalar>> for Values {
    fn from(scalars: Vec<Scalar>) -> Values {
        let (mut int, mut float, mut bool, mut date, mut text, mut missing) =
            (false, false, false, false, false, false);
        for scalar in &scalars {
            match scalar {
                _ if scalar.is_missing() => missing = true,
                Scalar::Int(_) => int = true,
                Scalar::Float(_) => float = true,
                Scalar::Bool(_) => bool = true,
                Scalar::Date(_) => date = true,
                Scalar::Text(_) | Scalar::Missing => text = true,
            }
        }
        let floats = || scalars.iter().map(|scalar| scalar.to_f64().unwrap_or(f64::NAN)).collect();
        let whole = |scalar: &Scalar| if let Scalar::Int(value) = scalar { Some(*value) } else { None };
        let truth = |scalar: &Scalar| if let Scalar::Bool(value) = scalar { Some(*value) } else { None };
        let moment = |scalar: &Scalar| if let Scalar::Date(value) = scalar { *value } else { NAT };
        let string = |scalar: &Scalar| if let Scalar::Text(text) = scalar { Some(text.clone()) } else { None };
        let nat = missing && scalars.iter().all(|scalar| matches!(scalar, Scalar::Date(_)));
        match (int || float, bool, date || nat, text) {
            (true, false, false, false) if float || missing => Values::Float(floats()),
            (true, false, false, false) => Values::Int(scalars.iter().filter_map(whole).collect()),
            (false, true, false, false) if missing => Values::Truth(scalars.iter().map(truth).collect()),
            (false, true, false, false) => Values::Bool(scalars.iter().filter_map(truth).collect()),
            (false, false, true, false) => Values::Date(scalars.iter().map(moment).collect()),
            (false, false, false, true) => Values::Text(
                scalars.iter().map(string).collect::<Vec<_>>().iter().map(Option::as_deref).collect::<Texts>(),
            ),
            (false, false, false, false) => Values::Float(floats()),
            _ => Values::Object(scalars),
        }
    }
}

#[test]
fn values_are_of_the_narrowest_kind() {
    let of = |scalars: Vec<Scalar>| Values::from(scalars);
    let (one, half, gap, yes) = (Scalar::Int(1), Scalar::Float(0.5), Scalar::Missing, Scalar::Bool(true));
    assert_eq!(of(vec![one.clone(), Scalar::Int(2)]), Values::Int(vec![1, 2]));
    assert_eq!(of(vec![one.clone(), half]), Values::Float(vec![1.0, 0.5]));
    assert!(matches!(of(vec![one.clone(), gap.clone()]), Values::Float(values) if values[1].is_nan()));
    assert_eq!(of(vec![yes.clone(), gap.clone()]), Values::Truth(vec![Some(true), None]));
    assert_eq!(of(vec!["a".into(), gap]), vec![Some("a"), None].into());
    assert_eq!(of(vec![yes.clone(), one.clone()]), Values::Object(vec![yes, one]));
    assert_eq!(of(vec![Scalar::Date(5), Scalar::Missing]), Values::Date(vec![5, NAT]));
}
