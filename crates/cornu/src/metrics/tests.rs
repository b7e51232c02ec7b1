//! Metrics against Keras's own figures and variables after each batch.

use cornu_graph::{Trace, evaluate};
use cornu_testkit::golden::{self, Case, Report, close};
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

/// What a metric keeps of batches like that.
fn totals(metric: &dyn Metric, y: &Array, p: &Array) -> Vec<Total> {
    metric.state(&y.ty(), &p.ty())
}

fn start(totals: &[Total]) -> Vec<Array> {
    totals.iter().map(Total::value).collect()
}

fn result(metric: &dyn Metric, totals: &[Total], state: &[Array]) -> Array {
    let graph = result_graph(metric, totals).unwrap_or_else(|error| panic!("{error}"));
    evaluate(&graph, &[], state).0.remove(0)
}

fn check(case: &Case, run: &Value, metric: &dyn Metric, report: &mut Report) {
    let weighted = if run["sample_weight"].is_null() { "plain" } else { "weighted" };
    let mut kept: Option<(Vec<Total>, Vec<Array>)> = None;
    for (i, batch) in case.json["batches"].as_array().expect("batches").iter().enumerate() {
        // A mean is given its values alone, as the first argument.
        let p = case.array(&batch["y_pred"]).or_else(|| case.array(&batch["y_true"])).expect("predictions");
        let y = case.array(&batch["y_true"]).unwrap_or_else(|| p.clone());
        let (totals, state) = kept.get_or_insert_with(|| {
            let totals = totals(metric, &y, &p);
            let state = start(&totals);
            (totals, state)
        });
        *state = step(metric, state, &y, &p, case.array(&run["sample_weight"][i]).as_ref());
        let id = format!("{} {weighted} batch {i}", case.id);
        report.case(&id, case.near("outputs", &result(metric, totals, state), &run["results"][i]));
        for (v, stacked) in run["variables"].as_array().expect("variables").iter().enumerate() {
            let outcome = match state.get(v) {
                Some(got) => {
                    let want = case.array(stacked).expect("a variable").rows(&[i]).reshape(got.shape().clone());
                    let (rtol, atol) = case.tolerance("outputs");
                    close(got, &want.expect("one row"), rtol, atol)
                }
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
    let y = Array::new([3, 1], vec![0i64, 1, 1]).expect("three");
    let p = Array::new([3, 1], vec![0.5f32, 0.5, 0.75]).expect("three");
    let totals = totals(&metric, &y, &p);
    assert_eq!(result(&metric, &totals, &start(&totals)).get(0), 0.0);
    let state = step(&metric, &start(&totals), &y, &p, None);
    assert_eq!(result(&metric, &totals, &state).get(0), f64::from(2.0f32 / 3.0));
}

/// Scikit-learn's `precision_score`, `recall_score` and `roc_auc_score` of the same rows.
#[test]
fn a_metric_is_of_use_alone() -> Result<()> {
    let _turn = turn(Flavor::Keras3);
    let (y, p) = ([0, 1, 1, 0, 1, 1], [0.1, 0.8, 0.4, 0.6, 0.9, 0.7]);
    let of = |metric: crate::choice::Choice<dyn Metric>| -> Result<Vec<f32>> {
        let mut metric = Running::new(metric);
        assert!(metric.result().is_err(), "nothing was seen");
        metric.update_state(&y[..3], &p[..3])?;
        metric.update_state(&y[3..], &p[3..])?;
        let twice = metric.result()?.to_vec();
        metric.reset_state();
        metric.update_weighted(&y, &p, &[0.5; 6])?;
        assert_eq!(metric.result()?.to_vec::<f32>(), twice, "weights that are alike change nothing");
        Ok(twice)
    };
    assert_eq!(of(Precision::new().into())?, [0.75]);
    assert_eq!(of(Recall::new().into())?, [0.75]);
    assert_eq!(of(AUC::new().into())?, [0.875]);
    assert_eq!(of("accuracy".into())?, [2.0 / 3.0]);
    let both = of(Recall::new().thresholds([0.3, 0.75]).into())?;
    assert_eq!(both, [1.0, 0.5]);
    Ok(())
}
