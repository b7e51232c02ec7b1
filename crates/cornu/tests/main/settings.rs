//! Settings are honoured or refused: none is read and dropped.

use cornu::choice::Choice;
use cornu::constraints::{MaxNorm, MinMaxNorm};
use cornu::initializers::{Constant, RandomNormal, TruncatedNormal};
use cornu::layers::{Layer, LayerConfig};
use cornu::losses::Loss;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu::regularizers::{L1, L2};
use cornu::{Cx, Result, Tensor};
use cornu_graph::Array;
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
    cornu::layers::register::<Lookup>();
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
    let older =
        json!({ "module": "keras.mixed_precision", "class_name": "Policy", "config": { "name": "mixed_float16" } });
    for fine in [Value::Null, "float32".into(), policy("float32"), policy("float64"), policy("mixed_bfloat16"), older] {
        assert_eq!(read(fine), "");
    }
    let refused = read(policy("mixed_float8"));
    assert!(
        refused.contains("`mixed_float8` is not supported in layers, only `float32`, `mixed_bfloat16`"),
        "{refused}"
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
    let whole = input("dtype", "int32".into())?;
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

/// Whether the first line of what is refused is as wanted.
fn refused(report: &mut Report, got: Result<()>, want: &str) {
    let got = message(got);
    let first = got.lines().next().unwrap_or_default();
    report.case(want, if first == want { Ok(()) } else { Err(format!("got {first:?}")) });
}

fn dense() -> Dense {
    Dense::new(1).name("d").input_shape([2])
}

#[test]
fn numbers_of_layers_that_cannot_be_right_are_named() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let mut kernel = |layer: Dense, setting: &str, want: &str| {
        refused(&mut report, sequential![layer].check(), &format!("layer `d`: Dense.kernel_{setting}: {want}"));
    };
    let mut start =
        |start: Choice<dyn Initializer>, want: &str| kernel(dense().kernel_initializer(start), "initializer", want);
    start(RandomNormal::new().stddev(-1).into(), "RandomNormal.stddev: needs a number of 0 or more, got -1");
    let infinite = TruncatedNormal::new().mean(f64::INFINITY).stddev(-1);
    start(infinite.into(), "TruncatedNormal.mean: needs a finite number, got inf");
    let range = "needs a number within the range of `f32`, got";
    start(Constant::new().value(1e300).into(), &format!("Constant.value: {range} 1e300"));
    let mut penalty =
        |penalty: Choice<dyn Regularizer>, want: &str| kernel(dense().kernel_regularizer(penalty), "regularizer", want);
    penalty(L2::new().l2(-0.5).into(), "L2.l2: needs a number of 0 or more, got -0.5");
    penalty(L1::new().l1(f64::NAN).into(), "L1.l1: needs a finite number, got NaN");
    let mut hold = |constraint: Choice<dyn Constraint>, want: &str| {
        kernel(dense().kernel_constraint(constraint), "constraint", want);
    };
    hold(MinMaxNorm::new().rate(1.5).into(), "MinMaxNorm.rate: needs a number from 0 to 1, got 1.5");
    hold(MaxNorm::new().max_value(-2).into(), "MaxNorm.max_value: needs a number of 0 or more, got -2");

    let mut layer = |model: Sequential, want: &str| refused(&mut report, model.check(), want);
    layer(sequential![Dropout::new(-0.1).name("o")], "layer `o`: `rate` must be between 0 and 1, got -0.1");
    layer(sequential![Dropout::new(f64::NAN).name("o")], "layer `o`: Dropout.rate: needs a finite number, got NaN");
    let scaling = |scale: f64| sequential![Rescaling::new(scale).name("r")];
    layer(scaling(-1e39), &format!("layer `r`: Rescaling.scale: {range} -1e39"));
    let scaling = Rescaling::new([0.0; 0]).name("r");
    layer(sequential![scaling], "layer `r`: `scale` needs at least one number, got none");
    let scaling = Rescaling::new(1.0).offset([0.0; 0]).name("r");
    layer(sequential![scaling], "layer `r`: `offset` needs at least one number, got none");
    report.finish();
}

