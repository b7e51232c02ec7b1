//! Losses against Keras's own values and gradients.

use cornu_graph::{Array, Trace, Type, evaluate, gradients};
use cornu_testkit::golden::{self, Case, Report, close};
use serde_json::{Map, Value};

use super::*;
use crate::config::ClassId;
use crate::random::Flavor;
use crate::registry::Family;

/// What an activation gives, with the logits that it is given.
fn probabilities(logits: &Tensor, softmax: bool) -> Wire {
    let tensor = if softmax { logits.softmax(-1) } else { logits.sigmoid() };
    Wire { logits: Some(logits.clone()), ..tensor.into() }
}

/// The loss of arrays, and its gradient with respect to the predictions if it is one number.
fn compute(
    flavor: Flavor,
    loss: &dyn Loss,
    (y, p): (&Array, &Array),
    weights: Option<&Array>,
) -> (Array, Option<Array>) {
    let trace = Trace::in_context(flavor);
    let arrays: Vec<&Array> = [y, p].into_iter().chain(weights).collect();
    let inputs: Vec<Tensor> = arrays.iter().map(|array| trace.input(array.ty())).collect();
    let value = total(loss, &inputs[0], &inputs[1].clone().into(), inputs.get(2));
    let slope = (value.rank() == 0).then(|| gradients(&value, &inputs[1..2]).remove(0));
    let outputs: Vec<Tensor> = std::iter::once(value).chain(slope).collect();
    let graph = trace.finish(&outputs, &[]).unwrap_or_else(|error| panic!("{error}"));
    let arrays: Vec<Array> = arrays.into_iter().cloned().collect();
    let mut results = evaluate(&graph, &[], &arrays).0.into_iter();
    (results.next().expect("the loss"), results.next())
}

fn settings(case: &Value, reduction: &Value) -> Map<String, Value> {
    let mut settings = case["kwargs"].as_object().cloned().unwrap_or_default();
    settings.insert("reduction".into(), reduction.clone());
    settings
}

/// Every case as Keras 3 computed it: Keras 2 treats probabilities of 0 and 1 otherwise.
#[test]
fn values_and_gradients_are_those_of_keras() {
    let (mut report, cases) = (Report::default(), golden::cases("losses"));
    let classes = <dyn Loss>::classes();
    report.has_cases(&classes, "losses", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        check(&Case::open("losses", json), &mut report);
    }
    report.finish();
}

fn check(case: &Case, report: &mut Report) {
    let (json, class) = (case.json, case.json["class"].as_str().expect("a class"));
    let (y, p) = (case.array(&json["y_true"]).expect("labels"), case.array(&json["y_pred"]).expect("predictions"));
    for wanted in json["values"].as_array().expect("values").iter().filter(|wanted| wanted.get("mask").is_none()) {
        let id = format!("{} {} {}", case.id, wanted["reduction"], wanted["sample_weight"]);
        let loss = match <dyn Loss>::registry().read(&ClassId::keras(class), &settings(json, &wanted["reduction"])) {
            Ok(loss) => loss,
            Err(error) => {
                report.case(&id, Err(error.to_string()));
                continue;
            }
        };
        let (value, slope) = compute(Flavor::Keras3, &*loss, (&y, &p), case.array(&wanted["sample_weight"]).as_ref());
        report.case(&id, case.near("outputs", &value, &wanted["value"]));
        // Where labels do not add up to 1, TensorFlow's gradient is not the derivative.
        let slope = slope.filter(|_| class != "CategoricalCrossentropy" || adds_up(&y));
        if let (Some(slope), want @ Value::Object(_)) = (slope, &wanted["grad_y_pred"]) {
            report.case(&format!("{id} gradient"), case.near("grads", &slope, want));
        }
    }
}

/// Whether the labels of each row are a distribution.
fn adds_up(y: &Array) -> bool {
    let (rows, all) = (y.shape()[0], y.to_vec::<f64>());
    let sums = all.chunks(all.len() / rows.max(1)).map(|row| row.iter().sum::<f64>());
    y.shape().rank() > 2 || sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5)
}

