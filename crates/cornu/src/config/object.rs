//! Keras's objects in JSON: which class one is of, and its settings.

use std::borrow::Cow;

use cornu_graph::{Error, Result};
use serde_json::{Map, Value, json};

use super::{expected, short};

/// Which class a Keras object is of: a name in a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClassId {
    /// The package it was registered with, else its module; `keras` where a file of Keras 2 names neither.
    pub package: Cow<'static, str>,
    /// The name of the class, or of the function.
    pub name: Cow<'static, str>,
}

impl ClassId {
    /// What `class_name`, `module` and `registered_name` say of an object.
    ///
    /// # Errors
    /// Something that is no such object.
    pub fn of(json: &Value) -> Result<ClassId> {
        let text = |key: &str| json.get(key).and_then(Value::as_str);
        let class = text("class_name");
        let class = class.ok_or_else(|| expected("a Keras object with `class_name` and `config`", json))?;
        let function = text("config").filter(|_| class == "function");
        let name = function.unwrap_or(class);
        let registered = text("registered_name").filter(|registered| ![name, class, ""].contains(registered));
        let (package, name) = match registered.unwrap_or(name).rsplit_once('>') {
            Some(parts) => parts,
            None => match (registered, text("module")) {
                (Some(registered), _) => (registered, name),
                (None, Some("builtins")) if function.is_some() => ("keras", name),
                (None, module) => (module.unwrap_or("keras"), name),
            },
        };
        Ok(ClassId { package: Cow::Owned(package.into()), name: Cow::Owned(name.into()) })
    }

    /// A class of Keras's own.
    pub fn keras(name: &str) -> ClassId {
        ClassId { package: "keras".into(), name: name.to_owned().into() }
    }

    /// Whether the class is one of Keras's own.
    pub fn is_keras(&self) -> bool {
        is_keras(&self.package)
    }

    /// The error for a class of another package, of which nothing is known but its name; `help` says what to do.
    pub(crate) fn stranger(&self, what: &str, help: impl Into<String>) -> Error {
        let (package, name) = (short(&self.package), short(&self.name));
        Error::unsupported(format!("unknown {what} `{name}` of the package `{package}`")).help(help)
    }
}

/// Whether a module belongs to Keras, by any name that its versions have had.
pub(crate) fn is_keras(module: &str) -> bool {
    let inside =
        |package: &str| module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    ["keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras"].into_iter().any(inside)
}

/// A Keras object: `{"module": …, "class_name": …, "config": …, "registered_name": null}`. A class of one's own is
/// registered with its module as the package.
pub fn object(module: &str, class_name: &str, config: impl Into<Value>) -> Value {
    let config: Value = config.into();
    let registered = if is_keras(module) { Value::Null } else { format!("{module}>{class_name}").into() };
    json!({ "module": module, "class_name": class_name, "config": config, "registered_name": registered })
}

/// Class and settings of a Keras object. Keras 2 writes some without settings; functions have none.
///
/// # Errors
/// Something that is no such object.
pub fn open_object(json: &Value) -> Result<(ClassId, Map<String, Value>)> {
    let id = ClassId::of(json)?;
    let config = match json.get("config") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(config)) => config.clone(),
        Some(Value::String(_)) if json["class_name"] == "function" => Map::new(),
        Some(other) => return Err(expected("an object", other).context(format!("{}: `config`", id.name))),
    };
    Ok((id, config))
}

/// Name and settings of an object whose class is Keras's; `help` says what to do if it is of another package.
///
/// # Errors
/// Something that is no such object, or a class of another package.
pub(crate) fn open_built_in(what: &str, json: &Value, help: &str) -> Result<(String, Map<String, Value>)> {
    let (id, config) = open_object(json)?;
    if id.is_keras() { Ok((id.name.into_owned(), config)) } else { Err(id.stranger(what, help)) }
}
