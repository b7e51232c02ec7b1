//! Losses whose scale finds itself, as both Kerases have them. The files of `testdata/loss_scale` are written by
//! `scripts/golden_loss_scale.py`.

use std::path::PathBuf;

use cornu::choice::Choice;
use cornu::constraints::MaxNorm;
use cornu::optimizers::schedules::ExponentialDecay;
use cornu::optimizers::{InnerOptimizer, LossScaleOptimizer, Optimizer};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::regularizers::L2;
use cornu::{Result, set_dtype_policy};
use cornu_files::keras::Archive;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report, close};
use cornu_testkit::process;
use serde_json::{Value, json};

use crate::flavor_differences::{FLAVORS, flat, numbers};
use crate::seeds::seeded;

const X: [[f32; 2]; 4] = [[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0], [0.125, 0.5]];
const Y: [f32; 4] = [1.0, -0.5, 0.25, 2.0];

fn place(file: &str) -> PathBuf {
    golden::own("../loss_scale").join(file)
}

fn layers(first: Dense) -> Sequential {
    let start = |value: f64| cornu::initializers::Constant::new().value(value);
    let first = first.input_shape([2]).activation("tanh").kernel_initializer(start(0.9));
    sequential![first, Dense::new(1).kernel_initializer(start(0.25))]
}

fn compiled(mut model: Sequential, optimizer: impl Into<Choice<dyn Optimizer>>, weight: f64) -> Result<Sequential> {
    model.compile(Compile::new().loss("mse").loss_weights([weight]).optimizer(optimizer))?;
    Ok(model)
}

/// The trainings of the script.
fn training(name: &str) -> Result<Sequential> {
    let around = |optimizer: SGD| LossScaleOptimizer::new(optimizer);
    let plain = || layers(Dense::new(2));
    match name {
        "grows" => {
            let held =
                Dense::new(2).kernel_constraint(MaxNorm::new().max_value(0.5)).kernel_regularizer(L2::new().l2(0.01));
            let optimizer = around(SGD::from(0.001).momentum(0.5)).initial_scale(4).dynamic_growth_steps(2i64);
            compiled(layers(held), optimizer, 100.0)
        }
        "falls" => compiled(plain(), around(SGD::from(0.001)).initial_scale(3), 100.0),
        "by a schedule" => {
            let inner = Adam::new().learning_rate(ExponentialDecay::new(0.1, 2, 0.5)).clipnorm(0.5).weight_decay(0.05);
            let inner = inner.use_ema(true).ema_overwrite_frequency(3i64);
            compiled(plain(), LossScaleOptimizer::new(inner).initial_scale(3).dynamic_growth_steps(3i64), 100.0)
        }
        "gathered" => {
            let inner = SGD::from(0.001).gradient_accumulation_steps(2i64).loss_scale_factor(4);
            compiled(plain(), around(inner).initial_scale(8), 100.0)
        }
        _ => compiled(plain(), "adam", 1.0),
    }
}

fn step(model: &mut Sequential, label: f32) -> Result<f64> {
    Ok(model.train_on_batch(X, Y.map(|y| y * label))?["loss"])
}

/// Compares all steps of a training; at the one before which it was saved, also of the model in that file.
fn compare(id: &str, mut models: Vec<Sequential>, steps: &[Value], bar: f64, report: &mut Report) -> Result<()> {
    for (i, want) in steps.iter().enumerate() {
        for (which, model) in models.iter_mut().enumerate() {
            let loss = step(model, want["label"].as_f64().expect("a label") as f32)?;
            let state = model.optimizer_state().expect("steps were taken");
            let number = |role: &str| {
                let (.., value) = state.slots.iter().find(|(own, ..)| own == role).expect("a scalar");
                value.get(0)
            };
            let got = [state.iterations as f64, number("dynamic_scale"), number("step_counter")];
            let kept =
                [&want["iterations"], &want["scale"], &want["counter"]].map(|json| json.as_f64().expect("a number"));
            let told = if got == kept { Ok(()) } else { Err(format!("{got:?}, want {kept:?}")) };
            report.case(&format!("{id}, model {which}, step {i}: steps, scale, counter"), told);
            let mut near = |what: &str, got: Vec<f64>, want: Vec<f64>| {
                let told = close(&Array::vector(got), &Array::vector(want), bar, bar);
                report.case(&format!("{id}, model {which}, step {i}: {what}"), told);
            };
            near("weights", numbers(&model.weights()), flat(&want["weights"]));
            match want["loss"].as_f64() {
                Some(want) => near("loss", vec![loss], vec![want]),
                None => assert!(!loss.is_finite(), "{id}: {loss}"),
            }
        }
    }
    Ok(())
}

