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

    /// Whether the class is one of Keras's own.
    pub fn is_keras(&self) -> bool {
        is_keras(&self.package)
    }

    /// The error for a class of another package, of which nothing is known but its name.
    pub fn stranger(&self, what: &str) -> Error {
        let (package, name) = (short(&self.package), short(&self.name));
        let help = match what {
            "layer" => format!(
                "Keras's own may compute something else: declare yours by `config!` with the module `\"{package}\"`, and \
                 register it first by `cornu::register::<{name}>()`"
            ),
            "model" => {
                "only Keras's own models are read: build this one here, and take its weights by `load_weights`".into()
            }
            "dtype policy" => "in Python, name a type, `dtype=\"float32\"`, and save the model again".into(),
            "loss" | "metric" | "optimizer" => {
                "`Load::new().compile(false)` loads the model without it; then compile it with a class of your own"
                    .into()
            }
            _ => format!(
                "Keras's own may compute something else: declare a layer of your own that has it by `config!`, and \
                 register that first by `cornu::register::<YourLayer>()`; only layers can be registered, not `{name}`"
            ),
        };
        Error::unsupported(format!("unknown {what} `{name}` of the package `{package}`")).help(help)
    }
}

/// Whether a module belongs to Keras, by any name that its versions have had.
fn is_keras(module: &str) -> bool {
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

/// Class and settings of a Keras object. Keras 2 writes some without settings.
///
/// # Errors
/// Something that is no such object.
pub fn open_object(json: &Value) -> Result<(ClassId, Map<String, Value>)> {
    let id = ClassId::of(json)?;
    let config = match json.get("config") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(config)) => config.clone(),
        Some(other) => return Err(expected("an object", other).context(format!("{}: `config`", id.name))),
    };
    Ok((id, config))
}

/// Name and settings of an object whose class is Keras's, or of the module that its family is declared with.
///
/// # Errors
/// Something that is no such object, or a class of another package.
pub fn open_built_in(what: &str, module: &str, json: &Value) -> Result<(String, Map<String, Value>)> {
    let (id, config) = open_object(json)?;
    if id.is_keras() || id.package == module { Ok((id.name.into_owned(), config)) } else { Err(id.stranger(what)) }
}
