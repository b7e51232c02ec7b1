//! Files that Keras and NumPy wrote.

use std::io::{Cursor, Read};
use std::path::Path;

use cornu_files::h5::{Attribute, H5};
use cornu_files::keras::Archive;
use cornu_files::npy::Npz;
use cornu_testkit::golden::{self, Report};
use serde_json::Value;

/// The HDF5 tree of a `.keras`, `.weights.h5` or `.h5` file.
fn tree(path: &Path) -> cornu_array::Result<H5> {
    if path.extension().is_some_and(|extension| extension == "keras") {
        H5::read(Archive::open(path)?.weights)
    } else {
        H5::open(path)
    }
}

#[test]
fn every_saved_model_lists_and_gives_its_datasets() {
    let (folder, mut report) = (golden::folder("models"), Report::default());
    for case in golden::cases("models") {
        let files = case["files"].as_object().unwrap();
        for (kind, file) in files {
            let path = folder.join(file["file"].as_str().unwrap());
            let id = format!("{} {kind}", case["id"]);
            report.case(&id, listed(&path, &file["h5_datasets"]).and_then(|tree| weights(&tree, &case["weights"])));
        }
    }
    report.finish();
}

/// The tree of a file, if it holds exactly the datasets of the manifest and all of them can be read.
fn listed(path: &Path, manifest: &Value) -> Result<H5, String> {
    let tree = tree(path).map_err(|error| error.to_string())?;
    let mut want: Vec<(String, Vec<usize>)> = serde_json::from_value(manifest.clone()).unwrap();
    let mut got: Vec<(String, Vec<usize>)> =
        tree.datasets().iter().map(|entry| (entry.path.clone(), entry.shape.to_vec())).collect();
    got.sort();
    want.sort();
    if got != want {
        return Err(format!("it lists {got:?}, but the manifest {want:?}"));
    }
    for entry in tree.datasets() {
        let read = match entry.dtype {
            Some(dtype) => tree.dataset(&entry.path).map(|array| (array.dtype() == dtype, array.len())),
            None => tree.strings(&entry.path).map(|texts| (true, texts.len())),
        };
        let (same, len) = read.map_err(|error| error.to_string())?;
        if !same || len != entry.shape.size() {
            return Err(format!("`{}` is not of the type and size listed", entry.path));
        }
    }
    Ok(tree)
}

/// Whether the weights that Keras summed are among the datasets.
fn weights(tree: &H5, manifest: &Value) -> Result<(), String> {
    let sums: Vec<(Vec<usize>, f64)> = tree
        .datasets()
        .iter()
        .filter(|entry| entry.dtype.is_some_and(|dtype| dtype.is_float()))
        .map(|entry| {
            let array = tree.dataset(&entry.path).unwrap();
            (entry.shape.to_vec(), array.to_vec::<f64>().iter().map(|x| x.abs()).sum())
        })
        .collect();
    for weight in manifest.as_array().into_iter().flatten() {
        let shape: Vec<usize> = serde_json::from_value(weight["shape"].clone()).unwrap();
        let Some(sum) = weight["abs_sum"].as_f64().filter(|_| weight["dtype"] == "float32") else { continue };
        if !sums.iter().any(|(s, got)| *s == shape && (got - sum).abs() <= 1e-9 + 1e-9 * sum) {
            return Err(format!("no dataset of shape {shape:?} has the absolute sum {sum} of `{}`", weight["path"]));
        }
    }
    Ok(())
}

/// Every group of this repository, and every group of the folder that `CORNU_GOLDEN` names.
#[test]
fn every_array_a_manifest_names_is_there() {
    let own = golden::own("models").parent().unwrap().to_path_buf();
    let given = std::env::var_os("CORNU_GOLDEN").map(std::path::PathBuf::from);
    let mut report = Report::default();
    let folders = std::iter::once(own).chain(given).flat_map(|root| std::fs::read_dir(root).unwrap());
    for folder in folders.map(|entry| entry.unwrap().path()).filter(|folder| folder.join("manifest.json").exists()) {
        for case in golden::read(&folder.join("manifest.json"))["cases"].as_array().unwrap() {
            let Some(file) = case["arrays"].as_str() else { continue };
            report.case(&format!("{} {}", folder.display(), case["id"]), named(&folder.join(file), case));
        }
    }
    report.finish();
}

/// Whether an `.npz` file has the arrays that a case mentions, with their shapes and element types.
fn named(path: &Path, case: &Value) -> Result<(), String> {
    let npz = Npz::open(path).map_err(|error| error.to_string())?;
    let mut mentioned = Vec::new();
    mentions(case, &mut mentioned);
    for (name, dtype, shape) in mentioned {
        let array = npz.array(&name).map_err(|error| error.to_string())?;
        // NumPy has no such type.
        let dtype = if dtype == "bfloat16" { "float32" } else { dtype.as_str() };
        if array.shape().to_vec() != shape || array.dtype().keras_name() != dtype {
            return Err(format!("`{name}` is {}, but the manifest says {dtype}{shape:?}", array.ty()));
        }
    }
    Ok(())
}

fn mentions(value: &Value, found: &mut Vec<(String, String, Vec<usize>)>) {
    match value {
        Value::Object(object) if object.contains_key("$array") => {
            let text = |key: &str| object[key].as_str().unwrap().to_owned();
            let shape = serde_json::from_value(object["shape"].clone()).unwrap();
            found.push((text("$array"), text("dtype"), shape));
        }
        Value::Object(object) => object.values().for_each(|value| mentions(value, found)),
        Value::Array(list) => list.iter().for_each(|value| mentions(value, found)),
        _ => {}
    }
}

/// The text of `config.json` in a `.keras` file.
fn config_text(bytes: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    archive.by_name("config.json").unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn json_is_written_back_byte_for_byte() {
    let (folder, mut report) = (golden::folder("models"), Report::default());
    for case in golden::cases("models") {
        let Some(file) = case["files"]["keras"]["file"].as_str() else { continue };
        let old = std::fs::read(folder.join(file)).unwrap();
        let archive = Archive::read(&old).unwrap();
        let new = archive.to_bytes().unwrap();
        let outcome = if Archive::read(&new).unwrap() != archive {
            Err("the archive changed".to_owned())
        } else if config_text(&old) != config_text(&new) {
            Err(format!("`config.json` changed to {}", config_text(&new)))
        } else {
            Ok(())
        };
        report.case(&case["id"].to_string(), outcome);
    }
    report.finish();
}

#[test]
fn attributes_are_read() {
    let path = golden::own("models").join("files/k3__pima_mlp.keras");
    let tree = tree(&path).unwrap();
    let name = tree.attributes("layers/dense/vars").unwrap().remove("name");
    assert_eq!(name, Some(Attribute::Text("dense".into())));
    assert!(tree.attributes("").unwrap().is_empty());
    assert!(tree.attributes("layers/dense/vars/0").unwrap().is_empty());
    let error = tree.attributes("layers/dens/vars").unwrap_err().to_string();
    assert!(error.contains("nothing at `layers/dens/vars`"), "{error}");
    assert!(tree.has_group("layers/dense") && !tree.has_group("layers/dense/vars/0"));
}
