//! Losses against Keras's own values and gradients.

use cornu_graph::{Array, Feed, Trace, Type, evaluate, gradients};
use cornu_testkit::golden::{self, Report, close, tolerance};
use serde_json::{Map, Value};

use super::*;
use crate::choice::Family;
use crate::random::Flavor;

/// The loss of arrays, and its gradient with respect to the predictions if it is one number.
fn compute(loss: &dyn Loss, y: &Array, p: &Array, weights: Option<&Array>) -> (Array, Option<Array>) {
    let trace = Trace::new();
    let arrays: Vec<&Array> = [y, p].into_iter().chain(weights).collect();
    let inputs: Vec<Tensor> = arrays.iter().map(|array| trace.input(array.ty())).collect();
    let value = total(loss, &inputs[0], &inputs[1], inputs.get(2));
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

#[test]
fn values_and_gradients_are_those_of_keras() {
    let mut report = Report::default();
    let arrays = golden::arrays("losses", "arrays.npz");
    let get = |json: &Value| golden::value(json, &arrays);
    let ours = |class: &str| <dyn Loss>::NAMES.contains(&class) && class.starts_with(char::is_uppercase);
    for case in golden::cases("losses").iter().filter(|case| case["class"].as_str().is_some_and(ours)) {
        let class = case["class"].as_str().expect("a class");
        // The golden values are Keras 3's; Keras 2 treats probabilities of 0 and 1 otherwise.
        let edge = class == "BinaryCrossentropy" && case["kwargs"].get("from_logits").is_none();
        for wanted in case["values"].as_array().expect("values").iter().filter(|wanted| wanted.get("mask").is_none()) {
            let id = format!("{} {} {}", case["id"], wanted["reduction"], wanted["sample_weight"]);
            let loss = <dyn Loss>::of_class(class, &settings(case, &wanted["reduction"])).expect("known settings");
            let (y, p) = (get(&case["y_true"]).expect("labels"), get(&case["y_pred"]).expect("predictions"));
            let (value, slope) = if edge {
                in_keras3(&*loss, case, &y, &p, get(&wanted["sample_weight"]).as_ref())
            } else {
                compute(&*loss, &y, &p, get(&wanted["sample_weight"]).as_ref())
            };
            let (rtol, atol) = tolerance(case, "outputs");
            report.case(&id, close(&value, &get(&wanted["value"]).expect("a value"), rtol, atol));
            // The labels of this one do not add up to 1; TensorFlow's gradient is not the derivative there.
            let slope = slope.filter(|_| case["id"] != "categorical_crossentropy__bin_logit_big");
            if let (Some(want), Some(slope)) = (get(&wanted["grad_y_pred"]), slope) {
                let (rtol, atol) = tolerance(case, "grads");
                report.case(&format!("{id} gradient"), close(&slope, &want, rtol, atol));
            }
        }
    }
    report.finish();
}

/// Binary cross-entropy of probabilities as Keras 3 has it, whatever the flavour of this process.
fn in_keras3(loss: &dyn Loss, case: &Value, y: &Array, p: &Array, weights: Option<&Array>) -> (Array, Option<Array>) {
    let kwargs = &case["kwargs"];
    let smoothing = kwargs["label_smoothing"].as_f64().unwrap_or(0.0);
    let axis = kwargs["axis"].as_i64().unwrap_or(-1) as isize;
    let fixed = custom::loss("binary_crossentropy", move |y, p| {
        let y = y * (1.0 - smoothing) + 0.5 * smoothing;
        crossentropy::binary_crossentropy(&y, p, Flavor::Keras3).mean([axis])
    });
    compute(&fixed.with_reduction(loss.reduction()), y, p, weights)
}

#[test]
fn the_ends_of_plain_probabilities_depend_on_the_flavour() {
    let at = |flavor| {
        let each = loss("ends", move |y, p| crossentropy::binary_crossentropy(y, p, flavor).mean([-1]));
        let column = |x: f32| Array::new([1, 1], vec![x]).expect("one element");
        compute(&each, &column(1.0), &column(0.0), None).0.get(0)
    };
    assert!((at(Flavor::Keras2) - 15.424_95).abs() < 1e-4, "{}", at(Flavor::Keras2));
    assert!((at(Flavor::Keras3) - 16.118_095).abs() < 1e-4, "{}", at(Flavor::Keras3));
}

/// `specs` of TensorFlow: `g = 1/rows`, `t = (g (1/(1+e))) e`, `(g - t) - g y` or `t - g y`.
#[test]
fn the_gradient_after_a_sigmoid_is_the_sum_in_tensorflows_order() {
    let z = [-3.25f32, -0.75, 0.0, 1e-3, 0.5, 2.75, 17.0];
    let y = [1i64, 0, 1, 0, 1, 0, 1];
    let trace = Trace::new();
    let logits = trace.input(Type::f32([7, 1]));
    let labels = trace.input(Type::new(cornu_graph::DType::I64, [7, 1]));
    let value = total(&BinaryCrossentropy::new(), &labels, &logits.sigmoid(), None);
    let slope = gradients(&value, &[logits]).remove(0);
    let graph = trace.finish(&[slope], &[]).expect("a good graph");
    assert!(!graph.to_string().contains("logistic") || graph.live().iter().any(|live| !live));
    let mut session = cornu_graph::Executor::open(&cornu_graph::Reference);
    let program = session.compile(&graph).expect("a good graph");
    let (x, l) = (Array::new([7, 1], z.to_vec()).expect("seven"), Array::new([7, 1], y.to_vec()).expect("seven"));
    session.run(program, &[Feed::Whole(&x), Feed::Whole(&l)]).expect("fitting inputs");
    let got = session.output(program, 0).expect("an output").to_vec::<f32>();
    for ((z, y), got) in z.into_iter().zip(y).zip(got) {
        let (g, e, y) = (1.0f32 / 7.0, (-f64::from(z).abs()).exp() as f32, y as f32);
        let t = (g * (1.0 / (1.0 + e))) * e;
        let want = if z >= 0.0 { (g - t) - g * y } else { t - g * y };
        assert_eq!(got.to_bits(), want.to_bits(), "z {z}, y {y}: got {got}, want {want}");
    }
}

#[test]
fn classes_after_a_softmax_use_what_went_into_it() {
    let trace = Trace::new();
    let logits = trace.input(Type::f32([2, 3]));
    let labels = trace.input(Type::new(cornu_graph::DType::I64, [2, 1]));
    let value = total(&SparseCategoricalCrossentropy::new(), &labels, &logits.softmax(-1), None);
    let graph = trace.finish(&[value], &[]).expect("a good graph");
    let x = Array::new([2, 3], vec![0.0f32, 200.0, -200.0, 1.0, 2.0, 3.0]).expect("six elements");
    let y = Array::new([2, 1], vec![2i64, 2]).expect("two elements");
    let got = evaluate(&graph, &[], &[x, y]).0[0].get(0);
    assert!((got - (400.0 + 0.407_605_96) / 2.0).abs() < 1e-4, "{got}");
}

/// Keras 2.13 and 3.15 keep what went into the activation, and do not ask which activation it was.
#[test]
fn a_loss_after_the_other_activation_uses_what_went_into_it() {
    let x = Array::new([2, 2], vec![0.5f32, -1.0, 2.0, 0.25]).expect("four elements");
    let (one_hot, classes) = (Array::new([2, 2], vec![0.0f32, 1.0, 1.0, 0.0]), Array::new([2], vec![1i64, 0]));
    let (one_hot, classes) = (one_hot.expect("four elements"), classes.expect("two elements"));
    let mut report = Report::default();
    for from_logits in [false, true] {
        // From Keras 2.13.1 and 3.15.1: a layer that hands on two samples, 0.5 and -1, 2 and 0.25.
        let losses: [(Box<dyn Loss>, &Array, f64); 3] = [
            (Box::new(BinaryCrossentropy::new().from_logits(from_logits)), &one_hot, 0.810_051_56),
            (Box::new(CategoricalCrossentropy::new().from_logits(from_logits)), &one_hot, 0.930_818_8),
            (Box::new(SparseCategoricalCrossentropy::new().from_logits(from_logits)), &classes, 0.930_818_8),
        ];
        for (loss, y, want) in losses {
            for activation in ["sigmoid", "softmax"] {
                let trace = Trace::new();
                let (logits, labels) = (trace.input(x.ty()), trace.input(y.ty()));
                let p = crate::activations::Activation::from(activation).apply(logits);
                let graph = trace.finish(&[total(&*loss, &labels, &p, None)], &[]).expect("a good graph");
                let got = evaluate(&graph, &[], &[x.clone(), y.clone()]).0[0].get(0);
                let outcome = if (got - want).abs() < 1e-6 { Ok(()) } else { Err(format!("got {got}, want {want}")) };
                report.case(&format!("{} {from_logits} {activation}", loss.class_name()), outcome);
            }
        }
    }
    report.finish();
}

/// Keras 3.15 replaces the predictions of samples that do not count, and with them what it knows of all predictions.
#[test]
fn leaving_out_a_class_hides_the_logits_in_keras_3() {
    let trace = Trace::new();
    let x = trace.input(Type::f32([2, 3]));
    let p = x.softmax(-1);
    let plain = SparseCategoricalCrossentropy::new();
    let leaving = |from_logits| plain.clone().from_logits(from_logits).ignore_class(1);
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        assert_eq!(plain.logits(&p, flavor).value(), x.value());
    }
    assert_eq!(leaving(true).logits(&p, Flavor::Keras2).value(), x.value());
    assert_eq!(leaving(true).logits(&p, Flavor::Keras3).value(), p.value());
    assert_eq!(leaving(false).logits(&p, Flavor::Keras3).value(), p.clip(1e-7, 1.0 - 1e-7).log().value());
}

#[test]
fn settings_are_read_and_written_in_keras_order() {
    let loss = SparseCategoricalCrossentropy::new().from_logits(true).ignore_class(-1);
    let text = Value::from(Config::to_json(&loss)).to_string();
    let want = r#"{"name":"sparse_categorical_crossentropy","reduction":"sum_over_batch_size","from_logits":true,"ignore_class":-1}"#;
    assert_eq!(text, want);
    let error = Reduction::from_json(&"average".into()).expect_err("no such reduction");
    assert_eq!(error.message(), "unknown reduction `average`");
    let named = crate::choice::Choice::<dyn Loss>::from("binary_crosentropy").resolve().expect_err("misspelt");
    assert_eq!(named.to_string(), "unknown loss `binary_crosentropy`\n  help: did you mean `binary_crossentropy`?");
}
