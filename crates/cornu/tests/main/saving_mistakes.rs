//! Files that are damaged, made up or in the wrong place, and what is said about them.

use cornu::ErrorKind;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Code;
use cornu_files::h5::{Builder, H5};
use cornu_files::keras::Archive;
use cornu_graph::Array;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::Report;
use serde_json::{Value, json};

use crate::saving::{golden_file, trained};
use crate::seeds::seeded;

/// A file's arrays, with one changed, left out (`None`) or added.
fn with(weights: &[u8], path: &str, value: Option<&Array>) -> Vec<u8> {
    let file = H5::read(weights.to_vec()).expect("a sound file");
    let mut builder = Builder::new();
    for group in file.groups() {
        builder.group(group).expect("a free place");
    }
    for entry in file.datasets().iter().filter(|entry| entry.path != path) {
        builder.dataset(&entry.path, &file.dataset(&entry.path).expect("numbers")).expect("a free place");
    }
    value.into_iter().for_each(|value| builder.dataset(path, value).expect("a free place"));
    builder.finish().expect("a sound file")
}

/// What loading says of the bytes, and what kind of mistake it is.
fn refusal(folder: &Folder, bytes: &[u8]) -> (Option<ErrorKind>, String) {
    let path = folder.join("bad.keras");
    std::fs::write(&path, bytes).expect("a file");
    match load_model(&path) {
        Ok(_) => (None, "loaded".into()),
        Err(error) => (Some(error.kind()), error.to_string().replace(&path.display().to_string(), "bad.keras")),
    }
}

/// A model, a variable of its file, the array put in its place (`None` takes it out), and what is said.
const MISFITS: [(&str, &str, Option<Misfit>, &str); 8] = [
    (
        "k3__pima_mlp",
        "layers/dense_1/vars/0",
        None,
        "`bad.keras`: layer `dense_1`: weight `kernel` needs shape [12,8], but there is no `layers/dense_1/vars/0`: the \
         file has only 1 of this layer's",
    ),
    (
        "k3__pima_mlp",
        "layers/dense_1/vars/0",
        Some(Misfit::Floats(&[12, 9])),
        "`bad.keras`: layer `dense_1`: weight `kernel` needs shape [12,8], got [12,9] at `layers/dense_1/vars/0`",
    ),
    (
        "k213__pima_mlp",
        "_layer_checkpoint_dependencies/dense_2/vars/0",
        Some(Misfit::Floats(&[8, 12])),
        "`bad.keras`: layer `dense_1`: weight `kernel` needs shape [12,8], got [8,12]",
    ),
    (
        "k3__pima_mlp",
        "layers/dense/vars/1",
        Some(Misfit::Integers(&[12])),
        "layer `dense`: weight `bias` needs f32, got i32",
    ),
    (
        "k3__pima_mlp",
        "layers/dense/vars/2",
        Some(Misfit::Floats(&[3])),
        "model `sequential` of 3 layers has no weight for `layers/dense/vars/2`, shape [3]",
    ),
    (
        "k213__pima_mlp",
        "_layer_checkpoint_dependencies/dense_1/vars/0",
        Some(Misfit::Floats(&[3])),
        "has no weight for `_layer_checkpoint_dependencies/dense_1/vars/0`",
    ),
    (
        "k3__pima_mlp",
        "optimizer/vars/4",
        Some(Misfit::Floats(&[13])),
        "the optimizer's variable `optimizer/vars/4` needs f32[12], got f32[13]",
    ),
    (
        "k3__pima_mlp",
        "optimizer/vars/0",
        Some(Misfit::Floats(&[])),
        "the optimizer's variable `optimizer/vars/0` needs i64[], got f32[]",
    ),
];

