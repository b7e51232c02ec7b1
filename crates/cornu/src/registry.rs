//! From the name of a class to the class: how layers are read from files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cornu_graph::{Result, nearest};
use serde_json::Value;

use crate::config::{ClassId, not_known, only_keras_has, open_object};
use crate::layers::{LAYERS, Layer, Read, read_layer};

/// The classes that users registered.
static REGISTERED: Mutex<BTreeMap<ClassId, Read>> = Mutex::new(BTreeMap::new());

/// Makes a layer of your own known, so that models with it can be read. Its package is the module it is declared with:
/// `"my.layers"` reads what Keras has as `registered_name="my.layers>Scale"`. It also takes the place of a layer of Keras
/// of that name which this crate lacks.
pub fn register<L: Layer>() {
    let id = ClassId { package: Cow::Borrowed(L::package()), name: Cow::Borrowed(L::class()) };
    REGISTERED.lock().unwrap_or_else(PoisonError::into_inner).insert(id, read_layer::<L>);
}

/// Reads a layer: `{"class_name": …, "config": …}`.
///
/// # Errors
/// A class that is not known, or settings it does not have.
pub(crate) fn layer_from_json(json: &Value) -> Result<Arc<dyn Layer>> {
    let (id, config) = open_object(json)?;
    find(&id)?(&config)
}

/// How a class is read. Another package's class of the same name may compute anything.
fn find(id: &ClassId) -> Result<Read> {
    let own = REGISTERED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(read) = own.get(id) {
        return Ok(*read);
    }
    if !id.is_keras() {
        return Err(id.stranger("layer"));
    }
    let listed = LAYERS.iter().find(|(name, _)| *name == id.name).map(|(_, read)| *read);
    let instead = || own.iter().find(|(known, _)| known.name == id.name).map(|(_, read)| *read);
    listed.or_else(instead).ok_or_else(|| {
        let own = "a layer of your own can take its place, if it is registered first: `cornu::register::<YourLayer>()`";
        let known: Vec<&str> = LAYERS.iter().map(|(name, _)| *name).collect();
        let near =
            nearest(&id.name, known.iter().copied()).filter(|_| !only_keras_has("layer class", &id.name, &known));
        let help = near.map_or_else(|| own.into(), |near| format!("did you mean `{near}`? If not: {own}"));
        not_known("layer class", &id.name, known).help(help)
    })
}
