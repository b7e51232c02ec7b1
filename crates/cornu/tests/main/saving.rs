//! Files in every dialect, and what is said of them.

use std::path::{Path, PathBuf};

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::saving::Loaded;
use cornu::train::Code;
use cornu_files::h5::H5;
use cornu_files::keras::Archive;
use cornu_graph::Array;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report};
use serde_json::{Value, json};

use crate::seeds::seeded;

/// The `.keras` file of a golden model in this repository.
pub(crate) fn golden_file(id: &str) -> PathBuf {
    golden::own("models").join(format!("files/{id}.keras"))
}

/// The numbers of a file below one of these folders, in order.
pub(crate) fn numbers(path: &Path, folders: &[&str]) -> cornu::Result<Vec<Array>> {
    let file = H5::read(Archive::open(path)?.weights)?;
    let inside = |path: &&str| folders.iter().any(|folder| path.starts_with(&format!("{folder}/")));
    file.datasets().iter().map(|entry| entry.path.as_str()).filter(inside).map(|path| file.dataset(path)).collect()
}

/// A small compiled model that took three steps.
pub(crate) fn trained(optimizer: impl Into<Choice<dyn Optimizer>>) -> Sequential {
    let mut model = Sequential::named("small");
    model.add(Rescaling::new(0.5).input_shape([3]).name("rescaling"));
    model.add(Dense::new(4).name("hidden")).add(Activation::new("relu").name("activation"));
    model.add(Dropout::new(0.25).name("dropout")).add(Dense::new(1).name("output"));
    let compile = Compile::new().loss(MeanSquaredError::new()).optimizer(optimizer).metrics(["mae"]);
    model.compile(compile).expect("sound settings");
    let (x, y) = ([[1.0, 2.0, 3.0], [0.5, -1.0, 0.25]], [1.0, -1.0]);
    for _ in 0..3 {
        model.train_on_batch(&x, &y).expect("a step");
    }
    model
}

#[test]
fn a_class_that_is_not_known_is_named() {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut archive = Archive::open(golden_file("k3__deferred_sequential")).expect("a file of Keras");
    let config = archive.config.to_string().replace("BatchNormalization", "TorchModuleWrapper");
    archive.config = serde_json::from_str(&config).expect("JSON");
    let folder = Folder::new("not-known");
    archive.save(folder.join("m.keras")).expect("a file");
    let error = load_model(folder.join("m.keras")).expect_err("a layer that is not there");
    let want = "layer `batch_normalization`: unknown layer class `TorchModuleWrapper`";
    assert!(error.message().contains(want), "{error}");
    assert!(error.to_string().contains("`cornu::layers::register::<YourLayer>()`"), "{error}");
}

fn compile_config(path: &Path) -> cornu::Result<Value> {
    Ok(Archive::open(path)?.config["compile_config"].clone())
}

#[test]
fn the_learning_rate_is_written_for_the_version_asked_for() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (folder, rate) = (Folder::new("dialects"), f64::from(0.01f32));
    let path = folder.join("m.keras");
    // Four weights: momentum and velocity for each, the number of steps, and in one case the learning rate.
    let adam = trained(Adam::new().learning_rate(0.01));
    for (save, constant, count) in
        [(Save::new(), true, 9), (Save::new().keras(2), false, 9), (Save::new().keras(3), false, 10)]
    {
        adam.save_with(&path, save)?;
        let written = &compile_config(&path)?["optimizer"]["config"]["learning_rate"];
        let number = if constant { &written["config"]["initial_learning_rate"] } else { written };
        assert_eq!((number.as_f64(), written.is_object()), (Some(rate), constant), "{save:?}");
        assert_eq!(numbers(&path, &["optimizer"])?.len(), count, "{save:?}");
        assert_eq!(load_model(&path)?.learning_rate()?, rate);
    }
    let error = adam.save_with(&path, Save::new().keras(4)).expect_err("no such version");
    assert!(error.message().ends_with("m.keras` cannot be saved: `keras` is 2 or 3, got 4"), "{error}");
    Ok(())
}

/// How many numbers each variable of the optimizer has in a file.
fn slots(path: &Path) -> cornu::Result<Vec<usize>> {
    Ok(numbers(path, &["optimizer"])?.iter().map(|array| array.len()).collect())
}

