//! Settings are honoured or refused: none is read and dropped.

use cornu::layers::{Layer, LayerConfig};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use serde_json::{Value, json};

use crate::seeds::seeded;

cornu::config! {
    /// A layer whose settings are called as those that every layer has.
    "settings.tests" pub layer Lookup {
        /// How many rows the table has.
        input_dim: usize,
        /// A path.
        name: String,
        /// A list of texts.
        dtype: Vec<String>,
        /// Whether the table may be trained on.
        trainable: String = "yes".into(),
        /// Not a shape.
        input_shape: String = "narrow".into(),
        /// Not a shape either.
        batch_input_shape: i64 = 0,
        /// Not a regularizer.
        activity_regularizer: f64 = 0.0,
        /// Not about quantization.
        quantization_config: bool = false,
    }
}

impl Layer for Lookup {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        x
    }
}

fn message<T>(result: Result<T>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

fn model(layers: &Value) -> Result<Sequential> {
    Sequential::from_json_value(&json!({ "class_name": "Sequential", "config": { "name": "m", "layers": layers } }))
}

#[test]
fn a_layers_own_settings_win_over_those_of_every_layer() {
    let _turn = seeded(Flavor::Keras2, 1);
    cornu::register::<Lookup>();
    let config = json!({
        "input_dim": 1000, "name": "a/b", "dtype": ["x"], "trainable": "no", "input_shape": "wide",
        "batch_input_shape": -3, "activity_regularizer": 0.5, "quantization_config": true,
    });
    let model = model(&json!([{ "module": "settings.tests", "class_name": "Lookup", "config": config,
        "registered_name": "settings.tests>Lookup" }]))
    .expect("a sound model");
    assert_eq!(model.input_shape(), None);
    let set = Lookup::new(3usize, "b", ["y".to_owned()]).input_shape("low").trainable("no").batch_input_shape(7);
    assert_eq!((set.input_shape.as_str(), set.trainable.as_str(), set.batch_input_shape), ("low", "no", 7));
    let layer = model.layers()[0];
    let own = layer.settings::<Lookup>().expect("the class it was read as");
    assert_eq!((own.input_dim, own.name.as_str(), own.dtype.len()), (1000, "a/b", 1));
    assert_eq!((own.input_shape.as_str(), own.batch_input_shape), ("wide", -3));
    assert_eq!(own.base(), &cornu::layers::Base::default());
    assert!(layer.trainable());
    let (written, read) = (layer.config(), config);
    for (key, value) in read.as_object().expect("an object") {
        assert_eq!(&written[key], value, "{key}");
    }
}

#[test]
fn a_model_that_does_not_learn_stays_as_it_is() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let dense = |trainable: bool| {
        let config = json!({ "units": 1, "trainable": trainable, "name": "d" });
        json!({ "module": "keras.layers", "class_name": "Dense", "config": config })
    };
    for (whole, layer) in [(false, true), (true, false), (false, false), (true, true)] {
        let json = json!({ "class_name": "Sequential", "config": {
            "name": "m", "trainable": whole, "layers": [dense(layer)], "build_input_shape": [null, 2],
        }});
        let mut model = Sequential::from_json_value(&json)?;
        let learns = whole && layer;
        assert_eq!(model.layers()[0].trainable(), learns, "{json}");
        assert_eq!(model.layers()[0].config()["trainable"], learns, "{json}");
        model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
        let before = model.weights();
        model.fit(&[[1.0, 2.0], [3.0, -1.0]], &[5.0, 7.0], Fit::new().verbose(0))?;
        assert_eq!(model.weights() != before, learns, "{json}");
        let again = Sequential::from_json(&model.to_json()?)?;
        assert_eq!(again.layers()[0].trainable(), learns, "{json}");
    }
    Ok(())
}

#[test]
fn the_type_of_a_model_is_that_of_its_layers_or_refused() {
    let _turn = seeded(Flavor::Keras2, 1);
    let read = |dtype: Value| {
        let dense = json!({ "module": "keras.layers", "class_name": "Dense", "config": { "units": 1 } });
        let config = json!({ "name": "m", "dtype": dtype, "layers": [dense] });
        message(Sequential::from_json_value(&json!({ "class_name": "Sequential", "config": config })))
    };
    let policy = |name: &str| json!({ "module": "keras", "class_name": "DTypePolicy", "config": { "name": name } });
    for fine in [Value::Null, "float32".into(), policy("float32"), policy("float64")] {
        assert_eq!(read(fine), "");
    }
    assert!(
        read(policy("mixed_float16")).contains("`mixed_float16` is not supported"),
        "{}",
        read(policy("mixed_float16"))
    );
    assert!(read(json!("int8")).contains("`int8` is not supported"));
}

#[test]
fn what_an_input_says_counts() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let input = |key: &str, value: Value| {
        let mut config = json!({ "batch_shape": [null, 2], "name": "i" });
        config[key] = value;
        model(&json!([
            { "module": "keras.layers", "class_name": "InputLayer", "config": config },
            { "module": "keras.layers", "class_name": "Dense", "config": { "units": 1, "kernel_initializer": "ones" } },
        ]))
    };
    assert_eq!(input("optional", false.into())?.count_params(), 3);
    assert_eq!(
        message(input("optional", true.into())),
        "model `m`: layer `i`: InputLayer.optional: only inputs that are always given are supported"
    );
    assert!(message(input("dtype", "string".into())).contains("`string`"));
    // Keras makes whole numbers of the input; what is none is told here.
    let mut whole = input("dtype", "int32".into())?;
    assert_eq!(whole.predict(&[[1.0, 2.0]])?[[0, 0]], 3.0);
    assert_eq!(
        message(whole.predict(&[[1.0, 2.0], [1.75, 2.0]])),
        "`x` needs numbers that the input's type `int32` can hold, got 1.75 in row 1"
    );
    assert!(message(whole.predict(&[[1e12, 2.0]])).contains("got 1000000000000.0 in row 0"));
    assert!(whole.to_json()?.contains(r#""dtype": "int32""#));
    let again = Sequential::from_json(&whole.to_json()?)?;
    assert_eq!(again.to_json()?, whole.to_json()?);
    Ok(())
}