#[test]
fn the_ends_of_plain_probabilities_depend_on_the_flavour() {
    let column = |x: f32| Array::new([1, 1], vec![x]).expect("one element");
    let mut report = Report::default();
    // As `fit` and `evaluate` report them.
    for (flavor, label, probability, want) in [
        (Flavor::Keras2, 1.0, 0.0, 15.424_948_692_321_777),
        (Flavor::Keras2, 0.0, 1.0, 15.249_238_014_221_191),
        (Flavor::Keras2, 0.0, 0.999_999_8, 15.026_094_436_645_508),
        (Flavor::Keras3, 1.0, 0.0, 16.118_095_397_949_22),
        (Flavor::Keras3, 0.0, 1.0, 15.942_384_719_848_633),
        (Flavor::Keras3, 0.0, 0.999_999_8, 15.536_919_593_811_035),
    ] {
        let case = format!("{flavor:?} label {label} probability {probability}");
        let got = compute(flavor, &BinaryCrossentropy::new(), (&column(label), &column(probability)), None).0;
        report.case(&case, close(&got, &Array::scalar(want), 1e-6, 0.0));
    }
    report.finish();
}

/// `specs` of TensorFlow: `g = 1/rows`, `t = (g (1/(1+e))) e`, `(g - t) - g y` or `t - g y`.
#[test]
fn the_gradient_after_a_sigmoid_is_the_sum_in_tensorflows_order() {
    let z = [-3.25f32, -0.75, 0.0, 1e-3, 0.5, 2.75, 17.0];
    let y = [1i64, 0, 1, 0, 1, 0, 1];
    let trace = Trace::in_context(Flavor::Keras2);
    let logits = trace.input(Type::f32([7, 1]));
    let labels = trace.input(Type::new(DType::I64, [7, 1]));
    let value = total(&BinaryCrossentropy::new(), &labels, &probabilities(&logits, false), None);
    let slope = gradients(&value, &[logits]).remove(0);
    let graph = trace.finish(&[slope], &[]).expect("a good graph");
    let live = graph.live();
    let computed =
        graph.nodes().filter(|(value, _)| live[value.index()]).any(|(_, node)| node.op.to_string() == "logistic");
    assert!(!computed, "the gradient goes through the sigmoid:\n{graph}");
    let session = cornu_graph::Executor::open(&cornu_graph::Reference).expect("a session");
    let (x, l) = (Array::new([7, 1], z.to_vec()).expect("seven"), Array::new([7, 1], y.to_vec()).expect("seven"));
    let got = session.once(&graph, &[x, l]).expect("fitting inputs")[0].to_vec::<f32>();
    for ((z, y), got) in z.into_iter().zip(y).zip(got) {
        let (g, e, y) = (1.0f32 / 7.0, (-f64::from(z).abs()).exp() as f32, y as f32);
        let t = (g * (1.0 / (1.0 + e))) * e;
        let want = if z >= 0.0 { (g - t) - g * y } else { t - g * y };
        assert_eq!(got.to_bits(), want.to_bits(), "z {z}, y {y}: got {got}, want {want}");
    }
}

#[test]
fn classes_after_a_softmax_use_what_went_into_it() {
    let trace = Trace::in_context(Flavor::Keras2);
    let logits = trace.input(Type::f32([2, 3]));
    let labels = trace.input(Type::new(DType::I64, [2, 1]));
    let value = total(&SparseCategoricalCrossentropy::new(), &labels, &probabilities(&logits, true), None);
    let graph = trace.finish(&[value], &[]).expect("a good graph");
    let x = Array::new([2, 3], vec![0.0f32, 200.0, -200.0, 1.0, 2.0, 3.0]).expect("six elements");
    let y = Array::new([2, 1], vec![2i64, 2]).expect("two elements");
    let got = evaluate(&graph, &[], &[x, y]).0[0].get(0);
    assert!((got - (400.0 + 0.407_605_96) / 2.0).abs() < 1e-4, "{got}");
}

