//! What every layer of Keras has beside its own settings.

use cornu_graph::{Context, Error, Result};
use serde_json::{Map, Value};

use crate::choice::Choice;
use crate::config::{ClassId, Config, Field, FieldSpec, expected, read, refuse_unknown_keys};
use crate::policy::{DTypePolicy, dtype_policy};
use crate::regularizers::Regularizer;

/// The sizes of the axes of a batch; the first, and others where they may vary, are `None`.
pub type BatchShape = Vec<Option<usize>>;

/// What every layer of Keras has beside its own settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// The name; `None` until the model gives one.
    pub name: Option<String>,
    /// Whether its weights learn.
    pub trainable: bool,
    /// The types of its numbers, by the name of a [`DTypePolicy`]; that of new layers until told.
    pub dtype: String,
    /// The shape of a batch of its input, where it is told beforehand.
    pub batch_shape: Option<BatchShape>,
    /// A penalty on what it puts out.
    pub activity_regularizer: Option<Choice<dyn Regularizer>>,
}

impl Default for Base {
    fn default() -> Self {
        Base {
            name: None,
            trainable: true,
            dtype: dtype_policy().into(),
            batch_shape: None,
            activity_regularizer: None,
        }
    }
}

/// Keys that some version of Keras writes for every layer, beside those of the layer itself.
pub(crate) const KEYS: [&str; 8] = [
    "name",
    "trainable",
    "dtype",
    "batch_input_shape",
    "input_shape",
    "input_dim",
    "activity_regularizer",
    "quantization_config",
];

impl Base {
    /// The keys that come before the layer's own.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut config = Map::new();
        config.insert("name".into(), self.name.to_json());
        config.insert("trainable".into(), self.trainable.to_json());
        config.insert("dtype".into(), self.dtype.to_json());
        if self.activity_regularizer.is_some() {
            config.insert("activity_regularizer".into(), self.activity_regularizer.to_json());
        }
        config
    }

    /// Reads the keys that are none of the layer's own fields. Such a key means the layer's setting, even if every layer
    /// has one of that name.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong kind.
    pub fn from_json(class: &str, config: &Map<String, Value>, own: &[FieldSpec]) -> Result<Base> {
        let own: Vec<&str> = own.iter().map(|field| &*field.name).collect();
        refuse_unknown_keys(config, own.iter().copied().chain(KEYS)).context(class)?;
        let others = config.iter().filter(|(key, _)| !own.contains(&key.as_str()));
        let config = &others.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>();
        if config.get("quantization_config").is_some_and(|json| !json.is_null()) {
            return Err(Error::unsupported(format!("{class}.quantization_config: quantized layers are not supported")));
        }
        let fresh = Base::default();
        let dtype = config.get("dtype").map_or(Ok(fresh.dtype), dtype_name).context(format!("{class}.dtype"))?;
        let mut batch_shape: Option<BatchShape> = read(config, class, "batch_input_shape", Some(None))?;
        if let Some(shape) = read::<Option<BatchShape>>(config, class, "input_shape", Some(None))? {
            batch_shape = Some([vec![None], shape].concat());
        }
        if let Some(features) = read::<Option<usize>>(config, class, "input_dim", Some(None))? {
            batch_shape = Some(vec![None, Some(features)]);
        }
        Ok(Base {
            name: read(config, class, "name", Some(None))?,
            trainable: read(config, class, "trainable", Some(true))?,
            dtype,
            batch_shape,
            activity_regularizer: read(config, class, "activity_regularizer", Some(None))?,
        })
    }

    /// The types of the layer's numbers.
    ///
    /// # Errors
    /// A policy this version does not know.
    pub fn policy(&self) -> Result<DTypePolicy> {
        DTypePolicy::new(&self.dtype)
    }

    /// Looks for settings that cannot be right, but for the element type: see [`Base::policy`].
    ///
    /// # Errors
    /// The first of them.
    pub fn check(&self) -> Result<()> {
        self.activity_regularizer.check().context("activity_regularizer")?;
        if let Some(name) = &self.name
            && (name.is_empty() || name.contains('/') || name.contains(char::is_control))
        {
            return Err(Error::usage(format!("a layer needs a name without `/` and line breaks, got {name:?}")));
        }
        Ok(())
    }
}

/// The types of a layer: `"float32"`, `"mixed_bfloat16"`, or a policy object of that name.
pub(crate) fn dtype_name(json: &Value) -> Result<String> {
    let name = match json {
        Value::Null => return Ok(Base::default().dtype),
        Value::Object(policy) => {
            let class = ClassId::of(json)?;
            if !class.is_keras() {
                return Err(class.stranger(
                    "dtype policy",
                    "in Python, name a type, `dtype=\"float32\"`, and save the model again",
                ));
            }
            policy.get("config").and_then(|config| config.get("name")).and_then(Value::as_str)
        }
        other => other.as_str(),
    };
    name.map(Into::into).ok_or_else(|| expected("an element type", json))
}

/// The settings of a layer.
pub trait LayerConfig: Config {
    /// What every layer has.
    fn base(&self) -> &Base;
}

/// A shape of inputs without the batch: `[8]`, `(28, 28)`, `[None, Some(3)]`.
pub trait IntoShape {
    /// The sizes, `None` where they may vary.
    fn into_shape(self) -> BatchShape;
}

/// As Python's `()`: samples that are one number.
impl IntoShape for () {
    fn into_shape(self) -> BatchShape {
        Vec::new()
    }
}

impl<const N: usize> IntoShape for [usize; N] {
    fn into_shape(self) -> BatchShape {
        self.map(Some).into()
    }
}

impl<const N: usize> IntoShape for [Option<usize>; N] {
    fn into_shape(self) -> BatchShape {
        self.into()
    }
}