/// Zeros of a shape.
#[derive(Clone, Copy)]
enum Misfit {
    Floats(&'static [usize]),
    Integers(&'static [usize]),
}

impl Misfit {
    fn array(self) -> Array {
        match self {
            Misfit::Floats(shape) => Array::zeros(&Type::f32(shape)),
            Misfit::Integers(shape) => Array::zeros(&Type::new(DType::I32, shape)),
        }
    }
}

#[test]
fn weights_that_do_not_fit_name_layer_and_shapes() {
    let _turn = seeded(Flavor::Keras3, 1);
    let (folder, mut report) = (Folder::new("misfits"), Report::default());
    for (id, path, value, expected) in MISFITS {
        let mut archive = Archive::open(golden_file(id)).expect("a sound file");
        archive.weights = with(&archive.weights, path, value.map(Misfit::array).as_ref());
        let (kind, text) = refusal(&folder, &archive.to_bytes().expect("a sound file"));
        let right = kind == Some(ErrorKind::File) && text.contains(expected);
        report.case(path, if right { Ok(()) } else { Err(format!("want {expected}, got {kind:?} {text}")) });
    }
    report.finish();
}

/// Loading each of the files ends with an error of that kind which says that.
fn refusals<const N: usize>(cases: [(&str, Vec<u8>, ErrorKind, &str); N]) {
    let (folder, mut report) = (Folder::new("damaged"), Report::default());
    for (id, bytes, kind, expected) in cases {
        let (got, text) = refusal(&folder, &bytes);
        let right = got == Some(kind) && text.contains(expected);
        report.case(id, if right { Ok(()) } else { Err(format!("want {kind:?} {expected}, got {got:?} {text}")) });
    }
    report.finish();
}

fn sound() -> Archive {
    Archive::open(golden_file("k3__pima_mlp")).expect("a sound file")
}

#[test]
fn damaged_files_are_explained() {
    let _turn = seeded(Flavor::Keras3, 1);
    let archive = sound();
    let weights = |weights: Vec<u8>| Archive { weights, ..archive.clone() }.to_bytes().expect("a sound file");
    let whole = archive.to_bytes().expect("a sound file");
    let cut = weights(archive.weights[..9000].to_vec());
    refusals([
        ("nothing", Vec::new(), ErrorKind::File, "`bad.keras`: the file is empty"),
        ("cut short", whole[..whole.len() / 2].to_vec(), ErrorKind::File, "`bad.keras`: the zip archive is cut short"),
        ("no archive", b"not an archive".to_vec(), ErrorKind::File, "`bad.keras`: this is not a `.keras` file"),
        ("weights cut short", cut, ErrorKind::File, "`bad.keras`: `model.weights.h5`: "),
        ("no weights", weights(Builder::new().finish().expect("a file")), ErrorKind::File, "there are no weights"),
    ]);
}

/// The sound model with another value at a place of its settings.
fn changed(place: &str, value: Value) -> Vec<u8> {
    let mut archive = sound();
    *archive.config.pointer_mut(place).expect("a place") = value;
    archive.to_bytes().expect("a sound file")
}

#[test]
fn made_up_models_are_explained() {
    let _turn = seeded(Flavor::Keras3, 1);
    let lambda =
        json!({ "module": "keras.layers", "class_name": "Lambda", "config": { "name": "f", "function": "os" } });
    refusals([
        (
            "a graph",
            changed("/class_name", json!("Functional")),
            ErrorKind::Unsupported,
            "unknown key `build_input_shape`",
        ),
        (
            "code",
            changed("/config/layers/2", lambda),
            ErrorKind::Unsupported,
            "layer `f`: unknown layer class `Lambda`",
        ),
        (
            "a setting",
            changed("/config/layers/2/config/units", json!("many")),
            ErrorKind::File,
            "layer `dense_1`: Dense.units: expected a whole number",
        ),
    ]);
}

#[test]
fn made_up_sizes_are_explained() {
    let _turn = seeded(Flavor::Keras3, 1);
    let units = |value: Value| changed("/config/layers/2/config/units", value);
    refusals([
        (
            "another size",
            units(json!(9)),
            ErrorKind::File,
            "layer `dense_1`: weight `kernel` needs shape [12,9], got [12,8]",
        ),
        (
            "a huge layer",
            units(json!(200_000_000)),
            ErrorKind::File,
            "weight `kernel`: needs shape [12,200000000], more numbers than the file holds",
        ),
        (
            "sizes that overflow",
            units(json!(1u64 << 60)),
            ErrorKind::File,
            "weight `kernel`: needs shape [12,1152921504606846976], more numbers than the file holds",
        ),
        (
            "shapes that overflow",
            changed("/config/layers/0/config/batch_shape", json!([null, 1 << 20, 1 << 20])),
            ErrorKind::File,
            "weight `kernel`: needs shape [1048576,12], more numbers than the file holds",
        ),
    ]);
}

#[test]
fn an_optimizer_with_other_variables_starts_anew() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("anew");
    let path = folder.join("m.keras");
    let mut archive = Archive::open(golden_file("k3__pima_mlp"))?;
    archive.weights = with(&archive.weights, "optimizer/vars/13", None);
    archive.weights = with(&archive.weights, "optimizer/vars/12", None);
    archive.save(&path)?;
    let loaded = load_model_with(&path, Load::new())?;
    let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert_eq!(warning.code, Code::OptimizerNotRestored);
    assert!(warning.message.contains("`Adam` needs 12 variables for 6 weights"), "{warning}");
    assert!(loaded.model.compiled().is_some() && loaded.model.optimizer_state().is_none());
    Ok(())
}

/// What is said of a file in the folder, without the folder's name.
fn said(folder: &Folder, result: cornu::Result<()>) -> String {
    let text = result.err().map(|error| error.to_string()).unwrap_or_default();
    text.replace(&folder.join("").display().to_string(), "")
}

/// Names that a model cannot be saved under, and what is said of each.
const NAMES: [(&str, &str); 5] = [
    ("m.h5", "the name of a model must end in `.keras`\n  help: write `m.keras`; the old HDF5 format is not written"),
    ("m", "the name of a model must end in `.keras`\n  help: write `m.keras`"),
    ("m.weights.h5", "help: write `m.keras`; for the weights alone, call `save_weights`"),
    (".keras", "help: write `model.keras`"),
    ("none/m.keras", "its folder does not exist"),
];

#[test]
fn wrong_names_and_places_are_explained() {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("places");
    let (mut model, mut report) = (trained("adam"), Report::default());
    for (name, expected) in NAMES {
        let text = said(&folder, model.save(folder.join(name)));
        report.case(name, if text.contains(expected) { Ok(()) } else { Err(format!("want {expected}, got {text}")) });
    }
    report.finish();
    let text = said(&folder, model.save_weights(folder.join("m.keras")));
    assert!(
        text.contains("must end in `.weights.h5`\n  help: write `m.weights.h5`; for the whole model, call `save`"),
        "{text}"
    );
    let text = said(&folder, Sequential::load(folder.join("m.h5")).map(drop));
    assert!(text.starts_with("`m.h5`: the old HDF5 format of whole models cannot be read"), "{text}");
    let text = said(&folder, Sequential::load(folder.join("m.weights.h5")).map(drop));
    assert!(text.contains("call `load_weights`"), "{text}");
    let text = said(&folder, model.load_weights(folder.join("none.weights.h5")));
    assert!(text.starts_with("`none.weights.h5`: there is no such file"), "{text}");
    let unbuilt = sequential![Dense::new(1).name("d")];
    let text = said(&folder, unbuilt.save(folder.join("m.keras")));
    assert!(
        text.starts_with("`m.keras` cannot be saved: model `sequential") && text.contains("is not built"),
        "{text}"
    );
}

#[test]
fn a_file_that_is_read_only_stays() {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("read-only");
    let old = folder.join("old.keras");
    std::fs::write(&old, "old").expect("a file");
    let mut permissions = std::fs::metadata(&old).expect("a file").permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&old, permissions).expect("a file of one's own");
    let text = said(&folder, trained("adam").save(&old));
    assert!(text.contains("`old.keras` cannot be written: the file that is there is read-only"), "{text}");
    assert_eq!(std::fs::read(&old).expect("the old file"), b"old");
}

#[test]
fn nothing_changes_if_one_weight_does_not_fit() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("unchanged");
    let (path, mut model) = (folder.join("m.weights.h5"), trained("adam"));
    let before = model.weights();
    let other = sequential![Dense::new(4).input_shape([3]), Dense::new(2)];
    other.save_weights(&path)?;
    let error = model.load_weights(&path).expect_err("another shape");
    assert!(error.message().contains("layer `output`: weight `kernel` needs shape [4,1], got [4,2]"), "{error}");
    assert_eq!(model.weights(), before);
    Ok(())
}
