//! One value of any kind among the settings.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::field::{Field, not};
use crate::{Value, Values};
use cornu_graph::Result;

/// One value of any kind that a cell may have: what is filled in, looked for, or dropped.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// A number.
    Float(f64),
    /// A whole number.
    Int(i64),
    /// True or false.
    Bool(bool),
    /// Text.
    Text(String),
    /// What is missing; NaN is.
    Missing,
}

impl Scalar {
    /// As a value of a column.
    pub fn value(&self) -> Value<'_> {
        match self {
            Scalar::Float(value) => Value::Float(*value),
            Scalar::Int(value) => Value::Int(*value),
            Scalar::Bool(value) => Value::Bool(*value),
            Scalar::Text(text) => Value::Text(text),
            Scalar::Missing => Value::Missing,
        }
    }
}

/// What is missing equals itself.
impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        let (a, b) = (self.value(), other.value());
        a == b || a.is_missing() && b.is_missing()
    }
}

impl From<Value<'_>> for Scalar {
    fn from(value: Value<'_>) -> Scalar {
        match value {
            missing if missing.is_missing() => Scalar::Missing,
            Value::Float(value) => Scalar::Float(value),
            Value::Int(value) | Value::Date(value) => Scalar::Int(value),
            Value::Bool(value) => Scalar::Bool(value),
            Value::Text(text) => Scalar::Text(text.into()),
            Value::Missing => Scalar::Missing,
        }
    }
}

macro_rules! scalars {
    ($($type:ty => $make:expr;)*) => {$(
        impl From<$type> for Scalar {
            fn from(value: $type) -> Scalar {
                let make: fn($type) -> Scalar = $make;
                make(value)
            }
        }
    )*};
}

scalars! {
    f64 => |value| if value.is_nan() { Scalar::Missing } else { Scalar::Float(value) };
    f32 => |value| f64::from(value).into();
    i64 => Scalar::Int;
    i32 => |value| Scalar::Int(value.into());
    bool => Scalar::Bool;
    &str => |text| Scalar::Text(text.into());
    String => Scalar::Text;
    Cow<'_, str> => |text| Scalar::Text(text.into_owned());
}

/// Missing is `null`; infinities, which JSON has not, are objects.
impl Field for Scalar {
    fn to_json(&self) -> Json {
        match self {
            Scalar::Float(value) if value.is_infinite() => serde_json::json!({ "float": value.to_json() }),
            Scalar::Float(value) => value.to_json(),
            Scalar::Int(value) => (*value).into(),
            Scalar::Bool(value) => (*value).into(),
            Scalar::Text(text) => text.as_str().into(),
            Scalar::Missing => Json::Null,
        }
    }

    fn from_json(json: &Json) -> Result<Scalar> {
        Ok(match json {
            Json::Null => Scalar::Missing,
            Json::Bool(value) => Scalar::Bool(*value),
            Json::String(text) => Scalar::Text(text.clone()),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Scalar::Int(whole),
                None => f64::from_json(json)?.into(),
            },
            Json::Object(map) if map.len() == 1 => match map.get("float") {
                Some(value) => f64::from_json(value)?.into(),
                None => return Err(not("a value", json)),
            },
            Json::Object(_) | Json::Array(_) => return Err(not("a value", json)),
        })
    }
}

/// Values of a column that one value can stand among, in place of what is missing.
pub(crate) fn fits(values: &Values, scalar: &Scalar) -> bool {
    match values {
        Values::Text(_) => matches!(scalar, Scalar::Text(_)),
        Values::Truth(_) | Values::Bool(_) => matches!(scalar, Scalar::Bool(_)),
        Values::Int(_) => matches!(scalar, Scalar::Int(_) | Scalar::Bool(_)),
        Values::Float(_) | Values::Float32(_) => matches!(scalar, Scalar::Float(_) | Scalar::Int(_) | Scalar::Bool(_)),
        Values::Category(category) => fits(&category.categories, scalar),
        Values::Date(_) => matches!(scalar, Scalar::Int(_)),
    }
}
