//! Where the weights of a model stand in an HDF5 file. Keras 3 and Keras 2.13 use different places; files of this crate
//! have both. Layers are found by class and order, not by name.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cornu_files::h5::{Attribute, Builder, Entry, H5};
use cornu_files::keras::Extra;
use cornu_graph::{Array, Context, Error, Result};

use crate::flavor::Flavor;
use crate::layers::{HostLayer, LayerRef, snake_case};
use crate::model::{Model, Nested};
use crate::variables::Variable;

/// Both versions, in the order in which their places are looked for.
const ALL: [Flavor; 2] = [Flavor::Keras3, Flavor::Keras2];

/// The folder around those of all layers.
fn root(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::Keras3 => "layers",
        Flavor::Keras2 => "_layer_checkpoint_dependencies",
    }
}

/// A layer in a file: where its weights stand, its name, and they themselves, first those that learn.
struct Placed<'a> {
    folder: String,
    layer: &'a LayerRef,
    variables: Vec<Arc<Variable>>,
}

/// Every layer with its folder, `layers/dense_1/vars`, and those within it. Keras 3 counts the layers of a class; Keras 2
/// meets those that have weights twice on its way through a model, and counts them twice.
fn placed<'a>(flavor: Flavor, layers: &'a [LayerRef], around: &str, found: &mut Vec<Placed<'a>>) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for layer in layers {
        let class = snake_case(layer.layer().class_name());
        let count = counts.entry(class.clone()).or_insert(0);
        let place = if *count == 0 { class } else { format!("{class}_{count}") };
        *count += if flavor == Flavor::Keras2 && !layer.variables().is_empty() { 2 } else { 1 };
        one(flavor, layer, &format!("{around}{}/{place}", root(flavor)), found);
    }
}

/// A layer at a place of its own, and those within it: of a model as those of a file, else by the names of their fields.
fn one<'a>(flavor: Flavor, layer: &'a LayerRef, place: &str, found: &mut Vec<Placed<'a>>) {
    let mut variables: Vec<_> = layer.own_variables().iter().filter(|own| own.role.is_weight()).cloned().collect();
    variables.sort_by_key(|variable| variable.role);
    // Those of parts of the layer have folders of their own.
    let mut folders = vec![(format!("{place}/vars"), Vec::new())];
    for variable in variables {
        let part = variable.name.split_once('/').map(|(part, _)| layer.layer().folder_of(part, flavor));
        let folder = part.map_or_else(|| format!("{place}/vars"), |part| format!("{place}/{part}/vars"));
        match folders.iter_mut().find(|(known, _)| *known == folder) {
            Some((_, own)) => own.push(variable),
            None => folders.push((folder, vec![variable])),
        }
    }
    found.extend(folders.into_iter().map(|(folder, variables)| Placed { folder, layer, variables }));
    match layer.settings::<Nested>() {
        Some(nested) => placed(flavor, &nested.net.layers, &format!("{place}/"), found),
        None => {
            for (field, child) in layer.children() {
                one(flavor, child, &format!("{place}/{field}"), found);
            }
        }
    }
}

/// The layers of a model, as they stand in a file.
fn all(flavor: Flavor, model: &Model) -> Vec<Placed<'_>> {
    let mut found = Vec::new();
    placed(flavor, &model.net().layers, "", &mut found);
    found
}

/// Puts all weights into a file, in the places of both versions.
///
/// # Errors
/// Names of layers too long for an attribute.
pub(super) fn write(model: &Model, builder: &mut Builder) -> Result<()> {
    builder.group("vars")?;
    for flavor in ALL {
        builder.group(root(flavor))?;
        for Placed { folder, layer, variables } in all(flavor, model) {
            builder.group(&folder)?;
            if flavor == Flavor::Keras3 {
                builder.attribute(&folder, "name", Attribute::Text(layer.name().into()))?;
            }
            for (i, variable) in variables.iter().enumerate() {
                builder.dataset(&format!("{folder}/{i}"), &variable.read())?;
            }
            if let Some(weights) = layer.token_weights() {
                builder.dataset(&format!("{folder}/{TOKEN_WEIGHTS}"), &weights)?;
            }
        }
    }
    Ok(())
}

/// Takes all weights from a file; nothing changes if one does not fit.
///
/// # Errors
/// A weight that is missing or has another shape, or one that belongs to no layer.
pub(super) fn read(file: &H5, model: &Model) -> Result<()> {
    let Some(flavor) = ALL.into_iter().find(|flavor| file.has_group(root(*flavor))) else {
        return if model.net().layers.is_empty() { Ok(()) } else { Err(no_weights(file)) };
    };
    let mut values: Vec<(Arc<Variable>, Array)> = Vec::new();
    for Placed { folder, layer, variables } in all(flavor, model) {
        for (i, variable) in variables.iter().enumerate() {
            let place = format!("layer `{}`: weight `{}`", layer.name(), own_name(variable));
            values.push((Arc::clone(variable), value(file, variable, &format!("{folder}/{i}"), &place)?));
        }
    }
    refuse_left_over(file, model)?;
    values.iter().try_for_each(|(variable, value)| variable.write(value))
}

/// What tokens weigh, beside the weights of layers.
const TOKEN_WEIGHTS: &str = "idf_weights";

