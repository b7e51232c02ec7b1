//! Metrics against Keras's own figures and variables after each batch.

use cornu_graph::{Trace, Type, evaluate};
use cornu_testkit::golden::{self, Report, close, tolerance};
use serde_json::Value;

use super::*;
use crate::choice::Family;

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

fn check(case: &Value, run: &Value, metric: &dyn Metric, report: &mut Report) {
    let arrays = golden::arrays("metrics", "arrays.npz");
    let get = |json: &Value| golden::value(json, &arrays);
    let (rtol, atol) = tolerance(case, "outputs");
    let mut state = start(metric);
    for (i, batch) in case["batches"].as_array().expect("batches").iter().enumerate() {
        // A mean is given its values alone, as the first argument.
        let p = get(&batch["y_pred"]).or_else(|| get(&batch["y_true"])).expect("predictions");
        let y = get(&batch["y_true"]).unwrap_or_else(|| p.clone());
        state = step(metric, &state, &y, &p, get(&run["sample_weight"][i]).as_ref());
        let id =
            format!("{} {} batch {i}", case["id"], if run["sample_weight"].is_null() { "plain" } else { "weighted" });
        let want = get(&run["results"][i]).expect("a result").cast(DType::F64);
        report.case(&id, close(&Array::scalar(metric.result(&state)), &want, rtol, atol));
        for (v, stacked) in run["variables"].as_array().expect("variables").iter().enumerate() {
            let stacked = get(stacked).expect("a variable");
            let want = Array::scalar(stacked.get(i) as f32);
            report.case(&format!("{id} {}", run["variable_paths"][v]), close(&state[v], &want, rtol, atol));
        }
    }
}

#[test]
fn figures_and_variables_are_those_of_keras() {
    let mut report = Report::default();
    for case in &golden::cases("metrics") {
        let class = case["class"].as_str().expect("a class");
        let settings = case["kwargs"].as_object().cloned().unwrap_or_default();
        if !<dyn Metric>::NAMES.contains(&class) {
            continue;
        }
        let metric = <dyn Metric>::of_class(class, &settings).expect("known settings");
        for run in case["runs"].as_array().expect("runs") {
            check(case, run, &*metric, &mut report);
        }
    }
    report.finish();
}

#[test]
fn accuracy_means_what_the_shapes_say() {
    let chosen = |y: &[usize], p: &[usize]| by_shapes("accuracy", &y.into(), &p.into()).class_name();
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
