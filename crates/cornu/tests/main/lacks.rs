//! What cases of golden files need that this version has not, by its own lists of classes and names.

use cornu::activations::Activation;
use cornu::constraints::Constraint;
use cornu::initializers::Initializer;
use cornu::layers::Layer;
use cornu::losses::Loss;
use cornu::metrics::Metric;
use cornu::optimizers::Optimizer;
use cornu::optimizers::schedules::Schedule;
use cornu::registry::Family;
use cornu::regularizers::Regularizer;
use serde_json::{Map, Value};

/// Settings that ask for something: key, and whether a value does.
type Asking = (&'static str, fn(&Value) -> bool);

/// Settings that are known and refused, unless they ask for nothing.
const REFUSED: [Asking; 3] = [
    ("optional", |value| *value == true),
    ("lora_rank", |value| !value.is_null()),
    ("quantization_config", |value| !value.is_null()),
];

/// The words one of which a refusal of a Keras object has to say: classes, names and settings that are not there.
pub(crate) fn lacks(json: &Value) -> Vec<String> {
    let mut lacks = Vec::new();
    walk(json, &mut lacks);
    lacks.sort();
    lacks.dedup();
    lacks
}

fn is_known(class: &str, module: &str) -> bool {
    // An initializer may be called as a layer is.
    if module == "keras.layers" {
        return <dyn Layer>::classes().contains(&class);
    }
    let families =
        [<dyn Loss>::classes(), <dyn Metric>::classes(), <dyn Optimizer>::classes(), <dyn Schedule>::classes()];
    let choices = [<dyn Initializer>::classes(), <dyn Regularizer>::classes(), <dyn Constraint>::classes()];
    <dyn Layer>::classes().contains(&class)
        || families.into_iter().chain(choices).any(|list| list.contains(&class))
        || ["DTypePolicy", "Policy", "function", "Sequential", "Functional", "__keras_tensor__"].contains(&class)
}

fn walk(json: &Value, lacks: &mut Vec<String>) {
    match json {
        Value::Array(list) => list.iter().for_each(|value| walk(value, lacks)),
        Value::Object(object) => {
            of_object(object, lacks);
            object.values().for_each(|value| walk(value, lacks));
        }
        _ => {}
    }
}

fn of_object(object: &Map<String, Value>, lacks: &mut Vec<String>) {
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    if let Some(class) = text("class_name").filter(|class| !is_known(class, text("module").unwrap_or_default())) {
        lacks.push(format!("`{class}`"));
    }
    let activations = ["activation", "recurrent_activation"].into_iter().filter_map(text);
    lacks.extend(activations.filter(|name| !<dyn Activation>::names().contains(name)).map(|name| format!("`{name}`")));
    let dtype = object.get("dtype").map(|dtype| dtype.pointer("/config/name").unwrap_or(dtype)).and_then(Value::as_str);
    lacks.extend(dtype.filter(|name| *name == "string").map(String::from));
    for (key, asks) in REFUSED {
        if object.get(key).is_some_and(asks) {
            lacks.push(key.into());
        }
    }
}

/// What the settings of `compile` need besides: names that are not there.
pub(crate) fn of_compile(compile: &Value) -> Vec<String> {
    let mut lacks = lacks(compile);
    let mut names = |what: &Value, known: &[&str]| match what {
        Value::String(name) if !known.contains(&name.as_str()) => lacks.push(format!("`{name}`")),
        _ => {}
    };
    names(&compile["optimizer"], &<dyn Optimizer>::names());
    names(&compile["loss"], &<dyn Loss>::names());
    let metrics = [<dyn Metric>::names(), vec!["accuracy", "acc", "crossentropy", "ce"]].concat();
    for metric in ["metrics", "weighted_metrics"].into_iter().filter_map(|key| compile[key].as_array()).flatten() {
        names(metric, &metrics);
    }
    lacks
}

#[test]
fn what_is_lacking_is_found_by_class_name_and_setting() {
    let of = |text: &str| lacks(&serde_json::from_str(text).expect("JSON"));
    assert_eq!(of(r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense"}]}}"#), [""; 0]);
    assert_eq!(
        of(r#"{"class_name": "Functional", "config": {"layers": [{"class_name": "ConvLSTM2D"}]}}"#),
        ["`ConvLSTM2D`"]
    );
    assert_eq!(of(r#"{"layers": [{"class_name": "Sequential"}, {"class_name": "Softmax"}]}"#), ["`Softmax`"]);
    assert_eq!(of(r#"{"class_name": "Identity"}"#), [""; 0]);
    assert_eq!(of(r#"{"module": "keras.layers", "class_name": "Identity"}"#), ["`Identity`"]);
    assert_eq!(of(r#"{"activation": "swoosh", "use_bias": true}"#), ["`swoosh`"]);
    assert_eq!(of(r#"{"dtype": {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}}"#), [""; 0]);
    assert_eq!(of(r#"{"dtype": "string"}"#), ["string"]);
    assert_eq!(of(r#"{"optional": true, "lora_rank": null}"#), ["optional"]);
    let compile = serde_json::json!({ "optimizer": "tiger", "loss": "mse", "metrics": ["mae", "f1"] });
    assert_eq!(of_compile(&compile), ["`tiger`", "`f1`"]);
}
