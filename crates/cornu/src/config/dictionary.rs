//! Values by name: what Python writes as a dictionary.

use std::fmt;

use cornu_graph::Result;
use serde_json::Value;

use super::{Field, IntoField, Kind, expected};

/// Values by name, in the order in which they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dictionary<T>(pub Vec<(String, T)>);

impl<T: Copy> Dictionary<T> {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<T> {
        self.0.iter().find(|(known, _)| known == name).map(|&(_, value)| value)
    }
}

impl<T: Field> Field for Dictionary<T> {
    fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(name, value)| (name.clone(), value.to_json())).collect())
    }
    fn from_json(json: &Value) -> Result<Self> {
        let object = json.as_object().ok_or_else(|| expected("a dictionary", json))?;
        object
            .iter()
            .map(|(name, value)| Ok((name.clone(), T::from_json(value)?)))
            .collect::<Result<_>>()
            .map(Dictionary)
    }
    fn kind() -> Kind {
        Kind::Dictionary(Box::new(T::kind()))
    }
    fn check(&self) -> Result<()> {
        self.0.iter().try_for_each(|(_, value)| value.check())
    }
}

impl<const N: usize, T> IntoField<Option<Dictionary<T>>> for [(&str, T); N] {
    fn into_field(self) -> Option<Dictionary<T>> {
        Some(Dictionary(self.into_iter().map(|(name, value)| (name.into(), value)).collect()))
    }
}

/// As it stands in files.
impl<T: Field> fmt::Display for Dictionary<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_json().fmt(f)
    }
}
