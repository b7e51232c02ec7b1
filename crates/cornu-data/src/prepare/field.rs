//! Settings and what was learnt as JSON, and back.

use std::collections::HashSet;

use cornu_array::{Context, Error, Result, list};
use serde_json::{Map, Value as Json};

use crate::{NAT, Scalar, Texts, Values};

/// What a file keeps of a transformer: a setting, or something learnt.
pub(crate) trait Field: Sized {
    /// As JSON.
    fn to_json(&self) -> Json;

    /// Out of JSON.
    ///
    /// # Errors
    /// Says what is needed, and what is there.
    fn from_json(json: &Json) -> Result<Self>;
}

/// Something else than was needed.
pub(crate) fn not(needed: &str, json: &Json) -> Error {
    let text = json.to_string();
    let short: String = text.chars().take(40).collect();
    Error::file(format!("needs {needed}, got `{short}{}`", if short.len() < text.len() { "…" } else { "" }))
}

/// The fields of an object, each of which is read once.
pub(crate) struct Object<'a> {
    map: &'a Map<String, Json>,
    read: HashSet<&'static str>,
}

impl<'a> Object<'a> {
    pub(crate) fn of(json: &'a Json) -> Result<Object<'a>> {
        let map = json.as_object().ok_or_else(|| not("an object", json))?;
        Ok(Object { map, read: HashSet::new() })
    }

    pub(crate) fn field<F: Field>(&mut self, name: &'static str) -> Result<F> {
        F::from_json(self.json(name)?).context(name)
    }

    /// A field that its reader looks at.
    pub(crate) fn json(&mut self, name: &'static str) -> Result<&'a Json> {
        self.read.insert(name);
        self.map.get(name).ok_or_else(|| Error::file(format!("needs `{name}`, which is not there")))
    }

    /// Refuses what nothing asked for: a later version may have written it.
    pub(crate) fn finish(self) -> Result<()> {
        let known: Vec<&str> = self.read.iter().copied().collect();
        match self.map.keys().find(|key| !self.read.contains(key.as_str())) {
            Some(key) => Err(Error::file(format!("`{key}` is not known; there are {}", list(&known)))),
            None => Ok(()),
        }
    }
}

/// Makes a struct an object of these fields; `check` refuses those that do not go together.
macro_rules! fields {
    ($type:ident { $($field:ident),* $(,)? } $(check $check:expr)?) => {
        impl $crate::prepare::field::Field for $type {
            fn to_json(&self) -> serde_json::Value {
                let mut map = serde_json::Map::new();
                $(map.insert(
                    stringify!($field).into(),
                    $crate::prepare::field::Field::to_json(&self.$field),
                );)*
                serde_json::Value::Object(map)
            }

            fn from_json(json: &serde_json::Value) -> cornu_array::Result<Self> {
                let mut object = $crate::prepare::field::Object::of(json)?;
                let read = $type { $($field: object.field(stringify!($field))?),* };
                object.finish()?;
                $({
                    let check: fn(&$type) -> cornu_array::Result<()> = $check;
                    check(&read)?;
                })?
                Ok(read)
            }
        }
    };
}
pub(crate) use fields;

/// A choice among words, spelt as scikit-learn spells them.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $type:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $type { $($(#[$word_doc])* $word),* }

        impl $crate::prepare::field::Field for $type {
            fn to_json(&self) -> serde_json::Value {
                match self { $($type::$word => $text.into()),* }
            }

            fn from_json(json: &serde_json::Value) -> cornu_array::Result<Self> {
                match json.as_str() {
                    $(Some($text) => Ok($type::$word),)*
                    _ => Err($crate::prepare::field::not(&format!("one of {}", cornu_array::list(&[$($text),*])), json)),
                }
            }
        }
    };
}
pub(crate) use words;

/// A float reads back with the same bits; JSON has no word for those that are no numbers.
impl Field for f64 {
    fn to_json(&self) -> Json {
        match self {
            value if value.is_nan() => "nan".into(),
            value if value.is_infinite() => (if *value > 0.0 { "inf" } else { "-inf" }).into(),
            value => (*value).into(),
        }
    }

    fn from_json(json: &Json) -> Result<f64> {
        match json.as_str() {
            Some("nan") => Ok(f64::NAN),
            Some("inf") => Ok(f64::INFINITY),
            Some("-inf") => Ok(f64::NEG_INFINITY),
            _ => json.as_f64().ok_or_else(|| not("a number", json)),
        }
    }
}

macro_rules! plain_fields {
    ($($type:ty, $needed:literal, $read:expr;)*) => {$(
        impl Field for $type {
            fn to_json(&self) -> Json {
                self.clone().into()
            }

            fn from_json(json: &Json) -> Result<$type> {
                let read: fn(&Json) -> Option<$type> = $read;
                read(json).ok_or_else(|| not($needed, json))
            }
        }
    )*};
}

plain_fields! {
    bool, "true or false", Json::as_bool;
    i64, "a whole number", Json::as_i64;
    u32, "a whole number from 0 up", |json| json.as_u64().and_then(|number| number.try_into().ok());
    usize, "a whole number from 0 up", |json| json.as_u64().and_then(|number| number.try_into().ok());
    String, "a text", |json| json.as_str().map(String::from);
}

impl<F: Field> Field for Option<F> {
    fn to_json(&self) -> Json {
        self.as_ref().map_or(Json::Null, Field::to_json)
    }

    fn from_json(json: &Json) -> Result<Option<F>> {
        if json.is_null() { Ok(None) } else { F::from_json(json).map(Some) }
    }
}

