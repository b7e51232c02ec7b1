//! The contract of every layer, against what Keras computed.

use std::collections::BTreeMap;

use cornu::random::Flavor;
use cornu::{Cx, Model, Sequential};
use cornu_graph::{Array, DType, Feed, Tensor, gradients};
use cornu_testkit::golden::{Report, arrays, cases, close};
use serde_json::{Value, json};

use crate::seeds::seeded;

/// The classes there are, and the cases of theirs that need what is not there yet.
const CLASSES: [&str; 5] = ["Activation", "Dense", "Dropout", "Flatten", "Rescaling"];
const MISSING: [(&str, &str); 8] = [
    ("dense__gelu_tanh", "gelu"),
    ("dense__lora", "low-rank adapters"),
    ("dense__float64", "elu"),
    ("dense__mixed_bfloat16", "mixed precision"),
    ("dense__float16", "mixed precision"),
    ("activation__swish", "silu"),
    ("activation__hard_sigmoid", "hard_sigmoid"),
    ("activation__mish", "mish"),
];

/// A model of that one layer, for inputs like `x`.
fn model_of(case: &Value, x: &Array) -> Result<Sequential, String> {
    let layer = &case["config"];
    let json = json!({ "class_name": "Sequential", "config": { "name": "model", "layers": [layer] } });
    let mut model = Sequential::from_json_value(&json).map_err(|error| error.to_string())?;
    let shape: Vec<usize> = x.shape()[1..].to_vec();
    model.build(&shape[..]).map_err(|error| error.to_string())?;
    Ok(model)
}

fn array(case: &Value, at: &str, arrays: &BTreeMap<String, Array>) -> Option<Array> {
    let found = case.pointer(at)?;
    let array = arrays.get(found["$array"].as_str()?)?.clone();
    Some(if array.dtype() == DType::F64 { array.cast(DType::F32) } else { array })
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
    if own.len() != want.len() {
        return Err(format!("got {} weights, want {}", own.len(), want.len()));
    }
    for (variable, want) in own.iter().zip(want) {
        let path = format!("model/{}", want["path"].as_str().unwrap_or_default());
        let (got, shape) = (json!(&variable.ty.shape[..]), &want["shape"]);
        if variable.path != path || got != *shape || json!(variable.trainable) != want["trainable"] {
            return Err(format!("weight: got `{}` {got}, want `{path}` {shape}", variable.path));
        }
    }
    Ok(())
}

fn numbers_fit(case: &Value, model: &mut Model, x: &Array, arrays: &BTreeMap<String, Array>) -> Result<(), String> {
    let count = case["weights"].as_array().map_or(0, Vec::len);
    let paths: Vec<String> = model.variables().weights().map(|variable| variable.path.clone()).collect();
    let (net, variables) = model.parts();
    for (i, path) in paths.iter().enumerate() {
        let value = array(case, &format!("/weights/{i}"), arrays).ok_or("a weight is missing")?;
        variables.write(path, &value).map_err(|error| error.to_string())?;
    }
    let mut cx = Cx::new(variables, false).map_err(|error| error.to_string())?;
    let input = cx.input(x.ty());
    let output = net.call(&mut cx, "model", std::slice::from_ref(&input)).map_err(|error| error.to_string())?.remove(0);
    let cotangent = array(case, "/grads/cotangents/0", arrays).ok_or("no cotangent")?;
    let total = (&output * cx.trace().constant(cotangent)).sum_all();
    let find = |path: &String| cx.variables().get(path).map(|variable| (variable.id(), variable.ty.clone()));
    let weights: Vec<Tensor> = paths.iter().filter_map(find).map(|(id, ty)| cx.trace().var(id, ty)).collect();
    let slopes = gradients(&total, &[vec![input], weights].concat());
    let penalty = cx.losses().iter().fold(total.number(0.0), |sum, loss| sum + loss);
    let graph = cx.finish(&[vec![output, penalty], slopes].concat(), &[]).map_err(|error| error.to_string())?;
    let session = variables.session().map_err(|error| error.to_string())?;
    let program = session.compile(&graph).map_err(|error| error.to_string())?;
    session.run(program, &[Feed::Whole(x)]).map_err(|error| error.to_string())?;
    let result = |index| session.output(program, index).map_err(|error| error.to_string());

    let tolerance = |part: &str, kind: &str| case["tol"][part][kind].as_f64().unwrap_or(1e-6);
    let near = |what: String, got: &Array, want: &Array, part: &str| {
        close(got, want, tolerance(part, "rtol"), tolerance(part, "atol"))
            .map_err(|problem| format!("{what}: {problem}"))
    };
    near("output".into(), &result(0)?, &array(case, "/outputs", arrays).ok_or("no output")?, "outputs")?;
    if let Some(losses) = case["losses"].as_array() {
        let want: f64 = losses.iter().filter_map(|loss| loss["$scalar"].as_f64()).sum();
        near("penalties".into(), &result(1)?, &Array::scalar(want as f32), "outputs")?;
    }
    let want = array(case, "/grads/inputs/args.0", arrays).ok_or("no gradient of the input")?;
    near("gradient of the input".into(), &result(2)?, &want, "grads")?;
    for i in 0..count {
        let got = result(3 + i)?;
        let want = array(case, &format!("/grads/weights/{i}/grad"), arrays).ok_or("no gradient of a weight")?;
        near(format!("gradient of weight {i}"), &got, &want, "grads")?;
        if (0..got.len()).all(|at| got.get(at) == 0.0) {
            return Err(format!("no gradient reaches weight {i}"));
        }
    }
    Ok(())
}

fn check(case: &Value) -> Result<(), String> {
    let arrays = arrays("layers", case["arrays"].as_str().ok_or("no arrays")?);
    let x = array(case, "/call/args/0", &arrays).ok_or("no input")?;
    let mut model = model_of(case, &x)?;
    config_returns(case, &model)?;
    unknown_key_is_refused(case)?;
    shapes_fit(case, &model)?;
    numbers_fit(case, &mut model, &x, &arrays)
}

#[test]
fn every_layer_keeps_its_contract() {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    let cases = cases("layers");
    for class in CLASSES {
        let has_cases = cases.iter().any(|case| case["class"] == class);
        report.case(class, if has_cases { Ok(()) } else { Err("Keras's numbers are missing".into()) });
    }
    for case in cases.iter().filter(|case| CLASSES.iter().any(|class| case["class"] == *class)) {
        let id = case["id"].as_str().unwrap_or_default();
        let outcome = check(case);
        match MISSING.iter().find(|(missing, _)| *missing == id) {
            None => report.case(id, outcome),
            Some((_, what)) => report.case(
                id,
                match outcome {
                    Ok(()) => Err(format!("works, though it was said to need {what}: take it off the list")),
                    Err(_) => Ok(()),
                },
            ),
        }
    }
    report.finish();
}
