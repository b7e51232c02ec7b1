//! Models of several inputs and outputs, and what losses know of the last activation, as both Kerases have it: the files of
//! `testdata/outputs` are written by `scripts/golden_outputs.py`.

use std::path::{Path, PathBuf};

use cornu::choice::Choice;
use cornu::losses::Loss;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::saving::Loaded;
use cornu::train::PerOutput;
use cornu::{Arrays, Result, ToArrays};
use cornu_files::keras::Archive;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden;
use ndarray::{Array1, Array2, ArrayD, s};
use serde_json::Value;

use crate::flavor_differences::{FLAVORS, near, numbers};
use crate::seeds::seeded;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/outputs").join(name)
}

fn wanted(flavor: Flavor) -> Value {
    golden::read(&file(if flavor == Flavor::Keras2 { "keras2.json" } else { "keras3.json" }))
}

/// The data of the script.
struct Rows {
    a: Array2<f32>,
    b: Array2<i32>,
    p: Array2<f32>,
    q: Array2<f32>,
    weights: Array1<f32>,
}

fn rows() -> Rows {
    Rows {
        a: Array2::from_shape_fn((12, 3), |(i, j)| (((i * 7 + j * 5) % 11) as f64 * 0.1) as f32),
        b: Array2::from_shape_fn((12, 2), |(i, j)| ((i * 5 + j * 3) % 7) as i32),
        p: Array2::from_shape_fn((12, 1), |(i, _)| ((i * 3) % 2) as f32),
        q: Array2::from_shape_fn((12, 2), |(i, j)| ((i * 3 + j) % 5) as f32 * 0.25),
        weights: Array1::from_shape_fn(12, |i| (1 + i % 3) as f32),
    }
}

/// The weights of the script.
fn fill(model: &mut Model) -> Result<()> {
    let shapes: Vec<Vec<usize>> = model.weights().iter().map(|weight| weight.shape().to_vec()).collect();
    let value = |k: usize, i: usize| ((((i * 7 + k) % 11) as f64 - 5.0) * 0.1) as f32;
    let weight = |(k, shape): (usize, Vec<usize>)| {
        let numbers = (0..shape.iter().product()).map(|i| value(k, i)).collect();
        ArrayD::from_shape_vec(shape, numbers).expect("as many as the shape has")
    };
    model.set_weights(&shapes.into_iter().enumerate().map(weight).collect::<Vec<_>>())
}

fn two_by_two(compile: Compile) -> Result<Model> {
    let (a, b) = (Input::new([3]).name("a").symbol()?, Input::new([2]).name("b").dtype("int32").symbol()?);
    let dense = |units: usize, name: &str, activation: &str| Dense::new(units).name(name).activation(activation);
    let hidden = dense(4, "hidden", "tanh").apply(&a)?;
    let other = dense(3, "other", "tanh").apply(&Rescaling::new(0.25).name("scaled").apply(&b)?)?;
    let p = dense(1, "p", "sigmoid").apply(&dense(3, "before_p", "relu").apply(&hidden)?)?;
    let mut model = Model::named("two_by_two", [a, b], [p, Dense::new(2).name("q").apply(&other)?])?;
    fill(&mut model)?;
    model.compile(compile.optimizer(Adam::from(0.01)))?;
    Ok(model)
}

fn by_name() -> Compile {
    let losses = [("p", "binary_crossentropy"), ("q", "mse")];
    let compile = Compile::new().loss(losses).loss_weights([("p", 0.75), ("q", 0.5)]);
    compile.metrics_of("p", ["accuracy"]).metrics_of("q", ["mae"])
}

fn quiet() -> Fit {
    Fit::new().batch_size(5).shuffle(false).verbose(0)
}

/// Trains, evaluates and predicts as the script did, and compares all of it.
fn check(what: &str, compile: Compile, fit: Fit, data: (Arrays, Arrays), want: &Value) -> Result<()> {
    let (x, y) = data;
    let mut model = two_by_two(compile)?;
    let history = model.fit(x.clone(), y.clone(), fit.epochs(3))?;
    let keys: Vec<&str> = want["history"].as_object().expect("figures").keys().map(String::as_str).collect();
    assert_eq!(history.keys(), keys, "{what}");
    for (key, values) in history.iter() {
        near(&format!("{what}: {key}"), values, &want["history"][key]);
    }
    let scores = model.evaluate_with(x.clone(), y, Evaluate::new().batch_size(5).verbose(0))?;
    for (key, value) in scores.iter() {
        near(&format!("{what}: evaluate {key}"), &[value], &want["evaluate"][key]);
    }
    for (i, output) in model.predict_all(x)?.iter().enumerate() {
        near(&format!("{what}: output {i}"), &output.to_vec::<f64>(), &want["predictions"][i]);
    }
    near(&format!("{what}: weights"), &numbers(&model.weights()), &want["weights"]);
    Ok(())
}

