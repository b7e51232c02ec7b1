//! The contract of every layer, against what Keras computed.

use cornu::Sequential;
use cornu::config::Field;
use cornu::layers::{Layer, LayerRef};
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu_graph::DType;
use cornu_testkit::golden::{Case, Report, cases};
use serde_json::{Value, json};

use crate::lacks::lacks;
use crate::layer_calls::{LayerCall, numbers_fit, slopes_are_differences};
use crate::lookups::on_host;
use crate::seeds::seeded;

/// What Keras wrote, but for what only one version of it knows, and with policies by their names.
fn as_both_write(json: &Value) -> Value {
    match json {
        Value::Array(list) => list.iter().map(as_both_write).collect(),
        Value::Object(object) if object.get("class_name").is_some_and(|class| class == "DTypePolicy") => {
            json["config"]["name"].clone()
        }
        Value::Object(object) => {
            let of_one = |key: &str, value: &Value| match key {
                "build_config" => true,
                "quantization_config" | "lora_rank" | "lora_alpha" => value.is_null(),
                _ => value.is_null() && key.ends_with("_axes"),
            };
            let kept = object.iter().filter(|(key, value)| !of_one(key, value));
            Value::Object(kept.map(|(key, value)| (key.clone(), as_both_write(value))).collect())
        }
        other => other.clone(),
    }
}

/// What goes into files is what Keras wrote, in its order.
fn config_returns(case: &Value, layer: &LayerRef) -> Result<(), String> {
    let (got, want) = (as_both_write(&layer.config().into()), as_both_write(&case["config"]["config"]));
    let keys = |json: &Value| json.as_object().map(|object| object.keys().cloned().collect::<Vec<_>>());
    if got == want && keys(&got) == keys(&want) { Ok(()) } else { Err(format!("settings: got {got}, want {want}")) }
}

/// An input is no layer of the model, but its name and its shape are.
fn input_returns(case: &Value) -> Result<(), String> {
    let json = json!({ "class_name": "Sequential", "config": { "name": "model", "layers": [case["config"]] } });
    let written = Sequential::from_json_value(&json).and_then(|model| model.to_json_value());
    let written = written.map_err(|error| error.to_string())?;
    let (want, got) = (&case["config"]["config"], &written["config"]["layers"][0]["config"]);
    let sizes = |shape: &Value| shape.as_array().map(|sizes| sizes[1..].to_vec());
    let same = ["name", "dtype", "sparse", "ragged"].iter().all(|key| got[key] == want[key])
        && sizes(&got["batch_input_shape"]) == sizes(&want["batch_shape"]);
    if same { Ok(()) } else { Err(format!("settings: got {got}, want {want}")) }
}

fn unknown_key_is_refused(case: &Value) -> Result<(), String> {
    let mut wrong = case["config"].clone();
    wrong["config"]["untis"] = json!(3);
    match LayerRef::from_json(&wrong) {
        Err(error) if error.message().contains("unknown key `untis`") => Ok(()),
        Err(error) => Err(format!("an unknown key gives another error: {error}")),
        Ok(_) => Err("an unknown key is accepted".into()),
    }
}

/// The shapes of the outputs for batches of any size, unless Keras does not tell them or the batch was fixed.
fn shapes_fit(case: &Value, call: &LayerCall) -> Result<(), String> {
    let want = &case["output_shape_none_batch"];
    let lists = if want[0].is_array() { want.as_array().cloned() } else { Some(vec![want.clone()]) };
    let without_batch = |shape: &Value| shape.as_array().map(|sizes| sizes.iter().skip(1).cloned().collect::<Vec<_>>());
    let (mut want, got) = (lists.unwrap_or_default(), call.output_shapes());
    // Keras tells the shape of two unequal directions as that of two equal ones: what it gave counts.
    let alone = &case["outputs"]["shape"];
    if let ([told], true) = (&mut want[..], alone.is_array())
        && without_batch(told) != without_batch(alone)
    {
        *told = alone.clone();
        told[0] = Value::Null;
    }
    let same = want.len() == got.len()
        && want
            .iter()
            .zip(&got)
            .all(|(want, got)| if call.is_open() { want == got } else { without_batch(want) == without_batch(got) });
    if same || want == [Value::Null] { Ok(()) } else { Err(format!("output shapes: got {got:?}, want {want:?}")) }
}

