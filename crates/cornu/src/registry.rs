//! From the name of a class to the class: how layers are read from files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cornu_graph::{Result, nearest};
use serde_json::Value;

use crate::config::{not_known, only_keras_has, open_object};
use crate::layers::{LAYERS, Layer, Read, read_layer};

/// The classes that users registered.
static REGISTERED: Mutex<BTreeMap<&'static str, Read>> = Mutex::new(BTreeMap::new());

/// Makes a layer of your own known by its class name, so that models with it can be read. It takes precedence over a
/// layer of this crate with the same name.
pub fn register<L: Layer>() {
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).insert(L::class(), read_layer::<L>);
}

/// Reads a layer: `{"class_name": …, "config": …}`.
///
/// # Errors
/// A class that is not known, or settings it does not have.
pub(crate) fn layer_from_json(json: &Value) -> Result<Arc<dyn Layer>> {
    let (class, config) = open_object(json)?;
    let own = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).get(class).copied();
    let listed = || LAYERS.iter().find(|(name, _)| *name == class).map(|(_, read)| *read);
    let Some(read) = own.or_else(listed) else {
        let own = "a layer of your own can take its place, if it is registered first: `cornu::register::<YourLayer>()`";
        let known: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        let near = nearest(class, known.iter().copied()).filter(|_| !only_keras_has("layer class", class, &known));
        let help = near.map_or_else(|| own.into(), |near| format!("did you mean `{near}`? If not: {own}"));
        return Err(not_known("layer class", class, known).help(help));
    };
    read(&config)
}
