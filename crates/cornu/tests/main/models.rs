//! Sequential models: files of Keras, mistakes and how they are reported.

use cornu::activations::Activation;
use cornu::display::{Style, Summary};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu::{Cx, Result};
use cornu_files::keras::Archive;
use cornu_graph::Array;
use cornu_testkit::golden::{Case, Report, cases};
use ndarray::ArrayD;
use serde_json::{Value, json};

use crate::lacks::lacks;
use crate::names::listed;
use crate::saved::{all_near, arrays, keras_file};
use crate::seeds::seeded;

fn message<T>(result: Result<T>) -> String {
    result.err().map(|error| error.to_string()).unwrap_or_default()
}

/// What the model makes of `x` outside training.
fn outputs(model: &mut Model, x: &Array) -> Result<Array> {
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let input = cx.input(x.ty());
    let output = net.call(&mut cx, &[input])?;
    let graph = cx.finish(&output, &[])?;
    Ok(variables.session()?.once(&graph, std::slice::from_ref(x))?.remove(0))
}

fn opens(json: &Value, config: &Value) -> Result<(), String> {
    let text = |error: cornu::Error| error.to_string();
    let mut model = Model::from_json_value(config).map_err(text)?;
    let again = Model::from_json_value(&model.to_json_value().map_err(text)?).map_err(text)?;
    if again.to_json().map_err(text)? != model.to_json().map_err(text)? {
        return Err("its own JSON reads back as another model".into());
    }
    let paths: Vec<&str> = model.variables().weights().map(|variable| variable.path.as_str()).collect();
    let want: Vec<&str> = json["weights"].as_array().into_iter().flatten().filter_map(|w| w["path"].as_str()).collect();
    let keras3 = json["saved_by"].as_str().is_some_and(|version| version.starts_with("keras 3"));
    // Keras leaves the names of models out where layers were built before they were added.
    let same = |(got, want): (&&str, &&str)| got == want || got.ends_with(&format!("/{want}"));
    let told = keras3 && json["weights"].is_array();
    if told && !(paths.len() == want.len() && paths.iter().zip(&want).all(same)) {
        return Err(format!("weights: got {paths:?}, want {want:?}"));
    }
    if let Some(summary) = json["summary"].as_str() {
        table_is_keras_table(&model, if keras3 { Style::Keras3 } else { Style::Keras2 }, summary)?;
    }
    model.load_weights(keras_file(json)).map_err(text)?;
    let case = Case::open("models", json);
    let Some(x) = arrays(&case, &json["inputs"]) else {
        println!("{}: predictions skipped, the manifest has no inputs", case.id);
        return Ok(());
    };
    all_near(&case, "outputs", &model.predict_all(x).map_err(text)?, &json["predictions"])
}

/// The table above the totals, which count an optimizer that is not there.
fn table_is_keras_table(model: &Model, style: Style, want: &str) -> Result<(), String> {
    let table = |text: &str| {
        text.lines().take_while(|line| !line.contains("Total")).map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let got = Summary { style, ..model.summary() }.to_string();
    if table(&got) == table(want) { Ok(()) } else { Err(format!("summary: got\n{got}want\n{want}")) }
}

#[test]
fn models_of_both_versions_open_and_predict() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    for json in &cases("models") {
        let mut config = Archive::open(keras_file(json)).expect("an archive").config;
        if let Some(object) = config.as_object_mut() {
            object.shift_remove("compile_config");
        }
        report.lacking(json["id"].as_str().expect("an id"), &lacks(&config), opens(json, &config));
    }
    report.finish();
}

#[test]
fn a_mistake_is_kept_until_the_model_is_used() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = Sequential::named("m");
    model.add(Dense::new(3).input_shape([2]).activation("rellu").name("first"));
    let known = listed(<dyn Activation>::names());
    let mistake = format!(
        "layer `first`: Dense.activation: unknown activation `rellu`; there are {known}\n  help: did you mean `relu`?"
    );
    assert_eq!(message(model.build([2])), mistake);
    assert_eq!(message(model.to_json()), mistake);

    let message_of = |model: Sequential| message(model.check());
    assert_eq!(
        message_of(sequential![Dropout::new(1.5).name("d")]),
        "layer `d`: `rate` must be between 0 and 1, got 1.5"
    );
    let mut twins = Sequential::named("m");
    twins.add(Dense::new(1).name("a")).add(Dense::new(1).name("a"));
    assert!(message_of(twins).starts_with("model `m` has two layers named `a`"));
}

