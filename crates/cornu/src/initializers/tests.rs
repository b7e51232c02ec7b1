//! Values against those of both Keras versions.

use cornu_testkit::golden::{Report, json};
use cornu_testkit::lists::{expect, f32s, indices, items, sha256};
use serde_json::Value;

use std::sync::Arc;

use super::*;
use crate::choice::Choice;
use crate::config::Field;
use crate::random::Seeds;
use crate::random::tests::seed_of;
use crate::registry::Family;

/// The initializer of a golden case: Keras's defaults, then the case's arguments and seed.
fn named(name: &str, seed: Option<i64>, args: &Value) -> Arc<dyn Initializer> {
    let Value::Object(mut object) = Choice::<dyn Initializer>::from(name).to_json() else {
        panic!("no initializer `{name}`")
    };
    if let Value::Object(config) = &mut object["config"] {
        config.extend(args.as_object().cloned().unwrap_or_default());
        if config.contains_key("seed") {
            config.insert("seed".into(), seed.into());
        }
    }
    <dyn Initializer>::registry().read_object(&object.into()).unwrap_or_else(|error| panic!("{error}"))
}

/// Compares values with a golden entry: exactly, or within `tolerance` if that is not zero.
fn check(report: &mut Report, id: &str, got: &[f32], wanted: &Value, tolerance: f32) {
    let (all, first, last) = (f32s(&wanted["values"]), f32s(&wanted["first"]), f32s(&wanted["last"]));
    let parts = [(&got[..all.len()], &all), (&got[..first.len()], &first), (&got[got.len() - last.len()..], &last)];
    for (got, wanted) in parts {
        let far = got.iter().zip(wanted).position(|(a, b)| (a - b).abs() > tolerance);
        report.case(id, far.map_or(Ok(()), |i| Err(format!("value {i}: needed {}, got {}", wanted[i], got[i]))));
    }
    if tolerance == 0.0 {
        let hash = sha256(got.iter().flat_map(|value| value.to_le_bytes()));
        report.case(id, expect(hash.as_str(), wanted["sha256_f32le"].as_str().expect("a hash")));
    }
}

fn values(initializer: &dyn Initializer, flavor: Flavor, shape: &Shape, seed: i64) -> Vec<f32> {
    initializer.array_of(flavor, &Type::f32(shape.clone()), seed).expect("values").to_vec()
}

const FLAVORS: [(Flavor, &str); 2] = [(Flavor::Keras2, "keras213"), (Flavor::Keras3, "keras3")];

#[test]
fn values_are_kerass() {
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        for case in items(&json("random", &format!("{file}_initializers.json"))["cases"]) {
            let name = case["initializer"].as_str().expect("a name");
            let seed = case["seed"].as_i64();
            let shape = Shape::from(indices(&case["shape"]));
            let id = format!("{file}, {name} {}, seed {seed:?}, shape {shape}", case["args"]);
            let tolerance = if name == "orthogonal" { 2e-6 } else { 0.0 };
            // A seed in the configuration comes before the one handed in.
            let got = values(&*named(name, seed, &case["args"]), flavor, &shape, 99);
            check(&mut report, &id, &got, case, tolerance);
        }
    }
    report.finish();
}

/// What a model's weights need: the initializer of each, or how many seeds other things draw before it.
enum Draw {
    Weight(&'static str),
    Skip(usize),
}
use Draw::{Skip, Weight};

const KERNEL: Draw = Weight("glorot_uniform");
const ZEROS: Draw = Weight("zeros");
const ONES: Draw = Weight("ones");
const TABLE: Draw = Weight("random_uniform");
const RECURRENT: Draw = Weight("orthogonal");
/// The bias of an LSTM is ones for the forget gate, so it is no plain initializer; it draws nothing.
const OTHER: Draw = Weight("");

/// The draws of a model of the golden files, if they follow from its name and the shapes of its weights.
fn draws(model: &str, weights: &[&Value], flavor: Flavor) -> Option<Vec<Draw>> {
    let only_keras_3 = |count| Skip(if flavor == Flavor::Keras3 { count } else { 0 });
    let layer = |word| match word {
        "dense" => Some(vec![KERNEL, ZEROS]),
        "dropout" => Some(vec![only_keras_3(1)]),
        _ => None,
    };
    let named = match model {
        "conv" => vec![KERNEL, ZEROS, ONES, ZEROS, ZEROS, ONES, KERNEL, ZEROS],
        "embedding-lstm" => vec![TABLE, KERNEL, RECURRENT, OTHER, only_keras_3(1), KERNEL, ZEROS],
        "bidirectional" => {
            let before = [only_keras_3(3), KERNEL, RECURRENT, ZEROS, only_keras_3(1)];
            let after = [KERNEL, RECURRENT, ZEROS, only_keras_3(1), KERNEL, ZEROS];
            before.into_iter().chain(after).collect()
        }
        _ => {
            model.split('-').map(layer).collect::<Option<Vec<_>>>().unwrap_or_default().into_iter().flatten().collect()
        }
    };
    let chain = (0..weights.len()).map(|i| if i % 2 == 0 { KERNEL } else { ZEROS }).collect();
    let vector = |draw: &Draw| match draw {
        Weight(name) => Some(["zeros", "ones", ""].contains(name)),
        Skip(_) => None,
    };
    let vectors: Vec<bool> = weights.iter().map(|weight| items(&weight["shape"]).len() == 1).collect();
    let fits = |draws: &Vec<Draw>| draws.iter().filter_map(vector).eq(vectors.iter().copied());
    [named, chain].into_iter().find(fits).filter(|draws| draws.len() > weights.len() || !model.contains("dropout"))
}

#[test]
fn models_start_as_in_keras() {
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        let golden = json("random", &format!("{file}_models_seed42.json"));
        for (model, weights) in golden.as_object().expect("models").iter().filter(|(_, value)| value.is_array()) {
            let mut seeds = Seeds::new(seed_of(&golden));
            let weights: Vec<&Value> = items(weights).iter().flat_map(items).collect();
            let Some(draws) = draws(model, &weights, flavor) else {
                println!("{file}, {model}: skipped, its layers do not follow from its name and weights");
                continue;
            };
            let mut weights = weights.into_iter();
            for draw in draws {
                let name = match draw {
                    Weight(name) => name,
                    Skip(count) => {
                        (0..count).for_each(|_| _ = seeds.keras_seed(flavor));
                        continue;
                    }
                };
                let wanted = weights.next().expect("a weight");
                if name.is_empty() {
                    continue;
                }
                let initializer = named(name, None, &Value::Null);
                let seed = if initializer.draws() { seeds.keras_seed(flavor) } else { 0 };
                let shape = Shape::from(indices(&wanted["shape"]));
                let tolerance = if name == "orthogonal" { 2e-6 } else { 0.0 };
                let id = format!("{file}, {model}, {name} {shape}");
                check(&mut report, &id, &values(&*initializer, flavor, &shape, seed), wanted, tolerance);
            }
            report.case(model, expect(weights.count(), 0));
        }
    }
    report.finish();
}