#[test]
fn slots_are_written_where_both_versions_find_them() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("slots");
    let path = folder.join("m.keras");
    // By weight for Adam, by role where there is one role or several of them.
    trained(Adam::new()).save(&path)?;
    assert_eq!(slots(&path)?, [1, 12, 12, 4, 4, 4, 4, 1, 1]);
    trained(Adam::new().amsgrad(true)).save(&path)?;
    assert_eq!(slots(&path)?, [1, 12, 12, 4, 4, 4, 4, 1, 1, 12, 4, 4, 1]);
    trained(RMSprop::new().momentum(0.5).centered(true)).save(&path)?;
    assert_eq!(slots(&path)?, [1, 12, 4, 4, 1, 12, 4, 4, 1, 12, 4, 4, 1]);
    trained(SGD::new().momentum(0.9)).save(&path)?;
    assert_eq!(slots(&path)?, [1, 12, 4, 4, 1]);

    // Without slots there is nothing both versions could share.
    let sgd = trained(SGD::new());
    for (save, sizes) in [(Save::new(), vec![1, 1]), (Save::new().keras(2), vec![1, 12, 4, 4, 1])] {
        sgd.save_with(&path, save)?;
        assert_eq!(slots(&path)?, sizes, "{save:?}");
        assert_eq!(load_model(&path)?.optimizer_state(), sgd.optimizer_state(), "{save:?}");
    }
    // With a single weight the files of the two versions would be mistaken for each other.
    let mut single = sequential![Dense::new(1).use_bias(false).input_shape([2])];
    single.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    single.train_on_batch(&[[1.0, 2.0]], &[1.0])?;
    for save in [Save::new(), Save::new().keras(2), Save::new().keras(3)] {
        single.save_with(&path, save)?;
        assert_eq!(slots(&path)?, [1], "{save:?}");
        assert_eq!(load_model(&path)?.optimizer_state(), single.optimizer_state(), "{save:?}");
    }
    Ok(())
}

#[test]
fn a_learning_rate_set_by_hand_survives_loading() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("rate");
    let path = folder.join("m.keras");
    let mut model = trained("adam");
    model.set_learning_rate(0.125)?;
    model.save(&path)?;
    let mut loaded = load_model(&path)?;
    assert_eq!(loaded.learning_rate()?, 0.125);
    loaded.set_learning_rate(0.25)?;
    loaded.save(&path)?;
    assert_eq!(load_model(&path)?.learning_rate()?, 0.25);
    Ok(())
}

#[test]
fn names_of_input_and_model_and_unbatched_sizes_come_back() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("names");
    let (path, mut model) = (folder.join("m.keras"), Sequential::named("mine"));
    model.add(Input::new([2]).name("left")).add(Dense::new(1).trainable(false)).save(&path)?;
    let mut archive = Archive::open(&path)?;
    assert_eq!(archive.config["config"]["layers"][0]["config"]["name"], "left");
    // Keras 3 notes the size of the first batch it sees; batches of other sizes are fine.
    archive.config["config"]["layers"][0]["config"] = json!({ "batch_shape": [32, 2], "name": "left" });
    archive.save(&path)?;
    let again = load_model(&path)?;
    assert_eq!((again.name(), again.layers()[0].trainable()), ("mine", false));
    assert_eq!(again.predict(&[[1.0, 2.0], [0.5, 0.25], [0.0, 1.0]])?.shape(), [3, 1]);
    assert!(again.compiled().is_none());
    Ok(())
}

#[test]
fn weights_alone_are_found_in_both_layouts() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("weights");
    let path = folder.join("m.weights.h5");
    for id in ["k3__pima_mlp", "k213__pima_mlp"] {
        let original = load_model(golden_file(id))?;
        let mut model = load_model(golden_file("tutorial__keras_8-12-8-1_42"))?;
        assert_ne!(model.weights(), original.weights());
        std::fs::write(&path, Archive::open(golden_file(id))?.weights).expect("a file");
        model.load_weights(&path)?;
        assert_eq!(model.weights(), original.weights(), "{id}");

        let mut fresh = Sequential::from_json(&original.to_json()?)?;
        original.save_weights(&path)?;
        fresh.load_weights(&path)?;
        assert_eq!(fresh.weights(), original.weights(), "{id}");
        fresh.set_weights(&model.weights().iter().map(|weight| weight * 2.0).collect::<Vec<_>>())?;
        fresh.load_weights(golden_file(id))?;
        assert_eq!(fresh.weights(), original.weights(), "{id}");
    }
    Ok(())
}

