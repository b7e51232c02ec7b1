//! The parts of a `.keras` file put together and taken apart.

use cornu_files::h5::{Builder, H5};
use cornu_files::keras::Archive;
use cornu_graph::{Context, Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::optimizer::{self, Dialect};
use super::{Loaded, Save, compiled, weights};
use crate::Sequential;
use crate::train::{Code, Warning};

/// The Keras whose files these are like.
const KERAS_VERSION: &str = "3.15.1";

/// The largest number of units or of elements of one sample: a file that says more is made up, and shapes cannot overflow.
const LARGEST: u64 = 1 << 28;

/// However little a file holds, so many zeros are no harm; a wrong shape then gets the better message.
const HARMLESS: usize = 1 << 20;

/// The file of a built model, and what could not be put into it.
pub(super) fn archive(model: &Sequential, save: Save) -> Result<(Archive, Vec<Warning>)> {
    let mut config = model.to_json_value()?;
    let mut builder = Builder::new();
    weights::write(model, &mut builder)?;
    let mut warnings = refused_names(model);
    if let Some(settings) = model.compiled() {
        let (chosen, variables) = (settings.optimizer.resolve()?, model.variables());
        match compiled::storable(settings, &*chosen) {
            Ok(()) => {
                let dialect = Dialect::choose(save, &*chosen, variables)?;
                let state = model.optimizer_state().unwrap_or_else(|| optimizer::start(&*chosen, variables));
                config["compile_config"] = compiled::to_json(settings, &*chosen, dialect, state.learning_rate);
                optimizer::write(&*chosen, &state, variables, dialect, &mut builder)?;
            }
            Err(what) => warnings.push(Warning::new(
                Code::SavedUncompiled,
                format!("model `{}` is saved without its training settings: {what}", model.name()),
            )),
        }
    }
    // No date: the same model gives the same file.
    let metadata =
        json!({ "keras_version": KERAS_VERSION, "saved_with": concat!("cornu ", env!("CARGO_PKG_VERSION")) });
    Ok((Archive { metadata, config, weights: builder.finish()?, extra: Vec::new() }, warnings))
}

/// A warning for every name that Keras refuses on TensorFlow.
fn refused_names(model: &Sequential) -> Vec<Warning> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let known =
        |name: &str| name.is_empty() || name.starts_with(plain) && name.chars().all(|c| plain(c) || "_-/>".contains(c));
    let layers = model.layers().into_iter().map(|layer| ("layer", layer.name()));
    let refused = [("model", model.name())].into_iter().chain(layers).filter(|(_, name)| !known(name));
    let message = |(what, name)| {
        format!(
            "Keras on TensorFlow refuses the name `{name}` of a {what}, and the file with it; use letters, digits and `_.-`"
        )
    };
    refused.map(|refused| Warning::new(Code::NameKerasRefuses, message(refused))).collect()
}

/// The model of a file.
pub(super) fn read(archive: Archive, compile: bool) -> Result<Loaded> {
    let Archive { config, weights: bytes, .. } = archive;
    let file = H5::read(bytes).context("`model.weights.h5`")?;
    ["config", "build_config"].iter().filter_map(|key| config.get(*key)).try_for_each(plausible)?;
    let mut model = Sequential::from_config(&config, Some(room(&file))).map_err(of_the_file)?;
    weights::read(&file, &mut model)?;
    let mut warnings = Vec::new();
    // Keras 3 gives a model that was never compiled an empty object.
    let said = |settings: &&Value| !settings.is_null() && **settings != json!({});
    let settings = config.get("compile_config").filter(said).filter(|_| compile);
    if let Some(settings) = settings {
        match compiled::from_json(settings).and_then(|settings| model.compile(settings)) {
            Ok(()) => warnings.extend(resume(&file, &mut model)?),
            Err(error) => warnings.push(Warning::new(
                Code::LoadedUncompiled,
                format!("model `{}` is loaded without its training settings: {}", model.name(), error.message()),
            )),
        }
    }
    Ok(Loaded { model, warnings })
}

/// Lets the optimizer go on from where the file says.
fn resume(file: &H5, model: &mut Sequential) -> Result<Option<Warning>> {
    let Some(settings) = model.compiled() else { return Ok(None) };
    match optimizer::read(file, &*settings.optimizer.resolve()?, model.variables())? {
        Ok(state) => model.set_optimizer_state(state).map(|()| None),
        Err(why) => {
            let message = format!("the optimizer of model `{}` starts anew: {why}", model.name());
            Ok(Some(Warning::new(Code::OptimizerNotRestored, message)))
        }
    }
}

/// How many numbers the weights of a model in this file can have.
fn room(file: &H5) -> usize {
    let sizes = file.datasets().iter().map(|entry| entry.shape.checked_size().unwrap_or(usize::MAX));
    sizes.fold(HARMLESS, usize::saturating_add)
}

/// Keys of numbers that are no sizes.
const NO_SIZES: [&str; 2] = ["seed", "shared_object_id"];

/// Refuses sizes whose products would overflow.
fn plausible(json: &Value) -> Result<()> {
    let too_large = |size: &dyn std::fmt::Display| {
        let error = Error::file(format!("`config.json`: the size {size} is larger than any layer's"));
        Err(error.help("the file is damaged, or it was made to use up memory"))
    };
    match json {
        Value::Number(number) if number.as_u64().is_some_and(|size| size > LARGEST) => too_large(number),
        Value::Array(items) => {
            let sizes = items.iter().filter_map(Value::as_u64);
            if sizes.fold(1, u64::saturating_mul) > LARGEST {
                return too_large(json);
            }
            items.iter().try_for_each(plausible)
        }
        Value::Object(fields) => {
            let sizes = fields.iter().filter(|(key, _)| !NO_SIZES.contains(&key.as_str()));
            sizes.map(|(_, value)| value).try_for_each(plausible)
        }
        _ => Ok(()),
    }
}

/// What is wrong with a model that was read is wrong with its file, unless it is only not known here.
fn of_the_file(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unsupported => error,
        _ => error.of_kind(ErrorKind::File),
    }
}
