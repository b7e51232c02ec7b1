//! What tells a search from others, and its rows.

use std::hash::{BuildHasher, RandomState};

use cornu::data::ToLabels;
use cornu::data::model_selection::{CrossValidator, Given};
use cornu::graph::{AnyArray, Arrays, Context};
use cornu::{Error, Result};
use serde_json::Value as Json;

use crate::hypermodel::TrainingData;
use crate::sampler::draw::hash;
use crate::space::python;

/// A number that is another each time.
pub(crate) fn number() -> u64 {
    // Each `RandomState` has keys of its own.
    RandomState::new().hash_one(0)
}

/// Arrays in a word: their types, and a number that others hardly have.
pub(crate) fn told(arrays: &Arrays) -> String {
    let told = |array: &AnyArray| match array {
        AnyArray::Numbers(array) => {
            let hash = hash(array.to_vec::<f64>().into_iter().map(f64::to_bits));
            format!("{} #{hash:016x}", array.ty())
        }
        AnyArray::Texts(texts) => {
            // No byte of a text is 256.
            let bytes = texts.iter().flat_map(|text| text.bytes().map(u64::from).chain([256]));
            format!("string{} #{:016x}", texts.shape(), hash(bytes))
        }
    };
    arrays.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// Looks whether the search that is there is this one. Its seed counts where one was told.
///
/// # Errors
/// The first difference.
pub(crate) fn compare(stored: &Json, own: &Json, seeded: bool) -> Result<()> {
    let Some((what, there, here)) = difference("", stored, own, seeded) else { return Ok(()) };
    let message = format!("there is another search: its {what} is {there}, here it is {here}");
    Err(Error::usage(message).help("take another directory, or begin anew there: `.overwrite(true)`"))
}

fn difference(what: &str, stored: &Json, own: &Json, seeded: bool) -> Option<(String, String, String)> {
    // Before a model was built nobody knows which way is better.
    let unknown = what == "direction" && (stored.is_null() || own.is_null());
    if stored == own || (what == "seed" && !seeded) || unknown {
        return None;
    }
    match (stored, own) {
        (Json::Object(stored), Json::Object(own)) => {
            let names = stored.keys().chain(own.keys().filter(|name| !stored.contains_key(*name)));
            names.into_iter().find_map(|name| {
                let value = |of: &serde_json::Map<String, Json>| of.get(name).cloned().unwrap_or_default();
                let inner = if what.is_empty() { name.clone() } else { format!("{what}.{name}") };
                difference(&inner, &value(stored), &value(own), seeded)
            })
        }
        (Json::Array(there), Json::Array(here)) if what == "space" => {
            let place =
                there.iter().zip(here).position(|(there, here)| there != here).unwrap_or(there.len().min(here.len()));
            let config =
                |all: &[Json]| all.get(place).map_or("missing".into(), |parameter| python(&parameter["config"]));
            Some((format!("parameter number {}", place + 1), config(there), config(here)))
        }
        _ => Some((what.to_owned(), python(stored), python(own))),
    }
}

/// The rows of each fold.
///
/// # Errors
/// Rows that cannot be split so, and a part for validation beside them.
pub(crate) fn folded(folds: &dyn CrossValidator, x: &Arrays, y: &Arrays, validates: bool) -> Result<Vec<TrainingData>> {
    if validates {
        let error = Error::usage("`folds` leave rows out for validation, and `fit` has rows of its own for it");
        return Err(error.help("leave `validation_split` and `validation_data` out"));
    }
    let none = || Error::data("`folds` need rows, got none");
    let (first, labels) = (x.iter().next().ok_or_else(none)?, y.iter().next().ok_or_else(none)?);
    let rows = first.shape().first().copied().unwrap_or(0);
    if let Some(other) = x.iter().chain(y.iter()).find(|array| array.shape().first() != Some(&rows)) {
        return Err(Error::data(format!("`folds` need arrays of as many rows, got {rows} and {}", other.shape())));
    }
    let needed = || Error::data("`folds` need labels that are numbers, got texts");
    let numbers = labels.numbers().ok_or_else(needed)?.to_vec::<f64>();
    let classes = numbers.len() == rows && numbers.iter().all(|number| number.fract() == 0.0);
    let labels = classes.then(|| numbers.iter().map(|number| *number as i64).collect::<Vec<_>>().to_labels());
    let labels = labels.transpose()?;
    let given = Given { rows, labels: labels.as_ref(), classify: classes, groups: None };
    let part = |(train, test): (Vec<usize>, Vec<usize>)| {
        let validation = Some((x.rows(&test), y.rows(&test)));
        TrainingData { x: x.rows(&train), y: y.rows(&train), validation }
    };
    Ok(folds.splits(&given).context("folds")?.into_iter().map(part).collect())
}

/// Settings as an object.
pub(crate) fn object(settings: &[(&'static str, String)]) -> Json {
    let pairs = settings.iter().map(|(name, value)| ((*name).to_owned(), Json::from(value.as_str())));
    pairs.collect::<serde_json::Map<String, Json>>().into()
}
