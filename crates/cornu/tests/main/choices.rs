//! Activations, regularizers and constraints: values and gradients against Keras's.

use std::sync::Arc;

use cornu::activations::{self, Activation};
use cornu::choice::Choice;
use cornu::config::Field;
use cornu::constraints::Constraint;
use cornu::initializers::Initializer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu::regularizers::{L1L2, Regularizer};
use cornu_graph::{Array, Tensor, Trace, Type, evaluate, gradients};
use cornu_testkit::golden::{Case, Report, cases};
use serde_json::{Value, json};

use crate::lacks::lacks;
use crate::seeds::seeded;

/// `f(x)` and the gradient of `sum(f(x) * cotangent)`.
fn apply(x: &Array, cotangent: Option<&Array>, f: impl Fn(&Tensor) -> Tensor) -> Result<[Array; 2], String> {
    let trace = Trace::in_context(Flavor::Keras3);
    let input = trace.input(x.ty());
    let y = f(&input);
    let weighed = cotangent.map_or_else(|| y.clone(), |cotangent| &y * trace.constant(cotangent.clone()));
    let slope = gradients(&weighed.sum_all(), &[input]).remove(0);
    let graph = trace.finish(&[y, slope], &[]).map_err(|error| error.to_string())?;
    let mut results = evaluate(&graph, &[], std::slice::from_ref(x)).0.into_iter();
    let (y, slope) = (results.next(), results.next());
    y.zip(slope).map(|(y, slope)| [y, slope]).ok_or("two outputs were asked for".into())
}

fn read<T: ?Sized + Family>(case: &Value) -> Result<Arc<T>, String> {
    let read = Choice::<T>::from_json(&case["config"]).map_err(|error| error.to_string())?;
    let again = Choice::<T>::from_json(&read.to_json()).map_err(|error| error.to_string())?;
    let same = read.to_json() == again.to_json() && case["config"]["class_name"] == read.to_json()["class_name"];
    if same {
        read.resolve().map_err(|error| error.to_string())
    } else {
        Err(format!("reads back as {}", again.to_json()))
    }
}

/// All cases of a group of which a class of the list is; each class has one at least.
fn walk(group: &str, classes: &[&str], key: &str, check: impl Fn(&Case) -> Result<(), String>) {
    let (mut report, cases) = (Report::default(), cases(group));
    report.has_cases(classes, group, key);
    for json in cases.iter().filter(|case| classes.iter().any(|class| case[key] == *class)) {
        let case = Case::open(group, json);
        report.lacking(case.id, &lacks(&json["config"]), check(&case));
    }
    report.finish();
}

fn array(case: &Case, json: &Value) -> Result<Array, String> {
    case.array(json).ok_or_else(|| format!("no array at {json}"))
}

#[test]
fn activations_are_those_of_keras() {
    walk("activations", &<dyn Activation>::names(), "function", |case| {
        let object = json!({ "class_name": case.json["function"], "config": case.json["kwargs"] });
        let read = |json: &Value| Choice::<dyn Activation>::from_json(json).map_err(|error| error.to_string());
        let choice = read(&object)?;
        let again = read(&choice.to_json())?;
        if again != choice {
            return Err(format!("reads back as {}", again.to_json()));
        }
        let activation = choice.resolve().map_err(|error| error.to_string())?;
        for point in case.json["points"].as_array().ok_or("no points")? {
            let x = array(case, &point["x"])?;
            let [y, slope] = apply(&x, case.array(&point["cotangent"]).as_ref(), |x| activation.apply(x.clone()))?;
            case.near("outputs", &y, &point["y"])?;
            if !point["dx"].is_null() {
                case.near("grads", &slope, &point["dx"])?;
            }
        }
        Ok(())
    });
}

/// As Keras 2.13 has it.
#[test]
fn the_hard_sigmoid_is_steeper_in_keras_2() -> cornu::Result<()> {
    let trace = Trace::in_context(Flavor::Keras2);
    let x = trace.input(Type::f32([7]));
    let y = activations::HardSigmoid::new().apply(x.clone());
    let slope = gradients(&y.sum_all(), &[x]).remove(0);
    let graph = trace.finish(&[y, slope], &[])?;
    let (got, _) = evaluate(&graph, &[], &[Array::vector(vec![-3.0f32, -2.5, -1.0, 0.0, 0.5, 2.5, 3.0])]);
    assert_eq!(got[0], Array::vector(vec![0.0f32, 0.0, 0.3, 0.5, 0.6, 1.0, 1.0]));
    assert_eq!(got[1], Array::vector(vec![0.0f32, 0.2, 0.2, 0.2, 0.2, 0.2, 0.0]));
    Ok(())
}

