//! The steps of every optimizer against Keras's own weights and slots.

use cornu_graph::{Array, Trace, evaluate};
use cornu_testkit::golden::{self, Case, Report, close};
use serde_json::Value;

use super::*;
use crate::config::ClassId;
use crate::registry::Family;

/// Weights, slots `[role][weight]` and the number of steps, as arrays.
struct State {
    weights: Vec<Array>,
    slots: Vec<Vec<Array>>,
    iterations: Array,
}

impl State {
    fn new(optimizer: &dyn Optimizer, weights: Vec<Array>) -> State {
        let zeros = || weights.iter().map(|weight| Array::zeros(&weight.ty())).collect();
        State { slots: optimizer.roles().iter().map(|_| zeros()).collect(), weights, iterations: Array::scalar(0i64) }
    }

    fn step(&mut self, optimizer: &dyn Optimizer, gradients: &[Array]) {
        let trace = Trace::new();
        let mut values = Vec::new();
        let mut input = |array: &Array| {
            values.push(array.clone());
            trace.input(array.ty())
        };
        let weights: Vec<Tensor> = self.weights.iter().map(&mut input).collect();
        let gradients: Vec<Tensor> = gradients.iter().map(&mut input).collect();
        let slots: Vec<Vec<Tensor>> = self.slots.iter().map(|role| role.iter().map(&mut input).collect()).collect();
        let iterations = input(&self.iterations);
        let lr = input(&Array::scalar(optimizer.base().learning_rate as f32));
        let new = apply(optimizer, &weights, gradients, &slots, (&iterations, &lr));
        let outputs: Vec<Tensor> = new.weights.into_iter().chain(new.slots.concat()).chain([new.iterations]).collect();
        let graph = trace.finish(&outputs, &[]).unwrap_or_else(|error| panic!("{error}"));
        let mut results = evaluate(&graph, &[], &values).0.into_iter();
        let mut next = || results.next().expect("as many as before");
        self.weights.iter_mut().for_each(|weight| *weight = next());
        self.slots.iter_mut().flatten().for_each(|slot| *slot = next());
        self.iterations = next();
    }
}

fn row(stacked: &Array, at: usize) -> Array {
    let rest = stacked.shape().without(0);
    stacked.rows(&[at]).reshape(rest).expect("one row")
}

/// What this version refuses, of settings and of what is done after the constructor.
fn lacks(json: &Value) -> Vec<String> {
    let settings = &json["config"]["config"];
    let refused = [
        ("use_ema", settings["use_ema"] == true),
        ("loss_scale_factor", !settings["loss_scale_factor"].is_null()),
        ("gradient_accumulation_steps", !settings["gradient_accumulation_steps"].is_null()),
        ("learning_rate", settings["learning_rate"].is_object()),
    ];
    refused.into_iter().filter(|(_, given)| *given).map(|(key, _)| key.into()).collect()
}

/// The optimizer of a case.
fn made(json: &Value) -> Result<std::sync::Arc<dyn Optimizer>, String> {
    let class = json["class"].as_str().ok_or("no class")?;
    let settings = json["config"]["config"].as_object().ok_or("no settings")?;
    let optimizer =
        <dyn Optimizer>::registry().read(&ClassId::keras(class), settings).map_err(|error| error.to_string())?;
    super::check(&*optimizer).map_err(|error| error.to_string())?;
    Ok(optimizer)
}

fn check(case: &Case, optimizer: &dyn Optimizer, report: &mut Report) {
    let (json, (rtol, atol)) = (case.json, case.tolerance("outputs"));
    let (grads, wanted) = (case.all(&json["grads"]), case.all(&json["variables_after_step"]));
    let states = case.all(&json["state_after_step"]);
    let texts =
        |key: &str| -> Vec<&str> { json[key].as_array().expect("texts").iter().filter_map(Value::as_str).collect() };
    let (names, paths) = (texts("names"), texts("state_paths"));
    let mut state = State::new(optimizer, case.all(&json["init"]));
    for step in 0..grads[0].shape()[0] {
        state.step(optimizer, &grads.iter().map(|stacked| row(stacked, step)).collect::<Vec<_>>());
        let near = |got: &Array, want: &Array| close(got, &row(want, step), rtol, atol);
        for (name, (got, want)) in names.iter().zip(state.weights.iter().zip(&wanted)) {
            report.case(&format!("{} {name} after step {step}", case.id), near(got, want));
        }
        for (role, slots) in optimizer.roles().iter().zip(&state.slots) {
            for (name, got) in names.iter().zip(slots) {
                let place = paths.iter().position(|path| path.ends_with(&format!("/{name}_{role}")));
                let want = &states[place.unwrap_or_else(|| panic!("{}: no slot `{name}_{role}`", case.id))];
                report.case(&format!("{} {name} {role} after step {step}", case.id), near(got, want));
            }
        }
    }
}

#[test]
fn steps_are_those_of_keras() {
    let (mut report, cases) = (Report::default(), golden::cases("optimizers"));
    let classes = <dyn Optimizer>::classes();
    report.has_cases(&classes, "optimizers", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        let (case, optimizer) = (Case::open("optimizers", json), made(json));
        if !json["setup"].is_null() {
            println!("{}: skipped, an optimizer is its settings, and these are none: {}", case.id, json["setup"]);
            continue;
        }
        report.lacking(case.id, &lacks(json), optimizer.as_ref().map(drop).map_err(Clone::clone));
        if let Ok(optimizer) = optimizer {
            check(&case, &*optimizer, &mut report);
        }
    }
    report.finish();
}

/// The arithmetic of `Adam` in single precision, each operation rounded by itself.
#[test]
fn adam_rounds_each_operation_as_tensorflow_does() {
    let adam = Adam::new();
    let mut state = State::new(&adam, vec![Array::vector(vec![0.25f32, -1.5, 3e-3])]);
    let (mut w, mut m, mut v) = ([0.25f32, -1.5, 3e-3], [0.0f32; 3], [0.0f32; 3]);
    for step in 1..=50 {
        let g: Vec<f32> = (0..3).map(|i| ((step * 7 + i * 3) % 11) as f32 * 0.013 - 0.06).collect();
        state.step(&adam, &[Array::vector(g.clone())]);
        let power = |beta: f32| f64::from(beta).powf(f64::from(step)) as f32;
        let alpha = (0.001f32 * (1.0 - power(0.999)).sqrt()) / (1.0 - power(0.9));
        for i in 0..3 {
            m[i] += (g[i] - m[i]) * f32::from_bits(0x3DCC_CCCD);
            v[i] += (g[i] * g[i] - v[i]) * f32::from_bits(0x3A83_126F);
            w[i] -= (m[i] * alpha) / (v[i].sqrt() + 1e-7);
        }
        assert_eq!(state.weights[0].to_vec::<f32>(), w, "after step {step}");
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |base: Base| base.check("Adam").expect_err("refused").message().to_owned();
    assert_eq!(refused(Adam::new().use_ema(true).base()), "`Adam.use_ema` is not supported yet");
    assert_eq!(refused(Adam::new().clipnorm(-1.0).base()), "`Adam.clipnorm` needs a number above 0, got -1");
    let both = refused(Adam::new().clipnorm(1.0).clipvalue(1.0).base());
    assert_eq!(both, "`Adam` takes one of `clipnorm`, `clipvalue` and `global_clipnorm`, got several");
    assert!(Adam::new().base().check("Adam").is_ok());
}