/// The folder of what layers keep in files of their own.
const ASSETS: &str = "assets";

/// The vocabularies of a model that are not among its settings, each in the places of both versions.
pub(super) fn vocabularies(model: &Model) -> Vec<Extra> {
    let of = |placed: Placed| {
        let folder = placed.folder.strip_suffix("/vars")?;
        Some(Extra::new(format!("{ASSETS}/{folder}/vocabulary.txt"), placed.layer.tokens_apart()?.into_bytes()))
    };
    ALL.into_iter().flat_map(|flavor| all(flavor, model)).filter_map(of).collect()
}

/// Takes the vocabularies of a file that are not among its settings, and what tokens weigh.
///
/// # Errors
/// A vocabulary that its layer cannot have, or a damaged file.
pub(super) fn read_vocabularies(extra: &[Extra], file: &H5, model: &Model) -> Result<()> {
    for Placed { folder, layer, .. } in ALL.into_iter().flat_map(|flavor| all(flavor, model)) {
        let name = format!("{ASSETS}/{}/vocabulary.txt", folder.strip_suffix("/vars").unwrap_or(&folder));
        let Some(found) = extra.iter().find(|extra| extra.name() == name) else { continue };
        if !layer.host().is_some_and(HostLayer::keeps_tokens_apart) {
            continue;
        }
        let text = String::from_utf8(found.bytes()?);
        let text = text.map_err(|_| Error::file(format!("`{name}` needs to be UTF-8")))?;
        let weights = format!("{folder}/{TOKEN_WEIGHTS}");
        let weights = file.find(&weights).map(|_| file.dataset(&weights)).transpose()?;
        layer.read_tokens(&text, weights.as_ref()).context(format_args!("`{name}`"))?;
    }
    Ok(())
}

/// The last part of a variable's name.
fn own_name(variable: &Variable) -> &str {
    variable.name.rsplit('/').next().unwrap_or(&variable.name)
}

/// The value of one weight; `place` says which for messages.
fn value(file: &H5, variable: &Variable, path: &str, place: &str) -> Result<Array> {
    let needed = &variable.ty.shape;
    let Some(entry) = file.find(path) else {
        let folder = path.rsplit_once('/').map_or(path, |(folder, _)| folder);
        let there = file.datasets().iter().filter(|entry| entry.path.starts_with(folder)).count();
        let got =
            if there == 0 { "none of this layer's weights".into() } else { format!("only {there} of this layer's") };
        let error = Error::file(format!("{place} needs shape {needed}, but there is no `{path}`: the file has {got}"));
        return Err(error.help(OTHER_MODEL));
    };
    if entry.shape != *needed {
        let got = &entry.shape;
        return Err(Error::file(format!("{place} needs shape {needed}, got {got} at `{path}`")).help(OTHER_MODEL));
    }
    if !entry.dtype.is_some_and(|dtype| dtype.is_float()) {
        let got = entry.dtype.map_or("no numbers".into(), |dtype| dtype.to_string());
        return Err(Error::file(format!("{place} needs {}, got {got} at `{path}`", variable.ty.dtype)));
    }
    let array = file.dataset(path).map_err(|error| error.context(place))?;
    Ok(array.cast(variable.ty.dtype))
}

const OTHER_MODEL: &str = "weights are found by the classes and the order of the layers; this file is of another model, \
    or it is damaged";

/// Refuses weights that belong to no layer: without them the model would compute something else than the one that was
/// saved. The states of random numbers and of metrics are no weights.
fn refuse_left_over(file: &H5, model: &Model) -> Result<()> {
    let mut known = HashSet::new();
    for Placed { folder, variables, layer } in ALL.into_iter().flat_map(|flavor| all(flavor, model)) {
        known.extend((0..variables.len()).map(|i| format!("{folder}/{i}")));
        if layer.host().is_some() {
            known.insert(format!("{folder}/{TOKEN_WEIGHTS}"));
        }
    }
    let of_weights = |path: &str| {
        let first = path.split('/').next().unwrap_or(path);
        first == "vars" || ALL.iter().any(|flavor| root(*flavor) == first)
    };
    let left_over = |entry: &&Entry| {
        of_weights(&entry.path) && !known.contains(&entry.path) && !entry.path.contains("/seed_generator/")
    };
    match file.datasets().iter().find(left_over) {
        None => Ok(()),
        Some(Entry { path, shape, .. }) => {
            let (name, count) = (model.name(), model.net().layers.len());
            let message = format!("model `{name}` of {count} layers has no weight for `{path}`, shape {shape}");
            Err(Error::file(message).help(OTHER_MODEL))
        }
    }
}

/// The error for a file without the weights of layers.
fn no_weights(file: &H5) -> Error {
    let [new, old] = ALL.map(root);
    let error = Error::file(format!("there are no weights: the file has neither `{new}` nor `{old}`"));
    if file.has_group("model_weights") || file.attributes("").is_ok_and(|found| found.contains_key("layer_names")) {
        return error.help(
            "this is the format before `.weights.h5`; convert it in Python: \
             `keras.models.load_model(\"model.h5\").save_weights(\"model.weights.h5\")`",
        );
    }
    error.help("the file was not saved by Keras, or it is damaged")
}