/// Keras 3.15 reads an object of `keras.activations` as the function without its arguments, and says nothing.
#[test]
fn functions_with_arguments_are_in_no_file_of_keras() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let plain: Choice<dyn Activation> = activations::Elu::new().into();
    assert_eq!(
        (plain.to_json(), Choice::<dyn Activation>::from("hard_swish").to_json()),
        (json!("elu"), json!("hard_silu")),
        "{plain:?}"
    );
    let half: Choice<dyn Activation> = activations::Elu::new().alpha(0.5).into();
    let written = json!({
        "module": "cornu.activations", "class_name": "elu", "config": { "alpha": 0.5 },
        "registered_name": "cornu.activations>elu",
    });
    assert_eq!(half.to_json(), written);
    assert_eq!(Choice::from_json(&written)?, half);
    let mistakes = [
        (json!("threshold"), "threshold: the key `threshold` is missing"),
        (json!({ "class_name": "elu", "config": { "beta": 1 } }), "elu: unknown key `beta`; there are `alpha`"),
    ];
    for (written, want) in mistakes {
        assert_eq!(Choice::<dyn Activation>::from_json(&written).expect_err("a mistake").to_string(), want);
    }
    let odd = sequential![Dense::new(3).activation("glu").input_shape([2])].check().expect_err("an odd size");
    assert!(odd.to_string().starts_with("dense: `glu` needs an even size along axis -1, got 3\n"), "{odd}");
    Ok(())
}

#[test]
fn regularizers_are_those_of_keras() {
    walk("regularizers", &<dyn Regularizer>::classes(), "class", |case| {
        let regularizer: Arc<dyn Regularizer> = read(case.json)?;
        let [y, slope] = apply(&array(case, &case.json["x"])?, None, |x| regularizer.penalty(x))?;
        case.near("outputs", &y, &case.json["value"])?;
        match &case.json["grad"] {
            // Nothing is written where the penalty does not depend on the weight.
            Value::Null if (0..slope.len()).all(|at| slope.get(at) == 0.0) => Ok(()),
            Value::Null => Err(format!("needs no gradient, got {slope:?}")),
            grad => case.near("grads", &slope, grad),
        }
    });
}

/// Those that draw give TensorFlow's very numbers. Some of Keras's own settings lose an argument.
#[test]
fn initializers_are_those_of_keras() {
    walk("initializers", &<dyn Initializer>::classes(), "class", |case| {
        let mut json = case.json.clone();
        let given = case.json["kwargs"].as_object().into_iter().flatten();
        given.for_each(|(key, value)| json["config"]["config"][key] = value.clone());
        let initializer: Arc<dyn Initializer> = read(&json)?;
        let shape: Vec<usize> = serde_json::from_value(json["shape"].take()).map_err(|error| error.to_string())?;
        let value = initializer.array_of(Flavor::Keras3, &Type::f32(shape), 0).map_err(|error| error.to_string())?;
        case.near("outputs", &value, &case.json["value"])
    });
}

/// Keras 2 knows `l1_l2` by name, and means other settings than the defaults of the class.
#[test]
fn a_name_may_stand_for_settings() -> cornu::Result<()> {
    let named = Choice::<dyn Regularizer>::from;
    let both = || L1L2::new().l1(0.01).l2(0.01).into();
    assert_eq!([named("l1_l2"), Field::from_json(&"l1_l2".into())?], [both(), both()]);
    assert_eq!(named("L1L2"), L1L2::new().into());
    Ok(())
}

#[test]
fn constraints_are_those_of_keras() {
    walk("constraints", &<dyn Constraint>::classes(), "class", |case| {
        let constraint: Arc<dyn Constraint> = read(case.json)?;
        let [y, _] = apply(&array(case, &case.json["x"])?, None, |x| constraint.apply(x))?;
        case.near("outputs", &y, &case.json["value"])
    });
}
