//! The shape of what a model is given.

use cornu_graph::{Context, DataKind, Error, Result, Tensor};
use serde_json::{Map, Value, json};

use super::base::dtype_name;
use super::{Base, BatchShape, IntoShape, Layer, LayerConfig};
use crate::config::{Config, Field, FieldSpec, FromConfig, Kind, Setting, read, refuse_unknown_keys};
use crate::trace::Cx;

/// The type of an input that names none, whatever the policy of new layers.
const SINGLES: &str = "float32";

/// The first layer of a model: says what one sample is, and hands it on.
#[derive(Clone, Debug, PartialEq)]
pub struct InputLayer {
    base: Base,
}

/// What Keras users write for an [`InputLayer`]: `Input::new([8])`.
pub type Input = InputLayer;

impl InputLayer {
    /// Samples of that shape.
    pub fn new(shape: impl IntoShape) -> Self {
        Self::batch_shape([vec![None], shape.into_shape()].concat())
    }

    /// Batches of that shape; `None` where it may vary.
    pub fn batch_shape(shape: impl IntoShape) -> Self {
        InputLayer { base: Base { batch_shape: Some(shape.into_shape()), dtype: SINGLES.into(), ..Base::default() } }
    }

    /// The name of the layer.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.base.name = Some(name.into());
        self
    }

    /// The type of the numbers, by Keras's name: `"float32"`, `"uint8"`. Numbers that it cannot hold are refused. `"string"`
    /// is one of texts.
    #[must_use]
    pub fn dtype(mut self, dtype: impl Into<String>) -> Self {
        self.base.dtype = dtype.into();
        self
    }
}

impl LayerConfig for InputLayer {
    fn base(&self) -> &Base {
        &self.base
    }
}

impl Config for InputLayer {
    fn class_name(&self) -> &str {
        Self::CLASS
    }
    fn module(&self) -> &str {
        Self::PACKAGE
    }
    fn settings(&self) -> Vec<Setting<'_>> {
        Vec::new()
    }

    /// With the key of Keras 2, which both versions read; Keras 2 does not read `batch_shape`.
    fn to_json(&self) -> Map<String, Value> {
        let config = json!({
            "batch_input_shape": self.base.batch_shape.to_json(),
            "dtype": self.base.dtype,
            "sparse": false,
            "ragged": false,
            "name": self.base.name,
        });
        config.as_object().cloned().unwrap_or_default()
    }
}

impl FromConfig for InputLayer {
    const CLASS: &'static str = "InputLayer";
    const PACKAGE: &'static str = "keras.layers";

    fn fields() -> Vec<FieldSpec> {
        let field = |name: &'static str, kind: Kind, default: Value, doc: &'static str| FieldSpec {
            name: name.into(),
            kind,
            default: Some(default),
            doc: doc.into(),
            marks: Vec::new(),
        };
        vec![
            field("batch_shape", Option::<BatchShape>::kind(), Value::Null, "The shape of a batch."),
            field("dtype", Kind::Text, SINGLES.into(), "The type of the numbers."),
            field("name", Option::<String>::kind(), Value::Null, "The name of the layer."),
        ]
    }

    /// Keras 2 writes `batch_input_shape`, Keras 3 `batch_shape`.
    fn from_json(config: &Map<String, Value>) -> Result<Self> {
        let class = Self::CLASS;
        let known = ["batch_shape", "batch_input_shape", "dtype", "sparse", "ragged", "name", "optional"];
        refuse_unknown_keys(config, known).context(class)?;
        let dense = "only dense inputs are supported";
        let given = "only inputs that are always given are supported";
        for (key, why) in [("sparse", dense), ("ragged", dense), ("optional", given)] {
            if read(config, class, key, Some(false))? {
                return Err(Error::unsupported(format!("{class}.{key}: {why}")));
            }
        }
        let older: Option<BatchShape> = read(config, class, "batch_input_shape", Some(None))?;
        let batch_shape = read(config, class, "batch_shape", Some(older))?;
        let dtype = config.get("dtype").filter(|json| !json.is_null()).map_or(Ok(SINGLES.into()), dtype_name)?;
        let name = read(config, class, "name", Some(None))?;
        Ok(InputLayer { base: Base { name, dtype, batch_shape, ..Base::default() } })
    }
}

impl Layer for InputLayer {
    fn supports_masking(&self) -> bool {
        true
    }

    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        cx.unchanged(x)
    }

    fn check_settings(&self) -> Result<()> {
        match DataKind::from_keras_name(&self.base.dtype) {
            Some(_) => Ok(()),
            None => {
                Err(Error::unsupported(format!("the element type `{}` is not supported in inputs", self.base.dtype))
                    .help("use `float32`"))
            }
        }
    }
}