#[test]
fn training_settings_that_are_not_known_do_not_stop_a_model_from_predicting() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("uncompiled");
    let path = folder.join("m.keras");
    let archive = Archive::open(golden_file("k3__pima_mlp"))?;
    let schedule = json!({ "class_name": "CosineDecoy", "config": { "initial_learning_rate": 0.1, "decay_steps": 9 } });
    let changes = [
        ("/optimizer/class_name", json!("Tiger"), "optimizer: unknown optimizer `Tiger`"),
        ("/optimizer/config/learning_rate", schedule, "unknown schedule `CosineDecoy`"),
        ("/optimizer/config/clipnorm", json!(-1.0), "`Adam.clipnorm` needs a number above 0"),
        ("/optimizer/config/is_legacy_optimizer", json!(true), "optimizers of the old kind"),
        ("/loss", json!("poison"), "unknown loss `poison`"),
        ("/loss", json!(null), "there is no loss"),
        ("/loss", json!({ "a": "mse", "b": "mse" }), "`loss` has no output `a`"),
        ("/loss", json!(["mse", "mse"]), "`loss` needs 1, one for each output, got 2"),
        ("/metrics", json!(["recal"]), "unknown metric `recal`"),
        ("/loss_weights", json!(["half"]), "loss_weights: expected a number"),
    ];
    let mut report = Report::default();
    for (place, value, expected) in changes {
        let mut changed = archive.clone();
        let (object, key) = place.rsplit_once('/').expect("a place");
        changed.config["compile_config"].pointer_mut(object).expect("an object")[key] = value;
        changed.save(&path)?;
        let Loaded { model, warnings } = load_model_with(&path, Load::new())?;
        model.predict(&[[0.5; 8]])?;
        let outcome = match &warnings[..] {
            [warning] if warning.code == Code::LoadedUncompiled && warning.message.contains(expected) => Ok(()),
            other => Err(format!("expected `{expected}`, got {other:?}")),
        };
        report.case(place, outcome);
        // Of metrics that are not known the others stay.
        assert_eq!(model.compiled().is_some(), place == "/metrics", "{place}");
        assert_eq!(load_model_with(&path, Load::new().compile(false))?.warnings, []);
    }
    report.finish();
    Ok(())
}

#[test]
fn other_ways_to_write_the_same_settings_are_read() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("forms");
    let path = folder.join("m.keras");
    let archive = Archive::open(golden_file("k3__pima_mlp"))?;
    let function = json!({ "module": "builtins", "class_name": "function", "config": "binary_crossentropy" });
    let old_loss = json!({ "class_name": "BinaryCrossentropy", "config": { "reduction": "auto", "fn": "x" } });
    let changes = [
        ("loss", json!(["binary_crossentropy"])),
        ("loss", json!({ "dense_2": "binary_crossentropy" })),
        ("loss", function),
        ("loss", old_loss),
        ("loss_weights", json!({ "dense_2": 1.0 })),
        // Keras 2.13 gives some optimizers this number, which means nothing without `use_ema`.
        (
            "optimizer",
            json!({ "class_name": "Adam", "config": { "ema_overwrite_frequency": 100, "jit_compile": true } }),
        ),
        ("metrics", json!([["accuracy"]])),
        ("metrics", json!({ "dense_2": ["accuracy"] })),
        ("metrics", json!({ "dense_2": "accuracy" })),
        ("metrics", json!([{ "class_name": "BinaryAccuracy", "config": { "name": "accuracy", "dtype": "float32" } }])),
    ];
    let (x, y) = ([[0.5; 8], [0.25; 8]], [0, 1]);
    let mut original = load_model(golden_file("k3__pima_mlp"))?;
    let want = original.test_on_batch(&x, &y)?;
    for (key, value) in changes {
        let mut changed = archive.clone();
        changed.config["compile_config"][key] = value;
        changed.save(&path)?;
        let Loaded { mut model, warnings } = load_model_with(&path, Load::new())?;
        assert_eq!(warnings, [], "{key}");
        assert_eq!(model.test_on_batch(&x, &y)?, want, "{key}");
    }
    Ok(())
}

