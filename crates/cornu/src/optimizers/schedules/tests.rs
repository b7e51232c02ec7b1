//! Schedules against Keras's own rates.

use cornu_testkit::golden::{self, Case, Report, close};

use super::*;
use crate::config::ClassId;
use crate::registry::Family;

#[test]
fn rates_are_those_of_keras() {
    let mut report = Report::default();
    let classes = <dyn Schedule>::classes();
    let cases = golden::cases("schedules");
    report.has_cases(&classes, "schedules", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        let (case, class) = (Case::open("schedules", json), json["class"].as_str().expect("a class"));
        let config = json["config"]["config"].as_object().expect("settings");
        let schedule = <dyn Schedule>::registry().read(&ClassId::keras(class), config).expect("a schedule");
        assert_eq!(schedule.to_json(), *config, "{}", case.id);
        let steps = case.array(&json["steps"]).expect("steps");
        let rates: Vec<f64> = (0..steps.len()).map(|i| schedule.value(steps.get(i) as i64)).collect();
        let (rtol, atol) = case.tolerance("outputs");
        report.case(case.id, close(&Array::vector(rates), &case.array(&json["values"]).expect("rates"), rtol, atol));
    }
    report.finish();
}

/// Files of Keras 2 may have none; Keras 3 wants one.
#[test]
fn a_schedule_has_a_name() {
    use crate::config::Field;
    use crate::optimizers::LearningRate;
    let config = serde_json::json!({ "initial_learning_rate": 0.5, "decay_steps": 3, "decay_rate": 0.5, "name": null });
    let json = serde_json::json!({ "class_name": "ExponentialDecay", "config": config });
    let read = LearningRate::from_json(&json).expect("a schedule");
    assert_eq!(read.to_json()["config"]["name"], "ExponentialDecay");
}

/// Against the cosine of doubles, rounded to singles.
#[test]
fn the_cosine_is_rounded_once() {
    let x: Vec<f32> = (0..=1000).map(|i| i as f32 * (std::f32::consts::PI / 1000.0)).collect();
    let trace = Trace::new();
    let cosines = cosine(&trace.constant(Array::vector(x.clone())));
    let graph = trace.finish(&[cosines], &[]).expect("a graph");
    let got: Vec<f32> = evaluate(&graph, &[], &[]).0[0].to_vec();
    for (x, got) in x.iter().zip(got) {
        assert_eq!(got, f64::from(*x).cos() as f32, "of {x}");
    }
}

#[test]
fn steps_and_values_of_other_numbers_are_refused() {
    let error = PiecewiseConstantDecay::new([1], [0.5]).check_settings().expect_err("one value is missing");
    assert_eq!(error.message(), "`PiecewiseConstantDecay` needs one value more than boundaries, 2, got 1");
}
