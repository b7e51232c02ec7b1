//! The parts of a `.keras` file put together and taken apart.

use cornu_files::h5::{Builder, H5};
use cornu_files::keras::Archive;
use cornu_graph::{Context, Error, ErrorKind, Result};
use serde_json::{Value, json};

use super::optimizer::{self, Dialect};
use super::{Loaded, Save, compiled, weights};
use crate::model::Model;
use crate::step::{Code, OptimizerState, Warning};

/// The Keras whose files these are like.
const KERAS_VERSION: &str = "3.15.1";

/// However little a file holds, so many zeros are no harm; a wrong shape then gets the better message.
const HARMLESS: usize = 1 << 20;

/// The file of a built model, and what could not be put into it.
pub(super) fn archive(model: &Model, save: Save) -> Result<(Archive, Vec<Warning>)> {
    let mut config = model.to_json_for(save.flavor())?;
    let mut builder = Builder::new();
    weights::write(model, &mut builder)?;
    let mut warnings = refused_names(model);
    if let Some(settings) = model.compiled() {
        let (chosen, variables) = (settings.optimizer.resolve()?, model.variables());
        match compiled::storable(settings, &*chosen) {
            Ok(()) => {
                let optimizer = model.optimizer().unwrap_or(&*chosen);
                let dialect = Dialect::choose(save, optimizer, variables)?;
                let state = model.optimizer_state().map_or_else(|| OptimizerState::start(optimizer, variables), Ok)?;
                let chosen = (&*chosen, optimizer.loss_scale().is_some());
                config["compile_config"] = compiled::to_json(settings, chosen, dialect, state.learning_rate);
                optimizer::write(optimizer, &state, variables, dialect, &mut builder)?;
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
    Ok((Archive { metadata, config, weights: builder.finish()?, extra: weights::vocabularies(model) }, warnings))
}

/// A warning for every name that Keras refuses on TensorFlow.
fn refused_names(model: &Model) -> Vec<Warning> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let known =
        |name: &str| name.is_empty() || name.starts_with(plain) && name.chars().all(|c| plain(c) || "_-/>".contains(c));
    let layers = model.net().layers.iter().map(|layer| ("layer", layer.name()));
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
    let Archive { config, weights: bytes, extra, .. } = archive;
    let file = H5::read(bytes).context("`model.weights.h5`")?;
    let mut model = Model::from_config(&config, Some(room(&file))).map_err(of_the_file)?;
    weights::read(&file, &model)?;
    weights::read_vocabularies(&extra, &file, &model)?;
    let mut warnings = Vec::new();
    // Keras 3 gives a model that was never compiled an empty object.
    let said = |settings: &&Value| !settings.is_null() && **settings != json!({});
    let settings = config.get("compile_config").filter(said).filter(|_| compile);
    if let Some(settings) = settings {
        compiled::refuse_strangers(settings)?;
        let without = |model: &Model, what: &str, why: &str| {
            let message = format!("model `{}` is loaded without {what} of its training settings: {why}", model.name());
            Warning::new(Code::LoadedUncompiled, message)
        };
        if optimizer::has_inner(&file) {
            model.scale_loss();
        }
        let read = compiled::from_json(settings);
        match read.and_then(|(settings, left_out)| model.compile(settings).map(|()| left_out)) {
            Ok(left_out) => {
                warnings.extend(left_out.iter().map(|what| without(&model, "some", what)));
                warnings.extend(resume(&file, &mut model)?);
            }
            Err(error) => warnings.push(without(&model, "any", error.message())),
        }
    }
    Ok(Loaded { model, warnings })
}

/// Lets the optimizer go on from where the file says.
fn resume(file: &H5, model: &mut Model) -> Result<Option<Warning>> {
    let Some(optimizer) = model.optimizer() else { return Ok(None) };
    match optimizer::read(file, optimizer, model.variables())? {
        Ok(state) => model.set_optimizer_state(state).map(|()| None),
        Err(why) => {
            let message = format!("the optimizer of model `{}` starts anew: {why}", model.name());
            Ok(Some(Warning::new(Code::OptimizerNotRestored, message)))
        }
    }
}

/// How many numbers the weights of a model in this file can have.
fn room(file: &H5) -> usize {
    file.numbers_held().saturating_add(HARMLESS)
}

/// What is wrong with a model that was read is wrong with its file, unless it is only not known here.
fn of_the_file(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Unsupported => error,
        _ => error.of_kind(ErrorKind::File),
    }
}
