//! Files of other hands: classes of other packages, what Windows and some versions of Keras wrote, settings that are
//! only known in part.

use cornu::ErrorKind;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Code;
use cornu::{Cx, Tensor};
use cornu_files::h5::{Builder, H5};
use cornu_files::keras::Archive;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::Report;
use serde_json::{Value, json};

use crate::saving::golden_file;
use crate::seeds::seeded;

/// The file of a small model with one value changed or added.
fn changed(place: &str, value: Value) -> Archive {
    let mut archive = Archive::open(golden_file("k3__pima_mlp")).expect("a sound file");
    let (object, key) = place.rsplit_once('/').expect("a place");
    let object = archive.config.pointer_mut(object).expect("an object");
    match object.as_array_mut() {
        Some(items) => items[key.parse::<usize>().expect("a number")] = value,
        None => object[key] = value,
    }
    archive
}

fn object(module: &Value, class: &str, registered: &Value, config: &Value) -> Value {
    json!({ "module": module, "class_name": class, "config": config, "registered_name": registered })
}

/// The settings of the second `Dense` of that file.
const DENSE: &str = "/config/layers/2";

/// Every place in a file where a class or function has a name of its own.
fn places() -> Vec<(&'static str, String, &'static str, Value)> {
    let of = |key: &str| format!("{DENSE}/config/{key}");
    vec![
        ("model", "/module".into(), "Sequential", Value::Null),
        ("layer", format!("{DENSE}/module"), "Dense", Value::Null),
        ("activation", of("activation"), "function", json!("relu")),
        ("initializer", of("kernel_initializer"), "Zeros", json!({})),
        ("regularizer", of("kernel_regularizer"), "L2", json!({ "l2": 0.5 })),
        ("constraint", of("kernel_constraint"), "NonNeg", json!({})),
        ("loss", "/compile_config/loss".into(), "MeanSquaredError", json!({ "name": "mse" })),
        ("loss", "/compile_config/loss".into(), "function", json!("mse")),
        ("optimizer", "/compile_config/optimizer".into(), "Adam", json!({ "learning_rate": 0.5 })),
        ("metric", "/compile_config/metrics".into(), "BinaryAccuracy", json!({ "name": "a" })),
        ("metric", "/compile_config/weighted_metrics".into(), "BinaryAccuracy", json!({ "name": "a" })),
    ]
}

/// The file with the class at a place under that module and registered name.
fn named(place: &str, class: &str, config: &Value, module: &Value, registered: &Value) -> Archive {
    let Some(whole) = place.strip_suffix("module") else {
        return changed(place, object(module, class, registered, config));
    };
    let mut archive = changed(place, module.clone());
    archive.config.pointer_mut(whole.trim_end_matches('/')).expect("an object")["registered_name"] = registered.clone();
    archive
}

#[test]
fn classes_of_other_packages_are_never_taken_for_keras_s() {
    let _turn = seeded(Flavor::Keras3, 1);
    let (folder, mut report) = (Folder::new("strangers"), Report::default());
    let path = folder.join("m.keras");
    for (what, place, class, config) in places() {
        let name = if class == "function" { config.as_str().unwrap_or(class) } else { class };
        for (module, registered, package) in [
            (json!(null), json!(format!("mypkg>{name}")), "mypkg"),
            (json!("mypkg.things"), json!(format!("my>{name}")), "my"),
            (json!("__main__"), json!(name), "__main__"),
            (json!("keras.things"), json!(format!("mypkg>{name}")), "mypkg"),
            (json!("keras"), json!("Another"), "Another"),
            (json!("kerasier.layers"), json!(null), "kerasier.layers"),
        ] {
            named(&place, class, &config, &module, &registered).save(&path).expect("a place to write to");
            let expected = format!("unknown {what} `{name}` of the package `{package}`");
            let outcome = match load_model(&path) {
                Err(error) if error.kind() == ErrorKind::Unsupported && error.message().contains(&expected) => Ok(()),
                other => Err(format!("expected `{expected}`, got {other:?}")),
            };
            report.case(&format!("{place} {module} {registered}"), outcome);
            let without = load_model_with(&path, Load::new().compile(false));
            let of_training = place.starts_with("/compile_config");
            assert_eq!(without.is_ok(), of_training, "{place}");
        }
    }
    report.finish();
}