#[test]
fn inputs_of_another_shape_are_explained() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = Sequential::new();
    model.add(Dense::new(3).input_shape([8]).name("hidden"));
    let x = Array::zeros(&Type::f32([4, 7]));
    assert_eq!(message(outputs(&mut model, &x)), "layer `hidden` was built for inputs of 8 features, got 7");
    let mut images = Sequential::new();
    images.add(Flatten::new().input_shape([28, 28]).name("flat"));
    let x = Array::zeros(&Type::f32([4, 784]));
    let expected = "layer `flat` was built for inputs of shape (None, 28, 28), got (4, 784)";
    assert_eq!(message(outputs(&mut images, &x)), expected);
    for open in [vec![None], vec![Some(3), None]] {
        let mut model = Sequential::new();
        model.add(Input::new(open)).add(Flatten::new()).add(Dense::new(2).name("hidden"));
        let expected = "hidden: the size of `kernel` depends on a size of the input that is left open\n  help: say every \
            size of the input but that of the batch";
        assert_eq!(message(model.check()), expected);
    }
}

#[test]
fn a_model_grows_and_shrinks() {
    let _turn = seeded(Flavor::Keras2, 42);
    clear_session();
    let mut model = Sequential::new();
    model.add(Dense::new(4)).add(Dense::new(2));
    assert_eq!((model.is_built(), model.count_params(), model.output_shape()), (false, 0, None));
    assert!(message(model.ready()).contains("is not built"));
    model.build([3]).expect("a sound model");
    assert_eq!((model.name(), model.layers()[1].name()), ("sequential", "dense_1"));
    assert_eq!(model.count_params(), 3 * 4 + 4 + 4 * 2 + 2);
    assert!(message(model.build([5])).contains("was built for inputs of shape (None, 3), got (None, 5)"));

    // What was learned survives when layers are added and taken away.
    let before = model.weights();
    let x = Array::zeros(&Type::f32([1, 3]));
    outputs(&mut model, &x).expect("a sound model");
    model.add(Dense::new(1));
    assert_eq!(model.output_shape(), Some(vec![None, Some(1)]));
    assert_eq!(model.weights()[..4], before[..]);
    assert!(model.pop().is_some());
    assert_eq!(model.weights(), before);

    let mut halves: Vec<ArrayD<f32>> = before.iter().map(|weight| weight * 0.5).collect();
    model.set_weights(&halves).expect("weights of the right shapes");
    assert_eq!(model.weights(), halves);
    let short = halves.split_off(3);
    assert_eq!(message(model.set_weights(&short)), "model `sequential` has 4 weights, got a list of 1");
    assert!(model.get_layer("dense_1").is_ok());
    assert_eq!(
        message(model.get_layer("dense_3")),
        "unknown layer `dense_3`; there are `dense`, `dense_1`\n  help: did you mean `dense`?"
    );
}

#[test]
fn what_is_no_model_is_refused() {
    let _turn = seeded(Flavor::Keras2, 1);
    let refused = |json: Value| message(Sequential::from_json_value(&json));
    assert!(refused(json!({ "class_name": "Functional", "config": {} })).contains("expected a `Sequential` model"));
    let layer = json!({ "class_name": "Dens", "config": {} });
    let unknown = refused(json!({ "class_name": "Sequential", "config": { "name": "m", "layers": [layer] } }));
    assert!(
        unknown.starts_with("model `m`: layer 0: unknown layer class `Dens`; there are `Activation`, ")
            && unknown.contains("\n  help: did you mean `Dense`?"),
        "{unknown}"
    );
    assert!(message(Sequential::from_json("{")).starts_with("a model's JSON: "));
}

#[test]
fn the_text_is_one_that_both_versions_read() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = Sequential::named("tiny");
    model.add(Input::new([6])).add(Rescaling::new(0.5).name("r")).add(Dropout::new(0.25).name("d"));
    let base = r#""trainable": true, "dtype": "float32""#;
    let ends = r#""registered_name": null, "build_config": {"input_shape": [null, 6]}}"#;
    let want = [
        r#"{"module": "keras", "class_name": "Sequential", "config": {"name": "tiny", "layers": ["#,
        r#"{"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_input_shape": [null, 6], "#,
        r#""dtype": "float32", "sparse": false, "ragged": false, "name": "input_layer"}, "registered_name": null}, "#,
        r#"{"module": "keras.layers", "class_name": "Rescaling", "config": {"name": "r", "#,
        &format!(r#"{base}, "scale": 0.5, "offset": 0.0}}, {ends}, "#),
        r#"{"module": "keras.layers", "class_name": "Dropout", "config": {"name": "d", "#,
        &format!(r#"{base}, "rate": 0.25, "seed": null, "noise_shape": null}}, {ends}]}}, {ends}"#),
    ];
    assert_eq!(model.to_json().expect("a sound model"), want.concat());
}
