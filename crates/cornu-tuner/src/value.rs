//! What a hyper-parameter can be.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use cornu::graph::numbers::repr;
use serde_json::Value as Json;

/// The value of a hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A truth.
    Bool(bool),
}

/// As Python prints it: `relu`, `0.001`, `True`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Int(number) => write!(f, "{number}"),
            Value::Float(number) => f.write_str(&repr(*number)),
            Value::Text(text) => f.write_str(text),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
        }
    }
}

impl Value {
    /// The number, if it is one; truths are 0 and 1.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Bool(truth) => Some(f64::from(*truth)),
            Value::Text(_) => None,
        }
    }

    /// What kind of value it is, in Python's words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Text(_) => "str",
            Value::Bool(_) => "bool",
        }
    }

    /// As Python prints it in a dictionary: `'relu'`.
    pub(crate) fn repr(&self) -> String {
        match self {
            Value::Text(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            other => other.to_string(),
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match self {
            Value::Int(number) => (*number).into(),
            Value::Float(number) => (*number).into(),
            Value::Text(text) => text.as_str().into(),
            Value::Bool(truth) => (*truth).into(),
        }
    }

    /// What [`Value::to_json`] gave; a number with a point is no whole one.
    pub(crate) fn from_json(json: &Json) -> Option<Value> {
        match json {
            Json::Bool(truth) => Some(Value::Bool(*truth)),
            Json::String(text) => Some(Value::Text(text.clone())),
            Json::Number(number) => number.as_i64().map(Value::Int).or_else(|| number.as_f64().map(Value::Float)),
            _ => None,
        }
    }
}

macro_rules! values {
    ($($type:ty => $variant:ident $(as $wide:ty)?;)*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Value {
                Value::$variant(value $(as $wide)?)
            }
        }
    )*};
}

values! {
    i32 => Int as i64;
    u32 => Int as i64;
    i64 => Int;
    usize => Int as i64;
    f64 => Float;
    f32 => Float as f64;
    String => Text;
    bool => Bool;
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

/// The names that there are, so that many trials share them.
static NAMES: Mutex<BTreeSet<Arc<str>>> = Mutex::new(BTreeSet::new());

fn shared(name: &str) -> Arc<str> {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return Arc::clone(known);
    }
    let name: Arc<str> = name.into();
    names.insert(Arc::clone(&name));
    name
}

/// The values of a trial by the names of their parameters, in the order in which those were declared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Vec<(Arc<str>, Value)>);

impl Values {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Names and values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a value; a new one comes last.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.0.iter_mut().find(|(key, _)| **key == *name) {
            Some((_, known)) => *known = value,
            None => self.0.push((shared(name), value)),
        }
    }

    /// Keeps those of which that is true.
    pub(crate) fn retain(&mut self, keep: impl Fn(&str, &Value) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
        self.0.shrink_to_fit();
    }

    pub(crate) fn to_json(&self) -> Json {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
    }

    pub(crate) fn from_json(json: &Json) -> Option<Values> {
        let pairs = json.as_object()?.iter();
        let pairs = pairs.map(|(name, value)| Some((shared(name), Value::from_json(value)?)));
        pairs.collect::<Option<_>>().map(Values)
    }
}