/// Types of numbers are objects too: a policy of another package may compute in any.
#[test]
fn policies_of_other_packages_are_never_taken_for_keras_s() {
    let _turn = seeded(Flavor::Keras3, 1);
    let (folder, mut report) = (Folder::new("policies"), Report::default());
    let path = folder.join("m.keras");
    for place in ["/config/layers/0/config/dtype", &format!("{DENSE}/config/dtype")] {
        for (module, registered, package) in [
            ("keras", json!(null), None),
            ("keras.mixed_precision", json!("DTypePolicy"), None),
            ("keras", json!("mypkg>DTypePolicy"), Some("mypkg")),
            ("my.policies", json!(null), Some("my.policies")),
        ] {
            let policy = object(&json!(module), "DTypePolicy", &registered, &json!({ "name": "float32" }));
            changed(place, policy).save(&path).expect("a place to write to");
            let expected =
                package.map(|package| format!("unknown dtype policy `DTypePolicy` of the package `{package}`"));
            let outcome = match (load_model(&path), expected) {
                (Ok(_), None) => Ok(()),
                (Err(error), Some(expected)) if error.message().contains(&expected) => Ok(()),
                (got, expected) => Err(format!("expected {expected:?}, got {got:?}")),
            };
            report.case(&format!("{place} {module} {registered}"), outcome);
        }
    }
    report.finish();
}

#[test]
fn keras_s_classes_answer_to_every_name_they_have_had() {
    let _turn = seeded(Flavor::Keras3, 1);
    let (folder, mut report) = (Folder::new("names-of-keras"), Report::default());
    let path = folder.join("m.keras");
    for (_, place, class, config) in places() {
        let name = if class == "function" { config.as_str().unwrap_or(class) } else { class };
        let mut forms = vec![
            (json!(null), json!(null)),
            (json!("keras"), json!(null)),
            (json!("keras.things"), json!("")),
            (json!("keras.src.things.core"), json!(name)),
            (json!("tf_keras.src.things"), json!(name)),
            (json!("tensorflow.keras.things"), json!(null)),
            (json!("tensorflow.python.keras.things"), json!(name)),
        ];
        if class == "function" {
            forms.extend([(json!("builtins"), json!("function")), (json!("builtins"), json!(name))]);
        }
        for (module, registered) in forms {
            named(&place, class, &config, &module, &registered).save(&path).expect("a place to write to");
            let outcome = match load_model_with(&path, Load::new()) {
                Ok(loaded) if loaded.warnings.iter().all(|w| w.code == Code::OptimizerNotRestored) => Ok(()),
                other => Err(format!("{other:?}")),
            };
            report.case(&format!("{place} {module} {registered}"), outcome);
        }
    }
    report.finish();
}

/// A layer of one's own with a name of Keras's, and with numbers that are no sizes.
mod own {
    use super::{Cx, Layer, Tensor};

    cornu::config! {
        /// Halves its input.
        "strangers.layers" pub layer Dense {
            /// A number.
            salt: i64 = 0,
            /// A number.
            mask_value: f64 = 0.0,
            /// A number.
            max_tokens: Option<usize> = None,
        }
    }

    impl Layer for Dense {
        fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
            x * 0.5
        }
    }
}

#[test]
fn a_class_of_one_s_own_is_found_by_its_package() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("own-classes");
    let path = folder.join("m.keras");
    let model = sequential![own::Dense::new().input_shape([3]), Dense::new(2)];
    model.save(&path)?;
    let error = load_model(&path).expect_err("a class that is not registered").to_string();
    assert!(error.contains("unknown layer `Dense` of the package `strangers.layers`\n  help: "), "{error}");
    assert!(
        error.contains("with the module `\"strangers.layers\"`")
            && error.contains("cornu::layers::register::<Dense>()"),
        "{error}"
    );

    cornu::layers::register::<own::Dense>();
    let again = load_model(&path)?;
    assert_eq!(again.layers()[1].count_params(), 8, "Keras's own stays what it is");
    assert_eq!(again.layers()[0].count_params(), 0);
    let json = model.to_json_value()?;
    let written = |place: usize| &json["config"]["layers"][place]["registered_name"];
    assert_eq!([written(1), written(2)], [&json!("strangers.layers>Dense"), &Value::Null]);

    // As a Keras program has it that registered the class under this package, in a module of any name.
    let mut archive = Archive::open(&path)?;
    archive.config["config"]["layers"][1]["module"] = json!("__main__");
    archive.save(&path)?;
    assert_eq!(load_model(&path)?.layers()[0].count_params(), 0);
    Ok(())
}

#[test]
fn numbers_that_ask_for_no_memory_may_have_any_size() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("large-numbers");
    let path = folder.join("m.keras");
    cornu::layers::register::<own::Dense>();
    let layer = own::Dense::new().salt(1i64 << 60).mask_value(-1e30).max_tokens(1usize << 40);
    sequential![layer.input_shape([3]), Dense::new(2)].save(&path)?;
    let config = load_model(&path)?.layers()[0].config();
    assert_eq!((&config["salt"], &config["mask_value"]), (&json!(1i64 << 60), &json!(-1e30)));
    assert_eq!(config["max_tokens"], json!(1u64 << 40));
    Ok(())
}

