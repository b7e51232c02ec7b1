//! Activations, regularizers and constraints: values and gradients against Keras's.

use std::collections::BTreeMap;

use cornu::activations::Activation;
use cornu::config::Field;
use cornu::constraints::Constraint;
use cornu::regularizers::Regularizer;
use cornu_graph::{Array, Tensor, Trace, evaluate, gradients};
use cornu_testkit::golden::{Report, arrays, cases, close};
use serde_json::Value;

type Arrays = BTreeMap<String, Array>;

fn array(json: &Value, arrays: &Arrays) -> Result<Array, String> {
    match json["$scalar"].as_f64() {
        Some(value) => Ok(Array::scalar(value as f32)),
        None => json["$array"].as_str().and_then(|key| arrays.get(key)).cloned().ok_or(format!("no array at {json}")),
    }
}

/// `f(x)` and the gradient of `sum(f(x) * cotangent)`.
fn apply(x: &Array, cotangent: Option<&Array>, f: impl Fn(&Tensor) -> Tensor) -> Result<[Array; 2], String> {
    let trace = Trace::new();
    let input = trace.input(x.ty());
    let y = f(&input);
    let weighed = cotangent.map_or_else(|| y.clone(), |cotangent| &y * trace.constant(cotangent.clone()));
    let slope = gradients(&weighed.sum_all(), &[input]).remove(0);
    let graph = trace.finish(&[y, slope], &[]).map_err(|error| error.to_string())?;
    let mut results = evaluate(&graph, &[], std::slice::from_ref(x)).0.into_iter();
    let (y, slope) = (results.next(), results.next());
    y.zip(slope).map(|(y, slope)| [y, slope]).ok_or("two outputs were asked for".into())
}

fn near(case: &Value, part: &str, got: &Array, want: &Array) -> Result<(), String> {
    let tolerance = |kind: &str| case["tol"][part][kind].as_f64().unwrap_or(1e-6);
    close(got, want, tolerance("rtol"), tolerance("atol")).map_err(|problem| format!("{part}: {problem}"))
}

fn read<F: Field>(case: &Value) -> Result<F, String> {
    let read = F::from_json(&case["config"]).map_err(|error| error.to_string())?;
    let again = F::from_json(&read.to_json()).map_err(|error| error.to_string())?;
    let same = read.to_json() == again.to_json() && case["config"]["class_name"] == read.to_json()["class_name"];
    if same { Ok(read) } else { Err(format!("reads back as {}", again.to_json())) }
}

fn walk(group: &str, chosen: impl Fn(&Value) -> bool, check: impl Fn(&Value, &Arrays) -> Result<(), String>) {
    let arrays = arrays(group, "arrays.npz");
    let mut report = Report::default();
    for case in cases(group).iter().filter(|case| chosen(case)) {
        report.case(case["id"].as_str().unwrap_or_default(), check(case, &arrays));
    }
    report.finish();
}

#[test]
fn activations_are_those_of_keras() {
    walk(
        "activations",
        |case| Activation::NAMES.iter().any(|name| case["id"] == *name),
        |case, arrays| {
            let activation = Activation::from_json(&case["id"]).map_err(|error| error.to_string())?;
            for point in case["points"].as_array().ok_or("no points")? {
                let x = array(&point["x"], arrays)?;
                let cotangent = array(&point["cotangent"], arrays).ok();
                let [y, slope] = apply(&x, cotangent.as_ref(), |x| activation.apply(x.clone()))?;
                near(case, "outputs", &y, &array(&point["y"], arrays)?)?;
                if let Ok(want) = array(&point["dx"], arrays) {
                    near(case, "grads", &slope, &want)?;
                }
            }
            Ok(())
        },
    );
}

#[test]
fn regularizers_are_those_of_keras() {
    walk(
        "regularizers",
        |case| Regularizer::CLASSES.iter().any(|class| case["class"] == *class),
        |case, arrays| {
            let regularizer: Regularizer = read(case)?;
            let [y, slope] = apply(&array(&case["x"], arrays)?, None, |x| regularizer.penalty(x))?;
            near(case, "outputs", &y, &array(&case["value"], arrays)?)?;
            // Nothing is written where the penalty does not depend on the weight.
            let zeros = || Array::zeros(&slope.ty());
            let want = if case["grad"].is_null() { zeros() } else { array(&case["grad"], arrays)? };
            near(case, "grads", &slope, &want)
        },
    );
}

/// Keras 2 knows `l1_l2` by name, and means other settings than the defaults of the class.
#[test]
fn a_name_may_stand_for_settings() -> cornu::Result<()> {
    let both = Regularizer::L1L2 { l1: 0.01, l2: 0.01 };
    assert_eq!([Regularizer::from("l1_l2"), Regularizer::from_json(&"l1_l2".into())?], [both.clone(), both]);
    assert_eq!(Regularizer::from("L1L2"), Regularizer::L1L2 { l1: 0.0, l2: 0.0 });
    Ok(())
}

#[test]
fn constraints_are_those_of_keras() {
    walk(
        "constraints",
        |_| true,
        |case, arrays| {
            let constraint: Constraint = read(case)?;
            let [y, _] = apply(&array(&case["x"], arrays)?, None, |x| constraint.apply(x))?;
            near(case, "outputs", &y, &array(&case["value"], arrays)?)
        },
    );
}