#[test]
fn plain_values() {
    let array = |initializer: &dyn Initializer, shape: Shape| values(initializer, Flavor::Keras2, &shape, 1);
    assert_eq!(array(&Constant::new().value(0.1), Shape::from([2])), [0.1, 0.1]);
    assert_eq!(array(&Identity::new().gain(2), Shape::from([2, 3])), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
    assert_eq!(array(&Identity::new().gain(2), Shape::from([3, 2])), [2.0, 0.0, 0.0, 2.0, 0.0, 0.0]);
    assert_eq!(array(&Orthogonal::new(), Shape::from([0, 2])), [0.0; 0]);
    let asked = |initializer: &dyn Initializer| (initializer.draws(), initializer.seed());
    assert_eq!(asked(&HeNormal::new().seed(3)), (false, Some(3)));
    assert_eq!([asked(&HeNormal::new()), asked(&Zeros::new())], [(true, None), (false, None)]);
}

#[test]
fn orthogonal_columns_are_orthonormal() {
    for (rows, columns) in [(7, 4), (4, 7), (5, 1)] {
        let initializer = Orthogonal::new().gain(2).seed(5);
        let q = values(&initializer, Flavor::Keras2, &Shape::from([rows, columns]), 0);
        let q: Vec<f64> = q.into_iter().map(f64::from).collect();
        let (short, long) = (rows.min(columns), rows.max(columns));
        let at = |i: usize, k: usize| if rows < columns { q[i * columns + k] } else { q[k * columns + i] };
        for (i, j) in (0..short).flat_map(|i| (0..short).map(move |j| (i, j))) {
            let dot: f64 = (0..long).map(|k| at(i, k) * at(j, k)).sum();
            let wanted = if i == j { 4.0 } else { 0.0 };
            assert!((dot - wanted).abs() < 1e-6, "{rows} by {columns}: {i} and {j} have product {dot}");
        }
    }
}

/// Keras 3 counts the axes of an attention kernel `[features, heads, size]` for what they are.
#[test]
fn axes_can_be_named() {
    let shape = Shape::from([8, 2, 4]);
    assert_eq!(fans(&shape, &None, &None).expect("fans"), (16.0, 32.0));
    assert_eq!(fans(&shape, &Some(vec![0]), &Some(vec![1, -1])).expect("fans"), (8.0, 8.0));
    assert_eq!(fans(&Shape::scalar(), &None, &None).expect("fans"), (1.0, 1.0));
    let error = fans(&shape, &Some(vec![3]), &Some(vec![-1])).expect_err("no such axis");
    assert_eq!(error.message(), "an initializer needs axis 3 of shape [8,2,4]");
}

#[test]
fn unfit_shapes_and_scales_are_refused() {
    let message = |initializer: &dyn Initializer, shape: Shape| {
        initializer.array_of(Flavor::Keras2, &Type::f32(shape), 0).unwrap_err().message().to_owned()
    };
    let identity = message(&Identity::new(), Shape::from([2]));
    assert_eq!(identity, "`Identity` needs a weight with 2 axes, got shape [2]");
    let orthogonal = message(&Orthogonal::new(), Shape::from([2]));
    assert_eq!(orthogonal, "`Orthogonal` needs a weight with 2 axes or more, got shape [2]");
    let scaling = named("variance_scaling", None, &serde_json::json!({ "scale": -1.0 }));
    assert_eq!(message(&*scaling, Shape::from([2])), "`scale` of an initializer must be positive, got -1");
    let huge = message(&Zeros::new(), Shape::from([usize::MAX, 2]));
    assert!(huge.contains("is too large"), "{huge}");
}