/// A training here, and where it was saved in the middle also as each of the files goes on: Keras's, and ours of the model
/// of that file. Keras 2 does not save the scale, which then is what it was at first.
fn follow(flavor: Flavor, file: &str, name: &str, want: &Value, bar: f64, report: &mut Report) -> Result<()> {
    let id = format!("{file} {name}");
    let steps = want["steps"].as_array().expect("steps");
    let saved = want["saved_after"].as_u64().map_or(steps.len(), |after| after as usize);
    let mut model = training(name)?;
    compare(&id, vec![training(name)?], &steps[..saved], bar, report)?;
    if saved == steps.len() {
        return Ok(());
    }
    steps[..saved]
        .iter()
        .try_for_each(|want| step(&mut model, want["label"].as_f64().unwrap_or(1.0) as f32).map(drop))?;
    let folder = Folder::new("loss-scale");
    let theirs = load_model_with(place(&format!("{}__{name}.keras", file.trim_end_matches(".json"))), Load::new())?;
    assert_eq!(theirs.warnings, [], "{id}");
    let mut models = vec![Sequential::try_from(theirs.model)?];
    for (from, path) in
        [(&model, "own.keras"), (&models[0], "theirs.keras")].map(|(from, path)| (from, folder.join(path)))
    {
        assert_eq!(from.save_with(&path, Save::new().keras(if flavor == Flavor::Keras2 { 2 } else { 3 }))?, [], "{id}");
    }
    for path in ["own.keras", "theirs.keras"] {
        let own = load_model_with(folder.join(path), Load::new())?;
        assert_eq!(own.warnings, [], "{id}");
        models.push(own.model.try_into()?);
    }
    compare(&format!("{id}, loaded"), models, &steps[saved..], bar, report)
}

#[test]
fn scales_grow_and_fall_as_in_keras() -> Result<()> {
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let all = golden::read(&place(file));
        for (name, want) in all.as_object().expect("trainings").iter().filter(|(_, want)| want.is_object()) {
            if name != "mixed_float16" {
                follow(flavor, file, name, want, 2e-6, &mut report)?;
            }
        }
    }
    report.finish();
    Ok(())
}

/// The policy belongs to the process: this runs in one of its own.
#[test]
fn models_made_under_mixed_float16_scale_their_loss() {
    let _turn = seeded(Flavor::Keras2, 1);
    if process::word().is_some() {
        return under_mixed_float16().expect("a training");
    }
    let name = "loss_scale::models_made_under_mixed_float16_scale_their_loss";
    process::assert_passed(&process::again(name, "", "alone").output().expect("a process"));
}

fn under_mixed_float16() -> Result<()> {
    let (mut report, folder) = (Report::default(), Folder::new("mixed-float16"));
    for (flavor, file) in FLAVORS {
        cornu::random::set_flavor(flavor);
        set_dtype_policy("mixed_float16")?;
        let want = &golden::read(&place(file))["mixed_float16"];
        follow(flavor, file, "mixed_float16", want, 2f64.powi(-10), &mut report)?;
        let mut model = training("mixed_float16")?;
        set_dtype_policy("float32")?;
        let settings = model.optimizer().expect("it is compiled").to_json();
        assert_eq!(settings["inner_optimizer"]["class_name"], "Adam");
        assert_eq!((&settings["initial_scale"], &settings["dynamic_growth_steps"]), (&json!(32768.0), &json!(2000)));
        assert_eq!(model.compiled().expect("it is compiled").optimizer, "adam".into());
        set_dtype_policy("mixed_float16")?;
        let mut factor = layers(Dense::new(2));
        set_dtype_policy("float32")?;
        factor.compile(Compile::new().loss("mse").optimizer(SGD::new().momentum(0.5).loss_scale_factor(4)))?;
        let path = folder.join("factor.keras");
        factor.save_with(&path, Save::new().keras(2))?;
        let config = &Archive::open(&path)?.config["compile_config"]["optimizer"]["config"];
        assert!(config["momentum"] == 0.5 && config.get("loss_scale_factor").is_none(), "{config}");
        // One around the optimizer is enough, and a policy that comes later changes nothing.
        model.compile(Compile::new().loss("mse").optimizer(LossScaleOptimizer::new(Adam::new()).initial_scale(8)))?;
        assert_eq!(model.optimizer().expect("it is compiled").to_json()["initial_scale"], 8.0);
        let summary = training("mixed_float16")?;
        assert_eq!(summary.optimizer().expect("it is compiled").class_name(), "Adam");
    }
    report.finish();
    Ok(())
}

