//! What `compile` takes: losses, metrics and optimizers, each by name or as an object.

use std::fmt;
use std::sync::Arc;

use cornu_graph::{Context, Result};
use serde_json::{Map, Value};

use crate::config::{Config, Field, object, open_built_in, unknown};

/// A family of Keras classes that go by names: losses, metrics, optimizers.
pub trait Family: Config {
    /// What one of them is called in messages.
    const WHAT: &'static str;

    /// Every name and class name.
    const NAMES: &'static [&'static str];

    /// Every class name.
    const CLASSES: &'static [&'static str];

    /// The one of that name, with default settings.
    fn named(name: &str) -> Option<Arc<Self>>;

    /// The one of that class with those settings.
    ///
    /// # Errors
    /// An unknown class or setting.
    fn of_class(class: &str, config: &Map<String, Value>) -> Result<Arc<Self>>;
}

/// One of a family, given by name or as an object.
pub enum Choice<T: ?Sized> {
    /// By name; whether it is known is looked at when the model is compiled.
    Name(String),
    /// As an object.
    Object(Arc<T>),
}

impl<T: ?Sized + Family> Choice<T> {
    /// The object.
    ///
    /// # Errors
    /// A name that is not known, or settings that cannot be right.
    pub fn resolve(&self) -> Result<Arc<T>> {
        let chosen = match self {
            Choice::Object(object) => Arc::clone(object),
            Choice::Name(name) => T::named(name).ok_or_else(|| unknown(T::WHAT, name, T::NAMES.iter().copied()))?,
        };
        chosen.check()?;
        Ok(chosen)
    }
}

impl<T: ?Sized + Family> Field for Choice<T> {
    fn to_json(&self) -> Value {
        match self {
            Choice::Name(name) => name.as_str().into(),
            Choice::Object(chosen) => object(chosen.module(), chosen.class_name(), chosen.to_json()),
        }
    }

    fn from_json(json: &Value) -> Result<Self> {
        if let Some(name) = json.as_str() {
            return Ok(Choice::Name(name.into()));
        }
        let (class, config) = open_built_in(T::WHAT, "keras", json).context(T::WHAT)?;
        Ok(Choice::Object(T::of_class(&class, &config)?))
    }
}

impl<T: ?Sized> Clone for Choice<T> {
    fn clone(&self) -> Self {
        match self {
            Choice::Name(name) => Choice::Name(name.clone()),
            Choice::Object(object) => Choice::Object(Arc::clone(object)),
        }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Choice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Name(name) => write!(f, "{name:?}"),
            Choice::Object(object) => object.fmt(f),
        }
    }
}

impl<T: ?Sized> From<&str> for Choice<T> {
    fn from(name: &str) -> Self {
        Choice::Name(name.into())
    }
}

impl<T: ?Sized> From<String> for Choice<T> {
    fn from(name: String) -> Self {
        Choice::Name(name)
    }
}

/// Lists the classes of a family, and the names each goes by.
macro_rules! family {
    ($what:literal dyn $trait:ident { $($class:ident = $($name:literal)|+;)* }) => {
        impl $crate::choice::Family for dyn $trait {
            const WHAT: &'static str = $what;
            const NAMES: &'static [&'static str] = &[$($($name,)+ stringify!($class),)*];
            const CLASSES: &'static [&'static str] = &[$(stringify!($class)),*];

            fn named(name: &str) -> Option<std::sync::Arc<Self>> {
                match name {
                    $($($name)|+ | stringify!($class) => Some(std::sync::Arc::new($class::new())),)*
                    _ => None,
                }
            }

            fn of_class(
                class: &str,
                config: &serde_json::Map<String, serde_json::Value>,
            ) -> cornu_graph::Result<std::sync::Arc<Self>> {
                match class {
                    $(stringify!($class) => Ok(std::sync::Arc::new(<$class as $crate::config::Config>::from_json(config)?)),)*
                    _ => Err($crate::config::not_known($what, class, Self::CLASSES.iter().copied())),
                }
            }
        }

        impl<T: $trait> From<T> for $crate::choice::Choice<dyn $trait> {
            fn from(object: T) -> Self {
                Self::Object(std::sync::Arc::new(object))
            }
        }
    };
}
pub(crate) use family;
