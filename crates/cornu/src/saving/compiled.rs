//! Training settings as Keras's `compile_config`: written for both versions, read from either.

use cornu_graph::{Context, Error, Result};
use serde_json::{Map, Value, json};

use super::optimizer::Dialect;
use crate::choice::Choice;
use crate::config::{ClassId, Config, Field, object, open_object};
use crate::losses::Loss;
use crate::metrics::Metric;
use crate::optimizers::{Optimizer, SGD};
use crate::registry::{self, Family};
use crate::step::{Compile, Metrics, PerOutput, check_metric};

/// The schedule whose learning rate stays the same if its `decay_rate` is 0.
const SCHEDULE: &str = "InverseTimeDecay";

/// Keys of optimizers that only Keras 3 knows, and that are written only where they say something.
const KERAS_3: [&str; 2] = ["loss_scale_factor", "gradient_accumulation_steps"];

/// Whether a file can hold these settings; else what it cannot hold.
pub(super) fn storable(settings: &Compile, optimizer: &dyn Optimizer) -> Result<(), String> {
    fn known<T: ?Sized + Family>(object: &T) -> Result<(), String> {
        let (class, package) = (object.class_name(), object.module());
        let id = ClassId { package: package.to_owned().into(), name: class.to_owned().into() };
        if id.is_keras() && T::classes().contains(&class) || T::registry().has_own(&id) {
            return Ok(());
        }
        Err(format!("a file cannot hold the {} `{class}`, which is code", T::WHAT))
    }
    fn chosen<T: ?Sized + Family>(choice: &Choice<T>) -> Result<(), String> {
        match choice {
            Choice::Name(_) => Ok(()),
            Choice::Object(object) => known(&**object),
        }
    }
    known(optimizer)?;
    optimizer.loss_scale().map_or(Ok(()), |scaling| known(scaling.inner()))?;
    settings.loss.iter().flat_map(PerOutput::iter).try_for_each(chosen)?;
    settings.all_metrics().try_for_each(chosen)
}

/// The settings as an object for both versions of Keras; whether the loss is scaled by what is found.
pub(super) fn to_json(
    settings: &Compile,
    (optimizer, scaled): (&dyn Optimizer, bool),
    dialect: Dialect,
    rate: f64,
) -> Value {
    let weighted = settings.weighted_metrics.iter().any(|metrics| !metrics.is_empty());
    json!({
        "optimizer": optimizer_to_json(optimizer, scaled, dialect, rate),
        "loss": settings.loss.as_ref().map(PerOutput::to_json),
        "metrics": settings.metrics.to_json(),
        "loss_weights": settings.loss_weights.as_ref().map(PerOutput::to_json),
        "weighted_metrics": weighted.then(|| settings.weighted_metrics.to_json()),
        "run_eagerly": false,
        "steps_per_execution": 1,
        "jit_compile": false,
    })
}

/// An optimizer with that learning rate, and that within it. Where the loss is scaled, its own factor does not count.
fn optimizer_to_json(optimizer: &dyn Optimizer, scaled: bool, dialect: Dialect, rate: f64) -> Value {
    let mut config = optimizer.to_json();
    if let Some(scaling) = optimizer.loss_scale() {
        let mut inner = optimizer_to_json(scaling.inner(), true, dialect, rate);
        if dialect == Dialect::Keras2 {
            inner["config"]["is_legacy_optimizer"] = false.into();
            config.shift_remove("name");
            config.insert("dynamic".into(), true.into());
        }
        config.insert("inner_optimizer".into(), inner);
        let (module, class) = match dialect {
            Dialect::Keras2 => ("keras.src.mixed_precision.loss_scale_optimizer", "LossScaleOptimizerV3"),
            _ => (optimizer.module(), optimizer.class_name()),
        };
        return object(module, class, config);
    }
    if scaled {
        config.shift_remove("loss_scale_factor");
    }
    config.retain(|key, value| !(value.is_null() && KERAS_3.contains(&key.as_str())));
    if optimizer.common().learning_rate.schedule().is_none() {
        config.insert("learning_rate".into(), if dialect == Dialect::Both { constant(rate) } else { rate.into() });
    }
    object(optimizer.module(), optimizer.class_name(), config)
}

/// A schedule that stays at that learning rate.
fn constant(rate: f64) -> Value {
    let config = json!({
        "initial_learning_rate": rate,
        "decay_steps": 1,
        "decay_rate": 0.0,
        "staircase": false,
        "name": SCHEDULE,
    });
    object("keras.optimizers.schedules", SCHEDULE, config)
}

/// Refuses losses, metrics and optimizers of other packages, which may compute anything, unless they are registered.
///
/// # Errors
/// The first of them.
pub(super) fn refuse_strangers(json: &Value) -> Result<()> {
    fn walk<T: ?Sized + Family>(json: &Value) -> Result<()> {
        match json {
            Value::Array(items) => items.iter().try_for_each(walk::<T>),
            Value::Object(fields) => {
                let id = json.get("class_name").map(|_| ClassId::of(json)).transpose()?;
                match id.filter(|id| !id.is_keras() && !T::registry().has_own(id)) {
                    Some(stranger) => Err(registry::stranger::<T>(&stranger)),
                    None => fields.values().try_for_each(walk::<T>),
                }
            }
            _ => Ok(()),
        }
    }
    walk::<dyn Optimizer>(&json["optimizer"]).context("optimizer")?;
    walk::<dyn Loss>(&json["loss"]).context("loss")?;
    ["metrics", "weighted_metrics"].iter().try_for_each(|key| walk::<dyn Metric>(&json[*key]).context(key))
}

