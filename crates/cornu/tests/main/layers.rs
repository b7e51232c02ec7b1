//! The contract of every layer, against what Keras computed.

use cornu::layers::Layer;
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu::{Cx, Model, Sequential};
use cornu_graph::{Array, DType, Tensor, gradients};
use cornu_testkit::golden::{Case, Report, cases};
use serde_json::{Value, json};

use crate::lacks::lacks;
use crate::seeds::seeded;

/// A model of that one layer, for inputs of that shape.
fn model_of(case: &Value, shape: &[usize]) -> Result<Sequential, String> {
    let layer = &case["config"];
    let json = json!({ "class_name": "Sequential", "config": { "name": "model", "layers": [layer] } });
    let mut model = Sequential::from_json_value(&json).map_err(|error| error.to_string())?;
    if model.layers().is_empty() {
        return Ok(model);
    }
    model.build(&shape[1..]).map_err(|error| error.to_string())?;
    Ok(model)
}

/// What goes into files is what Keras wrote, but for what only one version of Keras knows.
fn config_returns(case: &Value, model: &Model) -> Result<(), String> {
    let mut want = case["config"]["config"].clone();
    let want = want.as_object_mut().ok_or("no settings")?;
    want.shift_remove("quantization_config");
    want.insert("dtype".into(), want["dtype"]["config"]["name"].clone());
    for value in want.values_mut() {
        if let Some(config) = value.get_mut("config").and_then(Value::as_object_mut) {
            config.retain(|key, value| !(value.is_null() && key.ends_with("_axes")));
        }
    }
    let got = model.layers()[0].config().to_string();
    let want = Value::Object(want.clone()).to_string();
    if got == want { Ok(()) } else { Err(format!("settings: got {got}, want {want}")) }
}

/// An input is no layer of the model, but its name and its shape are.
fn input_returns(case: &Value, model: &Model) -> Result<(), String> {
    let want = &case["config"]["config"];
    let written = model.to_json_value().map_err(|error| error.to_string())?;
    let got = &written["config"]["layers"][0]["config"];
    let sizes = |shape: &Value| shape.as_array().map(|sizes| sizes[1..].to_vec());
    let same = ["name", "dtype", "sparse", "ragged"].iter().all(|key| got[key] == want[key])
        && sizes(&got["batch_input_shape"]) == sizes(&want["batch_shape"]);
    if same { Ok(()) } else { Err(format!("settings: got {got}, want {want}")) }
}

fn unknown_key_is_refused(case: &Value) -> Result<(), String> {
    let mut wrong = case.clone();
    wrong["config"]["config"]["untis"] = json!(3);
    let json = json!({ "class_name": "Sequential", "config": { "layers": [wrong["config"]] } });
    match Sequential::from_json_value(&json) {
        Err(error) if error.message().contains("unknown key `untis`") => Ok(()),
        Err(error) => Err(format!("an unknown key gives another error: {error}")),
        Ok(_) => Err("an unknown key is accepted".into()),
    }
}

fn shapes_fit(case: &Value, model: &Model) -> Result<(), String> {
    let want = &case["output_shape_none_batch"];
    let got = json!(model.output_shape().ok_or("no output shape")?);
    if got != *want {
        return Err(format!("output shape: got {got}, want {want}"));
    }
    let want = case["weights"].as_array().ok_or("no weights")?;
    let own: Vec<_> = model.variables().weights().collect();
    let dtype = |want: &Value| DType::from_keras_name(want["dtype"].as_str().unwrap_or_default());
    if own.len() != want.len() {
        return Err(format!("got {} weights, want {}", own.len(), want.len()));
    }
    for (variable, want) in own.iter().zip(want) {
        let path = format!("model/{}", want["path"].as_str().unwrap_or_default());
        let (got, shape) = (json!(&variable.ty.shape[..]), &want["shape"]);
        let same = variable.path == path && got == *shape && Some(variable.ty.dtype) == dtype(want);
        if !same || json!(variable.trainable()) != want["trainable"] {
            return Err(format!("weight: got `{}` {}, want {want}", variable.path, variable.ty));
        }
    }
    Ok(())
}