/// Keras 2.13 and 3.15 give these figures for a layer of three units in the first step of training, whichever of the
/// two activations stands before the loss.
#[test]
fn each_crossentropy_takes_what_went_into_either_activation_for_its_logits() {
    let mut report = Report::default();
    let z = Array::new([2, 3], vec![0.1f32, -1.55, 0.825, 2.225, -0.425, -0.05]).expect("six elements");
    let one_hot = Array::new([2, 3], vec![0i64, 1, 0, 1, 0, 0]).expect("six elements");
    let numbers = Array::new([2, 1], vec![1i64, 0]).expect("two elements");
    let losses: [(Box<dyn Loss>, &Array, f64); 3] = [
        (Box::new(BinaryCrossentropy::new()), &one_hot, 0.824_904_024_600_982_7),
        (Box::new(CategoricalCrossentropy::new()), &one_hot, 1.495_342_850_685_119_6),
        (Box::new(SparseCategoricalCrossentropy::new()), &numbers, 1.495_342_850_685_119_6),
    ];
    for (loss, y, want) in &losses {
        for softmax in [false, true] {
            let trace = Trace::in_context(Flavor::Keras2);
            let (logits, labels) = (trace.input(z.ty()), trace.input(y.ty()));
            let value = total(&**loss, &labels, &probabilities(&logits, softmax), None);
            let graph = trace.finish(&[value], &[]).expect("a good graph");
            let got = &evaluate(&graph, &[], &[z.clone(), (*y).clone()]).0[0];
            let case = format!("{} after a {}", loss.class_name(), if softmax { "softmax" } else { "sigmoid" });
            report.case(&case, close(got, &Array::scalar(*want), 1e-6, 0.0));
        }
    }
    report.finish();
}

/// Keras 3.15 replaces the predictions of samples that do not count, and with them what it knows of all predictions.
#[test]
fn leaving_out_a_class_hides_the_logits_in_keras_3() {
    let trace = Trace::in_context(Flavor::Keras2);
    let x = trace.input(Type::f32([2, 3]));
    let (p, plain_p) = (probabilities(&x, true), x.softmax(-1));
    let plain = SparseCategoricalCrossentropy::new();
    let leaving = |from_logits| plain.clone().from_logits(from_logits).ignore_class(1);
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        assert_eq!(plain.logits(&p, flavor).value(), x.value());
    }
    assert_eq!(leaving(true).logits(&p, Flavor::Keras2).value(), x.value());
    assert_eq!(leaving(true).logits(&p, Flavor::Keras3).value(), plain_p.value());
    assert_eq!(leaving(false).logits(&p, Flavor::Keras3).value(), plain_p.clip(1e-7, 1.0 - 1e-7).log().value());
}

#[test]
fn settings_are_read_and_written_in_keras_order() {
    let loss = SparseCategoricalCrossentropy::new().from_logits(true).ignore_class(-1);
    let text = Value::from(Config::to_json(&loss)).to_string();
    let want = r#"{"name":"sparse_categorical_crossentropy","reduction":"sum_over_batch_size","from_logits":true,"ignore_class":-1}"#;
    assert_eq!(text, want);
    let error = Reduction::from_json(&"average".into()).expect_err("no such reduction");
    assert_eq!(
        error.message(),
        "unknown reduction `average`; there are `sum_over_batch_size`, `sum`, `mean_with_sample_weight`, `none`, `mean`, `auto`"
    );
    let named = crate::choice::Choice::<dyn Loss>::from("binary_crosentropy").resolve().expect_err("misspelt");
    let text = named.to_string();
    assert!(text.starts_with("unknown loss `binary_crosentropy`; there are `binary_crossentropy`, `bce`, "), "{text}");
    assert!(text.ends_with("\n  help: did you mean `binary_crossentropy`?"), "{text}");
}