/// The settings in the object of either version, and what of them is not known here.
///
/// # Errors
/// Settings without which nothing can be trained: a loss, an optimizer.
pub(super) fn from_json(json: &Value) -> Result<(Compile, Vec<String>)> {
    let mut left_out = Vec::new();
    let mut settings = Compile::new();
    let loss = &json["loss"];
    if loss.is_null() {
        return Err(Error::unsupported("there is no loss"));
    }
    let read = |json: &Value| Choice::from_json(&plain(json));
    settings.loss = Some(PerOutput::from_json(loss, |_| true, read).context("loss")?);
    let weights = &json["loss_weights"];
    if !weights.is_null() {
        settings.loss_weights = Some(PerOutput::from_json(weights, |_| true, f64::from_json).context("loss_weights")?);
    }
    match &json["optimizer"] {
        // Keras 3.7 and 3.8 leave out an optimizer whose settings they cannot write; Keras then takes its default.
        Value::Null => left_out.push("no optimizer is named, so that it is Keras's default, `rmsprop`".to_owned()),
        json => settings = settings.optimizer(optimizer(json).context("optimizer")?),
    }
    let of_outputs = |items: &[Value]| items.iter().any(|item| item.is_array() || item.is_null());
    for (key, place) in [("metrics", &mut settings.metrics), ("weighted_metrics", &mut settings.weighted_metrics)] {
        *place = PerOutput::from_json(&json[key], of_outputs, |json| Ok(metrics(key, json, &mut left_out)))?;
    }
    Ok((settings, left_out))
}

fn optimizer(json: &Value) -> Result<Choice<dyn Optimizer>> {
    if json.is_string() { Choice::from_json(json) } else { Choice::from_json(&plain_optimizer(json)?) }
}

/// An optimizer, and that within it, without what says nothing.
fn plain_optimizer(json: &Value) -> Result<Value> {
    let (id, mut config) = open_object(json)?;
    let class = &id.name;
    if let Some(inner) = config.get_mut("inner_optimizer") {
        *inner = plain_optimizer(inner).context(class)?;
        // Keras 2 has scales that stay; Keras 3 once wrote what only the other optimizer goes by.
        if config.shift_remove("dynamic").is_some_and(|dynamic| dynamic == false) {
            let message = format!("`{class}` with a scale that stays is not supported");
            return Err(Error::unsupported(message).help("set the `loss_scale_factor` of the other optimizer"));
        }
        let idle = common_settings();
        config.retain(|key, value| idle.get(key) != Some(value));
    }
    // What Keras 2 writes beside the settings both know.
    if config.shift_remove("is_legacy_optimizer").is_some_and(|legacy| legacy == true) {
        return Err(Error::unsupported(format!("optimizers of the old kind are not supported, got `{class}`")));
    }
    config.shift_remove("jit_compile");
    if let Some(rate) = config.get("learning_rate").and_then(constant_rate) {
        config.insert("learning_rate".into(), rate.into());
    }
    if config.get("name").is_some_and(Value::is_null) {
        config.shift_remove("name");
    }
    Ok(object(&id.package, class, config))
}

/// The settings that all optimizers have, as they are if none is set.
fn common_settings() -> Map<String, Value> {
    let mut settings = SGD::new().to_json();
    settings.retain(|key, _| !["name", "learning_rate", "momentum", "nesterov"].contains(&key.as_str()));
    settings
}

/// The learning rate of a schedule that does not change it.
fn constant_rate(json: &Value) -> Option<f64> {
    let number = |key: &str| json["config"][key].as_f64();
    let never = json["class_name"] == SCHEDULE && number("decay_rate") == Some(0.0);
    number("initial_learning_rate").filter(|_| never)
}

/// The metrics of an output, one or a list; those that are not known are added to `left_out`.
fn metrics(key: &str, json: &Value, left_out: &mut Vec<String>) -> Metrics {
    let items = match json {
        Value::Null => return Vec::new(),
        json => json.as_array().map_or(std::slice::from_ref(json), Vec::as_slice),
    };
    let read = |item: &Value| Choice::from_json(&plain(item)).and_then(|choice| check_metric(&choice).map(|()| choice));
    items
        .iter()
        .filter_map(|item| read(item).map_err(|error| left_out.push(format!("{key}: {}", error.message()))).ok())
        .collect()
}

/// A loss or metric without what says nothing: the function that only Keras 2 writes, and the axis of sparse
/// cross-entropies, which can only be the last. A function of Keras becomes its name.
fn plain(json: &Value) -> Value {
    if json["class_name"] == "function" && json["config"].is_string() {
        return json["config"].clone();
    }
    let mut json = json.clone();
    let sparse = json["class_name"] == "SparseCategoricalCrossentropy";
    if let Some(config) = json.get_mut("config").and_then(Value::as_object_mut) {
        config.shift_remove("fn");
        if sparse && config.get("axis").is_some_and(|axis| *axis == -1) {
            config.shift_remove("axis");
        }
    }
    json
}