/// Weights, input and cotangent of the case give the outputs and gradients of the case.
fn numbers_fit(case: &Case, model: &mut Model, x: &Array) -> Result<(), String> {
    let text = |error: cornu::Error| error.to_string();
    let json = case.json;
    let own: Vec<_> = model.variables().weights().cloned().collect();
    let (net, variables) = model.parts();
    for (variable, value) in own.iter().zip(case.all(&json["weights"])) {
        variable.write(&value).map_err(text)?;
    }
    let mut cx = Cx::new(variables, false).map_err(text)?;
    let input = cx.input(x.ty());
    let output = net.call(&mut cx, std::slice::from_ref(&input)).map_err(text)?.remove(0);
    let cotangent = case.array(&json["grads"]["cotangents"][0]).ok_or("no cotangent")?.cast(output.dtype());
    let total = (&output * cx.trace().constant(cotangent)).sum_all();
    let weights: Vec<Tensor> = own.iter().map(|variable| cx.trace().var(variable.id(), variable.ty.clone())).collect();
    let slopes = gradients(&total, &[vec![input], weights].concat());
    let penalty = cx.losses().iter().fold(total.number(0.0), |sum, loss| sum + loss);
    let graph = cx.finish(&[vec![output, penalty], slopes].concat(), &[]).map_err(text)?;
    let results = variables.session().and_then(|session| session.once(&graph, std::slice::from_ref(x)));
    compare(case, &results.map_err(text)?)
}

/// Output, sum of penalties, gradient of the input, gradients of the weights.
fn compare(case: &Case, results: &[Array]) -> Result<(), String> {
    let (json, grads) = (case.json, &case.json["grads"]);
    let near = |what: &str, part: &str, got: &Array, want: &Value| {
        case.near(part, got, want).map_err(|problem| format!("{what}: {problem}"))
    };
    near("output", "outputs", &results[0], &json["outputs"])?;
    if let Some(losses) = json["losses"].as_array() {
        let want: f64 = losses.iter().filter_map(|loss| loss["$scalar"].as_f64()).sum();
        near("penalties", "outputs", &results[1], &json!({ "$scalar": want, "dtype": "float32" }))?;
    }
    let slopes = std::iter::once(("the input", &grads["inputs"]["args.0"]))
        .chain(grads["weights"].as_array().into_iter().flatten().map(|weight| ("a weight", &weight["grad"])));
    for (i, (what, want)) in slopes.enumerate() {
        let (got, what) = (&results[2 + i], format!("gradient {i}, of {what}"));
        // Nothing is written where the output does not depend on it.
        let wanted = case.array(want).unwrap_or_else(|| Array::zeros(&got.ty()));
        let none = |array: &Array| (0..array.len()).all(|at| array.get(at) == 0.0);
        if none(got) && !none(&wanted) {
            return Err(format!("{what}: none reaches it"));
        }
        if !want.is_null() {
            near(&what, "grads", got, want)?;
        }
    }
    Ok(())
}

fn check(json: &Value) -> Result<(), String> {
    if json["config_only"] == true {
        let model = model_of(json, &[])?;
        input_returns(json, &model)?;
        return unknown_key_is_refused(json);
    }
    let case = Case::open("layers", json);
    let x = case.array(&json["call"]["args"][0]).ok_or("no input")?;
    let mut model = model_of(json, x.shape())?;
    config_returns(json, &model)?;
    unknown_key_is_refused(json)?;
    shapes_fit(json, &model)?;
    numbers_fit(&case, &mut model, &x)
}

/// What holds of a layer whatever its activation is.
fn check_without_activation(json: &Value) -> Result<(), String> {
    let mut plain = json.clone();
    plain["config"]["config"]["activation"] = "linear".into();
    let shape: Vec<usize> =
        serde_json::from_value(json["call"]["args"][0]["shape"].clone()).map_err(|e| e.to_string())?;
    let model = model_of(&plain, &shape)?;
    config_returns(&plain, &model)?;
    unknown_key_is_refused(&plain)?;
    shapes_fit(&plain, &model)
}

#[test]
fn every_layer_keeps_its_contract() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    let cases = cases("layers");
    let classes = <dyn Layer>::classes();
    report.has_cases(&classes, "layers", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        let (id, lacks) = (json["id"].as_str().expect("an id"), lacks(&json["config"]));
        report.lacking(id, &lacks, check(json));
        let activation = format!("`{}`", json["config"]["config"]["activation"].as_str().unwrap_or_default());
        if lacks == [activation] {
            report.case(&format!("{id} but for its activation"), check_without_activation(json));
        }
    }
    report.finish();
}