#[test]
fn trainings_of_two_inputs_and_outputs_are_those_of_keras() -> Result<()> {
    let Rows { a, b, p, q, weights } = rows();
    let x = || [("b", b.mapv(f64::from)), ("a", a.mapv(f64::from))].into_arrays();
    let named = || Ok((x()?, [("p", &p), ("q", &q)].into_arrays()?));
    let placed = || Ok::<_, cornu::Error>(((&a, &b).into_arrays()?, (&p, &q).into_arrays()?));
    for (flavor, _) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let want = &wanted(flavor)["trainings"];
        let run = |name: &str, compile: Compile, fit: Fit, data: Result<(Arrays, Arrays)>| {
            check(&format!("{flavor:?}, {name}"), compile, fit, data?, &want[name])
        };
        run("by_name", by_name(), quiet(), named())?;
        let mut in_order = Compile::new().loss(["binary_crossentropy", "mse"]).loss_weights([0.75, 0.5]);
        let metric = |name: &str| Some(vec![name.into()]);
        in_order.metrics = PerOutput::InOrder(vec![metric("accuracy"), metric("mae")]);
        run("by_place", in_order, quiet(), placed())?;
        run("one_loss_for_all", Compile::new().loss("mse"), quiet(), named())?;
        let alone = Compile::new().loss([("q", "mse")]).metrics_of("q", ["mae"]);
        run("one_loss_alone", alone.clone(), quiet(), placed())?;
        run("one_loss_alone", alone, quiet(), Ok((x()?, (&q).into_arrays()?)))?;
        let rows = s![2..9, ..];
        let validated = quiet().validation_data((a.slice(rows), b.slice(rows)), (p.slice(rows), q.slice(rows)));
        run("validation_data", by_name(), validated, named())?;
        run("validation_split", by_name(), quiet().validation_split(0.25), placed())?;
        let mut back = weights.to_vec();
        back.reverse();
        let weighted = || quiet().sample_weight([("p", weights.to_vec()), ("q", back.clone())]);
        let both = |name: &str| Compile::new().loss([("p", "mse"), ("q", "mae")]).metrics_of(name, [""; 0]);
        let both = both("p").weighted_metrics_of("p", ["mse"]).weighted_metrics_of("q", ["mse"]);
        run("weights_by_place", both, weighted(), placed())?;
        if flavor == Flavor::Keras2 {
            run("weights", by_name().weighted_metrics_of("q", ["mae"]), weighted(), named())?;
            run("metrics_for_all", Compile::new().loss("mse").metrics(["mae"]), quiet(), named())?;
        }
    }
    Ok(())
}

/// Keras 3 calls both figures `head_loss`, and reports the last.
#[test]
fn outputs_of_one_layer_are_numbered() -> Result<()> {
    let Rows { a, p, .. } = rows();
    let back = a.slice(s![..;-1, ..]).to_owned();
    for (flavor, _) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let want = &wanted(flavor)["shared_head"]["history"];
        let (left, right) = (Input::new([3]).symbol()?, Input::new([3]).symbol()?);
        let head = Dense::new(1).name("head").shared();
        let mut model = Model::new([&left, &right], [head.apply(&left)?, head.apply(&right)?])?;
        assert_eq!(model.output_names(), ["head", "head_1"]);
        fill(&mut model)?;
        model.compile(Compile::new().loss(["mse", "mae"]).optimizer("sgd"))?;
        let history = model.fit((&a, &back), (&p, p.slice(s![..;-1, ..])), quiet())?;
        near("loss", &history["loss"], &want["loss"]);
        match flavor {
            Flavor::Keras2 => near("head", &history["head_1_loss"], &want["head_1_loss"]),
            Flavor::Keras3 => near("head", &history["head_1_loss"], &want["head_loss"]),
        }
    }
    Ok(())
}