#[test]
fn files_of_windows_open() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let folder = Folder::new("windows");
    let path = folder.join("m.keras");
    for (id, root) in [("k213__pima_mlp", "_layer_checkpoint_dependencies"), ("k3__pima_mlp", "layers")] {
        let (mut archive, want) = (Archive::open(golden_file(id))?, load_model(golden_file(id))?.weights());
        let file = H5::read(archive.weights)?;
        let mut builder = Builder::new();
        builder.group("vars")?;
        for entry in file.datasets() {
            let place = entry.path.replacen(&format!("{root}/"), &format!("{root}\\"), 1);
            builder.dataset(&place, &file.dataset(&entry.path)?)?;
        }
        archive.weights = builder.finish()?;
        archive.save(&path)?;
        let loaded = load_model_with(&path, Load::new())?;
        assert_eq!((loaded.model.weights(), loaded.warnings), (want, vec![]), "{id}");
    }
    Ok(())
}

/// Keras 3.7 and 3.8 left out optimizers they could not write.
#[test]
fn without_an_optimizer_it_is_keras_s_default() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("no-optimizer");
    let path = folder.join("m.keras");
    let mut archive = Archive::open(golden_file("k3__pima_mlp"))?;
    archive.config["compile_config"].as_object_mut().expect("an object").shift_remove("optimizer");
    archive.save(&path)?;
    let loaded = load_model_with(&path, Load::new())?;
    let settings = loaded.model.compiled().expect("settings");
    assert_eq!(settings.optimizer.resolve()?.class_name(), "RMSprop");
    let [first, rest @ ..] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
    assert_eq!(first.code, Code::LoadedUncompiled);
    assert!(first.message.contains("no optimizer is named, so that it is Keras's default, `rmsprop`"), "{first}");
    // What Adam remembered is nothing to it.
    assert!(rest.iter().all(|warning| warning.code == Code::OptimizerNotRestored), "{rest:?}");
    Ok(())
}

#[test]
fn of_metrics_that_are_not_known_the_others_stay() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("some-metrics");
    let path = folder.join("m.keras");
    let unknown = object(&json!("keras.metrics"), "R2Score", &json!(null), &json!({ "name": "r2_score" }));
    let by_function = object(&json!("builtins"), "function", &json!("function"), &json!("my_own"));
    let archive = changed("/compile_config/metrics", json!(["accuracy", unknown, "mae", by_function, "hinge"]));
    archive.save(&path)?;
    let loaded = load_model_with(&path, Load::new())?;
    let messages: Vec<&str> = loaded.warnings.iter().map(|warning| warning.message.as_str()).collect();
    let [r2, own, hinge] = messages[..] else { panic!("{messages:?}") };
    for (message, what) in [(r2, "metrics: unknown metric `R2Score`"), (own, "`my_own`"), (hinge, "`hinge`")] {
        assert!(message.contains("without some of its training settings: ") && message.contains(what), "{message}");
    }
    let model = loaded.model;
    assert_eq!(model.optimizer_state().map(|state| state.iterations > 0), Some(true));
    let scores = model.evaluate_with(&[[0.5; 8], [0.25; 8]], &[0, 1], Evaluate::new().verbose(0))?;
    assert_eq!(scores.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["loss", "accuracy", "mae"]);
    Ok(())
}

/// What the messages tell to do works.
#[test]
fn hdf5_files_under_the_name_of_an_archive() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("hdf5-inside");
    let path = folder.join("m.keras");
    let mut model = load_model(golden_file("k3__pima_mlp"))?;
    let want = model.weights();
    std::fs::write(&path, Archive::open(golden_file("k3__pima_mlp"))?.weights).expect("a file");
    let error = load_model(&path).expect_err("weights alone").to_string();
    assert!(error.contains("build the model, and call `load_weights` with this path"), "{error}");
    model.set_weights(&want.iter().map(|weight| weight * 2.0).collect::<Vec<_>>())?;
    model.load_weights(&path)?;
    assert_eq!(model.weights(), want);

    let mut builder = Builder::new();
    builder.group("model_weights")?;
    std::fs::write(&path, builder.finish()?).expect("a file");
    let convert = "`keras.models.load_model(\"model.h5\").save(\"model.keras\")`";
    std::fs::copy(&path, folder.join("m.h5")).expect("a copy");
    for name in ["m.keras", "m.h5"] {
        let error = load_model(folder.join(name)).expect_err("the old format").to_string();
        assert!(error.contains(convert), "{error}");
    }
    Ok(())
}
