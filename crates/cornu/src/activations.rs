//! Functions that layers put after their sums: `keras.activations`. One row is one function.

use cornu_graph::{Result, Tensor};
use serde_json::Value;

use crate::config::{ClassId, Field, IntoField, expected, not_known, unknown};

macro_rules! activations {
    ($($(#[$doc:meta])* $name:ident = $text:literal $(| $more:literal)*, $f:expr;)*) => {
        /// A function that a layer puts after its sum.
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Activation {
            $($(#[$doc])* $name,)*
            /// A name that is not known; the model reports it when it is next used.
            Unknown(String),
        }

        impl Activation {
            /// Keras's names of all of them.
            pub const NAMES: &[&str] = &[$($text),*];

            /// Keras's name.
            pub fn name(&self) -> &str {
                match self {
                    $(Activation::$name => $text,)*
                    Activation::Unknown(name) => name,
                }
            }

            fn named(name: &str) -> Option<Self> {
                match name {
                    $($text $(| $more)* => Some(Activation::$name),)*
                    _ => None,
                }
            }

            /// The function, applied.
            #[track_caller]
            pub fn apply(&self, x: Tensor) -> Tensor {
                let f: fn(Tensor) -> Tensor = match self {
                    $(Activation::$name => $f,)*
                    Activation::Unknown(_) => |x| x,
                };
                f(x)
            }
        }
    };
}

activations! {
    // name = Keras's name, function
    /// `x`
    Linear = "linear", |x| x;
    /// `max(x, 0)`
    Relu = "relu", |x| x.relu();
    /// `1 / (1 + exp(-x))`
    Sigmoid = "sigmoid", |x| x.sigmoid();
    /// `exp(x) / sum(exp(x))` over the last axis.
    Softmax = "softmax", |x| x.softmax(-1);
    /// The hyperbolic tangent.
    Tanh = "tanh", |x| x.tanh();
}

impl From<&str> for Activation {
    fn from(name: &str) -> Self {
        Self::named(name).unwrap_or_else(|| Activation::Unknown(name.into()))
    }
}

impl IntoField<Activation> for &str {
    fn into_field(self) -> Activation {
        self.into()
    }
}

impl Field for Activation {
    fn to_json(&self) -> Value {
        self.name().into()
    }

    /// A name, nothing, or `{"class_name": "function", "config": "relu"}`.
    fn from_json(json: &Value) -> Result<Self> {
        let name = match json {
            Value::Null => return Ok(Activation::Linear),
            Value::Object(object) => {
                let id = ClassId::of(json)?;
                if !id.is_keras() {
                    return Err(id.stranger("activation"));
                }
                object.get("config").and_then(Value::as_str)
            }
            other => other.as_str(),
        };
        let name = name.ok_or_else(|| expected("the name of an activation", json))?;
        Self::named(name).ok_or_else(|| not_known("activation", name, Self::NAMES.iter().copied()))
    }

    fn check(&self) -> Result<()> {
        match self {
            Activation::Unknown(name) => Err(unknown("activation", name, Self::NAMES.iter().copied())),
            _ => Ok(()),
        }
    }
}