/// Keras 3 counts what is around the optimizer: its number of steps and learning rate, counter and scale.
#[test]
fn summaries_count_what_a_scale_is_found_by() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![Input::new([2]), Dense::new(3), Dense::new(1)];
    model.compile(Compile::new().loss("mse").optimizer(LossScaleOptimizer::new(Adam::new())))?;
    model.fit(X, Y, Fit::new().verbose(0))?;
    let text = model.summary().to_string();
    assert!(text.contains("Optimizer params: 32 (140.00 B)"), "{text}");
    Ok(())
}

#[test]
fn settings_that_cannot_be_right_are_refused() {
    let _turn = seeded(Flavor::Keras3, 1);
    let refused = |optimizer: LossScaleOptimizer| {
        let mut model = sequential![Dense::new(1).input_shape([2])];
        model.compile(Compile::new().loss("mse").optimizer(optimizer)).expect_err("refused").message().to_owned()
    };
    let around = || LossScaleOptimizer::new(Adam::new());
    let says = |optimizer, want: &str| assert!(refused(optimizer).ends_with(want), "{want}");
    says(around().initial_scale(0), "`LossScaleOptimizer.initial_scale` needs a number above 0, got 0");
    says(around().initial_scale(1e39), "needs a number within the range of `f32`, got 1e39");
    let steps = "`LossScaleOptimizer.dynamic_growth_steps` needs a whole number from 1 on, got 0";
    says(around().dynamic_growth_steps(0i64), steps);
    says(LossScaleOptimizer::new(Adam::new().clipnorm(-1.0)), "`Adam.clipnorm` needs a number above 0, got -1");
    let twice = "`LossScaleOptimizer.inner_optimizer` needs an optimizer that does not scale the loss itself";
    says(LossScaleOptimizer::new(around()), twice);
    let inner = |optimizer: &LossScaleOptimizer| optimizer.inner_optimizer.clone();
    assert_eq!(LossScaleOptimizer::new(inner(&around())), around());
    let InnerOptimizer(adam) = inner(&around());
    assert_eq!(adam.class_name(), "Adam");
}

/// Keras 3 once wrote settings that do not count, and Keras 2 has scales that stay.
#[test]
fn settings_of_other_versions_are_read_or_said() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let folder = Folder::new("loss-scale-settings");
    let (path, changed) = (folder.join("model.keras"), folder.join("changed.keras"));
    let mut model = training("falls")?;
    step(&mut model, 1.0)?;
    model.save(&path)?;
    let warnings = |key: &str, value: Value| -> Result<String> {
        let mut archive = Archive::open(&path)?;
        archive.config["compile_config"]["optimizer"]["config"][key] = value;
        archive.save(&changed)?;
        let loaded = load_model_with(&changed, Load::new())?;
        Ok(loaded.warnings.iter().map(ToString::to_string).collect())
    };
    for (key, idle) in [("clipnorm", Value::Null), ("use_ema", false.into()), ("dynamic", true.into())] {
        assert_eq!(warnings(key, idle)?, "", "{key}");
    }
    let text = warnings("clipnorm", 1.0.into())?;
    assert!(text.contains("LossScaleOptimizer: unknown key `clipnorm`"), "{text}");
    let text = warnings("dynamic", false.into())?;
    assert!(text.contains("`LossScaleOptimizer` with a scale that stays is not supported"), "{text}");
    let text = warnings("inner_optimizer", "adam".into())?;
    assert!(text.contains("expected a Keras object with `class_name` and `config`"), "{text}");
    Ok(())
}
