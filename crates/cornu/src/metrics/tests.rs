//! Metrics against Keras's own figures and variables after each batch.

use cornu_graph::{Trace, Type, evaluate};
use cornu_testkit::golden::{self, Case, Report};
use serde_json::Value;

use super::*;
use crate::config::ClassId;
use crate::random::Flavor;
use crate::random::tests::turn;
use crate::registry::Family;

/// The variables of a metric after another batch.
fn step(metric: &dyn Metric, state: &[Array], y: &Array, p: &Array, weights: Option<&Array>) -> Vec<Array> {
    let trace = Trace::new();
    let arrays: Vec<Array> = state.iter().chain([y, p]).chain(weights).cloned().collect();
    let inputs: Vec<Tensor> = arrays.iter().map(|array| trace.input(array.ty())).collect();
    let (state, batch) = inputs.split_at(state.len());
    let new = metric.update(state, &batch[0], &batch[1], batch.get(2));
    evaluate(&trace.finish(&new, &[]).unwrap_or_else(|error| panic!("{error}")), &[], &arrays).0
}

fn start(metric: &dyn Metric) -> Vec<Array> {
    metric.state().into_iter().map(|(_, shape)| Array::zeros(&Type::f32(shape))).collect()
}

fn check(case: &Case, run: &Value, metric: &dyn Metric, report: &mut Report) {
    let weighted = if run["sample_weight"].is_null() { "plain" } else { "weighted" };
    let mut state = start(metric);
    for (i, batch) in case.json["batches"].as_array().expect("batches").iter().enumerate() {
        // A mean is given its values alone, as the first argument.
        let p = case.array(&batch["y_pred"]).or_else(|| case.array(&batch["y_true"])).expect("predictions");
        let y = case.array(&batch["y_true"]).unwrap_or_else(|| p.clone());
        state = step(metric, &state, &y, &p, case.array(&run["sample_weight"][i]).as_ref());
        let id = format!("{} {weighted} batch {i}", case.id);
        let result = Array::scalar(metric.result(&state) as f32);
        report.case(&id, case.near("outputs", &result, &run["results"][i]));
        for (v, stacked) in run["variables"].as_array().expect("variables").iter().enumerate() {
            let want = case.array(stacked).expect("a variable").get(i);
            let want = serde_json::json!({ "$scalar": want, "dtype": "float32" });
            let outcome = match state.get(v) {
                Some(got) => case.near("outputs", got, &want),
                None => Err(format!("got {} variables", state.len())),
            };
            report.case(&format!("{id} {}", run["variable_paths"][v]), outcome);
        }
    }
}

#[test]
fn figures_and_variables_are_those_of_keras() {
    let _turn = turn(Flavor::Keras3);
    let (mut report, cases) = (Report::default(), golden::cases("metrics"));
    let classes = <dyn Metric>::classes();
    report.has_cases(&classes, "metrics", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        let (case, class) = (Case::open("metrics", json), json["class"].as_str().expect("a class"));
        match <dyn Metric>::registry()
            .read(&ClassId::keras(class), &json["kwargs"].as_object().cloned().unwrap_or_default())
        {
            Ok(metric) => {
                let runs = json["runs"].as_array().expect("runs");
                runs.iter().for_each(|run| check(&case, run, &*metric, &mut report));
            }
            Err(error) => report.case(case.id, Err(error.to_string())),
        }
    }
    report.finish();
}

#[test]
fn accuracy_means_what_the_shapes_say() {
    let chosen = |y: &[usize], p: &[usize]| by_shapes("accuracy", &y.into(), &p.into()).class_name().to_owned();
    assert_eq!(chosen(&[8, 1], &[8, 1]), "BinaryAccuracy");
    assert_eq!(chosen(&[8, 1], &[8, 3]), "SparseCategoricalAccuracy");
    assert_eq!(chosen(&[8], &[8, 3]), "SparseCategoricalAccuracy");
    assert_eq!(chosen(&[8, 3], &[8, 3]), "CategoricalAccuracy");
}

#[test]
fn nothing_counted_is_zero_and_a_threshold_is_exceeded() {
    let metric = BinaryAccuracy::new();
    assert_eq!(metric.result(&start(&metric)), 0.0);
    let y = Array::new([3, 1], vec![0i64, 1, 1]).expect("three");
    let p = Array::new([3, 1], vec![0.5f32, 0.5, 0.75]).expect("three");
    let state = step(&metric, &start(&metric), &y, &p, None);
    assert_eq!(metric.result(&state), f64::from(2.0f32 / 3.0));
}
