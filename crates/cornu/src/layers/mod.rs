//! Layers: plain settings, and one function that extends a graph. One file a layer; `layers!` is the one list of them.

mod base;
mod layer;

use std::sync::Arc;

use cornu_graph::Result;
use serde_json::{Map, Value};

#[cfg(test)]
pub(crate) use base::KEYS;
pub(crate) use base::dtype_name;
pub use base::{Base, BatchShape, IntoShape, LayerConfig};
pub use input::Input;
pub use layer::Layer;

/// Reads the settings of one class of layers.
pub(crate) type Read = fn(&Map<String, Value>) -> Result<Arc<dyn Layer>>;

/// [`Read`] for the class `L`.
pub(crate) fn read_layer<L: Layer>(config: &Map<String, Value>) -> Result<Arc<dyn Layer>> {
    Ok(Arc::new(L::from_json(config)?))
}

macro_rules! layers {
    ($($module:ident: $name:ident,)*) => {
        $(
            mod $module;
            pub use $module::$name;
        )*

        /// Every layer there is: class name, and how its settings are read.
        pub(crate) const LAYERS: &[(&str, Read)] = &[$((stringify!($name), read_layer::<$name>)),*];

        /// The class name of every layer there is.
        pub const CLASSES: &[&str] = &[$(stringify!($name)),*];
    };
}

layers! {
    activation: Activation,
    dense: Dense,
    dropout: Dropout,
    flatten: Flatten,
    input: InputLayer,
    rescaling: Rescaling,
}