/// Names, types, order and will to learn of the weights. The path of a layer within another may begin with it.
fn weights_fit(case: &Value, call: &LayerCall) -> Result<(), String> {
    let want = case["weights"].as_array().ok_or("no weights")?;
    let own: Vec<_> = call.model().variables().weights().collect();
    let dtype = |want: &Value| DType::from_keras_name(want["dtype"].as_str().unwrap_or_default());
    if own.len() != want.len() {
        return Err(format!("got {} weights, want {}", own.len(), want.len()));
    }
    for (variable, want) in own.iter().zip(want) {
        let path = format!("/{}", want["path"].as_str().unwrap_or_default());
        let (got, shape) = (json!(&variable.ty.shape[..]), &want["shape"]);
        let same = variable.path.ends_with(&path) && got == *shape && Some(variable.ty.dtype) == dtype(want);
        if !same || json!(variable.trainable()) != want["trainable"] {
            return Err(format!("weight: got `{}` {}, want {want}", variable.path, variable.ty));
        }
    }
    Ok(())
}

/// What holds of a layer whatever its numbers are.
fn settings_and_shapes_fit<'a>(json: &'a Value, config: &Value) -> Result<LayerCall<'a>, String> {
    let layer = LayerRef::from_json(config).map_err(|error| error.to_string())?;
    config_returns(&json!({ "config": config }), &layer)?;
    unknown_key_is_refused(json)?;
    let call = LayerCall::new(Case::open("layers", json), &layer, false)?;
    shapes_fit(json, &call)?;
    weights_fit(json, &call)?;
    Ok(call)
}

fn check(json: &Value) -> Result<(), String> {
    if json["config_only"] == true {
        input_returns(json)?;
        return unknown_key_is_refused(json);
    }
    let layer = LayerRef::from_json(&json["config"]).map_err(|error| error.to_string())?;
    if layer.layer().host().is_some() {
        config_returns(json, &layer)?;
        unknown_key_is_refused(json)?;
        return on_host(&Case::open("layers", json), &layer);
    }
    numbers_fit(&mut settings_and_shapes_fit(json, &json["config"])?)
}

/// What holds of a layer whatever its activation is.
fn check_without_activation(json: &Value) -> Result<(), String> {
    let mut plain = json["config"].clone();
    plain["config"]["activation"] = "linear".into();
    settings_and_shapes_fit(json, &plain).map(drop)
}

#[test]
fn every_layer_keeps_its_contract() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    let cases = cases("layers");
    let classes = <dyn Layer>::classes();
    report.has_cases(&classes, "layers", "class");
    for json in &cases {
        let (id, lacks) = (json["id"].as_str().expect("an id"), lacks(&json["config"]));
        report.lacking(id, &lacks, check(json));
        let activation = format!("`{}`", json["config"]["config"]["activation"].as_str().unwrap_or_default());
        if lacks == [activation] {
            report.case(&format!("{id} but for its activation"), check_without_activation(json));
        }
    }
    report.finish();
}

/// Settings in which all numbers are doubles.
fn in_doubles(json: &Value) -> Value {
    match json {
        Value::Array(list) => list.iter().map(in_doubles).collect(),
        Value::Object(object) => {
            let of = |(key, value): (&String, &Value)| {
                let value = if key == "dtype" { "float64".into() } else { in_doubles(value) };
                (key.clone(), value)
            };
            Value::Object(object.iter().map(of).collect())
        }
        other => other.clone(),
    }
}

#[test]
fn slopes_of_every_layer_are_differences() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut report = Report::default();
    let has_slopes = |json: &&Value| json["grads"].is_object() && json["calls"].is_null();
    for json in cases("layers").iter().filter(has_slopes).filter(|json| lacks(&json["config"]).is_empty()) {
        let layer = LayerRef::from_json(&in_doubles(&json["config"])).map_err(|error| error.to_string());
        let call = layer.and_then(|layer| LayerCall::new(Case::open("layers", json), &layer, true));
        let outcome = call.and_then(|mut call| slopes_are_differences(&mut call));
        report.case(json["id"].as_str().expect("an id"), outcome);
    }
    report.finish();
}
