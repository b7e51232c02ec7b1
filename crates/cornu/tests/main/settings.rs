//! Settings are honoured or refused: none is read and dropped.

use cornu::choice::Choice;
use cornu::config::OneOrMany;
use cornu::layers::{Layer, LayerConfig};
use cornu::losses::Loss;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_testkit::golden::Report;
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

/// The first line of what each refuses.
fn refused(report: &mut Report, got: Result<()>, want: &str) {
    let got = message(got);
    let first = got.lines().next().unwrap_or_default();
    report.case(want, if first == want { Ok(()) } else { Err(format!("got {first:?}")) });
}

#[test]
fn numbers_that_cannot_be_right_are_named_with_their_setting() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let dense = || Dense::new(1).name("d").input_shape([2]);
    let start = |kernel: Initializer| sequential![dense().kernel_initializer(kernel)].check();
    let penalty = |penalty: Regularizer| sequential![dense().kernel_regularizer(penalty)].check();
    let hold = |constraint: Constraint| sequential![dense().kernel_constraint(constraint)].check();
    let layer = |model: Sequential| model.check();
    let with = |loss: Choice<dyn Loss>, optimizer: Choice<dyn Optimizer>| {
        sequential![dense()].compile(Compile::new().loss(loss).optimizer(optimizer))
    };
    let by = |optimizer: Choice<dyn Optimizer>| with("mse".into(), optimizer);
    let to = |loss: Choice<dyn Loss>| with(loss, "sgd".into());
    let normal = Initializer::RandomNormal { mean: 0.0, stddev: -1.0, seed: None };
    let cut = Initializer::TruncatedNormal { mean: f64::INFINITY, stddev: 1.0, seed: None };
    let axis = OneOrMany::One(0);
    let norms =
        |min_value, max_value, rate| Constraint::MinMaxNorm { min_value, max_value, rate, axis: OneOrMany::One(0) };
    for (got, want) in [
        (
            start(normal),
            "layer `d`: Dense.kernel_initializer: RandomNormal.stddev: needs a number of 0 or more, got -1",
        ),
        (start(cut), "layer `d`: Dense.kernel_initializer: TruncatedNormal.mean: needs a finite number, got inf"),
        (
            start(Initializer::Constant { value: 1e300 }),
            "layer `d`: Dense.kernel_initializer: Constant.value: needs a number within the range of `f32`, got 1e300",
        ),
        (
            penalty(Regularizer::L2 { l2: -0.5 }),
            "layer `d`: Dense.kernel_regularizer: L2.l2: needs a number of 0 or more, got -0.5",
        ),
        (
            penalty(Regularizer::L1 { l1: f64::NAN }),
            "layer `d`: Dense.kernel_regularizer: L1.l1: needs a finite number, got NaN",
        ),
        (
            hold(Constraint::MaxNorm { max_value: -2.0, axis }),
            "layer `d`: Dense.kernel_constraint: MaxNorm.max_value: needs a number of 0 or more, got -2",
        ),
        (
            hold(norms(0.0, 1.0, 1.5)),
            "layer `d`: Dense.kernel_constraint: MinMaxNorm.rate: needs a number from 0 to 1, got 1.5",
        ),
        (layer(sequential![Dropout::new(-0.1).name("o")]), "layer `o`: `rate` must be between 0 and 1, got -0.1"),
        (
            layer(sequential![Dropout::new(f64::NAN).name("o")]),
            "layer `o`: Dropout.rate: needs a finite number, got NaN",
        ),
        (
            layer(sequential![Rescaling::new([0.0; 0]).name("r")]),
            "layer `r`: `scale` needs at least one number, got none",
        ),
        (layer(sequential![Rescaling::new(1e-39 / 1e300).name("r")]), ""),
        (
            layer(sequential![Rescaling::new(-1e39).name("r")]),
            "layer `r`: Rescaling.scale: needs a number within the range of `f32`, got -1e39",
        ),
        (
            layer(sequential![Rescaling::new(1.0).offset([0.0; 0]).name("r")]),
            "layer `r`: `offset` needs at least one number, got none",
        ),
        (
            to(BinaryCrossentropy::new().label_smoothing(1.5).into()),
            "compile: BinaryCrossentropy.label_smoothing: needs a number from 0 to 1, got 1.5",
        ),
        (
            to(CategoricalCrossentropy::new().label_smoothing(-1.0).into()),
            "compile: CategoricalCrossentropy.label_smoothing: needs a number from 0 to 1, got -1",
        ),
        (by(Adam::new().beta_1(1.0).into()), "compile: `Adam.beta_1` needs a number below 1, got 1"),
        (by(Adam::new().epsilon(-1e-7).into()), "compile: Adam.epsilon: needs a number of 0 or more, got -0.0000001"),
        (by(RMSprop::new().epsilon(-1.0).into()), "compile: RMSprop.epsilon: needs a number of 0 or more, got -1"),
        (by(SGD::new().clipvalue(-1.0).into()), "compile: `SGD.clipvalue` needs a number above 0, got -1"),
        (by(SGD::new().global_clipnorm(0.0).into()), "compile: `SGD.global_clipnorm` needs a number above 0, got 0"),
        (
            by(SGD::new().clipnorm(1e300).into()),
            "compile: SGD.clipnorm: needs a number within the range of `f32`, got 1e300",
        ),
        (by(SGD::new().ema_momentum(7.0).into()), "compile: SGD.ema_momentum: needs a number from 0 to 1, got 7"),
    ] {
        refused(&mut report, got, want);
    }
    let weighed = |weight: f64| {
        let mut model = sequential![dense()];
        model.compile(Compile::new().loss("mse"))?;
        model.fit(&[[1.0, 2.0]], &[1], Fit::new().verbose(0).class_weight([(1, weight)])).map(drop)
    };
    let needed = "`class_weight` needs weights of 0 or more within the range of `f32`";
    refused(&mut report, weighed(1e300), &format!("{needed}, got 1e300 for class 1"));
    refused(&mut report, weighed(-1.0), &format!("{needed}, got -1.0 for class 1"));
    refused(&mut report, weighed(f64::NAN), &format!("{needed}, got NaN for class 1"));
    let range = MinMaxScaler::new().feature_range(0.0, f64::INFINITY).map(drop);
    refused(&mut report, range, "`feature_range` needs a finite range, got (0.0, inf)");
    let spread = "needs numbers whose spread is finite, got more in column 1";
    let wide = [[0.0, 1.7e308], [1.0, -1.7e308]];
    refused(&mut report, MinMaxScaler::new().fit(&wide), &format!("`MinMaxScaler` {spread}"));
    refused(&mut report, StandardScaler::new().fit(&wide), &format!("`StandardScaler` {spread}"));
    report.finish();
}