#[test]
fn numbers_of_training_that_cannot_be_right_are_named() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let mut with = |loss: Choice<dyn Loss>, optimizer: Choice<dyn Optimizer>, want: &str| {
        let compiled = sequential![dense()].compile(Compile::new().loss(loss).optimizer(optimizer));
        refused(&mut report, compiled, &format!("compile: {want}"));
    };
    let part = "label_smoothing: needs a number from 0 to 1, got";
    let smooth = BinaryCrossentropy::new().label_smoothing(1.5);
    with(smooth.into(), "sgd".into(), &format!("BinaryCrossentropy.{part} 1.5"));
    let smooth = CategoricalCrossentropy::new().label_smoothing(-1.0);
    with(smooth.into(), "sgd".into(), &format!("CategoricalCrossentropy.{part} -1"));
    let mut by = |optimizer: Choice<dyn Optimizer>, want: &str| with("mse".into(), optimizer, want);
    by(Adam::new().beta_1(1.0).into(), "`Adam.beta_1` needs a number below 1, got 1");
    by(Adam::new().epsilon(-0.5).into(), "Adam.epsilon: needs a number of 0 or more, got -0.5");
    by(RMSprop::new().epsilon(-1.0).into(), "RMSprop.epsilon: needs a number of 0 or more, got -1");
    by(SGD::new().clipvalue(-1.0).into(), "`SGD.clipvalue` needs a number above 0, got -1");
    by(SGD::new().global_clipnorm(0.0).into(), "`SGD.global_clipnorm` needs a number above 0, got 0");
    by(SGD::new().clipnorm(1e300).into(), "SGD.clipnorm: needs a number within the range of `f32`, got 1e300");
    by(SGD::new().ema_momentum(7.0).into(), "SGD.ema_momentum: needs a number from 0 to 1, got 7");
    for (number, got) in [(1e300, "1e300"), (-1.0, "-1.0"), (f64::NAN, "NaN")] {
        let mut model = sequential![dense()];
        let needed = "the learning rate needs a number of 0 or more within the range of `f32`";
        refused(&mut report, model.set_learning_rate(number), &format!("{needed}, got {got}"));
        let fit = Fit::new().verbose(0).class_weight([(1, number)]);
        let fitted = model.compile(Compile::new().loss("mse")).and_then(|()| model.fit(&[[1.0, 2.0]], &[1], fit));
        let needed = "`class_weight` needs weights of 0 or more within the range of `f32`";
        refused(&mut report, fitted.map(drop), &format!("{needed}, got {got} for class 1"));
    }
    report.finish();
}

#[test]
fn ranges_of_scalers_are_finite() {
    let mut report = Report::default();
    let range = MinMaxScaler::new().feature_range(0.0, f64::INFINITY).map(drop);
    refused(&mut report, range, "`feature_range` needs a finite range, got (0, inf)");
    let spread = "needs numbers whose spread is finite, got more in column 1";
    let wide = [[0.0, 1.7e308], [1.0, -1.7e308]];
    refused(&mut report, MinMaxScaler::new().fit(&wide), &format!("`MinMaxScaler` {spread}"));
    refused(&mut report, StandardScaler::new().fit(&wide), &format!("`StandardScaler` {spread}"));
    report.finish();
}

/// Keras 3.15 gives these masks for twelve ones: 2 where an element stays.
#[test]
fn seeds_of_any_size_are_those_of_keras_3() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    for (seed, want) in [
        (5i64, [0, 2, 2, 0, 2, 0, 0, 2, 2, 2, 2, 2]),
        ((1 << 40) + 7, [0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0]),
        (-1, [0, 2, 0, 0, 2, 2, 0, 2, 2, 0, 2, 2]),
    ] {
        let mut model = Sequential::named("m");
        model.add(Dropout::new(0.5).seed(seed).input_shape([12]));
        let (net, variables) = model.parts();
        let mut cx = Cx::new(variables, true)?;
        let x = Array::new([1, 12], vec![1.0f32; 12])?;
        let input = cx.input(x.ty());
        let outputs = net.call(&mut cx, &[input])?;
        let graph = cx.finish(&outputs, &[])?;
        let outputs = variables.session()?.once(&graph, &[x])?;
        assert_eq!(outputs[0].to_vec::<i64>(), want, "{seed}");
    }
    set_flavor(Flavor::Keras2);
    Ok(())
}