/// Tuples are what Python writes: `(8,)`, `(28, 28)`.
macro_rules! tuple_shapes {
    ($(($($size:ident),+))*) => {$(
        impl IntoShape for ($(tuple_shapes!(@size $size),)+) {
            fn into_shape(self) -> BatchShape {
                let ($($size,)+) = self;
                vec![$(Some($size)),+]
            }
        }
    )*};
    (@size $size:ident) => { usize };
}

tuple_shapes! {
    (a)
    (a, b)
    (a, b, c)
}

impl IntoShape for Vec<usize> {
    fn into_shape(self) -> BatchShape {
        self.as_slice().into_shape()
    }
}

impl IntoShape for &[usize] {
    fn into_shape(self) -> BatchShape {
        self.iter().copied().map(Some).collect()
    }
}

impl IntoShape for BatchShape {
    fn into_shape(self) -> BatchShape {
        self
    }
}

/// The arm of [`config!`](crate::config!) for layers.
#[doc(hidden)]
#[macro_export]
macro_rules! layer_config {
    ([$(#[$doc:meta])* $module:literal $name:ident] $required:tt $rest:tt $all:tt) => {
        $crate::config!(@struct [$(#[$doc])* $name]
            [/** What every layer has. */ base: $crate::layers::Base = $crate::layers::Base::default()] $required $rest);
        $crate::layer_config!(@base $name $all);

        impl $crate::config::Config for $name {
            $crate::config!(@names $module $name);
            $crate::config!(@settings $all);
            fn to_json(&self) -> $crate::json::Map<String, $crate::json::Value> {
                let mut config = self.base.to_json();
                config.extend($crate::config::settings_to_json(&self.settings()));
                config
            }
        }

        impl $crate::config::FromConfig for $name {
            $crate::config!(@constants $module $name);
            $crate::config!(@fields $all);
            $crate::config!(@read $name [base] $all,
                config => $crate::layers::Base::from_json(Self::CLASS, config, &Self::fields()));
        }
    };

    (@base $name:ident [$({ $doc:tt $field:ident, $ty:ty, $default:tt, $marks:tt })*]) => {
        $crate::layer_base!($name [$($field)*]);
    };
}

/// The setters of what every layer has, but for those whose names the layer's own settings have.
#[doc(hidden)]
#[macro_export]
macro_rules! layer_base {
    ($name:ident [$($own:ident)*]) => {
        $crate::layer_base!(@unless name [$($own)*] $name {
            /// The name of the layer; without one the model numbers its layers by class.
            #[must_use]
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.base.name = Some(name.into());
                self
            }
        });
        $crate::layer_base!(@unless trainable [$($own)*] $name {
            /// Whether the weights of the layer learn.
            #[must_use]
            pub fn trainable(mut self, trainable: bool) -> Self {
                self.base.trainable = trainable;
                self
            }
        });
        $crate::layer_base!(@unless dtype [$($own)*] $name {
            /// The types of the layer's numbers, by Keras's name: `"float32"`, `"mixed_bfloat16"`.
            #[must_use]
            pub fn dtype(mut self, dtype: impl Into<String>) -> Self {
                self.base.dtype = dtype.into();
                self
            }
        });
        $crate::layer_base!(@unless input_shape [$($own)*] $name {
            /// The shape of one sample, if this is the first layer.
            #[must_use]
            pub fn input_shape(mut self, shape: impl $crate::layers::IntoShape) -> Self {
                self.base.batch_shape = Some([vec![None], shape.into_shape()].concat());
                self
            }
        });
        $crate::layer_base!(@unless input_dim [$($own)*] $name {
            /// The number of features of one sample, if this is the first layer.
            #[must_use]
            pub fn input_dim(mut self, features: usize) -> Self {
                self.base.batch_shape = Some(vec![None, Some(features)]);
                self
            }
        });
        $crate::layer_base!(@unless batch_input_shape [$($own)*] $name {
            /// The shape of a whole batch, if this is the first layer.
            #[must_use]
            pub fn batch_input_shape(mut self, shape: impl $crate::layers::IntoShape) -> Self {
                self.base.batch_shape = Some(shape.into_shape());
                self
            }
        });
        $crate::layer_base!(@unless activity_regularizer [$($own)*] $name {
            /// A penalty on what the layer puts out.
            #[must_use]
            pub fn activity_regularizer(
                mut self,
                penalty: impl $crate::config::IntoField<Option<$crate::choice::Choice<dyn $crate::regularizers::Regularizer>>>,
            ) -> Self {
                self.base.activity_regularizer = penalty.into_field();
                self
            }
        });

        impl $crate::layers::LayerConfig for $name {
            fn base(&self) -> &$crate::layers::Base {
                &self.base
            }
        }
    };

    // Drops a setter if its name is in the list.
    (@unless name [name $($rest:ident)*] $($setter:tt)*) => {};
    (@unless trainable [trainable $($rest:ident)*] $($setter:tt)*) => {};
    (@unless dtype [dtype $($rest:ident)*] $($setter:tt)*) => {};
    (@unless input_shape [input_shape $($rest:ident)*] $($setter:tt)*) => {};
    (@unless input_dim [input_dim $($rest:ident)*] $($setter:tt)*) => {};
    (@unless batch_input_shape [batch_input_shape $($rest:ident)*] $($setter:tt)*) => {};
    (@unless activity_regularizer [activity_regularizer $($rest:ident)*] $($setter:tt)*) => {};
    (@unless $key:ident [$first:ident $($rest:ident)*] $($setter:tt)*) => {
        $crate::layer_base!(@unless $key [$($rest)*] $($setter)*);
    };
    (@unless $key:ident [] $name:ident { $($setter:tt)* }) => {
        impl $name { $($setter)* }
    };
}
