//! One of a family: by name or as an object.

use std::fmt;
use std::sync::Arc;

use cornu_graph::Result;
use serde_json::Value;

use crate::config::{Config, Field, IntoField, Kind, expected, is_keras, not_known, object, unknown};
use crate::registry::Family;

/// One of a family, given by name or as an object: `"adam"` or `Adam::new()`.
pub enum Choice<T: ?Sized> {
    /// By name; whether it is known is looked at when the model is next used.
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
            Choice::Name(name) => {
                T::registry().named(name).unwrap_or_else(|| Err(unknown(T::WHAT, name, T::names())))?
            }
        };
        chosen.check()?;
        Ok(chosen)
    }

    /// A name, or the object that it stands for.
    fn named(name: &str) -> Self {
        let found = if T::KEEPS_NAMES { None } else { T::registry().named(name) };
        found.and_then(Result::ok).map_or_else(|| Choice::Name(name.into()), Choice::Object)
    }
}

impl<T: ?Sized + Family> Field for Choice<T> {
    fn to_json(&self) -> Value {
        match self {
            Choice::Name(name) => name.as_str().into(),
            Choice::Object(chosen) => {
                let (name, settings) = (chosen.class_name(), chosen.to_json());
                match T::FUNCTIONS.filter(|_| is_keras(chosen.module())) {
                    Some(_)
                        if T::registry()
                            .named(name)
                            .is_some_and(|plain| plain.is_ok_and(|f| f.to_json() == settings)) =>
                    {
                        name.into()
                    }
                    package => object(package.unwrap_or(chosen.module()), name, settings),
                }
            }
        }
    }

    fn from_json(json: &Value) -> Result<Self> {
        let nothing = T::NOTHING.filter(|_| json.is_null()).map(Value::from);
        match nothing.as_ref().unwrap_or(json) {
            Value::String(name) => match Self::named(name) {
                Choice::Name(name) if !T::KEEPS_NAMES => {
                    let read = T::registry().named(&name).and_then(Result::err);
                    Err(read.unwrap_or_else(|| not_known(T::WHAT, &name, T::names())))
                }
                choice => Ok(choice),
            },
            Value::Object(_) => T::registry().read_object(json).map(Choice::Object),
            other => Err(expected(&Self::kind().to_string(), other)),
        }
    }

    fn kind() -> Kind {
        Kind::Object(T::WHAT)
    }

    fn check(&self) -> Result<()> {
        self.resolve().map(drop)
    }

    fn objects(&self) -> Vec<&dyn Config> {
        match self {
            Choice::Name(_) => Vec::new(),
            Choice::Object(object) => vec![object.as_config()],
        }
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

/// As their JSON is.
impl<T: ?Sized + Family> PartialEq for Choice<T> {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
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

/// What a choice is made of by name.
macro_rules! names {
    ($($name:ty),*) => {$(
        impl<T: ?Sized + Family> From<$name> for Choice<T> {
            fn from(name: $name) -> Self {
                Choice::named(&name)
            }
        }

        impl<T: ?Sized + Family> IntoField<Choice<T>> for $name {
            fn into_field(self) -> Choice<T> {
                self.into()
            }
        }

        impl<T: ?Sized + Family> IntoField<Option<Choice<T>>> for $name {
            fn into_field(self) -> Option<Choice<T>> {
                Some(self.into())
            }
        }
    )*};
}

names! { &str, String }

impl<T: ?Sized> From<&Choice<T>> for Choice<T> {
    fn from(choice: &Choice<T>) -> Self {
        choice.clone()
    }
}

/// Lists the classes of a family, and the short names of each, some of which stand for settings of their own. Where classes
/// stand in files of their own, the files are listed with them.
macro_rules! family {
    ($what:literal $(($what_class:literal))? in $module:path: dyn $trait:ident $({ $($constants:tt)* })? = [$(
        $file:ident { $($class:ident = $($name:literal)|*;)* }
    )*]) => {
        $(
            mod $file;
            pub use $file::{$($class),*};
        )*
        $crate::choice::family! {
            $what $(($what_class))? in $module: dyn $trait $({ $($constants)* })? = [$($($class = $($name)|*;)*)*]
        }
    };

    ($what:literal $(($what_class:literal))? in $module:path: dyn $trait:ident $({ $($constants:tt)* })? = [
        $($class:ident = $($name:literal $({ $($settings:tt)* })?)|*;)*
    ]) => {
        static REGISTRY: $crate::registry::Registry<dyn $trait> = $crate::registry::Registry::new(|| vec![
            $($crate::registry::Class::of(|object: $class| -> std::sync::Arc<dyn $trait> { std::sync::Arc::new(object) })
                $(.named($name, &serde_json::json!({ $($($settings)*)? })))*,)*
        ]);

        impl $crate::registry::Family for dyn $trait {
            const WHAT: &'static str = $what;
            $(const WHAT_CLASS: &'static str = $what_class;)?
            const MODULE: &'static str = stringify!($module);
            $($($constants)*)?

            fn as_config(&self) -> &dyn $crate::config::Config {
                self
            }

            fn registry() -> &'static $crate::registry::Registry<Self> {
                &REGISTRY
            }
        }

        /// Makes a class of your own known, so that it is found in files. Its package is the module that it is declared
        /// with: `"my.things"` reads what Keras has as `registered_name="my.things>Name"`. It also takes the place of one
        /// of Keras of that name which this crate lacks.
        pub fn register<T: $trait + $crate::config::FromConfig>() {
            let class = $crate::registry::Class::of(|object: T| -> std::sync::Arc<dyn $trait> {
                std::sync::Arc::new(object)
            });
            <dyn $trait as $crate::registry::Family>::register(class);
        }

        impl<T: $trait> From<T> for $crate::choice::Choice<dyn $trait> {
            fn from(object: T) -> Self {
                Self::Object(std::sync::Arc::new(object))
            }
        }

        impl<T: $trait> $crate::config::IntoField<$crate::choice::Choice<dyn $trait>> for T {
            fn into_field(self) -> $crate::choice::Choice<dyn $trait> {
                self.into()
            }
        }

        impl<T: $trait> $crate::config::IntoField<Option<$crate::choice::Choice<dyn $trait>>> for T {
            fn into_field(self) -> Option<$crate::choice::Choice<dyn $trait>> {
                Some(self.into())
            }
        }
    };
}
pub(crate) use family;
