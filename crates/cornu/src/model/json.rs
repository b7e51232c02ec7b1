//! Models as Keras's JSON: written so that both Keras 2.13 and Keras 3 read it, read from either.

use cornu_graph::{Context, Error, Result};
use serde_json::{Map, Value, json};

use super::{LayerView, Sequential};
use crate::config::{Config, Field, object, open_built_in, read, refuse_unknown_keys, short};
use crate::layers::{Base, BatchShape, InputLayer, Layer, dtype_name};
use crate::registry::Family;

/// What Keras keeps to build a layer or model again: the shape of its input.
fn build_config(input: &BatchShape) -> Value {
    json!({ "input_shape": input.to_json() })
}

fn layer_to_json(layer: &LayerView) -> Value {
    let mut json = layer.to_json();
    if let (Some(input), Some(json)) = (layer.input_shape(), json.as_object_mut()) {
        json.insert("build_config".into(), build_config(&input));
    }
    json
}

impl Sequential {
    /// The model without its weights, as an object that both versions of Keras read.
    ///
    /// # Errors
    /// A mistake that was made while layers were added.
    pub fn to_json_value(&self) -> Result<Value> {
        self.check()?;
        let input = self.input_shape().map(|shape| {
            let input = InputLayer::batch_shape(shape).name(self.input_name().unwrap_or("input_layer"));
            let input = input.dtype(self.input_dtype().keras_name());
            object(input.module(), input.class_name(), input.to_json())
        });
        let layers: Vec<Value> = input.into_iter().chain(self.layers().iter().map(layer_to_json)).collect();
        let mut config = Map::new();
        config.insert("name".into(), self.name().into());
        config.insert("layers".into(), layers.into());
        let mut model = object("keras", "Sequential", config);
        if let (Some(input), Some(model)) = (self.input_shape(), model.as_object_mut()) {
            model.insert("build_config".into(), build_config(&input));
        }
        Ok(model)
    }

    /// The model without its weights, as Keras's text.
    ///
    /// # Errors
    /// A mistake that was made while layers were added.
    pub fn to_json(&self) -> Result<String> {
        // The writer escapes everything beyond ASCII.
        Ok(cornu_files::json::to_bytes(&self.to_json_value()?)?.into_iter().map(char::from).collect())
    }

    /// A model with new weights, from the text of [`Sequential::to_json`] or of Keras.
    ///
    /// # Errors
    /// Text that is not JSON, not a sequential model, or has layers or settings that are not known.
    pub fn from_json(text: &str) -> Result<Sequential> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| Error::data(format!("a model's JSON: {error}")).caused_by(error))?;
        Self::from_json_value(&json)
    }

    /// A model with new weights, from an object of Keras.
    ///
    /// # Errors
    /// Something that is not a sequential model, or has layers or settings that are not known.
    pub fn from_json_value(json: &Value) -> Result<Sequential> {
        Self::from_config(json, None)
    }

    /// [`Sequential::from_json_value`]; with `room`, the weights are zeros until those of a file with that many numbers
    /// are read.
    pub(crate) fn from_config(json: &Value, room: Option<usize>) -> Result<Sequential> {
        let help = "only Keras's own models are read: build this one here, and take its weights by `load_weights`";
        let (class, config) = open_built_in("model", json, help)?;
        if class != "Sequential" {
            return Err(Error::unsupported(format!("expected a `Sequential` model, got `{class}`")));
        }
        let known = ["name", "trainable", "dtype", "layers", "build_input_shape"];
        refuse_unknown_keys(&config, known).context(&class)?;
        let name: Option<String> = read(&config, &class, "name", Some(None))?;
        let mut model = name.map_or_else(Sequential::new, Sequential::named);
        // Every layer has a type of its own, which is what counts.
        let dtype =
            config.get("dtype").map_or(Ok(Base::default().dtype), dtype_name).context(format!("{class}.dtype"))?;
        Base { dtype, ..Base::default() }.element().context(format!("{class}.dtype"))?;
        if !read(&config, &class, "trainable", Some(true))? {
            model.freeze();
        }
        model.parts().1.await_values(room);
        let layers = config.get("layers").and_then(Value::as_array);
        let layers = layers.ok_or_else(|| Error::data(format!("{class}.layers: expected a list of layers")))?;
        for (place, layer) in layers.iter().enumerate() {
            let name = layer.get("config").and_then(|config| config.get("name")).and_then(Value::as_str);
            let which = name.map_or_else(|| place.to_string(), |name| format!("`{}`", short(name)));
            model.add(
                <dyn Layer>::registry()
                    .read_object(layer)
                    .context(format!("model `{}`: layer {which}", model.name()))?,
            );
        }
        model.check()?;
        if let Some(shape) = input_shape(json, &config)?.filter(|_| model.input_shape().is_none()) {
            model.build_batch(&shape)?;
        }
        model.parts().1.await_values(None);
        Ok(model)
    }
}

/// The shape a model was built for, wherever it is written.
fn input_shape(json: &Value, config: &Map<String, Value>) -> Result<Option<BatchShape>> {
    let outer = json.get("build_config").and_then(|build| build.get("input_shape"));
    let shape = config.get("build_input_shape").filter(|shape| !shape.is_null()).or(outer);
    shape.map_or(Ok(None), Option::<BatchShape>::from_json).context("the shape of the model's input")
}
