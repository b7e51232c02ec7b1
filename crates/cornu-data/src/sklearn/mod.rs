//! What scikit-learn's scores and splits make of the same data (testdata/golden/sklearn-score): each case names a
//! function, its arguments and settings.

use std::sync::Arc;

use cornu_array::{Array, Error, Result};
use cornu_testkit::golden::{self, Report};
use cornu_testkit::lists::items;
use serde_json::{Value as Json, json};

use crate::{Scalar, ToArray, ToLabels, Value, Values};

mod scores;
mod splits;

/// What is called by a name.
type Call = fn(&Case<'_>) -> Result<Json>;

/// A case, and the arrays it means by name.
struct Case<'a> {
    json: &'a Json,
    data: &'a Json,
}

/// A wrong case: it fails its test.
fn unknown(what: &str, json: &Json) -> Error {
    Error::unsupported(format!("the test knows no {what} {json}"))
}

impl<'a> Case<'a> {
    fn look_up(&self, json: &'a Json) -> &'a Json {
        json["data"].as_str().map_or(json, |name| &self.data[name])
    }

    fn arg(&self, place: usize) -> Result<Data> {
        Data::of(self.look_up(&self.json["args"][place]))
    }

    fn settings(&self) -> impl Iterator<Item = (&'a str, &'a Json)> {
        self.json["settings"].as_object().into_iter().flatten().map(|(key, value)| (&**key, self.look_up(value)))
    }

    fn setting(&self, name: &str) -> &'a Json {
        self.look_up(&self.json["settings"][name])
    }
}

/// A list of numbers, or of labels that are none.
#[derive(Debug)]
enum Data {
    Array(Array),
    Labels(Values),
}

impl Data {
    fn of(json: &Json) -> Result<Data> {
        let single = &json["float32"];
        let (json, dtype) = if single.is_null() { (json, None) } else { (single, Some(cornu_array::DType::F32)) };
        let mut shape = Vec::new();
        let mut level = json;
        while let Some(list) = level.as_array() {
            shape.push(list.len());
            level = list.first().unwrap_or(&Json::Null);
        }
        let mut flat = vec![json];
        for _ in &shape {
            flat = flat.into_iter().flat_map(items).collect();
        }
        let is_word = |item: &&Json| item.as_str().is_some_and(|word| !["NaN", "inf", "-inf"].contains(&word));
        if flat.iter().any(is_word) {
            return Ok(Data::Labels(
                flat.iter().map(|item| item.as_str().unwrap_or_default()).collect::<Vec<_>>().into(),
            ));
        }
        if flat.iter().all(|item| item.is_boolean()) && !flat.is_empty() {
            return Ok(Data::Array(Array::new(shape, flat.iter().map(|item| **item == true).collect())?));
        }
        if flat.iter().all(|item| item.is_i64()) && !flat.is_empty() {
            return Ok(Data::Array(Array::new(shape, flat.iter().filter_map(|item| item.as_i64()).collect())?));
        }
        let array = Array::new(shape, flat.iter().map(|item| number(item)).collect::<Vec<f64>>())?;
        Ok(Data::Array(dtype.map_or_else(|| array.clone(), |dtype| array.clone().cast(dtype))))
    }

    fn array(&self) -> Result<&Array> {
        match self {
            Data::Array(array) => Ok(array),
            Data::Labels(labels) => Err(Error::data(format!("needs numbers, got {labels:?}"))),
        }
    }
}

impl ToArray for Data {
    fn to_array(&self) -> Result<Array> {
        self.array().cloned()
    }
}

impl ToLabels for Data {
    fn label_values(&self) -> Result<Arc<Values>> {
        match self {
            Data::Array(array) => array.label_values(),
            Data::Labels(labels) => labels.label_values(),
        }
    }
}

/// One label, as it is in the case.
fn label(json: &Json) -> Result<Scalar> {
    Ok(Scalar::from(Data::of(&json!([json]))?.label_values()?.get(0)))
}

/// A number, or one of the words that stand for those JSON has not.
fn number(json: &Json) -> f64 {
    json.as_f64().or_else(|| json.as_str().and_then(|word| word.parse().ok())).expect("a number")
}

fn flag(json: &Json) -> Result<bool> {
    json.as_bool().ok_or_else(|| unknown("truth value", json))
}

/// A number as it is in a case.
fn shown(value: f64) -> Json {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "inf" } else { "-inf" })
    } else {
        json!(value)
    }
}

fn list(values: &[f64]) -> Json {
    values.iter().map(|&value| shown(value)).collect()
}

/// Whether both are the same; numbers to the bit, or as near as `rtol` says.
fn same(got: &Json, wanted: &Json, rtol: f64) -> bool {
    match (got, wanted) {
        (Json::Array(got), Json::Array(wanted)) => {
            got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| same(got, wanted, rtol))
        }
        (Json::Object(got), Json::Object(wanted)) => {
            got.len() == wanted.len() && wanted.iter().all(|(key, wanted)| same(&got[key], wanted, rtol))
        }
        (Json::Number(_), Json::Number(_)) => {
            let (got, wanted) = (number(got), number(wanted));
            (got - wanted).abs() <= rtol * wanted.abs()
        }
        _ => got == wanted,
    }
}

fn outcome(case: &Case<'_>) -> Result<(), String> {
    let name = case.json["call"].as_str().unwrap_or_default();
    let call = scores::CALLS.iter().chain(splits::CALLS).find(|(other, _)| *other == name);
    let Some((_, call)) = call else { return Err("is not known to the test".into()) };
    let (got, wanted) = (call(case), &case.json["expect"]);
    match (got, case.json["refused"].as_str()) {
        (Err(error), _) if error.kind() == cornu_array::ErrorKind::Unsupported => Err(error.to_string()),
        (Err(_), Some(_)) => Ok(()),
        (Err(error), None) => Err(format!("needs {wanted}, got the error `{error}`")),
        (Ok(got), Some(refusal)) => Err(format!("must be refused: {refusal}; got {got}")),
        (Ok(got), None) => match same(&got, wanted, case.json["rtol"].as_f64().unwrap_or(0.0)) {
            true => Ok(()),
            false => Err(format!("needs {wanted}, got {got}")),
        },
    }
}

#[test]
fn scores_and_splits_are_those_of_scikit_learn() {
    let golden = golden::json("sklearn-score", "cases.json");
    let mut report = Report::default();
    for (place, json) in items(&golden["cases"]).iter().enumerate() {
        let case = Case { json, data: &golden["data"] };
        let id = format!("{place} {} {}", json["call"], json["settings"]);
        report.case(&id, outcome(&case));
    }
    report.finish();
}

/// A value of a column, as it is in a case.
fn value(value: Value<'_>) -> Json {
    match value {
        Value::Text(text) => json!(text),
        Value::Int(value) => json!(value),
        Value::Bool(value) => json!(value),
        value => shown(value.to_f64().unwrap_or(f64::NAN)),
    }
}