/// Keras 3 gives a model that was never compiled empty settings, and metrics keys whose only value is the default.
#[test]
fn settings_that_say_nothing_are_no_reason_to_warn() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("nothing");
    let path = folder.join("m.keras");
    let archive = Archive::open(golden_file("k3__mnist_mlp"))?;
    let sparse = |axis: i64| {
        let config = json!({ "name": "loss_again", "dtype": "float32", "from_logits": true, "axis": axis });
        json!([{ "class_name": "SparseCategoricalCrossentropy", "config": config }])
    };
    let changes = [
        ("/compile_config", json!({}), false, ""),
        ("/compile_config", json!(null), false, ""),
        ("/compile_config/metrics", sparse(-1), true, ""),
        ("/compile_config/metrics", sparse(1), true, "SparseCategoricalCrossentropy: unknown key `axis`"),
    ];
    let mut report = Report::default();
    for (place, value, compiled, warning) in changes {
        let mut changed = archive.clone();
        *changed.config.pointer_mut(place).expect("a place") = value;
        changed.save(&path)?;
        let Loaded { model, warnings } = load_model_with(&path, Load::new())?;
        let said = warnings.iter().map(|warning| warning.message.as_str()).collect::<String>();
        let right =
            model.compiled().is_some() == compiled && said.contains(warning) && said.is_empty() == warning.is_empty();
        report.case(place, if right { Ok(()) } else { Err(format!("{:?}, {said}", model.compiled())) });
    }
    report.finish();
    Ok(())
}

/// Keras 2.13 and 3.15 refuse on TensorFlow what is no name of a scope there.
#[test]
fn names_that_keras_refuses_are_told() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("refused");
    let path = folder.join("m.keras");
    let warned = |model: &str, layer: &str| -> cornu::Result<Vec<String>> {
        let mut made = Sequential::named(model);
        made.add(Dense::new(1).input_shape([2]).name(layer));
        let warnings = made.save_with(&path, Save::new())?;
        assert_eq!(load_model(&path)?.layers()[0].name(), layer);
        assert!(warnings.iter().all(|warning| warning.code == Code::NameKerasRefuses), "{warnings:?}");
        Ok(warnings.into_iter().map(|warning| warning.message).collect())
    };
    assert!(warned("my.model-1", "Dense_1")?.is_empty() && warned("", "1.a>b")?.is_empty());
    for name in ["capa 1", "año", "_hidden", "a:b", "a\\b"] {
        let told = |what| {
            format!(
                "Keras on TensorFlow refuses the name `{name}` of a {what}, and the file with it; use letters, digits and `_.-`"
            )
        };
        assert_eq!(warned("net", name)?, [told("layer")]);
        assert_eq!(warned(name, "dense")?, [told("model")]);
    }
    let error = Sequential::named("a\u{1b}b").check().expect_err("a code of terminals");
    assert_eq!(error.message(), "a model needs a name without line breaks, got \"a\\u{1b}b\"");
    Ok(())
}

#[test]
fn a_loss_of_ones_own_stays_out_of_the_file() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("custom");
    let path = folder.join("m.keras");
    let mut model = trained("adam");
    model.compile(Compile::new().loss(loss("quartic", |y, p| (y - p).square().square().mean([-1]))))?;
    let warnings = model.save_with(&path, Save::new())?;
    assert_eq!(warnings.len(), 1);
    let line = "warning CN012: model `small` is saved without its training settings: a file cannot hold the loss \
        `quartic`, which is code";
    assert_eq!(warnings[0].to_string(), line);
    let Loaded { model: again, warnings } = load_model_with(&path, Load::new())?;
    assert_eq!((again.weights(), warnings.len()), (model.weights(), 0));
    assert!(again.compiled().is_none());
    Ok(())
}