impl<F: Field> Field for Vec<F> {
    fn to_json(&self) -> Json {
        self.iter().map(Field::to_json).collect()
    }

    fn from_json(json: &Json) -> Result<Vec<F>> {
        let items = json.as_array().ok_or_else(|| not("a list", json))?;
        items.iter().enumerate().map(|(i, item)| F::from_json(item).context(format!("index {i}"))).collect()
    }
}

impl<A: Field, B: Field> Field for (A, B) {
    fn to_json(&self) -> Json {
        Json::Array(vec![self.0.to_json(), self.1.to_json()])
    }

    fn from_json(json: &Json) -> Result<(A, B)> {
        match json.as_array().map(Vec::as_slice) {
            Some([first, second]) => Ok((A::from_json(first)?, B::from_json(second)?)),
            _ => Err(not("a list of two", json)),
        }
    }
}

/// Missing is `null`; moments, and infinities, which JSON has not, are objects.
impl Field for Scalar {
    fn to_json(&self) -> Json {
        match self {
            missing if missing.is_missing() => Json::Null,
            Scalar::Float(value) if value.is_infinite() => serde_json::json!({ "float64": value.to_json() }),
            Scalar::Date(at) => serde_json::json!({ "datetime64[us]": at }),
            Scalar::Float(value) => value.to_json(),
            Scalar::Int(value) => (*value).into(),
            Scalar::Bool(value) => (*value).into(),
            Scalar::Text(text) => text.as_str().into(),
            Scalar::Missing => Json::Null,
        }
    }

    fn from_json(json: &Json) -> Result<Scalar> {
        let only = |map: &Map<String, Json>| match (map.len(), map.get("float64"), map.get("datetime64[us]")) {
            (1, Some(value), None) => f64::from_json(value).map(Scalar::Float),
            (1, None, Some(at)) => i64::from_json(at).map(Scalar::Date),
            _ => Err(not("a value", json)),
        };
        match json {
            Json::Null => Ok(Scalar::Missing),
            Json::Bool(value) => Ok(Scalar::Bool(*value)),
            Json::String(text) => Ok(Scalar::Text(text.clone())),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Ok(Scalar::Int(whole)),
                None => f64::from_json(json).map(Scalar::Float),
            },
            Json::Object(map) => only(map),
            Json::Array(_) => Err(not("a value", json)),
        }
    }
}

/// A column without a name, as an object whose only key is its type: `{"str": ["a", null]}`.
impl Field for Values {
    fn to_json(&self) -> Json {
        let values = match self {
            Values::Float(values) => values.to_json(),
            Values::Float32(values) => values.iter().map(|&value| f64::from(value).to_json()).collect(),
            Values::Int(values) => values.to_json(),
            Values::Bool(values) => values.to_json(),
            Values::Truth(values) => values.to_json(),
            Values::Date(values) => values.iter().map(|&at| (at != NAT).then_some(at).to_json()).collect(),
            Values::Text(texts) => texts.iter().map(|text| text.map_or(Json::Null, Json::from)).collect(),
            Values::Object(values) => values.to_json(),
            Values::Category(category) => return category.plain().to_json(),
        };
        let mut map = Map::new();
        map.insert(self.dtype().into(), values);
        Json::Object(map)
    }

    fn from_json(json: &Json) -> Result<Values> {
        let only = json.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
        let (dtype, values) = only.ok_or_else(|| not("an object of one type and its values", json))?;
        let read = match dtype.as_str() {
            "float64" => Vec::from_json(values).map(Values::Float),
            "float32" => Vec::<f64>::from_json(values)
                .map(|values| Values::Float32(values.into_iter().map(|value| value as f32).collect())),
            "int64" => Vec::from_json(values).map(Values::Int),
            "bool" => Vec::from_json(values).map(Values::Bool),
            "object" => {
                Vec::from_json(values).map(Values::Truth).or_else(|_| Vec::from_json(values).map(Values::Object))
            }
            "datetime64[us]" => Vec::<Option<i64>>::from_json(values)
                .map(|values| Values::Date(values.into_iter().map(|at| at.unwrap_or(NAT)).collect())),
            "str" => Vec::<Option<String>>::from_json(values)
                .map(|texts| Values::Text(texts.iter().map(Option::as_deref).collect::<Texts>())),
            other => Err(Error::file(format!("no values are of the type `{other}`"))),
        };
        read.context(dtype)
    }
}

/// JSON for people: an object has a line for each key, a list of plain values is one line.
pub(crate) fn pretty(json: &Json, indent: usize) -> Result<String> {
    let line = |open: char, parts: Vec<String>, close: char| {
        let (inner, outer) = (" ".repeat(indent + 2), " ".repeat(indent));
        format!("{open}\n{inner}{}\n{outer}{close}", parts.join(&format!(",\n{inner}")))
    };
    let plain = |json: &Json| -> Result<String> {
        cornu_files::json::to_bytes(json).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(match json {
        Json::Object(map) if !map.is_empty() => {
            let part = |(key, value): (&String, &Json)| {
                Ok(format!("{}: {}", plain(&Json::from(key.as_str()))?, pretty(value, indent + 2)?))
            };
            line('{', map.iter().map(part).collect::<Result<_>>()?, '}')
        }
        Json::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            line('[', items.iter().map(|item| pretty(item, indent + 2)).collect::<Result<_>>()?, ']')
        }
        plain_value => plain(plain_value)?,
    })
}