/// The model of the script, in which a layer stands behind an activation that is certain of the wrong class.
fn behind(tail: &str, activation: &str, loss: &str) -> Result<Sequential> {
    let layer = |activation: &str| {
        Dense::new(2).use_bias(false).kernel_initializer("ones").activation(activation).input_shape([2])
    };
    let mut model = Sequential::new();
    match tail {
        "activation" => model.add(layer("linear")).add(Activation::new(activation)),
        "doubles" => model.add(layer(activation).dtype("float64")),
        _ => model.add(layer(activation)),
    };
    match tail {
        "linear" => drop(model.add(Activation::new("linear"))),
        "dropout" => drop(model.add(Dropout::new(0.5))),
        "dropout_of_none" => drop(model.add(Dropout::new(0.0))),
        "flatten" => drop(model.add(Flatten::new())),
        "rescaling" => drop(model.add(Rescaling::new(1.0))),
        "model" => drop(model.add(&sequential![Input::new([2]), Activation::new("linear")].into_model())),
        _ => {}
    }
    let identity = ndarray::arr2(&[[1.0, 0.0], [0.0, 1.0]]).into_dyn();
    model.set_weights_as::<f64>(&[identity])?;
    let loss: Choice<dyn Loss> = loss.into();
    let Choice::Name(name) = &loss else { panic!("a name") };
    model.compile(Compile::new().loss(&loss).metrics([name.as_str()]).optimizer(SGD::from(0.0)))?;
    Ok(model)
}

#[test]
fn losses_look_behind_activations_where_keras_does() -> Result<()> {
    for (flavor, _) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let want = wanted(flavor);
        for (case, figures) in want["logits"].as_object().expect("cases") {
            let (loss, tail) = case.split_once(' ').expect("two words");
            let activation = if loss.starts_with("binary") { "sigmoid" } else { "softmax" };
            let mut model = behind(tail, activation, loss)?;
            let y: ArrayD<f32> = match loss.starts_with("sparse") {
                true => ndarray::arr2(&[[1.0]]).into_dyn(),
                false => ndarray::arr2(&[[0.0, 1.0]]).into_dyn(),
            };
            let mut seen = model.evaluate_with([[40.0, -40.0]], &y, Evaluate::new().verbose(0))?.values();
            if tail != "dropout" {
                seen.push(model.train_on_batch([[40.0, -40.0]], &y)?["loss"]);
            }
            near(&format!("{flavor:?}: {case}"), &seen, figures);
        }
    }
    Ok(())
}

/// A file of either Keras goes on training here, and what is written says of outputs what was in it.
#[test]
fn settings_by_output_are_read_and_written_as_keras_does() -> Result<()> {
    let Rows { a, b, p, q, .. } = rows();
    let folder = Folder::new("outputs");
    for (flavor, _) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let name = if flavor == Flavor::Keras2 { "keras2.keras" } else { "keras3.keras" };
        let want = wanted(flavor);
        let mut model = load_model(file(name))?;
        let own = folder.join("m.keras");
        model.save(&own)?;
        for model in [&mut model, &mut load_model(&own)?] {
            let history = model.fit((&a, &b), (&p, &q), quiet())?;
            for (key, values) in history.iter() {
                near(&format!("{name}: {key}"), values, &want["goes_on"][key]);
            }
        }
        for (case, config) in want["compile_configs"].as_object().expect("settings") {
            let mut archive = Archive::open(file(name))?;
            archive.config["compile_config"] = config.clone();
            archive.save(&own)?;
            let Loaded { model, warnings } = load_model_with(&own, Load::new())?;
            assert_eq!(warnings, [], "{case}");
            model.save(&own)?;
            let written = &Archive::open(&own)?.config["compile_config"];
            for key in ["loss", "loss_weights", "metrics"] {
                let none = config[key].is_null() && (written[key].is_null() || written[key] == serde_json::json!([]));
                assert!(none || written[key] == config[key], "{case}: {} for {}", written[key], config[key]);
            }
        }
    }
    Ok(())
}

fn message<T>(result: Result<T>) -> String {
    result.err().map(|error| error.message().to_owned()).unwrap_or_default()
}

#[test]
fn what_does_not_fit_several_outputs_is_told() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let Rows { a, b, p, q, .. } = rows();
    let refused = |compile: Compile| message(two_by_two(compile));
    let text = refused(Compile::new().loss([("p", "mse"), ("r", "mse")]));
    assert_eq!(text, "compile: `loss` has no output `r`; there are `p`, `q`");
    let text = refused(Compile::new().loss(["mse", "mse", "mse"]));
    assert_eq!(text, "compile: `loss` needs 2, one for each output, got 3");
    let text = refused(Compile::new().loss("mse").loss_weights([1.0]));
    assert_eq!(text, "compile: `loss_weights` needs 2, one for each output, got 1");
    let text = refused(Compile::new().loss("mse").loss_weights([1.0, f64::NAN]));
    assert_eq!(text, "compile: `loss_weights` needs finite numbers within the range of `f32`, got NaN");
    let text = refused(Compile::new().loss("mse").metrics(["mae"]));
    assert_eq!(text, "compile: a list of metrics needs one for each of 2 outputs");
    let text = refused(Compile::new().loss([("p", "mse"); 0]));
    assert_eq!(text, "`compile` needs a loss");
    let mut model = two_by_two(by_name())?;
    assert_eq!(message(model.fit(&a, &p, quiet())), "the model takes 2 inputs, got 1");
    let text = message(model.fit((&a, &b), &p, quiet()));
    assert_eq!(text, "`y` needs 2 arrays, one for each output, got 1");
    let text = message(model.fit((&a, &b), [("p", &p), ("r", &q)], quiet()));
    assert_eq!(text, "`y` has no `r`; there are `p`, `q`");
    let text = message(model.fit((&a, &b), [("q", &q)], quiet()));
    assert_eq!(text, "there are no labels `y[\"p\"]`");
    let text = message(model.fit((&a, &b), (&q, &p), quiet()));
    assert!(text.starts_with("fit: output `p`: `BinaryCrossentropy` needs "), "{text}");
    let text = message(model.fit((&a, &b), (&p, &q), quiet().class_weight([(0, 1.0), (1, 2.0)])));
    assert_eq!(text, "`class_weight` needs a model of one output");
    let mut one = sequential![Dense::new(1).input_shape([3]).name("only")];
    one.compile(Compile::new().loss([("only", "mse")]))?;
    one.fit(&a, [("only", &p)], quiet())?;
    assert_eq!(message(one.fit(&a, (&p, &p), quiet())), "`y` needs 1 array, one for each output, got 2");
    assert_eq!(message(one.fit([("b", &a)], &p, quiet())), "`x` has no `b`; there are `input_layer`");
    let text = message(one.fit(&a, &p, quiet().sample_weight([("only", vec![1.0, -1.0])])));
    assert_eq!(text, "`sample_weight` needs one weight for each of 12 rows, got [2]");
    assert_eq!(message(model.predict((&a, &b))), "`predict` gives one array, but the model has 2 outputs");
    let text = message(model.predict_all((&a, &b.mapv(|x| f64::from(x) + 0.5))));
    assert_eq!(text, "`x[\"b\"]` needs numbers that the input's type `int32` can hold, got 0.5 in row 0");
    Ok(())
}

#[test]
fn summaries_of_functional_models_are_those_of_keras_3() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let want = wanted(Flavor::Keras3);
    let model = two_by_two(Compile::new().loss("mse"))?;
    let same = |model: &Model, name: &str| {
        let want = want["summaries"][name].as_str().expect("a text");
        assert_eq!(model.summary().to_string().trim_end(), want.trim_end(), "{name}");
    };
    same(&model, "two_by_two");
    model.predict_all((&rows().a, &rows().b))?;
    same(&model, "two_by_two");
    let x = Input::new([3]).name("pixels").symbol()?;
    let encoder = Model::named("encoder", [&x], [Dense::new(2).activation("tanh").name("code").apply(&x)?])?.layer();
    let (left, right) = (Input::new([3]).name("left").symbol()?, Input::new([3]).name("right").symbol()?);
    let head = Dense::new(1).activation("sigmoid").name("head").shared();
    let outputs = [head.apply(&encoder.apply(&left)?)?, head.apply(&encoder.apply(&right)?)?];
    same(&Model::named("siamese", [left, right], outputs)?, "siamese");
    Ok(())
}

/// Keras's `Input(())`: a sample is one number, also where a column is given.
#[test]
fn samples_may_be_single_numbers() {
    let _turn = seeded(Flavor::Keras3, 1);
    let place = Input::new(()).dtype("int32").symbol().expect("an input");
    let known = Embedding::new(5, 3).apply(&place).expect("a layer");
    let mut model = Model::new([place], [Dense::new(1).apply(&known).expect("a layer")]).expect("a model");
    model.compile(Compile::new().loss("mse")).expect("settings");
    let (x, y) = (Array1::from_vec(vec![4, 0, 2, 1]), Array1::<f32>::zeros(4));
    model.fit(&x, &y, Fit::new().verbose(0)).expect("a fit");
    let predicted = model.predict(&x).expect("predictions");
    assert_eq!(predicted.shape(), [4, 1]);
    assert_eq!(model.predict(&x.insert_axis(ndarray::Axis(1))).expect("predictions"), predicted);
}
